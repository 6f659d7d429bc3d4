//! An external Kubo, through its RPC (`/api/v0`).
//!
//! Kubo's pins are shared by all its users. Pins that were made here are recorded, each as an empty file in
//! `<repo>/kubo-pins/`, so that pins of others are never listed or removed.
//!
//! The CID that Kubo returns for an added artefact is compared with our own. The bytes that it returns for a CID are
//! not checked: Kubo checks the hashes of blocks itself, and an attacker between us and its RPC could do worse than
//! send wrong bytes.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use cid::Cid;
use futures::{FutureExt, TryStreamExt, future::BoxFuture};
use reqwest::{
    Method, Response, StatusCode, Url,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue},
};
use serde::Deserialize;
use tokio::{
    task::{JoinHandle, spawn_blocking},
    time::{Instant, sleep, timeout},
};

use super::{ArtefactStore, IpfsError, Multiaddr, PeerId, Statistics, node_error, peer_of};
use sonar_protocol::ids::Digest;

use crate::{
    files::{self, Access, FileError},
    http,
};

/// Environment variable with the value of the `Authorization` header, such as `Bearer …`.
pub const AUTHORIZATION_VARIABLE: &str = "SONAR_IPFS_AUTHORIZATION";
/// Size limit in bytes of a file with an `Authorization` header.
const AUTHORIZATION_LIMIT: u64 = 4096;
/// Time limit for a TCP connection.
const CONNECT: Duration = Duration::from_secs(5);
/// Time limit for a request about Kubo itself.
const QUESTION: Duration = Duration::from_secs(15);
/// Time limit for sending an artefact to Kubo, which stores it.
const ADD: Duration = Duration::from_secs(600);
/// Time limit for pinning an artefact that Kubo has.
const PIN: Duration = Duration::from_secs(60);
/// Delay before the next attempt to fetch an artefact when Kubo did not answer.
const RETRY: Duration = Duration::from_millis(500);
/// Interval of checks of Kubo's connections to the configured peers.
const LINK_EVERY: Duration = Duration::from_secs(5);
/// Size limit in bytes of a response about Kubo itself, and of one line of a list.
const ANSWER_LIMIT: usize = 1 << 20;
/// Kubo's messages about blocks that are not a file.
const NO_FILE: [&str; 5] =
    ["is a directory", "unrecognized object type", "unexpected node type", "unmarshal", "protobuf"];

/// URL and authorization of a Kubo.
#[derive(Clone, Debug)]
pub struct KuboConfig {
    url: Url,
    authorization: Option<HeaderValue>,
}

impl KuboConfig {
    /// Checks the URL of a Kubo's RPC, such as `http://127.0.0.1:5001`, and reads the value of the `Authorization`
    /// header from a file or, without one, from the environment ([`AUTHORIZATION_VARIABLE`]). It is never read from the
    /// command line, which other users can see.
    ///
    /// # Errors
    /// If the URL is invalid or contains a password, or the file cannot be read.
    pub fn new(url: &str, authorization_file: Option<&Path>) -> Result<Self, IpfsError> {
        // The URL is not shown if it may contain a password.
        let refused = |shown: &str, reason| IpfsError::Url { url: http::shown(shown), reason };
        let parsed: Url =
            url.parse().map_err(|_| refused("…", "it is not a URL; pass a URL such as http://127.0.0.1:5001"))?;
        if !parsed.username().is_empty() || parsed.password().is_some() {
            return Err(refused("…", "it contains a password; use an authorization file instead"));
        }
        if !matches!(parsed.scheme(), "http" | "https") || parsed.query().is_some() {
            return Err(refused(url, "it is not the URL of an RPC; pass a URL such as http://127.0.0.1:5001"));
        }
        let text = match authorization_file {
            Some(path) => {
                let bytes = files::read_limited(path, AUTHORIZATION_LIMIT)?;
                Some(String::from_utf8(bytes).map_err(|_| refused(url, "its authorization file is not UTF-8 text"))?)
            }
            None => std::env::var(AUTHORIZATION_VARIABLE).ok().filter(|text| !text.trim().is_empty()),
        };
        let authorization = text
            .map(|text| {
                let mut value = HeaderValue::from_str(text.trim())?;
                value.set_sensitive(true);
                Ok(value)
            })
            .transpose()
            .map_err(|_: reqwest::header::InvalidHeaderValue| {
                refused(url, "its authorization is not one line of printable characters")
            })?;
        Ok(Self { url: parsed, authorization })
    }
}

/// A Kubo, with the record of our pins.
#[derive(Debug)]
pub struct Kubo {
    rpc: Rpc,
    addresses: Vec<Multiaddr>,
    own_pins: PathBuf,
    link: Option<JoinHandle<()>>,
}

impl Drop for Kubo {
    fn drop(&mut self) {
        self.link.iter().for_each(JoinHandle::abort);
    }
}

impl Kubo {
    /// Reads the Kubo's peer id, and makes it connect to these peers now and whenever a connection is lost.
    pub async fn connect(config: KuboConfig, repo: &Path, peers: Vec<Multiaddr>) -> Result<Self, IpfsError> {
        let peers = peers.iter().map(peer_of).collect::<Result<Vec<_>, _>>()?;
        let own_pins = repo.join("kubo-pins");
        files::private_directory(&own_pins)?;
        let rpc = Rpc::new(config)?;
        let me: IdAnswer = rpc.ask("report its peer id", "id", &[]).await?;
        let addresses = me.addresses.unwrap_or_default().iter().filter_map(|address| address.parse().ok()).collect();
        let link = (!peers.is_empty()).then(|| tokio::spawn(keep_linked(rpc.clone(), peers)));
        Ok(Self { rpc, addresses, own_pins, link })
    }

    fn own_pin(&self, digest: Digest) -> PathBuf {
        self.own_pins.join(digest.to_string())
    }

    /// Records the next pin as ours, unless another user has already pinned the artefact.
    async fn claim(&self, digest: Digest) -> Result<(), IpfsError> {
        let path = self.own_pin(digest);
        if path.exists() || self.is_pinned(digest).await? {
            return Ok(());
        }
        Ok(files::write_atomic(&path, b"", Access::Private)?)
    }

    async fn send(&self, bytes: Vec<u8>) -> Result<Digest, IpfsError> {
        const ACTION: &str = "store an artefact";
        // Hashing is slow, so it runs on another thread.
        let (bytes, expected) = spawn_blocking(move || {
            let expected = super::digest_of(&bytes);
            (bytes, expected)
        })
        .await
        .map_err(node_error(ACTION))?;
        self.claim(expected).await?;
        let boundary = format!("{:032x}", rand::random::<u128>());
        let mut body = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"artefact\"\r\n\
             Content-Type: application/octet-stream\r\n\r\n"
        )
        .into_bytes();
        body.extend_from_slice(&bytes);
        drop(bytes);
        body.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
        let options = [
            ("cid-version", "1"),
            ("raw-leaves", "false"),
            ("chunker", "size-262144"),
            ("hash", "sha2-256"),
            ("pin", "true"),
            ("progress", "false"),
        ];
        let request = self.rpc.request("add", &options).timeout(ADD).body(body);
        let request = request.header(CONTENT_TYPE, format!("multipart/form-data; boundary={boundary}"));
        let response = self.rpc.send(ACTION, request).await?;
        let added: AddAnswer = self.rpc.json(ACTION, response).await?;
        if added.hash == expected.to_cid().to_string() {
            return Ok(expected);
        }
        let reason = format!(
            "Kubo stored it under {} instead of {}; reset the section `Import` of its configuration",
            added.hash,
            expected.to_cid()
        );
        Err(node_error(ACTION)(reason))
    }

    async fn read(&self, digest: Digest, limit: usize) -> Result<Vec<u8>, IpfsError> {
        const ACTION: &str = "fetch an artefact";
        let (cid, length) = (digest.to_cid().to_string(), limit.saturating_add(1).to_string());
        let request = self.rpc.request("cat", &[("arg", &cid), ("length", &length), ("progress", "false")]);
        let mut response = self.rpc.send(ACTION, request).await.map_err(|error| match error {
            IpfsError::Node { reason, .. } if NO_FILE.iter().any(|phrase| reason.contains(phrase)) => {
                IpfsError::Malformed { digest, reason }
            }
            error => error,
        })?;
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.rpc.unreachable(&error))? {
            if chunk.len() > limit - bytes.len() {
                return Err(IpfsError::TooLarge { digest, limit });
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }

    /// All pins of Kubo that were made here.
    async fn list(&self) -> Result<Vec<Digest>, IpfsError> {
        const ACTION: &str = "read its pins";
        let own = self.recorded()?;
        let request = self.rpc.request("pin/ls", &[("type", "recursive"), ("stream", "true")]).timeout(PIN);
        let response = self.rpc.send(ACTION, request).await?;
        let mut pins = Vec::new();
        let mut rest = Vec::new();
        let mut chunks = response.bytes_stream();
        // Others may have millions of pins, so the list is streamed.
        while let Some(chunk) = chunks.try_next().await.map_err(|error| self.rpc.unreachable(&error))? {
            rest.extend_from_slice(&chunk);
            let Some(end) = rest.iter().rposition(|&byte| byte == b'\n') else {
                if rest.len() > ANSWER_LIMIT {
                    return Err(node_error(ACTION)("a line of the response is longer than 1 MiB"));
                }
                continue;
            };
            let lines: Vec<u8> = rest.drain(..=end).collect();
            for line in lines.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
                let line: Line = serde_json::from_slice(line).map_err(node_error(ACTION))?;
                match line {
                    Line::Pin { cid } => pins.extend(cid.parse::<Cid>().ok().as_ref().and_then(Digest::from_cid)),
                    Line::Failure { message } => return Err(node_error(ACTION)(message)),
                }
            }
        }
        pins.retain(|digest| own.binary_search(digest).is_ok());
        Ok(pins)
    }

    /// Digests of our pins, sorted.
    fn recorded(&self) -> Result<Vec<Digest>, IpfsError> {
        let failed = FileError::new("list", &self.own_pins);
        let entries = fs::read_dir(&self.own_pins).and_then(Iterator::collect::<Result<Vec<_>, _>>).map_err(failed)?;
        let mut own: Vec<Digest> =
            entries.iter().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
        own.sort_unstable();
        Ok(own)
    }
}

impl ArtefactStore for Kubo {
    fn addresses(&self) -> &[Multiaddr] {
        &self.addresses
    }

    fn connect<'a>(&'a self, address: &'a Multiaddr) -> BoxFuture<'a, Result<(), IpfsError>> {
        async move {
            peer_of(address)?;
            self.rpc.connect(address).await
        }
        .boxed()
    }

    fn peers(&self) -> BoxFuture<'_, usize> {
        async { self.rpc.peers().await.map_or(0, |peers| peers.len()) }.boxed()
    }

    fn add(&self, bytes: Vec<u8>) -> BoxFuture<'_, Result<Digest, IpfsError>> {
        self.send(bytes).boxed()
    }

    fn get(&self, digest: Digest, max_bytes: usize, patience: Duration) -> BoxFuture<'_, Result<Vec<u8>, IpfsError>> {
        async move {
            let deadline = Instant::now() + patience;
            loop {
                let left = deadline.saturating_duration_since(Instant::now());
                match timeout(left, self.read(digest, max_bytes)).await {
                    // Kubo waits until a peer has it; if Kubo restarts, the request is repeated.
                    Ok(Err(IpfsError::Unreachable { .. })) if Instant::now() + RETRY < deadline => sleep(RETRY).await,
                    Ok(done) => return done,
                    Err(_) => {
                        return Err(IpfsError::NotFound { digest, waited: patience, peers: self.peers().await });
                    }
                }
            }
        }
        .boxed()
    }

    fn pin(&self, digest: Digest) -> BoxFuture<'_, Result<(), IpfsError>> {
        async move {
            const ACTION: &str = "pin an artefact";
            self.claim(digest).await?;
            let cid = digest.to_cid().to_string();
            let request = self.rpc.request("pin/add", &[("arg", &cid), ("progress", "false")]).timeout(PIN);
            self.rpc.send(ACTION, request).await.map(drop)
        }
        .boxed()
    }

    fn unpin(&self, digest: Digest) -> BoxFuture<'_, Result<(), IpfsError>> {
        async move {
            const ACTION: &str = "unpin an artefact";
            let path = self.own_pin(digest);
            if !path.exists() {
                return Ok(());
            }
            let cid = digest.to_cid().to_string();
            let request = self.rpc.request("pin/rm", &[("arg", &cid)]).timeout(PIN);
            match self.rpc.send(ACTION, request).await {
                Err(IpfsError::Node { reason, .. }) if reason.contains("not pinned") => {}
                done => done.map(drop)?,
            }
            Ok(fs::remove_file(&path).map_err(FileError::new("remove", &path))?)
        }
        .boxed()
    }

    fn is_pinned(&self, digest: Digest) -> BoxFuture<'_, Result<bool, IpfsError>> {
        async move {
            let cid = digest.to_cid().to_string();
            let request = self.rpc.request("pin/ls", &[("arg", &cid), ("type", "recursive")]).timeout(PIN);
            match self.rpc.send("read its pins", request).await {
                Ok(_) => Ok(true),
                Err(IpfsError::Node { reason, .. }) if reason.contains("not pinned") => Ok(false),
                Err(error) => Err(error),
            }
        }
        .boxed()
    }

    fn pins(&self) -> BoxFuture<'_, Result<Vec<Digest>, IpfsError>> {
        self.list().boxed()
    }

    fn statistics(&self) -> BoxFuture<'_, Result<Statistics, IpfsError>> {
        async {
            let stat: RepoStat = self.rpc.ask("report its size", "repo/stat", &[]).await?;
            Ok(Statistics { blocks: stat.num_objects, bytes: stat.repo_size, peers: self.rpc.peers().await?.len() })
        }
        .boxed()
    }

    fn health(&self) -> BoxFuture<'_, Result<(), IpfsError>> {
        async { self.rpc.ask("report its peer id", "id", &[]).await.map(|_: IdAnswer| ()) }.boxed()
    }

    fn shutdown(self: Box<Self>) -> BoxFuture<'static, ()> {
        async move { drop(self) }.boxed()
    }
}

/// Connects to peers that are not connected, as long as the task lives.
async fn keep_linked(rpc: Rpc, peers: Vec<(PeerId, Multiaddr)>) {
    loop {
        match rpc.peers().await {
            Ok(connected) => {
                for (peer, address) in peers.iter().filter(|(peer, _)| !connected.contains(&peer.to_string())) {
                    if let Err(error) = rpc.connect(address).await {
                        tracing::debug!(%peer, %error, "cannot reach an IPFS peer; retrying");
                    }
                }
            }
            Err(error) => tracing::warn!(%error, "cannot list the peers of Kubo; retrying"),
        }
        sleep(LINK_EVERY).await;
    }
}

/// Client of Kubo's RPC.
#[derive(Clone, Debug)]
struct Rpc {
    http: reqwest::Client,
    base: Arc<Url>,
}

impl Rpc {
    fn new(config: KuboConfig) -> Result<Self, IpfsError> {
        let headers = config.authorization.map(|value| (AUTHORIZATION, value));
        let http = http::builder(config.url.as_str())
            .connect_timeout(CONNECT)
            .default_headers(HeaderMap::from_iter(headers))
            // A redirect would leak the authorization header.
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(node_error("be asked"))?;
        Ok(Self { http, base: Arc::new(config.url) })
    }

    fn request(&self, command: &str, arguments: &[(&str, &str)]) -> reqwest::RequestBuilder {
        let mut url = (*self.base).clone();
        url.set_path(&format!("{}/api/v0/{command}", self.base.path().trim_end_matches('/')));
        if !arguments.is_empty() {
            url.query_pairs_mut().extend_pairs(arguments);
        }
        // Kubo accepts only POST.
        self.http.request(Method::POST, url)
    }

    async fn send(&self, action: &'static str, request: reqwest::RequestBuilder) -> Result<Response, IpfsError> {
        let response = request.send().await.map_err(|error| self.unreachable(&error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            let reason = format!(
                "it answered {status}; pass the value of the `Authorization` header with --ipfs-authorization-file"
            );
            return Err(node_error(action)(reason));
        }
        let body = self.body(action, response).await?;
        let reason = match serde_json::from_slice::<ErrorAnswer>(&body) {
            Ok(refusal) => refusal.message,
            Err(_) => format!("it answered {status}, unlike a Kubo"),
        };
        Err(node_error(action)(reason))
    }

    async fn ask<T: for<'a> Deserialize<'a>>(
        &self,
        action: &'static str,
        command: &str,
        arguments: &[(&str, &str)],
    ) -> Result<T, IpfsError> {
        let response = self.send(action, self.request(command, arguments).timeout(QUESTION)).await?;
        self.json(action, response).await
    }

    async fn json<T: for<'a> Deserialize<'a>>(&self, action: &'static str, response: Response) -> Result<T, IpfsError> {
        let body = self.body(action, response).await?;
        serde_json::from_slice(&body).map_err(|_| node_error(action)("its response is not that of a Kubo"))
    }

    async fn body(&self, action: &'static str, mut response: Response) -> Result<Vec<u8>, IpfsError> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.unreachable(&error))? {
            if body.len() + chunk.len() > ANSWER_LIMIT {
                return Err(node_error(action)("its response is longer than 1 MiB"));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    async fn peers(&self) -> Result<Vec<String>, IpfsError> {
        let peers: Peers = self.ask("list its peers", "swarm/peers", &[]).await?;
        Ok(peers.peers.unwrap_or_default().into_iter().map(|peer| peer.peer).collect())
    }

    async fn connect(&self, address: &Multiaddr) -> Result<(), IpfsError> {
        let request = self.request("swarm/connect", &[("arg", &address.to_string())]).timeout(QUESTION);
        self.send("connect", request).await.map(drop)
    }

    fn unreachable(&self, error: &reqwest::Error) -> IpfsError {
        let url = self.base.as_str();
        IpfsError::Unreachable { url: http::shown(url), reason: http::reason(url, error) }
    }
}

#[derive(Deserialize)]
struct ErrorAnswer {
    #[serde(rename = "Message")]
    message: String,
}

#[derive(Deserialize)]
struct IdAnswer {
    #[serde(rename = "Addresses")]
    addresses: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct AddAnswer {
    #[serde(rename = "Hash")]
    hash: String,
}

/// A line of a streamed list of pins.
#[derive(Deserialize)]
#[serde(untagged)]
enum Line {
    Pin {
        #[serde(rename = "Cid")]
        cid: String,
    },
    Failure {
        #[serde(rename = "Message")]
        message: String,
    },
}

#[derive(Deserialize)]
struct RepoStat {
    #[serde(rename = "NumObjects")]
    num_objects: u64,
    #[serde(rename = "RepoSize")]
    repo_size: u64,
}

#[derive(Deserialize)]
struct Peers {
    #[serde(rename = "Peers")]
    peers: Option<Vec<Peer>>,
}

#[derive(Deserialize)]
struct Peer {
    #[serde(rename = "Peer")]
    peer: String,
}

#[cfg(test)]
mod tests {
    //! Tests against a stand-in: no library that contains a Kubo serves its RPC, so these responses were written from
    //! Kubo's source and documentation (0.22 to 0.38) and not recorded from a running Kubo. The exchange of blocks
    //! between a Kubo and our own node is tested with a real Kubo in `localnet/tests/main/kubo.rs`.

    use std::{
        collections::{BTreeMap, BTreeSet, HashMap},
        sync::{Mutex, MutexGuard},
    };

    use axum::{
        Router,
        body::{Body, Bytes},
        extract::{Query, RawQuery, State},
        http::{Request, Response, header},
        response::IntoResponse,
    };
    use tempfile::TempDir;

    use super::*;
    use crate::ipfs::{Node, NodeConfig, digest_of};

    const PEER: &str = "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA";
    const HUB: &str = "/ip4/10.0.0.1/tcp/4001/p2p/12D3KooWKRyzVWW6ChFjQjK4miCty85Niy48tpPV95XdKu1BcvMA";
    const WAIT: Duration = Duration::from_secs(30);

    /// State of the stand-in.
    #[derive(Default)]
    struct Stand {
        artefacts: HashMap<String, Vec<u8>>,
        /// By content identifier.
        pins: BTreeSet<String>,
        peers: BTreeSet<String>,
        /// Required value of the `Authorization` header.
        authorization: Option<&'static str>,
        /// CID that `add` returns instead of the right one.
        misnomer: Option<String>,
        queries: Vec<(String, String)>,
    }

    type Shared = Arc<Mutex<Stand>>;

    fn lock(stand: &Shared) -> MutexGuard<'_, Stand> {
        stand.lock().unwrap()
    }

    fn refusal(message: &str) -> Response<Body> {
        let body = serde_json::json!({ "Message": message, "Code": 0, "Type": "error" });
        (axum::http::StatusCode::INTERNAL_SERVER_ERROR, body.to_string()).into_response()
    }

    async fn answer(
        State(stand): State<Shared>,
        Query(arguments): Query<BTreeMap<String, String>>,
        RawQuery(query): RawQuery,
        request: Request<Body>,
    ) -> Response<Body> {
        let (head, body) = request.into_parts();
        let body: Bytes = axum::body::to_bytes(body, 64 << 20).await.unwrap();
        assert_eq!(head.method, "POST");
        let command = head.uri.path().strip_prefix("/api/v0/").unwrap().to_owned();
        {
            let mut stand = lock(&stand);
            if let Some(wanted) = stand.authorization
                && head.headers.get(header::AUTHORIZATION).is_none_or(|given| given != wanted)
            {
                return (axum::http::StatusCode::FORBIDDEN, "403 - Forbidden\n").into_response();
            }
            stand.queries.push((command.clone(), query.unwrap_or_default()));
        }
        let cid = arguments.get("arg").cloned().unwrap_or_default();
        if command == "cat" && !lock(&stand).artefacts.contains_key(&cid) {
            // A Kubo waits until a peer has it.
            std::future::pending::<()>().await;
        }
        let mut stand = lock(&stand);
        match command.as_str() {
            "id" => serde_json::json!({
                "ID": PEER,
                "PublicKey": "CAESIDAqBx+ZTNmFBwuSBWdTx3SdhEEZYaFNOlTPODOVC8gB",
                "Addresses": [format!("/ip4/127.0.0.1/tcp/4001/p2p/{PEER}")],
                "AgentVersion": "kubo/0.38.1/",
                "Protocols": ["/ipfs/bitswap/1.2.0", "/ipfs/id/1.0.0"],
            })
            .to_string()
            .into_response(),
            "add" => {
                let start = body.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
                let end = body.windows(4).rposition(|window| window == b"\r\n--").unwrap();
                let content = body[start..end].to_vec();
                let name = digest_of(&content).to_cid().to_string();
                let name = stand.misnomer.clone().unwrap_or(name);
                let added = serde_json::json!({ "Name": "artefact", "Hash": name, "Size": body.len().to_string() });
                stand.artefacts.insert(name.clone(), content);
                stand.pins.insert(name);
                format!("{added}\n").into_response()
            }
            "cat" => {
                let content = &stand.artefacts[&cid];
                if content == b"directory" {
                    return refusal("this dag node is a directory");
                }
                let length = arguments["length"].parse().unwrap();
                content[..content.len().min(length)].to_vec().into_response()
            }
            "pin/add" => {
                stand.pins.insert(cid.clone());
                serde_json::json!({ "Pins": [cid] }).to_string().into_response()
            }
            "pin/rm" if stand.pins.remove(&cid) => serde_json::json!({ "Pins": [cid] }).to_string().into_response(),
            "pin/rm" => refusal("not pinned or pinned indirectly"),
            "pin/ls" if cid.is_empty() => {
                let line = |cid| format!("{}\n", serde_json::json!({ "Cid": cid, "Type": "recursive" }));
                stand.pins.iter().map(line).collect::<String>().into_response()
            }
            "pin/ls" if stand.pins.contains(&cid) => {
                serde_json::json!({ "Keys": { cid: { "Type": "recursive" } } }).to_string().into_response()
            }
            "pin/ls" => refusal(&format!("path '/ipfs/{cid}' is not pinned")),
            "repo/stat" => serde_json::json!({
                "RepoSize": 123_456, "StorageMax": 10_000_000_000_u64, "NumObjects": 17,
                "RepoPath": "/data/ipfs", "Version": "fs-repo@18",
            })
            .to_string()
            .into_response(),
            // A Kubo without peers returns `null`.
            "swarm/peers" if stand.peers.is_empty() => r#"{"Peers":null}"#.into_response(),
            "swarm/peers" => {
                let peers = stand.peers.iter().map(|peer| serde_json::json!({ "Addr": "/ip4/10.0.0.1", "Peer": peer }));
                serde_json::json!({ "Peers": peers.collect::<Vec<_>>() }).to_string().into_response()
            }
            "swarm/connect" => {
                let peer = cid.rsplit('/').next().unwrap().to_owned();
                let done = format!("connect {peer} success");
                stand.peers.insert(peer);
                serde_json::json!({ "Strings": [done] }).to_string().into_response()
            }
            _ => (axum::http::StatusCode::NOT_FOUND, "404 page not found\n").into_response(),
        }
    }

    struct Stage {
        directory: TempDir,
        url: String,
        stand: Shared,
    }

    impl Stage {
        async fn new() -> Self {
            let stand = Shared::default();
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("http://{}", listener.local_addr().unwrap());
            let router = Router::new().fallback(answer).with_state(stand.clone());
            tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
            Self { directory: tempfile::tempdir().unwrap(), url, stand }
        }

        async fn start(&self, peers: Vec<Multiaddr>, authorization: Option<&Path>) -> Result<Node, IpfsError> {
            let kubo = KuboConfig::new(&self.url, authorization)?;
            Node::start(NodeConfig::client(self.directory.path().join("ipfs"), peers).through(Some(kubo))).await
        }

        async fn node(&self) -> Node {
            self.start(Vec::new(), None).await.unwrap()
        }
    }

    fn content(len: usize) -> Vec<u8> {
        (0..len).map(|i| (i * 31 % 251) as u8).collect()
    }

    #[tokio::test]
    async fn an_artefact_is_added_fetched_and_let_go_of() {
        let stage = Stage::new().await;
        let node = stage.node().await;
        assert_eq!(node.addresses()[0].to_string(), format!("/ip4/127.0.0.1/tcp/4001/p2p/{PEER}"));
        let digest = node.add(content(300_000)).await.unwrap();
        let query = lock(&stage.stand).queries.iter().find(|(command, _)| command == "add").unwrap().1.clone();
        for option in ["cid-version=1", "raw-leaves=false", "chunker=size-262144", "pin=true"] {
            assert!(query.contains(option), "{query}");
        }
        assert!(node.get(digest, 300_000, WAIT).await.unwrap() == content(300_000));
        assert_eq!((node.pins().await.unwrap(), node.is_pinned(digest).await.unwrap()), (vec![digest], true));
        node.pin(digest).await.unwrap();
        node.unpin(digest).await.unwrap();
        node.unpin(digest).await.unwrap();
        assert_eq!((node.pins().await.unwrap(), node.is_pinned(digest).await.unwrap()), (vec![], false));
        let statistics = node.statistics().await.unwrap();
        assert_eq!(statistics, Statistics { blocks: 17, bytes: 123_456, peers: 0 });
        node.health().await.unwrap();
    }

    #[tokio::test]
    async fn what_somebody_else_pinned_is_not_listed_and_not_unpinned() {
        let stage = Stage::new().await;
        let node = stage.node().await;
        let theirs = digest_of(&content(10));
        lock(&stage.stand).pins.insert(theirs.to_cid().to_string());
        assert_eq!(node.add(content(10)).await.unwrap(), theirs);
        node.pin(theirs).await.unwrap();
        assert!(node.pins().await.unwrap().is_empty());
        node.unpin(theirs).await.unwrap();
        assert!(node.is_pinned(theirs).await.unwrap());
        // Pins are still ours after a restart.
        let ours = node.add(content(20)).await.unwrap();
        drop(node);
        assert_eq!(stage.node().await.pins().await.unwrap(), [ours]);
    }

    #[tokio::test]
    async fn limits_and_deadlines_are_kept() {
        let stage = Stage::new().await;
        let node = stage.node().await;
        let digest = node.add(content(1000)).await.unwrap();
        let error = node.get(digest, 999, WAIT).await.unwrap_err();
        assert!(matches!(error, IpfsError::TooLarge { limit: 999, .. }), "{error}");
        let error = node.get(Digest([9; 32]), 10, Duration::from_millis(200)).await.unwrap_err();
        assert!(matches!(error, IpfsError::NotFound { peers: 0, .. }), "{error}");
        let directory = Digest([8; 32]);
        lock(&stage.stand).artefacts.insert(directory.to_cid().to_string(), b"directory".to_vec());
        let error = node.get(directory, 10, WAIT).await.unwrap_err();
        assert!(matches!(&error, IpfsError::Malformed { reason, .. } if reason.contains("directory")), "{error}");
    }

    #[tokio::test]
    async fn an_artefact_under_another_name_is_an_error_that_says_what_to_do() {
        let stage = Stage::new().await;
        let node = stage.node().await;
        lock(&stage.stand).misnomer = Some("bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy".to_owned());
        let error = node.add(content(10)).await.unwrap_err().to_string();
        assert!(error.contains("bafkreigh2akiscaildc") && error.contains("`Import`"), "{error}");
    }

    #[tokio::test]
    async fn a_kubo_stays_connected_with_the_configured_peers() {
        let stage = Stage::new().await;
        let node = stage.start(vec![HUB.parse().unwrap()], None).await.unwrap();
        timeout(WAIT, async {
            while node.peers().await == 0 {
                tokio::task::yield_now().await;
            }
        })
        .await
        .unwrap();
        let bare: Multiaddr = "/ip4/127.0.0.1/tcp/1".parse().unwrap();
        assert!(matches!(node.connect(&bare).await, Err(IpfsError::Address(_))));
        node.connect(&HUB.parse().unwrap()).await.unwrap();
    }

    #[tokio::test]
    async fn the_authorization_comes_from_a_file_and_is_shown_nowhere() {
        let stage = Stage::new().await;
        lock(&stage.stand).authorization = Some("Bearer s3cret");
        let error = stage.start(Vec::new(), None).await.unwrap_err().to_string();
        assert!(error.contains("403") && error.contains("--ipfs-authorization-file"), "{error}");
        let path = stage.directory.path().join("authorization");
        fs::write(&path, "Bearer s3cret\n").unwrap();
        let node = stage.start(Vec::new(), Some(&path)).await.unwrap();
        node.health().await.unwrap();
        let shown = format!("{node:?} {:?}", KuboConfig::new(&stage.url, Some(&path)));
        assert!(!shown.contains("s3cret"), "{shown}");
    }

    #[tokio::test]
    async fn a_kubo_that_does_not_answer_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let kubo = KuboConfig::new("http://127.0.0.1:1", None).unwrap();
        let config = NodeConfig::client(directory.path().into(), Vec::new()).through(Some(kubo));
        let error = Node::start(config).await.unwrap_err();
        assert!(matches!(error, IpfsError::Unreachable { .. }));
        let text = error.to_string();
        assert!(
            text.contains("http://127.0.0.1:1") && text.contains("refused") && text.contains("ipfs daemon"),
            "{text}"
        );
    }

    #[test]
    fn addresses_that_are_no_rpc_are_refused_without_showing_a_password() {
        for url in ["127.0.0.1", "/ip4/127.0.0.1/tcp/5001", "ftp://host", "http://user:s3cret@host:5001"] {
            let error = KuboConfig::new(url, None).unwrap_err();
            assert!(matches!(error, IpfsError::Url { .. }) && !error.to_string().contains("s3cret"), "{error}");
        }
    }
}
