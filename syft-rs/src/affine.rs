//! A Mine's training as an affine map `W -> L·W + B` in fixed point, which can be applied to an encrypted model.
//!
//! `train` computes `L` and `B`; [`AffineUpdate::quantise`] rounds them; `he` applies the result to encrypted rows, and
//! [`AffineUpdate::apply_clear`] to a model in the clear.

use crate::he::{Delta, Parameters, PublishedWeights};
use crate::shape::Shape;
use faer::Mat;
use rand::Rng;
use zeroize::Zeroize;

/// The map `W -> L·W + B` in fixed point: `L` (inputs × inputs) in units of 2^-12, `B` (inputs × outputs) in those of an encrypted update. It
/// discloses much about the data that it was trained on.
#[derive(Clone, PartialEq, Eq)]
pub struct AffineUpdate {
    shape: Shape,
    linear: Vec<i16>,
    constant: Vec<i64>,
}

impl Drop for AffineUpdate {
    fn drop(&mut self) {
        self.linear.zeroize();
        self.constant.zeroize();
    }
}

impl std::fmt::Debug for AffineUpdate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AffineUpdate({}x{}, hidden)", self.shape.inputs, self.shape.outputs)
    }
}

impl AffineUpdate {
    /// Shape of the models that the map applies to.
    pub const fn shape(&self) -> Shape {
        self.shape
    }

    pub(crate) fn linear(&self) -> &[i16] {
        &self.linear
    }

    pub(crate) fn constant(&self) -> &[i64] {
        &self.constant
    }

    #[cfg(test)]
    pub(crate) fn from_raw(shape: Shape, linear: Vec<i64>, constant: Vec<i64>) -> Self {
        assert_eq!((linear.len(), constant.len()), (shape.inputs * shape.inputs, shape.weights()));
        let linear = linear.into_iter().map(|factor| i16::try_from(factor).unwrap()).collect();
        Self { shape, linear, constant }
    }

    /// A map that was not trained on data, for measurements. Factors are row-major; the caller ensures that no result wraps.
    #[cfg(feature = "bench")]
    pub fn from_factors(shape: Shape, linear: Vec<i16>) -> Self {
        assert_eq!(linear.len(), shape.inputs * shape.inputs);
        Self { shape, linear, constant: vec![0; shape.weights()] }
    }

    /// Rounds `L` and `B` to fixed point, after shrinking both so that no model within the public bound makes an update wrap.
    pub(crate) fn quantise(
        linear: &Mat<f64>,
        constant: &Mat<f64>,
        params: &Parameters,
        rounding: &mut impl Rng,
    ) -> Self {
        // Rounding moves a row of L by at most this much, however far L has shrunk.
        let slack = (linear.ncols() as f64).sqrt() / params.map_scale() * params.weight_radius();
        let room = params.update_radius() - slack;
        let shrink = (room / worst_case(linear, constant, params)).min(1.0);
        let (map_scale, update_scale) = (params.map_scale() * shrink, params.update_scale() * shrink);
        // An entry is at most the norm of its row, which is at most one: 2^12 plus the rounding.
        let linear = row_major(linear).map(|x| round_at_random(x * map_scale, rounding) as i16).collect();
        let constant = row_major(constant).map(|x| (x * update_scale) as i64).collect();
        Self { shape: params.shape(), linear, constant }
    }

    /// The same map on the model in the clear, with the arithmetic of the encrypted path, so that the two results differ only by noise.
    ///
    /// The published weights should have this map's shape; missing ones count as zero.
    pub fn apply_clear(&self, published: &PublishedWeights) -> Delta {
        let outputs = self.shape.outputs;
        let mut raw = self.constant.clone();
        for (row, out) in self.linear.chunks_exact(self.shape.inputs).zip(raw.chunks_exact_mut(outputs)) {
            for (&factor, weights) in row.iter().zip(published.raw().chunks_exact(outputs)) {
                for (sum, &weight) in out.iter_mut().zip(weights) {
                    *sum = sum.wrapping_add(i64::from(factor).wrapping_mul(weight));
                }
            }
        }
        Delta::from_raw(self.shape, published.update_scale(), raw)
    }
}

/// The greatest `|(L·W + B)_ij|` over all models with columns within the public bound.
fn worst_case(linear: &Mat<f64>, constant: &Mat<f64>, params: &Parameters) -> f64 {
    let reach = |row: usize| {
        let norm = (0..linear.ncols()).map(|j| linear[(row, j)] * linear[(row, j)]).sum::<f64>().sqrt();
        let offset = (0..constant.ncols()).map(|j| constant[(row, j)].abs()).fold(0.0, f64::max);
        norm * params.weight_radius() + offset
    };
    // The factor covers the rounding of this computation.
    (0..linear.nrows()).map(reach).fold(f64::MIN_POSITIVE, f64::max) * (1.0 + 1e-9)
}

fn row_major(matrix: &Mat<f64>) -> impl Iterator<Item = f64> {
    (0..matrix.nrows()).flat_map(move |i| (0..matrix.ncols()).map(move |j| matrix[(i, j)]))
}

/// Rounds down or up at random, such that the mean is exact.
fn round_at_random(x: f64, rounding: &mut impl Rng) -> i64 {
    (x + unit(rounding)).floor() as i64
}

/// Uniform in [0, 1).
fn unit(random: &mut impl Rng) -> f64 {
    (random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}
