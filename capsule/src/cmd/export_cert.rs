//! `capsule export-cert`

use serde_json::json;
use sonar_node::cli::{Ask, Failure, Report};

use super::Context;

/// Print the OpenPGP certificate that bundles and updates are sealed to.
pub fn run(context: &Context) -> Result<Report, Failure> {
    let identity = context.home.identity(&context.passphrase(Ask::Existing)?)?;
    let armored = identity.certificate().armored();
    let text = String::from_utf8(armored).map_err(Failure::internal)?;
    let data = json!({"fingerprint": identity.fingerprint(), "certificate": text});
    Report::new(&data, text)
}
