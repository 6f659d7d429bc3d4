//! `capsule backup` and `capsule restore`

use std::path::PathBuf;

use capsule::{backup, home::CapsuleHome};
use serde_json::json;
use sonar_node::cli::{Ask, Code, Failure, Report};

use super::Context;

/// Copy keys and vault into one file. Everything secret in it stays encrypted under the Capsule's passphrase.
#[derive(Debug, clap::Args)]
pub struct Backup {
    /// File to write
    file: PathBuf,
    /// Overwrite the file if it exists
    #[arg(long)]
    force: bool,
}

/// Restore a backup into a home that has no Capsule.
#[derive(Debug, clap::Args)]
pub struct Restore {
    /// File to read
    file: PathBuf,
}

impl Backup {
    pub async fn run(self, context: &Context) -> Result<Report, Failure> {
        // A backup that cannot be decrypted is useless.
        context.home.open(&context.passphrase(Ask::Existing)?)?;
        let _lock = context.home.lock().await?;
        let files = backup::write(&context.home, &self.file, self.force)?;
        let human = format!("{files} files in {}", self.file.display());
        Report::new(&json!({"file": self.file, "files": files}), human)
    }
}

impl Restore {
    pub fn run(self, context: &Context) -> Result<Report, Failure> {
        if context.home.is_complete() {
            let message = format!("the home {} has a Capsule already", context.home.path().display());
            return Err(Failure::new(Code::Exists, message).help("restore into another --home, or move this one away"));
        }
        let passphrase = context.passphrase(Ask::Existing)?;
        // Checked before anything is written to the home.
        let trial = CapsuleHome::new(context.home.path().join("restoring"));
        let tried = backup::read(&trial, &self.file).and_then(|_| trial.open(&passphrase).map(drop));
        let _ = std::fs::remove_dir_all(trial.path());
        tried?;
        let files = backup::read(&context.home, &self.file)?;
        let human = format!("{files} files restored to {}", context.home.path().display());
        Report::new(&json!({"home": context.home.path(), "files": files}), human)
    }
}
