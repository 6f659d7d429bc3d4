//! The chain as the protocol sees it: typed events in, typed transactions out.
//!
//! | role | modules |
//! | --- | --- |
//! | one deployment of the contracts, with or without an account | `client` |
//! | reading what is now | `facts`, `registry` |
//! | reading what happened | `logs` (with `span`), `follower`, `world` |
//! | transactions by what they do | `campaigns`, `registry`, `deploy` |
//! | how a transaction gets into a block | `sender` (with `replacement`) |
//! | requests to the node, and what its answers mean | `node`, `error` |

mod campaigns;
mod client;
mod deploy;
mod error;
mod facts;
mod follower;
mod logs;
mod node;
mod registry;
mod replacement;
mod sender;
mod span;
mod world;

pub use client::{Client, Options, TxOutcome};
pub use deploy::deploy;
pub use error::Error;
pub use facts::Charge;
pub use follower::Follower;
pub use node::Node;
pub use replacement::UnminedReason;
pub use sender::Sender;
pub use world::WorldReader;
