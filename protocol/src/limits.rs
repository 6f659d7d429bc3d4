//! The largest artefact of each kind, in bytes.
//!
//! One limit for everybody who makes, keeps, fetches or reads one. An artefact that passes one party and not the next would hold up a
//! campaign, and may cost a stake.

use crate::backbone;

const MIB: usize = 1 << 20;

/// An OpenPGP certificate or secret key, as published or as a file.
pub const CERTIFICATE: usize = MIB;
/// The public description of a campaign.
pub const MANIFEST: usize = MIB;
/// What a data scientist sealed to the Capsule, before and after it is sealed.
pub const BUNDLE: usize = 256 * MIB;
/// What a Capsule publishes for a version; a campaign's method has a smaller limit of its own.
pub const MATERIAL: usize = 256 * MIB;
/// A sealed update: a row each of the most inputs, for the most outputs, is 100 MB.
pub const UPDATE: usize = 128 * MIB;
/// The delivered model, before and after it is sealed.
pub const RESULT: usize = 256 * MIB;
/// The weights of a public network.
pub const BACKBONE: usize = backbone::MAX_BYTES;

// A network in the clear is published for every version, and delivered.
const _: () = assert!(BACKBONE <= MATERIAL && BACKBONE <= RESULT);
