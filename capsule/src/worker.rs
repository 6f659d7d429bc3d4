//! Carries out what the engine decides about one campaign. Every step is written down before anything is sent, and every
//! step done twice has the same result.

use std::{sync::Arc, time::Duration};

use alloy::primitives::hex;
use sonar_contracts::Tree;
use sonar_node::{chain, ipfs::IpfsError, vault::VaultError};
use sonar_protocol::{
    bundle::CheckedBundle,
    handover::Published,
    ids::{CampaignId, Digest, Version},
    manifest::Manifest,
    pgp::{Certificate, Identity, PgpError},
    refusal::Refusal,
    view::{CampaignView, CapsuleView, VersionView},
};
use syft::VersionSeed;
use zeroize::Zeroizing;

use crate::{
    attest::Attester,
    engine::{self, Action, Secret, SecretKind},
    ports::{Artefacts, Chain, Store},
    record::{Decision, Record, RecordError, Settlement, Slot, SlotId},
};

/// How patient the Capsule is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// For an update of a miner; never more than a quarter of the time that the campaign gives for an evaluation.
    pub update: Duration,
    /// For manifest and bundle, each time they are tried.
    pub artefact: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { update: Duration::from_secs(120), artefact: Duration::from_secs(30) }
    }
}

/// What all campaigns share.
#[derive(Debug)]
pub struct Tools<S, A, C> {
    /// Under the passphrase.
    pub store: S,
    /// IPFS.
    pub artefacts: A,
    /// The chain.
    pub chain: C,
    /// The key that bundles and updates are sealed to.
    pub identity: Identity,
    /// The key that attests.
    pub attester: Attester,
    /// How long artefacts are waited for.
    pub patience: Patience,
}

/// Why a step was not completed. It is tried again.
#[derive(Debug, thiserror::Error)]
pub enum WorkError {
    /// The store.
    #[error(transparent)]
    Store(#[from] VaultError),
    /// The record.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// IPFS.
    #[error(transparent)]
    Ipfs(#[from] IpfsError),
    /// The chain.
    #[error(transparent)]
    Chain(#[from] chain::Error),
    /// OpenPGP.
    #[error(transparent)]
    Pgp(#[from] PgpError),
    /// The signer.
    #[error("cannot sign: {0}")]
    Sign(#[from] alloy::signers::Error),
    /// What was fine before is not any more.
    #[error("the campaign's artefacts: {0}")]
    Refused(#[from] Refusal),
    /// A file in the vault is missing.
    #[error("the vault has no {0}; restore a backup")]
    Lost(String),
    /// The chain says something else than what was read from it.
    #[error("the chain does not agree with what was read from it yet: {0}")]
    Ahead(&'static str),
    /// A bug or a broken machine.
    #[error("{0}")]
    Internal(String),
}

impl WorkError {
    /// For `map_err`.
    pub fn internal(error: impl std::fmt::Display) -> Self {
        Self::Internal(error.to_string())
    }
}

/// Manifest and bundle of a campaign, checked.
#[derive(Debug)]
pub struct Loaded {
    /// Public.
    pub manifest: Manifest,
    /// Sealed to the Capsule.
    pub bundle: CheckedBundle,
    /// To whom the model is delivered.
    pub scientist: Certificate,
}

/// A model of any kind as safetensors, without metadata.
pub(crate) type ModelFile = Zeroizing<Vec<u8>>;

/// Works on one campaign.
#[derive(Debug)]
pub struct Worker<S, A, C> {
    pub(crate) tools: Arc<Tools<S, A, C>>,
    pub(crate) record: Record,
    pub(crate) loaded: Option<Arc<Loaded>>,
}

impl<S: Store, A: Artefacts, C: Chain> Worker<S, A, C> {
    /// Goes on from what was written down.
    ///
    /// # Errors
    /// When the record cannot be read.
    pub fn resume(tools: Arc<Tools<S, A, C>>, id: CampaignId) -> Result<Self, WorkError> {
        let record = match tools.store.find(&record_name(id))? {
            Some(bytes) => Record::decode(&bytes, id)?,
            None => Record::new(id),
        };
        Ok(Self { tools, record, loaded: None })
    }

    /// What was written down.
    #[must_use]
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// Decides on the next action and carries it out.
    ///
    /// # Errors
    /// When it was not completed.
    pub async fn step(
        &mut self,
        campaign: &CampaignView,
        own: Option<&CapsuleView>,
        now: u64,
    ) -> (Action, Result<(), WorkError>) {
        let action = engine::next(campaign, &self.record, now);
        let done = self.carry_out(&action, campaign, own, now).await;
        (action, done)
    }

    async fn carry_out(
        &mut self,
        action: &Action,
        campaign: &CampaignView,
        own: Option<&CapsuleView>,
        now: u64,
    ) -> Result<(), WorkError> {
        match action {
            Action::Examine => self.examine(campaign, own, now).await,
            Action::Activate => self.activate(campaign).await,
            Action::Decline(reason) => self.decline(campaign, *reason).await,
            Action::Evaluate(_) => self.evaluate(campaign).await,
            Action::RenewMaterial(_) => self.renew(campaign).await,
            Action::SendSettlement(_) => self.send_settlement(campaign).await,
            Action::Close => Ok(self.tools.chain.close(&campaign.terms).await?),
            Action::Deliver => self.deliver(campaign).await,
            Action::Finalize => self.finalize(campaign).await,
            Action::Release => Ok(self.tools.chain.release(&campaign.terms).await?),
            Action::DestroySecrets(secrets) => self.destroy(secrets),
            Action::Wait(_) | Action::Done => Ok(()),
            Action::Lost(version) => Err(WorkError::Lost(format!("keys of version {version}"))),
        }
    }

    pub(crate) fn persist(&self) -> Result<(), WorkError> {
        let name = record_name(self.record.campaign);
        Ok(self.tools.store.put(&name, &self.record.encode()?)?)
    }

    async fn activate(&self, campaign: &CampaignView) -> Result<(), WorkError> {
        let Some(Decision::Activate { start_ppm, first }) = self.record.decision(campaign.opened.block_hash) else {
            return Err(WorkError::Internal("nothing was decided".into()));
        };
        let signature = self.tools.attester.activation(campaign.id, start_ppm, first)?;
        let sent = self.tools.chain.activate(&campaign.terms, start_ppm, first, &signature);
        Ok(sent.await?)
    }

    async fn decline(&self, campaign: &CampaignView, reason: u8) -> Result<(), WorkError> {
        let signature = self.tools.attester.decline(campaign.id, reason)?;
        let sent = self.tools.chain.decline(&campaign.terms, reason, &signature);
        Ok(sent.await?)
    }

    async fn send_settlement(&self, campaign: &CampaignView) -> Result<(), WorkError> {
        let settlement = self.settled(campaign)?;
        let signature = self.tools.attester.settlement(campaign.id, settlement)?;
        let submissions = &campaign.window.submissions;
        let sent = self.tools.chain.settle(&campaign.terms, submissions, settlement, &signature);
        Ok(sent.await?)
    }

    fn settled(&self, campaign: &CampaignView) -> Result<&Settlement, WorkError> {
        self.record
            .settlement(campaign.window.index, campaign.window_hash())
            .ok_or_else(|| WorkError::Internal("the window was not evaluated".into()))
    }

    async fn finalize(&self, campaign: &CampaignView) -> Result<(), WorkError> {
        let delivery = self.record.delivery;
        let delivery = delivery.ok_or_else(|| WorkError::Internal("nothing to deliver".into()))?;
        let handover = |version: &VersionView| {
            let known = self.record.handovers.get(&version.published.material).copied();
            known.ok_or_else(|| WorkError::Lost(format!("hand-over of version {}", version.version)))
        };
        let handovers = campaign.versions.iter().map(handover).collect::<Result<Vec<_>, _>>()?;
        let signature = self.tools.attester.delivery(campaign.id, delivery.result)?;
        let sent = self.tools.chain.finalize(&campaign.terms, delivery.result, &handovers, &signature);
        Ok(sent.await?)
    }

    /// The block hash has changed that the next version's keys must be bound to: the same model, new keys. Both are kept
    /// until the chain has one of them.
    async fn renew(&mut self, campaign: &CampaignView) -> Result<(), WorkError> {
        let mut settlement = self.settled(campaign)?.clone();
        let loaded = self.load(campaign).await?;
        let model = self.model(settlement.model)?;
        let slot = self.publish(campaign, model, &loaded.manifest).await?;
        settlement.next = slot.published;
        settlement.model = slot.id;
        self.record.set_slot(slot);
        self.record.set_settlement(settlement);
        self.persist()
    }

    /// Publishes the next version of the model, under keys that are made for it or as it is, and seals its seed to the data scientist;
    /// made again, all is the same. The caller writes slot and hand-over down together with what refers to them.
    pub(crate) async fn publish(
        &mut self,
        campaign: &CampaignView,
        model: ModelFile,
        manifest: &Manifest,
    ) -> Result<Slot, WorkError> {
        let version = Version(campaign.version().0.saturating_add(1));
        let audit_key = version.0.checked_sub(1).and_then(|place| manifest.audit.get(place as usize).copied());
        let audit_key = audit_key.ok_or_else(|| WorkError::Internal(format!("no audit key for version {version}")))?;
        let beacon = campaign.next_beacon();
        let id = SlotId::new(version, campaign.window_hash(), beacon);
        let slot = Slot {
            id,
            version,
            beacon,
            published: None,
            material_hash: alloy::primitives::B256::ZERO,
            seed: true,
            model: true,
        };
        self.reserve(slot)?;
        self.keep_model(id, &model)?;
        // In the clear regime it protects nothing, and is handed over all the same: the contract has one rule for all.
        let seed = self.seed_or_new(id)?;
        let binding = self.binding(campaign, slot);
        let method = manifest.method.clone();
        let (bytes, hash, handover) = compute(move || {
            let made = method.publish(&model, &seed, &binding).map_err(WorkError::internal)?;
            let handover = audit_key.seal(&seed, &binding, Tree::of_material(&made.material).root());
            Ok::<_, WorkError>((made.material, made.hash, handover))
        })
        .await??;
        let material = self.tools.artefacts.add(bytes).await?;
        self.record.handovers.insert(material, handover);
        let published = Some(Published::new(material, &handover));
        Ok(Slot { published, material_hash: hash.into(), ..slot })
    }

    /// What the keys of a version are bound to.
    pub(crate) fn binding(&self, campaign: &CampaignView, slot: Slot) -> syft::Binding {
        syft::Binding {
            chain_id: self.tools.attester.chain_id(),
            contract: self.tools.attester.campaigns().into_array(),
            campaign: *campaign.id.as_bytes(),
            version: slot.version.0,
            beacon: slot.beacon.0,
        }
    }

    /// A place for the model that ends the campaign.
    pub(crate) fn keep_last(&mut self, campaign: &CampaignView, model: &ModelFile) -> Result<Slot, WorkError> {
        let version = Version(campaign.version().0.saturating_add(1));
        let beacon = campaign.next_beacon();
        let slot = Slot {
            id: SlotId::new(version, campaign.window_hash(), beacon),
            version,
            beacon,
            published: None,
            material_hash: alloy::primitives::B256::ZERO,
            seed: false,
            model: true,
        };
        self.reserve(slot)?;
        self.keep_model(slot.id, model)?;
        Ok(slot)
    }

    /// Writes a slot down before its secrets are, so that none is ever forgotten.
    fn reserve(&mut self, slot: Slot) -> Result<(), WorkError> {
        if self.record.slot(slot.id).is_none() {
            self.record.set_slot(slot);
            self.persist()?;
        }
        Ok(())
    }

    fn keep_model(&self, id: SlotId, model: &ModelFile) -> Result<(), WorkError> {
        let name = self.secret_name(id, SecretKind::Model);
        Ok(self.tools.store.put(&name, model)?)
    }

    pub(crate) fn model(&self, id: SlotId) -> Result<ModelFile, WorkError> {
        let name = self.secret_name(id, SecretKind::Model);
        let bytes = self.tools.store.find(&name)?;
        bytes.ok_or(WorkError::Lost(name))
    }

    fn seed_or_new(&self, id: SlotId) -> Result<VersionSeed, WorkError> {
        match self.seed(id) {
            Err(WorkError::Lost(name)) => {
                let seed = VersionSeed::generate().map_err(WorkError::internal)?;
                self.tools.store.put(&name, seed.expose())?;
                Ok(seed)
            }
            found => found,
        }
    }

    pub(crate) fn seed(&self, id: SlotId) -> Result<VersionSeed, WorkError> {
        let name = self.secret_name(id, SecretKind::Seed);
        let bytes = self.tools.store.find(&name)?;
        let bytes = bytes.ok_or_else(|| WorkError::Lost(name.clone()))?;
        let bytes = <[u8; 32]>::try_from(bytes.as_slice());
        bytes.map(VersionSeed::from_bytes).map_err(|_| WorkError::Internal(format!("{name} is not a seed")))
    }

    fn destroy(&mut self, secrets: &[Secret]) -> Result<(), WorkError> {
        for secret in secrets {
            self.tools.store.remove(&self.secret_name(secret.slot, secret.kind))?;
            if let Some(slot) = self.record.slots.iter_mut().find(|s| s.id == secret.slot) {
                match secret.kind {
                    SecretKind::Seed => slot.seed = false,
                    SecretKind::Model => slot.model = false,
                }
            }
        }
        self.record.slots.retain(|slot| slot.seed || slot.model);
        self.persist()
    }

    /// Where a secret is in the vault.
    #[must_use]
    pub fn secret_name(&self, id: SlotId, kind: SecretKind) -> String {
        let kind = match kind {
            SecretKind::Seed => "seed",
            SecretKind::Model => "model",
        };
        let campaign = hex::encode(self.record.campaign.as_bytes());
        format!("{kind}/{campaign}/{}", hex::encode(&id.0[..16]))
    }
}

/// Where a campaign's record is in the vault.
#[must_use]
pub fn record_name(id: CampaignId) -> String {
    format!("campaign/{}", hex::encode(id.as_bytes()))
}

/// Works outside the threads that answer requests.
pub(crate) async fn compute<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, WorkError> {
    tokio::task::spawn_blocking(work).await.map_err(WorkError::internal)
}

/// The digest in a word of the chain's terms.
pub(crate) fn manifest_digest(campaign: &CampaignView) -> Digest {
    campaign.terms.manifest.into()
}
