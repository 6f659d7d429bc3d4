use std::{
    future::{Future, IntoFuture},
    time::Duration,
};

use alloy::{
    eips::BlockId,
    primitives::Address,
    providers::{DynProvider, Provider, ProviderBuilder},
    rpc::types::TransactionRequest,
    transports::{RpcError, TransportError, http::reqwest},
};
use sonar_contracts::decode_revert;

use super::Error;
use crate::{http, retry::Retries};
use sonar_protocol::units::Amount;

/// Time limit of a request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);

/// A chain node, with or without our contracts.
#[derive(Clone, Debug)]
pub struct RpcNode {
    provider: DynProvider,
    url: reqwest::Url,
    retries: Retries,
}

impl RpcNode {
    /// Connects to a node over HTTP. A request without an answer is retried; `patience` limits all attempts together.
    ///
    /// # Errors
    /// Not a URL.
    pub fn new(rpc: &str, patience: Duration) -> Result<Self, Error> {
        let bad = || Error::Url(http::shown(rpc));
        let url: reqwest::Url = rpc.parse().map_err(|_| bad())?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(bad());
        }
        let http = http::client(rpc, REQUEST_TIMEOUT).map_err(|_| bad())?;
        let provider = ProviderBuilder::default().connect_reqwest(http, url.clone()).erased();
        let retries = Retries::new(format!("the chain at {}", http::shown(rpc)), patience);
        Ok(Self { provider, url, retries })
    }

    /// Its URL without secrets, for messages.
    #[must_use]
    pub fn url(&self) -> String {
        http::shown(self.url.as_str())
    }

    fn reason(&self, error: &TransportError) -> String {
        match error {
            RpcError::Transport(error) => http::reason(self.url.as_str(), error),
            other => http::reason(self.url.as_str(), other),
        }
    }

    /// The chain's id.
    ///
    /// # Errors
    /// When the chain cannot be read.
    pub async fn chain_id(&self) -> Result<u64, Error> {
        self.ask("read the chain id", || self.provider.get_chain_id()).await
    }

    /// Whether there is a contract at an address.
    ///
    /// # Errors
    /// When the chain cannot be read.
    pub async fn has_code(&self, address: Address) -> Result<bool, Error> {
        let what = "read the contracts' code";
        let code = self.ask(what, || self.provider.get_code_at(address)).await?;
        Ok(!code.is_empty())
    }

    /// An account's balance in wei.
    ///
    /// # Errors
    /// When the chain cannot be read.
    pub async fn balance(&self, account: Address) -> Result<Amount, Error> {
        let what = "read the balance";
        let balance = self.ask(what, || self.provider.get_balance(account)).await?;
        Ok(balance.into())
    }

    /// Simulates a transaction.
    pub(super) async fn simulate(&self, what: &'static str, request: &TransactionRequest) -> Result<(), Error> {
        // The pending block has the time at which a transaction sent now will be executed.
        let call = || async { self.provider.call(request.clone()).block(BlockId::pending()).await };
        self.ask(what, call).await.map(drop)
    }

    pub(super) fn provider(&self) -> &DynProvider {
        &self.provider
    }

    /// Sends a request; retries for a limited time while the node does not answer. An answer is final.
    pub(super) async fn ask<T, R>(&self, what: &'static str, request: impl Fn() -> R) -> Result<T, Error>
    where
        R: IntoFuture<Output = Result<T, TransportError>>,
        R::IntoFuture: Future<Output = Result<T, TransportError>>,
    {
        self.ask_while(what, request, is_silence).await
    }

    /// The same, for requests for which other failures are temporary too.
    pub(super) async fn ask_while<T, R>(
        &self,
        what: &'static str,
        request: impl Fn() -> R,
        is_temporary: impl Fn(&TransportError) -> bool,
    ) -> Result<T, Error>
    where
        R: IntoFuture<Output = Result<T, TransportError>>,
        R::IntoFuture: Future<Output = Result<T, TransportError>>,
    {
        let result = self.retries.run(|| request().into_future(), is_temporary).await;
        result.map_err(|error| self.explain(what, error))
    }

    /// The node's message about a failed request.
    pub(super) fn message(&self, error: &TransportError) -> String {
        match error {
            RpcError::ErrorResp(payload) => payload.message.clone().into_owned(),
            other => self.reason(other),
        }
    }

    /// The error of a failed request; `None` means that no attempt was answered.
    fn explain(&self, what: &'static str, error: Option<TransportError>) -> Error {
        let unreachable = |reason| Error::Unreachable { what, url: self.url(), reason };
        match error {
            None => unreachable(format!("no answer within {} s", self.retries.limit().as_secs_f64())),
            Some(RpcError::ErrorResp(payload)) => match payload.as_revert_data() {
                Some(data) => match decode_revert(&data) {
                    Some(revert) => Error::Refused { what, revert: Box::new(revert) },
                    None => Error::UnknownRevert { what, data },
                },
                None => Error::Node { what, message: payload.message.into_owned() },
            },
            Some(error @ RpcError::Transport(_)) => unreachable(self.reason(&error)),
            Some(other) => Error::Nonsense { what, reason: other.to_string() },
        }
    }
}

/// Whether there was no answer, or an answer that asks to retry later.
fn is_silence(error: &TransportError) -> bool {
    match error {
        RpcError::Transport(_) => true,
        RpcError::ErrorResp(payload) => payload.is_retry_err(),
        _ => false,
    }
}
