//! Long trainings: they write checkpoints, resume where a killed run stopped, and stop when their update is no longer
//! needed.

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use sonar_node::vault::{SecretStore, VaultError};
use sonar_protocol::{
    families::{ModelFile, TrainError, TrainingStopped, TrainingWatch},
    ids::{CampaignId, Version},
};
use syft_nets::TrainingProgress;

use crate::work::UpdateFailure;

const CHECKPOINT: &str = "training-";
/// A killed run loses at most this much work, …
const BETWEEN_CHECKPOINTS: Duration = Duration::from_secs(1);
/// … or this many times the duration of writing a checkpoint.
const SHARE: u32 = 20;

/// Progress of a training.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrainingStatus {
    /// Current epoch, from 1.
    pub epoch: u32,
    /// Total number of epochs.
    pub epochs: u32,
    /// Number of finished steps.
    pub step: u64,
    /// Total number of steps.
    pub steps: u64,
}

impl From<syft_nets::TrainingProgress> for TrainingStatus {
    fn from(syft_nets::TrainingProgress { epoch, epochs, step, steps, .. }: syft_nets::TrainingProgress) -> Self {
        Self { epoch, epochs, step, steps }
    }
}

/// Cancels its training when it is dropped.
#[derive(Debug, Default)]
pub struct TrainingGuard(TrainingSignal);

/// The training's end of a [`TrainingGuard`]: whether the training is cancelled, and where it reports its progress.
#[derive(Clone, Debug, Default)]
pub struct TrainingSignal(Arc<(AtomicBool, Mutex<Option<TrainingStatus>>)>);

impl Drop for TrainingGuard {
    fn drop(&mut self) {
        self.0.0.0.store(true, Ordering::Relaxed);
    }
}

impl TrainingGuard {
    /// The training's end.
    #[must_use]
    pub fn signal(&self) -> TrainingSignal {
        self.0.clone()
    }

    /// Progress of the training as of its last checkpoint.
    #[must_use]
    pub fn progress(&self) -> Option<TrainingStatus> {
        *self.0.0.1.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TrainingSignal {
    fn is_cancelled(&self) -> bool {
        self.0.0.load(Ordering::Relaxed)
    }

    fn report(&self, progress: TrainingStatus) {
        *self.0.1.lock().unwrap_or_else(PoisonError::into_inner) = Some(progress);
    }
}

/// Creates the monitor of the training for one update.
pub struct Watch<'a> {
    store: &'a dyn SecretStore,
    campaign: CampaignId,
    version: Version,
    signal: &'a TrainingSignal,
    /// Time between checkpoints.
    every: Duration,
    last: Option<Checkpoint>,
    epoch: u32,
    trained: Option<Instant>,
    trouble: Option<VaultError>,
}

impl fmt::Debug for Watch<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { campaign, version, epoch, .. } = self;
        f.debug_struct("Watch")
            .field("campaign", campaign)
            .field("version", version)
            .field("epoch", epoch)
            .finish_non_exhaustive()
    }
}

impl<'a> Watch<'a> {
    /// Writes checkpoints to the store, until the training is cancelled.
    #[must_use]
    pub fn new(store: &'a dyn SecretStore, campaign: CampaignId, version: Version, signal: &'a TrainingSignal) -> Self {
        let every = BETWEEN_CHECKPOINTS;
        Self { store, campaign, version, signal, every, last: None, epoch: 1, trained: None, trouble: None }
    }

    /// When the training ended; now if it has not.
    #[must_use]
    pub fn trained_at(&self) -> Instant {
        self.trained.unwrap_or_else(Instant::now)
    }

    /// Why the training ended without an update.
    #[must_use]
    pub fn explain(self, error: TrainError) -> UpdateFailure {
        match (error, self.trouble) {
            (TrainError::Family(error), _) => error.into(),
            (TrainError::Stopped(_), Some(trouble)) => trouble.into(),
            (TrainError::Stopped(_), None) => UpdateFailure::Outdated,
        }
    }

    fn try_checkpoint(&self) -> Result<Option<ModelFile>, VaultError> {
        self.store.find(&name(self.campaign, self.version))
    }

    /// Writes a checkpoint, and only then reports the progress.
    fn keep(&self, progress: TrainingProgress, checkpoint: &ModelFile) -> Result<Checkpoint, VaultError> {
        let begin = Instant::now();
        self.store.put(&name(self.campaign, self.version), checkpoint)?;
        self.signal.report(progress.into());
        Ok(Checkpoint { at: Instant::now(), took: begin.elapsed() })
    }

    fn stop(&mut self, trouble: VaultError) -> TrainingStopped {
        self.trouble = Some(trouble);
        TrainingStopped
    }
}

impl TrainingWatch for Watch<'_> {
    fn checkpoint(&mut self) -> Result<Option<ModelFile>, TrainingStopped> {
        self.try_checkpoint().map_err(|trouble| self.stop(trouble))
    }

    fn resumed(&mut self, progress: TrainingProgress) {
        tracing::info!(
            campaign = %self.campaign, version = %self.version, step = progress.step, steps = progress.steps,
            "resuming an interrupted training"
        );
        self.epoch = progress.epoch;
        self.signal.report(progress.into());
    }

    fn step(&mut self, progress: TrainingProgress, checkpoint: &dyn Fn() -> ModelFile) -> Result<(), TrainingStopped> {
        if self.signal.is_cancelled() {
            return Err(TrainingStopped);
        }
        if progress.epoch > self.epoch {
            let (epoch, epochs) = (self.epoch, progress.epochs);
            tracing::info!(campaign = %self.campaign, version = %self.version, "epoch {epoch} of {epochs} is done");
            self.epoch = progress.epoch;
        }
        // The first step is written at once, so that `mine status` shows the training.
        if self.last.as_ref().is_none_or(|last| last.at.elapsed() >= self.every.max(last.took * SHARE)) {
            self.last = Some(self.keep(progress, &checkpoint()).map_err(|trouble| self.stop(trouble))?);
        }
        Ok(())
    }

    fn trained(&mut self) {
        self.trained = Some(Instant::now());
    }
}

/// The last checkpoint.
struct Checkpoint {
    at: Instant,
    took: Duration,
}

fn name(campaign: CampaignId, version: Version) -> String {
    format!("{CHECKPOINT}{campaign}-{version}")
}

/// Removes checkpoints of trainings that do not continue: their updates were made, or their models have changed.
///
/// # Errors
/// When the store fails.
pub fn tidy(store: &dyn SecretStore, goes_on: impl Fn(CampaignId, Version) -> bool) -> Result<(), VaultError> {
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
    use sonar_protocol::families::{Clear, Family as _, TrainingTask, plain_network};
    use std::collections::BTreeMap;
    use syft::{Binding, Examples, Matrix, Targets, Task as Asked};
    use syft_nets::{Input, NetworkKind, Release, Schedule};
    use zeroize::Zeroizing;

    const BINDING: Binding = Binding { chain_id: 1, contract: [0; 20], campaign: [1; 32], version: 2, beacon: [0; 32] };

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

    /// A store of a process that is killed after this number of writes.
    struct MortalStore<'a> {
        store: &'a Memory,
        guard: Mutex<(usize, Option<TrainingGuard>)>,
    }

    impl SecretStore for MortalStore<'_> {
        fn put(&self, name: &str, bytes: &[u8]) -> Result<(), VaultError> {
            let mut guard = self.guard.lock().unwrap();
            guard.0 -= 1;
            if guard.0 == 0 {
                guard.1 = None;
            }
            self.store.put(name, bytes)
        }

        fn get(&self, name: &str) -> Result<Zeroizing<Vec<u8>>, VaultError> {
            self.store.get(name)
        }

        fn remove(&self, name: &str) -> Result<(), VaultError> {
            self.store.remove(name)
        }

        fn list(&self, prefix: &str) -> Result<Vec<String>, VaultError> {
            self.store.list(prefix)
        }
    }

    /// Runs until this number of writes to the store, or to the end.
    fn run(store: &Memory, writes: usize, rows: usize) -> (Option<TrainingStatus>, Result<Vec<u8>, UpdateFailure>) {
        run_with(store, writes, rows, Duration::ZERO)
    }

    fn run_with(
        store: &Memory,
        writes: usize,
        rows: usize,
        every: Duration,
    ) -> (Option<TrainingStatus>, Result<Vec<u8>, UpdateFailure>) {
        let (clear, guard, examples) = (clear(), TrainingGuard::default(), examples(rows));
        let signal = guard.signal();
        let store = MortalStore { store, guard: Mutex::new((writes, Some(guard))) };
        let model = clear.open(&plain_network(&clear.initial()).unwrap(), &BINDING).unwrap();
        let mut watch = Watch { every, ..Watch::new(&store, CampaignId::from([1; 32]), Version(2), &signal) };
        let coins = &mut rand::rng();
        let targets = examples.targets();
        let task = TrainingTask { examples: &examples, targets, cost: None, coins, watch: &mut watch };
        let update = model.train(task).map_err(|error| watch.explain(error));
        (*signal.0.1.lock().unwrap(), update)
    }

    #[test]
    fn however_often_it_is_killed_it_leads_to_the_same_bits() {
        let expected = run(&Memory::default(), usize::MAX, 100).1.unwrap();
        let store = Memory::default();
        let mut seen = BTreeMap::new();
        let update = loop {
            let (progress, result) = run(&store, 1, 100);
            seen.insert(progress.unwrap().step, progress);
            match result {
                Err(UpdateFailure::Outdated) => {}
                done => break done.unwrap(),
            }
        };
        assert_eq!(update, expected);
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
        assert!(matches!(run(&store, 1, 100).1, Err(UpdateFailure::Outdated)));
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
