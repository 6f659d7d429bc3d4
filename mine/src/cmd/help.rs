//! Commands that only tell.

use clap_complete::Shell;
use sonar_node::cli::{self, Failure, Report};

/// Print a script that completes commands in your shell.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  mine completions bash > /etc/bash_completion.d/mine")]
pub struct Completions {
    /// Which shell
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
