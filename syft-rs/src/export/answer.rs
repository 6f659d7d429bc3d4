//! The meaning of a model's scores, and errors of an export.

use crate::data::{DataError, TargetMap};
use crate::shape::Shape;
use thiserror::Error;

/// The meaning of a model's scores.
#[derive(Debug, Clone, Copy)]
pub enum Answer<'a> {
    /// The class with the greatest score; of equal scores, the first. The names are in the order of the outputs.
    Class(&'a [String]),
    /// A number: the only score, taken back to the scale of the data.
    Number(TargetMap),
}

impl Answer<'_> {
    /// Number of scores that the answer needs.
    pub const fn outputs(&self) -> usize {
        match self {
            Self::Class(classes) => classes.len(),
            Self::Number(_) => 1,
        }
    }
}

/// A model that cannot be exported.
#[derive(Debug, Error)]
pub enum ExportError {
    /// The weights do not fit the features or the answer.
    #[error("the model has {} inputs and {} outputs, its description {} and {}", have.inputs, have.outputs, need.inputs, need.outputs)]
    Shape {
        /// Shape of the weights.
        have: Shape,
        /// Shape that features and answer need.
        need: Shape,
    },
    /// The feature map is not valid for the columns.
    #[error(transparent)]
    Features(#[from] DataError),
    /// The archive cannot be written.
    #[error("the archive cannot be written: {0}")]
    Archive(#[from] zip::result::ZipError),
    /// A description cannot be written as JSON.
    #[error("the description cannot be written: {0}")]
    Json(#[from] serde_json::Error),
}
