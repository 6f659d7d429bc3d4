//! The delivered model in the hands of its owner, with tools that are not ours.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

use localnet::report::Report;

use crate::support::{data, digits};

fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {errors}");
    output
}

/// Whether a program of others is on this machine. Where it is not, the test says so and is skipped, but not in CI.
fn is_here(program: &Path, what: &str) -> bool {
    let here = Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success());
    assert!(here || std::env::var_os("CI").is_none(), "CI must have {what}");
    if !here {
        eprintln!("skipped: {what} is not on this machine");
    }
    here
}

/// The directory that the demo wrote.
fn out(report: &Report) -> &Path {
    report.model.parent().unwrap()
}

#[test]
fn gnupg_opens_the_delivered_message() {
    if !is_here(Path::new("gpg"), "GnuPG (Debian: gnupg)") {
        return;
    }
    let report = digits();
    // In /tmp, because the path of the agent's socket must be short.
    let home = tempfile::tempdir_in("/tmp").unwrap();
    let gpg = |arguments: &[&str]| {
        let mut command = Command::new("gpg");
        command.env("GNUPGHOME", home.path()).args(["--batch", "--pinentry-mode", "loopback", "--passphrase-file"]);
        run(command.arg(out(report).join("passphrase")).args(arguments))
    };
    let key = out(report).join("homes/scientist/openpgp/scientist.asc");
    gpg(&["--import", &key.display().to_string()]);
    let certificate = out(report).join("capsule.asc");
    gpg(&["--import", &certificate.display().to_string()]);

    let opened = home.path().join("opened");
    let message = out(report).join("model.pgp").display().to_string();
    let status = gpg(&["--status-fd", "1", "--output", &opened.display().to_string(), "--decrypt", &message]);
    assert_eq!(std::fs::read(&opened).unwrap(), std::fs::read(&report.model).unwrap());
    let status = String::from_utf8_lossy(&status.stdout).into_owned();
    assert!(status.contains("GOODSIG"), "signed by the Capsule: {status}");
    run(Command::new("gpgconf").env("GNUPGHOME", home.path()).args(["--kill", "all"]));
}

#[test]
fn python_measures_the_same_accuracy() {
    if !is_here(
        &python(),
        "Python 3 with venv, numpy and safetensors (Debian: python3-venv; `make test` adds the others)",
    ) {
        return;
    }
    let report = digits();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/evaluate.py");
    let output = run(Command::new(python())
        .arg(script)
        .arg(&report.model)
        .arg(out(report).join("manifest.json"))
        .arg(data().join("digits-validation.csv")));
    let measured = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    assert_eq!(measured, report.final_accuracy_ppm.to_string());
    assert_eq!(report.final_accuracy_ppm / report.grid_ppm * report.grid_ppm, report.attested_accuracy_ppm);
}

/// A Python with numpy and safetensors, which `make test` installs.
fn python() -> PathBuf {
    let installed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/venv/bin/python");
    std::env::var_os("SONAR_TEST_PYTHON").map_or(installed, PathBuf::from)
}
