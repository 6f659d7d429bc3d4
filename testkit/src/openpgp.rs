//! OpenPGP keys that expire. No program of this project creates them, but users may have them.

use std::time::{Duration, UNIX_EPOCH};

use sequoia_openpgp::{
    Profile,
    cert::{CertBuilder, CipherSuite},
    serialize::MarshalInto,
};

/// A secret key under this passphrase, created at this unix time and valid for this number of seconds.
pub fn expiring(passphrase: &str, made: u64, seconds: u64) -> Vec<u8> {
    let builder = CertBuilder::general_purpose(Some("expiring")).set_cipher_suite(CipherSuite::Cv25519);
    let builder = builder.set_profile(Profile::RFC4880).unwrap().set_password(Some(passphrase.into()));
    let builder = builder.set_creation_time(UNIX_EPOCH + Duration::from_secs(made));
    let (cert, _) = builder.set_validity_period(Duration::from_secs(seconds)).generate().unwrap();
    cert.as_tsk().to_vec().unwrap()
}
