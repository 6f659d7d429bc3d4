//! The campaign protocol: what data scientist, Capsule, Mines and Sonar say to each other on the chain and on IPFS.

pub mod account;
pub mod audit;
pub mod bundle;
pub mod campaign;
pub mod chain;
pub mod cli;
pub mod config;
pub mod data;
pub mod delivery;
pub mod discovery;
pub mod envelope;
pub mod files;
pub mod handover;
pub mod ids;
pub mod index;
pub mod ipfs;
pub mod launch;
pub mod manifest;
pub mod method;
pub mod pgp;
pub mod server;
pub mod statement;
pub mod units;
pub mod vault;
pub mod view;
pub mod wire;
