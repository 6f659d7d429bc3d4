//! What the tests have in common.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::OnceLock,
};

use localnet::{
    demo::{self, DemoConfig, Prepared},
    network::{Network, NetworkConfig},
    report::Report,
    split::Split,
};
use sonar::backbone::Embedding;

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

pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap()
}

/// The digits demo, run once for all tests that look at it.
pub fn digits() -> &'static Report {
    static REPORT: OnceLock<Report> = OnceLock::new();
    REPORT.get_or_init(|| {
        let config = config("digits", 5, "digits");
        runtime().block_on(demo::run(&config)).unwrap_or_else(|error| panic!("{error}"))
    })
}

/// Decisions on these data are far from every grid boundary, so that the noise of encryption changes none: the first 300 rows
/// of the digits dealt to two Mines, and a grid of 5 %.
pub fn coarse(mines: usize, window: usize) -> Prepared {
    let read = |name: &str| fs::read_to_string(data().join(name)).unwrap();
    let mut campaign: toml::Table = read("digits.toml").parse().unwrap();
    let accuracy = campaign["accuracy"].as_table_mut().unwrap();
    accuracy.insert("grid".into(), 0.05.into());
    accuracy.insert("target".into(), 1.0.into());
    let limits = toml::Table::from_iter([("window".to_owned(), (window as i64).into())]);
    campaign.insert("limits".into(), limits.into());
    let train: String = read("digits-train.csv").lines().take(301).map(|line| format!("{line}\n")).collect();
    let mut data = Split::Iid.deal(&train, "digit", 2).unwrap();
    data.truncate(mines);
    Prepared {
        campaign: campaign.to_string(),
        validation: read("digits-validation.csv"),
        data,
        embedding: Embedding::none(),
    }
}

/// A network whose Mines hold these data.
pub async fn network(prepared: &Prepared, name: &str) -> Network {
    let config = NetworkConfig { directory: directory(name), data: prepared.data.clone(), rpc_port: 0, http_port: 0 };
    Network::start(&config, |_| {}).await.unwrap_or_else(|error| panic!("{error}"))
}
