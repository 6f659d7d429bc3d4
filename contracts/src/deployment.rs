//! Addresses of the deployed contracts.

use alloy::primitives::Address;
use serde::{Deserialize, Serialize};

use crate::address;

/// Addresses of the deployed contracts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deployment {
    /// Chain id.
    pub chain_id: u64,
    /// Campaigns, with the escrow.
    #[serde(deserialize_with = "address::deserialize")]
    pub campaigns: Address,
    /// CapsuleRegistry.
    #[serde(deserialize_with = "address::deserialize")]
    pub registry: Address,
    /// DataCoin.
    #[serde(deserialize_with = "address::deserialize")]
    pub datacoin: Address,
    /// Block of the first deployment: no event is older.
    pub block: u64,
}
