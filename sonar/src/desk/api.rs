//! Routes and handlers of the desk, and their OpenAPI document.

use std::{sync::Arc, time::Duration};

use alloy::primitives::Address;
use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use sonar_node::{
    account::{AccountName, Keystore},
    cli::{Code, Failure},
    discovery, http,
};
use sonar_protocol::{
    campaign,
    campaign::template::{TaskKind, TemplateWishes},
    ids::CampaignId,
    limits,
    profile::Profile,
    units::TokenUnit,
};
use sonar_web::{
    Face,
    extract::{Body, Segment, last_event_id},
    guard::{Refusal, Session},
    pages::Pages,
    problem::Problem,
};
use tokio::time::timeout;
use utoipa::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Desk, PATIENCE, actions, aside, audits,
    dto::{
        AccountList, AccountView, Action, ActionView, AuditView, Balance, ColumnKind, ColumnView, ContractsView,
        DraftRequest, DraftView, LaunchList, LaunchRequest, LaunchStarted, ModelFormat, NewAccount, OwnerRequest,
        PlanRequest, PlanView, Quiet, ResultView, Status, TaskChoice, Unlock,
    },
    events,
    launches::{self, LaunchView},
    plans, proxy, results,
};
use crate::scientist::{Workspace, account, identity, template};

/// Size limit of a body with files: a bundle's files and a backbone, in base64, with the campaign file.
const FILES: usize = (limits::BUNDLE + limits::BACKBONE) / 3 * 4 + 2 * campaign::MAX_BYTES as usize;
/// Size limit of other bodies.
const SMALL: usize = 64 << 10;
/// Maximum number of minutes that keys are in memory.
const MOST_MINUTES: u32 = 60;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Sonar desk",
        description = "The data scientist's desk: a server on this machine for one person. Amounts and ids are strings, times are Unix \
                   seconds. Errors are application/problem+json. Every route needs a session; every method but GET needs \
                   `X-Requested-With: sonar-ui`. GET /api/v1/… is answered by the configured Sonar.",
        license(name = "Apache-2.0 OR MIT"),
    ),
    components(schemas(Action))
)]
struct Document;

/// All routes, and the pages.
pub fn router(desk: Arc<Desk>) -> Router {
    let (router, _) = documented().with_state(desk.clone()).split_for_parts();
    router
        .route("/api/v1/{*path}", axum::routing::get(proxy::get).with_state(desk))
        .method_not_allowed_fallback(|| async {
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "METHOD", "this route does not accept this method")
        })
        .merge(Pages::new(Face::Desk).router())
}

fn documented() -> OpenApiRouter<Arc<Desk>> {
    let files = OpenApiRouter::default()
        .routes(routes!(draft))
        .routes(routes!(plan))
        .routes(routes!(result))
        .routes(routes!(audit))
        .routes(routes!(act))
        .layer(DefaultBodyLimit::max(FILES));
    let small = OpenApiRouter::default()
        .routes(routes!(status))
        .routes(routes!(accounts, create_account))
        .routes(routes!(unlock_account))
        .routes(routes!(lock_account))
        .routes(routes!(launches, launch))
        .routes(routes!(launch_state))
        .routes(routes!(resume_launch))
        .routes(routes!(download))
        .routes(routes!(events))
        .layer(DefaultBodyLimit::max(SMALL));
    OpenApiRouter::with_openapi(Document::openapi()).merge(small).merge(files)
}

fn campaign_id(text: &str) -> Result<CampaignId, Problem> {
    text.parse().map_err(|error: sonar_protocol::ids::ParseIdError| Problem::usage(error.to_string()))
}

fn account_name(text: &str) -> Result<AccountName, Problem> {
    text.parse().map_err(|error| Failure::from(error).into())
}

/// Why a part of an answer is missing. Not logged: the pages ask for it again and again.
fn missing(failure: Failure) -> Problem {
    let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, failure.code.name(), failure.message);
    Problem { retryable: failure.retryable, ..problem }
}

/// State of the desk, of Sonar and of the chain.
#[utoipa::path(get, path = "/api/desk/status", operation_id = "status", responses((status = OK, body = Status)))]
async fn status(State(desk): State<Arc<Desk>>, _session: Session) -> Json<Status> {
    let Workspace { home, config } = &desk.workspace;
    let sonar = async {
        let sonar = config.sonar.as_deref()?;
        discovery::get::<serde_json::Value>(sonar, "info", PATIENCE).await.err().map(Failure::from)
    };
    let slow = || Failure::new(Code::ChainUnreachable, format!("the chain did not answer within {:?}", 2 * PATIENCE));
    let chain = async { timeout(2 * PATIENCE, desk.reader()).await.unwrap_or_else(|_| Err(slow())) };
    let (sonar, chain) = tokio::join!(sonar, chain);
    let sonar_ok = config.sonar.is_some() && sonar.is_none();
    let (client, chain) = match chain {
        Ok(client) => (Some(client), None),
        Err(failure) => (None, Some(failure)),
    };
    let deployment = client.as_ref().map(sonar_node::chain::Client::deployment);
    Json(Status {
        sonar_url: config.sonar.as_deref().map(http::shown),
        sonar_ok,
        chain_id: deployment.map(|deployment| deployment.chain_id),
        rpc_ok: client.is_some(),
        contracts: deployment.map(ContractsView::from),
        problem: sonar.or(chain).map(missing),
        home: home.display().to_string(),
        version: env!("CARGO_PKG_VERSION").into(),
    })
}

/// The accounts of this home, with what they have.
#[utoipa::path(
    get, path = "/api/desk/accounts", operation_id = "accounts",
    responses((status = OK, body = AccountList), (status = INTERNAL_SERVER_ERROR, body = Problem))
)]
async fn accounts(State(desk): State<Arc<Desk>>, _session: Session) -> Result<Json<AccountList>, Problem> {
    let known = Keystore::new(&desk.workspace.home).list().map_err(Failure::from)?;
    let addresses: Vec<Address> = known.iter().map(|account| account.address).collect();
    let (balances, problem) = match timeout(2 * PATIENCE, balances(&desk, &addresses)).await {
        Ok(Ok(balances)) => (balances, None),
        Ok(Err(failure)) => (Vec::new(), Some(missing(failure))),
        Err(_) => {
            (Vec::new(), Some(Problem::unavailable(format!("the chain did not answer within {:?}", 2 * PATIENCE))))
        }
    };
    let mut balances = balances.into_iter();
    let items = known.into_iter().map(|account| {
        let balances = balances.next().unwrap_or_default();
        view(&desk, account.name, account.address, balances)
    });
    Ok(Json(AccountList { items: items.collect(), problem }))
}

fn view(desk: &Desk, name: AccountName, address: Address, balances: Vec<Balance>) -> AccountView {
    let state = desk.accounts.state(&name);
    AccountView {
        address,
        unlocked_until: state.unlocked_until,
        spends_until: state.spends_until,
        balances,
        fingerprint: identity::fingerprint(&desk.workspace.home, &name).map(|fingerprint| fingerprint.to_string()),
        name,
    }
}

/// What each account has of ETH and DataCoin.
async fn balances(desk: &Desk, accounts: &[Address]) -> Result<Vec<Vec<Balance>>, Failure> {
    let client = desk.reader().await?;
    let datacoin = client.token(client.deployment().datacoin).await?;
    let mut all = Vec::new();
    for account in accounts {
        let mut balances = Vec::new();
        for unit in [&TokenUnit::eth(), &datacoin] {
            balances.push(Balance::new(unit, client.token_balance(unit.address, *account).await?));
        }
        all.push(balances);
    }
    Ok(all)
}

/// Creates an account: a key for the chain and an OpenPGP key, under one passphrase.
#[utoipa::path(
    post, path = "/api/desk/accounts", operation_id = "create_account", request_body = NewAccount,
    responses(
        (status = CREATED, body = AccountView), (status = BAD_REQUEST, body = Problem),
        (status = FORBIDDEN, body = Problem), (status = UNPROCESSABLE_ENTITY, body = Problem)
    )
)]
async fn create_account(
    State(desk): State<Arc<Desk>>,
    _session: Session,
    Body(Quiet(body)): Body<Quiet<NewAccount>>,
) -> Result<(StatusCode, Json<AccountView>), Problem> {
    let NewAccount { name, passphrase } = body;
    if passphrase.0.is_empty() {
        return Err(Failure::new(Code::PassphraseMissing, "the passphrase is empty").into());
    }
    let (home, made) = (desk.workspace.home.clone(), name.clone());
    let created = aside(move || async move { account::create(&home, &made, &passphrase.0) }).await?;
    desk.account_changed(&name);
    Ok((StatusCode::CREATED, Json(view(&desk, name, created.address, Vec::new()))))
}

/// Keeps an account's keys in memory for a limited time. For 15 minutes it may spend.
#[utoipa::path(
    post, path = "/api/desk/accounts/{name}/unlock", operation_id = "unlock_account", request_body = Unlock,
    params(("name" = String, Path, description = "Account")),
    responses(
        (status = OK, body = AccountView), (status = BAD_REQUEST, body = Problem),
        (status = FORBIDDEN, description = "The passphrase is wrong", body = Problem),
        (status = NOT_FOUND, body = Problem),
        (status = TOO_MANY_REQUESTS, description = "Too soon after a wrong one", body = Problem)
    )
)]
async fn unlock_account(
    State(desk): State<Arc<Desk>>,
    _session: Session,
    Segment(name): Segment<String>,
    Body(Quiet(body)): Body<Quiet<Unlock>>,
) -> Result<Json<AccountView>, Refusal> {
    let name = account_name(&name)?;
    let Unlock { passphrase, minutes } = body;
    if !(1..=MOST_MINUTES).contains(&minutes) {
        return Err(Problem::usage(format!("minutes is {minutes}; it must be 1 to {MOST_MINUTES}")).into());
    }
    let known = Keystore::new(&desk.workspace.home).list().map_err(|error| Problem::from(Failure::from(error)))?;
    let known = known.into_iter().find(|account| account.name == name).ok_or_else(|| {
        Problem::new(StatusCode::NOT_FOUND, Code::UnknownAccount.name(), format!("there is no account `{name}`"))
    })?;
    let (accounts, unlocked) = (desk.accounts.clone(), name.clone());
    let time = Duration::from_secs(u64::from(minutes) * 60);
    let until = desk.guard.attempt(move || accounts.unlock(&unlocked, &passphrase.0, time)).await?;
    desk.lock_at(name.clone(), until);
    desk.account_changed(&name);
    Ok(Json(view(&desk, name, known.address, Vec::new())))
}

/// Drops an account's keys from memory, with its plans and fetched results.
#[utoipa::path(
    post, path = "/api/desk/accounts/{name}/lock", operation_id = "lock_account",
    params(("name" = String, Path, description = "Account")),
    responses((status = NO_CONTENT), (status = BAD_REQUEST, body = Problem))
)]
async fn lock_account(
    State(desk): State<Arc<Desk>>,
    _session: Session,
    Segment(name): Segment<String>,
) -> Result<StatusCode, Problem> {
    desk.lock(&account_name(&name)?);
    Ok(StatusCode::NO_CONTENT)
}

/// Writes a campaign file for a validation set. Nothing is sent anywhere.
#[utoipa::path(
    post, path = "/api/desk/draft", operation_id = "draft", request_body = DraftRequest,
    responses(
        (status = OK, body = DraftView), (status = BAD_REQUEST, body = Problem),
        (status = PAYLOAD_TOO_LARGE, body = Problem), (status = UNPROCESSABLE_ENTITY, body = Problem)
    )
)]
async fn draft(_session: Session, Body(Quiet(body)): Body<Quiet<DraftRequest>>) -> Result<Json<DraftView>, Problem> {
    aside(move || async move { draft_view(body) }).await.map(Json)
}

fn draft_view(request: DraftRequest) -> Result<DraftView, Failure> {
    let DraftRequest { csv, file_name, name, target, task } = request;
    let stem = || file_name.rsplit_once('.').map_or(file_name.as_str(), |(stem, _)| stem).to_owned();
    let wishes = TemplateWishes {
        name: name.unwrap_or_else(stem),
        validation: file_name.clone(),
        target,
        task: task.map(|task| match task {
            TaskChoice::Classification => TaskKind::Classification,
            TaskChoice::Regression => TaskKind::Regression,
        }),
    };
    let template::Draft { table, template } = template::draft(&csv.0, &file_name, &wishes)?;
    let profile = Profile::of(&table);
    let column = |name: &String| {
        let column = profile.columns.get(name);
        let range = column.and_then(|column| column.range);
        let classes = column.and_then(|column| column.labels.clone());
        ColumnView {
            name: name.clone(),
            kind: match (range, &classes) {
                (Some(_), _) => ColumnKind::Number,
                (None, Some(_)) => ColumnKind::Category,
                (None, None) => ColumnKind::Text,
            },
            min: range.map(|range| range.min),
            max: range.map(|range| range.max),
            classes: classes.map(|classes| classes.into_iter().collect()),
        }
    };
    Ok(DraftView {
        toml: template.text,
        guesses: template.guesses,
        columns: table.columns().iter().map(column).collect(),
        rows: table.rows() as u64,
    })
}

/// Plans a launch: checks everything that the launch would, and spends nothing.
#[utoipa::path(
    post, path = "/api/desk/plan", operation_id = "plan", request_body = PlanRequest,
    responses(
        (status = OK, body = PlanView), (status = BAD_REQUEST, body = Problem),
        (status = FORBIDDEN, description = "The account is locked", body = Problem),
        (status = NOT_FOUND, description = "The campaign file names a file that was not sent", body = Problem),
        (status = PAYLOAD_TOO_LARGE, body = Problem), (status = UNPROCESSABLE_ENTITY, body = Problem),
        (status = SERVICE_UNAVAILABLE, body = Problem)
    )
)]
async fn plan(
    State(desk): State<Arc<Desk>>,
    _session: Session,
    Body(Quiet(body)): Body<Quiet<PlanRequest>>,
) -> Result<Json<PlanView>, Problem> {
    let keys = desk.accounts.keys(&body.account)?;
    aside(move || async move { plans::make(&desk, &keys, body).await }).await.map(Json)
}

/// The launches of this home, newest first.
#[utoipa::path(get, path = "/api/desk/launches", operation_id = "launches", responses((status = OK, body = LaunchList)))]
async fn launches(State(desk): State<Arc<Desk>>, _session: Session) -> Json<LaunchList> {
    Json(LaunchList { items: desk.launches.list() })
}

/// Launches a plan: puts bounty and fee into escrow. The same plan, and the same files unless `again` is set, are launched once.
#[utoipa::path(
    post, path = "/api/desk/launches", operation_id = "launch", request_body = LaunchRequest,
    responses(
        (status = ACCEPTED, body = LaunchStarted), (status = BAD_REQUEST, body = Problem),
        (status = FORBIDDEN, description = "The account is locked, or its passphrase was entered too long ago", body = Problem),
        (status = NOT_FOUND, description = "No such plan", body = Problem),
        (status = CONFLICT, description = "The same files are being launched", body = Problem)
    )
)]
async fn launch(
    State(desk): State<Arc<Desk>>,
    _session: Session,
    Body(Quiet(body)): Body<Quiet<LaunchRequest>>,
) -> Result<(StatusCode, Json<LaunchStarted>), Problem> {
    let keys = desk.accounts.spending_keys(&body.account)?;
    let id = launches::start(&desk, keys, &body.plan_id, &body.account, body.again)?;
    Ok((StatusCode::ACCEPTED, Json(LaunchStarted { id })))
}

/// One launch.
#[utoipa::path(
    get, path = "/api/desk/launches/{id}", operation_id = "launch_state",
    params(("id" = String, Path, description = "Launch")),
    responses((status = OK, body = LaunchView), (status = NOT_FOUND, body = Problem))
)]
async fn launch_state(
    State(desk): State<Arc<Desk>>,
    _session: Session,
    Segment(id): Segment<String>,
) -> Result<Json<LaunchView>, Problem> {
    desk.launches.get(&id).map(Json)
}

/// Resumes a launch that failed or was interrupted. Nothing is paid twice.
#[utoipa::path(
    post, path = "/api/desk/launches/{id}/resume", operation_id = "resume_launch",
    params(("id" = String, Path, description = "Launch")),
    responses(
        (status = ACCEPTED, body = LaunchView),
        (status = FORBIDDEN, description = "The account is locked, or its passphrase was entered too long ago", body = Problem),
        (status = NOT_FOUND, body = Problem),
        (status = CONFLICT, description = "It cannot be resumed, or the same files are being launched", body = Problem)
    )
)]
async fn resume_launch(
    State(desk): State<Arc<Desk>>,
    _session: Session,
    Segment(id): Segment<String>,
) -> Result<(StatusCode, Json<LaunchView>), Problem> {
    launches::resume(&desk, &id).map(|view| (StatusCode::ACCEPTED, Json(view)))
}

/// Fetches the finished model, decrypts it, checks its signature, and measures it again.
#[utoipa::path(
    post, path = "/api/desk/campaigns/{id}/result", operation_id = "result", request_body = OwnerRequest,
    params(("id" = String, Path, description = "Campaign id")),
    responses(
        (status = OK, body = ResultView), (status = BAD_REQUEST, body = Problem),
        (status = FORBIDDEN, description = "The account is locked", body = Problem),
        (status = NOT_FOUND, body = Problem), (status = UNPROCESSABLE_ENTITY, body = Problem),
        (status = SERVICE_UNAVAILABLE, body = Problem)
    )
)]
async fn result(
    State(desk): State<Arc<Desk>>,
    _session: Session,
    Segment(id): Segment<String>,
    Body(Quiet(body)): Body<Quiet<OwnerRequest>>,
) -> Result<Json<ResultView>, Problem> {
    let (id, keys) = (campaign_id(&id)?, desk.accounts.keys(&body.account)?);
    aside(move || async move { results::fetch(&desk, &keys, id, body).await }).await.map(Json)
}

/// Downloads the model, after its result was fetched.
#[utoipa::path(
    get, path = "/api/desk/campaigns/{id}/result/{format}", operation_id = "download",
    params(("id" = String, Path, description = "Campaign id"), ("format" = ModelFormat, Path, description = "Format")),
    responses(
        (status = OK, body = Vec<u8>, content_type = "application/octet-stream"),
        (status = BAD_REQUEST, body = Problem), (status = NOT_FOUND, body = Problem)
    )
)]
async fn download(
    State(desk): State<Arc<Desk>>,
    _session: Session,
    Segment((id, format)): Segment<(String, ModelFormat)>,
) -> Result<Response, Problem> {
    desk.results.download(campaign_id(&id)?, format)
}

/// Recomputes everything that the Capsule published, version by version.
#[utoipa::path(
    post, path = "/api/desk/campaigns/{id}/audit", operation_id = "audit", request_body = OwnerRequest,
    params(("id" = String, Path, description = "Campaign id")),
    responses(
        (status = OK, body = AuditView), (status = BAD_REQUEST, body = Problem),
        (status = FORBIDDEN, description = "The account is locked", body = Problem),
        (status = NOT_FOUND, body = Problem), (status = UNPROCESSABLE_ENTITY, body = Problem),
        (status = SERVICE_UNAVAILABLE, body = Problem)
    )
)]
async fn audit(
    State(desk): State<Arc<Desk>>,
    _session: Session,
    Segment(id): Segment<String>,
    Body(Quiet(body)): Body<Quiet<OwnerRequest>>,
) -> Result<Json<AuditView>, Problem> {
    let (id, keys) = (campaign_id(&id)?, desk.accounts.keys(&body.account)?);
    aside(move || async move { audits::audit(&desk, &keys, id, body).await }).await.map(Json)
}

/// Acts on a campaign, and waits until the transactions are mined.
#[utoipa::path(
    post, path = "/api/desk/campaigns/{id}/{action}", operation_id = "act", request_body = OwnerRequest,
    params(("id" = String, Path, description = "Campaign id"), ("action" = Action, Path, description = "Action")),
    responses(
        (status = OK, body = ActionView), (status = BAD_REQUEST, body = Problem),
        (status = FORBIDDEN, description = "The account is locked, or its passphrase was entered too long ago", body = Problem),
        (status = NOT_FOUND, body = Problem),
        (status = UNPROCESSABLE_ENTITY, description = "The action does not apply, or the contract refuses", body = Problem),
        (status = SERVICE_UNAVAILABLE, body = Problem)
    )
)]
async fn act(
    State(desk): State<Arc<Desk>>,
    _session: Session,
    Segment((id, action)): Segment<(String, Action)>,
    Body(Quiet(body)): Body<Quiet<OwnerRequest>>,
) -> Result<Json<ActionView>, Problem> {
    let (id, keys) = (campaign_id(&id)?, desk.accounts.spending_keys(&body.account)?);
    aside(move || async move { actions::perform(&desk, &keys, id, action, body).await }).await.map(Json)
}

/// Changes, as server-sent events: `launch` with a LaunchView, `accounts` with the name of an account, `reset` if changes were lost and
/// everything should be read again. Resumes after `Last-Event-ID`.
#[utoipa::path(
    get, path = "/api/desk/events", operation_id = "events", params(("Last-Event-ID" = Option<String>, Header,)),
    responses((status = OK, body = String, content_type = "text/event-stream"))
)]
async fn events(State(desk): State<Arc<Desk>>, _session: Session, headers: HeaderMap) -> impl IntoResponse {
    let last = last_event_id(&headers);
    events::open(desk, last)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `ui/` generates its client from this file.
    #[test]
    fn openapi_is_the_committed_document() {
        let mut document = documented().into_openapi();
        document.merge(sonar_web::guard::document());
        testkit::openapi::check("desk", &document.to_pretty_json().unwrap());
    }
}
