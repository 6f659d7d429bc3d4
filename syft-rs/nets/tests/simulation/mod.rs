//! A campaign in the clear regime without chain, network and OpenPGP: four Mines, and a Capsule that tries their uploads in order.

use flate2::read::GzDecoder;
use rand::SeedableRng;
use rand::rngs::StdRng;
use std::fs::File;
use syft::{Grid, Image, Ladder, Matrix, Metric, Ppm, Targets, Task, Validation, evaluate_window};
use syft_nets::{Input, Model, Network, NetworkKind, Release, Schedule, Training, Update};

/// Examples of the MNIST digits.
pub struct Digits {
    /// Pixels.
    pub raw: Matrix,
    /// Digits.
    pub targets: Targets,
}

impl Digits {
    /// Reads `train` or `validation`.
    pub fn read(part: &str) -> Self {
        let path = format!("{}/../../data/mnist-{part}.csv.gz", env!("CARGO_MANIFEST_DIR"));
        let mut reader = csv::Reader::from_reader(GzDecoder::new(File::open(path).unwrap()));
        let digit = reader.headers().unwrap().iter().position(|name| name == "digit").unwrap();
        let (mut values, mut classes) = (Vec::new(), Vec::new());
        for record in reader.records() {
            for (column, field) in record.unwrap().iter().enumerate() {
                if column == digit { classes.push(field.parse().unwrap()) } else { values.push(field.parse().unwrap()) }
            }
        }
        Self { raw: Matrix::new(classes.len(), 784, values).unwrap(), targets: Targets::Classes(classes) }
    }

    /// Some of them.
    pub fn select(&self, rows: impl Iterator<Item = usize>) -> Self {
        let rows: Vec<usize> = rows.collect();
        Self { raw: self.raw.select(&rows), targets: self.targets.select(&rows) }
    }

    /// The validation examples of a Capsule.
    pub fn validation(&self) -> Validation<Matrix> {
        Validation::new(self.raw.clone(), self.targets.clone(), Metric::Accuracy).unwrap()
    }
}

/// A network of this kind for the digits.
pub fn network(kind: &NetworkKind, validation: &Digits) -> Network {
    let image = Image { height: 28, width: 28, channels: 1 };
    kind.network(Input::fit(&validation.raw, &[(0.0, 255.0); 784], Some(image)).unwrap(), 10).unwrap()
}

/// A Mine's upload and the norm of its change.
pub fn mine(model: &Model, schedule: &Schedule, release: &Release, data: &Digits, seed: u8) -> (Vec<u8>, f64) {
    let mut training = Training::start(model, schedule, &data.raw, &data.targets, [seed; 32]).unwrap();
    while training.step().unwrap().is_some() {}
    let delta = training.finish();
    let coins = &mut StdRng::seed_from_u64(seed.into());
    (Update::new(&delta, release, [0; 32], None, data.raw.rows(), coins).unwrap().encode(), delta.norm())
}

/// Runs windows of one upload each: the Mines take turns, and each starts from the best model so far. After each upload, calls `say` with the
/// Mine, the norm of its change, and the accuracy on the grid.
pub fn campaign(
    network: &Network,
    schedule: &Schedule,
    release: &Release,
    mines: &[Digits],
    validation: &Validation<Matrix>,
    uploads: usize,
    mut say: impl FnMut(usize, f64, Ppm),
) -> Model {
    let grid = Grid::new(2_500).unwrap();
    let mut best = Model::initial(network, &[1; 32]);
    let mut reached = validation.accuracy(&best).floor_to_grid(grid);
    let ladder = Ladder::new(grid, reached, Ppm::ONE).unwrap();
    for upload in 0..uploads {
        let turn = upload % mines.len();
        let (bytes, norm) = mine(&best, schedule, release, &mines[turn], upload as u8);
        let update = Update::decode(&bytes, network, release, &[0; 32]).unwrap();
        let outcome = evaluate_window(&best, reached, [Some(update.delta())], validation, &ladder, 1);
        (best, reached) = (outcome.best, grid.value(outcome.best_step).unwrap());
        say(turn, norm, reached);
    }
    best
}

/// The default schedule for ten classes.
pub fn default_schedule(network: &Network) -> Schedule {
    Schedule::default_for(network, &Task::Classification { classes: (0..10).map(|digit| digit.to_string()).collect() })
}
