use std::time::Duration;

use alloy::primitives::B256;
use tokio::time::{Instant, sleep_until};

use sonar_protocol::{
    event::{Batch, Head},
    view::World,
};

use super::{Client, Error};
use crate::snapshot::{Snapshot, SnapshotFile};

/// Looks that a chain may spoil by changing in the middle of them, one after the other.
const SPOILT_LOOKS: usize = 8;

/// Follows the contracts' events through everything a chain may do.
#[derive(Debug)]
pub struct Follower {
    client: Client,
    poll: Duration,
    confirmations: u64,
    // The last block that was read.
    last: Option<(u64, B256)>,
    // Whether the chain changed so much that it may be another one.
    doubtful: bool,
    due: Instant,
    // Where to start, instead of the first block, and the world at the first block.
    snapshot: Option<(SnapshotFile, World)>,
    // What the last restart started from.
    base: Option<Snapshot>,
}

impl Follower {
    /// Follows from the contracts' first block. Looks every `poll`; blocks are read when `confirmations` others follow.
    #[must_use]
    pub fn new(client: Client, poll: Duration, confirmations: u64) -> Self {
        let due = Instant::now();
        Self { client, poll, confirmations, last: None, doubtful: false, due, snapshot: None, base: None }
    }

    /// The same, but a batch that begins anew begins after what [`Self::take_base`] returns.
    pub(super) fn with_snapshot(self, file: SnapshotFile, empty: World) -> Self {
        Self { snapshot: Some((file, empty)), ..self }
    }

    /// The snapshot after which the last batch that began anew begins; `None` for the first block.
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

    /// Waits until the next look is due, and looks. What comes back may hold no event: time went on.
    /// After an error nothing is lost: call again.
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

    /// Looks at once, without waiting until it is due.
    ///
    /// # Errors
    /// When the chain cannot be read.
    pub async fn look_now(&mut self) -> Result<Batch, Error> {
        self.due = Instant::now();
        self.next().await
    }

    /// Reads everything again with the next look.
    pub fn start_anew(&mut self) {
        self.last = None;
    }

    /// One look; `None` when the chain changed in the middle of it.
    async fn look(&mut self) -> Result<Option<Batch>, Error> {
        let head = self.client.head().await?;
        if self.last == Some((head.number, head.hash)) {
            return Ok(Some(Batch { head, ..Batch::default() }));
        }
        if let Some((number, hash)) = self.last
            && !self.is_still(number, hash).await?
        {
            tracing::warn!(block = number, "the chain was rolled back; reading it anew");
            (self.last, self.doubtful) = (None, true);
        }
        if self.doubtful {
            // A chain without the contracts would read as one on which nothing has happened.
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
        // What was read belongs to one chain only if both its ends are still there.
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

    /// The last block that is deep enough, with its hash; `None` when it is gone again.
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
