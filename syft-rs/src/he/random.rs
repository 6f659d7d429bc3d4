//! Randomness, each kind from its own generator: masks and key bits that a contract can recompute, errors that follow from a seed, and coins that
//! nobody can repeat.

use rand::rngs::{StdRng, SysError, SysRng};
use rand::{Rng, SeedableRng, TryRng};
use sha2::{Digest, Sha256};
use tfhe::core_crypto::commons::dispersion::StandardDev;
use tfhe::core_crypto::commons::math::random::{DefaultRandomGenerator, Gaussian, RandomGenerator, XofSeed};
use zeroize::Zeroizing;

/// Words that follow from a seed: masks, which everybody expands, and the bits of a key.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mask<'a> {
    pub(crate) seed: &'a [u8; 32],
    /// Separates masks of the same seed.
    pub(crate) label: [u8; 8],
    /// Index of the row.
    pub(crate) index: u32,
}

impl Mask<'_> {
    /// Words per digest.
    const STEP: usize = 4;

    /// Fills `words` from `position` on, a multiple of four. Each four words are `SHA-256(seed ‖ label ‖ index ‖ position / 4)`, all numbers in
    /// big-endian order. A contract can compute them too.
    pub(crate) fn fill(&self, position: usize, words: &mut [u64]) {
        let mut message = [0; 48];
        message[..32].copy_from_slice(self.seed);
        message[32..40].copy_from_slice(&self.label);
        message[40..44].copy_from_slice(&self.index.to_be_bytes());
        for (at, words) in words.chunks_mut(Self::STEP).enumerate() {
            message[44..].copy_from_slice(&((position / Self::STEP + at) as u32).to_be_bytes());
            let digest: [u8; 32] = Sha256::digest(message).into();
            words.iter_mut().zip(digest.as_chunks().0).for_each(|(word, bytes)| *word = u64::from_be_bytes(*bytes));
        }
    }
}

/// Errors that follow from a seed: tfhe's generator under a seed with only one purpose.
pub(crate) struct Stream(RandomGenerator<DefaultRandomGenerator>);

impl Stream {
    /// The stream of a seed; `label` separates streams of the same seed.
    pub(crate) fn new(seed: &[u8; 32], label: [u8; XofSeed::DOMAIN_SEP_LEN]) -> Self {
        Self(RandomGenerator::new(XofSeed::new(seed.to_vec(), label)))
    }

    /// Adds a Gaussian with this standard deviation to every word.
    pub(crate) fn add_gaussian(&mut self, words: &mut [u64], deviation: f64) {
        let torus = StandardDev(deviation * (-64_f64).exp2());
        let distribution = Gaussian::from_standard_dev(torus, 0.0);
        self.0.unsigned_integer_slice_wrapping_add_random_from_distribution_assign(words, distribution);
    }
}

/// Coins of one upload.
pub(crate) struct Coins {
    uniform: StdRng,
    normal: Stream,
}

impl Coins {
    /// Coins from the operating system, which nobody can repeat.
    pub(crate) fn fresh() -> Result<Self, SysError> {
        let mut seed = Zeroizing::new([0; 64]);
        SysRng.try_fill_bytes(&mut *seed)?;
        let [uniform, normal] = seed.as_chunks().0 else { unreachable!("two seeds of 32 bytes") };
        Ok(Self { uniform: StdRng::from_seed(*uniform), normal: Stream::new(normal, *b"freshcoi") })
    }

    #[cfg(test)]
    pub(crate) fn repeatable(seed: u8) -> Self {
        Self { uniform: StdRng::from_seed([seed; 32]), normal: Stream::new(&[seed; 32], *b"testonly") }
    }

    pub(crate) fn fill_uniform(&mut self, words: &mut [u64]) {
        words.iter_mut().for_each(|word| *word = self.uniform.next_u64());
    }

    /// Adds a Gaussian with this standard deviation to every word.
    pub(crate) fn add_gaussian(&mut self, words: &mut [u64], deviation: f64) {
        self.normal.add_gaussian(words, deviation);
    }

    /// Adds a uniform number in ±2^bound to every word. The two ends count half (tfhe's `TUniform`). The bound is below 2^31.
    pub(crate) fn add_tuniform(&mut self, words: &mut [u64], bound_log2: u32) {
        let keep = (1_u64 << (bound_log2 + 2)) - 1;
        // Of 2^(b+2) numbers, two lead to every result, and one to each end.
        let sample = |bits: u64| (((bits & keep) + 1) >> 1).wrapping_sub(1 << bound_log2);
        for pair in words.chunks_mut(2) {
            let random = self.uniform.next_u64();
            pair.iter_mut()
                .zip([random, random >> 32])
                .for_each(|(word, bits)| *word = word.wrapping_add(sample(bits)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_can_be_expanded_from_any_position() {
        let mask = Mask { seed: &[1; 32], label: *b"testonly", index: 7 };
        let (mut all, mut part) = (vec![0; 64], vec![0; 10]);
        mask.fill(0, &mut all);
        mask.fill(20, &mut part);
        assert_eq!(part, all[20..30]);
        Mask { index: 8, ..mask }.fill(20, &mut part);
        assert!(part.iter().all(|word| !all.contains(word)));
    }

    #[test]
    fn tuniform_is_as_wide_as_said() {
        let mut words = vec![0; 1 << 16];
        Coins::repeatable(3).add_tuniform(&mut words, 2);
        let mut counts = [0_i64; 9];
        words.iter().for_each(|word| counts[(word.cast_signed() + 4) as usize] += 1);
        // A sixteenth of the words at either end, an eighth at every number between.
        for (number, count) in counts.iter().enumerate() {
            let expected = if number % 8 == 0 { 1 << 12 } else { 1 << 13 };
            assert!((count - expected).abs() < 500, "{counts:?}");
        }
    }
}
