//! Routes, handlers and their OpenAPI descriptions.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, StatusCode},
    response::IntoResponse,
};
use sonar_protocol::{ids::CampaignId, units::Timestamp};
use sonar_web::{
    extract::{Body, Params, last_event_id},
    guard::{self, Reauthenticated},
    problem::Problem,
};
use utoipa::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    App, Services,
    dto::{
        CampaignList, DataSetList, Earnings, EarningsQuery, JobList, MineState, PauseBody, PossibleWithdrawal,
        WithdrawBody, WithdrawQuery, Withdrawal, WithdrawalPreview, Withdrawals,
    },
    events, views,
};
use crate::{
    doctor::{self, Diagnosis},
    pause::Pause,
    privacy::PrivacyReport,
    repository,
    withdrawal::{self, WithdrawalReceipt},
};

/// Size limit of a request body in bytes.
const BODY_LIMIT: usize = 16 << 10;
/// Default and maximum number of submissions in one answer.
const SUBMISSIONS: (usize, usize) = (1_000, 10_000);

/// A turn of the loop takes less.
const TURN: Duration = Duration::from_secs(2);

#[derive(OpenApi)]
#[openapi(info(
    title = "Mine",
    description = "The API of a Mine's own pages, on this machine only. Everything needs a session. Amounts and ids are \
                   strings, times are unix seconds. Errors are application/problem+json.",
    license(name = "Apache-2.0 OR MIT"),
))]
struct Document;

/// All routes, for the guard.
pub fn router(app: Arc<App>) -> Router {
    let (router, _) = documented().with_state(app).split_for_parts();
    router
        .method_not_allowed_fallback(|| async {
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "METHOD", "this route does not accept this method")
        })
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
}

fn documented() -> OpenApiRouter<Arc<App>> {
    let mut document = Document::openapi();
    document.merge(guard::document());
    OpenApiRouter::with_openapi(document)
        .routes(routes!(status))
        .routes(routes!(campaigns))
        .routes(routes!(jobs))
        .routes(routes!(earnings))
        .routes(routes!(preview, withdraw))
        .routes(routes!(pause))
        .routes(routes!(resume))
        .routes(routes!(privacy))
        .routes(routes!(data))
        .routes(routes!(diagnose))
        .routes(routes!(changes))
}

fn clock() -> Timestamp {
    SystemTime::now().into()
}

impl App {
    fn services(&self) -> Result<&Services, Problem> {
        let waiting = || Problem::unavailable("the Mine still waits for the chain, Sonar or IPFS; try again later");
        self.services.get().ok_or_else(waiting)
    }

    fn status(&self) -> MineState {
        let (mut snapshot, books) = (self.feed.borrow().clone(), self.books.borrow().clone());
        if snapshot.chain.block.is_none() {
            // The loop waits for the chain, and has not read the file yet.
            snapshot.paused = Pause::read(&self.home.pause(), clock()).unwrap_or_default();
        }
        views::status(self.me, &snapshot, &books, clock())
    }
}

/// Runs work that reads the vault or folds a long history, on a thread of its own.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
    tokio::task::spawn_blocking(work).await.map_err(|error| Problem::internal(&error))
}

/// What the Mine does now, and what it needs.
#[utoipa::path(get, path = "/api/mine/status", operation_id = "mine_status", responses((status = OK, body = MineState), (status = UNAUTHORIZED, body = Problem)))]
async fn status(State(app): State<Arc<App>>) -> Json<MineState> {
    Json(app.status())
}

/// All campaigns with the Mine's decisions, newest first.
#[utoipa::path(get, path = "/api/mine/campaigns", operation_id = "mine_campaigns", responses((status = OK, body = CampaignList), (status = UNAUTHORIZED, body = Problem)))]
async fn campaigns(State(app): State<Arc<App>>) -> Json<CampaignList> {
    let books = app.books.borrow().clone();
    Json(views::campaigns(app.me, &app.feed.borrow(), &books))
}

/// The last 200 steps, newest first.
#[utoipa::path(get, path = "/api/mine/jobs", operation_id = "mine_jobs", responses((status = OK, body = JobList), (status = UNAUTHORIZED, body = Problem)))]
async fn jobs(State(app): State<Arc<App>>) -> Json<JobList> {
    Json(views::jobs(&app.feed.borrow()))
}

/// Earnings, gas and stakes, down to each settlement.
#[utoipa::path(
    get, path = "/api/mine/earnings", operation_id = "mine_earnings", params(EarningsQuery),
    responses((status = OK, body = Earnings), (status = BAD_REQUEST, body = Problem), (status = UNAUTHORIZED, body = Problem))
)]
async fn earnings(
    State(app): State<Arc<App>>,
    Params(query): Params<EarningsQuery>,
) -> Result<Json<Earnings>, Problem> {
    let limit = query.limit.unwrap_or(SUBMISSIONS.0);
    if limit > SUBMISSIONS.1 {
        return Err(Problem::usage(format!("limit is {limit}, more than {}", SUBMISSIONS.1)));
    }
    let page = (query.offset.unwrap_or(0), limit);
    let (snapshot, books) = (app.feed.borrow().clone(), app.books.borrow().clone());
    blocking(move || views::earnings(app.me, &snapshot, &books, page)).await.map(Json)
}

/// What can be withdrawn, and what that costs.
#[utoipa::path(
    get, path = "/api/mine/withdraw", operation_id = "mine_withdraw_preview", params(WithdrawQuery),
    responses(
        (status = OK, body = WithdrawalPreview), (status = NOT_FOUND, body = Problem),
        (status = UNAUTHORIZED, body = Problem), (status = SERVICE_UNAVAILABLE, body = Problem)
    )
)]
async fn preview(
    State(app): State<Arc<App>>,
    Params(query): Params<WithdrawQuery>,
) -> Result<Json<WithdrawalPreview>, Problem> {
    let Services { client, .. } = app.services()?;
    let world = app.feed.borrow().world.clone();
    let offers = withdrawal::offers(client, &world, (app.me, app.me), query.campaign).await?;
    let possible = |offer: withdrawal::Offer<'_>| PossibleWithdrawal {
        campaign: offer.source.campaign(),
        source: offer.source.to_string(),
        worth_it: offer.is_worth_it(),
        token: offer.token.into(),
        amount: offer.amount,
        gas: offer.cost,
    };
    Ok(Json(WithdrawalPreview { items: offers.into_iter().map(possible).collect() }))
}

/// Withdraws to the Mine's own account. Needs the passphrase, entered in the last 15 minutes.
#[utoipa::path(
    post, path = "/api/mine/withdraw", operation_id = "mine_withdraw", request_body = WithdrawBody,
    params(("X-Requested-With" = String, Header, description = "`sonar-ui`")),
    responses(
        (status = OK, body = Withdrawals), (status = BAD_REQUEST, body = Problem), (status = UNAUTHORIZED, body = Problem),
        (status = FORBIDDEN, description = "The passphrase is needed", body = Problem),
        (status = NOT_FOUND, body = Problem), (status = UNPROCESSABLE_ENTITY, body = Problem),
        (status = SERVICE_UNAVAILABLE, body = Problem)
    )
)]
async fn withdraw(
    State(app): State<Arc<App>>,
    _: Reauthenticated,
    Body(body): Body<WithdrawBody>,
) -> Result<Json<Withdrawals>, Problem> {
    // A task of its own: a page that is closed must not abandon a transaction between two steps.
    let made = tokio::spawn(async move { withdraw_all(&app, body.campaign).await }).await;
    made.map_err(|error| Problem::internal(&error))?.map(Json)
}

async fn withdraw_all(app: &App, campaign: Option<CampaignId>) -> Result<Withdrawals, Problem> {
    let Services { client, .. } = app.services()?;
    let _one_at_a_time = app.withdrawing.lock().await;
    let world = app.feed.borrow().world.clone();
    let offers = withdrawal::offers(client, &world, (app.me, app.me), campaign).await?;
    let (worth_it, losses) = withdrawal::worth_it(offers)?;
    let mut transactions = Vec::new();
    for offer in worth_it {
        let WithdrawalReceipt { campaign, amount, token, stake, gas_used, transaction } =
            offer.make(client, app.me).await?;
        tracing::info!(%transaction, "withdrew {}", token.format(amount));
        transactions.push(Withdrawal { campaign, amount, token: token.into(), stake, gas_used, transaction });
    }
    app.wake.notify_one();
    Ok(Withdrawals { transactions, left_out: losses.iter().map(withdrawal::Offer::price).collect() })
}

/// Pauses the Mine. What was submitted or made is still followed to its settlement.
#[utoipa::path(
    post, path = "/api/mine/pause", operation_id = "mine_pause", request_body = PauseBody,
    params(("X-Requested-With" = String, Header, description = "`sonar-ui`")),
    responses((status = OK, body = MineState), (status = BAD_REQUEST, body = Problem), (status = UNAUTHORIZED, body = Problem))
)]
async fn pause(State(app): State<Arc<App>>, Body(body): Body<PauseBody>) -> Result<Json<MineState>, Problem> {
    if body.minutes == Some(0) {
        return Err(Problem::usage("minutes is 0; pause for at least one minute"));
    }
    let length = body.minutes.map(|minutes| Duration::from_secs(u64::from(minutes) * 60));
    let pause = Pause::new(clock(), length, body.after_job);
    pause.write(&app.home.pause()).map_err(sonar_node::cli::Failure::from)?;
    Ok(Json(noticed(&app, |paused| paused == Some(pause)).await))
}

/// Ends the pause.
#[utoipa::path(
    post, path = "/api/mine/resume", operation_id = "mine_resume",
    params(("X-Requested-With" = String, Header, description = "`sonar-ui`")),
    responses((status = OK, body = MineState), (status = UNAUTHORIZED, body = Problem))
)]
async fn resume(State(app): State<Arc<App>>) -> Result<Json<MineState>, Problem> {
    Pause::end(&app.home.pause()).map_err(sonar_node::cli::Failure::from)?;
    Ok(Json(noticed(&app, |paused| paused.is_none()).await))
}

/// The status after the loop has noticed the file. While it is still waiting for the chain, it notices it later.
async fn noticed(app: &App, is_noticed: impl Fn(Option<Pause>) -> bool) -> MineState {
    app.wake.notify_one();
    let mut feed = app.feed.clone();
    let noticed = feed.wait_for(|snapshot| snapshot.chain.block.is_none() || is_noticed(snapshot.paused));
    // After an error or the time limit, the status shows what the loop knows.
    let _ = tokio::time::timeout(TURN, noticed).await;
    app.status()
}

/// What was disclosed about each data set, and what is left of its budget.
#[utoipa::path(get, path = "/api/mine/privacy", operation_id = "mine_privacy", responses((status = OK, body = PrivacyReport), (status = UNAUTHORIZED, body = Problem)))]
async fn privacy(State(app): State<Arc<App>>) -> Result<Json<PrivacyReport>, Problem> {
    let snapshot = app.feed.borrow().clone();
    let report = blocking(move || {
        let names = repository::names(&*app.store)?;
        Ok(PrivacyReport::new(snapshot.budget, &snapshot.ledger, names))
    });
    report.await?.map(Json).map_err(|error: repository::RepositoryError| Problem::internal(&error))
}

/// The data sets: names, columns and statistics, without rows.
#[utoipa::path(get, path = "/api/mine/data", operation_id = "mine_data", responses((status = OK, body = DataSetList), (status = UNAUTHORIZED, body = Problem)))]
async fn data(State(app): State<Arc<App>>) -> Result<Json<DataSetList>, Problem> {
    let profiles = blocking(move || repository::profiles(&*app.store)).await?;
    let profiles = profiles.map_err(|error| Problem::internal(&error))?;
    Ok(Json(DataSetList { items: profiles.into_iter().map(views::data_set).collect() }))
}

/// Checks keys, chain, IPFS, certificates, clock, disk and versions.
#[utoipa::path(get, path = "/api/mine/doctor", operation_id = "mine_doctor", responses((status = OK, body = Diagnosis), (status = UNAUTHORIZED, body = Problem)))]
async fn diagnose(State(app): State<Arc<App>>) -> Json<Diagnosis> {
    let node = app.services.get().map(|services| services.node.clone());
    Json(doctor::diagnose(&app.home, &app.config, node).await)
}

/// Notices of changes: `status`, `campaigns`, `jobs` and `earnings`, each with an id to resume from; `open` first.
#[utoipa::path(
    get, path = "/api/mine/events", operation_id = "mine_events",
    params(("Last-Event-ID" = Option<String>, Header, description = "Resume after this event")),
    responses(
        (status = OK, content_type = "text/event-stream", body = String),
        (status = UNAUTHORIZED, body = Problem), (status = SERVICE_UNAVAILABLE, body = Problem)
    )
)]
async fn changes(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<impl IntoResponse, Problem> {
    let permit = app.streams.clone().try_acquire_owned();
    let permit = permit.map_err(|_| Problem::unavailable("too many event streams are open; close some tabs"))?;
    let after = last_event_id(&headers);
    Ok(events::open(app.changes.clone(), app.stopping.clone(), after, permit))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pages' client is generated from this file.
    #[test]
    fn the_committed_openapi_document_is_that_of_the_routes() {
        testkit::openapi::check("mine", &documented().to_openapi().to_pretty_json().unwrap());
    }
}
