//! The encryption of linear models: parameters, keys, published material and uploads.
//!
//! The key holder's side: [`SecretKey`] (`keys`) encrypts a model to [`Material`], decrypts an [`EncryptedUpdate`] to a [`Delta`], and [`Audit`]
//! recomputes a version from its seed. The Mine's side: an [`Evaluator`] (`update`) multiplies a map with the encrypted rows (`panels`, `kernel`),
//! adds fresh encryptions of zero (`zeros`) and flooding noise, and packs rows (`packing`); `rows` has these steps as types. Below both lie the ring (`ring`), the random streams
//! (`random`) and the wire format (`wire`). [`Parameters`] fixes all sizes; [`noise`] derives the error of an update from them.
//!
//! `attacks` (tests) carries out the attacks that the scheme must resist.

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
mod rows;
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
