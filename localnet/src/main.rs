//! `localnet`: everything on one machine.

// Their macros panic when the reader of the stream is gone.
#![cfg_attr(not(test), deny(clippy::print_stdout, clippy::print_stderr))]

use std::{
    path::{Path, PathBuf},
    process,
};

use clap::{Parser, Subcommand};
use localnet::{
    demo::{self, DemoConfig, DemoError, Prepared},
    directory::DirectoryError,
    network::{Network, NetworkConfig, NetworkError},
    split::Split,
    story::Story,
};
use serde::Serialize;
use sonar_node::cli::{self, Failure, Globals, Logging, Output, Report};
use sonar_protocol::method::Regime;
use syft::FeatureKind;
use syft_nets::NetworkKind;

/// A chain, Sonar, a Capsule and Mines on this machine, as separate processes of the real programs
#[derive(Debug, Parser)]
#[command(version, after_help = cli::EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    globals: Globals,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run one campaign from launch to payout, and write a report
    ///
    /// Example: localnet demo --dataset breast-cancer --mines 3
    Demo {
        #[command(flatten)]
        cast: Cast,
        /// How many Mines
        #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=64))]
        mines: u16,
        /// Where everything is written; cleared first
        #[arg(long, default_value = "target/demo", value_name = "DIR")]
        out: PathBuf,
        /// Keep the homes of all programs and the chain
        #[arg(long)]
        keep: bool,
    },
    /// Start everything, print the addresses, and run until Ctrl-C
    ///
    /// Example: localnet up --mines 3
    Up {
        #[command(flatten)]
        cast: Cast,
        /// How many Mines; 0 if you start your own
        #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(0..=64))]
        mines: u16,
        /// Where everything is written; cleared first
        #[arg(long, default_value = "target/localnet", value_name = "DIR")]
        out: PathBuf,
        /// Port of the chain's RPC on 127.0.0.1; 0 takes a free one
        #[arg(long, default_value_t = 8545)]
        rpc_port: u16,
        /// Port of Sonar's API on 127.0.0.1; 0 takes a free one
        #[arg(long, default_value_t = 8080)]
        http_port: u16,
    },
}

/// Who takes part, and with which data.
#[derive(Debug, clap::Args)]
struct Cast {
    /// The data set
    #[arg(long, default_value = "digits", value_parser = ["digits", "breast-cancer", "diabetes", "mnist"])]
    dataset: String,
    /// How its rows are dealt to the Mines: iid or by-label
    #[arg(long, default_value = "iid")]
    split: Split,
    /// Who may see the model; as the campaign file says if not given
    #[arg(long, value_enum)]
    regime: Option<Regime>,
    /// What network the clear regime trains: mlp:64,32 or cnn:16,32, for example; chosen for the data if not given
    #[arg(long, value_name = "KIND")]
    network: Option<NetworkKind>,
    /// What the linear model of the encrypted regime reads: identity, polynomial, random-relu:N or random-conv:N; as the campaign file says if not given
    #[arg(long, value_name = "KIND")]
    features: Option<FeatureKind>,
    /// A public network as safetensors, such as the model that a clear campaign delivered: the linear model reads its activations in place of
    /// raw columns
    #[arg(long, value_name = "FILE")]
    backbone: Option<PathBuf>,
    /// Accuracy that earns the whole bounty, as a fraction; as the campaign file says if not given
    #[arg(long, value_name = "FRACTION", value_parser = fraction)]
    target: Option<f64>,
    /// Where the data sets are
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

impl Cast {
    fn demo(self, mines: u16, out: PathBuf, keep: bool, quiet: bool) -> DemoConfig {
        DemoConfig {
            dataset: self.dataset,
            data: self.data.unwrap_or_else(data_directory),
            mines: usize::from(mines),
            split: self.split,
            regime: self.regime,
            network: self.network,
            features: self.features,
            backbone: self.backbone,
            target: self.target,
            out,
            keep,
            quiet,
        }
    }
}

fn fraction(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(fraction) if fraction > 0.0 && fraction <= 1.0 => Ok(fraction),
        _ => Err("write a number above 0 and at most 1".into()),
    }
}

/// `data` here, else in the checkout that this program was built from.
fn data_directory() -> PathBuf {
    let here = PathBuf::from("data");
    if here.join("digits.toml").is_file() {
        return here;
    }
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../data")
}

// Children end with the thread that started them: all start from this one, which lives as long as the program.
#[tokio::main]
async fn main() -> process::ExitCode {
    let cli = match cli::parse::<Cli>("localnet") {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    cli::init_tracing(&cli.globals, Logging::Command);
    let quiet = cli.globals.quiet;
    match cli.command {
        Command::Demo { cast, mines, out, keep } => {
            let output = Output::new(&cli.globals, "localnet.demo/1");
            output.finish(run_demo(cast.demo(mines, out, keep, quiet)).await)
        }
        Command::Up { cast, mines, out, rpc_port, http_port } => {
            let output = Output::new(&cli.globals, "localnet.up/1");
            let config = cast.demo(mines, out, true, quiet);
            let result = run_up(&config, rpc_port, http_port, &output).await;
            output.finish_stream(result)
        }
    }
}

async fn run_demo(config: DemoConfig) -> Result<Report, Failure> {
    let done = tokio::select! {
        done = demo::run(&config) => done.map_err(failure)?,
        interrupted = tokio::signal::ctrl_c() => return Err(interrupt(interrupted)),
    };
    let place = config.out.join("report.json");
    let human =
        format!("{}\nThe delivered model: {}\nThe report: {}", done.table(), done.model.display(), place.display());
    Report::new(&done, human)
}

/// Addresses of a running network.
#[derive(Serialize)]
struct Addresses {
    rpc: String,
    sonar: String,
    contracts: sonar_contracts::Deployment,
    capsule: alloy::primitives::Address,
    scientist: alloy::primitives::Address,
    scientist_home: PathBuf,
    passphrase_file: PathBuf,
    campaign_file: PathBuf,
    mines: Vec<alloy::primitives::Address>,
}

impl Addresses {
    fn of(network: &Network, campaign_file: PathBuf) -> Self {
        Self {
            rpc: network.anvil().endpoint(),
            sonar: network.sonar_url().to_owned(),
            contracts: *network.client().deployment(),
            capsule: network.capsule(),
            scientist: network.owner(),
            scientist_home: network.home("scientist"),
            passphrase_file: network.passphrase_file(),
            campaign_file,
            mines: network.mines().iter().map(|mine| mine.address).collect(),
        }
    }

    fn human(&self) -> String {
        let mines: String = self.mines.iter().map(|mine| format!("  Mine            {mine}\n")).collect();
        format!(
            "  chain           {}\n  Sonar           {}\n  contract Sonar  {}\n  DataCoin        {}\n  Capsule         {}\n{mines}\
             Launch a campaign as the data scientist {} with\n  \
             SONAR_HOME={} SONAR_PASSPHRASE_FILE={} sonar campaign launch {}\nCtrl-C ends everything.",
            self.rpc,
            self.sonar,
            self.contracts.campaigns,
            self.contracts.datacoin,
            self.capsule,
            self.scientist,
            self.scientist_home.display(),
            self.passphrase_file.display(),
            self.campaign_file.display(),
        )
    }
}

async fn run_up(config: &DemoConfig, rpc_port: u16, http_port: u16, output: &Output) -> Result<(), Failure> {
    let story = Story::new(config.quiet);
    let prepared = Prepared::read(config).map_err(failure)?;
    let network_config =
        NetworkConfig { directory: config.out.clone(), data: prepared.data.clone(), rpc_port, http_port };
    let started = Network::start(&network_config, |line| story.tell(line));
    let mut network = tokio::select! {
        started = started => started.map_err(network_failure)?,
        interrupted = tokio::signal::ctrl_c() => return Err(interrupt(interrupted)),
    };
    let file = prepared.write(network.directory()).map_err(Failure::internal)?;
    let addresses = Addresses::of(&network, file);
    output.item(&addresses, addresses.human())?;
    let ended = watch(&mut network, &story).await;
    story.tell("Stopping");
    network.stop().await;
    ended
}

/// Starts again what ends, until Ctrl-C.
async fn watch(network: &mut Network, story: &Story) -> Result<(), Failure> {
    let mut looks = tokio::time::interval(std::time::Duration::from_millis(500));
    loop {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => return Ok(()),
            _ = looks.tick() => {
                for name in network.revive().await.map_err(Failure::internal)? {
                    story.tell(&format!("{name} had ended, and runs again"));
                }
            }
        }
    }
}

/// What was asked for may make no sense; all else is not the user's fault.
fn failure(error: DemoError) -> Failure {
    match error {
        DemoError::Campaign(error) => error.into(),
        DemoError::Launch(error) => error.into(),
        DemoError::Content { .. } => Failure::new(cli::Code::CampaignFile, error),
        DemoError::Network(error) => network_failure(error),
        other => Failure::internal(other),
    }
}

fn network_failure(error: NetworkError) -> Failure {
    let code = match error {
        NetworkError::Directory(DirectoryError::InUse { .. }) => cli::Code::AlreadyRunning,
        NetworkError::Directory(DirectoryError::NotOurs(_)) => cli::Code::DirectoryNotEmpty,
        other => return Failure::internal(other),
    };
    Failure::new(code, error)
}

fn interrupt(signal: std::io::Result<()>) -> Failure {
    let message = match signal {
        Ok(()) => "interrupted; all processes were stopped".to_owned(),
        Err(error) => format!("cannot listen for Ctrl-C: {error}"),
    };
    Failure::new(cli::Code::Interrupted, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_network_without_a_campaign_can_do_without_mines() {
        for (command, mines, is_valid) in
            [("up", "0", true), ("up", "64", true), ("up", "65", false), ("demo", "0", false), ("demo", "1", true)]
        {
            let parsed = Cli::try_parse_from(["localnet", command, "--mines", mines]);
            assert_eq!(parsed.is_ok(), is_valid, "{command} --mines {mines}");
        }
    }
}
