//! What every step on a campaign works with: the record, the tools that all campaigns share, and why a step failed.

use std::{sync::Arc, time::Duration};

use alloy::primitives::hex;
use sonar_node::{
    chain,
    ipfs::IpfsError,
    vault::{SecretStore, VaultError},
};
use sonar_protocol::{
    bundle::CheckedBundle,
    ids::CampaignId,
    manifest::Manifest,
    pgp::{Certificate, Identity, PgpError},
    refusal::Refusal,
};

use super::record::{CampaignRecord, RecordError};
use crate::{
    attest::Attester,
    ports::{Artefacts, Chain},
};

/// How patient the Capsule is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FetchPatience {
    /// For an update of a miner; never more than a quarter of the time that the campaign gives for an evaluation.
    pub update: Duration,
    /// For manifest and bundle, each time they are tried.
    pub artefact: Duration,
}

impl Default for FetchPatience {
    fn default() -> Self {
        Self { update: Duration::from_secs(120), artefact: Duration::from_secs(30) }
    }
}

/// What all campaigns share.
#[derive(Debug)]
pub struct Tools<S, A, C> {
    /// Under the passphrase.
    pub store: S,
    /// IPFS.
    pub artefacts: A,
    /// The chain.
    pub chain: C,
    /// The key that bundles and updates are sealed to.
    pub identity: Identity,
    /// The key that attests.
    pub attester: Attester,
    /// How long artefacts are waited for.
    pub patience: FetchPatience,
}

/// Why a step was not completed. It is tried again.
#[derive(Debug, thiserror::Error)]
pub enum WorkError {
    /// The store.
    #[error(transparent)]
    Store(#[from] VaultError),
    /// The record.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// IPFS.
    #[error(transparent)]
    Ipfs(#[from] IpfsError),
    /// The chain.
    #[error(transparent)]
    Chain(#[from] chain::Error),
    /// OpenPGP.
    #[error(transparent)]
    Pgp(#[from] PgpError),
    /// The signer.
    #[error("cannot sign: {0}")]
    Sign(#[from] alloy::signers::Error),
    /// What was fine before is not any more.
    #[error("the campaign's artefacts: {0}")]
    Refused(#[from] Refusal),
    /// A file in the vault is missing.
    #[error("the vault has no {0}; restore a backup")]
    Lost(String),
    /// The chain says something else than what was read from it.
    #[error("the chain does not agree with what was read from it yet: {0}")]
    Ahead(&'static str),
    /// A bug or a broken machine.
    #[error("{0}")]
    Internal(String),
}

impl WorkError {
    /// For `map_err`.
    pub fn internal(error: impl std::fmt::Display) -> Self {
        Self::Internal(error.to_string())
    }
}

/// Manifest and bundle of a campaign, checked.
#[derive(Debug)]
pub struct CampaignInputs {
    /// Public.
    pub manifest: Manifest,
    /// Sealed to the Capsule.
    pub bundle: CheckedBundle,
    /// To whom the model is delivered.
    pub scientist: Certificate,
}

/// Works on one campaign.
#[derive(Debug)]
pub struct Worker<S, A, C> {
    pub(crate) tools: Arc<Tools<S, A, C>>,
    pub(super) record: CampaignRecord,
    pub(super) loaded: Option<Arc<CampaignInputs>>,
}

impl<S: SecretStore + 'static, A: Artefacts, C: Chain> Worker<S, A, C> {
    /// Goes on from what was written down.
    ///
    /// # Errors
    /// When the record cannot be read.
    pub fn resume(tools: Arc<Tools<S, A, C>>, id: CampaignId) -> Result<Self, WorkError> {
        let record = match tools.store.find(&record_name(id))? {
            Some(bytes) => CampaignRecord::decode(&bytes, id)?,
            None => CampaignRecord::new(id),
        };
        Ok(Self { tools, record, loaded: None })
    }

    /// What was written down.
    #[must_use]
    pub fn record(&self) -> &CampaignRecord {
        &self.record
    }

    pub(super) fn persist(&self) -> Result<(), WorkError> {
        let name = record_name(self.record.campaign);
        Ok(self.tools.store.put(&name, &self.record.encode()?)?)
    }
}

/// Where a campaign's record is in the vault.
#[must_use]
pub fn record_name(id: CampaignId) -> String {
    format!("campaign/{}", hex::encode(id.as_bytes()))
}

/// Works outside the threads that answer requests.
pub(super) async fn compute<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, WorkError> {
    tokio::task::spawn_blocking(work).await.map_err(WorkError::internal)
}
