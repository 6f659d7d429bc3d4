//! The verdict as an oracle: a shifted mask turns an update into garbage or not, depending on a bit of the key.

use super::*;
use crate::evaluate::WindowOutcome;

const SHAPE: Shape = Shape { inputs: 2, outputs: 2 };

/// Ten examples on a line; the model of zeros has accuracy 0.4, the true boundary 1.0.
fn evaluate(candidate: Delta, best: &Weights, best_ppm: u32) -> WindowOutcome {
    let raw = Matrix::new(10, 1, (0..10).map(|i| f64::from(i) / 10.0).collect()).unwrap();
    let features = FeatureMap::fit(&raw, &[(0.0, 1.0)], FeatureKind::Identity, None, SeedIndex::default())
        .unwrap()
        .apply(&raw)
        .unwrap();
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
    // Nine of ten are right, and no example is so near to the boundary that noise could change its class.
    let best = Weights::new(SHAPE, &[-0.5, 0.5, 0.0, 0.0]).unwrap();
    for useless in [[0.0; 4], [0.5, -0.5, 0.1, -0.1], [0.0, 0.0, 0.001, 0.0]] {
        let said = |party: &Party| evaluate(shifted(party, &update(&party.params, useless)), &best, 900_000);
        assert_eq!(said(&even), said(&odd));
        assert_eq!(said(&even).verdicts, [ContentVerdict::NotImproved]);
    }
    // An update that improves the model can carry the parity, which the budget of accepts accounts for.
    let (useful, nothing) = ([-0.5, 0.5, -0.1, 0.1], Weights::zeros(SHAPE));
    let accepts = |party: &Party| evaluate(shifted(party, &update(&party.params, useful)), &nothing, 400_000).accepts();
    assert_eq!((accepts(&even), accepts(&odd)), (1, 0));
}
