//! The journal: what the Mine last decided about each campaign, in the vault, for `mine status` and `mine campaigns`.

use serde::{Deserialize, Serialize};
use sonar_node::{
    files::FileError,
    vault::{SecretStore, VaultError},
};
use sonar_protocol::{
    ids::{CampaignId, Version},
    organisation::Organisation,
    regime::Regime,
    view::CampaignView,
};

use super::state::CampaignState;
use crate::{planner::Action, reasons::Trouble, repository::Fit, training::TrainingStatus};

/// Name of the journal in the vault.
const JOURNAL: &str = "journal";

/// The journal.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Journal {
    /// A line per campaign, in the order of their launch.
    pub campaigns: Vec<JournalLine>,
}

/// The Mine's last decision about one campaign.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JournalLine {
    /// The campaign.
    pub campaign: CampaignId,
    /// Name of the campaign; `None` until the manifest is fetched.
    pub name: Option<String>,
    /// The organisation behind the campaign, according to its owner.
    #[serde(default)]
    pub organisation: Option<Organisation>,
    /// Regime of the campaign; `None` until the manifest is fetched.
    pub regime: Option<Regime>,
    /// Current version of the model.
    pub version: Version,
    /// Progress of the training of a network, as of the last checkpoint.
    pub progress: Option<TrainingStatus>,
    /// The next action, or why there is none.
    pub action: Action,
    /// What went wrong last; `None` after a success.
    pub trouble: Option<Trouble>,
    /// How each data set fits; empty until the manifest is fetched.
    pub fits: Vec<Fit>,
}

impl Journal {
    /// Reads the journal; empty before the first run.
    ///
    /// # Errors
    /// When the store fails.
    pub fn load(store: &dyn SecretStore) -> Result<Self, VaultError> {
        let written = store.find(JOURNAL)?;
        // A journal of an older version of the program counts as empty; the next run rewrites it.
        Ok(written.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default())
    }

    /// Replaces the journal.
    pub(super) fn persist(&self, store: &dyn SecretStore) -> Result<(), VaultError> {
        let bytes =
            serde_json::to_vec(self).map_err(|error| FileError::new("encode", JOURNAL.as_ref())(error.into()))?;
        store.put(JOURNAL, &bytes)
    }
}

impl JournalLine {
    /// The next action, or why there is none, as text.
    #[must_use]
    pub fn describe(&self) -> String {
        match (&self.action, self.progress) {
            (Action::Train, Some(TrainingStatus { epoch, epochs, step, steps })) => {
                format!("{}: epoch {epoch} of {epochs}, step {step} of {steps}", self.action)
            }
            (action, _) => action.to_string(),
        }
    }

    pub(super) fn new(campaign: &CampaignView, state: &CampaignState, action: &Action) -> Self {
        Self {
            campaign: campaign.id,
            name: state.manifest.as_ref().map(|manifest| manifest.name.clone()),
            organisation: state.manifest.as_ref().and_then(|manifest| manifest.organisation.clone()),
            regime: state.manifest.as_ref().map(|manifest| manifest.method.regime()),
            progress: state.training.progress(),
            version: campaign.version(),
            action: action.clone(),
            trouble: state.trouble.clone(),
            fits: state.fits.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use sonar_protocol::units::Timestamp;

    use super::*;
    use crate::{
        planner::{CampaignArtefact, Skip, Wait},
        policy::Objection,
        privacy::ExhaustedBudget,
        reasons::{ManifestProblem, MaterialProblem, PrivacyProblem},
        testing::Memory,
    };

    fn line(action: Action) -> JournalLine {
        JournalLine {
            campaign: [1; 32].into(),
            name: Some("yes or no".into()),
            organisation: None,
            regime: Some(Regime::Encrypted),
            version: Version(2),
            progress: None,
            action,
            trouble: None,
            fits: Vec::new(),
        }
    }

    #[test]
    fn every_decision_has_a_stable_name_and_survives_the_vault() {
        let spent = ExhaustedBudget { data: "own".parse().unwrap(), told: 2, epsilon: 1.5, allowed: 2.0, delta: 1e-6 };
        let skip = |skip| Action::Skip(skip);
        let cases = [
            (skip(Skip::NotOpen), json!({"action": "skip", "reason": "not_open"})),
            (skip(Skip::Over), json!({"action": "skip", "reason": "over"})),
            (skip(Skip::NoData), json!({"action": "skip", "reason": "no_data"})),
            (skip(Skip::Done), json!({"action": "skip", "reason": "done"})),
            (skip(Skip::Spent), json!({"action": "skip", "reason": "spent"})),
            (
                skip(Skip::Paused { until: Some(Timestamp::from_unix(7)) }),
                json!({"action": "skip", "reason": "paused", "until": 7}),
            ),
            (
                skip(Skip::UnusableManifest(ManifestProblem::TooManyRows { most: 3, rows: 4 })),
                json!({"action": "skip", "reason": "unusable_manifest", "problem": "too_many_rows", "most": 3, "rows": 4}),
            ),
            (
                skip(Skip::UnusableMaterial(MaterialProblem::Unbound)),
                json!({"action": "skip", "reason": "unusable_material", "problem": "unbound"}),
            ),
            (skip(Skip::Policy(Objection::Clear)), json!({"action": "skip", "reason": "policy", "rule": "clear"})),
            (
                skip(Skip::Policy(Objection::Bounty { bounty: 3_u128.into(), least: 4_u128.into() })),
                json!({"action": "skip", "reason": "policy", "rule": "bounty", "bounty": "3", "least": "4"}),
            ),
            (
                skip(Skip::Privacy(PrivacyProblem::Spent(spent))),
                json!({
                    "action": "skip", "reason": "privacy", "problem": "spent",
                    "data": "own", "told": 2, "epsilon": 1.5, "allowed": 2.0, "delta": 1e-6
                }),
            ),
            (Action::Fetch(CampaignArtefact::Manifest), json!({"action": "fetch", "artefact": "manifest"})),
            (Action::Fetch(CampaignArtefact::Material), json!({"action": "fetch", "artefact": "material"})),
            (Action::Train, json!({"action": "train"})),
            (Action::Send, json!({"action": "send"})),
            (Action::Wait(Wait::Settlement), json!({"action": "wait", "for": "settlement"})),
            (
                Action::Wait(Wait::CoolDown { until: Timestamp::from_unix(7) }),
                json!({"action": "wait", "for": "cool_down", "until": 7}),
            ),
        ];
        for (action, expected) in cases {
            assert_eq!(serde_json::to_value(&action).unwrap(), expected);
            let store = Memory::default();
            let journal = Journal { campaigns: vec![line(action)] };
            journal.persist(&store).unwrap();
            assert_eq!(Journal::load(&store).unwrap(), journal);
        }
    }

    #[test]
    fn a_failure_has_a_stable_name_too() {
        let trouble = Trouble::TimedOut { step: "send".into(), seconds: 60 };
        let expected = json!({"kind": "timed_out", "step": "send", "seconds": 60});
        assert_eq!(serde_json::to_value(&trouble).unwrap(), expected);
        assert_eq!(serde_json::from_value::<Trouble>(expected).unwrap(), trouble);
    }

    #[test]
    fn a_journal_of_an_older_version_opens_as_an_empty_one() {
        let store = Memory::default();
        assert_eq!(Journal::load(&store).unwrap(), Journal::default());
        let old = json!({"campaigns": [{
            "campaign": format!("0x{}", "01".repeat(32)), "name": null, "version": 1,
            "next": "train: epoch 1 of 3, step 4 of 5", "trouble": null, "fits": []
        }]});
        store.put(JOURNAL, old.to_string().as_bytes()).unwrap();
        assert_eq!(Journal::load(&store).unwrap(), Journal::default());
    }

    #[test]
    fn a_training_is_described_with_its_progress() {
        let progress = Some(TrainingStatus { epoch: 1, epochs: 3, step: 4, steps: 5 });
        let training = JournalLine { progress, ..line(Action::Train) };
        assert_eq!(training.describe(), "train: epoch 1 of 3, step 4 of 5");
        let sending = JournalLine { progress, ..line(Action::Send) };
        assert_eq!(sending.describe(), "submit the update");
    }
}
