//! `capsule serve`

use std::{collections::BTreeSet, convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use alloy::primitives::Address;
use axum::Router;
use capsule::{
    attest::Attester,
    campaign::worker::{FetchPatience, Tools},
    http::{
        self,
        operator::{self, OperatorPage},
    },
    launch_keys::LEAST_PERIOD,
    overview::{OverviewFeed, OwnKeys, Purse},
    ports::ChainAccount,
    relay::RelayClient,
    service::Service,
};
use serde_json::json;
use sonar_node::{
    chain::{self, Client},
    cli::{Ask, Code, Failure, Output, Ready, Report, stop_signal},
    discovery,
};
use sonar_protocol::units;
use sonar_web::{Face, guard::Guard, pages::Pages};
use tokio::{
    net::TcpListener,
    sync::oneshot,
    task::JoinError,
    time::{sleep, timeout},
};

use super::Context;

/// Time between two looks at the account while nothing happens on the chain: somebody may send money to it.
const PURSE_PERIOD: Duration = Duration::from_secs(60);
/// Shortest time between two.
const PURSE_PAUSE: Duration = Duration::from_secs(2);

/// Run the Capsule until it is stopped. After a restart, every campaign resumes where it was.
#[derive(Debug, clap::Args)]
pub struct Serve {
    /// Address of the HTTP API and the operator's page; port 0 takes any free port. The page, which `capsule ui` opens, is
    /// served on 127.0.0.1 and [::1] only
    #[arg(long, default_value = "127.0.0.1:8090", value_name = "ADDR:PORT", env = "CAPSULE_LISTEN")]
    listen: SocketAddr,
    /// Time to wait for a miner's update, at most a quarter of the campaign's time for an evaluation
    #[arg(long, default_value = "2m", value_name = "TIME", value_parser = units::duration)]
    update_patience: Duration,
    /// Send settlements only at multiples of this time after the close of a window, so that nobody learns how long an
    /// evaluation took; at most a quarter of the campaign's time for an evaluation, 0s to send them at once
    #[arg(long, default_value = "30s", value_name = "TIME", value_parser = units::duration)]
    settlement_slot: Duration,
    /// Replace the key that bundles are sealed to after this time, at least 1m. The old one is destroyed when the last
    /// campaign that may have used it is decided, so nothing opens older bundles
    #[arg(long, default_value = "168h", value_name = "TIME", value_parser = launch_key_period)]
    launch_key_period: Duration,
}

fn launch_key_period(text: &str) -> Result<Duration, String> {
    let period = units::duration(text).map_err(|error| error.to_string())?;
    if period < LEAST_PERIOD { Err("a launch key is kept for at least 1m".into()) } else { Ok(period) }
}

impl Serve {
    pub async fn run(self, context: &Context, output: &Output) -> Result<Report, Failure> {
        let home = &context.home;
        let opened = home.open(&context.passphrase(Ask::Existing)?)?;
        let _lock = home.lock().await?;
        if home.is_rotating()? {
            let message = "the replacement of the attestation key was interrupted";
            return Err(Failure::new(Code::InUse, message).help("complete it with `capsule keys rotate`"));
        }
        Ready::clear(home.path());
        let operator = opened.operator.address();
        let keys = OwnKeys {
            operator,
            attester: opened.attester.address(),
            fingerprint: opened.identity.fingerprint(),
            created: opened.identity.certificate().created(),
        };
        let done = Report::new(&json!({"operator": operator}), "")?;
        let mut stop = Box::pin(stop_signal());
        let connect = || async {
            let client = discovery::client(&context.config, Some(opened.operator.clone())).await?;
            Ok((client, discovery::ipfs_node(&context.config, home, output).await?))
        };
        let Some((client, node)) = discovery::persist(&mut stop, connect).await? else {
            return Ok(done);
        };
        let deployment = *client.deployment();
        let addresses = node.addresses().iter().map(ToString::to_string).collect();
        let reader = discovery::reader(&context.config, client.clone(), home.path());
        let relay = context.config.sonar.as_deref().map(RelayClient::new).transpose();
        let tools = Tools {
            store: opened.vault,
            artefacts: node,
            chain: ChainAccount { operator, client: client.clone(), relay: relay.map_err(Failure::internal)? },
            identity: opened.identity,
            attester: Attester::new(opened.attester, deployment.chain_id, deployment.campaigns),
            patience: FetchPatience { update: self.update_patience, ..FetchPatience::default() },
            conforms: |family, bytes, material| family.conforms(bytes, material),
            settlement_slot: self.settlement_slot,
        };
        let service = Service::new(Arc::new(tools), operator, self.launch_key_period);
        let (listener, address) = listen(self.listen).await?;
        let feed = service.overview();
        let page = OperatorPage { keys, feed: feed.clone() };
        let (router, guard) = with_page(http::router(service.status()), address, page, output);
        if let Some(guard) = &guard {
            guard.publish(home.path())?;
        }
        Ready::new(Some(address), addresses).announce(home.path(), output)?;
        output.progress(format!("Capsule {operator} answers at http://{address}"));
        // A separate task, so that a panic in it stops the Capsule cleanly.
        let (stop_service, stopped) = oneshot::channel::<()>();
        let mut working = tokio::spawn(service.run(reader, async { stopped.await.unwrap_or_default() }));
        let ended = tokio::select! {
            ended = &mut working => Err(service_ended(&ended)),
            served = axum::serve(listener, router) => Err(http_ended(served)),
            never = watch_purse(&client, operator, &feed) => match never {},
            () = stop => Ok(()),
        };
        if !working.is_finished() {
            // The service then waits a short time for running steps.
            drop(stop_service);
            if let Err(broken) = working.await {
                tracing::error!(%broken, "the service did not stop cleanly");
            }
        }
        Ready::clear(home.path());
        if let Some(guard) = guard {
            guard.unpublish();
        }
        ended.map(|()| done)
    }
}

/// Adds the operator's page, if no other machine can reach the address.
fn with_page(public: Router, address: SocketAddr, page: OperatorPage, output: &Output) -> (Router, Option<Arc<Guard>>) {
    match Guard::new(Face::Capsule, address) {
        Ok(guard) => {
            let guard = Arc::new(guard.with_public(http::PUBLIC));
            let router = public.merge(operator::router(page)).merge(Pages::new(Face::Capsule).router());
            (guard.clone().protect(router), Some(guard))
        }
        Err(error) => {
            output.warn(format!("the operator's page is not served: {error}"));
            (public, None)
        }
    }
}

/// Keeps the money of the account up to date.
async fn watch_purse(client: &Client, operator: Address, feed: &OverviewFeed) -> Infallible {
    let mut changes = feed.subscribe();
    loop {
        match read_purse(client, operator, feed).await {
            Ok(purse) => feed.update(|overview| overview.purse = Some(purse)),
            // The page shows that the chain is unreachable.
            Err(error) => tracing::debug!(%error, "cannot read the balance; retrying"),
        }
        sleep(PURSE_PAUSE).await;
        changes.mark_unchanged();
        // Either is a reason to look again.
        let _ = timeout(PURSE_PERIOD, changes.changed()).await;
    }
}

async fn read_purse(client: &Client, operator: Address, feed: &OverviewFeed) -> Result<Purse, chain::Error> {
    let overview = feed.subscribe().borrow().clone();
    let mut tokens = overview.purse.map(|purse| purse.tokens).unwrap_or_default();
    let used: BTreeSet<_> = overview.campaigns.iter().map(|campaign| campaign.token).chain([Address::ZERO]).collect();
    for token in used.into_iter().filter(|token| !tokens.contains_key(token)).collect::<Vec<_>>() {
        tokens.insert(token, client.token(token).await?);
    }
    Ok(Purse { balance: client.balance(operator).await?, claimable: client.claimable(operator).await?, tokens })
}

/// The service runs until it is stopped, so only a bug ends it earlier.
fn service_ended(ended: &Result<(), JoinError>) -> Failure {
    let reason = ended.as_ref().map_or_else(ToString::to_string, |()| "it returned".into());
    ended_early(format!("the Capsule's service ended: {reason}"))
}

fn http_ended(served: std::io::Result<()>) -> Failure {
    let reason = served.map_or_else(|error| error.to_string(), |()| "it returned".into());
    ended_early(format!("the HTTP API ended: {reason}"))
}

fn ended_early(message: String) -> Failure {
    let help = "start `capsule serve` again; every campaign resumes where it was";
    Failure::new(Code::TaskEnded, message).help(help)
}

async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), Failure> {
    let failed = |error: std::io::Error| {
        let message = format!("cannot listen on {address}: {error}");
        Failure::new(Code::Listen, message)
    };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}
