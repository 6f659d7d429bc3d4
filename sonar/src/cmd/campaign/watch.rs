//! `sonar campaign watch`.

use clap::ValueEnum;
use serde::Serialize;
use sonar_contracts::{CloseReason, Outcome, State};
use sonar_node::{
    chain::WorldReader,
    cli::{Code, Failure, Output, Report},
};
use sonar_protocol::{
    event::{Event, LogPosition, Record},
    regime::Regime,
    units::{TokenUnit, percent},
    view::CampaignView,
};

use super::{Context, document, find, label};

/// Follow a campaign until it ends, one line per event.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  sonar campaign watch 0x3fa4\n  sonar campaign watch 0x3fa4 --until open --timeout 10m --json"
)]
pub struct Watch {
    /// Its id, or the beginning of it
    id: String,
    /// Stop when it is so far
    #[arg(long, value_enum, default_value_t = Until::End)]
    until: Until,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Until {
    /// It takes submissions
    Open,
    /// It takes none any more
    Closed,
    /// The model is delivered
    End,
}

#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    event: &'a Event,
    at: LogPosition,
    /// With the opening, if Sonar has the manifest.
    #[serde(skip_serializing_if = "Option::is_none")]
    regime: Option<Regime>,
}

impl Watch {
    pub async fn run(self, context: &Context, output: &Output) -> Result<Report, Failure> {
        let client = context.reader().await?;
        // It may have been launched a moment ago; its events are shown when they are confirmed.
        let id = find(&client.world(0, Some(&context.home)).await?, &self.id)?.id;
        let chain_id = client.deployment().chain_id;
        let mut reader =
            WorldReader::new(client.clone(), context.config.poll(chain_id), context.config.confirmations(chain_id));
        let mut token = None;
        loop {
            let batch = reader.next().await?;
            let ours = |record: &&Record| record.event.campaign() == Some(id);
            for record in batch.records.iter().filter(ours) {
                if let (Event::Opened { terms, .. }, None) = (&record.event, &token) {
                    token = Some(super::token(&client, terms.token).await?);
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

/// Whether there is nothing more to wait for, and whether it went well.
fn end(view: &CampaignView, until: Until) -> Option<Result<(), Failure>> {
    let failed = |code: Code| {
        let message = format!("the campaign is {}", document::state(view));
        Some(Err(Failure::new(code, message).help("`sonar campaign withdraw` takes your money back")))
    };
    match view.state {
        State::Refunded => failed(Code::CampaignRefunded),
        _ if view.reason == CloseReason::CapsuleTimeout => failed(Code::CapsuleTimedOut),
        State::Open if until == Until::Open => Some(Ok(())),
        State::Closed if until != Until::End => Some(Ok(())),
        State::Finalized => Some(Ok(())),
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
            format!("active: starts at {}", percent(*start_ppm))
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
            format!("closed; {} go back to the owner", token.format(*refunded))
        }
        Event::Finalized { .. } => "delivered".into(),
        Event::Released { .. } => "the Capsule's stake is free again".into(),
        Event::Convicted { version, amount, .. } => {
            let amount = TokenUnit::eth().format(*amount);
            format!(
                "what the Capsule published for version {version} was not honest: its stake of {amount} is the owner's"
            )
        }
        Event::Expired { refunded, .. } => {
            format!("the Capsule did not deliver; {} go back to the owner", token.format(*refunded))
        }
        Event::Withdrawn { account, amount, .. } => format!("{account} took {}", token.format(*amount)),
        Event::Forfeited { miner, amount, .. } => {
            format!("{miner} forfeited {}: rejected again", TokenUnit::eth().format(*amount))
        }
        Event::StakeWithdrawn { account, amount, .. } => {
            format!("{account} took {} of stake", TokenUnit::eth().format(*amount))
        }
        Event::Capsule { .. } => "the Capsule changed".into(),
    }
}
