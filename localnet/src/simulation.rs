//! A simulation: any campaign file on a local network, with shares of a training file and virtual money.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Instant,
};

use alloy::primitives::Address;
use serde::Deserialize;
use sonar_contracts::{CloseReason, State};
use sonar_node::chain;
use sonar_protocol::{
    backbone::Embedding,
    bundle,
    campaign::{self, CampaignFile, CampaignFileError},
    data::{FitReport, Table, TableError, TableLimits, read_csv},
    ids::CampaignId,
    launch::LaunchError,
    projection::{SubmissionView, Verdict},
    simulation::{SimulatedMine, SimulatedStep, SimulationReport},
    units::{Amount, AmountError, TokenUnit},
    view::CampaignView,
};
use syft::Ppm;
use syft_nets::Model;

use crate::{
    demo::{self, DemoError},
    faucet::{Faucet, FaucetError, whole},
    follow::{CampaignFollower, FollowError, Goal},
    network::{Network, NetworkConfig, NetworkError},
    programs::CommandError,
    split::Split,
    story::Story,
};

/// Longest time in seconds from the first submission of a window of linear models until it closes: an update takes
/// seconds.
const WINDOW_SECONDS: i64 = 30;
/// Window size of a campaign file without one.
const USUAL_WINDOW: i64 = 8;
/// Most ETH that a bounty has here; a larger one is paid in DATA, of which there is more.
const MOST_ETH: u64 = 1_000;
/// Times of the terms that change nothing about the result, and for which nobody wants to wait or to be refused.
const TIMES: [&str; 4] = ["activation_seconds", "evaluation_seconds", "delivery_seconds", "audit_seconds"];

/// Why a simulation failed.
#[derive(Debug, thiserror::Error)]
pub enum SimulationError {
    /// The campaign file is invalid.
    #[error("{}: {source}", .path.display())]
    Campaign {
        /// The campaign file.
        path: PathBuf,
        /// What is wrong.
        source: CampaignFileError,
    },
    /// The campaign cannot be simulated.
    #[error("{}: {message}", .path.display())]
    Unsupported {
        /// The campaign file.
        path: PathBuf,
        /// Why, and what to do.
        message: String,
    },
    /// A file cannot be read.
    #[error("cannot read {}: {source}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The campaign would not be launched.
    #[error(transparent)]
    Launch(#[from] LaunchError),
    /// The training file is not a table.
    #[error("{}: {source}", .path.display())]
    Table {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: TableError,
    },
    /// The training file does not fit the campaign.
    #[error("{} does not fit the campaign:\n{source}", .path.display())]
    Misfit {
        /// The file.
        path: PathBuf,
        /// Every reason.
        source: FitReport,
    },
    /// The rows cannot be shared.
    #[error("{}: {message}", .path.display())]
    Split {
        /// The file.
        path: PathBuf,
        /// Why.
        message: String,
    },
    /// The bounty is not an amount.
    #[error("reward.bounty: {0}")]
    Bounty(#[from] AmountError),
    /// The network failed.
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
    /// The data scientist could not be funded.
    #[error(transparent)]
    Faucet(#[from] FaucetError),
    /// The campaign ended without a model.
    #[error("the campaign ended without a model: it is {state} ({reason})")]
    NoModel {
        /// Its state.
        state: State,
        /// The reason.
        reason: CloseReason,
    },
}

type Result<T> = std::result::Result<T, SimulationError>;

/// Settings of a simulation.
#[derive(Clone, Debug)]
pub struct SimulationConfig {
    /// The campaign file.
    pub campaign: PathBuf,
    /// The training file, whose rows are shared among the Mines.
    pub train: PathBuf,
    /// Number of Mines.
    pub mines: usize,
    /// How the rows are shared.
    pub split: Split,
}

/// A campaign that can be launched on a local network.
#[derive(Debug)]
pub struct Simulation {
    config: SimulationConfig,
    file: CampaignFile,
    /// The adapted campaign file.
    text: String,
    data: Vec<String>,
    bounty: Amount,
    in_eth: bool,
    assumptions: Vec<String>,
}

impl Simulation {
    /// Reads everything, and refuses what could not be launched or trained on before anything is started.
    ///
    /// # Errors
    /// Names the file and what is wrong with it.
    pub fn read(config: SimulationConfig) -> Result<Self> {
        let path = std::path::absolute(&config.campaign).map_err(unreadable(&config.campaign))?;
        let unsupported = |message: String| SimulationError::Unsupported { path: path.clone(), message };
        let text =
            String::from_utf8(read(&path, campaign::MAX_BYTES)?).map_err(|error| unsupported(error.to_string()))?;
        let invalid = |source| SimulationError::Campaign { path: path.clone(), source };
        let file = CampaignFile::parse(&text).map_err(invalid)?;
        if let Some(parent) = file.model.initial_campaign() {
            return Err(unsupported(format!(
                "model.initial names campaign {parent}, which is not on a local network: write its result to a file with \
                 `sonar campaign result {}`, and name that file for the simulation, with that campaign's validation set, \
                 features and seed, from which the model's constants follow",
                parent.short()
            )));
        }
        let mut adapted: toml::Table = text.parse().map_err(|error: toml::de::Error| unsupported(error.to_string()))?;
        let bounty = TokenUnit::eth().parse(&file.reward.bounty)?;
        let in_eth = file.reward.token == "ETH" && bounty <= whole(MOST_ETH);
        let assumptions = adapt(&mut adapted, &path, &file, in_eth, config.mines).map_err(&unsupported)?;
        let text = adapted.to_string();
        plan(&path, &text, &file)?;
        let data = shares(&config, &file)?;
        Ok(Self { config, file, text, data, bounty, in_eth, assumptions })
    }

    /// Runs the campaign in this directory from launch to delivery.
    ///
    /// # Errors
    /// When a program fails, or the campaign makes no progress.
    pub async fn run(&self, directory: &Path, story: &mut Story) -> Result<SimulationReport> {
        let network_config =
            NetworkConfig { directory: directory.to_owned(), data: self.data.clone(), rpc_port: 0, http_port: 0 };
        let mut network = Network::start(&network_config, |line| story.tell(line)).await?;
        self.fund(&network).await?;
        let file = network.directory().join("campaign.toml");
        fs::write(&file, &self.text).map_err(unreadable(&file))?;
        let report = self.campaign(&mut network, &file, story).await;
        network.stop().await;
        report
    }

    /// Gives the data scientist bounty and fee.
    async fn fund(&self, network: &Network) -> Result<()> {
        let (faucet, datacoin) = Faucet::of(network.directory()).await?;
        // The local Capsule takes a fee of one hundredth.
        let deposit = self.bounty.saturating_add(self.bounty);
        if self.in_eth {
            faucet.give_eth(network.owner(), deposit).await?;
        } else {
            faucet.give_token(datacoin, network.owner(), deposit).await?;
        }
        Ok(())
    }

    async fn campaign(&self, network: &mut Network, file: &Path, story: &mut Story) -> Result<SimulationReport> {
        #[derive(Deserialize)]
        struct Launched {
            id: CampaignId,
        }
        #[derive(Deserialize)]
        struct Measured {
            final_accuracy_ppm: Ppm,
        }
        let started = Instant::now();
        let token =
            if self.in_eth { TokenUnit::eth() } else { TokenUnit { symbol: "DATA".into(), ..TokenUnit::eth() } };
        story.introduce(network, token.clone());
        let launched: Launched = network.scientist().call(&["campaign", "launch", &file.display().to_string()]).await?;
        let mut follower = CampaignFollower::new(network, launched.id);
        let view = follower.until(Goal::Delivered, network, story).await?.view;
        if view.result.is_none() {
            return Err(SimulationError::NoModel { state: view.state, reason: view.reason });
        }
        let model = network.directory().join("model.safetensors").display().to_string();
        let result = ["campaign", "result", &launched.id.to_string(), "--out", &model];
        let measured: Measured = network.scientist().call(&result).await?;
        let seconds = started.elapsed().as_secs_f64();
        Ok(self.report(network, &view, measured.final_accuracy_ppm, token, seconds))
    }

    fn report(
        &self,
        network: &Network,
        view: &CampaignView,
        final_ppm: Ppm,
        token: TokenUnit,
        seconds: f64,
    ) -> SimulationReport {
        let name = |address: Address| {
            let mine = network.mines().iter().find(|mine| mine.address == address);
            mine.map_or_else(|| address.to_string(), |mine| mine.name.clone())
        };
        let steps = SubmissionView::all(view).filter_map(|submission| match submission.verdict {
            Verdict::Accepted { best_ppm, delta_ppm, amount } => Some(SimulatedStep {
                number: submission.number,
                mine: name(submission.miner),
                best_ppm,
                delta_ppm,
                amount,
            }),
            _ => None,
        });
        let mines = network.mines().iter().map(|mine| {
            let account = view.accounts.get(&mine.address).copied().unwrap_or_default();
            SimulatedMine {
                name: mine.name.clone(),
                rows: mine.rows,
                submitted: account.submitted,
                accepted: account.accepted,
                earned: account.earned,
            }
        });
        SimulationReport {
            name: self.file.name.clone(),
            regime: self.file.model.regime,
            split: self.config.split.name().into(),
            start_ppm: view.start_ppm.unwrap_or(Ppm::ZERO),
            target_ppm: view.terms.target(),
            best_ppm: view.best_ppm,
            final_ppm,
            close_reason: view.reason,
            token,
            bounty: view.terms.bounty.into(),
            awarded: view.awarded,
            returned: Amount::from(view.terms.bounty).saturating_sub(view.awarded),
            submissions: view.submissions,
            accepts: view.accepts,
            windows: u32::try_from(view.settled.len()).unwrap_or(u32::MAX),
            steps: steps.collect(),
            mines: mines.collect(),
            seconds,
            assumptions: self.assumptions.clone(),
            kept: None,
        }
    }
}

/// Adapts a campaign file to a local network; returns the differences that matter.
fn adapt(
    text: &mut toml::Table,
    path: &Path,
    file: &CampaignFile,
    in_eth: bool,
    mines: usize,
) -> std::result::Result<Vec<String>, String> {
    let mut assumptions = vec![
        "the Mines serve every campaign and set no privacy budget; real owners may refuse, or add noise (see `sonar \
         campaign explain`)"
            .into(),
    ];
    // The adapted file lies elsewhere.
    let absolute = |name: &Path| path.parent().unwrap_or(Path::new("")).join(name).display().to_string();
    demo::set(text, "validation", "file", absolute(&file.validation.file))?;
    if let Some(initial) = file.model.initial_file() {
        demo::set(text, "model", "initial", absolute(initial))?;
    }
    if let Some(backbone) = &file.model.backbone {
        demo::set(text, "model", "backbone", absolute(backbone))?;
    }
    text.remove("capsule");
    if !in_eth && file.reward.token != "DATA" {
        demo::set(text, "reward", "token", "DATA")?;
        assumptions.push(format!("amounts are in DATA instead of {}", file.reward.token));
    }
    let window = file.limits.window.map_or(USUAL_WINDOW, i64::from);
    let filled = window.min(i64::try_from(mines).map_err(|_| "too many Mines")?);
    if filled < window {
        assumptions.push(format!(
            "a window is full after {filled} submissions instead of {window}, because there are {mines} Mines"
        ));
    }
    demo::set(text, "limits", "window", filled)?;
    if !file.model.regime.is_public() {
        let seconds = file.limits.window_seconds.map_or(WINDOW_SECONDS, i64::from);
        demo::set(text, "limits", "window_seconds", seconds.min(WINDOW_SECONDS))?;
    }
    if let Some(limits) = text.get_mut("limits").and_then(toml::Value::as_table_mut) {
        limits.retain(|key, _| !TIMES.contains(&key));
    }
    Ok(assumptions)
}

/// Plans the launch, which is refused for the same reasons as the real one.
fn plan(path: &Path, text: &str, file: &CampaignFile) -> Result<()> {
    let beside = |name: &Path| path.parent().unwrap_or(Path::new("")).join(name);
    let validation = beside(&file.validation.file);
    let validation = read(&validation, bundle::validation_limits().bytes)?;
    let initial =
        file.model.initial_file().map(|name| read(&beside(name), bundle::validation_limits().bytes)).transpose()?;
    let embedding = match &file.model.backbone {
        Some(name) => {
            let model = Model::from_described(&read(&beside(name), sonar_protocol::limits::RESULT as u64)?);
            let unusable = |error: syft_nets::ModelError| SimulationError::Unsupported {
                path: beside(name),
                message: error.to_string(),
            };
            Embedding::of(model.map_err(unusable)?)
        }
        None => Embedding::none(),
    };
    match demo::trial_plan(text, validation, initial, &embedding) {
        Ok(_) => Ok(()),
        Err(DemoError::Launch(error)) => Err(error.into()),
        Err(error) => Err(SimulationError::Unsupported { path: path.to_owned(), message: error.to_string() }),
    }
}

/// The rows of each Mine as CSV.
fn shares(config: &SimulationConfig, file: &CampaignFile) -> Result<Vec<String>> {
    let path = &config.train;
    let limits = TableLimits::default();
    let bytes = read(path, limits.bytes)?;
    let table =
        read_csv(bytes.as_slice(), &limits).map_err(|source| SimulationError::Table { path: path.clone(), source })?;
    let schema = file.schema();
    schema.fit(&table).map_err(|source| SimulationError::Misfit { path: path.clone(), source })?;
    let place = table.columns().iter().position(|name| *name == schema.target).unwrap_or_default();
    let labels: Vec<&str> = (0..table.rows()).map(|row| table.cell(row, place)).collect();
    let rows = config.split.owners(&labels, config.mines);
    let rows = rows.map_err(|message| SimulationError::Split { path: path.clone(), message })?;
    Ok(rows.iter().map(|rows| csv(&table, rows)).collect())
}

/// Some rows of a table as CSV.
fn csv(table: &Table, rows: &[usize]) -> String {
    let cell = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    let line = |cells: Vec<String>| cells.join(",") + "\n";
    let header = line(table.columns().iter().map(|name| cell(name)).collect());
    let columns = 0..table.columns().len();
    rows.iter()
        .fold(header, |text, row| text + &line(columns.clone().map(|column| cell(table.cell(*row, column))).collect()))
}

fn read(path: &Path, most: u64) -> Result<Vec<u8>> {
    sonar_node::files::read_limited(path, most)
        .map_err(|error| SimulationError::File { path: error.path, source: error.source })
}

fn unreadable(path: &Path) -> impl FnOnce(std::io::Error) -> SimulationError {
    let path = path.to_owned();
    move |source| SimulationError::File { path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../data")
    }

    fn config(campaign: PathBuf, train: &str) -> SimulationConfig {
        SimulationConfig { campaign, train: data().join(train), mines: 3, split: Split::ByLabel }
    }

    #[test]
    fn any_campaign_file_is_adapted_without_changing_what_is_paid_for() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("own.toml");
        let text = fs::read_to_string(data().join("breast-cancer.toml")).unwrap();
        let mut table: toml::Table = text.parse().unwrap();
        demo::set(&mut table, "limits", "evaluation_seconds", 7).unwrap();
        demo::set(&mut table, "reward", "token", "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed").unwrap();
        table.insert("capsule".into(), "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed".into());
        fs::copy(data().join("breast-cancer-validation.csv"), directory.path().join("breast-cancer-validation.csv"))
            .unwrap();
        fs::write(&path, table.to_string()).unwrap();

        let simulation = Simulation::read(config(path, "breast-cancer-train.csv")).unwrap();
        let (adapted, own) = (CampaignFile::parse(&simulation.text).unwrap(), &simulation.file);
        assert_eq!((&adapted.accuracy, &adapted.reward.bounty), (&own.accuracy, &own.reward.bounty));
        assert_eq!((adapted.reward.token.as_str(), adapted.capsule), ("DATA", None));
        assert_eq!((adapted.limits.window, adapted.limits.evaluation_seconds), (Some(3), None));
        assert!(adapted.validation.file.is_absolute() && adapted.validation.file.exists());
        assert_eq!(simulation.data.len(), 3);
        let notes = simulation.assumptions.join("\n");
        assert!(notes.contains("DATA instead of 0x5aAe") && notes.contains("3 submissions instead of 8"), "{notes}");
        // Every share fits, and together they are the file.
        let limits = TableLimits::default();
        let tables = simulation.data.iter().map(|csv| read_csv(csv.as_bytes(), &limits).unwrap());
        let rows: usize = tables.map(|table| own.schema().fit(&table).unwrap().len()).sum();
        let all = read_csv(fs::read(data().join("breast-cancer-train.csv")).unwrap().as_slice(), &limits).unwrap();
        assert_eq!(rows, all.rows());
    }

    #[test]
    fn what_cannot_be_simulated_is_refused_before_anything_starts() {
        let refusal = |config| Simulation::read(config).unwrap_err().to_string();
        let own = data().join("breast-cancer.toml");
        let other = refusal(config(own.clone(), "diabetes-train.csv"));
        assert!(other.contains("diabetes-train.csv does not fit the campaign"), "{other}");
        let missing = refusal(config(own.clone(), "nowhere.csv"));
        assert!(missing.contains("nowhere.csv"), "{missing}");
        let many = refusal(SimulationConfig { mines: 1_000, ..config(own, "breast-cancer-train.csv") });
        assert!(many.contains("1000 Mines"), "{many}");

        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("own.toml");
        let with = |from: &str, to: &str| {
            let text = fs::read_to_string(data().join("breast-cancer.toml")).unwrap();
            assert!(text.contains(from), "{from}");
            let text = text.replace(
                "breast-cancer-validation.csv",
                &data().join("breast-cancer-validation.csv").display().to_string(),
            );
            fs::write(&path, text.replacen(from, to, 1)).unwrap();
            refusal(config(path.clone(), "breast-cancer-train.csv"))
        };
        assert!(with("deadline", "dead_line").contains("dead_line"));
        let id = CampaignId::from([7; 32]);
        let parent = with("[model]", &format!("[model]\ninitial = \"campaign:{id}\""));
        assert!(parent.contains("sonar campaign result 0x07070707"), "{parent}");
        fs::remove_dir_all(directory.path()).unwrap();
    }
}
