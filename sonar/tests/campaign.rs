//! A campaign from its file to the finished model, through a running Sonar; the test plays the Capsule.

use std::{
    collections::HashMap,
    fs,
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Stdio},
    time::Duration,
};

use alloy::primitives::{B256, U256};
use serde_json::Value;
use sonar_contracts::{Assessor::AssessorErrors, Revert, Terms, Tree};
use sonar_node::{
    chain::Client,
    cli::Ready,
    config::Config,
    ipfs::{Node, NodeConfig},
};
use sonar_protocol::{
    backbone::Embedding,
    bundle::{Bundle, BundleContext, CheckedBundle},
    families::word_proof,
    handover::{Handover, Published},
    ids::{CampaignId, Digest, Version},
    manifest::Manifest,
    pgp::{self, Certificate, Identity},
    units::Timestamp,
    view::StakeFate,
};
use syft::{Binding, Column, Material, SecretKey, VersionSeed, Weights};
use syft_nets::{Input, Model, NetworkKind};
use tempfile::TempDir;
use testkit::stage::{Stage, handover};

use crate::commands::{User, aside};

pub const FILE: &str = r#"
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
pub struct Served {
    pub process: Child,
    pub ready: Ready,
}

impl Served {
    pub fn start(stage: &Stage) -> Self {
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

/// A log collector restarts, a terminal closes: what nobody reads any more must not stop the server.
#[tokio::test]
async fn the_server_outlives_the_readers_of_its_output() {
    let stage = Stage::new().await;
    let user = User::on(&stage);
    fs::remove_dir_all(user.path("keystore")).unwrap();
    let mut process = user
        .command(&["serve", "--listen", "127.0.0.1:0", "-vv"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Gone before the first line.
    drop(process.stderr.take());
    let stdout = process.stdout.take().unwrap();
    // The reader ends with the line, so that stdout is gone, too.
    let line = aside(move || BufReader::new(stdout).lines().next().unwrap().unwrap()).await;
    let mut served = Served { process, ready: serde_json::from_str(&line).unwrap() };
    let http = testkit::http();
    let url = format!("{}/readyz", served.ready.http.as_ref().unwrap());
    for _ in 0..5 {
        // With `-vv` every request is logged.
        let answer = http.get(&url).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    }
    assert_eq!(served.process.try_wait().unwrap(), None);
}

/// A version as the Capsule has it.
pub struct Sealed {
    seed: VersionSeed,
    material: Vec<u8>,
    pub handover: Handover,
}

impl Sealed {
    /// Accuses whoever published these words, and sees that the contract convicts nobody.
    async fn is_not_guilty(&self, stage: &Stage, terms: &Terms, manifest: &Manifest) {
        let linear = manifest.method.linear().unwrap();
        let words = linear.shape.weights() as u32 + 2_048;
        for word in (0..words).step_by(97).chain([words - 1]) {
            let proof = word_proof(&self.seed, &linear.parameters, &self.material, word);
            let refused = stage.owner.convict_material(terms, Version(1), &self.handover, proof).await.unwrap_err();
            assert!(
                matches!(refused.revert(), Some(Revert::Assessor(AssessorErrors::NotGuilty(_)))),
                "word {word}: {refused}"
            );
        }
    }
}

/// The Capsule's side.
pub struct Capsule {
    pub identity: Identity,
    pub node: Node,
    _home: TempDir,
}

impl Capsule {
    pub async fn register(stage: &Stage, served: &Served) -> Self {
        let home = tempfile::tempdir().unwrap();
        let peers = served.ready.ipfs.iter().map(|peer| peer.parse().unwrap());
        let config = NodeConfig::client(home.path().join("ipfs"), peers.collect());
        let node = Node::start(config).await.unwrap();
        let identity = Identity::generate("Capsule", "secret").unwrap();
        let certificate = node.add(identity.certificate().encode()).await.unwrap();
        let known = stage.capsule.capsule(stage.capsule.address().unwrap()).await.unwrap().unwrap();
        let fingerprint = identity.fingerprint().word();
        let wanted = sonar_contracts::Capsule { fingerprint, certificate: certificate.into(), ..known };
        stage.capsule.update_capsule(wanted).await.unwrap();
        Self { identity, node, _home: home }
    }

    /// Opens what was launched, from Sonar's hub alone.
    pub async fn open(&self, client: &Client, id: CampaignId) -> (Manifest, CheckedBundle) {
        let terms = client.terms(id).await.unwrap();
        let manifest = self.node.get(terms.manifest.into(), 1 << 20, FETCH).await;
        let manifest = Manifest::decode(&manifest.unwrap()).unwrap();
        manifest.matches(&terms).unwrap();
        let sealed = self.node.get(manifest.bundle, 1 << 20, FETCH).await.unwrap();
        let bundle = pgp::open(&sealed, &self.identity, 1 << 20).unwrap();
        let embedding = match manifest.method.backbone() {
            Some(backbone) => {
                let file = self.node.get(backbone.weights, backbone.file_limit(), FETCH).await.unwrap();
                backbone.read(&file).unwrap()
            }
            None => Embedding::none(),
        };
        let deployment = client.deployment();
        let context = BundleContext::new(deployment.chain_id, deployment.campaigns, &terms, &manifest).unwrap();
        let bundle = Bundle::decode(&bundle, &context).unwrap().check(&manifest, &embedding).unwrap();
        (manifest, bundle)
    }

    /// Publishes version 1 and activates the campaign; `spoil` may change what is published, and then what is handed over.
    pub async fn activate(
        &self,
        stage: &Stage,
        id: CampaignId,
        (manifest, bundle): (&Manifest, &CheckedBundle),
        spoil: impl Fn(&mut Vec<u8>, &mut Handover),
    ) -> Sealed {
        let terms = stage.owner.terms(id).await.unwrap();
        let binding = Binding {
            chain_id: stage.deployment.chain_id,
            contract: stage.deployment.campaigns.into(),
            campaign: *id.as_bytes(),
            version: 1,
            beacon: stage.view(id).await.next_beacon().0,
        };
        let seed = VersionSeed::generate().unwrap();
        let key = SecretKey::derive(&seed, &manifest.method.linear().unwrap().parameters, &binding);
        let mut material = key.publish(&initial(bundle)).encode();
        let seal = |root| manifest.audit[0].seal(&seed, &binding, root);
        spoil(&mut material, &mut seal(B256::ZERO));
        let mut handover = seal(Tree::of_material(&material).root());
        spoil(&mut vec![0; material.len()], &mut handover);
        let published = Published::new(self.node.add(material.clone()).await.unwrap(), &handover);
        stage.activate_with(&terms, 100_000, published).await;
        Sealed { seed, material, handover }
    }

    /// Delivers a model, signed by `signer`.
    pub async fn deliver(
        &self,
        stage: &Stage,
        id: CampaignId,
        weights: &Weights,
        scientist: &Certificate,
        signer: &Identity,
        handover: Handover,
    ) {
        let model = weights.to_safetensors(HashMap::from([("sonar.campaign".into(), id.to_string())])).unwrap();
        let message = pgp::seal_signed(&model, scientist, signer).unwrap();
        let result = self.node.add(message).await.unwrap();
        let signature = stage.sign(&stage.delivery(id, result).await);
        let terms = stage.owner.terms(id).await.unwrap();
        stage.capsule.finalize(&terms, result, &[handover], &signature).await.unwrap();
    }
}

/// The model that a campaign starts with.
pub fn initial(bundle: &CheckedBundle) -> Weights {
    Weights::from_safetensors(&bundle.start.file().unwrap()).unwrap()
}

/// A data scientist with a campaign file, who knows Sonar.
pub fn scientist(stage: &Stage, served: &Served) -> User {
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

pub fn launch(user: &User, more: &[&str]) -> crate::commands::Answer {
    let file = user.path("campaign.toml").display().to_string();
    user.json(&[&["campaign", "launch", &file][..], more].concat())
}

pub fn id_of(data: &Value) -> CampaignId {
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
    let privacy: Value = testkit::http().get(address).send().await.unwrap().json().await.unwrap();
    assert_eq!((&privacy["model"]["weights"], &privacy["transcript"]["spent"]), (&6.into(), &0.0.into()));

    let (manifest, bundle) = capsule.open(&stage.owner, id).await;
    let terms = stage.owner.terms(id).await.unwrap();
    stage.activate(&terms, 100_000).await;
    stage.owner.close(&terms).await.unwrap();
    let certificate = Certificate::decode(&bundle.certificate, Timestamp::EPOCH).unwrap();
    assert_eq!(certificate.fingerprint(), manifest.scientist);
    let model = Weights::zeros(manifest.method.linear().unwrap().shape);
    let handed = handover(Digest([1; 32]));
    capsule.deliver(&stage, id, &model, &certificate, &capsule.identity, handed).await;

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
            unknown.stderr.contains("pickle") && unknown.stderr.contains("`safetensors`, `onnx` or `npz`"),
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

/// The Capsule may have destroyed the older key before it gets to the campaign.
#[tokio::test]
async fn a_launch_that_was_sealed_to_an_older_key_pays_nothing() {
    let stage = Stage::new().await;
    let served = Served::start(&stage);
    let _older = Capsule::register(&stage, &served).await;
    let user = scientist(&stage, &served);
    let user = aside(move || {
        assert_eq!(launch(&user, &[]).code, 3, "stopped before the money moved");
        user
    })
    .await;
    let capsule = Capsule::register(&stage, &served).await;
    let id = aside(move || {
        let refused = launch(&user, &["--yes"]);
        assert_eq!((refused.code, refused.error().as_str()), (5, "CAPSULE_CERTIFICATE"));
        id_of(&launch(&user, &["--again", "--yes"]).data())
    })
    .await;
    let world = stage.owner.world(0, None).await.unwrap();
    assert_eq!(world.in_order().map(|campaign| campaign.id).collect::<Vec<_>>(), [id]);
    capsule.open(&stage.owner, id).await;
}

#[tokio::test]
async fn a_result_is_not_written_over_another_file() {
    let stage = Stage::new().await;
    let served = Served::start(&stage);
    let capsule = Capsule::register(&stage, &served).await;
    let user = scientist(&stage, &served);
    let (user, id) = aside(move || {
        let launched = launch(&user, &["--yes"]).data();
        (user, id_of(&launched))
    })
    .await;
    let (manifest, bundle) = capsule.open(&stage.owner, id).await;
    let terms = stage.owner.terms(id).await.unwrap();
    stage.activate(&terms, 100_000).await;
    stage.owner.close(&terms).await.unwrap();
    let certificate = Certificate::decode(&bundle.certificate, Timestamp::EPOCH).unwrap();
    let model = Weights::zeros(manifest.method.linear().unwrap().shape);
    let handed = handover(Digest([1; 32]));
    capsule.deliver(&stage, id, &model, &certificate, &capsule.identity, handed).await;
    aside(move || {
        let (model, message) = (user.path("model.safetensors"), user.path("model.pgp"));
        let (id, out) = (id.to_string(), model.display().to_string());
        let fetch = |more: &[&str]| user.json(&[&["campaign", "result", &id, "--out", &out][..], more].concat());
        let refused = |more: &[&str]| {
            let answer = fetch(more);
            assert_eq!((answer.code, answer.error().as_str()), (5, "FILE_EXISTS"), "{more:?}");
        };
        fs::write(&model, "the model of last year").unwrap();
        refused(&[]);
        // All formats or none.
        refused(&["--format", "npz,safetensors"]);
        assert!(!user.path("model.npz").exists());
        assert_eq!(fs::read(&model).unwrap(), b"the model of last year");

        fetch(&["--force"]).data();
        assert!(Weights::from_safetensors(&fs::read(&model).unwrap()).is_ok());
        // Run once more, it writes the same again.
        fetch(&["--keep-message"]).data();
        fetch(&["--keep-message"]).data();
        fs::write(&message, "another message").unwrap();
        refused(&["--keep-message"]);
    })
    .await;
}

/// A network of two columns, as somebody who keeps notes in his files would write it.
fn backbone() -> Vec<u8> {
    let input = Input::Columns(vec![Column { center: 5.0, spread: 5.0 }, Column { center: 0.5, spread: 0.5 }]);
    let model = Model::initial(&NetworkKind::Mlp(vec![8]).network(input, 2).unwrap(), &[1; 32]);
    model.to_safetensors(HashMap::from([("note".into(), "to myself".into())])).unwrap()
}

#[tokio::test]
async fn a_backbone_is_published_at_the_launch_and_found_by_all_who_need_it() {
    let stage = Stage::new().await;
    let served = Served::start(&stage);
    let capsule = Capsule::register(&stage, &served).await;
    let user = scientist(&stage, &served);
    let (user, id) = aside(move || {
        let text = FILE.replace("[reward]", "[model]\nbackbone = \"b.safetensors\"\n[reward]");
        fs::write(user.path("campaign.toml"), text).unwrap();
        let missing = launch(&user, &["--yes"]);
        assert_eq!((missing.code, missing.error().as_str()), (6, "FILE_NOT_FOUND"));
        fs::write(user.path("b.safetensors"), "no network").unwrap();
        let none = launch(&user, &["--yes"]);
        assert_eq!((none.code, none.error().as_str()), (5, "BACKBONE"));
        assert!(none.json()["error"]["where"].as_str().unwrap().ends_with("b.safetensors"));

        fs::write(user.path("b.safetensors"), backbone()).unwrap();
        // Stopped before the money moved, and run again: the same campaign.
        assert_eq!(launch(&user, &[]).code, 3);
        let launched = launch(&user, &["--yes"]).data();
        assert!(launched["model"].as_str().unwrap().contains("8 activations of a public network"), "{launched}");
        assert_eq!(launched["privacy"]["model"]["public_weights"], 42);
        let id = id_of(&launched);
        (user, id)
    })
    .await;

    let (manifest, bundle) = capsule.open(&stage.owner, id).await;
    let weights = manifest.method.backbone().unwrap();
    let file = capsule.node.get(weights.weights, weights.file_limit(), FETCH).await.unwrap();
    assert!(!file.windows(6).any(|window| window == b"myself"), "only the network is published");
    let address = format!("{}/api/v1/artefacts/{}", served.ready.http.as_deref().unwrap(), weights.weights);
    let kept: Value = testkit::http().get(address).send().await.unwrap().json().await.unwrap();
    assert_eq!((&kept["kind"], &kept["pinned"]), (&"backbone".into(), &true.into()));

    let terms = stage.owner.terms(id).await.unwrap();
    stage.activate(&terms, 100_000).await;
    stage.owner.close(&terms).await.unwrap();
    let certificate = Certificate::decode(&bundle.certificate, Timestamp::EPOCH).unwrap();
    let model = Weights::zeros(manifest.method.linear().unwrap().shape);
    let handed = handover(Digest([1; 32]));
    capsule.deliver(&stage, id, &model, &certificate, &capsule.identity, handed).await;
    aside(move || {
        // Neither the file nor this node is needed any more.
        fs::remove_file(user.path("b.safetensors")).unwrap();
        let out = user.path("all").display().to_string();
        let fetched = user.json(&["campaign", "result", &id.to_string(), "--out", &out, "--format", "onnx,npz"]).data();
        assert_eq!(fetched["final_accuracy_ppm"], 100_000);
        let onnx = fs::read(user.path("all.onnx")).unwrap();
        assert!(onnx.windows(21).any(|window| window == b"backbone.layers.0.bia"), "the network is in the graph");
        // Launched again when all is over, it says how the campaign stands.
        fs::write(user.path("b.safetensors"), backbone()).unwrap();
        let over = launch(&user, &["--yes"]).data();
        assert_eq!((&over["state"], &over["transaction"]), (&"finalized".into(), &Value::Null));
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
        let shape = manifest.method.linear().unwrap().shape;
        let mut values = vec![0.0; shape.weights()];
        values[1] = 1.0;
        values[3] = 1.0;
        Weights::new(shape, &values).unwrap()
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
        let certificate = Certificate::decode(&bundle.certificate, Timestamp::EPOCH).unwrap();
        capsule.deliver(&stage, id, &wrong(&manifest), &certificate, signer, handover(Digest([1; 32]))).await;
        user = aside(move || {
            let out = back.path("model.safetensors").display().to_string();
            let answer = back.json(&["campaign", "result", &id.to_string(), "--out", &out]);
            assert_eq!((answer.code, answer.error().as_str()), (code, name));
            back
        })
        .await;
    }
}

/// Whatever a Capsule delivers, the last version's seed gives the exact model: the contract took no delivery without it.
#[tokio::test]
async fn a_delivery_of_garbage_harms_nobody() {
    let stage = Stage::new().await;
    let served = Served::start(&stage);
    let capsule = Capsule::register(&stage, &served).await;
    let mut user = scientist(&stage, &served);
    let stranger = Identity::generate("Stranger", "secret").unwrap();
    let honest = |bundle: &CheckedBundle| initial(bundle);
    let wrong = |bundle: &CheckedBundle| {
        let shape = initial(bundle).shape();
        let mut values = vec![0.0; shape.weights()];
        values[1] = 1.0;
        values[3] = 1.0;
        Weights::new(shape, &values).unwrap()
    };
    type Delivered<'a> = (&'a Identity, &'a dyn Fn(&CheckedBundle) -> Weights);
    let deliveries: [Delivered; 2] = [(&stranger, &honest), (&capsule.identity, &wrong)];
    for (signer, delivered) in deliveries {
        let (back, id) = aside(move || {
            let launched = launch(&user, &["--again", "--yes"]).data();
            (user, id_of(&launched))
        })
        .await;
        let (manifest, bundle) = capsule.open(&stage.owner, id).await;
        let sealed = capsule.activate(&stage, id, (&manifest, &bundle), |_, _| {}).await;
        let terms = stage.owner.terms(id).await.unwrap();
        stage.owner.close(&terms).await.unwrap();
        let certificate = Certificate::decode(&bundle.certificate, Timestamp::EPOCH).unwrap();
        capsule.deliver(&stage, id, &delivered(&bundle), &certificate, signer, sealed.handover).await;
        let expected = initial(&bundle);
        user = aside(move || {
            let out = back.path("model.safetensors").display().to_string();
            let answer = back.json(&["campaign", "result", &id.to_string(), "--out", &out, "--force"]);
            assert_eq!(answer.data()["final_accuracy_ppm"], 100_000);
            assert!(answer.json()["warnings"][0].as_str().unwrap().contains("seed"), "{}", answer.json());
            assert_eq!(Weights::from_safetensors(&fs::read(&out).unwrap()).unwrap(), expected);
            back
        })
        .await;
    }
}

/// Adds to a word of rows or public key.
fn add(material: &mut [u8], word: usize, amount: u64) {
    let bytes = &mut material[Material::HEADER + word * Material::WORD..][..Material::WORD];
    let mut word = [0; 8];
    word[2..].copy_from_slice(bytes);
    bytes.copy_from_slice(&u64::from_le_bytes(word).wrapping_add(amount).to_le_bytes()[2..]);
}

/// The Capsule of the last case cheats in a way that no contract can judge.
#[tokio::test]
async fn an_audit_finds_what_a_capsule_did_and_takes_its_stake() {
    type Spoil = fn(&mut Vec<u8>, &mut Handover);
    // (what it does, what is found, whether it is convicted)
    let cases: [(Spoil, &str, bool); 5] = [
        (|_, _| {}, "", false),
        // A matrix that comes back in the clear.
        (|material, _| add(material, 0, 1 << 60), "public bound", true),
        // Bits that read the coins of every upload.
        (|material, _| add(material, 6 + 1_024, 1 << 54), "public key", true),
        (|_, handover| handover.ciphertext.0[7] ^= 1, "hand-over", true),
        (|material, _| *material.last_mut().unwrap() ^= 1, "packing key", false),
    ];
    let stage = Stage::new().await;
    let served = Served::start(&stage);
    let capsule = Capsule::register(&stage, &served).await;
    let mut user = scientist(&stage, &served);
    let operator = stage.capsule.address().unwrap();
    for (spoil, found, convicted) in cases {
        let (back, id) = aside(move || {
            let launched = launch(&user, &["--again", "--yes"]).data();
            (user, id_of(&launched))
        })
        .await;
        user = back;
        let (manifest, bundle) = capsule.open(&stage.owner, id).await;
        let sealed = capsule.activate(&stage, id, (&manifest, &bundle), spoil).await;
        let terms = stage.owner.terms(id).await.unwrap();
        stage.owner.close(&terms).await.unwrap();
        let certificate = Certificate::decode(&bundle.certificate, Timestamp::EPOCH).unwrap();
        capsule.deliver(&stage, id, &initial(&bundle), &certificate, &capsule.identity, sealed.handover).await;
        if found.is_empty() {
            sealed.is_not_guilty(&stage, &terms, &manifest).await;
        }
        let before = stage.owner.capsule(operator).await.unwrap().unwrap();
        assert!(before.locked >= U256::from(terms.stake) && terms.stake > 0, "the stake is there to be lost");

        if found.is_empty() {
            let (back, early) = aside(move || {
                let early = user.json(&["campaign", "audit", &id.to_string(), "--release"]).data();
                (user, early)
            })
            .await;
            user = back;
            assert!(early["released"].is_null() && !early["free_from"].is_null(), "{early}");
            stage.pass(terms.audit.period.into()).await;
        }
        let (back, audited, acted) = aside(move || {
            let (back, id) = (user, id.to_string());
            let audited = back.json(&["campaign", "audit", &id]);
            let acted = match found {
                "" => back.json(&["campaign", "audit", &id, "--release"]),
                _ => back.json(&["--yes", "campaign", "audit", &id, "--convict"]),
            };
            (back, audited, acted)
        })
        .await;
        user = back;
        let (audited, acted) = (audited.json(), acted.json());
        if found.is_empty() {
            assert_eq!(audited["data"]["honest"], true, "{audited}");
            assert_eq!(audited["data"]["versions"][0]["measured_ppm"], 100_000);
        } else {
            assert_eq!(audited["error"]["code"], "AUDIT_FAILED");
            assert!(audited["error"]["message"].as_str().unwrap().contains(found), "{audited}");
        }
        assert_eq!(acted["ok"], found.is_empty() || convicted, "{acted}");
        let after = stage.owner.capsule(operator).await.unwrap().unwrap();
        let fate = stage.view(id).await.stake_fate;
        let stake = U256::from(terms.stake);
        if convicted {
            assert_eq!(acted["data"]["claimed"], (terms.stake / 10).to_string());
            assert_eq!(fate, Some(StakeFate::Convicted { version: Version(1) }));
            assert_eq!((before.stake - after.stake, before.locked - after.locked), (stake, stake));
        } else {
            assert_eq!(fate, found.is_empty().then_some(StakeFate::Released));
            assert_eq!(after.stake, before.stake);
        }
    }
}

#[tokio::test]
async fn a_campaign_file_is_made_for_a_validation_set_and_launched() {
    let stage = Stage::new().await;
    let served = Served::start(&stage);
    let _capsule = Capsule::register(&stage, &served).await;
    let user = scientist(&stage, &served);
    aside(move || {
        let rows: String =
            (0..60).map(|row| format!("{row},{},{},{}\n", row % 9, row * 7 % 13, ["no", "yes"][row % 2])).collect();
        let validation = user.path("own.csv").display().to_string();
        fs::write(&validation, format!("row,a,b,answer\n{rows}")).unwrap();
        let new = |more: &[&str]| user.json(&[&["campaign", "new", &validation][..], more].concat());
        let wrong = new(&["--target", "question"]);
        assert_eq!((wrong.code, wrong.error().as_str()), (5, "CAMPAIGN_FILE"));
        assert!(!user.path("own.toml").exists());

        let made = new(&[]).data();
        let guesses = made["guesses"].to_string();
        assert!(guesses.contains("`answer`, because it is the last one"), "{guesses}");
        assert!(guesses.contains("`row` is left out: it only numbers the rows"), "{guesses}");
        new(&[]).data();
        let file = user.path("own.toml");
        let edited = fs::read_to_string(&file).unwrap().replace("\"ETH\"", "\"DATA\"");
        fs::write(&file, &edited).unwrap();
        let kept = new(&[]);
        assert_eq!((kept.code, kept.error().as_str()), (5, "FILE_EXISTS"), "what was edited is not lost");
        assert_eq!(fs::read_to_string(&file).unwrap(), edited);
        let launched = user.json(&["campaign", "launch", &file.display().to_string(), "--yes"]).data();
        assert_eq!(launched["state"], "proposed");
    })
    .await;
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
            ("\"validation.csv\"", "\"nowhere.csv\"", 6, "FILE_NOT_FOUND"),
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
