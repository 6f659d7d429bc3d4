//! Linear models trained under homomorphic encryption: mathematics without I/O, clock or network.
//!
//! How the parts fit, in the order of a campaign:
//!
//! 1. A data scientist's examples ([`Matrix`], [`Targets`]) become [`Features`] by a public [`FeatureMap`]; a [`Validation`] set, a [`Metric`] and a
//!    [`Ladder`] of grid values define what an accuracy is.
//! 2. The key holder (the Capsule) encrypts a model `W` ([`SecretKey::publish`]) and publishes the [`Material`].
//! 3. A data owner (the Mine) turns its data into one affine map `W -> L·W + B` ([`train`], or [`train_private`] with differential privacy),
//!    applies it to the encrypted model, and re-randomises and floods the result ([`encrypt_update`]).
//! 4. The key holder decrypts the update ([`SecretKey::decrypt`]) and tries it on the best model ([`evaluate_window`]). A leak meter
//!    ([`budget`]) bounds the bits that the public verdicts can disclose.
//! 5. After the campaign, [`Audit`] recomputes the published material from its seed, and [`export`] writes the model for other programs.
//!
//! Every function is a pure function of its arguments, except [`VersionSeed::generate`] and [`encrypt_update`]: these take randomness from the
//! operating system, because the encryption is broken if anybody can derive the coins.

mod affine;
pub mod budget;
pub mod clear;
mod data;
mod evaluate;
pub mod export;
mod features;
mod he;
mod lattice;
mod metric;
mod model;
pub mod privacy;
mod rule;
mod shape;
mod train;
mod units;
pub mod wire;

pub use affine::AffineUpdate;
pub use data::{DataError, Examples, Matrix, TargetMap, Targets, Task};
pub use evaluate::{
    ContentVerdict, Ladder, LadderError, MAX_ACCEPTS_PER_WINDOW, Rows, STEP_SIZES, Trainable, Validation,
    ValidationError, WindowOutcome, evaluate_window,
};
pub use features::{
    Column, Expansion, FEATURE_LIMIT, FeatureKind, FeatureMap, Features, Image, Recipe, SEEDS, SeedIndex,
    SeedIndexError, UncheckedMap, check_columns,
};
pub use he::noise::{self, Noise};
pub use he::{
    Audit, Binding, Delta, Deviation, EncryptError, EncryptedUpdate, Evaluator, Kernel, Material, Parameters,
    ParametersError, Places, PublishedWeights, SecretKey, SecurityEstimate, VersionSeed, WireError, encrypt_update,
};
pub use lattice::{INPUT_BITS, LATTICE_BITS};
pub use metric::{Metric, MetricError};
pub use model::{ModelError, Scores, Weights};
pub use rule::{Labels, Rule, RuleError};
pub use shape::{MAX_INPUTS, MAX_OUTPUTS, Shape};
pub use train::{TrainError, train, train_private};
pub use units::{Grid, GridStep, Ppm, UnitError};
