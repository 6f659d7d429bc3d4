//! What the Capsule needs of the world: a store that survives crashes, IPFS, and the chain.

use std::{future::Future, time::Duration};

use alloy::primitives::B256;
use sonar_contracts::{Submission, Terms};
use sonar_node::{
    chain::{self, Client},
    ipfs::{ArtefactStore, IpfsError, Node},
    vault::{Vault, VaultError},
};
use sonar_protocol::{
    handover::{Handover, Published},
    ids::{CampaignId, Digest},
    refusal::Refusal,
    terms::CampaignTerms,
};
use syft::Ppm;
use zeroize::Zeroizing;

use crate::{campaign::record::Settlement, relay::Relay};

/// Named pieces of bytes that outlive the process.
pub trait Store: Send + Sync + 'static {
    /// Keeps bytes; when this returns they survive a crash.
    ///
    /// # Errors
    /// When they cannot be written.
    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), VaultError>;

    /// The bytes of a name, if there are any.
    ///
    /// # Errors
    /// When they cannot be read.
    fn find(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, VaultError>;

    /// Destroys what has the name; nothing there is no error.
    ///
    /// # Errors
    /// When it cannot be destroyed.
    fn remove(&self, name: &str) -> Result<(), VaultError>;
}

impl Store for Vault {
    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), VaultError> {
        Vault::put(self, name, bytes)
    }

    fn find(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, VaultError> {
        Vault::find(self, name)
    }

    fn remove(&self, name: &str) -> Result<(), VaultError> {
        Vault::remove(self, name)
    }
}

/// Artefacts by content.
pub trait Artefacts: Send + Sync + 'static {
    /// Publishes bytes; the same bytes always have the same digest.
    fn add(&self, bytes: Vec<u8>) -> impl Future<Output = Result<Digest, IpfsError>> + Send;

    /// Fetches at most so many bytes within this time.
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

/// What is sent to the contract.
pub trait Chain: Send + Sync + 'static {
    /// The contract's own hash of the present window.
    fn window_hash(&self, id: CampaignId) -> impl Future<Output = Result<B256, chain::Error>> + Send;

    /// Sends an activation.
    fn activate(
        &self,
        terms: &Terms,
        start: Ppm,
        first: Published,
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
        terms: &CampaignTerms,
        submissions: &[Submission],
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
}

/// The operator's account on the chain, with Sonar's relay beside it.
#[derive(Debug)]
pub struct Account {
    /// Sends from the operator's account.
    pub client: Client,
    /// Keeps settlements in case the account's own transaction does not arrive.
    pub relay: Option<Relay>,
}

impl Chain for Account {
    async fn window_hash(&self, id: CampaignId) -> Result<B256, chain::Error> {
        Ok(self.client.status(id).await?.windowHash)
    }

    async fn activate(
        &self,
        terms: &Terms,
        start: Ppm,
        first: Published,
        signature: &[u8],
    ) -> Result<(), chain::Error> {
        let sent = self.client.activate(terms, start, first, signature);
        sent.await.map(drop)
    }

    async fn decline(&self, terms: &Terms, reason: Refusal, signature: &[u8]) -> Result<(), chain::Error> {
        self.client.decline(terms, reason, signature).await.map(drop)
    }

    async fn settle(
        &self,
        terms: &CampaignTerms,
        submissions: &[Submission],
        settlement: &Settlement,
        signature: &[u8],
    ) -> Result<(), chain::Error> {
        if let Some(relay) = &self.relay {
            relay.offer(terms, submissions, settlement, signature).await;
        }
        let Settlement { outcomes, next, close, .. } = settlement;
        self.client.settle(terms, submissions, outcomes, *next, *close, signature).await.map(drop)
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
}
