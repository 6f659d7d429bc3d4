//! `sonar serve`: an index of public facts, a hub for public content, a relay for settlements, and an HTTP interface.
//!
//! Sonar holds no data, no model, no custody of money, and no secret except its own account's key. Everything that it
//! stores can be rebuilt from the chain, except pending settlements, which Capsules can send again.

mod accounts;
mod adapters;
mod api;
mod badge;
mod csv;
mod dto;
mod event_id;
mod feed;
#[cfg(test)]
mod fixture;
mod hub;
mod leaderboard;
mod live;
mod metrics;
mod money;
#[cfg(test)]
mod openapi;
mod pins;
mod relay;
mod search;
mod series;
mod settlements;
mod sse;
mod statistics;
mod submissions_csv;
mod tasks;
mod tokens;
mod watch_money;

use std::{
    fs::File,
    io,
    net::SocketAddr,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::Router;
use tokio::{net::TcpListener, sync::watch, time::timeout};

pub use dto::{Artefact, CampaignPage, EventView, Info, Page, RelayReceipt};
pub use sonar_web::problem::Problem;

use crate::index::{ContractIdentity, Database, DatabaseUrl, Index, IndexError, Indexer, OpenOutcome, Source};
use hub::{Hub, Shelf};
use metrics::Metrics;
use relay::Relay;
use sonar_node::{chain, files, ipfs};
use sonar_protocol::{ids::Digest, projection::Label, units::Timestamp, view::CampaignView};
use sonar_web::{
    Face, extract,
    pages::{Pages, PublicRpc},
    problem,
};
use tasks::{Fault, Tasks};
use tokens::TokenCache;

/// Delay before the first retry when the chain does not answer; doubles up to the limit.
const CHAIN_RETRY: Duration = Duration::from_millis(250);
const CHAIN_RETRY_LIMIT: Duration = Duration::from_secs(10);
/// Time limit for open requests when the server stops.
const GRACEFUL_STOP: Duration = Duration::from_secs(5);

/// Settings of a server.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// Directory of the IPFS repository, and of the index if there is no `database`.
    pub home: PathBuf,
    /// PostgreSQL database that several servers share.
    pub database: Option<DatabaseUrl>,
    /// Address of the HTTP API.
    pub listen: SocketAddr,
    /// Address of the embedded IPFS node.
    pub ipfs_listen: ipfs::Multiaddr,
    /// External IPFS node that is used instead.
    pub kubo: Option<ipfs::KuboConfig>,
    /// Time between two queries of the chain.
    pub poll: Duration,
    /// Confirmations: blocks that must follow before an event is indexed.
    pub confirmations: u64,
    /// How long to wait for the Capsule's own settlement before the relay sends it.
    pub relay_after: Duration,
    /// JSON-RPC at which the pages read the chain themselves.
    pub public_rpc: Option<PublicRpc>,
}

/// Why a server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Another server uses the same directory.
    #[error("another `sonar serve` uses {}; stop it, or choose another --home", .0.display())]
    Busy(PathBuf),
    /// A file cannot be made.
    #[error(transparent)]
    File(#[from] files::FileError),
    /// The address is in use or not available.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The system's error.
        source: io::Error,
    },
    /// The index failed.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The store of the pending settlements failed.
    #[error(transparent)]
    Settlements(#[from] settlements::SettlementsError),
    /// The IPFS node failed.
    #[error("the IPFS node cannot start: {0}")]
    Ipfs(#[from] ipfs::IpfsError),
}

/// What handlers share.
#[derive(Debug)]
struct App {
    chain: chain::Client,
    index: Arc<Index>,
    shelf: Arc<Shelf>,
    metrics: Arc<Metrics>,
    tokens: TokenCache,
    node: Arc<ipfs::Node>,
    /// `None` without an account to pay for transactions.
    relay: Option<Arc<Relay<adapters::Settlements>>>,
    started: Instant,
    stopping: watch::Receiver<bool>,
    fault: watch::Receiver<Fault>,
}

impl App {
    /// Time at which a transaction sent now would be executed.
    fn now(&self) -> Timestamp {
        self.index.progress().borrow().head.map_or(Timestamp::EPOCH, |head| head.time)
    }

    /// What lists show of a campaign's manifest, if the hub has it.
    fn label(&self, view: &CampaignView) -> Option<Label> {
        self.shelf.manifest(Digest(view.terms.manifest.0)).as_deref().map(Label::from)
    }
}

/// A running server.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    app: Arc<App>,
    stop: watch::Sender<bool>,
    tasks: Tasks,
    _lock: File,
}

impl Server {
    /// Starts answering. The index may still be catching up: see [`Server::caught_up`].
    ///
    /// # Errors
    /// A file, the address or the IPFS node is unavailable.
    pub async fn start(config: ServerConfig, chain: chain::Client) -> Result<Self, ServeError> {
        files::private_directory(&config.home)?;
        let lock = lock(&config)?;
        let deployment = *chain.deployment();
        let identity = ContractIdentity { chain_id: deployment.chain_id, contract: deployment.campaigns };
        let database = match config.database {
            None => Database::Directory(config.home.clone()),
            Some(url) => Database::Postgres(url),
        };
        let (index, opened) = Index::open(&database, identity, &config.home).await?;
        log_opened(&opened);
        let settlements = settlements::open(&database, identity).await?;
        let hub = ipfs::NodeConfig::hub(config.home.join("ipfs"), config.ipfs_listen.clone());
        let node = ipfs::Node::start(hub.through(config.kubo.clone())).await?;
        let node = Arc::new(node);
        let listener = TcpListener::bind(config.listen)
            .await
            .map_err(|source| ServeError::Listen { address: config.listen, source })?;
        let address = listener.local_addr().map_err(|source| ServeError::Listen { address: config.listen, source })?;

        let (stop, stopping) = watch::channel(false);
        let mut tasks = Tasks::new(stopping.clone());
        let metrics = Arc::new(Metrics::default());
        let relay = chain.address().is_some().then(|| {
            let settler = adapters::Settlements::new(chain.clone());
            Arc::new(Relay::new(settler, index.clone(), settlements, metrics.clone(), config.relay_after))
        });
        let app = Arc::new(App {
            chain: chain.clone(),
            index: index.clone(),
            shelf: Arc::default(),
            metrics: metrics.clone(),
            tokens: TokenCache::default(),
            node: node.clone(),
            relay: relay.clone(),
            started: Instant::now(),
            stopping: stopping.clone(),
            fault: tasks.fault(),
        });

        let source = adapters::ChainSource::new(chain);
        let indexer = Indexer::new(index.clone(), source, deployment.block, config.confirmations);
        tasks.start("index", follow(indexer, app.clone(), config.poll, stopping.clone()));
        let hub = Hub::new(adapters::HubNode::new(node), index, app.shelf.clone(), metrics);
        tasks.start("hub", hub.run(stopping.clone()));
        if let Some(relay) = relay {
            tasks.start("relay", relay.run(stopping.clone()));
        }
        tasks.start("money watch", watch_money::run(app.clone(), stopping.clone()));
        let pages = Pages::new(Face::Public).connect_to(config.public_rpc);
        tasks.start("HTTP interface", answer(listener, api::router(app.clone(), pages), stopping));
        Ok(Self { address, app, stop, tasks, _lock: lock })
    }

    /// Address of the HTTP API.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Addresses at which its IPFS node can be dialled.
    #[must_use]
    pub fn ipfs_addresses(&self) -> Vec<String> {
        self.app.node.addresses().iter().map(ToString::to_string).collect()
    }

    /// Returns when all confirmed blocks are indexed.
    pub async fn caught_up(&self) {
        // Cannot fail: the index lives as long as `self`.
        let _ = self.app.index.progress().wait_for(crate::index::IndexProgress::caught_up).await;
    }

    /// Returns the reason when one of the server's tasks has ended; only a restart repairs that.
    pub async fn failed(&self) -> String {
        let mut fault = self.tasks.fault();
        match fault.wait_for(Option::is_some).await.map(|fault| fault.clone()) {
            Ok(Some(reason)) => reason,
            // Cannot fail: the sender lives as long as `self`.
            _ => std::future::pending().await,
        }
    }

    /// Ends open streams, waits for open requests, and closes index and IPFS node.
    pub async fn stop(mut self) {
        // Fails only if all tasks have ended.
        let _ = self.stop.send(true);
        let ended = timeout(GRACEFUL_STOP, self.tasks.join()).await;
        if ended.is_err() {
            tracing::warn!("some requests did not end in time");
            self.tasks.abort().await;
        }
        self.app.index.close().await;
        if let Some(relay) = &self.app.relay {
            relay.close().await;
        }
        // The last reference, unless a request exceeded its time limit.
        if let Some(node) = Arc::into_inner(self.app).and_then(|app| Arc::into_inner(app.node)) {
            node.shutdown().await;
        }
    }
}

fn lock(config: &ServerConfig) -> Result<File, ServeError> {
    let path = config.home.join("serve.lock");
    let file = File::create(&path).map_err(files::FileError::new("create", &path))?;
    file.try_lock().map_err(|_| ServeError::Busy(config.home.clone()))?;
    Ok(file)
}

fn log_opened(opened: &OpenOutcome) {
    match opened {
        OpenOutcome::Continued => {}
        OpenOutcome::Fresh => tracing::info!("there is no index yet; reading the chain from the start"),
        OpenOutcome::Replaced(reason) => {
            tracing::warn!(%reason, "the index cannot be used; reading the chain from the start");
        }
    }
}

/// Keeps the index up to date.
async fn follow<S: Source>(
    mut indexer: Indexer<S>,
    app: Arc<App>,
    poll: Duration,
    mut stopping: watch::Receiver<bool>,
) {
    let mut pause = CHAIN_RETRY;
    let mut rollbacks = 0;
    while !*stopping.borrow() {
        let (wait, reached) = tokio::select! {
            result = indexer.catch_up() => match result {
                Ok(()) => {
                    pause = CHAIN_RETRY;
                    (poll, true)
                }
                Err(error) => {
                    tracing::warn!(%error, "the index failed; retrying");
                    pause = (pause * 2).min(CHAIN_RETRY_LIMIT);
                    (pause, false)
                }
            },
            _ = stopping.changed() => break,
        };
        while rollbacks < app.index.rollbacks() {
            rollbacks += 1;
            app.metrics.rollback();
        }
        // A server that cannot read the chain leaves the lease to others.
        let rested = tokio::select! {
            rested = indexer.rest(wait, reached) => rested,
            _ = stopping.changed() => break,
        };
        if let Err(error) = rested {
            tracing::warn!(%error, "cannot read the index; retrying");
            tokio::select! {
                () = tokio::time::sleep(CHAIN_RETRY) => {}
                _ = stopping.changed() => {}
            }
        }
    }
}

async fn answer(listener: TcpListener, router: Router, mut stopping: watch::Receiver<bool>) {
    let stopped = async move {
        // An error means that the server is gone, which also ends the task.
        let _ = stopping.wait_for(|&stop| stop).await;
    };
    if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(stopped).await {
        tracing::error!(%error, "the HTTP interface failed");
    }
}
