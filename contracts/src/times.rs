//! Bounds on the times in terms, which a deployment fixes.

use crate::{Bounds, Range};

const MINUTE: u32 = 60;
const HOUR: u32 = 60 * MINUTE;
const DAY: u32 = 24 * HOUR;

const fn range(min: u32, max: u32) -> Range {
    Range { min, max }
}

/// Bounds for a public network: an honest Capsule can recover from a night's outage only with times of hours, an owner can
/// audit only with days, and nobody's money is held for years.
#[must_use]
pub const fn public_bounds() -> Bounds {
    Bounds {
        window: range(MINUTE, 30 * DAY),
        activation: range(10 * MINUTE, 30 * DAY),
        evaluation: range(10 * MINUTE, 30 * DAY),
        delivery: range(10 * MINUTE, 30 * DAY),
        audit: range(DAY, 30 * DAY),
        horizon: 366 * DAY,
    }
}

/// Bounds for a network of one machine: seconds suffice.
#[must_use]
pub const fn local_bounds() -> Bounds {
    Bounds {
        window: range(1, 30 * DAY),
        activation: range(1, 30 * DAY),
        evaluation: range(1, 30 * DAY),
        delivery: range(1, 30 * DAY),
        audit: range(1, 30 * DAY),
        horizon: u32::MAX,
    }
}
