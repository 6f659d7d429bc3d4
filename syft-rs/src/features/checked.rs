//! Checked maps: maps whose constants treat all rows within the published ranges alike.
//!
//! Whoever chooses a map's constants freely can single out a person: centred at what they know of the person, with tiny spreads, every other row
//! is cut at the same limits, and what is left of an exact update is that person. So constants must follow the published ranges, within factors
//! that [`FeatureMap::fit`] keeps to. Each bound below says which way of singling out it closes.

use super::expansion::{Column, Expansion};
use super::map::{FEATURE_LIMIT, FeatureMap};
use super::seed::SeedIndex;
use thiserror::Error;

/// A spread is at least this share of its column's published range. No row is then cut at [`FEATURE_LIMIT`], where rows look alike: standardised
/// columns stay within ± its inverse, and a margin for rows that are a little outside the range.
pub const LEAST_SPREAD: f64 = 0.25;
/// A spread is at most this share of its column's published range. A larger one hides the column, and leaves those that single out.
pub const MOST_SPREAD: f64 = 1.0;
/// The greatest absolute value of a standardised column: a quarter of the range's width is one unit, and a tenth of it is the margin.
const MOST_STANDARDISED: f64 = 1.1 / LEAST_SPREAD;
/// A threshold is at most this share of the spread of a random combination, so that about a third of all combinations exceed it for a usual row.
/// With a high threshold only extreme rows have features at all.
pub const MOST_THRESHOLD: f64 = 0.5;
/// A usual row has at least this norm after scaling. Otherwise rounding to the lattice is a threshold of its own.
pub const LEAST_NORM: f64 = 1.0 / 32.0;
/// Size of a random feature after its threshold, as share of the combination's spread.
const PASSED: f64 = 0.5;

/// A constant that does not follow the published ranges.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum UncheckedMap {
    /// The ranges belong to other columns.
    #[error("the map reads {have} columns, but {need} ranges are published")]
    Columns {
        /// Columns of the map.
        have: usize,
        /// Published ranges.
        need: usize,
    },
    /// A published range has no finite width.
    #[error("the published range of column {column} has no finite width")]
    Range {
        /// Index of the column, from 0.
        column: usize,
    },
    /// A centre is outside the published range.
    #[error("the centre of column {column} is {center}, outside the published range of {least} to {greatest}")]
    Center {
        /// Index of the column, from 0.
        column: usize,
        /// The centre.
        center: f64,
        /// Least published value.
        least: f64,
        /// Greatest published value.
        greatest: f64,
    },
    /// A spread is too small or too large for the published range.
    #[error(
        "the spread of column {column} is {spread}; for the published range it must be between {least} and {greatest}"
    )]
    Spread {
        /// Index of the column, from 0.
        column: usize,
        /// The spread.
        spread: f64,
        /// Least spread.
        least: f64,
        /// Greatest spread.
        greatest: f64,
    },
    /// A constant of all rows is outside the range that follows from the map's shape.
    #[error("the {name} is {value}; for this map it must be between {least} and {greatest}")]
    Constant {
        /// Name of the constant.
        name: &'static str,
        /// Its value.
        value: f64,
        /// Least value.
        least: f64,
        /// Greatest value.
        greatest: f64,
    },
    /// A seed is not one of the sixteen for the kind and shape.
    #[error("the seed {seed} is not one of the {count} for this kind and shape", count = super::seed::SEEDS)]
    Seed {
        /// The seed.
        seed: u32,
    },
}

/// Checks the constants that standardise columns against their published ranges.
///
/// # Errors
/// Names the first constant that does not follow them.
pub fn check_columns(columns: &[Column], ranges: &[(f64, f64)]) -> Result<(), UncheckedMap> {
    if columns.len() != ranges.len() {
        return Err(UncheckedMap::Columns { have: columns.len(), need: ranges.len() });
    }
    for (column, (&Column { center, spread }, &(least, greatest))) in columns.iter().zip(ranges).enumerate() {
        let width = greatest - least;
        if !(width.is_finite() && width > 0.0) {
            return Err(UncheckedMap::Range { column });
        }
        if !(least..=greatest).contains(&center) {
            return Err(UncheckedMap::Center { column, center, least, greatest });
        }
        let (smallest, largest) = (LEAST_SPREAD * width, MOST_SPREAD * width);
        if !(smallest..=largest).contains(&spread) {
            return Err(UncheckedMap::Spread { column, spread, least: smallest, greatest: largest });
        }
    }
    Ok(())
}

/// The seed that belongs to a random expansion of this shape; 0 for others, which have none.
pub(super) fn seed(expansion: &Expansion, columns: usize, index: SeedIndex) -> u32 {
    seed_context(expansion, columns).map_or(0, |(kind, shape)| index.seed(kind, &shape))
}

/// Kind and shape of a random expansion.
fn seed_context(expansion: &Expansion, columns: usize) -> Option<(&'static str, Vec<usize>)> {
    match *expansion {
        Expansion::Identity | Expansion::Polynomial => None,
        Expansion::RandomRelu { count, .. } => Some(("random-relu", vec![columns, count])),
        Expansion::RandomConv { image, filters, size, cells, .. } => {
            Some(("random-conv", vec![image.height, image.width, image.channels, filters, size, cells]))
        }
    }
}

impl Expansion {
    /// Spread of a feature before its threshold, for a row whose columns each vary by one spread.
    fn spread(&self, columns: usize) -> f64 {
        match self {
            Self::RandomRelu { .. } => (columns as f64).sqrt(),
            // Filters have norm one.
            Self::Identity | Self::Polynomial | Self::RandomConv { .. } => 1.0,
        }
    }

    /// The greatest threshold of a checked map.
    pub(super) fn most_threshold(&self, columns: usize) -> f64 {
        MOST_THRESHOLD * self.spread(columns)
    }

    /// Norm of the features of a usual row, without the constant one.
    fn usual_norm(&self, columns: usize) -> f64 {
        let passed = if self.is_random() { PASSED } else { 1.0 };
        passed * self.spread(columns) * (self.count(columns) as f64).sqrt()
    }

    /// The greatest absolute value of a feature of a row at the ends of all published ranges; for random features, at two spreads of a combination.
    fn most_feature(&self, columns: usize) -> f64 {
        let factor = match self {
            Self::Identity => 1.0,
            Self::Polynomial => MOST_STANDARDISED,
            Self::RandomRelu { .. } | Self::RandomConv { .. } => 2.0,
        };
        MOST_STANDARDISED * factor * self.spread(columns)
    }

    /// Whether it has random weights.
    pub(super) const fn is_random(&self) -> bool {
        matches!(self, Self::RandomRelu { .. } | Self::RandomConv { .. })
    }
}

impl FeatureMap {
    /// The greatest constant feature of a checked map: a larger one leaves only rounding of the others.
    pub(super) fn most_bias(&self) -> f64 {
        self.expansion.usual_norm(self.columns.len()).max(1.0)
    }

    /// Least and greatest scale of a checked map with this constant feature: no usual row is lost in rounding, and no row
    /// within the ranges is cut.
    pub(super) fn scale_bounds(&self) -> (f64, f64) {
        let columns = self.columns.len();
        let norm = self.expansion.usual_norm(columns).hypot(self.bias);
        (LEAST_NORM / norm, FEATURE_LIMIT / self.expansion.most_feature(columns))
    }

    /// Checks that the map treats all rows within the published ranges (least, greatest) of the columns alike, so that its choice cannot single
    /// out a row. The constants must have been checked on their own.
    ///
    /// # Errors
    /// Names the first constant that does not follow the ranges.
    pub fn check_ranges(&self, ranges: &[(f64, f64)]) -> Result<(), UncheckedMap> {
        check_columns(&self.columns, ranges)?;
        let columns = self.columns.len();
        if let &(Expansion::RandomRelu { seed, threshold, .. } | Expansion::RandomConv { seed, threshold, .. }) =
            &self.expansion
        {
            let known = seed_context(&self.expansion, columns);
            if !known.is_some_and(|(kind, shape)| SeedIndex::is_seed(seed, kind, &shape)) {
                return Err(UncheckedMap::Seed { seed });
            }
            within("threshold", threshold, (0.0, self.expansion.most_threshold(columns)))?;
        }
        within("constant feature", self.bias, (0.0, self.most_bias()))?;
        within("scale", self.scale, self.scale_bounds())?;
        // With a small norm, rounding leaves only the greatest features of a row.
        within("bound on the norm of a row", self.clip, (1.0, 1.0))
    }
}

fn within(name: &'static str, value: f64, (least, greatest): (f64, f64)) -> Result<(), UncheckedMap> {
    if (least..=greatest).contains(&value) {
        return Ok(());
    }
    Err(UncheckedMap::Constant { name, value, least, greatest })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{DataError, Matrix};
    use crate::features::{FeatureKind, Image};
    use proptest::prelude::*;

    const RANGE: (f64, f64) = (0.0, 100.0);
    const COLUMNS: usize = 25;
    const IMAGE: Image = Image { height: 5, width: 5, channels: 1 };

    fn index(index: u32) -> SeedIndex {
        index.try_into().unwrap()
    }

    /// Rows of people: known and unknown numbers of each.
    fn people() -> Matrix {
        Matrix::new(40, COLUMNS, (0..40 * COLUMNS).map(|at| ((at * 37 + at / COLUMNS * 11) % 101) as f64).collect())
            .unwrap()
    }

    fn fit(kind: FeatureKind) -> FeatureMap {
        FeatureMap::fit(&people(), &[RANGE; COLUMNS], kind, Some(IMAGE), index(2)).unwrap()
    }

    const KINDS: [FeatureKind; 4] =
        [FeatureKind::Identity, FeatureKind::Polynomial, FeatureKind::RandomRelu(50), FeatureKind::RandomConv(36)];

    fn refusal(map: &FeatureMap) -> String {
        map.check().expect("the constants are valid on their own");
        map.check_ranges(&[RANGE; COLUMNS]).unwrap_err().to_string()
    }

    /// The reviewers' attack: every column is centred at a known person, with a spread that saturates everybody else.
    #[test]
    fn attack_centre_at_a_known_person_with_tiny_spreads_is_refused() {
        for kind in KINDS {
            let mut map = fit(kind);
            for (column, &known) in map.columns.iter_mut().zip(people().row(7)) {
                *column = Column { center: known, spread: 1e-6 };
            }
            assert!(refusal(&map).starts_with("the spread of column 0 is 0.000001; for the published range"), "{kind}");
        }
        // It works: all others look alike in features of this map, and the known person does not.
        let mut map = fit(FeatureKind::Identity);
        for (column, &known) in map.columns.iter_mut().zip(people().row(7)) {
            *column = Column { center: known, spread: 1e-6 };
        }
        let features = map.apply(&people()).unwrap();
        let size = |row: usize| features.row(row)[..COLUMNS].iter().map(|x| x.abs()).fold(0.0, f64::max);
        assert!(size(7) < 1e-9 && (0..40).filter(|&row| row != 7).all(|row| size(row) > 0.15));
    }

    /// The same slope by another constant: the scale.
    #[test]
    fn attack_scale_in_place_of_spread_is_refused() {
        for kind in KINDS {
            let map = FeatureMap { scale: 1e6, ..fit(kind) };
            assert!(refusal(&map).starts_with("the scale is 1000000"), "{kind}");
            let map = FeatureMap { scale: 1e-9, ..fit(kind) };
            assert!(refusal(&map).starts_with("the scale is 0.000000001"), "{kind}: rounding is a threshold");
        }
    }

    #[test]
    fn attack_rounding_away_all_but_extreme_features_is_refused() {
        let map = fit(FeatureKind::Identity);
        assert!(refusal(&FeatureMap { clip: 1e-6, ..map.clone() }).starts_with("the bound on the norm of a row"));
        assert!(refusal(&FeatureMap { bias: 1e6, scale: 1e-6, ..map.clone() }).starts_with("the constant feature"));
        let mut hidden = map;
        hidden.columns[3].spread = 1e9;
        assert!(refusal(&hidden).starts_with("the spread of column 3"));
    }

    #[test]
    fn attack_threshold_that_only_one_person_exceeds_is_refused() {
        for kind in [FeatureKind::RandomRelu(50), FeatureKind::RandomConv(36)] {
            let mut map = fit(kind);
            let (Expansion::RandomRelu { threshold, .. } | Expansion::RandomConv { threshold, .. }) =
                &mut map.expansion
            else {
                unreachable!()
            };
            *threshold = 8.0;
            assert!(refusal(&map).starts_with("the threshold is 8"), "{kind}");
        }
    }

    #[test]
    fn attack_ground_seed_is_refused() {
        for kind in [FeatureKind::RandomRelu(50), FeatureKind::RandomConv(36)] {
            let mut map = fit(kind);
            let (Expansion::RandomRelu { seed, .. } | Expansion::RandomConv { seed, .. }) = &mut map.expansion else {
                unreachable!()
            };
            *seed ^= 1;
            assert!(refusal(&map).ends_with("is not one of the 16 for this kind and shape"), "{kind}");
        }
        // A seed of another shape is free as well.
        let mut map = fit(FeatureKind::RandomRelu(50));
        let Expansion::RandomRelu { count, .. } = &mut map.expansion else { unreachable!() };
        *count = 49;
        assert!(refusal(&map).contains("the seed"));
    }

    #[test]
    fn ranges_that_are_not_the_schemas_are_refused() {
        let map = fit(FeatureKind::Identity);
        assert!(matches!(map.check_ranges(&[RANGE; 8]), Err(UncheckedMap::Columns { have: 25, need: 8 })));
        let wide = [(f64::MIN, f64::MAX); COLUMNS];
        assert!(matches!(map.check_ranges(&wide), Err(UncheckedMap::Range { column: 0 })));
        let other = [(200.0, 300.0); COLUMNS];
        assert!(matches!(map.check_ranges(&other), Err(UncheckedMap::Center { column: 0, .. })));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        /// Whatever the validation set, a launch makes a map that passes.
        #[test]
        fn maps_that_are_fitted_are_checked(
            values in prop::collection::vec(0.0..=1.0_f64, 2 * COLUMNS..8 * COLUMNS),
            squeeze in 0.0..12.0_f64,
            place in 0.0..=1.0_f64,
            low in -1e6..1e6_f64,
            width in 1e-3..1e6_f64,
            seed in 0u32..16,
        ) {
            let rows = values.len() / COLUMNS;
            // From values that fill the range to values that are nearly one.
            let share = 10f64.powf(-squeeze);
            let value = |x: &f64| (low + width * (place * (1.0 - share) + x * share)).clamp(low, low + width);
            let validation = Matrix::new(rows, COLUMNS, values[..rows * COLUMNS].iter().map(value).collect()).unwrap();
            let ranges = [(low, low + width); COLUMNS];
            for kind in KINDS.into_iter().chain([FeatureKind::RandomRelu(2), FeatureKind::RandomRelu(700)]) {
                match FeatureMap::fit(&validation, &ranges, kind, Some(IMAGE), index(seed)) {
                    Ok(map) => prop_assert_eq!(map.check_ranges(&ranges), Ok(()), "{} {:?}", kind, map),
                    Err(error) => prop_assert!(matches!(error, DataError::Constant { .. }), "{}", error),
                }
            }
        }
    }
}
