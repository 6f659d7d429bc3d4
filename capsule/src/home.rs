//! A Capsule's directory: `config.toml`, `keystore/`, `openpgp.asc`, `vault/`, `ipfs/`.

use std::{
    fs::{File, TryLockError},
    path::{Path, PathBuf},
};

use alloy::{primitives::Address, signers::local::PrivateKeySigner};
use sonar_node::{
    account::{AccountName, Keystore},
    cli::{Code, Failure},
    files::{self, Access, FileError},
    vault::{Vault, VaultError},
};
use sonar_protocol::{
    limits,
    pgp::{Identity, PgpError},
};

/// The account that pays for transactions and owns the stake.
const OPERATOR: &str = "operator";
/// The attestation key.
const ATTESTER: &str = "attester";

/// Paths in a Capsule's home directory.
#[derive(Clone, Debug)]
pub struct Home(PathBuf);

/// The keys and the vault of a Capsule, decrypted with its passphrase.
#[derive(Debug)]
pub struct Opened {
    /// The account that pays for transactions and owns the stake.
    pub operator: PrivateKeySigner,
    /// The attestation key.
    pub attester: PrivateKeySigner,
    /// The key that bundles and updates are sealed to.
    pub identity: Identity,
    /// Seeds, models and records.
    pub vault: Vault,
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

    /// Blocks and identity of the IPFS node.
    #[must_use]
    pub fn ipfs(&self) -> PathBuf {
        self.0.join("ipfs")
    }

    /// The OpenPGP key.
    #[must_use]
    pub fn openpgp(&self) -> PathBuf {
        self.0.join("openpgp.asc")
    }

    /// Seeds, models and records.
    #[must_use]
    pub fn vault(&self) -> PathBuf {
        self.0.join("vault")
    }

    /// Whether the home has all keys.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        // The OpenPGP key is created last.
        self.openpgp().exists()
    }

    /// Creates what is missing. Resumes an interrupted `capsule init`.
    ///
    /// # Errors
    /// When the passphrase is wrong for existing files, or nothing can be written.
    pub fn complete(&self, operator: Option<&PrivateKeySigner>, passphrase: &str) -> Result<Opened, Failure> {
        files::private_directory(&self.0)?;
        let vault = match Vault::unlock(&self.vault(), passphrase) {
            Err(VaultError::Missing(_)) => Vault::create(&self.vault(), passphrase),
            other => other,
        }
        .map_err(vault_failure)?;
        let operator = self.key(OPERATOR, operator, passphrase)?;
        let attester = self.key(ATTESTER, None, passphrase)?;
        let identity = if self.is_complete() {
            self.identity(passphrase)?
        } else {
            let identity = Identity::generate(&format!("Capsule {}", operator.address()), passphrase)
                .map_err(Failure::internal)?;
            files::write_atomic(&self.openpgp(), &identity.export_secret_armored(), Access::Private)?;
            identity
        };
        Ok(Opened { operator, attester, identity, vault })
    }

    fn key(&self, name: &str, given: Option<&PrivateKeySigner>, passphrase: &str) -> Result<PrivateKeySigner, Failure> {
        let keystore = Keystore::new(&self.0);
        let name: AccountName = name.parse()?;
        if keystore.path(&name).exists() {
            return Ok(keystore.unlock(&name, passphrase)?);
        }
        match given {
            None => Ok(keystore.create(&name, passphrase)?),
            Some(key) => {
                keystore.store(&name, key, passphrase)?;
                Ok(key.clone())
            }
        }
    }

    /// Decrypts keys and vault.
    ///
    /// # Errors
    /// Before `capsule init`, or with the wrong passphrase.
    pub fn open(&self, passphrase: &str) -> Result<Opened, Failure> {
        self.require()?;
        let keystore = Keystore::new(&self.0);
        Ok(Opened {
            vault: Vault::unlock(&self.vault(), passphrase).map_err(vault_failure)?,
            operator: keystore.unlock(&OPERATOR.parse()?, passphrase)?,
            attester: keystore.unlock(&ATTESTER.parse()?, passphrase)?,
            identity: self.identity(passphrase)?,
        })
    }

    /// Decrypts the OpenPGP key.
    ///
    /// # Errors
    /// When the key is missing, or the passphrase is wrong.
    pub fn identity(&self, passphrase: &str) -> Result<Identity, Failure> {
        let bytes = files::read_limited(&self.openpgp(), limits::CERTIFICATE as u64)?;
        Identity::load(&bytes, passphrase).map_err(|error| match error {
            PgpError::WrongPassphrase(_) => Failure::new(Code::WrongPassphrase, error),
            error => Failure::new(Code::Openpgp, error),
        })
    }

    /// The operator's address; needs no passphrase.
    ///
    /// # Errors
    /// Before `capsule init`.
    pub fn operator(&self) -> Result<Address, Failure> {
        self.require()?;
        let name: AccountName = OPERATOR.parse()?;
        let accounts = Keystore::new(&self.0).list()?;
        let account = accounts.into_iter().find(|account| account.name == name);
        account.map(|account| account.address).ok_or_else(|| Failure::internal("the keystore file has no address"))
    }

    fn require(&self) -> Result<(), Failure> {
        if self.is_complete() {
            return Ok(());
        }
        Err(Failure::new(Code::NotInitialised, format!("there is no Capsule in {}", self.0.display()))
            .help("create one with `capsule init`, or pass its directory with --home"))
    }

    /// Locks the home until the file is dropped.
    ///
    /// # Errors
    /// When another process has locked it.
    pub fn occupy(&self) -> Result<File, Failure> {
        let path = self.0.join("capsule.lock");
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(FileError::new("open", &path))?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => {
                Err(Failure::new(Code::InUse, format!("another process uses the Capsule in {}", self.0.display()))
                    .help("stop `capsule serve` first"))
            }
            Err(TryLockError::Error(error)) => Err(FileError::new("lock", &path)(error).into()),
        }
    }
}

fn vault_failure(error: VaultError) -> Failure {
    match error {
        VaultError::WrongPassphrase => Failure::new(Code::WrongPassphrase, error),
        VaultError::Missing(_) => Failure::new(Code::VaultMissing, error),
        error => Failure::new(Code::Vault, error),
    }
}
