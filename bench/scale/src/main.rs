//! `sonar-scale`: measures and writes the report. Run it with `make scale`.

use std::{env, fs, path::PathBuf, process::ExitCode};

use clap::Parser;
use sonar_scale::{
    history::Size,
    measure::{Plan, measure},
    process::{Programs, raise_file_limit},
    report::{Machine, PARTS, Report, Settings, page},
    rpc::NodeLimits,
};

/// `--quick` divides the history by this.
const QUICK: u32 = 100;

/// Measure `sonar serve` and a Mine with a long history. Writes report.json, and docs/scale.md unless it is a quick run.
#[derive(Debug, Parser)]
#[command(name = "sonar-scale", version)]
struct Cli {
    /// Campaigns in the history
    #[arg(long, default_value_t = 1_000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    campaigns: u32,
    /// Submissions to all campaigns
    #[arg(long, default_value_t = 1_000_000, value_name = "N", value_parser = clap::value_parser!(u32).range(100..))]
    submissions: u32,
    /// Accounts that submit
    #[arg(long, default_value_t = 10_000, value_name = "N", value_parser = clap::value_parser!(u32).range(16..))]
    miners: u32,
    /// One hundredth of the history; writes report-quick.json and no page
    #[arg(long)]
    quick: bool,
    /// Start of the pseudo-random numbers that make the history
    #[arg(long, default_value_t = 1, value_name = "N")]
    seed: u64,
    /// Clients that ask at the same time
    #[arg(long, default_value_t = 50, value_name = "N")]
    clients: usize,
    /// Requests to each route
    #[arg(long, default_value_t = 2_000, value_name = "N")]
    requests: usize,
    /// Clients that listen to events at the same time
    #[arg(long, default_value_t = 1_000, value_name = "N")]
    streams: usize,
    #[command(flatten)]
    limits: NodeLimits,
    /// Folder with the programs; that of this program if it is not given
    #[arg(long, value_name = "DIR")]
    programs: Option<PathBuf>,
    /// Folder for the report and, while it runs, the programs' homes
    #[arg(long, default_value = "target/scale", value_name = "DIR")]
    out: PathBuf,
    /// The page to write
    #[arg(long, default_value = "docs/scale.md", value_name = "FILE")]
    page: PathBuf,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Cli::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli) -> Result<(), Box<dyn std::error::Error>> {
    raise_file_limit();
    let size = Size { campaigns: cli.campaigns, submissions: cli.submissions, miners: cli.miners };
    let size = if cli.quick { size.divided_by(QUICK) } else { size };
    let own = env::current_exe()?.parent().map(PathBuf::from).unwrap_or_default();
    let whole = Plan {
        programs: Programs(cli.programs.unwrap_or(own)),
        size,
        seed: cli.seed,
        limits: cli.limits,
        clients: cli.clients.max(1),
        requests: cli.requests.max(1),
        streams: cli.streams,
        folder: cli.out.join("run"),
    };
    let say = |text: &str| eprintln!("{text}");
    let part = Plan { size: size.divided_by(PARTS), requests: 0, ..whole.clone() };
    let settings = Settings { size, clients: whole.clients, requests: whole.requests, streams: whole.streams };
    let (part, whole) = (measure(&part, &say).await?, measure(&whole, &say).await?);
    let report = serde_json::to_string_pretty(&Report::new(&whole, &part))?;
    let path = cli.out.join(if cli.quick { "report-quick.json" } else { "report.json" });
    fs::write(&path, format!("{report}\n"))?;
    println!("{report}");
    if !cli.quick {
        fs::write(&cli.page, page(&settings, &Machine::this(), &whole, &part))?;
    }
    Ok(())
}
