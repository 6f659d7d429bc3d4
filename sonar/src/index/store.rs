//! Where the index keeps raw typed events by position, and the hashes of their blocks: an SQLite file of one server's
//! own, or a PostgreSQL database that several servers share.
//!
//! Only the server that holds the [`Lease`] appends and takes back. All others read what has changed ([`EventStore::changes`]).

mod postgres;
mod sqlite;

use std::{fmt, path::PathBuf, str::FromStr, sync::Arc};

use alloy::primitives::{Address, B256, TxHash};
use futures::future::BoxFuture;
use serde::Deserialize;
use sqlx::{ColumnIndex, Decode, Row, Type};

use sonar_protocol::{
    event::{LogPosition, Record},
    units::Timestamp,
};

pub use postgres::{DatabaseUrl, InvalidDatabaseUrl};
pub(crate) use sqlite::put_aside;

/// Blocks without events that are remembered below the newest, to find a common ancestor after a rollback.
const REMEMBERED_BLOCKS: i64 = 256;

/// Where an event is on the chain. Ordered as the chain orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// Block number.
    pub block: u64,
    /// Index of the log in its block.
    pub log: u64,
}

impl Position {
    /// After every event of `block`.
    #[must_use]
    pub fn end_of(block: u64) -> Self {
        Self { block, log: u64::MAX }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.block, self.log)
    }
}

/// Text that is no position.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no position of an event; expected BLOCK-LOG, for example 12-0")]
pub struct NotAPosition(String);

impl FromStr for Position {
    type Err = NotAPosition;

    fn from_str(text: &str) -> Result<Self, NotAPosition> {
        let error = || NotAPosition(text.chars().take(80).collect());
        let (block, log) = text.split_once('-').ok_or_else(error)?;
        Ok(Self { block: block.parse().map_err(|_| error())?, log: log.parse().map_err(|_| error())? })
    }
}

/// A block by number and hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockRef {
    /// Number.
    pub number: u64,
    /// Hash.
    pub hash: B256,
    /// When it was made.
    pub time: Timestamp,
}

/// One event as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Where it is.
    pub position: Position,
    /// The hash of its block.
    pub block_hash: B256,
    /// The time of its block.
    pub time: Timestamp,
    /// The transaction that caused it.
    pub tx: TxHash,
    /// The name of the event.
    pub kind: String,
    /// The campaign it is about, if it is about one.
    pub campaign: Option<B256>,
    /// The account it is about, if it is about one.
    pub account: Option<Address>,
    /// The typed event as JSON.
    pub body: serde_json::Value,
}

impl Stored {
    /// What is stored of an event.
    ///
    /// # Errors
    /// The event has no JSON form.
    pub fn new(record: &Record) -> Result<Self, serde_json::Error> {
        let at = &record.at;
        Ok(Self {
            position: Position { block: at.block, log: at.index },
            block_hash: at.block_hash,
            time: at.timestamp,
            tx: at.transaction,
            kind: record.event.name().into(),
            campaign: record.event.campaign().map(|id| id.0),
            account: record.event.account(),
            body: serde_json::to_value(&record.event)?,
        })
    }

    /// The block it is in.
    fn block(&self) -> BlockRef {
        BlockRef { number: self.position.block, hash: self.block_hash, time: self.time }
    }

    /// The event again.
    ///
    /// # Errors
    /// The body is not the JSON form of an event.
    pub fn record(&self) -> Result<Record, serde_json::Error> {
        Ok(Record {
            at: LogPosition {
                block: self.position.block,
                block_hash: self.block_hash,
                timestamp: self.time,
                transaction: self.tx,
                index: self.position.log,
            },
            event: Deserialize::deserialize(&self.body)?,
        })
    }
}

/// Which events are wanted; a field that is `None` does not restrict.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of this campaign.
    pub campaign: Option<B256>,
    /// With this name.
    pub kind: Option<String>,
    /// About this account.
    pub account: Option<Address>,
}

/// Which contract an index is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Chain.
    pub chain_id: u64,
    /// Sonar's contract on it.
    pub contract: Address,
}

/// How a store was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opened {
    /// With what an earlier run had put there.
    Continued,
    /// Empty.
    Fresh,
    /// Useless for the given reason; it was put aside and replaced by an empty one.
    Replaced(String),
}

/// Where a server keeps what it must remember.
#[derive(Clone, Debug)]
pub enum Database {
    /// In SQLite files in this directory.
    Directory(PathBuf),
    /// In a PostgreSQL database that other servers may share.
    Postgres(DatabaseUrl),
}

impl Database {
    /// Opens the store of a contract's events.
    ///
    /// # Errors
    /// The file cannot be created, or the database refuses or does not answer.
    pub async fn events(&self, identity: Identity) -> Result<(Arc<dyn EventStore>, Opened), StoreError> {
        match self {
            Self::Directory(directory) => {
                let (store, opened) = sqlite::SqliteStore::open(&directory.join("index.sqlite"), identity).await?;
                Ok((Arc::new(store), opened))
            }
            Self::Postgres(url) => {
                let (store, opened) = postgres::PostgresStore::open(url, identity).await?;
                Ok((Arc::new(store), opened))
            }
        }
    }
}

/// Why the stored index cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database failed.
    #[error("the index {place} cannot {what}: {source}")]
    Database {
        /// The file, or the database.
        place: String,
        /// What was tried.
        what: &'static str,
        /// What the database reported.
        source: sqlx::Error,
    },
    /// The shared database does not answer; it may later.
    #[error("the index {place} does not answer: {source}")]
    Unreachable {
        /// The database.
        place: String,
        /// What happened.
        source: sqlx::Error,
    },
    /// The lease expired before the change, so nothing was changed.
    #[error("another server may follow the chain now: the lease was not renewed in time")]
    LeaseLost,
}

/// The right to append and to take back, until another server obtains it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Counts the times that the right was obtained anew. A change under an earlier term is refused.
    term: i64,
}

/// Events after `survivor` were taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rollback {
    /// Increases with each rollback.
    pub number: u64,
    /// The newest block that was kept.
    pub survivor: Option<u64>,
}

/// What a reader has not seen yet. All parts are of one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changes {
    /// Rollbacks, oldest first. If there are any, `records` is empty: what is new depends on how far back the reader went.
    pub rollbacks: Vec<Rollback>,
    /// Events, in chain order.
    pub records: Vec<Stored>,
    /// The newest indexed block.
    pub tip: Option<BlockRef>,
}

impl Changes {
    /// Whether the store has nothing after these, which were asked for with this limit.
    pub(super) fn is_last(&self, limit: u32) -> bool {
        self.rollbacks.is_empty() && self.records.len() < limit as usize
    }
}

/// What a database call returns; boxed, so that the choice of the database is no type parameter of the server.
pub type Answer<'a, T> = BoxFuture<'a, Result<T, StoreError>>;

/// A store of one contract's events.
///
/// Every call fails if the database cannot be read or written; nothing was changed then.
pub trait EventStore: fmt::Debug + Send + Sync {
    /// Whether other servers may write to it.
    fn is_shared(&self) -> bool;
    /// Obtains or renews the right to write; `None` while another server has it.
    fn lease(&self) -> Answer<'_, Option<Lease>>;
    /// Gives the right to write back, so that another server need not wait until it expires.
    fn resign(&self) -> Answer<'_, ()>;
    /// The number of the newest rollback; 0 if there was none.
    fn last_rollback(&self) -> Answer<'_, u64>;
    /// Rollbacks after the one with number `seen`; if there are none, up to `limit` events after a position.
    fn changes(&self, seen: u64, after: Option<Position>, limit: u32) -> Answer<'_, Changes>;
    /// Indexed blocks, newest first.
    fn newest_blocks(&self, limit: u32) -> Answer<'_, Vec<BlockRef>>;
    /// Adds the events up to and including block `tip`, all or nothing.
    fn append<'a>(&'a self, lease: Lease, records: &'a [Stored], tip: BlockRef) -> Answer<'a, ()>;
    /// Forgets everything after `block`, or everything if there is none, and records the rollback for readers.
    fn truncate_after(&self, lease: Lease, block: Option<u64>) -> Answer<'_, ()>;
    /// Events after a position, in chain order.
    fn events<'a>(&'a self, filter: &'a Filter, after: Option<Position>, limit: u32) -> Answer<'a, Vec<Stored>>;
    /// The hash of an indexed block that has events, or of the newest.
    fn block_hash(&self, number: u64) -> Answer<'_, Option<B256>>;
    /// Whether the database answers.
    fn alive(&self) -> BoxFuture<'_, bool>;
    /// Gives the lease back and ends all connections; what was written stays.
    fn close(&self) -> BoxFuture<'_, ()>;
}

/// The columns of an event, in this order.
const EVENT_COLUMNS: &str =
    "SELECT e.block, e.log_index, e.block_hash, b.time, e.tx, e.kind, e.campaign, e.account, e.body
     FROM events e JOIN blocks b ON b.number = e.block WHERE (e.block, e.log_index) > (";

/// Completes a query that begins with [`EVENT_COLUMNS`]. Only the conditions that are asked for: SQLite uses no index for
/// one that a parameter switches off.
macro_rules! events_after {
    ($query:ident, $filter:expr, $after:expr, $limit:expr) => {{
        let (filter, after): (&Filter, Option<Position>) = ($filter, $after);
        let (block, log) = after.map_or((-1, -1), |p| (signed(p.block), signed(p.log)));
        $query.push_bind(block).push(", ").push_bind(log).push(")");
        if let Some(campaign) = filter.campaign {
            $query.push(" AND e.campaign = ").push_bind(campaign.to_string());
        }
        if let Some(kind) = &filter.kind {
            $query.push(" AND e.kind = ").push_bind(kind.clone());
        }
        if let Some(account) = filter.account {
            $query.push(" AND e.account = ").push_bind(account.to_string());
        }
        $query.push(" ORDER BY e.block, e.log_index LIMIT ").push_bind(i64::from($limit));
    }};
}
use events_after;

/// A row of a query that begins with [`EVENT_COLUMNS`].
fn stored<R: Row>(row: R) -> Result<Stored, sqlx::Error>
where
    usize: ColumnIndex<R>,
    i64: Type<R::Database> + for<'r> Decode<'r, R::Database>,
    String: Type<R::Database> + for<'r> Decode<'r, R::Database>,
    Option<String>: Type<R::Database> + for<'r> Decode<'r, R::Database>,
{
    let optional = |column: usize| row.try_get::<Option<String>, _>(column);
    Ok(Stored {
        position: Position { block: unsigned(row.try_get(0)?)?, log: unsigned(row.try_get(1)?)? },
        block_hash: parsed(row.try_get(2)?)?,
        time: Timestamp::from_unix(unsigned(row.try_get(3)?)?),
        tx: parsed(row.try_get(4)?)?,
        kind: row.try_get(5)?,
        campaign: optional(6)?.map(parsed).transpose()?,
        account: optional(7)?.map(parsed).transpose()?,
        body: parsed(row.try_get(8)?)?,
    })
}

/// A row of number, hash and time.
fn block<R: Row>(row: R) -> Result<BlockRef, sqlx::Error>
where
    usize: ColumnIndex<R>,
    i64: Type<R::Database> + for<'r> Decode<'r, R::Database>,
    String: Type<R::Database> + for<'r> Decode<'r, R::Database>,
{
    Ok(BlockRef {
        number: unsigned(row.try_get(0)?)?,
        hash: parsed(row.try_get(1)?)?,
        time: Timestamp::from_unix(unsigned(row.try_get(2)?)?),
    })
}

/// A row of number and survivor.
fn rollback<R: Row>(row: R) -> Result<Rollback, sqlx::Error>
where
    usize: ColumnIndex<R>,
    i64: Type<R::Database> + for<'r> Decode<'r, R::Database>,
    Option<i64>: Type<R::Database> + for<'r> Decode<'r, R::Database>,
{
    let survivor: Option<i64> = row.try_get(1)?;
    Ok(Rollback { number: unsigned(row.try_get(0)?)?, survivor: survivor.map(unsigned).transpose()? })
}

fn parsed<T: FromStr>(text: String) -> Result<T, sqlx::Error>
where
    T::Err: std::error::Error + Send + Sync + 'static,
{
    text.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))
}

/// The databases have signed integers only. Block numbers and times fit; what does not is as good as the end of time.
fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn unsigned(value: i64) -> Result<u64, sqlx::Error> {
    value.try_into().map_err(|error| sqlx::Error::Decode(Box::new(error)))
}

#[cfg(test)]
mod tests;
