//! The JSON form of the statistics of a range of days.

use std::{cmp::Reverse, collections::BTreeMap};

use alloy::primitives::{Address, U256};
use serde::Serialize;
use syft::Ppm;
use utoipa::ToSchema;

use super::{CampaignCounts, CapsuleCounts, Day, DayCounters, TokenCounts, reason_text, share};
use crate::{
    units::Amount,
    view::{CapsuleView, World},
};

/// Maximum number of tokens in a list. Anyone can create tokens, so their number has no other limit.
pub const MAX_TOKENS: usize = 50;
/// Maximum number of Capsules in a list.
pub const MAX_CAPSULES: usize = 100;
/// Parts per million in a point, which is one percentage point of accuracy.
const POINT_PPM: u64 = 10_000;

/// Statistics of all campaigns in a range of UTC days.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct StatisticsReport {
    /// Number of the newest block that is counted.
    pub block: u64,
    /// First day of the range, `YYYY-MM-DD`.
    pub from: String,
    /// Last day of the range, included.
    pub to: String,
    /// The whole range.
    pub total: StatisticsTotal,
    /// The days of the range on which something happened, in order. All counts of other days are zero.
    pub days: Vec<DayReport>,
}

/// Statistics of a whole range.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct StatisticsTotal {
    /// What happened in the range.
    #[serde(flatten)]
    pub activity: Activity,
    /// Number of campaigns in each state at the end of the range.
    pub by_state: StateCounts,
    /// Number of Capsules with campaigns in the range.
    pub capsule_count: usize,
    /// The Capsules, those that settled most first: at most 100.
    pub capsules: Vec<CapsuleRecord>,
}

/// Statistics of a day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct DayReport {
    /// The UTC day, `YYYY-MM-DD`.
    pub date: String,
    /// What happened on it.
    #[serde(flatten)]
    pub activity: Activity,
}

/// What happened in a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Activity {
    /// Events of campaigns.
    pub campaigns: CampaignCounts,
    /// Number of different accounts that submitted.
    pub miners_active: u64,
    /// Number of submissions.
    pub submissions: u64,
    /// Number of submissions that were settled as accepted.
    pub accepted: u64,
    /// Number of submissions that were settled as not improving the model.
    pub not_improved: u64,
    /// Number of submissions that were settled as rejected.
    pub rejected: u64,
    /// Accepted submissions in all settled submissions, in parts per million; null if none was settled.
    #[schema(value_type = Option<u32>)]
    pub acceptance_ppm: Option<Ppm>,
    /// Number of tokens with movements.
    pub token_count: usize,
    /// Money by token: ETH first, then the tokens in which most points were gained; at most 50.
    pub money: Vec<TokenMoney>,
    /// Accuracy gained by accepted submissions towards their targets, in parts per million; a point is 10,000.
    pub accuracy_points_ppm: u64,
    /// What a point cost, by token; only tokens in which points were gained.
    pub cost_per_point: Vec<PointCost>,
    /// Time from the end of a window to its settlement; null if no window was settled.
    pub evaluation_seconds: Option<EvaluationTime>,
}

/// Movements of campaigns' money in one token, in its smallest unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct TokenMoney {
    /// The token; the zero address stands for ETH.
    #[schema(value_type = String)]
    pub token: Address,
    /// Bounties and fees that went into escrow.
    #[schema(value_type = String)]
    pub escrowed: Amount,
    /// Earnings that were withdrawn by miners.
    #[schema(value_type = String)]
    pub paid: Amount,
    /// Earnings of accepted submissions, withdrawn or not.
    #[schema(value_type = String)]
    pub earned: Amount,
    /// Amounts that were credited back to owners.
    #[schema(value_type = String)]
    pub refunded: Amount,
    /// Fees that were credited to Capsules.
    #[schema(value_type = String)]
    pub fees: Amount,
}

/// What a point of accuracy cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct PointCost {
    /// The token; the zero address stands for ETH.
    #[schema(value_type = String)]
    pub token: Address,
    /// Earnings for each percentage point gained, in the token's smallest unit, rounded down.
    #[schema(value_type = String)]
    pub amount: Amount,
}

/// Quantiles of evaluation times in seconds, within 3.2 % of the exact values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct EvaluationTime {
    /// Half of the windows were settled within this time.
    pub p50: u64,
    /// 95 % of the windows were settled within this time.
    pub p95: u64,
    /// Number of settled windows.
    pub count: u64,
}

/// Number of campaigns by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct StateCounts {
    /// Not activated yet.
    pub proposed: u64,
    /// Taking submissions.
    pub open: u64,
    /// Taking no more submissions, and not delivered.
    pub closed: u64,
    /// Delivered, in the audit period.
    pub finalized: u64,
    /// Refunded before they were active.
    pub refunded: u64,
    /// Delivered, and the Capsule's stake is free again.
    pub released: u64,
    /// Delivered, and the Capsule was convicted.
    pub convicted: u64,
}

/// The work of a Capsule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct CapsuleRecord {
    /// Its operator.
    #[schema(value_type = String)]
    pub operator: Address,
    /// Number of campaigns that were launched with this Capsule.
    pub proposed: u64,
    /// Number of campaigns that it activated.
    pub campaigns: u64,
    /// Number of windows that it settled.
    pub settled: u64,
    /// Number of models that it delivered.
    pub delivered: u64,
    /// Number of campaigns that ended because it missed a deadline after the activation.
    pub late: u64,
    /// Number of campaigns that it neither activated nor declined before they were refunded.
    pub unanswered: u64,
    /// Campaigns that it declined, by reason.
    pub declined: Vec<DeclineCount>,
    /// Number of campaigns for which it was convicted.
    pub convictions: u64,
    /// Its present stake in wei, including the locked part.
    #[schema(value_type = String)]
    pub stake: Amount,
    /// The part of its present stake that campaigns have locked, in wei.
    #[schema(value_type = String)]
    pub locked: Amount,
}

/// Campaigns that were declined for one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct DeclineCount {
    /// Code of the reason.
    pub reason: u8,
    /// The reason in words.
    pub text: String,
    /// Number of campaigns.
    pub count: u64,
}

impl StatisticsReport {
    /// The statistics of the days `from` to `to`, both included. `block` is the newest block in `world`.
    #[must_use]
    pub fn new(world: &World, from: Day, to: Day, block: u64) -> Self {
        let statistics = &world.statistics;
        let mut sum = DayCounters::default();
        let mut days = Vec::new();
        for (day, counters) in statistics.range(from, to) {
            sum.merge(counters);
            // Everyone who was active on the day, whatever was before.
            let miners = counters.first_active_since(Day::LAST);
            days.push(DayReport { date: day.to_string(), activity: Activity::new(counters, miners) });
        }
        let mut before = CampaignCounts::default();
        statistics.range(Day::default(), to).for_each(|(_, counters)| before.merge(counters.campaigns));
        let total = StatisticsTotal {
            activity: Activity::new(&sum, statistics.miners_active(from, to)),
            by_state: StateCounts::from(before),
            capsule_count: sum.capsules.len(),
            capsules: capsules(&sum.capsules, &world.capsules),
        };
        Self { block, from: from.to_string(), to: to.to_string(), total, days }
    }
}

impl Activity {
    pub(super) fn new(counters: &DayCounters, miners_active: u64) -> Self {
        let settled = counters.accepted + counters.not_improved + counters.rejected;
        let tokens = first_tokens(&counters.tokens);
        Self {
            campaigns: counters.campaigns,
            miners_active,
            submissions: counters.submissions,
            accepted: counters.accepted,
            not_improved: counters.not_improved,
            rejected: counters.rejected,
            acceptance_ppm: share(counters.accepted, settled),
            token_count: counters.tokens.len(),
            accuracy_points_ppm: counters.tokens.values().map(|counts| counts.delta_ppm).sum(),
            cost_per_point: tokens.iter().filter_map(|(token, counts)| PointCost::new(*token, counts)).collect(),
            money: tokens.into_iter().map(|(token, counts)| TokenMoney::new(token, counts)).collect(),
            evaluation_seconds: EvaluationTime::new(counters),
        }
    }
}

/// At most [`MAX_TOKENS`] tokens. Points need a Capsule that works for the token, so that a stranger who opens campaigns
/// in many worthless tokens does not displace the others.
fn first_tokens(tokens: &BTreeMap<Address, TokenCounts>) -> Vec<(Address, &TokenCounts)> {
    let mut tokens: Vec<_> = tokens.iter().map(|(token, counts)| (*token, counts)).collect();
    tokens.sort_by_key(|(token, counts)| {
        (!token.is_zero(), Reverse(counts.delta_ppm), Reverse(counts.campaigns), *token)
    });
    tokens.truncate(MAX_TOKENS);
    tokens
}

fn capsules(
    counted: &BTreeMap<Address, CapsuleCounts>,
    registered: &BTreeMap<Address, CapsuleView>,
) -> Vec<CapsuleRecord> {
    let mut counted: Vec<_> = counted.iter().collect();
    counted.sort_by_key(|(operator, counts)| {
        (Reverse(counts.settled), Reverse(counts.activated), Reverse(counts.proposed), **operator)
    });
    counted.truncate(MAX_CAPSULES);
    let record = |(operator, counts): (&Address, &CapsuleCounts)| {
        CapsuleRecord::new(*operator, counts, registered.get(operator))
    };
    counted.into_iter().map(record).collect()
}

impl CapsuleRecord {
    fn new(operator: Address, counts: &CapsuleCounts, capsule: Option<&CapsuleView>) -> Self {
        let declined = counts.declined.iter();
        Self {
            operator,
            proposed: counts.proposed,
            campaigns: counts.activated,
            settled: counts.settled,
            delivered: counts.delivered,
            late: counts.late,
            unanswered: counts.unanswered,
            declined: declined
                .map(|(reason, count)| DeclineCount { reason: *reason, text: reason_text(*reason), count: *count })
                .collect(),
            convictions: counts.convictions,
            stake: capsule.map_or(Amount::ZERO, |capsule| capsule.stake),
            locked: capsule.map_or(Amount::ZERO, |capsule| capsule.locked),
        }
    }
}

impl TokenMoney {
    fn new(token: Address, counts: &TokenCounts) -> Self {
        let TokenCounts { escrowed, earned, paid, refunded, fees, .. } = *counts;
        Self { token, escrowed, paid, earned, refunded, fees }
    }
}

impl PointCost {
    /// `None` if no points were gained in this token.
    fn new(token: Address, counts: &TokenCounts) -> Option<Self> {
        let points = U256::from(counts.delta_ppm);
        // All amounts of a token together stay far below 2^240.
        let amount = counts.earned.0.saturating_mul(U256::from(POINT_PPM)).checked_div(points)?;
        Some(Self { token, amount: Amount(amount) })
    }
}

impl EvaluationTime {
    fn new(counters: &DayCounters) -> Option<Self> {
        let times = &counters.evaluation;
        Some(Self { p50: times.quantile(50)?, p95: times.quantile(95)?, count: times.count() })
    }
}

impl From<CampaignCounts> for StateCounts {
    /// The states that campaigns with these events are in.
    fn from(counts: CampaignCounts) -> Self {
        let CampaignCounts { opened, activated, refunded, closed, finalized, released, convicted, .. } = counts;
        Self {
            proposed: opened.saturating_sub(activated).saturating_sub(refunded),
            open: activated.saturating_sub(closed),
            closed: closed.saturating_sub(finalized),
            finalized: finalized.saturating_sub(released).saturating_sub(convicted),
            refunded,
            released,
            convicted,
        }
    }
}
