//! A small IPFS node: bitswap over libp2p (TCP, Noise, Yamux), a block store in a directory, files as UnixFS.
//!
//! It connects only to configured peers and to those that dial it: no DHT, no mDNS, no bootstrap peers, no relays.
//!
//! | module | |
//! | --- | --- |
//! | `block` | blocks and their names |
//! | `unixfs` | files as trees of blocks, pure |
//! | `store` | blocks and pins in a directory |
//! | `bitswap` | message format, decisions (pure), streams |
//! | `driver` | the one task that owns the network |
//! | `proto` | protobuf fields |
//!
//! All types of libp2p's behaviours stay behind a channel: the network's behaviour is one deeply nested type, and each
//! crate that sees a future that contains it would compile all of it again.

mod bitswap;
mod block;
mod driver;
mod proto;
mod store;
#[cfg(test)]
mod tests;
mod unixfs;

use std::{
    io,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use cid::Cid;
use futures::{StreamExt, stream::FuturesUnordered};
pub use libp2p_core::{Multiaddr, multiaddr::Protocol};
pub use libp2p_identity::{Keypair, PeerId};
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::spawn_blocking,
    time::{sleep, timeout},
};

pub use block::BlockId;
use block::DAG_PB;
use driver::{Command, Driver, Setup};
use store::BlockStore;
pub use store::{BlockStoreError, Totals};
pub use unixfs::{WalkError, root_of};

/// Maximum number of blocks of one file that are requested at once: 4 MiB of 256 KiB each.
const WINDOW: usize = 16;
/// Length of the command queue.
const COMMANDS: usize = 256;
/// How long and how often to retry to lock a directory that another process has just released.
const LOCK_WAIT: Duration = Duration::from_secs(5);
const LOCK_RETRY: Duration = Duration::from_millis(50);
/// Time limit until listening.
const LISTEN_WAIT: Duration = Duration::from_secs(10);

/// Identity of a node.
#[derive(Clone, Debug)]
pub enum Identity {
    /// A fixed key.
    Kept(Box<Keypair>),
    /// A new key at each start and after each lost connection to a configured peer, so that the node cannot be tracked.
    Fresh,
}

/// Settings of a node.
#[derive(Clone, Debug)]
pub struct Config {
    /// Directory of blocks and pins; no other node may use it at the same time.
    pub directory: PathBuf,
    /// Identity.
    pub identity: Identity,
    /// Address to listen on; port 0 takes any free port.
    pub listen: Multiaddr,
    /// Peers to stay connected with.
    pub peers: Vec<(PeerId, Multiaddr)>,
    /// Whether unpinned blocks are removed regularly.
    pub cleanup: bool,
}

/// A failure of a node.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address to listen on is not available.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: Multiaddr,
        /// The system's error.
        #[source]
        source: io::Error,
    },
    /// The block store failed.
    #[error(transparent)]
    Store(Arc<BlockStoreError>),
    /// An artefact is too large or not a file.
    #[error(transparent)]
    Walk(#[from] WalkError),
    /// A peer cannot be reached.
    #[error("{0}")]
    Unreachable(String),
    /// The node has ended, which it does only after [`Swarm::shutdown`] or a bug.
    #[error("the IPFS node has stopped: {0}")]
    Stopped(String),
}

impl From<BlockStoreError> for Error {
    fn from(error: BlockStoreError) -> Self {
        Self::Store(Arc::new(error))
    }
}

impl From<Arc<BlockStoreError>> for Error {
    fn from(error: Arc<BlockStoreError>) -> Self {
        Self::Store(error)
    }
}

/// A block, and the peer that sent it if it was not stored.
struct FetchedBlock {
    bytes: Bytes,
    from: Option<PeerId>,
}

/// A running node. It ends when this is dropped; [`Swarm::shutdown`] also waits for the end.
#[derive(Debug)]
pub struct Swarm {
    store: Arc<BlockStore>,
    commands: mpsc::Sender<Command>,
    addresses: Vec<Multiaddr>,
    peers: watch::Receiver<Vec<PeerId>>,
    /// Why the task has ended; empty while it runs.
    ended: watch::Receiver<Option<String>>,
}

impl Swarm {
    /// Opens the directory, listens, and keeps connections to the configured peers. Peers that cannot be reached are
    /// retried and are not an error.
    ///
    /// # Errors
    /// If the directory is in use or unreadable, or the address is not available.
    pub async fn start(config: Config) -> Result<Self, Error> {
        let store = Arc::new(open(config.directory).await?);
        let (is_renewed, keypair) = match config.identity {
            Identity::Kept(keypair) => (false, *keypair),
            Identity::Fresh => (true, Keypair::generate_ed25519()),
        };
        let (publish, peers) = watch::channel(Vec::new());
        let setup = Setup {
            keypair,
            is_renewed,
            listen: config.listen.clone(),
            links: config.peers,
            cleanup: config.cleanup,
            store: store.clone(),
        };
        let listening = timeout(LISTEN_WAIT, Driver::new(setup, publish)).await;
        let (driver, addresses) = listening
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
            .map_err(|source| Error::Listen { address: config.listen, source })?;
        let (commands, receiver) = mpsc::channel(COMMANDS);
        let (end, ended) = watch::channel(None);
        let task = tokio::spawn(driver.run(receiver));
        tokio::spawn(async move {
            let reason = match task.await {
                Ok(()) => "it was shut down".to_owned(),
                Err(error) => error.to_string(),
            };
            end.send_replace(Some(reason));
        });
        Ok(Self { store, commands, addresses, peers, ended })
    }

    /// Addresses at which others can dial this node, each ending in `/p2p/<peer id>`, as of its start.
    #[must_use]
    pub fn addresses(&self) -> &[Multiaddr] {
        &self.addresses
    }

    /// Number of connected peers.
    #[must_use]
    pub fn peers(&self) -> Vec<PeerId> {
        self.peers.borrow().clone()
    }

    /// Number and size of the stored blocks.
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.store.totals()
    }

    /// Whether the node's task still runs.
    ///
    /// # Errors
    /// Why it does not run.
    pub fn health(&self) -> Result<(), Error> {
        self.ended.borrow().clone().map_or(Ok(()), |reason| Err(Error::Stopped(reason)))
    }

    /// Connects to one more peer now.
    ///
    /// # Errors
    /// If the peer cannot be reached.
    pub async fn connect(&self, peer: PeerId, address: Multiaddr) -> Result<(), Error> {
        let (reply, answer) = oneshot::channel();
        self.command(Command::Connect { peer, address, reply }).await?;
        match answer.await {
            Ok(connected) => connected.map_err(Error::Unreachable),
            Err(_) => Err(self.stopped().await),
        }
    }

    /// Stores and pins a file, and sends it to peers that wait for it.
    ///
    /// # Errors
    /// If it cannot be written.
    pub async fn add(&self, content: Vec<u8>) -> Result<BlockId, Error> {
        let (root, tree) = self
            .blocking(move |store| {
                let mut tree = Vec::new();
                let root = unixfs::encode(&content, |block| {
                    tree.push(block.id());
                    store.put(&block)
                })?;
                store.keep(root, tree.clone())?;
                Ok((root, tree))
            })
            .await?;
        self.command(Command::Stored(tree)).await?;
        Ok(root)
    }

    /// Reads a file of at most `limit` bytes, locally and from peers. Waits without a time limit until a peer has it.
    ///
    /// # Errors
    /// If it is too large or not a file, or a block cannot be stored.
    pub async fn read(&self, root: &Cid, limit: usize) -> Result<Vec<u8>, Error> {
        let mut walk = unixfs::Walk::new(root, limit)?;
        let mut fetches = FuturesUnordered::new();
        // A peer that sent one block of a file is likely to have the others.
        let mut likely = None;
        loop {
            if let Some(content) = walk.advance()? {
                return Ok(content);
            }
            let requests = walk.requests(WINDOW).into_iter();
            fetches.extend(requests.map(|request| async move {
                let fetched = self.fetch(request.id.to_cid(request.codec), likely).await;
                (request.ticket, fetched)
            }));
            // An incomplete walk always waits for a block.
            let Some((ticket, fetched)) = fetches.next().await else { continue };
            let fetched = fetched?;
            likely = fetched.from.or(likely);
            walk.arrived(ticket, fetched.bytes);
        }
    }

    async fn fetch(&self, cid: Cid, likely: Option<PeerId>) -> Result<FetchedBlock, Error> {
        let (reply, answer) = oneshot::channel();
        self.command(Command::Want { cid, likely, reply }).await?;
        match answer.await {
            Ok(fetched) => Ok(fetched?),
            Err(_) => Err(self.stopped().await),
        }
    }

    /// Pins a stored file with all its blocks.
    ///
    /// # Errors
    /// If a block is missing, or the pin cannot be written.
    pub async fn pin(&self, root: BlockId) -> Result<(), Error> {
        self.blocking(move |store| store.pin(&root.to_cid(DAG_PB))).await
    }

    /// Unpins a file; succeeds if it is not pinned.
    ///
    /// # Errors
    /// If it cannot be written.
    pub async fn unpin(&self, root: BlockId) -> Result<(), Error> {
        self.blocking(move |store| store.unpin(root)).await
    }

    /// Whether a file is pinned by its root.
    #[must_use]
    pub fn is_pinned(&self, root: BlockId) -> bool {
        self.store.is_pinned(root)
    }

    /// The roots of all pinned files.
    #[must_use]
    pub fn pins(&self) -> Vec<BlockId> {
        self.store.pins()
    }

    /// Stops the node, and returns when another node may use its directory.
    pub async fn shutdown(self) {
        // An error means that it has already ended.
        let _ = self.commands.send(Command::Shutdown).await;
        let _ = self.stopped().await;
        let Self { store, .. } = self;
        // Work whose callers did not wait for it.
        let deadline = Instant::now() + LOCK_WAIT;
        while Arc::strong_count(&store) > 1 && Instant::now() < deadline {
            sleep(LOCK_RETRY).await;
        }
    }

    async fn command(&self, command: Command) -> Result<(), Error> {
        match self.commands.send(command).await {
            Ok(()) => Ok(()),
            Err(_) => Err(self.stopped().await),
        }
    }

    /// Why the task has ended; empty while it runs.
    async fn stopped(&self) -> Error {
        let mut ended = self.ended.clone();
        let reason = ended.wait_for(Option::is_some).await.ok().and_then(|reason| reason.clone());
        Error::Stopped(reason.unwrap_or_else(|| "its runtime is gone".to_owned()))
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&BlockStore) -> Result<T, BlockStoreError> + Send + 'static,
    ) -> Result<T, Error> {
        let store = self.store.clone();
        match spawn_blocking(move || work(&store)).await {
            Ok(done) => Ok(done?),
            Err(error) => Err(Error::Stopped(error.to_string())),
        }
    }
}

/// Opens a directory. Retries, because a directory that another process has just released may still be locked for a
/// moment.
async fn open(directory: PathBuf) -> Result<BlockStore, Error> {
    let deadline = Instant::now() + LOCK_WAIT;
    loop {
        let path = directory.clone();
        match spawn_blocking(move || BlockStore::open(&path)).await {
            Ok(Err(BlockStoreError::InUse(_))) if Instant::now() < deadline => sleep(LOCK_RETRY).await,
            Ok(done) => return Ok(done?),
            Err(error) => return Err(Error::Stopped(error.to_string())),
        }
    }
}
