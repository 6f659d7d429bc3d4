//! The relay: stores a Capsule's signed settlement, and sends it if the Capsule's own transaction does not arrive.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use alloy::primitives::B256;
use axum::http::StatusCode;
use tokio::sync::{Semaphore, watch};

use super::settlements::{PendingSettlements, SettlementsError, Waiting, WaitingKey};
use super::{dto::RelayReceipt, metrics::Metrics, problem::Problem};
use crate::index::Index;
use sonar_protocol::{ids::CampaignId, wire::SettlementRequest};

/// Maximum number of pending settlements.
const MAX_WAITING: usize = 10_000;
/// Maximum number of concurrent validations, because each costs the node a simulation.
const VALIDATIONS: usize = 4;
/// After this time a settlement is dropped: the campaign was abandoned, or a rollback removed it for good.
const LONGEST_WAIT: Duration = Duration::from_secs(30 * 24 * 3600);
const TICK: Duration = Duration::from_secs(1);

/// Why the chain did not accept a settlement.
#[derive(Debug, thiserror::Error)]
pub enum SettleError {
    /// The contract refuses it.
    #[error("{message}")]
    Refused {
        /// A stable name of the reason.
        code: String,
        /// The reason.
        message: String,
    },
    /// The chain did not answer.
    #[error("{0}")]
    Unreachable(String),
}

/// The operations of the chain that the relay needs.
pub trait Settler: Send + Sync + 'static {
    /// Validates a settlement; returns its campaign and the window that it would settle now.
    fn simulate(
        &self,
        settlement: &SettlementRequest,
    ) -> impl Future<Output = Result<(CampaignId, u32), SettleError>> + Send;
    /// Sends it from Sonar's own account and waits for the receipt.
    fn send(&self, settlement: &SettlementRequest) -> impl Future<Output = Result<B256, SettleError>> + Send;
}

/// Stores and sends settlements.
#[derive(Debug)]
pub struct Relay<S> {
    settler: S,
    index: Arc<Index>,
    settlements: Arc<dyn PendingSettlements>,
    /// Approximate number of pending settlements. Counted with each tick, so that a request does not wait for a count.
    pending: AtomicUsize,
    metrics: Arc<Metrics>,
    after: Duration,
    validations: Semaphore,
}

impl<S: Settler> Relay<S> {
    /// Creates a relay that waits `after` before it sends.
    pub fn new(
        settler: S,
        index: Arc<Index>,
        settlements: Arc<dyn PendingSettlements>,
        metrics: Arc<Metrics>,
        after: Duration,
    ) -> Self {
        let (pending, validations) = (AtomicUsize::new(0), Semaphore::new(VALIDATIONS));
        Self { settler, index, settlements, pending, metrics, after, validations }
    }

    /// Stores a settlement that the contract would accept now.
    ///
    /// # Errors
    /// The contract would refuse it, or too many settlements are pending.
    pub async fn accept(&self, settlement: &SettlementRequest) -> Result<RelayReceipt, Problem> {
        let _permit = self.validations.acquire().await.map_err(|error| Problem::internal(&error))?;
        let (campaign, window) = self.settler.simulate(settlement).await.map_err(problem)?;
        let failed = |error| Problem::internal(&error);
        let full = self.pending.load(Ordering::Relaxed) >= MAX_WAITING;
        // A settlement for the same window is replaced, so it does not count.
        if full && !self.settlements.contains(campaign.0, window).await.map_err(failed)? {
            return Err(Problem::unavailable(format!("{MAX_WAITING} settlements are pending; try again later")));
        }
        let body = serde_json::to_string(settlement).map_err(|error| Problem::internal(&error))?;
        let entry = Waiting { campaign: campaign.0, window, body, received: unix_now() };
        let received = self.settlements.put(&entry).await.map_err(failed)?;
        if received == entry.received {
            self.metrics.relay_pending(self.pending.fetch_add(1, Ordering::Relaxed) + 1);
        }
        Ok(RelayReceipt { campaign, window, send_after: received + self.after.as_secs() })
    }

    /// Closes the connections to its database.
    pub async fn close(&self) {
        self.settlements.close().await;
    }

    /// Runs until `stopping` becomes true.
    pub async fn run(self: Arc<Self>, mut stopping: watch::Receiver<bool>) {
        let mut progress = self.index.progress();
        while !*stopping.borrow() {
            progress.mark_unchanged();
            if progress.borrow().caught_up()
                && let Err(error) = self.tick().await
            {
                tracing::warn!(%error, "the relay failed; retrying");
            }
            tokio::select! {
                _ = progress.changed() => {}
                () = tokio::time::sleep(TICK) => {}
                _ = stopping.changed() => {}
            }
        }
    }

    async fn tick(&self) -> Result<(), SettlementsError> {
        let mut left = 0;
        for key in self.settlements.keys().await? {
            if self.is_over(&key) {
                self.settlements.remove(key.campaign, key.window).await?;
            } else {
                left += 1;
            }
        }
        self.pending.store(left, Ordering::Relaxed);
        self.metrics.relay_pending(left);
        loop {
            let now = unix_now();
            let before = |duration: Duration| now.saturating_sub(duration.as_secs());
            let (received, tried) = (before(self.after), before(self.after.max(TICK)));
            let Some(entry) = self.settlements.claim(now, received, tried).await? else {
                return Ok(());
            };
            self.send(&entry).await;
        }
    }

    /// Whether the window is settled, or never will be.
    fn is_over(&self, entry: &WaitingKey) -> bool {
        let age = Duration::from_secs(unix_now().saturating_sub(entry.received));
        age > LONGEST_WAIT
            || self.index.read(|world| super::live::is_settled(world, CampaignId(entry.campaign), entry.window))
    }

    async fn send(&self, entry: &Waiting) {
        let campaign = CampaignId(entry.campaign);
        let window = entry.window;
        let settlement = match serde_json::from_str(&entry.body) {
            Ok(settlement) => settlement,
            Err(error) => {
                return tracing::error!(%campaign, window, %error, "a stored settlement cannot be read");
            }
        };
        match self.settler.send(&settlement).await {
            Ok(tx) => {
                self.metrics.relay_sent();
                tracing::info!(%campaign, window, %tx, "sent a settlement in the Capsule's place");
            }
            // The window may have just been settled; the index will show it.
            Err(error) => {
                tracing::warn!(%campaign, window, %error, "cannot send a settlement in the Capsule's place")
            }
        }
    }
}

fn problem(error: SettleError) -> Problem {
    match error {
        SettleError::Refused { code, message } => Problem::new(StatusCode::UNPROCESSABLE_ENTITY, &code, message),
        SettleError::Unreachable(message) => Problem::unavailable(message),
    }
}

fn unix_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
