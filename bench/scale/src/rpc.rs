//! A node's JSON-RPC over a chain that is in memory: what a program needs that reads blocks, events and balances.
//!
//! It sends no transactions. Public nodes refuse requests that span too many blocks or find too much, each in its own way:
//! [`NodeLimits`] imitates them. Each client can have a node of its own over the same chain; [`Node::followed`] says how far
//! that client has read.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    ops::Range,
    sync::{
        Arc, RwLock, RwLockReadGuard,
        atomic::{AtomicU64, Ordering},
    },
};

use alloy::{
    eips::BlockNumberOrTag,
    primitives::{Address, B256, Bytes, U256},
    rpc::types::{Block, BlockTransactions, Filter, FilterBlockOption, Log},
    sol_types::{SolCall, SolValue as _},
};
use axum::{
    Router,
    body::Bytes as Body,
    extract::{DefaultBodyLimit, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use sonar_contracts::{CapsuleRegistry, DataCoin};
use tokio::{net::TcpListener, task::JoinHandle};

use crate::{chain::Chain, contract};

/// Blocks between the head and what a node calls safe, and finalized, on the main network.
const SAFE: u64 = 32;
const FINALIZED: u64 = 64;
/// What every account has: more than all escrows together, so that no ledger looks short.
const BALANCE: U256 = U256::from_limbs([0, 1 << 40, 0, 0]);
/// Largest request.
const BODY_LIMIT: usize = 4 << 20;

/// A chain that several nodes and the harness share.
pub type SharedChain = Arc<RwLock<Chain>>;

/// How a node says that a request for logs is too large.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum RefusalStyle {
    /// JSON-RPC error -32005, as Infura
    #[default]
    LimitExceeded,
    /// JSON-RPC error -32602, as Alchemy
    InvalidParams,
    /// HTTP status 413, as nodes behind a proxy
    TooLarge,
}

/// What a node refuses to answer at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::Args)]
pub struct NodeLimits {
    /// Most blocks that one request for logs may span
    #[arg(long, value_name = "N")]
    pub max_span: Option<u64>,
    /// Most logs in one answer
    #[arg(long, value_name = "N")]
    pub max_results: Option<usize>,
    /// How the node refuses what is more
    #[arg(long, value_enum, default_value_t)]
    pub refusal: RefusalStyle,
}

/// A running node.
#[derive(Debug)]
pub struct Node {
    address: SocketAddr,
    state: Arc<NodeState>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct NodeState {
    chain: SharedChain,
    limits: NodeLimits,
    /// The last block whose logs were returned.
    read: AtomicU64,
    /// The same at the moment when the client asked for the head again.
    followed: AtomicU64,
}

impl Node {
    /// Serves the chain on a free port of the loopback interface.
    ///
    /// # Errors
    /// When there is none.
    pub async fn start(chain: SharedChain, limits: NodeLimits) -> io::Result<Self> {
        let state = Arc::new(NodeState { chain, limits, read: AtomicU64::new(0), followed: AtomicU64::new(0) });
        let router =
            Router::new().route("/", post(answer)).layer(DefaultBodyLimit::max(BODY_LIMIT)).with_state(state.clone());
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let task = tokio::spawn(async move {
            // Accepting fails only for single connections, which axum handles.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { address, state, task })
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The last block whose logs the client has read and worked through: it asked for the head again afterwards.
    #[must_use]
    pub fn followed(&self) -> u64 {
        self.state.followed.load(Ordering::Relaxed)
    }

    /// Forgets how far the client has read: it is started again.
    pub fn forget(&self) {
        self.state.read.store(0, Ordering::Relaxed);
        self.state.followed.store(0, Ordering::Relaxed);
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Why a request is not answered.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Fault {
    Rpc(i64, String),
    Http(StatusCode),
}

impl Fault {
    fn params(message: impl ToString) -> Self {
        Self::Rpc(-32602, message.to_string())
    }
}

async fn answer(State(state): State<Arc<NodeState>>, body: Body) -> Response {
    // A request for logs encodes thousands of them.
    let answered = tokio::task::spawn_blocking(move || state.answer(&body)).await;
    match answered {
        Ok(Ok(text)) => ([(header::CONTENT_TYPE, "application/json")], text).into_response(),
        Ok(Err(status)) => status.into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

impl NodeState {
    /// The answer as text: a million logs are not first made a tree.
    fn answer(&self, body: &[u8]) -> Result<String, StatusCode> {
        match serde_json::from_slice(body) {
            Ok(Value::Array(batch)) if !batch.is_empty() => {
                let answers: Vec<_> =
                    batch.into_iter().map(|request| self.respond(request)).collect::<Result<_, _>>()?;
                Ok(format!("[{}]", answers.join(",")))
            }
            Ok(request) => self.respond(request),
            Err(error) => Ok(failure(&Value::Null, -32700, &error.to_string())),
        }
    }

    fn respond(&self, mut request: Value) -> Result<String, StatusCode> {
        let id = request["id"].take();
        let Some(method) = request["method"].as_str().map(str::to_owned) else {
            return Ok(failure(&id, -32600, "a request has a method"));
        };
        match self.call(&method, request["params"].take()) {
            Ok(result) => Ok(format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#)),
            Err(Fault::Rpc(code, message)) => Ok(failure(&id, code, &message)),
            Err(Fault::Http(status)) => Err(status),
        }
    }

    fn call(&self, method: &str, params: Value) -> Result<String, Fault> {
        let chain = self.chain();
        match method {
            "eth_chainId" => text(&U256::from(chain.contracts().chain_id)),
            "net_version" => text(&chain.contracts().chain_id.to_string()),
            "web3_clientVersion" => text("sonar-scale"),
            "eth_blockNumber" => {
                self.asked_for_the_head();
                text(&U256::from(chain.head()))
            }
            "eth_getBlockByNumber" => {
                let (tag, full): (BlockNumberOrTag, bool) = decode(params)?;
                if matches!(tag, BlockNumberOrTag::Latest | BlockNumberOrTag::Safe | BlockNumberOrTag::Finalized) {
                    self.asked_for_the_head();
                }
                // A copied chain could give whole transactions; no client of ours asks for them.
                if full {
                    return Err(Fault::params("this node has only hashes of transactions"));
                }
                text(&block(&chain, tag))
            }
            "eth_getBlockByHash" => {
                let (hash, _): (B256, bool) = decode(params)?;
                text(&chain.number(hash).and_then(|number| chain.block(number)))
            }
            "eth_getLogs" => {
                let (filter,): (Filter,) = decode(params)?;
                text(&self.logs(&chain, &filter)?)
            }
            "eth_getCode" => {
                let (address, _): (Address, Value) = decode(params)?;
                let contracts = chain.contracts();
                let deployed = [contract::campaigns(contracts), contracts.registry, contracts.datacoin];
                text(&if deployed.contains(&address) { Bytes::from_static(&[0xfe]) } else { Bytes::new() })
            }
            "eth_getBalance" => text(&BALANCE),
            "eth_getTransactionCount" => text(&U256::ZERO),
            "eth_gasPrice" | "eth_maxPriorityFeePerGas" => text(&U256::from(1)),
            "eth_call" => {
                let call = params[0].get("input").or_else(|| params[0].get("data")).cloned().unwrap_or_default();
                let input: Bytes = serde_json::from_value(call).map_err(Fault::params)?;
                text(&view(&input).ok_or_else(|| Fault::Rpc(3, "execution reverted".into()))?)
            }
            // As a node that has pruned them.
            "eth_getTransactionByHash" | "eth_getTransactionReceipt" => text(&Value::Null),
            _ => Err(Fault::Rpc(-32601, format!("the method {method} does not exist"))),
        }
    }

    fn chain(&self) -> RwLockReadGuard<'_, Chain> {
        self.chain.read().expect("nobody panics while changing the chain")
    }

    fn asked_for_the_head(&self) {
        self.followed.fetch_max(self.read.load(Ordering::Relaxed), Ordering::Relaxed);
    }

    fn logs(&self, chain: &Chain, filter: &Filter) -> Result<Vec<Log>, Fault> {
        let blocks = self.range(chain, filter)?;
        let span = blocks.end.saturating_sub(blocks.start);
        if let Some(most) = self.limits.max_span.filter(|most| span > *most) {
            return Err(self.refuse(format!("block range is too large: at most {most} blocks")));
        }
        let most = self.limits.max_results.unwrap_or(usize::MAX);
        let found = chain
            .logs(blocks.clone(), filter, most)
            .ok_or_else(|| self.refuse(format!("query returned more than {most} results")))?;
        self.read.fetch_max(blocks.end.saturating_sub(1).min(chain.head()), Ordering::Relaxed);
        Ok(found)
    }

    fn range(&self, chain: &Chain, filter: &Filter) -> Result<Range<u64>, Fault> {
        let (from, to) = match filter.block_option {
            FilterBlockOption::AtBlockHash(hash) => {
                let number = chain.number(hash).ok_or_else(|| Fault::Rpc(-32000, "unknown block".into()))?;
                (number, number)
            }
            FilterBlockOption::Range { from_block, to_block } => {
                let tag = |tag: Option<BlockNumberOrTag>| number(chain, tag.unwrap_or_default());
                (tag(from_block), tag(to_block))
            }
        };
        if from > to {
            return Err(Fault::params("invalid block range params"));
        }
        Ok(from..to.saturating_add(1))
    }

    fn refuse(&self, message: String) -> Fault {
        match self.limits.refusal {
            RefusalStyle::LimitExceeded => Fault::Rpc(-32005, message),
            RefusalStyle::InvalidParams => Fault::Rpc(-32602, message),
            RefusalStyle::TooLarge => Fault::Http(StatusCode::PAYLOAD_TOO_LARGE),
        }
    }
}

fn failure(id: &Value, code: i64, message: &str) -> String {
    json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": message } }).to_string()
}

fn text<T: Serialize + ?Sized>(value: &T) -> Result<String, Fault> {
    serde_json::to_string(value).map_err(|error| Fault::Rpc(-32603, error.to_string()))
}

fn decode<T: DeserializeOwned>(params: Value) -> Result<T, Fault> {
    serde_json::from_value(params).map_err(Fault::params)
}

fn number(chain: &Chain, tag: BlockNumberOrTag) -> u64 {
    match tag {
        BlockNumberOrTag::Latest | BlockNumberOrTag::Pending => chain.head(),
        BlockNumberOrTag::Safe => chain.head().saturating_sub(SAFE),
        BlockNumberOrTag::Finalized => chain.head().saturating_sub(FINALIZED),
        BlockNumberOrTag::Earliest => 0,
        BlockNumberOrTag::Number(number) => number,
    }
}

fn block(chain: &Chain, tag: BlockNumberOrTag) -> Option<Block> {
    let mut block = chain.block(number(chain, tag))?;
    if tag == BlockNumberOrTag::Pending {
        // An empty one that nobody has made yet.
        block.header.inner.parent_hash = block.header.hash;
        block.header.inner.number += 1;
        block.header.inner.timestamp += 1;
        block.header.hash = block.header.inner.hash_slow();
        block.transactions = BlockTransactions::Hashes(Vec::new());
    }
    Some(block)
}

/// Answers of the contracts' views that programs ask for: tokens in abundance, and a Capsule that nobody registered.
fn view(input: &[u8]) -> Option<Bytes> {
    let selector: [u8; 4] = input.first_chunk().copied()?;
    let answer = match selector {
        DataCoin::balanceOfCall::SELECTOR => BALANCE.abi_encode(),
        DataCoin::decimalsCall::SELECTOR => U256::from(18).abi_encode(),
        DataCoin::symbolCall::SELECTOR => "DATA".to_owned().abi_encode(),
        CapsuleRegistry::authorizedCall::SELECTOR => true.abi_encode(),
        _ => return None,
    };
    Some(answer.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{History, Size};

    fn node(limits: NodeLimits) -> NodeState {
        let size = Size { campaigns: 3, submissions: 100, miners: 16 };
        let (_, chain) = History::generate(size, 1, contract::made_up(7));
        NodeState { chain: Arc::new(RwLock::new(chain)), limits, read: AtomicU64::new(0), followed: AtomicU64::new(0) }
    }

    fn ask(node: &NodeState, method: &str, params: Value) -> Value {
        let request = json!({ "jsonrpc": "2.0", "id": 5, "method": method, "params": params });
        let answer: Value = serde_json::from_str(&node.answer(request.to_string().as_bytes()).unwrap()).unwrap();
        assert_eq!(answer["id"], 5);
        answer
    }

    #[test]
    fn blocks_are_linked_and_found_by_number_hash_and_tag() {
        let node = node(NodeLimits::default());
        let get = |params| ask(&node, "eth_getBlockByNumber", params)["result"].clone();
        let latest = get(json!(["latest", false]));
        let head = ask(&node, "eth_blockNumber", json!([]))["result"].clone();
        assert_eq!(latest["number"], head);
        let by_hash = ask(&node, "eth_getBlockByHash", json!([latest["hash"], false]));
        assert_eq!(by_hash["result"], latest);
        let parent = ask(&node, "eth_getBlockByHash", json!([latest["parentHash"], false]));
        let number = |block: &Value| serde_json::from_value::<U256>(block["number"].clone()).unwrap();
        assert_eq!(number(&parent["result"]) + U256::from(1), number(&latest));
        assert_eq!(number(&latest) - number(&get(json!(["finalized", false]))), U256::from(FINALIZED));
        assert_eq!(number(&get(json!(["pending", false]))), number(&latest) + U256::from(1));
        assert_eq!(get(json!(["0xffffff", false])), Value::Null);
    }

    #[test]
    fn logs_are_filtered_by_blocks_address_and_topics() {
        let node = node(NodeLimits::default());
        let chain = node.chain().clone();
        let (campaigns, id) = (contract::campaigns(chain.contracts()), chain.campaigns()[0]);
        let logs = |filter: Value| ask(&node, "eth_getLogs", json!([filter]))["result"].as_array().unwrap().clone();
        let all = logs(json!({ "fromBlock": "0x0", "toBlock": "latest" }));
        assert_eq!(all.len(), chain.events());
        let of_campaign = logs(json!({ "fromBlock": "0x0", "address": campaigns, "topics": [null, id] }));
        assert!(!of_campaign.is_empty() && of_campaign.len() < all.len());
        assert!(of_campaign.iter().all(|log| log["topics"][1] == json!(id)));
        let block = &of_campaign[0]["blockHash"];
        let of_block = logs(json!({ "blockHash": block }));
        assert!(of_block.contains(&of_campaign[0]) && of_block.iter().all(|log| log["blockHash"] == *block));
    }

    #[test]
    fn what_is_too_large_is_refused_as_nodes_do() {
        let whole = json!([{ "fromBlock": "0x0", "toBlock": "latest" }]);
        let results = node(NodeLimits { max_results: Some(10), ..NodeLimits::default() });
        let error = ask(&results, "eth_getLogs", whole.clone())["error"].clone();
        assert_eq!(error, json!({ "code": -32005, "message": "query returned more than 10 results" }));
        let span =
            node(NodeLimits { max_span: Some(2), refusal: RefusalStyle::InvalidParams, ..NodeLimits::default() });
        assert_eq!(ask(&span, "eth_getLogs", whole.clone())["error"]["code"], -32602);
        assert!(ask(&span, "eth_getLogs", json!([{ "fromBlock": "0x1", "toBlock": "0x2" }])).get("result").is_some());
        let proxy = node(NodeLimits { max_span: Some(2), refusal: RefusalStyle::TooLarge, ..NodeLimits::default() });
        let request = json!({ "id": 1, "method": "eth_getLogs", "params": whole }).to_string();
        assert_eq!(proxy.answer(request.as_bytes()), Err(StatusCode::PAYLOAD_TOO_LARGE));
    }

    #[test]
    fn batches_are_answered_in_order_and_unknown_methods_refused() {
        let node = node(NodeLimits::default());
        let batch = r#"[{"id":1,"method":"eth_chainId"},{"id":"b","method":"eth_mine"}]"#;
        let answer: Value = serde_json::from_str(&node.answer(batch.as_bytes()).unwrap()).unwrap();
        assert_eq!(answer[0], json!({ "jsonrpc": "2.0", "id": 1, "result": "0x7" }));
        assert_eq!((&answer[1]["id"], &answer[1]["error"]["code"]), (&json!("b"), &json!(-32601)));
        let broken: Value = serde_json::from_str(&node.answer(b"{").unwrap()).unwrap();
        assert_eq!(broken["error"]["code"], -32700);
    }
}
