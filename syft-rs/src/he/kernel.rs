//! The inner loop of the linear map: small factors times words modulo 2^64, for a tile of rows and columns at a time.
//!
//! There is an implementation for processors with AVX-512 IFMA and a portable one. Both give the same bits.

/// Rows of a tile.
pub(crate) const ROWS: usize = 6;
/// Columns of a tile.
pub(crate) const COLUMNS: usize = 16;

/// The factors of one column of the map for all rows of a tile, each below 2^16.
pub(crate) type Factors = [u64; ROWS];
/// Words of one encrypted row for all columns of a tile.
pub(crate) type Words = [u64; COLUMNS];

/// An implementation of the inner loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kernel {
    /// For any processor.
    Portable,
    /// For 512-bit vectors and 52-bit multiply-adds.
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Kernel {
    /// All implementations that this processor can run, the fastest first.
    pub fn available() -> Vec<Self> {
        let mut kernels = Vec::new();
        #[cfg(target_arch = "x86_64")]
        if avx512::is_available() {
            kernels.push(Self::Avx512);
        }
        kernels.push(Self::Portable);
        kernels
    }

    /// The fastest implementation that this processor can run.
    pub fn fastest() -> Self {
        Self::available()[0]
    }

    /// `Σ_j factors[j][row] · words[j][column]` modulo 2^64, for at most 2^15 terms.
    pub(crate) fn tile(self, factors: &[Factors], words: &[Words]) -> [Words; ROWS] {
        match self {
            Self::Portable => portable(factors, words),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => avx512::tile(factors, words),
        }
    }
}

fn portable(factors: &[Factors], words: &[Words]) -> [Words; ROWS] {
    let mut sums = [[0_u64; COLUMNS]; ROWS];
    // Four columns at a time fit into the registers of any 64-bit processor.
    for start in (0..COLUMNS).step_by(4) {
        for rows in [0..3, 3..6] {
            let mut part = [[0_u64; 4]; 3];
            for (factors, words) in factors.iter().zip(words) {
                for (sums, factor) in part.iter_mut().zip(&factors[rows.clone()]) {
                    for (sum, word) in sums.iter_mut().zip(&words[start..start + 4]) {
                        *sum = sum.wrapping_add(factor.wrapping_mul(*word));
                    }
                }
            }
            for (sums, part) in sums[rows].iter_mut().zip(part) {
                sums[start..start + 4].copy_from_slice(&part);
            }
        }
    }
    sums
}

#[cfg(target_arch = "x86_64")]
mod avx512 {
    use super::{COLUMNS, Factors, ROWS, Words};
    use std::arch::x86_64::{
        __m512i, _mm512_add_epi64, _mm512_and_si512, _mm512_loadu_epi64, _mm512_madd52lo_epu64, _mm512_set1_epi64,
        _mm512_setzero_si512, _mm512_slli_epi64, _mm512_srli_epi64, _mm512_storeu_epi64,
    };

    const LANES: usize = 8;
    const VECTORS: usize = COLUMNS / LANES;

    pub(super) fn is_available() -> bool {
        is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512ifma")
    }

    #[allow(unsafe_code)]
    pub(super) fn tile(factors: &[Factors], words: &[Words]) -> [Words; ROWS] {
        assert!(is_available());
        // SAFETY: the processor has the features that the function is compiled for.
        unsafe { multiply_add(factors, words) }
    }

    /// Halves of words times factors below 2^16 are below 2^48: the instruction multiplies 52 bits, and 2^15 such products fit into 64 bits.
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn multiply_add(factors: &[Factors], words: &[Words]) -> [Words; ROWS] {
        let lower = _mm512_set1_epi64(0xffff_ffff);
        let mut low = [[_mm512_setzero_si512(); VECTORS]; ROWS];
        let mut high = [[_mm512_setzero_si512(); VECTORS]; ROWS];
        for (factors, words) in factors.iter().zip(words) {
            let words = [load(words, 0), load(words, 1)];
            let lows = words.map(|word| _mm512_and_si512(word, lower));
            let highs = words.map(|word| _mm512_srli_epi64::<32>(word));
            for row in 0..ROWS {
                let factor = _mm512_set1_epi64(factors[row].cast_signed());
                for vector in 0..VECTORS {
                    low[row][vector] = _mm512_madd52lo_epu64(low[row][vector], factor, lows[vector]);
                    high[row][vector] = _mm512_madd52lo_epu64(high[row][vector], factor, highs[vector]);
                }
            }
        }
        let mut sums = [[0; COLUMNS]; ROWS];
        for row in 0..ROWS {
            for vector in 0..VECTORS {
                let sum = _mm512_add_epi64(low[row][vector], _mm512_slli_epi64::<32>(high[row][vector]));
                store(&mut sums[row], vector, sum);
            }
        }
        sums
    }

    #[allow(unsafe_code)]
    #[target_feature(enable = "avx512f")]
    fn load(words: &Words, vector: usize) -> __m512i {
        let lanes: &[u64; LANES] = &words.as_chunks().0[vector];
        // SAFETY: the reference is to eight words, and unaligned loads are allowed.
        unsafe { _mm512_loadu_epi64(lanes.as_ptr().cast()) }
    }

    #[allow(unsafe_code)]
    #[target_feature(enable = "avx512f")]
    fn store(words: &mut Words, vector: usize, value: __m512i) {
        let lanes: &mut [u64; LANES] = &mut words.as_chunks_mut().0[vector];
        // SAFETY: the reference is to eight words, and unaligned stores are allowed.
        unsafe { _mm512_storeu_epi64(lanes.as_mut_ptr().cast(), value) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Each kernel gives the bits of the definition.
        #[test]
        fn twins_agree(terms in prop::collection::vec((any::<[u16; ROWS]>(), any::<Words>()), 0..40)) {
            let factors: Vec<Factors> = terms.iter().map(|(factors, _)| factors.map(u64::from)).collect();
            let words: Vec<Words> = terms.iter().map(|(_, words)| *words).collect();
            for kernel in Kernel::available() {
                let sums = kernel.tile(&factors, &words);
                for (row, sums) in sums.iter().enumerate() {
                    for (column, sum) in sums.iter().enumerate() {
                        let expected = factors.iter().zip(&words).fold(0_u64, |sum, (factors, words)| {
                            sum.wrapping_add(factors[row].wrapping_mul(words[column]))
                        });
                        prop_assert_eq!(*sum, expected, "{:?}", kernel);
                    }
                }
            }
        }
    }

    #[test]
    fn the_longest_sums_do_not_overflow() {
        let (factors, words) = (vec![[u64::from(u16::MAX); ROWS]; 1 << 15], vec![[u64::MAX; COLUMNS]; 1 << 15]);
        let expected = u64::from(u16::MAX).wrapping_neg().wrapping_mul(1 << 15);
        for kernel in Kernel::available() {
            assert_eq!(kernel.tile(&factors, &words), [[expected; COLUMNS]; ROWS], "{kernel:?}");
        }
    }
}
