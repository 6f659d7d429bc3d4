//! What a Mine does next in one campaign: a pure function of what it knows.

use std::fmt;

use alloy::primitives::Address;
use serde::{Deserialize, Serialize};
use sonar_contracts::State;
use sonar_protocol::{
    families::Algorithm,
    ids::Version,
    units::{Amount, Timestamp},
    view::CampaignView,
};

use crate::{
    policy::{Decision, Facts, Objection, Policy},
    reasons::{ManifestProblem, MaterialProblem, PrivacyProblem},
};

/// Seconds for which an update that is no longer of use is kept. A chain that was rolled back for less than this wants the
/// same bytes again; a second ciphertext of the same version would say more about the data than one may.
pub const KEEP_SECONDS: u32 = 3_600;

/// What is known about a campaign's manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Offer {
    /// It was not fetched yet.
    Unknown,
    /// It is not what it should be.
    Unusable(ManifestProblem),
    /// It is good.
    Known {
        /// How to train.
        algorithm: Algorithm,
        /// Whether rows go through a network of the data scientist's choice.
        backbone: bool,
        /// Rows of the Mine's data that fit.
        rows: usize,
    },
}

/// What is known about the material of the present version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Supply {
    /// It was not fetched yet.
    Missing,
    /// It is not what the chain names, or must not be used.
    Refused(MaterialProblem),
    /// It is at hand.
    Ready,
}

/// What the outbox holds for the present version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// A sealed update.
    Sealed,
    /// Only the memory that an update was made. No second one is.
    Spent,
}

/// All that the next action depends on.
#[derive(Clone, Copy, Debug)]
pub struct Situation<'a> {
    /// The campaign as the chain has it.
    pub campaign: &'a CampaignView,
    /// This Mine's account.
    pub me: Address,
    /// The time by which the chain decides.
    pub now: Timestamp,
    /// The owner's rules.
    pub policy: &'a Policy,
    /// The manifest.
    pub offer: &'a Offer,
    /// The material of the present version.
    pub supply: &'a Supply,
    /// The outbox for the present version; `None` when no update was made for it.
    pub stage: Option<Stage>,
    /// Why the owner's privacy budget allows no further update of the data that fit.
    pub exhausted: Option<&'a PrivacyProblem>,
    /// Wei that our submissions to other campaigns put at stake.
    pub at_stake_elsewhere: Amount,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Action {
    /// Nothing, unless something about the campaign, the policy or the data changes.
    Skip(Skip),
    /// Get something from IPFS.
    Fetch(Artefact),
    /// Train, encrypt or shorten, seal, and keep the result.
    Train,
    /// Submit the update that was kept.
    Send,
    /// Nothing yet.
    Wait(Wait),
}

/// Something on IPFS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "artefact", rename_all = "snake_case")]
pub enum Artefact {
    /// What the campaign is about.
    Manifest,
    /// The model of the present version, with its keys if it is encrypted, with the Capsule's certificate.
    Material,
}

/// Why nothing is done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum Skip {
    /// The Capsule has not activated it.
    NotOpen,
    /// It takes no more submissions.
    Over,
    /// The manifest cannot be used.
    UnusableManifest(ManifestProblem),
    /// The owner does not want it.
    Policy(Objection),
    /// None of the Mine's data sets fits.
    NoData,
    /// The owner's privacy budget allows no further update.
    Privacy(PrivacyProblem),
    /// The material cannot be used.
    UnusableMaterial(MaterialProblem),
    /// This version had our update and did not change.
    Done,
    /// An update was made for this version and given up long ago.
    Spent,
}

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "for", rename_all = "snake_case")]
pub enum Wait {
    /// The settlement of the present window.
    Settlement,
    /// The end of the cool-down.
    CoolDown {
        /// When it ends.
        until: Timestamp,
    },
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Skip(skip) => skip.fmt(f),
            Self::Fetch(Artefact::Manifest) => f.write_str("fetch the manifest"),
            Self::Fetch(Artefact::Material) => f.write_str("fetch the model"),
            Self::Train => f.write_str("train"),
            Self::Send => f.write_str("submit the update"),
            Self::Wait(Wait::Settlement) => f.write_str("wait for the settlement of the window"),
            Self::Wait(Wait::CoolDown { until }) => write!(f, "cool down until unix time {}", until.unix()),
        }
    }
}

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotOpen => f.write_str("not open yet"),
            Self::Over => f.write_str("takes no more submissions"),
            Self::UnusableManifest(why) => write!(f, "the manifest cannot be used: {why}"),
            Self::Policy(objection) => objection.fmt(f),
            Self::NoData => f.write_str("no data set fits"),
            Self::Privacy(why) => why.fmt(f),
            Self::UnusableMaterial(why) => write!(f, "the published model is refused: {why}"),
            Self::Done => f.write_str("submitted; nothing to add until the model changes"),
            Self::Spent => f.write_str("an update for this version was given up; there is only one a version"),
        }
    }
}

/// Decides what to do next.
#[must_use]
pub fn next(situation: &Situation<'_>) -> Action {
    closed(situation).or_else(|| unwanted(situation)).or_else(|| blocked(situation)).unwrap_or_else(|| work(situation))
}

/// The campaign takes nothing, whatever anyone wants.
fn closed(situation: &Situation<'_>) -> Option<Action> {
    let Situation { campaign, now, .. } = *situation;
    match campaign.state {
        State::None | State::Proposed => Some(Action::Skip(Skip::NotOpen)),
        State::Closed | State::Finalized | State::Refunded => Some(Action::Skip(Skip::Over)),
        State::Open if now >= campaign.terms.deadline() => Some(Action::Skip(Skip::Over)),
        State::Open => None,
    }
}

/// The owner does not want it, or has nothing for it.
fn unwanted(situation: &Situation<'_>) -> Option<Action> {
    let later = match situation.policy.decide(&facts(situation)) {
        Decision::Refused(objection) => return Some(Action::Skip(Skip::Policy(objection))),
        Decision::Later(until) => Some(until),
        Decision::Allowed => None,
    };
    match situation.offer {
        Offer::Unknown => return Some(Action::Fetch(Artefact::Manifest)),
        Offer::Unusable(why) => return Some(Action::Skip(Skip::UnusableManifest(why.clone()))),
        Offer::Known { rows: 0, .. } => return Some(Action::Skip(Skip::NoData)),
        Offer::Known { .. } => {}
    }
    // What was submitted needs no more patience than its settlement does.
    let submitted = situation.campaign.uploads(situation.me) > 0;
    later.filter(|_| !submitted).map(|until| Action::Wait(Wait::CoolDown { until }))
}

fn facts(situation: &Situation<'_>) -> Facts {
    let (algorithm, backbone) = match situation.offer {
        Offer::Known { algorithm, backbone, .. } => (Some(*algorithm), *backbone),
        Offer::Unknown | Offer::Unusable(_) => (None, false),
    };
    let terms = &situation.campaign.terms;
    Facts {
        owner: terms.owner,
        token: terms.token,
        bounty: Amount::from(terms.bounty),
        algorithm,
        backbone,
        stake: Amount::from(terms.submissionStake),
        at_stake_elsewhere: situation.at_stake_elsewhere,
        last_submission: last_submission(situation.campaign, situation.me),
        now: situation.now,
    }
}

/// There is nothing to submit to at the moment, or we have submitted.
fn blocked(situation: &Situation<'_>) -> Option<Action> {
    let Situation { campaign, me, now, .. } = *situation;
    let window = &campaign.window.submissions;
    if campaign.uploads(me) > 0 {
        let pending = window.iter().any(|submission| submission.miner == me);
        return Some(if pending { Action::Wait(Wait::Settlement) } else { Action::Skip(Skip::Done) });
    }
    if situation.stage == Some(Stage::Spent) {
        return Some(Action::Skip(Skip::Spent));
    }
    if !campaign.takes_submissions(now) {
        return Some(if window.is_empty() { Action::Skip(Skip::Over) } else { Action::Wait(Wait::Settlement) });
    }
    None
}

fn work(situation: &Situation<'_>) -> Action {
    // What was made has been charged, and may be sent.
    if let (None, Some(why)) = (situation.stage, situation.exhausted) {
        return Action::Skip(Skip::Privacy(why.clone()));
    }
    match (situation.stage, situation.supply) {
        (Some(_), _) => Action::Send,
        (None, Supply::Missing) => Action::Fetch(Artefact::Material),
        (None, Supply::Refused(why)) => Action::Skip(Skip::UnusableMaterial(why.clone())),
        (None, Supply::Ready) => Action::Train,
    }
}

/// When a miner last submitted to a campaign.
#[must_use]
pub fn last_submission(campaign: &CampaignView, me: Address) -> Option<Timestamp> {
    let settled = campaign
        .settled
        .iter()
        .flat_map(|window| &window.submissions)
        .filter(|submission| submission.miner == me)
        .map(|submission| submission.at.timestamp);
    let window = &campaign.window;
    let pending = window
        .submissions
        .iter()
        .zip(&window.positions)
        .filter(|(submission, _)| submission.miner == me)
        .map(|(_, at)| at.timestamp);
    settled.chain(pending).max()
}

/// Wei that our submissions to a campaign put at stake, the one that is on its way included.
#[must_use]
pub fn at_stake(campaign: &CampaignView, me: Address, action: &Action) -> Amount {
    let coming = match action {
        Action::Train | Action::Send => campaign.terms.submissionStake.into(),
        Action::Skip(_) | Action::Fetch(_) | Action::Wait(_) => Amount::ZERO,
    };
    campaign.stakes(me).held.saturating_add(coming)
}

/// Whether the update that was made for a version will never be sent again, not even to a chain that was rolled back.
#[must_use]
pub fn is_useless(campaign: &CampaignView, version: Version, now: Timestamp) -> bool {
    let replaced = campaign.versions.iter().find(|later| later.version > version).map(|later| later.at.timestamp);
    let over = campaign.closed.map(|at| at.timestamp);
    [replaced, over].into_iter().flatten().min().is_some_and(|since| now >= since.plus(KEEP_SECONDS))
}

#[cfg(test)]
mod tests {
    use sonar_protocol::regime::Regime;

    use super::*;
    use crate::testing::{ME, OTHER, STAKE, Story};
    use proptest::prelude::*;

    const PROXIMAL: Algorithm = Algorithm { name: "proximal", description: "", regime: Regime::Encrypted };
    const KNOWN: Offer = Offer::Known { algorithm: PROXIMAL, backbone: false, rows: 10 };

    struct Case {
        offer: Offer,
        supply: Supply,
        stage: Option<Stage>,
        policy: Policy,
        exhausted: Option<PrivacyProblem>,
    }

    impl Case {
        fn new() -> Self {
            let policy = Policy::default();
            Self { offer: KNOWN, supply: Supply::Ready, stage: None, policy, exhausted: None }
        }

        fn next(&self, story: &Story) -> Action {
            next(&Situation {
                campaign: story.campaign(),
                me: ME,
                now: story.now,
                policy: &self.policy,
                offer: &self.offer,
                supply: &self.supply,
                stage: self.stage,
                exhausted: self.exhausted.as_ref(),
                at_stake_elsewhere: Amount::ZERO,
            })
        }
    }

    #[test]
    fn a_campaign_is_served_step_by_step() {
        let mut story = Story::opened();
        let mut case = Case { offer: Offer::Unknown, supply: Supply::Missing, ..Case::new() };
        assert_eq!(case.next(&story), Action::Skip(Skip::NotOpen));
        story.activate();
        assert_eq!(case.next(&story), Action::Fetch(Artefact::Manifest));
        case.offer = KNOWN;
        assert_eq!(case.next(&story), Action::Fetch(Artefact::Material));
        case.supply = Supply::Ready;
        assert_eq!(case.next(&story), Action::Train);
        case.stage = Some(Stage::Sealed);
        assert_eq!(case.next(&story), Action::Send);
        story.submit(ME);
        assert_eq!(case.next(&story), Action::Wait(Wait::Settlement));
        story.settle(&[None]);
        assert_eq!(case.next(&story), Action::Skip(Skip::Done));
        story.submit(OTHER);
        story.settle(&[Some(30)]);
        case.stage = None;
        case.supply = Supply::Missing;
        assert_eq!(case.next(&story), Action::Fetch(Artefact::Material));
        story.close();
        assert_eq!(case.next(&story), Action::Skip(Skip::Over));
    }

    #[test]
    fn an_update_is_made_once_a_version() {
        let mut story = Story::opened();
        story.activate();
        let spent = Case { stage: Some(Stage::Spent), ..Case::new() };
        assert_eq!(spent.next(&story), Action::Skip(Skip::Spent));
    }

    #[test]
    fn a_spent_budget_ends_training_but_not_the_way_of_what_was_charged() {
        let mut story = Story::opened();
        story.activate();
        let spent = PrivacyProblem::Noise { detail: "ε is spent".into() };
        let mut case = Case { exhausted: Some(spent.clone()), supply: Supply::Missing, ..Case::new() };
        let skip = case.next(&story);
        assert_eq!((skip.to_string().as_str(), skip), ("ε is spent", Action::Skip(Skip::Privacy(spent))));
        case.stage = Some(Stage::Sealed);
        assert_eq!(case.next(&story), Action::Send);
    }

    #[test]
    fn a_full_window_is_waited_for_and_not_trained_for() {
        let mut story = Story::opened();
        story.activate();
        for _ in 0..story.campaign().terms.windowSize {
            story.submit(OTHER);
        }
        assert_eq!(Case::new().next(&story), Action::Wait(Wait::Settlement));
    }

    #[test]
    fn reasons_against_a_campaign_are_told() {
        let mut story = Story::opened();
        story.activate();
        let unusable = Case {
            offer: Offer::Unusable(ManifestProblem::OtherTerms { detail: "other bounty".into() }),
            ..Case::new()
        };
        assert!(unusable.next(&story).to_string().contains("other bounty"));
        let no_data = Case { offer: Offer::Known { algorithm: PROXIMAL, backbone: false, rows: 0 }, ..Case::new() };
        assert_eq!(no_data.next(&story), Action::Skip(Skip::NoData));
        let forged = Case { supply: Supply::Refused(MaterialProblem::Unbound), ..Case::new() };
        assert!(forged.next(&story).to_string().contains("not the material that the Capsule bound itself to"));
        let picky = Case { policy: Policy { data_scientists: [ME].into(), ..Policy::default() }, ..Case::new() };
        assert!(matches!(picky.next(&story), Action::Skip(Skip::Policy(_))));
        let careful = Policy { max_stake: Amount::from(STAKE - 1), ..Policy::default() };
        let careful = Case { policy: careful, ..Case::new() };
        assert!(careful.next(&story).to_string().contains("puts 0.000003 ETH at stake"));
    }

    #[test]
    fn the_cool_down_runs_between_submissions_to_one_campaign() {
        let mut story = Story::opened();
        story.activate();
        story.submit(ME);
        let submitted_at = story.now;
        story.settle(&[Some(30)]);
        let patient = Case { policy: Policy { cool_down_seconds: 1_000, ..Policy::default() }, ..Case::new() };
        let until = submitted_at.plus(1_000_u32);
        assert_eq!(patient.next(&story), Action::Wait(Wait::CoolDown { until }));
        story.now = until;
        assert_eq!(patient.next(&story), Action::Train);
    }

    #[test]
    fn updates_outlive_their_version_by_a_while() {
        let mut story = Story::opened();
        story.activate();
        story.submit(ME);
        story.settle(&[Some(30)]);
        let replaced = story.now;
        let useless = |now| is_useless(story.campaign(), Version(1), now);
        assert!(!useless(replaced));
        assert!(!useless(replaced.plus(KEEP_SECONDS - 1)));
        assert!(useless(replaced.plus(KEEP_SECONDS)));
        assert!(!is_useless(story.campaign(), Version(2), Timestamp::from_unix(u64::MAX)));
    }

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Mine,
        Theirs,
        Settle(bool),
        Later(u64),
        Close,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            1 => Just(Step::Mine),
            3 => Just(Step::Theirs),
            3 => any::<bool>().prop_map(Step::Settle),
            1 => (1u64..100).prop_map(Step::Later),
            1 => Just(Step::Close),
        ];
        prop::collection::vec(step, 0..40)
    }

    proptest! {
        /// Whatever happens: nothing is trained or sent when it could not be taken, nothing is trained twice for one
        /// version, and nothing is sent twice to one.
        #[test]
        fn work_is_done_only_when_it_counts(steps in steps(), sealed: bool) {
            let mut story = Story::opened();
            story.activate();
            for step in steps {
                match step {
                    Step::Mine if story.takes() && story.campaign().uploads(ME) == 0 => story.submit(ME),
                    Step::Theirs if story.takes() => story.submit(OTHER),
                    Step::Settle(accept) => story.settle_all(accept),
                    Step::Later(seconds) => story.now = story.now.plus(seconds),
                    Step::Close => story.close_if_idle(),
                    Step::Mine | Step::Theirs => {}
                }
                let case = Case { stage: sealed.then_some(Stage::Sealed), ..Case::new() };
                let campaign = story.campaign();
                match case.next(&story) {
                    action @ (Action::Train | Action::Send) => {
                        prop_assert!(campaign.takes_submissions(story.now));
                        prop_assert_eq!(campaign.uploads(ME), 0);
                        prop_assert_eq!(action == Action::Send, sealed);
                    }
                    Action::Wait(Wait::Settlement) => prop_assert!(!campaign.window.submissions.is_empty()),
                    Action::Skip(_) => {}
                    other => prop_assert!(false, "{:?}", other),
                }
            }
        }
    }
}
