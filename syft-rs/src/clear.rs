//! The clear twin of a campaign: the same procedure without encryption, to measure what encryption costs in accuracy.

use crate::affine::AffineUpdate;
use crate::evaluate::{Ladder, Validation, evaluate_window};
use crate::he::Parameters;
use crate::model::Weights;
use crate::units::Ppm;

/// Result of a campaign in the clear.
#[derive(Debug, Clone, PartialEq)]
pub struct ClearOutcome {
    /// The final model.
    pub best: Weights,
    /// Accuracy of the final model, not rounded to the grid.
    pub accuracy: Ppm,
    /// Number of windows that were evaluated.
    pub windows: u32,
    /// Number of updates that were accepted.
    pub accepts: u32,
}

/// Runs a campaign in the clear. In each window, every map is applied to the published model and the results are evaluated in the order given.
/// Ends when a window accepts nothing, the target is reached, or a limit is used up.
pub fn run(
    start: &Weights,
    updates: &[AffineUpdate],
    params: &Parameters,
    validation: &Validation,
    ladder: &Ladder,
    max_windows: u32,
    max_accepts: u32,
) -> ClearOutcome {
    let (mut best, mut best_ppm) = (start.clone(), ladder.start());
    let (mut windows, mut accepts) = (0, 0);
    while windows < max_windows && accepts < max_accepts && best_ppm < ladder.target() {
        let published = params.encode(&best);
        let candidates = updates.iter().map(|update| Some(update.apply_clear(&published)));
        let outcome = evaluate_window(&best, best_ppm, candidates, validation, ladder, max_accepts - accepts);
        windows += 1;
        accepts += outcome.accepts();
        let stalled = outcome.accepts() == 0;
        best_ppm = ladder.grid().value(outcome.best_step).unwrap_or(Ppm::ONE);
        best = outcome.best;
        if stalled {
            break;
        }
    }
    let accuracy = validation.accuracy(&best);
    ClearOutcome { best, accuracy, windows, accepts }
}
