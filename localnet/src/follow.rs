//! Follows one campaign on the chain from its launch to its delivery.

use std::time::Duration;

use sonar_contracts::{Outcome, State};
use sonar_node::chain::{self, WorldReader};
use sonar_protocol::{
    event::Record,
    ids::CampaignId,
    view::{CampaignView, World},
};
use tokio::time::{self, Instant};

use crate::network::{Network, NetworkError};

/// Time between two queries of the chain.
const POLL: Duration = Duration::from_millis(50);
/// Longest time without any event. Long, because Mines that share a machine train networks for minutes.
const PATIENCE: Duration = Duration::from_secs(600);

/// Why a campaign did not finish.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// A part of the local network failed.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// The chain does not answer.
    #[error(transparent)]
    Chain(#[from] chain::Error),
    /// The campaign makes no progress.
    #[error(
        "nothing happened for {} s in campaign {id}, which is {state}; the logs end with\n{logs}",
        PATIENCE.as_secs()
    )]
    Stuck {
        /// Id of the campaign.
        id: CampaignId,
        /// Its state.
        state: State,
        /// The last lines of all logs.
        logs: String,
    },
}

/// An observer of a campaign, which may also disturb it.
pub trait Observer {
    /// The launch warned the data scientist.
    fn warned(&mut self, _warning: &str) {}
    /// An event of the campaign; each event is reported once.
    fn happened(&mut self, record: &Record, view: &CampaignView, network: &mut Network);
    /// A process has ended and was restarted.
    fn revived(&mut self, name: &str);
}

/// What the caller must do for a campaign to continue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Nothing; the other parties act.
    Wait,
    /// Close the campaign: no Mine can improve the model any more.
    Close,
    /// The campaign has ended.
    Done,
}

fn next_step(view: &CampaignView, goal: Goal) -> Step {
    let stalled = view.settled.last().is_some_and(|window| {
        let accepted = |outcome: &Outcome| matches!(outcome, Outcome::Accepted(_));
        !window.submissions.iter().any(|submission| accepted(&submission.outcome))
    });
    match view.state {
        State::Released | State::Convicted | State::Refunded => Step::Done,
        State::Finalized if goal == Goal::Delivered => Step::Done,
        State::Open if stalled && view.window.submissions.is_empty() => Step::Close,
        _ => Step::Wait,
    }
}

/// State and events of a campaign.
#[derive(Clone, Debug)]
pub struct CampaignHistory {
    /// Its state at the end.
    pub view: CampaignView,
    /// Its events, in chain order.
    pub records: Vec<Record>,
}

/// How far a campaign is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// Until its model is delivered, or it ends without one.
    Delivered,
    /// Until the Capsule's stake is free, or was slashed.
    Released,
}

/// Follows one campaign.
#[derive(Debug)]
pub struct CampaignFollower {
    id: CampaignId,
    reader: WorldReader,
    records: Vec<Record>,
    // Number of records that the observer has seen.
    told: usize,
}

impl CampaignFollower {
    /// Follows a campaign from its launch.
    #[must_use]
    pub fn new(network: &Network, id: CampaignId) -> Self {
        let reader = WorldReader::new(network.client().clone(), POLL, 0);
        Self { id, reader, records: Vec::new(), told: 0 }
    }

    /// Follows the campaign until the goal. Restarts processes that end, and closes the campaign as its owner when a window
    /// brought no improvement.
    ///
    /// # Errors
    /// When nothing happens for a long time, or a process cannot be restarted.
    pub async fn until(
        &mut self,
        goal: Goal,
        network: &mut Network,
        observer: &mut dyn Observer,
    ) -> Result<CampaignHistory, FollowError> {
        let id = self.id;
        let mut last_news = Instant::now();
        loop {
            for name in network.revive().await? {
                observer.revived(&name);
                last_news = Instant::now();
            }
            let batch = match time::timeout(PATIENCE, self.reader.next()).await {
                Ok(Ok(batch)) => batch,
                // A chain that was killed is restarted in the next turn.
                Ok(Err(error)) if error.is_transient() && last_news.elapsed() < PATIENCE => continue,
                Ok(Err(error)) => return Err(error.into()),
                Err(_) => return Err(stuck(network, id, self.reader.world())),
            };
            if batch.restarted {
                self.records.clear();
            }
            let of_campaign = |record: &&Record| record.event.campaign() == Some(id);
            self.records.extend(batch.records.iter().filter(of_campaign).cloned());
            let Some(view) = self.reader.world().campaign(id) else {
                continue;
            };
            // After a restart of the chain all events come again; the observer has seen them.
            for record in self.records.iter().skip(self.told) {
                observer.happened(record, view, network);
            }
            if self.records.len() > self.told {
                (self.told, last_news) = (self.records.len(), Instant::now());
            }
            match next_step(view, goal) {
                Step::Done => {
                    let view = view.clone();
                    // A process that ended after the last event is still needed, for example for the audit.
                    network.revive().await?.iter().for_each(|name| observer.revived(name));
                    return Ok(CampaignHistory { view, records: self.records.clone() });
                }
                Step::Close => close(network, id).await?,
                Step::Wait if last_news.elapsed() > PATIENCE => {
                    return Err(stuck(network, id, self.reader.world()));
                }
                Step::Wait => {}
            }
        }
    }
}

async fn close(network: &mut Network, id: CampaignId) -> Result<(), FollowError> {
    let id = id.to_string();
    let closed: Result<serde_json::Value, _> = network.scientist().call(&["campaign", "close", &id]).await;
    match closed {
        // The chain may have been killed meanwhile; then the next turn retries.
        Err(error) if error.is_retryable() => Ok(()),
        Err(error) => Err(NetworkError::from(error).into()),
        Ok(_) => Ok(()),
    }
}

fn stuck(network: &Network, id: CampaignId, world: &World) -> FollowError {
    FollowError::Stuck { id, state: world.campaign(id).map_or(State::None, |view| view.state), logs: network.tails() }
}
