//! `sonar`: the data scientist's command line, and the coordinator.

mod cmd;

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    match sonar_node::cli::parse::<cmd::Cli>("sonar") {
        Ok(cli) => cmd::run(cli).await,
        Err(code) => code,
    }
}
