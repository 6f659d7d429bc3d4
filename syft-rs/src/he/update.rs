//! A Mine's encrypted update.

use super::material::Material;
use super::parameters::{DIMENSION, MASK_ERROR_LOG2, Parameters};
use super::random::Stream;
use super::ring::{add_binary_matrix, add_matrix_product};
use super::wire::{Format, WireError, put_words};
use crate::model::Shape;
use crate::train::AffineUpdate;
use rand::rngs::SysError;
use thiserror::Error;
use zeroize::{Zeroize, Zeroizing};

const FORMAT: Format = Format { magic: *b"SYFTup", version: 1, name: "an encrypted update" };

/// Bound of honest updates, with room for sixteen standard deviations of the flood.
const LARGEST: u64 = (1 << 62) + (1 << 54);

/// An update that cannot be encrypted.
#[derive(Debug, Error)]
pub enum EncryptError {
    /// The map was trained for another model.
    #[error("the update is for a model of {}x{}, the version publishes one of {}x{}", .update.inputs, .update.outputs, .material.inputs, .material.outputs)]
    Shape {
        /// Shape of the update.
        update: Shape,
        /// Shape of the published model.
        material: Shape,
    },
    /// The operating system gave no randomness.
    #[error("the operating system gave no randomness")]
    Coins(#[from] SysError),
}

/// What moves the model, in the clear: whole numbers in units of an update.
#[derive(Clone, PartialEq, Eq)]
pub struct Delta {
    shape: Shape,
    scale_log2: i32,
    raw: Vec<i64>,
}

impl Drop for Delta {
    fn drop(&mut self) {
        self.raw.zeroize();
    }
}

impl std::fmt::Debug for Delta {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Delta({}x{}, hidden)", self.shape.inputs, self.shape.outputs)
    }
}

impl Delta {
    pub(crate) fn from_raw(shape: Shape, scale: f64, mut raw: Vec<i64>) -> Self {
        raw.resize(shape.weights(), 0);
        Self { shape, scale_log2: scale.log2() as i32, raw }
    }

    /// No change.
    pub(crate) fn zeros(shape: Shape) -> Self {
        Self { shape, scale_log2: 0, raw: vec![0; shape.weights()] }
    }

    /// False when no honest update of any data could be this large. Garbage and sums that wrapped usually are.
    pub(crate) fn is_in_range(&self) -> bool {
        self.raw.iter().all(|raw| raw.unsigned_abs() <= LARGEST)
    }

    /// Inputs and outputs of the model.
    pub const fn shape(&self) -> Shape {
        self.shape
    }

    /// The whole numbers, row-major by input.
    pub fn raw(&self) -> &[i64] {
        &self.raw
    }

    /// One coefficient in units of weights.
    pub fn value(&self, input: usize, output: usize) -> f64 {
        self.raw[input * self.shape.outputs + output] as f64 * f64::from(-self.scale_log2).exp2()
    }

    /// All coefficients in units of weights, row-major by input.
    pub fn values(&self) -> impl ExactSizeIterator<Item = f64> {
        let unit = f64::from(-self.scale_log2).exp2();
        self.raw.iter().map(move |&raw| raw as f64 * unit)
    }
}

/// An update under the key of one version: an encrypted row an input. (Rows are uploaded as they are; packing them comes here.)
#[derive(Clone, PartialEq, Eq)]
pub struct EncryptedUpdate {
    params: Parameters,
    material: [u8; 32],
    words: Vec<u64>,
}

impl std::fmt::Debug for EncryptedUpdate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EncryptedUpdate").field("params", &self.params).finish_non_exhaustive()
    }
}

impl EncryptedUpdate {
    /// Bytes of an encoding under these parameters.
    pub const fn encoded_len(params: &Parameters) -> usize {
        Format::HEADER + 32 + 32 + 8 * params.shape().inputs * params.row_words()
    }

    /// The bytes to upload.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = FORMAT.start(Self::encoded_len(&self.params));
        bytes.extend_from_slice(&self.params.id());
        bytes.extend_from_slice(&self.material);
        put_words(&mut bytes, &self.words);
        bytes
    }

    /// Reads untrusted bytes; refuses what was not made with exactly these parameters from material with exactly this digest.
    pub fn decode(bytes: &[u8], params: &Parameters, material: &[u8; 32]) -> Result<Self, WireError> {
        let mut fields = FORMAT.open(bytes, Self::encoded_len(params))?;
        if fields.array()? != params.id() {
            return Err(WireError::Parameters);
        }
        if fields.array()? != *material {
            return Err(WireError::Material);
        }
        Ok(Self { params: *params, material: *material, words: fields.words() })
    }

    /// The digest of the material that it was made from.
    pub const fn material(&self) -> &[u8; 32] {
        &self.material
    }

    pub(super) fn words(&self) -> &[u64] {
        &self.words
    }

    #[cfg(test)]
    pub(super) fn words_mut(&mut self) -> &mut [u64] {
        &mut self.words
    }
}

/// Applies a Mine's map to the encrypted model, re-randomises and floods the result. Coins are fresh from the operating
/// system each time, so an upload must be stored and sent again byte for byte, never made again.
pub fn encrypt_update(material: &Material, update: &AffineUpdate) -> Result<EncryptedUpdate, EncryptError> {
    let params = *material.parameters();
    if update.shape() != params.shape() {
        return Err(EncryptError::Shape { update: update.shape(), material: params.shape() });
    }
    let mut coins = Stream::fresh()?;
    let mut words = apply_map(material, update);
    rerandomise(&mut words, material, &mut coins);
    flood(&mut words, &params, &mut coins);
    Ok(EncryptedUpdate { params, material: material.digest(), words })
}

/// `L · rows + B`: decrypts to the update but says all about `L` to whoever knows the key and the errors.
pub(super) fn apply_map(material: &Material, update: &AffineUpdate) -> Vec<u64> {
    let params = material.parameters();
    let width = params.row_words();
    let mut words = vec![0; params.shape().inputs * width];
    add_matrix_product(&mut words, update.linear(), &material.rows(), width);
    for (row, constants) in words.chunks_exact_mut(width).zip(update.constant().chunks_exact(params.shape().outputs)) {
        for (word, constant) in row[DIMENSION..].iter_mut().zip(constants) {
            *word = word.wrapping_add(constant.cast_unsigned());
        }
    }
    words
}

/// Adds to every row a fresh encryption of zero under the public key, with an error on every mask coordinate.
fn rerandomise(words: &mut [u64], material: &Material, coins: &mut Stream) {
    add_zeros(words, material, coins);
    let params = material.parameters();
    for row in words.chunks_exact_mut(params.row_words()) {
        coins.add_tuniform(&mut row[..DIMENSION], MASK_ERROR_LOG2);
    }
}

/// Adds `r` times the public key to every row. Alone this hides nothing from the key holder: see `rerandomise`.
pub(super) fn add_zeros(words: &mut [u64], material: &Material, coins: &mut Stream) {
    let params = material.parameters();
    let mut choices = Zeroizing::new(vec![0; params.shape().inputs * DIMENSION]);
    coins.fill_binary(&mut choices);
    add_binary_matrix(words, &choices, &material.zeros(), params.row_words(), params.degree());
}

/// Drowns the noise that depends on `L`; coefficients that carry nothing become uniform.
fn flood(words: &mut [u64], params: &Parameters, coins: &mut Stream) {
    for row in words.chunks_exact_mut(params.row_words()) {
        let (used, unused) = row[DIMENSION..].split_at_mut(params.shape().outputs);
        coins.add_gaussian(used, params.flood());
        coins.fill_uniform(unused);
    }
}
