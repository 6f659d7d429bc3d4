//! The Capsule: holds the keys of encrypted models, evaluates updates, attests the results, delivers the finished
//! model.
//!
//! [`campaign`] decides on the next action for one campaign and performs it; [`service`] follows the chain and runs all
//! campaigns independently.

// These macros panic when the reader of the stream is gone.
#![cfg_attr(not(test), deny(clippy::print_stdout, clippy::print_stderr))]

pub mod attest;
pub mod backup;
pub mod campaign;
pub mod home;
pub mod http;
pub mod launch_keys;
pub mod offer;
pub mod overview;
pub mod ports;
pub mod relay;
pub mod service;

#[cfg(test)]
mod tests;
