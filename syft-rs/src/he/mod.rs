//! The encryption: parameters, keys, what is published and what is uploaded.

mod binding;
mod keys;
mod material;
pub mod noise;
mod parameters;
mod random;
mod ring;
mod update;
mod wire;

#[cfg(test)]
mod attacks;

pub use binding::{Binding, VersionSeed};
pub use keys::SecretKey;
pub use material::Material;

pub use parameters::{MAX_INPUTS, MAX_OUTPUTS, Parameters, ParametersError, PublishedWeights, SecurityEstimate};
pub use update::{Delta, EncryptError, EncryptedUpdate, encrypt_update};
pub use wire::WireError;
