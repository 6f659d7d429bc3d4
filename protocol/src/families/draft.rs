//! How a campaign file chooses a family and its settings.

use syft::{DataError, Examples, SeedIndex};

use super::family::{Algorithm, Family, FamilyError};
use crate::{
    backbone::Backbone,
    campaign::{CampaignFile, CampaignFileError},
    data::Schema,
    lineage::{Parent, ParentMismatch},
    regime::Regime,
};

/// A family, as campaign files choose it.
pub trait Draft: Family + Sized {
    /// Its name in `model.family`.
    const NAME: &'static str;
    /// Regime of its models. The first family of a regime is the default.
    const REGIME: Regime;
    /// Training algorithms of its models.
    const ALGORITHMS: &'static [Algorithm];

    /// Checks the settings of a campaign file that depend on the family.
    ///
    /// # Errors
    /// Names the field, and what to do.
    fn check_file(file: &CampaignFile) -> Result<(), CampaignFileError>;

    /// Chooses the settings that the campaign file leaves open, and describes the choice.
    ///
    /// # Errors
    /// When the model does not fit the data.
    fn draft(brief: Brief<'_>) -> Result<(Self, String), DraftError>;
}

/// Input of the choice of a method.
#[derive(Debug)]
pub struct Brief<'a> {
    /// The campaign file.
    pub file: &'a CampaignFile,
    /// The schema of the data.
    pub data: &'a Schema,
    /// The validation set, transformed by the backbone if there is one.
    pub examples: &'a Examples,
    /// The backbone that transforms raw columns first, if any.
    pub backbone: Option<Backbone>,
    /// Index of the seed of random constants.
    pub seed: SeedIndex,
    /// The campaign whose result the model starts from. Its public constants are taken, because its weights mean nothing
    /// under others.
    pub parent: Option<&'a Parent>,
}

/// Why no method fits a campaign file.
#[derive(Debug, thiserror::Error)]
pub enum DraftError {
    /// The validation set does not fit the model.
    #[error("the features of the validation set: {0}")]
    Examples(DataError),
    /// The model does not fit the data, or is too large.
    #[error(transparent)]
    Model(FamilyError),
    /// The model is not of the parent campaign's kind.
    #[error(transparent)]
    Parent(#[from] ParentMismatch),
}

impl From<DataError> for DraftError {
    fn from(error: DataError) -> Self {
        match error {
            DataError::TooLarge { .. } => {
                Self::Model(FamilyError::new(format!("the features of the validation set: {error}")))
            }
            _ => Self::Examples(error),
        }
    }
}

/// The description of constants that were taken from the parent campaign.
pub(super) fn inherited(parent: &Parent) -> String {
    format!("the constants of campaign {}, whose result it starts from", parent.id.short())
}

/// A choice, with its reason if the campaign file left it open.
pub(super) fn explain(kind: &dyn std::fmt::Display, why: Option<&str>) -> String {
    why.map_or_else(|| kind.to_string(), |why| format!("{kind}: {why}"))
}
