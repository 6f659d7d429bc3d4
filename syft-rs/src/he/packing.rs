//! Packing: `k` rows, where `k` is the rank, become one ciphertext of ring degree 2048 under another key.
//!
//! Coefficient `t` of row `r` moves to coefficient `r + k·t`, in the masks and in the body. The result is a ciphertext of rank `k` under the
//! secrets `s_i(X^k)`, which a key switch takes to the output key. Rows are random and flooded before, so packing discloses nothing more about
//! them.

use super::parameters::{DIMENSION, PACKING_BASE_LOG2};
use super::ring::{Transform, round};
use super::rows::Protected;
use tfhe::core_crypto::algorithms::polynomial_algorithms::polynomial_wrapping_mul;
use tfhe::core_crypto::fft_impl::fft64::c64;
use tfhe::core_crypto::prelude::Polynomial;
use zeroize::Zeroizing;

/// Logarithm of the factor of the old key's bits in the packing key.
const GADGET_LOG2: u32 = 64 - PACKING_BASE_LOG2;

/// One, on the torus modulo 2^64.
const TORUS: f64 = 18_446_744_073_709_551_616.0;

/// Adds `mask · key` to `body`, all of ring degree 2048.
pub(super) fn add_output_product(body: &mut [u64], key: &[u64], mask: &[u64]) {
    let mut product = Zeroizing::new(vec![0_u64; DIMENSION]);
    let mut polynomial = Polynomial::from_container(product.as_mut_slice());
    polynomial_wrapping_mul(&mut polynomial, &Polynomial::from_container(mask), &Polynomial::from_container(key));
    body.iter_mut().zip(product.iter()).for_each(|(to, from)| *to = to.wrapping_add(*from));
}

/// The messages of the packing key: `s_i(X^k) · 2^45` for each of the `k` parts of the key of the rows.
pub(super) fn key_messages(row_key: &[u64], degree: usize) -> Vec<u64> {
    let rank = DIMENSION / degree;
    let mut messages = vec![0; rank * DIMENSION];
    for (message, part) in messages.chunks_exact_mut(DIMENSION).zip(row_key.chunks_exact(degree)) {
        message.iter_mut().step_by(rank).zip(part).for_each(|(to, bit)| *to = bit << GADGET_LOG2);
    }
    messages
}

/// The packing key, transformed.
pub(super) struct Packing {
    transform: Transform,
    degree: usize,
    /// For each part of the old key, the transforms of mask and body.
    key: Vec<[Vec<c64>; 2]>,
}

impl Packing {
    /// From the masks and bodies of the packing key, `k` polynomials of degree 2048 each.
    pub(super) fn new(masks: &[u64], bodies: &[u64], degree: usize) -> Self {
        let transform = Transform::new(DIMENSION);
        let mut scratch = transform.scratch();
        let mut torus = |words: &[u64]| {
            let mut values = vec![c64::default(); transform.values()];
            transform.forward(|i| words[i].cast_signed() as f64 / TORUS, &mut values, &mut scratch);
            values
        };
        let pairs = masks.chunks_exact(DIMENSION).zip(bodies.chunks_exact(DIMENSION));
        let key = pairs.map(|(mask, body)| [torus(mask), torus(body)]).collect();
        Self { transform, degree, key }
    }

    /// Packs at most `k` rows into a mask and a body of 2048 words each.
    pub(super) fn pack(&self, rows: &Protected<'_>) -> [Vec<u64>; 2] {
        let mut scratch = self.transform.scratch();
        let mut digits = vec![c64::default(); self.transform.values()];
        let mut sums = [digits.clone(), digits.clone()];
        for (part, key) in self.key.iter().enumerate() {
            let mask = self.interleave(rows, part * self.degree);
            self.transform.forward(|i| digit(mask[i]) as f64, &mut digits, &mut scratch);
            for (sum, key) in sums.iter_mut().zip(key) {
                sum.iter_mut().zip(&digits).zip(key).for_each(|((sum, digit), key)| *sum += digit * key);
            }
        }
        let mut packed = [vec![0; DIMENSION], self.interleave(rows, DIMENSION)];
        for (words, sum) in packed.iter_mut().zip(&mut sums) {
            self.transform.backward(sum, |i, x| words[i] = words[i].wrapping_sub(from_torus(x)), &mut scratch);
        }
        packed
    }

    /// Coefficient `t` of row `r`, counted from `start`, at `r + k·t`.
    fn interleave(&self, rows: &Protected<'_>, start: usize) -> Vec<u64> {
        let rank = DIMENSION / self.degree;
        let end = rows.width().min(start + self.degree);
        let mut words = vec![0; DIMENSION];
        for (index, row) in rows.words().chunks_exact(rows.width()).enumerate() {
            words[index..].iter_mut().step_by(rank).zip(&row[start..end]).for_each(|(to, from)| *to = *from);
        }
        words
    }
}

/// The upper bits of a word, rounded to the nearest.
const fn digit(word: u64) -> i64 {
    word.wrapping_add(1 << (GADGET_LOG2 - 1)).cast_signed() >> GADGET_LOG2
}

/// A real number modulo one, as a word.
fn from_torus(x: f64) -> u64 {
    (((x - round(x) as f64) * TORUS) as i64).cast_unsigned()
}
