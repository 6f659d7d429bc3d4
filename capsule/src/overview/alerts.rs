//! What needs the operator.

use std::time::Duration;

use alloy::primitives::U256;
use serde::Serialize;
use sonar_protocol::{
    ids::CampaignId,
    units::{Amount, Timestamp, TokenUnit},
};
use utoipa::ToSchema;

use super::{CampaignFacts, DeadlineKind, DutyDeadline, Overview};

/// Time without an answer after which the figures count as old.
const STALE: Duration = Duration::from_secs(60);
/// Balances of wei below which the account soon cannot, or probably cannot, pay for a settlement: 0.05 and 0.005 ETH.
const LOW: u64 = 50_000_000_000_000_000;
const EMPTY: u64 = 5_000_000_000_000_000;

/// What an alert is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlertKind {
    /// The chain is unreachable, or its answers are old.
    Chain,
    /// The Capsule is not registered.
    Registration,
    /// The account has little ETH for gas.
    Balance,
    /// A deadline is near or was missed.
    Deadline,
    /// The launch key was not replaced or registered in time.
    LaunchKey,
    /// A step of a campaign failed.
    Campaign,
}

/// How urgent an alert is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Money is being lost, or nothing works.
    Error,
    /// Soon.
    Warning,
}

/// What needs the operator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Alert {
    /// What it is about.
    pub kind: AlertKind,
    /// How urgent it is.
    pub severity: Severity,
    /// The campaign, if it is about one.
    #[schema(value_type = Option<String>, required = true)]
    pub campaign: Option<CampaignId>,
    /// What is wrong.
    pub text: String,
    /// What to do.
    pub fix: String,
}

impl Alert {
    fn new(kind: AlertKind, severity: Severity, text: impl Into<String>, fix: &str) -> Self {
        Self { kind, severity, campaign: None, text: text.into(), fix: fix.into() }
    }
}

/// All alerts, errors first.
pub fn of(overview: &Overview, now: Timestamp, age: Option<Duration>) -> Vec<Alert> {
    let mut alerts: Vec<_> =
        [chain(overview, age), registration(overview), balance(overview), launch_key(overview, now)]
            .into_iter()
            .flatten()
            .chain(
                overview
                    .campaigns
                    .iter()
                    .flat_map(|facts| [deadline(facts, now), problem(facts)].into_iter().flatten()),
            )
            .collect();
    alerts.sort_by_key(|alert| alert.severity);
    alerts
}

fn chain(overview: &Overview, age: Option<Duration>) -> Option<Alert> {
    let fix = "check the node that --rpc names; the Capsule retries by itself";
    if !overview.chain_ok {
        let reason = overview.problem.as_deref().unwrap_or("it has not been read yet");
        return Some(Alert::new(AlertKind::Chain, Severity::Error, format!("The chain cannot be read: {reason}"), fix));
    }
    let age = age.filter(|age| *age > STALE)?;
    let text = format!("The chain has not answered for {}.", span(age.as_secs()));
    Some(Alert::new(AlertKind::Chain, Severity::Warning, text, fix))
}

fn registration(overview: &Overview) -> Option<Alert> {
    // Before the chain was read, nothing is known.
    if overview.capsule.is_some() || !overview.chain_ok {
        return None;
    }
    let text = "This Capsule is not registered, so no campaign can name it.";
    Some(Alert::new(AlertKind::Registration, Severity::Error, text, "run `capsule init`"))
}

fn balance(overview: &Overview) -> Option<Alert> {
    let balance = overview.purse.as_ref()?.balance;
    let severity = match balance {
        Amount(wei) if wei < U256::from(EMPTY) => Severity::Error,
        Amount(wei) if wei < U256::from(LOW) => Severity::Warning,
        _ => return None,
    };
    let text = format!("The operator's account has {} for gas.", TokenUnit::eth().format(balance));
    Some(Alert::new(AlertKind::Balance, severity, text, "send ETH to the operator's account"))
}

/// The Capsule replaces a launch key when at most half of its life is over.
fn launch_key(overview: &Overview, now: Timestamp) -> Option<Alert> {
    let newest = overview.launch_keys.last()?;
    let (life, age) = (newest.expires_at.since(newest.made_at), now.since(newest.made_at));
    let fix = "read the log of `capsule serve`: the replacement fails";
    let alert = |severity, text: String| Some(Alert::new(AlertKind::LaunchKey, severity, text, fix));
    if now >= newest.expires_at {
        return alert(Severity::Error, "The launch key has expired, so no campaign can be launched.".into());
    }
    if age > life / 4 * 3 {
        return alert(Severity::Warning, format!("The launch key is {} old and was not replaced.", span(age)));
    }
    if newest.registered_at.is_none() && age > life / 4 {
        return alert(Severity::Warning, format!("The launch key was made {} ago and is not registered.", span(age)));
    }
    None
}

/// A deadline is near in the last quarter of its time.
fn deadline(facts: &CampaignFacts, now: Timestamp) -> Option<Alert> {
    let DutyDeadline { kind, at, allowed } = facts.deadline?;
    let (duty, loss) = match kind {
        DeadlineKind::Activate => ("activate", "the owner can take the money back"),
        DeadlineKind::Settle => ("settle a window of", "its stake is slashed"),
        DeadlineKind::Deliver => ("deliver the model of", "its stake is slashed"),
        DeadlineKind::Audit => return None,
    };
    let left = at.since(now);
    let id = facts.id.short();
    let (severity, text) = match left {
        0 => (
            Severity::Error,
            format!("The deadline to {duty} campaign {id} was missed: anybody can end it, and {loss}."),
        ),
        left if left <= u64::from(allowed / 4) => {
            (Severity::Warning, format!("The Capsule must {duty} campaign {id} in {}, or {loss}.", span(left)))
        }
        _ => return None,
    };
    let fix = "check the campaign's problem, and the log of `capsule serve`";
    Some(Alert { campaign: Some(facts.id), ..Alert::new(AlertKind::Deadline, severity, text, fix) })
}

fn problem(facts: &CampaignFacts) -> Option<Alert> {
    let problem = facts.status.problem.as_ref()?;
    let text = format!("Campaign {}: the last step was not completed: {problem}", facts.id.short());
    let fix = "the Capsule retries by itself; the log of `capsule serve` has more";
    Some(Alert { campaign: Some(facts.id), ..Alert::new(AlertKind::Campaign, Severity::Warning, text, fix) })
}

/// A span of time for people, in its largest whole unit.
fn span(seconds: u64) -> String {
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7_199 => format!("{} min", seconds / 60),
        7_200..=172_799 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}
