//! One campaign of a Capsule, from its proposal, and everybody who takes part in it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, LazyLock, atomic::Ordering},
    time::Duration,
};

use alloy::{
    primitives::{Address, B256, keccak256},
    signers::local::PrivateKeySigner,
};
use sha2::{Digest as _, Sha256};
use sonar_contracts::{CloseReason, Outcome, State, Terms, campaign_id};
use sonar_node::vault::SecretStore;
use sonar_protocol::{
    campaign::CampaignFile,
    envelope::{EnvelopeHeader, seal_update},
    event::{CapsuleLimits, Event, LogPosition, Record as ChainRecord},
    handover::AuditSecret,
    ids::{CampaignId, Digest, Version},
    launch::{self, CapsuleTerms, Inputs, Recipient},
    manifest::Manifest,
    pgp::{self, CampaignCertificate, CampaignKey, Certificate, Identity},
    units::{Amount, Timestamp},
    view::{CampaignView, CapsuleView, World},
};
use syft::{
    AffineUpdate, EncryptedUpdate, GridStep, Material, Matrix, Ppm, SecretKey, Targets, VersionSeed, encrypt_update,
};
use testkit::yes_or_no::{self, csv};

use super::doubles::{Disk, Sent, Shelf, Wire};
use crate::{
    attest::Attester,
    campaign::{
        CapsuleAction,
        record::Settlement,
        secrets::Secret,
        worker::{FetchPatience, Tools, WorkError, Worker},
    },
    launch_keys::{Keeper, LaunchKeyRing, PERIOD},
};

pub(super) const CHAIN_ID: u64 = 31337;

pub(super) const SONAR: Address = Address::repeat_byte(9);

pub(super) const MINER: Address = Address::repeat_byte(5);

pub(super) const FEE_PPM: u32 = 10_000;

pub(super) const NOW: Timestamp = Timestamp::from_unix(1_800_000_000);

pub(super) static CAMPAIGN: LazyLock<String> =
    LazyLock::new(|| yes_or_no::campaign("submissions = 12\naccepts = 2\nwindow = 1"));

pub(super) static CAPSULE: LazyLock<Identity> = LazyLock::new(|| Identity::generate_signer("capsule", "c").unwrap());

pub(super) static SCIENTIST: LazyLock<Identity> = LazyLock::new(|| Identity::generate("scientist", "s").unwrap());

pub(super) type TestKeeper = Keeper<Arc<Disk>, Arc<Shelf>, Arc<Wire>>;

pub(super) type TestWorker = Worker<Arc<Disk>, Arc<Shelf>, Arc<Wire>>;

pub(super) struct Stage {
    pub(super) disk: Arc<Disk>,
    pub(super) shelf: Arc<Shelf>,
    pub(super) wire: Arc<Wire>,
    pub(super) signer: PrivateKeySigner,
    pub(super) manifest: Manifest,
    pub(super) id: CampaignId,
    pub(super) world: World,
    /// Time of block 0.
    pub(super) began: Timestamp,
    pub(super) block: u64,
    pub(super) stake: Amount,
    pub(super) limits: CapsuleLimits,
    pub(super) worker: TestWorker,
}

pub(super) fn tools(
    disk: &Arc<Disk>,
    shelf: &Arc<Shelf>,
    wire: &Arc<Wire>,
    signer: &PrivateKeySigner,
) -> Arc<Tools<Arc<Disk>, Arc<Shelf>, Arc<Wire>>> {
    Arc::new(Tools {
        store: disk.clone(),
        artefacts: shelf.clone(),
        chain: wire.clone(),
        identity: Identity::load_signer(&CAPSULE.export_secret_armored(), "c").unwrap(),
        attester: Attester::new(signer.clone(), CHAIN_ID, SONAR),
        patience: FetchPatience { update: Duration::from_secs(1), artefact: Duration::from_secs(1) },
        conforms: |family, bytes, material| family.conforms(bytes, material),
        settlement_slot: Duration::ZERO,
    })
}

/// What `capsule init` leaves on the disk: a launch key.
static INITIALISED: LazyLock<Disk> = LazyLock::new(|| {
    let disk = Disk::default();
    let mut ring = LaunchKeyRing::load(&disk).unwrap();
    let key = ring.make(&CAPSULE, NOW, PERIOD).unwrap();
    ring.set_registered(key, NOW).unwrap();
    disk
});

/// The registered certificate of the Capsule.
pub(super) static REGISTERED: LazyLock<Certificate> = LazyLock::new(|| {
    let ring = LaunchKeyRing::load(&*INITIALISED).unwrap();
    ring.certificate(CAPSULE.certificate(), NOW).unwrap()
});

pub(super) fn audit_secret() -> AuditSecret {
    let account = PrivateKeySigner::from_bytes(&B256::repeat_byte(7)).unwrap();
    AuditSecret::of(&account, B256::repeat_byte(6))
}

impl Stage {
    /// A proposed campaign; `spoil` may change the sealed bundle, the manifest's bytes and the terms.
    pub(super) fn proposed(spoil: impl FnOnce(&mut Vec<u8>, &mut Manifest, &mut Terms)) -> Self {
        Self::planned(&CAMPAIGN, spoil)
    }

    /// The same of any campaign file.
    pub(super) fn planned(file: &str, spoil: impl FnOnce(&mut Vec<u8>, &mut Manifest, &mut Terms)) -> Self {
        Self::launched(file, |_| {}, spoil)
    }

    /// The same to any data scientist, at any time.
    pub(super) fn delivering(file: &str, scientist: &Certificate, began: Timestamp) -> Self {
        // The one who launches need not look when it expires.
        let scientist = Recipient { expires: None, ..scientist.into() };
        let change = |inputs: &mut Inputs| (inputs.scientist, inputs.now) = (scientist, began);
        Self::launched(file, change, |_, _, _| {})
    }

    /// A proposed campaign; `change` may change what it is launched with, and `spoil` what was launched.
    pub(super) fn launched(
        file: &str,
        change: impl FnOnce(&mut Inputs),
        spoil: impl FnOnce(&mut Vec<u8>, &mut Manifest, &mut Terms),
    ) -> Self {
        let signer = PrivateKeySigner::random();
        let mut inputs = Inputs {
            chain_id: CHAIN_ID,
            contract: SONAR,
            validation: csv(100).into_bytes().into(),
            initial: None,
            backbone: None,
            owner: Address::repeat_byte(1),
            scientist: SCIENTIST.certificate().into(),
            token: Address::ZERO,
            bounty: Amount::from(1_000_u128),
            capsule: CapsuleTerms {
                operator: Address::repeat_byte(2),
                fee_ppm: FEE_PPM.try_into().unwrap(),
                stake: Amount::ZERO,
                fingerprint: CAPSULE.fingerprint(),
            },
            now: NOW,
            bundle_salt: [5; 32].into(),
            salt: B256::repeat_byte(6),
            audit: audit_secret(),
        };
        change(&mut inputs);
        let began = inputs.now;
        let plan = launch::plan(&CampaignFile::parse(file).unwrap(), inputs).unwrap();
        let (disk, shelf, wire) = (Arc::<Disk>::default(), Arc::<Shelf>::default(), Arc::<Wire>::default());
        disk.files.lock().unwrap().clone_from(&INITIALISED.files.lock().unwrap());
        let mut sealed = pgp::seal(&plan.encode_bundle(), &[&REGISTERED]).unwrap();
        let mut manifest = plan.manifest(Digest([0; 32]));
        let mut terms = Terms::clone(&plan.terms(Digest([0; 32])));
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
            limits: CapsuleLimits { shortest_evaluation: 600, shortest_delivery: 600, ..testkit::stage::limits() },
            worker,
        };
        let window_start = B256::repeat_byte(0x0F);
        stage.happened(Event::Opened { id, terms: Box::new(terms.try_into().unwrap()), window_start });
        stage
    }

    /// A campaign that takes updates.
    pub(super) async fn open() -> Self {
        Self::open_as(&CAMPAIGN).await
    }

    /// The same of any campaign file.
    pub(super) async fn open_as(file: &str) -> Self {
        let mut stage = Self::planned(file, |_, _, _| {});
        stage.work().await.unwrap();
        assert_eq!(stage.view().state, State::Open);
        stage
    }

    /// As [`Self::open`], and the Capsule has something to lose.
    pub(super) async fn staked() -> Self {
        let mut stage = Self::proposed(|_, _, terms| terms.stake = 1);
        stage.stake = Amount::from(1_u128);
        stage.work().await.unwrap();
        stage
    }

    pub(super) fn view(&self) -> CampaignView {
        self.world.campaign(self.id).unwrap().clone()
    }

    /// Each block is a second.
    fn now(&self) -> Timestamp {
        self.began.plus(self.block)
    }

    /// The chain says something in a new block.
    pub(super) fn happened(&mut self, event: Event) {
        self.block += 1;
        let hash = keccak256(self.block.to_be_bytes());
        let at = LogPosition {
            block: self.block,
            block_hash: hash,
            timestamp: self.now(),
            transaction: hash,
            index: self.block,
        };
        self.world.apply(&ChainRecord { at, event }).unwrap();
        *self.wire.window_hash.lock().unwrap() = self.view().window_hash();
    }

    pub(super) async fn step(&mut self) -> (CapsuleAction, Result<(), WorkError>) {
        let own = CapsuleView {
            attester: self.signer.address(),
            fee_ppm: FEE_PPM.try_into().unwrap(),
            certificate: Some(Digest([0xCE; 32])),
            stake: self.stake,
            limits: self.limits,
            tokens: [(Address::ZERO, Amount::ZERO)].into(),
            ..CapsuleView::default()
        };
        let view = self.view();
        self.worker.step(&view, Some(&own), self.now()).await
    }

    /// Works until there is nothing to do; the chain takes everything that is sent.
    pub(super) async fn work(&mut self) -> Result<(), WorkError> {
        for _ in 0..50 {
            let (action, done) = self.step().await;
            done?;
            let sent = std::mem::take(&mut *self.wire.sent.lock().unwrap());
            for sent in sent {
                self.take(sent);
            }
            if matches!(action, CapsuleAction::Wait(_) | CapsuleAction::Done) {
                return Ok(());
            }
        }
        panic!("the Capsule never rests");
    }

    pub(super) fn take(&mut self, sent: Sent) {
        let id = self.id;
        match sent {
            Sent::Activated { start_ppm, first, certificate } => {
                self.happened(Event::Activated { id, start_ppm, first, certificate });
            }
            Sent::Declined(reason) => self.happened(Event::Declined { id, reason: reason.into() }),
            Sent::Settled(settlement, _) => self.settle(&settlement),
            Sent::Closed => {
                self.happened(Event::Closed { id, reason: CloseReason::Deadline, refunded: Amount::ZERO });
            }
            Sent::Finalized(result, handovers) => self.happened(Event::Finalized { id, result, handovers }),
            Sent::Released => {
                let fee = Amount::ZERO;
                self.happened(Event::Released { id, fee, refunded: fee });
            }
            Sent::Registered(_) => panic!("a worker registers nothing"),
        }
    }

    pub(super) fn settle(&mut self, settlement: &Settlement) {
        let id = self.id;
        let outcomes = settlement.outcomes.clone();
        let mut steps = outcomes.iter().rev().filter_map(|outcome| match outcome {
            Outcome::Accepted(step) => self.manifest.accuracy.grid.value(GridStep(*step)),
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
            window_start: keccak256(self.block.to_be_bytes()),
        });
        if settlement.close != CloseReason::None {
            self.happened(Event::Closed { id, reason: CloseReason::LeakBudget, refunded: Amount::ZERO });
        } else if settlement.next.is_none() && best_ppm == Ppm::ONE {
            self.happened(Event::Closed { id, reason: CloseReason::Target, refunded: Amount::ZERO });
        }
    }

    pub(super) fn submit(&mut self, content: Digest) {
        self.submit_as(MINER, content);
    }

    pub(super) fn submit_as(&mut self, miner: Address, content: Digest) {
        let window = self.view().window;
        let (version, index) = (window.version, u32::try_from(window.submissions.len()).unwrap());
        let id = self.id;
        self.happened(Event::Submitted { id, miner, version, window: window.index, index, content });
        // In every test a decryption before this count fails.
        *self.disk.counted.lock().unwrap() = Some((id, self.view().submissions.into()));
    }

    /// Rows like the validation set's, and answers: `honest` or all turned round.
    pub(super) fn rows(&self, honest: bool) -> (Matrix, Targets) {
        let table =
            sonar_protocol::data::read_csv(csv(200).as_bytes(), &sonar_protocol::data::TableLimits::default()).unwrap();
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
    pub(super) fn half_right(&self) -> (Matrix, Targets) {
        let (raw, _) = self.rows(true);
        let classes = (0..raw.rows()).map(|row| usize::from(raw.row(row)[0] > raw.row(row)[1] + 0.15)).collect();
        (raw, Targets::Classes(classes))
    }

    /// What a Mine learns from such rows.
    pub(super) fn learnt(&self, (raw, targets): &(Matrix, Targets)) -> AffineUpdate {
        let linear = self.manifest.method.linear().unwrap();
        let features = linear.features.apply(raw).unwrap();
        syft::train(&features, targets, &linear.rule, &linear.labels, &linear.parameters, &mut rand::rng()).unwrap()
    }

    /// An update to the present version.
    pub(super) fn update(&self, honest: bool) -> Vec<u8> {
        if self.manifest.method.clear().is_some() {
            return self.network_update(honest);
        }
        self.update_from(&self.rows(honest))
    }

    /// The same from any rows.
    pub(super) fn update_from(&self, rows: &(Matrix, Targets)) -> Vec<u8> {
        let bytes = self.shelf.take(self.view().material().unwrap()).unwrap();
        let parameters = &self.manifest.method.linear().unwrap().parameters;
        let material = Material::decode(&bytes, parameters, &self.binding()).unwrap();
        encrypt_update(&material, &self.learnt(rows)).unwrap().encode()
    }

    /// What the keys of the present version are bound to.
    pub(super) fn binding(&self) -> syft::Binding {
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
    pub(super) fn opened(&self, update: &[u8]) -> Vec<i64> {
        let parameters = &self.manifest.method.linear().unwrap().parameters;
        let name = self.disk.names("seed").remove(0);
        let seed = self.disk.files.lock().unwrap()[&name].clone();
        let key = SecretKey::derive(&VersionSeed::from_bytes(seed.try_into().unwrap()), parameters, &self.binding());
        let material = self.shelf.take(self.view().material().unwrap()).unwrap();
        let material = Sha256::digest(material).into();
        key.decrypt(&EncryptedUpdate::decode(update, parameters, &material).unwrap()).raw().to_vec()
    }

    pub(super) fn header(&self) -> EnvelopeHeader {
        EnvelopeHeader::new(CHAIN_ID, SONAR, self.id, self.view().version(), MINER)
    }

    pub(super) fn sealed(&self, header: &EnvelopeHeader, update: &[u8]) -> Digest {
        self.shelf.put(seal_update(header, update, &[&self.certificate()]).unwrap())
    }

    /// What the campaign's updates are sealed to.
    pub(super) fn certificate(&self) -> CampaignCertificate {
        let bytes = self.shelf.take(self.view().certificate.unwrap()).unwrap();
        CampaignCertificate::decode(&bytes, self.id, CAPSULE.certificate(), NOW).unwrap()
    }

    /// What opens them, which only the Capsule has.
    pub(super) fn key(&self) -> CampaignKey {
        let name = self.worker.secret_name(Secret::CampaignKey);
        CampaignKey::decode(&self.disk.get(&name).unwrap()).unwrap()
    }

    /// The settlement of a window with one update, and how often the disk was written to for it.
    pub(super) async fn settled(&mut self, content: Digest) -> (Settlement, usize) {
        self.submit(content);
        let before = self.disk.writes.load(Ordering::SeqCst);
        self.work().await.unwrap();
        let written = self.disk.writes.load(Ordering::SeqCst) - before;
        (self.worker.record().settlements.last().unwrap().clone(), written)
    }

    /// A first update is accepted, which leaves something to improve.
    pub(super) async fn improve(&mut self) {
        let content = self.sealed(&self.header(), &self.update_from(&self.half_right()));
        let (settlement, _) = self.settled(content).await;
        assert_eq!(settlement.outcomes, [Outcome::Accepted(3)]);
        assert_eq!(self.view().version(), Version(2));
    }

    /// The process was killed, and starts again on the same disk.
    pub(super) fn restart(&mut self) {
        self.disk.last.store(0, Ordering::SeqCst);
        let tools = tools(&self.disk, &self.shelf, &self.wire, &self.signer);
        self.worker = Worker::resume(tools, self.id).unwrap();
    }

    /// The Capsule sends its settlements at the ends of slots of this length.
    pub(super) fn settle_in_slots(&mut self, slot: Duration) {
        let tools = tools(&self.disk, &self.shelf, &self.wire, &self.signer);
        let tools = Arc::new(Tools { settlement_slot: slot, ..Arc::into_inner(tools).unwrap() });
        self.worker = Worker::resume(tools, self.id).unwrap();
    }

    /// The same Capsule once more, on the same chain.
    pub(super) fn fork(&self) -> Self {
        let (disk, shelf, wire) = (Arc::<Disk>::default(), Arc::<Shelf>::default(), Arc::<Wire>::default());
        disk.files.lock().unwrap().clone_from(&self.disk.files.lock().unwrap());
        shelf.0.lock().unwrap().clone_from(&self.shelf.0.lock().unwrap());
        *wire.window_hash.lock().unwrap() = *self.wire.window_hash.lock().unwrap();
        let worker = Worker::resume(tools(&disk, &shelf, &wire, &self.signer), self.id).unwrap();
        let (signer, manifest, world) = (self.signer.clone(), self.manifest.clone(), self.world.clone());
        let Self { began, block, stake, limits, id, .. } = *self;
        Self { disk, shelf, wire, signer, manifest, id, world, began, block, stake, limits, worker }
    }

    /// What a fork says and keeps when it is sent this update. All forks find it in the same place, so that whatever differs between
    /// two of them depends on what the updates decrypt to.
    pub(super) async fn transcript(&self, update: &[u8]) -> Transcript {
        let content = Digest([8; 32]);
        let mut fork = self.fork();
        let sealed = seal_update(&fork.header(), update, &[&fork.certificate()]).unwrap();
        fork.shelf.0.lock().unwrap().insert(content, sealed);
        fork.submit(content);
        let mut steps = Vec::new();
        let mut sent = Vec::new();
        while !matches!(steps.last(), Some(CapsuleAction::Wait(_) | CapsuleAction::Done)) {
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
pub(super) struct Transcript {
    pub(super) outcomes: Vec<Outcome>,
    pub(super) steps: Vec<CapsuleAction>,
    pub(super) sent: Vec<Sent>,
    pub(super) published: BTreeSet<Digest>,
    pub(super) files: BTreeMap<String, Vec<u8>>,
    pub(super) writes: usize,
    pub(super) view: String,
}
