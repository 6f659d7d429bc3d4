//! The demo: one campaign from launch to payout, with the real programs, a progress story and a report.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use alloy::{
    primitives::{Address, B256},
    signers::local::PrivateKeySigner,
};
use serde::Deserialize;
use sonar_contracts::{Ledger, Outcome};
use sonar_node::chain;
use sonar_protocol::{
    backbone::Embedding,
    campaign::{CampaignFile, CampaignFileError},
    event::{Event, Record},
    fingerprint::Fingerprint,
    handover::AuditSecret,
    ids::{CampaignId, Digest},
    launch::{self, CapsuleTerms, Inputs, LaunchError, Plan, Recipient},
    manifest::Manifest,
    regime::Regime,
    units::{Amount, Timestamp},
    view::CampaignView,
};
use syft::{FeatureKind, Ppm};
use syft_nets::{Model, NetworkKind};

use crate::{
    follow::{CampaignFollower, CampaignHistory, FollowError, Goal, Observer},
    network::{MineNode, Network, NetworkConfig, NetworkError},
    programs::CommandError,
    report::{DemoReport, Gas, MinerReport, Payout, Seconds},
    split::Split,
    story::Story,
    twin::{self, Twin, TwinError},
};

/// Why the demo failed.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The local network failed.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// A command failed.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// The campaign did not finish.
    #[error(transparent)]
    Follow(#[from] FollowError),
    /// The chain refused a request.
    #[error(transparent)]
    Chain(#[from] chain::Error),
    /// The options are inconsistent.
    #[error(transparent)]
    Campaign(#[from] CampaignFileError),
    /// The campaign cannot be launched.
    #[error(transparent)]
    Launch(#[from] LaunchError),
    /// The training could not be repeated without encryption.
    #[error(transparent)]
    Twin(#[from] TwinError),
    /// A file could not be read or written.
    #[error("{}: {source}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
    /// A file has invalid content.
    #[error("{}: {message}", .path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// The chain has no receipt of a transaction.
    #[error("the chain node has no receipt of transaction {0}")]
    Receipt(B256),
}

type Result<T> = std::result::Result<T, DemoError>;

/// Settings of a demo.
#[derive(Clone, Debug)]
pub struct DemoConfig {
    /// Name of the data set: `NAME.toml`, `NAME-train.csv` and `NAME-validation.csv`, or the latter two with `.gz`.
    pub dataset: String,
    /// Directory of the data sets.
    pub data: PathBuf,
    /// Number of Mines.
    pub mines: usize,
    /// How the rows are divided among the Mines.
    pub split: Split,
    /// Regime (default: that of the campaign file).
    pub regime: Option<Regime>,
    /// Network of the clear regime (default: chosen for the data).
    pub network: Option<NetworkKind>,
    /// Feature map of the encrypted regime (default: that of the campaign file).
    pub features: Option<FeatureKind>,
    /// Public network as safetensors, whose activations the linear model reads.
    pub backbone: Option<PathBuf>,
    /// Target accuracy that pays the full bounty (default: that of the campaign file).
    pub target: Option<f64>,
    /// Output directory.
    pub out: PathBuf,
    /// Whether to keep the network running, with its homes and its chain.
    pub keep: bool,
    /// Whether to suppress the story.
    pub quiet: bool,
}

/// A campaign file with its validation set, and the rows of each Mine.
#[derive(Clone, Debug)]
pub struct DemoInputs {
    /// Text of the campaign file.
    pub campaign: String,
    /// Text of the validation set.
    pub validation: String,
    /// Rows of each Mine, as CSV.
    pub data: Vec<String>,
    /// Backbone that transforms all rows first.
    pub embedding: Embedding,
}

impl DemoInputs {
    /// Reads a data set, divides its rows, and sets the window size of its campaign to one update per Mine.
    ///
    /// # Errors
    /// When a file is missing or invalid.
    pub fn read(config: &DemoConfig) -> Result<Self> {
        let file = |suffix: &str| config.data.join(format!("{}{suffix}", config.dataset));
        let path = file(".toml");
        let content = |message: String| DemoError::Content { path: path.clone(), message };
        let mut campaign: toml::Table =
            read(&path)?.parse().map_err(|error: toml::de::Error| content(error.to_string()))?;
        let target = campaign.get("task").and_then(|task| task.get("target"));
        let target = target.and_then(|target| target.as_str());
        let target = target.ok_or_else(|| content("task.target is missing".into()))?;
        let data = match config.mines {
            0 => Vec::new(),
            mines => config.split.deal(&read_table(&file("-train.csv"))?, target, mines).map_err(content)?,
        };
        // Without own Mines, the window size is 1, so that a Mine of the user has its windows settled at once.
        let window = i64::try_from(config.mines.max(1)).map_err(|_| content("too many Mines".into()))?;
        set(&mut campaign, "limits", "window", window).map_err(content)?;
        if let Some(regime) = config.regime {
            choose(&mut campaign, config, regime).map_err(content)?;
        }
        if !trains_networks(&campaign) {
            set(&mut campaign, "limits", "window_seconds", WINDOW_SECONDS).map_err(content)?;
        }
        if let Some(network) = &config.network {
            set(&mut campaign, "model", "network", network.to_string()).map_err(content)?;
        }
        if let Some(features) = config.features {
            set(&mut campaign, "model", "features", features.to_string()).map_err(content)?;
        }
        let mut embedding = Embedding::none();
        if let Some(backbone) = &config.backbone {
            let path = std::path::absolute(backbone).map_err(at(backbone))?;
            read_through(&mut campaign, &path.display().to_string(), config.features.is_none()).map_err(content)?;
            let model = Model::from_described(&fs::read(&path).map_err(at(&path))?);
            embedding = Embedding::of(model.map_err(|error| DemoError::Content { path, message: error.to_string() })?);
        }
        if let Some(target) = config.target {
            set(&mut campaign, "accuracy", "target", target).map_err(content)?;
        }
        let campaign = campaign.to_string();
        let prepared = Self { campaign, validation: read_table(&file("-validation.csv"))?, data, embedding };
        // A campaign that cannot be launched is refused before anything is started.
        prepared.plan()?;
        Ok(prepared)
    }

    /// Plans the launch with throwaway keys.
    ///
    /// # Errors
    /// When a launch would be refused.
    pub fn plan(&self) -> Result<Plan> {
        trial_plan(&self.campaign, self.validation.clone().into_bytes(), None, &self.embedding)
    }

    /// Writes campaign file and validation set to one directory, as a data scientist has them.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn write(&self, directory: &Path) -> Result<PathBuf> {
        let content =
            |message: &str| DemoError::Content { path: directory.join("campaign.toml"), message: message.into() };
        let mut campaign: toml::Table =
            self.campaign.parse().map_err(|error: toml::de::Error| content(&error.to_string()))?;
        if campaign.get("limits").and_then(|limits| limits.get("audit_seconds")).is_none() {
            set(&mut campaign, "limits", "audit_seconds", AUDIT_SECONDS).map_err(|message| content(&message))?;
        }
        let validation = campaign.get("validation").and_then(|table| table.get("file"));
        let validation = validation.and_then(|file| file.as_str());
        let validation = validation.ok_or_else(|| content("validation.file is missing"))?;
        write(&directory.join(validation), &self.validation)?;
        let path = directory.join("campaign.toml");
        write(&path, &campaign.to_string())?;
        Ok(path)
    }
}

/// Plans the launch of a campaign file with throwaway keys.
///
/// # Errors
/// When a launch would be refused.
pub(crate) fn trial_plan(
    campaign: &str,
    validation: Vec<u8>,
    initial: Option<Vec<u8>>,
    embedding: &Embedding,
) -> Result<Plan> {
    let nobody = Fingerprint::V4([0; 20]);
    let inputs = Inputs {
        validation: validation.into(),
        initial: initial.map(Into::into),
        backbone: embedding.backbone().map(|model| (model.clone(), Digest([0; 32]))),
        chain_id: 0,
        contract: Address::ZERO,
        owner: Address::ZERO,
        scientist: Recipient { certificate: Vec::new(), fingerprint: nobody, expires: None },
        token: Address::ZERO,
        bounty: Amount::from(u128::from(u64::MAX)),
        capsule: CapsuleTerms { operator: Address::ZERO, fee_ppm: Ppm::ZERO, stake: Amount::ZERO, fingerprint: nobody },
        now: Timestamp::EPOCH,
        bundle_salt: [0; 32].into(),
        salt: B256::ZERO,
        audit: AuditSecret::of(&PrivateKeySigner::random(), B256::ZERO),
    };
    Ok(launch::plan(&CampaignFile::parse(campaign)?, inputs)?)
}

/// Default targets and epochs of the clear regime. Networks reach a higher accuracy than linear models. The fewer rows
/// a Mine has, the more epochs it needs.
const CLEAR: [(&str, f64, i64); 2] = [("digits", 0.95, 20), ("mnist", 0.98, 3)];

/// Time in seconds from the first submission of a window until it closes. Linear models are trained in seconds, so a
/// Mine that submits nothing does not delay the others for long. (Networks take minutes, and a Mine that misses the
/// window would have to train again.)
const WINDOW_SECONDS: i64 = 30;

/// Audit period in seconds, in which nobody frees the Capsule's stake. The audit of a demo takes less.
const AUDIT_SECONDS: i64 = 10;

/// Whether the campaign is of the clear regime; the default is encrypted.
fn trains_networks(campaign: &toml::Table) -> bool {
    let regime = campaign.get("model").and_then(|model| model.get("regime")).and_then(|regime| regime.as_str());
    regime == Some(Regime::Clear.name())
}

/// Sets the regime, and removes settings of the other regime from the campaign file.
fn choose(campaign: &mut toml::Table, config: &DemoConfig, regime: Regime) -> std::result::Result<(), String> {
    let before = campaign.get("model").and_then(|model| model.get("regime")).and_then(|regime| regime.as_str());
    let name = regime.name();
    if before.unwrap_or("encrypted") != name {
        if let Some(model) = campaign.get_mut("model").and_then(toml::Value::as_table_mut) {
            model.retain(|key, _| key == "seed");
        }
        campaign.remove("training");
        let usual = CLEAR.iter().find(|(dataset, ..)| *dataset == config.dataset);
        if let (Regime::Clear, Some((_, target, epochs))) = (regime, usual) {
            if config.target.is_none() {
                set(campaign, "accuracy", "target", *target)?;
            }
            set(campaign, "training", "epochs", *epochs)?;
        }
    }
    set(campaign, "model", "regime", name)
}

/// Sets the backbone, and removes the feature map, which the campaign file chose for raw columns.
fn read_through(campaign: &mut toml::Table, backbone: &str, forget: bool) -> std::result::Result<(), String> {
    if let Some(model) = campaign.get_mut("model").and_then(toml::Value::as_table_mut).filter(|_| forget) {
        model.remove("features");
    }
    set(campaign, "model", "backbone", backbone)
}

/// Sets a value of a table; creates the table if it is missing.
pub(crate) fn set(
    campaign: &mut toml::Table,
    table: &str,
    key: &str,
    value: impl Into<toml::Value>,
) -> std::result::Result<(), String> {
    let entry = campaign.entry(table).or_insert_with(|| toml::Table::new().into());
    let table = entry.as_table_mut().ok_or_else(|| format!("{table} is not a table"))?;
    table.insert(key.into(), value.into());
    Ok(())
}

/// A finished campaign.
#[derive(Clone, Debug)]
pub struct Campaign {
    /// Warnings of the launch.
    pub warnings: Vec<String>,
    /// Its state and events on chain.
    pub followed: CampaignHistory,
    /// Path of the delivered model.
    pub model: PathBuf,
    /// The OpenPGP message that the Capsule delivered.
    pub sealed: PathBuf,
    /// Number of versions that the data scientist's audit found honest.
    pub audited: usize,
    /// Its ledger at the end.
    pub ledger: Ledger,
    /// Amount that each miner withdrew.
    pub withdrawn: BTreeMap<Address, Amount>,
}

/// Launches a campaign, follows it to its end, fetches the model, and lets the miners withdraw.
///
/// # Errors
/// When any of it fails.
pub async fn run_campaign(network: &mut Network, file: &Path, observer: &mut dyn Observer) -> Result<Campaign> {
    #[derive(Deserialize)]
    struct LaunchReply {
        id: CampaignId,
    }
    let file = file.display().to_string();
    let launch = ["campaign", "launch", &file, "--again"];
    let (launched, warnings): (LaunchReply, _) = network.scientist().call_with_warnings(&launch).await?;
    warnings.iter().for_each(|warning| observer.warned(warning));
    let id = launched.id;
    let mut follower = CampaignFollower::new(network, id);
    follower.until(Goal::Delivered, network, observer).await?;

    let id_text = id.to_string();
    let model = network.directory().join(format!("model-{}.safetensors", id.short()));
    let sealed = model.with_extension("pgp");
    let (out, message) = (model.display().to_string(), sealed.display().to_string());
    let result = ["campaign", "result", &id_text, "--out", &out, "--sealed", &message];
    let _: serde_json::Value = network.scientist().call(&result).await?;
    let audited = audit(network, &id_text).await?;
    let followed = follower.until(Goal::Released, network, observer).await?;
    let withdrawn = withdraw(network, &followed.view).await?;
    let ledger = network.client().ledger(&followed.view.terms).await?;
    Ok(Campaign { warnings, followed, model, sealed, audited, ledger, withdrawn })
}

/// Runs the data scientist's audit; returns the number of honest versions. Afterwards the Capsule frees its stake by itself.
async fn audit(network: &Network, id: &str) -> Result<usize> {
    #[derive(Deserialize)]
    struct AuditReply {
        versions: Vec<serde::de::IgnoredAny>,
    }
    // The command fails if a version is not honest.
    let audited: AuditReply = network.scientist().call(&["campaign", "audit", id]).await?;
    Ok(audited.versions.len())
}

/// Lets every miner withdraw what the campaign owes them.
async fn withdraw(network: &Network, view: &CampaignView) -> Result<BTreeMap<Address, Amount>> {
    #[derive(Deserialize)]
    struct Withdrawals {
        withdrawals: Vec<Withdrawal>,
    }
    #[derive(Deserialize)]
    struct Withdrawal {
        amount: Amount,
        stake: bool,
    }
    let id = view.id.to_string();
    let mut taken = BTreeMap::new();
    for mine in network.mines() {
        if view.owed(mine.address) > Amount::ZERO {
            let made: Withdrawals = mine.program.call(&["withdraw", "--campaign", &id]).await?;
            let earned = made.withdrawals.iter().filter(|withdrawal| !withdrawal.stake);
            let amounts = earned.map(|withdrawal| withdrawal.amount);
            taken.insert(mine.address, amounts.fold(Amount::ZERO, Amount::saturating_add));
        }
    }
    Ok(taken)
}

/// A demo that has ended.
#[derive(Debug)]
pub struct FinishedDemo {
    /// Its report.
    pub report: DemoReport,
    /// Its network, if it is kept running.
    pub network: Option<Network>,
}

/// Runs the demo and writes its report.
///
/// # Errors
/// When any part of it fails; logs and homes are then kept.
pub async fn run(config: &DemoConfig) -> Result<FinishedDemo> {
    let mut story = Story::new(config.quiet);
    let prepared = DemoInputs::read(config)?;
    let out = std::path::absolute(&config.out).map_err(at(&config.out))?;
    let network_config =
        NetworkConfig { directory: out.clone(), data: prepared.data.clone(), rpc_port: 0, http_port: 0 };
    let mut network = Network::start(&network_config, |line| story.tell(line)).await?;
    let file = prepared.write(&out)?;
    let token = network.client().token(network.client().deployment().datacoin).await?;
    story.introduce(&network, token);
    let campaign = run_campaign(&mut network, &file, &mut story).await?;
    let measured = measure(config, &prepared, &network, &campaign).await;
    let public = save_public(&network, &campaign).await;
    let network = if config.keep {
        Some(network)
    } else {
        network.stop().await;
        None
    };
    public?;

    let model = out.join("model.safetensors");
    fs::rename(&campaign.model, &model).map_err(at(&model))?;
    fs::rename(&campaign.sealed, out.join("model.pgp")).map_err(at(&model))?;
    let mut report = measured?;
    report.model = model;
    report.seconds.total = story.seconds();
    report.save(&out.join("report.json")).map_err(at(&out))?;
    if network.is_none() {
        for part in ["homes", "chain"] {
            let path = out.join(part);
            fs::remove_dir_all(&path).map_err(at(&path))?;
        }
    }
    Ok(FinishedDemo { report, network })
}

/// Writes what others need to verify the delivered model: the manifest, and the Capsule's OpenPGP certificate.
async fn save_public(network: &Network, campaign: &Campaign) -> Result<()> {
    let out = network.directory();
    let manifest = network.manifest(campaign.followed.view.id).await?;
    let path = out.join("manifest.json");
    let text = serde_json::to_string_pretty(&manifest).map_err(io::Error::from);
    write(&path, &text.map_err(at(&path))?)?;
    write(&out.join("capsule.asc"), &network.capsule_certificate().await?)
}

/// Builds the report from chain, Mines, Capsule and the data scientist's own measurement.
///
/// # Errors
/// When one of them does not answer, or the training cannot be repeated without encryption.
pub async fn measure(
    config: &DemoConfig,
    prepared: &DemoInputs,
    network: &Network,
    campaign: &Campaign,
) -> Result<DemoReport> {
    let CampaignHistory { view, records } = &campaign.followed;
    let ledger = &campaign.ledger;
    let manifest = network.manifest(view.id).await?;
    let delivered = twin::delivered(&manifest, &prepared.embedding, &prepared.validation, &campaign.model)?;
    let updates = updates(network, view.id).await?;
    let (clear, encrypt_model, evaluate_per_update) = match manifest.method.linear() {
        Some(linear) => {
            let twin = Twin::new(&manifest, linear, &prepared.embedding, &prepared.validation)?;
            let (encrypt, evaluate) = twin.capsule_seconds(&prepared.data, view)?;
            let mines: Vec<Address> = network.mines().iter().map(|mine| mine.address).collect();
            let accuracy = twin.clear_accuracy(&prepared.data, &mines, view)?;
            (Some(accuracy), Some(encrypt), evaluate)
        }
        // Nothing is encrypted, so there is nothing to compare with.
        None => (None, None, twin::evaluation_seconds(&manifest, &*delivered, view)?),
    };
    Ok(DemoReport {
        dataset: config.dataset.clone(),
        regime: manifest.method.regime(),
        weights: manifest.method.weights(),
        split: config.split,
        mines: config.mines,
        campaign: view.id,
        warnings: campaign.warnings.clone(),
        audited_versions: campaign.audited,
        start_accuracy_ppm: twin::start_accuracy(view)?,
        target_accuracy_ppm: view.terms.target(),
        grid_ppm: view.terms.grid(),
        attested_accuracy_ppm: view.best_ppm,
        final_accuracy_ppm: delivered.accuracy(),
        clear_accuracy_ppm: clear,
        close_reason: view.reason,
        token: network.client().token(view.terms.token).await?,
        bounty: view.terms.bounty.into(),
        paid: ledger.paid.into(),
        owed: ledger.owed.into(),
        refunded: ledger.refunded.into(),
        deposited: ledger.deposited.into(),
        fee: ledger.fee.into(),
        payouts: payouts(view),
        miners: network.mines().iter().map(|mine| miner(mine, view)).collect(),
        windows: u32::try_from(view.settled.len()).unwrap_or(u32::MAX),
        leak_bits: leak_bits(&manifest, view)?,
        gas: gas(network, records).await?,
        bytes_down_per_mine: updates.bytes_down / network.mines().len().max(1) as u64,
        bytes_up_per_update: updates.bytes_up / updates.count,
        seconds: Seconds {
            total: 0.0,
            encrypt_model,
            train_per_update: updates.seconds / updates.count as f64,
            evaluate_per_update,
        },
        model: campaign.model.clone(),
    })
}

fn payouts(view: &CampaignView) -> Vec<Payout> {
    let submissions = view.settled.iter().flat_map(|window| &window.submissions);
    submissions
        .filter_map(|submission| {
            let award = submission.award?;
            Some(Payout {
                miner: submission.miner,
                submission: submission.content,
                accuracy_delta_ppm: award.delta_ppm,
                amount: award.amount,
            })
        })
        .collect()
}

fn miner(mine: &MineNode, view: &CampaignView) -> MinerReport {
    let submissions = view.settled.iter().flat_map(|window| &window.submissions);
    let own: Vec<_> = submissions.filter(|submission| submission.miner == mine.address).collect();
    let accepted = own.iter().filter(|submission| matches!(submission.outcome, Outcome::Accepted(_)));
    MinerReport {
        name: mine.name.clone(),
        address: mine.address,
        rows: mine.rows,
        submitted: own.len(),
        accepted: accepted.count(),
        earned: view.accounts.get(&mine.address).map_or(Amount::ZERO, |account| account.earned),
    }
}

/// Bits that the public verdicts of this number of evaluated submissions and accepts can carry, as in the Capsule's
/// leak meter.
fn leak_bits(manifest: &Manifest, view: &CampaignView) -> Result<f64> {
    let ladder = manifest.accuracy.ladder_from(twin::start_accuracy(view)?).map_err(TwinError::from)?;
    let evaluated: usize = view.settled.iter().map(|window| window.submissions.len()).sum();
    Ok(syft::budget::transcript_bits(evaluated as u64, view.accepts.into(), ladder.steps()))
}

async fn gas(network: &Network, records: &[Record]) -> Result<Gas> {
    let (mut open, mut submit, mut settle, mut evaluations) = (0, 0, 0, 0);
    for record in records {
        let used = async || -> Result<u64> {
            let charge = network.client().charge(record.at.transaction).await?;
            Ok(charge.ok_or(DemoError::Receipt(record.at.transaction))?.gas_used)
        };
        match &record.event {
            Event::Opened { .. } => open = used().await?,
            Event::Submitted { .. } => submit = used().await?.max(submit),
            Event::Settled { outcomes, .. } => {
                settle += used().await?;
                evaluations += outcomes.len() as u64;
            }
            _ => {}
        }
    }
    Ok(Gas { open, submit, settle_per_evaluation: settle / evaluations.max(1) })
}

/// What the Mines report about their updates.
#[derive(Debug, Default)]
struct Updates {
    count: u64,
    bytes_down: u64,
    bytes_up: u64,
    seconds: f64,
}

async fn updates(network: &Network, id: CampaignId) -> Result<Updates> {
    #[derive(Deserialize)]
    struct Status {
        updates: Vec<Update>,
    }
    #[derive(Deserialize)]
    struct Update {
        campaign: CampaignId,
        train_ms: u64,
        encrypt_ms: u64,
        bytes_down: u64,
        bytes_up: u64,
    }
    let mut sum = Updates::default();
    for mine in network.mines() {
        let status: Status = mine.program.call(&["status"]).await?;
        for update in status.updates.iter().filter(|update| update.campaign == id) {
            sum.count += 1;
            sum.bytes_down += update.bytes_down;
            sum.bytes_up += update.bytes_up;
            sum.seconds += (update.train_ms + update.encrypt_ms) as f64 / 1000.0;
        }
    }
    sum.count = sum.count.max(1);
    Ok(sum)
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(at(path))
}

/// Reads a CSV file, or the compressed file next to it.
fn read_table(path: &Path) -> Result<String> {
    let compressed = path.with_extension("csv.gz");
    if path.exists() || !compressed.exists() {
        return read(path);
    }
    let mut text = String::new();
    let file = fs::File::open(&compressed).map_err(at(&compressed))?;
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).map_err(at(&compressed))?;
    Ok(text)
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).map_err(at(path))
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> DemoError {
    let path = path.to_owned();
    move |source| DemoError::File { path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(mines: usize, regime: Option<Regime>) -> DemoConfig {
        DemoConfig {
            dataset: "breast-cancer".into(),
            data: Path::new(env!("CARGO_MANIFEST_DIR")).join("../data"),
            mines,
            split: Split::Iid,
            regime,
            network: None,
            features: None,
            backbone: None,
            target: None,
            out: PathBuf::new(),
            keep: false,
            quiet: true,
        }
    }

    #[test]
    fn a_silent_mine_costs_half_a_minute_where_others_need_seconds() {
        let seconds = |regime| {
            let prepared = DemoInputs::read(&config(2, regime)).unwrap();
            CampaignFile::parse(&prepared.campaign).unwrap().limits.window_seconds
        };
        assert_eq!([None, Some(Regime::Encrypted)].map(seconds), [Some(30), Some(30)]);
        assert_eq!(seconds(Some(Regime::Clear)), None);
    }

    #[test]
    fn a_network_without_mines_has_a_campaign_that_can_be_launched() {
        let prepared = DemoInputs::read(&config(0, None)).unwrap();
        assert!(prepared.data.is_empty());
        assert_eq!(CampaignFile::parse(&prepared.campaign).unwrap().limits.window, Some(1));
    }
}
