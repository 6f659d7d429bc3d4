//! What an operator offers at first: limits within which campaigns are activated, and tokens in which fees are paid.

use alloy::primitives::{Address, U256};
use sonar_protocol::{event::CapsuleLimits, units::Amount};

const DAY: u32 = 86_400;

/// Least fee in ETH, in wei: about what activation and delivery cost at a base fee of one gwei.
pub const LEAST_ETH_FEE: u128 = 500_000_000_000_000;

/// Limits of a Capsule with this stake. A campaign may lock a quarter of it, so that one owner cannot keep all others out.
#[must_use]
pub fn usual_limits(stake: Amount) -> CapsuleLimits {
    CapsuleLimits {
        stake_per_campaign: Amount(stake.0 / U256::from(4)),
        stake_in_all: stake,
        longest_run: 90 * DAY,
        longest_audit: 30 * DAY,
        // A Capsule that restarts after a power cut needs minutes.
        shortest_evaluation: 600,
        shortest_delivery: 600,
        max_submissions: 65_535,
    }
}

/// Tokens in which fees are taken at first, with the least fee: ETH, and the network's DataCoin.
#[must_use]
pub fn usual_tokens(datacoin: Address) -> [(Address, u128); 2] {
    [(Address::ZERO, LEAST_ETH_FEE), (datacoin, 0)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_campaign_may_lock_the_whole_stake() {
        let limits = usual_limits(Amount::from(100_u128));
        assert_eq!(limits.stake_per_campaign, Amount::from(25_u128));
        assert_eq!(limits.stake_in_all, Amount::from(100_u128));
        assert_ne!(limits, CapsuleLimits::default());
    }
}
