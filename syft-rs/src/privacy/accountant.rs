//! Rényi differential privacy: curves of mechanisms, their composition, and the (ε, δ) that follows.

use super::error::{PrivacyError, check_delta};
use super::renyi::to_epsilon;
use super::zcdp::Zcdp;
use std::sync::LazyLock;

/// The orders at which curves are kept: dense where few releases are accounted best, sparse towards 1024.
static ORDERS: LazyLock<Vec<f64>> = LazyLock::new(|| {
    let near_one = [1.01, 1.02, 1.05];
    let tenths = (11..110).map(|tenth| f64::from(tenth) / 10.0);
    let whole = (11..64).map(f64::from);
    let large = [64.0, 80.0, 96.0, 128.0, 192.0, 256.0, 384.0, 512.0, 1024.0];
    near_one.into_iter().chain(tenths).chain(whole).chain(large).collect()
});

/// A bound on the Rényi divergence between neighbours, by order. Curves of releases on the same data add up, even if later releases depend on
/// earlier ones.
#[derive(Debug, Clone, PartialEq)]
pub struct Rdp(Vec<f64>);

impl Rdp {
    fn by_order(divergence: impl Fn(f64) -> f64) -> Self {
        Self(ORDERS.iter().map(|&order| divergence(order)).collect())
    }

    /// The orders at which curves are kept, ascending from 1.01 to 1024.
    pub fn orders() -> &'static [f64] {
        &ORDERS
    }

    /// The Gaussian mechanism with noise of `multiplier` times the sensitivity.
    pub fn gaussian(multiplier: f64) -> Result<Self, PrivacyError> {
        Ok(Zcdp::gaussian(multiplier)?.into())
    }

    /// The Gaussian mechanism on a Poisson sample that holds each record with probability `rate`. Neighbours differ by one record more or less, and
    /// `multiplier` refers to what one record adds (Mironov, Talwar, Zhang 2019, arXiv:1908.10530).
    pub fn subsampled_gaussian(rate: f64, multiplier: f64) -> Result<Self, PrivacyError> {
        if !(0.0..=1.0).contains(&rate) {
            return Err(PrivacyError::Rate(rate));
        }
        let whole = Self::gaussian(multiplier)?;
        if rate == 0.0 {
            return Ok(Self::by_order(|_| 0.0));
        }
        if rate == 1.0 {
            return Ok(whole);
        }
        Ok(Self::by_order(|order| {
            let log_moment = if order.fract() == 0.0 {
                log_moment_whole(rate, multiplier, order)
            } else {
                log_moment_fractional(rate, multiplier, order)
            };
            log_moment.max(0.0) / (order - 1.0)
        }))
    }

    /// The curve of `releases` releases of this kind.
    #[must_use]
    pub fn times(mut self, releases: u64) -> Self {
        self.0.iter_mut().for_each(|divergence| *divergence *= releases as f64);
        self
    }

    /// The curve of these releases and others together.
    #[must_use]
    pub fn and(mut self, other: &Self) -> Self {
        self.0.iter_mut().zip(&other.0).for_each(|(divergence, more)| *divergence += more);
        self
    }

    /// The ε of (ε, δ)-differential privacy, by the best of the orders (Canonne, Kamath, Steinke 2020, proposition 12).
    pub fn epsilon(&self, delta: f64) -> Result<f64, PrivacyError> {
        check_delta(delta)?;
        let at = |(&divergence, &order): (&f64, &f64)| to_epsilon(order, divergence, delta);
        Ok(self.0.iter().zip(ORDERS.iter()).map(at).fold(f64::INFINITY, f64::min).max(0.0))
    }
}

impl From<Zcdp> for Rdp {
    fn from(cost: Zcdp) -> Self {
        Self::by_order(|order| order * cost.rho())
    }
}

/// `ln Σ_k C(α,k) (1-q)^(α-k) q^k exp((k²-k)/(2σ²))`.
fn log_moment_whole(rate: f64, multiplier: f64, order: f64) -> f64 {
    let mut log_choose = 0.0;
    let terms = (0..=order as u32).map(|k| {
        let k = f64::from(k);
        let log_term =
            log_choose + k * rate.ln() + (order - k) * (-rate).ln_1p() + (k * k - k) / (2.0 * multiplier * multiplier);
        log_choose += ((order - k) / (k + 1.0)).ln();
        (1.0, log_term)
    });
    log_sum(&terms.collect::<Vec<_>>())
}

/// The same for orders between whole numbers: two infinite series, one on each side of the point where the densities of sample and no sample are
/// equal (section 3.3 of the paper).
fn log_moment_fractional(rate: f64, multiplier: f64, order: f64) -> f64 {
    /// Logarithm below which terms do not change the sum, which is at least one.
    const NEGLIGIBLE: f64 = -34.0;
    let variance = multiplier * multiplier;
    let middle = variance * (1.0 / rate - 1.0).ln() + 0.5;
    let log_tail = |x: f64| log_erfc(x / (std::f64::consts::SQRT_2 * multiplier)) - std::f64::consts::LN_2;
    let (mut choose, mut terms) = (1.0_f64, Vec::new());
    for i in 0_u32.. {
        let i = f64::from(i);
        let j = order - i;
        let log_choose = choose.abs().ln();
        let left =
            log_choose + i * rate.ln() + j * (-rate).ln_1p() + (i * i - i) / (2.0 * variance) + log_tail(i - middle);
        let right =
            log_choose + j * rate.ln() + i * (-rate).ln_1p() + (j * j - j) / (2.0 * variance) + log_tail(middle - j);
        terms.extend([(choose.signum(), left), (choose.signum(), right)]);
        if i > order && left.max(right) < NEGLIGIBLE {
            break;
        }
        choose *= j / (i + 1.0);
    }
    log_sum(&terms)
}

/// The logarithm of a sum whose terms are given by sign and logarithm.
fn log_sum(terms: &[(f64, f64)]) -> f64 {
    let largest = terms.iter().map(|&(_, log)| log).fold(f64::NEG_INFINITY, f64::max);
    largest + terms.iter().map(|&(sign, log)| sign * (log - largest).exp()).sum::<f64>().ln()
}

/// `ln erfc(x)`, also where `erfc(x)` is too small for `f64`.
fn log_erfc(x: f64) -> f64 {
    if x < 25.0 {
        return libm::erfc(x).ln();
    }
    let s = 0.5 / (x * x);
    // Further terms of the asymptotic series are below 10^-10 here.
    -x * x - (x * std::f64::consts::PI.sqrt()).ln() + (s * (-1.0 + s * (3.0 - 15.0 * s))).ln_1p()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logarithms_of_tails_join_smoothly() {
        let exact = libm::erfc(24.9).ln();
        assert!((log_erfc(25.1) - exact - (24.9_f64.powi(2) - 25.1_f64.powi(2) + (24.9_f64 / 25.1).ln())).abs() < 1e-4);
        // From an arbitrary-precision library.
        assert!((log_erfc(30.0) - -903.974_117_110_643_9).abs() < 1e-9, "{}", log_erfc(30.0));
    }

    #[test]
    fn fractional_orders_lie_between_whole_ones() {
        for (rate, multiplier) in [(0.01, 1.0), (0.1, 0.7), (0.5, 3.0), (0.9, 2.0)] {
            let Rdp(curve) = Rdp::subsampled_gaussian(rate, multiplier).unwrap();
            assert!(curve.windows(2).all(|pair| pair[0] <= pair[1] * (1.0 + 1e-9)), "{rate} {multiplier}");
        }
    }

    #[test]
    fn sampling_all_is_not_sampling() {
        assert_eq!(Rdp::subsampled_gaussian(1.0, 2.0).unwrap(), Rdp::gaussian(2.0).unwrap());
        assert_eq!(Rdp::subsampled_gaussian(0.0, 2.0).unwrap().epsilon(1e-6).unwrap(), 0.0);
    }

    #[test]
    fn different_releases_add_up() {
        let (a, b) = (Rdp::gaussian(2.0).unwrap(), Rdp::gaussian(3.0).unwrap());
        let both = a.clone().times(4).and(&b.times(9));
        let alike = a.times(8);
        assert!((both.epsilon(1e-6).unwrap() - alike.epsilon(1e-6).unwrap()).abs() < 1e-12);
    }

    #[test]
    fn senseless_arguments_are_named() {
        for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(matches!(Rdp::gaussian(bad), Err(PrivacyError::Multiplier(_))));
        }
        for bad in [-0.1, 1.1, f64::NAN] {
            assert!(matches!(Rdp::subsampled_gaussian(bad, 1.0), Err(PrivacyError::Rate(_))));
        }
        for bad in [0.0, 1.0, f64::NAN] {
            assert!(matches!(Rdp::gaussian(1.0).unwrap().epsilon(bad), Err(PrivacyError::Delta(_))));
        }
    }
}
