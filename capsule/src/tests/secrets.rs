//! Secrets die with the version that they belong to.

use alloy::primitives::{B256, hex};
use sonar_contracts::{CloseReason, Outcome, State};
use sonar_node::vault::SecretStore;
use sonar_protocol::{
    envelope::{ProtocolReject, open_update},
    event::Event,
    handover::Handover,
    ids::Version,
    pgp::CampaignKey,
    units::Amount,
};
use syft::VersionSeed;

use super::stage::{CAPSULE, Stage, audit_secret};
use crate::campaign::{secrets::Secret, worker::WorkError};

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
        assert!(!name.starts_with("campaign-key") && CampaignKey::decode(bytes).is_err(), "{name}");
    }
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
    assert!(matches!(failed, Err(WorkError::LostCampaignKey)), "{failed:?}");
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
