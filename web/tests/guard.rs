//! Attacks on a guarded server, byte by byte over real sockets.

use std::{
    convert::Infallible,
    os::unix::fs::PermissionsExt,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use axum::{
    Router,
    response::sse::{Event, Sse},
    routing::{get, post},
};
use sonar_node::cli::{Code, Failure, Globals, Output};
use sonar_web::{
    Face,
    guard::{Guard, GuardError, Reauthenticated, Session, UiFile, open_browser},
    pages::Pages,
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

const PASSPHRASE: &str = "correct horse";

/// A guarded server with a home. Its handlers count, so that a test sees what had an effect.
struct Site {
    port: u16,
    home: TempDir,
    effects: Arc<AtomicU32>,
    server: tokio::task::JoinHandle<()>,
}

struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value).next()
    }

    fn code(&self) -> String {
        let problem: serde_json::Value = serde_json::from_str(&self.body).unwrap_or_default();
        problem["code"].as_str().unwrap_or_default().to_owned()
    }
}

impl Site {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let home = tempfile::tempdir().unwrap();
        let guard = Guard::new(Face::Mine, address).unwrap().with_public("/api/v1/status").with_passphrase(check);
        guard.publish(home.path()).unwrap();
        let effects = Arc::new(AtomicU32::new(0));
        let counted = |effects: &Arc<AtomicU32>| {
            let effects = effects.clone();
            move || {
                effects.fetch_add(1, Ordering::Relaxed);
            }
        };
        let (act, spend) = (counted(&effects), counted(&effects));
        let events = async || Sse::new(futures::stream::iter([Ok::<_, Infallible>(Event::default().data("first"))]));
        let router = Router::new()
            .route("/api/v1/status", get(async || "public"))
            .route("/api/mine/status", get(async |_: Session| "private"))
            .route("/api/mine/events", get(events))
            .route("/api/mine/pause", post(async move || act()))
            .route("/api/mine/withdraw", post(async move |_: Reauthenticated| spend()))
            .merge(Pages::new(Face::Mine).router());
        let router = Arc::new(guard).protect(router);
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { port: address.port(), home, effects, server }
    }

    /// Sends exactly these lines after the request line; without `Host` among them, adds the right one.
    async fn send(&self, request: &str, headers: &[&str], body: &str) -> Answer {
        let has_host = headers.iter().any(|header| header.to_ascii_lowercase().starts_with("host:"));
        let mut text = format!("{request} HTTP/1.1\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
        if !has_host {
            text += &format!("Host: 127.0.0.1:{}\r\n", self.port);
        }
        for header in headers {
            text += &format!("{header}\r\n");
        }
        text += &format!("\r\n{body}");
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, head: head.to_owned(), body: body.to_owned() }
    }

    fn origin(&self) -> String {
        format!("Origin: http://127.0.0.1:{}", self.port)
    }

    fn token(&self) -> String {
        UiFile::read(self.home.path()).unwrap().token
    }

    /// Sends a change as the pages do, with these headers in addition.
    async fn change(&self, path: &str, headers: &[&str], body: &str) -> Answer {
        let origin = self.origin();
        let own = [origin.as_str(), "X-Requested-With: sonar-ui", "Content-Type: application/json"];
        self.send(&format!("POST {path}"), &[&own[..], headers].concat(), body).await
    }

    async fn exchange(&self, token: &str, headers: &[&str]) -> Answer {
        self.change("/api/session", headers, &format!("{{\"token\":\"{token}\"}}")).await
    }

    async fn enter(&self, passphrase: &str, cookie: &str) -> Answer {
        let body = format!("{{\"passphrase\":\"{passphrase}\"}}");
        self.change("/api/session/passphrase", &[cookie], &body).await
    }

    /// The header `Cookie` of a new session.
    async fn login(&self) -> String {
        let answer = self.exchange(&self.token(), &[]).await;
        assert_eq!(answer.status, 204, "{}", answer.body);
        let cookie = answer.header("set-cookie").unwrap();
        format!("Cookie: {}", cookie.split(';').next().unwrap())
    }

    fn effects(&self) -> u32 {
        self.effects.load(Ordering::Relaxed)
    }
}

fn check(passphrase: &str) -> Result<(), Failure> {
    if passphrase == PASSPHRASE { Ok(()) } else { Err(Failure::new(Code::WrongPassphrase, "the passphrase is wrong")) }
}

#[tokio::test]
async fn the_owner_gets_in() {
    let site = Site::start().await;
    assert_eq!(site.send("GET /", &["Accept: text/html"], "").await.status, 200);
    let cookie = site.login().await;
    let session = site.send("GET /api/session", &[&cookie], "").await;
    assert_eq!((session.status, session.body.as_str()), (200, r#"{"face":"mine","unlocked_until":null}"#));
    assert_eq!(site.send("GET /api/mine/status", &[&cookie], "").await.body, "private");
    let wrong = site.change("/api/mine/status", &[&cookie], "").await;
    assert_eq!((wrong.status, wrong.code().as_str()), (405, "METHOD"));
    assert_eq!(site.change("/api/mine/pause", &[&cookie], "").await.status, 200);
    let same_origin = ["X-Requested-With: sonar-ui", "Sec-Fetch-Site: same-origin", &cookie];
    assert_eq!(site.send("POST /api/mine/pause", &same_origin, "").await.status, 200);
    assert_eq!(site.effects(), 2);
    let names = [format!("Host: localhost:{}", site.port), format!("Host: [::1]:{}", site.port)];
    for name in &names {
        assert_eq!(site.send("GET /api/mine/status", &[name, &cookie], "").await.status, 200, "{name}");
    }
}

#[tokio::test]
async fn an_address_that_other_machines_reach_is_refused() {
    for address in ["0.0.0.0:8070", "192.168.1.2:8070", "[::]:8070", "[2001:db8::1]:8070"] {
        let address = address.parse().unwrap();
        assert_eq!(Guard::new(Face::Mine, address).unwrap_err(), GuardError::NotLoopback(address));
    }
    assert!(Guard::new(Face::Mine, "[::1]:8070".parse().unwrap()).is_ok());
}

#[tokio::test]
async fn a_foreign_host_is_misdirected_on_every_route() {
    let site = Site::start().await;
    let cookie = site.login().await;
    let port = site.port;
    let hosts = [
        "Host: rebound.example".to_owned(),
        format!("Host: rebound.example:{port}"),
        format!("Host: 127.0.0.1.rebound.example:{port}"),
        "Host: 127.0.0.1".into(),
        "Host: ".into(),
    ];
    for host in &hosts {
        for path in ["/", "/assets/x.js", "/api/v1/status", "/api/mine/status", "/api/mine/events", "/nothing"] {
            let answer = site.send(&format!("GET {path}"), &[host, &cookie], "").await;
            assert_eq!((answer.status, answer.code().as_str()), (421, "MISDIRECTED"), "{host} {path}");
        }
        let origin = host.replace("Host: ", "Origin: http://");
        let headers = [host, &origin, "X-Requested-With: sonar-ui", &cookie];
        assert_eq!(site.send("POST /api/mine/pause", &headers, "").await.status, 421, "{host}");
    }
    assert_eq!(site.effects(), 0);
}

#[tokio::test]
async fn a_host_with_another_port_is_misdirected() {
    let site = Site::start().await;
    let cookie = site.login().await;
    let host = format!("Host: 127.0.0.1:{}", site.port ^ 1);
    assert_eq!(site.send("GET /api/mine/status", &[&host, &cookie], "").await.status, 421);
}

#[tokio::test]
async fn an_absolute_target_cannot_replace_the_host() {
    let site = Site::start().await;
    let cookie = site.login().await;
    let foreign = format!("GET http://rebound.example:{}/api/mine/status", site.port);
    assert_eq!(site.send(&foreign, &[&cookie], "").await.status, 421);
    let own = format!("GET http://127.0.0.1:{}/api/mine/status", site.port);
    assert_eq!(site.send(&own, &["Host: rebound.example", &cookie], "").await.status, 421);
    assert_eq!(site.send(&own, &[], "").await.status, 401);
    assert_eq!(site.send(&own, &[&cookie], "").await.status, 200);
}

#[tokio::test]
async fn a_request_with_two_hosts_is_refused() {
    let site = Site::start().await;
    let own = format!("Host: 127.0.0.1:{}", site.port);
    let status = site.send("GET /", &[&own, "Host: rebound.example"], "").await.status;
    assert!(status == 400 || status == 421, "{status}");
}

#[tokio::test]
async fn a_foreign_or_opaque_origin_changes_nothing() {
    let site = Site::start().await;
    let cookie = site.login().await;
    let port = site.port;
    let origins = [
        "Origin: null".to_owned(),
        "Origin: http://evil.example".into(),
        format!("Origin: http://127.0.0.1:{}", port ^ 1),
        format!("Origin: https://127.0.0.1:{port}"),
        format!("Origin: http://localhost:{port}"),
        "Origin: http://127.0.0.1".into(),
    ];
    for origin in &origins {
        for site_header in ["Sec-Fetch-Site: same-origin", "X-Nothing: 1"] {
            let headers = [origin, site_header, "X-Requested-With: sonar-ui", &cookie];
            let answer = site.send("POST /api/mine/pause", &headers, "").await;
            assert_eq!((answer.status, answer.code().as_str()), (403, "ORIGIN"), "{origin}");
        }
        let answer = site.send("GET /api/mine/status", &[origin, &cookie], "").await;
        assert_eq!((answer.status, answer.code().as_str()), (403, "ORIGIN"), "{origin}");
        assert!(answer.header("access-control-allow-origin").is_none());
    }
    let without = site.send("POST /api/mine/pause", &["X-Requested-With: sonar-ui", &cookie], "").await;
    assert_eq!((without.status, without.code().as_str()), (403, "ORIGIN"), "neither Origin nor Sec-Fetch-Site");
    assert_eq!(site.effects(), 0);
}

#[tokio::test]
async fn a_change_without_the_custom_header_is_refused() {
    let site = Site::start().await;
    let (cookie, origin) = (site.login().await, site.origin());
    for header in ["X-Nothing: 1", "X-Requested-With: XMLHttpRequest", "X-Requested-With:"] {
        let answer = site.send("POST /api/mine/pause", &[&origin, &cookie, header], "").await;
        assert_eq!((answer.status, answer.code().as_str()), (403, "HEADER"), "{header}");
    }
    for method in ["PUT", "DELETE", "PATCH", "OPTIONS"] {
        let answer = site.send(&format!("{method} /api/mine/pause"), &[&origin, &cookie], "").await;
        assert_eq!(answer.status, 403, "{method}");
    }
    assert_eq!(site.effects(), 0);
}

#[tokio::test]
async fn a_request_that_another_site_caused_is_refused() {
    let site = Site::start().await;
    let (cookie, origin) = (site.login().await, site.origin());
    for value in ["cross-site", "same-site", "unknown"] {
        let fetch = format!("Sec-Fetch-Site: {value}");
        let headers = [&origin, &fetch, "X-Requested-With: sonar-ui", &cookie];
        assert_eq!(site.send("POST /api/mine/pause", &headers, "").await.code(), "ORIGIN", "{value}");
        assert_eq!(site.send("GET /api/mine/status", &[&fetch, &cookie], "").await.code(), "ORIGIN", "{value}");
        assert_eq!(site.send("GET /api/mine/events", &[&fetch, &cookie], "").await.code(), "ORIGIN", "{value}");
    }
    let typed = site.send("GET /api/mine/status", &["Sec-Fetch-Site: none", &cookie], "").await;
    assert_eq!(typed.status, 200, "an address that the owner typed");
    assert_eq!(site.effects(), 0);
}

#[tokio::test]
async fn without_a_session_nothing_is_answered() {
    let site = Site::start().await;
    for path in ["/api/mine/status", "/api/mine/nothing", "/api/session", "/api", "/api/"] {
        let answer = site.send(&format!("GET {path}"), &[], "").await;
        assert_eq!((answer.status, answer.code().as_str()), (401, "NO_SESSION"), "{path}");
        assert!(answer.body.contains("mine ui") && !answer.body.contains(&site.token()), "{}", answer.body);
    }
    assert_eq!(site.send("HEAD /api/mine/status", &[], "").await.status, 401);
    assert_eq!(site.change("/api/mine/pause", &[], "").await.status, 401);
    assert_eq!(site.change("/api/session/passphrase", &[], "{\"passphrase\":\"correct horse\"}").await.status, 401);
    assert_eq!(site.change("/elsewhere", &[], "").await.status, 401);
    assert_eq!(site.effects(), 0);
    assert_eq!(site.send("GET /api/v1/status", &[], "").await.body, "public");
    assert_eq!(site.change("/api/v1/status", &[], "").await.status, 401, "only reading is public");
}

#[tokio::test]
async fn a_stream_needs_a_session() {
    let site = Site::start().await;
    assert_eq!(site.send("GET /api/mine/events", &["Accept: text/event-stream"], "").await.status, 401);
    let cookie = site.login().await;
    let answer = site.send("GET /api/mine/events", &["Accept: text/event-stream", &cookie], "").await;
    assert!(answer.status == 200 && answer.body.contains("data: first"), "{}", answer.body);
}

#[tokio::test]
async fn a_missing_or_forged_token_opens_no_session() {
    let site = Site::start().await;
    let token = site.token();
    let flipped = format!("{}{}", &token[..63], if token.ends_with('0') { '1' } else { '0' });
    for forged in ["", "0", &token[..63], &format!("{token}0"), &flipped, &token.to_uppercase().replace('0', "1")] {
        let answer = site.exchange(forged, &[]).await;
        assert_eq!((answer.status, answer.code().as_str()), (403, "TOKEN"), "{forged}");
        assert!(answer.header("set-cookie").is_none() && !answer.body.contains(&token));
    }
    let answer = site.change("/api/session", &[], "{}").await;
    assert_eq!(answer.status, 400);
    let origin = site.origin();
    let body = format!("{{\"token\":\"{token}\"}}");
    let json = "Content-Type: application/json";
    for headers in [
        &[json, "X-Requested-With: sonar-ui"][..],
        &[json, &origin],
        &[json, "Origin: null", "X-Requested-With: sonar-ui"],
    ] {
        assert_eq!(site.send("POST /api/session", headers, &body).await.status, 403, "{headers:?}");
    }
    assert_eq!(site.token(), token, "a refused exchange uses no token");
    assert_eq!(site.exchange(&token, &[]).await.status, 204);
}

#[tokio::test]
async fn a_token_works_once_and_the_file_has_the_next_one() {
    let site = Site::start().await;
    let first = site.token();
    site.login().await;
    let replayed = site.exchange(&first, &[]).await;
    assert_eq!((replayed.status, replayed.code().as_str()), (403, "TOKEN"));
    assert_ne!(site.token(), first);
    site.login().await;
}

#[tokio::test]
async fn only_the_owner_can_read_the_file_and_it_goes_with_the_server() {
    let site = Site::start().await;
    let path = UiFile::path(site.home.path());
    let mode = || std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(), 0o600);
    site.login().await;
    assert_eq!(mode(), 0o600, "also after the token was replaced");
    let file = UiFile::read(site.home.path()).unwrap();
    assert_eq!(file.link(), format!("http://127.0.0.1:{}/#t={}", site.port, file.token));
    assert!(!format!("{file:?}").contains(&file.token));
    site.server.abort();
    assert!(site.server.await.unwrap_err().is_cancelled());
    assert!(!path.exists());
}

#[tokio::test]
async fn only_a_running_program_is_opened() {
    let output = Output::new(&Globals::default(), "mine.ui/1");
    let open = async |home: &std::path::Path| open_browser(home, "mine run", true, &output).await;
    let empty = tempfile::tempdir().unwrap();
    let failure = open(empty.path()).await.unwrap_err();
    assert_eq!(failure.code, Code::NotRunning);
    assert!(failure.help.unwrap().contains("mine run"));

    let site = Site::start().await;
    let report = open(site.home.path()).await.unwrap();
    assert!(format!("{report:?}").contains(&format!("http://127.0.0.1:{}/#t={}", site.port, site.token())));
    // As a killed program leaves it.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    UiFile { url, token: site.token() }.write(empty.path()).unwrap();
    assert_eq!(open(empty.path()).await.unwrap_err().code, Code::NotRunning);
}

#[tokio::test]
async fn a_later_server_keeps_its_file() {
    let (one, home) = (Guard::new(Face::Desk, "127.0.0.1:1".parse().unwrap()).unwrap(), tempfile::tempdir().unwrap());
    one.publish(home.path()).unwrap();
    let other = Guard::new(Face::Desk, "127.0.0.1:2".parse().unwrap()).unwrap();
    other.publish(home.path()).unwrap();
    drop(one);
    assert_eq!(UiFile::read(home.path()).unwrap().link(), other.link());
}

#[tokio::test]
async fn the_cookie_is_for_this_server_and_no_script() {
    let site = Site::start().await;
    let answer = site.exchange(&site.token(), &[]).await;
    let cookie = answer.header("set-cookie").unwrap();
    assert!(cookie.starts_with(&format!("session-{}=", site.port)), "{cookie}");
    assert!(cookie.ends_with("; HttpOnly; SameSite=Strict; Path=/"), "{cookie}");
    assert!(answer.body.is_empty());
}

#[tokio::test]
async fn the_cookie_of_another_server_is_worth_nothing() {
    let (site, other) = (Site::start().await, Site::start().await);
    let cookie = other.login().await;
    assert_eq!(site.send("GET /api/mine/status", &[&cookie], "").await.status, 401);
    let renamed = cookie.replace(&other.port.to_string(), &site.port.to_string());
    assert_eq!(site.send("GET /api/mine/status", &[&renamed], "").await.status, 401);
    // Browsers send the cookies of all ports. Neither hides the other.
    let own = site.login().await;
    let both = format!("{cookie}; {}; {}", renamed.trim_start_matches("Cookie: "), own.trim_start_matches("Cookie: "));
    assert_eq!(site.send("GET /api/mine/status", &[&both], "").await.status, 200);
}

#[tokio::test]
async fn a_session_cannot_be_fixed_in_advance() {
    let site = Site::start().await;
    let planted = format!("Cookie: session-{}={}", site.port, "a".repeat(64));
    assert_eq!(site.send("GET /api/mine/status", &[&planted], "").await.status, 401);
    let answer = site.exchange(&site.token(), &[&planted]).await;
    assert!(answer.status == 204 && !answer.head.contains(&"a".repeat(64)));
    assert_eq!(site.send("GET /api/mine/status", &[&planted], "").await.status, 401);

    // A new session of the same browser replaces the one before.
    let first = site.login().await;
    let answer = site.exchange(&site.token(), &[&first]).await;
    assert!(!answer.head.contains(first.split_once('=').unwrap().1));
    assert_eq!(site.send("GET /api/mine/status", &[&first], "").await.status, 401);
}

#[tokio::test]
async fn tricks_with_paths_reach_no_route() {
    let site = Site::start().await;
    for path in [
        "/x/../api/mine/status",
        "/./api/mine/status",
        "//api/mine/status",
        "/api//mine/status",
        "/api/../api/mine/status",
        "/%61pi/mine/status",
        "/api%2fmine%2fstatus",
        "/%2e%2e/api/mine/status",
        "/x\\..\\api\\mine\\status",
        "/api/mine/status/%2e",
        "/assets/..%2f..%2fui.json",
        "/assets/%00",
    ] {
        for cookie in ["X-Nothing: 1".to_owned(), site.login().await] {
            let answer = site.send(&format!("GET {path}"), &["Accept: text/html", &cookie], "").await;
            assert_eq!(answer.status, 400, "{path}: {}", answer.body);
            assert!(!answer.body.contains("private"));
        }
    }
    for path in ["/API/mine/status", "/api;x/mine/status", "/apix"] {
        let answer = site.send(&format!("GET {path}"), &[], "").await;
        assert_eq!((answer.status, answer.code().as_str()), (404, "NOT_FOUND"), "{path}");
    }
}

#[tokio::test]
async fn spending_needs_the_passphrase_again() {
    let site = Site::start().await;
    let (cookie, other) = (site.login().await, site.login().await);
    let answer = site.change("/api/mine/withdraw", &[&cookie], "").await;
    assert_eq!((answer.status, answer.code().as_str()), (403, "REAUTHENTICATE"));
    assert_eq!(site.change("/api/mine/withdraw", &[], "").await.code(), "NO_SESSION");

    let entered = site.enter(PASSPHRASE, &cookie).await;
    assert_eq!(entered.status, 200, "{}", entered.body);
    let session: serde_json::Value =
        serde_json::from_str(&site.send("GET /api/session", &[&cookie], "").await.body).unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let until = session["unlocked_until"].as_u64().unwrap();
    assert!((now + 14 * 60..=now + 15 * 60).contains(&until), "{until}");
    assert_eq!(site.change("/api/mine/withdraw", &[&cookie], "").await.status, 200);
    assert_eq!(site.change("/api/mine/withdraw", &[&other], "").await.code(), "REAUTHENTICATE", "another browser");
    assert_eq!(site.effects(), 1);
}

#[tokio::test]
async fn guesses_of_the_passphrase_have_to_wait() {
    let site = Site::start().await;
    let cookie = site.login().await;
    let wrong = site.enter("wrong", &cookie).await;
    assert_eq!((wrong.status, wrong.code().as_str()), (403, "PASSPHRASE"));
    for passphrase in ["wrong", PASSPHRASE] {
        let early = site.enter(passphrase, &cookie).await;
        assert_eq!((early.status, early.code().as_str()), (429, "TOO_MANY_ATTEMPTS"));
        assert_eq!(early.header("retry-after"), Some("1"));
    }
    let other = site.login().await;
    assert_eq!(site.enter("wrong", &other).await.status, 429, "another session does not start anew");
    assert_eq!(site.change("/api/mine/withdraw", &[&cookie], "").await.code(), "REAUTHENTICATE");
}

#[tokio::test]
async fn every_answer_protects_the_browser() {
    let site = Site::start().await;
    let cookie = site.login().await;
    for (request, header) in [
        ("GET /", "Accept: text/html"),
        ("GET /nothing.js", "Accept: */*"),
        ("GET /api/mine/status", cookie.as_str()),
        ("GET /api/mine/status", "X-Nothing: 1"),
        ("GET //", "X-Nothing: 1"),
        ("GET /", "Host: rebound.example"),
    ] {
        let answer = site.send(request, &[header], "").await;
        let policy = answer.header("content-security-policy").unwrap();
        for rule in [
            "default-src 'self';",
            "script-src 'self';",
            "frame-ancestors 'none'",
            "connect-src 'self';",
            "base-uri 'none'",
        ] {
            assert!(policy.contains(rule), "{request}: {policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
        assert_eq!(answer.header("cross-origin-resource-policy"), Some("same-origin"));
        assert!(!answer.head.to_lowercase().contains("access-control"), "{}", answer.head);
    }
    let answer = site.send("GET /api/mine/status", &[&cookie], "").await;
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}
