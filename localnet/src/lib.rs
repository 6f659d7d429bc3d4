//! Everything on one machine: a chain, Sonar, a Capsule and Mines as separate processes of the real programs, and one
//! campaign run through all of them.

pub mod programs;
pub mod split;
pub mod supervisor;
