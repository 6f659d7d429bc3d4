//! Examination of a proposed campaign: fetches its artefacts, decides from them alone whether to run it, and sends the
//! decision.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use sonar_contracts::{State, Terms, campaign_id};
use sonar_node::{ipfs::IpfsError, vault::SecretStore};
use sonar_protocol::{
    admission::{self, NotAdmitted},
    backbone::Embedding,
    bundle::{Bundle, BundleContext, BundleError, CheckedBundle, certificate_needed_until},
    ids::Digest,
    limits,
    manifest::Manifest,
    pgp::{self, Certificate},
    refusal::Refusal,
    terms::CampaignTerms,
    units::Timestamp,
    view::{CampaignView, CapsuleView},
};
use syft::{Ladder, Ppm, STEP_SIZES, budget::LeakMeter};

use super::{
    record::{Proposal, ProposalDecision},
    secrets::Secret,
    worker::{CampaignInputs, WorkError, Worker, catch_panic, compute},
};
use crate::{
    launch_keys::LaunchKeyRing,
    ports::{Artefacts, Chain},
};

impl<S: SecretStore + 'static, A: Artefacts, C: Chain> Worker<S, A, C> {
    /// Decides whether to run a proposed campaign, and if so publishes version 1.
    pub(super) async fn examine(
        &mut self,
        campaign: &CampaignView,
        own: Option<&CapsuleView>,
        now: Timestamp,
    ) -> Result<(), WorkError> {
        let decision = match self.judge(campaign, own, now).await {
            Ok(decision) => decision,
            Err(WorkError::Refused(refusal)) => ProposalDecision::Decline { reason: refusal },
            Err(WorkError::Ipfs(IpfsError::NotFound { .. })) if patience_is_over(campaign, now) => {
                ProposalDecision::Decline { reason: Refusal::Unavailable }
            }
            Err(error) => return Err(error),
        };
        self.record.proposal = Some(Proposal { beacon: campaign.next_beacon(), decision });
        self.persist()
    }

    async fn judge(
        &mut self,
        campaign: &CampaignView,
        own: Option<&CapsuleView>,
        now: Timestamp,
    ) -> Result<ProposalDecision, WorkError> {
        let attester = &self.tools.attester;
        let id = campaign_id(attester.chain_id(), attester.campaigns(), &campaign.terms);
        // With another key in the registry, the contract would refuse every attestation.
        let registered = own.filter(|capsule| capsule.attester == attester.address());
        let capsule = registered.filter(|_| id == campaign.id.0).ok_or(Refusal::Offer)?;
        check_terms(campaign, capsule, now)?;
        let loaded = self.load(campaign).await?;
        check_certificate(&loaded.scientist, &campaign.terms)?;
        let examined = loaded.clone();
        let (start, once) = compute(move || {
            let clock = Instant::now();
            let start = start(&examined.manifest, &examined.bundle);
            (start, clock.elapsed().saturating_mul(STEP_SIZES.len() as u32))
        })
        .await?;
        let start = start?;
        // First a lower bound, because the exact measurement takes several times as long.
        check_time(once, &campaign.terms)?;
        let (examined, ladder) = (loaded.clone(), ladder(&loaded.manifest, start.accuracy)?);
        let update = compute(move || {
            let clock = Instant::now();
            examined.bundle.start.try_nothing(start.accuracy, &ladder);
            clock.elapsed()
        })
        .await?;
        check_time(update, &campaign.terms)?;
        // A leak meter that has counted is kept.
        self.record.meter.get_or_insert(start.meter);
        let model = loaded.bundle.start.file().map_err(WorkError::internal)?;
        let slot = self.publish(campaign, model, &loaded.manifest).await?;
        self.record.set_slot(slot);
        let first = slot.published.ok_or_else(|| WorkError::Internal("nothing was published".into()))?;
        let certificate = self.publish_certificate().await?;
        Ok(ProposalDecision::Activate { start_ppm: start.accuracy, first, certificate })
    }

    /// Fetches and checks the manifest; the result is cached.
    pub(super) async fn load_manifest(&mut self, campaign: &CampaignView) -> Result<Arc<Manifest>, WorkError> {
        if let Some(manifest) = &self.manifest {
            return Ok(manifest.clone());
        }
        let bytes = self.artefact(Digest::from(campaign.terms.manifest), limits::MANIFEST, Refusal::Manifest).await?;
        let manifest = check_manifest(&bytes, campaign)?;
        if manifest.capsule != self.tools.identity.fingerprint() {
            return Err(Refusal::Offer.into());
        }
        Ok(self.manifest.insert(Arc::new(manifest)).clone())
    }

    /// Loads and checks manifest and bundle; the result is cached.
    pub(super) async fn load(&mut self, campaign: &CampaignView) -> Result<Arc<CampaignInputs>, WorkError> {
        if let Some(loaded) = &self.loaded {
            return Ok(loaded.clone());
        }
        let manifest = self.load_manifest(campaign).await?;
        let bundle = self.bundle(campaign, &manifest).await?;
        let backbone = match manifest.method.backbone() {
            Some(backbone) => Some(self.artefact(backbone.weights, backbone.file_limit(), Refusal::Backbone).await?),
            None => None,
        };
        // The same time at the examination and at the delivery, so that a model that was deliverable once stays
        // deliverable, even if the certificate has expired since.
        let opened_at = campaign.opened.timestamp;
        let loaded = compute(move || {
            let embedding = check_backbone(backbone.as_deref(), &manifest)?;
            let bundle = check_bundle(&bundle, &manifest, &embedding)?;
            let scientist = Certificate::decode(&bundle.certificate, opened_at).map_err(|_| Refusal::Certificate)?;
            if scientist.fingerprint() != manifest.scientist {
                return Err(Refusal::Certificate);
            }
            Ok(Arc::new(CampaignInputs { manifest, bundle, scientist }))
        })
        .await??;
        Ok(self.loaded.insert(loaded).clone())
    }

    /// The bundle as it was opened at the examination, or as it was published if that is still to come.
    async fn bundle(&mut self, campaign: &CampaignView, manifest: &Manifest) -> Result<Bundle, WorkError> {
        let attester = &self.tools.attester;
        let context = BundleContext::new(attester.chain_id(), attester.campaigns(), &campaign.terms, manifest)
            .map_err(|_| Refusal::Manifest)?;
        if let Some(opened) = self.find(Secret::Bundle)? {
            return Bundle::decode(&opened, &context).map_err(WorkError::internal);
        }
        if campaign.state != State::Proposed {
            return Err(WorkError::LostForGood("the opened bundle"));
        }
        let bundle = self.open_bundle(campaign, manifest, context).await?;
        self.keep_bundle(&bundle.encode(&context), &bundle.certificate)?;
        Ok(bundle)
    }

    /// Fetches and opens the bundle, if it was made for this campaign. Anybody can name anybody's bundle, so whatever is
    /// wrong with it has the same reason on chain; only the log has the details.
    async fn open_bundle(
        &self,
        campaign: &CampaignView,
        manifest: &Manifest,
        context: BundleContext,
    ) -> Result<Bundle, WorkError> {
        let sealed = self.artefact(manifest.bundle, limits::BUNDLE, Refusal::Bundle).await?;
        let keys = LaunchKeyRing::load(&self.tools.store)?.secrets(self.tools.identity.certificate())?;
        let opened = compute(move || {
            let opened = catch_panic(|| {
                let bytes = pgp::open(&sealed, &keys, limits::BUNDLE).map_err(|error| error.to_string())?;
                Bundle::decode(&bytes, &context).map_err(|error| error.to_string())
            });
            opened.unwrap_or_else(|| Err("a panic while it was opened".into()))
        });
        opened.await?.map_err(|error| {
            tracing::warn!(campaign = %campaign.id, error, "the bundle cannot be used");
            Refusal::Bundle.into()
        })
    }

    async fn artefact(&self, digest: Digest, limit: usize, refusal: Refusal) -> Result<Vec<u8>, WorkError> {
        let patience = self.tools.patience.artefact;
        match self.tools.artefacts.get(digest, limit, patience).await {
            Err(IpfsError::TooLarge { .. }) => Err(refusal.into()),
            other => Ok(other?),
        }
    }

    pub(super) async fn activate(&self, campaign: &CampaignView) -> Result<(), WorkError> {
        let Some(ProposalDecision::Activate { start_ppm, first, certificate }) =
            self.record.decision(campaign.next_beacon())
        else {
            return Err(WorkError::Internal("nothing was decided".into()));
        };
        let signature = self.tools.attester.activation(campaign, start_ppm, first, certificate)?;
        let sent = self.tools.chain.activate(&campaign.terms, start_ppm, first, certificate, &signature);
        Ok(sent.await?)
    }

    pub(super) async fn decline(&self, campaign: &CampaignView, reason: Refusal) -> Result<(), WorkError> {
        let signature = self.tools.attester.decline(campaign.id, reason)?;
        let sent = self.tools.chain.decline(&campaign.terms, reason, &signature);
        Ok(sent.await?)
    }
}

/// A campaign that the Capsule accepts.
#[derive(Debug)]
pub(super) struct Start {
    /// Measured starting accuracy, on the grid.
    pub accuracy: Ppm,
    /// Leak meter with nothing spent.
    pub meter: LeakMeter,
}

/// Checks whether the terms match what this Capsule offers and its operator's limits.
///
/// # Errors
/// The first mismatch.
pub(super) fn check_terms(campaign: &CampaignView, capsule: &CapsuleView, now: Timestamp) -> Result<(), Refusal> {
    if campaign.terms.fee() != capsule.fee_ppm {
        return Err(Refusal::Offer);
    }
    admission::check_limits(capsule, &campaign.terms, now).map_err(|error| match error {
        NotAdmitted::Stake { .. } => Refusal::Stake,
        _ => Refusal::Offer,
    })
}

/// Checks whether a full window can be evaluated in half of the time that the terms give, if one update takes this long.
/// Every update takes the same time, whatever model and update contain: they have no numbers with which processors are
/// slow.
///
/// # Errors
/// When it cannot: a late Capsule loses its stake.
pub(super) fn check_time(update: Duration, terms: &Terms) -> Result<(), Refusal> {
    let given = Duration::from_secs(terms.evaluationSeconds.into());
    if update.saturating_mul(terms.windowSize.into()) > given / 2 { Err(Refusal::TooSlow) } else { Ok(()) }
}

/// Checks whether the model can be delivered to this certificate, however long the campaign takes.
///
/// # Errors
/// When the certificate may have expired by then.
pub(super) fn check_certificate(certificate: &Certificate, terms: &CampaignTerms) -> Result<(), Refusal> {
    let needed = certificate_needed_until(terms);
    if certificate.expires().is_some_and(|expires| expires < needed) {
        Err(Refusal::CertificateExpires)
    } else {
        Ok(())
    }
}

/// Reads the manifest and compares it with the terms.
///
/// # Errors
/// What is wrong with it.
pub(super) fn check_manifest(bytes: &[u8], campaign: &CampaignView) -> Result<Manifest, Refusal> {
    let manifest = Manifest::decode(bytes).map_err(|_| Refusal::Manifest)?;
    manifest.matches(&campaign.terms).map_err(|_| Refusal::Terms)?;
    Ok(manifest)
}

/// Reads the weights of the backbone, if the manifest names one.
///
/// # Errors
/// When they do not fit the network in the manifest.
pub(super) fn check_backbone(bytes: Option<&[u8]>, manifest: &Manifest) -> Result<Embedding, Refusal> {
    match (manifest.method.backbone(), bytes) {
        (None, _) => Ok(Embedding::none()),
        (Some(backbone), Some(bytes)) => backbone.read(bytes).map_err(|_| Refusal::Backbone),
        (Some(_), None) => Err(Refusal::Unavailable),
    }
}

/// Compares the content of the bundle with the manifest.
///
/// # Errors
/// What is wrong with it.
pub(super) fn check_bundle(
    bundle: &Bundle,
    manifest: &Manifest,
    embedding: &Embedding,
) -> Result<CheckedBundle, Refusal> {
    bundle.check(manifest, embedding).map_err(|error| match error {
        BundleError::Form(_) | BundleError::OtherForm | BundleError::Context | BundleError::Commitment(_) => {
            Refusal::Bundle
        }
        BundleError::Table(_)
        | BundleError::Misfit(_)
        | BundleError::Rows(_)
        | BundleError::Trial(_)
        | BundleError::Grid(_) => Refusal::Content,
    })
}

/// The accuracy ladder of a campaign with this starting accuracy.
///
/// # Errors
/// When the target is already reached.
pub(super) fn ladder(manifest: &Manifest, start: Ppm) -> Result<Ladder, Refusal> {
    manifest.accuracy.ladder_from(start).map_err(|_| Refusal::Target)
}

/// Measures the starting accuracy by the rules that the contract checks, and sets up the leak meter.
///
/// # Errors
/// When the claim is wrong, the target is already reached, or the limits would disclose too much.
pub(super) fn start(manifest: &Manifest, bundle: &CheckedBundle) -> Result<Start, Refusal> {
    let rules = &manifest.accuracy;
    let accuracy = bundle.start.accuracy().floor_to_grid(rules.grid);
    let claimed = rules.start.floor_to_grid(rules.grid).get();
    if accuracy.get().abs_diff(claimed) > rules.tolerance.get() + rules.grid.ppm() {
        return Err(Refusal::Start);
    }
    let ladder = ladder(manifest, accuracy)?;
    let meter = manifest.meter(&ladder).map_err(|_| Refusal::LeakBudget)?;
    Ok(Start { accuracy, meter })
}

/// Manifest and bundle are fetched during the first three quarters of the time for activation.
fn patience_is_over(campaign: &CampaignView, now: Timestamp) -> bool {
    let share = u64::from(campaign.terms.activationSeconds) * 3 / 4;
    now >= campaign.changed_at.plus(share)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_too_long_is_not_begun() {
        let terms = Terms { windowSize: 10, evaluationSeconds: 1_400, ..Terms::default() };
        assert_eq!(check_time(Duration::from_secs(70), &terms), Ok(()));
        assert_eq!(check_time(Duration::from_millis(70_001), &terms), Err(Refusal::TooSlow));
        assert_eq!(check_time(Duration::MAX, &terms), Err(Refusal::TooSlow));
    }
}
