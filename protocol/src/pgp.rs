//! OpenPGP (Curve25519 only) for messages that one party seals to another.
//!
//! Messages between programs of this project, bundles and updates, are encrypted with AEAD (RFC 9580): every chunk is
//! authenticated before it is used, and a program recognises such a message before it decrypts anything. The delivered
//! model is encrypted and signed in the older form (RFC 4880), which GnuPG and `sq` read. Keys have that form too.

mod campaign;
mod launch;

pub use campaign::{CampaignCertificate, CampaignKey};
pub use launch::LaunchKey;

use sequoia_openpgp::{
    Cert, KeyHandle, Packet, PacketPile, Profile, Result as PgpResult,
    armor::Kind,
    cert::{CertBuilder, CipherSuite, prelude::ValidKeyAmalgamationIter},
    crypto::{KeyPair, Password, SessionKey},
    packet::{
        PKESK, SEIP, SKESK, Signature,
        key::{PublicParts, UnspecifiedRole},
    },
    parse::{
        Parse,
        stream::{DecryptionHelper, DecryptorBuilder, MessageLayer, MessageStructure, VerificationHelper},
    },
    policy::{Policy, StandardPolicy},
    serialize::{
        Marshal, MarshalInto,
        stream::{Encryptor, LiteralWriter, Message, Recipient, Signer},
    },
    types::{Curve, Features, PublicKeyAlgorithm, RevocationStatus, SymmetricAlgorithm},
};
use std::{
    io::{Read, Write},
    ops::Deref,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use zeroize::Zeroizing;

use crate::{fingerprint::Fingerprint, limits, units::Timestamp};

/// Why an OpenPGP operation failed.
#[derive(Debug, thiserror::Error)]
pub enum PgpError {
    /// It is not a certificate, or not a usable one.
    #[error("this OpenPGP certificate cannot be used: {0}")]
    Certificate(String),
    /// The passphrase of the secret key is wrong.
    #[error("wrong passphrase for the OpenPGP key {0}")]
    WrongPassphrase(Fingerprint),
    /// It is not an OpenPGP message.
    #[error("this is not an OpenPGP message: {0}")]
    NotOpenPgp(String),
    /// It is encrypted in the older form.
    #[error("this OpenPGP message is encrypted without AEAD; make it again with the current version of the program")]
    WithoutAead,
    /// It is not encrypted to this key.
    #[error("this OpenPGP message is not encrypted to {0}")]
    NotForUs(Fingerprint),
    /// Its content is larger than allowed.
    #[error("the OpenPGP message has more than {0} bytes; reading was stopped")]
    TooLarge(usize),
    /// It is not signed by the expected key.
    #[error("the OpenPGP message is not signed by {0}")]
    NotSigned(Fingerprint),
    /// A key or message could not be created.
    #[error("an OpenPGP key or message could not be created: {0}")]
    Make(String),
}

/// A certificate that is valid at a reference time and has only keys on Curve25519.
///
/// The reference time, and not the clock, decides which of its keys a message is encrypted to. So a Capsule that has
/// promised to deliver to a certificate while it was valid can still do so after it has expired.
#[derive(Clone, Debug)]
pub struct Certificate {
    cert: Cert,
    fingerprint: Fingerprint,
    /// The reference time.
    at: SystemTime,
    expires: Option<Timestamp>,
}

impl Certificate {
    /// Parses an untrusted certificate, armoured or not, as of this time.
    ///
    /// # Errors
    /// If it is not a certificate, was expired or revoked at that time, has no key for encryption or for signing, or
    /// has keys of another kind.
    pub fn decode(bytes: &[u8], at: Timestamp) -> Result<Self, PgpError> {
        Self::check(parse(bytes)?.strip_secret_key_material(), at, Purposes::BOTH)
    }

    /// Parses an untrusted certificate that is only used to verify signatures, as of this time.
    ///
    /// # Errors
    /// As [`Self::decode`], except that it needs no key for encryption.
    pub fn decode_signer(bytes: &[u8], at: Timestamp) -> Result<Self, PgpError> {
        Self::check(parse(bytes)?.strip_secret_key_material(), at, Purposes::SIGNING)
    }

    fn check(cert: Cert, at: Timestamp, purposes: Purposes) -> Result<Self, PgpError> {
        let fingerprint = fingerprint(&cert)?;
        let refuse = |reason: String| PgpError::Certificate(format!("{fingerprint}: {reason}"));
        if let Some(key) = cert.keys().find(|key| !on_curve25519(key.key())) {
            return Err(refuse(format!("a key uses {}, but only Curve25519 is supported", key.key().pk_algo())));
        }
        let at = reference_time(&cert, at);
        let mut certificate = Self { cert, fingerprint, at, expires: None };
        let policy = StandardPolicy::at(at);
        let valid = certificate.cert.with_policy(&policy, at).map_err(|error| refuse(error.to_string()))?;
        valid.alive().map_err(|error| refuse(error.to_string()))?;
        if let RevocationStatus::Revoked(_) = valid.revocation_status() {
            return Err(refuse("it is revoked".into()));
        }
        let primary = end(valid.primary_key().key_expiration_time(), valid.primary_key().binding_signature());
        let recipients = certificate.valid_keys(&policy).for_transport_encryption();
        let ends: Vec<_> = recipients.map(|key| end(key.key_expiration_time(), key.binding_signature())).collect();
        if purposes.encryption && ends.is_empty() {
            return Err(refuse("it has no valid key for encryption".into()));
        }
        if purposes.signing && certificate.valid_keys(&policy).for_signing().next().is_none() {
            return Err(refuse("it has no valid key for signing".into()));
        }
        // One recipient key that does not expire is enough; the expiry of the certificate itself applies to all of
        // them.
        let last = ends.into_iter().collect::<Option<Vec<_>>>().and_then(|ends| ends.into_iter().max());
        certificate.expires = [primary, last].into_iter().flatten().min().map(Timestamp::from);
        Ok(certificate)
    }

    /// The keys that are neither expired nor revoked at the certificate's reference time.
    fn valid_keys<'a>(&'a self, policy: &'a dyn Policy) -> ValidKeyAmalgamationIter<'a, PublicParts, UnspecifiedRole> {
        self.cert.keys().with_policy(policy, self.at).supported().alive().revoked(false)
    }

    /// Time of its expiry; `None` if it does not expire.
    #[must_use]
    pub const fn expires(&self) -> Option<Timestamp> {
        self.expires
    }

    /// When its primary key was made.
    #[must_use]
    pub fn created(&self) -> Timestamp {
        self.cert.primary_key().key().creation_time().into()
    }

    /// The certificate in binary form.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        self.cert.to_vec().expect("a parsed certificate can be written to memory")
    }

    /// The certificate as text.
    #[must_use]
    pub fn armored(&self) -> Vec<u8> {
        self.cert.armored().to_vec().expect("a parsed certificate can be written to memory")
    }

    /// Its fingerprint, which names it in manifests and in the registry.
    #[must_use]
    pub const fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }
}

/// What the keys of a certificate must be valid for.
#[derive(Clone, Copy, Debug)]
struct Purposes {
    encryption: bool,
    signing: bool,
}

impl Purposes {
    const BOTH: Self = Self { encryption: true, signing: true };
    const ENCRYPTION: Self = Self { encryption: true, signing: false };
    const SIGNING: Self = Self { encryption: false, signing: true };
}

/// Parses a certificate or secret key, armoured or not.
fn parse(bytes: &[u8]) -> Result<Cert, PgpError> {
    if bytes.len() > limits::CERTIFICATE {
        return Err(PgpError::Certificate(format!("it is larger than {} bytes", limits::CERTIFICATE)));
    }
    Cert::from_bytes(bytes).map_err(|error| PgpError::Certificate(error.to_string()))
}

fn fingerprint(cert: &Cert) -> Result<Fingerprint, PgpError> {
    convert(cert.fingerprint())
}

fn convert(fingerprint: sequoia_openpgp::Fingerprint) -> Result<Fingerprint, PgpError> {
    match fingerprint {
        sequoia_openpgp::Fingerprint::V4(bytes) => Ok(Fingerprint::V4(bytes)),
        sequoia_openpgp::Fingerprint::V6(bytes) => Ok(Fingerprint::V6(bytes)),
        other => Err(PgpError::Certificate(format!("{other}: it is neither of version 4 nor of version 6"))),
    }
}

/// The reference time for a certificate: at least that of its last self-signature, because the clock of a chain may be
/// behind that of the machine that signed it.
fn reference_time(cert: &Cert, at: Timestamp) -> SystemTime {
    let made = |signature: &Signature| signature.signature_creation_time();
    let keys = cert.keys().flat_map(|key| key.self_signatures().filter_map(made).collect::<Vec<_>>());
    let names = cert.userids().flat_map(|name| name.self_signatures().filter_map(made).collect::<Vec<_>>());
    // OpenPGP counts seconds in 32 bits.
    let at = UNIX_EPOCH + Duration::from_secs(at.unix().min(u32::MAX.into()));
    keys.chain(names).fold(at, SystemTime::max)
}

/// Expiry of a key that is bound by this signature, which may itself expire.
fn end(key: Option<SystemTime>, binding: &Signature) -> Option<SystemTime> {
    [key, binding.signature_expiration_time()].into_iter().flatten().min()
}

fn on_curve25519<P, R>(key: &sequoia_openpgp::packet::Key<P, R>) -> bool
where
    P: sequoia_openpgp::packet::key::KeyParts,
    R: sequoia_openpgp::packet::key::KeyRole,
{
    use sequoia_openpgp::crypto::mpi::PublicKey;
    match key.pk_algo() {
        PublicKeyAlgorithm::Ed25519 | PublicKeyAlgorithm::X25519 => true,
        _ => matches!(
            key.mpis(),
            PublicKey::EdDSA { curve: Curve::Ed25519, .. } | PublicKey::ECDH { curve: Curve::Cv25519, .. }
        ),
    }
}

/// Secret keys that open messages.
#[derive(Clone)]
pub struct SecretKeys {
    /// Of the certificate that they belong to.
    fingerprint: Fingerprint,
    pairs: Vec<KeyPair>,
}

impl std::fmt::Debug for SecretKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SecretKeys({})", self.fingerprint)
    }
}

/// An unlocked secret key, with its certificate. It opens the messages that are sealed to the certificate.
pub struct Identity {
    /// With its secrets, which stay encrypted under the passphrase.
    locked: Cert,
    certificate: Certificate,
    keys: SecretKeys,
    signing: KeyPair,
    /// The primary key, unless the owner keeps it elsewhere.
    certification: Option<KeyPair>,
}

impl Deref for Identity {
    type Target = SecretKeys;

    fn deref(&self) -> &SecretKeys {
        &self.keys
    }
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").field("fingerprint", &self.certificate.fingerprint()).finish_non_exhaustive()
    }
}

impl Identity {
    /// Creates a key for signing and encryption, with its secrets encrypted under the passphrase. It does not expire,
    /// because no program would renew it in time.
    ///
    /// # Errors
    /// If the library fails.
    pub fn generate(userid: &str, passphrase: &str) -> Result<Self, PgpError> {
        Self::make(CertBuilder::general_purpose(Some(userid)), passphrase, Purposes::BOTH)
    }

    /// As [`Self::generate`], without a key for encryption. Launch keys and campaign keys take its place.
    ///
    /// # Errors
    /// If the library fails.
    pub fn generate_signer(userid: &str, passphrase: &str) -> Result<Self, PgpError> {
        Self::make(CertBuilder::new().add_userid(userid).add_signing_subkey(), passphrase, Purposes::SIGNING)
    }

    fn make(builder: CertBuilder<'_>, passphrase: &str, purposes: Purposes) -> Result<Self, PgpError> {
        let make = || {
            builder
                .set_cipher_suite(CipherSuite::Cv25519)
                .set_profile(Profile::RFC4880)?
                .set_features(Encryption::Hash.features())?
                .set_validity_period(None)
                .set_password(Some(Password::from(passphrase)))
                .generate()
        };
        let (cert, _) = make().map_err(|error| PgpError::Make(error.to_string()))?;
        Self::unlock(cert, passphrase, purposes)
    }

    /// Parses a secret key, armoured or not: our own or one exported from GnuPG. It may have expired, because it must
    /// still decrypt old messages.
    ///
    /// # Errors
    /// If it is not a secret key of the supported kind, or the passphrase is wrong.
    pub fn load(bytes: &[u8], passphrase: &str) -> Result<Self, PgpError> {
        Self::unlock(parse(bytes)?, passphrase, Purposes::BOTH)
    }

    /// As [`Self::load`], without the keys for encryption that it may have.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn load_signer(bytes: &[u8], passphrase: &str) -> Result<Self, PgpError> {
        let signer = parse(bytes)?.retain_subkeys(|key| !key.key().pk_algo().for_encryption());
        Self::unlock(signer, passphrase, Purposes::SIGNING)
    }

    fn unlock(locked: Cert, passphrase: &str, purposes: Purposes) -> Result<Self, PgpError> {
        if locked.keys().unencrypted_secret().next().is_some() {
            let reason = "its secret has no passphrase; set one first, for example with `gpg --change-passphrase`";
            return Err(PgpError::Certificate(reason.into()));
        }
        // As of its last self-signature, when it had not expired.
        let certificate = Certificate::check(locked.clone().strip_secret_key_material(), Timestamp::EPOCH, purposes)?;
        let policy = StandardPolicy::at(certificate.at);
        let password = Password::from(passphrase);
        let open = |key: sequoia_openpgp::packet::Key<_, _>| {
            key.decrypt_secret(&password)
                .and_then(sequoia_openpgp::packet::Key::into_keypair)
                .map_err(|_| PgpError::WrongPassphrase(certificate.fingerprint()))
        };
        let keys = || locked.keys().with_policy(&policy, certificate.at).supported().secret();
        let opened: Vec<_> = keys().for_transport_encryption().map(|key| open(key.key().clone())).collect();
        // A replaced subkey may have an older passphrase, or be missing.
        let pairs = if opened.iter().any(Result::is_ok) {
            opened.into_iter().flatten().collect()
        } else {
            opened.into_iter().collect::<Result<Vec<_>, _>>()?
        };
        let signing = keys().alive().revoked(false).for_signing().next().map(|key| open(key.key().clone()));
        let signing = signing.ok_or_else(|| PgpError::Certificate("it has no secret key for signing".into()))??;
        if purposes.encryption && pairs.is_empty() {
            return Err(PgpError::Certificate("it has no secret key for decryption".into()));
        }
        let certification = keys().for_certification().next().and_then(|key| open(key.key().clone()).ok());
        let keys = SecretKeys { fingerprint: certificate.fingerprint(), pairs };
        Ok(Self { locked, certificate, keys, signing, certification })
    }

    /// The primary key, which certifies subkeys and other certificates.
    fn certifier(&self) -> Result<KeyPair, PgpError> {
        let missing = || PgpError::Make(format!("the secret of the primary key of {} is missing", self.fingerprint()));
        self.certification.clone().ok_or_else(missing)
    }

    /// The secret key as text, encrypted under the passphrase that it was created or loaded with. `gpg --import`
    /// accepts it.
    #[must_use]
    pub fn export_secret_armored(&self) -> Vec<u8> {
        let mut text = Vec::new();
        let written = (|| -> PgpResult<()> {
            let mut writer = sequoia_openpgp::armor::Writer::new(&mut text, Kind::SecretKey)?;
            self.locked.as_tsk().serialize(&mut writer)?;
            writer.finalize()?;
            Ok(())
        })();
        debug_assert!(written.is_ok(), "writing to memory does not fail");
        text
    }

    /// The public certificate.
    #[must_use]
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// The fingerprint of its certificate.
    #[must_use]
    pub const fn fingerprint(&self) -> Fingerprint {
        self.certificate.fingerprint()
    }
}

/// How a message is encrypted, whatever features a certificate announces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encryption {
    /// With AEAD: version 2 of the encrypted packet (RFC 9580, section 5.13.2).
    Aead,
    /// With a hash inside: version 1 of the encrypted packet (section 5.13.1), the only one that GnuPG supports.
    Hash,
}

impl Encryption {
    fn features(self) -> Features {
        match self {
            Self::Aead => Features::empty().set_seipdv2(),
            Self::Hash => Features::empty().set_seipdv1(),
        }
    }

    /// The name of a recipient's key in a message.
    fn handle(self, key: &sequoia_openpgp::packet::Key<PublicParts, UnspecifiedRole>) -> KeyHandle {
        match self {
            Self::Aead => key.fingerprint().into(),
            Self::Hash => key.keyid().into(),
        }
    }
}

/// Encrypts with AEAD to the keys of each certificate that were valid at its reference time. Each recipient can open the
/// message alone, and sees how many there are.
///
/// # Errors
/// If there is no recipient, or the library fails.
pub fn seal(plaintext: &[u8], recipients: &[&Certificate]) -> Result<Vec<u8>, PgpError> {
    write_message(plaintext, recipients, Encryption::Aead, None)
}

/// Encrypts in the form that GnuPG supports, and signs inside.
///
/// # Errors
/// If the library fails.
pub fn seal_signed(plaintext: &[u8], recipient: &Certificate, signer: &Identity) -> Result<Vec<u8>, PgpError> {
    write_message(plaintext, &[recipient], Encryption::Hash, Some(signer))
}

fn write_message(
    plaintext: &[u8],
    recipients: &[&Certificate],
    encryption: Encryption,
    signer: Option<&Identity>,
) -> Result<Vec<u8>, PgpError> {
    if recipients.is_empty() {
        return Err(PgpError::Make("a message needs a recipient".into()));
    }
    let policies: Vec<_> = recipients.iter().map(|recipient| StandardPolicy::at(recipient.at)).collect();
    let mut sealed = Vec::with_capacity(plaintext.len() + 1024);
    let mut write = || -> PgpResult<()> {
        let keys = recipients
            .iter()
            .zip(&policies)
            .flat_map(|(recipient, policy)| recipient.valid_keys(policy).for_transport_encryption());
        let recipients = keys.map(|key| Recipient::new(encryption.features(), encryption.handle(key.key()), key.key()));
        let message = Encryptor::for_recipients(Message::new(&mut sealed), recipients).build()?;
        let message = match signer {
            Some(signer) => Signer::new(message, signer.signing.clone())?.build()?,
            None => message,
        };
        let mut literal = LiteralWriter::new(message).build()?;
        literal.write_all(plaintext)?;
        literal.finalize()
    };
    write().map_err(|error| PgpError::Make(error.to_string()))?;
    Ok(sealed)
}

/// Decrypts a message with AEAD to these keys of at most `limit` bytes; ignores a signature.
///
/// # Errors
/// If it is not an OpenPGP message with AEAD, not for these keys, tampered with, or too large.
pub fn open(sealed: &[u8], keys: &SecretKeys, limit: usize) -> Result<Zeroizing<Vec<u8>>, PgpError> {
    if check_frame(sealed)? != Encryption::Aead {
        return Err(PgpError::WithoutAead);
    }
    read_message(sealed, keys, None, limit)
}

/// Decrypts a message in either form that must be signed by `signer`.
///
/// # Errors
/// As [`open`], and if the signature is missing, wrong, or by another key.
pub fn open_verified(
    sealed: &[u8],
    keys: &SecretKeys,
    signer: &Certificate,
    limit: usize,
) -> Result<Zeroizing<Vec<u8>>, PgpError> {
    check_frame(sealed)?;
    read_message(sealed, keys, Some(signer), limit)
}

fn read_message(
    sealed: &[u8],
    keys: &SecretKeys,
    signer: Option<&Certificate>,
    limit: usize,
) -> Result<Zeroizing<Vec<u8>>, PgpError> {
    let policy = StandardPolicy::new();
    let helper = Helper { keys, signer, opened: false };
    let builder = DecryptorBuilder::from_bytes(sealed).map_err(|error| PgpError::NotOpenPgp(error.to_string()))?;
    let mut decryptor = builder.with_policy(&policy, None, helper).map_err(|error| refusal(&error, keys, signer))?;
    let mut plaintext = Zeroizing::new(Vec::with_capacity(sealed.len().min(limit)));
    let mut limited = (&mut decryptor).take(limit as u64 + 1);
    if let Err(error) = limited.read_to_end(&mut plaintext) {
        return Err(refusal(&error.into(), keys, signer));
    }
    if plaintext.len() > limit {
        return Err(PgpError::TooLarge(limit));
    }
    // A message without encryption has no secret to protect, but the protocol never sends one.
    if !decryptor.helper_ref().opened {
        return Err(PgpError::NotForUs(keys.fingerprint));
    }
    Ok(plaintext)
}

/// Minimum size in bytes of an encrypted packet with a hash: a random block with two bytes repeated, and the packet with
/// the digest. The library panics on less.
const LEAST_WITH_HASH: usize = 1 + 16 + 2 + 22;
/// Minimum size in bytes of an encrypted packet with AEAD: version, algorithms, chunk size, salt, and two digests.
const LEAST_WITH_AEAD: usize = 4 + 32 + 2 * 16;

/// Checks the structure of a message, without decrypting anything: session keys encrypted to OpenPGP keys, then one
/// encrypted packet.
fn check_frame(sealed: &[u8]) -> Result<Encryption, PgpError> {
    let not = |reason: &str| Err(PgpError::NotOpenPgp(reason.into()));
    let packets = match PacketPile::from_bytes(sealed) {
        Ok(pile) => pile.into_children().collect::<Vec<_>>(),
        Err(error) => return not(&error.to_string()),
    };
    let Some((Packet::SEIP(encrypted), keys)) = packets.split_last() else {
        return not("it is truncated, or not encrypted");
    };
    if keys.is_empty() || keys.iter().any(|key| !matches!(key, Packet::PKESK(_))) {
        return not("it is not encrypted to an OpenPGP key");
    }
    let (encryption, least) = match encrypted {
        SEIP::V1(_) => (Encryption::Hash, LEAST_WITH_HASH),
        SEIP::V2(_) => (Encryption::Aead, LEAST_WITH_AEAD),
        _ => return not("its encrypted packet has an unknown version"),
    };
    if encrypted.serialized_len() < least { not("it is truncated") } else { Ok(encryption) }
}

fn refusal(error: &sequoia_openpgp::anyhow::Error, keys: &SecretKeys, signer: Option<&Certificate>) -> PgpError {
    let chain = || error.chain().find_map(|cause| cause.downcast_ref::<HelperError>());
    match (chain(), signer) {
        (Some(HelperError::NotForUs), _) => PgpError::NotForUs(keys.fingerprint),
        (Some(HelperError::NotSigned), Some(signer)) => PgpError::NotSigned(signer.fingerprint()),
        _ => PgpError::NotOpenPgp(error.to_string()),
    }
}

/// Input and result of the library's callbacks.
#[derive(Debug, thiserror::Error)]
enum HelperError {
    #[error("not encrypted to this key")]
    NotForUs,
    #[error("not signed by the expected key")]
    NotSigned,
}

struct Helper<'a> {
    keys: &'a SecretKeys,
    signer: Option<&'a Certificate>,
    opened: bool,
}

impl DecryptionHelper for Helper<'_> {
    fn decrypt(
        &mut self,
        pkesks: &[PKESK],
        _skesks: &[SKESK],
        algorithm: Option<SymmetricAlgorithm>,
        decrypt: &mut dyn FnMut(Option<SymmetricAlgorithm>, &SessionKey) -> bool,
    ) -> PgpResult<Option<Cert>> {
        for key in &self.keys.pairs {
            for pkesk in pkesks {
                let ours = pkesk.recipient().is_none_or(|handle| handle.aliases(key.public().key_handle()));
                let session = ours.then(|| pkesk.decrypt(&mut key.clone(), algorithm)).flatten();
                if session.is_some_and(|(algorithm, session)| decrypt(algorithm, &session)) {
                    self.opened = true;
                    return Ok(None);
                }
            }
        }
        Err(HelperError::NotForUs.into())
    }
}

impl VerificationHelper for Helper<'_> {
    fn get_certs(&mut self, _ids: &[KeyHandle]) -> PgpResult<Vec<Cert>> {
        Ok(self.signer.map(|signer| signer.cert.clone()).into_iter().collect())
    }

    fn check(&mut self, structure: MessageStructure<'_>) -> PgpResult<()> {
        if self.signer.is_none() {
            return Ok(());
        }
        let good = structure.into_iter().any(|layer| match layer {
            MessageLayer::SignatureGroup { results } => results.iter().any(Result::is_ok),
            _ => false,
        });
        if good { Ok(()) } else { Err(HelperError::NotSigned.into()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::{process::Command, sync::LazyLock};

    static ANNA: LazyLock<Identity> = LazyLock::new(|| Identity::generate("anna", "a").unwrap());
    static BERT: LazyLock<Identity> = LazyLock::new(|| Identity::generate("bert", "b").unwrap());

    #[test]
    fn only_the_recipient_opens_and_only_the_signer_signs() {
        let sealed = seal_signed(b"model", ANNA.certificate(), &BERT).unwrap();
        assert_eq!(&**open_verified(&sealed, &ANNA, BERT.certificate(), 100).unwrap(), b"model");
        assert!(matches!(open_verified(&sealed, &BERT, BERT.certificate(), 100), Err(PgpError::NotForUs(_))));
        assert!(matches!(open_verified(&sealed, &ANNA, ANNA.certificate(), 100), Err(PgpError::NotSigned(_))));
        let unsigned = seal(b"model", &[ANNA.certificate()]).unwrap();
        assert!(matches!(open_verified(&unsigned, &ANNA, BERT.certificate(), 100), Err(PgpError::NotSigned(_))));
        assert_eq!(&**open(&unsigned, &ANNA, 100).unwrap(), b"model");
        assert!(matches!(open(&unsigned, &BERT, 100), Err(PgpError::NotForUs(_))));
        assert!(matches!(open(&unsigned, &ANNA, 4), Err(PgpError::TooLarge(4))));
    }

    #[test]
    fn a_key_survives_export_and_needs_its_passphrase() {
        let text = ANNA.export_secret_armored();
        assert!(String::from_utf8_lossy(&text).contains("BEGIN PGP PRIVATE KEY BLOCK"));
        let again = Identity::load(&text, "a").unwrap();
        assert_eq!(again.fingerprint(), ANNA.fingerprint());
        assert!(matches!(Identity::load(&text, "wrong"), Err(PgpError::WrongPassphrase(_))));
        let certificate = Certificate::decode(&ANNA.certificate().encode(), Timestamp::EPOCH).unwrap();
        assert_eq!(certificate.encode(), ANNA.certificate().encode());
        assert_eq!(certificate.expires(), None, "no program would renew it");
        assert_eq!(certificate.fingerprint().word()[20..], [0; 12]);
    }

    #[test]
    fn what_was_valid_once_is_sealed_to_after_it_has_expired() {
        // A week in 2020.
        let (made, week) = (1_577_836_800, 604_800);
        let expired = Identity::load(&testkit::openpgp::expiring("e", made, week), "e").unwrap();
        let bytes = expired.certificate().encode();
        let at = Timestamp::from_unix;
        for time in [made, made + week - 1] {
            let certificate = Certificate::decode(&bytes, at(time)).unwrap();
            assert_eq!(certificate.expires(), Some(at(made + week)));
            let sealed = seal_signed(b"model", &certificate, &BERT).unwrap();
            assert_eq!(&**open_verified(&sealed, &expired, BERT.certificate(), 100).unwrap(), b"model");
        }
        let error = Certificate::decode(&bytes, at(made + week)).unwrap_err().to_string();
        assert!(error.contains(&expired.fingerprint().to_string()), "{error}");
        // If the clock of the chain is behind, the reference time is the creation of the key.
        assert_eq!(Certificate::decode(&bytes, at(made - 3_600)).unwrap().expires(), Some(at(made + week)));
    }

    #[test]
    fn other_curves_are_refused() {
        let make = CertBuilder::general_purpose(Some("nist")).set_cipher_suite(CipherSuite::P256);
        let (cert, _) = make.generate().unwrap();
        let error = Certificate::decode(&cert.to_vec().unwrap(), Timestamp::EPOCH).unwrap_err().to_string();
        assert!(error.contains("only Curve25519"), "{error}");
    }

    #[test]
    fn one_changed_byte_is_noticed() {
        let sealed = seal(&[7; 3000], &[ANNA.certificate()]).unwrap();
        for at in [200, 1000, sealed.len() - 1] {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(open(&changed, &ANNA, 10_000).is_err(), "byte {at}");
        }
    }

    /// The packet with the session key of a message.
    fn session_key(sealed: &[u8]) -> Vec<u8> {
        let packets = PacketPile::from_bytes(sealed).unwrap();
        Packet::clone(packets.path_ref(&[0]).unwrap()).to_vec().unwrap()
    }

    #[test]
    fn no_part_of_a_message_is_a_message() {
        let opened = |sealed: &[u8]| open(sealed, &ANNA, 100);
        let verified = |sealed: &[u8]| open_verified(sealed, &ANNA, BERT.certificate(), 100);
        let (new, old) =
            (seal(b"model", &[ANNA.certificate()]).unwrap(), seal_signed(b"model", ANNA.certificate(), &BERT).unwrap());
        for cut in 0..new.len() {
            assert!(matches!(opened(&new[..cut]), Err(PgpError::NotOpenPgp(_))), "{cut}");
        }
        for cut in 0..old.len() {
            assert!(matches!(verified(&old[..cut]), Err(PgpError::NotOpenPgp(_))), "{cut}");
        }
        // Well-formed outside but too short inside, which a sender who knows the session key can create.
        for length in 0..100_u8 {
            let body = vec![7; length.into()];
            let stump = |sealed: &[u8], header: &[u8]| {
                let length = u8::try_from(header.len()).unwrap() + length;
                [&session_key(sealed)[..], &[0xd2, length], header, &body].concat()
            };
            assert!(verified(&stump(&old, &[1])).is_err(), "{length}");
            // AES-128 and GCM in chunks of 64 bytes.
            assert!(opened(&stump(&new, &[2, 7, 3, 0])).is_err(), "{length}");
        }
    }

    /// So that another Capsule, which executes a campaign again, can get bundle and updates.
    #[test]
    fn each_of_several_recipients_opens_the_message_alone() {
        let sealed = seal(b"model", &[ANNA.certificate(), BERT.certificate()]).unwrap();
        for recipient in [&*ANNA, &*BERT] {
            assert_eq!(&**open(&sealed, recipient, 100).unwrap(), b"model");
        }
        let stranger = Identity::generate("Stranger", "s").unwrap();
        assert!(matches!(open(&sealed, &stranger, 100), Err(PgpError::NotForUs(_))));
        assert!(matches!(seal(b"model", &[]), Err(PgpError::Make(_))));
    }

    #[test]
    fn a_message_without_aead_is_refused_before_it_is_decrypted() {
        let older = |plain: &[u8], recipient: &Identity| {
            write_message(plain, &[recipient.certificate()], Encryption::Hash, None).unwrap()
        };
        let ours = older(b"model", &ANNA);
        // What could be learnt only with the secret key makes no difference.
        let mut damaged = ours.clone();
        *damaged.last_mut().unwrap() ^= 1;
        for sealed in [ours, damaged, older(b"model", &BERT)] {
            assert!(matches!(open(&sealed, &ANNA, 100), Err(PgpError::WithoutAead)));
        }
        let signed = seal_signed(b"model", ANNA.certificate(), &BERT).unwrap();
        assert!(matches!(open(&signed, &ANNA, 100), Err(PgpError::WithoutAead)));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn no_bytes_make_reading_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(open(&bytes, &ANNA, 100).is_err());
            prop_assert!(Certificate::decode(&bytes, Timestamp::EPOCH).is_err());
        }

        #[test]
        fn no_change_makes_reading_panic(at in 0usize..400, change in 1u8..=255) {
            static SEALED: LazyLock<Vec<u8>> = LazyLock::new(|| seal(b"model", &[ANNA.certificate()]).unwrap());
            let mut sealed = SEALED.clone();
            let at = at % sealed.len();
            sealed[at] ^= change;
            // X25519 ignores the top bit of a public key (RFC 7748, section 5), so that this one change decrypts to the
            // same text.
            if let Ok(text) = open(&sealed, &ANNA, 100) {
                prop_assert_eq!((change, text.as_slice()), (128, &b"model"[..]), "byte {} of {}", at, sealed.len());
            }
        }
    }

    #[test]
    fn a_secret_key_in_the_clear_is_refused() {
        let (cert, _) =
            CertBuilder::general_purpose(Some("bare")).set_cipher_suite(CipherSuite::Cv25519).generate().unwrap();
        let error = Identity::load(&cert.as_tsk().to_vec().unwrap(), "").unwrap_err().to_string();
        assert!(error.contains("has no passphrase"), "{error}");
    }

    /// GnuPG imports our key, and decrypts and verifies our message. We decrypt its message unless it is compressed,
    /// because a small message could expand to a large one.
    #[test]
    fn gnupg_understands_us_and_we_understand_it() {
        if Command::new("gpg").arg("--version").output().is_err() {
            assert!(std::env::var_os("CI").is_none(), "CI must have GnuPG");
            eprintln!("skipped: GnuPG is not on this machine (Debian: apt-get install gnupg)");
            return;
        }
        let home = tempfile::tempdir().unwrap();
        let run = |args: &[&str]| {
            let mut command = Command::new("gpg");
            command.args([
                "--batch",
                "--yes",
                "--pinentry-mode",
                "loopback",
                "--passphrase",
                "a",
                "--trust-model",
                "always",
            ]);
            let output = command.arg("--homedir").arg(home.path()).args(args).output();
            let output = output.expect("this test needs GnuPG: apt-get install gnupg");
            let text = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success(), "gpg {args:?}: {text}");
            (output.stdout, text)
        };
        let file = |name: &str, bytes: &[u8]| {
            let path = home.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            path.to_str().unwrap().to_owned()
        };
        run(&["--import", &file("anna.asc", &ANNA.export_secret_armored())]);
        run(&["--import", &file("bert.asc", &BERT.certificate().armored())]);
        let ours = file("ours.pgp", &seal_signed(b"the model", ANNA.certificate(), &BERT).unwrap());
        let (plain, text) = run(&["--decrypt", &ours]);
        assert_eq!(plain, b"the model");
        assert!(text.contains("Good signature"), "{text}");
        let clear = file("clear", b"from gpg");
        let theirs = |compression: &str, clear: &str| {
            let sealing = ["--output", "-", "-u", "anna", "-r", "anna", "--sign", "--encrypt", clear];
            run(&[["--compress-algo", compression].as_slice(), &sealing].concat()).0
        };
        let plain = theirs("none", &clear);
        assert_eq!(&**open_verified(&plain, &ANNA, ANNA.certificate(), 100).unwrap(), b"from gpg");
        assert!(matches!(open_verified(&plain, &ANNA, BERT.certificate(), 100), Err(PgpError::NotSigned(_))));
        let bomb = theirs("zip", &file("zeros", &[0; 1 << 20]));
        assert!(bomb.len() < 1 << 14);
        let error = open_verified(&bomb, &ANNA, ANNA.certificate(), 2 << 20).unwrap_err();
        assert!(matches!(error, PgpError::NotOpenPgp(_)), "{error}");
        let mut stop = Command::new("gpgconf");
        let _ = stop.arg("--homedir").arg(home.path()).args(["--kill", "gpg-agent"]).status();
    }
}
