//! The model as whole numbers, as it is encrypted.

use super::parameters::Parameters;
use crate::model::Weights;
use zeroize::Zeroize;

impl Parameters {
    /// The model as whole numbers, as it is encrypted. Exact for weights on the lattice.
    pub fn encode(&self, weights: &Weights) -> PublishedWeights {
        let raw = weights.values().iter().map(|weight| (weight * self.weight_scale()) as i64).collect();
        PublishedWeights { params: *self, raw }
    }
}

/// A model as whole numbers, as it is encrypted. Zeroed when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct PublishedWeights {
    params: Parameters,
    raw: Vec<i64>,
}

impl Drop for PublishedWeights {
    fn drop(&mut self) {
        self.raw.zeroize();
    }
}

impl PublishedWeights {
    pub(crate) fn raw(&self) -> &[i64] {
        &self.raw
    }

    pub(crate) fn update_scale(&self) -> f64 {
        self.params.update_scale()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shape::Shape;

    #[test]
    fn encoding_is_exact() {
        let shape = Shape { inputs: 2, outputs: 1 };
        let params = Parameters::linear(shape).unwrap();
        let weights = Weights::new(shape, &[0.3, -1.7]).unwrap();
        let back: Vec<f64> = params.encode(&weights).raw().iter().map(|&w| w as f64 / params.weight_scale()).collect();
        assert_eq!(back, weights.values());
    }
}
