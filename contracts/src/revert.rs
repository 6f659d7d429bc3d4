//! Errors of the contracts, as text.

use std::fmt;

use alloy::{
    primitives::hex,
    sol_types::{Panic, Revert as Message, SolError, SolInterface},
};

use crate::{
    Assessor::AssessorErrors, Campaigns::CampaignsErrors, CapsuleRegistry::CapsuleRegistryErrors, CloseReason,
    DataCoin::DataCoinErrors, State,
};

/// The error of a contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Revert {
    /// An error of Campaigns.
    Campaigns(CampaignsErrors),
    /// An error of CapsuleRegistry.
    Registry(CapsuleRegistryErrors),
    /// An error of Assessor.
    Assessor(AssessorErrors),
    /// An error of DataCoin, or of another ERC-20 with the standard errors.
    Token(DataCoinErrors),
    /// `require` with a message.
    Message(String),
    /// A failed assertion in a contract.
    Panic(String),
}

/// Decodes the data of a failed call, if it is an error of one of our contracts.
#[must_use]
pub fn decode_revert(data: &[u8]) -> Option<Revert> {
    if let Ok(error) = CampaignsErrors::abi_decode(data) {
        return Some(Revert::Campaigns(error));
    }
    if let Ok(error) = CapsuleRegistryErrors::abi_decode(data) {
        return Some(Revert::Registry(error));
    }
    if let Ok(error) = AssessorErrors::abi_decode(data) {
        return Some(Revert::Assessor(error));
    }
    if let Ok(error) = DataCoinErrors::abi_decode(data) {
        return Some(Revert::Token(error));
    }
    if let Ok(message) = Message::abi_decode(data) {
        return Some(Revert::Message(message.reason));
    }
    Panic::abi_decode(data).ok().map(|panic| Revert::Panic(panic.to_string()))
}

impl fmt::Display for Revert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Campaigns(error) => campaigns(error, f),
            Self::Registry(error) => registry(error, f),
            Self::Assessor(error) => assessor(error, f),
            Self::Token(error) => token(error, f),
            Self::Message(message) => write!(f, "the contract refused: {message}"),
            Self::Panic(panic) => write!(f, "an assertion in the contract failed: {panic}"),
        }
    }
}

impl std::error::Error for Revert {}

fn state(code: u8) -> &'static str {
    State::try_from(code).map_or("in a state unknown to this program", State::name)
}

fn campaigns(error: &CampaignsErrors, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    use CampaignsErrors as E;
    match error {
        E::OutOfRange(e) => write!(f, "{} is {}, outside {} to {}", e.field, e.value, e.min, e.max),
        E::TargetNotAboveStart(e) => {
            write!(f, "the target ({} ppm) is not above the start ({} ppm)", e.targetPpm, e.startPpm)
        }
        E::OffGrid(e) => write!(f, "{} is {} ppm, not a multiple of the grid of {} ppm", e.field, e.ppm, e.gridPpm),
        E::OffUnit(e) => write!(f, "{} is {}, not a multiple of {}", e.field, e.value, e.unit),
        E::NotOwner(e) => write!(f, "only the owner {} may do this, not {}", e.owner, e.sender),
        E::UnknownCapsule(e) => write!(f, "no Capsule of operator {} is registered", e.capsule),
        E::UnknownMode(e) => {
            write!(f, "mode {} with the auditor {} does not exist yet; take 0 and none", e.mode, e.auditor)
        }
        E::FeeMismatch(e) => write!(f, "the Capsule's fee is {} ppm, not {} ppm", e.registeredPpm, e.givenPpm),
        E::DuplicateCampaign(e) => write!(f, "campaign {} exists already", e.id),
        E::WrongValue(e) => write!(f, "{} wei were sent instead of {}", e.sent, e.expected),
        E::WrongAmountReceived(e) => write!(
            f,
            "the token delivered {} instead of {}; tokens that take a fee on transfers cannot be bounties",
            e.received, e.expected
        ),
        E::PermitForEth(_) => f.write_str("a bounty in ETH needs no permit"),
        E::UnknownCampaign(e) => write!(f, "there is no campaign {} on this contract", e.id),
        E::WrongState(e) => {
            write!(f, "campaign {} is {}, but it must be {}", e.id, state(e.actual), state(e.needed))
        }
        E::NotOpen(e) => write!(f, "campaign {} is {} and takes no submissions", e.id, state(e.actual)),
        E::DeadlinePassed(e) => write!(f, "the deadline (unix time {}) has passed", e.deadline),
        E::TooLate(e) => write!(f, "the time for this ended at unix time {}", e.end),
        E::AlreadyClosing(e) => write!(f, "campaign {} is closing already: it closes when its window is settled", e.id),
        E::TooEarly(e) => write!(f, "this is not allowed before unix time {}", e.notBefore),
        E::StaleVersion(e) => write!(f, "the submission is for another version; the current version is {}", e.current),
        E::WindowClosed(e) => {
            write!(
                f,
                "window {} closed at unix time {}; submissions are accepted again when it is settled",
                e.window, e.closedAt
            )
        }
        E::CapReached(e) => write!(f, "this miner has reached the limit of {} submissions to this version", e.cap),
        E::LimitReached(e) => write!(f, "the campaign has reached its limit of {} submissions", e.maxSubmissions),
        E::WindowOpen(e) if e.closesAt == 0 => {
            write!(f, "window {} has no submissions yet", e.window)
        }
        E::WindowOpen(e) => write!(f, "window {} is open until unix time {}", e.window, e.closesAt),
        E::UnsettledWindow(e) => {
            write!(f, "window {} has {} submissions that must be settled first", e.window, e.count)
        }
        E::WrongCount(e) => write!(
            f,
            "{} submissions and {} outcomes were given for a window with {} submissions",
            e.submissions, e.outcomes, e.windowCount
        ),
        E::WrongWindow(e) => write!(
            f,
            "the given submissions are not those of the window, in order (window hash {}, given {})",
            e.expected, e.given
        ),
        E::WrongSigner(e) => write!(
            f,
            "the attestation was not signed by {} for this chain, contract and content (it recovers to {})",
            e.attester, e.recovered
        ),
        E::StartOutOfTolerance(e) => write!(
            f,
            "the measured starting accuracy of {} ppm is more than {} ppm (and one grid step) from the claim of {} ppm",
            e.measuredPpm, e.tolerancePpm, e.claimedPpm
        ),
        E::BadOutcome(e) => write!(f, "outcome {} has the unknown code {:#06x}", e.index, e.outcome),
        E::BadStep(e) => write!(
            f,
            "outcome {} claims {} ppm, which does not improve on {} ppm or is above 100 %",
            e.index, e.ppm, e.bestPpm
        ),
        E::TooManyAccepts(e) => write!(f, "{} submissions were accepted, but only {} are allowed", e.accepts, e.limit),
        E::BadMaterial(e) if e.needed => f.write_str("material for the next version is missing"),
        E::BadMaterial(_) => f.write_str("material was given, but there is no next version"),
        E::WrongHandovers(e) => write!(f, "{} hand-overs were given for {} versions", e.given, e.versions),
        E::WrongHandover(e) => {
            write!(f, "the hand-over of version {} is not the one that the Capsule committed to", e.version)
        }
        E::BadCloseReason(e) => match CloseReason::try_from(e.reason) {
            Ok(reason) => write!(f, "an attestation cannot close a campaign with the reason {reason:?}"),
            Err(_) => write!(f, "close reason {} is unknown", e.reason),
        },
        E::CapsuleTimedOut(e) => write!(f, "the Capsule missed a deadline in campaign {}", e.id),
        E::NothingOwed(e) => write!(f, "{} has no credit in campaign {}", e.account, e.id),
        E::ZeroAddress(_) => f.write_str("money cannot go to the zero address"),
        E::TransferFailed(e) => write!(f, "{} did not accept {} wei", e.to, e.amount),
        E::SafeERC20FailedOperation(e) => {
            write!(f, "the token {} refused the transfer; check balance and allowance", e.token)
        }
        E::ReentrancyGuardReentrantCall(_) => {
            f.write_str("the contract was called again during its own call (reentrancy)")
        }
        other => other_error(&other.abi_encode(), f),
    }
}

fn registry(error: &CapsuleRegistryErrors, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    use CapsuleRegistryErrors as E;
    match error {
        E::NotRegistered(e) => write!(f, "{} has registered no Capsule", e.operator),
        E::AlreadyRegistered(e) => write!(f, "{} has already registered a Capsule; update it", e.operator),
        E::Missing(e) => write!(f, "{} must not be empty", e.field),
        E::EndpointTooLong(e) => write!(f, "the endpoint has {} bytes; the limit is {}", e.length, e.limit),
        E::FeeTooHigh(e) => write!(f, "a fee of {} ppm is above the cap of {} ppm", e.feePpm, e.cap),
        E::InsufficientStake(e) => {
            write!(f, "the Capsule of {} has {} wei of free stake, not {}", e.operator, e.free, e.wanted)
        }
        E::NotAuthorized(e) => {
            write!(f, "the Capsule operator {} has not authorised the contract {}", e.operator, e.campaigns)
        }
        E::AlreadyLocked(e) => write!(f, "campaign {} has already locked stake of {}", e.id, e.operator),
        E::NotLocked(e) => write!(f, "{} has locked no stake of {} for campaign {}", e.campaigns, e.operator, e.id),
        E::SharesTooHigh(e) => {
            write!(f, "shares of {} wei are more than the slashed stake of {} wei", e.shares, e.amount)
        }
        E::AboveLimit(e) => write!(f, "{}: {} is above the Capsule's limit of {}", e.what, e.value, e.limit),
        E::BelowLimit(e) => write!(f, "{}: {} is below the Capsule's limit of {}", e.what, e.value, e.limit),
        E::TokenNotAccepted(e) if e.token.is_zero() => {
            write!(f, "the Capsule of {} does not work for fees in ETH", e.operator)
        }
        E::TokenNotAccepted(e) => {
            write!(f, "the Capsule of {} does not work for fees in the token {}", e.operator, e.token)
        }
        E::NothingToClaim(e) => write!(f, "{} has nothing to claim", e.account),
        E::TransferFailed(e) => write!(f, "{} did not accept {} wei", e.to, e.amount),
    }
}

fn assessor(error: &AssessorErrors, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    use AssessorErrors as E;
    match error {
        E::WrongKey(e) => write!(f, "the given key is not the campaign's audit key for version {}", e.version),
        E::WrongSeed(_) => f.write_str("the given seed is not the one that the Capsule committed to"),
        E::WrongParameters(_) => f.write_str("the given constants are not those of the published material"),
        E::WrongChunk(e) => write!(f, "chunk {} is not part of the published material", e.index),
        E::NoSuchWord(e) => write!(f, "there is no word {}; rows and public key have {} words", e.word, e.words),
        E::NotGuilty(_) => f.write_str("the proof does not show misconduct, so the Capsule is not convicted"),
    }
}

fn token(error: &DataCoinErrors, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    use DataCoinErrors as E;
    match error {
        E::ERC20InsufficientAllowance(e) => {
            write!(f, "{} has an allowance of {} of the token, not {}", e.spender, e.allowance, e.needed)
        }
        E::ERC20InsufficientBalance(e) => write!(f, "{} has {} of the token, not {}", e.sender, e.balance, e.needed),
        E::ERC2612ExpiredSignature(e) => {
            write!(f, "the permit expired at unix time {}", e.deadline)
        }
        E::ERC2612InvalidSigner(e) => write!(f, "the permit was signed by {}, not by {}", e.signer, e.owner),
        other => other_error(&other.abi_encode(), f),
    }
}

/// Errors of the libraries that none of our calls can cause.
fn other_error(data: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "the contract refused with {}", hex::encode_prefixed(data))
}
