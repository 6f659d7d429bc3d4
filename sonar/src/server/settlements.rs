//! Pending settlements: signed settlements whose window is not settled yet. They are in a separate SQLite file, or in
//! the PostgreSQL database that several servers share.
//!
//! The index can be rebuilt from the chain, these cannot. They are stored separately, so that they survive when a
//! damaged index is replaced. Each contract has its own file or schema. The server that claims a settlement sends it;
//! the others skip it until its next turn.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use alloy::primitives::B256;
use futures::future::BoxFuture;
use sqlx::{
    ColumnIndex, Decode, PgPool, Row, SqlitePool, Type,
    sqlite::{SqliteConnectOptions, SqlitePoolOptions, SqliteSynchronous},
};

use crate::index::{self, ContractIdentity, Database};
use sonar_protocol::units::Timestamp;

const CONNECTIONS: u32 = 2;

/// A pending settlement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingSettlement {
    /// The campaign.
    pub campaign: B256,
    /// The window.
    pub window: u32,
    /// The settlement as JSON.
    pub body: String,
    /// Time at which it was received.
    pub received: Timestamp,
}

/// Window of a pending settlement, and when it was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PendingKey {
    /// The campaign.
    pub campaign: B256,
    /// The window.
    pub window: u32,
    /// Time at which the first settlement for the window was received.
    pub received: Timestamp,
}

impl PendingSettlement {
    /// The window, and when the settlement was received.
    #[must_use]
    pub fn key(&self) -> PendingKey {
        PendingKey { campaign: self.campaign, window: self.window, received: self.received }
    }
}

impl fmt::Display for PendingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.campaign, self.window)
    }
}

/// Why the stored settlements cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the pending settlements in {place} cannot {what}: {source}")]
pub struct SettlementsError {
    place: String,
    what: &'static str,
    source: sqlx::Error,
}

type Answer<'a, T> = BoxFuture<'a, Result<T, SettlementsError>>;

/// Store of the pending settlements of one contract.
///
/// Every call fails if the database cannot be read or written; then nothing was changed.
pub trait PendingSettlements: fmt::Debug + Send + Sync {
    /// Stores a settlement; a later one for the same window replaces it. Returns the unix time at which the first was
    /// received.
    fn put<'a>(&'a self, waiting: &'a PendingSettlement) -> Answer<'a, Timestamp>;
    /// Whether a settlement for this window is pending.
    fn contains(&self, campaign: B256, window: u32) -> Answer<'_, bool>;
    /// The windows with a pending settlement, oldest first.
    fn keys(&self) -> Answer<'_, Vec<PendingKey>>;
    /// Claims the oldest settlement that was received until `received` and not claimed since `tried`. It is marked as
    /// claimed at `now`, so that no other server gets it too.
    fn claim(&self, now: Timestamp, received: Timestamp, tried: Timestamp) -> Answer<'_, Option<PendingSettlement>>;
    /// Removes a settlement.
    fn remove(&self, campaign: B256, window: u32) -> Answer<'_, ()>;
    /// Closes all connections.
    fn close(&self) -> BoxFuture<'_, ()>;
}

/// Opens the store of a contract, and creates it if it is missing. A damaged file is renamed to `….unusable`.
///
/// # Errors
/// The file cannot be created, or the database refuses or does not answer.
pub async fn open(database: &Database, of: ContractIdentity) -> Result<Arc<dyn PendingSettlements>, SettlementsError> {
    match database {
        Database::Directory(directory) => Ok(Arc::new(SettlementStore::<SqlitePool>::open(directory, of).await?)),
        Database::Postgres(url) => {
            let place = format!("the database {url}");
            let fail = |source| SettlementsError { place: place.clone(), what: "be opened", source };
            let pool = url.connect(of, CONNECTIONS).await.map_err(fail)?;
            Ok(Arc::new(SettlementStore { pool, place }))
        }
    }
}

/// Settlements in a database.
#[derive(Debug)]
struct SettlementStore<P> {
    pool: P,
    place: String,
}

impl<P> SettlementStore<P> {
    fn error(&self, what: &'static str) -> impl FnOnce(sqlx::Error) -> SettlementsError {
        let place = self.place.clone();
        move |source| SettlementsError { place, what, source }
    }
}

fn file(directory: &Path, of: ContractIdentity) -> PathBuf {
    directory.join(format!("settlements-{}-{}.sqlite", of.chain_id, of.contract))
}

impl SettlementStore<SqlitePool> {
    async fn open(directory: &Path, of: ContractIdentity) -> Result<Self, SettlementsError> {
        let path = file(directory, of);
        let error = match Self::connect(&path).await {
            Ok(settlements) => return Ok(settlements),
            // Only a damaged file is renamed; a full disk, for example, is a failure.
            Err(error) if is_damage(&error.source) => error,
            Err(error) => return Err(error),
        };
        tracing::error!(
            "{error}; the file was renamed to `….unusable`, and Capsules must send their settlements again"
        );
        index::put_aside(&path).map_err(|source| SettlementsError {
            place: path.display().to_string(),
            what: "be renamed",
            source: sqlx::Error::Io(source),
        })?;
        Self::connect(&path).await
    }

    async fn connect(path: &Path) -> Result<Self, SettlementsError> {
        let place = path.display().to_string();
        let fail = |what| {
            let place = place.clone();
            move |source| SettlementsError { place, what, source }
        };
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            // What was accepted must survive a power failure.
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(5));
        let pool =
            SqlitePoolOptions::new().max_connections(1).connect_with(options).await.map_err(fail("be opened"))?;
        if let Err(error) = prepare(&pool).await {
            pool.close().await;
            return Err(fail("be read")(error));
        }
        Ok(Self { pool, place })
    }
}

/// Migrates the table, and checks the file.
async fn prepare(pool: &SqlitePool) -> Result<(), sqlx::Error> {
    let table = "CREATE TABLE IF NOT EXISTS settlements (
         campaign BLOB NOT NULL, window INTEGER NOT NULL, body TEXT NOT NULL, received INTEGER NOT NULL,
         PRIMARY KEY (campaign, window)) WITHOUT ROWID";
    sqlx::query(table).execute(pool).await?;
    let columns = "SELECT COUNT(*) FROM pragma_table_info('settlements') WHERE name = 'tried'";
    if sqlx::query_scalar::<_, i64>(columns).fetch_one(pool).await? == 0 {
        sqlx::query("ALTER TABLE settlements ADD COLUMN tried INTEGER").execute(pool).await?;
    }
    let check: String = sqlx::query_scalar("PRAGMA quick_check(1)").fetch_one(pool).await?;
    if check == "ok" { Ok(()) } else { Err(sqlx::Error::Protocol(check)) }
}

/// Both databases accept the same statements, but their drivers have no common type.
macro_rules! pending_settlements {
    ($pool:ty) => {
        impl PendingSettlements for SettlementStore<$pool> {
            fn put<'a>(&'a self, waiting: &'a PendingSettlement) -> Answer<'a, Timestamp> {
                let insert = sqlx::query_scalar(
                    r#"INSERT INTO settlements (campaign, "window", body, received) VALUES ($1, $2, $3, $4)
                       ON CONFLICT (campaign, "window") DO UPDATE SET body = excluded.body RETURNING received"#,
                )
                .bind(waiting.campaign.to_vec())
                .bind(i64::from(waiting.window))
                .bind(&waiting.body)
                .bind(signed(waiting.received))
                .fetch_one(&self.pool);
                Box::pin(async move { insert.await.and_then(time).map_err(self.error("be written")) })
            }

            fn contains(&self, campaign: B256, window: u32) -> Answer<'_, bool> {
                let select = sqlx::query(r#"SELECT 1 FROM settlements WHERE campaign = $1 AND "window" = $2"#)
                    .bind(campaign.to_vec())
                    .bind(i64::from(window))
                    .fetch_optional(&self.pool);
                Box::pin(async move { select.await.map(|row| row.is_some()).map_err(self.error("be read")) })
            }

            fn keys(&self) -> Answer<'_, Vec<PendingKey>> {
                let select = sqlx::query(
                    r#"SELECT campaign, "window", received FROM settlements ORDER BY received, campaign, "window""#,
                )
                .try_map(key)
                .fetch_all(&self.pool);
                Box::pin(async move { select.await.map_err(self.error("be read")) })
            }

            fn claim(
                &self,
                now: Timestamp,
                received: Timestamp,
                tried: Timestamp,
            ) -> Answer<'_, Option<PendingSettlement>> {
                // The condition on `tried` is repeated for servers that choose the same row at the same time: the
                // second one compares again.
                let update = sqlx::query(
                    r#"UPDATE settlements SET tried = $1
                       WHERE (tried IS NULL OR tried <= $3) AND (campaign, "window") = (
                           SELECT campaign, "window" FROM settlements
                           WHERE received <= $2 AND (tried IS NULL OR tried <= $3)
                           ORDER BY received, campaign, "window" LIMIT 1)
                       RETURNING campaign, "window", received, body"#,
                )
                .bind(signed(now))
                .bind(signed(received))
                .bind(signed(tried))
                .try_map(waiting)
                .fetch_optional(&self.pool);
                Box::pin(async move { update.await.map_err(self.error("be written")) })
            }

            fn remove(&self, campaign: B256, window: u32) -> Answer<'_, ()> {
                let delete = sqlx::query(r#"DELETE FROM settlements WHERE campaign = $1 AND "window" = $2"#)
                    .bind(campaign.to_vec())
                    .bind(i64::from(window))
                    .execute(&self.pool);
                Box::pin(async move { delete.await.map(drop).map_err(self.error("be written")) })
            }

            fn close(&self) -> BoxFuture<'_, ()> {
                Box::pin(self.pool.close())
            }
        }
    };
}

pending_settlements!(SqlitePool);
pending_settlements!(PgPool);

fn key<R: Row>(row: R) -> Result<PendingKey, sqlx::Error>
where
    usize: ColumnIndex<R>,
    Vec<u8>: Type<R::Database> + for<'r> Decode<'r, R::Database>,
    i64: Type<R::Database> + for<'r> Decode<'r, R::Database>,
{
    let campaign: Vec<u8> = row.try_get(0)?;
    let window: i64 = row.try_get(1)?;
    Ok(PendingKey {
        campaign: B256::try_from(campaign.as_slice()).map_err(|error| sqlx::Error::Decode(Box::new(error)))?,
        window: u32::try_from(window).map_err(|error| sqlx::Error::Decode(Box::new(error)))?,
        received: time(row.try_get(2)?)?,
    })
}

fn waiting<R: Row>(row: R) -> Result<PendingSettlement, sqlx::Error>
where
    usize: ColumnIndex<R>,
    Vec<u8>: Type<R::Database> + for<'r> Decode<'r, R::Database>,
    i64: Type<R::Database> + for<'r> Decode<'r, R::Database>,
    String: Type<R::Database> + for<'r> Decode<'r, R::Database>,
{
    let body = row.try_get(3)?;
    let PendingKey { campaign, window, received } = key(row)?;
    Ok(PendingSettlement { campaign, window, body, received })
}

fn signed(time: Timestamp) -> i64 {
    i64::try_from(time.unix()).unwrap_or(i64::MAX)
}

fn time(seconds: i64) -> Result<Timestamp, sqlx::Error> {
    seconds.try_into().map(Timestamp::from_unix).map_err(|error| sqlx::Error::Decode(Box::new(error)))
}

/// Whether SQLite reports that the file is corrupt or not a database.
fn is_damage(error: &sqlx::Error) -> bool {
    const CORRUPT: u32 = 11;
    const NOT_A_DATABASE: u32 = 26;
    match error {
        sqlx::Error::Protocol(_) => true,
        // The low byte of an extended code is the code.
        sqlx::Error::Database(error) => error
            .code()
            .and_then(|code| code.parse::<u32>().ok())
            .is_some_and(|code| matches!(code & 0xff, CORRUPT | NOT_A_DATABASE)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use alloy::primitives::Address;

    use super::*;
    use crate::index::{Index, OpenOutcome};

    const IDENTITY: ContractIdentity = ContractIdentity { chain_id: 31337, contract: Address::repeat_byte(1) };
    const DAMAGED: &[u8] = b"not a database, but long enough to look like a file that somebody overwrote";

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_unix(seconds)
    }

    fn settlement() -> PendingSettlement {
        PendingSettlement { campaign: B256::repeat_byte(1), window: 2, body: "a".into(), received: at(10) }
    }

    fn waits() -> PendingKey {
        let PendingSettlement { campaign, window, received, .. } = settlement();
        PendingKey { campaign, window, received }
    }

    fn place(home: &tempfile::TempDir) -> Database {
        Database::Directory(home.path().to_owned())
    }

    /// The same for a file and for a shared database.
    async fn each_database(test: impl AsyncFn(Database)) {
        let home = tempfile::tempdir().unwrap();
        test(place(&home)).await;
        if let Some(url) = testkit::postgres::database() {
            test(Database::Postgres(url.parse().unwrap())).await;
        }
    }

    #[tokio::test]
    async fn a_settlement_waits_across_restarts_and_keeps_its_time() {
        each_database(async |database| {
            let settlements = open(&database, IDENTITY).await.unwrap();
            assert_eq!(settlements.put(&settlement()).await.unwrap(), at(10));
            let later = PendingSettlement { body: "b".into(), received: at(99), ..settlement() };
            assert_eq!(settlements.put(&later).await.unwrap(), at(10));
            settlements.close().await;
            let settlements = open(&database, IDENTITY).await.unwrap();
            assert_eq!(settlements.keys().await.unwrap(), [waits()]);
            assert!(settlements.contains(settlement().campaign, 2).await.unwrap());
            assert!(!settlements.contains(settlement().campaign, 3).await.unwrap());
            let claimed = settlements.claim(at(100), at(100), at(0)).await.unwrap();
            assert_eq!(claimed, Some(PendingSettlement { body: "b".into(), ..settlement() }));
            settlements.remove(settlement().campaign, settlement().window).await.unwrap();
            assert_eq!(settlements.keys().await.unwrap(), []);
        })
        .await;
    }

    #[tokio::test]
    async fn one_server_claims_a_settlement_and_another_only_after_its_turn() {
        each_database(async |database| {
            let settlements = open(&database, IDENTITY).await.unwrap();
            let younger = PendingSettlement { window: 3, received: at(20), ..settlement() };
            for waiting in [&younger, &settlement()] {
                settlements.put(waiting).await.unwrap();
            }
            assert_eq!(settlements.claim(at(9), at(9), at(0)).await.unwrap(), None, "none has waited long enough");
            assert_eq!(settlements.claim(at(30), at(15), at(20)).await.unwrap(), Some(settlement()));
            assert_eq!(settlements.claim(at(30), at(15), at(20)).await.unwrap(), None);
            assert_eq!(settlements.claim(at(31), at(20), at(21)).await.unwrap(), Some(younger));
            assert_eq!(
                settlements.claim(at(40), at(30), at(30)).await.unwrap(),
                Some(settlement()),
                "its turn has come again"
            );
            settlements.close().await;
        })
        .await;
    }

    #[tokio::test]
    async fn each_contract_has_its_own_settlements() {
        each_database(async |database| {
            open(&database, IDENTITY).await.unwrap().put(&settlement()).await.unwrap();
            let other = ContractIdentity { chain_id: 1, ..IDENTITY };
            assert_eq!(open(&database, other).await.unwrap().keys().await.unwrap(), []);
            assert_eq!(open(&database, IDENTITY).await.unwrap().keys().await.unwrap(), [waits()]);
        })
        .await;
    }

    #[tokio::test]
    async fn a_damaged_index_does_not_take_the_pending_settlements_along() {
        let home = tempfile::tempdir().unwrap();
        Index::open(&place(&home), IDENTITY, home.path()).await.unwrap().0.store().close().await;
        let settlements = open(&place(&home), IDENTITY).await.unwrap();
        settlements.put(&settlement()).await.unwrap();
        settlements.close().await;

        std::fs::write(home.path().join("index.sqlite"), DAMAGED).unwrap();
        let (_, opened) = Index::open(&place(&home), IDENTITY, home.path()).await.unwrap();
        assert!(matches!(opened, OpenOutcome::Replaced(_)));
        let settlements = open(&place(&home), IDENTITY).await.unwrap();
        assert_eq!(settlements.keys().await.unwrap(), [waits()]);
    }

    #[tokio::test]
    async fn a_damaged_file_is_kept_beside_and_replaced() {
        let home = tempfile::tempdir().unwrap();
        open(&place(&home), IDENTITY).await.unwrap().close().await;
        let path = file(home.path(), IDENTITY);
        std::fs::write(&path, DAMAGED).unwrap();
        let settlements = open(&place(&home), IDENTITY).await.unwrap();
        settlements.put(&settlement()).await.unwrap();
        let mut aside = path.into_os_string();
        aside.push(".unusable");
        assert_eq!(std::fs::read(aside).unwrap(), DAMAGED);
    }

    #[tokio::test]
    async fn a_file_of_an_older_version_keeps_its_settlements() {
        let home = tempfile::tempdir().unwrap();
        let options = SqliteConnectOptions::new().filename(file(home.path(), IDENTITY)).create_if_missing(true);
        let pool = SqlitePool::connect_with(options).await.unwrap();
        sqlx::raw_sql(
            "CREATE TABLE settlements (campaign BLOB NOT NULL, window INTEGER NOT NULL, body TEXT NOT NULL,
                                       received INTEGER NOT NULL, PRIMARY KEY (campaign, window)) WITHOUT ROWID;
             INSERT INTO settlements VALUES (zeroblob(32), 2, 'a', 10)",
        )
        .execute(&pool)
        .await
        .unwrap();
        pool.close().await;
        let settlements = open(&place(&home), IDENTITY).await.unwrap();
        let claimed = settlements.claim(at(20), at(20), at(20)).await.unwrap();
        assert_eq!(claimed, Some(PendingSettlement { campaign: B256::ZERO, ..settlement() }));
    }
}
