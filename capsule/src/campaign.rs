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
//!            └─ decision to refuse it, or its time has passed ──────▶ Decline           chain: refunded
//!
//!  open ─────┬─ window empty: until the deadline ───────────────────▶ Wait
//!            ├─ window empty, deadline passed ──────────────────────▶ Close             chain: closed
//!            ├─ window not full and not due ────────────────────────▶ Wait
//!            ├─ window closed, no settlement of it ─────────────────▶ Evaluate
//!            │                … and no keys or no leak meter ───────▶ Lost
//!            └─ settlement ─────────────────────────────────────────▶ SendSettlement    chain: open or closed
//!
//!  closed ───┬─ by the Capsule's own delay ─────────────────────────▶ Done
//!            ├─ no finished model ──────────────────────────────────▶ Lost
//!            ├─ no delivery of it ──────────────────────────────────▶ Deliver
//!            └─ delivery ───────────────────────────────────────────▶ Finalize          chain: finalized
//!
//!  finalized ┬─ until the end of the audit period ──────────────────▶ Wait
//!            └─ audit period ended ─────────────────────────────────▶ Release           chain: released
//!
//!  released, convicted, refunded ───────────────────────────────────▶ Done
//!
//!  in any state, first: secrets that are no longer needed ──────────▶ DestroySecrets
//! ```
//!
//! A settlement is sent at the end of a slot ([`slot_end`]), so that the time that an evaluation took is not public.
//! An action stays due until the chain shows its effect; [`crate::service`] retries it with growing delays.

mod deliver;
mod evaluate;
mod examine;
pub mod record;
pub mod secrets;
pub mod worker;

use std::time::Duration;

use sonar_contracts::{CloseReason, State};
use sonar_node::vault::SecretStore;
use sonar_protocol::{
    ids::{Version, WindowIndex},
    refusal::Refusal,
    units::Timestamp,
    view::{CampaignView, CapsuleView},
};

use self::{
    record::{CampaignRecord, ProposalDecision, Slot},
    secrets::Secret,
    worker::{HeldSettlement, WorkError, Worker},
};
use crate::ports::{Artefacts, Chain};

/// Name of the step that evaluates a window.
pub(crate) const EVALUATE: &str = "evaluate";

/// The next action for a campaign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CapsuleAction {
    /// Open the bundle and decide whether to run the campaign.
    Examine,
    /// Send the activation.
    Activate,
    /// Send the refusal of the campaign.
    Decline(Refusal),
    /// Evaluate a closed window.
    Evaluate(WindowIndex),
    /// Send the settlement of a window.
    SendSettlement(WindowIndex),
    /// Close the campaign: the deadline has passed.
    Close,
    /// Seal the finished model to the data scientist.
    Deliver,
    /// Send the delivery.
    Finalize,
    /// Free the stake and collect the fee: the audit period has ended.
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

impl CapsuleAction {
    /// Name in logs.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Examine => "examine",
            Self::Activate => "activate",
            Self::Decline(_) => "decline",
            Self::Evaluate(_) => EVALUATE,
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
pub fn next(campaign: &CampaignView, record: &CampaignRecord, now: Timestamp) -> CapsuleAction {
    let dead = secrets::dead(campaign, record);
    if !dead.is_empty() {
        return CapsuleAction::DestroySecrets(dead);
    }
    match campaign.state {
        State::Proposed => proposed(campaign, record, now),
        State::Open => open(campaign, record, now),
        State::Closed => closed(campaign, record),
        State::Finalized => finalized(campaign, now),
        State::None | State::Refunded | State::Released | State::Convicted => CapsuleAction::Done,
    }
}

fn finalized(campaign: &CampaignView, now: Timestamp) -> CapsuleAction {
    let end = campaign.changed_at.plus(campaign.terms.audit.period);
    if now >= end { CapsuleAction::Release } else { CapsuleAction::Wait(end) }
}

fn proposed(campaign: &CampaignView, record: &CampaignRecord, now: Timestamp) -> CapsuleAction {
    let decision = record.decision(campaign.next_beacon());
    if let Some(ProposalDecision::Decline { reason }) = decision {
        return CapsuleAction::Decline(reason);
    }
    // After either, the contract activates nothing.
    let in_time = campaign.changed_at.plus(campaign.terms.activationSeconds);
    if now > in_time || now >= campaign.terms.deadline() {
        return CapsuleAction::Decline(Refusal::TooLate);
    }
    decision.map_or(CapsuleAction::Examine, |_| CapsuleAction::Activate)
}

fn open(campaign: &CampaignView, record: &CampaignRecord, now: Timestamp) -> CapsuleAction {
    let window = &campaign.window;
    if window.submissions.is_empty() {
        let deadline = campaign.terms.deadline();
        return if now >= deadline { CapsuleAction::Close } else { CapsuleAction::Wait(deadline) };
    }
    if !window.is_closed(now) {
        return CapsuleAction::Wait(window.closes_at);
    }
    match record.settlement(window.index, campaign.window_hash()) {
        Some(_) => CapsuleAction::SendSettlement(window.index),
        None if has_keys(campaign, record) => CapsuleAction::Evaluate(window.index),
        None => CapsuleAction::Lost(campaign.version()),
    }
}

/// When a settlement that is ready now is sent: at the end of the slot that this time lies in. Slots follow one another
/// from the close of the window. None is longer than a quarter of the time for an evaluation, so that the settlement is
/// not late. Zero sends at once.
#[must_use]
pub fn slot_end(closed_at: Timestamp, evaluation_seconds: u32, slot: Duration, now: Timestamp) -> Timestamp {
    let length = slot.as_secs().min(u64::from(evaluation_seconds) / 4);
    let elapsed = now.unix().saturating_sub(closed_at.unix());
    match elapsed.div_ceil(length.max(1)).max(1) {
        _ if length == 0 => now,
        slots => closed_at.plus(slots.saturating_mul(length)),
    }
}

fn has_keys(campaign: &CampaignView, record: &CampaignRecord) -> bool {
    record.current(campaign).is_some_and(Slot::is_whole) && record.campaign_key && record.meter.is_some()
}

fn closed(campaign: &CampaignView, record: &CampaignRecord) -> CapsuleAction {
    if campaign.reason == CloseReason::CapsuleTimeout {
        return CapsuleAction::Done;
    }
    let Some(model) = record.current(campaign).filter(|slot| slot.model) else {
        return CapsuleAction::Lost(campaign.version());
    };
    match record.delivery {
        Some(delivery) if delivery.model == model.id => CapsuleAction::Finalize,
        _ => CapsuleAction::Deliver,
    }
}

impl<S: SecretStore + 'static, A: Artefacts, C: Chain> Worker<S, A, C> {
    /// The next action for the campaign. A settlement waits for the end of its slot first.
    pub fn next(&mut self, campaign: &CampaignView, now: Timestamp) -> CapsuleAction {
        let action = next(campaign, &self.record, now);
        if !matches!(action, CapsuleAction::SendSettlement(_)) {
            return action;
        }
        let window_hash = campaign.window_hash();
        let held = self.held.filter(|held| held.window_hash == window_hash).unwrap_or_else(|| {
            let (closed_at, seconds) = (campaign.window.closes_at, campaign.terms.evaluationSeconds);
            HeldSettlement { window_hash, until: slot_end(closed_at, seconds, self.tools.settlement_slot, now) }
        });
        self.held = Some(held);
        if now >= held.until { action } else { CapsuleAction::Wait(held.until) }
    }

    /// Decides on the next action and performs it.
    ///
    /// # Errors
    /// When the action was not completed.
    pub async fn step(
        &mut self,
        campaign: &CampaignView,
        own: Option<&CapsuleView>,
        now: Timestamp,
    ) -> (CapsuleAction, Result<(), WorkError>) {
        let action = self.next(campaign, now);
        let done = self.carry_out(&action, campaign, own, now).await;
        (action, done)
    }

    async fn carry_out(
        &mut self,
        action: &CapsuleAction,
        campaign: &CampaignView,
        own: Option<&CapsuleView>,
        now: Timestamp,
    ) -> Result<(), WorkError> {
        match action {
            CapsuleAction::Examine => self.examine(campaign, own, now).await,
            CapsuleAction::Activate => self.activate(campaign).await,
            CapsuleAction::Decline(reason) => self.decline(campaign, *reason).await,
            CapsuleAction::Evaluate(_) => self.evaluate(campaign).await,
            CapsuleAction::SendSettlement(_) => self.send_settlement(campaign).await,
            CapsuleAction::Close => Ok(self.tools.chain.close(&campaign.terms).await?),
            CapsuleAction::Deliver => self.deliver(campaign).await,
            CapsuleAction::Finalize => self.finalize(campaign).await,
            CapsuleAction::Release => Ok(self.tools.chain.release(&campaign.terms).await?),
            CapsuleAction::DestroySecrets(secrets) => self.destroy(secrets),
            CapsuleAction::Wait(_) | CapsuleAction::Done => Ok(()),
            CapsuleAction::Lost(version) if self.record.has_foreign_version(campaign) => {
                Err(WorkError::Foreign(*version))
            }
            CapsuleAction::Lost(version) => Err(WorkError::Lost(format!("keys of version {version}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settlements_are_sent_at_times_that_do_not_depend_on_the_evaluation() {
        let (closed_at, slot) = (Timestamp::from_unix(1_000), Duration::from_secs(30));
        let sent = |ready| slot_end(closed_at, 3_600, slot, Timestamp::from_unix(ready)).unix();
        for ready in [900, 1_000, 1_001, 1_029, 1_030] {
            assert_eq!(sent(ready), 1_030, "ready at {ready}");
        }
        for ready in [1_031, 1_059, 1_060] {
            assert_eq!(sent(ready), 1_060, "ready at {ready}");
        }
        // A slot that would make the Capsule late is shortened.
        assert_eq!(slot_end(closed_at, 40, slot, closed_at.plus(3_u32)).unix(), 1_010);
        assert_eq!(slot_end(closed_at, 3_600, Duration::ZERO, closed_at.plus(3_u32)).unix(), 1_003);
        assert_eq!(slot_end(closed_at, 3, slot, closed_at.plus(3_u32)).unix(), 1_003);
    }
}
