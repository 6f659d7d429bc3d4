//! `sonar campaign list`, `show` and `privacy`.

use std::collections::HashMap;

use alloy::primitives::Address;
use sonar_node::{
    chain::Client,
    cli::{self, Failure, Output, Report},
};
use sonar_protocol::{
    projection::CampaignSummary,
    statement::{CampaignProgress, PrivacyStatement},
    units::TokenUnit,
};

use super::{Context, document, label};
use crate::scientist::{self, credits::Credits, find, hub::HubClient, result::manifest_of, state};

/// List the campaigns on this contract.
#[derive(Debug, clap::Args)]
pub struct List {
    /// Only your own campaigns: those of the account given with --account, or of the only account
    #[arg(long)]
    mine: bool,
}

impl List {
    pub async fn run(self, context: &Context, output: &Output) -> Result<Report, Failure> {
        let client = context.reader().await?;
        output.progress("Reading the chain…");
        let world = context.world(&client).await?;
        let owner = if self.mine { Some(context.address()?) } else { None };
        let labels = label::all(context).await;
        let mut tokens = Tokens::new(client);
        let mut table = cli::table(["campaign", "state", "regime", "accuracy", "bounty", "submissions"]);
        let mut list = Vec::new();
        for view in world.in_order().rev() {
            if owner.is_some_and(|owner| owner != view.terms.owner) {
                continue;
            }
            let token = tokens.unit(view.terms.token).await?;
            table.add_row([
                view.id.short(),
                state(view),
                labels.get(&view.id).map_or_else(|| "unknown".into(), |label| label.regime.to_string()),
                document::accuracy(view),
                token.format(view.terms.bounty.into()),
                format!("{}/{}", view.submissions, view.terms.maxSubmissions),
            ]);
            let mut summary = CampaignSummary::new(view, labels.get(&view.id).cloned());
            summary.verify_parent(&world);
            list.push(summary);
        }
        let human = if list.is_empty() { "no campaigns".into() } else { table.to_string() };
        Report::new(&list, human)
    }
}

/// Everything about one campaign.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  sonar campaign show 0x3fa4")]
pub struct Show {
    /// Campaign id, or its first digits
    id: String,
}

impl Show {
    pub async fn run(self, context: &Context, output: &Output) -> Result<Report, Failure> {
        let client = context.reader().await?;
        output.progress("Reading the chain…");
        let world = context.world(&client).await?;
        let view = find(&world, &self.id)?;
        let owed = Credits::read(&client, view.id, view.terms.owner).await?;
        let token = Tokens::new(client).unit(view.terms.token).await?;
        let label = label::of(context, view.id).await;
        let page = document::page(view, &world, &token, label.as_ref(), &owed);
        Report::new(&document::Detail::new(view, &world, label, owed), page)
    }
}

/// Show what each party can learn, what was disclosed so far, and what that rests on.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  sonar campaign privacy 0x3fa4")]
pub struct Privacy {
    /// Campaign id, or its first digits
    id: String,
}

impl Privacy {
    pub async fn run(self, context: &Context, output: &Output) -> Result<Report, Failure> {
        let client = context.reader().await?;
        output.progress("Reading the chain…");
        let world = context.world(&client).await?;
        let view = find(&world, &self.id)?;
        let hub = HubClient::connect(&context.workspace(), output).await?;
        let manifest = manifest_of(&hub, view).await?;
        hub.close().await;
        let statement = PrivacyStatement::new(&manifest, CampaignProgress::from(view)).map_err(Failure::internal)?;
        Report::new(&statement, statement.to_string().trim_end().to_owned())
    }
}

/// Tokens whose symbol and decimals were read before.
struct Tokens {
    client: Client,
    known: HashMap<Address, TokenUnit>,
}

impl Tokens {
    fn new(client: Client) -> Self {
        Self { client, known: HashMap::new() }
    }

    /// The unit of a token; amounts of a token without a symbol are shown in its smallest unit.
    async fn unit(&mut self, address: Address) -> Result<TokenUnit, Failure> {
        if let Some(unit) = self.known.get(&address) {
            return Ok(unit.clone());
        }
        let unit = scientist::token(&self.client, address).await?;
        self.known.insert(address, unit.clone());
        Ok(unit)
    }
}
