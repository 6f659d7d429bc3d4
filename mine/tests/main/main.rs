//! A Mine on a real chain and real IPFS nodes, and its command line.

mod cli;
mod serve;
mod stage;
#[path = "../../../sonar/tests/shared/yes_or_no.rs"]
mod yes_or_no;
