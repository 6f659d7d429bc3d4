//! `sonar exit-codes`.

use sonar_node::cli::{EXIT_CODES, Failure, Report};

pub fn run() -> Result<Report, Failure> {
    let codes: serde_json::Map<String, serde_json::Value> = EXIT_CODES
        .lines()
        .skip(1)
        .filter_map(|line| line.trim().split_once("  "))
        .map(|(code, meaning)| (code.to_owned(), meaning.trim().into()))
        .collect();
    Report::new(&codes, EXIT_CODES)
}
