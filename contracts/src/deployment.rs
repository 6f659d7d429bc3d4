//! Where the contracts are.

use alloy::primitives::Address;
use serde::{Deserialize, Serialize};

/// Where the contracts are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deployment {
    /// The chain they are on.
    pub chain_id: u64,
    /// Campaigns and their escrow.
    pub campaigns: Address,
    /// The registry that it asks about Capsules.
    pub registry: Address,
    /// DataCoin.
    pub datacoin: Address,
    /// The block of the first of them: no event of theirs is older.
    pub block: u64,
}
