//! The steps behind the planner's actions: each fetches, computes or sends something, and may be repeated.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use alloy::primitives::Address;
use sonar_contracts::Terms;
use sonar_node::{
    chain,
    ipfs::IpfsError,
    jobs::{JobDriver, JobError, Patience, Step},
    vault::SecretStore,
};
use sonar_protocol::{
    backbone::Embedding,
    event::Event,
    handover::Published,
    ids::{CampaignId, Digest, Version},
    limits,
    manifest::Manifest,
    pgp::{CampaignCertificate, Certificate, PgpError},
    terms::CampaignTerms,
    units::Timestamp,
    view::{CampaignView, World},
};
use syft::Binding;
use tokio::task::JoinError;

use super::{Pinned, Setup, state::CampaignState};
use crate::{
    outbox::{self, Outbox, OutboxError},
    planner::{Action, CampaignArtefact},
    policy::Policy,
    reasons::{ManifestProblem, MaterialProblem, Trouble},
    repository::{self, Fit, RepositoryError},
    work::{self, Kit, Order, UpdateFailure},
};

/// Time limit for one artefact from IPFS.
const FETCH_TIMEOUT: Duration = Duration::from_secs(60);
/// Time limit for an artefact with everything that belongs to it, and for reading the data sets that it is compared
/// with.
const FETCH_LIMIT: Duration = Duration::from_secs(600);
/// Time limit for a submission to be mined, including the replacement of stuck transactions.
const SEND_LIMIT: Duration = Duration::from_secs(3_600);
/// Maximum number of concurrent steps, over all campaigns.
const SLOTS: usize = 16;
/// Maximum number of concurrent trainings: one uses all cores and most of the memory.
const TRAININGS: usize = 1;
const PATIENCE: Patience = Patience {
    first_pause: Duration::from_millis(250),
    longest_pause: Duration::from_secs(60),
    // Shorter than the time after which supervisors kill a process.
    grace: Duration::from_secs(3),
};

/// The result of a step.
pub(super) enum StepResult {
    Manifest(Result<Arc<Manifest>, ManifestProblem>, Vec<Fit>),
    Material(Version, Result<Arc<Kit>, MaterialProblem>),
    Update(Version),
    /// The model changed before an update was made.
    Outdated,
    Submission,
}

/// A failure of a step; a retry may succeed.
#[derive(Debug, thiserror::Error)]
pub(super) enum StepError {
    #[error(transparent)]
    Ipfs(#[from] IpfsError),
    #[error(transparent)]
    Chain(#[from] chain::Error),
    #[error(transparent)]
    Work(#[from] UpdateFailure),
    #[error(transparent)]
    Outbox(#[from] OutboxError),
    #[error(transparent)]
    Repository(#[from] RepositoryError),
    #[error("the work was interrupted: {0}")]
    Join(#[from] JoinError),
    #[error("the Capsule {0} has published no certificate")]
    NoCertificate(Address),
}

/// Converts a failure for the journal.
pub(super) fn trouble(error: JobError<StepError>) -> Trouble {
    let error = match error {
        JobError::Failed(error) => error,
        JobError::TimedOut { step, limit } => {
            return Trouble::TimedOut { step: step.into(), seconds: limit.as_secs() };
        }
        JobError::Panicked { step } => return Trouble::Panicked { step: step.into() },
        JobError::HandedBack { step } => return Trouble::Stopped { step: step.into() },
    };
    let detail = error.to_string();
    match error {
        StepError::Ipfs(_) => Trouble::Ipfs { detail },
        StepError::Chain(_) => Trouble::Chain { detail },
        StepError::Work(_) | StepError::Join(_) => Trouble::Training { detail },
        StepError::Outbox(_) => Trouble::Outbox { detail },
        StepError::Repository(_) => Trouble::Data { detail },
        StepError::NoCertificate(capsule) => Trouble::NoCertificate { capsule },
    }
}

/// A step for another version of the model is different work.
pub(super) type StepKey = (Version, &'static str);
/// The Mine's job driver.
pub(super) type Jobs = JobDriver<CampaignId, StepKey, StepResult, StepError>;
type Job = Pinned<'static, Result<StepResult, StepError>>;

pub(super) fn driver() -> Jobs {
    Jobs::new(SLOTS, PATIENCE)
}

/// The step behind an action, if any, with its time limit. A training may run until the campaign's deadline.
pub(super) fn step(campaign: &CampaignView, action: &Action, now: Timestamp) -> Option<Step> {
    Some(match action {
        Action::Fetch(CampaignArtefact::Manifest) => Step::new("fetch_manifest", FETCH_LIMIT),
        Action::Fetch(CampaignArtefact::Material) => Step::new("fetch_material", FETCH_LIMIT),
        Action::Train => {
            let left = campaign.terms.deadline().since(now);
            Step::new("train", Duration::from_secs(left)).at_most(TRAININGS)
        }
        Action::Send => Step::new("send", SEND_LIMIT),
        Action::Skip(_) | Action::Wait(_) => return None,
    })
}

/// Services that all jobs share.
#[derive(Clone)]
pub(super) struct Workshop {
    pub setup: Arc<Setup>,
    pub store: Arc<dyn SecretStore>,
    pub outbox: Arc<Mutex<Outbox>>,
}

impl Workshop {
    /// The work behind an action, if any.
    pub fn job(
        &self,
        world: &World,
        campaign: &CampaignView,
        state: &CampaignState,
        policy: &Policy,
        action: &Action,
    ) -> Option<Job> {
        let shop = self.clone();
        let (id, version) = (campaign.id, campaign.version());
        Some(match action {
            Action::Fetch(CampaignArtefact::Manifest) => Box::pin(fetch_manifest(shop, campaign.terms.clone())),
            Action::Fetch(CampaignArtefact::Material) => {
                let request = MaterialRequest::new(&self.setup, world, campaign)?;
                Box::pin(fetch_kit(shop, state.manifest.clone()?, state.embedding.clone(), request))
            }
            Action::Train => {
                let order = Order {
                    campaign: id,
                    version,
                    miner: self.setup.me,
                    manifest: state.manifest.clone()?,
                    kit: state.kit.clone()?,
                    budget: policy.privacy,
                    signal: state.training.signal(),
                    now: world.head.now,
                };
                Box::pin(make(shop, order))
            }
            Action::Send => Box::pin(send(shop, id, version)),
            Action::Skip(_) | Action::Wait(_) => return None,
        })
    }
}

pub(super) fn lock(outbox: &Mutex<Outbox>) -> std::sync::MutexGuard<'_, Outbox> {
    outbox.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn fetch_manifest(shop: Workshop, terms: CampaignTerms) -> Result<StepResult, StepError> {
    let digest = Digest(terms.manifest.0);
    let bytes = shop.setup.node.get(digest, limits::MANIFEST, FETCH_TIMEOUT).await;
    let bytes = match bytes {
        Err(IpfsError::TooLarge { .. }) => {
            return Ok(StepResult::Manifest(Err(ManifestProblem::TooLarge { limit: limits::MANIFEST }), Vec::new()));
        }
        other => other?,
    };
    let manifest = match check_manifest(&bytes, &terms) {
        Ok(manifest) => Arc::new(manifest),
        Err(why) => return Ok(StepResult::Manifest(Err(why), Vec::new())),
    };
    let schema = manifest.data.clone();
    let fits = tokio::task::spawn_blocking(move || repository::fits(&*shop.store, &schema)).await??;
    Ok(StepResult::Manifest(Ok(manifest), fits))
}

fn check_manifest(bytes: &[u8], terms: &Terms) -> Result<Manifest, ManifestProblem> {
    let manifest = Manifest::decode(bytes).map_err(|error| ManifestProblem::Invalid { detail: error.to_string() })?;
    manifest.matches(terms).map_err(|error| ManifestProblem::OtherTerms { detail: error.to_string() })?;
    Ok(manifest)
}

/// The artefacts of a version, as named on chain.
struct MaterialRequest {
    version: Version,
    published: Published,
    campaign: CampaignId,
    /// The certificate that updates are sealed to.
    certificate: Option<Digest>,
    /// The Capsule's certificate, which certifies it.
    capsule: Option<Digest>,
    operator: Address,
    /// Time of the launch, when the Capsule's key must be valid.
    opened_at: Timestamp,
    binding: Binding,
}

impl MaterialRequest {
    fn new(setup: &Setup, world: &World, campaign: &CampaignView) -> Option<Self> {
        let version = campaign.versions.last()?;
        let deployment = setup.client.deployment();
        let operator = campaign.terms.capsule;
        Some(Self {
            version: version.version,
            published: version.published,
            campaign: campaign.id,
            certificate: campaign.certificate,
            capsule: world.capsules.get(&operator).and_then(|capsule| capsule.certificate),
            operator,
            opened_at: campaign.opened.timestamp,
            binding: Binding {
                chain_id: deployment.chain_id,
                contract: deployment.campaigns.into(),
                campaign: *campaign.id.as_bytes(),
                version: version.version.0,
                beacon: version.beacon.0,
            },
        })
    }
}

/// Fetches the backbone of a campaign. Returns it with its size in bytes, or why it is unusable; the outer error can be
/// retried.
async fn fetch_embedding(
    shop: &Workshop,
    manifest: &Manifest,
) -> Result<Result<(Embedding, usize), MaterialProblem>, StepError> {
    let Some(backbone) = manifest.method.backbone() else { return Ok(Ok((Embedding::none(), 0))) };
    let limit = backbone.file_limit();
    Ok(match shop.setup.node.get(backbone.weights, limit, FETCH_TIMEOUT).await {
        Err(IpfsError::TooLarge { .. }) => Err(MaterialProblem::BackboneTooLarge { limit }),
        other => {
            let file = other?;
            let embedding =
                backbone.read(&file).map_err(|error| MaterialProblem::Backbone { detail: error.to_string() });
            embedding.map(|embedding| (embedding, file.len()))
        }
    })
}

async fn fetch_kit(
    shop: Workshop,
    manifest: Arc<Manifest>,
    embedding: Option<Arc<Embedding>>,
    request: MaterialRequest,
) -> Result<StepResult, StepError> {
    let missing = || StepError::NoCertificate(request.operator);
    let (certificate, capsule) = request.certificate.zip(request.capsule).ok_or_else(missing)?;
    let material = shop.setup.node.get(request.published.material, manifest.method.material_limit(), FETCH_TIMEOUT);
    let certificate = shop.setup.node.get(certificate, limits::CERTIFICATE, FETCH_TIMEOUT);
    let capsule = shop.setup.node.get(capsule, limits::CERTIFICATE, FETCH_TIMEOUT);
    let refused = |why| Ok(StepResult::Material(request.version, Err(why)));
    let (material, certificate, capsule) = match tokio::try_join!(material, certificate, capsule) {
        Err(IpfsError::TooLarge { .. }) => return refused(MaterialProblem::TooLarge),
        other => other?,
    };
    let (embedding, bytes) = match embedding {
        Some(embedding) => (embedding, 0),
        None => match fetch_embedding(&shop, &manifest).await? {
            Ok((embedding, bytes)) => (Arc::new(embedding), bytes),
            Err(why) => return refused(why),
        },
    };
    let fetched = FetchedKit { material, certificate, capsule };
    match open_kit(&fetched, &manifest, embedding, &request) {
        Ok(kit) => Ok(StepResult::Material(request.version, Ok(Arc::new(Kit { bytes: kit.bytes + bytes, ..kit })))),
        Err(why) => refused(why),
    }
}

/// The artefacts of a version as they were fetched.
struct FetchedKit {
    material: Vec<u8>,
    /// The campaign's certificate.
    certificate: Vec<u8>,
    /// The Capsule's certificate.
    capsule: Vec<u8>,
}

/// Refuses material that is not for exactly these parameters and this version, material that the Capsule did not commit
/// to, a Capsule that is not the manifest's, and a certificate that this Capsule did not certify for the campaign.
fn open_kit(
    FetchedKit { material, certificate, capsule }: &FetchedKit,
    manifest: &Manifest,
    embedding: Arc<Embedding>,
    request: &MaterialRequest,
) -> Result<Kit, MaterialProblem> {
    let unusable = |error: PgpError| MaterialProblem::Certificate { detail: error.to_string() };
    let bytes = material.len() + certificate.len() + capsule.len();
    let capsule = Certificate::decode_signer(capsule, request.opened_at).map_err(unusable)?;
    if capsule.fingerprint() != manifest.capsule {
        let (found, expected) = (capsule.fingerprint(), manifest.capsule);
        return Err(MaterialProblem::OtherCapsule { found, expected });
    }
    let certificate = CampaignCertificate::decode(certificate, request.campaign, &capsule, request.opened_at);
    let certificate = certificate.map_err(unusable)?;
    if !request.published.is_of(material) {
        return Err(MaterialProblem::Unbound);
    }
    if request.version == Version(1) && is_other_start(manifest, material) {
        return Err(MaterialProblem::OtherStart);
    }
    let model = manifest.method.open(material, &request.binding);
    let model = model.map_err(|error| MaterialProblem::Invalid { detail: error.to_string() })?;
    Ok(Kit { bytes, embedding, model, binding: request.binding, certificate })
}

/// Whether a public starting model is not the default one, which the manifest promises by naming no other. One of the
/// Capsule's choice could be built to single out a row.
fn is_other_start(manifest: &Manifest, material: &[u8]) -> bool {
    let start = manifest.method.default_start().filter(|_| manifest.commitments.initial.is_none());
    start.is_some_and(|start| start[..] != *material)
}

async fn make(shop: Workshop, order: Order) -> Result<StepResult, StepError> {
    let version = order.version;
    tokio::task::spawn_blocking(move || {
        let (record, envelope) = match work::make(&*shop.store, &order) {
            Err(UpdateFailure::Outdated) => return Ok(StepResult::Outdated),
            made => made?,
        };
        // From here on, this is the only update of its version.
        lock(&shop.outbox).keep(&*shop.store, &record, &envelope, order.budget.as_ref())?;
        Ok(StepResult::Update(version))
    })
    .await?
}

async fn send(shop: Workshop, id: CampaignId, version: Version) -> Result<StepResult, StepError> {
    let Workshop { setup, store, .. } = shop;
    let opened = tokio::task::spawn_blocking(move || outbox::open(&*store, id, version)).await?;
    let (_, envelope) = opened?;
    let content = setup.node.add(envelope).await?;
    if !is_on_chain(&setup, id, content).await? {
        let outcome = setup.client.submit(id, version, content).await?;
        tracing::info!(campaign = %id, %version, transaction = %outcome.hash, "submitted an update");
    }
    Ok(StepResult::Submission)
}

/// Whether the submission is mined but not yet confirmed.
async fn is_on_chain(setup: &Setup, id: CampaignId, content: Digest) -> Result<bool, StepError> {
    let head = setup.client.head().await?.number;
    let first = head.saturating_sub(setup.confirmations + 1);
    let records = setup.client.logs(first.max(setup.client.deployment().block), head).await?;
    Ok(records.iter().any(|record| {
        matches!(&record.event, Event::Submitted { id: campaign, miner, content: found, .. }
            if (*campaign, *miner, *found) == (id, setup.me, content))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_on_a_thread_of_its_own_is_a_failure_too() {
        let mut jobs = driver();
        let step = Step::new("train", FETCH_LIMIT);
        let work = (Version(1), step.name);
        jobs.start([1; 32].into(), work, step, async { tokio::task::spawn_blocking(|| panic!("a bug")).await? });
        let result = jobs.next().await.unwrap().result;
        assert!(matches!(result, Err(JobError::Failed(StepError::Join(error))) if error.is_panic()));
    }
}
