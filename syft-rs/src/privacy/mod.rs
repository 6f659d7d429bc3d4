//! Differential privacy: for what a Mine releases, and for what the noise of a ciphertext discloses beyond it.
//!
//! Neighbours are data sets with the same number of records that differ in one record. A Mine that protects its records trains with
//! [`crate::train_private`], which adds [`MapNoise`] of a given cost [`Zcdp`]: [`Sensitivity`] bounds how far one record can move the map, and
//! [`DiscreteGaussian`] hides that distance. Costs of releases on the same data add up, and [`Zcdp::epsilon`] converts the sum to (ε, δ). [`Rdp`]
//! accounts for mechanisms on samples.

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
