//! `sonar campaign watch`.

use clap::ValueEnum;
use serde::Serialize;
use sonar_contracts::{CloseReason, Outcome, State};
use sonar_node::{
    cli::{Code, Failure, Output, Report},
    discovery,
};
use sonar_protocol::{
    event::{Event, LogPosition, Record},
    regime::Regime,
    units::{TokenUnit, percent},
    view::CampaignView,
};

use super::{Context, label};
use crate::scientist::{self, find};

/// Follow a campaign until it ends, one line an event.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  sonar campaign watch 0x3fa4\n  sonar campaign watch 0x3fa4 --until open --timeout 10m --json"
)]
pub struct Watch {
    /// Campaign id, or its first digits
    id: String,
    /// Stop at this point
    #[arg(long, value_enum, default_value_t = Until::End)]
    until: Until,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Until {
    /// The campaign takes submissions
    Open,
    /// The campaign takes no more submissions
    Closed,
    /// The model is delivered, or the campaign ended without one
    End,
}

#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    event: &'a Event,
    at: LogPosition,
    /// Shown with the `Opened` event, if Sonar has the manifest.
    #[serde(skip_serializing_if = "Option::is_none")]
    regime: Option<Regime>,
}

impl Watch {
    pub async fn run(self, context: &Context, output: &Output) -> Result<Report, Failure> {
        let client = context.reader().await?;
        // It may be new; its events are shown when they are confirmed.
        let id = find(&client.world(0, Some(&context.home)).await?, &self.id)?.id;
        let mut reader = discovery::reader(&context.config, client.clone(), &context.home);
        let mut token = None;
        loop {
            let batch = reader.next().await?;
            let past = if batch.restarted { reader.events_before_start(id).await? } else { Vec::new() };
            let ours = |record: &&Record| record.event.campaign() == Some(id);
            for record in past.iter().chain(&batch.records).filter(ours) {
                if let (Event::Opened { terms, .. }, None) = (&record.event, &token) {
                    token = Some(scientist::token(&client, terms.token).await?);
                }
                let unit = token.clone().unwrap_or_else(TokenUnit::eth);
                let regime = match &record.event {
                    Event::Opened { .. } => label::of(context, id).await.map(|label| label.regime),
                    _ => None,
                };
                let line = Line { event: &record.event, at: record.at, regime };
                let time = record.at.timestamp;
                let label = regime.map(|regime| format!("; {regime}")).unwrap_or_default();
                output.item(&line, format_args!("{time}  {}{label}", words(&record.event, &unit)))?;
            }
            if let Some(view) = reader.world().campaign(id)
                && let Some(end) = end(view, self.until)
            {
                return end.map(|()| Report::streamed());
            }
        }
    }
}

/// `Some` when there is nothing more to wait for: success, or the failure that ended the campaign.
fn end(view: &CampaignView, until: Until) -> Option<Result<(), Failure>> {
    let failed = |code: Code| {
        let message = format!("the campaign is {}", scientist::state(view));
        Some(Err(Failure::new(code, message).help("`sonar campaign withdraw` returns your money")))
    };
    match view.state {
        State::Refunded => failed(Code::CampaignRefunded),
        _ if view.reason == CloseReason::CapsuleTimeout => failed(Code::CapsuleTimedOut),
        State::Open if until == Until::Open => Some(Ok(())),
        State::Closed if until != Until::End => Some(Ok(())),
        state if state.is_delivered() => Some(Ok(())),
        _ => None,
    }
}

/// An event in one sentence.
fn words(event: &Event, token: &TokenUnit) -> String {
    match event {
        Event::Opened { terms, .. } => {
            let bounty = token.format(terms.bounty.into());
            format!("opened with a bounty of {bounty}")
        }
        Event::Activated { start_ppm, .. } => {
            format!("active: starting accuracy {}", percent(*start_ppm))
        }
        Event::Declined { reason, .. } => format!("the Capsule declined: {reason}"),
        Event::Refunded { amount, .. } => format!("refunded {}", token.format(*amount)),
        Event::Submitted { miner, version, window, index, .. } => {
            format!("window {window}, version {version}: submission {index} by {miner}")
        }
        Event::Settled { window, outcomes, best_ppm, .. } => {
            let accepted = |outcome: &&Outcome| matches!(outcome, Outcome::Accepted(_));
            format!(
                "window {window} settled: {} of {} accepted, accuracy {}",
                outcomes.iter().filter(accepted).count(),
                outcomes.len(),
                percent(*best_ppm)
            )
        }
        Event::Awarded { miner, delta_ppm, amount, .. } => {
            format!("{miner} earned {} for {}", token.format(*amount), percent(*delta_ppm))
        }
        Event::Closed { refunded, .. } => {
            format!("closed; {} returned to the owner", token.format(*refunded))
        }
        Event::Finalized { .. } => "delivered".into(),
        Event::Charged { to_capsule, burned, .. } => {
            let [paid, burned] = [to_capsule, burned].map(|amount| TokenUnit::eth().format(*amount));
            format!("submissions that were not accepted paid {paid} for the Capsule's gas; {burned} were burned")
        }
        Event::Closing { .. } => "the owner closes the campaign when its window is settled".into(),
        Event::Released { fee, refunded, .. } => {
            let [fee, refunded] = [fee, refunded].map(|amount| token.format(*amount));
            format!("the Capsule's stake is free, and it earned {fee}; {refunded} of the fee returned to the owner")
        }
        Event::Convicted { version, compensation, .. } => {
            let amount = TokenUnit::eth().format(*compensation);
            format!("the Capsule was convicted for version {version} and loses its stake: {amount} go to the owner")
        }
        Event::Expired { refunded, .. } => {
            format!("the Capsule did not deliver; {} returned to the owner", token.format(*refunded))
        }
        Event::Withdrawn { account, amount, .. } => format!("{account} withdrew {}", token.format(*amount)),
        Event::StakeWithdrawn { account, amount, .. } => {
            format!("{account} withdrew {} of stake", TokenUnit::eth().format(*amount))
        }
        Event::Capsule { .. } => "the Capsule's registration changed".into(),
    }
}
