//! From the loop's snapshot to the answers of the API: pure functions.

use std::collections::{BTreeMap, BTreeSet};

use alloy::primitives::Address;
use serde_json::Value;
use sonar_protocol::{
    ids::CampaignId,
    units::{Amount, Timestamp},
    view::CampaignView,
};
use syft::Ppm;

use super::{
    books::Books,
    dto::{
        Campaign, CampaignList, ChainStatus, ColumnKind, DataColumn, DataFit, DataSet, DayEarnings, DayGas, Decision,
        DecisionKind, Earnings, Gas, Job, JobList, MineState, Need, NeedKind, PauseState, PayoutInputs, StakeTotal,
        SubmissionEarnings, TokenTotal, Work,
    },
};
use crate::{
    earnings::{self, Statement, SubmissionRow, Verdict},
    planner::{Action, Skip},
    reasons::PrivacyProblem,
    repository::{DataProfile, Fit},
    run::{ChainState, JournalLine, LoopSnapshot},
};

/// Names of the campaigns whose manifests are known.
type Names<'a> = BTreeMap<CampaignId, &'a str>;

fn names(snapshot: &LoopSnapshot) -> Names<'_> {
    snapshot.journal.campaigns.iter().filter_map(|line| Some((line.campaign, line.name.as_deref()?))).collect()
}

/// What the Mine is doing.
pub fn status(address: Address, snapshot: &LoopSnapshot, books: &Books, clock: Timestamp) -> MineState {
    MineState {
        address,
        running: snapshot.chain.block.is_some(),
        paused: snapshot.paused.map(|pause| PauseState {
            since: pause.since,
            until: pause.until,
            finishing: snapshot.steps.running().next().is_some(),
            reason: pause.to_string(),
        }),
        now: work(snapshot),
        needs: needs(address, snapshot, books),
        balance: books.balance,
        chain: chain(&snapshot.chain, clock),
        version: env!("CARGO_PKG_VERSION").into(),
    }
}

fn chain(chain: &ChainState, clock: Timestamp) -> ChainStatus {
    let problem = match (&chain.problem, chain.block) {
        (None, None) => Some("waiting for the chain, Sonar and IPFS".into()),
        (problem, _) => problem.clone(),
    };
    ChainStatus { ok: problem.is_none(), block: chain.block, age_seconds: chain.age(clock), problem }
}

fn work(snapshot: &LoopSnapshot) -> Vec<Work> {
    let names = names(snapshot);
    let progress = |campaign: CampaignId| {
        let line = snapshot.journal.campaigns.iter().find(|line| line.campaign == campaign)?;
        line.progress.map(|progress| Ppm::of(progress.step, progress.steps))
    };
    let running = snapshot.steps.running().map(|record| Work {
        campaign: record.campaign,
        name: names.get(&record.campaign).map(ToString::to_string),
        step: record.step.clone(),
        started: record.started,
        progress_ppm: progress(record.campaign).filter(|_| record.step == "train"),
    });
    running.collect()
}

/// What the owner should do.
fn needs(address: Address, snapshot: &LoopSnapshot, books: &Books) -> Vec<Need> {
    let need = |kind, text: String, command: Option<&str>| Need { kind, text, command: command.map(Into::into) };
    let mut needs = Vec::new();
    if snapshot.chain.block.is_some() && snapshot.data_sets == 0 {
        let text = "there is no data set, so no campaign can be served".into();
        needs.push(need(NeedKind::Data, text, Some("mine data add NAME FILE.csv")));
    }
    if books.balance == Some(Amount::ZERO) {
        let text = format!("the account {address} has no ETH, so it cannot pay for gas and stakes; send some to it");
        needs.push(need(NeedKind::Funds, text, None));
    }
    needs.extend(snapshot.invalid_files.iter().map(|text| need(NeedKind::File, text.clone(), None)));
    let lines = || snapshot.journal.campaigns.iter();
    let spent: BTreeSet<String> = lines()
        .filter_map(|line| match &line.action {
            Action::Skip(Skip::Privacy(PrivacyProblem::Spent(spent))) => Some(spent.to_string()),
            _ => None,
        })
        .collect();
    needs.extend(spent.into_iter().map(|text| need(NeedKind::Privacy, text, Some("mine privacy"))));
    needs.extend(lines().filter_map(|line| {
        let trouble = line.trouble.as_ref()?;
        let name = line.name.clone().unwrap_or_else(|| line.campaign.short());
        Some(need(NeedKind::Trouble, format!("{name}: {trouble}; it is retried"), Some("mine doctor")))
    }));
    needs
}

/// All campaigns, newest first.
pub fn campaigns(me: Address, snapshot: &LoopSnapshot, books: &Books) -> CampaignList {
    let lines: BTreeMap<_, _> = snapshot.journal.campaigns.iter().map(|line| (line.campaign, line)).collect();
    let campaign = |view: &CampaignView| campaign(me, view, lines.get(&view.id).copied(), books);
    CampaignList { items: snapshot.world.in_order().rev().map(campaign).collect() }
}

fn campaign(me: Address, view: &CampaignView, line: Option<&JournalLine>, books: &Books) -> Campaign {
    let account = view.accounts.get(&me).copied().unwrap_or_default();
    Campaign {
        campaign: view.id,
        name: line.and_then(|line| line.name.clone()),
        regime: line.and_then(|line| line.regime),
        state: view.state,
        version: view.version().0,
        fit: line.filter(|line| line.name.is_some()).map(|line| fit(&line.fits)),
        decision: line.map(decision),
        competitors: view.miners.saturating_sub(u32::from(account.submitted > 0)),
        deadline: view.terms.deadline(),
        bounty: view.terms.bounty.into(),
        token: books.token(view.terms.token),
        submission_stake: view.terms.submissionStake.into(),
        best_ppm: view.best_ppm,
        target_ppm: view.terms.target(),
        submitted: account.submitted,
        earned: account.earned,
        trouble: line.and_then(|line| line.trouble.as_ref()).map(ToString::to_string),
    }
}

/// How the data fits, without any cell.
fn fit(fits: &[Fit]) -> DataFit {
    let good = || fits.iter().filter(|fit| fit.rows > 0);
    let ok = good().next().is_some();
    let problems = fits.iter().filter_map(|fit| Some(format!("{}: {}", fit.data, fit.by_profile.as_ref()?)));
    let reason = || {
        let lines: Vec<_> = problems.collect();
        if lines.is_empty() { "there is no data set".into() } else { lines.join("\n") }
    };
    DataFit {
        ok,
        rows: good().map(|fit| fit.rows).sum(),
        data: good().map(|fit| fit.data.clone()).collect(),
        reason: (!ok).then(reason),
    }
}

/// The decision of a line of the journal. The names are those of the journal, which are stable.
fn decision(line: &JournalLine) -> Decision {
    let kind = match &line.action {
        Action::Fetch(_) | Action::Train | Action::Send => DecisionKind::Serve,
        Action::Wait(_) | Action::Skip(Skip::NotOpen | Skip::Done | Skip::Paused { .. }) => DecisionKind::Wait,
        Action::Skip(_) => DecisionKind::Skip,
    };
    // Encoding cannot fail: the journal has the same form.
    let form = serde_json::to_value(&line.action).unwrap_or_default();
    let name = |key: &str| form.get(key).and_then(Value::as_str).map(ToOwned::to_owned);
    let artefact = || name("artefact").map(|artefact| format!("fetch_{artefact}"));
    let reason = name("reason").or_else(|| name("for")).or_else(artefact).or_else(|| name("action"));
    Decision {
        kind,
        reason: reason.unwrap_or_default(),
        rule: name("rule").or_else(|| name("problem")),
        text: line.describe(),
    }
}

/// The last steps, newest first.
pub fn jobs(snapshot: &LoopSnapshot) -> JobList {
    let names = names(snapshot);
    let items = snapshot.steps.newest_first().map(|record| Job {
        campaign: record.campaign,
        name: names.get(&record.campaign).map(ToString::to_string),
        version: record.version.0,
        step: record.step.clone(),
        state: record.state(),
        started: record.started,
        ended: record.ended,
        attempt: record.attempt,
        error: record.error.as_ref().map(ToString::to_string),
    });
    JobList { items: items.collect() }
}

/// Earnings with this part of the submissions.
pub fn earnings(me: Address, snapshot: &LoopSnapshot, books: &Books, (offset, limit): (usize, usize)) -> Earnings {
    let world = &*snapshot.world;
    let statement = earnings::statement(world, me, &books.units(), &books.charges, books.claimable);
    let rows = earnings::submissions(world, me);
    let names = names(snapshot);
    Earnings {
        totals: totals(&statement, &rows),
        gas: gas(snapshot, me, books, &statement),
        stakes: StakeTotal {
            held: statement.stakes.total.held,
            free: statement.stakes.total.free,
            charged: statement.stakes.total.charged,
            claimable: statement.stake_claimable,
        },
        days: earnings::days(&rows)
            .into_iter()
            .map(|day| DayEarnings { date: day.date, token: books.token(day.token), earned: day.earned })
            .collect(),
        submissions: rows.len(),
        items: rows.into_iter().skip(offset).take(limit).map(|row| submission(&row, &names, books)).collect(),
    }
}

fn totals(statement: &Statement, rows: &[SubmissionRow]) -> Vec<TokenTotal> {
    let pending = |token| rows.iter().filter(|row| row.token == token && row.verdict == Verdict::Pending).count();
    let total = |part: &earnings::TokenStatement| TokenTotal {
        token: part.token.clone().into(),
        claimable: part.claimable,
        pending_count: pending(part.token.address),
        pending_at_most: part.pending_at_most,
        earned: part.awards.iter().fold(Amount::ZERO, |sum, award| sum.saturating_add(award.amount)),
        withdrawn: part.withdrawn,
        net: part.net.to_string(),
    };
    statement.tokens.iter().map(total).collect()
}

fn gas(snapshot: &LoopSnapshot, me: Address, books: &Books, statement: &Statement) -> Gas {
    let transactions = earnings::transactions(&snapshot.world, me);
    let mut days: BTreeMap<String, Amount> = BTreeMap::new();
    let mut missing = 0;
    for transaction in &transactions {
        match books.charges.get(&transaction.at.transaction) {
            Some(charge) => {
                let day = days.entry(earnings::date(transaction.at.timestamp)).or_default();
                *day = day.saturating_add(charge.cost);
            }
            None => missing += 1,
        }
    }
    Gas {
        wei: statement.gas.spent,
        transactions: transactions.len(),
        missing,
        days: days.into_iter().map(|(date, wei)| DayGas { date, wei }).collect(),
    }
}

fn submission(row: &SubmissionRow, names: &Names<'_>, books: &Books) -> SubmissionEarnings {
    let at = row.settled.as_ref().unwrap_or(&row.submitted);
    SubmissionEarnings {
        campaign: row.campaign,
        name: names.get(&row.campaign).map(ToString::to_string),
        token: books.token(row.token),
        window: row.window.0,
        number: row.index.saturating_add(1),
        version: row.version.0,
        verdict: row.verdict,
        delta_ppm: row.payout.map(|payout| payout.delta_ppm),
        amount: row.payout.map(|payout| payout.amount),
        inputs: row.payout.map(|payout| PayoutInputs {
            bounty: payout.bounty,
            delta_ppm: payout.delta_ppm,
            range_ppm: payout.range_ppm,
        }),
        stake: row.stake,
        charged: row.charged,
        transaction: at.transaction,
        time: at.timestamp,
        submission_transaction: row.submitted.transaction,
        submitted: row.submitted.timestamp,
    }
}

/// A data set without its rows. Of labels only the number is shown: a label is the content of a cell.
pub fn data_set(DataProfile { about, profile }: DataProfile) -> DataSet {
    let column = |name: &String| {
        let known = profile.as_ref().and_then(|profile| profile.columns.get(name));
        let kind = known.map(|column| match (&column.range, &column.labels) {
            (Some(_), _) => ColumnKind::Number,
            (None, Some(_)) => ColumnKind::Labels,
            (None, None) => ColumnKind::Text,
        });
        let range = known.and_then(|column| column.range);
        DataColumn {
            name: name.clone(),
            kind,
            min: range.map(|range| range.min),
            max: range.map(|range| range.max),
            labels: known.and_then(|column| column.labels.as_ref()).map(BTreeSet::len),
        }
    };
    DataSet {
        columns: about.columns.iter().map(column).collect(),
        name: about.name,
        rows: about.rows,
        bytes: about.bytes,
        added: about.added_at,
    }
}
