//! The campaign file, in which a data scientist describes a campaign.

use std::{
    path::{Path, PathBuf},
    str::FromStr,
};

use alloy::primitives::Address;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{DeserializeOwned, Error as _},
};
use sonar_contracts::address;
use syft::{FeatureKind, Image, Metric, Ppm, SeedIndex, Task};
use syft_nets::NetworkKind;

use crate::{
    data::{Input, MAX_COLUMNS, Range, Schema, SchemaError},
    ids::CampaignId,
    organisation::{Organisation, OrganisationError},
    regime::Regime,
    text::TextError,
    units::{Amount, Timestamp, TokenUnit},
};

mod parse;
pub mod template;

/// Size limit of a campaign file in bytes.
pub const MAX_BYTES: u64 = 1 << 20;

/// The content of a campaign file.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CampaignFile {
    /// The campaign's name.
    pub name: String,
    /// Description.
    #[serde(default)]
    pub description: String,
    /// The organisation behind the campaign, as its owner names it: shown as unverified.
    pub organisation: Option<Organisation>,
    /// The task: what the model predicts.
    pub task: TaskTable,
    /// The columns that the model reads, in the model's order.
    pub inputs: InputsTable,
    /// The validation set.
    pub validation: ValidationTable,
    /// The model.
    #[serde(default)]
    pub model: ModelTable,
    /// Training parameters; the family defines the keys.
    pub training: Option<toml::Table>,
    /// The bounty.
    pub reward: RewardTable,
    /// How accuracy is measured and paid.
    pub accuracy: AccuracyTable,
    /// Limits.
    #[serde(default)]
    pub limits: LimitsTable,
    /// Deadline.
    pub deadline: Deadline,
    /// How updates are combined.
    #[serde(default)]
    pub mode: Mode,
    /// The operator of the Capsule (default: the cheapest registered one).
    #[serde(default, deserialize_with = "address::deserialize_option")]
    pub capsule: Option<Address>,
}

/// `inputs`: a list of columns, or an image.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged, expecting = "expected a list of columns, or an image with columns, height, width, min and max")]
pub enum InputsTable {
    /// Columns by name.
    Columns(Vec<Input>),
    /// An image: one column per pixel.
    Image(ImageTable),
}

/// An image, whose pixels are columns of the same range.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageTable {
    /// The columns' names: `pixel_{row}_{column}`, counted from 0; `{channel}` too if there are several.
    pub columns: String,
    /// Height in pixels.
    pub height: usize,
    /// Width in pixels.
    pub width: usize,
    /// Number of channels per pixel.
    #[serde(default = "one")]
    pub channels: usize,
    /// Minimum.
    pub min: f64,
    /// Maximum.
    pub max: f64,
}

const fn one() -> usize {
    1
}

impl ImageTable {
    const fn image(&self) -> Image {
        Image { height: self.height, width: self.width, channels: self.channels }
    }

    /// The columns; empty if there are more than a schema can have.
    fn inputs(&self) -> Vec<Input> {
        if self.image().columns() > MAX_COLUMNS {
            return Vec::new();
        }
        let numbers = (0..self.height)
            .flat_map(|row| (0..self.width).map(move |column| (row, column)))
            .flat_map(|(row, column)| (0..self.channels).map(move |channel| (row, column, channel)));
        let name = |(row, column, channel): (usize, usize, usize)| {
            let name = self.columns.replace("{row}", &row.to_string()).replace("{column}", &column.to_string());
            name.replace("{channel}", &channel.to_string())
        };
        numbers.map(|number| Input { name: name(number), min: self.min, max: self.max }).collect()
    }
}

/// `[task]`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum TaskTable {
    /// Classification into named classes.
    Classification {
        /// Name of the column with the class.
        target: String,
        /// The classes.
        classes: Vec<String>,
        /// Metric (default: share of correct answers).
        #[serde(default = "accuracy")]
        metric: Metric,
    },
    /// Regression of a number.
    Regression {
        /// Name of the column with the number.
        target: String,
        /// Minimum.
        min: f64,
        /// Maximum.
        max: f64,
        /// Metric (default: share of explained variance).
        #[serde(default = "r2")]
        metric: Metric,
    },
}

fn accuracy() -> Metric {
    Metric::Accuracy
}

fn r2() -> Metric {
    Metric::R2
}

/// `[validation]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValidationTable {
    /// Path of a CSV file, relative to the campaign file.
    pub file: PathBuf,
}

/// `[model]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelTable {
    /// Regime.
    #[serde(default)]
    pub regime: Regime,
    /// Family of the model (default: the first of the regime).
    pub family: Option<String>,
    /// Feature map of a linear model: `identity`, `polynomial`, `random-relu:N` or `random-conv:N` (default: chosen for
    /// the data).
    #[serde(default, deserialize_with = "parsed")]
    pub features: Option<FeatureKind>,
    /// Network: such as `mlp:64,32` or `cnn:16,32` (default: chosen for the data).
    #[serde(default, deserialize_with = "parsed")]
    pub network: Option<NetworkKind>,
    /// Path of the backbone, relative to the campaign file: a public network as safetensors with its description, whose
    /// activations a linear model reads instead of raw columns.
    pub backbone: Option<PathBuf>,
    /// Index of the seed of random features, or of a network's initial weights, 0 to 15 (default: random).
    pub seed: Option<SeedIndex>,
    /// The starting model (default: a model that gives the same output for every row).
    pub initial: Option<InitialModel>,
}

impl ModelTable {
    /// Path of the starting model, if it is a file.
    #[must_use]
    pub fn initial_file(&self) -> Option<&Path> {
        if let Some(InitialModel::File(path)) = &self.initial { Some(path) } else { None }
    }

    /// The campaign whose result is the starting model, if it is one.
    #[must_use]
    pub const fn initial_campaign(&self) -> Option<CampaignId> {
        if let Some(InitialModel::Campaign(id)) = self.initial { Some(id) } else { None }
    }
}

/// A starting model that the data scientist provides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InitialModel {
    /// A safetensors file, by its path relative to the campaign file.
    File(PathBuf),
    /// The result of an earlier campaign of the same owner, written as `campaign:0x…`.
    Campaign(CampaignId),
}

impl<'de> Deserialize<'de> for InitialModel {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.strip_prefix("campaign:") {
            Some(id) => id.parse().map(Self::Campaign).map_err(D::Error::custom),
            None => Ok(Self::File(text.into())),
        }
    }
}

/// How updates are combined.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Each update is evaluated on the best model so far, in chain order.
    #[default]
    Sequential,
}

/// `[reward]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RewardTable {
    /// The bounty in whole tokens; a string, so that it is exact.
    #[serde(deserialize_with = "amount")]
    pub bounty: String,
    /// `ETH`, `DATA`, or the address of an ERC-20.
    #[serde(default = "eth")]
    pub token: String,
}

fn eth() -> String {
    "ETH".into()
}

/// `[accuracy]`: fractions of one.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccuracyTable {
    /// Claimed accuracy of the starting model (default: as measured by the launch).
    #[serde(default, deserialize_with = "some_fraction")]
    pub start: Option<Ppm>,
    /// Target accuracy that pays the full bounty.
    #[serde(default = "all", deserialize_with = "fraction")]
    pub target: Ppm,
    /// Accuracy grid: step in which accuracies are published and paid (default: the finest that target and validation
    /// set allow).
    #[serde(default, deserialize_with = "some_fraction")]
    pub grid: Option<Ppm>,
    /// Tolerance: maximum difference of the measured starting accuracy from the claim.
    #[serde(default = "two_percent", deserialize_with = "fraction")]
    pub tolerance: Ppm,
}

fn all() -> Ppm {
    Ppm::ONE
}

fn two_percent() -> Ppm {
    Ppm::of(2, 100)
}

fn fraction<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Ppm, D::Error> {
    let value = f64::deserialize(deserializer)?;
    if (0.0..=1.0).contains(&value) {
        // Rounded to the nearest, because decimal fractions are not exact in binary: rounding down would turn 0.5185
        // into 518,499 ppm.
        Ppm::new((value * 1e6).round() as u32).map_err(D::Error::custom)
    } else {
        Err(D::Error::custom(format!("{value} is not a fraction between 0 and 1")))
    }
}

/// An amount, as a string: TOML numbers are not exact.
fn amount<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    match toml::Value::deserialize(deserializer)? {
        toml::Value::String(text) => Ok(text),
        other => Err(D::Error::custom(format!(
            "`{other}` is not an amount: write a decimal number in quotes, such as \"1000\" or \"12.5\""
        ))),
    }
}

fn wei<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Amount>, D::Error> {
    TokenUnit::eth().parse(&amount(deserializer)?).map(Some).map_err(D::Error::custom)
}

fn parsed<'de, D: Deserializer<'de>, T: FromStr<Err = String>>(deserializer: D) -> Result<Option<T>, D::Error> {
    String::deserialize(deserializer)?.parse().map(Some).map_err(D::Error::custom)
}

fn some_fraction<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Ppm>, D::Error> {
    fraction(deserializer).map(Some)
}

/// `[limits]`; all keys are optional.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsTable {
    /// Maximum number of submissions.
    pub submissions: Option<u32>,
    /// Maximum number of accepted submissions.
    pub accepts: Option<u16>,
    /// Number of submissions that fill a window.
    pub window: Option<u16>,
    /// Time in seconds from the first submission of a window until it closes.
    pub window_seconds: Option<u32>,
    /// Maximum number of submissions of one miner per version.
    pub cap_per_version: Option<u16>,
    /// Stake that a miner deposits with a submission, in ETH.
    #[serde(deserialize_with = "wei")]
    pub submission_stake: Option<Amount>,
    /// Time limit in seconds for the Capsule to activate the campaign.
    pub activation_seconds: Option<u32>,
    /// Time limit in seconds for the Capsule to settle a closed window.
    pub evaluation_seconds: Option<u32>,
    /// Time limit in seconds for the Capsule to deliver after the campaign has closed.
    pub delivery_seconds: Option<u32>,
    /// Audit period in seconds: how long the Capsule's stake stays locked after the delivery.
    pub audit_seconds: Option<u32>,
}

/// A deadline: a time, or a duration from the launch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deadline {
    /// Seconds after the launch.
    After(u64),
    /// At this time.
    At(Timestamp),
}

impl Deadline {
    /// The deadline of a launch at this time.
    #[must_use]
    pub fn from(self, now: Timestamp) -> Timestamp {
        match self {
            Self::After(seconds) => now.plus(seconds),
            Self::At(time) => time,
        }
    }
}

impl<'de> Deserialize<'de> for Deadline {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if let Ok(time) = text.parse::<jiff::Timestamp>() {
            // A time before 1970 is in the past, which the launch refuses.
            return Ok(Self::At(Timestamp::from_unix(u64::try_from(time.as_second()).unwrap_or(0))));
        }
        let span = text.parse::<jiff::Span>().ok();
        let days = jiff::SpanRelativeTo::days_are_24_hours();
        let seconds = span.and_then(|span| span.to_duration(days).ok()).map(|time| time.as_secs());
        seconds.and_then(|seconds| u64::try_from(seconds).ok()).map(Self::After).ok_or_else(|| {
            D::Error::custom(format!(
                "`{text}` is neither a duration such as 2d nor a time such as 2030-01-31T12:00:00Z"
            ))
        })
    }
}

/// Why a campaign file cannot be used.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum CampaignFileError {
    /// It is not TOML, or has an unknown field or a wrong type.
    #[error("line {line}, column {column}: {message}")]
    Toml {
        /// Line.
        line: usize,
        /// Column.
        column: usize,
        /// What is wrong.
        message: String,
    },
    /// A text has a control character.
    #[error(transparent)]
    Text(#[from] TextError),
    /// The organisation is invalid.
    #[error(transparent)]
    Organisation(#[from] OrganisationError),
    /// The schema is invalid.
    #[error("{0}")]
    Schema(#[from] SchemaError),
    /// A setting does not fit the regime or the data.
    #[error("{field}: {message}")]
    Model {
        /// The field.
        field: &'static str,
        /// What is wrong, and what to do.
        message: String,
    },
}

impl CampaignFileError {
    /// Creates the error for a setting of the model.
    pub(crate) fn model(field: &'static str, message: impl Into<String>) -> Self {
        Self::Model { field, message: message.into() }
    }
}

impl CampaignFile {
    /// The schema of the data.
    #[must_use]
    pub fn schema(&self) -> Schema {
        let (target, task, range) = match &self.task {
            TaskTable::Classification { target, classes, .. } => {
                let classes = classes.clone();
                (target, Task::Classification { classes }, None)
            }
            TaskTable::Regression { target, min, max, .. } => {
                let range = Range { min: *min, max: *max };
                (target, Task::Regression, Some(range))
            }
        };
        let inputs = match &self.inputs {
            InputsTable::Columns(inputs) => inputs.clone(),
            InputsTable::Image(image) => image.inputs(),
        };
        Schema { inputs, target: target.clone(), task, range }
    }

    /// Parses the `[training]` table as the type of a family.
    ///
    /// # Errors
    /// Names the invalid key.
    pub fn training<T: DeserializeOwned>(&self) -> Result<Option<T>, CampaignFileError> {
        let read = |table: &toml::Table| table.clone().try_into();
        let read = self.training.as_ref().map(read).transpose();
        read.map_err(|error: toml::de::Error| CampaignFileError::model("training", error.message()))
    }

    /// The image, if the inputs are an image.
    #[must_use]
    pub fn image(&self) -> Option<Image> {
        match &self.inputs {
            InputsTable::Columns(_) => None,
            InputsTable::Image(image) => Some(image.image()),
        }
    }

    /// The metric.
    #[must_use]
    pub fn metric(&self) -> Metric {
        match self.task {
            TaskTable::Classification { metric, .. } | TaskTable::Regression { metric, .. } => metric,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A small valid campaign.
    pub(crate) const TEXT: &str = r#"
name = "test"
deadline = "2d"
inputs = [{ name = "a", min = 0, max = 10 }, { name = "b", min = 0, max = 1.5 }]
[task]
kind = "classification"
target = "y"
classes = ["no", "yes"]
[validation]
file = "validation.csv"
[reward]
bounty = "12.5"
[accuracy]
start = 0.1
target = 0.9
"#;

    fn refusal(from: &str, to: &str) -> String {
        CampaignFile::parse(&TEXT.replace(from, to)).unwrap_err().to_string()
    }

    #[test]
    fn what_is_not_said_has_a_default() {
        let file = CampaignFile::parse(TEXT).unwrap();
        assert_eq!(file.metric(), Metric::Accuracy);
        assert_eq!(file.accuracy.tolerance.get(), 20_000);
        assert_eq!(file.accuracy.grid, None);
        let now = Timestamp::from_unix(1_000);
        assert_eq!(file.deadline.from(now).since(now), 2 * 86_400);
        assert_eq!(file.reward.token, "ETH");
        assert_eq!(file.schema().ranges(), [(0.0, 10.0), (0.0, 1.5)]);
    }

    #[test]
    fn a_decimal_fraction_is_read_exactly() {
        for (text, ppm) in [("0.5185", 518_500), ("0.0157", 15_700), ("0.933352", 933_352), ("0.9999999", 1_000_000)] {
            let file = CampaignFile::parse(&TEXT.replace("target = 0.9", &format!("target = {text}"))).unwrap();
            assert_eq!(file.accuracy.target.get(), ppm, "{text}");
        }
    }

    #[test]
    fn the_starting_accuracy_may_be_left_out() {
        assert_eq!(CampaignFile::parse(TEXT).unwrap().accuracy.start, Some(Ppm::of(1, 10)));
        assert_eq!(CampaignFile::parse(&TEXT.replace("start = 0.1\n", "")).unwrap().accuracy.start, None);
        assert!(refusal("start = 0.1", "start = -0.1").contains("fraction"));
    }

    #[test]
    fn what_is_not_understood_is_named_with_its_place() {
        let unknown = refusal("bounty = ", "bonty = \"1\"\nbounty = ");
        assert!(unknown.starts_with("line 12, column 1") && unknown.contains("bonty"), "{unknown}");
        assert!(refusal("0.9", "1.9").contains("fraction"));
        assert!(refusal("\"2d\"", "\"soon\"").contains("soon"));
        assert!(refusal("\"yes\"]", "\"no\"]").contains("two different classes"));
        assert!(refusal("min = 0, max = 10", "min = 10, max = 0").contains("range of `a`"));
        let stake = |text: &str| refusal("target = 0.9", &format!("target = 0.9\n[limits]\nsubmission_stake = {text}"));
        assert!(stake("\"5 DATA\"").contains("expected token ETH"));
        assert!(stake("0.0005").contains("`0.0005` is not an amount: write a decimal number in quotes"));
        assert!(stake("\"1,000\"").contains("write a decimal number such as 1000 or 12.5"));
        assert!(refusal("\"12.5\"", "1_000").contains("`1000` is not an amount: write a decimal number in quotes"));
        assert!(refusal("classification", "clustering").contains("clustering"));
    }

    #[test]
    fn texts_that_terminals_obey_are_refused_with_their_place() {
        let name = refusal("\"test\"", r#""Nice\u001B[2J""#);
        assert_eq!(name, "`name` contains the invisible character U+001B: remove it");
        assert!(refusal("\"test\"", r#""pay \u202Eevil\u202C""#).contains("U+202E"));
        assert!(refusal("\"test\"", r#""two\nlines""#).contains("U+000A"));
        let description = "\"test\"\ndescription = \"\"\"two\nlines\"\"\"";
        CampaignFile::parse(&TEXT.replace("\"test\"", description)).unwrap();
        assert!(refusal("\"test\"", "\"test\"\ndescription = \"\\u0007\"").starts_with("`description` contains"));
        assert!(refusal("name = \"b\"", r#"name = "b\u001B[31m""#).starts_with("the name of input 2"));
        assert!(refusal("\"yes\"]", r#""\u001B[31mred"]"#).starts_with("the name of class 2"));
    }

    #[test]
    fn an_organisation_is_checked() {
        let with = |text: &str| CampaignFile::parse(&format!("{TEXT}[organisation]\n{text}"));
        let named = with("name = \"Clinic\"\nlink = \"https://clinic.example\"").unwrap().organisation.unwrap();
        assert_eq!((named.name.as_str(), named.link.as_deref()), ("Clinic", Some("https://clinic.example")));
        assert_eq!(with("name = \"Clinic\"").unwrap().organisation.unwrap().link, None);
        assert_eq!(CampaignFile::parse(TEXT).unwrap().organisation, None);
        let refusal = |text: &str| with(text).unwrap_err().to_string();
        assert!(refusal("name = \"Clinic\"\nlink = \"javascript:x\"").starts_with("organisation.link"));
        assert!(refusal("name = \"\"").starts_with("organisation.name"));
        assert!(refusal("name = \"Clinic\"\nlogo = \"x\"").contains("logo"));
    }

    #[test]
    fn a_starting_model_is_a_file_or_a_campaign() {
        let initial = |text: &str| CampaignFile::parse(&format!("{TEXT}[model]\ninitial = \"{text}\""));
        let file = initial("models/start.safetensors").unwrap().model;
        assert_eq!(file.initial_file(), Some(Path::new("models/start.safetensors")));
        assert_eq!(file.initial_campaign(), None);
        let id = CampaignId::from([0xAB; 32]);
        let campaign = initial(&format!("campaign:{id}")).unwrap().model;
        assert_eq!((campaign.initial_file(), campaign.initial_campaign()), (None, Some(id)));
        let short = initial("campaign:0xabab").unwrap_err().to_string();
        assert!(short.contains("line 17") && short.contains("0xabab"), "{short}");
    }

    #[test]
    fn a_mistyped_address_is_refused() {
        let good = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";
        let with = |capsule: &str| TEXT.replace("\"test\"", &format!("\"test\"\ncapsule = \"{capsule}\""));
        assert_eq!(CampaignFile::parse(&with(good)).unwrap().capsule.unwrap().to_checksum(None), good);
        let wrong = CampaignFile::parse(&with(&good.replacen("6053", "6063", 1))).unwrap_err().to_string();
        assert!(wrong.starts_with("line 3, column") && wrong.contains("checksum"), "{wrong}");
        assert!(CampaignFile::parse(&with(&good[2..])).is_err());
    }

    #[test]
    fn what_does_not_go_with_the_regime_is_refused_with_the_reason() {
        let read = |text: &str| CampaignFile::parse(&format!("{TEXT}[model]\n{text}"));
        let refusal = |text: &str| read(text).unwrap_err().to_string();
        let sealed = |text: &str| refusal(&format!("regime = \"clear\"\n{text}"));
        let features = sealed("features = \"random-relu:512\"");
        assert!(features.starts_with("model.features: `random-relu:512` is for linear models"), "{features}");
        assert!(sealed("network = \"cnn:8\"").contains("needs an image"));
        assert!(sealed("family = \"linear\"").contains("model.family"));
        assert!(sealed("backbone = \"b.safetensors\"").contains("model.initial"));
        let image = refusal("features = \"random-conv:64\"");
        assert!(image.starts_with("model.features: `random-conv:64` needs an image"), "{image}");
        assert!(sealed("[training]\nrule = \"proximal\"\nrho = 1").contains("training.rule"));
        assert!(sealed("[training]\nepoch = 1").contains("epoch"));
        assert!(sealed("network = \"rnn:8\"").contains("mlp:64,32"));
        let network = refusal("network = \"mlp:8\"");
        assert!(network.starts_with("model.network: `mlp:8` cannot be trained on ciphertexts"), "{network}");
        assert!(refusal("family = \"network\"").contains("model.family"));
        assert!(refusal("[training]\nepochs = 1").contains("needs a rule"));
        let good = "regime = \"clear\"\nfamily = \"network\"\nnetwork = \"mlp:8\"\n[training]\noptimiser = \"adam\"\nepochs = 2";
        let file = read(good).unwrap();
        assert_eq!((file.model.regime, file.training.unwrap()["epochs"].as_integer()), (Regime::Clear, Some(2)));
    }

    #[test]
    fn an_image_names_its_columns() {
        let list = r#"inputs = [{ name = "a", min = 0, max = 10 }, { name = "b", min = 0, max = 1.5 }]"#;
        let image = |rest: &str| {
            format!(r#"inputs = {{ columns = "p_{{row}}_{{column}}", height = 2, width = 3, min = 0, max = 9{rest} }}"#)
        };
        let file = CampaignFile::parse(&TEXT.replace(list, &image(""))).unwrap();
        let names: Vec<_> = file.schema().inputs.into_iter().map(|input| input.name).collect();
        assert_eq!(names, ["p_0_0", "p_0_1", "p_0_2", "p_1_0", "p_1_1", "p_1_2"]);
        assert!(refusal(list, &image(", channels = 2")).contains("appears twice"), "the channel is not in the name");
        assert!(refusal(list, &image(", colour = 2")).contains("image"));
        assert!(refusal(list, &image(", channels = 100000")).contains("inputs"));
    }

    #[test]
    fn the_campaign_files_of_this_project_are_understood() {
        let directory = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../data")).unwrap();
        let paths = directory.map(|entry| entry.unwrap().path());
        let files: Vec<_> = paths.filter(|path| path.extension().is_some_and(|end| end == "toml")).collect();
        assert!(files.len() >= 4, "{files:?}");
        for path in files {
            let parsed = CampaignFile::parse(&std::fs::read_to_string(&path).unwrap());
            assert!(parsed.is_ok(), "{}: {parsed:?}", path.display());
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_reading_panic(at in 0..TEXT.len(), cut in 0usize..20, put in "\\PC{0,8}|[0-9e.\"\\[\\]{}=,\n-]{0,8}") {
            let end = (at + cut).min(TEXT.len());
            let text = [&TEXT[..at], &put, &TEXT[end..]].concat();
            if let Err(CampaignFileError::Toml { line, .. }) = CampaignFile::parse(&text) {
                prop_assert!(line <= text.matches('\n').count() + 1);
            }
        }
    }

    #[test]
    fn a_deadline_may_be_a_time() {
        let text = TEXT.replace("2d", "2030-01-01T00:00:00Z");
        assert_eq!(CampaignFile::parse(&text).unwrap().deadline, Deadline::At(Timestamp::from_unix(1_893_456_000)));
    }
}
