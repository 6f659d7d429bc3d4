//! The sender: transactions of one account, from nonce, gas, fees and signature until they are mined.
//!
//! Every transaction of every program is sent here. [`replacement`](super::replacement) decides when a transaction is
//! sent again, replaced with higher fees, or given up; this module performs the decision.
//!
//! # After a crash
//!
//! Nothing is stored. A transaction that was sent before a crash may be mined or not; programs decide anew from the
//! chain what to send, and the contracts refuse duplicates. If the old transaction is stuck, the node still has it, and
//! it would block all later transactions of the account. So before an account sends, transactions that this program
//! does not wait for get time to be mined, and then the first of them is replaced by the new one. If another process
//! with the same key sent it, that process finds the nonce used and reports that its transaction was displaced: of two
//! transactions with one nonce at most one is ever mined. If the node has dropped the old transaction, it cannot report
//! it; then the new transaction takes its nonce anyway.

use std::{
    collections::BTreeSet,
    sync::{Arc, PoisonError},
};

use alloy::{
    eips::{BlockId, eip2718::Encodable2718},
    network::{EthereumWallet, NetworkTransactionBuilder, TransactionBuilder},
    primitives::{Address, B256, Bytes, U256},
    providers::Provider,
    rpc::types::{TransactionReceipt, TransactionRequest},
    signers::local::PrivateKeySigner,
};
use sonar_protocol::units::Amount;
use tokio::{
    sync::Mutex,
    time::{Instant, sleep},
};

use super::{
    Error, Node, Options,
    replacement::{self, Action, Event, Fees, Pending, Slot},
};

/// Attempts to send a transaction when others with the same nonce are faster.
const NONCE_ATTEMPTS: usize = 5;
/// Gas limit in percent of the estimate, because other transactions may come in between.
const GAS_MARGIN_PERCENT: u64 = 130;
/// After this number of queries of the receipt, the node is asked whether it still has the transaction.
const LOOKS_PER_EXAMINATION: u32 = 20;

/// Sends the transactions of one account. Clones share a lock, so that they never take the same nonce.
#[derive(Clone)]
pub struct Sender {
    node: Node,
    account: Arc<Account>,
    options: Options,
}

struct Account {
    signer: PrivateKeySigner,
    /// Locked from choosing the nonce until the transaction is sent.
    turn: Mutex<()>,
    /// Nonces of transactions that this program waits for.
    waited_for: std::sync::Mutex<BTreeSet<u64>>,
}

impl std::fmt::Debug for Sender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sender({})", self.address())
    }
}

/// One signed form of a transaction; each replacement has another.
struct SignedTransaction {
    hash: B256,
    raw: Bytes,
}

/// A transaction that waits to be mined.
struct InFlightTransaction<'a> {
    request: TransactionRequest,
    nonce: ReservedNonce<'a>,
    fees: Fees,
    cap: u128,
    /// The last one is current, but any of them may be mined.
    forms: Vec<SignedTransaction>,
}

/// A nonce whose transaction this program waits for, until this is dropped.
struct ReservedNonce<'a> {
    account: &'a Account,
    nonce: u64,
}

impl<'a> ReservedNonce<'a> {
    fn new(account: &'a Account, nonce: u64) -> Self {
        account.waited_for.lock().unwrap_or_else(PoisonError::into_inner).insert(nonce);
        Self { account, nonce }
    }
}

impl Drop for ReservedNonce<'_> {
    fn drop(&mut self) {
        self.account.waited_for.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.nonce);
    }
}

/// The node's reaction to a transaction.
enum Verdict {
    Accepted,
    TooCheap,
    NonceUsed,
    Unaffordable,
}

impl Sender {
    /// Creates the sender of an account through a node.
    #[must_use]
    pub fn new(node: Node, signer: PrivateKeySigner, options: Options) -> Self {
        let account = Account { signer, turn: Mutex::default(), waited_for: std::sync::Mutex::default() };
        Self { node, account: Arc::new(account), options }
    }

    /// The account.
    #[must_use]
    pub fn address(&self) -> Address {
        self.account.signer.address()
    }

    pub(super) fn signer(&self) -> &PrivateKeySigner {
        &self.account.signer
    }

    pub(super) fn node(&self) -> &Node {
        &self.node
    }

    /// Simulates a transaction, so that a refusal costs nothing and has a reason; then sends it and waits until it is
    /// mined.
    ///
    /// # Errors
    /// When the account cannot pay, a contract refuses, the chain does not answer, or the transaction is not mined in time.
    pub async fn send(&self, what: &'static str, request: TransactionRequest) -> Result<TransactionReceipt, Error> {
        let mut request = request.with_from(self.address());
        if request.chain_id.is_none() {
            request = request.with_chain_id(self.node.chain_id().await?);
        }
        self.check_funds(what, request.value.unwrap_or_default()).await?;
        self.node.simulate(what, &request).await?;
        let sent = self.dispatch(what, request.clone()).await?;
        let receipt = self.wait(what, sent).await?;
        if !receipt.status() {
            // The reason, if the simulation still shows it.
            self.node.simulate(what, &request).await?;
            return Err(Error::Failed { what, hash: receipt.transaction_hash });
        }
        Ok(receipt)
    }

    /// Estimated cost of a transaction at current gas prices, in wei.
    ///
    /// # Errors
    /// When a contract refuses, or the chain does not answer.
    pub async fn cost(&self, what: &'static str, request: TransactionRequest) -> Result<Amount, Error> {
        let gas = self.gas(what, &request.with_from(self.address())).await?;
        let fees = self.market(what).await?;
        Ok(Amount(U256::from(gas) * U256::from(fees.max)))
    }

    async fn check_funds(&self, what: &'static str, needed: U256) -> Result<(), Error> {
        let account = self.address();
        let balance = self.node.balance(account).await?.0;
        if balance < needed {
            return Err(Error::Funds { what, account, balance, needed });
        }
        Ok(())
    }

    async fn gas(&self, what: &'static str, request: &TransactionRequest) -> Result<u64, Error> {
        let provider = self.node.provider();
        let estimate = || async { provider.estimate_gas(request.clone()).block(BlockId::pending()).await };
        Ok(self.node.ask(what, estimate).await?.saturating_mul(GAS_MARGIN_PERCENT) / 100)
    }

    async fn market(&self, what: &'static str) -> Result<Fees, Error> {
        let estimate = self.node.ask(what, || self.node.provider().estimate_eip1559_fees()).await?;
        Ok(Fees { max: estimate.max_fee_per_gas, priority: estimate.max_priority_fee_per_gas })
    }

    /// Chooses gas, fees and nonce, and sends.
    async fn dispatch(
        &self,
        what: &'static str,
        request: TransactionRequest,
    ) -> Result<InFlightTransaction<'_>, Error> {
        let request = request.clone().with_gas_limit(self.gas(what, &request).await?);
        let mut fees = self.market(what).await?;
        self.check_funds(what, most(&request, fees)).await?;
        let cap = fees.cap();
        let _turn = self.account.turn.lock().await;
        let start = Instant::now();
        let mut attempts = 0;
        loop {
            let (nonce, is_free) = self.nonce(what, start).await?;
            let form = self.sign(&request, nonce, fees).await?;
            match self.broadcast(what, &form).await? {
                (Verdict::Accepted, _) => {
                    if is_free {
                        tracing::debug!(transaction = %form.hash, nonce, "sent: {what}");
                    } else {
                        tracing::warn!(transaction = %form.hash, nonce, "replaced a stuck transaction: {what}");
                    }
                    let nonce = ReservedNonce::new(&self.account, nonce);
                    return Ok(InFlightTransaction { request, nonce, fees, cap, forms: vec![form] });
                }
                // If a nonce is refused repeatedly, it has a transaction that the node does not count.
                (Verdict::TooCheap, _) if !is_free || attempts >= NONCE_ATTEMPTS => {
                    let blocked = Error::Blocked { what, account: self.address(), nonce };
                    fees = fees.raised(fees, cap).ok_or(blocked)?;
                    self.check_funds(what, most(&request, fees)).await?;
                }
                // Another process with the same account was faster, or fees rose.
                (Verdict::TooCheap | Verdict::NonceUsed, _) if attempts < NONCE_ATTEMPTS => {
                    attempts += 1;
                    fees = self.market(what).await?;
                }
                (_, message) => return Err(Error::Node { what, message }),
            }
        }
    }

    /// The next nonce, and whether it is free of other transactions.
    async fn nonce(&self, what: &'static str, start: Instant) -> Result<(u64, bool), Error> {
        let (from, provider) = (self.address(), self.node.provider());
        loop {
            let mined = self.node.ask(what, || async { provider.get_transaction_count(from).await }).await?;
            let pending =
                self.node.ask(what, || async { provider.get_transaction_count(from).pending().await }).await?;
            let ours = self.account.waited_for.lock().unwrap_or_else(PoisonError::into_inner).clone();
            match replacement::slot(mined, pending, &ours, start.elapsed(), self.options.stuck) {
                Slot::Free(nonce) => return Ok((nonce, true)),
                Slot::TakeOver(nonce) => return Ok((nonce, false)),
                Slot::Wait => sleep(self.options.poll).await,
            }
        }
    }

    async fn sign(&self, request: &TransactionRequest, nonce: u64, fees: Fees) -> Result<SignedTransaction, Error> {
        let request = request.clone().with_nonce(nonce);
        let request = request.with_max_fee_per_gas(fees.max).with_max_priority_fee_per_gas(fees.priority);
        let wallet = EthereumWallet::from(self.account.signer.clone());
        let envelope = request.build(&wallet).await.map_err(|error| Error::Sign(error.to_string()))?;
        Ok(SignedTransaction { hash: *envelope.tx_hash(), raw: envelope.encoded_2718().into() })
    }

    /// Sends a signed transaction to the node. Returns its reaction and message.
    async fn broadcast(&self, what: &'static str, form: &SignedTransaction) -> Result<(Verdict, String), Error> {
        let answer = self.node.ask(what, || async { self.node.provider().send_raw_transaction(&form.raw).await }).await;
        let message = match answer {
            Ok(_) => return Ok((Verdict::Accepted, String::new())),
            Err(Error::Node { message, .. }) => message,
            Err(error) => return Err(error),
        };
        let verdict = match verdict(&message) {
            Some(Verdict::Accepted) => Verdict::Accepted,
            // It may already be mined.
            _ if matches!(self.receipt(what, form.hash).await, Ok(Some(_))) => Verdict::Accepted,
            Some(verdict) => verdict,
            None => return Err(Error::Node { what, message }),
        };
        Ok((verdict, message))
    }

    async fn receipt(&self, what: &'static str, hash: B256) -> Result<Option<TransactionReceipt>, Error> {
        self.node.ask(what, || async { self.node.provider().get_transaction_receipt(hash).await }).await
    }

    /// Waits until one form of a transaction is mined.
    async fn wait(&self, what: &'static str, mut sent: InFlightTransaction<'_>) -> Result<TransactionReceipt, Error> {
        let start = Instant::now();
        let mut state = Pending::new(sent.fees, sent.cap, self.options.stuck, self.options.receipt);
        let mut looks = 0_u32;
        loop {
            match self.mined(what, &sent.forms).await {
                Ok(Some(receipt)) => return Ok(receipt),
                // The transaction is sent, so a short outage of the node changes nothing.
                Ok(None) | Err(Error::Unreachable { .. }) => {}
                Err(error) => return Err(error),
            }
            looks += 1;
            let mut event = Event::Unmined;
            if looks.is_multiple_of(LOOKS_PER_EXAMINATION) {
                event = self.examine(what, &sent).await.unwrap_or(Event::Unmined);
            }
            loop {
                let action;
                (state, action) = state.next(event, start.elapsed());
                let followed = match action {
                    Action::Wait => break,
                    Action::GiveUp(reason) => {
                        let (hash, seconds) = (sent.present().hash, start.elapsed().as_secs());
                        return Err(Error::NotMined { what, hash, seconds, reason });
                    }
                    Action::Reprice => self.market(what).await.map(|fees| Some(Event::Market(fees))),
                    Action::Resend => self.broadcast(what, sent.present()).await.map(|(verdict, _)| verdict.event()),
                    Action::Replace(fees) => self.replace(what, &mut sent, fees).await,
                };
                match followed {
                    Ok(Some(next)) => event = next,
                    Ok(None) => break,
                    Err(error) => {
                        tracing::debug!(%error, "a transaction waits as it is");
                        break;
                    }
                }
            }
            sleep(self.options.poll).await;
        }
    }

    async fn mined(
        &self,
        what: &'static str,
        forms: &[SignedTransaction],
    ) -> Result<Option<TransactionReceipt>, Error> {
        for form in forms.iter().rev() {
            if let Some(receipt) = self.receipt(what, form.hash).await? {
                return Ok(Some(receipt));
            }
        }
        Ok(None)
    }

    async fn examine(&self, what: &'static str, sent: &InFlightTransaction<'_>) -> Result<Event, Error> {
        let (from, hash, provider) = (self.address(), sent.present().hash, self.node.provider());
        let known = self.node.ask(what, || async { provider.get_transaction_by_hash(hash).await }).await?;
        let mined = self.node.ask(what, || async { provider.get_transaction_count(from).await }).await?;
        Ok(Event::Examined { is_known: known.is_some(), is_nonce_used: mined > sent.nonce.nonce })
    }

    /// Sends a transaction with other fees. Returns the resulting observation.
    async fn replace(
        &self,
        what: &'static str,
        sent: &mut InFlightTransaction<'_>,
        fees: Fees,
    ) -> Result<Option<Event>, Error> {
        match self.check_funds(what, most(&sent.request, fees)).await {
            Err(Error::Funds { .. }) => return Ok(Some(Event::Unaffordable)),
            other => other?,
        }
        let form = self.sign(&sent.request, sent.nonce.nonce, fees).await?;
        let (verdict, _) = self.broadcast(what, &form).await?;
        if matches!(verdict, Verdict::Accepted) {
            let (old, nonce) = (sent.present().hash, sent.nonce.nonce);
            tracing::info!(%old, new = %form.hash, nonce, max_fee = fees.max, "raised the fees of a stuck transaction: {what}");
            sent.forms.push(form);
        }
        Ok(verdict.event())
    }
}

impl InFlightTransaction<'_> {
    fn present(&self) -> &SignedTransaction {
        self.forms.last().expect("a transaction on its way was sent at least once")
    }
}

impl Verdict {
    /// The observation about a pending transaction.
    fn event(&self) -> Option<Event> {
        match self {
            // The next queries show whether it is mined or displaced.
            Self::Accepted | Self::NonceUsed => None,
            Self::TooCheap => Some(Event::TooCheap),
            Self::Unaffordable => Some(Event::Unaffordable),
        }
    }
}

/// Maximum cost of a transaction in wei.
fn most(request: &TransactionRequest, fees: Fees) -> U256 {
    let gas = U256::from(request.gas.unwrap_or_default());
    request.value.unwrap_or_default().saturating_add(gas * U256::from(fees.max))
}

/// Nodes have no codes for these errors, only messages.
fn verdict(message: &str) -> Option<Verdict> {
    let message = message.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| message.contains(word));
    if has(&["already known", "already imported"]) {
        Some(Verdict::Accepted)
    } else if has(&["nonce too low", "oldnonce"]) {
        Some(Verdict::NonceUsed)
    } else if has(&["underpriced", "less than block base fee", "fee cap too low", "feetoolow", "replacementnotallowed"])
    {
        Some(Verdict::TooCheap)
    } else if has(&["insufficient funds"]) {
        Some(Verdict::Unaffordable)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_nodes_are_understood() {
        let event = |message| verdict(message).map(|verdict| verdict.event());
        assert_eq!(event("already known"), Some(None));
        assert_eq!(event("nonce too low: next nonce 5, tx nonce 4"), Some(None));
        for message in [
            "replacement transaction underpriced",
            "transaction underpriced: gas tip cap 0, minimum needed 1",
            "max fee per gas less than block base fee: address 0x1, maxFeePerGas: 1, baseFee: 2",
        ] {
            assert_eq!(event(message), Some(Some(Event::TooCheap)), "{message}");
        }
        let poor = "insufficient funds for gas * price + value: balance 0, tx cost 1";
        assert_eq!(event(poor), Some(Some(Event::Unaffordable)));
        assert_eq!(event("method not found"), None);
    }
}
