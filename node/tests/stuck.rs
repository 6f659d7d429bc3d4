//! Transactions that no block takes in: a chain that mines only when it is told to.

use std::{collections::BTreeMap, time::Duration};

use alloy::{
    network::TransactionBuilder,
    primitives::{Address, B256, U128, U256},
    providers::{DynProvider, Provider},
    rpc::types::TransactionRequest,
    signers::local::PrivateKeySigner,
};
use serde::Deserialize;
use serde_json::{Value, json};
use sonar_anvil::{Anvil, AnvilConfig};
use sonar_node::chain::{Error, Node, Options, Sender, UnminedReason};
use testkit::stage::OPTIONS;
use tokio::time::{sleep, timeout};

const PATIENCE: Duration = Duration::from_secs(30);
const HASTY: Options = Options { stuck: Duration::from_millis(300), ..OPTIONS };
const RECEIVER: Address = Address::repeat_byte(7);

struct Chain {
    anvil: Anvil,
    provider: DynProvider,
}

/// A transaction in the node's pool.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Waiting {
    hash: B256,
    max_fee_per_gas: U128,
    max_priority_fee_per_gas: U128,
}

impl Chain {
    /// A chain that mines nothing by itself.
    async fn new() -> Self {
        let anvil = Anvil::spawn(AnvilConfig::default()).await.unwrap();
        let chain = Self { provider: anvil.provider(), anvil };
        chain.call("evm_setAutomine", json!([false])).await;
        chain
    }

    async fn call(&self, method: &'static str, params: Value) -> Value {
        self.provider.raw_request(method.into(), params).await.unwrap()
    }

    async fn mine(&self) {
        self.call("evm_mine", json!([])).await;
    }

    fn signer(&self) -> PrivateKeySigner {
        self.anvil.signers()[1].clone()
    }

    fn sender(&self, options: Options) -> Sender {
        Sender::new(Node::new(&self.anvil.endpoint(), options.patience).unwrap(), self.signer(), options)
    }

    /// The account's transactions that are in no block, by nonce.
    async fn pool(&self) -> BTreeMap<u64, Waiting> {
        let content = self.call("txpool_content", json!([])).await;
        let account = self.signer().address();
        let accounts: BTreeMap<Address, BTreeMap<String, Waiting>> =
            serde_json::from_value(content["pending"].clone()).unwrap();
        let of_account = accounts.get(&account).cloned().unwrap_or_default();
        of_account.into_iter().map(|(nonce, waiting)| (nonce.parse().unwrap(), waiting)).collect()
    }

    /// Waits until the pool has a transaction with this nonce that is not `old`.
    async fn another(&self, nonce: u64, old: Option<&Waiting>) -> Waiting {
        let look = async {
            loop {
                match self.pool().await.remove(&nonce) {
                    Some(waiting) if Some(&waiting) != old => return waiting,
                    _ => sleep(Duration::from_millis(10)).await,
                }
            }
        };
        timeout(PATIENCE, look).await.expect("a transaction in the pool")
    }

    async fn received(&self) -> U256 {
        self.provider.get_balance(RECEIVER).await.unwrap()
    }
}

fn payment() -> TransactionRequest {
    TransactionRequest::default().with_to(RECEIVER).with_value(U256::from(1))
}

#[tokio::test]
async fn a_stuck_transaction_is_replaced_with_higher_fees_and_lands() {
    let chain = Chain::new().await;
    let sender = chain.sender(HASTY);
    let sent = tokio::spawn(async move { sender.send("pay", payment()).await });
    let first = chain.another(0, None).await;
    let second = chain.another(0, Some(&first)).await;
    let third = chain.another(0, Some(&second)).await;
    for (old, new) in [(&first, &second), (&second, &third)] {
        let raised = |old: U128, new: U128| new > old && new.to::<u128>() * 8 >= old.to::<u128>() * 9;
        assert!(raised(old.max_fee_per_gas, new.max_fee_per_gas), "{old:?} {new:?}");
        assert!(raised(old.max_priority_fee_per_gas, new.max_priority_fee_per_gas), "{old:?} {new:?}");
    }
    chain.mine().await;
    let receipt = timeout(PATIENCE, sent).await.unwrap().unwrap().unwrap();
    assert!(receipt.status() && receipt.transaction_hash != first.hash);
    assert_eq!(chain.received().await, U256::from(1), "one of the forms, once");
}

#[tokio::test]
async fn fees_stop_at_the_cap_and_the_reason_says_so() {
    let chain = Chain::new().await;
    let options = Options { stuck: Duration::from_millis(20), receipt: Duration::from_secs(8), ..OPTIONS };
    let error = chain.sender(options).send("pay", payment()).await.unwrap_err();
    let Error::NotMined { hash, reason: UnminedReason::FeeCap, .. } = error else { panic!("{error}") };
    let waiting = &chain.pool().await[&0];
    assert_eq!(waiting.hash, hash, "the last form waits on");
    chain.mine().await;
    assert_eq!(chain.received().await, U256::from(1));
}

#[tokio::test]
async fn a_transaction_of_an_earlier_run_that_is_stuck_is_taken_over() {
    let chain = Chain::new().await;
    // Killed after it had sent.
    let crashed = chain.sender(OPTIONS);
    let crashed = tokio::spawn(async move { crashed.send("pay", payment()).await });
    let old = chain.another(0, None).await;
    crashed.abort();
    let sender = chain.sender(HASTY);
    let sent = tokio::spawn(async move { sender.send("pay", payment()).await });
    chain.another(0, Some(&old)).await;
    chain.mine().await;
    let receipt = timeout(PATIENCE, sent).await.unwrap().unwrap().unwrap();
    assert!(receipt.status());
    assert_eq!(chain.received().await, U256::from(1), "never both");
    assert_eq!(chain.provider.get_transaction_count(chain.signer().address()).await.unwrap(), 1);
}

#[tokio::test]
async fn what_the_node_forgot_is_sent_again() {
    let chain = Chain::new().await;
    let sender = chain.sender(OPTIONS);
    let sent = tokio::spawn(async move { sender.send("pay", payment()).await });
    let first = chain.another(0, None).await;
    chain.call("anvil_dropTransaction", json!([first.hash])).await;
    assert_eq!(chain.another(0, None).await, first);
    chain.mine().await;
    assert_eq!(timeout(PATIENCE, sent).await.unwrap().unwrap().unwrap().transaction_hash, first.hash);
}

#[tokio::test]
async fn a_transaction_that_lost_its_nonce_is_given_up() {
    let chain = Chain::new().await;
    let sender = chain.sender(OPTIONS);
    let sent = tokio::spawn(async move { sender.send("pay", payment()).await });
    chain.another(0, None).await;
    // The owner's wallet, say, at fees above those that are paid without asking.
    let wallet = chain.anvil.provider_as(chain.signer());
    let fee = 100_000_000_000;
    let other = payment().with_nonce(0).with_value(U256::from(5));
    let other = other.with_max_fee_per_gas(fee).with_max_priority_fee_per_gas(fee);
    let other = wallet.send_transaction(other).await.unwrap();
    chain.mine().await;
    other.get_receipt().await.unwrap();
    let error = timeout(PATIENCE, sent).await.unwrap().unwrap().unwrap_err();
    assert!(matches!(error, Error::NotMined { reason: UnminedReason::Displaced, .. }), "{error}");
    assert!(error.is_transient());
    assert_eq!(chain.received().await, U256::from(5));
}
