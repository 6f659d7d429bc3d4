//! A campaign from its file to the finished model, through a running Sonar; the test plays the Capsule.

use std::{
    collections::HashMap,
    fs,
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Stdio},
    time::Duration,
};

use serde_json::Value;
use sonar::{
    bundle::{Bundle, CheckedBundle},
    chain::Client,
    cli::Ready,
    config::Config,
    ids::CampaignId,
    ipfs::{Node, NodeConfig},
    manifest::Manifest,
    pgp::{self, Certificate, Identity},
};
use sonar_contracts::Delivery;
use syft::Weights;
use tempfile::TempDir;

use crate::{
    commands::{User, aside},
    stage::Stage,
};

const FILE: &str = r#"
name = "Tiny"
deadline = "2d"
inputs = [{ name = "a", min = 0, max = 10 }, { name = "b", min = 0, max = 1 }]
[task]
kind = "classification"
target = "y"
classes = ["no", "yes"]
[validation]
file = "validation.csv"
[reward]
bounty = "12.5"
token = "DATA"
[accuracy]
start = 0.1
target = 0.9
"#;
const FETCH: Duration = Duration::from_secs(30);

/// `sonar serve` as a process of its own.
struct Served {
    process: Child,
    ready: Ready,
}

impl Served {
    fn start(stage: &Stage) -> Self {
        let user = User::on(stage);
        fs::remove_dir_all(user.path("keystore")).unwrap();
        let mut process =
            user.command(&["serve", "--listen", "127.0.0.1:0", "--quiet"]).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        let stdout = process.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        // Its home lives as long as the test's process.
        std::mem::forget(user);
        Self { ready: serde_json::from_str(&line).unwrap(), process }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The Capsule's side.
struct Capsule {
    identity: Identity,
    node: Node,
    _home: TempDir,
}

impl Capsule {
    async fn register(stage: &Stage, served: &Served) -> Self {
        let home = tempfile::tempdir().unwrap();
        let peers = served.ready.ipfs.iter().map(|peer| peer.parse().unwrap());
        let config = NodeConfig::client(home.path().join("ipfs"), peers.collect());
        let node = Node::start(config).await.unwrap();
        let identity = Identity::generate("Capsule", "secret").unwrap();
        let certificate = node.add(identity.certificate().encode()).await.unwrap();
        stage
            .capsule
            .update_capsule(
                stage.attester.address(),
                identity.certificate().fingerprint_word().into(),
                certificate,
                "http://127.0.0.1:1",
                10_000,
            )
            .await
            .unwrap();
        Self { identity, node, _home: home }
    }

    /// Opens what was launched, from Sonar's hub alone.
    async fn open(&self, client: &Client, id: CampaignId) -> (Manifest, CheckedBundle) {
        let terms = client.terms(id).await.unwrap();
        let manifest = self.node.get(terms.manifest.into(), 1 << 20, FETCH).await;
        let manifest = Manifest::decode(&manifest.unwrap()).unwrap();
        manifest.matches(&terms).unwrap();
        let sealed = self.node.get(manifest.bundle, 1 << 20, FETCH).await.unwrap();
        let bundle = pgp::open(&sealed, &self.identity, 1 << 20).unwrap();
        let bundle = Bundle::decode(&bundle).unwrap().check(&manifest).unwrap();
        (manifest, bundle)
    }

    /// Delivers a model, signed by `signer`.
    async fn deliver(
        &self,
        stage: &Stage,
        id: CampaignId,
        weights: &Weights,
        scientist: &Certificate,
        signer: &Identity,
    ) {
        let model = weights.to_safetensors(HashMap::new()).unwrap();
        let message = pgp::seal_signed(&model, scientist, signer).unwrap();
        let result = self.node.add(message).await.unwrap();
        let signature = stage.sign(&Delivery { campaign: id.0, result: result.into() });
        let terms = stage.owner.terms(id).await.unwrap();
        stage.capsule.finalize(&terms, result, &signature).await.unwrap();
    }
}

/// A data scientist with a campaign file, who knows Sonar.
fn scientist(stage: &Stage, served: &Served) -> User {
    let user = User::on(stage);
    let mut config = Config::load(user.home.path()).unwrap();
    config.sonar = served.ready.http.clone();
    config.save(user.home.path()).unwrap();
    fs::write(user.path("campaign.toml"), FILE).unwrap();
    let rows: String = (0..20)
        .map(|row| {
            let class = ["no", "yes"][usize::from(row % 10 > 0)];
            format!("{},{},{class}\n", row % 10, f64::from(row) / 20.0)
        })
        .collect();
    fs::write(user.path("validation.csv"), format!("a,b,y\n{rows}")).unwrap();
    user
}

fn launch(user: &User, more: &[&str]) -> crate::commands::Answer {
    let file = user.path("campaign.toml").display().to_string();
    user.json(&[&["campaign", "launch", &file][..], more].concat())
}

fn id_of(data: &Value) -> CampaignId {
    data["id"].as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_campaign_is_launched_once_and_its_model_is_fetched_checked_and_measured() {
    let stage = Stage::new().await;
    let served = Served::start(&stage);
    let capsule = Capsule::register(&stage, &served).await;
    let user = scientist(&stage, &served);

    let (user, id) = aside(move || {
        let preview = launch(&user, &["--dry-run"]);
        let terms = preview.data()["terms"].clone();
        assert_eq!(terms["bounty"], "12500000000000000000");
        assert!(preview.json()["warnings"][0].as_str().unwrap().contains("secret"));
        // Stopped before the money moved, and run again: the same campaign.
        assert_eq!(launch(&user, &[]).code, 3);
        // Looking once more moves nothing either.
        assert_eq!(launch(&user, &["--dry-run", "--yes"]).data()["terms"]["bounty"], terms["bounty"]);
        assert_eq!(user.json(&["campaign", "list"]).data(), serde_json::json!([]));
        let launched = launch(&user, &["--yes"]).data();
        assert_eq!(launched["state"], "proposed");
        let again = launch(&user, &["--yes"]).data();
        assert_eq!(again["id"], launched["id"]);
        assert!(again["transaction"].is_null());
        let id = launched["id"].as_str().unwrap();
        let early = user.json(&["campaign", "result", id]);
        assert_eq!((early.code, early.error().as_str()), (6, "NOT_DELIVERED"));
        let id = id_of(&launched);
        let privacy = user.json(&["campaign", "privacy", &id.to_string()]).data();
        assert_eq!((&privacy, &privacy["model"]["secret"]), (&launched["privacy"], &false.into()));
        (user, id)
    })
    .await;
    let address = format!("{}/api/v1/campaigns/{id}/privacy", served.ready.http.as_deref().unwrap());
    let privacy: Value = reqwest::get(address).await.unwrap().json().await.unwrap();
    assert_eq!((&privacy["model"]["weights"], &privacy["transcript"]["spent"]), (&6.into(), &0.0.into()));

    let (manifest, bundle) = capsule.open(&stage.owner, id).await;
    let terms = stage.owner.terms(id).await.unwrap();
    stage.activate(&terms, 100_000).await;
    stage.owner.close(&terms).await.unwrap();
    let certificate = Certificate::decode(&bundle.certificate).unwrap();
    assert_eq!(certificate.fingerprint(), manifest.scientist);
    let model = Weights::zeros(manifest.shape);
    capsule.deliver(&stage, id, &model, &certificate, &capsule.identity).await;

    aside(move || {
        let id = id.to_string();
        let out = user.path("model.safetensors").display().to_string();
        let fetched = user.json(&["campaign", "result", &id, "--out", &out, "--keep-message"]);
        let data = fetched.data();
        assert_eq!(data["final_accuracy_ppm"], 100_000);
        assert_eq!(data["attested_accuracy_ppm"], 100_000);
        let written = Weights::from_safetensors(&fs::read(&out).unwrap()).unwrap();
        assert_eq!(written, model);
        assert!(user.path("model.pgp").exists());

        let all = user.path("all").display().to_string();
        let formats = ["--format", "onnx,npz", "--format", "safetensors"];
        let fetched = user.json(&[&["campaign", "result", &id, "--out", &all][..], &formats].concat()).data();
        let files: Vec<PathBuf> = serde_json::from_value(fetched["files"].clone()).unwrap();
        assert_eq!(files, ["safetensors", "onnx", "npz"].map(|ending| user.path(&format!("all.{ending}"))));
        assert_eq!(fs::read(&files[0]).unwrap(), fs::read(&out).unwrap());
        assert!(fs::read(&files[2]).unwrap().starts_with(b"PK"));
        let unknown = user.run(&["campaign", "result", &id, "--format", "pickle"]);
        assert_eq!(unknown.code, 2);
        assert!(
            unknown.stderr.contains("pickle") && unknown.stderr.contains("safetensors, onnx, npz"),
            "{}",
            unknown.stderr
        );

        fs::write(user.path("other.csv"), "a,b,y\n1,0.5,no\n").unwrap();
        let other = user.path("other.csv").display().to_string();
        let refused = user.json(&["campaign", "result", &id, "--out", &out, "--validation", &other]);
        assert_eq!((refused.code, refused.error().as_str()), (5, "OTHER_VALIDATION_SET"));
    })
    .await;
}

#[tokio::test]
async fn a_model_that_is_not_what_was_attested_or_not_from_the_capsule_is_told_so() {
    let stage = Stage::new().await;
    let served = Served::start(&stage);
    let capsule = Capsule::register(&stage, &served).await;
    let mut user = scientist(&stage, &served);
    let stranger = Identity::generate("Stranger", "secret").unwrap();
    let wrong = |manifest: &Manifest| {
        let mut values = vec![0.0; manifest.shape.weights()];
        values[1] = 1.0;
        values[3] = 1.0;
        Weights::new(manifest.shape, &values).unwrap()
    };
    for (signer, code, name) in [(&capsule.identity, 9, "ACCURACY_NOT_AS_ATTESTED"), (&stranger, 5, "NOT_SIGNED")] {
        let (back, id) = aside(move || {
            let launched = launch(&user, &["--again", "--yes"]).data();
            (user, id_of(&launched))
        })
        .await;
        let (manifest, bundle) = capsule.open(&stage.owner, id).await;
        let terms = stage.owner.terms(id).await.unwrap();
        stage.activate(&terms, 100_000).await;
        stage.owner.close(&terms).await.unwrap();
        let certificate = Certificate::decode(&bundle.certificate).unwrap();
        capsule.deliver(&stage, id, &wrong(&manifest), &certificate, signer).await;
        user = aside(move || {
            let out = back.path("model.safetensors").display().to_string();
            let answer = back.json(&["campaign", "result", &id.to_string(), "--out", &out]);
            assert_eq!((answer.code, answer.error().as_str()), (code, name));
            back
        })
        .await;
    }
}

#[tokio::test]
async fn what_cannot_be_a_campaign_is_refused_and_changes_nothing() {
    let stage = Stage::new().await;
    let served = Served::start(&stage);
    let _capsule = Capsule::register(&stage, &served).await;
    let user = scientist(&stage, &served);
    aside(move || {
        let balance = user.json(&["account", "balance"]).data();
        for (from, to, code, name) in [
            ("deadline", "dead_line", 5, "CAMPAIGN_FILE"),
            ("\"validation.csv\"", "\"nowhere.csv\"", 6, "FILE"),
            ("name = \"b\"", "name = \"c\"", 5, "VALIDATION_DATA"),
            ("target = 0.9", "target = 0.1", 5, "TARGET_NOT_ABOVE_START"),
            ("\"12.5\"", "\"0\"", 5, "BOUNTY"),
            ("\"12.5\"", "\"-1\"", 5, "AMOUNT"),
            ("\"2d\"", "\"2020-01-01T00:00:00Z\"", 5, "PAST_DEADLINE"),
            ("\"DATA\"", "\"GOLD\"", 5, "TOKEN"),
            ("[reward]", "[model]\nfeatures = \"random-relu:5000\"\n[reward]", 5, "MODEL"),
        ] {
            let text = FILE.replacen(from, to, 1);
            assert_ne!(text, FILE);
            fs::write(user.path("campaign.toml"), text).unwrap();
            let answer = launch(&user, &["--yes"]);
            assert_eq!((answer.code, answer.error().as_str()), (code, name), "{to}");
        }
        let unknown = FILE.replacen("deadline", "dead_line", 1);
        fs::write(user.path("campaign.toml"), unknown).unwrap();
        let place = launch(&user, &[]).json()["error"]["where"].clone();
        assert!(place.as_str().unwrap().ends_with("campaign.toml:3:1"), "{place}");
        assert_eq!(user.json(&["account", "balance"]).data(), balance);
        assert!(!user.path("launches").exists());
        assert_eq!(user.json(&["campaign", "list"]).data(), serde_json::json!([]));
    })
    .await;
}
