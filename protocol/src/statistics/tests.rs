//! The counters against a recomputation from the events, over random histories.

use std::collections::{BTreeMap, BTreeSet};

use alloy::primitives::{B256, U256};
use proptest::prelude::*;
use sonar_contracts::{State, Terms};

use super::*;
use crate::{
    event::LogPosition,
    handover::Published,
    ids::{CampaignId, Digest, WindowIndex},
    view::World,
};

/// 2027-01-15T08:00:00Z
const BEGIN: u64 = 1_800_000_000;
const MINERS: u8 = 4;

/// What happens next: which campaign, what, and how many seconds later.
type Move = (u8, u8, u32);

fn moves() -> impl Strategy<Value = Vec<Move>> {
    prop::collection::vec((0_u8..5, any::<u8>(), 0_u32..60_000), 0..150)
}

fn id(campaign: u8) -> CampaignId {
    CampaignId::from([campaign + 1; 32])
}

fn miner(choice: u8) -> Address {
    Address::repeat_byte(0xA0 + choice % MINERS)
}

fn terms(campaign: u8) -> CampaignTerms {
    let terms = Terms {
        // The owner of the last campaign is a miner too.
        owner: if campaign == 4 { miner(0) } else { Address::repeat_byte(0xB0) },
        token: Address::repeat_byte(campaign % 3),
        bounty: 1_000_003 + u128::from(campaign),
        targetPpm: 800_000,
        gridPpm: 5_000,
        maxSubmissions: 40,
        maxAccepts: 12,
        windowSize: 3,
        windowSeconds: 600,
        deadline: u64::MAX / 2,
        capsule: Address::repeat_byte(0xC0 + campaign % 2),
        feePpm: 10_000,
        ..Terms::default()
    };
    terms.try_into().unwrap()
}

fn published(byte: u8) -> Published {
    Published { material: Digest([byte; 32]), root: B256::ZERO, handover: B256::ZERO }
}

/// The events of a move, if it is possible.
fn events(world: &World, campaign: u8, choice: u8) -> Vec<Event> {
    let id = id(campaign);
    let Some(view) = world.campaign(id) else {
        let opened = Event::Opened { id, terms: Box::new(terms(campaign)), window_start: B256::ZERO };
        return vec![opened];
    };
    if choice.is_multiple_of(5) {
        return withdrawal(view, choice).into_iter().collect();
    }
    let bounty = U256::from(view.terms.bounty);
    let fee = fee(view.terms.bounty, view.terms.feePpm);
    let left = bounty - view.awarded.0;
    match view.state {
        State::Proposed => proposed(view, choice, Amount(bounty + fee)),
        State::Open => match choice % 16 {
            1 => vec![Event::Closed { id, reason: CloseReason::Owner, refunded: Amount(left) }],
            2 => vec![Event::Closed { id, reason: CloseReason::CapsuleTimeout, refunded: Amount(left + fee) }],
            3..=6 if !view.window.submissions.is_empty() => settlement(view, choice),
            _ => vec![Event::Submitted {
                id,
                miner: miner(choice / 16),
                version: view.version(),
                window: view.window.index,
                index: view.window.submissions.len() as u32,
                content: Digest([choice; 32]),
            }],
        },
        State::Closed if view.reason == CloseReason::CapsuleTimeout => Vec::new(),
        State::Closed if choice.is_multiple_of(3) => {
            vec![Event::Expired { id, refunded: Amount(fee), compensation: Amount::ZERO }]
        }
        State::Closed => vec![Event::Finalized { id, result: Digest([1; 32]), handovers: Vec::new() }],
        State::Finalized if choice.is_multiple_of(3) => {
            let (version, compensation) = (view.version(), Amount::ZERO);
            vec![Event::Convicted { id, version, refunded: Amount(fee), compensation }]
        }
        State::Finalized => {
            let earned = view.earned_fee();
            vec![Event::Released { id, fee: Amount(earned), refunded: Amount(fee - earned) }]
        }
        State::None | State::Refunded | State::Released | State::Convicted => Vec::new(),
    }
}

fn proposed(view: &CampaignView, choice: u8, deposit: Amount) -> Vec<Event> {
    let id = view.id;
    let refunded = Event::Refunded { id, amount: deposit };
    match choice % 8 {
        1 => vec![Event::Declined { id, reason: (choice / 8).into() }, refunded],
        2 => vec![refunded],
        _ => {
            let (first, certificate) = (published(1), Digest([9; 32]));
            vec![Event::Activated { id, start_ppm: Ppm::of(1, 10), first, certificate }]
        }
    }
}

fn settlement(view: &CampaignView, choice: u8) -> Vec<Event> {
    let (id, window, version) = (view.id, view.window.index, view.version());
    let mut events = Vec::new();
    let (mut left, mut outcomes) = (U256::from(view.terms.bounty) - view.awarded.0, Vec::new());
    for (index, submission) in (0..).zip(&view.window.submissions) {
        let outcome = match (u32::from(choice) / 16 + index) % 3 {
            0 => Outcome::Accepted(30),
            1 => Outcome::NotImproved,
            _ => Outcome::Rejected(4),
        };
        if let Outcome::Accepted(_) = outcome {
            let amount = left / U256::from(3);
            left -= amount;
            let (miner, delta_ppm) = (submission.miner, Ppm::of(u64::from(choice), 1_000));
            events.push(Event::Awarded { id, miner, window, index, delta_ppm, amount: Amount(amount) });
        }
        outcomes.push(outcome);
    }
    let (best_ppm, next, window_start) = (view.best_ppm, Some(published(choice)), B256::ZERO);
    events.push(Event::Settled { id, window: WindowIndex(window.0), version, outcomes, best_ppm, next, window_start });
    events
}

fn withdrawal(view: &CampaignView, choice: u8) -> Option<Event> {
    let accounts = [view.terms.owner, view.terms.capsule, miner(0), miner(1), miner(2), miner(3)];
    let account = accounts[usize::from(choice / 5) % accounts.len()];
    let amount = view.owed(account);
    (amount > Amount::ZERO).then_some(Event::Withdrawn { id: view.id, account, to: account, amount })
}

/// A consistent history.
fn history(moves: &[Move]) -> Vec<Record> {
    let (mut world, mut records, mut time) = (World::default(), Vec::new(), Timestamp::from_unix(BEGIN));
    for (block, (campaign, choice, seconds)) in (1..).zip(moves) {
        time = time.plus(*seconds);
        for (index, event) in (0..).zip(events(&world, *campaign, *choice)) {
            let (block_hash, transaction) = (B256::ZERO, B256::ZERO);
            let record = Record { at: LogPosition { block, block_hash, timestamp: time, transaction, index }, event };
            world.apply(&record).unwrap();
            records.push(record);
        }
    }
    records
}

fn world_of(records: &[Record]) -> World {
    let mut world = World::default();
    records.iter().for_each(|record| world.apply(record).unwrap());
    world
}

/// What a range must report, recomputed from its events.
#[derive(Debug, Default, PartialEq, Eq)]
struct Expected {
    names: BTreeMap<&'static str, u64>,
    expired: u64,
    miners: BTreeSet<Address>,
    outcomes: [u64; 3],
    /// Escrowed, earned, paid, refunded, fees, and points.
    money: BTreeMap<Address, [u128; 6]>,
    times: Vec<u64>,
    /// By Capsule: proposed, activated, settled, delivered, late, unanswered, declined, convicted.
    capsules: BTreeMap<Address, [u64; 8]>,
}

impl Expected {
    fn of(records: &[Record], from: Day, to: Day) -> Self {
        let (mut expected, mut world) = (Self::default(), World::default());
        for record in records {
            if (from..=to).contains(&Day::from(record.at.timestamp)) {
                expected.add(&world, record);
            }
            world.apply(record).unwrap();
        }
        expected
    }

    fn add(&mut self, before: &World, record: &Record) {
        let event = &record.event;
        let id = event.campaign().unwrap();
        let terms = match event {
            Event::Opened { terms, .. } => (**terms).clone(),
            _ => before.campaign(id).unwrap().terms.clone(),
        };
        let view = before.campaign(id);
        let number = |amount: Amount| amount.0.to::<u128>();
        let mut move_money = |column: usize, amount: u128| {
            if amount > 0 {
                self.money.entry(terms.token).or_default()[column] += amount;
            }
        };
        *self.names.entry(event.name()).or_default() += 1;
        let capsule = self.capsules.entry(terms.capsule).or_default();
        match event {
            Event::Opened { .. } => {
                move_money(0, terms.bounty + terms.bounty * u128::from(terms.feePpm) / 1_000_000);
                capsule[0] += 1;
            }
            Event::Activated { .. } => capsule[1] += 1,
            Event::Declined { .. } => capsule[6] += 1,
            Event::Refunded { amount, .. } => {
                move_money(3, number(*amount));
                capsule[5] += u64::from(view.unwrap().declined.is_none());
            }
            Event::Submitted { miner, .. } => {
                self.miners.insert(*miner);
            }
            Event::Awarded { amount, delta_ppm, .. } => {
                move_money(1, number(*amount));
                move_money(5, delta_ppm.get().into());
            }
            Event::Settled { outcomes, .. } => {
                for outcome in outcomes {
                    self.outcomes[match outcome {
                        Outcome::Accepted(_) => 0,
                        Outcome::NotImproved => 1,
                        Outcome::Rejected(_) => 2,
                    }] += 1;
                }
                self.times.push(record.at.timestamp.since(view.unwrap().window.closes_at));
                capsule[2] += 1;
            }
            Event::Closed { reason, refunded, .. } => {
                let is_late = u64::from(*reason == CloseReason::CapsuleTimeout);
                self.expired += is_late;
                capsule[4] += is_late;
                move_money(3, number(*refunded));
            }
            Event::Finalized { .. } => capsule[3] += 1,
            Event::Expired { refunded, .. } => {
                self.expired += 1;
                capsule[4] += 1;
                move_money(3, number(*refunded));
            }
            Event::Released { fee, refunded, .. } => {
                move_money(4, number(*fee));
                move_money(3, number(*refunded));
            }
            Event::Convicted { refunded, .. } => {
                capsule[7] += 1;
                move_money(3, number(*refunded));
            }
            Event::Withdrawn { account, amount, .. } => {
                // Of an owner who mines, what was credited as owner is withdrawn too.
                let credited = view.unwrap().accounts[account].credited;
                let earlier = view.unwrap().withdrawals.iter().filter(|withdrawal| withdrawal.account == *account);
                let withdrawn = earlier.fold(0, |sum, withdrawal| sum + number(withdrawal.amount));
                let earned = number(view.unwrap().accounts[account].earned);
                let earned_before = number(*amount) + withdrawn - number(credited);
                assert_eq!(earned, earned_before);
                move_money(2, earned - paid_before(before, record));
            }
            _ => {}
        }
    }

    fn check(&self, activity: &Activity) {
        let name = |name: &str| self.names.get(name).copied().unwrap_or(0);
        let campaigns = CampaignCounts {
            opened: name("opened"),
            activated: name("activated"),
            declined: name("declined"),
            refunded: name("refunded"),
            closed: name("closed"),
            finalized: name("finalized"),
            released: name("released"),
            convicted: name("convicted"),
            expired: self.expired,
        };
        assert_eq!(activity.campaigns, campaigns);
        assert_eq!(activity.submissions, name("submitted"));
        assert_eq!(activity.miners_active, self.miners.len() as u64);
        assert_eq!([activity.accepted, activity.not_improved, activity.rejected], self.outcomes);
        let settled: u64 = self.outcomes.iter().sum();
        assert_eq!(activity.acceptance_ppm, (settled > 0).then(|| Ppm::of(self.outcomes[0], settled)));
        let points: u128 = self.money.values().map(|columns| columns[5]).sum();
        assert_eq!(u128::from(activity.accuracy_points_ppm), points);
        let amount = |amount: Amount| amount.0.to::<u128>();
        let money = activity.money.iter().map(|m| {
            let columns = [m.escrowed, m.earned, m.paid, m.refunded, m.fees].map(amount);
            (m.token, columns)
        });
        // A token whose movements are all zero may be listed.
        let money: BTreeMap<_, _> = money.filter(|(_, columns)| *columns != [0; 5]).collect();
        let expected = self.money.iter().map(|(token, columns)| (*token, columns[..5].try_into().unwrap()));
        assert_eq!(money, expected.filter(|(_, columns)| *columns != [0; 5]).collect());
        for cost in &activity.cost_per_point {
            let columns = self.money[&cost.token];
            assert_eq!(amount(cost.amount), columns[1] * 10_000 / columns[5]);
        }
        assert_eq!(activity.evaluation_seconds.is_some(), !self.times.is_empty());
        if let Some(EvaluationTime { p50, p95, count }) = activity.evaluation_seconds {
            let mut times = self.times.clone();
            times.sort_unstable();
            let exact = |percent: usize| times[(times.len() * percent).div_ceil(100) - 1];
            assert_eq!(count, times.len() as u64);
            assert!(p50.abs_diff(exact(50)) <= exact(50) / 32 && p95.abs_diff(exact(95)) <= exact(95) / 32);
        }
    }

    fn check_capsules(&self, capsules: &[CapsuleRecord]) {
        for record in capsules {
            let declined = record.declined.iter().map(|declined| declined.count).sum();
            let counts = [
                record.proposed,
                record.campaigns,
                record.settled,
                record.delivered,
                record.late,
                record.unanswered,
                declined,
                record.convictions,
            ];
            assert_eq!(counts, self.capsules[&record.operator], "{}", record.operator);
        }
    }
}

/// Earnings of an account that were withdrawn before, from its awards before its last withdrawal.
fn paid_before(before: &World, record: &Record) -> u128 {
    let Event::Withdrawn { id, account, .. } = &record.event else { unreachable!() };
    let view = before.campaign(*id).unwrap();
    let last = view.withdrawals.iter().rfind(|withdrawal| withdrawal.account == *account);
    let Some(last) = last.map(|withdrawal| (withdrawal.at.block, withdrawal.at.index)) else { return 0 };
    let settled = view.settled.iter().filter(|window| (window.at.block, window.at.index) < last);
    let awards = settled.flat_map(|window| &window.submissions).filter(|settled| settled.miner == *account);
    awards.filter_map(|settled| settled.award).map(|award| award.amount.0.to::<u128>()).sum()
}

fn day(text: &str) -> Day {
    text.parse().unwrap()
}

/// Whole world, and ranges that begin and end within the history.
fn ranges(world: &World) -> Vec<(Day, Day)> {
    let Some((Day(first), Day(last))) = world.statistics.bounds() else {
        return vec![(Day::default(), Day::LAST)];
    };
    let middle = first.midpoint(last);
    let days = [(first, last), (first, middle), (middle, last), (middle, middle), (last + 1, last + 9)];
    days.map(|(from, to)| (Day(from), Day(to))).into_iter().chain([(Day::default(), Day::LAST)]).collect()
}

proptest! {
    #[test]
    fn the_fold_equals_a_recomputation_of_every_range(moves in moves()) {
        let records = history(&moves);
        let world = world_of(&records);
        for (from, to) in ranges(&world) {
            let report = StatisticsReport::new(&world, from, to, 7);
            let expected = Expected::of(&records, from, to);
            expected.check(&report.total.activity);
            expected.check_capsules(&report.total.capsules);
            for listed in &report.days {
                let date = day(&listed.date);
                Expected::of(&records, date, date).check(&listed.activity);
            }
            prop_assert!(report.days.windows(2).all(|pair| pair[0].date < pair[1].date));
        }
    }

    #[test]
    fn states_and_money_are_those_of_the_campaigns(moves in moves()) {
        let world = world_of(&history(&moves));
        let total = StatisticsReport::new(&world, Day::default(), Day::LAST, 7).total;
        let count = |state: State| world.in_order().filter(|view| view.state == state).count() as u64;
        prop_assert_eq!(total.by_state, StateCounts {
            proposed: count(State::Proposed),
            open: count(State::Open),
            closed: count(State::Closed),
            finalized: count(State::Finalized),
            refunded: count(State::Refunded),
            released: count(State::Released),
            convicted: count(State::Convicted),
        });
        for money in total.activity.money {
            let ledgers = world.in_order().filter(|view| view.terms.token == money.token).map(CampaignView::ledger);
            let (mut deposited, mut earned, mut paid) = (U256::ZERO, U256::ZERO, U256::ZERO);
            let (mut refunded, mut fees) = (U256::ZERO, U256::ZERO);
            for ledger in ledgers {
                deposited += ledger.deposited;
                earned += ledger.owed + ledger.paid;
                paid += ledger.paid;
                refunded += ledger.refunded;
                fees += ledger.fee;
            }
            let expected = [deposited, earned, paid, refunded, fees].map(Amount);
            prop_assert_eq!([money.escrowed, money.earned, money.paid, money.refunded, money.fees], expected);
        }
    }

    #[test]
    fn batches_are_undone_exactly(moves in moves(), sizes in prop::collection::vec(1_usize..12, 1..40)) {
        let records = history(&moves);
        let (mut world, mut rest, mut undo) = (World::default(), &records[..], Vec::new());
        for size in sizes.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (batch, after) = rest.split_at((*size).min(rest.len()));
            let staged = world.stage(batch).unwrap();
            let before = world.clone();
            undo.push((world.commit(staged), before));
            rest = after;
        }
        prop_assert_eq!(&world, &world_of(&records));
        for (undo, before) in undo.iter().rev() {
            world.revert(undo);
            prop_assert_eq!(&world, before);
        }
    }

    #[test]
    fn a_world_of_one_account_keeps_no_statistics(moves in moves()) {
        let mut world = World::of(miner(0));
        history(&moves).iter().for_each(|record| world.apply(record).unwrap());
        prop_assert!(world.statistics.is_empty());
    }

    #[test]
    fn days_are_read_as_they_are_written(seconds in 0_u64..400_000_000_000) {
        let day = Day::from(Timestamp::from_unix(seconds));
        prop_assert_eq!(day.to_string().parse(), Ok(day));
    }
}

#[test]
fn days_are_utc_and_clamped_to_what_chains_have() {
    assert_eq!(Day::from(Timestamp::from_unix(BEGIN)).to_string(), "2027-01-15");
    assert_eq!(Day::from(Timestamp::from_unix(86_399)).to_string(), "1970-01-01");
    assert_eq!(Day::from(Timestamp::from_unix(86_400)).to_string(), "1970-01-02");
    assert_eq!(Day::from(Timestamp::from_unix(u64::MAX)), Day::LAST);
    assert_eq!((day("9999-12-31"), Day::LAST.to_string().as_str()), (Day::LAST, "9999-12-31"));
    assert_eq!(day("0001-01-01"), Day::default());
    for text in ["", "2026-11-31", "2026-1-1", "26-11-01", "2026-11-29T00:00", "+2026-11-2", "yesterday", "=1+1-1-1-1"]
    {
        let error = text.parse::<Day>().unwrap_err().to_string();
        assert!(error.contains("is not a date"), "{error}");
    }
}

#[test]
fn strangers_tokens_do_not_displace_those_with_points() {
    let mut counters = DayCounters::default();
    for number in 0..10_000_u64 {
        let token = Address::left_padding_from(&number.to_be_bytes()[..]);
        *counters.token(token) = TokenCounts { campaigns: 9, ..TokenCounts::default() };
    }
    let useful = Address::repeat_byte(0xFF);
    *counters.token(useful) = TokenCounts { campaigns: 1, delta_ppm: 1, ..TokenCounts::default() };
    let activity = Activity::new(&counters, 0);
    assert_eq!((activity.token_count, activity.money.len()), (10_001, MAX_TOKENS));
    assert_eq!([activity.money[0].token, activity.money[1].token], [Address::ZERO, useful]);
    assert_eq!(activity.cost_per_point.len(), 1);
}

#[test]
fn a_range_that_ends_before_it_begins_is_empty() {
    let world = world_of(&history(&[(0, 7, 0), (0, 7, 10)]));
    let report = StatisticsReport::new(&world, Day::LAST, Day::default(), 7);
    assert_eq!((report.days.len(), report.total.activity.miners_active), (0, 0));
}
