//! `capsule`: the operator's command line, and the Capsule itself.

// These macros panic when the reader of the stream is gone.
#![cfg_attr(not(test), deny(clippy::print_stdout, clippy::print_stderr))]

mod cmd;

use std::process::ExitCode;

fn main() -> ExitCode {
    sonar_node::cli::main::<cmd::Cli>()
}
