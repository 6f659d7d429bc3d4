//! Named pieces of bytes that outlive the process. On disk they are in the vault, under the passphrase.

use std::error::Error;

use zeroize::Zeroizing;

/// Why the store does not work.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct SecretStoreError(#[from] pub Box<dyn Error + Send + Sync>);

/// Where a Mine keeps what nobody else may see.
pub trait SecretStore: Send + Sync {
    /// Keeps bytes under a name; when this returns they survive a crash.
    ///
    /// # Errors
    /// When they cannot be written.
    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), SecretStoreError>;

    /// The bytes under a name.
    ///
    /// # Errors
    /// When there are none, or they cannot be read.
    fn get(&self, name: &str) -> Result<Zeroizing<Vec<u8>>, SecretStoreError>;

    /// Forgets a name; that it is unknown is no error.
    ///
    /// # Errors
    /// When it cannot be removed.
    fn remove(&self, name: &str) -> Result<(), SecretStoreError>;

    /// Names that begin like this, sorted.
    ///
    /// # Errors
    /// When they cannot be listed.
    fn list(&self, prefix: &str) -> Result<Vec<String>, SecretStoreError>;
}
