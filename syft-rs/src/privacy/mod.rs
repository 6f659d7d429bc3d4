//! Differential privacy: for what a Mine releases, and for what the noise of a ciphertext says beyond it.
//!
//! Neighbours are data sets of equally many records of which one differs. A Mine that wants its records protected trains
//! with [`crate::train_private`], which adds [`MapNoise`] of a given cost [`Zcdp`]; costs of releases on the same data add up, and
//! [`Zcdp::epsilon`] says what they mean together.

mod accountant;
mod error;
mod gaussian;
mod noise;
mod renyi;
mod sensitivity;
mod zcdp;

pub use accountant::Rdp;
pub use error::PrivacyError;
pub use gaussian::DiscreteGaussian;
pub use noise::MapNoise;
pub use sensitivity::{Sensitivity, clip};
pub use zcdp::Zcdp;
