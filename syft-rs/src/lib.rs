//! Linear models trained under homomorphic encryption.
//!
//! A key holder publishes a model `W` encrypted ([`SecretKey::publish`]). Whoever holds data turns it into one affine
//! map ([`train`], or [`train_private`] with differential privacy), applies that map to the ciphertext and re-randomises and floods the result ([`encrypt_update`]).
//! The key holder decrypts the update ([`SecretKey::decrypt`]), tries it on the best model ([`evaluate_window`]) and
//! says in public no more than a bounded number of bits ([`budget`]).
//!
//! Everything here is a pure function of its arguments, but for [`VersionSeed::generate`] and [`encrypt_update`], which take
//! randomness from the operating system because coins that anyone could derive would undo the encryption.

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
    ContentVerdict, Ladder, LadderError, Rows, STEP_SIZES, Trainable, Validation, ValidationError, WindowOutcome,
    evaluate_window,
};
pub use features::{Column, Expansion, FEATURE_LIMIT, FeatureKind, FeatureMap, Features, Image, Recipe};
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
