//! The index in an SQLite file that one server uses.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use alloy::primitives::{Address, B256, TxHash};
use futures::future::BoxFuture;
use sqlx::{
    QueryBuilder, Row as _, Sqlite, SqliteExecutor, SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous},
};

use sonar_protocol::units::Timestamp;

use super::{
    Answer, BlockRef, Changes, ContractIdentity, EVENT_COLUMNS, EventStore, Filter, Lease, OpenOutcome, Position,
    REMEMBERED_BLOCKS, StoreError, StoredEvent, block, events_after, migrator, parsed, rollback, signed, unsigned,
};

const MIGRATIONS: [&str; 2] = [
    include_str!("../../../migrations/sqlite/0001_index.sql"),
    include_str!("../../../migrations/sqlite/0002_rollbacks.sql"),
];
const CONNECTIONS: u32 = 4;
/// Page cache of a connection in KiB, negative by SQLite's convention. With its default of 2 MiB, an index of a million events
/// grows more slowly the larger it is.
const CACHE: &str = "-32768";
/// The server's lock file excludes other servers, so the only term never ends.
const OWN: Lease = Lease { term: 0 };

/// An index file. Cheap to clone.
#[derive(Clone, Debug)]
pub struct SqliteStore {
    pool: SqlitePool,
    path: PathBuf,
}

impl SqliteStore {
    /// Opens or creates the index at `path`. A file that is damaged, or belongs to another chain or contract, is
    /// renamed.
    ///
    /// # Errors
    /// The file cannot be created.
    pub async fn open(path: &Path, identity: ContractIdentity) -> Result<(Self, OpenOutcome), StoreError> {
        let existed = path.exists();
        let reason = match Self::connect(path).await {
            Ok(store) => match store.mismatch(identity).await {
                Ok(None) if existed => return Ok((store, OpenOutcome::Continued)),
                Ok(None) => return Ok((store, OpenOutcome::Fresh)),
                Ok(Some(other)) => {
                    store.pool.close().await;
                    other
                }
                Err(source) => {
                    store.pool.close().await;
                    source.to_string()
                }
            },
            Err((_, source)) if existed => source.to_string(),
            Err((what, source)) => return Err(error(path, what, source)),
        };
        put_aside(path).map_err(|source| error(path, "be renamed", sqlx::Error::Io(source)))?;
        let store = Self::connect(path).await.map_err(|(what, source)| error(path, what, source))?;
        store.mismatch(identity).await.map_err(|source| store.error("be written", source))?;
        Ok((store, OpenOutcome::Replaced(reason)))
    }

    async fn connect(path: &Path) -> Result<Self, (&'static str, sqlx::Error)> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .busy_timeout(Duration::from_secs(5))
            .pragma("cache_size", CACHE);
        let pool = SqlitePoolOptions::new()
            .max_connections(CONNECTIONS)
            // A file does not hang up, and asking takes as long as a short query.
            .test_before_acquire(false)
            .acquire_timeout(Duration::from_secs(10))
            .connect_with(options)
            .await
            .map_err(|source| ("be opened", source))?;
        let store = Self { pool, path: path.to_owned() };
        let check: String = sqlx::query_scalar("PRAGMA quick_check(1)")
            .fetch_one(&store.pool)
            .await
            .map_err(|source| ("be checked", source))?;
        if check != "ok" {
            store.pool.close().await;
            return Err(("be trusted", sqlx::Error::Protocol(check)));
        }
        Ok(store)
    }

    /// Creates or migrates the tables; returns the reason if the content cannot be used.
    async fn mismatch(&self, identity: ContractIdentity) -> Result<Option<String>, sqlx::Error> {
        migrator(&MIGRATIONS).run(&self.pool).await?;
        sqlx::query("INSERT OR IGNORE INTO identity (only_row, chain_id, contract) VALUES (1, ?, ?)")
            .bind(signed(identity.chain_id))
            .bind(identity.contract.to_string())
            .execute(&self.pool)
            .await?;
        let row = sqlx::query("SELECT chain_id, contract FROM identity").fetch_one(&self.pool).await?;
        let (chain, contract): (i64, String) = (row.try_get(0)?, row.try_get(1)?);
        let same = chain == signed(identity.chain_id) && contract == identity.contract.to_string();
        Ok((!same).then(|| format!("it is about contract {contract} on chain {chain}")))
    }

    fn error(&self, what: &'static str, source: sqlx::Error) -> StoreError {
        error(&self.path, what, source)
    }

    async fn changes_since(&self, seen: u64, after: Option<Position>, limit: u32) -> Result<Changes, sqlx::Error> {
        // A transaction reads a consistent snapshot.
        let mut tx = self.pool.begin().await?;
        let rollbacks = sqlx::query("SELECT number, survivor FROM rollbacks WHERE number > ? ORDER BY number")
            .bind(signed(seen))
            .try_map(rollback)
            .fetch_all(&mut *tx)
            .await?;
        let records =
            if rollbacks.is_empty() { page(&mut *tx, &Filter::default(), after, limit).await? } else { Vec::new() };
        let tip = sqlx::query("SELECT number, hash, time FROM blocks ORDER BY number DESC LIMIT 1")
            .try_map(block)
            .fetch_optional(&mut *tx)
            .await?;
        Ok(Changes { rollbacks, records, tip })
    }

    async fn append_all(&self, records: &[StoredEvent], tip: BlockRef) -> Result<(), sqlx::Error> {
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
            .bind(record.body.as_str())
            .execute(&mut *tx)
            .await?;
        }
        for block in records.iter().map(StoredEvent::block).chain([tip]) {
            sqlx::query("INSERT OR REPLACE INTO blocks (number, hash, time) VALUES (?, ?, ?)")
                .bind(signed(block.number))
                .bind(block.hash.to_string())
                .bind(signed(block.time.unix()))
                .execute(&mut *tx)
                .await?;
        }
        // Older blocks were removed when earlier batches were added.
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

    async fn truncate(&self, survivor: Option<u64>) -> Result<(), sqlx::Error> {
        let kept = survivor.map_or(-1, signed);
        let mut tx = self.pool.begin().await?;
        sqlx::query("DELETE FROM events WHERE block > ?").bind(kept).execute(&mut *tx).await?;
        sqlx::query("DELETE FROM blocks WHERE number > ?").bind(kept).execute(&mut *tx).await?;
        let record = sqlx::query("INSERT INTO rollbacks (survivor) VALUES (?)");
        record.bind(survivor.map(signed)).execute(&mut *tx).await?;
        tx.commit().await
    }
}

/// Position, block hash, time, transaction, name, campaign, account and body of an event.
type EventRow = (u64, u64, B256, u64, TxHash, String, Option<B256>, Option<Address>, String);

/// Events after a position, in chain order. The database returns them as one row: each row that its thread hands over costs a switch
/// between threads, which takes longer than reading the row.
async fn page(
    executor: impl SqliteExecutor<'_>,
    filter: &Filter,
    after: Option<Position>,
    limit: u32,
) -> Result<Vec<StoredEvent>, sqlx::Error> {
    let mut query = QueryBuilder::<Sqlite>::new(
        "SELECT json_group_array(
             json_array(block, log_index, block_hash, time, tx, kind, campaign, account, body) ORDER BY block, log_index
         ) FROM (",
    );
    query.push(EVENT_COLUMNS);
    events_after!(query, filter, after, limit);
    query.push(")");
    let rows: String = query.build_query_scalar().fetch_one(executor).await?;
    let rows: Vec<EventRow> = serde_json::from_str(&rows).map_err(decode)?;
    rows.into_iter().map(event).collect()
}

fn event(
    (block, log, block_hash, time, tx, kind, campaign, account, body): EventRow,
) -> Result<StoredEvent, sqlx::Error> {
    let (position, time) = (Position { block, log }, Timestamp::from_unix(time));
    Ok(StoredEvent { position, block_hash, time, tx, kind, campaign, account, body: body.parse().map_err(decode)? })
}

fn decode(error: serde_json::Error) -> sqlx::Error {
    sqlx::Error::Decode(Box::new(error))
}

impl EventStore for SqliteStore {
    fn is_shared(&self) -> bool {
        false
    }

    fn lease(&self) -> Answer<'_, Option<Lease>> {
        Box::pin(async { Ok(Some(OWN)) })
    }

    fn resign(&self) -> Answer<'_, ()> {
        Box::pin(async { Ok(()) })
    }

    fn last_rollback(&self) -> Answer<'_, u64> {
        Box::pin(async {
            sqlx::query_scalar("SELECT COALESCE(MAX(number), 0) FROM rollbacks")
                .fetch_one(&self.pool)
                .await
                .and_then(unsigned)
                .map_err(|source| self.error("be read", source))
        })
    }

    fn changes(&self, seen: u64, after: Option<Position>, limit: u32) -> Answer<'_, Changes> {
        Box::pin(
            async move { self.changes_since(seen, after, limit).await.map_err(|source| self.error("be read", source)) },
        )
    }

    fn newest_blocks(&self, limit: u32) -> Answer<'_, Vec<BlockRef>> {
        Box::pin(async move {
            sqlx::query("SELECT number, hash, time FROM blocks ORDER BY number DESC LIMIT ?")
                .bind(limit)
                .try_map(block)
                .fetch_all(&self.pool)
                .await
                .map_err(|source| self.error("be read", source))
        })
    }

    fn append<'a>(&'a self, _: Lease, records: &'a [StoredEvent], tip: BlockRef) -> Answer<'a, ()> {
        Box::pin(async move { self.append_all(records, tip).await.map_err(|source| self.error("be written", source)) })
    }

    fn truncate_after(&self, _: Lease, block: Option<u64>) -> Answer<'_, ()> {
        Box::pin(async move { self.truncate(block).await.map_err(|source| self.error("be written", source)) })
    }

    fn events<'a>(&'a self, filter: &'a Filter, after: Option<Position>, limit: u32) -> Answer<'a, Vec<StoredEvent>> {
        Box::pin(
            async move { page(&self.pool, filter, after, limit).await.map_err(|source| self.error("be read", source)) },
        )
    }

    fn block_hash(&self, number: u64) -> Answer<'_, Option<B256>> {
        Box::pin(async move {
            sqlx::query("SELECT hash FROM blocks WHERE number = ?")
                .bind(signed(number))
                .try_map(|row: SqliteRow| parsed(row.try_get(0)?))
                .fetch_optional(&self.pool)
                .await
                .map_err(|source| self.error("be read", source))
        })
    }

    fn alive(&self) -> BoxFuture<'_, bool> {
        Box::pin(async { sqlx::query("SELECT 1").execute(&self.pool).await.is_ok() })
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.pool.close())
    }
}

fn error(path: &Path, what: &'static str, source: sqlx::Error) -> StoreError {
    StoreError::Database { place: path.display().to_string(), what, source }
}

/// Renames a database file and its `-wal` and `-shm` files, replacing an earlier renamed file.
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
