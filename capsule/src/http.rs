//! The Capsule's HTTP API: public facts here, and the operator's page in [`operator`].

use std::fmt::Write;

use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
    routing::get,
};

use crate::service::{CapsuleStatus, SharedStatus, lock};

pub mod operator;

/// The path of the public facts under `/api`, which needs no session.
pub const PUBLIC: &str = "/api/v1/status";

/// `/healthz`, `/readyz`, `/metrics`, `/api/v1/status`.
pub fn router(status: SharedStatus) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .route(PUBLIC, get(show))
        .with_state(status)
}

async fn ready(State(status): State<SharedStatus>) -> impl IntoResponse {
    let status = lock(&status);
    if status.chain && status.caught_up {
        (StatusCode::OK, "ready".to_owned())
    } else {
        let reason = status.problem.clone().unwrap_or_else(|| "the chain has not been read yet".into());
        (StatusCode::SERVICE_UNAVAILABLE, reason)
    }
}

async fn show(State(status): State<SharedStatus>) -> Json<CapsuleStatus> {
    Json(lock(&status).clone())
}

async fn metrics(State(status): State<SharedStatus>) -> impl IntoResponse {
    let text = render(&lock(&status));
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text)
}

/// Metrics in the text format of Prometheus. Everything here is also on the chain.
fn render(status: &CapsuleStatus) -> String {
    let mut text = String::new();
    let mut gauge = |name: &str, help: &str, values: Vec<(String, f64)>| {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "# HELP capsule_{name} {help}\n# TYPE capsule_{name} gauge");
        for (labels, value) in values {
            let _ = writeln!(text, "capsule_{name}{labels} {value}");
        }
    };
    let flag = |value: bool| vec![(String::new(), f64::from(u8::from(value)))];
    gauge("chain_up", "Whether the last query of the chain succeeded.", flag(status.chain));
    #[allow(clippy::cast_precision_loss)] // Block numbers are small.
    gauge("block", "Number of the newest block.", vec![(String::new(), status.block as f64)]);
    let campaigns = |value: fn(&crate::service::CampaignStatus) -> f64| {
        let label = |id: &sonar_protocol::ids::CampaignId| format!("{{campaign=\"{id}\"}}");
        status.campaigns.iter().map(|(id, campaign)| (label(id), value(campaign))).collect::<Vec<_>>()
    };
    gauge("version", "Version of the model.", campaigns(|c| f64::from(c.version)));
    gauge("best_ppm", "Attested accuracy.", campaigns(|c| f64::from(c.best_ppm.get())));
    gauge("leak_bits", "Bits disclosed by public verdicts.", campaigns(|c| c.leak_bits));
    gauge("leak_bits_allowed", "Limit of bits that public verdicts may disclose.", campaigns(|c| c.leak_bits_allowed));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_in_the_format_of_prometheus() {
        let text = render(&CapsuleStatus::default());
        assert!(text.contains("# TYPE capsule_chain_up gauge\ncapsule_chain_up 0\n"));
    }
}
