//! The public maps from raw columns to bounded features.
//!
//! A [`FeatureMap`] standardises the columns, expands them ([`Expansion`]: polynomials, random ReLU or convolution features), scales them, adds
//! a constant feature and bounds the norm of every row. Everybody computes the same bits from the published constants and a seed: inputs and
//! random weights are short fixed-point numbers (`crate::lattice`).
//!
//! Constants of a map can be chosen to single out a row. [`FeatureMap::check_ranges`] refuses those: it accepts only constants that follow the
//! published ranges of the columns, and one of sixteen seeds ([`SeedIndex`]).
//!
//! [`FeatureKind`] is the name of a map in a campaign file; a [`Recipe`] has the random weights written out, for programs that cannot derive
//! them.

mod checked;
mod conv;
mod expansion;
mod kind;
mod map;
mod polynomial;
mod random;
mod seed;

pub use checked::{UncheckedMap, check_columns};
pub use expansion::{Column, Expansion, Image, Recipe};
pub use kind::FeatureKind;
pub use map::{FEATURE_LIMIT, FeatureMap, Features};
pub use seed::{SEEDS, SeedIndex, SeedIndexError};
