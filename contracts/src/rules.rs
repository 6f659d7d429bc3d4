//! Rule twins: the formulas of the contract, so that every party can compute results beforehand.

use std::fmt;

use alloy::{
    primitives::{Address, B256, U256, keccak256},
    sol_types::SolValue,
};

use crate::{Submission, Terms};

/// Unit of submission stakes in wei: a millionth of the native token.
pub const STAKE_UNIT: u128 = 1_000_000_000_000;

/// Maximum stake of a submission in wei.
pub const MAX_SUBMISSION_STAKE: u128 = 0xFF_FFFF * STAKE_UNIT;

const ONE_PPM: u128 = 1_000_000;

/// The campaign id of terms on a chain and contract.
#[must_use]
pub fn campaign_id(chain_id: u64, campaigns: Address, terms: &Terms) -> B256 {
    keccak256((U256::from(chain_id), campaigns, terms.clone()).abi_encode_params())
}

/// Parts of a stake in which submissions pay.
pub const EIGHTHS: u32 = 8;

/// The reason of a rejection that need not be the miner's fault.
pub const UNAVAILABLE: u8 = 1;

/// Maximum stake of a submission to a campaign with a bounty in a token, in wei.
pub const MAX_TOKEN_CAMPAIGN_STAKE: u128 = 1_000_000_000_000_000;

/// Part of the fee that the Capsule earns for activation and delivery.
pub const BASE_FEE_PPM: u32 = 250_000;

/// Most of a Capsule's stake that goes to those whom it wronged.
pub const COMPENSATION_PPM: u32 = 100_000;

/// The hash of a window after one more submission.
#[must_use]
pub fn window_fold(hash: B256, submission: &Submission) -> B256 {
    keccak256((hash, submission.miner, submission.content).abi_encode_params())
}

/// The hash of a window with these submissions, from its hash while it was empty.
#[must_use]
pub fn window_hash(start: B256, submissions: &[Submission]) -> B256 {
    submissions.iter().fold(start, window_fold)
}

/// The payout of an accepted submission that raises the best accuracy from `best_ppm` to `new_ppm`: `floor(bounty ×
/// (min(new, target) − min(best, target)) / target)`, zero if that would be negative.
#[must_use]
pub fn payout(bounty: u128, target_ppm: u32, best_ppm: u32, new_ppm: u32) -> u128 {
    let delta = new_ppm.min(target_ppm).saturating_sub(best_ppm.min(target_ppm));
    if delta == 0 {
        return 0;
    }
    let amount = U256::from(bounty) * U256::from(delta) / U256::from(target_ppm);
    // At most the bounty, because delta is at most target.
    amount.to()
}

/// The Capsule's fee for a bounty: `floor(bounty × fee_ppm / 1_000_000)`.
#[must_use]
pub fn fee(bounty: u128, fee_ppm: u32) -> U256 {
    U256::from(bounty) * U256::from(fee_ppm) / U256::from(ONE_PPM)
}

/// The part of the fee that the Capsule earns whatever is awarded: `floor(fee × BASE_FEE_PPM / 1_000_000)`.
#[must_use]
pub fn base_fee(bounty: u128, fee_ppm: u32) -> U256 {
    fee(bounty, fee_ppm) * U256::from(BASE_FEE_PPM) / U256::from(ONE_PPM)
}

/// The fee that the Capsule earns by delivering a campaign that awarded `awarded` of its bounty: the base, and the rest
/// in proportion.
#[must_use]
pub fn earned_fee(bounty: u128, fee_ppm: u32, awarded: u128) -> U256 {
    let base = base_fee(bounty, fee_ppm);
    base + (fee(bounty, fee_ppm) - base) * U256::from(awarded) / U256::from(bounty)
}

/// The most that a submission to a campaign may stake, in wei: what one grid step pays if the bounty is in ETH.
#[must_use]
pub fn max_submission_stake(is_eth: bool, bounty: u128, grid_ppm: u32, target_ppm: u32) -> u128 {
    let most = if is_eth { payout(bounty, target_ppm, 0, grid_ppm) } else { MAX_TOKEN_CAMPAIGN_STAKE };
    most.min(MAX_SUBMISSION_STAKE)
}

/// Eighths of its stake that a submission with this outcome pays: none if it was accepted, one if it was evaluated or
/// could not be fetched (which need not be the miner's fault), else all.
#[must_use]
pub const fn charged_eighths(outcome: Outcome) -> u32 {
    match outcome {
        Outcome::Accepted(_) => 0,
        Outcome::NotImproved | Outcome::Rejected(UNAVAILABLE) => 1,
        Outcome::Rejected(_) => EIGHTHS,
    }
}

/// Outcome of a submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It did not improve the model. Nothing more about it is ever published.
    NotImproved,
    /// It improved the model; the value is the new best accuracy in grid steps.
    Accepted(u16),
    /// It was rejected by protocol, for this reason.
    Rejected(u8),
}

/// From this code on, codes are not accuracies.
const REJECTED: u16 = 0xF000;

impl Outcome {
    /// The code on chain.
    ///
    /// # Errors
    /// Steps are 1 to 0xEFFF, reasons 1 to 255.
    pub fn encode(self) -> Result<u16, OutcomeError> {
        match self {
            Self::NotImproved => Ok(0),
            Self::Accepted(step @ 1..REJECTED) => Ok(step),
            Self::Accepted(step) => Err(OutcomeError::Step(step)),
            Self::Rejected(0) => Err(OutcomeError::Reason),
            Self::Rejected(reason) => Ok(REJECTED | u16::from(reason)),
        }
    }

    /// The meaning of a code on chain.
    ///
    /// # Errors
    /// When the code is unknown; the contract refuses such codes.
    pub fn decode(code: u16) -> Result<Self, OutcomeError> {
        match (code, code.to_be_bytes()) {
            (0, _) => Ok(Self::NotImproved),
            (1..REJECTED, _) => Ok(Self::Accepted(code)),
            (_, [0xF0, reason @ 1..=0xFF]) => Ok(Self::Rejected(reason)),
            _ => Err(OutcomeError::Code(code)),
        }
    }
}

/// An outcome that the contract would refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutcomeError {
    /// Grid step out of range.
    #[error("an accepted accuracy of {0} grid steps is outside 1 to 61439")]
    Step(u16),
    /// Rejection without a reason.
    #[error("a rejection needs a reason from 1 to 255")]
    Reason,
    /// Unused code.
    #[error("unknown outcome code {0:#06x}")]
    Code(u16),
}

/// A number that is not a known state or reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the contract's {kind} {code} is unknown: this program may be older than the contract")]
pub struct UnknownCode {
    /// Kind of the number.
    pub kind: &'static str,
    /// The number.
    pub code: u8,
}

/// State of a campaign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum State {
    /// The campaign does not exist.
    None,
    /// The bounty is in escrow; the Capsule has not activated the campaign yet.
    Proposed,
    /// The campaign takes submissions.
    Open,
    /// The campaign takes no more submissions; the model is not delivered yet.
    Closed,
    /// The model is delivered.
    Finalized,
    /// The campaign was refunded before it was active.
    Refunded,
    /// The model is delivered, and the Capsule's stake is free again.
    Released,
    /// The model is delivered, and the Capsule was convicted of misconduct.
    Convicted,
}

impl TryFrom<u8> for State {
    type Error = UnknownCode;

    fn try_from(code: u8) -> Result<Self, UnknownCode> {
        Ok(match code {
            0 => Self::None,
            1 => Self::Proposed,
            2 => Self::Open,
            3 => Self::Closed,
            4 => Self::Finalized,
            5 => Self::Refunded,
            6 => Self::Released,
            7 => Self::Convicted,
            _ => {
                return Err(UnknownCode { kind: "campaign state", code });
            }
        })
    }
}

impl State {
    /// All states of an existing campaign, in order.
    pub const ALL: [Self; 7] =
        [Self::Proposed, Self::Open, Self::Closed, Self::Finalized, Self::Refunded, Self::Released, Self::Convicted];

    /// Whether the model is delivered.
    #[must_use]
    pub const fn is_delivered(self) -> bool {
        matches!(self, Self::Finalized | Self::Released | Self::Convicted)
    }

    /// Its name, as in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Proposed => "proposed",
            Self::Open => "open",
            Self::Closed => "closed",
            Self::Finalized => "finalized",
            Self::Refunded => "refunded",
            Self::Released => "released",
            Self::Convicted => "convicted",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a campaign closed, or will close when its window is settled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum CloseReason {
    /// It is not closed.
    #[default]
    None,
    /// The target accuracy was reached.
    Target,
    /// The deadline passed.
    Deadline,
    /// The Capsule's leak budget is spent.
    LeakBudget,
    /// Its owner closed it.
    Owner,
    /// It has reached its limit of submissions or accepts.
    Limit,
    /// The Capsule missed a deadline.
    CapsuleTimeout,
}

impl TryFrom<u8> for CloseReason {
    type Error = UnknownCode;

    fn try_from(code: u8) -> Result<Self, UnknownCode> {
        Ok(match code {
            0 => Self::None,
            1 => Self::Target,
            2 => Self::Deadline,
            3 => Self::LeakBudget,
            4 => Self::Owner,
            5 => Self::Limit,
            6 => Self::CapsuleTimeout,
            _ => {
                return Err(UnknownCode { kind: "close reason", code });
            }
        })
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "not closed",
            Self::Target => "target reached",
            Self::Deadline => "deadline passed",
            Self::LeakBudget => "leak budget spent",
            Self::Owner => "closed by its owner",
            Self::Limit => "all submissions used",
            Self::CapsuleTimeout => "the Capsule missed its deadline",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_named_as_in_json() {
        for state in State::ALL {
            assert_eq!(serde_json::to_value(state).unwrap(), state.name());
        }
    }

    #[test]
    fn every_code_means_one_outcome_or_nothing() {
        for code in 0..=u16::MAX {
            match Outcome::decode(code) {
                Ok(outcome) => assert_eq!(outcome.encode(), Ok(code)),
                Err(error) => assert_eq!(error, OutcomeError::Code(code)),
            }
        }
        assert_eq!(Outcome::Accepted(0).encode(), Err(OutcomeError::Step(0)));
        assert_eq!(Outcome::Accepted(0xF000).encode(), Err(OutcomeError::Step(0xF000)));
        assert_eq!(Outcome::Rejected(0).encode(), Err(OutcomeError::Reason));
    }

    #[test]
    fn every_code_means_one_state_and_one_reason_or_nothing() {
        for code in 0..=u8::MAX {
            match State::try_from(code) {
                Ok(state) => assert_eq!(state as u8, code),
                Err(error) => assert!(code > State::Convicted as u8, "{error}"),
            }
            match CloseReason::try_from(code) {
                Ok(reason) => assert_eq!(reason as u8, code),
                Err(error) => assert!(code > CloseReason::CapsuleTimeout as u8, "{error}"),
            }
        }
    }

    #[test]
    fn a_campaign_has_another_id_on_another_chain_contract_or_terms() {
        let (here, terms) = (Address::repeat_byte(1), Terms::default());
        let other = Terms { salt: B256::repeat_byte(1), ..Terms::default() };
        let ids = [
            campaign_id(1, here, &terms),
            campaign_id(2, here, &terms),
            campaign_id(1, Address::repeat_byte(2), &terms),
            campaign_id(1, here, &other),
        ];
        assert!((0..4).all(|i| (0..i).all(|j| ids[i] != ids[j])), "{ids:?}");
    }

    #[test]
    fn two_points_of_eighty_percent_pay_25_of_1000() {
        assert_eq!(payout(1000, 800_000, 500_000, 520_000), 25);
        assert_eq!(payout(1000, 800_000, 790_000, 900_000), 12);
        assert_eq!(payout(1000, 800_000, 900_000, 950_000), 0);
        assert_eq!(payout(u128::MAX, 1_000_000, 0, 1_000_000), u128::MAX);
    }
}
