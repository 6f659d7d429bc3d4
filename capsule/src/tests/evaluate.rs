//! What windows lead to, whatever happens to the process and to the chain meanwhile.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use alloy::primitives::Address;
use sonar_contracts::{CloseReason, Outcome};
use sonar_protocol::{
    envelope::{EnvelopeHeader, ProtocolReject, seal_update},
    ids::{CampaignId, Digest, Version},
    pgp::{CampaignCertificate, CampaignKey},
};

use super::{
    doubles::Damage,
    stage::{CAMPAIGN, CAPSULE, CHAIN_ID, MINER, NOW, SONAR, Stage, tools},
};
use crate::campaign::{
    CapsuleAction,
    worker::{WorkError, Worker},
};

#[tokio::test]
async fn protocol_rejects_have_a_reason_and_cost_no_key() {
    let mut stage = Stage::open().await;
    let update = stage.update(true);
    let header = stage.header();
    let copied = EnvelopeHeader::new(CHAIN_ID, SONAR, stage.id, header.version, Address::repeat_byte(7));
    let elsewhere = EnvelopeHeader::new(1, SONAR, stage.id, header.version, MINER);
    let other = EnvelopeHeader::new(CHAIN_ID, SONAR, CampaignId([3; 32].into()), header.version, MINER);
    let stale = EnvelopeHeader::new(CHAIN_ID, SONAR, stage.id, Version(7), MINER);
    // Sealed to another key of the same name.
    let other_key = CampaignKey::generate(stage.id, &CAPSULE).unwrap().certificate().unwrap();
    let other_key = CampaignCertificate::decode(&other_key, stage.id, CAPSULE.certificate(), NOW).unwrap();
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
        (stage.shelf.put(b"garbage".to_vec()), ProtocolReject::Unreadable),
        (stage.shelf.put(seal_update(&header, &update, &[&other_key]).unwrap()), ProtocolReject::Unreadable),
        (Digest([9; 32]), ProtocolReject::Unavailable),
    ];
    for (content, reason) in cases {
        let (settlement, _) = stage.settled(content).await;
        assert_eq!(settlement.outcomes, [Outcome::Rejected(reason.code())], "{reason:?}");
        assert_eq!(settlement.next, None);
    }
}

#[tokio::test]
async fn only_a_malformed_artefact_is_rejected_and_a_failing_node_is_tried_again() {
    let mut stage = Stage::open().await;
    let content = stage.sealed(&stage.header(), &stage.update(true));
    stage.shelf.damage(content, Some(Damage::Malformed));
    let (settlement, _) = stage.settled(content).await;
    assert_eq!(settlement.outcomes, [Outcome::Rejected(ProtocolReject::Unreadable.code())]);

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
        let rejected = Outcome::Rejected(ProtocolReject::Unreadable.code());
        assert_ne!(settlement.outcomes, [rejected], "{damage:?}");
    }
}

/// Whoever finds a bug in a library must not take the stake with it.
#[tokio::test]
async fn an_update_that_makes_a_decoder_panic_is_rejected() {
    let mut stage = Stage::open().await;
    let content = stage.sealed(&stage.header(), &stage.update(true));
    let tools = tools(&stage.disk, &stage.shelf, &stage.wire, &stage.signer);
    let mut tools = Arc::into_inner(tools).unwrap();
    tools.conforms = |_, _, _| panic!("a test");
    stage.worker = Worker::resume(Arc::new(tools), stage.id).unwrap();
    let (settlement, _) = stage.settled(content).await;
    assert_eq!(settlement.outcomes, [Outcome::Rejected(ProtocolReject::Unreadable.code())]);
}

#[tokio::test]
async fn killed_at_any_write_it_decides_the_same_and_counts_once() {
    same_after_every_kill(&CAMPAIGN).await;
}

pub(super) async fn same_after_every_kill(file: &str) {
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
    assert_eq!(first.outcomes, [Outcome::NotImproved]);
    let (again, _) = stage.settled(content).await;
    assert_eq!(again.outcomes, [Outcome::Rejected(ProtocolReject::Duplicate.code())]);
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
        assert!(matches!(action, CapsuleAction::Evaluate(_)), "{action:?}");
        done.unwrap();
        let record = stage.worker.record();
        let settlement = record.settlements.last().unwrap();
        assert_eq!(settlement.outcomes, [Outcome::NotImproved]);
        assert_eq!(record.meter.as_ref().unwrap().submissions(), spent);
        let close = if spent == 12 { CloseReason::LeakBudget } else { CloseReason::None };
        assert_eq!(settlement.close, close, "after {spent}");
        // The chain forgets the submission; the Capsule was killed meanwhile.
        stage.world = before.clone();
        stage.restart();
    }
    // A good update is not even looked at any more.
    let read = stage.disk.seeds_read.load(Ordering::SeqCst);
    let content = stage.sealed(&stage.header(), &stage.update(true));
    let (settlement, _) = stage.settled(content).await;
    assert_eq!(stage.disk.seeds_read.load(Ordering::SeqCst), read, "nothing is decrypted without a budget");
    assert_eq!(settlement.outcomes, [Outcome::NotImproved]);
    assert_eq!(settlement.close, CloseReason::LeakBudget);
}

/// A crash after a decryption that no stored meter has counted would give another window for free. The disk of these tests fails them if a
/// seed is read too early; here its guard is shown to see every evaluation.
#[tokio::test]
async fn the_meter_is_on_the_disk_before_anything_is_decrypted() {
    let mut stage = Stage::open().await;
    for (submissions, honest) in [(1, false), (2, true)] {
        let content = stage.sealed(&stage.header(), &stage.update(honest));
        stage.submit(content);
        assert_eq!(*stage.disk.counted.lock().unwrap(), Some((stage.id, submissions)));
        let read = stage.disk.seeds_read.load(Ordering::SeqCst);
        stage.work().await.unwrap();
        assert!(stage.disk.seeds_read.load(Ordering::SeqCst) > read, "the update is decrypted");
    }
}

/// Two copies of one home see the same chain. The second finds the settlements of the first, and counts their verdicts before its own.
#[tokio::test]
async fn a_second_copy_of_a_home_counts_what_the_first_published() {
    let mut first = Stage::open().await;
    let mut second = first.fork();
    for _ in 0..5 {
        let content = first.sealed(&first.header(), &first.update(false));
        first.settled(content).await;
    }
    second.world = first.world.clone();
    second.block = first.block;
    let content = second.sealed(&second.header(), &second.update(false));
    second.settled(content).await;
    let record = second.worker.record();
    assert_eq!((record.foreign.len(), record.meter.as_ref().unwrap().submissions()), (5, 6));
    assert_eq!(record.uncounted(&second.view()).count(), 0);
    assert!(!record.has_foreign_version(&second.view()));
    // They are counted once, also after a restart.
    second.restart();
    let content = second.sealed(&second.header(), &second.update(false));
    second.settled(content).await;
    assert_eq!(second.worker.record().meter.as_ref().unwrap().submissions(), 7);
}

/// What another copy published can be more than this meter allows. Then nothing is decrypted any more; before, the error was ignored, and
/// the window was evaluated as if nothing had been published.
#[tokio::test]
async fn a_copy_that_cannot_count_what_was_published_decrypts_nothing() {
    let mut first = Stage::open().await;
    let mut second = first.fork();
    // Twelve submissions are the limit; windows that were rolled back have used up ten of the second copy.
    let before = second.world.clone();
    for _ in 0..10 {
        let content = second.sealed(&second.header(), &second.update(false));
        second.settled(content).await;
        second.world = before.clone();
        second.restart();
    }
    for _ in 0..5 {
        let content = first.sealed(&first.header(), &first.update(false));
        first.settled(content).await;
    }
    second.world = first.world.clone();
    second.block = first.block;
    let read = second.disk.seeds_read.load(Ordering::SeqCst);
    let content = second.sealed(&second.header(), &second.update(true));
    let (settlement, _) = second.settled(content).await;
    assert_eq!((&settlement.outcomes[..], settlement.close), (&[Outcome::NotImproved][..], CloseReason::LeakBudget));
    assert_eq!(second.disk.seeds_read.load(Ordering::SeqCst), read, "nothing is decrypted");
}

/// A copy that does not have the keys of the chain's version reports that another copy made them.
#[tokio::test]
async fn a_copy_without_the_keys_names_the_other_copy() {
    let mut first = Stage::open().await;
    let mut second = first.fork();
    first.improve().await;
    second.world = first.world.clone();
    second.block = first.block;
    second.shelf.0.lock().unwrap().clone_from(&first.shelf.0.lock().unwrap());
    let content = second.sealed(&second.header(), &first.update(false));
    second.submit(content);
    // First it deletes the keys of the version that has ended.
    let (action, done) = second.step().await;
    assert!(matches!(action, CapsuleAction::DestroySecrets(_)), "{action:?}");
    done.unwrap();
    let (action, done) = second.step().await;
    assert_eq!(action, CapsuleAction::Lost(Version(2)));
    assert!(matches!(done, Err(WorkError::Foreign(Version(2)))), "{done:?}");
}

/// A settlement is ready at once, and is sent at the end of its slot.
#[tokio::test]
async fn a_settlement_waits_for_the_end_of_its_slot() {
    let mut stage = Stage::open().await;
    stage.settle_in_slots(Duration::from_secs(30));
    let content = stage.sealed(&stage.header(), &stage.update(false));
    stage.submit(content);
    let closed_at = stage.view().window.closes_at;
    stage.work().await.unwrap();
    assert_eq!(stage.worker.record().settlements.len(), 1, "it is evaluated");
    let (action, _) = stage.step().await;
    assert_eq!(action, CapsuleAction::Wait(closed_at.plus(30_u32)));
    stage.block += 29;
    assert!(matches!(stage.step().await.0, CapsuleAction::Wait(_)));
    stage.block += 1;
    let (action, done) = stage.step().await;
    done.unwrap();
    assert!(matches!(action, CapsuleAction::SendSettlement(_)), "{action:?}");
}
