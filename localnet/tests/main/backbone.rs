//! A public network as the backbone of an encrypted model, on real processes.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::Read as _,
    path::Path,
};

use flate2::read::GzDecoder;
use localnet::{
    demo::{self, DemoConfig},
    report::DemoReport,
};
use sonar_protocol::{
    campaign::CampaignFile,
    data::{TableLimits, read_csv},
};
use syft::{Examples, FeatureKind};
use syft_nets::{Input, Model, NetworkKind, Schedule, Training};

use crate::{
    demo::check,
    support::{config, data, directory, runtime},
};

/// Rows that somebody could train a network on, and that network may be public.
const PUBLIC: usize = 2_000;
/// Rows that two Mines own.
const PRIVATE: usize = 1_000;
/// Rows of the data scientist.
const HELD_OUT: usize = 1_000;

fn rows(part: &str, from: usize, count: usize) -> String {
    let mut text = String::new();
    let file = File::open(data().join(format!("mnist-{part}.csv.gz"))).unwrap();
    GzDecoder::new(file).read_to_string(&mut text).unwrap();
    let mut lines = text.lines();
    let header = lines.next();
    header.into_iter().chain(lines.skip(from).take(count)).map(|line| format!("{line}\n")).collect()
}

/// MNIST's campaign with fewer rows, beside a backbone that was trained on others. On a grid of a whole point, few rows' worth of noise
/// does not decide.
fn prepare(directory: &Path) {
    fs::create_dir_all(directory).unwrap();
    let text = fs::read_to_string(data().join("mnist.toml")).unwrap();
    let coarse = text.replace("grid = 0.001", "grid = 0.01");
    assert_ne!(text, coarse);
    let file = CampaignFile::parse(&coarse).unwrap();
    fs::write(directory.join("mnist.toml"), coarse).unwrap();
    fs::write(directory.join("mnist-train.csv"), rows("train", PUBLIC, PRIVATE)).unwrap();
    fs::write(directory.join("mnist-validation.csv"), rows("validation", 0, HELD_OUT)).unwrap();
    let backbone = trained(&file, &examples(&file, &rows("train", 0, PUBLIC)));
    fs::write(directory.join("backbone.safetensors"), backbone.to_safetensors(HashMap::new()).unwrap()).unwrap();
}

fn examples(file: &CampaignFile, csv: &str) -> Examples {
    file.schema().fit(&read_csv(csv.as_bytes(), &TableLimits::default()).unwrap()).unwrap()
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

fn run(config: DemoConfig) -> DemoReport {
    let report = runtime().block_on(demo::run(&config)).unwrap_or_else(|error| panic!("{error}")).report;
    check(&report);
    report
}

/// What others know helps a model that nobody else can see: launched, trained on, evaluated, audited, delivered and measured through the
/// same public network.
#[test]
fn an_encrypted_model_on_a_public_backbone_beats_one_on_pixels() {
    let directory = directory("backbone-data");
    prepare(&directory);
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
    let (with_ppm, without_ppm) = (with.final_accuracy_ppm.get(), without.final_accuracy_ppm.get());
    assert!(with_ppm > without_ppm + 80_000, "{with_ppm} with, {without_ppm} without");
    assert!(with.warnings.iter().any(|warning| warning.contains("the backbone becomes public")), "{:?}", with.warnings);
    assert!(with.audited_versions > 0);
    assert!(with.weights < without.weights, "the head is what is secret, and what is paid for");
}
