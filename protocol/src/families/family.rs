//! What a family of models is to the programs.
//!
//! [`Family`] has everything that a program asks of a campaign's method. It is pure: what the Capsule and the Mines read, keep and
//! send around it is theirs, and a training reports to a [`TrainingWatch`].

use std::{any::Any, collections::BTreeMap, error::Error, fmt};

use serde::Serialize;
use sonar_contracts::WordProof;
use syft::{
    Binding, ContentVerdict, DataError, Deviation, Examples, Ladder, Metric, Ppm, RuleError, Targets, Trainable,
    Validation, ValidationError, VersionSeed, evaluate_window, privacy::Zcdp,
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

/// Numbers of a validation set as a model reads it, at most: half a gigabyte.
const MAX_NUMBERS: usize = 1 << 26;
/// Multiplications to measure a model once, at most: some minutes.
const MAX_MEASURING: usize = 1 << 40;

/// A model as a file, without metadata of a campaign.
pub type ModelFile = Zeroizing<Vec<u8>>;

/// What went wrong in a family, in its own words.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct FamilyError(Box<dyn Error + Send + Sync>);

impl FamilyError {
    /// From an error of the family, or a text.
    #[must_use]
    pub fn new(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(error.into())
    }
}

/// A method that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MethodError {
    /// Public constants make no sense.
    #[error("the manifest's features: {0}")]
    Features(#[from] DataError),
    /// The backbone takes too much work, or reads other data.
    #[error(transparent)]
    Backbone(#[from] BackboneError),
    /// The rule makes no sense.
    #[error("the manifest's training rule: {0}")]
    Rule(#[from] RuleError),
    /// A network's schedule or release makes no sense.
    #[error("the manifest's training: {0}")]
    Constant(#[from] ConstantError),
    /// Parts that contradict each other.
    #[error("the manifest contradicts itself: {0}")]
    Contradiction(&'static str),
}

/// Why nothing can be measured.
#[derive(Debug, thiserror::Error)]
pub enum TrialError {
    /// On these examples.
    #[error("the validation set: {0}")]
    Validation(#[from] ValidationError),
    /// Of this model.
    #[error("the model: {0}")]
    File(#[from] FamilyError),
}

impl From<DataError> for TrialError {
    fn from(error: DataError) -> Self {
        Self::Validation(error.into())
    }
}

/// A validation set that is too long for its campaign's model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it has {rows} rows; with this model at most {most} can be measured on: take fewer")]
pub struct TooManyRows {
    /// Its rows.
    pub rows: usize,
    /// Rows that there may be.
    pub most: usize,
}

/// A way of training that a Mine's owner can allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Algorithm {
    /// Its name in files and options.
    pub name: &'static str,
    /// What it does.
    pub description: &'static str,
    /// Who may see what is trained.
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

/// What measuring a model on one row takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowCost {
    /// Numbers that are held.
    pub numbers: usize,
    /// Multiplications.
    pub work: usize,
}

/// A family of models with everything that a campaign chose of it.
pub trait Family: fmt::Debug + Send + Sync {
    /// Who may see the model.
    fn regime(&self) -> Regime;

    /// How Mines train.
    fn algorithm(&self) -> Algorithm;

    /// What raw columns go through first, if anything.
    fn backbone(&self) -> Option<&Backbone> {
        None
    }

    /// Checks what came from outside, against the data that it is for.
    ///
    /// # Errors
    /// Names what makes no sense.
    fn check(&self, data: &Schema) -> Result<(), MethodError>;

    /// Number of weights.
    fn weights(&self) -> usize;

    /// What measuring a model on one row takes.
    fn row_cost(&self) -> RowCost;

    /// What a Capsule publishes for a version has at most this number of bytes.
    fn material_limit(&self) -> usize;

    /// Bytes of every update, whatever it contains.
    fn update_len(&self) -> usize;

    /// The model in this file, untrusted, or the one that a campaign starts with, ready to be measured.
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

    /// What Mines fetch for a version with this model. Made again, it is the same.
    ///
    /// # Errors
    /// When the file is not a model of the campaign.
    fn publish(&self, model: &[u8], seed: &VersionSeed, binding: &Binding) -> Result<PublishedMaterial, FamilyError>;

    /// Reads what a Capsule published, untrusted, for a training.
    ///
    /// # Errors
    /// When it is not for exactly this campaign and version.
    fn open(&self, material: &[u8], binding: &Binding) -> Result<Box<dyn OpenedModel>, FamilyError>;

    /// Checks that an update of this cost, trained on this number of rows, leaves something to learn.
    ///
    /// # Errors
    /// When its noise would drown it.
    fn bears(&self, cost: Zcdp, rows: usize) -> Result<(), FamilyError>;

    /// Whether an opened update has the form that it must have, and was made from the material with this hash.
    fn conforms(&self, update: &[u8], material: &[u8; 32]) -> bool;

    /// Tries the updates of a window on the best model, in order.
    ///
    /// # Errors
    /// When the best model cannot be read, or the examples are for another family.
    fn evaluate(&self, window: &EvaluationWindow<'_>) -> Result<WindowEvaluation, FamilyError>;

    /// Makes again what was published for a version, of which the seed is known if its hand-over could be opened.
    fn recompute(&self, material: &[u8], seed: Option<&VersionSeed>, binding: &Binding) -> Recomputation;

    /// What a campaign with this number of uploads of one Mine discloses to whom.
    fn secrecy(&self, uploads: u32) -> Secrecy;

    /// What a finished model's file says about how to use it, besides what all families say.
    ///
    /// # Errors
    /// When a constant is not JSON, which no manifest that was checked has.
    fn metadata(&self) -> Result<BTreeMap<String, String>, serde_json::Error>;

    /// The model in this file, as safetensors with metadata.
    ///
    /// # Errors
    /// When the file is not a model of the campaign.
    fn describe(&self, model: &[u8], metadata: &BTreeMap<String, String>) -> Result<Vec<u8>, FamilyError>;

    /// The model in this file, in a format that computes answers from raw columns.
    ///
    /// # Errors
    /// When there is no such file of this family, or the embedding lacks the campaign's backbone.
    fn export(&self, model: &[u8], format: Format, export: &Export<'_>) -> Result<Vec<u8>, DeliveryError>;
}

impl dyn Family {
    /// Rows of a validation set that a model can be measured on.
    #[must_use]
    pub fn most_rows(&self) -> usize {
        let RowCost { numbers, work } = self.row_cost();
        (MAX_NUMBERS / numbers.max(1)).min(MAX_MEASURING / work.max(1))
    }

    /// Checks that a validation set is not too long.
    ///
    /// # Errors
    /// When measuring a model on it would take too long or too much memory.
    pub fn check_rows(&self, rows: usize) -> Result<(), TooManyRows> {
        let most = self.most_rows();
        if rows > most { Err(TooManyRows { rows, most }) } else { Ok(()) }
    }
}

/// What Mines fetch for a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishedMaterial {
    /// The file.
    pub material: Vec<u8>,
    /// The hash by which updates name it.
    pub hash: [u8; 32],
}

/// What was found out by making a version's material again.
#[derive(Debug, Default)]
pub struct Recomputation {
    /// The model in it, unless it is unknown.
    pub model: Option<ModelFile>,
    /// Why no Mine can have read it.
    pub unreadable: Option<FamilyError>,
    /// What does not follow from seed and model.
    pub deviations: Vec<Deviation>,
    /// A word that cannot be honest.
    pub evidence: Option<WordProof>,
}

/// A model with the examples that it and its successors are measured on.
pub trait Trial: Any + fmt::Debug + Send + Sync {
    /// The accuracy, exact to the part per million.
    fn accuracy(&self) -> Ppm;

    /// Number of examples.
    fn rows(&self) -> usize;

    /// The model as a file: the same model always gives the same bytes.
    ///
    /// # Errors
    /// Never in practice: any model has such a file.
    fn file(&self) -> Result<ModelFile, FamilyError>;

    /// Whether another trial is of the same model.
    fn is_same_model(&self, other: &dyn Trial) -> bool;

    /// Does the work of trying one update; each costs the same, whatever it contains.
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

    /// Tries the updates of a window on the best model; an update that cannot be read is none.
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

/// A window of opened updates, and what they are tried on.
#[derive(Clone, Copy, Debug)]
pub struct EvaluationWindow<'a> {
    /// The examples, of any model of the campaign.
    pub trial: &'a dyn Trial,
    /// The file of the published model.
    pub best: &'a [u8],
    /// Its accuracy on the grid.
    pub best_ppm: Ppm,
    /// The updates, in the order of the chain.
    pub updates: &'a [&'a [u8]],
    /// From which the version's keys follow.
    pub seed: &'a VersionSeed,
    /// What they are bound to.
    pub binding: &'a Binding,
    /// The hash of the material that the updates were made from.
    pub material: &'a [u8; 32],
    /// The grid values from the campaign's start upwards.
    pub ladder: &'a Ladder,
    /// Updates that are accepted, at most.
    pub most: u32,
}

/// What a window led to.
#[derive(Debug)]
pub struct WindowEvaluation {
    /// One verdict for each update.
    pub verdicts: Vec<ContentVerdict>,
    /// The best model.
    pub best: ModelFile,
    /// Its accuracy on the grid.
    pub best_ppm: Ppm,
}

/// A published model, with all that training it takes.
pub trait OpenedModel: fmt::Debug + Send + Sync {
    /// Trains, and makes the update that is sealed.
    ///
    /// # Errors
    /// When the data do not fit, nothing could be learnt, or the watch stops it.
    fn train(&self, task: TrainingTask<'_>) -> Result<Vec<u8>, TrainError>;
}

/// What an update is made of, and who watches.
pub struct TrainingTask<'a> {
    /// The Mine's examples, as the backbone leaves them, if there is one.
    pub examples: &'a Examples,
    /// Their targets, bounded.
    pub targets: &'a Targets,
    /// What the update may tell about the examples; all if `None`.
    pub cost: Option<Zcdp>,
    /// Coins that nobody else can predict or repeat.
    pub coins: &'a mut dyn rand::CryptoRng,
    /// Keeps checkpoints, and may stop it.
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

/// Watches a training. One that ends at once asks for no checkpoint and takes no steps.
pub trait TrainingWatch {
    /// What an earlier run kept.
    ///
    /// # Errors
    /// When the training must not begin.
    fn checkpoint(&mut self) -> Result<Option<ModelFile>, TrainingStopped>;

    /// Notes that the training resumed from the checkpoint.
    fn resumed(&mut self, progress: TrainingProgress);

    /// Notes a step, and keeps a checkpoint when it is due.
    ///
    /// # Errors
    /// When the training must stop.
    fn step(&mut self, progress: TrainingProgress, checkpoint: &dyn Fn() -> ModelFile) -> Result<(), TrainingStopped>;

    /// Notes that nothing but the form of the update is left to do.
    fn trained(&mut self);
}

/// The watch stopped a training, for a reason that it knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the training was stopped")]
pub struct TrainingStopped;

/// Why there is no update.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The watch stopped it.
    #[error(transparent)]
    Stopped(#[from] TrainingStopped),
    /// The data do not fit, or nothing could be learnt.
    #[error(transparent)]
    Family(#[from] FamilyError),
}
