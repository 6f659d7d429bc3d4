//! The `sonar` program as a user meets it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use alloy::primitives::hex;
use serde_json::Value;
use sonar_contracts::Outcome;
use sonar_node::{
    account::{AccountName, Keystore},
    config::Config,
};
use sonar_protocol::ids::{Digest, Version};
use tempfile::TempDir;

use testkit::stage::Stage;

pub const PASSPHRASE: &str = "correct horse";

/// A home of its own, and a passphrase in a file.
pub struct User {
    pub home: TempDir,
    passphrase: PathBuf,
}

pub struct Answer {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Answer {
    /// The one JSON document on stdout.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {:?}\n{}", self.stdout, self.stderr))
    }

    pub fn data(&self) -> Value {
        let mut json = self.json();
        assert_eq!(json["ok"], true, "{}", self.stderr);
        json["data"].take()
    }

    pub fn error(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap().to_owned()
    }
}

impl User {
    pub fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let passphrase = home.path().join("passphrase");
        fs::write(&passphrase, PASSPHRASE).unwrap();
        Self { home, passphrase }
    }

    /// The data scientist of the stage, with its contracts configured.
    pub fn on(stage: &Stage) -> Self {
        let user = Self::new();
        let deployment = user.path("deployment.json");
        fs::write(&deployment, serde_json::to_vec(&stage.deployment).unwrap()).unwrap();
        let config = Config {
            rpc: Some(stage.anvil.endpoint()),
            contracts: Some(deployment),
            poll_ms: Some(10),
            ..Config::default()
        };
        config.save(user.home.path()).unwrap();
        let name: AccountName = "scientist".parse().unwrap();
        Keystore::new(user.home.path()).store(&name, &stage.anvil.signers()[0], PASSPHRASE).unwrap();
        user
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sonar"));
        command
            .args(arguments)
            .env_clear()
            .env("SONAR_HOME", self.home.path())
            .env("SONAR_PASSPHRASE_FILE", &self.passphrase)
            .stdin(std::process::Stdio::null());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Answer {
        answer(self.command(arguments).output().unwrap())
    }

    pub fn json(&self, arguments: &[&str]) -> Answer {
        self.run(&[arguments, &["--json"]].concat())
    }
}

fn answer(output: Output) -> Answer {
    Answer {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Runs blocking commands while the test's runtime goes on.
pub async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap()
}

#[test]
fn what_needs_no_chain_answers_in_json_and_in_words() {
    let user = User::new();
    for arguments in [
        &["version"][..],
        &["exit-codes"],
        &["completions", "bash"],
        &["account", "list"],
        &["account", "new", "alice"],
        &["account", "ls"],
    ] {
        let answer = user.json(arguments);
        assert_eq!(answer.code, 0, "{arguments:?}: {}", answer.stderr);
        let json = answer.json();
        assert_eq!(json["ok"], true);
        assert!(json["schema"].as_str().unwrap().ends_with("/1"));
        assert!(json["warnings"].is_array());
    }
    let words = user.run(&["account", "list"]);
    assert!(words.stdout.contains("alice"), "{}", words.stdout);
    assert!(words.stderr.is_empty());
}

#[test]
fn every_misunderstanding_is_one_json_document_with_code_2() {
    let user = User::new();
    for arguments in [
        &["campain"][..],
        &["campaign", "show"],
        &["account", "new", "../evil"],
        &["account", "list", "--timeout", "soon"],
        &["account", "balance"],
        &["campaign", "list"],
    ] {
        let answer = user.json(arguments);
        assert_eq!(answer.code, 2, "{arguments:?}: {}", answer.stderr);
        assert_eq!(answer.json()["ok"], false);
        assert!(!answer.stderr.is_empty());
    }
}

#[test]
fn an_account_is_made_once_and_read_by_cast() {
    let user = User::new();
    let made = user.json(&["account", "new", "alice"]).data();
    let again = user.json(&["account", "new", "alice"]);
    assert_eq!((again.code, again.error().as_str()), (5, "ACCOUNT_EXISTS"));

    let cast = Path::new(env!("CARGO_MANIFEST_DIR")).join("../contracts/node_modules/.bin/cast");
    let read = Command::new(cast)
        .args(["wallet", "address", "--keystore"])
        .arg(user.path("keystore/alice"))
        .arg("--password-file")
        .arg(&user.passphrase)
        .output()
        .expect("cast is installed by `npm ci` in contracts/");
    let address = String::from_utf8(read.stdout).unwrap();
    assert_eq!(address.trim().to_lowercase(), made["address"].as_str().unwrap());
}

#[test]
fn keys_are_imported_and_passphrases_needed() {
    let user = User::new();
    let key = user.path("key");
    fs::write(&key, hex::encode_prefixed([7; 32])).unwrap();
    let key = key.to_str().unwrap();
    let imported = user.json(&["account", "import", "bob", "--key-file", key]);
    assert_eq!(imported.code, 0, "{}", imported.stderr);

    let missing = user.json(&["account", "import", "eve", "--key-file", "/nowhere"]);
    assert_eq!(missing.code, 6);
    let mut command = user.command(&["account", "new", "carol", "--json"]);
    let locked = answer(command.env_remove("SONAR_PASSPHRASE_FILE").output().unwrap());
    assert_eq!((locked.code, locked.error().as_str()), (4, "PASSPHRASE_MISSING"));
}

#[test]
fn an_unreachable_chain_is_tried_again_and_then_reported() {
    let user = User::new();
    user.json(&["account", "new", "alice"]).data();
    let unreachable = ["account", "balance", "--rpc", "http://127.0.0.1:1"];
    let answer = user.json(&unreachable);
    assert_eq!((answer.code, answer.error().as_str()), (7, "CHAIN_UNREACHABLE"));
    assert_eq!(answer.json()["error"]["retryable"], true);

    let hurried = user.json(&[&unreachable[..], &["--timeout", "100ms"]].concat());
    assert_eq!((hurried.code, hurried.error().as_str()), (8, "TIMED_OUT"));
}

#[tokio::test]
async fn contracts_are_deployed_once() {
    let anvil = sonar_anvil::Anvil::spawn(Default::default()).await.unwrap();
    let key = hex::encode(anvil.signers()[3].to_bytes());
    let rpc = anvil.endpoint();
    aside(move || {
        let user = User::new();
        fs::write(user.path("key"), key).unwrap();
        let key = user.path("key").display().to_string();
        user.json(&["account", "import", "deployer", "--key-file", &key]).data();

        let declined = user.json(&["deploy", "--rpc", &rpc]);
        assert_eq!((declined.code, declined.error().as_str()), (3, "DECLINED"));
        let first = user.json(&["deploy", "--rpc", &rpc, "--yes"]).data();
        let again = user.json(&["deploy", "--rpc", &rpc]).data();
        assert_eq!(first, again);

        // Chain and contracts are known from now on.
        let balances = user.json(&["account", "balance"]).data();
        let name = balances[0]["name"].as_str().unwrap().to_owned();
        assert_eq!(user.json(&["account", "balance", &name]).data(), balances, "of one account by its name");
        assert_eq!(balances[0]["datacoin"].as_str().unwrap(), "1000000000000000000000000000");
        assert_eq!(user.json(&["campaign", "list"]).data(), serde_json::json!([]));
    })
    .await;
}

#[tokio::test]
async fn a_campaign_is_listed_shown_watched_closed_and_withdrawn() {
    let stage = Stage::new().await;
    let user = User::on(&stage);
    let terms = stage.terms(1).await;
    let id = stage.owner.id(&terms);
    stage.owner.open(&terms).await.unwrap();
    stage.activate(&terms, 100_000).await;
    stage.miners[0].submit(id, Version(1), Digest([5; 32])).await.unwrap();

    let (user, id_text) = aside(move || {
        let id = id.to_string();
        let list = user.json(&["campaign", "list", "--mine"]).data();
        assert_eq!(list[0]["id"], id.as_str());
        assert_eq!(list[0]["bounty"], "1000000000000003");
        let shown = user.json(&["campaign", "show", &id[..10]]).data();
        assert_eq!(shown["state"], "open");
        assert_eq!(shown["window"]["submissions"], 1);
        assert_eq!(shown["terms"]["submission_stake"], "5000000000000");
        assert_eq!(shown["stakes"]["held"], "5000000000000");
        let words = user.run(&["campaign", "show", &id]).stdout;
        assert!(words.contains("10 % → 10 % (target 80 %)"), "{words}");
        assert!(words.contains("0.000005 ETH a submission: 0.000005 ETH deposited = 0.000005 ETH held"), "{words}");

        // The end is announced: nobody can delay it by submitting.
        let announced = user.json(&["campaign", "close", &id, "--yes"]).data();
        assert_eq!((&announced["state"], &announced["reason"]), (&"open".into(), &"owner".into()));
        let again = user.json(&["campaign", "close", &id, "--yes"]);
        assert_eq!((again.code, again.error().as_str()), (5, "UNSETTLED_WINDOW"));
        let words = user.run(&["campaign", "show", &id]).stdout;
        assert!(words.contains("open, closes when its window is settled"), "{words}");
        let watched = user.json(&["campaign", "watch", &id, "--until", "open"]);
        let kinds: Vec<Value> = watched
            .stdout
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap()["data"]["kind"].clone())
            .collect();
        assert_eq!(kinds, ["opened", "activated", "submitted", "closing"]);
        let waited = user.json(&["campaign", "watch", &id, "--timeout", "300ms"]);
        assert_eq!(waited.code, 8);
        (user, id)
    })
    .await;

    stage.pass(60).await;
    let view = stage.view(id).await;
    stage.settle(&view, &[Outcome::NotImproved], None, 0).await.unwrap();
    aside(move || {
        let id = id_text.as_str();
        let shown = user.json(&["campaign", "show", id]).data();
        assert_eq!((&shown["state"], &shown["reason"]), (&"closed".into(), &"owner".into()));
        let taken = user.json(&["campaign", "withdraw", id]).data();
        assert_eq!(taken["amount"], "1000000000000003");
        let again = user.json(&["campaign", "withdraw", id]);
        assert_eq!((again.code, again.error().as_str()), (5, "CONTRACT_REFUSED"));
        let wait = user.json(&["campaign", "close", id, "--yes"]);
        assert_eq!((wait.code, wait.error().as_str()), (5, "TOO_EARLY"));
    })
    .await;
}

#[tokio::test]
async fn a_campaign_that_no_capsule_takes_ends_without_success_and_gives_its_money_back() {
    let stage = Stage::new().await;
    let user = User::on(&stage);
    let terms = stage.terms(1).await;
    let id = stage.owner.id(&terms).to_string();
    stage.owner.open(&terms).await.unwrap();
    stage.pass(100).await;
    aside(move || {
        let unknown = user.json(&["campaign", "show", "0x00000000"]);
        assert_eq!((unknown.code, unknown.error().as_str()), (6, "UNKNOWN_CAMPAIGN"));
        fs::write(user.path("wrong"), "wrong").unwrap();
        let wrong = user.path("wrong").display().to_string();
        let locked = user.json(&["campaign", "close", &id, "--passphrase-file", &wrong]);
        assert_eq!((locked.code, locked.error().as_str()), (4, "WRONG_PASSPHRASE"));

        let closed = user.json(&["campaign", "close", &id, "--yes"]).data();
        assert_eq!(closed["state"], "refunded");
        assert_eq!(closed["owed"], "1010000000000003");
        let watched = user.run(&["campaign", "watch", &id]);
        assert_eq!(watched.code, 9);
        assert!(watched.stdout.contains("refunded"), "{}", watched.stdout);
    })
    .await;
}

#[tokio::test]
async fn the_stake_of_a_capsule_that_missed_its_time_is_shown_and_withdrawn() {
    let stage = Stage::new().await;
    let user = User::on(&stage);
    let terms = stage.terms(1).await;
    let id = stage.owner.id(&terms);
    stage.owner.open(&terms).await.unwrap();
    stage.activate(&terms, 100_000).await;
    stage.owner.close(&terms).await.unwrap();
    stage.pass(u64::from(terms.deliverySeconds)).await;
    let owner = stage.owner.address().unwrap();
    let stake = aside(move || {
        let id = id.to_string();
        let words = |user: &User| user.run(&["campaign", "show", &id]).stdout;
        let before = user.json(&["campaign", "show", &id]).data();
        assert_eq!(before["owed_to_owner"]["capsule_stake"], "0");
        assert!(!words(&user).contains("Capsules' stakes"), "{}", words(&user));

        let closed = user.json(&["campaign", "close", &id, "--yes"]).data();
        let owed = &closed["owed_to_owner"];
        // A tenth of the stake, because that is less than the fee.
        assert_eq!((&owed["amount"], &owed["capsule_stake"]), (&"1010000000000003".into(), &"100".into()), "{closed}");
        assert_eq!(user.json(&["campaign", "show", &id]).data()["owed_to_owner"], *owed);
        let shown = words(&user);
        assert!(shown.contains("0.0000000000000001 ETH of Capsules' stakes"), "{shown}");

        let taken = user.json(&["campaign", "withdraw", &id]).data();
        assert_eq!((&taken["amount"], &taken["capsule_stake"]), (&"1010000000000003".into(), &"100".into()));
        let after = user.json(&["campaign", "show", &id]).data();
        assert_eq!(
            (&after["owed_to_owner"]["amount"], &after["owed_to_owner"]["capsule_stake"]),
            (&"0".into(), &"0".into())
        );
        let again = user.json(&["campaign", "withdraw", &id]);
        assert_eq!((again.code, again.error().as_str()), (5, "CONTRACT_REFUSED"));
        taken["capsule_stake"].clone()
    })
    .await;
    assert_eq!(stake, (terms.stake / 10).to_string());
    assert!(stage.owner.claimable(owner).await.unwrap().0.is_zero());
}
