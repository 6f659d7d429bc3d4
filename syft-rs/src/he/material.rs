//! The published material of a version: the encrypted model, the public key and the packing key. No mask in it can be chosen freely.

use super::binding::Binding;
use super::packing::Packing;
use super::panels::Panels;
use super::parameters::{DIMENSION, PACKING_BYTES, Parameters, ROW_BYTES};
use super::random::Mask;
use super::wire::{WireError, put_words, words};
use super::zeros::Zeros;
use crate::wire::Format;
use sha2::{Digest, Sha256};

const FORMAT: Format = Format { magic: *b"SYFTpk", version: 3, name: "the published material of a version" };

/// The encrypted model, the public key and the packing key of one version. Masks are expanded from seeds: those of rows and packing key are part
/// of the material, that of the public key follows from the binding.
#[derive(Clone, PartialEq, Eq)]
pub struct Material {
    params: Parameters,
    binding: Binding,
    seeds: MaskSeeds,
    bodies: Vec<u64>,
    public_key: Vec<u64>,
    packing_key: Vec<u64>,
}

/// The seeds of masks that are part of the material.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct MaskSeeds {
    pub(super) rows: [u8; 32],
    pub(super) packing: [u8; 32],
}

impl std::fmt::Debug for Material {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Material").field("params", &self.params).field("binding", &self.binding).finish_non_exhaustive()
    }
}

impl Material {
    /// `bodies` has one word per weight, `public_key` 2048, and `packing_key` 2048 per part of the rows' key; all are rounded to the published bytes.
    pub(super) fn new(
        params: Parameters,
        binding: Binding,
        seeds: MaskSeeds,
        bodies: Vec<u64>,
        public_key: Vec<u64>,
        packing_key: Vec<u64>,
    ) -> Self {
        Self { params, binding, seeds, bodies, public_key, packing_key }
    }

    /// Bytes of an encoding before its words: magic and version, the parameters' id, the binding, two mask seeds.
    pub const HEADER: usize = Format::HEADER + 32 + Binding::LENGTH + 64;

    /// Bytes per word of rows and public key. These follow the header: first the rows, input by input, then the public key.
    pub const WORD: usize = ROW_BYTES;

    /// Bytes of an encoding under these parameters.
    pub const fn encoded_len(params: &Parameters) -> usize {
        Self::HEADER + params.material_len()
    }

    /// The bytes to publish.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = FORMAT.start(Self::encoded_len(&self.params));
        bytes.extend_from_slice(&self.params.id());
        bytes.extend_from_slice(&self.binding.encode());
        bytes.extend_from_slice(&self.seeds.rows);
        bytes.extend_from_slice(&self.seeds.packing);
        put_words(&mut bytes, &self.bodies, ROW_BYTES);
        put_words(&mut bytes, &self.public_key, ROW_BYTES);
        put_words(&mut bytes, &self.packing_key, PACKING_BYTES);
        bytes
    }

    /// Reads untrusted bytes. Fails unless they are for exactly these parameters and this binding.
    pub fn decode(bytes: &[u8], params: &Parameters, binding: &Binding) -> Result<Self, WireError> {
        let mut fields = FORMAT.open(bytes, Self::encoded_len(params))?;
        if fields.array()? != params.id() {
            return Err(WireError::Parameters);
        }
        if fields.array()? != binding.encode() {
            return Err(WireError::Binding);
        }
        let seeds = MaskSeeds { rows: fields.array()?, packing: fields.array()? };
        let bodies = words(&mut fields, params.shape().weights(), ROW_BYTES)?;
        let public_key = words(&mut fields, DIMENSION, ROW_BYTES)?;
        let packing_key = words(&mut fields, params.rank() * DIMENSION, PACKING_BYTES)?;
        Ok(Self { params: *params, binding: *binding, seeds, bodies, public_key, packing_key })
    }

    /// SHA-256 of the encoding, which covers rows, keys, constants and version.
    pub fn digest(&self) -> [u8; 32] {
        Sha256::digest(self.encode()).into()
    }

    /// The parameters of the material.
    pub const fn parameters(&self) -> &Parameters {
        &self.params
    }

    /// The version that the material belongs to.
    pub const fn binding(&self) -> &Binding {
        &self.binding
    }

    /// The encrypted rows with masks expanded: per input, masks and body.
    pub(super) fn panels(&self) -> Panels {
        let outputs = self.params.shape().outputs;
        Panels::new(self.params.shape().inputs, self.params.row_words(), |row, column, words| {
            match column.checked_sub(DIMENSION) {
                None => row_mask(&self.seeds.rows, row).fill(column, words),
                Some(start) => {
                    let end = outputs.min(start + words.len());
                    words[..end - start].copy_from_slice(&self.bodies[row * outputs..][start..end]);
                }
            }
        })
    }

    /// The public key, prepared for encrypting zeros.
    pub(super) fn zeros(&self) -> Zeros {
        Zeros::new(&self.public_key(), self.params.degree())
    }

    /// The packing key, prepared for packing rows.
    pub(super) fn packing(&self) -> Packing {
        Packing::new(&self.packing_masks(), &self.packing_key, self.params.degree())
    }

    /// The masks of the packing key.
    pub(super) fn packing_masks(&self) -> Vec<u64> {
        let mut masks = vec![0; self.packing_key.len()];
        for (part, mask) in masks.chunks_exact_mut(DIMENSION).enumerate() {
            packing_mask(&self.seeds.packing, part).fill(0, mask);
        }
        masks
    }

    /// The public key with masks expanded: for each of its encryptions of zero, the masks and the body.
    pub(super) fn public_key(&self) -> Vec<u64> {
        let (rank, degree) = (self.params.rank(), self.params.degree());
        let mut zeros = vec![0; rank * (DIMENSION + degree)];
        let seed = self.binding.public_key_seed();
        let bodies = self.public_key.chunks_exact(degree);
        for (row, (zero, body)) in zeros.chunks_exact_mut(DIMENSION + degree).zip(bodies).enumerate() {
            key_mask(&seed, row).fill(0, &mut zero[..DIMENSION]);
            zero[DIMENSION..].copy_from_slice(body);
        }
        zeros
    }

    /// The bodies of rows, public key and packing key, as they are published.
    pub(super) fn bodies(&self) -> [&[u64]; 3] {
        [&self.bodies, &self.public_key, &self.packing_key]
    }

    pub(super) const fn seeds(&self) -> &MaskSeeds {
        &self.seeds
    }

    /// The rows of `panels`, one after the other.
    #[cfg(test)]
    pub(super) fn rows(&self) -> Vec<u64> {
        let mut rows = vec![0; self.params.shape().inputs * self.params.row_words()];
        let bodies = self.bodies.chunks_exact(self.params.shape().outputs);
        for (index, (row, body)) in rows.chunks_exact_mut(self.params.row_words()).zip(bodies).enumerate() {
            row_mask(&self.seeds.rows, index).fill(0, &mut row[..DIMENSION]);
            row[DIMENSION..].copy_from_slice(body);
        }
        rows
    }

    #[cfg(test)]
    pub(super) fn words(&self) -> impl Iterator<Item = u64> {
        self.bodies.iter().chain(&self.public_key).chain(&self.packing_key).copied()
    }
}

/// The masks of an encrypted row of the model.
pub(super) const fn row_mask(seed: &[u8; 32], row: usize) -> Mask<'_> {
    Mask { seed, label: *b"rowmasks", index: row as u32 }
}

/// The masks of one of the public key's encryptions of zero.
pub(super) const fn key_mask(seed: &[u8; 32], row: usize) -> Mask<'_> {
    Mask { seed, label: *b"P-matrix", index: row as u32 }
}

/// The mask of one part of the packing key.
pub(super) const fn packing_mask(seed: &[u8; 32], part: usize) -> Mask<'_> {
    Mask { seed, label: *b"packmask", index: part as u32 }
}
