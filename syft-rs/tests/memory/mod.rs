//! Bounds on memory, measured as the most that a process of its own ever had resident.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::process::Command;
use syft::{
    Binding, EncryptedUpdate, FeatureKind, FeatureMap, Features, Grid, Labels, Ladder, Matrix, Metric, Parameters, Ppm,
    Rule, SecretKey, SeedIndex, Shape, Targets, Validation, VersionSeed, Weights, encrypt_update, evaluate_window,
    train,
};

const MIB: u64 = 1 << 20;
/// What the rest of a program may take: chain, IPFS, store.
const REST: u64 = 256 * MIB;

/// Runs one of the ignored tests below in a process of its own.
fn peak_of(test: &str) -> Option<u64> {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &format!("memory::{test}"), "--ignored", "--nocapture"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
    let line = text.lines().find_map(|line| line.split_once("peak ")).map(|(_, bytes)| bytes.trim().to_owned())?;
    Some(line.parse().unwrap())
}

/// The most memory that this process ever had, where the system says so.
fn print_peak() {
    let Ok(status) = std::fs::read_to_string("/proc/self/status") else { return };
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let kib: u64 = line.trim().trim_end_matches(" kB").parse().unwrap();
    println!("\npeak {}", kib << 10);
}

fn examples(rows: usize, columns: usize, classes: usize) -> (Features, Targets) {
    let mut random = StdRng::seed_from_u64(1);
    let values = (0..rows * columns).map(|_| random.random_range(0.0..1.0)).collect();
    let raw = Matrix::new(rows, columns, values).unwrap();
    let map =
        FeatureMap::fit(&raw, &vec![(0.0, 1.0); columns], FeatureKind::Identity, None, SeedIndex::default()).unwrap();
    (map.apply(&raw).unwrap(), Targets::Classes((0..rows).map(|row| row % classes).collect()))
}

fn binding() -> Binding {
    Binding { chain_id: 1, contract: [1; 20], campaign: [2; 32], version: 1, beacon: [3; 32] }
}

const LABELS: Labels = Labels { right: 1.0, wrong: -1.0 };
const RULE: Rule = Rule::Proximal { rho: 0.003, decay: 0.0 };

#[test]
fn a_mine_trains_2048_inputs_in_bounded_memory() {
    let Some(peak) = peak_of("mine_with_2048_inputs") else { return };
    println!("a Mine's update of 2048 inputs: {} MiB", peak / MIB);
    assert!(peak < 1536 * MIB - REST, "{} MiB", peak / MIB);
}

#[test]
#[ignore = "run by the test above in a process of its own"]
fn mine_with_2048_inputs() {
    let (features, targets) = examples(4_000, 2_047, 10);
    let params = Parameters::linear(Shape { inputs: 2_048, outputs: 10 }).unwrap();
    let key = SecretKey::derive(&VersionSeed::from_bytes([1; 32]), &params, &binding());
    let material = key.publish(&Weights::zeros(params.shape()));
    let update = train(&features, &targets, &RULE, &LABELS, &params, &mut StdRng::seed_from_u64(1)).unwrap();
    encrypt_update(&material, &update).unwrap();
    print_peak();
}

#[test]
fn a_capsule_evaluates_64_updates_of_mnist_in_bounded_memory() {
    let Some(peak) = peak_of("capsule_with_64_updates") else { return };
    println!("a Capsule's window of 64 updates of MNIST: {} MiB", peak / MIB);
    assert!(peak < 1024 * MIB - REST, "{} MiB", peak / MIB);
}

#[test]
#[ignore = "run by the test above in a process of its own"]
fn capsule_with_64_updates() {
    let (features, targets) = examples(2_000, 784, 10);
    let params = Parameters::linear(Shape { inputs: 785, outputs: 10 }).unwrap();
    let key = SecretKey::derive(&VersionSeed::from_bytes([1; 32]), &params, &binding());
    let best = Weights::zeros(params.shape());
    let material = key.publish(&best);
    let update = train(&features, &targets, &RULE, &LABELS, &params, &mut StdRng::seed_from_u64(1)).unwrap();
    let upload = encrypt_update(&material, &update).unwrap().encode();
    let open = || EncryptedUpdate::decode(&upload, &params, &material.digest()).unwrap();
    let window: Vec<EncryptedUpdate> = (0..64).map(|_| open()).collect();
    let validation = Validation::new(features, targets, Metric::Accuracy).unwrap();
    let ladder = Ladder::new(Grid::new(5_000).unwrap(), Ppm::ZERO, Ppm::ONE).unwrap();
    let deltas = window.iter().map(|update| Some(key.decrypt(update)));
    let outcome = evaluate_window(&best, Ppm::ZERO, deltas, &validation, &ladder, 4);
    assert_eq!(outcome.verdicts.len(), 64);
    print_peak();
}
