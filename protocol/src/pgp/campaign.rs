//! The key of one campaign. Updates are sealed to it, and it is destroyed after the last settlement, so that nothing that
//! the Capsule keeps opens an update later.
//!
//! The Capsule certifies the key with its own certificate, under a name that contains the campaign's id. A Mine seals
//! only to a certificate that passes [`CampaignCertificate::decode`].

use std::ops::Deref;

use sequoia_openpgp::{
    Cert, Packet, Profile,
    cert::{CertBuilder, CipherSuite},
    packet::UserID,
    parse::Parse,
    policy::{HashAlgoSecurity, Policy, StandardPolicy},
    serialize::MarshalInto,
    types::SignatureType,
};
use zeroize::Zeroizing;

use super::{Certificate, Encryption, Identity, PgpError, PgpResult, Purposes, SecretKeys, fingerprint, parse};
use crate::{ids::CampaignId, units::Timestamp};

/// The name of a campaign's key.
fn name(campaign: CampaignId) -> String {
    format!("Sonar campaign {campaign}")
}

/// The secret key of a campaign.
#[derive(Clone, Debug)]
pub struct CampaignKey {
    /// With the secret of the key for decryption only: nothing else is ever signed with the others.
    cert: Cert,
    keys: SecretKeys,
}

impl Deref for CampaignKey {
    type Target = SecretKeys;

    fn deref(&self) -> &SecretKeys {
        &self.keys
    }
}

impl CampaignKey {
    /// Creates the key of a campaign, certified by the Capsule.
    ///
    /// # Errors
    /// When the library fails, or the Capsule's primary key has no secret.
    pub fn generate(campaign: CampaignId, capsule: &Identity) -> Result<Self, PgpError> {
        let mut certifier = capsule.certifier()?;
        let mut make = || -> PgpResult<Vec<u8>> {
            let (cert, _) = CertBuilder::new()
                .set_cipher_suite(CipherSuite::Cv25519)
                .set_profile(Profile::RFC4880)?
                .set_features(Encryption::Aead.features())?
                .set_validity_period(None)
                .add_userid(name(campaign))
                .add_transport_encryption_subkey()
                .generate()?;
            let user = UserID::from(name(campaign));
            let positive = SignatureType::PositiveCertification;
            let certification = user.certify(&mut certifier, &cert, positive, None, None)?;
            let primary = cert.fingerprint();
            let (cert, _) = cert.insert_packets([Packet::from(certification)])?;
            cert.as_tsk().set_filter(move |key| key.fingerprint() != primary).to_vec()
        };
        let bytes = Zeroizing::new(make().map_err(|error| PgpError::Make(error.to_string()))?);
        Self::decode(&bytes)
    }

    /// Decodes the output of [`Self::encode`].
    ///
    /// # Errors
    /// When it is not the secret key of a campaign.
    pub fn decode(bytes: &[u8]) -> Result<Self, PgpError> {
        let invalid = |error: &dyn std::fmt::Display| PgpError::Certificate(error.to_string());
        let cert = Cert::from_bytes(bytes).map_err(|error| invalid(&error))?;
        let secrets = cert.keys().subkeys().unencrypted_secret();
        let pairs: PgpResult<Vec<_>> = secrets.map(|key| key.key().clone().into_keypair()).collect();
        let pairs = pairs.map_err(|error| invalid(&error))?;
        if pairs.is_empty() {
            return Err(invalid(&"it has no secret key for decryption"));
        }
        let keys = SecretKeys { fingerprint: fingerprint(&cert)?, pairs };
        Ok(Self { cert, keys })
    }

    /// The secret key for the vault, which encrypts it.
    ///
    /// # Errors
    /// When the library fails.
    pub fn encode(&self) -> Result<Zeroizing<Vec<u8>>, PgpError> {
        let bytes = self.cert.as_tsk().to_vec();
        bytes.map(Zeroizing::new).map_err(|error| PgpError::Make(error.to_string()))
    }

    /// The certificate to publish.
    ///
    /// # Errors
    /// When the library fails.
    pub fn certificate(&self) -> Result<Vec<u8>, PgpError> {
        self.cert.to_vec().map_err(|error| PgpError::Make(error.to_string()))
    }
}

/// The certificate that the updates of one campaign are sealed to.
#[derive(Clone, Debug)]
pub struct CampaignCertificate(Certificate);

impl Deref for CampaignCertificate {
    type Target = Certificate;

    fn deref(&self) -> &Certificate {
        &self.0
    }
}

impl CampaignCertificate {
    /// Parses an untrusted certificate as the one of this campaign, certified by this Capsule.
    ///
    /// # Errors
    /// When it is not a valid certificate for encryption, was made for another campaign, or is not certified by this
    /// Capsule.
    pub fn decode(bytes: &[u8], campaign: CampaignId, capsule: &Certificate, at: Timestamp) -> Result<Self, PgpError> {
        let cert = parse(bytes)?.strip_secret_key_material();
        let refuse = |reason: String| PgpError::Certificate(reason);
        let [name, capsule_name] = [name(campaign), capsule.fingerprint().to_string()];
        let users: Vec<_> = cert.userids().collect();
        let [user] = users.as_slice() else {
            return Err(refuse("the certificate of a campaign has exactly one name".into()));
        };
        if user.userid().value() != name.as_bytes() {
            return Err(refuse(format!("it was not made for campaign {campaign}")));
        }
        let policy = StandardPolicy::new();
        let (certifier, primary) = (capsule.cert.primary_key().key(), cert.primary_key().key());
        let certified = user.certifications().any(|signature| {
            policy.signature(signature, HashAlgoSecurity::CollisionResistance).is_ok()
                && signature.verify_userid_binding(certifier, primary, user.userid()).is_ok()
        });
        if !certified {
            return Err(refuse(format!("it is not certified by the Capsule {capsule_name}")));
        }
        Certificate::check(cert, at, Purposes::ENCRYPTION).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::*;
    use crate::pgp;

    static CAPSULE: LazyLock<Identity> = LazyLock::new(|| Identity::generate("capsule", "c").unwrap());
    static OTHER: LazyLock<Identity> = LazyLock::new(|| Identity::generate("other", "o").unwrap());

    const ID: CampaignId = CampaignId(alloy::primitives::B256::repeat_byte(1));

    fn read(bytes: &[u8]) -> Result<CampaignCertificate, PgpError> {
        CampaignCertificate::decode(bytes, ID, CAPSULE.certificate(), Timestamp::EPOCH)
    }

    fn refused(bytes: &[u8]) -> String {
        read(bytes).unwrap_err().to_string()
    }

    #[test]
    fn only_the_campaigns_key_opens_what_is_sealed_to_its_certificate() {
        let key = CampaignKey::generate(ID, &CAPSULE).unwrap();
        let certificate = read(&key.certificate().unwrap()).unwrap();
        let sealed = pgp::seal(b"update", &[&certificate]).unwrap();
        let restored = CampaignKey::decode(&key.encode().unwrap()).unwrap();
        assert_eq!(restored.certificate().unwrap(), key.certificate().unwrap());
        assert_eq!(&**pgp::open(&sealed, &restored, 100).unwrap(), b"update");
        assert!(matches!(pgp::open(&sealed, &CAPSULE, 100), Err(PgpError::NotForUs(_))));
        let next = CampaignKey::generate(ID, &CAPSULE).unwrap();
        assert!(matches!(pgp::open(&sealed, &next, 100), Err(PgpError::NotForUs(_))));
    }

    #[test]
    fn the_vault_gets_no_secret_that_could_sign() {
        let key = CampaignKey::generate(ID, &CAPSULE).unwrap();
        let stored = Cert::from_bytes(&*key.encode().unwrap()).unwrap();
        assert!(!stored.primary_key().key().has_secret());
        assert!(!Cert::from_bytes(&key.certificate().unwrap()).unwrap().is_tsk());
        assert!(CampaignKey::decode(&key.certificate().unwrap()).is_err());
    }

    /// Whoever publishes another certificate would read the updates that are sealed to it.
    #[test]
    fn a_certificate_of_another_capsule_or_campaign_is_refused() {
        let theirs = CampaignKey::generate(ID, &OTHER).unwrap().certificate().unwrap();
        assert!(refused(&theirs).contains("not certified"), "{}", refused(&theirs));
        let elsewhere = CampaignId([2; 32].into());
        let elsewhere = CampaignKey::generate(elsewhere, &CAPSULE).unwrap().certificate().unwrap();
        assert!(refused(&elsewhere).contains("was not made for campaign"), "{}", refused(&elsewhere));
        assert!(read(&CAPSULE.certificate().encode()).is_err());

        // A certification of one key does not hold for another key of the same name.
        let (own, stolen) = (Cert::from_bytes(&theirs).unwrap(), CampaignKey::generate(ID, &CAPSULE).unwrap());
        let certification = stolen.cert.userids().next().unwrap().certifications().next().unwrap().clone();
        let (forged, _) = own.insert_packets([Packet::from(certification)]).unwrap();
        assert!(read(&forged.to_vec().unwrap()).is_err());
        // Neither does a further name.
        let own = CampaignKey::generate(ID, &CAPSULE).unwrap();
        let second = UserID::from("second name");
        let signature = second.certify(&mut CAPSULE.certifier().unwrap(), &own.cert, None, None, None).unwrap();
        let (named, _) = own.cert.insert_packets([Packet::from(second), signature.into()]).unwrap();
        assert!(refused(&named.to_vec().unwrap()).contains("exactly one name"));
    }
}
