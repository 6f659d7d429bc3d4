//! `capsule init`

use std::path::PathBuf;

use alloy::primitives::Address;
use capsule::{
    home::UnlockedCapsule,
    launch_keys::{self, LaunchKeyAction, LaunchKeyRing},
    offer,
};
use clap::builder::TypedValueParser;
use serde_json::json;
use sonar_contracts::Capsule;
use sonar_node::{
    account,
    chain::Client,
    cli::{Ask, Code, Failure, Output, Report},
    discovery,
    ipfs::{Node, NodeConfig},
};
use sonar_protocol::{
    event::CapsuleLimits,
    ids::Digest,
    units::{Amount, TokenUnit},
};
use syft::Ppm;

use super::Context;

/// Default fee, as a share of the bounty: 1 %.
fn usual_fee() -> Ppm {
    Ppm::of(1, 100)
}

/// Default URL of a Capsule.
const ENDPOINT: &str = "http://127.0.0.1:8090";

/// Create keys and vault, and register the Capsule on the chain. A second run completes or updates the registration.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  capsule init --rpc http://127.0.0.1:8545 --sonar http://127.0.0.1:8080 --stake 1ETH"
)]
pub struct Init {
    /// Use the key in this file (keystore file under the same passphrase, or hexadecimal) as the operator's account
    #[arg(long, value_name = "FILE")]
    operator_key_file: Option<PathBuf>,
    /// Stake to deposit when registering
    #[arg(long, default_value = "0", value_name = "AMOUNT")]
    stake: String,
    /// Fee in addition to each bounty, in millionths of the bounty (default: 10000, or the registered fee)
    #[arg(long, value_name = "PPM", value_parser = clap::value_parser!(u32).try_map(Ppm::new))]
    fee_ppm: Option<Ppm>,
    /// URL of this Capsule, published but never dialled (default: http://127.0.0.1:8090, or the registered URL)
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,
}

impl Init {
    pub async fn run(self, context: &Context, output: &Output) -> Result<Report, Failure> {
        let stake = TokenUnit::eth().parse(&self.stake).map_err(|error| Failure::new(Code::Stake, error))?;
        let home = &context.home;
        let fresh = !home.is_complete();
        let passphrase = context.passphrase(if fresh { Ask::New } else { Ask::Existing })?;
        let key = self.operator_key_file.as_ref().map(|path| account::read_key(path, &passphrase)).transpose()?;
        let opened = home.complete(key.as_ref(), &passphrase)?;
        context.config.save(home.path())?;
        let operator = opened.operator.address();
        if key.is_some_and(|key| key.address() != operator) {
            output.warn(format!("this Capsule already has the operator {operator}; the key in the file is not used"));
        }
        let _lock = home.lock().await?;
        output.progress(format!("Registering {operator}…"));
        let client = discovery::client(&context.config, Some(opened.operator.clone())).await?;
        let now = client.now().await?;
        let mut launch_keys = LaunchKeyRing::load(&opened.vault)?;
        if launch_keys::next(launch_keys.entries(), &[], now, launch_keys::PERIOD) == LaunchKeyAction::Make {
            launch_keys.make(&opened.identity, now, launch_keys::PERIOD)?;
        }
        let certificate = launch_keys.certificate(opened.identity.certificate(), now)?;
        let certificate = publish(context, certificate.encode()).await?;
        self.register(&client, &opened, certificate, stake).await?;
        let data = json!({
            "operator": operator,
            "attester": opened.attester.address(),
            "fingerprint": opened.identity.fingerprint(),
            "certificate": certificate,
            "home": home.path(),
        });
        let human = format!(
            "Capsule of operator {operator}\nfingerprint {}\nStart it with `capsule serve`.",
            opened.identity.fingerprint()
        );
        Report::new(&data, human)
    }

    /// Registers the Capsule, or updates the parts of the registration that differ.
    async fn register(
        &self,
        client: &Client,
        opened: &UnlockedCapsule,
        certificate: Digest,
        stake: Amount,
    ) -> Result<(), Failure> {
        let operator = opened.operator.address();
        let attester = opened.attester.address();
        let fingerprint = opened.identity.fingerprint().word();
        match client.capsule(operator).await? {
            None => {
                let endpoint = self.endpoint.as_deref().unwrap_or(ENDPOINT);
                let fee = self.fee_ppm.unwrap_or_else(usual_fee);
                client.register(attester, fingerprint, certificate, endpoint, fee, stake).await?;
            }
            Some(known) => {
                let wanted = Capsule {
                    attester,
                    fingerprint,
                    certificate: certificate.into(),
                    endpoint: self.endpoint.clone().unwrap_or_else(|| known.endpoint.clone()),
                    feePpm: self.fee_ppm.map_or(known.feePpm, Ppm::get),
                    ..known.clone()
                };
                if wanted != known {
                    client.update_capsule(wanted).await?;
                }
            }
        }
        if !client.is_authorized(operator).await? {
            client.authorize(true).await?;
        }
        self.offer(client, operator).await
    }

    /// Publishes limits and tokens, if there are none: without them no campaign can be activated.
    async fn offer(&self, client: &Client, operator: Address) -> Result<(), Failure> {
        if client.limits(operator).await? != CapsuleLimits::default() {
            return Ok(());
        }
        let stake = client.capsule(operator).await?.map_or(Amount::ZERO, |capsule| Amount(capsule.stake));
        for (token, least_fee) in offer::usual_tokens(client.deployment().datacoin) {
            client.set_token(token, Some(least_fee)).await?;
        }
        // Last, because a repeated `init` sees by them that all was done.
        client.set_limits(offer::usual_limits(stake)).await?;
        Ok(())
    }
}

/// Adds the certificate to the Capsule's own IPFS repository, from which Sonar's hub fetches it.
async fn publish(context: &Context, certificate: Vec<u8>) -> Result<Digest, Failure> {
    let config = NodeConfig::client(context.home.ipfs(), Vec::new()).through(context.config.kubo()?);
    let node = Node::start(config).await?;
    let digest = node.add(certificate).await;
    node.shutdown().await;
    Ok(digest?)
}
