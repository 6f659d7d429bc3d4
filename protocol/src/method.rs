//! What a campaign trains, and who may see it.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use syft::{DataError, FeatureMap, Labels, Material, ModelError, Parameters, Rule, RuleError, Shape, Weights};
use syft_nets::{ConstantError, Model, Network, Release, Schedule};
use zeroize::Zeroizing;

use crate::{
    backbone::{Backbone, BackboneError, network_file_limit},
    data::Schema,
};

/// Numbers of a validation set as a model reads it, at most: half a gigabyte.
const MAX_NUMBERS: usize = 1 << 26;
/// Multiplications to measure a model once, at most: some minutes.
const MAX_MEASURING: usize = 1 << 40;

/// Who may see the model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Regime {
    /// The Capsule and the data scientist: Mines train on ciphertexts
    #[default]
    Encrypted,
    /// Everybody: the model is public, and only updates are sealed
    Clear,
}

/// A text that names no regime.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a regime: write `encrypted` (Mines never see the model) or `clear` (the model is public)")]
pub struct ParseRegimeError(String);

impl FromStr for Regime {
    type Err = ParseRegimeError;

    fn from_str(text: &str) -> Result<Self, ParseRegimeError> {
        let known = [Self::Encrypted, Self::Clear];
        known.into_iter().find(|regime| regime.name() == text).ok_or_else(|| ParseRegimeError(text.into()))
    }
}

impl Regime {
    /// Its name in files and options.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Encrypted => "encrypted",
            Self::Clear => "clear",
        }
    }
}

impl fmt::Display for Regime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Encrypted => "encrypted: Mines never see the model",
            Self::Clear => "clear: the model is public",
        })
    }
}

/// What Mines train, and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "regime", rename_all = "kebab-case")]
pub enum Method {
    /// A linear model that they never see.
    Encrypted(Linear),
    /// A network in the clear.
    Clear(Clear),
}

/// A linear model, trained on ciphertexts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Linear {
    /// What raw columns go through first, if anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backbone: Option<Backbone>,
    /// Public constants that turn raw columns, or what the backbone makes of them, into features.
    pub features: FeatureMap,
    /// Shape of the model.
    pub shape: Shape,
    /// How to train.
    pub rule: Rule,
    /// What the score of a class should be.
    pub labels: Labels,
    /// How to encrypt.
    pub parameters: Parameters,
}

/// A network, trained in the clear.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Clear {
    /// What it is made of, with the public constants that standardise raw columns.
    pub network: Network,
    /// From which the starting model follows, unless the data scientist brings one.
    pub seed: u32,
    /// How to train.
    pub schedule: Schedule,
    /// What of the training leaves a Mine.
    pub release: Release,
}

impl Method {
    /// Who may see the model.
    #[must_use]
    pub const fn regime(&self) -> Regime {
        match self {
            Self::Encrypted(_) => Regime::Encrypted,
            Self::Clear(_) => Regime::Clear,
        }
    }

    /// The linear model, in the encrypted regime.
    #[must_use]
    pub const fn linear(&self) -> Option<&Linear> {
        match self {
            Self::Encrypted(linear) => Some(linear),
            Self::Clear(_) => None,
        }
    }

    /// The network, in the clear regime.
    #[must_use]
    pub const fn clear(&self) -> Option<&Clear> {
        match self {
            Self::Encrypted(_) => None,
            Self::Clear(clear) => Some(clear),
        }
    }

    /// What raw columns go through first, if anything.
    #[must_use]
    pub fn backbone(&self) -> Option<&Backbone> {
        self.linear().and_then(|linear| linear.backbone.as_ref())
    }

    /// What a Capsule publishes for a version has at most so many bytes.
    #[must_use]
    pub fn material_limit(&self) -> usize {
        match self {
            Self::Encrypted(linear) => Material::encoded_len(&linear.parameters),
            Self::Clear(clear) => clear.file_limit(),
        }
    }

    /// Number of weights.
    #[must_use]
    pub fn weights(&self) -> usize {
        match self {
            Self::Encrypted(linear) => linear.shape.weights(),
            Self::Clear(clear) => clear.network.parameters(),
        }
    }

    /// Rows of a validation set that a model can be measured on.
    #[must_use]
    pub fn most_rows(&self) -> usize {
        let size = |network: &Network| (network.input().columns(), network.work());
        let (numbers, work) = match self {
            Self::Encrypted(linear) => {
                let (raw, embedding) = linear.backbone.as_ref().map_or((0, 0), |backbone| size(&backbone.network));
                let expanded = linear.features.inputs().saturating_mul(linear.features.columns.len());
                let widest = linear.shape.inputs.max(linear.features.columns.len()).max(raw);
                (widest, embedding.saturating_add(expanded))
            }
            Self::Clear(clear) => size(&clear.network),
        };
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

    /// Checks what came from outside, against the data that it is for.
    ///
    /// # Errors
    /// Names what makes no sense.
    pub fn check(&self, data: &Schema) -> Result<(), MethodError> {
        match self {
            Self::Encrypted(linear) => linear.check(data),
            Self::Clear(clear) => clear.check(data),
        }
    }
}

impl Linear {
    fn check(&self, data: &Schema) -> Result<(), MethodError> {
        use MethodError::Contradiction;
        self.features.check()?;
        self.rule.check()?;
        self.labels.check()?;
        match &self.backbone {
            Some(backbone) => backbone.check(data, &self.features)?,
            None if self.features.columns.len() != data.inputs.len() => {
                return Err(Contradiction("the feature map has another number of columns than the schema"));
            }
            None => {}
        }
        let shape = Shape { inputs: self.features.inputs(), outputs: data.task.outputs() };
        if self.shape != shape || self.parameters.shape() != shape {
            return Err(Contradiction("the model's shape is not that of schema and task"));
        }
        Ok(())
    }
}

impl Clear {
    fn check(&self, data: &Schema) -> Result<(), MethodError> {
        self.schedule.check()?;
        self.release.check()?;
        let shape = (self.network.input().columns(), self.network.outputs());
        if shape != (data.inputs.len(), data.task.outputs()) {
            return Err(MethodError::Contradiction(
                "the network's inputs and outputs are not those of schema and task",
            ));
        }
        Ok(())
    }

    /// Where training starts without a model of the data scientist's: a network that says the same about everything, because its output
    /// layer is all zeros. So its accuracy can be foretold, and is that of a linear model of zeros.
    #[must_use]
    pub fn initial(&self) -> Model {
        let mut seed = [0; 32];
        seed[..4].copy_from_slice(&self.seed.to_be_bytes());
        let model = Model::initial(&self.network, &seed);
        let mut values = model.values().to_vec();
        let output = self.network.outputs() * (self.network.activations() + 1);
        let hidden = values.len().saturating_sub(output);
        values[hidden..].fill(0.0);
        Model::new(self.network.clone(), values).unwrap_or(model)
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

/// A model file that cannot be used in a campaign.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// No linear model.
    #[error(transparent)]
    Linear(#[from] ModelError),
    /// Not a model of the campaign's network.
    #[error(transparent)]
    Network(#[from] syft_nets::ModelError),
    /// A linear model of another shape.
    #[error("the model has {have} weights, the campaign's has {need}")]
    Shape {
        /// Weights of the file.
        have: usize,
        /// Weights of the campaign's model.
        need: usize,
    },
}

impl Linear {
    /// Reads a model of the campaign's shape, untrusted.
    ///
    /// # Errors
    /// When it is none.
    pub fn read(&self, file: &[u8]) -> Result<Weights, FileError> {
        let weights = Weights::from_safetensors(file)?;
        if weights.shape() != self.shape {
            return Err(FileError::Shape { have: weights.shape().weights(), need: self.shape.weights() });
        }
        Ok(weights)
    }
}

impl Clear {
    /// A file of a model has at most so many bytes.
    #[must_use]
    pub fn file_limit(&self) -> usize {
        network_file_limit(&self.network)
    }

    /// Reads a model of the campaign's network, untrusted.
    ///
    /// # Errors
    /// When it is none.
    pub fn read(&self, file: &[u8]) -> Result<Model, FileError> {
        Ok(Model::from_safetensors(file, &self.network)?)
    }
}

/// A linear model as safetensors without metadata.
///
/// # Errors
/// Never in practice.
pub fn plain(model: &Weights) -> Result<Zeroizing<Vec<u8>>, FileError> {
    Ok(model.to_safetensors(std::collections::HashMap::new()).map(Zeroizing::new)?)
}

/// A network as safetensors without metadata of a campaign.
///
/// # Errors
/// Never in practice.
pub fn plain_network(model: &Model) -> Result<Zeroizing<Vec<u8>>, FileError> {
    Ok(model.to_safetensors(std::collections::HashMap::new()).map(Zeroizing::new)?)
}
