//! A Capsule that publishes three versions and cheats in one of them, and what the audit says about each.

use std::sync::LazyLock;

use alloy::primitives::{Address, B256, keccak256};
use sonar_contracts::{CloseReason, Outcome, Terms, Tree};
use syft::{VersionSeed, Weights};
use testkit::yes_or_no;

use super::*;
use crate::{
    campaign::CampaignFile,
    data::{TableLimits, read_csv},
    event::{Event, LogPosition, Record},
    families::{plain, plain_network},
    handover::Published,
    ids::{CampaignId, Digest, WindowIndex},
    launch::{self, Inputs, tests::inputs},
    units::{Amount, Timestamp},
    view::World,
};

const SEALED: &str = "regime = \"clear\"\nnetwork = \"mlp:2\"\n";
const ID: CampaignId = CampaignId(B256::repeat_byte(3));
const CHAIN: u64 = 31337;

/// Half of the rows are of either class.
static VALIDATION: LazyLock<String> = LazyLock::new(|| yes_or_no::csv(20));

fn manifest(model: &str) -> Manifest {
    let inputs = Inputs { validation: VALIDATION.clone().into_bytes().into(), ..inputs() };
    let text = yes_or_no::campaign("submissions = 4\naccepts = 4\nwindow = 1").replace("grid = 0.25", "grid = 0.1");
    let file = CampaignFile::parse(&format!("{text}[model]\n{model}")).unwrap();
    launch::plan(&file, inputs).unwrap().manifest(Digest([9; 32]))
}

/// What a Capsule does for a version; honest as it comes from [`honest`].
struct Doing {
    /// The file of the model that it publishes.
    model: Vec<u8>,
    /// The accuracy that it attests.
    attested: Ppm,
    /// What it does to the material before it binds itself to it …
    before: fn(&mut Vec<u8>),
    /// … and after.
    after: fn(&mut Vec<u8>),
    /// Whether it lets others fetch it.
    withheld: bool,
}

type Doings = [Doing; 3];

/// The starting model, one that always says "yes", and one that is right.
fn models(manifest: &Manifest) -> [Vec<u8>; 3] {
    if let Some(linear) = manifest.method.linear() {
        // Of `a`, of `b` and of the constant a weight for each class.
        return [[0.0; 6], [0.0, 0.0, 0.0, 0.0, -0.5, 0.5], [-1.0, 1.0, 1.0, -1.0, 0.0, 0.0]]
            .map(|values| plain(&Weights::new(linear.shape, &values).unwrap()).unwrap().to_vec());
    }
    let clear = manifest.method.clear().unwrap();
    let start = clear.initial();
    // The last two parameters are the constants of the two classes.
    [[0.0, 0.0], [-0.5, 0.5], [0.5, -0.5]].map(|constants| {
        let mut values = start.values().to_vec();
        let end = values.len() - 2;
        values[end..].copy_from_slice(&constants);
        plain_network(&syft_nets::Model::new(clear.network.clone(), values).unwrap()).unwrap().to_vec()
    })
}

fn examples(manifest: &Manifest) -> Examples {
    manifest.data.fit(&read_csv(VALIDATION.as_bytes(), &TableLimits::default()).unwrap()).unwrap()
}

fn measured(manifest: &Manifest, model: &[u8]) -> Ppm {
    let trial = manifest.trial(&examples(manifest), Some(model)).unwrap();
    trial.accuracy().floor_to_grid(manifest.accuracy.grid)
}

fn honest(manifest: &Manifest) -> Doings {
    models(manifest).map(|model| Doing {
        attested: measured(manifest, &model),
        before: |_| {},
        after: |_| {},
        withheld: false,
        model,
    })
}

/// A campaign as chain and IPFS know it.
#[derive(Default)]
struct Scene {
    world: World,
    block: u64,
    handovers: Vec<Handover>,
    /// What is to be fetched, or why it is not.
    materials: Vec<Result<Vec<u8>, String>>,
}

impl Scene {
    fn played(manifest: &Manifest, doings: &Doings) -> Self {
        let mut scene = Self::default();
        let terms = Terms { gridPpm: manifest.accuracy.grid.ppm(), deadline: u64::MAX, ..Terms::default() };
        scene.say(Event::Opened { id: ID, terms: Box::new(terms.try_into().unwrap()) });
        let (first, later) = doings.split_first().unwrap();
        let published = scene.publish(manifest, first);
        scene.say(Event::Activated {
            id: ID,
            start_ppm: first.attested,
            first: published,
            certificate: Digest([7; 32]),
        });
        for (index, doing) in (0..).zip(later) {
            let (window, version, miner) = (WindowIndex(index), Version(index + 1), Address::ZERO);
            let content = Digest([1; 32]);
            scene.say(Event::Submitted { id: ID, miner, version, window, index: 0, content });
            let (outcomes, next) = (vec![Outcome::Accepted(1)], Some(scene.publish(manifest, doing)));
            scene.say(Event::Settled { id: ID, window, version, outcomes, best_ppm: doing.attested, next });
        }
        scene.say(Event::Closed { id: ID, reason: CloseReason::Owner, refunded: Amount::ZERO });
        scene.say(Event::Finalized { id: ID, result: Digest([2; 32]), handovers: scene.handovers.clone() });
        scene
    }

    fn view(&self) -> &CampaignView {
        self.world.campaign(ID).unwrap()
    }

    fn say(&mut self, event: Event) {
        self.block += 1;
        let hash = keccak256(self.block.to_be_bytes());
        let at = LogPosition {
            block: self.block,
            block_hash: hash,
            timestamp: Timestamp::from_unix(1),
            transaction: hash,
            index: 0,
        };
        self.world.apply(&Record { at, event }).unwrap();
    }

    fn publish(&mut self, manifest: &Manifest, doing: &Doing) -> Published {
        let version = self.handovers.len();
        let binding = Binding {
            chain_id: CHAIN,
            contract: [8; 20],
            campaign: *ID.as_bytes(),
            version: version as u32 + 1,
            beacon: self.view().next_beacon().0,
        };
        let seed = VersionSeed::from_bytes([version as u8; 32]);
        let mut material = manifest.method.publish(&doing.model, &seed, &binding).unwrap().material;
        (doing.before)(&mut material);
        let handover = manifest.audit[version].seal(&seed, &binding, Tree::of_material(&material).root());
        (doing.after)(&mut material);
        self.materials.push(if doing.withheld { Err("nobody has it".into()) } else { Ok(material) });
        self.handovers.push(handover);
        Published::new(Digest([version as u8 + 1; 32]), &handover)
    }

    fn audited(self, manifest: &Manifest) -> Vec<VersionAudit> {
        let examples = examples(manifest);
        let start = manifest.trial(&examples, None).unwrap();
        let auditor = Auditor {
            campaign: self.view(),
            manifest,
            secret: &inputs().audit,
            examples: &examples,
            start: Some(&*start),
            chain_id: CHAIN,
            contract: [8; 20],
        };
        let versions = self.view().versions.iter().zip(&self.view().handovers).zip(self.materials.clone());
        versions.map(|((version, handover), material)| auditor.version(version, handover, material)).collect()
    }
}

/// What is found in each version after the Capsule did one thing otherwise.
fn findings(model: &str, lie: impl FnOnce(&Manifest, &mut Doings)) -> [Vec<Finding>; 3] {
    let manifest = manifest(model);
    let mut doings = honest(&manifest);
    lie(&manifest, &mut doings);
    let audited = Scene::played(&manifest, &doings).audited(&manifest);
    // None of this is what a contract could judge.
    assert!(audited.iter().all(|one| one.conviction.is_none()));
    audited.into_iter().map(|one| one.findings).collect::<Vec<_>>().try_into().unwrap()
}

#[expect(clippy::ptr_arg, reason = "other doings shorten or replace it")]
fn flip_last(material: &mut Vec<u8>) {
    *material.last_mut().unwrap() ^= 1;
}

const METHODS: [&str; 2] = ["", SEALED];

#[test]
fn an_honest_capsule_is_found_honest_and_every_version_measured() {
    for model in METHODS {
        let manifest = manifest(model);
        let audited = Scene::played(&manifest, &honest(&manifest)).audited(&manifest);
        for (one, file) in audited.iter().zip(models(&manifest)) {
            assert_eq!(one.findings, []);
            assert_eq!((one.attested_ppm, one.measured_ppm), (one.measured_ppm, Some(measured(&manifest, &file))));
        }
    }
}

#[test]
fn what_is_withheld_or_exchanged_is_found_in_its_version_only() {
    for model in METHODS {
        let withheld = findings(model, |_, doings| doings[1].withheld = true);
        assert_eq!(withheld, [vec![], vec![Finding::Unavailable("nobody has it".into())], vec![]]);
        let exchanged = findings(model, |_, doings| doings[1].after = flip_last);
        assert_eq!(exchanged, [vec![], vec![Finding::Unsealed], vec![]]);
    }
}

#[test]
fn a_worse_model_than_attested_is_found_in_its_version_only() {
    for model in METHODS {
        let all = findings(model, |_, doings| {
            doings[1].attested = doings[1].attested.saturating_add(Ppm::of(1, 10));
        });
        let accuracy = Finding::Accuracy { attested: Ppm::of(6, 10), measured: Ppm::of(5, 10) };
        assert_eq!(accuracy.to_string(), "its accuracy is 50 %, but 60 % was attested");
        assert_eq!(all, [vec![], vec![accuracy], vec![]]);
    }
}

#[test]
fn another_start_than_the_launched_model_is_found_though_it_is_as_good() {
    for model in METHODS {
        let all = findings(model, |manifest, doings| doings[0].model = models(manifest)[1].clone());
        assert_eq!(all, [vec![Finding::Start], vec![], vec![]]);
    }
}

#[test]
fn keys_that_do_not_follow_from_the_seed_are_found_in_their_version_only() {
    let all = findings("", |_, doings| doings[1].before = flip_last);
    assert!(matches!(all[1][..], [Finding::Deviation(Deviation::PackingKey(_))]), "{all:?}");
    assert!(all[0].is_empty() && all[2].is_empty(), "{all:?}");
}

#[test]
fn a_model_that_no_mine_can_have_read_is_found() {
    let encrypted = findings("", |_, doings| doings[1].before = |material| material.truncate(100));
    let sealed = findings(SEALED, |_, doings| doings[1].before = |material| material.truncate(100));
    for all in [encrypted, sealed] {
        assert!(matches!(all[1][..], [Finding::Unreadable(_)]), "{all:?}");
        assert!(all[0].is_empty() && all[2].is_empty(), "{all:?}");
    }
}
