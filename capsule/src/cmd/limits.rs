//! `capsule limits`

use std::time::Duration;

use alloy::primitives::Address;
use clap::Args;
use serde_json::json;
use sonar_node::{
    chain::Client,
    cli::{self, Ask, Code, Failure, Output, Report},
    discovery,
};
use sonar_protocol::{
    event::CapsuleLimits,
    units::{self, Amount, TokenUnit},
    view::CapsuleView,
};

use super::Context;

/// Show what a campaign may demand of this Capsule at most, or change it.
///
/// The contract activates no campaign beyond these limits, even if the attestation key is stolen. Running campaigns are
/// not affected.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  capsule limits\n  capsule limits --stake-per-campaign 0.3ETH --longest-run 30d\n  capsule limits --token ETH=0.001 --refuse DATA"
)]
pub struct LimitsCommand {
    #[command(flatten)]
    change: LimitsChange,
    /// Work for fees in this token, if a campaign pays at least this much even if nothing is awarded; can be repeated
    #[arg(long, value_name = "TOKEN=LEAST_FEE")]
    token: Vec<String>,
    /// Work for no fees in this token; can be repeated
    #[arg(long, value_name = "TOKEN")]
    refuse: Vec<String>,
}

#[derive(Debug, Default, Args)]
struct LimitsChange {
    /// Most stake that one campaign may lock
    #[arg(long, value_name = "AMOUNT")]
    stake_per_campaign: Option<String>,
    /// Most stake that all campaigns together may lock
    #[arg(long, value_name = "AMOUNT")]
    stake_in_all: Option<String>,
    /// Most time from the activation to the deadline
    #[arg(long, value_name = "TIME", value_parser = units::duration)]
    longest_run: Option<Duration>,
    /// Most time of the audit period
    #[arg(long, value_name = "TIME", value_parser = units::duration)]
    longest_audit: Option<Duration>,
    /// Least time to settle a closed window
    #[arg(long, value_name = "TIME", value_parser = units::duration)]
    shortest_evaluation: Option<Duration>,
    /// Least time to deliver after the end
    #[arg(long, value_name = "TIME", value_parser = units::duration)]
    shortest_delivery: Option<Duration>,
    /// Most submissions to a campaign
    #[arg(long, value_name = "N")]
    max_submissions: Option<u32>,
}

impl LimitsChange {
    /// These limits with the changes.
    fn applied(&self, limits: CapsuleLimits) -> Result<CapsuleLimits, Failure> {
        let eth = |given: &Option<String>, old| given.as_deref().map_or(Ok(old), amount);
        let seconds = |given: Option<Duration>, old| {
            given.map_or(old, |given| u32::try_from(given.as_secs()).unwrap_or(u32::MAX))
        };
        Ok(CapsuleLimits {
            stake_per_campaign: eth(&self.stake_per_campaign, limits.stake_per_campaign)?,
            stake_in_all: eth(&self.stake_in_all, limits.stake_in_all)?,
            longest_run: seconds(self.longest_run, limits.longest_run),
            longest_audit: seconds(self.longest_audit, limits.longest_audit),
            shortest_evaluation: seconds(self.shortest_evaluation, limits.shortest_evaluation),
            shortest_delivery: seconds(self.shortest_delivery, limits.shortest_delivery),
            max_submissions: self.max_submissions.unwrap_or(limits.max_submissions),
        })
    }
}

impl LimitsCommand {
    pub async fn run(self, context: &Context, output: &Output) -> Result<Report, Failure> {
        let operator = context.home.operator()?;
        let reader = discovery::client(&context.config, None).await?;
        let before = reader.limits(operator).await?;
        let after = self.change.applied(before)?;
        let tokens = self.tokens(&reader).await?;
        if after != before || !tokens.is_empty() {
            let opened = context.home.open(&context.passphrase(Ask::Existing)?)?;
            cli::confirm(&context.globals, "This changes which campaigns the contract activates with this Capsule.")?;
            let client = reader.with_signer(opened.operator);
            output.progress("Publishing the limits…");
            for (token, least_fee) in &tokens {
                client.set_token(token.address, *least_fee).await?;
            }
            if after != before {
                client.set_limits(after).await?;
            }
        }
        let world = discovery::world(&context.config, &reader, context.home.path()).await?;
        let capsule = world.capsules.get(&operator).cloned().unwrap_or_default();
        report(&reader, after, &capsule, &tokens).await
    }

    /// The tokens to change: the least fee, or `None` if the token is refused.
    async fn tokens(&self, client: &Client) -> Result<Vec<(TokenUnit, Option<u128>)>, Failure> {
        let refused = |message: String| Failure::new(Code::Token, message).at("--token");
        let mut tokens = Vec::new();
        for given in &self.token {
            let (name, fee) = given
                .split_once('=')
                .ok_or_else(|| refused(format!("`{given}` is not of the form TOKEN=LEAST_FEE, as in `ETH=0.001`")))?;
            let token = unit(client, name).await?;
            let fee = token.parse(fee).map_err(|error| refused(error.to_string()))?;
            let fee = u128::try_from(fee.0).map_err(|_| refused(format!("`{given}` is too large")))?;
            tokens.push((token, Some(fee)));
        }
        for name in &self.refuse {
            tokens.push((unit(client, name).await?, None));
        }
        Ok(tokens)
    }
}

async fn unit(client: &Client, name: &str) -> Result<TokenUnit, Failure> {
    let address = match name {
        "ETH" => return Ok(TokenUnit::eth()),
        "DATA" => client.deployment().datacoin,
        text => sonar_contracts::address::parse(text).map_err(|message| Failure::new(Code::Token, message))?,
    };
    Ok(client.token(address).await?)
}

fn amount(text: &str) -> Result<Amount, Failure> {
    TokenUnit::eth().parse(text).map_err(|error| Failure::new(Code::Stake, error))
}

async fn report(
    client: &Client,
    limits: CapsuleLimits,
    capsule: &CapsuleView,
    changed: &[(TokenUnit, Option<u128>)],
) -> Result<Report, Failure> {
    // The indexed state may not have the changes yet.
    let mut tokens = capsule.tokens.clone();
    for (token, least_fee) in changed {
        match least_fee {
            Some(fee) => tokens.insert(token.address, Amount::from(*fee)),
            None => tokens.remove(&token.address),
        };
    }
    let eth = TokenUnit::eth();
    let mut human = format!(
        "stake per campaign   at most {}\nstake in all         at most {}\nrun                  at most {} s\naudit                at \
         most {} s\nevaluation           at least {} s\ndelivery             at least {} s\nsubmissions          at most {}",
        eth.format(limits.stake_per_campaign),
        eth.format(limits.stake_in_all),
        limits.longest_run,
        limits.longest_audit,
        limits.shortest_evaluation,
        limits.shortest_delivery,
        limits.max_submissions,
    );
    for (address, least_fee) in &tokens {
        let token = if *address == Address::ZERO { TokenUnit::eth() } else { client.token(*address).await? };
        human += &format!("\nfees in {:<12} at least {}", token.symbol, token.format(*least_fee));
    }
    if tokens.is_empty() {
        human += "\nno token is accepted, so that no campaign can be activated";
    }
    Report::new(&json!({ "limits": limits, "tokens": tokens }), human)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_given_changes() {
        let limits = CapsuleLimits { longest_run: 7, max_submissions: 9, ..CapsuleLimits::default() };
        let change = LimitsChange {
            stake_in_all: Some("1ETH".into()),
            longest_audit: Some(Duration::from_secs(60)),
            ..LimitsChange::default()
        };
        let stake_in_all = Amount::from(1_000_000_000_000_000_000_u128);
        assert_eq!(change.applied(limits).unwrap(), CapsuleLimits { stake_in_all, longest_audit: 60, ..limits });
        let change = LimitsChange { stake_in_all: Some("much".into()), ..LimitsChange::default() };
        assert!(change.applied(limits).is_err());
    }
}
