//! A sealed campaign without chain, network and OpenPGP: four Mines, and a Capsule that tries their uploads in order.

use flate2::read::GzDecoder;
use rand::SeedableRng;
use rand::rngs::StdRng;
use std::fs::File;
use syft::{Grid, GridStep, Image, Matrix, Metric, Ppm, STEP_SIZES, Targets, Task};
use syft_nets::{Delta, Input, Model, Network, NetworkKind, Release, Schedule, Training, Update};

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

    /// The share that a model gets right.
    pub fn accuracy(&self, model: &Model) -> Ppm {
        Metric::Accuracy.ppm(&model.predict(&self.raw), &self.targets).unwrap()
    }
}

/// A network of this kind for the digits.
pub fn network(kind: &NetworkKind, validation: &Digits) -> Network {
    let image = Image { height: 28, width: 28, channels: 1 };
    kind.network(Input::fit(&validation.raw, &[(0.0, 255.0); 784], Some(image)).unwrap(), 10).unwrap()
}

/// What a Mine uploads.
pub fn mine(model: &Model, schedule: &Schedule, release: &Release, data: &Digits, seed: u8) -> (Vec<u8>, f64) {
    let mut training = Training::start(model, schedule, &data.raw, &data.targets, [seed; 32]).unwrap();
    while training.step().unwrap().is_some() {}
    let delta = training.finish();
    let coins = &mut StdRng::seed_from_u64(seed.into());
    (Update::new(&delta, release, [0; 32], None, data.raw.rows(), coins).unwrap().encode(), delta.norm())
}

/// The Capsule's line search.
pub fn tried(best: &Model, delta: &Delta, validation: &Digits, grid: Grid) -> (GridStep, f64, Model) {
    let trials = STEP_SIZES.map(|size| {
        let model = best.moved(delta, size);
        (validation.accuracy(&model).steps(grid), size, model)
    });
    trials.into_iter().reduce(|best, next| if next.0 > best.0 { next } else { best }).unwrap()
}

/// One window after the other, each of one upload: the Mines take turns, and every one starts from the best model so far. Says after each
/// upload which Mine made it, the norm of its change, the step size that was best, and the accuracy on the grid.
pub fn campaign(
    network: &Network,
    schedule: &Schedule,
    release: &Release,
    mines: &[Digits],
    validation: &Digits,
    uploads: usize,
    mut say: impl FnMut(usize, f64, f64, Ppm),
) -> Model {
    let grid = Grid::new(2_500).unwrap();
    let mut best = Model::initial(network, &[1; 32]);
    let mut step = validation.accuracy(&best).steps(grid);
    for upload in 0..uploads {
        let turn = upload % mines.len();
        let (bytes, norm) = mine(&best, schedule, release, &mines[turn], upload as u8);
        let update = Update::decode(&bytes, network, release, &[0; 32]).unwrap();
        let (reached, size, model) = tried(&best, &update.delta(), validation, grid);
        if reached > step {
            (best, step) = (model, reached);
        }
        say(turn, norm, size, grid.value(step).unwrap());
    }
    best
}

/// What works well for classes.
pub fn default_schedule(network: &Network) -> Schedule {
    Schedule::default_for(network, &Task::Classification { classes: (0..10).map(|digit| digit.to_string()).collect() })
}
