//! `capsule stake`

use clap::{Args, Subcommand};
use serde_json::json;
use sonar_node::{
    cli::{self, Ask, Code, Failure, Output, Report},
    discovery,
};
use sonar_protocol::units::{Amount, TokenUnit};

use super::Context;

/// Add to this Capsule's stake, or take back what no campaign has locked.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  capsule stake add 0.5ETH\n  capsule stake remove 0.5ETH")]
pub struct Stake {
    #[command(subcommand)]
    command: StakeCommand,
}

#[derive(Debug, Subcommand)]
enum StakeCommand {
    /// Deposit more stake from the operator's account
    Add {
        /// Amount of ETH
        amount: String,
    },
    /// Send free stake back to the operator's account
    Remove {
        /// Amount of ETH
        amount: String,
    },
}

impl Stake {
    pub async fn run(self, context: &Context, output: &Output) -> Result<Report, Failure> {
        let (StakeCommand::Add { amount } | StakeCommand::Remove { amount }) = &self.command;
        let eth = TokenUnit::eth();
        let amount = eth.parse(amount).map_err(|error| Failure::new(Code::Stake, error))?;
        if amount == Amount::ZERO {
            return Err(Failure::new(Code::Stake, "the amount is zero"));
        }
        let opened = context.home.open(&context.passphrase(Ask::Existing)?)?;
        let operator = opened.operator.address();
        let client = discovery::client(&context.config, Some(opened.operator)).await?;
        output.progress("Sending the transaction…");
        let transaction = match self.command {
            StakeCommand::Add { .. } => client.deposit_stake(amount).await?,
            StakeCommand::Remove { .. } => {
                let sum = eth.format(amount);
                cli::confirm(&context.globals, &format!("This takes {sum} of stake back: campaigns can lock less."))?;
                client.unstake(amount).await?
            }
        };
        let capsule = client.capsule(operator).await?.ok_or_else(|| Failure::internal("a stake without a Capsule"))?;
        let (stake, locked) = (Amount(capsule.stake), Amount(capsule.locked));
        let human = format!("stake {} ({} locked)", eth.format(stake), eth.format(locked));
        Report::new(&json!({ "stake": stake, "locked": locked, "transaction": transaction }), human)
    }
}
