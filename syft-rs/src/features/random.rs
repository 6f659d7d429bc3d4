//! Random weights that anybody can compute from a seed, and random ReLU features.

use super::checked;
use super::expansion::Expansion;
use super::seed::SeedIndex;
use crate::data::Matrix;
use crate::lattice::{INPUT_BITS, round_to_bits};
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use sha2::{Digest, Sha256};

/// Threshold of a random combination above its mean, in units of its spread.
const THRESHOLD: f64 = 0.25;
/// Largest threshold of a map.
pub(super) const MAX_THRESHOLD: f64 = 1e6;

/// Weights with mean zero and variance one. Each follows from 16 bits of SHA-256 digests: half of the number of ones minus eight, a multiple of
/// 1/2 between -4 and 4. Digest `i` is of `"syft/features" ‖ seed ‖ i`, numbers in big-endian order.
pub(super) fn weights(seed: u32, count: usize) -> Vec<f64> {
    let digest = |index: u32| -> [u8; 32] {
        let hash = Sha256::new_with_prefix(b"syft/features").chain_update(seed.to_be_bytes());
        hash.chain_update(index.to_be_bytes()).finalize().into()
    };
    let bytes: Vec<u8> = (0..).flat_map(digest).take(2 * count).collect();
    let ones = |pair: &[u8; 2]| u16::from_be_bytes(*pair).count_ones();
    bytes.as_chunks().0.iter().map(|pair| (f64::from(ones(pair)) - 8.0) / 2.0).collect()
}

/// The product `rows · weights` of two row-major matrices, of which the second has `columns` columns.
pub(super) fn multiply(rows: &[f64], weights: &[f64], columns: usize) -> Vec<f64> {
    let inner = weights.len() / columns;
    let count = rows.len() / inner;
    let mut product = vec![0.0; count * columns];
    let (left, right) =
        (MatRef::from_row_major_slice(rows, count, inner), MatRef::from_row_major_slice(weights, inner, columns));
    matmul(MatMut::from_row_major_slice_mut(&mut product, count, columns), Accum::Replace, left, right, 1.0, Par::Seq);
    product
}

/// A threshold for these combinations, rounded as the inputs are, and at most that of a checked map.
pub(super) fn threshold(values: &[f64], most: f64) -> f64 {
    let mean_square = values.iter().map(|x| x * x).sum::<f64>() / values.len().max(1) as f64;
    let threshold = (THRESHOLD * mean_square.sqrt()).min(most).min(MAX_THRESHOLD);
    // Rounding to the nearest could exceed the bound.
    let rounded = round_to_bits(threshold, INPUT_BITS);
    if rounded <= most { rounded } else { rounded - f64::from(1 << INPUT_BITS).recip() }
}

/// Random ReLU features with a threshold that suits these inputs.
pub(super) fn fit(inputs: &Matrix, count: usize, index: SeedIndex) -> Expansion {
    let columns = inputs.columns();
    let trial = |seed, threshold| Expansion::RandomRelu { count, seed, threshold };
    let seed = checked::seed(&trial(0, 0.0), columns, index);
    // 64 combinations are enough to estimate the spread.
    let some = count.clamp(1, 64);
    let combined = multiply(inputs.values(), &weights(seed, columns * some), some);
    trial(seed, threshold(&combined, trial(seed, 0.0).most_threshold(columns)))
}

/// `max(0, z·w_i - threshold)`, minus the mean over `i`. Weight `i` of column `j` is number `j·count + i`.
pub(super) fn expand(inputs: &Matrix, count: usize, seed: u32, threshold: f64) -> Matrix {
    let mut values = multiply(inputs.values(), &weights(seed, inputs.columns() * count), count);
    for row in values.chunks_exact_mut(count) {
        row.iter_mut().for_each(|x| *x = (*x - threshold).max(0.0));
        center(row);
    }
    inputs.with_rows(count, values)
}

/// Subtracts the mean from features: what all of them have in common would fill the norm and carry little information.
pub(super) fn center(row: &mut [f64]) {
    let mean = row.iter().sum::<f64>() / row.len() as f64;
    row.iter_mut().for_each(|x| *x -= mean);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_have_the_moments_that_are_said() {
        let weights = weights(7, 40_000);
        let mean = weights.iter().sum::<f64>() / 40_000.0;
        let square = weights.iter().map(|w| w * w).sum::<f64>() / 40_000.0;
        assert!(mean.abs() < 0.025 && (square - 1.0).abs() < 0.04, "{mean} {square}");
        assert!(weights.iter().all(|w| (w * 2.0).fract() == 0.0 && w.abs() <= 4.0));
    }

    #[test]
    fn a_feature_by_hand() {
        let inputs = Matrix::new(1, 2, vec![0.5, -1.25]).unwrap();
        let w = weights(3, 4);
        let relu = |i: usize| (0.5 * w[i] - 1.25 * w[2 + i] - 0.25).max(0.0);
        let mean = (relu(0) + relu(1)) / 2.0;
        assert_eq!(expand(&inputs, 2, 3, 0.25).values(), [relu(0) - mean, relu(1) - mean]);
    }
}
