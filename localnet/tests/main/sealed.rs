//! The sealed regime on real processes: kills, refusals and forgeries cost nobody anything but time.

use localnet::{
    demo::{self, Campaign, DemoConfig, DemoError, Prepared, run_campaign},
    follow::Observer,
    network::{CAPSULE, Network},
};
use serde::Deserialize;
use sonar::{
    chain::{Event, Record},
    envelope::{ProtocolReject, seal_update},
    ids::CampaignId,
    method::Regime,
    view::CampaignView,
};
use sonar_contracts::Outcome;
use syft_nets::{Delta, Model, Update};
use tokio::{runtime::Handle, task::block_in_place};

use crate::{
    demo::check,
    refused::{Attacker, until},
    support::{coarse, config, directory, network, runtime},
};

fn sealed(dataset: &str, mines: usize, name: &str) -> DemoConfig {
    DemoConfig { regime: Some(Regime::Sealed), ..config(dataset, mines, name) }
}

/// A network that two Mines train for some seconds, on a grid so coarse and with a target so low that the first window decides.
fn slow() -> Prepared {
    let mut prepared = coarse(2, 2);
    let mut campaign: toml::Table = prepared.campaign.parse().unwrap();
    campaign.insert(
        "model".into(),
        toml::toml! {
            regime = "sealed"
            network = "mlp:256,128"
            seed = 7
        }
        .into(),
    );
    campaign.insert("training".into(), toml::toml! { epochs = 400 }.into());
    campaign["accuracy"].as_table_mut().unwrap().insert("target".into(), 0.75.into());
    prepared.campaign = campaign.to_string();
    prepared
}

/// The delivered network.
async fn delivered(network: &Network, campaign: &Campaign) -> Model {
    let manifest = network.manifest(campaign.followed.view.id).await.unwrap();
    let file = std::fs::read(&campaign.model).unwrap();
    manifest.method.clear().unwrap().read(&file).unwrap()
}

/// Kills one process once.
#[derive(Default)]
struct Killer {
    /// A Mine, as soon as a restart would go on in the middle of its training.
    trainer: Option<usize>,
    /// The Capsule, as soon as the window is full.
    capsule: bool,
    revived: Vec<String>,
}

impl Observer for Killer {
    fn happened(&mut self, record: &Record, view: &CampaignView, network: &mut Network) {
        let active = matches!(record.event, Event::Activated { .. });
        if let Some(mine) = self.trainer.take_if(|_| active) {
            block_in_place(|| Handle::current().block_on(until_in_the_middle(network, mine, view)));
            let name = network.mines()[mine].name.clone();
            network.kill9(&name).unwrap();
        }
        let full = matches!(&record.event, Event::Submitted { index: 1, .. });
        if full && std::mem::take(&mut self.capsule) {
            network.kill9(CAPSULE).unwrap();
        }
    }

    fn revived(&mut self, name: &str) {
        self.revived.push(name.into());
    }
}

/// Asks a Mine how far it is until it has kept a checkpoint within an epoch.
async fn until_in_the_middle(network: &Network, mine: usize, view: &CampaignView) {
    #[derive(Deserialize)]
    struct Status {
        campaigns: Vec<Line>,
    }
    #[derive(Deserialize)]
    struct Line {
        campaign: CampaignId,
        next: String,
        progress: Option<Progress>,
    }
    #[derive(Deserialize)]
    struct Progress {
        step: u64,
        steps: u64,
    }
    loop {
        let status: Status = network.mines()[mine].program.call(&["status"]).await.unwrap();
        let Some(line) = status.campaigns.into_iter().find(|line| line.campaign == view.id) else {
            continue;
        };
        assert!(!line.next.contains("submit"), "it trains too fast to be killed in the middle");
        if let Some(Progress { step, steps }) = line.progress {
            assert!((1..steps).contains(&step), "{step} of {steps}");
            return;
        }
    }
}

#[test]
fn killed_in_the_middle_of_an_epoch_a_mine_ends_with_the_same_bits() {
    runtime().block_on(async {
        let prepared = slow();
        let mut network = network(&prepared, "sealed-crash").await;
        let file = prepared.write(network.directory()).unwrap();
        let mut models = Vec::new();
        let cases: [(Killer, &[&str]); 3] = [
            (Killer::default(), &[]),
            (Killer { trainer: Some(0), ..Killer::default() }, &["mine-1"]),
            (Killer { capsule: true, ..Killer::default() }, &["capsule"]),
        ];
        for (mut killer, revived) in cases {
            let campaign = run_campaign(&mut network, &file, &mut killer).await;
            let campaign = campaign.unwrap_or_else(|error| panic!("{revived:?} killed: {error}"));
            assert_eq!(killer.revived, revived);
            assert!(campaign.warnings.iter().any(|warning| warning.contains("every Mine")), "{:?}", campaign.warnings);
            let outcomes: Vec<_> = campaign.followed.view.settled[0].submissions.iter().map(|s| s.outcome).collect();
            assert!(matches!(outcomes[0], Outcome::Accepted(_)), "{outcomes:?}");
            models.push((delivered(&network, &campaign).await, outcomes));
        }
        assert!(models.windows(2).all(|pair| pair[0] == pair[1]), "a kill changed the model");
        assert!(log(&network, "mine-1").contains("goes on with a training that was interrupted"));
        network.stop().await;
    });
}

fn log(network: &Network, name: &str) -> String {
    std::fs::read_to_string(network.directory().join("logs").join(format!("{name}.log"))).unwrap()
}

/// A network that is trained in no time.
fn quick(mines: usize, window: usize) -> Prepared {
    let mut prepared = coarse(mines, window);
    let mut campaign: toml::Table = prepared.campaign.parse().unwrap();
    campaign.insert("model".into(), toml::toml! { regime = "sealed" network = "mlp:32" }.into());
    prepared.campaign = campaign.to_string();
    prepared
}

#[test]
fn a_mine_that_does_not_want_it_stays_away_and_forgeries_are_rejected() {
    runtime().block_on(async {
        let prepared = quick(2, 4);
        let network = network(&prepared, "sealed-refused").await;
        let unwilling = &network.mines()[1];
        let _: serde_json::Value = unwilling.program.call(&["policy", "set", "--sealed", "refuse"]).await.unwrap();
        let file = prepared.write(network.directory()).unwrap().display().to_string();
        let launched: serde_json::Value = network.scientist().call(&["campaign", "launch", &file]).await.unwrap();
        assert_eq!(launched["regime"], "sealed");
        let id: CampaignId = launched["id"].as_str().unwrap().parse().unwrap();
        let view = until(network.client(), id, |view| view.window.submissions.len() == 1).await;
        assert_eq!(view.window.submissions[0].miner, network.mines()[0].address);

        let attacker = Attacker::enter(&network, id).await;
        attacker.submit(0, id, 1, view.window.submissions[0].content.into()).await.unwrap();
        let clear = attacker.manifest.method.clear().unwrap();
        // Of the right size and form, but made from a model that nobody published.
        let nothing = Delta::zeros(&clear.network);
        let update = Update::new(&nothing, &clear.release, [1; 32], None, 1, &mut rand::rng()).unwrap().encode();
        for (account, update) in [(1, &update[..]), (2, &update[1..])] {
            let sealed = seal_update(&attacker.header(account, id), update, &attacker.capsule).unwrap();
            attacker.submit_bytes(account, id, sealed).await;
        }
        let view = until(network.client(), id, |view| !view.settled.is_empty()).await;
        let outcomes: Vec<_> = view.settled[0].submissions.iter().map(|submission| submission.outcome).collect();
        assert!(matches!(outcomes[0], Outcome::Accepted(_)), "{outcomes:?}");
        let refused = [ProtocolReject::WrongMiner, ProtocolReject::Conformance, ProtocolReject::Conformance];
        assert_eq!(outcomes[1..], refused.map(|reason| Outcome::Rejected(reason.code())));

        let campaigns: serde_json::Value = unwilling.program.call(&["campaigns"]).await.unwrap();
        assert_eq!(campaigns[0]["regime"], "sealed");
        assert!(campaigns[0]["next"].as_str().unwrap().contains("policy sealed"), "{campaigns}");
        let shown: serde_json::Value = network.scientist().call(&["campaign", "show", &id.to_string()]).await.unwrap();
        assert_eq!(shown["regime"], "sealed");
        network.stop().await;
    });
}

#[test]
fn two_mines_train_a_network_on_digits() {
    let report = runtime().block_on(demo::run(&sealed("digits", 2, "sealed-digits"))).unwrap_or_else(|e| panic!("{e}"));
    check(&report);
    assert!(report.final_accuracy_ppm >= 900_000, "{}", report.final_accuracy_ppm);
    assert!(report.warnings[0].contains("sees the model"), "{:?}", report.warnings);
    let manifest = std::fs::read(directory("sealed-digits").join("manifest.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
    assert_eq!(manifest["method"]["regime"], "sealed");
}

#[test]
fn senseless_combinations_are_refused_with_the_reason() {
    let refusal = |config: DemoConfig| match Prepared::read(&config) {
        Err(DemoError::Campaign(error)) => error.to_string(),
        other => panic!("{other:?}"),
    };
    let features = Some("random-relu:512".parse().unwrap());
    let with_features = refusal(DemoConfig { features, ..sealed("digits", 2, "unused") });
    assert!(with_features.contains("model.features: `random-relu:512` is for linear models"), "{with_features}");
    let network = |kind: &str| Some(kind.parse().unwrap());
    let encrypted = refusal(DemoConfig { network: network("mlp:8"), ..config("digits", 2, "unused") });
    assert!(encrypted.contains("model.network: `mlp:8` cannot be trained on ciphertexts"), "{encrypted}");
    let columns = refusal(DemoConfig { network: network("cnn:8"), ..sealed("breast-cancer", 2, "unused") });
    assert!(columns.contains("needs an image"), "{columns}");
    for dataset in ["digits", "breast-cancer", "diabetes", "mnist"] {
        Prepared::read(&sealed(dataset, 3, "unused")).unwrap();
    }
}
