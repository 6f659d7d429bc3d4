//! Discovery of the contracts and the IPFS hub: the contracts from a deployment file or from Sonar, the hub from Sonar.

use std::{future::Future, path::Path, time::Duration};

use alloy::signers::local::PrivateKeySigner;
use reqwest::StatusCode;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sonar_contracts::Deployment;
use sonar_protocol::view::World;

use crate::{
    chain::{self, Client, WorldReader},
    cli::{Code, ExitCode, Failure, Output},
    config::Config,
    files::{self, Access},
    home::Home,
    http,
    ipfs::{Multiaddr, Node, NodeConfig},
    retry::Retries,
};

/// Size limit of a deployment file in bytes.
const SIZE_LIMIT: u64 = 64 << 10;
/// Time limit of all attempts to reach Sonar.
const PATIENCE: Duration = Duration::from_secs(10);

/// Delays of a daemon that waits for others grow from this …
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// … up to this.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Response of Sonar's `GET /api/v1/info`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SonarInfo {
    /// Chain id.
    pub chain_id: u64,
    /// Addresses of the contracts.
    pub contracts: Deployment,
    /// Addresses of Sonar's IPFS node, the hub.
    pub ipfs: Vec<String>,
    /// Version of Sonar.
    pub version: String,
    /// Number of the newest block that Sonar has seen.
    pub block: u64,
}

impl SonarInfo {
    /// Addresses of the IPFS hub.
    ///
    /// # Errors
    /// When Sonar returns an invalid address.
    pub fn peers(&self) -> Result<Vec<Multiaddr>, Failure> {
        multiaddresses(&self.ipfs)
    }
}

/// Why the contracts or the hub could not be found.
#[derive(Debug, thiserror::Error)]
pub enum DiscoveryError {
    /// Nothing is configured.
    #[error("{0} is not configured")]
    Missing(&'static str),
    /// The file cannot be read.
    #[error(transparent)]
    File(#[from] files::FileError),
    /// The file or the response is invalid.
    #[error("{place} does not contain valid addresses of the contracts: {reason}")]
    Content {
        /// The file or URL.
        place: String,
        /// What is wrong.
        reason: String,
    },
    /// Sonar does not answer, after retries.
    #[error("Sonar at {url} does not answer: {reason}")]
    Unreachable {
        /// Sonar's URL.
        url: String,
        /// The last failure.
        reason: String,
    },
    /// The chain does not answer, or is another chain.
    #[error(transparent)]
    Chain(#[from] chain::Error),
}

impl From<DiscoveryError> for Failure {
    fn from(error: DiscoveryError) -> Self {
        match error {
            DiscoveryError::File(error) => error.into(),
            DiscoveryError::Chain(error) => error.into(),
            DiscoveryError::Missing(what) => Self::new(Code::NotConfigured, format!("{what} is not configured"))
                .help("set it on the command line, or in config.toml in the program's home"),
            error @ DiscoveryError::Content { .. } => Self::new(Code::Discovery, error),
            error @ DiscoveryError::Unreachable { .. } => Self::new(Code::SonarUnreachable, error),
        }
    }
}

/// Requests Sonar's information.
///
/// # Errors
/// When Sonar does not answer, after retries, or the response is invalid.
pub async fn info(sonar: &str) -> Result<SonarInfo, DiscoveryError> {
    let url = url(sonar, "info");
    let unreachable = |error: Option<reqwest::Error>| unreachable(sonar, error, PATIENCE);
    let client = http::client(sonar, PATIENCE).map_err(|error| unreachable(Some(error)))?;
    let get = || async { client.get(&url).send().await?.error_for_status()?.bytes().await };
    let is_temporary = |error: &reqwest::Error| match error.status() {
        Some(status) => status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS,
        None => true,
    };
    let retries = Retries::new(format!("Sonar at {}", http::shown(sonar)), PATIENCE);
    let body = retries.run(get, is_temporary).await.map_err(unreachable)?;
    parse(sonar, &body)
}

/// Requests a resource of Sonar's API, such as `campaigns`, once.
///
/// # Errors
/// When Sonar does not answer in this time, or the response is invalid.
pub async fn get<T: DeserializeOwned>(sonar: &str, path: &str, patience: Duration) -> Result<T, DiscoveryError> {
    let request =
        async { http::client(sonar, patience)?.get(url(sonar, path)).send().await?.error_for_status()?.bytes().await };
    let body = request.await.map_err(|error| unreachable(sonar, Some(error), patience))?;
    parse(sonar, &body)
}

fn url(sonar: &str, path: &str) -> String {
    format!("{}/api/v1/{path}", sonar.trim_end_matches('/'))
}

fn unreachable(sonar: &str, error: Option<reqwest::Error>, patience: Duration) -> DiscoveryError {
    let reason =
        error.map_or_else(|| format!("no answer within {} s", patience.as_secs()), |error| http::reason(sonar, &error));
    DiscoveryError::Unreachable { url: http::shown(sonar), reason }
}

fn parse<T: DeserializeOwned>(sonar: &str, body: &[u8]) -> Result<T, DiscoveryError> {
    serde_json::from_slice(body)
        .map_err(|error| DiscoveryError::Content { place: http::shown(sonar), reason: error.to_string() })
}

/// The addresses of Sonar's IPFS hub. They are stored in the home, for times when Sonar does not answer.
///
/// # Errors
/// When Sonar is not configured, returns no valid addresses, or does not answer and no addresses are stored.
pub async fn hub(config: &Config, home: &Path, output: &Output) -> Result<Vec<Multiaddr>, Failure> {
    let sonar = config.sonar.as_deref().ok_or(DiscoveryError::Missing("Sonar's API (`sonar`)"))?;
    let path = home.join("hub.json");
    let addresses = match info(sonar).await {
        Ok(info) => {
            let known = serde_json::to_vec(&info.ipfs).map_err(Failure::internal)?;
            files::write_atomic(&path, &known, Access::Private)?;
            info.ipfs
        }
        Err(error @ DiscoveryError::Unreachable { .. }) => {
            let known = files::read_limited(&path, SIZE_LIMIT).ok();
            let known: Option<Vec<String>> = known.and_then(|known| serde_json::from_slice(&known).ok());
            let known = known.ok_or(error)?;
            output.warn("Sonar does not answer; dialling the last known addresses of its hub");
            known
        }
        Err(error) => return Err(error.into()),
    };
    multiaddresses(&addresses)
}

fn multiaddresses(addresses: &[String]) -> Result<Vec<Multiaddr>, Failure> {
    let parse = |address: &String| {
        let message = || format!("Sonar returned an invalid address: {address}");
        address.parse().map_err(|_| Failure::new(Code::Discovery, message()))
    };
    addresses.iter().map(parse).collect()
}

/// Reads a deployment file that `sonar deploy` wrote.
///
/// # Errors
/// When the file cannot be read, or is not a deployment file.
pub fn deployment(path: &Path) -> Result<Deployment, DiscoveryError> {
    let bytes = files::read_limited(path, SIZE_LIMIT)?;
    serde_json::from_slice(&bytes)
        .map_err(|error| DiscoveryError::Content { place: path.display().to_string(), reason: error.to_string() })
}

/// Finds the contracts by the configuration: a file overrides Sonar.
///
/// # Errors
/// When neither is configured, or the configured one cannot be read.
pub async fn contracts(config: &Config) -> Result<Deployment, DiscoveryError> {
    match (&config.contracts, &config.sonar) {
        (Some(path), _) => deployment(path),
        (None, Some(sonar)) => Ok(info(sonar).await?.contracts),
        (None, None) => Err(DiscoveryError::Missing("the address of the contracts (`contracts` or `sonar`)")),
    }
}

/// Connects to the configured chain.
///
/// # Errors
/// When contracts or chain cannot be found.
pub async fn client(config: &Config, signer: Option<PrivateKeySigner>) -> Result<Client, DiscoveryError> {
    let rpc = config.rpc.as_deref().ok_or(DiscoveryError::Missing("the chain (`rpc`)"))?;
    let deployment = contracts(config).await?;
    Ok(Client::connect(rpc, deployment, signer).await?)
}

/// Follows the chain by the configuration: interval of queries, confirmations, and the snapshot in the home.
#[must_use]
pub fn reader(config: &Config, client: Client, home: &Path) -> WorldReader {
    let chain_id = client.deployment().chain_id;
    WorldReader::new(client, config.poll(chain_id), config.confirmations(chain_id)).with_snapshot(home)
}

/// Reads up to the newest block, with the configured confirmations and the snapshot in the home.
///
/// # Errors
/// When the chain cannot be read, or its events are inconsistent.
pub async fn world(config: &Config, client: &Client, home: &Path) -> Result<World, chain::Error> {
    client.world(config.confirmations(client.deployment().chain_id), Some(home)).await
}

/// An IPFS node that dials Sonar's hub, with its blocks in the home.
///
/// # Errors
/// When the hub's addresses are unknown, or the node does not start.
pub async fn ipfs_node(config: &Config, home: &Home, output: &Output) -> Result<Node, Failure> {
    let peers = hub(config, home.path(), output).await?;
    Ok(Node::start(NodeConfig::client(home.ipfs(), peers).through(config.kubo()?)).await?)
}

/// Retries an operation until the services that it needs answer, because a daemon may be started before them. `None` if
/// the daemon is stopped first.
///
/// # Errors
/// Failures of other kinds, without a retry.
pub async fn persist<T, F>(
    stop: &mut (impl Future<Output = ()> + Unpin),
    mut attempt: impl FnMut() -> F,
) -> Result<Option<T>, Failure>
where
    F: Future<Output = Result<T, Failure>>,
{
    let attempts = async {
        let (mut pause, mut reported) = (FIRST_PAUSE, None);
        loop {
            match attempt().await {
                Err(failure) if failure.code.exit() == ExitCode::Unreachable => {
                    if reported.as_ref() != Some(&failure.message) {
                        tracing::warn!("{}; retrying until it answers", failure.message);
                    }
                    reported = Some(failure.message);
                }
                other => return other.map(Some),
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    };
    tokio::select! {
        result = attempts => result,
        () = stop => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use std::{
        cell::Cell,
        future::{pending, ready},
    };

    use super::*;

    #[tokio::test]
    async fn a_daemon_waits_for_others_until_they_answer_or_it_is_stopped() {
        let attempts = Cell::new(0);
        let attempt = || {
            attempts.set(attempts.get() + 1);
            ready(if attempts.get() < 3 { Err(Failure::new(Code::ChainUnreachable, "nobody")) } else { Ok(7) })
        };
        assert_eq!(persist(&mut pending(), attempt).await, Ok(Some(7)));

        let refused = || ready(Err::<(), _>(Failure::new(Code::WrongChain, "another")));
        assert_eq!(persist(&mut pending(), refused).await.unwrap_err().code, Code::WrongChain);

        let nobody = || ready(Err::<(), _>(Failure::new(Code::SonarUnreachable, "nobody")));
        assert_eq!(persist(&mut Box::pin(tokio::time::sleep(Duration::from_millis(10))), nobody).await, Ok(None));
    }
}
