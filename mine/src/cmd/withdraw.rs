//! `mine withdraw`

use std::fmt::{self, Display, Formatter};

use alloy::primitives::{Address, B256};
use serde::Serialize;
use serde_json::json;
use sonar_contracts::{State, address};
use sonar_node::{
    chain::{Client, TxOutcome},
    cli::{Ask, Code, Failure, Output, Report, confirm},
};
use sonar_protocol::{
    ids::CampaignId,
    units::{Amount, TokenUnit},
    view::{CampaignView, World},
};

use super::Context;

/// Withdraw earnings, and returned stakes of campaigns that have ended. Shows the cost of gas first, and leaves out
/// withdrawals that would cost more gas than they bring.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  mine withdraw --to 0x000000000000000000000000000000000000dEaD")]
pub struct Withdraw {
    /// Recipient of the money (default: this Mine's account)
    #[arg(long, value_name = "ADDRESS", value_parser = address::parse)]
    to: Option<Address>,
    /// Withdraw only from this campaign, and its returned stakes even while it is open
    #[arg(long, value_name = "ID")]
    campaign: Option<CampaignId>,
}

/// Source of a withdrawal.
#[derive(Clone, Copy)]
enum Source<'a> {
    /// Earnings of a campaign.
    Campaign(&'a CampaignView),
    /// Returned stakes of submissions, in ETH.
    Returned(&'a CampaignView),
    /// Shares of the stakes of Capsules that missed a deadline, in ETH.
    Capsules,
}

/// A possible withdrawal.
struct Offer<'a> {
    source: Source<'a>,
    token: TokenUnit,
    amount: Amount,
    cost: Amount,
}

#[derive(Serialize)]
struct WithdrawalReceipt {
    /// `None` for the shares of Capsules' stakes.
    campaign: Option<CampaignId>,
    amount: Amount,
    token: TokenUnit,
    /// Whether it is a returned stake.
    stake: bool,
    gas_used: u64,
    transaction: B256,
}

impl Withdraw {
    pub async fn run(self, context: &Context, output: &Output) -> Result<Report, Failure> {
        let signer = context.home.signer(&context.passphrase(Ask::Existing)?)?;
        let me = signer.address();
        let to = self.to.unwrap_or(me);
        let client = context.client(Some(signer)).await?;
        let world = context.world(&client).await?;
        if let Some(id) = self.campaign
            && world.campaign(id).is_none()
        {
            let message = format!("there is no campaign {id}");
            return Err(Failure::new(Code::UnknownCampaign, message));
        }
        let mut offers = Vec::new();
        for source in self.sources(&client, &world, me).await? {
            offers.push(source.offer(&client, me, to).await?);
        }
        if offers.is_empty() {
            return Report::new(&json!({"to": to, "withdrawals": []}), "nothing to withdraw");
        }
        let worth_it = weed(offers, output)?;
        confirm(&context.globals, &consequence(&worth_it, to))?;
        let mut made = Vec::new();
        for offer in worth_it {
            let outcome = offer.source.take(&client, to).await?;
            output.progress(format!("withdrew {}", offer.token.format(offer.amount)));
            made.push(WithdrawalReceipt {
                campaign: offer.source.campaign(),
                amount: offer.amount,
                token: offer.token,
                stake: offer.source.is_stake(),
                gas_used: outcome.gas_used,
                transaction: outcome.hash,
            });
        }
        let human: String = made.iter().map(|made| format!("{}\n", made.token.format(made.amount))).collect();
        Report::new(&json!({"to": to, "withdrawals": made}), human)
    }

    /// Sources with something to withdraw.
    async fn sources<'a>(&self, client: &Client, world: &'a World, me: Address) -> Result<Vec<Source<'a>>, Failure> {
        let mut sources = Vec::new();
        for campaign in world.in_order().filter(|campaign| self.campaign.is_none_or(|id| id == campaign.id)) {
            if campaign.owed(me) != Amount::ZERO {
                sources.push(Source::Campaign(campaign));
            }
            if self.takes_stakes_of(campaign) && campaign.stakes(me).free != Amount::ZERO {
                sources.push(Source::Returned(campaign));
            }
        }
        if self.campaign.is_none() && client.claimable(me).await? != Amount::ZERO {
            sources.push(Source::Capsules);
        }
        Ok(sources)
    }

    fn takes_stakes_of(&self, campaign: &CampaignView) -> bool {
        campaign.state != State::Open || self.campaign.is_some()
    }
}

impl<'a> Source<'a> {
    /// The amount that can be withdrawn from this source, read from the contract, because the indexed state is some
    /// blocks old.
    async fn offer(self, client: &Client, me: Address, to: Address) -> Result<Offer<'a>, Failure> {
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

    async fn take(self, client: &Client, to: Address) -> Result<TxOutcome, Failure> {
        Ok(match self {
            Self::Campaign(campaign) => client.withdraw(&campaign.terms, to).await?,
            Self::Returned(campaign) => client.withdraw_stake(&campaign.terms, to).await?,
            Self::Capsules => client.claim(to).await?,
        })
    }
}

impl Source<'_> {
    fn campaign(self) -> Option<CampaignId> {
        match self {
            Self::Campaign(campaign) | Self::Returned(campaign) => Some(campaign.id),
            Self::Capsules => None,
        }
    }

    fn is_stake(self) -> bool {
        matches!(self, Self::Returned(_))
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

/// Leaves out withdrawals that cost more than they bring. Only ETH can be compared with gas.
fn weed<'a>(offers: Vec<Offer<'a>>, output: &Output) -> Result<Vec<Offer<'a>>, Failure> {
    let (worth_it, losses): (Vec<_>, Vec<_>) =
        offers.into_iter().partition(|offer| offer.token.address != Address::ZERO || offer.cost <= offer.amount);
    let explain = |offer: &Offer<'_>| {
        format!(
            "withdrawing {} from {} would cost {} of gas",
            offer.token.format(offer.amount),
            offer.source,
            TokenUnit::eth().format(offer.cost),
        )
    };
    match (worth_it.is_empty(), losses.first()) {
        (true, Some(loss)) => Err(Failure::new(Code::GasExceedsAmount, explain(loss))
            .help("wait until more is owed or gas is cheaper; amounts owed do not expire")),
        _ => {
            losses.iter().for_each(|loss| output.warn(format!("left out: {}", explain(loss))));
            Ok(worth_it)
        }
    }
}

fn consequence(offers: &[Offer<'_>], to: Address) -> String {
    let amounts: Vec<_> = offers.iter().map(|offer| offer.token.format(offer.amount)).collect();
    let gas = offers.iter().fold(Amount::ZERO, |sum, offer| sum.saturating_add(offer.cost));
    format!("This sends {} to {to}, for at most {} of gas.", amounts.join(" and "), TokenUnit::eth().format(gas))
}
