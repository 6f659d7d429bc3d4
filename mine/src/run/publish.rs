//! What the run loop publishes for the pages: a snapshot after every turn. Readers never block the loop.

use std::sync::Arc;

use sonar_node::vault::SecretStore;
use sonar_protocol::{units::Timestamp, view::World};

use super::{Journal, RunError, StepLog};
use crate::{
    home::{self, MineHome},
    outbox::Outbox,
    pause::Pause,
    privacy::{Budget, DisclosureLedger},
    repository,
};

/// State of the Mine after a turn of the loop.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LoopSnapshot {
    /// The chain as read so far. Its head is that of the last event; the newest is in `chain`.
    pub world: Arc<World>,
    /// The last decisions.
    pub journal: Arc<Journal>,
    /// The last steps.
    pub steps: Arc<StepLog>,
    /// The pause, if there is one.
    pub paused: Option<Pause>,
    /// The connection to the chain.
    pub chain: ChainState,
    /// Files that the owner must repair; the last valid ones stay in force.
    pub invalid_files: Vec<String>,
    /// Privacy budget of each data set.
    pub budget: Option<Budget>,
    /// Privacy accounts of the data sets.
    pub ledger: Arc<DisclosureLedger>,
    /// Number of data sets.
    pub data_sets: usize,
}

impl LoopSnapshot {
    /// The state before the chain answers: what the last run left.
    ///
    /// # Errors
    /// When the vault or a file of the home cannot be read.
    pub fn at_start(store: &dyn SecretStore, home: &MineHome) -> Result<Self, RunError> {
        Ok(Self {
            journal: Arc::new(Journal::load(store)?),
            steps: Arc::new(StepLog::load(store)?),
            budget: home::read_policy(&home.policy())?.privacy,
            ledger: Arc::new(Outbox::load(store)?.ledger().clone()),
            data_sets: repository::names(store)?.len(),
            ..Self::default()
        })
    }
}

/// The connection to the chain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChainState {
    /// Number of the newest block; `None` until the chain was read.
    pub block: Option<u64>,
    /// Time of the chain, which decides.
    pub now: Timestamp,
    /// When this block was first seen, by the clock of this machine.
    pub seen_at: Timestamp,
    /// Why the chain cannot be read.
    pub problem: Option<String>,
}

impl ChainState {
    /// Notes a successful query.
    pub(super) fn advance(&mut self, block: u64, chain_now: Timestamp, clock: Timestamp) {
        if self.block != Some(block) {
            (self.block, self.seen_at) = (Some(block), clock);
        }
        (self.now, self.problem) = (chain_now, None);
    }

    /// Seconds since the newest block was first seen.
    #[must_use]
    pub fn age(&self, clock: Timestamp) -> Option<u64> {
        self.block.map(|_| clock.since(self.seen_at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_without_new_blocks_grows_old() {
        let at = Timestamp::from_unix;
        let mut chain = ChainState::default();
        assert_eq!(chain.age(at(100)), None);
        chain.advance(7, at(50), at(100));
        chain.advance(7, at(60), at(130));
        assert_eq!((chain.age(at(130)), chain.now), (Some(30), at(60)));
        chain.problem = Some("no answer".into());
        chain.advance(8, at(61), at(140));
        assert_eq!((chain.age(at(141)), &chain.problem), (Some(1), &None));
    }
}
