//! `mine init`

use std::path::PathBuf;

use serde_json::json;
use sonar_node::{
    account,
    cli::{Ask, Failure, Output, Report},
};

use super::Context;

/// Create account and vault, and write the configuration. A second run completes what is missing and changes nothing
/// else.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  mine init --rpc http://127.0.0.1:8545 --sonar http://127.0.0.1:8080")]
pub struct Init {
    /// Use the key in this file (keystore file under the same passphrase, or hexadecimal) instead of a new key
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
}

impl Init {
    pub async fn run(self, context: &Context, output: &Output) -> Result<Report, Failure> {
        let home = &context.home;
        let fresh = !home.is_complete()?;
        let ask = if fresh { Ask::New } else { Ask::Existing };
        let passphrase = context.passphrase(ask)?;
        let key = self.key_file.map(|path| account::read_key(&path, &passphrase)).transpose()?;
        let opened = home.complete(key.as_ref(), &passphrase)?;
        let address = opened.signer.address();
        if key.is_some_and(|key| key.address() != address) {
            output.warn(format!("this Mine already has the account {address}; the key in the file is not used"));
        }
        context.config.save(home.path())?;
        let human = format!(
            "{} {address} in {}\nThe account needs some ETH for gas. Next, add data: mine data add NAME FILE.csv",
            if fresh { "created Mine" } else { "Mine" },
            home.path().display(),
        );
        let data = json!({
            "address": address,
            "created": fresh,
            "home": home.path(),
            "keystore": home.key_file()?,
        });
        Report::new(&data, human)
    }
}
