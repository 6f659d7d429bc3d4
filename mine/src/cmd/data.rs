//! `mine data`

use std::{path::PathBuf, time::SystemTime};

use crate::repository::{self, About, DataName, RepositoryError};
use clap::Subcommand;
use serde_json::json;
use sonar_node::{
    cli::{self, Ask, Failure, Report, confirm},
    files,
};
use sonar_protocol::{
    data::{Header, TableError, TableLimits},
    units::Timestamp,
};
use zeroize::Zeroizing;

use super::{Context, repository_failure as failure};

const NO_HEADER_HELP: &str =
    "add the file with `--columns a,b,c` or `--no-header`, or with `--header` if its first line names the columns";

/// Manage data sets
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Import a CSV file into the vault; the file itself is not changed
    #[command(
        after_help = "Examples:\n  mine data add digits digits-train.csv\n  mine data add flowers iris.data --columns sepal_length,sepal_width,petal_length,petal_width,kind"
    )]
    Add {
        /// Name of the data set
        name: DataName,
        /// CSV file with a header line; separated by commas, semicolons, tabs or vertical bars; may be compressed with
        /// gzip
        file: PathBuf,
        /// The first line names the columns, even if it looks like data
        #[arg(long, conflicts_with_all = ["no_header", "columns"])]
        header: bool,
        /// The file has no header line; its columns are called column1, column2 and so on
        #[arg(long)]
        no_header: bool,
        /// The file has no header line; these are the names of its columns
        #[arg(long, value_name = "NAME,NAME", value_delimiter = ',')]
        columns: Vec<String>,
    },
    /// List data sets
    #[command(visible_alias = "ls")]
    List,
    /// Remove a data set from the vault
    #[command(visible_alias = "rm")]
    Remove {
        /// Name of the data set
        name: DataName,
    },
}

impl Command {
    pub fn schema(&self) -> &'static str {
        match self {
            Self::Add { .. } => "mine.data.add/1",
            Self::List => "mine.data.list/1",
            Self::Remove { .. } => "mine.data.remove/1",
        }
    }

    pub fn run(self, context: &Context) -> Result<Report, Failure> {
        let store = context.home.store(&context.passphrase(Ask::Existing)?)?;
        match self {
            Self::Add { name, file, header, no_header, columns } => {
                let csv = Zeroizing::new(files::read_limited(&file, TableLimits::default().bytes)?);
                let header = match (columns.is_empty(), no_header, header) {
                    (false, ..) => Header::Absent(Some(columns)),
                    (true, true, _) => Header::Absent(None),
                    (true, false, true) => Header::FirstLine,
                    (true, false, false) => Header::Checked,
                };
                let about = repository::add(&*store, name, &csv, &header, now()?).map_err(|error| {
                    let no_header = matches!(error, RepositoryError::Table(TableError::LooksLikeData(_)));
                    let failure = failure(error).at(file.display());
                    if no_header { failure.help(NO_HEADER_HELP) } else { failure }
                })?;
                let human = format!("added {}: {} rows, {} columns", about.name, about.rows, about.columns.len());
                Report::new(&about, human)
            }
            Self::List => {
                let all = repository::list(&*store).map_err(failure)?;
                Report::new(&all, listing(&all))
            }
            Self::Remove { name } => {
                confirm(&context.globals, &format!("This removes the data set {name} from the vault."))?;
                repository::remove(&*store, &name).map_err(failure)?;
                Report::new(&json!({"name": name}), format!("removed {name}"))
            }
        }
    }
}

fn listing(all: &[About]) -> String {
    if all.is_empty() {
        return "no data sets; add one with `mine data add NAME FILE.csv`".into();
    }
    let mut table = cli::table(["NAME", "ROWS", "COLUMNS", "BYTES"]);
    for about in all {
        table.add_row([
            about.name.to_string(),
            about.rows.to_string(),
            about.columns.len().to_string(),
            about.bytes.to_string(),
        ]);
    }
    table.to_string()
}

fn now() -> Result<Timestamp, Failure> {
    match SystemTime::now() {
        time if time < SystemTime::UNIX_EPOCH => {
            Err(Failure::internal("the clock of this machine shows a time before 1970; correct it"))
        }
        time => Ok(time.into()),
    }
}
