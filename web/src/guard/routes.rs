//! `/api/session`.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use axum::{
    Json, Router,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::{Deserialize, Serialize};
use sonar_node::cli::{Code, Failure};
use utoipa::{OpenApi, ToSchema};
use zeroize::Zeroizing;

use super::{Guard, Session, request};
use crate::{Face, extract::Body, guard::secret::Secret, problem::Problem};

pub const SESSION: &str = "/api/session";
const PASSPHRASE: &str = "/api/session/passphrase";

#[derive(OpenApi)]
#[openapi(paths(show, open, reauthenticate))]
struct Document;

/// The description of these routes, for the documents of guarded servers.
#[must_use]
pub fn document() -> utoipa::openapi::OpenApi {
    Document::openapi()
}

pub fn router(guard: Arc<Guard>) -> Router {
    Router::new().route(SESSION, get(show).post(open)).route(PASSPHRASE, post(reauthenticate)).with_state(guard)
}

/// A session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SessionInfo {
    /// Which pages this server shows.
    pub face: Face,
    /// Unix time until which actions that spend need no passphrase; `null` if they need it now.
    #[schema(required = true)]
    pub unlocked_until: Option<u64>,
}

/// The launch token, from the fragment of the link.
#[derive(Deserialize, ToSchema)]
struct TokenBody {
    token: String,
}

/// The passphrase.
#[derive(Deserialize, ToSchema)]
struct PassphraseBody {
    passphrase: String,
}

/// The session of this browser.
#[utoipa::path(
    get, path = "/api/session", operation_id = "session",
    responses((status = OK, body = SessionInfo), (status = UNAUTHORIZED, body = Problem))
)]
async fn show(State(guard): State<Arc<Guard>>, session: Session) -> Json<SessionInfo> {
    Json(SessionInfo { face: guard.face, unlocked_until: session.unlocked_until.and_then(unix) })
}

/// Exchanges the launch token for a session. A token works once.
#[utoipa::path(
    post, path = "/api/session", operation_id = "open_session", request_body = TokenBody,
    params(("X-Requested-With" = String, Header, description = "`sonar-ui`")),
    responses((status = NO_CONTENT, description = "With the cookie"), (status = FORBIDDEN, body = Problem))
)]
async fn open(
    State(guard): State<Arc<Guard>>,
    headers: HeaderMap,
    Body(body): Body<TokenBody>,
) -> Result<Response, Problem> {
    let id = guard.exchange(&body.token, &request::cookies(&headers, &guard.cookie()))?;
    let cookie = format!("{}={}; HttpOnly; SameSite=Strict; Path=/", guard.cookie(), id.reveal());
    let mut cookie = HeaderValue::try_from(cookie).map_err(|error| Problem::internal(&error))?;
    cookie.set_sensitive(true);
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie)]).into_response())
}

/// Enters the passphrase, which permits actions that spend for 15 minutes.
#[utoipa::path(
    post, path = "/api/session/passphrase", operation_id = "reauthenticate", request_body = PassphraseBody,
    params(("X-Requested-With" = String, Header, description = "`sonar-ui`")),
    responses(
        (status = OK, body = SessionInfo),
        (status = UNAUTHORIZED, body = Problem),
        (status = FORBIDDEN, description = "The passphrase is wrong", body = Problem),
        (status = NOT_FOUND, description = "No action of this server needs it", body = Problem),
        (status = TOO_MANY_REQUESTS, description = "Too soon after a wrong one", body = Problem)
    )
)]
async fn reauthenticate(
    State(guard): State<Arc<Guard>>,
    headers: HeaderMap,
    Body(body): Body<PassphraseBody>,
) -> Result<Json<SessionInfo>, Refusal> {
    guard.check_passphrase(Zeroizing::new(body.passphrase)).await?;
    let ids = request::cookies(&headers, &guard.cookie());
    let until = guard.state().sessions.unlock(&ids, Instant::now());
    let until = until.ok_or_else(|| guard.no_session())?;
    Ok(Json(SessionInfo { face: guard.face, unlocked_until: unix(until) }))
}

impl Guard {
    /// Opens a session for the launch token, which is replaced. Sessions that the browser had before end.
    fn exchange(&self, token: &str, before: &[&str]) -> Result<Secret, Problem> {
        let mut state = self.state();
        if !state.token.matches(token) {
            let detail =
                format!("this link was used before, or the program was started again; run `{}`", self.face.command());
            return Err(Problem::new(StatusCode::FORBIDDEN, "TOKEN", detail));
        }
        state.token = Secret::random();
        if let Some(home) = &state.home
            && let Err(error) = self.file(&state.token).write(home)
        {
            tracing::warn!(%error, "the next link cannot be written; the pages can be opened again after a restart only");
        }
        state.sessions.end(before);
        Ok(state.sessions.open(Instant::now()))
    }

    async fn check_passphrase(&self, passphrase: Zeroizing<String>) -> Result<(), Refusal> {
        let check = self.passphrase.clone();
        let check = check.ok_or_else(|| Problem::not_found("no action of this server needs a passphrase"))?;
        self.attempt(move || check(&passphrase)).await
    }

    /// Checks a passphrase on a thread of its own. After a wrong one, the next attempt has to wait, longer each time.
    ///
    /// # Errors
    /// What `check` returns, or that it is too soon.
    pub async fn attempt<T: Send + 'static>(
        &self,
        check: impl FnOnce() -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Refusal> {
        let Ok(_one_at_a_time) = self.checking.try_lock() else { return Err(Refusal::TooSoon(Duration::from_secs(1))) };
        self.state().attempts.start(Instant::now()).map_err(Refusal::TooSoon)?;
        let checked = tokio::task::spawn_blocking(check).await;
        let checked = checked.map_err(|error| Problem::internal(&error))?;
        // Only a wrong passphrase makes the next attempt wait.
        if checked.as_ref().err().is_none_or(|failure| failure.code != Code::WrongPassphrase) {
            self.state().attempts.succeed();
        }
        checked.map_err(|failure| refused(failure).into())
    }
}

fn refused(failure: Failure) -> Problem {
    match failure.code {
        Code::WrongPassphrase => Problem::new(StatusCode::FORBIDDEN, "PASSPHRASE", failure.message),
        _ => failure.into(),
    }
}

/// Why a passphrase was not accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is wrong, or cannot be checked.
    Problem(Problem),
    /// The last one was wrong, and this time has not passed since.
    TooSoon(Duration),
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let wait = match self {
            Self::Problem(problem) => return problem.into_response(),
            Self::TooSoon(wait) => wait,
        };
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        let detail = format!("a passphrase was wrong; try again in {seconds} s");
        let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "TOO_MANY_ATTEMPTS", detail);
        ([(header::RETRY_AFTER, seconds.to_string())], problem).into_response()
    }
}

/// The unix time of a moment in the future; `None` if it has passed.
fn unix(moment: Instant) -> Option<u64> {
    let left = moment.checked_duration_since(Instant::now())?;
    Some(SystemTime::now().checked_add(left)?.duration_since(UNIX_EPOCH).ok()?.as_secs())
}
