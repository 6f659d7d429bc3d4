//! Extracting the model through the verdicts: valid uploads that make all predictions equal turn the accuracy of a
//! candidate into a comparison of two weights.

use super::*;
use crate::rule::{Labels, Rule};
use crate::train::train;
use crate::{Examples, Task};
use rand::SeedableRng;
use rand::rngs::StdRng;

const CLASSES: usize = 10;
/// Number of bisections of the interval that contains the difference of two weights.
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

/// A model of the handwritten digits, and the examples for the evaluation of candidates.
fn victim() -> Victim {
    let ((raw, targets), (held, held_targets)) = (digits("digits-validation.csv"), digits("digits-train.csv"));
    let map = FeatureMap::fit(&raw, &[(0.0, 16.0); 64], FeatureKind::Identity, None, SeedIndex::default()).unwrap();
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

/// Removes the model except row `kept`, which is added to the weights of the constant input, and adds `bias` to those.
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

/// The attack, with an oracle that returns the public accuracy after an upload. All classes except two get a bias that
/// excludes them; which of the two wins everywhere shows which weight is greater. The attacker even knows the
/// frequencies of the classes.
fn steal(shape: Shape, targets: &[usize], mut ask: impl FnMut(usize, &[f64]) -> f64) -> (Weights, usize) {
    let last = shape.inputs - 1;
    let mut uploads = 0;
    let counts = |class: usize| targets.iter().filter(|target| **target == class).count() as f64;
    let frequency = |class: usize| counts(class) / targets.len() as f64;
    // A reference class with a frequency that no other class has, if there is one.
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

    // The attack is real: if the accuracy of each upload is published, it copies the model.
    let (copy, uploads) = steal(shape, &targets, |kept, bias| {
        let delta = probe(&victim, kept, bias);
        let values = victim.best.values().iter().zip(delta.values()).map(|(w, d)| w + d).collect();
        accuracy(&Weights::project(shape, values), &victim)
    });
    let copied = accuracy(&copy, &victim);
    assert!(copied > 0.75, "{copied} after {uploads} uploads");

    // What is published here: the best accuracy on the grid, which an upload without a good model hardly ever changes.
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

    // The frequencies of the classes also stay hidden: predicting one class everywhere gives the same answer as
    // predicting another.
    for class in 0..CLASSES {
        let mut bias = [-1.5; CLASSES];
        bias[class] = 1.5;
        let candidate = [Some(probe(&victim, shape.inputs - 1, &bias))];
        let outcome = evaluate_window(&victim.best, victim.step, candidate, &victim.validation, &victim.ladder, 4);
        assert_eq!(outcome.verdicts, [ContentVerdict::NotImproved], "class {class}");
    }
}
