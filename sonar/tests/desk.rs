//! The desk as a browser meets it: a real `sonar ui`, on a real chain and a real Sonar; the test plays the Capsule.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader},
    process::{Child, Stdio},
};

use alloy::{
    primitives::{Address, U256},
    providers::Provider,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use futures::StreamExt;
use serde_json::{Value, json};
use sonar_protocol::{ids::CampaignId, pgp::Certificate, units::Timestamp};
use syft::Weights;
use testkit::stage::Stage;

use crate::{
    campaign::{Capsule, FILE, Served, initial, scientist},
    commands::{PASSPHRASE, User, aside},
};

/// `sonar ui` as a process of its own, with an open session.
struct Desk {
    process: Child,
    url: String,
    cookie: String,
    http: reqwest::Client,
}

impl Drop for Desk {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Desk {
    /// Starts the desk of a user, and opens the link that it prints.
    async fn start(user: &User) -> Self {
        let mut process = user
            .command(&["ui", "--no-open", "--listen", "127.0.0.1:0", "--json", "--quiet"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = process.stdout.take().unwrap();
        let line = aside(move || BufReader::new(stdout).lines().next().unwrap().unwrap()).await;
        let printed: Value = serde_json::from_str(&line).unwrap();
        let link = printed["data"]["link"].as_str().unwrap();
        let (url, token) = link.split_once("/#t=").unwrap();
        let mut desk = Self { process, url: url.into(), cookie: String::new(), http: testkit::http() };
        let opened = desk.request("POST", "/api/session").json(&json!({ "token": token })).send().await.unwrap();
        assert_eq!(opened.status(), 204);
        let cookie = opened.headers()["set-cookie"].to_str().unwrap();
        desk.cookie = cookie.split(';').next().unwrap().into();
        desk
    }

    /// A request as the pages send it.
    fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        self.http
            .request(method.parse().unwrap(), format!("{}{path}", self.url))
            .header("cookie", &self.cookie)
            .header("x-requested-with", "sonar-ui")
            .header("origin", &self.url)
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        answer(self.request("GET", path)).await
    }

    async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        answer(self.request("POST", path).json(&body)).await
    }

    async fn unlock(&self) {
        let unlock = json!({ "passphrase": PASSPHRASE, "minutes": 60 });
        let (status, account) = self.post("/api/desk/accounts/scientist/unlock", unlock).await;
        assert_eq!(status, 200, "{account}");
        assert!(account["spends_until"].as_u64() < account["unlocked_until"].as_u64(), "{account}");
    }

    async fn plan(&self, user: &User) -> Value {
        let (status, plan) = self.post("/api/desk/plan", plan_of(user)).await;
        assert_eq!(status, 200, "{plan}");
        plan
    }

    /// Follows the events until a launch is as wanted.
    async fn wait_for_launch(&self, id: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let events = self.request("GET", "/api/desk/events").send().await.unwrap();
        // What changed before the stream was open.
        let (_, now) = self.get(&format!("/api/desk/launches/{id}")).await;
        if wanted(&now) {
            return now;
        }
        let (mut parts, mut text) = (events.bytes_stream(), String::new());
        while let Some(part) = parts.next().await {
            text += std::str::from_utf8(&part.unwrap()).unwrap();
            while let Some((event, rest)) = text.split_once("\n\n").map(|(a, b)| (a.to_owned(), b.to_owned())) {
                text = rest;
                let data = event.lines().find_map(|line| line.strip_prefix("data: "));
                let launch: Value = serde_json::from_str(data.unwrap_or("null")).unwrap();
                if launch["id"] == id && wanted(&launch) {
                    return launch;
                }
            }
        }
        panic!("the stream of events ended");
    }

    async fn launched(&self, id: &str) -> Value {
        let ended = self.wait_for_launch(id, |launch| launch["state"] != "running").await;
        assert_eq!(ended["state"], "done", "{ended}");
        ended
    }
}

async fn answer(request: reqwest::RequestBuilder) -> (u16, Value) {
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    let text = answer.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

fn plan_of(user: &User) -> Value {
    let validation = STANDARD.encode(fs::read(user.path("validation.csv")).unwrap());
    json!({ "account": "scientist", "toml": FILE, "files": { "validation.csv": validation } })
}

/// Wei and DataCoin of the data scientist.
async fn money(stage: &Stage) -> [U256; 2] {
    let owner = stage.owner.address().unwrap();
    let balance = async |token| stage.owner.token_balance(token, owner).await.unwrap().0;
    [balance(Address::ZERO).await, balance(stage.deployment.datacoin).await]
}

async fn campaigns(stage: &Stage) -> Vec<CampaignId> {
    stage.owner.world(0, None).await.unwrap().in_order().map(|campaign| campaign.id).collect()
}

fn code(answer: &(u16, Value)) -> (u16, &str) {
    (answer.0, answer.1["code"].as_str().unwrap_or_default())
}

#[tokio::test]
async fn a_campaign_is_planned_launched_measured_and_audited_at_the_desk() {
    let stage = Stage::new().await;
    let served = Served::start(&stage);
    let capsule = Capsule::register(&stage, &served).await;
    let user = scientist(&stage, &served);
    let desk = Desk::start(&user).await;
    let before = money(&stage).await;

    let (_, status) = desk.get("/api/desk/status").await;
    assert_eq!(
        (&status["sonar_ok"], &status["rpc_ok"], &status["chain_id"]),
        (&true.into(), &true.into(), &31337.into())
    );
    let (_, accounts) = desk.get("/api/desk/accounts").await;
    let account = &accounts["items"][0];
    assert_eq!((&account["name"], &account["unlocked_until"]), (&"scientist".into(), &Value::Null));
    assert_eq!(account["balances"][1]["amount"], before[1].to_string());

    // Nothing happens without the keys.
    let locked = desk.post("/api/desk/plan", plan_of(&user)).await;
    assert_eq!(code(&locked), (403, "ACCOUNT_LOCKED"));
    desk.unlock().await;

    // A plan spends and stores nothing.
    let plan = desk.plan(&user).await;
    assert_eq!(plan["terms"]["bounty"], "12500000000000000000");
    assert_eq!((&plan["cost"]["fee"], &plan["cost"]["affordable"]), (&"125000000000000000".into(), &true.into()));
    assert!(plan["outlook"]["warnings"].to_string().contains("secret"), "{plan}");
    assert_eq!(plan["examples"].as_array().unwrap().last().unwrap()["delta_ppm"], 800_000);
    assert_eq!((money(&stage).await, campaigns(&stage).await), (before, vec![]));
    assert!(!user.path("launches").exists());

    // Clicked twice.
    let launch = json!({ "account": "scientist", "plan_id": plan["plan_id"] });
    let (accepted, started) = desk.post("/api/desk/launches", launch.clone()).await;
    assert_eq!((accepted, desk.post("/api/desk/launches", launch).await), (202, (202, started.clone())));
    let key = started["id"].as_str().unwrap().to_owned();
    let launched = desk.launched(&key).await;
    let id: CampaignId = launched["campaign"].as_str().unwrap().parse().unwrap();
    assert_eq!(campaigns(&stage).await, [id]);
    let names: Vec<&str> =
        launched["steps"].as_array().unwrap().iter().map(|step| step["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["seal", "upload", "approve", "open", "offer"]);
    let planned_again = desk.plan(&user).await;
    assert_eq!(planned_again["earlier"], id.to_string());
    // The command finds the draft of the same files.
    let file = user.path(&format!("launches/{key}/campaign.toml")).display().to_string();
    let user = aside(move || {
        let again = user.json(&["campaign", "launch", &file, "--yes"]).data();
        assert_eq!((&again["id"], &again["transaction"]), (&id.to_string().into(), &Value::Null));
        user
    })
    .await;

    let path = |what: &str| format!("/api/desk/campaigns/{id}/{what}");
    let owner = json!({ "account": "scientist" });
    let early = desk.post(&path("result"), owner.clone()).await;
    assert_eq!(code(&early), (404, "NOT_DELIVERED"));

    // The Capsule works.
    let (manifest, bundle) = capsule.open(&stage.owner, id).await;
    let sealed = capsule.activate(&stage, id, (&manifest, &bundle), |_, _| {}).await;
    let refused = desk.post(&path("abandon"), owner.clone()).await;
    assert_eq!(code(&refused), (422, "TOO_EARLY"));
    let (status, closed) = desk.post(&path("close"), owner.clone()).await;
    assert_eq!(status, 200, "{closed}");
    assert!(closed["gas"].as_u64().unwrap() > 20_000, "{closed}");
    let certificate = Certificate::decode(&bundle.certificate, Timestamp::EPOCH).unwrap();
    capsule.deliver(&stage, id, &initial(&bundle), &certificate, &capsule.identity, sealed.handover).await;

    // The validation set comes from the launch: its owner need not keep the file.
    fs::remove_file(user.path("validation.csv")).unwrap();
    let (status, result) = desk.post(&path("result"), owner.clone()).await;
    assert_eq!(status, 200, "{result}");
    assert_eq!((&result["accuracy_ppm"], &result["as_attested"]), (&100_000.into(), &true.into()));
    // The starting model answers `no` to every row.
    assert_eq!(result["confusion"]["counts"], json!([[2, 0], [18, 0]]));
    let files: BTreeMap<&str, u64> = result["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| (file["format"].as_str().unwrap(), file["bytes"].as_u64().unwrap()))
        .collect();
    assert_eq!(files.keys().copied().collect::<Vec<_>>(), ["npz", "onnx", "safetensors"]);
    let model = desk.request("GET", &path("result/safetensors")).send().await.unwrap();
    assert!(model.headers()["content-disposition"].to_str().unwrap().ends_with(".safetensors\""));
    let model = model.bytes().await.unwrap();
    assert_eq!(
        (model.len() as u64, Weights::from_safetensors(&model).unwrap()),
        (files["safetensors"], initial(&bundle))
    );

    let (status, audit) = desk.post(&path("audit"), owner.clone()).await;
    assert_eq!((status, &audit["honest"], &audit["versions"][0]["verdict"]), (200, &true.into(), &"honest".into()));
    let refused = desk.post(&path("release"), owner.clone()).await;
    assert_eq!(code(&refused), (422, "TOO_EARLY"));
    let refused = desk.post(&path("convict"), owner.clone()).await;
    assert_eq!(code(&refused), (409, "AUDIT_FAILED"));
    let (status, withdrawn) = desk.post(&path("withdraw"), owner.clone()).await;
    assert_eq!(status, 200, "{withdrawn}");
    let spent = before[1] - money(&stage).await[1];
    assert_eq!(spent, U256::from(125_000_000_000_000_000_u64), "only the fee is still in escrow");

    // A locked account has nothing in memory.
    assert_eq!(desk.post("/api/desk/accounts/scientist/lock", json!({})).await.0, 204);
    assert_eq!(code(&desk.get(&path("result/npz")).await), (404, "NO_RESULT"));
    for what in ["result", "audit", "withdraw"] {
        assert_eq!(code(&desk.post(&path(what), owner.clone()).await), (403, "ACCOUNT_LOCKED"), "{what}");
    }
}

/// Killed when the bounty was sent and not yet mined.
#[tokio::test]
async fn a_killed_launch_is_resumed_and_pays_once() {
    let stage = Stage::new().await;
    let served = Served::start(&stage);
    let _capsule = Capsule::register(&stage, &served).await;
    let user = scientist(&stage, &served);
    let mut desk = Desk::start(&user).await;
    desk.unlock().await;
    let before = money(&stage).await;
    let plan = desk.plan(&user).await;
    let chain = stage.anvil.provider();
    let mining = async |on: bool| chain.raw_request::<_, Value>("evm_setAutomine".into(), (on,)).await.unwrap();
    mining(false).await;
    let launch = json!({ "account": "scientist", "plan_id": plan["plan_id"] });
    let (_, started) = desk.post("/api/desk/launches", launch).await;
    let id = started["id"].as_str().unwrap();
    desk.wait_for_launch(id, |launch| launch["steps"][3]["state"] == "running").await;
    let owner = stage.owner.address().unwrap();
    let mined = chain.get_transaction_count(owner).await.unwrap();
    while chain.get_transaction_count(owner).pending().await.unwrap() == mined {
        tokio::task::yield_now().await;
    }
    // The same files cannot be launched at the same time.
    let file = user.path(&format!("launches/{id}/campaign.toml")).display().to_string();
    let user = aside(move || {
        let twice = user.json(&["campaign", "launch", &file, "--yes"]);
        assert_eq!((twice.code, twice.error().as_str()), (5, "LAUNCH_RUNNING"));
        user
    })
    .await;
    desk.process.kill().unwrap();
    desk.process.wait().unwrap();
    mining(true).await;
    let _: Value = chain.raw_request("evm_mine".into(), ()).await.unwrap();

    let desk = Desk::start(&user).await;
    let (_, launches) = desk.get("/api/desk/launches").await;
    let interrupted = &launches["items"][0];
    assert_eq!((&interrupted["state"], &interrupted["error"]["code"]), (&"failed".into(), &"INTERRUPTED".into()));
    assert_eq!(interrupted["resumable"], true);
    let resume = format!("/api/desk/launches/{id}/resume");
    assert_eq!(code(&desk.post(&resume, json!({})).await), (403, "ACCOUNT_LOCKED"));
    desk.unlock().await;
    assert_eq!(desk.post(&resume, json!({})).await.0, 202);
    let done = desk.launched(id).await;
    assert_eq!(campaigns(&stage).await.len(), 1);
    let paid = before[1] - money(&stage).await[1];
    assert_eq!(paid, U256::from(12_625_000_000_000_000_000_u128), "bounty and fee, once");
    // Resumed once more, nothing happens.
    assert_eq!(desk.post(&resume, json!({})).await, (202, done));
}

#[tokio::test]
async fn strangers_are_refused_and_a_dead_sonar_leaves_the_desk_usable() {
    let stage = Stage::new().await;
    let mut served = Served::start(&stage);
    let user = scientist(&stage, &served);
    let desk = Desk::start(&user).await;

    // The first wrong passphrase is told so, the next one has to wait.
    let unlock = "/api/desk/accounts/scientist/unlock";
    let wrong = desk.post(unlock, json!({ "passphrase": "wrong", "minutes": 5 })).await;
    assert_eq!(code(&wrong), (403, "PASSPHRASE"));
    assert!(!wrong.1.to_string().contains("\"wrong\""), "{wrong:?}");
    let hurried = desk.post(unlock, json!({ "passphrase": "wrong", "minutes": 5 })).await;
    assert_eq!(code(&hurried), (429, "TOO_MANY_ATTEMPTS"));
    let forever = desk.post(unlock, json!({ "passphrase": PASSPHRASE, "minutes": 61 })).await;
    assert_eq!(code(&forever), (400, "USAGE"));
    // What is in a body is not repeated, whatever is wrong with it.
    let secret = desk.post(unlock, json!({ "passphrase": ["s3cret"], "s3cret": 1 })).await;
    assert_eq!(code(&secret), (400, "USAGE"));
    assert!(!secret.1.to_string().contains("s3cret"), "{secret:?}");

    let action = format!("/api/desk/campaigns/0x{}/withdraw", "1".repeat(64));
    for path in ["/api/desk/plan", "/api/desk/launches", &action, unlock] {
        let send = |headers: &[(&'static str, String)]| {
            let mut request = desk.http.post(format!("{}{path}", desk.url)).json(&json!({}));
            for (name, value) in headers {
                request = request.header(*name, value);
            }
            answer(request)
        };
        let cookie = || ("cookie", desk.cookie.clone());
        let custom = || ("x-requested-with", "sonar-ui".to_owned());
        let own = || ("origin", desk.url.clone());
        let foreign = |origin: &str| ("origin", origin.to_owned());
        assert_eq!(code(&send(&[custom(), own()]).await), (401, "NO_SESSION"), "{path}");
        let stale = ("cookie", "session=0".to_owned());
        assert_eq!(code(&send(&[stale, custom(), own()]).await), (401, "NO_SESSION"), "{path}");
        assert_eq!(code(&send(&[cookie(), own()]).await), (403, "HEADER"), "{path}");
        assert_eq!(code(&send(&[cookie(), custom()]).await), (403, "ORIGIN"), "{path}");
        for origin in ["null", "http://evil.example"] {
            assert_eq!(code(&send(&[cookie(), custom(), foreign(origin)]).await), (403, "ORIGIN"), "{path}");
        }
        let host = ("host", "evil.example".to_owned());
        assert_eq!(code(&send(&[cookie(), custom(), own(), host]).await), (421, "MISDIRECTED"), "{path}");
    }
    for path in ["/api/desk/accounts", "/api/desk/events", "/api/v1/info"] {
        let request = desk.http.get(format!("{}{path}", desk.url));
        assert_eq!(code(&answer(request).await), (401, "NO_SESSION"), "{path}");
    }

    // Sonar's API, for reading only.
    let (status, info) = desk.get("/api/v1/info").await;
    assert_eq!((status, &info["chain_id"]), (200, &31337.into()));
    let policy = desk.request("GET", "/api/v1/info").send().await.unwrap();
    assert!(policy.headers()["content-security-policy"].to_str().unwrap().contains("sandbox"));
    assert_eq!(desk.post("/api/v1/relay/settlement", json!({})).await.0, 405);
    assert_eq!(desk.get("/api/v1/metrics").await.0, 404, "not Sonar's other routes");
    for trick in ["/api/v1/%2e%2e/%2e%2e/metrics", "/api/v1/..%2f..%2fmetrics", "/api/v1//metrics", "/api/v1/a%40b"] {
        let (status, _) = raw(&desk, trick).await;
        assert!(matches!(status, 400 | 404), "{trick}: {status}");
    }
    let mut stream = desk.request("GET", "/api/v1/events").send().await.unwrap();
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    assert!(String::from_utf8_lossy(&stream.chunk().await.unwrap().unwrap()).contains("event: open"));

    served.process.kill().unwrap();
    served.process.wait().unwrap();
    let dead = desk.get("/api/v1/info").await;
    assert_eq!(code(&dead), (503, "UNREACHABLE"));
    let (_, state) = desk.get("/api/desk/status").await;
    assert_eq!((&state["sonar_ok"], &state["rpc_ok"]), (&false.into(), &true.into()));
    assert_eq!(desk.get("/api/desk/accounts").await.1["items"].as_array().unwrap().len(), 1);
}

/// Sends a path as it is: an HTTP client would normalise it.
async fn raw(desk: &Desk, path: &str) -> (u16, String) {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpStream,
    };
    let host = desk.url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(host).await.unwrap();
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nCookie: {}\r\nConnection: close\r\n\r\n", desk.cookie);
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    (text.split(' ').nth(1).unwrap().parse().unwrap(), text)
}

/// A second command opens the pages of the first one.
#[tokio::test]
async fn a_home_has_one_desk() {
    let stage = Stage::new().await;
    let user = User::on(&stage);
    let desk = Desk::start(&user).await;
    let url = desk.url.clone();
    let user = aside(move || {
        let second = user.json(&["ui", "--no-open"]).data();
        assert!(second["link"].as_str().unwrap().starts_with(&format!("{url}/#t=")), "{second}");
        let wide = user.json(&[
            "ui",
            "--no-open",
            "--listen",
            "0.0.0.0:0",
            "--home",
            &user.path("other").display().to_string(),
        ]);
        assert_eq!((wide.code, wide.error().as_str()), (5, "LISTEN"));
        user
    })
    .await;

    // An account is made here, too.
    let new = json!({ "name": "alice", "passphrase": "battery staple" });
    let (status, made) = desk.post("/api/desk/accounts", new.clone()).await;
    assert_eq!((status, made["fingerprint"].is_string()), (201, true), "{made}");
    assert_eq!(code(&desk.post("/api/desk/accounts", new).await), (422, "ACCOUNT_EXISTS"));
    let csv = STANDARD.encode("a,b,y\n1,0.5,no\n2,0.1,yes\n3,0.7,no\n4,0.2,yes\n");
    let (status, draft) = desk.post("/api/desk/draft", json!({ "csv": csv, "file_name": "own.csv" })).await;
    assert_eq!((status, &draft["rows"], &draft["columns"][2]["kind"]), (200, &4.into(), &"category".into()), "{draft}");
    assert!(draft["toml"].as_str().unwrap().contains("own.csv"), "{draft}");
    drop(user);
}
