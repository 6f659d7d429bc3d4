//! Gaussian noise on all coordinates of a clipped update.

use rand::CryptoRng;
use syft::privacy::{DiscreteGaussian, PrivacyError, Zcdp};

/// Noise is added to multiples of the clipping norm times two to this power.
const UNIT_LOG2: i32 = -24;
/// Greatest noise, in multiples of the clipping norm. More leaves nothing to learn: the smallest step that a Capsule tries is 1/32.
const MOST_NOISE: f64 = 32.0;

/// Noise for vectors within a ball.
pub(crate) struct Noise {
    gaussian: DiscreteGaussian,
    unit: f64,
}

impl Noise {
    pub(crate) fn new(clip: f64, parameters: usize, cost: Zcdp, records: usize) -> Result<Self, PrivacyError> {
        let unit = clip * f64::from(UNIT_LOG2).exp2();
        // Rounding to whole units moves each number by up to half a unit on either side; the last factor covers the rounding of `f64`.
        let sensitivity = (2.0 * clip / unit + (parameters as f64).sqrt()) * (1.0 + 1e-9);
        let sigma = (sensitivity * cost.multiplier()).ceil();
        let (deviation, bound) = (sigma * unit, MOST_NOISE * clip / (parameters as f64).sqrt());
        if deviation.is_nan() || deviation > bound {
            return Err(PrivacyError::Drowned { deviation, bound, records });
        }
        Ok(Self { gaussian: DiscreteGaussian::new(sigma as u64)?, unit })
    }

    pub(crate) fn add(&self, values: &mut [f64], coins: &mut impl CryptoRng) {
        for value in values {
            let units = (*value / self.unit).round() as i128;
            *value = (units + self.gaussian.sample(coins)) as f64 * self.unit;
        }
    }
}
