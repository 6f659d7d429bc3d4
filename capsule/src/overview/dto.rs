//! The JSON forms.

use alloy::primitives::Address;
use serde::Serialize;
use sonar_contracts::State;
use sonar_protocol::{
    event::CapsuleLimits,
    ids::CampaignId,
    units::{Amount, Timestamp, TokenUnit},
};
use syft::Ppm;
use utoipa::ToSchema;

use super::{Alert, CampaignFacts};

/// The Capsule at a glance.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Status {
    /// The operator's account.
    #[schema(value_type = String)]
    pub operator: Address,
    /// Whether the registry has this Capsule.
    pub registered: bool,
    /// Version of the program.
    pub version: String,
    /// The chain, as this program sees it.
    pub chain: ChainHealth,
    /// Stake in wei.
    pub stake: Stake,
    /// ETH of the operator's account for gas, in wei; `null` until it was read.
    #[schema(value_type = Option<String>, required = true)]
    pub balance: Option<Amount>,
    /// Fees by token.
    pub fees: Fees,
    /// Fee in parts per million of a bounty; `null` without a registration.
    #[schema(value_type = Option<u32>, required = true)]
    pub fee_ppm: Option<Ppm>,
    /// What a campaign may demand at most; `null` without a registration.
    #[schema(required = true)]
    pub limits: Option<CapsuleLimits>,
    /// The tokens of all amounts here.
    pub tokens: Vec<Token>,
    /// All keys: attestation, OpenPGP, then launch keys, the newest first.
    pub keys: Vec<KeyItem>,
    /// What needs the operator, errors first.
    pub alerts: Vec<Alert>,
}

/// The chain, as this program sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ChainHealth {
    /// Whether the last query succeeded.
    pub ok: bool,
    /// Number of the newest block.
    pub block: u64,
    /// Seconds since the chain answered last; `null` if it never did.
    #[schema(required = true)]
    pub age_seconds: Option<u64>,
    /// Why the last query failed.
    #[schema(required = true)]
    pub problem: Option<String>,
}

/// Stake of the Capsule in wei.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Stake {
    /// Free and locked.
    #[schema(value_type = String)]
    pub total: Amount,
    /// What campaigns can lock, or the operator can take back.
    #[schema(value_type = String)]
    pub free: Amount,
    /// Locked by campaigns.
    #[schema(value_type = String)]
    pub locked: Amount,
    /// The part of the locked stake that is slashed if the Capsule misses a deadline that runs now: of campaigns with a closed
    /// window or an undelivered model.
    #[schema(value_type = String)]
    pub at_risk: Amount,
}

/// Fees by token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Fees {
    /// Credited so far, withdrawn or not.
    pub earned: Vec<TokenSum>,
    /// Can be withdrawn now, with what submissions paid for gas and compensation from other Capsules' stakes.
    pub owed: Vec<TokenSum>,
    /// Earned by campaigns that have not ended; credited when their audit period ends.
    pub pending: Vec<TokenSum>,
}

/// An amount of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct TokenSum {
    /// The token; the zero address stands for ETH.
    #[schema(value_type = String)]
    pub token: Address,
    /// In the token's smallest unit.
    #[schema(value_type = String)]
    pub amount: Amount,
}

/// A token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Token {
    /// Its contract; the zero address stands for ETH.
    #[schema(value_type = String)]
    pub address: Address,
    /// Its symbol.
    pub symbol: String,
    /// One token is 10^decimals of the smallest unit.
    pub decimals: u8,
}

impl From<&TokenUnit> for Token {
    fn from(unit: &TokenUnit) -> Self {
        Self { address: unit.address, symbol: unit.symbol.clone(), decimals: unit.decimals }
    }
}

/// What a key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeyKind {
    /// Signs results for the contracts.
    Attestation,
    /// Signs deliveries, and certifies the keys that others seal to.
    Openpgp,
    /// Opens the bundles of launches.
    Launch,
}

/// Whether a key is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeyState {
    /// The chain has it.
    Registered,
    /// The chain does not have it, or not yet.
    NotRegistered,
    /// A newer one is used; this one opens bundles of launches that began earlier.
    Replaced,
    /// Nobody seals to it any more.
    Expired,
}

/// A key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct KeyItem {
    /// What it is for.
    pub kind: KeyKind,
    /// OpenPGP fingerprint, or the address of the attestation key.
    pub fingerprint: String,
    /// Unix time at which it was made; `null` if that is not recorded.
    #[schema(value_type = Option<u64>, required = true)]
    pub created: Option<Timestamp>,
    /// Its age by the clock of the chain.
    #[schema(required = true)]
    pub age_seconds: Option<u64>,
    /// Unix time of its expiry; `null` if it does not expire.
    #[schema(value_type = Option<u64>, required = true)]
    pub expires: Option<Timestamp>,
    /// Whether it is in use.
    pub state: KeyState,
}

/// The campaigns of the Capsule.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Campaigns {
    /// The next deadline first; then those without one, the newest first.
    pub items: Vec<CampaignItem>,
}

/// What the Capsule must do until a deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeadlineKind {
    /// Activate or decline; afterwards the owner gets the money back.
    Activate,
    /// Settle the window; afterwards the stake is slashed.
    Settle,
    /// Deliver the model; afterwards the stake is slashed.
    Deliver,
    /// Nothing: the stake is free after it.
    Audit,
}

/// A deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Deadline {
    /// What must be done.
    pub kind: DeadlineKind,
    /// Until this unix time.
    #[schema(value_type = u64)]
    pub at: Timestamp,
}

/// A campaign of the Capsule.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CampaignItem {
    /// Its id.
    #[schema(value_type = String)]
    pub campaign: CampaignId,
    /// Its state.
    #[schema(value_type = String)]
    pub state: State,
    /// Current version of the model; 0 before activation.
    pub version: u32,
    /// The attested best accuracy.
    #[schema(value_type = u32)]
    pub best_ppm: Ppm,
    /// The next deadline; `null` if no time runs.
    #[schema(required = true)]
    pub next_deadline: Option<Deadline>,
    /// Stake that it locks now, in wei.
    #[schema(value_type = String)]
    pub stake_locked: Amount,
    /// Fee that it has earned, if the Capsule delivers and is not convicted.
    #[schema(value_type = String)]
    pub fee: Amount,
    /// Token of the fee; the zero address stands for ETH.
    #[schema(value_type = String)]
    pub token: Address,
    /// Bits disclosed by public verdicts so far.
    pub leak_bits: f64,
    /// Limit of bits that public verdicts may disclose.
    pub leak_bits_allowed: f64,
    /// Name of the last action.
    pub last: String,
    /// Why the last step was not completed.
    #[schema(required = true)]
    pub problem: Option<String>,
}

impl From<&CampaignFacts> for CampaignItem {
    fn from(facts: &CampaignFacts) -> Self {
        let status = &facts.status;
        Self {
            campaign: facts.id,
            state: status.state,
            version: status.version,
            best_ppm: status.best_ppm,
            next_deadline: facts.deadline.map(|deadline| Deadline { kind: deadline.kind, at: deadline.at }),
            stake_locked: facts.locked,
            fee: facts.fee,
            token: facts.token,
            leak_bits: status.leak_bits,
            leak_bits_allowed: status.leak_bits_allowed,
            last: status.last.into(),
            problem: status.problem.clone(),
        }
    }
}
