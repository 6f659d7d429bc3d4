//! The encryption: parameters, keys, what is published and what is uploaded.

mod audit;
mod binding;
mod kernel;
mod keys;
mod material;
pub mod noise;
mod packing;
mod panels;
mod parameters;
mod random;
mod ring;
mod update;
mod wire;
mod zeros;

#[cfg(test)]
mod attacks;

pub use audit::{Audit, Deviation, Places};
pub use binding::{Binding, VersionSeed};
pub use kernel::Kernel;
pub use keys::SecretKey;
pub use material::Material;
pub use parameters::{MAX_INPUTS, MAX_OUTPUTS, Parameters, ParametersError, PublishedWeights, SecurityEstimate};
pub use update::{Delta, EncryptError, EncryptedUpdate, Evaluator, encrypt_update};
pub use wire::WireError;
