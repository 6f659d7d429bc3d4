//! A Mine's directory: `config.toml`, `policy.toml`, `keystore/mine`, `vault/`, `ipfs/`.

use std::{
    fs::{File, TryLockError},
    io::ErrorKind,
    path::{Path, PathBuf},
    sync::Arc,
};

use alloy::{primitives::Address, signers::local::PrivateKeySigner};
use sonar_node::{
    account::{AccountName, Keystore},
    cli::{Code, Failure},
    config::ConfigError,
    files::{self, Access, FileError},
    vault::{Vault, VaultError},
};
use zeroize::Zeroizing;

use crate::{
    policy::Policy,
    store::{SecretStore, SecretStoreError},
};

/// Size limit of a policy file in bytes.
const POLICY_LIMIT: u64 = 64 << 10;
/// The Mine's only account.
const ACCOUNT: &str = "mine";

/// Paths in a Mine's home directory.
#[derive(Clone, Debug)]
pub struct Home(PathBuf);

/// Account and vault of a Mine, decrypted with its passphrase.
#[derive(Clone)]
pub struct UnlockedMine {
    /// Its account.
    pub signer: PrivateKeySigner,
    /// Its vault.
    pub store: Arc<dyn SecretStore>,
}

impl Home {
    /// The home directory.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// The home directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The policy file.
    #[must_use]
    pub fn policy(&self) -> PathBuf {
        self.0.join("policy.toml")
    }

    /// Blocks and identity of the IPFS node.
    #[must_use]
    pub fn ipfs(&self) -> PathBuf {
        self.0.join("ipfs")
    }

    fn vault(&self) -> PathBuf {
        self.0.join("vault")
    }

    fn account() -> Result<AccountName, Failure> {
        Ok(ACCOUNT.parse()?)
    }

    /// The keystore file.
    ///
    /// # Errors
    /// Never in practice: the name is a constant.
    pub fn keystore(&self) -> Result<PathBuf, Failure> {
        Ok(Keystore::new(&self.0).path(&Self::account()?))
    }

    /// Whether `mine init` has completed in this home.
    ///
    /// # Errors
    /// As `keystore`.
    pub fn is_complete(&self) -> Result<bool, Failure> {
        // The account is created last.
        Ok(self.keystore()?.exists())
    }

    /// Creates what is missing. Resumes an interrupted `mine init`.
    ///
    /// # Errors
    /// When the passphrase is wrong for existing files, or nothing can be written.
    pub fn complete(&self, key: Option<&PrivateKeySigner>, passphrase: &str) -> Result<UnlockedMine, Failure> {
        files::private_directory(&self.0)?;
        let vault = match Vault::unlock(&self.vault(), passphrase) {
            Err(VaultError::Missing(_)) => Vault::create(&self.vault(), passphrase),
            other => other,
        }
        .map_err(locked)?;
        let keystore = Keystore::new(&self.0);
        let name = Self::account()?;
        let signer = match (self.is_complete()?, key) {
            (true, _) => keystore.unlock(&name, passphrase)?,
            (false, None) => keystore.create(&name, passphrase)?,
            (false, Some(key)) => {
                keystore.store(&name, key, passphrase)?;
                key.clone()
            }
        };
        Ok(UnlockedMine { signer, store: Arc::new(vault) })
    }

    /// Decrypts account and vault.
    ///
    /// # Errors
    /// Before `mine init`, or with the wrong passphrase.
    pub fn open(&self, passphrase: &str) -> Result<UnlockedMine, Failure> {
        Ok(UnlockedMine {
            store: self.store(passphrase)?,
            signer: Keystore::new(&self.0).unlock(&Self::account()?, passphrase)?,
        })
    }

    /// Decrypts only the vault.
    ///
    /// # Errors
    /// As `open`.
    pub fn store(&self, passphrase: &str) -> Result<Arc<dyn SecretStore>, Failure> {
        self.require()?;
        Ok(Arc::new(Vault::unlock(&self.vault(), passphrase).map_err(locked)?))
    }

    /// Decrypts only the account.
    ///
    /// # Errors
    /// As `open`.
    pub fn signer(&self, passphrase: &str) -> Result<PrivateKeySigner, Failure> {
        self.require()?;
        Ok(Keystore::new(&self.0).unlock(&Self::account()?, passphrase)?)
    }

    /// The account's address; needs no passphrase.
    ///
    /// # Errors
    /// Before `mine init`.
    pub fn address(&self) -> Result<Address, Failure> {
        self.require()?;
        let accounts = Keystore::new(&self.0).list()?;
        let name = Self::account()?;
        accounts
            .into_iter()
            .find(|account| account.name == name)
            .map(|account| account.address)
            .ok_or_else(|| Failure::internal("the keystore file has no address"))
    }

    fn require(&self) -> Result<(), Failure> {
        if self.is_complete()? {
            return Ok(());
        }
        Err(Failure::new(Code::NotInitialised, format!("there is no Mine in {}", self.0.display()))
            .help("create one with `mine init`, or pass its directory with --home"))
    }

    /// Locks the home for a run until the file is dropped; `None` if another run has locked it.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn occupy(&self) -> Result<Option<File>, FileError> {
        let path = self.0.join("run.lock");
        let open = File::options().create(true).truncate(false).write(true).open(&path);
        let file = open.map_err(FileError::new("open", &path))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(FileError::new("lock", &path)(error)),
        }
    }
}

/// Reads the policy; a missing file gives the default policy.
///
/// # Errors
/// When the file is unreadable, or has an unknown rule.
pub fn read_policy(path: &Path) -> Result<Policy, ConfigError> {
    let bytes = match files::read_limited(path, POLICY_LIMIT) {
        Err(error) if error.source.kind() == ErrorKind::NotFound => return Ok(Policy::default()),
        other => other?,
    };
    let content = |message: String| ConfigError::Content { path: path.to_owned(), message };
    let text = std::str::from_utf8(&bytes).map_err(|error| content(error.to_string()))?;
    toml::from_str(text).map_err(|error| content(error.to_string()))
}

/// Writes the policy.
///
/// # Errors
/// When the file cannot be written.
pub fn write_policy(path: &Path, policy: &Policy) -> Result<(), ConfigError> {
    let text = toml::to_string_pretty(policy)
        .map_err(|error| ConfigError::Content { path: path.to_owned(), message: error.to_string() })?;
    Ok(files::write_atomic(path, text.as_bytes(), Access::Private)?)
}

fn locked(error: VaultError) -> Failure {
    match error {
        VaultError::WrongPassphrase => Failure::new(Code::WrongPassphrase, "the passphrase of the Mine is wrong"),
        error => Failure::new(Code::Vault, error),
    }
}

impl SecretStore for Vault {
    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), SecretStoreError> {
        Self::put(self, name, bytes).map_err(broken)
    }

    fn get(&self, name: &str) -> Result<Zeroizing<Vec<u8>>, SecretStoreError> {
        Self::get(self, name).map_err(broken)
    }

    fn remove(&self, name: &str) -> Result<(), SecretStoreError> {
        Self::remove(self, name).map_err(broken)
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>, SecretStoreError> {
        Self::list(self, prefix).map_err(broken)
    }
}

fn broken(error: VaultError) -> SecretStoreError {
    SecretStoreError(error.into())
}
