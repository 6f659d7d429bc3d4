//! A Mine's training, in closed form: one affine map `W -> L·W + B` that is found in the clear from its own data.
//!
//! Training with squared loss by a [`Rule`] is linear in the model `W`. `solve` finds `L` and `B` through the eigenvalues of the Gram matrix,
//! [`MapNoise`] makes them private, and [`AffineUpdate`] rounds them to fixed point.

use crate::affine::AffineUpdate;
use crate::data::Targets;
use crate::features::Features;
use crate::he::Parameters;
use crate::privacy::{MapNoise, PrivacyError, Zcdp};
use crate::rule::{Labels, Rule, RuleError};
use crate::shape::Shape;
use faer::{Mat, Side};
use rand::{CryptoRng, Rng};
use thiserror::Error;

/// Training data or constants that cannot be used.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum TrainError {
    /// There are no examples.
    #[error("there are no examples to train on")]
    Empty,
    /// Features and targets differ in number.
    #[error("{rows} rows of features but {targets} targets")]
    Length {
        /// Rows of features.
        rows: usize,
        /// Number of targets.
        targets: usize,
    },
    /// The data has another number of features than the model.
    #[error("the data has {have} features, the model has {need}")]
    Features {
        /// Features given, the constant one included.
        have: usize,
        /// Inputs of the model.
        need: usize,
    },
    /// A class without an output.
    #[error("row {row} has class {class}, but the model has {outputs} outputs")]
    Class {
        /// Index of the row, from 0.
        row: usize,
        /// Index of its class.
        class: usize,
        /// Outputs of the model.
        outputs: usize,
    },
    /// Numeric targets for a model with several outputs.
    #[error("a regression has one output, the model has {0}")]
    Outputs(usize),
    /// A target outside [-1, 1].
    #[error("the target of row {0} is not in [-1, 1]: apply the campaign's target map first")]
    Target(usize),
    /// A constant of rule or labels is outside its range.
    #[error(transparent)]
    Rule(#[from] RuleError),
    /// The noise for the requested privacy leaves nothing to learn.
    #[error(transparent)]
    Privacy(#[from] PrivacyError),
    /// The decomposition did not converge, which finite data should never cause.
    #[error("the eigendecomposition of the data's Gram matrix did not converge")]
    Decomposition,
}

/// Finds a Mine's affine map.
///
/// `rounding` makes the rounding of `L` unbiased. The result obeys `|L·W + B| <= R_D` for every model whose columns have norm at most `R_W`:
/// where the data exceeds this, `L` and `B` shrink together, so nothing outside depends on the data.
pub fn train(
    features: &Features,
    targets: &Targets,
    rule: &Rule,
    labels: &Labels,
    params: &Parameters,
    rounding: &mut impl Rng,
) -> Result<AffineUpdate, TrainError> {
    let (linear, constant) = affine(features, targets, rule, labels, params.shape())?;
    Ok(AffineUpdate::quantise(&linear, &constant, params, rounding))
}

/// Finds a Mine's affine map and adds noise, so that the map and everything that is computed from it cost at most `cost`.
///
/// Nobody else may be able to predict or repeat `coins`. Fails as [`train`] does, and if the noise would be larger than an update may be.
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
    Ok(AffineUpdate::quantise(&linear, &constant, params, coins))
}

/// `L` and `B` before rounding, exact except for floating point.
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

/// One column per output: the score that each class should have, or the number itself.
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

/// `L` and `B` from the eigenvalues of the Gram matrix `G = XᵀX/m = U·w·Uᵀ`, which lie in [0, 1] because rows have norm at most one:
/// `L = -U·moved(w)·Uᵀ` and `B = U·gain(w)·Uᵀ·XᵀY/m`.
fn solve(x: &Mat<f64>, y: &Mat<f64>, rule: &Rule) -> Result<(Mat<f64>, Mat<f64>), TrainError> {
    let count = x.nrows() as f64;
    let (basis, filters) = decompose(&(x.transpose() * x * faer::Scale(1.0 / count)), rule)?;
    let moment = basis.transpose() * (x.transpose() * y) * faer::Scale(1.0 / count);
    let moved = scale_rows(basis.transpose().to_owned(), |row| -filters[row].0);
    Ok((&basis * moved, &basis * scale_rows(moment, |row| filters[row].1)))
}

/// The same for fewer examples than features, through the smaller matrix `XXᵀ/m = V·w·Vᵀ`. With `Z = Vᵀ·X`:
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

/// Per eigenvalue of the Gram matrix: the eigenvalues of `-L` and of the map from M to B.
type Filters = Vec<(f64, f64)>;

/// Eigenvectors of a matrix with eigenvalues in [0, 1], and the filters of the rule for these.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Matrix;
    use crate::features::{FeatureKind, FeatureMap, SeedIndex};
    use crate::model::Weights;
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    const SHAPE: Shape = Shape { inputs: 4, outputs: 2 };
    const SIGNS: Labels = Labels { right: 1.0, wrong: -1.0 };

    fn features(values: Vec<f64>) -> Features {
        let raw = Matrix::new(values.len() / 3, 3, values).unwrap();
        FeatureMap::fit(&raw, &[(-1.0, 1.0); 3], FeatureKind::Identity, None, SeedIndex::default())
            .unwrap()
            .apply(&raw)
            .unwrap()
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
            assert!(matches!(go(&x, &y, bad, SHAPE), TrainError::Rule(_)));
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
            for (row, constants) in update.linear().chunks_exact(4).zip(update.constant().chunks_exact(2)) {
                let norm = row.iter().map(|&l| f64::from(l).powi(2)).sum::<f64>().sqrt();
                for &constant in constants {
                    let worst = norm * params.weight_radius() * params.weight_scale() + (constant as f64).abs();
                    prop_assert!(worst <= limit);
                }
            }
        }
    }
}
