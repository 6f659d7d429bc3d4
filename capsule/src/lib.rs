//! The Capsule: holds the keys of encrypted models, evaluates updates, attests what they contributed, delivers the result.
//!
//! What to do is decided by pure functions ([`engine`], [`proposal`], [`attest`]); [`worker`] carries it out for one campaign,

pub mod attest;
pub mod engine;
pub mod ports;
pub mod proposal;
pub mod record;
pub mod relay;
mod steps;
pub mod worker;
