//! Secrets die with the version that they belong to.

use alloy::primitives::{B256, hex};
use sonar_contracts::{CloseReason, Outcome, State};
use sonar_node::vault::SecretStore;
use sonar_protocol::{
    envelope::{ProtocolReject, open_update},
    event::Event,
    handover::Handover,
    ids::Version,
    pgp::{self, CampaignKey},
    units::Amount,
};
use syft::VersionSeed;
use testkit::yes_or_no::csv;

use super::stage::{CAPSULE, Stage, audit_secret};
use crate::{
    campaign::{CapsuleAction, secrets::Secret, worker::WorkError},
    launch_keys::LaunchKeyRing,
};

/// Whoever has recorded the updates, and takes the Capsule's keys and disk after the campaign, opens none of them.
#[tokio::test]
async fn forward_secrecy() {
    let mut stage = Stage::open().await;
    let (header, update) = (stage.header(), stage.update(false));
    let content = stage.sealed(&header, &update);
    let recorded = stage.shelf.take(content).unwrap();
    stage.settled(content).await;
    let key = stage.key();
    assert!(open_update(&recorded, &key, &header, update.len()).is_ok());
    let opened = open_update(&recorded, &CAPSULE, &header, update.len());
    assert_eq!(opened.unwrap_err(), ProtocolReject::Unreadable, "the Capsule's own key opens no update");

    stage.happened(Event::Closed { id: stage.id, reason: CloseReason::Owner, refunded: Amount::ZERO });
    stage.work().await.unwrap();
    assert_eq!(stage.view().state, State::Finalized);
    let files = stage.disk.files.lock().unwrap();
    for (name, bytes) in files.iter() {
        let opens = |key: CampaignKey| open_update(&recorded, &key, &header, update.len()).is_ok();
        assert!(!name.starts_with("campaign-key") && !CampaignKey::decode(bytes).is_ok_and(opens), "{name}");
    }
}

/// Whoever has recorded the bundle, and takes the Capsule's keys and disk after the campaign, learns nothing from it.
#[tokio::test]
async fn a_destroyed_launch_key_ends_no_campaign_and_opens_no_bundle() {
    let mut stage = Stage::open().await;
    let recorded = stage.shelf.take(stage.manifest.bundle).unwrap();
    let opens = |stage: &Stage| {
        let keys = LaunchKeyRing::load(&stage.disk).unwrap().secrets(CAPSULE.certificate()).unwrap();
        pgp::open(&recorded, &keys, 1 << 20).is_ok()
    };
    assert!(opens(&stage));
    let mut launch_keys = LaunchKeyRing::load(stage.disk.clone()).unwrap();
    let old: Vec<_> = launch_keys.entries().iter().map(|entry| entry.key).collect();
    launch_keys.destroy(&old).unwrap();
    assert!(!opens(&stage));

    stage.restart();
    let content = stage.sealed(&stage.header(), &stage.update_from(&stage.half_right()));
    let (settlement, _) = stage.settled(content).await;
    assert!(matches!(settlement.outcomes[0], Outcome::Accepted(_)), "the opened bundle was kept");
    let kept = |stage: &Stage, secret| stage.disk.names(&stage.worker.secret_name(secret)).len();
    assert_eq!((kept(&stage, Secret::Bundle), kept(&stage, Secret::Recipient)), (1, 1));

    stage.happened(Event::Closed { id: stage.id, reason: CloseReason::Owner, refunded: Amount::ZERO });
    stage.restart();
    let (action, done) = stage.step().await;
    assert!(matches!(action, CapsuleAction::DestroySecrets(_)), "{action:?}");
    done.unwrap();
    assert_eq!((kept(&stage, Secret::Bundle), kept(&stage, Secret::Recipient)), (0, 1), "only the delivery is left");
    stage.work().await.unwrap();
    assert_eq!((stage.view().state, kept(&stage, Secret::Recipient)), (State::Finalized, 0));
    let row = csv(100).lines().nth(1).unwrap().to_owned();
    let has_row = |bytes: &Vec<u8>| bytes.windows(row.len()).any(|window| window == row.as_bytes());
    assert!(!stage.disk.files.lock().unwrap().values().any(has_row), "a row of the validation set is left");
}

/// A restored backup has no opened bundle.
#[tokio::test]
async fn a_lost_bundle_rejects_nobody_and_hinders_no_delivery() {
    let mut stage = Stage::open().await;
    stage.disk.remove(&stage.worker.secret_name(Secret::Bundle)).unwrap();
    stage.restart();
    let content = stage.sealed(&stage.header(), &stage.update(true));
    stage.submit(content);
    let failed = stage.work().await;
    assert!(matches!(failed, Err(WorkError::LostForGood(_))), "{failed:?}");
    assert!(stage.worker.record().settlements.is_empty());
    stage.happened(Event::Closed { id: stage.id, reason: CloseReason::Owner, refunded: Amount::ZERO });
    stage.work().await.unwrap();
    assert_eq!(stage.view().state, State::Finalized);
}

/// A restored backup has no key for updates. That is no fault of the miners.
#[tokio::test]
async fn a_lost_campaign_key_rejects_nobody() {
    let mut stage = Stage::open().await;
    let content = stage.sealed(&stage.header(), &stage.update(true));
    stage.submit(content);
    stage.disk.remove(&stage.worker.secret_name(Secret::CampaignKey)).unwrap();
    stage.restart();
    let failed = stage.work().await;
    assert!(matches!(failed, Err(WorkError::LostForGood(_))), "{failed:?}");
    assert!(stage.worker.record().settlements.is_empty());
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
    assert!(matches!(settlement.outcomes[0], Outcome::Accepted(_)));
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
