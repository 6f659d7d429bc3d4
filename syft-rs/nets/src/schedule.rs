//! How a Mine trains.

use crate::network::{Layer, Network};
use serde::{Deserialize, Serialize};
use syft::Task;
use thiserror::Error;

/// A constant that makes no sense.
#[derive(Debug, Clone, Copy, PartialEq, Error)]
#[error("{name} = {value} is not allowed: it must be {must}")]
pub struct ConstantError {
    /// Which one.
    pub name: &'static str,
    /// Its value.
    pub value: f64,
    /// What is allowed.
    pub must: &'static str,
}

/// Refuses a value that is not good.
pub(crate) fn require(name: &'static str, value: f64, good: bool, must: &'static str) -> Result<(), ConstantError> {
    if good { Ok(()) } else { Err(ConstantError { name, value, must }) }
}

/// What becomes of a gradient.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Optimiser {
    /// Stochastic gradient descent: `v ← momentum·v + g`, `x ← x - rate·v`.
    Sgd {
        /// How much of the last step goes into the next.
        momentum: f64,
    },
    /// Kingma and Ba 2015, with their constants 0.9, 0.999 and 10^-8.
    Adam,
}

/// How the rate falls over the steps of a training.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fall {
    /// Not at all.
    Constant,
    /// In a straight line to zero.
    Linear,
    /// Along half a wave of the cosine to zero.
    Cosine,
}

impl Fall {
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
    /// What becomes of a gradient.
    pub optimiser: Optimiser,
    /// Step size at the start.
    pub rate: f64,
    /// How it falls.
    pub fall: Fall,
    /// Examples of one step.
    pub batch: usize,
    /// How often each example is used.
    pub epochs: u32,
    /// In each step the parameters shrink by this share of the rate, apart from the gradient (Loshchilov and Hutter 2019).
    #[serde(default)]
    pub weight_decay: f64,
}

impl Schedule {
    /// What works well for a network and a task.
    pub fn default_for(network: &Network, task: &Task) -> Self {
        let has_filters = network.layers().iter().any(|layer| matches!(layer, Layer::Conv(_)));
        let rate = match task {
            Task::Regression => 0.002,
            Task::Classification { .. } if has_filters => 0.002,
            Task::Classification { .. } => 0.003,
        };
        let (batch, epochs) = (32, if has_filters { 4 } else { 10 });
        Self { optimiser: Optimiser::Adam, rate, fall: Fall::Linear, batch, epochs, weight_decay: 0.0 }
    }

    /// Checks constants that came from outside.
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

    /// The step size after so many of all steps.
    pub(crate) fn rate_at(&self, step: u64, steps: u64) -> f64 {
        self.rate * self.fall.left(step as f64 / steps as f64)
    }
}

/// What an optimiser remembers from step to step: nothing but numbers, one or two a parameter.
pub(crate) struct Memory {
    pub(crate) first: Vec<f32>,
    /// Mean squares of gradients, of Adam only.
    pub(crate) second: Vec<f32>,
}

impl Memory {
    pub(crate) fn new(optimiser: Optimiser, parameters: usize) -> Self {
        let second = match optimiser {
            Optimiser::Sgd { .. } => 0,
            Optimiser::Adam => parameters,
        };
        Self { first: vec![0.0; parameters], second: vec![0.0; second] }
    }

    /// One step along a gradient; `step` counts from zero.
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
        // Both means start at zero, which is undone here.
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
        for (fall, middle) in [(Fall::Constant, 1.0), (Fall::Linear, 0.5), (Fall::Cosine, 0.5)] {
            assert!((fall.left(0.5) - middle).abs() < 1e-12);
            assert!((fall.left(0.0) - 1.0).abs() < 1e-12);
        }
        assert!(Fall::Cosine.left(1.0).abs() < 1e-12 && Fall::Linear.left(1.0) == 0.0);
    }

    /// A bowl with its bottom at 1: `g = x - 1`.
    #[test]
    fn optimisers_find_the_bottom() {
        for optimiser in [Optimiser::Sgd { momentum: 0.5 }, Optimiser::Adam] {
            let schedule =
                Schedule { optimiser, rate: 0.1, fall: Fall::Linear, batch: 1, epochs: 1, weight_decay: 0.0 };
            let (mut x, mut memory) = ([4.0], Memory::new(optimiser, 1));
            for step in 0..200 {
                let gradient = [x[0] - 1.0];
                memory.apply(&schedule, schedule.rate_at(step, 200), step, &mut x, &gradient);
            }
            assert!((x[0] - 1.0).abs() < 1e-2, "{optimiser:?}: {}", x[0]);
        }
    }
}
