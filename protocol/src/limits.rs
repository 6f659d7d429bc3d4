//! Size limits of artefacts, in bytes.
//!
//! All parties use the same limit. An artefact that passes one party and not the next would block a campaign, and may
//! cost a stake.

use crate::backbone;

const MIB: usize = 1 << 20;

/// An OpenPGP certificate or secret key, as published or as a file.
pub const CERTIFICATE: usize = MIB;
/// The public description of a campaign.
pub const MANIFEST: usize = MIB;
/// A bundle, before and after it is sealed.
pub const BUNDLE: usize = 256 * MIB;
/// The material of a version; each method has its own, smaller limit.
pub const MATERIAL: usize = 256 * MIB;
/// A sealed update: one row for the maximum number of inputs and outputs is 100 MB.
pub const UPDATE: usize = 128 * MIB;
/// The delivered model, before and after it is sealed.
pub const RESULT: usize = 256 * MIB;
/// The weights of a public network.
pub const BACKBONE: usize = backbone::MAX_BYTES;

// A public network is published for every version, and delivered.
const _: () = assert!(BACKBONE <= MATERIAL && BACKBONE <= RESULT);
