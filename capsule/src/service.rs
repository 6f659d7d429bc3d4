//! The service: follows the chain, and starts the next step of each of the Capsule's campaigns when it is due, so that
//! campaigns do not block one another.

use std::{
    collections::{BTreeMap, HashMap},
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use alloy::primitives::Address;
use serde::Serialize;
use sonar_contracts::{State, Terms};
use sonar_node::{
    chain::WorldReader,
    jobs::{EndedJob, JobDriver, JobError, Patience, Step},
    vault::SecretStore,
};
use sonar_protocol::{
    ids::CampaignId,
    units::Timestamp,
    view::{CampaignView, CapsuleView, World},
};
use syft::{Ppm, budget::LeakMeter};

use crate::{
    campaign::{
        CapsuleAction, EVALUATE,
        worker::{Tools, WorkError, Worker},
    },
    launch_keys::{Keeper, LaunchKeyEntry},
    overview::OverviewFeed,
    ports::{Artefacts, Chain},
};

/// Maximum number of concurrent steps. High, because most steps only wait, and one campaign must not delay another.
const STEPS_AT_ONCE: usize = 256;
/// An action that stays due after it was performed is on its way to the chain, or failed: retries with growing delays.
const PATIENCE: Patience = Patience {
    first_pause: Duration::from_millis(250),
    longest_pause: Duration::from_secs(30),
    grace: Duration::from_secs(5),
};

/// Public status of the Capsule.
#[derive(Clone, Debug, Default, Serialize)]
pub struct CapsuleStatus {
    /// Number of the newest block.
    pub block: u64,
    /// Whether the chain was read up to its newest block at least once.
    pub caught_up: bool,
    /// Whether the last query of the chain succeeded.
    pub chain: bool,
    /// Why it failed, if it did.
    pub problem: Option<String>,
    /// The key that bundles are sealed to at present.
    pub launch_key: Option<LaunchKeyEntry>,
    /// Campaigns that name this Capsule.
    pub campaigns: BTreeMap<CampaignId, CampaignStatus>,
}

/// Public status of a campaign. Contains nothing that depends on updates that were not accepted.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CampaignStatus {
    /// State of the campaign.
    pub state: State,
    /// Current version of the model.
    pub version: u32,
    /// Number of settled windows.
    pub windows: usize,
    /// Best accuracy so far.
    pub best_ppm: Ppm,
    /// Last action.
    pub last: &'static str,
    /// Bits disclosed by public verdicts so far.
    pub leak_bits: f64,
    /// Limit of bits that public verdicts may disclose.
    pub leak_bits_allowed: f64,
    /// Why the last step was not completed.
    pub problem: Option<String>,
}

impl CampaignStatus {
    /// Applies the end of a step. When an evaluation ended and what it counted is public with its settlement only.
    fn step_ended(&mut self, step: &'static str, meter: Option<&LeakMeter>, problem: Option<String>) {
        self.problem = problem;
        if step == EVALUATE {
            return;
        }
        self.last = step;
        if let Some(meter) = meter {
            (self.leak_bits, self.leak_bits_allowed) = (meter.bits_spent(), meter.bits_allowed());
        }
    }
}

/// Status that the service shares with its HTTP API.
pub type SharedStatus = Arc<Mutex<CapsuleStatus>>;

/// A step that was not completed, with its worker.
struct FailedStep<S, A, C> {
    worker: Worker<S, A, C>,
    error: WorkError,
}

type Driver<S, A, C> = JobDriver<CampaignId, CapsuleAction, Worker<S, A, C>, FailedStep<S, A, C>>;
type EndedStep<S, A, C> = EndedJob<CampaignId, Worker<S, A, C>, FailedStep<S, A, C>>;

/// The service.
pub struct Service<S, A, C> {
    tools: Arc<Tools<S, A, C>>,
    operator: Address,
    // Workers of campaigns without a running step.
    resting: HashMap<CampaignId, Worker<S, A, C>>,
    driver: Driver<S, A, C>,
    launch_keys: Keeper<S, A, C>,
    status: SharedStatus,
    overview: Arc<OverviewFeed>,
}

impl<S: SecretStore + 'static, A: Artefacts, C: Chain> Service<S, A, C> {
    /// Creates the service of this operator, which replaces its launch key after each period.
    #[must_use]
    pub fn new(tools: Arc<Tools<S, A, C>>, operator: Address, launch_key_period: Duration) -> Self {
        Self {
            launch_keys: Keeper::new(tools.clone(), operator, launch_key_period),
            tools,
            operator,
            resting: HashMap::new(),
            driver: JobDriver::new(STEPS_AT_ONCE, PATIENCE),
            status: SharedStatus::default(),
            overview: Arc::default(),
        }
    }

    /// What the operator's page shows.
    #[must_use]
    pub fn overview(&self) -> Arc<OverviewFeed> {
        self.overview.clone()
    }

    /// The public status.
    #[must_use]
    pub fn status(&self) -> SharedStatus {
        self.status.clone()
    }

    /// Runs until `stop`, then waits a short time for running steps. The future can be dropped at any moment without
    /// loss.
    pub async fn run(mut self, mut reader: WorldReader, stop: impl Future<Output = ()> + Send) {
        let mut stop = pin!(stop);
        let mut errors = 0_u32;
        loop {
            let look = tokio::select! {
                () = &mut stop => break,
                look = reader.next() => look,
                Some(ended) = self.launch_keys.next() => {
                    self.launch_keys.finish(ended);
                    continue;
                }
                Some(ended) = self.driver.next() => {
                    self.finish(ended);
                    self.start_steps(reader.world());
                    // What the step sent may be on the chain already, so read the chain before handling other steps.
                    tokio::select! {
                        () = &mut stop => break,
                        look = reader.look_now() => look,
                    }
                }
            };
            match look {
                Ok(_) => {
                    errors = 0;
                    if let Err(error) = self.launch_keys.tend(reader.world()) {
                        tracing::warn!(%error, "cannot replace the launch key; retrying");
                    }
                    self.update_status(reader.world());
                }
                Err(error) => {
                    fail(&self.status, &error);
                    self.overview.update(|overview| overview.set_problem(error.to_string()));
                    if errors == 0 {
                        tracing::warn!(%error, "cannot read the chain; retrying");
                    }
                    errors = errors.saturating_add(1);
                }
            }
            self.start_steps(reader.world());
        }
        let (ended, ()) = tokio::join!(self.driver.stop(), self.launch_keys.stop());
        for ended in ended {
            self.finish(ended);
        }
    }

    /// Updates the state of this Capsule's campaigns from the chain.
    fn update_status(&self, world: &World) {
        let mut status = lock(&self.status);
        status.block = world.head.number;
        (status.chain, status.caught_up, status.problem) = (true, true, None);
        status.launch_key = self.launch_keys.newest();
        let before = std::mem::take(&mut status.campaigns);
        status.campaigns = world
            .in_order()
            .filter(|campaign| campaign.terms.capsule == self.operator)
            .map(|campaign| (campaign.id, describe(campaign, before.get(&campaign.id))))
            .collect();
        self.overview.chain_answered();
        let keys = self.launch_keys.entries();
        self.overview.update(|overview| overview.set_world(world, self.operator, &status, keys));
    }

    /// Starts the next step of every campaign that is due.
    fn start_steps(&mut self, world: &World) {
        let own = world.capsules.get(&self.operator);
        let now = world.head.now;
        for campaign in world.in_order() {
            if campaign.terms.capsule != self.operator || self.driver.is_running(&campaign.id) {
                continue;
            }
            let resumed = match self.resting.remove(&campaign.id) {
                Some(worker) => Ok(worker),
                None => Worker::resume(self.tools.clone(), campaign.id),
            };
            let mut worker = match resumed {
                Ok(worker) => worker,
                Err(error) => {
                    tracing::error!(campaign = %campaign.id, %error, "cannot read the record");
                    continue;
                }
            };
            let action = worker.next(campaign, now);
            if matches!(action, CapsuleAction::Wait(_) | CapsuleAction::Done)
                || !self.driver.is_due(&campaign.id, &action)
            {
                self.resting.insert(campaign.id, worker);
                continue;
            }
            let step = Step::new(action.name(), time_limit(&action, &campaign.terms));
            let job = take_step(worker, campaign.clone(), own.cloned(), now);
            self.driver.start(campaign.id, action, step, job);
        }
    }

    /// Handles the end of a step. A worker that was lost is recreated from the record.
    fn finish(&mut self, ended: EndedStep<S, A, C>) {
        let EndedJob { key: id, step, result, .. } = ended;
        let (worker, problem) = match result {
            Ok(worker) => (Some(worker), None),
            Err(JobError::Failed(FailedStep { worker, error })) => (Some(worker), Some(error.to_string())),
            Err(JobError::TimedOut { limit, .. }) => (None, Some(format!("it took longer than {limit:?}"))),
            Err(JobError::Panicked { .. }) => (None, Some("it ended with a panic, which is a bug".into())),
            Err(JobError::HandedBack { .. }) => (None, None),
        };
        if let Some(problem) = problem.as_ref().filter(|_| worker.is_none()) {
            tracing::error!(campaign = %id, action = step, problem, "step not completed; retrying");
        }
        if let Some(entry) = lock(&self.status).campaigns.get_mut(&id) {
            let meter = worker.as_ref().and_then(|worker| worker.record().meter.as_ref());
            entry.step_ended(step, meter, problem);
        }
        self.resting.extend(worker.map(|worker| (id, worker)));
    }
}

/// Performs the next action for a campaign.
async fn take_step<S: SecretStore + 'static, A: Artefacts, C: Chain>(
    mut worker: Worker<S, A, C>,
    campaign: CampaignView,
    own: Option<CapsuleView>,
    now: Timestamp,
) -> Result<Worker<S, A, C>, FailedStep<S, A, C>> {
    let (action, done) = worker.step(&campaign, own.as_ref(), now).await;
    match done {
        Ok(()) => {
            tracing::info!(campaign = %campaign.id, window = campaign.window.index.0, action = action.name(), "done");
            Ok(worker)
        }
        Err(error) => {
            report(&campaign, action.name(), &error);
            Err(FailedStep { worker, error })
        }
    }
}

/// Shortest time limit of a step.
const LEAST_STEP_SECONDS: u32 = 600;

/// Time limit of a step: the time that the campaign gives for the duty. A later result would come too late to save the
/// stake.
fn time_limit(action: &CapsuleAction, terms: &Terms) -> Duration {
    let seconds = match action {
        CapsuleAction::Examine | CapsuleAction::Activate | CapsuleAction::Decline(_) => terms.activationSeconds,
        CapsuleAction::Evaluate(_) | CapsuleAction::SendSettlement(_) => terms.evaluationSeconds,
        _ => terms.deliverySeconds,
    };
    // Terms that give too little time are declined, and declining needs time too.
    Duration::from_secs(seconds.max(LEAST_STEP_SECONDS).into())
}

fn report(campaign: &CampaignView, action: &str, error: &WorkError) {
    let expected =
        matches!(error, WorkError::Ahead(_)) || matches!(error, WorkError::Chain(error) if error.revert().is_some());
    if expected {
        // Usually another party sent it, and the chain will show it.
        tracing::debug!(campaign = %campaign.id, action, %error, "not possible yet; retrying");
    } else {
        tracing::warn!(campaign = %campaign.id, action, %error, "step not completed; retrying");
    }
}

fn describe(campaign: &CampaignView, before: Option<&CampaignStatus>) -> CampaignStatus {
    CampaignStatus {
        state: campaign.state,
        version: campaign.version().0,
        windows: campaign.settled.len(),
        best_ppm: campaign.best_ppm,
        last: before.map_or("wait", |before| before.last),
        leak_bits: before.map_or(0.0, |before| before.leak_bits),
        leak_bits_allowed: before.map_or(0.0, |before| before.leak_bits_allowed),
        problem: before.and_then(|before| before.problem.clone()),
    }
}

/// Records that the last query of the chain failed.
fn fail(status: &Mutex<CapsuleStatus>, error: impl std::fmt::Display) {
    let mut status = lock(status);
    (status.chain, status.problem) = (false, Some(error.to_string()));
}

/// Locks the status, even after a panic of another thread.
pub fn lock(status: &Mutex<CapsuleStatus>) -> MutexGuard<'_, CapsuleStatus> {
    status.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sonar_protocol::ids::WindowIndex;
    use syft::{Grid, Ladder, budget::Limits};

    /// The status is public, so it must not show when an evaluation ended, nor what it accepted, before the settlement
    /// is sent.
    #[test]
    fn the_status_shows_an_evaluation_with_its_settlement() {
        let ladder = Ladder::new(Grid::new(5_000).unwrap(), Ppm::ZERO, Ppm::ONE).unwrap();
        let mut meter = LeakMeter::new(650, &ladder, Limits { submissions: 10, accepts: 2 }).unwrap();
        let mut status = CampaignStatus {
            state: State::Open,
            version: 1,
            windows: 0,
            best_ppm: Ppm::ZERO,
            last: "wait",
            leak_bits: 0.0,
            leak_bits_allowed: 0.0,
            problem: None,
        };
        status.step_ended("activate", Some(&meter), None);
        let before = (status.last, status.leak_bits);
        meter.begin(0, 3).unwrap();
        meter.finish(0, 1).unwrap();
        status.step_ended(CapsuleAction::Evaluate(WindowIndex(0)).name(), Some(&meter), None);
        assert_eq!((status.last, status.leak_bits), before);
        status.step_ended(CapsuleAction::SendSettlement(WindowIndex(0)).name(), Some(&meter), None);
        assert_eq!((status.last, status.leak_bits), ("send_settlement", meter.bits_spent()));
    }

    #[test]
    fn a_step_has_the_time_that_the_campaign_gives_for_it() {
        let terms =
            Terms { activationSeconds: 1, evaluationSeconds: 3_600, deliverySeconds: 86_400, ..Terms::default() };
        let seconds = |action| time_limit(&action, &terms).as_secs();
        assert_eq!(
            seconds(CapsuleAction::Decline(sonar_protocol::refusal::Refusal::Terms)),
            600,
            "also where nobody could be in time"
        );
        assert_eq!(seconds(CapsuleAction::Evaluate(sonar_protocol::ids::WindowIndex(0))), 3_600);
        assert_eq!(seconds(CapsuleAction::Deliver), 86_400);
    }
}
