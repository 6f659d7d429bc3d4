//! Training of a network in the clear: it may take long, so it is watched, goes on where a killed run stopped, and stops when nobody
//! wants it any more.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use sonar_protocol::{
    ids::{CampaignId, Version},
    method::Clear,
};
use syft::{Examples, Targets};
use syft_nets::{Delta, Model, Training};
use zeroize::Zeroizing;

use crate::store::{Store, StoreError};

const CHECKPOINT: &str = "training-";
/// A killed run loses no more work than this …
pub const BETWEEN_CHECKPOINTS: Duration = Duration::from_secs(1);
/// … or than this many times what keeping a checkpoint takes.
const SHARE: u32 = 20;

/// How far a training is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// The epoch under way, from one.
    pub epoch: u32,
    /// Epochs in all.
    pub epochs: u32,
    /// Steps that are done.
    pub step: u64,
    /// Steps in all.
    pub steps: u64,
}

impl From<syft_nets::TrainingProgress> for Progress {
    fn from(syft_nets::TrainingProgress { epoch, epochs, step, steps, .. }: syft_nets::TrainingProgress) -> Self {
        Self { epoch, epochs, step, steps }
    }
}

/// Whoever drops it does not want the training any more.
#[derive(Debug, Default)]
pub struct Leash(Held);

/// The other end of a leash.
#[derive(Clone, Debug, Default)]
pub struct Held(Arc<(AtomicBool, Mutex<Option<Progress>>)>);

impl Drop for Leash {
    fn drop(&mut self) {
        self.0.0.0.store(true, Ordering::Relaxed);
    }
}

impl Leash {
    /// The end for the training.
    #[must_use]
    pub fn hold(&self) -> Held {
        self.0.clone()
    }

    /// How far the training is that holds the other end, as a restart would find it.
    #[must_use]
    pub fn progress(&self) -> Option<Progress> {
        *self.0.0.1.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn is_dropped(&self) -> bool {
        self.0.0.load(Ordering::Relaxed)
    }

    fn tell(&self, progress: Progress) {
        *self.0.1.lock().unwrap_or_else(PoisonError::into_inner) = Some(progress);
    }
}

/// Why a training has no result.
#[derive(Debug, thiserror::Error)]
pub enum TrainingError {
    /// The data do not fit the network, or the training diverges.
    #[error(transparent)]
    Network(#[from] syft_nets::TrainingError),
    /// The store does not work.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Nobody wants it any more.
    #[error("the model changed before the update was made")]
    Outdated,
}

/// One training.
#[derive(Debug)]
pub struct Task<'a> {
    /// The campaign.
    pub campaign: CampaignId,
    /// The version.
    pub version: Version,
    /// How to train what.
    pub clear: &'a Clear,
    /// The published model.
    pub model: &'a Model,
    /// Its hash, from which the order of the examples follows.
    pub hash: [u8; 32],
    /// Whether anybody still wants it.
    pub held: &'a Held,
    /// Time between checkpoints.
    pub every: Duration,
}

impl Task<'_> {
    /// Trains, or goes on. What it leads to has the same bits however often it was killed.
    ///
    /// # Errors
    /// When the data do not fit, training diverges, the store does not work, or nobody wants it any more.
    pub fn run(&self, store: &dyn Store, examples: &Examples, targets: &Targets) -> Result<Delta, TrainingError> {
        let mut training = self.begin(store, examples, targets)?;
        // The first step is kept at once, so that its owner can see that it trains.
        let mut last: Option<Kept> = None;
        let mut epoch = training.progress().epoch;
        while let Some(progress) = training.step()? {
            if self.held.is_dropped() {
                return Err(TrainingError::Outdated);
            }
            if progress.epoch > epoch {
                tracing::info!(campaign = %self.campaign, version = %self.version, "epoch {epoch} of {} is done", progress.epochs);
                epoch = progress.epoch;
            }
            if last.as_ref().is_none_or(|last| last.at.elapsed() >= self.every.max(last.took * SHARE)) {
                last = Some(self.keep(store, &training)?);
            }
        }
        Ok(training.finish())
    }

    fn begin(&self, store: &dyn Store, examples: &Examples, targets: &Targets) -> Result<Training, TrainingError> {
        let name = name(self.campaign, self.version);
        let (raw, schedule) = (examples.features(), &self.clear.schedule);
        if !store.list(&name)?.is_empty() {
            let checkpoint = store.get(&name)?;
            // One of other data is of no use, and neither is one of another version of this program.
            if let Ok(training) = Training::resume(&checkpoint, self.model, schedule, raw, targets, self.hash) {
                let progress = training.progress();
                tracing::info!(
                    campaign = %self.campaign, version = %self.version, step = progress.step, steps = progress.steps,
                    "goes on with a training that was interrupted"
                );
                self.held.tell(progress.into());
                return Ok(training);
            }
        }
        Ok(Training::start(self.model, schedule, raw, targets, self.hash)?)
    }

    /// Keeps what a restart goes on from, and only then says how far it is.
    fn keep(&self, store: &dyn Store, training: &Training) -> Result<Kept, StoreError> {
        let begin = Instant::now();
        store.put(&name(self.campaign, self.version), &Zeroizing::new(training.checkpoint()))?;
        self.held.tell(training.progress().into());
        Ok(Kept { at: Instant::now(), took: begin.elapsed() })
    }
}

/// The last checkpoint.
struct Kept {
    at: Instant,
    took: Duration,
}

fn name(campaign: CampaignId, version: Version) -> String {
    format!("{CHECKPOINT}{campaign}-{version}")
}

/// Forgets the trainings that do not go on: their updates were made, or their models have changed.
///
/// # Errors
/// When the store does not work.
pub fn tidy(store: &dyn Store, goes_on: impl Fn(CampaignId, Version) -> bool) -> Result<(), StoreError> {
    for entry in store.list(CHECKPOINT)? {
        let known = entry[CHECKPOINT.len()..].rsplit_once('-').and_then(|(campaign, version)| {
            Some((campaign.parse::<CampaignId>().ok()?, Version(version.parse().ok()?)))
        });
        if known.is_none_or(|(campaign, version)| !goes_on(campaign, version)) {
            store.remove(&entry)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Memory;
    use std::collections::BTreeMap;
    use syft::{Matrix, Task as Asked};
    use syft_nets::{Input, NetworkKind, Release, Schedule};

    const HASH: [u8; 32] = [7; 32];

    fn examples(rows: usize) -> Examples {
        let raw = Matrix::new(rows, 2, (0..rows * 2).map(|i| (i * 37 % 101) as f64 / 101.0).collect()).unwrap();
        let classes = (0..rows).map(|row| usize::from(raw.row(row)[0] > raw.row(row)[1])).collect();
        Examples::new(raw, Targets::Classes(classes)).unwrap()
    }

    fn clear() -> Clear {
        let input = Input::fit(examples(100).features(), &[(0.0, 1.0); 2], None).unwrap();
        let network = NetworkKind::Mlp(vec![8]).network(input, 2).unwrap();
        let task = Asked::Classification { classes: vec!["no".into(), "yes".into()] };
        let schedule = Schedule { epochs: 3, ..Schedule::default_for(&network, &task) };
        Clear { network, seed: 1, schedule, release: Release::default() }
    }

    /// A store under a process that is killed after so many writes.
    struct Dying<'a> {
        store: &'a Memory,
        leash: Mutex<(usize, Option<Leash>)>,
    }

    impl Store for Dying<'_> {
        fn put(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
            let mut leash = self.leash.lock().unwrap();
            leash.0 -= 1;
            if leash.0 == 0 {
                leash.1 = None;
            }
            self.store.put(name, bytes)
        }

        fn get(&self, name: &str) -> Result<Zeroizing<Vec<u8>>, StoreError> {
            self.store.get(name)
        }

        fn remove(&self, name: &str) -> Result<(), StoreError> {
            self.store.remove(name)
        }

        fn list(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
            self.store.list(prefix)
        }
    }

    /// Runs until the store was written to so often, or to the end.
    fn run(store: &Memory, writes: usize, rows: usize) -> (Option<Progress>, Result<Delta, TrainingError>) {
        run_with(store, writes, rows, Duration::ZERO)
    }

    fn run_with(
        store: &Memory,
        writes: usize,
        rows: usize,
        every: Duration,
    ) -> (Option<Progress>, Result<Delta, TrainingError>) {
        let (clear, leash, examples) = (clear(), Leash::default(), examples(rows));
        let held = leash.hold();
        let store = Dying { store, leash: Mutex::new((writes, Some(leash))) };
        let task = Task {
            campaign: CampaignId::from([1; 32]),
            version: Version(2),
            clear: &clear,
            model: &clear.initial(),
            hash: HASH,
            held: &held,
            every,
        };
        let result = task.run(&store, &examples, examples.targets());
        (*held.0.1.lock().unwrap(), result)
    }

    #[test]
    fn however_often_it_is_killed_it_leads_to_the_same_bits() {
        let expected = run(&Memory::default(), usize::MAX, 100).1.unwrap();
        let store = Memory::default();
        let mut seen = BTreeMap::new();
        let delta = loop {
            let (progress, result) = run(&store, 1, 100);
            seen.insert(progress.unwrap().step, progress);
            match result {
                Err(TrainingError::Outdated) => {}
                done => break done.unwrap(),
            }
        };
        assert_eq!(delta, expected);
        assert!(seen.len() > 4, "it was killed within epochs: {seen:?}");
    }

    #[test]
    fn its_owner_sees_that_it_trains_from_the_first_step() {
        let (progress, result) = run_with(&Memory::default(), usize::MAX, 100, Duration::MAX);
        result.unwrap();
        assert_eq!(progress.unwrap().step, 1);
    }

    #[test]
    fn a_checkpoint_of_other_data_is_of_no_use() {
        let store = Memory::default();
        assert!(matches!(run(&store, 1, 100).1, Err(TrainingError::Outdated)));
        let expected = run(&Memory::default(), usize::MAX, 60).1.unwrap();
        assert_eq!(run(&store, usize::MAX, 60).1.unwrap(), expected);
    }

    #[test]
    fn only_what_goes_on_is_kept() {
        let store = Memory::default();
        let id = |n| CampaignId::from([n; 32]);
        for (campaign, version) in [(1, 1), (1, 2), (2, 1)] {
            store.put(&name(id(campaign), Version(version)), b"x").unwrap();
        }
        tidy(&store, |campaign, version| (campaign, version) == (id(1), Version(2))).unwrap();
        assert_eq!(store.list("").unwrap(), [name(id(1), Version(2))]);
    }
}
