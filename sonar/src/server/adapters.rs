//! Adapters: the chain client and the IPFS node behind the traits of index, hub and relay.

use std::{sync::Arc, time::Duration};

use alloy::primitives::B256;
use sonar_contracts::{Submission, Terms};

use super::{
    hub::{BlobError, Blobs},
    relay::{SettleError, Settler},
};
use crate::index::{BlockRef, Source, SourceError};
use sonar_node::{
    chain::{self, Client, SignedSettlement},
    cli::{ExitCode, Failure},
    ipfs,
};
use sonar_protocol::{
    event::Record,
    ids::{CampaignId, Digest},
    wire::SettlementRequest,
};

/// The chain client as source of the index.
#[derive(Clone, Debug)]
pub struct ChainSource(Client);

impl ChainSource {
    /// Wraps a client without an account.
    pub fn new(client: Client) -> Self {
        Self(client)
    }
}

impl From<chain::Error> for SourceError {
    fn from(error: chain::Error) -> Self {
        Self(Box::new(error))
    }
}

impl Source for ChainSource {
    async fn head(&self) -> Result<BlockRef, SourceError> {
        let head = self.0.head().await?;
        Ok(BlockRef { number: head.number, hash: head.hash, time: head.now })
    }

    async fn block(&self, number: u64) -> Result<Option<BlockRef>, SourceError> {
        let block = self.0.block(number).await?;
        Ok(block.map(|(hash, time)| BlockRef { number, hash, time }))
    }

    async fn events(&self, from: u64, to: u64) -> Result<Vec<Record>, SourceError> {
        Ok(self.0.logs(from, to).await?)
    }
}

/// The chain client as the relay's chain.
#[derive(Clone, Debug)]
pub struct Settlements(Client);

impl Settlements {
    /// Wraps a client with the relay's account.
    pub fn new(client: Client) -> Self {
        Self(client)
    }
}

/// Converts a settlement from the API to the client's type.
struct Call {
    terms: Terms,
    submissions: Vec<Submission>,
}

fn call(settlement: &SettlementRequest) -> Result<Call, SettleError> {
    let terms = Terms::try_from(&settlement.terms)
        .map_err(|error| SettleError::Refused { code: "USAGE".into(), message: error.to_string() })?;
    let submissions =
        settlement.submissions.iter().map(|s| Submission { miner: s.miner, content: B256::new(s.content.0) }).collect();
    Ok(Call { terms, submissions })
}

impl From<chain::Error> for SettleError {
    fn from(error: chain::Error) -> Self {
        let transient = error.is_transient();
        let failure = Failure::from(error);
        match failure.code.exit() {
            ExitCode::Refused | ExitCode::NotFound if !transient => {
                Self::Refused { code: failure.code.name().into(), message: failure.message }
            }
            _ => Self::Unreachable(failure.message),
        }
    }
}

fn signed<'a>(
    settlement: &'a SettlementRequest,
    terms: &'a Terms,
    submissions: &'a [Submission],
) -> SignedSettlement<'a> {
    SignedSettlement {
        terms,
        window_start: settlement.window_start,
        submissions,
        outcomes: &settlement.outcomes,
        next: settlement.next,
        close: settlement.close,
        signature: &settlement.signature,
    }
}

impl Settler for Settlements {
    async fn simulate(&self, settlement: &SettlementRequest) -> Result<(CampaignId, u32), SettleError> {
        let Call { terms, submissions } = call(settlement)?;
        let campaign = self.0.id(&terms);
        let window = self.0.status(campaign).await?.windowIndex;
        self.0.check_settle(signed(settlement, &terms, &submissions)).await?;
        Ok((campaign, window))
    }

    async fn send(&self, settlement: &SettlementRequest) -> Result<B256, SettleError> {
        let Call { terms, submissions } = call(settlement)?;
        let outcome = self.0.settle(signed(settlement, &terms, &submissions)).await?;
        Ok(outcome.hash)
    }
}

/// The IPFS node as the hub's store.
#[derive(Clone, Debug)]
pub struct HubNode(Arc<ipfs::Node>);

impl HubNode {
    /// Wraps a running node.
    pub fn new(node: Arc<ipfs::Node>) -> Self {
        Self(node)
    }
}

fn blob_error(error: impl std::fmt::Display) -> BlobError {
    BlobError(error.to_string())
}

impl Blobs for HubNode {
    async fn get(&self, digest: Digest, max_bytes: usize, timeout: Duration) -> Result<Vec<u8>, BlobError> {
        self.0.get(digest, max_bytes, timeout).await.map_err(blob_error)
    }

    async fn pin(&self, digest: Digest) -> Result<(), BlobError> {
        self.0.pin(digest).await.map_err(blob_error)
    }

    async fn unpin(&self, digest: Digest) -> Result<(), BlobError> {
        self.0.unpin(digest).await.map_err(blob_error)
    }

    async fn pins(&self) -> Result<Vec<Digest>, BlobError> {
        self.0.pins().await.map_err(blob_error)
    }
}
