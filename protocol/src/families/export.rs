//! The formats of a finished model, and what a family needs to write them.

use std::{collections::BTreeMap, str::FromStr};

use syft::{
    DataError,
    export::{Answer, ExportError},
};

use super::family::FamilyError;
use crate::backbone::Embedding;

/// File format of a finished model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// The file that the Capsule signed: the weights, with metadata that describe their use
    Safetensors,
    /// A graph from raw columns to scores and answers
    Onnx,
    /// NumPy arrays: the weights and every constant
    Npz,
}

/// Text that is not a format.
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

    /// File name extension.
    #[must_use]
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Safetensors => "safetensors",
            Self::Onnx => "onnx",
            Self::Npz => "npz",
        }
    }
}

/// Why a model cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    /// The file is not a model of the campaign, or cannot be written.
    #[error(transparent)]
    Family(#[from] FamilyError),
    /// The constants cannot be expressed in JSON.
    #[error("the model's description cannot be written: {0}")]
    Json(#[from] serde_json::Error),
    /// A regression has no range of its target; a checked manifest always has one.
    #[error("the target's range is missing")]
    NoRange,
    /// The model has a backbone, which is not available.
    #[error("the backbone's weights are needed for this format")]
    NoBackbone,
    /// The range of the target is invalid.
    #[error(transparent)]
    Target(#[from] DataError),
    /// The family does not support the format.
    #[error(transparent)]
    Export(#[from] ExportError),
}

/// Metadata of a file for those who compute answers from raw columns.
#[derive(Clone, Copy, Debug)]
pub struct Export<'a> {
    /// Names of the raw columns.
    pub columns: &'a [String],
    /// Meaning of the scores.
    pub answer: Answer<'a>,
    /// Metadata of the file.
    pub metadata: &'a BTreeMap<String, String>,
    /// The backbone that transforms raw columns first.
    pub embedding: &'a Embedding,
}
