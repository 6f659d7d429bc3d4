//! `capsule`: the operator's command line, and the Capsule itself.

// These macros panic when the reader of the stream is gone.
#![cfg_attr(not(test), deny(clippy::print_stdout, clippy::print_stderr))]

mod cmd;

use std::process::ExitCode;

fn main() -> ExitCode {
    match sonar_node::cli::parse::<cmd::Cli>("capsule") {
        Ok(cli) => cmd::run(cli),
        Err(code) => code,
    }
}
