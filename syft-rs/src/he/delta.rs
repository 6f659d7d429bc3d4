//! A decrypted update: the change of a linear model, as whole numbers.

use crate::shape::Shape;
use zeroize::Zeroize;

/// Bound on honest updates, with room for sixteen standard deviations of the flood.
const LARGEST: u64 = (1 << 62) + (1 << 54);

/// The change of a linear model, in the clear: whole numbers in units of an update.
#[derive(Clone, PartialEq, Eq)]
pub struct Delta {
    shape: Shape,
    scale_log2: i32,
    raw: Vec<i64>,
}

impl Drop for Delta {
    fn drop(&mut self) {
        self.raw.zeroize();
    }
}

impl std::fmt::Debug for Delta {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Delta({}x{}, hidden)", self.shape.inputs, self.shape.outputs)
    }
}

impl Delta {
    pub(crate) fn from_raw(shape: Shape, scale: f64, mut raw: Vec<i64>) -> Self {
        raw.resize(shape.weights(), 0);
        Self { shape, scale_log2: scale.log2() as i32, raw }
    }

    /// The update that changes nothing.
    pub(crate) fn zeros(shape: Shape) -> Self {
        Self { shape, scale_log2: 0, raw: vec![0; shape.weights()] }
    }

    /// False if no honest update can be this large, whatever the data. Garbage and sums that wrapped usually are.
    pub(crate) fn is_in_range(&self) -> bool {
        self.raw.iter().all(|raw| raw.unsigned_abs() <= LARGEST)
    }

    /// Number of inputs and outputs of the model.
    pub const fn shape(&self) -> Shape {
        self.shape
    }

    /// The whole numbers, row-major by input.
    pub fn raw(&self) -> &[i64] {
        &self.raw
    }

    /// One coefficient, in units of weights.
    pub fn value(&self, input: usize, output: usize) -> f64 {
        self.raw[input * self.shape.outputs + output] as f64 * f64::from(-self.scale_log2).exp2()
    }

    /// All coefficients in units of weights, row-major by input.
    pub fn values(&self) -> impl ExactSizeIterator<Item = f64> {
        let unit = f64::from(-self.scale_log2).exp2();
        self.raw.iter().map(move |&raw| raw as f64 * unit)
    }
}
