//! Adapters that every program needs: the chain, IPFS, files, secrets at rest, configuration, command lines.
//!
//! The protocol (`sonar-protocol`) decides; this crate does the I/O.

// These macros panic when the reader of the stream is gone.
#![cfg_attr(not(test), deny(clippy::print_stdout, clippy::print_stderr))]

pub mod account;
pub mod chain;
pub mod cli;
pub mod config;
pub mod discovery;
pub mod files;
pub mod home;
pub mod http;
pub mod ipfs;
pub mod jobs;
pub mod logging;
pub mod retry;
pub mod snapshot;
pub mod vault;
