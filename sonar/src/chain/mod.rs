//! The chain as the protocol sees it: typed events in, typed transactions out.

mod client;
mod error;
mod event;
mod follower;
mod node;

pub use client::{Charge, Client, Options, TxOutcome};
pub use error::Error;
pub use event::{CapsuleChange, Event, LogPosition, Record};
pub use follower::{Batch, Follower};
pub use node::Node;

use alloy::primitives::B256;
use serde::{Deserialize, Serialize};

/// The end of the chain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The last block.
    pub number: u64,
    /// Its hash.
    pub hash: B256,
    /// Unix time that a transaction sent now would see: never before the last block, and on even when no block is
    /// mined. Time-outs are decided by it.
    pub now: u64,
}
