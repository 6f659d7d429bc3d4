//! The policies that `mine init` offers.

use clap::ValueEnum as _;

use super::{Backbones, Consent, Policy};
use crate::privacy::Budget;

/// What an owner has to know who sets no privacy budget.
pub const EXACT: &str = "Without a privacy budget, the Capsule of a campaign can compute exact averages of your data.";

/// A policy to start from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Preset {
    /// A privacy budget for every data set, encrypted models and checked maps only: what updates disclose about a row
    /// is bounded, and fewer updates are accepted and paid
    Careful,
    /// Encrypted models and checked maps only, without a privacy budget: a Capsule can compute exact averages of your
    /// data
    #[default]
    Balanced,
    /// Every campaign, also with public models and with networks or maps that can be built to single out a row
    Open,
}

impl Preset {
    /// All presets, the most careful first.
    pub const ALL: [Self; 3] = [Self::Careful, Self::Balanced, Self::Open];

    /// Its name in options, and what it means in one sentence.
    #[must_use]
    pub fn describe(self) -> (String, String) {
        let value = self.to_possible_value().unwrap_or_default();
        (value.get_name().into(), value.get_help().map(ToString::to_string).unwrap_or_default())
    }

    /// The rules.
    #[must_use]
    pub fn policy(self) -> Policy {
        match self {
            Self::Careful => {
                Policy { privacy: Some(Budget::usual()), backbone: Backbones::Refuse, ..Policy::default() }
            }
            Self::Balanced => Policy::default(),
            Self::Open => Policy { clear: Consent::Allow, backbone: Backbones::Allow, ..Policy::default() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_mean_what_they_say() {
        let careful = Preset::Careful.policy();
        assert!(careful.privacy.is_some() && careful.clear == Consent::Refuse && careful.backbone == Backbones::Refuse);
        let balanced = Preset::Balanced.policy();
        assert!(
            balanced.privacy.is_none()
                && balanced.clear == Consent::Refuse
                && balanced.backbone == Backbones::WithBudget
        );
        let open = Preset::Open.policy();
        assert!(open.privacy.is_none() && open.clear == Consent::Allow && open.backbone == Backbones::Allow);
        // No policy gives up the checks of the terms, which protect the Mine's work and stake.
        for preset in Preset::ALL {
            assert_eq!(preset.policy().terms, balanced.terms);
        }
    }

    #[test]
    fn every_preset_is_described() {
        let names = Preset::ALL.map(|preset| preset.describe().0);
        assert_eq!(names, ["careful", "balanced", "open"]);
        assert!(Preset::ALL.iter().all(|preset| preset.describe().1.len() > 20));
        assert_eq!(Preset::default(), Preset::Balanced);
    }
}
