//! The index over both kinds of store, and servers that share one.

use std::{
    path::PathBuf,
    sync::{Mutex, MutexGuard},
};

use alloy::primitives::{Address, B256, keccak256};
use sonar_contracts::Terms;

use super::*;
use sonar_protocol::{
    event::{Event, LogPosition},
    handover::Published,
    ids::{CampaignId, Digest, Version, WindowIndex},
    statistics::{Day, StatisticsReport},
    units::{Amount, Timestamp},
    view::CampaignView,
};
use syft::Ppm;

const IDENTITY: ContractIdentity = ContractIdentity { chain_id: 31337, contract: Address::repeat_byte(1) };
const FIRST: u64 = 3;

/// A chain that tests write: block `n` holds the events at index `n`.
#[derive(Debug, Default)]
struct Chain {
    blocks: Mutex<Vec<(B256, Vec<Event>)>>,
    silent: Mutex<bool>,
}

impl Chain {
    fn blocks(&self) -> MutexGuard<'_, Vec<(B256, Vec<Event>)>> {
        self.blocks.lock().unwrap()
    }

    /// Adds a block; `salt` tells branches apart.
    fn mine(&self, salt: u8, events: Vec<Event>) {
        let mut blocks = self.blocks();
        let parent = blocks.last().map_or(B256::ZERO, |(hash, _)| *hash);
        let hash = keccak256([parent.as_slice(), &[salt]].concat());
        blocks.push((hash, events));
    }

    fn block_ref(&self, number: u64) -> Option<BlockRef> {
        self.blocks().get(number as usize).map(|&(hash, _)| {
            let time = Timestamp::from_unix(100 + number);
            BlockRef { number, hash, time }
        })
    }
}

impl Source for Arc<Chain> {
    async fn head(&self) -> Result<BlockRef, SourceError> {
        if *self.silent.lock().unwrap() {
            return Err(SourceError("no answer".into()));
        }
        let last = self.blocks().len() as u64 - 1;
        Ok(self.block_ref(last).unwrap())
    }

    async fn block(&self, number: u64) -> Result<Option<BlockRef>, SourceError> {
        Ok(self.block_ref(number))
    }

    async fn events(&self, from: u64, to: u64) -> Result<Vec<Record>, SourceError> {
        let mut records = Vec::new();
        for number in from..=to {
            let block = self.block_ref(number).unwrap();
            for (index, event) in (0..).zip(self.blocks()[number as usize].1.clone()) {
                let at = LogPosition {
                    block: number,
                    block_hash: block.hash,
                    timestamp: block.time,
                    transaction: keccak256(block.hash),
                    index,
                };
                records.push(Record { at, event });
            }
        }
        Ok(records)
    }
}

fn id(salt: u8) -> CampaignId {
    CampaignId(B256::repeat_byte(salt))
}

fn opened(salt: u8) -> Event {
    let terms = Terms { bounty: 1000, gridPpm: 5000, windowSize: 2, deadline: 10_000, ..Terms::default() };
    Event::Opened { id: id(salt), terms: Box::new(terms.try_into().unwrap()), window_start: B256::ZERO }
}

fn activated(salt: u8) -> Event {
    Event::Activated {
        id: id(salt),
        start_ppm: Ppm::of(1, 10),
        first: Published { material: Digest([salt; 32]), root: B256::ZERO, handover: B256::ZERO },
        certificate: Digest([9; 32]),
    }
}

/// Where a test keeps its index.
struct Place {
    database: Database,
    home: tempfile::TempDir,
}

impl Place {
    fn file() -> Self {
        let home = tempfile::tempdir().unwrap();
        Self { database: Database::Directory(home.path().to_owned()), home }
    }

    /// `None` where PostgreSQL is not installed.
    fn shared() -> Option<Self> {
        let url = testkit::postgres::database()?;
        Some(Self { database: Database::Postgres(url.parse().unwrap()), home: tempfile::tempdir().unwrap() })
    }

    fn snapshot(&self) -> PathBuf {
        self.home.path().join("index.snapshot")
    }

    /// The snapshot, once it is another than `before`. It is written by another thread.
    async fn written(&self, before: Option<&[u8]>) -> Vec<u8> {
        let changes = async {
            loop {
                match std::fs::read(self.snapshot()) {
                    Ok(bytes) if Some(bytes.as_slice()) != before => return bytes,
                    _ => tokio::task::yield_now().await,
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(30), changes).await.unwrap()
    }

    async fn write_snapshot(&self, snapshot: Snapshot) {
        let before = std::fs::read(self.snapshot()).unwrap();
        Snapshots::new(self.home.path(), IDENTITY).write(snapshot);
        self.written(Some(&before)).await;
    }

    async fn open(&self) -> (Arc<Index>, OpenOutcome) {
        Index::open(&self.database, IDENTITY, self.home.path()).await.unwrap()
    }
}

macro_rules! over_both_stores {
    ($($test:ident)*) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $test() {
                super::$test(super::Place::file()).await;
            })*
        }

        mod postgres {
            $(#[tokio::test]
            async fn $test() {
                if let Some(place) = super::Place::shared() {
                    super::$test(place).await;
                }
            })*
        }
    };
}

over_both_stores! {
    a_rebuilt_index_equals_one_that_was_kept
    a_rolled_back_chain_is_indexed_again_from_the_common_block
    a_short_rollback_takes_back_only_what_came_after_the_common_block
    a_rollback_into_the_middle_of_a_batch_keeps_its_first_part
    another_chain_with_nothing_in_common_replaces_everything
    blocks_are_indexed_when_enough_others_follow
    a_silent_chain_changes_nothing_and_is_read_on_later
    a_history_that_cannot_be_is_not_stored
    a_block_copies_only_the_campaigns_that_it_changes
    a_start_folds_only_the_events_after_the_snapshot
    a_snapshot_whose_block_is_gone_is_not_used
    a_snapshot_that_does_not_fit_is_set_aside
    statistics_are_the_same_after_a_rebuild_a_rollback_and_a_start_from_a_snapshot
}

async fn open(place: &Place, chain: &Arc<Chain>, confirmations: u64) -> (Arc<Index>, Indexer<Arc<Chain>>) {
    let (index, _) = place.open().await;
    let indexer = Indexer::new(index.clone(), chain.clone(), FIRST, confirmations);
    (index, indexer)
}

fn chain_of(blocks: u64) -> Arc<Chain> {
    let chain = Arc::new(Chain::default());
    for _ in 0..blocks {
        chain.mine(0, vec![]);
    }
    chain
}

/// What an index that never saw anything but the present chain would say.
async fn anew(chain: &Arc<Chain>) -> World {
    let place = Place::file();
    let (index, mut indexer) = open(&place, chain, 0).await;
    indexer.catch_up().await.unwrap();
    index.read(World::clone)
}

async fn a_rebuilt_index_equals_one_that_was_kept(place: Place) {
    let chain = chain_of(4);
    let (index, mut indexer) = open(&place, &chain, 0).await;
    for salt in 1..5 {
        chain.mine(0, vec![opened(salt), activated(salt)]);
        chain.mine(0, vec![]);
        indexer.catch_up().await.unwrap();
    }
    let kept = index.read(World::clone);
    assert_eq!(kept.order.len(), 4);
    assert!(index.progress().borrow().caught_up());
    index.store().close().await;

    let (continued, _) = place.open().await;
    assert_eq!(continued.read(World::clone), kept);
    assert!(!continued.progress().borrow().caught_up(), "the chain was not asked yet");
    continued.store().close().await;
    assert_eq!(anew(&chain).await, kept);
}

async fn a_rolled_back_chain_is_indexed_again_from_the_common_block(place: Place) {
    let chain = chain_of(4);
    let (index, mut indexer) = open(&place, &chain, 0).await;
    chain.mine(0, vec![opened(1)]);
    indexer.catch_up().await.unwrap();
    for salt in 2..6 {
        chain.mine(0, vec![opened(salt)]);
        indexer.catch_up().await.unwrap();
    }
    let before = index.rollbacks();

    // Another branch from block 4 on, shorter than the old one.
    chain.blocks().truncate(5);
    chain.mine(7, vec![activated(1), opened(9)]);
    indexer.catch_up().await.unwrap();

    assert_eq!(index.read(World::clone), anew(&chain).await);
    assert_eq!(index.read(|world| world.order.clone()), [id(1), id(9)]);
    assert_eq!(index.rolled_back_since(before), Some(Some(4)));
    assert_eq!(index.rolled_back_since(index.rollbacks()), None);
    let stored = index.store().events(&Filter::default(), None, 100).await.unwrap();
    assert_eq!(stored.iter().map(|s| s.kind.as_str()).collect::<Vec<_>>(), ["opened", "activated", "opened"]);
}

async fn a_short_rollback_takes_back_only_what_came_after_the_common_block(place: Place) {
    let chain = chain_of(4);
    let (index, mut indexer) = open(&place, &chain, 0).await;
    for events in [vec![opened(1)], vec![opened(2)], vec![activated(2)], vec![opened(3)]] {
        chain.mine(0, events);
        indexer.catch_up().await.unwrap();
    }
    let campaign = |salt| index.read(|world| Arc::clone(&world.campaigns[&id(salt)]));
    let (first, second) = (campaign(1), campaign(2));

    // The block that opened campaign 3 is gone.
    chain.blocks().truncate(7);
    chain.mine(7, vec![opened(4)]);
    indexer.catch_up().await.unwrap();
    assert!(Arc::ptr_eq(&first, &campaign(1)) && Arc::ptr_eq(&second, &campaign(2)), "they are not read again");
    assert_eq!(index.read(World::clone), anew(&chain).await);

    // Now the activation, too, and what has replaced the block after it.
    chain.blocks().truncate(6);
    chain.mine(8, vec![]);
    indexer.catch_up().await.unwrap();
    assert!(Arc::ptr_eq(&first, &campaign(1)));
    assert_eq!(campaign(2).versions.len(), 0);
    assert_eq!(index.read(World::clone), anew(&chain).await);
}

async fn a_rollback_into_the_middle_of_a_batch_keeps_its_first_part(place: Place) {
    let chain = chain_of(4);
    let (index, mut indexer) = open(&place, &chain, 0).await;
    chain.mine(0, vec![opened(1)]);
    indexer.catch_up().await.unwrap();
    for salt in 2..5 {
        chain.mine(0, vec![opened(salt)]);
    }
    indexer.catch_up().await.unwrap();
    chain.blocks().truncate(6);
    chain.mine(7, vec![opened(9)]);
    indexer.catch_up().await.unwrap();
    assert_eq!(index.read(|world| world.order.clone()), [id(1), id(2), id(9)]);
    chain.blocks().truncate(5);
    chain.mine(8, vec![activated(1)]);
    indexer.catch_up().await.unwrap();
    assert_eq!(index.read(World::clone), anew(&chain).await);
}

async fn another_chain_with_nothing_in_common_replaces_everything(place: Place) {
    let chain = chain_of(4);
    let (index, mut indexer) = open(&place, &chain, 0).await;
    chain.mine(0, vec![opened(1)]);
    indexer.catch_up().await.unwrap();
    chain.blocks().clear();
    for _ in 0..5 {
        chain.mine(3, vec![]);
    }
    chain.mine(3, vec![opened(2)]);
    indexer.catch_up().await.unwrap();
    assert_eq!(index.rolled_back_since(0), Some(None));
    assert_eq!(index.read(|world| world.order.clone()), [id(2)]);
}

async fn blocks_are_indexed_when_enough_others_follow(place: Place) {
    let chain = chain_of(4);
    let (index, mut indexer) = open(&place, &chain, 2).await;
    chain.mine(0, vec![opened(1)]);
    indexer.catch_up().await.unwrap();
    assert_eq!(index.read(|world| world.order.len()), 0);
    assert!(index.progress().borrow().caught_up());
    chain.mine(0, vec![]);
    chain.mine(0, vec![]);
    indexer.catch_up().await.unwrap();
    assert_eq!(index.read(|world| world.order.len()), 1);
}

async fn a_silent_chain_changes_nothing_and_is_read_on_later(place: Place) {
    let chain = chain_of(4);
    let (index, mut indexer) = open(&place, &chain, 0).await;
    chain.mine(0, vec![opened(1)]);
    *chain.silent.lock().unwrap() = true;
    assert!(matches!(indexer.catch_up().await, Err(IndexError::Chain(_))));
    assert_eq!(index.read(|world| world.order.len()), 0);
    *chain.silent.lock().unwrap() = false;
    indexer.catch_up().await.unwrap();
    assert_eq!(index.read(|world| world.order.len()), 1);
}

async fn a_history_that_cannot_be_is_not_stored(place: Place) {
    let chain = chain_of(4);
    let (index, mut indexer) = open(&place, &chain, 0).await;
    chain.mine(0, vec![opened(1), activated(2)]);
    assert!(matches!(indexer.catch_up().await, Err(IndexError::View(_))));
    assert_eq!(index.store().events(&Filter::default(), None, 1).await.unwrap(), []);
    assert_eq!(index.read(|world| world.order.len()), 0);
}

async fn a_block_copies_only_the_campaigns_that_it_changes(place: Place) {
    let chain = chain_of(4);
    let (index, mut indexer) = open(&place, &chain, 0).await;
    chain.mine(0, vec![opened(1), opened(2)]);
    indexer.catch_up().await.unwrap();
    let campaign = |salt| index.read(|world| Arc::clone(&world.campaigns[&id(salt)]));
    let (first, second) = (campaign(1), campaign(2));

    chain.mine(0, vec![activated(2), opened(3)]);
    indexer.catch_up().await.unwrap();
    assert!(Arc::ptr_eq(&first, &campaign(1)), "the block has no event of campaign 1");
    assert_eq!(second.versions.len(), 0, "readers keep what they read");
    assert_eq!(campaign(2).versions.len(), 1);
    assert_eq!(index.read(|world| world.order.clone()), [id(1), id(2), id(3)]);

    let second = campaign(2);
    chain.mine(0, vec![]);
    indexer.catch_up().await.unwrap();
    assert!(Arc::ptr_eq(&second, &campaign(2)), "the block has no events");
}

/// An index with one campaign in block 1001, and its snapshot.
async fn with_snapshot(place: &Place) -> (Arc<Chain>, Arc<Index>, Indexer<Arc<Chain>>) {
    let chain = chain_of(1_001);
    let (index, mut indexer) = open(place, &chain, 0).await;
    chain.mine(0, vec![opened(1)]);
    indexer.catch_up().await.unwrap();
    place.written(None).await;
    (chain, index, indexer)
}

async fn a_start_folds_only_the_events_after_the_snapshot(place: Place) {
    let (chain, index, mut indexer) = with_snapshot(&place).await;
    let first = index.read(|world| Arc::clone(&world.campaigns[&id(1)]));
    chain.mine(0, vec![opened(2)]);
    indexer.catch_up().await.unwrap();
    let kept = index.read(World::clone);
    index.close().await;

    // The snapshot says something else about campaign 1 than its event, so that it is seen which of them was read.
    let mut marked = World::default();
    marked.order.push(id(1));
    marked.campaigns.insert(id(1), Arc::new(CampaignView { best_ppm: Ppm::of(7, 1_000_000), ..(*first).clone() }));
    let hash = chain.block_ref(1_001).unwrap().hash;
    place.write_snapshot(Snapshot { block: 1_001, hash, world: marked }).await;
    let (continued, found) = place.open().await;
    assert_eq!(found, OpenOutcome::Continued);
    assert_eq!(continued.read(|world| world.order.clone()), kept.order);
    assert_eq!(continued.read(|world| world.campaigns[&id(1)].best_ppm), Ppm::of(7, 1_000_000));
}

async fn a_snapshot_whose_block_is_gone_is_not_used(place: Place) {
    let (chain, index, mut indexer) = with_snapshot(&place).await;
    let snapshot = std::fs::read(place.snapshot()).unwrap();
    chain.blocks().truncate(1_001);
    chain.mine(7, vec![opened(2)]);
    indexer.catch_up().await.unwrap();
    index.close().await;
    assert_ne!(std::fs::read(place.snapshot()).unwrap(), snapshot, "a stop waits for the new one");
    // As if another server had followed the rollback.
    std::fs::write(place.snapshot(), snapshot).unwrap();
    let (continued, _) = place.open().await;
    assert_eq!(continued.read(World::clone), anew(&chain).await);
}

async fn a_snapshot_that_does_not_fit_is_set_aside(place: Place) {
    let (chain, index, mut indexer) = with_snapshot(&place).await;
    chain.mine(0, vec![activated(1)]);
    indexer.catch_up().await.unwrap();
    index.close().await;
    let hash = chain.block_ref(1_001).unwrap().hash;
    place.write_snapshot(Snapshot { block: 1_001, hash, world: World::default() }).await;
    let (continued, found) = place.open().await;
    assert_eq!(found, OpenOutcome::Continued, "the events are not at fault");
    assert_eq!(continued.read(World::clone), anew(&chain).await);
    assert!(!place.snapshot().exists());
}

/// The statistics of everything as the API sends them.
fn statistics(world: &World) -> String {
    let report = StatisticsReport::new(world, Day::default(), Day::LAST, 0);
    serde_json::to_string_pretty(&report).unwrap()
}

async fn statistics_are_the_same_after_a_rebuild_a_rollback_and_a_start_from_a_snapshot(place: Place) {
    let (chain, index, mut indexer) = with_snapshot(&place).await;
    let submitted = |salt, miner, index| Event::Submitted {
        id: id(salt),
        miner: Address::repeat_byte(miner),
        version: Version(1),
        window: WindowIndex(0),
        index,
        content: Digest([miner; 32]),
    };
    let refunded = |salt| Event::Refunded { id: id(salt), amount: Amount::from(1_000_u128) };
    for events in
        [vec![activated(1), submitted(1, 5, 0)], vec![opened(2), submitted(1, 6, 1)], vec![refunded(2), opened(3)]]
    {
        chain.mine(0, events);
        indexer.catch_up().await.unwrap();
    }
    assert_eq!(index.read(statistics), statistics(&anew(&chain).await));

    // The last two blocks are replaced.
    let common = chain.blocks().len() - 2;
    chain.blocks().truncate(common);
    chain.mine(7, vec![opened(4), refunded(4)]);
    indexer.catch_up().await.unwrap();
    let kept = index.read(statistics);
    assert_eq!(kept, statistics(&anew(&chain).await));
    let report: serde_json::Value = serde_json::from_str(&kept).unwrap();
    assert_eq!((&report["total"]["campaigns"]["opened"], &report["total"]["miners_active"]), (&2.into(), &1.into()));

    index.close().await;
    assert!(place.snapshot().exists());
    let (continued, _) = place.open().await;
    assert_eq!(continued.read(statistics), kept);
}

#[tokio::test]
async fn one_server_follows_and_the_others_answer_the_same() {
    let Some(place) = Place::shared() else { return };
    let chain = chain_of(4);
    let (first, mut follower) = open(&place, &chain, 0).await;
    let (second, mut reader) = open(&place, &chain, 0).await;
    chain.mine(0, vec![opened(1), activated(1)]);
    follower.catch_up().await.unwrap();
    reader.catch_up().await.unwrap();
    chain.mine(0, vec![opened(2)]);
    follower.catch_up().await.unwrap();
    reader.catch_up().await.unwrap();

    assert!(first.progress().borrow().follows && !second.progress().borrow().follows);
    assert!(second.progress().borrow().caught_up());
    assert_eq!(second.progress().borrow().indexed, first.progress().borrow().indexed);
    assert_eq!(second.read(World::clone), anew(&chain).await);

    // Both go back to where the branches part.
    chain.blocks().truncate(5);
    chain.mine(7, vec![opened(9)]);
    for indexer in [&mut follower, &mut reader] {
        indexer.catch_up().await.unwrap();
    }
    for index in [first, second] {
        assert_eq!(index.read(World::clone), anew(&chain).await);
        assert_eq!(index.rolled_back_since(0), Some(Some(4)));
    }
}

#[tokio::test]
async fn a_server_that_only_reads_notices_a_rollback_below_what_it_remembers() {
    let Some(place) = Place::shared() else { return };
    let chain = chain_of(4);
    let (_first, mut follower) = open(&place, &chain, 0).await;
    for salt in 1..4 {
        chain.mine(0, vec![opened(salt)]);
    }
    follower.catch_up().await.unwrap();
    // What it folds when it opens cannot be taken back.
    let (second, mut reader) = open(&place, &chain, 0).await;
    chain.blocks().truncate(5);
    chain.mine(7, vec![opened(9)]);
    follower.catch_up().await.unwrap();
    reader.catch_up().await.unwrap();
    assert_eq!(second.read(|world| world.order.clone()), [id(1), id(9)]);
    assert_eq!(second.read(World::clone), anew(&chain).await);
}

#[tokio::test]
async fn a_follower_that_is_killed_is_replaced_when_its_lease_expires() {
    let Some(place) = Place::shared() else { return };
    let chain = chain_of(4);
    let (_first, mut follower) = open(&place, &chain, 0).await;
    let (second, mut reader) = open(&place, &chain, 0).await;
    follower.catch_up().await.unwrap();
    reader.catch_up().await.unwrap();
    assert!(!second.progress().borrow().follows);

    // It gives nothing back.
    drop(follower);
    chain.mine(0, vec![opened(1)]);
    let killed = Instant::now();
    reader.rest(Duration::from_secs(60), true).await.unwrap();
    reader.catch_up().await.unwrap();
    assert!(killed.elapsed() < Duration::from_secs(10), "after {:?}", killed.elapsed());
    assert!(second.progress().borrow().follows);
    assert_eq!(second.read(World::clone), anew(&chain).await);
}

#[tokio::test]
async fn a_follower_that_stops_or_cannot_read_the_chain_is_replaced_at_once() {
    let Some(place) = Place::shared() else { return };
    let chain = chain_of(4);
    let (first, mut follower) = open(&place, &chain, 0).await;
    let (second, mut reader) = open(&place, &chain, 0).await;
    follower.catch_up().await.unwrap();
    *chain.silent.lock().unwrap() = true;
    assert!(matches!(follower.catch_up().await, Err(IndexError::Chain(_))));
    *chain.silent.lock().unwrap() = false;
    reader.catch_up().await.unwrap();
    assert!(second.progress().borrow().follows && !first.progress().borrow().follows);

    second.store().close().await;
    follower.catch_up().await.unwrap();
    assert!(first.progress().borrow().follows);
}

#[tokio::test]
async fn a_follower_that_lost_its_lease_changes_nothing() {
    let Some(place) = Place::shared() else { return };
    let (slow, _) = place.database.events(IDENTITY).await.unwrap();
    let (other, _) = place.database.events(IDENTITY).await.unwrap();
    let chain = chain_of(5);
    let block = |number| chain.block_ref(number).unwrap();
    let lost = slow.lease().await.unwrap().unwrap();
    slow.append(lost, &[], block(3)).await.unwrap();
    assert_eq!(other.lease().await.unwrap(), None, "it has not expired");
    assert_eq!(slow.lease().await.unwrap(), Some(lost), "a renewal keeps the term");

    // The lease moves to another server and back, while the first one does not notice.
    slow.resign().await.unwrap();
    let theirs = other.lease().await.unwrap().unwrap();
    assert!(matches!(slow.append(lost, &[], block(4)).await, Err(StoreError::LeaseLost)));
    other.append(theirs, &[], block(4)).await.unwrap();
    other.resign().await.unwrap();
    let again = slow.lease().await.unwrap().unwrap();
    assert!(matches!(slow.truncate_after(lost, None).await, Err(StoreError::LeaseLost)));
    assert_eq!(slow.newest_blocks(1).await.unwrap(), [block(4)]);
    slow.truncate_after(again, Some(3)).await.unwrap();
    assert_eq!(other.newest_blocks(1).await.unwrap(), [block(3)]);
}

#[tokio::test]
async fn contracts_share_a_database_without_seeing_one_another() {
    let Some(place) = Place::shared() else { return };
    let chain = chain_of(4);
    let (_, mut indexer) = open(&place, &chain, 0).await;
    chain.mine(0, vec![opened(1)]);
    indexer.catch_up().await.unwrap();
    let other = ContractIdentity { chain_id: u64::MAX, ..IDENTITY };
    let (index, opened) = Index::open(&place.database, other, place.home.path()).await.unwrap();
    assert_eq!((opened, index.read(|world| world.order.len())), (OpenOutcome::Fresh, 0));
}
