//! Attacks that must fail, each next to the weaker construction on which it succeeds, and the noise, which must follow
//! the formulas.
//!
//! | module | attack or property |
//! | --- | --- |
//! | `twin` | the encrypted update equals its clear twin except for the noise |
//! | `noise` | the noise follows the formulas, covers every output, and is equally large for all data; a regression on known errors; the zCDP bound |
//! | `keys` | keys, masks and coins are used once, and every row has its own |
//! | `parity` | the verdict as an oracle for a bit of the key |
//! | `wire` | malformed, foreign and data-dependent bytes |
//! | `mask_solve` | linear algebra on the masks of an upload; a crafted public key; a model within the bound that reads columns |
//! | `extract` | copying the model through verdicts |
//! | `poisoning` | updates that harm the model, or aim at payment for nothing |

use super::audit::{Audit, Deviation, Places};
use super::binding::{Binding, VersionSeed};
use super::delta::Delta;
use super::kernel::Kernel;
use super::keys::SecretKey;
use super::material::Material;
use super::parameters::{DIMENSION, Parameters};
use super::random::Coins;
use super::rows::Mapped;
use super::update::{EncryptedUpdate, Evaluator, encrypt_update};
use crate::affine::AffineUpdate;
use crate::data::{Matrix, Targets};
use crate::evaluate::{ContentVerdict, Ladder, Validation, evaluate_window};
use crate::features::{FeatureKind, FeatureMap, SeedIndex};
use crate::metric::Metric;
use crate::model::Weights;
use crate::shape::Shape;
use crate::units::{Grid, Ppm};

mod extract;
mod keys;
mod mask_solve;
mod noise;
mod parity;
mod poisoning;
mod twin;
mod wire;

const DIGITS: Shape = Shape { inputs: 65, outputs: 10 };

fn binding(version: u32) -> Binding {
    Binding { chain_id: 31337, contract: [1; 20], campaign: [2; 32], version, beacon: [3; 32] }
}

struct Party {
    params: Parameters,
    key: SecretKey,
    weights: Weights,
    material: Material,
}

fn party(shape: Shape, seed: u8, version: u32) -> Party {
    let params = Parameters::linear(shape).unwrap();
    let values: Vec<f64> = (0..shape.weights()).map(|i| (i * 7919 % 1000) as f64 / 2500.0 - 0.2).collect();
    let weights = Weights::project(shape, values);
    let key = SecretKey::derive(&VersionSeed::from_bytes([seed; 32]), &params, &binding(version));
    let material = key.publish(&weights);
    Party { params, key, weights, material }
}

/// A legal map with all entries of one size: rows of norm about `norm`.
fn map(params: &Parameters, norm: f64) -> AffineUpdate {
    let shape = params.shape();
    let entry = norm * params.map_scale() / (shape.inputs as f64).sqrt();
    let linear = (0..shape.inputs * shape.inputs).map(|i| if i % 3 == 0 { entry } else { -entry } as i64).collect();
    let constant = (0..shape.weights()).map(|i| ((i % 17) as f64 / 17.0 * params.update_scale()) as i64).collect();
    AffineUpdate::from_raw(shape, linear, constant)
}

fn clear(party: &Party, update: &AffineUpdate) -> Delta {
    update.apply_clear(&party.params.encode(&party.weights))
}

/// The handwritten digits of a file: 64 columns, and the class.
fn digits(name: &str) -> (Matrix, Vec<usize>) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../data").join(name);
    let text = std::fs::read_to_string(path).unwrap();
    let rows: Vec<Vec<f64>> =
        text.lines().skip(1).map(|line| line.split(',').map(|n| n.parse().unwrap()).collect()).collect();
    let classes: Vec<usize> = rows.iter().map(|row| row[64] as usize).collect();
    let values = rows.iter().flat_map(|row| row[..64].to_vec()).collect();
    (Matrix::new(classes.len(), 64, values).unwrap(), classes)
}

fn evaluator(party: &Party) -> Evaluator {
    Evaluator::new(&party.material, Kernel::fastest())
}

/// All rows of the map's result, without protections.
fn mapped_rows(party: &Party, update: &AffineUpdate) -> Vec<u64> {
    let evaluator = evaluator(party);
    let starts = (0..party.params.shape().inputs).step_by(evaluator.block());
    starts.flat_map(|start| evaluator.map(update, start).to_vec()).collect()
}

/// The rows of an upload before they are packed.
fn protected_rows(party: &Party, update: &AffineUpdate) -> Vec<u64> {
    let (evaluator, width) = (evaluator(party), party.params.row_words());
    let mut rows = mapped_rows(party, update);
    for pack in rows.chunks_mut(party.params.rank() * width) {
        evaluator.protect(Mapped::new(pack, width)).unwrap();
    }
    rows
}

/// The map of a Mine without data: whatever is in its upload does not come from the map.
fn empty_map(shape: Shape) -> AffineUpdate {
    AffineUpdate::from_raw(shape, vec![0; shape.inputs * shape.inputs], vec![0; shape.weights()])
}

/// The map `factor · W`, in units of 2^-12.
fn multiple(shape: Shape, factor: i64) -> AffineUpdate {
    let rows = shape.inputs;
    let entries = (0..rows * rows).map(|i| if i / rows == i % rows { factor } else { 0 });
    AffineUpdate::from_raw(shape, entries.collect(), vec![0; shape.weights()])
}

/// The errors of the published rows, which the key holder knows.
fn known_errors(party: &Party) -> Vec<f64> {
    residual(party, &party.material.rows(), &multiple(party.params.shape(), 1))
}

/// The decrypted upload minus the update in the clear: the noise.
fn noise_of(party: &Party, upload: &EncryptedUpdate, update: &AffineUpdate) -> Vec<f64> {
    let (opened, twin) = (party.key.decrypt(upload), clear(party, update));
    opened.raw().iter().zip(twin.raw()).map(|(have, want)| have.wrapping_sub(*want) as f64).collect()
}

/// Phases of all rows minus the update in the clear: the noise.
fn residual(party: &Party, words: &[u64], update: &AffineUpdate) -> Vec<f64> {
    let outputs = party.params.shape().outputs;
    let twin = clear(party, update);
    let rows = words.chunks_exact(party.params.row_words()).zip(twin.raw().chunks_exact(outputs));
    rows.flat_map(|(row, expected)| {
        let phase = party.key.phase(row);
        let noise =
            phase.iter().zip(expected).map(|(have, want)| have.wrapping_sub(want.cast_unsigned()).cast_signed() as f64);
        noise.collect::<Vec<_>>()
    })
    .collect()
}

fn mean_square(values: &[f64]) -> f64 {
    values.iter().map(|x| x * x).sum::<f64>() / values.len() as f64
}
