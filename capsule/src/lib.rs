//! The Capsule: holds the keys of encrypted models, evaluates updates, attests what they contributed, delivers the result.
//!
//! What to do is decided by pure functions ([`engine`], [`proposal`], [`attest`]); everything else carries it out.

pub mod attest;
pub mod engine;
pub mod proposal;
pub mod record;
