//! The noise on an upload: each step adds the noise of its formula, and the sum does not depend on the data.

use super::*;
use crate::noise::Noise;

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
