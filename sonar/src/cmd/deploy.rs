//! `sonar deploy`.

use std::path::PathBuf;

use alloy::primitives::{U256, utils::parse_ether};
use sonar_contracts::{Bounds, Deployment, local_bounds, public_bounds};
use sonar_node::{
    account::Keystore,
    chain::{self, Options, RpcNode, Sender, deploy},
    cli::{self, Ask, Code, Failure, Output, Report},
    config::Config,
    discovery,
    files::{self, Access, FileExists},
};

use super::Context;

/// Deploy the contracts to a chain, once.
///
/// Writes their addresses to <home>/deployment.json. A second run finds them and changes nothing.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  sonar deploy --rpc http://127.0.0.1:8545 --yes")]
pub struct Deploy {
    /// Whole DataCoins that the deployer receives; this is the final supply
    #[arg(long, default_value_t = 1_000_000_000, value_name = "DATA")]
    supply: u64,
    /// Write the deployment to this file instead
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Bounds on the times of campaigns, which nobody can change later
    #[arg(long, value_enum, default_value_t = Times::Public)]
    times: Times,
    /// Overwrite a deployment file whose contracts are not on this chain
    #[arg(long)]
    force: bool,
}

/// Bounds on the times of campaigns.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Times {
    /// Minutes to days, so that outages harm nobody
    Public,
    /// Seconds to days, for a network on one machine
    Local,
}

impl Times {
    fn bounds(self) -> Bounds {
        match self {
            Self::Public => public_bounds(),
            Self::Local => local_bounds(),
        }
    }
}

impl Deploy {
    pub async fn run(self, context: &Context, output: &Output) -> Result<Report, Failure> {
        let path = self.out.unwrap_or_else(|| context.home.join("deployment.json"));
        let node = context.node()?;
        let chain_id = super::tell(output, "Asking the chain…", node.chain_id()).await?;
        if path.exists() {
            if let Some(deployment) = standing(&node, &path, chain_id).await? {
                output.progress("The contracts are already deployed; nothing was changed.");
                return report(&deployment);
            }
            // The deployment of another chain, which must not be lost.
            if !self.force {
                return Err(FileExists(path).into());
            }
        }
        let name = context.account()?;
        let passphrase = context.passphrase(&name, Ask::Existing)?;
        let signer = Keystore::new(&context.home).unlock(&name, &passphrase)?;
        cli::confirm(
            &context.globals,
            &format!("This deploys five contracts to chain {chain_id}; account {} pays the gas.", signer.address()),
        )?;
        let supply = U256::from(self.supply) * parse_ether("1").map_err(Failure::internal)?;
        output.progress("Deploying CapsuleRegistry, Assessor, TermsChecker, Campaigns and DataCoin…");
        let sender = Sender::new(node, signer, Options::default());
        let deployment = deploy(&sender, supply, self.times.bounds()).await.map_err(failure)?;
        files::private_directory(&context.home)?;
        let text = serde_json::to_vec_pretty(&deployment).map_err(Failure::internal)?;
        files::write_atomic(&path, &text, Access::Public)?;
        remember(context, &path)?;
        report(&deployment)
    }
}

/// The deployment of an earlier run, if its contracts are on this chain.
async fn standing(node: &RpcNode, path: &std::path::Path, chain_id: u64) -> Result<Option<Deployment>, Failure> {
    let deployment = discovery::deployment(path)?;
    let there = deployment.chain_id == chain_id
        && node.has_code(deployment.registry).await?
        && node.has_code(deployment.campaigns).await?
        && node.has_code(deployment.datacoin).await?;
    Ok(there.then_some(deployment))
}

/// Stores chain and contracts in the configuration, so that later commands need no options for them.
fn remember(context: &Context, path: &std::path::Path) -> Result<(), Failure> {
    let mut config = Config::load(&context.home)?;
    config.rpc = context.config.rpc.clone();
    config.contracts = Some(std::path::absolute(path).map_err(Failure::internal)?);
    Ok(config.save(&context.home)?)
}

fn report(deployment: &Deployment) -> Result<Report, Failure> {
    let human = format!(
        "chain     {}\ncampaigns {}\nregistry  {}\ndatacoin  {}",
        deployment.chain_id, deployment.campaigns, deployment.registry, deployment.datacoin
    );
    Report::new(deployment, human)
}

fn failure(error: chain::Error) -> Failure {
    use chain::Error as E;
    match error {
        E::Node { .. } | E::Refused { .. } | E::UnknownRevert { .. } | E::Failed { .. } => {
            Failure::new(Code::DeploymentFailed, error).help("does the account have enough ETH for the gas?")
        }
        other => other.into(),
    }
}
