//! Sonar's coordinator: the index of the contracts' events, and the server that answers from it.

// These macros panic when the reader of the stream is gone.
#![cfg_attr(not(test), deny(clippy::print_stdout, clippy::print_stderr))]

pub mod index;
pub mod server;
