//! The task that owns the network and performs the decisions of the [engine](crate::bitswap::engine).

use std::{
    collections::HashMap,
    io,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use cid::Cid;
use futures::{FutureExt, StreamExt};
use libp2p_connection_limits::{self as limits, ConnectionLimits};
use libp2p_core::{Multiaddr, Transport, multiaddr::Protocol, upgrade::Version};
use libp2p_identity::{Keypair, PeerId};
use libp2p_swarm::{
    ConnectionId, NetworkBehaviour, SwarmEvent,
    dial_opts::{DialOpts, PeerCondition},
};
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinSet,
    time::{MissedTickBehavior, interval},
};

use crate::{
    FetchedBlock,
    bitswap::{
        engine::{Engine, MessageDraft},
        message::Presence,
        protocol::{self, Report},
    },
    block::{Block, BlockId, DAG_PB},
    store::{BlockStore, BlockStoreError},
};

/// Longest delay until the task notices that a want was dropped, a peer should be dialled, or a message should be sent
/// again.
const TICK: Duration = Duration::from_millis(100);
/// Time limit for a connection, including its encryption.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Time limit for the answer to a ping. The answer waits behind data that is already queued, which takes half a minute
/// at 1 Mbit/s.
const PING: Duration = Duration::from_secs(90);
/// Delays between attempts to reach a peer grow from this …
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// … up to this, give or take a quarter, so that not all clients reconnect at once after a restart.
const LONGEST_PAUSE: Duration = Duration::from_secs(8);
/// Maximum number of incoming peers.
const PEERS: u32 = 1024;
/// Maximum number of connections before authentication.
const STRANGERS: u32 = 128;
/// Maximum number of connections per peer: the current one, and an old one that was not found dead yet.
const CONNECTIONS_PER_PEER: u32 = 2;
/// Maximum number of streams of one connection, over all protocols.
const STREAMS: usize = 64;
/// Collection of unpinned blocks at a hub: interval, minimum size in bytes, and minimum age.
const CLEANUP_EVERY: Duration = Duration::from_secs(3600);
const CLEANUP_FROM: u64 = 64 << 20;
const CLEANUP_AGE: Duration = Duration::from_secs(3600);

/// A command for the task.
pub enum Command {
    /// Get a block, locally or from a peer.
    Want { cid: Cid, likely: Option<PeerId>, reply: oneshot::Sender<Result<FetchedBlock, Arc<BlockStoreError>>> },
    /// These blocks are now stored.
    Stored(Vec<BlockId>),
    /// Connect to a peer.
    Connect { peer: PeerId, address: Multiaddr, reply: oneshot::Sender<Result<(), String>> },
    /// End.
    Shutdown,
}

/// Settings of the task.
pub struct Setup {
    /// Our key.
    pub keypair: Keypair,
    /// Whether to change the key after the connection to a peer of `links` was lost.
    pub is_renewed: bool,
    /// Address to listen on.
    pub listen: Multiaddr,
    /// Peers to stay connected with.
    pub links: Vec<(PeerId, Multiaddr)>,
    /// Whether to remove unpinned blocks.
    pub cleanup: bool,
    /// Blocks.
    pub store: Arc<BlockStore>,
}

#[derive(NetworkBehaviour)]
#[behaviour(prelude = "libp2p_swarm::derive_prelude")]
struct Behaviour {
    bitswap: protocol::Behaviour,
    identify: libp2p_identify::Behaviour,
    ping: libp2p_ping::Behaviour,
    limits: limits::Behaviour,
}

type Network = libp2p_swarm::Swarm<Behaviour>;

/// Creates the network, without connections.
fn network(keypair: &Keypair) -> io::Result<Network> {
    let noise = libp2p_noise::Config::new(keypair).map_err(io::Error::other)?;
    let mut yamux = libp2p_yamux::Config::default();
    yamux.set_max_num_streams(STREAMS);
    let transport = libp2p_tcp::tokio::Transport::new(libp2p_tcp::Config::default().nodelay(true))
        .upgrade(Version::V1)
        .authenticate(noise)
        .multiplex(yamux)
        .timeout(HANDSHAKE)
        .boxed();
    let limits = ConnectionLimits::default()
        .with_max_pending_incoming(Some(STRANGERS))
        .with_max_established_incoming(Some(PEERS))
        .with_max_established_per_peer(Some(CONNECTIONS_PER_PEER));
    // Kubo asks for our protocols before it asks for blocks. Our addresses are not disclosed to peers that have not
    // dialled us.
    let identify = libp2p_identify::Config::new("/ipfs/0.1.0".to_owned(), keypair.public())
        .with_agent_version(concat!("sonar/", env!("CARGO_PKG_VERSION")).to_owned())
        .with_hide_listen_addrs(true)
        .with_cache_size(0);
    let behaviour = Behaviour {
        bitswap: protocol::Behaviour::default(),
        identify: libp2p_identify::Behaviour::new(identify),
        ping: libp2p_ping::Behaviour::new(libp2p_ping::Config::new().with_timeout(PING)),
        limits: limits::Behaviour::new(limits),
    };
    let config = libp2p_swarm::Config::with_tokio_executor();
    Ok(Network::new(transport, behaviour, keypair.public().to_peer_id(), config))
}

/// A peer to stay connected with.
struct Link {
    peer: PeerId,
    address: Multiaddr,
    is_dialled: bool,
    next: Instant,
    pause: Duration,
}

/// The result of blocking work.
enum FinishedWork {
    Encoded { peer: PeerId, connection: ConnectionId, message: Vec<u8> },
    Loaded { cid: Cid, block: Result<Option<Block>, BlockStoreError> },
    Stored { block: Block, from: PeerId, result: Result<(), BlockStoreError> },
    Collected(Result<usize, BlockStoreError>),
}

type Waiters = Vec<oneshot::Sender<Result<FetchedBlock, Arc<BlockStoreError>>>>;

/// The task's state.
pub struct Driver {
    network: Network,
    setup: Setup,
    engine: Engine,
    connections: HashMap<PeerId, Vec<ConnectionId>>,
    waiters: HashMap<BlockId, Waiters>,
    links: Vec<Link>,
    dials: HashMap<ConnectionId, oneshot::Sender<Result<(), String>>>,
    jobs: JoinSet<FinishedWork>,
    peers: watch::Sender<Vec<PeerId>>,
    next_cleanup: Instant,
}

impl Driver {
    /// Starts to listen. Also returns the addresses, each ending in `/p2p/<peer id>`.
    pub async fn new(setup: Setup, peers: watch::Sender<Vec<PeerId>>) -> io::Result<(Self, Vec<Multiaddr>)> {
        let mut network = network(&setup.keypair)?;
        let addresses = listen(&mut network, setup.listen.clone()).await?;
        let now = Instant::now();
        let links = setup.links.iter().map(|(peer, address)| Link {
            peer: *peer,
            address: address.clone(),
            is_dialled: false,
            next: now,
            pause: FIRST_PAUSE,
        });
        let driver = Self {
            links: links.collect(),
            network,
            setup,
            engine: Engine::default(),
            connections: HashMap::new(),
            waiters: HashMap::new(),
            dials: HashMap::new(),
            jobs: JoinSet::new(),
            peers,
            next_cleanup: now + CLEANUP_EVERY,
        };
        Ok((driver, addresses))
    }

    /// Runs until it is stopped, or all senders of commands are dropped.
    pub async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                event = self.network.select_next_some() => self.on_event(event),
                command = commands.recv() => match command {
                    None | Some(Command::Shutdown) => break,
                    Some(command) => self.on_command(command),
                },
                Some(done) = self.jobs.join_next() => match done {
                    Ok(done) => self.on_done(done),
                    // A panic in blocking work is a bug, which the owner must see. Otherwise the runtime is shutting
                    // down.
                    Err(error) => match error.try_into_panic() {
                        Ok(panic) => std::panic::resume_unwind(panic),
                        Err(_) => break,
                    },
                },
                _ = tick.tick() => self.on_tick(Instant::now()),
            }
            self.send_drafts();
        }
        // Writes must end before another process may open the store.
        while self.jobs.join_next().await.is_some() {}
    }

    fn on_command(&mut self, command: Command) {
        match command {
            Command::Want { cid, likely, reply } => self.want(cid, likely, reply),
            Command::Stored(ids) => ids.into_iter().for_each(|id| self.stored(id)),
            Command::Connect { peer, address, reply } => self.connect(peer, address, reply),
            Command::Shutdown => {}
        }
    }

    fn want(
        &mut self,
        cid: Cid,
        likely: Option<PeerId>,
        reply: oneshot::Sender<Result<FetchedBlock, Arc<BlockStoreError>>>,
    ) {
        let Some(id) = BlockId::from_cid(&cid) else { return };
        self.waiters.entry(id).or_default().push(reply);
        if self.setup.store.size(id).is_some() {
            self.load(cid);
        } else {
            self.engine.want(cid, likely, Instant::now());
        }
    }

    fn load(&mut self, cid: Cid) {
        let store = self.setup.store.clone();
        self.jobs.spawn_blocking(move || {
            let block = BlockId::from_cid(&cid).map_or(Ok(None), |id| store.get(id));
            FinishedWork::Loaded { cid, block }
        });
    }

    /// A block that was created here may also be waited for here.
    fn stored(&mut self, id: BlockId) {
        self.engine.unwant(id);
        self.engine.stored(id);
        if self.waiters.contains_key(&id) {
            self.load(id.to_cid(DAG_PB));
        }
    }

    fn connect(&mut self, peer: PeerId, address: Multiaddr, reply: oneshot::Sender<Result<(), String>>) {
        if self.connections.contains_key(&peer) {
            // The caller may be gone.
            let _ = reply.send(Ok(()));
            return;
        }
        let options = DialOpts::peer_id(peer).addresses(vec![address]).condition(PeerCondition::Always).build();
        let connection = options.connection_id();
        match self.network.dial(options) {
            Ok(()) => {
                self.dials.insert(connection, reply);
            }
            Err(error) => {
                let _ = reply.send(Err(error.to_string()));
            }
        }
    }

    fn on_done(&mut self, done: FinishedWork) {
        match done {
            FinishedWork::Encoded { peer, connection, message } => {
                if self.connections.get(&peer).is_some_and(|open| open.contains(&connection)) {
                    self.network.behaviour_mut().bitswap.send(peer, connection, &message);
                }
            }
            FinishedWork::Loaded { cid, block } => match block {
                Ok(Some(block)) => self.deliver(&block, None),
                // It was damaged; a peer may have it.
                Ok(None) => self.engine.want(cid, None, Instant::now()),
                Err(error) => self.refuse(&cid, error),
            },
            FinishedWork::Stored { block, from, result } => match result {
                Ok(()) => {
                    // It may have been wanted again while it was written.
                    self.engine.unwant(block.id());
                    self.engine.stored(block.id());
                    self.deliver(&block, Some(from));
                }
                Err(error) => {
                    tracing::error!(%error, "cannot store a block");
                    self.refuse(&block.id().to_cid(DAG_PB), error);
                }
            },
            FinishedWork::Collected(Ok(0)) => {}
            FinishedWork::Collected(Ok(removed)) => tracing::info!(removed, "removed unpinned blocks"),
            FinishedWork::Collected(Err(error)) => {
                tracing::warn!(%error, "cannot remove unpinned blocks")
            }
        }
    }

    fn deliver(&mut self, block: &Block, from: Option<PeerId>) {
        for waiter in self.waiters.remove(&block.id()).into_iter().flatten() {
            // The caller may be gone.
            let _ = waiter.send(Ok(FetchedBlock { bytes: block.bytes().clone(), from }));
        }
    }

    fn refuse(&mut self, cid: &Cid, error: BlockStoreError) {
        let error = Arc::new(error);
        let waiters = BlockId::from_cid(cid).and_then(|id| self.waiters.remove(&id));
        for waiter in waiters.into_iter().flatten() {
            let _ = waiter.send(Err(error.clone()));
        }
    }

    fn on_tick(&mut self, now: Instant) {
        self.waiters.retain(|_, waiters| {
            waiters.retain(|waiter| !waiter.is_closed());
            !waiters.is_empty()
        });
        let given_up: Vec<_> = self.engine.wanted().filter(|id| !self.waiters.contains_key(id)).collect();
        given_up.into_iter().for_each(|id| self.engine.unwant(id));
        self.engine.tick(now);
        self.dial_links(now);
        if self.setup.cleanup && now >= self.next_cleanup {
            self.next_cleanup = now + CLEANUP_EVERY;
            let store = self.setup.store.clone();
            if store.totals().bytes >= CLEANUP_FROM {
                self.jobs
                    .spawn_blocking(move || FinishedWork::Collected(store.collect(CLEANUP_AGE, SystemTime::now())));
            }
        }
    }

    fn dial_links(&mut self, now: Instant) {
        for link in &mut self.links {
            if link.is_dialled || link.next > now || self.connections.contains_key(&link.peer) {
                continue;
            }
            let options = DialOpts::peer_id(link.peer).addresses(vec![link.address.clone()]).build();
            match self.network.dial(options) {
                Ok(()) => link.is_dialled = true,
                Err(error) => link.failed(now, &error),
            }
        }
    }

    fn on_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::Behaviour(BehaviourEvent::Bitswap(event)) => self.on_report(event),
            // A peer that does not answer is gone; a peer that only lacks the protocol is not.
            SwarmEvent::Behaviour(BehaviourEvent::Ping(libp2p_ping::Event {
                connection, result: Err(error), ..
            })) if !matches!(error, libp2p_ping::Failure::Unsupported) => {
                self.network.close_connection(connection);
            }
            SwarmEvent::ConnectionEstablished { peer_id, connection_id, .. } => {
                self.connected(peer_id, connection_id);
            }
            SwarmEvent::ConnectionClosed { peer_id, connection_id, .. } => self.closed(peer_id, connection_id),
            SwarmEvent::OutgoingConnectionError { connection_id, peer_id, error } => {
                if let Some(reply) = self.dials.remove(&connection_id) {
                    let _ = reply.send(Err(error.to_string()));
                } else if let Some(link) = self.links.iter_mut().find(|link| Some(link.peer) == peer_id) {
                    link.is_dialled = false;
                    link.failed(Instant::now(), &error);
                }
            }
            SwarmEvent::ListenerClosed { reason: Err(error), .. } => {
                panic!("the IPFS node can no longer listen: {error}")
            }
            _ => {}
        }
    }

    fn connected(&mut self, peer: PeerId, connection: ConnectionId) {
        if let Some(reply) = self.dials.remove(&connection) {
            let _ = reply.send(Ok(()));
        }
        for link in self.links.iter_mut().filter(|link| link.peer == peer) {
            link.is_dialled = false;
            link.pause = FIRST_PAUSE;
        }
        let open = self.connections.entry(peer).or_default();
        open.push(connection);
        if open.len() == 1 {
            self.engine.connected(peer);
        } else {
            self.forget(peer);
        }
        self.publish_peers();
    }

    /// Messages to the peer may be lost: everything is sent again, over the newest of its connections.
    fn forget(&mut self, peer: PeerId) {
        self.engine.disconnected(peer);
        self.engine.connected(peer);
    }

    fn closed(&mut self, peer: PeerId, connection: ConnectionId) {
        let Some(open) = self.connections.get_mut(&peer) else { return };
        open.retain(|other| *other != connection);
        if !open.is_empty() {
            return self.forget(peer);
        }
        self.connections.remove(&peer);
        self.engine.disconnected(peer);
        if let Some(link) = self.links.iter_mut().find(|link| link.peer == peer) {
            tracing::debug!(%peer, "the connection to an IPFS peer was lost");
            link.next = Instant::now();
            if self.setup.is_renewed {
                self.renew();
            }
        }
        self.publish_peers();
    }

    /// Changes the key. Only the peers of `links` need to find us, and we dial those.
    fn renew(&mut self) {
        let keypair = Keypair::generate_ed25519();
        let renewed = network(&keypair).and_then(|mut network| {
            network.listen_on(self.setup.listen.clone()).map_err(io::Error::other)?;
            Ok(network)
        });
        match renewed {
            Ok(network) => self.network = network,
            Err(error) => {
                tracing::warn!(%error, "the IPFS node keeps its peer id");
                return;
            }
        }
        self.setup.keypair = keypair;
        self.dials.clear();
        for (peer, _) in self.connections.drain() {
            self.engine.disconnected(peer);
        }
        for link in &mut self.links {
            (link.is_dialled, link.next) = (false, Instant::now());
        }
    }

    fn publish_peers(&self) {
        self.peers.send_replace(self.engine.peers().collect());
    }

    fn on_report(&mut self, protocol::Event { peer, connection, report }: protocol::Event) {
        match report {
            Report::Received(message) => {
                let store = self.setup.store.clone();
                for block in self.engine.received(peer, message, |id| store.size(id)) {
                    let store = store.clone();
                    self.jobs.spawn_blocking(move || {
                        let result = store.put(&block);
                        FinishedWork::Stored { block, from: peer, result }
                    });
                }
            }
            Report::Sent => self.engine.sent(peer),
            Report::Useless(reason) => {
                tracing::debug!(%peer, reason, "the connection to an IPFS peer is closed");
                self.network.close_connection(connection);
            }
        }
    }

    fn send_drafts(&mut self) {
        let store = &self.setup.store;
        for (peer, MessageDraft { mut message, blocks }) in self.engine.drafts(|id| store.size(id)) {
            let Some(&connection) = self.connections.get(&peer).and_then(|open| open.last()) else { continue };
            if blocks.is_empty() {
                self.network.behaviour_mut().bitswap.send(peer, connection, &message.encode());
                continue;
            }
            let store = store.clone();
            self.jobs.spawn_blocking(move || {
                for cid in blocks {
                    match BlockId::from_cid(&cid).map_or(Ok(None), |id| store.get(id)) {
                        Ok(Some(block)) => message.blocks.push((cid, block)),
                        // It was removed meanwhile, or is damaged.
                        Ok(None) => message.presences.push(Presence { cid, has: false }),
                        Err(error) => {
                            tracing::error!(%error, "cannot read a block");
                            message.presences.push(Presence { cid, has: false });
                        }
                    }
                }
                FinishedWork::Encoded { peer, connection, message: message.encode() }
            });
        }
    }
}

impl Link {
    fn failed(&mut self, now: Instant, error: &dyn std::fmt::Display) {
        tracing::debug!(peer = %self.peer, %error, "cannot reach an IPFS peer; retrying");
        self.next = now + self.pause.mul_f64(rand::random_range(0.75..1.25));
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }
}

/// Listens, and waits for the addresses; a wildcard such as `0.0.0.0` has several.
async fn listen(network: &mut Network, address: Multiaddr) -> io::Result<Vec<Multiaddr>> {
    network.listen_on(address).map_err(io::Error::other)?;
    let suffix = Protocol::P2p(*network.local_peer_id());
    let mut addresses = Vec::new();
    loop {
        let event = if addresses.is_empty() {
            Some(network.select_next_some().await)
        } else {
            network.select_next_some().now_or_never()
        };
        match event {
            Some(SwarmEvent::NewListenAddr { address, .. }) => addresses.push(address.with(suffix.clone())),
            Some(SwarmEvent::ListenerClosed { reason: Err(error), .. }) => return Err(error),
            Some(_) => {}
            None => return Ok(addresses),
        }
    }
}

#[cfg(test)]
pub mod testing {
    //! Tests with a misbehaving peer.

    use super::*;
    use crate::bitswap::message::Message;

    /// A misbehaving peer.
    pub struct Stranger {
        network: Network,
        peer: PeerId,
        connection: ConnectionId,
    }

    impl Stranger {
        /// Connects to a node.
        pub async fn connect(address: &Multiaddr) -> Self {
            let mut network = network(&Keypair::generate_ed25519()).unwrap();
            network.dial(address.clone()).unwrap();
            loop {
                if let SwarmEvent::ConnectionEstablished { peer_id: peer, connection_id: connection, .. } =
                    network.select_next_some().await
                {
                    return Self { network, peer, connection };
                }
            }
        }

        /// Sends bytes, after their length. Returns whether they were accepted.
        pub async fn send(&mut self, bytes: &[u8]) -> bool {
            self.network.behaviour_mut().bitswap.send(self.peer, self.connection, bytes);
            loop {
                match self.network.select_next_some().await {
                    SwarmEvent::Behaviour(BehaviourEvent::Bitswap(protocol::Event {
                        report: Report::Sent, ..
                    })) => {
                        return true;
                    }
                    SwarmEvent::ConnectionClosed { .. } => return false,
                    _ => {}
                }
            }
        }

        /// Receives the next message; `None` if the connection is closed first.
        pub async fn receive(&mut self) -> Option<Message> {
            loop {
                match self.network.select_next_some().await {
                    SwarmEvent::Behaviour(BehaviourEvent::Bitswap(protocol::Event {
                        report: Report::Received(message),
                        ..
                    })) => return Some(message),
                    SwarmEvent::ConnectionClosed { .. } => return None,
                    _ => {}
                }
            }
        }
    }
}
