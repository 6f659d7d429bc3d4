//! The delivered model in every format, read by the Python of the documentation.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    process::Command,
};

use localnet::{
    demo::{DemoConfig, DemoInputs},
    report::DemoReport,
};
use serde::{Deserialize, Serialize};
use sonar_protocol::{
    backbone::Embedding,
    data::{TableLimits, read_csv},
    delivery::{self, FinishedModel, Format},
    families::{plain, plain_network},
    ids::{CampaignId, Digest},
    manifest::Manifest,
    regime::Regime,
};
use syft::{FeatureKind, Grid, Ppm, Scores, Targets, Task, Weights};
use syft_nets::Model;

use crate::{
    delivery::{is_here, out, run},
    support::{config, data, digits, directory},
};

const PYTHON: &str = "Python 3 with venv (Debian: python3-venv; `make test` adds NumPy and others)";

/// A Python with what `make test` installs.
pub fn python() -> PathBuf {
    let installed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/venv/bin/python");
    std::env::var_os("SONAR_TEST_PYTHON").map_or(installed, PathBuf::from)
}

/// A finished model of a campaign and what must come out of it.
struct Case {
    manifest: Manifest,
    embedding: Embedding,
    /// The model as safetensors.
    file: Vec<u8>,
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
    /// A campaign as it would be launched, with a model of arbitrary weights and the first rows of its validation set.
    fn planned(config: &DemoConfig, rows: usize) -> Self {
        let prepared = DemoInputs::read(config).unwrap();
        let manifest = prepared.plan().unwrap().manifest(Digest([9; 32]));
        let file = match manifest.method.linear() {
            Some(linear) => {
                let weight = |i: usize| ((i * 7_919 % 2_003) as f64 / 2_003.0 - 0.5) / 4.0;
                plain(&Weights::project(linear.shape, (0..linear.shape.weights()).map(weight).collect())).unwrap()
            }
            None => plain_network(&Model::initial(&manifest.method.clear().unwrap().network, &[1; 32])).unwrap(),
        };
        let validation = prepared.validation.lines().take(rows + 1).map(|line| format!("{line}\n")).collect();
        let embedding = prepared.embedding;
        Self { manifest, embedding, file: file.to_vec(), campaign: CampaignId([7; 32].into()), validation }
    }

    /// The digits demo's.
    fn delivered(report: &DemoReport) -> Self {
        let read = |name: &str| std::fs::read(out(report).join(name)).unwrap();
        let file = std::fs::read(&report.model).unwrap();
        let validation = String::from_utf8(std::fs::read(data().join("digits-validation.csv")).unwrap()).unwrap();
        let manifest = Manifest::decode(&read("manifest.json")).unwrap();
        Self { manifest, embedding: Embedding::none(), file, campaign: report.campaign, validation }
    }

    /// Writes the model in every format, the data, and what we make of them.
    fn write(&self, directory: &Path) {
        std::fs::create_dir_all(directory).unwrap();
        let finished = FinishedModel::new(&self.manifest, &self.file, self.campaign, Ppm::ZERO).unwrap();
        for (format, path) in delivery::paths(&directory.join("model"), &Format::ALL) {
            std::fs::write(path, finished.encode(format, &self.embedding).unwrap()).unwrap();
        }
        std::fs::write(directory.join("validation.csv"), &self.validation).unwrap();
        std::fs::write(directory.join("expected.json"), serde_json::to_vec(&self.expected()).unwrap()).unwrap();
    }

    fn expected(&self) -> Expected {
        let table = read_csv(self.validation.as_bytes(), &TableLimits::default()).unwrap();
        let schema = &self.manifest.data;
        let examples = self.embedding.apply(schema.fit(&table).unwrap()).unwrap();
        let scores: Scores = match self.manifest.method.linear() {
            Some(linear) => {
                linear.read(&self.file).unwrap().predict(&linear.features.apply(examples.features()).unwrap())
            }
            None => self.manifest.method.clear().unwrap().read(&self.file).unwrap().predict(examples.features()),
        };
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

/// Runs the Python of a part of the documentation in these directories: every block must agree with us, `blocks` in all.
fn run_page(part: &str, blocks: usize, directories: &[PathBuf]) -> Vec<Outcome> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new(python());
    let page = here.join("../docs/model-formats.md");
    command.arg(here.join("tests/formats.py")).arg(page).arg(part).args(directories);
    let output = run(&mut command);
    let lines = String::from_utf8(output.stdout).unwrap();
    let outcomes: Vec<Outcome> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(outcomes.len(), directories.len());
    for outcome in &outcomes {
        // PyTorch is too large to be asked of everybody.
        assert!(outcome.skipped.is_empty() || outcome.skipped == ["torch"], "{outcome:?}");
        assert_eq!(outcome.agreed + outcome.skipped.len(), blocks, "{outcome:?}");
    }
    if outcomes.iter().any(|outcome| !outcome.skipped.is_empty()) {
        eprintln!("skipped: the page's PyTorch, which is not installed");
    }
    outcomes
}

/// safetensors, npz, scikit-learn, PyTorch, onnxruntime.
const LINEAR: (&str, usize) = ("linear", 5);
/// npz, PyTorch, onnxruntime.
const NETWORKS: (&str, usize) = ("networks", 3);

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
    let outcomes = run_page(LINEAR.0, LINEAR.1, &[directory]);
    assert_eq!(outcomes[0].accuracy_ppm, Some(report.final_accuracy_ppm.get()));
    let grid = Grid::new(report.grid_ppm.get()).unwrap();
    assert_eq!(report.final_accuracy_ppm.floor_to_grid(grid), report.attested_accuracy_ppm);
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
        Case::planned(&DemoConfig { features: Some(features), ..config(dataset, 1, "unused") }, rows).write(&directory);
        directory
    };
    run_page(LINEAR.0, LINEAR.1, &cases.map(write));
}

/// A network of a clear campaign, and the same network as the backbone of a linear model.
#[test]
fn the_documentation_computes_what_networks_say() {
    if !is_here(&python(), PYTHON) {
        return;
    }
    let cases = [
        ("digits", "cnn:4,6", 300),
        ("mnist", "cnn:4", 400),
        ("breast-cancer", "mlp:9", 200),
        ("diabetes", "mlp:7,5", 142),
    ];
    let write = |(dataset, network, rows): (&str, &str, usize)| {
        let [alone, below] = ["network", "backbone"].map(|what| directory(&format!("formats-{dataset}-{what}")));
        let sealed = DemoConfig {
            regime: Some(Regime::Clear),
            network: Some(network.parse().unwrap()),
            ..config(dataset, 1, "unused")
        };
        let case = Case::planned(&sealed, rows);
        case.write(&alone);
        let model = case.manifest.method.clear().unwrap().read(&case.file).unwrap();
        let backbone = below.join("backbone.safetensors");
        std::fs::create_dir_all(&below).unwrap();
        std::fs::write(&backbone, model.to_safetensors(HashMap::new()).unwrap()).unwrap();
        Case::planned(&DemoConfig { backbone: Some(backbone), ..config(dataset, 1, "unused") }, rows).write(&below);
        [alone, below]
    };
    run_page(NETWORKS.0, NETWORKS.1, cases.map(write).as_flattened());
}
