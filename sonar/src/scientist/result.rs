//! The result of a campaign: the finished model, decrypted, its signature checked, and measured again.

use std::{borrow::Cow, fmt, path::Path};

use alloy::signers::local::PrivateKeySigner;
use sonar_node::{
    chain::Client,
    cli::{Code, Failure},
    files,
};
use sonar_protocol::{
    audit,
    backbone::Embedding,
    bundle, data,
    delivery::{self, FinishedModel},
    families::{Format, Trial, TrialError},
    handover::AuditSecret,
    ids::Digest,
    limits,
    manifest::{Manifest, commitment},
    pgp::{self, Certificate, Identity},
    view::{CampaignView, World},
};
use syft::{Examples, Ppm};
use zeroize::Zeroizing;

use super::{Progress, draft::FoundDraft, hub::HubClient, state};

/// A file that its owner has passed, with its name for messages.
pub struct NamedFile {
    pub name: String,
    pub bytes: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for NamedFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NamedFile({}, {} bytes)", self.name, self.bytes.len())
    }
}

impl NamedFile {
    /// Reads a file that may be as large as a bundle.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let bytes = Zeroizing::new(files::read_limited(path, limits::BUNDLE as u64)?);
        Ok(Self { name: path.display().to_string(), bytes })
    }
}

/// A delivered campaign, as fetched from Sonar's hub.
pub struct FetchedResult<'a> {
    view: &'a CampaignView,
    pub manifest: Manifest,
    /// The backbone that the manifest names, if it names one.
    pub embedding: Embedding,
    /// The sealed model, or why it is unavailable.
    pub message: Result<Vec<u8>, Failure>,
    signer: Certificate,
}

impl<'a> FetchedResult<'a> {
    /// Fetches manifest, certificate, model and backbone of a delivered campaign.
    pub async fn fetch(
        hub: &HubClient,
        world: &World,
        view: &'a CampaignView,
        progress: &dyn Progress,
    ) -> Result<Self, Failure> {
        let digest = delivered(view)?;
        progress.note(&"Fetching manifest, certificate and model…");
        let manifest = manifest_of(hub, view).await?;
        let signer = signer_of(hub, world, view, &manifest).await?;
        let message = hub.fetch(digest, limits::RESULT).await;
        let embedding = embedding_of(hub, &manifest).await?;
        Ok(Self { view, manifest, embedding, message, signer })
    }

    /// Decrypts the model, and checks that the Capsule signed it for this campaign.
    pub fn open(&self, identity: &Identity) -> Result<Zeroizing<Vec<u8>>, Failure> {
        let message = self.message.as_ref().map_err(Clone::clone)?;
        let model = pgp::open_verified(message, identity, &self.signer, limits::RESULT)?;
        delivery::check_campaign(&model, self.view.id).map_err(|error| Failure::new(Code::Model, error))?;
        Ok(model)
    }

    /// Measures the delivered model. If it cannot be used, or is not as attested, the model of the last version takes its place.
    pub async fn measure(
        &self,
        delivered: Result<Zeroizing<Vec<u8>>, Failure>,
        validation: &[u8],
        sealed: SealedModel<'_>,
        progress: &dyn Progress,
    ) -> Result<MeasuredModel, Failure> {
        progress.note(&"Measuring the model…");
        let examples = examples(&self.manifest, &self.embedding, validation)?;
        let measured = delivered.and_then(|model| MeasuredModel::new(&self.manifest, &examples, model));
        if measured.as_ref().is_ok_and(|model| model.is_as_attested(self.view, &self.manifest)) {
            return measured;
        }
        let last = sealed.read(self.view, &self.manifest).await?;
        match last.and_then(|model| MeasuredModel::new(&self.manifest, &examples, model).ok()) {
            Some(model) => {
                progress.warn(
                    &"the Capsule's delivery cannot be used, or is not as attested; this is the model of the last \
                      version, read with the seed that it handed over",
                );
                Ok(model)
            }
            None => measured,
        }
    }

    /// The model in these formats, in order: all or none. The safetensors file has exactly the signed bytes.
    pub fn encode<'m>(&self, signed: &'m [u8], formats: &[Format]) -> Result<Vec<Cow<'m, [u8]>>, Failure> {
        let finished = FinishedModel::new(&self.manifest, signed, self.view.id, self.view.best_ppm);
        let finished = finished.map_err(|error| unusable(&error))?;
        let file = |format: &Format| match format {
            Format::Safetensors => Ok(Cow::Borrowed(signed)),
            other => finished.encode(*other, &self.embedding).map(Cow::Owned).map_err(|error| unusable(&error)),
        };
        formats.iter().map(file).collect()
    }
}

/// A model with its accuracy on the validation set.
pub struct MeasuredModel {
    pub file: Zeroizing<Vec<u8>>,
    pub accuracy: Ppm,
    /// The model on the validation set.
    pub trial: Box<dyn Trial>,
}

impl MeasuredModel {
    fn new(manifest: &Manifest, examples: &Examples, file: Zeroizing<Vec<u8>>) -> Result<Self, Failure> {
        let trial = trial(manifest, examples, &file)?;
        Ok(Self { file, accuracy: trial.accuracy(), trial })
    }

    /// Whether the accuracy is the attested one, on the campaign's grid.
    pub fn is_as_attested(&self, view: &CampaignView, manifest: &Manifest) -> bool {
        self.accuracy.floor_to_grid(manifest.accuracy.grid) == view.best_ppm
    }
}

/// The last published version, which is the finished model under a seed that was handed over with the delivery. So a
/// delivery of garbage harms nobody.
#[derive(Clone, Copy)]
pub struct SealedModel<'a> {
    pub client: &'a Client,
    pub hub: &'a HubClient,
    /// Unlocks the owner's account, to which the seed is sealed.
    pub account: &'a dyn Fn() -> Result<PrivateKeySigner, Failure>,
}

impl SealedModel<'_> {
    /// The model in the form of a delivery; `None` if it cannot be read.
    async fn read(&self, view: &CampaignView, manifest: &Manifest) -> Result<Option<Zeroizing<Vec<u8>>>, Failure> {
        let account = (self.account)()?;
        Ok(self.open(&account, view, manifest).await)
    }

    async fn open(
        &self,
        account: &PrivateKeySigner,
        view: &CampaignView,
        manifest: &Manifest,
    ) -> Option<Zeroizing<Vec<u8>>> {
        let (version, handover) = view.versions.last().zip(view.handovers.last())?;
        let secret = AuditSecret::of(account, view.terms.salt);
        let seed = secret.open(&view.id, version.version, handover)?;
        let material = self.hub.fetch(version.published.material, manifest.method.material_limit()).await.ok()?;
        let deployment = self.client.deployment();
        let binding = audit::binding(view, version, deployment.chain_id, deployment.campaigns.into());
        let model = manifest.method.recompute(&material, Some(&seed), &binding).model?;
        let finished = FinishedModel::new(manifest, &model, view.id, view.best_ppm).ok()?;
        Some(Zeroizing::new(finished.safetensors().to_vec()))
    }
}

/// CID of the delivered model.
pub fn delivered(view: &CampaignView) -> Result<Digest, Failure> {
    view.result.ok_or_else(|| {
        let message = format!("the campaign has no delivered model yet: it is {}", state(view));
        let over = view.closed.is_some() && view.state == sonar_contracts::State::Refunded;
        let code = if over { Code::NeverDelivered } else { Code::NotDelivered };
        Failure::new(code, message).help("`sonar campaign watch` waits for the delivery")
    })
}

/// Fetches the manifest of a campaign, and compares it with the terms.
pub async fn manifest_of(hub: &HubClient, view: &CampaignView) -> Result<Manifest, Failure> {
    let digest = Digest::from(view.terms.manifest);
    let bytes = hub.fetch(digest, limits::MANIFEST).await?;
    let refused = |error: &dyn std::error::Error| Failure::new(Code::Manifest, error);
    let manifest = Manifest::decode(&bytes).map_err(|error| refused(&error))?;
    manifest.matches(&view.terms).map_err(|error| refused(&error))?;
    Ok(manifest)
}

/// Fetches the certificate of the Capsule that the manifest names.
pub(super) async fn signer_of(
    hub: &HubClient,
    world: &World,
    view: &CampaignView,
    manifest: &Manifest,
) -> Result<Certificate, Failure> {
    let refused = |message: &str| Failure::new(Code::CapsuleCertificate, message);
    let capsule = world.capsules.get(&view.terms.capsule);
    let digest = capsule
        .and_then(|capsule| capsule.certificate)
        .ok_or_else(|| refused("the Capsule has registered no certificate"))?;
    let bytes = hub.fetch(digest, limits::CERTIFICATE).await?;
    let certificate = Certificate::decode_signer(&bytes, view.opened.timestamp)?;
    if certificate.fingerprint() == manifest.capsule {
        Ok(certificate)
    } else {
        Err(refused("the Capsule's certificate is not the one that the manifest names"))
    }
}

/// The validation set that was passed, or the one at its path at the launch, if it is the one that the Capsule measured on.
pub fn validation_set(
    given: Option<Result<NamedFile, Failure>>,
    draft: Option<&FoundDraft>,
    manifest: &Manifest,
) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let found = given.or_else(|| draft.map(|found| NamedFile::read(&found.validation())));
    let file = found.ok_or_else(|| {
        Failure::new(
            Code::NoValidationSet,
            "the validation set is needed: the campaign was not launched from this home",
        )
        .help("pass it with --validation FILE")
    })??;
    let committed = manifest.commitments.validation;
    let same = draft.is_none_or(|found| commitment(found.draft.salt.as_bytes(), &file.bytes) == committed);
    if same {
        return Ok(file.bytes);
    }
    Err(Failure::new(Code::OtherValidationSet, "this is not the validation set that the campaign was launched with")
        .at(file.name))
}

/// The backbone that the manifest names, which transforms raw columns; `None` if it names no backbone.
pub async fn embedding_of(hub: &HubClient, manifest: &Manifest) -> Result<Embedding, Failure> {
    let Some(backbone) = manifest.method.backbone() else { return Ok(Embedding::none()) };
    let file = hub.fetch(backbone.weights, backbone.file_limit()).await?;
    backbone.read(&file).map_err(|error| Failure::new(Code::Backbone, error))
}

/// The validation set in the form that the campaign's method reads.
pub fn examples(manifest: &Manifest, embedding: &Embedding, validation: &[u8]) -> Result<Examples, Failure> {
    let limits = bundle::validation_limits();
    let table = data::read_csv_with(validation, &data::Header::FirstLine, &limits);
    let table = table.map_err(|error| refused_data(&error))?;
    let examples = manifest.data.fit(&table).map_err(|error| refused_data(&error))?;
    embedding.apply(examples).map_err(|error| refused_data(&error))
}

fn refused_data(error: &dyn std::error::Error) -> Failure {
    Failure::new(Code::ValidationData, error)
}

/// Prepares the measurement of the model in exactly the way of the Capsule.
fn trial(manifest: &Manifest, examples: &Examples, model: &[u8]) -> Result<Box<dyn Trial>, Failure> {
    manifest.trial(examples, Some(model)).map_err(|error| match &error {
        TrialError::Validation(_) => refused_data(&error),
        TrialError::File(_) => unusable(&error),
    })
}

fn unusable(error: &dyn std::error::Error) -> Failure {
    let message = format!("the delivered model cannot be read: {error}");
    Failure::new(Code::Model, message)
}
