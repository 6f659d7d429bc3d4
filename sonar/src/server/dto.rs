//! What the API says, as JSON.

use std::collections::BTreeSet;

use alloy::primitives::{Address, B256, Bytes};
use serde::{Deserialize, Serialize};
use sonar_contracts::{CloseReason, Deployment, Ledger, Outcome, State};
use utoipa::{IntoParams, ToSchema};

use super::{App, event_id::EventId, pins::Kind, problem::Problem};
use crate::index::Stored;
use sonar_protocol::{
    event::LogPosition,
    handover::Published,
    ids::{CampaignId, Digest},
    manifest::Manifest,
    method::Regime,
    refusal::Refusal,
    units::Amount,
    view::{CampaignView, CapsuleView, StakeFate, Stakes},
    wire::TermsJson,
};

const DEFAULT_LIMIT: u32 = 50;
const MAX_LIMIT: u32 = 500;
/// Who asks whether the server is ready wants to know soon.
const CHAIN_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(2);

/// What this server is about.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Info {
    /// The chain.
    pub chain_id: u64,
    /// The contracts on it.
    pub contracts: Contracts,
    /// Addresses of the IPFS hub that everybody dials.
    pub ipfs: Vec<String>,
    /// Sonar's version.
    pub version: String,
    /// The newest indexed block; 0 before the first.
    pub block: u64,
    /// The newest block of the chain, as far as this server has seen it.
    pub head: u64,
    /// How many campaigns there are.
    pub campaigns: usize,
    /// Whether this server relays settlements.
    pub relay: bool,
    /// Seconds since the server started.
    pub uptime_seconds: u64,
}

/// Where the contracts are.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct Contracts {
    /// The chain they are on.
    pub chain_id: u64,
    /// Sonar.
    #[schema(value_type = String)]
    pub campaigns: Address,
    /// The registry of Capsules.
    #[schema(value_type = String)]
    pub registry: Address,
    /// DataCoin.
    #[schema(value_type = String)]
    pub datacoin: Address,
    /// No event is older than this block.
    pub block: u64,
}

impl From<&Deployment> for Contracts {
    fn from(d: &Deployment) -> Self {
        Self {
            chain_id: d.chain_id,
            campaigns: d.campaigns,
            registry: d.registry,
            datacoin: d.datacoin,
            block: d.block,
        }
    }
}

/// A part of a list.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Page<T> {
    /// The part.
    pub items: Vec<T>,
    /// Give this as `after` to get the next part; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// Length of the whole list; absent for events, whose number would have to be counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
}

impl<T> Page<T> {
    /// The same part of the list, with each item turned into what is shown of it.
    pub fn map<U>(self, show: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(show).collect(), next: self.next, total: self.total }
    }

    /// Cuts the part out of a whole list that begins where `begin` says.
    ///
    /// # Errors
    /// A limit out of range, or what `begin` says.
    pub fn cut(
        mut all: Vec<T>,
        limit: Option<u32>,
        begin: impl FnOnce(&[T]) -> Result<usize, Problem>,
        cursor: impl FnOnce(&T) -> String,
    ) -> Result<Self, Problem> {
        let limit = bounded(limit)? as usize;
        let total = Some(all.len() as u64);
        let begin = begin(&all)?.min(all.len());
        let mut items = all.split_off(begin);
        let more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| more).map(cursor);
        Ok(Self { items, next, total })
    }
}

/// The limit of a page, within its range.
///
/// # Errors
/// Out of range.
pub fn bounded(limit: Option<u32>) -> Result<u32, Problem> {
    match limit.unwrap_or(DEFAULT_LIMIT) {
        limit @ 1..=MAX_LIMIT => Ok(limit),
        other => Err(Problem::usage(format!("limit is {other}; it must be 1 to {MAX_LIMIT}"))),
    }
}

/// Which campaigns.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct CampaignQuery {
    /// Only campaigns in this state.
    #[param(value_type = Option<String>, example = "open")]
    pub state: Option<State>,
    /// Only campaigns of this data scientist.
    pub owner: Option<String>,
    /// Only campaigns of this Capsule.
    pub capsule: Option<String>,
    /// Only campaigns with bounties in this token (the zero address stands for ETH).
    pub token: Option<String>,
    /// Begin after this campaign.
    pub after: Option<String>,
    /// At most so many, 1 to 500.
    pub limit: Option<u32>,
}

/// Which submissions.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct SubmissionQuery {
    /// Only those of this miner.
    pub miner: Option<String>,
    /// Begin after the submission with this number.
    pub after: Option<String>,
    /// At most so many, 1 to 500.
    pub limit: Option<u32>,
}

/// Which events of a campaign.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct EventQuery {
    /// Only events with this name.
    #[param(example = "submitted")]
    pub kind: Option<String>,
    /// Only events about this account.
    pub account: Option<String>,
    /// Begin after the event with this id.
    pub after: Option<String>,
    /// At most so many, 1 to 500.
    pub limit: Option<u32>,
}

/// Which events of the stream.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct StreamQuery {
    /// Only events of this campaign.
    pub campaign: Option<String>,
    /// Only events with this name.
    #[param(example = "settled")]
    pub kind: Option<String>,
    /// Only events about this account.
    pub account: Option<String>,
    /// Begin after the event with this id; `0-0` is before all.
    pub after: Option<String>,
}

/// A campaign in a list.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CampaignSummary {
    /// Its id.
    #[schema(value_type = String)]
    pub id: CampaignId,
    /// Its name, if its manifest is here.
    pub name: Option<String>,
    /// Who may see the model, if its manifest is here: `encrypted`, no Mine; `clear`, every Mine and whoever fetches it.
    #[schema(value_type = Option<String>)]
    pub regime: Option<Regime>,
    /// Where it stands.
    #[schema(value_type = String)]
    pub state: State,
    /// Why it closed.
    #[schema(value_type = Option<String>)]
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
    /// What miners have earned of it.
    #[schema(value_type = String)]
    pub awarded: Amount,
    /// The attested starting accuracy.
    pub start_ppm: Option<u32>,
    /// The attested best accuracy; absent before activation.
    pub best_ppm: Option<u32>,
    /// The accuracy that earns the whole bounty.
    pub target_ppm: u32,
    /// Present version of the model; 0 before activation.
    pub version: u32,
    /// Submissions so far.
    pub submissions: u32,
    /// Accepted submissions so far.
    pub accepts: u32,
    /// Accounts that have submitted.
    pub miners: usize,
    /// Unix time after which nothing is submitted.
    pub deadline: u64,
    /// Unix time at which it was opened.
    pub opened_at: u64,
}

/// One campaign.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CampaignDetail {
    /// As in the list.
    #[serde(flatten)]
    pub summary: CampaignSummary,
    /// Its facts that never change.
    pub terms: TermsJson,
    /// Where its money is.
    pub ledger: LedgerJson,
    /// Stakes of submissions, in wei.
    pub stakes: Stakes,
    /// The present window.
    pub window: WindowJson,
    /// Windows that were settled.
    pub settled: Vec<SettledJson>,
    /// What the Capsule published for the present version.
    #[schema(value_type = Option<String>)]
    pub material: Option<Digest>,
    /// The delivered model.
    #[schema(value_type = Option<String>)]
    pub result: Option<Digest>,
    /// What became of the Capsule's stake after the delivery.
    pub stake_fate: Option<StakeFate>,
    /// Why the Capsule declined.
    pub declined: Option<u8>,
    /// The same in words.
    pub declined_because: Option<String>,
    /// Unix time of opening, activation, closing or delivery, whichever was last.
    pub changed_at: u64,
    /// Where it was opened.
    pub opened: PlaceJson,
    /// The manifest, if it is here.
    #[schema(value_type = Option<Object>)]
    pub manifest: Option<serde_json::Value>,
}

/// Where a campaign's money is: `deposited = paid + owed + refunded + fee + escrowed`.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct LedgerJson {
    /// Bounty and fee.
    #[schema(value_type = String)]
    pub deposited: Amount,
    /// What miners have withdrawn.
    #[schema(value_type = String)]
    pub paid: Amount,
    /// What miners can withdraw.
    #[schema(value_type = String)]
    pub owed: Amount,
    /// What was credited back to the owner.
    #[schema(value_type = String)]
    pub refunded: Amount,
    /// What was credited to the Capsule.
    #[schema(value_type = String)]
    pub fee: Amount,
    /// What is not yet anybody's.
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

/// A campaign's present window.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct WindowJson {
    /// Its index.
    pub index: u32,
    /// The version that its submissions are for.
    pub version: u32,
    /// Its submissions.
    pub submissions: usize,
    /// Unix time at which it closes or closed; absent while it is empty.
    pub closes_at: Option<u64>,
}

/// A window that was settled.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SettledJson {
    /// Its index.
    pub index: u32,
    /// The version that its submissions were for.
    pub version: u32,
    /// Its submissions.
    pub submissions: usize,
    /// The best accuracy after it.
    pub best_ppm: u32,
    /// Where it was settled.
    pub at: PlaceJson,
}

/// Where on the chain something happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct PlaceJson {
    /// The block.
    pub block: u64,
    /// Its unix time.
    pub time: u64,
    /// The transaction.
    #[schema(value_type = String)]
    pub transaction: B256,
}

impl From<&LogPosition> for PlaceJson {
    fn from(at: &LogPosition) -> Self {
        Self { block: at.block, time: at.timestamp, transaction: at.transaction }
    }
}

/// A submission and its public verdict. Nothing else is ever said about one that did not improve the model.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SubmissionView {
    /// Place among the campaign's submissions; the first is 1.
    pub number: u32,
    /// Its window.
    pub window: u32,
    /// Its place in the window.
    pub index: u32,
    /// The version it is for.
    pub version: u32,
    /// Who sent it.
    #[schema(value_type = String)]
    pub miner: Address,
    /// The sealed update on IPFS.
    #[schema(value_type = String)]
    pub content: Digest,
    /// Where it was submitted.
    pub at: PlaceJson,
    /// What became of it.
    pub verdict: Verdict,
}

/// What became of a submission.
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
        best_ppm: u32,
        /// How far it moved the best accuracy towards the target.
        delta_ppm: u32,
        /// What it earned.
        #[schema(value_type = String)]
        amount: Amount,
    },
    /// It broke the protocol.
    Rejected {
        /// Stable code of the rule that it broke.
        reason: u8,
    },
}

impl Verdict {
    /// The verdict of a settled submission.
    #[must_use]
    pub fn of(outcome: Outcome, award: Option<sonar_protocol::view::Award>, grid_ppm: u32) -> Self {
        match outcome {
            Outcome::NotImproved => Self::NotImproved,
            Outcome::Rejected(reason) => Self::Rejected { reason },
            Outcome::Accepted(step) => Self::Accepted {
                best_ppm: u32::from(step).saturating_mul(grid_ppm),
                delta_ppm: award.map_or(0, |award| award.delta_ppm),
                amount: award.map_or(Amount::ZERO, |award| award.amount),
            },
        }
    }
}

/// One event of the contracts.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct EventView {
    /// Its id: give it as `after` or `Last-Event-ID`.
    pub id: String,
    /// Its name.
    pub kind: String,
    /// The campaign it is about.
    #[schema(value_type = Option<String>)]
    pub campaign: Option<CampaignId>,
    /// Where it happened.
    pub at: PlaceJson,
    /// Its fields, as in the contracts' ABI but in snake case.
    #[schema(value_type = Object)]
    pub data: serde_json::Value,
}

impl From<&Stored> for EventView {
    fn from(stored: &Stored) -> Self {
        Self {
            id: EventId::of(stored),
            kind: stored.kind.clone(),
            campaign: stored.campaign.map(CampaignId),
            at: PlaceJson { block: stored.position.block, time: stored.time, transaction: stored.tx },
            // Written by this program, so it is JSON.
            data: serde_json::from_str(&stored.body).unwrap_or_default(),
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
    /// Where it answers.
    pub endpoint: String,
    /// Its fee in parts per million of the bounty.
    pub fee_ppm: u32,
    /// Its stake in wei, the locked part included.
    #[schema(value_type = String)]
    pub stake: Amount,
    /// The part of its stake that campaigns hold.
    #[schema(value_type = String)]
    pub locked: Amount,
}

impl CapsuleSummary {
    /// What is said of a Capsule.
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

/// What an account did and earned as a miner.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Miner {
    /// The account.
    #[schema(value_type = String)]
    pub address: Address,
    /// Per campaign, oldest first.
    pub campaigns: Vec<MinerCampaign>,
}

/// What an account did and earned in one campaign.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct MinerCampaign {
    /// The campaign.
    #[schema(value_type = String)]
    pub campaign: CampaignId,
    /// Token of its bounty.
    #[schema(value_type = String)]
    pub token: Address,
    /// Submissions.
    pub submitted: u32,
    /// Of these, accepted.
    pub accepted: u32,
    /// How far they moved the best accuracy towards the target.
    pub delta_ppm: u32,
    /// What they earned.
    #[schema(value_type = String)]
    pub earned: Amount,
    /// What the account can withdraw.
    #[schema(value_type = String)]
    pub owed: Amount,
    /// What it has withdrawn.
    #[schema(value_type = String)]
    pub withdrawn: Amount,
    /// Its stakes, in wei.
    pub stakes: Stakes,
}

/// A live artefact.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct Artefact {
    /// Its digest.
    #[schema(value_type = String)]
    pub digest: Digest,
    /// What it is for.
    pub kind: Kind,
    /// Whether the hub holds it.
    pub pinned: bool,
    /// Its size, if the hub holds it.
    pub bytes: Option<u64>,
}

/// A Capsule's signed settlement of a window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SettlementRequest {
    /// The campaign's terms.
    pub terms: TermsJson,
    /// The window's submissions in chain order.
    pub submissions: Vec<SubmissionJson>,
    /// Codes of what became of them, as on chain.
    pub outcomes: Vec<u16>,
    /// What was published for the next version, if there is one.
    #[schema(value_type = Option<Object>)]
    pub next: Option<Published>,
    /// 0, or the reason to close.
    #[serde(default)]
    pub close: u8,
    /// The attester's EIP-712 signature.
    #[schema(value_type = String)]
    pub signature: Bytes,
}

/// A submission as the contract takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SubmissionJson {
    /// Who sent it.
    #[schema(value_type = String)]
    pub miner: Address,
    /// The sealed update on IPFS.
    #[schema(value_type = String)]
    pub content: Digest,
}

/// A settlement that Sonar keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RelayReceipt {
    /// The campaign.
    #[schema(value_type = String)]
    pub campaign: CampaignId,
    /// The window.
    pub window: u32,
    /// Unix time after which Sonar sends it, unless the chain has settled the window.
    pub send_after: u64,
}

/// Whether everything that is needed answers.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Ready {
    /// Whether all of them do, and the index has caught up.
    pub ready: bool,
    /// Why not; empty if ready.
    pub reasons: Vec<String>,
    /// The chain.
    pub chain: Dependency,
    /// The index.
    pub index: IndexHealth,
    /// The IPFS node.
    pub ipfs: IpfsHealth,
    /// The relay's account.
    pub relay: bool,
}

/// Something that is needed.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Dependency {
    /// Whether it answers.
    pub ok: bool,
    /// What it says, or why it does not answer.
    pub detail: String,
}

/// How far the index is.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct IndexHealth {
    /// Whether the database answers and the index has caught up.
    pub ok: bool,
    /// The newest indexed block.
    pub block: Option<u64>,
    /// Blocks that are not indexed yet.
    pub lag: Option<u64>,
}

/// What the hub holds.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct IpfsHealth {
    /// Whether the node works.
    pub ok: bool,
    /// Live artefacts that are here.
    pub pinned: usize,
    /// Their size.
    pub bytes: u64,
    /// Live artefacts that are not here yet.
    pub missing: usize,
}

impl Ready {
    /// Looks at everything.
    pub(super) async fn look(app: &App) -> Self {
        // A chain that was replaced answers too.
        let look = async { tokio::try_join!(app.chain.head(), app.chain.check_deployment()) };
        let chain = match tokio::time::timeout(CHAIN_TIMEOUT, look).await {
            Ok(Ok((head, ()))) => Dependency { ok: true, detail: format!("block {}", head.number) },
            Ok(Err(error)) => Dependency { ok: false, detail: error.to_string() },
            Err(_) => Dependency { ok: false, detail: format!("the chain did not answer within {CHAIN_TIMEOUT:?}") },
        };
        let progress = *app.index.progress().borrow();
        let block = progress.indexed.map(|block| block.number);
        let index = IndexHealth {
            ok: progress.caught_up() && app.index.store().alive().await,
            block,
            lag: progress.wanted.map(|wanted| wanted.saturating_sub(block.unwrap_or(0))),
        };
        let (pinned, bytes, missing) = app.shelf.totals();
        let health = app.node.health().await;
        let ipfs = IpfsHealth { ok: health.is_ok(), pinned, bytes, missing };
        let reasons = [
            app.fault.borrow().clone(),
            (!chain.ok).then(|| chain.detail.clone()),
            (!index.ok).then(|| "the index has not caught up with the chain, or its database does not answer".into()),
            health.err().map(|error| error.to_string()),
        ];
        let reasons: Vec<String> = reasons.into_iter().flatten().collect();
        Self { ready: reasons.is_empty(), reasons, chain, index, ipfs, relay: app.relay.is_some() }
    }
}

/// Number of accounts that have submitted to a campaign.
fn miners(view: &CampaignView) -> usize {
    let settled = view.settled.iter().flat_map(|window| window.submissions.iter().map(|s| s.miner));
    settled.chain(view.window.submissions.iter().map(|s| s.miner)).collect::<BTreeSet<_>>().len()
}

impl CampaignSummary {
    /// What a list says of a campaign.
    #[must_use]
    pub fn new(view: &CampaignView, manifest: Option<&Manifest>) -> Self {
        let earned = view.accounts.values().fold(Amount::ZERO, |sum, account| sum.saturating_add(account.earned));
        Self {
            id: view.id,
            name: manifest.map(|manifest| manifest.name.clone()),
            regime: manifest.map(|manifest| manifest.method.regime()),
            state: view.state,
            reason: (view.reason != CloseReason::None).then_some(view.reason),
            owner: view.terms.owner,
            capsule: view.terms.capsule,
            token: view.terms.token,
            bounty: Amount(alloy::primitives::U256::from(view.terms.bounty)),
            awarded: earned,
            start_ppm: view.start_ppm,
            best_ppm: view.start_ppm.map(|_| view.best_ppm),
            target_ppm: view.terms.targetPpm,
            version: view.version().0,
            submissions: view.submissions,
            accepts: view.accepts,
            miners: miners(view),
            deadline: view.terms.deadline,
            opened_at: view.opened.timestamp,
        }
    }
}

impl CampaignDetail {
    /// Everything that is said of a campaign.
    #[must_use]
    pub fn new(view: &CampaignView, manifest: Option<&Manifest>) -> Self {
        let window = &view.window;
        Self {
            summary: CampaignSummary::new(view, manifest),
            terms: TermsJson::from(&view.terms),
            ledger: LedgerJson::from(&view.ledger()),
            stakes: view.all_stakes(),
            window: WindowJson {
                index: window.index.0,
                version: window.version.0,
                submissions: window.submissions.len(),
                closes_at: (!window.submissions.is_empty()).then_some(window.closes_at),
            },
            settled: view
                .settled
                .iter()
                .map(|settled| SettledJson {
                    index: settled.index.0,
                    version: settled.version.0,
                    submissions: settled.submissions.len(),
                    best_ppm: settled.best_ppm,
                    at: PlaceJson::from(&settled.at),
                })
                .collect(),
            material: view.material(),
            result: view.result,
            stake_fate: view.stake_fate,
            declined: view.declined,
            declined_because: view.declined.map(Refusal::words),
            changed_at: view.changed_at,
            opened: PlaceJson::from(&view.opened),
            manifest: manifest.and_then(|manifest| serde_json::to_value(manifest).ok()),
        }
    }
}
