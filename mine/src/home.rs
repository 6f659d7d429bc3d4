//! A Mine's home directory: the common content of every home, with the account `mine`, `policy.toml`, and
//! `pause.json`.

use std::{
    io::ErrorKind,
    ops::Deref,
    path::{Path, PathBuf},
    sync::Arc,
};

use alloy::{primitives::Address, signers::local::PrivateKeySigner};
use sonar_node::{
    account::AccountName,
    cli::{Code, Failure},
    config::ConfigError,
    files::{self, Access},
    home::{Home, HomeKind},
    vault::SecretStore,
};

use crate::policy::Policy;

const KIND: HomeKind =
    HomeKind { program: "mine", title: "Mine", daemon: "mine run", lock: "run.lock", in_use: Code::AlreadyRunning };
/// Size limit of a policy file in bytes.
const POLICY_LIMIT: u64 = 64 << 10;
/// The Mine's only account.
const ACCOUNT: &str = "mine";

/// A Mine's home directory.
#[derive(Clone, Debug)]
pub struct MineHome(Home);

/// Account and vault of a Mine, decrypted with its passphrase.
#[derive(Clone)]
pub struct UnlockedMine {
    /// Its account.
    pub signer: PrivateKeySigner,
    /// Its vault.
    pub store: Arc<dyn SecretStore>,
}

impl Deref for MineHome {
    type Target = Home;

    fn deref(&self) -> &Home {
        &self.0
    }
}

impl MineHome {
    /// The Mine's home at this path, which need not exist.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self(Home::new(path, &KIND))
    }

    /// The policy file.
    #[must_use]
    pub fn policy(&self) -> PathBuf {
        self.path().join("policy.toml")
    }

    /// The file of the pause.
    #[must_use]
    pub fn pause(&self) -> PathBuf {
        self.path().join("pause.json")
    }

    /// Path of the account's keystore file.
    ///
    /// # Errors
    /// Never in practice: the name is a constant.
    pub fn key_file(&self) -> Result<PathBuf, Failure> {
        Ok(self.keystore().path(&account()?))
    }

    /// Whether `mine init` has completed in this home.
    ///
    /// # Errors
    /// As `key_file`.
    pub fn is_complete(&self) -> Result<bool, Failure> {
        // The account is created last.
        Ok(self.key_file()?.exists())
    }

    /// Creates what is missing. Resumes an interrupted `mine init`.
    ///
    /// # Errors
    /// When the passphrase is wrong for existing files, or nothing can be written.
    pub fn complete(&self, key: Option<&PrivateKeySigner>, passphrase: &str) -> Result<UnlockedMine, Failure> {
        let store = Arc::new(self.create_vault(passphrase)?);
        let signer = self.create_account(&account()?, key, passphrase)?;
        Ok(UnlockedMine { signer, store })
    }

    /// Decrypts account and vault.
    ///
    /// # Errors
    /// Before `mine init`, or with the wrong passphrase.
    pub fn open(&self, passphrase: &str) -> Result<UnlockedMine, Failure> {
        Ok(UnlockedMine { store: self.store(passphrase)?, signer: self.signer(passphrase)? })
    }

    /// Decrypts only the vault.
    ///
    /// # Errors
    /// As `open`.
    pub fn store(&self, passphrase: &str) -> Result<Arc<dyn SecretStore>, Failure> {
        self.require()?;
        Ok(Arc::new(self.unlock_vault(passphrase)?))
    }

    /// Decrypts only the account.
    ///
    /// # Errors
    /// As `open`.
    pub fn signer(&self, passphrase: &str) -> Result<PrivateKeySigner, Failure> {
        self.require()?;
        Ok(self.keystore().unlock(&account()?, passphrase)?)
    }

    /// The account's address; needs no passphrase.
    ///
    /// # Errors
    /// Before `mine init`.
    pub fn account_address(&self) -> Result<Address, Failure> {
        self.require()?;
        self.address(&account()?)
    }

    fn require(&self) -> Result<(), Failure> {
        if self.is_complete()? { Ok(()) } else { Err(self.not_initialised()) }
    }
}

fn account() -> Result<AccountName, Failure> {
    Ok(ACCOUNT.parse()?)
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
