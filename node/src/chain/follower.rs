use std::time::Duration;

use alloy::primitives::B256;
use tokio::time::{Instant, sleep_until};

use sonar_protocol::{
    event::{Batch, Head},
    view::World,
};

use super::{Client, Error};
use crate::snapshot::{Snapshot, SnapshotFile};

/// Maximum number of queries in a row that fail because the chain changes meanwhile.
const SPOILT_LOOKS: usize = 8;

/// Follows the contracts' events, through rollbacks and replacements of the chain.
#[derive(Debug)]
pub struct Follower {
    client: Client,
    poll: Duration,
    confirmations: u64,
    // The last block that was read.
    last: Option<(u64, B256)>,
    // Whether the chain changed so much that it may be another chain.
    doubtful: bool,
    due: Instant,
    // Where to start instead of the first block, and the world at the first block.
    snapshot: Option<(SnapshotFile, World)>,
    // The base of the last restart.
    base: Option<Snapshot>,
}

impl Follower {
    /// Follows from the contracts' first block. Queries every `poll`; a block is read when `confirmations` blocks
    /// follow.
    #[must_use]
    pub fn new(client: Client, poll: Duration, confirmations: u64) -> Self {
        let due = Instant::now();
        Self { client, poll, confirmations, last: None, doubtful: false, due, snapshot: None, base: None }
    }

    /// The same, but a batch that restarts begins after the base that [`Self::take_base`] returns.
    pub(super) fn with_snapshot(self, file: SnapshotFile, empty: World) -> Self {
        Self { snapshot: Some((file, empty)), ..self }
    }

    /// The snapshot at which the last restarted batch begins; `None` for the first block.
    pub(super) fn take_base(&mut self) -> Option<Snapshot> {
        self.base.take()
    }

    /// The last block that was read, with its hash.
    pub(super) fn last(&self) -> Option<(u64, B256)> {
        self.last
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// Waits until the next query is due, and queries. The batch may have no events, when only time has passed. After
    /// an error nothing is lost: call again.
    ///
    /// # Errors
    /// When the chain cannot be read, or was replaced by one without the contracts.
    pub async fn next(&mut self) -> Result<Batch, Error> {
        sleep_until(self.due).await;
        self.due = Instant::now() + self.poll;
        for _ in 0..SPOILT_LOOKS {
            if let Some(batch) = self.look().await? {
                return Ok(batch);
            }
        }
        Err(Error::Nonsense { what: "follow the chain", reason: "blocks change faster than they can be read".into() })
    }

    /// Queries at once, without waiting until it is due.
    ///
    /// # Errors
    /// When the chain cannot be read.
    pub async fn look_now(&mut self) -> Result<Batch, Error> {
        self.due = Instant::now();
        self.next().await
    }

    /// Makes the next query read everything again.
    pub fn start_anew(&mut self) {
        self.last = None;
    }

    /// One query; `None` if the chain changed meanwhile.
    async fn look(&mut self) -> Result<Option<Batch>, Error> {
        let head = self.client.head().await?;
        if self.last == Some((head.number, head.hash)) {
            return Ok(Some(Batch { head, ..Batch::default() }));
        }
        if let Some((number, hash)) = self.last
            && !self.is_still(number, hash).await?
        {
            tracing::warn!(block = number, "the chain was rolled back; reading it again");
            (self.last, self.doubtful) = (None, true);
        }
        if self.doubtful {
            // A chain without the contracts would look like a chain without events.
            self.client.check_deployment().await?;
            self.doubtful = false;
        }
        let Some(target) = self.target(&head).await? else {
            return Ok(None);
        };
        let resumed = match &self.snapshot {
            Some((file, empty)) if self.last.is_none() => self.resume(file, empty, &head, target.0).await?,
            _ => None,
        };
        let before = self.last.or(resumed.as_ref().map(|snapshot| (snapshot.block, snapshot.hash)));
        let start = before.map_or_else(|| self.client.deployment().block, |(number, _)| number.saturating_add(1));
        let records = self.client.logs(start, target.0).await?;
        // What was read belongs to one chain only if its first and last block still exist.
        let mut whole = self.is_still(target.0, target.1).await?;
        if let Some((number, hash)) = before {
            whole = whole && self.is_still(number, hash).await?;
        }
        if !whole {
            return Ok(None);
        }
        let restarted = self.last.replace(target).is_none();
        self.base = resumed;
        Ok(Some(Batch { restarted, records, head }))
    }

    /// The newest confirmed block, with its hash; `None` if it is gone.
    async fn target(&self, head: &Head) -> Result<Option<(u64, B256)>, Error> {
        if self.confirmations == 0 {
            return Ok(Some((head.number, head.hash)));
        }
        let number = head.number.saturating_sub(self.confirmations);
        let block = self.client.block(number).await?;
        Ok(block.map(|(hash, _)| (number, hash)))
    }

    pub(super) async fn is_still(&self, number: u64, hash: B256) -> Result<bool, Error> {
        Ok(self.client.block(number).await?.is_some_and(|(found, _)| found == hash))
    }
}
