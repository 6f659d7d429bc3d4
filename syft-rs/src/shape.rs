//! The shape of a linear model and the limits on it.

use serde::{Deserialize, Serialize};

/// Most inputs of a linear model, the constant feature included: a Mine's work grows with their square.
pub const MAX_INPUTS: usize = 4096;
/// Most outputs of a linear model.
pub const MAX_OUTPUTS: usize = 1024;

/// Number of inputs and outputs of a linear model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shape {
    /// Number of features, the constant one included.
    pub inputs: usize,
    /// Number of classes, or one for a regression.
    pub outputs: usize,
}

impl Shape {
    /// Number of weights.
    pub const fn weights(self) -> usize {
        self.inputs.saturating_mul(self.outputs)
    }

    /// Every column of a model has Euclidean norm at most 2 to this power. A small bound means little noise; only a regression needs a larger one,
    /// because classes are decided by comparison, for which any scale of the scores will do.
    pub const fn radius_log2(self) -> u32 {
        if self.outputs == 1 { 3 } else { 1 }
    }

    pub(crate) fn radius(self) -> f64 {
        f64::from(self.radius_log2()).exp2()
    }
}
