//! Secrets that only the Capsule has, from creation to destruction: what was in a campaign's bundle, the key that its
//! updates are sealed to, the seed of a version's keys, and the model under them.
//!
//! The key that a bundle was sealed to may be destroyed long before its campaign ends, so the opened bundle is kept. After
//! the last settlement only the data scientist's certificate is left of it, for the delivery.
//!
//! A secret is added to the record before it is written to the vault, and removed after it is destroyed, so that no
//! secret is ever left behind without an entry.

use alloy::primitives::{B256, hex};
use sonar_contracts::{CloseReason, State, Tree};
use sonar_node::vault::SecretStore;
use sonar_protocol::{
    families::ModelFile,
    handover::Published,
    ids::{Digest, Version},
    manifest::Manifest,
    pgp::CampaignKey,
    view::CampaignView,
};
use syft::VersionSeed;
use zeroize::Zeroizing;

use super::{
    record::{CampaignRecord, Slot, SlotId},
    worker::{WorkError, Worker, compute},
};
use crate::ports::{Artefacts, Chain};

/// Start of the names of campaign keys in the vault. No backup contains them: whoever finds an old backup must not be
/// able to open the updates of its time.
pub(crate) const CAMPAIGN_KEYS: &str = "campaign-key/";
/// Start of the names of opened bundles in the vault. No backup contains them, for the same reason.
pub(crate) const BUNDLES: &str = "bundle/";

/// A secret that only the Capsule has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Secret {
    /// The opened bundle.
    Bundle,
    /// The certificate that the model is delivered to.
    Recipient,
    /// The key that the campaign's updates are sealed to.
    CampaignKey,
    /// The seed of the keys of a version.
    Seed(SlotId),
    /// The model of a version.
    Model(SlotId),
}

/// Secrets that still exist but are no longer needed. The decision is final, because only confirmed blocks are read.
pub(super) fn dead(campaign: &CampaignView, record: &CampaignRecord) -> Vec<Secret> {
    let last = record.current(campaign).map(|slot| slot.id);
    let needed = |slot: &Slot| match campaign.state {
        State::None => (true, true),
        State::Proposed => (true, true),
        State::Open => {
            let alive = slot.version > campaign.version() || slot.material() == campaign.material();
            (alive, alive)
        }
        State::Closed => {
            let delivered = campaign.reason != CloseReason::CapsuleTimeout;
            (false, delivered && last.is_none_or(|last| last == slot.id))
        }
        State::Finalized | State::Released | State::Convicted | State::Refunded => (false, false),
    };
    // After the last settlement no update is opened.
    let opens_updates = matches!(campaign.state, State::None | State::Proposed | State::Open);
    let delivers = opens_updates || (campaign.state == State::Closed && campaign.reason != CloseReason::CapsuleTimeout);
    let of_campaign = [
        (Secret::Bundle, record.bundle && !opens_updates),
        (Secret::Recipient, record.recipient && !delivers),
        (Secret::CampaignKey, record.campaign_key && !opens_updates),
    ];
    let mut dead: Vec<_> = of_campaign.into_iter().filter_map(|(secret, dead)| dead.then_some(secret)).collect();
    for slot in &record.slots {
        let (seed, model) = needed(slot);
        dead.extend((slot.seed && !seed).then_some(Secret::Seed(slot.id)));
        dead.extend((slot.model && !model).then_some(Secret::Model(slot.id)));
    }
    dead
}

impl<S: SecretStore + 'static, A: Artefacts, C: Chain> Worker<S, A, C> {
    /// Publishes the next version of the model, encrypted under its own keys or in the clear, and seals its seed to the
    /// data scientist. A repeated call has the same result. The caller records slot and hand-over together with what
    /// refers to them.
    pub(super) async fn publish(
        &mut self,
        campaign: &CampaignView,
        model: ModelFile,
        manifest: &Manifest,
    ) -> Result<Slot, WorkError> {
        let version = Version(campaign.version().0.saturating_add(1));
        let audit_key = version.0.checked_sub(1).and_then(|place| manifest.audit.get(place as usize).copied());
        let audit_key = audit_key.ok_or_else(|| WorkError::Internal(format!("no audit key for version {version}")))?;
        let beacon = campaign.next_beacon();
        let id = SlotId::new(version, campaign.window_hash());
        let slot = Slot { id, version, beacon, published: None, material_hash: B256::ZERO, seed: true, model: true };
        self.reserve(slot)?;
        self.keep_model(id, &model)?;
        // In the clear regime the seed protects nothing. It is handed over anyway, because the contract has one rule
        // for both regimes.
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

    /// Publishes the certificate that the campaign's updates are sealed to. A repeated call has the same result.
    pub(super) async fn publish_certificate(&mut self) -> Result<Digest, WorkError> {
        self.record.campaign_key = true;
        self.persist()?;
        let name = self.secret_name(Secret::CampaignKey);
        let key = match self.tools.store.find(&name)? {
            Some(bytes) => CampaignKey::decode(&bytes)?,
            None => {
                let key = CampaignKey::generate(self.record.campaign, &self.tools.identity)?;
                self.tools.store.put(&name, &key.encode()?)?;
                key
            }
        };
        Ok(self.tools.artefacts.add(key.certificate()?).await?)
    }

    /// The key that the campaign's updates are sealed to.
    pub(super) fn campaign_key(&self) -> Result<CampaignKey, WorkError> {
        let bytes = self.find(Secret::CampaignKey)?;
        Ok(CampaignKey::decode(&bytes.ok_or(WorkError::LostForGood("the key that updates are sealed to"))?)?)
    }

    /// Keeps what the bundle contained. The bundle is last: if it is there, everything is.
    pub(super) fn keep_bundle(&mut self, opened: &[u8], recipient: &[u8]) -> Result<(), WorkError> {
        (self.record.bundle, self.record.recipient) = (true, true);
        self.persist()?;
        for (secret, bytes) in [(Secret::Recipient, recipient), (Secret::Bundle, opened)] {
            self.tools.store.put(&self.secret_name(secret), bytes)?;
        }
        Ok(())
    }

    /// A secret of the campaign, if the vault has it.
    pub(super) fn find(&self, secret: Secret) -> Result<Option<Zeroizing<Vec<u8>>>, WorkError> {
        Ok(self.tools.store.find(&self.secret_name(secret))?)
    }

    /// The context that the keys of a version are bound to.
    pub(super) fn binding(&self, campaign: &CampaignView, slot: Slot) -> syft::Binding {
        syft::Binding {
            chain_id: self.tools.attester.chain_id(),
            contract: self.tools.attester.campaigns().into_array(),
            campaign: *campaign.id.as_bytes(),
            version: slot.version.0,
            beacon: slot.beacon.0,
        }
    }

    /// Records a slot before its secrets are written, so that no secret is ever left behind without a slot.
    fn reserve(&mut self, slot: Slot) -> Result<(), WorkError> {
        if self.record.slot(slot.id).is_none() {
            self.record.set_slot(slot);
            self.persist()?;
        }
        Ok(())
    }

    fn keep_model(&self, id: SlotId, model: &ModelFile) -> Result<(), WorkError> {
        let name = self.secret_name(Secret::Model(id));
        Ok(self.tools.store.put(&name, model)?)
    }

    pub(super) fn model(&self, id: SlotId) -> Result<ModelFile, WorkError> {
        let name = self.secret_name(Secret::Model(id));
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

    pub(super) fn seed(&self, id: SlotId) -> Result<VersionSeed, WorkError> {
        let name = self.secret_name(Secret::Seed(id));
        let bytes = self.tools.store.find(&name)?;
        let bytes = bytes.ok_or_else(|| WorkError::Lost(name.clone()))?;
        let bytes = <[u8; 32]>::try_from(bytes.as_slice());
        bytes.map(VersionSeed::from_bytes).map_err(|_| WorkError::Internal(format!("{name} is not a seed")))
    }

    pub(super) fn destroy(&mut self, secrets: &[Secret]) -> Result<(), WorkError> {
        for secret in secrets {
            self.tools.store.remove(&self.secret_name(*secret))?;
            let slots = self.record.slots.iter_mut();
            match secret {
                Secret::Bundle => (self.record.bundle, self.loaded) = (false, None),
                Secret::Recipient => self.record.recipient = false,
                Secret::CampaignKey => self.record.campaign_key = false,
                Secret::Seed(id) => slots.filter(|slot| slot.id == *id).for_each(|slot| slot.seed = false),
                Secret::Model(id) => slots.filter(|slot| slot.id == *id).for_each(|slot| slot.model = false),
            }
        }
        self.record.slots.retain(|slot| slot.seed || slot.model);
        self.persist()
    }

    /// Name of a secret in the vault.
    #[must_use]
    pub fn secret_name(&self, secret: Secret) -> String {
        let campaign = hex::encode(self.record.campaign.as_bytes());
        match secret {
            Secret::Bundle => format!("{BUNDLES}{campaign}"),
            Secret::Recipient => format!("recipient/{campaign}"),
            Secret::CampaignKey => format!("{CAMPAIGN_KEYS}{campaign}"),
            Secret::Seed(id) => format!("seed/{campaign}/{}", hex::encode(&id.0[..16])),
            Secret::Model(id) => format!("model/{campaign}/{}", hex::encode(&id.0[..16])),
        }
    }
}
