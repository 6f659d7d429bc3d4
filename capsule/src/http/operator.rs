//! The API of the operator's page. Needs a session: see `sonar_web::guard`.

use std::{collections::VecDeque, convert::Infallible, sync::Arc, time::Duration};

use axum::{
    Json, Router,
    extract::State,
    http::HeaderMap,
    response::sse::{Event, KeepAlive, Sse},
};
use futures::{Stream, stream};
use serde_json::json;
use sonar_web::{extract::last_event_id, guard, problem::Problem};
use tokio::sync::watch;
use utoipa::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::overview::{Campaigns, Overview, OverviewFeed, OwnKeys, Status};

const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// What the routes share.
#[derive(Debug)]
pub struct OperatorPage {
    /// The Capsule's keys.
    pub keys: OwnKeys,
    /// What is shown.
    pub feed: Arc<OverviewFeed>,
}

#[derive(OpenApi)]
#[openapi(info(
    title = "Capsule",
    description = "The operator's page of `capsule serve`, on loopback only. All routes need the session cookie. \
                   Amounts and ids are strings, times unix seconds. Errors are application/problem+json.",
    license(name = "Apache-2.0 OR MIT"),
))]
struct Document;

/// `/api/capsule/…`
pub fn router(page: OperatorPage) -> Router {
    documented().with_state(Arc::new(page)).split_for_parts().0
}

/// The description of all routes that need a session.
#[must_use]
pub fn document() -> utoipa::openapi::OpenApi {
    let mut document = documented().into_openapi();
    document.merge(guard::document());
    document
}

fn documented() -> OpenApiRouter<Arc<OperatorPage>> {
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(status))
        .routes(routes!(campaigns))
        .routes(routes!(events))
}

/// Registration, stake, money, keys, and what needs the operator.
#[utoipa::path(
    get, path = "/api/capsule/status",
    responses((status = OK, body = Status), (status = UNAUTHORIZED, body = Problem))
)]
async fn status(State(page): State<Arc<OperatorPage>>) -> Json<Status> {
    let overview = page.feed.subscribe().borrow().clone();
    Json(overview.status(&page.keys, page.feed.age()))
}

/// All campaigns of this Capsule, the next deadline first.
#[utoipa::path(
    get, path = "/api/capsule/campaigns",
    responses((status = OK, body = Campaigns), (status = UNAUTHORIZED, body = Problem))
)]
async fn campaigns(State(page): State<Arc<OperatorPage>>) -> Json<Campaigns> {
    Json(page.feed.subscribe().borrow().campaigns())
}

/// Notices of changes (server-sent events): `status` and `campaigns` report which of the other routes has a new answer.
///
/// Begins with an `open` message. A client that reconnects with `Last-Event-ID` is told at once if it missed a change.
#[utoipa::path(
    get, path = "/api/capsule/events", params(("Last-Event-ID" = Option<String>, Header,)),
    responses(
        (status = OK, body = String, content_type = "text/event-stream"),
        (status = UNAUTHORIZED, body = Problem)
    )
)]
async fn events(
    State(page): State<Arc<OperatorPage>>,
    headers: HeaderMap,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let last = last_event_id(&headers);
    let notices = Notices::new(page.feed.subscribe(), last);
    let stream =
        stream::unfold(notices, |mut notices| async { notices.next().await.map(|event| (Ok(event), notices)) });
    Sse::new(stream).keep_alive(KeepAlive::new().interval(KEEP_ALIVE))
}

struct Notices {
    overview: watch::Receiver<Overview>,
    seen: Overview,
    ready: VecDeque<Event>,
}

impl Notices {
    fn new(mut overview: watch::Receiver<Overview>, last: Option<&str>) -> Self {
        let seen = overview.borrow_and_update().clone();
        let mut ready = VecDeque::from([notice("open", &seen)]);
        // Also after a restart, because ids name the process.
        if last.is_some_and(|last| last != id(&seen)) {
            ready.extend(["status", "campaigns"].map(|name| notice(name, &seen)));
        }
        Self { overview, seen, ready }
    }

    async fn next(&mut self) -> Option<Event> {
        if self.ready.is_empty() {
            // Ends when the Capsule stops.
            self.overview.changed().await.ok()?;
            let now = self.overview.borrow_and_update().clone();
            self.ready.push_back(notice("status", &now));
            if now.campaigns != self.seen.campaigns {
                self.ready.push_back(notice("campaigns", &now));
            }
            self.seen = now;
        }
        self.ready.pop_front()
    }
}

fn notice(name: &str, overview: &Overview) -> Event {
    let data = json!({ "block": overview.block });
    Event::default().event(name).id(id(overview)).data(data.to_string())
}

fn id(overview: &Overview) -> String {
    format!("{:x}-{}", std::process::id(), overview.revision)
}
