//! A Mine's directory: what every home has, with the account `mine`, and `policy.toml`.

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
/// A policy is a page of text.
const POLICY_LIMIT: u64 = 64 << 10;
/// The Mine's only account.
const ACCOUNT: &str = "mine";

/// A Mine's directory.
#[derive(Clone, Debug)]
pub struct MineHome(Home);

/// A Mine that was opened with its passphrase.
#[derive(Clone)]
pub struct UnlockedMine {
    /// Its account.
    pub signer: PrivateKeySigner,
    /// Its secrets.
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

    /// The owner's rules.
    #[must_use]
    pub fn policy(&self) -> PathBuf {
        self.path().join("policy.toml")
    }

    /// The file of the account's key.
    ///
    /// # Errors
    /// Never in practice: the name is a constant.
    pub fn key_file(&self) -> Result<PathBuf, Failure> {
        Ok(self.keystore().path(&account()?))
    }

    /// Whether `mine init` was completed here.
    ///
    /// # Errors
    /// As `key_file`.
    pub fn is_complete(&self) -> Result<bool, Failure> {
        // The account is made last.
        Ok(self.key_file()?.exists())
    }

    /// Makes what is missing. What an interrupted `mine init` left is used.
    ///
    /// # Errors
    /// When the passphrase does not open what is there, or nothing can be written.
    pub fn complete(&self, key: Option<&PrivateKeySigner>, passphrase: &str) -> Result<UnlockedMine, Failure> {
        let store = Arc::new(self.create_vault(passphrase)?);
        let signer = self.create_account(&account()?, key, passphrase)?;
        Ok(UnlockedMine { signer, store })
    }

    /// Opens account and vault.
    ///
    /// # Errors
    /// Before `mine init`, or with the wrong passphrase.
    pub fn open(&self, passphrase: &str) -> Result<UnlockedMine, Failure> {
        Ok(UnlockedMine { store: self.store(passphrase)?, signer: self.signer(passphrase)? })
    }

    /// Opens the vault only.
    ///
    /// # Errors
    /// As `open`.
    pub fn store(&self, passphrase: &str) -> Result<Arc<dyn SecretStore>, Failure> {
        self.require()?;
        Ok(Arc::new(self.unlock_vault(passphrase)?))
    }

    /// Opens the account only.
    ///
    /// # Errors
    /// As `open`.
    pub fn signer(&self, passphrase: &str) -> Result<PrivateKeySigner, Failure> {
        self.require()?;
        Ok(self.keystore().unlock(&account()?, passphrase)?)
    }

    /// The account's address, which is no secret.
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

/// Reads the owner's rules; a missing file allows everything.
///
/// # Errors
/// Unreadable, or with a rule that does not exist.
pub fn read_policy(path: &Path) -> Result<Policy, ConfigError> {
    let bytes = match files::read_limited(path, POLICY_LIMIT) {
        Err(error) if error.source.kind() == ErrorKind::NotFound => return Ok(Policy::default()),
        other => other?,
    };
    let content = |message: String| ConfigError::Content { path: path.to_owned(), message };
    let text = std::str::from_utf8(&bytes).map_err(|error| content(error.to_string()))?;
    toml::from_str(text).map_err(|error| content(error.to_string()))
}

/// Writes the owner's rules.
///
/// # Errors
/// When the file cannot be written.
pub fn write_policy(path: &Path, policy: &Policy) -> Result<(), ConfigError> {
    let text = toml::to_string_pretty(policy)
        .map_err(|error| ConfigError::Content { path: path.to_owned(), message: error.to_string() })?;
    Ok(files::write_atomic(path, text.as_bytes(), Access::Private)?)
}
