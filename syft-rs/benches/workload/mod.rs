//! What is measured: a plain matrix of 12-bit numbers times an encrypted model of 10-bit numbers, from a fixed seed (bench/README.md).

use syft::{AffineUpdate, Binding, Material, Parameters, SecretKey, Shape, VersionSeed, Weights};

/// Model values are whole numbers times this: their columns then stay within the public bound, and no product wraps.
const MODEL_UNIT: f64 = 1.0 / 8192.0;

/// A version's key and material, and a Mine's map.
pub struct Workload {
    pub params: Parameters,
    pub key: SecretKey,
    pub weights: Weights,
    pub material: Material,
    pub update: AffineUpdate,
}

impl Workload {
    pub fn new(shape: Shape) -> Self {
        let params = Parameters::linear(shape).expect("a supported shape");
        let binding = Binding { chain_id: 1, contract: [0; 20], campaign: [0; 32], version: 1, beacon: [0; 32] };
        let key = SecretKey::derive(&VersionSeed::from_bytes([7; 32]), &params, &binding);
        let model: Vec<f64> = numbers(2, 10, shape.weights()).map(|value| value as f64 * MODEL_UNIT).collect();
        let weights = Weights::new(shape, &model).expect("columns within the bound");
        let factors = numbers(1, 12, shape.inputs * shape.inputs).map(|value| value as i16).collect();
        let update = AffineUpdate::from_factors(shape, factors);
        Self { material: key.publish(&weights), params, key, weights, update }
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
