//! `mine status`

use std::time::SystemTime;

use crate::{
    outbox::{self, UpdateRecord},
    pause::Pause,
    repository::{self, About},
    run::{Journal, JournalLine},
};
use alloy::primitives::Address;
use serde::Serialize;
use sonar_node::cli::{self, Ask, Failure, Output, Report};
use sonar_protocol::units::{Amount, TokenUnit};

use super::{Context, repository_failure, store_failure};

/// A line of the journal, with its text form.
#[derive(Serialize)]
struct Line {
    #[serde(flatten)]
    line: JournalLine,
    next: String,
}

impl From<JournalLine> for Line {
    fn from(line: JournalLine) -> Self {
        Self { next: line.describe(), line }
    }
}

#[derive(Serialize)]
struct MineStatus {
    address: Address,
    running: bool,
    paused: Option<Pause>,
    balance: Option<Amount>,
    data: Vec<About>,
    campaigns: Vec<Line>,
    updates: Vec<UpdateRecord>,
}

pub async fn run(context: &Context, output: &Output) -> Result<Report, Failure> {
    let home = &context.home;
    let store = home.store(&context.passphrase(Ask::Existing)?)?;
    let address = home.account_address()?;
    let status = MineStatus {
        address,
        running: home.try_lock()?.is_none(),
        paused: Pause::read(&home.pause(), SystemTime::now().into())?,
        balance: balance(context, output, address).await,
        data: repository::list(&*store).map_err(repository_failure)?,
        campaigns: Journal::load(&*store).map_err(store_failure)?.campaigns.into_iter().map(Line::from).collect(),
        updates: outbox::records(&*store).map_err(store_failure)?,
    };
    Report::new(&status, human(&status))
}

/// The status is useful even without the chain.
async fn balance(context: &Context, output: &Output, address: Address) -> Option<Amount> {
    let balance = async { Ok::<_, Failure>(context.client(None).await?.balance(address).await?) };
    balance.await.inspect_err(|failure| output.warn(&failure.message)).ok()
}

fn human(status: &MineStatus) -> String {
    let balance = status.balance.map_or_else(|| "unknown".into(), |balance| TokenUnit::eth().format(balance));
    let mut campaigns = cli::table(["CAMPAIGN", "NAME", "REGIME", "VERSION", "NEXT"]);
    for Line { line, next } in &status.campaigns {
        campaigns.add_row([
            line.campaign.short(),
            line.name.clone().unwrap_or_default(),
            line.regime.map_or_else(String::new, |regime| regime.to_string()),
            line.version.to_string(),
            line.trouble.as_ref().map_or_else(|| next.clone(), ToString::to_string),
        ]);
    }
    let paused = status.paused.map(|pause| format!("\n{pause}")).unwrap_or_default();
    format!(
        "Mine {}\nbalance {balance}\n{}{paused}\ndata sets: {}\nupdates made: {}\n\n{campaigns}",
        status.address,
        if status.running { "running" } else { "not running" },
        status.data.len(),
        status.updates.len(),
    )
}
