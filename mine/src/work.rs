//! The heavy part: from data and the encrypted model to a sealed update. Nothing here waits or talks.

use std::{sync::Arc, time::Instant};

use alloy::primitives::Address;
use sonar::{
    envelope::{self, Header},
    ids::{CampaignId, Version},
    manifest::Manifest,
    pgp::Certificate,
};
use syft::{Binding, Material};

use crate::{
    outbox::Record,
    privacy::Budget,
    repository::{self, RepositoryError},
    store::Store,
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
    /// Unix time.
    pub now: u64,
}

/// What the Capsule published for a version.
#[derive(Debug)]
pub struct Kit {
    /// The encrypted model and the public key.
    pub material: Material,
    /// Its size.
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
    /// The data do not go with the campaign's public constants.
    #[error(transparent)]
    Data(#[from] syft::DataError),
    /// Training failed.
    #[error(transparent)]
    Train(#[from] syft::TrainError),
    /// Encryption failed.
    #[error(transparent)]
    Encrypt(#[from] syft::EncryptError),
    /// Sealing failed.
    #[error(transparent)]
    Seal(#[from] sonar::pgp::PgpError),
}

/// Trains, encrypts and seals. The result must be kept before it is sent.
///
/// # Errors
/// When the data do not fit any more, or the operating system has no randomness.
pub fn make(store: &dyn Store, order: &Order) -> Result<(Record, Vec<u8>), WorkError> {
    let manifest = &order.manifest;
    let begin = Instant::now();
    let (data, examples) = repository::examples(store, &manifest.data)?;
    let examples = examples.ok_or(WorkError::NoData)?;
    let (features, targets) = manifest.prepare(&examples)?;
    let parameters = order.kit.material.parameters();
    let (rule, labels) = (&manifest.rule, &manifest.labels);
    let cost = order.budget.map(|budget| budget.per_upload());
    let coins = &mut rand::rng();
    let update = match cost {
        Some(cost) => syft::train_private(&features, &targets, rule, labels, parameters, cost, coins),
        None => syft::train(&features, &targets, rule, labels, parameters, coins),
    }?;
    let trained = Instant::now();
    let encrypted = syft::encrypt_update(&order.kit.material, &update)?;
    let envelope = envelope::seal_update(&header(order), &encrypted.encode(), &order.kit.capsule)?;
    let record = Record {
        campaign: order.campaign,
        version: order.version,
        data: data.into_iter().map(String::from).collect(),
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
    let Binding { chain_id, contract, .. } = *order.kit.material.binding();
    Header::new(chain_id, contract.into(), order.campaign, order.version, order.miner)
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
