//! A Capsule on a chain, an IPFS and a disk in memory: what it does with good and bad updates, crashes and forks.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{
        Arc, LazyLock, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use alloy::{
    primitives::{Address, B256, hex, keccak256},
    signers::local::PrivateKeySigner,
};
use sha2::{Digest as _, Sha256};
use sonar_contracts::{CloseReason, Outcome, State, Submission, Terms, campaign_id};
use sonar_node::{chain, files::FileError, ipfs::IpfsError, vault::VaultError};
use sonar_protocol::{
    backbone::Backbone,
    campaign::CampaignFile,
    envelope::{Header, ProtocolReject, open_update, seal_update},
    event::{Event, LogPosition, Record as ChainRecord},
    families::{Method, plain_network},
    handover::{AuditSecret, Handover, Published},
    ids::{CampaignId, Digest, Version},
    launch::{self, CapsuleTerms, Inputs, Recipient},
    manifest::Manifest,
    pgp::{self, Certificate, Identity},
    refusal::Refusal,
    units::Amount,
    view::{CampaignView, CapsuleView, StakeFate, World},
};
use syft::{AffineUpdate, EncryptedUpdate, Material, Matrix, SecretKey, Targets, VersionSeed, encrypt_update};
use zeroize::Zeroizing;

use testkit::yes_or_no::{self, csv};

use crate::{
    attest::Attester,
    engine::Action,
    ports::{Artefacts, Chain, Store},
    record::Settlement,
    worker::{Patience, Tools, WorkError, Worker},
};

mod clear;

const CHAIN_ID: u64 = 31337;
const SONAR: Address = Address::repeat_byte(9);
const MINER: Address = Address::repeat_byte(5);
const FEE_PPM: u32 = 10_000;
const NOW: u64 = 1_800_000_000;

static CAMPAIGN: LazyLock<String> = LazyLock::new(|| yes_or_no::campaign("submissions = 12\naccepts = 2\nwindow = 1"));
static CAPSULE: LazyLock<Identity> = LazyLock::new(|| Identity::generate("capsule", "c").unwrap());
static SCIENTIST: LazyLock<Identity> = LazyLock::new(|| Identity::generate("scientist", "s").unwrap());

/// A disk whose writes may stop arriving at any moment.
#[derive(Debug, Default)]
struct Disk {
    files: Mutex<BTreeMap<String, Vec<u8>>>,
    writes: AtomicUsize,
    /// Writes after which nothing is written any more; 0 for never.
    last: AtomicUsize,
}

impl Disk {
    fn write(&self) -> Result<(), VaultError> {
        let count = self.writes.fetch_add(1, Ordering::SeqCst) + 1;
        let last = self.last.load(Ordering::SeqCst);
        if last == 0 || count <= last {
            return Ok(());
        }
        let gone = std::io::Error::other("the process was killed");
        Err(VaultError::File(FileError::new("write", "disk".as_ref())(gone)))
    }

    fn names(&self, kind: &str) -> Vec<String> {
        self.files.lock().unwrap().keys().filter(|name| name.starts_with(kind)).cloned().collect()
    }
}

impl Store for Arc<Disk> {
    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), VaultError> {
        self.write()?;
        self.files.lock().unwrap().insert(name.into(), bytes.into());
        Ok(())
    }

    fn find(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, VaultError> {
        Ok(self.files.lock().unwrap().get(name).cloned().map(Zeroizing::new))
    }

    fn remove(&self, name: &str) -> Result<(), VaultError> {
        self.write()?;
        self.files.lock().unwrap().remove(name);
        Ok(())
    }
}

/// All artefacts of everybody.
#[derive(Debug, Default)]
struct Shelf(Mutex<HashMap<Digest, Vec<u8>>>, Mutex<HashMap<Digest, Damage>>);

/// Why an artefact cannot be fetched.
#[derive(Clone, Copy, Debug)]
enum Damage {
    /// The miner published blocks that do not form a file.
    Malformed,
    /// The Capsule's own node fails, for example because its disk is full.
    Node,
    /// The Capsule's own node does not answer.
    Unreachable,
}

impl Shelf {
    fn put(&self, bytes: Vec<u8>) -> Digest {
        let digest = Digest(keccak256(&bytes).0);
        self.0.lock().unwrap().insert(digest, bytes);
        digest
    }

    fn damage(&self, digest: Digest, damage: Option<Damage>) {
        let mut damaged = self.1.lock().unwrap();
        match damage {
            Some(damage) => damaged.insert(digest, damage),
            None => damaged.remove(&digest),
        };
    }

    fn take(&self, digest: Digest) -> Option<Vec<u8>> {
        self.0.lock().unwrap().get(&digest).cloned()
    }
}

impl Artefacts for Arc<Shelf> {
    async fn add(&self, bytes: Vec<u8>) -> Result<Digest, IpfsError> {
        Ok(self.put(bytes))
    }

    async fn get(&self, digest: Digest, limit: usize, timeout: Duration) -> Result<Vec<u8>, IpfsError> {
        let reason = "a test".to_string();
        match self.1.lock().unwrap().get(&digest) {
            None => {}
            Some(Damage::Malformed) => return Err(IpfsError::Malformed { digest, reason }),
            Some(Damage::Node) => return Err(IpfsError::Node { action: "fetch an artefact", reason }),
            Some(Damage::Unreachable) => return Err(IpfsError::Unreachable { url: "http://kubo".into(), reason }),
        }
        match self.take(digest) {
            None => Err(IpfsError::NotFound { digest, waited: timeout, peers: 0 }),
            Some(bytes) if bytes.len() > limit => Err(IpfsError::TooLarge { digest, limit }),
            Some(bytes) => Ok(bytes),
        }
    }
}

/// What was sent to the contract.
#[derive(Clone, Debug, PartialEq)]
enum Sent {
    Activated { start_ppm: u32, first: Published },
    Declined(u8),
    Settled(Settlement, Vec<u8>),
    Closed,
    Finalized(Digest, Vec<Handover>),
    Released,
}

#[derive(Debug, Default)]
struct Wire {
    window_hash: Mutex<B256>,
    sent: Mutex<Vec<Sent>>,
}

impl Wire {
    fn send(&self, sent: Sent) -> Result<(), chain::Error> {
        self.sent.lock().unwrap().push(sent);
        Ok(())
    }
}

impl Chain for Arc<Wire> {
    async fn window_hash(&self, _: CampaignId) -> Result<B256, chain::Error> {
        Ok(*self.window_hash.lock().unwrap())
    }

    async fn activate(&self, _: &Terms, start_ppm: u32, first: Published, _: &[u8]) -> Result<(), chain::Error> {
        self.send(Sent::Activated { start_ppm, first })
    }

    async fn decline(&self, _: &Terms, reason: u8, _: &[u8]) -> Result<(), chain::Error> {
        self.send(Sent::Declined(reason))
    }

    async fn settle(
        &self,
        _: &Terms,
        _: &[Submission],
        settlement: &Settlement,
        signature: &[u8],
    ) -> Result<(), chain::Error> {
        self.send(Sent::Settled(settlement.clone(), signature.into()))
    }

    async fn close(&self, _: &Terms) -> Result<(), chain::Error> {
        self.send(Sent::Closed)
    }

    async fn finalize(&self, _: &Terms, result: Digest, handovers: &[Handover], _: &[u8]) -> Result<(), chain::Error> {
        self.send(Sent::Finalized(result, handovers.to_vec()))
    }

    async fn release(&self, _: &Terms) -> Result<(), chain::Error> {
        self.send(Sent::Released)
    }
}

type TestWorker = Worker<Arc<Disk>, Arc<Shelf>, Arc<Wire>>;

struct Stage {
    disk: Arc<Disk>,
    shelf: Arc<Shelf>,
    wire: Arc<Wire>,
    signer: PrivateKeySigner,
    manifest: Manifest,
    id: CampaignId,
    world: World,
    /// Unix time of block 0.
    began: u64,
    block: u64,
    stake: Amount,
    worker: TestWorker,
}

fn tools(
    disk: &Arc<Disk>,
    shelf: &Arc<Shelf>,
    wire: &Arc<Wire>,
    signer: &PrivateKeySigner,
) -> Arc<Tools<Arc<Disk>, Arc<Shelf>, Arc<Wire>>> {
    Arc::new(Tools {
        store: disk.clone(),
        artefacts: shelf.clone(),
        chain: wire.clone(),
        identity: Identity::load(&CAPSULE.export_secret_armored(), "c").unwrap(),
        attester: Attester::new(signer.clone(), CHAIN_ID, SONAR),
        patience: Patience { update: Duration::from_secs(1), artefact: Duration::from_secs(1) },
    })
}

fn audit_secret() -> AuditSecret {
    let account = PrivateKeySigner::from_bytes(&B256::repeat_byte(7)).unwrap();
    AuditSecret::of(&account, B256::repeat_byte(6))
}

impl Stage {
    /// A proposed campaign; `spoil` may change the sealed bundle, the manifest's bytes and the terms.
    fn proposed(spoil: impl FnOnce(&mut Vec<u8>, &mut Manifest, &mut Terms)) -> Self {
        Self::planned(&CAMPAIGN, spoil)
    }

    /// The same of any campaign file.
    fn planned(file: &str, spoil: impl FnOnce(&mut Vec<u8>, &mut Manifest, &mut Terms)) -> Self {
        Self::delivering(file, SCIENTIST.certificate(), NOW, spoil)
    }

    /// The same to any data scientist, at any time.
    fn delivering(
        file: &str,
        scientist: &Certificate,
        began: u64,
        spoil: impl FnOnce(&mut Vec<u8>, &mut Manifest, &mut Terms),
    ) -> Self {
        let signer = PrivateKeySigner::random();
        let inputs = Inputs {
            validation: csv(100).into_bytes().into(),
            initial: None,
            backbone: None,
            owner: Address::repeat_byte(1),
            // The one who launches need not look when it expires.
            scientist: Recipient { expires: None, ..scientist.into() },
            token: Address::ZERO,
            bounty: Amount::from(1_000_u128),
            capsule: CapsuleTerms {
                operator: Address::repeat_byte(2),
                attester: signer.address(),
                fee_ppm: FEE_PPM,
                stake: Amount::ZERO,
                fingerprint: CAPSULE.fingerprint(),
            },
            now: began,
            bundle_salt: [5; 32].into(),
            salt: B256::repeat_byte(6),
            audit: audit_secret(),
        };
        let plan = launch::plan(&CampaignFile::parse(file).unwrap(), inputs).unwrap();
        let (disk, shelf, wire) = (Arc::<Disk>::default(), Arc::<Shelf>::default(), Arc::<Wire>::default());
        let mut sealed = pgp::seal(&plan.bundle.encode(), CAPSULE.certificate()).unwrap();
        let mut manifest = plan.manifest(Digest([0; 32]));
        let mut terms = plan.terms(Digest([0; 32]));
        spoil(&mut sealed, &mut manifest, &mut terms);
        manifest.bundle = shelf.put(sealed);
        terms.manifest = shelf.put(manifest.encode().unwrap()).into();
        let id = CampaignId(campaign_id(CHAIN_ID, SONAR, &terms));
        let tools = tools(&disk, &shelf, &wire, &signer);
        let worker = Worker::resume(tools, id).unwrap();
        let mut stage = Self {
            disk,
            shelf,
            wire,
            signer,
            manifest,
            id,
            world: World::default(),
            began,
            block: 0,
            stake: Amount::ZERO,
            worker,
        };
        stage.happened(Event::Opened { id, terms: Box::new(terms) });
        stage
    }

    /// A campaign that takes updates.
    async fn open() -> Self {
        Self::open_as(&CAMPAIGN).await
    }

    /// The same of any campaign file.
    async fn open_as(file: &str) -> Self {
        let mut stage = Self::planned(file, |_, _, _| {});
        stage.work().await.unwrap();
        assert_eq!(stage.view().state, State::Open);
        stage
    }

    /// As [`Self::open`], and the Capsule has something to lose.
    async fn staked() -> Self {
        let mut stage = Self::proposed(|_, _, terms| terms.stake = 1);
        stage.stake = Amount::from(1_u128);
        stage.work().await.unwrap();
        stage
    }

    fn view(&self) -> CampaignView {
        self.world.campaign(self.id).unwrap().clone()
    }

    /// The chain says something in a new block.
    fn happened(&mut self, event: Event) {
        self.block += 1;
        let hash = keccak256(self.block.to_be_bytes());
        let at = LogPosition {
            block: self.block,
            block_hash: hash,
            timestamp: self.began + self.block,
            transaction: hash,
            index: self.block,
        };
        self.world.apply(&ChainRecord { at, event }).unwrap();
        *self.wire.window_hash.lock().unwrap() = self.view().window_hash();
    }

    async fn step(&mut self) -> (Action, Result<(), WorkError>) {
        let own = CapsuleView {
            attester: self.signer.address(),
            fee_ppm: FEE_PPM,
            stake: self.stake,
            ..CapsuleView::default()
        };
        let view = self.view();
        self.worker.step(&view, Some(&own), self.began + self.block).await
    }

    /// Works until there is nothing to do; the chain takes everything that is sent.
    async fn work(&mut self) -> Result<(), WorkError> {
        for _ in 0..50 {
            let (action, done) = self.step().await;
            done?;
            let sent = std::mem::take(&mut *self.wire.sent.lock().unwrap());
            for sent in sent {
                self.take(sent);
            }
            if matches!(action, Action::Wait(_) | Action::Done) {
                return Ok(());
            }
        }
        panic!("the Capsule never rests");
    }

    fn take(&mut self, sent: Sent) {
        let id = self.id;
        match sent {
            Sent::Activated { start_ppm, first } => self.happened(Event::Activated { id, start_ppm, first }),
            Sent::Declined(reason) => self.happened(Event::Declined { id, reason }),
            Sent::Settled(settlement, _) => self.settle(&settlement),
            Sent::Closed => {
                self.happened(Event::Closed { id, reason: CloseReason::Deadline, refunded: Amount::ZERO });
            }
            Sent::Finalized(result, handovers) => self.happened(Event::Finalized { id, result, handovers }),
            Sent::Released => self.happened(Event::Released { id }),
        }
    }

    fn settle(&mut self, settlement: &Settlement) {
        let id = self.id;
        let outcomes: Vec<Outcome> = settlement.outcomes.iter().map(|code| Outcome::decode(*code).unwrap()).collect();
        let mut steps = outcomes.iter().rev().filter_map(|outcome| match outcome {
            Outcome::Accepted(step) => Some(u32::from(*step) * self.manifest.accuracy.grid.ppm()),
            _ => None,
        });
        let best_ppm = steps.next().unwrap_or(self.view().best_ppm);
        self.happened(Event::Settled {
            id,
            window: settlement.window,
            version: settlement.version,
            outcomes,
            best_ppm,
            next: settlement.next,
        });
        if settlement.close != 0 {
            self.happened(Event::Closed { id, reason: CloseReason::LeakBudget, refunded: Amount::ZERO });
        } else if settlement.next.is_none() && best_ppm >= 1_000_000 {
            self.happened(Event::Closed { id, reason: CloseReason::Target, refunded: Amount::ZERO });
        }
    }

    fn submit(&mut self, content: Digest) {
        self.submit_as(MINER, content);
    }

    fn submit_as(&mut self, miner: Address, content: Digest) {
        let window = self.view().window;
        let (version, index) = (window.version, u32::try_from(window.submissions.len()).unwrap());
        let id = self.id;
        self.happened(Event::Submitted { id, miner, version, window: window.index, index, content });
    }

    /// Rows like the validation set's, and answers: `honest` or all turned round.
    fn rows(&self, honest: bool) -> (Matrix, Targets) {
        let table =
            sonar_protocol::data::read_csv(csv(200).as_bytes(), &sonar_protocol::data::Limits::default()).unwrap();
        let examples = self.manifest.data.fit(&table).unwrap();
        let targets = match self.manifest.targets(&examples).unwrap() {
            Targets::Classes(classes) if !honest => {
                Targets::Classes(classes.into_iter().map(|class| 1 - class).collect())
            }
            targets => targets,
        };
        (examples.features().clone(), targets)
    }

    /// Rows of which some are answered wrongly: who learns them is right in more than three of four cases, and in less than all.
    fn half_right(&self) -> (Matrix, Targets) {
        let (raw, _) = self.rows(true);
        let classes = (0..raw.rows()).map(|row| usize::from(raw.row(row)[0] > raw.row(row)[1] + 0.15)).collect();
        (raw, Targets::Classes(classes))
    }

    /// What a Mine learns from such rows.
    fn learnt(&self, (raw, targets): &(Matrix, Targets)) -> AffineUpdate {
        let linear = self.manifest.method.linear().unwrap();
        let features = linear.features.apply(raw).unwrap();
        syft::train(&features, targets, &linear.rule, &linear.labels, &linear.parameters, &mut rand::rng()).unwrap()
    }

    /// An update to the present version.
    fn update(&self, honest: bool) -> Vec<u8> {
        if self.manifest.method.clear().is_some() {
            return self.network_update(honest);
        }
        self.update_from(&self.rows(honest))
    }

    /// The same from any rows.
    fn update_from(&self, rows: &(Matrix, Targets)) -> Vec<u8> {
        let bytes = self.shelf.take(self.view().material().unwrap()).unwrap();
        let parameters = &self.manifest.method.linear().unwrap().parameters;
        let material = Material::decode(&bytes, parameters, &self.binding()).unwrap();
        encrypt_update(&material, &self.learnt(rows)).unwrap().encode()
    }

    /// What the keys of the present version are bound to.
    fn binding(&self) -> syft::Binding {
        let view = self.view();
        syft::Binding {
            chain_id: CHAIN_ID,
            contract: SONAR.into_array(),
            campaign: *self.id.as_bytes(),
            version: view.version().0,
            beacon: view.versions.last().unwrap().beacon.0,
        }
    }

    /// What an update opens to. Only the Capsule can do that, and only with the seed on its disk.
    fn opened(&self, update: &[u8]) -> Vec<i64> {
        let parameters = &self.manifest.method.linear().unwrap().parameters;
        let name = self.disk.names("seed").remove(0);
        let seed = self.disk.files.lock().unwrap()[&name].clone();
        let key = SecretKey::derive(&VersionSeed::from_bytes(seed.try_into().unwrap()), parameters, &self.binding());
        let material = self.shelf.take(self.view().material().unwrap()).unwrap();
        let material = Sha256::digest(material).into();
        key.decrypt(&EncryptedUpdate::decode(update, parameters, &material).unwrap()).raw().to_vec()
    }

    fn header(&self) -> Header {
        Header::new(CHAIN_ID, SONAR, self.id, self.view().version(), MINER)
    }

    fn sealed(&self, header: &Header, update: &[u8]) -> Digest {
        self.shelf.put(seal_update(header, update, CAPSULE.certificate()).unwrap())
    }

    /// The settlement of a window with one update, and how often the disk was written to for it.
    async fn settled(&mut self, content: Digest) -> (Settlement, usize) {
        self.submit(content);
        let before = self.disk.writes.load(Ordering::SeqCst);
        self.work().await.unwrap();
        let written = self.disk.writes.load(Ordering::SeqCst) - before;
        (self.worker.record().settlements.last().unwrap().clone(), written)
    }

    /// A first update is accepted, which leaves something to improve.
    async fn improve(&mut self) {
        let content = self.sealed(&self.header(), &self.update_from(&self.half_right()));
        let (settlement, _) = self.settled(content).await;
        assert_eq!(settlement.outcomes, [Outcome::Accepted(3).encode().unwrap()]);
        assert_eq!(self.view().version(), Version(2));
    }

    /// The process was killed, and starts again on the same disk.
    fn restart(&mut self) {
        self.disk.last.store(0, Ordering::SeqCst);
        let tools = tools(&self.disk, &self.shelf, &self.wire, &self.signer);
        self.worker = Worker::resume(tools, self.id).unwrap();
    }

    /// The same Capsule once more, on the same chain.
    fn fork(&self) -> Self {
        let (disk, shelf, wire) = (Arc::<Disk>::default(), Arc::<Shelf>::default(), Arc::<Wire>::default());
        disk.files.lock().unwrap().clone_from(&self.disk.files.lock().unwrap());
        shelf.0.lock().unwrap().clone_from(&self.shelf.0.lock().unwrap());
        *wire.window_hash.lock().unwrap() = *self.wire.window_hash.lock().unwrap();
        let worker = Worker::resume(tools(&disk, &shelf, &wire, &self.signer), self.id).unwrap();
        let (signer, manifest, world) = (self.signer.clone(), self.manifest.clone(), self.world.clone());
        let (began, block, stake) = (self.began, self.block, self.stake);
        Self { disk, shelf, wire, signer, manifest, id: self.id, world, began, block, stake, worker }
    }

    /// What a fork says and keeps when it is sent this update. All forks find it in the same place, so that whatever differs between
    /// two of them depends on what the updates decrypt to.
    async fn transcript(&self, update: &[u8]) -> Transcript {
        let content = Digest([8; 32]);
        let mut fork = self.fork();
        let sealed = seal_update(&fork.header(), update, CAPSULE.certificate()).unwrap();
        fork.shelf.0.lock().unwrap().insert(content, sealed);
        fork.submit(content);
        let mut steps = Vec::new();
        let mut sent = Vec::new();
        while !matches!(steps.last(), Some(Action::Wait(_) | Action::Done)) {
            let (action, done) = fork.step().await;
            done.unwrap();
            steps.push(action);
            let now = std::mem::take(&mut *fork.wire.sent.lock().unwrap());
            now.iter().cloned().for_each(|sent| fork.take(sent));
            sent.extend(now);
        }
        let outcomes = fork.worker.record().settlements.last().unwrap().outcomes.clone();
        let published: BTreeSet<Digest> = fork.shelf.0.lock().unwrap().keys().copied().collect();
        let (files, writes) = (fork.disk.files.lock().unwrap().clone(), fork.disk.writes.load(Ordering::SeqCst));
        Transcript { outcomes, steps, sent, published, files, writes, view: format!("{:?}", fork.view()) }
    }
}

/// All that an update led to: what is public, and what is on the Capsule's disk.
#[derive(Debug, PartialEq)]
struct Transcript {
    outcomes: Vec<u16>,
    steps: Vec<Action>,
    sent: Vec<Sent>,
    published: BTreeSet<Digest>,
    files: BTreeMap<String, Vec<u8>>,
    writes: usize,
    view: String,
}

/// Where the words of an update begin.
const WORDS: usize = 72;

/// Whether a word is one of a mask: two rows of two outputs are packed together, after 2048 words of mask.
const fn is_mask(at: usize) -> bool {
    at % (2048 + 4) < 2048
}

/// Changes the words of an update: their upper three bytes are what is sent.
fn changed(update: &[u8], change: impl Fn(usize, u32) -> u32) -> Vec<u8> {
    let (header, words) = update.split_at(WORDS);
    let words = words.chunks_exact(3).enumerate().flat_map(|(at, word)| {
        let word = change(at, u32::from_le_bytes([word[0], word[1], word[2], 0]));
        word.to_le_bytes()[..3].to_vec()
    });
    header.iter().copied().chain(words).collect()
}

/// An update times a factor plus another, in the ciphertext.
fn combined(one: &[u8], factor: i32, other: &[u8]) -> Vec<u8> {
    let word = |at: usize| {
        let word = &other[WORDS + 3 * at..][..3];
        u32::from_le_bytes([word[0], word[1], word[2], 0])
    };
    changed(one, |at, of_one| word(at).wrapping_add(of_one.wrapping_mul(factor.cast_unsigned())))
}

/// Whatever an update opens to that does not improve the model: nothing that is said, sent, written or done differs by a byte. (There
/// is no NaN among whole numbers; for networks see `malformed_updates_are_rejected_by_protocol_and_cost_nothing_else`.)
#[tokio::test]
async fn content_reject_uniform() {
    let mut stage = Stage::open().await;
    // Of a model that knows nothing, noise may make a better one.
    stage.improve().await;
    let (worse, again) = (stage.update(false), stage.update(false));
    // Bytes of the right form that decrypt to anything: most of all to what is out of every range.
    let scrambled = changed(&worse, |at, word| word ^ (at as u32).wrapping_mul(0x9E_3779));
    // An update minus itself: a fresh encryption of nothing, after which the model is as good as before.
    let zero = combined(&worse, -1, &again);
    let body = |change: u32| changed(&zero, move |at, word| if is_mask(at) { word } else { word.wrapping_add(change) });
    let (huge, overflow, least) = (body(0x3f_0000), body(0x7f_0000), body(0x80_0000));
    let largest = |update: &[u8]| stage.opened(update).iter().map(|raw| raw.unsigned_abs().ilog2()).max().unwrap();
    assert!(largest(&zero) < 55, "noise alone");
    assert!(largest(&huge) == 61 && largest(&overflow) == 62 && largest(&least) >= 62);

    let said = stage.transcript(&worse).await;
    assert_eq!(said.outcomes, [Outcome::NotImproved.encode().unwrap()]);
    let cases = [
        ("worse again", again),
        ("nothing", zero),
        ("scrambled", scrambled),
        ("huge", huge),
        ("overflow", overflow),
        ("the least number", least),
    ];
    for (name, update) in cases {
        assert_eq!(stage.transcript(&update).await, said, "{name}");
    }
}

/// 2^63 on every mask moves what an update opens to by 2^63 times the parity of the key's bits. As long as nothing is accepted,
/// nothing that anybody sees tells one from the other.
#[tokio::test]
async fn parity_oracle() {
    let shifted = |update: &[u8]| changed(update, |at, word| if is_mask(at) { word ^ 0x80_0000 } else { word });
    let (mut odd, mut even) = (None, None);
    while odd.is_none() || even.is_none() {
        let stage = Stage::open().await;
        let update = stage.update(false);
        let moved = stage.opened(&update)[0].abs_diff(stage.opened(&shifted(&update))[0]);
        assert!(moved == 0 || moved == 1 << 63, "{moved}");
        assert_eq!(update.len(), WORDS + 3 * (2 * 2048 + 6), "a pack of two rows, and one of one");
        *(if moved == 0 { &mut even } else { &mut odd }) = Some((stage, update));
    }
    for (stage, useless) in [odd.as_ref().unwrap(), even.as_ref().unwrap()] {
        let said = stage.transcript(useless).await;
        assert_eq!(said.outcomes, [Outcome::NotImproved.encode().unwrap()]);
        assert_eq!(stage.transcript(&shifted(useless)).await, said);
    }
    // The shift is a real one: where the update is accepted it shows, which is what the leak meter counts accepts for.
    let useful = |stage: &Stage| shifted(&stage.update(true));
    let (odd, even) = (odd.unwrap().0, even.unwrap().0);
    assert_eq!(odd.transcript(&useful(&odd)).await.outcomes, [Outcome::NotImproved.encode().unwrap()]);
    assert_ne!(even.transcript(&useful(&even)).await.outcomes, [Outcome::NotImproved.encode().unwrap()]);
}

/// What an accepted update carries of the key that dies with it could be said in later versions. So the leak meter does not begin
/// anew with a new key, not even on a chain that forgets what was asked.
#[tokio::test]
async fn smuggle() {
    let mut stage = Stage::open().await;
    stage.improve().await;
    let before = stage.world.clone();
    for spent in 2..=12 {
        let meter = stage.worker.record().meter.clone().unwrap();
        assert_eq!((meter.submissions(), meter.accepts()), (spent - 1, 1));
        let content = stage.sealed(&stage.header(), &stage.update(false));
        stage.submit(content);
        let (action, done) = stage.step().await;
        assert!(matches!(action, Action::Evaluate(_)) && done.is_ok(), "{action:?}");
        let close = if spent == 12 { CloseReason::LeakBudget } else { CloseReason::None };
        assert_eq!(stage.worker.record().settlements.last().unwrap().close, close as u8, "after {spent}");
        stage.world = before.clone();
    }
}

/// Ciphertexts can be added up by anybody who has them. It pays nobody: whole envelopes of others, versions or campaigns are refused
/// by protocol, envelopes cannot be changed, and who had what is in them would be too late.
#[tokio::test]
async fn malleability() {
    const THIEF: Address = Address::repeat_byte(7);
    let file = CAMPAIGN.replace("window = 1", "window = 5");
    let mut stage = Stage::open_as(&file).await;
    let header = stage.header();
    let own = |stage: &Stage| Header::new(CHAIN_ID, SONAR, stage.id, stage.view().version(), THIEF);
    let update = stage.update_from(&stage.half_right());
    let sealed = stage.sealed(&header, &update);
    let nothing = combined(&stage.update(false), -1, &stage.update(false));
    let anew = combined(&update, 1, &nothing);
    assert!(anew != update && stage.opened(&anew) != stage.opened(&update));
    let sum = combined(&update, 1, &anew);

    // The Mine's; the thief sends the same envelope, and what she could only have from the Capsule or the Mine.
    stage.submit(sealed);
    stage.submit_as(THIEF, sealed);
    for stolen in [&update, &anew, &sum] {
        let content = stage.sealed(&own(&stage), stolen);
        stage.submit_as(THIEF, content);
    }
    stage.work().await.unwrap();
    let outcomes = |stage: &Stage| -> Vec<Outcome> {
        let codes = stage.worker.record().settlements.last().unwrap().outcomes.clone();
        codes.into_iter().map(|code| Outcome::decode(code).unwrap()).collect()
    };
    let rejected = |reason: ProtocolReject| Outcome::Rejected(reason.code());
    let late = Outcome::NotImproved;
    assert_eq!(outcomes(&stage), [Outcome::Accepted(3), rejected(ProtocolReject::WrongMiner), late, late, late]);

    // The version is dead now. Neither the envelope nor what is in it is of use, to the Mine or to the thief.
    assert_eq!(stage.view().version(), Version(2));
    stage.submit(sealed);
    let content = stage.sealed(&stage.header(), &update);
    stage.submit(content);
    let content = stage.sealed(&own(&stage), &anew);
    stage.submit_as(THIEF, content);
    // Another campaign of the same Capsule, and what was made for it.
    let other = Stage::open_as(&file).await;
    let elsewhere = other.update(true);
    let content = stage.sealed(&Header { miner: THIEF, ..other.header() }, &elsewhere);
    stage.submit_as(THIEF, content);
    let content = stage.sealed(&own(&stage), &elsewhere);
    stage.submit_as(THIEF, content);
    stage.work().await.unwrap();
    let (version, campaign) = (ProtocolReject::WrongVersion, ProtocolReject::WrongCampaign);
    let conformance = ProtocolReject::Conformance;
    assert_eq!(outcomes(&stage), [version, conformance, conformance, campaign, conformance].map(rejected));

    // No bit of an envelope can be changed, be it by who knows where the sender's name is.
    let envelope = stage.shelf.take(sealed).unwrap();
    let open = |bytes: &[u8]| open_update(bytes, &CAPSULE, &header, update.len()).map(|opened| opened.to_vec());
    assert_eq!(open(&envelope), Ok(update.clone()));
    for at in (0..envelope.len()).step_by(97) {
        let mut changed = envelope.clone();
        changed[at] ^= 1;
        assert!(open(&changed).is_err(), "byte {at}");
    }
}

/// Updates from very different data: as many bytes, the same envelope, the same header.
#[tokio::test]
async fn no_data_dependent_public() {
    let stage = Stage::open().await;
    let one = Matrix::new(1, 2, vec![0.0, 0.0]).unwrap();
    let (little, much) = (stage.update_from(&(one, Targets::Classes(vec![0]))), stage.update(true));
    assert_eq!(little.len(), much.len());
    assert_eq!(little[..WORDS], much[..WORDS]);
    let header = stage.header();
    let sealed = |update: &[u8]| seal_update(&header, update, CAPSULE.certificate()).unwrap();
    assert_eq!(sealed(&little).len(), sealed(&much).len());
}

#[tokio::test]
async fn key_dies() {
    let mut stage = Stage::open().await;
    let old = stage.view().material().unwrap();
    let (seeds, models) = (stage.disk.names("seed"), stage.disk.names("model"));
    assert_eq!((seeds.len(), models.len()), (1, 1));
    let seed = stage.worker.tools.store.find(&seeds[0]).unwrap().unwrap();
    let handover = stage.worker.record().handovers[&old];
    assert!(opens(&stage, &handover), "as long as the version lives its seed is here");
    // An update that improves the model some of the way: only the start is worth less than three quarters.
    let content = stage.sealed(&stage.header(), &stage.update(true));
    let (settlement, _) = stage.settled(content).await;
    assert!(matches!(Outcome::decode(settlement.outcomes[0]).unwrap(), Outcome::Accepted(_)));
    for name in seeds.iter().chain(&models) {
        assert!(!stage.disk.names("").contains(name), "{name} is still there");
    }
    // What is kept of the seed opens for the data scientist, and nothing that is kept opens it.
    assert_eq!(stage.worker.record().handovers[&old], handover);
    let opened = audit_secret().open(&stage.id, Version(1), &handover).unwrap();
    assert_eq!(opened.expose().as_slice(), seed.as_slice());
    assert!(!opens(&stage, &handover), "something on the disk opens a dead version");
    if let Some(next) = settlement.next.map(|next| next.material) {
        let words = |digest| {
            let bytes = stage.shelf.take(digest).unwrap();
            bytes[256..].chunks_exact(8).map(<[u8]>::to_vec).collect::<std::collections::HashSet<_>>()
        };
        assert_eq!(words(old).intersection(&words(next)).count(), 0, "old and new material share a word");
    } else {
        assert_eq!(stage.view().state, State::Finalized, "the target was reached at once");
    }
    // What is finished has no secrets left.
    if stage.view().state == State::Finalized {
        assert!(stage.disk.names("seed").is_empty() && stage.disk.names("model").is_empty());
    }
}

/// Whether any 32 bytes on the disk, plain or as text, are the seed that was handed over or what hides it.
fn opens(stage: &Stage, handover: &Handover) -> bool {
    let files = stage.disk.files.lock().unwrap();
    let is_seed = |bytes: &B256| VersionSeed::from_bytes(bytes.0).commitment() == handover.commitment.0;
    let opens = |bytes: &[u8]| {
        let bytes = B256::from_slice(bytes);
        is_seed(&bytes) || is_seed(&(bytes ^ handover.ciphertext))
    };
    let text = |bytes: &[u8]| hex::decode(bytes).is_ok_and(|bytes| bytes.len() == 32 && opens(&bytes));
    files.values().any(|bytes| bytes.windows(32).any(opens) || bytes.windows(64).any(text))
}

/// Whoever chooses the certificate gets the stake of a Capsule that cannot deliver to it.
#[tokio::test]
async fn an_expiring_certificate_costs_no_stake() {
    // In 2020: by the clock of this machine each of these keys has expired long ago.
    let began = 1_577_836_800;
    // Deadline, evaluation, delivery, and a day.
    let needed = 2 * 86_400 + 3_600 + 86_400 + 86_400;
    let key = |seconds| Identity::load(&testkit::openpgp::expiring("e", began, seconds), "e").unwrap();

    let mut stage = Stage::delivering(&CAMPAIGN, key(needed - 1).certificate(), began, |_, _, _| {});
    stage.step().await.1.unwrap();
    assert_eq!(stage.step().await.0, Action::Decline(Refusal::CertificateExpires as u8));
    assert_eq!(stage.disk.names("seed").len(), 0, "no keys are made for it");

    let scientist = key(needed);
    let mut stage = Stage::delivering(&CAMPAIGN, scientist.certificate(), began, |_, _, _| {});
    stage.work().await.unwrap();
    assert_eq!(stage.view().state, State::Open);
    stage.block += needed + 1;
    stage.restart();
    stage.work().await.unwrap();
    let view = stage.view();
    assert_eq!(view.state, State::Finalized);
    let sealed = stage.shelf.take(view.result.unwrap()).unwrap();
    pgp::open_verified(&sealed, &scientist, CAPSULE.certificate(), 1 << 20).unwrap();
}

/// The stake stays locked while the data scientist audits; then the Capsule frees it by itself.
#[tokio::test]
async fn the_stake_is_freed_after_the_audit() {
    let mut stage = Stage::staked().await;
    let content = stage.sealed(&stage.header(), &stage.update(true));
    stage.settled(content).await;
    if stage.view().state != State::Finalized {
        let id = stage.id;
        stage.happened(Event::Closed { id, reason: CloseReason::Owner, refunded: Amount::ZERO });
        stage.work().await.unwrap();
    }
    let view = stage.view();
    assert_eq!((view.state, view.stake_fate), (State::Finalized, None));
    assert_eq!(view.handovers.len(), view.versions.len());
    for (version, handover) in view.versions.iter().zip(&view.handovers) {
        assert_eq!(version.published, Published::new(version.published.material, handover));
        assert!(audit_secret().open(&stage.id, version.version, handover).is_some());
    }
    let end = view.changed_at + u64::from(view.terms.audit.period);
    assert_eq!(crate::engine::next(&view, stage.worker.record(), end - 1), Action::Wait(end));
    stage.block += u64::from(view.terms.audit.period);
    stage.work().await.unwrap();
    assert_eq!(stage.view().stake_fate, Some(StakeFate::Released));
    assert_eq!(crate::engine::next(&stage.view(), stage.worker.record(), end), Action::Done);
}

#[tokio::test]
async fn protocol_rejects_have_a_reason_and_cost_no_key() {
    let mut stage = Stage::open().await;
    let update = stage.update(true);
    let header = stage.header();
    let copied = Header::new(CHAIN_ID, SONAR, stage.id, header.version, Address::repeat_byte(7));
    let elsewhere = Header::new(1, SONAR, stage.id, header.version, MINER);
    let other = Header::new(CHAIN_ID, SONAR, CampaignId([3; 32].into()), header.version, MINER);
    let stale = Header::new(CHAIN_ID, SONAR, stage.id, Version(7), MINER);
    let mut foreign = update.clone();
    // Made for another key: the hash of the material that an update names stands behind the form's first bytes.
    foreign[40..72].iter_mut().for_each(|byte| *byte ^= 0x55);
    let cases = [
        (stage.sealed(&copied, &update), ProtocolReject::WrongMiner),
        (stage.sealed(&elsewhere, &update), ProtocolReject::WrongChain),
        (stage.sealed(&other, &update), ProtocolReject::WrongCampaign),
        (stage.sealed(&stale, &update), ProtocolReject::WrongVersion),
        (stage.sealed(&header, &update[..update.len() - 8]), ProtocolReject::Conformance),
        (stage.sealed(&header, &foreign), ProtocolReject::Conformance),
        (stage.shelf.put(vec![0; 4 << 20]), ProtocolReject::TooLarge),
        (stage.shelf.put(b"garbage".to_vec()), ProtocolReject::NotOpenPgp),
        (stage.shelf.put(seal_update(&header, &update, SCIENTIST.certificate()).unwrap()), ProtocolReject::NotForUs),
        (Digest([9; 32]), ProtocolReject::Unavailable),
    ];
    for (content, reason) in cases {
        let (settlement, _) = stage.settled(content).await;
        assert_eq!(settlement.outcomes, [Outcome::Rejected(reason.code()).encode().unwrap()], "{reason:?}");
        assert_eq!(settlement.next, None);
    }
}

#[tokio::test]
async fn only_a_malformed_artefact_is_rejected_and_a_failing_node_is_tried_again() {
    let mut stage = Stage::open().await;
    let content = stage.sealed(&stage.header(), &stage.update(true));
    stage.shelf.damage(content, Some(Damage::Malformed));
    let (settlement, _) = stage.settled(content).await;
    assert_eq!(settlement.outcomes, [Outcome::Rejected(ProtocolReject::NotOpenPgp.code()).encode().unwrap()]);

    for damage in [Damage::Node, Damage::Unreachable] {
        let mut stage = Stage::open().await;
        let content = stage.sealed(&stage.header(), &stage.update(true));
        stage.submit(content);
        stage.shelf.damage(content, Some(damage));
        let failed = stage.work().await;
        assert!(failed.is_err(), "{damage:?}");
        assert!(stage.worker.record().settlements.is_empty(), "{damage:?}: nothing is said about the miner");
        stage.shelf.damage(content, None);
        stage.work().await.unwrap();
        let settlement = stage.worker.record().settlements.last().unwrap();
        let rejected = Outcome::Rejected(ProtocolReject::NotOpenPgp.code()).encode().unwrap();
        assert_ne!(settlement.outcomes, [rejected], "{damage:?}");
    }
}

#[tokio::test]
async fn killed_at_any_write_it_decides_the_same_and_counts_once() {
    same_after_every_kill(&CAMPAIGN).await;
}

async fn same_after_every_kill(file: &str) {
    let mut reference = Stage::open_as(file).await;
    let content = reference.sealed(&reference.header(), &reference.update(true));
    let (expected, written) = reference.settled(content).await;
    let meter = reference.worker.record().meter.clone().unwrap();
    for killed_after in 1..=written {
        let mut stage = Stage::open_as(file).await;
        let content = stage.sealed(&stage.header(), &stage.update(true));
        stage.submit(content);
        let so_far = stage.disk.writes.load(Ordering::SeqCst);
        stage.disk.last.store(so_far + killed_after, Ordering::SeqCst);
        while stage.work().await.is_err() {
            stage.restart();
        }
        let record = stage.worker.record();
        let settlement = record.settlements.last().unwrap();
        assert_eq!((&settlement.outcomes, settlement.close), (&expected.outcomes, expected.close), "{killed_after}");
        let counted = record.meter.as_ref().unwrap();
        assert_eq!((counted.submissions(), counted.accepts()), (meter.submissions(), meter.accepts()));
        assert_eq!(stage.view().state, reference.view().state);
        assert_eq!(stage.disk.names("").len(), reference.disk.names("").len(), "no secret is forgotten");
    }
}

#[tokio::test]
async fn the_same_bytes_count_once() {
    let mut stage = Stage::open().await;
    let content = stage.sealed(&stage.header(), &stage.update(false));
    let (first, _) = stage.settled(content).await;
    assert_eq!(first.outcomes, [Outcome::NotImproved.encode().unwrap()]);
    let (again, _) = stage.settled(content).await;
    assert_eq!(again.outcomes, [Outcome::Rejected(ProtocolReject::Duplicate.code()).encode().unwrap()]);
}

/// A record from before the last settlement does not know the model that this led to: the one before must not be delivered in
/// its place, nor be destroyed.
#[tokio::test]
async fn an_old_backup_delivers_no_older_model() {
    let mut stage = Stage::open().await;
    let content = stage.sealed(&stage.header(), &stage.update(true));
    stage.submit(content);
    let (id, window) = (stage.id, stage.view().window);
    stage.happened(Event::Settled {
        id,
        window: window.index,
        version: window.version,
        outcomes: vec![Outcome::Accepted(4)],
        best_ppm: 1_000_000,
        next: None,
    });
    stage.happened(Event::Closed { id, reason: CloseReason::Target, refunded: Amount::ZERO });
    let (action, done) = stage.step().await;
    assert!(matches!(action, Action::DestroySecrets(_)) && done.is_ok(), "the key is dead: {action:?}");
    let (action, done) = stage.step().await;
    assert!(matches!(action, Action::Lost(_)) && done.is_err(), "{action:?}");
    assert_eq!(stage.disk.names("model").len(), 1);
}

/// Every fork asks about another update. What was evaluated counts, also when the chain forgot it, and in the end nothing is
/// decrypted any more.
#[tokio::test]
async fn budget_meter() {
    let mut stage = Stage::open().await;
    let before = stage.world.clone();
    for spent in 1..=12 {
        let content = stage.sealed(&stage.header(), &stage.update(false));
        stage.submit(content);
        let (action, done) = stage.step().await;
        assert!(matches!(action, Action::Evaluate(_)), "{action:?}");
        done.unwrap();
        let record = stage.worker.record();
        let settlement = record.settlements.last().unwrap();
        assert_eq!(settlement.outcomes, [Outcome::NotImproved.encode().unwrap()]);
        assert_eq!(record.meter.as_ref().unwrap().submissions(), spent);
        let close = if spent == 12 { CloseReason::LeakBudget } else { CloseReason::None };
        assert_eq!(settlement.close, close as u8, "after {spent}");
        // The chain forgets the submission; the Capsule was killed meanwhile.
        stage.world = before.clone();
        stage.restart();
    }
    // A good update is not even looked at any more.
    let content = stage.sealed(&stage.header(), &stage.update(true));
    let (settlement, _) = stage.settled(content).await;
    assert_eq!(settlement.outcomes, [Outcome::NotImproved.encode().unwrap()]);
    assert_eq!(settlement.close, CloseReason::LeakBudget as u8);
}

/// A campaign that reads through a public network, whose weights are these bytes.
fn through(weights: &[u8]) -> Stage {
    let inputs = syft_nets::Input::Columns(vec![syft::Column { center: 0.5, spread: 0.5 }; 2]);
    let network = syft_nets::NetworkKind::Mlp(vec![2]).network(inputs, 2).unwrap();
    Stage::proposed(|_, manifest, _| {
        let Method::Encrypted(linear) = &mut manifest.method else { unreachable!("CAMPAIGN is encrypted") };
        linear.backbone = Some(Backbone { network, weights: Shelf::default().put(weights.to_vec()) });
    })
}

#[tokio::test]
async fn a_backbone_is_fetched_and_must_be_one() {
    let mut stage = through(b"no weights");
    // Nobody has them yet: the proposal is looked at again.
    let (action, done) = stage.step().await;
    assert_eq!(action, Action::Examine);
    assert!(matches!(done, Err(WorkError::Ipfs(IpfsError::NotFound { .. }))), "{done:?}");
    stage.shelf.put(b"no weights".to_vec());
    let (_, done) = stage.step().await;
    done.unwrap();
    assert_eq!(stage.step().await.0, Action::Decline(Refusal::Backbone as u8));

    let network = through(b"").manifest.method.backbone().unwrap().network.clone();
    let weights = plain_network(&syft_nets::Model::initial(&network, &[3; 32])).unwrap();
    let mut stage = through(&weights);
    stage.shelf.put(weights.to_vec());
    stage.work().await.unwrap();
    assert_eq!(stage.view().state, State::Open);
}

#[tokio::test]
async fn proposals_that_are_not_as_promised_are_declined() {
    type Spoil = fn(&mut Vec<u8>, &mut Manifest, &mut Terms);
    let cases: [(Spoil, Refusal); 9] = [
        (|sealed, _, _| sealed.truncate(100), Refusal::Bundle),
        (|sealed, _, _| *sealed = pgp::seal(b"no bundle", CAPSULE.certificate()).unwrap(), Refusal::Bundle),
        (|_, manifest, _| manifest.commitments.validation.0[0] ^= 1, Refusal::Commitment),
        (|_, _, terms| terms.gridPpm *= 2, Refusal::Terms),
        (|_, _, terms| terms.feePpm += 1, Refusal::Offer),
        (|_, _, terms| terms.stake = 1, Refusal::Stake),
        // Whoever may be late after a second loses its stake to whoever asks for it.
        (|_, _, terms| terms.activationSeconds = 1, Refusal::Offer),
        (|_, _, terms| terms.evaluationSeconds = 599, Refusal::Offer),
        (|_, _, terms| terms.deliverySeconds = 1, Refusal::Offer),
    ];
    for (spoil, reason) in cases {
        let mut stage = Stage::proposed(spoil);
        let (action, done) = stage.step().await;
        assert_eq!(action, Action::Examine);
        done.unwrap();
        let (action, _) = stage.step().await;
        assert_eq!(action, Action::Decline(reason as u8), "{reason}");
        assert_eq!(stage.disk.names("seed").len(), 0, "no keys are made for it");
    }
}
