//! What an account may call now: the contract's conditions for ending a campaign and for withdrawing, decided from the
//! fold.
//!
//! | call | who | when |
//! | --- | --- | --- |
//! | `close` | the owner; anyone after the deadline | open, no submission waits for settlement |
//! | `close` (announces the end) | the owner | open before the deadline, submissions wait, not announced before |
//! | `refund` | anyone | proposed, and the Capsule missed its time to activate |
//! | `abandon` | anyone | open, and the Capsule missed its time to settle the closed window |
//! | `expire` | anyone | closed, not timed out before, and the Capsule missed its time to deliver |
//! | `release` | anyone | delivered, and the audit period has passed |
//! | `withdraw` | whoever is owed something | always |
//! | `withdrawStake` | whoever has returned stakes; the Capsule for its gas credit | always |

use alloy::primitives::Address;
use serde::Serialize;
use sonar_contracts::{CloseReason, State};
use utoipa::ToSchema;

use crate::{
    units::{Amount, Timestamp},
    view::CampaignView,
};

/// A call of the contract that an account may make.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Close the campaign, or announce its end if submissions wait for settlement.
    Close,
    /// Withdraw what is owed in the campaign's token.
    Withdraw,
    /// Withdraw returned stakes.
    WithdrawStake,
    /// Refund a campaign that the Capsule did not activate in time.
    Refund,
    /// End a campaign whose window the Capsule did not settle in time.
    Abandon,
    /// End a campaign whose model the Capsule did not deliver in time.
    Expire,
    /// Free the Capsule's fee and stake after the audit period.
    Release,
}

impl Action {
    /// All calls.
    pub const ALL: [Self; 7] =
        [Self::Close, Self::Withdraw, Self::WithdrawStake, Self::Refund, Self::Abandon, Self::Expire, Self::Release];

    /// Whether the contract would accept this call of `account` in a block at the time `now`.
    #[must_use]
    pub fn is_possible(self, view: &CampaignView, account: Address, now: Timestamp) -> bool {
        let terms = &view.terms;
        let has_passed = |since: Timestamp, seconds: u32| now >= since.plus(seconds);
        match self {
            Self::Close => view.state == State::Open && may_close(view, account, now),
            Self::Withdraw => view.owed(account) > Amount::ZERO,
            Self::WithdrawStake => view.withdrawable_stake(account) > Amount::ZERO,
            Self::Refund => view.state == State::Proposed && has_passed(view.changed_at, terms.activationSeconds),
            Self::Abandon => {
                view.state == State::Open
                    && view.window.is_closed(now)
                    && has_passed(view.window.closes_at, terms.evaluationSeconds)
            }
            Self::Expire => {
                view.state == State::Closed
                    && view.reason != CloseReason::CapsuleTimeout
                    && has_passed(view.changed_at, terms.deliverySeconds)
            }
            Self::Release => view.state == State::Finalized && has_passed(view.changed_at, terms.audit.period),
        }
    }

    /// All calls that the contract would accept of `account`.
    #[must_use]
    pub fn possible(view: &CampaignView, account: Address, now: Timestamp) -> Vec<Self> {
        Self::ALL.into_iter().filter(|action| action.is_possible(view, account, now)).collect()
    }
}

/// The conditions of `close` for an open campaign.
fn may_close(view: &CampaignView, account: Address, now: Timestamp) -> bool {
    let is_late = now >= view.terms.deadline();
    let is_owner = account == view.terms.owner;
    if view.window.submissions.is_empty() { is_late || is_owner } else { is_owner && !is_late && !view.is_closing() }
}
