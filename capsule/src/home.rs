//! A Capsule's home directory: the common content of every home, with the accounts `operator` and `attester`, and
//! `openpgp.asc`.

use std::{ops::Deref, path::PathBuf};

use alloy::{primitives::Address, signers::local::PrivateKeySigner};
use sonar_node::{
    account::AccountName,
    cli::{Code, Failure},
    files::{self, Access},
    home::{Home, HomeKind},
    vault::Vault,
};
use sonar_protocol::{
    limits,
    pgp::{Certificate, Identity, PgpError},
    units::Timestamp,
};

const KIND: HomeKind = HomeKind {
    program: "capsule",
    title: "Capsule",
    daemon: "capsule serve",
    lock: "capsule.lock",
    in_use: Code::InUse,
};
/// The account that pays for transactions and owns the stake.
const OPERATOR: &str = "operator";
/// The attestation key.
const ATTESTER: &str = "attester";
/// The attestation key that is about to replace it.
const NEXT_ATTESTER: &str = "attester-next";

/// A Capsule's home directory.
#[derive(Clone, Debug)]
pub struct CapsuleHome(Home);

/// The keys and the vault of a Capsule, decrypted with its passphrase.
#[derive(Debug)]
pub struct UnlockedCapsule {
    /// The account that pays for transactions and owns the stake.
    pub operator: PrivateKeySigner,
    /// The attestation key.
    pub attester: PrivateKeySigner,
    /// The key that signs deliveries and certifies the keys that others seal to.
    pub identity: Identity,
    /// Seeds, models, records, and the keys that others seal to.
    pub vault: Vault,
}

impl Deref for CapsuleHome {
    type Target = Home;

    fn deref(&self) -> &Home {
        &self.0
    }
}

impl CapsuleHome {
    /// The Capsule's home at this path, which need not exist.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self(Home::new(path, &KIND))
    }

    /// Path of the OpenPGP key.
    #[must_use]
    pub fn openpgp(&self) -> PathBuf {
        self.path().join("openpgp.asc")
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
    pub fn complete(&self, operator: Option<&PrivateKeySigner>, passphrase: &str) -> Result<UnlockedCapsule, Failure> {
        let vault = self.create_vault(passphrase)?;
        let operator = self.create_account(&name(OPERATOR)?, operator, passphrase)?;
        let attester = self.create_account(&name(ATTESTER)?, None, passphrase)?;
        let identity = if self.is_complete() {
            self.identity(passphrase)?
        } else {
            let identity = Identity::generate_signer(&format!("Capsule {}", operator.address()), passphrase)
                .map_err(Failure::internal)?;
            files::write_atomic(&self.openpgp(), &identity.export_secret_armored(), Access::Private)?;
            identity
        };
        Ok(UnlockedCapsule { operator, attester, identity, vault })
    }

    /// Decrypts keys and vault.
    ///
    /// # Errors
    /// Before `capsule init`, or with the wrong passphrase.
    pub fn open(&self, passphrase: &str) -> Result<UnlockedCapsule, Failure> {
        self.require()?;
        Ok(UnlockedCapsule {
            vault: self.unlock_vault(passphrase)?,
            operator: self.keystore().unlock(&name(OPERATOR)?, passphrase)?,
            attester: self.keystore().unlock(&name(ATTESTER)?, passphrase)?,
            identity: self.identity(passphrase)?,
        })
    }

    /// Decrypts the OpenPGP key. A key of an earlier version of the program loses its part for encryption, on disk too:
    /// everything that was ever sealed to it could be opened with it.
    ///
    /// # Errors
    /// When the key is missing, or the passphrase is wrong.
    pub fn identity(&self, passphrase: &str) -> Result<Identity, Failure> {
        let bytes = files::read_limited(&self.openpgp(), limits::CERTIFICATE as u64)?;
        let identity = Identity::load_signer(&bytes, passphrase).map_err(|error| match error {
            PgpError::WrongPassphrase(_) => Failure::new(Code::WrongPassphrase, error),
            error => Failure::new(Code::Openpgp, error),
        })?;
        if Certificate::decode(&bytes, Timestamp::EPOCH).is_ok() {
            files::write_atomic(&self.openpgp(), &identity.export_secret_armored(), Access::Private)?;
        }
        Ok(identity)
    }

    /// The operator's address; needs no passphrase.
    ///
    /// # Errors
    /// Before `capsule init`.
    pub fn operator(&self) -> Result<Address, Failure> {
        self.require()?;
        self.address(&name(OPERATOR)?)
    }

    /// The attestation key's address; needs no passphrase.
    ///
    /// # Errors
    /// Before `capsule init`.
    pub fn attester(&self) -> Result<Address, Failure> {
        self.require()?;
        self.address(&name(ATTESTER)?)
    }

    /// The key that will replace the attestation key: that of an interrupted rotation, or a new one.
    ///
    /// # Errors
    /// When the passphrase is wrong, or nothing can be written.
    pub fn next_attester(&self, passphrase: &str) -> Result<PrivateKeySigner, Failure> {
        self.create_account(&name(NEXT_ATTESTER)?, None, passphrase)
    }

    /// Replaces the attestation key, which is destroyed.
    ///
    /// # Errors
    /// When there is no next one, or nothing can be written.
    pub fn adopt_next_attester(&self) -> Result<(), Failure> {
        let keystore = self.keystore();
        let [next, present] = [name(NEXT_ATTESTER)?, name(ATTESTER)?].map(|name| keystore.path(&name));
        std::fs::rename(&next, &present).map_err(|error| Failure::new(Code::File, error).at(next.display()))
    }

    /// Whether a rotation of the attestation key was interrupted.
    ///
    /// # Errors
    /// Never in practice: the account's name is fixed.
    pub fn is_rotating(&self) -> Result<bool, Failure> {
        Ok(self.keystore().path(&name(NEXT_ATTESTER)?).exists())
    }

    fn require(&self) -> Result<(), Failure> {
        if self.is_complete() { Ok(()) } else { Err(self.not_initialised()) }
    }
}

fn name(text: &str) -> Result<AccountName, Failure> {
    Ok(text.parse()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_home_loses_its_key_for_encryption() {
        let directory = tempfile::tempdir().unwrap();
        let home = CapsuleHome::new(directory.path().into());
        let older = Identity::generate("Capsule", "passphrase").unwrap();
        files::write_atomic(&home.openpgp(), &older.export_secret_armored(), Access::Private).unwrap();
        assert!(home.identity("wrong").is_err());
        assert_eq!(home.identity("passphrase").unwrap().fingerprint(), older.fingerprint());
        let kept = std::fs::read(home.openpgp()).unwrap();
        assert!(Identity::load(&kept, "passphrase").is_err(), "nothing on disk opens old bundles");
        assert_eq!(home.identity("passphrase").unwrap().fingerprint(), older.fingerprint());
        assert_eq!(std::fs::read(home.openpgp()).unwrap(), kept);
    }
}
