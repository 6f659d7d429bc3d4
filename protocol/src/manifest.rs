//! What everybody may know about a campaign, in one file on IPFS whose digest is among the campaign's terms.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use sonar_contracts::Terms;
use syft::{
    DataError, Grid, Ladder, LadderError, Metric, Ppm, Targets,
    budget::{BudgetError, LeakMeter, Limits},
};

use crate::{
    campaign::Mode,
    data::{Schema, SchemaError},
    families::{Method, MethodError, Trial, TrialError},
    fingerprint::Fingerprint,
    handover::{AuditKey, keys_root},
    ids::Digest,
    limits,
    text::{self, TextError},
};

/// Name and version of the form.
const SCHEMA: &str = "sonar.manifest/3";
/// Most characters of name and description.
const MAX_TEXT: usize = 4_096;

/// How accuracy is measured and paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accuracy {
    /// The data scientist's claim about the starting model.
    pub start: Ppm,
    /// Accuracy that earns the whole bounty.
    pub target: Ppm,
    /// Accuracies are multiples of this.
    pub grid: Grid,
    /// How far the measured starting accuracy may be from the claim.
    pub tolerance: Ppm,
}

/// Limits that the contract keeps too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CampaignLimits {
    /// Submissions in all.
    pub submissions: u32,
    /// Accepted submissions in all.
    pub accepts: u16,
    /// Submissions that fill a window.
    pub window: u16,
    /// Seconds after its first submission at which a window closes.
    pub window_seconds: u32,
    /// Submissions of one miner to one version.
    pub cap_per_version: u16,
}

/// `sha256(salt ‖ bytes)` of what the sealed bundle holds. The salt is in the bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Commitments {
    /// The validation set as CSV.
    pub validation: Digest,
    /// The starting model, if it is not all zeros.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initial: Option<Digest>,
    /// The data scientist's OpenPGP certificate.
    pub certificate: Digest,
}

/// `sha256(salt ‖ bytes)`.
#[must_use]
pub fn commitment(salt: &[u8; 32], bytes: &[u8]) -> Digest {
    Digest(Sha256::new_with_prefix(salt).chain_update(bytes).finalize().into())
}

/// What everybody may know about a campaign.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Name and version of this form.
    pub schema: String,
    /// The campaign's name.
    pub name: String,
    /// What it is about.
    pub description: String,
    /// How updates are combined.
    pub mode: Mode,
    /// What the data must look like.
    pub data: Schema,
    /// What accuracy means.
    pub metric: Metric,
    /// What is trained, how, and who may see it.
    pub method: Method,
    /// How accuracy is measured and paid.
    pub accuracy: Accuracy,
    /// Limits that the contract keeps too.
    pub limits: CampaignLimits,
    /// OpenPGP fingerprint of the data scientist, to whom the model is delivered.
    pub scientist: Fingerprint,
    /// OpenPGP fingerprint of the Capsule, to which updates are sealed.
    pub capsule: Fingerprint,
    /// The keys to which the Capsule seals the seeds of versions 1, 2 and so on: one for each that there can be.
    pub audit: Vec<AuditKey>,
    /// The sealed bundle on IPFS.
    pub bundle: Digest,
    /// What the bundle holds.
    pub commitments: Commitments,
}

/// A manifest that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// Too large.
    #[error("the manifest has {0} bytes; at most {limit} are read", limit = limits::MANIFEST)]
    TooLarge(usize),
    /// Not the JSON that it should be.
    #[error("the manifest cannot be read: {0}")]
    Json(#[from] serde_json::Error),
    /// Another version.
    #[error("the manifest is of form `{0}`; this program knows {SCHEMA}")]
    Form(String),
    /// A text that does something to a terminal.
    #[error("the manifest: {0}")]
    Characters(#[from] TextError),
    /// Too much text.
    #[error("the manifest's {0} has more than {MAX_TEXT} characters")]
    Text(&'static str),
    /// The schema makes no sense.
    #[error("the manifest's schema: {0}")]
    Schema(#[from] SchemaError),
    /// What is trained, or how, makes no sense.
    #[error(transparent)]
    Method(#[from] MethodError),
    /// Accuracies make no ladder.
    #[error("the manifest's accuracies: {0}")]
    Ladder(#[from] LadderError),
    /// The limits would say too much about the model.
    #[error("the manifest's limits: {0}")]
    Budget(#[from] BudgetError),
    /// Parts that contradict each other.
    #[error("the manifest contradicts itself: {0}")]
    Contradiction(&'static str),
}

/// A manifest and terms that are not of the same campaign.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the manifest says {field} = {manifest}, the terms on chain say {terms}")]
pub struct Mismatch {
    /// What differs.
    pub field: &'static str,
    /// In the manifest.
    pub manifest: String,
    /// On the chain.
    pub terms: String,
}

impl Accuracy {
    /// The grid values from the claimed start upwards.
    ///
    /// # Errors
    /// When the target is not above the start.
    pub fn ladder(&self) -> Result<Ladder, LadderError> {
        self.ladder_from(self.start.floor_to_grid(self.grid))
    }

    /// The grid values from a measured start upwards.
    ///
    /// # Errors
    /// When the start is off the grid, or the target not above it.
    pub fn ladder_from(&self, start: Ppm) -> Result<Ladder, LadderError> {
        Ladder::new(self.grid, start, self.target)
    }
}

impl CampaignLimits {
    /// What the leak meter keeps.
    #[must_use]
    pub fn budget(&self) -> Limits {
        Limits { submissions: u64::from(self.submissions), accepts: u32::from(self.accepts) }
    }
}

impl Manifest {
    /// Name and version of the form that this program writes.
    #[must_use]
    pub fn form() -> String {
        SCHEMA.into()
    }

    /// The file. The same manifest always gives the same bytes.
    ///
    /// # Errors
    /// When it makes no sense or is too large.
    pub fn encode(&self) -> Result<Vec<u8>, ManifestError> {
        self.check()?;
        let bytes = serde_json::to_vec(self)?;
        if bytes.len() > limits::MANIFEST {
            return Err(ManifestError::TooLarge(bytes.len()));
        }
        Ok(bytes)
    }

    /// Reads a file of anybody's, and checks all that can be checked without the terms.
    ///
    /// # Errors
    /// Names what is wrong.
    pub fn decode(bytes: &[u8]) -> Result<Self, ManifestError> {
        if bytes.len() > limits::MANIFEST {
            return Err(ManifestError::TooLarge(bytes.len()));
        }
        let manifest: Self = serde_json::from_slice(bytes)?;
        manifest.check()?;
        Ok(manifest)
    }

    fn check(&self) -> Result<(), ManifestError> {
        use ManifestError::Contradiction;
        if self.schema != SCHEMA {
            return Err(ManifestError::Form(self.schema.chars().take(80).collect()));
        }
        let long = |text: &str| text.chars().count() > MAX_TEXT;
        if long(&self.name) {
            return Err(ManifestError::Text("name"));
        }
        text::check_line("the name", &self.name)?;
        text::check_lines("the description", &self.description)?;
        if long(&self.description) {
            return Err(ManifestError::Text("description"));
        }
        self.data.check()?;
        self.method.check(&self.data)?;
        if !self.metric.is_payable() || !fits(self.metric, &self.data) {
            return Err(Contradiction("the metric is none for this task that a bounty can be paid by"));
        }
        // The last accept ends the campaign, so it leads to no version.
        if self.audit.len() != usize::from(self.limits.accepts) {
            return Err(Contradiction("there must be one audit key for each accept"));
        }
        self.meter(&self.accuracy.ladder()?)?;
        Ok(())
    }

    /// Checks that these terms are of this campaign.
    ///
    /// # Errors
    /// The first difference.
    pub fn matches(&self, terms: &Terms) -> Result<(), Mismatch> {
        let pairs: [(&'static str, u32, u32); 9] = [
            ("start", self.accuracy.start.get(), terms.startPpm),
            ("target", self.accuracy.target.get(), terms.targetPpm),
            ("grid", self.accuracy.grid.ppm(), terms.gridPpm),
            ("tolerance", self.accuracy.tolerance.get(), terms.tolerancePpm),
            ("submissions", self.limits.submissions, terms.maxSubmissions),
            ("accepts", self.limits.accepts.into(), terms.maxAccepts.into()),
            ("window", self.limits.window.into(), terms.windowSize.into()),
            ("window_seconds", self.limits.window_seconds, terms.windowSeconds),
            ("cap_per_version", self.limits.cap_per_version.into(), terms.capPerVersion.into()),
        ];
        if let Some((field, ours, theirs)) = pairs.into_iter().find(|(_, ours, theirs)| ours != theirs) {
            return Err(Mismatch { field, manifest: ours.to_string(), terms: theirs.to_string() });
        }
        let (ours, theirs) = (keys_root(&self.audit), terms.audit.keys);
        if ours != theirs {
            return Err(Mismatch { field: "audit", manifest: ours.to_string(), terms: theirs.to_string() });
        }
        Ok(())
    }

    /// A meter of which nothing is spent.
    ///
    /// # Errors
    /// When the limits would say too much.
    pub fn meter(&self, ladder: &Ladder) -> Result<LeakMeter, BudgetError> {
        LeakMeter::new(self.method.weights(), ladder, self.limits.budget())
    }

    /// The model in this file, or the one that the campaign starts with, on examples as the backbone leaves them, if there is one.
    ///
    /// # Errors
    /// When the file is not a model of the campaign, or nothing can be measured on the examples.
    pub fn trial(&self, examples: &syft::Examples, file: Option<&[u8]>) -> Result<Box<dyn Trial>, TrialError> {
        self.method.trial(examples, self.targets(examples)?, self.metric, file)
    }

    /// The targets of raw examples, bounded.
    ///
    /// # Errors
    /// When the schema gives them a range that is none.
    pub fn targets(&self, examples: &syft::Examples) -> Result<Targets, DataError> {
        self.data.targets(examples)
    }
}

/// Whether a metric is of the task's kind.
fn fits(metric: Metric, data: &Schema) -> bool {
    match metric {
        Metric::Accuracy | Metric::Auc | Metric::LogLoss => data.range.is_none(),
        Metric::R2 | Metric::Mse => data.range.is_some(),
    }
}
