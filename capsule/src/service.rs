//! All campaigns of a Capsule: follows the chain, and lets each campaign go on by itself, so that none blocks another.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use alloy::primitives::Address;
use serde::Serialize;
use sonar_contracts::State;
use sonar_node::chain::WorldReader;
use sonar_protocol::{
    ids::CampaignId,
    view::{CampaignView, CapsuleView, World},
};
use syft::budget::LeakMeter;
use tokio::task::{self, JoinSet};

use crate::{
    campaign::{
        self, Action,
        worker::{Tools, WorkError, Worker},
    },
    ports::{Artefacts, Chain, Store},
};

/// The first pause before the same action is tried again.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// The longest.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Steps that a campaign takes without looking at the chain in between.
const STEPS: usize = 8;

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
    pub best_ppm: u32,
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

/// A worker at rest, and when it may try again what it did last.
struct Rested<S, A, C> {
    worker: Worker<S, A, C>,
    last: Option<Tried>,
}

/// What was done last.
struct Tried {
    action: Action,
    pause: Duration,
    after: Instant,
}

/// What a worker comes back with.
struct Turn<S, A, C> {
    id: CampaignId,
    rested: Rested<S, A, C>,
    last: &'static str,
    problem: Option<String>,
}

/// The service.
pub struct Service<S, A, C> {
    tools: Arc<Tools<S, A, C>>,
    operator: Address,
    resting: HashMap<CampaignId, Rested<S, A, C>>,
    busy: HashMap<CampaignId, task::Id>,
    working: JoinSet<Turn<S, A, C>>,
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
            busy: HashMap::new(),
            working: JoinSet::new(),
            status: SharedStatus::default(),
        }
    }

    /// What everybody may know.
    #[must_use]
    pub fn status(&self) -> SharedStatus {
        self.status.clone()
    }

    /// Works until the future is dropped. Nothing is lost by dropping it at any moment.
    pub async fn run(mut self, mut reader: WorldReader) {
        let mut errors = 0_u32;
        loop {
            tokio::select! {
                look = reader.next() => match look {
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
                },
                Some(turn) = self.working.join_next() => match turn {
                    Ok(turn) => {
                        self.rest(turn);
                        // What it sent may be on the chain already.
                        if reader.look_now().await.is_ok() {
                            self.update_status(reader.world());
                        }
                    }
                    Err(broken) => {
                        tracing::error!(%broken, "a step broke off; it is done again from what was written down");
                        self.busy.retain(|_, turn| *turn != broken.id());
                    }
                }
            }
            self.start_turns(reader.world());
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

    /// Lets every campaign go on whose worker is at rest.
    fn start_turns(&mut self, world: &World) {
        let own = world.capsules.get(&self.operator);
        let now = world.head.now;
        for campaign in world.in_order() {
            if campaign.terms.capsule != self.operator || self.busy.contains_key(&campaign.id) {
                continue;
            }
            let resumed = match self.resting.remove(&campaign.id) {
                Some(rested) => Ok(rested),
                None => Worker::resume(self.tools.clone(), campaign.id).map(|worker| Rested { worker, last: None }),
            };
            match resumed {
                Ok(rested) if rested.is_due(campaign, now) => {
                    let turn = take_turn(rested, campaign.clone(), own.cloned(), now);
                    let handle = self.working.spawn(turn);
                    self.busy.insert(campaign.id, handle.id());
                }
                Ok(rested) => {
                    self.resting.insert(campaign.id, rested);
                }
                Err(error) => {
                    tracing::error!(campaign = %campaign.id, %error, "the record cannot be read");
                }
            }
        }
    }

    /// Takes a worker back.
    fn rest(&mut self, turn: Turn<S, A, C>) {
        self.busy.remove(&turn.id);
        if let Some(entry) = lock(&self.status).campaigns.get_mut(&turn.id) {
            let meter = turn.rested.worker.record().meter.as_ref();
            entry.leak_bits = meter.map_or(0.0, LeakMeter::bits_spent);
            entry.leak_bits_allowed = meter.map_or(0.0, LeakMeter::bits_allowed);
            (entry.last, entry.problem) = (turn.last, turn.problem);
        }
        self.resting.insert(turn.id, turn.rested);
    }
}

impl<S: Store, A: Artefacts, C: Chain> Rested<S, A, C> {
    /// Whether there is something to do that was not just done.
    fn is_due(&self, campaign: &CampaignView, now: u64) -> bool {
        match campaign::next(campaign, self.worker.record(), now) {
            Action::Wait(_) | Action::Done => false,
            action => self.may(&action),
        }
    }

    fn may(&self, action: &Action) -> bool {
        let last = self.last.as_ref().filter(|last| last.action == *action);
        last.is_none_or(|last| Instant::now() >= last.after)
    }

    /// Something that was done and still has to be done is on its way to the chain, or did not work: pauses grow.
    fn note(&mut self, action: Action) {
        let pause = match &self.last {
            Some(last) if last.action == action => (last.pause * 2).min(LONGEST_PAUSE),
            _ => FIRST_PAUSE,
        };
        self.last = Some(Tried { action, pause, after: Instant::now() + pause });
    }
}

/// Goes on with a campaign until it must wait for the chain.
async fn take_turn<S: Store, A: Artefacts, C: Chain>(
    mut rested: Rested<S, A, C>,
    campaign: CampaignView,
    own: Option<CapsuleView>,
    now: u64,
) -> Turn<S, A, C> {
    let (mut last, mut problem) = ("wait", None);
    for _ in 0..STEPS {
        let next = campaign::next(&campaign, rested.worker.record(), now);
        if matches!(next, Action::Wait(_) | Action::Done) || !rested.may(&next) {
            break;
        }
        let (action, done) = rested.worker.step(&campaign, own.as_ref(), now).await;
        last = action.name();
        rested.note(action);
        match done {
            Ok(()) => {
                tracing::info!(campaign = %campaign.id, window = campaign.window.index.0, action = last, "done")
            }
            Err(error) => {
                report(&campaign, last, &error);
                problem = Some(error.to_string());
                break;
            }
        }
    }
    Turn { id: campaign.id, rested, last, problem }
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
