//! `sonar campaign close` and `withdraw`: how money comes back.

use alloy::primitives::Address;
use serde_json::json;
use sonar_contracts::address;
use sonar_node::cli::{self, Failure, Output, Report};

use super::Context;
use crate::scientist::{credits::Credits, ending, find, signer_of, state, token};

/// End a campaign.
///
/// An open campaign is closed, and the unearned part of the bounty goes back to its owner. If the Capsule missed a
/// deadline of the terms, everything that it holds up comes back, and its stake pays for the delay.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  sonar campaign close 0x3fa4 --yes")]
pub struct Close {
    /// Campaign id, or its first digits
    id: String,
}

/// Withdraw everything that is owed to you: the unearned parts of bounty and fee, and compensation from the stakes
/// of Capsules that missed a deadline or were convicted (of all your campaigns, because the registry keeps one sum).
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  sonar campaign withdraw 0x3fa4")]
pub struct Withdraw {
    /// Campaign id, or its first digits
    id: String,
    /// Send the money to this address instead of your account
    #[arg(long, value_name = "ADDRESS", value_parser = address::parse)]
    to: Option<Address>,
}

impl Close {
    pub async fn run(self, context: &Context, output: &Output) -> Result<Report, Failure> {
        let client = context.signer().await?;
        let before = context.world(&client).await?;
        let view = find(&before, &self.id)?;
        let way = ending::way(view, before.head.now)?;
        cli::confirm(&context.globals, way.consequence())?;
        output.progress("Sending the transaction…");
        let transaction = way.send(&client, view).await?;
        // The transaction is mined but not yet confirmed.
        let after = client.world(0, Some(&context.home)).await?;
        let view = find(&after, &self.id)?;
        let owed = Credits::read(&client, view.id, view.terms.owner).await?;
        let unit = token(&client, view.terms.token).await?;
        let human = format!(
            "campaign {} is {}\nits owner can withdraw {} with `sonar campaign withdraw {}`",
            view.id.short(),
            state(view),
            owed.describe(&unit),
            view.id.short(),
        );
        let data = json!({
            "id": view.id,
            "state": view.state,
            "reason": view.reason,
            "owed": owed.amount,
            "owed_to_owner": owed,
            "transaction": transaction,
        });
        Report::new(&data, human)
    }
}

impl Withdraw {
    pub async fn run(self, context: &Context, output: &Output) -> Result<Report, Failure> {
        let client = context.signer().await?;
        let world = context.world(&client).await?;
        let view = find(&world, &self.id)?;
        let account = signer_of(&client)?;
        let to = self.to.unwrap_or(account);
        let owed = Credits::read(&client, view.id, account).await?;
        let sums = owed.describe(&token(&client, view.terms.token).await?);
        if to != account {
            cli::confirm(&context.globals, &format!("This sends {sums} to {to}."))?;
        }
        output.progress("Sending the transactions…");
        let sent = ending::withdraw(&client, view, owed, to).await?;
        let data = json!({
            "id": view.id,
            "account": account,
            "to": to,
            "amount": owed.amount,
            "transaction": sent.amount,
            "stake": owed.stake,
            "stake_transaction": sent.stake,
            "capsule_stake": owed.capsule_stake,
            "capsule_stake_transaction": sent.capsule_stake,
        });
        Report::new(&data, format!("{sums} sent to {to}"))
    }
}
