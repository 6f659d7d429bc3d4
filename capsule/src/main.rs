//! `capsule`: the operator's command line, and the Capsule itself.

mod cmd;

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    match sonar_node::cli::parse::<cmd::Cli>("capsule") {
        Ok(cli) => cmd::run(cli).await,
        Err(code) => code,
    }
}
