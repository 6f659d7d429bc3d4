//! The regime: who may see a campaign's model.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Who may see the model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Regime {
    /// Only the Capsule and the data scientist see the model: Mines train on ciphertexts
    #[default]
    Encrypted,
    /// The model is public, and only updates are sealed
    Clear,
}

/// Text that is not a regime.
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

    /// Whether the model is public.
    #[must_use]
    pub const fn is_public(self) -> bool {
        matches!(self, Self::Clear)
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
