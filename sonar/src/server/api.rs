//! The HTTP API: routes, handlers and their OpenAPI descriptions.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use alloy::primitives::Address;
use axum::{
    Json, Router,
    body::Body as HttpBody,
    extract::{DefaultBodyLimit, MatchedPath, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};
use utoipa_swagger_ui::SwaggerUi;

use super::{
    App, accounts, badge,
    dto::{
        Artefact, CampaignPage, CampaignQuery, EventQuery, EventView, Info, Page, PageQuery, Readiness, RelayReceipt,
        StreamQuery, SubmissionQuery, bounded,
    },
    event_id::EventId,
    extract::{Body, Params, Segment},
    feed, leaderboard, live, money,
    problem::{self, Problem},
    search::{self, CampaignSort, Search},
    series, sse, statistics, submissions_csv, tokens,
};
use crate::index::{Filter, Position};
use sonar_contracts::address;
use sonar_protocol::{
    ids::{CampaignId, Digest},
    projection::{CampaignSummary, CapsuleSummary, Miner, SettledJson, SubmissionView},
    statement::{CampaignProgress, PrivacyStatement},
    view::CampaignView,
    wire::SettlementRequest,
};
use sonar_web::pages::Pages;

/// Time limit of a request.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Size limit of a body in bytes.
const BODY_LIMIT: usize = 256 << 10;
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

#[derive(OpenApi)]
#[openapi(info(
    title = "Sonar",
    description = "Public facts about campaigns: everything here is on the chain or on IPFS. \
                   Amounts and ids are strings. Errors are application/problem+json.",
    license(name = "Apache-2.0 OR MIT"),
))]
struct Document;

/// All routes.
pub fn router(app: Arc<App>, pages: Pages) -> Router {
    let (router, document) = documented().with_state(app.clone()).split_for_parts();
    router
        .merge(SwaggerUi::new("/docs").url("/api/v1/openapi.json", document))
        .merge(pages.router())
        .method_not_allowed_fallback(problem::method_not_allowed)
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(CatchPanicLayer::custom(problem::from_panic))
        .layer(middleware::from_fn_with_state(app, observe))
}

/// The routes with their description.
pub(super) fn documented() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(info))
        .routes(routes!(campaigns))
        .routes(routes!(campaign))
        .routes(routes!(campaign_privacy))
        .routes(routes!(submissions))
        .routes(routes!(windows))
        .routes(routes!(campaign_events))
        .merge(series::routes())
        .merge(leaderboard::routes())
        .merge(money::routes())
        .merge(submissions_csv::routes())
        .merge(feed::routes())
        .merge(badge::routes())
        .merge(accounts::routes())
        .merge(statistics::routes())
        .merge(tokens::routes())
        .routes(routes!(capsules))
        .routes(routes!(miner))
        .routes(routes!(artefact))
        .routes(routes!(events))
        .routes(routes!(relay_settlement))
        .routes(routes!(healthz))
        .routes(routes!(readyz))
        .routes(routes!(metrics))
}

/// Adds a request id, the time limit and the metrics to every request.
async fn observe(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let id = format!("{:x}-{:x}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    let method = request.method().to_string();
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_owned();
    let begin = Instant::now();
    let mut response = match tokio::time::timeout(TIMEOUT, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            Problem::new(StatusCode::GATEWAY_TIMEOUT, "TIMED_OUT", format!("the request took longer than {TIMEOUT:?}"))
                .into_response()
        }
    };
    let status = response.status();
    app.metrics.request(&method, &route, status.as_u16(), begin.elapsed());
    tracing::debug!(%id, method, route, status = status.as_u16(), "answered");
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

pub(super) fn parse<T: std::str::FromStr>(text: &str) -> Result<T, Problem>
where
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|error: T::Err| Problem::usage(error.to_string()))
}

pub(super) fn parse_optional<T: std::str::FromStr>(text: Option<&str>) -> Result<Option<T>, Problem>
where
    T::Err: std::fmt::Display,
{
    text.map(parse).transpose()
}

pub(super) fn parse_address(text: &str) -> Result<Address, Problem> {
    address::parse(text).map_err(|error| Problem::usage(error.to_string()))
}

pub(super) fn unknown(id: CampaignId) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "UNKNOWN_CAMPAIGN", format!("there is no campaign {id} on this contract"))
}

/// Chain, contracts, IPFS hub and state of this server.
#[utoipa::path(get, path = "/api/v1/info", responses((status = OK, body = Info)))]
async fn info(State(app): State<Arc<App>>) -> Json<Info> {
    let deployment = app.chain.deployment();
    let progress = *app.index.progress().borrow();
    Json(Info {
        chain_id: deployment.chain_id,
        contracts: deployment.into(),
        ipfs: app.node.addresses().iter().map(ToString::to_string).collect(),
        version: env!("CARGO_PKG_VERSION").into(),
        block: progress.indexed.map_or(0, |block| block.number),
        head: progress.head.map_or(0, |block| block.number),
        campaigns: app.index.read(live::count),
        relay: app.relay.is_some(),
        uptime_seconds: app.started.elapsed().as_secs(),
    })
}

/// Campaigns, newest first or in another order.
#[utoipa::path(
    get, path = "/api/v1/campaigns", params(CampaignQuery),
    responses((status = OK, body = Page<CampaignSummary>), (status = BAD_REQUEST, body = Problem))
)]
async fn campaigns(
    State(app): State<Arc<App>>,
    Params(query): Params<CampaignQuery>,
) -> Result<Json<Page<CampaignSummary>>, Problem> {
    let filter = live::CampaignFilter {
        state: query.state,
        owner: query.owner.as_deref().map(parse_address).transpose()?,
        capsule: query.capsule.as_deref().map(parse_address).transpose()?,
        token: query.token.as_deref().map(parse_address).transpose()?,
    };
    let after = parse_optional::<CampaignId>(query.after.as_deref())?;
    let limit = bounded(query.limit)? as usize;
    let search = Search::new(query.q.as_deref(), query.regime, query.task);
    let sort = query.sort.unwrap_or_default();
    // Only the campaigns of the page are summarised, after the lock is released, so that the indexer does not wait.
    let page = if search.is_empty() && sort == CampaignSort::New {
        app.index.read(|world| live::campaigns(world, &filter, after, limit)).map_err(unknown)?
    } else {
        let (found, after) = app.index.read(|world| live::launched(world, &filter, after)).map_err(unknown)?;
        search::page(&found, (&search, sort), |view| app.label(view), after.as_ref(), limit)
    };
    Ok(Json(page.map(|view| {
        let mut summary = live::summary(&view, &|manifest| app.shelf.manifest(manifest));
        verify_parent(&app, &mut summary);
        summary
    })))
}

/// One campaign: terms, state, money, manifest.
#[utoipa::path(
    get, path = "/api/v1/campaigns/{id}", params(("id" = String, Path, description = "Campaign id")),
    responses(
        (status = OK, body = CampaignPage),
        (status = BAD_REQUEST, body = Problem),
        (status = NOT_FOUND, body = Problem)
    )
)]
async fn campaign(State(app): State<Arc<App>>, Segment(id): Segment<String>) -> Result<Json<CampaignPage>, Problem> {
    let view = campaign_of(&app, &id)?;
    let page = live::detail(&view, &|manifest| app.shelf.manifest(manifest));
    let mut page = page.map_err(|error| Problem::internal(&error))?;
    verify_parent(&app, &mut page.detail.summary);
    Ok(Json(page))
}

/// Few campaigns name a parent, so the world is locked rarely and for a moment.
fn verify_parent(app: &App, summary: &mut CampaignSummary) {
    if summary.parent.is_some() {
        app.index.read(|world| summary.verify_parent(world));
    }
}

/// A copy of the campaign, so that the world is not locked while the response is built.
pub(super) fn campaign_of(app: &App, id: &str) -> Result<Arc<CampaignView>, Problem> {
    let id = parse(id)?;
    app.index.read(|world| world.campaigns.get(&id).cloned()).ok_or_else(|| unknown(id))
}

/// What each party of a campaign can learn, what was disclosed so far, and what that rests on.
#[utoipa::path(
    get, path = "/api/v1/campaigns/{id}/privacy", params(("id" = String, Path, description = "Campaign id")),
    responses(
        (status = OK, body = PrivacyStatement),
        (status = BAD_REQUEST, body = Problem),
        (status = NOT_FOUND, description = "No such campaign, or the hub does not have its manifest", body = Problem)
    )
)]
async fn campaign_privacy(
    State(app): State<Arc<App>>,
    Segment(id): Segment<String>,
) -> Result<Json<PrivacyStatement>, Problem> {
    let id = parse(&id)?;
    let (manifest, progress) = app
        .index
        .read(|world| world.campaign(id).map(|view| (Digest(view.terms.manifest.0), CampaignProgress::from(view))))
        .ok_or_else(|| unknown(id))?;
    let manifest = app.shelf.manifest(manifest).ok_or_else(|| {
        Problem::new(
            StatusCode::NOT_FOUND,
            "NO_MANIFEST",
            format!("the hub does not have the manifest of campaign {id}"),
        )
    })?;
    PrivacyStatement::new(&manifest, progress).map(Json).map_err(|error| Problem::internal(&error))
}

/// A campaign's submissions in chain order, with their public verdicts.
#[utoipa::path(
    get, path = "/api/v1/campaigns/{id}/submissions",
    params(("id" = String, Path, description = "Campaign id"), SubmissionQuery),
    responses(
        (status = OK, body = Page<SubmissionView>),
        (status = BAD_REQUEST, body = Problem),
        (status = NOT_FOUND, body = Problem)
    )
)]
async fn submissions(
    State(app): State<Arc<App>>,
    Segment(id): Segment<String>,
    Params(query): Params<SubmissionQuery>,
) -> Result<Json<Page<SubmissionView>>, Problem> {
    let view = campaign_of(&app, &id)?;
    let miner = query.miner.as_deref().map(parse_address).transpose()?;
    let after = parse_optional::<u32>(query.after.as_deref())?.unwrap_or(0);
    let wanted = |s: &SubmissionView| s.number > after && miner.is_none_or(|miner| s.miner == miner);
    let total = match miner {
        None => view.submissions,
        Some(miner) => view.accounts.get(&miner).map_or(0, |account| account.submitted),
    };
    let found = SubmissionView::all(&view).filter(wanted);
    Page::first(found, query.limit, total.into(), |submission| submission.number.to_string()).map(Json)
}

/// A campaign's settled windows, in order.
#[utoipa::path(
    get, path = "/api/v1/campaigns/{id}/windows",
    params(("id" = String, Path, description = "Campaign id"), PageQuery),
    responses(
        (status = OK, body = Page<SettledJson>),
        (status = BAD_REQUEST, body = Problem),
        (status = NOT_FOUND, body = Problem)
    )
)]
async fn windows(
    State(app): State<Arc<App>>,
    Segment(id): Segment<String>,
    Params(query): Params<PageQuery>,
) -> Result<Json<Page<SettledJson>>, Problem> {
    let view = campaign_of(&app, &id)?;
    let after = parse_optional::<u32>(query.after.as_deref())?;
    let newer = view.settled.iter().filter(|window| after.is_none_or(|after| window.index.0 > after));
    let total = view.settled.len() as u64;
    Page::first(newer.map(SettledJson::from), query.limit, total, |window| window.index.to_string()).map(Json)
}

/// A campaign's events in chain order.
#[utoipa::path(
    get, path = "/api/v1/campaigns/{id}/events",
    params(("id" = String, Path, description = "Campaign id"), EventQuery),
    responses(
        (status = OK, body = Page<EventView>),
        (status = BAD_REQUEST, body = Problem),
        (status = NOT_FOUND, body = Problem)
    )
)]
async fn campaign_events(
    State(app): State<Arc<App>>,
    Segment(id): Segment<String>,
    Params(query): Params<EventQuery>,
) -> Result<Json<Page<EventView>>, Problem> {
    let id: CampaignId = parse(&id)?;
    if !app.index.read(|world| live::exists(world, id)) {
        return Err(unknown(id));
    }
    let filter = Filter {
        campaign: Some(id.0),
        kind: query.kind.clone(),
        account: query.account.as_deref().map(parse_address).transpose()?,
    };
    let after = parse_optional::<EventId>(query.after.as_deref())?.map(|id| id.position());
    event_page(&app, &filter, after, query.limit).await.map(Json)
}

async fn event_page(
    app: &App,
    filter: &Filter,
    after: Option<Position>,
    limit: Option<u32>,
) -> Result<Page<EventView>, Problem> {
    let limit = bounded(limit)?;
    let store = app.index.store();
    let failed = |error| Problem::internal(&error);
    let mut found = store.events(filter, after, limit + 1).await.map_err(failed)?;
    let more = found.len() > limit as usize;
    found.truncate(limit as usize);
    let next = found.last().filter(|_| more).map(EventId::of);
    Ok(Page { items: found.iter().map(EventView::from).collect(), next, total: None })
}

/// Registered Capsules, in the order of their operators' addresses.
#[utoipa::path(
    get, path = "/api/v1/capsules", params(PageQuery),
    responses((status = OK, body = Page<CapsuleSummary>), (status = BAD_REQUEST, body = Problem))
)]
async fn capsules(
    State(app): State<Arc<App>>,
    Params(query): Params<PageQuery>,
) -> Result<Json<Page<CapsuleSummary>>, Problem> {
    let after = query.after.as_deref().map(parse_address).transpose()?;
    let page = app.index.read(|world| {
        let total = world.capsules.len() as u64;
        Page::first(live::capsules(world, after), query.limit, total, |capsule| capsule.operator.to_string())
    });
    page.map(Json)
}

/// Submissions and earnings of a miner by campaign, newest campaign first.
#[utoipa::path(
    get, path = "/api/v1/miners/{address}", params(("address" = String, Path, description = "Account"), PageQuery),
    responses((status = OK, body = Miner), (status = BAD_REQUEST, body = Problem), (status = NOT_FOUND, body = Problem))
)]
async fn miner(
    State(app): State<Arc<App>>,
    Segment(address): Segment<String>,
    Params(query): Params<PageQuery>,
) -> Result<Json<Miner>, Problem> {
    let address = parse_address(&address)?;
    let after = parse_optional::<CampaignId>(query.after.as_deref())?;
    let limit = bounded(query.limit)? as usize;
    let nothing = || match after {
        None => Problem::not_found(format!("{address} has no submissions")),
        Some(after) => Problem::not_found(format!("{address} has no submissions to campaigns older than {after}")),
    };
    let found = app.index.read(|world| live::miner(world, address, after, limit)).map_err(unknown)?;
    found.map(Json).ok_or_else(nothing)
}

/// A live artefact, and whether the hub has it.
#[utoipa::path(
    get, path = "/api/v1/artefacts/{cid}", params(("cid" = String, Path, description = "CID, or digest as on chain")),
    responses(
        (status = OK, body = Artefact),
        (status = BAD_REQUEST, body = Problem),
        (status = NOT_FOUND, body = Problem)
    )
)]
async fn artefact(State(app): State<Arc<App>>, Segment(cid): Segment<String>) -> Result<Json<Artefact>, Problem> {
    let cid: Digest = parse(&cid)?;
    let (kind, bytes) = app
        .shelf
        .artefact(cid)
        .ok_or_else(|| Problem::not_found(format!("{cid} is not an artefact of a live campaign or Capsule")))?;
    Ok(Json(Artefact { cid, kind, pinned: bytes.is_some(), bytes }))
}

/// Every event of the contracts as it is indexed (server-sent events).
///
/// Begins with an `open` message. Each event has an id; a client that reconnects with `Last-Event-ID` (or `after`)
/// misses nothing. A `rollback` message reports that the chain was rolled back: events of later blocks than the one it
/// names are void, and the events of the new chain follow. Without a starting point the stream has only new events.
#[utoipa::path(
    get, path = "/api/v1/events", params(StreamQuery, ("Last-Event-ID" = Option<String>, Header,)),
    responses(
        (status = OK, body = String, content_type = "text/event-stream"),
        (status = BAD_REQUEST, body = Problem),
        (status = SERVICE_UNAVAILABLE, body = Problem)
    )
)]
async fn events(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Params(query): Params<StreamQuery>,
) -> Result<impl IntoResponse, Problem> {
    let filter = Filter {
        campaign: parse_optional::<CampaignId>(query.campaign.as_deref())?.map(|id| id.0),
        kind: query.kind.clone(),
        account: query.account.as_deref().map(parse_address).transpose()?,
    };
    let last = headers.get("last-event-id").map(|value| value.to_str().unwrap_or("?"));
    let after = parse_optional::<EventId>(last.or(query.after.as_deref()))?;
    sse::open(app, filter, after).await
}

/// Submits a signed settlement to Sonar, which sends it if the window is not settled in time.
#[utoipa::path(
    post, path = "/api/v1/relay/settlement", request_body = SettlementRequest,
    responses(
        (status = ACCEPTED, body = RelayReceipt),
        (status = BAD_REQUEST, body = Problem),
        (status = PAYLOAD_TOO_LARGE, body = Problem),
        (status = UNSUPPORTED_MEDIA_TYPE, body = Problem),
        (status = UNPROCESSABLE_ENTITY, description = "The contract would refuse the settlement", body = Problem),
        (status = SERVICE_UNAVAILABLE, body = Problem)
    )
)]
async fn relay_settlement(
    State(app): State<Arc<App>>,
    Body(settlement): Body<SettlementRequest>,
) -> Result<(StatusCode, Json<RelayReceipt>), Problem> {
    let relay = app.relay.as_ref().ok_or_else(|| {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "NO_ACCOUNT", "this server has no account and relays nothing")
    })?;
    relay.accept(&settlement).await.map(|receipt| (StatusCode::ACCEPTED, Json(receipt)))
}

/// Liveness: whether the process answers.
#[utoipa::path(get, path = "/healthz", responses((status = OK, body = String, content_type = "text/plain")))]
async fn healthz() -> &'static str {
    "ok\n"
}

/// Readiness: whether chain, database and IPFS node answer, and the index has caught up.
#[utoipa::path(
    get, path = "/readyz",
    responses((status = OK, body = Readiness), (status = SERVICE_UNAVAILABLE, body = Readiness))
)]
async fn readyz(State(app): State<Arc<App>>) -> (StatusCode, Json<Readiness>) {
    let ready = Readiness::look(&app).await;
    let status = if ready.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(ready))
}

/// Metrics for Prometheus.
#[utoipa::path(get, path = "/metrics", responses((status = OK, body = String, content_type = "text/plain")))]
async fn metrics(State(app): State<Arc<App>>) -> Response<HttpBody> {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], app.metrics.render()).into_response()
}
