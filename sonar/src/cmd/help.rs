//! `sonar completions`, `exit-codes` and `version`.

use clap_complete::Shell;
use sonar_node::cli::{self, EXIT_CODES, Failure, Report};

/// Print a completion script for your shell.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  sonar completions bash > /etc/bash_completion.d/sonar")]
pub struct Completions {
    /// Shell to complete commands for
    shell: Shell,
}

impl Completions {
    pub fn run(self) -> Result<Report, Failure> {
        cli::completions::<super::Cli>("sonar", self.shell)
    }
}

pub fn exit_codes() -> Result<Report, Failure> {
    let codes: serde_json::Map<String, serde_json::Value> = EXIT_CODES
        .lines()
        .skip(1)
        .filter_map(|line| line.trim().split_once("  "))
        .map(|(code, meaning)| (code.to_owned(), meaning.trim().into()))
        .collect();
    Report::new(&codes, EXIT_CODES)
}

pub fn version() -> Result<Report, Failure> {
    cli::version("sonar", env!("CARGO_PKG_VERSION"))
}
