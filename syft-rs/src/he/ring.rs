//! Products of polynomials modulo X^N + 1: exact ones with binary factors, and ones by Fourier transform.

use std::f64::consts::PI;
use tfhe::core_crypto::fft_impl::fft64::c64;
use tfhe::core_crypto::fft_impl::fft64::math::fft::{FftAlgo, Method, Plan};
use tfhe::core_crypto::prelude::{ComputationBuffers, PodStack};

/// Coefficients that one pass keeps in registers; divides every ring degree.
const LANES: usize = 16;

/// Writes `-p` and `p` one after the other, so that `X^t · p` is the window that starts at `N - t`.
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

/// `sum += Σ_b key_b · masks_b`.
pub(crate) fn add_key_product(sum: &mut [u64], key: &[u64], masks: &[u64]) {
    let degree = sum.len();
    let mut doubled = vec![0; 2 * degree];
    for (bits, mask) in key.chunks_exact(degree).zip(masks.chunks_exact(degree)) {
        double(mask, &mut doubled);
        add_binary_product(sum, bits, &doubled);
    }
}

/// The negacyclic Fourier transform over the reals: `N` coefficients are `N/2` complex values, and products are taken value by value (Klemsa,
/// [Fast and Error-Free Negacyclic Integer Convolution](https://eprint.iacr.org/2021/480)).
pub(crate) struct Transform {
    plan: Plan,
    twist: Vec<c64>,
}

/// Memory that one thread needs for a transform.
pub(crate) struct Scratch(ComputationBuffers);

impl Scratch {
    fn stack(&mut self) -> &mut PodStack {
        self.0.stack()
    }
}

impl Transform {
    /// For polynomials with `degree` coefficients, a power of two from 4 to 2048.
    pub(crate) fn new(degree: usize) -> Self {
        let half = degree / 2;
        let plan = Plan::new(half, Method::UserProvided { base_algo: FftAlgo::Dif4, base_n: half });
        let angle = |i: usize| (PI * i as f64 / degree as f64).sin_cos();
        let twist = (0..half).map(angle).map(|(sin, cos)| c64::new(cos, sin)).collect();
        Self { plan, twist }
    }

    pub(crate) fn scratch(&self) -> Scratch {
        let mut buffers = ComputationBuffers::new();
        buffers.resize(self.plan.fft_scratch().unaligned_bytes_required());
        Scratch(buffers)
    }

    /// Number of values of a transform.
    pub(crate) fn values(&self) -> usize {
        self.twist.len()
    }

    /// The values of a polynomial.
    pub(crate) fn forward(&self, coefficients: impl Fn(usize) -> f64, values: &mut [c64], scratch: &mut Scratch) {
        let half = self.values();
        for (index, (value, twist)) in values.iter_mut().zip(&self.twist).enumerate() {
            *value = c64::new(coefficients(index), coefficients(index + half)) * twist;
        }
        self.plan.fwd(values, scratch.stack());
    }

    /// Calls `coefficient(index, x)` for each coefficient of the polynomial with these values, which are overwritten.
    pub(crate) fn backward(&self, values: &mut [c64], mut coefficient: impl FnMut(usize, f64), scratch: &mut Scratch) {
        let half = self.values();
        self.plan.inv(values, scratch.stack());
        let scale = 1.0 / half as f64;
        for (index, (value, twist)) in values.iter().zip(&self.twist).enumerate() {
            let value = value * twist.conj() * scale;
            coefficient(index, value.re);
            coefficient(index + half, value.im);
        }
    }
}

/// Rounds to the nearest whole number, for |x| below 2^51: the bits of the sum with 1.5·2^52 hold it.
pub(crate) fn round(x: f64) -> i64 {
    const SHIFT: f64 = 6_755_399_441_055_744.0;
    (x + SHIFT).to_bits().wrapping_sub(SHIFT.to_bits()).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tfhe::core_crypto::algorithms::polynomial_algorithms::polynomial_wrapping_mul;
    use tfhe::core_crypto::prelude::Polynomial;

    fn tfhe_product(left: &[u64], right: &[u64]) -> Vec<u64> {
        let mut product = Polynomial::from_container(vec![0_u64; left.len()]);
        let (left, right) = (Polynomial::from_container(left.to_vec()), Polynomial::from_container(right.to_vec()));
        polynomial_wrapping_mul(&mut product, &left, &right);
        product.into_container()
    }

    #[test]
    fn rounding_is_to_the_nearest() {
        for (x, whole) in [(0.4, 0), (-0.4, 0), (0.6, 1), (-0.6, -1), (-1.0e15, -1_000_000_000_000_000)] {
            assert_eq!(round(x), whole);
        }
    }

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
            prop_assert_eq!(sum, tfhe_product(&bits, &polynomial));
        }

        #[test]
        fn transform_agrees_with_tfhe(
            degree in (4_u32..12).prop_map(|log2| 1_usize << log2),
            seed in prop::collection::vec((-1000_i32..1000, -1000_i32..1000), 16..40),
        ) {
            let numbers = |pick: fn(&(i32, i32)) -> i32| -> Vec<i64> {
                seed.iter().cycle().take(degree).map(|pair| i64::from(pick(pair))).collect()
            };
            let (left, right) = (numbers(|pair| pair.0), numbers(|pair| pair.1));
            let transform = Transform::new(degree);
            let mut scratch = transform.scratch();
            let mut values = |numbers: &[i64]| {
                let mut values = vec![c64::default(); degree / 2];
                transform.forward(|i| numbers[i] as f64, &mut values, &mut scratch);
                values
            };
            let mut product: Vec<c64> = values(&left).iter().zip(values(&right)).map(|(a, b)| a * b).collect();
            let mut have = vec![0_u64; degree];
            transform.backward(&mut product, |i, x| have[i] = round(x).cast_unsigned(), &mut scratch);
            let words = |numbers: Vec<i64>| numbers.into_iter().map(i64::cast_unsigned).collect::<Vec<_>>();
            prop_assert_eq!(have, tfhe_product(&words(left), &words(right)));
        }
    }
}
