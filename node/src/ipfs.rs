//! IPFS: artefacts by content, in the embedded node or in an external Kubo.
//!
//! An artefact is stored as UnixFS in 256 KiB chunks under CIDv1, dag-pb, SHA-256, so that the chain needs to store
//! only the digest of its root block.
//!
//! [`ArtefactStore`] has the operations that programs need. The module `embedded` stores blocks in a directory and
//! connects only to configured peers (no DHT, mDNS or bootstrap peers): all programs dial Sonar's node, the hub, which
//! fetches and pins live artefacts. The module `kubo` uses the RPC of an external Kubo.

mod embedded;
mod kubo;

use std::{fmt, ops::Deref, path::PathBuf, time::Duration};

use futures::future::BoxFuture;
pub use kubo::{AUTHORIZATION_VARIABLE, KuboConfig};
use sonar_swarm::Protocol;
pub use sonar_swarm::{Multiaddr, PeerId};

use sonar_protocol::ids::Digest;

use crate::files::FileError;
use embedded::Embedded;
use kubo::Kubo;

/// A failure of IPFS.
#[derive(Debug, thiserror::Error)]
pub enum IpfsError {
    /// The embedded node could not start.
    #[error("the IPFS node in {} cannot start: {reason}", repo.display())]
    Start {
        /// Directory of its repository.
        repo: PathBuf,
        /// What the node reported.
        reason: String,
    },
    /// A file next to the blocks failed: identity, authorization or pins.
    #[error(transparent)]
    File(#[from] FileError),
    /// No peer delivered the artefact in time.
    #[error("artefact {digest} could not be fetched within {} s from any of {peers} connected peers", waited.as_secs())]
    NotFound {
        /// The artefact.
        digest: Digest,
        /// Time limit.
        waited: Duration,
        /// Number of connected peers at the end.
        peers: usize,
    },
    /// The artefact is larger than allowed.
    #[error("artefact {digest} is larger than {limit} bytes; reading was stopped")]
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
    /// A peer's address has no peer id.
    #[error("`{0}` does not end in /p2p/<peer id>")]
    Address(Multiaddr),
    /// The configuration of an external Kubo cannot be used.
    #[error("`--ipfs {url}`: {reason}")]
    Url {
        /// The given URL.
        url: String,
        /// What is wrong, and what to do.
        reason: &'static str,
    },
    /// An external Kubo does not answer.
    #[error("Kubo at {url} does not answer: {reason}; start it with `ipfs daemon`, or correct `--ipfs`")]
    Unreachable {
        /// URL of its RPC.
        url: String,
        /// The failure.
        reason: String,
    },
    /// Any other failure of the node.
    #[error("the IPFS node cannot {action}: {reason}")]
    Node {
        /// The attempted operation.
        action: &'static str,
        /// What the node reported.
        reason: String,
    },
}

fn node_error<E: fmt::Display>(action: &'static str) -> impl FnOnce(E) -> IpfsError {
    move |error| IpfsError::Node { action, reason: error.to_string() }
}

/// Computes the digest that [`ArtefactStore::add`] returns for these bytes.
#[must_use]
pub fn digest_of(bytes: &[u8]) -> Digest {
    Digest(sonar_swarm::root_of(bytes).0)
}

/// Statistics of a store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Number of blocks, pinned or not.
    pub blocks: u64,
    /// Total size of the blocks in bytes.
    pub bytes: u64,
    /// Number of connected peers.
    pub peers: usize,
}

/// A store of artefacts by content. Both implementations give the same digest for the same bytes.
pub trait ArtefactStore: fmt::Debug + Send + Sync {
    /// Addresses at which others can dial the node, each ending in `/p2p/<peer id>`.
    fn addresses(&self) -> &[Multiaddr];

    /// Connects to one more peer now.
    ///
    /// # Errors
    /// If the address has no peer id, or the peer cannot be reached.
    fn connect<'a>(&'a self, address: &'a Multiaddr) -> BoxFuture<'a, Result<(), IpfsError>>;

    /// Number of connected peers; 0 if the node does not answer.
    fn peers(&self) -> BoxFuture<'_, usize>;

    /// Stores and pins an artefact. The same bytes always have the same digest.
    ///
    /// # Errors
    /// If it cannot be stored.
    fn add(&self, bytes: Vec<u8>) -> BoxFuture<'_, Result<Digest, IpfsError>>;

    /// Fetches an artefact of at most `max_bytes`, locally or from a connected peer; waits until a peer has it.
    ///
    /// # Errors
    /// If no peer delivers it within `timeout`, it is too large, or it is not a file.
    fn get(&self, digest: Digest, max_bytes: usize, timeout: Duration) -> BoxFuture<'_, Result<Vec<u8>, IpfsError>>;

    /// Pins a local artefact with all its chunks. Idempotent.
    ///
    /// # Errors
    /// If a chunk is missing.
    fn pin(&self, digest: Digest) -> BoxFuture<'_, Result<(), IpfsError>>;

    /// Unpins an artefact; succeeds if it is not pinned.
    ///
    /// # Errors
    /// If the store cannot be written.
    fn unpin(&self, digest: Digest) -> BoxFuture<'_, Result<(), IpfsError>>;

    /// Whether an artefact is pinned by its root.
    ///
    /// # Errors
    /// If the store cannot be read.
    fn is_pinned(&self, digest: Digest) -> BoxFuture<'_, Result<bool, IpfsError>>;

    /// Digests of all artefacts that were pinned through this store.
    ///
    /// # Errors
    /// If the store cannot be read.
    fn pins(&self) -> BoxFuture<'_, Result<Vec<Digest>, IpfsError>>;

    /// Statistics of the store.
    ///
    /// # Errors
    /// If the store cannot be read.
    fn statistics(&self) -> BoxFuture<'_, Result<Statistics, IpfsError>>;

    /// Checks that the node works.
    ///
    /// # Errors
    /// Why it does not work.
    fn health(&self) -> BoxFuture<'_, Result<(), IpfsError>>;

    /// Stops the node and releases its directory.
    fn shutdown(self: Box<Self>) -> BoxFuture<'static, ()>;
}

/// Role of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Others dial it: it has the same peer id at every start, and regularly removes blocks that are not pinned.
    Hub,
    /// It only dials out, under a new peer id at each start and after each lost connection, so that it cannot be
    /// tracked.
    Client,
}

/// Settings of a node.
#[derive(Clone, Debug)]
pub struct NodeConfig {
    /// Role.
    pub role: Role,
    /// Directory of blocks, pins and identity.
    pub repo: PathBuf,
    /// Address to listen on; port 0 takes any free port.
    pub listen: Multiaddr,
    /// Peers to stay connected with, each ending in `/p2p/<peer id>`.
    pub peers: Vec<Multiaddr>,
    /// External Kubo that is used instead of an embedded node. It then determines role and address itself.
    pub kubo: Option<KuboConfig>,
}

impl NodeConfig {
    /// Settings of a node that others dial.
    #[must_use]
    pub fn hub(repo: PathBuf, listen: Multiaddr) -> Self {
        Self { role: Role::Hub, repo, listen, peers: Vec::new(), kubo: None }
    }

    /// Settings of a node that dials these peers; it listens only on the loopback interface.
    #[must_use]
    pub fn client(repo: PathBuf, peers: Vec<Multiaddr>) -> Self {
        Self { role: Role::Client, repo, listen: loopback(), peers, kubo: None }
    }

    /// Uses this external Kubo, if given.
    #[must_use]
    pub fn through(self, kubo: Option<KuboConfig>) -> Self {
        Self { kubo, ..self }
    }
}

/// Any free port of the loopback interface.
#[must_use]
pub fn loopback() -> Multiaddr {
    "/ip4/127.0.0.1/tcp/0".parse().expect("a constant address")
}

/// The IPFS node of a program.
#[derive(Debug)]
pub struct Node(Box<dyn ArtefactStore>);

impl Deref for Node {
    type Target = dyn ArtefactStore;

    fn deref(&self) -> &Self::Target {
        &*self.0
    }
}

impl Node {
    /// Starts the embedded node, or connects to the configured Kubo, and keeps connections to the configured peers for as long as
    /// the node lives.
    ///
    /// # Errors
    /// If the repository is in use or unreadable, an address is unusable, or the Kubo does not answer. Peers that
    /// cannot be reached are retried and are not an error.
    pub async fn start(config: NodeConfig) -> Result<Self, IpfsError> {
        Ok(match config.kubo.clone() {
            None => Self(Box::new(Embedded::start(config).await?)),
            Some(kubo) => Self(Box::new(Kubo::connect(kubo, &config.repo, config.peers).await?)),
        })
    }

    /// Stops the node and releases its directory.
    pub async fn shutdown(self) {
        self.0.shutdown().await;
    }
}

fn peer_of(address: &Multiaddr) -> Result<(PeerId, Multiaddr), IpfsError> {
    match address.iter().last() {
        Some(Protocol::P2p(peer)) => Ok((peer, address.clone())),
        _ => Err(IpfsError::Address(address.clone())),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use tokio::time::{Instant, sleep_until};

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
            // Fetches start before the artefact exists.
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
    async fn the_repository_of_an_older_version_does_not_matter() {
        let directory = tempfile::tempdir().unwrap();
        for file in ["blocks/blocks/SH/CIQ.data", "blocks/pins/x", "blocks/datastore_lock", "blocks/lock"] {
            let path = directory.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, b"from before").unwrap();
        }
        let hub = hub(directory.path()).await;
        let digest = hub.add(bytes(300_000)).await.unwrap();
        let statistics = hub.statistics().await.unwrap();
        assert_eq!((hub.pins().await.unwrap(), statistics.blocks, statistics.peers), (vec![digest], 3, 0));
        assert!(statistics.bytes > 300_000);
        hub.health().await.unwrap();
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_repository_that_is_in_use_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let _first = hub(directory.path()).await;
        let error = Node::start(NodeConfig::hub(directory.path().into(), loopback())).await.unwrap_err();
        assert!(error.to_string().contains("another process uses"), "{error}");
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
        assert_ne!(
            client.addresses()[0].iter().last(),
            address.iter().last(),
            "a client has a new peer id at each start"
        );
    }

    const CHILD_REPO: &str = "SONAR_TEST_IPFS_REPO";
    const CHILD_LISTEN: &str = "SONAR_TEST_IPFS_LISTEN";

    /// The child process of the tests below: a hub that executes commands from standard input until it is killed.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    #[ignore = "runs in a separate process, which is killed"]
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

    /// A hub in a separate process.
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
            assert_eq!(hub.ask(&format!("get {digest}")), digest.to_string(), "round {round}, the old peer");
            let address = hub.address.clone();
            hub.kill();
            hub = Hub::start(directory.path(), &listen);
            assert_eq!(hub.address, address, "one identity");
            // A peer with the same repository restarts at the same time.
            let second = node(directory.path(), "second", &[address]).await;
            assert_eq!(second.get(digest, 1 << 20, WAIT).await.unwrap(), artefact(round));
            let digest = second.add(artefact(10 + round)).await.unwrap();
            assert_eq!(hub.ask(&format!("get {digest}")), digest.to_string(), "round {round}, the restarted peer");
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
