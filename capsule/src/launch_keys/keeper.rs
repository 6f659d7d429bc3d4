//! Makes, registers and destroys launch keys while the Capsule runs.

use std::{sync::Arc, time::Duration};

use alloy::primitives::Address;
use sonar_contracts::State;
use sonar_node::{
    chain,
    ipfs::IpfsError,
    jobs::{EndedJob, JobDriver, JobError, Patience, Step},
    vault::SecretStore,
};
use sonar_protocol::{
    fingerprint::Fingerprint,
    ids::Digest,
    units::Timestamp,
    view::{CapsuleView, World},
};

use super::{LaunchKeyAction, LaunchKeyEntry, LaunchKeyError, LaunchKeyRing, next};
use crate::{
    campaign::worker::Tools,
    ports::{Artefacts, Chain},
};

const REGISTER: Step = Step::new("register_launch_key", Duration::from_secs(600));
const PATIENCE: Patience = Patience {
    first_pause: Duration::from_secs(1),
    longest_pause: Duration::from_secs(300),
    grace: Duration::from_secs(5),
};

/// Why a certificate was not registered.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    /// IPFS.
    #[error(transparent)]
    Ipfs(#[from] IpfsError),
    /// The chain.
    #[error(transparent)]
    Chain(#[from] chain::Error),
}

/// Where the certificate with a launch key is published.
type PublishedKey = (Fingerprint, Digest);
/// The end of a registration.
type Registered = EndedJob<Fingerprint, PublishedKey, RegisterError>;

/// Keeps a Capsule's launch keys. The vault is changed at once; a registration is a job, because it needs chain and IPFS.
pub struct Keeper<S, A, C> {
    tools: Arc<Tools<S, A, C>>,
    operator: Address,
    period: Duration,
    entries: Vec<LaunchKeyEntry>,
    /// The last certificate that was published.
    published: Option<PublishedKey>,
    jobs: JobDriver<Fingerprint, (), PublishedKey, RegisterError>,
}

impl<S: SecretStore + 'static, A: Artefacts, C: Chain> Keeper<S, A, C> {
    /// Reads the launch keys of this operator's Capsule.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn load(tools: Arc<Tools<S, A, C>>, operator: Address, period: Duration) -> Result<Self, LaunchKeyError> {
        let entries = LaunchKeyRing::load(&tools.store)?.entries().to_vec();
        Ok(Self { tools, operator, period, entries, published: None, jobs: JobDriver::new(1, PATIENCE) })
    }

    /// The key that bundles are sealed to at present, or as soon as it is registered.
    #[must_use]
    pub fn newest(&self) -> Option<LaunchKeyEntry> {
        self.entries.last().copied()
    }

    /// Does or starts what is due.
    ///
    /// # Errors
    /// When a key cannot be made, read or destroyed; the next call tries again.
    pub fn tend(&mut self, world: &World) -> Result<(), LaunchKeyError> {
        let Some(own) = world.capsules.get(&self.operator) else { return Ok(()) };
        self.see_registration(own, world.head.now)?;
        let undecided = self.undecided(world);
        loop {
            match next(&self.entries, &undecided, world.head.now, self.period) {
                LaunchKeyAction::Make => {
                    let (identity, period) = (&self.tools.identity, self.period);
                    let mut ring = LaunchKeyRing::load(&self.tools.store)?;
                    let key = ring.make(identity, world.head.now, period)?;
                    tracing::info!(%key, "made a launch key");
                    self.entries = ring.entries().to_vec();
                }
                LaunchKeyAction::Destroy(keys) => {
                    let mut ring = LaunchKeyRing::load(&self.tools.store)?;
                    ring.destroy(&keys)?;
                    tracing::info!(?keys, "destroyed launch keys");
                    self.entries = ring.entries().to_vec();
                }
                LaunchKeyAction::Register(key) => return self.register(key, own.certificate, world.head.now),
                LaunchKeyAction::Wait(_) => return Ok(()),
            }
        }
    }

    /// When the campaigns were opened that this Capsule has neither activated nor declined.
    fn undecided(&self, world: &World) -> Vec<Timestamp> {
        let ours = world.in_order().filter(|campaign| campaign.terms.capsule == self.operator);
        let proposed = ours.filter(|campaign| campaign.state == State::Proposed);
        proposed.map(|campaign| campaign.opened.timestamp).collect()
    }

    /// Records that the chain shows the certificate with the newest key.
    fn see_registration(&mut self, own: &CapsuleView, now: Timestamp) -> Result<(), LaunchKeyError> {
        let Some(newest) = self.newest().filter(|newest| newest.registered_at.is_none()) else { return Ok(()) };
        if own.certificate.map(|certificate| (newest.key, certificate)) != self.published {
            return Ok(());
        }
        let mut ring = LaunchKeyRing::load(&self.tools.store)?;
        ring.set_registered(newest.key, now)?;
        self.entries = ring.entries().to_vec();
        Ok(())
    }

    fn register(&mut self, key: Fingerprint, known: Option<Digest>, now: Timestamp) -> Result<(), LaunchKeyError> {
        if !self.jobs.is_due(&key, &()) {
            return Ok(());
        }
        let ring = LaunchKeyRing::load(&self.tools.store)?;
        let certificate = ring.certificate(self.tools.identity.certificate(), now)?.encode();
        let tools = self.tools.clone();
        let job = async move {
            let digest = tools.artefacts.add(certificate).await?;
            if known != Some(digest) {
                tools.chain.register_certificate(digest).await?;
            }
            Ok((key, digest))
        };
        self.jobs.start(key, (), REGISTER, job);
        Ok(())
    }

    /// Waits for the end of a registration; `None` if none runs. Nothing is lost if the future is dropped.
    pub async fn next(&mut self) -> Option<Registered> {
        self.jobs.next().await
    }

    /// Handles the end of a registration.
    pub fn finish(&mut self, ended: Registered) {
        match ended.result {
            Ok(published) => self.published = Some(published),
            Err(JobError::HandedBack { .. }) => {}
            Err(error) => tracing::warn!(key = %ended.key, %error, "the launch key is not registered; retrying"),
        }
    }

    /// Waits a short time for a running registration.
    pub async fn stop(&mut self) {
        for ended in self.jobs.stop().await {
            self.finish(ended);
        }
    }
}
