//! Measures a model of a campaign, of whatever family, on examples.

use syft::{DataError, Examples, Metric, Ppm, Targets, Trainable, Validation, ValidationError, Weights};
use syft_nets::Model;
use zeroize::Zeroizing;

use crate::{
    manifest::Manifest,
    method::{FileError, Method, plain, plain_network},
};

/// A model with the examples that it and its successors are measured on.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial<M: Trainable> {
    /// The examples.
    pub validation: Validation<M::Inputs>,
    /// The model.
    pub model: M,
}

/// The same for a model of any kind.
#[derive(Debug, Clone, PartialEq)]
pub enum AnyTrial {
    /// Of a campaign in the encrypted regime.
    Linear(Trial<Weights>),
    /// Of a campaign in the clear regime.
    Network(Trial<Model>),
}

/// Why nothing can be measured.
#[derive(Debug, thiserror::Error)]
pub enum TrialError {
    /// On these examples.
    #[error("the validation set: {0}")]
    Validation(#[from] ValidationError),
    /// Of this model.
    #[error("the model: {0}")]
    File(#[from] FileError),
}

impl From<DataError> for TrialError {
    fn from(error: DataError) -> Self {
        Self::Validation(error.into())
    }
}

impl Method {
    /// The model in this file, or the one that a campaign starts with. A launch measures it before there is a manifest.
    ///
    /// # Errors
    /// When the file is no model of this method, or nothing can be measured on the examples.
    pub fn trial(
        &self,
        examples: &Examples,
        targets: Targets,
        metric: Metric,
        file: Option<&[u8]>,
    ) -> Result<AnyTrial, TrialError> {
        Ok(match self {
            Self::Encrypted(linear) => {
                let inputs = linear.features.apply(examples.features())?;
                let validation = Validation::new(inputs, targets, metric)?;
                let model = file.map_or_else(|| Ok(Weights::zeros(linear.shape)), |file| linear.read(file))?;
                AnyTrial::Linear(Trial { validation, model })
            }
            Self::Clear(clear) => {
                let validation = Validation::new(examples.features().clone(), targets, metric)?;
                let model = file.map_or_else(|| Ok(clear.initial()), |file| clear.read(file))?;
                AnyTrial::Network(Trial { validation, model })
            }
        })
    }
}

impl AnyTrial {
    /// The model in this file, or the one that a campaign starts with, on examples as the backbone leaves them, if there is one.
    ///
    /// # Errors
    /// When the file is no model of the campaign's, or nothing can be measured on the examples.
    pub fn new(manifest: &Manifest, examples: &Examples, file: Option<&[u8]>) -> Result<Self, TrialError> {
        manifest.method.trial(examples, manifest.targets(examples)?, manifest.metric, file)
    }

    /// The accuracy, exact to the part per million.
    #[must_use]
    pub fn accuracy(&self) -> Ppm {
        match self {
            Self::Linear(trial) => trial.validation.accuracy(&trial.model),
            Self::Network(trial) => trial.validation.accuracy(&trial.model),
        }
    }

    /// Number of examples.
    #[must_use]
    pub fn rows(&self) -> usize {
        match self {
            Self::Linear(trial) => trial.validation.rows(),
            Self::Network(trial) => trial.validation.rows(),
        }
    }

    /// The model as safetensors, without metadata of a campaign: the same model always gives the same bytes.
    ///
    /// # Errors
    /// Never in practice: any model has such a file.
    pub fn file(&self) -> Result<Zeroizing<Vec<u8>>, FileError> {
        match self {
            Self::Linear(trial) => plain(&trial.model),
            Self::Network(trial) => plain_network(&trial.model),
        }
    }
}
