//! Commands that only tell.

use clap::CommandFactory;
use clap_complete::Shell;
use serde_json::json;
use sonar::cli::{EXIT_CODES, Failure, Report};

/// Print a script that completes commands in your shell.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  sonar completions bash > /etc/bash_completion.d/sonar")]
pub struct Completions {
    /// Which shell
    shell: Shell,
}

impl Completions {
    pub fn run(self) -> Result<Report, Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut super::Cli::command(), "sonar", &mut script);
        let script = String::from_utf8(script).map_err(Failure::internal)?;
        let data = json!({"shell": self.shell.to_string(), "script": script});
        Report::new(&data, script)
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
    let version = env!("CARGO_PKG_VERSION");
    let abi = sonar_contracts::abi_hash();
    let human = format!("sonar {version}\ncontracts {abi}");
    Report::new(&json!({"version": version, "contracts": abi}), human)
}
