//! What a program that starts reads of a chain, with the snapshot of an earlier run in its home.

use std::{
    fs,
    ops::RangeInclusive,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use alloy::{
    primitives::{Address, B256, U64, U256, keccak256},
    rpc::types::{Block, Log},
    sol_types::SolEvent,
};
use axum::{Json, Router, extract::State, routing::post};
use serde_json::{Value, json};
use sonar_contracts::{Campaigns, CapsuleRegistry, Deployment};
use sonar_node::chain::{Client, WorldReader};
use sonar_protocol::{
    event::{Event, Record},
    ids::CampaignId,
    view::World,
};
use testkit::stage::OPTIONS;

const OPERATOR: Address = Address::repeat_byte(5);
const DEPLOYMENT: Deployment = Deployment {
    chain_id: 7,
    campaigns: Address::repeat_byte(1),
    registry: Address::repeat_byte(2),
    datacoin: Address::repeat_byte(3),
    block: 1,
};

const CAMPAIGN: B256 = B256::repeat_byte(6);
/// The blocks in which the campaign is opened, declined and refunded.
const OPENED: u64 = 1_050;
const DECLINED: u64 = 2_050;
const REFUNDED: u64 = 2_950;

/// A chain on which a Capsule deposits stake in every hundredth block: 1 wei, or 1,000 on a fork. There is one
/// campaign.
struct Chain {
    head: u64,
    forked_from: u64,
    asked: Vec<RangeInclusive<u64>>,
}

impl Chain {
    fn is_fork(&self, number: u64) -> bool {
        number >= self.forked_from
    }

    fn hash(&self, number: u64) -> B256 {
        let fork = if self.is_fork(number) { self.forked_from } else { 0 };
        keccak256([number.to_be_bytes(), fork.to_be_bytes()].concat())
    }

    fn stake(&self, until: u64) -> u64 {
        (1..=until / 100).map(|hundred| if self.is_fork(hundred * 100) { 1_000 } else { 1 }).sum()
    }

    fn block(&self, tag: &str) -> Value {
        let number = match tag {
            "latest" => self.head,
            "pending" => return Value::Null,
            number => number.parse::<U64>().unwrap().to(),
        };
        if number > self.head {
            return Value::Null;
        }
        let mut block = Block::<B256>::default();
        block.header.inner.number = number;
        block.header.inner.timestamp = 1_000 + number;
        block.header.hash = self.hash(number);
        serde_json::to_value(block).unwrap()
    }

    fn logs(&mut self, filter: &Value) -> Value {
        let block = |name: &str| serde_json::from_value::<U64>(filter[name].clone()).unwrap().to();
        let range: RangeInclusive<u64> = block("fromBlock")..=block("toBlock");
        self.asked.push(range.clone());
        let is_of_campaign = !filter["topics"][1].is_null();
        let logs: Vec<Log> = range
            .filter_map(|number| self.log(number))
            .filter(|log| !is_of_campaign || log.topics().get(1) == Some(&CAMPAIGN))
            .collect();
        serde_json::to_value(logs).unwrap()
    }

    fn log(&self, number: u64) -> Option<Log> {
        let inner = self.event(number)?;
        Some(Log {
            inner,
            block_hash: Some(self.hash(number)),
            block_number: Some(number),
            block_timestamp: Some(1_000 + number),
            transaction_hash: Some(self.hash(number)),
            transaction_index: Some(0),
            log_index: Some(0),
            removed: false,
        })
    }

    fn event(&self, number: u64) -> Option<alloy::primitives::Log> {
        let (id, amount) = (CAMPAIGN, U256::ONE);
        let campaigns = |data| Some(alloy::primitives::Log { address: DEPLOYMENT.campaigns, data });
        match number {
            OPENED => campaigns(Campaigns::Opened { id, ..Default::default() }.encode_log_data()),
            DECLINED => campaigns(Campaigns::Declined { id, reason: 1 }.encode_log_data()),
            REFUNDED => campaigns(Campaigns::Refunded { id, amount }.encode_log_data()),
            _ if number.is_multiple_of(100) => {
                let amount = U256::from(if self.is_fork(number) { 1_000 } else { 1 });
                let data = CapsuleRegistry::Deposited { operator: OPERATOR, amount }.encode_log_data();
                Some(alloy::primitives::Log { address: DEPLOYMENT.registry, data })
            }
            _ => None,
        }
    }
}

type Shared = Arc<Mutex<Chain>>;

async fn answer(State(chain): State<Shared>, Json(request): Json<Value>) -> Json<Value> {
    let mut chain = chain.lock().unwrap();
    let result = match request["method"].as_str().unwrap() {
        "eth_chainId" => json!("0x7"),
        "eth_getCode" => json!("0xfe"),
        "eth_getBlockByNumber" => chain.block(request["params"][0].as_str().unwrap()),
        "eth_getLogs" => chain.logs(&request["params"][0]),
        other => panic!("nobody asks for {other}"),
    };
    Json(json!({ "jsonrpc": "2.0", "id": request["id"], "result": result }))
}

/// A chain with a client, and the home of a program.
struct Stage {
    chain: Shared,
    client: Client,
    home: tempfile::TempDir,
}

impl Stage {
    async fn new(head: u64) -> Self {
        let chain = Arc::new(Mutex::new(Chain { head, forked_from: u64::MAX, asked: Vec::new() }));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().route("/", post(answer)).with_state(chain.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let client = Client::connect_with(&url, DEPLOYMENT, None, OPTIONS).await.unwrap();
        Self { chain, client, home: tempfile::tempdir().unwrap() }
    }

    fn grow(&self, head: u64) {
        self.chain.lock().unwrap().head = head;
    }

    fn fork(&self, from: u64) {
        self.chain.lock().unwrap().forked_from = from;
    }

    fn reader(&self) -> WorldReader {
        WorldReader::new(self.client.clone(), Duration::ZERO, 0).with_snapshot(self.home.path())
    }

    /// One look of a program that runs, and the first block that it asked for, if it asked for any.
    async fn look(&self, reader: &mut WorldReader) -> Option<u64> {
        self.chain.lock().unwrap().asked.clear();
        reader.next().await.unwrap();
        self.check(reader.world(), 0)
    }

    /// What a command reads that ends after it: the first block that it asked for.
    async fn read(&self, confirmations: u64) -> Option<u64> {
        self.chain.lock().unwrap().asked.clear();
        let world = self.client.world(confirmations, Some(self.home.path())).await.unwrap();
        self.check(&world, confirmations)
    }

    /// Every event is in the world once, and no block was asked for twice.
    fn check(&self, world: &World, confirmations: u64) -> Option<u64> {
        let chain = self.chain.lock().unwrap();
        let stake = world.capsules.get(&OPERATOR).map_or(U256::ZERO, |capsule| capsule.stake.0);
        assert_eq!(stake, U256::from(chain.stake(chain.head - confirmations)));
        assert_eq!(world.head.number, chain.head);
        for pair in chain.asked.windows(2) {
            assert_eq!(*pair[1].start(), pair[0].end() + 1);
        }
        chain.asked.first().map(|range| *range.start())
    }

    fn names(&self) -> Vec<String> {
        let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
        fs::read_dir(self.home.path()).unwrap().map(name).collect()
    }

    fn path(&self) -> std::path::PathBuf {
        self.home.path().join("chain.snapshot")
    }
}

/// The file is written by another thread.
async fn written(path: &Path) {
    let appears = async {
        while !path.exists() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), appears).await.unwrap();
}

#[tokio::test]
async fn a_restart_reads_only_the_blocks_after_the_snapshot() {
    let stage = Stage::new(12_000).await;
    assert_eq!(stage.read(0).await, Some(1));
    assert_eq!(stage.names(), ["chain.snapshot"]);
    for _ in 0..2 {
        assert_eq!(stage.read(0).await, Some(11_937), "64 blocks may still change");
    }
    // Too little for a new snapshot, and then enough.
    stage.grow(12_900);
    assert_eq!(stage.read(0).await, Some(11_937));
    assert_eq!(stage.read(0).await, Some(11_937));
    stage.grow(13_100);
    assert_eq!(stage.read(0).await, Some(11_937));
    assert_eq!(stage.read(0).await, Some(13_037));
    // A program that believes a block later than the snapshot's cannot use it.
    assert_eq!(stage.read(500).await, Some(1));
}

fn names(records: &[Record]) -> Vec<&'static str> {
    let is_of_campaign = |record: &&Record| record.event.campaign() == Some(CampaignId(CAMPAIGN));
    records.iter().filter(is_of_campaign).map(|record| Event::name(&record.event)).collect()
}

#[tokio::test]
async fn the_events_of_a_campaign_before_the_snapshot_are_read_from_its_first_block_on() {
    let stage = Stage::new(3_000).await;
    let mut reader = WorldReader::new(stage.client.clone(), Duration::ZERO, 0);
    let batch = reader.next().await.unwrap();
    assert_eq!(names(&batch.records), ["opened", "declined", "refunded"]);
    assert!(reader.events_before_start(CampaignId(CAMPAIGN)).await.unwrap().is_empty(), "nothing is missing");

    // The snapshot ends at block 2,936.
    stage.read(0).await;
    let mut reader = stage.reader();
    let batch = reader.next().await.unwrap();
    assert_eq!(names(&batch.records), ["refunded"]);
    stage.chain.lock().unwrap().asked.clear();
    let before = reader.events_before_start(CampaignId(CAMPAIGN)).await.unwrap();
    assert_eq!(names(&before), ["opened", "declined"]);
    assert_eq!(before.len(), 2, "the node selects the campaign's events");
    assert_eq!(stage.chain.lock().unwrap().asked, [OPENED..=2_936]);
    assert!(reader.events_before_start(CampaignId(B256::ZERO)).await.unwrap().is_empty(), "there is no such campaign");
}

#[tokio::test]
async fn a_chain_that_is_soon_read_needs_no_snapshot() {
    let stage = Stage::new(1_000).await;
    assert_eq!(stage.read(0).await, Some(1));
    assert!(stage.names().is_empty());
}

#[tokio::test]
async fn a_program_that_runs_writes_only_what_is_final() {
    let stage = Stage::new(100).await;
    let mut reader = stage.reader();
    assert_eq!(stage.look(&mut reader).await, Some(1));
    for (head, start) in [(1_099, 101), (1_100, 1_100), (1_163, 1_101)] {
        stage.grow(head);
        assert_eq!(stage.look(&mut reader).await, Some(start));
        assert!(stage.names().is_empty(), "at block {head}");
    }
    stage.grow(1_164);
    stage.look(&mut reader).await;
    written(&stage.path()).await;
    assert_eq!(stage.read(0).await, Some(1_101));
}

#[tokio::test]
async fn what_was_rolled_back_is_not_written() {
    let stage = Stage::new(100).await;
    let mut reader = stage.reader();
    for head in [100, 1_200] {
        stage.grow(head);
        stage.look(&mut reader).await;
    }
    stage.fork(1_150);
    stage.grow(1_300);
    assert_eq!(stage.look(&mut reader).await, Some(1));
    // The fork's own world is kept from here on, and written when it is final.
    stage.grow(2_300);
    stage.look(&mut reader).await;
    assert!(stage.names().iter().all(|name| name == "chain.snapshot"));
    stage.grow(2_364);
    stage.look(&mut reader).await;
    written(&stage.path()).await;
    assert!(stage.read(0).await > Some(1));
}

#[tokio::test]
async fn a_rollback_goes_back_to_the_snapshot_or_to_the_beginning() {
    let stage = Stage::new(3_000).await;
    let mut reader = stage.reader();
    assert_eq!(stage.look(&mut reader).await, Some(1));
    stage.fork(2_950);
    stage.grow(3_010);
    assert_eq!(stage.look(&mut reader).await, Some(2_937));
    // Below the snapshot, while the program runs and before it starts.
    stage.fork(2_900);
    assert_eq!(stage.look(&mut reader).await, Some(1));
    stage.fork(2_000);
    assert_eq!(stage.read(0).await, Some(1));
    assert!(stage.read(0).await > Some(2_000), "the snapshot is the new chain's");
}

#[tokio::test]
async fn a_damaged_snapshot_is_set_aside_and_replaced() {
    let stage = Stage::new(3_000).await;
    stage.read(0).await;
    let mut bytes = fs::read(stage.path()).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(stage.path(), bytes).unwrap();
    assert_eq!(stage.read(0).await, Some(1));
    let mut names = stage.names();
    names.sort();
    assert_eq!(names, ["chain.snapshot", "chain.snapshot.unusable"]);
    assert_eq!(stage.read(0).await, Some(2_937));
}
