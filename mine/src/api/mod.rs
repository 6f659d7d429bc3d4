//! The pages of a Mine and their API, inside `mine run`.
//!
//! Handlers read the snapshot that the run loop publishes, and never block the loop. Everything needs a session of the
//! guard; what spends money needs the passphrase too. No row and no cell of a data set leaves through here.
//!
//! ```text
//!  run loop ──LoopSnapshot──► handlers, events        pause.json ──► run loop
//!     │                          ▲     │                 ▲
//!     └─────────► books ─────────┘     └── pause, resume ┘
//!                (chain: balance, fees, tokens)
//! ```

mod books;
mod dto;
mod events;
mod routes;
mod views;

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, OnceLock},
    time::Duration,
};

use alloy::primitives::Address;
use sonar_node::{
    chain::Client,
    cli::{Code, Failure},
    config::Config,
    ipfs::Node,
    vault::SecretStore,
};
use sonar_web::{Face, guard::Guard, pages::Pages};
use tokio::{
    net::TcpListener,
    sync::{Mutex, Notify, Semaphore, watch},
    task::JoinHandle,
    time::timeout,
};

use self::{books::Books, events::Changes};
use crate::{home::MineHome, run::LoopSnapshot};

/// Where the pages are served unless `--listen` says otherwise.
pub const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8070);
/// Maximum number of open event streams.
const STREAMS: usize = 64;
/// Time limit for open requests when the Mine stops.
const GRACEFUL_STOP: Duration = Duration::from_secs(3);

/// What handlers share.
struct App {
    me: Address,
    home: MineHome,
    config: Config,
    store: Arc<dyn SecretStore>,
    feed: watch::Receiver<LoopSnapshot>,
    books: watch::Receiver<Arc<Books>>,
    changes: watch::Receiver<Changes>,
    stopping: watch::Receiver<bool>,
    /// Chain and IPFS, once they have answered.
    services: OnceLock<Services>,
    /// Lets the run loop notice changed files.
    wake: Arc<Notify>,
    /// One withdrawal at a time.
    withdrawing: Mutex<()>,
    streams: Arc<Semaphore>,
}

/// Connections of the Mine.
struct Services {
    /// With the Mine's account.
    client: Client,
    node: Arc<Node>,
}

/// What the server needs from the Mine.
pub struct ServerParts {
    /// The Mine's account.
    pub me: Address,
    /// Its home.
    pub home: MineHome,
    /// Its configuration.
    pub config: Config,
    /// Its vault.
    pub store: Arc<dyn SecretStore>,
    /// Snapshots of the run loop.
    pub feed: watch::Receiver<LoopSnapshot>,
    /// Wakes the run loop.
    pub wake: Arc<Notify>,
}

impl std::fmt::Debug for ServerParts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerParts").field("me", &self.me).field("home", &self.home).finish_non_exhaustive()
    }
}

/// The running server of the pages.
pub struct MineServer {
    address: SocketAddr,
    app: Arc<App>,
    guard: Arc<Guard>,
    books: watch::Sender<Arc<Books>>,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

impl std::fmt::Debug for MineServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MineServer").field("address", &self.address).finish_non_exhaustive()
    }
}

impl MineServer {
    /// Starts answering at this address, or else at [`LISTEN`], or at a free port if that one is taken.
    ///
    /// # Errors
    /// When the address is not a loopback address or not available, or the home cannot be written.
    pub async fn start(listen: Option<SocketAddr>, parts: ServerParts) -> Result<Self, Failure> {
        let listener = bind(listen).await?;
        let address = listener.local_addr().map_err(|error| unavailable(LISTEN, &error))?;
        let (stop, stopping) = watch::channel(false);
        let books = watch::Sender::<Arc<Books>>::default();
        let changes = watch::Sender::new(Changes::of_run(rand::random()));
        let home = parts.home.clone();
        let check = move |passphrase: &str| home.signer(passphrase).map(drop);
        let guard = Arc::new(Guard::new(Face::Mine, address)?.with_passphrase(check));
        guard.publish(parts.home.path())?;
        let app = Arc::new(App {
            me: parts.me,
            home: parts.home,
            config: parts.config,
            store: parts.store,
            feed: parts.feed.clone(),
            books: books.subscribe(),
            changes: changes.subscribe(),
            stopping: stopping.clone(),
            services: OnceLock::new(),
            wake: parts.wake,
            withdrawing: Mutex::default(),
            streams: Arc::new(Semaphore::new(STREAMS)),
        });
        let router = routes::router(app.clone()).merge(Pages::new(Face::Mine).router());
        let router = guard.clone().protect(router);
        let tasks = vec![
            tokio::spawn(answer(listener, router, stopping)),
            tokio::spawn(events::follow(parts.feed, books.subscribe(), changes)),
        ];
        Ok(Self { address, app, guard, books, stop, tasks })
    }

    /// The address at which it answers.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The link that opens the pages, once.
    #[must_use]
    pub fn link(&self) -> String {
        self.guard.link()
    }

    /// Gives the handlers chain and IPFS, when both have answered.
    pub fn connect(&mut self, client: Client, node: Arc<Node>) {
        let keep = books::keep(client.clone(), self.app.me, self.app.feed.clone(), self.books.clone());
        if self.app.services.set(Services { client, node }).is_ok() {
            self.tasks.push(tokio::spawn(keep));
        }
    }

    /// Ends open streams and waits for open requests.
    pub async fn stop(self) {
        // Fails only if the server has ended.
        let _ = self.stop.send(true);
        let mut tasks = self.tasks;
        let server = tasks.remove(0);
        tasks.iter().for_each(JoinHandle::abort);
        if timeout(GRACEFUL_STOP, server).await.is_err() {
            tracing::warn!("some requests of the pages did not end in time");
        }
    }
}

async fn bind(listen: Option<SocketAddr>) -> Result<TcpListener, Failure> {
    let address = listen.unwrap_or(LISTEN);
    // Before the socket exists, so that other machines never reach it.
    Guard::new(Face::Mine, address)?;
    match TcpListener::bind(address).await {
        Err(error) if listen.is_none() && error.kind() == io::ErrorKind::AddrInUse => {
            let free = SocketAddr::new(address.ip(), 0);
            let listener = TcpListener::bind(free).await.map_err(|error| unavailable(free, &error))?;
            tracing::warn!("port {} is in use; the pages are on another port; choose one with --listen", LISTEN.port());
            Ok(listener)
        }
        bound => bound.map_err(|error| unavailable(address, &error)),
    }
}

fn unavailable(address: SocketAddr, error: &io::Error) -> Failure {
    Failure::new(Code::Listen, format!("cannot listen on {address}: {error}"))
        .help("choose another address with --listen, or pass --no-ui to serve no pages")
}

async fn answer(listener: TcpListener, router: axum::Router, mut stopping: watch::Receiver<bool>) {
    let stopped = async move {
        // An error means that the Mine is gone, which also ends the server.
        let _ = stopping.wait_for(|&stop| stop).await;
    };
    if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(stopped).await {
        tracing::error!(%error, "the pages' server failed");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_taken_default_port_is_replaced_and_a_chosen_one_is_not() {
        // Fails if another program listens there; then the port is taken as well.
        let _taken = TcpListener::bind(LISTEN).await;
        let listener = bind(None).await.unwrap();
        let address = listener.local_addr().unwrap();
        assert!(address.ip().is_loopback() && address.port() != LISTEN.port());
        let failure = bind(Some(address)).await.unwrap_err();
        assert_eq!(failure.code, Code::Listen);
        assert!(failure.help.unwrap().contains("--listen"));
    }

    #[tokio::test]
    async fn attack_pages_are_never_served_to_other_machines() {
        for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:8070"] {
            let failure = bind(Some(address.parse().unwrap())).await.unwrap_err();
            assert_eq!(failure.code, Code::Listen, "{address}");
            assert!(failure.message.contains("not a loopback address"), "{failure}");
        }
    }
}
