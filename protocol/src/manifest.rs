//! The manifest: the public description of a campaign, in one file on IPFS whose digest is in the campaign's terms.

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
    families::{FreeConstant, Method, MethodError, Trial, TrialError},
    fingerprint::Fingerprint,
    handover::{AuditKey, keys_root},
    ids::{CampaignId, Digest},
    limits,
    organisation::{Organisation, OrganisationError},
    text::{self, TextError},
};

/// Name and version of the format of manifests without organisation and parent. Such manifests keep it, so that programs
/// that know nothing newer serve their campaigns.
const PLAIN_SCHEMA: &str = "sonar.manifest/3";
/// Name and version of the format of manifests that may have them.
const SCHEMA: &str = "sonar.manifest/4";
/// Maximum number of characters of name and description.
const MAX_TEXT: usize = 4_096;

/// Accuracies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accuracy {
    /// Claimed starting accuracy.
    pub start: Ppm,
    /// Target accuracy that pays the full bounty.
    pub target: Ppm,
    /// Accuracy grid: attested accuracies are multiples of this.
    pub grid: Grid,
    /// Tolerance: maximum difference of the measured starting accuracy from the claim.
    pub tolerance: Ppm,
}

/// Limits that the contract enforces too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CampaignLimits {
    /// Maximum number of submissions.
    pub submissions: u32,
    /// Maximum number of accepted submissions.
    pub accepts: u16,
    /// Number of submissions that fill a window.
    pub window: u16,
    /// Time in seconds from the first submission of a window until it closes.
    pub window_seconds: u32,
    /// Maximum number of submissions of one miner per version.
    pub cap_per_version: u16,
}

/// Commitments to the parts of the sealed bundle: `sha256(salt ‖ bytes)`, with the salt in the bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Commitments {
    /// The validation set as CSV.
    pub validation: Digest,
    /// The starting model, unless it is the default one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initial: Option<Digest>,
    /// The data scientist's OpenPGP certificate.
    pub certificate: Digest,
}

impl Commitments {
    /// Commitments to nothing.
    const NONE: Self = Self { validation: Digest([0; 32]), initial: None, certificate: Digest([0; 32]) };
}

/// `sha256(salt ‖ bytes)`.
#[must_use]
pub fn commitment(salt: &[u8; 32], bytes: &[u8]) -> Digest {
    Digest(Sha256::new_with_prefix(salt).chain_update(bytes).finalize().into())
}

/// The public description of a campaign.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Name and version of this format.
    pub schema: String,
    /// The campaign's name.
    pub name: String,
    /// Description.
    pub description: String,
    /// The organisation behind the campaign, as its owner names it: unverified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organisation: Option<Organisation>,
    /// The earlier campaign whose result the model starts from, according to the owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<CampaignId>,
    /// How updates are combined.
    pub mode: Mode,
    /// Schema of the data.
    pub data: Schema,
    /// Metric.
    pub metric: Metric,
    /// Method: model, training and regime.
    pub method: Method,
    /// Accuracies.
    pub accuracy: Accuracy,
    /// Limits that the contract enforces too.
    pub limits: CampaignLimits,
    /// OpenPGP fingerprint of the data scientist, to whom the model is delivered.
    pub scientist: Fingerprint,
    /// OpenPGP fingerprint of the Capsule, to which updates are sealed.
    pub capsule: Fingerprint,
    /// Public audit keys, to which the Capsule seals the seeds of versions 1, 2 and so on: one for each possible
    /// version.
    pub audit: Vec<AuditKey>,
    /// Digest of the sealed bundle on IPFS.
    pub bundle: Digest,
    /// Commitments to the parts of the bundle.
    pub commitments: Commitments,
}

/// Why a manifest cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// It is too large.
    #[error("the manifest has {0} bytes, more than the limit of {limit}", limit = limits::MANIFEST)]
    TooLarge(usize),
    /// It is not valid JSON of this format.
    #[error("the manifest cannot be read: {0}")]
    Json(#[from] serde_json::Error),
    /// It has another format.
    #[error("the manifest has format `{0}`; this program reads {PLAIN_SCHEMA} and {SCHEMA}")]
    Form(String),
    /// A text has a control character.
    #[error("the manifest: {0}")]
    Characters(#[from] TextError),
    /// The organisation is invalid.
    #[error("the manifest: {0}")]
    Organisation(#[from] OrganisationError),
    /// A text is too long.
    #[error("the manifest's {0} has more than {MAX_TEXT} characters")]
    Text(&'static str),
    /// The schema is invalid.
    #[error("the manifest's schema: {0}")]
    Schema(#[from] SchemaError),
    /// The method is invalid.
    #[error(transparent)]
    Method(#[from] MethodError),
    /// The accuracies are inconsistent.
    #[error("the manifest's accuracies: {0}")]
    Ladder(#[from] LadderError),
    /// The limits would disclose too much.
    #[error("the manifest's limits: {0}")]
    Budget(#[from] BudgetError),
    /// Parts contradict each other.
    #[error("the manifest contradicts itself: {0}")]
    Contradiction(&'static str),
}

/// Why manifest and terms do not match.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} is {manifest} in the manifest, but {terms} in the terms on chain")]
pub struct Mismatch {
    /// Name of the field.
    pub field: &'static str,
    /// Value in the manifest.
    pub manifest: String,
    /// Value on chain.
    pub terms: String,
}

impl Accuracy {
    /// The accuracy ladder from the claimed starting accuracy upwards.
    ///
    /// # Errors
    /// When the target is not above the starting accuracy.
    pub fn ladder(&self) -> Result<Ladder, LadderError> {
        self.ladder_from(self.start.floor_to_grid(self.grid))
    }

    /// The accuracy ladder from a measured starting accuracy upwards.
    ///
    /// # Errors
    /// When the starting accuracy is off the grid, or the target is not above it.
    pub fn ladder_from(&self, start: Ppm) -> Result<Ladder, LadderError> {
        Ladder::new(self.grid, start, self.target)
    }
}

impl CampaignLimits {
    /// Maximum number of versions: the first, and one for each accept, also for the last one, so that the audit reaches
    /// the delivered model.
    #[must_use]
    pub fn versions(&self) -> u16 {
        self.accepts.saturating_add(1)
    }

    /// Limits of the leak meter.
    #[must_use]
    pub fn budget(&self) -> Limits {
        Limits { submissions: u64::from(self.submissions), accepts: u32::from(self.accepts) }
    }
}

impl Manifest {
    /// Name and version of the format of a manifest with this organisation and parent.
    #[must_use]
    pub fn form(organisation: Option<&Organisation>, parent: Option<CampaignId>) -> String {
        let is_plain = organisation.is_none() && parent.is_none();
        if is_plain { PLAIN_SCHEMA.into() } else { SCHEMA.into() }
    }

    /// Encodes the manifest. The same manifest always gives the same bytes.
    ///
    /// # Errors
    /// When it is invalid or too large.
    pub fn encode(&self) -> Result<Vec<u8>, ManifestError> {
        self.check()?;
        let bytes = serde_json::to_vec(self)?;
        if bytes.len() > limits::MANIFEST {
            return Err(ManifestError::TooLarge(bytes.len()));
        }
        Ok(bytes)
    }

    /// SHA-256 of the manifest without bundle and commitments, which depend on the bundle. A bundle is bound to it.
    ///
    /// # Errors
    /// When the manifest is invalid or too large.
    pub fn unsealed_hash(&self) -> Result<Digest, ManifestError> {
        let unsealed = Self { bundle: Digest([0; 32]), commitments: Commitments::NONE, ..self.clone() };
        Ok(Digest(Sha256::digest(unsealed.encode()?).into()))
    }

    /// Decodes an untrusted file, and checks everything that can be checked without the terms.
    ///
    /// # Errors
    /// Names what is wrong.
    pub fn decode(bytes: &[u8]) -> Result<Self, ManifestError> {
        if bytes.len() > limits::MANIFEST {
            return Err(ManifestError::TooLarge(bytes.len()));
        }
        let manifest: Self = serde_json::from_slice(bytes)?;
        manifest.check()?;
        if manifest.parent.is_some() && manifest.commitments.initial.is_none() {
            return Err(ManifestError::Contradiction("it names a parent, and no starting model"));
        }
        Ok(manifest)
    }

    fn check(&self) -> Result<(), ManifestError> {
        use ManifestError::Contradiction;
        match self.schema.as_str() {
            SCHEMA => {}
            PLAIN_SCHEMA if self.organisation.is_none() && self.parent.is_none() => {}
            PLAIN_SCHEMA => return Err(Contradiction("its format has neither organisation nor parent")),
            other => return Err(ManifestError::Form(other.chars().take(80).collect())),
        }
        self.organisation.as_ref().map_or(Ok(()), Organisation::check)?;
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
            return Err(Contradiction("the metric does not fit the task, or cannot determine a bounty"));
        }
        if self.audit.len() != usize::from(self.limits.versions()) {
            return Err(Contradiction("there must be one audit key more than accepts"));
        }
        self.meter(&self.accuracy.ladder()?)?;
        Ok(())
    }

    /// Checks that everything public that transforms rows follows the published ranges, or is one of a few constants
    /// that anybody can derive. Only then its choice cannot single out a row of a Mine without a privacy budget.
    ///
    /// # Errors
    /// Names what could single out a row.
    pub fn check_constants(&self) -> Result<(), FreeConstant> {
        self.method.check_constants(&self.data)?;
        // Mines can read the model, so it transforms their rows as well. An encrypted model meets only what a Mine has
        // computed from its rows.
        let is_free = self.method.regime().is_public() && self.commitments.initial.is_some();
        if is_free { Err(FreeConstant::Start) } else { Ok(()) }
    }

    /// Checks that these terms match the manifest.
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

    /// A leak meter with nothing spent.
    ///
    /// # Errors
    /// When the limits would disclose too much.
    pub fn meter(&self, ladder: &Ladder) -> Result<LeakMeter, BudgetError> {
        LeakMeter::new(self.method.weights(), ladder, self.limits.budget())
    }

    /// Prepares the evaluation of the model in this file, or of the default starting model, on examples that were
    /// transformed by the backbone if there is one.
    ///
    /// # Errors
    /// When the file is not a model of the campaign, or nothing can be measured on the examples.
    pub fn trial(&self, examples: &syft::Examples, file: Option<&[u8]>) -> Result<Box<dyn Trial>, TrialError> {
        self.method.trial(examples, self.targets(examples)?, self.metric, file)
    }

    /// The targets of raw examples, clamped to their range.
    ///
    /// # Errors
    /// When the schema has an invalid range.
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
