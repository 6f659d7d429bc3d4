//! The run loop of a Mine: reads the chain, decides for each campaign, and performs the decisions. Everything that it
//! needs after `kill -9` is on the chain, on IPFS and in its vault, so each turn of the loop decides anew from these.
//!
//! ```text
//!  chain ──look──► plan ──(planner::next)──► Skip, Wait                       journal
//!                   ▲ │                      Fetch, Train, Send ──► job driver   ▲
//!                   │ └────────────────────────────────────────────────┼─────────┘
//!                   └──────────── apply (state) ◄───── StepResult ─────┘
//! ```

mod jobs;
mod journal;
mod publish;
mod state;
mod steps;

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use alloy::primitives::Address;
use sonar_node::{
    chain::{self, Client, WorldReader},
    config::ConfigError,
    ipfs::Node,
    jobs::EndedJob,
    vault::{SecretStore, VaultError},
};
use sonar_protocol::{
    event::Batch,
    ids::CampaignId,
    units::{Amount, Timestamp},
    view::World,
};
use tokio::sync::{Notify, watch};

use self::{
    jobs::{Jobs, StepError, StepResult, Workshop, lock},
    state::CampaignState,
};
pub use self::{
    journal::{Journal, JournalLine},
    publish::{ChainState, LoopSnapshot},
    steps::{KEPT_STEPS, StepLog, StepRecord, StepState},
};
use crate::{
    home,
    outbox::{Outbox, OutboxError},
    pause::Pause,
    planner::{self, Action, Offer, PlannerInput, Skip},
    policy::Policy,
    reasons::Trouble,
    repository::{self, DataName, RepositoryError},
    training,
};

/// Delay after a submission, until the chain shows it.
const SENT_PAUSE: Duration = Duration::from_secs(2);
/// With `--once`, a campaign is given up after this number of failures in a row.
const ONCE_ATTEMPTS: u32 = 8;

/// Settings and services of a running Mine.
#[derive(Debug)]
pub struct Setup {
    /// Client of the chain, with the Mine's account.
    pub client: Client,
    /// The Mine's account.
    pub me: Address,
    /// IPFS.
    pub node: Arc<Node>,
    /// Home directory, which has the snapshot of the chain.
    pub home: PathBuf,
    /// The policy file.
    pub policy: PathBuf,
    /// The file of the pause.
    pub pause: PathBuf,
    /// Time between two queries of the chain.
    pub poll: Duration,
    /// Confirmations: blocks that must follow before an event counts.
    pub confirmations: u64,
    /// Whether to end when nothing is left to do.
    pub once: bool,
}

/// Why the Mine cannot continue.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] VaultError),
    /// The outbox failed.
    #[error(transparent)]
    Outbox(#[from] OutboxError),
    /// The data sets cannot be listed.
    #[error(transparent)]
    Repository(#[from] RepositoryError),
    /// The policy or the pause cannot be read.
    #[error(transparent)]
    File(#[from] ConfigError),
    /// With `--once`: a campaign could not be served.
    #[error("campaign {campaign}: {trouble}")]
    Trouble {
        /// The campaign.
        campaign: CampaignId,
        /// What went wrong last.
        trouble: Trouble,
    },
}

/// A boxed future.
pub type Pinned<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A running Mine.
pub struct MineLoop {
    shop: Workshop,
    reader: WorldReader,
    states: BTreeMap<CampaignId, CampaignState>,
    policy: Policy,
    data: Vec<DataName>,
    jobs: Jobs,
    journal: Arc<Journal>,
    steps: Arc<StepLog>,
    pause: Option<Pause>,
    chain: ChainState,
    // The world as published; replaced when there are new events.
    world: Arc<World>,
    complaints: BTreeMap<&'static str, String>,
    feed: watch::Sender<LoopSnapshot>,
    wake: Arc<Notify>,
}

/// The complaint about a policy file.
const INVALID_POLICY: &str = "the policy file is invalid; the last valid policy stays in force";
/// The complaint about the file of the pause.
const INVALID_PAUSE: &str = "the file of the pause is invalid; the last valid state stays in force";

impl MineLoop {
    /// Resumes where the last run ended.
    ///
    /// # Errors
    /// When the store fails.
    pub fn new(setup: Setup, store: Arc<dyn SecretStore>) -> Result<Self, RunError> {
        Ok(Self {
            reader: WorldReader::of(setup.me, setup.client.clone(), setup.poll, setup.confirmations)
                .with_snapshot(&setup.home),
            states: BTreeMap::new(),
            policy: home::read_policy(&setup.policy)?,
            pause: Pause::read(&setup.pause, clock())?,
            data: repository::names(&*store)?,
            jobs: jobs::driver(),
            journal: Arc::new(Journal::load(&*store)?),
            steps: Arc::new(StepLog::load(&*store)?),
            chain: ChainState::default(),
            world: Arc::default(),
            complaints: BTreeMap::new(),
            feed: watch::Sender::default(),
            wake: Arc::default(),
            shop: Workshop { outbox: Arc::new(Mutex::new(Outbox::load(&*store)?)), setup: Arc::new(setup), store },
        })
    }

    /// Publishes a snapshot to this feed after every turn.
    #[must_use]
    pub fn with_feed(self, feed: watch::Sender<LoopSnapshot>) -> Self {
        Self { feed, ..self }
    }

    /// Lets the loop notice changed files at once.
    #[must_use]
    pub fn with_wake(self, wake: Arc<Notify>) -> Self {
        Self { wake, ..self }
    }

    /// Runs until `stop`, or with `--once` until nothing is left to do.
    ///
    /// # Errors
    /// When the store fails, or with `--once` a campaign cannot be served.
    pub fn run<'a>(&'a mut self, stop: Pinned<'a, ()>) -> Pinned<'a, Result<(), RunError>> {
        Box::pin(async {
            let result = self.serve(stop).await;
            self.stop().await;
            result
        })
    }

    async fn serve(&mut self, mut stop: Pinned<'_, ()>) -> Result<(), RunError> {
        let wake = self.wake.clone();
        let mut seen = false;
        loop {
            tokio::select! {
                () = &mut stop => return Ok(()),
                () = wake.notified() => {}
                Some(ended) = self.jobs.next() => self.apply(ended)?,
                batch = self.reader.next() => seen |= self.look(batch),
            }
            self.notice_files()?;
            if !seen {
                self.publish();
                continue;
            }
            let idle = self.plan()?;
            self.publish();
            if self.shop.setup.once && idle {
                return Ok(());
            }
        }
    }

    /// Stops trainings at their next step, and waits for transactions that are being sent. A restart resumes from chain
    /// and vault.
    async fn stop(&mut self) {
        self.states.values_mut().for_each(CampaignState::cancel_training);
        for ended in self.jobs.stop().await {
            let trouble = ended.result.err().map(jobs::trouble);
            Arc::make_mut(&mut self.steps).end(ended.key, clock(), trouble);
        }
        if let Err(error) = self.steps.persist(&*self.shop.store) {
            tracing::warn!("the log of steps was not written: {error}");
        }
        tracing::debug!("{}", self.jobs.durations().render("mine"));
    }

    /// Applies the result of reading the chain; returns whether that succeeded.
    fn look(&mut self, batch: Result<Batch, chain::Error>) -> bool {
        let problem = match batch {
            Ok(batch) => {
                let head = self.reader.world().head;
                self.chain.advance(head.number, head.now, clock());
                let has_news = batch.restarted || !batch.records.is_empty();
                if has_news && self.feed.receiver_count() > 0 {
                    self.world = Arc::new(self.reader.world().clone());
                }
                None
            }
            Err(error) => Some(error.to_string()),
        };
        self.chain.problem.clone_from(&problem);
        let good = problem.is_none();
        self.complain("cannot follow the chain", problem);
        good
    }

    /// Publishes the state after a turn, if it has changed and somebody reads it.
    fn publish(&self) {
        if self.feed.receiver_count() == 0 {
            return;
        }
        let invalid = [INVALID_POLICY, INVALID_PAUSE];
        let complaint = |what| self.complaints.get(what).map(|reason| format!("{what}: {reason}"));
        let snapshot = LoopSnapshot {
            world: self.world.clone(),
            journal: self.journal.clone(),
            steps: self.steps.clone(),
            paused: self.pause,
            chain: self.chain.clone(),
            invalid_files: invalid.into_iter().filter_map(complaint).collect(),
            budget: self.policy.privacy,
            ledger: Arc::new(lock(&self.shop.outbox).ledger().clone()),
            data_sets: self.data.len(),
        };
        self.feed.send_if_modified(|last| {
            let changed = *last != snapshot;
            if changed {
                *last = snapshot;
            }
            changed
        });
    }

    /// Logs a failure once.
    fn complain(&mut self, what: &'static str, reason: Option<String>) {
        let Some(reason) = reason else {
            self.complaints.remove(what);
            return;
        };
        if self.complaints.get(what) != Some(&reason) {
            tracing::warn!("{what}: {reason}");
            self.complaints.insert(what, reason);
        }
    }

    /// Decides for every campaign and starts the decided steps. Returns true if nothing is left to do for any campaign.
    fn plan(&mut self) -> Result<bool, RunError> {
        let mut idle = self.jobs.is_idle();
        let mut journal = Journal::default();
        let mut at_stake = self.at_stake();
        for id in self.reader.world().order.clone() {
            let Some(campaign) = self.reader.world().campaign(id) else {
                continue;
            };
            let now = self.reader.world().head.now;
            let state = self.states.entry(id).or_default();
            state.turn_to(campaign.version());
            let outbox = lock(&self.shop.outbox);
            let exhausted = state.exhausted(self.policy.privacy.as_ref(), outbox.ledger());
            let stage = outbox.stage(id, campaign.version());
            drop(outbox);
            let at_stake_elsewhere = at_stake.saturating_sub(state.at_stake);
            let paused = self.pause.as_ref().filter(|pause| pause.holds(self.jobs.is_running(&id)));
            let action = planner::next(&PlannerInput {
                campaign,
                me: self.shop.setup.me,
                now,
                policy: &self.policy,
                offer: &state.offer,
                supply: &state.supply,
                stage,
                exhausted: exhausted.as_ref(),
                at_stake_elsewhere,
                paused,
            });
            state.at_stake = planner::at_stake(campaign, self.shop.setup.me, &action);
            at_stake = at_stake_elsewhere.saturating_add(state.at_stake);
            if action == Action::Skip(Skip::Over) {
                // A backbone may be large.
                (state.embedding, state.kit) = (None, None);
            }
            if matches!(action, Action::Skip(_)) {
                // Cancels a training whose update is no longer needed.
                state.cancel_training();
            }
            journal.campaigns.push(JournalLine::new(campaign, state, &action));
            idle &= matches!(action, Action::Skip(_)) && !self.jobs.is_running(&id);
            let Some(step) = jobs::step(campaign, &action, now) else {
                continue;
            };
            let work = (campaign.version(), step.name);
            if !self.jobs.is_due(&id, &work) {
                let given_up = self.shop.setup.once && self.jobs.failures(&id) >= ONCE_ATTEMPTS;
                if given_up && let Some(trouble) = state.trouble.clone() {
                    return Err(RunError::Trouble { campaign: id, trouble });
                }
                continue;
            }
            let version = campaign.version();
            if let Some(job) = self.shop.job(self.reader.world(), campaign, state, &self.policy, &action)
                && self.jobs.start(id, work, step, job)
            {
                Arc::make_mut(&mut self.steps).start(StepRecord {
                    campaign: id,
                    version,
                    step: step.name.into(),
                    started: clock(),
                    ended: None,
                    attempt: self.jobs.attempts(&id),
                    error: None,
                });
            }
        }
        let world = self.reader.world();
        self.jobs.retain(|id| world.campaign(*id).is_some_and(|campaign| campaign.closed.is_none()));
        self.tidy()?;
        self.note(journal)?;
        Ok(idle)
    }

    /// Stake in all campaigns in wei: on chain, or about to be sent at the last decision.
    fn at_stake(&mut self) -> Amount {
        let me = self.shop.setup.me;
        let mut total = Amount::ZERO;
        for campaign in self.reader.world().in_order() {
            let state = self.states.entry(campaign.id).or_default();
            state.at_stake = state.at_stake.max(campaign.stakes(me).held);
            total = total.saturating_add(state.at_stake);
        }
        total
    }

    fn notice_files(&mut self) -> Result<(), RunError> {
        self.notice_policy();
        self.notice_pause();
        self.notice_data()
    }

    /// Reloads the policy; the last valid one stays in force while the file is invalid.
    fn notice_policy(&mut self) {
        let read = home::read_policy(&self.shop.setup.policy);
        let (policy, reason) = match read {
            Ok(policy) => (Some(policy), None),
            Err(error) => (None, Some(error.to_string())),
        };
        self.policy = policy.unwrap_or_else(|| std::mem::take(&mut self.policy));
        self.complain(INVALID_POLICY, reason);
    }

    /// Reloads the pause; the last valid one stays in force while the file is invalid.
    fn notice_pause(&mut self) {
        let reason = match Pause::read(&self.shop.setup.pause, clock()) {
            Ok(pause) => {
                self.log_pause(pause);
                self.pause = pause;
                None
            }
            Err(error) => Some(error.to_string()),
        };
        self.complain(INVALID_PAUSE, reason);
    }

    fn log_pause(&self, pause: Option<Pause>) {
        match (self.pause, pause) {
            (Some(_), None) => tracing::info!("the pause has ended"),
            (before, Some(pause)) if before != Some(pause) => tracing::info!("{pause}"),
            _ => {}
        }
    }

    /// After data sets were added or removed, checks again how they fit each campaign.
    fn notice_data(&mut self) -> Result<(), RunError> {
        let data = repository::names(&*self.shop.store)?;
        if data != self.data {
            self.data = data;
            self.states.values_mut().for_each(|state| state.offer = Offer::Unknown);
        }
        Ok(())
    }

    fn apply(&mut self, ended: EndedJob<CampaignId, StepResult, StepError>) -> Result<(), RunError> {
        let id = ended.key;
        let state = self.states.entry(id).or_default();
        let trouble = match ended.result {
            Ok(result) => {
                if matches!(result, StepResult::Submission) {
                    self.jobs.rest(&id, SENT_PAUSE);
                }
                state.apply(id, result);
                None
            }
            Err(error) => {
                let trouble = jobs::trouble(error);
                tracing::warn!(campaign = %id, step = ended.step, "{trouble}");
                Some(trouble)
            }
        };
        state.trouble.clone_from(&trouble);
        Arc::make_mut(&mut self.steps).end(id, clock(), trouble);
        Ok(self.steps.persist(&*self.shop.store)?)
    }

    /// Drops updates that will never be sent again.
    fn tidy(&mut self) -> Result<(), RunError> {
        let now = self.reader.world().head.now;
        let mut outbox = lock(&self.shop.outbox);
        let useless: Vec<_> = outbox
            .sealed()
            .filter(|(id, version)| {
                let campaign = self.reader.world().campaign(*id);
                campaign.is_some_and(|campaign| planner::is_useless(campaign, *version, now))
            })
            .collect();
        for (id, version) in useless {
            outbox.give_up(&*self.shop.store, id, version)?;
            tracing::info!(campaign = %id, %version, "dropped an obsolete update");
        }
        let goes_on = |id, version| {
            let open = self
                .reader
                .world()
                .campaign(id)
                .is_some_and(|campaign| campaign.version() == version && campaign.closed.is_none());
            open && outbox.stage(id, version).is_none()
        };
        Ok(training::tidy(&*self.shop.store, goes_on)?)
    }

    fn note(&mut self, journal: Journal) -> Result<(), RunError> {
        if journal != *self.journal {
            journal.persist(&*self.shop.store)?;
            self.journal = Arc::new(journal);
        }
        Ok(())
    }
}

/// The time by the clock of this machine.
fn clock() -> Timestamp {
    SystemTime::now().into()
}
