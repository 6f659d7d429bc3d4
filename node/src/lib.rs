//! Adapters that every program needs: the chain, IPFS, files, secrets at rest, configuration, command lines.
//!
//! The protocol (`sonar-protocol`) decides; this crate reads, writes and waits.

pub mod account;
pub mod chain;
pub mod cli;
pub mod config;
pub mod discovery;
pub mod files;
pub mod http;
pub mod ipfs;
pub mod vault;
