//! A Mine's encrypted update: the map times the encrypted rows, re-randomised, flooded and packed.
//!
//! [`Evaluator`] prepares a version's material once and encrypts any number of updates with it; [`EncryptedUpdate`] is the result with its wire
//! format.

use super::kernel::Kernel;
use super::material::Material;
use super::packing::Packing;
use super::panels::Panels;
#[cfg(feature = "bench")]
use super::parameters::PACKING_BYTES;
use super::parameters::{DIMENSION, Parameters, UPLOAD_BYTES};
use super::random::Coins;
use super::rows::{Mapped, Protected};
use super::wire::{WireError, put_words, round_to_bytes, words};
use super::zeros::Zeros;
use crate::affine::AffineUpdate;
use crate::shape::Shape;
use crate::wire::Format;
use rand::rngs::SysError;
use rayon::prelude::*;
use thiserror::Error;
use zeroize::Zeroizing;

const FORMAT: Format = Format { magic: *b"SYFTup", version: 2, name: "an encrypted update" };

/// An update that cannot be encrypted.
#[derive(Debug, Error)]
pub enum EncryptError {
    /// The update is for a model of another shape.
    #[error("the update is for a model of {}x{}, but the version has one of {}x{}", .update.inputs, .update.outputs, .material.inputs, .material.outputs)]
    Shape {
        /// Shape of the update.
        update: Shape,
        /// Shape of the published model.
        material: Shape,
    },
    /// The operating system returned no randomness.
    #[error("the operating system returned no randomness")]
    Coins(#[from] SysError),
}

/// An update under the key of one version: each `k` rows, `k` being the rank, are packed into one ciphertext.
#[derive(Clone, PartialEq, Eq)]
pub struct EncryptedUpdate {
    params: Parameters,
    material: [u8; 32],
    /// For each pack, 2048 words of mask and the used words of the body: rows × outputs.
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
        Format::HEADER + 32 + 32 + params.update_len()
    }

    /// The bytes to upload.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = FORMAT.start(Self::encoded_len(&self.params));
        bytes.extend_from_slice(&self.params.id());
        bytes.extend_from_slice(&self.material);
        put_words(&mut bytes, &self.words, UPLOAD_BYTES);
        bytes
    }

    /// Reads untrusted bytes. Fails unless they were made with exactly these parameters, from material with exactly this digest.
    pub fn decode(bytes: &[u8], params: &Parameters, material: &[u8; 32]) -> Result<Self, WireError> {
        let mut fields = FORMAT.open(bytes, Self::encoded_len(params))?;
        if fields.array()? != params.id() {
            return Err(WireError::Parameters);
        }
        if fields.array()? != *material {
            return Err(WireError::Material);
        }
        let words = words(&mut fields, params.update_len() / UPLOAD_BYTES, UPLOAD_BYTES)?;
        Ok(Self { params: *params, material: *material, words })
    }

    /// Digest of the material that the update was made from.
    pub const fn material(&self) -> &[u8; 32] {
        &self.material
    }

    /// Mask and used coefficients of the body of each pack, row by row.
    pub(super) fn packs(&self) -> impl Iterator<Item = (&[u64], Vec<u64>)> {
        let full = DIMENSION + self.params.rank() * self.params.shape().outputs;
        self.words.chunks(full).map(|pack| {
            let (mask, body) = pack.split_at(DIMENSION);
            (mask, body.to_vec())
        })
    }

    #[cfg(test)]
    pub(super) fn from_words(material: &Material, words: Vec<u64>) -> Self {
        Self { params: *material.parameters(), material: material.digest(), words }
    }

    #[cfg(test)]
    pub(super) fn words(&self) -> &[u64] {
        &self.words
    }

    #[cfg(test)]
    pub(super) fn words_mut(&mut self) -> &mut [u64] {
        &mut self.words
    }
}

/// Applies a Mine's map to the encrypted model, re-randomises and floods the result, and packs it.
///
/// Coins are fresh from the operating system each time, so an upload must be stored and sent again byte for byte, never made again.
///
/// Uses all threads of the current rayon pool, and memory for the published rows and a few hundred rows of the result.
pub fn encrypt_update(material: &Material, update: &AffineUpdate) -> Result<EncryptedUpdate, EncryptError> {
    Evaluator::new(material, Kernel::fastest()).encrypt(update)
}

/// A version's material, prepared for encrypting updates.
pub struct Evaluator {
    params: Parameters,
    material: [u8; 32],
    kernel: Kernel,
    rows: Panels,
    zeros: Zeros,
    packing: Packing,
}

impl Evaluator {
    /// Expands masks and transforms keys.
    pub fn new(material: &Material, kernel: Kernel) -> Self {
        let (rows, (zeros, packing)) =
            rayon::join(|| material.panels(), || rayon::join(|| material.zeros(), || material.packing()));
        let params = *material.parameters();
        Self { params, material: material.digest(), kernel, rows, zeros, packing }
    }

    /// Encrypts an update as [`encrypt_update`] does.
    pub fn encrypt(&self, update: &AffineUpdate) -> Result<EncryptedUpdate, EncryptError> {
        self.encrypt_with(update, |rows| self.protect(rows))
    }

    /// Encrypts without re-randomisation and flood, to measure what these cost. The key holder can compute the Mine's map from the result.
    #[cfg(feature = "bench")]
    pub fn encrypt_unprotected(&self, update: &AffineUpdate) -> Result<EncryptedUpdate, EncryptError> {
        self.encrypt_with(update, |rows| Ok(rows.unprotected()))
    }

    /// The linear map alone. Returns the first word of every row, so that the compiler cannot drop the work.
    #[cfg(feature = "bench")]
    pub fn multiply(&self, update: &AffineUpdate) -> Vec<u64> {
        let starts = (0..self.params.shape().inputs).step_by(self.block());
        starts
            .flat_map(|start| {
                self.map(update, start).iter().copied().step_by(self.params.row_words()).collect::<Vec<_>>()
            })
            .collect()
    }

    /// The linear map alone, with its whole result, as bare libraries return it. An upload would have the upper five bytes of each word.
    #[cfg(feature = "bench")]
    pub fn encrypt_bare(&self, update: &AffineUpdate) -> Vec<u64> {
        let starts = (0..self.params.shape().inputs).step_by(self.block());
        let mut rows: Vec<u64> = starts.flat_map(|start| self.map(update, start).to_vec()).collect();
        rows.iter_mut().for_each(|word| *word = round_to_bytes(*word, PACKING_BYTES));
        rows
    }

    fn encrypt_with(
        &self,
        update: &AffineUpdate,
        protect: impl for<'a> Fn(Mapped<'a>) -> Result<Protected<'a>, EncryptError> + Sync,
    ) -> Result<EncryptedUpdate, EncryptError> {
        if update.shape() != self.params.shape() {
            return Err(EncryptError::Shape { update: update.shape(), material: self.params.shape() });
        }
        let (rank, width) = (self.params.rank(), self.params.row_words());
        let mut words = Vec::with_capacity(self.params.update_len() / UPLOAD_BYTES);
        for start in (0..self.params.shape().inputs).step_by(self.block()) {
            let mut rows = self.map(update, start);
            let pack = |rows| Ok(self.pack(&protect(Mapped::new(rows, width))?));
            let packs: Result<Vec<_>, EncryptError> = rows.par_chunks_mut(rank * width).map(pack).collect();
            packs?.iter().for_each(|pack| words.extend(pack));
        }
        Ok(EncryptedUpdate { params: self.params, material: self.material, words })
    }

    /// Rows per block: whole packs, and enough rows to use the cache well.
    pub(super) fn block(&self) -> usize {
        192_usize.next_multiple_of(self.params.rank())
    }

    /// `L · rows + B` for a block of rows. It decrypts to the update, but discloses `L` to anybody who knows the key and the errors.
    pub(super) fn map(&self, update: &AffineUpdate, start: usize) -> Zeroizing<Vec<u64>> {
        let Shape { inputs, outputs } = self.params.shape();
        let count = self.block().min(inputs - start);
        let product = self.rows.multiply(self.kernel, &update.linear()[start * inputs..][..count * inputs]);
        let mut rows = Zeroizing::new(vec![0; count * self.params.row_words()]);
        let constants = update.constant()[start * outputs..].chunks_exact(outputs);
        for (index, (row, constants)) in rows.chunks_exact_mut(self.params.row_words()).zip(constants).enumerate() {
            product.read(index, row);
            for (word, constant) in row[DIMENSION..].iter_mut().zip(constants) {
                *word = word.wrapping_add(constant.cast_unsigned());
            }
        }
        rows
    }

    /// Re-randomises the rows of a pack, and floods the noise that depends on `L`. Every call has coins of its own.
    pub(super) fn protect<'a>(&self, rows: Mapped<'a>) -> Result<Protected<'a>, EncryptError> {
        let mut coins = Coins::fresh()?;
        Ok(rows.rerandomise(&self.zeros, &mut coins).flood(self.params.flood(), &mut coins))
    }

    /// Mask and used coefficients of the body, rounded to the uploaded bytes.
    pub(super) fn pack(&self, rows: &Protected<'_>) -> Vec<u64> {
        let (rank, outputs) = (self.params.rank(), self.params.shape().outputs);
        let [mut words, body] = self.packing.pack(rows);
        for row in 0..rows.words().len() / rows.width() {
            words.extend((0..outputs).map(|output| body[row + rank * output]));
        }
        words.iter_mut().for_each(|word| *word = round_to_bytes(*word, UPLOAD_BYTES));
        words
    }

    #[cfg(test)]
    pub(super) const fn zeros(&self) -> &Zeros {
        &self.zeros
    }
}
