//! What to do next about a campaign: a pure function of the chain, the Capsule's own record and the time.

use sonar_contracts::{CloseReason, Outcome, State, Submission, window_hash};
use sonar_protocol::{
    ids::{Version, WindowIndex},
    refusal::Refusal,
    view::{CampaignView, SettledWindow},
};

use crate::record::{Decision, Record, Settlement, Slot, SlotId};

/// The next thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Open the bundle and decide whether to run the campaign.
    Examine,
    /// Send the activation.
    Activate,
    /// Send the refusal.
    Decline(u8),
    /// Evaluate a window that is closed.
    Evaluate(WindowIndex),
    /// The chain forgot the block that the next version's keys are bound to: make them anew.
    RenewMaterial(WindowIndex),
    /// Send what a window led to.
    SendSettlement(WindowIndex),
    /// Close the campaign: its deadline has passed.
    Close,
    /// Seal the finished model to the data scientist.
    Deliver,
    /// Send the delivery.
    Finalize,
    /// Free the stake: the time for the audit is over.
    Release,
    /// Destroy secrets that nothing needs any more.
    DestroySecrets(Vec<Secret>),
    /// Nothing until this unix time, or until something happens.
    Wait(u64),
    /// Nothing ever again.
    Done,
    /// The Capsule does not have what it needs: its files were lost or are older than the chain.
    Lost(Version),
}

impl Action {
    /// Its name in logs.
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

/// Something that only the Capsule has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Secret {
    /// Where it is.
    pub slot: SlotId,
    /// What it is.
    pub kind: SecretKind,
}

/// What is secret about a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SecretKind {
    /// The seed of its keys.
    Seed,
    /// The model.
    Model,
}

/// The next thing to do.
#[must_use]
pub fn next(campaign: &CampaignView, record: &Record, now: u64) -> Action {
    let dead = dead_secrets(campaign, record);
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

fn finalized(campaign: &CampaignView, now: u64) -> Action {
    let end = campaign.changed_at.saturating_add(campaign.terms.audit.period.into());
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

fn proposed(campaign: &CampaignView, record: &Record, now: u64) -> Action {
    let decision = record.decision(campaign.opened.block_hash);
    if let Some(Decision::Decline { reason }) = decision {
        return Action::Decline(reason);
    }
    if now >= campaign.terms.deadline {
        return Action::Decline(Refusal::TooLate as u8);
    }
    decision.map_or(Action::Examine, |_| Action::Activate)
}

fn open(campaign: &CampaignView, record: &Record, now: u64) -> Action {
    let window = &campaign.window;
    if window.submissions.is_empty() {
        return if now >= campaign.terms.deadline { Action::Close } else { Action::Wait(campaign.terms.deadline) };
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

/// Whether the next version's keys, if there is one, are bound to the block that everybody expects.
fn is_bound(campaign: &CampaignView, record: &Record, settlement: &Settlement) -> bool {
    settlement.next.is_none() || record.slot(settlement.model).is_some_and(|slot| slot.beacon == campaign.next_beacon())
}

fn has_keys(campaign: &CampaignView, record: &Record) -> bool {
    current(campaign, record).is_some_and(Slot::is_whole) && record.meter.is_some()
}

fn closed(campaign: &CampaignView, record: &Record) -> Action {
    if campaign.reason == CloseReason::CapsuleTimeout {
        return Action::Done;
    }
    let Some(model) = final_model(campaign, record).filter(|slot| slot.model) else {
        return Action::Lost(campaign.version());
    };
    match record.delivery {
        Some(delivery) if delivery.model == model.id => Action::Finalize,
        _ => Action::Deliver,
    }
}

/// The slot of the version that the chain has.
#[must_use]
pub fn current<'r>(campaign: &CampaignView, record: &'r Record) -> Option<&'r Slot> {
    record.published(campaign.material()?)
}

/// The best model of a campaign whose windows are all settled.
#[must_use]
pub fn final_model<'r>(campaign: &CampaignView, record: &'r Record) -> Option<&'r Slot> {
    let last = campaign
        .settled
        .last()
        .and_then(|window| record.settlement(window.index, settled_hash(campaign, window)))
        // With a next version, the chain says which of the slots it is.
        .filter(|settlement| settlement.next.is_none());
    match last {
        Some(settlement) => record.slot(settlement.model),
        // A record from before the last settlement does not have the model that this led to.
        None if improved_last(campaign) => None,
        None => current(campaign, record),
    }
}

/// Whether the last window improved the model that was published last, and ended the campaign.
fn improved_last(campaign: &CampaignView) -> bool {
    campaign.settled.last().is_some_and(|window| {
        let accepted = |outcome: &Outcome| matches!(outcome, Outcome::Accepted(_));
        window.version == campaign.version()
            && window.submissions.iter().any(|submission| accepted(&submission.outcome))
    })
}

fn settled_hash(campaign: &CampaignView, window: &SettledWindow) -> alloy::primitives::B256 {
    let submissions: Vec<_> = window
        .submissions
        .iter()
        .map(|submission| Submission { miner: submission.miner, content: submission.content.into() })
        .collect();
    window_hash(campaign.id.into(), window.version.0, window.index.0, &submissions)
}

/// Secrets that exist though nothing needs them any more: what the chain says is final, because only confirmed blocks
/// are read.
fn dead_secrets(campaign: &CampaignView, record: &Record) -> Vec<Secret> {
    let last = final_model(campaign, record).map(|slot| slot.id);
    let needed = |slot: &Slot| match campaign.state {
        State::None => (true, true),
        State::Proposed => (true, true),
        State::Open => {
            let alive = slot.version > campaign.version() || slot.material() == campaign.material();
            (alive, alive)
        }
        State::Closed => {
            let delivered = campaign.reason != CloseReason::CapsuleTimeout;
            (false, delivered && last.is_none_or(|last| last == slot.id))
        }
        State::Finalized | State::Refunded => (false, false),
    };
    let mut dead = Vec::new();
    for slot in &record.slots {
        let (seed, model) = needed(slot);
        for (exists, needed, kind) in [(slot.seed, seed, SecretKind::Seed), (slot.model, model, SecretKind::Model)] {
            if exists && !needed {
                dead.push(Secret { slot: slot.id, kind });
            }
        }
    }
    dead
}
