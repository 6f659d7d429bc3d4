//! Times one encrypted linear map, with and without the protections, and prints what it cost as JSON.
//!
//! `cargo run --release -p syft --features bench --example map -- --inputs 785 --outputs 10 --threads 2`

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use std::time::Instant;
use syft::{
    AffineUpdate, Binding, EncryptedUpdate, Kernel, Material, Parameters, SecretKey, Shape, VersionSeed, Weights,
    encrypt_unprotected, encrypt_update, multiply_unprotected,
};

/// The best of so many runs is reported: what else the machine does only ever adds time.
const RUNS: usize = 7;

fn main() {
    let argument = |name: &str, default: usize| {
        let mut arguments = std::env::args().skip_while(|argument| argument != name).skip(1);
        arguments.next().map_or(default, |value| value.parse().expect("a whole number"))
    };
    let shape = Shape { inputs: argument("--inputs", 785), outputs: argument("--outputs", 10) };
    let threads = argument("--threads", 2);
    rayon::ThreadPoolBuilder::new().num_threads(threads).build_global().expect("a thread pool");
    println!("{}", measure(shape, threads));
}

fn measure(shape: Shape, threads: usize) -> Value {
    let params = Parameters::linear(shape).expect("a supported shape");
    let binding = Binding { chain_id: 1, contract: [0; 20], campaign: [0; 32], version: 1, beacon: [0; 32] };
    let key = SecretKey::derive(&VersionSeed::from_bytes([7; 32]), &params, &binding);
    let mut random = StdRng::seed_from_u64(1);
    let values: Vec<f64> = (0..shape.weights()).map(|_| uniform(&mut random) * 0.05).collect();
    let weights = Weights::new(shape, &values).expect("a legal model");
    let material = key.publish(&weights);
    let update = AffineUpdate::random(&params, &mut random);
    let clear = update.apply_clear(&params.encode(&weights));

    let figures = |seconds: f64, upload: &EncryptedUpdate| {
        let opened = key.decrypt(upload);
        let largest = clear.values().fold(0.0, |most: f64, x| most.max(x.abs()));
        let error = opened.values().zip(clear.values()).map(|(have, want)| (have - want).abs()).fold(0.0, f64::max);
        json!({
            "seconds": seconds,
            "threads": threads,
            "bytes_down": Material::encoded_len(&params),
            "bytes_up": EncryptedUpdate::encoded_len(&params),
            "max_relative_error": error / largest,
        })
    };
    let (seconds, upload) = time(|| encrypt_update(&material, &update).expect("coins"));
    let ours = figures(seconds, &upload);
    let kernel = |kernel: Kernel| {
        let (seconds, _) = time(|| multiply_unprotected(&material, &update, kernel));
        json!({ "seconds": seconds, "threads": threads })
    };
    let fastest = Kernel::fastest();
    let (seconds, upload) = time(|| encrypt_unprotected(&material, &update, fastest).expect("no coins are needed"));
    let (estimate, degree) = (params.security_bits(), params.degree());
    json!({
        "ours": ours,
        "ours_unprotected": figures(seconds, &upload),
        "portable_kernel": kernel(Kernel::Portable),
        "avx512_kernel": if fastest == Kernel::Portable { Value::Null } else { kernel(fastest) },
        "security": { "matzov": estimate.matzov, "core_svp": estimate.core_svp },
        "parameters": { "rank": params.rank(), "degree": degree, "map_bits": params.map_bits() },
    })
}

fn uniform(random: &mut impl Rng) -> f64 {
    (random.next_u64() >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
}

fn time<T>(mut work: impl FnMut() -> T) -> (f64, T) {
    let mut best = f64::INFINITY;
    let mut last = None;
    for _ in 0..RUNS {
        let start = Instant::now();
        last = Some(work());
        best = best.min(start.elapsed().as_secs_f64());
    }
    (best, last.expect("at least one run"))
}
