//! The service as a whole: what it does when the chain shows a campaign.

use std::{sync::Arc, time::Duration};

use alloy::{
    primitives::{Address, B256, U64},
    rpc::types::{Block, Log},
    sol_types::SolEvent,
};
use axum::{Json, Router, extract::State, routing::post};
use serde_json::{Value, json};
use sonar_contracts::{Campaigns, CapsuleRegistry, Deployment};
use sonar_node::chain::{Client, WorldReader};
use tokio::sync::oneshot;

use super::{
    doubles::{Damage, Sent},
    stage::{CHAIN_ID, FEE_PPM, NOW, SONAR, Stage, tools},
};
use crate::{
    launch_keys::PERIOD,
    service::{Service, lock},
};

const REGISTRY: Address = Address::repeat_byte(3);

/// A chain of one block, in which a Capsule registered and a campaign was opened.
struct Chain {
    logs: Vec<Log>,
}

impl Chain {
    fn of(stage: &Stage) -> Self {
        let terms = stage.view().terms;
        let registered = CapsuleRegistry::Registered {
            operator: terms.capsule,
            attester: stage.signer.address(),
            fingerprint: B256::ZERO,
            certificate: B256::repeat_byte(1),
            endpoint: String::new(),
            feePpm: FEE_PPM,
        };
        let opened = Campaigns::Opened {
            id: stage.id.into(),
            owner: terms.owner,
            capsule: terms.capsule,
            terms: (*terms).clone(),
            windowStart: B256::repeat_byte(2),
        };
        let limited = CapsuleRegistry::Limited { operator: terms.capsule, limits: testkit::stage::limits().into() };
        let token =
            CapsuleRegistry::TokenChosen { operator: terms.capsule, token: Address::ZERO, accepted: true, leastFee: 0 };
        let events = [
            (REGISTRY, registered.encode_log_data()),
            (REGISTRY, limited.encode_log_data()),
            (REGISTRY, token.encode_log_data()),
            (SONAR, opened.encode_log_data()),
        ];
        let log = |(index, (address, data))| Log {
            inner: alloy::primitives::Log { address, data },
            block_hash: Some(B256::repeat_byte(1)),
            block_number: Some(1),
            block_timestamp: Some(NOW.unix()),
            transaction_hash: Some(B256::repeat_byte(2)),
            transaction_index: Some(0),
            log_index: Some(index),
            removed: false,
        };
        Self { logs: (0..).zip(events).map(log).collect() }
    }
}

async fn answer(State(chain): State<Arc<Chain>>, Json(request): Json<Value>) -> Json<Value> {
    let result = match request["method"].as_str().unwrap() {
        "eth_chainId" => json!(U64::from(CHAIN_ID)),
        "eth_getCode" => json!("0xfe"),
        "eth_getLogs" => serde_json::to_value(&chain.logs).unwrap(),
        "eth_getBlockByNumber" if request["params"][0] == "pending" => Value::Null,
        "eth_getBlockByNumber" => {
            let mut block = Block::<B256>::default();
            block.header.inner.number = 1;
            block.header.inner.timestamp = NOW.unix();
            block.header.hash = B256::repeat_byte(1);
            serde_json::to_value(block).unwrap()
        }
        other => panic!("nobody asks for {other}"),
    };
    Json(json!({ "jsonrpc": "2.0", "id": request["id"], "result": result }))
}

async fn reader(stage: &Stage) -> WorldReader {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().route("/", post(answer)).with_state(Arc::new(Chain::of(stage)));
    tokio::spawn(async move { axum::serve(listener, router).await });
    let deployment =
        Deployment { chain_id: CHAIN_ID, campaigns: SONAR, registry: REGISTRY, datacoin: Address::ZERO, block: 1 };
    let client = Client::connect(&url, deployment, None).await.unwrap();
    WorldReader::new(client, Duration::from_millis(10), 0)
}

/// Other tasks work meanwhile.
async fn until(what: &str, is_so: impl Fn() -> bool) {
    let wait = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(300), wait).await.expect(what);
}

#[tokio::test]
async fn a_step_that_panics_is_done_again_and_a_stop_ends_the_service() {
    let stage = Stage::proposed(|_, _, _| {});
    let view = stage.view();
    let manifest = view.terms.manifest.into();
    stage.shelf.damage(manifest, Some(Damage::Bug));
    let service =
        Service::new(tools(&stage.disk, &stage.shelf, &stage.wire, &stage.signer), view.terms.capsule, PERIOD);
    let status = service.status();
    let (stop, stopped) = oneshot::channel::<()>();
    let working = tokio::spawn(service.run(reader(&stage).await, async { stopped.await.unwrap_or_default() }));

    let problem = || lock(&status).campaigns.get(&stage.id).and_then(|campaign| campaign.problem.clone());
    until("the panic is reported", || problem().is_some_and(|problem| problem.contains("panic"))).await;
    assert!(lock(&status).chain, "the chain is followed all the same");
    stage.shelf.damage(manifest, None);
    let is_activated = || stage.wire.sent.lock().unwrap().iter().any(|sent| matches!(sent, Sent::Activated { .. }));
    until("the campaign is activated", is_activated).await;
    until("the problem is over", || problem().is_none()).await;

    drop(stop);
    tokio::time::timeout(Duration::from_secs(10), working).await.expect("a stop in time").unwrap();
}
