//! `sonar serve`: an index of public facts, a hub for public content, a relay for settlements, and an HTTP interface.
//!
//! Sonar holds no data, no model, no secret but its own account's key, and no custody of money: everything here can
//! be lost and is rebuilt from the chain and from those who made it.

mod adapters;
mod api;
mod dto;
mod event_id;
mod extract;
mod hub;
mod live;
mod metrics;
mod pins;
mod problem;
mod relay;
mod settlements;
mod sse;
mod tasks;
mod watch_money;

use std::{
    fs::File,
    io,
    net::SocketAddr,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{net::TcpListener, sync::watch, time::timeout};

pub use dto::{Artefact, CampaignPage, EventView, Info, Page, RelayReceipt};
pub use problem::Problem;

use crate::index::{ContractIdentity, Database, DatabaseUrl, Index, IndexError, Indexer, OpenOutcome, Source};
use hub::{Hub, Shelf};
use metrics::Metrics;
use relay::Relay;
use sonar_node::{chain, files, ipfs};
use tasks::{Fault, Tasks};

/// How long to wait between attempts to reach a chain that does not answer: this, doubled, up to the limit.
const CHAIN_RETRY: Duration = Duration::from_millis(250);
const CHAIN_RETRY_LIMIT: Duration = Duration::from_secs(10);
/// How long open requests have to end when the server stops.
const GRACEFUL_STOP: Duration = Duration::from_secs(5);

/// How a server runs.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where its IPFS repository is, and its index if there is no `database`.
    pub home: PathBuf,
    /// A database that it shares with other servers.
    pub database: Option<DatabaseUrl>,
    /// Where it answers.
    pub listen: SocketAddr,
    /// Where its IPFS node answers.
    pub ipfs_listen: ipfs::Multiaddr,
    /// A Kubo to be used instead.
    pub kubo: Option<ipfs::KuboConfig>,
    /// Time between looks at the chain.
    pub poll: Duration,
    /// Blocks that must follow before an event is indexed.
    pub confirmations: u64,
    /// How long a Capsule's own settlement has to arrive before the relay sends it.
    pub relay_after: Duration,
}

/// Why a server cannot run.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Another server uses the same directory.
    #[error("another sonar serve uses {}", .0.display())]
    Busy(PathBuf),
    /// A file cannot be made.
    #[error(transparent)]
    File(#[from] files::FileError),
    /// The address is taken or not ours.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
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
    node: Arc<ipfs::Node>,
    /// `None` without an account to pay for transactions.
    relay: Option<Arc<Relay<adapters::Settlements>>>,
    started: Instant,
    stopping: watch::Receiver<bool>,
    fault: watch::Receiver<Fault>,
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
    /// A file, a port or the IPFS node cannot be had.
    pub async fn start(config: Config, chain: chain::Client) -> Result<Self, ServeError> {
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
        tasks.start("HTTP interface", answer(listener, app.clone(), stopping));
        Ok(Self { address, app, stop, tasks, _lock: lock })
    }

    /// Where it answers.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where its IPFS node can be dialled.
    #[must_use]
    pub fn ipfs_addresses(&self) -> Vec<String> {
        self.app.node.addresses().iter().map(ToString::to_string).collect()
    }

    /// Returns when everything that the chain says is indexed.
    pub async fn caught_up(&self) {
        // Fails only when the index is gone, and it is kept here.
        let _ = self.app.index.progress().wait_for(crate::index::IndexProgress::caught_up).await;
    }

    /// Returns, with the reason, when one of the server's tasks has ended: nothing repairs that but a new start.
    pub async fn failed(&self) -> String {
        let mut fault = self.tasks.fault();
        match fault.wait_for(Option::is_some).await.map(|fault| fault.clone()) {
            Ok(Some(reason)) => reason,
            // The sender is kept here, so that nothing else happens.
            _ => std::future::pending().await,
        }
    }

    /// Ends open streams, lets requests end, closes index and IPFS node.
    pub async fn stop(mut self) {
        // Nobody listens any more if all tasks have ended.
        let _ = self.stop.send(true);
        let ended = timeout(GRACEFUL_STOP, self.tasks.join()).await;
        if ended.is_err() {
            tracing::warn!("some requests did not end in time");
            self.tasks.abort().await;
        }
        self.app.index.store().close().await;
        if let Some(relay) = &self.app.relay {
            relay.close().await;
        }
        // All who shared the node have ended, unless a request outlived its time.
        if let Some(node) = Arc::into_inner(self.app).and_then(|app| Arc::into_inner(app.node)) {
            node.shutdown().await;
        }
    }
}

fn lock(config: &Config) -> Result<File, ServeError> {
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
                    tracing::warn!(%error, "the index cannot go on; trying again");
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
        // A server that cannot read the chain leaves following it to others.
        let rested = tokio::select! {
            rested = indexer.rest(wait, reached) => rested,
            _ = stopping.changed() => break,
        };
        if let Err(error) = rested {
            tracing::warn!(%error, "the index cannot be read; trying again");
            tokio::select! {
                () = tokio::time::sleep(CHAIN_RETRY) => {}
                _ = stopping.changed() => {}
            }
        }
    }
}

async fn answer(listener: TcpListener, app: Arc<App>, mut stopping: watch::Receiver<bool>) {
    let stopped = async move {
        // An error means that the server is gone, which is the same.
        let _ = stopping.wait_for(|&stop| stop).await;
    };
    if let Err(error) = axum::serve(listener, api::router(app)).with_graceful_shutdown(stopped).await {
        tracing::error!(%error, "the HTTP interface failed");
    }
}
