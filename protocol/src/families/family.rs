//! The traits of a family of models.
//!
//! [`Family`] has all operations on a campaign's method. It is pure: Capsule and Mines do the I/O around it, and a
//! training reports to a [`TrainingWatch`].

use std::{any::Any, collections::BTreeMap, error::Error, fmt};

use serde::Serialize;
use sonar_contracts::WordProof;
use syft::{
    Binding, ContentVerdict, DataError, Deviation, Examples, Ladder, Metric, Ppm, RuleError, Targets, Trainable,
    UncheckedMap, Validation, ValidationError, VersionSeed, evaluate_window, privacy::Zcdp,
};
use syft_nets::{ConstantError, TrainingProgress};
use zeroize::Zeroizing;

use super::{
    export::{DeliveryError, Export, Format},
    secrecy::Secrecy,
};
use crate::{
    backbone::{Backbone, BackboneError},
    data::Schema,
    regime::Regime,
};

/// Maximum number of values of a validation set in the form that a model reads: half a gigabyte.
const MAX_NUMBERS: usize = 1 << 26;
/// Maximum number of multiplications of one measurement: some minutes.
const MAX_MEASURING: usize = 1 << 40;

/// A model as a file, without metadata of a campaign.
pub type ModelFile = Zeroizing<Vec<u8>>;

/// An error of a family, as text.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct FamilyError(Box<dyn Error + Send + Sync>);

impl FamilyError {
    /// Converts an error of the family, or a text.
    #[must_use]
    pub fn new(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(error.into())
    }
}

/// Why a method cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MethodError {
    /// The public constants are invalid.
    #[error("the manifest's features: {0}")]
    Features(#[from] DataError),
    /// The backbone needs too much computation, or does not fit the data.
    #[error(transparent)]
    Backbone(#[from] BackboneError),
    /// The training rule is invalid.
    #[error("the manifest's training rule: {0}")]
    Rule(#[from] RuleError),
    /// A network's schedule or release is invalid.
    #[error("the manifest's training: {0}")]
    Constant(#[from] ConstantError),
    /// Parts contradict each other.
    #[error("the manifest contradicts itself: {0}")]
    Contradiction(&'static str),
}

/// A public part of a method that its data scientist chose freely, and that could be built to single out a row.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum FreeConstant {
    /// A network in front of the model.
    #[error("rows go through a network of the data scientist's choice")]
    Backbone,
    /// A constant of a feature map or of a network's input.
    #[error(transparent)]
    Map(#[from] UncheckedMap),
    /// The scores of classes.
    #[error("the target scores of the classes, {right} and {wrong}, are not the usual ones")]
    Labels {
        /// Score of the right class.
        right: f64,
        /// Score of every other class.
        wrong: f64,
    },
    /// A public starting model.
    #[error("the public starting model is of the data scientist's choice")]
    Start,
}

/// Why the accuracy cannot be measured.
#[derive(Debug, thiserror::Error)]
pub enum TrialError {
    /// The examples are unusable.
    #[error("the validation set: {0}")]
    Validation(#[from] ValidationError),
    /// The model is unusable.
    #[error("the model: {0}")]
    File(#[from] FamilyError),
}

impl From<DataError> for TrialError {
    fn from(error: DataError) -> Self {
        Self::Validation(error.into())
    }
}

/// A validation set that is too large for its campaign's model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it has {rows} rows, but at most {most} can be used with this model: remove some")]
pub struct TooManyRows {
    /// Number of its rows.
    pub rows: usize,
    /// Maximum number of rows.
    pub most: usize,
}

/// A training algorithm, which a Mine's owner can allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Algorithm {
    /// Its name in files and options.
    pub name: &'static str,
    /// Description.
    pub description: &'static str,
    /// Regime.
    pub regime: Regime,
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl Serialize for Algorithm {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name)
    }
}

/// Cost of measuring a model on one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowCost {
    /// Number of values in memory.
    pub numbers: usize,
    /// Number of multiplications.
    pub work: usize,
}

/// A family of models, with the settings of a campaign.
pub trait Family: fmt::Debug + Send + Sync {
    /// Who may see the model.
    fn regime(&self) -> Regime;

    /// The training algorithm.
    fn algorithm(&self) -> Algorithm;

    /// The backbone that transforms raw columns first, if any.
    fn backbone(&self) -> Option<&Backbone> {
        None
    }

    /// Checks untrusted settings against the schema and the task.
    ///
    /// # Errors
    /// Names what is invalid.
    fn check(&self, data: &Schema) -> Result<(), MethodError>;

    /// Checks that the public constants treat all rows within the schema's ranges alike, so that their choice cannot
    /// single out a row.
    ///
    /// # Errors
    /// Names what could.
    fn check_constants(&self, data: &Schema) -> Result<(), FreeConstant>;

    /// The material of version 1 with the default starting model, if anybody can compute it from the manifest.
    fn default_start(&self) -> Option<ModelFile> {
        None
    }

    /// Number of weights.
    fn weights(&self) -> usize;

    /// Cost of measuring a model on one row.
    fn row_cost(&self) -> RowCost;

    /// Size limit in bytes of the material of a version.
    fn material_limit(&self) -> usize;

    /// Size of an update in bytes; the same for every update.
    fn update_len(&self) -> usize;

    /// Parses the model in this file, which is untrusted, or takes the default starting model, and prepares its
    /// evaluation.
    ///
    /// # Errors
    /// When the file is not a model of the campaign, or nothing can be measured on the examples.
    fn trial(
        &self,
        examples: &Examples,
        targets: Targets,
        metric: Metric,
        file: Option<&[u8]>,
    ) -> Result<Box<dyn Trial>, TrialError>;

    /// The material of a version with this model. Deterministic.
    ///
    /// # Errors
    /// When the file is not a model of the campaign.
    fn publish(&self, model: &[u8], seed: &VersionSeed, binding: &Binding) -> Result<PublishedMaterial, FamilyError>;

    /// Parses the material of a Capsule, which is untrusted, for a training.
    ///
    /// # Errors
    /// When it is not exactly for this campaign and version.
    fn open(&self, material: &[u8], binding: &Binding) -> Result<Box<dyn OpenedModel>, FamilyError>;

    /// Checks that the noise of this privacy cost does not drown an update that is trained on this number of rows.
    ///
    /// # Errors
    /// When the noise would drown it.
    fn bears(&self, cost: Zcdp, rows: usize) -> Result<(), FamilyError>;

    /// Whether a decrypted update is well-formed, and was made from the material with this hash.
    fn conforms(&self, update: &[u8], material: &[u8; 32]) -> bool;

    /// Evaluates the updates of a window on the best model, in order.
    ///
    /// # Errors
    /// When the best model cannot be read, or the examples are for another family.
    fn evaluate(&self, window: &EvaluationWindow<'_>) -> Result<WindowEvaluation, FamilyError>;

    /// Recomputes the material of a version; the seed is known if its hand-over could be decrypted.
    fn recompute(&self, material: &[u8], seed: Option<&VersionSeed>, binding: &Binding) -> Recomputation;

    /// The part of the privacy statement for a campaign with this number of uploads per Mine.
    fn secrecy(&self, uploads: u32) -> Secrecy;

    /// Metadata of a finished model's file, in addition to those of all families.
    ///
    /// # Errors
    /// When a constant cannot be expressed in JSON; a checked manifest has only such constants.
    fn metadata(&self) -> Result<BTreeMap<String, String>, serde_json::Error>;

    /// Converts the model in this file to safetensors with metadata.
    ///
    /// # Errors
    /// When the file is not a model of the campaign.
    fn describe(&self, model: &[u8], metadata: &BTreeMap<String, String>) -> Result<Vec<u8>, FamilyError>;

    /// Converts the model in this file to a format that computes answers from raw columns.
    ///
    /// # Errors
    /// When the family does not support the format, or the embedding lacks the campaign's backbone.
    fn export(&self, model: &[u8], format: Format, export: &Export<'_>) -> Result<Vec<u8>, DeliveryError>;
}

impl dyn Family {
    /// Maximum number of rows of a validation set.
    #[must_use]
    pub fn most_rows(&self) -> usize {
        let RowCost { numbers, work } = self.row_cost();
        (MAX_NUMBERS / numbers.max(1)).min(MAX_MEASURING / work.max(1))
    }

    /// Checks that a validation set is not too large.
    ///
    /// # Errors
    /// When measuring a model on it would need too much time or memory.
    pub fn check_rows(&self, rows: usize) -> Result<(), TooManyRows> {
        let most = self.most_rows();
        if rows > most { Err(TooManyRows { rows, most }) } else { Ok(()) }
    }
}

/// The material of a version, which Mines fetch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishedMaterial {
    /// The file.
    pub material: Vec<u8>,
    /// Hash by which updates name it.
    pub hash: [u8; 32],
}

/// The result of recomputing a version's material.
#[derive(Debug, Default)]
pub struct Recomputation {
    /// The model in it; `None` if it is unknown.
    pub model: Option<ModelFile>,
    /// Why the material is malformed, if it is.
    pub unreadable: Option<FamilyError>,
    /// The parts that do not follow from seed and model.
    pub deviations: Vec<Deviation>,
    /// A word that an honest Capsule cannot publish, if there is one.
    pub evidence: Option<WordProof>,
}

/// Each example's right answer, and the answer of a model.
#[derive(Clone, PartialEq)]
pub enum Answers {
    /// Indices of classes.
    Classes(Vec<(usize, usize)>),
    /// Numbers on the scale of the model, on which the target's range is [-1, 1].
    Values(Vec<(f64, f64)>),
}

// Not derived: the right answers are the validation set's.
impl fmt::Debug for Answers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, rows) = match self {
            Self::Classes(pairs) => ("classes", pairs.len()),
            Self::Values(pairs) => ("values", pairs.len()),
        };
        write!(f, "Answers({kind}, {rows} rows)")
    }
}

/// A model with the examples for its evaluation and that of its successors.
pub trait Trial: Any + fmt::Debug + Send + Sync {
    /// Accuracy, rounded to parts per million.
    fn accuracy(&self) -> Ppm;

    /// Number of examples.
    fn rows(&self) -> usize;

    /// The model's answer to each example beside the right one.
    fn answers(&self) -> Answers;

    /// Encodes the model as a file. The same model always gives the same bytes.
    ///
    /// # Errors
    /// Never in practice.
    fn file(&self) -> Result<ModelFile, FamilyError>;

    /// Whether another trial has the same model.
    fn is_same_model(&self, other: &dyn Trial) -> bool;

    /// Does the computation of evaluating one update, for measurements. Each update costs the same, whatever its
    /// content.
    fn try_nothing(&self, start: Ppm, ladder: &Ladder);
}

/// The trial of a model that `syft` can evaluate.
pub struct MeasuredTrial<M: Trainable> {
    model: M,
    validation: Validation<M::Inputs>,
    file: fn(&M) -> Result<ModelFile, FamilyError>,
}

impl<M: Trainable> fmt::Debug for MeasuredTrial<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MeasuredTrial").field("rows", &self.validation.rows()).finish_non_exhaustive()
    }
}

impl<M> MeasuredTrial<M>
where
    M: Trainable<Inputs: Send + Sync> + PartialEq + Send + Sync + 'static,
{
    /// A model with its examples, and how it is written to a file.
    pub fn trial(
        model: M,
        validation: Validation<M::Inputs>,
        file: fn(&M) -> Result<ModelFile, FamilyError>,
    ) -> Box<dyn Trial> {
        Box::new(Self { model, validation, file })
    }

    /// Evaluates the updates of a window on the best model; an update that cannot be read counts as no update.
    ///
    /// # Errors
    /// When the window's examples are for another family.
    pub fn evaluate(
        window: &EvaluationWindow<'_>,
        best: &M,
        updates: impl IntoIterator<Item = Option<M::Delta>>,
    ) -> Result<WindowEvaluation, FamilyError> {
        let other = "the starting model is of another family than the campaign";
        let trial: &dyn Any = window.trial;
        let Self { validation, file, .. } = trial.downcast_ref().ok_or_else(|| FamilyError::new(other))?;
        let outcome = evaluate_window(best, window.best_ppm, updates, validation, window.ladder, window.most);
        let best_ppm = window.ladder.grid().value(outcome.best_step);
        let best_ppm = best_ppm.ok_or_else(|| FamilyError::new("an accuracy above one"))?;
        Ok(WindowEvaluation { verdicts: outcome.verdicts, best: file(&outcome.best)?, best_ppm })
    }
}

impl<M> Trial for MeasuredTrial<M>
where
    M: Trainable<Inputs: Send + Sync> + PartialEq + Send + Sync + 'static,
{
    fn accuracy(&self) -> Ppm {
        self.validation.accuracy(&self.model)
    }

    fn rows(&self) -> usize {
        self.validation.rows()
    }

    fn answers(&self) -> Answers {
        let (scores, targets) = self.validation.compare(&self.model);
        match targets {
            Targets::Classes(right) => Answers::Classes(right.iter().copied().zip(scores.classes()).collect()),
            Targets::Values(right) => {
                Answers::Values(right.iter().copied().zip(scores.rows().map(|row| row[0])).collect())
            }
        }
    }

    fn file(&self) -> Result<ModelFile, FamilyError> {
        (self.file)(&self.model)
    }

    fn is_same_model(&self, other: &dyn Trial) -> bool {
        let other: &dyn Any = other;
        other.downcast_ref::<Self>().is_some_and(|other| other.model == self.model)
    }

    fn try_nothing(&self, start: Ppm, ladder: &Ladder) {
        drop(evaluate_window(&self.model, start, [None], &self.validation, ladder, 1));
    }
}

/// Input of the evaluation of a window.
#[derive(Clone, Copy, Debug)]
pub struct EvaluationWindow<'a> {
    /// A trial with the examples, of any model of the campaign.
    pub trial: &'a dyn Trial,
    /// The file of the published model.
    pub best: &'a [u8],
    /// Its accuracy on the grid.
    pub best_ppm: Ppm,
    /// The updates, in the order of the chain.
    pub updates: &'a [&'a [u8]],
    /// Seed of the version's keys.
    pub seed: &'a VersionSeed,
    /// The context that the keys are bound to.
    pub binding: &'a Binding,
    /// Hash of the material that the updates were made from.
    pub material: &'a [u8; 32],
    /// The accuracy ladder from the campaign's starting accuracy upwards.
    pub ladder: &'a Ladder,
    /// Maximum number of accepted updates.
    pub most: u32,
}

/// The result of a window.
#[derive(Debug)]
pub struct WindowEvaluation {
    /// One verdict per update.
    pub verdicts: Vec<ContentVerdict>,
    /// The best model.
    pub best: ModelFile,
    /// Its accuracy on the grid.
    pub best_ppm: Ppm,
}

/// A published model, with everything that training needs.
pub trait OpenedModel: fmt::Debug + Send + Sync {
    /// Trains, and builds the update that is sealed.
    ///
    /// # Errors
    /// When the data does not fit, nothing could be learnt, or the watch stops it.
    fn train(&self, task: TrainingTask<'_>) -> Result<Vec<u8>, TrainError>;
}

/// Input of a training.
pub struct TrainingTask<'a> {
    /// The Mine's examples, transformed by the backbone if there is one.
    pub examples: &'a Examples,
    /// Their targets, clamped to their range.
    pub targets: &'a Targets,
    /// Privacy cost of the update; exact if `None`.
    pub cost: Option<Zcdp>,
    /// Random coins that nobody else can predict or repeat.
    pub coins: &'a mut dyn rand::CryptoRng,
    /// Monitor, which stores checkpoints and may stop the training.
    pub watch: &'a mut dyn TrainingWatch,
}

impl fmt::Debug for TrainingTask<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrainingTask")
            .field("rows", &self.examples.len())
            .field("cost", &self.cost)
            .finish_non_exhaustive()
    }
}

/// Monitor of a training. A training of one step uses no checkpoints and reports no steps.
pub trait TrainingWatch {
    /// The checkpoint of an earlier run, if any.
    ///
    /// # Errors
    /// When the training must not start.
    fn checkpoint(&mut self) -> Result<Option<ModelFile>, TrainingStopped>;

    /// Reports that the training resumed from the checkpoint.
    fn resumed(&mut self, progress: TrainingProgress);

    /// Reports a step, and stores a checkpoint if one is due.
    ///
    /// # Errors
    /// When the training must stop.
    fn step(&mut self, progress: TrainingProgress, checkpoint: &dyn Fn() -> ModelFile) -> Result<(), TrainingStopped>;

    /// Reports the end of the training; only the encoding of the update remains.
    fn trained(&mut self);
}

/// The watch stopped the training; it has the reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the training was stopped")]
pub struct TrainingStopped;

/// Why the training gave no update.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The watch stopped it.
    #[error(transparent)]
    Stopped(#[from] TrainingStopped),
    /// The data does not fit, or nothing could be learnt.
    #[error(transparent)]
    Family(#[from] FamilyError),
}
