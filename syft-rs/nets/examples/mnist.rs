//! Simulates a campaign in the clear regime over MNIST and prints what happens:
//! `cargo run --release -p syft-nets --example mnist -- cnn:8,16 epochs=4 rate=0.002 batch=32 keep=0.5 bits=8 clip=16 uploads=12`.
//!
//! With these constants four Mines of 2,000 images each reach 97 % with the fifth upload and 97.75 % with the eighth; an upload has 7,795
//! bytes and takes about 11 s of processor time, its trials on 2,000 validation images included.

#[path = "../tests/simulation/mod.rs"]
mod simulation;

use simulation::{Digits, campaign, default_schedule, mine, network};
use std::time::Instant;
use syft_nets::{NetworkKind, Release, Schedule, Update};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let kind: NetworkKind = arguments.first().map_or("cnn:8,16", |kind| kind).parse().unwrap();
    let given = |name: &str, usual: f64| {
        let value = arguments.iter().find_map(|argument| argument.strip_prefix(name)?.strip_prefix('='));
        value.map_or(usual, |value| value.parse().unwrap())
    };
    let (train, validation) = (Digits::read("train"), Digits::read("validation"));
    let mines: Vec<Digits> = (0..4).map(|mine| train.select((mine..train.raw.rows()).step_by(4))).collect();
    let (network, held) = (network(&kind, &validation), validation.validation());
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
    let uploads = given("uploads", 12.0) as usize;
    let model = campaign(&network, &schedule, &release, &mines, &held, uploads, |mine, norm, best| {
        let seconds = clock.elapsed().as_secs_f64();
        println!("{seconds:6.1} s  Mine {mine} moves by {norm:.2}: {best}");
    });
    println!("{:6.1} s  accuracy {}", clock.elapsed().as_secs_f64(), held.accuracy(&model));
    let clock = Instant::now();
    held.accuracy(&model);
    println!("one evaluation on {} images: {:.2} s", validation.raw.rows(), clock.elapsed().as_secs_f64());
    let clock = Instant::now();
    let once = Schedule { epochs: 1, ..schedule };
    mine(&model, &once, &release, &mines[0], 0);
    println!("one epoch of {} images: {:.2} s", mines[0].raw.rows(), clock.elapsed().as_secs_f64());
}
