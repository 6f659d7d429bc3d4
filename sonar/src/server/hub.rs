//! The IPFS hub that all programs dial: fetches and pins live artefacts, unpins the others.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use sonar_node::jobs::{EndedJob, JobDriver, Patience, Step, StepOutcome};
use tokio::{
    sync::watch,
    time::{self, sleep_until, timeout},
};

use super::{
    live::{self, ManifestArtefacts},
    metrics::Metrics,
    pins::{Attempt, Kind, MissingArtefact, Pins, RETRY_SLOTS, SLOTS, choose},
};
use crate::index::Index;
use sonar_protocol::{ids::Digest, manifest::Manifest, units::Timestamp};

/// How long an artefact stays pinned after it is no longer live, because it may be live again after a rollback of the
/// chain.
const GRACE: Duration = Duration::from_secs(300);
/// Interval between comparisons of the node's pins with the live artefacts.
const RELEASE_INTERVAL: Duration = Duration::from_secs(10);
/// Time limit for the first attempt to fetch an artefact.
const FIRST_TIMEOUT: Duration = Duration::from_secs(5);
/// Time limit for later attempts.
const RETRY_TIMEOUT: Duration = Duration::from_secs(20);
const PATIENCE: Patience = Patience {
    first_pause: Duration::from_millis(500),
    longest_pause: Duration::from_secs(30),
    // A cancelled fetch is repeated after the next start.
    grace: Duration::ZERO,
};
/// Time limit for the node to pin or unpin an artefact that it has.
const PIN_TIMEOUT: Duration = Duration::from_secs(30);
/// Longest time between two checks for work.
const IDLE: Duration = Duration::from_secs(5);

/// A failure of the IPFS node, as text.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct BlobError(pub String);

/// The operations of an IPFS node that the hub needs.
pub trait Blobs: Clone + Send + Sync + 'static {
    /// Fetches the artefact with this digest, locally or from a peer.
    fn get(
        &self,
        digest: Digest,
        max_bytes: usize,
        timeout: Duration,
    ) -> impl Future<Output = Result<Vec<u8>, BlobError>> + Send;
    /// Pins an artefact.
    fn pin(&self, digest: Digest) -> impl Future<Output = Result<(), BlobError>> + Send;
    /// Unpins an artefact.
    fn unpin(&self, digest: Digest) -> impl Future<Output = Result<(), BlobError>> + Send;
    /// Digests of all pinned artefacts.
    fn pins(&self) -> impl Future<Output = Result<Vec<Digest>, BlobError>> + Send;
}

/// State of the hub, shared with the handlers.
#[derive(Debug, Default)]
pub struct Shelf {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    pins: Pins,
    manifests: HashMap<Digest, Arc<Manifest>>,
}

impl Shelf {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic elsewhere cannot leave a partial change, because every change is complete in itself.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The kind of a live artefact, and its size in bytes if the hub has it.
    #[must_use]
    pub fn artefact(&self, digest: Digest) -> Option<(Kind, Option<u64>)> {
        self.lock().pins.get(digest)
    }

    /// A live campaign's manifest, if the hub has it and it is well-formed.
    #[must_use]
    pub fn manifest(&self, digest: Digest) -> Option<Arc<Manifest>> {
        self.lock().manifests.get(&digest).cloned()
    }

    /// Number and size in bytes of the live artefacts that the hub has, and number of the missing ones.
    #[must_use]
    pub fn totals(&self) -> (usize, u64, usize) {
        self.lock().pins.totals()
    }
}

type Fetches = JobDriver<Digest, (), (Kind, Vec<u8>), BlobError>;

/// The task that keeps the node's pins equal to the live artefacts.
#[derive(Debug)]
pub struct Hub<B> {
    blobs: B,
    index: Arc<Index>,
    shelf: Arc<Shelf>,
    metrics: Arc<Metrics>,
    dead_since: HashMap<Digest, Instant>,
    release_at: Instant,
    fetches: Fetches,
}

impl<B: Blobs> Hub<B> {
    /// Creates the hub of an IPFS node.
    pub fn new(blobs: B, index: Arc<Index>, shelf: Arc<Shelf>, metrics: Arc<Metrics>) -> Self {
        let fetches = Fetches::new(SLOTS, PATIENCE);
        Self { blobs, index, shelf, metrics, dead_since: HashMap::new(), release_at: Instant::now(), fetches }
    }

    /// Runs until `stopping` becomes true.
    pub async fn run(mut self, mut stopping: watch::Receiver<bool>) {
        let mut progress = self.index.progress();
        while !*stopping.borrow() {
            progress.mark_unchanged();
            let now = Instant::now();
            if progress.borrow().caught_up() {
                self.refresh(now).await;
            }
            self.start_fetches();
            let (pinned, bytes, missing) = self.shelf.totals();
            self.metrics.pins(pinned, bytes, missing);
            let idle = time::Instant::now() + IDLE;
            let wake = self.fetches.next_due().map_or(idle, |due| due.min(idle));
            tokio::select! {
                Some(ended) = self.fetches.next() => self.finish(ended),
                _ = progress.changed() => {}
                () = sleep_until(wake) => {}
                _ = stopping.changed() => {}
            }
        }
        self.fetches.stop().await;
    }

    fn start_fetches(&mut self) {
        let missing: Vec<_> = {
            let inner = self.shelf.lock();
            self.fetches.retain(|digest| inner.pins.is_missing(*digest));
            inner.pins.missing().map(|(digest, kind)| self.missing(digest, kind)).collect()
        };
        for MissingArtefact { digest, kind, failures, .. } in choose(&missing) {
            let (name, wait) = if failures == 0 { ("fetch", FIRST_TIMEOUT) } else { ("fetch_again", RETRY_TIMEOUT) };
            let mut step = Step::new(name, wait + PIN_TIMEOUT);
            if failures > 0 {
                step = step.at_most(RETRY_SLOTS);
            }
            self.fetches.start(digest, (), step, obtain(self.blobs.clone(), digest, kind, wait));
        }
    }

    fn missing(&self, digest: Digest, kind: Kind) -> MissingArtefact {
        let attempt = if self.fetches.is_running(&digest) {
            Attempt::Running
        } else if self.fetches.is_due(&digest, &()) {
            Attempt::Due
        } else {
            Attempt::Resting
        };
        MissingArtefact { digest, kind, failures: self.fetches.failures(&digest), attempt }
    }

    async fn refresh(&mut self, now: Instant) {
        let live = self.live();
        {
            let mut inner = self.shelf.lock();
            inner.pins.want(&live);
            inner.manifests.retain(|digest, _| live.contains_key(digest));
        }
        if now < self.release_at {
            return;
        }
        self.release_at = now + RELEASE_INTERVAL;
        match self.blobs.pins().await {
            Ok(pinned) => self.release(&live, pinned, now).await,
            Err(error) => tracing::warn!(%error, "cannot list the pins"),
        }
    }

    fn live(&self) -> BTreeMap<Digest, Kind> {
        let named = |manifest| self.shelf.manifest(manifest).map(|manifest| ManifestArtefacts::from(&*manifest));
        // A server that does not follow the chain keeps what time alone would end.
        let now = self.index.progress().borrow().head.map_or(Timestamp::EPOCH, |head| head.time);
        self.index.read(|world| live::artefacts(world, now, named))
    }

    async fn release(&mut self, live: &BTreeMap<Digest, Kind>, pinned: Vec<Digest>, now: Instant) {
        let pinned: HashSet<_> = pinned.into_iter().filter(|digest| !live.contains_key(digest)).collect();
        self.dead_since.retain(|digest, _| pinned.contains(digest));
        for digest in pinned {
            if now.duration_since(*self.dead_since.entry(digest).or_insert(now)) < GRACE {
                continue;
            }
            match timeout(PIN_TIMEOUT, self.blobs.unpin(digest)).await {
                Ok(Ok(())) => tracing::debug!(%digest, "unpinned"),
                Ok(Err(error)) => tracing::warn!(%digest, %error, "cannot unpin"),
                Err(_) => tracing::warn!(%digest, "unpinning takes too long"),
            }
        }
    }

    fn finish(&self, ended: EndedJob<Digest, (Kind, Vec<u8>), BlobError>) {
        let EndedJob { key: digest, step, took, result } = ended;
        self.metrics.step(step, StepOutcome::from(&result), took);
        let (kind, bytes) = match result {
            Ok(obtained) => obtained,
            Err(error) => return tracing::debug!(%digest, %error, "not fetched yet"),
        };
        tracing::info!(%digest, ?kind, bytes = bytes.len(), "pinned");
        let mut inner = self.shelf.lock();
        let is_wanted = inner.pins.add(digest, bytes.len() as u64);
        if is_wanted && kind == Kind::Manifest {
            match Manifest::decode(&bytes) {
                Ok(manifest) => drop(inner.manifests.insert(digest, Arc::new(manifest))),
                Err(error) => tracing::info!(%digest, %error, "a campaign has no usable manifest"),
            }
        }
    }
}

async fn obtain<B: Blobs>(blobs: B, digest: Digest, kind: Kind, wait: Duration) -> Result<(Kind, Vec<u8>), BlobError> {
    let bytes = blobs.get(digest, kind.max_bytes(), wait).await?;
    blobs.pin(digest).await?;
    Ok((kind, bytes))
}
