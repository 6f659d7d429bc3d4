//! Attestations: what the Capsule signs for the contract.

use alloy::{
    primitives::Address,
    signers::{SignerSync, local::PrivateKeySigner},
};
use sonar_contracts::{Activation, Attestation, Decline, Delivery, Outcome, Publication, Settlement as Statement};
use sonar_protocol::{
    handover::Published,
    ids::{CampaignId, Digest},
    refusal::Refusal,
    view::CampaignView,
};
use syft::Ppm;

use crate::campaign::record::Settlement;

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
    /// Creates the key's signer for one chain and contract.
    #[must_use]
    pub fn new(signer: PrivateKeySigner, chain_id: u64, campaigns: Address) -> Self {
        Self { signer, chain_id, campaigns }
    }

    /// The key's address, as in the registry.
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

    /// Signs an activation: the campaign runs and has this starting accuracy.
    ///
    /// # Errors
    /// When the signer fails.
    pub fn activation(
        &self,
        campaign: &CampaignView,
        start: Ppm,
        first: Published,
        certificate: Digest,
    ) -> Result<Vec<u8>, alloy::signers::Error> {
        let Publication { material, root, handover } = first.into();
        self.sign(&Activation {
            campaign: campaign.id.into(),
            startPpm: start.get(),
            windowHash: campaign.window_hash(),
            material,
            root,
            handover,
            certificate: certificate.into(),
        })
    }

    /// Signs a refusal: the campaign is declined for this reason.
    ///
    /// # Errors
    /// When the signer fails.
    pub fn decline(&self, id: CampaignId, reason: Refusal) -> Result<Vec<u8>, alloy::signers::Error> {
        self.sign(&Decline { campaign: id.into(), reason: reason.code() })
    }

    /// Signs the settlement of a window. Signatures are deterministic: the same settlement gives the same bytes.
    ///
    /// # Errors
    /// When an outcome has no code on chain, or the signer fails.
    pub fn settlement(&self, id: CampaignId, settlement: &Settlement) -> Result<Vec<u8>, alloy::signers::Error> {
        let Publication { material, root, handover } = settlement.next.map(Publication::from).unwrap_or_default();
        let codes = settlement.outcomes.iter().copied().map(Outcome::encode).collect::<Result<_, _>>();
        self.sign(&Statement {
            campaign: id.into(),
            version: settlement.version.0,
            window: settlement.window.0,
            windowHash: settlement.window_hash,
            outcomes: codes.map_err(alloy::signers::Error::other)?,
            material,
            root,
            handover,
            close: settlement.close as u8,
        })
    }

    /// Signs the delivery of the finished model.
    ///
    /// # Errors
    /// When the signer fails.
    pub fn delivery(&self, campaign: &CampaignView, result: Digest) -> Result<Vec<u8>, alloy::signers::Error> {
        let (id, window_hash) = (campaign.id.into(), campaign.window_hash());
        self.sign(&Delivery { campaign: id, windowHash: window_hash, result: result.into() })
    }

    fn sign(&self, statement: &impl Attestation) -> Result<Vec<u8>, alloy::signers::Error> {
        let hash = statement.signing_hash(self.chain_id, self.campaigns);
        Ok(self.signer.sign_hash_sync(&hash)?.as_bytes().to_vec())
    }
}
