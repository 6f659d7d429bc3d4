//! The planner: decides the next action for one campaign, as a pure function of the Mine's state.

use std::fmt;

use alloy::primitives::Address;
use serde::{Deserialize, Serialize};
use sonar_contracts::{Outcome, State, Terms};
use sonar_protocol::{
    families::Algorithm,
    ids::Version,
    units::{Amount, Timestamp},
    view::CampaignView,
};

use crate::{
    pause::{self, Pause},
    policy::{Decision, Facts, Objection, Policy, Protection, Transformation},
    reasons::{ManifestProblem, MaterialProblem, PrivacyProblem},
};

/// Time in seconds for which an obsolete update is kept. After a rollback of the chain the same bytes must be sent
/// again, because a second ciphertext of the same version would disclose more about the data than one may.
pub const KEEP_SECONDS: u32 = 3_600;

/// State of a campaign's manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Offer {
    /// It is not fetched yet.
    Unknown,
    /// It is invalid.
    Unusable(ManifestProblem),
    /// It is valid.
    Known {
        /// Training algorithm.
        algorithm: Algorithm,
        /// What transforms rows.
        transformation: Transformation,
        /// Number of the Mine's rows that fit.
        rows: usize,
    },
}

/// State of the current version's key material.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Supply {
    /// It is not fetched yet.
    Missing,
    /// It is invalid, or differs from the chain.
    Refused(MaterialProblem),
    /// It is available.
    Ready,
}

/// State of the outbox for the current version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum OutboxStage {
    /// It has a sealed update.
    Sealed,
    /// An update was made and dropped. No second one is made.
    Spent,
}

/// Input of the decision.
#[derive(Clone, Copy, Debug)]
pub struct PlannerInput<'a> {
    /// The campaign on chain.
    pub campaign: &'a CampaignView,
    /// This Mine's account.
    pub me: Address,
    /// Time of the chain, which decides.
    pub now: Timestamp,
    /// The policy file.
    pub policy: &'a Policy,
    /// State of the manifest.
    pub offer: &'a Offer,
    /// State of the current version's key material.
    pub supply: &'a Supply,
    /// State of the outbox for the current version; `None` if no update was made for it.
    pub stage: Option<OutboxStage>,
    /// Why the privacy budget allows no further update of the data that fits.
    pub exhausted: Option<&'a PrivacyProblem>,
    /// Stake of this Mine's unsettled submissions to other campaigns, in wei.
    pub at_stake_elsewhere: Amount,
    /// The pause that applies to the campaign.
    pub paused: Option<&'a Pause>,
}

/// The next action.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Action {
    /// Do nothing until the campaign, the policy or the data changes.
    Skip(Skip),
    /// Fetch an artefact from IPFS.
    Fetch(CampaignArtefact),
    /// Train, encrypt or compress, seal, and store the update.
    Train,
    /// Submit the stored update.
    Send,
    /// Wait.
    Wait(Wait),
}

/// An artefact on IPFS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "artefact", rename_all = "snake_case")]
pub enum CampaignArtefact {
    /// The manifest of the campaign.
    Manifest,
    /// The model of the current version with its key material, and the Capsule's certificate.
    Material,
}

/// Why the Mine does nothing for a campaign.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum Skip {
    /// The Capsule has not activated the campaign.
    NotOpen,
    /// The campaign takes no more submissions.
    Over,
    /// The manifest cannot be used.
    UnusableManifest(ManifestProblem),
    /// The policy excludes the campaign.
    Policy(Objection),
    /// None of the Mine's data sets fits.
    NoData,
    /// The privacy budget allows no further update.
    Privacy(PrivacyProblem),
    /// The material cannot be used.
    UnusableMaterial(MaterialProblem),
    /// The update for this version was submitted.
    Done,
    /// An update was made for this version and dropped.
    Spent,
    /// The owner paused the Mine.
    Paused {
        /// When the pause ends by the clock of this machine; `None` until `mine resume`.
        until: Option<Timestamp>,
    },
}

/// What the Mine waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "for", rename_all = "snake_case")]
pub enum Wait {
    /// The settlement of the current window.
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
            Self::Fetch(CampaignArtefact::Manifest) => f.write_str("fetch the manifest"),
            Self::Fetch(CampaignArtefact::Material) => f.write_str("fetch the model"),
            Self::Train => f.write_str("train"),
            Self::Send => f.write_str("submit the update"),
            Self::Wait(Wait::Settlement) => f.write_str("wait for the settlement of the window"),
            Self::Wait(Wait::CoolDown { until }) => {
                write!(f, "wait for the end of the cool-down (unix time {})", until.unix())
            }
        }
    }
}

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotOpen => f.write_str("not open yet"),
            Self::Over => f.write_str("takes no more submissions"),
            Self::UnusableManifest(why) => write!(f, "unusable manifest: {why}"),
            Self::Policy(objection) => objection.fmt(f),
            Self::NoData => f.write_str("no data set fits"),
            Self::Privacy(why) => why.fmt(f),
            Self::UnusableMaterial(why) => write!(f, "unusable model: {why}"),
            Self::Done => f.write_str("update submitted; waiting for the next version of the model"),
            Self::Spent => f.write_str("the update for this version was dropped; a Mine makes only one per version"),
            Self::Paused { until } => pause::describe(*until, f),
        }
    }
}

/// Decides the next action. A pause replaces only the start of new work. An update that was made is sent: its privacy
/// cost is charged, and it may have been sent before, with a stake that only the same bytes can earn back.
#[must_use]
pub fn next(situation: &PlannerInput<'_>) -> Action {
    match (situation.paused, decide(situation)) {
        (Some(pause), Action::Fetch(_) | Action::Train) => Action::Skip(Skip::Paused { until: pause.until }),
        (_, action) => action,
    }
}

fn decide(situation: &PlannerInput<'_>) -> Action {
    closed(situation).or_else(|| unwanted(situation)).or_else(|| blocked(situation)).unwrap_or_else(|| work(situation))
}

/// Reasons of the campaign itself.
fn closed(situation: &PlannerInput<'_>) -> Option<Action> {
    let PlannerInput { campaign, now, .. } = *situation;
    match campaign.state {
        State::None | State::Proposed => Some(Action::Skip(Skip::NotOpen)),
        State::Closed | State::Finalized | State::Released | State::Convicted | State::Refunded => {
            Some(Action::Skip(Skip::Over))
        }
        State::Open if now >= campaign.terms.deadline() => Some(Action::Skip(Skip::Over)),
        State::Open => None,
    }
}

/// Reasons of the policy and the data.
fn unwanted(situation: &PlannerInput<'_>) -> Option<Action> {
    let later = match situation.policy.decide(&facts(situation)) {
        Decision::Refused(objection) => return Some(Action::Skip(Skip::Policy(objection))),
        Decision::Later(until) => Some(until),
        Decision::Allowed => None,
    };
    match situation.offer {
        Offer::Unknown => return Some(Action::Fetch(CampaignArtefact::Manifest)),
        Offer::Unusable(why) => return Some(Action::Skip(Skip::UnusableManifest(why.clone()))),
        Offer::Known { rows: 0, .. } => return Some(Action::Skip(Skip::NoData)),
        Offer::Known { .. } => {}
    }
    // After the submission, only its settlement matters.
    let submitted = situation.campaign.uploads(situation.me) > 0;
    later.filter(|_| !submitted).map(|until| Action::Wait(Wait::CoolDown { until }))
}

fn facts(situation: &PlannerInput<'_>) -> Facts {
    let (algorithm, transformation) = match situation.offer {
        Offer::Known { algorithm, transformation, .. } => (Some(*algorithm), transformation.clone()),
        Offer::Unknown | Offer::Unusable(_) => (None, Transformation::Checked),
    };
    let facts = facts_of(&situation.campaign.terms, situation.now);
    Facts {
        algorithm,
        transformation,
        protection: Protection { unpaid: unpaid(situation.campaign, situation.me), ..facts.protection },
        at_stake_elsewhere: situation.at_stake_elsewhere,
        last_submission: last_submission(situation.campaign, situation.me),
        ..facts
    }
}

/// What follows from the terms alone, for a Mine that has not submitted anything.
#[must_use]
pub fn facts_of(terms: &Terms, now: Timestamp) -> Facts {
    Facts {
        owner: terms.owner,
        token: terms.token,
        bounty: terms.bounty.into(),
        algorithm: None,
        transformation: Transformation::Checked,
        protection: protection(terms),
        stake: terms.submissionStake.into(),
        at_stake_elsewhere: Amount::ZERO,
        last_submission: None,
        now,
    }
}

/// The part of a campaign's terms that protects Mines.
#[must_use]
pub fn protection(terms: &Terms) -> Protection {
    let bounty = Amount::from(terms.bounty);
    Protection {
        bounty_in_eth: terms.token.is_zero().then_some(bounty),
        stake: terms.stake.into(),
        evaluation_seconds: terms.evaluationSeconds.into(),
        delivery_seconds: terms.deliverySeconds.into(),
        audit_seconds: terms.audit.period.into(),
        has_audit_keys: !terms.audit.keys.is_zero(),
        unpaid: 0,
    }
}

/// Number of a miner's updates without improvement in a campaign that has paid nobody.
fn unpaid(campaign: &CampaignView, me: Address) -> u32 {
    if campaign.awarded != Amount::ZERO {
        return 0;
    }
    let submissions = campaign.settled.iter().flat_map(|window| &window.submissions);
    let vain = submissions.filter(|submission| submission.miner == me && submission.outcome == Outcome::NotImproved);
    u32::try_from(vain.count()).unwrap_or(u32::MAX)
}

/// Reasons of the current window.
fn blocked(situation: &PlannerInput<'_>) -> Option<Action> {
    let PlannerInput { campaign, me, now, .. } = *situation;
    let window = &campaign.window.submissions;
    if campaign.uploads(me) > 0 {
        let pending = window.iter().any(|submission| submission.miner == me);
        return Some(if pending { Action::Wait(Wait::Settlement) } else { Action::Skip(Skip::Done) });
    }
    if situation.stage == Some(OutboxStage::Spent) {
        return Some(Action::Skip(Skip::Spent));
    }
    if !campaign.takes_submissions(now) {
        return Some(if window.is_empty() { Action::Skip(Skip::Over) } else { Action::Wait(Wait::Settlement) });
    }
    None
}

fn work(situation: &PlannerInput<'_>) -> Action {
    // An update that was made has been charged to the budget, and may be sent.
    if let (None, Some(why)) = (situation.stage, situation.exhausted) {
        return Action::Skip(Skip::Privacy(why.clone()));
    }
    match (situation.stage, situation.supply) {
        (Some(_), _) => Action::Send,
        (None, Supply::Missing) => Action::Fetch(CampaignArtefact::Material),
        (None, Supply::Refused(why)) => Action::Skip(Skip::UnusableMaterial(why.clone())),
        (None, Supply::Ready) => Action::Train,
    }
}

/// Time of a miner's last submission to a campaign.
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

/// Stake of this Mine's unsettled submissions to a campaign in wei, including the one being sent.
#[must_use]
pub fn at_stake(campaign: &CampaignView, me: Address, action: &Action) -> Amount {
    let coming = match action {
        Action::Train | Action::Send => campaign.terms.submissionStake.into(),
        Action::Skip(_) | Action::Fetch(_) | Action::Wait(_) => Amount::ZERO,
    };
    campaign.stakes(me).held.saturating_add(coming)
}

/// Whether the update for a version will never be sent again, not even after a rollback of the chain.
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
    const KNOWN: Offer = Offer::Known { algorithm: PROXIMAL, transformation: Transformation::Checked, rows: 10 };

    struct Case {
        offer: Offer,
        supply: Supply,
        stage: Option<OutboxStage>,
        policy: Policy,
        exhausted: Option<PrivacyProblem>,
        paused: Option<Pause>,
    }

    impl Case {
        fn new() -> Self {
            let policy = Policy::default();
            Self { offer: KNOWN, supply: Supply::Ready, stage: None, policy, exhausted: None, paused: None }
        }

        fn next(&self, story: &Story) -> Action {
            next(&PlannerInput {
                campaign: story.campaign(),
                me: ME,
                now: story.now,
                policy: &self.policy,
                offer: &self.offer,
                supply: &self.supply,
                stage: self.stage,
                exhausted: self.exhausted.as_ref(),
                at_stake_elsewhere: Amount::ZERO,
                paused: self.paused.as_ref(),
            })
        }
    }

    #[test]
    fn a_campaign_is_served_step_by_step() {
        let mut story = Story::opened();
        let mut case = Case { offer: Offer::Unknown, supply: Supply::Missing, ..Case::new() };
        assert_eq!(case.next(&story), Action::Skip(Skip::NotOpen));
        story.activate();
        assert_eq!(case.next(&story), Action::Fetch(CampaignArtefact::Manifest));
        case.offer = KNOWN;
        assert_eq!(case.next(&story), Action::Fetch(CampaignArtefact::Material));
        case.supply = Supply::Ready;
        assert_eq!(case.next(&story), Action::Train);
        case.stage = Some(OutboxStage::Sealed);
        assert_eq!(case.next(&story), Action::Send);
        story.submit(ME);
        assert_eq!(case.next(&story), Action::Wait(Wait::Settlement));
        story.settle(&[None]);
        assert_eq!(case.next(&story), Action::Skip(Skip::Done));
        story.submit(OTHER);
        story.settle(&[Some(30)]);
        case.stage = None;
        case.supply = Supply::Missing;
        assert_eq!(case.next(&story), Action::Fetch(CampaignArtefact::Material));
        story.close();
        assert_eq!(case.next(&story), Action::Skip(Skip::Over));
    }

    #[test]
    fn an_update_is_made_once_a_version() {
        let mut story = Story::opened();
        story.activate();
        let spent = Case { stage: Some(OutboxStage::Spent), ..Case::new() };
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
        case.stage = Some(OutboxStage::Sealed);
        assert_eq!(case.next(&story), Action::Send);
    }

    #[test]
    fn a_pause_stops_new_work_but_not_the_way_of_what_was_made_or_staked() {
        let mut story = Story::opened();
        story.activate();
        let until = Some(Timestamp::from_unix(7_000));
        let paused = Action::Skip(Skip::Paused { until });
        let pause = Pause { since: story.now, until, after_job: false };
        let mut case = Case { paused: Some(pause), offer: Offer::Unknown, supply: Supply::Missing, ..Case::new() };
        assert_eq!(case.next(&story), paused, "no manifest is fetched");
        assert_eq!(paused.to_string(), "paused until 1970-01-01T01:56:40Z; `mine resume` ends the pause earlier");
        case.offer = KNOWN;
        assert_eq!(case.next(&story), paused, "no model is fetched");
        case.supply = Supply::Ready;
        assert_eq!(case.next(&story), paused, "nothing is trained");
        case.stage = Some(OutboxStage::Sealed);
        assert_eq!(case.next(&story), Action::Send);
        story.submit(ME);
        assert_eq!(case.next(&story), Action::Wait(Wait::Settlement));
        story.close();
        assert_eq!(case.next(&story), Action::Skip(Skip::Over));
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
        let no_data = Case {
            offer: Offer::Known { algorithm: PROXIMAL, transformation: Transformation::Checked, rows: 0 },
            ..Case::new()
        };
        assert_eq!(no_data.next(&story), Action::Skip(Skip::NoData));
        let forged = Case { supply: Supply::Refused(MaterialProblem::Unbound), ..Case::new() };
        assert!(forged.next(&story).to_string().contains("not the key material that the Capsule committed to"));
        let picky = Case { policy: Policy { data_scientists: [ME].into(), ..Policy::default() }, ..Case::new() };
        assert!(matches!(picky.next(&story), Action::Skip(Skip::Policy(_))));
        let careful = Policy { max_stake: Amount::from(STAKE - 1), ..Policy::default() };
        let careful = Case { policy: careful, ..Case::new() };
        assert!(careful.next(&story).to_string().contains("the stake of a submission is 0.000003 ETH"));
    }

    #[test]
    fn attack_refusing_everybody_gets_five_updates_of_a_mine() {
        let mut story = Story::opened();
        story.activate();
        for _ in 0..5 {
            assert!(!matches!(Case::new().next(&story), Action::Skip(Skip::Policy(_))));
            story.submit(ME);
            story.settle(&[None]);
        }
        let skip = Case::new().next(&story);
        assert!(skip.to_string().contains("5 of your updates did not improve the model"), "{skip}");
        // A campaign that pays is served on.
        story.submit(OTHER);
        story.settle(&[Some(30)]);
        assert_eq!(Case::new().next(&story), Action::Train);
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
        /// In every state: nothing is trained or sent that could not be accepted, and nothing is trained or sent twice
        /// for one version.
        #[test]
        fn work_is_done_only_when_it_counts(steps in steps(), sealed: bool, paused: bool) {
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
                let pause = Pause { since: story.now, until: None, after_job: false };
                let case = Case {
                    stage: sealed.then_some(OutboxStage::Sealed),
                    paused: paused.then_some(pause),
                    ..Case::new()
                };
                let campaign = story.campaign();
                match case.next(&story) {
                    action @ (Action::Train | Action::Send) => {
                        prop_assert!(campaign.takes_submissions(story.now));
                        prop_assert_eq!(campaign.uploads(ME), 0);
                        prop_assert_eq!(action == Action::Send, sealed);
                        prop_assert!(sealed || !paused);
                    }
                    Action::Wait(Wait::Settlement) => prop_assert!(!campaign.window.submissions.is_empty()),
                    Action::Skip(_) => {}
                    other => prop_assert!(false, "{:?}", other),
                }
            }
        }
    }
}
