//! The client of one deployment of the contracts on one chain.

use std::{
    collections::HashMap,
    future::{Future, IntoFuture},
    sync::Arc,
    time::Duration,
};

use alloy::{
    eips::BlockId,
    network::TransactionBuilder,
    primitives::{Address, B256, U256},
    providers::{DynProvider, Provider},
    rpc::types::TransactionRequest,
    signers::local::PrivateKeySigner,
    sol_types::SolCall,
    transports::TransportError,
};
use sonar_contracts::{Deployment, Terms, campaign_id};
use sonar_protocol::{ids::CampaignId, terms::CampaignTerms, units::Amount};
use tokio::sync::Mutex;

use super::{Error, RpcNode, Sender, span::LogSpan};

/// Time limits of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// How long a request is retried when the node does not answer.
    pub patience: Duration,
    /// How long to wait until a transaction is mined.
    pub receipt: Duration,
    /// How long to wait before the fees of a transaction are raised.
    pub stuck: Duration,
    /// Time between two queries of a receipt.
    pub poll: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            patience: Duration::from_secs(10),
            receipt: Duration::from_secs(120),
            stuck: Duration::from_secs(30),
            poll: Duration::from_millis(50),
        }
    }
}

/// A transaction that was mined and succeeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct TxOutcome {
    /// The transaction.
    pub hash: B256,
    /// Gas used.
    pub gas_used: u64,
    /// Its block.
    pub block: u64,
}

/// A client of one deployment of the contracts. Clones share everything but the account.
#[derive(Clone, Debug)]
pub struct Client {
    pub(super) shared: Arc<ClientState>,
    sender: Option<Sender>,
}

#[derive(Debug)]
pub(super) struct ClientState {
    pub(super) node: RpcNode,
    deployment: Deployment,
    options: Options,
    pub(super) terms: Mutex<HashMap<CampaignId, CampaignTerms>>,
    pub(super) span: std::sync::Mutex<LogSpan>,
}

impl Client {
    /// Connects to a chain and checks that the contracts are there.
    ///
    /// # Errors
    /// Not a URL, no answer, another chain, or no contract.
    pub async fn connect(rpc: &str, deployment: Deployment, signer: Option<PrivateKeySigner>) -> Result<Self, Error> {
        Self::connect_with(rpc, deployment, signer, Options::default()).await
    }

    /// As `connect`, with other time limits.
    ///
    /// # Errors
    /// As `connect`.
    pub async fn connect_with(
        rpc: &str,
        deployment: Deployment,
        signer: Option<PrivateKeySigner>,
        options: Options,
    ) -> Result<Self, Error> {
        let client = Self {
            shared: Arc::new(ClientState {
                node: RpcNode::new(rpc, options.patience)?,
                deployment,
                options,
                terms: Mutex::default(),
                span: std::sync::Mutex::default(),
            }),
            sender: None,
        };
        client.check_deployment().await?;
        Ok(match signer {
            Some(signer) => client.with_signer(signer),
            None => client,
        })
    }

    /// The same client with an account that signs.
    #[must_use]
    pub fn with_signer(&self, signer: PrivateKeySigner) -> Self {
        let sender = Sender::new(self.shared.node.clone(), signer, self.shared.options);
        Self { shared: self.shared.clone(), sender: Some(sender) }
    }

    /// Checks that the node still has the chain with the contracts. A node that restarts without its state, or a URL
    /// that now leads to another node, returns an empty history.
    ///
    /// # Errors
    /// No answer, another chain, or no contract.
    pub async fn check_deployment(&self) -> Result<(), Error> {
        let expected = self.deployment().chain_id;
        let found = self.shared.node.chain_id().await?;
        if found != expected {
            return Err(Error::WrongChain { url: self.url(), expected, found });
        }
        for address in [self.deployment().campaigns, self.deployment().registry] {
            if !self.shared.node.has_code(address).await? {
                return Err(Error::NoContract { url: self.url(), address, chain_id: found });
            }
        }
        Ok(())
    }

    /// Addresses of the contracts.
    #[must_use]
    pub fn deployment(&self) -> &Deployment {
        &self.shared.deployment
    }

    /// The node's URL without secrets, for messages.
    #[must_use]
    pub fn url(&self) -> String {
        self.shared.node.url()
    }

    /// The account that signs, if there is one.
    #[must_use]
    pub fn address(&self) -> Option<Address> {
        self.sender.as_ref().map(Sender::address)
    }

    /// The campaign id of terms on this chain and contract.
    #[must_use]
    pub fn id(&self, terms: &Terms) -> CampaignId {
        let deployment = self.deployment();
        campaign_id(deployment.chain_id, deployment.campaigns, terms).into()
    }

    pub(super) fn provider(&self) -> &DynProvider {
        self.shared.node.provider()
    }

    pub(super) async fn ask<T, R>(&self, what: &'static str, request: impl Fn() -> R) -> Result<T, Error>
    where
        R: IntoFuture<Output = Result<T, TransportError>>,
        R::IntoFuture: Future<Output = Result<T, TransportError>>,
    {
        self.shared.node.ask(what, request).await
    }

    /// Calls a view function of the contract Campaigns.
    pub(super) async fn view<C: SolCall>(&self, what: &'static str, call: &C) -> Result<C::Return, Error> {
        self.read(what, self.deployment().campaigns, call).await
    }

    /// Calls a view function of any contract.
    pub(super) async fn read<C: SolCall>(&self, what: &'static str, to: Address, call: &C) -> Result<C::Return, Error> {
        let request = TransactionRequest::default().with_to(to).with_input(call.abi_encode());
        let data =
            self.ask(what, || async { self.provider().call(request.clone()).block(BlockId::latest()).await }).await?;
        C::abi_decode_returns(&data).map_err(|error| Error::Nonsense { what, reason: error.to_string() })
    }

    /// Sends a transaction to the contract Campaigns.
    pub(super) async fn send<C: SolCall>(&self, what: &'static str, call: &C, value: U256) -> Result<TxOutcome, Error> {
        self.send_to(what, self.deployment().campaigns, call, value).await
    }

    /// Sends a transaction to any contract.
    pub(super) async fn send_to<C: SolCall>(
        &self,
        what: &'static str,
        to: Address,
        call: &C,
        value: U256,
    ) -> Result<TxOutcome, Error> {
        let request = TransactionRequest::default().with_to(to).with_value(value).with_input(call.abi_encode());
        let receipt = self.sender(what)?.send(what, request.with_chain_id(self.deployment().chain_id)).await?;
        let reason = || format!("the receipt of {} has no block number", receipt.transaction_hash);
        let block = receipt.block_number.ok_or_else(|| Error::Nonsense { what, reason: reason() })?;
        Ok(TxOutcome { hash: receipt.transaction_hash, gas_used: receipt.gas_used, block })
    }

    pub(super) async fn cost<C: SolCall>(&self, what: &'static str, to: Address, call: &C) -> Result<Amount, Error> {
        let request = TransactionRequest::default().with_to(to).with_input(call.abi_encode());
        self.sender(what)?.cost(what, request).await
    }

    pub(super) fn sender(&self, what: &'static str) -> Result<&Sender, Error> {
        self.sender.as_ref().ok_or(Error::NoSigner { what })
    }
}
