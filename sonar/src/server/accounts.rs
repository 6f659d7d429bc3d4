//! `GET /api/v1/accounts/{address}`: where an account takes part, and what it may call now. A page offers only these
//! calls, so that nobody pays for a transaction that the contract refuses.

use std::sync::Arc;

use alloy::primitives::{Address, B256};
use axum::{Json, extract::State};
use serde::Serialize;
use sonar_contracts::State as CampaignState;
use sonar_protocol::{
    actions::Action,
    ids::CampaignId,
    projection::Label,
    units::{Amount, Timestamp},
    view::CampaignView,
    wire::SubmissionJson,
};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    App,
    api::{parse_address, parse_optional, unknown},
    dto::{PageQuery, bounded},
    extract::{Params, Segment},
    live,
    problem::Problem,
};

/// The campaigns in which an account takes part.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AccountPage {
    /// The account.
    #[schema(value_type = String)]
    pub address: Address,
    /// Its campaigns, newest first.
    pub campaigns: Vec<AccountCampaign>,
    /// Pass this as `after` to get older campaigns; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub next: Option<CampaignId>,
}

/// A campaign in which an account takes part.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AccountCampaign {
    /// The campaign.
    #[schema(value_type = String)]
    pub campaign: CampaignId,
    /// Its name, if its manifest is available.
    pub name: Option<String>,
    /// Token of its bounty; the zero address stands for ETH.
    #[schema(value_type = String)]
    pub token: Address,
    /// Its state.
    pub state: CampaignState,
    /// The account's part; of several, the first of owner, Capsule, miner.
    pub role: Role,
    /// Amount that it can withdraw, in the token's smallest unit.
    #[schema(value_type = String)]
    pub owed: Amount,
    /// Stake that it can withdraw, in wei; for a Capsule also what submissions paid for its gas.
    #[schema(value_type = String)]
    pub free_stake: Amount,
    /// Calls that the contract would accept of this account now.
    pub actions: Vec<Action>,
    /// What the call `abandon` needs in addition to the terms; null if it is not among the actions.
    pub pending: Option<PendingWindow>,
}

/// The part that an account has in a campaign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The data scientist.
    Owner,
    /// The Capsule's operator.
    Capsule,
    /// An account that has submitted.
    Miner,
}

/// A window that waits for its settlement, as the contract expects it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PendingWindow {
    /// The window's hash while it was empty.
    #[schema(value_type = String)]
    pub start: B256,
    /// Its submissions in chain order.
    pub submissions: Vec<SubmissionJson>,
}

impl Role {
    fn of(view: &CampaignView, account: Address) -> Option<Self> {
        let has_submitted = || view.accounts.get(&account).is_some_and(|account| account.submitted > 0);
        match account {
            owner if owner == view.terms.owner => Some(Self::Owner),
            capsule if capsule == view.terms.capsule => Some(Self::Capsule),
            _ => has_submitted().then_some(Self::Miner),
        }
    }
}

impl AccountCampaign {
    fn new(view: &CampaignView, role: Role, label: Option<Label>, account: Address, now: Timestamp) -> Self {
        let actions = Action::possible(view, account, now);
        let pending = actions.contains(&Action::Abandon).then(|| PendingWindow {
            start: view.window.start,
            submissions: view.window.submissions.iter().map(SubmissionJson::from).collect(),
        });
        Self {
            campaign: view.id,
            name: label.map(|label| label.name),
            token: view.terms.token,
            state: view.state,
            role,
            owed: view.owed(account),
            free_stake: view.withdrawable_stake(account),
            actions,
            pending,
        }
    }
}

/// The routes of this module.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(account))
}

/// The campaigns in which an account takes part, newest first, and the calls that it may make now.
///
/// Compensation from Capsules' stakes is not included: the registry has it, under `claimable`.
#[utoipa::path(
    get, path = "/api/v1/accounts/{address}",
    params(("address" = String, Path, description = "Account"), PageQuery),
    responses(
        (status = OK, body = AccountPage),
        (status = BAD_REQUEST, body = Problem),
        (status = NOT_FOUND, description = "`after` is not a campaign", body = Problem)
    )
)]
async fn account(
    State(app): State<Arc<App>>,
    Segment(address): Segment<String>,
    Params(query): Params<PageQuery>,
) -> Result<Json<AccountPage>, Problem> {
    let address = parse_address(&address)?;
    let after = parse_optional::<CampaignId>(query.after.as_deref())?;
    let limit = bounded(query.limit)? as usize;
    let mut found: Vec<(Arc<CampaignView>, Role)> = app
        .index
        .read(|world| {
            let takes_part = |view: &Arc<CampaignView>| Some((Arc::clone(view), Role::of(view, address)?));
            Ok(live::newest_first(world, after)?.filter_map(takes_part).take(limit + 1).collect())
        })
        .map_err(unknown)?;
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| more).map(|(view, _)| view.id);
    let now = app.now();
    let campaigns =
        found.iter().map(|(view, role)| AccountCampaign::new(view, *role, app.label(view), address, now)).collect();
    Ok(Json(AccountPage { address, campaigns, next }))
}
