//! How much the public transcript of a campaign can say, and the meter that stops it.

use crate::evaluate::Ladder;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// What a campaign should stay within.
pub const USUAL_BITS: f64 = 256.0;
/// What no campaign may exceed.
pub const HARD_BITS: f64 = 384.0;
/// Nor more than this many bits a weight.
pub const BITS_PER_WEIGHT: f64 = 1.5;
/// Models below this many weights cannot honestly be called secret.
pub const LEAST_SECRET_WEIGHTS: usize = 300;

/// `log2 Σ_{i<=a} C(N,i)·C(U,i)`: which of N submissions were accepted, and at which of U grid steps.
pub fn transcript_bits(submissions: u64, accepts: u64, steps: u64) -> f64 {
    let mut term = 0.0_f64;
    let mut total = 0.0_f64;
    for i in 0..accepts.min(submissions).min(steps) {
        let ways = (submissions - i) as f64 * (steps - i) as f64 / ((i + 1) as f64).powi(2);
        term += ways.log2();
        // log2(2^total + 2^term) without leaving the range of a float.
        let (most, least) = if total > term { (total, term) } else { (term, total) };
        total = most + (least - most).exp2().ln_1p() / std::f64::consts::LN_2;
    }
    total
}

/// True when a model is so small that even the bounded transcript says too much about it.
pub const fn not_secret(weights: usize) -> bool {
    weights < LEAST_SECRET_WEIGHTS
}

/// Most submissions that are evaluated and most accepts of a campaign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Submissions.
    pub submissions: u64,
    /// Accepts.
    pub accepts: u32,
}

impl Limits {
    /// The bits that a campaign with these limits can say at most.
    pub fn bits(&self, ladder: &Ladder) -> f64 {
        transcript_bits(self.submissions, u64::from(self.accepts), ladder.steps())
    }
}

/// Limits that cannot be kept, or a window that would break them.
#[derive(Debug, Clone, Copy, PartialEq, Error)]
pub enum BudgetError {
    /// The campaign could say too much.
    #[error(
        "{submissions} submissions with {accepts} accepts can say {bits:.0} bits; this model allows {allowed:.0}: lower the limits or coarsen the grid"
    )]
    TooMuch {
        /// Submissions.
        submissions: u64,
        /// Accepts.
        accepts: u32,
        /// Bits that they can say.
        bits: f64,
        /// Bits allowed.
        allowed: f64,
    },
    /// The submissions are used up.
    #[error("the leak budget allows {remaining} more submissions, the window has {window}")]
    Submissions {
        /// Still allowed.
        remaining: u64,
        /// In the window.
        window: u64,
    },
    /// The accepts are used up.
    #[error("the leak budget allows no more accepts")]
    Accepts,
    /// Windows must be begun and finished in turn.
    #[error("window {have} is out of turn: {expected} is next")]
    OutOfTurn {
        /// Window given.
        have: u64,
        /// Window expected.
        expected: u64,
    },
    /// A window came back with other numbers than before.
    #[error("window {0} was recorded with other numbers")]
    Contradiction(u64),
}

/// The bits that a model of so many weights may leak in a campaign, with the usual limit.
fn allowed(weights: usize, usual: f64) -> f64 {
    usual.min(BITS_PER_WEIGHT * weights as f64)
}

/// Limits that fit the budget of a model: as many submissions as leave room for some accepts, then as many accepts as fit.
pub fn default_limits(weights: usize, ladder: &Ladder) -> Limits {
    const SUBMISSIONS: [u64; 11] = [10_000, 5_000, 2_000, 1_000, 500, 200, 100, 50, 20, 10, 5];
    const MOST_ACCEPTS: u32 = 20;
    let allowed = allowed(weights, USUAL_BITS);
    let fits = |submissions, accepts| Limits { submissions, accepts }.bits(ladder) <= allowed;
    for wanted in [8, 4, 2, 1] {
        if let Some(submissions) = SUBMISSIONS.into_iter().find(|&submissions| fits(submissions, wanted)) {
            let accepts = (wanted..=MOST_ACCEPTS).rev().find(|&accepts| fits(submissions, accepts)).unwrap_or(wanted);
            return Limits { submissions, accepts };
        }
    }
    Limits { submissions: 1, accepts: 1 }
}

/// A window under evaluation, or the last one that was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Window {
    index: u64,
    submissions: u64,
    /// Accepts that were left when it began.
    allowance: u32,
    /// None while it is under evaluation.
    accepts: Option<u32>,
}

/// What a campaign has said so far. A window is recorded before its first update is decrypted, so that no crash can hide one;
/// recording the same window again changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeakMeter {
    limits: Limits,
    steps: u64,
    submissions: u64,
    accepts: u32,
    last: Option<Window>,
}

impl LeakMeter {
    /// A meter for a campaign; refuses limits that could say more than the model allows.
    pub fn new(weights: usize, ladder: &Ladder, limits: Limits) -> Result<Self, BudgetError> {
        let bits = limits.bits(ladder);
        let allowed = allowed(weights, HARD_BITS);
        if bits > allowed {
            return Err(BudgetError::TooMuch {
                submissions: limits.submissions,
                accepts: limits.accepts,
                bits,
                allowed,
            });
        }
        Ok(Self { limits, steps: ladder.steps(), submissions: 0, accepts: 0, last: None })
    }

    /// Records that the submissions of a window are about to be decrypted; gives the accepts that it may have.
    ///
    /// Submissions refused by protocol count too when given. Windows are numbered upwards from any number.
    pub fn begin(&mut self, window: u64, submissions: u64) -> Result<u32, BudgetError> {
        if let Some(last) = self.last {
            if last.index == window {
                let same = last.submissions == submissions;
                return if same { Ok(last.allowance) } else { Err(BudgetError::Contradiction(window)) };
            }
            if last.accepts.is_none() {
                return Err(BudgetError::OutOfTurn { have: window, expected: last.index });
            }
            if window < last.index {
                return Err(BudgetError::OutOfTurn { have: window, expected: last.index + 1 });
            }
        }
        let allowance = self.remaining_accepts();
        if allowance == 0 {
            return Err(BudgetError::Accepts);
        }
        if submissions > self.remaining_submissions() {
            return Err(BudgetError::Submissions { remaining: self.remaining_submissions(), window: submissions });
        }
        self.submissions += submissions;
        self.last = Some(Window { index: window, submissions, allowance, accepts: None });
        Ok(allowance)
    }

    /// Records what a window led to.
    pub fn finish(&mut self, window: u64, accepts: u32) -> Result<(), BudgetError> {
        let expected = self.last.map_or(0, |last| last.index);
        let Some(last) = self.last.as_mut().filter(|last| last.index == window) else {
            return Err(BudgetError::OutOfTurn { have: window, expected });
        };
        match last.accepts {
            Some(before) if before == accepts => Ok(()),
            None if accepts <= last.allowance && u64::from(accepts) <= last.submissions => {
                last.accepts = Some(accepts);
                self.accepts += accepts;
                Ok(())
            }
            _ => Err(BudgetError::Contradiction(window)),
        }
    }

    /// The limits of the campaign.
    pub const fn limits(&self) -> Limits {
        self.limits
    }

    /// Submissions evaluated so far.
    pub const fn submissions(&self) -> u64 {
        self.submissions
    }

    /// Accepts so far.
    pub const fn accepts(&self) -> u32 {
        self.accepts
    }

    /// Submissions that may still be evaluated.
    pub const fn remaining_submissions(&self) -> u64 {
        self.limits.submissions.saturating_sub(self.submissions)
    }

    /// Accepts that may still happen.
    pub const fn remaining_accepts(&self) -> u32 {
        self.limits.accepts.saturating_sub(self.accepts)
    }

    /// True when nothing more may be evaluated: the campaign closes.
    pub const fn is_spent(&self) -> bool {
        self.remaining_submissions() == 0 || self.remaining_accepts() == 0
    }

    /// Bits that transcripts with as many submissions and accepts can carry.
    pub fn bits_spent(&self) -> f64 {
        transcript_bits(self.submissions, u64::from(self.accepts), self.steps)
    }

    /// Bits that the whole campaign can carry within its limits.
    pub fn bits_allowed(&self) -> f64 {
        transcript_bits(self.limits.submissions, u64::from(self.limits.accepts), self.steps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::{Grid, Ppm};
    use proptest::prelude::*;
    use std::collections::HashSet;

    fn ladder(start: u32, grid: u32) -> Ladder {
        Ladder::new(Grid::new(grid).unwrap(), Ppm::new(start).unwrap(), Ppm::ONE).unwrap()
    }

    const DIGITS: usize = 65 * 10;
    const CANCER: usize = 31 * 2;

    #[test]
    fn bits_agree_with_the_published_table() {
        let table = [
            (50, 1_000, [93, 127, 157, 183, 207]),
            (50, 10_000, [120, 167, 210, 250, 287]),
            (200, 10_000, [137, 193, 245, 295, 342]),
            (200, 100_000, [163, 233, 299, 361, 422]),
        ];
        for (steps, submissions, row) in table {
            for (accepts, bits) in [8, 12, 16, 20, 24].into_iter().zip(row) {
                let exact = transcript_bits(submissions, accepts, steps);
                assert!((exact - f64::from(bits)).abs() <= 1.0, "{steps} {submissions} {accepts}: {exact} {bits}");
            }
        }
        assert_eq!(transcript_bits(0, 5, 5), 0.0);
        assert_eq!(transcript_bits(1, 1, 1), 1.0);
    }

    #[test]
    fn default_limits_fit_the_model() {
        for (weights, ladder) in [
            (DIGITS, ladder(100_000, 5_000)),
            (DIGITS, ladder(0, 1_000)),
            (CANCER, ladder(372_000, 6_000)),
            (2, ladder(0, 1_000)),
        ] {
            let limits = default_limits(weights, &ladder);
            let bits = limits.bits(&ladder);
            assert!(bits <= USUAL_BITS && bits <= (BITS_PER_WEIGHT * weights as f64).max(12.0));
            assert!(limits.accepts >= 1 && limits.submissions >= 1);
        }
        let digits = default_limits(DIGITS, &ladder(100_000, 5_000));
        assert!(digits.submissions == 10_000 && digits.accepts >= 16);
        assert!(not_secret(CANCER) && !not_secret(DIGITS));
    }

    #[test]
    fn too_much_is_refused() {
        let limits = Limits { submissions: 10_000, accepts: 16 };
        assert!(LeakMeter::new(DIGITS, &ladder(0, 5_000), limits).is_ok());
        assert!(matches!(LeakMeter::new(CANCER, &ladder(0, 5_000), limits), Err(BudgetError::TooMuch { .. })));
    }

    #[test]
    fn a_crash_neither_hides_nor_repeats_a_window() {
        let limits = Limits { submissions: 10, accepts: 3 };
        let mut meter = LeakMeter::new(DIGITS, &ladder(0, 5_000), limits).unwrap();
        assert_eq!(meter.begin(0, 6), Ok(3));
        let mut meter: LeakMeter = serde_json::from_str(&serde_json::to_string(&meter).unwrap()).unwrap();
        assert_eq!(meter.begin(0, 6), Ok(3));
        assert_eq!(meter.begin(0, 5), Err(BudgetError::Contradiction(0)));
        assert_eq!(meter.begin(1, 1), Err(BudgetError::OutOfTurn { have: 1, expected: 0 }));
        meter.finish(0, 2).unwrap();
        meter.finish(0, 2).unwrap();
        assert_eq!(meter.finish(0, 1), Err(BudgetError::Contradiction(0)));
        assert_eq!((meter.submissions(), meter.accepts()), (6, 2));
        assert_eq!(meter.begin(1, 5), Err(BudgetError::Submissions { remaining: 4, window: 5 }));
        assert_eq!(meter.begin(1, 4), Ok(1));
        assert_eq!(meter.finish(1, 2), Err(BudgetError::Contradiction(1)));
        meter.finish(1, 1).unwrap();
        assert!(meter.is_spent());
        assert_eq!(meter.begin(2, 0), Err(BudgetError::Accepts));
    }

    /// Everything a campaign can say: for each submission nothing or a step above the last one.
    fn transcripts(limits: Limits, steps: u64) -> HashSet<Vec<u64>> {
        let mut all = HashSet::from([vec![]]);
        for _ in 0..limits.submissions {
            all = all
                .into_iter()
                .flat_map(|said: Vec<u64>| {
                    let best = said.iter().copied().max().unwrap_or(0);
                    let accepts = said.iter().filter(|step| **step > 0).count() as u32;
                    let highest = if accepts < limits.accepts { steps } else { best };
                    let next = std::iter::once(0).chain(best + 1..=highest);
                    next.map(move |step| said.iter().copied().chain([step]).collect()).collect::<Vec<_>>()
                })
                .collect();
        }
        all
    }

    proptest! {
        #[test]
        fn budget_meter(submissions in 0_u64..6, accepts in 0_u32..5, steps in 0_u64..6) {
            let count = transcripts(Limits { submissions, accepts }, steps).len() as f64;
            let bits = transcript_bits(submissions, u64::from(accepts), steps);
            prop_assert!((count.log2() - bits).abs() < 1e-9);
        }

        #[test]
        fn the_meter_never_passes_its_limits(windows in prop::collection::vec((0_u64..9, 0_u32..5), 0..30)) {
            let limits = Limits { submissions: 40, accepts: 7 };
            let mut meter = LeakMeter::new(DIGITS, &ladder(0, 5_000), limits).unwrap();
            for (index, (submissions, accepts)) in windows.into_iter().enumerate() {
                if let Ok(allowance) = meter.begin(index as u64, submissions) {
                    meter.finish(index as u64, accepts.min(allowance).min(submissions as u32)).unwrap();
                }
                prop_assert!(meter.submissions() <= 40 && meter.accepts() <= 7);
                prop_assert!(meter.bits_spent() <= meter.bits_allowed());
            }
        }
    }
}
