//! Families of models: all that differs between campaigns of one kind of model and another.
//!
//! A family is one file with two traits: [`Draft`], by which a campaign file chooses it, and [`Family`], by which the programs use what was
//! chosen. Its line in `register!` below makes both known. Nothing else depends on which families there are.

use std::{ops::Deref, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

use crate::campaign::{CampaignFile, CampaignFileError};

mod clear;
#[cfg(test)]
mod constant;
mod draft;
mod encrypted;
mod export;
mod family;
mod secrecy;

pub use clear::{Clear, NetworkTraining, plain_network};
pub use draft::{Brief, Draft, DraftError};
pub use encrypted::{Linear, LinearFileError, plain, word_proof};
pub use export::{DeliveryError, Export, Format, ParseFormatError};
pub use family::{
    Algorithm, EvaluationWindow, Family, FamilyError, MeasuredTrial, MethodError, ModelFile, OpenedModel,
    PublishedMaterial, Recomputation, RowCost, TooManyRows, TrainError, TrainingStopped, TrainingTask, TrainingWatch,
    Trial, TrialError, WindowEvaluation,
};
pub use secrecy::{PartyStatement, Secrecy, SecurityFigure, UpdateEncryption};

macro_rules! register {
    ($($(#[doc = $doc:literal])* $(#[cfg($cfg:meta)])? $name:ident($family:ty),)*) => {
        /// What Mines train, and how: a family with everything that a campaign chose of it.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "regime", rename_all = "kebab-case")]
        pub enum Method {
            $($(#[doc = $doc])* $(#[cfg($cfg)])? $name($family),)*
        }

        impl Deref for Method {
            type Target = dyn Family;

            fn deref(&self) -> &Self::Target {
                match self {
                    $($(#[cfg($cfg)])? Self::$name(family) => family,)*
                }
            }
        }

        /// Refuses what a campaign file says that does not go with its family.
        ///
        /// # Errors
        /// Names the field, and what to do.
        pub fn check_file(file: &CampaignFile) -> Result<(), CampaignFileError> {
            $($(#[cfg($cfg)])? if is_chosen::<$family>(file) {
                return <$family>::check_file(file);
            })*
            Err(unknown(file))
        }

        /// Chooses what the campaign file leaves open, and describes the choice.
        ///
        /// # Errors
        /// When there is no such model of the data.
        pub fn draft(brief: Brief<'_>) -> Result<(Method, String), DraftError> {
            $($(#[cfg($cfg)])? if is_chosen::<$family>(brief.file) {
                let (family, what) = <$family>::draft(brief)?;
                return Ok((Method::$name(family), what));
            })*
            Err(DraftError::Model(FamilyError::new(unknown(brief.file))))
        }

        /// The families that can be chosen in the regime of a campaign file.
        fn names(file: &CampaignFile) -> Vec<&'static str> {
            let all = [$($(#[cfg($cfg)])? (<$family>::REGIME, <$family>::NAME)),*];
            all.into_iter().filter(|(regime, _)| *regime == file.model.regime).map(|(_, name)| name).collect()
        }

        /// The ways of training of all families.
        #[must_use]
        pub fn algorithms() -> Vec<Algorithm> {
            [$($(#[cfg($cfg)])? <$family>::ALGORITHMS),*].concat()
        }
    };
}

// The name of a variant is the value of `regime` in the manifest's form 3; a second family of a regime needs another.
register! {
    /// A linear model that Mines never see.
    Encrypted(Linear),
    /// A network in the clear.
    Clear(Clear),
    /// Frequencies of classes.
    #[cfg(test)]
    Constant(constant::Constant),
}

/// Whether a campaign file chooses a family, if none before was chosen.
fn is_chosen<F: Draft>(file: &CampaignFile) -> bool {
    file.model.regime == F::REGIME && file.model.family.as_deref().is_none_or(|family| family == F::NAME)
}

fn unknown(file: &CampaignFile) -> CampaignFileError {
    let family = file.model.family.as_deref().unwrap_or_default();
    let (regime, names) = (file.model.regime.name(), names(file).join("` or `"));
    let message = format!("`{family}` is not a family of the {regime} regime: write `{names}`, or take another regime");
    CampaignFileError::model("model.family", message)
}

impl Method {
    /// The linear model, if it is one.
    #[must_use]
    pub const fn linear(&self) -> Option<&Linear> {
        if let Self::Encrypted(linear) = self { Some(linear) } else { None }
    }

    /// The network, if it is one.
    #[must_use]
    pub const fn clear(&self) -> Option<&Clear> {
        if let Self::Clear(clear) = self { Some(clear) } else { None }
    }
}

/// A text that names no way of training.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is not a way of training: write {}", names.join(", "))]
pub struct ParseAlgorithmError {
    name: String,
    names: Vec<&'static str>,
}

impl FromStr for Algorithm {
    type Err = ParseAlgorithmError;

    fn from_str(name: &str) -> Result<Self, ParseAlgorithmError> {
        let known = algorithms();
        known.iter().find(|algorithm| algorithm.name == name).copied().ok_or_else(|| ParseAlgorithmError {
            name: name.into(),
            names: known.iter().map(|algorithm| algorithm.name).collect(),
        })
    }
}

impl<'de> Deserialize<'de> for Algorithm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}
