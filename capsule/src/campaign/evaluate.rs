//! What a closed window leads to: opens its updates, tries those of the right form, writes the settlement down, and sends it.

use std::{sync::Arc, time::Duration};

use futures::future::try_join_all;
use sonar_contracts::{CloseReason, Outcome, Submission};
use sonar_node::ipfs::IpfsError;
use sonar_protocol::{
    envelope::{self, Header, ProtocolReject},
    families::{Evaluated, Window},
    terms::CampaignTerms,
    view::CampaignView,
};
use syft::{ContentVerdict, Ppm, budget::BudgetError};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use super::{
    examine,
    record::{Evaluation, Settlement, Slot},
    worker::{Loaded, ModelFile, WorkError, Worker, compute},
};
use crate::ports::{Artefacts, Chain, Store};

/// Accepts of one window, at most.
const MOST_ACCEPTS: u32 = 4;
/// Updates that are opened at the same time: each takes some times its size, and a network's may be large.
const OPENED_AT_ONCE: usize = 2;

/// An update of the right form, as short as it was sent: what it stands for may be as large as the model.
type Payload = Zeroizing<Vec<u8>>;
/// A window's updates: opened and of the right form, or refused by protocol.
type Opened = Vec<Result<Payload, ProtocolReject>>;

impl<S: Store, A: Artefacts, C: Chain> Worker<S, A, C> {
    /// Evaluates a closed window: protocol first, without any secret key of the version; then, once the leak meter has been
    /// written down, content.
    pub(super) async fn evaluate(&mut self, campaign: &CampaignView) -> Result<(), WorkError> {
        // A node may show a window before its last submission.
        if self.tools.chain.window_hash(campaign.id).await? != campaign.window_hash() {
            return Err(WorkError::Ahead("the window"));
        }
        let loaded = self.load(campaign).await?;
        let slot = *self.record.current(campaign).ok_or_else(|| WorkError::Lost("slot of this version".into()))?;
        let opened = self.open(campaign, &loaded, &slot).await?;
        let evaluation = self.begin(campaign, &opened)?;
        let best = self.model(slot.id)?;
        let tried = match evaluation.allowance {
            Some(allowance) => {
                let left = u32::from(campaign.terms.maxAccepts).saturating_sub(campaign.accepts);
                let most = allowance.min(left).min(MOST_ACCEPTS);
                self.try_updates(campaign, loaded.clone(), &slot, best, opened, most).await?
            }
            // The budget is spent: nothing is decrypted.
            None => {
                let verdicts = vec![ContentVerdict::NotImproved; opened.len()];
                Evaluated { verdicts, best, best_ppm: campaign.best_ppm }
            }
        };
        self.conclude(campaign, &loaded, slot, &evaluation, tried).await
    }

    /// Fetches and opens the window's updates. Those that were refused before stay refused.
    async fn open(&self, campaign: &CampaignView, loaded: &Arc<Loaded>, slot: &Slot) -> Result<Opened, WorkError> {
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
            refused: opened.iter().map(|update| update.as_ref().err().copied()).collect(),
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
    ) -> Result<Evaluated, WorkError> {
        let start =
            campaign.start_ppm.ok_or_else(|| WorkError::internal("an active campaign has no start accuracy"))?;
        let ladder = examine::ladder(&loaded.manifest, start)?;
        let best_ppm = campaign.best_ppm;
        let (seed, binding, material) = (self.seed(slot.id)?, self.binding(campaign, *slot), slot.material_hash.0);
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
            loaded.manifest.method.evaluate(&window).map_err(WorkError::internal)
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
        Evaluated { verdicts, best, best_ppm }: Evaluated,
    ) -> Result<(), WorkError> {
        let accepted = |verdict: &&ContentVerdict| **verdict != ContentVerdict::NotImproved;
        let accepts = u32::try_from(verdicts.iter().filter(accepted).count()).unwrap_or(u32::MAX);
        let mut meter = self.record.meter.clone().ok_or_else(|| WorkError::Lost("leak meter".into()))?;
        if evaluation.allowance.is_some() {
            meter.finish(evaluation.number, accepts).map_err(WorkError::internal)?;
        }
        let continuation = continuation(
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
            outcomes: outcomes(&evaluation.refused, &verdicts),
            next: slot.published.filter(|_| accepts > 0),
            close: continuation.reason(),
            model: slot.id,
        });
        self.persist()
    }

    /// The block hash has changed that the next version's keys must be bound to: the same model, new keys. Both are kept
    /// until the chain has one of them.
    pub(super) async fn renew(&mut self, campaign: &CampaignView) -> Result<(), WorkError> {
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

    pub(super) async fn send_settlement(&self, campaign: &CampaignView) -> Result<(), WorkError> {
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

/// The outcomes of a window: reasons of those refused by protocol, verdicts in order for the others.
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

/// Where a campaign stands after a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct After {
    /// Accepts in all.
    accepts: u32,
    /// Submissions in all.
    submissions: u32,
    /// The best accuracy.
    best_ppm: Ppm,
    /// Whether the leak meter allows nothing more.
    spent: bool,
}

/// What follows a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Continuation {
    /// The campaign goes on.
    Open,
    /// The contract closes it by itself.
    Over,
    /// The Capsule closes it.
    Close(CloseReason),
}

impl Continuation {
    /// What the settlement asks for.
    #[must_use]
    fn reason(self) -> CloseReason {
        match self {
            Self::Close(reason) => reason,
            Self::Open | Self::Over => CloseReason::None,
        }
    }
}

/// Decides as the contract will.
#[must_use]
fn continuation(terms: &CampaignTerms, after: After) -> Continuation {
    let over = after.best_ppm >= terms.target()
        || after.accepts >= u32::from(terms.maxAccepts)
        || after.submissions >= terms.maxSubmissions;
    match (over, after.spent) {
        (true, _) => Continuation::Over,
        (false, true) => Continuation::Close(CloseReason::LeakBudget),
        (false, false) => Continuation::Open,
    }
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
        let after = After { accepts: 7, submissions: 99, best_ppm: Ppm::of(90, 100), spent: false };
        assert_eq!(continuation(&terms, after), Continuation::Open);
        let spent = After { spent: true, ..after };
        assert_eq!(continuation(&terms, spent), Continuation::Close(CloseReason::LeakBudget));
        let best_ppm = terms.target();
        for over in [After { accepts: 8, ..spent }, After { submissions: 100, ..spent }, After { best_ppm, ..spent }] {
            assert_eq!(continuation(&terms, over), Continuation::Over);
        }
    }
}
