//! The noise on an upload: each step adds the noise of its formula, and the sum does not depend on the data.

use super::*;
use crate::noise::Noise;
use crate::privacy::Zcdp;
use crate::rule::{Labels, Rule};
use faer::linalg::solvers::{PartialPivLu, Solve};
use faer::{Mat, MatRef};
use rand::SeedableRng;
use rand::rngs::StdRng;

/// The noise that each step of the linear path adds to a row, for one key.
struct Steps {
    fresh: Vec<f64>,
    mapped: Vec<f64>,
    zeros: Vec<f64>,
    flood: Vec<f64>,
    packing: Vec<f64>,
    all: Vec<f64>,
}

/// One output, because the key's bits are not centred and so correlate the noise of a row's coefficients; one entry in
/// a row of the map, so that the rows stay independent.
fn steps(seed: u8) -> Steps {
    const ROWS: usize = 512;
    let shape = Shape { inputs: ROWS, outputs: 1 };
    let party = party(shape, seed, 1);
    let width = party.params.row_words();
    let added = |after: &[f64], before: &[f64]| after.iter().zip(before).map(|(a, b)| a - b).collect();
    let update = multiple(shape, 4_096);
    let noise = |rows: &[u64]| residual(&party, rows, &update);
    let (evaluator, mut coins) = (evaluator(&party), Coins::repeatable(seed));

    let fresh = known_errors(&party);
    let mut rows = mapped_rows(&party, &update);
    let mapped = noise(&rows);
    let (mut rerandomised, mut flooded, mut packs) = (Vec::new(), Vec::new(), Vec::new());
    for pack in rows.chunks_mut(party.params.rank() * width) {
        let pack = Mapped::new(pack, width).rerandomise(evaluator.zeros(), &mut coins);
        rerandomised.extend_from_slice(pack.words());
        let pack = pack.flood(party.params.flood(), &mut coins);
        flooded.extend_from_slice(pack.words());
        packs.extend(evaluator.pack(&pack));
    }
    let (rerandomised, flooded) = (noise(&rerandomised), noise(&flooded));
    let uploaded = noise_of(&party, &EncryptedUpdate::from_words(&party.material, packs), &update);
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

/// Every step of the linear path adds the noise of its formula: a χ² test, and within 3 % of the standard deviation.
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

/// An output without flood discloses the noise of its column. Three outputs and many rows: each output has the whole flood, before packing and in
/// the upload, and no two numbers of the flood are related.
#[test]
fn the_flood_covers_every_output() {
    const ROWS: usize = 512;
    const OUTPUTS: usize = 3;
    let party = party(Shape { inputs: ROWS, outputs: OUTPUTS }, 20, 1);
    let update = multiple(party.params.shape(), 4_096);
    let before_packing = residual(&party, &protected_rows(&party, &update), &update);
    let uploaded = noise_of(&party, &encrypt_update(&party.material, &update).unwrap(), &update);
    let flooded = Noise::fresh(&party.params).after_map(4_096.0).after_rerandomise().after_flood();
    let five_deviations = 5.0 / (ROWS as f64).sqrt();
    for (noise, deviation) in
        [(before_packing, flooded.deviation()), (uploaded, flooded.after_packing().after_rounding().deviation())]
    {
        let column = |output: usize| -> Vec<f64> {
            noise.iter().skip(output).step_by(OUTPUTS).map(|noise| noise / deviation).collect()
        };
        for output in 0..OUTPUTS {
            let (one, next) = (column(output), column((output + 1) % OUTPUTS));
            let variance = mean_square(&one);
            assert!((variance - 1.0).abs() < 2_f64.sqrt() * five_deviations, "output {output}: {variance}");
            let related = |other: &[f64]| one.iter().zip(other).map(|(a, b)| a * b).sum::<f64>() / ROWS as f64;
            assert!(related(&next).abs() < five_deviations, "outputs share their flood");
            assert!(related(&one[1..]).abs() < five_deviations, "rows share their flood");
        }
    }
}

/// The key holder knows the errors of the published rows, of which the noise of an upload contains `L` times. A regression on them returns `L` where
/// the flood is missing, and nothing about it where the flood is.
#[test]
fn noise_regression() {
    const ROWS: usize = 4;
    const SAMPLES: usize = 600;
    let shape = Shape { inputs: ROWS, outputs: SAMPLES };
    let party = party(shape, 21, 1);
    let linear: Vec<i64> = (0..16).map(|i| i * 251 - 1_900).collect();
    let update = AffineUpdate::from_raw(shape, linear.clone(), vec![0; shape.weights()]);
    let errors = known_errors(&party);
    let errors = MatRef::from_row_major_slice(&errors, ROWS, SAMPLES).transpose();
    let solver = PartialPivLu::new((errors.transpose() * errors).as_ref());
    // The estimate's errors, in units of L.
    let misses = |noise: &[f64]| -> Vec<f64> {
        let noise = MatRef::from_row_major_slice(noise, ROWS, SAMPLES).transpose();
        let estimate: Mat<f64> = solver.solve(errors.transpose() * noise);
        linear.iter().enumerate().map(|(at, entry)| estimate[(at % ROWS, at / ROWS)] - *entry as f64).collect()
    };
    let evaluator = evaluator(&party);
    let (mut rows, width) = (mapped_rows(&party, &update), party.params.row_words());
    let mut coins = Coins::fresh().unwrap();
    let unflooded = Mapped::new(&mut rows, width).rerandomise(evaluator.zeros(), &mut coins).words().to_vec();
    let found = misses(&residual(&party, &unflooded, &update));
    assert!(found.iter().all(|miss| miss.abs() < 40.0), "without a flood the regression finds the map: {found:?}");

    let upload = encrypt_update(&party.material, &update).unwrap();
    let noises = [residual(&party, &protected_rows(&party, &update), &update), noise_of(&party, &upload, &update)];
    // The deviation of an estimate from noise that has nothing to do with the errors.
    let expected = party.params.flood() / (party.params.sigma() * (SAMPLES as f64).sqrt());
    assert!(expected > 400.0 * 4_096.0, "even an average of many uploads would show nothing");
    for noise in noises {
        let found = mean_square(&misses(&noise)).sqrt();
        // Sixteen estimates: five standard deviations are 88 %. Packing adds a quarter at most.
        assert!((0.4 * expected..2.3 * expected).contains(&found), "{found} instead of {expected}");
    }
}

/// What the noise of an upload discloses is bounded for every pair of data sets. The flood is a Gaussian, and two data sets move its mean by
/// `(L − L')·e`, so the cost of the pair is half the square of this distance in deviations of the flood.
#[test]
fn zcdp_bound() {
    let party = party(DIGITS, 22, 1);
    let (errors, flood) = (known_errors(&party), party.params.flood());
    let cost = |one: &AffineUpdate, two: &AffineUpdate| {
        let inputs = DIGITS.inputs;
        let rows = one.linear().chunks_exact(inputs).zip(two.linear().chunks_exact(inputs));
        let moved = rows.flat_map(|(one, two)| {
            let mut moved = vec![0.0; DIGITS.outputs];
            for ((one, two), errors) in one.iter().zip(two).zip(errors.chunks_exact(DIGITS.outputs)) {
                let factor = f64::from(*one) - f64::from(*two);
                moved.iter_mut().zip(errors).for_each(|(sum, error)| *sum += factor * error);
            }
            moved
        });
        moved.map(|distance| (distance / flood).powi(2)).sum::<f64>() / 2.0
    };
    let (raw, classes) = digits("digits-train.csv");
    let ranges = vec![(0.0, 16.0); 64];
    let features =
        FeatureMap::fit(&raw, &ranges, FeatureKind::Identity, None, crate::features::SeedIndex::default()).unwrap();
    let learn = |rows: std::ops::Range<usize>, rule: Rule| {
        let rows: Vec<usize> = rows.collect();
        let features = features.apply(&raw.select(&rows)).unwrap();
        let targets = Targets::Classes(rows.iter().map(|row| classes[*row]).collect());
        let labels = Labels { right: 1.0, wrong: -1.0 };
        let coins = &mut StdRng::seed_from_u64(rows.len() as u64);
        crate::train::train(&features, &targets, &rule, &labels, &party.params, coins).unwrap()
    };
    let strong = Rule::Proximal { rho: 0.003, decay: 0.0 };
    let weak = Rule::LocalSteps { steps: 5, rate: 0.5 };
    // The last two are as far apart as two data sets can be: one has nothing to say, the other replaces the whole model.
    let pairs = [
        (learn(0..500, strong), learn(500..1_000, strong)),
        (learn(0..500, strong), learn(1..501, strong)),
        (learn(0..2, weak), learn(0..1_000, strong)),
        (learn(0..500, weak), empty_map(DIGITS)),
        (multiple(DIGITS, -4_096), empty_map(DIGITS)),
    ];
    let costs: Vec<f64> = pairs.iter().map(|(one, two)| cost(one, two)).collect();
    let bound = Zcdp::per_upload(&party.params).rho();
    println!("{costs:?} of {bound}");
    assert!(costs.iter().all(|cost| *cost <= bound), "a pair of data sets costs more than the bound");
    assert!(costs[4] > 0.5 * bound, "the bound is not twice what the farthest pair costs");
}
