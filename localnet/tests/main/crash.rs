//! Any process may be killed at any moment, and in the end everybody has the same.

use std::collections::BTreeMap;

use localnet::{
    demo::Campaign,
    follow::Observer,
    network::{ANVIL, CAPSULE, Network, SONAR},
    twin::Twin,
};
use sonar_contracts::{CloseReason, State};
use sonar_protocol::{
    backbone::Embedding,
    event::{Event, Record},
    units::Amount,
    view::CampaignView,
};
use syft::{Delta, GridStep, Ppm, STEP_SIZES, Weights, evaluate_window};

use crate::support::{coarse, network, run_in_order, runtime};

/// When something is killed: as soon as the chain shows this.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Moment {
    /// The bounty is in escrow; the Capsule measures and makes keys.
    Opened,
    /// The Mines fetch, train and encrypt.
    Activated,
    /// The first Mine's update is on the chain, the second one's is not.
    FirstSubmitted,
    /// The window is full; the Capsule opens, decrypts and evaluates.
    WindowFull,
    /// Keys changed; the Mines train on the next version.
    Settled,
    /// The Capsule delivers.
    Closed,
}

impl Moment {
    fn is(self, event: &Event) -> bool {
        match (self, event) {
            (Self::Opened, Event::Opened { .. })
            | (Self::Activated, Event::Activated { .. })
            | (Self::Closed, Event::Closed { .. }) => true,
            (Self::FirstSubmitted, Event::Submitted { window, index, .. }) => (window.0, *index) == (0, 0),
            (Self::WindowFull, Event::Submitted { window, index, .. }) => (window.0, *index) == (0, 1),
            (Self::Settled, Event::Settled { window, .. }) => window.0 == 0,
            _ => false,
        }
    }
}

/// Kills one process once.
struct Killer {
    victim: &'static str,
    moment: Option<Moment>,
    revived: Vec<String>,
}

impl Observer for Killer {
    fn happened(&mut self, record: &Record, _: &CampaignView, network: &mut Network) {
        if self.moment.take_if(|moment| moment.is(&record.event)).is_some() {
            network.kill9(self.victim).unwrap();
        }
    }

    fn revived(&mut self, name: &str) {
        self.revived.push(name.into());
    }
}

/// What everybody has in the end, by name instead of address, without gas.
#[derive(Debug, PartialEq)]
struct Balances {
    state: State,
    reason: CloseReason,
    best_ppm: Ppm,
    // deposited, paid, owed, refunded, fee, escrowed
    ledger: [Amount; 6],
    // earned and withdrawn
    miners: BTreeMap<String, (Amount, Amount)>,
}

impl Balances {
    fn of(campaign: &Campaign, network: &Network) -> Self {
        let (view, ledger) = (&campaign.followed.view, &campaign.ledger);
        let parts = [ledger.deposited, ledger.paid, ledger.owed, ledger.refunded, ledger.fee, ledger.escrowed];
        let miner = |address| {
            let account = view.accounts.get(address).copied().unwrap_or_default();
            let withdrawn = campaign.withdrawn.get(address).copied().unwrap_or_default();
            (account.earned, withdrawn)
        };
        Self {
            state: view.state,
            reason: view.reason,
            best_ppm: view.best_ppm,
            ledger: parts.map(Amount::from),
            miners: network.mines().iter().map(|mine| (mine.name.clone(), miner(&mine.address))).collect(),
        }
    }
}

/// Runs an undisturbed campaign and one for each moment, all on one network.
fn same_balances_after(kills: &[(&'static str, Moment)], name: &str) {
    runtime().block_on(async {
        let prepared = coarse(2, 2);
        let mut network = network(&prepared, name).await;
        let file = prepared.write(network.directory()).unwrap();
        let mut undisturbed = Killer { victim: "", moment: None, revived: Vec::new() };
        let reference =
            run_in_order(&mut network, &file, &mut undisturbed).await.unwrap_or_else(|error| panic!("{error}"));
        check_margin(&network, &prepared.validation, &prepared.data, &reference).await;
        let expected = Balances::of(&reference, &network);
        assert_eq!((expected.state, expected.reason), (State::Released, CloseReason::Owner));
        assert!(expected.miners.values().all(|(earned, withdrawn)| *earned > Amount::ZERO && earned == withdrawn));

        for &(victim, moment) in kills {
            let mut killer = Killer { victim, moment: Some(moment), revived: Vec::new() };
            let campaign = run_in_order(&mut network, &file, &mut killer).await;
            let campaign = campaign.unwrap_or_else(|error| panic!("{victim} killed at {moment:?}: {error}"));
            assert_eq!(killer.revived, [victim], "killed at {moment:?}");
            assert_eq!(Balances::of(&campaign, &network), expected, "{victim} killed at {moment:?}");
        }
        network.stop().await;
    });
}

#[test]
fn the_chain_may_be_killed_at_any_moment() {
    use Moment::{Activated, Closed, FirstSubmitted, Settled, WindowFull};
    let kills = [Activated, FirstSubmitted, WindowFull, Settled, Closed].map(|moment| (ANVIL, moment));
    same_balances_after(&kills, "crash-anvil");
}

#[test]
fn sonar_may_be_killed_at_any_moment() {
    use Moment::{Closed, FirstSubmitted, Opened, Settled, WindowFull};
    let kills = [Opened, FirstSubmitted, WindowFull, Settled, Closed].map(|moment| (SONAR, moment));
    same_balances_after(&kills, "crash-sonar");
}

#[test]
fn the_capsule_may_be_killed_at_any_moment() {
    use Moment::{Closed, FirstSubmitted, Opened, Settled, WindowFull};
    let kills = [Opened, FirstSubmitted, WindowFull, Settled, Closed].map(|moment| (CAPSULE, moment));
    same_balances_after(&kills, "crash-capsule");
}

#[test]
fn a_mine_may_be_killed_at_any_moment() {
    let kills = [
        ("mine-1", Moment::Activated),
        ("mine-1", Moment::FirstSubmitted),
        ("mine-2", Moment::FirstSubmitted),
        ("mine-2", Moment::Settled),
        ("mine-1", Moment::Closed),
    ];
    same_balances_after(&kills, "crash-mine");
}

/// Rows of the validation set that would have to change sides before any decision would be another one.
const MARGIN: i64 = 3;

/// Repeats the campaign in the clear and checks that no decision is near a boundary: else encryption noise could decide, and
/// two runs could rightly pay differently.
async fn check_margin(network: &Network, validation: &str, data: &[String], reference: &Campaign) {
    let view = &reference.followed.view;
    let manifest = network.manifest(view.id).await.unwrap();
    let linear = manifest.method.linear().unwrap();
    let embedding = Embedding::none();
    let twin = Twin::new(&manifest, linear, &embedding, validation).unwrap();
    let updates = twin.updates(data).unwrap();
    let start = view.start_ppm.unwrap();
    let ladder = manifest.accuracy.ladder_from(start).unwrap();
    let (mut best, mut step) = (Weights::zeros(linear.shape), start.steps(ladder.grid()));
    for window in &view.settled {
        let published = linear.parameters.encode(&best);
        for (update, submission) in updates.iter().zip(&window.submissions) {
            let delta = update.apply_clear(&published);
            assert!(is_clear_cut(&twin, &best, &delta, step), "{submission:?}");
            let best_ppm = ladder.grid().value(step).unwrap();
            let outcome = evaluate_window(&best, best_ppm, [Some(delta)], &twin.validation, &ladder, 1);
            (best, step) = (outcome.best, outcome.best_step);
        }
        let decided = ladder.grid().value(step).unwrap();
        assert_eq!(decided, window.best_ppm, "the encrypted campaign decided as the clear one");
    }
}

/// Whether no trial of the line search would be decided otherwise if it were some rows better or worse.
fn is_clear_cut(twin: &Twin<'_>, best: &Weights, delta: &Delta, now: GridStep) -> bool {
    let rows = twin.validation.rows() as i64;
    let grid = i64::from(twin.manifest.accuracy.grid.ppm());
    let step = |correct: i64| correct.max(0) * 1_000_000 / rows / grid;
    let correct = |size: f64| {
        let moved = best.values().iter().zip(delta.values()).map(|(weight, change)| weight + size * change);
        let weights = Weights::project(best.shape(), moved.collect());
        (i64::from(twin.validation.accuracy(&weights).get()) * rows + 500_000) / 1_000_000
    };
    let trials = STEP_SIZES.map(correct);
    let reached = trials.map(step).into_iter().max().unwrap_or_default();
    if reached <= i64::from(now.0) {
        return trials.iter().all(|trial| step(trial + MARGIN) <= i64::from(now.0));
    }
    let chosen = trials.iter().position(|trial| step(*trial) == reached).unwrap_or_default();
    let stable = step(trials[chosen] - MARGIN) == reached && step(trials[chosen] + MARGIN) == reached;
    let others = trials.iter().enumerate().filter(|(index, _)| *index != chosen);
    let mut beaten = others.map(|(index, trial)| step(trial + MARGIN) < reached + i64::from(index > chosen));
    stable && beaten.all(|beaten| beaten)
}
