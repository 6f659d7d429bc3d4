//! Withdrawals: what an account can take from the contracts, what that costs, and doing it. The command line and the
//! pages share this code.

use std::fmt::{self, Display, Formatter};

use alloy::primitives::{Address, B256};
use serde::Serialize;
use sonar_contracts::State;
use sonar_node::{
    chain::{self, Client, TxOutcome},
    cli::{Code, Failure},
};
use sonar_protocol::{
    ids::CampaignId,
    units::{Amount, TokenUnit},
    view::{CampaignView, World},
};

/// Source of a withdrawal.
#[derive(Clone, Copy, Debug)]
pub enum Source<'a> {
    /// Earnings of a campaign.
    Campaign(&'a CampaignView),
    /// Returned stakes of submissions, in ETH.
    Returned(&'a CampaignView),
    /// Shares of the stakes of Capsules that missed a deadline, in ETH.
    Capsules,
}

/// A possible withdrawal.
#[derive(Clone, Debug)]
pub struct Offer<'a> {
    /// Where the money is.
    pub source: Source<'a>,
    /// Its token.
    pub token: TokenUnit,
    /// Amount that is withdrawn.
    pub amount: Amount,
    /// At most this much gas, in wei.
    pub cost: Amount,
}

/// A withdrawal that was made.
#[derive(Clone, Debug, Serialize)]
pub struct WithdrawalReceipt {
    /// `None` for the shares of Capsules' stakes.
    pub campaign: Option<CampaignId>,
    /// Amount in the token's smallest unit.
    pub amount: Amount,
    /// The token.
    pub token: TokenUnit,
    /// Whether it is a returned stake.
    pub stake: bool,
    /// Gas used.
    pub gas_used: u64,
    /// The transaction.
    pub transaction: B256,
}

/// Everything that `me` can withdraw to `to`: earnings and shares of Capsules' stakes, and returned stakes of campaigns
/// that have ended. With a campaign: only from it, and its returned stakes even while it is open.
///
/// # Errors
/// When the campaign does not exist, or the chain cannot be read.
pub async fn offers<'a>(
    client: &Client,
    world: &'a World,
    (me, to): (Address, Address),
    campaign: Option<CampaignId>,
) -> Result<Vec<Offer<'a>>, Failure> {
    if let Some(id) = campaign
        && world.campaign(id).is_none()
    {
        return Err(Failure::new(Code::UnknownCampaign, format!("there is no campaign {id}")));
    }
    let mut sources: Vec<_> = sources(world, me, campaign).collect();
    if campaign.is_none() && client.claimable(me).await? != Amount::ZERO {
        sources.push(Source::Capsules);
    }
    let mut offers = Vec::new();
    for source in sources {
        offers.push(source.offer(client, (me, to)).await?);
    }
    // The contract is newer than the indexed state: another process may have withdrawn.
    offers.retain(|offer| offer.amount != Amount::ZERO);
    Ok(offers)
}

/// Campaigns with something to withdraw.
fn sources(world: &World, me: Address, only: Option<CampaignId>) -> impl Iterator<Item = Source<'_>> {
    let campaigns = world.in_order().filter(move |campaign| only.is_none_or(|id| id == campaign.id));
    campaigns.flat_map(move |campaign| {
        let takes_stakes = campaign.state != State::Open || only.is_some();
        let earned = (campaign.owed(me) != Amount::ZERO).then_some(Source::Campaign(campaign));
        let returned = takes_stakes && campaign.stakes(me).free != Amount::ZERO;
        earned.into_iter().chain(returned.then_some(Source::Returned(campaign)))
    })
}

impl<'a> Source<'a> {
    /// The amount that can be withdrawn from this source, read from the contract, because the indexed state is some
    /// blocks old.
    async fn offer(self, client: &Client, (me, to): (Address, Address)) -> Result<Offer<'a>, chain::Error> {
        let (amount, cost) = match self {
            Self::Campaign(CampaignView { id, terms, .. }) => {
                (client.owed(*id, me).await?, client.withdraw_cost(terms, to).await?)
            }
            Self::Returned(CampaignView { id, terms, .. }) => {
                (client.stakes(*id, me).await?.free.into(), client.withdraw_stake_cost(terms, to).await?)
            }
            Self::Capsules => (client.claimable(me).await?, client.claim_cost(to).await?),
        };
        let token = match self {
            Self::Campaign(campaign) => client.token(campaign.terms.token).await?,
            Self::Returned(_) | Self::Capsules => TokenUnit::eth(),
        };
        Ok(Offer { source: self, token, amount, cost })
    }

    async fn take(self, client: &Client, to: Address) -> Result<TxOutcome, chain::Error> {
        match self {
            Self::Campaign(campaign) => client.withdraw(&campaign.terms, to).await,
            Self::Returned(campaign) => client.withdraw_stake(&campaign.terms, to).await,
            Self::Capsules => client.claim(to).await,
        }
    }

    /// The campaign; `None` for the shares of Capsules' stakes.
    #[must_use]
    pub const fn campaign(self) -> Option<CampaignId> {
        match self {
            Self::Campaign(campaign) | Self::Returned(campaign) => Some(campaign.id),
            Self::Capsules => None,
        }
    }
}

impl Display for Source<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Campaign(campaign) => campaign.id.fmt(f),
            Self::Returned(campaign) => write!(f, "the stakes in {}", campaign.id),
            Self::Capsules => f.write_str("shares of the stakes of Capsules that missed a deadline"),
        }
    }
}

impl Offer<'_> {
    /// Whether it brings more than it costs. Only ETH can be compared with gas.
    #[must_use]
    pub fn is_worth_it(&self) -> bool {
        self.token.address != Address::ZERO || self.cost <= self.amount
    }

    /// What it would cost, as text.
    #[must_use]
    pub fn price(&self) -> String {
        format!(
            "withdrawing {} from {} would cost {} of gas",
            self.token.format(self.amount),
            self.source,
            TokenUnit::eth().format(self.cost),
        )
    }

    /// Makes the withdrawal.
    ///
    /// # Errors
    /// When the contract refuses, or the chain does not answer.
    pub async fn make(self, client: &Client, to: Address) -> Result<WithdrawalReceipt, Failure> {
        let outcome = self.source.take(client, to).await?;
        Ok(WithdrawalReceipt {
            campaign: self.source.campaign(),
            amount: self.amount,
            token: self.token,
            stake: matches!(self.source, Source::Returned(_)),
            gas_used: outcome.gas_used,
            transaction: outcome.hash,
        })
    }
}

/// Separates the withdrawals that bring more than they cost from the others.
///
/// # Errors
/// When there are withdrawals and none of them is worth its gas.
pub fn worth_it(offers: Vec<Offer<'_>>) -> Result<(Vec<Offer<'_>>, Vec<Offer<'_>>), Failure> {
    let (worth_it, losses): (Vec<_>, Vec<_>) = offers.into_iter().partition(Offer::is_worth_it);
    match (worth_it.is_empty(), losses.first()) {
        (true, Some(loss)) => Err(Failure::new(Code::GasExceedsAmount, loss.price())
            .help("wait until more is owed or gas is cheaper; amounts owed do not expire")),
        _ => Ok((worth_it, losses)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{ME, Story};

    fn eth(amount: u128, cost: u128) -> Offer<'static> {
        Offer { source: Source::Capsules, token: TokenUnit::eth(), amount: amount.into(), cost: cost.into() }
    }

    #[test]
    fn what_costs_more_than_it_brings_is_left_out() {
        let token = TokenUnit { address: Address::repeat_byte(1), symbol: "DATA".into(), decimals: 18 };
        let in_tokens = Offer { token, ..eth(1, 1_000) };
        let (good, losses) = worth_it(vec![eth(10, 10), eth(10, 11), in_tokens]).unwrap();
        assert_eq!((good.len(), losses.len()), (2, 1));
        let failure = worth_it(vec![eth(10, 11)]).unwrap_err();
        assert_eq!(failure.code, Code::GasExceedsAmount);
        assert!(failure.message.contains("of gas"), "{failure}");
        assert!(worth_it(Vec::new()).unwrap().0.is_empty());
    }

    #[test]
    fn stakes_of_an_open_campaign_are_taken_only_when_it_is_named() {
        let mut story = Story::opened();
        story.activate();
        story.submit(ME);
        story.settle(&[Some(30)]);
        let id = story.campaign().id;
        let count = |only| sources(&story.world, ME, only).count();
        assert_eq!((count(None), count(Some(id)), count(Some([7; 32].into()))), (1, 2, 0));
        story.close();
        assert_eq!(sources(&story.world, ME, None).count(), 2);
    }
}
