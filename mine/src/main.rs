//! `mine`: the owner's command line, and the Mine itself.

// These macros panic when the reader of the stream is gone.
#![cfg_attr(not(test), deny(clippy::print_stdout, clippy::print_stderr))]

fn main() -> std::process::ExitCode {
    mine::cmd::main()
}
