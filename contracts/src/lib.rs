//! Sonar's contracts for Rust: typed bindings generated from the committed artefacts, the EIP-712 attestations, twins
//! of the contract's formulas, and the addresses of deployments. Only types and encoding; `sonar-node` makes the calls.

pub mod address;
mod attest;
mod bindings;
mod deployment;
mod revert;
mod rules;
mod seal;
mod times;

pub use attest::{Activation, Attestation, Decline, Delivery, Settlement, domain};
pub use bindings::{Assessor, Campaigns, CapsuleRegistry, DataCoin, TermsChecker};
pub use deployment::Deployment;
pub use revert::{Revert, decode_revert};
pub use rules::{
    BASE_FEE_PPM, COMPENSATION_PPM, CloseReason, EIGHTHS, MAX_SUBMISSION_STAKE, MAX_TOKEN_CAMPAIGN_STAKE, Outcome,
    OutcomeError, STAKE_UNIT, State, UNAVAILABLE, UnknownCode, base_fee, campaign_id, charged_eighths, earned_fee, fee,
    max_submission_stake, payout, window_fold, window_hash,
};
pub use seal::{CHUNK, HEADER, Tree, chunks, handover_hash, is_sealed};
pub use times::{local_bounds, public_bounds};

/// The terms of a campaign, which never change.
pub type Terms = Campaigns::Terms;
/// A sealed update of a window.
pub type Submission = Campaigns::Submission;
/// Parameters of the audit.
pub type AuditTerms = Campaigns::AuditTerms;
/// The Capsule's commitments to a version.
pub type Publication = Campaigns::Publication;
/// The hand-over of a version's seed to the owner.
pub type Handover = Campaigns::Handover;
/// Proof that a hand-over does not decrypt.
pub type KeyProof = Campaigns::KeyProof;
/// Proof that a published word is not honest.
pub type WordProof = Campaigns::WordProof;
/// The current status of a campaign.
pub type Status = Campaigns::Status;
/// The current window of a campaign.
pub type Window = Campaigns::Window;
/// The ledger of a campaign.
pub type Ledger = Campaigns::Ledger;
/// The stakes of an account in a campaign.
pub type Stakes = Campaigns::Stakes;
/// The registration and stake of a Capsule.
pub type Capsule = CapsuleRegistry::Capsule;
/// What a campaign of an operator's Capsule may demand at most.
pub type Limits = CapsuleRegistry::Limits;
/// Whether an operator's Capsule works for fees in a token.
pub type TokenTerms = CapsuleRegistry::TokenTerms;
/// Bounds on the times in terms.
pub type Bounds = TermsChecker::Bounds;
/// The least and the most seconds that terms may give.
pub type Range = TermsChecker::Range;

/// Keccak-256 over the committed artefacts: two programs with the same value are for the same contracts.
#[must_use]
pub fn abi_hash() -> alloy::primitives::B256 {
    let mut hasher = alloy::primitives::Keccak256::new();
    for artefact in ARTEFACTS {
        hasher.update(artefact);
    }
    hasher.finalize()
}

const ARTEFACTS: [&str; 5] = [
    include_str!("../artifacts/Campaigns.json"),
    include_str!("../artifacts/TermsChecker.json"),
    include_str!("../artifacts/CapsuleRegistry.json"),
    include_str!("../artifacts/Assessor.json"),
    include_str!("../artifacts/DataCoin.json"),
];
