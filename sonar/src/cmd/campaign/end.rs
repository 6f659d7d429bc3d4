//! `sonar campaign close` and `withdraw`: how money comes back.

use alloy::primitives::Address;
use serde_json::json;
use sonar_contracts::{State, address};
use sonar_node::{
    chain::{Client, TxOutcome},
    cli::{self, Code, Failure, Output, Report},
};
use sonar_protocol::{
    units::{Amount, Timestamp},
    view::CampaignView,
};

use super::{Context, credits::Credits, document, find};

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

/// How a campaign can be ended now; at most one way applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// Refund: the Capsule did not activate the campaign in time.
    Refund,
    /// Close: no submission waits for settlement.
    Close,
    /// Announce: the campaign closes when its window is settled.
    Announce,
    /// Abandon: the Capsule did not settle a window in time.
    Abandon,
    /// Expire: the Capsule did not deliver in time.
    Expire,
}

/// The way that applies at this time, or why no way applies.
fn way(view: &CampaignView, now: Timestamp) -> Result<Ending, Failure> {
    let refused = |code: Code, message: String| Err(Failure::new(code, message));
    let wait = |end: Timestamp, what: &str| {
        refused(Code::TooEarly, format!("the Capsule has until {end} to {what} the campaign"))
    };
    let terms = &view.terms;
    match view.state {
        State::Proposed => match view.changed_at.plus(terms.activationSeconds) {
            end if now >= end => Ok(Ending::Refund),
            end => wait(end, "activate"),
        },
        State::Open if view.window.submissions.is_empty() => Ok(Ending::Close),
        State::Open => match view.window.closes_at.plus(terms.evaluationSeconds) {
            end if now >= end => Ok(Ending::Abandon),
            _ if !view.is_closing() && now < terms.deadline() => Ok(Ending::Announce),
            _ => refused(
                Code::UnsettledWindow,
                format!("{} submissions wait for settlement", view.window.submissions.len()),
            )
            .map_err(|failure| Failure {
                retryable: true,
                ..failure.help("the campaign closes when they are settled")
            }),
        },
        State::Closed => match view.changed_at.plus(terms.deliverySeconds) {
            _ if view.reason == sonar_contracts::CloseReason::CapsuleTimeout => {
                refused(Code::Ended, format!("the campaign is {}", document::state(view)))
            }
            end if now >= end => Ok(Ending::Expire),
            end => wait(end, "deliver"),
        },
        State::None | State::Finalized | State::Refunded | State::Released | State::Convicted => {
            refused(Code::Ended, format!("the campaign is already {}", document::state(view)))
        }
    }
}

impl Ending {
    fn consequence(self) -> &'static str {
        match self {
            Self::Refund => "The Capsule did not activate the campaign in time. Bounty and fee go back to the owner.",
            Self::Close => "This closes the campaign for good. You get the unearned part of the bounty back.",
            Self::Announce => {
                "This announces the end: the campaign closes when the current window is settled, and no other window \
                 opens. There is no way back."
            }
            Self::Abandon => {
                "The Capsule did not settle in time. This closes the campaign. The fee goes back to the owner; the \
                 Capsule loses its stake, a tenth of it to the window's miners."
            }
            Self::Expire => {
                "The Capsule did not deliver in time. Its fee goes back to the owner, and it loses its stake."
            }
        }
    }

    async fn go(self, client: &Client, view: &CampaignView) -> Result<TxOutcome, Failure> {
        let terms = &view.terms;
        Ok(match self {
            Self::Refund => client.refund(terms).await?,
            Self::Close | Self::Announce => client.close(terms).await?,
            Self::Abandon => client.abandon(terms, view.window.start, &view.window.submissions).await?,
            Self::Expire => client.expire(terms).await?,
        })
    }
}

impl Close {
    pub async fn run(self, context: &Context, output: &Output) -> Result<Report, Failure> {
        let client = context.signer().await?;
        let before = context.world(&client).await?;
        let view = find(&before, &self.id)?;
        let way = way(view, before.head.now)?;
        cli::confirm(&context.globals, way.consequence())?;
        output.progress("Sending the transaction…");
        let transaction = way.go(&client, view).await?;
        // The transaction is mined but not yet confirmed.
        let after = client.world(0, Some(&context.home)).await?;
        let view = find(&after, &self.id)?;
        let owed = Credits::read(&client, view.id, view.terms.owner).await?;
        let token = super::token(&client, view.terms.token).await?;
        let human = format!(
            "campaign {} is {}\nits owner can withdraw {} with `sonar campaign withdraw {}`",
            view.id.short(),
            document::state(view),
            owed.describe(&token),
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
        let account = client.address().ok_or_else(|| Failure::internal("no account"))?;
        let to = self.to.unwrap_or(account);
        let owed = Credits::read(&client, view.id, account).await?;
        let sums = owed.describe(&super::token(&client, view.terms.token).await?);
        if to != account {
            cli::confirm(&context.globals, &format!("This sends {sums} to {to}."))?;
        }
        output.progress("Sending the transactions…");
        let stake_transaction = match owed.stake {
            Amount::ZERO => None,
            _ => Some(client.withdraw_stake(&view.terms, to).await?),
        };
        let capsule_stake_transaction = match owed.capsule_stake {
            Amount::ZERO => None,
            _ => Some(client.claim(to).await?),
        };
        // If nothing is owed, the contract refuses and gives the reason.
        let transaction = match (owed.amount, &stake_transaction, &capsule_stake_transaction) {
            (Amount::ZERO, Some(_), _) | (Amount::ZERO, _, Some(_)) => None,
            _ => Some(client.withdraw(&view.terms, to).await?),
        };
        let data = json!({
            "id": view.id,
            "account": account,
            "to": to,
            "amount": owed.amount,
            "transaction": transaction,
            "stake": owed.stake,
            "stake_transaction": stake_transaction,
            "capsule_stake": owed.capsule_stake,
            "capsule_stake_transaction": capsule_stake_transaction,
        });
        Report::new(&data, format!("{sums} sent to {to}"))
    }
}
