//! Accuracies in parts per million, and the grid on which they are published and paid.

use serde::{Deserialize, Serialize};
use std::fmt;
use thiserror::Error;

/// A number outside the range of its unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum UnitError {
    /// More than 1,000,000 parts per million.
    #[error("{0} ppm is more than 1,000,000 ppm (100 %)")]
    PpmTooLarge(u32),
    /// The grid is too fine: it would disclose too much about refused updates.
    #[error("an accuracy grid of {ppm} ppm is finer than the allowed {least} ppm; choose a coarser one")]
    GridTooFine {
        /// The requested step, in ppm.
        ppm: u32,
        /// The finest step allowed here, in ppm.
        least: u32,
    },
    /// The step is larger than the whole range.
    #[error("an accuracy grid of {0} ppm is coarser than the whole range")]
    GridTooCoarse(u32),
}

/// Parts per million, at most 1,000,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Ppm(u32);

impl Ppm {
    /// 0 %.
    pub const ZERO: Self = Self(0);
    /// 100 %.
    pub const ONE: Self = Self(1_000_000);

    /// Checks that `ppm` is at most 1,000,000.
    pub const fn new(ppm: u32) -> Result<Self, UnitError> {
        if ppm > Self::ONE.0 {
            return Err(UnitError::PpmTooLarge(ppm));
        }
        Ok(Self(ppm))
    }

    /// `floor(part · 10^6 / whole)`, exact; 0 if `whole` is 0.
    pub fn of(part: u64, whole: u64) -> Self {
        let ppm = (u128::from(part.min(whole)) * 1_000_000).checked_div(u128::from(whole)).unwrap_or(0);
        // At most a million, because the part is at most the whole.
        Self(ppm as u32)
    }

    /// `floor(fraction · 10^6)` of a fraction clipped to [0, 1]; NaN counts as 0.
    pub fn from_fraction(fraction: f64) -> Self {
        // A cast from a float saturates, and takes NaN to zero.
        Self((fraction.clamp(0.0, 1.0) * 1e6).floor() as u32)
    }

    /// The number of parts per million.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The value as a fraction of one.
    pub fn fraction(self) -> f64 {
        f64::from(self.0) / 1e6
    }

    /// The sum; saturates at 100 %.
    #[must_use]
    pub fn saturating_add(self, other: Self) -> Self {
        // At most two million.
        Self((self.0 + other.0).min(Self::ONE.0))
    }

    /// The difference; saturates at 0 %.
    #[must_use]
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// This value times `times`; saturates at 100 %.
    #[must_use]
    pub fn saturating_mul(self, times: u16) -> Self {
        Self(self.0.saturating_mul(times.into()).min(Self::ONE.0))
    }

    /// The greatest grid value that is not above this value.
    pub const fn floor_to_grid(self, grid: Grid) -> Self {
        Self(self.0 / grid.0 * grid.0)
    }

    /// The number of whole grid steps in this value.
    pub const fn steps(self, grid: Grid) -> GridStep {
        // At most 1000, because a grid is at least 1000 ppm.
        GridStep((self.0 / grid.0) as u16)
    }

    /// True when the value lies on the grid.
    pub const fn is_on(self, grid: Grid) -> bool {
        self.0.is_multiple_of(grid.0)
    }
}

impl TryFrom<u32> for Ppm {
    type Error = UnitError;

    fn try_from(ppm: u32) -> Result<Self, UnitError> {
        Self::new(ppm)
    }
}

impl From<Ppm> for u32 {
    fn from(ppm: Ppm) -> Self {
        ppm.0
    }
}

impl fmt::Display for Ppm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ppm", self.0)
    }
}

/// The step in which accuracies are published and paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Grid(u32);

impl Grid {
    /// The finest grid of any campaign: 0.1 %.
    pub const FINEST: Self = Self(1_000);

    /// Checks that the step is between 1,000 and 1,000,000 ppm.
    pub const fn new(ppm: u32) -> Result<Self, UnitError> {
        if ppm < Self::FINEST.0 {
            return Err(UnitError::GridTooFine { ppm, least: Self::FINEST.0 });
        }
        if ppm > Ppm::ONE.0 {
            return Err(UnitError::GridTooCoarse(ppm));
        }
        Ok(Self(ppm))
    }

    /// Checks the step for a validation set of `rows` rows: no finer than what one row counts.
    pub fn for_rows(ppm: u32, rows: usize) -> Result<Self, UnitError> {
        let grid = Self::new(ppm)?;
        let least = Self::finest_for_rows(rows);
        if grid < least {
            return Err(UnitError::GridTooFine { ppm, least: least.0 });
        }
        Ok(grid)
    }

    /// The finest grid that a validation set of `rows` rows allows.
    pub fn finest_for_rows(rows: usize) -> Self {
        // At most a million.
        let row = 1_000_000_u64.div_ceil(rows.max(1) as u64) as u32;
        Self(row.max(Self::FINEST.0))
    }

    /// The finest grid that a validation set of `rows` rows allows and of which `target` is a multiple; none if the target is less than every
    /// grid that the rows allow.
    pub fn finest_for_target(target: Ppm, rows: usize) -> Option<Self> {
        // At most a million candidates.
        (Self::finest_for_rows(rows).0..=target.0).find(|&ppm| target.0.is_multiple_of(ppm)).map(Self)
    }

    /// The step in parts per million.
    pub const fn ppm(self) -> u32 {
        self.0
    }

    /// The value of a step; none if it is above 100 %.
    pub fn value(self, step: GridStep) -> Option<Ppm> {
        Ppm::new(self.0.checked_mul(u32::from(step.0))?).ok()
    }
}

impl TryFrom<u32> for Grid {
    type Error = UnitError;

    fn try_from(ppm: u32) -> Result<Self, UnitError> {
        Self::new(ppm)
    }
}

impl From<Grid> for Ppm {
    fn from(grid: Grid) -> Self {
        Self(grid.0)
    }
}

impl From<Grid> for u32 {
    fn from(grid: Grid) -> Self {
        grid.0
    }
}

/// An accuracy as a number of grid steps above zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct GridStep(pub u16);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ppm_is_checked_and_exact() {
        assert_eq!(Ppm::new(1_000_001), Err(UnitError::PpmTooLarge(1_000_001)));
        assert_eq!(Ppm::of(1, 3).get(), 333_333);
        assert_eq!(Ppm::of(538, 538), Ppm::ONE);
        assert_eq!(Ppm::of(0, 0), Ppm::ZERO);
        assert_eq!(Ppm::from_fraction(f64::NAN), Ppm::ZERO);
        assert_eq!(Ppm::from_fraction(-3.0), Ppm::ZERO);
        assert_eq!(Ppm::from_fraction(0.25).get(), 250_000);
        assert!(serde_json::from_str::<Ppm>("1000001").is_err());
        let most = Ppm::new(600_000).unwrap();
        assert_eq!((most.saturating_add(most), most.saturating_mul(u16::MAX)), (Ppm::ONE, Ppm::ONE));
        assert_eq!(Ppm::ZERO.saturating_sub(most), Ppm::ZERO);
    }

    #[test]
    fn grid_is_no_finer_than_a_row() {
        assert!(Grid::new(999).is_err());
        assert!(Grid::for_rows(5_000, 100).is_err());
        assert_eq!(Grid::finest_for_rows(100).ppm(), 10_000);
        assert_eq!(Grid::finest_for_rows(0).ppm(), 1_000_000);
        let grid = Grid::for_rows(5_000, 200).unwrap();
        let ppm = Ppm::new(937_499).unwrap();
        assert_eq!(ppm.floor_to_grid(grid).get(), 935_000);
        assert_eq!(grid.value(ppm.steps(grid)).unwrap().get(), 935_000);
        assert_eq!(grid.value(GridStep(201)), None);
    }

    #[test]
    fn the_finest_grid_for_a_target_divides_it() {
        let finest = |target, rows| Grid::finest_for_target(Ppm::new(target).unwrap(), rows).map(Grid::ppm);
        assert_eq!(finest(940_000, 60), Some(18_800), "one row counts 16,667 ppm, which does not divide 94 %");
        assert_eq!(finest(930_000, 20), Some(58_125));
        assert_eq!(finest(1_000_000, 60), Some(20_000));
        assert_eq!(finest(930_000, 1_000_000), Some(1_000), "no grid is finer than 0.1 %");
        assert_eq!(finest(999_983, 1_000), Some(999_983), "a prime number");
        assert_eq!(finest(50_000, 20), Some(50_000));
        assert_eq!(finest(49_999, 20), None);
        assert_eq!(finest(0, 20), None);
    }
}
