//! The log of steps: what the Mine did last, for its owner. Steps that ended are in the vault, so the log survives a
//! restart.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use sonar_node::{
    files::FileError,
    vault::{SecretStore, VaultError},
};
use sonar_protocol::{
    ids::{CampaignId, Version},
    units::Timestamp,
};

use crate::reasons::Trouble;

/// Name of the log in the vault.
const STEPS: &str = "steps";
/// Number of steps that are kept.
pub const KEPT_STEPS: usize = 200;

/// The last steps of the Mine, in the order of their start.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StepLog(VecDeque<StepRecord>);

/// A step of a campaign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepRecord {
    /// The campaign.
    pub campaign: CampaignId,
    /// Version of the model at its start.
    pub version: Version,
    /// Name of the step, such as `train`.
    pub step: String,
    /// When it was started or queued, by the clock of this machine.
    pub started: Timestamp,
    /// When it ended; `None` while it runs.
    pub ended: Option<Timestamp>,
    /// Number of starts in a row of this step, from 1.
    pub attempt: u32,
    /// Why it failed.
    pub error: Option<Trouble>,
}

/// State of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    /// It runs, or waits for a free slot.
    Running,
    /// It succeeded.
    Done,
    /// It failed, and will be retried.
    Failed,
    /// The Mine stopped before it ended; the next run repeats it.
    Stopped,
}

impl StepRecord {
    /// Its state.
    #[must_use]
    pub fn state(&self) -> StepState {
        match (&self.error, self.ended) {
            (Some(Trouble::Stopped { .. }), _) => StepState::Stopped,
            (Some(_), _) => StepState::Failed,
            (None, Some(_)) => StepState::Done,
            (None, None) => StepState::Running,
        }
    }
}

impl StepLog {
    /// Reads the log; empty before the first run.
    pub(super) fn load(store: &dyn SecretStore) -> Result<Self, VaultError> {
        let written = store.find(STEPS)?;
        // A log of an older version of the program counts as empty.
        Ok(written.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default())
    }

    /// Writes the steps that have ended.
    pub(super) fn persist(&self, store: &dyn SecretStore) -> Result<(), VaultError> {
        let ended: Vec<_> = self.0.iter().filter(|record| record.ended.is_some()).collect();
        let bytes =
            serde_json::to_vec(&ended).map_err(|error| FileError::new("encode", STEPS.as_ref())(error.into()))?;
        store.put(STEPS, &bytes)
    }

    /// Adds a step, and drops the oldest one that has ended if there are too many.
    pub(super) fn start(&mut self, record: StepRecord) {
        if self.0.len() >= KEPT_STEPS
            && let Some(oldest) = self.0.iter().position(|record| record.ended.is_some())
        {
            self.0.remove(oldest);
        }
        self.0.push_back(record);
    }

    /// Notes the end of the running step of a campaign.
    pub(super) fn end(&mut self, campaign: CampaignId, now: Timestamp, error: Option<Trouble>) {
        let is_its = |record: &&mut StepRecord| record.campaign == campaign && record.ended.is_none();
        if let Some(record) = self.0.iter_mut().rev().find(is_its) {
            record.ended = Some(now);
            record.error = error;
        }
    }

    /// The steps, newest first.
    pub fn newest_first(&self) -> impl Iterator<Item = &StepRecord> {
        self.0.iter().rev()
    }

    /// The steps that are running.
    pub fn running(&self) -> impl Iterator<Item = &StepRecord> {
        self.0.iter().filter(|record| record.state() == StepState::Running)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Memory;

    const fn at(seconds: u64) -> Timestamp {
        Timestamp::from_unix(seconds)
    }

    fn record(campaign: u8, started: u64) -> StepRecord {
        StepRecord {
            campaign: [campaign; 32].into(),
            version: Version(1),
            step: "train".into(),
            started: at(started),
            ended: None,
            attempt: 1,
            error: None,
        }
    }

    #[test]
    fn a_step_runs_and_ends_in_one_way() {
        let mut log = StepLog::default();
        let states = |log: &StepLog| log.newest_first().map(StepRecord::state).collect::<Vec<_>>();
        log.start(record(1, 1));
        log.start(record(2, 2));
        assert_eq!(states(&log), [StepState::Running; 2]);
        log.end([1; 32].into(), at(5), None);
        log.end([2; 32].into(), at(6), Some(Trouble::Ipfs { detail: "nobody has it".into() }));
        log.start(record(2, 7));
        log.end([2; 32].into(), at(8), Some(Trouble::Stopped { step: "train".into() }));
        assert_eq!(states(&log), [StepState::Stopped, StepState::Failed, StepState::Done]);
        assert_eq!(log.running().count(), 0);
        // An end without a start changes nothing.
        log.end([2; 32].into(), at(9), None);
        assert_eq!(states(&log), [StepState::Stopped, StepState::Failed, StepState::Done]);
    }

    #[test]
    fn the_last_200_are_kept_and_running_ones_are_never_dropped() {
        let mut log = StepLog::default();
        log.start(record(0, 0));
        for number in 1..500 {
            log.start(record(1, number));
            log.end([1; 32].into(), at(number), None);
        }
        assert_eq!(log.0.len(), KEPT_STEPS);
        assert_eq!(log.newest_first().next().unwrap().started, at(499));
        assert_eq!(log.running().next().unwrap().campaign, [0; 32].into());
    }

    #[test]
    fn what_has_ended_survives_a_restart() {
        let store = Memory::default();
        let mut log = StepLog::default();
        log.start(record(1, 1));
        log.end([1; 32].into(), at(2), Some(Trouble::TimedOut { step: "train".into(), seconds: 1 }));
        log.start(record(2, 3));
        log.persist(&store).unwrap();
        let read = StepLog::load(&store).unwrap();
        assert_eq!(read.newest_first().collect::<Vec<_>>(), [&log.0[0]]);
        store.put(STEPS, b"of another version").unwrap();
        assert_eq!(StepLog::load(&store).unwrap(), StepLog::default());
    }
}
