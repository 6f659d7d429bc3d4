//! The delivery: seals the finished model to the data scientist, and hands over the seed of every version for the audit.

use sonar_node::vault::SecretStore;
use sonar_protocol::{
    delivery::FinishedModel,
    pgp::{self, Certificate},
    view::{CampaignView, VersionView},
};

use super::{
    record::Delivery,
    secrets::Secret,
    worker::{WorkError, Worker},
};
use crate::ports::{Artefacts, Chain};

impl<S: SecretStore + 'static, A: Artefacts, C: Chain> Worker<S, A, C> {
    /// Seals the finished model to the data scientist.
    pub(super) async fn deliver(&mut self, campaign: &CampaignView) -> Result<(), WorkError> {
        let manifest = self.load_manifest(campaign).await?;
        let recipient = self.find(Secret::Recipient)?;
        let recipient = recipient.ok_or_else(|| WorkError::Lost("certificate of the data scientist".into()))?;
        let recipient = Certificate::decode(&recipient, campaign.opened.timestamp)?;
        let slot = *self.record.current(campaign).ok_or_else(|| WorkError::Lost("finished model".into()))?;
        let model = self.model(slot.id)?;
        let finished = FinishedModel::new(&manifest, &model, campaign.id, campaign.best_ppm);
        let finished = finished.map_err(WorkError::internal)?;
        let sealed = pgp::seal_signed(finished.safetensors(), &recipient, &self.tools.identity)?;
        let result = self.tools.artefacts.add(sealed).await?;
        self.record.delivery = Some(Delivery { model: slot.id, result });
        self.persist()
    }

    pub(super) async fn finalize(&self, campaign: &CampaignView) -> Result<(), WorkError> {
        let delivery = self.record.delivery;
        let delivery = delivery.ok_or_else(|| WorkError::Internal("nothing to deliver".into()))?;
        let handover = |version: &VersionView| {
            let known = self.record.handovers.get(&version.published.material).copied();
            known.ok_or_else(|| WorkError::Lost(format!("hand-over of version {}", version.version)))
        };
        let handovers = campaign.versions.iter().map(handover).collect::<Result<Vec<_>, _>>()?;
        let signature = self.tools.attester.delivery(campaign, delivery.result)?;
        let sent = self.tools.chain.finalize(&campaign.terms, delivery.result, &handovers, &signature);
        Ok(sent.await?)
    }
}
