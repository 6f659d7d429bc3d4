//! The noise of an update as it grows: each step has its own type, so that a budget cannot be added up in the wrong order.

use super::parameters::{DIMENSION, MASK_ERROR_LOG2, Parameters};
use std::marker::PhantomData;

/// Fresh from encryption.
#[derive(Debug, Clone, Copy)]
pub enum Fresh {}
/// After the linear map.
#[derive(Debug, Clone, Copy)]
pub enum Mapped {}
/// After the encryption of zero.
#[derive(Debug, Clone, Copy)]
pub enum Rerandomised {}
/// After the flood: what the key holder sees.
#[derive(Debug, Clone, Copy)]
pub enum Flooded {}

/// Variance of the noise on one coefficient, in units of the torus modulo 2^64.
#[derive(Debug, Clone, Copy)]
pub struct Noise<Step> {
    params: Parameters,
    variance: f64,
    step: PhantomData<Step>,
}

impl<Step> Noise<Step> {
    /// The variance.
    pub const fn variance(&self) -> f64 {
        self.variance
    }

    /// The standard deviation.
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
        Self { params: *params, variance: params.sigma().powi(2), step: PhantomData }
    }

    /// After a row of the map with this norm in units of 2^-p.
    pub fn after_map(self, row_norm: f64) -> Noise<Mapped> {
        self.then(self.variance * row_norm.powi(2))
    }

    /// After the longest row that a map can have: norm one, and the rounding of every entry.
    pub fn after_any_map(self) -> Noise<Mapped> {
        let rounding = (self.params.shape().inputs as f64).sqrt();
        let row_norm = self.params.map_scale() + rounding;
        self.after_map(row_norm)
    }
}

impl Noise<Mapped> {
    /// After the encryption of zero: half of the key's errors are chosen, and half of the mask errors meet a key bit.
    pub fn after_rerandomise(self) -> Noise<Rerandomised> {
        let chosen = DIMENSION as f64 / 2.0;
        let key_error = self.params.sigma().powi(2);
        // Variance of the uniform distribution on [-2^b, 2^b] whose two ends count half.
        let mask_error = (f64::from(2 * MASK_ERROR_LOG2 + 1).exp2() + 1.0) / 6.0;
        self.then(self.variance + chosen * (key_error + mask_error))
    }
}

impl Noise<Rerandomised> {
    /// After the flood.
    pub fn after_flood(self) -> Noise<Flooded> {
        self.then(self.variance + self.params.flood().powi(2))
    }
}

impl Noise<Flooded> {
    /// The standard deviation of an update's error in units of weights.
    pub fn error_std_weight_units(&self) -> f64 {
        self.deviation() / self.params.update_scale()
    }
}

impl Parameters {
    /// The noise of an update, at most.
    pub fn noise(&self) -> Noise<Flooded> {
        Noise::fresh(self).after_any_map().after_rerandomise().after_flood()
    }
}
