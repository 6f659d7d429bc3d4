//! What a version publishes: the encrypted model and the public key, without any mask that could be chosen.

use super::binding::Binding;
use super::parameters::{DIMENSION, Parameters};
use super::random::Stream;
use super::wire::{Format, WireError, put_words};
use sha2::{Digest, Sha256};

const FORMAT: Format = Format { magic: *b"SYFTpk", version: 1, name: "the published material of a version" };

/// The encrypted model and the public key of one version. Masks are seeds: that of the rows is given, that of the key follows
/// from the binding.
#[derive(Clone, PartialEq, Eq)]
pub struct Material {
    params: Parameters,
    binding: Binding,
    rows_seed: [u8; 32],
    bodies: Vec<u64>,
    public_key: Vec<u64>,
}

impl std::fmt::Debug for Material {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Material").field("params", &self.params).field("binding", &self.binding).finish_non_exhaustive()
    }
}

impl Material {
    pub(super) fn new(
        params: Parameters,
        binding: Binding,
        rows_seed: [u8; 32],
        bodies: Vec<u64>,
        public_key: Vec<u64>,
    ) -> Self {
        Self { params, binding, rows_seed, bodies, public_key }
    }

    /// Bytes of an encoding under these parameters.
    pub const fn encoded_len(params: &Parameters) -> usize {
        let words = params.shape().inputs * params.degree() + DIMENSION;
        Format::HEADER + 32 + Binding::LENGTH + 32 + 8 * words
    }

    /// The bytes to publish.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = FORMAT.start(Self::encoded_len(&self.params));
        bytes.extend_from_slice(&self.params.id());
        bytes.extend_from_slice(&self.binding.encode());
        bytes.extend_from_slice(&self.rows_seed);
        put_words(&mut bytes, &self.bodies);
        put_words(&mut bytes, &self.public_key);
        bytes
    }

    /// Reads untrusted bytes; refuses what is not for exactly these parameters and this binding.
    pub fn decode(bytes: &[u8], params: &Parameters, binding: &Binding) -> Result<Self, WireError> {
        let mut fields = FORMAT.open(bytes, Self::encoded_len(params))?;
        if fields.array()? != params.id() {
            return Err(WireError::Parameters);
        }
        if fields.array()? != binding.encode() {
            return Err(WireError::Binding);
        }
        let rows_seed = fields.array()?;
        let mut bodies = fields.words();
        let public_key = bodies.split_off(params.shape().inputs * params.degree());
        Ok(Self { params: *params, binding: *binding, rows_seed, bodies, public_key })
    }

    /// SHA-256 of the encoding: binds rows, public key, constants and version.
    pub fn digest(&self) -> [u8; 32] {
        Sha256::digest(self.encode()).into()
    }

    /// The parameters it was made with.
    pub const fn parameters(&self) -> &Parameters {
        &self.params
    }

    /// The version that it belongs to.
    pub const fn binding(&self) -> &Binding {
        &self.binding
    }

    /// The encrypted rows, masks expanded: masks and body of one input after the other.
    pub(super) fn rows(&self) -> Vec<u64> {
        let mut rows = vec![0; self.params.shape().inputs * self.params.row_words()];
        let mut masks = Stream::new(&self.rows_seed, ROW_MASKS);
        let bodies = self.bodies.chunks_exact(self.params.degree());
        for (row, body) in rows.chunks_exact_mut(self.params.row_words()).zip(bodies) {
            masks.fill_uniform(&mut row[..DIMENSION]);
            row[DIMENSION..].copy_from_slice(body);
        }
        rows
    }

    /// The public key, masks expanded: for each of its encryptions of zero the masks and the body.
    pub(super) fn zeros(&self) -> Vec<u64> {
        let width = self.params.row_words();
        let mut zeros = vec![0; self.params.rank() * width];
        let mut masks = Stream::new(&self.binding.public_key_seed(), KEY_MASKS);
        for (zero, body) in zeros.chunks_exact_mut(width).zip(self.public_key.chunks_exact(self.params.degree())) {
            masks.fill_uniform(&mut zero[..DIMENSION]);
            zero[DIMENSION..].copy_from_slice(body);
        }
        zeros
    }

    #[cfg(test)]
    pub(super) const fn rows_seed(&self) -> &[u8; 32] {
        &self.rows_seed
    }

    #[cfg(test)]
    pub(super) fn words(&self) -> impl Iterator<Item = u64> {
        self.bodies.iter().chain(&self.public_key).copied()
    }
}

/// Label of the stream that masks the rows.
pub(super) const ROW_MASKS: [u8; 8] = *b"rowmasks";
/// Label of the stream that masks the public key.
pub(super) const KEY_MASKS: [u8; 8] = *b"P-matrix";
