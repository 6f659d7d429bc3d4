//! Launch keys while the Capsule runs: who seals to which, and when each is destroyed.

use alloy::primitives::{Address, B256};
use sonar_protocol::{
    event::{CapsuleChange, Event},
    ids::Digest,
    pgp::{self, Certificate},
    units::{Amount, Timestamp},
};

use super::{
    doubles::Sent,
    stage::{CAPSULE, FEE_PPM, NOW, REGISTERED, Stage, TestKeeper, tools},
};
use crate::launch_keys::{Keeper, LaunchKeyRing, PERIOD};

const DAY: u64 = 86_400;
const WEEK: u64 = 7 * DAY;

/// A Capsule whose chain takes everything that it registers.
struct Office {
    stage: Stage,
    keeper: TestKeeper,
}

impl Office {
    /// A campaign waits for its activation, which it gives a month for.
    fn new() -> Self {
        let mut stage = Stage::proposed(|_, _, terms| terms.activationSeconds = 30 * 86_400);
        let certificate = stage.shelf.put(REGISTERED.encode());
        stage.shows(certificate);
        let keeper = keeper(&stage);
        Self { stage, keeper }
    }

    fn tend(&mut self, now: Timestamp) {
        self.stage.world.head.now = now;
        self.keeper.tend(&self.stage.world).unwrap();
    }

    /// Does what is due, until the chain shows the newest key. Returns what was registered.
    async fn tend_and_register(&mut self, now: Timestamp) -> Option<Digest> {
        self.tend(now);
        if let Some(ended) = self.keeper.next().await {
            self.keeper.finish(ended);
        }
        let sent = self.sent();
        if let Some(certificate) = sent {
            self.stage.shows(certificate);
        }
        self.tend(now);
        sent
    }

    /// What was sent to the registry, at most once.
    fn sent(&self) -> Option<Digest> {
        let sent = std::mem::take(&mut *self.stage.wire.sent.lock().unwrap());
        assert!(sent.len() < 2, "{sent:?}");
        sent.first().map(|sent| match sent {
            Sent::Registered(certificate) => *certificate,
            other => panic!("{other:?}"),
        })
    }

    /// Seals to the certificate that the chain shows, as a launch does.
    fn seal(&self) -> Vec<u8> {
        let digest = self.stage.world.capsules[&self.operator()].certificate.unwrap();
        let bytes = self.stage.shelf.take(digest).unwrap();
        pgp::seal(b"bundle", &[&Certificate::decode(&bytes, self.stage.world.head.now).unwrap()]).unwrap()
    }

    /// Whether anything on the disk opens a bundle.
    fn opens(&self, sealed: &[u8]) -> bool {
        let keys = LaunchKeyRing::load(&self.stage.disk).unwrap().secrets(CAPSULE.certificate()).unwrap();
        pgp::open(sealed, &keys, 1 << 20).is_ok()
    }

    fn operator(&self) -> Address {
        self.stage.view().terms.capsule
    }
}

fn keeper(stage: &Stage) -> TestKeeper {
    let tools = tools(&stage.disk, &stage.shelf, &stage.wire, &stage.signer);
    Keeper::new(tools, stage.view().terms.capsule, PERIOD)
}

impl Stage {
    /// The chain shows a registration with this certificate.
    fn shows(&mut self, certificate: Digest) {
        let change = CapsuleChange::Described {
            attester: self.signer.address(),
            fingerprint: B256::ZERO,
            certificate,
            endpoint: String::new(),
            fee_ppm: FEE_PPM.try_into().unwrap(),
        };
        let operator = self.view().terms.capsule;
        self.happened(Event::Capsule { operator, change });
    }
}

#[tokio::test]
async fn a_launch_key_is_replaced_each_week_and_lives_as_long_as_a_campaign_waits_for_it() {
    let mut office = Office::new();
    assert_eq!(office.tend_and_register(NOW).await, None, "the chain shows the certificate of `capsule init`");
    let week = NOW.plus(WEEK);
    assert!(office.tend_and_register(week).await.is_some());
    let second = office.seal();
    assert!(office.opens(&second));
    assert_eq!(office.keeper.newest().unwrap().registered_at, Some(week));

    let first = office.stage.shelf.take(office.stage.manifest.bundle).unwrap();
    office.tend(week.plus(2 * DAY));
    assert!(office.opens(&first), "a campaign that was opened before is not decided");
    office.stage.happened(Event::Refunded { id: office.stage.id, amount: Amount::ZERO });
    office.tend(week.plus(2 * DAY));
    assert!(!office.opens(&first));
    assert!(office.opens(&second));
}

/// Nobody has to end a campaign that can be activated no more.
#[tokio::test]
async fn a_campaign_that_is_too_late_keeps_no_launch_key_alive() {
    let mut office = Office::new();
    let first = office.stage.shelf.take(office.stage.manifest.bundle).unwrap();
    for weeks in 0..4 {
        office.tend_and_register(NOW.plus(weeks * WEEK)).await;
        assert!(office.opens(&first));
    }
    office.tend_and_register(NOW.plus(31 * DAY)).await;
    assert!(!office.opens(&first));
}

#[tokio::test]
async fn the_certificate_of_an_older_backup_is_replaced_at_the_start() {
    let mut office = Office::new();
    office.stage.shows(Digest([1; 32]));
    let registered = office.tend_and_register(NOW).await.unwrap();
    assert_eq!(office.stage.shelf.take(registered).unwrap(), REGISTERED.encode());
    office.keeper = keeper(&office.stage);
    assert_eq!(office.tend_and_register(NOW).await, None);
}

#[tokio::test]
async fn a_registration_that_fails_is_repeated_with_the_same_key() {
    let mut office = Office::new();
    let week = NOW.plus(WEEK);
    office.stage.wire.refuse(true);
    office.tend(week);
    let ended = office.keeper.next().await.unwrap();
    assert!(ended.result.is_err());
    office.keeper.finish(ended);
    let made = office.keeper.newest().unwrap();
    assert_eq!(made.registered_at, None);

    // The process was killed, and starts again.
    office.stage.wire.refuse(false);
    office.keeper = keeper(&office.stage);
    office.tend_and_register(week).await;
    let newest = office.keeper.newest().unwrap();
    assert_eq!((newest.key, newest.registered_at), (made.key, Some(week)));
}

/// Its transaction was on the way when the process was killed.
#[tokio::test]
async fn a_registration_that_the_chain_shows_already_is_not_sent_again() {
    let mut office = Office::new();
    let week = NOW.plus(WEEK);
    office.tend(week);
    let ended = office.keeper.next().await.unwrap();
    office.keeper.finish(ended);
    let certificate = office.sent().unwrap();
    office.stage.shows(certificate);
    office.keeper = keeper(&office.stage);
    office.tend_and_register(week).await;
    assert_eq!(office.keeper.newest().unwrap().registered_at, Some(week));
    assert_eq!(office.sent(), None);
}
