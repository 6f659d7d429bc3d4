//! A persistent store of named byte strings. On disk it is the vault, encrypted under the passphrase.

use std::error::Error;

use zeroize::Zeroizing;

/// Why the store failed.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct SecretStoreError(#[from] pub Box<dyn Error + Send + Sync>);

/// The private storage of a Mine.
pub trait SecretStore: Send + Sync {
    /// Stores bytes under a name. They survive a crash once this returns.
    ///
    /// # Errors
    /// When they cannot be written.
    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), SecretStoreError>;

    /// The bytes under a name.
    ///
    /// # Errors
    /// When there are none, or they cannot be read.
    fn get(&self, name: &str) -> Result<Zeroizing<Vec<u8>>, SecretStoreError>;

    /// Removes a name; succeeds if it does not exist.
    ///
    /// # Errors
    /// When it cannot be removed.
    fn remove(&self, name: &str) -> Result<(), SecretStoreError>;

    /// Names with this prefix, sorted.
    ///
    /// # Errors
    /// When they cannot be listed.
    fn list(&self, prefix: &str) -> Result<Vec<String>, SecretStoreError>;
}
