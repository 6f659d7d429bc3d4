//! A Mine's training, one batch at a time, so that it can be watched, stopped and resumed after any batch.
//!
//! [`Training::step`] takes a batch in the order of the epoch, computes its gradient and applies the optimiser. A checkpoint holds what has
//! changed since the start, and a digest of all inputs, so that it resumes only the training that it belongs to.

use crate::gradient::{BatchTargets, gradient};
use crate::model::{Delta, Model};
use crate::network::Network;
use crate::schedule::{ConstantError, OptimiserState, Schedule};
use crate::stream::Stream;
use sha2::{Digest, Sha256};
use syft::wire::{Format, FormatError};
use syft::{Matrix, Targets};
use thiserror::Error;
use zeroize::Zeroize;

const FORMAT: Format = Format { magic: *b"SYFTNT", version: 1, name: "a checkpoint of a training" };

/// Training data, constants or checkpoints that cannot be used, or a training that diverged.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum TrainingError {
    /// There are no examples.
    #[error("there are no examples to train on")]
    Empty,
    /// Rows and targets differ in number.
    #[error("{rows} rows but {targets} targets")]
    Length {
        /// Number of rows.
        rows: usize,
        /// Number of targets.
        targets: usize,
    },
    /// The data has another number of columns than the network.
    #[error("the data has {have} columns, the network reads {need}")]
    Columns {
        /// Columns given.
        have: usize,
        /// Columns of the network.
        need: usize,
    },
    /// A class without an output.
    #[error("row {row} has class {class}, but the network has {outputs} outputs")]
    Class {
        /// Index of the row, from 0.
        row: usize,
        /// Index of its class.
        class: usize,
        /// Outputs of the network.
        outputs: usize,
    },
    /// Numeric targets for a network with several outputs.
    #[error("a regression has one output, the network has {0}")]
    Outputs(usize),
    /// A target outside [-1, 1].
    #[error("the target of row {0} is not in [-1, 1]: apply the campaign's target map first")]
    Target(usize),
    /// A constant of the schedule is outside its range.
    #[error("the schedule: {0}")]
    Schedule(#[from] ConstantError),
    /// The bytes are not a checkpoint of this training.
    #[error("the checkpoint: {0}")]
    Checkpoint(#[from] FormatError),
    /// Loss or parameters are no longer finite.
    #[error("training diverged at step {0}: the loss is no longer finite; a lower rate helps")]
    Diverged(u64),
}

/// Progress of a training.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrainingProgress {
    /// The epoch of the last step, from 1.
    pub epoch: u32,
    /// Number of epochs in total.
    pub epochs: u32,
    /// Number of steps done.
    pub step: u64,
    /// Number of steps in total.
    pub steps: u64,
    /// Mean loss over the examples of this epoch so far: cross-entropy of classes in nats, or squared error of numbers on [-1, 1].
    pub loss: f64,
}

/// A training in progress. The same model, schedule, data and seed lead to the same bits on one machine, whatever the number of threads and
/// resumptions.
pub struct Training {
    network: Network,
    start: Vec<f32>,
    schedule: Schedule,
    data: Data,
    seed: [u8; 32],
    /// Digest of model, schedule, data and seed.
    inputs: [u8; 32],
    values: Vec<f32>,
    state: OptimiserState,
    step: u64,
    /// Sum over the examples of this epoch so far.
    loss: f64,
    /// The examples of this epoch in their order.
    order: Vec<usize>,
}

impl Drop for Training {
    fn drop(&mut self) {
        self.data.rows.zeroize();
        self.values.zeroize();
        self.state.first.zeroize();
        self.state.second.zeroize();
    }
}

impl std::fmt::Debug for Training {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Training").field("step", &self.step).field("steps", &self.steps()).finish_non_exhaustive()
    }
}

impl Training {
    /// Starts a training of a model on rows of raw columns. Targets of a regression are in [-1, 1]. The order of the examples follows from the seed.
    pub fn start(
        model: &Model,
        schedule: &Schedule,
        raw: &Matrix,
        targets: &Targets,
        seed: [u8; 32],
    ) -> Result<Self, TrainingError> {
        schedule.check()?;
        let network = model.network().clone();
        let data = Data::new(&network, raw, targets)?;
        let inputs = fingerprint(model, schedule, &data, &seed);
        let state = OptimiserState::new(schedule.optimiser, network.parameters());
        let (start, values) = (model.values().to_vec(), model.values().to_vec());
        let order = order(&seed, 0, data.count);
        Ok(Self { network, start, schedule: *schedule, data, seed, inputs, values, state, step: 0, loss: 0.0, order })
    }

    /// Resumes a training from an untrusted checkpoint. Fails unless model, schedule, data and seed are those of the start.
    pub fn resume(
        checkpoint: &[u8],
        model: &Model,
        schedule: &Schedule,
        raw: &Matrix,
        targets: &Targets,
        seed: [u8; 32],
    ) -> Result<Self, TrainingError> {
        let mut training = Self::start(model, schedule, raw, targets, seed)?;
        let mut fields = FORMAT.open(checkpoint, training.checkpoint_len())?;
        if fields.array()? != training.inputs {
            return Err(FormatError::Content(
                "it belongs to a training with another model, schedule, seed or other data",
            )
            .into());
        }
        training.step = u64::from_le_bytes(fields.array()?);
        training.loss = f64::from_le_bytes(fields.array()?);
        training.values = fields.floats(training.values.len())?;
        training.state.first = fields.floats(training.state.first.len())?;
        training.state.second = fields.floats(training.state.second.len())?;
        let state = training.state.first.iter().chain(&training.state.second);
        let finite = training.loss.is_finite() && training.values.iter().chain(state).all(|x| x.is_finite());
        if training.step > training.steps() || !finite {
            return Err(FormatError::Content("it has values that no training leads to").into());
        }
        training.order = order(&seed, training.epoch(), training.data.count);
        Ok(training)
    }

    /// Everything that is needed to resume. It is as secret as the data.
    pub fn checkpoint(&self) -> Vec<u8> {
        let mut bytes = FORMAT.start(self.checkpoint_len());
        bytes.extend_from_slice(&self.inputs);
        bytes.extend_from_slice(&self.step.to_le_bytes());
        bytes.extend_from_slice(&self.loss.to_le_bytes());
        for numbers in [&self.values, &self.state.first, &self.state.second] {
            numbers.iter().for_each(|x| bytes.extend_from_slice(&x.to_le_bytes()));
        }
        bytes
    }

    fn checkpoint_len(&self) -> usize {
        let numbers = self.values.len() + self.state.first.len() + self.state.second.len();
        Format::HEADER + 32 + 8 + 8 + 4 * numbers
    }

    /// Trains on one batch; returns none if all steps are done. Uses the current rayon pool.
    pub fn step(&mut self) -> Result<Option<TrainingProgress>, TrainingError> {
        if self.is_done() {
            return Ok(None);
        }
        let at = self.step % self.per_epoch();
        if at == 0 {
            self.order = order(&self.seed, self.epoch(), self.data.count);
            self.loss = 0.0;
        }
        let batch = self
            .order
            .chunks(self.schedule.batch)
            .nth(at as usize)
            .expect("an epoch has a batch for each of its steps");
        let (mut rows, targets) = self.data.select(batch);
        let (loss, mut gradient) = gradient(&self.network, &self.values, &rows, &targets);
        rows.zeroize();
        let count = batch.len() as f32;
        gradient.iter_mut().for_each(|x| *x /= count);
        let rate = self.schedule.rate_at(self.step, self.steps());
        self.state.apply(&self.schedule, rate, self.step, &mut self.values, &gradient);
        self.step += 1;
        self.loss += loss;
        let finite = self.loss.is_finite() && self.values.iter().all(|x| x.is_finite());
        if finite { Ok(Some(self.progress())) } else { Err(TrainingError::Diverged(self.step)) }
    }

    /// Progress after the last step.
    pub fn progress(&self) -> TrainingProgress {
        let (epochs, per_epoch) = (self.schedule.epochs, self.per_epoch());
        let last = self.step.saturating_sub(1);
        let seen = ((last % per_epoch + 1) as usize * self.schedule.batch).min(self.data.count);
        let loss = if self.step == 0 { 0.0 } else { self.loss / seen as f64 };
        TrainingProgress { epoch: (last / per_epoch) as u32 + 1, epochs, step: self.step, steps: self.steps(), loss }
    }

    /// True when all steps are done.
    pub fn is_done(&self) -> bool {
        self.step >= self.steps()
    }

    /// The change of the parameters so far.
    pub fn finish(self) -> Delta {
        let change = |(now, start): (&f32, &f32)| (now - start).clamp(f32::MIN, f32::MAX);
        Delta::from_values(self.values.iter().zip(&self.start).map(change).collect())
    }

    fn per_epoch(&self) -> u64 {
        self.data.count.div_ceil(self.schedule.batch) as u64
    }

    fn steps(&self) -> u64 {
        self.per_epoch() * u64::from(self.schedule.epochs)
    }

    /// The epoch of the next step, from zero.
    fn epoch(&self) -> u64 {
        self.step / self.per_epoch()
    }
}

fn order(seed: &[u8; 32], epoch: u64, count: usize) -> Vec<usize> {
    Stream::new(seed, *b"examples", epoch).shuffled(count)
}

/// Examples as a network reads them.
struct Data {
    count: usize,
    columns: usize,
    rows: Vec<f32>,
    targets: Targets,
}

impl Data {
    fn new(network: &Network, raw: &Matrix, targets: &Targets) -> Result<Self, TrainingError> {
        let (columns, outputs) = (network.input().columns(), network.outputs());
        if raw.rows() == 0 {
            return Err(TrainingError::Empty);
        }
        if raw.rows() != targets.len() {
            return Err(TrainingError::Length { rows: raw.rows(), targets: targets.len() });
        }
        if raw.columns() != columns {
            return Err(TrainingError::Columns { have: raw.columns(), need: columns });
        }
        match targets {
            Targets::Classes(classes) => {
                if let Some(row) = classes.iter().position(|&class| class >= outputs) {
                    return Err(TrainingError::Class { row, class: classes[row], outputs });
                }
            }
            Targets::Values(_) if outputs != 1 => return Err(TrainingError::Outputs(outputs)),
            Targets::Values(values) => {
                if let Some(row) = values.iter().position(|y| !(-1.0..=1.0).contains(y)) {
                    return Err(TrainingError::Target(row));
                }
            }
        }
        let mut rows = vec![0.0; raw.rows() * columns];
        rows.chunks_exact_mut(columns).enumerate().for_each(|(at, row)| network.input().read(raw.row(at), row));
        Ok(Self { count: raw.rows(), columns, rows, targets: targets.clone() })
    }

    fn select(&self, batch: &[usize]) -> (Vec<f32>, BatchTargets) {
        let rows = batch.iter().flat_map(|&row| &self.rows[row * self.columns..][..self.columns]).copied().collect();
        let targets = match &self.targets {
            Targets::Classes(classes) => BatchTargets::Classes(batch.iter().map(|&row| classes[row]).collect()),
            Targets::Values(values) => BatchTargets::Values(batch.iter().map(|&row| values[row] as f32).collect()),
        };
        (rows, targets)
    }
}

/// Digest that separates trainings which lead to different bits.
fn fingerprint(model: &Model, schedule: &Schedule, data: &Data, seed: &[u8; 32]) -> [u8; 32] {
    let mut hash = Sha256::new();
    // Everything after the descriptions has a length that follows from them and the number of rows.
    let description = format!("{:?} {schedule:?}", model.network());
    hash.update((description.len() as u64).to_le_bytes());
    hash.update(description);
    hash.update((data.count as u64).to_le_bytes());
    hash.update(seed);
    model.values().iter().chain(&data.rows).for_each(|x| hash.update(x.to_le_bytes()));
    match &data.targets {
        Targets::Classes(classes) => classes.iter().for_each(|&class| hash.update((class as u64).to_le_bytes())),
        Targets::Values(values) => values.iter().for_each(|x| hash.update(x.to_le_bytes())),
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NetworkKind;
    use crate::schedule::{Optimiser, RateDecay};
    use crate::testing::{columns, small_cnn};
    use syft::Metric;

    const SEED: [u8; 32] = [9; 32];

    /// Images of 8×8 with a bar in one of three places.
    fn bars(count: usize) -> (Matrix, Targets) {
        let class = |row: usize| row % 3;
        let pixel = |row: usize, at: usize| {
            let bar = if at % 8 / 3 == class(row) { 1.0 } else { 0.0 };
            bar + ((row * 31 + at * 17) % 23) as f64 / 23.0
        };
        let values = (0..count).flat_map(|row| (0..64).map(move |at| pixel(row, at))).collect();
        (Matrix::new(count, 64, values).unwrap(), Targets::Classes((0..count).map(class).collect()))
    }

    fn schedule(optimiser: Optimiser) -> Schedule {
        Schedule { optimiser, rate: 0.01, fall: RateDecay::Cosine, batch: 20, epochs: 3, weight_decay: 0.001 }
    }

    fn finish(mut training: Training) -> Delta {
        while training.step().unwrap().is_some() {}
        training.finish()
    }

    #[test]
    fn a_network_learns_and_says_how_far_it_is() {
        let (raw, targets) = bars(90);
        let model = Model::initial(&small_cnn(), &SEED);
        let schedule = Schedule { epochs: 8, ..schedule(Optimiser::Adam) };
        let mut training = Training::start(&model, &schedule, &raw, &targets, SEED).unwrap();
        let mut all = Vec::new();
        while let Some(progress) = training.step().unwrap() {
            all.push(progress);
        }
        assert_eq!((all.len(), all[0].epoch, all[5].epoch, all[39].epoch), (40, 1, 2, 8));
        assert!(all[39].loss < 0.5 * all[0].loss, "{} {}", all[0].loss, all[39].loss);
        let moved = model.moved(&training.finish(), 1.0);
        assert!(Metric::Accuracy.score(&moved.predict(&raw), &targets).unwrap() > 0.95);
    }

    #[test]
    fn a_regression_learns() {
        let raw = Matrix::new(200, 2, (0..400).map(|i| f64::from(i * 7 % 41) / 20.0 - 1.0).collect()).unwrap();
        let targets = Targets::Values((0..200).map(|row| raw.row(row)[0] * raw.row(row)[1]).collect());
        let network = NetworkKind::Mlp(vec![16]).network(columns(2), 1).unwrap();
        let model = Model::initial(&network, &SEED);
        let schedule = Schedule { epochs: 60, ..schedule(Optimiser::Adam) };
        let delta = finish(Training::start(&model, &schedule, &raw, &targets, SEED).unwrap());
        let r2 = Metric::R2.score(&model.moved(&delta, 1.0).predict(&raw), &targets).unwrap();
        assert!(r2 > 0.9, "{r2}");
    }

    /// Killed after any step, the middle of an epoch and its end among them, it ends with the same bits.
    #[test]
    fn a_training_can_be_resumed_after_any_step() {
        let (raw, targets) = bars(50);
        let model = Model::initial(&small_cnn(), &SEED);
        for optimiser in [Optimiser::Adam, Optimiser::Sgd { momentum: 0.9 }] {
            let schedule = Schedule { epochs: 2, ..schedule(optimiser) };
            let start = || Training::start(&model, &schedule, &raw, &targets, SEED).unwrap();
            let whole = finish(start());
            for kill in 0..=6 {
                let mut training = start();
                (0..kill).for_each(|_| assert!(training.step().unwrap().is_some()));
                let (checkpoint, progress) = (training.checkpoint(), training.progress());
                drop(training);
                let resumed = Training::resume(&checkpoint, &model, &schedule, &raw, &targets, SEED).unwrap();
                assert_eq!(resumed.progress(), progress);
                assert_eq!(finish(resumed), whole, "{kill} {optimiser:?}");
            }
        }
    }

    #[test]
    fn the_number_of_threads_changes_no_bit() {
        let (raw, targets) = bars(90);
        let model = Model::initial(&small_cnn(), &SEED);
        let schedule = Schedule { batch: 70, ..schedule(Optimiser::Adam) };
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| finish(Training::start(&model, &schedule, &raw, &targets, SEED).unwrap()))
        };
        let one = run(1);
        assert_eq!(run(2), one);
        assert_eq!(run(5), one);
    }

    /// The gradient is that of the evaluated loss: a step along it lowers the loss by as much as it should.
    #[test]
    fn gradients_are_those_of_the_scores() {
        let (raw, targets) = bars(6);
        let model = Model::initial(&small_cnn(), &SEED);
        let data = Data::new(model.network(), &raw, &targets).unwrap();
        let (rows, selected) = data.select(&[0, 1, 2, 3, 4, 5]);
        let (loss, gradient) = gradient(model.network(), model.values(), &rows, &selected);
        let exact = |values: &[f32]| {
            let model = Model::new(model.network().clone(), values.to_vec()).unwrap();
            6.0 * Metric::LogLoss.score(&model.predict(&raw), &targets).unwrap()
        };
        assert!((exact(model.values()) - loss).abs() < 1e-4);
        let square: f64 = gradient.iter().map(|&g| f64::from(g).powi(2)).sum();
        let size = 1e-2 / square.sqrt();
        let along = |sign: f64| -> Vec<f32> {
            model
                .values()
                .iter()
                .zip(&gradient)
                .map(|(x, g)| (f64::from(*x) + sign * size * f64::from(*g)) as f32)
                .collect()
        };
        let slope = (exact(&along(1.0)) - exact(&along(-1.0))) / (2.0 * size);
        assert!((slope / square - 1.0).abs() < 1e-2, "{slope} {square}");
    }

    #[test]
    fn checkpoints_of_other_trainings_are_refused() {
        let (raw, targets) = bars(30);
        let model = Model::initial(&small_cnn(), &SEED);
        let schedule = schedule(Optimiser::Adam);
        let checkpoint = Training::start(&model, &schedule, &raw, &targets, SEED).unwrap().checkpoint();
        let refusal = |bytes: &[u8], schedule: &Schedule, targets: &Targets, seed| {
            Training::resume(bytes, &model, schedule, &raw, targets, seed).unwrap_err().to_string()
        };
        let slower = Schedule { rate: 0.001, ..schedule };
        let Targets::Classes(mut other) = targets.clone() else { unreachable!() };
        other.swap(0, 1);
        for text in [
            refusal(&checkpoint, &slower, &targets, SEED),
            refusal(&checkpoint, &schedule, &Targets::Classes(other), SEED),
            refusal(&checkpoint, &schedule, &targets, [8; 32]),
        ] {
            assert!(text.contains("another model, schedule, seed or other data"), "{text}");
        }
        let mut wild = checkpoint.clone();
        wild[40] = 255;
        assert!(refusal(&wild, &schedule, &targets, SEED).contains("no training leads to"));
        assert!(refusal(&checkpoint[1..], &schedule, &targets, SEED).contains("not a checkpoint"));
        assert!(refusal(&checkpoint[..90], &schedule, &targets, SEED).contains("expected exactly"));
    }

    #[test]
    fn misfits_are_named() {
        let (raw, targets) = bars(4);
        let model = Model::initial(&small_cnn(), &SEED);
        let schedule = schedule(Optimiser::Adam);
        let refusal =
            |raw: &Matrix, targets: &Targets| Training::start(&model, &schedule, raw, targets, SEED).err().unwrap();
        assert!(matches!(refusal(&raw, &Targets::Classes(vec![0])), TrainingError::Length { rows: 4, targets: 1 }));
        assert!(matches!(refusal(&raw, &Targets::Classes(vec![0, 3, 0, 0])), TrainingError::Class { row: 1, .. }));
        assert_eq!(refusal(&raw, &Targets::Values(vec![0.0; 4])), TrainingError::Outputs(3));
        let narrow = Matrix::new(4, 1, vec![0.0; 4]).unwrap();
        assert_eq!(refusal(&narrow, &targets), TrainingError::Columns { have: 1, need: 64 });
        assert_eq!(refusal(&raw.select(&[]), &Targets::Classes(vec![])), TrainingError::Empty);
    }

    #[test]
    fn a_training_that_explodes_says_so() {
        let raw = Matrix::new(2, 1, vec![64.0, -64.0]).unwrap();
        let network = NetworkKind::Mlp(vec![8, 8]).network(columns(1), 1).unwrap();
        let rough = Schedule { rate: 10.0, epochs: 200, ..schedule(Optimiser::Sgd { momentum: 0.9 }) };
        let model = Model::initial(&network, &SEED);
        let mut training = Training::start(&model, &rough, &raw, &Targets::Values(vec![1.0, -1.0]), SEED).unwrap();
        let error = loop {
            match training.step() {
                Ok(progress) => assert!(progress.is_some(), "it should explode"),
                Err(error) => break error,
            }
        };
        assert!(error.to_string().contains("a lower rate helps"));
    }
}
