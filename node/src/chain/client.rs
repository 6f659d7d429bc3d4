use std::{collections::HashMap, future::Future, sync::Arc, time::Duration};

use alloy::{
    eips::{BlockId, BlockNumberOrTag},
    network::{ReceiptResponse, TransactionBuilder},
    primitives::{Address, B256, U256, keccak256},
    providers::{DynProvider, Provider},
    rpc::types::TransactionRequest,
    signers::{Signer, local::PrivateKeySigner},
    sol_types::{SolCall, SolValue},
    transports::TransportError,
};
use sonar_contracts::{
    Campaigns, Capsule, CapsuleRegistry, DataCoin, Deployment, KeyProof, Ledger, Publication, Stakes, Status,
    Submission, Terms, WordProof, campaign_id, fee,
};
use tokio::sync::Mutex;

use super::{Error, Node, Sender, span::LogSpan};
use sonar_protocol::{
    event::Head,
    handover::{Handover, Published},
    ids::{CampaignId, Digest, Version},
    units::{Amount, TokenUnit},
};

/// How long a permit for the bounty is good: the transaction is sent at once.
const PERMIT_SECONDS: u64 = 3_600;

/// How patient the client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// How long a request is tried again when the node does not answer.
    pub patience: Duration,
    /// How long a transaction may take until it is mined.
    pub receipt: Duration,
    /// How long a transaction may wait for a block until its fees are raised.
    pub stuck: Duration,
    /// Time between looks for a receipt.
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

/// A transaction that was mined and did what it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct TxOutcome {
    /// The transaction.
    pub hash: B256,
    /// Gas that it was charged.
    pub gas_used: u64,
    /// Its block.
    pub block: u64,
}

/// What a mined transaction was charged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Charge {
    /// Gas that it used.
    pub gas_used: u64,
    /// Wei that it paid for the gas.
    pub cost: Amount,
}

/// A client of one deployment of the contracts. Clones share everything but the account.
#[derive(Clone, Debug)]
pub struct Client {
    pub(super) shared: Arc<Shared>,
    sender: Option<Sender>,
}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) node: Node,
    deployment: Deployment,
    options: Options,
    pub(super) terms: Mutex<HashMap<CampaignId, Terms>>,
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

    /// As `connect`, with other patience.
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
            shared: Arc::new(Shared {
                node: Node::new(rpc, options.patience)?,
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

    /// Checks that the node still has the chain with the contracts. A node that restarts without its state, or a URL that leads to
    /// another node, answers as if nothing had ever happened.
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

    /// Where the contracts are.
    #[must_use]
    pub fn deployment(&self) -> &Deployment {
        &self.shared.deployment
    }

    /// The node's URL as messages show it: without secrets.
    #[must_use]
    pub fn url(&self) -> String {
        self.shared.node.url()
    }

    /// The account that signs, if there is one.
    #[must_use]
    pub fn address(&self) -> Option<Address> {
        self.sender.as_ref().map(Sender::address)
    }

    /// The id that terms have on this chain and contract.
    #[must_use]
    pub fn id(&self, terms: &Terms) -> CampaignId {
        let deployment = self.deployment();
        campaign_id(deployment.chain_id, deployment.campaigns, terms).into()
    }

    // ------------------------------------------------------------ reading

    /// What changes during a campaign's life.
    ///
    /// # Errors
    /// When the chain cannot be read.
    pub async fn status(&self, id: CampaignId) -> Result<Status, Error> {
        self.view("read the campaign's status", &Campaigns::statusCall { id: id.0 }).await
    }

    /// Where a campaign's money is.
    ///
    /// # Errors
    /// When the chain cannot be read.
    pub async fn ledger(&self, terms: &Terms) -> Result<Ledger, Error> {
        let call = Campaigns::ledgerCall { t: terms.clone() };
        self.view("read the campaign's ledger", &call).await
    }

    /// What an account can withdraw from a campaign.
    ///
    /// # Errors
    /// When the chain cannot be read.
    pub async fn owed(&self, id: CampaignId, account: Address) -> Result<Amount, Error> {
        let call = Campaigns::owedCall { id: id.0, account };
        Ok(self.view("read what is owed", &call).await?.into())
    }

    /// An account's stakes in a campaign.
    ///
    /// # Errors
    /// When the chain cannot be read.
    pub async fn stakes(&self, id: CampaignId, account: Address) -> Result<Stakes, Error> {
        self.view("read the stakes", &Campaigns::stakesOfCall { id: id.0, account }).await
    }

    /// What the registry knows about an operator's Capsule; `None` if it has not registered.
    ///
    /// # Errors
    /// When the chain cannot be read.
    pub async fn capsule(&self, operator: Address) -> Result<Option<Capsule>, Error> {
        let call = CapsuleRegistry::capsuleCall { operator };
        let registry = self.deployment().registry;
        let capsule = self.read("read the registry", registry, &call).await?;
        Ok((!capsule.attester.is_zero()).then_some(capsule))
    }

    /// Whether an operator lets this Sonar contract lock its stake.
    ///
    /// # Errors
    /// When the chain cannot be read.
    pub async fn is_authorized(&self, operator: Address) -> Result<bool, Error> {
        let call = CapsuleRegistry::authorizedCall { operator, campaigns: self.deployment().campaigns };
        let registry = self.deployment().registry;
        self.read("read the registry", registry, &call).await
    }

    /// An account's balance in wei.
    ///
    /// # Errors
    /// When the chain cannot be read.
    pub async fn balance(&self, account: Address) -> Result<Amount, Error> {
        self.shared.node.balance(account).await
    }

    /// An account's balance in a token's smallest unit; the zero token is ETH.
    ///
    /// # Errors
    /// When the chain cannot be read.
    pub async fn token_balance(&self, token: Address, account: Address) -> Result<Amount, Error> {
        if token.is_zero() {
            return self.balance(account).await;
        }
        let call = DataCoin::balanceOfCall { account };
        Ok(self.read("read the balance", token, &call).await?.into())
    }

    /// A token's symbol and decimals; the zero token is ETH.
    ///
    /// # Errors
    /// When the address is no ERC-20 with these, or the chain cannot be read.
    pub async fn token(&self, address: Address) -> Result<TokenUnit, Error> {
        if address.is_zero() {
            return Ok(TokenUnit::eth());
        }
        let what = "read the token's symbol and decimals";
        let symbol = self.read(what, address, &DataCoin::symbolCall {}).await?;
        let decimals = self.read(what, address, &DataCoin::decimalsCall {}).await?;
        Ok(TokenUnit {
            // A token's name is a stranger's text: it must not break a table or a terminal.
            symbol: symbol.chars().filter(|c| c.is_ascii_alphanumeric()).take(16).collect(),
            decimals,
            address,
        })
    }

    /// The end of the chain.
    ///
    /// # Errors
    /// When the chain cannot be read.
    pub async fn head(&self) -> Result<Head, Error> {
        let what = "read the last block";
        let block = |tag: BlockNumberOrTag| {
            self.ask(what, move || async move { self.provider().get_block_by_number(tag).await })
        };
        let latest = block(BlockNumberOrTag::Latest)
            .await?
            .ok_or_else(|| Error::Nonsense { what, reason: "the chain has no block".into() })?;
        // Some nodes know no pending block; then time goes on with the blocks.
        let pending = block(BlockNumberOrTag::Pending).await.unwrap_or_default();
        Ok(Head {
            number: latest.header.number,
            hash: latest.header.hash,
            now: pending.map_or(0, |block| block.header.timestamp).max(latest.header.timestamp),
        })
    }

    /// Unix time that a transaction sent now would see.
    ///
    /// # Errors
    /// When the chain cannot be read.
    pub async fn now(&self) -> Result<u64, Error> {
        Ok(self.head().await?.now)
    }

    /// A block's hash and unix time, if the chain has it.
    ///
    /// # Errors
    /// When the chain cannot be read.
    pub async fn block(&self, number: u64) -> Result<Option<(B256, u64)>, Error> {
        let block =
            self.ask("read a block", || async { self.provider().get_block_by_number(number.into()).await }).await?;
        Ok(block.map(|block| (block.header.hash, block.header.timestamp)))
    }

    // ------------------------------------------------------------ sending: the data scientist

    /// Opens a campaign: bounty and fee go into escrow. A token's permission comes along (EIP-2612) if the token knows
    /// that, else the exact amount is approved first.
    ///
    /// # Errors
    /// When the contract refuses, or the chain does not answer.
    pub async fn open(&self, terms: &Terms) -> Result<TxOutcome, Error> {
        let what = "open the campaign";
        let amount = U256::from(terms.bounty) + fee(terms.bounty, terms.feePpm);
        let open = Campaigns::openCall { t: terms.clone() };
        if terms.token.is_zero() {
            return self.send(what, &open, amount).await;
        }
        if let Some(call) = self.permitted(terms, amount).await? {
            return self.send(what, &call, U256::ZERO).await;
        }
        let approve = DataCoin::approveCall { spender: self.deployment().campaigns, value: amount };
        self.send_to("approve the bounty", terms.token, &approve, U256::ZERO).await?;
        self.send(what, &open, U256::ZERO).await
    }

    /// `open` with a signed permit, if the token knows permits.
    async fn permitted(&self, terms: &Terms, amount: U256) -> Result<Option<Campaigns::openWithPermitCall>, Error> {
        let what = "read the token's permits";
        let owner = self.sender(what)?.address();
        let nonce = self.read(what, terms.token, &DataCoin::noncesCall { owner }).await;
        let separator = self.read(what, terms.token, &DataCoin::DOMAIN_SEPARATORCall {}).await;
        let (nonce, separator) = match (nonce, separator) {
            (Ok(nonce), Ok(separator)) => (nonce, separator),
            (Err(error @ Error::Unreachable { .. }), _) | (_, Err(error @ Error::Unreachable { .. })) => {
                return Err(error);
            }
            _ => return Ok(None),
        };
        let deadline = U256::from(self.now().await?.saturating_add(PERMIT_SECONDS));
        let kind = keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)");
        let spender = self.deployment().campaigns;
        let permit = keccak256((kind, owner, spender, amount, nonce, deadline).abi_encode_params());
        let digest = keccak256([&[0x19, 0x01], separator.as_slice(), permit.as_slice()].concat());
        let signature =
            self.sender(what)?.signer().sign_hash(&digest).await.map_err(|error| Error::Sign(error.to_string()))?;
        Ok(Some(Campaigns::openWithPermitCall {
            t: terms.clone(),
            permitDeadline: deadline,
            v: 27 + u8::from(signature.v()),
            r: signature.r().into(),
            s: signature.s().into(),
        }))
    }

    /// Closes an open campaign without unsettled submissions.
    ///
    /// # Errors
    /// When the contract refuses, or the chain does not answer.
    pub async fn close(&self, terms: &Terms) -> Result<TxOutcome, Error> {
        let call = Campaigns::closeCall { t: terms.clone() };
        self.send("close the campaign", &call, U256::ZERO).await
    }

    /// Gives a campaign back that was not activated in time.
    ///
    /// # Errors
    /// When the contract refuses, or the chain does not answer.
    pub async fn refund(&self, terms: &Terms) -> Result<TxOutcome, Error> {
        let call = Campaigns::refundCall { t: terms.clone() };
        self.send("refund the campaign", &call, U256::ZERO).await
    }

    /// Closes a campaign whose Capsule did not settle a window in time.
    ///
    /// # Errors
    /// When the contract refuses, or the chain does not answer.
    pub async fn abandon(&self, terms: &Terms, pending: &[Submission]) -> Result<TxOutcome, Error> {
        let call = Campaigns::abandonCall { t: terms.clone(), pending: pending.to_vec() };
        self.send("abandon the campaign", &call, U256::ZERO).await
    }

    /// Gives fee and stake of a Capsule that did not deliver in time to the owner.
    ///
    /// # Errors
    /// When the contract refuses, or the chain does not answer.
    pub async fn expire(&self, terms: &Terms) -> Result<TxOutcome, Error> {
        let call = Campaigns::expireCall { t: terms.clone() };
        self.send("expire the campaign", &call, U256::ZERO).await
    }

    /// Sends the account's whole credit in a campaign to `to`.
    ///
    /// # Errors
    /// When the contract refuses, or the chain does not answer.
    pub async fn withdraw(&self, terms: &Terms, to: Address) -> Result<TxOutcome, Error> {
        self.send("withdraw", &withdraw_call(terms, to), U256::ZERO).await
    }

    /// Wei that `withdraw` would cost at present prices.
    ///
    /// # Errors
    /// When the contract refuses, or the chain does not answer.
    pub async fn withdraw_cost(&self, terms: &Terms, to: Address) -> Result<Amount, Error> {
        let call = withdraw_call(terms, to);
        self.cost("estimate the cost of a withdrawal", self.deployment().campaigns, &call).await
    }

    /// Sends the account's free stakes in a campaign to `to`.
    ///
    /// # Errors
    /// When the contract refuses, or the chain does not answer.
    pub async fn withdraw_stake(&self, id: CampaignId, to: Address) -> Result<TxOutcome, Error> {
        self.send("withdraw the stake", &Campaigns::withdrawStakeCall { id: id.0, to }, U256::ZERO).await
    }

    /// Wei that `withdraw_stake` would cost at present prices.
    ///
    /// # Errors
    /// When the contract refuses, or the chain does not answer.
    pub async fn withdraw_stake_cost(&self, id: CampaignId, to: Address) -> Result<Amount, Error> {
        let call = Campaigns::withdrawStakeCall { id: id.0, to };
        self.cost("estimate the cost of a withdrawal", self.deployment().campaigns, &call).await
    }

    /// What an account can claim of the stakes of Capsules that stopped answering.
    ///
    /// # Errors
    /// When the chain cannot be read.
    pub async fn claimable(&self, account: Address) -> Result<Amount, Error> {
        let call = CapsuleRegistry::claimableCall { account };
        let registry = self.deployment().registry;
        self.read("read the registry", registry, &call).await.map(Amount)
    }

    /// Sends what the account can claim to `to`.
    ///
    /// # Errors
    /// When the registry refuses, or the chain does not answer.
    pub async fn claim(&self, to: Address) -> Result<TxOutcome, Error> {
        let call = CapsuleRegistry::claimCall { to };
        let registry = self.deployment().registry;
        self.send_to("claim a share of stake", registry, &call, U256::ZERO).await
    }

    /// Wei that `claim` would cost at present prices.
    ///
    /// # Errors
    /// When the registry refuses, or the chain does not answer.
    pub async fn claim_cost(&self, to: Address) -> Result<Amount, Error> {
        let call = CapsuleRegistry::claimCall { to };
        self.cost("estimate the cost of a claim", self.deployment().registry, &call).await
    }

    /// What a transaction was charged; `None` while it is in no block.
    ///
    /// # Errors
    /// When the chain does not answer.
    pub async fn charge(&self, transaction: B256) -> Result<Option<Charge>, Error> {
        let read = || async { self.provider().get_transaction_receipt(transaction).await };
        let receipt = self.ask("read a receipt", read).await?;
        Ok(receipt.map(|receipt| Charge {
            gas_used: receipt.gas_used(),
            cost: Amount(U256::from(receipt.gas_used()) * U256::from(receipt.effective_gas_price())),
        }))
    }

    // ------------------------------------------------------------ sending: miners

    /// Submits a sealed update, with the stake that is due.
    ///
    /// # Errors
    /// When the contract refuses, or the chain does not answer.
    pub async fn submit(&self, id: CampaignId, version: Version, content: Digest) -> Result<TxOutcome, Error> {
        let what = "submit the update with its stake";
        let due = self.stakes(id, self.sender(what)?.address()).await?.due;
        let call = Campaigns::submitCall { id: id.0, version: version.0, content: content.into() };
        self.send(what, &call, due).await
    }

    // ------------------------------------------------------------ sending: the Capsule, or anyone for it

    /// Brings the Capsule's activation.
    ///
    /// # Errors
    /// When the contract refuses, or the chain does not answer.
    pub async fn activate(
        &self,
        terms: &Terms,
        start_ppm: u32,
        first: Published,
        signature: &[u8],
    ) -> Result<TxOutcome, Error> {
        let call = Campaigns::activateCall {
            t: terms.clone(),
            startPpm: start_ppm,
            first: first.into(),
            sig: signature.to_vec().into(),
        };
        self.send("activate the campaign", &call, U256::ZERO).await
    }

    /// Brings the Capsule's refusal.
    ///
    /// # Errors
    /// When the contract refuses, or the chain does not answer.
    pub async fn decline(&self, terms: &Terms, reason: u8, signature: &[u8]) -> Result<TxOutcome, Error> {
        let call = Campaigns::declineCall { t: terms.clone(), reason, sig: signature.to_vec().into() };
        self.send("decline the campaign", &call, U256::ZERO).await
    }

    /// Brings the Capsule's settlement of a window; outcomes, next version and close reason as on chain.
    ///
    /// # Errors
    /// When the contract refuses, or the chain does not answer.
    pub async fn settle(
        &self,
        terms: &Terms,
        submissions: &[Submission],
        outcomes: &[u16],
        next: Option<Published>,
        close: u8,
        signature: &[u8],
    ) -> Result<TxOutcome, Error> {
        let call = settle_call(terms, submissions, outcomes, next, close, signature);
        self.send("settle the window", &call, U256::ZERO).await
    }

    /// Whether the contract would take a settlement now. Sends nothing and needs no account.
    ///
    /// # Errors
    /// When the contract would refuse, or the chain does not answer.
    pub async fn check_settle(
        &self,
        terms: &Terms,
        submissions: &[Submission],
        outcomes: &[u16],
        next: Option<Published>,
        close: u8,
        signature: &[u8],
    ) -> Result<(), Error> {
        let call = settle_call(terms, submissions, outcomes, next, close, signature);
        let request = TransactionRequest::default().with_to(self.deployment().campaigns).with_input(call.abi_encode());
        self.shared.node.simulate("settle the window", &request).await
    }

    /// Brings the Capsule's delivery, with the hand-overs of all versions in order.
    ///
    /// # Errors
    /// When the contract refuses, or the chain does not answer.
    pub async fn finalize(
        &self,
        terms: &Terms,
        result: Digest,
        handovers: &[Handover],
        signature: &[u8],
    ) -> Result<TxOutcome, Error> {
        let call = Campaigns::finalizeCall {
            t: terms.clone(),
            result: result.into(),
            handovers: handovers.iter().map(Into::into).collect(),
            sig: signature.to_vec().into(),
        };
        self.send("finalize the campaign", &call, U256::ZERO).await
    }

    // ------------------------------------------------------------ sending: after the delivery

    /// Frees the stake of a Capsule that delivered.
    ///
    /// # Errors
    /// When the contract refuses, or the chain does not answer.
    pub async fn release(&self, terms: &Terms) -> Result<TxOutcome, Error> {
        self.send("release the Capsule's stake", &Campaigns::releaseCall { t: terms.clone() }, U256::ZERO).await
    }

    /// Takes the stake of a Capsule whose hand-over does not open. Tells everybody the key of the version.
    ///
    /// # Errors
    /// When the contract refuses, or the chain does not answer.
    pub async fn convict_handover(
        &self,
        terms: &Terms,
        version: Version,
        handover: &Handover,
        proof: KeyProof,
    ) -> Result<TxOutcome, Error> {
        let call = Campaigns::convictHandoverCall { t: terms.clone(), version: version.0, h: handover.into(), proof };
        self.send("convict the Capsule", &call, U256::ZERO).await
    }

    /// Takes the stake of a Capsule that published a word which cannot be an honest one. Tells everybody the seed of the version.
    ///
    /// # Errors
    /// When the contract refuses, or the chain does not answer.
    pub async fn convict_material(
        &self,
        terms: &Terms,
        version: Version,
        handover: &Handover,
        proof: WordProof,
    ) -> Result<TxOutcome, Error> {
        let call = Campaigns::convictMaterialCall { t: terms.clone(), version: version.0, h: handover.into(), proof };
        self.send("convict the Capsule", &call, U256::ZERO).await
    }

    // ------------------------------------------------------------ sending: Capsule operators

    /// Registers the account's Capsule with `stake` wei.
    ///
    /// # Errors
    /// When the registry refuses, or the chain does not answer.
    pub async fn register(
        &self,
        attester: Address,
        fingerprint: B256,
        certificate: Digest,
        endpoint: &str,
        fee_ppm: u32,
        stake: Amount,
    ) -> Result<TxOutcome, Error> {
        let call = CapsuleRegistry::registerCall {
            attester,
            fingerprint,
            certificate: certificate.into(),
            endpoint: endpoint.to_owned(),
            feePpm: fee_ppm,
        };
        let registry = self.deployment().registry;
        self.send_to("register the Capsule", registry, &call, stake.0).await
    }

    /// Changes what the account's Capsule registered.
    ///
    /// # Errors
    /// When the registry refuses, or the chain does not answer.
    pub async fn update_capsule(
        &self,
        attester: Address,
        fingerprint: B256,
        certificate: Digest,
        endpoint: &str,
        fee_ppm: u32,
    ) -> Result<TxOutcome, Error> {
        let call = CapsuleRegistry::updateCall {
            attester,
            fingerprint,
            certificate: certificate.into(),
            endpoint: endpoint.to_owned(),
            feePpm: fee_ppm,
        };
        let registry = self.deployment().registry;
        self.send_to("update the Capsule's registration", registry, &call, U256::ZERO).await
    }

    /// Lets this Sonar contract lock the account's stake, or stops it.
    ///
    /// # Errors
    /// When the registry refuses, or the chain does not answer.
    pub async fn authorize(&self, allowed: bool) -> Result<TxOutcome, Error> {
        let call = CapsuleRegistry::authorizeCall { campaigns: self.deployment().campaigns, allowed };
        let registry = self.deployment().registry;
        self.send_to("authorise Sonar", registry, &call, U256::ZERO).await
    }

    /// Adds to the account's stake.
    ///
    /// # Errors
    /// When the registry refuses, or the chain does not answer.
    pub async fn deposit_stake(&self, stake: Amount) -> Result<TxOutcome, Error> {
        let registry = self.deployment().registry;
        self.send_to("deposit stake", registry, &CapsuleRegistry::depositCall {}, stake.0).await
    }

    // ------------------------------------------------------------ inside

    fn provider(&self) -> &DynProvider {
        self.shared.node.provider()
    }

    async fn ask<T, R>(&self, what: &'static str, request: impl Fn() -> R) -> Result<T, Error>
    where
        R: IntoFuture<Output = Result<T, TransportError>>,
        R::IntoFuture: Future<Output = Result<T, TransportError>>,
    {
        self.shared.node.ask(what, request).await
    }

    async fn view<C: SolCall>(&self, what: &'static str, call: &C) -> Result<C::Return, Error> {
        self.read(what, self.deployment().campaigns, call).await
    }

    async fn read<C: SolCall>(&self, what: &'static str, to: Address, call: &C) -> Result<C::Return, Error> {
        let request = TransactionRequest::default().with_to(to).with_input(call.abi_encode());
        let data =
            self.ask(what, || async { self.provider().call(request.clone()).block(BlockId::latest()).await }).await?;
        C::abi_decode_returns(&data).map_err(|error| Error::Nonsense { what, reason: error.to_string() })
    }

    async fn send<C: SolCall>(&self, what: &'static str, call: &C, value: U256) -> Result<TxOutcome, Error> {
        self.send_to(what, self.deployment().campaigns, call, value).await
    }

    async fn send_to<C: SolCall>(
        &self,
        what: &'static str,
        to: Address,
        call: &C,
        value: U256,
    ) -> Result<TxOutcome, Error> {
        let request = TransactionRequest::default().with_to(to).with_value(value).with_input(call.abi_encode());
        let receipt = self.sender(what)?.send(what, request.with_chain_id(self.deployment().chain_id)).await?;
        Ok(TxOutcome {
            hash: receipt.transaction_hash,
            gas_used: receipt.gas_used,
            block: receipt.block_number.unwrap_or_default(),
        })
    }

    async fn cost<C: SolCall>(&self, what: &'static str, to: Address, call: &C) -> Result<Amount, Error> {
        let request = TransactionRequest::default().with_to(to).with_input(call.abi_encode());
        self.sender(what)?.cost(what, request).await
    }

    fn sender(&self, what: &'static str) -> Result<&Sender, Error> {
        self.sender.as_ref().ok_or(Error::NoSigner { what })
    }
}

fn settle_call(
    terms: &Terms,
    submissions: &[Submission],
    outcomes: &[u16],
    next: Option<Published>,
    close: u8,
    signature: &[u8],
) -> Campaigns::settleCall {
    Campaigns::settleCall {
        t: terms.clone(),
        subs: submissions.to_vec(),
        outcomes: outcomes.to_vec(),
        next: next.map(Publication::from).unwrap_or_default(),
        close_: close,
        sig: signature.to_vec().into(),
    }
}

fn withdraw_call(terms: &Terms, to: Address) -> Campaigns::withdrawCall {
    Campaigns::withdrawCall { t: terms.clone(), to }
}
