//! `sonar campaign export`: everything about a campaign in one folder, which can be read without Sonar.

mod chart;
mod record;
mod report;
mod sheet;

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde_json::json;
use sonar_contracts::State;
use sonar_node::{
    account::Keystore,
    cli::{Ask, Code, Failure, Output, Report},
    discovery,
    files::{self, Access, FileError, FileExists},
};
use sonar_protocol::{
    delivery::{FinishedModel, Format},
    event::Record,
    manifest::Manifest,
    view::{CampaignView, World},
};
use zeroize::Zeroizing;

use super::{Context, label, result::account};
use crate::scientist::{
    delivered,
    draft::LaunchDrafts,
    find,
    hub::HubClient,
    identity,
    result::{embedding_of, manifest_of},
    token,
};
use record::CampaignRecord;

/// Write everything about a campaign to one folder, with a report for browsers.
///
/// The folder has `campaign.json`, `submissions.csv`, `series.csv`, `events.ndjson`, `report.html`, and the model in every
/// format if it is delivered and the campaign is yours. All of it can be read without Sonar.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  sonar campaign export 0x3fa4\n  sonar campaign export 0x3fa4 --to archive/tumours --no-model"
)]
pub struct Export {
    /// Campaign id, or its first digits
    id: String,
    /// Folder to write (default: `campaign-` and the first digits of the id)
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
    /// Leave the model out, so that no passphrase is needed
    #[arg(long)]
    no_model: bool,
    /// Overwrite files in the folder
    #[arg(long)]
    force: bool,
}

/// A file of the folder.
struct ExportFile {
    name: String,
    bytes: Zeroizing<Vec<u8>>,
    access: Access,
    /// What it has, for `README.txt`.
    about: &'static str,
}

impl ExportFile {
    fn public(name: &str, bytes: Vec<u8>, about: &'static str) -> Self {
        Self { name: name.into(), bytes: Zeroizing::new(bytes), access: Access::Public, about }
    }
}

impl Export {
    pub async fn run(self, context: &Context, output: &Output) -> Result<Report, Failure> {
        if let Some(folder) = &self.to {
            check_folder(folder, self.force)?;
        }
        let client = context.reader().await?;
        output.progress("Reading the chain…");
        let mut reader = discovery::reader(&context.config, client.clone(), &context.home);
        let batch = reader.look_now().await?;
        let id = find(reader.world(), &self.id)?.id;
        let mut events = reader.events_before_start(id).await?;
        events.extend(batch.records.into_iter().filter(|record| record.event.campaign() == Some(id)));
        let world = reader.world();
        let view = find(world, &self.id)?;
        let folder = self.to.clone().unwrap_or_else(|| format!("campaign-{}", &view.id.short()[2..]).into());
        check_folder(&folder, self.force)?;
        let token = token(&client, view.terms.token).await?;

        let hub = HubClient::connect(&context.workspace(), output).await?;
        let mut notes = Vec::new();
        let manifest = match self::manifest(context, &hub, view).await {
            Ok(manifest) => Some(manifest),
            Err(failure) => {
                notes.push(format!("The manifest is missing: {}.", failure.message));
                None
            }
        };
        let models = match &manifest {
            Some(manifest) => self.models(context, output, &hub, (world, view), manifest, &mut notes).await?,
            None => Vec::new(),
        };
        hub.close().await;

        let record = CampaignRecord::new(view, world, manifest.as_ref(), &token, *client.deployment());
        let mut files = public_files(&record, &events)?;
        files.extend(models);
        let readme = readme(&record, &files, &notes);
        files.push(ExportFile::public("README.txt", readme.into_bytes(), "this text"));
        notes.iter().for_each(|note| output.warn(note));
        write(&folder, &files)?;
        let names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
        let human = format!(
            "wrote {} files to {}\nopen {} in a browser",
            names.len(),
            folder.display(),
            folder.join("report.html").display()
        );
        Report::new(
            &json!({"id": id, "folder": folder, "files": names, "block": world.head.number, "notes": notes}),
            human,
        )
    }

    /// The model in every format, or a note that says why it is missing.
    async fn models(
        &self,
        context: &Context,
        output: &Output,
        hub: &HubClient,
        (world, view): (&World, &CampaignView),
        manifest: &Manifest,
        notes: &mut Vec<String>,
    ) -> Result<Vec<ExportFile>, Failure> {
        let mut missing = |why: &str| {
            notes.push(format!("The model is missing: {why}."));
            Ok(Vec::new())
        };
        if self.no_model {
            return missing("it was left out with --no-model");
        }
        if view.result.is_none() {
            return missing("it is not delivered");
        }
        let draft = LaunchDrafts::new(&context.home).find(view.id);
        let Ok(name) = account(context, draft.as_ref()) else {
            return missing("only its owner can decrypt it, and no account of this home is chosen");
        };
        let accounts = Keystore::new(&context.home).list()?;
        let is_owner = accounts.iter().any(|account| account.name == name && account.address == view.terms.owner);
        if !is_owner || !identity::path(&context.home, &name).exists() {
            return missing("only its owner can decrypt it");
        }
        let passphrase = context.passphrase(&name, Ask::Existing).map_err(|failure| {
            failure.help("give the account's passphrase for the model, or leave the model out with --no-model")
        })?;
        let identity = identity::open(&context.home, &name, &passphrase)?;
        output.progress("Fetching and decrypting the model…");
        let signed = match delivered::open(hub, world, view, manifest, &identity).await {
            Ok(signed) => signed,
            Err(failure) => return missing(&failure.message),
        };
        let embedding = embedding_of(hub, manifest).await?;
        let finished = match FinishedModel::new(manifest, &signed, view.id, view.best_ppm) {
            Ok(finished) => finished,
            Err(error) => return missing(&error.to_string()),
        };
        let mut files = Vec::new();
        for format in Format::ALL {
            let bytes = match format {
                // Exactly the bytes that the Capsule signed.
                Format::Safetensors => Ok(signed.to_vec()),
                other => finished.encode(other, &embedding),
            };
            match bytes {
                Ok(bytes) => files.push(ExportFile {
                    name: format!("model.{}", format.extension()),
                    bytes: Zeroizing::new(bytes),
                    access: Access::Private,
                    about: about(format),
                }),
                Err(error) => notes.push(format!("model.{} is missing: {error}.", format.extension())),
            }
        }
        Ok(files)
    }
}

/// Fetches the manifest, without waiting for one that the hub no longer keeps: that of a campaign that ended without a
/// model.
async fn manifest(context: &Context, hub: &HubClient, view: &CampaignView) -> Result<Manifest, Failure> {
    let is_kept = matches!(view.state, State::Proposed | State::Open) || label::of(context, view.id).await.is_some();
    if !is_kept {
        return Err(Failure::new(Code::ArtefactNotFound, "Sonar does not keep it any more"));
    }
    manifest_of(hub, view).await
}

const fn about(format: Format) -> &'static str {
    match format {
        Format::Safetensors => "the model as the Capsule signed it, with metadata",
        Format::Onnx => "the model as a graph from raw columns to answers, for ONNX Runtime",
        Format::Npz => "the model as NumPy arrays, with every constant",
    }
}

/// The files that need no secret.
fn public_files(record: &CampaignRecord<'_>, events: &[Record]) -> Result<Vec<ExportFile>, Failure> {
    let mut lines = Vec::new();
    for Record { event, at } in events {
        serde_json::to_writer(&mut lines, &json!({"event": event, "at": at})).map_err(Failure::internal)?;
        lines.push(b'\n');
    }
    Ok(vec![
        ExportFile::public("report.html", report::page(record).into_bytes(), "a report to open in a browser"),
        ExportFile::public(
            "campaign.json",
            record.document().map_err(Failure::internal)?,
            "state, terms, manifest, privacy statement, money, windows, leaderboard",
        ),
        ExportFile::public("submissions.csv", record.submissions(), "one row a submission, with verdict and pay"),
        ExportFile::public("series.csv", record.series(), "best accuracy and spend after each submission"),
        ExportFile::public("events.ndjson", lines, "the contract's events of the campaign, one JSON document a line"),
    ])
}

fn readme(record: &CampaignRecord<'_>, files: &[ExportFile], notes: &[String]) -> String {
    let width = files.iter().map(|file| file.name.len()).max().unwrap_or_default();
    let list: String = files.iter().map(|file| format!("  {:width$}  {}\n", file.name, file.about)).collect();
    let notes: String = notes.iter().map(|note| format!("{note}\n")).collect();
    let text = format!(
        "{}\nCampaign {} on chain {}, contract {}, at block {} ({}).\n\n{list}\n{notes}\nAmounts are exact: in CSV in whole tokens \
         with the token in a column, in campaign.json as strings. Accuracies are in parts per million (ppm). Times are UTC.\n",
        record.title(),
        record.view.id,
        record.deployment.chain_id,
        record.deployment.campaigns.to_checksum(None),
        record.head.number,
        record.head.now,
    );
    sonar_protocol::text::escape(&text).into_owned()
}

/// Checks that writing to a folder loses nothing.
fn check_folder(folder: &Path, force: bool) -> Result<(), Failure> {
    let is_free = match fs::read_dir(folder) {
        Ok(mut entries) => force || entries.next().is_none(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => true,
        Err(error) => return Err(FileError::new("list", folder)(error).into()),
    };
    if is_free {
        return Ok(());
    }
    let failure = Failure::new(Code::FileExists, FileExists(folder.to_owned()));
    Err(failure.help("choose another folder with --to, or pass --force to overwrite its files"))
}

/// Writes a new folder in one step. In a folder that exists each file is replaced in one step; models of an earlier export
/// that are not written again are removed, because they would belong to nothing.
fn write(folder: &Path, files: &[ExportFile]) -> Result<(), Failure> {
    // The folder `.` has no name, so that nothing can be renamed to it.
    let is_new =
        folder.file_name().is_some() && fs::read_dir(folder).map_or(true, |mut entries| entries.next().is_none());
    if !is_new {
        write_files(folder, files)?;
        let stale = Format::ALL.map(|format| format!("model.{}", format.extension()));
        for name in stale.iter().filter(|name| files.iter().all(|file| file.name != **name)) {
            match fs::remove_file(folder.join(name)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(FileError::new("remove", &folder.join(name))(error).into());
                }
                _ => {}
            }
        }
        return Ok(());
    }
    let staged = folder.with_extension(format!("{}{}", std::process::id(), files::TEMPORARY));
    let moved = fs::create_dir_all(&staged)
        .map_err(FileError::new("create", &staged))
        .map_err(Failure::from)
        .and_then(|()| write_files(&staged, files))
        // An empty folder is replaced.
        .and_then(|()| Ok(fs::rename(&staged, folder).map_err(FileError::new("create", folder))?));
    if moved.is_err() {
        // The first error matters more.
        let _ = fs::remove_dir_all(&staged);
    }
    moved
}

fn write_files(folder: &Path, files: &[ExportFile]) -> Result<(), Failure> {
    for file in files {
        files::write_atomic(&folder.join(&file.name), &file.bytes, file.access)?;
    }
    Ok(())
}
