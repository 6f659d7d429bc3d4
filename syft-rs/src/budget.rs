//! The leak budget: how many bits the public transcript of a campaign can disclose about the model, and the meter that enforces the limit.
//!
//! The transcript is the sequence of verdicts, so [`transcript_bits`] counts the possible sequences. [`Limits`] on submissions and accepts keep
//! the count within the budget; [`LeakMeter`] counts them down window by window, and survives crashes.

use crate::evaluate::Ladder;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Bits that the default limits of a campaign may disclose.
pub const USUAL_BITS: f64 = 256.0;
/// Most bits that any campaign may disclose.
pub const HARD_BITS: f64 = 384.0;
/// Most bits that a campaign may disclose per weight of its model.
pub const BITS_PER_WEIGHT: f64 = 1.5;
/// Fewest weights of a model that can be called secret.
pub const LEAST_SECRET_WEIGHTS: usize = 300;

/// Bits of a transcript: `log2 Σ_{i<=a} C(N,i)·C(U,i)`, for N submissions, at most `a` accepts, and U grid steps that an accept can reach.
pub fn transcript_bits(submissions: u64, accepts: u64, steps: u64) -> f64 {
    let mut term = 0.0_f64;
    let mut total = 0.0_f64;
    for i in 0..accepts.min(submissions).min(steps) {
        let ways = (submissions - i) as f64 * (steps - i) as f64 / ((i + 1) as f64).powi(2);
        term += ways.log2();
        // log2(2^total + 2^term) without leaving the range of `f64`.
        let (most, least) = if total > term { (total, term) } else { (term, total) };
        total = most + (least - most).exp2().ln_1p() / std::f64::consts::LN_2;
    }
    total
}

/// True when a model has so few weights that even a bounded transcript discloses too much of it.
pub const fn not_secret(weights: usize) -> bool {
    weights < LEAST_SECRET_WEIGHTS
}

/// Limits of a campaign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Most submissions that are evaluated.
    pub submissions: u64,
    /// Most submissions that are accepted.
    pub accepts: u32,
}

impl Limits {
    /// The most bits that a campaign with these limits can disclose.
    pub fn bits(&self, ladder: &Ladder) -> f64 {
        transcript_bits(self.submissions, u64::from(self.accepts), ladder.steps())
    }
}

/// Limits beyond the budget, or a window that would exceed the limits.
#[derive(Debug, Clone, Copy, PartialEq, Error)]
pub enum BudgetError {
    /// The limits allow more bits than the budget.
    #[error(
        "{submissions} submissions with {accepts} accepts can disclose {bits:.0} bits, but this model allows {allowed:.0}: lower the limits or choose a coarser grid"
    )]
    TooMuch {
        /// Limit on submissions.
        submissions: u64,
        /// Limit on accepts.
        accepts: u32,
        /// Bits that these limits can disclose.
        bits: f64,
        /// The budget in bits.
        allowed: f64,
    },
    /// The window has more submissions than are left.
    #[error("the leak budget allows {remaining} more submissions, the window has {window}")]
    Submissions {
        /// Submissions that are left.
        remaining: u64,
        /// Submissions of the window.
        window: u64,
    },
    /// No accepts are left.
    #[error("the leak budget allows no more accepts")]
    Accepts,
    /// Windows are begun and finished in order, one at a time.
    #[error("window {have} is out of turn: {expected} is next")]
    OutOfTurn {
        /// Index of the window given.
        have: u64,
        /// Index of the window expected.
        expected: u64,
    },
    /// A window that was recorded before has other numbers now.
    #[error("window {0} was recorded with other numbers")]
    Contradiction(u64),
}

/// Bits that a model may leak in a campaign: `usual`, or less if it has few weights.
fn allowed(weights: usize, usual: f64) -> f64 {
    usual.min(BITS_PER_WEIGHT * weights as f64)
}

/// Limits within the budget of a model: the most submissions that leave room for some accepts, then the most accepts that fit.
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

/// The window under evaluation, or the last one that was evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Window {
    index: u64,
    submissions: u64,
    /// Accepts that were left when the window began.
    allowance: u32,
    /// None while the window is under evaluation.
    accepts: Option<u32>,
}

/// Counts what a campaign has disclosed. A window is recorded before its first update is decrypted, so a crash cannot hide it; recording the
/// same window again changes nothing.
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
    /// Starts a meter. Fails if the limits can disclose more than the hard budget of the model.
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

    /// Records that the submissions of a window are about to be decrypted, and returns the number of accepts that it may have.
    ///
    /// `submissions` includes those that are refused by protocol. Window indices ascend and may start anywhere.
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

    /// Records the number of accepts of a window.
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

    /// Counts verdicts that were published without this meter, by a newer copy of it. Beyond the limits nothing may be evaluated any more.
    pub const fn count_published(&mut self, submissions: u64, accepts: u32) {
        self.submissions = self.submissions.saturating_add(submissions);
        self.accepts = self.accepts.saturating_add(accepts);
    }

    /// The limits that the meter enforces.
    pub const fn limits(&self) -> Limits {
        self.limits
    }

    /// Submissions evaluated so far.
    pub const fn submissions(&self) -> u64 {
        self.submissions
    }

    /// Submissions accepted so far.
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

    /// True when no submission may be evaluated any more, which closes the campaign.
    pub const fn is_spent(&self) -> bool {
        self.remaining_submissions() == 0 || self.remaining_accepts() == 0
    }

    /// Bits of transcripts with the submissions and accepts so far.
    pub fn bits_spent(&self) -> f64 {
        transcript_bits(self.submissions, u64::from(self.accepts), self.steps)
    }

    /// Bits of transcripts that use up the limits.
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
        // The whole sum is C(N+U, N), and its last terms are far below the largest.
        let central = 4_000.0 - 0.5 * (2_000.0 * std::f64::consts::PI).log2();
        assert!((transcript_bits(2_000, 2_000, 2_000) - central).abs() < 1e-3);
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
        assert_eq!(
            (meter.bits_spent(), meter.bits_allowed()),
            (transcript_bits(6, 2, 200), transcript_bits(10, 3, 200))
        );
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

    /// A meter that is older than the chain catches up, whatever the chain has meanwhile, and is spent beyond its limits.
    #[test]
    fn what_another_copy_published_counts() {
        let limits = Limits { submissions: 10, accepts: 2 };
        let meter = || LeakMeter::new(650, &ladder(500_000, 5_000), limits).unwrap();
        let mut behind = meter();
        behind.count_published(4, 1);
        assert_eq!((behind.submissions(), behind.accepts()), (4, 1));
        assert_eq!(behind.begin(0, 7), Err(BudgetError::Submissions { remaining: 6, window: 7 }));
        assert_eq!(behind.begin(0, 6), Ok(1));
        for (submissions, accepts, refusal) in
            [(11, 0, BudgetError::Submissions { remaining: 0, window: 1 }), (1, 3, BudgetError::Accepts)]
        {
            let mut beyond = meter();
            beyond.count_published(submissions, accepts);
            assert!(beyond.is_spent());
            assert_eq!(beyond.begin(0, 1), Err(refusal));
        }
    }
}
