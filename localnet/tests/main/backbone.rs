//! A public network as the backbone of an encrypted model, on real processes.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::Read as _,
    path::Path,
    process::Command,
};

use flate2::read::GzDecoder;
use localnet::{
    demo::{self, DemoConfig},
    report::Report,
};
use sonar::{
    backbone::Embedding,
    campaign::CampaignFile,
    data::{Limits, read_csv},
    delivery::{Finished, Format},
    manifest::Manifest,
};
use syft::{Examples, FeatureKind, Weights};
use syft_nets::{Input, Model, NetworkKind, Schedule, Training};

use crate::{
    delivery::{PYTHON, is_here, python},
    demo::check,
    support::{config, data, directory, runtime},
};

/// Rows that somebody could train a network on, and that network may be public.
const PUBLIC: usize = 2_000;
/// Rows that two Mines own.
const PRIVATE: usize = 1_000;
/// Rows of the data scientist.
const HELD_OUT: usize = 1_000;

/// MNIST's campaign with fewer rows, beside a backbone that was trained on others.
struct Stage {
    file: CampaignFile,
    validation: String,
    backbone: Model,
}

fn rows(part: &str, from: usize, count: usize) -> String {
    let mut text = String::new();
    let file = File::open(data().join(format!("mnist-{part}.csv.gz"))).unwrap();
    GzDecoder::new(file).read_to_string(&mut text).unwrap();
    let mut lines = text.lines();
    let header = lines.next();
    header.into_iter().chain(lines.skip(from).take(count)).map(|line| format!("{line}\n")).collect()
}

impl Stage {
    fn new(directory: &Path) -> Self {
        fs::create_dir_all(directory).unwrap();
        let text = fs::read_to_string(data().join("mnist.toml")).unwrap();
        let file = CampaignFile::parse(&text).unwrap();
        let validation = rows("validation", 0, HELD_OUT);
        fs::write(directory.join("mnist.toml"), text).unwrap();
        fs::write(directory.join("mnist-train.csv"), rows("train", PUBLIC, PRIVATE)).unwrap();
        fs::write(directory.join("mnist-validation.csv"), &validation).unwrap();
        let backbone = trained(&file, &examples(&file, &rows("train", 0, PUBLIC)));
        fs::write(directory.join("backbone.safetensors"), backbone.to_safetensors(HashMap::new()).unwrap()).unwrap();
        Self { file, validation, backbone }
    }
}

fn examples(file: &CampaignFile, csv: &str) -> Examples {
    file.schema().fit(&read_csv(csv.as_bytes(), &Limits::default()).unwrap()).unwrap()
}

fn trained(file: &CampaignFile, examples: &Examples) -> Model {
    let (schema, raw) = (file.schema(), examples.features());
    let input = Input::fit(raw, &schema.ranges(), file.image()).unwrap();
    let network = NetworkKind::Cnn(vec![4, 8]).network(input, schema.task.outputs()).unwrap();
    let schedule = Schedule { epochs: 6, rate: 0.005, ..Schedule::default_for(&network, &schema.task) };
    let start = Model::initial(&network, &[3; 32]);
    let mut training = Training::start(&start, &schedule, raw, examples.targets(), [3; 32]).unwrap();
    while training.step().unwrap().is_some() {}
    start.moved(&training.finish(), 1.0)
}

fn run(config: DemoConfig) -> Report {
    let report = runtime().block_on(demo::run(&config)).unwrap_or_else(|error| panic!("{error}"));
    check(&report);
    report
}

/// What others know helps a model that nobody else can see: launched, trained on, evaluated, audited, delivered and measured through the
/// same public network.
#[test]
fn an_encrypted_model_on_a_public_backbone_beats_one_on_pixels() {
    let directory = directory("backbone-data");
    let stage = Stage::new(&directory);
    let on_pixels = |name| DemoConfig {
        data: directory.clone(),
        features: Some(FeatureKind::Identity),
        target: Some(0.99),
        ..config("mnist", 2, name)
    };
    let without = run(on_pixels("backbone-without"));
    let with = run(DemoConfig {
        features: None,
        backbone: Some(directory.join("backbone.safetensors")),
        ..on_pixels("backbone-with")
    });
    let (with_ppm, without_ppm) = (with.final_accuracy_ppm, without.final_accuracy_ppm);
    assert!(with_ppm > without_ppm + 80_000, "{with_ppm} with, {without_ppm} without");
    assert!(with.warnings.iter().any(|warning| warning.contains("the backbone becomes public")), "{:?}", with.warnings);
    assert!(with.audited_versions > 0);
    assert!(with.weights < without.weights, "the head is what is secret, and what is paid for");
    if is_here(&python(), PYTHON) {
        onnxruntime_agrees(&stage, &with);
    }
}

/// Reads model.onnx, model.npz, columns.bin and scores.bin; prints how far its scores are from ours at most.
const SCRIPT: &str = r#"
import numpy as np, onnxruntime
columns = np.fromfile("columns.bin").reshape(-1, 784)
ours = np.fromfile("scores.bin").reshape(-1, 10)
scores, labels = onnxruntime.InferenceSession("model.onnx").run(["scores", "label"], {"columns": columns})
assert list(labels) == [str(digit) for digit in scores.argmax(1)]
arrays = np.load("model.npz")
assert arrays["backbone.layers.0.weight"].shape == (4, 1, 5, 5) and len(arrays["backbone.columns"]) == 784
assert arrays["weights"].shape == (len(arrays["columns"]) + 1, 10)
print(abs(scores - ours).max())
"#;

/// One file leads from pixels through the backbone to the answer that the data scientist's own measurement gives.
fn onnxruntime_agrees(stage: &Stage, report: &Report) {
    let directory = report.model.parent().unwrap();
    let manifest = Manifest::decode(&fs::read(directory.join("manifest.json")).unwrap()).unwrap();
    let signed = fs::read(&report.model).unwrap();
    let embedding = Embedding::of(stage.backbone.clone());
    let finished = Finished::new(&manifest, &embedding, &signed, report.campaign, 0).unwrap();
    let raw = examples(&stage.file, &stage.validation);
    let linear = manifest.method.linear().unwrap();
    let features = linear.features.apply(embedding.apply(raw.clone()).unwrap().features()).unwrap();
    let scores: Vec<f64> =
        Weights::from_safetensors(&signed).unwrap().predict(&features).rows().flatten().copied().collect();

    let write = |name: &str, bytes: Vec<u8>| fs::write(directory.join(name), bytes).unwrap();
    let doubles = |values: &[f64]| values.iter().flat_map(|value| value.to_le_bytes()).collect();
    write("model.onnx", finished.encode(Format::Onnx).unwrap());
    write("model.npz", finished.encode(Format::Npz).unwrap());
    write("columns.bin", doubles(raw.features().values()));
    write("scores.bin", doubles(&scores));
    let output = Command::new(python()).args(["-c", SCRIPT]).current_dir(directory).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let apart: f64 = String::from_utf8(output.stdout).unwrap().trim().parse().unwrap();
    assert!(apart < 1e-4, "{apart}");
}
