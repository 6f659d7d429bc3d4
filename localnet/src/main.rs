//! `localnet`: everything on one machine.

// These macros panic when the reader of the stream is gone.
#![cfg_attr(not(test), deny(clippy::print_stdout, clippy::print_stderr))]

use std::{
    future, io,
    path::{Path, PathBuf},
    pin::pin,
    process, thread,
    time::Duration,
};

use alloy::primitives::Address;
use clap::{Parser, Subcommand};
use localnet::{
    demo::{self, DemoConfig, DemoError, DemoInputs, FinishedDemo},
    directory::DirectoryError,
    faucet::{self, Faucet, FaucetError},
    network::{Network, NetworkConfig, NetworkError},
    simulation::{Simulation, SimulationConfig, SimulationError},
    split::Split,
    story::Story,
};
use serde::Serialize;
use serde_json::json;
use sonar_node::{
    cli::{self, Failure, Globals, Logging, Output, Report},
    files::FileError,
};
use sonar_protocol::{
    campaign::CampaignFileError,
    regime::Regime,
    units::{Amount, AmountError, TokenUnit},
};
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
        /// Number of Mines
        #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=64))]
        mines: u16,
        /// Output directory; cleared first
        #[arg(long, default_value = "target/demo", value_name = "DIR")]
        out: PathBuf,
        /// Keep everything running until Ctrl-C, to explore the finished campaign in the browser
        #[arg(long)]
        keep: bool,
    },
    /// Start everything, print the addresses, and run until Ctrl-C
    ///
    /// Example: localnet up --mines 3
    Up {
        #[command(flatten)]
        cast: Cast,
        /// Number of Mines; 0 if you start your own
        #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(0..=64))]
        mines: u16,
        /// Output directory; cleared first
        #[arg(long, default_value = "target/localnet", value_name = "DIR")]
        out: PathBuf,
        /// Port of the chain's RPC on 127.0.0.1; 0 takes a free port
        #[arg(long, default_value_t = 8545)]
        rpc_port: u16,
        /// Port of Sonar's API on 127.0.0.1; 0 takes a free port
        #[arg(long, default_value_t = 8080)]
        http_port: u16,
    },
    /// Run a campaign file with shares of a training file, and report what it reaches and pays
    ///
    /// Example: localnet simulate own.toml --train own-train.csv --mines 3
    Simulate {
        /// The campaign file
        file: PathBuf,
        /// CSV file whose rows are shared among the Mines
        #[arg(long, value_name = "FILE")]
        train: PathBuf,
        /// Number of Mines
        #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=64))]
        mines: u16,
        /// How the rows are divided among the Mines: even or by-label
        #[arg(long, default_value = "even")]
        split: Split,
        /// Keep the homes of all programs, logs and the chain in this directory; cleared first (default: nothing is kept)
        #[arg(long, value_name = "DIR")]
        keep: Option<PathBuf>,
        /// Stop when standard input ends, as it does when the program that holds its other end has ended
        #[arg(long, hide = true)]
        with_parent: bool,
    },
    /// Send money to an account of the running network
    ///
    /// Example: localnet fund 0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed --eth 1 --data 1000
    Fund {
        /// Address that receives the money
        #[arg(value_parser = faucet::address)]
        address: Address,
        /// Amount of ETH, for gas and stakes
        #[arg(long, default_value = "1", value_name = "AMOUNT", value_parser = eth)]
        eth: Amount,
        /// Amount of DATA, for bounties
        #[arg(long, default_value = "1000", value_name = "AMOUNT", value_parser = data)]
        data: Amount,
        /// Directory of the running network
        #[arg(long, default_value = "target/localnet", value_name = "DIR")]
        out: PathBuf,
    },
}

/// Options for the data and the participants.
#[derive(Debug, clap::Args)]
struct Cast {
    /// Name of the data set
    #[arg(long, default_value = "digits", value_parser = ["digits", "breast-cancer", "diabetes", "mnist"])]
    dataset: String,
    /// How the rows are divided among the Mines: iid or by-label
    #[arg(long, default_value = "iid")]
    split: Split,
    /// Regime: whether the model is encrypted or public (default: that of the campaign file)
    #[arg(long, value_enum)]
    regime: Option<Regime>,
    /// Network of the clear regime, such as mlp:64,32 or cnn:16,32 (default: chosen for the data)
    #[arg(long, value_name = "KIND")]
    network: Option<NetworkKind>,
    /// Feature map of the encrypted regime: identity, polynomial, random-relu:N or random-conv:N (default: that of the
    /// campaign file)
    #[arg(long, value_name = "KIND")]
    features: Option<FeatureKind>,
    /// Public network as safetensors, such as the delivered model of a clear campaign; the linear model reads its
    /// activations instead of raw columns
    #[arg(long, value_name = "FILE")]
    backbone: Option<PathBuf>,
    /// Target accuracy that pays the full bounty, as a fraction (default: that of the campaign file)
    #[arg(long, value_name = "FRACTION", value_parser = fraction)]
    target: Option<f64>,
    /// Directory of the data sets
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

/// `data` in the current directory, or else in the checkout that this program was built from.
fn data_directory() -> PathBuf {
    let here = PathBuf::from("data");
    if here.join("digits.toml").is_file() {
        return here;
    }
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../data")
}

// The kernel kills children when the thread that started them ends, so all are started from this thread, which lives as
// long as the program.
#[tokio::main]
async fn main() -> process::ExitCode {
    let cli = match cli::parse::<Cli>() {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    cli::init_tracing(&cli.globals, Logging::Command);
    let quiet = cli.globals.quiet;
    let end = end(cli.globals.timeout);
    match cli.command {
        Command::Demo { cast, mines, out, keep } => {
            let output = Output::new(&cli.globals, "localnet.demo/1");
            let result = run_demo(cast.demo(mines, out, keep, quiet), end, &output).await;
            output.finish_stream(result)
        }
        Command::Up { cast, mines, out, rpc_port, http_port } => {
            let output = Output::new(&cli.globals, "localnet.up/1");
            let config = cast.demo(mines, out, true, quiet);
            let result = run_up(&config, rpc_port, http_port, end, &output).await;
            output.finish_stream(result)
        }
        Command::Simulate { file, train, mines, split, keep, with_parent } => {
            let output = Output::new(&cli.globals, "localnet.simulate/1");
            let config = SimulationConfig { campaign: file, train, mines: mines.into(), split };
            let end = async {
                tokio::select! {
                    end = end => end,
                    () = parent_ended(with_parent) => End::Signal,
                }
            };
            output.finish(run_simulation(config, keep, quiet, end).await)
        }
        Command::Fund { address, eth, data, out } => {
            let output = Output::new(&cli.globals, "localnet.fund/1");
            let result = tokio::select! {
                result = fund(&out, address, eth, data) => result,
                end = end => Err(end.into()),
            };
            output.finish(result)
        }
    }
}

async fn fund(directory: &Path, account: Address, eth: Amount, data: Amount) -> Result<Report, Failure> {
    let (faucet, datacoin) = Faucet::of(directory).await.map_err(faucet_failure)?;
    if eth > Amount::ZERO {
        faucet.give_eth(account, eth).await.map_err(faucet_failure)?;
    }
    if data > Amount::ZERO {
        faucet.give_token(datacoin, account, data).await.map_err(faucet_failure)?;
    }
    let human = format!("{account} received {} and {}", TokenUnit::eth().format(eth), datacoin_unit().format(data));
    Report::new(&json!({"address": account, "eth": eth, "data": data}), human)
}

/// DataCoin, whose decimals are known.
fn datacoin_unit() -> TokenUnit {
    TokenUnit { symbol: "DATA".into(), ..TokenUnit::eth() }
}

fn eth(text: &str) -> Result<Amount, AmountError> {
    TokenUnit::eth().parse(text)
}

fn data(text: &str) -> Result<Amount, AmountError> {
    datacoin_unit().parse(text)
}

fn faucet_failure(error: FaucetError) -> Failure {
    match error {
        FaucetError::NoNetwork(_) => Failure::new(cli::Code::NoNetwork, error),
        FaucetError::Deployment(error) => error.into(),
        FaucetError::Key(error) => error.into(),
        FaucetError::Chain(error) => error.into(),
    }
}

/// Why everything is stopped early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// A signal: Ctrl-C, SIGTERM, or the terminal was closed.
    Signal,
    /// The time limit of `--timeout` has passed.
    Timeout(Duration),
}

impl From<End> for Failure {
    fn from(end: End) -> Self {
        match end {
            End::Signal => Self::new(cli::Code::Interrupted, "interrupted; all processes were stopped"),
            End::Timeout(limit) => {
                let message = format!("not finished within {} s; all processes were stopped", limit.as_secs_f64());
                Self::new(cli::Code::TimedOut, message).help("pass a longer --timeout")
            }
        }
    }
}

/// Returns when everything must be stopped.
async fn end(limit: Option<Duration>) -> End {
    let timeout = async {
        match limit {
            Some(limit) => {
                tokio::time::sleep(limit).await;
                limit
            }
            None => future::pending().await,
        }
    };
    tokio::select! {
        () = cli::stop_signal() => End::Signal,
        limit = timeout => End::Timeout(limit),
    }
}

/// Returns when standard input ends, if it is watched.
async fn parent_ended(watched: bool) {
    if !watched {
        return future::pending().await;
    }
    let (ended, notice) = tokio::sync::oneshot::channel();
    // A thread of its own: unlike one of the runtime, it does not hold up the end of the program while it reads.
    thread::spawn(move || {
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        let _ = ended.send(());
    });
    // The other end is kept until then.
    let _ = notice.await;
}

async fn run_simulation(
    config: SimulationConfig,
    keep: Option<PathBuf>,
    quiet: bool,
    end: impl Future<Output = End>,
) -> Result<Report, Failure> {
    let simulation = Simulation::read(config).map_err(simulation_failure)?;
    // Removed when it is dropped, after all processes have ended.
    let temporary = match &keep {
        Some(_) => None,
        None => Some(tempfile::Builder::new().prefix("sonar-simulation-").tempdir().map_err(Failure::internal)?),
    };
    let directory = temporary.as_ref().map_or_else(|| keep.clone().unwrap_or_default(), |made| made.path().to_owned());
    let mut story = Story::new(quiet);
    let mut report = tokio::select! {
        done = simulation.run(&directory, &mut story) => done.map_err(simulation_failure)?,
        end = end => return Err(end.into()),
    };
    report.kept = keep.map(|kept| std::path::absolute(&kept).unwrap_or(kept));
    let human = report.summary();
    Report::new(&report, human)
}

async fn run_demo(config: DemoConfig, end: impl Future<Output = End>, output: &Output) -> Result<(), Failure> {
    let mut end = pin!(end);
    // When one of the two ends, the other is dropped; dropping the demo ends all its processes.
    let FinishedDemo { report, network } = tokio::select! {
        done = demo::run(&config) => done.map_err(failure)?,
        end = &mut end => return Err(end.into()),
    };
    let place = config.out.join("report.json");
    let next = match &network {
        Some(network) => format!(
            "Explore the finished campaign: {}/campaigns/{}\nCtrl-C stops everything.",
            network.sonar_url(),
            report.campaign
        ),
        None => "Explore a finished campaign in the browser: make demo ARGS=\"--keep\"".into(),
    };
    let (table, model) = (report.table(), report.model.display());
    output.item(&report, format!("{table}\nThe delivered model: {model}\nThe report: {}\n{next}", place.display()))?;
    match network {
        Some(network) => keep(network, &Story::new(config.quiet), end).await,
        None => Ok(()),
    }
}

/// Keeps a network running until a signal or the time limit, then stops it.
async fn keep(mut network: Network, story: &Story, end: impl Future<Output = End>) -> Result<(), Failure> {
    let ended = tokio::select! {
        failure = revive(&mut network, story) => Err(failure),
        end = end => match end {
            // Only a signal or the time limit ends it.
            End::Signal => Ok(()),
            End::Timeout(_) => Err(end.into()),
        },
    };
    story.tell("Stopping");
    network.stop().await;
    ended
}

/// Addresses of a running network.
#[derive(Serialize)]
struct Addresses {
    rpc: String,
    sonar: String,
    contracts: sonar_contracts::Deployment,
    capsule: Address,
    scientist: Address,
    scientist_home: PathBuf,
    passphrase_file: PathBuf,
    campaign_file: PathBuf,
    directory: PathBuf,
    mines: Vec<Address>,
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
            directory: network.directory().to_owned(),
            mines: network.mines().iter().map(|mine| mine.address).collect(),
        }
    }

    fn human(&self) -> String {
        let mines: String = self.mines.iter().map(|mine| format!("  Mine            {mine}\n")).collect();
        let home = |name: &str| self.directory.join("homes").join(name).display().to_string();
        let mut pages = format!(
            "Pages: everybody's at {}\n  the data scientist's: SONAR_HOME={} sonar ui\n  the Capsule's: CAPSULE_HOME={} capsule ui\n",
            self.sonar,
            self.scientist_home.display(),
            home("capsule"),
        );
        if !self.mines.is_empty() {
            pages += &format!("  a Mine's: MINE_HOME={} mine ui\n", home("mine-1"));
        }
        format!(
            "  chain           {}\n  Sonar           {}\n  Campaigns       {}\n  DataCoin        {}\n  Capsule         {}\n{mines}\
             {pages}\
             Launch a campaign as the data scientist {} with\n  \
             SONAR_HOME={} SONAR_PASSPHRASE_FILE={} sonar campaign launch {}\n\
             Fund your own account with\n  localnet fund ADDRESS --out {}\nCtrl-C stops everything.",
            self.rpc,
            self.sonar,
            self.contracts.campaigns,
            self.contracts.datacoin,
            self.capsule,
            self.scientist,
            self.scientist_home.display(),
            self.passphrase_file.display(),
            self.campaign_file.display(),
            self.directory.display(),
        )
    }
}

async fn run_up(
    config: &DemoConfig,
    rpc_port: u16,
    http_port: u16,
    end: impl Future<Output = End>,
    output: &Output,
) -> Result<(), Failure> {
    let story = Story::new(config.quiet);
    let prepared = DemoInputs::read(config).map_err(failure)?;
    let network_config =
        NetworkConfig { directory: config.out.clone(), data: prepared.data.clone(), rpc_port, http_port };
    let mut end = pin!(end);
    let network = tokio::select! {
        started = Network::start(&network_config, |line| story.tell(line)) => started.map_err(network_failure)?,
        end = &mut end => return Err(end.into()),
    };
    let file = prepared.write(network.directory()).map_err(Failure::internal)?;
    let addresses = Addresses::of(&network, file);
    output.item(&addresses, addresses.human())?;
    keep(network, &story, end).await
}

/// Restarts processes that end, until one cannot be restarted.
async fn revive(network: &mut Network, story: &Story) -> Failure {
    let mut looks = tokio::time::interval(Duration::from_millis(500));
    loop {
        looks.tick().await;
        match network.revive().await {
            Ok(revived) => revived.iter().for_each(|name| story.tell(&format!("{name} ended and was restarted"))),
            Err(error) => return Failure::internal(error),
        }
    }
}

/// Inconsistent options are the user's fault; everything else is not.
fn failure(error: DemoError) -> Failure {
    match error {
        DemoError::Campaign(error) => error.into(),
        DemoError::Launch(error) => error.into(),
        DemoError::Content { .. } => Failure::new(cli::Code::CampaignFile, error),
        DemoError::Network(error) => network_failure(error),
        other => Failure::internal(other),
    }
}

/// What is wrong with the files is the user's to mend.
fn simulation_failure(error: SimulationError) -> Failure {
    match error {
        SimulationError::Campaign { path, source } => match source {
            CampaignFileError::Toml { line, column, message } => {
                Failure::new(cli::Code::CampaignFile, message).at(format_args!("{}:{line}:{column}", path.display()))
            }
            other => Failure::new(cli::Code::CampaignFile, other).at(path.display()),
        },
        SimulationError::Unsupported { .. } => Failure::new(cli::Code::CampaignFile, error),
        SimulationError::File { path, source } => FileError { action: "read", path, source }.into(),
        SimulationError::Launch(error) => error.into(),
        SimulationError::Table { .. } | SimulationError::Misfit { .. } | SimulationError::Split { .. } => {
            Failure::new(cli::Code::TrainingData, error)
        }
        SimulationError::Bounty(error) => Failure::new(cli::Code::Amount, error).at("reward.bounty"),
        SimulationError::Network(error) => network_failure(error),
        SimulationError::Faucet(error) => faucet_failure(error),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_to_fund_with_need_no_unit() {
        let amounts = |eth: &str, data: &str| {
            let account = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";
            let cli = Cli::try_parse_from(["localnet", "fund", account, "--eth", eth, "--data", data])?;
            let Command::Fund { eth, data, .. } = cli.command else { panic!("another command") };
            Ok::<_, clap::Error>((TokenUnit::eth().format(eth), datacoin_unit().format(data)))
        };
        let expected = ("0.5 ETH".to_owned(), "20 DATA".to_owned());
        assert_eq!(amounts("0.5", "20").unwrap(), expected);
        assert_eq!(amounts("0.5 ETH", "20DATA").unwrap(), expected);
        assert!(amounts("20 DATA", "0").is_err());
        assert!(amounts("-1", "0").is_err());
    }

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
