//! The binding of every seed to one version of one campaign, and the secret seed of a version.

use rand::TryRng;
use rand::rngs::{SysError, SysRng};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, ZeroizeOnDrop};

const PROTOCOL: &[u8] = b"syft/linear/3";

/// One version of one campaign on one chain, and a block hash that the key holder cannot choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Binding {
    /// EIP-155 identifier of the chain.
    pub chain_id: u64,
    /// Address of the campaign contract.
    pub contract: [u8; 20],
    /// Identifier of the campaign.
    pub campaign: [u8; 32],
    /// Version of the model in the campaign, from 1.
    pub version: u32,
    /// Hash of the block that opened the campaign or settled the previous window. The key holder knows it before choosing the seed: it keeps the key
    /// holder from choosing the masks of the public key, and nothing else.
    pub beacon: [u8; 32],
}

impl Binding {
    /// Bytes of the encoding.
    pub(crate) const LENGTH: usize = 8 + 20 + 32 + 4 + 32;

    /// The fields in their order, numbers in little-endian order.
    pub(crate) fn encode(&self) -> [u8; Self::LENGTH] {
        let mut bytes = [0; Self::LENGTH];
        bytes[..8].copy_from_slice(&self.chain_id.to_le_bytes());
        bytes[8..28].copy_from_slice(&self.contract);
        bytes[28..60].copy_from_slice(&self.campaign);
        bytes[60..64].copy_from_slice(&self.version.to_le_bytes());
        bytes[64..].copy_from_slice(&self.beacon);
        bytes
    }

    /// The seed from which everybody expands the masks of the public key. Nobody can choose it.
    pub(crate) fn public_key_seed(&self) -> [u8; 32] {
        hash(b"P", &[&self.encode()])
    }
}

/// The only secret of a version: key, errors and masks derive from it, each with its own label.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct VersionSeed([u8; 32]);

impl VersionSeed {
    /// A fresh seed from the operating system.
    pub fn generate() -> Result<Self, SysError> {
        let mut seed = Self([0; 32]);
        SysRng.try_fill_bytes(&mut seed.0)?;
        Ok(seed)
    }

    /// A seed that was stored.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The seed, to be stored encrypted. Whoever has it can read the model.
    pub const fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// A hash by which a key holder commits to the seed; it discloses nothing about it.
    pub fn commitment(&self) -> [u8; 32] {
        hash(b"commitment", &[&self.0])
    }

    /// A secret for encrypting this seed to a recipient named by `context`. It derives from the seed, so it exists as long as the seed.
    pub fn hand_over_secret(&self, binding: &Binding, context: &[u8]) -> [u8; 32] {
        self.derive(b"hand-over", binding, context)
    }

    pub(crate) fn derive(&self, label: &[u8], binding: &Binding, context: &[u8]) -> [u8; 32] {
        hash(label, &[&self.0, &binding.encode(), context])
    }
}

impl std::fmt::Debug for VersionSeed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("VersionSeed(hidden)")
    }
}

/// SHA-256 over protocol, label and parts, each preceded by its length.
fn hash(label: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in [PROTOCOL, label].iter().chain(parts) {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}
