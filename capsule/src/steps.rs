//! The steps that look into sealed artefacts: examination of a proposal, evaluation of a window, delivery.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures::future::try_join_all;
use sonar_contracts::{Submission, campaign_id};
use sonar_node::ipfs::IpfsError;
use sonar_protocol::{
    bundle,
    delivery::Finished,
    envelope::{self, Header, ProtocolReject},
    families::{Evaluated, Window},
    ids::Digest,
    manifest,
    pgp::{self, Certificate},
    refusal::Refusal,
    view::{CampaignView, CapsuleView},
};
use syft::{ContentVerdict, Ppm, budget::BudgetError};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use crate::{
    attest::{self, After, Continuation},
    engine,
    ports::{Artefacts, Chain, Store},
    proposal,
    record::{Decision, Delivery, Evaluation, Proposal, Settlement, Slot},
    worker::{Loaded, ModelFile, WorkError, Worker, compute, manifest_digest},
};

/// Accepts of one window, at most.
const MOST_ACCEPTS: u32 = 4;
/// Updates that are opened at the same time: each takes some times its size, and a network's may be large.
const OPENED_AT_ONCE: usize = 2;

/// A window's updates: opened and of the right form, or refused by protocol.
type Opened = Vec<Result<Payload, ProtocolReject>>;
/// An update of the right form, as short as it was sent: what it stands for may be as large as the model.
type Payload = Zeroizing<Vec<u8>>;

impl<S: Store, A: Artefacts, C: Chain> Worker<S, A, C> {
    /// Decides whether a proposed campaign is run, and publishes version 1 if it is.
    pub(crate) async fn examine(
        &mut self,
        campaign: &CampaignView,
        own: Option<&CapsuleView>,
        now: u64,
    ) -> Result<(), WorkError> {
        let decision = match self.judge(campaign, own).await {
            Ok(decision) => decision,
            Err(WorkError::Refused(refusal)) => Decision::Decline { reason: refusal as u8 },
            Err(WorkError::Ipfs(IpfsError::NotFound { .. })) if patience_is_over(campaign, now) => {
                Decision::Decline { reason: Refusal::Unavailable as u8 }
            }
            Err(error) => return Err(error),
        };
        self.record.proposal = Some(Proposal { beacon: campaign.opened.block_hash, decision });
        self.persist()
    }

    async fn judge(&mut self, campaign: &CampaignView, own: Option<&CapsuleView>) -> Result<Decision, WorkError> {
        let attester = &self.tools.attester;
        let id = campaign_id(attester.chain_id(), attester.campaigns(), &campaign.terms);
        if campaign.terms.attester != attester.address() || id != campaign.id.0 {
            return Err(Refusal::Offer.into());
        }
        proposal::check_terms(campaign, own)?;
        let loaded = self.load(campaign).await?;
        proposal::check_certificate(&loaded.scientist, &campaign.terms)?;
        let examined = loaded.clone();
        let (start, once) = compute(move || {
            let clock = Instant::now();
            (proposal::start(&examined.manifest, &examined.bundle), clock.elapsed())
        })
        .await?;
        let start = start?;
        proposal::check_time(once, &campaign.terms)?;
        // A meter that has counted already goes on counting.
        self.record.meter.get_or_insert(start.meter);
        let model = loaded.bundle.start.file().map_err(WorkError::internal)?;
        let slot = self.publish(campaign, model, &loaded.manifest).await?;
        self.record.set_slot(slot);
        let first = slot.published.ok_or_else(|| WorkError::Internal("nothing was published".into()))?;
        Ok(Decision::Activate { start_ppm: start.accuracy.get(), first })
    }

    /// Manifest and bundle, fetched and checked once.
    pub(crate) async fn load(&mut self, campaign: &CampaignView) -> Result<Arc<Loaded>, WorkError> {
        if let Some(loaded) = &self.loaded {
            return Ok(loaded.clone());
        }
        let bytes = self.artefact(manifest_digest(campaign), manifest::MAX_BYTES, Refusal::Manifest).await?;
        let manifest = proposal::check_manifest(&bytes, campaign)?;
        if manifest.capsule != self.tools.identity.fingerprint() {
            return Err(Refusal::Offer.into());
        }
        let sealed = self.artefact(manifest.bundle, bundle::MAX_BYTES, Refusal::Bundle).await?;
        let backbone = match manifest.method.backbone() {
            Some(backbone) => Some(self.artefact(backbone.weights, backbone.file_limit(), Refusal::Backbone).await?),
            None => None,
        };
        let tools = self.tools.clone();
        // The same at the examination and at the delivery, so that what was deliverable once stays so, whatever has expired since.
        let opened_at = campaign.opened.timestamp;
        let loaded = compute(move || {
            let embedding = proposal::check_backbone(backbone.as_deref(), &manifest)?;
            let bytes = pgp::open(&sealed, &tools.identity, bundle::MAX_BYTES).map_err(|_| Refusal::Bundle)?;
            let bundle = proposal::check_bundle(&bytes, &manifest, &embedding)?;
            let scientist = Certificate::decode(&bundle.certificate, opened_at).map_err(|_| Refusal::Certificate)?;
            if scientist.fingerprint() != manifest.scientist {
                return Err(Refusal::Certificate);
            }
            Ok(Arc::new(Loaded { manifest, bundle, scientist }))
        })
        .await??;
        Ok(self.loaded.insert(loaded).clone())
    }

    async fn artefact(&self, digest: Digest, limit: usize, refusal: Refusal) -> Result<Vec<u8>, WorkError> {
        let patience = self.tools.patience.artefact;
        match self.tools.artefacts.get(digest, limit, patience).await {
            Err(IpfsError::TooLarge { .. }) => Err(refusal.into()),
            other => Ok(other?),
        }
    }

    /// Evaluates a closed window: protocol first, without any secret key of the version; then, once the leak meter has been
    /// written down, content.
    pub(crate) async fn evaluate(&mut self, campaign: &CampaignView) -> Result<(), WorkError> {
        // A node may show a window before its last submission.
        if self.tools.chain.window_hash(campaign.id).await? != campaign.window_hash() {
            return Err(WorkError::Ahead("the window"));
        }
        let loaded = self.load(campaign).await?;
        let slot =
            *engine::current(campaign, &self.record).ok_or_else(|| WorkError::Lost("slot of this version".into()))?;
        let opened = self.open(campaign, &loaded, &slot).await?;
        let evaluation = self.begin(campaign, &opened)?;
        let best = self.model(slot.id)?;
        let (verdicts, best, best_ppm) = match evaluation.allowance {
            Some(allowance) => {
                let left = u32::from(campaign.terms.maxAccepts).saturating_sub(campaign.accepts);
                let most = allowance.min(left).min(MOST_ACCEPTS);
                self.try_updates(campaign, loaded.clone(), &slot, best, opened, most).await?
            }
            // The budget is spent: nothing is decrypted.
            None => (vec![ContentVerdict::NotImproved; opened.len()], best, campaign.best_ppm),
        };
        self.conclude(campaign, &loaded, slot, &evaluation, (&verdicts, best, best_ppm)).await
    }

    /// Fetches and opens the window's updates. Those that were refused before stay refused.
    async fn open(&self, campaign: &CampaignView, loaded: &Arc<Loaded>, slot: &Slot) -> Result<Opened, WorkError> {
        let window = &campaign.window;
        let known =
            self.record.evaluation.as_ref().filter(|evaluation| evaluation.window_hash == campaign.window_hash());
        let refused = |index: usize| {
            let code = known.and_then(|evaluation| *evaluation.refused.get(index)?)?;
            ProtocolReject::from_code(code)
        };
        let turns = &Semaphore::new(OPENED_AT_ONCE);
        let work = window.submissions.iter().enumerate().map(|(index, submission)| {
            let repeated = repeats(campaign, index).then_some(ProtocolReject::Duplicate);
            let refused = refused(index).or(repeated);
            async move {
                match refused {
                    Some(reason) => Ok(Err(reason)),
                    None => {
                        let opened = self.open_one(campaign, loaded, slot, submission, turns).await?;
                        match opened {
                            // It passed once, so it exists: wait for it.
                            Err(ProtocolReject::Unavailable) if known.is_some() => {
                                Err(WorkError::Ahead("an update that was here before"))
                            }
                            opened => Ok(opened),
                        }
                    }
                }
            }
        });
        try_join_all(work).await
    }

    async fn open_one(
        &self,
        campaign: &CampaignView,
        loaded: &Arc<Loaded>,
        slot: &Slot,
        submission: &Submission,
        turns: &Semaphore,
    ) -> Result<Result<Payload, ProtocolReject>, WorkError> {
        let payload = loaded.manifest.method.update_len();
        let share = Duration::from_secs(u64::from(campaign.terms.evaluationSeconds)) / 4;
        let patience = self.tools.patience.update.min(share);
        let fetched = self.tools.artefacts.get(submission.content.into(), envelope::largest(payload), patience);
        let sealed = match fetched.await {
            Ok(bytes) => bytes,
            Err(IpfsError::NotFound { .. }) => return Ok(Err(ProtocolReject::Unavailable)),
            Err(IpfsError::TooLarge { .. }) => return Ok(Err(ProtocolReject::TooLarge)),
            Err(IpfsError::Malformed { .. }) => return Ok(Err(ProtocolReject::NotOpenPgp)),
            // A failure of our own node is no fault of the miner, whose stake a rejection may take: try again.
            Err(error) => return Err(error.into()),
        };
        let attester = &self.tools.attester;
        let expected =
            Header::new(attester.chain_id(), attester.campaigns(), campaign.id, campaign.version(), submission.miner);
        let _turn = turns.acquire().await.map_err(WorkError::internal)?;
        let (tools, loaded) = (self.tools.clone(), loaded.clone());
        let material = slot.material_hash.0;
        compute(move || {
            let bytes = envelope::open_update(&sealed, &tools.identity, &expected, payload)?;
            let conforms = loaded.manifest.method.conforms(&bytes, &material);
            if conforms { Ok(bytes) } else { Err(ProtocolReject::Conformance) }
        })
        .await
    }

    /// Writes down what will be decrypted, before it is.
    fn begin(&mut self, campaign: &CampaignView, opened: &Opened) -> Result<Evaluation, WorkError> {
        let window_hash = campaign.window_hash();
        if let Some(known) = &self.record.evaluation {
            if known.window_hash == window_hash {
                return Ok(known.clone());
            }
            // The chain forgot a window in the middle of its evaluation; nothing was said about it.
            if let (Some(meter), Some(_)) = (&mut self.record.meter, known.allowance) {
                meter.finish(known.number, 0).map_err(WorkError::internal)?;
            }
        }
        self.catch_up(campaign)?;
        let number = self.record.evaluations;
        let meter = self.record.meter.as_mut().ok_or_else(|| WorkError::Lost("leak meter".into()))?;
        let allowance = match meter.begin(number, opened.len() as u64) {
            Ok(allowance) => Some(allowance),
            Err(BudgetError::Submissions { .. } | BudgetError::Accepts) => None,
            Err(error) => return Err(WorkError::internal(error)),
        };
        let evaluation = Evaluation {
            number,
            window: campaign.window.index,
            window_hash,
            refused: opened.iter().map(|update| update.as_ref().err().map(|reason| reason.code())).collect(),
            allowance,
        };
        self.record.evaluations += 1;
        self.record.evaluation = Some(evaluation.clone());
        self.persist()?;
        Ok(evaluation)
    }

    /// A record that is older than the chain (restored from a backup) must not count less than what was said in public.
    fn catch_up(&mut self, campaign: &CampaignView) -> Result<(), WorkError> {
        let pending = campaign.window.submissions.len() as u64;
        let settled = u64::from(campaign.submissions).saturating_sub(pending);
        let Some(meter) = &mut self.record.meter else {
            return Ok(());
        };
        let submissions = settled.saturating_sub(meter.submissions());
        let accepts = campaign.accepts.saturating_sub(meter.accepts());
        if submissions > 0 && meter.begin(self.record.evaluations, submissions).is_ok() {
            meter.finish(self.record.evaluations, accepts).map_err(WorkError::internal)?;
            self.record.evaluations += 1;
        }
        Ok(())
    }

    async fn try_updates(
        &self,
        campaign: &CampaignView,
        loaded: Arc<Loaded>,
        slot: &Slot,
        best: ModelFile,
        opened: Opened,
        most: u32,
    ) -> Result<(Vec<ContentVerdict>, ModelFile, u32), WorkError> {
        let seed = self.seed(slot.id)?;
        let (binding, material) = (self.binding(campaign, *slot), slot.material_hash.0);
        let start = Ppm::new(campaign.start_ppm.unwrap_or_default());
        let ladder = proposal::ladder(&loaded.manifest, start.map_err(WorkError::internal)?)?;
        let best_ppm = Ppm::new(campaign.best_ppm).map_err(WorkError::internal)?;
        compute(move || {
            let updates: Vec<&[u8]> = opened.iter().flatten().map(|bytes| bytes.as_slice()).collect();
            let window = Window {
                trial: &*loaded.bundle.start,
                best: &best,
                best_ppm,
                updates: &updates,
                seed: &seed,
                binding: &binding,
                material: &material,
                ladder: &ladder,
                most,
            };
            let evaluated = loaded.manifest.method.evaluate(&window).map_err(WorkError::internal)?;
            let Evaluated { verdicts, best, best_ppm } = evaluated;
            Ok((verdicts, best, best_ppm.get()))
        })
        .await?
    }

    /// Writes down what the window led to.
    async fn conclude(
        &mut self,
        campaign: &CampaignView,
        loaded: &Loaded,
        slot: Slot,
        evaluation: &Evaluation,
        (verdicts, best, best_ppm): (&[ContentVerdict], ModelFile, u32),
    ) -> Result<(), WorkError> {
        let accepted = |verdict: &&ContentVerdict| **verdict != ContentVerdict::NotImproved;
        let accepts = u32::try_from(verdicts.iter().filter(accepted).count()).unwrap_or(u32::MAX);
        let mut meter = self.record.meter.clone().ok_or_else(|| WorkError::Lost("leak meter".into()))?;
        if evaluation.allowance.is_some() {
            meter.finish(evaluation.number, accepts).map_err(WorkError::internal)?;
        }
        let continuation = attest::continuation(
            &campaign.terms,
            After {
                accepts: campaign.accepts + accepts,
                submissions: campaign.submissions,
                best_ppm,
                spent: evaluation.allowance.is_none() || meter.is_spent(),
            },
        );
        let slot = match (accepts, continuation) {
            (0, _) => slot,
            (_, Continuation::Open) => self.publish(campaign, best, &loaded.manifest).await?,
            (_, Continuation::Over | Continuation::Close(_)) => self.keep_last(campaign, &best)?,
        };
        self.record.set_slot(slot);
        self.record.meter = Some(meter);
        self.record.evaluation = None;
        self.record.set_settlement(Settlement {
            window: evaluation.window,
            version: campaign.version(),
            window_hash: evaluation.window_hash,
            outcomes: attest::outcomes(&evaluation.refused, verdicts).map_err(WorkError::internal)?,
            next: slot.published.filter(|_| accepts > 0),
            close: continuation.code(),
            model: slot.id,
        });
        self.persist()
    }

    /// Seals the finished model to the data scientist.
    pub(crate) async fn deliver(&mut self, campaign: &CampaignView) -> Result<(), WorkError> {
        let loaded = self.load(campaign).await?;
        let slot =
            *engine::final_model(campaign, &self.record).ok_or_else(|| WorkError::Lost("finished model".into()))?;
        let model = self.model(slot.id)?;
        let finished = Finished::new(&loaded.manifest, &model, campaign.id, campaign.best_ppm);
        let finished = finished.map_err(WorkError::internal)?;
        let sealed = pgp::seal_signed(finished.safetensors(), &loaded.scientist, &self.tools.identity)?;
        let result = self.tools.artefacts.add(sealed).await?;
        self.record.delivery = Some(Delivery { model: slot.id, result });
        self.persist()
    }
}

/// Whether a submission of the present window was there before, in this window or an earlier one of the same version.
fn repeats(campaign: &CampaignView, index: usize) -> bool {
    let window = &campaign.window;
    let Some((last, before)) = window.submissions.get(..=index).and_then(<[Submission]>::split_last) else {
        return false;
    };
    let same_version = campaign.settled.iter().rev().take_while(|settled| settled.version == window.version);
    let mut earlier = same_version.flat_map(|settled| &settled.submissions);
    before.contains(last) || earlier.any(|known| known.miner == last.miner && known.content == last.content.into())
}

/// Manifest and bundle are looked for during three quarters of the time for activation.
fn patience_is_over(campaign: &CampaignView, now: u64) -> bool {
    let share = u64::from(campaign.terms.activationSeconds) * 3 / 4;
    now >= campaign.changed_at.saturating_add(share)
}
