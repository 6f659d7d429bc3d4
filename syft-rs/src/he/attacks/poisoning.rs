//! Poisoning: updates that aim to harm the model or to be paid for nothing, what they earn, and how the model changes.

use super::*;
use crate::clear;
use crate::features::FeatureKind;
use crate::rule::{Labels, Rule};
use crate::train::train;
use crate::{Examples, Task};
use rand::SeedableRng;
use rand::rngs::StdRng;

const CLASSES: usize = 10;
const MINES: usize = 5;
/// More windows than any of these campaigns needs.
const WINDOWS: u32 = 20;

/// Five honest Mines with their share of the digits, and what a campaign measures them by.
struct Campaign {
    params: Parameters,
    validation: Validation,
    ladder: Ladder,
    honest: Vec<AffineUpdate>,
    examples: Examples,
    map: FeatureMap,
}

impl Campaign {
    fn new() -> Self {
        let ((raw, targets), (held, classes)) = (digits("digits-validation.csv"), digits("digits-train.csv"));
        let map = FeatureMap::fit(&raw, &[(0.0, 16.0); 64], FeatureKind::RandomRelu(512), None, SeedIndex::default())
            .unwrap();
        let shape = Shape { inputs: map.inputs(), outputs: CLASSES };
        let params = Parameters::linear(shape).unwrap();
        let validation =
            Validation::new(map.apply(&raw).unwrap(), Targets::Classes(targets), Metric::Accuracy).unwrap();
        let grid = Grid::for_rows(5_000, validation.rows()).unwrap();
        let start = validation.accuracy(&Weights::zeros(shape)).floor_to_grid(grid);
        let ladder = Ladder::new(grid, start, Ppm::ONE).unwrap();
        let examples = Examples::new(held, Targets::Classes(classes)).unwrap();
        let mut campaign = Self { params, validation, ladder, honest: Vec::new(), examples, map };
        campaign.honest = (0..MINES).map(|mine| campaign.learnt(mine, |class| class)).collect();
        campaign
    }

    /// The update of one Mine's rows, with these labels.
    fn learnt(&self, mine: usize, label: impl Fn(usize) -> usize) -> AffineUpdate {
        let rows: Vec<usize> = (mine..self.examples.len()).step_by(MINES).collect();
        let part = self.examples.select(&rows);
        let Targets::Classes(classes) = part.targets() else { unreachable!("digits are classes") };
        let targets = Targets::Classes(classes.iter().map(|class| label(*class)).collect());
        let task = Task::Classification { classes: (0..CLASSES).map(|class| class.to_string()).collect() };
        let (rule, labels) = (Rule::default_for(&task, &self.map), Labels::default_for(&self.map, CLASSES));
        let features = self.map.apply(part.features()).unwrap();
        train(&features, &targets, &rule, &labels, &self.params, &mut StdRng::seed_from_u64(mine as u64)).unwrap()
    }

    /// Another Mine's update, scaled by a factor and clipped to the bounds.
    fn scaled(&self, update: &AffineUpdate, factor: i64) -> AffineUpdate {
        let linear = update.linear().iter().map(|l| (i64::from(*l) * factor).clamp(-32_768, 32_767)).collect();
        let largest = 1 << 61;
        let constant = update.constant().iter().map(|b| b.saturating_mul(factor).clamp(-largest, largest)).collect();
        AffineUpdate::from_raw(self.params.shape(), linear, constant)
    }

    /// A map of random constants, up to a share of the bound.
    fn random(&self, seed: u8) -> AffineUpdate {
        let shape = self.params.shape();
        let mut words = vec![0; shape.weights()];
        Coins::repeatable(seed).fill_uniform(&mut words);
        AffineUpdate::from_raw(
            shape,
            vec![0; shape.inputs * shape.inputs],
            words.iter().map(|word| word.cast_signed() >> 6).collect(),
        )
    }

    /// Earnings of the attackers, earnings of the honest Mines, and the final accuracy, all in ppm. Attackers come
    /// first in every window, except copiers, who must come after what they copy.
    fn run(&self, attack: &Attack) -> (u32, u32, u32) {
        let (theirs, ours) =
            (attack.updates.iter().map(|update| (true, update)), self.honest.iter().map(|u| (false, u)));
        let all: Vec<(bool, &AffineUpdate)> =
            if attack.last { ours.chain(theirs).collect() } else { theirs.chain(ours).collect() };
        let (mut best, mut best_ppm) = (Weights::zeros(self.params.shape()), self.ladder.start());
        let (mut theirs, mut honest) = (0, 0);
        for _ in 0..WINDOWS {
            let published = self.params.encode(&best);
            let candidates = all.iter().map(|(_, update)| Some(update.apply_clear(&published)));
            let outcome = evaluate_window(&best, best_ppm, candidates, &self.validation, &self.ladder, 4);
            for (verdict, (is_attacker, _)) in outcome.verdicts.iter().zip(&all) {
                if let ContentVerdict::Accepted(step) = verdict {
                    let reached = self.ladder.grid().value(*step).unwrap();
                    *(if *is_attacker { &mut theirs } else { &mut honest }) += reached.get() - best_ppm.get();
                    best_ppm = reached;
                }
            }
            let stalled = outcome.accepts() == 0;
            // Each paid grid step is one that the model has gained.
            assert_eq!(self.validation.accuracy(&outcome.best).floor_to_grid(self.ladder.grid()), best_ppm);
            best = outcome.best;
            if stalled {
                break;
            }
        }
        (theirs, honest, best_ppm.get())
    }
}

struct Attack {
    name: &'static str,
    updates: Vec<AffineUpdate>,
    /// Comes after the honest Mines.
    last: bool,
    /// Maximum number of grid steps that all attackers together may earn; `None` if their updates may really improve
    /// the model.
    most: Option<u32>,
}

impl Attack {
    fn new(name: &'static str, updates: impl IntoIterator<Item = AffineUpdate>, most: Option<u32>) -> Self {
        Self { name, updates: updates.into_iter().collect(), last: false, most }
    }
}

/// Nobody is paid for harm, and the final accuracy is the same as without the attackers, up to one grid step. The
/// results are deterministic, so the documentation shows them to the digit.
#[test]
fn poisoning() {
    let campaign = Campaign::new();
    let honest = &campaign.honest;
    let flipped = |mine| campaign.learnt(mine, |class| (class + 1) % CLASSES);
    let scaled = |mine: usize, factor| campaign.scaled(&honest[mine], factor);
    let attacks = [
        Attack::new("none", [], Some(0)),
        Attack::new("two Mines with labels moved by one", [flipped(0), flipped(1)], Some(1)),
        Attack::new("two honest updates with the sign turned", [scaled(0, -1), scaled(1, -1)], Some(0)),
        Attack::new("an honest update times 16, another times −16", [scaled(0, 16), scaled(1, -16)], None),
        Attack::new("two updates of random numbers", [0, 1].map(|seed| campaign.random(seed)), None),
        Attack::new("two empty updates (free riders)", [scaled(0, 0), scaled(0, 0)], Some(0)),
        Attack::new("ten identities with moved labels", (0..10).map(|mine| flipped(mine % MINES)), Some(1)),
        Attack {
            last: true,
            ..Attack::new("two copies of what honest Mines sent before", honest[..2].iter().cloned(), Some(0))
        },
    ];
    let grid = campaign.ladder.grid();
    let clear = clear::run(
        &Weights::zeros(campaign.params.shape()),
        honest,
        &campaign.params,
        &campaign.validation,
        &campaign.ladder,
        WINDOWS,
        u32::MAX,
    );
    let alone = clear.accuracy.floor_to_grid(grid).get();
    let mut table = String::from(
        "| attack | attackers earn (points) | honest Mines earn (points) | final accuracy |\n| --- | --- | --- | --- |\n",
    );
    let mut results = Vec::new();
    for attack in &attacks {
        let (theirs, honest, accuracy) = campaign.run(attack);
        let row = [theirs, honest, accuracy].map(points);
        table += &format!("| {} | {} | {} | {} % |\n", attack.name, row[0], row[1], row[2]);
        results.push((attack, theirs, accuracy));
    }
    println!("{table}");
    assert_eq!(results[0].2, alone, "without an attack the campaign is the one in the clear");
    for (Attack { name, most, .. }, theirs, accuracy) in results {
        if let Some(most) = most {
            assert!(theirs <= most * grid.ppm(), "{name}: {theirs} ppm earned for harm");
        }
        assert!(accuracy.abs_diff(alone) <= grid.ppm(), "{name}: {accuracy} instead of {alone}");
    }
    let documentation = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/security.md");
    let documentation = std::fs::read_to_string(documentation).unwrap().replace("\r\n", "\n");
    assert!(documentation.contains(&table), "docs/security.md, Poisoning, should say:\n{table}");
}

/// A copy of an evaluated update earns nothing, because the model already contains it. (The envelope prevents that a
/// miner submits another miner's upload.)
#[test]
fn a_copy_earns_nothing() {
    let campaign = Campaign::new();
    let best = Weights::zeros(campaign.params.shape());
    let delta = || Some(campaign.honest[0].apply_clear(&campaign.params.encode(&best)));
    let ladder = &campaign.ladder;
    let outcome = evaluate_window(&best, ladder.start(), [delta(), delta()], &campaign.validation, ladder, 4);
    assert!(matches!(outcome.verdicts[..], [ContentVerdict::Accepted(_), ContentVerdict::NotImproved]));
}

fn points(ppm: u32) -> f64 {
    f64::from(ppm) / 10_000.0
}
