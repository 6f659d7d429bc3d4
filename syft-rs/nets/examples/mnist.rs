//! Simulates a sealed campaign over MNIST and prints what happens:
//! `cargo run --release -p syft-nets --example mnist -- cnn:16,32 epochs=3 rate=0.002 batch=32 keep=0.25 bits=8 clip=16 windows=4`.

#[path = "../tests/simulation.rs"]
mod simulation;

use simulation::{Digits, campaign, default_schedule, network};
use std::time::Instant;
use syft_nets::{NetworkKind, Release, Update};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let kind: NetworkKind = arguments.first().map_or("cnn:16,32", |kind| kind).parse().unwrap();
    let given = |name: &str, usual: f64| {
        let value = arguments.iter().find_map(|argument| argument.strip_prefix(name)?.strip_prefix('='));
        value.map_or(usual, |value| value.parse().unwrap())
    };
    let (train, validation) = (Digits::read("train"), Digits::read("validation"));
    let mines: Vec<Digits> = (0..4).map(|mine| train.select((mine..train.raw.rows()).step_by(4))).collect();
    let network = network(&kind, &validation);
    let mut schedule = default_schedule(&network);
    schedule.epochs = given("epochs", schedule.epochs.into()) as u32;
    schedule.rate = given("rate", schedule.rate);
    schedule.batch = given("batch", schedule.batch as f64) as usize;
    let usual = Release::default();
    let release = Release {
        clip: given("clip", usual.clip),
        keep: given("keep", usual.keep),
        bits: given("bits", usual.bits.into()) as u32,
    };
    println!("{} parameters, {} bytes an upload", network.parameters(), Update::encoded_len(&network, &release));
    let clock = Instant::now();
    let windows = given("windows", 4.0) as u8;
    let model = campaign(&network, &schedule, &release, &mines, &validation, windows, |line| {
        println!("{:6.1} s  {line}", clock.elapsed().as_secs_f64());
    });
    println!("{:6.1} s  accuracy {}", clock.elapsed().as_secs_f64(), validation.accuracy(&model));
    let clock = Instant::now();
    validation.accuracy(&model);
    println!("one evaluation on {} images: {:.2} s", validation.raw.rows(), clock.elapsed().as_secs_f64());
}
