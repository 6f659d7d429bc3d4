//! A campaign that starts from the result of an earlier one, on real processes.

use std::path::Path;

use localnet::{
    demo::DemoInputs,
    follow::{CampaignFollower, Goal, Observer},
    network::Network,
};
use serde_json::Value;
use sonar_protocol::{event::Record, ids::CampaignId, view::CampaignView};

use crate::support::{config, network, runtime};

/// Looks on.
struct Silent;

impl Observer for Silent {
    fn happened(&mut self, _: &Record, _: &CampaignView, _: &mut Network) {}
    fn revived(&mut self, _: &str) {}
}

/// The campaign file with other `[model]` and accuracies; the launch measures the start.
fn with(text: &str, model: &str, target: f64) -> String {
    let mut campaign: toml::Table = text.parse().unwrap();
    campaign.insert("model".into(), model.parse::<toml::Table>().unwrap().into());
    let accuracy = campaign["accuracy"].as_table_mut().unwrap();
    accuracy.remove("start");
    accuracy.insert("target".into(), target.into());
    campaign.to_string()
}

/// Runs a campaign to its delivery.
async fn delivered(network: &mut Network, file: &Path) -> CampaignView {
    let file = file.display().to_string();
    let launched: Value = network.scientist().call(&["campaign", "launch", &file]).await.unwrap();
    let id: CampaignId = serde_json::from_value(launched["id"].clone()).unwrap();
    let history = CampaignFollower::new(network, id).until(Goal::Delivered, network, &mut Silent).await;
    history.unwrap().view
}

/// Random features, so that the weights of the parent mean something only under its own draw, and networks, whose start is public.
#[test]
fn the_capsule_starts_from_the_delivered_model_and_mines_improve_it() {
    let prepared = DemoInputs::read(&config("breast-cancer", 2, "lineage")).unwrap();
    runtime().block_on(async {
        let mut network = network(&prepared, "lineage").await;
        let file = prepared.write(network.directory()).unwrap();
        for model in ["features = \"random-relu:200\"", "regime = \"clear\"\nnetwork = \"mlp:16\""] {
            std::fs::write(&file, with(&prepared.campaign, model, 0.9)).unwrap();
            let parent = delivered(&mut network, &file).await;
            assert!(parent.best_ppm.get() >= 700_000, "{model}: {}", parent.best_ppm);
            let child = format!("{model}\ninitial = \"campaign:{}\"", parent.id);
            std::fs::write(&file, with(&prepared.campaign, &child, 1.0)).unwrap();
            let child = delivered(&mut network, &file).await;
            // The same validation set and grid, so the start is what was attested.
            assert_eq!(child.start_ppm, Some(parent.best_ppm), "{model}");
            assert!(child.submissions > 0 && child.best_ppm >= parent.best_ppm, "{model}");
            let shown: Value = network.scientist().call(&["campaign", "show", &child.id.to_string()]).await.unwrap();
            let expected = serde_json::json!({"id": parent.id, "verified": true});
            assert_eq!(shown["parent"], expected, "{model}");
            assert_eq!(network.manifest(child.id).await.unwrap().parent, Some(parent.id));
        }
        network.stop().await;
    });
}
