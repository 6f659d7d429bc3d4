//! `mine withdraw`

use alloy::primitives::Address;
use serde_json::json;
use sonar_contracts::address;
use sonar_node::cli::{Ask, Failure, Output, Report, confirm};
use sonar_protocol::{
    ids::CampaignId,
    units::{Amount, TokenUnit},
};

use super::Context;
use crate::withdrawal::{self, Offer};

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

impl Withdraw {
    pub async fn run(self, context: &Context, output: &Output) -> Result<Report, Failure> {
        let signer = context.home.signer(&context.passphrase(Ask::Existing)?)?;
        let me = signer.address();
        let to = self.to.unwrap_or(me);
        let client = context.client(Some(signer)).await?;
        let world = context.world(&client).await?;
        let offers = withdrawal::offers(&client, &world, (me, to), self.campaign).await?;
        if offers.is_empty() {
            return Report::new(&json!({"to": to, "withdrawals": []}), "nothing to withdraw");
        }
        let (worth_it, losses) = withdrawal::worth_it(offers)?;
        losses.iter().for_each(|loss| output.warn(format!("left out: {}", loss.price())));
        confirm(&context.globals, &consequence(&worth_it, to))?;
        let mut made = Vec::new();
        for offer in worth_it {
            let receipt = offer.make(&client, to).await?;
            output.progress(format!("withdrew {}", receipt.token.format(receipt.amount)));
            made.push(receipt);
        }
        let human: String = made.iter().map(|made| format!("{}\n", made.token.format(made.amount))).collect();
        Report::new(&json!({"to": to, "withdrawals": made}), human)
    }
}

fn consequence(offers: &[Offer<'_>], to: Address) -> String {
    let amounts: Vec<_> = offers.iter().map(|offer| offer.token.format(offer.amount)).collect();
    let gas = offers.iter().fold(Amount::ZERO, |sum, offer| sum.saturating_add(offer.cost));
    format!("This sends {} to {to}, for at most {} of gas.", amounts.join(" and "), TokenUnit::eth().format(gas))
}
