//! The public constants of an upload: how an update is clipped, sparsified and quantised.

use crate::network::Network;
use crate::noise::Noise;
use crate::schedule::{ConstantError, require};
use serde::{Deserialize, Serialize};
use syft::privacy::{PrivacyError, Zcdp};
use syft::wire::FormatError;
use thiserror::Error;

/// No update.
#[derive(Debug, Clone, Copy, PartialEq, Error)]
pub enum UpdateError {
    /// A constant of the release makes no sense.
    #[error("the release: {0}")]
    Release(#[from] ConstantError),
    /// The noise that privacy takes is of no use.
    #[error(transparent)]
    Privacy(#[from] PrivacyError),
    /// Bytes that are none.
    #[error("the update: {0}")]
    Wire(#[from] FormatError),
}

/// What an upload is made with.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Release {
    /// An update is shortened to this Euclidean norm.
    pub clip: f64,
    /// The share of its coordinates that is sent: the largest.
    pub keep: f64,
    /// Bits of a coordinate.
    pub bits: u32,
}

impl Default for Release {
    fn default() -> Self {
        Self { clip: 16.0, keep: 0.5, bits: 8 }
    }
}

impl Release {
    /// Checks constants that came from outside.
    pub fn check(&self) -> Result<(), ConstantError> {
        require("clip", self.clip, (1e-6..=1e6).contains(&self.clip), "between 10^-6 and 10^6")?;
        require("keep", self.keep, self.keep > 0.0 && self.keep <= 1.0, "above 0 and at most 1")?;
        require("bits", self.bits.into(), (2..=16).contains(&self.bits), "between 2 and 16")
    }

    /// Whether an update of this network with the noise of this cost can still say something; `records` is for the message.
    pub fn bears(&self, network: &Network, cost: Zcdp, records: usize) -> Result<(), UpdateError> {
        self.check()?;
        Noise::new(self.clip, network.parameters(), cost, records)?;
        Ok(())
    }

    /// Coordinates that are sent of so many.
    pub(crate) fn kept(&self, parameters: usize) -> usize {
        ((self.keep * parameters as f64).ceil() as usize).clamp(1, parameters)
    }

    /// The largest whole number that a coordinate can be.
    pub(crate) const fn largest(&self) -> i32 {
        (1 << (self.bits - 1)) - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn senseless_constants_are_named() {
        Release::default().check().unwrap();
        let name = |release: Release| release.check().unwrap_err().name;
        assert_eq!(name(Release { clip: f64::NAN, ..Release::default() }), "clip");
        assert_eq!(name(Release { keep: 0.0, ..Release::default() }), "keep");
        assert_eq!(name(Release { bits: 1, ..Release::default() }), "bits");
    }
}
