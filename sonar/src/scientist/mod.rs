//! The data scientist's work: draft, plan, launch, result, audit, and how money comes back.
//!
//! The commands (`sonar campaign …`) and the desk (`sonar ui`) call the same functions. Nothing here prints or asks: a caller passes keys that
//! it has unlocked and bytes that it has read, and observes the work through [`Progress`].

pub mod account;
pub mod audit;
pub mod credits;
pub mod delivered;
pub mod draft;
pub mod ending;
pub mod hub;
pub mod identity;
pub mod launch;
pub mod result;
pub mod template;

use std::{fmt::Display, path::PathBuf};

use alloy::primitives::Address;
use sonar_contracts::CloseReason;
use sonar_node::{
    chain::{Client, Error},
    cli::{Code, Failure, Output},
    config::Config,
    discovery,
};
use sonar_protocol::{
    ids::CampaignId,
    units::TokenUnit,
    view::{CampaignView, World},
};

/// The home of the data scientist, and where chain and Sonar are.
#[derive(Clone, Debug)]
pub struct Workspace {
    /// Directory of accounts, launches and configuration.
    pub home: PathBuf,
    /// Chain, Sonar and IPFS.
    pub config: Config,
}

impl Workspace {
    /// A client that only reads.
    pub async fn reader(&self) -> Result<Client, Failure> {
        Ok(discovery::client(&self.config, None).await?)
    }

    /// The state of all campaigns, from the confirmed events of the contracts.
    pub async fn world(&self, client: &Client) -> Result<World, Failure> {
        Ok(discovery::world(&self.config, client, &self.home).await?)
    }
}

/// Observes a work that takes a while.
pub trait Progress: Send + Sync {
    /// What is done now, for people.
    fn note(&self, text: &dyn Display);

    /// What its owner should know, although the work continues.
    fn warn(&self, text: &dyn Display);
}

impl Progress for Output {
    fn note(&self, text: &dyn Display) {
        self.progress(text);
    }

    fn warn(&self, text: &dyn Display) {
        Self::warn(self, text);
    }
}

/// Finds a campaign by its id or the first digits of it.
pub fn find<'a>(world: &'a World, text: &str) -> Result<&'a CampaignView, Failure> {
    let digits = text.strip_prefix("0x").unwrap_or(text).to_lowercase();
    let is_hex = !digits.is_empty() && digits.bytes().all(|c| c.is_ascii_hexdigit());
    if !is_hex || digits.len() > 64 {
        return Err(Failure::new(Code::CampaignId, format!("`{text}` is not a campaign id or its first digits")));
    }
    let named = |id: &CampaignId| id.to_string()[2..].starts_with(&digits);
    let mut found = world.in_order().filter(|view| named(&view.id));
    match (found.next(), found.next()) {
        (Some(only), None) => Ok(only),
        (None, _) => Err(Failure::new(Code::UnknownCampaign, format!("there is no campaign {text} on this contract"))
            .help("`sonar campaign list` shows all campaigns; a new one appears when its block is confirmed")),
        (Some(_), Some(_)) => {
            Err(Failure::new(Code::CampaignAmbiguous, format!("several campaign ids start with {text}"))
                .help("give more digits of the id"))
        }
    }
}

/// A token's symbol and decimals; amounts of a token without them are shown in its smallest unit.
pub async fn token(client: &Client, address: Address) -> Result<TokenUnit, Failure> {
    match client.token(address).await {
        Err(Error::Nonsense { .. } | Error::UnknownRevert { .. } | Error::Refused { .. }) => {
            Ok(TokenUnit { symbol: "units".into(), decimals: 0, address })
        }
        other => Ok(other?),
    }
}

/// State and reason of a campaign, as in `closed (target reached)`.
pub fn state(view: &CampaignView) -> String {
    match view.reason {
        _ if view.is_closing() => format!("{}, closes when its window is settled", view.state),
        CloseReason::None => view.state.to_string(),
        reason => format!("{} ({reason})", view.state),
    }
}

/// The account that signs, of a client that has one.
pub fn signer_of(client: &Client) -> Result<Address, Failure> {
    client.address().ok_or_else(|| Failure::internal("no account"))
}
