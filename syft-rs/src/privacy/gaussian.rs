//! The discrete Gaussian, sampled exactly: every decision is made on whole numbers, so no rounding of a floating-point number can leak what the
//! noise hides (Canonne, Kamath, Steinke 2020, arXiv:2004.00010, algorithms 1 to 3).

use super::error::PrivacyError;
use rand::Rng;

/// Widest noise: twice the square of this still fits 128 bits.
const WIDEST: u64 = 1 << 62;

/// The distribution on the integers with mass proportional to `exp(-x² / (2σ²))`.
///
/// Added to a whole number, its Rényi divergence is at most that of a continuous Gaussian with the same σ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiscreteGaussian {
    sigma: u64,
}

impl DiscreteGaussian {
    /// Noise with this σ, at least 1 and at most 2^62, in units of one. For other σ, choose another unit.
    pub const fn new(sigma: u64) -> Result<Self, PrivacyError> {
        if sigma >= 1 && sigma <= WIDEST { Ok(Self { sigma }) } else { Err(PrivacyError::Sigma(sigma)) }
    }

    /// The parameter σ. The standard deviation equals it within a millionth for σ = 1, and far closer for larger σ.
    pub const fn sigma(&self) -> u64 {
        self.sigma
    }

    /// Draws once. The time depends on the draw.
    pub fn sample(&self, coins: &mut impl Rng) -> i128 {
        loop {
            let draw = Laplace::sample(self.sigma, coins);
            if self.accepts(&draw, coins) {
                return draw.value(self.sigma);
            }
        }
    }

    /// True with probability `exp(-(|y| - σ)² / (2σ²))`, which turns a Laplace of scale σ into a Gaussian.
    ///
    /// With `|y| = vσ + u` the exponent is `(v-1)²/2 + (v-1)·u/σ + u²/(2σ²)`: three parts that each fit 128 bits.
    fn accepts(&self, &Laplace { quotient, rest, .. }: &Laplace, coins: &mut impl Rng) -> bool {
        let sigma = u128::from(self.sigma);
        let quadratic =
            |distance: u64, coins: &mut _| bernoulli_exp(u128::from(distance).pow(2), 2 * sigma * sigma, coins);
        let Some(over) = quotient.checked_sub(1) else {
            return quadratic(self.sigma - rest, coins);
        };
        let square = over.saturating_mul(over);
        (0..square / 2).all(|_| bernoulli_exp(1, 1, coins))
            && (square.is_multiple_of(2) || bernoulli_exp(1, 2, coins))
            && (0..over).all(|_| bernoulli_exp(u128::from(rest), sigma, coins))
            && quadratic(rest, coins)
    }
}

/// A draw from the discrete Laplace distribution with mass proportional to `exp(-|y|/scale)`, `|y| = quotient·scale + rest`.
struct Laplace {
    quotient: u64,
    rest: u64,
    negative: bool,
}

impl Laplace {
    fn sample(scale: u64, coins: &mut impl Rng) -> Self {
        loop {
            let rest = below(u128::from(scale), coins);
            if !bernoulli_exp(rest, u128::from(scale), coins) {
                continue;
            }
            let mut quotient = 0;
            while bernoulli_exp(1, 1, coins) {
                quotient += 1;
            }
            let negative = coins.next_u32() & 1 == 1;
            // Zero has only one sign, or it would occur twice as often.
            if !(negative && quotient == 0 && rest == 0) {
                return Self { quotient, rest: rest as u64, negative };
            }
        }
    }

    fn value(&self, scale: u64) -> i128 {
        let size = i128::from(self.quotient) * i128::from(scale) + i128::from(self.rest);
        if self.negative { -size } else { size }
    }
}

/// True with probability `exp(-n/d)`, for `n <= d` (algorithm 1: the series of the exponential function as a game).
fn bernoulli_exp(n: u128, d: u128, coins: &mut impl Rng) -> bool {
    let mut round = 1_u128;
    while below(d, coins) < n && below(round, coins) == 0 {
        round += 1;
    }
    round % 2 == 1
}

/// Uniform below a positive bound. Numbers beyond the last multiple of the bound are drawn again, to avoid a bias.
fn below(bound: u128, coins: &mut impl Rng) -> u128 {
    // For a bound of 1 the shift is 128 bits, and the mask 0.
    let mask = u128::MAX.checked_shr((bound - 1).leading_zeros()).unwrap_or(0);
    loop {
        let word = if bound >> 64 == 0 {
            u128::from(coins.next_u64())
        } else {
            u128::from(coins.next_u64()) << 64 | u128::from(coins.next_u64())
        };
        if word & mask < bound {
            return word & mask;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    fn draws(sigma: u64, count: usize) -> Vec<f64> {
        let noise = DiscreteGaussian::new(sigma).unwrap();
        let mut coins = StdRng::seed_from_u64(sigma);
        (0..count).map(|_| noise.sample(&mut coins) as f64 / sigma as f64).collect()
    }

    /// Pearson's statistic of counts, less its mean, in units of its standard deviation.
    fn chi_square(counts: &[f64], expected: &[f64]) -> f64 {
        let sum: f64 = counts.iter().zip(expected).map(|(have, want)| (have - want).powi(2) / want).sum();
        let freedom = counts.len() as f64 - 1.0;
        (sum - freedom) / (2.0 * freedom).sqrt()
    }

    #[test]
    fn small_sigma_has_the_masses_of_the_definition() {
        for sigma in [1, 2, 3] {
            let count = 200_000;
            let reach = 3 * sigma as i64;
            let mass = |x: i64| (-(x as f64 / sigma as f64).powi(2) / 2.0).exp();
            let total: f64 = (-40..=40).map(mass).sum();
            let mut counts = vec![0.0; 2 * reach as usize + 2];
            for draw in draws(sigma, count) {
                let x = (draw * sigma as f64).round() as i64;
                counts[if x.abs() <= reach { (x + reach) as usize } else { 2 * reach as usize + 1 }] += 1.0;
            }
            let mut expected: Vec<f64> = (-reach..=reach).map(|x| mass(x) / total * count as f64).collect();
            expected.push(count as f64 - expected.iter().sum::<f64>());
            let statistic = chi_square(&counts, &expected);
            assert!(statistic.abs() < 4.0, "sigma {sigma}: {statistic}");
        }
    }

    #[test]
    fn wide_noise_has_the_bins_and_moments_of_a_gaussian() {
        for sigma in [1_000, (1 << 31) + 7, 1 << 50, WIDEST] {
            let draws = draws(sigma, 100_000);
            let count = draws.len() as f64;
            let edges: Vec<f64> = (-30..=30).map(|i| f64::from(i) / 10.0).collect();
            let below = |x: f64| 0.5 * libm::erfc(-x / std::f64::consts::SQRT_2);
            let mut expected: Vec<f64> = edges.windows(2).map(|w| (below(w[1]) - below(w[0])) * count).collect();
            let mut counts: Vec<f64> =
                edges.windows(2).map(|w| draws.iter().filter(|&&x| (w[0]..w[1]).contains(&x)).count() as f64).collect();
            expected.push(count - expected.iter().sum::<f64>());
            counts.push(count - counts.iter().sum::<f64>());
            // Bins of σ = 1000 hold a hundred integers each; where an edge falls moves the count by half a mass.
            let statistic = chi_square(&counts, &expected);
            assert!(statistic.abs() < 4.0, "sigma {sigma}: {statistic}");
            for (power, moment, variance) in [(1, 0.0, 1.0), (2, 1.0, 2.0), (3, 0.0, 15.0), (4, 3.0, 96.0_f64)] {
                let mean = draws.iter().map(|x| x.powi(power)).sum::<f64>() / count;
                assert!(
                    (mean - moment).abs() < 4.0 * (variance / count).sqrt(),
                    "sigma {sigma}, power {power}: {mean}"
                );
            }
        }
    }

    #[test]
    fn low_bits_of_wide_noise_are_even() {
        let noise = DiscreteGaussian::new(1 << 50).unwrap();
        let mut coins = StdRng::seed_from_u64(5);
        let mut counts = [0.0; 16];
        (0..64_000).for_each(|_| counts[(noise.sample(&mut coins) & 15) as usize] += 1.0);
        assert!(chi_square(&counts, &[4_000.0; 16]).abs() < 4.0, "{counts:?}");
    }

    #[test]
    fn other_widths_are_refused() {
        for sigma in [0, WIDEST + 1, u64::MAX] {
            assert_eq!(DiscreteGaussian::new(sigma), Err(PrivacyError::Sigma(sigma)));
        }
    }
}
