//! The feature map: chooses public constants from validation rows ([`FeatureMap::fit`]) and applies them to raw columns.

use super::conv::{self, Conv};
use super::expansion::{Column, Expansion, Image, Recipe};
use super::kind::FeatureKind;
use super::seed::SeedIndex;
use super::{polynomial, random};
use crate::data::{DataError, Matrix};
use crate::lattice::{INPUT_BITS, LATTICE_BITS, round_digits, round_to_bits, truncate_to_lattice};
use crate::shape::MAX_INPUTS;
use serde::{Deserialize, Serialize};

/// Standardised columns and features are clipped to ± this value before a row is shortened.
pub const FEATURE_LIMIT: f64 = 64.0;
/// A fitted spread is at least this share of its public range: enough that rounding keeps it within the bounds of a checked map.
const LEAST_SPREAD: f64 = 0.3;
/// Typical norm of a row after scaling: most rows stay below one and are not shortened.
const TYPICAL_NORM: f64 = 0.7;
/// Size of the constant feature relative to the typical norm of random features.
const RANDOM_BIAS: f64 = 0.1;

/// Rows of features on the lattice, each of norm at most one, ready for training and prediction.
#[derive(Debug, Clone, PartialEq)]
pub struct Features(Matrix);

impl Features {
    #[cfg(test)]
    pub(crate) const fn from_matrix(rows: Matrix) -> Self {
        Self(rows)
    }

    /// Number of rows.
    pub const fn rows(&self) -> usize {
        self.0.rows()
    }

    /// Number of features, the constant one included.
    pub const fn columns(&self) -> usize {
        self.0.columns()
    }

    /// The features of one row, by index from 0.
    pub fn row(&self, row: usize) -> &[f64] {
        self.0.row(row)
    }

    /// All features, row-major.
    pub fn values(&self) -> &[f64] {
        self.0.values()
    }
}

/// The public map from raw columns to features:
/// `x' = shorten(round(scale · [expand((x - center) / spread …), bias]))`, where `shorten` bounds the norm of a row by `clip`.
///
/// Rounding to multiples of 2^-20 comes before the norm is computed, so the result does not depend on the order of summation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeatureMap {
    /// Centre and spread of each raw column.
    pub columns: Vec<Column>,
    /// The expansion of the standardised columns.
    pub expansion: Expansion,
    /// Factor of all features.
    pub scale: f64,
    /// The constant feature before scaling.
    pub bias: f64,
    /// Bound on the norm of a row, above 0 and at most one.
    pub clip: f64,
}

impl FeatureMap {
    /// Chooses constants from validation examples, the public ranges (least, greatest) of the columns, and a seed. If the
    /// examples are within the ranges, [`FeatureMap::check_ranges`] accepts the map.
    ///
    /// The constants are public, so means and spreads of the validation columns become known, rounded to four digits.
    pub fn fit(
        validation: &Matrix,
        ranges: &[(f64, f64)],
        kind: FeatureKind,
        image: Option<Image>,
        seed: SeedIndex,
    ) -> Result<Self, DataError> {
        if validation.rows() == 0 || validation.columns() == 0 {
            return Err(DataError::Empty);
        }
        if ranges.len() != validation.columns() {
            return Err(DataError::Columns { have: validation.columns(), need: ranges.len() });
        }
        check_size(match kind {
            FeatureKind::Identity => ranges.len(),
            FeatureKind::Polynomial => polynomial::count(ranges.len()),
            FeatureKind::RandomRelu(count) | FeatureKind::RandomConv(count) => count,
        })?;
        let columns = ranges.iter().enumerate().map(|(index, &range)| match kind {
            // Filters need the relations between pixels, so all pixels keep their common scale.
            FeatureKind::RandomConv(_) => full_range(range),
            _ => fit_column(validation, index, range),
        });
        let columns: Vec<Column> = columns.collect();
        let inputs = rounded(&standardise(validation, &columns));
        let expansion = match kind {
            FeatureKind::Identity => Expansion::Identity,
            FeatureKind::Polynomial => Expansion::Polynomial,
            FeatureKind::RandomRelu(count) => random::fit(&inputs, count, seed),
            FeatureKind::RandomConv(count) => conv::fit(&inputs, count, image, seed)?,
        };
        let mut map = Self { columns, expansion, scale: 1.0, bias: 1.0, clip: 1.0 };
        map.check()?;
        map.fit_scale(validation)?;
        Ok(map)
    }

    /// Scales rows to the typical norm. Random features get a constant feature of a suitable size.
    fn fit_scale(&mut self, validation: &Matrix) -> Result<(), DataError> {
        let expanded = self.expand(validation)?;
        let mean_square = expanded.values().iter().map(|x| x * x).sum::<f64>() / validation.rows() as f64;
        if self.expansion.is_random() {
            self.bias = round_digits(RANDOM_BIAS * mean_square.sqrt()).min(self.most_bias());
        }
        let scale = round_digits(TYPICAL_NORM / (mean_square + self.bias * self.bias).sqrt());
        let (least, greatest) = self.scale_bounds();
        self.scale = scale.clamp(least, greatest);
        self.check()
    }

    /// Number of inputs of a model for these features, the constant one included.
    pub fn inputs(&self) -> usize {
        self.expansion.count(self.columns.len()) + 1
    }

    /// Checks constants from an untrusted source.
    pub fn check(&self) -> Result<(), DataError> {
        let constant = |name: &str, value: f64, good: bool, must: &'static str| {
            if value.is_finite() && good { Ok(()) } else { Err(DataError::Constant { name: name.into(), value, must }) }
        };
        for (index, column) in self.columns.iter().enumerate() {
            constant(&format!("center of column {index}"), column.center, true, "finite")?;
            constant(&format!("spread of column {index}"), column.spread, column.spread > 0.0, "positive")?;
        }
        constant("scale", self.scale, self.scale > 0.0, "positive")?;
        constant("bias", self.bias, true, "finite")?;
        constant("clip", self.clip, self.clip > 0.0 && self.clip <= 1.0, "above 0 and at most 1")?;
        self.check_expansion()
    }

    fn check_expansion(&self) -> Result<(), DataError> {
        check_size(self.expansion.count(self.columns.len()))?;
        let threshold = match &self.expansion {
            Expansion::Identity | Expansion::Polynomial => return Ok(()),
            Expansion::RandomRelu { count, threshold, .. } => {
                if *count == 0 {
                    return Err(DataError::Map("the number of features is 0".into()));
                }
                *threshold
            }
            conv @ Expansion::RandomConv { threshold, .. } => {
                Conv::new(conv, self.columns.len())?;
                *threshold
            }
        };
        if (0.0..=random::MAX_THRESHOLD).contains(&threshold) && round_to_bits(threshold, INPUT_BITS) == threshold {
            return Ok(());
        }
        Err(DataError::Constant {
            name: "threshold".into(),
            value: threshold,
            must: "a multiple of 2^-10 of at least 0",
        })
    }

    /// The expansion with its random weights written out, for programs that cannot derive them.
    pub fn recipe(&self) -> Result<Recipe, DataError> {
        Ok(match self.expansion {
            Expansion::Identity => Recipe::Identity,
            Expansion::Polynomial => Recipe::Polynomial,
            Expansion::RandomRelu { count, seed, threshold } => {
                Recipe::RandomRelu { count, weights: random::weights(seed, self.columns.len() * count), threshold }
            }
            conv @ Expansion::RandomConv { .. } => Conv::new(&conv, self.columns.len())?.recipe(),
        })
    }

    /// The constant feature of every row, before rows are shortened.
    pub fn constant(&self) -> f64 {
        to_lattice(self.bias * self.scale)
    }

    /// Applies the map to raw columns. Fails if their number differs.
    pub fn apply(&self, raw: &Matrix) -> Result<Features, DataError> {
        let expanded = self.expand(raw)?;
        let mut values = Vec::with_capacity(raw.rows() * self.inputs());
        for row in 0..raw.rows() {
            let start = values.len();
            values.extend(expanded.row(row).iter().map(|x| to_lattice(x * self.scale)));
            values.push(self.constant());
            shorten(&mut values[start..], self.clip);
        }
        Matrix::new(raw.rows(), self.inputs(), values).map(Features)
    }

    /// The features before they are scaled.
    fn expand(&self, raw: &Matrix) -> Result<Matrix, DataError> {
        if raw.columns() != self.columns.len() {
            return Err(DataError::Columns { have: raw.columns(), need: self.columns.len() });
        }
        let standardised = standardise(raw, &self.columns);
        Ok(match self.expansion {
            Expansion::Identity => standardised,
            Expansion::Polynomial => polynomial::expand(&rounded(&standardised)),
            Expansion::RandomRelu { count, seed, threshold } => {
                random::expand(&rounded(&standardised), count, seed, threshold)
            }
            conv @ Expansion::RandomConv { .. } => Conv::new(&conv, raw.columns())?.expand(&rounded(&standardised)),
        })
    }
}

/// Checks that a model can have this number of features and a constant one.
const fn check_size(features: usize) -> Result<(), DataError> {
    if features < MAX_INPUTS { Ok(()) } else { Err(DataError::TooLarge { features }) }
}

fn fit_column(validation: &Matrix, index: usize, range: (f64, f64)) -> Column {
    let count = validation.rows() as f64;
    let column = || (0..validation.rows()).map(|row| validation.row(row)[index]);
    let mean = column().sum::<f64>() / count;
    let spread = (column().map(|x| (x - mean) * (x - mean)).sum::<f64>() / count).sqrt();
    // Rounding may lead out of the range.
    let center = round_digits(mean).clamp(range.0, range.1);
    Column { center, spread: round_digits(spread.max(full_range(range).spread * LEAST_SPREAD)) }
}

/// The constants that take the public range to [0, 1].
fn full_range((least, greatest): (f64, f64)) -> Column {
    let width = greatest - least;
    Column { center: least, spread: if width.is_finite() && width > 0.0 { width } else { 1.0 } }
}

fn standardise(raw: &Matrix, columns: &[Column]) -> Matrix {
    let row = |row: usize| raw.row(row).iter().zip(columns).map(|(x, column)| (x - column.center) / column.spread);
    raw.with_rows(columns.len(), (0..raw.rows()).flat_map(row))
}

/// The inputs of an expansion that multiplies: short numbers, whose sums of products are exact.
fn rounded(standardised: &Matrix) -> Matrix {
    let values = standardised.values().iter().map(|x| to_input(*x));
    standardised.with_rows(standardised.columns(), values)
}

fn to_input(x: f64) -> f64 {
    round_to_bits(x.clamp(-FEATURE_LIMIT, FEATURE_LIMIT), INPUT_BITS)
}

fn to_lattice(x: f64) -> f64 {
    round_to_bits(x.clamp(-FEATURE_LIMIT, FEATURE_LIMIT), LATTICE_BITS)
}

fn shorten(row: &mut [f64], clip: f64) {
    let norm = row.iter().map(|x| x * x).sum::<f64>().sqrt();
    if norm > clip {
        // Rounding towards zero keeps the bound.
        row.iter_mut().for_each(|x| *x = truncate_to_lattice(*x * clip / norm));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn map() -> FeatureMap {
        let raw = Matrix::new(3, 2, vec![1.0, 1000.0, 2.0, 3000.0, 3.0, 2000.0]).unwrap();
        FeatureMap::fit(&raw, &[(0.0, 4.0), (0.0, 10_000.0)], FeatureKind::Identity, None, SeedIndex::default())
            .unwrap()
    }

    /// Images of 12×12 pixels with a few strokes.
    fn images(rows: usize) -> Matrix {
        let pixel = |at: usize| f64::from(u8::from((at * 7919 + at / 144 * 31).is_multiple_of(5))) * (at % 200) as f64;
        Matrix::new(rows, 144, (0..rows * 144).map(pixel).collect()).unwrap()
    }

    fn fit(kind: FeatureKind) -> FeatureMap {
        let image = Image { height: 12, width: 12, channels: 1 };
        FeatureMap::fit(&images(20), &[(0.0, 255.0); 144], kind, Some(image), SeedIndex::default()).unwrap()
    }

    const KINDS: [FeatureKind; 4] =
        [FeatureKind::Identity, FeatureKind::RandomRelu(50), FeatureKind::RandomConv(64), FeatureKind::Identity];

    #[test]
    fn constants_survive_json() {
        for map in KINDS.map(fit).into_iter().chain([map()]) {
            let text = serde_json::to_string(&map).unwrap();
            assert_eq!(serde_json::from_str::<FeatureMap>(&text).unwrap(), map);
            assert!(serde_json::from_str::<FeatureMap>(&text.replace("bias", "biased")).is_err());
        }
    }

    #[test]
    fn kinds_are_read_as_they_are_written() {
        for text in ["identity", "polynomial", "random-relu:512", "random-conv:1008"] {
            assert_eq!(text.parse::<FeatureKind>().unwrap().to_string(), text);
        }
        for text in ["", "identity:3", "random-relu", "random-relu:0", "random-conv:x", "fourier:3"] {
            assert!(text.parse::<FeatureKind>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_row_gives_the_same_features_wherever_it_stands() {
        for kind in KINDS {
            let map = fit(kind);
            let (features, again) = (map.apply(&images(6)).unwrap(), map.apply(&images(6)).unwrap());
            assert_eq!(features, again);
            assert_eq!(features.columns(), map.inputs());
            let alone = map.apply(&images(6).select(&[4])).unwrap();
            assert_eq!(alone.row(0), features.row(4), "{kind}: a row does not depend on others");
        }
    }

    #[test]
    fn another_seed_gives_other_features() {
        for kind in [FeatureKind::RandomRelu(50), FeatureKind::RandomConv(64)] {
            let image = Image { height: 12, width: 12, channels: 1 };
            let fit = |seed| FeatureMap::fit(&images(20), &[(0.0, 255.0); 144], kind, Some(image), seed).unwrap();
            let [one, other] = [1, 2].map(|bits| fit(SeedIndex::from_bits(bits)).apply(&images(2)).unwrap());
            assert_ne!(one, other);
        }
    }

    #[test]
    fn constant_columns_do_no_harm() {
        let raw = Matrix::new(2, 1, vec![5.0, 5.0]).unwrap();
        let map = FeatureMap::fit(&raw, &[(5.0, 5.0)], FeatureKind::Identity, None, SeedIndex::default()).unwrap();
        assert_eq!(map.apply(&raw).unwrap().row(0)[0], 0.0);
    }

    #[test]
    fn senseless_constants_are_named() {
        let mut map = map();
        map.columns[1].spread = 0.0;
        let error = map.check().unwrap_err();
        assert_eq!(error.to_string(), "public constant spread of column 1 is 0: it must be positive");
        let mut relu = fit(FeatureKind::RandomRelu(50));
        relu.expansion = Expansion::RandomRelu { count: 50, seed: 1, threshold: 0.3 };
        assert!(relu.check().unwrap_err().to_string().contains("multiple of 2^-10"));
        relu.expansion = Expansion::RandomRelu { count: 5_000, seed: 1, threshold: 0.0 };
        assert!(relu.check().unwrap_err().to_string().contains("5000 features"));
        let raw = Matrix::new(1, 3, vec![1.0; 3]).unwrap();
        let no_image = FeatureMap::fit(&raw, &[(0.0, 1.0); 3], FeatureKind::RandomConv(8), None, SeedIndex::default());
        assert!(no_image.unwrap_err().to_string().contains("image"));
    }

    proptest! {
        #[test]
        fn rows_never_exceed_norm_one(values in prop::collection::vec(-1e12..1e12, 2..40)) {
            let rows = values.len() / 2;
            let raw = Matrix::new(rows, 2, values[..rows * 2].to_vec()).unwrap();
            for kind in [FeatureKind::Identity, FeatureKind::Polynomial, FeatureKind::RandomRelu(9)] {
                let sample = Matrix::new(3, 2, vec![1.0, 1000.0, 2.0, 3000.0, 3.0, 2000.0]).unwrap();
                let map = FeatureMap::fit(&sample, &[(0.0, 4.0), (0.0, 10_000.0)], kind, None, SeedIndex::default()).unwrap();
                let features = map.apply(&raw).unwrap();
                for row in 0..rows {
                    prop_assert!(features.row(row).iter().map(|x| x * x).sum::<f64>() <= 1.0);
                }
            }
        }
    }
}
