//! Metrics for Prometheus. Each server has its own recorder, so that several can run in one process.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram, with_local_recorder};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use sonar_node::jobs::StepOutcome;

/// Upper bounds in seconds of the buckets for request durations.
const BUCKETS: [f64; 9] = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0];

/// The metrics of one server.
pub struct Metrics {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
    sse_clients: AtomicUsize,
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Default for Metrics {
    fn default() -> Self {
        // Fails only if the list of buckets is empty.
        let builder = PrometheusBuilder::new();
        let recorder = PrometheusBuilder::new().set_buckets(&BUCKETS).unwrap_or(builder).build_recorder();
        let handle = recorder.handle();
        with_local_recorder(&recorder, describe);
        Self { recorder, handle, sse_clients: AtomicUsize::new(0) }
    }
}

fn describe() {
    describe_gauge!("sonar_chain_head_block", "newest block of the chain");
    describe_gauge!("sonar_chain_head_age_seconds", "age of the newest block");
    describe_gauge!("sonar_index_block", "newest indexed block");
    describe_gauge!("sonar_index_lag_blocks", "blocks that are not yet indexed");
    describe_gauge!(
        "sonar_index_follows",
        "1 if this server follows the chain, 0 if it reads what another server indexes"
    );
    describe_counter!("sonar_index_rollbacks_total", "rollbacks of the chain");
    describe_gauge!("sonar_campaigns", "campaigns by state");
    describe_counter!("sonar_http_requests_total", "answered requests by route and status");
    describe_histogram!("sonar_http_request_seconds", "time to answer by route");
    describe_gauge!("sonar_sse_clients", "open event streams");
    describe_gauge!("sonar_ipfs_pinned", "live artefacts that the hub has");
    describe_gauge!("sonar_ipfs_pinned_bytes", "total size of the live artefacts that the hub has");
    describe_gauge!("sonar_ipfs_missing", "live artefacts that the hub does not have yet");
    describe_histogram!("sonar_step_seconds", "duration of job steps by step and outcome");
    describe_gauge!("sonar_relay_pending", "pending settlements");
    describe_counter!("sonar_relay_sent_total", "settlements that Sonar sent");
    describe_gauge!("sonar_escrow", "balance of the contract by token, in the token's smallest unit");
    describe_gauge!(
        "sonar_conservation_ok",
        "1 if every campaign's deposit is paid + owed + refunded + fee + escrowed and the contract holds it"
    );
}

impl Metrics {
    /// Renders all metrics in the text format of Prometheus.
    #[must_use]
    pub fn render(&self) -> String {
        self.handle.run_upkeep();
        self.handle.render()
    }

    fn with(&self, record: impl FnOnce()) {
        with_local_recorder(&self.recorder, record);
    }

    /// Records the newest block of the chain and of the index.
    pub fn blocks(&self, head: u64, head_age: Duration, indexed: Option<u64>) {
        self.with(|| {
            gauge!("sonar_chain_head_block").set(approximate(head));
            gauge!("sonar_chain_head_age_seconds").set(head_age.as_secs_f64());
            gauge!("sonar_index_block").set(approximate(indexed.unwrap_or(0)));
            gauge!("sonar_index_lag_blocks").set(approximate(head.saturating_sub(indexed.unwrap_or(0))));
        });
    }

    /// Records whether this server follows the chain itself.
    pub fn follows(&self, follows: bool) {
        self.with(|| gauge!("sonar_index_follows").set(f64::from(u8::from(follows))));
    }

    /// Counts a rollback of the chain.
    pub fn rollback(&self) {
        self.with(|| counter!("sonar_index_rollbacks_total").increment(1));
    }

    /// Records the number of campaigns by state.
    pub fn campaigns(&self, by_state: &BTreeMap<&'static str, usize>) {
        self.with(|| {
            for (&state, &count) in by_state {
                gauge!("sonar_campaigns", "state" => state).set(approximate(count as u64));
            }
        });
    }

    /// Records an answered request. `route` is the pattern and not the path, to bound the number of time series.
    pub fn request(&self, method: &str, route: &str, status: u16, took: Duration) {
        let (method, route) = (method.to_owned(), route.to_owned());
        self.with(|| {
            histogram!("sonar_http_request_seconds", "route" => route.clone()).record(took.as_secs_f64());
            counter!(
                "sonar_http_requests_total",
                "method" => method, "route" => route, "status" => status.to_string()
            )
            .increment(1);
        });
    }

    /// Counts a new event stream; returns false if `limit` streams are open.
    pub fn sse_enter(&self, limit: usize) -> bool {
        let entered = self
            .sse_clients
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| (n < limit).then_some(n + 1))
            .is_ok();
        self.sse_gauge();
        entered
    }

    /// Counts the end of an event stream.
    pub fn sse_leave(&self) {
        self.sse_clients.fetch_sub(1, Ordering::Relaxed);
        self.sse_gauge();
    }

    fn sse_gauge(&self) {
        let clients = self.sse_clients.load(Ordering::Relaxed);
        self.with(|| gauge!("sonar_sse_clients").set(approximate(clients as u64)));
    }

    /// State of the hub.
    pub fn pins(&self, pinned: usize, bytes: u64, missing: usize) {
        self.with(|| {
            gauge!("sonar_ipfs_pinned").set(approximate(pinned as u64));
            gauge!("sonar_ipfs_pinned_bytes").set(approximate(bytes));
            gauge!("sonar_ipfs_missing").set(approximate(missing as u64));
        });
    }

    /// Records the duration and outcome of a job's step.
    pub fn step(&self, step: &'static str, outcome: StepOutcome, took: Duration) {
        self.with(|| {
            histogram!("sonar_step_seconds", "step" => step, "outcome" => outcome.name()).record(took.as_secs_f64());
        });
    }

    /// Records the number of pending settlements.
    pub fn relay_pending(&self, pending: usize) {
        self.with(|| gauge!("sonar_relay_pending").set(approximate(pending as u64)));
    }

    /// Counts a settlement that Sonar sent.
    pub fn relay_sent(&self) {
        self.with(|| counter!("sonar_relay_sent_total").increment(1));
    }

    /// Records the contract's balance by token symbol or address, and whether it covers the ledgers.
    pub fn money(&self, escrow: &BTreeMap<String, f64>, conserved: bool) {
        self.with(|| {
            for (token, &amount) in escrow {
                gauge!("sonar_escrow", "token" => token.clone()).set(amount);
            }
            gauge!("sonar_conservation_ok").set(if conserved { 1.0 } else { 0.0 });
        });
    }
}

/// Prometheus has only floating point numbers.
#[allow(clippy::cast_precision_loss)]
fn approximate(value: u64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_count_for_themselves() {
        let (one, two) = (Metrics::default(), Metrics::default());
        one.request("GET", "/api/v1/info", 200, Duration::from_millis(2));
        one.blocks(12, Duration::from_secs(1), Some(10));
        let text = one.render();
        assert!(
            text.contains("sonar_http_requests_total{method=\"GET\",route=\"/api/v1/info\",status=\"200\"} 1"),
            "{text}"
        );
        assert!(text.contains("sonar_index_lag_blocks 2"), "{text}");
        assert!(!two.render().contains("/api/v1/info"));
    }

    #[test]
    fn event_streams_are_limited() {
        let metrics = Metrics::default();
        assert!(metrics.sse_enter(1));
        assert!(!metrics.sse_enter(1));
        metrics.sse_leave();
        assert!(metrics.sse_enter(1));
    }
}
