//! Limits on submissions.

use syft::budget;

use super::LaunchError;
use crate::{campaign::CampaignFile, manifest::CampaignLimits};

/// Default number of submissions that fill a window.
const WINDOW: u16 = 8;
/// Default time in seconds until a window that is not full closes.
const WINDOW_SECONDS: u32 = 600;
/// Maximum number of submissions of one miner per version.
const CAP_PER_VERSION: u16 = 1;

pub(super) fn limits(file: &CampaignFile, usual: budget::Limits) -> Result<CampaignLimits, LaunchError> {
    let wanted = &file.limits;
    let submissions = u32::try_from(usual.submissions).unwrap_or(u32::MAX).min(65_535);
    let accepts = u16::try_from(usual.accepts).unwrap_or(u16::MAX).min(255);
    let limits = CampaignLimits {
        submissions: wanted.submissions.unwrap_or(submissions),
        accepts: wanted.accepts.unwrap_or(accepts),
        window: wanted.window.unwrap_or_else(|| WINDOW.min(u16::try_from(submissions).unwrap_or(WINDOW))),
        window_seconds: wanted.window_seconds.unwrap_or(WINDOW_SECONDS),
        cap_per_version: wanted.cap_per_version.unwrap_or(CAP_PER_VERSION),
    };
    let bounds: [(&'static str, u32, u32, &'static str); 5] = [
        ("submissions", limits.submissions, 65_535, "between 1 and 65535"),
        ("accepts", limits.accepts.into(), 255, "between 1 and 255"),
        ("window", limits.window.into(), 64, "between 1 and 64"),
        ("window_seconds", limits.window_seconds, (1 << 24) - 1, "between 1 and 16777215"),
        ("cap_per_version", limits.cap_per_version.into(), 255, "between 1 and 255"),
    ];
    if let Some((field, value, _, must)) = bounds.into_iter().find(|(_, value, most, _)| !(1..=*most).contains(value)) {
        return Err(LaunchError::Limit { field, value: value.into(), must });
    }
    // No window would ever be full, so each would wait until its time has passed.
    if u32::from(limits.window) > limits.submissions {
        let (window, submissions) = (limits.window, limits.submissions);
        return Err(LaunchError::Window { window, submissions });
    }
    Ok(limits)
}
