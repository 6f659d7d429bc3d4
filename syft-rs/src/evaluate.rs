//! What the key holder decides about a window of updates, and all that it may say about them.

use crate::data::{DataError, Matrix, Targets};
use crate::features::Features;
use crate::he::Delta;
use crate::metric::{Metric, MetricError};
use crate::model::{Scores, Weights};
use crate::units::{Grid, GridStep, Ppm};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Step sizes that are tried, the greatest first.
pub const STEP_SIZES: [f64; 7] = [2.0, 1.0, 0.5, 0.25, 0.125, 0.0625, 0.03125];
/// Most accepts of one window, whatever the caller allows: after that the keys change.
const MOST_ACCEPTS: u32 = 4;

/// Accuracies that make no ladder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum LadderError {
    /// The start must be published on the grid.
    #[error("the starting accuracy {start} is not a multiple of the grid of {} ppm", .grid.ppm())]
    OffGrid {
        /// Start.
        start: Ppm,
        /// Grid.
        grid: Grid,
    },
    /// Nothing to reach.
    #[error("the target {target} must be above the starting accuracy {start}")]
    TargetNotAbove {
        /// Start.
        start: Ppm,
        /// Target.
        target: Ppm,
    },
}

/// The grid values from the starting accuracy upwards.
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

    /// The grid.
    pub const fn grid(&self) -> Grid {
        self.grid
    }

    /// The starting accuracy.
    pub const fn start(&self) -> Ppm {
        self.start
    }

    /// The accuracy at which the campaign ends.
    pub const fn target(&self) -> Ppm {
        self.target
    }

    /// Number of grid values above the start. An accept may jump over the target, so all of them count.
    pub const fn steps(&self) -> u64 {
        ((Ppm::ONE.get() - self.start.get()) / self.grid.ppm()) as u64
    }
}

/// A model that updates can be tried on.
pub trait Trainable: Clone {
    /// What it reads.
    type Inputs: Rows;
    /// What an update says, once it is in the clear.
    type Delta;

    /// The update of its shape that changes nothing.
    fn nothing(&self) -> Self::Delta;

    /// Whether an update has its shape, and is in range.
    fn takes(&self, delta: &Self::Delta) -> bool;

    /// The model so many times along an update.
    #[must_use]
    fn moved(&self, delta: &Self::Delta, size: f64) -> Self;

    /// What it says about examples.
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

/// The data scientist's examples, ready for evaluation.
#[derive(Debug, Clone, PartialEq)]
pub struct Validation<I = Features> {
    inputs: I,
    targets: Targets,
    metric: Metric,
}

/// Examples on which no model can be evaluated.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum ValidationError {
    /// The examples do not fit together.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The metric does not fit the targets.
    #[error(transparent)]
    Metric(#[from] MetricError),
}

impl<I: Rows> Validation<I> {
    /// Checks that there are examples, and that the metric can be computed on them and paid by.
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

    /// The metric that is paid by.
    pub const fn metric(&self) -> Metric {
        self.metric
    }

    /// The accuracy of a model, exact to the part per million.
    pub fn accuracy(&self, model: &impl Trainable<Inputs = I>) -> Ppm {
        // The constructor made sure that the metric fits, and a model that knows nothing is worth nothing.
        self.metric.ppm(&model.predict(&self.inputs), &self.targets).unwrap_or(Ppm::ZERO)
    }

    /// Any metric of a model on these examples.
    pub fn score(&self, model: &impl Trainable<Inputs = I>, metric: Metric) -> Result<f64, MetricError> {
        metric.score(&model.predict(&self.inputs), &self.targets)
    }
}

/// All that is said about an update that was decrypted. There is no reason for a refusal, and no difference between kinds of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ContentVerdict {
    /// Worse, equal, zero, garbage, or out of range.
    NotImproved,
    /// The best accuracy is now this many grid steps above zero.
    Accepted(GridStep),
}

/// What a window leads to.
#[derive(Debug, Clone, PartialEq)]
pub struct WindowOutcome<M = Weights> {
    /// One verdict a candidate, in the same order.
    pub verdicts: Vec<ContentVerdict>,
    /// The best model now.
    pub best: M,
    /// Its accuracy on the grid, as published.
    pub best_step: GridStep,
}

impl<M> WindowOutcome<M> {
    /// Number of accepts.
    pub fn accepts(&self) -> u32 {
        self.verdicts.iter().filter(|verdict| **verdict != ContentVerdict::NotImproved).count() as u32
    }
}

/// Tries the updates of a window on the best model, strictly in order. `best` is the model that was published, `best_ppm` its
/// accuracy on the grid; an update that could not be decoded is `None`. One update is asked for at a time, and dropped before the
/// next: they may be as large as the model.
///
/// Each candidate costs the same work whatever it contains and whatever came before it.
pub fn evaluate_window<M: Trainable>(
    best: &M,
    best_ppm: Ppm,
    candidates: impl IntoIterator<Item = Option<M::Delta>>,
    validation: &Validation<M::Inputs>,
    ladder: &Ladder,
    max_accepts: u32,
) -> WindowOutcome<M> {
    let mut state = State { best: best.clone(), step: best_ppm.steps(ladder.grid), accepts: 0 };
    let most = max_accepts.min(MOST_ACCEPTS);
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

/// The line search: the greatest step size among those with the best accuracy on the grid.
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
    use crate::features::{FeatureKind, FeatureMap};
    use crate::he::Parameters;
    use crate::shape::Shape;

    const SHAPE: Shape = Shape { inputs: 2, outputs: 2 };

    /// Ten examples on a line, class 1 from 0.4 upwards.
    fn validation() -> Validation {
        let raw = Matrix::new(10, 1, (0..10).map(|i| f64::from(i) / 10.0).collect()).unwrap();
        let features =
            FeatureMap::fit(&raw, &[(0.0, 1.0)], FeatureKind::Identity, None, 1).unwrap().apply(&raw).unwrap();
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
        let grid = Grid::DEFAULT;
        let ppm = |x| Ppm::new(x).unwrap();
        assert!(matches!(Ladder::new(grid, ppm(1), ppm(900_000)), Err(LadderError::OffGrid { .. })));
        assert!(matches!(Ladder::new(grid, ppm(5_000), ppm(5_000)), Err(LadderError::TargetNotAbove { .. })));
        assert_eq!(Ladder::new(grid, ppm(100_000), ppm(900_000)).unwrap().steps(), 180);
    }
}
