//! The Capsule: holds the keys of encrypted models, evaluates updates, attests what they contributed, delivers the result.
//!
//! What to do is decided by pure functions ([`engine`], [`proposal`], [`attest`]); [`worker`] carries it out for one campaign,
//! [`service`] for all of them.

// Their macros panic when the reader of the stream is gone.
#![cfg_attr(not(test), deny(clippy::print_stdout, clippy::print_stderr))]

pub mod attest;
pub mod backup;
pub mod engine;
pub mod home;
pub mod http;
pub mod ports;
pub mod proposal;
pub mod record;
pub mod relay;
pub mod service;
mod steps;
pub mod worker;

#[cfg(test)]
mod tests;
