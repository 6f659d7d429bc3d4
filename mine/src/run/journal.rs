//! What the Mine last decided about each campaign, in the vault, for `mine status` and `mine campaigns`.

use serde::{Deserialize, Serialize};
use sonar_protocol::{
    ids::{CampaignId, Version},
    regime::Regime,
    view::CampaignView,
};

use super::state::CampaignState;
use crate::{
    planner::Action,
    repository::Fit,
    store::{Store, StoreError},
    training::Progress,
};

/// Where `mine status` finds what the run last decided.
const JOURNAL: &str = "journal";

/// What the Mine last decided, for `mine status`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Journal {
    /// A line for each campaign, in the order in which they were opened.
    pub campaigns: Vec<JournalLine>,
}

/// What the Mine last decided about one campaign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalLine {
    /// The campaign.
    pub campaign: CampaignId,
    /// Its name, once its manifest is known.
    pub name: Option<String>,
    /// Who may see the model, once the manifest is known.
    #[serde(default)]
    pub regime: Option<Regime>,
    /// The model's present version.
    pub version: Version,
    /// How far the training of a network is, as a restart would find it.
    #[serde(default)]
    pub progress: Option<Progress>,
    /// What is done next, or why nothing is.
    pub next: String,
    /// What went wrong last, if it was not made good yet.
    pub trouble: Option<String>,
    /// How each data set fits, once the manifest is known.
    pub fits: Vec<Fit>,
}

impl Journal {
    /// What the last run wrote; empty before the first.
    ///
    /// # Errors
    /// When the store does not work.
    pub fn load(store: &dyn Store) -> Result<Self, StoreError> {
        if store.list(JOURNAL)?.is_empty() {
            return Ok(Self::default());
        }
        // A journal of another version of this program says nothing.
        Ok(serde_json::from_slice(&store.get(JOURNAL)?).unwrap_or_default())
    }

    /// Replaces what the last run wrote.
    pub(super) fn persist(&self, store: &dyn Store) -> Result<(), StoreError> {
        let bytes = serde_json::to_vec(self).map_err(|error| StoreError(error.into()))?;
        store.put(JOURNAL, &bytes)
    }
}

impl JournalLine {
    pub(super) fn new(campaign: &CampaignView, state: &CampaignState, action: &Action) -> Self {
        Self {
            campaign: campaign.id,
            name: state.manifest.as_ref().map(|manifest| manifest.name.clone()),
            regime: state.manifest.as_ref().map(|manifest| manifest.method.regime()),
            progress: state.leash.progress(),
            version: campaign.version(),
            next: match state.leash.progress() {
                Some(Progress { epoch, epochs, step, steps }) if *action == Action::Train => {
                    format!("{action}: epoch {epoch} of {epochs}, step {step} of {steps}")
                }
                _ => action.to_string(),
            },
            trouble: state.trouble.clone(),
            fits: state.fits.clone(),
        }
    }
}
