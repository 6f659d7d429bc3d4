//! What a family says in a campaign's privacy statement.

use serde::Serialize;
use utoipa::ToSchema;

/// What a campaign of a family discloses to whom, and what that rests on.
#[derive(Clone, Debug, PartialEq)]
pub struct Secrecy {
    /// What the encryption of updates adds, if they are encrypted before they are sealed.
    pub encryption: Option<UpdateEncryption>,
    /// Hardness figures of the family's own cryptography.
    pub security: Vec<SecurityFigure>,
    /// Who learns what.
    pub parties: &'static [PartyStatement],
}

/// What the encryption of updates hides, and what it does not.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, ToSchema)]
pub struct UpdateEncryption {
    /// Updates of one Mine from which the average products of its columns can be solved for, if they carry no noise of its own.
    pub solvable_from: usize,
    /// Beyond the updates themselves, their ciphertexts say no more than (ε, δ)-differential privacy allows: the ε, for all uploads.
    pub ciphertext_epsilon: f64,
    /// The δ.
    pub ciphertext_delta: f64,
}

/// How hard it is to break something, by an estimate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct SecurityFigure {
    /// What would be broken.
    pub what: &'static str,
    /// Work, as a power of two.
    pub bits: u32,
    /// How the work was counted.
    pub cost_model: &'static str,
}

/// What one party learns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct PartyStatement {
    /// Who.
    pub party: &'static str,
    /// What it learns.
    pub learns: &'static str,
    /// What it does not learn.
    pub never_learns: &'static str,
    /// Why not.
    pub rests_on: &'static str,
}
