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

#[cfg(test)]
mod tests {
    use super::{super::fixture::mixed, *};

    #[test]
    fn the_ends_of_a_range_are_those_of_the_events() {
        let day = |text: &str| text.parse::<Day>().unwrap();
        let (story, _) = mixed();
        let range = |world: &World, from: Option<&str>, to: Option<&str>| {
            let report = report(world, from.map(day), to.map(day), 7, day("2030-01-01"));
            (report.from, report.to, report.days.len())
        };
        let expected = |from: &str, to: &str, days| (from.to_owned(), to.to_owned(), days);
        let world = &story.world;
        assert_eq!(range(world, None, None), expected("2027-01-15", "2027-01-15", 1));
        assert_eq!(range(world, Some("2028-01-01"), None), expected("2028-01-01", "2028-01-01", 0));
        assert_eq!(range(world, None, Some("2026-01-01")), expected("2026-01-01", "2026-01-01", 0));
        assert_eq!(range(world, Some("0001-01-01"), Some("9999-12-31")), expected("1970-01-01", "9999-12-31", 1));
        assert_eq!(range(&World::default(), None, None), expected("2030-01-01", "2030-01-01", 0));
    }

    #[test]
    fn the_table_has_a_row_for_each_day_and_columns_for_each_token() {
        let (story, _) = mixed();
        let table = table(&report(&story.world, None, None, 7, Day::default()));
        let rows: Vec<Vec<_>> = table.split_terminator("\r\n").map(|row| row.split(',').collect()).collect();
        assert_eq!((rows.len(), rows[0].len(), rows[1].len()), (2, COLUMNS.len() + MONEY_COLUMNS.len(), rows[0].len()));
        let cell = |name: &str| rows[1][rows[0].iter().position(|column| *column == name).unwrap()];
        assert_eq!((cell("date"), cell("submissions"), cell("acceptance_ppm")), ("2027-01-15", "4", "333333"));
        assert_eq!((cell("earned_eth"), cell("evaluation_count")), ("1000", "1"));
    }
}
