//! `mine`: the owner's command line, and the Mine itself.

mod cmd;

use std::process::ExitCode;

fn main() -> ExitCode {
    match sonar::cli::parse::<cmd::Cli>("mine") {
        Ok(cli) => cmd::run(cli),
        Err(code) => code,
    }
}
