//! The secret key of a version: encrypts the model, and decrypts updates.

use super::binding::{Binding, VersionSeed};
use super::delta::Delta;
use super::material::{MaskSeeds, Material, key_mask, packing_mask, row_mask};
use super::packing::{add_output_product, key_messages};
use super::parameters::{DIMENSION, PACKING_BYTES, Parameters, ROW_BYTES};
use super::random::{Mask, Stream};
use super::ring::add_key_product;
use super::update::EncryptedUpdate;
use super::wire::round_to_bytes;
use crate::model::Weights;
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, Zeroizing};

/// The key of one version: one part for rows and public key, and another, independent of it, for packed updates.
pub struct SecretKey {
    params: Parameters,
    binding: Binding,
    seed: VersionSeed,
    row_key: Zeroizing<Vec<u64>>,
    output_key: Zeroizing<Vec<u64>>,
}

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretKey(hidden)")
    }
}

impl SecretKey {
    /// The key of a version. The same seed, parameters and binding always give the same key.
    pub fn derive(seed: &VersionSeed, params: &Parameters, binding: &Binding) -> Self {
        let bits = |name: &[u8]| {
            let mut words = Zeroizing::new([0; DIMENSION / 64]);
            let seed = Zeroizing::new(seed.derive(name, binding, &params.id()));
            Mask { seed: &seed, label: *b"key bits", index: 0 }.fill(0, &mut *words);
            Zeroizing::new((0..DIMENSION).map(|at| words[at / 64] >> (at % 64) & 1).collect())
        };
        let (row_key, output_key) = (bits(b"row key"), bits(b"output key"));
        Self { params: *params, binding: *binding, seed: seed.clone(), row_key, output_key }
    }

    /// The parameters of the key.
    pub const fn parameters(&self) -> &Parameters {
        &self.params
    }

    /// The version that the key belongs to.
    pub const fn binding(&self) -> &Binding {
        &self.binding
    }

    /// Encrypts the model and makes public key and packing key. The same key and model always give the same bytes; another model gets other masks and
    /// errors.
    ///
    /// The weights should have the shape of the parameters; missing ones count as zero.
    pub fn publish(&self, weights: &Weights) -> Material {
        let encoded = self.params.encode(weights);
        let seeds = self.mask_seeds(encoded.raw());
        let bodies = self.rows(encoded.raw(), &seeds.rows);
        let packing_key = self.packing_key(&seeds.packing);
        Material::new(self.params, self.binding, seeds, bodies, self.public_key(), packing_key)
    }

    /// The seeds of the masks. Those of the rows depend on the model: two models never share them.
    pub(super) fn mask_seeds(&self, encoded: &[i64]) -> MaskSeeds {
        let mut hash = Sha256::new_with_prefix(self.params.id());
        encoded.iter().for_each(|weight| hash.update(weight.to_le_bytes()));
        let model: [u8; 32] = hash.finalize().into();
        MaskSeeds {
            rows: *self.secret(b"row masks", &model),
            packing: *self.secret(b"packing masks", &self.params.id()),
        }
    }

    /// The bodies of the rows of a model under masks of this seed. Their errors follow from the seed of their masks, so that the key holder can
    /// subtract them exactly.
    pub(super) fn rows(&self, encoded: &[i64], masks: &[u8; 32]) -> Vec<u64> {
        let mut bodies: Vec<u64> = encoded.iter().map(|weight| weight.cast_unsigned()).collect();
        self.mask(&mut bodies, self.params.shape().outputs, |row| row_mask(masks, row));
        self.finish(&mut bodies, &self.secret(b"row errors", masks), ROW_BYTES);
        bodies
    }

    /// The bodies of the public key, each an encryption of zero.
    pub(super) fn public_key(&self) -> Vec<u64> {
        let mut bodies = vec![0; DIMENSION];
        let masks = self.binding.public_key_seed();
        self.mask(&mut bodies, self.params.degree(), |row| key_mask(&masks, row));
        self.finish(&mut bodies, &self.secret(b"key errors", &self.params.id()), ROW_BYTES);
        bodies
    }

    /// Masks times the key, `used` coefficients of each polynomial: rows or public key without messages and errors.
    pub(super) fn products<'a>(
        &self,
        words: usize,
        used: usize,
        masks: impl Fn(usize) -> Mask<'a>,
    ) -> Zeroizing<Vec<u64>> {
        let mut bodies = Zeroizing::new(vec![0; words]);
        self.mask(&mut bodies, used, masks);
        bodies
    }

    fn secret(&self, label: &[u8], context: &[u8]) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.seed.derive(label, &self.binding, context))
    }

    /// Decrypts an update. Every conformant update decrypts to something; one that was made badly decrypts to garbage.
    pub fn decrypt(&self, update: &EncryptedUpdate) -> Delta {
        let (shape, rank) = (self.params.shape(), self.params.rank());
        let mut raw = Vec::with_capacity(shape.weights());
        for (mask, mut body) in update.packs() {
            let product = self.output_product(mask);
            body.iter_mut().enumerate().for_each(|(at, word)| {
                let (row, output) = (at / shape.outputs, at % shape.outputs);
                *word = word.wrapping_sub(product[row + rank * output]);
            });
            raw.extend(body.iter().map(|phase| phase.cast_signed()));
            body.zeroize();
        }
        Delta::from_raw(shape, self.params.update_scale(), raw)
    }

    /// The mask of a packed ciphertext times the key.
    fn output_product(&self, mask: &[u64]) -> Zeroizing<Vec<u64>> {
        let mut product = Zeroizing::new(vec![0; DIMENSION]);
        add_output_product(&mut product, &self.output_key, mask);
        product
    }

    /// The bits of the rows' key, part by part, encrypted under the output key.
    pub(super) fn packing_key(&self, masks: &[u8; 32]) -> Vec<u64> {
        let mut bodies = key_messages(&self.row_key, self.params.degree());
        let mut mask = vec![0; DIMENSION];
        for (part, body) in bodies.chunks_exact_mut(DIMENSION).enumerate() {
            packing_mask(masks, part).fill(0, &mut mask);
            add_output_product(body, &self.output_key, &mask);
        }
        self.finish(&mut bodies, &self.secret(b"packing errors", &self.params.id()), PACKING_BYTES);
        bodies
    }

    /// Adds masks times key to messages, of which `used` coefficients of each polynomial are given.
    fn mask<'a>(&self, bodies: &mut [u64], used: usize, masks: impl Fn(usize) -> Mask<'a>) {
        let mut mask = vec![0; DIMENSION];
        let mut product = Zeroizing::new(vec![0; self.params.degree()]);
        for (row, body) in bodies.chunks_exact_mut(used).enumerate() {
            masks(row).fill(0, &mut mask);
            product.fill(0);
            add_key_product(&mut product, &self.row_key, &mask);
            body.iter_mut().zip(product.iter()).for_each(|(to, from)| *to = to.wrapping_add(*from));
        }
    }

    /// Adds errors, and rounds to the bytes that are published.
    fn finish(&self, bodies: &mut [u64], errors: &[u8; 32], bytes: usize) {
        Stream::new(errors, *b"theerror").add_gaussian(bodies, self.params.sigma());
        bodies.iter_mut().for_each(|word| *word = round_to_bytes(*word, bytes));
    }

    /// Decrypts rows that were not packed.
    #[cfg(feature = "bench")]
    pub fn decrypt_bare(&self, rows: &[u64]) -> Delta {
        let phases = rows.chunks_exact(self.params.row_words()).flat_map(|row| self.phase(row));
        Delta::from_raw(self.params.shape(), self.params.update_scale(), phases.map(u64::cast_signed).collect())
    }

    /// Body minus masks times key of a row before packing.
    #[cfg(any(test, feature = "bench"))]
    pub(super) fn phase(&self, row: &[u64]) -> Vec<u64> {
        let (masks, body) = row.split_at(DIMENSION);
        let mut product = vec![0; self.params.degree()];
        add_key_product(&mut product, &self.row_key, masks);
        body.iter().zip(product).map(|(body, product)| body.wrapping_sub(product)).collect()
    }

    #[cfg(test)]
    pub(super) fn row_key(&self) -> &[u64] {
        &self.row_key
    }

    #[cfg(test)]
    pub(super) fn output_key(&self) -> &[u64] {
        &self.output_key
    }
}
