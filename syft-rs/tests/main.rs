//! Digits, breast cancer and MNIST, over several Mines, with and without encryption.

mod memory;

use rand::SeedableRng;
use rand::rngs::StdRng;
use std::fs;
use std::io;
use std::path::Path;
use syft::{AffineUpdate, Material};
use syft::{
    Binding, EncryptedUpdate, Examples, FeatureKind, FeatureMap, Features, Grid, Image, Labels, Ladder, Matrix, Metric,
    Parameters, Ppm, Rule, SecretKey, SeedIndex, Shape, TargetMap, Targets, Task, Trainable as _, Validation,
    VersionSeed, Weights, clear, encrypt_update, evaluate_window, privacy::Zcdp, train, train_private,
};

struct Table {
    examples: Examples,
}

fn read(name: &str, classes: &[&str]) -> Table {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../data").join(name);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(_) => {
            let packed = fs::File::open(path.with_extension("csv.gz")).unwrap();
            io::read_to_string(flate2::read::GzDecoder::new(packed)).unwrap()
        }
    };
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
    campaign_with(FeatureKind::Identity, 5_000, name, classes, split, mines)
}

fn campaign_with(kind: FeatureKind, grid: u32, name: &str, classes: &[&str], split: Split, mines: usize) -> Campaign {
    let held = read(&format!("{name}-validation.csv"), classes).examples;
    let data = read(&format!("{name}-train.csv"), classes).examples;
    let raw = held.features();
    let range = |column: usize| {
        let values = || (0..raw.rows()).map(move |row| raw.row(row)[column]);
        (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max))
    };
    let side = raw.columns().isqrt();
    let image = (side * side == raw.columns()).then_some(Image { height: side, width: side, channels: 1 });
    let ranges: Vec<_> = match image {
        // Every pixel has the range of all.
        Some(_) => vec![(0.0, raw.values().iter().copied().fold(0.0, f64::max)); raw.columns()],
        None => (0..raw.columns()).map(range).collect(),
    };
    let map = FeatureMap::fit(raw, &ranges, kind, image, SeedIndex::default()).unwrap();
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
    let grid = Grid::for_rows(grid, validation.rows()).unwrap();
    let start = validation.accuracy(&Weights::zeros(shape)).floor_to_grid(grid);
    let ladder = Ladder::new(grid, start, Ppm::ONE).unwrap();
    Campaign { params, map, updates, validation, features, ladder }
}

impl Campaign {
    /// The updates to a version as they arrive: others are first every time.
    fn in_order(&self, version: u32) -> impl Iterator<Item = &AffineUpdate> {
        let count = self.updates.len();
        (0..count).map(move |place| &self.updates[(place + 4 * (version as usize - 1)) % count])
    }
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
            .in_order(version)
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
    let map =
        FeatureMap::fit(examples.features(), &[(0.0, 10.0); 2], FeatureKind::Identity, None, SeedIndex::default())
            .unwrap();
    let scale = TargetMap::from_range(0.0, 50.0).unwrap();
    let features = map.apply(examples.features()).unwrap();
    let targets = scale.apply(examples.targets());
    let params = Parameters::linear(Shape { inputs: 3, outputs: 1 }).unwrap();
    let (rule, labels) = (Rule::default_for(&Task::Regression, &map), Labels::default_for(&map, 1));
    let update = train(&features, &targets, &rule, &labels, &params, &mut StdRng::seed_from_u64(1)).unwrap();
    let validation = Validation::new(features.clone(), targets, Metric::R2).unwrap();
    let ladder = Ladder::new(Grid::new(5_000).unwrap(), Ppm::ZERO, Ppm::ONE).unwrap();
    let campaign = Campaign { params, map, updates: vec![update], validation, features, ladder };
    let (_, history) = run_encrypted(&campaign, 4);
    assert!(history.last().unwrap().fraction() > 0.95, "{history:?}");
}

#[test]
fn random_features_learn_digits_in_one_window() {
    let campaign = campaign_with(FeatureKind::RandomRelu(512), 5_000, "digits", &DIGITS, Split::Iid, 5);
    let (clear, encrypted) = report("digits random-relu:512", &campaign, 1, 2);
    for accuracy in encrypted {
        assert!(accuracy.fraction() >= 0.965, "{accuracy} {clear}");
    }
}

#[test]
fn random_features_learn_digits_sorted_by_label() {
    let campaign = campaign_with(FeatureKind::RandomRelu(512), 5_000, "digits", &DIGITS, Split::ByLabel, 5);
    let (best, history) = run_encrypted(&campaign, 8);
    println!("digits random-relu:512 by label: {history:?}");
    assert!(campaign.validation.accuracy(&best).fraction() >= 0.95, "{history:?}");
}

#[test]
fn mnist_over_ten_mines() {
    let campaign = campaign_with(FeatureKind::RandomConv(1_008), 2_500, "mnist", &DIGITS, Split::Iid, 10);
    let (best, history) = run_encrypted(&campaign, 2);
    println!("mnist random-conv:1008: {history:?}");
    assert!(history.last().unwrap().fraction() >= 0.96, "{history:?}");
    // What encryption costs: the same updates once more, encrypted and in the clear. Single ones differ by up to four answers.
    let binding = Binding { chain_id: 1, contract: [1; 20], campaign: [2; 32], version: 3, beacon: [3; 32] };
    let key = SecretKey::derive(&VersionSeed::generate().unwrap(), &campaign.params, &binding);
    let material = key.publish(&best);
    let published = campaign.params.encode(&best);
    let cost = campaign.updates.iter().map(|update| {
        let encrypted = best.moved(&key.decrypt(&encrypt_update(&material, update).unwrap()), 1.0);
        let clear = best.moved(&update.apply_clear(&published), 1.0);
        apart(campaign.validation.accuracy(&encrypted), campaign.validation.accuracy(&clear))
    });
    let cost: Vec<f64> = cost.collect();
    println!("mnist: encrypted and clear differ by {cost:?}");
    assert!(cost.iter().sum::<f64>() / cost.len() as f64 <= 0.001, "{cost:?}");
}

#[test]
fn two_thousand_random_features_learn_mnist() {
    let campaign = campaign_with(FeatureKind::RandomRelu(2_000), 2_500, "mnist", &DIGITS, Split::Iid, 10);
    let (mut best, mut best_ppm) = (Weights::zeros(campaign.params.shape()), campaign.ladder.start());
    let mut accepts = 0;
    for version in 1..=8 {
        let published = campaign.params.encode(&best);
        let candidates = campaign.in_order(version).map(|update| Some(update.apply_clear(&published)));
        let outcome =
            evaluate_window(&best, best_ppm, candidates, &campaign.validation, &campaign.ladder, 4.min(20 - accepts));
        accepts += outcome.accepts();
        best_ppm = campaign.ladder.grid().value(outcome.best_step).unwrap();
        best = outcome.best;
    }
    println!("mnist random-relu:2000 in the clear: {best_ppm} after {accepts} accepts");
    assert!(best_ppm.fraction() >= 0.94, "{best_ppm}");
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
