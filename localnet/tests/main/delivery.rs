//! The delivered model in the hands of its owner, with tools that are not ours.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

use alloy::{
    primitives::{Address, B256},
    signers::local::PrivateKeySigner,
};
use clap::ValueEnum;
use localnet::{
    demo::{DemoConfig, Prepared},
    report::Report,
};
use serde::{Deserialize, Serialize};
use sonar::{
    backbone::Embedding,
    campaign::CampaignFile,
    data::{Limits, read_csv},
    delivery::{self, Finished, Format},
    handover::AuditSecret,
    ids::{CampaignId, Digest},
    launch::{self, CapsuleTerms, Inputs},
    manifest::Manifest,
    method::plain,
    units::Amount,
};
use syft::{FeatureKind, Targets, Task, Weights};
use zeroize::Zeroizing;

use crate::support::{config, data, digits, directory};

fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {errors}");
    output
}

/// Whether a program of others is on this machine. Where it is not, the test says so and is skipped, but not in CI.
pub fn is_here(program: &Path, what: &str) -> bool {
    let here = Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success());
    assert!(here || std::env::var_os("CI").is_none(), "CI must have {what}");
    if !here {
        eprintln!("skipped: {what} is not on this machine");
    }
    here
}

/// The directory that the demo wrote.
fn out(report: &Report) -> &Path {
    report.model.parent().unwrap()
}

#[test]
fn the_data_scientist_recomputes_every_version_and_finds_them_honest() {
    let report = digits();
    // Each window that accepts something leads to a version, but for the last.
    assert!((1..=report.windows as usize).contains(&report.audited_versions), "{}", report.audited_versions);
}

#[test]
fn gnupg_opens_the_delivered_message() {
    if !is_here(Path::new("gpg"), "GnuPG (Debian: gnupg)") {
        return;
    }
    let report = digits();
    // In /tmp, because the path of the agent's socket must be short.
    let home = tempfile::tempdir_in("/tmp").unwrap();
    let gpg = |arguments: &[&str]| {
        let mut command = Command::new("gpg");
        command.env("GNUPGHOME", home.path()).args(["--batch", "--pinentry-mode", "loopback", "--passphrase-file"]);
        run(command.arg(out(report).join("passphrase")).args(arguments))
    };
    let key = out(report).join("homes/scientist/openpgp/scientist.asc");
    gpg(&["--import", &key.display().to_string()]);
    let certificate = out(report).join("capsule.asc");
    gpg(&["--import", &certificate.display().to_string()]);

    let opened = home.path().join("opened");
    let message = out(report).join("model.pgp").display().to_string();
    let status = gpg(&["--status-fd", "1", "--output", &opened.display().to_string(), "--decrypt", &message]);
    assert_eq!(std::fs::read(&opened).unwrap(), std::fs::read(&report.model).unwrap());
    let status = String::from_utf8_lossy(&status.stdout).into_owned();
    assert!(status.contains("GOODSIG"), "signed by the Capsule: {status}");
    run(Command::new("gpgconf").env("GNUPGHOME", home.path()).args(["--kill", "all"]));
}

/// A finished model of a campaign and what must come out of it.
struct Case {
    manifest: Manifest,
    weights: Weights,
    campaign: CampaignId,
    /// The validation set, or the beginning of it.
    validation: String,
}

/// What `formats.py` compares with.
#[derive(Serialize)]
struct Expected {
    scores: Vec<Vec<f64>>,
    answers: Vec<serde_json::Value>,
    truth: Vec<serde_json::Value>,
}

/// What `formats.py` prints of a model.
#[derive(Debug, Deserialize)]
struct Outcome {
    agreed: usize,
    skipped: Vec<String>,
    accuracy_ppm: Option<u32>,
}

impl Case {
    /// A campaign as its file says, on the first rows of its validation set, with a model of arbitrary weights.
    fn planned(dataset: &str, features: FeatureKind, rows: usize) -> Self {
        let config = DemoConfig { features: Some(features), ..config(dataset, 1, "unused") };
        let prepared = Prepared::read(&config).unwrap();
        let validation: String = prepared.validation.lines().take(rows + 1).map(|line| format!("{line}\n")).collect();
        let inputs = Inputs {
            validation: Zeroizing::new(validation.clone().into_bytes()),
            initial: None,
            backbone: None,
            owner: Address::repeat_byte(1),
            scientist: (Vec::new(), "AB".repeat(20)),
            token: Address::ZERO,
            bounty: Amount::from(1_000_u128),
            capsule: CapsuleTerms {
                operator: Address::repeat_byte(2),
                attester: Address::repeat_byte(3),
                fee_ppm: 0,
                stake: Amount::ZERO,
                fingerprint: "CD".repeat(20),
            },
            now: 1_800_000_000,
            bundle_salt: Zeroizing::new([5; 32]),
            salt: B256::repeat_byte(6),
            audit: AuditSecret::of(&PrivateKeySigner::random(), B256::ZERO),
        };
        let plan = launch::plan(&CampaignFile::parse(&prepared.campaign).unwrap(), inputs).unwrap();
        let manifest = plan.manifest(Digest([9; 32]));
        let shape = manifest.method.linear().unwrap().shape;
        let weight = |i: usize| ((i * 7_919 % 2_003) as f64 / 2_003.0 - 0.5) / 4.0;
        let weights = Weights::project(shape, (0..shape.weights()).map(weight).collect());
        Self { manifest, weights, campaign: CampaignId(B256::repeat_byte(7)), validation }
    }

    /// The digits demo's.
    fn delivered(report: &Report) -> Self {
        let read = |name: &str| std::fs::read(out(report).join(name)).unwrap();
        let weights = Weights::from_safetensors(&std::fs::read(&report.model).unwrap()).unwrap();
        let validation = String::from_utf8(std::fs::read(data().join("digits-validation.csv")).unwrap()).unwrap();
        let manifest = Manifest::decode(&read("manifest.json")).unwrap();
        Self { manifest, weights, campaign: report.campaign, validation }
    }

    /// Writes the model in every format, the data, and what we make of them.
    fn write(&self, directory: &Path) {
        std::fs::create_dir_all(directory).unwrap();
        let file = plain(&self.weights).unwrap();
        let embedding = Embedding::none();
        let finished = Finished::new(&self.manifest, &embedding, &file, self.campaign, 0).unwrap();
        for (format, path) in delivery::paths(&directory.join("model"), Format::value_variants()) {
            std::fs::write(path, finished.encode(format).unwrap()).unwrap();
        }
        std::fs::write(directory.join("validation.csv"), &self.validation).unwrap();
        std::fs::write(directory.join("expected.json"), serde_json::to_vec(&self.expected()).unwrap()).unwrap();
    }

    fn expected(&self) -> Expected {
        let table = read_csv(self.validation.as_bytes(), &Limits::default()).unwrap();
        let schema = &self.manifest.data;
        let examples = schema.fit(&table).unwrap();
        let features = self.manifest.method.linear().unwrap().features.apply(examples.features()).unwrap();
        let scores = self.weights.predict(&features);
        let class = |class: usize| match &schema.task {
            Task::Classification { classes } => classes[class].clone().into(),
            Task::Regression => unreachable!("numbers are no classes"),
        };
        let answers = match schema.target_map().unwrap() {
            Some(target) => scores.rows().map(|row| target.invert(row[0]).into()).collect(),
            None => scores.classes().map(class).collect(),
        };
        let truth = match examples.targets() {
            Targets::Classes(classes) => classes.iter().copied().map(class).collect(),
            Targets::Values(values) => values.iter().copied().map(Into::into).collect(),
        };
        Expected { scores: scores.rows().map(<[f64]>::to_vec).collect(), answers, truth }
    }
}

/// Runs the Python of the documentation in these directories.
fn run_page(directories: &[PathBuf]) -> Vec<Outcome> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new(python());
    command.arg(here.join("tests/formats.py")).arg(here.join("../docs/model-formats.md")).args(directories);
    let output = run(&mut command);
    let lines = String::from_utf8(output.stdout).unwrap();
    let outcomes: Vec<Outcome> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(outcomes.len(), directories.len());
    for outcome in &outcomes {
        // safetensors, npz, scikit-learn, onnxruntime, and PyTorch, which is too large to be asked of everybody.
        assert!(outcome.skipped.is_empty() || outcome.skipped == ["torch"], "{outcome:?}");
        assert_eq!(outcome.agreed + outcome.skipped.len(), 5, "{outcome:?}");
    }
    if outcomes.iter().any(|outcome| !outcome.skipped.is_empty()) {
        eprintln!("skipped: the page's PyTorch, which is not installed");
    }
    outcomes
}

#[test]
fn the_documentation_loads_the_delivered_model_and_measures_the_same_accuracy() {
    if !is_here(&python(), PYTHON) {
        return;
    }
    let report = digits();
    let directory = directory("formats-delivered");
    Case::delivered(report).write(&directory);
    // The file that the Capsule signed.
    std::fs::copy(&report.model, directory.join("model.safetensors")).unwrap();
    let outcomes = run_page(&[directory]);
    assert_eq!(outcomes[0].accuracy_ppm, Some(report.final_accuracy_ppm));
    assert_eq!(report.final_accuracy_ppm / report.grid_ppm * report.grid_ppm, report.attested_accuracy_ppm);
}

#[test]
fn the_documentation_computes_our_scores_of_every_kind_of_model() {
    if !is_here(&python(), PYTHON) {
        return;
    }
    let cases = [
        ("digits", FeatureKind::Identity, 500),
        ("digits", FeatureKind::RandomRelu(64), 500),
        ("digits", FeatureKind::RandomConv(90), 500),
        ("mnist", FeatureKind::RandomConv(160), 400),
        ("breast-cancer", FeatureKind::Identity, 200),
        ("breast-cancer", FeatureKind::Polynomial, 200),
        ("diabetes", FeatureKind::Identity, 142),
        ("diabetes", FeatureKind::RandomRelu(40), 142),
    ];
    let write = |(dataset, features, rows): (&str, FeatureKind, usize)| {
        let directory = directory(&format!("formats-{dataset}-{features}"));
        Case::planned(dataset, features, rows).write(&directory);
        directory
    };
    run_page(&cases.map(write));
}

pub const PYTHON: &str = "Python 3 with venv (Debian: python3-venv; `make test` adds NumPy and others)";

/// A Python with what `make test` installs.
pub fn python() -> PathBuf {
    let installed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/venv/bin/python");
    std::env::var_os("SONAR_TEST_PYTHON").map_or(installed, PathBuf::from)
}
