//! Signed settlements that wait for their window to be settled, in a file of their own.
//!
//! The index can be read from the chain again, these cannot: so a damaged index, or one of another contract, never takes them
//! along. Each contract has its own file, so that none is offered to another.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use alloy::primitives::B256;
use sqlx::{
    Row as _, SqlitePool,
    sqlite::{SqliteConnectOptions, SqlitePoolOptions, SqliteRow, SqliteSynchronous},
};

use crate::index::{self, Identity};

/// A signed settlement that waits for its window to be settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The campaign.
    pub campaign: B256,
    /// The window.
    pub window: u32,
    /// The settlement as JSON.
    pub body: String,
    /// The unix time at which it came.
    pub received: u64,
}

/// Why the settlements on disk cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the pending settlements in {path} cannot {what}: {source}")]
pub struct SettlementsError {
    path: PathBuf,
    what: &'static str,
    source: sqlx::Error,
}

/// The settlements on disk. Cheap to clone.
#[derive(Clone, Debug)]
pub struct PendingSettlements {
    pool: SqlitePool,
    path: PathBuf,
}

impl PendingSettlements {
    /// Opens or creates the file for a contract in `directory`. A damaged one is renamed to `….unusable`.
    ///
    /// # Errors
    /// The file cannot be created.
    pub async fn open(directory: &Path, of: Identity) -> Result<Self, SettlementsError> {
        let path = directory.join(format!("settlements-{}-{}.sqlite", of.chain_id, of.contract));
        let error = match Self::connect(&path).await {
            Ok(settlements) => return Ok(settlements),
            // A full disk, say, is no reason to put a good file aside.
            Err(error) if is_damage(&error.source) => error,
            Err(error) => return Err(error),
        };
        tracing::error!("{error}; the file is renamed to `….unusable`, and Capsules have to send theirs again");
        index::put_aside(&path).map_err(|source| SettlementsError {
            path: path.clone(),
            what: "be put aside",
            source: sqlx::Error::Io(source),
        })?;
        Self::connect(&path).await
    }

    async fn connect(path: &Path) -> Result<Self, SettlementsError> {
        let fail = |what| move |source| SettlementsError { path: path.to_owned(), what, source };
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            // What was accepted must survive a power failure.
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(5));
        let pool =
            SqlitePoolOptions::new().max_connections(1).connect_with(options).await.map_err(fail("be opened"))?;
        let table = "CREATE TABLE IF NOT EXISTS settlements (
             campaign BLOB NOT NULL, window INTEGER NOT NULL, body TEXT NOT NULL, received INTEGER NOT NULL,
             PRIMARY KEY (campaign, window)) WITHOUT ROWID";
        let checked = async {
            sqlx::query(table).execute(&pool).await?;
            let check: String = sqlx::query_scalar("PRAGMA quick_check(1)").fetch_one(&pool).await?;
            if check == "ok" { Ok(()) } else { Err(sqlx::Error::Protocol(check)) }
        };
        if let Err(error) = checked.await {
            pool.close().await;
            return Err(fail("be read")(error));
        }
        Ok(Self { pool, path: path.to_owned() })
    }

    fn error(&self, what: &'static str) -> impl FnOnce(sqlx::Error) -> SettlementsError {
        let path = self.path.clone();
        move |source| SettlementsError { path, what, source }
    }

    /// Keeps a settlement until its window is settled; a later one for the same window replaces it, its time stays.
    ///
    /// # Errors
    /// The database cannot be written.
    pub async fn put(&self, waiting: &Waiting) -> Result<(), SettlementsError> {
        sqlx::query(
            "INSERT INTO settlements (campaign, window, body, received) VALUES (?, ?, ?, ?)
             ON CONFLICT (campaign, window) DO UPDATE SET body = excluded.body",
        )
        .bind(waiting.campaign.to_vec())
        .bind(waiting.window)
        .bind(&waiting.body)
        .bind(i64::try_from(waiting.received).unwrap_or(i64::MAX))
        .execute(&self.pool)
        .await
        .map(drop)
        .map_err(self.error("be written"))
    }

    /// The settlements that wait, oldest first.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn all(&self) -> Result<Vec<Waiting>, SettlementsError> {
        sqlx::query("SELECT campaign, window, body, received FROM settlements ORDER BY received, campaign, window")
            .try_map(waiting)
            .fetch_all(&self.pool)
            .await
            .map_err(self.error("be read"))
    }

    /// Forgets a settlement.
    ///
    /// # Errors
    /// The database cannot be written.
    pub async fn remove(&self, campaign: B256, window: u32) -> Result<(), SettlementsError> {
        sqlx::query("DELETE FROM settlements WHERE campaign = ? AND window = ?")
            .bind(campaign.to_vec())
            .bind(window)
            .execute(&self.pool)
            .await
            .map(drop)
            .map_err(self.error("be written"))
    }

    /// Ends all connections; what was written is on disk.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

/// Whether SQLite says that the file is corrupt, or no database at all.
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

fn waiting(row: SqliteRow) -> Result<Waiting, sqlx::Error> {
    let campaign: Vec<u8> = row.try_get(0)?;
    let received: i64 = row.try_get(3)?;
    Ok(Waiting {
        campaign: B256::try_from(campaign.as_slice()).map_err(|error| sqlx::Error::Decode(Box::new(error)))?,
        window: row.try_get(1)?,
        body: row.try_get(2)?,
        received: received.try_into().map_err(|error| sqlx::Error::Decode(Box::new(error)))?,
    })
}

#[cfg(test)]
mod tests {
    use alloy::primitives::Address;

    use super::*;
    use crate::index::{Index, Opened};

    const IDENTITY: Identity = Identity { chain_id: 31337, contract: Address::repeat_byte(1) };

    fn settlement() -> Waiting {
        Waiting { campaign: B256::repeat_byte(1), window: 2, body: "a".into(), received: 10 }
    }

    #[tokio::test]
    async fn a_settlement_waits_across_restarts_and_keeps_its_time() {
        let home = tempfile::tempdir().unwrap();
        let settlements = PendingSettlements::open(home.path(), IDENTITY).await.unwrap();
        settlements.put(&settlement()).await.unwrap();
        settlements.put(&Waiting { body: "b".into(), received: 99, ..settlement() }).await.unwrap();
        settlements.close().await;
        let settlements = PendingSettlements::open(home.path(), IDENTITY).await.unwrap();
        assert_eq!(settlements.all().await.unwrap(), [Waiting { body: "b".into(), ..settlement() }]);
        settlements.remove(settlement().campaign, settlement().window).await.unwrap();
        assert_eq!(settlements.all().await.unwrap(), []);
    }

    #[tokio::test]
    async fn a_damaged_index_does_not_take_the_pending_settlements_along() {
        let home = tempfile::tempdir().unwrap();
        let index = home.path().join("index.sqlite");
        Index::open(&index, IDENTITY).await.unwrap().0.store().close().await;
        let settlements = PendingSettlements::open(home.path(), IDENTITY).await.unwrap();
        settlements.put(&settlement()).await.unwrap();
        settlements.close().await;

        std::fs::write(&index, b"not a database, but long enough to look like a file that somebody overwrote").unwrap();
        let (_, opened) = Index::open(&index, IDENTITY).await.unwrap();
        assert!(matches!(opened, Opened::Replaced(_)));
        let settlements = PendingSettlements::open(home.path(), IDENTITY).await.unwrap();
        assert_eq!(settlements.all().await.unwrap(), [settlement()]);
    }

    #[tokio::test]
    async fn each_contract_has_its_own_settlements() {
        let home = tempfile::tempdir().unwrap();
        PendingSettlements::open(home.path(), IDENTITY).await.unwrap().put(&settlement()).await.unwrap();
        let other = Identity { chain_id: 1, ..IDENTITY };
        assert_eq!(PendingSettlements::open(home.path(), other).await.unwrap().all().await.unwrap(), []);
        assert_eq!(PendingSettlements::open(home.path(), IDENTITY).await.unwrap().all().await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn a_damaged_file_is_kept_beside_and_replaced() {
        let home = tempfile::tempdir().unwrap();
        let settlements = PendingSettlements::open(home.path(), IDENTITY).await.unwrap();
        settlements.close().await;
        let damaged = b"not a database, but long enough to look like a file that somebody overwrote";
        std::fs::write(&settlements.path, damaged).unwrap();
        let settlements = PendingSettlements::open(home.path(), IDENTITY).await.unwrap();
        settlements.put(&settlement()).await.unwrap();
        let mut aside = settlements.path.clone().into_os_string();
        aside.push(".unusable");
        assert_eq!(std::fs::read(aside).unwrap(), damaged);
    }
}
