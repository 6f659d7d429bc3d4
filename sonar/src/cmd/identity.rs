//! The OpenPGP key of an account: `<home>/openpgp/NAME.asc`, under the account's passphrase.

use std::path::PathBuf;

use sonar_node::{
    account::AccountName,
    cli::Failure,
    files::{self, Access},
};
use sonar_protocol::{limits, pgp::Identity};

use super::Context;

/// Path of an account's OpenPGP key.
pub fn path(context: &Context, name: &AccountName) -> PathBuf {
    context.home.join("openpgp").join(format!("{name}.asc"))
}

/// Reads the key of an account; creates it on first use.
pub fn open(context: &Context, name: &AccountName, passphrase: &str) -> Result<Identity, Failure> {
    let path = path(context, name);
    if path.exists() {
        let bytes = files::read_limited(&path, limits::CERTIFICATE as u64)?;
        return Ok(Identity::load(&bytes, passphrase)?);
    }
    let identity = Identity::generate(&format!("{name} (sonar)"), passphrase)?;
    files::private_directory(&context.home.join("openpgp"))?;
    files::write_atomic(&path, &identity.export_secret_armored(), Access::Private)?;
    Ok(identity)
}
