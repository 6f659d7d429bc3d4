//! The JSON forms of campaigns, submissions, Capsules and miners. API, command line and relay use these types, so that
//! they cannot differ. Artefacts are named by their CIDs.

use alloy::primitives::{Address, B256};
use serde::Serialize;
use sonar_contracts::{CloseReason, Ledger, Outcome, State};
use syft::Ppm;
use utoipa::ToSchema;

use crate::{
    campaign::template::TaskKind,
    event::LogPosition,
    ids::{CampaignId, Digest},
    lineage::ParentClaim,
    manifest::Manifest,
    organisation::Organisation,
    refusal::DeclineReason,
    regime::Regime,
    units::{Amount, Timestamp},
    view::{Award, CampaignView, CapsuleView, SettledWindow, StakeFate, Stakes, World},
    wire::TermsJson,
};

/// The part of a campaign's manifest that lists show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The campaign's name.
    pub name: String,
    /// Regime.
    pub regime: Regime,
    /// The organisation behind it, according to its owner.
    pub organisation: Option<Organisation>,
    /// The campaign that it starts from, according to its owner.
    pub parent: Option<ParentClaim>,
    /// Kind of prediction.
    pub task: TaskKind,
}

impl From<&Manifest> for Label {
    fn from(manifest: &Manifest) -> Self {
        Self {
            name: manifest.name.clone(),
            regime: manifest.method.regime(),
            organisation: manifest.organisation.clone(),
            parent: manifest.parent.map(|id| ParentClaim { id, verified: false }),
            task: TaskKind::from(&manifest.data.task),
        }
    }
}

/// A campaign in a list.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CampaignSummary {
    /// Its id.
    #[schema(value_type = String)]
    pub id: CampaignId,
    /// Its name, if its manifest is available.
    pub name: Option<String>,
    /// Regime, if its manifest is available: `encrypted` (Mines never see the model) or `clear` (the model is public).
    pub regime: Option<Regime>,
    /// The organisation behind it, according to its owner: nobody verifies it.
    pub organisation: Option<Organisation>,
    /// The campaign whose result it starts from, according to its owner, if its manifest names one.
    pub parent: Option<ParentClaim>,
    /// Kind of prediction, if its manifest is available.
    pub task: Option<TaskKind>,
    /// Its state.
    pub state: State,
    /// Reason for closing; null while it is open and its owner has not announced the end.
    pub reason: Option<CloseReason>,
    /// The data scientist.
    #[schema(value_type = String)]
    pub owner: Address,
    /// The Capsule's operator.
    #[schema(value_type = String)]
    pub capsule: Address,
    /// Token of the bounty; the zero address stands for ETH.
    #[schema(value_type = String)]
    pub token: Address,
    /// The bounty in the token's smallest unit.
    #[schema(value_type = String)]
    pub bounty: Amount,
    /// Amount of the bounty that miners have earned.
    #[schema(value_type = String)]
    pub awarded: Amount,
    /// The attested starting accuracy.
    #[schema(value_type = Option<u32>)]
    pub start_ppm: Option<Ppm>,
    /// The attested best accuracy; absent before activation.
    #[schema(value_type = Option<u32>)]
    pub best_ppm: Option<Ppm>,
    /// Target accuracy that pays the full bounty.
    #[schema(value_type = u32)]
    pub target_ppm: Ppm,
    /// Current version of the model; 0 before activation.
    pub version: u32,
    /// Number of submissions so far.
    pub submissions: u32,
    /// Number of accepted submissions so far.
    pub accepts: u32,
    /// Number of accounts that have submitted.
    pub miners: u32,
    /// Number of settled windows.
    pub windows: usize,
    /// Deadline: unix time after which no update can be submitted.
    #[schema(value_type = u64)]
    pub deadline: Timestamp,
    /// Unix time of its launch.
    #[schema(value_type = u64)]
    pub opened_at: Timestamp,
}

/// Details of a campaign.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CampaignDetail {
    /// The summary, as in lists.
    #[serde(flatten)]
    pub summary: CampaignSummary,
    /// Its terms, which never change.
    pub terms: TermsJson,
    /// Its ledger.
    pub ledger: LedgerJson,
    /// Stakes of submissions, in wei.
    pub stakes: Stakes,
    /// The current window.
    pub window: WindowJson,
    /// The last settled window.
    pub last_settled: Option<SettledJson>,
    /// What the Capsule published for the current version.
    #[schema(value_type = Option<String>)]
    pub material: Option<Digest>,
    /// Digest of the delivered model.
    #[schema(value_type = Option<String>)]
    pub result: Option<Digest>,
    /// Whether the Capsule's stake was freed or slashed after the delivery.
    pub stake_fate: Option<StakeFate>,
    /// Code of the Capsule's refusal.
    #[schema(value_type = Option<u8>)]
    pub declined: Option<DeclineReason>,
    /// The same as text.
    pub declined_because: Option<String>,
    /// Unix time of the last change of state: launch, activation, closing or delivery.
    #[schema(value_type = u64)]
    pub changed_at: Timestamp,
    /// Block, time and transaction of the launch.
    pub opened: PlaceJson,
}

/// The ledger of a campaign: `deposited = paid + owed + refunded + fee + escrowed`.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct LedgerJson {
    /// Bounty plus fee.
    #[schema(value_type = String)]
    pub deposited: Amount,
    /// Amount that miners have withdrawn.
    #[schema(value_type = String)]
    pub paid: Amount,
    /// Amount that miners can withdraw.
    #[schema(value_type = String)]
    pub owed: Amount,
    /// Amount credited back to the owner.
    #[schema(value_type = String)]
    pub refunded: Amount,
    /// Amount credited to the Capsule.
    #[schema(value_type = String)]
    pub fee: Amount,
    /// Amount still in escrow.
    #[schema(value_type = String)]
    pub escrowed: Amount,
}

impl From<&Ledger> for LedgerJson {
    fn from(l: &Ledger) -> Self {
        Self {
            deposited: Amount(l.deposited),
            paid: Amount(l.paid),
            owed: Amount(l.owed),
            refunded: Amount(l.refunded),
            fee: Amount(l.fee),
            escrowed: Amount(l.escrowed),
        }
    }
}

/// A campaign's current window.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct WindowJson {
    /// Its index.
    pub index: u32,
    /// The version that its submissions are for.
    pub version: u32,
    /// Number of its submissions.
    pub submissions: usize,
    /// Unix time at which it closes or has closed; absent while it is empty.
    #[schema(value_type = Option<u64>)]
    pub closes_at: Option<Timestamp>,
}

/// A settled window.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SettledJson {
    /// Its index.
    pub index: u32,
    /// The version that its submissions were for.
    pub version: u32,
    /// Number of its submissions.
    pub submissions: usize,
    /// Best accuracy after it.
    #[schema(value_type = u32)]
    pub best_ppm: Ppm,
    /// Block, time and transaction of its settlement.
    pub at: PlaceJson,
}

impl From<&SettledWindow> for SettledJson {
    fn from(settled: &SettledWindow) -> Self {
        Self {
            index: settled.index.0,
            version: settled.version.0,
            submissions: settled.submissions.len(),
            best_ppm: settled.best_ppm,
            at: PlaceJson::from(&settled.at),
        }
    }
}

/// Place of an event on the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct PlaceJson {
    /// Number of the block.
    pub block: u64,
    /// Unix time of the block.
    #[schema(value_type = u64)]
    pub time: Timestamp,
    /// Hash of the transaction.
    #[schema(value_type = String)]
    pub transaction: B256,
}

impl From<&LogPosition> for PlaceJson {
    fn from(at: &LogPosition) -> Self {
        Self { block: at.block, time: at.timestamp, transaction: at.transaction }
    }
}

/// A submission and its public verdict. Nothing else about a submission that did not improve the model is ever
/// published.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SubmissionView {
    /// Number among the campaign's submissions; the first is 1.
    pub number: u32,
    /// Index of its window.
    pub window: u32,
    /// Its place in the window.
    pub index: u32,
    /// The version that it is for.
    pub version: u32,
    /// Address of the miner.
    #[schema(value_type = String)]
    pub miner: Address,
    /// Digest of the sealed update on IPFS.
    #[schema(value_type = String)]
    pub content: Digest,
    /// Block, time and transaction of the submission.
    pub at: PlaceJson,
    /// Outcome.
    pub verdict: Verdict,
}

impl SubmissionView {
    /// All submissions to a campaign, in chain order.
    pub fn all(view: &CampaignView) -> impl Iterator<Item = Self> + '_ {
        let grid = view.terms.grid();
        let settled = view.settled.iter().flat_map(move |window| {
            window.submissions.iter().map(move |s| Self {
                number: 0,
                window: window.index.0,
                index: s.index,
                version: window.version.0,
                miner: s.miner,
                content: s.content,
                at: PlaceJson::from(&s.at),
                verdict: Verdict::of(s.outcome, s.award, grid),
            })
        });
        let window = &view.window;
        let pending = (0..).zip(window.submissions.iter().zip(&window.positions)).map(|(index, (s, at))| Self {
            number: 0,
            window: window.index.0,
            index,
            version: window.version.0,
            miner: s.miner,
            content: Digest(s.content.0),
            at: PlaceJson::from(at),
            verdict: Verdict::Pending,
        });
        (1..).zip(settled.chain(pending)).map(|(number, submission)| Self { number, ..submission })
    }
}

/// Outcome of a submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Verdict {
    /// Its window is not settled yet.
    Pending,
    /// It did not improve the model.
    NotImproved,
    /// It improved the model.
    Accepted {
        /// The new best accuracy.
        #[schema(value_type = u32)]
        best_ppm: Ppm,
        /// Improvement of the best accuracy towards the target, in parts per million.
        #[schema(value_type = u32)]
        delta_ppm: Ppm,
        /// Payout.
        #[schema(value_type = String)]
        amount: Amount,
    },
    /// It was rejected by protocol.
    Rejected {
        /// Stable code of the reason.
        reason: u8,
    },
}

impl Verdict {
    /// Converts the outcome of a settled submission.
    #[must_use]
    pub fn of(outcome: Outcome, award: Option<Award>, grid: Ppm) -> Self {
        match outcome {
            Outcome::NotImproved => Self::NotImproved,
            Outcome::Rejected(reason) => Self::Rejected { reason },
            Outcome::Accepted(step) => Self::Accepted {
                best_ppm: grid.saturating_mul(step),
                delta_ppm: award.map_or(Ppm::ZERO, |award| award.delta_ppm),
                amount: award.map_or(Amount::ZERO, |award| award.amount),
            },
        }
    }
}

/// A registered Capsule.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CapsuleSummary {
    /// Its operator.
    #[schema(value_type = String)]
    pub operator: Address,
    /// Its attestation key.
    #[schema(value_type = String)]
    pub attester: Address,
    /// Its OpenPGP fingerprint, left-aligned.
    #[schema(value_type = String)]
    pub fingerprint: B256,
    /// Its OpenPGP certificate on IPFS.
    #[schema(value_type = Option<String>)]
    pub certificate: Option<Digest>,
    /// URL that its operator published.
    pub endpoint: String,
    /// Its fee in parts per million of the bounty.
    #[schema(value_type = u32)]
    pub fee_ppm: Ppm,
    /// Its stake in wei, including the locked part.
    #[schema(value_type = String)]
    pub stake: Amount,
    /// The part of its stake that campaigns have locked, in wei.
    #[schema(value_type = String)]
    pub locked: Amount,
}

impl CapsuleSummary {
    /// The JSON form of a Capsule.
    #[must_use]
    pub fn new(operator: Address, view: &CapsuleView) -> Self {
        Self {
            operator,
            attester: view.attester,
            fingerprint: view.fingerprint,
            certificate: view.certificate,
            endpoint: view.endpoint.clone(),
            fee_ppm: view.fee_ppm,
            stake: view.stake,
            locked: view.locked,
        }
    }
}

/// Submissions and earnings of a miner.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Miner {
    /// The account.
    #[schema(value_type = String)]
    pub address: Address,
    /// By campaign, newest first.
    pub campaigns: Vec<MinerCampaign>,
    /// Pass this as `after` to get older campaigns; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub next: Option<CampaignId>,
}

/// Submissions and earnings of a miner in one campaign.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct MinerCampaign {
    /// The campaign.
    #[schema(value_type = String)]
    pub campaign: CampaignId,
    /// Token of its bounty.
    #[schema(value_type = String)]
    pub token: Address,
    /// Number of submissions.
    pub submitted: u32,
    /// Number of accepted submissions.
    pub accepted: u32,
    /// Improvement of the best accuracy towards the target, in parts per million.
    #[schema(value_type = u32)]
    pub delta_ppm: Ppm,
    /// Earnings.
    #[schema(value_type = String)]
    pub earned: Amount,
    /// Amount that the account can withdraw.
    #[schema(value_type = String)]
    pub owed: Amount,
    /// Amount that the account has withdrawn.
    #[schema(value_type = String)]
    pub withdrawn: Amount,
    /// Its stakes, in wei.
    pub stakes: Stakes,
}

impl CampaignSummary {
    /// The summary of a campaign.
    #[must_use]
    pub fn new(view: &CampaignView, label: Option<Label>) -> Self {
        let (regime, task) = label.as_ref().map(|label| (label.regime, label.task)).unzip();
        let (name, organisation, parent) =
            label.map(|label| (Some(label.name), label.organisation, label.parent)).unwrap_or_default();
        Self {
            id: view.id,
            name,
            regime,
            organisation,
            parent,
            task,
            state: view.state,
            reason: (view.reason != CloseReason::None).then_some(view.reason),
            owner: view.terms.owner,
            capsule: view.terms.capsule,
            token: view.terms.token,
            bounty: view.terms.bounty.into(),
            awarded: view.awarded,
            start_ppm: view.start_ppm,
            best_ppm: view.start_ppm.map(|_| view.best_ppm),
            target_ppm: view.terms.target(),
            version: view.version().0,
            submissions: view.submissions,
            accepts: view.accepts,
            miners: view.miners,
            windows: view.settled.len(),
            deadline: view.terms.deadline(),
            opened_at: view.opened.timestamp,
        }
    }

    /// Compares the parent that the owner names with the chain.
    pub fn verify_parent(&mut self, world: &World) {
        if let (Some(claim), Some(view)) = (&mut self.parent, world.campaign(self.id)) {
            *claim = ParentClaim::new(claim.id, view, world);
        }
    }
}

impl CampaignDetail {
    /// The details of a campaign, in a size that does not grow with its history.
    #[must_use]
    pub fn new(view: &CampaignView, label: Option<Label>) -> Self {
        let window = &view.window;
        Self {
            summary: CampaignSummary::new(view, label),
            terms: TermsJson::from(&view.terms),
            ledger: LedgerJson::from(&view.ledger()),
            stakes: view.all_stakes(),
            window: WindowJson {
                index: window.index.0,
                version: window.version.0,
                submissions: window.submissions.len(),
                closes_at: (!window.submissions.is_empty()).then_some(window.closes_at),
            },
            last_settled: view.settled.last().map(SettledJson::from),
            material: view.material(),
            result: view.result,
            stake_fate: view.stake_fate,
            declined: view.declined,
            declined_because: view.declined.map(|reason| reason.to_string()),
            changed_at: view.changed_at,
            opened: PlaceJson::from(&view.opened),
        }
    }
}

impl MinerCampaign {
    /// Submissions and earnings of an account in a campaign; `None` if it has not submitted.
    #[must_use]
    pub fn new(view: &CampaignView, address: Address) -> Option<Self> {
        let account = view.accounts.get(&address).filter(|account| account.submitted > 0)?;
        Some(Self {
            campaign: view.id,
            token: view.terms.token,
            submitted: account.submitted,
            accepted: account.accepted,
            delta_ppm: account.delta_ppm,
            earned: account.earned,
            owed: account.owed(),
            withdrawn: account.withdrawn,
            stakes: view.stakes(address),
        })
    }
}
