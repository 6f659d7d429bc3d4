//! The index's snapshot: the folded world in the server's home, so that a start folds only later events.
//!
//! It is used if the store still has its last block, and so the same events before it. It is written when the index has
//! caught up with the chain and has folded a thousand blocks since the last snapshot.

use std::{
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use sonar_node::snapshot::{Snapshot, SnapshotFile};
use sonar_protocol::view::World;
use tokio::{
    task::{JoinHandle, spawn_blocking},
    time::timeout,
};

use super::{ContractIdentity, EventStore, Position, StoreError};

/// A snapshot is written again after this number of blocks.
const EVERY: u64 = 1_000;
/// How long a stop waits for a snapshot.
const LONGEST_WRITE: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(super) struct Snapshots {
    file: SnapshotFile,
    /// Last block of the newest snapshot; `None` after that block was rolled back.
    written: Arc<Mutex<Option<u64>>>,
    writing: Mutex<Option<JoinHandle<()>>>,
}

impl Snapshots {
    pub(super) fn new(home: &Path, identity: ContractIdentity) -> Self {
        let subject = format!("index of {} on chain {}", identity.contract, identity.chain_id);
        let file = SnapshotFile::new(home.join("index.snapshot"), subject);
        Self { file, written: Arc::default(), writing: Mutex::default() }
    }

    /// The folded world, and the position of its last event.
    pub(super) async fn load(&self, store: &dyn EventStore) -> Result<Option<(World, Position)>, StoreError> {
        let file = self.file.clone();
        let loaded = spawn_blocking(move || file.load()).await.ok().flatten();
        let Some(Snapshot { block, hash, world }) = loaded else {
            return Ok(None);
        };
        if store.block_hash(block).await? != Some(hash) {
            tracing::debug!(block, "the index has another block than its snapshot; folding all events again");
            return Ok(None);
        }
        self.set_written(Some(block));
        Ok(Some((world, Position::end_of(block))))
    }

    /// Renames the unusable file, and logs the reason.
    pub(super) fn set_aside(&self, reason: impl std::fmt::Display) {
        self.file.set_aside(reason);
        self.set_written(None);
    }

    /// Whether a snapshot up to this block is due, and no other is being written.
    pub(super) fn is_due(&self, block: u64) -> bool {
        let is_free = self.writing().as_ref().is_none_or(JoinHandle::is_finished);
        is_free && block >= self.written().map_or(EVERY, |written| written.saturating_add(EVERY))
    }

    /// Handles a rollback of the blocks after `survivor`.
    pub(super) fn roll_back(&self, survivor: Option<u64>) {
        if self.written() > survivor {
            self.set_written(None);
        }
    }

    /// Writes a snapshot on another thread.
    pub(super) fn write(&self, snapshot: Snapshot) {
        self.set_written(Some(snapshot.block));
        let (file, written) = (self.file.clone(), Arc::clone(&self.written));
        let task = spawn_blocking(move || match file.write(&snapshot) {
            Ok(()) => tracing::debug!(block = snapshot.block, "wrote the snapshot of the index"),
            Err(error) => {
                tracing::warn!("{error}; the next start folds more events");
                let mut written = written.lock().unwrap_or_else(PoisonError::into_inner);
                written.take_if(|block| *block == snapshot.block);
            }
        });
        *self.writing() = Some(task);
    }

    /// Waits for the snapshot that is being written.
    pub(super) async fn finish(&self) {
        let task = self.writing().take();
        if let Some(task) = task
            && timeout(LONGEST_WRITE, task).await.is_err()
        {
            tracing::warn!("the snapshot of the index was not written in time; the next start folds more events");
        }
    }

    fn writing(&self) -> MutexGuard<'_, Option<JoinHandle<()>>> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn written(&self) -> Option<u64> {
        *self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_written(&self, block: Option<u64>) {
        *self.written.lock().unwrap_or_else(PoisonError::into_inner) = block;
    }
}
