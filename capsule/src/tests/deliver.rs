//! What is delivered at the end, and what becomes of the stake.

use alloy::primitives::B256;
use sonar_contracts::{CloseReason, Outcome, State};
use sonar_protocol::{event::Event, handover::Published, ids::Digest, units::Amount, view::StakeFate};

use syft::Ppm;

use super::stage::{Stage, audit_secret};
use crate::campaign::{CapsuleAction, next};

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
    let period = view.terms.audit.period;
    let end = view.changed_at.plus(period);
    assert_eq!(next(&view, stage.worker.record(), view.changed_at.plus(period - 1)), CapsuleAction::Wait(end));
    stage.block += u64::from(period);
    stage.work().await.unwrap();
    assert_eq!(stage.view().stake_fate, Some(StakeFate::Released));
    assert_eq!(next(&stage.view(), stage.worker.record(), end), CapsuleAction::Done);
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
        best_ppm: Ppm::ONE,
        next: Some(Published { material: Digest([5; 32]), root: B256::ZERO, handover: B256::ZERO }),
        window_start: B256::repeat_byte(0x1F),
    });
    stage.happened(Event::Closed { id, reason: CloseReason::Target, refunded: Amount::ZERO });
    let (action, done) = stage.step().await;
    assert!(matches!(action, CapsuleAction::DestroySecrets(_)) && done.is_ok(), "the key is dead: {action:?}");
    let (action, done) = stage.step().await;
    assert!(matches!(action, CapsuleAction::Lost(_)) && done.is_err(), "{action:?}");
    assert_eq!(stage.disk.names("model").len(), 1);
}
