//! The data scientist's IPFS node, which connects only to Sonar's hub.

use std::{
    path::PathBuf,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use serde::Deserialize;
use sonar_node::{
    cli::{Code, Failure},
    discovery::{self, DiscoveryError},
    ipfs::{Node, NodeConfig},
};
use sonar_protocol::ids::Digest;
use tokio::time::{Instant, sleep};

use super::{Progress, Workspace};

/// Time limit for fetching an artefact.
const FETCH: Duration = Duration::from_secs(60);
/// Time limit for Sonar to fetch the artefacts of a launch.
const KEEP: Duration = Duration::from_secs(90);
/// Time between two checks whether Sonar has fetched them.
const POLL: Duration = Duration::from_millis(200);

/// A temporary IPFS node that is connected to Sonar's hub.
#[derive(Debug)]
pub struct HubClient {
    // Before its repository, so that it is dropped first.
    node: Node,
    _repo: Scratch,
    sonar: String,
    http: reqwest::Client,
}

/// A directory that is removed on drop.
#[derive(Debug)]
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[derive(Deserialize)]
struct Artefact {
    pinned: bool,
}

impl HubClient {
    /// Starts a node that dials the hub.
    pub async fn connect(workspace: &Workspace, progress: &dyn Progress) -> Result<Self, Failure> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let sonar = workspace.config.sonar.clone().ok_or(DiscoveryError::Missing("Sonar's API (`sonar`)"))?;
        progress.note(&"Connecting to Sonar's IPFS hub…");
        let peers = discovery::info(&sonar).await?.peers()?;
        // Each work has its own repository, because a repository has one user, and works may run at the same time.
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let repo = workspace.home.join(format!("ipfs-{}-{number}", std::process::id()));
        let node = Node::start(NodeConfig::client(repo.clone(), peers).through(workspace.config.kubo()?)).await?;
        Ok(Self {
            node,
            _repo: Scratch(repo),
            sonar: sonar.trim_end_matches('/').to_owned(),
            http: sonar_node::http::client(&sonar, Duration::from_secs(10)).map_err(Failure::internal)?,
        })
    }

    /// Stores an artefact in this node, for the hub to fetch.
    pub async fn add(&self, bytes: Vec<u8>) -> Result<Digest, Failure> {
        Ok(self.node.add(bytes).await?)
    }

    /// Stores the artefacts of an earlier run again.
    pub async fn offer(&self, artefacts: Vec<Vec<u8>>) -> Result<Vec<Digest>, Failure> {
        let mut offered = Vec::new();
        for bytes in artefacts {
            offered.push(self.add(bytes).await?);
        }
        Ok(offered)
    }

    /// Fetches an artefact. Retries, because a new artefact may still be on its way to the hub.
    pub async fn fetch(&self, digest: Digest, max_bytes: usize) -> Result<Vec<u8>, Failure> {
        let end = Instant::now() + FETCH;
        while !self.is_kept(digest).await && Instant::now() < end {
            sleep(POLL).await;
        }
        Ok(self.node.get(digest, max_bytes, FETCH).await?)
    }

    /// Waits until Sonar has pinned the artefacts; this node is not needed after that.
    pub async fn wait_until_kept(&self, artefacts: &[Digest]) -> Result<(), Failure> {
        let end = Instant::now() + KEEP;
        for digest in artefacts {
            while !self.is_kept(*digest).await {
                if Instant::now() >= end {
                    return Err(Failure::new(
                        Code::NotKept,
                        format!("Sonar has not fetched {digest} within {} s", KEEP.as_secs()),
                    )
                    .help("the bounty is in escrow; run the same command again to resume"));
                }
                sleep(POLL).await;
            }
        }
        Ok(())
    }

    /// Whether Sonar has pinned an artefact; false if it does not answer.
    async fn is_kept(&self, digest: Digest) -> bool {
        let url = format!("{}/api/v1/artefacts/{digest}", self.sonar);
        let Ok(answer) = self.http.get(url).send().await else {
            return false;
        };
        match answer.json::<Artefact>().await {
            Ok(artefact) => artefact.pinned,
            Err(_) => false,
        }
    }

    /// Stops the node. Its artefacts are on the hub, or the same command creates them again.
    pub async fn close(self) {
        self.node.shutdown().await;
    }
}
