//! `capsule withdraw`

use alloy::primitives::Address;
use clap::Args;
use serde_json::{Value, json};
use sonar_contracts::address;
use sonar_node::{
    chain::Client,
    cli::{self, Ask, Failure, Output, Report},
    discovery,
};
use sonar_protocol::{
    units::{Amount, TokenUnit},
    view::CampaignView,
};

use super::Context;

/// Withdraw everything that this Capsule has earned: fees, what submissions paid for its gas, and compensation from
/// other Capsules' stakes.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  capsule withdraw\n  capsule withdraw --to 0x3fa4…")]
pub struct Withdraw {
    /// Send the money to this address instead of the operator's account
    #[arg(long, value_name = "ADDRESS", value_parser = address::parse)]
    to: Option<Address>,
}

impl Withdraw {
    pub async fn run(self, context: &Context, output: &Output) -> Result<Report, Failure> {
        let opened = context.home.open(&context.passphrase(Ask::Existing)?)?;
        let operator = opened.operator.address();
        let client = discovery::client(&context.config, Some(opened.operator)).await?;
        let to = self.to.unwrap_or(operator);
        if to != operator {
            cli::confirm(&context.globals, &format!("This sends everything that the Capsule has earned to {to}."))?;
        }
        let world = discovery::world(&context.config, &client, context.home.path()).await?;
        output.progress("Withdrawing…");
        let mut taken = Taken::default();
        for campaign in world.in_order().filter(|campaign| campaign.terms.capsule == operator) {
            taken.take(&client, campaign, operator, to).await?;
        }
        let claimable = client.claimable(operator).await?;
        if claimable > Amount::ZERO {
            let transaction = client.claim(to).await?;
            taken.add(
                json!({ "from": "stakes", "amount": claimable, "transaction": transaction }),
                claimable,
                &TokenUnit::eth(),
            );
        }
        let human = if taken.lines.is_empty() { "nothing to withdraw".into() } else { taken.lines.join("\n") };
        Report::new(&json!({ "to": to, "withdrawals": taken.withdrawals }), human)
    }
}

#[derive(Default)]
struct Taken {
    withdrawals: Vec<Value>,
    lines: Vec<String>,
}

impl Taken {
    /// Withdraws what a campaign owes: read from the contract, because the indexed state is some blocks old.
    async fn take(
        &mut self,
        client: &Client,
        campaign: &CampaignView,
        operator: Address,
        to: Address,
    ) -> Result<(), Failure> {
        let (id, terms) = (campaign.id, &campaign.terms);
        let fee = client.owed(id, operator).await?;
        if fee > Amount::ZERO {
            let token = client.token(terms.token).await?;
            let transaction = client.withdraw(terms, to).await?;
            self.add(json!({ "from": "fee", "campaign": id, "amount": fee, "transaction": transaction }), fee, &token);
        }
        let own = Amount(client.stakes(id, operator).await?.free);
        let gas = own.saturating_add(campaign.gas_credit);
        if gas > Amount::ZERO {
            let transaction = client.withdraw_stake(terms, to).await?;
            let made = json!({ "from": "gas", "campaign": id, "amount": gas, "transaction": transaction });
            self.add(made, gas, &TokenUnit::eth());
        }
        Ok(())
    }

    fn add(&mut self, made: Value, amount: Amount, token: &TokenUnit) {
        let from = made["campaign"].as_str().map_or_else(|| "stakes of others".into(), |id| format!("{}…", &id[..10]));
        self.lines.push(format!("{} from {from}", token.format(amount)));
        self.withdrawals.push(made);
    }
}
