//! Linear models and their scores. Weights lie on a fixed-point lattice, so scores are exact in `f64` in any order of summation.

use crate::features::Features;
use crate::lattice::{LATTICE_BITS, round_to_bits, truncate_to_lattice};
use crate::shape::Shape;
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use std::collections::HashMap;
use thiserror::Error;
use zeroize::{Zeroize, Zeroizing};

const TENSOR: &str = "weights";
const SAFETENSORS_LIMIT: usize = 64 << 20;

/// Weights that are not a valid model.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum ModelError {
    /// The number of values differs from the shape.
    #[error("a model of {inputs}x{outputs} needs {need} weights, not {have}", need = shape.inputs * shape.outputs, inputs = shape.inputs, outputs = shape.outputs)]
    Length {
        /// Shape of the model.
        shape: Shape,
        /// Number of values given.
        have: usize,
    },
    /// A weight is NaN or infinite.
    #[error("weight {row},{column} is not a finite number")]
    NotFinite {
        /// Index of the input.
        row: usize,
        /// Index of the output.
        column: usize,
    },
    /// A column is longer than the public bound.
    #[error("the weights of output {column} have norm {norm:.3}, above the public bound {bound}; scale the model down")]
    TooLarge {
        /// Index of the output.
        column: usize,
        /// Euclidean norm of its weights.
        norm: f64,
        /// The public bound on the norm.
        bound: f64,
    },
    /// The file is not a safetensors file with the expected tensor.
    #[error("cannot read the model file: {0}")]
    File(String),
}

/// The weights of a linear model, row-major by input. Zeroed when dropped, and never printed.
#[derive(Clone, PartialEq)]
pub struct Weights {
    shape: Shape,
    values: Vec<f64>,
}

impl Drop for Weights {
    fn drop(&mut self) {
        self.values.zeroize();
    }
}

impl std::fmt::Debug for Weights {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Weights({}x{}, hidden)", self.shape.inputs, self.shape.outputs)
    }
}

impl Weights {
    /// The model with all weights zero, from which campaigns usually start.
    pub fn zeros(shape: Shape) -> Self {
        Self { shape, values: vec![0.0; shape.weights()] }
    }

    /// A model from these weights, rounded to the lattice. Fails if a weight is not finite or a column is longer than the public bound.
    pub fn new(shape: Shape, values: &[f64]) -> Result<Self, ModelError> {
        if values.len() != shape.weights() {
            return Err(ModelError::Length { shape, have: values.len() });
        }
        if let Some(at) = values.iter().position(|value| !value.is_finite()) {
            return Err(ModelError::NotFinite { row: at / shape.outputs, column: at % shape.outputs });
        }
        let bound = shape.radius();
        for column in 0..shape.outputs {
            let norm = column_norm(values, shape.outputs, column);
            if norm > bound * (1.0 + 1e-6) {
                return Err(ModelError::TooLarge { column, norm, bound });
            }
        }
        Ok(Self::project(shape, values.to_vec()))
    }

    /// Rounds to the lattice and shortens columns to the public bound. NaN becomes zero, so that garbage is only a bad model.
    #[must_use]
    pub fn project(shape: Shape, mut values: Vec<f64>) -> Self {
        let limit = shape.radius();
        for value in &mut values {
            let safe = if value.is_nan() { 0.0 } else { value.clamp(-1e6, 1e6) };
            *value = round_to_bits(safe, LATTICE_BITS);
        }
        for column in 0..shape.outputs {
            let norm = column_norm(&values, shape.outputs, column);
            if norm > limit {
                // Rounding towards zero keeps the bound.
                for value in values.iter_mut().skip(column).step_by(shape.outputs) {
                    *value = truncate_to_lattice(*value * (limit / norm));
                }
            }
        }
        Self { shape, values }
    }

    /// Number of inputs and outputs.
    pub const fn shape(&self) -> Shape {
        self.shape
    }

    /// The weights, row-major by input.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// Scores of `features · W`, exact: no sum of products is rounded, because factors are multiples of 2^-20 and scores are small.
    ///
    /// The features should have one column per input; missing columns count as zero.
    pub fn predict(&self, features: &Features) -> Scores {
        let Shape { inputs, outputs } = self.shape;
        let mut values = vec![0.0; features.rows() * outputs];
        let common = inputs.min(features.columns());
        let x = MatRef::from_row_major_slice(features.values(), features.rows(), features.columns());
        let weights = MatRef::from_row_major_slice(&self.values, inputs, outputs);
        let scores = MatMut::from_row_major_slice_mut(&mut values, features.rows(), outputs);
        matmul(scores, Accum::Replace, x.subcols(0, common), weights.subrows(0, common), 1.0, Par::Seq);
        Scores { outputs, values }
    }

    /// The model as a safetensors file: one `F64` tensor `weights` of shape (inputs, outputs), and `metadata`.
    pub fn to_safetensors(&self, metadata: HashMap<String, String>) -> Result<Vec<u8>, ModelError> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(8 * self.values.len()));
        bytes.extend(self.values.iter().flat_map(|value| value.to_le_bytes()));
        let view = TensorView::new(Dtype::F64, vec![self.shape.inputs, self.shape.outputs], &bytes)
            .map_err(|error| ModelError::File(error.to_string()))?;
        let metadata = (!metadata.is_empty()).then_some(metadata);
        safetensors::serialize([(TENSOR, view)], metadata).map_err(|error| ModelError::File(error.to_string()))
    }

    /// Reads a model from an untrusted safetensors file: one `F64` or `F32` tensor `weights`, at most 64 MiB.
    pub fn from_safetensors(bytes: &[u8]) -> Result<Self, ModelError> {
        if bytes.len() > SAFETENSORS_LIMIT {
            return Err(ModelError::File(format!("more than {SAFETENSORS_LIMIT} bytes")));
        }
        let file = SafeTensors::deserialize(bytes).map_err(|error| ModelError::File(error.to_string()))?;
        let tensor = file.tensor(TENSOR).map_err(|_| ModelError::File(format!("no tensor named `{TENSOR}`")))?;
        let &[inputs, outputs] = tensor.shape() else {
            return Err(ModelError::File(format!("tensor `{TENSOR}` must have two dimensions")));
        };
        if inputs == 0 || outputs == 0 {
            return Err(ModelError::File(format!("tensor `{TENSOR}` is empty")));
        }
        let values: Zeroizing<Vec<f64>> = Zeroizing::new(match tensor.dtype() {
            Dtype::F64 => words(tensor.data()).map(f64::from_le_bytes).collect(),
            Dtype::F32 => words(tensor.data()).map(|word| f64::from(f32::from_le_bytes(word))).collect(),
            other => {
                return Err(ModelError::File(format!("tensor `{TENSOR}` is {other:?}, expected F64 or F32")));
            }
        });
        Self::new(Shape { inputs, outputs }, &values)
    }
}

fn words<const N: usize>(bytes: &[u8]) -> impl Iterator<Item = [u8; N]> {
    bytes.as_chunks::<N>().0.iter().copied()
}

fn column_norm(values: &[f64], outputs: usize, column: usize) -> f64 {
    values.iter().skip(column).step_by(outputs).map(|value| value * value).sum::<f64>().sqrt()
}

/// Scores of a model, row-major by example.
#[derive(Debug, Clone, PartialEq)]
pub struct Scores {
    outputs: usize,
    values: Vec<f64>,
}

impl Scores {
    /// Scores with this number of outputs per row.
    pub fn new(outputs: usize, values: Vec<f64>) -> Self {
        Self { outputs, values }
    }

    /// Number of scores per row.
    pub const fn outputs(&self) -> usize {
        self.outputs
    }

    /// The scores of each example, in order.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[f64]> {
        self.values.chunks_exact(self.outputs.max(1))
    }

    /// The class with the highest score for each example; of equal scores, the first.
    pub fn classes(&self) -> impl ExactSizeIterator<Item = usize> {
        self.rows().map(|row| {
            let first = (0, f64::NEG_INFINITY);
            row.iter()
                .enumerate()
                .fold(first, |best, (class, &score)| if score > best.1 { (class, score) } else { best })
                .0
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: Shape = Shape { inputs: 2, outputs: 2 };

    #[test]
    fn safetensors_round_trip_is_exact() {
        let weights = Weights::new(SHAPE, &[0.1, -1.5, 1.3, 1.0]).unwrap();
        let metadata = HashMap::from([("campaign".into(), "digits".into())]);
        let bytes = weights.to_safetensors(metadata).unwrap();
        assert_eq!(Weights::from_safetensors(&bytes).unwrap(), weights);
    }

    #[test]
    fn unusable_models_are_refused() {
        assert!(matches!(Weights::new(SHAPE, &[0.0; 3]), Err(ModelError::Length { .. })));
        assert!(matches!(
            Weights::new(SHAPE, &[0.0, f64::NAN, 0.0, 0.0]),
            Err(ModelError::NotFinite { row: 0, column: 1 })
        ));
        assert!(matches!(Weights::new(SHAPE, &[9.0, 0.0, 0.0, 0.0]), Err(ModelError::TooLarge { column: 0, .. })));
        assert!(matches!(Weights::from_safetensors(b"garbage"), Err(ModelError::File(_))));
    }

    #[test]
    fn projection_bounds_any_garbage() {
        let wild = vec![f64::NAN, f64::INFINITY, -1e300, 7.0];
        let weights = Weights::project(SHAPE, wild);
        for column in 0..2 {
            assert!(column_norm(weights.values(), 2, column) <= 2.0);
        }
    }

    #[test]
    fn ties_go_to_the_first_class() {
        let scores = Scores::new(3, vec![1.0, 1.0, 0.0, -1.0, 2.0, 2.0]);
        assert_eq!(scores.classes().collect::<Vec<_>>(), [0, 1]);
    }
}
