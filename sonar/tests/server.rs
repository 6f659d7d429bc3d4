//! `sonar serve` against a real chain and over real sockets.

use std::{collections::BTreeSet, path::Path, time::Duration};

use alloy::{
    primitives::{Address, Bytes, U256},
    providers::Provider,
    sol_types::SolCall,
};
use futures::{StreamExt, stream::BoxStream};
use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};
use sonar::server::{Server, ServerConfig};
use sonar_contracts::{Campaigns, Outcome, Terms};
use sonar_node::{chain::Client, ipfs};
use sonar_protocol::{
    ids::{CampaignId, Digest},
    projection::CampaignDetail,
    view::World,
    wire::{SettlementRequest, TermsJson},
};
use tokio::time::timeout;

use testkit::stage::{Stage, published};

const PATIENCE: Duration = Duration::from_secs(30);
const NEVER: Duration = Duration::from_secs(100_000);

/// A running server and a client of it.
struct Site {
    server: Server,
    base: String,
    http: reqwest::Client,
}

impl Site {
    async fn start(chain: &Client, home: &Path, relay_after: Duration) -> Self {
        Self::start_with(None, chain, home, relay_after).await
    }

    async fn start_with(database: Option<&str>, chain: &Client, home: &Path, relay_after: Duration) -> Self {
        let config = ServerConfig {
            home: home.to_owned(),
            database: database.map(|url| url.parse().unwrap()),
            listen: "127.0.0.1:0".parse().unwrap(),
            ipfs_listen: "/ip4/127.0.0.1/tcp/0".parse().unwrap(),
            kubo: None,
            poll: Duration::from_millis(10),
            confirmations: 0,
            relay_after,
            public_rpc: Some("https://rpc.example.org/v1".parse().unwrap()),
        };
        let server = Server::start(config, chain.clone()).await.unwrap();
        timeout(PATIENCE, server.caught_up()).await.unwrap();
        let base = format!("http://{}", server.address());
        Self { server, base, http: testkit::http() }
    }

    async fn get(&self, path: &str) -> (StatusCode, Value) {
        let answer = self.http.get(format!("{}{path}", self.base)).send().await.unwrap();
        let status = answer.status();
        (status, answer.json().await.unwrap())
    }

    async fn ok(&self, path: &str) -> Value {
        let (status, body) = self.get(path).await;
        assert_eq!(status, StatusCode::OK, "{path}: {body}");
        body
    }

    async fn text(&self, path: &str) -> String {
        self.http.get(format!("{}{path}", self.base)).send().await.unwrap().text().await.unwrap()
    }

    async fn events(&self, query: &str, last: Option<&str>) -> Messages {
        let mut request = self.http.get(format!("{}/api/v1/events{query}", self.base));
        if let Some(last) = last {
            request = request.header("Last-Event-ID", last);
        }
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.headers()[header::CONTENT_TYPE], "text/event-stream");
        let bytes = answer.bytes_stream().map(|chunk| chunk.unwrap().to_vec()).boxed();
        let mut messages = Messages { bytes, text: String::new() };
        assert_eq!(messages.next().await.name, "open");
        messages
    }

    /// Waits until the chain's events are indexed up to one with this name.
    async fn wait_for(&self, name: &str, after: &str) {
        let mut messages = self.events(&format!("?kind={name}&after={after}"), None).await;
        assert_eq!(messages.next().await.name, name);
    }
}

#[derive(Clone, Debug, PartialEq)]
struct Message {
    name: String,
    id: String,
    data: Value,
}

struct Messages {
    bytes: BoxStream<'static, Vec<u8>>,
    text: String,
}

impl Messages {
    async fn next(&mut self) -> Message {
        timeout(PATIENCE, self.read()).await.expect("an event in time")
    }

    async fn read(&mut self) -> Message {
        loop {
            if let Some((message, rest)) = self.text.split_once("\n\n") {
                let field = |name: &str| {
                    let lines = message.lines().filter_map(|line| line.strip_prefix(name));
                    lines.map(|value| value.trim_start_matches(": ")).collect::<String>()
                };
                let (name, id, data) = (field("event"), field("id"), field("data"));
                self.text = rest.to_owned();
                if !data.is_empty() {
                    return Message { name, id, data: serde_json::from_str(&data).unwrap() };
                }
                continue;
            }
            let chunk = self.bytes.next().await.expect("the stream goes on");
            self.text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    async fn take(&mut self, count: usize) -> Vec<Message> {
        let mut messages = Vec::new();
        for _ in 0..count {
            messages.push(self.next().await);
        }
        messages
    }
}

/// A campaign with a full window that waits for its settlement.
async fn campaign(stage: &Stage, salt: u8) -> (Terms, CampaignId) {
    let terms = stage.terms(salt).await;
    let id = stage.owner.id(&terms);
    stage.owner.open(&terms).await.unwrap();
    stage.activate(&terms, 105_000).await;
    submit_all(stage, id, 1).await;
    (terms, id)
}

async fn submit_all(stage: &Stage, id: CampaignId, version: u32) {
    for (nonce, miner) in (1..).zip(&stage.miners) {
        miner.submit(id, sonar_protocol::ids::Version(version), Digest([nonce; 32])).await.unwrap();
    }
}

async fn world(chain: &Client) -> World {
    let head = chain.head().await.unwrap();
    let mut world = World::default();
    for record in chain.logs(chain.deployment().block, head.number).await.unwrap() {
        world.apply(&record).unwrap();
    }
    world
}

const OUTCOMES: [Outcome; 3] = [Outcome::Accepted(30), Outcome::NotImproved, Outcome::Rejected(9)];
const NEXT: Digest = Digest([2; 32]);

async fn settlement(stage: &Stage, id: CampaignId) -> SettlementRequest {
    let world = world(&stage.owner).await;
    let view = world.campaign(id).unwrap();
    let (outcomes, signature) = stage.settlement(view, &OUTCOMES, Some(NEXT), 0);
    let submissions = view.window.submissions.iter();
    let submissions: Vec<_> =
        submissions.map(|s| json!({ "miner": s.miner, "content": Digest(s.content.0) })).collect();
    serde_json::from_value(json!({
        "terms": TermsJson::from(&view.terms),
        "window_start": view.window.start,
        "submissions": submissions,
        "outcomes": outcomes,
        "next": published(NEXT),
        "close": 0,
        "signature": alloy::primitives::Bytes::from(signature),
    }))
    .unwrap()
}

async fn settle(stage: &Stage, id: CampaignId) {
    let world = world(&stage.owner).await;
    stage.settle(world.campaign(id).unwrap(), &OUTCOMES, Some(NEXT), 0).await.unwrap();
}

#[tokio::test]
async fn the_api_says_what_the_chain_says_also_when_its_index_is_lost() {
    let stage = Stage::new().await;
    let home = tempfile::tempdir().unwrap();
    let (terms, id) = campaign(&stage, 1).await;
    settle(&stage, id).await;
    let site = Site::start(&stage.owner, home.path(), NEVER).await;

    let path = format!("/api/v1/campaigns/{id}");
    let detail = site.ok(&path).await;
    let ledger = stage.owner.ledger(&terms).await.unwrap();
    let status = stage.owner.status(id).await.unwrap();
    assert_eq!(detail["state"], "open");
    assert_eq!(detail["best_ppm"], status.bestPpm);
    assert_eq!(detail["version"], status.version);
    assert_eq!(detail["window"]["index"], status.windowIndex);
    for (name, amount) in [
        ("deposited", ledger.deposited),
        ("paid", ledger.paid),
        ("owed", ledger.owed),
        ("refunded", ledger.refunded),
        ("fee", ledger.fee),
        ("escrowed", ledger.escrowed),
    ] {
        assert_eq!(detail["ledger"][name], amount.to_string(), "{name}");
    }
    let miner = stage.miners[0].address().unwrap();
    let facts = site.ok(&format!("/api/v1/miners/{miner}")).await["campaigns"][0].clone();
    assert_eq!(facts["owed"], stage.owner.owed(id, miner).await.unwrap().to_string());
    assert_eq!(facts["stakes"]["free"], stage.owner.stakes(id, miner).await.unwrap().free.to_string());
    assert_eq!(detail["terms"]["submission_stake"], terms.submissionStake.to_string());

    let paths = [
        path.clone(),
        format!("{path}/submissions"),
        format!("{path}/events"),
        format!("{path}/series"),
        format!("{path}/leaderboard"),
        format!("{path}/money"),
        "/api/v1/campaigns".into(),
        "/api/v1/statistics".into(),
    ];
    let mut before = Vec::new();
    for path in &paths {
        before.push(site.ok(path).await);
    }
    site.server.stop().await;
    std::fs::remove_file(home.path().join("index.sqlite")).unwrap();
    let site = Site::start(&stage.owner, home.path(), NEVER).await;
    for (path, before) in paths.iter().zip(before) {
        assert_eq!(site.ok(path).await, before, "{path}");
    }
    site.server.stop().await;
}

#[tokio::test]
async fn statistics_count_what_happened_on_the_chain() {
    let stage = Stage::new().await;
    let home = tempfile::tempdir().unwrap();
    let (terms, id) = campaign(&stage, 1).await;
    settle(&stage, id).await;
    stage.owner.open(&stage.terms(2).await).await.unwrap();
    let miner = &stage.miners[0];
    miner.withdraw(&terms, miner.address().unwrap()).await.unwrap();
    let site = Site::start(&stage.owner, home.path(), NEVER).await;

    let statistics = site.ok("/api/v1/statistics").await;
    let total = &statistics["total"];
    assert_eq!((&total["campaigns"]["opened"], &total["campaigns"]["activated"]), (&json!(2), &json!(1)));
    assert_eq!((&total["by_state"]["open"], &total["by_state"]["proposed"]), (&json!(1), &json!(1)));
    assert_eq!((&total["submissions"], &total["miners_active"]), (&json!(3), &json!(3)));
    assert_eq!(
        [&total["accepted"], &total["not_improved"], &total["rejected"]],
        [1, 1, 1].map(|n| json!(n)).each_ref()
    );
    assert_eq!((&total["acceptance_ppm"], &total["accuracy_points_ppm"]), (&json!(333_333), &json!(45_000)));
    let ledger = stage.owner.ledger(&terms).await.unwrap();
    let money = &total["money"][0];
    assert_eq!(money["escrowed"], (ledger.deposited * U256::from(2)).to_string());
    assert_eq!(money["earned"], (ledger.paid + ledger.owed).to_string());
    assert_eq!(money["paid"], ledger.paid.to_string());
    assert!(ledger.paid > U256::ZERO);
    let cost = (ledger.paid + ledger.owed) * U256::from(10_000) / U256::from(45_000);
    assert_eq!(total["cost_per_point"], json!([{ "token": format!("{:?}", terms.token), "amount": cost.to_string() }]));
    assert_eq!(total["evaluation_seconds"]["count"], 1);
    let capsule = &total["capsules"][0];
    assert_eq!(capsule["operator"], json!(stage.capsule.address().unwrap()));
    assert_eq!(
        [&capsule["proposed"], &capsule["campaigns"], &capsule["settled"]],
        [2, 1, 1].map(|n| json!(n)).each_ref()
    );
    assert_eq!(capsule["locked"], terms.stake.to_string());

    // Days without events are not listed, so that a huge range is cheap.
    let everything = site.ok("/api/v1/statistics?from=0001-01-01&to=9999-12-31").await;
    assert_eq!((&everything["total"], &everything["days"]), (total, &statistics["days"]));
    let day = &statistics["days"][0];
    let past = site.ok("/api/v1/statistics?to=2001-01-01").await;
    assert_eq!((&past["days"], &past["total"]["by_state"]["open"]), (&json!([]), &json!(0)));
    let csv = site.text("/api/v1/statistics?format=csv").await;
    assert!(
        csv.starts_with("date,opened,") && csv.contains(&format!("\r\n{},", day["date"].as_str().unwrap())),
        "{csv}"
    );
    site.server.stop().await;
}

#[tokio::test]
async fn a_campaign_has_answers_for_charts_feeds_and_spreadsheets() {
    let stage = Stage::new().await;
    let home = tempfile::tempdir().unwrap();
    let (terms, id) = campaign(&stage, 1).await;
    settle(&stage, id).await;
    let site = Site::start(&stage.owner, home.path(), NEVER).await;
    let path = format!("/api/v1/campaigns/{id}");

    let series = site.ok(&format!("{path}/series")).await;
    assert_eq!((&series["submissions"], &series["complete"]), (&json!(3), &json!(true)));
    let verdicts: Vec<_> = series["points"].as_array().unwrap().iter().map(|point| point["verdict"].clone()).collect();
    assert_eq!(verdicts, ["accepted", "not_improved", "rejected"]);
    assert_eq!(series["points"][2]["best_ppm"], 150_000);

    let first = site.ok(&format!("{path}/leaderboard?limit=1")).await;
    assert_eq!((&first["items"][0]["rank"], &first["items"][0]["share_ppm"]), (&json!(1), &json!(1_000_000)));
    assert_eq!(first["items"][0]["miner"], json!(stage.miners[0].address().unwrap()));
    let rest = site.ok(&format!("{path}/leaderboard?after={}", first["next"].as_str().unwrap())).await;
    assert_eq!((rest["items"].as_array().unwrap().len(), &rest["total"]), (2, &json!(3)));

    let money = site.ok(&format!("{path}/money")).await;
    let ledger = stage.owner.ledger(&terms).await.unwrap();
    assert_eq!((&money["deposited"], &money["adds_up"]), (&json!(ledger.deposited.to_string()), &json!(true)));
    assert_eq!(money["escrowed"], ledger.escrowed.to_string());
    assert_eq!(money["block"], stage.owner.head().await.unwrap().number);
    assert!(money["calls"][1].as_str().unwrap().contains("'ledger(("), "{money}");

    let tokens = site.ok("/api/v1/tokens").await;
    assert_eq!((&tokens["items"][0]["symbol"], &tokens["items"][0]["verified"]), (&json!("ETH"), &json!(true)));
    assert_eq!(
        (&tokens["items"][1]["address"], &tokens["items"][1]["symbol"]),
        (&json!(stage.deployment.datacoin), &json!("DATA"))
    );

    let rows = site.text(&format!("{path}/submissions.csv")).await;
    assert_eq!(rows.matches("\r\n").count(), 4, "{rows}");
    assert_eq!(site.text(&format!("{path}/series.csv")).await.matches("\r\n").count(), 4);
    assert!(site.text(&format!("{path}/feed.atom")).await.contains("<title>Accuracy 15 %: 1 of 3"));
    assert!(site.text(&format!("{path}/badge.svg")).await.contains("open · 15 % of 80 %</title>"));

    let list = |query: &'static str| {
        let site = &site;
        async move { site.ok(&format!("/api/v1/campaigns?{query}")).await["total"].clone() }
    };
    assert_eq!(list("q=0x").await, 1);
    assert_eq!(list("q=nowhere").await, 0);
    assert_eq!(list("sort=progress").await, 1);
    assert_eq!(list("regime=clear").await, 0, "its manifest is not on IPFS");
    let sorted = site.ok(&format!("/api/v1/campaigns?sort=old&after={id}")).await;
    assert_eq!(sorted["items"], json!([]));
    site.server.stop().await;
}

/// The calls that the contract accepts of an account now, each simulated.
async fn accepted_calls(stage: &Stage, terms: &Terms, account: Address) -> Vec<&'static str> {
    let view = stage.view(stage.owner.id(terms)).await;
    let t = || terms.clone();
    let (start, pending) = (view.window.start, view.window.submissions.clone());
    let calls = [
        ("close", Campaigns::closeCall { t: t() }.abi_encode()),
        ("withdraw", Campaigns::withdrawCall { t: t(), to: account }.abi_encode()),
        ("withdraw_stake", Campaigns::withdrawStakeCall { t: t(), to: account }.abi_encode()),
        ("refund", Campaigns::refundCall { t: t() }.abi_encode()),
        ("abandon", Campaigns::abandonCall { t: t(), windowStart: start, pending }.abi_encode()),
        ("expire", Campaigns::expireCall { t: t() }.abi_encode()),
        ("release", Campaigns::releaseCall { t: t() }.abi_encode()),
    ];
    let mut accepted = Vec::new();
    for (name, data) in calls {
        let call = json!({ "from": account, "to": stage.deployment.campaigns, "data": Bytes::from(data) });
        let answer: Result<Value, _> = stage.anvil.provider().raw_request("eth_call".into(), (call, "latest")).await;
        if answer.is_ok() {
            accepted.push(name);
        }
    }
    accepted
}

/// Compares the calls that the server offers every account with those that the contract accepts.
async fn compare_actions(site: &Site, stage: &Stage, terms: &[&Terms]) -> BTreeSet<String> {
    let head = stage.owner.head().await.unwrap().number;
    while site.ok("/api/v1/info").await["block"].as_u64() < Some(head) {}
    let clients = stage.miners.iter().chain([&stage.owner, &stage.capsule]);
    let mut offered = BTreeSet::new();
    for account in clients.map(|client| client.address().unwrap()) {
        let page = site.ok(&format!("/api/v1/accounts/{account}")).await;
        for campaign in page["campaigns"].as_array().unwrap() {
            let of = |terms: &&&Terms| stage.owner.id(terms).to_string() == campaign["campaign"];
            let terms = terms.iter().find(of).unwrap();
            let accepted = accepted_calls(stage, terms, account).await;
            assert_eq!(campaign["actions"], json!(accepted), "{account}: {campaign}");
            assert_eq!(campaign["pending"].is_null(), !accepted.contains(&"abandon"));
            offered.extend(accepted.into_iter().map(String::from));
        }
    }
    offered
}

#[tokio::test]
async fn an_account_is_offered_exactly_the_calls_that_the_contract_accepts() {
    let stage = Stage::new().await;
    let home = tempfile::tempdir().unwrap();
    let site = Site::start(&stage.owner, home.path(), NEVER).await;
    let mut offered = BTreeSet::new();

    // A Capsule that does not answer.
    let silent = stage.terms(1).await;
    stage.owner.open(&silent).await.unwrap();
    offered.extend(compare_actions(&site, &stage, &[&silent]).await);
    assert!(offered.is_empty(), "{offered:?}");
    stage.pass(101).await;
    offered.extend(compare_actions(&site, &stage, &[&silent]).await);

    // One that does not settle; its owner announces the end.
    let (unsettled, _) = campaign(&stage, 2).await;
    offered.extend(compare_actions(&site, &stage, &[&silent, &unsettled]).await);
    stage.owner.close(&unsettled).await.unwrap();
    offered.extend(compare_actions(&site, &stage, &[&silent, &unsettled]).await);
    stage.pass(201).await;
    offered.extend(compare_actions(&site, &stage, &[&silent, &unsettled]).await);

    // One that works, and delivers late.
    let (settled, id) = campaign(&stage, 3).await;
    settle(&stage, id).await;
    let all = [&silent, &unsettled, &settled];
    offered.extend(compare_actions(&site, &stage, &all).await);
    stage.owner.close(&settled).await.unwrap();
    offered.extend(compare_actions(&site, &stage, &all).await);
    stage.pass(301).await;
    offered.extend(compare_actions(&site, &stage, &all).await);
    stage.finalize(&settled, Digest([7; 32])).await.unwrap();
    offered.extend(compare_actions(&site, &stage, &all).await);
    stage.pass(401).await;
    offered.extend(compare_actions(&site, &stage, &all).await);
    let names = ["abandon", "close", "expire", "refund", "release", "withdraw", "withdraw_stake"];
    assert_eq!(offered, names.map(String::from).into());

    // After the deadline anyone may close.
    let open = stage.terms(4).await;
    stage.owner.open(&open).await.unwrap();
    stage.activate(&open, 105_000).await;
    stage.pass(3_001).await;
    compare_actions(&site, &stage, &[&silent, &unsettled, &settled, &open]).await;
    let stranger = stage.anvil.signers()[7].address();
    assert_eq!(site.ok(&format!("/api/v1/accounts/{stranger}")).await["campaigns"], json!([]));
    site.server.stop().await;
}

#[tokio::test]
async fn nothing_is_said_about_a_submission_but_its_verdict() {
    let stage = Stage::new().await;
    let home = tempfile::tempdir().unwrap();
    let (_, id) = campaign(&stage, 1).await;
    settle(&stage, id).await;
    let site = Site::start(&stage.owner, home.path(), NEVER).await;
    let page = site.ok(&format!("/api/v1/campaigns/{id}/submissions")).await;
    let verdicts: Vec<_> = page["items"].as_array().unwrap().iter().map(|s| s["verdict"].clone()).collect();
    assert_eq!(verdicts[0]["best_ppm"], 150_000);
    assert_eq!(verdicts[1], json!({ "is": "not_improved" }));
    assert_eq!(verdicts[2], json!({ "is": "rejected", "reason": 9 }));
    let keys = |n: usize| page["items"][n].as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(keys(0), keys(1));
    assert_eq!(keys(1), keys(2));
    site.server.stop().await;
}

#[tokio::test]
async fn lists_come_in_parts_and_filtered() {
    let stage = Stage::new().await;
    let home = tempfile::tempdir().unwrap();
    let (_, id) = campaign(&stage, 1).await;
    for salt in 2..5 {
        stage.owner.open(&stage.terms(salt).await).await.unwrap();
    }
    let site = Site::start(&stage.owner, home.path(), NEVER).await;
    let first = site.ok("/api/v1/campaigns?limit=3").await;
    assert_eq!((first["items"].as_array().unwrap().len(), &first["total"]), (3, &json!(4)));
    let rest = site.ok(&format!("/api/v1/campaigns?limit=3&after={}", first["next"].as_str().unwrap())).await;
    assert_eq!(rest["items"][0]["id"], id.to_string());
    assert_eq!(rest["next"], Value::Null);
    assert_eq!(site.ok("/api/v1/campaigns?state=open").await["total"], 1);
    assert_eq!(site.ok(&format!("/api/v1/campaigns?owner={}", stage.miners[0].address().unwrap())).await["total"], 0);

    let operator = stage.capsule.address().unwrap();
    let capsules = site.ok("/api/v1/capsules?limit=1").await;
    assert_eq!((&capsules["total"], &capsules["next"]), (&json!(1), &Value::Null));
    assert_eq!(capsules["items"][0]["operator"], json!(operator));
    assert_eq!(site.ok(&format!("/api/v1/capsules?after={operator}")).await["items"], json!([]));

    let events = format!("/api/v1/campaigns/{id}/events");
    let first = site.ok(&format!("{events}?limit=2")).await;
    let next = first["next"].as_str().unwrap();
    let rest = site.ok(&format!("{events}?after={next}")).await;
    let kinds = |page: &Value| -> Vec<String> {
        page["items"].as_array().unwrap().iter().map(|e| e["kind"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(kinds(&first), ["opened", "activated"]);
    assert_eq!(kinds(&rest), ["submitted", "submitted", "submitted"]);
    assert_eq!(kinds(&site.ok(&format!("{events}?kind=activated")).await), ["activated"]);
    assert_eq!(first["total"], Value::Null, "events are not counted");
    let miner = stage.miners[1].address().unwrap();
    assert_eq!(kinds(&site.ok(&format!("{events}?account={miner}")).await), ["submitted"]);
    assert_eq!(site.ok(&format!("/api/v1/campaigns/{id}/submissions?miner={miner}")).await["total"], 1);
    assert_eq!(site.ok(&format!("/api/v1/campaigns/{id}/submissions?after=2")).await["items"][0]["number"], 3);
    assert_eq!(site.ok(&format!("/api/v1/miners/{miner}?limit=1")).await["campaigns"][0]["campaign"], id.to_string());
    assert_eq!(site.get(&format!("/api/v1/miners/{miner}?after={id}")).await.0, StatusCode::NOT_FOUND);
    site.server.stop().await;
}

#[tokio::test]
async fn the_api_says_of_a_campaign_what_the_command_line_says() {
    let stage = Stage::new().await;
    let home = tempfile::tempdir().unwrap();
    let (_, id) = campaign(&stage, 1).await;
    settle(&stage, id).await;
    let site = Site::start(&stage.owner, home.path(), NEVER).await;
    let mut said = site.ok(&format!("/api/v1/campaigns/{id}")).await;
    assert_eq!(said.as_object_mut().unwrap().remove("manifest"), Some(Value::Null), "it is not on IPFS");
    let world = world(&stage.owner).await;
    let view = world.campaign(id).unwrap();
    assert_eq!(said, serde_json::to_value(CampaignDetail::new(view, None)).unwrap());
    // An artefact can be pasted into any IPFS tool.
    assert_eq!(said["material"].as_str().unwrap(), NEXT.to_cid().to_string());
    assert!(said["terms"]["manifest"].as_str().unwrap().starts_with("bafybei"), "{}", said["terms"]);

    // A campaign's page does not grow with its history; that comes in parts.
    assert_eq!((&said["windows"], &said["miners"]), (&json!(1), &json!(OUTCOMES.len())));
    let windows = site.ok(&format!("/api/v1/campaigns/{id}/windows?limit=1")).await;
    assert_eq!((&windows["items"][0], &windows["next"]), (&said["last_settled"], &Value::Null));
    assert_eq!(site.ok(&format!("/api/v1/campaigns/{id}/windows?after=0")).await["items"], json!([]));
    site.server.stop().await;
}

#[tokio::test]
async fn an_event_stream_is_resumed_where_it_was_left_also_after_a_restart() {
    let stage = Stage::new().await;
    let home = tempfile::tempdir().unwrap();
    let site = Site::start(&stage.owner, home.path(), NEVER).await;
    let mut live = site.events("", None).await;
    let (_, id) = campaign(&stage, 1).await;
    let seen = live.take(6).await;
    let names: Vec<_> = seen.iter().map(|message| message.name.as_str()).collect();
    assert_eq!(names, ["opened", "activated", "capsule", "submitted", "submitted", "submitted"]);

    let mut again = site.events("", Some(&seen[1].id)).await;
    assert_eq!(again.take(4).await, seen[2..]);
    site.server.stop().await;

    settle(&stage, id).await;
    let site = Site::start(&stage.owner, home.path(), NEVER).await;
    let mut again = site.events("", Some(&seen[5].id)).await;
    let names: Vec<_> = again.take(3).await.into_iter().map(|message| message.name).collect();
    assert_eq!(names, ["awarded", "charged", "settled"]);

    // An event of a block that the chain does not have (any more): all is told again, and that it is.
    let foreign = format!("{}-00000000", seen[5].id.rsplit_once('-').unwrap().0);
    let mut again = site.events(&format!("?campaign={id}"), Some(&foreign)).await;
    let names: Vec<_> = again.take(2).await.into_iter().map(|message| message.name).collect();
    assert_eq!(names, ["rollback", "opened"]);
    site.server.stop().await;
}

#[tokio::test]
async fn a_settlement_left_with_sonar_is_sent_also_after_a_restart() {
    let stage = Stage::new().await;
    let home = tempfile::tempdir().unwrap();
    let sonar = stage.owner.with_signer(stage.anvil.signers()[8].clone());
    let (terms, id) = campaign(&stage, 1).await;
    let request = settlement(&stage, id).await;

    let site = Site::start(&sonar, home.path(), NEVER).await;
    let url = format!("{}/api/v1/relay/settlement", site.base);
    let mut forged = request.clone();
    forged.outcomes[0] = Outcome::Accepted(31);
    let refused = site.http.post(&url).json(&forged).send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let problem: Value = refused.json().await.unwrap();
    assert_eq!(problem["code"], "CONTRACT_REFUSED");
    assert!(problem["detail"].as_str().unwrap().contains("was not signed by"), "{problem}");

    let accepted = site.http.post(&url).json(&request).send().await.unwrap();
    assert_eq!(accepted.status(), StatusCode::ACCEPTED);
    let receipt: Value = accepted.json().await.unwrap();
    assert_eq!((&receipt["campaign"], &receipt["window"]), (&json!(id.to_string()), &json!(0)));
    assert!(site.text("/metrics").await.contains("sonar_relay_pending 1"));
    site.server.stop().await;
    assert_eq!(stage.owner.status(id).await.unwrap().windowIndex, 0);

    let site = Site::start(&sonar, home.path(), Duration::ZERO).await;
    site.wait_for("settled", "0-0").await;
    assert_eq!(stage.owner.status(id).await.unwrap().windowIndex, 1);
    let ledger = stage.owner.ledger(&terms).await.unwrap();
    assert!(ledger.owed > U256::ZERO);
    site.server.stop().await;
}

#[tokio::test]
async fn servers_that_share_a_database_answer_alike_and_replace_one_another() {
    let Some(database) = testkit::postgres::database() else { return };
    let stage = Stage::new().await;
    let (_, id) = campaign(&stage, 1).await;
    let sonar = stage.owner.with_signer(stage.anvil.signers()[8].clone());
    let homes = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let first = Site::start_with(Some(&database), &sonar, homes[0].path(), NEVER).await;
    let second = Site::start_with(Some(&database), &sonar, homes[1].path(), Duration::ZERO).await;
    let path = format!("/api/v1/campaigns/{id}");
    assert_eq!(first.ok(&path).await, second.ok(&path).await);
    let follows = async |site: &Site| site.ok("/readyz").await["index"]["follows"] == true;
    assert!(follows(&first).await && !follows(&second).await);

    // What is left with one of them, another sends.
    let mut settled = second.events("?kind=settled", None).await;
    let call = first.http.post(format!("{}/api/v1/relay/settlement", first.base));
    let answer = call.json(&settlement(&stage, id).await).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::ACCEPTED);
    let settled = settled.next().await;

    first.server.stop().await;
    submit_all(&stage, id, 2).await;
    second.wait_for("submitted", &settled.id).await;
    assert!(follows(&second).await);
    second.server.stop().await;
}

#[tokio::test]
async fn the_hub_keeps_what_is_live_and_what_never_appears_blocks_nothing() {
    let stage = Stage::new().await;
    let home = tempfile::tempdir().unwrap();
    let site = Site::start(&stage.owner, home.path(), NEVER).await;
    let hub: ipfs::Multiaddr = site.ok("/api/v1/info").await["ipfs"][0].as_str().unwrap().parse().unwrap();
    let node = |name: &str| {
        let config = ipfs::NodeConfig::client(home.path().join(name), vec![hub.clone()]);
        async { ipfs::Node::start(config).await.unwrap() }
    };

    // The certificate, the manifest and the material of this campaign are nowhere.
    let (_, id) = campaign(&stage, 1).await;
    let (status, problem) = site.get(&format!("/api/v1/campaigns/{id}/privacy")).await;
    assert_eq!((status, &problem["code"]), (StatusCode::NOT_FOUND, &json!("NO_MANIFEST")));
    let author = node("author").await;
    let update: Vec<u8> = (0..600_000_u32).map(|n| (n % 251) as u8).collect();
    let digest = author.add(update.clone()).await.unwrap();
    settle(&stage, id).await;
    stage.miners[0].submit(id, sonar_protocol::ids::Version(2), digest).await.unwrap();

    let path = format!("/api/v1/artefacts/{digest}");
    timeout(PATIENCE, async {
        let mut events = site.events("?after=0-0", None).await;
        loop {
            let (status, artefact) = site.get(&path).await;
            if status == StatusCode::OK && artefact["pinned"] == true {
                assert_eq!((&artefact["kind"], &artefact["bytes"]), (&json!("update"), &json!(600_000)));
                return;
            }
            // Events while they come; else the hub's own pace.
            let _ = timeout(Duration::from_millis(20), events.read()).await;
        }
    })
    .await
    .expect("the hub obtains it");
    author.shutdown().await;

    let reader = node("reader").await;
    assert_eq!(reader.get(digest, 1 << 20, PATIENCE).await.unwrap(), update);
    reader.shutdown().await;
    site.server.stop().await;
}

#[tokio::test]
async fn every_documented_route_answers_as_documented() {
    let stage = Stage::new().await;
    let home = tempfile::tempdir().unwrap();
    let sonar = stage.owner.with_signer(stage.anvil.signers()[8].clone());
    let (_, id) = campaign(&stage, 1).await;
    let site = Site::start(&sonar, home.path(), NEVER).await;
    let request = settlement(&stage, id).await;
    let document = site.ok("/api/v1/openapi.json").await;
    let mut count = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let url = path
                .replace("{id}", &id.to_string())
                .replace("{address}", &stage.miners[0].address().unwrap().to_string())
                .replace("{cid}", &Digest([1; 32]).to_string());
            let method: Method = method.to_uppercase().parse().unwrap();
            let mut call = site.http.request(method.clone(), format!("{}{url}", site.base));
            if method == Method::POST {
                call = call.json(&request);
            }
            let answer = call.send().await.unwrap();
            let status = answer.status();
            // The manifest of this campaign is nowhere.
            if path.ends_with("/privacy") {
                assert_eq!(status, StatusCode::NOT_FOUND);
                continue;
            }
            assert!(status.is_success(), "{method} {path}: {status}");
            let documented = &operation["responses"][status.as_str()]["content"];
            let kind = answer.headers()[header::CONTENT_TYPE].to_str().unwrap().to_owned();
            let kind = kind.split(';').next().unwrap();
            assert!(documented.get(kind).is_some(), "{method} {path}: {kind} is not documented: {documented}");
            assert!(answer.headers().contains_key("x-request-id"));
            count += 1;
        }
    }
    assert!(count >= 12, "only {count} routes are documented");
    assert!(site.text("/docs/").await.contains("swagger"));
    assert!(site.ok("/readyz").await["ready"] == true);
    let metrics = site.text("/metrics").await;
    for name in ["sonar_index_lag_blocks 0", "sonar_campaigns{state=\"open\"} 1", "sonar_http_requests_total{"] {
        assert!(metrics.contains(name), "{name} is missing in\n{metrics}");
    }
    site.server.stop().await;
}

#[tokio::test]
async fn browsers_get_the_pages_with_a_strict_policy() {
    let stage = Stage::new().await;
    let home = tempfile::tempdir().unwrap();
    let site = Site::start(&stage.owner, home.path(), NEVER).await;
    for path in ["/", "/campaigns/0x12", "/statistics"] {
        let request = site.http.get(format!("{}{path}", site.base)).header(header::ACCEPT, "text/html");
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        assert_eq!(answer.headers()[header::CONTENT_TYPE], "text/html; charset=utf-8");
        let policy = answer.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(
            policy.contains("script-src 'self';") && policy.contains("connect-src 'self' https://rpc.example.org;")
        );
    }
    // A page that a person opens under /api is a mistake in an address.
    let request = site.http.get(format!("{}/api/v1/nothing", site.base)).header(header::ACCEPT, "text/html");
    expect_problem(request.send().await.unwrap(), 404, "NOT_FOUND", "unknown route").await;
    let docs = site.http.get(format!("{}/docs/", site.base)).send().await.unwrap();
    assert!(docs.headers().get(header::CONTENT_SECURITY_POLICY).is_none(), "Swagger has scripts of its own");
    site.server.stop().await;
}

#[tokio::test]
async fn bad_requests_are_answered_with_problems_that_name_them() {
    let stage = Stage::new().await;
    let home = tempfile::tempdir().unwrap();
    let sonar = stage.owner.with_signer(stage.anvil.signers()[8].clone());
    let site = Site::start(&sonar, home.path(), NEVER).await;
    let unknown = CampaignId::from([9; 32]);
    let nowhere = Digest([9; 32]);
    let gets = [
        ("/nothing".to_owned(), 404, "NOT_FOUND"),
        ("/api/v1/nothing".into(), 404, "NOT_FOUND"),
        ("/api".into(), 404, "NOT_FOUND"),
        ("/api/v1/campaigns/zz".into(), 400, "USAGE"),
        (format!("/api/v1/campaigns/{unknown}"), 404, "UNKNOWN_CAMPAIGN"),
        (format!("/api/v1/campaigns/{unknown}/submissions"), 404, "UNKNOWN_CAMPAIGN"),
        (format!("/api/v1/campaigns/{unknown}/privacy"), 404, "UNKNOWN_CAMPAIGN"),
        (format!("/api/v1/campaigns/{unknown}/events"), 404, "UNKNOWN_CAMPAIGN"),
        (format!("/api/v1/campaigns/{unknown}/windows"), 404, "UNKNOWN_CAMPAIGN"),
        ("/api/v1/campaigns?limit=0".into(), 400, "USAGE"),
        ("/api/v1/campaigns?limit=501".into(), 400, "USAGE"),
        ("/api/v1/campaigns?limit=many".into(), 400, "USAGE"),
        ("/api/v1/campaigns?state=happy".into(), 400, "USAGE"),
        ("/api/v1/campaigns?colour=red".into(), 400, "USAGE"),
        (format!("/api/v1/campaigns?after={unknown}"), 404, "UNKNOWN_CAMPAIGN"),
        ("/api/v1/capsules?limit=0".into(), 400, "USAGE"),
        ("/api/v1/capsules?limit=501".into(), 400, "USAGE"),
        ("/api/v1/capsules?after=0x12".into(), 400, "USAGE"),
        ("/api/v1/capsules?colour=red".into(), 400, "USAGE"),
        ("/api/v1/miners/0x12".into(), 400, "USAGE"),
        // A digit is mistyped, so the checksum is wrong.
        ("/api/v1/miners/0x5aAeb6063F3E94C9b9A09f33669435E7Ef1BeAed".into(), 400, "USAGE"),
        ("/api/v1/campaigns?owner=0x5aAeb6063F3E94C9b9A09f33669435E7Ef1BeAed".into(), 400, "USAGE"),
        (format!("/api/v1/miners/{}", stage.miners[0].address().unwrap()), 404, "NOT_FOUND"),
        ("/api/v1/accounts/0x12".into(), 400, "USAGE"),
        (format!("/api/v1/accounts/{}?after={unknown}", stage.deployment.datacoin), 404, "UNKNOWN_CAMPAIGN"),
        (format!("/api/v1/campaigns/{unknown}/series"), 404, "UNKNOWN_CAMPAIGN"),
        (format!("/api/v1/campaigns/{unknown}/series.csv"), 404, "UNKNOWN_CAMPAIGN"),
        (format!("/api/v1/campaigns/{unknown}/submissions.csv"), 404, "UNKNOWN_CAMPAIGN"),
        (format!("/api/v1/campaigns/{unknown}/leaderboard"), 404, "UNKNOWN_CAMPAIGN"),
        (format!("/api/v1/campaigns/{unknown}/money"), 404, "UNKNOWN_CAMPAIGN"),
        (format!("/api/v1/campaigns/{unknown}/feed.atom"), 404, "UNKNOWN_CAMPAIGN"),
        (format!("/api/v1/campaigns/{unknown}/badge.svg"), 404, "UNKNOWN_CAMPAIGN"),
        (format!("/api/v1/campaigns?sort=bounty&after={unknown}"), 404, "UNKNOWN_CAMPAIGN"),
        ("/api/v1/campaigns?sort=random".into(), 400, "USAGE"),
        ("/api/v1/campaigns?regime=sealed".into(), 400, "USAGE"),
        ("/api/v1/statistics?from=2026-02-30".into(), 400, "USAGE"),
        ("/api/v1/statistics?from=2026-02-02&to=2026-02-01".into(), 400, "USAGE"),
        ("/api/v1/statistics?format=xml".into(), 400, "USAGE"),
        ("/api/v1/artefacts/zz".into(), 400, "USAGE"),
        (format!("/api/v1/artefacts/{nowhere}"), 404, "NOT_FOUND"),
        ("/api/v1/events?after=yesterday".into(), 400, "USAGE"),
        ("/api/v1/events?campaign=1".into(), 400, "USAGE"),
        ("/api/v1/relay/settlement".into(), 405, "METHOD"),
    ];
    for (path, status, code) in gets {
        let answer = site.http.get(format!("{}{path}", site.base)).send().await.unwrap();
        expect_problem(answer, status, code, &path).await;
    }
    let huge = vec![b' '; 300 << 10];
    let posts = [
        ("application/json", b"".to_vec(), 400, "USAGE"),
        ("application/json", b"{\"terms\":1}".to_vec(), 400, "USAGE"),
        ("application/json", b"[[[[".to_vec(), 400, "USAGE"),
        ("text/plain", b"{}".to_vec(), 415, "MEDIA_TYPE"),
        ("application/json", huge, 413, "TOO_LARGE"),
    ];
    for (kind, body, status, code) in posts {
        let call = site.http.post(format!("{}/api/v1/relay/settlement", site.base));
        let answer = call.header(header::CONTENT_TYPE, kind).body(body).send().await.unwrap();
        expect_problem(answer, status, code, kind).await;
    }
    site.server.stop().await;
}

async fn expect_problem(answer: reqwest::Response, status: u16, code: &str, what: &str) {
    assert_eq!(answer.status().as_u16(), status, "{what}");
    assert_eq!(answer.headers()[header::CONTENT_TYPE], "application/problem+json", "{what}");
    let problem: Value = answer.json().await.unwrap();
    assert_eq!((&problem["code"], &problem["status"]), (&json!(code), &json!(status)), "{what}");
    assert!(!problem["detail"].as_str().unwrap().is_empty(), "{what}");
}

#[tokio::test]
async fn without_an_account_nothing_is_relayed_and_one_directory_serves_one_server() {
    let stage = Stage::new().await;
    let home = tempfile::tempdir().unwrap();
    let (_, id) = campaign(&stage, 1).await;
    let reader = Client::connect(&stage.anvil.endpoint(), stage.deployment, None).await.unwrap();
    let site = Site::start(&reader, home.path(), NEVER).await;
    let call = site.http.post(format!("{}/api/v1/relay/settlement", site.base));
    let answer = call.json(&settlement(&stage, id).await).send().await.unwrap();
    expect_problem(answer, 503, "NO_ACCOUNT", "relay").await;

    let config = ServerConfig {
        home: home.path().to_owned(),
        database: None,
        listen: "127.0.0.1:0".parse().unwrap(),
        ipfs_listen: "/ip4/127.0.0.1/tcp/0".parse().unwrap(),
        kubo: None,
        poll: Duration::from_millis(10),
        confirmations: 0,
        relay_after: NEVER,
        public_rpc: None,
    };
    let second = Server::start(config, reader).await.unwrap_err().to_string();
    assert!(second.contains("another `sonar serve`"), "{second}");
    site.server.stop().await;
}

#[tokio::test]
async fn a_chain_that_was_replaced_is_not_ready_and_the_reason_says_what_to_do() {
    let stage = Stage::new().await;
    let home = tempfile::tempdir().unwrap();
    let site = Site::start(&stage.owner, home.path(), NEVER).await;
    assert_eq!(site.ok("/readyz").await["ready"], true);
    // As a node that restarts without its state.
    let _: Value = stage.anvil.provider().raw_request("anvil_reset".into(), ()).await.unwrap();
    let (status, ready) = site.get("/readyz").await;
    assert_eq!((status, &ready["chain"]["ok"]), (StatusCode::SERVICE_UNAVAILABLE, &json!(false)), "{ready}");
    let reasons = ready["reasons"].to_string();
    assert!(reasons.contains("the chain was replaced") && reasons.contains("sonar deploy"), "{reasons}");
    site.server.stop().await;
}
