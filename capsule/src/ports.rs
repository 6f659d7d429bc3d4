//! The services that the Capsule needs in addition to its vault: IPFS and the chain.

use std::{future::Future, time::Duration};

use alloy::primitives::{Address, B256};
use sonar_contracts::{Capsule, Terms};
use sonar_node::{
    chain::{self, Client, SignedSettlement},
    ipfs::{ArtefactStore, IpfsError, Node},
};
use sonar_protocol::{
    handover::{Handover, Published},
    ids::{CampaignId, Digest},
    refusal::Refusal,
    view::CampaignView,
};
use syft::Ppm;

use crate::{campaign::record::Settlement, relay::RelayClient};

/// Artefacts by content, on IPFS.
pub trait Artefacts: Send + Sync + 'static {
    /// Publishes bytes; the same bytes always have the same digest.
    fn add(&self, bytes: Vec<u8>) -> impl Future<Output = Result<Digest, IpfsError>> + Send;

    /// Fetches an artefact of at most `max_bytes` within the time limit.
    fn get(
        &self,
        digest: Digest,
        max_bytes: usize,
        timeout: Duration,
    ) -> impl Future<Output = Result<Vec<u8>, IpfsError>> + Send;
}

impl Artefacts for Node {
    async fn add(&self, bytes: Vec<u8>) -> Result<Digest, IpfsError> {
        ArtefactStore::add(&**self, bytes).await
    }

    async fn get(&self, digest: Digest, max_bytes: usize, timeout: Duration) -> Result<Vec<u8>, IpfsError> {
        ArtefactStore::get(&**self, digest, max_bytes, timeout).await
    }
}

/// The transactions of the Capsule.
pub trait Chain: Send + Sync + 'static {
    /// The contract's hash of the current window.
    fn window_hash(&self, id: CampaignId) -> impl Future<Output = Result<B256, chain::Error>> + Send;

    /// Sends an activation.
    fn activate(
        &self,
        terms: &Terms,
        start: Ppm,
        first: Published,
        certificate: Digest,
        signature: &[u8],
    ) -> impl Future<Output = Result<(), chain::Error>> + Send;

    /// Sends a refusal.
    fn decline(
        &self,
        terms: &Terms,
        reason: Refusal,
        signature: &[u8],
    ) -> impl Future<Output = Result<(), chain::Error>> + Send;

    /// Sends a settlement.
    fn settle(
        &self,
        campaign: &CampaignView,
        settlement: &Settlement,
        signature: &[u8],
    ) -> impl Future<Output = Result<(), chain::Error>> + Send;

    /// Closes a campaign.
    fn close(&self, terms: &Terms) -> impl Future<Output = Result<(), chain::Error>> + Send;

    /// Sends a delivery, with the hand-overs of all versions.
    fn finalize(
        &self,
        terms: &Terms,
        result: Digest,
        handovers: &[Handover],
        signature: &[u8],
    ) -> impl Future<Output = Result<(), chain::Error>> + Send;

    /// Frees the stake after a delivery.
    fn release(&self, terms: &Terms) -> impl Future<Output = Result<(), chain::Error>> + Send;

    /// Replaces the certificate in the Capsule's registration.
    fn register_certificate(&self, certificate: Digest) -> impl Future<Output = Result<(), chain::Error>> + Send;
}

/// The operator's account on the chain, with Sonar's relay as backup for settlements.
#[derive(Debug)]
pub struct ChainAccount {
    /// The account.
    pub operator: Address,
    /// Sends from the operator's account.
    pub client: Client,
    /// Sends settlements if the account's own transaction does not arrive.
    pub relay: Option<RelayClient>,
}

impl Chain for ChainAccount {
    async fn window_hash(&self, id: CampaignId) -> Result<B256, chain::Error> {
        Ok(self.client.status(id).await?.windowHash)
    }

    async fn activate(
        &self,
        terms: &Terms,
        start: Ppm,
        first: Published,
        certificate: Digest,
        signature: &[u8],
    ) -> Result<(), chain::Error> {
        let sent = self.client.activate(terms, start, first, certificate, signature);
        sent.await.map(drop)
    }

    async fn decline(&self, terms: &Terms, reason: Refusal, signature: &[u8]) -> Result<(), chain::Error> {
        self.client.decline(terms, reason, signature).await.map(drop)
    }

    async fn settle(
        &self,
        campaign: &CampaignView,
        settlement: &Settlement,
        signature: &[u8],
    ) -> Result<(), chain::Error> {
        if let Some(relay) = &self.relay {
            relay.offer(campaign, settlement, signature).await;
        }
        let sent = self.client.settle(SignedSettlement {
            terms: &campaign.terms,
            window_start: campaign.window.start,
            submissions: &campaign.window.submissions,
            outcomes: &settlement.outcomes,
            next: settlement.next,
            close: settlement.close,
            signature,
        });
        sent.await.map(drop)
    }

    async fn close(&self, terms: &Terms) -> Result<(), chain::Error> {
        self.client.close(terms).await.map(drop)
    }

    async fn finalize(
        &self,
        terms: &Terms,
        result: Digest,
        handovers: &[Handover],
        signature: &[u8],
    ) -> Result<(), chain::Error> {
        let sent = self.client.finalize(terms, result, handovers, signature);
        sent.await.map(drop)
    }

    async fn release(&self, terms: &Terms) -> Result<(), chain::Error> {
        self.client.release(terms).await.map(drop)
    }

    async fn register_certificate(&self, certificate: Digest) -> Result<(), chain::Error> {
        let known = self.client.capsule(self.operator).await?;
        let certificate = certificate.into();
        match known.filter(|known| known.certificate != certificate) {
            Some(known) => self.client.update_capsule(Capsule { certificate, ..known }).await.map(drop),
            None => Ok(()),
        }
    }
}
