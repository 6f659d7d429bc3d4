//! Random convolution features of images: filters that follow from a seed, thresholded, and averaged over the cells of a grid.

use super::checked;
use super::expansion::{Expansion, Image, Recipe};
use super::random::{center, multiply, threshold, weights};
use super::seed::SeedIndex;
use crate::data::{DataError, Matrix};
use std::ops::Range;

/// Filter weights are multiples of 2^-7.
const WEIGHT_BITS: u32 = 7;

/// A checked [`Expansion::RandomConv`] with its filters.
pub(super) struct Conv {
    image: Image,
    filters: usize,
    size: usize,
    cells: usize,
    threshold: f64,
    /// Row-major: pixels of a filter's window × filters.
    weights: Vec<f64>,
}

impl Conv {
    /// Checks that the filters fit into the image, and the image into the columns.
    pub(super) fn new(expansion: &Expansion, columns: usize) -> Result<Self, DataError> {
        let &Expansion::RandomConv { image, filters, size, cells, seed, threshold } = expansion else {
            return Err(DataError::Map("the expansion has no convolutions".into()));
        };
        if image.columns() != columns {
            let Image { height, width, channels } = image;
            return Err(DataError::Map(format!(
                "an image of {height}×{width} pixels with {channels} channels has {} numbers, but the data has {columns} columns",
                image.columns()
            )));
        }
        let places = (image.height.min(image.width) + 1).saturating_sub(size);
        if size == 0 || filters == 0 || cells == 0 || places < cells {
            return Err(DataError::Map(format!(
                "filters of {size}×{size} pixels leave {places} places along a side, for {cells} cells"
            )));
        }
        let window = size * size * image.channels;
        Ok(Self {
            image,
            filters,
            size,
            cells,
            threshold,
            weights: normalised(&weights(seed, window * filters), filters),
        })
    }

    const fn places(&self) -> (usize, usize) {
        (self.image.height + 1 - self.size, self.image.width + 1 - self.size)
    }

    /// The window of a filter at each place, by rows: runs of columns, one per line of pixels.
    fn windows(&self) -> impl Iterator<Item = impl Iterator<Item = Range<usize>>> {
        let (down, across) = self.places();
        let (line, run) = (self.image.width * self.image.channels, self.size * self.image.channels);
        (0..down * across).map(move |place| {
            let corner = place / across * line + place % across * self.image.channels;
            (0..self.size).map(move |row| corner + row * line).map(move |start| start..start + run)
        })
    }

    /// The places of each cell of the grid, by rows.
    fn cells(&self) -> impl Iterator<Item = Vec<usize>> {
        let (down, across) = self.places();
        (0..self.cells * self.cells).map(move |cell| {
            let (rows, columns) = (self.span(cell / self.cells, down), self.span(cell % self.cells, across));
            rows.flat_map(|row| columns.clone().map(move |column| row * across + column)).collect()
        })
    }

    /// The response of every filter at every place of one image, row-major by place.
    fn responses(&self, image: &[f64]) -> Vec<f64> {
        let windows: Vec<f64> = self.windows().flatten().flat_map(|run| &image[run]).copied().collect();
        multiply(&windows, &self.weights, self.filters)
    }

    /// For each cell of the grid, by rows: the mean of each thresholded filter, minus the mean over the filters.
    fn pool(&self, responses: &[f64]) -> Vec<f64> {
        let mut features = vec![0.0; self.cells * self.cells * self.filters];
        for (places, features) in self.cells().zip(features.chunks_exact_mut(self.filters)) {
            for &place in &places {
                let responses = &responses[place * self.filters..][..self.filters];
                features.iter_mut().zip(responses).for_each(|(sum, x)| *sum += (x - self.threshold).max(0.0));
            }
            // Sums are exact, means are not: centring the sums makes the order irrelevant.
            center(features);
            features.iter_mut().for_each(|sum| *sum /= places.len() as f64);
        }
        features
    }

    /// The expansion with windows, cells and weights written out.
    pub(super) fn recipe(self) -> Recipe {
        Recipe::RandomConv {
            windows: self.windows().map(|window| window.flatten().collect()).collect(),
            cells: self.cells().collect(),
            filters: self.filters,
            threshold: self.threshold,
            weights: self.weights,
        }
    }

    /// The places of a cell along one side; neighbouring cells may share one.
    const fn span(&self, cell: usize, places: usize) -> Range<usize> {
        cell * places / self.cells..((cell + 1) * places).div_ceil(self.cells)
    }

    pub(super) fn expand(&self, inputs: &Matrix) -> Matrix {
        let rows = (0..inputs.rows()).flat_map(|row| self.pool(&self.responses(inputs.row(row))));
        inputs.with_rows(self.cells * self.cells * self.filters, rows)
    }
}

/// Filters with mean zero and norm one, in short numbers.
fn normalised(weights: &[f64], filters: usize) -> Vec<f64> {
    let (scale, window) = (f64::from(1 << WEIGHT_BITS), (weights.len() / filters) as f64);
    let mut out = vec![0.0; weights.len()];
    for filter in 0..filters {
        let column = || weights.iter().skip(filter).step_by(filters);
        let sum = column().sum::<f64>();
        // Times the window's size, all numbers are whole, so the norm is the same in any order of summation.
        let norm = column().map(|w| (w * window - sum).powi(2)).sum::<f64>().sqrt().max(1.0);
        let short = column().map(|w| ((w * window - sum) / norm * scale).round_ties_even() / scale);
        out.iter_mut().skip(filter).step_by(filters).zip(short).for_each(|(to, from)| *to = from);
    }
    out
}

/// Chooses filter size and grid by the size of the image, as many filters as give about `count` features, and the threshold.
pub(super) fn fit(
    inputs: &Matrix,
    count: usize,
    image: Option<Image>,
    index: SeedIndex,
) -> Result<Expansion, DataError> {
    let image = image.ok_or_else(|| DataError::Map("random convolutions need columns that are an image".into()))?;
    let side = image.height.min(image.width);
    let (size, cells) = if side >= 16 { (7, 4) } else { (3, 3) };
    let filters = (count / (cells * cells)).max(1);
    let trial = |seed, threshold| Expansion::RandomConv { image, filters, size, cells, seed, threshold };
    let seed = checked::seed(&trial(0, 0.0), inputs.columns(), index);
    let trial = |threshold| trial(seed, threshold);
    let conv = Conv::new(&trial(0.0), inputs.columns())?;
    let some = (0..inputs.rows().min(100)).flat_map(|row| conv.responses(inputs.row(row)));
    let most = trial(0.0).most_threshold(inputs.columns());
    Ok(trial(threshold(&some.collect::<Vec<_>>(), most)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const IMAGE: Image = Image { height: 5, width: 6, channels: 2 };

    fn expansion(size: usize, cells: usize) -> Expansion {
        Expansion::RandomConv { image: IMAGE, filters: 4, size, cells, seed: 5, threshold: 0.125 }
    }

    #[test]
    fn filters_have_mean_zero_and_norm_one() {
        let conv = Conv::new(&expansion(3, 2), 60).unwrap();
        for filter in 0..4 {
            let column: Vec<f64> = conv.weights.iter().skip(filter).step_by(4).copied().collect();
            assert!(column.iter().sum::<f64>().abs() < 18.0 / 256.0);
            assert!((column.iter().map(|w| w * w).sum::<f64>() - 1.0).abs() < 0.05);
        }
    }

    #[test]
    fn features_by_definition() {
        let conv = Conv::new(&expansion(2, 2), 60).unwrap();
        let image: Vec<f64> = (0..60).map(|i| f64::from(i * 37 % 64) / 64.0).collect();
        let response = |filter: usize, top: usize, left: usize| -> f64 {
            (0..8)
                .map(|at| {
                    let (row, column, channel) = (at / 4, at / 2 % 2, at % 2);
                    conv.weights[at * 4 + filter] * image[((top + row) * 6 + left + column) * 2 + channel]
                })
                .sum()
        };
        let cell = |filter: usize, rows: Range<usize>, columns: Range<usize>| {
            let places = rows.flat_map(|row| columns.clone().map(move |column| (row, column)));
            places.map(|(row, column)| (response(filter, row, column) - 0.125).max(0.0)).sum::<f64>()
        };
        // Four places down make cells of two, five across cells of three that share the middle one.
        let mut expected = Vec::new();
        for (rows, columns) in [(0..2, 0..3), (0..2, 2..5), (2..4, 0..3), (2..4, 2..5)] {
            let mut features: Vec<f64> = (0..4).map(|filter| cell(filter, rows.clone(), columns.clone())).collect();
            center(&mut features);
            let area = (rows.len() * columns.len()) as f64;
            expected.extend(features.iter().map(|sum| sum / area));
        }
        assert_eq!(conv.expand(&Matrix::new(1, 60, image.clone()).unwrap()).values(), expected);
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let refusal = |expansion: &Expansion, columns| Conv::new(expansion, columns).err().unwrap().to_string();
        assert!(refusal(&expansion(3, 2), 59).contains("59 columns"));
        assert!(refusal(&expansion(5, 2), 60).contains("1 places"));
    }
}
