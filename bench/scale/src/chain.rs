//! A chain of blocks with the contracts' events, small enough that a million submissions fit into memory.
//!
//! A submission, by far the most frequent event, is kept as five numbers, and its log is encoded when somebody asks for it.
//! Everything else is kept encoded. Blocks that were copied from a real node are returned as that node returned them.

use std::{collections::HashMap, ops::Range};

use alloy::{
    consensus,
    primitives::{Address, B256, Bytes, LogData, U256, keccak256},
    rpc::types::{Block as RpcBlock, BlockTransactions, Filter, Header, Log},
    sol_types::SolEvent as _,
};
use sonar_contracts::Deployment;

use crate::contract::{self, Campaigns};

/// Gas that a block may use; a header needs one.
const GAS_LIMIT: u64 = 30_000_000;

/// A submission as the chain keeps it: numbers instead of ids and addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompactSubmission {
    /// Place of the campaign among [`Chain::campaigns`].
    pub campaign: u32,
    /// Place of the miner among [`Chain::miners`].
    pub miner: u32,
    /// Version of the model that the update is for.
    pub version: u32,
    /// The window.
    pub window: u32,
    /// Place in the window.
    pub index: u32,
}

#[derive(Clone, Debug)]
enum Entry {
    Submitted(CompactSubmission),
    Encoded(Box<(Address, LogData)>),
}

#[derive(Clone, Debug)]
struct ChainLog {
    // Place of the transaction in the block.
    transaction: u16,
    entry: Entry,
}

#[derive(Clone, Debug)]
struct Block {
    hash: B256,
    timestamp: u64,
    // Its logs are those from the end of the block before to here.
    end: usize,
    copied: Option<Box<RpcBlock>>,
}

/// The blocks from the genesis to the head, and the block that is being made.
#[derive(Clone, Debug)]
pub struct Chain {
    contracts: Deployment,
    miners: Vec<Address>,
    campaigns: Vec<B256>,
    blocks: Vec<Block>,
    numbers: HashMap<B256, u64>,
    logs: Vec<ChainLog>,
    transactions: u16,
}

/// A copied block that does not follow the head.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("block {found} was copied, but block {expected} is the next one")]
pub struct NotNext {
    expected: u64,
    found: u64,
}

impl Chain {
    /// An empty chain with these contracts. Seal or copy a genesis block first.
    #[must_use]
    pub fn new(contracts: Deployment, miners: Vec<Address>) -> Self {
        Self {
            contracts,
            miners,
            campaigns: Vec::new(),
            blocks: Vec::new(),
            numbers: HashMap::new(),
            logs: Vec::new(),
            transactions: 0,
        }
    }

    /// Where the contracts are.
    #[must_use]
    pub fn contracts(&self) -> &Deployment {
        &self.contracts
    }

    /// Accounts of all miners.
    #[must_use]
    pub fn miners(&self) -> &[Address] {
        &self.miners
    }

    /// Ids of all campaigns, in the order in which they were opened.
    #[must_use]
    pub fn campaigns(&self) -> &[B256] {
        &self.campaigns
    }

    /// How many logs there are.
    #[must_use]
    pub fn events(&self) -> usize {
        self.logs.len()
    }

    /// Number of the last block.
    #[must_use]
    pub fn head(&self) -> u64 {
        (self.blocks.len() as u64).saturating_sub(1)
    }

    /// Unix time of the last block.
    #[must_use]
    pub fn timestamp(&self) -> u64 {
        self.blocks.last().map_or(0, |block| block.timestamp)
    }

    /// Transactions in the block that is being made.
    #[must_use]
    pub fn transactions(&self) -> u16 {
        self.transactions
    }

    /// Adds a campaign, and returns its place.
    pub fn add_campaign(&mut self, id: B256) -> u32 {
        let place = u32::try_from(self.campaigns.len()).expect("fewer campaigns than 2^32");
        self.campaigns.push(id);
        place
    }

    /// Adds a submission to the block that is being made.
    pub fn submit(&mut self, submitted: CompactSubmission) {
        self.logs.push(ChainLog { transaction: self.transactions, entry: Entry::Submitted(submitted) });
    }

    /// Adds an event of a contract to the block that is being made.
    pub fn emit(&mut self, contract: Address, event: LogData) {
        let entry = Entry::Encoded(Box::new((contract, event)));
        self.logs.push(ChainLog { transaction: self.transactions, entry });
    }

    /// Ends a transaction: the next log belongs to another one.
    pub fn end_transaction(&mut self) {
        self.transactions += 1;
    }

    /// Ends the block that is being made.
    pub fn seal(&mut self, timestamp: u64) {
        let parent = self.blocks.last().map_or(B256::ZERO, |block| block.hash);
        let hash = header(self.blocks.len() as u64, parent, timestamp).hash_slow();
        self.add(Block { hash, timestamp, end: self.logs.len(), copied: None });
    }

    /// Adds a block of a real node, with all its logs in order.
    ///
    /// # Errors
    /// When it is not the next one.
    pub fn copy(&mut self, block: RpcBlock, logs: Vec<Log>) -> Result<(), NotNext> {
        let (expected, found) = (self.blocks.len() as u64, block.header.number);
        if expected != found {
            return Err(NotNext { expected, found });
        }
        for log in logs {
            let transaction = u16::try_from(log.transaction_index.unwrap_or_default()).unwrap_or(u16::MAX);
            let entry = Entry::Encoded(Box::new((log.address(), log.inner.data)));
            self.logs.push(ChainLog { transaction, entry });
        }
        let (hash, timestamp) = (block.header.hash, block.header.timestamp);
        self.add(Block { hash, timestamp, end: self.logs.len(), copied: Some(Box::new(block)) });
        Ok(())
    }

    fn add(&mut self, block: Block) {
        self.numbers.insert(block.hash, self.blocks.len() as u64);
        self.blocks.push(block);
        self.transactions = 0;
    }

    /// A block's number by its hash.
    #[must_use]
    pub fn number(&self, hash: B256) -> Option<u64> {
        self.numbers.get(&hash).copied()
    }

    /// A block with the hashes of its transactions.
    #[must_use]
    pub fn block(&self, number: u64) -> Option<RpcBlock> {
        let block = self.blocks.get(usize::try_from(number).ok()?)?;
        if let Some(copied) = &block.copied {
            return Some((**copied).clone());
        }
        let parent = number.checked_sub(1).map_or(B256::ZERO, |parent| self.blocks[parent as usize].hash);
        let count = self.logs[self.range(number)].last().map_or(0, |log| log.transaction + 1);
        let hashes = (0..count).map(|place| transaction_hash(block, place)).collect();
        let header = Header {
            hash: block.hash,
            inner: header(number, parent, block.timestamp),
            total_difficulty: None,
            size: Some(U256::from(1_000)),
        };
        Some(RpcBlock {
            header,
            uncles: Vec::new(),
            transactions: BlockTransactions::Hashes(hashes),
            withdrawals: None,
        })
    }

    /// The logs of these blocks that a filter lets through, at most `limit`; `None` when there are more.
    #[must_use]
    pub fn logs(&self, blocks: Range<u64>, filter: &Filter, limit: usize) -> Option<Vec<Log>> {
        let mut found = Vec::new();
        for number in blocks.start..blocks.end.min(self.blocks.len() as u64) {
            let block = &self.blocks[number as usize];
            for (index, kept) in (0..).zip(&self.logs[self.range(number)]) {
                let inner = self.encoded(&kept.entry);
                if !filter.matches_address(inner.address) || !filter.matches_topics(inner.topics()) {
                    continue;
                }
                if found.len() == limit {
                    return None;
                }
                found.push(Log {
                    inner,
                    block_hash: Some(block.hash),
                    block_number: Some(number),
                    block_timestamp: Some(block.timestamp),
                    transaction_hash: Some(transaction_hash(block, kept.transaction)),
                    transaction_index: Some(kept.transaction.into()),
                    log_index: Some(index),
                    removed: false,
                });
            }
        }
        Some(found)
    }

    fn range(&self, number: u64) -> Range<usize> {
        let number = number as usize;
        number.checked_sub(1).map_or(0, |before| self.blocks[before].end)..self.blocks[number].end
    }

    fn encoded(&self, entry: &Entry) -> alloy::primitives::Log {
        match entry {
            Entry::Encoded(log) => alloy::primitives::Log { address: log.0, data: log.1.clone() },
            Entry::Submitted(submitted) => {
                let CompactSubmission { campaign, miner, version, window, index } = *submitted;
                let id = self.campaigns[campaign as usize];
                let place = [window.to_be_bytes(), index.to_be_bytes()].concat();
                let event = Campaigns::Submitted {
                    id,
                    miner: self.miners[miner as usize],
                    version,
                    window,
                    index,
                    content: keccak256([id.as_slice(), &place].concat()),
                };
                let address = contract::campaigns(&self.contracts);
                alloy::primitives::Log { address, data: event.encode_log_data() }
            }
        }
    }
}

fn transaction_hash(block: &Block, place: u16) -> B256 {
    let copied = block.copied.as_ref().and_then(|block| block.transactions.hashes().nth(place.into()));
    copied.unwrap_or_else(|| keccak256([block.hash.as_slice(), &place.to_be_bytes()].concat()))
}

/// The header of a made block. Its hash is that of its content, as on a real chain.
fn header(number: u64, parent_hash: B256, timestamp: u64) -> consensus::Header {
    consensus::Header {
        parent_hash,
        number,
        timestamp,
        gas_limit: GAS_LIMIT,
        base_fee_per_gas: Some(1),
        extra_data: Bytes::from_static(b"scale"),
        ..consensus::Header::default()
    }
}
