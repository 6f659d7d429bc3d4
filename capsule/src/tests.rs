//! A Capsule on a chain, an IPFS and a disk in memory: what it does with good and bad updates, crashes and forks.

mod attacks;
mod clear;
mod deliver;
pub(crate) mod doubles;
mod evaluate;
mod examine;
mod launch_keys;
mod overview;
mod secrets;
mod service;
mod stage;
