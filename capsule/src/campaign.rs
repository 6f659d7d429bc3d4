//! The Capsule's work on one campaign. [`next`] decides: a pure function of the chain's state, the Capsule's own
//! [`record`] and the time. `Worker::step` carries out the decision: `examine` a proposal, `evaluate` its windows,
//! `deliver` the model, destroy [`secrets`]. Every step is written to the record before anything is sent, and a
//! repeated step has the same result. So a Capsule can be killed at any moment, and the chain can be rolled back.
//!
//! ```text
//!  chain      what the record has                                     action
//!
//!  proposed ─┬─ no decision about this block ───────────────────────▶ Examine
//!            ├─ decision to run it ─────────────────────────────────▶ Activate          chain: open
//!            └─ decision to refuse it, or the deadline has passed ──▶ Decline           chain: refunded
//!
//!  open ─────┬─ window empty: until the deadline ───────────────────▶ Wait
//!            ├─ window empty, deadline passed ──────────────────────▶ Close             chain: closed
//!            ├─ window not full and not due ────────────────────────▶ Wait
//!            ├─ window closed, no settlement of it ─────────────────▶ Evaluate
//!            │                … and no keys or no leak meter ───────▶ Lost
//!            ├─ settlement, next keys bound to a rolled-back block ──▶ RenewMaterial
//!            └─ settlement ─────────────────────────────────────────▶ SendSettlement    chain: open or closed
//!
//!  closed ───┬─ by the Capsule's own delay ─────────────────────────▶ Done
//!            ├─ no finished model ──────────────────────────────────▶ Lost
//!            ├─ no delivery of it ──────────────────────────────────▶ Deliver
//!            └─ delivery ───────────────────────────────────────────▶ Finalize          chain: finalized
//!
//!  finalized ┬─ stake locked: until the end of the audit ───────────▶ Wait
//!            ├─ stake locked, audit period ended ───────────────────▶ Release
//!            └─ no stake, or its fate is decided ───────────────────▶ Done
//!
//!  refunded ─────────────────────────────────────────────────────────▶ Done
//!
//!  in any state, first: secrets that are no longer needed ──────────▶ DestroySecrets
//! ```
//!
//! An action stays due until the chain shows its effect; [`crate::service`] retries it with growing delays.

mod deliver;
mod evaluate;
mod examine;
pub mod record;
pub mod secrets;
pub mod worker;

pub(crate) use examine::LEAST_SECONDS;

use sonar_contracts::{CloseReason, State};
use sonar_node::vault::SecretStore;
use sonar_protocol::{
    ids::{Version, WindowIndex},
    refusal::Refusal,
    units::Timestamp,
    view::{CampaignView, CapsuleView},
};

use self::{
    record::{CampaignRecord, Decision, Settlement, Slot},
    secrets::Secret,
    worker::{WorkError, Worker},
};
use crate::ports::{Artefacts, Chain};

/// The next action for a campaign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Open the bundle and decide whether to run the campaign.
    Examine,
    /// Send the activation.
    Activate,
    /// Send the refusal of the campaign.
    Decline(Refusal),
    /// Evaluate a closed window.
    Evaluate(WindowIndex),
    /// Renew the keys of the next version: the block that they are bound to was rolled back.
    RenewMaterial(WindowIndex),
    /// Send the settlement of a window.
    SendSettlement(WindowIndex),
    /// Close the campaign: the deadline has passed.
    Close,
    /// Seal the finished model to the data scientist.
    Deliver,
    /// Send the delivery.
    Finalize,
    /// Free the stake: the audit period has ended.
    Release,
    /// Destroy secrets that are no longer needed.
    DestroySecrets(Vec<Secret>),
    /// Wait until this time or the next event.
    Wait(Timestamp),
    /// The campaign needs no further action.
    Done,
    /// The Capsule cannot continue: its files were lost or are older than the chain.
    Lost(Version),
}

impl Action {
    /// Name in logs.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Examine => "examine",
            Self::Activate => "activate",
            Self::Decline(_) => "decline",
            Self::Evaluate(_) => "evaluate",
            Self::RenewMaterial(_) => "renew_material",
            Self::SendSettlement(_) => "send_settlement",
            Self::Close => "close",
            Self::Deliver => "deliver",
            Self::Finalize => "finalize",
            Self::Release => "release",
            Self::DestroySecrets(_) => "destroy_secrets",
            Self::Wait(_) => "wait",
            Self::Done => "done",
            Self::Lost(_) => "lost",
        }
    }
}

/// The next action for a campaign.
#[must_use]
pub fn next(campaign: &CampaignView, record: &CampaignRecord, now: Timestamp) -> Action {
    let dead = secrets::dead(campaign, record);
    if !dead.is_empty() {
        return Action::DestroySecrets(dead);
    }
    match campaign.state {
        State::Proposed => proposed(campaign, record, now),
        State::Open => open(campaign, record, now),
        State::Closed => closed(campaign, record),
        State::Finalized => finalized(campaign, now),
        State::None | State::Refunded => Action::Done,
    }
}

fn finalized(campaign: &CampaignView, now: Timestamp) -> Action {
    let end = campaign.changed_at.plus(campaign.terms.audit.period);
    match campaign.stake_fate {
        None if campaign.terms.stake > 0 => {
            if now >= end {
                Action::Release
            } else {
                Action::Wait(end)
            }
        }
        _ => Action::Done,
    }
}

fn proposed(campaign: &CampaignView, record: &CampaignRecord, now: Timestamp) -> Action {
    let decision = record.decision(campaign.opened.block_hash);
    if let Some(Decision::Decline { reason }) = decision {
        return Action::Decline(reason);
    }
    if now >= campaign.terms.deadline() {
        return Action::Decline(Refusal::TooLate);
    }
    decision.map_or(Action::Examine, |_| Action::Activate)
}

fn open(campaign: &CampaignView, record: &CampaignRecord, now: Timestamp) -> Action {
    let window = &campaign.window;
    if window.submissions.is_empty() {
        let deadline = campaign.terms.deadline();
        return if now >= deadline { Action::Close } else { Action::Wait(deadline) };
    }
    if !window.is_closed(now) {
        return Action::Wait(window.closes_at);
    }
    match record.settlement(window.index, campaign.window_hash()) {
        Some(settlement) if is_bound(campaign, record, settlement) => Action::SendSettlement(window.index),
        Some(_) => Action::RenewMaterial(window.index),
        None if has_keys(campaign, record) => Action::Evaluate(window.index),
        None => Action::Lost(campaign.version()),
    }
}

/// Whether the keys of the next version, if any, are bound to the block that the contract expects.
fn is_bound(campaign: &CampaignView, record: &CampaignRecord, settlement: &Settlement) -> bool {
    settlement.next.is_none() || record.slot(settlement.model).is_some_and(|slot| slot.beacon == campaign.next_beacon())
}

fn has_keys(campaign: &CampaignView, record: &CampaignRecord) -> bool {
    record.current(campaign).is_some_and(Slot::is_whole) && record.meter.is_some()
}

fn closed(campaign: &CampaignView, record: &CampaignRecord) -> Action {
    if campaign.reason == CloseReason::CapsuleTimeout {
        return Action::Done;
    }
    let Some(model) = record.final_model(campaign).filter(|slot| slot.model) else {
        return Action::Lost(campaign.version());
    };
    match record.delivery {
        Some(delivery) if delivery.model == model.id => Action::Finalize,
        _ => Action::Deliver,
    }
}

impl<S: SecretStore + 'static, A: Artefacts, C: Chain> Worker<S, A, C> {
    /// Decides on the next action and performs it.
    ///
    /// # Errors
    /// When the action was not completed.
    pub async fn step(
        &mut self,
        campaign: &CampaignView,
        own: Option<&CapsuleView>,
        now: Timestamp,
    ) -> (Action, Result<(), WorkError>) {
        let action = next(campaign, &self.record, now);
        let done = self.carry_out(&action, campaign, own, now).await;
        (action, done)
    }

    async fn carry_out(
        &mut self,
        action: &Action,
        campaign: &CampaignView,
        own: Option<&CapsuleView>,
        now: Timestamp,
    ) -> Result<(), WorkError> {
        match action {
            Action::Examine => self.examine(campaign, own, now).await,
            Action::Activate => self.activate(campaign).await,
            Action::Decline(reason) => self.decline(campaign, *reason).await,
            Action::Evaluate(_) => self.evaluate(campaign).await,
            Action::RenewMaterial(_) => self.renew(campaign).await,
            Action::SendSettlement(_) => self.send_settlement(campaign).await,
            Action::Close => Ok(self.tools.chain.close(&campaign.terms).await?),
            Action::Deliver => self.deliver(campaign).await,
            Action::Finalize => self.finalize(campaign).await,
            Action::Release => Ok(self.tools.chain.release(&campaign.terms).await?),
            Action::DestroySecrets(secrets) => self.destroy(secrets),
            Action::Wait(_) | Action::Done => Ok(()),
            Action::Lost(version) => Err(WorkError::Lost(format!("keys of version {version}"))),
        }
    }
}
