//! Sizes, scales and noise of the scheme, all of them public constants of a campaign. Nothing here depends on data.
//!
//! The shape of the model decides all constants. They stand in one list (`constants!`), so that two sides can compare them, and contracts can
//! read them.

use super::security::SecurityEstimate;
use crate::lattice::LATTICE_BITS;
use crate::shape::{MAX_INPUTS, MAX_OUTPUTS, Shape};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

/// Bits of the torus: everything is computed modulo 2^64.
const MODULUS_LOG2: u32 = 64;
/// Rank times ring degree.
pub(crate) const DIMENSION: usize = 2048;
/// Standard deviation of the errors in rows, public key and packing key.
pub(crate) const SIGMA_LOG2: u32 = 24;
/// Bound on the error of every mask coordinate of an upload.
pub(crate) const MASK_ERROR_LOG2: u32 = 27;
/// Bits of the linear map after the point.
const MAP_BITS: u32 = 12;
/// How much wider the flood is than the widest noise that it has to hide.
const FLOOD_MARGIN_LOG2: u32 = 14;
/// Updates are within ±2^62; the bit above is room for noise.
const UPDATE_LOG2: u32 = 62;
/// Bits of the digits in which masks meet the packing key. There is one digit: what it drops is less than the flood.
pub(crate) const PACKING_BASE_LOG2: u32 = 19;
/// Least ring degree. With smaller rings more masks would meet the packing key, and its noise would exceed the flood.
const LEAST_DEGREE: usize = 64;
/// Bytes of a published word of rows and public key. What rounding cuts off is far below the errors.
pub(crate) const ROW_BYTES: usize = 6;
/// Bytes of a published word of the packing key.
pub(crate) const PACKING_BYTES: usize = 5;
/// Bytes of an uploaded word.
pub(crate) const UPLOAD_BYTES: usize = 3;
/// Bits of security (MATZOV) below which the program does not compile.
const SECURITY_FLOOR: u32 = 128;

/// Parameters that must not be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ParametersError {
    /// The size of the model is not supported.
    #[error(
        "a linear model of {} inputs and {} outputs is not supported (at most {MAX_INPUTS} and {MAX_OUTPUTS}, at least one each)",
        .0.inputs, .0.outputs
    )]
    Shape(Shape),
    /// A constant differs from the only value that this version of the scheme has for the shape.
    #[error("parameter {0} differs from the only value that this version allows")]
    Unexpected(&'static str),
}

const ESTIMATE: SecurityEstimate = match SecurityEstimate::of(DIMENSION, SIGMA_LOG2) {
    Some(estimate) => estimate,
    None => panic!("no security estimate for these parameters"),
};
const _: () = assert!(ESTIMATE.matzov >= SECURITY_FLOOR, "parameters below the security floor");
// The map multiplies the noise of the rows by at most 2^MAP_BITS.
const FLOOD_LOG2: u32 = FLOOD_MARGIN_LOG2 + MAP_BITS + SIGMA_LOG2;
const _: () = assert!(FLOOD_LOG2 == 50, "the flood is a constant of the protocol");
/// The widest weight bound of any shape.
const WIDEST_LOG2: u32 = 3;
const _: () = assert!(
    UPDATE_LOG2 - WIDEST_LOG2 - MAP_BITS >= LATTICE_BITS,
    "weights on the lattice must be whole numbers when encoded"
);

/// The encryption parameters of a campaign. The shape decides all of them; the written form has every constant, so that two sides can compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "WrittenParameters", into = "WrittenParameters")]
pub struct Parameters {
    shape: Shape,
}

/// Declares the constants once. The written form, the comparison and the hashed bytes follow from this list.
macro_rules! constants {
    ($params:ident: $($name:ident = $value:expr,)*) => {
        /// The written form: every constant by name, in the order of the list.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        struct WrittenParameters {
            shape: Shape,
            $($name: u32,)*
        }

        impl WrittenParameters {
            const NAMES: &[&str] = &[$(stringify!($name)),*];

            fn constants(&self) -> [u32; Self::NAMES.len()] {
                [$(self.$name),*]
            }
        }

        impl From<Parameters> for WrittenParameters {
            fn from($params: Parameters) -> Self {
                Self { shape: $params.shape, $($name: $value,)* }
            }
        }
    };
}

constants! { params:
    rank = params.rank() as u32,
    degree = params.degree() as u32,
    sigma_log2 = SIGMA_LOG2,
    mask_error_log2 = MASK_ERROR_LOG2,
    flood_log2 = FLOOD_LOG2,
    map_bits = MAP_BITS,
    update_log2 = UPDATE_LOG2,
    update_radius_log2 = params.shape.radius_log2(),
    weight_radius_log2 = params.shape.radius_log2(),
    packing_base_log2 = PACKING_BASE_LOG2,
    row_bits = 8 * ROW_BYTES as u32,
    packing_bits = 8 * PACKING_BYTES as u32,
    upload_bits = 8 * UPLOAD_BYTES as u32,
}

impl TryFrom<WrittenParameters> for Parameters {
    type Error = ParametersError;

    fn try_from(written: WrittenParameters) -> Result<Self, ParametersError> {
        let params = Self::linear(written.shape)?;
        let (theirs, ours) = (written.constants(), WrittenParameters::from(params).constants());
        let names = WrittenParameters::NAMES.iter();
        match names.zip(theirs.iter().zip(&ours)).find(|(_, (theirs, ours))| theirs != ours) {
            Some((name, _)) => Err(ParametersError::Unexpected(name)),
            None => Ok(params),
        }
    }
}

impl Parameters {
    /// The parameters for a linear model. Fails if the model is too large or empty.
    pub const fn linear(shape: Shape) -> Result<Self, ParametersError> {
        let fits =
            shape.inputs >= 1 && shape.inputs <= MAX_INPUTS && shape.outputs >= 1 && shape.outputs <= MAX_OUTPUTS;
        if fits { Ok(Self { shape }) } else { Err(ParametersError::Shape(shape)) }
    }

    /// Number of inputs and outputs of the model.
    pub const fn shape(&self) -> Shape {
        self.shape
    }

    /// Ring degree of a row: a power of two, at least one coefficient per output, with the least traffic. Uploaded bytes count twice, because uplinks
    /// are slower.
    pub const fn degree(&self) -> usize {
        let least = self.shape.outputs.next_power_of_two();
        let mut degree = if least < LEAST_DEGREE { LEAST_DEGREE } else { least };
        let mut best = degree;
        while degree < DIMENSION / 2 {
            degree *= 2;
            if self.traffic(degree) < self.traffic(best) {
                best = degree;
            }
        }
        best
    }

    const fn traffic(&self, degree: usize) -> usize {
        self.material_bytes(degree) + 2 * self.update_bytes(degree)
    }

    /// Bytes of a version's words: rows, public key, packing key.
    const fn material_bytes(&self, degree: usize) -> usize {
        ROW_BYTES * (self.shape.weights() + DIMENSION) + PACKING_BYTES * DIMENSION / degree * DIMENSION
    }

    /// Bytes of an update's packed rows.
    const fn update_bytes(&self, degree: usize) -> usize {
        UPLOAD_BYTES * (self.shape.inputs.div_ceil(DIMENSION / degree) * DIMENSION + self.shape.weights())
    }

    /// Bytes of a version's words at the chosen degree.
    pub(crate) const fn material_len(&self) -> usize {
        self.material_bytes(self.degree())
    }

    /// Bytes of an update's words at the chosen degree.
    pub(crate) const fn update_len(&self) -> usize {
        self.update_bytes(self.degree())
    }

    /// Bytes of the encrypted model within a version's words; the rest are keys.
    pub const fn model_len(&self) -> usize {
        ROW_BYTES * self.shape.weights()
    }

    /// Number of mask polynomials of a row, and of rows that are packed together.
    pub const fn rank(&self) -> usize {
        DIMENSION / self.degree()
    }

    /// Words of an encrypted row: all masks, and the used coefficients of the body.
    pub(crate) const fn row_words(&self) -> usize {
        DIMENSION + self.shape.outputs
    }

    /// Standard deviation of the errors in rows, public key and packing key, in units of the torus.
    pub fn sigma(&self) -> f64 {
        f64::from(SIGMA_LOG2).exp2()
    }

    /// A bound on every error in rows and public key: sixteen standard deviations. The generator of errors takes the logarithm of a number above
    /// 2^-126, so it cannot exceed 13.5 standard deviations, and rounding adds a thousandth of one.
    pub(crate) const fn largest_error(&self) -> u64 {
        1 << (SIGMA_LOG2 + 4)
    }

    /// The largest weight within the public bound, as it is encrypted: the same for all shapes.
    pub(crate) const fn largest_weight(&self) -> u64 {
        1 << (UPDATE_LOG2 - MAP_BITS)
    }

    /// Logarithm of the step of the weights' lattice, as it is encrypted.
    pub(crate) const fn lattice_log2(&self) -> u32 {
        UPDATE_LOG2 - self.shape.radius_log2() - MAP_BITS - LATTICE_BITS
    }

    /// Standard deviation of the flood on every upload, in units of the torus.
    pub fn flood(&self) -> f64 {
        f64::from(FLOOD_LOG2).exp2()
    }

    /// How many bits wider the flood is than the noise that it hides.
    pub const fn flood_margin_log2(&self) -> u32 {
        FLOOD_MARGIN_LOG2
    }

    /// Bits of the linear map after the point.
    pub const fn map_bits(&self) -> u32 {
        MAP_BITS
    }

    /// The number one in units of the linear map.
    pub fn map_scale(&self) -> f64 {
        f64::from(MAP_BITS).exp2()
    }

    /// The number one in units of a decrypted update.
    pub fn update_scale(&self) -> f64 {
        f64::from(UPDATE_LOG2 - self.shape.radius_log2()).exp2()
    }

    /// The number one in units of an encoded weight.
    pub fn weight_scale(&self) -> f64 {
        f64::from(UPDATE_LOG2 - self.shape.radius_log2() - MAP_BITS).exp2()
    }

    /// Bound on the coefficients of an update.
    pub fn update_radius(&self) -> f64 {
        self.shape.radius()
    }

    /// Bound on the norm of a column of the model.
    pub fn weight_radius(&self) -> f64 {
        self.shape.radius()
    }

    /// Estimated security of a key.
    pub const fn security_bits(&self) -> SecurityEstimate {
        ESTIMATE
    }

    /// Estimated security of the coins of an upload against somebody who knows every key: module-LWE with 2048 binary coins and errors up to 2^27.
    pub const fn rerandomisation_bits(&self) -> SecurityEstimate {
        SecurityEstimate { matzov: 169, core_svp: None }
    }

    /// SHA-256 of the protocol's version and [`Self::constants`].
    pub fn id(&self) -> [u8; 32] {
        Sha256::new_with_prefix(b"syft/linear/3/parameters").chain_update(self.constants()).finalize().into()
    }

    /// All constants, four bytes each, little-endian: shape, rank, degree and modulus, then the rest of the list, then the bits of the lattice. A
    /// contract that knows the id reads them from here.
    pub fn constants(&self) -> Vec<u8> {
        let [rank, degree, others @ ..] = WrittenParameters::from(*self).constants();
        let shape = [self.shape.inputs as u32, self.shape.outputs as u32];
        let numbers = shape.into_iter().chain([rank, degree, MODULUS_LOG2]).chain(others).chain([LATTICE_BITS]);
        numbers.flat_map(u32::to_le_bytes).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tfhe::core_crypto::commons::noise_formulas::secure_noise::minimal_lwe_variance_for_132_bits_security_gaussian;
    use tfhe::core_crypto::commons::parameters::LweDimension;

    #[test]
    fn params_floor() {
        assert_eq!(SecurityEstimate::of(DIMENSION, 15), None);
        assert_eq!(SecurityEstimate::of(1024, SIGMA_LOG2), None);
        for outputs in [1, 10, 16, 17, 100, 1024] {
            let params = Parameters::linear(Shape { inputs: 65, outputs }).unwrap();
            assert_eq!(params.rank() * params.degree(), DIMENSION);
            assert!(params.degree() >= outputs && params.security_bits().matzov >= SECURITY_FLOOR);
            let least = minimal_lwe_variance_for_132_bits_security_gaussian(LweDimension(DIMENSION), 64_f64.exp2());
            assert!(params.sigma() * (-64_f64).exp2() > least.0.sqrt());
        }
    }

    #[test]
    fn unsupported_shapes_are_refused() {
        for (inputs, outputs) in [(0, 1), (1, 0), (4097, 1), (1, 1025), (usize::MAX, usize::MAX)] {
            assert!(Parameters::linear(Shape { inputs, outputs }).is_err());
        }
    }

    #[test]
    fn weakened_parameters_are_refused() {
        let params = Parameters::linear(Shape { inputs: 65, outputs: 10 }).unwrap();
        let text = serde_json::to_string(&params).unwrap();
        assert_eq!(serde_json::from_str::<Parameters>(&text).unwrap(), params);
        for (good, bad) in [("\"sigma_log2\":24", "\"sigma_log2\":10"), ("\"flood_log2\":50", "\"flood_log2\":30")] {
            let error = serde_json::from_str::<Parameters>(&text.replace(good, bad)).unwrap_err();
            assert!(error.to_string().contains("differs"), "{error}");
        }
    }

    /// The bytes that contracts read: should they ever change, the protocol's version has to.
    #[test]
    fn constants_never_change() {
        let params = Parameters::linear(Shape { inputs: 65, outputs: 10 }).unwrap();
        let numbers: Vec<u32> = params.constants().as_chunks().0.iter().copied().map(u32::from_le_bytes).collect();
        let (rank, degree) = (params.rank() as u32, params.degree() as u32);
        assert_eq!(numbers, [65, 10, rank, degree, 64, 24, 27, 50, 12, 62, 1, 1, 19, 48, 40, 24, 20]);
        let written = serde_json::to_string(&params).unwrap();
        assert!(written.starts_with(r#"{"shape":{"inputs":65,"outputs":10},"rank":"#), "{written}");
    }
}
