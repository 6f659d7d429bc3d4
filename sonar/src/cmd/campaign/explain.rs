//! `sonar campaign explain`: what keeps Mines from joining.

use serde_json::json;
use sonar_contracts::State;
use sonar_node::cli::{Failure, Output, Report};
use sonar_protocol::obstacles::{CampaignFacts, Obstacle, obstacles};

use super::{Context, label};
use crate::scientist::{find, hub::HubClient, result::manifest_of, token};

/// Show what keeps Mines from joining a campaign, and what to do about it.
///
/// Compares terms, manifest and history with the policy that every Mine starts with, and with what its work costs. A
/// Mine's owner may have other rules, which nobody else knows.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  sonar campaign explain 0x3fa4")]
pub struct Explain {
    /// Campaign id, or its first digits
    id: String,
}

impl Explain {
    pub async fn run(self, context: &Context, output: &Output) -> Result<Report, Failure> {
        let client = context.reader().await?;
        output.progress("Reading the chain…");
        let world = context.world(&client).await?;
        let view = find(&world, &self.id)?;
        let token = token(&client, view.terms.token).await?;
        let gas_price = client.gas_price().await?;
        let manifest = match view.state {
            // The hub keeps the manifest of every campaign that can be joined; a fetch would wait for it for minutes.
            State::Proposed | State::Open if label::of(context, view.id).await.is_some() => {
                let hub = HubClient::connect(&context.workspace(), output).await?;
                let manifest = manifest_of(&hub, view).await;
                hub.close().await;
                manifest.inspect_err(|failure| output.warn(format_args!("the manifest: {}", failure.message))).ok()
            }
            // Missing, or of no interest: what has ended is not joined, whatever its manifest says.
            _ => None,
        };
        let facts = CampaignFacts {
            view,
            manifest: manifest.as_ref(),
            token: &token,
            gas_price: Some(gas_price),
            now: world.head.now,
        };
        let found = obstacles(&facts);
        let data = json!({"id": view.id, "state": view.state, "gas_price": gas_price.to_string(), "obstacles": found});
        Report::new(&data, describe(&found))
    }
}

fn describe(found: &[Obstacle]) -> String {
    if found.is_empty() {
        return "Nothing in terms, manifest or history keeps Mines away. Each needs data that fits the columns and ranges, \
                and an owner whose rules allow the campaign."
            .into();
    }
    let line =
        |obstacle: &Obstacle| format!("- {} ({})\n  {}\n", obstacle.text, obstacle.affects.words(), obstacle.advice);
    found.iter().map(line).collect()
}
