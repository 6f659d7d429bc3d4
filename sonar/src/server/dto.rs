//! What the API says, as JSON.

use alloy::primitives::Address;
use serde::{Deserialize, Serialize};
use sonar_contracts::{Deployment, State};
use utoipa::{IntoParams, ToSchema};

use super::{App, event_id::EventId, pins::Kind, problem::Problem};
use crate::index::Stored;
use sonar_protocol::{
    ids::{CampaignId, Digest},
    manifest::Manifest,
    projection::{CampaignDetail, Label, PlaceJson},
    units::Timestamp,
    view::CampaignView,
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

    /// The first part of what is left of a list.
    ///
    /// # Errors
    /// A limit out of range.
    pub fn first(
        rest: impl Iterator<Item = T>,
        limit: Option<u32>,
        total: u64,
        cursor: impl FnOnce(&T) -> String,
    ) -> Result<Self, Problem> {
        let limit = bounded(limit)? as usize;
        let mut items: Vec<T> = rest.take(limit + 1).collect();
        let more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| more).map(cursor);
        Ok(Self { items, next, total: Some(total) })
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

/// Which part of a list.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct PageQuery {
    /// Begin after the item with this number.
    pub after: Option<String>,
    /// At most so many, 1 to 500.
    pub limit: Option<u32>,
}

/// Which campaigns of a miner.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct MinerQuery {
    /// Begin after this campaign.
    pub after: Option<String>,
    /// At most this number, 1 to 500.
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

/// One campaign.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CampaignPage {
    /// What the chain says.
    #[serde(flatten)]
    pub detail: CampaignDetail,
    /// The manifest, if it is here.
    #[schema(value_type = Option<Object>)]
    pub manifest: Option<serde_json::Value>,
}

impl CampaignPage {
    /// Everything that is said of a campaign.
    ///
    /// # Errors
    /// A manifest that JSON cannot say.
    pub fn new(view: &CampaignView, manifest: Option<&Manifest>) -> Result<Self, serde_json::Error> {
        let detail = CampaignDetail::new(view, manifest.map(Label::from));
        Ok(Self { detail, manifest: manifest.map(serde_json::to_value).transpose()? })
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
            data: stored.body.clone(),
        }
    }
}

/// A live artefact.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct Artefact {
    /// Its CID.
    #[schema(value_type = String)]
    pub cid: Digest,
    /// What it is for.
    pub kind: Kind,
    /// Whether the hub holds it.
    pub pinned: bool,
    /// Its size, if the hub holds it.
    pub bytes: Option<u64>,
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
    #[schema(value_type = u64)]
    pub send_after: Timestamp,
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
    /// Whether this server follows the chain. Otherwise it reads what another server writes to their database.
    pub follows: bool,
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
            follows: progress.follows,
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
