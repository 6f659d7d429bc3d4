//! The chain: typed events in, typed transactions out.
//!
//! | role | modules |
//! | --- | --- |
//! | client of one deployment of the contracts, with or without an account | `client` |
//! | reads of the current state | `facts`, `registry` |
//! | reads of events | `logs` (with `span`), `follower`, `world` |
//! | transactions by purpose | `campaigns`, `registry`, `deploy` |
//! | sending a transaction until it is mined | `sender` (with `replacement`) |
//! | requests to the node, and the meaning of its answers | `node`, `error` |

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

pub use campaigns::{Funding, SignedSettlement};
pub use client::{Client, Options, TxOutcome};
pub use deploy::deploy;
pub use error::Error;
pub use facts::Charge;
pub use follower::Follower;
pub use node::RpcNode;
pub use replacement::UnminedReason;
pub use sender::Sender;
pub use world::WorldReader;
