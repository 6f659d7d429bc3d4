//! Networks under the rule by which `syft::evaluate_window` tries updates.

use crate::model::{Delta, Model};
use syft::{Matrix, Scores, Trainable};

impl Trainable for Model {
    type Inputs = Matrix;
    type Delta = Delta;

    fn nothing(&self) -> Delta {
        Delta::zeros(self.network())
    }

    fn takes(&self, delta: &Delta) -> bool {
        delta.values().len() == self.values().len()
    }

    fn moved(&self, delta: &Delta, size: f64) -> Self {
        self.moved(delta, size)
    }

    fn predict(&self, inputs: &Matrix) -> Scores {
        self.predict(inputs)
    }
}
