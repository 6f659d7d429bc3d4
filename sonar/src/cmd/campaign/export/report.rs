//! `report.html`: one page that needs nothing else: no script, no request, no program of this project. Names of strangers
//! are escaped.

use std::fmt::Write;

use sonar_protocol::{
    campaign::Mode,
    course::{LeaderboardRow, Step, VerdictKind},
    manifest::Manifest,
    projection::Verdict,
    text,
    units::{TokenUnit, percent},
};
use syft::{Ppm, Task};

use super::{
    chart::{chart, sentence},
    record::{CampaignRecord, Money, reason},
};
use crate::scientist::state;

/// Maximum number of submissions and of miners in the tables; the CSV files have all.
const MOST_ROWS: usize = 200;
/// Maximum number of columns of the schema that are listed.
const MOST_COLUMNS: usize = 60;
const STYLE: &str = include_str!("report.css");

/// A text as HTML. Invisible and control characters are shown.
fn html(text: &str) -> String {
    let shown = text::escape(text);
    text::escape_markup(&shown).into_owned()
}

/// A table; the last `numbers` columns are right-aligned. Cells are HTML.
fn table(header: &[&str], numbers: usize, rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let first_number = header.len().saturating_sub(numbers);
    let class = |index: usize| if index >= first_number { " class=\"n\"" } else { "" };
    let head: String =
        (0..).zip(header).map(|(index, name)| format!("<th scope=\"col\"{}>{name}</th>", class(index))).collect();
    let mut body = String::new();
    for row in rows {
        let cells: String = (0..).zip(row).map(|(index, cell)| format!("<td{}>{cell}</td>", class(index))).collect();
        body += &format!("<tr>{cells}</tr>");
    }
    format!("<div class=\"wide\"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>")
}

fn section(title: &str, content: &str) -> String {
    format!("<section><h2>{title}</h2>{content}</section>")
}

/// The whole page.
pub fn page(record: &CampaignRecord<'_>) -> String {
    let title = html(&record.title());
    let sections = [
        section(
            "Accuracy",
            &format!("<p>{}</p><div class=\"wide\">{}</div>{LEGEND}", html(&sentence(record)), chart(record)),
        ),
        section("Money", &money(record)),
        section("Leaderboard", &leaderboard(record)),
        section("Submissions", &submissions(record)),
        section("Privacy", &privacy(record)),
        section("What was asked for", &record.manifest.map_or_else(|| NO_MANIFEST.into(), described)),
        section("Where this comes from", &source(record)),
    ];
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width,initial-scale=1\"><meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
         style-src 'unsafe-inline'\"><meta name=\"referrer\" content=\"no-referrer\"><title>{title}</title><style>{STYLE}</style></head>\
         <body><main>{}{}</main></body></html>\n",
        head(record, &title),
        sections.concat()
    )
}

const NO_MANIFEST: &str = "<p>The manifest was not available when this report was written.</p>";
const LEGEND: &str = "<p class=\"soft\">Line: best accuracy. Dot: accepted submission. Cross: refused submission. Circle: not \
                      settled yet. Dashed: target. Area: spend, up to the bounty. The same in numbers: <code>series.csv</code>.</p>";

fn head(record: &CampaignRecord<'_>, title: &str) -> String {
    let view = record.view;
    let mut head = format!("<h1>{title}</h1><p class=\"soft\"><code>{}</code></p>", view.id);
    if let Some(organisation) = record.manifest.and_then(|manifest| manifest.organisation.as_ref()) {
        let name = html(&organisation.name);
        let named = match &organisation.link {
            Some(link) => format!("<a href=\"{}\" rel=\"noopener noreferrer nofollow\">{name}</a>", html(link)),
            None => name,
        };
        head += &format!("<p>{named} <span class=\"soft\">(named by the owner, unverified)</span></p>");
    }
    if let Some(parent) = record.detail.summary.parent {
        let note = if parent.verified { "a delivered campaign of the same owner" } else { "unverified" };
        head += &format!("<p>Starts from campaign <code>{}</code> <span class=\"soft\">({note})</span></p>", parent.id);
    }
    let regime = record.detail.summary.regime.map_or_else(|| "unknown".into(), |regime| regime.to_string());
    let cards = [
        ("State", state(view)),
        ("Accuracy", percent(view.start_ppm.map_or(view.terms.start(), |_| view.best_ppm))),
        ("Target", percent(view.terms.target())),
        ("Bounty", record.amount(view.terms.bounty.into())),
        ("Awarded", record.amount(view.awarded)),
        ("Accepted", format!("{} of {} submissions", view.accepts, view.submissions)),
        ("Miners", view.miners.to_string()),
        ("Regime", regime),
        ("Deadline", view.terms.deadline().to_string()),
    ];
    let card =
        |(name, value): (&str, String)| format!("<li><span class=\"soft\">{name}</span><b>{}</b></li>", html(&value));
    head + &format!("<ul class=\"cards\">{}</ul>", cards.map(card).concat())
}

fn money(record: &CampaignRecord<'_>) -> String {
    let money = Money::of(record.view);
    let parts = money.parts();
    let sum: Vec<_> = parts.iter().map(|(name, amount)| html(&format!("{} {name}", record.amount(*amount)))).collect();
    let equation = format!("{} deposited = {}", html(&record.amount(money.deposited())), sum.join(" + "));
    let verdict =
        if money.adds_up() { "The parts add up to the deposit." } else { "The parts do not add up to the deposit." };
    let rows = parts.map(|(name, amount)| vec![name.to_owned(), html(&record.amount(amount)), amount.to_string()]);
    let stakes = record.view.all_stakes();
    let eth = |amount| html(&TokenUnit::eth().format(amount));
    format!(
        "<p>{equation}</p><p>{verdict} The deposit is bounty and fee, at block {}.</p>{}<p class=\"soft\">Stakes of submissions: {} \
         deposited = {} held + {} free + {} withdrawn + {} paid for updates that were not accepted.</p>",
        record.head.number,
        table(&["part", "amount", "in the smallest unit"], 2, rows),
        eth(stakes.deposited),
        eth(stakes.held),
        eth(stakes.free),
        eth(stakes.withdrawn),
        eth(stakes.charged),
    )
}

fn leaderboard(record: &CampaignRecord<'_>) -> String {
    if record.ranking.is_empty() {
        return "<p>Nobody has submitted.</p>".into();
    }
    let row = |rank: &LeaderboardRow| {
        vec![
            format!("<code>{}</code>", rank.miner.to_checksum(None)),
            rank.rank.to_string(),
            format!("{} of {}", rank.accepted, rank.submitted),
            points(rank.delta_ppm),
            html(&record.amount(rank.earned)),
            percent(rank.share_ppm.unwrap_or_default()),
        ]
    };
    let rows = record.ranking.iter().take(MOST_ROWS).map(row);
    format!(
        "<p class=\"soft\">Addresses, not people: one person may have several.{}</p>{}",
        shortened(record.ranking.len(), "miners", "campaign.json"),
        table(&["miner", "rank", "accepted", "improvement", "earned", "share"], 5, rows)
    )
}

fn submissions(record: &CampaignRecord<'_>) -> String {
    if record.points.is_empty() {
        return "<p>There are no submissions.</p>".into();
    }
    let row = |point: &Step| {
        let submission = &point.submission;
        let (improvement, paid) = match submission.verdict {
            Verdict::Accepted { delta_ppm, amount, .. } => (points(delta_ppm), html(&record.amount(amount))),
            _ => Default::default(),
        };
        let mut outcome = VerdictKind::from(submission.verdict).name().replace('_', " ");
        let reason = reason(submission.verdict);
        if !reason.is_empty() {
            let _ = write!(outcome, ": {}", html(&reason));
        }
        vec![
            submission.number.to_string(),
            submission.at.time.to_string(),
            format!("<code>{}</code>", submission.miner.to_checksum(None)),
            outcome,
            percent(point.best),
            improvement,
            paid,
        ]
    };
    // The newest first.
    let rows = record.points.iter().rev().take(MOST_ROWS).map(row);
    format!(
        "<p class=\"soft\">The newest first.{}</p>{}",
        shortened(record.points.len(), "submissions", "submissions.csv"),
        table(&["number", "time", "miner", "verdict", "best", "improvement", "paid"], 3, rows)
    )
}

/// An improvement of the accuracy, in percentage points.
fn points(delta: Ppm) -> String {
    format!("{} points", percent(delta).trim_end_matches(" %"))
}

fn shortened(count: usize, what: &str, file: &str) -> String {
    let note = || format!(" {MOST_ROWS} of {count} {what} are shown; all are in <code>{file}</code>.");
    if count > MOST_ROWS { note() } else { String::new() }
}

fn privacy(record: &CampaignRecord<'_>) -> String {
    match &record.privacy {
        Some(statement) => format!("<p class=\"lines\">{}</p>", html(statement.to_string().trim())),
        None => NO_MANIFEST.into(),
    }
}

fn described(manifest: &Manifest) -> String {
    let data = &manifest.data;
    let task = match (&data.task, data.range) {
        (Task::Classification { classes }, _) => format!("one of {} classes: {}", classes.len(), classes.join(", ")),
        (Task::Regression, Some(range)) => format!("a number from {} to {}", range.min, range.max),
        (Task::Regression, None) => "a number".into(),
    };
    let Mode::Sequential = manifest.mode;
    let mut text = String::new();
    if !manifest.description.is_empty() {
        text += &format!("<p class=\"lines\">{}</p>", html(&manifest.description));
    }
    let weights = manifest.method.weights();
    text += &format!(
        "<p>The model predicts <code>{}</code>: {}. It has {weights} weights and reads {} columns. Training: {}.</p>",
        html(&data.target),
        html(&task),
        data.inputs.len(),
        html(manifest.method.algorithm().description)
    );
    let row = |input: &sonar_protocol::data::Input| {
        vec![format!("<code>{}</code>", html(&input.name)), input.min.to_string(), input.max.to_string()]
    };
    text += &table(&["column", "least", "greatest"], 2, data.inputs.iter().take(MOST_COLUMNS).map(row));
    if data.inputs.len() > MOST_COLUMNS {
        text += "<p class=\"soft\">All columns are in <code>campaign.json</code>.</p>";
    }
    text
}

fn source(record: &CampaignRecord<'_>) -> String {
    let deployment = &record.deployment;
    format!(
        "<p>Read at block {} ({}) from the contract <code>{}</code> on chain {} by sonar {}. Names, description, organisation and \
         column names are texts of the owner; verdicts and accuracies are those that the Capsule <code>{}</code> attested; amounts \
         are the contract's.</p>",
        record.head.number,
        record.head.now,
        deployment.campaigns.to_checksum(None),
        deployment.chain_id,
        env!("CARGO_PKG_VERSION"),
        record.view.terms.capsule.to_checksum(None),
    )
}

#[cfg(test)]
mod tests {
    use alloy::primitives::{Address, B256};
    use proptest::prelude::*;
    use sonar_contracts::{CloseReason, Deployment, Outcome, Terms};
    use sonar_protocol::{
        event::{Event, LogPosition, Record},
        handover::Published,
        ids::{CampaignId, Digest, Version, WindowIndex},
        projection::LedgerJson,
        units::{Amount, Timestamp},
        view::World,
    };

    use super::*;

    const ID: CampaignId = CampaignId(B256::repeat_byte(1));
    const BOUNTY: u128 = 1_000_000_000_000_000_007;

    fn apply(world: &mut World, time: u64, event: Event) {
        let timestamp = Timestamp::from_unix(time);
        let at = LogPosition { block: time, block_hash: B256::ZERO, timestamp, transaction: B256::ZERO, index: 0 };
        world.apply(&Record { at, event }).unwrap();
    }

    fn published() -> Published {
        Published { material: Digest([1; 32]), root: B256::ZERO, handover: B256::ZERO }
    }

    fn proposed() -> World {
        let mut world = World::default();
        let terms = Terms {
            owner: Address::repeat_byte(1),
            bounty: BOUNTY,
            feePpm: 10_000,
            startPpm: 100_000,
            targetPpm: 900_000,
            gridPpm: 10_000,
            windowSize: 1,
            capPerVersion: 255,
            maxSubmissions: 65_535,
            maxAccepts: 255,
            deadline: 1_000_000,
            ..Terms::default()
        };
        let terms = Box::new(terms.try_into().unwrap());
        apply(&mut world, 1, Event::Opened { id: ID, terms, window_start: B256::ZERO });
        world
    }

    /// A campaign in which `outcomes` were decided, one in each window; accepted ones improve the model by one step.
    fn ran(outcomes: &[Outcome]) -> World {
        let mut world = proposed();
        let (first, start_ppm) = (published(), Ppm::of(1, 10));
        apply(&mut world, 2, Event::Activated { id: ID, start_ppm, first, certificate: Digest([2; 32]) });
        let (mut version, mut best) = (Version(1), start_ppm);
        for (window, outcome) in (0..).zip(outcomes) {
            let (time, miner) = (u64::from(window) + 3, Address::repeat_byte((window % 7) as u8 + 1));
            let (window, content) = (WindowIndex(window), Digest([3; 32]));
            apply(&mut world, time, Event::Submitted { id: ID, miner, version, window, index: 0, content });
            let mut next = None;
            let outcome = match outcome {
                Outcome::Accepted(_) => {
                    let delta_ppm = Ppm::of(1, 100);
                    best = Ppm::new(best.get() + delta_ppm.get()).unwrap();
                    let amount =
                        Amount::from(sonar_contracts::payout(BOUNTY, 900_000, best.get() - 10_000, best.get()));
                    apply(&mut world, time, Event::Awarded { id: ID, miner, window, index: 0, delta_ppm, amount });
                    next = Some(published());
                    Outcome::Accepted((best.get() / 10_000) as u16)
                }
                other => *other,
            };
            let (outcomes, best_ppm, window_start) = (vec![outcome], best, B256::ZERO);
            apply(&mut world, time, Event::Settled { id: ID, window, version, outcomes, best_ppm, next, window_start });
            if next.is_some() {
                version = Version(version.0 + 1);
            }
        }
        world
    }

    fn with_record<T>(world: &World, read: impl FnOnce(&CampaignRecord<'_>) -> T) -> T {
        let deployment = Deployment {
            chain_id: 1,
            campaigns: Address::repeat_byte(9),
            registry: Address::repeat_byte(8),
            datacoin: Address::repeat_byte(7),
            block: 0,
        };
        let token = TokenUnit::eth();
        read(&CampaignRecord::new(world.campaign(ID).unwrap(), world, None, &token, deployment))
    }

    #[test]
    fn best_accuracy_and_spend_follow_the_chain_exactly() {
        let outcomes = [Outcome::NotImproved, Outcome::Accepted(0), Outcome::Rejected(9), Outcome::Accepted(0)];
        let world = ran(&outcomes);
        with_record(&world, |record| {
            let best: Vec<u32> = record.points.iter().map(|point| point.best.get()).collect();
            assert_eq!(best, [100_000, 110_000, 110_000, 120_000]);
            let step = sonar_contracts::payout(BOUNTY, 900_000, 100_000, 110_000);
            let spent: Vec<Amount> = record.points.iter().map(|point| point.spent).collect();
            assert_eq!(spent, [0, step, step, 2 * step].map(Amount::from));
            assert_eq!(spent.last(), Some(&record.view.awarded));
            let shares: u32 = record.ranking.iter().filter_map(|rank| rank.share_ppm).map(Ppm::get).sum();
            assert_eq!((record.ranking.len(), shares), (4, 1_000_000));
            assert_eq!(record.ranking[0].earned, Amount::from(step));
            let page = page(record);
            assert!(page.contains("rejected: the update was made by another miner"));
            let series = String::from_utf8(record.series()).unwrap();
            assert!(
                series.contains(
                    "4,1970-01-01T00:00:06Z,120000,0.022222222222222222,ETH,accepted,10000,0.011111111111111111"
                ),
                "{series}"
            );
        });
    }

    #[test]
    fn money_adds_up_at_every_stage() {
        let mut closed = ran(&[Outcome::Accepted(0)]);
        let refunded = Amount::from(BOUNTY).saturating_sub(closed.campaign(ID).unwrap().awarded);
        apply(&mut closed, 9, Event::Closed { id: ID, reason: CloseReason::Owner, refunded });
        for world in [proposed(), ran(&[]), ran(&[Outcome::Accepted(0)]), closed] {
            with_record(&world, |record| {
                let money = Money::of(record.view);
                assert!(money.adds_up(), "{:?}", LedgerJson::from(&record.view.ledger()));
                let page = page(record);
                assert!(page.contains("The parts add up to the deposit."));
                assert!(
                    page.contains("1.01000000000000000707 ETH deposited = ")
                        || page.contains("1.010000000000000007 ETH deposited = ")
                );
            });
        }
    }

    /// However long a campaign is, the report opens at once.
    #[test]
    fn a_long_campaign_has_a_short_report_and_whole_tables() {
        let outcomes: Vec<Outcome> = (0..10_000)
            .map(|index| if index % 500 == 0 { Outcome::Accepted(0) } else { Outcome::NotImproved })
            .collect();
        with_record(&ran(&outcomes), |record| {
            let page = page(record);
            assert!(page.len() < 200_000, "{}", page.len());
            assert_eq!(page.matches("class=\"accepted\"").count(), 20, "every accepted submission is drawn");
            assert!(page.matches("class=\"refused\"").count() <= 500);
            assert!(page.contains("200 of 10000 submissions are shown"));
            assert_eq!(String::from_utf8(record.submissions()).unwrap().lines().count(), 10_001);
        });
    }

    #[test]
    fn a_campaign_without_manifest_and_submissions_has_a_report_too() {
        with_record(&proposed(), |record| {
            let page = page(record);
            for part in
                [&ID.to_string(), "Nobody has submitted.", "There are no submissions.", NO_MANIFEST, "class=\"target\""]
            {
                assert!(page.contains(part), "{part}");
            }
            assert!(!page.contains("class=\"best\"") && !page.contains("NaN"));
        });
    }

    proptest! {
        #[test]
        fn no_text_of_a_stranger_is_markup(text in "[<>&\"'a-z/= \u{1b}\u{202e}]{0,40}") {
            let shown = html(&text);
            prop_assert!(!shown.contains(['<', '>', '"', '\'', '\u{1b}', '\u{202e}']), "{}", shown);
            let back = shown.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&#39;", "'").replace("&amp;", "&");
            prop_assert_eq!(back, sonar_protocol::text::escape(&text).into_owned());
        }
    }
}
