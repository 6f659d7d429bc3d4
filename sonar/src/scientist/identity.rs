//! The OpenPGP key of an account: `<home>/openpgp/NAME.asc`, under the account's passphrase.

use std::path::{Path, PathBuf};

use sonar_node::{
    account::AccountName,
    cli::Failure,
    files::{self, Access},
};
use sonar_protocol::{
    fingerprint::Fingerprint,
    limits,
    pgp::{Certificate, Identity},
    units::Timestamp,
};

/// Path of an account's OpenPGP key.
pub fn path(home: &Path, name: &AccountName) -> PathBuf {
    home.join("openpgp").join(format!("{name}.asc"))
}

/// Reads the key of an account; creates it on first use.
pub fn open(home: &Path, name: &AccountName, passphrase: &str) -> Result<Identity, Failure> {
    let path = path(home, name);
    if path.exists() {
        let bytes = files::read_limited(&path, limits::CERTIFICATE as u64)?;
        return Ok(Identity::load(&bytes, passphrase)?);
    }
    let identity = Identity::generate(&format!("{name} (sonar)"), passphrase)?;
    files::private_directory(&home.join("openpgp"))?;
    files::write_atomic(&path, &identity.export_secret_armored(), Access::Private)?;
    Ok(identity)
}

/// Fingerprint of an account's key, which is readable without the passphrase; `None` if it has no valid key yet.
pub fn fingerprint(home: &Path, name: &AccountName) -> Option<Fingerprint> {
    let bytes = files::read_limited(&path(home, name), limits::CERTIFICATE as u64).ok()?;
    Some(Certificate::decode(&bytes, Timestamp::EPOCH).ok()?.fingerprint())
}
