//! The public maps from raw columns to bounded features. Everybody computes the same bits from the published constants and a seed,
//! in any order of summation: inputs and random weights are short fixed-point numbers, so that no product and no sum is rounded.

mod conv;
mod polynomial;
mod random;

use crate::data::{DataError, Matrix};
use crate::model::LATTICE_BITS;
use conv::Conv;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Features beyond this many times their spread are cut off before the row is shortened to norm one.
pub const FEATURE_LIMIT: f64 = 64.0;
/// A column's spread counts as at least this share of its public range.
const LEAST_SPREAD: f64 = 0.3;
/// Typical norm of a row after scaling: most rows stay below one and keep their shape.
const TYPICAL_NORM: f64 = 0.7;
/// What is multiplied, with each other or with random weights, are multiples of 2^-10.
pub const INPUT_BITS: u32 = 10;
/// Size of the constant feature beside the typical norm of the random ones.
const RANDOM_BIAS: f64 = 0.1;

/// What features a data scientist asks for: `identity`, `polynomial`, `random-relu:N` or `random-conv:N`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeatureKind {
    /// The columns themselves.
    Identity,
    /// The columns and the products of any two of them.
    Polynomial,
    /// About so many random combinations of all columns, cut off below.
    RandomRelu(usize),
    /// About so many random convolutions of an image, cut off below and averaged over parts of it.
    RandomConv(usize),
}

impl fmt::Display for FeatureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Identity => f.write_str("identity"),
            Self::Polynomial => f.write_str("polynomial"),
            Self::RandomRelu(count) => write!(f, "random-relu:{count}"),
            Self::RandomConv(count) => write!(f, "random-conv:{count}"),
        }
    }
}

impl FromStr for FeatureKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, count) = text.split_once(':').map_or((text, None), |(name, count)| (name, Some(count)));
        let count = |kind: fn(usize) -> Self| match count.map(str::parse) {
            Some(Ok(count)) if count >= 1 => Ok(kind(count)),
            _ => Err(format!("`{text}` does not say how many features: write {name}:512, for example")),
        };
        match name {
            "identity" if !text.contains(':') => Ok(Self::Identity),
            "polynomial" if !text.contains(':') => Ok(Self::Polynomial),
            "random-relu" => count(Self::RandomRelu),
            "random-conv" => count(Self::RandomConv),
            _ => Err(format!("`{text}` is no feature map: write identity, polynomial, random-relu:N or random-conv:N")),
        }
    }
}

/// The columns of a row as an image: row by row from the top, the channels of a pixel next to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Image {
    /// Pixels from top to bottom.
    pub height: usize,
    /// Pixels from left to right.
    pub width: usize,
    /// Numbers of a pixel.
    pub channels: usize,
}

impl Image {
    /// Numbers of an image.
    pub const fn columns(self) -> usize {
        self.height.saturating_mul(self.width).saturating_mul(self.channels)
    }
}

/// Public constants of one column.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// Subtracted first.
    pub center: f64,
    /// Divided by then.
    pub spread: f64,
}

/// What becomes of the standardised columns.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Expansion {
    /// They are the features.
    Identity,
    /// They, and the products of any two of them, themselves included.
    Polynomial,
    /// `max(0, z·w_i - threshold)` for random `w_i`.
    RandomRelu {
        /// Number of features.
        count: usize,
        /// From which the weights follow.
        seed: u32,
        /// A multiple of 2^-10.
        threshold: f64,
    },
    /// `max(0, filter_i - threshold)` at every place of the image, averaged over the cells of a square grid.
    RandomConv {
        /// What the columns are.
        image: Image,
        /// Number of filters.
        filters: usize,
        /// Pixels of a filter's side.
        size: usize,
        /// Cells along a side of the grid.
        cells: usize,
        /// From which the filters follow.
        seed: u32,
        /// A multiple of 2^-10.
        threshold: f64,
    },
}

impl Expansion {
    /// Number of features made from so many columns, without the constant one.
    fn count(&self, columns: usize) -> usize {
        match *self {
            Self::Identity => columns,
            Self::Polynomial => polynomial::count(columns),
            Self::RandomRelu { count, .. } => count,
            Self::RandomConv { filters, cells, .. } => filters.saturating_mul(cells).saturating_mul(cells),
        }
    }
}

/// How features come from standardised columns `z`, with all that follows from a seed written out.
#[derive(Debug, Clone, PartialEq)]
pub enum Recipe {
    /// The columns are the features; they are not rounded first.
    Identity,
    /// The columns, then `z_i · z_j` for all `i ≤ j`, ordered by `i` and then `j`.
    Polynomial,
    /// `max(0, z · weights - threshold)`, less the mean over the features.
    RandomRelu {
        /// Number of features.
        count: usize,
        /// Row-major: columns times features.
        weights: Vec<f64>,
        /// Subtracted from every combination.
        threshold: f64,
    },
    /// `max(0, window · weights - threshold)` at every place, summed over the places of each cell, less the mean over the filters,
    /// divided by the number of places; by cells, then filters.
    RandomConv {
        /// The columns that a filter reads at each place.
        windows: Vec<Vec<usize>>,
        /// The places of each cell.
        cells: Vec<Vec<usize>>,
        /// Number of filters.
        filters: usize,
        /// Row-major: columns of a window times filters.
        weights: Vec<f64>,
        /// Subtracted from every response.
        threshold: f64,
    },
}

/// Rows of norm at most one on the lattice, ready for training and prediction.
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

    /// One row.
    pub fn row(&self, row: usize) -> &[f64] {
        self.0.row(row)
    }

    /// All numbers, row-major.
    pub fn values(&self) -> &[f64] {
        self.0.values()
    }
}

/// The public map from raw columns to features:
/// `x' = shorten(round(scale · [expand((x - center) / spread …), bias]))`, where `shorten` bounds the norm of a row by `clip`.
///
/// Rounding to multiples of 2^-20 comes before the norm is taken, so the result does not depend on the order of summation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeatureMap {
    /// Centre and spread of each raw column.
    pub columns: Vec<Column>,
    /// What becomes of them.
    pub expansion: Expansion,
    /// Common factor.
    pub scale: f64,
    /// The constant feature before scaling.
    pub bias: f64,
    /// Bound on the norm of a row, at most one.
    pub clip: f64,
}

impl FeatureMap {
    /// Chooses constants from validation examples, the public ranges (least, greatest) of the columns, and a seed.
    ///
    /// The constants are public: means and spreads of the validation columns, rounded to four digits, become known.
    pub fn fit(
        validation: &Matrix,
        ranges: &[(f64, f64)],
        kind: FeatureKind,
        image: Option<Image>,
        seed: u32,
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
            // Filters need the pixels' own relations.
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

    /// Scales to the typical norm. Random features get a constant one of a size that suits theirs.
    fn fit_scale(&mut self, validation: &Matrix) -> Result<(), DataError> {
        let expanded = self.expand(validation)?;
        let mean_square = expanded.values().iter().map(|x| x * x).sum::<f64>() / validation.rows() as f64;
        if matches!(self.expansion, Expansion::RandomRelu { .. } | Expansion::RandomConv { .. }) {
            self.bias = round_digits(RANDOM_BIAS * mean_square.sqrt());
        }
        self.scale = round_digits(TYPICAL_NORM / (mean_square + self.bias * self.bias).sqrt());
        self.check()
    }

    /// Number of features a model needs, the constant one included.
    pub fn inputs(&self) -> usize {
        self.expansion.count(self.columns.len()) + 1
    }

    /// Checks constants that came from outside.
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
                    return Err(DataError::Map("there are none".into()));
                }
                *threshold
            }
            conv @ Expansion::RandomConv { threshold, .. } => {
                Conv::new(conv, self.columns.len())?;
                *threshold
            }
        };
        if (0.0..=1e6).contains(&threshold) && to_input(threshold, 1e6) == threshold {
            return Ok(());
        }
        Err(DataError::Constant {
            name: "threshold".into(),
            value: threshold,
            must: "a multiple of 2^-10 of at least 0",
        })
    }

    /// The expansion with its random weights, for programs that cannot derive them.
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

    /// Applies the map to raw columns.
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

/// Checks that a model can have so many features and a constant one.
const fn check_size(features: usize) -> Result<(), DataError> {
    if features < crate::MAX_INPUTS { Ok(()) } else { Err(DataError::TooLarge { features }) }
}

fn fit_column(validation: &Matrix, index: usize, range: (f64, f64)) -> Column {
    let count = validation.rows() as f64;
    let column = || (0..validation.rows()).map(|row| validation.row(row)[index]);
    let mean = column().sum::<f64>() / count;
    let spread = (column().map(|x| (x - mean) * (x - mean)).sum::<f64>() / count).sqrt();
    Column { center: round_digits(mean), spread: round_digits(spread.max(full_range(range).spread * LEAST_SPREAD)) }
}

/// Takes the public range onto [0, 1].
fn full_range((least, greatest): (f64, f64)) -> Column {
    let width = greatest - least;
    Column { center: least, spread: if width.is_finite() && width > 0.0 { width } else { 1.0 } }
}

fn standardise(raw: &Matrix, columns: &[Column]) -> Matrix {
    let row = |row: usize| raw.row(row).iter().zip(columns).map(|(x, column)| (x - column.center) / column.spread);
    raw.with_rows(columns.len(), (0..raw.rows()).flat_map(row))
}

/// Short numbers, of which sums of products are exact.
fn rounded(standardised: &Matrix) -> Matrix {
    let values = standardised.values().iter().map(|x| to_input(*x, FEATURE_LIMIT));
    standardised.with_rows(standardised.columns(), values)
}

fn to_input(x: f64, limit: f64) -> f64 {
    let scale = f64::from(1 << INPUT_BITS);
    (x.clamp(-limit, limit) * scale).round_ties_even() / scale
}

fn to_lattice(x: f64) -> f64 {
    let scale = f64::from(1 << LATTICE_BITS);
    (x.clamp(-FEATURE_LIMIT, FEATURE_LIMIT) * scale).round_ties_even() / scale
}

fn shorten(row: &mut [f64], clip: f64) {
    let norm = row.iter().map(|x| x * x).sum::<f64>().sqrt();
    if norm > clip {
        let scale = f64::from(1 << LATTICE_BITS);
        // Rounding towards zero keeps the bound.
        row.iter_mut().for_each(|x| *x = (*x * clip / norm * scale).trunc() / scale);
    }
}

/// Subtracts from features their mean: what all of them have in common would fill the norm and say little.
fn center(row: &mut [f64]) {
    let mean = row.iter().sum::<f64>() / row.len() as f64;
    row.iter_mut().for_each(|x| *x -= mean);
}

/// Four significant digits: short to publish, and the same after a trip through JSON.
pub(crate) fn round_digits(x: f64) -> f64 {
    format!("{x:.3e}").parse().unwrap_or(x)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn map() -> FeatureMap {
        let raw = Matrix::new(3, 2, vec![1.0, 1000.0, 2.0, 3000.0, 3.0, 2000.0]).unwrap();
        FeatureMap::fit(&raw, &[(0.0, 4.0), (0.0, 10_000.0)], FeatureKind::Identity, None, 1).unwrap()
    }

    /// Images of 12×12 pixels with a few strokes.
    fn images(rows: usize) -> Matrix {
        let pixel = |at: usize| f64::from(u8::from((at * 7919 + at / 144 * 31).is_multiple_of(5))) * (at % 200) as f64;
        Matrix::new(rows, 144, (0..rows * 144).map(pixel).collect()).unwrap()
    }

    fn fit(kind: FeatureKind) -> FeatureMap {
        let image = Image { height: 12, width: 12, channels: 1 };
        FeatureMap::fit(&images(20), &[(0.0, 255.0); 144], kind, Some(image), 9).unwrap()
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
            assert_ne!(fit(1).apply(&images(2)).unwrap(), fit(2).apply(&images(2)).unwrap());
        }
    }

    #[test]
    fn constant_columns_do_no_harm() {
        let raw = Matrix::new(2, 1, vec![5.0, 5.0]).unwrap();
        let map = FeatureMap::fit(&raw, &[(5.0, 5.0)], FeatureKind::Identity, None, 1).unwrap();
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
        let no_image = FeatureMap::fit(&raw, &[(0.0, 1.0); 3], FeatureKind::RandomConv(8), None, 1);
        assert!(no_image.unwrap_err().to_string().contains("image"));
    }

    proptest! {
        #[test]
        fn rows_never_exceed_norm_one(values in prop::collection::vec(-1e12..1e12, 2..40)) {
            let rows = values.len() / 2;
            let raw = Matrix::new(rows, 2, values[..rows * 2].to_vec()).unwrap();
            for kind in [FeatureKind::Identity, FeatureKind::Polynomial, FeatureKind::RandomRelu(9)] {
                let sample = Matrix::new(3, 2, vec![1.0, 1000.0, 2.0, 3000.0, 3.0, 2000.0]).unwrap();
                let map = FeatureMap::fit(&sample, &[(0.0, 4.0), (0.0, 10_000.0)], kind, None, 1).unwrap();
                let features = map.apply(&raw).unwrap();
                for row in 0..rows {
                    prop_assert!(features.row(row).iter().map(|x| x * x).sum::<f64>() <= 1.0);
                }
            }
        }
    }
}
