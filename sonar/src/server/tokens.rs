//! `GET /api/v1/tokens`: symbol and decimals of the tokens of campaigns.
//!
//! A token's contract belongs to a stranger, who may call it `ETH`. So only the native token and the deployment's
//! DataCoin are verified, symbols are cut to plain characters, and what a contract answered is not asked again.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use alloy::primitives::Address;
use axum::{Json, extract::State};
use futures::{StreamExt, stream};
use serde::Serialize;
use sonar_node::chain::{Client, Error};
use sonar_protocol::units::TokenUnit;
use tokio::time::timeout;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::App;

/// Maximum number of tokens in the list.
const MAX_TOKENS: usize = 200;
/// Number of tokens that are read from the chain at once.
const PARALLEL: usize = 8;
/// How long a request waits for tokens that are not known yet.
const PATIENCE: Duration = Duration::from_secs(5);

/// Tokens of campaigns.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Tokens {
    /// ETH, the deployment's DataCoin, and the tokens of campaigns, those with the most campaigns first; at most 200.
    pub items: Vec<Token>,
}

/// A token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Token {
    /// Its contract; the zero address stands for ETH.
    #[schema(value_type = String)]
    pub address: Address,
    /// Its symbol; `units` if it cannot be read.
    pub symbol: String,
    /// One token is 10^decimals of the smallest unit; 0 if it cannot be read.
    pub decimals: u8,
    /// Whether symbol and decimals can be trusted: those of other tokens are what a stranger chose.
    pub verified: bool,
}

/// What token contracts have answered.
#[derive(Debug, Default)]
pub struct TokenCache {
    known: Mutex<BTreeMap<Address, TokenUnit>>,
    /// Held while tokens are read, so that many requests at once ask the chain only once.
    reading: tokio::sync::Mutex<()>,
}

impl TokenCache {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Address, TokenUnit>> {
        // Every change is one insertion.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the tokens that are not known yet.
    async fn fill(&self, chain: &Client, addresses: &[Address]) {
        let fill = async {
            let _turn = self.reading.lock().await;
            let unknown = self.unknown(addresses);
            let read = async |address| {
                if let Some(token) = read(chain, address).await {
                    self.lock().insert(address, token);
                }
            };
            stream::iter(unknown).for_each_concurrent(PARALLEL, read).await;
        };
        // What is missing then is read by a later request.
        if !self.unknown(addresses).is_empty() {
            let _ = timeout(PATIENCE, fill).await;
        }
    }

    fn unknown(&self, addresses: &[Address]) -> Vec<Address> {
        let known = self.lock();
        addresses.iter().copied().filter(|address| !known.contains_key(address)).collect()
    }

    fn get(&self, address: Address) -> TokenUnit {
        self.lock().get(&address).cloned().unwrap_or_else(|| unreadable(address))
    }
}

/// What the token's contract answers; `None` if the chain did not answer.
async fn read(chain: &Client, address: Address) -> Option<TokenUnit> {
    match chain.token(address).await {
        Ok(token) if !token.symbol.is_empty() => Some(token),
        Ok(_) | Err(Error::Nonsense { .. } | Error::UnknownRevert { .. } | Error::Refused { .. }) => {
            Some(unreadable(address))
        }
        Err(_) => None,
    }
}

/// Amounts of a token without symbol or decimals are shown in its smallest unit.
fn unreadable(address: Address) -> TokenUnit {
    TokenUnit { symbol: "units".into(), decimals: 0, address }
}

/// The routes of this module.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(tokens))
}

/// Symbol and decimals of ETH, of the deployment's DataCoin, and of the tokens of campaigns.
#[utoipa::path(get, path = "/api/v1/tokens", responses((status = OK, body = Tokens)))]
async fn tokens(State(app): State<Arc<App>>) -> Json<Tokens> {
    let verified = [Address::ZERO, app.chain.deployment().datacoin];
    let mut addresses = verified.to_vec();
    addresses.extend(app.index.read(|world| world.statistics.tokens()).into_iter().filter(|a| !verified.contains(a)));
    addresses.truncate(MAX_TOKENS);
    app.tokens.fill(&app.chain, &addresses).await;
    let items = addresses.into_iter().map(|address| {
        let TokenUnit { symbol, decimals, address } = app.tokens.get(address);
        Token { address, symbol, decimals, verified: verified.contains(&address) }
    });
    Json(Tokens { items: items.collect() })
}
