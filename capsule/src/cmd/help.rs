//! `capsule completions` and `version`.

use clap_complete::Shell;
use sonar_node::cli::{self, Failure, Report};

/// Print a completion script for your shell.
#[derive(Debug, clap::Args)]
pub struct Completions {
    /// Shell to complete commands for
    shell: Shell,
}

impl Completions {
    pub fn run(self) -> Result<Report, Failure> {
        cli::completions::<super::Cli>("capsule", self.shell)
    }
}

pub fn version() -> Result<Report, Failure> {
    cli::version("capsule", env!("CARGO_PKG_VERSION"))
}
