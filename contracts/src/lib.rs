//! Sonar's contracts for Rust: typed bindings generated from the committed artefacts, the EIP-712 attestations,
//! twins of the contract's
//! formulas, and where the contracts are. Types and encoding only: calls are made elsewhere.

pub mod address;
mod attest;
mod bindings;
mod deployment;
mod revert;
mod rules;
mod seal;

pub use attest::{Activation, Attestation, Decline, Delivery, Settlement, domain};
pub use bindings::{Assessor, Campaigns, CapsuleRegistry, DataCoin};
pub use deployment::Deployment;
pub use revert::{Revert, decode_revert};
pub use rules::{
    CloseReason, MAX_SUBMISSION_STAKE, Outcome, OutcomeError, STAKE_UNIT, State, UnknownCode, campaign_id, fee, payout,
    window_fold, window_hash, window_start,
};
pub use seal::{CHUNK, HEADER, Tree, chunks, handover_hash, is_sealed};

/// The facts of a campaign that never change.
pub type Terms = Campaigns::Terms;
/// One sealed update of a window.
pub type Submission = Campaigns::Submission;
/// How the owner audits.
pub type AuditTerms = Campaigns::AuditTerms;
/// What the Capsule published for a version.
pub type Publication = Campaigns::Publication;
/// How the owner gets the seed of a version.
pub type Handover = Campaigns::Handover;
/// Shows that a hand-over does not open.
pub type KeyProof = Campaigns::KeyProof;
/// Shows that a published word cannot be an honest one.
pub type WordProof = Campaigns::WordProof;
/// What changes during a campaign's life.
pub type Status = Campaigns::Status;
/// The present window of a campaign.
pub type Window = Campaigns::Window;
/// Where a campaign's money is.
pub type Ledger = Campaigns::Ledger;
/// An account's stakes in a campaign.
pub type Stakes = Campaigns::Stakes;
/// What the registry knows about one Capsule.
pub type Capsule = CapsuleRegistry::Capsule;

/// Keccak-256 over the committed artefacts: two programs with the same value speak to the same contracts.
#[must_use]
pub fn abi_hash() -> alloy::primitives::B256 {
    let mut hasher = alloy::primitives::Keccak256::new();
    for artefact in ARTEFACTS {
        hasher.update(artefact);
    }
    hasher.finalize()
}

const ARTEFACTS: [&str; 4] = [
    include_str!("../artifacts/Campaigns.json"),
    include_str!("../artifacts/CapsuleRegistry.json"),
    include_str!("../artifacts/Assessor.json"),
    include_str!("../artifacts/DataCoin.json"),
];
