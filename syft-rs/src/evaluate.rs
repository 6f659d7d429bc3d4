//! How the key holder evaluates a window of updates, and everything that it may publish about them.
//!
//! [`evaluate_window`] tries each update on the best model with several step sizes and accepts it if the accuracy reaches a higher grid value of
//! the [`Ladder`]. It works on any [`Trainable`] model, so that linear models and networks follow the same rule.

use crate::data::{DataError, Matrix, Targets};
use crate::features::Features;
use crate::he::Delta;
use crate::metric::{Metric, MetricError};
use crate::model::{Scores, Weights};
use crate::units::{Grid, GridStep, Ppm};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Step sizes that are tried, in descending order.
pub const STEP_SIZES: [f64; 7] = [2.0, 1.0, 0.5, 0.25, 0.125, 0.0625, 0.03125];
/// Maximum number of accepted updates of a window, whatever the caller allows. The keys change after a window. The
/// contract has the same limit.
pub const MAX_ACCEPTS_PER_WINDOW: u32 = 4;

/// Accuracies that do not form a ladder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum LadderError {
    /// The start is not a grid value, so it cannot be published.
    #[error("the starting accuracy {start} is not a multiple of the grid of {} ppm", .grid.ppm())]
    OffGrid {
        /// Starting accuracy.
        start: Ppm,
        /// The grid.
        grid: Grid,
    },
    /// The target is not above the start.
    #[error("the target {target} must be above the starting accuracy {start}")]
    TargetNotAbove {
        /// Starting accuracy.
        start: Ppm,
        /// Target accuracy.
        target: Ppm,
    },
}

/// The grid values from the starting accuracy upwards, and the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ladder {
    grid: Grid,
    start: Ppm,
    target: Ppm,
}

impl Ladder {
    /// Checks that the start is on the grid and below the target.
    pub fn new(grid: Grid, start: Ppm, target: Ppm) -> Result<Self, LadderError> {
        if !start.is_on(grid) {
            return Err(LadderError::OffGrid { start, grid });
        }
        if target <= start {
            return Err(LadderError::TargetNotAbove { start, target });
        }
        Ok(Self { grid, start, target })
    }

    /// The step in which accuracies are published.
    pub const fn grid(&self) -> Grid {
        self.grid
    }

    /// The starting accuracy, a grid value.
    pub const fn start(&self) -> Ppm {
        self.start
    }

    /// The accuracy at which the campaign ends.
    pub const fn target(&self) -> Ppm {
        self.target
    }

    /// Number of grid values above the start, up to 100 %. All of them count, because an accept may jump over the target.
    pub const fn steps(&self) -> u64 {
        ((Ppm::ONE.get() - self.start.get()) / self.grid.ppm()) as u64
    }
}

/// A model on which updates can be tried.
pub trait Trainable: Clone {
    /// Examples that the model reads.
    type Inputs: Rows;
    /// A decrypted update.
    type Delta;

    /// The update that changes nothing.
    fn nothing(&self) -> Self::Delta;

    /// Whether an update has the shape of this model and is in range.
    fn takes(&self, delta: &Self::Delta) -> bool;

    /// The model moved by `size` times an update.
    #[must_use]
    fn moved(&self, delta: &Self::Delta, size: f64) -> Self;

    /// One row of scores per example.
    fn predict(&self, inputs: &Self::Inputs) -> Scores;
}

/// Examples without their targets.
pub trait Rows {
    /// Number of examples.
    fn rows(&self) -> usize;
}

impl Rows for Features {
    fn rows(&self) -> usize {
        self.rows()
    }
}

impl Rows for Matrix {
    fn rows(&self) -> usize {
        self.rows()
    }
}

impl Trainable for Weights {
    type Inputs = Features;
    type Delta = Delta;

    fn nothing(&self) -> Delta {
        Delta::zeros(self.shape())
    }

    fn takes(&self, delta: &Delta) -> bool {
        delta.shape() == self.shape() && delta.is_in_range()
    }

    fn moved(&self, delta: &Delta, size: f64) -> Self {
        let values = self.values().iter().zip(delta.values()).map(|(weight, change)| weight + size * change);
        Self::project(self.shape(), values.collect())
    }

    fn predict(&self, inputs: &Features) -> Scores {
        self.predict(inputs)
    }
}

/// The data scientist's validation examples, with the metric that the campaign pays by.
#[derive(Debug, Clone, PartialEq)]
pub struct Validation<I = Features> {
    inputs: I,
    targets: Targets,
    metric: Metric,
}

/// Validation examples that cannot be used.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum ValidationError {
    /// Examples and targets do not fit together.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The metric does not fit the targets.
    #[error(transparent)]
    Metric(#[from] MetricError),
}

impl<I: Rows> Validation<I> {
    /// Checks that there are examples, that the metric fits their targets, and that a campaign can pay by it.
    pub fn new(inputs: I, targets: Targets, metric: Metric) -> Result<Self, ValidationError> {
        let rows = inputs.rows();
        if rows == 0 {
            return Err(DataError::Empty.into());
        }
        if rows != targets.len() {
            return Err(DataError::Targets { rows, targets: targets.len() }.into());
        }
        if !metric.is_payable() {
            return Err(MetricError::NotPayable(metric).into());
        }
        metric.ppm(&Scores::new(1, vec![0.0; rows]), &targets)?;
        Ok(Self { inputs, targets, metric })
    }

    /// Number of examples.
    pub fn rows(&self) -> usize {
        self.targets.len()
    }

    /// The metric that the campaign pays by.
    pub const fn metric(&self) -> Metric {
        self.metric
    }

    /// The accuracy of a model, exact to one part per million.
    pub fn accuracy(&self, model: &impl Trainable<Inputs = I>) -> Ppm {
        let scores = model.predict(&self.inputs);
        self.metric.ppm(&scores, &self.targets).expect("the constructor computed this metric on these targets")
    }

    /// The scores of a model on these examples, and the targets that they are compared with.
    pub fn compare(&self, model: &impl Trainable<Inputs = I>) -> (Scores, &Targets) {
        (model.predict(&self.inputs), &self.targets)
    }

    /// Any metric of a model on these examples. Fails if the metric does not fit the targets.
    pub fn score(&self, model: &impl Trainable<Inputs = I>, metric: Metric) -> Result<f64, MetricError> {
        metric.score(&model.predict(&self.inputs), &self.targets)
    }
}

/// Everything that is published about a decrypted update. A refusal has no reason, so that all refusals look alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ContentVerdict {
    /// The update is worse, equal, zero, garbage or out of range.
    NotImproved,
    /// The update is accepted; the best accuracy is now this number of grid steps above zero.
    Accepted(GridStep),
}

/// Result of a window.
#[derive(Debug, Clone, PartialEq)]
pub struct WindowOutcome<M = Weights> {
    /// One verdict per candidate, in the order of the candidates.
    pub verdicts: Vec<ContentVerdict>,
    /// The best model after the window.
    pub best: M,
    /// Accuracy of the best model on the grid, as published.
    pub best_step: GridStep,
}

impl<M> WindowOutcome<M> {
    /// Number of accepted updates.
    pub fn accepts(&self) -> u32 {
        self.verdicts.iter().filter(|verdict| **verdict != ContentVerdict::NotImproved).count() as u32
    }
}

/// Tries the updates of a window on the best model, strictly in order.
///
/// `best` is the published model and `best_ppm` its accuracy on the grid. A candidate that could not be decoded is `None`. Candidates are taken
/// from the iterator one at a time and dropped before the next, because each can be as large as the model.
///
/// Each candidate costs the same work whatever it contains and whatever came before it, so that timing discloses nothing.
pub fn evaluate_window<M: Trainable>(
    best: &M,
    best_ppm: Ppm,
    candidates: impl IntoIterator<Item = Option<M::Delta>>,
    validation: &Validation<M::Inputs>,
    ladder: &Ladder,
    max_accepts: u32,
) -> WindowOutcome<M> {
    let mut state = State { best: best.clone(), step: best_ppm.steps(ladder.grid), accepts: 0 };
    let most = max_accepts.min(MAX_ACCEPTS_PER_WINDOW);
    let judge = |candidate: Option<M::Delta>| {
        let usable = candidate.filter(|delta| best.takes(delta)).unwrap_or_else(|| best.nothing());
        let (step, trial) = best_trial(&state.best, &usable, validation, ladder.grid);
        let open = state.accepts < most && state.reached(ladder) < ladder.target;
        if open && step > state.step {
            state = State { best: trial, step, accepts: state.accepts + 1 };
            ContentVerdict::Accepted(step)
        } else {
            ContentVerdict::NotImproved
        }
    };
    let verdicts = candidates.into_iter().map(judge).collect();
    WindowOutcome { verdicts, best: state.best, best_step: state.step }
}

struct State<M> {
    best: M,
    step: GridStep,
    accepts: u32,
}

impl<M> State<M> {
    fn reached(&self, ladder: &Ladder) -> Ppm {
        ladder.grid.value(self.step).unwrap_or(Ppm::ONE)
    }
}

/// The line search: among the step sizes with the best accuracy on the grid, the greatest.
fn best_trial<M: Trainable>(
    best: &M,
    delta: &M::Delta,
    validation: &Validation<M::Inputs>,
    grid: Grid,
) -> (GridStep, M) {
    let trial = |size: f64| {
        let model = best.moved(delta, size);
        (validation.accuracy(&model).steps(grid), model)
    };
    let first = trial(STEP_SIZES[0]);
    STEP_SIZES[1..].iter().map(|&size| trial(size)).fold(first, |best, next| if next.0 > best.0 { next } else { best })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::{FeatureKind, FeatureMap, SeedIndex};
    use crate::he::Parameters;
    use crate::shape::Shape;

    const SHAPE: Shape = Shape { inputs: 2, outputs: 2 };

    /// Ten examples on a line, class 1 from 0.4 upwards.
    fn validation() -> Validation {
        let raw = Matrix::new(10, 1, (0..10).map(|i| f64::from(i) / 10.0).collect()).unwrap();
        let features = FeatureMap::fit(&raw, &[(0.0, 1.0)], FeatureKind::Identity, None, SeedIndex::default())
            .unwrap()
            .apply(&raw)
            .unwrap();
        let targets = Targets::Classes((0..10).map(|i| usize::from(i >= 4)).collect());
        Validation::new(features, targets, Metric::Accuracy).unwrap()
    }

    fn ladder(target: u32) -> Ladder {
        let grid = Grid::for_rows(100_000, 10).unwrap();
        Ladder::new(grid, Ppm::new(400_000).unwrap(), Ppm::new(target).unwrap()).unwrap()
    }

    fn delta(values: [f64; 4]) -> Option<Delta> {
        let scale = Parameters::linear(SHAPE).unwrap().update_scale();
        Some(Delta::from_raw(SHAPE, scale, values.iter().map(|x| (x * scale) as i64).collect()))
    }

    fn run(candidates: &[Option<Delta>], target: u32, most: u32) -> WindowOutcome {
        let best = Weights::zeros(SHAPE);
        evaluate_window(&best, Ppm::new(400_000).unwrap(), candidates.to_vec(), &validation(), &ladder(target), most)
    }

    /// Says class 1 to all: 0.6. And the true boundary: 1.0.
    const SOME: [f64; 4] = [0.0, 0.0, 0.0, 0.1];
    const RIGHT: [f64; 4] = [-0.5, 0.5, -0.1, 0.1];

    #[test]
    fn content_reject_uniform() {
        let raw = |word: i64| Some(Delta::from_raw(SHAPE, 61_f64.exp2(), vec![word; 4]));
        let garbage = [
            None,
            raw(0),
            raw(i64::MIN),
            raw(i64::MAX),
            raw(1 << 62 | 12345),
            delta([-3.9, 3.9, 3.9, -3.9].map(|x| -x * 0.1)).filter(|_| false),
            delta([0.5, -0.5, 0.1, -0.1]),
            Some(Delta::from_raw(Shape { inputs: 3, outputs: 2 }, 61_f64.exp2(), vec![1; 6])),
        ];
        for candidate in garbage {
            let outcome = run(&[candidate], 1_000_000, 4);
            assert_eq!(outcome, run(&[None], 1_000_000, 4), "refusals must not differ");
            assert_eq!(outcome.verdicts, [ContentVerdict::NotImproved]);
        }
    }

    #[test]
    fn strictly_in_order_and_each_pays_its_own_step() {
        let outcome = run(&[None, delta(SOME), delta(RIGHT), delta(RIGHT)], 1_000_000, 4);
        let accepted = |step| ContentVerdict::Accepted(GridStep(step));
        assert_eq!(outcome.verdicts[0], ContentVerdict::NotImproved);
        assert_eq!(outcome.verdicts[1], accepted(6));
        assert!(matches!(outcome.verdicts[2], ContentVerdict::Accepted(GridStep(7..=10))));
        assert_eq!(validation().accuracy(&outcome.best).steps(ladder(1_000_000).grid()), outcome.best_step);
    }

    #[test]
    fn nothing_after_the_target_or_the_last_accept() {
        let candidates = [delta(SOME), delta(RIGHT)];
        assert_eq!(run(&candidates, 600_000, 4).verdicts[1], ContentVerdict::NotImproved);
        assert_eq!(run(&candidates, 1_000_000, 1).verdicts[1], ContentVerdict::NotImproved);
        assert_eq!(run(&candidates, 1_000_000, 0).accepts(), 0);
    }

    #[test]
    fn less_than_a_grid_step_is_not_improved() {
        let best = Weights::new(SHAPE, &SOME).unwrap();
        let ladder = ladder(1_000_000);
        let outcome = evaluate_window(&best, Ppm::new(600_000).unwrap(), [delta(SOME)], &validation(), &ladder, 4);
        assert_eq!((outcome.accepts(), outcome.best), (0, best));
    }

    #[test]
    fn senseless_ladders_are_refused() {
        let grid = Grid::new(5_000).unwrap();
        let ppm = |x| Ppm::new(x).unwrap();
        assert!(matches!(Ladder::new(grid, ppm(1), ppm(900_000)), Err(LadderError::OffGrid { .. })));
        assert!(matches!(Ladder::new(grid, ppm(5_000), ppm(5_000)), Err(LadderError::TargetNotAbove { .. })));
        assert_eq!(Ladder::new(grid, ppm(100_000), ppm(900_000)).unwrap().steps(), 180);
    }
}
