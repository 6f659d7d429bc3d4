//! The index: a copy of the contract's events in SQLite, and their fold in memory.
//!
//! What the API answers is [`World`], the same pure fold of events that Capsule and Mines use, so it equals what the
//! chain says. The database only saves reading the chain again: without it, with a damaged one, or after the chain
//! was rolled back, the index is made anew from the chain.

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
pub use store::{BlockRef, Filter, Identity, NotAPosition, Opened, Position, Store, StoreError, Stored};

use sonar_protocol::{
    event::Record,
    view::{Undo, ViewError, World},
};

/// Blocks that are read at once.
const BATCH_BLOCKS: u64 = 2_000;
/// Events that are read from the database at once.
const PAGE: u32 = 1_000;
/// Appended batches that a rollback can take back without reading the whole database.
const UNDO_BATCHES: usize = 256;
/// How often a long catching up is reported.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(2);

/// Where events come from: the chain, or a made-up one in tests.
pub trait Source: Send + Sync {
    /// The newest block.
    fn head(&self) -> impl Future<Output = Result<BlockRef, SourceError>> + Send;
    /// A block of the present chain; `None` if the chain is shorter.
    fn block(&self, number: u64) -> impl Future<Output = Result<Option<BlockRef>, SourceError>> + Send;
    /// The contract's events in these blocks, in order.
    fn events(&self, from: u64, to: u64) -> impl Future<Output = Result<Vec<Record>, SourceError>> + Send;
}

/// The chain did not answer.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SourceError(pub Box<dyn std::error::Error + Send + Sync>);

/// Why the index cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// The chain did not answer; it may later.
    #[error("cannot read the chain: {0}")]
    Chain(#[from] SourceError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The chain told a history that cannot be.
    #[error("the chain's events make no sense: {0}")]
    View(#[from] ViewError),
    /// An event has no JSON form, or what the database holds is none.
    #[error("event {position} cannot be stored or read: {source}")]
    Event {
        /// Which.
        position: Position,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

/// How far the index is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// The newest indexed block.
    pub indexed: Option<BlockRef>,
    /// The newest block that should be indexed.
    pub wanted: Option<u64>,
    /// The newest block of the chain, as far as it was seen.
    pub head: Option<BlockRef>,
    /// How often the chain was rolled back since the program started.
    pub rollbacks: usize,
}

impl Progress {
    /// Whether everything that can be indexed is.
    #[must_use]
    pub fn caught_up(&self) -> bool {
        match self.wanted {
            Some(wanted) => self.indexed.is_some_and(|indexed| indexed.number >= wanted),
            // A chain that is younger than the contracts' confirmations has nothing to index.
            None => self.head.is_some(),
        }
    }
}

/// The fold, and what happened to it.
#[derive(Debug, Default)]
struct State {
    world: World,
    /// The newest batches, oldest first.
    undo: VecDeque<UndoBatch>,
    /// The newest block whose events cannot be taken back.
    undo_floor: Option<u64>,
    /// Per rollback, the newest block that survived it.
    rollbacks: Vec<Option<u64>>,
}

/// How to take back the events of the blocks after `before`, up to `end`.
#[derive(Debug)]
struct UndoBatch {
    before: Option<u64>,
    end: u64,
    undo: Undo,
}

impl State {
    fn remember(&mut self, batch: UndoBatch) {
        self.undo.push_back(batch);
        if self.undo.len() > UNDO_BATCHES
            && let Some(oldest) = self.undo.pop_front()
        {
            self.undo_floor = Some(oldest.end);
        }
    }

    /// The world without events after block `common`, how many batches were taken back for it, and the newest block
    /// whose events it holds for certain. `None` if that reaches further back than is remembered.
    fn rewound(&self, common: Option<u64>) -> Option<(World, usize, Option<u64>)> {
        if common < self.undo_floor {
            return None;
        }
        let mut world = self.world.clone();
        let (mut reverted, mut complete) = (0, common);
        for batch in self.undo.iter().rev().take_while(|batch| Some(batch.end) > common) {
            world.revert(&batch.undo);
            reverted += 1;
            complete = batch.before.min(common);
        }
        Some((world, reverted, complete))
    }
}

/// The indexed facts, for any number of readers.
#[derive(Debug)]
pub struct Index {
    store: Store,
    state: RwLock<State>,
    progress: watch::Sender<Progress>,
}

impl Index {
    /// Opens the index at `path` and folds what it holds.
    ///
    /// # Errors
    /// The file cannot be made. A damaged one is replaced.
    pub async fn open(path: &Path, identity: Identity) -> Result<(Arc<Self>, Opened), IndexError> {
        let (store, mut opened) = Store::open(path, identity).await?;
        let mut world = World::default();
        match fold_after(&mut world, &store, None).await {
            Ok(()) => {}
            Err(error) => {
                store.truncate_after(None).await?;
                opened = Opened::Replaced(error.to_string());
                world = World::default();
            }
        }
        let progress = Progress { indexed: store.tip().await?, ..Progress::default() };
        let index = Self {
            store,
            state: RwLock::new(State {
                world,
                undo_floor: progress.indexed.map(|block| block.number),
                ..State::default()
            }),
            progress: watch::Sender::new(progress),
        };
        Ok((Arc::new(index), opened))
    }

    /// The events on disk.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Calls `read` with the fold of all indexed events.
    pub fn read<T>(&self, read: impl FnOnce(&World) -> T) -> T {
        read(&self.locked().world)
    }

    fn locked(&self) -> RwLockReadGuard<'_, State> {
        // Writers replace whole values, so a panic elsewhere cannot have left half of one.
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.write().unwrap_or_else(PoisonError::into_inner));
    }

    /// How far the index is, and a signal when that changes.
    #[must_use]
    pub fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }

    /// How often the chain was rolled back since the program started.
    #[must_use]
    pub fn rollbacks(&self) -> usize {
        self.locked().rollbacks.len()
    }

    /// The newest block that survived all rollbacks after the first `seen` ones; `None` if there were no more.
    #[must_use]
    pub fn rolled_back_since(&self, seen: usize) -> Option<Option<u64>> {
        self.locked().rollbacks.get(seen..).and_then(|after| after.iter().min().copied())
    }
}

/// Applies the stored events after a position.
async fn fold_after(world: &mut World, store: &Store, mut after: Option<Position>) -> Result<(), IndexError> {
    loop {
        let page = store.events(&Filter::default(), after, PAGE).await?;
        let Some(last) = page.last() else {
            return Ok(());
        };
        after = Some(last.position);
        for record in &page {
            world.apply(&parse(record)?)?;
        }
    }
}

fn store_form(record: &Record) -> Result<Stored, IndexError> {
    let position = Position { block: record.at.block, log: record.at.index };
    Stored::new(record).map_err(|source| IndexError::Event { position, source })
}

fn parse(stored: &Stored) -> Result<Record, IndexError> {
    stored.record().map_err(|source| IndexError::Event { position: stored.position, source })
}

/// The one writer of an index.
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

    /// Indexes until there is nothing more to index for now.
    ///
    /// # Errors
    /// The chain does not answer (try again later), or the database failed.
    pub async fn catch_up(&mut self) -> Result<(), IndexError> {
        while !self.step().await? {}
        Ok(())
    }

    /// One batch; true if nothing is left for now.
    async fn step(&mut self) -> Result<bool, IndexError> {
        let head = self.source.head().await?;
        let tip = self.surviving_tip().await?;
        let wanted = head.number.checked_sub(self.confirmations).filter(|&block| block >= self.first_block);
        let from = tip.map_or(self.first_block, |tip| tip.number + 1);
        let to = wanted.filter(|&to| to >= from).map(|to| to.min(from.saturating_add(BATCH_BLOCKS - 1)));
        let mut indexed = tip;
        if let Some(to) = to {
            // The hash is asked for before the events: if the chain changes in between, the hash is that of the old
            // chain, and the next step finds that it is gone.
            let Some(block) = self.source.block(to).await? else {
                return Ok(false);
            };
            let records = self.source.events(from, to).await?;
            self.append(&records, tip.map(|tip| tip.number), block).await?;
            indexed = Some(block);
        }
        let done = indexed.map(|block| block.number) >= wanted;
        self.publish(Progress { indexed, wanted, head: Some(head), rollbacks: 0 });
        self.report(indexed, wanted, done);
        Ok(done)
    }

    async fn append(&self, records: &[Record], before: Option<u64>, block: BlockRef) -> Result<(), IndexError> {
        let stored = records.iter().map(store_form).collect::<Result<Vec<_>, _>>()?;
        if stored.is_empty() {
            return Ok(self.index.store.append(&[], block).await?);
        }
        // Staged, so that events that do not follow from one another change nothing. Only this task writes, so what was
        // staged still fits after the database has answered.
        let staged = self.index.read(|world| world.stage(records))?;
        self.index.store.append(&stored, block).await?;
        self.index.change(|state| {
            let undo = state.world.commit(staged);
            state.remember(UndoBatch { before, end: block.number, undo });
        });
        Ok(())
    }

    /// The newest indexed block, after forgetting blocks that the chain does not have any more.
    async fn surviving_tip(&self) -> Result<Option<BlockRef>, IndexError> {
        let Some(tip) = self.index.store.tip().await? else {
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
        let survivor = common.map(|block| block.number);
        self.index.store.truncate_after(survivor).await?;
        let rewound = self.index.locked().rewound(survivor);
        let (mut world, reverted, complete) = rewound.unwrap_or_else(|| (World::default(), usize::MAX, None));
        // A batch may begin before the common block and end after it: its first part is read again.
        fold_after(&mut world, &self.index.store, complete.map(Position::end_of)).await?;
        self.index.change(|state| {
            state.world = world;
            state.undo.truncate(state.undo.len().saturating_sub(reverted));
            if complete != survivor {
                // What was read again cannot be taken back.
                state.undo_floor = survivor;
            }
            state.rollbacks.push(survivor);
        });
        Ok(common)
    }

    async fn common_ancestor(&self) -> Result<Option<BlockRef>, IndexError> {
        let blocks = self.index.store.newest_blocks(u32::MAX).await?;
        // Newest first: those that are gone come before those that exist.
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

    fn publish(&self, progress: Progress) {
        let progress = Progress { rollbacks: self.index.rollbacks(), ..progress };
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
