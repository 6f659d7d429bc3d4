//! Streams of random words: tfhe's generator under a seed that is used for one purpose only.

use rand::TryRng;
use rand::rngs::{SysError, SysRng};
use tfhe::core_crypto::commons::dispersion::StandardDev;
use tfhe::core_crypto::commons::math::random::{DefaultRandomGenerator, Gaussian, RandomGenerator, TUniform, XofSeed};
use zeroize::Zeroizing;

/// One stream.
pub(crate) struct Stream(RandomGenerator<DefaultRandomGenerator>);

impl Stream {
    /// The stream of a seed; `label` keeps apart streams of the same seed.
    pub(crate) fn new(seed: &[u8; 32], label: [u8; XofSeed::DOMAIN_SEP_LEN]) -> Self {
        Self(RandomGenerator::new(XofSeed::new(seed.to_vec(), label)))
    }

    /// A stream that nobody can repeat.
    pub(crate) fn fresh() -> Result<Self, SysError> {
        let mut seed = Zeroizing::new([0; 32]);
        SysRng.try_fill_bytes(&mut *seed)?;
        Ok(Self::new(&seed, *b"freshcoi"))
    }

    pub(crate) fn fill_uniform(&mut self, words: &mut [u64]) {
        self.0.fill_slice_with_random_uniform(words);
    }

    pub(crate) fn fill_binary(&mut self, words: &mut [u64]) {
        self.0.fill_slice_with_random_uniform_binary(words);
    }

    /// Adds a Gaussian with this standard deviation to every word.
    pub(crate) fn add_gaussian(&mut self, words: &mut [u64], deviation: f64) {
        let torus = StandardDev(deviation * (-64_f64).exp2());
        let distribution = Gaussian::from_standard_dev(torus, 0.0);
        self.0.unsigned_integer_slice_wrapping_add_random_from_distribution_assign(words, distribution);
    }

    /// Adds a uniform number in ±2^bound to every word.
    pub(crate) fn add_tuniform(&mut self, words: &mut [u64], bound_log2: u32) {
        let distribution = TUniform::<u64>::new(bound_log2);
        self.0.unsigned_integer_slice_wrapping_add_random_from_distribution_assign(words, distribution);
    }
}
