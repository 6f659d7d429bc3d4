//! A Mine's whole training as one affine map `W -> L·W + B`, found in the clear from its own data.

use crate::data::Targets;
use crate::data::Task;
use crate::features::{Expansion, FeatureMap, Features, round_digits};
use crate::he::{Delta, Parameters, PublishedWeights};
use crate::model::Shape;
use crate::privacy::{MapNoise, PrivacyError, Zcdp};
use faer::{Mat, Side};
use rand::{CryptoRng, Rng};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use zeroize::Zeroize;

/// Training that cannot be done.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum TrainError {
    /// No examples.
    #[error("there are no examples to train on")]
    Empty,
    /// Features and targets differ in number.
    #[error("{rows} rows of features but {targets} targets")]
    Length {
        /// Rows of features.
        rows: usize,
        /// Targets.
        targets: usize,
    },
    /// The data have other features than the model.
    #[error("the data have {have} features, the model has {need}")]
    Features {
        /// Features given.
        have: usize,
        /// Inputs of the model.
        need: usize,
    },
    /// A class that the model does not have.
    #[error("row {row} has class {class}, but the model knows {outputs}")]
    Class {
        /// Row.
        row: usize,
        /// Its class.
        class: usize,
        /// Outputs of the model.
        outputs: usize,
    },
    /// Numbers for a model with several outputs.
    #[error("a regression has one output, the model has {0}")]
    Outputs(usize),
    /// A target beyond [-1, 1].
    #[error("target of row {0} is not in [-1, 1]: apply the campaign's target map first")]
    Target(usize),
    /// A rule with senseless constants.
    #[error("{name} = {value} is not allowed: it must be {must}")]
    Rule {
        /// Which constant.
        name: &'static str,
        /// Its value.
        value: f64,
        /// What is allowed.
        must: &'static str,
    },
    /// The noise that privacy takes is of no use.
    #[error(transparent)]
    Privacy(#[from] PrivacyError),
    /// The decomposition did not converge, which finite data should never cause.
    #[error("the eigendecomposition of the data's Gram matrix did not converge")]
    Decomposition,
}

/// How a Mine moves the model towards its own data, with squared loss.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Rule {
    /// So many steps of gradient descent.
    LocalSteps {
        /// Number of steps.
        steps: u32,
        /// Step size, at most 1 because rows have norm at most 1.
        rate: f64,
    },
    /// The minimiser of the loss plus `rho/2` times the squared distance from the published model plus `decay/2` times its own
    /// squared norm. Without decay whatever lies in directions in which nobody's data vary would stay in the model for ever.
    Proximal {
        /// Weight of the distance.
        rho: f64,
        /// Weight of the norm.
        #[serde(default)]
        decay: f64,
    },
}

/// How far the score of the right class should be above the others, where weights would grow too long for larger ones.
const SMALL_SCORE: f64 = 0.1;

/// What the score of a class should be.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Labels {
    /// Of the right one.
    pub right: f64,
    /// Of any other.
    pub wrong: f64,
}

impl Labels {
    /// What works well for these features and so many classes. Classes are decided by comparison, so any scale will do: random
    /// features need long weights, and small scores whose sum is zero keep those within the public bound.
    pub fn default_for(map: &FeatureMap, classes: usize) -> Self {
        if matches!(map.expansion, Expansion::Identity | Expansion::Polynomial) {
            return Self { right: 1.0, wrong: -1.0 };
        }
        Self::small(classes)
    }

    /// Small scores whose sum is zero.
    pub fn small(classes: usize) -> Self {
        let wrong = -SMALL_SCORE / classes.max(1) as f64;
        Self { right: SMALL_SCORE + wrong, wrong }
    }

    /// The largest target, in absolute value, of a model with so many outputs: numbers that are predicted are within ±1.
    pub(crate) const fn largest(&self, outputs: usize) -> f64 {
        if outputs == 1 { 1.0 } else { self.right.abs().max(self.wrong.abs()) }
    }

    /// Checks constants that came from outside.
    pub fn check(&self) -> Result<(), TrainError> {
        let fits = |x: f64| (-1.0..=1.0).contains(&x);
        if fits(self.right) && fits(self.wrong) && self.right > self.wrong {
            return Ok(());
        }
        let must = "above that of wrong ones, and both between -1 and 1";
        Err(TrainError::Rule { name: "the score of right classes", value: self.right, must })
    }
}

impl Rule {
    /// What works well for a task and these features.
    pub fn default_for(task: &Task, map: &FeatureMap) -> Self {
        let inputs = map.inputs() as f64;
        let (rho, decay) = match (map.expansion, task) {
            (_, Task::Regression) => (0.03, 0.003),
            // The more features, the less of each can be spared.
            (Expansion::RandomRelu { .. }, _) => (0.25 / inputs, (0.125 / inputs).min(64_000.0 / inputs.powi(3))),
            (Expansion::RandomConv { .. }, _) => return Self::close(map),
            (Expansion::Identity | Expansion::Polynomial, _) => (0.003, 0.0015),
        };
        Self::Proximal { rho: round_digits(rho), decay: round_digits(decay) }
    }

    /// For features each of which says something about the classes: what a trained network, or convolutions, make of an image. It fits the data
    /// closely.
    pub fn close(map: &FeatureMap) -> Self {
        let inputs = map.inputs() as f64;
        Self::Proximal { rho: round_digits(0.05 / inputs), decay: round_digits(0.025 / inputs) }
    }

    /// Checks constants that came from outside.
    pub fn check(&self) -> Result<(), TrainError> {
        let (name, value, good, must) = match *self {
            Self::LocalSteps { steps, .. } if steps == 0 || steps > 1_000_000 => {
                ("steps", f64::from(steps), false, "between 1 and 1000000")
            }
            Self::LocalSteps { rate, .. } => ("rate", rate, rate > 0.0 && rate <= 1.0, "above 0 and at most 1"),
            Self::Proximal { rho, .. } if !(1e-6..=1e3).contains(&rho) => {
                ("rho", rho, false, "between 0.000001 and 1000")
            }
            Self::Proximal { decay, .. } => ("decay", decay, (0.0..=1e3).contains(&decay), "between 0 and 1000"),
        };
        if good { Ok(()) } else { Err(TrainError::Rule { name, value, must }) }
    }

    /// The eigenvalues of -L and of the map from M to B that belong to an eigenvalue `w` of the Gram matrix, in [0, 1].
    fn filter(&self, w: f64) -> (f64, f64) {
        match *self {
            Self::Proximal { rho, decay } => ((w + decay) / (w + rho + decay), 1.0 / (w + rho + decay)),
            Self::LocalSteps { steps, rate } => {
                // 1 - (1 - rate·w)^steps, without losing the digits of a small w.
                let moved = -(f64::from(steps) * (-rate * w).ln_1p()).exp_m1();
                let gain = if w > 0.0 { moved / w } else { rate * f64::from(steps) };
                (moved, gain)
            }
        }
    }

    /// The largest eigenvalue of the map from M to B, over all data.
    pub(crate) fn gain(&self) -> f64 {
        self.filter(0.0).1
    }

    /// The most that the norm of a column of B can be, over all data with targets within ±1: a column of M has at most norm `√w` in
    /// the direction of an eigenvalue `w`.
    pub(crate) fn reach(&self) -> f64 {
        match *self {
            Self::Proximal { rho, decay } if rho + decay <= 1.0 => 0.5 / (rho + decay).sqrt(),
            Self::Proximal { rho, decay } => 1.0 / (1.0 + rho + decay),
            // The gain is at most 1/w, too.
            Self::LocalSteps { .. } => self.gain().min(self.gain().sqrt()),
        }
    }
}

/// `W -> L·W + B` in fixed point: `L` in units of 2^-p, `B` in those of an encrypted update. Says a lot about the data.
#[derive(Clone, PartialEq, Eq)]
pub struct AffineUpdate {
    shape: Shape,
    linear: Vec<i16>,
    constant: Vec<i64>,
}

impl Drop for AffineUpdate {
    fn drop(&mut self) {
        self.linear.zeroize();
        self.constant.zeroize();
    }
}

impl std::fmt::Debug for AffineUpdate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AffineUpdate({}x{}, hidden)", self.shape.inputs, self.shape.outputs)
    }
}

impl AffineUpdate {
    /// Inputs and outputs of the model.
    pub const fn shape(&self) -> Shape {
        self.shape
    }

    pub(crate) fn linear(&self) -> &[i16] {
        &self.linear
    }

    pub(crate) fn constant(&self) -> &[i64] {
        &self.constant
    }

    #[cfg(test)]
    pub(crate) fn from_raw(shape: Shape, linear: Vec<i64>, constant: Vec<i64>) -> Self {
        assert_eq!((linear.len(), constant.len()), (shape.inputs * shape.inputs, shape.weights()));
        let linear = linear.into_iter().map(|factor| i16::try_from(factor).unwrap()).collect();
        Self { shape, linear, constant }
    }

    /// A map that no data led to, for measurements. Factors are row-major; the caller sees to it that no result wraps.
    #[cfg(feature = "bench")]
    pub fn from_factors(shape: Shape, linear: Vec<i16>) -> Self {
        assert_eq!(linear.len(), shape.inputs * shape.inputs);
        Self { shape, linear, constant: vec![0; shape.weights()] }
    }

    /// The same map on the model in the clear, with the arithmetic of the encrypted path: the two differ by noise alone.
    ///
    /// The published weights must have this map's shape; missing ones count as zero.
    pub fn apply_clear(&self, published: &PublishedWeights) -> Delta {
        let outputs = self.shape.outputs;
        let mut raw = self.constant.clone();
        for (row, out) in self.linear.chunks_exact(self.shape.inputs).zip(raw.chunks_exact_mut(outputs)) {
            for (&factor, weights) in row.iter().zip(published.raw().chunks_exact(outputs)) {
                for (sum, &weight) in out.iter_mut().zip(weights) {
                    *sum = sum.wrapping_add(i64::from(factor).wrapping_mul(weight));
                }
            }
        }
        Delta::from_raw(self.shape, published.update_scale(), raw)
    }
}

/// Finds a Mine's affine map.
///
/// `rounding` makes the rounding of `L` unbiased. The result obeys `|L·W + B| <= R_D` for every model whose columns have norm at
/// most `R_W`: where the data would say more, `L` and `B` shrink together, so nothing outside depends on it.
pub fn train(
    features: &Features,
    targets: &Targets,
    rule: &Rule,
    labels: &Labels,
    params: &Parameters,
    rounding: &mut impl Rng,
) -> Result<AffineUpdate, TrainError> {
    let (linear, constant) = affine(features, targets, rule, labels, params.shape())?;
    Ok(quantise(&linear, &constant, params, rounding))
}

/// Finds a Mine's affine map and adds noise, so that the map and all that is ever made of it cost at most `cost`.
///
/// `coins` must be such that nobody else can foresee or repeat them. Refused as [`train`] is, and when the noise would be
/// larger than an update may be.
pub fn train_private(
    features: &Features,
    targets: &Targets,
    rule: &Rule,
    labels: &Labels,
    params: &Parameters,
    cost: Zcdp,
    coins: &mut impl CryptoRng,
) -> Result<AffineUpdate, TrainError> {
    let (mut linear, mut constant) = affine(features, targets, rule, labels, params.shape())?;
    MapNoise::new(rule, labels, params, features.rows(), cost)?.add(&mut linear, &mut constant, coins);
    Ok(quantise(&linear, &constant, params, coins))
}

/// `L` and `B` in the clear, exact but for floating point.
pub(crate) fn affine(
    features: &Features,
    targets: &Targets,
    rule: &Rule,
    labels: &Labels,
    shape: Shape,
) -> Result<(Mat<f64>, Mat<f64>), TrainError> {
    rule.check()?;
    labels.check()?;
    check_sizes(features, targets, shape)?;
    let x = Mat::from_fn(features.rows(), shape.inputs, |row, column| features.row(row)[column]);
    let y = target_matrix(targets, labels, shape)?;
    if features.rows() < shape.inputs { solve_dual(&x, &y, rule) } else { solve(&x, &y, rule) }
}

fn check_sizes(features: &Features, targets: &Targets, shape: Shape) -> Result<(), TrainError> {
    if features.rows() == 0 {
        return Err(TrainError::Empty);
    }
    if features.rows() != targets.len() {
        return Err(TrainError::Length { rows: features.rows(), targets: targets.len() });
    }
    if features.columns() != shape.inputs {
        return Err(TrainError::Features { have: features.columns(), need: shape.inputs });
    }
    Ok(())
}

/// One column an output: the score that each class should have, or the number itself.
fn target_matrix(targets: &Targets, labels: &Labels, shape: Shape) -> Result<Mat<f64>, TrainError> {
    match targets {
        Targets::Classes(classes) => {
            if let Some(row) = classes.iter().position(|&class| class >= shape.outputs) {
                return Err(TrainError::Class { row, class: classes[row], outputs: shape.outputs });
            }
            let score = |row: usize, output: usize| if classes[row] == output { labels.right } else { labels.wrong };
            Ok(Mat::from_fn(classes.len(), shape.outputs, score))
        }
        Targets::Values(_) if shape.outputs != 1 => Err(TrainError::Outputs(shape.outputs)),
        Targets::Values(values) => match values.iter().position(|y| !(-1.0..=1.0).contains(y)) {
            Some(row) => Err(TrainError::Target(row)),
            None => Ok(Mat::from_fn(values.len(), 1, |row, _| values[row])),
        },
    }
}

/// `L` and `B` through the eigenvalues of the Gram matrix `G = XᵀX/m = U·w·Uᵀ`, which lie in [0, 1] because rows have norm at most
/// one: `L = -U·moved(w)·Uᵀ` and `B = U·gain(w)·Uᵀ·XᵀY/m`.
fn solve(x: &Mat<f64>, y: &Mat<f64>, rule: &Rule) -> Result<(Mat<f64>, Mat<f64>), TrainError> {
    let count = x.nrows() as f64;
    let (basis, filters) = decompose(&(x.transpose() * x * faer::Scale(1.0 / count)), rule)?;
    let moment = basis.transpose() * (x.transpose() * y) * faer::Scale(1.0 / count);
    let moved = scale_rows(basis.transpose().to_owned(), |row| -filters[row].0);
    Ok((&basis * moved, &basis * scale_rows(moment, |row| filters[row].1)))
}

/// The same for fewer examples than features, through the smaller matrix `XXᵀ/m = V·w·Vᵀ`: with `Z = Vᵀ·X` it is
/// `L = -moved(0)·I - Zᵀ·(moved(w) - moved(0))/(w·m)·Z` and `B = Zᵀ·gain(w)/m·VᵀY`.
fn solve_dual(x: &Mat<f64>, y: &Mat<f64>, rule: &Rule) -> Result<(Mat<f64>, Mat<f64>), TrainError> {
    let count = x.nrows() as f64;
    let (basis, filters) = decompose(&(x * x.transpose() * faer::Scale(1.0 / count)), rule)?;
    let z = basis.transpose() * x;
    // moved(w) = moved(0) + w·gain(w)·(1 - moved(0)), for either rule.
    let rest = rule.filter(0.0).0;
    let gained = scale_rows(z.clone(), |row| filters[row].1 / count);
    let mut linear = z.transpose() * &gained * faer::Scale(rest - 1.0);
    (0..x.ncols()).for_each(|i| linear[(i, i)] -= rest);
    Ok((linear, gained.transpose() * (basis.transpose() * y)))
}

/// What becomes of each eigenvalue, for `-L` and for the map from M to B.
type Filters = Vec<(f64, f64)>;

/// Eigenvectors of a matrix with eigenvalues in [0, 1], and what the rule makes of the eigenvalues.
fn decompose(gram: &Mat<f64>, rule: &Rule) -> Result<(Mat<f64>, Filters), TrainError> {
    let eigen = gram.self_adjoint_eigen(Side::Lower).map_err(|_| TrainError::Decomposition)?;
    let values = eigen.S().column_vector();
    let filters = (0..gram.nrows()).map(|i| rule.filter(values[i].clamp(0.0, 1.0))).collect();
    Ok((eigen.U().to_owned(), filters))
}

fn scale_rows(mut matrix: Mat<f64>, factor: impl Fn(usize) -> f64) -> Mat<f64> {
    for column in 0..matrix.ncols() {
        (0..matrix.nrows()).for_each(|row| matrix[(row, column)] *= factor(row));
    }
    matrix
}

fn quantise(linear: &Mat<f64>, constant: &Mat<f64>, params: &Parameters, rounding: &mut impl Rng) -> AffineUpdate {
    // Rounding moves a row of L by at most this much, however far L has shrunk.
    let slack = (linear.ncols() as f64).sqrt() / params.map_scale() * params.weight_radius();
    let room = params.update_radius() - slack;
    let shrink = (room / worst_case(linear, constant, params)).min(1.0);
    let (map_scale, update_scale) = (params.map_scale() * shrink, params.update_scale() * shrink);
    // No entry is longer than its row, which is at most one: 2^12 and the rounding.
    let linear = row_major(linear).map(|x| round_at_random(x * map_scale, rounding) as i16).collect();
    let constant = row_major(constant).map(|x| (x * update_scale) as i64).collect();
    AffineUpdate { shape: params.shape(), linear, constant }
}

/// The greatest `|(L·W + B)_ij|` over all models with columns within the public bound.
fn worst_case(linear: &Mat<f64>, constant: &Mat<f64>, params: &Parameters) -> f64 {
    let reach = |row: usize| {
        let norm = (0..linear.ncols()).map(|j| linear[(row, j)] * linear[(row, j)]).sum::<f64>().sqrt();
        let offset = (0..constant.ncols()).map(|j| constant[(row, j)].abs()).fold(0.0, f64::max);
        norm * params.weight_radius() + offset
    };
    // The last factor covers the rounding of this very computation.
    (0..linear.nrows()).map(reach).fold(f64::MIN_POSITIVE, f64::max) * (1.0 + 1e-9)
}

fn row_major(matrix: &Mat<f64>) -> impl Iterator<Item = f64> {
    (0..matrix.nrows()).flat_map(move |i| (0..matrix.ncols()).map(move |j| matrix[(i, j)]))
}

/// Down or up at random, such that the mean is exact.
fn round_at_random(x: f64, rounding: &mut impl Rng) -> i64 {
    (x + unit(rounding)).floor() as i64
}

/// Uniform between zero and one.
fn unit(random: &mut impl Rng) -> f64 {
    (random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Matrix;
    use crate::features::{FeatureKind, FeatureMap};
    use crate::model::Weights;
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    const SHAPE: Shape = Shape { inputs: 4, outputs: 2 };
    const SIGNS: Labels = Labels { right: 1.0, wrong: -1.0 };

    fn features(values: Vec<f64>) -> Features {
        let raw = Matrix::new(values.len() / 3, 3, values).unwrap();
        FeatureMap::fit(&raw, &[(-1.0, 1.0); 3], FeatureKind::Identity, None, 1).unwrap().apply(&raw).unwrap()
    }

    fn sample() -> (Features, Targets) {
        let values: Vec<f64> = (0..60).map(|i| f64::from(i * 37 % 19) / 19.0).collect();
        (features(values), Targets::Classes((0..20).map(|i| i % 2).collect()))
    }

    #[test]
    fn one_full_step_is_the_gradient() {
        let (x, y) = sample();
        let params = Parameters::linear(SHAPE).unwrap();
        let rule = Rule::LocalSteps { steps: 1, rate: 1.0 };
        let update = train(&x, &y, &rule, &SIGNS, &params, &mut StdRng::seed_from_u64(1)).unwrap();
        let delta = update.apply_clear(&params.encode(&Weights::zeros(SHAPE)));
        let Targets::Classes(classes) = &y else { unreachable!() };
        for input in 0..4 {
            let mean: f64 =
                (0..20).map(|row| x.row(row)[input] * if classes[row] == 0 { 1.0 } else { -1.0 }).sum::<f64>() / 20.0;
            assert!((delta.value(input, 0) - mean).abs() < 1e-12);
        }
    }

    #[test]
    fn many_steps_reach_the_same_model_as_a_weak_proximal_rule() {
        let (x, y) = sample();
        let params = Parameters::linear(SHAPE).unwrap();
        let zero = params.encode(&Weights::zeros(SHAPE));
        let run =
            |rule| train(&x, &y, &rule, &SIGNS, &params, &mut StdRng::seed_from_u64(1)).unwrap().apply_clear(&zero);
        let steps = run(Rule::LocalSteps { steps: 100_000, rate: 1.0 });
        let proximal = run(Rule::Proximal { rho: 1e-6, decay: 0.0 });
        for input in 0..4 {
            assert!((steps.value(input, 1) - proximal.value(input, 1)).abs() < 1e-2);
        }
    }

    /// With fewer examples than features there is a shorter way to the same map.
    #[test]
    fn both_ways_lead_to_the_same_map() {
        let (x, y) = (
            Mat::from_fn(5, 9, |i, j| ((i * 7 + j * 3) % 11) as f64 / 40.0),
            Mat::from_fn(5, 2, |i, j| (i + j) as f64),
        );
        for rule in [Rule::Proximal { rho: 0.01, decay: 0.004 }, Rule::LocalSteps { steps: 30, rate: 0.7 }] {
            let ((l, b), (l_too, b_too)) = (solve(&x, &y, &rule).unwrap(), solve_dual(&x, &y, &rule).unwrap());
            assert!((l - l_too).norm_max() < 1e-9 && (b - b_too).norm_max() < 1e-9, "{rule:?}");
        }
    }

    #[test]
    fn misfits_are_named() {
        let (x, y) = sample();
        let mut rounding = StdRng::seed_from_u64(1);
        let mut go = |x: &Features, y: &Targets, rule, shape| {
            train(x, y, &rule, &SIGNS, &Parameters::linear(shape).unwrap(), &mut rounding).unwrap_err()
        };
        let rule = Rule::Proximal { rho: 0.01, decay: 0.0 };
        let one = Shape { inputs: 4, outputs: 1 };
        assert!(matches!(go(&x, &Targets::Classes(vec![0]), rule, SHAPE), TrainError::Length { .. }));
        assert!(matches!(go(&x, &y, rule, Shape { inputs: 5, outputs: 2 }), TrainError::Features { .. }));
        assert!(matches!(go(&x, &y, rule, one), TrainError::Class { row: 1, class: 1, outputs: 1 }));
        assert_eq!(go(&x, &Targets::Values(vec![0.0; 20]), rule, SHAPE), TrainError::Outputs(2));
        assert_eq!(go(&x, &Targets::Values(vec![f64::NAN; 20]), rule, one), TrainError::Target(0));
        for bad in [Rule::Proximal { rho: f64::NAN, decay: 0.0 }, Rule::LocalSteps { steps: 0, rate: 0.5 }] {
            assert!(matches!(go(&x, &y, bad, SHAPE), TrainError::Rule { .. }));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        /// Saturation: whatever the data, the worst model within the bound cannot make the update wrap.
        #[test]
        fn saturation_never_wraps(
            values in prop::collection::vec(-1.0..1.0, 6..60),
            rho in prop::sample::select(vec![1e-6, 1e-3, 1.0]),
            seed in 0_u64..1000,
        ) {
            let rows = values.len() / 3;
            let x = features(values[..rows * 3].to_vec());
            let y = Targets::Classes((0..rows).map(|i| i % 2).collect());
            let params = Parameters::linear(SHAPE).unwrap();
            let update = train(&x, &y, &Rule::Proximal { rho, decay: 0.0 }, &SIGNS, &params, &mut StdRng::seed_from_u64(seed)).unwrap();
            let limit = params.update_radius() * params.update_scale();
            for (row, constants) in update.linear.chunks_exact(4).zip(update.constant.chunks_exact(2)) {
                let norm = row.iter().map(|&l| f64::from(l).powi(2)).sum::<f64>().sqrt();
                for &constant in constants {
                    let worst = norm * params.weight_radius() * params.weight_scale() + (constant as f64).abs();
                    prop_assert!(worst <= limit);
                }
            }
        }
    }
}
