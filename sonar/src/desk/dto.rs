//! The JSON bodies of the desk's API. Secrets are parsed into memory that is overwritten when it is dropped, and no body can be printed.

use std::{collections::BTreeMap, fmt};

use alloy::primitives::{Address, B256};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error as _, Visitor},
};
use sonar_contracts::Deployment;
use sonar_node::account::AccountName;
use sonar_protocol::{
    families::Format,
    ids::{CampaignId, Version},
    launch::Outlook,
    statement::PrivacyStatement,
    units::{Amount, Timestamp, TokenUnit},
    wire::TermsJson,
};
use syft::Ppm;
use utoipa::ToSchema;
use zeroize::Zeroizing;

use super::launches::LaunchView;
use sonar_web::problem::Problem;

/// A body whose errors do not repeat what is in it, because it may be a passphrase or a row of data.
pub struct Quiet<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Quiet<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let quiet = |_| D::Error::custom("a field is missing, unknown or has the wrong type");
        T::deserialize(deserializer).map(Self).map_err(quiet)
    }
}

/// A passphrase.
pub struct Passphrase(pub Zeroizing<String>);

impl<'de> Deserialize<'de> for Passphrase {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Zeroizing::new).map(Self)
    }
}

/// A file in base64.
pub struct Upload(pub Zeroizing<Vec<u8>>);

impl<'de> Deserialize<'de> for Upload {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Base64;
        impl Visitor<'_> for Base64 {
            type Value = Upload;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a file in base64")
            }

            // Decoded where it lies: a validation set may have 256 MiB.
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Upload, E> {
                STANDARD.decode(text).map(Zeroizing::new).map(Upload).map_err(|_| E::custom("invalid base64"))
            }
        }
        deserializer.deserialize_str(Base64)
    }
}

/// State of the desk and of the services that it needs.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Status {
    /// Sonar's URL without secrets; `null` if none is configured.
    #[schema(required = true)]
    pub sonar_url: Option<String>,
    /// Whether Sonar answers.
    pub sonar_ok: bool,
    /// The chain's id, if chain and contracts are known.
    #[schema(required = true)]
    pub chain_id: Option<u64>,
    /// Whether the chain answers and has the contracts.
    pub rpc_ok: bool,
    /// The contracts.
    #[schema(required = true)]
    pub contracts: Option<ContractsView>,
    /// What does not answer, and why; `null` if everything does.
    #[schema(required = true)]
    pub problem: Option<Problem>,
    /// Directory of accounts and launches.
    pub home: String,
    /// Version of the program.
    pub version: String,
}

/// Addresses of the contracts.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct ContractsView {
    /// Campaigns.
    #[schema(value_type = String)]
    pub campaigns: Address,
    /// CapsuleRegistry.
    #[schema(value_type = String)]
    pub registry: Address,
    /// DataCoin.
    #[schema(value_type = String)]
    pub datacoin: Address,
}

impl From<&Deployment> for ContractsView {
    fn from(deployment: &Deployment) -> Self {
        let Deployment { campaigns, registry, datacoin, .. } = *deployment;
        Self { campaigns, registry, datacoin }
    }
}

/// The accounts of this home.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AccountList {
    /// Accounts by name.
    pub items: Vec<AccountView>,
    /// Why balances are missing; `null` if they are not.
    #[schema(required = true)]
    pub problem: Option<Problem>,
}

/// An account.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AccountView {
    /// Its name.
    #[schema(value_type = String)]
    pub name: AccountName,
    /// Its address.
    #[schema(value_type = String)]
    pub address: Address,
    /// Unix time until which its keys are in memory; `null` if it is locked.
    #[schema(required = true)]
    pub unlocked_until: Option<u64>,
    /// Unix time until which it may spend without entering the passphrase again; `null` if it may not.
    #[schema(required = true)]
    pub spends_until: Option<u64>,
    /// What it has; empty if the chain does not answer.
    pub balances: Vec<Balance>,
    /// Fingerprint of its OpenPGP key; `null` before its first use.
    #[schema(required = true)]
    pub fingerprint: Option<String>,
}

/// An amount of a token.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Balance {
    /// The token's contract; the zero address stands for ETH.
    #[schema(value_type = String)]
    pub token: Address,
    /// Its symbol.
    pub symbol: String,
    /// Its decimals.
    pub decimals: u8,
    /// The amount in its smallest unit.
    #[schema(value_type = String)]
    pub amount: Amount,
}

impl Balance {
    pub fn new(unit: &TokenUnit, amount: Amount) -> Self {
        Self { token: unit.address, symbol: unit.symbol.clone(), decimals: unit.decimals, amount }
    }
}

/// A new account.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAccount {
    /// 1 to 64 letters, digits, `-` and `_`.
    #[schema(value_type = String)]
    pub name: AccountName,
    /// The passphrase of both keys. It cannot be recovered.
    #[schema(value_type = String)]
    pub passphrase: Passphrase,
}

/// Unlocks an account.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Unlock {
    /// Its passphrase.
    #[schema(value_type = String)]
    pub passphrase: Passphrase,
    /// For how long the keys stay in memory, at most 60.
    #[schema(minimum = 1, maximum = 60)]
    pub minutes: u32,
}

/// A validation set for which a campaign file is written.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DraftRequest {
    /// The CSV file, in base64.
    #[schema(value_type = String)]
    pub csv: Upload,
    /// Its name, as the campaign file will name it.
    pub file_name: String,
    /// The campaign's name (default: that of the file).
    #[serde(default)]
    pub name: Option<String>,
    /// The column to predict (default: one that is called like a target, else the last one).
    #[serde(default)]
    pub target: Option<String>,
    /// What is predicted (default: a class if the column has few different values).
    #[serde(default)]
    pub task: Option<TaskChoice>,
}

/// What a model predicts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TaskChoice {
    /// A class.
    Classification,
    /// A number.
    Regression,
}

/// A campaign file for a validation set.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DraftView {
    /// The campaign file.
    pub toml: String,
    /// What was guessed, a sentence each.
    pub guesses: Vec<String>,
    /// The columns, in the order of the file.
    pub columns: Vec<ColumnView>,
    /// Number of rows.
    pub rows: u64,
}

/// A column of a validation set.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ColumnView {
    /// Its name.
    pub name: String,
    /// What is in it.
    pub kind: ColumnKind,
    /// Minimum, widened to a round number; `null` unless it has only numbers.
    #[schema(required = true)]
    pub min: Option<f64>,
    /// Maximum, widened to a round number; `null` unless it has only numbers.
    #[schema(required = true)]
    pub max: Option<f64>,
    /// Its different values, if it has few.
    #[schema(required = true)]
    pub classes: Option<Vec<String>>,
}

/// What is in a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ColumnKind {
    /// Numbers.
    Number,
    /// A few different texts.
    Category,
    /// Many different texts.
    Text,
}

/// A campaign file with the files that it names.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PlanRequest {
    /// Name of the account that pays; it must be unlocked.
    #[schema(value_type = String)]
    pub account: AccountName,
    /// The campaign file.
    pub toml: String,
    /// The files by the names that the campaign file uses, in base64.
    #[schema(value_type = BTreeMap<String, String>)]
    pub files: BTreeMap<String, Upload>,
    /// Part of the Capsule's stake that the campaign locks, in ETH (default: what Mines expect).
    #[serde(default)]
    pub stake: Option<String>,
}

/// What a launch would do. Nothing was spent.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PlanView {
    /// Names the plan when it is launched. A plan is kept for an hour, and while `sonar ui` runs.
    pub plan_id: String,
    /// Name from the campaign file.
    pub name: String,
    /// The terms, without the digest of the manifest, which is known when the bundle is sealed.
    pub terms: TermsJson,
    /// What to know before paying.
    pub outlook: OutlookView,
    /// What each party can learn.
    pub privacy: PrivacyStatement,
    /// What it costs.
    pub cost: CostView,
    /// The Capsule.
    pub capsule: PlannedCapsule,
    /// What improvements earn.
    pub examples: Vec<PayoutExample>,
    /// The campaign that the same files were launched with before. A launch resumes it, unless `again` is set.
    #[schema(value_type = Option<String>, required = true)]
    pub earlier: Option<CampaignId>,
}

/// What to know before paying.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct OutlookView {
    /// Measured accuracy of the starting model.
    #[schema(value_type = u32)]
    pub start_ppm: Ppm,
    /// Maximum number of bits that public verdicts can disclose.
    pub leak_bits: f64,
    /// `encrypted` (Mines never see the model) or `clear` (the model is public).
    pub regime: String,
    /// Description of the feature map or network, with the reason if it was chosen by default.
    pub model: String,
    /// Warnings.
    pub warnings: Vec<String>,
}

impl From<&Outlook> for OutlookView {
    fn from(outlook: &Outlook) -> Self {
        Self {
            start_ppm: outlook.start_ppm,
            leak_bits: outlook.leak_bits,
            regime: outlook.regime.name().into(),
            model: outlook.model.clone(),
            warnings: outlook.warnings.clone(),
        }
    }
}

/// What a launch costs.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CostView {
    /// The bounty in the token's smallest unit.
    #[schema(value_type = String)]
    pub bounty: Amount,
    /// The Capsule's fee at most, in the token's smallest unit.
    #[schema(value_type = String)]
    pub fee: Amount,
    /// Estimated cost of the transactions, in wei.
    #[schema(value_type = String)]
    pub gas_estimate: Amount,
    /// The token's contract; the zero address stands for ETH.
    #[schema(value_type = String)]
    pub token: Address,
    /// Its symbol.
    pub symbol: String,
    /// Its decimals.
    pub decimals: u8,
    /// What the account has of it.
    #[schema(value_type = String)]
    pub balance: Amount,
    /// What the account has for gas, in wei.
    #[schema(value_type = String)]
    pub gas_balance: Amount,
    /// Whether the account can pay bounty, fee and gas.
    pub affordable: bool,
}

/// The Capsule of a plan.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct PlannedCapsule {
    /// Its operator.
    #[schema(value_type = String)]
    pub operator: Address,
    /// Its fee as a share of the bounty.
    #[schema(value_type = u32)]
    pub fee_ppm: Ppm,
    /// Part of its stake that the campaign locks, in wei.
    #[schema(value_type = String)]
    pub stake: Amount,
}

/// What an improvement earns.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct PayoutExample {
    /// The improvement.
    pub delta_ppm: u32,
    /// Its payout in the token's smallest unit.
    #[schema(value_type = String)]
    pub amount: Amount,
}

/// Launches a plan.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LaunchRequest {
    /// Name of the account of the plan; its passphrase was entered in the last 15 minutes.
    #[schema(value_type = String)]
    pub account: AccountName,
    /// The plan.
    pub plan_id: String,
    /// Launch another campaign, although the same files were launched before.
    #[serde(default)]
    pub again: bool,
}

/// A launch that was started.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LaunchStarted {
    /// Its id.
    pub id: String,
}

/// The launches of this home, newest first.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LaunchList {
    /// Launches.
    pub items: Vec<LaunchView>,
}

/// Names an account, with files that are not in this home.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OwnerRequest {
    /// Name of the account; it must be unlocked.
    #[schema(value_type = String)]
    pub account: AccountName,
    /// The validation set in base64, if the campaign was launched from another home.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub validation: Option<Upload>,
    /// The starting model in base64, for the audit of a campaign that had one and was launched from another home.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub initial: Option<Upload>,
}

/// The finished model of a campaign, measured on the validation set.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ResultView {
    /// Measured accuracy.
    #[schema(value_type = u32)]
    pub accuracy_ppm: Ppm,
    /// Accuracy that the Capsule attested on chain.
    #[schema(value_type = u32)]
    pub attested_ppm: Ppm,
    /// Whether they agree on the campaign's grid.
    pub as_attested: bool,
    /// Files that can be downloaded, until the account is locked.
    pub files: Vec<ResultFile>,
    /// Formats that this kind of model does not have.
    pub unavailable: Vec<UnavailableFormat>,
    /// For a classification: how often each class was taken for each.
    #[schema(required = true)]
    pub confusion: Option<Confusion>,
    /// For a regression: right answers and the model's.
    #[schema(required = true)]
    pub residuals: Option<Residuals>,
    /// Warnings.
    pub warnings: Vec<String>,
}

/// A file of a model.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ResultFile {
    /// Its format.
    pub format: ModelFormat,
    /// Its name.
    pub name: String,
    /// Its size.
    pub bytes: u64,
}

/// A format that a model does not have.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct UnavailableFormat {
    /// The format.
    pub format: ModelFormat,
    /// Why not.
    pub reason: String,
}

/// Format of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ModelFormat {
    /// The file that the Capsule signed.
    Safetensors,
    /// A graph from raw columns to answers.
    Onnx,
    /// NumPy arrays.
    Npz,
}

impl From<Format> for ModelFormat {
    fn from(format: Format) -> Self {
        match format {
            Format::Safetensors => Self::Safetensors,
            Format::Onnx => Self::Onnx,
            Format::Npz => Self::Npz,
        }
    }
}

impl From<ModelFormat> for Format {
    fn from(format: ModelFormat) -> Self {
        match format {
            ModelFormat::Safetensors => Self::Safetensors,
            ModelFormat::Onnx => Self::Onnx,
            ModelFormat::Npz => Self::Npz,
        }
    }
}

/// A confusion matrix.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Confusion {
    /// The classes.
    pub classes: Vec<String>,
    /// `counts[right][answer]`: number of rows of the class `right` for which the model answers `answer`.
    pub counts: Vec<Vec<u64>>,
}

/// Right answers of a regression beside the model's.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Residuals {
    /// Number of rows of the validation set.
    pub rows: u64,
    /// At most 2,000 of them, evenly chosen.
    pub points: Vec<ResidualPoint>,
}

/// One row.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, ToSchema)]
pub struct ResidualPoint {
    /// The right answer.
    pub actual: f64,
    /// The model's answer.
    pub predicted: f64,
}

/// The audit of a campaign.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AuditView {
    /// Whether no version differs from what an honest Capsule publishes.
    pub honest: bool,
    /// Whether misconduct can be proven on chain while the stake is locked: `convict` takes it.
    pub convicts: bool,
    /// The Capsule's stake in wei.
    #[schema(value_type = String)]
    pub stake: Amount,
    /// Whether the stake is still locked.
    pub locked: bool,
    /// Unix time from which `release` frees the stake.
    #[schema(value_type = u64)]
    pub free_from: Timestamp,
    /// Every version.
    pub versions: Vec<AuditedVersion>,
    /// Warnings.
    pub warnings: Vec<String>,
}

/// One version.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AuditedVersion {
    /// The version.
    #[schema(value_type = u32)]
    pub version: Version,
    /// Result.
    pub verdict: AuditVerdict,
    /// What differs; empty if nothing does.
    pub detail: String,
    /// Accuracy on the grid, as attested on chain.
    #[schema(value_type = Option<u32>, required = true)]
    pub attested_ppm: Option<Ppm>,
    /// Accuracy on the grid, as measured.
    #[schema(value_type = Option<u32>, required = true)]
    pub measured_ppm: Option<Ppm>,
}

/// Result of the audit of a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AuditVerdict {
    /// Everything is as an honest Capsule publishes it.
    Honest,
    /// Something differs, and cannot be proven on chain.
    Differs,
    /// Something differs, and can be proven on chain.
    Provable,
}

/// An action of an account on a campaign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Close it, or announce its end while a window is open.
    Close,
    /// Withdraw everything that is owed: from the campaign, free stakes, and compensation from stakes of Capsules.
    Withdraw,
    /// Withdraw free stakes of submissions.
    WithdrawStake,
    /// Take bounty and fee back: the Capsule did not activate it in time.
    Refund,
    /// Close it: the Capsule did not settle a window in time.
    Abandon,
    /// Take the fee back: the Capsule did not deliver in time.
    Expire,
    /// Free the Capsule's stake after the audit period.
    Release,
    /// Audit it, and take the Capsule's stake for misconduct that can be proven.
    Convict,
}

/// What an action has done.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ActionView {
    /// The last transaction.
    #[schema(value_type = String)]
    pub transaction: B256,
    /// Its block.
    pub block: u64,
    /// Gas that all transactions used.
    pub gas: u64,
    /// All transactions, in order.
    pub transactions: Vec<SentTransaction>,
}

/// A transaction that was mined.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SentTransaction {
    /// What it did.
    pub what: String,
    /// Its hash.
    #[schema(value_type = String)]
    pub transaction: B256,
    /// Its block.
    pub block: u64,
    /// Gas that it used.
    pub gas: u64,
}
