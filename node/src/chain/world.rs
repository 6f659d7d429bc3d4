//! The world of all campaigns, followed from a snapshot on.
//!
//! | the chain | what is done |
//! | --- | --- |
//! | begins to be read, or was rolled back | The snapshot is the start, if the chain still has its block. What became final since is folded in, and the snapshot is written again, so that the next start reads only what follows. |
//! | grows | After [`EVERY`] blocks the world is kept, and written when its block is final. |
//!
//! A program that is killed at any moment finds a snapshot that is some thousand blocks old, so stopping it needs no care.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use sonar_protocol::{
    event::{Batch, Head},
    view::{ViewError, World},
};
use tokio::task::{JoinError, spawn_blocking};

use super::{
    Client, Error,
    follower::Follower,
    snapshot::{Snapshot, SnapshotFile},
};

/// Blocks after which a snapshot is worth being written again: they are read with one request.
const EVERY: u64 = 1_000;
/// A snapshot is not written more often, however fast blocks come: it may be large.
const PAUSE: Duration = Duration::from_secs(60);
/// Blocks that must follow before a block counts as final: two epochs of Ethereum.
const FINAL: u64 = 64;
/// Blocks whose events are held in memory at a time while the past is read.
const PART: u64 = 50_000;

const WHAT: &str = "follow the chain";

/// A follower that keeps a world up to date, with a snapshot in a program's home.
#[derive(Debug)]
pub struct WorldFollower {
    follower: Follower,
    file: SnapshotFile,
    // What is written once it is final.
    candidate: Option<Snapshot>,
    // The block from which the next snapshot is counted.
    written: Option<u64>,
    written_at: Option<Instant>,
}

/// What happened since the last look, to be put into the world by [`WorldFollower::apply`].
#[derive(Debug)]
#[must_use]
pub struct Change {
    // What takes the place of the whole world.
    base: Option<World>,
    batch: Batch,
}

impl WorldFollower {
    /// Looks every `poll` at blocks that `confirmations` others follow. The snapshot is in `home`.
    #[must_use]
    pub fn new(client: Client, poll: Duration, confirmations: u64, home: &Path) -> Self {
        let file = SnapshotFile::new(home, client.deployment());
        let follower = Follower::new(client, poll, confirmations).with_snapshot(file.clone());
        Self { follower, file, candidate: None, written: None, written_at: None }
    }

    /// Waits until the next look is due, and looks.
    ///
    /// # Errors
    /// As [`Follower::next`].
    pub async fn next(&mut self) -> Result<Change, Error> {
        let batch = self.follower.next().await?;
        Ok(self.change(batch))
    }

    /// Looks at once, without waiting until it is due.
    ///
    /// # Errors
    /// As [`Follower::next`].
    pub async fn look_now(&mut self) -> Result<Change, Error> {
        let batch = self.follower.look_now().await?;
        Ok(self.change(batch))
    }

    fn change(&mut self, batch: Batch) -> Change {
        let base = batch.restarted.then(|| self.follower.take_base().unwrap_or_default());
        Change { base, batch: Batch { restarted: false, ..batch } }
    }

    /// Puts a change into the world that this follower has kept up to date so far.
    ///
    /// # Errors
    /// When the events do not follow from one another. The world is then empty, and everything is read anew with the next look,
    /// without the snapshot.
    pub fn apply(&mut self, change: Change, world: &mut World) -> Result<(), ViewError> {
        if let Some(base) = change.base {
            (*world, self.candidate, self.written) = (base, None, None);
        }
        let applied = world.absorb(&change.batch);
        match &applied {
            Ok(()) => self.keep(world),
            Err(error) => {
                (*world, self.candidate) = (World::default(), None);
                self.file.set_aside(error);
                self.follower.start_anew();
            }
        }
        applied
    }

    /// Keeps the world if a snapshot is due, and writes what was kept once it is final.
    fn keep(&mut self, world: &World) {
        let Some((block, hash)) = self.follower.last() else {
            return;
        };
        // After a start, `resume` has just written a snapshot if that was worth it.
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

/// The world as the chain shows it now, for a command that ends after it.
///
/// # Errors
/// When the chain cannot be read, or returned inconsistent events.
pub async fn read_world(client: &Client, confirmations: u64, home: &Path) -> Result<World, Error> {
    let mut follower = WorldFollower::new(client.clone(), Duration::ZERO, confirmations, home);
    let mut world = World::default();
    let change = follower.next().await?;
    follower.apply(change, &mut world).map_err(inconsistent)?;
    Ok(world)
}

#[allow(clippy::needless_pass_by_value)] // For `map_err`.
fn inconsistent(error: ViewError) -> Error {
    Error::Nonsense { what: WHAT, reason: error.to_string() }
}

/// A program works without a snapshot, too.
fn write(file: &SnapshotFile, snapshot: &Snapshot) {
    match file.write(snapshot) {
        Ok(()) => tracing::debug!(block = snapshot.block, "the snapshot of the chain was written"),
        Err(error) => tracing::warn!("{error}; the next start reads more of the chain"),
    }
}

impl Follower {
    /// The world at a block from which the chain is read on: from the snapshot and from what became final since, which is made the next
    /// snapshot. `None` when the chain has to be read from its first block.
    pub(super) async fn resume(
        &self,
        file: &SnapshotFile,
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
        let mut world = found.map(|snapshot| snapshot.world).unwrap_or_default();
        let mut start = next;
        while start <= end {
            let part = end.min(start.saturating_add(PART - 1));
            for record in self.client().logs(start, part).await? {
                world.apply(&record).map_err(|error| {
                    if is_from_file {
                        file.set_aside(&error);
                    }
                    inconsistent(error)
                })?;
            }
            start = part.saturating_add(1);
        }
        if !self.is_still(end, hash).await? {
            return Err(Error::Nonsense { what: WHAT, reason: "its past changed while it was read".into() });
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
            tracing::debug!(block = snapshot.block, "the chain is read from a snapshot on");
            return Ok(Some(snapshot));
        }
        tracing::warn!(
            block = snapshot.block,
            "the chain does not have the block of its snapshot; the chain is read from its first block"
        );
        Ok(None)
    }
}

/// Nobody aborts these tasks: one that did not finish panicked.
fn finished<T>(result: Result<T, JoinError>) -> T {
    result.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
}
