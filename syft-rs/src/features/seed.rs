//! Seeds of random constants. A campaign chooses one of sixteen; everything else follows from kind and shape.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

/// Number of seeds that a campaign can choose from. Several, because a draw may suit the data badly; few, because somebody who can try as many
/// as they like finds one whose features respond to a single row.
pub const SEEDS: u8 = 16;

/// Which of the [`SEEDS`] seeds a campaign uses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct SeedIndex(u8);

/// A number that is not the index of a seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{0} is not the index of a seed: it must be between 0 and {last}", last = SEEDS - 1)]
pub struct SeedIndexError(u32);

impl SeedIndex {
    /// All indices.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..SEEDS).map(Self)
    }

    /// The index that follows from random bits.
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits % SEEDS)
    }

    /// The seed of random constants of this kind and shape: the first four bytes of SHA-256 of
    /// `"syft/seed" ‖ index ‖ length of kind ‖ kind ‖ shape`, numbers as 8 bytes in big-endian order.
    pub fn seed(self, kind: &str, shape: &[usize]) -> u32 {
        let number = |number: usize| (number as u64).to_be_bytes();
        let hash = Sha256::new_with_prefix(b"syft/seed").chain_update(number(self.0.into()));
        let hash = hash.chain_update(number(kind.len())).chain_update(kind);
        let hash = shape.iter().fold(hash, |hash, &length| hash.chain_update(number(length)));
        let [a, b, c, d, ..]: [u8; 32] = hash.finalize().into();
        u32::from_be_bytes([a, b, c, d])
    }

    /// Whether a seed is one of those for this kind and shape.
    pub fn is_seed(seed: u32, kind: &str, shape: &[usize]) -> bool {
        Self::all().any(|index| index.seed(kind, shape) == seed)
    }
}

impl TryFrom<u32> for SeedIndex {
    type Error = SeedIndexError;

    fn try_from(index: u32) -> Result<Self, SeedIndexError> {
        u8::try_from(index).ok().filter(|index| *index < SEEDS).map(Self).ok_or(SeedIndexError(index))
    }
}

impl From<SeedIndex> for u32 {
    fn from(index: SeedIndex) -> Self {
        index.0.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn a_kind_and_shape_has_sixteen_seeds_of_its_own() {
        let seeds = |kind: &'static str, shape: &'static [usize]| SeedIndex::all().map(move |i| i.seed(kind, shape));
        let all: HashSet<u32> = seeds("random-relu", &[64, 512])
            .chain(seeds("random-relu", &[512, 64]))
            .chain(seeds("random-conv", &[64, 512]))
            .collect();
        assert_eq!(all.len(), 48);
        assert!(seeds("random-relu", &[64, 512]).all(|seed| SeedIndex::is_seed(seed, "random-relu", &[64, 512])));
        assert!(!SeedIndex::is_seed(3, "random-relu", &[64, 512]));
    }

    #[test]
    fn indices_end_at_fifteen() {
        assert_eq!(u32::from(SeedIndex::try_from(15).unwrap()), 15);
        let refused = SeedIndex::try_from(16).unwrap_err().to_string();
        assert_eq!(refused, "16 is not the index of a seed: it must be between 0 and 15");
        assert_eq!(SeedIndex::from_bits(0xF3), SeedIndex::try_from(3).unwrap());
    }
}
