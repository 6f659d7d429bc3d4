//! The home directory of a program that has keys.
//!
//! `config.toml`, `keystore/`, `vault/`, `ipfs/` and the lock of the running process are the same in every home. Each
//! program adds its own files, and the check that its home is complete.

use std::{
    fs::{File, TryLockError},
    path::{Path, PathBuf},
    time::Duration,
};

use alloy::{primitives::Address, signers::local::PrivateKeySigner};
use zeroize::Zeroizing;

use crate::{
    account::{AccountName, Keystore},
    cli::{self, Ask, Code, Failure, Globals},
    files::{self, FileError},
    vault::{Vault, VaultError},
};

/// Attempts to lock a home. Several, because a command that checks whether a daemon runs also locks it for a moment.
const LOCK_ATTEMPTS: u32 = 10;
/// Pause between them.
const LOCK_PAUSE: Duration = Duration::from_millis(100);

/// The names that differ between the homes of programs.
#[derive(Debug, PartialEq, Eq)]
pub struct HomeKind {
    /// Name of the program, as in "create one with `capsule init`".
    pub program: &'static str,
    /// Title of the home's owner, as in "there is no Capsule in …".
    pub title: &'static str,
    /// The daemon that uses the home until it is stopped.
    pub daemon: &'static str,
    /// Name of the lock file.
    pub lock: &'static str,
    /// Failure code of a command while another process uses the home.
    pub in_use: Code,
}

/// A program's home directory.
#[derive(Clone, Debug)]
pub struct Home {
    path: PathBuf,
    kind: &'static HomeKind,
}

/// The lock of a home, which excludes other processes until it is dropped.
#[derive(Debug)]
#[must_use = "the home is free again when the lock is dropped"]
pub struct HomeLock {
    _file: File,
}

impl Home {
    /// The home at this path, which need not exist.
    #[must_use]
    pub fn new(path: PathBuf, kind: &'static HomeKind) -> Self {
        Self { path, kind }
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Blocks and identity of the IPFS node.
    #[must_use]
    pub fn ipfs(&self) -> PathBuf {
        self.path.join("ipfs")
    }

    /// Directory of the vault.
    #[must_use]
    pub fn vault(&self) -> PathBuf {
        self.path.join("vault")
    }

    /// The keystore of its accounts.
    #[must_use]
    pub fn keystore(&self) -> Keystore {
        Keystore::new(&self.path)
    }

    /// Reads the passphrase of the home.
    ///
    /// # Errors
    /// When there is no passphrase, or it is empty.
    pub fn passphrase(&self, globals: &Globals, ask: Ask) -> Result<Zeroizing<String>, Failure> {
        cli::passphrase(globals, self.kind.program, &format!("the {}", self.kind.title), ask)
    }

    /// Creates directory and vault; unlocks the vault of an interrupted `init`.
    ///
    /// # Errors
    /// When the passphrase is wrong for an existing vault, or nothing can be written.
    pub fn create_vault(&self, passphrase: &str) -> Result<Vault, Failure> {
        files::private_directory(&self.path)?;
        let vault = match Vault::unlock(&self.vault(), passphrase) {
            Err(VaultError::Missing(_)) => Vault::create(&self.vault(), passphrase),
            other => other,
        };
        vault.map_err(|error| self.vault_failure(error))
    }

    /// Unlocks the vault.
    ///
    /// # Errors
    /// When there is none, or the passphrase is wrong.
    pub fn unlock_vault(&self, passphrase: &str) -> Result<Vault, Failure> {
        Vault::unlock(&self.vault(), passphrase).map_err(|error| self.vault_failure(error))
    }

    /// Creates an account with this key, or with a new one; unlocks the account of an interrupted `init`.
    ///
    /// # Errors
    /// When the passphrase is wrong for an existing account, or nothing can be written.
    pub fn create_account(
        &self,
        name: &AccountName,
        key: Option<&PrivateKeySigner>,
        passphrase: &str,
    ) -> Result<PrivateKeySigner, Failure> {
        let keystore = self.keystore();
        if keystore.path(name).exists() {
            return Ok(keystore.unlock(name, passphrase)?);
        }
        match key {
            None => Ok(keystore.create(name, passphrase)?),
            Some(key) => {
                keystore.store(name, key, passphrase)?;
                Ok(key.clone())
            }
        }
    }

    /// The address of an account; needs no passphrase.
    ///
    /// # Errors
    /// When the account does not exist, or its file has no address.
    pub fn address(&self, name: &AccountName) -> Result<Address, Failure> {
        let account = self.keystore().list()?.into_iter().find(|account| account.name == *name);
        account.map(|account| account.address).ok_or_else(|| Failure::internal("the keystore file holds no address"))
    }

    /// The failure of a command that needs an initialised home.
    #[must_use]
    pub fn not_initialised(&self) -> Failure {
        let HomeKind { program, title, .. } = self.kind;
        Failure::new(Code::NotInitialised, format!("there is no {title} in {}", self.path.display()))
            .help(format!("create one with `{program} init`, or pass its directory with --home"))
    }

    /// Locks the home.
    ///
    /// # Errors
    /// When another process uses the home, or the lock file cannot be opened.
    pub async fn lock(&self) -> Result<HomeLock, Failure> {
        for _ in 0..LOCK_ATTEMPTS {
            if let Some(lock) = self.try_lock()? {
                return Ok(lock);
            }
            tokio::time::sleep(LOCK_PAUSE).await;
        }
        let HomeKind { title, daemon, in_use, .. } = self.kind;
        Err(Failure::new(*in_use, format!("another process uses the {title} in {}", self.path.display()))
            .help(format!("stop `{daemon}` first")))
    }

    /// Locks the home; `None` if another process uses it.
    ///
    /// # Errors
    /// When the lock file cannot be opened.
    pub fn try_lock(&self) -> Result<Option<HomeLock>, FileError> {
        let path = self.path.join(self.kind.lock);
        let open = File::options().create(true).truncate(false).write(true).open(&path);
        let file = open.map_err(FileError::new("open", &path))?;
        match file.try_lock() {
            Ok(()) => {
                // A killed process may have left a secret that was to be destroyed since.
                files::remove_temporaries(&self.vault())?;
                Ok(Some(HomeLock { _file: file }))
            }
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(FileError::new("lock", &path)(error)),
        }
    }

    fn vault_failure(&self, error: VaultError) -> Failure {
        match error {
            VaultError::WrongPassphrase => {
                Failure::new(Code::WrongPassphrase, format!("the passphrase of the {} is wrong", self.kind.title))
            }
            VaultError::Missing(_) => Failure::new(Code::VaultMissing, error),
            error => Failure::new(Code::Vault, error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::SecretStore;

    const KIND: HomeKind =
        HomeKind { program: "capsule", title: "Capsule", daemon: "capsule serve", lock: "lock", in_use: Code::InUse };

    fn home() -> (tempfile::TempDir, Home) {
        let directory = tempfile::tempdir().unwrap();
        let home = Home::new(directory.path().join("home"), &KIND);
        (directory, home)
    }

    /// It may contain a secret that was destroyed since.
    #[test]
    fn what_a_killed_process_was_writing_to_the_vault_is_removed() {
        let (_directory, home) = home();
        files::private_directory(&home.vault()).unwrap();
        let leave = |pid: u32| {
            let path = home.vault().join(format!("seed~01.sealed.{pid}.0.tmp"));
            std::fs::write(&path, b"half a secret").unwrap();
            path
        };
        // No process has this number: it is above the largest that Linux gives.
        let (dead, alive) = (leave(u32::MAX), leave(std::process::id()));
        let _lock = home.try_lock().unwrap().unwrap();
        assert!(!dead.exists() && alive.exists());
    }

    #[tokio::test]
    async fn only_one_process_works_in_a_home() {
        let (_directory, home) = home();
        files::private_directory(home.path()).unwrap();
        let lock = home.lock().await.unwrap();
        assert!(home.try_lock().unwrap().is_none());
        let failure = home.lock().await.unwrap_err();
        assert_eq!(failure.code, Code::InUse);
        assert!(failure.message.contains("another process uses the Capsule in"), "{failure}");
        assert_eq!(failure.help.as_deref(), Some("stop `capsule serve` first"));

        // A command that only checks the lock does not make another one fail.
        let (held, soon_free) = (lock, tokio::time::sleep(LOCK_PAUSE));
        let (second, ()) = tokio::join!(home.lock(), async {
            soon_free.await;
            drop(held);
        });
        drop(second.unwrap());
    }

    #[test]
    fn an_interrupted_init_is_completed_with_the_same_passphrase() {
        let (_directory, home) = home();
        let name: AccountName = "operator".parse().unwrap();
        assert_eq!(home.unlock_vault("right").unwrap_err().code, Code::VaultMissing);
        home.create_vault("right").unwrap().put("seed", b"secret").unwrap();
        let account = home.create_account(&name, None, "right").unwrap();

        assert_eq!(*home.create_vault("right").unwrap().get("seed").unwrap(), b"secret");
        assert_eq!(home.create_account(&name, None, "right").unwrap().address(), account.address());
        assert_eq!(home.address(&name).unwrap(), account.address());
        for failure in [home.create_vault("wrong").unwrap_err(), home.unlock_vault("wrong").unwrap_err()] {
            assert_eq!(failure.code, Code::WrongPassphrase);
            assert_eq!(failure.message, "the passphrase of the Capsule is wrong");
        }
        assert_eq!(home.create_account(&name, None, "wrong").unwrap_err().code, Code::WrongPassphrase);
    }
}
