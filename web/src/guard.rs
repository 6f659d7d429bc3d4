//! Security of a server that acts for one person on this machine.
//!
//! Every page that the person visits can send requests to loopback addresses, and every program of the machine can too. So a
//! request passes these checks, in this order:
//!
//! 1. The server is bound to 127.0.0.1 or ::1 ([`Guard::new`]).
//! 2. `Host` names this server (421 otherwise): a foreign name that resolves to this machine is refused, before routing.
//!    The path has one spelling only, so that checks and routes agree on it.
//! 3. Requests for `/api`, and all that change something, come from this server's own pages: `Origin`, `Sec-Fetch-Site`,
//!    and, if they change something, a header that other origins cannot send without asking. No CORS header is ever sent.
//! 4. They have a session. `… ui` opens the pages with a launch token in the fragment of the link, from a file that only
//!    its owner can read. The page exchanges it for a cookie that scripts cannot read. A token works once.
//! 5. Actions that spend money or privacy budget ask for [`Reauthenticated`]: the passphrase was entered in the last 15
//!    minutes. Wrong passphrases have to wait, longer each time.
//!
//! ```text
//!  ui.json (0600) ──▶ /#t=TOKEN ──▶ POST /api/session ──▶ cookie ──▶ POST /api/session/passphrase ──▶ Reauthenticated
//!        ▲                                 │
//!        └───────── next token ────────────┘
//! ```

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use axum::{
    Router,
    extract::{FromRequestParts, Request, State},
    http::{HeaderValue, Method, StatusCode, header, request::Parts},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use sonar_node::{
    cli::{Code, Failure},
    files::FileError,
};
use tower_http::catch_panic::CatchPanicLayer;

use crate::{
    Face, headers,
    problem::{self, Problem},
};

mod launch;
mod request;
mod routes;
mod secret;
mod session;

pub use launch::{UiFile, open_browser, show_link};
pub use routes::{Refusal, SessionInfo, document};

use secret::Secret;
use session::{Attempts, Sessions};

/// Checks a passphrase.
type Passphrase = Box<dyn Fn(&str) -> Result<(), Failure> + Send + Sync>;

/// Why a server cannot be guarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GuardError {
    /// The address is reachable from other machines.
    #[error("{0} is not a loopback address: other machines could reach these pages; listen on 127.0.0.1 or [::1]")]
    NotLoopback(SocketAddr),
}

impl From<GuardError> for Failure {
    fn from(error: GuardError) -> Self {
        Self::new(Code::Listen, error)
    }
}

/// Guards a loopback server; one for each server.
pub struct Guard {
    face: Face,
    address: SocketAddr,
    public: Vec<&'static str>,
    passphrase: Option<Arc<Passphrase>>,
    /// Held while a passphrase is checked, so that guesses cannot run at the same time.
    checking: tokio::sync::Mutex<()>,
    state: Mutex<GuardState>,
}

struct GuardState {
    token: Secret,
    /// The home that has the link.
    home: Option<PathBuf>,
    sessions: Sessions,
    attempts: Attempts,
}

impl std::fmt::Debug for Guard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Guard").field("face", &self.face).field("address", &self.address).finish_non_exhaustive()
    }
}

impl Guard {
    /// The guard of the server that is bound to this address, with a new launch token.
    ///
    /// # Errors
    /// When other machines can reach the address.
    pub fn new(face: Face, address: SocketAddr) -> Result<Self, GuardError> {
        let loopback = [IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST)];
        if !loopback.contains(&address.ip()) {
            return Err(GuardError::NotLoopback(address));
        }
        let state = GuardState {
            token: Secret::random(),
            home: None,
            sessions: Sessions::default(),
            attempts: Attempts::default(),
        };
        let checking = tokio::sync::Mutex::default();
        Ok(Self { face, address, public: Vec::new(), passphrase: None, checking, state: Mutex::new(state) })
    }

    /// Accepts reads of this path under `/api` without a session: public facts.
    #[must_use]
    pub fn with_public(mut self, path: &'static str) -> Self {
        self.public.push(path);
        self
    }

    /// Sets how the passphrase is checked. `check` may block: it runs on a thread of its own. A failure with
    /// [`Code::WrongPassphrase`] means that it is wrong; others are answered as they are.
    #[must_use]
    pub fn with_passphrase(mut self, check: impl Fn(&str) -> Result<(), Failure> + Send + Sync + 'static) -> Self {
        self.passphrase = Some(Arc::new(Box::new(check)));
        self
    }

    /// Writes address and launch token to `ui.json` in the home, for [`open_browser`]. The file is removed by
    /// [`Self::unpublish`], or with the guard.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn publish(&self, home: &Path) -> Result<(), FileError> {
        let mut state = self.state();
        self.file(&state.token).write(home)?;
        state.home = Some(home.to_owned());
        Ok(())
    }

    /// Removes the file; call this when the server stops.
    pub fn unpublish(&self) {
        let mut state = self.state();
        let Some(home) = state.home.take() else { return };
        // A server that was started since may have written its own.
        if UiFile::read(&home).is_ok_and(|file| state.token.matches(&file.token)) {
            // Without it, `… ui` finds out by connecting.
            let _ = std::fs::remove_file(UiFile::path(&home));
        }
    }

    /// The link that opens the pages, once.
    #[must_use]
    pub fn link(&self) -> String {
        self.file(&self.state().token).link()
    }

    /// Guards all routes of a server, its fallback included, and adds `/api/session`. Handlers get a [`Session`].
    pub fn protect(self: Arc<Self>, router: Router) -> Router {
        let router = router
            .merge(routes::router(self.clone()))
            .method_not_allowed_fallback(problem::method_not_allowed)
            .layer(CatchPanicLayer::custom(problem::from_panic));
        // As a fallback, because layers of a router run after it has chosen a route.
        Router::new().fallback_service(router).layer(middleware::from_fn_with_state(self, guard))
    }

    /// Checks a request, and attaches its session.
    fn admit(&self, mut request: Request) -> Result<Request, Problem> {
        let host = request::check_host(request.uri(), request.headers(), self.address.port())?;
        let path = request.uri().path();
        request::check_path(path)?;
        let reads = matches!(*request.method(), Method::GET | Method::HEAD);
        let is_api = path == "/api" || path.starts_with("/api/");
        if reads && !is_api {
            return Ok(request);
        }
        request::check_source(&host, reads, request.headers())?;
        let needs_session = match path {
            routes::SESSION => *request.method() != Method::POST,
            path => !(reads && self.public.contains(&path)),
        };
        let session = self.state().sessions.find(&request::cookies(request.headers(), &self.cookie()), Instant::now());
        match session {
            Some(session) => {
                request.extensions_mut().insert(session);
            }
            None if needs_session => return Err(self.no_session()),
            None => {}
        }
        Ok(request)
    }

    fn no_session(&self) -> Problem {
        let command = self.face.command();
        Problem::new(
            StatusCode::UNAUTHORIZED,
            "NO_SESSION",
            format!("there is no session; open this page with `{command}`"),
        )
    }

    /// Browsers send a cookie to all ports of a host, so each server has a name of its own.
    fn cookie(&self) -> String {
        format!("session-{}", self.address.port())
    }

    fn file(&self, token: &Secret) -> UiFile {
        UiFile { url: format!("http://{}", self.address), token: token.reveal() }
    }

    fn state(&self) -> MutexGuard<'_, GuardState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.unpublish();
    }
}

async fn guard(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    let is_api = request.uri().path().starts_with("/api");
    let mut response = match guard.admit(request) {
        Ok(request) => next.run(request).await,
        Err(problem) => problem.into_response(),
    };
    headers::secure(response.headers_mut());
    if is_api {
        response.headers_mut().entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    }
    response
}

/// The session of a request, for handlers of guarded routes.
#[derive(Clone, Copy, Debug)]
pub struct Session {
    unlocked_until: Option<Instant>,
}

impl Session {
    /// Whether the passphrase was entered in the last 15 minutes.
    #[must_use]
    pub fn is_recent(&self) -> bool {
        self.unlocked_until.is_some_and(|until| Instant::now() < until)
    }

    /// Checks that the passphrase was entered in the last 15 minutes.
    ///
    /// # Errors
    /// 403 `REAUTHENTICATE` otherwise.
    pub fn require_recent(&self) -> Result<(), Problem> {
        if self.is_recent() {
            return Ok(());
        }
        Err(Problem::new(
            StatusCode::FORBIDDEN,
            "REAUTHENTICATE",
            "this action needs the passphrase, entered in the last 15 minutes",
        ))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Session {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        // Also where a route was left out of the guard by mistake.
        parts
            .extensions
            .get::<Self>()
            .copied()
            .ok_or_else(|| Problem::new(StatusCode::UNAUTHORIZED, "NO_SESSION", "this route needs a session"))
    }
}

/// For handlers of actions that spend money or privacy budget: the passphrase was entered in the last 15 minutes.
#[derive(Clone, Copy, Debug)]
pub struct Reauthenticated;

impl<S: Send + Sync> FromRequestParts<S> for Reauthenticated {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        Session::from_request_parts(parts, state).await?.require_recent().map(|()| Self)
    }
}
