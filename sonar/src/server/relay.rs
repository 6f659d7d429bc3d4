//! The relay: stores a Capsule's signed settlement, and sends it if the Capsule's own transaction does not arrive.
//!
//! Two leases apply. A claim in the database keeps other servers from sending the same settlement; the job driver keeps this server
//! from sending it twice, limits the time of each, and lets what is being sent end when the server stops.

use std::{
    collections::BTreeSet,
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};

use alloy::primitives::B256;
use axum::http::StatusCode;
use sonar_node::jobs::{EndedJob, JobDriver, JobError, Patience, Step, StepOutcome};
use tokio::sync::{Semaphore, watch};

use super::settlements::{PendingKey, PendingSettlement, PendingSettlements, SettlementsError};
use super::{dto::RelayReceipt, metrics::Metrics, problem::Problem};
use crate::index::Index;
use sonar_protocol::{ids::CampaignId, units::Timestamp, wire::SettlementRequest};

/// Maximum number of pending settlements.
const MAX_WAITING: usize = 10_000;
/// Maximum number of concurrent validations, because each costs the node a simulation.
const VALIDATIONS: usize = 4;
/// After this time a settlement is dropped: the campaign was abandoned, or a rollback removed it for good.
const LONGEST_WAIT: Duration = Duration::from_secs(30 * 24 * 3600);
const TICK: Duration = Duration::from_secs(1);
/// Maximum number of settlements that are sent at once.
const JOBS: usize = 8;
/// Time limit of one transaction: longer than a client waits until it is mined.
const SETTLE: Step = Step::new("settle", Duration::from_secs(180));
const PATIENCE: Patience = Patience {
    // The claim in the database, which all servers respect, determines when a settlement is retried.
    first_pause: TICK,
    longest_pause: TICK,
    grace: Duration::from_secs(3),
};

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

/// Why a stored settlement was not sent.
#[derive(Debug, thiserror::Error)]
enum SendError {
    #[error("the stored settlement cannot be read: {0}")]
    Unreadable(#[from] serde_json::Error),
    #[error(transparent)]
    Settle(#[from] SettleError),
}

type Jobs = JobDriver<PendingKey, (), B256, SendError>;

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
    /// Approximate number of pending settlements. Counted with each round, so that a request does not wait for a count.
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
        let entry = PendingSettlement { campaign: campaign.0, window, body, received: now() };
        let received = self.settlements.put(&entry).await.map_err(failed)?;
        if received == entry.received {
            self.metrics.relay_pending(self.pending.fetch_add(1, Ordering::Relaxed) + 1);
        }
        Ok(RelayReceipt { campaign, window, send_after: received.plus(self.after.as_secs()) })
    }

    /// Closes the connections to its database.
    pub async fn close(&self) {
        self.settlements.close().await;
    }

    /// Runs until `stopping` becomes true.
    pub async fn run(self: Arc<Self>, mut stopping: watch::Receiver<bool>) {
        let mut progress = self.index.progress();
        let mut jobs = Jobs::new(JOBS, PATIENCE);
        while !*stopping.borrow() {
            progress.mark_unchanged();
            if progress.borrow().caught_up()
                && let Err(error) = self.start_due(&mut jobs).await
            {
                tracing::warn!(%error, "the relay failed; retrying");
            }
            tokio::select! {
                Some(ended) = jobs.next() => self.finish(ended),
                _ = progress.changed() => {}
                () = tokio::time::sleep(TICK) => {}
                _ = stopping.changed() => {}
            }
        }
        for ended in jobs.stop().await {
            self.finish(ended);
        }
    }

    /// Removes settled windows, and starts to send settlements that are due.
    async fn start_due(self: &Arc<Self>, jobs: &mut Jobs) -> Result<(), SettlementsError> {
        let mut left = BTreeSet::new();
        for key in self.settlements.keys().await? {
            if self.is_over(&key) {
                self.settlements.remove(key.campaign, key.window).await?;
            } else {
                left.insert(key);
            }
        }
        self.pending.store(left.len(), Ordering::Relaxed);
        self.metrics.relay_pending(left.len());
        jobs.retain(|key| left.contains(key));
        // Do not claim settlements that would only wait in the queue: another server could send them meanwhile.
        while jobs.running() < JOBS {
            let now = now();
            let before = |duration: Duration| now.minus(duration.as_secs());
            let (received, tried) = (before(self.after), before(self.after.max(TICK)));
            let Some(entry) = self.settlements.claim(now, received, tried).await? else {
                return Ok(());
            };
            // A settlement that is still being sent, or is resting, gets its claim renewed and is not started again.
            let relay = self.clone();
            jobs.start(entry.key(), (), SETTLE, async move { relay.send(&entry).await });
        }
        Ok(())
    }

    /// Whether the window is settled, or never will be.
    fn is_over(&self, entry: &PendingKey) -> bool {
        let age = Duration::from_secs(now().since(entry.received));
        age > LONGEST_WAIT
            || self.index.read(|world| super::live::is_settled(world, CampaignId(entry.campaign), entry.window))
    }

    async fn send(&self, entry: &PendingSettlement) -> Result<B256, SendError> {
        let settlement = serde_json::from_str(&entry.body)?;
        Ok(self.settler.send(&settlement).await?)
    }

    fn finish(&self, ended: EndedJob<PendingKey, B256, SendError>) {
        let EndedJob { key, step, took, result } = ended;
        self.metrics.step(step, StepOutcome::from(&result), took);
        match result {
            Ok(tx) => {
                self.metrics.relay_sent();
                tracing::info!(settlement = %key, %tx, "sent a settlement in the Capsule's place");
            }
            Err(JobError::HandedBack { .. }) => {}
            // The window may have just been settled; the index will show it.
            Err(error) => tracing::warn!(settlement = %key, %error, "cannot send a settlement in the Capsule's place"),
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

#[cfg(test)]
mod tests {
    use alloy::primitives::{Address, Bytes};
    use sonar_contracts::Terms;
    use sonar_protocol::{terms::CampaignTerms, wire::TermsJson};

    use super::*;
    use crate::{
        index::{ContractIdentity, Database},
        server::settlements,
    };

    /// Windows whose settlement is never mined, fails by a bug, or arrives.
    const STUCK: u32 = 1;
    const BROKEN: u32 = 2;
    const GOOD: u32 = 3;

    struct Chain;

    impl Settler for Chain {
        async fn simulate(&self, _: &SettlementRequest) -> Result<(CampaignId, u32), SettleError> {
            unreachable!("nothing is left with this relay")
        }

        async fn send(&self, settlement: &SettlementRequest) -> Result<B256, SettleError> {
            match u32::from(settlement.signature[0]) {
                STUCK => std::future::pending().await,
                BROKEN => panic!("a bug"),
                _ => Ok(B256::repeat_byte(9)),
            }
        }
    }

    fn pending(window: u32) -> PendingSettlement {
        let settlement = SettlementRequest {
            terms: TermsJson::from(&CampaignTerms::try_from(Terms::default()).unwrap()),
            window_start: B256::ZERO,
            submissions: Vec::new(),
            outcomes: Vec::new(),
            next: None,
            close: Default::default(),
            signature: Bytes::from(vec![window as u8]),
        };
        let body = serde_json::to_string(&settlement).unwrap();
        PendingSettlement { campaign: B256::repeat_byte(1), window, body, received: now().minus(60_u64) }
    }

    #[tokio::test]
    async fn a_settlement_that_hangs_or_fails_holds_up_no_other() {
        let home = tempfile::tempdir().unwrap();
        let database = Database::Directory(home.path().to_owned());
        let identity = ContractIdentity { chain_id: 31337, contract: Address::repeat_byte(1) };
        let (index, _) = Index::open(&database, identity, home.path()).await.unwrap();
        let store = settlements::open(&database, identity).await.unwrap();
        let unreadable = PendingSettlement { body: "?".into(), ..pending(GOOD + 1) };
        for entry in [pending(STUCK), pending(BROKEN), unreadable, pending(GOOD)] {
            store.put(&entry).await.unwrap();
        }
        let metrics = Arc::new(Metrics::default());
        let relay = Arc::new(Relay::new(Chain, index, store, metrics.clone(), Duration::from_secs(30)));
        let mut jobs = Jobs::new(JOBS, Patience { grace: Duration::ZERO, ..PATIENCE });
        relay.start_due(&mut jobs).await.unwrap();
        // Just claimed: nothing is started twice.
        relay.start_due(&mut jobs).await.unwrap();
        assert_eq!(jobs.running(), 4);
        let mut sent = Vec::new();
        while jobs.running() > 1 {
            let ended = jobs.next().await.unwrap();
            sent.extend(ended.result.is_ok().then_some(ended.key.window));
            relay.finish(ended);
        }
        assert_eq!(sent, [GOOD]);
        let handed_back: Vec<_> = jobs.stop().await.into_iter().map(|ended| ended.key.window).collect();
        assert_eq!(handed_back, [STUCK]);
        let text = metrics.render();
        assert!(text.contains("sonar_relay_sent_total 1") && text.contains("sonar_relay_pending 4"), "{text}");
        let is_panic = |line: &str| {
            line.starts_with("sonar_step_seconds_count{")
                && line.contains("step=\"settle\"")
                && line.contains("outcome=\"panicked\"")
                && line.ends_with(" 1")
        };
        assert!(text.lines().any(is_panic), "{text}");
        relay.close().await;
    }
}
