//! Obstacles: what keeps Mines from joining a campaign, as far as manifest, terms and chain show it.
//!
//! A Mine decides by the policy of its owner, which nobody else knows. So this compares a campaign with the policy that
//! every Mine starts with, and with what its work costs.

use alloy::primitives::{B256, U256};
use serde::Serialize;
use sonar_contracts::{CloseReason, Outcome, STAKE_UNIT, State, payout};
use syft::privacy::Zcdp;
use utoipa::ToSchema;

use crate::{
    families::FreeConstant,
    manifest::Manifest,
    terms::usual_stake,
    units::{Amount, Timestamp, TokenUnit, percent},
    view::CampaignView,
};

/// Range of the time for an evaluation, in seconds, that a Mine accepts by default: an honest Capsule needs a minute,
/// and no update waits for longer than a day.
pub const USUAL_EVALUATION: (u64, u64) = (60, 86_400);
/// The same for the delivery: ten minutes to a week.
pub const USUAL_DELIVERY: (u64, u64) = (600, 604_800);
/// The same for the audit period: an hour to thirty days.
pub const USUAL_AUDIT: (u64, u64) = (3_600, 2_592_000);
/// Maximum stake of one submission that a Mine accepts by default, in wei: 0.001 ETH.
pub const USUAL_SUBMISSION_STAKE: u128 = 1_000 * STAKE_UNIT;
/// ε of the privacy budget that the careful policy of a Mine sets.
pub const USUAL_EPSILON: f64 = 3.0;
/// Its δ: suits up to about a million rows.
pub const USUAL_DELTA: f64 = 1e-6;
/// Its number of uploads: enough for one or two campaigns.
pub const USUAL_UPLOADS: u32 = 20;

/// Gas of a submission and of the withdrawal of its pay, rounded up.
const JOIN_GAS: u64 = 120_000;
/// Least time that a Mine needs to find a campaign, to train and to submit, in seconds.
const LEAST_TIME: u64 = 1_800;
/// Time without an update after which a campaign counts as quiet, in seconds.
const QUIET: u64 = 6 * 3_600;
/// Number of columns above which few data sets have them all.
const MANY_COLUMNS: usize = 100;
/// A range narrower than this part of its values fits few data sets.
const NARROW: f64 = 1e-3;
/// Size of the published model above which Mines on slow lines hesitate, in bytes.
const LARGE_MODEL: usize = 100_000_000;
/// Number of multiplications per row above which training is slow.
const SLOW_ROW: usize = 50_000_000;
/// Number of rows above which a need for rows is worth mentioning.
const MANY_ROWS: usize = 1_000;
/// No data set of a Mine is larger.
const MOST_ROWS: usize = 16_777_216;
/// Number of evaluated updates after which a lack of improvement says something.
const ENOUGH_TRIED: usize = 5;

/// What the obstacle is about. The names are stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ObstacleKind {
    /// The campaign takes no updates in this state.
    State,
    /// The deadline has passed or is near.
    Deadline,
    /// All submissions or accepts are used.
    Full,
    /// The Capsule is late with a settlement.
    CapsuleLate,
    /// Nobody can read the manifest.
    Manifest,
    /// The model is public.
    Regime,
    /// Rows go through something of the data scientist's choice.
    Constants,
    /// The bounty is in a token.
    Token,
    /// The Capsule has little to lose.
    CapsuleStake,
    /// A time in the terms is unusual.
    Times,
    /// Nobody can audit the Capsule.
    AuditKeys,
    /// The stake of a submission is high.
    SubmissionStake,
    /// An improvement pays less than it costs.
    Pay,
    /// Few data sets have the columns.
    Columns,
    /// Few values are within a range.
    Range,
    /// The model is large, or training is slow.
    Cost,
    /// Mines with a privacy budget need many rows.
    Rows,
    /// A window waits long until it is settled.
    Window,
    /// Nobody has submitted for a long time.
    Quiet,
    /// No update has improved the model.
    NotImproved,
    /// Every update was rejected for its form.
    Rejected,
}

/// Whom an obstacle keeps away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Affected {
    /// Everybody.
    Everybody,
    /// Every Mine whose owner has not changed the default policy.
    DefaultPolicy,
    /// Some Mines.
    Some,
}

impl Affected {
    /// In words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Everybody => "keeps everybody away",
            Self::DefaultPolicy => "keeps Mines with the default policy away",
            Self::Some => "keeps some Mines away",
        }
    }
}

/// Something that keeps Mines from joining a campaign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Obstacle {
    /// What it is about.
    pub kind: ObstacleKind,
    /// Whom it keeps away.
    pub affects: Affected,
    /// What is so.
    pub text: String,
    /// What the owner can do about it.
    pub advice: String,
}

/// What is known about a campaign.
#[derive(Clone, Copy, Debug)]
pub struct CampaignFacts<'a> {
    /// The campaign on chain.
    pub view: &'a CampaignView,
    /// Its manifest; `None` if nobody has it.
    pub manifest: Option<&'a Manifest>,
    /// The unit of its token.
    pub token: &'a TokenUnit,
    /// Price of a unit of gas in wei, if it is known.
    pub gas_price: Option<u128>,
    /// Time of the chain.
    pub now: Timestamp,
}

/// Everything that keeps Mines from joining, what keeps most of them away first.
#[must_use]
pub fn obstacles(facts: &CampaignFacts<'_>) -> Vec<Obstacle> {
    let mut list = List(Vec::new());
    list.chain(facts);
    if facts.view.state == State::Open || facts.view.state == State::Proposed {
        list.terms(facts);
        match facts.manifest {
            Some(manifest) => list.manifest(manifest),
            None => list.add(
                ObstacleKind::Manifest,
                Affected::Everybody,
                "Sonar does not have the manifest, so that no Mine can read what the campaign is about.",
                "Run `sonar campaign launch` with the same files again: it offers manifest and bundle once more.",
            ),
        }
    }
    list.0.sort_by_key(|obstacle| obstacle.affects);
    list.0
}

/// A duration in its largest unit, as in `3 h`.
fn span(seconds: u64) -> String {
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7_199 => format!("{} min", seconds / 60),
        7_200..=172_799 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

struct List(Vec<Obstacle>);

impl List {
    fn add(&mut self, kind: ObstacleKind, affects: Affected, text: impl Into<String>, advice: impl Into<String>) {
        self.0.push(Obstacle { kind, affects, text: text.into(), advice: advice.into() });
    }

    /// What the chain shows.
    fn chain(&mut self, facts: &CampaignFacts<'_>) {
        let view = facts.view;
        match view.state {
            State::Open if view.is_closing() => self.add(
                ObstacleKind::State,
                Affected::Everybody,
                "The owner has announced the end: the campaign closes when its window is settled.",
                "Launch another campaign; `initial = \"campaign:0x…\"` starts it from this one's result.",
            ),
            State::Open => self.open(facts),
            State::Proposed => self.add(
                ObstacleKind::State,
                Affected::Everybody,
                match view.declined {
                    Some(reason) => format!("The Capsule declined the campaign: {reason}."),
                    None => "The Capsule has not activated the campaign yet.".into(),
                },
                format!(
                    "Wait for it; if nothing happens within {} of the launch, `sonar campaign close` takes the money back.",
                    span(view.terms.activationSeconds.into())
                ),
            ),
            state => {
                let reason = match view.reason {
                    CloseReason::None => String::new(),
                    reason => format!(" ({reason})"),
                };
                self.add(
                    ObstacleKind::State,
                    Affected::Everybody,
                    format!("The campaign is {state}{reason} and takes no updates."),
                    "Launch another campaign; `initial = \"campaign:0x…\"` starts it from a delivered result.",
                );
            }
        }
    }

    fn open(&mut self, facts: &CampaignFacts<'_>) {
        let (view, now) = (facts.view, facts.now);
        let terms = &view.terms;
        let left = terms.deadline().since(now);
        if now >= terms.deadline() {
            self.add(
                ObstacleKind::Deadline,
                Affected::Everybody,
                format!("The deadline {} has passed.", terms.deadline()),
                "Close the campaign with `sonar campaign close`, and launch another with a later deadline.",
            );
        } else if left < LEAST_TIME {
            self.add(
                ObstacleKind::Deadline,
                Affected::Some,
                format!(
                    "Only {} are left until the deadline; a Mine that finds the campaign now may be too late.",
                    span(left)
                ),
                "Give the next campaign days: a deadline costs nothing, and you can close a campaign at any time.",
            );
        }
        if view.submissions >= terms.maxSubmissions || view.accepts >= u32::from(terms.maxAccepts) {
            self.add(
                ObstacleKind::Full,
                Affected::Everybody,
                format!(
                    "It has all updates that it takes: {} of {} submitted, {} of {} accepted.",
                    view.submissions, terms.maxSubmissions, view.accepts, terms.maxAccepts
                ),
                "Launch another campaign from the result; a larger model allows more updates under the leak budget.",
            );
        }
        let window = &view.window;
        if window.is_closed(now) && now > window.closes_at.plus(terms.evaluationSeconds) {
            self.add(
                ObstacleKind::CapsuleLate,
                Affected::Everybody,
                format!(
                    "The Capsule has not settled window {}, which closed at {}; its time is over.",
                    window.index, window.closes_at
                ),
                "`sonar campaign close` ends the campaign and takes the rest of the bounty back.",
            );
        }
        self.activity(facts);
    }

    /// What has been submitted so far.
    fn activity(&mut self, facts: &CampaignFacts<'_>) {
        let (view, now) = (facts.view, facts.now);
        let pending = view.window.positions.last();
        let settled = view.settled.iter().flat_map(|window| &window.submissions);
        let last = pending.or_else(|| settled.clone().last().map(|submission| &submission.at));
        let since = last.map_or(view.changed_at, |at| at.timestamp);
        let quiet = now.since(since);
        if quiet >= QUIET {
            let what = if view.submissions == 0 {
                "Nobody has submitted since the activation"
            } else {
                "Nobody has submitted since the last update"
            };
            self.add(
                ObstacleKind::Quiet,
                Affected::Some,
                format!("{what}, {} ago.", span(quiet)),
                "Each obstacle in this list may be the reason. If there is no other: no running Mine has data that fits the \
                 columns and ranges. `sonar campaign simulate` shows what shares of a training file would earn.",
            );
        }
        let outcomes: Vec<Outcome> = settled.map(|submission| submission.outcome).collect();
        if outcomes.len() < ENOUGH_TRIED || view.accepts > 0 {
            return;
        }
        let (tried, rejected) =
            (outcomes.len(), outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Rejected(_))).count());
        if rejected == tried {
            self.add(
                ObstacleKind::Rejected,
                Affected::Some,
                format!("All {tried} updates were rejected for their form, and lost their stakes."),
                "Mines with another version of the program may be the reason; ask their owners to update.",
            );
        } else {
            self.add(
                ObstacleKind::NotImproved,
                Affected::DefaultPolicy,
                format!("None of {tried} updates improved the model by a grid step of {}. Mines stop after a few updates without pay.", percent(view.terms.grid())),
                "The start may be as good as the Mines' data allows, or the validation set differs from their data. A finer \
                 grid (more validation rows) pays smaller improvements.",
            );
        }
    }

    /// What the terms ask for.
    fn terms(&mut self, facts: &CampaignFacts<'_>) {
        let terms = &facts.view.terms;
        let eth = |amount: Amount| TokenUnit::eth().format(amount);
        if !terms.token.is_zero() {
            self.add(
                ObstacleKind::Token,
                Affected::DefaultPolicy,
                format!("The bounty is in {}, and a stranger's token may be worthless.", facts.token.symbol),
                format!("Pay in ETH, or ask Mines to run `mine policy set --token {}`.", terms.token.to_checksum(None)),
            );
        }
        let (stake, usual) = (Amount::from(terms.stake), usual_stake(terms.token, terms.bounty.into()));
        if stake < usual {
            self.add(
                ObstacleKind::CapsuleStake,
                Affected::DefaultPolicy,
                format!("The Capsule locks {} for this campaign; Mines expect {}.", eth(stake), eth(usual)),
                format!(
                    "Launch with `--stake {}`, or choose a Capsule with more free stake.",
                    eth(usual).trim_end_matches(" ETH")
                ),
            );
        }
        for (name, field, seconds, (least, most)) in [
            ("time for an evaluation", "evaluation_seconds", terms.evaluationSeconds, USUAL_EVALUATION),
            ("time for the delivery", "delivery_seconds", terms.deliverySeconds, USUAL_DELIVERY),
            ("audit period", "audit_seconds", terms.audit.period, USUAL_AUDIT),
        ] {
            if !(least..=most).contains(&u64::from(seconds)) {
                self.add(
                    ObstacleKind::Times,
                    Affected::DefaultPolicy,
                    format!("The {name} is {}; Mines expect {} to {}.", span(seconds.into()), span(least), span(most)),
                    format!("Choose `limits.{field}` within this range, or leave it out."),
                );
            }
        }
        if terms.audit.keys == B256::ZERO {
            self.add(
                ObstacleKind::AuditKeys,
                Affected::Everybody,
                "The terms name no audit keys, so that nobody can check what the Capsule did.",
                "Launch with the current version of `sonar`, which always names them.",
            );
        }
        let (stake, most) = (Amount::from(terms.submissionStake), Amount::from(USUAL_SUBMISSION_STAKE));
        if stake > most {
            self.add(
                ObstacleKind::SubmissionStake,
                Affected::DefaultPolicy,
                format!("A submission deposits {}; Mines deposit at most {} by default, and lose an eighth if it is not accepted.", eth(stake), eth(most)),
                "Lower `limits.submission_stake`, or leave it out.",
            );
        }
        if terms.windowSize > 1 && u64::from(terms.windowSeconds) > 86_400 {
            self.add(
                ObstacleKind::Window,
                Affected::Some,
                format!(
                    "A window that is not full waits {} until it is settled and paid.",
                    span(terms.windowSeconds.into())
                ),
                "Lower `limits.window_seconds` or `limits.window`.",
            );
        }
        self.pay(facts);
    }

    /// Compares pay and gas, if the pay is in ETH.
    fn pay(&mut self, facts: &CampaignFacts<'_>) {
        let (view, terms) = (facts.view, &facts.view.terms);
        let best = view.start_ppm.map_or(terms.start(), |_| view.best_ppm);
        let step = payout(terms.bounty, terms.targetPpm, best.get(), best.get().saturating_add(terms.gridPpm));
        let left = payout(terms.bounty, terms.targetPpm, best.get(), terms.targetPpm);
        let pay = |amount: u128| facts.token.format(amount.into());
        if step == 0 && left == 0 {
            self.add(
                ObstacleKind::Pay,
                Affected::Everybody,
                format!("The model has reached the target of {}; nothing is left to earn.", percent(terms.target())),
                "Close the campaign, and launch another with a higher target.",
            );
            return;
        }
        let Some(price) = facts.gas_price.filter(|_| terms.token.is_zero()) else { return };
        let gas = Amount(U256::from(price).saturating_mul(U256::from(JOIN_GAS)));
        if Amount::from(step) <= gas {
            self.add(
                ObstacleKind::Pay,
                Affected::Some,
                format!(
                    "An improvement by one grid step of {} pays {}; submitting and withdrawing cost about {} of gas. In all {} are left to earn.",
                    percent(terms.grid()), pay(step), TokenUnit::eth().format(gas), pay(left)
                ),
                "Raise the bounty, or choose a target nearer to the start: each point is then worth more.",
            );
        }
    }

    /// What the manifest asks for.
    fn manifest(&mut self, manifest: &Manifest) {
        if manifest.method.regime().is_public() {
            self.add(
                ObstacleKind::Regime,
                Affected::DefaultPolicy,
                "The model is public (clear regime), so that everybody sees what an accepted update changes.",
                "Use the encrypted regime, or ask Mines to run `mine policy set --clear allow`.",
            );
        }
        if let Err(constant) = manifest.check_constants() {
            let advice = match constant {
                FreeConstant::Backbone => {
                    "Launch without `model.backbone`, or ask Mines to set a privacy budget (`mine policy set --epsilon 3`)."
                }
                FreeConstant::Start => {
                    "Launch without `model.initial`, or ask Mines to set a privacy budget (`mine policy set --epsilon 3`)."
                }
                _ => "Keep the usual constants: leave out what sets them, or ask Mines to set a privacy budget.",
            };
            self.add(
                ObstacleKind::Constants,
                Affected::DefaultPolicy,
                format!("Only Mines with a privacy budget join: {constant}, which can be built to single out a row."),
                advice,
            );
        }
        self.schema(manifest);
        self.cost(manifest);
    }

    fn schema(&mut self, manifest: &Manifest) {
        let inputs = &manifest.data.inputs;
        if inputs.len() > MANY_COLUMNS && manifest.method.backbone().is_none() {
            self.add(
                ObstacleKind::Columns,
                Affected::Some,
                format!(
                    "A data set must have all {} columns by these names, and `{}`.",
                    inputs.len(),
                    manifest.data.target
                ),
                "Publish a sample file with the header, or drop columns that add little.",
            );
        }
        let narrow = |min: f64, max: f64| (max - min) < NARROW * min.abs().max(max.abs());
        for input in inputs.iter().filter(|input| narrow(input.min, input.max)).take(3) {
            self.add(
                ObstacleKind::Range,
                Affected::Some,
                format!(
                    "`{}` must be between {} and {}; data with one value outside does not fit.",
                    input.name, input.min, input.max
                ),
                "Widen the range in `inputs` to what values can be, not to what your validation set has.",
            );
        }
    }

    fn cost(&mut self, manifest: &Manifest) {
        let method = &manifest.method;
        let (bytes, work) = (method.material_limit(), method.row_cost().work);
        if bytes > LARGE_MODEL || work > SLOW_ROW {
            self.add(
                ObstacleKind::Cost,
                Affected::Some,
                format!(
                    "A Mine fetches up to {} MB for each version, and needs about {} million multiplications for each row and pass.",
                    bytes.div_ceil(1_000_000), work.div_ceil(1_000_000)
                ),
                "Choose a smaller feature map, network or backbone.",
            );
        }
        let Ok(budget) = Zcdp::within(USUAL_EPSILON, USUAL_DELTA) else { return };
        let cost = budget.share(USUAL_UPLOADS);
        match least_rows(|rows| method.bears(cost, rows).is_ok()) {
            Some(rows) if rows <= MANY_ROWS => {}
            Some(rows) => self.add(
                ObstacleKind::Rows,
                Affected::Some,
                format!("A Mine with the usual privacy budget (ε = {USUAL_EPSILON}) needs at least {rows} rows."),
                "A smaller model needs fewer rows.",
            ),
            None => self.add(
                ObstacleKind::Rows,
                Affected::Some,
                format!("No Mine with the usual privacy budget (ε = {USUAL_EPSILON}) can take part, whatever its number of rows."),
                "Choose a smaller model, or a training rule with smaller steps.",
            ),
        }
    }
}

/// The least number of rows that suffices; `None` if no number does.
fn least_rows(suffices: impl Fn(usize) -> bool) -> Option<usize> {
    if !suffices(MOST_ROWS) {
        return None;
    }
    // `low` does not suffice, `high` does.
    let (mut low, mut high) = (0, MOST_ROWS);
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if suffices(middle) { high = middle } else { low = middle }
    }
    Some(high)
}

#[cfg(test)]
mod tests {
    use alloy::primitives::Address;
    use proptest::prelude::*;
    use sonar_contracts::Terms;
    use syft::Ppm;

    use super::*;
    use crate::{
        event::{Event, LogPosition, Record},
        handover::Published,
        ids::{CampaignId, Digest, Version, WindowIndex},
        launch::tests::planned,
        view::World,
    };

    const ID: CampaignId = CampaignId(B256::repeat_byte(1));
    const START: u64 = 1_800_000_000;

    fn good() -> Terms {
        Terms {
            owner: Address::repeat_byte(1),
            bounty: 10_u128.pow(18),
            startPpm: 100_000,
            targetPpm: 900_000,
            gridPpm: 50_000,
            maxSubmissions: 100,
            maxAccepts: 10,
            windowSize: 1,
            windowSeconds: 600,
            capPerVersion: 50,
            deadline: START + 7 * 86_400,
            activationSeconds: 3_600,
            evaluationSeconds: 3_600,
            deliverySeconds: 86_400,
            audit: sonar_contracts::AuditTerms { period: 604_800, keys: B256::repeat_byte(8), ..Default::default() },
            stake: 10_u128.pow(17),
            submissionStake: USUAL_SUBMISSION_STAKE,
            ..Terms::default()
        }
    }

    struct Scene {
        world: World,
        time: u64,
    }

    impl Scene {
        fn proposed(terms: Terms) -> Self {
            let mut scene = Self { world: World::default(), time: START };
            let terms = Box::new(terms.try_into().unwrap());
            scene.apply(Event::Opened { id: ID, terms, window_start: B256::ZERO });
            scene
        }

        fn open(terms: Terms) -> Self {
            let mut scene = Self::proposed(terms);
            let (first, start_ppm) = (published(), Ppm::of(1, 10));
            scene.apply(Event::Activated { id: ID, start_ppm, first, certificate: Digest([2; 32]) });
            scene
        }

        fn apply(&mut self, event: Event) {
            let timestamp = Timestamp::from_unix(self.time);
            let at = LogPosition { block: 1, block_hash: B256::ZERO, timestamp, transaction: B256::ZERO, index: 0 };
            self.world.apply(&Record { at, event }).unwrap();
        }

        fn submit(&mut self, window: u32, outcome: Outcome) {
            let (window, version, miner) = (WindowIndex(window), Version(1), Address::repeat_byte(7));
            let content = Digest([3; 32]);
            self.apply(Event::Submitted { id: ID, miner, version, window, index: 0, content });
            let (outcomes, best_ppm) = (vec![outcome], Ppm::of(1, 10));
            self.apply(Event::Settled {
                id: ID,
                window,
                version,
                outcomes,
                best_ppm,
                next: None,
                window_start: B256::ZERO,
            });
        }

        fn found(&self, manifest: Option<&Manifest>, gas_price: u128, after: u64) -> Vec<Obstacle> {
            let mut found = self.all(manifest, gas_price, after);
            // The model of these tests is so small that noise drowns it, which a test of its own expects.
            found.retain(|obstacle| obstacle.kind != ObstacleKind::Rows);
            found
        }

        fn all(&self, manifest: Option<&Manifest>, gas_price: u128, after: u64) -> Vec<Obstacle> {
            let view = self.world.campaign(ID).unwrap();
            let now = Timestamp::from_unix(self.time + after);
            obstacles(&CampaignFacts { view, manifest, token: &TokenUnit::eth(), gas_price: Some(gas_price), now })
        }

        fn kinds(&self, after: u64) -> Vec<ObstacleKind> {
            let manifest = planned("", "").unwrap().manifest(Digest([9; 32]));
            self.found(Some(&manifest), 1, after).into_iter().map(|obstacle| obstacle.kind).collect()
        }
    }

    fn published() -> Published {
        Published { material: Digest([1; 32]), root: B256::ZERO, handover: B256::ZERO }
    }

    #[test]
    fn a_usual_campaign_has_no_obstacle() {
        assert_eq!(Scene::open(good()).kinds(60), []);
    }

    #[test]
    fn each_unusual_term_is_named() {
        use ObstacleKind::*;
        type Spoil = fn(&mut Terms);
        let cases: [(Spoil, ObstacleKind); 9] = [
            (|terms| terms.deadline = START + 600, Deadline),
            (|terms| terms.token = Address::repeat_byte(9), Token),
            (|terms| terms.stake = 1, CapsuleStake),
            (|terms| terms.evaluationSeconds = 30, Times),
            (|terms| terms.deliverySeconds = 8 * 86_400, Times),
            (|terms| terms.audit.period = 60, Times),
            (|terms| terms.audit.keys = B256::ZERO, AuditKeys),
            (|terms| terms.submissionStake = USUAL_SUBMISSION_STAKE + STAKE_UNIT, SubmissionStake),
            (|terms| (terms.windowSize, terms.windowSeconds) = (8, 200_000), Window),
        ];
        for (spoil, kind) in cases {
            let mut terms = good();
            spoil(&mut terms);
            let kinds = Scene::open(terms).kinds(60);
            assert!(kinds.contains(&kind), "{kind:?}: {kinds:?}");
        }
    }

    #[test]
    fn a_campaign_that_takes_nothing_says_why() {
        use ObstacleKind::*;
        assert_eq!(Scene::proposed(good()).kinds(0)[0], State);
        let mut closed = Scene::open(good());
        closed.apply(Event::Closed { id: ID, reason: CloseReason::Deadline, refunded: Amount::ZERO });
        assert_eq!(closed.kinds(0), [State], "nothing else matters");
        let text = &closed.found(None, 1, 0)[0].text;
        assert!(text.contains("closed"), "{text}");
        assert!(Scene::open(good()).kinds(8 * 86_400).contains(&Deadline));
        let missing = Scene::open(good()).found(None, 1, 60);
        assert_eq!((missing[0].kind, missing[0].affects), (Manifest, Affected::Everybody));
    }

    #[test]
    fn history_speaks_when_there_is_enough_of_it() {
        use ObstacleKind::*;
        assert!(!Scene::open(good()).kinds(QUIET - 1).contains(&Quiet));
        assert!(Scene::open(good()).kinds(QUIET).contains(&Quiet));
        let after = |outcomes: &[Outcome]| {
            let mut scene = Scene::open(good());
            (0..).zip(outcomes).for_each(|(window, outcome)| scene.submit(window, *outcome));
            scene.kinds(60)
        };
        assert_eq!(after(&[Outcome::NotImproved; 4]), []);
        assert_eq!(after(&[Outcome::NotImproved; 5]), [NotImproved]);
        assert_eq!(after(&[Outcome::Rejected(3); 5]), [Rejected]);
    }

    #[test]
    fn gas_is_compared_with_the_pay_of_one_step() {
        let manifest = planned("", "").unwrap().manifest(Digest([9; 32]));
        let scene = Scene::open(good());
        // One step of 5 of 90 points pays a eighteenth of the bounty.
        let step = 10_u128.pow(18) * 50_000 / 900_000;
        let price = step / u128::from(JOIN_GAS);
        assert_eq!(scene.found(Some(&manifest), price, 60), []);
        let dear = scene.found(Some(&manifest), price + 1, 60);
        assert_eq!(dear[0].kind, ObstacleKind::Pay);
        assert!(dear[0].text.contains("pays 0.055555555555555555 ETH"), "{}", dear[0].text);
    }

    #[test]
    fn what_the_manifest_asks_for_is_compared_with_the_usual_policy() {
        use ObstacleKind::{Columns, Range, Regime};
        let kinds = |from: &str, to: &str| {
            let manifest = planned(from, to).unwrap().manifest(Digest([9; 32]));
            let found = Scene::open(good()).found(Some(&manifest), 1, 60);
            found.into_iter().map(|obstacle| obstacle.kind).collect::<Vec<_>>()
        };
        assert!(kinds("[reward]", "[model]\nregime = \"clear\"\n[reward]").contains(&Regime));
        let manifest = |spoil: &dyn Fn(&mut Manifest)| {
            let mut manifest = planned("", "").unwrap().manifest(Digest([9; 32]));
            spoil(&mut manifest);
            Scene::open(good()).found(Some(&manifest), 1, 60).into_iter().map(|found| found.kind).collect::<Vec<_>>()
        };
        assert!(
            manifest(&|manifest| (manifest.data.inputs[1].min, manifest.data.inputs[1].max) = (2_020.0, 2_021.0))
                .contains(&Range)
        );
        let wide = manifest(&|manifest| {
            let column = manifest.data.inputs[0].clone();
            manifest.data.inputs = vec![column; MANY_COLUMNS + 1];
        });
        assert!(wide.contains(&Columns), "{wide:?}");
    }

    #[test]
    fn the_rows_that_a_privacy_budget_needs_are_named() {
        let manifest = planned("", "").unwrap().manifest(Digest([9; 32]));
        let found = Scene::open(good()).all(Some(&manifest), 1, 60);
        assert_eq!((found.len(), found[0].kind, found[0].affects), (1, ObstacleKind::Rows, Affected::Some));
        let cost = Zcdp::within(USUAL_EPSILON, USUAL_DELTA).unwrap().share(USUAL_UPLOADS);
        let rows = least_rows(|rows| manifest.method.bears(cost, rows).is_ok()).unwrap();
        assert!(found[0].text.contains(&format!("at least {rows} rows")), "{}", found[0].text);
        assert!(manifest.method.bears(cost, rows - 1).is_err() && manifest.method.bears(cost, 2 * rows).is_ok());
    }

    #[test]
    fn everybody_comes_before_some() {
        let mut terms = good();
        (terms.token, terms.deadline) = (Address::repeat_byte(9), START + 60);
        let found = Scene::open(terms).found(None, 1, 0);
        let affected: Vec<_> = found.iter().map(|obstacle| obstacle.affects).collect();
        assert!(affected.is_sorted() && affected.len() >= 3, "{found:?}");
        assert!(found.iter().all(|obstacle| obstacle.text.ends_with('.') && obstacle.advice.len() > 20));
    }

    #[test]
    fn the_least_number_of_rows_is_found() {
        assert_eq!(least_rows(|rows| rows >= 1_234), Some(1_234));
        assert_eq!(least_rows(|_| true), Some(1));
        assert_eq!(least_rows(|_| false), None);
    }

    proptest! {
        #[test]
        fn no_terms_make_it_panic(
            (bounty, price) in (1..u128::MAX, any::<u128>()),
            (target, grid) in (0u32..=1_000_000, 1u32..=1_000_000),
            (deadline, after) in (any::<u64>(), any::<u64>()),
            times in prop::array::uniform3(any::<u32>()),
        ) {
            let terms = Terms {
                bounty, targetPpm: target, gridPpm: grid, deadline,
                evaluationSeconds: times[0], deliverySeconds: times[1], windowSeconds: times[2],
                ..good()
            };
            let found = Scene::open(terms).found(None, price, after.saturating_sub(START));
            prop_assert!(found.iter().all(|obstacle| !obstacle.text.is_empty()));
        }
    }
}
