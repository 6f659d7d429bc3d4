//! Security estimates, computed with the lattice estimator (Albrecht, Player, Scott 2015, <https://eprint.iacr.org/2015/046>).

/// Estimated hardness of the lattice problem behind a set of parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SecurityEstimate {
    /// Bits under the MATZOV cost model.
    pub matzov: u32,
    /// Bits under the core-SVP cost model, where it was computed.
    pub core_svp: Option<u32>,
}

impl SecurityEstimate {
    /// The estimate for binary secrets modulo 2^64, if one was computed for at least this dimension and at most this noise.
    pub(super) const fn of(dimension: usize, sigma_log2: u32) -> Option<Self> {
        match (dimension, sigma_log2) {
            (2048.., 24..) => Some(Self { matzov: 160, core_svp: Some(133) }),
            (2048.., 20..) => Some(Self { matzov: 146, core_svp: None }),
            (2048.., 16..) => Some(Self { matzov: 133, core_svp: None }),
            _ => None,
        }
    }
}
