//! A simulated campaign, as a data scientist runs it before they pay.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, ChildStderr, Command, Stdio},
};

use localnet::programs::Program;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use sonar_protocol::{
    simulation::SimulationReport,
    units::{Amount, percent},
};

use crate::support::{data, directory};

/// `sonar campaign simulate` whose temporary files are in a directory of this test.
fn simulate(temporary: &Path, more: &[&str]) -> Command {
    let _ = fs::remove_dir_all(temporary);
    fs::create_dir_all(temporary).unwrap();
    let mut command = Command::new(Program::find("sonar").unwrap().path);
    command
        .args(["campaign", "simulate", "--json", "--home"])
        .arg(temporary.with_extension("home"))
        .arg(data().join("breast-cancer.toml"))
        .arg("--train")
        .arg(data().join("breast-cancer-train.csv"))
        .args(more)
        .env("TMPDIR", temporary)
        .stdin(Stdio::null());
    command
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect()
}

/// The processes that run from a directory, by the paths in their command lines.
fn processes_in(directory: &Path) -> usize {
    let place = directory.display().to_string();
    let lines = fs::read_dir("/proc").unwrap().filter_map(|entry| fs::read(entry.unwrap().path().join("environ")).ok());
    lines.filter(|environ| String::from_utf8_lossy(environ).contains(&place)).count()
}

#[test]
fn a_simulation_reports_what_a_campaign_reaches_and_pays_and_leaves_nothing() {
    let temporary = directory("simulated");
    let ended = simulate(&temporary, &["--mines", "3", "--split", "by-label"]).output().unwrap();
    let printed: Value = serde_json::from_slice(&ended.stdout).unwrap();
    assert_eq!(printed["ok"], true, "{printed}\n{}", String::from_utf8_lossy(&ended.stderr));
    assert_eq!(printed["schema"], "sonar.campaign.simulate/1");
    let report: SimulationReport = serde_json::from_value(printed["data"].clone()).unwrap();
    assert_eq!(report.split, "by-label");
    assert!(report.start_ppm < report.best_ppm && report.final_ppm.get() >= 800_000, "{report:?}");
    assert!(report.mines.len() == 3 && report.mines.iter().all(|mine| mine.rows == 123), "{report:?}");
    assert_eq!(report.steps.len(), report.accepts as usize);
    let sum = |amounts: &mut dyn Iterator<Item = Amount>| amounts.fold(Amount::ZERO, Amount::saturating_add);
    assert_eq!(sum(&mut report.mines.iter().map(|mine| mine.earned)), report.awarded);
    assert_eq!(sum(&mut report.steps.iter().map(|step| step.amount)), report.awarded);
    assert_eq!(report.awarded.saturating_add(report.returned), report.bounty);
    assert!(report.summary().contains(&percent(report.best_ppm)) && report.kept.is_none());
    assert_eq!(entries(&temporary).len(), 0, "nothing is kept");
    assert_eq!(processes_in(&temporary), 0);
}

/// Starts a simulation, and waits until its network has a chain.
fn started(temporary: &Path) -> (Child, BufReader<ChildStderr>) {
    let mut child = simulate(temporary, &[]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("The chain runs") {
        line.clear();
        assert!(lines.read_line(&mut line).unwrap() > 0, "it ended early");
    }
    (child, lines)
}

/// Whoever holds its standard error has ended when the rest of it is read.
fn wait_for_the_end(mut lines: BufReader<ChildStderr>) {
    lines.read_to_string(&mut String::new()).unwrap();
}

#[test]
fn an_interrupted_simulation_leaves_nothing_running() {
    let temporary = directory("simulation-interrupted");
    let (mut child, lines) = started(&temporary);
    kill(Pid::from_raw(child.id() as i32), Signal::SIGINT).unwrap();
    let mut printed = String::new();
    child.stdout.take().unwrap().read_to_string(&mut printed).unwrap();
    let ended = child.wait().unwrap();
    wait_for_the_end(lines);
    let printed: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!((printed["error"]["code"].as_str(), ended.code()), (Some("INTERRUPTED"), Some(9)), "{printed}");
    assert_eq!((entries(&temporary).len(), processes_in(&temporary)), (0, 0));
}

/// Nothing can be done after SIGKILL, so the other program must notice.
#[test]
fn a_killed_simulation_leaves_nothing_running() {
    let temporary = directory("simulation-killed");
    let (mut child, lines) = started(&temporary);
    child.kill().unwrap();
    child.wait().unwrap();
    wait_for_the_end(lines);
    assert_eq!((entries(&temporary).len(), processes_in(&temporary)), (0, 0));
}

#[test]
fn what_cannot_be_simulated_is_refused_at_once() {
    let temporary = directory("simulation-refused");
    let other = data().join("diabetes-train.csv").display().to_string();
    let refused = simulate(&temporary, &[]).arg("--train").arg(&other).output().unwrap();
    assert_eq!(refused.status.code(), Some(2), "the training file is given twice");
    let mut command = Command::new(Program::find("sonar").unwrap().path);
    let file = data().join("breast-cancer.toml");
    command.args(["campaign", "simulate", "--json", "--train", &other]).arg(&file);
    let refused = command.env("TMPDIR", &temporary).env("SONAR_HOME", &temporary).output().unwrap();
    let printed: Value = serde_json::from_slice(&refused.stdout).unwrap();
    assert_eq!(
        (printed["error"]["code"].as_str(), refused.status.code()),
        (Some("TRAINING_DATA"), Some(5)),
        "{printed}"
    );
    assert!(printed["error"]["message"].as_str().unwrap().contains("does not fit the campaign"), "{printed}");
    assert_eq!(entries(&temporary).len(), 0);
}
