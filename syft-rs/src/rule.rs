//! The public training rule of a campaign: how a Mine moves the model towards its own data ([`Rule`]), and what scores the classes should have
//! ([`Labels`]).
//!
//! A rule acts on the eigenvalues of the data's Gram matrix; `train` computes with them, and `privacy` bounds what one record can change.

use crate::data::Task;
use crate::features::{Expansion, FeatureMap};
use crate::lattice::round_digits;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A constant of a rule that is outside its range.
#[derive(Debug, Clone, Copy, PartialEq, Error)]
#[error("{name} = {value} is not allowed: it must be {must}")]
pub struct RuleError {
    /// Name of the constant, as in the campaign file.
    pub name: &'static str,
    /// Its value.
    pub value: f64,
    /// The allowed range, in words.
    pub must: &'static str,
}

/// How a Mine moves the model towards its own data, with squared loss.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Rule {
    /// A number of steps of gradient descent from the published model.
    LocalSteps {
        /// Number of steps, 1 to 1,000,000.
        steps: u32,
        /// Step size, at most 1 because rows have norm at most 1.
        rate: f64,
    },
    /// The minimiser of the loss plus `rho/2` times the squared distance from the published model plus `decay/2` times the model's squared norm.
    /// Without decay, weights in directions in which no data varies would never shrink.
    Proximal {
        /// Weight of the distance, 10^-6 to 1000.
        rho: f64,
        /// Weight of the norm, 0 to 1000.
        #[serde(default)]
        decay: f64,
    },
}

/// Distance between the scores of the right class and of the others, where weights would be too long for larger ones.
const SMALL_SCORE: f64 = 0.1;

/// The scores that a model should give, both between -1 and 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Labels {
    /// Score of the right class.
    pub right: f64,
    /// Score of every other class.
    pub wrong: f64,
}

impl Labels {
    /// Default scores for these features and this number of classes. Classes are decided by comparison, so any scale will do: random features need
    /// long weights, and small scores whose sum is zero keep these within the public bound.
    pub fn default_for(map: &FeatureMap, classes: usize) -> Self {
        if matches!(map.expansion, Expansion::Identity | Expansion::Polynomial) {
            return Self { right: 1.0, wrong: -1.0 };
        }
        Self::small(classes)
    }

    /// Small scores whose sum over the classes is zero.
    pub fn small(classes: usize) -> Self {
        let wrong = -SMALL_SCORE / classes.max(1) as f64;
        Self { right: SMALL_SCORE + wrong, wrong }
    }

    /// Whether these are default scores for this number of classes. Other scores weigh classes by the choice of somebody who may know which rows
    /// have a rare class.
    pub fn is_default(&self, classes: usize) -> bool {
        [Self { right: 1.0, wrong: -1.0 }, Self::small(classes)].contains(self)
    }

    /// The greatest absolute target of a model with this number of outputs. Predicted numbers are within ±1.
    pub(crate) const fn largest(&self, outputs: usize) -> f64 {
        if outputs == 1 { 1.0 } else { self.right.abs().max(self.wrong.abs()) }
    }

    /// Checks constants from an untrusted source.
    pub fn check(&self) -> Result<(), RuleError> {
        let fits = |x: f64| (-1.0..=1.0).contains(&x);
        if fits(self.right) && fits(self.wrong) && self.right > self.wrong {
            return Ok(());
        }
        let must = "above that of wrong ones, and both between -1 and 1";
        Err(RuleError { name: "the score of right classes", value: self.right, must })
    }
}

impl Rule {
    /// Default rule for a task and these features.
    pub fn default_for(task: &Task, map: &FeatureMap) -> Self {
        let inputs = map.inputs() as f64;
        let (rho, decay) = match (map.expansion, task) {
            (_, Task::Regression) => (0.03, 0.003),
            // Each of many features matters less, so the rule gets weaker with their number.
            (Expansion::RandomRelu { .. }, _) => (0.25 / inputs, (0.125 / inputs).min(64_000.0 / inputs.powi(3))),
            (Expansion::RandomConv { .. }, _) => return Self::close(map),
            (Expansion::Identity | Expansion::Polynomial, _) => (0.003, 0.0015),
        };
        Self::Proximal { rho: round_digits(rho), decay: round_digits(decay) }
    }

    /// A rule that fits the data closely, for features that each disclose something about the classes: activations of a trained network, or
    /// convolutions of an image.
    pub fn close(map: &FeatureMap) -> Self {
        let inputs = map.inputs() as f64;
        Self::Proximal { rho: round_digits(0.05 / inputs), decay: round_digits(0.025 / inputs) }
    }

    /// Checks constants from an untrusted source.
    pub fn check(&self) -> Result<(), RuleError> {
        let (name, value, good, must) = match *self {
            Self::LocalSteps { steps, .. } if steps == 0 || steps > 1_000_000 => {
                ("steps", f64::from(steps), false, "between 1 and 1000000")
            }
            Self::LocalSteps { rate, .. } => ("rate", rate, rate > 0.0 && rate <= 1.0, "above 0 and at most 1"),
            Self::Proximal { rho, .. } if !(1e-6..=1e3).contains(&rho) => {
                ("rho", rho, false, "between 0.000001 and 1000")
            }
            Self::Proximal { decay, .. } => ("decay", decay, (0.0..=1e3).contains(&decay), "between 0 and 1000"),
        };
        if good { Ok(()) } else { Err(RuleError { name, value, must }) }
    }

    /// For an eigenvalue `w` of the Gram matrix, in [0, 1]: the eigenvalues of -L and of the map from M to B.
    pub(crate) fn filter(&self, w: f64) -> (f64, f64) {
        match *self {
            Self::Proximal { rho, decay } => ((w + decay) / (w + rho + decay), 1.0 / (w + rho + decay)),
            Self::LocalSteps { steps, rate } => {
                // 1 - (1 - rate·w)^steps, without losing the digits of a small w.
                let moved = -(f64::from(steps) * (-rate * w).ln_1p()).exp_m1();
                let gain = if w > 0.0 { moved / w } else { rate * f64::from(steps) };
                (moved, gain)
            }
        }
    }

    /// The largest eigenvalue of the map from M to B, over all data.
    pub(crate) fn gain(&self) -> f64 {
        self.filter(0.0).1
    }

    /// The most that the norm of a column of B can be, over all data with targets within ±1: a column of M has at most norm `√w` in the direction of
    /// an eigenvalue `w`.
    pub(crate) fn reach(&self) -> f64 {
        match *self {
            Self::Proximal { rho, decay } if rho + decay <= 1.0 => 0.5 / (rho + decay).sqrt(),
            Self::Proximal { rho, decay } => 1.0 / (1.0 + rho + decay),
            // The gain is also at most 1/w.
            Self::LocalSteps { .. } => self.gain().min(self.gain().sqrt()),
        }
    }
}
