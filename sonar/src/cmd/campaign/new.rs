//! `sonar campaign new`: a campaign file for a validation set.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use serde_json::json;
use sonar_node::{
    cli::{Code, Failure, Output, Report},
    files::{self, Access},
};
use sonar_protocol::{
    campaign::template::{TaskKind, TemplateWishes},
    limits,
};

use crate::scientist::template;

/// Write a campaign file for a validation set.
///
/// Columns, types, ranges, classes, task and metric come from the data; everything that was guessed is printed. Bounty,
/// target and deadline are examples: edit the file, then launch it. Nothing is sent anywhere.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  sonar campaign new validation.csv --target diagnosis")]
pub struct New {
    /// The validation set: a CSV file with a header line
    validation: PathBuf,
    /// The column that the model predicts (default: one that is called like a target, else the last one)
    #[arg(long, value_name = "COLUMN")]
    target: Option<String>,
    /// What the model predicts (default: a class if the column has few different values)
    #[arg(long, value_enum, value_name = "TASK")]
    task: Option<TaskArg>,
    /// The campaign's name (default: that of the file)
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// The campaign file to write (default: beside the validation set, with the ending .toml)
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Overwrite the campaign file if it exists
    #[arg(long)]
    force: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum TaskArg {
    Classification,
    Regression,
}

impl From<TaskArg> for TaskKind {
    fn from(task: TaskArg) -> Self {
        match task {
            TaskArg::Classification => Self::Classification,
            TaskArg::Regression => Self::Regression,
        }
    }
}

impl New {
    pub fn run(self, output: &Output) -> Result<Report, Failure> {
        let place = self.validation.display().to_string();
        let bytes = files::read_limited(&self.validation, limits::BUNDLE as u64)?;
        let out = self.out.unwrap_or_else(|| self.validation.with_extension("toml"));
        let stem = || self.validation.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        let wishes = TemplateWishes {
            name: self.name.or_else(stem).unwrap_or_else(|| "Campaign".into()),
            validation: beside(&self.validation, &out)?,
            target: self.target,
            task: self.task.map(Into::into),
        };
        let made = template::draft(&bytes, &place, &wishes)?.template;
        let text = made.text.as_bytes();
        if !self.force {
            files::check_overwrite(&out, text)?;
        }
        files::write_atomic(&out, text, Access::Public)?;
        made.guesses.iter().for_each(|guess| output.progress(format_args!("- {guess}")));
        let human = format!(
            "wrote {}\nsee what a launch would do: `sonar campaign launch {} --dry-run`",
            out.display(),
            out.display()
        );
        Report::new(&json!({ "file": out, "guesses": made.guesses, "text": made.text }), human)
    }
}

/// The path of a file as a campaign file at `from` names it: its name if they lie side by side.
fn beside(file: &Path, from: &Path) -> Result<String, Failure> {
    let [file, from] = [file, from].map(|path| std::path::absolute(path).map_err(Failure::internal));
    let (file, from) = (file?, from?);
    let named = if file.parent() == from.parent() { file.file_name().map(PathBuf::from) } else { None };
    let named = named.unwrap_or(file).into_os_string().into_string();
    named.map_err(|path| {
        Failure::new(Code::CampaignFile, format!("{}: a campaign file names only paths in UTF-8", path.display()))
    })
}
