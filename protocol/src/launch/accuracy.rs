//! The claimed starting accuracy, the target, and the accuracy grid.

use syft::{Grid, Ppm};

use super::LaunchError;
use crate::{
    campaign::{AccuracyTable, CampaignFile},
    manifest::Accuracy,
    units::percent,
};

/// Chooses claim, target and grid: from the file, or as the measured starting accuracy, the target and the number of
/// rows allow.
pub(super) fn accuracy(file: &CampaignFile, measured: Ppm, rows: usize) -> Result<Accuracy, LaunchError> {
    let AccuracyTable { start, target, grid, tolerance } = file.accuracy;
    let grid = match grid {
        Some(grid) => Grid::for_rows(grid.get(), rows)?,
        None => Grid::finest_for_target(target, rows)
            .ok_or(LaunchError::TargetBelowGrid { target, finest: Grid::finest_for_rows(rows) })?,
    };
    // The claim is public: it must not disclose more about the validation set than the Capsule's attestation.
    let start = start.unwrap_or_else(|| measured.floor_to_grid(grid));
    Ok(Accuracy { start, target, grid, tolerance })
}

/// Compares the measured starting accuracy with the claim, by the rules of the contract.
pub(super) fn check_accuracy(accuracy: &Accuracy, measured: Ppm) -> Result<(), LaunchError> {
    let (grid, claimed) = (accuracy.grid, accuracy.start);
    let apart = measured.floor_to_grid(grid).get().abs_diff(claimed.floor_to_grid(grid).get());
    if apart > accuracy.tolerance.get() + grid.ppm() {
        return Err(LaunchError::Start { measured, claimed });
    }
    if !accuracy.target.is_on(grid) {
        return Err(LaunchError::TargetOffGrid { target: accuracy.target, grid });
    }
    // The target must also be above the starting accuracy that the Capsule will attest.
    accuracy.ladder_from(measured.floor_to_grid(grid))?;
    Ok(())
}

/// The grid values next to a target that is off the grid.
pub(super) fn neighbours(target: Ppm, grid: Grid) -> String {
    let below = target.floor_to_grid(grid);
    let above = Ppm::new(below.get() + grid.ppm()).ok();
    let around = [Some(below).filter(|below| *below > Ppm::ZERO), above];
    around.into_iter().flatten().map(percent).collect::<Vec<_>>().join(" or ")
}

/// Warns if the grid is much coarser than the validation set allows, because the target has few divisors.
pub(super) fn coarse_grid(file: &CampaignFile, accuracy: &Accuracy, rows: usize) -> Option<String> {
    let (grid, finest) = (accuracy.grid, Grid::finest_for_rows(rows));
    (file.accuracy.grid.is_none() && grid.ppm() >= 2 * finest.ppm()).then(|| {
        format!(
            "accuracy is published and paid in steps of {}, although the validation set allows {}: no finer step divides the target of \
             {}; choose a rounder accuracy.target",
            percent(grid.into()),
            percent(finest.into()),
            percent(accuracy.target)
        )
    })
}
