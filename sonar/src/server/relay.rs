//! The relay: keeps a Capsule's signed settlement, and sends it when the Capsule's own transaction does not arrive.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};

use alloy::primitives::B256;
use axum::http::StatusCode;
use tokio::sync::{Semaphore, watch};

use super::settlements::{PendingSettlements, SettlementsError, Waiting, WaitingKey};
use super::{dto::RelayReceipt, metrics::Metrics, problem::Problem};
use crate::index::Index;
use sonar_protocol::{ids::CampaignId, units::Timestamp, wire::SettlementRequest};

/// Settlements that may wait at the same time.
const MAX_WAITING: usize = 10_000;
/// Validations at the same time: each costs the node a simulation.
const VALIDATIONS: usize = 4;
/// After this, nobody waits for a settlement any more: the campaign was abandoned, or the chain forgot it for good.
const LONGEST_WAIT: Duration = Duration::from_secs(30 * 24 * 3600);
const TICK: Duration = Duration::from_secs(1);

/// Why a settlement was not taken by the chain.
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

/// What the relay needs of the chain.
pub trait Settler: Send + Sync + 'static {
    /// The campaign that a settlement is for, and the window it would settle now.
    fn simulate(
        &self,
        settlement: &SettlementRequest,
    ) -> impl Future<Output = Result<(CampaignId, u32), SettleError>> + Send;
    /// Sends it from Sonar's own account and waits for the receipt.
    fn send(&self, settlement: &SettlementRequest) -> impl Future<Output = Result<B256, SettleError>> + Send;
}

/// Keeps and sends settlements.
#[derive(Debug)]
pub struct Relay<S> {
    settler: S,
    index: Arc<Index>,
    settlements: Arc<dyn PendingSettlements>,
    /// About how many wait: counted with each tick, so that nobody who leaves one waits for a count.
    pending: AtomicUsize,
    metrics: Arc<Metrics>,
    after: Duration,
    validations: Semaphore,
}

impl<S: Settler> Relay<S> {
    /// A relay that waits `after` before it sends.
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

    /// Keeps a settlement that the contract would take now.
    ///
    /// # Errors
    /// The contract would not take it, or too many wait.
    pub async fn accept(&self, settlement: &SettlementRequest) -> Result<RelayReceipt, Problem> {
        let _permit = self.validations.acquire().await.map_err(|error| Problem::internal(&error))?;
        let (campaign, window) = self.settler.simulate(settlement).await.map_err(problem)?;
        let failed = |error| Problem::internal(&error);
        let full = self.pending.load(Ordering::Relaxed) >= MAX_WAITING;
        // One for a window that already has one takes its place.
        if full && !self.settlements.contains(campaign.0, window).await.map_err(failed)? {
            return Err(Problem::unavailable(format!("{MAX_WAITING} settlements wait already; try again later")));
        }
        let body = serde_json::to_string(settlement).map_err(|error| Problem::internal(&error))?;
        let entry = Waiting { campaign: campaign.0, window, body, received: now() };
        let received = self.settlements.put(&entry).await.map_err(failed)?;
        if received == entry.received {
            self.metrics.relay_pending(self.pending.fetch_add(1, Ordering::Relaxed) + 1);
        }
        Ok(RelayReceipt { campaign, window, send_after: received.plus(self.after.as_secs()) })
    }

    /// Ends the connections to its database.
    pub async fn close(&self) {
        self.settlements.close().await;
    }

    /// Works until `stopping` becomes true.
    pub async fn run(self: Arc<Self>, mut stopping: watch::Receiver<bool>) {
        let mut progress = self.index.progress();
        while !*stopping.borrow() {
            progress.mark_unchanged();
            if progress.borrow().caught_up()
                && let Err(error) = self.tick().await
            {
                tracing::warn!(%error, "the relay cannot work");
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
            let now = now();
            let before = |duration: Duration| now.minus(duration.as_secs());
            let (received, tried) = (before(self.after), before(self.after.max(TICK)));
            let Some(entry) = self.settlements.claim(now, received, tried).await? else {
                return Ok(());
            };
            self.send(&entry).await;
        }
    }

    /// Whether the chain has settled the window, or never will.
    fn is_over(&self, entry: &WaitingKey) -> bool {
        let age = Duration::from_secs(now().since(entry.received));
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
                tracing::info!(%campaign, window, %tx, "settled in the Capsule's place");
            }
            // It may have been settled a moment ago; the index will say.
            Err(error) => {
                tracing::warn!(%campaign, window, %error, "cannot settle in the Capsule's place")
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

fn now() -> Timestamp {
    SystemTime::now().into()
}
