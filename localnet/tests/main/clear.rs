//! The clear regime on real processes: kills, refusals and forgeries cost nobody anything but time.

use std::{
    fs,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use localnet::{
    demo::{Campaign, DemoConfig, DemoError, DemoInputs},
    follow::Observer,
    network::{CAPSULE, MineNode, Network},
    split::Split,
};
use sonar_contracts::{CloseReason, Outcome};
use sonar_protocol::{
    envelope::{ProtocolReject, seal_update},
    event::{Event, Record},
    ids::CampaignId,
    regime::Regime,
    view::CampaignView,
};
use syft_nets::{Delta, Model, Update};

use crate::{
    demo::check,
    refused::{Attacker, until},
    support::{coarse, config, directory, network, run, run_in_order, runtime, seeded},
};

pub fn clear(dataset: &str, mines: usize, name: &str) -> DemoConfig {
    DemoConfig { regime: Some(Regime::Clear), ..config(dataset, mines, name) }
}

/// A network of convolutions that two Mines train for some seconds, on a grid so coarse and with a target so low that the first window decides.
fn slow() -> DemoInputs {
    let mut prepared = coarse(2, 2);
    let mut campaign: toml::Table = prepared.campaign.parse().unwrap();
    campaign.insert(
        "model".into(),
        toml::toml! {
            regime = "clear"
            network = "cnn:16,32"
            seed = 7
        }
        .into(),
    );
    campaign.insert("training".into(), toml::toml! { epochs = 60 }.into());
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
pub struct Killer {
    /// A Mine, as soon as a restart would go on in the middle of its training. The Capsule and the Mine go on while this waits for it.
    pub trainer: Option<usize>,
    /// The Capsule, as soon as the window is full.
    pub capsule: bool,
    pub revived: Vec<String>,
}

impl Observer for Killer {
    fn happened(&mut self, record: &Record, view: &CampaignView, network: &mut Network) {
        let opened = matches!(record.event, Event::Opened { .. });
        if let Some(mine) = self.trainer.take_if(|_| opened) {
            let name = network.mines()[mine].name.clone();
            until_in_the_middle(&network.home(&name), view.id);
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

/// Waits until a Mine keeps a checkpoint: it does from its first step until its update is made. Asking the program would take longer than
/// some trainings do.
fn until_in_the_middle(home: &Path, campaign: CampaignId) {
    let (deadline, checkpoint) = (Instant::now() + Duration::from_secs(60), format!("training-{campaign}-"));
    let kept = || {
        let names = fs::read_dir(home.join("vault")).unwrap().map(|entry| entry.unwrap().file_name());
        names
            .map(|name| name.into_string().unwrap())
            .any(|name| name.starts_with(&checkpoint) && name.ends_with(".sealed"))
    };
    while !kept() {
        assert!(Instant::now() < deadline, "{} does not train", home.display());
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn killed_in_the_middle_of_an_epoch_a_mine_ends_with_the_same_bits() {
    runtime().block_on(async {
        let prepared = slow();
        let mut network = network(&prepared, "clear-crash").await;
        let file = prepared.write(network.directory()).unwrap();
        let mut models = Vec::new();
        let cases: [(Killer, &[&str]); 3] = [
            (Killer::default(), &[]),
            (Killer { trainer: Some(0), ..Killer::default() }, &["mine-1"]),
            (Killer { capsule: true, ..Killer::default() }, &["capsule"]),
        ];
        for (mut killer, revived) in cases {
            let campaign = run_in_order(&mut network, &file, &mut killer).await;
            let campaign = campaign.unwrap_or_else(|error| panic!("{revived:?} killed: {error}"));
            assert_eq!(killer.revived, revived);
            assert!(
                campaign.warnings.iter().any(|warning| warning.contains("every version of the model is public")),
                "{:?}",
                campaign.warnings
            );
            let outcomes: Vec<_> = campaign.followed.view.settled[0].submissions.iter().map(|s| s.outcome).collect();
            assert!(matches!(outcomes[0], Outcome::Accepted(_)), "{outcomes:?}");
            models.push((delivered(&network, &campaign).await, outcomes));
        }
        assert!(models.windows(2).all(|pair| pair[0] == pair[1]), "a kill changed the model");
        assert!(log(&network, "mine-1").contains("resuming an interrupted training"));
        network.stop().await;
    });
}

fn log(network: &Network, name: &str) -> String {
    std::fs::read_to_string(network.directory().join("logs").join(format!("{name}.log"))).unwrap()
}

/// A network that is trained in no time.
fn quick(mines: usize, window: usize) -> DemoInputs {
    let mut prepared = coarse(mines, window);
    let mut campaign: toml::Table = prepared.campaign.parse().unwrap();
    campaign.insert("model".into(), toml::toml! { regime = "clear" network = "mlp:32" }.into());
    prepared.campaign = campaign.to_string();
    prepared
}

#[test]
fn a_mine_that_does_not_want_it_stays_away_and_forgeries_are_rejected() {
    runtime().block_on(async {
        let prepared = quick(2, 4);
        let network = network(&prepared, "clear-refused").await;
        let unwilling = &network.mines()[1];
        let _: serde_json::Value = unwilling.program.call(&["policy", "set", "--clear", "refuse"]).await.unwrap();
        let file = prepared.write(network.directory()).unwrap().display().to_string();
        let launched: serde_json::Value = network.scientist().call(&["campaign", "launch", &file]).await.unwrap();
        assert_eq!(launched["regime"], "clear");
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
            let sealed = seal_update(&attacker.header(account, id), update, &[&attacker.certificate]).unwrap();
            attacker.submit_bytes(account, id, sealed).await;
        }
        let view = until(network.client(), id, |view| !view.settled.is_empty()).await;
        let outcomes: Vec<_> = view.settled[0].submissions.iter().map(|submission| submission.outcome).collect();
        assert!(matches!(outcomes[0], Outcome::Accepted(_)), "{outcomes:?}");
        let refused = [ProtocolReject::WrongMiner, ProtocolReject::Conformance, ProtocolReject::Conformance];
        assert_eq!(outcomes[1..], refused.map(|reason| Outcome::Rejected(reason.code())));

        let campaigns: serde_json::Value = unwilling.program.call(&["campaigns"]).await.unwrap();
        assert_eq!(campaigns[0]["regime"], "clear");
        assert!(campaigns[0]["next"].as_str().unwrap().contains("policy clear"), "{campaigns}");
        let shown: serde_json::Value = network.scientist().call(&["campaign", "show", &id.to_string()]).await.unwrap();
        assert_eq!(shown["regime"], "clear");
        network.stop().await;
    });
}

#[test]
fn two_mines_train_a_network_on_digits() {
    let report = run(&clear("digits", 2, "clear-digits"));
    check(&report);
    assert!(report.final_accuracy_ppm.get() >= 900_000, "{}", report.final_accuracy_ppm);
    assert!(report.warnings[0].contains("every version of the model is public"), "{:?}", report.warnings);
    let manifest = std::fs::read(directory("clear-digits").join("manifest.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
    assert_eq!(manifest["method"]["regime"], "clear");
}

#[test]
fn owners_of_different_digits_teach_what_neither_of_them_knows() {
    let data = seeded("digits", 2, "clear-by-label-data");
    // Whoever knows five of ten digits is right about half of the images at most. How far the two get together depends on who is first.
    let target = Some(0.6);
    let config = DemoConfig { data, target, split: Split::ByLabel, ..clear("digits", 2, "clear-by-label") };
    let report = run(&config);
    check(&report);
    assert_eq!(report.close_reason, CloseReason::Target);
    assert!(report.miners.iter().all(|miner| miner.accepted > 0), "{:?}", report.miners);
}

#[test]
fn two_mines_train_a_network_on_tumours() {
    let report = run(&clear("breast-cancer", 2, "clear-breast-cancer"));
    check(&report);
    assert!(report.final_accuracy_ppm.get() >= 930_000, "{}", report.final_accuracy_ppm);
}

#[test]
fn two_mines_train_a_network_on_numbers() {
    let report = run(&clear("diabetes", 2, "clear-diabetes"));
    check(&report);
    assert!(report.final_accuracy_ppm.get() >= 400_000, "{}", report.final_accuracy_ppm);
}

/// A campaign over a network so small that noise of some use is possible; each submission is settled at once.
fn tiny() -> DemoInputs {
    let network = Some("mlp:1".parse().unwrap());
    let config = DemoConfig { network, ..clear("breast-cancer", 2, "unused") };
    let mut prepared = DemoInputs::read(&config).unwrap();
    let mut campaign: toml::Table = prepared.campaign.parse().unwrap();
    campaign["limits"].as_table_mut().unwrap().insert("window".into(), 1.into());
    prepared.campaign = campaign.to_string();
    prepared
}

/// What a Mine's only data set has told, as its owner is shown it.
async fn told(mine: &MineNode) -> serde_json::Value {
    let privacy: serde_json::Value = mine.program.call(&["privacy"]).await.unwrap();
    assert_eq!(privacy["data"].as_array().unwrap().len(), 1);
    privacy["data"][0].clone()
}

/// Waits until a Mine gives this as the reason why it does nothing.
async fn until_it_says(mine: &MineNode, reason: &str) {
    let says = async {
        loop {
            let status: serde_json::Value = mine.program.call(&["status"]).await.unwrap();
            let mut campaigns = status["campaigns"].as_array().unwrap().iter();
            if campaigns.any(|line| line["next"].as_str().unwrap().contains(reason)) {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), says).await.expect("the Mine gives its reason");
}

#[test]
fn a_privacy_budget_is_charged_where_a_network_bears_the_noise_and_refuses_where_not() {
    runtime().block_on(async {
        let prepared = tiny();
        let network = network(&prepared, "clear-private").await;
        let [generous, strict] = network.mines() else { panic!("two Mines") };
        for (mine, epsilon) in [(generous, "8"), (strict, "1")] {
            let policy = ["policy", "set", "--epsilon", epsilon, "--uploads", "1"];
            let _: serde_json::Value = mine.program.call(&policy).await.unwrap();
        }
        let file = prepared.write(network.directory()).unwrap().display().to_string();
        let launched: serde_json::Value = network.scientist().call(&["campaign", "launch", &file]).await.unwrap();
        let id: CampaignId = launched["id"].as_str().unwrap().parse().unwrap();
        until_it_says(strict, "nothing would be learnt").await;
        let view = until(network.client(), id, |view| !view.settled.is_empty()).await;

        assert_eq!(view.submissions, 1);
        let submission = &view.settled[0].submissions[0];
        assert_eq!(submission.miner, generous.address);
        assert!(!matches!(submission.outcome, Outcome::Rejected(_)), "{:?}", submission.outcome);
        let (spent, unspent) = (told(generous).await, told(strict).await);
        assert_eq!((&spent["private"], &spent["exact"], &spent["left"]), (&1.into(), &0.into(), &0.into()));
        let epsilon = spent["epsilon"].as_f64().unwrap();
        assert!(epsilon > 7.9 && epsilon <= 8.0, "{epsilon}");
        assert_eq!((&unspent["private"], &unspent["exact"], &unspent["left"]), (&0.into(), &0.into(), &1.into()));
        assert_eq!(unspent["epsilon"], 0.0);
        network.stop().await;
    });
}

#[test]
fn senseless_combinations_are_refused_with_the_reason() {
    let refusal = |config: DemoConfig| match DemoInputs::read(&config) {
        Err(error @ (DemoError::Campaign(_) | DemoError::Launch(_) | DemoError::Content { .. })) => error.to_string(),
        other => panic!("{other:?}"),
    };
    let features = Some("random-relu:512".parse().unwrap());
    let with_features = refusal(DemoConfig { features, ..clear("digits", 2, "unused") });
    assert!(with_features.contains("model.features: `random-relu:512` is for linear models"), "{with_features}");
    let network = |kind: &str| Some(kind.parse().unwrap());
    let encrypted = refusal(DemoConfig { network: network("mlp:8"), ..config("digits", 2, "unused") });
    assert!(encrypted.contains("model.network: `mlp:8` cannot be trained on ciphertexts"), "{encrypted}");
    let columns = refusal(DemoConfig { network: network("cnn:8"), ..clear("breast-cancer", 2, "unused") });
    assert!(columns.contains("needs an image"), "{columns}");
    let features = |dataset, kind: &str, mines| {
        let features = Some(kind.parse().unwrap());
        refusal(DemoConfig { features, ..config(dataset, mines, "unused") })
    };
    assert!(features("diabetes", "random-conv:64", 2).contains("model.features: `random-conv:64` needs an image"));
    assert!(features("mnist", "polynomial", 2).contains("features and the constant one exceed the"));
    assert!(features("digits", "random-relu:5000", 2).contains("5000 features"));
    assert!(features("diabetes", "identity", 64).contains("limits.window = 64 is more than the"));
    let target = refusal(DemoConfig { target: Some(0.9333), ..config("digits", 2, "unused") });
    assert!(target.contains("between two steps of the grid"), "{target}");
    let nobody = refusal(DemoConfig { target: Some(0.01), ..config("digits", 2, "unused") });
    assert!(nobody.contains("must be above"), "{nobody}");
    let crowd = refusal(config("diabetes", 1_000, "unused"));
    assert!(crowd.contains("too few for 1000 Mines"), "{crowd}");
    for dataset in ["digits", "breast-cancer", "diabetes", "mnist"] {
        DemoInputs::read(&clear(dataset, 3, "unused")).unwrap();
    }
}
