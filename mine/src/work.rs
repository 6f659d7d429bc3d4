//! The heavy part: from data and the published model to a sealed update. Nothing here waits or talks.

use std::{sync::Arc, time::Instant};

use alloy::primitives::Address;
use sonar_protocol::{
    backbone::Embedding,
    envelope::{self, Header},
    families::{FamilyError, OpenedModel, TrainingTask},
    ids::{CampaignId, Version},
    manifest::Manifest,
    pgp::Certificate,
    units::Timestamp,
};
use syft::Binding;

use crate::{
    outbox::Record,
    privacy::Budget,
    repository::{self, RepositoryError},
    store::{SecretStore, SecretStoreError},
    training::{Held, Watch},
};

/// One update to make.
#[derive(Debug)]
pub struct Order {
    /// The campaign.
    pub campaign: CampaignId,
    /// The version.
    pub version: Version,
    /// This Mine's account.
    pub miner: Address,
    /// What the campaign is about.
    pub manifest: Arc<Manifest>,
    /// What the Capsule published.
    pub kit: Arc<Kit>,
    /// What the update may tell about the data; all if `None`.
    pub budget: Option<Budget>,
    /// Whether anybody still wants it.
    pub leash: Held,
    /// The time.
    pub now: Timestamp,
}

/// What the Capsule published for a version.
#[derive(Debug)]
pub struct Kit {
    /// What raw columns go through before anything else.
    pub embedding: Arc<Embedding>,
    /// The model, with all that training it takes.
    pub model: Box<dyn OpenedModel>,
    /// What the update is bound to.
    pub binding: Binding,
    /// The size of all.
    pub bytes: usize,
    /// The certificate that updates are sealed to.
    pub capsule: Certificate,
}

/// Why no update could be made.
#[derive(Debug, thiserror::Error)]
pub enum WorkError {
    /// The data cannot be had.
    #[error(transparent)]
    Repository(#[from] RepositoryError),
    /// No data set fits (any more).
    #[error("no data set fits")]
    NoData,
    /// The data do not go with the backbone, or with the campaign's task.
    #[error(transparent)]
    Data(#[from] syft::DataError),
    /// Training or encryption failed, or the update's noise would drown it.
    #[error(transparent)]
    Family(#[from] FamilyError),
    /// A checkpoint cannot be read or written.
    #[error(transparent)]
    Store(#[from] SecretStoreError),
    /// The model changed before the update was made.
    #[error("the model changed before the update was made")]
    Outdated,
    /// Sealing failed.
    #[error(transparent)]
    Seal(#[from] sonar_protocol::pgp::PgpError),
}

/// Trains, encrypts or shortens, and seals. The result must be kept before it is sent.
///
/// # Errors
/// When the data do not fit any more, or the operating system has no randomness.
pub fn make(store: &dyn SecretStore, order: &Order) -> Result<(Record, Vec<u8>), WorkError> {
    let manifest = &order.manifest;
    let begin = Instant::now();
    let (data, examples) = repository::examples(store, &manifest.data)?;
    let examples = order.kit.embedding.apply(examples.ok_or(WorkError::NoData)?)?;
    let targets = manifest.targets(&examples)?;
    let cost = order.budget.map(|budget| budget.per_upload());
    let mut watch = Watch::new(store, order.campaign, order.version, &order.leash);
    let task =
        TrainingTask { examples: &examples, targets: &targets, cost, coins: &mut rand::rng(), watch: &mut watch };
    let update = order.kit.model.train(task);
    let trained = watch.trained_at();
    let update = update.map_err(|error| watch.explain(error))?;
    let envelope = envelope::seal_update(&header(order), &update, &order.kit.capsule)?;
    let record = Record {
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

fn header(order: &Order) -> Header {
    let Binding { chain_id, contract, .. } = order.kit.binding;
    Header::new(chain_id, contract.into(), order.campaign, order.version, order.miner)
        .with_nonce(rand::random::<[u8; 32]>().into())
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
