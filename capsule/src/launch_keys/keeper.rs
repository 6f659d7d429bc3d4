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
    view::{CampaignView, CapsuleView, World},
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
    /// Empty until they are first read.
    entries: Vec<LaunchKeyEntry>,
    /// The last certificate that was published; `None` until one was since the start.
    published: Option<PublishedKey>,
    jobs: JobDriver<Fingerprint, (), PublishedKey, RegisterError>,
}

impl<S: SecretStore + 'static, A: Artefacts, C: Chain> Keeper<S, A, C> {
    /// The keeper of the launch keys of this operator's Capsule.
    #[must_use]
    pub fn new(tools: Arc<Tools<S, A, C>>, operator: Address, period: Duration) -> Self {
        let (entries, jobs) = (Vec::new(), JobDriver::new(1, PATIENCE));
        Self { tools, operator, period, entries, published: None, jobs }
    }

    /// The key that bundles are sealed to at present, or as soon as it is registered.
    #[must_use]
    pub fn newest(&self) -> Option<LaunchKeyEntry> {
        self.entries.last().copied()
    }

    /// All keys, in the order in which they were made.
    #[must_use]
    pub fn entries(&self) -> &[LaunchKeyEntry] {
        &self.entries
    }

    /// Does or starts what is due. After a start the certificate is published once more, and registered if the chain shows
    /// another: that of an older backup, or of another copy of this home.
    ///
    /// # Errors
    /// When a key cannot be made, read or destroyed; the next call tries again.
    pub fn tend(&mut self, world: &World) -> Result<(), LaunchKeyError> {
        let Some(own) = world.capsules.get(&self.operator) else { return Ok(()) };
        if self.entries.is_empty() {
            self.entries = LaunchKeyRing::load(&self.tools.store)?.entries().to_vec();
        }
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
                LaunchKeyAction::Wait(_) => match self.newest().filter(|_| self.published.is_none()) {
                    Some(newest) => return self.register(newest.key, own.certificate, world.head.now),
                    None => return Ok(()),
                },
            }
        }
    }

    /// When the campaigns were opened that this Capsule has neither activated nor declined. It can still activate them for a
    /// limited time only, however long nobody ends them.
    fn undecided(&self, world: &World) -> Vec<Timestamp> {
        let ours = world.in_order().filter(|campaign| campaign.terms.capsule == self.operator);
        let in_time =
            |campaign: &CampaignView| world.head.now <= campaign.changed_at.plus(campaign.terms.activationSeconds);
        let proposed = ours.filter(|campaign| campaign.state == State::Proposed && in_time(campaign));
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
