//! Families of models: everything that differs between kinds of models.
//!
//! A family is one file with two traits: [`Draft`], by which a campaign file chooses it, and [`Family`], by which the
//! programs use it. A line in `register!` below registers both. Nothing else depends on the set of families.

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
    Algorithm, Answers, EvaluationWindow, Family, FamilyError, FreeConstant, MeasuredTrial, MethodError, ModelFile,
    OpenedModel, PublishedMaterial, Recomputation, RowCost, TooManyRows, TrainError, TrainingStopped, TrainingTask,
    TrainingWatch, Trial, TrialError, WindowEvaluation,
};
pub use secrecy::{PartyStatement, Secrecy, SecurityFigure, UpdateEncryption};

macro_rules! register {
    ($($(#[doc = $doc:literal])* $(#[cfg($cfg:meta)])? $name:ident($family:ty),)*) => {
        /// The method of a campaign: a family with the settings of the campaign.
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

        /// Checks the settings of a campaign file that depend on its family.
        ///
        /// # Errors
        /// Names the field, and what to do.
        pub fn check_file(file: &CampaignFile) -> Result<(), CampaignFileError> {
            $($(#[cfg($cfg)])? if is_chosen::<$family>(file) {
                return <$family>::check_file(file);
            })*
            Err(unknown(file))
        }

        /// Chooses the settings that the campaign file leaves open, and describes the choice.
        ///
        /// # Errors
        /// When the model does not fit the data.
        pub fn draft(brief: Brief<'_>) -> Result<(Method, String), DraftError> {
            $($(#[cfg($cfg)])? if is_chosen::<$family>(brief.file) {
                let (family, what) = <$family>::draft(brief)?;
                return Ok((Method::$name(family), what));
            })*
            Err(DraftError::Model(FamilyError::new(unknown(brief.file))))
        }

        /// The families of the campaign file's regime.
        fn names(file: &CampaignFile) -> Vec<&'static str> {
            let all = [$($(#[cfg($cfg)])? (<$family>::REGIME, <$family>::NAME)),*];
            all.into_iter().filter(|(regime, _)| *regime == file.model.regime).map(|(_, name)| name).collect()
        }

        /// The training algorithms of all families.
        #[must_use]
        pub fn algorithms() -> Vec<Algorithm> {
            [$($(#[cfg($cfg)])? <$family>::ALGORITHMS),*].concat()
        }
    };
}

// The name of a variant is the value of `regime` in format 3 of the manifest; a second family of a regime needs another
// name.
register! {
    /// A linear model, trained on ciphertexts.
    Encrypted(Linear),
    /// A public network.
    Clear(Clear),
    /// Frequencies of classes.
    #[cfg(test)]
    Constant(constant::Constant),
}

/// Whether a campaign file chooses this family, if it did not choose an earlier one.
fn is_chosen<F: Draft>(file: &CampaignFile) -> bool {
    file.model.regime == F::REGIME && file.model.family.as_deref().is_none_or(|family| family == F::NAME)
}

fn unknown(file: &CampaignFile) -> CampaignFileError {
    let family = file.model.family.as_deref().unwrap_or_default();
    let (regime, names) = (file.model.regime.name(), names(file).join("` or `"));
    let message = format!("`{family}` is not a family of the {regime} regime: write `{names}`, or set another regime");
    CampaignFileError::model("model.family", message)
}

impl Method {
    /// The linear model, if this is one.
    #[must_use]
    pub const fn linear(&self) -> Option<&Linear> {
        if let Self::Encrypted(linear) = self { Some(linear) } else { None }
    }

    /// The network, if this is one.
    #[must_use]
    pub const fn clear(&self) -> Option<&Clear> {
        if let Self::Clear(clear) = self { Some(clear) } else { None }
    }
}

/// Text that is not a training algorithm.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is not a training algorithm: write {}", names.join(", "))]
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
