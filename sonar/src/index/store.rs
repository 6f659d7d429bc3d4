//! The index on disk: raw typed events by position, and the hashes of their blocks.

use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use alloy::primitives::{Address, B256, TxHash};
use serde::Deserialize;
use sqlx::{
    QueryBuilder, Row as _, Sqlite, SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous},
};

use sonar_protocol::event::{LogPosition, Record};

/// Blocks without events that are remembered below the newest, to find a common ancestor after a rollback.
const REMEMBERED_BLOCKS: i64 = 256;
const CONNECTIONS: u32 = 4;

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
    /// Unix time.
    pub time: u64,
}

/// One event as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Where it is.
    pub position: Position,
    /// The hash of its block.
    pub block_hash: B256,
    /// The unix time of its block.
    pub time: u64,
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

/// Why the index on disk cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the index {path} cannot {what}: {source}")]
pub struct StoreError {
    path: PathBuf,
    what: &'static str,
    source: sqlx::Error,
}

/// The index on disk. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    pool: SqlitePool,
    path: PathBuf,
}

impl Store {
    /// Opens or makes the index at `path`. An index that is damaged, or of another chain or contract, is put aside.
    ///
    /// # Errors
    /// The file cannot be made.
    pub async fn open(path: &Path, identity: Identity) -> Result<(Self, Opened), StoreError> {
        let existed = path.exists();
        let reason = match Self::connect(path).await {
            Ok(store) => match store.usable(identity).await {
                Ok(None) if existed => return Ok((store, Opened::Continued)),
                Ok(None) => return Ok((store, Opened::Fresh)),
                Ok(Some(other)) => {
                    store.pool.close().await;
                    other
                }
                Err(error) => {
                    store.pool.close().await;
                    error.source.to_string()
                }
            },
            Err(error) if existed => error.source.to_string(),
            Err(error) => return Err(error),
        };
        put_aside(path).map_err(|error| StoreError {
            path: path.to_owned(),
            what: "be put aside",
            source: sqlx::Error::Io(error),
        })?;
        let store = Self::connect(path).await?;
        store.usable(identity).await?;
        Ok((store, Opened::Replaced(reason)))
    }

    async fn connect(path: &Path) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .busy_timeout(Duration::from_secs(5));
        let fail = |what, source| StoreError { path: path.to_owned(), what, source };
        let pool = SqlitePoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(Duration::from_secs(10))
            .connect_with(options)
            .await
            .map_err(|source| fail("be opened", source))?;
        let store = Self { pool, path: path.to_owned() };
        let check: String = sqlx::query_scalar("PRAGMA quick_check(1)")
            .fetch_one(&store.pool)
            .await
            .map_err(|source| fail("be checked", source))?;
        if check != "ok" {
            store.pool.close().await;
            return Err(fail("be trusted", sqlx::Error::Protocol(check)));
        }
        Ok(store)
    }

    /// Brings the tables up to date; says why the content is of no use, if so.
    async fn usable(&self, identity: Identity) -> Result<Option<String>, StoreError> {
        sqlx::migrate!().run(&self.pool).await.map_err(|error| self.error("be migrated", error.into()))?;
        sqlx::query("INSERT OR IGNORE INTO identity (only_row, chain_id, contract) VALUES (1, ?, ?)")
            .bind(signed(identity.chain_id))
            .bind(identity.contract.to_string())
            .execute(&self.pool)
            .await
            .map_err(|e| self.error("be written", e))?;
        let row = sqlx::query("SELECT chain_id, contract FROM identity")
            .fetch_one(&self.pool)
            .await
            .map_err(|e| self.error("be read", e))?;
        let (chain, contract): (i64, String) = (row.get(0), row.get(1));
        let same = chain == signed(identity.chain_id) && contract == identity.contract.to_string();
        Ok((!same).then(|| format!("it is about contract {contract} on chain {chain}")))
    }

    fn error(&self, what: &'static str, source: sqlx::Error) -> StoreError {
        StoreError { path: self.path.clone(), what, source }
    }

    /// The newest indexed block.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn tip(&self) -> Result<Option<BlockRef>, StoreError> {
        Ok(self.newest_blocks(1).await?.into_iter().next())
    }

    /// Indexed blocks, newest first.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn newest_blocks(&self, limit: u32) -> Result<Vec<BlockRef>, StoreError> {
        sqlx::query("SELECT number, hash, time FROM blocks ORDER BY number DESC LIMIT ?")
            .bind(limit)
            .try_map(|row: SqliteRow| {
                Ok(BlockRef { number: unsigned(&row, 0)?, hash: parsed(&row, 1)?, time: unsigned(&row, 2)? })
            })
            .fetch_all(&self.pool)
            .await
            .map_err(|e| self.error("be read", e))
    }

    /// Adds the events up to and including block `tip`, all or nothing.
    ///
    /// # Errors
    /// The database cannot be written; nothing was added.
    pub async fn append(&self, records: &[Stored], tip: BlockRef) -> Result<(), StoreError> {
        self.append_all(records, tip).await.map_err(|e| self.error("be written", e))
    }

    async fn append_all(&self, records: &[Stored], tip: BlockRef) -> Result<(), sqlx::Error> {
        let mut tx = self.pool.begin().await?;
        let before: Option<i64> = sqlx::query_scalar("SELECT MAX(number) FROM blocks").fetch_one(&mut *tx).await?;
        for record in records {
            sqlx::query(
                "INSERT INTO events (block, log_index, block_hash, tx, kind, campaign, account, body)
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            )
            .bind(signed(record.position.block))
            .bind(signed(record.position.log))
            .bind(record.block_hash.to_string())
            .bind(record.tx.to_string())
            .bind(&record.kind)
            .bind(record.campaign.map(|id| id.to_string()))
            .bind(record.account.map(|account| account.to_string()))
            .bind(record.body.to_string())
            .execute(&mut *tx)
            .await?;
        }
        let blocks = records.iter().map(|r| BlockRef { number: r.position.block, hash: r.block_hash, time: r.time });
        for block in blocks.chain([tip]) {
            sqlx::query("INSERT OR REPLACE INTO blocks (number, hash, time) VALUES (?, ?, ?)")
                .bind(signed(block.number))
                .bind(block.hash.to_string())
                .bind(signed(block.time))
                .execute(&mut *tx)
                .await?;
        }
        // Older blocks were looked through when earlier ones were added.
        sqlx::query(
            "DELETE FROM blocks WHERE number >= ? AND number < ?
               AND NOT EXISTS (SELECT 1 FROM events WHERE events.block = blocks.number)",
        )
        .bind(before.unwrap_or_default() - REMEMBERED_BLOCKS)
        .bind(signed(tip.number) - REMEMBERED_BLOCKS)
        .execute(&mut *tx)
        .await?;
        tx.commit().await
    }

    /// Forgets everything after `block`; everything at all if there is none.
    ///
    /// # Errors
    /// The database cannot be written; nothing was forgotten.
    pub async fn truncate_after(&self, block: Option<u64>) -> Result<(), StoreError> {
        let block = block.map_or(-1, signed);
        let work = async {
            let mut tx = self.pool.begin().await?;
            sqlx::query("DELETE FROM events WHERE block > ?").bind(block).execute(&mut *tx).await?;
            sqlx::query("DELETE FROM blocks WHERE number > ?").bind(block).execute(&mut *tx).await?;
            tx.commit().await
        };
        work.await.map_err(|e| self.error("be written", e))
    }

    /// Events after a position, in chain order.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn events(
        &self,
        filter: &Filter,
        after: Option<Position>,
        limit: u32,
    ) -> Result<Vec<Stored>, StoreError> {
        let (block, log) = after.map_or((-1, -1), |p| (signed(p.block), signed(p.log)));
        // Only the conditions that are asked for: SQLite uses no index for one that a parameter switches off.
        let mut query = QueryBuilder::<Sqlite>::new(
            "SELECT e.block, e.log_index, e.block_hash, b.time, e.tx, e.kind, e.campaign, e.account, e.body
             FROM events e JOIN blocks b ON b.number = e.block WHERE (e.block, e.log_index) > (",
        );
        query.push_bind(block).push(", ").push_bind(log).push(")");
        if let Some(campaign) = filter.campaign {
            query.push(" AND e.campaign = ").push_bind(campaign.to_string());
        }
        if let Some(kind) = &filter.kind {
            query.push(" AND e.kind = ").push_bind(kind.as_str());
        }
        if let Some(account) = filter.account {
            query.push(" AND e.account = ").push_bind(account.to_string());
        }
        query
            .push(" ORDER BY e.block, e.log_index LIMIT ")
            .push_bind(limit)
            .build()
            .try_map(record)
            .fetch_all(&self.pool)
            .await
            .map_err(|e| self.error("be read", e))
    }

    /// The hash of an indexed block that has events, or of the newest.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn block_hash(&self, number: u64) -> Result<Option<B256>, StoreError> {
        sqlx::query("SELECT hash FROM blocks WHERE number = ?")
            .bind(signed(number))
            .try_map(|row: SqliteRow| parsed(&row, 0))
            .fetch_optional(&self.pool)
            .await
            .map_err(|e| self.error("be read", e))
    }

    /// Whether the database answers.
    pub async fn alive(&self) -> bool {
        sqlx::query("SELECT 1").execute(&self.pool).await.is_ok()
    }

    /// Ends all connections; what was written is on disk.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

fn record(row: SqliteRow) -> Result<Stored, sqlx::Error> {
    Ok(Stored {
        position: Position { block: unsigned(&row, 0)?, log: unsigned(&row, 1)? },
        block_hash: parsed(&row, 2)?,
        time: unsigned(&row, 3)?,
        tx: parsed(&row, 4)?,
        kind: row.try_get(5)?,
        campaign: optional(&row, 6)?,
        account: optional(&row, 7)?,
        body: parsed(&row, 8)?,
    })
}

fn parsed<T: FromStr>(row: &SqliteRow, column: usize) -> Result<T, sqlx::Error>
where
    T::Err: std::error::Error + Send + Sync + 'static,
{
    let text: String = row.try_get(column)?;
    text.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))
}

fn optional<T: FromStr>(row: &SqliteRow, column: usize) -> Result<Option<T>, sqlx::Error>
where
    T::Err: std::error::Error + Send + Sync + 'static,
{
    let text: Option<String> = row.try_get(column)?;
    text.map(|text| text.parse()).transpose().map_err(|error| sqlx::Error::Decode(Box::new(error)))
}

/// SQLite has signed integers only; block numbers and times fit, what does not is as good as the end of time.
fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn unsigned(row: &SqliteRow, column: usize) -> Result<u64, sqlx::Error> {
    let value: i64 = row.try_get(column)?;
    value.try_into().map_err(|error| sqlx::Error::Decode(Box::new(error)))
}

/// Moves a database and its companions away, replacing what was put aside before.
pub(crate) fn put_aside(path: &Path) -> std::io::Result<()> {
    for suffix in ["", "-wal", "-shm"] {
        let mut from = path.as_os_str().to_owned();
        from.push(suffix);
        let mut to = path.as_os_str().to_owned();
        to.push(".unusable");
        to.push(suffix);
        match std::fs::rename(&from, &to) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDENTITY: Identity = Identity { chain_id: 31337, contract: Address::repeat_byte(1) };

    fn block(number: u64) -> BlockRef {
        BlockRef { number, hash: B256::with_last_byte(number as u8), time: 1000 + number }
    }

    fn event(number: u64, log: u64, kind: &str) -> Stored {
        Stored {
            position: Position { block: number, log },
            block_hash: block(number).hash,
            time: block(number).time,
            tx: TxHash::repeat_byte(7),
            kind: kind.into(),
            campaign: Some(B256::repeat_byte(log as u8)),
            account: None,
            body: serde_json::json!({}),
        }
    }

    #[tokio::test]
    async fn old_blocks_without_events_are_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let (store, _) = Store::open(&dir.path().join("a"), IDENTITY).await.unwrap();
        store.append(&[event(3, 0, "opened")], block(3)).await.unwrap();
        for number in [10, 20, 1000, 1300] {
            store.append(&[], block(number)).await.unwrap();
        }
        assert_eq!(store.newest_blocks(9).await.unwrap(), [block(1300), block(3)]);
    }

    #[tokio::test]
    async fn events_come_back_in_chain_order_and_filtered() {
        let dir = tempfile::tempdir().unwrap();
        let (store, opened) = Store::open(&dir.path().join("a"), IDENTITY).await.unwrap();
        assert_eq!(opened, Opened::Fresh);
        let all = [event(3, 0, "opened"), event(3, 1, "submitted"), event(5, 0, "submitted")];
        store.append(&all, block(9)).await.unwrap();

        assert_eq!(store.events(&Filter::default(), None, 10).await.unwrap(), all);
        assert_eq!(store.events(&Filter::default(), Some(all[0].position), 1).await.unwrap(), all[1..2]);
        let submitted = Filter { kind: Some("submitted".into()), ..Filter::default() };
        assert_eq!(store.events(&submitted, None, 10).await.unwrap(), all[1..]);
        let first = Filter { campaign: Some(B256::ZERO), ..Filter::default() };
        assert_eq!(store.events(&first, None, 10).await.unwrap().len(), 2);
        assert_eq!(store.tip().await.unwrap(), Some(block(9)));
    }

    #[tokio::test]
    async fn truncation_forgets_exactly_what_is_newer() {
        let dir = tempfile::tempdir().unwrap();
        let (store, _) = Store::open(&dir.path().join("a"), IDENTITY).await.unwrap();
        store.append(&[event(3, 0, "a")], block(4)).await.unwrap();
        store.append(&[event(5, 0, "b")], block(6)).await.unwrap();
        store.truncate_after(Some(4)).await.unwrap();
        assert_eq!(store.events(&Filter::default(), None, 10).await.unwrap(), [event(3, 0, "a")]);
        assert_eq!(store.newest_blocks(10).await.unwrap(), [block(4), block(3)]);
        store.truncate_after(None).await.unwrap();
        assert_eq!(store.tip().await.unwrap(), None);
    }

    #[tokio::test]
    async fn an_index_of_another_contract_or_a_damaged_one_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        let (store, _) = Store::open(&path, IDENTITY).await.unwrap();
        store.append(&[event(3, 0, "a")], block(4)).await.unwrap();
        store.close().await;

        let (store, opened) = Store::open(&path, IDENTITY).await.unwrap();
        assert_eq!((opened, store.tip().await.unwrap()), (Opened::Continued, Some(block(4))));
        store.close().await;

        let other = Identity { chain_id: 1, ..IDENTITY };
        let (store, opened) = Store::open(&path, other).await.unwrap();
        assert!(matches!(opened, Opened::Replaced(reason) if reason.contains("31337")));
        assert_eq!(store.tip().await.unwrap(), None);
        store.close().await;

        std::fs::write(&path, b"not a database, but long enough to look like a file that somebody overwrote").unwrap();
        let (store, opened) = Store::open(&path, IDENTITY).await.unwrap();
        assert!(matches!(opened, Opened::Replaced(_)));
        assert_eq!(store.tip().await.unwrap(), None);
    }

    #[test]
    fn positions_read_back() {
        let position = Position { block: 12, log: 3 };
        assert_eq!(position.to_string().parse(), Ok(position));
        for text in ["", "12", "12-", "-3", "a-b", "1-2-3"] {
            assert!(text.parse::<Position>().is_err(), "{text}");
        }
    }
}
