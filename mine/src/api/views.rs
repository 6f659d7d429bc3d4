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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use sonar_protocol::{
        data::{TableLimits, read_csv},
        ids::Version,
        profile::Profile,
        regime::Regime,
    };

    use super::*;
    use crate::{
        pause::Pause,
        planner::{CampaignArtefact, Wait},
        policy::Objection,
        privacy::ExhaustedBudget,
        reasons::{MaterialProblem, Trouble},
        repository::About,
        run::{Journal, StepLog, StepRecord},
        testing::{ME, OTHER, Story},
        training::TrainingStatus,
    };

    const NOW: Timestamp = Timestamp::from_unix(5_000);

    fn line(action: Action) -> JournalLine {
        JournalLine {
            campaign: [1; 32].into(),
            name: Some("yes or no".into()),
            organisation: None,
            regime: Some(Regime::Encrypted),
            version: Version(2),
            progress: None,
            action,
            trouble: None,
            fits: Vec::new(),
        }
    }

    fn snapshot(lines: Vec<JournalLine>) -> LoopSnapshot {
        let chain = ChainState { block: Some(7), seen_at: NOW, ..ChainState::default() };
        LoopSnapshot { journal: Arc::new(Journal { campaigns: lines }), chain, data_sets: 1, ..LoopSnapshot::default() }
    }

    #[test]
    fn a_decision_has_a_kind_a_stable_reason_and_a_rule() {
        use DecisionKind::{Serve, Skip as Skips, Wait as Waits};
        let cases = [
            (Action::Train, Serve, "train", None),
            (Action::Send, Serve, "send", None),
            (Action::Fetch(CampaignArtefact::Manifest), Serve, "fetch_manifest", None),
            (Action::Wait(Wait::CoolDown { until: NOW }), Waits, "cool_down", None),
            (Action::Skip(Skip::Paused { until: None }), Waits, "paused", None),
            (Action::Skip(Skip::Done), Waits, "done", None),
            (Action::Skip(Skip::NoData), Skips, "no_data", None),
            (Action::Skip(Skip::Policy(Objection::Clear)), Skips, "policy", Some("clear")),
            (
                Action::Skip(Skip::UnusableMaterial(MaterialProblem::Unbound)),
                Skips,
                "unusable_material",
                Some("unbound"),
            ),
        ];
        for (action, kind, reason, rule) in cases {
            let text = action.to_string();
            let found = decision(&line(action));
            assert_eq!(found, Decision { kind, reason: reason.into(), rule: rule.map(Into::into), text });
        }
    }

    #[test]
    fn what_the_owner_should_do_is_named_once_with_the_command() {
        let well = snapshot(vec![line(Action::Train)]);
        let rich = Books { balance: Some(1_u128.into()), ..Books::default() };
        assert_eq!(needs(ME, &well, &rich), []);
        let spent = ExhaustedBudget { data: "own".parse().unwrap(), told: 2, epsilon: 1.5, allowed: 2.0, delta: 1e-6 };
        let spent = || line(Action::Skip(Skip::Privacy(PrivacyProblem::Spent(spent.clone()))));
        let trouble = Some(Trouble::Ipfs { detail: "nobody has it".into() });
        let troubled = JournalLine { trouble, ..line(Action::Fetch(CampaignArtefact::Material)) };
        let broken = LoopSnapshot {
            data_sets: 0,
            invalid_files: vec!["policy.toml: line 1".into()],
            ..snapshot(vec![spent(), spent(), troubled])
        };
        let poor = Books { balance: Some(Amount::ZERO), ..Books::default() };
        let found = needs(ME, &broken, &poor);
        let kinds: Vec<_> = found.iter().map(|need| need.kind).collect();
        let all = [NeedKind::Data, NeedKind::Funds, NeedKind::File, NeedKind::Privacy, NeedKind::Trouble];
        assert_eq!(kinds, all, "one for the data set, although two campaigns need it");
        assert_eq!(found[4].text, "yes or no: nobody has it; it is retried");
        assert_eq!(found[0].command.as_deref(), Some("mine data add NAME FILE.csv"));
        // An unknown balance is not an empty one, and before the chain answers nothing is missing.
        assert_eq!(needs(ME, &LoopSnapshot::default(), &Books::default()), []);
    }

    #[test]
    fn the_status_shows_pause_and_chain() {
        let paused = Some(Pause { since: NOW, until: Some(NOW.plus(60_u32)), after_job: true });
        let snapshot = LoopSnapshot { paused, ..snapshot(Vec::new()) };
        let found = status(ME, &snapshot, &Books::default(), NOW.plus(9_u32));
        let pause = found.paused.unwrap();
        assert_eq!((pause.until, pause.finishing), (Some(NOW.plus(60_u32)), false));
        assert!(pause.reason.starts_with("paused until 1970"), "{}", pause.reason);
        let expected = ChainStatus { ok: true, block: Some(7), age_seconds: Some(9), problem: None };
        assert_eq!((found.chain, found.running), (expected, true));
        let waiting = status(ME, &LoopSnapshot::default(), &Books::default(), NOW);
        assert!(!waiting.running && !waiting.chain.ok && waiting.chain.problem.is_some());
    }

    #[test]
    fn a_fit_names_the_data_that_fits_or_the_reasons_without_cells() {
        let fit_of = |rows, by_profile: Option<&str>| Fit {
            data: if rows > 0 { "own" } else { "other" }.parse().unwrap(),
            rows,
            problems: by_profile.map(|_| "line 3: `Alexandrina`".into()),
            by_profile: by_profile.map(Into::into),
        };
        let found = fit(&[fit_of(0, Some("column `y` is missing")), fit_of(7, None)]);
        assert_eq!((found.ok, found.rows, found.data.len(), found.reason), (true, 7, 1, None));
        let found = fit(&[fit_of(0, Some("column `y` is missing"))]);
        assert_eq!((found.ok, found.reason.as_deref()), (false, Some("other: column `y` is missing")));
        assert_eq!(fit(&[]).reason.as_deref(), Some("there is no data set"));
    }

    #[test]
    fn labels_are_counted_and_not_shown() {
        let csv = b"age,class\n31,Alexandrina\n44,Victoria\n52,Victoria\n60,Victoria\n";
        let table = read_csv(csv, &TableLimits::default()).unwrap();
        let about = About {
            name: "own".parse().unwrap(),
            columns: vec!["age".into(), "class".into()],
            rows: 4,
            bytes: 9,
            added_at: NOW,
        };
        let found = data_set(DataProfile { about: about.clone(), profile: Some(Profile::of(&table)) });
        assert_eq!(found.columns[0].kind, Some(ColumnKind::Number));
        assert!(found.columns[0].min.unwrap() <= 31.0 && found.columns[0].max.unwrap() >= 60.0);
        assert_eq!((found.columns[1].kind, found.columns[1].labels), (Some(ColumnKind::Labels), Some(2)));
        assert!(!serde_json::to_string(&found).unwrap().contains("Victoria"));
        let unknown = data_set(DataProfile { about, profile: None });
        assert_eq!(unknown.columns[0].kind, None);
    }

    #[test]
    fn totals_and_rows_of_the_earnings_agree_whatever_part_is_shown() {
        let mut story = Story::opened();
        story.activate();
        for gain in [Some(10), None, Some(20)] {
            story.submit(ME);
            story.submit(OTHER);
            story.settle(&[gain, None]);
        }
        story.submit(ME);
        let snapshot = LoopSnapshot { world: Arc::new(story.world.clone()), ..LoopSnapshot::default() };
        let all = earnings(ME, &snapshot, &Books::default(), (0, 100));
        assert_eq!((all.submissions, all.items.len(), all.totals[0].pending_count), (4, 4, 1));
        let sum = |amounts: &mut dyn Iterator<Item = Amount>| amounts.fold(Amount::ZERO, Amount::saturating_add);
        let earned = all.totals[0].earned;
        assert_eq!(earned, sum(&mut all.items.iter().filter_map(|item| item.amount)));
        assert_eq!(earned, sum(&mut all.days.iter().map(|day| day.earned)));
        assert_eq!((all.gas.transactions, all.gas.missing, all.gas.wei), (4, 4, Amount::ZERO));
        assert_eq!(all.items[0].transaction, all.items[0].submission_transaction, "pending");
        assert_ne!(all.items[1].transaction, all.items[1].submission_transaction);
        let part = earnings(ME, &snapshot, &Books::default(), (1, 2));
        let windows = |items: &[SubmissionEarnings]| items.iter().map(|item| item.window).collect::<Vec<_>>();
        assert_eq!((windows(&part.items), part.totals[0].earned), (windows(&all.items[1..3]), earned));
        let campaign = &campaigns(ME, &snapshot, &Books::default()).items[0];
        assert_eq!((campaign.submitted, campaign.competitors, campaign.earned), (4, 1, earned));
        assert!(campaign.decision.is_none() && campaign.fit.is_none());
    }

    #[test]
    fn only_a_training_has_progress() {
        let progress = Some(TrainingStatus { epoch: 1, epochs: 2, step: 25, steps: 100 });
        let step = |step: &str| StepRecord {
            campaign: [1; 32].into(),
            version: Version(2),
            step: step.into(),
            started: NOW,
            ended: None,
            attempt: 1,
            error: None,
        };
        let log = |name: &str| -> StepLog { serde_json::from_value(serde_json::json!([step(name)])).unwrap() };
        let with = |name| LoopSnapshot {
            steps: Arc::new(log(name)),
            ..snapshot(vec![JournalLine { progress, ..line(Action::Train) }])
        };
        assert_eq!(work(&with("train"))[0].progress_ppm, Some(Ppm::of(1, 4)));
        assert_eq!(work(&with("send"))[0].progress_ppm, None);
    }
}
