//! The fold of the contracts' confirmed events. All programs decide from this fold, so that they agree.
//!
//! With a snapshot in a program's home, the chain need not be read from its first block:
//!
//! | the chain | action |
//! | --- | --- |
//! | begins to be read, or was rolled back | The snapshot is the start, if the chain still has its block. The blocks that have become final since are folded in, and the snapshot is written again, so that the next start reads only later blocks. |
//! | grows | After a thousand blocks the world is copied, and written when its block is final. |
//!
//! A program that is killed at any moment finds a snapshot that is at most a few thousand blocks old.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use alloy::primitives::{Address, B256};
use sonar_contracts::Deployment;
use sonar_protocol::{
    event::{Batch, Head, Record},
    ids::CampaignId,
    view::{ViewError, World},
};
use tokio::task::{JoinError, spawn_blocking};

use super::{Client, Error, Follower};
use crate::snapshot::{Snapshot, SnapshotFile};

/// A snapshot is written again after this number of blocks, which can be read with one request.
const EVERY: u64 = 1_000;
/// Minimum time between two snapshots, because they may be large.
const PAUSE: Duration = Duration::from_secs(60);
/// Number of blocks that must follow before a block counts as final: two epochs of Ethereum.
const FINAL: u64 = 64;
/// Approximate number of events in memory at once while the past is read.
const PART_EVENTS: usize = 10_000;
/// Number of blocks that are read at once: initially, and at most while they have few events.
const PART_BLOCKS: (u64, u64) = (1_000, 100_000);

const WHAT: &str = "follow the chain";

/// A world that follows the chain.
#[derive(Debug)]
pub struct WorldReader {
    follower: Follower,
    world: World,
    // Last block of the snapshot that the world was started from.
    base: Option<u64>,
    snapshots: Option<Snapshots>,
}

/// Schedule of a reader's snapshots.
#[derive(Debug)]
struct Snapshots {
    file: SnapshotFile,
    // The world that is written once it is final.
    candidate: Option<Snapshot>,
    // The block from which the next snapshot is counted.
    written: Option<u64>,
    written_at: Option<Instant>,
}

impl WorldReader {
    /// Reads from the contracts' first block. Queries every `poll`; a block counts when `confirmations` blocks follow.
    #[must_use]
    pub fn new(client: Client, poll: Duration, confirmations: u64) -> Self {
        Self::onto(World::default(), client, poll, confirmations)
    }

    /// The same, but keeps only the part that `account` needs, see [`World::of`].
    #[must_use]
    pub fn of(account: Address, client: Client, poll: Duration, confirmations: u64) -> Self {
        Self::onto(World::of(account), client, poll, confirmations)
    }

    fn onto(world: World, client: Client, poll: Duration, confirmations: u64) -> Self {
        Self { follower: Follower::new(client, poll, confirmations), world, base: None, snapshots: None }
    }

    /// The same, starting from the snapshot in `home` if there is one. The snapshot is rewritten from time to time. The
    /// first batch, and a batch after a rollback, has only the events after the snapshot.
    #[must_use]
    pub fn with_snapshot(self, home: &Path) -> Self {
        let file = SnapshotFile::new(home.join("chain.snapshot"), self.subject());
        let follower = self.follower.with_snapshot(file.clone(), self.world.emptied());
        let snapshots = Snapshots { file, candidate: None, written: None, written_at: None };
        Self { follower, snapshots: Some(snapshots), ..self }
    }

    fn subject(&self) -> String {
        let Deployment { chain_id, campaigns, registry, block, .. } = self.follower.client().deployment();
        let contracts = format!("{campaigns} and {registry} on chain {chain_id} from block {block}");
        match self.world.scope() {
            Some(account) => format!("{contracts}, for {account}"),
            None => contracts,
        }
    }

    /// The world as read so far.
    #[must_use]
    pub fn world(&self) -> &World {
        &self.world
    }

    /// Waits until the next query is due, queries, and returns the new events. Nothing is lost if this is dropped while
    /// it waits.
    ///
    /// # Errors
    /// When the chain cannot be read. After inconsistent events, everything is read again.
    pub async fn next(&mut self) -> Result<Batch, Error> {
        let batch = self.follower.next().await?;
        self.absorb(batch)
    }

    /// The same at once, without waiting until a query is due.
    ///
    /// # Errors
    /// As `next`.
    pub async fn look_now(&mut self) -> Result<Batch, Error> {
        let batch = self.follower.look_now().await?;
        self.absorb(batch)
    }

    /// Reads up to the newest block.
    ///
    /// # Errors
    /// As `next`.
    pub async fn read(mut self) -> Result<World, Error> {
        self.look_now().await?;
        Ok(self.world)
    }

    /// The events of a campaign that are in the snapshot of the last restarted batch, and so not in the batch: from the
    /// campaign's first event to the end of the snapshot. Empty if there was no snapshot, or it does not have the
    /// campaign.
    ///
    /// # Errors
    /// When the chain cannot be read.
    pub async fn events_before_start(&self, id: CampaignId) -> Result<Vec<Record>, Error> {
        match (self.base, self.world.campaign(id)) {
            (Some(end), Some(campaign)) => self.follower.client().campaign_logs(id, campaign.opened.block, end).await,
            _ => Ok(Vec::new()),
        }
    }

    fn absorb(&mut self, batch: Batch) -> Result<Batch, Error> {
        if batch.restarted {
            let base = self.follower.take_base();
            self.base = base.as_ref().map(|snapshot| snapshot.block);
            self.world = base.map_or_else(|| self.world.emptied(), |snapshot| snapshot.world);
            self.snapshots.iter_mut().for_each(Snapshots::restart);
        }
        self.world.head = batch.head;
        match batch.records.iter().try_for_each(|record| self.world.apply(record)) {
            Ok(()) => {
                if let (Some(snapshots), Some(last)) = (&mut self.snapshots, self.follower.last()) {
                    snapshots.keep(&self.world, last);
                }
                Ok(batch)
            }
            Err(error) => {
                (self.world, self.base) = (self.world.emptied(), None);
                self.follower.start_anew();
                if let Some(snapshots) = &mut self.snapshots {
                    snapshots.restart();
                    snapshots.file.set_aside(&error);
                }
                Err(inconsistent(&error))
            }
        }
    }
}

impl Snapshots {
    fn restart(&mut self) {
        (self.candidate, self.written) = (None, None);
    }

    /// Copies the world if a snapshot is due, and writes the copy once it is final.
    fn keep(&mut self, world: &World, (block, hash): (u64, B256)) {
        // At the start, `resume` has just written a snapshot if it was worthwhile.
        let written = *self.written.get_or_insert(block);
        if let Some(snapshot) = self.candidate.take_if(|kept| kept.block.saturating_add(FINAL) <= world.head.number) {
            (self.written, self.written_at) = (Some(snapshot.block), Some(Instant::now()));
            let file = self.file.clone();
            spawn_blocking(move || write(&file, &snapshot));
        } else if self.candidate.is_none()
            && block >= written.saturating_add(EVERY)
            && self.written_at.is_none_or(|at| at.elapsed() >= PAUSE)
        {
            self.candidate = Some(Snapshot { block, hash, world: world.clone() });
        }
    }
}

impl Client {
    /// The world of all events that are followed by at least `confirmations` blocks; starts from the snapshot in
    /// `home`, if one is given.
    ///
    /// # Errors
    /// When the chain cannot be read, or its events are inconsistent.
    pub async fn world(&self, confirmations: u64, home: Option<&Path>) -> Result<World, Error> {
        let reader = WorldReader::new(self.clone(), Duration::ZERO, confirmations);
        match home {
            Some(home) => reader.with_snapshot(home).read().await,
            None => reader.read().await,
        }
    }
}

fn inconsistent(error: &ViewError) -> Error {
    Error::Nonsense { what: WHAT, reason: error.to_string() }
}

/// A failure is only logged, because a program works without a snapshot too.
fn write(file: &SnapshotFile, snapshot: &Snapshot) {
    match file.write(snapshot) {
        Ok(()) => tracing::debug!(block = snapshot.block, "the snapshot of the chain was written"),
        // A command must not create a home that does not exist.
        Err(error) if error.source.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => tracing::warn!("{error}; the next start reads more blocks"),
    }
}

impl Follower {
    /// The world at the block from which the chain is read: the snapshot plus the blocks that have become final since,
    /// which becomes the next snapshot. `None` if the chain must be read from its first block.
    pub(super) async fn resume(
        &self,
        file: &SnapshotFile,
        empty: &World,
        head: &Head,
        target: u64,
    ) -> Result<Option<Snapshot>, Error> {
        let found = self.find(file, target).await?;
        let next = found.as_ref().map_or(self.client().deployment().block, |snapshot| snapshot.block.saturating_add(1));
        let end = head.number.saturating_sub(FINAL).min(target);
        if end < next.saturating_add(EVERY) {
            return Ok(found);
        }
        let Some((hash, _)) = self.client().block(end).await? else {
            return Ok(found);
        };
        let is_from_file = found.is_some();
        let mut world = found.map_or_else(|| empty.clone(), |snapshot| snapshot.world);
        let (mut start, (mut blocks, most)) = (next, PART_BLOCKS);
        while start <= end {
            let last = end.min(start.saturating_add(blocks - 1));
            let records = self.client().logs(start, last).await?;
            records.iter().try_for_each(|record| world.apply(record)).map_err(|error| {
                if is_from_file {
                    file.set_aside(&error);
                }
                inconsistent(&error)
            })?;
            blocks = if records.len() > PART_EVENTS { (blocks / 2).max(1) } else { (blocks * 2).min(most) };
            start = last.saturating_add(1);
        }
        if !self.is_still(end, hash).await? {
            return Err(Error::Nonsense { what: WHAT, reason: "the chain changed while it was read".into() });
        }
        let snapshot = Snapshot { block: end, hash, world };
        let file = file.clone();
        let written = spawn_blocking(move || {
            write(&file, &snapshot);
            snapshot
        });
        Ok(Some(finished(written.await)))
    }

    /// The snapshot, if the chain still has its block.
    async fn find(&self, file: &SnapshotFile, target: u64) -> Result<Option<Snapshot>, Error> {
        let file = file.clone();
        let Some(snapshot) = finished(spawn_blocking(move || file.load()).await) else {
            return Ok(None);
        };
        if snapshot.block <= target && self.is_still(snapshot.block, snapshot.hash).await? {
            tracing::debug!(block = snapshot.block, "reading the chain from a snapshot");
            return Ok(Some(snapshot));
        }
        tracing::warn!(
            block = snapshot.block,
            "the chain does not have the block of the snapshot; reading it from its first block"
        );
        Ok(None)
    }
}

/// These tasks are never aborted, so a task that did not finish has panicked.
fn finished<T>(result: Result<T, JoinError>) -> T {
    result.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
}
