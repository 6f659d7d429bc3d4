//! The layers of a description, as they are written in JSON.

use serde::{Deserialize, Serialize};

/// An operation on the result of the layer before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Layer {
    /// A convolution of an image.
    Conv(Conv),
    /// The maximum of each square with this side. Squares do not overlap; pixels left over at the right and at the bottom are dropped.
    MaxPool(usize),
    /// `max(0, x)`.
    Relu,
    /// This number of linear combinations of all numbers. An image is read channel by channel.
    Dense(usize),
}

/// A convolution with square filters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conv {
    /// Number of filters, and of channels of the result.
    pub channels: usize,
    /// Side of a filter in pixels.
    pub kernel: usize,
    /// Pixels from one place to the next.
    #[serde(default = "one")]
    pub stride: usize,
    /// Rows and columns of zeros around the image, fewer than the filter's side.
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
