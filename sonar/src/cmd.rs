//! The commands of `sonar`.

mod account;
mod campaign;
mod deploy;
mod exit_codes;
mod serve;
mod ui;

use std::{future::Future, path::PathBuf, time::Duration};

use alloy::primitives::Address;
use clap::{Parser, Subcommand};
use sonar_node::{
    account::{AccountName, Keystore},
    chain::{Client, RpcNode},
    cli::{self, Ask, CommandLine, EXIT_CODES, Failure, Globals, Logging, Output, Report},
    config::{self, Config},
    discovery::{self, DiscoveryError},
};
use sonar_protocol::view::World;
use zeroize::Zeroizing;

use crate::scientist::Workspace;

/// How long to retry when the chain does not answer.
const PATIENCE: Duration = Duration::from_secs(8);

/// Train models on data you never see, and pay for measured accuracy.
#[derive(Debug, Parser)]
#[command(name = "sonar", version, after_help = EXIT_CODES, arg_required_else_help = true)]
pub struct Cli {
    #[command(flatten)]
    globals: Globals,
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    command: Command,
}

/// Options that locate the home, the chain and Sonar.
#[derive(Debug, clap::Args)]
struct Place {
    /// Directory of accounts, launches and configuration
    #[arg(long, global = true, env = "SONAR_HOME", value_name = "DIR")]
    home: Option<PathBuf>,
    /// JSON-RPC of the chain
    #[arg(long, global = true, env = "SONAR_RPC", value_name = "URL")]
    rpc: Option<String>,
    /// Sonar's API, which returns the addresses of the contracts and the IPFS hub
    #[arg(long, global = true, env = "SONAR_URL", value_name = "URL")]
    sonar: Option<String>,
    /// Deployment file that `sonar deploy` wrote; overrides what Sonar returns
    #[arg(long, global = true, env = "SONAR_CONTRACTS", value_name = "FILE")]
    contracts: Option<PathBuf>,
    #[command(flatten)]
    ipfs: config::IpfsArgs,
    /// Account that signs; required if there are several
    #[arg(long, global = true, env = "SONAR_ACCOUNT", value_name = "NAME")]
    account: Option<AccountName>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Deploy the contracts to a chain, once
    Deploy(deploy::Deploy),
    /// Manage accounts: keys in encrypted keystore files
    #[command(subcommand)]
    Account(account::Command),
    /// Manage campaigns: launch, follow, close, and fetch the model
    #[command(subcommand, visible_alias = "c")]
    Campaign(campaign::Command),
    /// Open the desk in the browser: launch and follow campaigns, fetch results
    Ui(ui::Ui),
    /// Run the coordinator: index, IPFS hub, relay, HTTP API
    Serve(serve::Serve),
    /// Print a completion script for your shell
    #[command(after_help = "Example:\n  sonar completions bash > /etc/bash_completion.d/sonar")]
    Completions(cli::Completions),
    /// Print the exit codes
    #[command(long_about = EXIT_CODES)]
    ExitCodes,
    /// Print the version of the program and the hash of the contracts' ABI
    Version,
}

/// What every command needs: the options, the configuration and the home.
struct Context {
    globals: Globals,
    place: Place,
    home: PathBuf,
    config: Config,
}

impl CommandLine for Cli {
    fn globals(&self) -> &Globals {
        &self.globals
    }

    fn schema(&self) -> &'static str {
        self.command.schema()
    }

    fn logging(&self) -> Logging {
        match self.command {
            Command::Serve(_) | Command::Ui(_) => Logging::Daemon,
            _ => Logging::Command,
        }
    }

    async fn execute(self, output: &Output) -> Result<Report, Failure> {
        // Only for the commands that need it: the others work with an unreadable configuration.
        let context = || Context::new(self.globals, self.place);
        match self.command {
            Command::Deploy(command) => command.run(&context()?, output).await,
            Command::Account(command) => command.run(&context()?, output).await,
            Command::Campaign(command) => command.run(&context()?, output).await,
            Command::Ui(command) => command.run(&context()?, output).await,
            Command::Serve(command) => command.run(&context()?, output).await,
            Command::ExitCodes => exit_codes::run(),
            Command::Completions(command) => command.run::<Self>(),
            Command::Version => cli::version::<Self>(),
        }
    }
}

impl Command {
    fn schema(&self) -> &'static str {
        match self {
            Self::Deploy(_) => "sonar.deploy/1",
            Self::Account(command) => command.schema(),
            Self::Campaign(command) => command.schema(),
            Self::Ui(_) => "sonar.ui/1",
            Self::Serve(_) => "sonar.serve/1",
            Self::Completions(_) => "sonar.completions/1",
            Self::ExitCodes => "sonar.exit-codes/1",
            Self::Version => "sonar.version/1",
        }
    }
}

impl Context {
    /// Options and environment override the configuration file.
    fn new(globals: Globals, place: Place) -> Result<Self, Failure> {
        let home = config::home(place.home.as_deref(), "SONAR_HOME", "sonar")?;
        let config = Config::load(&home)?.with(place.rpc.clone(), place.sonar.clone(), place.contracts.clone());
        let config = config.with_ipfs(place.ipfs.clone());
        Ok(Self { globals, place, home, config })
    }

    /// The part of it that the data scientist's work needs.
    fn workspace(&self) -> Workspace {
        Workspace { home: self.home.clone(), config: self.config.clone() }
    }

    fn rpc(&self) -> Result<&str, DiscoveryError> {
        self.config.rpc.as_deref().ok_or(DiscoveryError::Missing("the chain (`rpc`)"))
    }

    fn node(&self) -> Result<RpcNode, Failure> {
        Ok(RpcNode::new(self.rpc()?, PATIENCE)?)
    }

    /// A client that only reads.
    async fn reader(&self) -> Result<Client, Failure> {
        Ok(discovery::client(&self.config, None).await?)
    }

    /// A client that signs with the account named by `--account`, or with the only account.
    async fn signer(&self) -> Result<Client, Failure> {
        let name = self.account()?;
        let passphrase = self.passphrase(&name, Ask::Existing)?;
        self.signer_of(&name, &passphrase).await
    }

    /// A client that signs with an account.
    async fn signer_of(&self, name: &AccountName, passphrase: &str) -> Result<Client, Failure> {
        let signer = Keystore::new(&self.home).unlock(name, passphrase)?;
        Ok(self.reader().await?.with_signer(signer))
    }

    /// The state of all campaigns, from the confirmed events of the contracts.
    async fn world(&self, client: &Client) -> Result<World, Failure> {
        Ok(discovery::world(&self.config, client, &self.home).await?)
    }

    /// The account named by `--account`, or the only account.
    fn account(&self) -> Result<AccountName, Failure> {
        if let Some(name) = &self.place.account {
            return Ok(name.clone());
        }
        let mut accounts = Keystore::new(&self.home).list()?;
        match (accounts.pop(), accounts.is_empty()) {
            (Some(only), true) => Ok(only.name),
            (None, _) => {
                Err(Failure::new(cli::Code::NoAccount, format!("there is no account in {}", self.home.display()))
                    .help("create one with `sonar account new NAME`"))
            }
            (Some(_), false) => Err(Failure::new(cli::Code::AccountAmbiguous, "there are several accounts")
                .help("choose one with --account NAME")),
        }
    }

    /// The address of the account named by `--account`, or of the only account.
    fn address(&self) -> Result<Address, Failure> {
        let name = self.account()?;
        let keystore = Keystore::new(&self.home);
        let accounts = keystore.list()?;
        let account = accounts.into_iter().find(|account| account.name == name);
        Ok(account.ok_or_else(|| keystore.unknown(&name))?.address)
    }

    fn passphrase(&self, name: &AccountName, ask: Ask) -> Result<Zeroizing<String>, Failure> {
        cli::passphrase(&self.globals, "sonar", &format!("account `{name}`"), ask)
    }
}

/// Awaits a future and shows a progress line meanwhile.
async fn tell<T>(output: &Output, what: &str, work: impl Future<Output = T>) -> T {
    output.progress(what);
    work.await
}
