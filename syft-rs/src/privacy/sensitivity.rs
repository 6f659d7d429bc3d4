//! How far a Mine's map can move when one of its records is replaced.

use crate::rule::{Labels, Rule};
use crate::shape::Shape;

/// How far the map `W -> L·W + B` of a Mine can move, in Frobenius norm and in units of weights, when one of its `m` records is replaced by any
/// other. Rows have norm at most one, targets are within ±y, and `m` is known.
///
/// With `a` the gain of the rule (`1/(ρ+λ)` with decay λ, or steps times rate) and `b` its reach (`|B_j| <= b·y` for the targets of one output):
///
/// * `|δL| <= √2·a/m`. Let `E = (x·xᵀ - x'·x'ᵀ)/m` be the change of the Gram matrix `G`: `|E| <= √2/m`, and its spectral norm
///   is at most `1/m`. Proximal: `L = ρR - I` with `R = (G+(ρ+λ)I)^-1`, so `δL = -ρR·E·R'` and `|R| <= 1/(ρ+λ)`. Steps:
///   `L = (I-ηG)^K - I`, of which `δL` is a telescoping sum of `K` terms with `ηE` between factors of norm at most one.
/// * `|δB| <= a·√c·(2+b)·y/m`. The change of the moment `M` is `F = (x·yᵀ - x'·y'ᵀ)/m`, `|F| <= 2√c·y/m`. Proximal: `B = R·M`, so
///   `δB = R·(F - E·B')`, and `|B'| <= √c·b·y`. Steps: `δ_(k+1) = (I-ηG)·δ_k + η·(F - E·B'_k)`, summed over `K` steps.
///
/// The update `L·W + B` of one model moves by at most `|δL|/√2·|W| + |δB|` ([`Sensitivity::update`]). With columns of `W` within
/// `R_W` and `y = 1` this is `a·√c·(2+R_W+b)/m`, never more than the more familiar `(2·r_max + R_D)/(m·ρ)` with residuals within
/// `r_max = √c·(1+R_W)` and `√c·(R_W+b)` for `R_D`.
///
/// Both numbers include an allowance for floating point: the data acts as if the Gram matrix were off by `8·(m+d)` units in the last place, more
/// than the error bounds of sums and decompositions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sensitivity {
    linear: f64,
    constant: f64,
}

impl Sensitivity {
    /// The sensitivity of a rule with checked constants on `records` records, at least one.
    pub fn new(rule: &Rule, labels: &Labels, shape: Shape, records: usize) -> Self {
        let count = records as f64;
        let allowance = 1.0 + 16.0 * count * (count + shape.inputs as f64) * f64::EPSILON / 2.0;
        let unit = rule.gain() / count * allowance;
        let constant = unit * (shape.outputs as f64).sqrt() * (2.0 + rule.reach()) * labels.largest(shape.outputs);
        Self { linear: unit * std::f64::consts::SQRT_2, constant }
    }

    /// Bound on the change of `L`, in Frobenius norm.
    pub const fn linear(&self) -> f64 {
        self.linear
    }

    /// Bound on the change of `B`, in Frobenius norm.
    pub const fn constant(&self) -> f64 {
        self.constant
    }

    /// Bound on the change of the update of a model with this Frobenius norm.
    pub fn update(&self, weights_norm: f64) -> f64 {
        self.linear * std::f64::consts::FRAC_1_SQRT_2 * weights_norm + self.constant
    }
}

/// Shortens a vector to Euclidean norm at most `bound`. A vector with numbers that are not finite becomes zero, so that no input can weigh more
/// than the bound.
pub fn clip(vector: &mut [f64], bound: f64) {
    if !vector.iter().all(|x| x.is_finite()) {
        vector.fill(0.0);
        return;
    }
    // Dividing by the largest number first keeps the squares from overflowing.
    let largest = vector.iter().fold(f64::MIN_POSITIVE, |largest, x| largest.max(x.abs()));
    let norm = vector.iter().map(|x| (x / largest).powi(2)).sum::<f64>().sqrt();
    let norm = norm * (1.0 + (vector.len() as f64 + 8.0) * f64::EPSILON);
    if norm * largest > bound {
        vector.iter_mut().for_each(|x| *x = *x / largest * (bound / norm));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Matrix, Targets};
    use crate::features::Features;
    use crate::train::affine;
    use faer::Mat;
    use proptest::prelude::*;

    const INPUTS: usize = 3;

    /// Records as rows of at most norm one, and targets for each output.
    fn map_of(records: &[([f64; INPUTS], usize)], rule: &Rule, labels: &Labels, shape: Shape) -> (Mat<f64>, Mat<f64>) {
        let mut values = Vec::new();
        for (row, _) in records {
            let mut row = *row;
            clip(&mut row, 1.0);
            values.extend(row);
        }
        let features = Features::from_matrix(Matrix::new(records.len(), INPUTS, values).unwrap());
        let targets = if shape.outputs == 1 {
            Targets::Values(records.iter().map(|(_, class)| 1.0 - 2.0 * (class % 2) as f64).collect())
        } else {
            Targets::Classes(records.iter().map(|(_, class)| class % shape.outputs).collect())
        };
        affine(&features, &targets, rule, labels, shape).unwrap()
    }

    fn rule() -> impl Strategy<Value = Rule> {
        prop_oneof![
            prop::sample::select(vec![1e-3, 0.03, 0.3, 1.0, 10.0])
                .prop_map(|rho| Rule::Proximal { rho, decay: rho / 2.0 }),
            (1_u32..200, prop::sample::select(vec![0.01, 0.5, 1.0]))
                .prop_map(|(steps, rate)| Rule::LocalSteps { steps, rate }),
        ]
    }

    fn record() -> impl Strategy<Value = ([f64; INPUTS], usize)> {
        (prop::array::uniform3(-1.5..1.5_f64), 0_usize..3)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        /// Whatever the records, whichever is replaced by whatever: nothing moves by more than it may.
        #[test]
        fn one_record_moves_no_more_than_it_may(
            mut records in prop::collection::vec(record(), 1..8),
            (at, other) in (any::<prop::sample::Index>(), record()),
            rule in rule(),
            outputs in 1_usize..4,
            scale in prop::sample::select(vec![0.1, 1.0]),
            weights in prop::collection::vec(-2.0..2.0_f64, 9),
        ) {
            let shape = Shape { inputs: INPUTS, outputs };
            let labels = Labels { right: 0.9 * scale, wrong: -scale };
            let bound = Sensitivity::new(&rule, &labels, shape, records.len());
            let (linear, constant) = map_of(&records, &rule, &labels, shape);
            let at = at.index(records.len());
            records[at] = other;
            let (linear_too, constant_too) = map_of(&records, &rule, &labels, shape);
            let weights = Mat::from_fn(INPUTS, outputs, |i, j| weights[i * 3 + j]);
            let (linear, constant) = (linear - linear_too, constant - constant_too);
            prop_assert!(linear.norm_l2() <= bound.linear());
            prop_assert!(constant.norm_l2() <= bound.constant());
            prop_assert!((&linear * &weights + &constant).norm_l2() <= bound.update(weights.norm_l2()));
        }

        #[test]
        fn clipped_vectors_are_short(
            mut vector in prop::collection::vec(prop_oneof![-2.0..2.0_f64, any::<f64>()], 0..20),
            bound in prop::sample::select(vec![1e-3, 1.0, 7.0]),
        ) {
            let before = vector.clone();
            clip(&mut vector, bound);
            let norm = |v: &[f64]| v.iter().map(|x| x * x).sum::<f64>().sqrt();
            prop_assert!(norm(&vector) <= bound);
            let was_short = before.iter().all(|x| x.is_finite()) && norm(&before) < bound * (1.0 - 1e-12);
            prop_assert_eq!(vector == before, was_short || before.iter().all(|x| *x == 0.0));
        }
    }

    /// A bound that nothing comes near would only add noise.
    #[test]
    fn the_bounds_are_nearly_reached() {
        let shape = Shape { inputs: INPUTS, outputs: 2 };
        let (rule, labels) = (Rule::Proximal { rho: 10.0, decay: 0.0 }, Labels { right: 1.0, wrong: -1.0 });
        let bound = Sensitivity::new(&rule, &labels, shape, 20);
        let mut records = vec![([0.0; INPUTS], 0); 20];
        records[0].0[0] = 1.0;
        let (linear, constant) = map_of(&records, &rule, &labels, shape);
        records[0] = ([0.0, 1.0, 0.0], 0);
        let (moved, _) = map_of(&records, &rule, &labels, shape);
        assert!((linear - moved).norm_l2() > 0.95 * bound.linear());
        records[0] = ([1.0, 0.0, 0.0], 1);
        let (_, moved) = map_of(&records, &rule, &labels, shape);
        assert!((constant - moved).norm_l2() > 0.9 * bound.constant());
    }
}
