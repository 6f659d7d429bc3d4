//! Networks: for the sealed regime, in which a Mine trains in the clear, and as public backbones of encrypted models.
//!
//! A [`Network`] is a public description that everybody interprets alike; [`NetworkKind`] makes one from a name such as `cnn:16,32`. A
//! [`Model`] has values for its parameters. A Mine trains it on its own data ([`Training`], by a public [`Schedule`]) and uploads what has
//! changed ([`Update`], by a public [`Release`]); the Capsule tries the change on the best model ([`Model::moved`], [`Model::predict`]).
//!
//! Everything here is a pure function of its arguments. Networks read raw columns: the constants that standardise them are part of the
//! description. What a model *says* has the same bits on every machine; what a training leads to has the same bits on one machine.

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
pub use schedule::{ConstantError, Fall, Optimiser, Schedule};
pub use training::{Training, TrainingError, TrainingProgress};
pub use update::Update;
