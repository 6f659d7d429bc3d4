//! The commands of `capsule`.

mod backup;
mod campaigns;
mod export_cert;
mod init;
mod keys;
mod limits;
mod serve;
mod stake;
mod status;
mod ui;
mod withdraw;

use std::path::PathBuf;

use capsule::home::CapsuleHome;
use clap::{Parser, Subcommand};
use sonar_node::{
    cli::{self, Ask, CommandLine, EXIT_CODES, Failure, Globals, Logging, Output, Report},
    config::{self, Config},
};
use zeroize::Zeroizing;

/// Hold the keys of encrypted models, evaluate updates, and attest their results.
#[derive(Debug, Parser)]
#[command(name = "capsule", version, after_help = EXIT_CODES, arg_required_else_help = true)]
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
    /// Directory of this Capsule
    #[arg(long, global = true, env = "CAPSULE_HOME", value_name = "DIR")]
    home: Option<PathBuf>,
    /// JSON-RPC of the chain
    #[arg(long, global = true, env = "CAPSULE_RPC", value_name = "URL")]
    rpc: Option<String>,
    /// Sonar's API, which returns the addresses of the contracts and the IPFS hub
    #[arg(long, global = true, env = "CAPSULE_SONAR", value_name = "URL")]
    sonar: Option<String>,
    /// Deployment file that `sonar deploy` wrote; overrides what Sonar returns
    #[arg(long, global = true, env = "CAPSULE_CONTRACTS", value_name = "FILE")]
    contracts: Option<PathBuf>,
    #[command(flatten)]
    ipfs: config::IpfsArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Create keys and vault, and register the Capsule on the chain
    Init(init::Init),
    /// Run the Capsule
    Serve(serve::Serve),
    /// Open the operator's page of the running Capsule in the browser
    Ui(ui::Ui),
    /// Show registration and stake of this Capsule, and how many campaigns it has
    Status,
    /// List the campaigns of this Capsule: state, locked stake, and what it earned
    Campaigns,
    /// Show what a campaign may demand of this Capsule at most, or change it
    Limits(limits::LimitsCommand),
    /// Add to this Capsule's stake, or take back what no campaign has locked
    Stake(stake::Stake),
    /// Withdraw everything that this Capsule has earned
    Withdraw(withdraw::Withdraw),
    /// Show the keys of this Capsule, or replace its attestation key
    Keys(keys::Keys),
    /// Print the OpenPGP certificate that bundles are sealed to
    ExportCert,
    /// Copy keys and vault into one file; everything secret in it stays encrypted
    Backup(backup::Backup),
    /// Restore a backup into a home that has no Capsule
    Restore(backup::Restore),
    /// Print a completion script for your shell
    #[command(after_help = "Example:\n  capsule completions bash > /etc/bash_completion.d/capsule")]
    Completions(cli::Completions),
    /// Print the version of the program and the hash of the contracts' ABI
    Version,
}

/// What every command needs: the options, the configuration and the home.
struct Context {
    globals: Globals,
    home: CapsuleHome,
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
            Command::Serve(_) => Logging::Daemon,
            _ => Logging::Command,
        }
    }

    async fn execute(self, output: &Output) -> Result<Report, Failure> {
        // Only for the commands that need it: the others work with an unreadable configuration.
        let context = || Context::new(self.globals, &self.place);
        match self.command {
            Command::Init(command) => command.run(&context()?, output).await,
            Command::Serve(command) => command.run(&context()?, output).await,
            Command::Ui(command) => command.run(&context()?, output).await,
            Command::Status => status::run(&context()?).await,
            Command::Campaigns => campaigns::run(&context()?).await,
            Command::Limits(command) => command.run(&context()?, output).await,
            Command::Stake(command) => command.run(&context()?, output).await,
            Command::Withdraw(command) => command.run(&context()?, output).await,
            Command::Keys(command) => command.run(&context()?, output).await,
            Command::ExportCert => export_cert::run(&context()?),
            Command::Backup(command) => command.run(&context()?).await,
            Command::Restore(command) => command.run(&context()?),
            Command::Completions(command) => command.run::<Self>(),
            Command::Version => cli::version::<Self>(),
        }
    }
}

impl Command {
    fn schema(&self) -> &'static str {
        match self {
            Self::Init(_) => "capsule.init/1",
            Self::Serve(_) => "capsule.serve/1",
            Self::Ui(_) => "capsule.ui/1",
            Self::Status => "capsule.status/2",
            Self::Campaigns => "capsule.campaigns/1",
            Self::Limits(_) => "capsule.limits/1",
            Self::Stake(_) => "capsule.stake/1",
            Self::Withdraw(_) => "capsule.withdraw/1",
            Self::Keys(_) => "capsule.keys/1",
            Self::ExportCert => "capsule.export-cert/1",
            Self::Backup(_) => "capsule.backup/1",
            Self::Restore(_) => "capsule.restore/1",
            Self::Completions(_) => "capsule.completions/1",
            Self::Version => "capsule.version/1",
        }
    }
}

impl Context {
    /// Options and environment override the configuration file.
    fn new(globals: Globals, place: &Place) -> Result<Self, Failure> {
        let home = config::home(place.home.as_deref(), "CAPSULE_HOME", "capsule")?;
        let config = Config::load(&home)?.with(place.rpc.clone(), place.sonar.clone(), place.contracts.clone());
        let config = config.with_ipfs(place.ipfs.clone());
        Ok(Self { globals, home: CapsuleHome::new(home), config })
    }

    fn passphrase(&self, ask: Ask) -> Result<Zeroizing<String>, Failure> {
        self.home.passphrase(&self.globals, ask)
    }
}
