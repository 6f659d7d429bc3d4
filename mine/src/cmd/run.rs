//! `mine run`

use std::{net::SocketAddr, pin::Pin, sync::Arc, time::SystemTime};

use crate::{
    api::{MineServer, ServerParts},
    home::UnlockedMine,
    pause::Pause,
    run::{LoopSnapshot, MineLoop, RunError, Setup},
};
use serde_json::json;
use sonar_node::{
    chain::Client,
    cli::{Ask, Code, Failure, Output, Ready, Report, stop_signal},
    discovery,
    ipfs::Node,
};
use tokio::sync::{Notify, watch};

use super::{Context, repository_failure, store_failure};

/// Serve campaigns until stopped. A Mine opens only outgoing connections, except for its pages on this machine.
#[derive(Debug, clap::Args)]
pub struct Run {
    /// End when nothing is left to do for the campaigns that are open now; serves no pages
    #[arg(long)]
    once: bool,
    /// Address of the pages, on this machine only [default: 127.0.0.1:8070, or a free port if it is taken]
    #[arg(long, env = "MINE_LISTEN", value_name = "ADDR:PORT")]
    listen: Option<SocketAddr>,
    /// Serve no pages
    #[arg(long)]
    no_ui: bool,
}

impl Run {
    pub async fn run(self, context: &Context, output: &Output) -> Result<Report, Failure> {
        let home = &context.home;
        let opened = home.open(&context.passphrase(Ask::Existing)?)?;
        let _lock = home.lock().await?;
        Ready::clear(home.path());
        let done = Report::new(&json!({"address": opened.signer.address(), "once": self.once}), "")?;
        let mut stop = Box::pin(stop_signal());
        let pages =
            if self.once || self.no_ui { None } else { Some(Pages::start(self.listen, context, &opened).await?) };
        if let Some(pages) = &pages {
            output.progress(format!("the pages are at http://{}; `mine ui` opens them", pages.server.address()));
        }
        let mut daemon = Daemon { once: self.once, context, output, opened, pages };
        let served = match daemon.connect(&mut stop).await {
            Ok(Some(connected)) => daemon.work(connected, stop).await,
            Ok(None) => Ok(()),
            Err(failure) => Err(failure),
        };
        if let Some(pages) = daemon.pages {
            pages.server.stop().await;
        }
        Ready::clear(home.path());
        served.map(|()| done)
    }
}

/// An unlocked Mine that is to run.
struct Daemon<'a> {
    once: bool,
    context: &'a Context,
    output: &'a Output,
    opened: UnlockedMine,
    pages: Option<Pages>,
}

impl Daemon<'_> {
    /// Waits for chain, Sonar and IPFS; `None` if the Mine is stopped first.
    async fn connect(
        &self,
        stop: &mut (impl Future<Output = ()> + Unpin),
    ) -> Result<Option<(Client, Arc<Node>)>, Failure> {
        let Self { context, output, opened, .. } = self;
        let connect = || async {
            let client = context.client(Some(opened.signer.clone())).await?;
            Ok((client, Arc::new(discovery::ipfs_node(&context.config, &context.home, output).await?)))
        };
        if self.once {
            return connect().await.map(Some);
        }
        let attempt = || async {
            let connected = connect().await;
            if let (Err(failure), Some(pages)) = (&connected, &self.pages) {
                pages.feed.send_modify(|snapshot| snapshot.chain.problem = Some(failure.message.clone()));
            }
            connected
        };
        discovery::persist(stop, attempt).await
    }

    async fn work(
        &mut self,
        (client, node): (Client, Arc<Node>),
        stop: Pin<Box<impl Future<Output = ()> + Send>>,
    ) -> Result<(), Failure> {
        let (home, config) = (&self.context.home, &self.context.config);
        let (me, chain_id) = (self.opened.signer.address(), client.deployment().chain_id);
        let setup = Setup {
            client: client.clone(),
            me,
            node: node.clone(),
            home: home.path().to_owned(),
            policy: home.policy(),
            pause: home.pause(),
            poll: config.poll(chain_id),
            confirmations: config.confirmations(chain_id),
            once: self.once,
        };
        let mut miner = MineLoop::new(setup, self.opened.store.clone()).map_err(failure)?;
        if let Some(Pages { server, feed, wake }) = &mut self.pages {
            server.connect(client, node);
            miner = miner.with_feed(feed.clone()).with_wake(wake.clone());
        }
        if !self.once {
            let address = self.pages.as_ref().map(|pages| pages.server.address());
            Ready::new(address, Vec::new()).announce(home.path(), self.output)?;
        }
        self.output.progress(format!("Mine {me} is running"));
        if let Some(pause) = Pause::read(&home.pause(), SystemTime::now().into())? {
            self.output.warn(pause);
        }
        miner.run(stop).await.map_err(failure)
    }
}

/// The server of the pages, and how the run loop talks to it.
struct Pages {
    server: MineServer,
    feed: watch::Sender<LoopSnapshot>,
    wake: Arc<Notify>,
}

impl Pages {
    async fn start(listen: Option<SocketAddr>, context: &Context, opened: &UnlockedMine) -> Result<Self, Failure> {
        let start = LoopSnapshot::at_start(&*opened.store, &context.home).map_err(failure)?;
        let (feed, wake) = (watch::Sender::new(start), Arc::new(Notify::new()));
        let parts = ServerParts {
            me: opened.signer.address(),
            home: context.home.clone(),
            config: context.config.clone(),
            store: opened.store.clone(),
            feed: feed.subscribe(),
            wake: wake.clone(),
        };
        Ok(Self { server: MineServer::start(listen, parts).await?, feed, wake })
    }
}

fn failure(error: RunError) -> Failure {
    match error {
        RunError::Store(error) => store_failure(error),
        RunError::Outbox(error) => store_failure(error),
        RunError::Repository(error) => repository_failure(error),
        RunError::File(error) => error.into(),
        error @ RunError::Trouble { .. } => {
            Failure::new(Code::Trouble, error).help("run it again, or without --once to retry until it works")
        }
    }
}
