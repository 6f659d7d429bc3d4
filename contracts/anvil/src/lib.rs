//! A local chain: anvil as a supervised child process, made durable.
//!
//! # What survives `kill -9`
//!
//! Anvil keeps its chain in memory. It can write it to a file when it ends (`--state`), which a `kill -9` prevents, or
//! at intervals (`--state-interval`), which loses seconds, and may leave a half-written file, because it writes in
//! place. With [`AnvilConfig::state_dir`] set, anvil therefore does not mine by itself. A task here mines for it, and
//! treats each block like a database transaction:
//!
//! 1. the block's transactions and its time go to a journal (written aside, then renamed);
//! 2. the block is mined: only now a receipt is visible;
//! 3. the whole chain (state, blocks, receipts) goes to the state file (written aside, then renamed).
//!
//! A restart loads the state file and, if the journal is for the block after it, mines that block again with the same
//! transactions at the same time. So a transaction with a visible receipt still exists after the restart, with its
//! logs, balances and nonces. The last block may have another hash (anvil chooses new randomness), and no other block
//! changes. Pending transactions are lost, as on any node: the sender sends them again. One gap is known: a transaction
//! that arrives between 1 and 2 is mined without being in the journal, and is lost if anvil is killed before 3 ends,
//! some milliseconds later.
//!
//! Anvil also ends with its parent, however that ends: a shell watches a pipe from the parent and kills anvil when the
//! pipe closes. So a supervisor that was killed finds port and state file free after its restart.

use std::{
    fs,
    io::{self, Read, Write},
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    sync::Once,
    time::{Duration, Instant, SystemTime},
};

use alloy::{
    eips::{BlockNumberOrTag, Encodable2718},
    network::EthereumWallet,
    primitives::{Bytes, U64},
    providers::{DynProvider, Provider, ProviderBuilder},
    signers::local::PrivateKeySigner,
    transports::{TransportError, http::reqwest},
};
use flate2::read::GzDecoder;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tempfile::{NamedTempFile, TempDir};
use tokio::{task::JoinHandle, time};

/// Time limit for anvil's first answer after its start.
const START_TIMEOUT: Duration = Duration::from_secs(30);
/// Interval of checks whether there is something to mine.
const MINE_INTERVAL: Duration = Duration::from_millis(20);
/// Time limit for mining a block and writing the chain. The whole chain is written, so the time grows with it: a chain
/// of 2,000 full blocks takes a tenth of a second.
const STEP_TIMEOUT: Duration = Duration::from_secs(60);
/// Delay after a block could not be mined.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);
/// Attempts to find a free port that no other process takes meanwhile.
const PORT_ATTEMPTS: usize = 5;

/// An HTTP client for a chain on this machine. Without an installed TLS provider, creating one panics.
fn http() -> reqwest::Client {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    reqwest::Client::builder().no_proxy().build().expect("a client without settings that can fail")
}

/// Settings of a local chain.
#[derive(Clone, Debug)]
pub struct AnvilConfig {
    /// Port on 127.0.0.1; 0 takes a free port.
    pub port: u16,
    /// Chain id.
    pub chain_id: u64,
    /// Number of accounts that start with ETH.
    pub accounts: u8,
    /// Initial balance of each account, in whole ETH.
    pub balance: u64,
    /// Interval at which a block is mined even if it is empty. Transactions are mined at once anyway.
    pub block_time: Option<Duration>,
    /// Directory in which the chain is stored, and from which it resumes. Without it, the chain is lost when anvil
    /// ends.
    pub state_dir: Option<PathBuf>,
    /// File for anvil's own output; discarded if `None`.
    pub log: Option<PathBuf>,
    /// Path of the program (default: `SONAR_ANVIL`, or else the one that npm installed in `contracts/node_modules`).
    pub binary: Option<PathBuf>,
}

impl Default for AnvilConfig {
    fn default() -> Self {
        Self {
            port: 0,
            chain_id: 31_337,
            accounts: 10,
            balance: 10_000,
            block_time: None,
            state_dir: None,
            log: None,
            binary: None,
        }
    }
}

/// Why the local chain failed.
#[derive(Debug, thiserror::Error)]
pub enum AnvilError {
    /// The program is missing.
    #[error(
        "anvil is not at {}: run `npm ci --ignore-scripts` in contracts/, or set SONAR_ANVIL to the program",
        .0.display()
    )]
    Missing(PathBuf),
    /// A file of the chain could not be read or written.
    #[error("cannot {what} {}: {source}", .path.display())]
    File {
        /// The attempted operation.
        what: &'static str,
        /// Path of the file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The program ended at its start.
    #[error("anvil ended at its start with {status}: {output}")]
    Ended {
        /// Exit status.
        status: ExitStatus,
        /// Last lines of its output.
        output: String,
    },
    /// The program did not answer in time.
    #[error("anvil did not answer on port {port} within {} seconds", START_TIMEOUT.as_secs())]
    Silent {
        /// Port of the RPC.
        port: u16,
    },
    /// The chain answered with an error.
    #[error("anvil failed to {what}: {source}")]
    Rpc {
        /// The attempted operation.
        what: &'static str,
        /// The cause.
        source: TransportError,
    },
}

type Result<T> = std::result::Result<T, AnvilError>;

/// A running chain. Dropping it kills it.
#[derive(Debug)]
pub struct Anvil {
    child: Child,
    // The watcher kills anvil when this closes.
    leash: Option<ChildStdin>,
    miner: Option<JoinHandle<()>>,
    port: u16,
    chain_id: u64,
    signers: Vec<PrivateKeySigner>,
    _scratch: TempDir,
}

impl Anvil {
    /// Starts the chain and waits until it answers.
    ///
    /// # Errors
    /// When it cannot be started, or does not answer.
    pub async fn spawn(config: AnvilConfig) -> Result<Self> {
        let mut attempt = 1;
        loop {
            match Self::start(&config).await {
                Err(AnvilError::Ended { .. }) if config.port == 0 && attempt < PORT_ATTEMPTS => attempt += 1,
                result => return result,
            }
        }
    }

    async fn start(config: &AnvilConfig) -> Result<Self> {
        let binary = locate(config.binary.as_deref())?;
        let port = if config.port == 0 { free_port()? } else { config.port };
        let store = config.state_dir.as_deref().map(ChainFiles::open).transpose()?;
        let scratch = TempDir::new().map_err(file("create a directory in", &std::env::temp_dir()))?;
        let accounts = scratch.path().join("accounts.json");
        let output = config.log.clone().unwrap_or_else(|| scratch.path().join("anvil.log"));

        let mut arguments: Vec<String> = [
            ("--port", port.to_string()),
            ("--chain-id", config.chain_id.to_string()),
            ("--accounts", config.accounts.to_string()),
            ("--balance", config.balance.to_string()),
            ("--config-out", accounts.display().to_string()),
        ]
        .into_iter()
        .flat_map(|(name, value)| [name.to_owned(), value])
        .collect();
        if config.log.is_none() {
            arguments.push("--quiet".to_owned());
        }
        match (&store, config.block_time) {
            (Some(_), _) => arguments.push("--no-mining".to_owned()),
            (None, Some(interval)) => arguments.extend([
                "--mixed-mining".to_owned(),
                "--block-time".to_owned(),
                interval.as_secs_f64().to_string(),
            ]),
            (None, None) => {}
        }
        if let Some(state) = store.as_ref().map(ChainFiles::unpacked).transpose()?.flatten() {
            arguments.extend(["--load-state".to_owned(), state.display().to_string()]);
        }

        let mut child = leashed(&binary, &arguments, &output)?;
        let leash = child.stdin.take();
        let mut anvil =
            Self { child, leash, miner: None, port, chain_id: config.chain_id, signers: Vec::new(), _scratch: scratch };
        anvil.signers = anvil.wait_until_ready(&accounts, &output).await?;
        if let Some(store) = store {
            let miner = Miner { provider: anvil.provider(), store, block_time: config.block_time };
            let head = miner.recover().await?;
            anvil.miner = Some(tokio::spawn(miner.run(head)));
        }
        Ok(anvil)
    }

    /// Waits until the chain answers and has written its accounts, which it writes asynchronously and in place.
    async fn wait_until_ready(&mut self, accounts: &Path, output: &Path) -> Result<Vec<PrivateKeySigner>> {
        let provider = self.provider();
        let end = Instant::now() + START_TIMEOUT;
        while Instant::now() < end {
            if let Some(status) = self.try_wait() {
                return Err(AnvilError::Ended { status, output: tail(output) });
            }
            if provider.get_chain_id().await.is_ok_and(|id| id == self.chain_id)
                && let Ok(signers) = read_signers(accounts)
            {
                return Ok(signers);
            }
            time::sleep(MINE_INTERVAL).await;
        }
        Err(AnvilError::Silent { port: self.port })
    }

    /// URL of the chain's RPC.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Port of the chain's RPC.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Chain id.
    #[must_use]
    pub fn chain_id(&self) -> u64 {
        self.chain_id
    }

    /// Keys of the accounts that start with ETH. They are anvil's public test keys, and must not be used anywhere else.
    #[must_use]
    pub fn signers(&self) -> &[PrivateKeySigner] {
        &self.signers
    }

    /// A client without an account.
    #[must_use]
    pub fn provider(&self) -> DynProvider {
        ProviderBuilder::new().connect_reqwest(http(), self.url()).erased()
    }

    /// A client that sends from one account.
    #[must_use]
    pub fn provider_as(&self, signer: PrivateKeySigner) -> DynProvider {
        ProviderBuilder::new().wallet(EthereumWallet::from(signer)).connect_reqwest(http(), self.url()).erased()
    }

    fn url(&self) -> alloy::transports::http::reqwest::Url {
        self.endpoint().parse().expect("an address with a port is a URL")
    }

    /// Kills the process without warning, as a power cut would, and waits until it has ended.
    ///
    /// # Errors
    /// When the operating system refuses.
    pub fn kill9(&mut self) -> std::io::Result<()> {
        self.child.kill()?;
        self.child.wait().map(drop)
    }

    /// Exit status of the process, if it has ended.
    pub fn try_wait(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }
}

impl Drop for Anvil {
    fn drop(&mut self) {
        if let Some(miner) = self.miner.take() {
            miner.abort();
        }
        // Both fail only if it has already ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(mut leash) = self.leash.take() {
            // A line, and not only the end of the pipe, tells the watcher that it need not kill anvil.
            let _ = leash.write_all(b"\n");
        }
    }
}

/// Path of the program.
fn locate(given: Option<&Path>) -> Result<PathBuf> {
    let path = given.map(Path::to_path_buf).or_else(|| std::env::var_os("SONAR_ANVIL").map(PathBuf::from));
    let path = path.unwrap_or_else(|| {
        let system = if cfg!(target_os = "macos") { "darwin" } else { std::env::consts::OS };
        let machine = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            other => other,
        };
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../node_modules/@foundry-rs")
            .join(format!("anvil-{system}-{machine}"))
            .join("bin/anvil")
    });
    if path.is_file() { Ok(path) } else { Err(AnvilError::Missing(path)) }
}

/// A port that was free a moment ago.
fn free_port() -> Result<u16> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(file("find a free port on", Path::new("127.0.0.1")))
}

/// Starts a program that is killed when our end of its watcher's pipe closes. The shell becomes the program, so the
/// child's process id is the program's.
fn leashed(binary: &Path, arguments: &[String], output: &Path) -> Result<Child> {
    const LEASH: &str = r#"exec 3<&0; (read -r _ <&3 || kill -9 $$) & exec "$0" "$@" 3<&- </dev/null"#;
    let log = fs::File::create(output).map_err(file("write", output))?;
    let log_too = log.try_clone().map_err(file("write", output))?;
    Command::new("sh")
        .args(["-c", LEASH])
        .arg(binary)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(log)
        .stderr(log_too)
        .spawn()
        .map_err(file("start", binary))
}

fn file(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> AnvilError {
    let path = path.to_path_buf();
    move |source| AnvilError::File { what, path, source }
}

fn rpc(what: &'static str) -> impl FnOnce(TransportError) -> AnvilError {
    move |source| AnvilError::Rpc { what, source }
}

/// Reads the last lines of the program's output.
fn tail(path: &Path) -> String {
    const SHOWN: usize = 2_000;
    let text = fs::read(path).unwrap_or_default();
    String::from_utf8_lossy(&text[text.len().saturating_sub(SHOWN)..]).trim().to_owned()
}

fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let text = fs::read(path).map_err(file("read", path))?;
    serde_json::from_slice(&text).map_err(|error| file("understand", path)(error.into()))
}

fn read_signers(path: &Path) -> Result<Vec<PrivateKeySigner>> {
    #[derive(Deserialize)]
    struct Accounts {
        private_keys: Vec<PrivateKey>,
    }
    #[derive(Deserialize)]
    struct PrivateKey(alloy::primitives::B256);

    let accounts: Accounts = read_json(path)?;
    let signer = |key: &PrivateKey| {
        PrivateKeySigner::from_bytes(&key.0).map_err(|error| file("understand", path)(io::Error::other(error)))
    };
    accounts.private_keys.iter().map(signer).collect()
}

/// The journal: the block that is about to be mined.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Journal {
    number: u64,
    timestamp: u64,
    transactions: Vec<Bytes>,
}

/// The chain's files.
#[derive(Debug)]
struct ChainFiles {
    directory: PathBuf,
}

impl ChainFiles {
    fn open(directory: &Path) -> Result<Self> {
        fs::create_dir_all(directory).map_err(file("make", directory))?;
        Ok(Self { directory: directory.to_path_buf() })
    }

    fn state(&self) -> PathBuf {
        self.directory.join("chain.json.gz")
    }

    fn journal(&self) -> PathBuf {
        self.directory.join("journal.json")
    }

    /// Path of the state that anvil loads, if there is one.
    fn unpacked(&self) -> Result<Option<PathBuf>> {
        let packed = self.state();
        if !packed.exists() {
            return Ok(None);
        }
        let source = fs::File::open(&packed).map_err(file("read", &packed))?;
        let mut text = Vec::new();
        GzDecoder::new(source).read_to_end(&mut text).map_err(file("unpack", &packed))?;
        let target = self.directory.join("chain.json");
        self.replace(&target, &text)?;
        Ok(Some(target))
    }

    fn read_journal(&self) -> Result<Option<Journal>> {
        let path = self.journal();
        if path.exists() { read_json(&path).map(Some) } else { Ok(None) }
    }

    fn write_journal(&self, journal: &Journal) -> Result<()> {
        let text = serde_json::to_vec(journal).map_err(|error| file("write", &self.journal())(error.into()))?;
        self.replace(&self.journal(), &text)
    }

    /// Replaces a file: readers see the old or the new content.
    fn replace(&self, path: &Path, content: &[u8]) -> Result<()> {
        let mut aside = NamedTempFile::new_in(&self.directory).map_err(file("write in", &self.directory))?;
        aside.write_all(content).map_err(file("write", path))?;
        aside.persist(path).map_err(|error| file("write", path)(error.error))?;
        Ok(())
    }
}

/// The miner, which mines instead of anvil, so that no receipt is visible that could be lost.
#[derive(Debug)]
struct Miner {
    provider: DynProvider,
    store: ChainFiles,
    block_time: Option<Duration>,
}

impl Miner {
    /// Mines the block again that is in the journal but not in the state. Returns the number of the last block.
    async fn recover(&self) -> Result<u64> {
        let head = self.provider.get_block_number().await.map_err(rpc("return its last block"))?;
        if let Some(journal) = self.store.read_journal()?.filter(|journal| journal.number == head + 1) {
            for transaction in &journal.transactions {
                let sent = self.provider.send_raw_transaction(transaction).await;
                let _receipt_comes_with_the_block = sent.map_err(rpc("accept a transaction again"))?;
            }
            // After its start, anvil gives the last block the current time, but this block was mined earlier.
            self.set_clock(journal.timestamp - 1).await?;
            let head = self.mine(journal.number, journal.timestamp).await?;
            let now = SystemTime::UNIX_EPOCH.elapsed().map_or(0, |time| time.as_secs());
            self.set_clock(now.max(journal.timestamp)).await?;
            return Ok(head);
        }
        self.save().await?;
        Ok(head)
    }

    async fn set_clock(&self, timestamp: u64) -> Result<()> {
        let set = self.provider.raw_request("evm_setTime".into(), (U64::from(timestamp),));
        let _: serde_json::Value = set.await.map_err(rpc("set its clock"))?;
        Ok(())
    }

    /// Mines until anvil or its owner ends.
    async fn run(self, mut head: u64) {
        let mut ticks = time::interval(MINE_INTERVAL);
        ticks.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
        let mut mined = Instant::now();
        loop {
            ticks.tick().await;
            let due = self.block_time.is_some_and(|interval| mined.elapsed() >= interval);
            let error = match time::timeout(STEP_TIMEOUT, self.step(head, due)).await {
                Ok(Ok(now)) => {
                    if now != head {
                        (head, mined) = (now, Instant::now());
                    }
                    continue;
                }
                Ok(Err(error)) => error.to_string(),
                Err(_) => "anvil does not answer".to_owned(),
            };
            // If anvil was killed or the disk is full, nothing is mined, so nothing is lost.
            tracing::warn!("the local chain cannot mine: {error}");
            time::sleep(RETRY_INTERVAL).await;
        }
    }

    /// Mines one block if there are transactions, or if a block is due. Returns the number of the last block.
    async fn step(&self, head: u64, due: bool) -> Result<u64> {
        // A user may have told anvil to mine a block.
        let last = self.provider.get_block_number().await.map_err(rpc("return its last block"))?;
        if last != head {
            self.save().await?;
            return Ok(last);
        }
        if !due && !self.has_pending().await? {
            return Ok(head);
        }
        let block = self.provider.get_block_by_number(BlockNumberOrTag::Pending).full().await;
        let Some(block) = block.map_err(rpc("return its pending block"))? else {
            return Ok(head);
        };
        let transactions = block.transactions.txns().map(|tx| tx.inner.encoded_2718().into()).collect();
        let journal = Journal { number: head + 1, timestamp: block.header.timestamp, transactions };
        self.store.write_journal(&journal)?;
        self.mine(journal.number, journal.timestamp).await
    }

    async fn has_pending(&self) -> Result<bool> {
        #[derive(Debug, Deserialize)]
        struct Pool {
            pending: U64,
        }
        let pool: Pool =
            self.provider.raw_request("txpool_status".into(), ()).await.map_err(rpc("return its transactions"))?;
        Ok(!pool.pending.is_zero())
    }

    async fn mine(&self, number: u64, timestamp: u64) -> Result<u64> {
        let _: serde_json::Value = self
            .provider
            .raw_request("evm_setNextBlockTimestamp".into(), (U64::from(timestamp),))
            .await
            .map_err(rpc("set the time of a block"))?;
        let _: serde_json::Value = self.provider.raw_request("evm_mine".into(), ()).await.map_err(rpc("mine"))?;
        self.save().await?;
        Ok(number)
    }

    async fn save(&self) -> Result<()> {
        let state: Bytes =
            self.provider.raw_request("anvil_dumpState".into(), ()).await.map_err(rpc("return its state"))?;
        self.store.replace(&self.store.state(), &state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(child: &mut Child) -> ExitStatus {
        let end = Instant::now() + Duration::from_secs(20);
        while Instant::now() < end {
            if let Some(status) = child.try_wait().unwrap() {
                return status;
            }
            std::thread::yield_now();
        }
        panic!("it still runs");
    }

    #[test]
    fn a_program_dies_when_its_leash_is_let_go() {
        let output = NamedTempFile::new().unwrap();
        let mut child = leashed(Path::new("sleep"), &["600".to_owned()], output.path()).unwrap();
        assert!(child.try_wait().unwrap().is_none());
        drop(child.stdin.take());
        assert!(!ended(&mut child).success());
    }

    /// The block that was being mined when the chain was killed keeps its time, however late the chain restarts;
    /// afterwards the chain's clock is right again.
    #[tokio::test]
    async fn an_interrupted_block_keeps_its_time() {
        let directory = TempDir::new().unwrap();
        let config = AnvilConfig { state_dir: Some(directory.path().to_owned()), ..AnvilConfig::default() };
        let last = async |anvil: &Anvil| {
            let block = anvil.provider().get_block_by_number(BlockNumberOrTag::Latest).await.unwrap().unwrap();
            (block.header.number, block.header.timestamp)
        };
        let anvil = Anvil::spawn(config.clone()).await.unwrap();
        let (number, timestamp) = last(&anvil).await;
        drop(anvil);
        let journal = Journal { number: number + 1, timestamp: timestamp + 1, transactions: vec![] };
        ChainFiles::open(directory.path()).unwrap().write_journal(&journal).unwrap();
        let now = || SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
        while now() <= timestamp + 2 {
            time::sleep(Duration::from_millis(50)).await;
        }
        let anvil = Anvil::spawn(config).await.unwrap();
        assert_eq!(last(&anvil).await, (number + 1, timestamp + 1));
        let begin = now();
        let _: serde_json::Value = anvil.provider().raw_request("evm_mine".into(), ()).await.unwrap();
        assert!(last(&anvil).await.1 >= begin);
    }

    #[test]
    fn a_journal_survives_its_file() {
        let directory = TempDir::new().unwrap();
        let store = ChainFiles::open(directory.path()).unwrap();
        assert_eq!(store.read_journal().unwrap(), None);
        let journal = Journal { number: 7, timestamp: 9, transactions: vec![Bytes::from_static(b"raw")] };
        store.write_journal(&journal).unwrap();
        assert_eq!(store.read_journal().unwrap(), Some(journal));
        fs::write(store.journal(), "half a fi").unwrap();
        assert!(store.read_journal().unwrap_err().to_string().contains("journal.json"));
    }
}
