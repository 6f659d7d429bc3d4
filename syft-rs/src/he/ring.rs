//! Products modulo 2^64 and modulo X^N + 1.

/// Coefficients that one pass keeps in registers; divides every ring degree.
const LANES: usize = 16;

/// Writes `-p` and `p` behind each other, so that `X^t · p` is the window that starts at `N - t`.
pub(crate) fn double(polynomial: &[u64], doubled: &mut [u64]) {
    let (negative, positive) = doubled.split_at_mut(polynomial.len());
    for (to, from) in negative.iter_mut().zip(polynomial) {
        *to = from.wrapping_neg();
    }
    positive.copy_from_slice(polynomial);
}

/// `sum += bits · p` for a polynomial with coefficients 0 and 1 and a doubled `p`. Takes the same time for all bits.
pub(crate) fn add_binary_product(sum: &mut [u64], bits: &[u64], doubled: &[u64]) {
    let degree = sum.len();
    for (block, lanes) in sum.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
        for (power, bit) in bits.iter().enumerate() {
            let start = degree - power + block * LANES;
            let (keep, from) = (bit.wrapping_neg(), &doubled[start..start + LANES]);
            for (lane, word) in lanes.iter_mut().zip(from) {
                *lane = lane.wrapping_add(word & keep);
            }
        }
    }
}

/// `sum_b += Σ_a bits_a · matrix[a][b]` for every row of bits, where the matrix has as many rows as a row of bits has polynomials.
///
/// `sums` and `bits` hold one row after the other, `width` words of sums and `matrix.len() / width · degree` of bits.
pub(crate) fn add_binary_matrix(sums: &mut [u64], bits: &[u64], matrix: &[u64], width: usize, degree: usize) {
    let bit_row = matrix.len() / width * degree;
    let mut doubled = vec![0; 2 * width];
    for (a, polynomials) in matrix.chunks_exact(width).enumerate() {
        for (from, to) in polynomials.chunks_exact(degree).zip(doubled.chunks_exact_mut(2 * degree)) {
            double(from, to);
        }
        for (sum, bits) in sums.chunks_exact_mut(width).zip(bits.chunks_exact(bit_row)) {
            let bits = &bits[a * degree..(a + 1) * degree];
            for (sum, doubled) in sum.chunks_exact_mut(degree).zip(doubled.chunks_exact(2 * degree)) {
                add_binary_product(sum, bits, doubled);
            }
        }
    }
}

/// `Σ_b key_b · masks_b` added to `sum`.
pub(crate) fn add_key_product(sum: &mut [u64], key: &[u64], masks: &[u64]) {
    let degree = sum.len();
    let mut doubled = vec![0; 2 * degree];
    for (bits, mask) in key.chunks_exact(degree).zip(masks.chunks_exact(degree)) {
        double(mask, &mut doubled);
        add_binary_product(sum, bits, &doubled);
    }
}

/// `sums += factors · rows` where `factors` is square and rows have `width` words.
pub(crate) fn add_matrix_product(sums: &mut [u64], factors: &[i64], rows: &[u64], width: usize) {
    // A block of columns of all rows stays in the cache while every sum passes over it.
    const BLOCK: usize = 256;
    let count = rows.len() / width;
    for start in (0..width).step_by(BLOCK) {
        let end = width.min(start + BLOCK);
        for (sum, factors) in sums.chunks_exact_mut(width).zip(factors.chunks_exact(count)) {
            let sum = &mut sum[start..end];
            for (factor, row) in factors.iter().zip(rows.chunks_exact(width)) {
                for (to, from) in sum.iter_mut().zip(&row[start..end]) {
                    *to = to.wrapping_add(from.wrapping_mul(factor.cast_unsigned()));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tfhe::core_crypto::algorithms::polynomial_algorithms::polynomial_wrapping_mul;
    use tfhe::core_crypto::prelude::Polynomial;

    proptest! {
        #[test]
        fn binary_product_agrees_with_tfhe(
            bits in prop::collection::vec(0_u64..2, 32),
            polynomial in prop::collection::vec(any::<u64>(), 32),
        ) {
            let mut doubled = vec![0; 64];
            double(&polynomial, &mut doubled);
            let mut sum = vec![0; 32];
            add_binary_product(&mut sum, &bits, &doubled);
            let mut expected = Polynomial::from_container(vec![0_u64; 32]);
            let (left, right) = (Polynomial::from_container(bits), Polynomial::from_container(polynomial));
            polynomial_wrapping_mul(&mut expected, &left, &right);
            prop_assert_eq!(&sum[..], expected.as_ref());
        }
    }

    #[test]
    fn matrix_product_by_hand() {
        let mut sums = vec![1, 1, 1, 1];
        add_matrix_product(&mut sums, &[2, -1, 0, 3], &[1, 10, 100, 1000], 2);
        let expected = [1_i64 + 2 - 100, 1 + 20 - 1000, 1 + 300, 1 + 3000];
        assert_eq!(sums, expected.map(i64::cast_unsigned));
    }
}
