//! The formats that a finished model comes in, and what a family needs to write them.

use std::{collections::BTreeMap, str::FromStr};

use syft::{
    DataError,
    export::{Answer, ExportError},
};

use super::family::FamilyError;
use crate::backbone::Embedding;

/// What the data scientist loads the model with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// The file that the Capsule signed: the weights, and how to use them as metadata
    Safetensors,
    /// A graph from raw columns to scores and answers
    Onnx,
    /// NumPy arrays: the weights and every constant
    Npz,
}

/// A text that names no format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a format: write `safetensors`, `onnx` or `npz`")]
pub struct ParseFormatError(String);

impl FromStr for Format {
    type Err = ParseFormatError;

    fn from_str(text: &str) -> Result<Self, ParseFormatError> {
        Self::ALL.into_iter().find(|format| format.extension() == text).ok_or_else(|| ParseFormatError(text.into()))
    }
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 3] = [Self::Safetensors, Self::Onnx, Self::Npz];

    /// How names of such files end.
    #[must_use]
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Safetensors => "safetensors",
            Self::Onnx => "onnx",
            Self::Npz => "npz",
        }
    }
}

/// A model that cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    /// The file is not a model of the campaign, or cannot be written.
    #[error(transparent)]
    Family(#[from] FamilyError),
    /// Constants that are no JSON.
    #[error("the model's description cannot be written: {0}")]
    Json(#[from] serde_json::Error),
    /// A regression without the range of its target, which no manifest that was checked is.
    #[error("the target's range is missing")]
    NoRange,
    /// A model that reads through a backbone, which is not at hand.
    #[error("the backbone's weights are needed for this format")]
    NoBackbone,
    /// A target with a range that is none.
    #[error(transparent)]
    Target(#[from] DataError),
    /// Not in another format.
    #[error(transparent)]
    Export(#[from] ExportError),
}

/// What a file says besides the weights, for those who compute answers from raw columns.
#[derive(Clone, Copy, Debug)]
pub struct Export<'a> {
    /// Names of the raw columns.
    pub columns: &'a [String],
    /// What the scores mean.
    pub answer: Answer<'a>,
    /// What the file says about itself.
    pub metadata: &'a BTreeMap<String, String>,
    /// What raw columns go through first.
    pub embedding: &'a Embedding,
}
