//! `sonar campaign …`.

mod audit;
mod document;
mod end;
mod explain;
mod export;
mod inspect;
mod label;
mod launch;
mod new;
mod result;
mod simulate;
mod watch;

use clap::Subcommand;
use sonar_node::cli::{Failure, Output, Report};

use super::Context;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write a campaign file for a validation set
    New(new::New),
    /// Run a campaign on a throw-away local network, with virtual money and shares of a training file
    Simulate(simulate::Simulate),
    /// Start a campaign: seal its bundle to a Capsule, and put bounty and fee into escrow
    Launch(launch::Launch),
    /// List the campaigns on this contract
    #[command(visible_alias = "ls")]
    List(inspect::List),
    /// Show everything about one campaign
    Show(inspect::Show),
    /// Show what each party can learn, what was disclosed so far, and what that rests on
    Privacy(inspect::Privacy),
    /// Show what keeps Mines from joining a campaign, and what to do about it
    Explain(explain::Explain),
    /// Follow a campaign until it ends, one line an event
    Watch(watch::Watch),
    /// End a campaign: close it, or take the money back from a Capsule that missed a deadline
    Close(end::Close),
    /// Fetch the finished model, decrypt it, check its signature, and measure it again
    Result(result::Fetch),
    /// Write everything about a campaign to one folder, with a report for browsers
    Export(export::Export),
    /// Audit a delivered campaign: recompute everything that the Capsule published, version by version
    Audit(audit::Audit),
    /// Withdraw everything that is owed to you: the unearned part of the bounty, and stakes
    Withdraw(end::Withdraw),
}

impl Command {
    pub fn schema(&self) -> &'static str {
        match self {
            Self::New(_) => "sonar.campaign.new/1",
            Self::Launch(_) => "sonar.campaign.launch/1",
            Self::Explain(_) => "sonar.campaign.explain/1",
            Self::Export(_) => "sonar.campaign.export/1",
            Self::Simulate(_) => "sonar.campaign.simulate/1",
            Self::Result(_) => "sonar.campaign.result/1",
            Self::Audit(_) => "sonar.campaign.audit/1",
            Self::List(_) => "sonar.campaign.list/1",
            Self::Show(_) => "sonar.campaign.show/1",
            Self::Privacy(_) => "sonar.campaign.privacy/1",
            Self::Watch(_) => "sonar.campaign.watch/1",
            Self::Close(_) => "sonar.campaign.close/1",
            Self::Withdraw(_) => "sonar.campaign.withdraw/1",
        }
    }

    pub async fn run(self, context: &Context, output: &Output) -> Result<Report, Failure> {
        match self {
            Self::New(command) => command.run(output),
            Self::Launch(command) => command.run(context, output).await,
            Self::Explain(command) => command.run(context, output).await,
            Self::Export(command) => command.run(context, output).await,
            Self::Simulate(command) => command.run(context, output).await,
            Self::Result(command) => command.run(context, output).await,
            Self::Audit(command) => command.run(context, output).await,
            Self::List(command) => command.run(context, output).await,
            Self::Show(command) => command.run(context, output).await,
            Self::Privacy(command) => command.run(context, output).await,
            Self::Watch(command) => command.run(context, output).await,
            Self::Close(command) => command.run(context, output).await,
            Self::Withdraw(command) => command.run(context, output).await,
        }
    }
}
