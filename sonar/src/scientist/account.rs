//! Accounts: a key for the chain and an OpenPGP key, under one passphrase.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use alloy::{primitives::Address, signers::local::PrivateKeySigner};
use sonar_node::{
    account::{AccountName, Keystore},
    cli::Failure,
};
use sonar_protocol::fingerprint::Fingerprint;

use super::identity;

/// An account whose key is in memory. The key is overwritten when the last copy is dropped.
#[derive(Clone)]
pub struct UnlockedAccount {
    name: AccountName,
    signer: PrivateKeySigner,
}

impl fmt::Debug for UnlockedAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UnlockedAccount({}, {})", self.name, self.address())
    }
}

impl UnlockedAccount {
    /// Decrypts an account of this home.
    pub fn unlock(home: &Path, name: &AccountName, passphrase: &str) -> Result<Self, Failure> {
        let signer = Keystore::new(home).unlock(name, passphrase)?;
        Ok(Self { name: name.clone(), signer })
    }

    /// Its name.
    pub fn name(&self) -> &AccountName {
        &self.name
    }

    /// Its address.
    pub fn address(&self) -> Address {
        self.signer.address()
    }

    /// Its key.
    pub fn signer(&self) -> &PrivateKeySigner {
        &self.signer
    }
}

/// A new account and its files.
#[derive(Debug)]
pub struct CreatedAccount {
    pub address: Address,
    pub file: PathBuf,
    pub fingerprint: Fingerprint,
    pub openpgp: PathBuf,
}

/// Creates an account with both keys.
pub fn create(home: &Path, name: &AccountName, passphrase: &str) -> Result<CreatedAccount, Failure> {
    let keystore = Keystore::new(home);
    let signer = keystore.create(name, passphrase)?;
    let identity = identity::open(home, name, passphrase)?;
    Ok(CreatedAccount {
        address: signer.address(),
        file: keystore.path(name),
        fingerprint: identity.fingerprint(),
        openpgp: identity::path(home, name),
    })
}
