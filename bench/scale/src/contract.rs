//! The contract of campaigns, under the one name that this crate uses for it.

pub use sonar_contracts::Sonar as Campaigns;

use alloy::primitives::Address;
use sonar_contracts::Deployment;

/// Address of the contract of campaigns.
#[must_use]
pub fn campaigns(contracts: &Deployment) -> Address {
    contracts.sonar
}

/// Contracts at made-up addresses.
#[must_use]
pub fn deployment(chain_id: u64) -> Deployment {
    let [sonar, registry, datacoin] = [0xC1, 0xC2, 0xC3].map(Address::repeat_byte);
    Deployment { chain_id, sonar, registry, datacoin, block: 1 }
}
