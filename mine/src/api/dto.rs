//! The JSON of the pages' API. Amounts and ids are strings, times are unix seconds of this machine or of a block.

use alloy::primitives::{Address, B256};
use serde::{Deserialize, Serialize};
use sonar_contracts::State;
use sonar_protocol::{
    ids::CampaignId,
    regime::Regime,
    units::{Amount, Timestamp, TokenUnit},
};
use syft::Ppm;
use utoipa::{IntoParams, ToSchema};

use crate::{earnings::Verdict, repository::DataName, run::StepState};

/// What the Mine is doing.
#[derive(Debug, Serialize, ToSchema)]
pub struct MineState {
    /// The Mine's account.
    #[schema(value_type = String)]
    pub address: Address,
    /// Whether it is connected to chain and IPFS, and serves campaigns.
    pub running: bool,
    /// The pause; `null` without one.
    #[schema(required = true)]
    pub paused: Option<PauseState>,
    /// The steps that are running.
    pub now: Vec<Work>,
    /// What the owner should do.
    pub needs: Vec<Need>,
    /// Balance in wei; `null` while it is unknown.
    #[schema(value_type = Option<String>, required = true)]
    pub balance: Option<Amount>,
    /// The connection to the chain.
    pub chain: ChainStatus,
    /// Version of the program.
    pub version: String,
}

/// A pause.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct PauseState {
    /// Unix time at which it was asked for.
    #[schema(value_type = u64)]
    pub since: Timestamp,
    /// Unix time at which it ends; `null` until it is ended.
    #[schema(value_type = Option<u64>, required = true)]
    pub until: Option<Timestamp>,
    /// Whether steps that were running are still being finished.
    pub finishing: bool,
    /// The reason, and what ends it.
    pub reason: String,
}

/// A step that is running.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Work {
    /// The campaign.
    #[schema(value_type = String)]
    pub campaign: CampaignId,
    /// Name of the campaign; `null` until its manifest is fetched.
    #[schema(required = true)]
    pub name: Option<String>,
    /// The step: `fetch_manifest`, `fetch_material`, `train` or `send`.
    pub step: String,
    /// Unix time of its start.
    #[schema(value_type = u64)]
    pub started: Timestamp,
    /// Progress of a training as of its last checkpoint, in parts per million; `null` if it is unknown.
    #[schema(value_type = Option<u32>, required = true)]
    pub progress_ppm: Option<Ppm>,
}

/// Something that the owner should do.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Need {
    /// Kind.
    pub kind: NeedKind,
    /// What is wrong or missing.
    pub text: String,
    /// The command that helps; `null` if none does.
    #[schema(required = true)]
    pub command: Option<String>,
}

/// Kind of a need.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NeedKind {
    /// There is no data set.
    Data,
    /// The account cannot pay for gas.
    Funds,
    /// A file is invalid.
    File,
    /// The privacy budget of a data set is spent.
    Privacy,
    /// A step for a campaign keeps failing.
    Trouble,
}

/// The connection to the chain.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ChainStatus {
    /// Whether the last query succeeded.
    pub ok: bool,
    /// Number of the newest block; `null` until the chain was read.
    #[schema(required = true)]
    pub block: Option<u64>,
    /// Seconds since that block was first seen; `null` until the chain was read.
    #[schema(required = true)]
    pub age_seconds: Option<u64>,
    /// Why the chain cannot be read.
    #[schema(required = true)]
    pub problem: Option<String>,
}

/// A token. Symbol and decimals are `null` if the contract did not return them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Token {
    /// The ERC-20 contract; the zero address stands for ETH.
    #[schema(value_type = String)]
    pub address: Address,
    /// Symbol.
    #[schema(required = true)]
    pub symbol: Option<String>,
    /// Decimals: one token is 10^decimals of the smallest unit.
    #[schema(required = true)]
    pub decimals: Option<u8>,
}

impl From<TokenUnit> for Token {
    fn from(TokenUnit { symbol, decimals, address }: TokenUnit) -> Self {
        Self { address, symbol: Some(symbol), decimals: Some(decimals) }
    }
}

/// All campaigns, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct CampaignList {
    /// The campaigns.
    pub items: Vec<Campaign>,
}

/// A campaign, and what the Mine decided about it.
#[derive(Debug, Serialize, ToSchema)]
pub struct Campaign {
    /// Its id.
    #[schema(value_type = String)]
    pub campaign: CampaignId,
    /// Its name; `null` until its manifest is fetched.
    #[schema(required = true)]
    pub name: Option<String>,
    /// Regime: `encrypted` or `clear`; `null` until its manifest is fetched.
    #[schema(value_type = Option<String>, required = true)]
    pub regime: Option<Regime>,
    /// State: `proposed`, `open`, `closed`, `finalized`, `refunded`, `released` or `convicted`.
    #[schema(value_type = String)]
    pub state: State,
    /// Current version of the model; 0 before activation.
    pub version: u32,
    /// How the data fits; `null` until its manifest is fetched.
    #[schema(required = true)]
    pub fit: Option<DataFit>,
    /// The decision; `null` until the Mine examined the campaign.
    #[schema(required = true)]
    pub decision: Option<Decision>,
    /// Number of other accounts that have submitted.
    pub competitors: u32,
    /// Unix time of the deadline.
    #[schema(value_type = u64)]
    pub deadline: Timestamp,
    /// The bounty in the token's smallest unit.
    #[schema(value_type = String)]
    pub bounty: Amount,
    /// Token of the bounty.
    pub token: Token,
    /// Stake of one submission in wei.
    #[schema(value_type = String)]
    pub submission_stake: Amount,
    /// Best accuracy.
    #[schema(value_type = u32)]
    pub best_ppm: Ppm,
    /// Accuracy that pays the full bounty.
    #[schema(value_type = u32)]
    pub target_ppm: Ppm,
    /// Number of this Mine's submissions.
    pub submitted: u32,
    /// What this Mine earned in the token's smallest unit.
    #[schema(value_type = String)]
    pub earned: Amount,
    /// What went wrong last; `null` after a success.
    #[schema(required = true)]
    pub trouble: Option<String>,
}

/// How the data sets fit a campaign, by their profiles.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct DataFit {
    /// Whether at least one fits.
    pub ok: bool,
    /// Number of rows that fit.
    pub rows: usize,
    /// The data sets that fit.
    #[schema(value_type = Vec<String>)]
    pub data: Vec<DataName>,
    /// Why none fits, one reason per line; `null` if one does.
    #[schema(required = true)]
    pub reason: Option<String>,
}

/// A decision of the Mine.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Decision {
    /// Kind.
    pub kind: DecisionKind,
    /// Stable name of the action or reason, such as `train`, `cool_down` or `policy`.
    pub reason: String,
    /// Stable name of the rule or problem behind the reason; `null` if there is none.
    #[schema(required = true)]
    pub rule: Option<String>,
    /// The same as text, with what ends or changes it.
    pub text: String,
}

/// Kind of a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DecisionKind {
    /// The Mine works for the campaign.
    Serve,
    /// It will continue by itself.
    Wait,
    /// It does nothing unless campaign, policy or data changes.
    Skip,
}

/// The last 200 steps, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct JobList {
    /// The steps.
    pub items: Vec<Job>,
}

/// A step.
#[derive(Debug, Serialize, ToSchema)]
pub struct Job {
    /// The campaign.
    #[schema(value_type = String)]
    pub campaign: CampaignId,
    /// Name of the campaign; `null` until its manifest is fetched.
    #[schema(required = true)]
    pub name: Option<String>,
    /// Version of the model at its start.
    pub version: u32,
    /// The step: `fetch_manifest`, `fetch_material`, `train` or `send`.
    pub step: String,
    /// State.
    pub state: StepState,
    /// Unix time of its start.
    #[schema(value_type = u64)]
    pub started: Timestamp,
    /// Unix time of its end; `null` while it runs.
    #[schema(value_type = Option<u64>, required = true)]
    pub ended: Option<Timestamp>,
    /// Number of starts in a row, from 1.
    pub attempt: u32,
    /// Why it failed.
    #[schema(required = true)]
    pub error: Option<String>,
}

/// Which settlements are listed.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct EarningsQuery {
    /// Number of submissions to skip, counted from the newest (default 0).
    pub offset: Option<usize>,
    /// Maximum number of submissions (default 1000, at most 10000).
    pub limit: Option<usize>,
}

/// Earnings, down to each settlement. Each total is the sum of rows, and each row names its transaction.
#[derive(Debug, Serialize, ToSchema)]
pub struct Earnings {
    /// Sums by token.
    pub totals: Vec<TokenTotal>,
    /// Cost of gas.
    pub gas: Gas,
    /// Stakes of submissions, in wei.
    pub stakes: StakeTotal,
    /// Payouts by UTC day and token, in the order of the days.
    pub days: Vec<DayEarnings>,
    /// Number of all submissions.
    pub submissions: usize,
    /// Submissions, newest first.
    pub items: Vec<SubmissionEarnings>,
}

/// Earnings in one token.
#[derive(Debug, Serialize, ToSchema)]
pub struct TokenTotal {
    /// The token.
    pub token: Token,
    /// Amount that can be withdrawn now.
    #[schema(value_type = String)]
    pub claimable: Amount,
    /// Number of submissions that wait for settlement.
    pub pending_count: usize,
    /// Maximum that they can earn together.
    #[schema(value_type = String)]
    pub pending_at_most: Amount,
    /// Sum of all payouts.
    #[schema(value_type = String)]
    pub earned: Amount,
    /// Sum of the withdrawals.
    #[schema(value_type = String)]
    pub withdrawn: Amount,
    /// Claimable plus withdrawn, less gas and charged stakes (both in ETH only). Can be negative.
    pub net: String,
}

/// Cost of gas.
#[derive(Debug, Serialize, ToSchema)]
pub struct Gas {
    /// Sum in wei of the receipts that were read.
    #[schema(value_type = String)]
    pub wei: Amount,
    /// Number of transactions.
    pub transactions: usize,
    /// Number of transactions whose receipts were not read yet. The sum is complete when this is 0.
    pub missing: usize,
    /// Sums by UTC day, in the order of the days.
    pub days: Vec<DayGas>,
}

/// Cost of gas on one day.
#[derive(Debug, Serialize, ToSchema)]
pub struct DayGas {
    /// The day in UTC, as `2026-01-31`.
    pub date: String,
    /// Sum in wei.
    #[schema(value_type = String)]
    pub wei: Amount,
}

/// Stakes of submissions in wei, over all campaigns.
#[derive(Debug, Serialize, ToSchema)]
pub struct StakeTotal {
    /// Held for unsettled submissions.
    #[schema(value_type = String)]
    pub held: Amount,
    /// Returned: can be withdrawn, or backs the next submission.
    #[schema(value_type = String)]
    pub free: Amount,
    /// Paid by submissions that were not accepted.
    #[schema(value_type = String)]
    pub charged: Amount,
    /// Shares of the stakes of Capsules that missed a deadline.
    #[schema(value_type = String)]
    pub claimable: Amount,
}

/// Payouts of one day in one token.
#[derive(Debug, Serialize, ToSchema)]
pub struct DayEarnings {
    /// The day in UTC, as `2026-01-31`.
    pub date: String,
    /// The token.
    pub token: Token,
    /// Sum of the payouts that were settled on this day.
    #[schema(value_type = String)]
    pub earned: Amount,
}

/// A submission of this Mine.
#[derive(Debug, Serialize, ToSchema)]
pub struct SubmissionEarnings {
    /// The campaign.
    #[schema(value_type = String)]
    pub campaign: CampaignId,
    /// Name of the campaign; `null` until its manifest is fetched.
    #[schema(required = true)]
    pub name: Option<String>,
    /// Token of the bounty.
    pub token: Token,
    /// Index of the window.
    pub window: u32,
    /// Place in the window, from 1.
    pub number: u32,
    /// The version of the model that it is for.
    pub version: u32,
    /// Outcome.
    pub verdict: Verdict,
    /// Improvement in parts per million; `null` unless it was accepted.
    #[schema(value_type = Option<u32>, required = true)]
    pub delta_ppm: Option<Ppm>,
    /// Payout in the token's smallest unit; `null` unless it was accepted.
    #[schema(value_type = Option<String>, required = true)]
    pub amount: Option<Amount>,
    /// The integers of the payout formula; `null` unless it was accepted.
    #[schema(required = true)]
    pub inputs: Option<PayoutInputs>,
    /// Stake behind it in wei.
    #[schema(value_type = String)]
    pub stake: Amount,
    /// The part of the stake that it paid, in wei.
    #[schema(value_type = String)]
    pub charged: Amount,
    /// The transaction of the settlement; of the submission while it is pending.
    #[schema(value_type = String)]
    pub transaction: B256,
    /// Unix time of that transaction's block.
    #[schema(value_type = u64)]
    pub time: Timestamp,
    /// The transaction of the submission.
    #[schema(value_type = String)]
    pub submission_transaction: B256,
    /// Unix time of the submission's block.
    #[schema(value_type = u64)]
    pub submitted: Timestamp,
}

/// `amount = floor(bounty × delta_ppm / range_ppm)`.
#[derive(Debug, Serialize, ToSchema)]
pub struct PayoutInputs {
    /// The bounty in the token's smallest unit.
    #[schema(value_type = String)]
    pub bounty: Amount,
    /// Improvement in parts per million.
    #[schema(value_type = u32)]
    pub delta_ppm: Ppm,
    /// Target in parts per million, which pays the full bounty.
    #[schema(value_type = u32)]
    pub range_ppm: Ppm,
}

/// From where to withdraw.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WithdrawBody {
    /// Only from this campaign, and its returned stakes even while it is open; `null`: everything.
    #[schema(value_type = Option<String>)]
    pub campaign: Option<CampaignId>,
}

/// From where to withdraw.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct WithdrawQuery {
    /// Only from this campaign, and its returned stakes even while it is open (default: everything).
    #[param(value_type = Option<String>)]
    pub campaign: Option<CampaignId>,
}

/// What can be withdrawn to the Mine's own account, and what that costs.
#[derive(Debug, Serialize, ToSchema)]
pub struct WithdrawalPreview {
    /// The possible withdrawals.
    pub items: Vec<PossibleWithdrawal>,
}

/// A possible withdrawal.
#[derive(Debug, Serialize, ToSchema)]
pub struct PossibleWithdrawal {
    /// The campaign; `null` for shares of the stakes of Capsules that missed a deadline.
    #[schema(value_type = Option<String>, required = true)]
    pub campaign: Option<CampaignId>,
    /// Where the money is, as text.
    pub source: String,
    /// Its token.
    pub token: Token,
    /// Amount in the token's smallest unit.
    #[schema(value_type = String)]
    pub amount: Amount,
    /// At most this much gas, in wei.
    #[schema(value_type = String)]
    pub gas: Amount,
    /// Whether it brings more than it costs; others are left out.
    pub worth_it: bool,
}

/// The withdrawals that were made.
#[derive(Debug, Serialize, ToSchema)]
pub struct Withdrawals {
    /// One transaction each.
    pub transactions: Vec<Withdrawal>,
    /// What was left out, because it would have cost more gas than it brings.
    pub left_out: Vec<String>,
}

/// A withdrawal that was made, to the Mine's own account.
#[derive(Debug, Serialize, ToSchema)]
pub struct Withdrawal {
    /// The campaign; `null` for shares of the stakes of Capsules that missed a deadline.
    #[schema(value_type = Option<String>, required = true)]
    pub campaign: Option<CampaignId>,
    /// The token.
    pub token: Token,
    /// Amount in the token's smallest unit.
    #[schema(value_type = String)]
    pub amount: Amount,
    /// Whether it is a returned stake.
    pub stake: bool,
    /// Gas used.
    pub gas_used: u64,
    /// The transaction.
    #[schema(value_type = String)]
    pub transaction: B256,
}

/// How to pause.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PauseBody {
    /// Length of the pause in minutes, at least 1; `null`: until it is ended.
    #[schema(minimum = 1)]
    pub minutes: Option<u32>,
    /// Finish the steps that are running first.
    #[serde(default)]
    pub after_job: bool,
}

/// The data sets.
#[derive(Debug, Serialize, ToSchema)]
pub struct DataSetList {
    /// By name.
    pub items: Vec<DataSet>,
}

/// A data set, without its rows.
#[derive(Debug, Serialize, ToSchema)]
pub struct DataSet {
    /// Its name.
    #[schema(value_type = String)]
    pub name: DataName,
    /// Number of its rows.
    pub rows: usize,
    /// Size as CSV in bytes.
    pub bytes: usize,
    /// Unix time at which it was added.
    #[schema(value_type = u64)]
    pub added: Timestamp,
    /// Its columns, in their order.
    pub columns: Vec<DataColumn>,
}

/// A column of a data set, with statistics from its profile.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
pub struct DataColumn {
    /// Its name.
    pub name: String,
    /// Kind; `null` if the data set has no profile.
    #[schema(required = true)]
    pub kind: Option<ColumnKind>,
    /// Minimum, rounded down; `null` unless it has numbers.
    #[schema(required = true)]
    pub min: Option<f64>,
    /// Maximum, rounded up; `null` unless it has numbers.
    #[schema(required = true)]
    pub max: Option<f64>,
    /// Number of its labels; `null` if it has many different values.
    #[schema(required = true)]
    pub labels: Option<usize>,
}

/// Kind of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ColumnKind {
    /// Numbers.
    Number,
    /// Few different texts.
    Labels,
    /// Many different texts.
    Text,
}
