//! The clear regime: the model is public, updates are not, and there are no keys.

use sha2::{Digest as _, Sha256};
use sonar_contracts::{CloseReason, Outcome, State};
use sonar_protocol::{envelope::ProtocolReject, families::Clear};
use syft_nets::{Delta, Model, Release, Training, Update};
use testkit::yes_or_no::csv;

use super::{
    evaluate::same_after_every_kill,
    stage::{CAMPAIGN, Stage},
};

const NETWORK: &str = r#"
[model]
regime = "clear"
network = "mlp:8"
seed = 1
[training]
rate = 0.05
epochs = 20
keep = 1.0
"#;

fn campaign() -> String {
    format!("{}{NETWORK}", *CAMPAIGN)
}

/// The model that everybody can fetch, with its hash.
fn published(stage: &Stage) -> (Clear, Model, [u8; 32]) {
    let clear = stage.manifest.method.clear().unwrap().clone();
    let file = stage.shelf.take(stage.view().material().unwrap()).unwrap();
    let model = clear.read(&file).unwrap();
    (clear, model, Sha256::digest(&file).into())
}

impl Stage {
    /// What a Mine sends about a network.
    pub(super) fn network_update(&self, honest: bool) -> Vec<u8> {
        let (clear, model, hash) = published(self);
        let (raw, targets) = self.rows(honest);
        let mut training = Training::start(&model, &clear.schedule, &raw, &targets, hash).unwrap();
        while training.step().unwrap().is_some() {}
        Update::new(&training.finish(), &clear.release, hash, None, raw.rows(), &mut rand::rng()).unwrap().encode()
    }

    fn accuracy(&self, file: &[u8]) -> u32 {
        let table =
            sonar_protocol::data::read_csv(csv(100).as_bytes(), &sonar_protocol::data::TableLimits::default()).unwrap();
        let examples = self.manifest.data.fit(&table).unwrap();
        self.manifest.trial(&examples, Some(file)).unwrap().accuracy().get()
    }
}

#[tokio::test]
async fn the_model_is_public() {
    let mut stage = Stage::open_as(&campaign()).await;
    let (_, start, _) = published(&stage);
    assert_eq!(start, stage.manifest.method.clear().unwrap().initial());
    assert_eq!(stage.view().best_ppm.get(), 500_000, "a network whose outputs are all zeros");

    let content = stage.sealed(&stage.header(), &stage.update(true));
    let (settlement, _) = stage.settled(content).await;
    assert!(matches!(settlement.outcomes[0], Outcome::Accepted(3 | 4)));
    match settlement.next {
        // The next version is the very file that was measured.
        Some(next) => {
            let file = stage.shelf.take(next.material).unwrap();
            assert_eq!(stage.accuracy(&file) / 250_000 * 250_000, stage.view().best_ppm.get());
            assert_eq!(stage.disk.names("model").len(), 1, "the old version is gone");
            assert_eq!(stage.disk.names("seed").len(), 1, "what is handed over for it, though it protects nothing");
        }
        None => {
            assert_eq!(stage.view().state, State::Finalized, "the target was reached at once");
            assert!(stage.disk.names("model").is_empty());
        }
    }
}

#[tokio::test]
async fn malformed_updates_are_rejected_by_protocol_and_cost_nothing_else() {
    let mut stage = Stage::open_as(&campaign()).await;
    let material = stage.view().material();
    let (clear, model, hash) = published(&stage);
    let update = |release: &Release, hash: [u8; 32]| {
        let nothing = Delta::zeros(model.network());
        Update::new(&nothing, release, hash, None, 1, &mut rand::rng()).unwrap().encode()
    };
    let good = update(&clear.release, hash);
    let mut wild = good.clone();
    // The scale, behind form, version and hash.
    wild[40..44].copy_from_slice(&f32::NAN.to_le_bytes());
    let cases = [
        update(&clear.release, [7; 32]),
        update(&Release { bits: 4, ..clear.release }, hash),
        good[..good.len() - 1].to_vec(),
        [&good[..], &[0]].concat(),
        wild,
        vec![0xff; good.len()],
    ];
    for bytes in cases {
        let content = stage.sealed(&stage.header(), &bytes);
        let (settlement, _) = stage.settled(content).await;
        let rejected = Outcome::Rejected(ProtocolReject::Conformance.code());
        assert_eq!((settlement.outcomes, settlement.next), (vec![rejected], None));
    }
    assert_eq!(stage.view().material(), material);
    let content = stage.sealed(&stage.header(), &good);
    assert_eq!(stage.settled(content).await.0.outcomes, [Outcome::NotImproved]);
}

#[tokio::test]
async fn whatever_does_not_improve_a_network_is_refused_alike() {
    let mut stage = Stage::open_as(&campaign()).await;
    let (clear, model, hash) = published(&stage);
    let wild = Delta::new(model.network(), (0..model.values().len()).map(|i| (i % 7) as f32 * -1e5).collect()).unwrap();
    let wild = Update::new(&wild, &clear.release, hash, None, 1, &mut rand::rng()).unwrap().encode();
    let mut said = Vec::new();
    for update in [stage.update(false), wild] {
        let content = stage.sealed(&stage.header(), &update);
        let (settlement, written) = stage.settled(content).await;
        said.push((settlement.outcomes, settlement.next, settlement.close, written, stage.disk.names("").len()));
    }
    assert_eq!((&said[0].0, said[0].1, said[0].2), (&vec![Outcome::NotImproved], None, CloseReason::None));
    assert_eq!(said[0], said[1]);
}

#[tokio::test]
async fn killed_at_any_write_it_decides_the_same_about_a_network() {
    same_after_every_kill(&campaign()).await;
}
