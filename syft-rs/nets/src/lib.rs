//! Neural networks: for the clear regime, in which a Mine trains a public model in the clear, and as public backbones of encrypted models.
//!
//! How the parts fit:
//!
//! * A [`Network`] is a public description with the same meaning for everybody; [`NetworkKind`] makes one from a name such as `cnn:16,32`.
//! * A [`Model`] is a network with values for its parameters. [`Model::predict`] has the same bits on every machine.
//! * A Mine trains a model on its own data ([`Training`], by a public [`Schedule`]). The result has the same bits on one machine.
//! * The Mine uploads the change ([`Update`], by a public [`Release`]: clipped, with noise if it is to be private, sparsified, quantised).
//! * The Capsule tries the change on the best model by the rule of `syft::evaluate_window`.
//!
//! Every function is a pure function of its arguments: no I/O, no clock, no network. Networks read raw columns: the constants that standardise
//! them are part of the description.

mod bits;
mod encoding;
mod export;
mod forward;
mod gradient;
mod kind;
mod model;
mod network;
mod noise;
mod release;
mod schedule;
mod stream;
#[cfg(test)]
mod testing;
mod trainable;
mod training;
mod update;

pub use kind::NetworkKind;
pub use model::{Delta, Model, ModelError, described};
pub use network::{
    Conv, Input, Layer, MAX_ACTIVATIONS, MAX_LAYERS, MAX_PARAMETERS, MAX_WORK, Network, NetworkError, Tensor,
};
pub use release::{Release, UpdateError};
pub use schedule::{ConstantError, Optimiser, RateDecay, Schedule};
pub use training::{Training, TrainingError, TrainingProgress};
pub use update::Update;
