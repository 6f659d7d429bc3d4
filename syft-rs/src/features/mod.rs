//! The public maps from raw columns to bounded features.
//!
//! A [`FeatureMap`] standardises the columns, expands them ([`Expansion`]: polynomials, random ReLU or convolution features), scales them, adds
//! a constant feature and bounds the norm of every row. Everybody computes the same bits from the published constants and a seed: inputs and
//! random weights are short fixed-point numbers (`crate::lattice`).
//!
//! [`FeatureKind`] is the name of a map in a campaign file; a [`Recipe`] has the random weights written out, for programs that cannot derive
//! them.

mod conv;
mod expansion;
mod kind;
mod map;
mod polynomial;
mod random;

pub use expansion::{Column, Expansion, Image, Recipe};
pub use kind::FeatureKind;
pub use map::{FEATURE_LIMIT, FeatureMap, Features};
