//! The Mine at work: it looks at the chain, decides for each campaign, and does what was decided. All that it needs after
//! `kill -9` is on the chain, on IPFS and in its vault, so the loop only ever asks what is to be done now.

use std::{
    collections::BTreeMap,
    panic::AssertUnwindSafe,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use alloy::primitives::Address;
use futures::FutureExt;
use serde::{Deserialize, Serialize};
use sonar_contracts::Terms;
use sonar_node::{
    chain::{self, Client, WorldReader},
    config::ConfigError,
    ipfs::{IpfsError, Node},
};
use sonar_protocol::{
    backbone::{Backbone, Embedding},
    event::{Batch, Event},
    handover::Published,
    ids::{CampaignId, Digest, Version},
    limits,
    manifest::Manifest,
    pgp::Certificate,
    regime::Regime,
    units::Amount,
    view::{CampaignView, World},
};
use syft::Binding;
use tokio::{
    sync::Semaphore,
    task::{JoinError, JoinSet},
    time::Instant,
};

use crate::{
    home,
    outbox::{self, Outbox, OutboxError},
    planner::{self, Action, Artefact, Offer, Situation, Skip, Supply},
    policy::Policy,
    privacy::{Budget, Ledger},
    repository::{self, DataName, Fit, RepositoryError},
    store::{Store, StoreError},
    training::{self, Leash, Progress},
    work::{self, Kit, Order, WorkError},
};

/// Where `mine status` finds what the run last decided.
const JOURNAL: &str = "journal";
/// Time for one artefact from IPFS.
const FETCH_TIMEOUT: Duration = Duration::from_secs(60);
/// Pauses after failures grow from here …
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// … to here.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// Pause after a submission, for the chain to show it.
const SENT_PAUSE: Duration = Duration::from_secs(2);
/// With `--once`, a campaign that fails so often in a row is given up.
const ONCE_ATTEMPTS: u32 = 8;

/// What a running Mine needs.
#[derive(Debug)]
pub struct Setup {
    /// The chain, with the account that signs.
    pub client: Client,
    /// The account.
    pub me: Address,
    /// IPFS.
    pub node: Arc<Node>,
    /// The owner's rules.
    pub policy: PathBuf,
    /// Time between looks at the chain.
    pub poll: Duration,
    /// Blocks that must follow before an event is believed.
    pub confirmations: u64,
    /// Whether to end when nothing is to be done.
    pub once: bool,
}

/// Why the Mine cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The store does not work.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The outbox does not work.
    #[error(transparent)]
    Outbox(#[from] OutboxError),
    /// The data sets cannot be listed.
    #[error(transparent)]
    Repository(#[from] RepositoryError),
    /// The owner's rules cannot be read.
    #[error(transparent)]
    Policy(#[from] ConfigError),
    /// With `--once`: a campaign could not be served.
    #[error("campaign {campaign}: {trouble}")]
    Trouble {
        /// The campaign.
        campaign: CampaignId,
        /// What went wrong last.
        trouble: String,
    },
}

/// A future of which others need to know only what comes of it.
pub type Pinned<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What the Mine last decided, for `mine status`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Journal {
    /// A line for each campaign, in the order in which they were opened.
    pub campaigns: Vec<JournalLine>,
}

/// What the Mine last decided about one campaign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalLine {
    /// The campaign.
    pub campaign: CampaignId,
    /// Its name, once its manifest is known.
    pub name: Option<String>,
    /// Who may see the model, once the manifest is known.
    #[serde(default)]
    pub regime: Option<Regime>,
    /// The model's present version.
    pub version: Version,
    /// How far the training of a network is, as a restart would find it.
    #[serde(default)]
    pub progress: Option<Progress>,
    /// What is done next, or why nothing is.
    pub next: String,
    /// What went wrong last, if it was not made good yet.
    pub trouble: Option<String>,
    /// How each data set fits, once the manifest is known.
    pub fits: Vec<Fit>,
}

impl Journal {
    /// What the last run wrote; empty before the first.
    ///
    /// # Errors
    /// When the store does not work.
    pub fn load(store: &dyn Store) -> Result<Self, StoreError> {
        if store.list(JOURNAL)?.is_empty() {
            return Ok(Self::default());
        }
        // A journal of another version of this program says nothing.
        Ok(serde_json::from_slice(&store.get(JOURNAL)?).unwrap_or_default())
    }
}

/// What the Mine knows about one campaign beyond the chain.
#[derive(Debug)]
struct Known {
    offer: Offer,
    manifest: Option<Arc<Manifest>>,
    fits: Vec<Fit>,
    supply: Supply,
    embedding: Option<Arc<Embedding>>,
    kit: Option<Arc<Kit>>,
    version: Version,
    leash: Leash,
    at_stake: Amount,
    busy: bool,
    failures: u32,
    not_before: Instant,
    trouble: Option<String>,
}

impl Known {
    fn new() -> Self {
        Self {
            offer: Offer::Unknown,
            manifest: None,
            fits: Vec::new(),
            supply: Supply::Missing,
            embedding: None,
            kit: None,
            version: Version::default(),
            leash: Leash::default(),
            at_stake: Amount::ZERO,
            busy: false,
            failures: 0,
            not_before: Instant::now(),
            trouble: None,
        }
    }

    /// What was published for another version is of no use.
    fn turn_to(&mut self, version: Version) {
        if self.version != version {
            self.version = version;
            self.supply = Supply::Missing;
            self.kit = None;
            self.leash = Leash::default();
            self.failures = 0;
            self.not_before = Instant::now();
        }
    }

    /// Why the owner's budget allows no further update of the data that fit.
    fn exhausted(&self, budget: Option<&Budget>, ledger: &Ledger) -> Option<String> {
        let (budget, manifest) = (budget?, self.manifest.as_ref()?);
        let fitting = || self.fits.iter().filter(|fit| fit.rows > 0);
        if let Err(error) = ledger.allow(budget, fitting().map(|fit| fit.data.as_str())) {
            return Some(error.to_string());
        }
        let rows = fitting().map(|fit| fit.rows).sum();
        let cost = budget.per_upload();
        manifest.method.bears(cost, rows).err().map(|error| error.to_string())
    }

    fn failed(&mut self, trouble: String) {
        let pause = FIRST_PAUSE.saturating_mul(1 << self.failures.min(16));
        self.failures = self.failures.saturating_add(1);
        self.not_before = Instant::now() + pause.min(LONGEST_PAUSE);
        self.trouble = Some(trouble);
    }

    fn succeeded(&mut self) {
        self.failures = 0;
        self.trouble = None;
    }
}

/// A finished piece of work.
enum Done {
    Manifest(Result<Arc<Manifest>, String>, Vec<Fit>),
    Kit(Version, Result<Arc<Kit>, String>),
    Made(Version),
    /// The model changed before an update was made.
    Outdated,
    Sent,
}

/// A failure that another try may mend.
#[derive(Debug, thiserror::Error)]
enum JobError {
    #[error(transparent)]
    Ipfs(#[from] IpfsError),
    #[error(transparent)]
    Chain(#[from] chain::Error),
    #[error(transparent)]
    Work(#[from] WorkError),
    #[error(transparent)]
    Outbox(#[from] OutboxError),
    #[error(transparent)]
    Repository(#[from] RepositoryError),
    #[error("the work was interrupted: {0}")]
    Join(#[from] JoinError),
    #[error("the Capsule {0} has published no certificate")]
    NoCertificate(Address),
    #[error("the work ended with a panic, which is a bug; the log has its message")]
    Panicked,
}

type Finished = (CampaignId, Result<Done, JobError>);

/// What jobs share.
#[derive(Clone)]
struct Workshop {
    setup: Arc<Setup>,
    store: Arc<dyn Store>,
    outbox: Arc<Mutex<Outbox>>,
    // Training takes all cores and most memory: one at a time.
    bench: Arc<Semaphore>,
}

/// A Mine at work.
pub struct Miner {
    shop: Workshop,
    reader: WorldReader,
    known: BTreeMap<CampaignId, Known>,
    policy: Policy,
    data: Vec<DataName>,
    jobs: JoinSet<Finished>,
    journal: Journal,
    complaints: BTreeMap<&'static str, String>,
}

impl Miner {
    /// Picks up where the last run ended.
    ///
    /// # Errors
    /// When the store does not work.
    pub fn new(setup: Setup, store: Arc<dyn Store>) -> Result<Self, RunError> {
        Ok(Self {
            reader: WorldReader::new(setup.client.clone(), setup.poll, setup.confirmations),
            known: BTreeMap::new(),
            policy: home::read_policy(&setup.policy)?,
            data: repository::names(&*store)?,
            jobs: JoinSet::new(),
            journal: Journal::load(&*store)?,
            complaints: BTreeMap::new(),
            shop: Workshop {
                outbox: Arc::new(Mutex::new(Outbox::load(&*store)?)),
                bench: Arc::new(Semaphore::new(1)),
                setup: Arc::new(setup),
                store,
            },
        })
    }

    /// Works until `stop`, or with `--once` until nothing is to be done.
    ///
    /// # Errors
    /// When the store does not work, or with `--once` a campaign cannot be served.
    pub fn run<'a>(&'a mut self, stop: Pinned<'a, ()>) -> Pinned<'a, Result<(), RunError>> {
        Box::pin(self.work(stop))
    }

    async fn work(&mut self, mut stop: Pinned<'_, ()>) -> Result<(), RunError> {
        let mut seen = false;
        loop {
            tokio::select! {
                () = &mut stop => return Ok(()),
                Some(finished) = self.jobs.join_next() => match finished {
                    Ok((campaign, result)) => self.take(campaign, result),
                    // Nobody ends a job, and a panic in one is a result.
                    Err(error) => tracing::error!("{error}"),
                },
                batch = self.reader.next() => seen |= self.look(batch),
            }
            if !seen {
                continue;
            }
            let idle = self.plan()?;
            if self.shop.setup.once && idle {
                return Ok(());
            }
        }
    }

    /// Whether the world is as the chain says.
    fn look(&mut self, batch: Result<Batch, chain::Error>) -> bool {
        let good = batch.is_ok();
        self.complain("cannot follow the chain", batch.err().map(|error| error.to_string()));
        good
    }

    /// Says once that something does not work.
    fn complain(&mut self, what: &'static str, reason: Option<String>) {
        let Some(reason) = reason else {
            self.complaints.remove(what);
            return;
        };
        if self.complaints.get(what) != Some(&reason) {
            tracing::warn!("{what}: {reason}");
            self.complaints.insert(what, reason);
        }
    }

    /// Decides for every campaign and starts what was decided. True when nothing is left to do for any.
    fn plan(&mut self) -> Result<bool, RunError> {
        self.notice_policy();
        self.notice_data()?;
        let mut idle = self.jobs.is_empty();
        let mut journal = Journal::default();
        let mut at_stake = self.at_stake();
        for id in self.reader.world().order.clone() {
            let Some(campaign) = self.reader.world().campaign(id) else {
                continue;
            };
            let known = self.known.entry(id).or_insert_with(Known::new);
            known.turn_to(campaign.version());
            let outbox = lock(&self.shop.outbox);
            let exhausted = known.exhausted(self.policy.privacy.as_ref(), outbox.ledger());
            let stage = outbox.stage(id, campaign.version());
            drop(outbox);
            let at_stake_elsewhere = at_stake.saturating_sub(known.at_stake);
            let action = planner::next(&Situation {
                campaign,
                me: self.shop.setup.me,
                now: self.reader.world().head.now,
                policy: &self.policy,
                offer: &known.offer,
                supply: &known.supply,
                stage,
                exhausted: exhausted.as_deref(),
                at_stake_elsewhere,
            });
            known.at_stake = planner::at_stake(campaign, self.shop.setup.me, &action);
            at_stake = at_stake_elsewhere.saturating_add(known.at_stake);
            if action == Action::Skip(Skip::Over) {
                // A backbone may be large.
                (known.embedding, known.kit) = (None, None);
            }
            if known.busy && matches!(action, Action::Skip(_)) {
                // What is being trained is not wanted any more.
                known.leash = Leash::default();
            }
            journal.campaigns.push(line(campaign, known, &action));
            idle &= matches!(action, Action::Skip(_)) && !known.busy;
            if known.busy || Instant::now() < known.not_before {
                if self.shop.setup.once && known.failures >= ONCE_ATTEMPTS {
                    let trouble = known.trouble.clone().unwrap_or_default();
                    return Err(RunError::Trouble { campaign: id, trouble });
                }
                continue;
            }
            let job = self.shop.start(self.reader.world(), campaign, known, &self.policy, &action);
            if let Some(job) = job {
                known.busy = true;
                idle = false;
                self.jobs.spawn(async move { (id, caught(job).await) });
            }
        }
        self.tidy()?;
        self.note(journal)?;
        Ok(idle)
    }

    /// What is at stake in all campaigns: what the chain holds, or what was about to be sent when it was last decided.
    fn at_stake(&mut self) -> Amount {
        let me = self.shop.setup.me;
        let mut total = Amount::ZERO;
        for campaign in self.reader.world().in_order() {
            let known = self.known.entry(campaign.id).or_insert_with(Known::new);
            known.at_stake = known.at_stake.max(campaign.stakes(me).held);
            total = total.saturating_add(known.at_stake);
        }
        total
    }

    /// Follows changes of the rules; the last good ones stay in force while the file cannot be read.
    fn notice_policy(&mut self) {
        let read = home::read_policy(&self.shop.setup.policy);
        let (policy, reason) = match read {
            Ok(policy) => (Some(policy), None),
            Err(error) => (None, Some(error.to_string())),
        };
        self.policy = policy.unwrap_or_else(|| std::mem::take(&mut self.policy));
        self.complain("the policy stays as it was", reason);
    }

    /// After data sets came or went, every campaign is measured against them anew.
    fn notice_data(&mut self) -> Result<(), RunError> {
        let data = repository::names(&*self.shop.store)?;
        if data != self.data {
            self.data = data;
            self.known.values_mut().for_each(|known| known.offer = Offer::Unknown);
        }
        Ok(())
    }

    fn take(&mut self, id: CampaignId, result: Result<Done, JobError>) {
        let known = self.known.entry(id).or_insert_with(Known::new);
        known.busy = false;
        match result {
            Ok(done) => {
                known.succeeded();
                learn(known, id, done);
            }
            Err(error) => {
                tracing::warn!(campaign = %id, "{error}");
                known.failed(error.to_string());
            }
        }
    }

    /// Drops updates that will never be sent again.
    fn tidy(&mut self) -> Result<(), RunError> {
        let now = self.reader.world().head.now;
        let mut outbox = lock(&self.shop.outbox);
        let useless: Vec<_> = outbox
            .sealed()
            .filter(|(id, version)| {
                let campaign = self.reader.world().campaign(*id);
                campaign.is_some_and(|campaign| planner::is_useless(campaign, *version, now))
            })
            .collect();
        for (id, version) in useless {
            outbox.give_up(&*self.shop.store, id, version)?;
            tracing::info!(campaign = %id, %version, "dropped an update that nobody needs any more");
        }
        let goes_on = |id, version| {
            let open = self
                .reader
                .world()
                .campaign(id)
                .is_some_and(|campaign| campaign.version() == version && campaign.closed.is_none());
            open && outbox.stage(id, version).is_none()
        };
        Ok(training::tidy(&*self.shop.store, goes_on)?)
    }

    fn note(&mut self, journal: Journal) -> Result<(), RunError> {
        if journal != self.journal {
            let bytes = serde_json::to_vec(&journal).map_err(|error| StoreError(error.into()))?;
            self.shop.store.put(JOURNAL, &bytes)?;
            self.journal = journal;
        }
        Ok(())
    }
}

/// A panic becomes a failure of its campaign alone, whatever else is running: the campaign is tried again after a pause, and
/// `--once` gives it up after some attempts.
async fn caught(job: impl Future<Output = Result<Done, JobError>>) -> Result<Done, JobError> {
    AssertUnwindSafe(job).catch_unwind().await.unwrap_or(Err(JobError::Panicked))
}

fn lock(outbox: &Mutex<Outbox>) -> std::sync::MutexGuard<'_, Outbox> {
    outbox.lock().unwrap_or_else(PoisonError::into_inner)
}

fn line(campaign: &CampaignView, known: &Known, action: &Action) -> JournalLine {
    JournalLine {
        campaign: campaign.id,
        name: known.manifest.as_ref().map(|manifest| manifest.name.clone()),
        regime: known.manifest.as_ref().map(|manifest| manifest.method.regime()),
        progress: known.leash.progress(),
        version: campaign.version(),
        next: match known.leash.progress() {
            Some(Progress { epoch, epochs, step, steps }) if *action == Action::Train => {
                format!("{action}: epoch {epoch} of {epochs}, step {step} of {steps}")
            }
            _ => action.to_string(),
        },
        trouble: known.trouble.clone(),
        fits: known.fits.clone(),
    }
}

/// What a campaign with a good manifest is to a Mine with so many rows that fit.
fn offer(manifest: &Manifest, rows: usize) -> Offer {
    let backbone = manifest.method.backbone();
    match backbone.map(Backbone::most_rows) {
        Some(most) if rows > most => Offer::Unusable(format!(
            "its backbone would keep this machine busy for too long: it takes {most} rows, and {rows} fit"
        )),
        _ => Offer::Known { algorithm: manifest.method.algorithm(), backbone: backbone.is_some(), rows },
    }
}

fn learn(known: &mut Known, id: CampaignId, done: Done) {
    match done {
        Done::Manifest(Ok(manifest), fits) => {
            known.offer = offer(&manifest, fits.iter().map(|fit| fit.rows).sum());
            tracing::info!(campaign = %id, name = %manifest.name, regime = %manifest.method.regime(), "found a campaign");
            known.manifest = Some(manifest);
            known.fits = fits;
        }
        Done::Manifest(Err(why), _) => {
            tracing::warn!(campaign = %id, "its manifest is refused: {why}");
            known.offer = Offer::Unusable(why);
        }
        Done::Kit(version, result) if version == known.version => match result {
            Ok(kit) => {
                // All versions have the same.
                known.embedding = Some(kit.embedding.clone());
                known.kit = Some(kit);
                known.supply = Supply::Ready;
            }
            Err(why) => {
                tracing::warn!(campaign = %id, %version, "the published model is refused: {why}");
                known.supply = Supply::Refused(why);
            }
        },
        Done::Kit(..) => {}
        Done::Made(version) => {
            tracing::info!(campaign = %id, %version, "made an update");
            // The next version brings its own.
            known.kit = None;
            known.leash = Leash::default();
        }
        Done::Outdated => {}
        Done::Sent => known.not_before = Instant::now() + SENT_PAUSE,
    }
}

type Job = Pinned<'static, Result<Done, JobError>>;

impl Workshop {
    /// The work behind an action, if there is any.
    fn start(
        &self,
        world: &World,
        campaign: &CampaignView,
        known: &Known,
        policy: &Policy,
        action: &Action,
    ) -> Option<Job> {
        let shop = self.clone();
        let (id, version) = (campaign.id, campaign.version());
        Some(match action {
            Action::Fetch(Artefact::Manifest) => Box::pin(fetch_manifest(shop, campaign.terms.clone())),
            Action::Fetch(Artefact::Material) => {
                let wanted = Wanted::new(&self.setup, world, campaign)?;
                Box::pin(fetch_kit(shop, known.manifest.clone()?, known.embedding.clone(), wanted))
            }
            Action::Train => {
                let order = Order {
                    campaign: id,
                    version,
                    miner: self.setup.me,
                    manifest: known.manifest.clone()?,
                    kit: known.kit.clone()?,
                    budget: policy.privacy,
                    leash: known.leash.hold(),
                    now: world.head.now,
                };
                Box::pin(make(shop, order))
            }
            Action::Send => Box::pin(send(shop, id, version)),
            Action::Skip(_) | Action::Wait(_) => return None,
        })
    }
}

async fn fetch_manifest(shop: Workshop, terms: Terms) -> Result<Done, JobError> {
    let digest = Digest(terms.manifest.0);
    let bytes = shop.setup.node.get(digest, limits::MANIFEST, FETCH_TIMEOUT).await;
    let bytes = match bytes {
        Err(IpfsError::TooLarge { .. }) => {
            return Ok(Done::Manifest(Err(format!("larger than {} bytes", limits::MANIFEST)), Vec::new()));
        }
        other => other?,
    };
    let manifest = match check_manifest(&bytes, &terms) {
        Ok(manifest) => Arc::new(manifest),
        Err(why) => return Ok(Done::Manifest(Err(why), Vec::new())),
    };
    let schema = manifest.data.clone();
    let fits = tokio::task::spawn_blocking(move || repository::fits(&*shop.store, &schema)).await??;
    Ok(Done::Manifest(Ok(manifest), fits))
}

fn check_manifest(bytes: &[u8], terms: &Terms) -> Result<Manifest, String> {
    let manifest = Manifest::decode(bytes).map_err(|error| error.to_string())?;
    manifest.matches(terms).map_err(|error| error.to_string())?;
    Ok(manifest)
}

/// What must be fetched for a version, as the chain says.
struct Wanted {
    version: Version,
    published: Published,
    certificate: Option<Digest>,
    operator: Address,
    /// Unix time: the Capsule's key has to be valid when the campaign is opened.
    opened_at: u64,
    binding: Binding,
}

impl Wanted {
    fn new(setup: &Setup, world: &World, campaign: &CampaignView) -> Option<Self> {
        let version = campaign.versions.last()?;
        let deployment = setup.client.deployment();
        let operator = campaign.terms.capsule;
        Some(Self {
            version: version.version,
            published: version.published,
            certificate: world.capsules.get(&operator).and_then(|capsule| capsule.certificate),
            operator,
            opened_at: campaign.opened.timestamp,
            binding: Binding {
                chain_id: deployment.chain_id,
                contract: deployment.campaigns.into(),
                campaign: *campaign.id.as_bytes(),
                version: version.version.0,
                beacon: version.beacon.0,
            },
        })
    }
}

/// The backbone of a campaign and its size; an error that another try may mend, or the reason why it is of no use.
async fn fetch_embedding(shop: &Workshop, manifest: &Manifest) -> Result<Result<(Embedding, usize), String>, JobError> {
    let Some(backbone) = manifest.method.backbone() else { return Ok(Ok((Embedding::none(), 0))) };
    let limit = backbone.file_limit();
    Ok(match shop.setup.node.get(backbone.weights, limit, FETCH_TIMEOUT).await {
        Err(IpfsError::TooLarge { .. }) => Err(format!("its backbone is larger than {limit} bytes")),
        other => {
            let file = other?;
            let embedding = backbone.read(&file).map_err(|error| format!("its backbone: {error}"));
            embedding.map(|embedding| (embedding, file.len()))
        }
    })
}

async fn fetch_kit(
    shop: Workshop,
    manifest: Arc<Manifest>,
    embedding: Option<Arc<Embedding>>,
    wanted: Wanted,
) -> Result<Done, JobError> {
    let certificate = wanted.certificate.ok_or(JobError::NoCertificate(wanted.operator))?;
    let material = shop.setup.node.get(wanted.published.material, manifest.method.material_limit(), FETCH_TIMEOUT);
    let certificate = shop.setup.node.get(certificate, limits::CERTIFICATE, FETCH_TIMEOUT);
    let refused = |why: String| Ok(Done::Kit(wanted.version, Err(why)));
    let (material, certificate) = match tokio::try_join!(material, certificate) {
        Err(IpfsError::TooLarge { .. }) => return refused("it is larger than it can be".into()),
        other => other?,
    };
    let (embedding, bytes) = match embedding {
        Some(embedding) => (embedding, 0),
        None => match fetch_embedding(&shop, &manifest).await? {
            Ok((embedding, bytes)) => (Arc::new(embedding), bytes),
            Err(why) => return refused(why),
        },
    };
    match open_kit(&material, &certificate, &manifest, embedding, &wanted) {
        Ok(kit) => Ok(Done::Kit(wanted.version, Ok(Arc::new(Kit { bytes: kit.bytes + bytes, ..kit })))),
        Err(why) => refused(why),
    }
}

/// Refuses what is not for exactly these parameters and this version, what the Capsule did not bind itself to, and a Capsule that
/// is not the manifest's.
fn open_kit(
    material: &[u8],
    certificate: &[u8],
    manifest: &Manifest,
    embedding: Arc<Embedding>,
    wanted: &Wanted,
) -> Result<Kit, String> {
    let capsule = Certificate::decode(certificate, wanted.opened_at).map_err(|error| error.to_string())?;
    if capsule.fingerprint() != manifest.capsule {
        return Err(format!(
            "the Capsule's certificate is {}, the manifest names {}",
            capsule.fingerprint(),
            manifest.capsule
        ));
    }
    if !wanted.published.is_of(material) {
        return Err("it is not the material that the Capsule bound itself to on chain".into());
    }
    Ok(Kit {
        bytes: material.len() + certificate.len(),
        embedding,
        model: manifest.method.open(material, &wanted.binding).map_err(|error| error.to_string())?,
        binding: wanted.binding,
        capsule,
    })
}

async fn make(shop: Workshop, order: Order) -> Result<Done, JobError> {
    // The semaphore is never closed; without a permit the work is merely less orderly.
    let _permit = shop.bench.clone().acquire_owned().await.ok();
    let version = order.version;
    tokio::task::spawn_blocking(move || {
        let (record, envelope) = match work::make(&*shop.store, &order) {
            Err(WorkError::Outdated) => return Ok(Done::Outdated),
            made => made?,
        };
        // From here on this update is the only one of its version.
        lock(&shop.outbox).keep(&*shop.store, &record, &envelope, order.budget.as_ref())?;
        Ok(Done::Made(version))
    })
    .await?
}

async fn send(shop: Workshop, id: CampaignId, version: Version) -> Result<Done, JobError> {
    let Workshop { setup, store, .. } = shop;
    let opened = tokio::task::spawn_blocking(move || outbox::open(&*store, id, version)).await?;
    let (_, envelope) = opened?;
    let content = setup.node.add(envelope).await?;
    if !is_on_chain(&setup, id, content).await? {
        let outcome = setup.client.submit(id, version, content).await?;
        tracing::info!(campaign = %id, %version, transaction = %outcome.hash, "submitted an update");
    }
    Ok(Done::Sent)
}

/// Whether the submission is in a block that is not deep enough yet to be believed.
async fn is_on_chain(setup: &Setup, id: CampaignId, content: Digest) -> Result<bool, JobError> {
    let head = setup.client.head().await?.number;
    let first = head.saturating_sub(setup.confirmations + 1);
    let records = setup.client.logs(first.max(setup.client.deployment().block), head).await?;
    Ok(records.iter().any(|record| {
        matches!(&record.event, Event::Submitted { id: campaign, miner, content: found, .. }
            if (*campaign, *miner, *found) == (id, setup.me, content))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_job_that_panics_is_a_failure_while_another_job_runs() {
        let (broken, slow) = (CampaignId([1; 32].into()), CampaignId([2; 32].into()));
        let mut jobs = JoinSet::<Finished>::new();
        jobs.spawn(async move { (slow, caught(std::future::pending()).await) });
        jobs.spawn(async move { (broken, caught(async { panic!("a bug") }).await) });
        let (campaign, result) = jobs.join_next().await.unwrap().unwrap();
        assert_eq!(campaign, broken);
        assert!(matches!(result, Err(JobError::Panicked)));
        assert_eq!(jobs.len(), 1);
    }

    #[tokio::test]
    async fn a_panic_on_a_thread_of_its_own_is_a_failure_too() {
        let result = caught(async { tokio::task::spawn_blocking(|| panic!("a bug")).await? }).await;
        assert!(matches!(result, Err(JobError::Join(error)) if error.is_panic()));
    }
}
