//! Attacks that must fail, and the noise that must be what the formulas say.

use super::audit::{Audit, Deviation, Places};
use super::binding::{Binding, VersionSeed};
use super::kernel::Kernel;
use super::keys::SecretKey;
use super::material::{Material, key_mask, packing_mask, row_mask};
use super::parameters::{DIMENSION, Parameters};
use super::random::{Coins, Mask};
use super::ring::double;
use super::update::{Delta, EncryptedUpdate, Evaluator, encrypt_update};
use super::wire::WireError;
use crate::data::{Matrix, Targets};
use crate::evaluate::{ContentVerdict, Ladder, Validation, WindowOutcome, evaluate_window};
use crate::features::{FeatureKind, FeatureMap};
use crate::metric::Metric;
use crate::model::{Shape, Weights};
use crate::noise::Noise;
use crate::train::AffineUpdate;
use crate::units::{Grid, Ppm};
use crate::wire::{Format, FormatError};
use proptest::prelude::*;
use std::collections::HashSet;
use std::sync::LazyLock;
use tfhe::core_crypto::prelude::{
    CiphertextModulus, GlweCiphertext, GlweSecretKey, PlaintextCount, PlaintextList, PolynomialSize,
    decrypt_glwe_ciphertext,
};

mod poisoning;

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
    let weights = Weights::new(shape, &values).unwrap();
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

/// All rows of the map's result, before anything protects them.
fn mapped_rows(party: &Party, update: &AffineUpdate) -> Vec<u64> {
    let evaluator = evaluator(party);
    let starts = (0..party.params.shape().inputs).step_by(evaluator.block());
    starts.flat_map(|start| evaluator.map(update, start)).collect()
}

/// What an upload opens to minus the update in the clear: the noise.
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

#[test]
fn the_twin_differs_by_noise_alone() {
    let party = party(DIGITS, 1, 1);
    let update = map(&party.params, 1.0);
    let upload = encrypt_update(&party.material, &update).unwrap();
    let bound = 8.0 * party.params.noise().deviation();
    let (opened, twin) = (party.key.decrypt(&upload), clear(&party, &update));
    for (have, want) in opened.raw().iter().zip(twin.raw()) {
        assert!(((have - want) as f64).abs() < bound);
    }
    assert!(party.params.noise().error_std_weight_units() < 1.0 / 500.0);
}

#[test]
fn without_noise_the_twin_is_identical() {
    let party = party(DIGITS, 1, 1);
    let update = map(&party.params, 1.0);
    let encoded = party.params.encode(&party.weights);
    let rows = party.material.rows();
    let mut bodies = Vec::new();
    for (row, message) in rows.chunks_exact(party.params.row_words()).zip(encoded.raw().chunks_exact(10)) {
        let errors =
            party.key.phase(row).into_iter().zip(message).map(|(phase, m)| phase.wrapping_sub(m.cast_unsigned()));
        bodies.extend(row[DIMENSION..].iter().zip(errors).map(|(body, error)| body.wrapping_sub(error)));
    }
    let (zeros, packing) = (vec![0; DIMENSION], vec![0; party.params.rank() * DIMENSION]);
    let material = Material::new(party.params, binding(1), *party.material.seeds(), bodies, zeros, packing);
    let exact = Party { material, ..party };
    assert!(residual(&exact, &mapped_rows(&exact, &update), &update).iter().all(|noise| *noise == 0.0));
}

#[test]
fn rows_are_glwe_ciphertexts() {
    let party = party(DIGITS, 1, 1);
    let degree = PolynomialSize(party.params.degree());
    let key = GlweSecretKey::from_container(party.key.row_key(), degree);
    for row in party.material.rows().chunks_exact(party.params.row_words()) {
        // What carries nothing is not published, and so not looked at.
        let mut words = row.to_vec();
        words.resize(DIMENSION + degree.0, 0);
        let row_ciphertext = GlweCiphertext::from_container(words, degree, CiphertextModulus::new_native());
        let mut plain = PlaintextList::new(0, PlaintextCount(degree.0));
        decrypt_glwe_ciphertext(&key, &row_ciphertext, &mut plain);
        assert_eq!(plain.into_container()[..10], party.key.phase(row));
    }
}

#[test]
fn packs_are_glwe_ciphertexts() {
    let party = party(DIGITS, 1, 1);
    let update = map(&party.params, 1.0);
    let upload = encrypt_update(&party.material, &update).unwrap();
    let opened = party.key.decrypt(&upload);
    let key = GlweSecretKey::from_container(party.key.output_key(), PolynomialSize(DIMENSION));
    let (mask, body) = upload.packs().next().unwrap();
    let mut words = [mask, &vec![0; DIMENSION]].concat();
    for (at, word) in body.iter().enumerate() {
        words[DIMENSION + at / 10 + party.params.rank() * (at % 10)] = *word;
    }
    let ciphertext = GlweCiphertext::from_container(words, PolynomialSize(DIMENSION), CiphertextModulus::new_native());
    let mut plain = PlaintextList::new(0, PlaintextCount(DIMENSION));
    decrypt_glwe_ciphertext(&key, &ciphertext, &mut plain);
    for at in 0..body.len() {
        let word = plain.as_ref()[at / 10 + party.params.rank() * (at % 10)];
        assert_eq!(word.cast_signed(), opened.raw()[at]);
    }
}

/// What each step of the linear path adds to the noise of a row, for one key.
struct Steps {
    fresh: Vec<f64>,
    mapped: Vec<f64>,
    zeros: Vec<f64>,
    flood: Vec<f64>,
    packing: Vec<f64>,
    all: Vec<f64>,
}

/// With one output, because the key's bits are not centred and so tie the noises of a row's coefficients to each other; with one
/// entry in a row of the map, so that the rows stay independent.
fn steps(seed: u8) -> Steps {
    const ROWS: usize = 512;
    let shape = Shape { inputs: ROWS, outputs: 1 };
    let party = party(shape, seed, 1);
    let width = party.params.row_words();
    let diagonal = |on: i64| {
        let entries = (0..ROWS * ROWS).map(|i| if i / ROWS == i % ROWS { on } else { 0 });
        AffineUpdate::from_raw(shape, entries.collect(), vec![0; ROWS])
    };
    let added = |after: &[f64], before: &[f64]| after.iter().zip(before).map(|(a, b)| a - b).collect();
    let update = diagonal(4_096);
    let noise = |rows: &[u64]| residual(&party, rows, &update);
    let (evaluator, mut coins) = (evaluator(&party), Coins::repeatable(seed));

    let fresh = residual(&party, &party.material.rows(), &diagonal(1));
    let mut rows = mapped_rows(&party, &update);
    let mapped = noise(&rows);
    evaluator.zeros().rerandomise(&mut rows, width, &mut coins);
    let rerandomised = noise(&rows);
    evaluator.flood(&mut rows, &mut coins);
    let flooded = noise(&rows);
    let packs = rows.chunks(party.params.rank() * width).flat_map(|rows| evaluator.pack(rows));
    let uploaded = noise_of(&party, &EncryptedUpdate::from_words(&party.material, packs.collect()), &update);
    let whole = encrypt_update(&party.material, &update).unwrap();
    Steps {
        zeros: added(&rerandomised, &mapped),
        flood: added(&flooded, &rerandomised),
        packing: added(&uploaded, &flooded),
        all: noise_of(&party, &whole, &update),
        fresh,
        mapped,
    }
}

/// Every step of the linear path adds the noise that its formula says: a χ² test, and within 3 % of the standard deviation.
#[test]
fn noise_is_what_the_formulas_say() {
    let keys: Vec<Steps> = (0..24).map(steps).collect();
    let params = Parameters::linear(Shape { inputs: 512, outputs: 1 }).unwrap();
    let fresh = Noise::fresh(&params);
    let mapped = fresh.after_map(4_096.0);
    let zeros = mapped.after_rerandomise();
    let flooded = zeros.after_flood();
    let uploaded = flooded.after_packing().after_rounding();
    let check = |step: &str, pick: fn(&Steps) -> &Vec<f64>, variance: f64| {
        let samples: Vec<f64> = keys.iter().flat_map(pick).copied().collect();
        let ratio = mean_square(&samples) / variance;
        println!("{step}: {:.4} of the formula's deviation in {} samples", ratio.sqrt(), samples.len());
        let five_deviations = 5.0 * (2.0 / samples.len() as f64).sqrt();
        assert!((ratio - 1.0).abs() < five_deviations && (ratio.sqrt() - 1.0).abs() < 0.03, "{step}: {ratio}");
    };
    check("fresh", |steps| &steps.fresh, fresh.variance());
    check("mapped", |steps| &steps.mapped, mapped.variance());
    check("zeros", |steps| &steps.zeros, zeros.variance() - mapped.variance());
    check("flood", |steps| &steps.flood, flooded.variance() - zeros.variance());
    check("packing and rounding", |steps| &steps.packing, uploaded.variance() - flooded.variance());
    check("all", |steps| &steps.all, uploaded.variance());
}

/// No legal map wraps for any model within the bound, whatever the noise: the bounds leave sixteen of its deviations.
#[test]
fn the_worst_case_does_not_wrap() {
    for shape in [DIGITS, Shape { inputs: 785, outputs: 1 }, Shape { inputs: 4096, outputs: 1024 }] {
        let params = Parameters::linear(shape).unwrap();
        let largest = params.update_radius() * params.update_scale() + 16.0 * params.noise().deviation();
        assert!(largest < 62.5_f64.exp2(), "{shape:?}: 2^{}", largest.log2());
        assert!(params.noise().deviation() < 1.25 * params.flood(), "{shape:?}");
    }
}

#[test]
fn flood_constant() {
    let shape = Shape { inputs: 64, outputs: 33 };
    let party = party(shape, 3, 1);
    for norm in [0.0, 0.01, 1.0] {
        let update = map(&party.params, norm);
        let upload = encrypt_update(&party.material, &update).unwrap();
        let noise = noise_of(&party, &upload, &update);
        // 2112 samples: the standard deviation of the mean square is 3 %, of the fourth moment 21 % of three.
        let scaled: Vec<f64> = noise.iter().map(|x| x / party.params.noise().deviation()).collect();
        assert!((mean_square(&scaled) - 1.0).abs() < 0.2, "{norm}");
        let squares: Vec<f64> = scaled.iter().map(|x| x * x).collect();
        assert!((mean_square(&squares) - 3.0).abs() < 1.5, "{norm}");
        assert!((scaled.iter().sum::<f64>() / scaled.len() as f64).abs() < 0.15, "{norm}");
    }
}

#[test]
fn fresh_coins() {
    let party = party(DIGITS, 4, 1);
    let update = map(&party.params, 0.5);
    let one = encrypt_update(&party.material, &update).unwrap();
    let two = encrypt_update(&party.material, &update).unwrap();
    // Words of 24 bits agree by chance once in 2^24.
    assert!(one.words().iter().zip(two.words()).filter(|(one, two)| one == two).count() < 4);
}

#[test]
fn seed_separation() {
    let (seed, other) = (VersionSeed::from_bytes([7; 32]), VersionSeed::from_bytes([8; 32]));
    let base = binding(1);
    let bindings = [
        base,
        Binding { chain_id: 1, ..base },
        Binding { contract: [9; 20], ..base },
        Binding { campaign: [9; 32], ..base },
        Binding { version: 2, ..base },
        Binding { beacon: [9; 32], ..base },
    ];
    let mut seeds = Vec::new();
    for binding in &bindings {
        seeds.push(binding.public_key_seed());
        for label in [
            &b"row key"[..],
            b"output key",
            b"row masks",
            b"row errors",
            b"key errors",
            b"packing masks",
            b"packing errors",
        ] {
            for seed in [&seed, &other] {
                seeds.extend([&b"model"[..], b"other model"].map(|context| seed.derive(label, binding, context)));
            }
        }
    }
    assert_eq!(seeds.iter().collect::<HashSet<_>>().len(), seeds.len());

    // Even one seed under two labels gives two streams.
    let words = |mask: Mask<'_>| {
        let mut words = vec![0; 1024];
        mask.fill(0, &mut words);
        words
    };
    assert_ne!(words(row_mask(&[5; 32], 0)), words(key_mask(&[5; 32], 0)));
    assert_ne!(words(row_mask(&[5; 32], 0)), words(packing_mask(&[5; 32], 0)));

    // No mask of one purpose comes up in another.
    let party = party(DIGITS, 7, 1);
    let all: Vec<u64> = [party.material.rows(), party.material.public_key(), party.material.packing_masks()].concat();
    assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len());
}

/// The key of packed updates is not the key of the rows read again: there is no circle of keys.
#[test]
fn independent_output_key() {
    let party = party(DIGITS, 6, 1);
    let (rows, output) = (party.key.row_key(), party.key.output_key());
    let agree = rows.iter().zip(output).filter(|(a, b)| a == b).count() as i64;
    assert!((agree - 1024).abs() < 150, "{agree} of 2048 bits agree");
    assert_ne!(rows, output);
}

#[test]
fn another_model_under_the_same_key_gets_other_masks() {
    let party = party(DIGITS, 5, 1);
    let again = party.key.publish(&party.weights);
    assert!(again == party.material && again.digest() == party.material.digest());
    let other = party.key.publish(&Weights::zeros(DIGITS));
    assert!(other.rows().iter().zip(party.material.rows()).all(|(one, two)| *one != two));
}

#[test]
fn key_dies() {
    let (old, new) = (party(DIGITS, 10, 1), party(DIGITS, 11, 2));
    let words = |party: &Party| -> HashSet<u64> {
        let masks = [party.material.rows(), party.material.public_key(), party.material.packing_masks()].concat();
        party.material.words().chain(masks).collect()
    };
    // Words of the packing key are published with 40 bits: among 2^28 pairs none should agree but by chance.
    assert!(words(&old).intersection(&words(&new)).count() <= 1);
    assert_ne!(old.key.row_key(), new.key.row_key());
    assert_ne!(old.key.output_key(), new.key.output_key());

    let update = map(&old.params, 0.1);
    let late = encrypt_update(&old.material, &update).unwrap().encode();
    assert_eq!(EncryptedUpdate::decode(&late, &new.params, &new.material.digest()).unwrap_err(), WireError::Material);
    let upload = encrypt_update(&new.material, &update).unwrap();
    let wrong = old.key.decrypt(&upload);
    let near =
        wrong.raw().iter().zip(clear(&new, &update).raw()).filter(|(a, b)| (*a - *b).unsigned_abs() < 1 << 54).count();
    assert!(near < 30, "the old key must not open new updates");
}

mod parity {
    use super::*;

    const SHAPE: Shape = Shape { inputs: 2, outputs: 2 };

    /// Ten examples on a line; the model that knows nothing gets 0.4, the true boundary 1.0.
    fn evaluate(candidate: Delta, best: &Weights, best_ppm: u32) -> WindowOutcome {
        let raw = Matrix::new(10, 1, (0..10).map(|i| f64::from(i) / 10.0).collect()).unwrap();
        let features =
            FeatureMap::fit(&raw, &[(0.0, 1.0)], FeatureKind::Identity, None, 1).unwrap().apply(&raw).unwrap();
        let targets = Targets::Classes((0..10).map(|i| usize::from(i >= 4)).collect());
        let validation = Validation::new(features, targets, Metric::Accuracy).unwrap();
        let grid = Grid::new(100_000).unwrap();
        let ladder = Ladder::new(grid, Ppm::new(best_ppm).unwrap(), Ppm::ONE).unwrap();
        evaluate_window(best, Ppm::new(best_ppm).unwrap(), [Some(candidate)], &validation, &ladder, 4)
    }

    fn update(params: &Parameters, constant: [f64; 4]) -> AffineUpdate {
        let constant = constant.map(|x| (x * params.update_scale()) as i64).to_vec();
        AffineUpdate::from_raw(SHAPE, vec![0; 4], constant)
    }

    /// Adds 2^63·(1 + X + … + X^2047) to the mask of every pack: each phase moves by 2^63 times the parity of the key's bits.
    fn shifted(party: &Party, update: &AffineUpdate) -> Delta {
        let mut upload = encrypt_update(&party.material, update).unwrap();
        let full = DIMENSION + party.params.rank() * party.params.shape().outputs;
        for pack in upload.words_mut().chunks_mut(full) {
            pack[..DIMENSION].iter_mut().for_each(|word| *word ^= 1 << 63);
        }
        party.key.decrypt(&upload)
    }

    fn parity(party: &Party) -> u64 {
        party.key.output_key().iter().sum::<u64>() % 2
    }

    fn parties() -> (Party, Party) {
        let zero = |seed| {
            let mut party = party(SHAPE, seed, 1);
            party.weights = Weights::zeros(SHAPE);
            party.material = party.key.publish(&party.weights);
            party
        };
        let find = |wanted| (1..).map(zero).find(|party| parity(party) == wanted).unwrap();
        (find(0), find(1))
    }

    #[test]
    fn parity_oracle() {
        let (even, odd) = parties();
        // Nine of ten right, and no example so near the boundary that noise could move it across.
        let best = Weights::new(SHAPE, &[-0.5, 0.5, 0.0, 0.0]).unwrap();
        for useless in [[0.0; 4], [0.5, -0.5, 0.1, -0.1], [0.0, 0.0, 0.001, 0.0]] {
            let said = |party: &Party| evaluate(shifted(party, &update(&party.params, useless)), &best, 900_000);
            assert_eq!(said(&even), said(&odd));
            assert_eq!(said(&even).verdicts, [ContentVerdict::NotImproved]);
        }
        // An update that does improve can carry the parity, which is what the budget of accepts pays for.
        let (useful, nothing) = ([-0.5, 0.5, -0.1, 0.1], Weights::zeros(SHAPE));
        let accepts =
            |party: &Party| evaluate(shifted(party, &update(&party.params, useful)), &nothing, 400_000).accepts();
        assert_eq!((accepts(&even), accepts(&odd)), (1, 0));
    }
}

mod wire {
    use super::*;

    static PARTY: LazyLock<Party> = LazyLock::new(|| party(Shape { inputs: 4, outputs: 3 }, 20, 1));
    static UPLOAD: LazyLock<Vec<u8>> =
        LazyLock::new(|| encrypt_update(&PARTY.material, &map(&PARTY.params, 0.5)).unwrap().encode());

    #[test]
    fn round_trips() {
        let bytes = PARTY.material.encode();
        assert_eq!(Material::decode(&bytes, &PARTY.params, &binding(1)).unwrap(), PARTY.material);
        let upload = EncryptedUpdate::decode(&UPLOAD, &PARTY.params, &PARTY.material.digest()).unwrap();
        assert_eq!(upload.encode(), *UPLOAD);
        assert_eq!(UPLOAD.len(), EncryptedUpdate::encoded_len(&PARTY.params));
        assert_eq!(bytes.len(), Material::encoded_len(&PARTY.params));
    }

    #[test]
    fn foreign_bytes_are_named() {
        let other = Parameters::linear(Shape { inputs: 3, outputs: 3 }).unwrap();
        let same_size = Parameters::linear(Shape { inputs: 3, outputs: 4 }).unwrap();
        let digest = PARTY.material.digest();
        let update = |bytes: &[u8], params, digest| EncryptedUpdate::decode(bytes, params, digest).unwrap_err();
        assert!(matches!(update(&UPLOAD, &other, &digest), WireError::Format(FormatError::Size { .. })));
        assert_eq!(update(&UPLOAD, &same_size, &digest), WireError::Parameters);
        assert_eq!(update(&UPLOAD, &PARTY.params, &[0; 32]), WireError::Material);
        assert_eq!(
            update(&PARTY.material.encode(), &PARTY.params, &digest),
            FormatError::Kind("an encrypted update").into()
        );
        let material = PARTY.material.encode();
        assert_eq!(Material::decode(&material, &PARTY.params, &binding(2)).unwrap_err(), WireError::Binding);
        assert_eq!(Material::decode(&material, &same_size, &binding(1)).unwrap_err(), WireError::Parameters);
        let mut newer = UPLOAD.clone();
        newer[6] = 3;
        assert_eq!(update(&newer, &PARTY.params, &digest), FormatError::Version { have: 3, need: 2 }.into());
    }

    /// The traffic of the MNIST campaign without features: what a Mine may be asked to fetch and to send for a version.
    #[test]
    fn mnist_fits_the_traffic_limits() {
        let params = Parameters::linear(Shape { inputs: 785, outputs: 10 }).unwrap();
        let (down, up) = (Material::encoded_len(&params), EncryptedUpdate::encoded_len(&params));
        println!("785×10: {down} bytes down, {up} bytes up");
        assert!(down <= 1_500_000, "{down}");
        assert!(up <= 320_000, "{up}");
    }

    /// Neither what a Mine's data are nor what the model is shows in anything but words that keys and coins hide.
    #[test]
    fn no_data_dependent_public() {
        use crate::train::{Labels, Rule, train};
        use rand::SeedableRng;
        use rand::rngs::StdRng;

        let shape = Shape { inputs: 4, outputs: 3 };
        let learnt = |rows: usize, value: fn(usize) -> f64, class: fn(usize) -> usize| {
            let raw = Matrix::new(rows, 3, (0..3 * rows).map(value).collect()).unwrap();
            let map = FeatureMap::fit(&raw, &[(0.0, 1.0); 3], FeatureKind::Identity, None, 1).unwrap();
            let (features, targets) = (map.apply(&raw).unwrap(), Targets::Classes((0..rows).map(class).collect()));
            let (rule, labels) = (Rule::Proximal { rho: 0.01, decay: 0.0 }, Labels::default_for(&map, 3));
            let update =
                train(&features, &targets, &rule, &labels, &PARTY.params, &mut StdRng::seed_from_u64(1)).unwrap();
            let upload = encrypt_update(&PARTY.material, &update).unwrap();
            (update, upload.encode())
        };
        let (little, one) = learnt(1, |_| 0.0, |_| 0);
        let (much, two) = learnt(500, |i| (i * 7919 % 1000) as f64 / 1000.0, |i| i % 3);
        assert!(little != much, "the data differ so much that the updates do");
        assert_eq!(one.len(), two.len());
        let header = Format::HEADER + 64;
        assert_eq!(one[..header], two[..header], "form, constants and material, which are the campaign's");

        let other = PARTY.key.publish(&Weights::zeros(shape)).encode();
        let material = PARTY.material.encode();
        assert_eq!(material.len(), other.len());
        // Two seeds of masks follow: they derive from a secret, and are anew for every model.
        let header = Material::HEADER - 64;
        assert_eq!(material[..header], other[..header]);
    }

    /// A pack whose coefficients are all used but a few, so that a change of a mask moves many of them.
    static FULL: LazyLock<(Party, Vec<u8>, Delta)> = LazyLock::new(|| {
        let party = party(Shape { inputs: 32, outputs: 10 }, 21, 1);
        let upload = encrypt_update(&party.material, &map(&party.params, 0.5)).unwrap();
        let opened = party.key.decrypt(&upload);
        (party, upload.encode(), opened)
    });

    proptest! {
        /// No byte of an upload or of a version's material is free to carry something else: what is not refused is another
        /// ciphertext of another update, and other material is not the one that the chain names.
        #[test]
        fn smuggle(changes in prop::collection::vec((any::<prop::sample::Index>(), 1_u8..), 1..4), inside: bool) {
            let (party, upload, opened) = &*FULL;
            let digest = party.material.digest();
            let change = |bytes: &[u8], header: usize| {
                let mut changed = bytes.to_vec();
                let start = if inside { header } else { 0 };
                changes.iter().for_each(|(at, flip)| changed[start + at.index(bytes.len() - start)] ^= flip);
                changed
            };
            let changed = change(upload, Format::HEADER + 64);
            if changed != *upload {
                match EncryptedUpdate::decode(&changed, &party.params, &digest) {
                    Err(_) => prop_assert!(changed[..72] != upload[..72]),
                    Ok(other) => {
                        prop_assert!(other.encode() == changed, "two encodings of one ciphertext");
                        prop_assert!(party.key.decrypt(&other).raw() != opened.raw(), "a change that changes nothing");
                    }
                }
            }
            let material = party.material.encode();
            let changed = change(&material, Material::HEADER);
            if changed != material && let Ok(other) = Material::decode(&changed, &party.params, &binding(1)) {
                prop_assert!(other.encode() == changed && other.digest() != digest);
            }
        }

        #[test]
        fn malformed_bytes_are_refused(cut in any::<prop::sample::Index>(), extra in 1_usize..64, at in 0_usize..72, flip in 1_u8..) {
            let digest = PARTY.material.digest();
            let decode = |bytes: &[u8]| EncryptedUpdate::decode(bytes, &PARTY.params, &digest);
            prop_assert!(decode(&UPLOAD[..cut.index(UPLOAD.len())]).is_err());
            prop_assert!(decode(&[&UPLOAD[..], &vec![0; extra]].concat()).is_err());
            let mut changed = UPLOAD.clone();
            changed[at] ^= flip;
            prop_assert!(decode(&changed).is_err());
            let material = PARTY.material.encode();
            prop_assert!(Material::decode(&material[..cut.index(material.len())], &PARTY.params, &binding(1)).is_err());
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(EncryptedUpdate::decode(&bytes, &PARTY.params, &[0; 32]).is_err());
            prop_assert!(Material::decode(&bytes, &PARTY.params, &binding(1)).is_err());
        }

        #[test]
        fn garbage_of_the_right_size_opens_to_something(words in prop::collection::vec(any::<u64>(), 8)) {
            let mut upload = EncryptedUpdate::decode(&UPLOAD, &PARTY.params, &PARTY.material.digest()).unwrap();
            upload.words_mut().iter_mut().zip(words.iter().cycle()).for_each(|(to, from)| *to = *from);
            prop_assert_eq!(PARTY.key.decrypt(&upload).raw().len(), 12);
        }
    }
}

/// Solving for a Mine's map by linear algebra on the masks of an upload, which are public functions of it but for the coins.
mod mask_solve {
    use super::*;

    /// With 600 outputs the ring has degree 1024 and rank 2, so the public key's mask is a matrix that is easy to invert.
    const SHAPE: Shape = Shape { inputs: 4, outputs: 600 };
    const DEGREE: usize = 1024;

    type Element = Vec<u64>;

    fn multiply(a: &[u64], b: &[u64]) -> Element {
        let mut doubled = vec![0; 2 * DEGREE];
        double(b, &mut doubled);
        let mut product = vec![0_u64; DEGREE];
        for (power, factor) in a.iter().enumerate() {
            for (sum, word) in product.iter_mut().zip(&doubled[DEGREE - power..]) {
                *sum = sum.wrapping_add(factor.wrapping_mul(*word));
            }
        }
        product
    }

    fn subtract(a: &[u64], b: &[u64]) -> Element {
        a.iter().zip(b).map(|(a, b)| a.wrapping_sub(*b)).collect()
    }

    /// The inverse modulo X^1024 + 1 and 2^64 of an element whose coefficients have an odd sum.
    fn invert(a: &[u64]) -> Element {
        // Modulo 2 the element to the power of 1024 is one.
        let mut inverse: Element = (0..DEGREE).map(|i| u64::from(i == 0)).collect();
        let mut power = a.to_vec();
        for _ in 0..10 {
            inverse = multiply(&inverse, &power);
            power = multiply(&power, &power);
        }
        for _ in 0..6 {
            let mut correction = multiply(a, &inverse).iter().map(|x| x.wrapping_neg()).collect::<Element>();
            correction[0] = correction[0].wrapping_add(2);
            inverse = multiply(&inverse, &correction);
        }
        inverse
    }

    /// Multiplies pairs of elements by the inverse of the public key's mask.
    struct Unmask {
        adjugate: [Element; 4],
        inverse: Element,
    }

    impl Unmask {
        fn new(material: &Material) -> Option<Self> {
            let zeros = material.public_key();
            let at = |a: usize, b: usize| zeros[(3 * a + b) * DEGREE..][..DEGREE].to_vec();
            let determinant = subtract(&multiply(&at(0, 0), &at(1, 1)), &multiply(&at(0, 1), &at(1, 0)));
            let odd = determinant.iter().fold(0_u64, |sum, x| sum.wrapping_add(*x)) % 2 == 1;
            let negative = |x: Element| x.iter().map(|x| x.wrapping_neg()).collect::<Element>();
            odd.then(|| Self {
                adjugate: [at(1, 1), negative(at(0, 1)), negative(at(1, 0)), at(0, 0)],
                inverse: invert(&determinant),
            })
        }

        fn apply(&self, masks: &[u64]) -> Vec<u64> {
            let (left, right) = masks.split_at(DEGREE);
            let column = |column: usize| {
                let (a, b) = (multiply(left, &self.adjugate[column]), multiply(right, &self.adjugate[2 + column]));
                let sum: Element = a.iter().zip(b).map(|(a, b)| a.wrapping_add(b)).collect();
                multiply(&sum, &self.inverse)
            };
            [column(0), column(1)].concat()
        }
    }

    fn inverse_of_odd(x: u64) -> u64 {
        (0..6).fold(x, |inverse, _| inverse.wrapping_mul(2_u64.wrapping_sub(x.wrapping_mul(inverse))))
    }

    /// Solves four equations modulo 2^64, if a chain of odd pivots exists.
    fn solve(mut rows: [[u64; 5]; 4]) -> Option<[i64; 4]> {
        for pivot in 0..4 {
            let odd = (pivot..4).find(|&row| rows[row][pivot] % 2 == 1)?;
            rows.swap(pivot, odd);
            let inverse = inverse_of_odd(rows[pivot][pivot]);
            rows[pivot].iter_mut().for_each(|x| *x = x.wrapping_mul(inverse));
            for row in (0..4).filter(|row| *row != pivot) {
                let (factor, from) = (rows[row][pivot], rows[pivot]);
                rows[row].iter_mut().zip(from).for_each(|(x, y)| *x = x.wrapping_sub(factor.wrapping_mul(y)));
            }
        }
        Some(rows.map(|row| row[4].cast_signed()))
    }

    /// A row of the map, if the coins are zeros and ones: guesses four of them, solves, and looks whether the rest fit.
    fn recover(unmask: &Unmask, known: &[Vec<u64>], masks: &[u64]) -> Option<[i64; 4]> {
        let upload = unmask.apply(masks);
        let equation = |at: usize| [known[0][at], known[1][at], known[2][at], known[3][at], upload[at]];
        let start = (0..DIMENSION - 4).find(|&at| solve([0, 1, 2, 3].map(|i| equation(at + i))).is_some())?;
        (0..16_u64).find_map(|guess| {
            let row = solve([0, 1, 2, 3].map(|i| {
                let mut equation = equation(start + i);
                equation[4] = equation[4].wrapping_sub(guess >> i & 1);
                equation
            }))?;
            let coin = |at: usize| {
                let sum =
                    (0..4).fold(0_u64, |sum, i| sum.wrapping_add(known[i][at].wrapping_mul(row[i].cast_unsigned())));
                upload[at].wrapping_sub(sum)
            };
            (0..DIMENSION).all(|at| coin(at) <= 1).then_some(row)
        })
    }

    #[test]
    fn mask_solve() {
        let (party, unmask) = (1..)
            .map(|version| party(SHAPE, 30, version))
            .find_map(|p| Unmask::new(&p.material).map(|u| (p, u)))
            .unwrap();
        let linear: Vec<i64> = (0..16).map(|i| i * 251 - 1900).collect();
        let update = AffineUpdate::from_raw(SHAPE, linear.clone(), vec![0; SHAPE.weights()]);
        let width = party.params.row_words();
        let rows = party.material.rows();
        let known: Vec<_> = rows.chunks_exact(width).map(|row| unmask.apply(&row[..DIMENSION])).collect();
        let recover_all = |words: &[u64]| -> Vec<Option<[i64; 4]>> {
            words.chunks_exact(width).map(|row| recover(&unmask, &known, &row[..DIMENSION])).collect()
        };
        let truth: Vec<_> = linear.as_chunks::<4>().0.iter().copied().map(Some).collect();

        let raw = mapped_rows(&party, &update);
        assert_eq!(recover_all(&raw), truth, "the bare map says everything");

        let mut without_mask_errors = raw.clone();
        let evaluator = evaluator(&party);
        evaluator.zeros().add_zeros(&mut without_mask_errors, width, &mut Coins::fresh().unwrap());
        assert_eq!(recover_all(&without_mask_errors), truth, "binary coins alone hide nothing");

        // Even who sees the rows before they are packed learns nothing from them.
        let mut real = raw;
        evaluator.protect(&mut real, &mut Coins::fresh().unwrap());
        assert_eq!(recover_all(&real), [None; 4], "the real rows must not be solvable");
    }

    /// What the Capsule adds to its public key: each coefficient of an upload then shows four coins above the flood.
    fn crafted() -> [u64; DIMENSION] {
        let mut shifts = [0; DIMENSION];
        // X^-512 is -X^512: it brings the upper half of the coins down to the lower coefficients.
        let upper = |power: u32| 0_u64.wrapping_sub(1 << power);
        (shifts[0], shifts[DEGREE / 2]) = (1 << 54, upper(56));
        (shifts[DEGREE], shifts[DEGREE + DEGREE / 2]) = (1 << 58, upper(60));
        shifts
    }

    /// Reads the coins of a row, and says whether this row of the map explains what they leave of its masks.
    fn explains(party: &Party, row: &[u64], guess: &[i64]) -> bool {
        let phase = party.key.phase(row);
        let digits = |at: usize| phase[at].wrapping_add(1 << 53) >> 54;
        let coins: Vec<u64> = [0, 2, 4, 6]
            .iter()
            .flat_map(|shift| (0..DEGREE / 2).map(move |at| (at, shift)))
            .map(|(at, shift)| digits(at) >> shift & 1)
            .collect();
        let zeros = party.material.public_key();
        let rows = party.material.rows();
        let known: Vec<&[u64]> = rows.chunks_exact(party.params.row_words()).collect();
        (0..2).all(|block| {
            let mask = |zero: usize| &zeros[(3 * zero + block) * DEGREE..][..DEGREE];
            let added = [0, 1].map(|zero| multiply(&coins[zero * DEGREE..][..DEGREE], mask(zero)));
            (0..DEGREE).all(|at| {
                let linear = guess.iter().zip(&known).fold(0_u64, |sum, (factor, row)| {
                    sum.wrapping_add(factor.cast_unsigned().wrapping_mul(row[block * DEGREE + at]))
                });
                let left = row[block * DEGREE + at].wrapping_sub(added[0][at]).wrapping_sub(added[1][at]);
                left.wrapping_sub(linear).cast_signed().unsigned_abs() <= 1 << 27
            })
        })
    }

    /// A Capsule that publishes a public key with chosen bits reads the coins of every upload, and with them can check any guess of
    /// the Mine's matrix. No Mine can see it; the audit does, and names a word that convicts.
    #[test]
    fn crafted_p() {
        let honest = party(SHAPE, 30, 1);
        let seed = VersionSeed::from_bytes([30; 32]);
        let [bodies, public_key, packing_key] = honest.material.bodies().map(<[u64]>::to_vec);
        let public_key = public_key.iter().zip(crafted()).map(|(word, shift)| word.wrapping_add(shift)).collect();
        let seeds = *honest.material.seeds();
        let material = Material::new(honest.params, binding(1), seeds, bodies, public_key, packing_key);
        let (params, weights) = (honest.params, honest.weights.clone());
        let key = SecretKey::derive(&seed, &params, &binding(1));
        let crafted = Party { params, key, weights, material };

        // Of a model of zeros a map without a constant leaves nothing: so it is in the columns of classes that a Mine does not have.
        let linear: Vec<i64> = (0..16).map(|i| i * 251 - 1900).collect();
        let update = AffineUpdate::from_raw(SHAPE, linear.clone(), vec![0; SHAPE.weights()]);
        let upload = |party: &Party| {
            let mut rows = mapped_rows(party, &update);
            // The Capsule knows its own model: what it encrypts is taken away from what comes back.
            let clear = clear(party, &update);
            for (row, values) in rows.chunks_exact_mut(party.params.row_words()).zip(clear.raw().chunks(SHAPE.outputs))
            {
                row[DIMENSION..]
                    .iter_mut()
                    .zip(values)
                    .for_each(|(word, value)| *word = word.wrapping_sub(value.cast_unsigned()));
            }
            evaluator(party).protect(&mut rows, &mut Coins::fresh().unwrap());
            rows[..party.params.row_words()].to_vec()
        };
        let row = upload(&crafted);
        assert!(explains(&crafted, &row, &linear[..4]), "the coins are read, and the matrix with them");
        let wrong = [linear[0] + 1, linear[1], linear[2], linear[3]];
        assert!(!explains(&crafted, &row, &wrong), "a wrong guess is told from the right one");
        assert!(!explains(&honest, &upload(&honest), &linear[..4]), "an honest key shows nothing");

        let audit = Audit::new(&seed, &crafted.material);
        assert_eq!(audit.deviations, [Deviation::PublicKey(Places { count: 4, first: 0 })]);
        assert_eq!(audit.evidence, Some((SHAPE.weights() + DEGREE + DEGREE / 2) as u32));
        assert!(Audit::new(&seed, &honest.material).is_clean());
    }

    #[test]
    fn the_inverse_is_one() {
        let party = party(SHAPE, 31, 1);
        let mut element = party.material.public_key()[..DEGREE].to_vec();
        element[0] |= 1;
        let odd = element.iter().fold(0_u64, |sum, x| sum.wrapping_add(*x)) % 2;
        element[1] = element[1].wrapping_add(1 - odd);
        let one: Element = (0..DEGREE).map(|i| u64::from(i == 0)).collect();
        assert_eq!(multiply(&element, &invert(&element)), one);
    }
}

/// Copying the model through the verdicts: legal uploads that make every prediction the same turn the accuracy of a candidate into
/// a comparison of two weights.
mod extract {
    use super::*;
    use crate::train::{Labels, Rule, train};
    use crate::{Examples, Task};
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    const CLASSES: usize = 10;
    /// Halvings of the interval in which a difference of two weights is looked for.
    const HALVINGS: usize = 6;
    const WIDEST: f64 = 1.0;

    struct Victim {
        params: Parameters,
        best: Weights,
        step: Ppm,
        ladder: Ladder,
        validation: Validation,
        targets: Vec<usize>,
    }

    /// A model of the handwritten digits, and the examples that candidates are measured on.
    fn victim() -> Victim {
        let ((raw, targets), (held, held_targets)) = (digits("digits-validation.csv"), digits("digits-train.csv"));
        let map = FeatureMap::fit(&raw, &[(0.0, 16.0); 64], FeatureKind::Identity, None, 1).unwrap();
        let shape = Shape { inputs: map.inputs(), outputs: CLASSES };
        let params = Parameters::linear(shape).unwrap();
        let task = Task::Classification { classes: (0..CLASSES).map(|class| class.to_string()).collect() };
        let teacher = Examples::new(held, Targets::Classes(held_targets)).unwrap();
        let (rule, labels) = (Rule::default_for(&task, &map), Labels::default_for(&map, CLASSES));
        let taught = map.apply(teacher.features()).unwrap();
        let update = train(&taught, teacher.targets(), &rule, &labels, &params, &mut StdRng::seed_from_u64(1)).unwrap();
        let validation =
            Validation::new(map.apply(&raw).unwrap(), Targets::Classes(targets.clone()), Metric::Accuracy).unwrap();
        let grid = Grid::for_rows(5_000, validation.rows()).unwrap();
        let zero = Weights::zeros(shape);
        let ladder = Ladder::new(grid, validation.accuracy(&zero).floor_to_grid(grid), Ppm::ONE).unwrap();
        let delta = update.apply_clear(&params.encode(&zero));
        let outcome = evaluate_window(&zero, ladder.start(), [Some(delta)], &validation, &ladder, 4);
        let step = grid.value(outcome.best_step).unwrap();
        Victim { params, best: outcome.best, step, ladder, validation, targets }
    }

    /// Removes the model but for row `kept`, which is added to the weights of the constant input, and adds `bias` to those.
    fn probe(victim: &Victim, kept: usize, bias: &[f64]) -> Delta {
        let shape = victim.best.shape();
        let one = victim.params.update_scale() / victim.params.weight_scale();
        let last = shape.inputs - 1;
        let mut linear = vec![0; shape.inputs * shape.inputs];
        (0..last).for_each(|row| linear[row * shape.inputs + row] = -one as i64);
        if kept != last {
            linear[last * shape.inputs + kept] = one as i64;
        }
        let mut constant = vec![0; shape.weights()];
        for (value, bias) in constant[last * CLASSES..].iter_mut().zip(bias) {
            *value = (bias * victim.params.update_scale()) as i64;
        }
        AffineUpdate::from_raw(shape, linear, constant).apply_clear(&victim.params.encode(&victim.best))
    }

    /// The attack, given what an upload is answered with: the public accuracy after it. All classes but two get a bias that rules
    /// them out; which of the two wins everywhere says which weight is greater. The attacker even knows how often classes occur.
    fn steal(shape: Shape, targets: &[usize], mut ask: impl FnMut(usize, &[f64]) -> f64) -> (Weights, usize) {
        let last = shape.inputs - 1;
        let mut uploads = 0;
        let counts = |class: usize| targets.iter().filter(|target| **target == class).count() as f64;
        let frequency = |class: usize| counts(class) / targets.len() as f64;
        // A reference with which no other class agrees in frequency, as far as there is one.
        let reference =
            (0..CLASSES).max_by_key(|&one| (0..CLASSES).filter(|&other| counts(one) != counts(other)).count()).unwrap();
        let mut differ = |kept: usize, class: usize| {
            let (mut low, mut high) = (-WIDEST, WIDEST);
            for _ in 0..HALVINGS {
                let middle = (low + high) / 2.0;
                let mut bias = [-1.5; CLASSES];
                (bias[reference], bias[class]) = (0.0, middle);
                uploads += 1;
                let answer = ask(kept, &bias);
                let nearer_class = (answer - frequency(class)).abs() < (answer - frequency(reference)).abs();
                if nearer_class { high = middle } else { low = middle }
            }
            // The bias at which both weights are equal.
            -(low + high) / 2.0
        };
        let constant: Vec<f64> =
            (0..CLASSES).map(|class| if class == reference { 0.0 } else { differ(last, class) }).collect();
        let mut values = vec![0.0; shape.weights()];
        for row in 0..last {
            for class in (0..CLASSES).filter(|class| *class != reference) {
                values[row * CLASSES + class] = differ(row, class) - constant[class];
            }
        }
        values[last * CLASSES..].copy_from_slice(&constant);
        (Weights::project(shape, values), uploads)
    }

    #[test]
    fn extract_model() {
        let mut victim = victim();
        let (shape, targets) = (victim.best.shape(), victim.targets.clone());
        let accuracy = |weights: &Weights, victim: &Victim| victim.validation.accuracy(weights).fraction();
        assert!(accuracy(&victim.best, &victim) > 0.9);

        // The attack is real: where the accuracy of each upload is said, it copies the model.
        let (copy, uploads) = steal(shape, &targets, |kept, bias| {
            let delta = probe(&victim, kept, bias);
            let values = victim.best.values().iter().zip(delta.values()).map(|(w, d)| w + d).collect();
            accuracy(&Weights::project(shape, values), &victim)
        });
        let copied = accuracy(&copy, &victim);
        assert!(copied > 0.75, "{copied} after {uploads} uploads");

        // What is said here: the best accuracy on the grid, which an upload without a model's worth in it hardly ever moves.
        let mut accepts = 0;
        let (copy, _) = steal(shape, &targets, |kept, bias| {
            let candidate = [Some(probe(&victim, kept, bias))];
            let outcome = evaluate_window(&victim.best, victim.step, candidate, &victim.validation, &victim.ladder, 4);
            accepts += outcome.accepts();
            victim.step = victim.ladder.grid().value(outcome.best_step).unwrap();
            victim.best = outcome.best;
            victim.step.fraction()
        });
        let most = (0..CLASSES).map(|class| targets.iter().filter(|target| **target == class).count()).max().unwrap();
        let blind = most as f64 / targets.len() as f64;
        let stolen = accuracy(&copy, &victim);
        assert!(stolen <= blind + 0.05, "{stolen} against {blind} without any upload");
        assert!(accepts <= 16, "each accept is counted by the budget: {accepts}");

        // How often each class occurs stays hidden as well: predicting one everywhere is answered like predicting another.
        for class in 0..CLASSES {
            let mut bias = [-1.5; CLASSES];
            bias[class] = 1.5;
            let candidate = [Some(probe(&victim, shape.inputs - 1, &bias))];
            let outcome = evaluate_window(&victim.best, victim.step, candidate, &victim.validation, &victim.ladder, 4);
            assert_eq!(outcome.verdicts, [ContentVerdict::NotImproved], "class {class}");
        }
    }
}
