//! Where the contracts are.

use alloy::primitives::Address;
use serde::{Deserialize, Serialize};

use crate::address;

/// Where the contracts are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deployment {
    /// The chain they are on.
    pub chain_id: u64,
    /// Campaigns and their escrow.
    #[serde(deserialize_with = "address::deserialize")]
    pub campaigns: Address,
    /// The registry that it asks about Capsules.
    #[serde(deserialize_with = "address::deserialize")]
    pub registry: Address,
    /// DataCoin.
    #[serde(deserialize_with = "address::deserialize")]
    pub datacoin: Address,
    /// The block of the first of them: no event of theirs is older.
    pub block: u64,
}
