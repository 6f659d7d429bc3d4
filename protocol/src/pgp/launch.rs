//! Launch keys: subkeys of a Capsule's certificate that bundles are sealed to. A launch key is replaced after some time,
//! and destroyed when the last campaign that may use it is decided, so that nothing that the Capsule keeps opens a bundle
//! later.

use std::{ops::Deref, time::Duration};

use sequoia_openpgp::{
    Cert, Packet,
    packet::{
        Key,
        key::{Key4, SecretParts, SubordinateRole},
        signature::SignatureBuilder,
    },
    parse::Parse,
    serialize::MarshalInto,
    types::{Curve, KeyFlags, SignatureType},
};
use zeroize::Zeroizing;

use super::{Certificate, Identity, PgpError, PgpResult, Purposes, SecretKeys, convert, fingerprint, reference_time};
use crate::{fingerprint::Fingerprint, units::Timestamp};

/// A launch key with its secret, and the public parts of the Capsule's certificate.
#[derive(Clone, Debug)]
pub struct LaunchKey {
    cert: Cert,
    subkey: Fingerprint,
    keys: SecretKeys,
}

impl Deref for LaunchKey {
    type Target = SecretKeys;

    fn deref(&self) -> &SecretKeys {
        &self.keys
    }
}

impl LaunchKey {
    /// Creates a launch key of this Capsule, which is valid for some time. It is not older than the Capsule's own key,
    /// because the clock of a chain may be behind that of the machine.
    ///
    /// # Errors
    /// When the library fails, or the Capsule's primary key has no secret.
    pub fn generate(capsule: &Identity, made_at: Timestamp, valid: Duration) -> Result<Self, PgpError> {
        let mut certifier = capsule.certifier()?;
        let mut make = || -> PgpResult<Vec<u8>> {
            let made_at = reference_time(&capsule.certificate.cert, made_at);
            let mut key: Key<SecretParts, SubordinateRole> = Key4::generate_ecc(false, Curve::Cv25519)?.into();
            key.set_creation_time(made_at)?;
            let builder = SignatureBuilder::new(SignatureType::SubkeyBinding)
                .set_signature_creation_time(made_at)?
                .set_key_flags(KeyFlags::empty().set_transport_encryption())?
                .set_key_validity_period(valid)?;
            let cert = capsule.certificate.cert.clone();
            let binding = key.bind(&mut certifier, &cert, builder)?;
            let (cert, _) = cert.insert_packets([Packet::from(key), Packet::from(binding)])?;
            cert.as_tsk().to_vec()
        };
        let bytes = Zeroizing::new(make().map_err(|error| PgpError::Make(error.to_string()))?);
        Self::decode(&bytes)
    }

    /// Decodes the output of [`Self::encode`].
    ///
    /// # Errors
    /// When it is not a launch key.
    pub fn decode(bytes: &[u8]) -> Result<Self, PgpError> {
        let invalid = |error: &dyn std::fmt::Display| PgpError::Certificate(error.to_string());
        let cert = Cert::from_bytes(bytes).map_err(|error| invalid(&error))?;
        let secrets: Vec<_> = cert.keys().subkeys().unencrypted_secret().collect();
        let [secret] = secrets.as_slice() else {
            return Err(invalid(&"a launch key is one subkey with its secret"));
        };
        let pair = secret.key().clone().into_keypair().map_err(|error| invalid(&error))?;
        let subkey = convert(secret.key().fingerprint())?;
        let keys = SecretKeys { fingerprint: fingerprint(&cert)?, pairs: vec![pair] };
        Ok(Self { cert, subkey, keys })
    }

    /// The fingerprint of the subkey, which distinguishes it from the other launch keys.
    #[must_use]
    pub const fn subkey(&self) -> Fingerprint {
        self.subkey
    }

    /// The secret key for the vault, which encrypts it.
    ///
    /// # Errors
    /// When the library fails.
    pub fn encode(&self) -> Result<Zeroizing<Vec<u8>>, PgpError> {
        let bytes = self.cert.as_tsk().to_vec();
        bytes.map(Zeroizing::new).map_err(|error| PgpError::Make(error.to_string()))
    }
}

impl Certificate {
    /// The Capsule's certificate with the public parts of its launch keys, as of this time. Bundles are sealed to the
    /// launch keys that are valid then.
    ///
    /// # Errors
    /// When a launch key belongs to another certificate, or none is valid.
    pub fn with_launch_keys(&self, keys: &[LaunchKey], at: Timestamp) -> Result<Self, PgpError> {
        let merged = keys.iter().try_fold(self.cert.clone(), |cert, key| cert.merge_public(key.cert.clone()));
        let merged = merged.map_err(|error| PgpError::Certificate(error.to_string()))?;
        Self::check(merged.strip_secret_key_material(), at, Purposes::BOTH)
    }
}

impl SecretKeys {
    /// The launch keys of a Capsule as one, to open a bundle with the key that it was sealed to.
    #[must_use]
    pub fn of_launch_keys(capsule: &Certificate, keys: &[LaunchKey]) -> Self {
        Self { fingerprint: capsule.fingerprint(), pairs: keys.iter().flat_map(|key| key.keys.pairs.clone()).collect() }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::LazyLock,
        time::{SystemTime, UNIX_EPOCH},
    };

    use super::*;
    use crate::pgp;

    static CAPSULE: LazyLock<Identity> = LazyLock::new(|| Identity::generate_signer("capsule", "c").unwrap());
    const WEEK: Duration = Duration::from_secs(604_800);

    /// A time after the creation of the Capsule's key.
    fn now() -> Timestamp {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        Timestamp::from_unix(now.as_secs() + 60)
    }

    #[test]
    fn a_bundle_is_opened_by_the_launch_key_that_it_was_sealed_to_and_by_no_other() {
        let start = now();
        let first = LaunchKey::generate(&CAPSULE, start, WEEK * 2).unwrap();
        let certificate = CAPSULE.certificate().with_launch_keys(std::slice::from_ref(&first), start).unwrap();
        assert_eq!(certificate.fingerprint(), CAPSULE.fingerprint(), "the registered one");
        let read = Certificate::decode(&certificate.encode(), start).unwrap();
        let sealed = pgp::seal(b"bundle", &[&read]).unwrap();
        let restored = LaunchKey::decode(&first.encode().unwrap()).unwrap();
        assert_eq!(&**pgp::open(&sealed, &restored, 100).unwrap(), b"bundle");

        let second = LaunchKey::generate(&CAPSULE, start.plus(604_800_u64), WEEK * 2).unwrap();
        let both = SecretKeys::of_launch_keys(CAPSULE.certificate(), &[second.clone(), first]);
        assert_eq!(&**pgp::open(&sealed, &both, 100).unwrap(), b"bundle");
        // The first one is destroyed.
        assert!(matches!(pgp::open(&sealed, &second, 100), Err(PgpError::NotForUs(_))));
        assert!(matches!(pgp::open(&sealed, &CAPSULE, 100), Err(PgpError::NotForUs(_))));
    }

    #[test]
    fn the_chains_clock_may_be_behind_the_machines() {
        let late = Timestamp::from_unix(1_500_000_000);
        let key = LaunchKey::generate(&CAPSULE, late, WEEK).unwrap();
        let certificate = CAPSULE.certificate().with_launch_keys(&[key], late).unwrap();
        Certificate::decode(&certificate.encode(), late).unwrap();
    }

    /// Earlier versions of the Capsule had one key for encryption, for ever.
    #[test]
    fn a_signer_keeps_no_key_for_encryption() {
        let older = Identity::generate("capsule", "c").unwrap();
        let bundle = pgp::seal(b"bundle", &[older.certificate()]).unwrap();
        let signer = Identity::load_signer(&older.export_secret_armored(), "c").unwrap();
        assert_eq!(signer.fingerprint(), older.fingerprint());
        assert!(pgp::open(&bundle, &signer, 100).is_err());
        assert!(Identity::load(&signer.export_secret_armored(), "c").is_err(), "it is not exported either");
        let key = LaunchKey::generate(&signer, now(), WEEK).unwrap();
        let certificate = signer.certificate().with_launch_keys(std::slice::from_ref(&key), now()).unwrap();
        let bundle = pgp::seal(b"bundle", &[&certificate]).unwrap();
        assert!(pgp::open(&bundle, &older, 100).is_err(), "nobody seals to it");
        assert_eq!(&**pgp::open(&bundle, &key, 100).unwrap(), b"bundle");
    }

    #[test]
    fn nobody_seals_to_a_launch_key_that_has_expired() {
        let start = now();
        let key = LaunchKey::generate(&CAPSULE, start, WEEK).unwrap();
        let certificate = CAPSULE.certificate().with_launch_keys(&[key], start).unwrap().encode();
        Certificate::decode(&certificate, start.plus(604_799_u64)).unwrap();
        let late = start.plus(604_800_u64);
        let error = Certificate::decode(&certificate, late).unwrap_err().to_string();
        assert!(error.contains("no valid key for encryption"), "{error}");
        // Its signatures are still verified.
        assert_eq!(Certificate::decode_signer(&certificate, late).unwrap().fingerprint(), CAPSULE.fingerprint());
    }

    #[test]
    fn the_vault_gets_only_the_secret_of_the_launch_key() {
        let key = LaunchKey::generate(&CAPSULE, now(), WEEK).unwrap();
        let stored = Cert::from_bytes(&*key.encode().unwrap()).unwrap();
        assert_eq!(stored.keys().secret().count(), 1);
        let bare = CAPSULE.certificate().encode();
        assert!(LaunchKey::decode(&bare).is_err());
    }

    #[test]
    fn a_launch_key_of_another_capsule_is_refused() {
        let other = Identity::generate_signer("other", "o").unwrap();
        let key = LaunchKey::generate(&other, now(), WEEK).unwrap();
        assert!(CAPSULE.certificate().with_launch_keys(&[key], now()).is_err());
    }
}
