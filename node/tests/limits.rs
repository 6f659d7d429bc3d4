//! Logs from nodes that refuse large requests, each in its own way.

use std::{
    ops::RangeInclusive,
    sync::{Arc, Mutex},
};

use alloy::primitives::{Address, U64};
use axum::{Json, Router, extract::State, http::StatusCode, response::IntoResponse, routing::post};
use serde_json::{Value, json};
use sonar_contracts::Deployment;
use sonar_node::chain::{Client, Error};
use testkit::stage::OPTIONS;

type Range = RangeInclusive<u64>;

/// What a node answers to a request for logs, if it refuses it. The number counts requests from zero.
type Rule = fn(&Range, usize) -> Option<(StatusCode, Value)>;

struct Node {
    rule: Rule,
    asked: Mutex<Vec<(Range, bool)>>,
}

impl Node {
    fn logs(&self, filter: &Value) -> (StatusCode, Value) {
        let block = |name: &str| serde_json::from_value::<U64>(filter[name].clone()).unwrap().to();
        let range = block("fromBlock")..=block("toBlock");
        let mut asked = self.asked.lock().unwrap();
        let refusal = (self.rule)(&range, asked.len());
        asked.push((range, refusal.is_none()));
        refusal.unwrap_or((StatusCode::OK, json!({ "result": [] })))
    }

    /// Blocks of the requests in order, and whether they were answered.
    fn asked(&self) -> Vec<(u64, bool)> {
        let count = |(range, answered): &(Range, bool)| (range.end() - range.start() + 1, *answered);
        self.asked.lock().unwrap().iter().map(count).collect()
    }

    fn refusals(&self) -> usize {
        self.asked().iter().filter(|(_, answered)| !answered).count()
    }
}

async fn answer(State(node): State<Arc<Node>>, Json(request): Json<Value>) -> impl IntoResponse {
    let (status, mut answer) = match request["method"].as_str().unwrap() {
        "eth_chainId" => (StatusCode::OK, json!({ "result": "0x7" })),
        "eth_getCode" => (StatusCode::OK, json!({ "result": "0xfe" })),
        "eth_getLogs" => node.logs(&request["params"][0]),
        other => panic!("nobody asks for {other}"),
    };
    answer["jsonrpc"] = json!("2.0");
    answer["id"] = request["id"].clone();
    (status, Json(answer))
}

async fn serve(rule: Rule) -> (Client, Arc<Node>) {
    let node = Arc::new(Node { rule, asked: Mutex::default() });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().route("/", post(answer)).with_state(node.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    let address = Address::repeat_byte;
    let deployment =
        Deployment { chain_id: 7, campaigns: address(1), registry: address(2), datacoin: address(3), block: 1 };
    (Client::connect_with(&url, deployment, None, OPTIONS).await.unwrap(), node)
}

fn error(code: i64, message: &str) -> Option<(StatusCode, Value)> {
    Some((StatusCode::OK, json!({ "error": { "code": code, "message": message } })))
}

fn is_longer(range: &Range, blocks: u64) -> bool {
    range.end() - range.start() >= blocks
}

#[tokio::test]
async fn the_span_is_halved_at_once_however_a_node_says_that_it_is_too_long() {
    let rules: [Rule; 4] = [
        |range, _| is_longer(range, 300).then(|| error(-32005, "query returned more than 10000 results")).flatten(),
        |range, _| is_longer(range, 300).then(|| error(-32602, "the block range is limited to 300")).flatten(),
        |range, _| is_longer(range, 300).then_some((StatusCode::PAYLOAD_TOO_LARGE, Value::Object(Default::default()))),
        |range, _| is_longer(range, 300).then(|| error(-32000, "words that nobody has seen before")).flatten(),
    ];
    for rule in rules {
        let (client, node) = serve(rule).await;
        client.logs(1, 3_000).await.unwrap();
        let asked = node.asked();
        assert_eq!(asked[..5], [(3_000, false), (1_500, false), (750, false), (375, false), (187, true)]);
        // Every block once, in order.
        let answered = node.asked.lock().unwrap().iter().filter(|(_, answered)| *answered).cloned().collect::<Vec<_>>();
        let mut next = 1;
        for (range, _) in &answered {
            assert_eq!(*range.start(), next);
            next = range.end() + 1;
        }
        assert_eq!(next, 3_001);
        // The next reader knows.
        let before = node.refusals();
        client.logs(1, 150).await.unwrap();
        assert_eq!(node.refusals(), before);
    }
}

#[tokio::test]
async fn a_rate_limit_does_not_shrink_the_span() {
    for rule in
        [(|_, request| (request < 2).then(|| error(-32005, "rate limit exceeded")).flatten()) as Rule, |_, request| {
            (request < 2).then_some((StatusCode::TOO_MANY_REQUESTS, Value::Object(Default::default())))
        }]
    {
        let (client, node) = serve(rule).await;
        client.logs(1, 3_000).await.unwrap();
        assert_eq!(node.asked(), [(3_000, false), (3_000, false), (3_000, true)]);
    }
}

#[tokio::test]
async fn a_node_that_refuses_a_single_block_is_named() {
    let (client, node) = serve(|_, _| error(-32602, "eth_getLogs is not for you")).await;
    let error = client.logs(8, 15).await.unwrap_err();
    assert!(matches!(error, Error::LogsRefused { block: 8, .. }), "{error}");
    assert!(error.to_string().contains("not for you"), "{error}");
    assert_eq!(node.asked(), [(8, false), (4, false), (2, false), (1, false)]);
}
