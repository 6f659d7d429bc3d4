//! `GET /api/v1/statistics`. The numbers are kept by the fold, see `sonar_protocol::statistics`.

use std::sync::Arc;

use alloy::primitives::Address;
use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use sonar_protocol::{
    statistics::{Day, DayReport, StatisticsReport, TokenMoney},
    view::World,
};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{App, api::parse_optional, csv, extract::Params, problem::Problem};

/// Query of the statistics.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct StatisticsQuery {
    /// First UTC day, `YYYY-MM-DD` (default: the first day with an event).
    #[param(example = "2026-11-01")]
    pub from: Option<String>,
    /// Last UTC day, included (default: the last day with an event).
    #[param(example = "2026-11-30")]
    pub to: Option<String>,
    /// Form of the answer: `json`, or `csv` with a row for each day on which something happened.
    #[param(inline)]
    pub format: Option<Format>,
}

/// Form of an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// JSON.
    #[default]
    Json,
    /// CSV.
    Csv,
}

/// The routes of this module.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(statistics))
}

/// Statistics of all campaigns in a range of UTC days.
///
/// Days without events are not listed: all their counts are zero.
#[utoipa::path(
    get, path = "/api/v1/statistics", params(StatisticsQuery),
    responses(
        (status = OK, content((StatisticsReport = "application/json"), (String = "text/csv"))),
        (status = BAD_REQUEST, body = Problem)
    )
)]
async fn statistics(State(app): State<Arc<App>>, Params(query): Params<StatisticsQuery>) -> Result<Response, Problem> {
    let from = parse_optional::<Day>(query.from.as_deref())?;
    let to = parse_optional::<Day>(query.to.as_deref())?;
    if from > to && to.is_some() {
        return Err(Problem::usage("`from` is after `to`"));
    }
    let today = Day::from(app.now());
    let report = app.index.read_at(|world, block| report(world, from, to, block, today));
    Ok(match query.format.unwrap_or_default() {
        Format::Json => Json(report).into_response(),
        Format::Csv => csv::attachment(&format!("statistics-{}-{}", report.from, report.to), table(&report)),
    })
}

/// The report; a missing end of the range is that of the days with events, or `today` if there are none.
fn report(world: &World, from: Option<Day>, to: Option<Day>, block: u64, today: Day) -> StatisticsReport {
    let (first, last) = world.statistics.bounds().unwrap_or((today, today));
    let from = from.unwrap_or_else(|| to.map_or(first, |to| first.min(to)));
    let to = to.unwrap_or_else(|| last.max(from));
    StatisticsReport::new(world, from, to, block)
}

const COLUMNS: [&str; 20] = [
    "date",
    "opened",
    "activated",
    "declined",
    "refunded",
    "closed",
    "finalized",
    "released",
    "convicted",
    "expired",
    "miners_active",
    "submissions",
    "accepted",
    "not_improved",
    "rejected",
    "acceptance_ppm",
    "accuracy_points_ppm",
    "evaluation_p50_seconds",
    "evaluation_p95_seconds",
    "evaluation_count",
];
const MONEY_COLUMNS: [&str; 5] = ["escrowed", "paid", "earned", "refunded", "fees"];

/// A row for each listed day, with columns for each token of the whole range.
fn table(report: &StatisticsReport) -> String {
    let tokens: Vec<Address> = report.total.activity.money.iter().map(|money| money.token).collect();
    let money_columns = tokens.iter().flat_map(|token| {
        let name = if token.is_zero() { "eth".into() } else { token.to_string() };
        MONEY_COLUMNS.map(|column| format!("{column}_{name}"))
    });
    let mut out = String::new();
    csv::push_row(&mut out, COLUMNS.into_iter().map(String::from).chain(money_columns));
    for day in &report.days {
        csv::push_row(&mut out, cells(day, &tokens));
    }
    out
}

fn cells(day: &DayReport, tokens: &[Address]) -> Vec<String> {
    let activity = &day.activity;
    let campaigns = activity.campaigns;
    let time = activity.evaluation_seconds;
    let counts = [
        campaigns.opened,
        campaigns.activated,
        campaigns.declined,
        campaigns.refunded,
        campaigns.closed,
        campaigns.finalized,
        campaigns.released,
        campaigns.convicted,
        campaigns.expired,
        activity.miners_active,
        activity.submissions,
        activity.accepted,
        activity.not_improved,
        activity.rejected,
    ];
    let mut cells = vec![day.date.clone()];
    cells.extend(counts.map(|count| count.to_string()));
    cells.push(csv::optional(activity.acceptance_ppm.map(|share| share.get())));
    cells.push(activity.accuracy_points_ppm.to_string());
    cells.push(csv::optional(time.map(|time| time.p50)));
    cells.push(csv::optional(time.map(|time| time.p95)));
    cells.push(time.map_or(0, |time| time.count).to_string());
    for token in tokens {
        let money = activity.money.iter().find(|money| money.token == *token);
        cells.extend(money.map_or_else(Default::default, money_cells));
    }
    cells
}

fn money_cells(money: &TokenMoney) -> [String; MONEY_COLUMNS.len()] {
    [money.escrowed, money.paid, money.earned, money.refunded, money.fees].map(|amount| amount.to_string())
}
