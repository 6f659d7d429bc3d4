//! `sonar campaign close` and `withdraw`: the ways in which money comes back.

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

use super::{Context, document, find, owed::Owed};

/// End a campaign.
///
/// An open one is closed, and what nobody has earned goes back to its owner. When its Capsule missed a time that the
/// terms give it, the whole of what the Capsule holds up comes back, and its stake pays for the delay.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  sonar campaign close 0x3fa4 --yes")]
pub struct Close {
    /// Its id, or the beginning of it
    id: String,
}

/// Withdraw everything that you are owed: the part of the bounty that nobody earned, stakes that miners forfeited, and stakes
/// of Capsules that missed a deadline or were convicted (of all your campaigns, which the registry keeps as one sum).
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  sonar campaign withdraw 0x3fa4")]
pub struct Withdraw {
    /// Its id, or the beginning of it
    id: String,
    /// Send it there instead of to your account
    #[arg(long, value_name = "ADDRESS", value_parser = address::parse)]
    to: Option<Address>,
}

/// The one way in which a campaign can be ended now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// The Capsule did not activate it in time.
    Refund,
    /// No submission waits: it can be closed.
    Close,
    /// The Capsule did not settle a window in time.
    Abandon,
    /// The Capsule did not deliver in time.
    Expire,
}

/// Which way there is at this time; else why there is none.
fn way(view: &CampaignView, now: Timestamp) -> Result<Way, Failure> {
    let refused = |code: Code, message: String| Err(Failure::new(code, message));
    let wait =
        |end: Timestamp, what: &str| refused(Code::TooEarly, format!("the Capsule has until {end} to {what} it"));
    let terms = &view.terms;
    match view.state {
        State::Proposed => match view.changed_at.plus(terms.activationSeconds) {
            end if now >= end => Ok(Way::Refund),
            end => wait(end, "activate"),
        },
        State::Open if view.window.submissions.is_empty() => Ok(Way::Close),
        State::Open => match view.window.closes_at.plus(terms.evaluationSeconds) {
            end if now >= end => Ok(Way::Abandon),
            _ => refused(
                Code::UnsettledWindow,
                format!("{} submissions wait for the Capsule; they are settled first", view.window.submissions.len()),
            )
            .map_err(|failure| Failure { retryable: true, ..failure.help("try again in a moment") }),
        },
        State::Closed => match view.changed_at.plus(terms.deliverySeconds) {
            _ if view.reason == sonar_contracts::CloseReason::CapsuleTimeout => {
                refused(Code::Ended, format!("the campaign is {}", document::state(view)))
            }
            end if now >= end => Ok(Way::Expire),
            end => wait(end, "deliver"),
        },
        State::None | State::Finalized | State::Refunded => {
            refused(Code::Ended, format!("the campaign is {} already", document::state(view)))
        }
    }
}

impl Way {
    fn consequence(self) -> &'static str {
        match self {
            Self::Refund => "The Capsule did not activate the campaign; bounty and fee come back.",
            Self::Close => "This closes the campaign for good; what nobody has earned comes back to you.",
            Self::Abandon => {
                "The Capsule did not settle in time; this closes the campaign and pays its miners from the Capsule's stake."
            }
            Self::Expire => "The Capsule did not deliver in time; its fee and stake for this campaign go to the owner.",
        }
    }

    async fn go(self, client: &Client, view: &CampaignView) -> Result<TxOutcome, Failure> {
        let terms = &view.terms;
        Ok(match self {
            Self::Refund => client.refund(terms).await?,
            Self::Close => client.close(terms).await?,
            Self::Abandon => client.abandon(terms, &view.window.submissions).await?,
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
        // The transaction is mined, though not confirmed.
        let after = client.world(0, Some(&context.home)).await?;
        let view = find(&after, &self.id)?;
        let owed = Owed::read(&client, view.id, view.terms.owner).await?;
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
        let owed = Owed::read(&client, view.id, account).await?;
        let sums = owed.describe(&super::token(&client, view.terms.token).await?);
        if to != account {
            cli::confirm(&context.globals, &format!("This sends {sums} to {to}."))?;
        }
        output.progress("Sending the transactions…");
        let stake_transaction = match owed.stake {
            Amount::ZERO => None,
            _ => Some(client.withdraw_stake(view.id, to).await?),
        };
        let capsule_stake_transaction = match owed.capsule_stake {
            Amount::ZERO => None,
            _ => Some(client.claim(to).await?),
        };
        // Without any credit the contract refuses, and names the reason.
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
