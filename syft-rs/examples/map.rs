//! Times one encrypted linear map, with and without the protections, and prints what it cost as JSON (see bench/README.md).
//!
//! `cargo run --release -p syft --features bench --example map -- --inputs 785 --outputs 10 --threads 2`

use serde_json::{Value, json};
use std::time::Instant;
use syft::{
    AffineUpdate, Binding, Delta, EncryptedUpdate, Evaluator, Kernel, Material, Parameters, SecretKey, Shape,
    VersionSeed, Weights,
};

const REPEATS: usize = 9;
/// Model values are whole numbers times this: their columns then stay within the public bound, and no product wraps.
const MODEL_UNIT: f64 = 1.0 / 8192.0;

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

/// The workload, ready to be measured.
struct Bench {
    params: Parameters,
    threads: usize,
    key: SecretKey,
    material: Material,
    update: AffineUpdate,
    clear: Delta,
}

impl Bench {
    fn new(shape: Shape, threads: usize) -> Self {
        let params = Parameters::linear(shape).expect("a supported shape");
        let binding = Binding { chain_id: 1, contract: [0; 20], campaign: [0; 32], version: 1, beacon: [0; 32] };
        let key = SecretKey::derive(&VersionSeed::from_bytes([7; 32]), &params, &binding);
        let model: Vec<f64> = numbers(2, 10, shape.weights()).map(|value| value as f64 * MODEL_UNIT).collect();
        let weights = Weights::new(shape, &model).expect("columns within the bound");
        let factors = numbers(1, 12, shape.inputs * shape.inputs).map(|value| value as i16).collect();
        let update = AffineUpdate::from_factors(shape, factors);
        let clear = update.apply_clear(&params.encode(&weights));
        Self { material: key.publish(&weights), params, threads, key, update, clear }
    }

    fn report(&self) -> Value {
        let evaluator = |kernel| Evaluator::new(&self.material, kernel);
        let fastest = evaluator(Kernel::fastest());
        let ours = self.row(|| fastest.encrypt(&self.update).expect("coins"), "re-randomisation, flood 2^50");
        let unprotected = self.row(|| fastest.encrypt_unprotected(&self.update).expect("no coins are needed"), "none");
        let kernel = |kernel: Kernel| self.kernel(&evaluator(kernel));
        json!({
            "ours": ours,
            "ours_unprotected": unprotected,
            "portable_kernel": kernel(Kernel::Portable),
            "avx512_kernel": if Kernel::fastest() == Kernel::Portable { Value::Null } else { kernel(Kernel::fastest()) },
        })
    }

    fn row(&self, evaluate: impl FnMut() -> EncryptedUpdate, protections: &str) -> Value {
        let (seconds, upload) = median(evaluate);
        let estimate = self.params.security_bits();
        let model = self.params.model_len();
        let down = Material::encoded_len(&self.params);
        json!({
            "seconds": seconds,
            "threads": self.threads,
            "model_bytes": model,
            "key_bytes": down - model,
            "bytes_down": down,
            "bytes_up": EncryptedUpdate::encoded_len(&self.params),
            "max_relative_error": self.error(&upload),
            "repeats": REPEATS,
            "scaled_from": null,
            "method": "Evaluator::encrypt; model values times 2^-13",
            "protections": protections,
            "security": {
                "bits": estimate.matzov,
                "parameters": format!(
                    "binary secrets, rank {} x degree {}, modulus 2^64, errors 2^24",
                    self.params.rank(),
                    self.params.degree()
                ),
                "source": "lattice-estimator, MATZOV cost model; 133 bits under core-SVP",
            },
        })
    }

    fn kernel(&self, evaluator: &Evaluator) -> Value {
        let (seconds, _) = median(|| evaluator.multiply(&self.update));
        let Shape { inputs, outputs } = self.params.shape();
        let words = self.params.rank() * self.params.degree() + outputs;
        json!({ "seconds": seconds, "threads": self.threads, "multiply_adds": inputs * inputs * words })
    }

    fn error(&self, upload: &EncryptedUpdate) -> f64 {
        let opened = self.key.decrypt(upload);
        let largest = self.clear.values().fold(0.0, |most: f64, x| most.max(x.abs()));
        opened.values().zip(self.clear.values()).map(|(have, want)| (have - want).abs()).fold(0.0, f64::max) / largest
    }
}

/// The first numbers of SplitMix64: the top bits of each word, with a sign.
fn numbers(seed: u64, bits: u32, count: usize) -> impl Iterator<Item = i64> {
    let word = move |index: u64| {
        let mut z = seed.wrapping_add((index + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    };
    (0..count as u64).map(move |index| (word(index) >> (64 - bits)).cast_signed() - (1 << (bits - 1)))
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
