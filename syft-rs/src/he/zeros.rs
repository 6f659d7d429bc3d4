//! Fresh encryptions of zero under the public key. They hide from the key holder which map a row was made with.

use super::parameters::{DIMENSION, MASK_ERROR_LOG2};
use super::random::Coins;
use super::ring::{Scratch, Transform, round};
use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, Par};
use tfhe::core_crypto::fft_impl::fft64::c64;
use zeroize::Zeroizing;

/// The public key, transformed: for each value of the transform, a matrix that takes the coins of a row to its zero.
///
/// Words are split into two halves of 32 bits, so that the products with zeros and ones are exact: a coefficient is at most
/// 2048 · 2^31 = 2^42, and the error of the floating-point transform is below 2^-53 · 2^42 times a small factor.
pub(super) struct Zeros {
    transform: Transform,
    rank: usize,
    matrices: Vec<Mat<c64>>,
}

impl Zeros {
    /// From the public key's rows: for each of its encryptions of zero, all masks and the body, each a polynomial of degree `degree`.
    pub(super) fn new(public_key: &[u64], degree: usize) -> Self {
        let (transform, rank) = (Transform::new(degree), DIMENSION / degree);
        let mut matrices = vec![Mat::zeros(rank, 2 * (rank + 1)); transform.values()];
        let mut scratch = transform.scratch();
        let mut values = vec![c64::default(); transform.values()];
        for (at, polynomial) in public_key.chunks_exact(degree).enumerate() {
            let (row, column) = (at / (rank + 1), at % (rank + 1));
            for half in 0..2 {
                transform.forward(|i| halves(polynomial[i])[half] as f64, &mut values, &mut scratch);
                for (matrix, value) in matrices.iter_mut().zip(&values) {
                    matrix[(row, 2 * column + half)] = *value;
                }
            }
        }
        Self { transform, rank, matrices }
    }

    /// Adds to every row a fresh encryption of zero, with an error on every mask coordinate. Without these errors the masks could be solved for the
    /// map (see `attacks::mask_solve`).
    pub(super) fn rerandomise(&self, rows: &mut [u64], width: usize, coins: &mut Coins) {
        self.add_zeros(rows, width, coins);
        for row in rows.chunks_exact_mut(width) {
            coins.add_tuniform(&mut row[..DIMENSION], MASK_ERROR_LOG2);
        }
    }

    /// Adds fresh choices from the public key to every row. Alone this hides nothing from the key holder, see [`Self::rerandomise`].
    pub(super) fn add_zeros(&self, rows: &mut [u64], width: usize, coins: &mut Coins) {
        let mut choices = Zeroizing::new(vec![0; rows.len() / width * DIMENSION / 64]);
        coins.fill_uniform(&mut choices);
        self.add_choices(rows, width, &choices);
    }

    /// `row += choices · public key`. The choices are bits, `DIMENSION` per row, in words of 64.
    fn add_choices(&self, rows: &mut [u64], width: usize, choices: &[u64]) {
        let mut scratch = self.transform.scratch();
        let chosen = self.transform_choices(choices, rows.len() / width, &mut scratch);
        let products: Vec<Mat<c64>> = chosen
            .iter()
            .zip(&self.matrices)
            .map(|(chosen, matrix)| {
                let mut product = Mat::zeros(chosen.nrows(), matrix.ncols());
                matmul(product.as_mut(), Accum::Replace, chosen, matrix, c64::new(1.0, 0.0), Par::Seq);
                product
            })
            .collect();
        let mut values = vec![c64::default(); self.transform.values()];
        for (index, row) in rows.chunks_exact_mut(width).enumerate() {
            let degree = DIMENSION / self.rank;
            for (column, polynomial) in row.chunks_mut(degree).enumerate() {
                for half in 0..2 {
                    let gather = products.iter().map(|product| product[(index, 2 * column + half)]);
                    values.iter_mut().zip(gather).for_each(|(to, from)| *to = from);
                    let add = |i: usize, x: f64| {
                        if let Some(word) = polynomial.get_mut(i) {
                            *word = word.wrapping_add(round(x).cast_unsigned() << (32 * half));
                        }
                    };
                    self.transform.backward(&mut values, add, &mut scratch);
                }
            }
        }
    }

    /// For each value of the transform, a matrix of rows × rank.
    fn transform_choices(&self, choices: &[u64], rows: usize, scratch: &mut Scratch) -> Vec<Mat<c64>> {
        let degree = DIMENSION / self.rank;
        let mut matrices = vec![Mat::zeros(rows, self.rank); self.transform.values()];
        let mut values = vec![c64::default(); self.transform.values()];
        for at in 0..rows * self.rank {
            let bit = |i: usize| choices[(at * degree + i) / 64] >> ((at * degree + i) % 64) & 1;
            self.transform.forward(|i| bit(i) as f64, &mut values, scratch);
            for (matrix, value) in matrices.iter_mut().zip(&values) {
                matrix[(at / self.rank, at % self.rank)] = *value;
            }
        }
        matrices
    }
}

/// The lower and the upper half of a word, both signed: `w = low + 2^32 · high` modulo 2^64.
fn halves(word: u64) -> [i64; 2] {
    let low = i64::from(word as u32 as i32);
    [low, i64::from((word.wrapping_sub(low.cast_unsigned()) >> 32) as u32 as i32)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::he::ring::{add_binary_product, double};

    /// The product by its definition, polynomial by polynomial.
    fn by_definition(public_key: &[u64], degree: usize, choices: &[u64], width: usize) -> Vec<u64> {
        let rank = DIMENSION / degree;
        let mut sums = vec![0; (rank + 1) * degree];
        let mut doubled = vec![0; 2 * degree];
        for (at, polynomial) in public_key.chunks_exact(degree).enumerate() {
            let (row, column) = (at / (rank + 1), at % (rank + 1));
            let bits: Vec<u64> = (row * degree..(row + 1) * degree).map(|i| choices[i / 64] >> (i % 64) & 1).collect();
            double(polynomial, &mut doubled);
            add_binary_product(&mut sums[column * degree..][..degree], &bits, &doubled);
        }
        sums.truncate(width);
        sums
    }

    #[test]
    fn zeros_are_exact() {
        for degree in [16, 64, 1024] {
            let (rank, width) = (DIMENSION / degree, DIMENSION + 10);
            let mut coins = Coins::repeatable(7);
            let mut public_key = vec![0; rank * (rank + 1) * degree];
            coins.fill_uniform(&mut public_key);
            // The largest values that a half can have.
            public_key[..degree].fill(0x7fff_ffff_8000_0000);
            let mut choices = vec![u64::MAX; 2 * DIMENSION / 64];
            coins.fill_uniform(&mut choices[DIMENSION / 64..]);
            let mut rows = vec![0; 2 * width];
            Zeros::new(&public_key, degree).add_choices(&mut rows, width, &choices);
            for (row, choices) in rows.chunks_exact(width).zip(choices.chunks_exact(DIMENSION / 64)) {
                assert_eq!(row, by_definition(&public_key, degree, choices, width), "degree {degree}");
            }
        }
    }
}
