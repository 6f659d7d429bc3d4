//! A Mine: holds data, finds campaigns that fit it, trains the encrypted model, and is paid for measured improvements.

// These macros panic when the reader of the stream is gone.
#![cfg_attr(not(test), deny(clippy::print_stdout, clippy::print_stderr))]

pub mod api;
pub mod cmd;
pub mod doctor;
pub mod earnings;
pub mod home;
pub mod outbox;
pub mod pause;
pub mod planner;
pub mod policy;
pub mod privacy;
pub mod reasons;
pub mod repository;
pub mod run;
#[cfg(test)]
mod testing;
pub mod training;
pub mod withdrawal;
pub mod work;
