//! The chain as the protocol sees it: typed events in, typed transactions out.

mod client;
mod deploy;
mod error;
mod follower;
mod logs;
mod node;
mod replacement;
mod sender;
mod span;

pub use client::{Charge, Client, Options, TxOutcome};
pub use deploy::deploy;
pub use error::Error;
pub use follower::Follower;
pub use node::Node;
pub use replacement::Unmined;
pub use sender::Sender;
