//! The embedded node: `sonar-swarm` in a directory.
//!
//! ```text
//! identity   the hub's key
//! store/     blocks and pins
//! ```

use std::{path::Path, time::Duration};

use futures::{FutureExt, future::BoxFuture};
use sonar_swarm::{BlockId, Config, Error, Identity, Keypair, Swarm, WalkError};
use tokio::time::timeout;

use super::{ArtefactStore, IpfsError, Multiaddr, NodeConfig, Role, Statistics, node_error, peer_of};
use sonar_protocol::ids::Digest;

use crate::files::{self, Access};

/// Size limit of a stored identity in bytes.
const IDENTITY_LIMIT: u64 = 4096;

/// A running embedded node.
#[derive(Debug)]
pub struct Embedded(Swarm);

impl Embedded {
    /// Opens the repository, listens and dials.
    pub async fn start(config: NodeConfig) -> Result<Self, IpfsError> {
        files::private_directory(&config.repo)?;
        let identity = match config.role {
            Role::Hub => Identity::Kept(identity(&config.repo.join("identity"))?.into()),
            Role::Client => Identity::Fresh,
        };
        let settings = Config {
            directory: config.repo.join("store"),
            identity,
            listen: config.listen,
            peers: config.peers.iter().map(peer_of).collect::<Result<_, _>>()?,
            // A collection may remove what is added before it is pinned, so only a node that can fetch it again
            // collects.
            cleanup: config.role == Role::Hub,
        };
        let swarm = Swarm::start(settings).await;
        swarm.map(Self).map_err(|error| IpfsError::Start { repo: config.repo, reason: error.to_string() })
    }
}

/// Reads or creates the node's key, which determines its peer id.
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

impl ArtefactStore for Embedded {
    fn addresses(&self) -> &[Multiaddr] {
        self.0.addresses()
    }

    fn connect<'a>(&'a self, address: &'a Multiaddr) -> BoxFuture<'a, Result<(), IpfsError>> {
        async move {
            let (peer, address) = peer_of(address)?;
            self.0.connect(peer, address).await.map_err(node_error("connect"))
        }
        .boxed()
    }

    fn peers(&self) -> BoxFuture<'_, usize> {
        async { self.0.peers().len() }.boxed()
    }

    fn add(&self, bytes: Vec<u8>) -> BoxFuture<'_, Result<Digest, IpfsError>> {
        async move {
            let root = self.0.add(bytes).await.map_err(node_error("store an artefact"))?;
            Ok(Digest(root.0))
        }
        .boxed()
    }

    fn get(&self, digest: Digest, max_bytes: usize, patience: Duration) -> BoxFuture<'_, Result<Vec<u8>, IpfsError>> {
        async move {
            let root = digest.to_cid();
            match timeout(patience, self.0.read(&root, max_bytes)).await {
                Err(_) => Err(IpfsError::NotFound { digest, waited: patience, peers: self.0.peers().len() }),
                Ok(Ok(bytes)) => Ok(bytes),
                Ok(Err(Error::Walk(WalkError::TooLarge))) => Err(IpfsError::TooLarge { digest, limit: max_bytes }),
                Ok(Err(Error::Walk(WalkError::Malformed(reason)))) => {
                    Err(IpfsError::Malformed { digest, reason: reason.to_string() })
                }
                Ok(Err(error)) => Err(node_error("fetch an artefact")(error)),
            }
        }
        .boxed()
    }

    fn pin(&self, digest: Digest) -> BoxFuture<'_, Result<(), IpfsError>> {
        async move { self.0.pin(BlockId(digest.0)).await.map_err(node_error("pin an artefact")) }.boxed()
    }

    fn unpin(&self, digest: Digest) -> BoxFuture<'_, Result<(), IpfsError>> {
        async move { self.0.unpin(BlockId(digest.0)).await.map_err(node_error("unpin an artefact")) }.boxed()
    }

    fn is_pinned(&self, digest: Digest) -> BoxFuture<'_, Result<bool, IpfsError>> {
        async move { Ok(self.0.is_pinned(BlockId(digest.0))) }.boxed()
    }

    fn pins(&self) -> BoxFuture<'_, Result<Vec<Digest>, IpfsError>> {
        async { Ok(self.0.pins().into_iter().map(|root| Digest(root.0)).collect()) }.boxed()
    }

    fn statistics(&self) -> BoxFuture<'_, Result<Statistics, IpfsError>> {
        async {
            let totals = self.0.totals();
            Ok(Statistics { blocks: totals.blocks, bytes: totals.bytes, peers: self.0.peers().len() })
        }
        .boxed()
    }

    fn health(&self) -> BoxFuture<'_, Result<(), IpfsError>> {
        async { self.0.health().map_err(node_error("continue")) }.boxed()
    }

    fn shutdown(self: Box<Self>) -> BoxFuture<'static, ()> {
        async { self.0.shutdown().await }.boxed()
    }
}
