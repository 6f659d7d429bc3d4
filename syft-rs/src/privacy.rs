//! What the noise of an upload says about a Mine's map beyond the update itself, as differential privacy.

use crate::he::Parameters;

/// Chance with which the bound on the norm of the noise may fail.
const FAILURE: f64 = 1e-9;

/// Zero-concentrated differential privacy, for all pairs of data sets.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Zcdp(f64);

impl Zcdp {
    /// What one upload costs: `½ · d·c · κ² · 2^(-2λ)`.
    pub fn per_upload(params: &Parameters) -> Self {
        let margin = f64::from(params.flood_margin_log2());
        Self(0.5 * params.shape().weights() as f64 * kappa(params).powi(2) * (-2.0 * margin).exp2())
    }

    /// What several uploads cost together.
    pub fn times(self, uploads: u64) -> Self {
        Self(self.0 * uploads as f64)
    }

    /// The number itself.
    pub const fn rho(self) -> f64 {
        self.0
    }

    /// The ε of (ε, δ)-differential privacy, by the optimal Rényi order.
    pub fn epsilon(self, delta: f64) -> f64 {
        // ε(α) = αρ + ln((α-1)/α) - (ln δ + ln α)/(α-1), least over orders on a fine geometric grid.
        let at = |alpha: f64| alpha * self.0 + ((alpha - 1.0) / alpha).ln() - (delta.ln() + alpha.ln()) / (alpha - 1.0);
        (0..4000).map(|i| at(1.0 + (f64::from(i) * 0.01 - 12.0).exp())).fold(f64::INFINITY, f64::min).max(0.0)
    }
}

/// How much longer than its mean the noise of the published rows can be, and the rounding of the map.
fn kappa(params: &Parameters) -> f64 {
    let shape = params.shape();
    let tail = (2.0 * (1.0 / FAILURE).ln() / shape.weights() as f64).sqrt();
    (1.0 + tail) * (1.0 + 2.0 * (shape.inputs as f64).sqrt() / params.map_scale())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Shape;

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
}
