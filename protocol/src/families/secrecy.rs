//! A family's part of a campaign's privacy statement.

use serde::Serialize;
use utoipa::ToSchema;

/// What a campaign of a family discloses to each party, and what that rests on.
#[derive(Clone, Debug, PartialEq)]
pub struct Secrecy {
    /// Effect of the homomorphic encryption of updates, if there is one.
    pub encryption: Option<UpdateEncryption>,
    /// Hardness figures of the family's own cryptography.
    pub security: Vec<SecurityFigure>,
    /// What each party learns.
    pub parties: &'static [PartyStatement],
}

/// What the encryption of updates hides, and what it does not.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, ToSchema)]
pub struct UpdateEncryption {
    /// Number of updates of one Mine from which the average products of its columns can be computed, if they have no
    /// noise for privacy.
    pub solvable_from: usize,
    /// The ciphertexts disclose no more than (ε, δ)-differential privacy allows, in addition to the updates: the ε for
    /// all uploads.
    pub ciphertext_epsilon: f64,
    /// The δ.
    pub ciphertext_delta: f64,
}

/// Estimated hardness of an attack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct SecurityFigure {
    /// Goal of the attack.
    pub what: &'static str,
    /// Work in bits (a power of two).
    pub bits: u32,
    /// Cost model.
    pub cost_model: &'static str,
}

/// What one party learns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct PartyStatement {
    /// Party.
    pub party: &'static str,
    /// What the party learns.
    pub learns: &'static str,
    /// What the party does not learn.
    pub never_learns: &'static str,
    /// What that rests on.
    pub rests_on: &'static str,
}
