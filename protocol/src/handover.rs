//! Hand-overs: a Capsule hands the seed of each version to the data scientist, in a form that it cannot decrypt itself.
//!
//! The data scientist publishes a key for every possible version. When the Capsule publishes a version, it encrypts the
//! version's seed to that key, commits to the ciphertext on chain, and keeps only the ciphertext when the version ends.
//! The contract accepts no delivery without all hand-overs. A hand-over that does not decrypt is proven by publishing
//! its key, so each version has its own key.

use alloy::{
    primitives::{Address, B256, hex},
    signers::{
        k256::{
            ProjectivePoint, PublicKey, SecretKey,
            elliptic_curve::{group::Group, sec1::ToEncodedPoint},
        },
        local::PrivateKeySigner,
    },
};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use sonar_contracts::{KeyProof, Publication, Tree, handover_hash};
use syft::{Binding, VersionSeed};
use utoipa::ToSchema;
use zeroize::{Zeroize, Zeroizing};

use crate::ids::{CampaignId, Digest, Version};

/// Domain separation of this protocol's hashes.
const KEY_LABEL: &[u8] = b"sonar/audit-key/1";
const PAD_LABEL: &[u8] = b"sonar/hand-over/1";

const _: () = assert!(syft::Material::HEADER == sonar_contracts::HEADER);
const _: () = assert!(sonar_contracts::CHUNK.is_multiple_of(syft::Material::WORD));

/// The published material of a version, and the Capsule's commitments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Published {
    /// Digest of the material on IPFS.
    #[schema(value_type = String)]
    pub material: Digest,
    /// Merkle root over the material's chunks.
    #[schema(value_type = String)]
    pub root: B256,
    /// Hash of the hand-over of the version's seed.
    #[schema(value_type = String)]
    pub handover: B256,
}

impl Published {
    /// Converts the values on chain, where zero means `None`.
    #[must_use]
    pub fn from_chain(publication: &Publication) -> Option<Self> {
        let Publication { material, root, handover } = *publication;
        Digest::from_word(material).map(|material| Self { material, root, handover })
    }

    /// The published form of material and hand-over.
    #[must_use]
    pub fn new(material: Digest, handover: &Handover) -> Self {
        Self { material, root: handover.root, handover: handover_hash(&handover.into()) }
    }

    /// Whether these bytes are the material that the Capsule committed to.
    #[must_use]
    pub fn is_of(&self, material: &[u8]) -> bool {
        Tree::of_material(material).root() == self.root
    }
}

impl From<Published> for Publication {
    fn from(published: Published) -> Self {
        Self { material: published.material.into(), root: published.root, handover: published.handover }
    }
}

/// The encrypted seed of a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Handover {
    /// Merkle root over the chunks of the version's material.
    pub root: B256,
    /// The commitment to the seed.
    pub commitment: B256,
    /// The x-coordinate of a point created for this hand-over, with an even y.
    pub point: B256,
    /// The seed, masked by a hash of the shared secret of point and key.
    pub ciphertext: B256,
}

impl From<&Handover> for sonar_contracts::Handover {
    fn from(handover: &Handover) -> Self {
        let Handover { root, commitment, point, ciphertext } = *handover;
        Self { root, commitment, point, ciphertext }
    }
}

impl From<sonar_contracts::Handover> for Handover {
    fn from(handover: sonar_contracts::Handover) -> Self {
        let sonar_contracts::Handover { root, commitment, point, ciphertext } = handover;
        Self { root, commitment, point, ciphertext }
    }
}

/// Text that is not an audit key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an audit key is a point of secp256k1 in compressed form, 66 hexadecimal digits")]
pub struct KeyError;

/// The public audit key of one version, to which its seed is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AuditKey(PublicKey);

impl TryFrom<String> for AuditKey {
    type Error = KeyError;

    fn try_from(text: String) -> Result<Self, KeyError> {
        let bytes: [u8; 33] = hex::decode_to_array(&text).map_err(|_| KeyError)?;
        let key = PublicKey::from_sec1_bytes(&bytes).map_err(|_| KeyError)?;
        // The one key whose successor is not a point.
        let usable = key.to_projective() + ProjectivePoint::GENERATOR != ProjectivePoint::IDENTITY;
        usable.then_some(Self(key)).ok_or(KeyError)
    }
}

impl From<AuditKey> for String {
    fn from(key: AuditKey) -> Self {
        hex::encode(key.0.to_encoded_point(true).as_bytes())
    }
}

impl AuditKey {
    /// The commitment that the contract checks a revealed key against. One address has only 160 bits, so that the
    /// creator of the keys might find two keys with the same address (2^80 steps); a collision of two addresses is
    /// infeasible.
    fn fingerprint(&self) -> [u8; 40] {
        let mut bytes = [0; 40];
        bytes[..20].copy_from_slice(address(&self.0.to_projective()).as_slice());
        bytes[20..].copy_from_slice(address(&(self.0.to_projective() + ProjectivePoint::GENERATOR)).as_slice());
        bytes
    }

    /// Encrypts the seed of a version whose material has this root. Deterministic. After the seed is destroyed, only
    /// the owner's key can decrypt the result.
    #[must_use]
    pub fn seal(&self, seed: &VersionSeed, binding: &Binding, root: B256) -> Handover {
        let to = self.0.to_encoded_point(true);
        let (secret, point) = (0_u8..=u8::MAX)
            .find_map(|attempt| {
                let context = [to.as_bytes(), &[attempt]].concat();
                let bytes = Zeroizing::new(seed.hand_over_secret(binding, &context));
                let secret = SecretKey::from_slice(&*bytes).ok()?;
                let point = secret.public_key().to_encoded_point(false);
                // The contract needs an x below the group's order, which nearly all are.
                let x = B256::from_slice(point.x()?);
                SecretKey::from_slice(x.as_slice()).ok()?;
                let odd = point.y()?.last()? & 1 == 1;
                let scalar = *secret.to_nonzero_scalar();
                Some((if odd { -scalar } else { scalar }, x))
            })
            .expect("one of 256 attempts succeeds: each fails with a probability below 2^-127");
        let common = address(&(self.0.to_projective() * secret));
        let pad = pad(&CampaignId::from(binding.campaign), Version(binding.version), common);
        Handover { root, commitment: seed.commitment().into(), point, ciphertext: B256::new(*seed.expose()) ^ pad }
    }
}

/// The secret audit keys of all versions, derived from the data scientist's account and the chain.
#[derive(Clone)]
pub struct AuditSecret(Zeroizing<[u8; 32]>);

impl std::fmt::Debug for AuditSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AuditSecret(hidden)")
    }
}

impl AuditSecret {
    /// Derives the keys of the campaign with this salt in its terms.
    #[must_use]
    pub fn of(account: &PrivateKeySigner, salt: B256) -> Self {
        let mut key = account.to_bytes();
        let hash = Sha256::new_with_prefix(KEY_LABEL).chain_update(key).chain_update(salt).finalize();
        key.0.zeroize();
        Self(Zeroizing::new(hash.into()))
    }

    /// The key of a version.
    fn key(&self, version: Version) -> Option<SecretKey> {
        (0_u8..=u8::MAX).find_map(|attempt| {
            let hash = Sha256::new_with_prefix(KEY_LABEL).chain_update(*self.0);
            let bytes: [u8; 32] = hash.chain_update(version.0.to_be_bytes()).chain_update([attempt]).finalize().into();
            SecretKey::from_slice(Zeroizing::new(bytes).as_slice()).ok()
        })
    }

    /// The public keys of the first `n` versions, in order.
    #[must_use]
    pub fn keys(&self, versions: u16) -> Vec<AuditKey> {
        let versions = 1..=u32::from(versions);
        versions.filter_map(|version| self.key(Version(version))).map(|key| AuditKey(key.public_key())).collect()
    }

    /// Decrypts the hand-over of a version; `None` if it does not match the Capsule's commitment.
    #[must_use]
    pub fn open(&self, campaign: &CampaignId, version: Version, handover: &Handover) -> Option<VersionSeed> {
        let key = self.key(version)?;
        // As in the contract: an x that is not below the group's order is invalid.
        SecretKey::from_slice(handover.point.as_slice()).ok()?;
        let point = PublicKey::from_sec1_bytes(&[&[2], handover.point.as_slice()].concat()).ok()?;
        let common = address(&(point.to_projective() * *key.to_nonzero_scalar()));
        let seed = VersionSeed::from_bytes((handover.ciphertext ^ pad(campaign, version, common)).0);
        (seed.commitment() == handover.commitment.0).then_some(seed)
    }

    /// The proof for the contract that a hand-over does not decrypt: the secret key of the version, which the proof
    /// publishes.
    #[must_use]
    pub fn proof(&self, version: Version, versions: u16) -> Option<KeyProof> {
        let key = self.key(version)?;
        let branch = tree(&self.keys(versions)).branch(version.0.checked_sub(1)? as usize);
        Some(KeyProof { key: B256::from_slice(&key.to_bytes()).into(), branch })
    }
}

/// The Merkle root of the keys for the terms; zero if there are no keys.
#[must_use]
pub fn keys_root(keys: &[AuditKey]) -> B256 {
    tree(keys).root()
}

fn tree(keys: &[AuditKey]) -> Tree {
    Tree::new((1..).zip(keys.iter().map(AuditKey::fingerprint)))
}

/// The address of a point; zero for the neutral element.
fn address(point: &ProjectivePoint) -> Address {
    if bool::from(point.is_identity()) {
        return Address::ZERO;
    }
    let point = point.to_affine().to_encoded_point(false);
    Address::from_raw_public_key(&point.as_bytes()[1..])
}

/// The mask of a seed.
fn pad(campaign: &CampaignId, version: Version, common: Address) -> B256 {
    let hash = Sha256::new_with_prefix(PAD_LABEL).chain_update(campaign.as_bytes());
    B256::new(hash.chain_update(version.0.to_be_bytes()).chain_update(common).finalize().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Keys of an account whose key repeats this byte, below the order of the group.
    fn secret(byte: u8) -> AuditSecret {
        let account = PrivateKeySigner::from_bytes(&B256::repeat_byte(byte)).unwrap();
        AuditSecret::of(&account, B256::repeat_byte(9))
    }

    fn binding(version: u32) -> Binding {
        Binding { chain_id: 31337, contract: [1; 20], campaign: [2; 32], version, beacon: [3; 32] }
    }

    #[test]
    fn keys_survive_text_and_no_other_text_is_a_key() {
        let keys = secret(1).keys(3);
        let text = serde_json::to_string(&keys).unwrap();
        assert_eq!(serde_json::from_str::<Vec<AuditKey>>(&text).unwrap(), keys);
        // The order of the group minus one: its successor is not a point.
        let last = SecretKey::from_slice(&(-alloy::signers::k256::Scalar::ONE).to_bytes()).unwrap();
        for text in ["", "02", &"0".repeat(66), &String::from(AuditKey(last.public_key()))] {
            assert!(AuditKey::try_from(text.to_owned()).is_err(), "{text}");
        }
    }

    #[test]
    fn each_version_and_campaign_has_its_own_key() {
        let keys = [secret(1).keys(3), secret(2).keys(3)].concat();
        assert!((0..6).all(|i| (0..i).all(|j| keys[i] != keys[j])));
        let other = CampaignId::from([5; 32]);
        let seed = VersionSeed::from_bytes([7; 32]);
        let handover = keys[1].seal(&seed, &binding(2), B256::ZERO);
        let id = CampaignId::from([2; 32]);
        assert!(secret(1).open(&id, Version(2), &handover).is_some_and(|opened| opened == seed));
        assert!(secret(1).open(&other, Version(2), &handover).is_none());
        assert!(secret(1).open(&id, Version(1), &handover).is_none());
        assert!(secret(2).open(&id, Version(2), &handover).is_none());
    }

    /// So that another Capsule, which executes a campaign again, can get the seeds too.
    #[test]
    fn a_seed_is_handed_to_several_keys_each_of_which_opens_its_own() {
        let (seed, id) = (VersionSeed::from_bytes([7; 32]), CampaignId::from([2; 32]));
        let handovers = [1, 2].map(|account| secret(account).keys(1)[0].seal(&seed, &binding(1), B256::ZERO));
        assert_ne!(handovers[0].point, handovers[1].point, "one pad must not hide what the other shows");
        for account in [1, 2] {
            for (owner, handover) in [1, 2].into_iter().zip(&handovers) {
                let opened = secret(account).open(&id, Version(1), handover);
                assert_eq!(opened.is_some_and(|opened| opened == seed), account == owner);
            }
        }
    }

    #[test]
    fn garbage_does_not_open() {
        let seed = VersionSeed::from_bytes([7; 32]);
        let good = secret(1).keys(1)[0].seal(&seed, &binding(1), B256::ZERO);
        let id = CampaignId::from([2; 32]);
        let five = B256::with_last_byte(5);
        for bad in [
            Handover { ciphertext: good.ciphertext ^ five, ..good },
            Handover { commitment: good.commitment ^ five, ..good },
            Handover { point: B256::ZERO, ..good },
            Handover { point: five, ..good },
            Handover { point: B256::repeat_byte(255), ..good },
        ] {
            assert!(secret(1).open(&id, Version(1), &bad).is_none(), "{bad:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn what_is_sealed_opens_and_is_always_the_same(seed: [u8; 32], version in 1_u32..5, account in 1_u8..255) {
            let (seed, secret) = (VersionSeed::from_bytes(seed), secret(account));
            let key = secret.keys(4)[version as usize - 1];
            let handover = key.seal(&seed, &binding(version), B256::ZERO);
            prop_assert_eq!(handover, key.seal(&seed, &binding(version), B256::ZERO));
            let opened = secret.open(&CampaignId::from([2; 32]), Version(version), &handover);
            prop_assert!(opened.is_some_and(|opened| opened == seed));
        }
    }
}
