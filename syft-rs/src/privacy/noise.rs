//! The noise that makes a Mine's map private.

use super::error::PrivacyError;
use super::gaussian::DiscreteGaussian;
use super::sensitivity::Sensitivity;
use super::zcdp::Zcdp;
use crate::he::Parameters;
use crate::rule::{Labels, Rule};
use faer::Mat;
use rand::CryptoRng;

/// Noise is added to multiples of two to this power.
const UNIT_LOG2: i32 = -48;

/// Noise for a map `W -> L·W + B` such that `(L, B)` together obey zero-concentrated differential privacy of a given cost when one record is
/// replaced.
///
/// The noise is added to `L` and `B` before anything else is computed from them. Everything that follows is then a function of private numbers
/// and discloses no more about the data: shrinking to the public bound, the rounding of `L`, the noise of the ciphertext, and the decrypted
/// update of *any* model, even one that is chosen to read `L`. Noise on the update alone would come too late: the rounding of `L` to 12 bits,
/// the common shrinkage and the noise of the ciphertext depend on the data as well.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MapNoise {
    diagonal: DiscreteGaussian,
    off_diagonal: DiscreteGaussian,
    constant: DiscreteGaussian,
    weight_radius: f64,
}

impl MapNoise {
    /// The noise for a map that this rule finds on `records` records, at a cost of at most `cost`.
    ///
    /// `L` and `B` share the cost such that the update has the least noise when a column of the model has the greatest allowed norm. Fails if this
    /// noise is larger than an update may be, because nothing could be learnt.
    pub fn new(
        rule: &Rule,
        labels: &Labels,
        params: &Parameters,
        records: usize,
        cost: Zcdp,
    ) -> Result<Self, PrivacyError> {
        let shape = params.shape();
        let moves = Sensitivity::new(rule, labels, shape, records);
        // Rounding to whole units moves each number by up to half a unit on either side.
        let linear = moves.linear() + unit() * shape.inputs as f64;
        let constant = moves.constant() + unit() * (shape.weights() as f64).sqrt();
        let weighed = linear * std::f64::consts::FRAC_1_SQRT_2 * params.weight_radius();
        let share = weighed / (weighed + constant);
        let linear_deviation = linear / (2.0 * cost.rho() * share).sqrt();
        let constant_deviation = constant / (2.0 * cost.rho() * (1.0 - share)).sqrt();
        // An entry off the diagonal of the symmetric L counts twice in its norm, so half the variance hides it.
        let off_diagonal = linear_deviation * std::f64::consts::FRAC_1_SQRT_2;
        let deviation = (off_diagonal * params.weight_radius()).hypot(constant_deviation);
        if deviation.is_nan() || deviation > params.update_radius() {
            return Err(PrivacyError::Drowned { deviation, bound: params.update_radius(), records });
        }
        Ok(Self {
            diagonal: gaussian(linear_deviation)?,
            off_diagonal: gaussian(off_diagonal)?,
            constant: gaussian(constant_deviation)?,
            weight_radius: params.weight_radius(),
        })
    }

    /// Standard deviation of the noise on a coefficient of an update, in units of weights, for a model whose columns have the greatest allowed norm.
    pub fn deviation(&self) -> f64 {
        let of = |noise: &DiscreteGaussian| noise.sigma() as f64 * unit();
        (of(&self.off_diagonal) * self.weight_radius).hypot(of(&self.constant))
    }

    /// Adds the noise. Only the upper half of the symmetric `linear` is read.
    pub(crate) fn add(&self, linear: &mut Mat<f64>, constant: &mut Mat<f64>, coins: &mut impl CryptoRng) {
        for i in 0..linear.nrows() {
            for j in i..linear.ncols() {
                let noise = if i == j { &self.diagonal } else { &self.off_diagonal };
                let noisy = add_to(linear[(i, j)], noise, coins);
                linear[(i, j)] = noisy;
                linear[(j, i)] = noisy;
            }
        }
        for i in 0..constant.nrows() {
            for j in 0..constant.ncols() {
                constant[(i, j)] = add_to(constant[(i, j)], &self.constant, coins);
            }
        }
    }
}

fn unit() -> f64 {
    f64::from(UNIT_LOG2).exp2()
}

/// Rounds the deviation up, with room for the rounding of the computation before.
fn gaussian(deviation: f64) -> Result<DiscreteGaussian, PrivacyError> {
    DiscreteGaussian::new((deviation / unit() * (1.0 + 1e-12)).ceil() as u64)
}

/// Adds noise in whole units, so that the sum is as private as the exact one; converting it to `f64` no longer depends on the data.
fn add_to(x: f64, noise: &DiscreteGaussian, coins: &mut impl CryptoRng) -> f64 {
    let units = (x / unit()).round() as i128;
    (units + noise.sample(coins)) as f64 * unit()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shape::Shape;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    const RULE: Rule = Rule::Proximal { rho: 1.0, decay: 0.0 };
    const LABELS: Labels = Labels { right: 1.0, wrong: -1.0 };

    fn params(inputs: usize, outputs: usize) -> Parameters {
        Parameters::linear(Shape { inputs, outputs }).unwrap()
    }

    /// The cost follows from sensitivity and noise by the formula of the Gaussian mechanism, nothing else.
    #[test]
    fn the_noise_costs_what_was_allowed() {
        for (rule, records) in [(RULE, 100), (Rule::LocalSteps { steps: 3, rate: 0.5 }, 1_000_000)] {
            let (params, cost) = (params(65, 10), Zcdp::gaussian(4.0).unwrap());
            let noise = MapNoise::new(&rule, &LABELS, &params, records, cost).unwrap();
            let moves = Sensitivity::new(&rule, &LABELS, params.shape(), records);
            let of = |noise: DiscreteGaussian| noise.sigma() as f64 * unit();
            assert!((of(noise.diagonal) / of(noise.off_diagonal) - std::f64::consts::SQRT_2).abs() < 1e-6);
            let rho = (moves.linear() / of(noise.diagonal)).powi(2) / 2.0
                + (moves.constant() / of(noise.constant)).powi(2) / 2.0;
            assert!(rho <= cost.rho() && rho > 0.999 * cost.rho(), "{rho} of {}", cost.rho());
        }
    }

    #[test]
    fn what_is_added_has_the_deviation_that_was_promised() {
        let params = params(40, 40);
        let noise = MapNoise::new(&RULE, &LABELS, &params, 1_000, Zcdp::gaussian(3.0).unwrap()).unwrap();
        let (mut linear, mut constant) = (Mat::<f64>::zeros(40, 40), Mat::<f64>::zeros(40, 40));
        noise.add(&mut linear, &mut constant, &mut StdRng::seed_from_u64(1));
        assert_eq!(linear, linear.transpose().to_owned());
        // One column as long as the bound: the update's noise is that of L times this column, and of B.
        let column = Mat::from_fn(40, 40, |i, j| if i == j { params.weight_radius() } else { 0.0 });
        let update = &linear * column + &constant;
        let off = (0..40).flat_map(|i| (0..40).map(move |j| (i, j))).filter(|(i, j)| i != j);
        let square: f64 = off.map(|at| update[at].powi(2)).sum::<f64>() / (40.0 * 39.0);
        assert!((square.sqrt() / noise.deviation() - 1.0).abs() < 0.06, "{} {}", square.sqrt(), noise.deviation());
    }

    #[test]
    fn hopeless_noise_is_refused_with_the_numbers() {
        let error = MapNoise::new(&RULE, &LABELS, &params(65, 10), 10, Zcdp::gaussian(20.0).unwrap()).unwrap_err();
        assert!(matches!(error, PrivacyError::Drowned { records: 10, .. }), "{error}");
        let nothing = MapNoise::new(&RULE, &LABELS, &params(65, 10), 10, Zcdp::ZERO);
        assert!(matches!(nothing, Err(PrivacyError::Drowned { .. })));
    }
}
