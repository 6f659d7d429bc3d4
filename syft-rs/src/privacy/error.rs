//! Errors of privacy arithmetic.

use thiserror::Error;

/// Numbers that give no privacy, or that no mechanism can use.
#[derive(Debug, Clone, Copy, PartialEq, Error)]
pub enum PrivacyError {
    /// σ is narrower than one unit or too wide for 64 bits.
    #[error("noise of σ = {0} is not supported: it must be between 1 and 2^62")]
    Sigma(u64),
    /// The noise multiplier is not a positive number.
    #[error("a noise multiplier of {0} is not allowed: it must be a positive number")]
    Multiplier(f64),
    /// The sampling rate is not between 0 and 1.
    #[error("a sampling rate of {0} is not allowed: it must be between 0 and 1")]
    Rate(f64),
    /// δ is not strictly between 0 and 1.
    #[error("δ = {0} is not allowed: it must be above 0 and below 1")]
    Delta(f64),
    /// ε is not a positive number.
    #[error("ε = {0} is not allowed: it must be a positive number")]
    Epsilon(f64),
    /// The noise leaves nothing to learn.
    #[error(
        "the noise would be {deviation:.2} a weight, more than an update may be ({bound}): with {records} records nothing would be learnt; \
         it takes more records, a larger budget over fewer uploads, or a campaign whose rule moves less (a larger rho, fewer steps)"
    )]
    Drowned {
        /// Standard deviation of the noise on a coefficient of the update.
        deviation: f64,
        /// Bound on a coefficient of an update.
        bound: f64,
        /// Number of records.
        records: usize,
    },
}

/// Checks that δ is a probability strictly between 0 and 1.
pub(super) fn check_delta(delta: f64) -> Result<(), PrivacyError> {
    if delta > 0.0 && delta < 1.0 { Ok(()) } else { Err(PrivacyError::Delta(delta)) }
}
