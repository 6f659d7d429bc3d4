//! The commands of `mine`. They are in the library so that the program and its tests share one compiled copy.

mod campaigns;
mod data;
mod doctor;
mod earnings;
mod init;
mod pause;
mod policy;
mod privacy;
mod run;
mod status;
mod survey;
mod ui;
mod withdraw;

use std::{path::PathBuf, process::ExitCode, time::Duration};

use alloy::signers::local::PrivateKeySigner;
use clap::{Parser, Subcommand};
use sonar_node::{
    chain::{Client, WorldReader},
    cli::{self, Ask, CommandLine, EXIT_CODES, Failure, Globals, Logging, Output, Report},
    config::{self, Config},
    discovery,
};
use sonar_protocol::view::World;
use zeroize::Zeroizing;

use crate::home::MineHome;

/// Train encrypted models on your data, and be paid for measured improvements. The data never leaves this process.
#[derive(Debug, Parser)]
#[command(name = "mine", version, after_help = EXIT_CODES, arg_required_else_help = true)]
struct Cli {
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
    /// Directory of this Mine
    #[arg(long, global = true, env = "MINE_HOME", value_name = "DIR")]
    home: Option<PathBuf>,
    /// JSON-RPC of the chain
    #[arg(long, global = true, env = "MINE_RPC", value_name = "URL")]
    rpc: Option<String>,
    /// Sonar's API, which returns the addresses of the contracts and the IPFS hub
    #[arg(long, global = true, env = "MINE_SONAR", value_name = "URL")]
    sonar: Option<String>,
    /// Deployment file that `sonar deploy` wrote; overrides what Sonar returns
    #[arg(long, global = true, env = "MINE_CONTRACTS", value_name = "FILE")]
    contracts: Option<PathBuf>,
    #[command(flatten)]
    ipfs: config::IpfsArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Create account and vault, and write the configuration
    Init(init::Init),
    /// Manage data sets: stored encrypted, never sent anywhere
    #[command(subcommand)]
    Data(data::Command),
    /// Serve campaigns
    Run(run::Run),
    /// Open the pages of the running Mine in the browser
    Ui(ui::Ui),
    /// Start no new work until `mine resume`, or for some time
    Pause(pause::Pause),
    /// End the pause
    Resume,
    /// Show account, data, current work, and updates
    Status,
    /// Show each campaign, how the data fits it, and the next action
    Campaigns,
    /// Show earnings and costs, down to each submission
    Earnings,
    /// Withdraw earnings and returned stakes
    Withdraw(withdraw::Withdraw),
    /// Show or change the rules for which campaigns are served
    #[command(subcommand)]
    Policy(policy::Command),
    /// Show what was disclosed about each data set, and what is left of its budget
    Privacy,
    /// Check keys, chain, IPFS, certificates, clock, disk and versions, and show how to repair what is broken
    Doctor,
    /// Print a completion script for your shell
    #[command(after_help = "Example:\n  mine completions bash > /etc/bash_completion.d/mine")]
    Completions(cli::Completions),
    /// Print the version of the program and the hash of the contracts' ABI
    Version,
}

/// What every command needs: the options, the configuration and the home.
struct Context {
    globals: Globals,
    home: MineHome,
    config: Config,
}

/// The program: parses the command line, runs the command, and returns the exit code.
#[must_use]
pub fn main() -> ExitCode {
    cli::main::<Cli>()
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
            Command::Run(_) => Logging::Daemon,
            _ => Logging::Command,
        }
    }

    async fn execute(self, output: &Output) -> Result<Report, Failure> {
        // Only for the commands that need it: the others work with an unreadable configuration.
        let context = || Context::new(self.globals, &self.place);
        match self.command {
            Command::Init(command) => command.run(&context()?, output).await,
            Command::Data(command) => command.run(&context()?),
            Command::Run(command) => command.run(&context()?, output).await,
            Command::Ui(command) => command.run(&context()?, output).await,
            Command::Pause(command) => command.run(&context()?),
            Command::Resume => pause::resume(&context()?),
            Command::Status => status::run(&context()?, output).await,
            Command::Campaigns => campaigns::run(&context()?).await,
            Command::Earnings => earnings::run(&context()?).await,
            Command::Withdraw(command) => command.run(&context()?, output).await,
            Command::Policy(command) => command.run(&context()?).await,
            Command::Privacy => privacy::run(&context()?),
            Command::Doctor => doctor::run(&context()?).await,
            Command::Completions(command) => command.run::<Self>(),
            Command::Version => cli::version::<Self>(),
        }
    }
}

impl Command {
    fn schema(&self) -> &'static str {
        match self {
            Self::Init(_) => "mine.init/1",
            Self::Data(command) => command.schema(),
            Self::Run(_) => "mine.run/1",
            Self::Ui(_) => "mine.ui/1",
            Self::Pause(_) => "mine.pause/1",
            Self::Resume => "mine.resume/1",
            Self::Status => "mine.status/1",
            Self::Campaigns => "mine.campaigns/1",
            Self::Earnings => "mine.earnings/1",
            Self::Withdraw(_) => "mine.withdraw/1",
            Self::Policy(_) => "mine.policy/1",
            Self::Privacy => "mine.privacy/1",
            Self::Doctor => "mine.doctor/1",
            Self::Completions(_) => "mine.completions/1",
            Self::Version => "mine.version/1",
        }
    }
}

impl Context {
    /// Options and environment override the configuration file.
    fn new(globals: Globals, place: &Place) -> Result<Self, Failure> {
        let home = config::home(place.home.as_deref(), "MINE_HOME", "mine")?;
        let config = Config::load(&home)?.with(place.rpc.clone(), place.sonar.clone(), place.contracts.clone());
        let config = config.with_ipfs(place.ipfs.clone());
        Ok(Self { globals, home: MineHome::new(home), config })
    }

    fn passphrase(&self, ask: Ask) -> Result<Zeroizing<String>, Failure> {
        self.home.passphrase(&self.globals, ask)
    }

    async fn client(&self, signer: Option<PrivateKeySigner>) -> Result<Client, Failure> {
        Ok(discovery::client(&self.config, signer).await?)
    }

    /// The part of the contracts' state that this Mine needs, up to the newest block.
    async fn world(&self, client: &Client) -> Result<World, Failure> {
        let confirmations = self.config.confirmations(client.deployment().chain_id);
        let reader = WorldReader::of(self.home.account_address()?, client.clone(), Duration::ZERO, confirmations);
        Ok(reader.with_snapshot(self.home.path()).read().await?)
    }
}

/// Converts a failure with data sets to a failure of the command line.
fn repository_failure(error: crate::repository::RepositoryError) -> Failure {
    use crate::repository::RepositoryError as E;
    let code = match error {
        E::Name(_) => cli::Code::DataName,
        E::Exists(_) => cli::Code::DataExists,
        E::Unknown(_) => cli::Code::DataUnknown,
        E::Table(_) => cli::Code::DataNotATable,
        E::Join(_) | E::Profile { .. } => cli::Code::Internal,
        E::Damaged(_) | E::Store(_) => cli::Code::Vault,
    };
    Failure::new(code, error)
}

/// Converts a failure of the vault to a failure of the command line.
fn store_failure(error: impl std::fmt::Display) -> Failure {
    Failure::new(cli::Code::Vault, error)
}
