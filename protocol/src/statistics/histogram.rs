//! Counts of durations in fixed buckets whose width grows with the value, so that quantiles of days can be combined.
//!
//! ```text
//! seconds  0 1 … 31 │ 32‥33 34‥35 … 62‥63 │ 64‥67 … 124‥127 │ …
//! buckets    exact  │     16 of width 2   │   16 of width 4  │ 16 for each further power of two
//! ```
//!
//! A quantile is the middle of its bucket, which differs from the exact value by at most 1/32, that is 3.2 %.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Binary logarithm of the number of buckets for each power of two.
const PRECISION: u32 = 4;
const BUCKETS: u64 = 1 << PRECISION;

/// A histogram of durations in seconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Histogram(BTreeMap<u16, u64>);

impl Histogram {
    /// Counts a value.
    pub fn add(&mut self, value: u64) {
        *self.0.entry(bucket(value)).or_default() += 1;
    }

    /// Adds the counts of another histogram.
    pub fn merge(&mut self, other: &Self) {
        for (bucket, count) in &other.0 {
            *self.0.entry(*bucket).or_default() += count;
        }
    }

    /// Number of values.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.values().sum()
    }

    /// The smallest value that at least `percent` of all values do not exceed, within 1/32; `None` without values.
    #[must_use]
    pub fn quantile(&self, percent: u8) -> Option<u64> {
        // At most the count, which fits; at least the first value.
        let rank = (u128::from(self.count()) * u128::from(percent.min(100))).div_ceil(100).max(1);
        let mut seen = 0_u128;
        let reached = self.0.iter().find(|(_, count)| {
            seen += u128::from(**count);
            seen >= rank
        });
        reached.map(|(bucket, _)| middle(*bucket))
    }
}

/// The bucket of a value: the value itself below 16; otherwise its five leading bits and how many follow them.
fn bucket(value: u64) -> u16 {
    let shift = (u64::BITS - value.leading_zeros()).saturating_sub(PRECISION + 1);
    // At most 59 · 16 + 31.
    (u64::from(shift) * BUCKETS + (value >> shift)) as u16
}

/// The middle of a bucket, rounded down.
fn middle(bucket: u16) -> u64 {
    let bucket = u64::from(bucket);
    let shift = (bucket / BUCKETS).saturating_sub(1);
    let lowest = (bucket - shift * BUCKETS) << shift;
    lowest + ((1 << shift) - 1) / 2
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn exact(values: &mut [u64], percent: usize) -> u64 {
        values.sort_unstable();
        values[(values.len() * percent).div_ceil(100).max(1) - 1]
    }

    /// Values of every magnitude.
    fn values() -> impl Strategy<Value = Vec<u64>> {
        prop::collection::vec((0_u32..64, any::<u64>()).prop_map(|(shift, value)| value >> shift), 1..200)
    }

    #[test]
    fn short_times_are_exact_and_buckets_follow_one_another() {
        for value in 0..32 {
            assert_eq!(middle(bucket(value)), value);
        }
        assert_eq!([31, 32, 33, 34, 63, 64].map(bucket), [31, 32, 32, 33, 47, 48]);
        assert_eq!(bucket(u64::MAX), 59 * 16 + 31);
        assert!(middle(bucket(u64::MAX)) > u64::MAX / 33 * 32);
        assert_eq!(Histogram::default().quantile(50), None);
    }

    proptest! {
        #[test]
        fn quantiles_are_exact_within_a_thirty_second(mut values in values(), percent in 0_u8..=100) {
            let mut histogram = Histogram::default();
            values.iter().for_each(|value| histogram.add(*value));
            let (found, exact) = (histogram.quantile(percent).unwrap(), exact(&mut values, percent.into()));
            prop_assert!(found.abs_diff(exact) <= exact / 32, "{found} instead of {exact}");
            prop_assert_eq!(histogram.count(), values.len() as u64);
        }

        #[test]
        fn merging_equals_counting_together(one in values(), other in values()) {
            let of = |values: &[u64]| {
                let mut histogram = Histogram::default();
                values.iter().for_each(|value| histogram.add(*value));
                histogram
            };
            let mut merged = of(&one);
            merged.merge(&of(&other));
            prop_assert_eq!(merged, of(&[one, other].concat()));
        }
    }
}
