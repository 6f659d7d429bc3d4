//! Error responses (RFC 9457), with the failure codes of the command line.

use std::any::Any;

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use sonar_node::cli::{ExitCode, Failure};
use utoipa::ToSchema;

/// An error response (RFC 9457).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// Always `about:blank`: `code` identifies the problem.
    #[serde(rename = "type")]
    pub kind: String,
    /// Reason phrase of the HTTP status.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// Stable name of the problem, as on the command line.
    #[schema(example = "NOT_FOUND")]
    pub code: String,
    /// What was wrong, where, and what to do.
    pub detail: String,
    /// Whether the same request may succeed later.
    pub retryable: bool,
}

impl Problem {
    /// A problem with a status, a stable code and an explanation.
    #[must_use]
    pub fn new(status: StatusCode, code: &str, detail: impl Into<String>) -> Self {
        Self {
            kind: "about:blank".into(),
            title: status.canonical_reason().unwrap_or("Error").into(),
            status: status.as_u16(),
            code: code.into(),
            detail: detail.into(),
            retryable: matches!(status.as_u16(), 408 | 429 | 503 | 504),
        }
    }

    /// 404: the resource does not exist.
    #[must_use]
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "NOT_FOUND", detail)
    }

    /// 400: the request is invalid.
    #[must_use]
    pub fn usage(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "USAGE", detail)
    }

    /// 503: a service that is needed does not answer.
    #[must_use]
    pub fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "UNREACHABLE", detail)
    }

    /// 500: a fault of this program. Details go to the log and not to the client.
    #[must_use]
    pub fn internal(error: &(dyn std::fmt::Display + Sync)) -> Self {
        tracing::error!(%error, "a request failed");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL", "the server failed; its log has the reason")
    }
}

/// The failure of a command as an answer. For servers that act for the owner of this process only, because the message may
/// name files and accounts.
impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        let status = match failure.code.exit() {
            ExitCode::Success | ExitCode::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            ExitCode::Usage => StatusCode::BAD_REQUEST,
            ExitCode::Declined | ExitCode::Unsuccessful => StatusCode::CONFLICT,
            ExitCode::Locked => StatusCode::FORBIDDEN,
            ExitCode::Refused => StatusCode::UNPROCESSABLE_ENTITY,
            ExitCode::NotFound => StatusCode::NOT_FOUND,
            ExitCode::Unreachable => StatusCode::SERVICE_UNAVAILABLE,
            ExitCode::TimedOut => StatusCode::GATEWAY_TIMEOUT,
        };
        if status.is_server_error() {
            tracing::warn!(code = %failure.code, message = failure.message, "a request failed");
        }
        let place = failure.place.map(|place| format!("{place}: ")).unwrap_or_default();
        let help = failure.help.map(|help| format!("; {help}")).unwrap_or_default();
        let problem = Self::new(status, failure.code.name(), format!("{place}{}{help}", failure.message));
        Self { retryable: failure.retryable, ..problem }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, axum::Json(self)).into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        response
    }
}

/// The answer of a route to a method that it does not have, for `method_not_allowed_fallback`.
pub async fn method_not_allowed() -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "METHOD", "this route does not accept this method")
}

/// Converts a panic of a handler to a problem.
pub fn from_panic(panic: Box<dyn Any + Send>) -> Response<Body> {
    let message = panic
        .downcast_ref::<&str>()
        .map(ToString::to_string)
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a message".into());
    Problem::internal(&message).into_response()
}
