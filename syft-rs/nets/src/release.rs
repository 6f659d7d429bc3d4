//! The public constants of an upload: how a change is clipped, sparsified and quantised.

use crate::network::Network;
use crate::noise::Noise;
use crate::schedule::{ConstantError, require};
use serde::{Deserialize, Serialize};
use syft::privacy::{PrivacyError, Zcdp};
use syft::wire::FormatError;
use thiserror::Error;

/// An update that cannot be made or read.
#[derive(Debug, Clone, Copy, PartialEq, Error)]
pub enum UpdateError {
    /// A constant of the release is outside its range.
    #[error("the release: {0}")]
    Release(#[from] ConstantError),
    /// The noise for the requested privacy leaves nothing to learn.
    #[error(transparent)]
    Privacy(#[from] PrivacyError),
    /// The bytes are not an update of this network and release.
    #[error("the update: {0}")]
    Wire(#[from] FormatError),
}

/// The public constants of an upload.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Release {
    /// A change is shortened to this Euclidean norm, 10^-6 to 10^6.
    pub clip: f64,
    /// Share of the coordinates that is sent, above 0 and at most 1: those with the greatest absolute values.
    pub keep: f64,
    /// Bits per coordinate, 2 to 16.
    pub bits: u32,
}

impl Default for Release {
    fn default() -> Self {
        Self { clip: 16.0, keep: 0.5, bits: 8 }
    }
}

impl Release {
    /// Checks constants from an untrusted source.
    pub fn check(&self) -> Result<(), ConstantError> {
        require("clip", self.clip, (1e-6..=1e6).contains(&self.clip), "between 10^-6 and 10^6")?;
        require("keep", self.keep, self.keep > 0.0 && self.keep <= 1.0, "above 0 and at most 1")?;
        require("bits", self.bits.into(), (2..=16).contains(&self.bits), "between 2 and 16")
    }

    /// Checks that an update of this network with noise of this cost leaves something to learn. `records` is for the message.
    pub fn bears(&self, network: &Network, cost: Zcdp, records: usize) -> Result<(), UpdateError> {
        self.check()?;
        Noise::new(self.clip, network.parameters(), cost, records)?;
        Ok(())
    }

    /// Number of coordinates that are sent.
    pub(crate) fn kept(&self, parameters: usize) -> usize {
        ((self.keep * parameters as f64).ceil() as usize).clamp(1, parameters)
    }

    /// The greatest level of a coordinate.
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
