//! Numbers that give no privacy, or that no mechanism can use.

use thiserror::Error;

/// Numbers that mean no privacy, or nothing at all.
#[derive(Debug, Clone, Copy, PartialEq, Error)]
pub enum PrivacyError {
    /// Noise narrower than one unit or too wide for 64 bits.
    #[error("noise of σ = {0} is not supported: it must be between 1 and 2^62")]
    Sigma(u64),
    /// Noise that is not a positive multiple of the sensitivity.
    #[error("a noise multiplier of {0} is not allowed: it must be a positive number")]
    Multiplier(f64),
    /// Not the share of a sample.
    #[error("a sampling rate of {0} is not allowed: it must be between 0 and 1")]
    Rate(f64),
    /// Not a probability that may be neglected.
    #[error("δ = {0} is not allowed: it must be above 0 and below 1")]
    Delta(f64),
    /// Not a bound on what is told.
    #[error("ε = {0} is not allowed: it must be a positive number")]
    Epsilon(f64),
    /// Noise that leaves nothing to learn.
    #[error(
        "the noise would be {deviation:.2} a weight, more than an update may be ({bound}): with {records} records nothing would be learnt; \
         it takes more records, a larger budget over fewer uploads, or a campaign whose rule moves less (a larger rho, fewer steps)"
    )]
    Drowned {
        /// Standard deviation on a coefficient of the update.
        deviation: f64,
        /// The bound on a coefficient.
        bound: f64,
        /// Records that hide one another.
        records: usize,
    },
}

/// Checks that δ is a probability strictly between 0 and 1.
pub(super) fn check_delta(delta: f64) -> Result<(), PrivacyError> {
    if delta > 0.0 && delta < 1.0 { Ok(()) } else { Err(PrivacyError::Delta(delta)) }
}
