//! The worker of a campaign: its record, the services that all campaigns share, and why a step failed.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use alloy::primitives::{B256, hex};
use sonar_node::{
    chain,
    ipfs::IpfsError,
    vault::{SecretStore, VaultError},
};
use sonar_protocol::{
    bundle::CheckedBundle,
    families::Family,
    ids::{CampaignId, Version},
    manifest::Manifest,
    pgp::{Certificate, Identity, PgpError},
    refusal::Refusal,
    units::Timestamp,
};

use super::record::{CampaignRecord, RecordError};
use crate::{
    attest::Attester,
    launch_keys::LaunchKeyError,
    ports::{Artefacts, Chain},
};

/// Time limits for fetching artefacts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FetchPatience {
    /// For a miner's update; at most a quarter of the campaign's time for an evaluation.
    pub update: Duration,
    /// For manifest and bundle, per attempt.
    pub artefact: Duration,
}

impl Default for FetchPatience {
    fn default() -> Self {
        Self { update: Duration::from_secs(120), artefact: Duration::from_secs(30) }
    }
}

/// Services that all campaigns share.
#[derive(Debug)]
pub struct Tools<S, A, C> {
    /// The vault.
    pub store: S,
    /// IPFS.
    pub artefacts: A,
    /// The chain.
    pub chain: C,
    /// The key that signs deliveries and certifies the keys that bundles and updates are sealed to.
    pub identity: Identity,
    /// The attestation key.
    pub attester: Attester,
    /// Time limits for fetching artefacts.
    pub patience: FetchPatience,
    /// Whether an update has the form that the method and the SHA-256 of the material require: [`Family::conforms`],
    /// except in tests of a decoder that panics.
    pub conforms: fn(&dyn Family, &[u8], &[u8; 32]) -> bool,
    /// Length of the slots at whose ends settlements are sent; zero to send them at once.
    pub settlement_slot: Duration,
}

/// Why a step was not completed. The step is retried.
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
    /// Artefacts that passed the checks before now fail them.
    #[error("the campaign's artefacts: {0}")]
    Refused(#[from] Refusal),
    /// The launch keys.
    #[error(transparent)]
    LaunchKeys(#[from] LaunchKeyError),
    /// A file in the vault is missing.
    #[error("the vault has no {0}; restore a backup")]
    Lost(String),
    /// A secret that no backup has is missing.
    #[error("{0} of this campaign is lost, and no backup has it; the campaign can only end by its time-outs")]
    LostForGood(&'static str),
    /// Another copy of this Capsule's home works with the same keys.
    #[error(
        "version {0} of the model was published with this Capsule's key, but not by this home: run only one copy of a home, the newest; stop the others, or restore the newest backup"
    )]
    Foreign(Version),
    /// The chain does not match what was read from it before; retry.
    #[error("the chain does not match what was read from it: {0}")]
    Ahead(&'static str),
    /// A bug, or a failure of the machine.
    #[error("{0}")]
    Internal(String),
}

impl WorkError {
    /// Converts any error, for `map_err`.
    pub fn internal(error: impl std::fmt::Display) -> Self {
        Self::Internal(error.to_string())
    }
}

/// Checked manifest and bundle of a campaign.
#[derive(Debug)]
pub struct CampaignInputs {
    /// Public.
    pub manifest: Arc<Manifest>,
    /// Sealed to the Capsule.
    pub bundle: CheckedBundle,
    /// Certificate that the model is sealed to.
    pub scientist: Certificate,
}

/// Works on one campaign.
#[derive(Debug)]
pub struct Worker<S, A, C> {
    pub(crate) tools: Arc<Tools<S, A, C>>,
    pub(super) record: CampaignRecord,
    pub(super) manifest: Option<Arc<Manifest>>,
    pub(super) loaded: Option<Arc<CampaignInputs>>,
    pub(super) held: Option<HeldSettlement>,
}

/// A settlement that is ready and waits for the end of its slot. After a restart it waits for the end of the slot in
/// which the Capsule restarted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct HeldSettlement {
    /// Hash of the window.
    pub window_hash: B256,
    /// When it is sent.
    pub until: Timestamp,
}

impl<S: SecretStore + 'static, A: Artefacts, C: Chain> Worker<S, A, C> {
    /// Resumes from the stored record.
    ///
    /// # Errors
    /// When the record cannot be read.
    pub fn resume(tools: Arc<Tools<S, A, C>>, id: CampaignId) -> Result<Self, WorkError> {
        let record = match tools.store.find(&record_name(id))? {
            Some(bytes) => CampaignRecord::decode(&bytes, id)?,
            None => CampaignRecord::new(id),
        };
        Ok(Self { tools, record, manifest: None, loaded: None, held: None })
    }

    /// The current record.
    #[must_use]
    pub fn record(&self) -> &CampaignRecord {
        &self.record
    }

    pub(super) fn persist(&self) -> Result<(), WorkError> {
        let name = record_name(self.record.campaign);
        Ok(self.tools.store.put(&name, &self.record.encode()?)?)
    }
}

/// Name of a campaign's record in the vault.
#[must_use]
pub fn record_name(id: CampaignId) -> String {
    format!("campaign/{}", hex::encode(id.as_bytes()))
}

/// The result of work on bytes that anybody may have made; `None` if a library panics on them. The work must change
/// nothing that outlives it.
pub(super) fn catch_panic<T>(work: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(work)).ok()
}

/// Runs heavy work outside the threads that answer requests.
pub(super) async fn compute<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, WorkError> {
    tokio::task::spawn_blocking(work).await.map_err(WorkError::internal)
}
