//! The course of a campaign: what each submission changed, and who has earned what. Routes and exports show it alike.

use std::{cmp::Reverse, collections::HashMap};

use alloy::primitives::{Address, U256};
use serde::Serialize;
use syft::Ppm;
use utoipa::ToSchema;

use crate::{
    projection::{SubmissionView, Verdict},
    units::{Amount, Timestamp},
    view::{Account, CampaignView},
};

/// Outcome of a submission, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum VerdictKind {
    /// Its window is not settled yet.
    Pending,
    /// It did not improve the model.
    NotImproved,
    /// It improved the model.
    Accepted,
    /// It was rejected by protocol.
    Rejected,
}

impl VerdictKind {
    /// Its name, as in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::NotImproved => "not_improved",
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
        }
    }
}

impl From<Verdict> for VerdictKind {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Pending => Self::Pending,
            Verdict::NotImproved => Self::NotImproved,
            Verdict::Accepted { .. } => Self::Accepted,
            Verdict::Rejected { .. } => Self::Rejected,
        }
    }
}

/// A submission, and where the campaign stands after it.
#[derive(Clone, Debug)]
pub struct Step {
    /// The submission.
    pub submission: SubmissionView,
    /// Best accuracy after it.
    pub best: Ppm,
    /// Earnings of all accepted submissions up to this one.
    pub spent: Amount,
}

/// All submissions in chain order, with what each left behind.
pub fn course(view: &CampaignView) -> impl Iterator<Item = Step> + '_ {
    let (mut best, mut spent) = (view.start_ppm.unwrap_or_default(), Amount::ZERO);
    SubmissionView::all(view).map(move |submission| {
        if let Verdict::Accepted { best_ppm, amount, .. } = submission.verdict {
            (best, spent) = (best_ppm, spent.saturating_add(amount));
        }
        Step { submission, best, spent }
    })
}

/// A miner of a campaign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct LeaderboardRow {
    /// Place by earnings, then by accepted submissions; the first is 1.
    pub rank: usize,
    /// The account.
    #[schema(value_type = String)]
    pub miner: Address,
    /// Number of submissions.
    pub submitted: u32,
    /// Number of accepted submissions.
    pub accepted: u32,
    /// Improvement of the best accuracy towards the target, in parts per million.
    #[schema(value_type = u32)]
    pub delta_ppm: Ppm,
    /// Earnings, in the smallest unit of the campaign's token.
    #[schema(value_type = String)]
    pub earned: Amount,
    /// Its part of all earnings in the campaign, in parts per million; null while nobody has earned.
    #[schema(value_type = Option<u32>)]
    pub share_ppm: Option<Ppm>,
    /// Unix time of its newest submission.
    #[schema(value_type = u64)]
    pub last_seen: Timestamp,
}

/// The miners of a campaign, those that earned most first.
#[must_use]
pub fn ranked(view: &CampaignView) -> Vec<LeaderboardRow> {
    // In chain order, so the newest remains.
    let last_seen: HashMap<Address, Timestamp> =
        SubmissionView::all(view).map(|submission| (submission.miner, submission.at.time)).collect();
    let mut miners: Vec<_> = view.accounts.iter().filter(|(_, account)| account.submitted > 0).collect();
    // With fewer submissions first; the address makes the order complete, so that pages do not overlap.
    miners.sort_by_key(|(miner, account)| {
        (Reverse(account.earned), Reverse(account.accepted), account.submitted, **miner)
    });
    let row = |(rank, (miner, account)): (usize, (&Address, &Account))| LeaderboardRow {
        rank,
        miner: *miner,
        submitted: account.submitted,
        accepted: account.accepted,
        delta_ppm: account.delta_ppm,
        earned: account.earned,
        share_ppm: share(account.earned, view.awarded),
        last_seen: last_seen.get(miner).copied().unwrap_or_default(),
    };
    (1..).zip(miners).map(row).collect()
}

/// A part of the earnings in parts per million, rounded down.
fn share(part: Amount, whole: Amount) -> Option<Ppm> {
    // Earnings have at most 128 bits.
    let ppm = part.0.saturating_mul(U256::from(Ppm::ONE.get())).checked_div(whole.0)?;
    Ppm::new(ppm.saturating_to()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_json() {
        for kind in [VerdictKind::Pending, VerdictKind::NotImproved, VerdictKind::Accepted, VerdictKind::Rejected] {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
        }
    }

    #[test]
    fn shares_are_exact_and_need_earnings() {
        let amount = |value: u128| Amount::from(value);
        assert_eq!(share(amount(0), amount(0)), None);
        assert_eq!(share(amount(1), amount(3)), Some(Ppm::of(1, 3)));
        assert_eq!(share(amount(u128::MAX), amount(u128::MAX)), Some(Ppm::ONE));
    }
}
