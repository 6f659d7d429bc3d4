//! How a campaign ends, and how money comes back.

use alloy::primitives::Address;
use sonar_contracts::State;
use sonar_node::{
    chain::{Client, TxOutcome},
    cli::{Code, Failure},
};
use sonar_protocol::{
    units::{Amount, Timestamp},
    view::CampaignView,
};

use super::{credits::Credits, state};

/// How a campaign can be ended now; at most one way applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
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
pub fn way(view: &CampaignView, now: Timestamp) -> Result<Ending, Failure> {
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
                refused(Code::Ended, format!("the campaign is {}", state(view)))
            }
            end if now >= end => Ok(Ending::Expire),
            end => wait(end, "deliver"),
        },
        State::None | State::Finalized | State::Refunded | State::Released | State::Convicted => {
            refused(Code::Ended, format!("the campaign is already {}", state(view)))
        }
    }
}

impl Ending {
    /// Its name in messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Refund => "refund",
            Self::Close | Self::Announce => "close",
            Self::Abandon => "abandon",
            Self::Expire => "expire",
        }
    }

    /// What it does, before it is confirmed.
    pub fn consequence(self) -> &'static str {
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

    /// Sends the transaction.
    pub async fn send(self, client: &Client, view: &CampaignView) -> Result<TxOutcome, Failure> {
        let terms = &view.terms;
        Ok(match self {
            Self::Refund => client.refund(terms).await?,
            Self::Close | Self::Announce => client.close(terms).await?,
            Self::Abandon => client.abandon(terms, view.window.start, &view.window.submissions).await?,
            Self::Expire => client.expire(terms).await?,
        })
    }
}

/// The transactions that sent everything that an account was owed.
#[derive(Clone, Copy, Debug)]
pub struct Withdrawal {
    /// The credit in the campaign.
    pub amount: Option<TxOutcome>,
    /// Free stakes of submissions.
    pub stake: Option<TxOutcome>,
    /// Compensation from stakes of Capsules.
    pub capsule_stake: Option<TxOutcome>,
}

/// Sends everything that the account is owed to `to`: from the campaign, and from the registry of Capsules.
pub async fn withdraw(client: &Client, view: &CampaignView, owed: Credits, to: Address) -> Result<Withdrawal, Failure> {
    let stake = match owed.stake {
        Amount::ZERO => None,
        _ => Some(client.withdraw_stake(&view.terms, to).await?),
    };
    let capsule_stake = match owed.capsule_stake {
        Amount::ZERO => None,
        _ => Some(client.claim(to).await?),
    };
    // If nothing is owed, the contract refuses and gives the reason.
    let amount = match (owed.amount, &stake, &capsule_stake) {
        (Amount::ZERO, Some(_), _) | (Amount::ZERO, _, Some(_)) => None,
        _ => Some(client.withdraw(&view.terms, to).await?),
    };
    Ok(Withdrawal { amount, stake, capsule_stake })
}
