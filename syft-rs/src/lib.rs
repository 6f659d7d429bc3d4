//! Linear models trained under homomorphic encryption.
//!
//! A key holder publishes a model `W` encrypted ([`SecretKey::publish`]). Whoever holds data turns it into one affine
//! map ([`train`], or [`train_private`] with differential privacy), applies that map to the ciphertext and re-randomises and floods the result ([`encrypt_update`]).
//! The key holder decrypts the update ([`SecretKey::decrypt`]), tries it on the best model ([`evaluate_window`]) and
//! says in public no more than a bounded number of bits ([`budget`]).
//!
//! Everything here is a pure function of its arguments, but for [`VersionSeed::generate`] and [`encrypt_update`], which take
//! randomness from the operating system because coins that anyone could derive would undo the encryption.

pub mod budget;
pub mod clear;
mod data;
mod evaluate;
pub mod export;
mod features;
mod he;
mod metric;
mod model;
pub mod privacy;
mod train;
mod units;
pub mod wire;

pub use data::{DataError, Examples, Matrix, TargetMap, Targets, Task};
pub use evaluate::{
    ContentVerdict, Ladder, LadderError, Rows, STEP_SIZES, Trainable, Validation, ValidationError, WindowOutcome,
    evaluate_window,
};
pub use features::{Column, Expansion, FEATURE_LIMIT, FeatureKind, FeatureMap, Features, INPUT_BITS, Image, Recipe};
pub use he::noise::{self, Noise};
pub use he::{
    Audit, Binding, Delta, Deviation, EncryptError, EncryptedUpdate, Evaluator, Kernel, MAX_INPUTS, MAX_OUTPUTS,
    Material, Parameters, ParametersError, Places, PublishedWeights, SecretKey, SecurityEstimate, VersionSeed,
    WireError, encrypt_update,
};
pub use metric::{Metric, MetricError};
pub use model::{LATTICE_BITS, ModelError, Scores, Shape, Weights};
pub use train::{AffineUpdate, Labels, Rule, TrainError, train, train_private};
pub use units::{Grid, GridStep, Ppm, UnitError};
