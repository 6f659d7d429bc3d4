//! `sonar`: the data scientist's command line, and the coordinator.

// These macros panic when the reader of the stream is gone.
#![cfg_attr(not(test), deny(clippy::print_stdout, clippy::print_stderr))]

mod cmd;
mod desk;
mod scientist;

use std::process::ExitCode;

fn main() -> ExitCode {
    sonar_node::cli::main::<cmd::Cli>()
}
