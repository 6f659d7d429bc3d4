//! The course of a campaign for charts: at most 600 points, whatever its length.

use std::sync::Arc;

use alloy::primitives::Address;
use axum::{Json, extract::State, response::Response};
use serde::Serialize;
use sonar_protocol::{
    course::{Step, VerdictKind, course},
    projection::{SubmissionView, Verdict},
    units::{Amount, Timestamp},
    view::CampaignView,
};
use syft::Ppm;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{App, api::campaign_of, csv, extract::Segment, problem::Problem};

/// Maximum number of points: more than a chart has pixels between them.
pub const MAX_POINTS: usize = 600;

/// The course of a campaign.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Series {
    /// Number of submissions so far.
    pub submissions: u32,
    /// Points in chain order, at most 600. The first, the last and every accepted submission are among them.
    pub points: Vec<SeriesPoint>,
    /// Whether every submission has a point.
    pub complete: bool,
}

/// A submission, and where the campaign stands after it.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct SeriesPoint {
    /// Number among the campaign's submissions; the first is 1.
    pub number: u32,
    /// Unix time of the submission.
    #[schema(value_type = u64)]
    pub time: Timestamp,
    /// Best accuracy after the submission.
    #[schema(value_type = u32)]
    pub best_ppm: Ppm,
    /// Earnings of all accepted submissions up to this one.
    #[schema(value_type = String)]
    pub spent: Amount,
    /// Outcome.
    pub verdict: VerdictKind,
    /// Improvement towards the target, if it was accepted.
    #[schema(value_type = Option<u32>)]
    pub delta_ppm: Option<Ppm>,
    /// Payout, if it was accepted.
    #[schema(value_type = Option<String>)]
    pub amount: Option<Amount>,
    /// Address of the miner.
    #[schema(value_type = String)]
    pub miner: Address,
}

impl Series {
    /// The course of a campaign, with at most `most` points.
    fn new(view: &CampaignView, most: usize) -> Self {
        let is_accepted = |submission: SubmissionView| matches!(submission.verdict, Verdict::Accepted { .. });
        let accepted: Vec<bool> = SubmissionView::all(view).map(is_accepted).collect();
        let chosen = thin(&accepted, most);
        let complete = chosen.len() == accepted.len();
        let mut chosen = chosen.into_iter().peekable();
        let is_chosen = |(index, _): &(usize, Step)| chosen.next_if_eq(index).is_some();
        let points = course(view).enumerate().filter(is_chosen).map(|(_, step)| SeriesPoint::from(step)).collect();
        Self { submissions: view.submissions, points, complete }
    }
}

impl From<Step> for SeriesPoint {
    fn from(Step { submission, best, spent }: Step) -> Self {
        let (delta_ppm, amount) = match submission.verdict {
            Verdict::Accepted { delta_ppm, amount, .. } => (Some(delta_ppm), Some(amount)),
            Verdict::Pending | Verdict::NotImproved | Verdict::Rejected { .. } => (None, None),
        };
        Self {
            number: submission.number,
            time: submission.at.time,
            best_ppm: best,
            spent,
            verdict: submission.verdict.into(),
            delta_ppm,
            amount,
            miner: submission.miner,
        }
    }
}

/// Indices of at most `most` items, in order: the first, the last and the accepted ones, and then as many of the others
/// as fit, spread evenly. If there are too many accepted ones, they are spread evenly too.
fn thin(accepted: &[bool], most: usize) -> Vec<usize> {
    let last = accepted.len().saturating_sub(1);
    let (steps, others): (Vec<usize>, Vec<usize>) =
        (0..accepted.len()).partition(|&index| index == 0 || index == last || accepted[index]);
    let mut chosen = spread(&steps, most);
    chosen.extend(spread(&others, most - chosen.len()));
    chosen.sort_unstable();
    chosen
}

/// At most `most` of the items: all of them, or the first, the last and evenly spread ones between.
fn spread(items: &[usize], most: usize) -> Vec<usize> {
    if items.len() <= most {
        return items.to_vec();
    }
    let gaps = most.saturating_sub(1).max(1);
    (0..most).map(|index| items[index * (items.len() - 1) / gaps]).collect()
}

/// The routes of this module.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(series)).routes(routes!(series_csv))
}

/// The course of a campaign for charts: accuracy and spending after each submission, at most 600 points.
#[utoipa::path(
    get, path = "/api/v1/campaigns/{id}/series", params(("id" = String, Path, description = "Campaign id")),
    responses(
        (status = OK, body = Series),
        (status = BAD_REQUEST, body = Problem),
        (status = NOT_FOUND, body = Problem)
    )
)]
async fn series(State(app): State<Arc<App>>, Segment(id): Segment<String>) -> Result<Json<Series>, Problem> {
    Ok(Json(Series::new(&*campaign_of(&app, &id)?, MAX_POINTS)))
}

/// The same points as CSV.
#[utoipa::path(
    get, path = "/api/v1/campaigns/{id}/series.csv", params(("id" = String, Path, description = "Campaign id")),
    responses(
        (status = OK, body = String, content_type = "text/csv"),
        (status = BAD_REQUEST, body = Problem),
        (status = NOT_FOUND, body = Problem)
    )
)]
async fn series_csv(State(app): State<Arc<App>>, Segment(id): Segment<String>) -> Result<Response, Problem> {
    let view = campaign_of(&app, &id)?;
    let mut out = String::new();
    csv::push_row(&mut out, ["number", "time", "best_ppm", "spent", "verdict", "delta_ppm", "amount", "miner"]);
    for point in Series::new(&view, MAX_POINTS).points {
        csv::push_row(
            &mut out,
            [
                point.number.to_string(),
                point.time.unix().to_string(),
                point.best_ppm.get().to_string(),
                point.spent.to_string(),
                point.verdict.name().into(),
                csv::optional(point.delta_ppm.map(Ppm::get)),
                csv::optional(point.amount),
                point.miner.to_string(),
            ],
        );
    }
    Ok(csv::attachment(&format!("campaign-{}-series", view.id.short()), out))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sonar_contracts::Outcome;

    use super::{
        super::fixture::{Story, mixed},
        *,
    };

    #[test]
    fn a_point_stands_after_its_submission() {
        let (story, id) = mixed();
        let series = Series::new(story.view(id), MAX_POINTS);
        assert_eq!((series.submissions, series.complete), (4, true));
        let points: Vec<_> = series.points.iter().map(|p| (p.number, p.best_ppm.get(), p.verdict.name())).collect();
        let expected =
            [(1, 300_000, "accepted"), (2, 300_000, "not_improved"), (3, 300_000, "rejected"), (4, 300_000, "pending")];
        assert_eq!(points, expected);
        assert!(series.points.iter().all(|point| point.spent == Amount::from(1_000_u128)));
        assert_eq!(series.points[0].amount, Some(Amount::from(1_000_u128)));
        assert_eq!(series.points[1].amount, None);
    }

    #[test]
    fn a_long_campaign_has_few_points_and_all_its_steps() {
        let mut story = Story::new();
        let id = story.open(1);
        for step in 2..40 {
            story.submit(id, &[1; 64]);
            let mut outcomes = [Outcome::NotImproved; 64];
            outcomes[usize::from(step)] = Outcome::Accepted(step);
            story.settle(id, &outcomes);
        }
        let series = Series::new(story.view(id), MAX_POINTS);
        assert_eq!((series.points.len(), series.submissions, series.complete), (MAX_POINTS, 38 * 64, false));
        let steps = series.points.iter().filter(|point| point.verdict == VerdictKind::Accepted);
        assert_eq!(
            steps.map(|point| point.best_ppm.get()).collect::<Vec<_>>(),
            (2..40).map(|s| s * 10_000).collect::<Vec<_>>()
        );
        assert_eq!(series.points[MAX_POINTS - 1].number, 38 * 64);
    }

    proptest! {
        #[test]
        fn thinning_keeps_the_ends_and_the_steps(
            accepted in prop::collection::vec(prop::bool::weighted(0.1), 0..500),
            most in 2_usize..120,
        ) {
            let chosen = thin(&accepted, most);
            let steps = accepted.iter().filter(|accepted| **accepted).count();
            prop_assert_eq!(chosen.len(), accepted.len().min(most), "as many as fit");
            prop_assert!(chosen.windows(2).all(|pair| pair[0] < pair[1]), "each once, in order");
            if let Some(last) = accepted.len().checked_sub(1) {
                prop_assert!(chosen.first() == Some(&0) && chosen.last() == Some(&last));
            }
            if steps + 2 <= most {
                prop_assert!((0..accepted.len()).all(|index| !accepted[index] || chosen.contains(&index)));
            }
        }
    }
}
