//! All submissions of a campaign as a CSV file. It is sent while it is written, so that a long campaign takes no memory.

use std::{convert::Infallible, sync::Arc};

use axum::{body::Body, extract::State, response::Response};
use futures::stream;
use sonar_protocol::{
    course::VerdictKind,
    projection::{SubmissionView, Verdict},
    view::CampaignView,
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{App, api::campaign_of, csv, extract::Segment, problem::Problem};

/// Rows that are written at once.
const ROWS: usize = 1_000;
const COLUMNS: [&str; 14] = [
    "number",
    "window",
    "index",
    "version",
    "miner",
    "content",
    "block",
    "time",
    "transaction",
    "verdict",
    "reason",
    "best_ppm",
    "delta_ppm",
    "amount",
];

/// The routes of this module.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(submissions_csv))
}

/// All submissions of a campaign in chain order, as CSV.
#[utoipa::path(
    get, path = "/api/v1/campaigns/{id}/submissions.csv", params(("id" = String, Path, description = "Campaign id")),
    responses(
        (status = OK, body = String, content_type = "text/csv"),
        (status = BAD_REQUEST, body = Problem),
        (status = NOT_FOUND, body = Problem)
    )
)]
async fn submissions_csv(State(app): State<Arc<App>>, Segment(id): Segment<String>) -> Result<Response, Problem> {
    let view = campaign_of(&app, &id)?;
    let name = format!("campaign-{}-submissions", view.id.short());
    // At least one part, for the header.
    let starts = (0..view.submissions.max(1) as usize).step_by(ROWS);
    let parts = starts.map(move |start| Ok::<_, Infallible>(part(&view, start, ROWS)));
    Ok(csv::attachment(&name, Body::from_stream(stream::iter(parts))))
}

/// The rows from index `start` on, at most `rows`; the first part begins with the header.
fn part(view: &CampaignView, start: usize, rows: usize) -> String {
    let mut out = String::new();
    if start == 0 {
        csv::push_row(&mut out, COLUMNS);
    }
    for submission in SubmissionView::all(view).skip(start).take(rows) {
        csv::push_row(&mut out, cells(&submission));
    }
    out
}

fn cells(submission: &SubmissionView) -> [String; COLUMNS.len()] {
    let verdict = submission.verdict;
    let [reason, best, delta, amount] = match verdict {
        Verdict::Pending | Verdict::NotImproved => Default::default(),
        Verdict::Rejected { reason } => [reason.to_string(), String::new(), String::new(), String::new()],
        Verdict::Accepted { best_ppm, delta_ppm, amount } => {
            [String::new(), best_ppm.get().to_string(), delta_ppm.get().to_string(), amount.to_string()]
        }
    };
    [
        submission.number.to_string(),
        submission.window.to_string(),
        submission.index.to_string(),
        submission.version.to_string(),
        submission.miner.to_string(),
        submission.content.to_string(),
        submission.at.block.to_string(),
        submission.at.time.unix().to_string(),
        submission.at.transaction.to_string(),
        VerdictKind::from(verdict).name().into(),
        reason,
        best,
        delta,
        amount,
    ]
}

#[cfg(test)]
mod tests {
    use super::{super::fixture::mixed, *};

    #[test]
    fn every_submission_has_a_row_whatever_the_parts() {
        let (story, id) = mixed();
        let view = story.view(id);
        let whole = part(view, 0, ROWS);
        let lines: Vec<_> = whole.split_terminator("\r\n").collect();
        assert_eq!(lines.len(), 5);
        assert!(lines.iter().all(|line| line.split(',').count() == COLUMNS.len()), "{whole}");
        assert!(lines[1].ends_with(",accepted,,300000,10000,1000") && lines[3].ends_with(",rejected,4,,,"), "{whole}");
        assert_eq!((0..4).map(|start| part(view, start, 1)).collect::<String>(), whole);
    }
}
