//! What a feature map computes from standardised columns: [`Expansion`] is short and public, [`Recipe`] has the random weights written out.

use super::polynomial;
use serde::{Deserialize, Serialize};

/// The columns of a row as an image: row by row from the top, the channels of a pixel next to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Image {
    /// Pixels from top to bottom.
    pub height: usize,
    /// Pixels from left to right.
    pub width: usize,
    /// Numbers of a pixel.
    pub channels: usize,
}

impl Image {
    /// Numbers of an image.
    pub const fn columns(self) -> usize {
        self.height.saturating_mul(self.width).saturating_mul(self.channels)
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

/// What becomes of the standardised columns.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Expansion {
    /// They are the features.
    Identity,
    /// They, and the products of any two of them, themselves included.
    Polynomial,
    /// `max(0, z·w_i - threshold)` for random `w_i`.
    RandomRelu {
        /// Number of features.
        count: usize,
        /// From which the weights follow.
        seed: u32,
        /// A multiple of 2^-10.
        threshold: f64,
    },
    /// `max(0, filter_i - threshold)` at every place of the image, averaged over the cells of a square grid.
    RandomConv {
        /// What the columns are.
        image: Image,
        /// Number of filters.
        filters: usize,
        /// Pixels of a filter's side.
        size: usize,
        /// Cells along a side of the grid.
        cells: usize,
        /// From which the filters follow.
        seed: u32,
        /// A multiple of 2^-10.
        threshold: f64,
    },
}

impl Expansion {
    /// Number of features made from so many columns, without the constant one.
    pub(super) fn count(&self, columns: usize) -> usize {
        match *self {
            Self::Identity => columns,
            Self::Polynomial => polynomial::count(columns),
            Self::RandomRelu { count, .. } => count,
            Self::RandomConv { filters, cells, .. } => filters.saturating_mul(cells).saturating_mul(cells),
        }
    }
}

/// How features come from standardised columns `z`, with all that follows from a seed written out.
#[derive(Debug, Clone, PartialEq)]
pub enum Recipe {
    /// The columns are the features; they are not rounded first.
    Identity,
    /// The columns, then `z_i · z_j` for all `i ≤ j`, ordered by `i` and then `j`.
    Polynomial,
    /// `max(0, z · weights - threshold)`, less the mean over the features.
    RandomRelu {
        /// Number of features.
        count: usize,
        /// Row-major: columns times features.
        weights: Vec<f64>,
        /// Subtracted from every combination.
        threshold: f64,
    },
    /// `max(0, window · weights - threshold)` at every place, summed over the places of each cell, less the mean over the filters,
    /// divided by the number of places; by cells, then filters.
    RandomConv {
        /// The columns that a filter reads at each place.
        windows: Vec<Vec<usize>>,
        /// The places of each cell.
        cells: Vec<Vec<usize>>,
        /// Number of filters.
        filters: usize,
        /// Row-major: columns of a window times filters.
        weights: Vec<f64>,
        /// Subtracted from every response.
        threshold: f64,
    },
}
