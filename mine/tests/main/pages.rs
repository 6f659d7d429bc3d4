//! The pages' API of a running `mine run`, over HTTP as a browser uses it.

use std::{
    process::{Child, Command, Stdio},
    time::Duration,
};

use alloy::hex;
use axum::{Json, Router, routing::get};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use reqwest::{Method, RequestBuilder, Response, StatusCode, header};
use serde_json::{Value, json};
use sonar_contracts::Outcome;
use sonar_node::http;
use testkit::yes_or_no::csv;

use crate::{
    cli::Cli,
    stage::{Campaign, Stage},
};

/// Nothing here takes so long.
const PATIENCE: Duration = Duration::from_secs(120);

/// What `mine` asks Sonar for.
pub async fn sonar(stage: &Stage) -> String {
    let info = json!({
        "chain_id": stage.deployment.chain_id,
        "contracts": stage.deployment,
        "ipfs": stage.hub.addresses(),
        "version": env!("CARGO_PKG_VERSION"),
        "block": 0,
    });
    let router = Router::new().route("/api/v1/info", get(async || Json(info)));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async { axum::serve(listener, router).await.unwrap() });
    format!("http://{address}")
}

/// A home with an account that has gas, data that fits, and a policy that serves the stage's campaigns.
async fn home(stage: &Stage) -> Cli {
    let cli = Cli::new();
    let key = cli.file("key", hex::encode(stage.anvil.signers()[5].to_bytes()).as_bytes());
    let (rpc, sonar) = (stage.anvil.endpoint(), sonar(stage).await);
    cli.good(&["init", "--key-file", &key, "--rpc", &rpc, "--sonar", &sonar]);
    cli.good(&["policy", "set", "--least-stake-share", "0"]);
    let data = cli.file("own.csv", csv(200).as_bytes());
    cli.good(&["data", "add", "own", &data]);
    cli
}

/// A running `mine run`, killed with this.
struct Running {
    child: Child,
    url: String,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Running {
    async fn start(cli: &Cli) -> Self {
        let child = Command::new(env!("CARGO_BIN_EXE_mine"))
            .args(["run", "--listen", "127.0.0.1:0", "--no-input"])
            .env_clear()
            .env("MINE_HOME", cli.home())
            .env("MINE_PASSPHRASE_FILE", cli.directory.path().join("passphrase"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let file = cli.home().join("ui.json");
        let read =
            || Some(serde_json::from_slice::<Value>(&std::fs::read(&file).ok()?).ok()?["url"].as_str()?.to_owned());
        let url = eventually(async || read()).await;
        Self { child, url }
    }

    /// As a service manager does.
    fn stop(mut self) {
        kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), Signal::SIGTERM).unwrap();
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!("{}{path}", self.url);
        http::client(&url, PATIENCE).unwrap().request(method, url)
    }

    /// Opens a session with the token of the home, as the page that `mine ui` opens.
    async fn open(&self, cli: &Cli) -> Page<'_> {
        let link = cli.good(&["ui", "--no-open"])["link"].as_str().unwrap().to_owned();
        let token = link.split_once("#t=").unwrap().1;
        let page = Page { running: self, cookie: String::new() };
        let answer = page.post("/api/session", &json!({ "token": token })).await;
        assert_eq!(answer.status(), StatusCode::NO_CONTENT);
        let cookie = answer.headers()[header::SET_COOKIE].to_str().unwrap();
        assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
        Page { cookie: cookie.split(';').next().unwrap().to_owned(), ..page }
    }
}

/// A page with a session.
struct Page<'a> {
    running: &'a Running,
    cookie: String,
}

impl Page<'_> {
    async fn read(&self, path: &str) -> Response {
        self.running.request(Method::GET, path).header(header::COOKIE, &self.cookie).send().await.unwrap()
    }

    async fn get(&self, path: &str) -> Value {
        let answer = self.read(path).await;
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        answer.json().await.unwrap()
    }

    async fn post(&self, path: &str, body: &Value) -> Response {
        let request = self.running.request(Method::POST, path).json(body);
        let request = request.header("X-Requested-With", "sonar-ui").header(header::ORIGIN, &self.running.url);
        request.header(header::COOKIE, &self.cookie).send().await.unwrap()
    }

    async fn good(&self, path: &str, body: &Value) -> Value {
        let answer = self.post(path, body).await;
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert_eq!(status, StatusCode::OK, "{path}: {text}");
        serde_json::from_str(&text).unwrap()
    }

    /// Polls a resource until it is as expected.
    async fn until(&self, path: &str, is_expected: impl Fn(&Value) -> bool) -> Value {
        eventually(async || Some(self.get(path).await).filter(&is_expected)).await
    }
}

async fn eventually<T>(attempt: impl AsyncFn() -> Option<T>) -> T {
    let found = async {
        loop {
            if let Some(found) = attempt().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, found).await.expect("it happens soon")
}

async fn problem(answer: Response) -> (u16, String) {
    let status = answer.status().as_u16();
    let code = answer.json::<Value>().await.unwrap()["code"].as_str().unwrap_or_default().to_owned();
    (status, code)
}

async fn open_campaign(stage: &Stage) -> Campaign {
    let campaign = stage.open(|_| {}).await;
    let binding = stage.binding(&campaign).await;
    let (_, material) = stage.publish(&campaign, &binding).await;
    stage.activate(&campaign, material).await;
    campaign
}

#[tokio::test(flavor = "multi_thread")]
async fn a_campaign_is_followed_on_the_pages_from_the_decision_to_the_withdrawal() {
    let stage = Stage::new().await;
    let cli = home(&stage).await;
    let campaign = open_campaign(&stage).await;
    let id = campaign.id.to_string();
    let running = Running::start(&cli).await;
    let page = running.open(&cli).await;

    let waits = |list: &Value| list["items"][0]["decision"]["reason"] == "settlement";
    let line = page.until("/api/mine/campaigns", waits).await["items"][0].clone();
    assert_eq!((&line["campaign"], &line["name"]), (&json!(id), &json!("Yes or no")));
    assert_eq!(line["fit"], json!({"ok": true, "rows": 200, "data": ["own"], "reason": null}));
    assert_eq!(line["decision"]["kind"], "wait");
    assert_eq!((&line["token"]["symbol"], &line["submitted"]), (&json!("ETH"), &json!(1)));

    let jobs = page.get("/api/mine/jobs").await;
    let steps: Vec<_> = jobs["items"].as_array().unwrap().iter().map(|job| job["step"].as_str().unwrap()).collect();
    assert_eq!(steps, ["send", "train", "fetch_material", "fetch_manifest"], "newest first");
    assert!(
        jobs["items"].as_array().unwrap().iter().all(|job| job["state"] == "done" && job["attempt"] == 1),
        "{jobs}"
    );

    let earnings = page.until("/api/mine/earnings", |earnings| earnings["gas"]["missing"] == 0).await;
    assert_eq!((&earnings["items"][0]["verdict"], &earnings["items"][0]["inputs"]), (&json!("pending"), &Value::Null));
    assert_eq!(earnings["totals"][0]["pending_count"], 1);

    // Three quarters, in steps of one: the target is not reached yet.
    let (_, next) = stage.publish(&campaign, &stage.binding(&campaign).await).await;
    stage.settle(campaign.id, &[Outcome::Accepted(3)], Some(next)).await;
    let paid = |earnings: &Value| earnings["totals"][0]["claimable"] != "0" && earnings["gas"]["missing"] == 0;
    let earnings = page.until("/api/mine/earnings", paid).await;
    let owed = earnings["totals"][0]["claimable"].as_str().unwrap();
    let row = earnings["items"].as_array().unwrap().iter().find(|row| row["verdict"] == "accepted").unwrap().clone();
    let integer = |value: &Value| {
        value.as_str().map_or_else(|| u128::from(value.as_u64().unwrap()), |text| text.parse().unwrap())
    };
    let inputs = &row["inputs"];
    let exact = integer(&inputs["bounty"]) * integer(&inputs["delta_ppm"]) / integer(&inputs["range_ppm"]);
    assert_eq!((integer(&row["amount"]), owed.parse()), (exact, Ok(exact)));
    assert_eq!(earnings["days"][0]["earned"], owed);

    // What spends needs the passphrase; a wrong one does not help.
    let body = json!({ "campaign": null });
    assert_eq!(problem(page.post("/api/mine/withdraw", &body).await).await, (403, "REAUTHENTICATE".into()));
    let wrong = page.post("/api/session/passphrase", &json!({ "passphrase": "wrong" })).await;
    assert_eq!(problem(wrong).await, (403, "PASSPHRASE".into()));
    assert_eq!(problem(page.post("/api/mine/withdraw", &body).await).await, (403, "REAUTHENTICATE".into()));
    assert_eq!(stage.view(campaign.id).await.withdrawals.len(), 0);
    let preview = page.get("/api/mine/withdraw").await;
    assert_eq!((&preview["items"][0]["amount"], &preview["items"][0]["worth_it"]), (&json!(owed), &json!(true)));
    // After a wrong one the next must wait.
    let right = json!({ "passphrase": "right" });
    eventually(async || {
        let answer = page.post("/api/session/passphrase", &right).await;
        (answer.status() == StatusCode::OK).then_some(())
    })
    .await;
    let made = page.good("/api/mine/withdraw", &body).await;
    assert_eq!((&made["transactions"][0]["amount"], made["transactions"].as_array().unwrap().len()), (&json!(owed), 1));
    page.until("/api/mine/earnings", |earnings| earnings["totals"][0]["withdrawn"] == owed).await;
    assert_eq!(page.good("/api/mine/withdraw", &body).await["transactions"], json!([]));
    let unknown = json!({ "campaign": format!("0x{}", "07".repeat(32)) });
    assert_eq!(problem(page.post("/api/mine/withdraw", &unknown).await).await, (404, "UNKNOWN_CAMPAIGN".into()));
    running.stop();
    assert!(!cli.home().join("ui.json").exists(), "the link ends with the server");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_on_the_page_stops_new_work_and_survives_a_restart() {
    let stage = Stage::new().await;
    let cli = home(&stage).await;
    let running = Running::start(&cli).await;
    let page = running.open(&cli).await;
    page.until("/api/mine/status", |status| status["running"] == true).await;
    assert_eq!(page.post("/api/mine/pause", &json!({ "minutes": 0 })).await.status(), StatusCode::BAD_REQUEST);
    let status = page.good("/api/mine/pause", &json!({ "minutes": 60, "after_job": false })).await;
    let until = status["paused"]["until"].as_u64().unwrap();
    assert_eq!(until - status["paused"]["since"].as_u64().unwrap(), 3_600);
    assert!(status["paused"]["reason"].as_str().unwrap().contains("`mine resume` ends the pause earlier"), "{status}");

    let campaign = open_campaign(&stage).await;
    let is_paused = |list: &Value| list["items"][0]["decision"]["reason"] == "paused";
    let list = page.until("/api/mine/campaigns", is_paused).await;
    assert_eq!(list["items"][0]["decision"]["kind"], "wait");
    running.stop();
    assert_eq!(cli.good(&["status"])["paused"]["until"], until);
    // Nothing is left to do, and there are no pages.
    cli.good(&["run", "--once"]);
    assert!(!cli.home().join("ui.json").exists());

    let running = Running::start(&cli).await;
    let page = running.open(&cli).await;
    page.until("/api/mine/campaigns", is_paused).await;
    assert_eq!(page.get("/api/mine/status").await["paused"]["until"], until);
    assert_eq!(stage.view(campaign.id).await.submissions, 0);
    let status = page.good("/api/mine/resume", &json!({})).await;
    assert_eq!(status["paused"], Value::Null);
    page.until("/api/mine/earnings", |earnings| earnings["items"][0]["verdict"] == "pending").await;
    // And from the command line, without a restart.
    cli.good(&["pause", "--after-job"]);
    let status = page.until("/api/mine/status", |status| status["paused"] != Value::Null).await;
    assert_eq!((&status["paused"]["until"], &status["paused"]["finishing"]), (&Value::Null, &json!(false)));
    let list = page.get("/api/mine/campaigns").await;
    assert_eq!(list["items"][0]["decision"]["reason"], "settlement", "the stake is followed to its settlement");
    cli.good(&["resume"]);
    page.until("/api/mine/status", |status| status["paused"] == Value::Null).await;
    // A chain that is gone is named, and what is known stays.
    drop(stage.anvil);
    let status = page.until("/api/mine/status", |status| status["chain"]["ok"] == false).await;
    assert!(status["chain"]["problem"].as_str().unwrap().contains("does not answer"), "{status}");
    assert!(status["chain"]["block"].is_u64());
    assert_eq!(page.get("/api/mine/earnings").await["items"][0]["verdict"], "pending");
}

#[tokio::test(flavor = "multi_thread")]
async fn attack_requests_that_do_not_come_from_the_own_page_are_refused() {
    let stage = Stage::new().await;
    let cli = home(&stage).await;
    let running = Running::start(&cli).await;
    let page = running.open(&cli).await;
    let paths = ["status", "campaigns", "jobs", "earnings", "privacy", "data", "doctor", "events", "withdraw"];
    for path in paths {
        let path = format!("/api/mine/{path}");
        let answer = running.request(Method::GET, &path).send().await.unwrap();
        assert_eq!(problem(answer).await, (401, "NO_SESSION".into()), "{path}");
        let with_session = || running.request(Method::GET, &path).header(header::COOKIE, &page.cookie);
        let foreign_host = with_session().header(header::HOST, "evil.example:8070").send().await.unwrap();
        assert_eq!(foreign_host.status(), StatusCode::MISDIRECTED_REQUEST, "{path}");
        let other_site = with_session().header("Sec-Fetch-Site", "cross-site").send().await.unwrap();
        assert_eq!(other_site.status(), StatusCode::FORBIDDEN, "{path}");
    }
    for path in ["/api/mine/pause", "/api/mine/resume", "/api/mine/withdraw"] {
        let post = || running.request(Method::POST, path).json(&json!({ "campaign": null }));
        let own = |request: RequestBuilder| {
            request.header("X-Requested-With", "sonar-ui").header(header::ORIGIN, &running.url)
        };
        let with_session = |request: RequestBuilder| request.header(header::COOKIE, &page.cookie);
        let forged = [
            ("no session", own(post()), 401),
            ("a guessed session", own(post()).header(header::COOKIE, "session=00"), 401),
            ("no header", with_session(post()).header(header::ORIGIN, &running.url), 403),
            ("no origin", with_session(post()).header("X-Requested-With", "sonar-ui"), 403),
        ];
        for (what, request, expected) in forged {
            assert_eq!(request.send().await.unwrap().status().as_u16(), expected, "{path}: {what}");
        }
        for origin in ["null", "http://evil.example", "http://127.0.0.1:1"] {
            let request = with_session(post()).header("X-Requested-With", "sonar-ui").header(header::ORIGIN, origin);
            assert_eq!(request.send().await.unwrap().status(), StatusCode::FORBIDDEN, "{path}: {origin}");
        }
    }
    assert!(!cli.home().join("pause.json").exists());
    // A token works once.
    let used = page.post("/api/session", &json!({ "token": "00" })).await;
    assert_eq!(used.status(), StatusCode::FORBIDDEN);
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_are_notified_and_resumed_by_id() {
    let stage = Stage::new().await;
    let cli = home(&stage).await;
    let running = Running::start(&cli).await;
    let page = running.open(&cli).await;
    page.until("/api/mine/status", |status| status["running"] == true).await;
    let mut stream = Events::new(page.read("/api/mine/events").await);
    let (name, first) = stream.next().await;
    assert_eq!(name, "open");
    cli.good(&["pause"]);
    let mut names = Vec::new();
    while !names.contains(&"status".to_owned()) {
        names.push(stream.next().await.0);
    }
    drop(stream);
    open_campaign(&stage).await;
    page.until("/api/mine/campaigns", |list| list["items"][0]["decision"]["reason"] == "paused").await;
    for (after, least) in
        [(first, &["status", "campaigns"][..]), ("1-1".into(), &["status", "campaigns", "jobs", "earnings"])]
    {
        let request = running.request(Method::GET, "/api/mine/events").header("Last-Event-ID", after);
        let mut stream = Events::new(request.header(header::COOKIE, &page.cookie).send().await.unwrap());
        let mut names = Vec::new();
        while names.last().is_none_or(|name| name != "open") {
            names.push(stream.next().await.0);
        }
        assert!(least.iter().all(|name| names.iter().any(|found| found == name)), "{names:?}");
    }
}

/// A stream of server-sent events.
struct Events {
    answer: Response,
    text: String,
}

impl Events {
    fn new(answer: Response) -> Self {
        assert_eq!(answer.headers()[header::CONTENT_TYPE], "text/event-stream");
        Self { answer, text: String::new() }
    }

    /// Name and id of the next event.
    async fn next(&mut self) -> (String, String) {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let field = |name: &str| {
                    event.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim().to_owned()
                };
                let found = (field("event:"), field("id:"));
                self.text = rest.to_owned();
                if !found.0.is_empty() {
                    return found;
                }
                continue;
            }
            let chunk =
                tokio::time::timeout(PATIENCE, self.answer.chunk()).await.unwrap().unwrap().expect("it goes on");
            self.text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_cell_of_the_data_is_shown() {
    let stage = Stage::new().await;
    let cli = home(&stage).await;
    let secret = "a,b,y\n0.5,0.25,Alexandrina\n0.5,0.75,Alexandrina\n0.5,7.125,Victoria\n0.5,0.5,Victoria\n";
    cli.good(&["data", "add", "odd", &cli.file("odd.csv", secret.as_bytes())]);
    open_campaign(&stage).await;
    cli.good(&["pause"]);
    let running = Running::start(&cli).await;
    let page = running.open(&cli).await;
    cli.good(&["resume"]);
    page.until("/api/mine/campaigns", |list| list["items"][0]["fit"] != Value::Null).await;
    let data = page.get("/api/mine/data").await;
    let columns = &data["items"][0]["columns"];
    assert_eq!((&data["items"][0]["name"], &data["items"][0]["rows"]), (&json!("odd"), &json!(4)));
    assert_eq!(
        (&columns[2]["kind"], &columns[2]["labels"], &columns[2]["min"]),
        (&json!("labels"), &json!(2), &Value::Null)
    );
    assert_eq!(page.get("/api/mine/privacy").await["data"][1]["data"], "own");
    for path in ["campaigns", "data", "status", "jobs", "earnings", "privacy"] {
        let text = page.read(&format!("/api/mine/{path}")).await.text().await.unwrap();
        for cell in ["Alexandrina", "Victoria", "7.125", "right"] {
            assert!(!text.contains(cell), "{path}: {text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_finds_all_well_and_names_what_is_broken() {
    use std::os::unix::fs::PermissionsExt;
    let stage = Stage::new().await;
    let cli = home(&stage).await;
    open_campaign(&stage).await;
    let (code, well) = cli.run(&["doctor"]);
    assert_eq!(code, 0, "{well}");
    let names: Vec<_> =
        well["data"]["checks"].as_array().unwrap().iter().map(|check| check["name"].as_str().unwrap()).collect();
    let all = [
        "keys",
        "vault",
        "config",
        "disk",
        "sonar",
        "chain",
        "contracts",
        "head",
        "clock",
        "balance",
        "ipfs",
        "capsules",
        "version",
    ];
    assert_eq!(names, all);
    assert!(well.to_string().contains("the certificates of 1 open campaigns are usable"), "{well}");

    let broken = |arguments: &[&str], name: &str, what: &str| {
        let (code, answer) = cli.run(arguments);
        assert_eq!((code, answer["error"]["code"].as_str()), (9, Some("UNHEALTHY")), "{answer}");
        let failed: Vec<_> =
            answer["data"]["checks"].as_array().unwrap().iter().filter(|check| check["ok"] == false).cloned().collect();
        assert_eq!(failed.len(), 1, "{failed:?}");
        assert_eq!(failed[0]["name"], name);
        assert!(failed[0]["detail"].as_str().unwrap().contains(what) && failed[0]["fix"].is_string(), "{failed:?}");
    };
    broken(&["doctor", "--rpc", "http://127.0.0.1:1"], "chain", "does not answer");
    let other = json!({
        "chain_id": 1, "campaigns": stage.deployment.campaigns, "registry": stage.deployment.registry,
        "datacoin": stage.deployment.datacoin, "block": 0
    });
    let other = cli.file("other.json", other.to_string().as_bytes());
    broken(&["doctor", "--contracts", &other], "chain", "the contracts are on chain 1");
    let nowhere = json!({
        "chain_id": 31337, "campaigns": "0x0000000000000000000000000000000000000001",
        "registry": "0x0000000000000000000000000000000000000001", "datacoin": stage.deployment.datacoin, "block": 0
    });
    let nowhere = cli.file("nowhere.json", nowhere.to_string().as_bytes());
    broken(&["doctor", "--contracts", &nowhere], "contracts", "no contract");
    let key = cli.home().join("keystore/mine");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    broken(&["doctor"], "keys", "keystore/mine");

    // The page shows the same, with the node of the running Mine.
    let running = Running::start(&cli).await;
    let page = running.open(&cli).await;
    page.until("/api/mine/status", |status| status["running"] == true).await;
    let checks = page.get("/api/mine/doctor").await["checks"].clone();
    assert_eq!((&checks[0]["name"], &checks[0]["ok"]), (&json!("keys"), &json!(false)));
    assert!(checks.as_array().unwrap()[1..].iter().all(|check| check["ok"] == true), "{checks}");
}

/// The pages are there before chain and Sonar answer, and say what is missing.
#[tokio::test(flavor = "multi_thread")]
async fn the_pages_say_what_the_mine_waits_for() {
    let cli = Cli::new();
    cli.good(&["init", "--rpc", "http://127.0.0.1:1", "--sonar", "http://127.0.0.1:1"]);
    let running = Running::start(&cli).await;
    let page = running.open(&cli).await;
    let status =
        page.until("/api/mine/status", |status| status["chain"]["problem"].to_string().contains("Sonar at")).await;
    assert_eq!(
        (&status["running"], &status["chain"]["ok"], &status["balance"]),
        (&json!(false), &json!(false), &Value::Null)
    );
    assert_eq!(problem(page.read("/api/mine/withdraw").await).await, (503, "UNREACHABLE".into()));
    assert_eq!(page.good("/api/mine/pause", &json!({ "minutes": null })).await["paused"]["until"], Value::Null);
    assert_eq!(page.good("/api/mine/resume", &json!({})).await["paused"], Value::Null);
    running.stop();
}

#[test]
fn without_a_running_mine_there_are_no_pages() {
    let cli = Cli::new();
    cli.good(&["init"]);
    let (code, answer) = cli.run(&["ui", "--no-open"]);
    assert_eq!((code, answer["error"]["code"].as_str()), (6, Some("NOT_RUNNING")), "{answer}");
    let (code, answer) = cli.run(&["run", "--listen", "0.0.0.0:0"]);
    assert_eq!((code, answer["error"]["code"].as_str()), (5, Some("LISTEN")), "{answer}");
}
