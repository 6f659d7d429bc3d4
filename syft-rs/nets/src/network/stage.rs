//! Layers with their shapes worked out: what forward pass, gradient and export run through.

use super::input::Input;
use super::layer::Conv;

/// A shape of numbers in channels of pixels; a row of numbers has one pixel per channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Volume {
    pub(crate) channels: usize,
    pub(crate) height: usize,
    pub(crate) width: usize,
}

impl Volume {
    pub(super) const fn row(count: usize) -> Self {
        Self { channels: count, height: 1, width: 1 }
    }

    pub(crate) const fn places(self) -> usize {
        self.height.saturating_mul(self.width)
    }

    pub(crate) const fn numbers(self) -> usize {
        self.channels.saturating_mul(self.places())
    }
}

impl From<&Input> for Volume {
    fn from(input: &Input) -> Self {
        match input {
            Input::Columns(columns) => Self::row(columns.len()),
            Input::Image { height, width, channels } => {
                Self { channels: channels.len(), height: *height, width: *width }
            }
        }
    }
}

/// A layer with all shapes worked out. Its parameters start at `at` among the network's: first weights, then biases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    Conv { conv: Conv, from: Volume, to: Volume, at: usize },
    MaxPool { size: usize, from: Volume, to: Volume },
    Relu { count: usize },
    Dense { inputs: usize, outputs: usize, at: usize },
}

impl Stage {
    /// Number of outputs per row.
    pub(crate) const fn outputs(&self) -> usize {
        match self {
            Self::Conv { to, .. } | Self::MaxPool { to, .. } => to.numbers(),
            Self::Relu { count } => *count,
            Self::Dense { outputs, .. } => *outputs,
        }
    }

    /// Start and shape of the weights, whose first dimension is the number of biases. None for layers without parameters.
    pub(crate) fn weights(&self) -> Option<(usize, Vec<usize>)> {
        match *self {
            Self::Conv { conv, from, at, .. } => {
                Some((at, vec![conv.channels, from.channels, conv.kernel, conv.kernel]))
            }
            Self::Dense { inputs, outputs, at } => Some((at, vec![outputs, inputs])),
            Self::MaxPool { .. } | Self::Relu { .. } => None,
        }
    }

    pub(super) const fn parameters(&self) -> usize {
        match self {
            Self::Conv { conv, from, .. } => {
                let filter = from.channels.saturating_mul(conv.kernel).saturating_mul(conv.kernel);
                conv.channels.saturating_mul(filter.saturating_add(1))
            }
            Self::Dense { inputs, outputs, .. } => outputs.saturating_mul(inputs.saturating_add(1)),
            Self::MaxPool { .. } | Self::Relu { .. } => 0,
        }
    }

    pub(super) const fn work(&self) -> usize {
        match self {
            Self::Conv { to, .. } => self.parameters().saturating_mul(to.places()),
            Self::MaxPool { size, to, .. } => to.numbers().saturating_mul(*size).saturating_mul(*size),
            Self::Relu { count } => *count,
            Self::Dense { .. } => self.parameters(),
        }
    }
}
