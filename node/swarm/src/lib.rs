//! Starts the embedded IPFS node.
//!
//! The node's network behaviour is one type of many nested parts, and every crate that sees the future which starts it compiles
//! all of that anew. Behind a plain function this crate is the only one.

use std::time::Duration;

use rust_ipfs::{
    Ipfs, Keypair, Multiaddr,
    builder::DefaultIpfsBuilder,
    ping,
    repo::{DefaultStorage, GCConfig, GCTrigger, Repo},
};
use tokio::{
    runtime::Handle,
    task::{JoinHandle, spawn_blocking},
};

/// Connections are kept for as long as the process lives.
const IDLE_SECONDS: u64 = 7 * 24 * 3600;
/// How often, and from how many bytes on, a hub removes blocks that nobody pinned.
const CLEANUP_EVERY: Duration = Duration::from_secs(3600);
const CLEANUP_FROM: usize = 64 << 20;

/// Blocks and pins.
pub type Blocks = Repo<DefaultStorage>;

/// What to start.
#[derive(Clone)]
pub struct Swarm {
    /// Decides the node's peer id.
    pub keypair: Keypair,
    /// Blocks and pins; no other running node may use them.
    pub blocks: Blocks,
    /// Address to listen on.
    pub listen: Multiaddr,
    /// Whether blocks without a pin are removed from time to time. What is being added may then be lost before it is pinned, so
    /// only a node that can fetch it again should.
    pub cleanup: bool,
}

impl Swarm {
    /// Locks the repository and listens: TCP and Noise, bitswap, identify and ping, no discovery of any kind. To be called
    /// within a tokio runtime.
    ///
    /// # Errors
    /// What the library says: the repository is locked or unreadable, or the address cannot be had.
    pub fn start(self) -> JoinHandle<Result<Ipfs, String>> {
        // The library's builder stays on one thread.
        spawn_blocking(move || Handle::current().block_on(self.run()).map_err(|error| error.to_string()))
    }

    async fn run(self) -> Result<Ipfs, rust_ipfs::Error> {
        let builder = DefaultIpfsBuilder::with_keypair(&self.keypair)?
            .set_repo(&self.blocks)
            .enable_tcp()
            .with_identify(Default::default())
            .with_ping(ping::Config::default())
            .with_bitswap()
            .set_idle_connection_timeout(IDLE_SECONDS)
            .add_listening_addr(self.listen);
        let builder = if self.cleanup {
            builder.with_gc(GCConfig { duration: CLEANUP_EVERY, trigger: GCTrigger::At { size: CLEANUP_FROM } })
        } else {
            builder
        };
        builder.start().await
    }
}
