//! Earnings and costs of a Mine. Each total is the sum of rows, and each row names the transaction or event that it
//! comes from.

use std::collections::BTreeMap;

use alloy::primitives::{Address, B256, I256, U256};
use serde::Serialize;
use sonar_contracts::{EIGHTHS, Outcome, State, charged_eighths};
use sonar_node::chain::Charge;
use sonar_protocol::{
    event::LogPosition,
    ids::{CampaignId, Digest, Version, WindowIndex},
    units::{Amount, Timestamp, TokenUnit},
    view::{CampaignView, SettledSubmission, SettledWindow, Stakes, Withdrawal, World},
};
use syft::Ppm;

/// Earnings and costs of an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Statement {
    /// The Mine's account.
    pub account: Address,
    /// Earnings by token.
    pub tokens: Vec<TokenStatement>,
    /// Cost of gas.
    pub gas: GasStatement,
    /// Submissions that are not settled yet.
    pub pending: Vec<PendingSubmission>,
    /// Stakes of submissions.
    pub stakes: StakeStatement,
    /// In wei: what the account can claim of the shares of the stakes of Capsules that missed a deadline. Not part of
    /// the totals.
    pub stake_claimable: Amount,
}

/// Stakes of submissions, in wei. Only what was charged is a loss.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct StakeStatement {
    /// Sums of the rows.
    pub total: Stakes,
    /// Campaigns in which the account has staked, in the order of their launch.
    pub rows: Vec<StakeRow>,
}

/// Stakes of an account in one campaign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StakeRow {
    /// The campaign.
    pub campaign: CampaignId,
    /// Amounts by state of the stake.
    #[serde(flatten)]
    pub stakes: Stakes,
}

/// Earnings in one token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TokenStatement {
    /// The token.
    pub token: TokenUnit,
    /// Claimable amount: the sum of the awards and credits that were not withdrawn yet.
    pub claimable: Amount,
    /// Maximum that pending submissions can still earn; settlements decide the actual amount.
    pub pending_at_most: Amount,
    /// Sum of the withdrawals.
    pub withdrawn: Amount,
    /// Cost of gas in this token; zero except for ETH.
    pub gas: Amount,
    /// What submissions that were not accepted paid, in this token; zero except for ETH.
    pub charged: Amount,
    /// Claimable plus withdrawn, less gas and charges.
    pub net: I256,
    /// Awards, in the order of their settlement.
    pub awards: Vec<AwardRow>,
    /// Other credits that can be withdrawn (refunds or fees, if the account has other roles).
    pub credits: Vec<CreditRow>,
    /// Withdrawals, in chain order.
    pub withdrawals: Vec<WithdrawalRow>,
}

/// An accepted submission.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AwardRow {
    /// The campaign.
    pub campaign: CampaignId,
    /// The window.
    pub window: WindowIndex,
    /// Place of the submission in the window.
    pub index: u32,
    /// The submission.
    pub content: Digest,
    /// Bounty in the payout formula.
    pub bounty: Amount,
    /// Improvement in the payout formula, in parts per million.
    pub delta_ppm: Ppm,
    /// Target in the payout formula, in parts per million.
    pub target_ppm: Ppm,
    /// Payout as credited on chain; expected to be `floor(bounty × delta / target)`.
    pub amount: Amount,
    /// Whether the credited payout equals the formula.
    pub agrees: bool,
    /// Whether it was withdrawn.
    pub withdrawn: bool,
    /// The transaction that settled it.
    pub transaction: B256,
}

/// A credit that is not an award.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CreditRow {
    /// The campaign.
    pub campaign: CampaignId,
    /// Amount in the token's smallest unit.
    pub amount: Amount,
}

/// A withdrawal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WithdrawalRow {
    /// The campaign.
    pub campaign: CampaignId,
    /// Recipient.
    pub to: Address,
    /// Amount in the token's smallest unit.
    pub amount: Amount,
    /// The transaction.
    pub transaction: B256,
}

/// A submission that waits for settlement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PendingSubmission {
    /// The campaign.
    pub campaign: CampaignId,
    /// The window.
    pub window: WindowIndex,
    /// Place of the submission in the window.
    pub index: u32,
    /// The version of the model that it is for.
    pub version: Version,
    /// The submission.
    pub content: Digest,
    /// Payout if this submission reached the target.
    pub at_most: Amount,
    /// The bounty's token.
    pub token: Address,
    /// The transaction that submitted it.
    pub transaction: B256,
}

/// A submission of the account, with its outcome and the terms of the payout formula.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SubmissionRow {
    /// The campaign.
    pub campaign: CampaignId,
    /// The bounty's token.
    pub token: Address,
    /// The window.
    pub window: WindowIndex,
    /// Place of the submission in the window, from 0.
    pub index: u32,
    /// The version of the model that it is for.
    pub version: Version,
    /// Outcome.
    pub verdict: Verdict,
    /// The payout and its three integers; `None` unless it was accepted.
    pub payout: Option<Payout>,
    /// Stake behind the submission in wei.
    pub stake: Amount,
    /// The part of the stake that the submission paid, in wei.
    pub charged: Amount,
    /// Block, time and transaction of the submission.
    pub submitted: LogPosition,
    /// Block, time and transaction of the settlement; `None` before it.
    pub settled: Option<LogPosition>,
}

/// A payout: `amount = floor(bounty × delta_ppm / range_ppm)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Payout {
    /// The bounty.
    pub bounty: Amount,
    /// Improvement, in parts per million.
    pub delta_ppm: Ppm,
    /// Target, which pays the full bounty, in parts per million.
    pub range_ppm: Ppm,
    /// Payout as credited on chain.
    pub amount: Amount,
}

/// Outcome of a submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It waits for its settlement.
    Pending,
    /// It did not improve the model.
    NotImproved,
    /// It improved the model, and was paid.
    Accepted,
    /// It was rejected for its form, or could not be fetched.
    Rejected,
    /// The Capsule missed its deadline, so it is never settled.
    Expired,
}

/// Earnings of one day in one token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DayRow {
    /// The day in UTC, as `2026-01-31`.
    pub date: String,
    /// The token.
    pub token: Address,
    /// Sum of the payouts that were settled on this day.
    pub earned: Amount,
}

/// Cost of gas.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct GasStatement {
    /// Sum of the rows, in wei.
    pub spent: Amount,
    /// Transactions, in chain order.
    pub rows: Vec<GasRow>,
}

/// Cost of a transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GasRow {
    /// The campaign.
    pub campaign: CampaignId,
    /// Purpose of the transaction.
    pub what: Purpose,
    /// The transaction.
    pub transaction: B256,
    /// Gas used.
    pub gas_used: u64,
    /// Fee in wei.
    pub cost: Amount,
}

/// Purpose of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// Submitting an update.
    Submit,
    /// Withdrawing earnings.
    Withdraw,
    /// Withdrawing stakes.
    WithdrawStake,
}

/// A transaction that an account sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnTransaction {
    /// The campaign.
    pub campaign: CampaignId,
    /// Purpose of the transaction.
    pub what: Purpose,
    /// Position and hash on the chain.
    pub at: LogPosition,
}

/// The transactions that an account sent about campaigns, in chain order.
#[must_use]
pub fn transactions<'a>(world: &'a World, account: Address) -> Vec<OwnTransaction> {
    let mut all: Vec<_> = world
        .in_order()
        .flat_map(|campaign| {
            let of = move |what, at| OwnTransaction { campaign: campaign.id, what, at };
            let settled = settled(campaign, account).map(|(_, submission)| submission.at);
            let pending = pending_at(campaign, account).map(|(_, _, at)| at);
            let own = move |what, all: &'a [Withdrawal]| {
                let own = all.iter().filter(move |withdrawal| withdrawal.account == account);
                own.map(move |withdrawal| of(what, withdrawal.at))
            };
            settled
                .chain(pending)
                .map(move |at| of(Purpose::Submit, at))
                .chain(own(Purpose::Withdraw, &campaign.withdrawals))
                .chain(own(Purpose::WithdrawStake, &campaign.stake_withdrawals))
        })
        .collect();
    all.sort_by_key(|transaction| (transaction.at.block, transaction.at.index));
    all
}

/// Builds an account's statement from the chain's events, the tokens' symbols and the fees of the transactions.
#[must_use]
pub fn statement(
    world: &World,
    account: Address,
    tokens: &BTreeMap<Address, TokenUnit>,
    charges: &BTreeMap<B256, Charge>,
    stake_claimable: Amount,
) -> Statement {
    let gas = gas(world, account, charges);
    let pending: Vec<_> = world.in_order().flat_map(|campaign| pending(campaign, account)).collect();
    let stakes = stakes(world, account);
    let lost = stakes.total.charged;
    let tokens = tokens.values().map(|token| token_statement(world, account, token, (&gas, lost), &pending)).collect();
    Statement { account, tokens, gas, pending, stakes, stake_claimable }
}

/// The account's submissions, newest first.
#[must_use]
pub fn submissions(world: &World, account: Address) -> Vec<SubmissionRow> {
    let of = |campaign| settled_rows(campaign, account).chain(pending_rows(campaign, account));
    let mut rows: Vec<_> = world.in_order().flat_map(of).collect();
    rows.sort_by_key(|row| std::cmp::Reverse((row.submitted.block, row.submitted.index)));
    rows
}

/// Sums of the payouts by day and token, in the order of the days.
#[must_use]
pub fn days(rows: &[SubmissionRow]) -> Vec<DayRow> {
    let mut sums: BTreeMap<(String, Address), Amount> = BTreeMap::new();
    for row in rows {
        if let (Some(payout), Some(settled)) = (&row.payout, &row.settled) {
            let sum = sums.entry((date(settled.timestamp), row.token)).or_default();
            *sum = sum.saturating_add(payout.amount);
        }
    }
    sums.into_iter().map(|((date, token), earned)| DayRow { date, token, earned }).collect()
}

/// The day of a time in UTC.
#[must_use]
pub fn date(time: Timestamp) -> String {
    let text = time.to_string();
    text.split_once('T').map_or(text.as_str(), |(date, _)| date).to_owned()
}

fn settled_rows(campaign: &CampaignView, account: Address) -> impl Iterator<Item = SubmissionRow> {
    let stake = Amount::from(campaign.terms.submissionStake);
    settled(campaign, account).map(move |(window, submission)| {
        let (bounty, range_ppm) = (campaign.terms.bounty.into(), campaign.terms.target());
        let payout = submission.award.map(|award| Payout {
            bounty,
            delta_ppm: award.delta_ppm,
            range_ppm,
            amount: award.amount,
        });
        let eighths = U256::from(charged_eighths(submission.outcome));
        SubmissionRow {
            campaign: campaign.id,
            token: campaign.terms.token,
            window: window.index,
            index: submission.index,
            version: window.version,
            verdict: match submission.outcome {
                Outcome::Accepted(_) => Verdict::Accepted,
                Outcome::NotImproved => Verdict::NotImproved,
                Outcome::Rejected(_) => Verdict::Rejected,
            },
            payout,
            stake,
            // Stakes are multiples of eight wei.
            charged: Amount(stake.0 / U256::from(EIGHTHS) * eighths),
            submitted: submission.at,
            settled: Some(window.at),
        }
    })
}

fn pending_rows(campaign: &CampaignView, account: Address) -> impl Iterator<Item = SubmissionRow> {
    let verdict = if campaign.state == State::Open { Verdict::Pending } else { Verdict::Expired };
    pending_at(campaign, account).map(move |(index, _, submitted)| SubmissionRow {
        campaign: campaign.id,
        token: campaign.terms.token,
        window: campaign.window.index,
        index,
        version: campaign.window.version,
        verdict,
        payout: None,
        stake: campaign.terms.submissionStake.into(),
        charged: Amount::ZERO,
        submitted,
        settled: None,
    })
}

fn stakes(world: &World, account: Address) -> StakeStatement {
    let row = |campaign: &CampaignView| StakeRow { campaign: campaign.id, stakes: campaign.stakes(account) };
    let rows: Vec<_> = world.in_order().map(row).filter(|row| row.stakes != Stakes::default()).collect();
    StakeStatement { total: rows.iter().fold(Stakes::default(), |sum, row| sum.saturating_add(row.stakes)), rows }
}

fn gas(world: &World, account: Address, charges: &BTreeMap<B256, Charge>) -> GasStatement {
    let rows: Vec<_> = transactions(world, account)
        .into_iter()
        .filter_map(|OwnTransaction { campaign, what, at }| {
            let charge = charges.get(&at.transaction)?;
            Some(GasRow { campaign, what, transaction: at.transaction, gas_used: charge.gas_used, cost: charge.cost })
        })
        .collect();
    GasStatement { spent: sum(rows.iter().map(|row| row.cost)), rows }
}

fn token_statement(
    world: &World,
    account: Address,
    token: &TokenUnit,
    (gas, charged): (&GasStatement, Amount),
    pending: &[PendingSubmission],
) -> TokenStatement {
    let campaigns = || world.in_order().filter(|campaign| campaign.terms.token == token.address);
    let awards: Vec<_> = campaigns().flat_map(|campaign| awards(campaign, account)).collect();
    let credits: Vec<_> = campaigns().filter_map(|campaign| credit(campaign, account)).collect();
    let withdrawals: Vec<_> = campaigns().flat_map(|campaign| withdrawals(campaign, account)).collect();
    let open = awards.iter().filter(|award| !award.withdrawn);
    let claimable = sum(open.map(|award| award.amount).chain(credits.iter().map(|credit| credit.amount)));
    let withdrawn = sum(withdrawals.iter().map(|withdrawal| withdrawal.amount));
    let (gas, charged) =
        if token.address == Address::ZERO { (gas.spent, charged) } else { (Amount::ZERO, Amount::ZERO) };
    TokenStatement {
        token: token.clone(),
        claimable,
        pending_at_most: at_most(pending, token.address),
        withdrawn,
        gas,
        charged,
        net: signed(claimable.saturating_add(withdrawn)).saturating_sub(signed(gas.saturating_add(charged))),
        awards,
        credits,
        withdrawals,
    }
}

/// Only one of several pending submissions of a campaign can reach the target.
fn at_most(pending: &[PendingSubmission], token: Address) -> Amount {
    let by_campaign: BTreeMap<_, _> = pending
        .iter()
        .filter(|pending| pending.token == token)
        .map(|pending| (pending.campaign, pending.at_most))
        .collect();
    sum(by_campaign.into_values())
}

fn sum(amounts: impl IntoIterator<Item = Amount>) -> Amount {
    amounts.into_iter().fold(Amount::ZERO, Amount::saturating_add)
}

fn signed(amount: Amount) -> I256 {
    I256::try_from(amount.0).unwrap_or(I256::MAX)
}

fn settled(campaign: &CampaignView, account: Address) -> impl Iterator<Item = (&SettledWindow, &SettledSubmission)> {
    let submissions = campaign.settled.iter().flat_map(|window| window.submissions.iter().map(move |s| (window, s)));
    submissions.filter(move |(_, submission)| submission.miner == account)
}

fn awards(campaign: &CampaignView, account: Address) -> impl Iterator<Item = AwardRow> {
    let terms = &campaign.terms;
    let last = campaign
        .withdrawals
        .iter()
        .rfind(|withdrawal| withdrawal.account == account)
        .map(|withdrawal| (withdrawal.at.block, withdrawal.at.index));
    settled(campaign, account).filter_map(move |(window, submission)| {
        let award = submission.award?;
        let exact = U256::from(terms.bounty) * U256::from(award.delta_ppm.get()) / U256::from(terms.targetPpm.max(1));
        Some(AwardRow {
            campaign: campaign.id,
            window: window.index,
            index: submission.index,
            content: submission.content,
            bounty: terms.bounty.into(),
            delta_ppm: award.delta_ppm,
            target_ppm: terms.target(),
            amount: award.amount,
            agrees: award.amount == Amount(exact),
            withdrawn: last.is_some_and(|last| (window.at.block, window.at.index) < last),
            transaction: window.at.transaction,
        })
    })
}

/// Credits of an account that are not awards.
fn credit(campaign: &CampaignView, account: Address) -> Option<CreditRow> {
    let open = awards(campaign, account).filter(|award| !award.withdrawn).map(|award| award.amount);
    let amount = campaign.owed(account).saturating_sub(sum(open));
    (amount != Amount::ZERO).then_some(CreditRow { campaign: campaign.id, amount })
}

fn withdrawals(campaign: &CampaignView, account: Address) -> impl Iterator<Item = WithdrawalRow> {
    campaign.withdrawals.iter().filter(move |withdrawal| withdrawal.account == account).map(|withdrawal| {
        WithdrawalRow {
            campaign: campaign.id,
            to: withdrawal.to,
            amount: withdrawal.amount,
            transaction: withdrawal.at.transaction,
        }
    })
}

fn pending_at(campaign: &CampaignView, account: Address) -> impl Iterator<Item = (u32, Digest, LogPosition)> {
    (0..)
        .zip(&campaign.window.submissions)
        .zip(&campaign.window.positions)
        .filter(move |((_, submission), _)| submission.miner == account)
        .map(|((index, submission), at)| (index, submission.content.into(), *at))
}

fn pending(campaign: &CampaignView, account: Address) -> impl Iterator<Item = PendingSubmission> {
    let terms = &campaign.terms;
    let window = &campaign.window;
    let at_most = sonar_contracts::payout(terms.bounty, terms.targetPpm, campaign.best_ppm.get(), u32::MAX);
    // A window of a campaign whose Capsule missed its deadline is never settled.
    let open = campaign.state == State::Open;
    pending_at(campaign, account).filter(move |_| open).map(move |(index, content, at)| PendingSubmission {
        campaign: campaign.id,
        window: window.index,
        index,
        version: window.version,
        content,
        at_most: at_most.into(),
        token: terms.token,
        transaction: at.transaction,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{ME, OTHER, STAKE, Story};
    use proptest::prelude::*;

    fn of(story: &Story) -> Statement {
        statement_from(&story.world)
    }

    fn statement_from(world: &World) -> Statement {
        let tokens = [(Address::ZERO, TokenUnit::eth())].into();
        let charges = transactions(world, ME)
            .into_iter()
            .map(|transaction| {
                let charge = Charge { gas_used: 50_000, cost: Amount::from(100_000_u128) };
                (transaction.at.transaction, charge)
            })
            .collect();
        statement(world, ME, &tokens, &charges, Amount::ZERO)
    }

    #[test]
    fn a_submission_is_pending_then_claimable_then_withdrawn() {
        let mut story = Story::opened();
        story.activate();
        story.submit(ME);
        let statement = of(&story);
        assert_eq!(statement.pending.len(), 1);
        // floor(1_000_000_007 × 800_000 / 900_000)
        assert_eq!(statement.tokens[0].pending_at_most, Amount::from(888_888_895));
        assert_eq!(statement.tokens[0].claimable, Amount::ZERO);

        story.settle(&[Some(30)]);
        let statement = of(&story);
        let eth = &statement.tokens[0];
        let award = &eth.awards[0];
        // floor(1_000_000_007 × 150_000 / 900_000)
        assert_eq!(award.amount, Amount::from(166_666_667));
        assert_eq!((award.delta_ppm, award.target_ppm), (Ppm::of(15, 100), Ppm::of(9, 10)));
        assert!(award.agrees && !award.withdrawn);
        assert_eq!(eth.claimable, award.amount);
        assert!(statement.pending.is_empty());

        story.withdraw(ME);
        let statement = of(&story);
        let eth = &statement.tokens[0];
        assert_eq!(eth.claimable, Amount::ZERO);
        assert_eq!(eth.withdrawn, Amount::from(166_666_667));
        assert!(eth.awards[0].withdrawn);
        assert_eq!(statement.gas.rows.len(), 2);
        assert_eq!(eth.net, I256::try_from(166_466_667).unwrap());
    }

    #[test]
    fn a_stake_is_held_then_charged_an_eighth_or_all_of_it() {
        let mut story = Story::opened();
        story.activate();
        let stake = Amount::from(STAKE);
        story.submit(ME);
        assert_eq!(of(&story).stakes.total, Stakes { deposited: stake, held: stake, ..Stakes::default() });
        story.settle(&[None]);
        let eighth = Amount::from(STAKE / 8);
        let rows = of(&story).stakes.rows;
        let free = stake.saturating_sub(eighth);
        assert_eq!(rows[0].stakes, Stakes { deposited: stake, free, charged: eighth, ..Stakes::default() });
        let before = of(&story).tokens[0].net;
        // The missing eighth is sent along.
        story.submit(ME);
        story.reject();
        let statement = of(&story);
        let charged = stake.saturating_add(eighth);
        assert_eq!(statement.stakes.total, Stakes { deposited: charged, charged, ..Stakes::default() });
        let gas = I256::try_from(100_000).unwrap();
        assert_eq!(statement.tokens[0].net, before - gas - signed(stake));
        story.submit(ME);
        story.settle(&[None]);
        story.withdraw_stake(ME);
        let total = of(&story).stakes.total;
        assert_eq!((total.free, total.withdrawn), (Amount::ZERO, free));
        assert_eq!(of(&story).gas.rows.last().unwrap().what, Purpose::WithdrawStake);
    }

    #[test]
    fn a_submission_is_followed_to_its_settlement_and_its_three_integers() {
        let mut story = Story::opened();
        story.activate();
        story.submit(ME);
        let rows = submissions(&story.world, ME);
        assert_eq!((rows.len(), rows[0].verdict, rows[0].payout, rows[0].settled), (1, Verdict::Pending, None, None));
        assert_eq!((rows[0].stake, rows[0].charged), (Amount::from(STAKE), Amount::ZERO));
        assert_eq!(days(&rows), []);
        story.settle(&[Some(30)]);
        let row = &submissions(&story.world, ME)[0];
        let Payout { bounty, delta_ppm, range_ppm, amount } = row.payout.unwrap();
        assert_eq!((bounty, delta_ppm, range_ppm), (1_000_000_007.into(), Ppm::of(15, 100), Ppm::of(9, 10)));
        assert_eq!((row.verdict, amount), (Verdict::Accepted, Amount::from(166_666_667)));
        assert!(row.settled.unwrap().timestamp > row.submitted.timestamp);

        story.submit(ME);
        story.settle(&[None]);
        story.submit(ME);
        story.reject();
        let rows = submissions(&story.world, ME);
        let verdicts: Vec<_> = rows.iter().map(|row| (row.verdict, row.charged)).collect();
        let charged = |eighths: u128| Amount::from(STAKE / 8 * eighths);
        assert_eq!(verdicts[0], (Verdict::Rejected, charged(8)), "newest first");
        assert_eq!(verdicts[1..], [(Verdict::NotImproved, charged(1)), (Verdict::Accepted, charged(0))]);
    }

    #[test]
    fn payouts_are_summed_by_the_day_of_their_settlement() {
        let mut story = Story::opened();
        story.activate();
        for gain in [10, 20] {
            story.submit(ME);
            story.settle(&[Some(gain)]);
        }
        story.now = story.now.plus(86_400_u32);
        story.submit(ME);
        story.settle(&[Some(30)]);
        let rows = submissions(&story.world, ME);
        let days = days(&rows);
        let dates: Vec<_> = days.iter().map(|day| day.date.as_str()).collect();
        assert_eq!(dates, ["1970-01-01", "1970-01-02"]);
        let total = sum(days.iter().map(|day| day.earned));
        assert_eq!(total, sum(rows.iter().filter_map(|row| row.payout).map(|payout| payout.amount)));
        assert_eq!(date(Timestamp::from_unix(1_767_225_600)), "2026-01-01");
    }

    #[test]
    fn gas_without_earnings_is_a_loss() {
        let mut story = Story::opened();
        story.activate();
        story.submit(ME);
        story.settle(&[None]);
        let expected = I256::try_from(-100_000).unwrap() - signed(Amount::from(STAKE / 8));
        assert_eq!(of(&story).tokens[0].net, expected);
    }

    proptest! {
        /// In every history, totals are the sums of their rows, earnings are claimable or withdrawn, and the activity
        /// of others is not needed to compute them.
        #[test]
        fn totals_are_their_rows(steps in prop::collection::vec((0u8..7, any::<bool>()), 0..60)) {
            let mut story = Story::opened();
            story.activate();
            for (step, flag) in steps {
                match step {
                    0 | 1 if story.takes() => story.submit(if flag { ME } else { OTHER }),
                    2 => story.settle_all(flag),
                    3 => story.withdraw(if flag { ME } else { OTHER }),
                    4 => story.withdraw_stake(if flag { ME } else { OTHER }),
                    5 if flag => story.reject(),
                    6 if flag => story.close_if_idle(),
                    _ => story.now = story.now.plus(61_u32),
                }
            }
            let statement = of(&story);
            let of_everyone = serde_json::to_value(statement_from(&story.everyone)).unwrap();
            prop_assert_eq!(serde_json::to_value(&statement).unwrap(), of_everyone);
            let eth = &statement.tokens[0];
            let campaign = story.campaign();
            prop_assert_eq!(eth.claimable, campaign.owed(ME));
            prop_assert_eq!(sum(eth.awards.iter().map(|award| award.amount)), eth.claimable.saturating_add(eth.withdrawn));
            prop_assert!(eth.awards.iter().all(|award| award.agrees));
            prop_assert!(eth.credits.is_empty());
            prop_assert_eq!(sum(statement.gas.rows.iter().map(|row| row.cost)), statement.gas.spent);
            let mine = campaign.window.submissions.iter().filter(|submission| submission.miner == ME);
            prop_assert_eq!(statement.pending.len(), mine.count());
            let stakes = statement.stakes.total;
            let there = stakes.held.saturating_add(stakes.free);
            prop_assert_eq!(stakes.deposited, there.saturating_add(stakes.charged).saturating_add(stakes.withdrawn));
            prop_assert_eq!(stakes.held.0, U256::from(STAKE) * U256::from(statement.pending.len()));
            let rows = submissions(&story.world, ME);
            prop_assert_eq!(sum(rows.iter().map(|row| row.charged)), stakes.charged);
            prop_assert_eq!(sum(days(&rows).iter().map(|day| day.earned)), eth.claimable.saturating_add(eth.withdrawn));
        }
    }
}
