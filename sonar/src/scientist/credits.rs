//! What an account can withdraw: from a campaign, and from the registry of Capsules.

use alloy::primitives::Address;
use serde::Serialize;
use sonar_node::{chain::Client, cli::Failure};
use sonar_protocol::{
    ids::CampaignId,
    units::{Amount, TokenUnit},
};

/// What the contracts owe an account. There are three sums, each with its own withdrawal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Credits {
    /// From the campaign, in its token: the part of the bounty that was returned or earned.
    pub amount: Amount,
    /// Free stakes of submissions to the campaign, in wei.
    pub stake: Amount,
    /// Compensation from stakes of Capsules that missed a deadline or were convicted, in wei. The registry keeps one sum for all campaigns of an account.
    pub capsule_stake: Amount,
}

impl Credits {
    pub async fn read(client: &Client, id: CampaignId, account: Address) -> Result<Self, Failure> {
        Ok(Self {
            amount: client.owed(id, account).await?,
            stake: client.stakes(id, account).await?.free.into(),
            capsule_stake: client.claimable(account).await?,
        })
    }

    /// `12 DATA, 0.9 ETH of Capsules' stakes`
    pub fn describe(&self, token: &TokenUnit) -> String {
        let mut sums = vec![token.format(self.amount)];
        for (stake, source) in [(self.stake, "submissions'"), (self.capsule_stake, "Capsules'")] {
            if stake > Amount::ZERO {
                sums.push(format!("{} of {source} stakes", TokenUnit::eth().format(stake)));
            }
        }
        if self.amount == Amount::ZERO && sums.len() > 1 {
            sums.remove(0);
        }
        sums.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sum_is_described_with_its_source() {
        let eth = 10_u128.pow(18);
        let describe = |amount: u128, stake: u128, capsule_stake: u128| {
            let [amount, stake, capsule_stake] = [amount, stake, capsule_stake].map(|eths| Amount::from(eths * eth));
            Credits { amount, stake, capsule_stake }.describe(&TokenUnit::eth())
        };
        assert_eq!(describe(0, 0, 0), "0 ETH");
        assert_eq!(describe(3, 0, 0), "3 ETH");
        assert_eq!(describe(0, 0, 2), "2 ETH of Capsules' stakes");
        assert_eq!(describe(3, 1, 2), "3 ETH, 1 ETH of submissions' stakes, 2 ETH of Capsules' stakes");
    }
}
