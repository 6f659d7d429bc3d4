//! `sonar campaign result`.

use std::path::{Path, PathBuf};

use serde_json::json;
use sonar_node::{
    account::{AccountName, Keystore},
    cli::{Ask, Code, Failure, Output, Report},
    files::{self, Access},
};
use sonar_protocol::{delivery, families::Format, manifest::Manifest, units::percent, view::CampaignView};
use syft::Ppm;

use super::Context;
use crate::scientist::{
    draft::{FoundDraft, LaunchDrafts},
    find,
    hub::HubClient,
    identity,
    result::{FetchedResult, NamedFile, SealedModel, delivered, validation_set},
};

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
        delivered(view)?;
        let draft = LaunchDrafts::new(&context.home).find(view.id);
        let name = account(context, draft.as_ref())?;
        let passphrase = context.passphrase(&name, Ask::Existing)?;
        let identity = identity::open(&context.home, &name, &passphrase)?;

        let hub = HubClient::connect(&context.workspace(), output).await?;
        let fetched = FetchedResult::fetch(&hub, &world, view, output).await?;
        if let (Some(path), Ok(message)) = (self.message_path(), &fetched.message) {
            self.check_overwrite(&path, message)?;
            files::write_atomic(&path, message, Access::Private)?;
        }
        let delivered = fetched.open(&identity);
        let given = self.validation.as_deref().map(NamedFile::read);
        let validation = match validation_set(given, draft.as_ref(), &fetched.manifest) {
            Ok(validation) => validation,
            // What cannot be measured is written anyway.
            Err(failure) => {
                self.write(&fetched, &delivered?)?;
                return Err(failure);
            }
        };
        let unlock = || Ok(Keystore::new(&context.home).unlock(&name, &passphrase)?);
        let sealed = SealedModel { client: &client, hub: &hub, account: &unlock };
        let model = fetched.measure(delivered, &validation, sealed, output).await?;
        hub.close().await;
        let written = self.write(&fetched, &model.file)?;
        self.report(view, model.accuracy, &fetched.manifest, &written)
    }

    /// Writes the model in every format.
    fn write(&self, fetched: &FetchedResult<'_>, signed: &[u8]) -> Result<Vec<PathBuf>, Failure> {
        let paths = delivery::paths(&self.out, &self.format);
        // All files or none.
        let formats: Vec<Format> = paths.keys().copied().collect();
        let files = fetched.encode(signed, &formats)?;
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

/// The account named by `--account`, or the one that launched the campaign.
pub(super) fn account(context: &Context, draft: Option<&FoundDraft>) -> Result<AccountName, Failure> {
    match (&context.place.account, draft) {
        (None, Some(found)) => Ok(found.draft.account.parse::<AccountName>()?),
        _ => context.account(),
    }
}
