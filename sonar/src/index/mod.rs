//! The index: a copy of the contract's events in a database, and their fold in memory.
//!
//! The API answers from [`World`], the same pure fold of events that Capsule and Mines use, so it agrees with the
//! chain. The database only saves reading the chain again: if it is missing or damaged, the index is rebuilt from the
//! chain. A snapshot of the world (`snapshot`) saves folding all of the database at each start.
//!
//! Several servers may share a PostgreSQL database. The server with the lease follows the chain and writes; each server
//! folds the stored events into its own world and answers from it:
//!
//! ```text
//!            lease free or own                        lease of another server
//!   step ──▶ read the database, follow the chain,     read the database ──▶ wait, read again each second
//!            append or roll back; renew meanwhile
//!              │ chain does not answer ──▶ release the lease, wait, step again
//!              │ lease lost ──▶ nothing was appended; step again
//! ```

mod snapshot;
mod store;

use std::{
    collections::VecDeque,
    future::Future,
    path::Path,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard},
    time::{Duration, Instant},
};

use tokio::sync::watch;

pub(crate) use store::put_aside;
pub use store::{
    BlockRef, Body, Changes, ContractIdentity, Database, DatabaseUrl, EventStore, Filter, InvalidDatabaseUrl, Lease,
    NotAPosition, OpenOutcome, Position, Rollback, StoreError, StoredEvent,
};

use self::snapshot::Snapshots;
use sonar_node::snapshot::Snapshot;
use sonar_protocol::{
    event::Record,
    view::{StagedChanges, Undo, ViewError, World},
};

/// Blocks per query of the chain.
const BATCH_BLOCKS: u64 = 2_000;
/// Events per query of the database.
const PAGE: u32 = 1_000;
/// A rollback of up to this number of blocks is undone without reading the database from its beginning.
const UNDO_BLOCKS: u64 = 256;
/// How often a server reads what others have written to a shared database, and renews its lease. Well below the time
/// after which the lease expires.
const SHARED_POLL: Duration = Duration::from_secs(1);
/// How often the progress of a long catch-up is logged.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(2);

/// Source of events: the chain, or a simulated chain in tests.
pub trait Source: Send + Sync {
    /// The newest block.
    fn head(&self) -> impl Future<Output = Result<BlockRef, SourceError>> + Send;
    /// A block of the current chain; `None` if the chain is shorter.
    fn block(&self, number: u64) -> impl Future<Output = Result<Option<BlockRef>, SourceError>> + Send;
    /// The contract's events in these blocks, in order.
    fn events(&self, from: u64, to: u64) -> impl Future<Output = Result<Vec<Record>, SourceError>> + Send;
}

/// The chain did not answer.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SourceError(pub Box<dyn std::error::Error + Send + Sync>);

/// Why the index cannot continue.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// The chain did not answer; retry later.
    #[error("cannot read the chain: {0}")]
    Chain(#[from] SourceError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The chain returned inconsistent events.
    #[error("the chain returned inconsistent events: {0}")]
    View(#[from] ViewError),
    /// An event has no JSON form, or the stored JSON is not an event.
    #[error("event {position} cannot be stored or read: {source}")]
    Event {
        /// Which.
        position: Position,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

impl IndexError {
    /// Whether the stored content is unusable; otherwise a retry may help.
    fn is_damage(&self) -> bool {
        match self {
            Self::View(_) | Self::Event { .. } => true,
            Self::Store(StoreError::Database { source, .. }) => {
                matches!(source, sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. })
            }
            Self::Chain(_) | Self::Store(StoreError::Unreachable { .. } | StoreError::LeaseLost) => false,
        }
    }
}

/// Progress of the index.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IndexProgress {
    /// The newest indexed block.
    pub indexed: Option<BlockRef>,
    /// The newest block that should be indexed.
    pub wanted: Option<u64>,
    /// The newest block of the chain that this server has seen.
    pub head: Option<BlockRef>,
    /// Number of rollbacks of the chain since the program started.
    pub rollbacks: usize,
    /// Whether this server follows the chain itself; otherwise it reads what another server has indexed.
    pub follows: bool,
}

impl IndexProgress {
    /// Whether every confirmed block is indexed.
    #[must_use]
    pub fn caught_up(&self) -> bool {
        match self.wanted {
            Some(wanted) => self.indexed.is_some_and(|indexed| indexed.number >= wanted),
            // A chain shorter than the number of confirmations has nothing to index.
            None => self.head.is_some(),
        }
    }
}

/// The fold, with what is needed to undo its newest batches.
#[derive(Debug, Default)]
struct State {
    world: World,
    /// Position of the newest event in the world, which has all stored events up to here.
    cursor: Option<Position>,
    /// Number of the newest rollback that the world has applied.
    seen: u64,
    /// The batches that can be undone, oldest first.
    undo: VecDeque<UndoBatch>,
    /// The newest block whose events cannot be undone.
    undo_floor: Option<u64>,
    /// Per rollback that this server has seen, the newest block that survived it.
    rollbacks: Vec<Option<u64>>,
}

/// How to undo the events after `before`, up to block `end`.
#[derive(Debug)]
struct UndoBatch {
    before: Option<Position>,
    end: u64,
    undo: Undo,
}

/// The result of undoing batches.
#[derive(Debug, Default)]
struct RewoundWorld {
    world: World,
    cursor: Option<Position>,
    /// Number of batches that were undone.
    batches: usize,
}

impl State {
    fn commit(&mut self, staged: StagedChanges, last: Position) {
        let undo = self.world.commit(staged);
        self.undo.push_back(UndoBatch { before: self.cursor, end: last.block, undo });
        self.cursor = Some(last);
        // Undo information is a copy of each campaign that the batch changes, so none is kept while the index catches
        // up with a long history.
        while let Some(oldest) = self.undo.pop_front_if(|oldest| oldest.end + UNDO_BLOCKS <= last.block) {
            self.undo_floor = Some(oldest.end);
        }
    }

    /// The world without events after block `common`; an empty world if that is further back than the batches reach.
    fn rewound(&self, common: Option<u64>) -> RewoundWorld {
        if common < self.undo_floor {
            return RewoundWorld { batches: self.undo.len(), ..RewoundWorld::default() };
        }
        let mut rewound = RewoundWorld { world: self.world.clone(), cursor: self.cursor, batches: 0 };
        for batch in self.undo.iter().rev().take_while(|batch| Some(batch.end) > common) {
            rewound.world.revert(&batch.undo);
            rewound.cursor = batch.before;
            rewound.batches += 1;
        }
        rewound
    }
}

/// The index, shared by any number of readers.
#[derive(Debug)]
pub struct Index {
    store: Arc<dyn EventStore>,
    snapshots: Snapshots,
    state: RwLock<State>,
    progress: watch::Sender<IndexProgress>,
}

impl Index {
    /// Opens a contract's index and folds its events, starting from the snapshot in `home` if there is one.
    ///
    /// # Errors
    /// The file cannot be created, or the database refuses or does not answer. A damaged file is replaced. Inconsistent
    /// events in a shared database are read from the chain again, unless another server holds the lease.
    pub async fn open(
        database: &Database,
        identity: ContractIdentity,
        home: &Path,
    ) -> Result<(Arc<Self>, OpenOutcome), IndexError> {
        let (store, mut opened) = database.events(identity).await?;
        let snapshots = Snapshots::new(home, identity);
        let (state, tip) = match folded(&*store, &snapshots).await {
            Ok(folded) => folded,
            Err(error) if store.is_shared() && !error.is_damage() => return Err(error),
            Err(error) => {
                // Another server holds the lease, and only that server may remove events.
                let Some(lease) = store.lease().await? else {
                    return Err(error);
                };
                store.truncate_after(lease, None).await?;
                opened = OpenOutcome::Replaced(error.to_string());
                folded(&*store, &snapshots).await?
            }
        };
        let progress = IndexProgress { indexed: tip, ..IndexProgress::default() };
        let index = Self { store, snapshots, state: RwLock::new(state), progress: watch::Sender::new(progress) };
        Ok((Arc::new(index), opened))
    }

    /// The stored events.
    #[must_use]
    pub fn store(&self) -> &dyn EventStore {
        &*self.store
    }

    /// Calls `read` with the fold of all indexed events, under a read lock.
    pub fn read<T>(&self, read: impl FnOnce(&World) -> T) -> T {
        read(&self.locked().world)
    }

    /// The same, with the number of the newest block in the fold; 0 before the first.
    pub fn read_at<T>(&self, read: impl FnOnce(&World, u64) -> T) -> T {
        let state = self.locked();
        let indexed = self.progress.borrow().indexed.map(|block| block.number);
        // A batch is in the fold before its last block is published as indexed.
        let block = indexed.max(state.cursor.map(|cursor| cursor.block)).unwrap_or(0);
        read(&state.world, block)
    }

    fn locked(&self) -> RwLockReadGuard<'_, State> {
        // Writers replace whole values, so a panic elsewhere cannot have left half of one.
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.write().unwrap_or_else(PoisonError::into_inner));
    }

    /// Progress of the index, with a signal when it changes.
    #[must_use]
    pub fn progress(&self) -> watch::Receiver<IndexProgress> {
        self.progress.subscribe()
    }

    /// Number of rollbacks of the chain since the program started.
    #[must_use]
    pub fn rollbacks(&self) -> usize {
        self.locked().rollbacks.len()
    }

    /// The newest block that survived all rollbacks after the first `seen`; `None` if there were no more.
    #[must_use]
    pub fn rolled_back_since(&self, seen: usize) -> Option<Option<u64>> {
        self.locked().rollbacks.get(seen..).and_then(|after| after.iter().min().copied())
    }

    /// Brings the world up to date with the store, to which other servers may have written; returns the newest indexed
    /// block.
    async fn sync(&self) -> Result<Option<BlockRef>, IndexError> {
        loop {
            let (seen, cursor) = {
                let state = self.locked();
                (state.seen, state.cursor)
            };
            let changes = self.store.changes(seen, cursor, PAGE).await?;
            if !changes.rollbacks.is_empty() {
                self.rewind(&changes.rollbacks).await?;
                continue;
            }
            if let Some(last) = changes.records.last() {
                let records = changes.records.iter().map(parse).collect::<Result<Vec<_>, _>>()?;
                let staged = self.read(|world| world.stage(&records))?;
                self.change(|state| state.commit(staged, last.position));
            }
            if changes.is_last(PAGE) {
                return Ok(changes.tip);
            }
        }
    }

    /// Writes a snapshot of the world if the next start would otherwise fold many events.
    async fn keep_snapshot(&self) -> Result<(), IndexError> {
        let (seen, cursor, world) = {
            let state = self.locked();
            match state.cursor {
                Some(cursor) if self.snapshots.is_due(cursor.block) => (state.seen, cursor, state.world.clone()),
                _ => return Ok(()),
            }
        };
        let block = cursor.block;
        // An interrupted reader may have folded only a part of the block.
        let next = self.store.events(&Filter::default(), Some(cursor), 1).await?;
        if next.first().is_some_and(|event| event.position.block == block) {
            return Ok(());
        }
        // Without a rollback in between, the world has the events up to the store's block.
        if let Some(hash) = self.store.block_hash(block).await?
            && self.store.last_rollback().await? == seen
        {
            self.snapshots.write(Snapshot { block, hash, world });
        }
        Ok(())
    }

    /// Writes the snapshot, if one is due, and closes the store.
    pub async fn close(&self) {
        if let Err(error) = self.keep_snapshot().await {
            tracing::warn!("{error}; the next start folds more events");
        }
        self.snapshots.finish().await;
        self.store.close().await;
    }

    /// Rolls the world back to the newest block that survived. This is done on a copy, so that readers see one history
    /// or the other.
    async fn rewind(&self, rollbacks: &[Rollback]) -> Result<(), IndexError> {
        let survivor = rollbacks.iter().map(|rollback| rollback.survivor).min().flatten();
        let seen = rollbacks.last().map_or(0, |rollback| rollback.number);
        self.snapshots.roll_back(survivor);
        let RewoundWorld { mut world, mut cursor, batches } = self.locked().rewound(survivor);
        // A batch may begin before the surviving block and end after it: its first part is read again.
        let before = cursor;
        if let Some(survivor) = survivor
            && fold(&*self.store, seen, &mut world, &mut cursor, survivor).await?.is_none()
        {
            // Rolled back once more: the next call applies both.
            return Ok(());
        }
        self.change(|state| {
            state.world = world;
            state.undo.truncate(state.undo.len().saturating_sub(batches));
            if cursor != before || state.undo_floor > survivor {
                // What was read again cannot be undone.
                state.undo_floor = survivor;
            }
            state.cursor = cursor;
            state.seen = seen;
            state.rollbacks.push(survivor);
        });
        Ok(())
    }
}

/// The world of all stored events, and the newest indexed block.
async fn folded(store: &dyn EventStore, snapshots: &Snapshots) -> Result<(State, Option<BlockRef>), IndexError> {
    loop {
        // Read first, so that a rollback after the comparison of snapshot and store is detected.
        let mut state = State { seen: store.last_rollback().await?, ..State::default() };
        let snapshot = snapshots.load(store).await?;
        let has_snapshot = snapshot.is_some();
        if let Some((world, end)) = snapshot {
            (state.world, state.cursor) = (world, Some(end));
        }
        match fold(store, state.seen, &mut state.world, &mut state.cursor, u64::MAX).await {
            Ok(Some(tip)) => {
                state.undo_floor = state.cursor.map(|cursor| cursor.block);
                return Ok((state, tip));
            }
            Ok(None) => {}
            Err(error) if has_snapshot && error.is_damage() => snapshots.set_aside(error),
            Err(error) => return Err(error),
        }
    }
}

/// Applies the stored events after `cursor`, up to block `end`; returns the newest block. `None` if the store was rolled
/// back meanwhile.
async fn fold(
    store: &dyn EventStore,
    seen: u64,
    world: &mut World,
    cursor: &mut Option<Position>,
    end: u64,
) -> Result<Option<Option<BlockRef>>, IndexError> {
    loop {
        let changes = store.changes(seen, *cursor, PAGE).await?;
        if !changes.rollbacks.is_empty() {
            return Ok(None);
        }
        let wanted = changes.records.iter().take_while(|record| record.position.block <= end);
        for record in wanted.clone() {
            world.apply(&parse(record)?)?;
            *cursor = Some(record.position);
        }
        if changes.is_last(PAGE) || wanted.count() < changes.records.len() {
            return Ok(Some(changes.tip));
        }
    }
}

/// Renews a lease until it is lost.
async fn keep(store: &dyn EventStore, lease: Lease) -> StoreError {
    loop {
        tokio::time::sleep(SHARED_POLL).await;
        match store.lease().await {
            Ok(renewed) if renewed == Some(lease) => {}
            Ok(_) => return StoreError::LeaseLost,
            Err(error) => return error,
        }
    }
}

fn store_form(record: &Record) -> Result<StoredEvent, IndexError> {
    let position = Position { block: record.at.block, log: record.at.index };
    StoredEvent::new(record).map_err(|source| IndexError::Event { position, source })
}

fn parse(stored: &StoredEvent) -> Result<Record, IndexError> {
    stored.record().map_err(|source| IndexError::Event { position: stored.position, source })
}

/// Keeps the index in step with the chain: writes to the store while it has the lease, and otherwise reads what the
/// server with the lease writes.
#[derive(Debug)]
pub struct Indexer<S> {
    index: Arc<Index>,
    source: S,
    first_block: u64,
    confirmations: u64,
    reported: Instant,
}

impl<S: Source> Indexer<S> {
    /// `first_block` is where the contract was deployed; the newest `confirmations` blocks are not indexed yet.
    pub fn new(index: Arc<Index>, source: S, first_block: u64, confirmations: u64) -> Self {
        Self { index, source, first_block, confirmations, reported: Instant::now() }
    }

    /// Indexes until all confirmed blocks are indexed.
    ///
    /// # Errors
    /// The chain does not answer (retry later), or the database failed. Another server may then follow the chain.
    pub async fn catch_up(&mut self) -> Result<(), IndexError> {
        loop {
            match self.step().await {
                Ok(true) => return self.index.keep_snapshot().await,
                Ok(false) => {}
                Err(IndexError::Store(StoreError::LeaseLost)) => tracing::warn!("{}", StoreError::LeaseLost),
                Err(error) => {
                    self.resign().await;
                    return Err(error);
                }
            }
        }
    }

    /// Waits before the next query of the chain, and reads a shared store meanwhile. With `lead`, returns early when
    /// this server obtains the lease; without, it leaves the lease to others.
    ///
    /// # Errors
    /// The database failed.
    pub async fn rest(&self, time: Duration, lead: bool) -> Result<(), IndexError> {
        let end = Instant::now() + time;
        let store = self.index.store();
        if !store.is_shared() {
            tokio::time::sleep(time).await;
            return Ok(());
        }
        loop {
            let left = end.saturating_duration_since(Instant::now());
            tokio::time::sleep(left.min(SHARED_POLL)).await;
            if left <= SHARED_POLL {
                return Ok(());
            }
            let follows = lead && store.lease().await?.is_some();
            let indexed = self.index.sync().await?;
            let before = *self.index.progress.borrow();
            self.publish(IndexProgress { indexed, follows, ..before });
            if follows && !before.follows {
                return Ok(());
            }
        }
    }

    async fn resign(&self) {
        let progress = *self.index.progress.borrow();
        self.publish(IndexProgress { follows: false, ..progress });
        if let Err(error) = self.index.store.resign().await {
            tracing::warn!(%error, "cannot release the lease; other servers wait until it expires");
        }
    }

    /// One batch; true if nothing is left for now.
    async fn step(&mut self) -> Result<bool, IndexError> {
        // Queried first: a server that cannot reach the chain must not hold the lease.
        let head = self.source.head().await?;
        let store = Arc::clone(&self.index.store);
        let Some(lease) = store.lease().await? else {
            let indexed = self.index.sync().await?;
            self.publish(IndexProgress { indexed, follows: false, ..self.progress_at(head) });
            return Ok(true);
        };
        tokio::select! {
            done = self.advance(lease, head) => done,
            lost = keep(&*store, lease) => Err(lost.into()),
        }
    }

    fn progress_at(&self, head: BlockRef) -> IndexProgress {
        let wanted = head.number.checked_sub(self.confirmations).filter(|&block| block >= self.first_block);
        IndexProgress { wanted, head: Some(head), ..IndexProgress::default() }
    }

    /// May be cancelled at any await when the lease is lost; the next step folds what is stored by then.
    async fn advance(&mut self, lease: Lease, head: BlockRef) -> Result<bool, IndexError> {
        let tip = self.index.sync().await?;
        let tip = self.surviving_tip(lease, tip).await?;
        let progress = self.progress_at(head);
        let wanted = progress.wanted;
        let from = tip.map_or(self.first_block, |tip| tip.number + 1);
        let to = wanted.filter(|&to| to >= from).map(|to| to.min(from.saturating_add(BATCH_BLOCKS - 1)));
        let mut indexed = tip;
        if let Some(to) = to {
            // The hash is read before the events: if the chain changes in between, the hash is that of the old chain,
            // and the next step detects that it is gone.
            let Some(block) = self.source.block(to).await? else {
                return Ok(false);
            };
            let records = self.source.events(from, to).await?;
            self.append(lease, &records, block).await?;
            indexed = Some(block);
        }
        let done = indexed.map(|block| block.number) >= wanted;
        self.publish(IndexProgress { indexed, follows: true, ..progress });
        self.report(indexed, wanted, done);
        Ok(done)
    }

    async fn append(&self, lease: Lease, records: &[Record], block: BlockRef) -> Result<(), IndexError> {
        let stored = records.iter().map(store_form).collect::<Result<Vec<_>, _>>()?;
        let Some(last) = stored.last() else {
            return Ok(self.index.store.append(lease, &[], block).await?);
        };
        // Staged, so that inconsistent events change nothing. Only this task writes, so what was staged still fits
        // after the database has answered.
        let staged = self.index.read(|world| world.stage(records))?;
        self.index.store.append(lease, &stored, block).await?;
        self.index.change(|state| state.commit(staged, last.position));
        Ok(())
    }

    /// Removes indexed blocks that are no longer on the chain; returns the newest indexed block.
    async fn surviving_tip(&self, lease: Lease, tip: Option<BlockRef>) -> Result<Option<BlockRef>, IndexError> {
        let Some(tip) = tip else {
            return Ok(None);
        };
        if self.exists(tip).await? {
            return Ok(Some(tip));
        }
        let common = self.common_ancestor().await?;
        tracing::warn!(
            from = tip.number,
            to = common.map_or(self.first_block, |block| block.number),
            "the chain was rolled back; indexing again from the last common block"
        );
        self.index.store.truncate_after(lease, common.map(|block| block.number)).await?;
        self.index.sync().await
    }

    async fn common_ancestor(&self) -> Result<Option<BlockRef>, IndexError> {
        let blocks = self.index.store.newest_blocks(u32::MAX).await?;
        // Newest first: blocks that are gone come before those that exist.
        let (mut gone, mut unknown) = (0, blocks.len());
        while gone < unknown {
            let middle = gone.midpoint(unknown);
            if self.exists(blocks[middle]).await? {
                unknown = middle;
            } else {
                gone = middle + 1;
            }
        }
        Ok(blocks.get(gone).copied())
    }

    async fn exists(&self, block: BlockRef) -> Result<bool, IndexError> {
        Ok(self.source.block(block.number).await?.is_some_and(|present| present.hash == block.hash))
    }

    fn publish(&self, progress: IndexProgress) {
        let progress = IndexProgress { rollbacks: self.index.rollbacks(), ..progress };
        self.index.progress.send_if_modified(|old| {
            let modified = *old != progress;
            *old = progress;
            modified
        });
    }

    fn report(&mut self, indexed: Option<BlockRef>, wanted: Option<u64>, done: bool) {
        let (Some(indexed), Some(wanted)) = (indexed, wanted) else {
            return;
        };
        if done || self.reported.elapsed() < PROGRESS_INTERVAL {
            return;
        }
        self.reported = Instant::now();
        let percent = (indexed.number - self.first_block) * 100 / (wanted - self.first_block).max(1);
        tracing::info!("indexing the chain: block {} of {wanted} ({percent} %)", indexed.number);
    }
}

#[cfg(test)]
mod tests;
