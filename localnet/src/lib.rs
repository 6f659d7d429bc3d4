//! Everything on one machine: a chain, Sonar, a Capsule and Mines as separate processes of the real programs, and one
//! campaign run through all of them.

// These macros panic when the reader of the stream is gone.
#![cfg_attr(not(test), deny(clippy::print_stdout, clippy::print_stderr))]

pub mod demo;
pub mod directory;
pub mod faucet;
pub mod follow;
pub mod network;
pub mod programs;
pub mod report;
pub mod simulation;
pub mod split;
pub mod story;
pub mod supervisor;
pub mod twin;
