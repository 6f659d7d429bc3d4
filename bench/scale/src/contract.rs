//! The contracts under the names that this crate uses: of campaigns, and of the Capsules' registry.

pub use sonar_contracts::Campaigns;

use alloy::{
    primitives::{Address, B256, LogData, U256},
    sol_types::SolEvent as _,
};
use sonar_contracts::{CapsuleRegistry, Deployment};

/// Address of the contract of campaigns.
#[must_use]
pub fn campaigns(contracts: &Deployment) -> Address {
    contracts.campaigns
}

/// Contracts at these addresses: campaigns, registry, DataCoin.
#[must_use]
pub fn deployment(chain_id: u64, [campaigns, registry, datacoin]: [Address; 3], block: u64) -> Deployment {
    Deployment { chain_id, campaigns, registry, datacoin, block }
}

/// Contracts at made-up addresses.
#[must_use]
pub fn made_up(chain_id: u64) -> Deployment {
    deployment(chain_id, [0xC1, 0xC2, 0xC3].map(Address::repeat_byte), 1)
}

/// The registry's event: an operator lets the contract of campaigns lock stake.
#[must_use]
pub fn authorized(contracts: &Deployment, operator: Address) -> LogData {
    CapsuleRegistry::Authorized { operator, campaigns: campaigns(contracts), allowed: true }.encode_log_data()
}

/// The registry's event: a campaign locked stake.
#[must_use]
pub fn locked(contracts: &Deployment, operator: Address, id: B256, amount: U256) -> LogData {
    CapsuleRegistry::Locked { operator, campaigns: campaigns(contracts), id, amount }.encode_log_data()
}

/// The registry's event: a campaign released its lock.
#[must_use]
pub fn unlocked(contracts: &Deployment, operator: Address, id: B256, amount: U256) -> LogData {
    CapsuleRegistry::Unlocked { operator, campaigns: campaigns(contracts), id, amount }.encode_log_data()
}

/// The registry's event: a campaign took the stake that it had locked.
#[must_use]
pub fn slashed(contracts: &Deployment, operator: Address, id: B256, amount: U256) -> LogData {
    CapsuleRegistry::Slashed { operator, campaigns: campaigns(contracts), id, amount, burned: amount }.encode_log_data()
}
