//! What scores mean, and why a model cannot be exported.

use crate::data::{DataError, TargetMap};
use crate::shape::Shape;
use thiserror::Error;

/// What a model's scores mean.
#[derive(Debug, Clone, Copy)]
pub enum Answer<'a> {
    /// The class of the greatest score, the first among equals.
    Class(&'a [String]),
    /// The one score, taken back to the data's own scale.
    Number(TargetMap),
}

impl Answer<'_> {
    /// Scores that it takes.
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
    /// Weights that are not for these features or answers.
    #[error("the model has {} inputs and {} outputs, its description {} and {}", have.inputs, have.outputs, need.inputs, need.outputs)]
    Shape {
        /// Of the weights.
        have: Shape,
        /// Of features and answer.
        need: Shape,
    },
    /// A feature map that makes no sense.
    #[error(transparent)]
    Features(#[from] DataError),
    /// An archive that cannot be written.
    #[error("the archive cannot be written: {0}")]
    Archive(#[from] zip::result::ZipError),
    /// A description that is no JSON.
    #[error("the description cannot be written: {0}")]
    Json(#[from] serde_json::Error),
}
