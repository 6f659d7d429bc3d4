//! The IPFS hub that everybody dials: fetches and pins what is live, lets go of what is dead.

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
use sonar_protocol::{ids::Digest, manifest::Manifest};

/// How long something stays here that is not live any more: a rolled back chain may want it again.
const GRACE: Duration = Duration::from_secs(300);
/// How often the node's pins are compared with what is live.
const RELEASE_INTERVAL: Duration = Duration::from_secs(10);
/// How long to wait for an artefact that was not tried yet …
const FIRST_TIMEOUT: Duration = Duration::from_secs(5);
/// … and for one that could not be fetched before.
const RETRY_TIMEOUT: Duration = Duration::from_secs(20);
const PATIENCE: Patience = Patience {
    first_pause: Duration::from_millis(500),
    longest_pause: Duration::from_secs(30),
    // A fetch that is ended is repeated by the next start.
    grace: Duration::ZERO,
};
/// How long to wait for the node to pin or unpin something that it has.
const PIN_TIMEOUT: Duration = Duration::from_secs(30);
/// The longest time without looking whether something is to be done.
const IDLE: Duration = Duration::from_secs(5);

/// A failure of the IPFS node, in words.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct BlobError(pub String);

/// What the hub needs of an IPFS node.
pub trait Blobs: Clone + Send + Sync + 'static {
    /// The artefact with this digest, from here or from a peer.
    fn get(
        &self,
        digest: Digest,
        max_bytes: usize,
        timeout: Duration,
    ) -> impl Future<Output = Result<Vec<u8>, BlobError>> + Send;
    /// Keeps it.
    fn pin(&self, digest: Digest) -> impl Future<Output = Result<(), BlobError>> + Send;
    /// Lets go of it.
    fn unpin(&self, digest: Digest) -> impl Future<Output = Result<(), BlobError>> + Send;
    /// What is kept.
    fn pins(&self) -> impl Future<Output = Result<Vec<Digest>, BlobError>> + Send;
}

/// What the hub knows, for readers.
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
        // Every change is complete in itself.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The kind of a live artefact, and its size if it is here.
    #[must_use]
    pub fn artefact(&self, digest: Digest) -> Option<(Kind, Option<u64>)> {
        self.lock().pins.get(digest)
    }

    /// A live campaign's manifest, if it is here and well-formed.
    #[must_use]
    pub fn manifest(&self, digest: Digest) -> Option<Arc<Manifest>> {
        self.lock().manifests.get(&digest).cloned()
    }

    /// How many live artefacts are here, their size, and how many are missing.
    #[must_use]
    pub fn totals(&self) -> (usize, u64, usize) {
        self.lock().pins.totals()
    }
}

type Fetches = JobDriver<Digest, (), (Kind, Vec<u8>), BlobError>;

/// The task that keeps the node's pins equal to what is live.
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
    /// A hub over a node.
    pub fn new(blobs: B, index: Arc<Index>, shelf: Arc<Shelf>, metrics: Arc<Metrics>) -> Self {
        let fetches = Fetches::new(SLOTS, PATIENCE);
        Self { blobs, index, shelf, metrics, dead_since: HashMap::new(), release_at: Instant::now(), fetches }
    }

    /// Works until `stopping` becomes true.
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
        self.index.read(|world| live::artefacts(world, named))
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
            Err(error) => return tracing::debug!(%digest, %error, "not obtained yet"),
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
