//! The heavy part: from data and the published model to a sealed update. Nothing here waits or talks.

use std::{sync::Arc, time::Instant};

use alloy::primitives::Address;
use rand::{SeedableRng as _, rngs::StdRng};
use sha2::{Digest as _, Sha256};
use sonar_protocol::{
    backbone::Embedding,
    envelope::{self, Header},
    ids::{CampaignId, Version},
    manifest::Manifest,
    method::{Clear, FileError, Linear, Method},
    pgp::Certificate,
};
use syft::{Binding, Examples, Material, Targets, privacy::Zcdp};
use syft_nets::{Model, Update};

use crate::{
    outbox::Record,
    privacy::Budget,
    repository::{self, RepositoryError},
    store::Store,
    training::{BETWEEN_CHECKPOINTS, Held, Task, TrainingError},
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
    /// Unix time.
    pub now: u64,
}

/// What the Capsule published for a version.
#[derive(Debug)]
pub struct Kit {
    /// What raw columns go through before anything else.
    pub embedding: Arc<Embedding>,
    /// The model.
    pub opened: Opened,
    /// What the update is bound to.
    pub binding: Binding,
    /// The size of all.
    pub bytes: usize,
    /// The certificate that updates are sealed to.
    pub capsule: Certificate,
}

/// The model of a version, with all that training it takes.
#[derive(Debug)]
pub enum Opened {
    /// Encrypted, with the public key.
    Encrypted(Box<Linear>, Material),
    /// In the clear, with the hash of its file.
    Clear(Clear, Model, [u8; 32]),
}

/// A published model that is not what it should be.
#[derive(Debug, thiserror::Error)]
pub enum OpenedError {
    /// Not an encrypted model of these parameters and this version.
    #[error(transparent)]
    Material(#[from] syft::WireError),
    /// Not a model of this network.
    #[error(transparent)]
    File(#[from] FileError),
}

impl Opened {
    /// Reads what the Capsule published, untrusted.
    ///
    /// # Errors
    /// When it is not for exactly this campaign and version.
    pub fn read(bytes: &[u8], method: &Method, binding: &Binding) -> Result<Self, OpenedError> {
        Ok(match method {
            Method::Encrypted(linear) => {
                Self::Encrypted(Box::new(linear.clone()), Material::decode(bytes, &linear.parameters, binding)?)
            }
            Method::Clear(clear) => Self::Clear(clear.clone(), clear.read(bytes)?, Sha256::digest(bytes).into()),
        })
    }
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
    /// Training a network failed, or nobody wants its result any more.
    #[error(transparent)]
    Training(#[from] TrainingError),
    /// A network's update cannot be made: most of all, because its noise would drown it.
    #[error(transparent)]
    Update(#[from] syft_nets::UpdateError),
    /// Encryption failed.
    #[error(transparent)]
    Encrypt(#[from] syft::EncryptError),
    /// Sealing failed.
    #[error(transparent)]
    Seal(#[from] sonar_protocol::pgp::PgpError),
}

/// Trains, encrypts or shortens, and seals. The result must be kept before it is sent.
///
/// # Errors
/// When the data do not fit any more, or the operating system has no randomness.
pub fn make(store: &dyn Store, order: &Order) -> Result<(Record, Vec<u8>), WorkError> {
    let manifest = &order.manifest;
    let begin = Instant::now();
    let (data, examples) = repository::examples(store, &manifest.data)?;
    let examples = order.kit.embedding.apply(examples.ok_or(WorkError::NoData)?)?;
    let targets = manifest.targets(&examples)?;
    let cost = order.budget.map(|budget| budget.per_upload());
    let (update, trained) = match &order.kit.opened {
        Opened::Encrypted(linear, material) => encrypted(linear, material, &examples, &targets, cost)?,
        Opened::Clear(clear, model, hash) => {
            let Order { campaign, version, leash, .. } = order;
            let task = Task {
                campaign: *campaign,
                version: *version,
                clear,
                model,
                hash: *hash,
                held: leash,
                every: BETWEEN_CHECKPOINTS,
            };
            clipped(store, &task, &examples, &targets, cost)?
        }
    };
    let envelope = envelope::seal_update(&header(order), &update, &order.kit.capsule)?;
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

/// An update of a linear model that nobody here can read, and when training was over.
fn encrypted(
    linear: &Linear,
    material: &Material,
    examples: &Examples,
    targets: &Targets,
    cost: Option<Zcdp>,
) -> Result<(Vec<u8>, Instant), WorkError> {
    let features = linear.features.apply(examples.features())?;
    let Linear { rule, labels, parameters, .. } = linear;
    let coins = &mut rand::rng();
    let update = match cost {
        Some(cost) => syft::train_private(&features, targets, rule, labels, parameters, cost, coins),
        None => syft::train(&features, targets, rule, labels, parameters, coins),
    }?;
    let trained = Instant::now();
    Ok((syft::encrypt_update(material, &update)?.encode(), trained))
}

/// An update of a network, shortened and with a budget noised, and when training was over.
fn clipped(
    store: &dyn Store,
    task: &Task<'_>,
    examples: &Examples,
    targets: &Targets,
    cost: Option<Zcdp>,
) -> Result<(Vec<u8>, Instant), WorkError> {
    let Clear { network, release, .. } = task.clear;
    if let Some(cost) = cost {
        // Nobody trains for hours to find that nothing can be told.
        release.bears(network, cost, examples.len())?;
    }
    let delta = task.run(store, examples, targets)?;
    let trained = Instant::now();
    let update = match cost {
        Some(cost) => Update::new(&delta, release, task.hash, Some(cost), examples.len(), &mut rand::rng()),
        // These coins only round, and hide nothing: what is made again after a crash is the same.
        None => Update::new(&delta, release, task.hash, None, examples.len(), &mut StdRng::from_seed(task.hash)),
    }?;
    Ok((update.encode(), trained))
}

fn header(order: &Order) -> Header {
    let Binding { chain_id, contract, .. } = order.kit.binding;
    Header::new(chain_id, contract.into(), order.campaign, order.version, order.miner)
        .with_nonce(rand::random::<[u8; 32]>().into())
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
