//! `sonar ui`: the data scientist's desk, a server for one person on this machine.
//!
//! The pages only ask. Planning, sealing, decryption and audit are the functions of [`crate::scientist`], which the commands call too; keys are
//! in memory while their owner has unlocked them. What is public comes from the configured Sonar, through [`proxy`]: if that does not answer,
//! the rest works.
//!
//! | what | module |
//! | --- | --- |
//! | routes, and their OpenAPI document | `api`, `dto` |
//! | which keys are in memory | `accounts` |
//! | from a plan to a launch | `plans`, `launches` |
//! | what comes after the delivery | `results`, `audits` |
//! | money back | `actions` |
//! | changes, for the pages | `events` |

mod accounts;
mod actions;
mod api;
mod audits;
mod dto;
mod events;
mod launches;
mod plans;
mod proxy;
mod results;

use std::{
    fmt::Display,
    fs::File,
    future::Future,
    io,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use sonar_contracts::Deployment;
use sonar_node::{
    account::AccountName,
    chain::Client,
    cli::{Code, Failure},
    config::Config,
    discovery::{self, DiscoveryError, SonarInfo},
    files::{self, FileError},
};
use sonar_protocol::{
    ids::CampaignId,
    view::{CampaignView, World},
};
use sonar_web::{Face, guard::Guard, problem::Problem};
use tokio::{
    net::TcpListener,
    runtime::Handle,
    sync::watch,
    time::{sleep_until, timeout},
};

use accounts::Accounts;
use events::{Events, Notice};
use launches::Launches;
use plans::Plans;
use proxy::Proxy;
use results::Results;

use crate::scientist::{Progress, Workspace};

/// Port of the pages, unless it is in use.
const PORT: u16 = 8081;
/// Time limit to ask chain and Sonar for their state.
const PATIENCE: Duration = Duration::from_secs(3);
/// Time limit for open requests when the desk stops.
const GRACEFUL_STOP: Duration = Duration::from_secs(5);

/// What handlers share.
pub struct Desk {
    workspace: Workspace,
    guard: Arc<Guard>,
    accounts: Arc<Accounts>,
    plans: Plans,
    launches: Launches,
    results: Results,
    proxy: Proxy,
    events: Arc<Events>,
    /// The contracts that Sonar has named.
    contracts: Mutex<Option<Deployment>>,
    stopping: watch::Receiver<bool>,
}

impl Desk {
    /// A client that only reads. If Sonar has named the contracts before, it need not answer now.
    async fn reader(&self) -> Result<Client, Failure> {
        let Config { rpc, sonar, contracts, .. } = &self.workspace.config;
        let (Some(rpc), Some(sonar), None) = (rpc, sonar, contracts) else {
            return self.workspace.reader().await;
        };
        let known = *self.contracts.lock().unwrap_or_else(PoisonError::into_inner);
        let deployment = match (discovery::get::<SonarInfo>(sonar, "info", PATIENCE).await, known) {
            (Ok(info), _) => info.contracts,
            (Err(DiscoveryError::Unreachable { .. }), Some(known)) => known,
            (Err(error), _) => return Err(error.into()),
        };
        let client = Client::connect(rpc, deployment, None).await?;
        *self.contracts.lock().unwrap_or_else(PoisonError::into_inner) = Some(deployment);
        Ok(client)
    }

    /// A campaign by its whole id.
    fn campaign<'w>(&self, world: &'w World, id: CampaignId) -> Result<&'w CampaignView, Failure> {
        world.campaign(id).ok_or_else(|| {
            Failure::new(Code::UnknownCampaign, format!("there is no campaign {id} on this contract"))
                .help("a new one appears when its block is confirmed")
        })
    }

    /// Tells the pages that an account has changed.
    fn account_changed(&self, name: &AccountName) {
        self.events.publish(Notice::Accounts { account: name.to_string() });
    }

    /// Drops the keys of an account, and what they have decrypted.
    fn lock(&self, name: &AccountName) {
        self.accounts.lock(name);
        self.forget(name);
    }

    fn forget(&self, name: &AccountName) {
        self.plans.forget(name);
        self.results.forget(name);
        self.account_changed(name);
    }

    /// Locks an account at this time, unless it is unlocked for longer by then.
    fn lock_at(self: &Arc<Self>, name: AccountName, until: Instant) {
        let desk = Arc::downgrade(self);
        tokio::spawn(async move {
            sleep_until(until.into()).await;
            if let Some(desk) = desk.upgrade()
                && desk.accounts.expire(&name, Instant::now())
            {
                desk.forget(&name);
            }
        });
    }
}

/// Runs work that computes on a thread of its own, so that others are answered meanwhile. It continues if the browser goes away.
async fn aside<T, F>(work: impl FnOnce() -> F + Send + 'static) -> Result<T, Problem>
where
    F: Future<Output = Result<T, Failure>>,
    T: Send + 'static,
{
    let handle = Handle::current();
    let done = tokio::task::spawn_blocking(move || handle.block_on(work())).await;
    done.map_err(|error| Problem::internal(&error))?.map_err(Problem::from)
}

/// Collects warnings of a work; what it does meanwhile is not shown.
#[derive(Debug, Default)]
struct Warnings(Mutex<Vec<String>>);

impl Warnings {
    fn into_list(self) -> Vec<String> {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Progress for Warnings {
    fn note(&self, _: &dyn Display) {}

    fn warn(&self, text: &dyn Display) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(text.to_string());
    }
}

/// The lock of a home's desk: there is one at a time.
#[derive(Debug)]
pub struct DeskLock {
    _file: File,
}

impl DeskLock {
    /// Locks the desk of a home; `None` if it runs already.
    pub fn take(home: &Path) -> Result<Option<Self>, FileError> {
        files::private_directory(home)?;
        let path = home.join("ui.lock");
        let file = File::create(&path).map_err(FileError::new("create", &path))?;
        Ok(file.try_lock().is_ok().then_some(Self { _file: file }))
    }
}

/// Binds the address of the pages: the given one, or the usual one, or any free one.
async fn bind(listen: Option<SocketAddr>) -> Result<TcpListener, Failure> {
    let local = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let refused = |address: SocketAddr, error: io::Error| {
        Failure::new(Code::Listen, format!("cannot listen on {address}: {error}"))
    };
    if let Some(address) = listen {
        // Refused before anybody could connect.
        Guard::new(Face::Desk, address)?;
        return TcpListener::bind(address).await.map_err(|error| refused(address, error));
    }
    match TcpListener::bind(local(PORT)).await {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            TcpListener::bind(local(0)).await.map_err(|error| refused(local(0), error))
        }
        bound => bound.map_err(|error| refused(local(PORT), error)),
    }
}

/// A running desk.
pub struct DeskServer {
    guard: Arc<Guard>,
    stop: watch::Sender<bool>,
    task: tokio::task::JoinHandle<io::Result<()>>,
    _lock: DeskLock,
}

impl DeskServer {
    /// Starts answering, and writes the link to the home.
    pub async fn start(workspace: Workspace, listen: Option<SocketAddr>, lock: DeskLock) -> Result<Self, Failure> {
        let listener = bind(listen).await?;
        let address = listener.local_addr().map_err(Failure::internal)?;
        let accounts = Arc::new(Accounts::new(workspace.home.clone()));
        let known = accounts.clone();
        let guard = Guard::new(Face::Desk, address)?.with_passphrase(move |passphrase| known.reenter(passphrase));
        let guard = Arc::new(guard);
        let events = Arc::new(Events::new());
        let (stop, stopping) = watch::channel(false);
        let desk = Arc::new(Desk {
            guard: guard.clone(),
            accounts,
            plans: Plans::default(),
            launches: Launches::load(&workspace.home, events.clone())?,
            results: Results::default(),
            proxy: Proxy::new(workspace.config.sonar.as_deref())?,
            events,
            contracts: Mutex::default(),
            stopping: stopping.clone(),
            workspace,
        });
        let router = guard.clone().protect(api::router(desk.clone()));
        guard.publish(&desk.workspace.home)?;
        let mut stopping = stopping;
        let stopped = async move {
            // Fails only if the server is gone.
            let _ = stopping.wait_for(|&stop| stop).await;
        };
        let task = tokio::spawn(async move { axum::serve(listener, router).with_graceful_shutdown(stopped).await });
        Ok(Self { guard, stop, task, _lock: lock })
    }

    /// The link that opens the pages, once.
    pub fn link(&self) -> String {
        self.guard.link()
    }

    /// Ends streams and waits for open requests. Launches that are running are interrupted, and can be resumed.
    pub async fn stop(self) {
        // Fails only if the task has ended.
        let _ = self.stop.send(true);
        if timeout(GRACEFUL_STOP, self.task).await.is_err() {
            tracing::warn!("some requests did not end in time");
        }
    }
}
