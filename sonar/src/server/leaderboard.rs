//! The miners of a campaign, those that earned most first.

use std::{cmp::Reverse, collections::HashMap, sync::Arc};

use alloy::primitives::{Address, U256};
use axum::{Json, extract::State};
use serde::Serialize;
use sonar_protocol::{
    projection::SubmissionView,
    units::{Amount, Timestamp},
    view::CampaignView,
};
use syft::Ppm;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    App,
    api::{campaign_of, parse_optional},
    dto::{Page, PageQuery},
    extract::{Params, Segment},
    problem::Problem,
};

const NOTE: &str = "Ranks are of addresses, not of people: anyone can submit from several addresses.";

/// A page of the miners of a campaign.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Leaderboard {
    /// Miners of the page, those that earned most first.
    pub items: Vec<LeaderboardRow>,
    /// Pass this as `after` to get the next page; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// Number of accounts that have submitted.
    pub total: u32,
    /// What a rank means.
    pub note: String,
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

/// The whole list, in order.
fn ranked(view: &CampaignView) -> Vec<LeaderboardRow> {
    // In chain order, so the newest remains.
    let last_seen: HashMap<Address, Timestamp> =
        SubmissionView::all(view).map(|submission| (submission.miner, submission.at.time)).collect();
    let mut miners: Vec<_> = view.accounts.iter().filter(|(_, account)| account.submitted > 0).collect();
    // With fewer submissions first; the address makes the order complete, so that pages do not overlap.
    miners.sort_by_key(|(miner, account)| {
        (Reverse(account.earned), Reverse(account.accepted), account.submitted, **miner)
    });
    let row = |(rank, (miner, account)): (usize, (&Address, &sonar_protocol::view::Account))| LeaderboardRow {
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

/// The routes of this module.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(leaderboard))
}

/// A campaign's miners, those that earned most first.
#[utoipa::path(
    get, path = "/api/v1/campaigns/{id}/leaderboard",
    params(("id" = String, Path, description = "Campaign id"), PageQuery),
    responses(
        (status = OK, body = Leaderboard),
        (status = BAD_REQUEST, body = Problem),
        (status = NOT_FOUND, body = Problem)
    )
)]
async fn leaderboard(
    State(app): State<Arc<App>>,
    Segment(id): Segment<String>,
    Params(query): Params<PageQuery>,
) -> Result<Json<Leaderboard>, Problem> {
    let view = campaign_of(&app, &id)?;
    let after = parse_optional::<usize>(query.after.as_deref())?.unwrap_or(0);
    let rest = ranked(&view).into_iter().skip(after);
    let Page { items, next, .. } = Page::first(rest, query.limit, view.miners.into(), |row| row.rank.to_string())?;
    Ok(Json(Leaderboard { items, next, total: view.miners, note: NOTE.into() }))
}

#[cfg(test)]
mod tests {
    use sonar_contracts::Outcome;

    use super::{
        super::fixture::{BEGIN, Story, miner},
        *,
    };

    #[test]
    fn those_who_earned_most_come_first_and_ties_have_an_order() {
        let mut story = Story::new();
        let id = story.open(1);
        story.submit(id, &[1, 2, 3, 3]);
        story.settle(id, &[Outcome::NotImproved, Outcome::Accepted(20), Outcome::Accepted(30), Outcome::Accepted(40)]);
        story.submit(id, &[4, 1]);
        let rows = ranked(story.view(id));
        let order: Vec<_> = rows.iter().map(|row| (row.rank, row.miner)).collect();
        assert_eq!(order, [(1, miner(3)), (2, miner(2)), (3, miner(4)), (4, miner(1))]);
        assert_eq!(rows[0].share_ppm.map(Ppm::get), Some(666_666));
        assert_eq!((rows[3].submitted, rows[3].earned, rows[3].share_ppm), (2, Amount::ZERO, Some(Ppm::ZERO)));
        // Two events open the campaign, then come four submissions, three awards and the settlement.
        assert_eq!(rows[3].last_seen, Timestamp::from_unix(BEGIN + 12));
    }

    #[test]
    fn shares_are_exact_and_need_earnings() {
        let amount = |value: u128| Amount::from(value);
        assert_eq!(share(amount(0), amount(0)), None);
        assert_eq!(share(amount(1), amount(3)), Some(Ppm::of(1, 3)));
        assert_eq!(share(amount(u128::MAX), amount(u128::MAX)), Some(Ppm::ONE));
    }
}
