//! What the Capsule signs, and what a window's verdicts mean on chain.

use alloy::{
    primitives::Address,
    signers::{SignerSync, local::PrivateKeySigner},
};
use sonar_contracts::{
    Activation, Attestation, CloseReason, Decline, Delivery, Outcome, OutcomeError, Publication,
    Settlement as Statement, Terms,
};
use sonar_protocol::{
    handover::Published,
    ids::{CampaignId, Digest},
};
use syft::ContentVerdict;

use crate::record::Settlement;

/// The attestation key, for one chain and contract.
#[derive(Clone)]
pub struct Attester {
    signer: PrivateKeySigner,
    chain_id: u64,
    campaigns: Address,
}

impl std::fmt::Debug for Attester {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Attester({})", self.signer.address())
    }
}

impl Attester {
    /// Signs for this chain and contract only.
    #[must_use]
    pub fn new(signer: PrivateKeySigner, chain_id: u64, campaigns: Address) -> Self {
        Self { signer, chain_id, campaigns }
    }

    /// The key's address, as campaigns name it.
    #[must_use]
    pub fn address(&self) -> Address {
        self.signer.address()
    }

    /// The chain.
    #[must_use]
    pub fn chain_id(&self) -> u64 {
        self.chain_id
    }

    /// The contract.
    #[must_use]
    pub fn campaigns(&self) -> Address {
        self.campaigns
    }

    /// "This campaign starts here."
    ///
    /// # Errors
    /// When the signer fails.
    pub fn activation(
        &self,
        id: CampaignId,
        start_ppm: u32,
        first: Published,
    ) -> Result<Vec<u8>, alloy::signers::Error> {
        let Publication { material, root, handover } = first.into();
        self.sign(&Activation { campaign: id.into(), startPpm: start_ppm, material, root, handover })
    }

    /// "This campaign is not run."
    ///
    /// # Errors
    /// When the signer fails.
    pub fn decline(&self, id: CampaignId, reason: u8) -> Result<Vec<u8>, alloy::signers::Error> {
        self.sign(&Decline { campaign: id.into(), reason })
    }

    /// "This is what became of the window." Signatures are deterministic: the same settlement gives the same bytes.
    ///
    /// # Errors
    /// When the signer fails.
    pub fn settlement(&self, id: CampaignId, settlement: &Settlement) -> Result<Vec<u8>, alloy::signers::Error> {
        let Publication { material, root, handover } = settlement.next.map(Publication::from).unwrap_or_default();
        self.sign(&Statement {
            campaign: id.into(),
            version: settlement.version.0,
            window: settlement.window.0,
            windowHash: settlement.window_hash,
            outcomes: settlement.outcomes.clone(),
            material,
            root,
            handover,
            close: settlement.close,
        })
    }

    /// "This is the finished model."
    ///
    /// # Errors
    /// When the signer fails.
    pub fn delivery(&self, id: CampaignId, result: Digest) -> Result<Vec<u8>, alloy::signers::Error> {
        self.sign(&Delivery { campaign: id.into(), result: result.into() })
    }

    fn sign(&self, statement: &impl Attestation) -> Result<Vec<u8>, alloy::signers::Error> {
        let hash = statement.signing_hash(self.chain_id, self.campaigns);
        Ok(self.signer.sign_hash_sync(&hash)?.as_bytes().to_vec())
    }
}

/// The codes of a window: reasons of those refused by protocol, verdicts in order for the others.
///
/// # Errors
/// When a verdict or a reason has no code.
pub fn outcomes(refused: &[Option<u8>], verdicts: &[ContentVerdict]) -> Result<Vec<u16>, OutcomeError> {
    let mut verdicts = verdicts.iter();
    refused
        .iter()
        .map(|reason| match (reason, reason.is_none().then(|| verdicts.next()).flatten()) {
            (Some(reason), _) => Outcome::Rejected(*reason),
            (None, Some(ContentVerdict::Accepted(step))) => Outcome::Accepted(step.0),
            (None, _) => Outcome::NotImproved,
        })
        .map(Outcome::encode)
        .collect()
}

/// Where a campaign stands after a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct After {
    /// Accepts in all.
    pub accepts: u32,
    /// Submissions in all.
    pub submissions: u32,
    /// The best accuracy.
    pub best_ppm: u32,
    /// Whether the leak meter allows nothing more.
    pub spent: bool,
}

/// What follows a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Continuation {
    /// The campaign goes on.
    Open,
    /// The contract closes it by itself.
    Over,
    /// The Capsule closes it.
    Close(CloseReason),
}

impl Continuation {
    /// The code in the settlement.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Close(reason) => reason as u8,
            Self::Open | Self::Over => CloseReason::None as u8,
        }
    }
}

/// Decides as the contract will.
#[must_use]
pub fn continuation(terms: &Terms, after: After) -> Continuation {
    let over = after.best_ppm >= terms.targetPpm
        || after.accepts >= u32::from(terms.maxAccepts)
        || after.submissions >= terms.maxSubmissions;
    match (over, after.spent) {
        (true, _) => Continuation::Over,
        (false, true) => Continuation::Close(CloseReason::LeakBudget),
        (false, false) => Continuation::Open,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use syft::GridStep;

    #[test]
    fn every_submission_gets_its_own_outcome() {
        let verdicts = [ContentVerdict::NotImproved, ContentVerdict::Accepted(GridStep(7))];
        let codes = outcomes(&[Some(9), None, None, Some(1)], &verdicts).unwrap();
        assert_eq!(codes, [0xF009, 0, 7, 0xF001]);
    }

    #[test]
    fn the_capsule_closes_only_what_would_stay_open() {
        let terms = Terms { targetPpm: 950_000, maxAccepts: 8, maxSubmissions: 100, ..Terms::default() };
        let after = After { accepts: 7, submissions: 99, best_ppm: 900_000, spent: false };
        assert_eq!(continuation(&terms, after), Continuation::Open);
        let spent = After { spent: true, ..after };
        assert_eq!(continuation(&terms, spent), Continuation::Close(CloseReason::LeakBudget));
        for over in
            [After { accepts: 8, ..spent }, After { submissions: 100, ..spent }, After { best_ppm: 950_000, ..spent }]
        {
            assert_eq!(continuation(&terms, over), Continuation::Over);
        }
    }
}
