//! `sonar campaign simulate`: the same campaign on a local network, with virtual money.
//!
//! The program `localnet` runs the network. It stops everything when its standard input ends, which it does at the latest
//! when this process ends, however that happens.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Output as ProcessOutput, Stdio},
};

use clap::ValueEnum;
use serde_json::Value;
use sonar_node::cli::{self, Code, Failure, Output, Report};
use sonar_protocol::simulation::{SimulatedMine, SimulationReport};
use tokio::process::Command;

use super::Context;

/// Name of the program that runs local networks.
const LOCALNET: &str = "localnet";

/// Run a campaign on a throw-away local network, with virtual money and shares of a training file.
///
/// Reports what accuracy the Mines reach and what each of them earns, to choose bounty and target before paying. Nothing is
/// sent anywhere, and nothing is kept.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  sonar campaign simulate own.toml --train own-train.csv --mines 3 --split by-label")]
pub struct Simulate {
    /// The campaign file
    file: PathBuf,
    /// CSV file whose rows are shared among the Mines
    #[arg(long, value_name = "FILE")]
    train: PathBuf,
    /// Number of Mines
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=64))]
    mines: u16,
    /// How the rows are shared
    #[arg(long, value_enum, default_value_t = SplitArg::Even)]
    split: SplitArg,
    /// Keep the homes of all programs, logs and the chain in this directory; it is cleared first
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum SplitArg {
    /// In turn, so that all Mines have similar rows
    Even,
    /// Sorted by the target and cut, so that each Mine has few classes
    ByLabel,
}

impl Simulate {
    pub async fn run(self, context: &Context, output: &Output) -> Result<Report, Failure> {
        let program = localnet()?;
        output.progress(format_args!("Starting a local network with {} Mines…", self.mines));
        let ended = run(self.command(&program, context.globals.quiet)).await?;
        let data = answer(&ended)?;
        let report: SimulationReport = serde_json::from_value(data.clone()).map_err(Failure::internal)?;
        Report::new(&data, format!("{}\n{}", report.summary(), mines(&report)))
    }

    fn command(&self, program: &Path, quiet: bool) -> Command {
        let split = self.split.to_possible_value().unwrap_or_default();
        let mut command = Command::new(program);
        command.args([
            "simulate",
            "--json",
            "--with-parent",
            "--mines",
            &self.mines.to_string(),
            "--split",
            split.get_name(),
        ]);
        command.arg("--train").arg(&self.train);
        if let Some(directory) = &self.keep {
            command.arg("--keep").arg(directory);
        }
        if quiet {
            command.arg("--quiet");
        }
        command.arg("--").arg(&self.file);
        command
    }
}

/// Runs the program to its end, also after a signal, so that nothing is left running.
async fn run(mut command: Command) -> Result<ProcessOutput, Failure> {
    let started = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut child = started.map_err(|error| Failure::internal(format!("cannot run {LOCALNET}: {error}")))?;
    // While this is kept, the network runs.
    let mut alive = child.stdin.take();
    let ended = child.wait_with_output();
    tokio::pin!(ended);
    loop {
        tokio::select! {
            ended = &mut ended => return ended.map_err(Failure::internal),
            () = cli::stop_signal(), if alive.is_some() => drop(alive.take()),
        }
    }
}

/// The result in the document that the program printed, or its failure.
fn answer(ended: &ProcessOutput) -> Result<Value, Failure> {
    let document: Value = serde_json::from_slice(&ended.stdout).map_err(|error| {
        let status = ended.status;
        Failure::internal(format!("{LOCALNET} ended with {status} and without a result: {error}"))
            .help("`sonar` and `localnet` must be of the same version")
    })?;
    if document["ok"] == true {
        return Ok(document["data"].clone());
    }
    let error = &document["error"];
    let text = |field: &str| error[field].as_str().map(ToOwned::to_owned);
    let name = text("code").unwrap_or_default();
    let code = Code::ALL.iter().find(|code| code.name() == name).copied().unwrap_or(Code::Internal);
    let mut failure = Failure::new(code, text("message").unwrap_or_else(|| "the simulation failed".into()));
    if let Some(place) = text("where") {
        failure = failure.at(place);
    }
    Err(match text("help") {
        Some(help) => failure.help(help),
        None => failure,
    })
}

/// The program `localnet` beside this one, or in `PATH`.
fn localnet() -> Result<PathBuf, Failure> {
    let name = format!("{LOCALNET}{}", env::consts::EXE_SUFFIX);
    let own = env::current_exe().ok().and_then(|own| Some(own.parent()?.to_owned()));
    let path = env::var_os("PATH").unwrap_or_default();
    let mut places = own.into_iter().chain(env::split_paths(&path)).map(|place| place.join(&name));
    places.find(|place| place.is_file()).ok_or_else(|| {
        Failure::new(Code::FileNotFound, format!("the program `{LOCALNET}` is neither beside `sonar` nor in PATH"))
            .help("install it with `sonar`, or build it with `make build`")
    })
}

fn mines(report: &SimulationReport) -> String {
    let mut table = cli::table(["mine", "rows", "submitted", "accepted", "earned"]);
    for SimulatedMine { name, rows, submitted, accepted, earned } in &report.mines {
        let [rows, submitted, accepted] =
            [*rows as u64, (*submitted).into(), (*accepted).into()].map(|count: u64| count.to_string());
        table.add_row([name.clone(), rows, submitted, accepted, report.token.format(*earned)]);
    }
    table.to_string()
}

#[cfg(test)]
mod tests {
    use std::{os::unix::process::ExitStatusExt, process::ExitStatus};

    use super::*;

    #[test]
    fn a_failure_of_the_other_program_is_this_ones() {
        let printed = |text: &str| ProcessOutput {
            status: ExitStatus::from_raw(5 << 8),
            stdout: text.into(),
            stderr: Vec::new(),
        };
        let refused = r#"{"schema":"localnet.simulate/1","ok":false,"error":{"code":"TRAINING_DATA","message":"few rows","where":"t.csv","help":"add rows"}}"#;
        let failure = answer(&printed(refused)).unwrap_err();
        assert_eq!((failure.code, failure.message.as_str()), (Code::TrainingData, "few rows"));
        assert_eq!(answer(&printed(r#"{"ok":true,"data":{"a":1}}"#)).unwrap()["a"], 1);
        for garbage in ["", "Segmentation fault", "{\"ok\":false}", "{\"ok\":false,\"error\":{\"code\":\"NEW\"}}"] {
            assert_eq!(answer(&printed(garbage)).unwrap_err().code, Code::Internal, "{garbage}");
        }
    }
}
