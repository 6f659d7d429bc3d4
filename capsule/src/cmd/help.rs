//! Commands that only tell.

use clap::CommandFactory;
use clap_complete::Shell;
use serde_json::json;
use sonar::cli::{Failure, Report};

/// Print a script that completes commands in your shell.
#[derive(Debug, clap::Args)]
pub struct Completions {
    /// Which shell
    shell: Shell,
}

impl Completions {
    pub fn run(self) -> Result<Report, Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut super::Cli::command(), "capsule", &mut script);
        let script = String::from_utf8(script).map_err(Failure::internal)?;
        let data = json!({"shell": self.shell.to_string(), "script": script});
        Report::new(&data, script)
    }
}

pub fn version() -> Result<Report, Failure> {
    let version = env!("CARGO_PKG_VERSION");
    let abi = sonar_contracts::abi_hash();
    let human = format!("capsule {version}\ncontracts {abi}");
    Report::new(&json!({"version": version, "contracts": abi}), human)
}
