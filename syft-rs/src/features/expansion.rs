//! What a feature map computes from standardised columns: an [`Expansion`] is short and public, a [`Recipe`] has the random weights written out.

use super::polynomial;
use serde::{Deserialize, Serialize};

/// The columns of a row as an image: row by row from the top, the channels of a pixel next to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Image {
    /// Height in pixels.
    pub height: usize,
    /// Width in pixels.
    pub width: usize,
    /// Numbers per pixel.
    pub channels: usize,
}

impl Image {
    /// Numbers per image.
    pub const fn columns(self) -> usize {
        self.height.saturating_mul(self.width).saturating_mul(self.channels)
    }
}

/// Public constants that standardise one column: `(x - center) / spread`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// Subtracted from the column.
    pub center: f64,
    /// Divisor of the difference, positive.
    pub spread: f64,
}

/// Public description of the features made from standardised columns `z`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Expansion {
    /// The columns are the features.
    Identity,
    /// The columns, and the products of any two of them, squares included.
    Polynomial,
    /// Random ReLU features: `max(0, z·w_i - threshold)` for random `w_i`.
    RandomRelu {
        /// Number of features.
        count: usize,
        /// Seed of the weights.
        seed: u32,
        /// Threshold of every feature, a multiple of 2^-10.
        threshold: f64,
    },
    /// Random convolution features: `max(0, filter_i - threshold)` at every place of the image, averaged over the cells of a square grid.
    RandomConv {
        /// Shape of the image in the columns.
        image: Image,
        /// Number of filters.
        filters: usize,
        /// Side of a filter in pixels.
        size: usize,
        /// Cells along a side of the grid.
        cells: usize,
        /// Seed of the filters.
        seed: u32,
        /// Threshold of every filter, a multiple of 2^-10.
        threshold: f64,
    },
}

impl Expansion {
    /// Number of features made from `columns` columns, without the constant one.
    pub(super) fn count(&self, columns: usize) -> usize {
        match *self {
            Self::Identity => columns,
            Self::Polynomial => polynomial::count(columns),
            Self::RandomRelu { count, .. } => count,
            Self::RandomConv { filters, cells, .. } => filters.saturating_mul(cells).saturating_mul(cells),
        }
    }
}

/// How features follow from standardised columns `z`, with everything that follows from a seed written out.
#[derive(Debug, Clone, PartialEq)]
pub enum Recipe {
    /// The columns are the features, and are not rounded first.
    Identity,
    /// The columns, then `z_i · z_j` for all `i ≤ j`, ordered by `i` and then `j`.
    Polynomial,
    /// `max(0, z · weights - threshold)`, minus the mean over the features.
    RandomRelu {
        /// Number of features.
        count: usize,
        /// Row-major: columns × features.
        weights: Vec<f64>,
        /// Subtracted from every combination.
        threshold: f64,
    },
    /// `max(0, window · weights - threshold)` at every place, summed over the places of each cell, minus the mean over the filters, divided by the
    /// number of places; ordered by cells, then filters.
    RandomConv {
        /// Columns that a filter reads, per place.
        windows: Vec<Vec<usize>>,
        /// Places, per cell.
        cells: Vec<Vec<usize>>,
        /// Number of filters.
        filters: usize,
        /// Row-major: columns of a window × filters.
        weights: Vec<f64>,
        /// Subtracted from every response.
        threshold: f64,
    },
}
