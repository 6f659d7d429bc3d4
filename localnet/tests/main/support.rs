//! What the tests have in common.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::OnceLock,
    time::Duration,
};

use alloy::providers::Provider;
use localnet::{
    demo::{self, Campaign, DemoConfig, DemoInputs},
    follow::Observer,
    network::{Network, NetworkConfig},
    report::DemoReport,
    split::Split,
};
use sonar_protocol::{
    backbone::Embedding,
    event::{Event, Record},
    ids::{CampaignId, Digest, WindowIndex},
    view::CampaignView,
};

/// Where a test writes; kept after it, for whoever wants to know what went wrong.
pub fn directory(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// The data sets of this checkout.
pub fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../data")
}

pub fn config(dataset: &str, mines: usize, name: &str) -> DemoConfig {
    DemoConfig {
        dataset: dataset.into(),
        data: data(),
        mines,
        split: Split::Iid,
        regime: None,
        network: None,
        features: None,
        backbone: None,
        target: None,
        out: directory(name),
        keep: true,
        quiet: true,
    }
}

/// A copy of the data sets with a campaign file that says from which seed random features or first weights follow, so that
/// every run decides on the same models.
pub fn seeded(dataset: &str, seed: i64, name: &str) -> PathBuf {
    let copies = directory(name);
    fs::create_dir_all(&copies).unwrap();
    for suffix in ["-train.csv", "-validation.csv"] {
        let file = format!("{dataset}{suffix}");
        fs::copy(data().join(&file), copies.join(&file)).unwrap();
    }
    let file = format!("{dataset}.toml");
    let mut campaign: toml::Table = fs::read_to_string(data().join(&file)).unwrap().parse().unwrap();
    campaign["model"].as_table_mut().unwrap().insert("seed".into(), seed.into());
    fs::write(copies.join(&file), campaign.to_string()).unwrap();
    copies
}

/// Runs a demo to its end.
pub fn run(config: &DemoConfig) -> DemoReport {
    runtime().block_on(demo::run(config)).unwrap_or_else(|error| panic!("{error}")).report
}

pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap()
}

/// The digits demo, run once for all tests that look at it.
pub fn digits() -> &'static DemoReport {
    static REPORT: OnceLock<DemoReport> = OnceLock::new();
    REPORT.get_or_init(|| run(&config("digits", 5, "digits")))
}

/// Decisions on these data are far from every grid boundary, so that the noise of encryption changes none: the first 300 rows
/// of the digits dealt to two Mines, and a grid of 5 %.
pub fn coarse(mines: usize, window: usize) -> DemoInputs {
    let read = |name: &str| fs::read_to_string(data().join(name)).unwrap();
    let mut campaign: toml::Table = read("digits.toml").parse().unwrap();
    let accuracy = campaign["accuracy"].as_table_mut().unwrap();
    accuracy.insert("grid".into(), 0.05.into());
    accuracy.insert("target".into(), 1.0.into());
    // The audit of such a small model takes less than a second.
    let limits = [("window", window as i64), ("audit_seconds", 5)].map(|(name, value)| (name.to_owned(), value.into()));
    let limits = toml::Table::from_iter(limits);
    campaign.insert("limits".into(), limits.into());
    let train: String = read("digits-train.csv").lines().take(301).map(|line| format!("{line}\n")).collect();
    let mut data = Split::Iid.deal(&train, "digit", 2).unwrap();
    data.truncate(mines);
    DemoInputs {
        campaign: campaign.to_string(),
        validation: read("digits-validation.csv"),
        data,
        embedding: Embedding::none(),
    }
}

/// A network whose Mines hold these data.
pub async fn network(prepared: &DemoInputs, name: &str) -> Network {
    let config = NetworkConfig { directory: directory(name), data: prepared.data.clone(), rpc_port: 0, http_port: 0 };
    Network::start(&config, |_| {}).await.unwrap_or_else(|error| panic!("{error}"))
}

/// Lets time pass on the chain.
pub async fn pass(network: &Network, seconds: u64) {
    let provider = network.anvil().provider();
    let _: serde_json::Value = provider.raw_request("evm_increaseTime".into(), (seconds,)).await.unwrap();
    let _: serde_json::Value = provider.raw_request("evm_mine".into(), ()).await.unwrap();
}

/// Runs a campaign in which the Mines submit one after another, window by window, so that two runs of it decide and pay the same.
pub async fn run_in_order(
    network: &mut Network,
    file: &Path,
    observer: &mut dyn Observer,
) -> Result<Campaign, demo::DemoError> {
    // Before the launch: they act on what they find sooner than a test that follows the chain.
    pause_all_but_the_first(network);
    demo::run_campaign(network, file, &mut InOrder(observer)).await
}

fn pause_all_but_the_first(network: &mut Network) {
    let names: Vec<String> = network.mines().iter().skip(1).map(|mine| mine.name.clone()).collect();
    names.iter().for_each(|name| network.pause(name).unwrap());
}

/// Resumes a Mine when the one before it has submitted.
struct InOrder<'a>(&'a mut dyn Observer);

impl Observer for InOrder<'_> {
    fn happened(&mut self, record: &Record, view: &CampaignView, network: &mut Network) {
        match &record.event {
            Event::Submitted { id, miner, window, content, .. } => {
                let place = network.mines().iter().position(|mine| mine.address == *miner).unwrap();
                match network.mines().get(place + 1).map(|next| next.name.clone()) {
                    Some(next) => network.resume(&next).unwrap(),
                    // The window is full. A paused Mine could not serve its update, so it stays awake until others have it.
                    None => {
                        until_kept(network, *id, *window, *content);
                        pause_all_but_the_first(network);
                    }
                }
            }
            Event::Closed { .. } => {
                let names: Vec<String> = network.mines().iter().map(|mine| mine.name.clone()).collect();
                names.iter().for_each(|name| network.resume(name).unwrap());
            }
            _ => {}
        }
        self.0.happened(record, view, network);
    }

    fn warned(&mut self, warning: &str) {
        self.0.warned(warning);
    }

    fn revived(&mut self, name: &str) {
        self.0.revived(name);
    }
}

/// Waits until nobody needs a Mine for its update any more: Sonar holds it, or the window is settled.
fn until_kept(network: &Network, id: CampaignId, window: WindowIndex, update: Digest) {
    let url = |path: String| format!("{}/api/v1/{path}", network.sonar_url());
    let (artefact, campaign) = (url(format!("artefacts/{update}")), url(format!("campaigns/{id}")));
    let http = sonar_node::http::client(&artefact, Duration::from_secs(5)).unwrap();
    let ask = async |url: &str| -> serde_json::Value { http.get(url).send().await.unwrap().json().await.unwrap() };
    let kept = async {
        while ask(&artefact).await["pinned"] != true && ask(&campaign).await["window"]["index"] == window.0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let within = async { tokio::time::timeout(Duration::from_secs(60), kept).await };
    let done = tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(within));
    done.unwrap_or_else(|_| panic!("Sonar does not hold {update}"));
}
