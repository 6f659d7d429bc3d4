//! The secret key of a version.

use super::binding::{Binding, VersionSeed};
use super::material::{KEY_MASKS, Material, ROW_MASKS};
use super::parameters::{DIMENSION, Parameters};
use super::random::Stream;
use super::ring::add_key_product;
use super::update::{Delta, EncryptedUpdate};
use crate::model::Weights;
use sha2::{Digest, Sha256};
use zeroize::Zeroize;

/// The key that opens the updates to one version, and makes its published material.
pub struct SecretKey {
    params: Parameters,
    binding: Binding,
    seed: VersionSeed,
    bits: Vec<u64>,
}

impl Drop for SecretKey {
    fn drop(&mut self) {
        self.bits.zeroize();
    }
}

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretKey(hidden)")
    }
}

impl SecretKey {
    /// The key of a version; the same seed and binding always give the same key.
    pub fn derive(seed: &VersionSeed, params: &Parameters, binding: &Binding) -> Self {
        let mut bits = vec![0; DIMENSION];
        Stream::new(&seed.derive(b"secret key", binding, &params.id()), *b"secretky").fill_binary(&mut bits);
        Self { params: *params, binding: *binding, seed: seed.clone(), bits }
    }

    /// The parameters it was made with.
    pub const fn parameters(&self) -> &Parameters {
        &self.params
    }

    /// The version that it belongs to.
    pub const fn binding(&self) -> &Binding {
        &self.binding
    }

    /// Encrypts the model and makes the public key. The same key and model always give the same bytes, and another model gets
    /// other masks and errors.
    ///
    /// The weights must have the shape of the parameters; missing ones count as zero.
    pub fn publish(&self, weights: &Weights) -> Material {
        let context = self.context(weights);
        let rows_seed = self.seed.derive(b"row masks", &self.binding, &context);
        let row_errors = self.seed.derive(b"row errors", &self.binding, &context);
        let key_errors = self.seed.derive(b"key errors", &self.binding, &self.params.id());
        let mut bodies = vec![0; self.params.shape().inputs * self.params.degree()];
        let encoded = self.params.encode(weights);
        let outputs = self.params.shape().outputs;
        for (body, row) in bodies.chunks_exact_mut(self.params.degree()).zip(encoded.raw().chunks_exact(outputs)) {
            body.iter_mut().zip(row).for_each(|(word, weight)| *word = weight.cast_unsigned());
        }
        self.mask(&mut bodies, Stream::new(&rows_seed, ROW_MASKS), Stream::new(&row_errors, *b"rowerror"));
        let mut public_key = vec![0; DIMENSION];
        let masks = Stream::new(&self.binding.public_key_seed(), KEY_MASKS);
        self.mask(&mut public_key, masks, Stream::new(&key_errors, *b"keyerror"));
        Material::new(self.params, self.binding, rows_seed, bodies, public_key)
    }

    /// Opens an update. Every conformant update has an opening; one that was made badly opens to garbage.
    pub fn decrypt(&self, update: &EncryptedUpdate) -> Delta {
        let mut phases: Vec<u64> = Vec::with_capacity(self.params.shape().weights());
        for row in update.words().chunks_exact(self.params.row_words()) {
            phases.extend(&self.phase(row)[..self.params.shape().outputs]);
        }
        let raw = phases.iter().map(|phase| phase.cast_signed()).collect();
        phases.zeroize();
        Delta::from_raw(self.params.shape(), self.params.update_scale(), raw)
    }

    /// Body minus masks times key.
    pub(super) fn phase(&self, row: &[u64]) -> Vec<u64> {
        let (masks, body) = row.split_at(DIMENSION);
        let mut product = vec![0; body.len()];
        add_key_product(&mut product, &self.bits, masks);
        body.iter().zip(product).map(|(body, product)| body.wrapping_sub(product)).collect()
    }

    /// Adds masks times key and errors to messages.
    fn mask(&self, bodies: &mut [u64], mut masks: Stream, mut errors: Stream) {
        let mut mask = vec![0; DIMENSION];
        for body in bodies.chunks_exact_mut(self.params.degree()) {
            masks.fill_uniform(&mut mask);
            add_key_product(body, &self.bits, &mask);
        }
        errors.add_gaussian(bodies, self.params.sigma());
    }

    /// What the masks and errors of the rows depend on besides the seed: two models never share them.
    fn context(&self, weights: &Weights) -> [u8; 32] {
        let mut hash = Sha256::new_with_prefix(self.params.id());
        weights.values().iter().for_each(|weight| hash.update(weight.to_le_bytes()));
        hash.finalize().into()
    }

    #[cfg(test)]
    pub(super) fn bits(&self) -> &[u64] {
        &self.bits
    }
}
