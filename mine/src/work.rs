//! The heavy computation: from data and the published model to a sealed update. No I/O except checkpoints.

use std::{sync::Arc, time::Instant};

use alloy::primitives::Address;
use sonar_node::vault::{SecretStore, VaultError};
use sonar_protocol::{
    backbone::Embedding,
    envelope::{self, EnvelopeHeader},
    families::{FamilyError, OpenedModel, TrainingTask},
    ids::{CampaignId, Version},
    manifest::Manifest,
    pgp::CampaignCertificate,
    units::Timestamp,
};
use syft::Binding;

use crate::{
    outbox::UpdateRecord,
    privacy::Budget,
    repository::{self, RepositoryError},
    training::{TrainingSignal, Watch},
};

/// Input of an update.
#[derive(Debug)]
pub struct Order {
    /// The campaign.
    pub campaign: CampaignId,
    /// The version.
    pub version: Version,
    /// This Mine's account.
    pub miner: Address,
    /// The manifest of the campaign.
    pub manifest: Arc<Manifest>,
    /// What the Capsule published.
    pub kit: Arc<Kit>,
    /// Privacy budget of the update; exact if `None`.
    pub budget: Option<Budget>,
    /// Cancelled when the update is no longer needed.
    pub signal: TrainingSignal,
    /// The time.
    pub now: Timestamp,
}

/// The material that the Capsule published for a version.
#[derive(Debug)]
pub struct Kit {
    /// The backbone that transforms raw columns first.
    pub embedding: Arc<Embedding>,
    /// The model, with everything that training needs.
    pub model: Box<dyn OpenedModel>,
    /// Digests that the update is bound to.
    pub binding: Binding,
    /// Total size in bytes.
    pub bytes: usize,
    /// The certificate that updates are sealed to.
    pub certificate: CampaignCertificate,
}

/// Why no update could be made.
#[derive(Debug, thiserror::Error)]
pub enum UpdateFailure {
    /// The data cannot be read.
    #[error(transparent)]
    Repository(#[from] RepositoryError),
    /// No data set fits, or no longer fits.
    #[error("no data set fits")]
    NoData,
    /// The data does not fit the backbone or the campaign's task.
    #[error(transparent)]
    Data(#[from] syft::DataError),
    /// Training or encryption failed, or the noise would drown the update.
    #[error(transparent)]
    Family(#[from] FamilyError),
    /// A checkpoint cannot be read or written.
    #[error(transparent)]
    Store(#[from] VaultError),
    /// The model changed before the update was made.
    #[error("the model changed before the update was made")]
    Outdated,
    /// Sealing failed.
    #[error(transparent)]
    Seal(#[from] sonar_protocol::pgp::PgpError),
}

/// Trains, encrypts or compresses, and seals. The result must be stored before it is sent.
///
/// # Errors
/// When the data no longer fits, or the operating system provides no randomness.
pub fn make(store: &dyn SecretStore, order: &Order) -> Result<(UpdateRecord, Vec<u8>), UpdateFailure> {
    let manifest = &order.manifest;
    let begin = Instant::now();
    let (data, examples) = repository::examples(store, &manifest.data)?;
    let examples = order.kit.embedding.apply(examples.ok_or(UpdateFailure::NoData)?)?;
    let targets = manifest.targets(&examples)?;
    let cost = order.budget.map(|budget| budget.per_upload());
    let mut watch = Watch::new(store, order.campaign, order.version, &order.signal);
    let task =
        TrainingTask { examples: &examples, targets: &targets, cost, coins: &mut rand::rng(), watch: &mut watch };
    let update = order.kit.model.train(task);
    let trained = watch.trained_at();
    let update = update.map_err(|error| watch.explain(error))?;
    let envelope = envelope::seal_update(&header(order), &update, &[&order.kit.certificate])?;
    let record = UpdateRecord {
        campaign: order.campaign,
        version: order.version,
        data,
        rows: examples.len(),
        cost,
        made_at: order.now,
        train_ms: millis(trained - begin),
        encrypt_ms: millis(trained.elapsed()),
        bytes_down: order.kit.bytes,
        bytes_up: envelope.len(),
    };
    Ok((record, envelope))
}

fn header(order: &Order) -> EnvelopeHeader {
    let Binding { chain_id, contract, .. } = order.kit.binding;
    EnvelopeHeader::new(chain_id, contract.into(), order.campaign, order.version, order.miner)
        .with_nonce(rand::random::<[u8; 32]>().into())
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
