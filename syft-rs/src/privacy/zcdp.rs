//! Zero-concentrated differential privacy (Bun and Steinke 2016, arXiv:1605.02065): one number that adds up over releases.

use super::error::{PrivacyError, check_delta};
use super::renyi;
use crate::he::Parameters;
use serde::{Deserialize, Serialize};

/// Probability that the bound on the norm of the noise fails.
const FAILURE: f64 = 1e-9;

/// Zero-concentrated differential privacy: every Rényi divergence of order `α` is at most `α·ρ`.
#[derive(Debug, Clone, Copy, Default, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Zcdp(f64);

impl Zcdp {
    /// The cost of releasing nothing.
    pub const ZERO: Self = Self(0.0);

    /// The cost of the Gaussian mechanism with noise of `multiplier` times the sensitivity: `1/(2·multiplier²)`.
    pub fn gaussian(multiplier: f64) -> Result<Self, PrivacyError> {
        let good = multiplier.is_finite() && multiplier > 0.0;
        if good { Ok(Self(0.5 / (multiplier * multiplier))) } else { Err(PrivacyError::Multiplier(multiplier)) }
    }

    /// The greatest cost within (ε, δ)-differential privacy.
    pub fn within(epsilon: f64, delta: f64) -> Result<Self, PrivacyError> {
        check_delta(delta)?;
        if !(epsilon.is_finite() && epsilon > 0.0) {
            return Err(PrivacyError::Epsilon(epsilon));
        }
        // The largest ρ for which the ε of some order is small enough, minus a margin for rounding.
        let at = |order: f64| (epsilon - renyi::surplus(order, delta)) / order;
        Ok(Self(fine_orders().map(at).fold(0.0, f64::max) * (1.0 - 1e-12)))
    }

    /// What the noise of one ciphertext discloses beyond the update, for all pairs of data sets: `½ · d·c · κ² · 2^(-2λ)`. Only for maps without
    /// private noise ([`crate::privacy::MapNoise`]), whose cost includes this part.
    pub fn per_upload(params: &Parameters) -> Self {
        let margin = f64::from(params.flood_margin_log2());
        Self(0.5 * params.shape().weights() as f64 * kappa(params).powi(2) * (-2.0 * margin).exp2())
    }

    /// The cost of `uploads` uploads together.
    pub fn times(self, uploads: u64) -> Self {
        Self(self.0 * uploads as f64)
    }

    /// The cost of this release and another.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }

    /// An equal part of the cost for each of `uploads` uploads.
    #[must_use]
    pub fn share(self, uploads: u32) -> Self {
        Self(self.0 / f64::from(uploads.max(1)))
    }

    /// The multiplier of the Gaussian mechanism with this cost.
    pub fn multiplier(self) -> f64 {
        (0.5 / self.0).sqrt()
    }

    /// The number ρ.
    pub const fn rho(self) -> f64 {
        self.0
    }

    /// The ε of (ε, δ)-differential privacy, by the optimal Rényi order.
    pub fn epsilon(self, delta: f64) -> f64 {
        let at = |order: f64| renyi::to_epsilon(order, order * self.0, delta);
        fine_orders().map(at).fold(f64::INFINITY, f64::min).max(0.0)
    }
}

/// Orders above one on a fine geometric grid.
fn fine_orders() -> impl Iterator<Item = f64> {
    (0..4000).map(|i| 1.0 + (f64::from(i) * 0.01 - 12.0).exp())
}

/// Bound on the noise of the published rows relative to its mean, with the rounding of the map.
fn kappa(params: &Parameters) -> f64 {
    let shape = params.shape();
    let tail = (2.0 * (1.0 / FAILURE).ln() / shape.weights() as f64).sqrt();
    (1.0 + tail) * (1.0 + 2.0 * (shape.inputs as f64).sqrt() / params.map_scale())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::privacy::Rdp;
    use crate::shape::Shape;

    #[test]
    fn statement_numbers() {
        let digits = Parameters::linear(Shape { inputs: 65, outputs: 10 }).unwrap();
        let wide = Parameters::linear(Shape { inputs: 785, outputs: 10 }).unwrap();
        assert!((kappa(&digits).powi(2) - 1.58).abs() < 0.01);
        assert!((kappa(&wide).powi(2) - 1.18).abs() < 0.01);
        for (params, uploads, epsilon) in
            [(digits, 10, 0.02), (digits, 50, 0.05), (digits, 100, 0.07), (wide, 10, 0.07), (wide, 100, 0.22)]
        {
            let ours = Zcdp::per_upload(&params).times(uploads).epsilon(1e-6);
            // The published table uses the exact curve of the Gaussian mechanism; this bound holds for any mechanism.
            assert!(
                (epsilon - 0.005..epsilon * 1.15 + 0.005).contains(&ours),
                "{uploads} uploads: {ours}, expected {epsilon}"
            );
        }
    }

    #[test]
    fn a_budget_is_used_up_and_not_exceeded() {
        for (epsilon, delta) in [(0.1, 1e-9), (1.0, 1e-6), (3.0, 1e-6), (50.0, 1e-5)] {
            let budget = Zcdp::within(epsilon, delta).unwrap();
            assert!(budget.epsilon(delta) <= epsilon && budget.epsilon(delta) > 0.9999 * epsilon, "{epsilon} {delta}");
            let upload = budget.share(50);
            assert!((upload.times(50).rho() - budget.rho()).abs() < 1e-12);
            assert!((Zcdp::gaussian(upload.multiplier()).unwrap().rho() / upload.rho() - 1.0).abs() < 1e-12);
        }
        assert_eq!(Zcdp::within(0.0, 1e-6), Err(PrivacyError::Epsilon(0.0)));
        assert_eq!(Zcdp::within(1.0, 1.0), Err(PrivacyError::Delta(1.0)));
    }

    #[test]
    fn the_two_accounts_agree() {
        let cost = Zcdp::gaussian(4.0).unwrap().times(10);
        assert!((Rdp::from(cost).epsilon(1e-6).unwrap() / cost.epsilon(1e-6) - 1.0).abs() < 1e-3);
    }
}
