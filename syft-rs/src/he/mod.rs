//! The encryption: parameters, keys, what is published and what is uploaded.

mod audit;
mod binding;
mod delta;
mod kernel;
mod keys;
mod material;
pub mod noise;
mod packing;
mod panels;
mod parameters;
mod published;
mod random;
mod ring;
mod security;
mod update;
mod wire;
mod zeros;

#[cfg(test)]
mod attacks;

pub use audit::{Audit, Deviation, Places};
pub use binding::{Binding, VersionSeed};
pub use delta::Delta;
pub use kernel::Kernel;
pub use keys::SecretKey;
pub use material::Material;
pub use parameters::{Parameters, ParametersError};
pub use published::PublishedWeights;
pub use security::SecurityEstimate;
pub use update::{EncryptError, EncryptedUpdate, Evaluator, encrypt_update};
pub use wire::WireError;
