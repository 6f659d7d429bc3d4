//! The linear map on encrypted rows: a product of matrices modulo 2^64, in tiles that stay in the cache.

use super::kernel::{COLUMNS, Factors, Kernel, ROWS, Words};
use rayon::prelude::*;
use zeroize::{Zeroize, Zeroizing};

/// Makes factors of either sign positive: `Σ (f + 2^15)·w - 2^15·Σ w`.
const BIAS: u64 = 1 << 15;

/// Encrypted rows, cut into panels of adjacent columns. A panel has the words of all rows, one row after the other.
pub(super) struct Panels {
    rows: usize,
    panels: Vec<Vec<Words>>,
    /// For each column, the sum that the bias of the factors adds.
    biases: Vec<Words>,
}

impl Panels {
    /// `rows` rows of `width` words. `fill(row, column, words)` is called for 16 words at a time, from `column` on.
    pub(super) fn new(rows: usize, width: usize, fill: impl Fn(usize, usize, &mut Words) + Sync) -> Self {
        let panel = |column: usize| {
            let mut panel = vec![[0; COLUMNS]; rows];
            panel.iter_mut().enumerate().for_each(|(row, words)| fill(row, column, words));
            panel
        };
        let starts: Vec<usize> = (0..width).step_by(COLUMNS).collect();
        let panels: Vec<_> = starts.into_par_iter().map(panel).collect();
        let biases = panels.iter().map(|panel| bias(panel)).collect();
        Self { rows, panels, biases }
    }

    /// Some rows of `map · rows`, for a map with one column per row of these panels.
    pub(super) fn multiply(&self, kernel: Kernel, map: &[i16]) -> Product {
        let tiles = map.chunks(ROWS * self.rows);
        let factors: Vec<_> = tiles.map(|rows| Zeroizing::new(tile_factors(rows, self.rows))).collect();
        let panel = |(panel, bias): (&Vec<Words>, &Words)| {
            let tiles = factors.iter().flat_map(|factors| kernel.tile(factors, panel));
            tiles.map(|sums| std::array::from_fn(|column| sums[column].wrapping_sub(bias[column]))).collect()
        };
        Product(self.panels.par_iter().zip(&self.biases).map(panel).collect())
    }
}

/// Rows of a product, in the same panels. They disclose the map to anybody who knows the key and the errors, so they are zeroed when dropped.
pub(super) struct Product(Vec<Vec<Words>>);

impl Drop for Product {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl Product {
    /// Copies a row; `row` may be shorter than the panels are wide.
    pub(super) fn read(&self, index: usize, row: &mut [u64]) {
        for (part, panel) in row.chunks_mut(COLUMNS).zip(&self.0) {
            part.copy_from_slice(&panel[index][..part.len()]);
        }
    }
}

fn bias(panel: &[Words]) -> Words {
    let mut sums = [0_u64; COLUMNS];
    for words in panel {
        sums.iter_mut().zip(words).for_each(|(sum, word)| *sum = sum.wrapping_add(*word));
    }
    sums.map(|sum| sum.wrapping_mul(BIAS))
}

/// At most [`ROWS`] rows of the map, column by column; missing rows count as zero.
fn tile_factors(rows: &[i16], columns: usize) -> Vec<Factors> {
    let biased = |factor: i16| BIAS.wrapping_add_signed(i64::from(factor));
    let at = |row: usize, column: usize| rows.get(row * columns + column).map_or(BIAS, |factor| biased(*factor));
    (0..columns).map(|column| std::array::from_fn(|row| at(row, column))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_by_definition() {
        // Neither rows nor columns fill their last tile.
        let (rows, width) = (7, 21);
        let word = |row: usize, column: usize| ((row * width + column) as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let panels = Panels::new(rows, width, |row, start, words| {
            words.iter_mut().enumerate().for_each(|(column, to)| *to = word(row, start + column));
        });
        let map: Vec<i16> = (0..rows * rows).map(|i| [i16::MIN, -3, 0, 1, i16::MAX][i % 5]).collect();
        for kernel in Kernel::available() {
            let product = panels.multiply(kernel, &map);
            for (index, factors) in map.chunks(rows).enumerate() {
                let mut have = vec![0; width];
                product.read(index, &mut have);
                let expected: Vec<u64> = (0..width)
                    .map(|column| {
                        factors.iter().enumerate().fold(0_u64, |sum, (row, &factor)| {
                            sum.wrapping_add(word(row, column).wrapping_mul(i64::from(factor).cast_unsigned()))
                        })
                    })
                    .collect();
                assert_eq!(have, expected, "{kernel:?}");
            }
        }
    }
}
