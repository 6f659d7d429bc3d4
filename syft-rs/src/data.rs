//! Examples as data owners have them (raw columns and targets), and the public map that bounds the targets of a regression.

use crate::shape::MAX_INPUTS;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Data or public constants that do not fit together.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum DataError {
    /// The number of values is not rows times columns.
    #[error("{rows} rows of {columns} columns need {need} values, not {have}", need = rows.saturating_mul(*columns))]
    Length {
        /// Number of rows.
        rows: usize,
        /// Number of columns.
        columns: usize,
        /// Number of values given.
        have: usize,
    },
    /// A value is NaN or infinite.
    #[error("row {row}, column {column} is not a finite number")]
    NotFinite {
        /// Index of the row, from 0.
        row: usize,
        /// Index of the column, from 0.
        column: usize,
    },
    /// Features and targets differ in number.
    #[error("{rows} rows of features but {targets} targets")]
    Targets {
        /// Rows of features.
        rows: usize,
        /// Number of targets.
        targets: usize,
    },
    /// The data has another number of columns than the feature map.
    #[error("the data has {have} columns, the model expects {need}")]
    Columns {
        /// Columns given.
        have: usize,
        /// Columns expected.
        need: usize,
    },
    /// A public constant is outside its range.
    #[error("public constant {name} is {value}: it must be {must}")]
    Constant {
        /// Name of the constant.
        name: String,
        /// Value of the constant.
        value: f64,
        /// The allowed range, in words.
        must: &'static str,
    },
    /// There are no examples.
    #[error("there are no examples")]
    Empty,
    /// More features than an encrypted model can have.
    #[error(
        "{features} features and the constant one exceed the {} inputs that an encrypted model can have: a Mine's work grows with \
         their square, and would be {:.1} times that for the largest model",
        MAX_INPUTS,
        ((*features as f64 + 1.0) / MAX_INPUTS as f64).powi(2)
    )]
    TooLarge {
        /// Number of features, without the constant one.
        features: usize,
    },
    /// A feature map that does not fit the data.
    #[error("the features do not fit: {0}")]
    Map(String),
}

/// The kind of prediction that a model makes.
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
    /// Number of outputs of a model for this task: one per class, or one.
    pub const fn outputs(&self) -> usize {
        match self {
            Self::Classification { classes } => classes.len(),
            Self::Regression => 1,
        }
    }
}

/// A matrix of finite numbers, row-major.
#[derive(Debug, Clone, PartialEq)]
pub struct Matrix {
    rows: usize,
    columns: usize,
    values: Vec<f64>,
}

impl Matrix {
    /// Checks that there are rows × columns values and that all are finite.
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

    /// The values of one row, by index from 0.
    pub fn row(&self, row: usize) -> &[f64] {
        &self.values[row * self.columns..(row + 1) * self.columns]
    }

    /// All values, row-major.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// A matrix with the same rows and other columns. The number of values must fit, and they must be finite.
    pub(crate) fn with_rows(&self, columns: usize, values: impl IntoIterator<Item = f64>) -> Self {
        let values: Vec<f64> = values.into_iter().collect();
        debug_assert_eq!(values.len(), self.rows * columns);
        Self { rows: self.rows, columns, values }
    }

    /// The rows with these indices, in this order.
    pub fn select(&self, rows: &[usize]) -> Self {
        let values = rows.iter().flat_map(|&row| self.row(row)).copied().collect();
        Self { rows: rows.len(), columns: self.columns, values }
    }
}

/// The answers that a model should give.
#[derive(Debug, Clone, PartialEq)]
pub enum Targets {
    /// Index of the right class of each example.
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

    /// True when there are no examples.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The targets with these indices, in this order.
    pub fn select(&self, rows: &[usize]) -> Self {
        match self {
            Self::Classes(classes) => Self::Classes(rows.iter().map(|&row| classes[row]).collect()),
            Self::Values(values) => Self::Values(rows.iter().map(|&row| values[row]).collect()),
        }
    }
}

/// Raw examples: columns in the order of the campaign's schema, and their targets.
#[derive(Debug, Clone, PartialEq)]
pub struct Examples {
    features: Matrix,
    targets: Targets,
}

impl Examples {
    /// Checks that there is one target per row.
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

    /// The targets, one per row.
    pub const fn targets(&self) -> &Targets {
        &self.targets
    }

    /// Number of examples.
    pub const fn len(&self) -> usize {
        self.features.rows()
    }

    /// True when there are no examples.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The examples with these indices, in this order.
    pub fn select(&self, rows: &[usize]) -> Self {
        Self { features: self.features.select(rows), targets: self.targets.select(rows) }
    }
}

/// The public map that bounds the targets of a regression: `y' = clip((y - center) / spread)`, in [-1, 1].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TargetMap {
    /// Subtracted from a target.
    pub center: f64,
    /// Divisor of the difference, positive.
    pub spread: f64,
}

impl TargetMap {
    /// The map that takes the public range of the target to [-1, 1].
    pub fn from_range(least: f64, greatest: f64) -> Result<Self, DataError> {
        let map = Self { center: (least + greatest) / 2.0, spread: (greatest - least) / 2.0 };
        map.check()?;
        Ok(map)
    }

    /// Checks constants from an untrusted source.
    pub fn check(&self) -> Result<(), DataError> {
        if !self.center.is_finite() {
            return Err(DataError::Constant { name: "target center".into(), value: self.center, must: "finite" });
        }
        if !(self.spread.is_finite() && self.spread > 0.0) {
            return Err(DataError::Constant { name: "target spread".into(), value: self.spread, must: "positive" });
        }
        Ok(())
    }

    /// Applies the map. Classes are returned unchanged.
    pub fn apply(&self, targets: &Targets) -> Targets {
        match targets {
            Targets::Classes(classes) => Targets::Classes(classes.clone()),
            Targets::Values(values) => {
                Targets::Values(values.iter().map(|y| ((y - self.center) / self.spread).clamp(-1.0, 1.0)).collect())
            }
        }
    }

    /// Takes a score of the model back to the scale of the data.
    pub fn invert(&self, score: f64) -> f64 {
        score * self.spread + self.center
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn senseless_targets_are_named() {
        assert!(TargetMap::from_range(3.0, 3.0).is_err());
    }

    #[test]
    fn targets_map_and_back() {
        let map = TargetMap::from_range(0.0, 50.0).unwrap();
        assert_eq!(map.apply(&Targets::Values(vec![0.0, 25.0, 60.0])), Targets::Values(vec![-1.0, 0.0, 1.0]));
        assert_eq!(map.invert(-1.0), 0.0);
    }
}
