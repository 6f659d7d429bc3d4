//! The Capsule: holds the keys of encrypted models, evaluates updates, attests what they contributed, delivers the result.
//!
//! [`campaign`] decides what to do next about one campaign and carries it out; [`service`] follows the chain and lets every
//! campaign proceed by itself.

// Their macros panic when the reader of the stream is gone.
#![cfg_attr(not(test), deny(clippy::print_stdout, clippy::print_stderr))]

pub mod attest;
pub mod backup;
pub mod campaign;
pub mod home;
pub mod http;
pub mod ports;
pub mod relay;
pub mod service;

#[cfg(test)]
mod tests;
