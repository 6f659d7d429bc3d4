//! The layers of a description, as they are written in JSON.

use serde::{Deserialize, Serialize};

/// What is done to the numbers that the layer before gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Layer {
    /// Square filters over an image.
    Conv(Conv),
    /// The greatest number of each square of this side; squares do not overlap, and what is left over at the right and below is left out.
    MaxPool(usize),
    /// `max(0, x)`.
    Relu,
    /// So many combinations of all numbers. An image is read channel by channel.
    Dense(usize),
}

/// Square filters over an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conv {
    /// Number of filters.
    pub channels: usize,
    /// Pixels of a filter's side.
    pub kernel: usize,
    /// Pixels from one place to the next.
    #[serde(default = "one")]
    pub stride: usize,
    /// Zeros around the image.
    #[serde(default)]
    pub padding: usize,
}

const fn one() -> usize {
    1
}

impl Layer {
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Conv(_) => "conv",
            Self::MaxPool(_) => "max-pool",
            Self::Relu => "relu",
            Self::Dense(_) => "dense",
        }
    }
}
