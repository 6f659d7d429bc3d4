//! The chain as the protocol sees it: typed events in, typed transactions out.

mod client;
mod deploy;
mod error;
mod follower;
mod logs;
mod node;
mod span;

pub use client::{Charge, Client, Options, TxOutcome};
pub use deploy::{DeployError, deploy};
pub use error::Error;
pub use follower::Follower;
pub use node::Node;
