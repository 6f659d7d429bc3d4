//! The JSON bodies and query parameters of the API.

use alloy::primitives::Address;
use serde::{Deserialize, Serialize};
use sonar_contracts::{Deployment, State};
use utoipa::{IntoParams, ToSchema};

use super::{App, event_id::EventId, pins::Kind, problem::Problem, search::CampaignSort};
use crate::index::{Body, StoredEvent};
use sonar_protocol::{
    campaign::template::TaskKind,
    ids::{CampaignId, Digest},
    manifest::Manifest,
    projection::{CampaignDetail, Label, PlaceJson},
    regime::Regime,
    units::Timestamp,
    view::CampaignView,
};

const DEFAULT_LIMIT: u32 = 50;
const MAX_LIMIT: u32 = 500;
/// Time limit of the readiness check, because callers expect a quick answer.
const CHAIN_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(2);

/// Chain, contracts, IPFS hub and state of this server.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Info {
    /// The chain.
    pub chain_id: u64,
    /// The contracts on it.
    pub contracts: Contracts,
    /// Addresses of the IPFS hub.
    pub ipfs: Vec<String>,
    /// Version of the program.
    pub version: String,
    /// Number of the newest indexed block; 0 before the first.
    pub block: u64,
    /// Number of the newest block of the chain that this server has seen.
    pub head: u64,
    /// Number of campaigns.
    pub campaigns: usize,
    /// Whether this server relays settlements.
    pub relay: bool,
    /// Seconds since the server started.
    pub uptime_seconds: u64,
}

/// Addresses of the contracts.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct Contracts {
    /// Chain id.
    pub chain_id: u64,
    /// Address of the contract Campaigns.
    #[schema(value_type = String)]
    pub campaigns: Address,
    /// Address of CapsuleRegistry.
    #[schema(value_type = String)]
    pub registry: Address,
    /// Address of DataCoin.
    #[schema(value_type = String)]
    pub datacoin: Address,
    /// Block of the deployment; no event is older.
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

/// A page of a list.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Page<T> {
    /// Items of the page.
    pub items: Vec<T>,
    /// Pass this as `after` to get the next page; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// Length of the whole list; absent for events, which are not counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
}

impl<T> Page<T> {
    /// The same page, with each item converted by `show`.
    pub fn map<U>(self, show: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(show).collect(), next: self.next, total: self.total }
    }

    /// The first page of the rest of a list.
    ///
    /// # Errors
    /// The limit is out of range.
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
/// The limit is out of range.
pub fn bounded(limit: Option<u32>) -> Result<u32, Problem> {
    match limit.unwrap_or(DEFAULT_LIMIT) {
        limit @ 1..=MAX_LIMIT => Ok(limit),
        other => Err(Problem::usage(format!("limit is {other}; it must be 1 to {MAX_LIMIT}"))),
    }
}

/// Query of the list of campaigns.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct CampaignQuery {
    /// Only campaigns whose name, id, or address of owner or Capsule contains this text.
    pub q: Option<String>,
    /// Only campaigns in this state.
    #[param(example = "open")]
    pub state: Option<State>,
    /// Only campaigns of this regime.
    pub regime: Option<Regime>,
    /// Only campaigns with this kind of prediction.
    pub task: Option<TaskKind>,
    /// Order of the list (default: newest first).
    #[param(inline)]
    pub sort: Option<CampaignSort>,
    /// Only campaigns of this data scientist.
    pub owner: Option<String>,
    /// Only campaigns of this Capsule.
    pub capsule: Option<String>,
    /// Only campaigns with bounties in this token (zero address: ETH).
    pub token: Option<String>,
    /// Start after this campaign.
    pub after: Option<String>,
    /// Maximum number of items, 1 to 500.
    pub limit: Option<u32>,
}

/// Query of a page of a list.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct PageQuery {
    /// Start after this item: `next` of the previous page.
    pub after: Option<String>,
    /// Maximum number of items, 1 to 500.
    pub limit: Option<u32>,
}

/// Query of a campaign's submissions.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct SubmissionQuery {
    /// Only submissions of this miner.
    pub miner: Option<String>,
    /// Start after the submission with this number.
    pub after: Option<String>,
    /// Maximum number of items, 1 to 500.
    pub limit: Option<u32>,
}

/// Query of a campaign's events.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct EventQuery {
    /// Only events with this name.
    #[param(example = "submitted")]
    pub kind: Option<String>,
    /// Only events that concern this account.
    pub account: Option<String>,
    /// Start after the event with this id.
    pub after: Option<String>,
    /// Maximum number of items, 1 to 500.
    pub limit: Option<u32>,
}

/// Query of the event stream.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct StreamQuery {
    /// Only events of this campaign.
    pub campaign: Option<String>,
    /// Only events with this name.
    #[param(example = "settled")]
    pub kind: Option<String>,
    /// Only events that concern this account.
    pub account: Option<String>,
    /// Start after the event with this id; `0-0` is before all events.
    pub after: Option<String>,
}

/// One campaign.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CampaignPage {
    /// State on the chain.
    #[serde(flatten)]
    pub detail: CampaignDetail,
    /// The manifest, if the hub has it.
    #[schema(value_type = Option<Object>)]
    pub manifest: Option<serde_json::Value>,
}

impl CampaignPage {
    /// Builds the response from campaign and manifest.
    ///
    /// # Errors
    /// The manifest cannot be expressed in JSON.
    pub fn new(view: &CampaignView, manifest: Option<&Manifest>) -> Result<Self, serde_json::Error> {
        let detail = CampaignDetail::new(view, manifest.map(Label::from));
        Ok(Self { detail, manifest: manifest.map(serde_json::to_value).transpose()? })
    }
}

/// One event of the contracts.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct EventView {
    /// Its id, to be passed as `after` or `Last-Event-ID`.
    pub id: String,
    /// Its name.
    pub kind: String,
    /// The campaign that it concerns.
    #[schema(value_type = Option<String>)]
    pub campaign: Option<CampaignId>,
    /// Block, time and transaction.
    pub at: PlaceJson,
    /// Its fields, as in the contracts' ABI but in snake case.
    #[schema(value_type = Object)]
    pub data: Body,
}

impl From<&StoredEvent> for EventView {
    fn from(stored: &StoredEvent) -> Self {
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
    /// Kind of artefact.
    pub kind: Kind,
    /// Whether the hub has it.
    pub pinned: bool,
    /// Its size in bytes, if the hub has it.
    pub bytes: Option<u64>,
}

/// A pending settlement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RelayReceipt {
    /// The campaign.
    #[schema(value_type = String)]
    pub campaign: CampaignId,
    /// The window.
    pub window: u32,
    /// Unix time after which Sonar sends it, unless the window is settled by then.
    #[schema(value_type = u64)]
    pub send_after: Timestamp,
}

/// State of the server and of the services that it needs.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Readiness {
    /// Whether all services answer, and the index has caught up.
    pub ready: bool,
    /// Reasons; empty if ready.
    pub reasons: Vec<String>,
    /// The chain.
    pub chain: Dependency,
    /// The index.
    pub index: IndexHealth,
    /// The IPFS node.
    pub ipfs: IpfsHealth,
    /// The relay and its account.
    pub relay: bool,
}

/// State of a service.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Dependency {
    /// Whether it answers.
    pub ok: bool,
    /// Details, or why it does not answer.
    pub detail: String,
}

/// Progress of the index.
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

/// State of the hub.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct IpfsHealth {
    /// Whether the node works.
    pub ok: bool,
    /// Number of live artefacts that the hub has.
    pub pinned: usize,
    /// Their total size in bytes.
    pub bytes: u64,
    /// Number of live artefacts that the hub does not have yet.
    pub missing: usize,
}

impl Readiness {
    /// Checks chain, index, IPFS node and relay.
    pub(super) async fn look(app: &App) -> Self {
        // A replaced chain answers too, so its identity is checked.
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
