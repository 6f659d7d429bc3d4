//! The miners of a campaign, those that earned most first.

use std::sync::Arc;

use axum::{Json, extract::State};
use serde::Serialize;
use sonar_protocol::course::{LeaderboardRow, ranked};
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
    use sonar_protocol::units::{Amount, Timestamp};
    use syft::Ppm;

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
}
