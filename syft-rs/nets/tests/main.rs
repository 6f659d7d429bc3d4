//! Networks as users notice them: a campaign that learns digits, a public backbone, and exported files.

mod simulation;

use rand::SeedableRng;
use rand::rngs::StdRng;
use simulation::{Digits, campaign, default_schedule, network};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use syft::export::Answer;
use syft::{
    FeatureKind, FeatureMap, Grid, Labels, Ladder, Matrix, Metric, Parameters, Ppm, Rule, SeedIndex, Shape, Task,
    Validation, Weights,
};
use syft_nets::{Model, NetworkKind, Release, Schedule, Training};

/// Half of the digits, a small network, and one turn a Mine; the example `mnist` is the whole campaign.
#[test]
fn four_mines_teach_a_network_digits() {
    let (train, validation) = (Digits::read("train"), Digits::read("validation").select(0..1_000));
    let mines: Vec<Digits> = (0..4).map(|mine| train.select((mine..4_000).step_by(4))).collect();
    let network = network(&NetworkKind::Cnn(vec![4, 8]), &validation);
    let schedule = Schedule { rate: 0.005, ..default_schedule(&network) };
    let mut ladder = vec![];
    let say = |_, _, best| ladder.push(best);
    let model = campaign(&network, &schedule, &Release::default(), &mines, &validation.validation(), 4, say);
    let accuracy = validation.validation().accuracy(&model);
    assert!(accuracy.get() > 930_000, "{accuracy} after {ladder:?}");
}

/// What a campaign of linear models reaches in the clear, on rows that everybody can compute.
fn linear_campaign(
    mines: &[(Matrix, &Digits)],
    rows: &Matrix,
    validation: &Digits,
    how: impl Fn(&FeatureMap) -> (Rule, Labels),
) -> Ppm {
    let greatest = rows.values().iter().copied().fold(0.0, f64::max);
    let ranges = vec![(0.0, greatest); rows.columns()];
    let map = FeatureMap::fit(rows, &ranges, FeatureKind::Identity, None, SeedIndex::default()).unwrap();
    let shape = Shape { inputs: map.inputs(), outputs: 10 };
    let params = Parameters::linear(shape).unwrap();
    let (rule, labels) = how(&map);
    let coins = &mut StdRng::seed_from_u64(1);
    let update = |(rows, digits): &(Matrix, &Digits)| {
        syft::train(&map.apply(rows).unwrap(), &digits.targets, &rule, &labels, &params, coins).unwrap()
    };
    let updates: Vec<_> = mines.iter().map(update).collect();
    let start = Weights::zeros(shape);
    let held = Validation::new(map.apply(rows).unwrap(), validation.targets.clone(), Metric::Accuracy).unwrap();
    let grid = Grid::new(5_000).unwrap();
    let ladder = Ladder::new(grid, held.accuracy(&start).floor_to_grid(grid), Ppm::ONE).unwrap();
    syft::clear::run(&start, &updates, &params, &held, &ladder, 4, 20).accuracy
}

/// Activations of a small network that was trained on public digits are better inputs of a linear model than pixels.
#[test]
fn a_public_backbone_helps_a_linear_model() {
    let (train, validation) = (Digits::read("train"), Digits::read("validation"));
    let (public, validation) = (train.select(0..2_000), validation.select(0..1_000));
    let network = network(&NetworkKind::Cnn(vec![4, 8]), &validation);
    let schedule = Schedule { epochs: 6, rate: 0.005, ..default_schedule(&network) };
    let start = Model::initial(&network, &[3; 32]);
    let mut training = Training::start(&start, &schedule, &public.raw, &public.targets, [3; 32]).unwrap();
    while training.step().unwrap().is_some() {}
    let backbone = start.moved(&training.finish(), 1.0);

    let private: Vec<Digits> = (0..2).map(|mine| train.select((2_000 + mine..3_000).step_by(2))).collect();
    let pixels: Vec<_> = private.iter().map(|digits| (digits.raw.clone(), digits)).collect();
    let embedded: Vec<_> = private.iter().map(|digits| (backbone.embed(&digits.raw).unwrap(), digits)).collect();
    let task = Task::Classification { classes: (0..10).map(|digit| digit.to_string()).collect() };
    let usual = |map: &FeatureMap| (Rule::default_for(&task, map), Labels::default_for(map, 10));
    let close = |map: &FeatureMap| (Rule::close(map), Labels::small(10));
    let without = linear_campaign(&pixels, &validation.raw, &validation, usual);
    let with = linear_campaign(&embedded, &backbone.embed(&validation.raw).unwrap(), &validation, close);
    assert!(with.get() > without.get() + 80_000, "{with} with, {without} without");
}

/// Reads model.onnx, model.npz, columns.bin and scores.bin; prints how far its scores are from ours at most.
const SCRIPT: &str = r#"
import json, sys, numpy as np, onnxruntime
columns = np.fromfile("columns.bin").reshape(-1, 784)
ours = np.fromfile("scores.bin").reshape(-1, 10)
scores, labels = onnxruntime.InferenceSession("model.onnx").run(["scores", "label"], {"columns": columns})
assert list(labels) == [str(digit) for digit in scores.argmax(1)]
arrays = np.load("model.npz")
layers = json.loads(str(arrays["network"]))["layers"]
assert arrays["layers.0.weight"].shape == (layers[0]["conv"]["channels"], 1, 5, 5)
image = ((columns[:1] - arrays["center"]) / arrays["spread"]).reshape(28, 28).astype(np.float32)
corner = np.pad(image, 2)[:5, :5]
assert np.isfinite((arrays["layers.0.weight"][:, 0] * corner).sum((1, 2)) + arrays["layers.0.bias"]).all()
print(abs(scores - ours).max())
"#;

#[test]
fn onnxruntime_says_what_we_say() {
    let installed = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/venv/bin/python").to_owned();
    let python = std::env::var("SONAR_TEST_PYTHON").unwrap_or(installed);
    let has_runtime = Command::new(&python).args(["-c", "import onnxruntime"]).stderr(Stdio::null()).status();
    if !has_runtime.is_ok_and(|status| status.success()) {
        eprintln!("skipped: {python} has no onnxruntime, which `make test` installs");
        return;
    }
    let digits = Digits::read("validation").select(0..200);
    let model = Model::initial(&network(&NetworkKind::Cnn(vec![4, 8]), &digits), &[1; 32]);
    let scores: Vec<f64> = model.predict(&digits.raw).rows().flatten().copied().collect();
    let classes: Vec<String> = (0..10).map(|digit| digit.to_string()).collect();
    let columns: Vec<String> = (0..784).map(|column| format!("pixel_{column}")).collect();
    let (answer, metadata) = (Answer::Class(&classes), BTreeMap::new());

    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("onnx");
    std::fs::create_dir_all(&directory).unwrap();
    let write = |name: &str, bytes: Vec<u8>| std::fs::write(directory.join(name), bytes).unwrap();
    let doubles = |values: &[f64]| values.iter().flat_map(|value| value.to_le_bytes()).collect();
    write("model.onnx", model.onnx(answer, &metadata).unwrap());
    write("model.npz", model.npz(&columns, answer, &metadata).unwrap());
    write("columns.bin", doubles(digits.raw.values()));
    write("scores.bin", doubles(&scores));
    let output = Command::new(&python).args(["-c", SCRIPT]).current_dir(&directory).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let apart: f64 = String::from_utf8(output.stdout).unwrap().trim().parse().unwrap();
    let largest = scores.iter().fold(0.0, |most: f64, score| most.max(score.abs()));
    assert!(apart < 1e-5 * largest, "{apart} of {largest}");
}
