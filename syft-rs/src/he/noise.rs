//! The noise of an update, step by step. Each step has its own type, so that its variance cannot be added in the wrong order.

use super::parameters::{
    DIMENSION, MASK_ERROR_LOG2, PACKING_BASE_LOG2, PACKING_BYTES, Parameters, ROW_BYTES, UPLOAD_BYTES,
};
use std::marker::PhantomData;

/// After encryption.
#[derive(Debug, Clone, Copy)]
pub enum Fresh {}
/// After the linear map.
#[derive(Debug, Clone, Copy)]
pub enum Mapped {}
/// After adding an encryption of zero.
#[derive(Debug, Clone, Copy)]
pub enum Rerandomised {}
/// After the flood: everything that follows is a public function.
#[derive(Debug, Clone, Copy)]
pub enum Flooded {}
/// After packing.
#[derive(Debug, Clone, Copy)]
pub enum Packed {}
/// After rounding to the uploaded bytes, as the key holder sees it.
#[derive(Debug, Clone, Copy)]
pub enum Uploaded {}

/// Variance of the noise on one coefficient, in units of the torus modulo 2^64.
#[derive(Debug, Clone, Copy)]
pub struct Noise<Step> {
    params: Parameters,
    variance: f64,
    step: PhantomData<Step>,
}

impl<Step> Noise<Step> {
    /// The variance, in squared units of the torus.
    pub const fn variance(&self) -> f64 {
        self.variance
    }

    /// The standard deviation, in units of the torus.
    pub fn deviation(&self) -> f64 {
        self.variance.sqrt()
    }

    fn then<Next>(self, variance: f64) -> Noise<Next> {
        Noise { params: self.params, variance, step: PhantomData }
    }
}

impl Noise<Fresh> {
    /// The noise of a published row.
    pub fn fresh(params: &Parameters) -> Self {
        Self { params: *params, variance: error(params, ROW_BYTES), step: PhantomData }
    }

    /// After a row of the map with this norm, in units of 2^-12.
    pub fn after_map(self, row_norm: f64) -> Noise<Mapped> {
        self.then(self.variance * row_norm.powi(2))
    }

    /// After the longest row that a map can have: norm one, plus the rounding of every entry.
    pub fn after_any_map(self) -> Noise<Mapped> {
        let rounding = (self.params.shape().inputs as f64).sqrt();
        let row_norm = self.params.map_scale() + rounding;
        self.after_map(row_norm)
    }
}

impl Noise<Mapped> {
    /// After the encryption of zero: half of the key's errors are chosen, and half of the mask errors meet a key bit.
    pub fn after_rerandomise(self) -> Noise<Rerandomised> {
        let key_error = error(&self.params, ROW_BYTES);
        // Variance of the uniform distribution on [-2^b, 2^b] whose two ends count half.
        let mask_error = (f64::from(2 * MASK_ERROR_LOG2 + 1).exp2() + 1.0) / 6.0;
        self.then(self.variance + chosen() * (key_error + mask_error))
    }
}

impl Noise<Rerandomised> {
    /// After the flood, whose variance is a constant of the protocol.
    pub fn after_flood(self) -> Noise<Flooded> {
        self.then(self.variance + self.params.flood().powi(2))
    }
}

impl Noise<Flooded> {
    /// After packing: every digit of every mask meets an error of the packing key, and what the digits drop meets a key bit half of the time.
    pub fn after_packing(self) -> Noise<Packed> {
        let digits = (self.params.rank() * DIMENSION) as f64;
        let digit = f64::from(2 * PACKING_BASE_LOG2).exp2() / 12.0;
        let dropped = uniform(f64::from(64 - PACKING_BASE_LOG2));
        self.then(self.variance + digits * digit * error(&self.params, PACKING_BYTES) + chosen() * dropped)
    }
}

impl Noise<Packed> {
    /// After rounding to the uploaded bytes: in the body, and in the mask, which meets a key bit half of the time.
    pub fn after_rounding(self) -> Noise<Uploaded> {
        self.then(self.variance + (1.0 + chosen()) * cut(UPLOAD_BYTES))
    }
}

impl Noise<Uploaded> {
    /// The standard deviation of an update's error, in units of weights.
    pub fn error_std_weight_units(&self) -> f64 {
        self.deviation() / self.params.update_scale()
    }
}

impl Parameters {
    /// The most noise that an honest update can have.
    pub fn noise(&self) -> Noise<Uploaded> {
        Noise::fresh(self).after_any_map().after_rerandomise().after_flood().after_packing().after_rounding()
    }
}

/// Half of the bits of a key, or of the coins, are ones.
const fn chosen() -> f64 {
    DIMENSION as f64 / 2.0
}

/// Variance of the error of a word that is published with `bytes` bytes.
fn error(params: &Parameters, bytes: usize) -> f64 {
    params.sigma().powi(2) + cut(bytes)
}

/// Variance of the rounding to `bytes` of eight bytes.
fn cut(bytes: usize) -> f64 {
    uniform(64.0 - 8.0 * bytes as f64)
}

/// Variance of the uniform distribution on an interval of this length.
fn uniform(length_log2: f64) -> f64 {
    (2.0 * length_log2).exp2() / 12.0
}
