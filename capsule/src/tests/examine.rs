//! Which proposals are activated and which are declined.

use std::sync::atomic::Ordering;

use sonar_contracts::{CloseReason, State, Terms};
use sonar_node::ipfs::IpfsError;
use sonar_protocol::{
    event::Event,
    families::plain_network,
    manifest::Manifest,
    pgp::{self, Identity},
    refusal::Refusal,
    units::{Amount, Timestamp},
};

use super::{
    doubles::Shelf,
    stage::{CAMPAIGN, CAPSULE, REGISTERED, SCIENTIST, Stage},
};
use crate::campaign::{CapsuleAction, worker::WorkError};

/// Whoever chooses the certificate gets the stake of a Capsule that cannot deliver to it.
#[tokio::test]
async fn an_expiring_certificate_costs_no_stake() {
    // In 2020: by the clock of this machine each of these keys has expired long ago.
    let began = 1_577_836_800;
    // Deadline, evaluation, delivery, and a day.
    let needed = 2 * 86_400 + 3_600 + 86_400 + 86_400;
    let key = |seconds| Identity::load(&testkit::openpgp::expiring("e", began, seconds), "e").unwrap();
    let began = Timestamp::from_unix(began);

    let mut stage = Stage::delivering(&CAMPAIGN, key(needed - 1).certificate(), began);
    stage.step().await.1.unwrap();
    assert_eq!(stage.step().await.0, CapsuleAction::Decline(Refusal::CertificateExpires));
    assert_eq!(stage.disk.names("seed").len(), 0, "no keys are made for it");

    let scientist = key(needed);
    let mut stage = Stage::delivering(&CAMPAIGN, scientist.certificate(), began);
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

/// A public network of two columns.
pub(super) fn network() -> syft_nets::Model {
    let inputs = syft_nets::Input::Columns(vec![syft::Column { center: 0.5, spread: 0.5 }; 2]);
    let network = syft_nets::NetworkKind::Mlp(vec![2]).network(inputs, 2).unwrap();
    syft_nets::Model::initial(&network, &[3; 32])
}

/// A campaign that reads through that network, whose weights are said to be these bytes.
fn through(weights: &[u8]) -> Stage {
    let digest = Shelf::default().put(weights.to_vec());
    Stage::launched(&CAMPAIGN, |inputs| inputs.backbone = Some((network(), digest)), |_, _, _| {})
}

#[tokio::test]
async fn a_backbone_is_fetched_and_must_be_one() {
    let mut stage = through(b"no weights");
    // Nobody has them yet: the proposal is looked at again.
    let (action, done) = stage.step().await;
    assert_eq!(action, CapsuleAction::Examine);
    assert!(matches!(done, Err(WorkError::Ipfs(IpfsError::NotFound { .. }))), "{done:?}");
    stage.shelf.put(b"no weights".to_vec());
    let (_, done) = stage.step().await;
    done.unwrap();
    assert_eq!(stage.step().await.0, CapsuleAction::Decline(Refusal::Backbone));

    let weights = plain_network(&network()).unwrap();
    let mut stage = through(&weights);
    stage.shelf.put(weights.to_vec());
    stage.work().await.unwrap();
    assert_eq!(stage.view().state, State::Open);
}

#[tokio::test]
async fn what_cannot_be_activated_any_more_is_declined() {
    let mut stage = Stage::proposed(|_, _, _| {});
    stage.step().await.1.unwrap();
    stage.block += u64::from(stage.view().terms.activationSeconds);
    assert_eq!(stage.step().await.0, CapsuleAction::Activate);
    stage.block += 1;
    assert_eq!(stage.step().await.0, CapsuleAction::Decline(Refusal::TooLate));
}

#[tokio::test]
async fn killed_at_any_write_of_the_examination_it_runs_and_delivers() {
    for write in 1.. {
        let mut stage = Stage::proposed(|_, _, _| {});
        let so_far = stage.disk.writes.load(Ordering::SeqCst);
        stage.disk.last.store(so_far + write, Ordering::SeqCst);
        let survived = stage.work().await.is_ok();
        stage.restart();
        stage.work().await.unwrap();
        assert_eq!(stage.view().state, State::Open, "killed after write {write}");
        stage.happened(Event::Closed { id: stage.id, reason: CloseReason::Owner, refunded: Amount::ZERO });
        stage.restart();
        stage.work().await.unwrap();
        assert_eq!(stage.view().state, State::Finalized, "killed after write {write}");
        if survived {
            assert!(write > 5, "{write} writes");
            return;
        }
    }
}

#[tokio::test]
async fn proposals_that_are_not_as_promised_are_declined() {
    type Spoil = fn(&mut Vec<u8>, &mut Manifest, &mut Terms);
    let cases: [(Spoil, Refusal); 9] = [
        (|sealed, _, _| sealed.truncate(100), Refusal::Bundle),
        (|sealed, _, _| *sealed = pgp::seal(b"no bundle", &[&REGISTERED]).unwrap(), Refusal::Bundle),
        (
            // As the versions before this one sealed it.
            |sealed, _, _| *sealed = pgp::seal_signed(b"bundle", &REGISTERED, &SCIENTIST).unwrap(),
            Refusal::Bundle,
        ),
        (|_, manifest, _| manifest.commitments.validation.0[0] ^= 1, Refusal::Bundle),
        (|_, _, terms| terms.gridPpm *= 2, Refusal::Terms),
        (|_, _, terms| terms.feePpm += 1, Refusal::Offer),
        (|_, _, terms| terms.stake = 1, Refusal::Stake),
        // Whoever may be late after a second loses its stake.
        (|_, _, terms| terms.evaluationSeconds = 599, Refusal::Offer),
        (|_, _, terms| terms.deliverySeconds = 1, Refusal::Offer),
    ];
    for (spoil, reason) in cases {
        let mut stage = Stage::proposed(spoil);
        let (action, done) = stage.step().await;
        assert_eq!(action, CapsuleAction::Examine);
        done.unwrap();
        let (action, _) = stage.step().await;
        assert_eq!(action, CapsuleAction::Decline(reason), "{reason}");
        assert_eq!(stage.disk.names("seed").len(), 0, "no keys are made for it");
    }
}
