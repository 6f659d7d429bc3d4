//! How a campaign file chooses a family, and what of it.

use syft::{DataError, Examples};

use super::family::{Algorithm, Family, FamilyError};
use crate::{
    backbone::Backbone,
    campaign::{CampaignFile, CampaignFileError},
    data::Schema,
    regime::Regime,
};

/// A family that campaign files can choose.
pub trait Draft: Family + Sized {
    /// Its name in `model.family`.
    const NAME: &'static str;
    /// Who may see its models. The first family of a regime is the usual one.
    const REGIME: Regime;
    /// The ways in which Mines train its models.
    const ALGORITHMS: &'static [Algorithm];

    /// Refuses what a campaign file says that does not go with the family.
    ///
    /// # Errors
    /// Names the field, and what to do.
    fn check_file(file: &CampaignFile) -> Result<(), CampaignFileError>;

    /// Chooses what the campaign file leaves open, and describes the choice.
    ///
    /// # Errors
    /// When there is no such model of the data.
    fn draft(brief: Brief<'_>) -> Result<(Self, String), DraftError>;
}

/// What a method is chosen for.
#[derive(Debug)]
pub struct Brief<'a> {
    /// What the data scientist wants.
    pub file: &'a CampaignFile,
    /// What the data must look like.
    pub data: &'a Schema,
    /// The validation set, as the backbone leaves it, if there is one.
    pub examples: &'a Examples,
    /// What raw columns go through first, if anything.
    pub backbone: Option<Backbone>,
    /// From which random constants follow.
    pub seed: u32,
}

/// Why there is no method for a campaign file.
#[derive(Debug, thiserror::Error)]
pub enum DraftError {
    /// The validation set does not go with the model.
    #[error("the features of the validation set: {0}")]
    Examples(DataError),
    /// The model does not go with the data, or is too large.
    #[error(transparent)]
    Model(FamilyError),
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

/// A choice with the reason for it, if the campaign file left it open.
pub(super) fn explain(kind: &dyn std::fmt::Display, why: Option<&str>) -> String {
    why.map_or_else(|| kind.to_string(), |why| format!("{kind}: {why}"))
}
