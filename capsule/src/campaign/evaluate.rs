//! Evaluation of a closed window: decrypts its updates, evaluates those that pass the protocol's checks, records the
//! settlement, and sends it.

use std::{sync::Arc, time::Duration};

use futures::future::try_join_all;
use sonar_contracts::{CloseReason, Outcome, Submission};
use sonar_node::{ipfs::IpfsError, vault::SecretStore};
use sonar_protocol::{
    envelope::{self, EnvelopeHeader, ProtocolReject},
    families::{EvaluationWindow, ModelFile, WindowEvaluation},
    pgp::CampaignKey,
    terms::CampaignTerms,
    view::{CampaignView, SettledSubmission, SettledWindow},
};
use syft::{ContentVerdict, MAX_ACCEPTS_PER_WINDOW, Ppm, budget::BudgetError};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use super::{
    examine,
    record::{Evaluation, Settlement, Slot},
    worker::{CampaignInputs, WorkError, Worker, catch_panic, compute},
};
use crate::ports::{Artefacts, Chain};

/// Maximum number of updates that are decrypted at once: each needs several times its size in memory, and an update of
/// a network may be large.
const OPENED_AT_ONCE: usize = 2;

/// An update that passed the protocol's checks, in the compact form in which it was sent; expanded, it may be as large
/// as the model.
type Payload = Zeroizing<Vec<u8>>;
/// The updates of a window: decrypted and conforming, or rejected by protocol.
type WindowUpdates = Vec<Result<Payload, ProtocolReject>>;

impl<S: SecretStore + 'static, A: Artefacts, C: Chain> Worker<S, A, C> {
    /// Evaluates a closed window: first the protocol, without any secret key of the version; then, after the leak meter
    /// has been recorded, the content.
    pub(super) async fn evaluate(&mut self, campaign: &CampaignView) -> Result<(), WorkError> {
        // A node may show a window before its last submission.
        if self.tools.chain.window_hash(campaign.id).await? != campaign.window_hash() {
            return Err(WorkError::Ahead("the window"));
        }
        let loaded = self.load(campaign).await?;
        let slot = *self.record.current(campaign).ok_or_else(|| WorkError::Lost("slot of this version".into()))?;
        // A missing key is the Capsule's fault, and must not look like faults of all miners.
        let key = Arc::new(self.campaign_key()?);
        let opened = self.open(campaign, &loaded, &slot, &key).await?;
        let evaluation = self.begin(campaign, &opened)?;
        let best = self.model(slot.id)?;
        let tried = match evaluation.allowance {
            Some(allowance) => {
                let left = u32::from(campaign.terms.maxAccepts).saturating_sub(campaign.accepts);
                let most = allowance.min(left).min(MAX_ACCEPTS_PER_WINDOW);
                self.try_updates(campaign, loaded.clone(), &slot, best, opened, most).await?
            }
            // The leak budget is spent, so nothing is decrypted.
            None => {
                let verdicts = vec![ContentVerdict::NotImproved; opened.len()];
                WindowEvaluation { verdicts, best, best_ppm: campaign.best_ppm }
            }
        };
        self.conclude(campaign, &loaded, slot, &evaluation, tried).await
    }

    /// Fetches and decrypts the window's updates. Those that were rejected before stay rejected.
    async fn open(
        &self,
        campaign: &CampaignView,
        loaded: &Arc<CampaignInputs>,
        slot: &Slot,
        key: &Arc<CampaignKey>,
    ) -> Result<WindowUpdates, WorkError> {
        let window = &campaign.window;
        let known =
            self.record.evaluation.as_ref().filter(|evaluation| evaluation.window_hash == campaign.window_hash());
        let refused = |index: usize| known.and_then(|evaluation| *evaluation.refused.get(index)?);
        let turns = &Semaphore::new(OPENED_AT_ONCE);
        let work = window.submissions.iter().enumerate().map(|(index, submission)| {
            let repeated = repeats(campaign, index).then_some(ProtocolReject::Duplicate);
            let refused = refused(index).or(repeated);
            async move {
                match refused {
                    Some(reason) => Ok(Err(reason)),
                    None => {
                        let opened = self.open_one(campaign, loaded, slot, key, submission, turns).await?;
                        match opened {
                            // It passed before, so it exists: retry.
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
        loaded: &Arc<CampaignInputs>,
        slot: &Slot,
        key: &Arc<CampaignKey>,
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
            Err(IpfsError::Malformed { .. }) => return Ok(Err(ProtocolReject::Unreadable)),
            // A failure of our own node is not the miner's fault, and a rejection may cost their stake: retry.
            Err(error) => return Err(error.into()),
        };
        let attester = &self.tools.attester;
        let expected = EnvelopeHeader::new(
            attester.chain_id(),
            attester.campaigns(),
            campaign.id,
            campaign.version(),
            submission.miner,
        );
        let _turn = turns.acquire().await.map_err(WorkError::internal)?;
        let (tools, loaded, key) = (self.tools.clone(), loaded.clone(), key.clone());
        let material = slot.material_hash.0;
        compute(move || {
            let opened = catch_panic(|| {
                let bytes = envelope::open_update(&sealed, &key, &expected, payload)?;
                let conforms = (tools.conforms)(&*loaded.manifest.method, &bytes, &material);
                if conforms { Ok(bytes) } else { Err(ProtocolReject::Conformance) }
            });
            // The same bytes would panic in every retry, until the campaign is abandoned and the stake lost.
            opened.unwrap_or(Err(ProtocolReject::Unreadable))
        })
        .await
    }

    /// Records what will be decrypted, before it is decrypted.
    fn begin(&mut self, campaign: &CampaignView, opened: &WindowUpdates) -> Result<Evaluation, WorkError> {
        let window_hash = campaign.window_hash();
        if let Some(known) = &self.record.evaluation {
            if known.window_hash == window_hash {
                return Ok(known.clone());
            }
            // The window was rolled back during its evaluation; nothing was published about it.
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
            refused: opened.iter().map(|update| update.as_ref().err().copied()).collect(),
            allowance,
        };
        self.record.evaluations += 1;
        self.record.evaluation = Some(evaluation.clone());
        self.persist()?;
        Ok(evaluation)
    }

    /// A record that is older than the chain (restored from a backup, or of another copy of this home) must not count
    /// fewer verdicts than were published.
    fn catch_up(&mut self, campaign: &CampaignView) -> Result<(), WorkError> {
        let foreign: Vec<_> = self.record.uncounted(campaign).collect();
        let Some((_, last)) = foreign.last() else {
            return Ok(());
        };
        tracing::warn!(
            campaign = %campaign.id, windows = foreign.len(), last = last.index.0,
            "windows were settled with this Capsule's key, but not by this home: make sure that no other copy of it runs"
        );
        let accepted = |window: &SettledWindow| {
            let is_accepted = |submission: &&SettledSubmission| matches!(submission.outcome, Outcome::Accepted(_));
            u32::try_from(window.submissions.iter().filter(is_accepted).count()).unwrap_or(u32::MAX)
        };
        let counts: Vec<_> =
            foreign.iter().map(|&(hash, window)| (hash, window.submissions.len() as u64, accepted(window))).collect();
        let meter = self.record.meter.as_mut().ok_or_else(|| WorkError::Lost("leak meter".into()))?;
        for (hash, submissions, accepts) in counts {
            meter.count_published(submissions, accepts);
            self.record.foreign.push(hash);
        }
        Ok(())
    }

    async fn try_updates(
        &self,
        campaign: &CampaignView,
        loaded: Arc<CampaignInputs>,
        slot: &Slot,
        best: ModelFile,
        opened: WindowUpdates,
        most: u32,
    ) -> Result<WindowEvaluation, WorkError> {
        let start =
            campaign.start_ppm.ok_or_else(|| WorkError::internal("an active campaign has no start accuracy"))?;
        let ladder = examine::ladder(&loaded.manifest, start)?;
        let best_ppm = campaign.best_ppm;
        let (seed, binding, material) = (self.seed(slot.id)?, self.binding(campaign, *slot), slot.material_hash.0);
        compute(move || {
            let updates: Vec<&[u8]> = opened.iter().flatten().map(|bytes| bytes.as_slice()).collect();
            let window = EvaluationWindow {
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
            loaded.manifest.method.evaluate(&window).map_err(WorkError::internal)
        })
        .await?
    }

    /// Records the settlement of the window.
    async fn conclude(
        &mut self,
        campaign: &CampaignView,
        loaded: &CampaignInputs,
        slot: Slot,
        evaluation: &Evaluation,
        WindowEvaluation { verdicts, best, best_ppm }: WindowEvaluation,
    ) -> Result<(), WorkError> {
        let accepted = |verdict: &&ContentVerdict| **verdict != ContentVerdict::NotImproved;
        let accepts = u32::try_from(verdicts.iter().filter(accepted).count()).unwrap_or(u32::MAX);
        let mut meter = self.record.meter.clone().ok_or_else(|| WorkError::Lost("leak meter".into()))?;
        if evaluation.allowance.is_some() {
            meter.finish(evaluation.number, accepts).map_err(WorkError::internal)?;
        }
        let after = StateAfterWindow {
            accepts: campaign.accepts + accepts,
            submissions: campaign.submissions,
            best_ppm,
            spent: evaluation.allowance.is_none() || meter.is_spent(),
        };
        // Also the version that ends the campaign is published, so that the audit reaches the delivered model.
        let slot = if accepts == 0 { slot } else { self.publish(campaign, best, &loaded.manifest).await? };
        self.record.set_slot(slot);
        self.record.meter = Some(meter);
        self.record.evaluation = None;
        self.record.set_settlement(Settlement {
            window: evaluation.window,
            version: campaign.version(),
            window_hash: evaluation.window_hash,
            outcomes: outcomes(&evaluation.refused, &verdicts),
            next: slot.published.filter(|_| accepts > 0),
            close: close_reason(&campaign.terms, after),
            model: slot.id,
        });
        self.persist()
    }

    pub(super) async fn send_settlement(&self, campaign: &CampaignView) -> Result<(), WorkError> {
        let settlement = self.settled(campaign)?;
        let signature = self.tools.attester.settlement(campaign.id, settlement)?;
        Ok(self.tools.chain.settle(campaign, settlement, &signature).await?)
    }

    fn settled(&self, campaign: &CampaignView) -> Result<&Settlement, WorkError> {
        self.record
            .settlement(campaign.window.index, campaign.window_hash())
            .ok_or_else(|| WorkError::Internal("the window was not evaluated".into()))
    }
}

/// Whether an update of the current window was submitted before, in this window or an earlier one of the same version.
fn repeats(campaign: &CampaignView, index: usize) -> bool {
    let window = &campaign.window;
    let Some((last, before)) = window.submissions.get(..=index).and_then(<[Submission]>::split_last) else {
        return false;
    };
    let same_version = campaign.settled.iter().rev().take_while(|settled| settled.version == window.version);
    let mut earlier = same_version.flat_map(|settled| &settled.submissions);
    before.contains(last) || earlier.any(|known| known.miner == last.miner && known.content == last.content.into())
}

/// The outcomes of a window: reasons for updates rejected by protocol, verdicts in order for the others.
fn outcomes(refused: &[Option<ProtocolReject>], verdicts: &[ContentVerdict]) -> Vec<Outcome> {
    let mut verdicts = verdicts.iter();
    refused
        .iter()
        .map(|reason| match (reason, reason.is_none().then(|| verdicts.next()).flatten()) {
            (Some(reason), _) => Outcome::Rejected(reason.code()),
            (None, Some(ContentVerdict::Accepted(step))) => Outcome::Accepted(step.0),
            (None, _) => Outcome::NotImproved,
        })
        .collect()
}

/// State of a campaign after a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct StateAfterWindow {
    /// Total number of accepts.
    accepts: u32,
    /// Total number of submissions.
    submissions: u32,
    /// Best accuracy so far.
    best_ppm: Ppm,
    /// Whether the leak budget is spent.
    spent: bool,
}

/// Why the Capsule must close the campaign: its leak budget is spent, and the contract does not close it by itself.
#[must_use]
fn close_reason(terms: &CampaignTerms, after: StateAfterWindow) -> CloseReason {
    let over = after.best_ppm >= terms.target()
        || after.accepts >= u32::from(terms.maxAccepts)
        || after.submissions >= terms.maxSubmissions;
    if after.spent && !over { CloseReason::LeakBudget } else { CloseReason::None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sonar_contracts::Terms;
    use syft::GridStep;

    #[test]
    fn every_submission_gets_its_own_outcome() {
        let verdicts = [ContentVerdict::NotImproved, ContentVerdict::Accepted(GridStep(7))];
        let refused = [Some(ProtocolReject::WrongMiner), None, None, Some(ProtocolReject::Unavailable)];
        let outcomes = outcomes(&refused, &verdicts);
        use Outcome::{Accepted, NotImproved, Rejected};
        assert_eq!(outcomes, [Rejected(9), NotImproved, Accepted(7), Rejected(1)]);
    }

    #[test]
    fn the_capsule_closes_only_what_would_stay_open() {
        let terms = Terms { targetPpm: 950_000, maxAccepts: 8, maxSubmissions: 100, ..Terms::default() };
        let terms = CampaignTerms::try_from(terms).unwrap();
        let after = StateAfterWindow { accepts: 7, submissions: 99, best_ppm: Ppm::of(90, 100), spent: false };
        assert_eq!(close_reason(&terms, after), CloseReason::None);
        let spent = StateAfterWindow { spent: true, ..after };
        assert_eq!(close_reason(&terms, spent), CloseReason::LeakBudget);
        let best_ppm = terms.target();
        for over in [
            StateAfterWindow { accepts: 8, ..spent },
            StateAfterWindow { submissions: 100, ..spent },
            StateAfterWindow { best_ppm, ..spent },
        ] {
            assert_eq!(close_reason(&terms, over), CloseReason::None);
        }
    }
}
