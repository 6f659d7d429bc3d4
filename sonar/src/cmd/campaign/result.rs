//! `sonar campaign result`.

use std::{
    borrow::Cow,
    path::{Path, PathBuf},
};

use alloy::signers::local::PrivateKeySigner;
use serde_json::json;
use sonar_node::{
    account::{AccountName, Keystore},
    chain::Client,
    cli::{Ask, Code, Failure, Output, Report},
    files::{self, Access},
};
use sonar_protocol::{
    audit,
    backbone::Embedding,
    bundle, data,
    delivery::{self, FinishedModel},
    families::{Format, TrialError},
    handover::AuditSecret,
    ids::Digest,
    limits,
    manifest::{Manifest, commitment},
    pgp::{self, Certificate},
    units::percent,
    view::{CampaignView, World},
};
use syft::{Examples, Ppm};
use zeroize::Zeroizing;

use super::{
    Context, document,
    draft::{LaunchDraft, LaunchDrafts},
    find,
    hub::HubClient,
};
use crate::cmd::identity;

/// Fetch the finished model, decrypt it, check its signature, and measure it again.
///
/// The model is written as safetensors, or in the formats that you ask for. If its accuracy on your validation set
/// differs, on the campaign's grid, from what the Capsule attested on chain, the command fails with exit code 9; the
/// model is written anyway. A second run writes the same files again. A file with other content is not overwritten.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  sonar campaign result 0x3fa4 --out model.safetensors\n  sonar campaign result 0x3fa4 --format onnx,npz"
)]
pub struct Fetch {
    /// Campaign id, or its first digits
    id: String,
    /// Write the model to this file; with other or several formats, the extension of each format replaces its extension
    #[arg(long, value_name = "FILE", default_value = "model.safetensors")]
    out: PathBuf,
    /// Formats to write; repeat it or separate them by commas
    #[arg(long, value_enum, value_delimiter = ',', default_value = "safetensors")]
    format: Vec<Format>,
    /// Keep the OpenPGP message next to the model, with the extension .pgp
    #[arg(long)]
    keep_message: bool,
    /// Keep the OpenPGP message in this file
    #[arg(long, value_name = "FILE", conflicts_with = "keep_message")]
    sealed: Option<PathBuf>,
    /// Validation set, if it has moved since the launch
    #[arg(long, value_name = "FILE")]
    validation: Option<PathBuf>,
    /// Overwrite files that exist
    #[arg(long)]
    force: bool,
}

impl Fetch {
    pub async fn run(self, context: &Context, output: &Output) -> Result<Report, Failure> {
        let client = context.reader().await?;
        let world = context.world(&client).await?;
        let view = find(&world, &self.id)?;
        let digest = delivered(view)?;
        let draft = LaunchDrafts::new(&context.home).find(view.id);
        let name = account(context, draft.as_ref())?;
        let passphrase = context.passphrase(&name, Ask::Existing)?;
        let identity = identity::open(context, &name, &passphrase)?;

        let hub = HubClient::connect(context, output).await?;
        output.progress("Fetching manifest, certificate and model…");
        let manifest = manifest_of(&hub, view).await?;
        let signer = signer_of(&hub, &world, view, &manifest).await?;
        let message = hub.fetch(digest, limits::RESULT).await;
        let embedding = embedding_of(&hub, &manifest).await?;
        if let (Some(path), Ok(message)) = (self.message_path(), &message) {
            self.check_overwrite(&path, message)?;
            files::write_atomic(&path, message, Access::Private)?;
        }
        let open = |message: Vec<u8>| {
            let model = pgp::open_verified(&message, &identity, &signer, limits::RESULT)?;
            delivery::check_campaign(&model, view.id).map_err(|error| Failure::new(Code::Model, error))?;
            Ok(model)
        };
        let delivered: Result<Zeroizing<Vec<u8>>, Failure> = message.and_then(open);

        let validation = match validation_set(self.validation.as_deref(), draft.as_ref(), &manifest) {
            Ok(validation) => validation,
            // What cannot be measured is written anyway.
            Err(failure) => {
                self.write(view, &manifest, &embedding, &delivered?)?;
                return Err(failure);
            }
        };
        output.progress("Measuring the model…");
        let examples = examples(&manifest, &embedding, &validation)?;
        let measured = delivered.and_then(|model| MeasuredModel::new(&manifest, &examples, model));
        let model = if measured.as_ref().is_ok_and(|model| model.is_as_attested(view, &manifest)) {
            measured?
        } else {
            let account = Keystore::new(&context.home).unlock(&name, &passphrase)?;
            let sealed = SealedModel { client: &client, hub: &hub, view, manifest: &manifest, account: &account };
            match sealed.read().await.and_then(|model| MeasuredModel::new(&manifest, &examples, model).ok()) {
                Some(model) => {
                    output.warn(
                        "the Capsule's delivery cannot be used, or is not as attested; this is the model of the last \
                         version, read with the seed that it handed over",
                    );
                    model
                }
                None => measured?,
            }
        };
        hub.close().await;
        let written = self.write(view, &manifest, &embedding, &model.file)?;
        self.report(view, model.accuracy, &manifest, &written)
    }

    /// Writes the model in every format. The safetensors file has exactly the signed bytes.
    fn write(
        &self,
        view: &CampaignView,
        manifest: &Manifest,
        embedding: &Embedding,
        signed: &[u8],
    ) -> Result<Vec<PathBuf>, Failure> {
        let finished = FinishedModel::new(manifest, signed, view.id, view.best_ppm);
        let finished = finished.map_err(|error| unusable(&error))?;
        let file = |format| match format {
            Format::Safetensors => Ok(Cow::Borrowed(signed)),
            other => finished.encode(other, embedding).map(Cow::Owned).map_err(|error| unusable(&error)),
        };
        let paths = delivery::paths(&self.out, &self.format);
        // All files or none.
        let files: Vec<_> = paths.keys().map(|format| file(*format)).collect::<Result<_, _>>()?;
        for (path, file) in paths.values().zip(&files) {
            self.check_overwrite(path, file)?;
        }
        for (path, file) in paths.values().zip(files) {
            files::write_atomic(path, &file, Access::Private)?;
        }
        Ok(paths.into_values().collect())
    }

    fn check_overwrite(&self, path: &Path, content: &[u8]) -> Result<(), Failure> {
        if self.force { Ok(()) } else { Ok(files::check_overwrite(path, content)?) }
    }

    fn message_path(&self) -> Option<PathBuf> {
        let beside = || self.keep_message.then(|| self.out.with_extension("pgp"));
        self.sealed.clone().or_else(beside)
    }

    fn report(
        &self,
        view: &CampaignView,
        measured: Ppm,
        manifest: &Manifest,
        written: &[PathBuf],
    ) -> Result<Report, Failure> {
        let names: Vec<String> = written.iter().map(|path| path.display().to_string()).collect();
        let names = names.join(", ");
        let on_grid = measured.floor_to_grid(manifest.accuracy.grid);
        if on_grid != view.best_ppm {
            return Err(Failure::new(
                Code::AccuracyNotAsAttested,
                format!(
                    "the model's accuracy is {}, which is {} on the grid; the Capsule attested {}",
                    percent(measured),
                    percent(on_grid),
                    percent(view.best_ppm)
                ),
            )
            .at(names));
        }
        let sealed = self.message_path();
        let data = json!({
            "id": view.id,
            "model": written.first(),
            "files": written,
            "sealed": sealed,
            "final_accuracy_ppm": measured,
            "attested_accuracy_ppm": view.best_ppm,
            "regime": manifest.method.regime(),
        });
        let human = format!(
            "model     {}\nregime    {}\naccuracy  {} on your validation set; attested on chain: {}\nsigned    by the Capsule {}",
            names,
            manifest.method.regime(),
            percent(measured),
            percent(view.best_ppm),
            manifest.capsule,
        );
        Report::new(&data, human)
    }
}

/// A model with its accuracy on the validation set.
struct MeasuredModel {
    file: Zeroizing<Vec<u8>>,
    accuracy: Ppm,
}

impl MeasuredModel {
    fn new(manifest: &Manifest, examples: &Examples, file: Zeroizing<Vec<u8>>) -> Result<Self, Failure> {
        let accuracy = measure(manifest, examples, &file)?;
        Ok(Self { file, accuracy })
    }

    fn is_as_attested(&self, view: &CampaignView, manifest: &Manifest) -> bool {
        self.accuracy.floor_to_grid(manifest.accuracy.grid) == view.best_ppm
    }
}

/// The last published version, which is the finished model under a seed that was handed over with the delivery. So a
/// delivery of garbage harms nobody.
struct SealedModel<'a> {
    client: &'a Client,
    hub: &'a HubClient,
    view: &'a CampaignView,
    manifest: &'a Manifest,
    account: &'a PrivateKeySigner,
}

impl SealedModel<'_> {
    /// The model in the form of a delivery; `None` if it cannot be read.
    async fn read(&self) -> Option<Zeroizing<Vec<u8>>> {
        let (version, handover) = self.view.versions.last().zip(self.view.handovers.last())?;
        let secret = AuditSecret::of(self.account, self.view.terms.salt);
        let seed = secret.open(&self.view.id, version.version, handover)?;
        let material = self.hub.fetch(version.published.material, self.manifest.method.material_limit()).await.ok()?;
        let deployment = self.client.deployment();
        let binding = audit::binding(self.view, version, deployment.chain_id, deployment.campaigns.into());
        let model = self.manifest.method.recompute(&material, Some(&seed), &binding).model?;
        let finished = FinishedModel::new(self.manifest, &model, self.view.id, self.view.best_ppm).ok()?;
        Some(Zeroizing::new(finished.safetensors().to_vec()))
    }
}

/// CID of the delivered model.
pub(super) fn delivered(view: &CampaignView) -> Result<Digest, Failure> {
    view.result.ok_or_else(|| {
        let message = format!("the campaign has no delivered model yet: it is {}", document::state(view));
        let over = view.closed.is_some() && view.state == sonar_contracts::State::Refunded;
        let code = if over { Code::NeverDelivered } else { Code::NotDelivered };
        Failure::new(code, message).help("`sonar campaign watch` waits for the delivery")
    })
}

/// The account named by `--account`, or the one that launched the campaign.
pub(super) fn account(context: &Context, draft: Option<&LaunchDraft>) -> Result<AccountName, Failure> {
    match (&context.place.account, draft) {
        (None, Some(draft)) => Ok(draft.account.parse::<AccountName>()?),
        _ => context.account(),
    }
}

pub(super) async fn manifest_of(hub: &HubClient, view: &CampaignView) -> Result<Manifest, Failure> {
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

/// Reads the validation set from `path`, or from its path at the launch, and checks that it is the one that the Capsule
/// measured on.
pub(super) fn validation_set(
    path: Option<&Path>,
    draft: Option<&LaunchDraft>,
    manifest: &Manifest,
) -> Result<Vec<u8>, Failure> {
    let path = path.or(draft.map(|draft| draft.validation.as_path())).ok_or_else(|| {
        Failure::new(
            Code::NoValidationSet,
            "the validation set is needed: the campaign was not launched from this home",
        )
        .help("pass it with --validation FILE")
    })?;
    let bytes = files::read_limited(path, limits::BUNDLE as u64)?;
    let same = draft.is_none_or(|draft| commitment(draft.salt.as_bytes(), &bytes) == manifest.commitments.validation);
    if same {
        return Ok(bytes);
    }
    Err(Failure::new(Code::OtherValidationSet, "this is not the validation set that the campaign was launched with")
        .at(path.display()))
}

/// The backbone that the manifest names, which transforms raw columns; `None` if it names no backbone.
pub(super) async fn embedding_of(hub: &HubClient, manifest: &Manifest) -> Result<Embedding, Failure> {
    let Some(backbone) = manifest.method.backbone() else { return Ok(Embedding::none()) };
    let file = hub.fetch(backbone.weights, backbone.file_limit()).await?;
    backbone.read(&file).map_err(|error| Failure::new(Code::Backbone, error))
}

/// The validation set in the form that the campaign's method reads.
pub(super) fn examples(manifest: &Manifest, embedding: &Embedding, validation: &[u8]) -> Result<Examples, Failure> {
    let limits = bundle::validation_limits();
    let table = data::read_csv_with(validation, &data::Header::FirstLine, &limits);
    let table = table.map_err(|error| refused_data(&error))?;
    let examples = manifest.data.fit(&table).map_err(|error| refused_data(&error))?;
    embedding.apply(examples).map_err(|error| refused_data(&error))
}

fn refused_data(error: &dyn std::error::Error) -> Failure {
    Failure::new(Code::ValidationData, error)
}

/// Measures the model in exactly the way of the Capsule.
fn measure(manifest: &Manifest, examples: &Examples, model: &[u8]) -> Result<Ppm, Failure> {
    let trial = manifest.trial(examples, Some(model)).map_err(|error| match &error {
        TrialError::Validation(_) => refused_data(&error),
        TrialError::File(_) => unusable(&error),
    })?;
    Ok(trial.accuracy())
}

fn unusable(error: &dyn std::error::Error) -> Failure {
    let message = format!("the delivered model cannot be read: {error}");
    Failure::new(Code::Model, message)
}
