//! Sonar's contracts for Rust: typed bindings generated from the committed artefacts, the EIP-712 attestations,
//! twins of the contract's formulas, deployment, and a local
//! chain that survives `kill -9`.

pub mod anvil;
mod attest;
mod bindings;
mod deployment;
mod revert;
mod rules;
mod seal;

pub use attest::{Activation, Attestation, Decline, Delivery, Settlement, domain};
pub use bindings::{Assessor, CapsuleRegistry, DataCoin, Sonar};
pub use deployment::{DeployError, Deployment, deploy};
pub use revert::{Revert, decode_revert};
pub use rules::{
    CloseReason, MAX_ACCEPTS_PER_WINDOW, MAX_SUBMISSION_STAKE, Outcome, OutcomeError, STAKE_UNIT, State, UnknownCode,
    campaign_id, fee, payout, window_fold, window_hash, window_start,
};
pub use seal::{CHUNK, HEADER, Tree, chunks, handover_hash, is_sealed};

/// The facts of a campaign that never change.
pub type Terms = Sonar::Terms;
/// One sealed update of a window.
pub type Submission = Sonar::Submission;
/// How the owner audits.
pub type AuditTerms = Sonar::AuditTerms;
/// What the Capsule published for a version.
pub type Publication = Sonar::Publication;
/// How the owner gets the seed of a version.
pub type Handover = Sonar::Handover;
/// Shows that a hand-over does not open.
pub type KeyProof = Sonar::KeyProof;
/// Shows that a published word cannot be an honest one.
pub type WordProof = Sonar::WordProof;
/// What changes during a campaign's life.
pub type Status = Sonar::Status;
/// The present window of a campaign.
pub type Window = Sonar::Window;
/// Where a campaign's money is.
pub type Ledger = Sonar::Ledger;
/// An account's stakes in a campaign.
pub type Stakes = Sonar::Stakes;
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
    include_str!("../artifacts/Sonar.json"),
    include_str!("../artifacts/CapsuleRegistry.json"),
    include_str!("../artifacts/Assessor.json"),
    include_str!("../artifacts/DataCoin.json"),
];
