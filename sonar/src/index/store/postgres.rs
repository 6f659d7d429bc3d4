//! The index in a PostgreSQL database that several servers share.
//!
//! One of them holds the lease: a row with the holder, the term and the time at which it expires by the clock of the
//! database. Every change locks that row first and renews the lease, so a server that has lost the lease cannot change
//! anything, however late it notices. Each contract has its own schema, so that one database serves several contracts.

use std::{fmt, str::FromStr, time::Duration};

use alloy::primitives::B256;
use futures::future::BoxFuture;
use sqlx::{
    AssertSqlSafe, Connection as _, PgPool, PgTransaction, Postgres, QueryBuilder, Row as _,
    postgres::{PgConnectOptions, PgConnection, PgPoolOptions, PgRow},
};

use sonar_protocol::units::Timestamp;

use super::{
    Answer, BlockRef, Changes, ContractIdentity, EVENT_COLUMNS, EventStore, Filter, Lease, OpenOutcome, Position,
    REMEMBERED_BLOCKS, StoreError, StoredEvent, block, events_after, migrator, parsed, rollback, signed, unsigned,
};

const MIGRATIONS: [&str; 1] = [include_str!("../../../migrations/postgres/0001_index.sql")];
const CONNECTIONS: u32 = 8;
/// Duration of a lease that is not renewed.
pub(super) const LEASE: Duration = Duration::from_secs(5);
/// A server whose network fails during a change keeps the row of the lease locked until the database ends its session
/// after this time.
const IDLE_IN_TRANSACTION: Duration = Duration::from_secs(4);
/// Time limit for a call, because the network may fail without an error.
const LONGEST_CALL: Duration = Duration::from_secs(20);
/// Advisory lock under which a server creates the schema. The number is arbitrary.
const SCHEMA_LOCK: i64 = 0x736f_6e61_7201;

/// The address of a PostgreSQL database. `Display` and `Debug` omit the password.
#[derive(Clone)]
pub struct DatabaseUrl(Box<PgConnectOptions>);

/// Why text is not the address of a database.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDatabaseUrl {
    /// The address does not begin with `postgres://` or `postgresql://`.
    #[error("expected the address of a PostgreSQL database, for example postgres://sonar@db.example/sonar")]
    Scheme,
    /// A part is invalid. The message does not repeat the address, which may contain a password.
    #[error("invalid address of the database: {0}; expected postgres://USER:PASSWORD@HOST/DATABASE")]
    Part(String),
}

impl FromStr for DatabaseUrl {
    type Err = InvalidDatabaseUrl;

    fn from_str(text: &str) -> Result<Self, InvalidDatabaseUrl> {
        if !["postgres://", "postgresql://"].iter().any(|scheme| text.starts_with(scheme)) {
            return Err(InvalidDatabaseUrl::Scheme);
        }
        let options = text.parse().map_err(|error: sqlx::Error| InvalidDatabaseUrl::Part(error.to_string()))?;
        Ok(Self(Box::new(options)))
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(options) = self;
        let database = options.get_database().unwrap_or(options.get_username());
        match options.get_socket() {
            Some(socket) => write!(f, "{database} at {}", socket.display()),
            None => write!(f, "{database} at {}:{}", options.get_host(), options.get_port()),
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({self})")
    }
}

impl DatabaseUrl {
    /// A pool of connections to the schema of one contract; creates the schema if it is missing.
    ///
    /// # Errors
    /// The database refuses, or does not answer.
    pub(crate) async fn connect(&self, identity: ContractIdentity, connections: u32) -> Result<PgPool, sqlx::Error> {
        within_limit(self.prepare(identity, connections)).await
    }

    async fn prepare(&self, identity: ContractIdentity, connections: u32) -> Result<PgPool, sqlx::Error> {
        let schema = schema(identity);
        let options = PgConnectOptions::clone(&self.0).application_name("sonar");
        let mut connection = PgConnection::connect_with(&options).await?;
        let exists: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)")
            .bind(&schema)
            .fetch_one(&mut connection)
            .await?;
        if !exists {
            // Statements that are sent together form one transaction.
            let create = format!("SELECT pg_advisory_xact_lock({SCHEMA_LOCK}); CREATE SCHEMA IF NOT EXISTS {schema}");
            sqlx::raw_sql(AssertSqlSafe(create)).execute(&mut connection).await?;
        }
        let settings = format!(
            "SET search_path TO {schema}; SET idle_in_transaction_session_timeout TO {}; SET statement_timeout TO {}",
            IDLE_IN_TRANSACTION.as_millis(),
            LONGEST_CALL.as_millis()
        );
        sqlx::raw_sql(AssertSqlSafe(settings.clone())).execute(&mut connection).await?;
        migrator(&MIGRATIONS).run(&mut connection).await?;
        connection.close().await?;
        PgPoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(Duration::from_secs(10))
            .after_connect(move |connection, _| {
                let settings = settings.clone();
                Box::pin(async move { sqlx::raw_sql(AssertSqlSafe(settings)).execute(connection).await.map(drop) })
            })
            .connect_with(options)
            .await
    }
}

/// The name of a contract's schema. PostgreSQL allows 63 letters, digits and underscores.
fn schema(identity: ContractIdentity) -> String {
    format!("sonar_{:x}_{}", identity.chain_id, alloy::primitives::hex::encode(identity.contract))
}

/// An index in a shared database. Cheap to clone; clones share the lease.
#[derive(Clone, Debug)]
pub struct PostgresStore {
    pool: PgPool,
    place: String,
    /// Random name of this server as holder of the lease.
    holder: String,
}

impl PostgresStore {
    /// Opens or creates the tables for a contract.
    ///
    /// # Errors
    /// The database refuses, or does not answer.
    pub async fn open(url: &DatabaseUrl, identity: ContractIdentity) -> Result<(Self, OpenOutcome), StoreError> {
        let place = format!("in the database {url}");
        let pool = url.connect(identity, CONNECTIONS).await.map_err(|source| error(&place, "be opened", source))?;
        let holder = format!("{:032x}", rand::random::<u128>());
        let store = Self { pool, place, holder };
        let opened = match store.newest_blocks(1).await?.is_empty() {
            true => OpenOutcome::Fresh,
            false => OpenOutcome::Continued,
        };
        Ok((store, opened))
    }

    /// Awaits a call for at most [`LONGEST_CALL`].
    async fn bounded<T>(
        &self,
        what: &'static str,
        work: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, StoreError> {
        within_limit(work).await.map_err(|source| error(&self.place, what, source))
    }

    /// Begins a change if this server still holds the lease. No other server can obtain the lease until the transaction
    /// ends.
    async fn begin(&self, lease: Lease) -> Result<Option<PgTransaction<'static>>, sqlx::Error> {
        let mut tx = self.pool.begin().await?;
        let renewed = sqlx::query(
            "UPDATE lease SET expires = clock_timestamp() + make_interval(secs => $3) WHERE holder = $1 AND term = $2",
        )
        .bind(&self.holder)
        .bind(lease.term)
        .bind(LEASE.as_secs_f64())
        .execute(&mut *tx)
        .await?;
        Ok((renewed.rows_affected() == 1).then_some(tx))
    }

    async fn changes_since(&self, seen: u64, after: Option<Position>, limit: u32) -> Result<Changes, sqlx::Error> {
        let mut tx = self.pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
        let rollbacks = sqlx::query("SELECT number, survivor FROM rollbacks WHERE number > $1 ORDER BY number")
            .bind(signed(seen))
            .try_map(rollback)
            .fetch_all(&mut *tx)
            .await?;
        let records = if rollbacks.is_empty() {
            let mut query = QueryBuilder::<Postgres>::new(EVENT_COLUMNS);
            events_after!(query, &Filter::default(), after, limit);
            query.build().try_map(stored).fetch_all(&mut *tx).await?
        } else {
            Vec::new()
        };
        let tip = sqlx::query("SELECT number, hash, time FROM blocks ORDER BY number DESC LIMIT 1")
            .try_map(block)
            .fetch_optional(&mut *tx)
            .await?;
        tx.rollback().await?;
        Ok(Changes { rollbacks, records, tip })
    }

    /// Returns false if the lease was lost.
    async fn append_all(&self, lease: Lease, records: &[StoredEvent], tip: BlockRef) -> Result<bool, sqlx::Error> {
        let Some(mut tx) = self.begin(lease).await? else {
            return Ok(false);
        };
        let before: Option<i64> = sqlx::query_scalar("SELECT MAX(number) FROM blocks").fetch_one(&mut *tx).await?;
        if !records.is_empty() {
            // In one statement: a batch has thousands of events, and each call costs a round trip.
            sqlx::query(
                "INSERT INTO events (block, log_index, block_hash, tx, kind, campaign, account, body)
                 SELECT * FROM UNNEST($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[],
                                      $7::text[], $8::text[])",
            )
            .bind(column(records, |record| signed(record.position.block)))
            .bind(column(records, |record| signed(record.position.log)))
            .bind(column(records, |record| record.block_hash.to_string()))
            .bind(column(records, |record| record.tx.to_string()))
            .bind(column(records, |record| record.kind.clone()))
            .bind(column(records, |record| record.campaign.map(|id| id.to_string())))
            .bind(column(records, |record| record.account.map(|account| account.to_string())))
            .bind(column(records, |record| record.body.as_str().to_owned()))
            .execute(&mut *tx)
            .await?;
        }
        let mut blocks: Vec<_> = records.iter().map(StoredEvent::block).chain([tip]).collect();
        // One statement cannot write a row twice, so blocks are written separately.
        blocks.dedup_by_key(|block| block.number);
        sqlx::query(
            "INSERT INTO blocks (number, hash, time) SELECT * FROM UNNEST($1::bigint[], $2::text[], $3::bigint[])
             ON CONFLICT (number) DO UPDATE SET hash = excluded.hash, time = excluded.time",
        )
        .bind(column(&blocks, |block| signed(block.number)))
        .bind(column(&blocks, |block| block.hash.to_string()))
        .bind(column(&blocks, |block| signed(block.time.unix())))
        .execute(&mut *tx)
        .await?;
        // Older blocks were removed when earlier batches were added.
        sqlx::query(
            "DELETE FROM blocks WHERE number >= $1 AND number < $2
               AND NOT EXISTS (SELECT 1 FROM events WHERE events.block = blocks.number)",
        )
        .bind(before.unwrap_or_default() - REMEMBERED_BLOCKS)
        .bind(signed(tip.number) - REMEMBERED_BLOCKS)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Returns false if the lease was lost.
    async fn truncate(&self, lease: Lease, survivor: Option<u64>) -> Result<bool, sqlx::Error> {
        let Some(mut tx) = self.begin(lease).await? else {
            return Ok(false);
        };
        let kept = survivor.map_or(-1, signed);
        sqlx::query("DELETE FROM events WHERE block > $1").bind(kept).execute(&mut *tx).await?;
        sqlx::query("DELETE FROM blocks WHERE number > $1").bind(kept).execute(&mut *tx).await?;
        let record = sqlx::query("INSERT INTO rollbacks (survivor) VALUES ($1)");
        record.bind(survivor.map(signed)).execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(true)
    }
}

async fn within_limit<T>(work: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
    tokio::time::timeout(LONGEST_CALL, work).await.unwrap_or_else(|_| {
        let message = format!("no answer within {} s", LONGEST_CALL.as_secs());
        Err(sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, message)))
    })
}

fn error(place: &str, what: &'static str, source: sqlx::Error) -> StoreError {
    let place = place.to_owned();
    match source {
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut => StoreError::Unreachable { place, source },
        source if is_starting(&source) => StoreError::Unreachable { place, source },
        source => StoreError::Database { place, what, source },
    }
}

/// Whether the database is starting or stopping (`cannot_connect_now`, `admin_shutdown`).
fn is_starting(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    code.is_some_and(|code| matches!(&*code, "57P03" | "57P01"))
}

fn column<T, U>(rows: &[T], value: impl Fn(&T) -> U) -> Vec<U> {
    rows.iter().map(value).collect()
}

fn under_lease(held: bool) -> Result<(), StoreError> {
    if held { Ok(()) } else { Err(StoreError::LeaseLost) }
}

/// Converts a row of a query that begins with [`EVENT_COLUMNS`].
fn stored(row: PgRow) -> Result<StoredEvent, sqlx::Error> {
    let optional = |column: usize| row.try_get::<Option<String>, _>(column);
    Ok(StoredEvent {
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

impl EventStore for PostgresStore {
    fn is_shared(&self) -> bool {
        true
    }

    fn lease(&self) -> Answer<'_, Option<Lease>> {
        // An expired lease is renewed as a new term even if this server held it last: another server may have obtained
        // and released it in between.
        let update = sqlx::query_scalar(
            "UPDATE lease SET
                 term = CASE WHEN holder = $1 AND expires > clock_timestamp() THEN term ELSE term + 1 END,
                 holder = $1, expires = clock_timestamp() + make_interval(secs => $2)
             WHERE holder = $1 OR expires <= clock_timestamp() RETURNING term",
        )
        .bind(&self.holder)
        .bind(LEASE.as_secs_f64())
        .fetch_optional(&self.pool);
        Box::pin(async move {
            let term: Option<i64> = self.bounded("be written", update).await?;
            Ok(term.map(|term| Lease { term }))
        })
    }

    fn resign(&self) -> Answer<'_, ()> {
        let update = sqlx::query("UPDATE lease SET expires = '-infinity' WHERE holder = $1")
            .bind(&self.holder)
            .execute(&self.pool);
        Box::pin(async move { self.bounded("be written", update).await.map(drop) })
    }

    fn last_rollback(&self) -> Answer<'_, u64> {
        let select = sqlx::query_scalar("SELECT COALESCE(MAX(number), 0) FROM rollbacks").fetch_one(&self.pool);
        Box::pin(self.bounded("be read", async { unsigned(select.await?) }))
    }

    fn changes(&self, seen: u64, after: Option<Position>, limit: u32) -> Answer<'_, Changes> {
        Box::pin(self.bounded("be read", self.changes_since(seen, after, limit)))
    }

    fn newest_blocks(&self, limit: u32) -> Answer<'_, Vec<BlockRef>> {
        let select = sqlx::query("SELECT number, hash, time FROM blocks ORDER BY number DESC LIMIT $1")
            .bind(i64::from(limit))
            .try_map(block)
            .fetch_all(&self.pool);
        Box::pin(self.bounded("be read", select))
    }

    fn append<'a>(&'a self, lease: Lease, records: &'a [StoredEvent], tip: BlockRef) -> Answer<'a, ()> {
        let work = self.append_all(lease, records, tip);
        Box::pin(async move { under_lease(self.bounded("be written", work).await?) })
    }

    fn truncate_after(&self, lease: Lease, block: Option<u64>) -> Answer<'_, ()> {
        let work = self.truncate(lease, block);
        Box::pin(async move { under_lease(self.bounded("be written", work).await?) })
    }

    fn events<'a>(&'a self, filter: &'a Filter, after: Option<Position>, limit: u32) -> Answer<'a, Vec<StoredEvent>> {
        Box::pin(async move {
            let mut query = QueryBuilder::<Postgres>::new(EVENT_COLUMNS);
            events_after!(query, filter, after, limit);
            self.bounded("be read", query.build().try_map(stored).fetch_all(&self.pool)).await
        })
    }

    fn block_hash(&self, number: u64) -> Answer<'_, Option<B256>> {
        let select = sqlx::query("SELECT hash FROM blocks WHERE number = $1")
            .bind(signed(number))
            .try_map(|row: PgRow| parsed(row.try_get(0)?))
            .fetch_optional(&self.pool);
        Box::pin(self.bounded("be read", select))
    }

    fn alive(&self) -> BoxFuture<'_, bool> {
        Box::pin(async { self.bounded("be read", sqlx::query("SELECT 1").execute(&self.pool)).await.is_ok() })
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            if let Err(error) = self.resign().await {
                tracing::warn!(%error, "cannot release the lease; other servers wait until it expires");
            }
            self.pool.close().await;
        })
    }
}

#[cfg(test)]
mod tests {
    use alloy::primitives::Address;
    use tokio::time::{sleep, timeout};

    use super::*;

    #[tokio::test]
    async fn a_follower_that_hangs_in_the_middle_of_a_change_is_replaced_and_the_change_is_void() {
        let Some(url) = testkit::postgres::database() else { return };
        let url = url.parse().unwrap();
        let identity = ContractIdentity { chain_id: 31337, contract: Address::repeat_byte(1) };
        let (hanging, _) = PostgresStore::open(&url, identity).await.unwrap();
        let (other, _) = PostgresStore::open(&url, identity).await.unwrap();
        let lease = hanging.lease().await.unwrap().unwrap();
        let mut change = hanging.begin(lease).await.unwrap().unwrap();
        sqlx::query("INSERT INTO blocks VALUES (1, 'a', 1)").execute(&mut *change).await.unwrap();

        let replaced = async {
            while other.lease().await.unwrap().is_none() {
                sleep(Duration::from_millis(50)).await;
            }
        };
        timeout(Duration::from_secs(15), replaced).await.expect("another server follows within seconds");
        change.commit().await.unwrap_err();
        assert_eq!(other.newest_blocks(1).await.unwrap(), []);
        assert!(hanging.begin(lease).await.unwrap().is_none());
    }
}
