//! Where the index keeps raw typed events by position, and the hashes of their blocks: an SQLite file of one server, or
//! a PostgreSQL database that several servers share.
//!
//! Only the server that holds the [`Lease`] appends events and rolls back. The others read what has changed
//! ([`EventStore::changes`]).

mod postgres;
mod sqlite;

use std::{fmt, path::PathBuf, str::FromStr, sync::Arc};

use alloy::primitives::{Address, B256, TxHash};
use futures::future::BoxFuture;
use serde::Serialize;
use serde_json::value::RawValue;
use sqlx::{
    ColumnIndex, Decode, Row, SqlSafeStr, Type,
    migrate::{Migration, MigrationType, Migrator},
};

use sonar_protocol::{
    event::{LogPosition, Record},
    units::Timestamp,
};

pub use postgres::{DatabaseUrl, InvalidDatabaseUrl};
pub(crate) use sqlite::put_aside;

/// Number of newest blocks that are stored even without events, to find a common ancestor after a rollback.
const REMEMBERED_BLOCKS: i64 = 256;

/// Position of an event on the chain; ordered as on the chain.
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

/// Text that is not a position.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not the position of an event; expected BLOCK-LOG, for example 12-0")]
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

/// A stored event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEvent {
    /// Its position on the chain.
    pub position: Position,
    /// The hash of its block.
    pub block_hash: B256,
    /// The time of its block.
    pub time: Timestamp,
    /// The transaction that caused it.
    pub tx: TxHash,
    /// The name of the event.
    pub kind: String,
    /// The campaign that it concerns, if any.
    pub campaign: Option<B256>,
    /// The account that it concerns, if any.
    pub account: Option<Address>,
    /// The typed event.
    pub body: Body,
}

/// An event as JSON. It stays text, because most readers only forward it.
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
pub struct Body(Box<RawValue>);

impl Body {
    /// The JSON text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.get()
    }
}

impl FromStr for Body {
    type Err = serde_json::Error;

    fn from_str(text: &str) -> Result<Self, serde_json::Error> {
        RawValue::from_string(text.to_owned()).map(Self)
    }
}

impl PartialEq for Body {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Body {}

impl StoredEvent {
    /// The stored form of an event.
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
            body: Body(serde_json::value::to_raw_value(&record.event)?),
        })
    }

    /// Number, hash and time of its block.
    fn block(&self) -> BlockRef {
        BlockRef { number: self.position.block, hash: self.block_hash, time: self.time }
    }

    /// Parses the stored JSON.
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
            event: serde_json::from_str(self.body.as_str())?,
        })
    }
}

/// Filter of events; a field that is `None` does not restrict.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of this campaign.
    pub campaign: Option<B256>,
    /// With this name.
    pub kind: Option<String>,
    /// About this account.
    pub account: Option<Address>,
}

/// The contract that an index covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContractIdentity {
    /// Chain.
    pub chain_id: u64,
    /// Sonar's contract on it.
    pub contract: Address,
}

/// State of a store when it was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OpenOutcome {
    /// It has the events of an earlier run.
    Continued,
    /// Empty.
    Fresh,
    /// It was unusable for the given reason; it was renamed and replaced by an empty one.
    Replaced(String),
}

/// Where a server stores its index and the pending settlements.
#[derive(Clone, Debug)]
pub enum Database {
    /// In SQLite files in this directory.
    Directory(PathBuf),
    /// In a PostgreSQL database, which other servers may share.
    Postgres(DatabaseUrl),
}

impl Database {
    /// Opens the store of a contract's events.
    ///
    /// # Errors
    /// The file cannot be created, or the database refuses or does not answer.
    pub async fn events(&self, identity: ContractIdentity) -> Result<(Arc<dyn EventStore>, OpenOutcome), StoreError> {
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
    /// The shared database does not answer; retry later.
    #[error("the index {place} does not answer: {source}")]
    Unreachable {
        /// The database.
        place: String,
        /// What happened.
        source: sqlx::Error,
    },
    /// The lease expired before the change, so nothing was changed.
    #[error("the lease was not renewed in time; another server may follow the chain now")]
    LeaseLost,
}

/// The right to append events and to roll back, until another server obtains it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Increases each time that the lease is obtained anew. A change under an earlier term is refused.
    term: i64,
}

/// A rollback: events after `survivor` were removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rollback {
    /// Increases with each rollback.
    pub number: u64,
    /// The newest block that was kept.
    pub survivor: Option<u64>,
}

/// What a reader has not seen yet; a consistent snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changes {
    /// Rollbacks, oldest first. If there are any, `records` is empty: what is new depends on how far back the reader went.
    pub rollbacks: Vec<Rollback>,
    /// Events, in chain order.
    pub records: Vec<StoredEvent>,
    /// The newest indexed block.
    pub tip: Option<BlockRef>,
}

impl Changes {
    /// Whether these are the last events of the store, if they were read with this limit.
    pub(super) fn is_last(&self, limit: u32) -> bool {
        self.rollbacks.is_empty() && self.records.len() < limit as usize
    }
}

/// What a database call returns. Boxed, so that the server needs no type parameter for the database.
pub type Answer<'a, T> = BoxFuture<'a, Result<T, StoreError>>;

/// A store of one contract's events.
///
/// Every call fails if the database cannot be read or written; then nothing was changed.
pub trait EventStore: fmt::Debug + Send + Sync {
    /// Whether other servers may write to it.
    fn is_shared(&self) -> bool;
    /// Obtains or renews the right to write; `None` while another server has it.
    fn lease(&self) -> Answer<'_, Option<Lease>>;
    /// Releases the lease, so that another server need not wait until it expires.
    fn resign(&self) -> Answer<'_, ()>;
    /// The number of the newest rollback; 0 if there was none.
    fn last_rollback(&self) -> Answer<'_, u64>;
    /// Rollbacks after the one with number `seen`; without rollbacks, up to `limit` events after a position.
    fn changes(&self, seen: u64, after: Option<Position>, limit: u32) -> Answer<'_, Changes>;
    /// Indexed blocks, newest first.
    fn newest_blocks(&self, limit: u32) -> Answer<'_, Vec<BlockRef>>;
    /// Adds the events up to and including block `tip`, all or nothing.
    fn append<'a>(&'a self, lease: Lease, records: &'a [StoredEvent], tip: BlockRef) -> Answer<'a, ()>;
    /// Removes everything after `block`, or everything if it is `None`, and records the rollback for readers.
    fn truncate_after(&self, lease: Lease, block: Option<u64>) -> Answer<'_, ()>;
    /// Events after a position, in chain order.
    fn events<'a>(&'a self, filter: &'a Filter, after: Option<Position>, limit: u32) -> Answer<'a, Vec<StoredEvent>>;
    /// The hash of an indexed block that has events, or of the newest.
    fn block_hash(&self, number: u64) -> Answer<'_, Option<B256>>;
    /// Whether the database answers.
    fn alive(&self) -> BoxFuture<'_, bool>;
    /// Releases the lease and closes all connections.
    fn close(&self) -> BoxFuture<'_, ()>;
}

/// The columns of an event, in this order.
const EVENT_COLUMNS: &str =
    "SELECT e.block, e.log_index, e.block_hash, b.time, e.tx, e.kind, e.campaign, e.account, e.body
     FROM events e JOIN blocks b ON b.number = e.block WHERE (e.block, e.log_index) > (";

/// Completes a query that begins with [`EVENT_COLUMNS`]. Adds only the conditions that are needed: SQLite uses no index
/// for a condition that a parameter switches off.
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

/// Migrations of the tables, in order. Not by `sqlx::migrate!`, because its macro builds both database drivers once
/// more, for the compiler.
fn migrator(scripts: &[&'static str]) -> Migrator {
    let migration = |(version, script): (i64, &&'static str)| {
        Migration::new(version, "".into(), MigrationType::Simple, script.into_sql_str(), false)
    };
    Migrator::with_migrations((1..).zip(scripts).map(migration).collect())
}

/// Converts a row of number, hash and time.
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

/// Converts a row of number and survivor.
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

/// The databases have only signed integers. Block numbers and times fit; larger numbers are clamped.
fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn unsigned(value: i64) -> Result<u64, sqlx::Error> {
    value.try_into().map_err(|error| sqlx::Error::Decode(Box::new(error)))
}

#[cfg(test)]
mod tests;
