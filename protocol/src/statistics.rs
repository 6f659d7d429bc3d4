//! Statistics of all campaigns by day, as a fold of the contracts' events.
//!
//! Every event adds to the counters of its day, which is the UTC day of its block. The numbers of any range of days are
//! sums over its days, so a request reads days and never campaigns. The counters hold only integers that depend on
//! nothing but the events: two servers that read the same blocks report the same numbers.
//!
//! | part | content |
//! | --- | --- |
//! | this file | the counters, and how events change them |
//! | `histogram` | evaluation latencies, so that quantiles of days can be combined |
//! | `report` | the JSON form of a range of days |
//!
//! `docs/statistics.md` defines every number.

mod histogram;
mod report;

use std::{
    collections::{BTreeMap, btree_map::Entry},
    fmt,
    str::FromStr,
    sync::Arc,
};

use alloy::primitives::Address;
use jiff::{Span, Unit, civil::Date};
use serde::{Deserialize, Serialize};
use sonar_contracts::{CloseReason, Outcome, fee};
use syft::Ppm;
use utoipa::ToSchema;

use crate::{
    event::{Event, Record},
    refusal::DeclineReason,
    terms::CampaignTerms,
    units::{Amount, Timestamp},
    view::CampaignView,
};

pub use self::{
    histogram::Histogram,
    report::{
        Activity, CapsuleRecord, DayReport, DeclineCount, EvaluationTime, MAX_CAPSULES, MAX_TOKENS, PointCost,
        StateCounts, StatisticsReport, StatisticsTotal, TokenMoney,
    },
};

const SECONDS_PER_DAY: u64 = 86_400;
/// 1970-01-01, day 0.
const FIRST_DATE: Date = Date::constant(1970, 1, 1);

/// A UTC day, counted from 1970-01-01. Displayed as `2026-11-29`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Day(u32);

/// Text that is not a date.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a date: write YYYY-MM-DD, for example 2026-11-29")]
pub struct ParseDayError(String);

impl Day {
    /// 9999-12-31, the last day that can be written.
    pub const LAST: Self = Self(2_932_896);

    /// The first second of the day.
    #[must_use]
    pub fn start(self) -> Timestamp {
        Timestamp::from_unix(u64::from(self.0) * SECONDS_PER_DAY)
    }
}

impl From<Timestamp> for Day {
    /// Later times become [`Self::LAST`].
    fn from(time: Timestamp) -> Self {
        u32::try_from(time.unix() / SECONDS_PER_DAY).map_or(Self::LAST, Self).min(Self::LAST)
    }
}

impl FromStr for Day {
    type Err = ParseDayError;

    /// Days before 1970 become the first day: no chain is older.
    fn from_str(text: &str) -> Result<Self, ParseDayError> {
        let error = || ParseDayError(text.chars().take(40).collect());
        let is_plain = text.len() == 10 && text.bytes().all(|c| c.is_ascii_digit() || c == b'-');
        let date: Date = if is_plain { text.parse().map_err(|_| error())? } else { return Err(error()) };
        let since = FIRST_DATE.until((Unit::Day, date)).map_err(|_| error())?;
        Ok(Self(u32::try_from(since.get_days()).unwrap_or(0)).min(Self::LAST))
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let date = Span::new().try_days(self.0).and_then(|days| FIRST_DATE.checked_add(days));
        date.unwrap_or(Date::MAX).fmt(f)
    }
}

/// Counters by day. Part of a world that keeps everyone's part of campaigns; empty in others.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statistics {
    /// Days with at least one counted event. Each is an `Arc`, so that a rollback can restore a day without copying it
    /// for every block.
    #[serde(with = "shared_days")]
    days: BTreeMap<Day, Arc<DayCounters>>,
    /// The newest day with a submission of each miner.
    last_active: BTreeMap<Address, Day>,
}

/// The previous values of what a batch of events changed; `None` for additions.
#[derive(Debug, Default)]
pub(crate) struct StatisticsUndo {
    days: Vec<(Day, Option<Arc<DayCounters>>)>,
    last_active: Vec<(Address, Option<Day>)>,
}

/// What happened on a day, or within several days.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayCounters {
    campaigns: CampaignCounts,
    submissions: u64,
    accepted: u64,
    not_improved: u64,
    rejected: u64,
    /// Miners that submitted on this day, by the newest day before it on which they had submitted. With these, the
    /// number of different miners within any range of days is a sum, see [`Statistics::miners_active`].
    returning: BTreeMap<Option<Day>, u32>,
    tokens: BTreeMap<Address, TokenCounts>,
    capsules: BTreeMap<Address, CapsuleCounts>,
    evaluation: Histogram,
}

/// Events of campaigns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CampaignCounts {
    /// Launched: a bounty went into escrow.
    pub opened: u64,
    /// Activated: the Capsule measured the starting accuracy.
    pub activated: u64,
    /// Declined by the Capsule. Also counted as refunded.
    pub declined: u64,
    /// Refunded without having been active: declined, or not activated in time.
    pub refunded: u64,
    /// Closed: no more submissions are taken.
    pub closed: u64,
    /// Finalized: the model was delivered.
    pub finalized: u64,
    /// Released: the Capsule's fee and stake were freed after the audit period.
    pub released: u64,
    /// Convicted: the Capsule lost its stake for misconduct.
    pub convicted: u64,
    /// Expired: the Capsule did not settle a window or did not deliver in time.
    pub expired: u64,
}

/// Money of campaigns in one token, in its smallest unit, and the accuracy that it bought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct TokenCounts {
    campaigns: u64,
    escrowed: Amount,
    earned: Amount,
    paid: Amount,
    refunded: Amount,
    fees: Amount,
    delta_ppm: u64,
}

/// The work of one Capsule.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct CapsuleCounts {
    proposed: u64,
    activated: u64,
    settled: u64,
    delivered: u64,
    late: u64,
    unanswered: u64,
    convictions: u64,
    declined: BTreeMap<u8, u64>,
}

impl Statistics {
    /// Counts the launch of a campaign.
    pub(crate) fn record_launch(&mut self, terms: &CampaignTerms, at: Timestamp) {
        let day = self.day(at.into());
        day.campaigns.opened += 1;
        day.capsule(terms.capsule).proposed += 1;
        let deposit = Amount(fee(terms.bounty, terms.feePpm)).saturating_add(terms.bounty.into());
        let token = day.token(terms.token);
        token.campaigns += 1;
        token.escrowed = token.escrowed.saturating_add(deposit);
    }

    /// Counts another event of a campaign; `before` is the campaign before the event.
    pub(crate) fn record(&mut self, before: &CampaignView, record: &Record) {
        let (at, terms) = (record.at.timestamp, &before.terms);
        let day = Day::from(at);
        match &record.event {
            Event::Activated { .. } => {
                let day = self.day(day);
                day.campaigns.activated += 1;
                day.capsule(terms.capsule).activated += 1;
            }
            Event::Declined { reason, .. } => {
                let day = self.day(day);
                day.campaigns.declined += 1;
                *day.capsule(terms.capsule).declined.entry(u8::from(*reason)).or_default() += 1;
            }
            Event::Refunded { amount, .. } => {
                let day = self.day(day);
                day.campaigns.refunded += 1;
                day.capsule(terms.capsule).unanswered += u64::from(before.declined.is_none());
                day.refund(terms.token, *amount);
            }
            Event::Submitted { miner, .. } => {
                self.day(day).submissions += 1;
                self.record_activity(*miner, day);
            }
            Event::Awarded { delta_ppm, amount, .. } => {
                let token = self.day(day).token(terms.token);
                token.earned = token.earned.saturating_add(*amount);
                token.delta_ppm += u64::from(delta_ppm.get());
            }
            Event::Settled { outcomes, .. } => {
                let day = self.day(day);
                day.settle(outcomes);
                day.evaluation.add(at.since(before.window.closes_at));
                day.capsule(terms.capsule).settled += 1;
            }
            Event::Closed { reason, refunded, .. } => {
                let day = self.day(day);
                day.campaigns.closed += 1;
                if *reason == CloseReason::CapsuleTimeout {
                    day.time_out(terms.capsule);
                }
                day.refund(terms.token, *refunded);
            }
            Event::Finalized { .. } => {
                let day = self.day(day);
                day.campaigns.finalized += 1;
                day.capsule(terms.capsule).delivered += 1;
            }
            Event::Released { fee, refunded, .. } => {
                let day = self.day(day);
                day.campaigns.released += 1;
                day.refund(terms.token, *refunded);
                let token = day.token(terms.token);
                token.fees = token.fees.saturating_add(*fee);
            }
            Event::Convicted { refunded, .. } => {
                let day = self.day(day);
                day.campaigns.convicted += 1;
                day.capsule(terms.capsule).convictions += 1;
                day.refund(terms.token, *refunded);
            }
            Event::Expired { refunded, .. } => {
                let day = self.day(day);
                day.time_out(terms.capsule);
                day.refund(terms.token, *refunded);
            }
            Event::Withdrawn { account, .. } => {
                // Owners and Capsules withdraw too; only earnings count as paid.
                let earnings = before.unpaid_earnings(*account);
                if earnings != Amount::ZERO {
                    let token = self.day(day).token(terms.token);
                    token.paid = token.paid.saturating_add(earnings);
                }
            }
            Event::Opened { .. }
            | Event::Charged { .. }
            | Event::Closing { .. }
            | Event::StakeWithdrawn { .. }
            | Event::Capsule { .. } => {}
        }
    }

    fn day(&mut self, day: Day) -> &mut DayCounters {
        Arc::make_mut(self.days.entry(day).or_default())
    }

    fn record_activity(&mut self, miner: Address, day: Day) {
        let last = self.last_active.get(&miner).copied();
        // Times of blocks never decrease, so nothing is later.
        if last < Some(day) {
            self.last_active.insert(miner, day);
            *self.day(day).returning.entry(last).or_default() += 1;
        }
    }

    /// Whether anything was counted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.days.is_empty()
    }

    /// The first and the last day with a counted event.
    #[must_use]
    pub fn bounds(&self) -> Option<(Day, Day)> {
        let (first, _) = self.days.first_key_value()?;
        let (last, _) = self.days.last_key_value()?;
        Some((*first, *last))
    }

    /// Number of different accounts that submitted from day `from` to day `to`, both included: of each, its first day
    /// in the range is the one whose previous day is before the range.
    #[must_use]
    pub fn miners_active(&self, from: Day, to: Day) -> u64 {
        self.range(from, to).map(|(_, counters)| counters.first_active_since(from)).sum()
    }

    /// The days with events from day `from` to day `to`, both included, in order; none if the range is empty.
    fn range(&self, from: Day, to: Day) -> impl Iterator<Item = (Day, &DayCounters)> {
        // A range that ends before it begins would panic.
        let days = (from <= to).then(|| self.days.range(from..=to));
        days.into_iter().flatten().map(|(day, counters)| (*day, &**counters))
    }

    /// The tokens of all campaigns, those with the most campaigns first. Their number grows with what strangers do, so
    /// callers must limit it.
    #[must_use]
    pub fn tokens(&self) -> Vec<Address> {
        let mut campaigns = BTreeMap::<Address, u64>::new();
        for (token, counts) in self.days.values().flat_map(|day| &day.tokens) {
            *campaigns.entry(*token).or_default() += counts.campaigns;
        }
        let mut tokens: Vec<_> = campaigns.into_iter().collect();
        tokens.sort_by_key(|(token, campaigns)| (std::cmp::Reverse(*campaigns), *token));
        tokens.into_iter().map(|(token, _)| token).collect()
    }

    /// Copies what an event will change to `part`.
    pub(crate) fn stage(&self, part: &mut Self, record: &Record) {
        let day = Day::from(record.at.timestamp);
        if let Some(counters) = self.days.get(&day) {
            part.days.insert(day, Arc::clone(counters));
        }
        if let Event::Submitted { miner, .. } = &record.event
            && let Some(last) = self.last_active.get(miner)
        {
            part.last_active.insert(*miner, *last);
        }
    }

    /// Puts staged changes in place, and returns the values before.
    pub(crate) fn commit(&mut self, part: Self) -> StatisticsUndo {
        let undo = StatisticsUndo {
            days: part.days.keys().map(|day| (*day, self.days.get(day).cloned())).collect(),
            last_active: part.last_active.keys().map(|miner| (*miner, self.last_active.get(miner).copied())).collect(),
        };
        self.days.extend(part.days);
        self.last_active.extend(part.last_active);
        undo
    }

    /// Restores the values before a commit.
    pub(crate) fn revert(&mut self, undo: &StatisticsUndo) {
        for (day, before) in &undo.days {
            restore(&mut self.days, *day, before.clone());
        }
        for (miner, before) in &undo.last_active {
            restore(&mut self.last_active, *miner, *before);
        }
    }
}

fn restore<K: Ord, V>(map: &mut BTreeMap<K, V>, key: K, before: Option<V>) {
    match (map.entry(key), before) {
        (Entry::Occupied(mut entry), Some(before)) => {
            entry.insert(before);
        }
        (Entry::Occupied(entry), None) => {
            entry.remove();
        }
        (Entry::Vacant(entry), Some(before)) => {
            entry.insert(before);
        }
        (Entry::Vacant(_), None) => {}
    }
}

impl DayCounters {
    fn token(&mut self, token: Address) -> &mut TokenCounts {
        self.tokens.entry(token).or_default()
    }

    fn capsule(&mut self, operator: Address) -> &mut CapsuleCounts {
        self.capsules.entry(operator).or_default()
    }

    fn refund(&mut self, token: Address, amount: Amount) {
        let token = self.token(token);
        token.refunded = token.refunded.saturating_add(amount);
    }

    /// The Capsule missed a deadline after the activation.
    fn time_out(&mut self, capsule: Address) {
        self.campaigns.expired += 1;
        self.capsule(capsule).late += 1;
    }

    fn settle(&mut self, outcomes: &[Outcome]) {
        for outcome in outcomes {
            *match outcome {
                Outcome::Accepted(_) => &mut self.accepted,
                Outcome::NotImproved => &mut self.not_improved,
                Outcome::Rejected(_) => &mut self.rejected,
            } += 1;
        }
    }

    /// Number of miners that submitted on this day and not before it since day `from`.
    fn first_active_since(&self, from: Day) -> u64 {
        self.returning.range(..Some(from)).map(|(_, miners)| u64::from(*miners)).sum()
    }

    /// Adds another day. The sum does not count miners; [`Statistics::miners_active`] does.
    fn merge(&mut self, other: &Self) {
        self.campaigns.merge(other.campaigns);
        self.submissions += other.submissions;
        self.accepted += other.accepted;
        self.not_improved += other.not_improved;
        self.rejected += other.rejected;
        self.evaluation.merge(&other.evaluation);
        for (token, counts) in &other.tokens {
            self.token(*token).merge(counts);
        }
        for (operator, counts) in &other.capsules {
            self.capsule(*operator).merge(counts);
        }
    }
}

impl CampaignCounts {
    fn merge(&mut self, other: Self) {
        self.opened += other.opened;
        self.activated += other.activated;
        self.declined += other.declined;
        self.refunded += other.refunded;
        self.closed += other.closed;
        self.finalized += other.finalized;
        self.released += other.released;
        self.convicted += other.convicted;
        self.expired += other.expired;
    }
}

impl TokenCounts {
    fn merge(&mut self, other: &Self) {
        self.campaigns += other.campaigns;
        self.escrowed = self.escrowed.saturating_add(other.escrowed);
        self.earned = self.earned.saturating_add(other.earned);
        self.paid = self.paid.saturating_add(other.paid);
        self.refunded = self.refunded.saturating_add(other.refunded);
        self.fees = self.fees.saturating_add(other.fees);
        self.delta_ppm += other.delta_ppm;
    }
}

impl CapsuleCounts {
    fn merge(&mut self, other: &Self) {
        self.proposed += other.proposed;
        self.activated += other.activated;
        self.settled += other.settled;
        self.delivered += other.delivered;
        self.late += other.late;
        self.unanswered += other.unanswered;
        self.convictions += other.convictions;
        for (reason, count) in &other.declined {
            *self.declined.entry(*reason).or_default() += count;
        }
    }
}

/// The share of a part in a whole; `None` if there is no whole.
fn share(part: u64, whole: u64) -> Option<Ppm> {
    (whole > 0).then(|| Ppm::of(part, whole))
}

fn reason_text(code: u8) -> String {
    DeclineReason::from(code).to_string()
}

/// `#[serde(with)]` for shared days.
mod shared_days {
    use std::{collections::BTreeMap, sync::Arc};

    use serde::{Deserialize, Deserializer, Serializer};

    use super::{Day, DayCounters};

    pub fn serialize<S: Serializer>(days: &BTreeMap<Day, Arc<DayCounters>>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(days.iter().map(|(day, counters)| (day, &**counters)))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeMap<Day, Arc<DayCounters>>, D::Error> {
        let days = BTreeMap::<Day, DayCounters>::deserialize(deserializer)?;
        Ok(days.into_iter().map(|(day, counters)| (day, Arc::new(counters))).collect())
    }
}

#[cfg(test)]
mod tests;
