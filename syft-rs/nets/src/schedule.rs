//! The public schedule of a campaign: how a Mine trains a network. [`Schedule`] has the constants, [`OptimiserState`] applies gradients by them.

use crate::network::{Layer, Network};
use serde::{Deserialize, Serialize};
use syft::Task;
use thiserror::Error;

/// A constant of a schedule or release that is outside its range.
#[derive(Debug, Clone, Copy, PartialEq, Error)]
#[error("{name} = {value} is not allowed: it must be {must}")]
pub struct ConstantError {
    /// Name of the constant, as in the campaign file.
    pub name: &'static str,
    /// Its value.
    pub value: f64,
    /// The allowed range, in words.
    pub must: &'static str,
}

/// Fails if the value is not good.
pub(crate) fn require(name: &'static str, value: f64, good: bool, must: &'static str) -> Result<(), ConstantError> {
    if good { Ok(()) } else { Err(ConstantError { name, value, must }) }
}

/// How a gradient changes the parameters.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Optimiser {
    /// Stochastic gradient descent: `v ← momentum·v + g`, `x ← x - rate·v`.
    Sgd {
        /// Share of the last step that goes into the next, at least 0 and below 1.
        momentum: f64,
    },
    /// Adam (Kingma and Ba 2015), with the constants 0.9, 0.999 and 10^-8 of the paper.
    Adam,
}

/// How the rate falls over the steps of a training.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RateDecay {
    /// The rate stays the same.
    Constant,
    /// Linear to zero.
    Linear,
    /// Along half a cosine wave to zero.
    Cosine,
}

impl RateDecay {
    /// The share of the rate that is left after a share of the steps.
    fn left(self, done: f64) -> f64 {
        match self {
            Self::Constant => 1.0,
            Self::Linear => 1.0 - done,
            Self::Cosine => 0.5 * (1.0 + (std::f64::consts::PI * done).cos()),
        }
    }
}

/// How a Mine trains on its own data, starting from the published model.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// How a gradient changes the parameters.
    pub optimiser: Optimiser,
    /// Rate of the first step, above 0 and at most 10.
    pub rate: f64,
    /// How the rate falls over the steps.
    pub fall: RateDecay,
    /// Examples per step, 1 to 4096.
    pub batch: usize,
    /// Number of times that each example is used, 1 to 1000.
    pub epochs: u32,
    /// Share of the rate by which parameters shrink in each step, apart from the gradient (Loshchilov and Hutter 2019).
    #[serde(default)]
    pub weight_decay: f64,
}

impl Schedule {
    /// Default schedule for a network and a task.
    pub fn default_for(network: &Network, task: &Task) -> Self {
        let has_filters = network.layers().iter().any(|layer| matches!(layer, Layer::Conv(_)));
        let rate = match task {
            Task::Regression => 0.002,
            Task::Classification { .. } if has_filters => 0.002,
            Task::Classification { .. } => 0.003,
        };
        let (batch, epochs) = (32, if has_filters { 4 } else { 10 });
        Self { optimiser: Optimiser::Adam, rate, fall: RateDecay::Linear, batch, epochs, weight_decay: 0.0 }
    }

    /// Checks constants from an untrusted source.
    pub fn check(&self) -> Result<(), ConstantError> {
        require("rate", self.rate, self.rate > 0.0 && self.rate <= 10.0, "above 0 and at most 10")?;
        require("batch", self.batch as f64, (1..=4096).contains(&self.batch), "between 1 and 4096")?;
        require("epochs", self.epochs.into(), (1..=1000).contains(&self.epochs), "between 1 and 1000")?;
        let decay = self.weight_decay;
        require("weight_decay", decay, (0.0..=1.0).contains(&decay), "between 0 and 1")?;
        match self.optimiser {
            Optimiser::Sgd { momentum } => {
                require("momentum", momentum, (0.0..1.0).contains(&momentum), "at least 0 and below 1")
            }
            Optimiser::Adam => Ok(()),
        }
    }

    /// The rate after `step` of `steps` steps.
    pub(crate) fn rate_at(&self, step: u64, steps: u64) -> f64 {
        self.rate * self.fall.left(step as f64 / steps as f64)
    }
}

/// What an optimiser keeps from step to step: one or two numbers per parameter.
pub(crate) struct OptimiserState {
    pub(crate) first: Vec<f32>,
    /// Mean squares of gradients, for Adam only.
    pub(crate) second: Vec<f32>,
}

impl OptimiserState {
    pub(crate) fn new(optimiser: Optimiser, parameters: usize) -> Self {
        let second = match optimiser {
            Optimiser::Sgd { .. } => 0,
            Optimiser::Adam => parameters,
        };
        Self { first: vec![0.0; parameters], second: vec![0.0; second] }
    }

    /// Applies one gradient; `step` counts from zero.
    pub(crate) fn apply(&mut self, schedule: &Schedule, rate: f64, step: u64, values: &mut [f32], gradient: &[f32]) {
        let kept = (1.0 - rate * schedule.weight_decay) as f32;
        match schedule.optimiser {
            Optimiser::Sgd { momentum } => {
                let (momentum, rate) = (momentum as f32, rate as f32);
                for ((x, v), g) in values.iter_mut().zip(&mut self.first).zip(gradient) {
                    *v = momentum * *v + g;
                    *x = *x * kept - rate * *v;
                }
            }
            Optimiser::Adam => self.adam(rate, kept, step, values, gradient),
        }
    }

    fn adam(&mut self, rate: f64, kept: f32, step: u64, values: &mut [f32], gradient: &[f32]) {
        const MEAN: f64 = 0.9;
        const SQUARE: f64 = 0.999;
        const LEAST: f32 = 1e-8;
        // Both means start at zero; this corrects their bias.
        let warm = |share: f64| 1.0 - share.powf(step as f64 + 1.0);
        let (rate, square) = ((rate / warm(MEAN)) as f32, (1.0 / warm(SQUARE)) as f32);
        let (mean_share, square_share) = (MEAN as f32, SQUARE as f32);
        let state = self.first.iter_mut().zip(&mut self.second);
        for ((x, (m, v)), &g) in values.iter_mut().zip(state).zip(gradient) {
            *m = mean_share * *m + (1.0 - mean_share) * g;
            *v = square_share * *v + (1.0 - square_share) * g * g;
            *x = *x * kept - rate * *m / ((*v * square).sqrt() + LEAST);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{columns, small_cnn};
    use crate::{NetworkKind, testing::classes};

    #[test]
    fn defaults_are_allowed_and_senseless_constants_are_named() {
        let good = Schedule::default_for(&small_cnn(), &classes(3));
        good.check().unwrap();
        let mlp = NetworkKind::Mlp(vec![4]).network(columns(3), 1).unwrap();
        Schedule::default_for(&mlp, &Task::Regression).check().unwrap();
        let refusal = |change: fn(&mut Schedule)| {
            let mut schedule = good;
            change(&mut schedule);
            schedule.check().unwrap_err().name
        };
        assert_eq!(refusal(|schedule| schedule.rate = f64::NAN), "rate");
        assert_eq!(refusal(|schedule| schedule.batch = 0), "batch");
        assert_eq!(refusal(|schedule| schedule.epochs = 0), "epochs");
        assert_eq!(refusal(|schedule| schedule.weight_decay = -1.0), "weight_decay");
        assert_eq!(refusal(|schedule| schedule.optimiser = Optimiser::Sgd { momentum: 1.0 }), "momentum");
    }

    #[test]
    fn schedules_are_written_plainly() {
        let text = r#"{"optimiser":{"sgd":{"momentum":0.9}},"rate":0.1,"fall":"cosine","batch":32,"epochs":2}"#;
        let schedule: Schedule = serde_json::from_str(text).unwrap();
        assert_eq!(schedule.optimiser, Optimiser::Sgd { momentum: 0.9 });
        assert!(serde_json::from_str::<Schedule>(&text.replace("rate", "speed")).is_err());
    }

    #[test]
    fn rates_fall_to_zero() {
        for (fall, middle) in [(RateDecay::Constant, 1.0), (RateDecay::Linear, 0.5), (RateDecay::Cosine, 0.5)] {
            assert!((fall.left(0.5) - middle).abs() < 1e-12);
            assert!((fall.left(0.0) - 1.0).abs() < 1e-12);
        }
        assert!(RateDecay::Cosine.left(1.0).abs() < 1e-12 && RateDecay::Linear.left(1.0) == 0.0);
    }

    /// A bowl with its bottom at 1: `g = x - 1`.
    #[test]
    fn optimisers_find_the_bottom() {
        for optimiser in [Optimiser::Sgd { momentum: 0.5 }, Optimiser::Adam] {
            let schedule =
                Schedule { optimiser, rate: 0.1, fall: RateDecay::Linear, batch: 1, epochs: 1, weight_decay: 0.0 };
            let (mut x, mut memory) = ([4.0], OptimiserState::new(optimiser, 1));
            for step in 0..200 {
                let gradient = [x[0] - 1.0];
                memory.apply(&schedule, schedule.rate_at(step, 200), step, &mut x, &gradient);
            }
            assert!((x[0] - 1.0).abs() < 1e-2, "{optimiser:?}: {}", x[0]);
        }
    }
}
