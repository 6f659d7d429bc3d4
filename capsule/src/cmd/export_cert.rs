//! `capsule export-cert`

use capsule::launch_keys::LaunchKeyRing;
use serde_json::json;
use sonar_node::cli::{Ask, Failure, Report};

use super::Context;

/// Print the OpenPGP certificate that bundles are sealed to.
pub fn run(context: &Context) -> Result<Report, Failure> {
    let opened = context.home.open(&context.passphrase(Ask::Existing)?)?;
    let identity = opened.identity;
    let launch_keys = LaunchKeyRing::load(&opened.vault)?;
    let armored = match launch_keys.entries().last() {
        Some(newest) => launch_keys.certificate(identity.certificate(), newest.made_at)?.armored(),
        None => identity.certificate().armored(),
    };
    let text = String::from_utf8(armored).map_err(Failure::internal)?;
    let data = json!({"fingerprint": identity.fingerprint(), "certificate": text});
    Report::new(&data, text)
}
