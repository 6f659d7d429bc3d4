//! Sonar's public API, seen through the desk: `GET /api/v1/…` is asked of the configured Sonar.
//!
//! Sonar may be somebody else's. It learns nothing of the browser but the path, and what it answers cannot act in the pages: only data types
//! pass, and a browser that opens an answer directly treats it as a foreign page without scripts.

use std::{sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use futures::{StreamExt, TryStreamExt, stream};
use sonar_node::{cli::Failure, http};
use sonar_web::problem::Problem;
use tokio::time::timeout;

use super::Desk;

/// Time limit to connect.
const CONNECT: Duration = Duration::from_secs(5);
/// Time limit until the head of an answer.
const ANSWER: Duration = Duration::from_secs(35);
/// Time limit between two parts of an answer; streams send a comment every 15 s.
const SILENCE: Duration = Duration::from_secs(60);
/// Size limit of an answer that is not a stream of events.
const LIMIT: u64 = 64 << 20;
const PREFIX: &str = "/api/v1/";
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// All headers of the browser that Sonar gets.
const FORWARDED: [HeaderName; 2] = [header::ACCEPT, LAST_EVENT_ID];
/// All headers of an answer that the browser gets.
const RETURNED: [HeaderName; 4] =
    [header::CONTENT_TYPE, header::CONTENT_DISPOSITION, header::ETAG, header::RETRY_AFTER];
const EVENTS: &str = "text/event-stream";
/// Types of answers that pass. A script or a page does not.
const TYPES: [&str; 7] = [
    "application/json",
    "application/problem+json",
    EVENTS,
    "text/csv",
    "text/plain",
    "application/atom+xml",
    "image/svg+xml",
];
/// For a browser that opens an answer directly.
const POLICY: &str = "default-src 'none'; sandbox";

/// Where the public API is.
#[derive(Debug)]
pub struct Proxy {
    /// Base URL without `/` at its end; `None` if no Sonar is configured.
    sonar: Option<String>,
    http: reqwest::Client,
}

impl Proxy {
    pub fn new(sonar: Option<&str>) -> Result<Self, Failure> {
        let sonar = sonar.map(|url| url.trim_end_matches('/').to_owned());
        let http = http::builder(sonar.as_deref().unwrap_or_default())
            .connect_timeout(CONNECT)
            .read_timeout(SILENCE)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(Failure::internal)?;
        Ok(Self { sonar, http })
    }

    async fn ask(&self, uri: &Uri, headers: &HeaderMap) -> Result<Response, Problem> {
        let sonar = self.sonar.as_deref().ok_or_else(|| {
            Problem::unavailable("no Sonar is configured: start `sonar ui` with --sonar, or set it in config.toml")
        })?;
        let request = self.http.get(target(sonar, uri)?).headers(forwarded(headers));
        let unreachable =
            |reason: String| Problem::unavailable(format!("Sonar at {} does not answer: {reason}", http::shown(sonar)));
        let answer = timeout(ANSWER, request.send()).await;
        let answer = answer.map_err(|_| unreachable(format!("no answer within {} s", ANSWER.as_secs())))?;
        let answer = answer.map_err(|error| unreachable(http::reason(sonar, &error)))?;
        pass(sonar, answer)
    }
}

/// The URL that is asked. Only plain characters: the client would read `%2e%2e` as `..`.
fn target(sonar: &str, uri: &Uri) -> Result<String, Problem> {
    let is_plain = |segment: &str| {
        let plain = segment.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.' | b'~'));
        plain && !segment.is_empty() && !matches!(segment, "." | "..")
    };
    let path = uri.path().strip_prefix(PREFIX).filter(|rest| rest.split('/').all(is_plain));
    let path = path.ok_or_else(|| Problem::not_found("Sonar has no such route"))?;
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    Ok(format!("{sonar}{PREFIX}{path}{query}"))
}

fn forwarded(headers: &HeaderMap) -> HeaderMap {
    FORWARDED.iter().filter_map(|name| Some((name.clone(), headers.get(name)?.clone()))).collect()
}

/// Passes Sonar's answer on, part by part.
fn pass(sonar: &str, answer: reqwest::Response) -> Result<Response, Problem> {
    let bad = |reason: &str| {
        let detail = format!("Sonar at {} answered with {reason}", http::shown(sonar));
        Problem::new(StatusCode::BAD_GATEWAY, "UNREACHABLE", detail)
    };
    let kind = answer.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let kind = kind.and_then(|kind| kind.split(';').next()).unwrap_or_default().trim().to_ascii_lowercase();
    if !TYPES.contains(&kind.as_str()) {
        return Err(bad("something that is not of its API; check --sonar"));
    }
    let is_stream = kind == EVENTS;
    if !is_stream && answer.content_length().is_some_and(|length| length > LIMIT) {
        return Err(bad("more than 64 MiB"));
    }
    let status = answer.status();
    let headers: HeaderMap =
        RETURNED.iter().filter_map(|name| Some((name.clone(), answer.headers().get(name)?.clone()))).collect();
    let parts = answer.bytes_stream().map_err(std::io::Error::other);
    let body = if is_stream { Body::from_stream(parts) } else { Body::from_stream(limited(parts)) };
    let mut response = (status, headers, body).into_response();
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    Ok(response)
}

/// Ends with an error when the parts are larger than the limit.
fn limited<B: AsRef<[u8]>>(
    parts: impl stream::Stream<Item = std::io::Result<B>>,
) -> impl stream::Stream<Item = std::io::Result<B>> {
    parts.scan(0_u64, |length, part| {
        let part = part.and_then(|part| {
            *length += part.as_ref().len() as u64;
            if *length > LIMIT { Err(std::io::Error::other("the answer is too large")) } else { Ok(part) }
        });
        std::future::ready(Some(part))
    })
}

/// `GET /api/v1/…`
pub async fn get(State(desk): State<Arc<Desk>>, uri: Uri, headers: HeaderMap) -> Result<Response, Problem> {
    desk.proxy.ask(&uri, &headers).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_routes_below_the_public_api_are_asked() {
        let ask = |path: &str| target("http://sonar.example", &path.parse().unwrap()).ok();
        assert_eq!(
            ask("/api/v1/campaigns/0x12/feed.atom?limit=5&q=a%2fb").as_deref(),
            Some("http://sonar.example/api/v1/campaigns/0x12/feed.atom?limit=5&q=a%2fb")
        );
        for path in [
            "/api/v1/",
            "/api/v1/../metrics",
            "/api/v1/%2e%2e/%2e%2e/metrics",
            "/api/v1/x/..",
            "/api/v1/a//b",
            "/api/v1/a%2fb",
            "/api/v1/a@evil.example",
            "/api/v1/a\\b",
            "/api/v2/info",
            "/api/v1",
        ] {
            if path.parse::<Uri>().is_ok() {
                assert_eq!(ask(path), None, "{path}");
            }
        }
    }

    #[test]
    fn sonar_learns_nothing_else_of_the_browser() {
        let mut headers = HeaderMap::new();
        for name in ["cookie", "accept", "last-event-id", "user-agent", "referer", "authorization", "x-forwarded-for"] {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static("x"));
        }
        let mut names: Vec<String> = forwarded(&headers).keys().map(ToString::to_string).collect();
        names.sort();
        assert_eq!(names, ["accept", "last-event-id"]);
    }
}
