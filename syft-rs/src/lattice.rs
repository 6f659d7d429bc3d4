//! Fixed-point numbers. Weights and features are multiples of 2^-20, and the inputs of feature maps of 2^-10, so that no product and no sum of
//! products is rounded in `f64`: every machine gets the same bits in any order of summation.

/// Weights and features are multiples of 2^-20.
pub const LATTICE_BITS: u32 = 20;
/// Numbers that a feature map multiplies, with each other or with random weights, are multiples of 2^-10.
pub const INPUT_BITS: u32 = 10;

/// The nearest multiple of 2^-`bits` to `x`, ties to even. `x` must be within ±2^32.
pub(crate) fn round_to_bits(x: f64, bits: u32) -> f64 {
    let scale = f64::from(1 << bits);
    (x * scale).round_ties_even() / scale
}

/// `x` shortened to a multiple of 2^-20, towards zero: a bound on `|x|` still holds.
pub(crate) fn truncate_to_lattice(x: f64) -> f64 {
    let scale = f64::from(1 << LATTICE_BITS);
    (x * scale).trunc() / scale
}

/// Four significant digits: short in a manifest, and unchanged by JSON.
pub(crate) fn round_digits(x: f64) -> f64 {
    format!("{x:.3e}").parse().expect("Rust parses every number that it writes in scientific notation")
}
