//! Artefacts by content: an embedded IPFS node that talks to the peers it is told of and to nobody else.
//!
//! No discovery of any kind (no DHT, mDNS or bootstrap peers): everyone dials Sonar's node, which fetches and keeps what is live.
//! An artefact is stored as UnixFS in 256 KiB chunks under CIDv1, dag-pb, SHA-256, so that the digest of its root block is all
//! that the chain has to remember.

use crate::files::{self, Access, FileError};
use futures::{StreamExt, TryStreamExt};
use rust_ipfs::{
    Ipfs, IpfsPath, Keypair, PinMode, Protocol,
    unixfs::{TraversalFailed, UnixfsStatus},
};
pub use rust_ipfs::{Multiaddr, PeerId};
use sonar_protocol::ids::Digest;
use sonar_swarm::{Blocks, Swarm};
use std::{
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep_until, timeout_at},
};

/// How often a missing connection to a configured peer is tried again.
const RECONNECT: Duration = Duration::from_millis(500);
/// How long the first attempt to fetch lasts before its wants are sent afresh; each further one lasts twice as long, up to the
/// longest, in which a chunk must come through.
const FIRST_ATTEMPT: Duration = Duration::from_millis(250);
const LONGEST_ATTEMPT: Duration = Duration::from_secs(16);
/// How long a connection may take.
const DIAL: Duration = Duration::from_secs(4);
/// How long a locked repository is waited for, and how often it is tried.
const LOCK_WAIT: Duration = Duration::from_secs(5);
const LOCK_RETRY: Duration = Duration::from_millis(50);
/// Bytes of a stored identity, at most.
const IDENTITY_LIMIT: u64 = 4096;

/// What went wrong with IPFS.
#[derive(Debug, thiserror::Error)]
pub enum IpfsError {
    /// The node could not start.
    #[error("the IPFS node in {} cannot start: {reason}; is another process using it?", repo.display())]
    Start {
        /// Where it keeps its blocks.
        repo: PathBuf,
        /// What the library said.
        reason: String,
    },
    /// The file with the node's identity.
    #[error(transparent)]
    File(#[from] FileError),
    /// Nobody had it in time.
    #[error("artefact {digest} could not be fetched within {} s from any of {peers} connected peers", waited.as_secs())]
    NotFound {
        /// The artefact.
        digest: Digest,
        /// How long it was tried.
        waited: Duration,
        /// Connected peers at the end.
        peers: usize,
    },
    /// It is larger than what was asked for can be.
    #[error("artefact {digest} is larger than {limit} bytes and was not read further")]
    TooLarge {
        /// The artefact.
        digest: Digest,
        /// The limit.
        limit: usize,
    },
    /// The blocks do not form a file.
    #[error("artefact {digest} is not a file: {reason}")]
    Malformed {
        /// The artefact.
        digest: Digest,
        /// What is wrong.
        reason: String,
    },
    /// A peer's address without the peer's identity.
    #[error("`{0}` does not end in /p2p/<peer id>")]
    Address(Multiaddr),
    /// Any other refusal of the node.
    #[error("the IPFS node cannot {action}: {reason}")]
    Node {
        /// What was tried.
        action: &'static str,
        /// What the library said.
        reason: String,
    },
}

fn node_error<E: std::fmt::Display>(action: &'static str) -> impl FnOnce(E) -> IpfsError {
    move |error| IpfsError::Node { action, reason: error.to_string() }
}

/// What a node is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Others dial it: it has the same peer id at every start, and removes now and then what it did not pin.
    Hub,
    /// It dials out, under a new peer id for every connection: nobody can follow it, and the library never again exchanges blocks
    /// with a peer that it once lost (`pollable-map` 0.1.7 keeps the key of what was removed).
    Client,
}

/// Where a node keeps its blocks, where it listens, and whom it dials.
#[derive(Clone, Debug)]
pub struct NodeConfig {
    /// What it is for.
    pub role: Role,
    /// Directory of blocks, pins and identity.
    pub repo: PathBuf,
    /// Address to listen on; port 0 takes any free one.
    pub listen: Multiaddr,
    /// Peers to stay connected with, each ending in `/p2p/<peer id>`.
    pub peers: Vec<Multiaddr>,
}

impl NodeConfig {
    /// A node that others dial.
    #[must_use]
    pub fn hub(repo: PathBuf, listen: Multiaddr) -> Self {
        Self { role: Role::Hub, repo, listen, peers: Vec::new() }
    }

    /// A node that dials these peers; it listens on the loopback interface only.
    #[must_use]
    pub fn client(repo: PathBuf, peers: Vec<Multiaddr>) -> Self {
        Self { role: Role::Client, repo, listen: loopback(), peers }
    }
}

/// Any free port of the loopback interface.
#[must_use]
pub fn loopback() -> Multiaddr {
    "/ip4/127.0.0.1/tcp/0".parse().expect("a constant address")
}

/// An embedded IPFS node.
pub struct Node {
    current: Arc<Current>,
    addresses: Vec<Multiaddr>,
    link: Option<JoinHandle<()>>,
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Node").field("addresses", &self.addresses).finish_non_exhaustive()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.link.iter().for_each(JoinHandle::abort);
    }
}

impl Node {
    /// Opens the repository, listens, and keeps connections to the configured peers for as long as the node lives.
    ///
    /// # Errors
    /// If the repository is in use or unreadable, or an address is unusable. Peers that cannot be reached are no error: they
    /// are tried again and again.
    pub async fn start(config: NodeConfig) -> Result<Self, IpfsError> {
        files::private_directory(&config.repo)?;
        let blocks = config.repo.join("blocks");
        files::private_directory(&blocks)?;
        let keypair = match config.role {
            Role::Hub => identity(&config.repo.join("identity"))?,
            Role::Client => Keypair::generate_ed25519(),
        };
        let peers = config.peers.iter().map(peer_of).collect::<Result<Vec<_>, _>>()?;
        let suffix = Protocol::P2p(keypair.public().to_peer_id());
        let swarm =
            Swarm { keypair, blocks: Blocks::new_fs(blocks), listen: config.listen, cleanup: config.role == Role::Hub };
        let ipfs = open(&swarm).await.map_err(|reason| IpfsError::Start { repo: config.repo, reason })?;
        let addresses = listening(&ipfs).await?.into_iter().map(|address| address.with(suffix.clone())).collect();
        let current = Arc::new(Current(RwLock::new(ipfs)));
        let link = (!peers.is_empty()).then(|| tokio::spawn(keep_linked(current.clone(), swarm, peers)));
        Ok(Self { current, addresses, link })
    }

    /// Where others can dial this node, each ending in `/p2p/<peer id>`.
    #[must_use]
    pub fn addresses(&self) -> &[Multiaddr] {
        &self.addresses
    }

    /// Connects to one more peer now.
    ///
    /// # Errors
    /// If the peer cannot be reached.
    pub async fn connect(&self, address: &Multiaddr) -> Result<(), IpfsError> {
        peer_of(address)?;
        dial(&self.current.get(), address).await.map_err(node_error("connect"))
    }

    /// How many peers are connected.
    pub async fn peers(&self) -> usize {
        self.current.get().connected().await.map_or(0, |peers| peers.len())
    }

    /// Stores and pins an artefact. The same bytes always have the same digest.
    ///
    /// # Errors
    /// If the repository cannot be written.
    pub async fn add(&self, bytes: Vec<u8>) -> Result<Digest, IpfsError> {
        let whole = futures::stream::iter([Ok::<_, std::io::Error>(bytes)]).boxed();
        let mut status = self.current.get().add_unixfs(whole).raw_leaves(false).pin(true);
        while let Some(status) = status.next().await {
            match status {
                UnixfsStatus::CompletedStatus { path, .. } => return digest_of(&path),
                UnixfsStatus::FailedStatus { error, .. } => {
                    return Err(node_error("store an artefact")(error));
                }
                UnixfsStatus::ProgressStatus { .. } => {}
            }
        }
        Err(node_error("store an artefact")("it ended without a result"))
    }

    /// Fetches an artefact of at most `max_bytes`, from here or from any connected peer, waiting for one to have it.
    ///
    /// # Errors
    /// If nobody has it within `timeout`, if it is too large, or if it is not a file. Blocks that do not hash to their name never
    /// get this far.
    pub async fn get(&self, digest: Digest, max_bytes: usize, timeout: Duration) -> Result<Vec<u8>, IpfsError> {
        let deadline = Instant::now() + timeout;
        let mut patience = FIRST_ATTEMPT;
        loop {
            let attempt = deadline.min(Instant::now() + patience);
            let read = self.read(digest, max_bytes, patience);
            patience = (patience * 2).min(LONGEST_ATTEMPT);
            if let Ok(done) = timeout_at(attempt, read).await {
                match done {
                    Err(Incomplete::Missing) if Instant::now() < deadline => {
                        sleep_until(deadline.min(Instant::now() + RECONNECT)).await;
                        continue;
                    }
                    Err(Incomplete::Missing) => {}
                    Err(Incomplete::Refused(error)) => return Err(error),
                    Ok(bytes) => return Ok(bytes),
                }
            }
            if Instant::now() >= deadline {
                return Err(IpfsError::NotFound { digest, waited: timeout, peers: self.peers().await });
            }
        }
    }

    async fn read(&self, digest: Digest, limit: usize, patience: Duration) -> Result<Vec<u8>, Incomplete> {
        let mut chunks =
            self.current.get().cat_unixfs(IpfsPath::from(digest.to_cid())).set_max_length(limit).timeout(patience);
        let mut bytes = Vec::new();
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|error| Incomplete::from_walk(digest, limit, error))?;
            if bytes.len() + chunk.len() > limit {
                return Err(Incomplete::Refused(IpfsError::TooLarge { digest, limit }));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }

    /// Keeps an artefact that is here, with all its chunks. Doing it twice is as good as once.
    ///
    /// # Errors
    /// If it is not all here.
    pub async fn pin(&self, digest: Digest) -> Result<(), IpfsError> {
        if self.is_pinned(digest).await? {
            return Ok(());
        }
        self.current.get().insert_pin(digest.to_cid()).recursive().local().await.map_err(node_error("pin an artefact"))
    }

    /// Lets go of an artefact; what is not pinned is no error.
    ///
    /// # Errors
    /// If the repository cannot be written.
    pub async fn unpin(&self, digest: Digest) -> Result<(), IpfsError> {
        if !self.is_pinned(digest).await? {
            return Ok(());
        }
        self.current.get().remove_pin(digest.to_cid()).recursive().await.map_err(node_error("unpin an artefact"))
    }

    /// Whether an artefact's root is pinned here.
    ///
    /// # Errors
    /// If the repository cannot be read.
    pub async fn is_pinned(&self, digest: Digest) -> Result<bool, IpfsError> {
        self.current.get().is_pinned(digest.to_cid()).await.map_err(node_error("read its pins"))
    }

    /// All artefacts pinned here.
    ///
    /// # Errors
    /// If the repository cannot be read.
    pub async fn pins(&self) -> Result<Vec<Digest>, IpfsError> {
        let pins = self.current.get().list_pins(Some(PinMode::Recursive)).await;
        let pins: Vec<_> = pins.try_collect().await.map_err(node_error("read its pins"))?;
        Ok(pins.iter().filter_map(|(cid, _)| Digest::from_cid(cid)).collect())
    }

    /// Stops the node and releases its repository.
    pub async fn shutdown(self) {
        self.link.iter().for_each(JoinHandle::abort);
        self.current.get().exit_daemon().await;
    }
}

/// The library's node, which is replaced when a connection was lost.
struct Current(RwLock<Ipfs>);

impl Current {
    fn get(&self) -> Ipfs {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, ipfs: Ipfs) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = ipfs;
    }
}

/// Why an artefact could not be read in one attempt.
enum Incomplete {
    /// Not all here yet.
    Missing,
    /// It never will be.
    Refused(IpfsError),
}

impl Incomplete {
    fn from_walk(digest: Digest, limit: usize, error: TraversalFailed) -> Self {
        match error {
            TraversalFailed::MaxLengthExceeded { .. } => Self::Refused(IpfsError::TooLarge { digest, limit }),
            TraversalFailed::Walking(..) | TraversalFailed::Path(_) => {
                Self::Refused(IpfsError::Malformed { digest, reason: error.to_string() })
            }
            _ => Self::Missing,
        }
    }
}

/// The node's key: it decides its peer id, so it is kept.
fn identity(path: &Path) -> Result<Keypair, IpfsError> {
    if path.exists() {
        let bytes = files::read_limited(path, IDENTITY_LIMIT)?;
        return Keypair::from_protobuf_encoding(&bytes).map_err(node_error("read its identity"));
    }
    let keypair = Keypair::generate_ed25519();
    let bytes = keypair.to_protobuf_encoding().map_err(node_error("write its identity"))?;
    files::write_atomic(path, &bytes, Access::Private)?;
    Ok(keypair)
}

fn peer_of(address: &Multiaddr) -> Result<(PeerId, Multiaddr), IpfsError> {
    match address.iter().last() {
        Some(Protocol::P2p(peer)) => Ok((peer, address.clone())),
        _ => Err(IpfsError::Address(address.clone())),
    }
}

/// Starts the library's node. A repository that another process has just let go of may be locked for a moment longer.
async fn open(swarm: &Swarm) -> Result<Ipfs, String> {
    let deadline = Instant::now() + LOCK_WAIT;
    loop {
        match swarm.clone().start().await.unwrap_or_else(|stopped| Err(stopped.to_string())) {
            Err(_) if Instant::now() < deadline => sleep_until(Instant::now() + LOCK_RETRY).await,
            done => return done,
        }
    }
}

/// The addresses that the node listens on: known a moment after it starts.
async fn listening(ipfs: &Ipfs) -> Result<Vec<Multiaddr>, IpfsError> {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let addresses = ipfs.listening_addresses().await.map_err(node_error("listen"))?;
        if !addresses.is_empty() {
            return Ok(addresses);
        }
        if Instant::now() >= deadline {
            return Err(node_error("listen")("no address after 10 s"));
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Dials peers that are not connected. Once a connection is lost, the node goes on as somebody else.
async fn keep_linked(current: Arc<Current>, mut swarm: Swarm, peers: Vec<(PeerId, Multiaddr)>) {
    let mut linked = vec![false; peers.len()];
    loop {
        for (index, (peer, address)) in peers.iter().enumerate() {
            let ipfs = current.get();
            if ipfs.is_connected(*peer).await.unwrap_or(false) {
                continue;
            }
            if linked[index] {
                tracing::debug!(%peer, "the connection to an IPFS peer was lost");
                linked.fill(false);
                if let Err(reason) = renew(&current, &mut swarm).await {
                    tracing::warn!(reason, "the IPFS node cannot start anew, trying again");
                    linked[index] = true;
                }
                break;
            }
            match dial(&ipfs, address).await {
                Ok(()) => linked[index] = true,
                Err(error) => tracing::debug!(%peer, error, "an IPFS peer is not reachable, trying again"),
            }
        }
        sleep_until(Instant::now() + RECONNECT).await;
    }
}

async fn renew(current: &Current, swarm: &mut Swarm) -> Result<(), String> {
    current.get().exit_daemon().await;
    swarm.keypair = Keypair::generate_ed25519();
    current.set(open(swarm).await?);
    Ok(())
}

async fn dial(ipfs: &Ipfs, address: &Multiaddr) -> Result<(), String> {
    let dialled = timeout_at(Instant::now() + DIAL, ipfs.connect(address.clone())).await;
    dialled.map_err(|_| "no answer".to_owned())?.map(|_| ()).map_err(|error| error.to_string())
}

fn digest_of(path: &IpfsPath) -> Result<Digest, IpfsError> {
    path.root()
        .cid()
        .and_then(Digest::from_cid)
        .ok_or_else(|| node_error("name an artefact")(format!("{path} is not a SHA-256 dag-pb root")))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn node(directory: &Path, name: &str, peers: &[Multiaddr]) -> Node {
        Node::start(NodeConfig::client(directory.join(name), peers.to_vec())).await.unwrap()
    }

    async fn hub(repo: &Path) -> Node {
        Node::start(NodeConfig::hub(repo.into(), loopback())).await.unwrap()
    }

    fn bytes(len: usize) -> Vec<u8> {
        (0..len).map(|i| (i * 31 % 251) as u8).collect()
    }

    const WAIT: Duration = Duration::from_secs(30);

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn artefacts_travel_through_the_hub_even_when_wanted_before_they_exist() {
        let directory = tempfile::tempdir().unwrap();
        let hub = node(directory.path(), "hub", &[]).await;
        let (maker, taker) = tokio::join!(
            node(directory.path(), "maker", hub.addresses()),
            node(directory.path(), "taker", hub.addresses()),
        );
        for len in [0, 1, 200_000, 1_200_000] {
            let content = bytes(len);
            let lonely = node(directory.path(), &format!("lonely{len}"), &[]).await;
            let expected = lonely.add(content.clone()).await.unwrap();
            // The taker and the hub ask before the maker has it.
            let added = async {
                sleep_until(Instant::now() + Duration::from_millis(200)).await;
                maker.add(content.clone()).await.unwrap()
            };
            let relay = async {
                let got = hub.get(expected, len, WAIT).await.unwrap();
                hub.pin(expected).await.unwrap();
                got
            };
            let (digest, relayed, got) = tokio::join!(added, relay, taker.get(expected, len, WAIT));
            assert_eq!((digest, relayed == content, got.unwrap() == content), (expected, true, true));
            assert!(hub.pins().await.unwrap().contains(&expected));
            hub.unpin(expected).await.unwrap();
            hub.unpin(expected).await.unwrap();
            assert!(!hub.is_pinned(expected).await.unwrap());
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn size_limits_and_deadlines_are_kept() {
        let directory = tempfile::tempdir().unwrap();
        let alone = node(directory.path(), "alone", &[]).await;
        let digest = alone.add(bytes(600_000)).await.unwrap();
        let error = alone.get(digest, 599_999, WAIT).await.unwrap_err();
        assert!(matches!(error, IpfsError::TooLarge { limit: 599_999, .. }), "{error}");
        let error = alone.get(Digest([9; 32]), 10, Duration::from_millis(300)).await.unwrap_err();
        assert!(matches!(error, IpfsError::NotFound { peers: 0, .. }), "{error}");
        let bare: Multiaddr = "/ip4/127.0.0.1/tcp/1".parse().unwrap();
        assert!(matches!(alone.connect(&bare).await, Err(IpfsError::Address(_))));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_repository_outlives_its_node_and_a_hub_keeps_its_name() {
        let directory = tempfile::tempdir().unwrap();
        let first = hub(directory.path()).await;
        let (content, address) = (bytes(300_000), first.addresses()[0].clone());
        let digest = first.add(content.clone()).await.unwrap();
        first.shutdown().await;
        let second = hub(directory.path()).await;
        assert_eq!(second.addresses()[0].iter().last(), address.iter().last(), "the identity stays");
        assert_eq!(second.get(digest, content.len(), WAIT).await.unwrap(), content);
        assert_eq!(second.pins().await.unwrap(), [digest]);
        second.shutdown().await;
        let client = node(directory.path(), "", &[]).await;
        assert_ne!(client.addresses()[0].iter().last(), address.iter().last(), "a client is somebody new each time");
    }

    const CHILD_REPO: &str = "SONAR_TEST_IPFS_REPO";
    const CHILD_LISTEN: &str = "SONAR_TEST_IPFS_LISTEN";

    /// The other half of the tests below: a hub that does what standard input says, until it is killed.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    #[ignore = "runs in a process of its own, to be killed"]
    async fn a_hub_in_a_process() {
        let Some(repo) = std::env::var_os(CHILD_REPO) else { return };
        let listen = std::env::var(CHILD_LISTEN).unwrap().parse().unwrap();
        let node = Node::start(NodeConfig::hub(repo.into(), listen)).await.unwrap();
        println!("\n=started {}", node.addresses()[0]);
        for line in std::io::stdin().lines() {
            let line = line.unwrap();
            match line.split_once(' ').unwrap() {
                ("add", index) => println!("\n=added {}", node.add(artefact(index.parse().unwrap())).await.unwrap()),
                (_, digest) => {
                    let got = node.get(digest.parse().unwrap(), 1 << 20, WAIT).await;
                    println!("\n=fetched {}", got.map_or_else(|error| error.to_string(), |_| digest.into()));
                }
            }
        }
    }

    /// A hub in a process of its own.
    struct Hub {
        child: std::process::Child,
        answers: Box<dyn Iterator<Item = String>>,
        address: Multiaddr,
    }

    impl Hub {
        fn start(repo: &Path, listen: &Multiaddr) -> Self {
            use std::{io::BufRead, process::Stdio};
            let mut child = std::process::Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "ipfs::tests::a_hub_in_a_process", "--ignored", "--nocapture"])
                .env(CHILD_REPO, repo)
                .env(CHILD_LISTEN, listen.to_string())
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            let lines = std::io::BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
            let mut answers = lines.filter_map(|line| Some(line.strip_prefix('=')?.split_once(' ')?.1.to_owned()));
            let address = answers.next().expect("it starts").parse().unwrap();
            Self { child, answers: Box::new(answers), address }
        }

        fn say(&mut self, line: &str) {
            use std::io::Write;
            writeln!(self.child.stdin.as_mut().unwrap(), "{line}").unwrap();
        }

        fn ask(&mut self, line: &str) -> String {
            self.say(line);
            self.answers.next().unwrap_or_else(|| panic!("no answer to `{line}`"))
        }

        fn kill(mut self) {
            self.child.kill().unwrap();
            self.child.wait().unwrap();
        }
    }

    fn artefact(index: usize) -> Vec<u8> {
        bytes(400_000 + index)
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_killed_hub_is_found_again_and_a_killed_client_too() {
        let directory = tempfile::tempdir().unwrap();
        let mut hub = Hub::start(directory.path(), &loopback());
        let listen: Multiaddr = hub.address.iter().take(2).collect();
        let first = node(directory.path(), "first", std::slice::from_ref(&hub.address)).await;
        for round in 0..3 {
            let digest = first.add(artefact(round)).await.unwrap();
            assert_eq!(hub.ask(&format!("get {digest}")), digest.to_string(), "the {round}th of who was there before");
            let address = hub.address.clone();
            hub.kill();
            hub = Hub::start(directory.path(), &listen);
            assert_eq!(hub.address, address, "one identity");
            // Somebody restarts at the same time, in the same repository.
            let second = node(directory.path(), "second", &[address]).await;
            assert_eq!(second.get(digest, 1 << 20, WAIT).await.unwrap(), artefact(round));
            let digest = second.add(artefact(10 + round)).await.unwrap();
            assert_eq!(hub.ask(&format!("get {digest}")), digest.to_string(), "the {round}th of who restarts");
            second.shutdown().await;
        }
        hub.kill();
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_killed_node_keeps_all_that_it_said_it_stored() {
        let directory = tempfile::tempdir().unwrap();
        for count in [0, 1, 2, 5] {
            let mut child = Hub::start(directory.path(), &loopback());
            let added: Vec<Digest> =
                (0..count).map(|index| child.ask(&format!("add {index}")).parse().unwrap()).collect();
            child.say(&format!("add {count}"));
            child.kill();
            let node = hub(directory.path()).await;
            for (index, digest) in added.into_iter().enumerate() {
                let content = artefact(index);
                assert_eq!(node.get(digest, content.len(), WAIT).await.unwrap(), content);
                assert!(node.is_pinned(digest).await.unwrap());
            }
            // The one that it was storing when it was killed.
            let content = artefact(count);
            let digest = node.add(content.clone()).await.unwrap();
            assert_eq!(node.get(digest, content.len(), WAIT).await.unwrap(), content);
            node.shutdown().await;
        }
    }

    #[test]
    fn a_digest_is_a_cid_and_back() {
        let digest = Digest([3; 32]);
        assert_eq!(Digest::from_cid(&digest.to_cid()), Some(digest));
        assert!(digest.to_cid().to_string().starts_with("bafybei"));
    }
}
