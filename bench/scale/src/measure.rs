//! The measurement: the programs start on fresh homes, read the history, are restarted, asked and listened to.

use std::{
    collections::BTreeMap,
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, RwLock},
    time::Duration,
};

use alloy::primitives::{Address, B256, hex};
use hyper::StatusCode;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{
    contract,
    history::{self, History, Size},
    http::{Connection, HttpError},
    load::{self, RouteFigures, StreamFigures},
    process::{self, Daemon, ProcessError, Programs},
    routes::{self, Route},
    rpc::{Node, NodeLimits, SharedChain},
};

/// A chain that no program knows, so that none takes it for a local one.
const CHAIN_ID: u64 = 560_001;
/// Blocks that must follow before the programs believe an event: their default for chains that are not local.
const CONFIRMATIONS: u64 = 12;
/// Time between the programs' looks at the chain: that of a local one.
const POLL_MS: u64 = 250;
/// How long a program has to become ready.
const READY_TIMEOUT: Duration = Duration::from_secs(3_600);
/// Time between looks whether it is.
const LOOK: Duration = Duration::from_millis(10);
/// How long all streams have to get an event.
const STREAM_PATIENCE: Duration = Duration::from_secs(60);
/// Campaigns and miners that are asked for in turn.
const SAMPLE: usize = 40;
/// Pages that are followed from the first, for some paths of a paged route.
const PAGES: usize = 5;
/// Requests without load, to find out which artefacts there are.
const PROBES: usize = 40;
const DOCUMENT: &str = "/api/v1/openapi.json";
const CAMPAIGN: &str = "/api/v1/campaigns";

/// What to measure.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The programs.
    pub programs: Programs,
    /// How long the history is.
    pub size: Size,
    /// Where it starts from.
    pub seed: u64,
    /// What the node refuses.
    pub limits: NodeLimits,
    /// Clients that ask at the same time.
    pub clients: usize,
    /// Requests to each route; none leaves routes and streams out.
    pub requests: usize,
    /// Clients that listen at the same time.
    pub streams: usize,
    /// A folder for the homes, which is emptied.
    pub folder: PathBuf,
}

/// Why the measurement ended early.
#[derive(Debug, thiserror::Error)]
pub enum MeasureError {
    /// A program failed.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// A program's HTTP interface failed.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// A file cannot be written.
    #[error("cannot write the programs' homes: {0}")]
    File(#[from] io::Error),
    /// A program reads the chain too slowly, or not at all.
    #[error("`{program}` was not ready within {} s", READY_TIMEOUT.as_secs())]
    NotReady {
        /// Its name.
        program: &'static str,
    },
    /// A program answers with something unexpected.
    #[error("{0}")]
    Unexpected(String),
}

/// A start of a program: how long until it was ready, and the most memory that it had.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Start {
    /// Seconds until it was ready.
    pub seconds: f64,
    /// The most memory until it was stopped.
    pub peak_bytes: u64,
}

/// What was measured of a history.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures {
    /// How many events the history has.
    pub events: usize,
    /// How many blocks.
    pub blocks: u64,
    /// `sonar serve` on a fresh home.
    pub index: Start,
    /// `sonar serve` again.
    pub restart: Start,
    /// Seconds until `sonar serve` had stopped.
    pub stop_seconds: f64,
    /// Bytes of its home.
    pub disk_bytes: u64,
    /// `mine run` on a fresh home.
    pub mine: Start,
    /// `mine run` again.
    pub mine_restart: Start,
    /// What was answered under load, by route.
    pub routes: BTreeMap<String, RouteFigures>,
    /// The event streams.
    pub streams: StreamFigures,
}

/// Measures. `say` reports progress.
///
/// # Errors
/// When a program fails.
pub async fn measure(plan: &Plan, say: &dyn Fn(&str)) -> Result<Figures, MeasureError> {
    if plan.folder.exists() {
        fs::remove_dir_all(&plan.folder)?;
    }
    fs::create_dir_all(&plan.folder)?;
    let Size { campaigns, submissions, miners } = plan.size;
    say(&format!("making a history of {submissions} submissions of {miners} miners to {campaigns} campaigns"));
    let (history, chain) = History::generate(plan.size, plan.seed, contract::made_up(CHAIN_ID));
    let (events, blocks) = (chain.events(), chain.head());
    let bench = Bench { plan, chain: Arc::new(RwLock::new(chain)), history, say };
    let figures = bench.run().await?;
    fs::remove_dir_all(&plan.folder)?;
    Ok(Figures { events, blocks, ..figures })
}

struct Bench<'a> {
    plan: &'a Plan,
    chain: SharedChain,
    history: History,
    say: &'a dyn Fn(&str),
}

/// A running `sonar serve`.
struct Server {
    daemon: Daemon,
    address: SocketAddr,
    seconds: f64,
}

impl Bench<'_> {
    async fn run(mut self) -> Result<Figures, MeasureError> {
        let mut figures = Figures::default();
        let node = Node::start(self.chain.clone(), self.plan.limits).await?;
        let home = self.home("sonar", &node, None)?;

        (self.say)("sonar serve: from scratch");
        let server = self.serve(&home).await?;
        figures.index = Start { seconds: server.seconds, peak_bytes: server.daemon.peak_memory() };
        figures.stop_seconds = server.daemon.stop().await?.as_secs_f64();
        figures.disk_bytes = process::disk_usage(&home);

        (self.say)("sonar serve: restart");
        self.grow();
        let server = self.serve(&home).await?;
        figures.restart.seconds = server.seconds;
        self.mine(&server, &mut figures).await?;
        if self.plan.requests > 0 {
            figures.routes = self.routes(server.address).await?;
            figures.streams = self.streams(server.address).await?;
        }
        figures.restart.peak_bytes = server.daemon.peak_memory();
        server.daemon.stop().await?;
        Ok(figures)
    }

    /// A home with the configuration that every program reads.
    fn home(&self, name: &str, node: &Node, sonar: Option<SocketAddr>) -> Result<PathBuf, MeasureError> {
        let home = self.plan.folder.join(name);
        fs::create_dir_all(&home)?;
        let mut config = format!("rpc = \"{}\"\npoll_ms = {POLL_MS}\nconfirmations = {CONFIRMATIONS}\n", node.url());
        match sonar {
            Some(address) => config.push_str(&format!("sonar = \"http://{address}\"\n")),
            None => {
                let contracts = self.plan.folder.join("contracts.json");
                fs::write(&contracts, json!(contract::made_up(CHAIN_ID)).to_string())?;
                config.push_str(&format!("contracts = {}\n", json!(contracts)));
            }
        }
        fs::write(home.join("config.toml"), config)?;
        Ok(home)
    }

    /// The last block that the programs must have read.
    fn target(&self) -> u64 {
        self.read_chain(|chain| chain.head() - CONFIRMATIONS)
    }

    fn read_chain<T>(&self, read: impl FnOnce(&crate::chain::Chain) -> T) -> T {
        read(&self.chain.read().expect("nobody panics while changing the chain"))
    }

    /// One more event that the programs must believe.
    fn grow(&mut self) {
        let mut chain = self.chain.write().expect("nobody panics while changing the chain");
        self.history.append_submission(&mut chain);
        self.history.append_empty(CONFIRMATIONS, &mut chain);
    }

    /// Starts `sonar serve` and waits until it is ready and has read the chain.
    async fn serve(&self, home: &Path) -> Result<Server, MeasureError> {
        let ready = home.join("ready.json");
        forget(&ready)?;
        let mut command = self.plan.programs.command("sonar")?;
        command.args(["serve", "--no-input", "--listen", "127.0.0.1:0", "--home"]).arg(home);
        let mut daemon = Daemon::start("sonar serve", command, &self.plan.folder.join("sonar.log"))?;
        let announced = announcement(&mut daemon, "sonar serve", &ready).await?;
        let url = announced["http"].as_str().and_then(|url| url.strip_prefix("http://"));
        let address = url.and_then(|address| address.parse().ok());
        let address =
            address.ok_or_else(|| MeasureError::Unexpected(format!("ready.json names no address: {announced}")))?;
        let mut connection = Connection::open(address).await?;
        let target = self.target();
        loop {
            let is_ready = connection.get("/readyz").await?.status == StatusCode::OK;
            if is_ready && connection.json("/api/v1/info").await?["block"].as_u64() >= Some(target) {
                let seconds = daemon.started.elapsed().as_secs_f64();
                return Ok(Server { daemon, address, seconds });
            }
            wait(&mut daemon, "sonar serve").await?;
        }
    }

    /// A Mine reads the chain, is stopped, and starts again.
    async fn mine(&mut self, server: &Server, figures: &mut Figures) -> Result<(), MeasureError> {
        let node = Node::start(self.chain.clone(), self.plan.limits).await?;
        let home = self.home("mine", &node, Some(server.address))?;
        let (passphrase, key) = (self.plan.folder.join("passphrase"), self.plan.folder.join("key"));
        fs::write(&passphrase, "scale\n")?;
        fs::write(&key, hex::encode(history::first_miner(self.plan.seed).to_bytes()))?;
        let mut init = self.plan.programs.command("mine")?;
        init.args(["init", "--no-input", "--home"]).arg(&home);
        init.arg("--passphrase-file").arg(&passphrase).arg("--key-file").arg(&key);
        process::complete("mine init", init).await?;

        (self.say)("mine run: from scratch");
        figures.mine = self.mine_start(&home, &passphrase, &node).await?;
        (self.say)("mine run: restart");
        self.grow();
        figures.mine_restart = self.mine_start(&home, &passphrase, &node).await?;
        Ok(())
    }

    /// Ready is a Mine that says so and has worked through all events: it has asked its node for the head again.
    async fn mine_start(&self, home: &Path, passphrase: &Path, node: &Node) -> Result<Start, MeasureError> {
        let ready = home.join("ready.json");
        forget(&ready)?;
        node.forget();
        let mut command = self.plan.programs.command("mine")?;
        command.args(["run", "--no-input", "--home"]).arg(home).arg("--passphrase-file").arg(passphrase);
        let mut daemon = Daemon::start("mine run", command, &self.plan.folder.join("mine.log"))?;
        announcement(&mut daemon, "mine run", &ready).await?;
        while node.followed() < self.target() {
            wait(&mut daemon, "mine run").await?;
        }
        let start = Start { seconds: daemon.started.elapsed().as_secs_f64(), peak_bytes: daemon.peak_memory() };
        daemon.stop().await?;
        Ok(start)
    }

    /// Every GET route of the served document under load.
    async fn routes(&self, address: SocketAddr) -> Result<BTreeMap<String, RouteFigures>, MeasureError> {
        let mut connection = Connection::open(address).await?;
        let routes = Route::all(&connection.json(DOCUMENT).await?);
        let values = self.values(&routes, &mut connection).await?;
        let mut figures = BTreeMap::new();
        for route in routes.iter().filter(|route| !route.streams) {
            let paths = route.paths(&values);
            if paths.is_empty() {
                return Err(MeasureError::Unexpected(format!("nothing is known to ask {} for", route.template)));
            }
            (self.say)(&format!("{} clients: GET {}", self.plan.clients, route.template));
            let asked = load::ask(address, &paths, self.plan.clients, self.plan.requests).await?;
            figures.insert(route.template.clone(), asked);
            let pages = pages(route, &paths, &mut connection).await?;
            if let (Some(cursor), false) = (&route.cursor, pages.is_empty()) {
                let asked = load::ask(address, &pages, self.plan.clients, self.plan.requests).await?;
                figures.insert(format!("{}?{cursor}", route.template), asked);
            }
        }
        Ok(figures)
    }

    /// Values for the parameters in the routes' paths: campaigns, miners, and for anything else artefacts that are there.
    async fn values(
        &self,
        routes: &[Route],
        connection: &mut Connection,
    ) -> Result<BTreeMap<String, Vec<String>>, MeasureError> {
        let campaigns: Vec<String> = self.read_chain(|chain| sample(chain.campaigns()).map(B256::to_string).collect());
        let miners = self.read_chain(|chain| sample(chain.miners()).map(Address::to_string).collect());
        let mut names = Vec::new();
        for campaign in campaigns.iter().rev().take(2) {
            names.extend(routes::artefact_names(&connection.json(&format!("{CAMPAIGN}/{campaign}")).await?));
        }
        names.sort_unstable();
        names.dedup();
        let mut values = BTreeMap::from([("id".to_owned(), campaigns), ("address".to_owned(), miners)]);
        for route in routes {
            for parameter in route.parameters() {
                if values.contains_key(parameter) {
                    continue;
                }
                let (mut found, mut others) = (Vec::new(), Vec::new());
                for name in names.iter().take(PROBES) {
                    let only = BTreeMap::from([(parameter.to_owned(), vec![name.clone()])]);
                    for path in route.paths(&only) {
                        let status = connection.get(&path).await?.status;
                        if status == StatusCode::OK { &mut found } else { &mut others }.push(name.clone());
                    }
                }
                values.insert(parameter.to_owned(), if found.is_empty() { others } else { found });
            }
        }
        Ok(values)
    }

    /// Event streams that all get the event of a new block.
    async fn streams(&mut self, address: SocketAddr) -> Result<StreamFigures, MeasureError> {
        let mut connection = Connection::open(address).await?;
        let routes = Route::all(&connection.json(DOCUMENT).await?);
        let Some(route) = routes.into_iter().find(|route| route.streams && route.parameters().next().is_none()) else {
            return Err(MeasureError::Unexpected("the served document has no event stream".into()));
        };
        let count = self.plan.streams;
        (self.say)(&format!("{count} event streams: GET {}", route.template));
        Ok(load::listen(address, &route.template, count, STREAM_PATIENCE, || self.grow()).await?)
    }
}

/// Pages after the first, of some of the paths; none of a route that has no pages.
async fn pages(route: &Route, paths: &[String], connection: &mut Connection) -> Result<Vec<String>, MeasureError> {
    let mut pages = Vec::new();
    if route.cursor.is_none() {
        return Ok(pages);
    }
    for path in paths.iter().take(PAGES) {
        let mut page = path.clone();
        for _ in 0..PAGES {
            let answer = connection.json(&page).await?;
            let Some(next) = answer["next"].as_str().and_then(|next| route.page(path, next)) else {
                break;
            };
            pages.push(next.clone());
            page = next;
        }
    }
    Ok(pages)
}

/// Some of them, evenly spaced, with the first and the last.
fn sample<T>(all: &[T]) -> impl Iterator<Item = &T> {
    let count = all.len().min(SAMPLE);
    (0..count).map(move |place| &all[place * (all.len() - 1) / count.saturating_sub(1).max(1)])
}

fn forget(ready: &Path) -> io::Result<()> {
    match fs::remove_file(ready) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// What a program writes when it is ready.
async fn announcement(daemon: &mut Daemon, program: &'static str, ready: &Path) -> Result<Value, MeasureError> {
    loop {
        if let Some(announced) = fs::read(ready).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()) {
            return Ok(announced);
        }
        wait(daemon, program).await?;
    }
}

async fn wait(daemon: &mut Daemon, program: &'static str) -> Result<(), MeasureError> {
    daemon.check()?;
    if daemon.started.elapsed() > READY_TIMEOUT {
        return Err(MeasureError::NotReady { program });
    }
    sleep(LOOK).await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::sample;

    #[test]
    fn a_sample_has_the_first_and_the_last() {
        let all: Vec<_> = (0..1_000).collect();
        let some: Vec<_> = sample(&all).collect();
        assert_eq!((some.len(), some[0], some[39]), (40, &0, &999));
        assert_eq!(sample(&[7]).collect::<Vec<_>>(), [&7]);
        assert_eq!(sample::<u8>(&[]).count(), 0);
    }
}
