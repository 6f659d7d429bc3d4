//! The delivered model in the hands of its owner, with tools that are not ours.

use std::{
    path::Path,
    process::{Command, Output},
};

use localnet::report::DemoReport;

use crate::support::digits;

pub fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {errors}");
    output
}

/// Whether a program of others is on this machine. Where it is not, the test says so and is skipped, but not in CI.
pub fn is_here(program: &Path, what: &str) -> bool {
    let here = Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success());
    assert!(here || std::env::var_os("CI").is_none(), "CI must have {what}");
    if !here {
        eprintln!("skipped: {what} is not on this machine");
    }
    here
}

/// The directory that the demo wrote.
pub fn out(report: &DemoReport) -> &Path {
    report.model.parent().unwrap()
}

#[test]
fn the_data_scientist_recomputes_every_version_and_finds_them_honest() {
    let report = digits();
    // Each window that accepts something leads to a version, but for the last.
    assert!((1..=report.windows as usize + 1).contains(&report.audited_versions), "{}", report.audited_versions);
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
