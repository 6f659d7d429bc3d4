//! Digits and breast cancer, over several Mines, with and without encryption.

use rand::SeedableRng;
use rand::rngs::StdRng;
use std::fs;
use std::path::Path;
use syft::{AffineUpdate, Material};
use syft::{
    Binding, EncryptedUpdate, Examples, FeatureKind, FeatureMap, Features, Grid, Labels, Ladder, Matrix, Metric,
    Parameters, Ppm, Rule, SecretKey, Shape, TargetMap, Targets, Task, Validation, VersionSeed, Weights, clear,
    encrypt_update, evaluate_window, privacy::Zcdp, train, train_private,
};

struct Table {
    examples: Examples,
}

fn read(name: &str, classes: &[&str]) -> Table {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../data").join(name);
    let text = fs::read_to_string(path).unwrap();
    let (mut values, mut targets) = (Vec::new(), Vec::new());
    for line in text.lines().skip(1) {
        let (numbers, class) = line.rsplit_once(',').unwrap();
        values.extend(numbers.split(',').map(|number| number.parse::<f64>().unwrap()));
        targets.push(classes.iter().position(|name| *name == class).unwrap());
    }
    let features = Matrix::new(targets.len(), values.len() / targets.len(), values).unwrap();
    Table { examples: Examples::new(features, Targets::Classes(targets)).unwrap() }
}

enum Split {
    Iid,
    ByLabel,
}

/// A campaign ready to run: maps of the Mines, the examples to evaluate on, the grid.
struct Campaign {
    params: Parameters,
    map: FeatureMap,
    updates: Vec<AffineUpdate>,
    validation: Validation,
    features: Features,
    ladder: Ladder,
}

fn campaign(name: &str, classes: &[&str], split: Split, mines: usize) -> Campaign {
    let held = read(&format!("{name}-validation.csv"), classes).examples;
    let data = read(&format!("{name}-train.csv"), classes).examples;
    let raw = held.features();
    let range = |column: usize| {
        let values = || (0..raw.rows()).map(move |row| raw.row(row)[column]);
        (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max))
    };
    let map = FeatureMap::fit(raw, &(0..raw.columns()).map(range).collect::<Vec<_>>(), FeatureKind::Identity, None, 1)
        .unwrap();
    let shape = Shape { inputs: map.inputs(), outputs: classes.len() };
    let params = Parameters::linear(shape).unwrap();
    let task = Task::Classification { classes: classes.iter().map(ToString::to_string).collect() };
    let (rule, labels) = (Rule::default_for(&task, &map), Labels::default_for(&map, classes.len()));
    let features = map.apply(raw).unwrap();
    let validation = Validation::new(features.clone(), held.targets().clone(), Metric::Accuracy).unwrap();
    let updates = parts(&data, split, mines)
        .into_iter()
        .enumerate()
        .map(|(mine, rows)| {
            let part = data.select(&rows);
            let features = map.apply(part.features()).unwrap();
            train(&features, part.targets(), &rule, &labels, &params, &mut StdRng::seed_from_u64(mine as u64)).unwrap()
        })
        .collect();
    let grid = Grid::for_rows(5_000, validation.rows()).unwrap();
    let start = validation.accuracy(&Weights::zeros(shape)).floor_to_grid(grid);
    let ladder = Ladder::new(grid, start, Ppm::ONE).unwrap();
    Campaign { params, map, updates, validation, features, ladder }
}

fn parts(data: &Examples, split: Split, mines: usize) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..data.len()).collect();
    if let (Split::ByLabel, Targets::Classes(classes)) = (split, data.targets()) {
        order.sort_by_key(|&row| classes[row]);
    }
    order.chunks(data.len().div_ceil(mines)).map(<[usize]>::to_vec).collect()
}

/// The final model of the encrypted campaign, and the accuracy after each window.
fn run_encrypted(campaign: &Campaign, max_windows: u32) -> (Weights, Vec<Ppm>) {
    let shape = campaign.params.shape();
    let mut best = Weights::zeros(shape);
    let mut best_ppm = campaign.ladder.start();
    let mut history = Vec::new();
    for version in 1..=max_windows {
        let binding =
            Binding { chain_id: 31337, contract: [1; 20], campaign: [2; 32], version, beacon: [version as u8; 32] };
        let key = SecretKey::derive(&VersionSeed::generate().unwrap(), &campaign.params, &binding);
        let published = key.publish(&best).encode();
        let candidates: Vec<_> = campaign
            .updates
            .iter()
            .map(|update| {
                let material = Material::decode(&published, &campaign.params, &binding).unwrap();
                let upload = encrypt_update(&material, update).unwrap().encode();
                let upload = EncryptedUpdate::decode(&upload, &campaign.params, &material.digest()).unwrap();
                Some(key.decrypt(&upload))
            })
            .collect();
        let outcome = evaluate_window(&best, best_ppm, candidates, &campaign.validation, &campaign.ladder, 4);
        best_ppm = campaign.ladder.grid().value(outcome.best_step).unwrap();
        history.push(campaign.validation.accuracy(&outcome.best));
        let stalled = outcome.accepts() == 0;
        best = outcome.best;
        if stalled {
            break;
        }
    }
    (best, history)
}

fn run_clear(campaign: &Campaign, max_windows: u32) -> clear::ClearOutcome {
    let start = Weights::zeros(campaign.params.shape());
    clear::run(&start, &campaign.updates, &campaign.params, &campaign.validation, &campaign.ladder, max_windows, 20)
}

fn apart(a: Ppm, b: Ppm) -> f64 {
    (a.fraction() - b.fraction()).abs()
}

const DIGITS: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
const CANCER: [&str; 2] = ["malignant", "benign"];

/// Runs a campaign several times encrypted and once in the clear; prints what the documentation quotes.
fn report(name: &str, campaign: &Campaign, windows: u32, draws: usize) -> (Ppm, Vec<Ppm>) {
    let twin = run_clear(campaign, windows);
    let said: Vec<usize> = twin.best.predict(&campaign.features).classes().collect();
    let mut finals = Vec::new();
    for draw in 0..draws {
        let (best, history) = run_encrypted(campaign, windows);
        let flips = best.predict(&campaign.features).classes().zip(&said).filter(|(a, b)| a != *b).count();
        println!(
            "{name} draw {draw}: clear {} in {} windows, {} accepts; encrypted {:?}; {flips} of {} answers differ",
            twin.accuracy,
            twin.windows,
            twin.accepts,
            history,
            campaign.validation.rows()
        );
        finals.push(*history.last().unwrap());
    }
    (twin.accuracy, finals)
}

#[test]
fn digits_over_five_alike_mines() {
    let campaign = campaign("digits", &DIGITS, Split::Iid, 5);
    let (clear, encrypted) = report("digits iid", &campaign, 3, 3);
    for accuracy in encrypted {
        assert!(accuracy.fraction() >= 0.925 && apart(accuracy, clear) <= 0.02, "{accuracy}");
    }
}

#[test]
fn digits_sorted_by_label() {
    let campaign = campaign("digits", &DIGITS, Split::ByLabel, 5);
    let (clear, encrypted) = report("digits by label", &campaign, 8, 2);
    for accuracy in encrypted {
        assert!(accuracy.fraction() >= 0.88, "{accuracy} {clear}");
    }
}

#[test]
fn breast_cancer_over_three_mines() {
    for (name, split) in [("cancer iid", Split::Iid), ("cancer by label", Split::ByLabel)] {
        let campaign = campaign("breast-cancer", &CANCER, split, 3);
        let (clear, encrypted) = report(name, &campaign, 5, 3);
        for accuracy in encrypted {
            assert!(accuracy.fraction() >= 0.93, "{name} {accuracy} {clear}");
        }
    }
}

#[test]
fn a_regression_learns_a_line() {
    let raw: Vec<f64> = (0..400).map(|i| f64::from(i * 7919 % 1000) / 100.0).collect();
    let price: Vec<f64> = raw.chunks(2).map(|x| 3.0 * x[0] - 2.0 * x[1] + 20.0).collect();
    let examples = Examples::new(Matrix::new(200, 2, raw).unwrap(), Targets::Values(price)).unwrap();
    let map = FeatureMap::fit(examples.features(), &[(0.0, 10.0); 2], FeatureKind::Identity, None, 1).unwrap();
    let scale = TargetMap::from_range(0.0, 50.0).unwrap();
    let features = map.apply(examples.features()).unwrap();
    let targets = scale.apply(examples.targets());
    let params = Parameters::linear(Shape { inputs: 3, outputs: 1 }).unwrap();
    let (rule, labels) = (Rule::default_for(&Task::Regression, &map), Labels::default_for(&map, 1));
    let update = train(&features, &targets, &rule, &labels, &params, &mut StdRng::seed_from_u64(1)).unwrap();
    let validation = Validation::new(features.clone(), targets, Metric::R2).unwrap();
    let ladder = Ladder::new(Grid::DEFAULT, Ppm::ZERO, Ppm::ONE).unwrap();
    let campaign = Campaign { params, map, updates: vec![update], validation, features, ladder };
    let (_, history) = run_encrypted(&campaign, 4);
    assert!(history.last().unwrap().fraction() > 0.95, "{history:?}");
}

/// One Mine with all the digits spends a budget at δ = 1e-6 in ten uploads; what the model is worth after them.
fn private_digits(rule: Rule, epsilon: f64, seed: u64) -> Ppm {
    let campaign = campaign("digits", &DIGITS, Split::Iid, 1);
    let data = read("digits-train.csv", &DIGITS).examples;
    let features = campaign.map.apply(data.features()).unwrap();
    let cost = Zcdp::within(epsilon, 1e-6).unwrap().share(10);
    let mut coins = StdRng::seed_from_u64(seed);
    let mut best = Weights::zeros(campaign.params.shape());
    let mut best_ppm = campaign.ladder.start();
    for _ in 0..10 {
        let labels = Labels::default_for(&campaign.map, DIGITS.len());
        let update =
            train_private(&features, data.targets(), &rule, &labels, &campaign.params, cost, &mut coins).unwrap();
        let candidate = Some(update.apply_clear(&campaign.params.encode(&best)));
        let outcome = evaluate_window(&best, best_ppm, [candidate], &campaign.validation, &campaign.ladder, 1);
        best_ppm = campaign.ladder.grid().value(outcome.best_step).unwrap();
        best = outcome.best;
    }
    campaign.validation.accuracy(&best)
}

#[test]
fn private_digits_are_learnt() {
    let rule = Rule::Proximal { rho: 1.0, decay: 0.0 };
    let of = |epsilon| private_digits(rule, epsilon, 1).fraction();
    let (much, some, little) = (of(10.0), of(3.0), of(0.1));
    println!("digits at δ = 1e-6 in 10 uploads: ε = 10: {much}, ε = 3: {some}, ε = 0.1: {little}");
    assert!(much > 0.82 && some > 0.75, "{much} {some}");
    // Privacy has its price; if it had none, the noise would be missing.
    assert!(little < 0.5, "{little}");
}
