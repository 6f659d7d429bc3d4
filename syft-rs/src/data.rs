//! Examples as people have them, and the public maps that turn them into bounded features and targets.

use crate::model::LATTICE_BITS;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Features beyond this many times their spread are cut off before the row is shortened to norm one.
const FEATURE_LIMIT: f64 = 64.0;
/// A column's spread counts as at least this share of its public range.
const LEAST_SPREAD: f64 = 0.3;
/// Typical norm of a row after scaling: most rows stay below one and keep their shape.
const TYPICAL_NORM: f64 = 0.7;

/// Data or constants that do not fit.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum DataError {
    /// The number of values is not rows times columns.
    #[error("{rows} rows of {columns} columns need {need} values, not {have}", need = rows.saturating_mul(*columns))]
    Length {
        /// Rows.
        rows: usize,
        /// Columns.
        columns: usize,
        /// Values given.
        have: usize,
    },
    /// NaN or infinity.
    #[error("row {row}, column {column} is not a finite number")]
    NotFinite {
        /// Row.
        row: usize,
        /// Column.
        column: usize,
    },
    /// Features and targets differ in number.
    #[error("{rows} rows of features but {targets} targets")]
    Targets {
        /// Rows.
        rows: usize,
        /// Targets.
        targets: usize,
    },
    /// The data have other columns than the feature map.
    #[error("the data have {have} columns, the model expects {need}")]
    Columns {
        /// Columns given.
        have: usize,
        /// Columns expected.
        need: usize,
    },
    /// A public constant that makes no sense.
    #[error("public constant {name} is {value}: it must be {must}")]
    Constant {
        /// Which one.
        name: String,
        /// Its value.
        value: f64,
        /// What is allowed.
        must: &'static str,
    },
    /// Nothing to work on.
    #[error("there are no examples")]
    Empty,
}

/// What a model is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Task {
    /// One of several named classes.
    Classification {
        /// Names of the classes, in the order of the model's outputs.
        classes: Vec<String>,
    },
    /// A number.
    Regression,
}

impl Task {
    /// Number of outputs of a model for this task.
    pub const fn outputs(&self) -> usize {
        match self {
            Self::Classification { classes } => classes.len(),
            Self::Regression => 1,
        }
    }
}

/// Numbers in rows and columns, row-major.
#[derive(Debug, Clone, PartialEq)]
pub struct Matrix {
    rows: usize,
    columns: usize,
    values: Vec<f64>,
}

impl Matrix {
    /// Checks that the numbers are finite and as many as they should be.
    pub fn new(rows: usize, columns: usize, values: Vec<f64>) -> Result<Self, DataError> {
        if rows.checked_mul(columns) != Some(values.len()) {
            return Err(DataError::Length { rows, columns, have: values.len() });
        }
        match values.iter().position(|value| !value.is_finite()) {
            Some(at) => Err(DataError::NotFinite { row: at / columns, column: at % columns }),
            None => Ok(Self { rows, columns, values }),
        }
    }

    /// Number of rows.
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns.
    pub const fn columns(&self) -> usize {
        self.columns
    }

    /// One row.
    pub fn row(&self, row: usize) -> &[f64] {
        &self.values[row * self.columns..(row + 1) * self.columns]
    }

    /// All numbers, row-major.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// Some of the rows.
    pub fn select(&self, rows: &[usize]) -> Self {
        let values = rows.iter().flat_map(|&row| self.row(row)).copied().collect();
        Self { rows: rows.len(), columns: self.columns, values }
    }
}

/// What the examples should yield.
#[derive(Debug, Clone, PartialEq)]
pub enum Targets {
    /// The index of the right class of each example.
    Classes(Vec<usize>),
    /// The right number of each example.
    Values(Vec<f64>),
}

impl Targets {
    /// Number of examples.
    pub const fn len(&self) -> usize {
        match self {
            Self::Classes(classes) => classes.len(),
            Self::Values(values) => values.len(),
        }
    }

    /// True when there are none.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Some of the targets.
    pub fn select(&self, rows: &[usize]) -> Self {
        match self {
            Self::Classes(classes) => Self::Classes(rows.iter().map(|&row| classes[row]).collect()),
            Self::Values(values) => Self::Values(rows.iter().map(|&row| values[row]).collect()),
        }
    }
}

/// Raw examples: columns in the order of the campaign's schema.
#[derive(Debug, Clone, PartialEq)]
pub struct Examples {
    features: Matrix,
    targets: Targets,
}

impl Examples {
    /// Checks that every row has its target.
    pub fn new(features: Matrix, targets: Targets) -> Result<Self, DataError> {
        if features.rows() != targets.len() {
            return Err(DataError::Targets { rows: features.rows(), targets: targets.len() });
        }
        Ok(Self { features, targets })
    }

    /// The raw columns.
    pub const fn features(&self) -> &Matrix {
        &self.features
    }

    /// The targets.
    pub const fn targets(&self) -> &Targets {
        &self.targets
    }

    /// Number of examples.
    pub const fn len(&self) -> usize {
        self.features.rows()
    }

    /// True when there are none.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Some of the examples.
    pub fn select(&self, rows: &[usize]) -> Self {
        Self { features: self.features.select(rows), targets: self.targets.select(rows) }
    }
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

/// Public constants of one column.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// Subtracted first.
    pub center: f64,
    /// Divided by then.
    pub spread: f64,
}

/// `x' = shorten(round(scale · [(x - center) / spread …, bias]))`, where `shorten` bounds the norm of a row by `clip`.
///
/// Rounding to multiples of 2^-20 comes before the norm is taken, so the result does not depend on the order of summation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinearMap {
    /// Centre and spread of each raw column.
    pub columns: Vec<Column>,
    /// Common factor.
    pub scale: f64,
    /// The constant feature before scaling.
    pub bias: f64,
    /// Bound on the norm of a row, at most one.
    pub clip: f64,
}

/// The public map from raw columns to features. Further kinds (random features) will join the first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum FeatureMap {
    /// The columns themselves, centred and scaled.
    Identity(LinearMap),
}

impl FeatureMap {
    /// Chooses constants from validation examples and the public ranges (least, greatest) of the columns.
    ///
    /// The constants are public: means and spreads of the validation columns, rounded to four digits, become known.
    pub fn fit(validation: &Matrix, ranges: &[(f64, f64)]) -> Result<Self, DataError> {
        if validation.rows() == 0 || validation.columns() == 0 {
            return Err(DataError::Empty);
        }
        if ranges.len() != validation.columns() {
            return Err(DataError::Columns { have: validation.columns(), need: ranges.len() });
        }
        let columns: Vec<Column> =
            ranges.iter().enumerate().map(|(index, &range)| fit_column(validation, index, range)).collect();
        let bias = 1.0;
        let mean_square = (0..validation.rows())
            .map(|row| standardised(validation.row(row), &columns).map(|x| x * x).sum::<f64>() + bias * bias)
            .sum::<f64>()
            / validation.rows() as f64;
        let scale = round_digits(TYPICAL_NORM / mean_square.sqrt());
        let map = Self::Identity(LinearMap { columns, scale, bias, clip: 1.0 });
        map.check()?;
        Ok(map)
    }

    /// Number of features a model needs, the constant one included.
    pub const fn inputs(&self) -> usize {
        let Self::Identity(map) = self;
        map.columns.len() + 1
    }

    /// Checks constants that came from outside.
    pub fn check(&self) -> Result<(), DataError> {
        let Self::Identity(map) = self;
        let constant = |name: &str, value: f64, good: bool, must: &'static str| {
            if value.is_finite() && good { Ok(()) } else { Err(DataError::Constant { name: name.into(), value, must }) }
        };
        for (index, column) in map.columns.iter().enumerate() {
            constant(&format!("center of column {index}"), column.center, true, "finite")?;
            constant(&format!("spread of column {index}"), column.spread, column.spread > 0.0, "positive")?;
        }
        constant("scale", map.scale, map.scale > 0.0, "positive")?;
        constant("bias", map.bias, true, "finite")?;
        constant("clip", map.clip, map.clip > 0.0 && map.clip <= 1.0, "above 0 and at most 1")
    }

    /// Applies the map to raw columns.
    pub fn apply(&self, raw: &Matrix) -> Result<Features, DataError> {
        let Self::Identity(map) = self;
        if raw.columns() != map.columns.len() {
            return Err(DataError::Columns { have: raw.columns(), need: map.columns.len() });
        }
        let mut values = Vec::with_capacity(raw.rows() * self.inputs());
        for row in 0..raw.rows() {
            let start = values.len();
            values.extend(standardised(raw.row(row), &map.columns).map(|x| to_lattice(x * map.scale)));
            values.push(to_lattice(map.bias * map.scale));
            shorten(&mut values[start..], map.clip);
        }
        Matrix::new(raw.rows(), self.inputs(), values).map(Features)
    }
}

fn fit_column(validation: &Matrix, index: usize, (least, greatest): (f64, f64)) -> Column {
    let count = validation.rows() as f64;
    let column = || (0..validation.rows()).map(|row| validation.row(row)[index]);
    let mean = column().sum::<f64>() / count;
    let spread = (column().map(|x| (x - mean) * (x - mean)).sum::<f64>() / count).sqrt();
    let width = greatest - least;
    let width = if width.is_finite() && width > 0.0 { width } else { 1.0 };
    Column { center: round_digits(mean), spread: round_digits(spread.max(width * LEAST_SPREAD)) }
}

fn standardised<'a>(row: &'a [f64], columns: &'a [Column]) -> impl Iterator<Item = f64> + 'a {
    row.iter().zip(columns).map(|(x, column)| (x - column.center) / column.spread)
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

/// Four significant digits: short to publish, and the same after a trip through JSON.
fn round_digits(x: f64) -> f64 {
    format!("{x:.3e}").parse().unwrap_or(x)
}

/// The public map from numbers to bounded targets of a regression: `y' = clip((y - center) / spread)` into [-1, 1].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TargetMap {
    /// Subtracted first.
    pub center: f64,
    /// Divided by then.
    pub spread: f64,
}

impl TargetMap {
    /// Takes the public range of the target onto [-1, 1].
    pub fn from_range(least: f64, greatest: f64) -> Result<Self, DataError> {
        let map = Self { center: (least + greatest) / 2.0, spread: (greatest - least) / 2.0 };
        map.check()?;
        Ok(map)
    }

    /// Checks constants that came from outside.
    pub fn check(&self) -> Result<(), DataError> {
        if !self.center.is_finite() {
            return Err(DataError::Constant { name: "target center".into(), value: self.center, must: "finite" });
        }
        if !(self.spread.is_finite() && self.spread > 0.0) {
            return Err(DataError::Constant { name: "target spread".into(), value: self.spread, must: "positive" });
        }
        Ok(())
    }

    /// Applies the map; classes stay as they are.
    pub fn apply(&self, targets: &Targets) -> Targets {
        match targets {
            Targets::Classes(classes) => Targets::Classes(classes.clone()),
            Targets::Values(values) => {
                Targets::Values(values.iter().map(|y| ((y - self.center) / self.spread).clamp(-1.0, 1.0)).collect())
            }
        }
    }

    /// From the model's scale back to the data's.
    pub fn invert(&self, score: f64) -> f64 {
        score * self.spread + self.center
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn map() -> FeatureMap {
        let raw = Matrix::new(3, 2, vec![1.0, 1000.0, 2.0, 3000.0, 3.0, 2000.0]).unwrap();
        FeatureMap::fit(&raw, &[(0.0, 4.0), (0.0, 10_000.0)]).unwrap()
    }

    #[test]
    fn constants_survive_json() {
        let text = serde_json::to_string(&map()).unwrap();
        assert!(text.contains(r#""kind":"identity""#));
        assert_eq!(serde_json::from_str::<FeatureMap>(&text).unwrap(), map());
        assert!(serde_json::from_str::<FeatureMap>(&text.replace("bias", "biased")).is_err());
    }

    #[test]
    fn constant_columns_do_no_harm() {
        let raw = Matrix::new(2, 1, vec![5.0, 5.0]).unwrap();
        let features = FeatureMap::fit(&raw, &[(5.0, 5.0)]).unwrap().apply(&raw).unwrap();
        assert_eq!(features.row(0)[0], 0.0);
    }

    #[test]
    fn senseless_constants_are_named() {
        let FeatureMap::Identity(mut inner) = map();
        inner.columns[1].spread = 0.0;
        let error = FeatureMap::Identity(inner).check().unwrap_err();
        assert_eq!(error.to_string(), "public constant spread of column 1 is 0: it must be positive");
        assert!(TargetMap::from_range(3.0, 3.0).is_err());
    }

    #[test]
    fn targets_map_and_back() {
        let map = TargetMap::from_range(0.0, 50.0).unwrap();
        assert_eq!(map.apply(&Targets::Values(vec![0.0, 25.0, 60.0])), Targets::Values(vec![-1.0, 0.0, 1.0]));
        assert_eq!(map.invert(-1.0), 0.0);
    }

    proptest! {
        #[test]
        fn rows_never_exceed_norm_one(values in prop::collection::vec(-1e12..1e12, 2..40)) {
            let rows = values.len() / 2;
            let raw = Matrix::new(rows, 2, values[..rows * 2].to_vec()).unwrap();
            let features = map().apply(&raw).unwrap();
            for row in 0..rows {
                prop_assert!(features.row(row).iter().map(|x| x * x).sum::<f64>() <= 1.0);
            }
        }
    }
}
