//! All campaigns of a Capsule: follows the chain, and starts the next step of each campaign when it is due, so that none blocks
//! another.

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
    jobs::{Ended, JobDriver, JobError, Patience, Step},
};
use sonar_protocol::{
    ids::CampaignId,
    units::Timestamp,
    view::{CampaignView, CapsuleView, World},
};
use syft::Ppm;

use crate::{
    campaign::{
        self, Action, LEAST_SECONDS,
        worker::{Tools, WorkError, Worker},
    },
    ports::{Artefacts, Chain, Store},
};

/// Steps that run at the same time, at most. Most of them wait for others, and none may make another campaign late.
const STEPS_AT_ONCE: usize = 256;
/// Something that was done and still has to be done is on its way to the chain, or did not work: pauses grow.
const PATIENCE: Patience = Patience {
    first_pause: Duration::from_millis(250),
    longest_pause: Duration::from_secs(30),
    grace: Duration::from_secs(5),
};

/// What everybody may know about the Capsule's work.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Status {
    /// The last block.
    pub block: u64,
    /// Whether the chain was read up to its end at least once.
    pub caught_up: bool,
    /// Whether the last look at the chain succeeded.
    pub chain: bool,
    /// Why not, if it failed.
    pub problem: Option<String>,
    /// Campaigns that name this Capsule.
    pub campaigns: BTreeMap<CampaignId, CampaignStatus>,
}

/// What everybody may know about the Capsule's work on a campaign: nothing that depends on updates that were not accepted.
#[derive(Clone, Debug, Serialize)]
pub struct CampaignStatus {
    /// Where the campaign stands.
    pub state: State,
    /// The version that it is at.
    pub version: u32,
    /// Windows settled.
    pub windows: usize,
    /// The best accuracy.
    pub best_ppm: Ppm,
    /// What was done last.
    pub last: &'static str,
    /// Bits that were said in public so far.
    pub leak_bits: f64,
    /// Bits that may be said.
    pub leak_bits_allowed: f64,
    /// Why the last step was not completed.
    pub problem: Option<String>,
}

/// What the service shares with its HTTP interface.
pub type SharedStatus = Arc<Mutex<Status>>;

/// A step that was not completed. Its worker goes on from there.
struct FailedStep<S, A, C> {
    worker: Worker<S, A, C>,
    error: WorkError,
}

type Driver<S, A, C> = JobDriver<CampaignId, Action, Worker<S, A, C>, FailedStep<S, A, C>>;
type EndedStep<S, A, C> = Ended<CampaignId, Worker<S, A, C>, FailedStep<S, A, C>>;

/// The service.
pub struct Service<S, A, C> {
    tools: Arc<Tools<S, A, C>>,
    operator: Address,
    // Of campaigns of which no step is running.
    resting: HashMap<CampaignId, Worker<S, A, C>>,
    driver: Driver<S, A, C>,
    status: SharedStatus,
}

impl<S: Store, A: Artefacts, C: Chain> Service<S, A, C> {
    /// Works for this operator.
    #[must_use]
    pub fn new(tools: Arc<Tools<S, A, C>>, operator: Address) -> Self {
        Self {
            tools,
            operator,
            resting: HashMap::new(),
            driver: JobDriver::new(STEPS_AT_ONCE, PATIENCE),
            status: SharedStatus::default(),
        }
    }

    /// What everybody may know.
    #[must_use]
    pub fn status(&self) -> SharedStatus {
        self.status.clone()
    }

    /// Works until `stop`, and gives steps that run a moment to end. Nothing is lost by dropping the future at any moment.
    pub async fn run(mut self, mut reader: WorldReader, stop: impl Future<Output = ()> + Send) {
        let mut stop = pin!(stop);
        let mut errors = 0_u32;
        loop {
            let look = tokio::select! {
                () = &mut stop => break,
                look = reader.next() => look,
                Some(ended) = self.driver.next() => {
                    self.finish(ended);
                    self.start_steps(reader.world());
                    // What it sent may be on the chain already. Other steps wait, so that looks are completed.
                    tokio::select! {
                        () = &mut stop => break,
                        look = reader.look_now() => look,
                    }
                }
            };
            match look {
                Ok(_) => {
                    errors = 0;
                    self.update_status(reader.world());
                }
                Err(error) => {
                    fail(&self.status, &error);
                    if errors == 0 {
                        tracing::warn!(%error, "the chain cannot be read; it is tried again");
                    }
                    errors = errors.saturating_add(1);
                }
            }
            self.start_steps(reader.world());
        }
        for ended in self.driver.stop().await {
            self.finish(ended);
        }
    }

    /// Notes what the chain says of this Capsule's campaigns.
    fn update_status(&self, world: &World) {
        let mut status = lock(&self.status);
        status.block = world.head.number;
        (status.chain, status.caught_up, status.problem) = (true, true, None);
        let before = std::mem::take(&mut status.campaigns);
        status.campaigns = world
            .in_order()
            .filter(|campaign| campaign.terms.capsule == self.operator)
            .map(|campaign| (campaign.id, describe(campaign, before.get(&campaign.id))))
            .collect();
    }

    /// Starts the next step of every campaign of which it is due.
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
            let worker = match resumed {
                Ok(worker) => worker,
                Err(error) => {
                    tracing::error!(campaign = %campaign.id, %error, "the record cannot be read");
                    continue;
                }
            };
            let action = campaign::next(campaign, worker.record(), now);
            if matches!(action, Action::Wait(_) | Action::Done) || !self.driver.is_due(&campaign.id, &action) {
                self.resting.insert(campaign.id, worker);
                continue;
            }
            let step = Step::new(action.name(), time_limit(&action, &campaign.terms));
            let job = take_step(worker, campaign.clone(), own.cloned(), now);
            self.driver.start(campaign.id, action, step, job);
        }
    }

    /// Takes a worker back. One that did not come back is made anew from what was written down.
    fn finish(&mut self, ended: EndedStep<S, A, C>) {
        let Ended { key: id, step, result, .. } = ended;
        let (worker, problem) = match result {
            Ok(worker) => (Some(worker), None),
            Err(JobError::Failed(FailedStep { worker, error })) => (Some(worker), Some(error.to_string())),
            Err(JobError::TimedOut { limit, .. }) => (None, Some(format!("it took longer than {limit:?}"))),
            Err(JobError::Panicked { .. }) => (None, Some("it ended with a panic, which is a bug".into())),
            Err(JobError::HandedBack { .. }) => (None, None),
        };
        if let Some(problem) = problem.as_ref().filter(|_| worker.is_none()) {
            tracing::error!(campaign = %id, action = step, problem, "not done; it is tried again");
        }
        if let Some(entry) = lock(&self.status).campaigns.get_mut(&id) {
            if let Some(meter) = worker.as_ref().and_then(|worker| worker.record().meter.as_ref()) {
                (entry.leak_bits, entry.leak_bits_allowed) = (meter.bits_spent(), meter.bits_allowed());
            }
            (entry.last, entry.problem) = (step, problem);
        }
        self.resting.extend(worker.map(|worker| (id, worker)));
    }
}

/// Carries out what is next for a campaign.
async fn take_step<S: Store, A: Artefacts, C: Chain>(
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

/// The longest time that a step may take: what the campaign gives for all that must be done meanwhile. Whoever is later loses the
/// stake anyway.
fn time_limit(action: &Action, terms: &Terms) -> Duration {
    let seconds = match action {
        Action::Examine | Action::Activate | Action::Decline(_) => terms.activationSeconds,
        Action::Evaluate(_) | Action::RenewMaterial(_) | Action::SendSettlement(_) => terms.evaluationSeconds,
        _ => terms.deliverySeconds,
    };
    // Terms that give less are declined, for which there must be time, too.
    Duration::from_secs(seconds.max(LEAST_SECONDS).into())
}

fn report(campaign: &CampaignView, action: &str, error: &WorkError) {
    let expected =
        matches!(error, WorkError::Ahead(_)) || matches!(error, WorkError::Chain(error) if error.revert().is_some());
    if expected {
        // Usually somebody else sent it, and the chain will say so.
        tracing::debug!(campaign = %campaign.id, action, %error, "not now");
    } else {
        tracing::warn!(campaign = %campaign.id, action, %error, "not done; it is tried again");
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

/// Notes that the last look at the chain failed.
fn fail(status: &Mutex<Status>, error: impl std::fmt::Display) {
    let mut status = lock(status);
    (status.chain, status.problem) = (false, Some(error.to_string()));
}

/// The status, also after a thread died with it.
pub fn lock(status: &Mutex<Status>) -> MutexGuard<'_, Status> {
    status.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_has_the_time_that_the_campaign_gives_for_it() {
        let terms =
            Terms { activationSeconds: 1, evaluationSeconds: 3_600, deliverySeconds: 86_400, ..Terms::default() };
        let seconds = |action| time_limit(&action, &terms).as_secs();
        assert_eq!(
            seconds(Action::Decline(sonar_protocol::refusal::Refusal::Terms)),
            600,
            "also where nobody could be in time"
        );
        assert_eq!(seconds(Action::RenewMaterial(sonar_protocol::ids::WindowIndex(0))), 3_600);
        assert_eq!(seconds(Action::Deliver), 86_400);
    }
}
