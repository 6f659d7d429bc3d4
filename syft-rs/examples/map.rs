//! Times one encrypted linear map, with and without the protections, and prints what it cost as JSON (see bench/README.md).
//!
//! `cargo run --release -p syft --features bench --example map -- --inputs 785 --outputs 10 --threads 2`

use serde_json::{Value, json};
use std::time::Instant;
use syft::{Delta, EncryptedUpdate, Evaluator, Kernel, Material, Shape};
use workload::Workload;

#[path = "../benches/workload/mod.rs"]
mod workload;

const REPEATS: usize = 9;

fn main() {
    let argument = |name: &str, default: usize| {
        let mut arguments = std::env::args().skip_while(|argument| argument != name).skip(1);
        arguments.next().map_or(default, |value| value.parse().expect("a whole number"))
    };
    let shape = Shape { inputs: argument("--inputs", 785), outputs: argument("--outputs", 10) };
    let threads = argument("--threads", 2);
    rayon::ThreadPoolBuilder::new().num_threads(threads).build_global().expect("a thread pool");
    println!("{}", Bench::new(shape, threads).report());
}

/// What is measured, and the product as it should be.
struct Bench {
    work: Workload,
    threads: usize,
    clear: Delta,
}

impl Bench {
    fn new(shape: Shape, threads: usize) -> Self {
        let work = Workload::new(shape);
        let clear = work.update.apply_clear(&work.params.encode(&work.weights));
        Self { work, threads, clear }
    }

    fn report(&self) -> Value {
        let evaluator = |kernel| Evaluator::new(&self.work.material, kernel);
        let fastest = evaluator(Kernel::fastest());
        let ours = median(|| fastest.encrypt(&self.work.update).expect("coins"));
        let unprotected = median(|| fastest.encrypt_unprotected(&self.work.update).expect("no coins are needed"));
        let bare = median(|| fastest.encrypt_bare(&self.work.update));
        let packed = |(seconds, upload): (f64, EncryptedUpdate), protections: &str| {
            let keys = Material::encoded_len(&self.work.params) - self.work.params.model_len();
            let up = EncryptedUpdate::encoded_len(&self.work.params);
            self.row(seconds, [keys, up], &self.work.key.decrypt(&upload), ["Evaluator::encrypt", protections])
        };
        let kernel = |kernel: Kernel| self.kernel(&evaluator(kernel));
        json!({
            "ours": packed(ours, "re-randomisation, flood 2^50"),
            "ours_unprotected": packed(unprotected, "none"),
            "ours_bare": self.row(bare.0, [0, 5 * bare.1.len()], &self.work.key.decrypt_bare(&bare.1), ["Evaluator::encrypt_bare", "none"]),
            "portable_kernel": kernel(Kernel::Portable),
            "avx512_kernel": if Kernel::fastest() == Kernel::Portable { Value::Null } else { kernel(Kernel::fastest()) },
        })
    }

    fn row(&self, seconds: f64, [keys, up]: [usize; 2], opened: &Delta, [method, protections]: [&str; 2]) -> Value {
        let estimate = self.work.params.security_bits();
        let model = self.work.params.model_len();
        json!({
            "seconds": seconds,
            "threads": self.threads,
            "model_bytes": model,
            "key_bytes": keys,
            "bytes_down": model + keys,
            "bytes_up": up,
            "max_relative_error": self.error(opened),
            "repeats": REPEATS,
            "scaled_from": null,
            "method": format!("{method}; model values times 2^-13"),
            "protections": protections,
            "security": {
                "bits": estimate.matzov,
                "parameters": format!(
                    "binary secrets, rank {} x degree {}, modulus 2^64, errors 2^24",
                    self.work.params.rank(),
                    self.work.params.degree()
                ),
                "source": "lattice-estimator, MATZOV cost model; 133 bits under core-SVP",
            },
        })
    }

    fn kernel(&self, evaluator: &Evaluator) -> Value {
        let (seconds, _) = median(|| evaluator.multiply(&self.work.update));
        let Shape { inputs, outputs } = self.work.params.shape();
        let words = self.work.params.rank() * self.work.params.degree() + outputs;
        json!({ "seconds": seconds, "threads": self.threads, "multiply_adds": inputs * inputs * words })
    }

    fn error(&self, opened: &Delta) -> f64 {
        let largest = self.clear.values().fold(0.0, |most: f64, x| most.max(x.abs()));
        opened.values().zip(self.clear.values()).map(|(have, want)| (have - want).abs()).fold(0.0, f64::max) / largest
    }
}

/// The median time of several runs, after one that does not count.
fn median<T>(mut work: impl FnMut() -> T) -> (f64, T) {
    let mut last = work();
    let mut seconds: Vec<f64> = (0..REPEATS)
        .map(|_| {
            let start = Instant::now();
            last = work();
            start.elapsed().as_secs_f64()
        })
        .collect();
    seconds.sort_by(f64::total_cmp);
    (seconds[REPEATS / 2], last)
}
