//! The campaign protocol: the data that data scientists, Capsules, Mines and Sonar exchange on the chain and on IPFS.
//!
//! Pure: no I/O and no tasks. Time and randomness are arguments.

pub mod actions;
pub mod admission;
pub mod audit;
pub mod backbone;
pub mod bundle;
pub mod campaign;
pub mod course;
pub mod data;
pub mod delivery;
pub mod envelope;
pub mod event;
pub mod families;
pub mod fingerprint;
pub mod handover;
pub mod ids;
pub mod launch;
pub mod limits;
pub mod lineage;
pub mod manifest;
pub mod obstacles;
pub mod organisation;
pub mod pgp;
pub mod profile;
pub mod projection;
pub mod refusal;
pub mod regime;
pub mod simulation;
pub mod statement;
pub mod statistics;
pub mod table;
pub mod terms;
pub mod text;
pub mod units;
pub mod view;
pub mod wire;
