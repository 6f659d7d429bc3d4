//! Where the made-up contracts are.

use alloy::primitives::Address;
use sonar_contracts::Deployment;

/// Contracts at made-up addresses.
#[must_use]
pub fn deployment(chain_id: u64) -> Deployment {
    let [campaigns, registry, datacoin] = [0xC1, 0xC2, 0xC3].map(Address::repeat_byte);
    Deployment { chain_id, campaigns, registry, datacoin, block: 1 }
}
