//! The envelope of an update, bound to its sender and sealed to the campaign's key, which the Capsule has.
//!
//! The header inside names the chain, contract, campaign, version and miner that the update was made for. The Capsule
//! compares it with the submission on chain, so that a copy of another miner's envelope is worthless.

use crate::{
    ids::{CampaignId, Version},
    pgp::{self, CampaignCertificate, Certificate, PgpError, SecretKeys},
};
use alloy::primitives::{Address, B256};
use serde::{Deserialize, Serialize};
use sonar_contracts::UnknownCode;
use zeroize::Zeroizing;

const MAGIC: &[u8; 8] = b"SNRupd01";
const HEADER_LIMIT: usize = 1024;
/// Maximum overhead of an OpenPGP message in bytes.
const OVERHEAD: usize = 64 * 1024;

/// Why an update is rejected by protocol. Decided without any homomorphic secret key, so it is the only kind of refusal
/// with a public reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, thiserror::Error)]
#[serde(try_from = "u8", into = "u8")]
#[repr(u8)]
pub enum ProtocolReject {
    /// No peer delivered it in time.
    #[error("the update could not be fetched in time")]
    Unavailable = 1,
    /// It is larger than a sealed update of this campaign can be.
    #[error("the update is too large")]
    TooLarge = 2,
    /// It cannot be read: not an OpenPGP message with AEAD, not encrypted to this campaign, or without a valid header. One
    /// reason for all of it, so that nobody learns from a rejection what the Capsule's key opens. Codes 4 and 5 are no
    /// longer used.
    #[error("the update is not a message sealed to this campaign")]
    Unreadable = 3,
    /// It was made for another chain or contract.
    #[error("the update was made for another chain or contract")]
    WrongChain = 6,
    /// It was made for another campaign.
    #[error("the update was made for another campaign")]
    WrongCampaign = 7,
    /// It was made for another version of the model.
    #[error("the update was made for another version of the model")]
    WrongVersion = 8,
    /// It was made by another miner, so it is a copy.
    #[error("the update was made by another miner")]
    WrongMiner = 9,
    /// Parameters, size or material do not match.
    #[error("the update does not conform to the campaign's parameters and material")]
    Conformance = 10,
    /// The same miner submitted the same bytes before, for the same version.
    #[error("the update was submitted before")]
    Duplicate = 11,
}

impl ProtocolReject {
    /// The code on chain.
    #[must_use]
    pub fn code(self) -> u8 {
        self as u8
    }
}

impl From<ProtocolReject> for u8 {
    fn from(reason: ProtocolReject) -> Self {
        reason.code()
    }
}

impl TryFrom<u8> for ProtocolReject {
    type Error = UnknownCode;

    fn try_from(code: u8) -> Result<Self, UnknownCode> {
        use ProtocolReject::*;
        let all = [
            Unavailable,
            TooLarge,
            Unreadable,
            WrongChain,
            WrongCampaign,
            WrongVersion,
            WrongMiner,
            Conformance,
            Duplicate,
        ];
        let unknown = UnknownCode { kind: "reason for a rejection", code };
        all.into_iter().find(|reason| reason.code() == code).ok_or(unknown)
    }
}

/// Purpose and author of an update.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnvelopeHeader {
    /// Chain id.
    pub chain_id: u64,
    /// Address of the contract Campaigns.
    pub contract: Address,
    /// The campaign.
    pub campaign: CampaignId,
    /// The version of the model that the update was made from.
    pub version: Version,
    /// The miner, who is paid for the update.
    pub miner: Address,
    /// Random, so that no two envelopes are equal.
    pub nonce: B256,
}

impl EnvelopeHeader {
    /// The expected header of a submission on chain; its nonce is zero.
    #[must_use]
    pub const fn new(chain_id: u64, contract: Address, campaign: CampaignId, version: Version, miner: Address) -> Self {
        Self { chain_id, contract, campaign, version, miner, nonce: B256::ZERO }
    }

    /// The same header with 32 random bytes, which distinguish envelopes. Only the session key of the message must be
    /// unpredictable.
    #[must_use]
    pub const fn with_nonce(self, nonce: B256) -> Self {
        Self { nonce, ..self }
    }

    /// Compares with the expected header of a submission, except the nonce.
    ///
    /// # Errors
    /// The first difference.
    pub fn check(&self, expected: &Self) -> Result<(), ProtocolReject> {
        let same = [
            ((self.chain_id, self.contract) == (expected.chain_id, expected.contract), ProtocolReject::WrongChain),
            (self.campaign == expected.campaign, ProtocolReject::WrongCampaign),
            (self.version == expected.version, ProtocolReject::WrongVersion),
            (self.miner == expected.miner, ProtocolReject::WrongMiner),
        ];
        same.into_iter().find(|(same, _)| !same).map_or(Ok(()), |(_, reason)| Err(reason))
    }
}

/// Maximum size of an envelope in bytes, for an update of `payload` bytes.
#[must_use]
pub fn largest(payload: usize) -> usize {
    MAGIC.len() + 4 + HEADER_LIMIT + payload + OVERHEAD
}

/// Seals an update to the campaign: to the certificate of each party that evaluates it.
///
/// # Errors
/// If there is no certificate, or the message cannot be encrypted.
pub fn seal_update(
    header: &EnvelopeHeader,
    update: &[u8],
    campaign: &[&CampaignCertificate],
) -> Result<Vec<u8>, PgpError> {
    let header = serde_json::to_vec(header).map_err(|error| PgpError::Make(error.to_string()))?;
    let mut plain = Vec::with_capacity(MAGIC.len() + 4 + header.len() + update.len());
    plain.extend_from_slice(MAGIC);
    plain.extend_from_slice(&(header.len() as u32).to_le_bytes());
    plain.extend_from_slice(&header);
    plain.extend_from_slice(update);
    let recipients: Vec<&Certificate> = campaign.iter().map(|certificate| &***certificate).collect();
    pgp::seal(&plain, &recipients)
}

/// Decrypts an update of exactly `payload` bytes, and compares its header with the submission on chain.
///
/// # Errors
/// The first fault, in the order of the checks: size, message with header, context and miner, size of the payload.
pub fn open_update(
    sealed: &[u8],
    keys: &SecretKeys,
    expected: &EnvelopeHeader,
    payload: usize,
) -> Result<Zeroizing<Vec<u8>>, ProtocolReject> {
    if sealed.len() > largest(payload) {
        return Err(ProtocolReject::TooLarge);
    }
    let plain = pgp::open(sealed, keys, largest(payload)).map_err(|_| ProtocolReject::Unreadable)?;
    let (header, update) = split(&plain).ok_or(ProtocolReject::Unreadable)?;
    header.check(expected)?;
    if update.len() != payload {
        return Err(ProtocolReject::Conformance);
    }
    Ok(Zeroizing::new(update.to_vec()))
}

fn split(plain: &[u8]) -> Option<(EnvelopeHeader, &[u8])> {
    let (len, rest) = plain.strip_prefix(MAGIC.as_slice())?.split_at_checked(4)?;
    let len = u32::from_le_bytes(len.try_into().ok()?) as usize;
    if len > HEADER_LIMIT {
        return None;
    }
    let (header, update) = rest.split_at_checked(len)?;
    Some((serde_json::from_slice(header).ok()?, update))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        pgp::{CampaignKey, Identity},
        units::Timestamp,
    };
    use proptest::prelude::*;
    use std::sync::LazyLock;

    static CAPSULE: LazyLock<Identity> = LazyLock::new(|| Identity::generate_signer("capsule", "c").unwrap());
    static KEY: LazyLock<CampaignKey> = LazyLock::new(|| CampaignKey::generate(header().campaign, &CAPSULE).unwrap());

    fn certificate(key: &CampaignKey) -> CampaignCertificate {
        let bytes = key.certificate().unwrap();
        CampaignCertificate::decode(&bytes, header().campaign, CAPSULE.certificate(), Timestamp::EPOCH).unwrap()
    }

    fn header() -> EnvelopeHeader {
        EnvelopeHeader::new(
            31337,
            Address::repeat_byte(1),
            CampaignId([2; 32].into()),
            Version(3),
            Address::repeat_byte(4),
        )
    }

    fn open(sealed: &[u8], expected: &EnvelopeHeader) -> Result<Vec<u8>, ProtocolReject> {
        open_update(sealed, &KEY, expected, 6).map(|update| update.to_vec())
    }

    #[test]
    fn an_update_reaches_the_capsule_under_its_sender_s_name() {
        let sealed = seal_update(&header(), b"update", &[&certificate(&KEY)]).unwrap();
        assert_eq!(open(&sealed, &header()), Ok(b"update".to_vec()));
        let again = seal_update(&header(), b"update", &[&certificate(&KEY)]).unwrap();
        assert_ne!(sealed, again);
    }

    #[test]
    fn each_party_that_evaluates_an_update_opens_it() {
        let second = CampaignKey::generate(header().campaign, &CAPSULE).unwrap();
        let sealed = seal_update(&header(), b"update", &[&certificate(&KEY), &certificate(&second)]).unwrap();
        for key in [&*KEY, &second] {
            assert_eq!(open_update(&sealed, key, &header(), 6).unwrap().as_slice(), b"update");
        }
    }

    #[test]
    fn each_fault_of_form_has_its_reason() {
        let sealed = seal_update(&header(), b"update", &[&certificate(&KEY)]).unwrap();
        let with = |change: fn(&mut EnvelopeHeader)| {
            let mut expected = header();
            change(&mut expected);
            open(&sealed, &expected).unwrap_err()
        };
        assert_eq!(with(|h| h.chain_id = 1), ProtocolReject::WrongChain);
        assert_eq!(with(|h| h.contract = Address::ZERO), ProtocolReject::WrongChain);
        assert_eq!(with(|h| h.campaign = CampaignId([9; 32].into())), ProtocolReject::WrongCampaign);
        assert_eq!(with(|h| h.version = Version(4)), ProtocolReject::WrongVersion);
        assert_eq!(with(|h| h.miner = Address::ZERO), ProtocolReject::WrongMiner);
        assert_eq!(open(&vec![0; largest(6) + 1], &header()), Err(ProtocolReject::TooLarge));
        let long = seal_update(&header(), b"longer update", &[&certificate(&KEY)]).unwrap();
        assert_eq!(open(&long, &header()), Err(ProtocolReject::Conformance));
    }

    /// Whoever submits another's message learns nothing about it, not even whether this Capsule can open it.
    #[test]
    fn a_rejection_does_not_disclose_what_the_key_opens() {
        let sealed = seal_update(&header(), b"update", &[&certificate(&KEY)]).unwrap();
        let mut damaged = sealed.clone();
        *damaged.last_mut().unwrap() ^= 1;
        let other = Identity::generate("other", "o").unwrap();
        let to_campaign = |plain: &[u8]| pgp::seal(plain, &[&certificate(&KEY)]).unwrap();
        let next = CampaignKey::generate(header().campaign, &CAPSULE).unwrap();
        let cases = [
            b"garbage".to_vec(),
            sealed[..sealed.len() / 2].to_vec(),
            damaged,
            seal_update(&header(), b"update", &[&certificate(&next)]).unwrap(),
            to_campaign(b"sonar.bundle/2\n"),
            to_campaign(b"SNRupd01\xff\xff\xff\xff"),
            to_campaign(b""),
            // In the older form, which is not decrypted.
            pgp::seal_signed(b"SNRupd01", &certificate(&KEY), &other).unwrap(),
        ];
        for (case, sealed) in cases.iter().enumerate() {
            assert_eq!(open(sealed, &header()), Err(ProtocolReject::Unreadable), "{case}");
        }
    }

    #[test]
    fn a_cut_header_is_no_header() {
        let json = serde_json::to_vec(&header()).unwrap();
        let whole = [MAGIC.as_slice(), &(json.len() as u32).to_le_bytes(), &json, b"update"].concat();
        assert_eq!(split(&whole).unwrap().1, b"update");
        for len in 0..whole.len() - b"update".len() {
            assert!(split(&whole[..len]).is_none(), "{len}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_reading_a_header_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), len in 0u32..220) {
            let _ = split(&bytes);
            let _ = split(&[MAGIC.as_slice(), &len.to_le_bytes(), &bytes].concat());
        }
    }

    #[test]
    fn reasons_keep_their_numbers() {
        for code in 0..=12 {
            let used = !matches!(code, 0 | 4 | 5 | 12);
            assert_eq!(ProtocolReject::try_from(code).ok().map(ProtocolReject::code), used.then_some(code));
        }
    }
}
