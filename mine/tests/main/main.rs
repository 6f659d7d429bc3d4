//! A Mine on a real chain and real IPFS nodes, and its command line.

mod cli;
mod pages;
mod serve;
mod stage;
