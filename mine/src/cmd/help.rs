//! `mine completions` and `version`.

use clap_complete::Shell;
use sonar_node::cli::{self, Failure, Report};

/// Print a completion script for your shell.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  mine completions bash > /etc/bash_completion.d/mine")]
pub struct Completions {
    /// Shell to complete commands for
    shell: Shell,
}

impl Completions {
    pub fn run(self) -> Result<Report, Failure> {
        cli::completions::<super::Cli>("mine", self.shell)
    }
}

pub fn version() -> Result<Report, Failure> {
    cli::version("mine", env!("CARGO_PKG_VERSION"))
}
