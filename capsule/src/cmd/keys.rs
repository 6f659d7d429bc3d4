//! `capsule keys`

use alloy::primitives::Address;
use capsule::launch_keys::LaunchKeyRing;
use clap::{Args, Subcommand};
use serde_json::json;
use sonar_contracts::Capsule;
use sonar_node::{
    chain::Client,
    cli::{self, Ask, Code, Failure, Output, Report},
    discovery,
};

use super::Context;

/// Show the keys of this Capsule, or replace its attestation key.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  capsule keys list\n  capsule keys rotate")]
pub struct Keys {
    #[command(subcommand)]
    command: KeysCommand,
}

#[derive(Debug, Subcommand)]
enum KeysCommand {
    /// Show operator, attestation key, OpenPGP key and launch keys, and whether the chain has the same
    List,
    /// Replace the attestation key, also for running campaigns. Stop `capsule serve` first
    Rotate,
}

impl Keys {
    pub async fn run(self, context: &Context, output: &Output) -> Result<Report, Failure> {
        match self.command {
            KeysCommand::List => list(context).await,
            KeysCommand::Rotate => rotate(context, output).await,
        }
    }
}

async fn list(context: &Context) -> Result<Report, Failure> {
    let operator = context.home.operator()?;
    let attester = context.home.attester()?;
    let vault = context.home.unlock_vault(&context.passphrase(Ask::Existing)?)?;
    let launch_keys = LaunchKeyRing::load(&vault)?;
    let client = discovery::client(&context.config, None).await?;
    let registered = client.capsule(operator).await?;
    let (on_chain, fingerprint) =
        registered.map_or_else(Default::default, |capsule| (capsule.attester, capsule.fingerprint));
    let note = if on_chain == attester { "registered" } else { "not the registered one: run `capsule keys rotate`" };
    let mut human = format!("operator   {operator}\nattester   {attester} ({note})\nOpenPGP    {fingerprint}");
    for entry in launch_keys.entries() {
        let registered = entry.registered_at.map_or("not registered yet".into(), |at| format!("registered {at}"));
        human += &format!("\nlaunch key {} (made {}, {registered})", entry.key, entry.made_at);
    }
    let data = json!({
        "operator": operator,
        "attester": attester,
        "registered_attester": on_chain,
        "fingerprint": fingerprint,
        "launch_keys": launch_keys.entries(),
    });
    Report::new(&data, human)
}

/// The new key is on disk before the chain has it, and replaces the old one after that: an interrupted rotation is
/// completed by the next.
async fn rotate(context: &Context, output: &Output) -> Result<Report, Failure> {
    let passphrase = context.passphrase(Ask::Existing)?;
    let home = &context.home;
    let opened = home.open(&passphrase)?;
    let _lock = home.lock().await?;
    cli::confirm(&context.globals, "This replaces the attestation key. Signatures of the old one count no more.")?;
    let operator = opened.operator.address();
    let client = discovery::client(&context.config, Some(opened.operator)).await?;
    let old = opened.attester.address();
    let next = home.next_attester(&passphrase)?.address();
    output.progress("Registering the new key…");
    register(&client, operator, next).await?;
    home.adopt_next_attester()?;
    let human = format!("the attestation key is now {next}; start `capsule serve` again");
    Report::new(&json!({ "attester": next, "replaced": old }), human)
}

async fn register(client: &Client, operator: Address, attester: Address) -> Result<(), Failure> {
    let known = client.capsule(operator).await?;
    let known = known.ok_or_else(|| {
        Failure::new(Code::NotInitialised, "this Capsule is not registered").help("run `capsule init`")
    })?;
    if known.attester != attester {
        client.update_capsule(Capsule { attester, ..known }).await?;
    }
    Ok(())
}
