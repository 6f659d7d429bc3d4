//! What a network is made of.
//!
//! A [`Network`] is a public description: an [`Input`] that standardises raw columns, [`Layer`]s, and an implied dense output. It is checked
//! when it is read: `plan` works out the shapes of all layers ([`Stage`]) and refuses what exceeds the public limits.

mod description;
mod input;
mod layer;
mod plan;
mod stage;

pub use description::{Network, Tensor};
pub use input::Input;
pub use layer::{Conv, Layer};
pub use plan::{MAX_ACTIVATIONS, MAX_LAYERS, MAX_PARAMETERS, MAX_WORK, NetworkError};
pub(crate) use stage::{Stage, Volume};
