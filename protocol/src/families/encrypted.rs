//! The family of the encrypted regime: linear models that Mines train on ciphertexts. Only the Capsule and the data
//! scientist see the model.

use std::{
    collections::{BTreeMap, HashMap},
    mem,
};

use serde::{Deserialize, Serialize};
use sonar_contracts::{Tree, WordProof, chunks};
use syft::{
    Audit, Binding, EncryptedUpdate, Examples, Expansion, FeatureKind, FeatureMap, Labels, Material, Matrix, Metric,
    ModelError, Parameters, Rule, SecretKey, Shape, Targets, Task, Validation, VersionSeed, Weights, encrypt_update,
    export::{self, Archive},
    privacy::{MapNoise, Zcdp},
    train, train_private,
};
use zeroize::Zeroizing;

use super::{
    draft::{Brief, Draft, DraftError, explain, inherited},
    export::{DeliveryError, Export, Format},
    family::{
        Algorithm, EvaluationWindow, Family, FamilyError, FreeConstant, MeasuredTrial, MethodError, ModelFile,
        OpenedModel, PublishedMaterial, Recomputation, RowCost, TrainError, TrainingTask, Trial, TrialError,
        WindowEvaluation,
    },
    secrecy::{PartyStatement, Secrecy, SecurityFigure, UpdateEncryption},
};
use crate::{
    backbone::Backbone,
    campaign::{CampaignFile, CampaignFileError},
    data::Schema,
    lineage::{Parent, ParentMismatch},
    regime::Regime,
};

/// The δ for which the statement gives an ε.
const DELTA: f64 = 1e-6;
/// Name and version of the metadata of a file whose model has a backbone.
const FORM_WITH_BACKBONE: &str = "sonar.model/2";

const LOCAL_STEPS: Algorithm =
    Algorithm { name: "local-steps", description: "Steps of gradient descent", regime: Regime::Encrypted };
const PROXIMAL: Algorithm = Algorithm {
    name: "proximal",
    description: "Minimiser of loss plus distance from the published model",
    regime: Regime::Encrypted,
};

/// A linear model, trained on ciphertexts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Linear {
    /// The backbone that transforms raw columns first, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backbone: Option<Backbone>,
    /// The feature map: public constants that turn raw columns, or the activations of the backbone, into features.
    pub features: FeatureMap,
    /// Shape of the model.
    pub shape: Shape,
    /// Training schedule.
    pub rule: Rule,
    /// Target scores of the classes.
    pub labels: Labels,
    /// Encryption parameters.
    pub parameters: Parameters,
}

/// Why a file is not a model of the campaign.
#[derive(Debug, thiserror::Error)]
pub enum LinearFileError {
    /// It is not a linear model.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// It is a linear model of another shape.
    #[error("the model has {have} weights, but the campaign's model has {need}")]
    Shape {
        /// Number of weights in the file.
        have: usize,
        /// Number of weights of the campaign's model.
        need: usize,
    },
}

impl Linear {
    /// Parses a model of the campaign's shape, which is untrusted.
    ///
    /// # Errors
    /// When it is not such a model.
    pub fn read(&self, file: &[u8]) -> Result<Weights, LinearFileError> {
        let weights = Weights::from_safetensors(file)?;
        if weights.shape() != self.shape {
            return Err(LinearFileError::Shape { have: weights.shape().weights(), need: self.shape.weights() });
        }
        Ok(weights)
    }

    fn weights_of(&self, file: &[u8]) -> Result<Weights, FamilyError> {
        self.read(file).map_err(FamilyError::new)
    }

    fn security(&self) -> Vec<SecurityFigure> {
        const MATZOV: &str = "lattice estimator, MATZOV";
        let rows = self.parameters.security_bits();
        let what = "keys: from encrypted model, public key and packing key";
        let mut figures = vec![SecurityFigure { what, bits: rows.matzov, cost_model: MATZOV }];
        figures.extend(rows.core_svp.map(|bits| SecurityFigure { what, bits, cost_model: "core-SVP" }));
        let what = "a Mine's data: from the masks of its upload, even with all keys";
        let bits = self.parameters.rerandomisation_bits().matzov;
        figures.push(SecurityFigure { what, bits, cost_model: MATZOV });
        figures
    }

    /// A model that reads raw columns, for an export.
    fn exported<'a>(
        &'a self,
        weights: &'a Weights,
        columns: &'a [String],
        export: &'a Export<'_>,
    ) -> Result<export::Model<'a>, DeliveryError> {
        Ok(export::Model::new(weights, &self.features, columns, export.answer, export.metadata)?)
    }
}

impl Family for Linear {
    fn regime(&self) -> Regime {
        Self::REGIME
    }

    fn algorithm(&self) -> Algorithm {
        match self.rule {
            Rule::LocalSteps { .. } => LOCAL_STEPS,
            Rule::Proximal { .. } => PROXIMAL,
        }
    }

    fn backbone(&self) -> Option<&Backbone> {
        self.backbone.as_ref()
    }

    fn check(&self, data: &Schema) -> Result<(), MethodError> {
        use MethodError::Contradiction;
        self.features.check()?;
        self.rule.check()?;
        self.labels.check()?;
        match &self.backbone {
            Some(backbone) => backbone.check(data, &self.features)?,
            None if self.features.columns.len() != data.inputs.len() => {
                return Err(Contradiction("the feature map does not read the number of columns of the schema"));
            }
            None => {}
        }
        let shape = Shape { inputs: self.features.inputs(), outputs: data.task.outputs() };
        if self.shape != shape || self.parameters.shape() != shape {
            return Err(Contradiction("the model's shape does not match schema and task"));
        }
        Ok(())
    }

    fn check_constants(&self, data: &Schema) -> Result<(), FreeConstant> {
        if self.backbone.is_some() {
            return Err(FreeConstant::Backbone);
        }
        let Labels { right, wrong } = self.labels;
        if !self.labels.is_default(self.shape.outputs) {
            return Err(FreeConstant::Labels { right, wrong });
        }
        Ok(self.features.check_ranges(&data.ranges())?)
    }

    fn weights(&self) -> usize {
        self.shape.weights()
    }

    fn row_cost(&self) -> RowCost {
        let network = self.backbone.as_ref().map(|backbone| &backbone.network);
        let (raw, embedding) = network.map_or((0, 0), |network| (network.input().columns(), network.work()));
        let expanded = self.features.inputs().saturating_mul(self.features.columns.len());
        RowCost {
            numbers: self.shape.inputs.max(self.features.columns.len()).max(raw),
            work: embedding.saturating_add(expanded),
        }
    }

    fn material_limit(&self) -> usize {
        Material::encoded_len(&self.parameters)
    }

    fn update_len(&self) -> usize {
        EncryptedUpdate::encoded_len(&self.parameters)
    }

    fn trial(
        &self,
        examples: &Examples,
        targets: Targets,
        metric: Metric,
        file: Option<&[u8]>,
    ) -> Result<Box<dyn Trial>, TrialError> {
        let validation = Validation::new(self.features.apply(examples.features())?, targets, metric)?;
        let model = file.map_or_else(|| Ok(Weights::zeros(self.shape)), |file| self.weights_of(file))?;
        Ok(MeasuredTrial::trial(model, validation, write))
    }

    fn publish(&self, model: &[u8], seed: &VersionSeed, binding: &Binding) -> Result<PublishedMaterial, FamilyError> {
        let weights = self.weights_of(model)?;
        let material = SecretKey::derive(seed, &self.parameters, binding).publish(&weights);
        Ok(PublishedMaterial { material: material.encode(), hash: material.digest() })
    }

    fn open(&self, material: &[u8], binding: &Binding) -> Result<Box<dyn OpenedModel>, FamilyError> {
        let material = Material::decode(material, &self.parameters, binding).map_err(FamilyError::new)?;
        Ok(Box::new(EncryptedModel { linear: self.clone(), material }))
    }

    fn bears(&self, cost: Zcdp, rows: usize) -> Result<(), FamilyError> {
        let noise = MapNoise::new(&self.rule, &self.labels, &self.parameters, rows, cost);
        noise.map(drop).map_err(FamilyError::new)
    }

    fn conforms(&self, update: &[u8], material: &[u8; 32]) -> bool {
        EncryptedUpdate::decode(update, &self.parameters, material).is_ok()
    }

    fn evaluate(&self, window: &EvaluationWindow<'_>) -> Result<WindowEvaluation, FamilyError> {
        let key = SecretKey::derive(window.seed, &self.parameters, window.binding);
        let decoded = |bytes: &&[u8]| EncryptedUpdate::decode(bytes, &self.parameters, window.material).ok();
        let deltas = window.updates.iter().map(|bytes| decoded(bytes).map(|update| key.decrypt(&update)));
        MeasuredTrial::evaluate(window, &self.weights_of(window.best)?, deltas)
    }

    fn recompute(&self, material: &[u8], seed: Option<&VersionSeed>, binding: &Binding) -> Recomputation {
        let Some(seed) = seed else { return Recomputation::default() };
        let published = match Material::decode(material, &self.parameters, binding) {
            Ok(published) => published,
            Err(why) => return Recomputation { unreadable: Some(FamilyError::new(why)), ..Recomputation::default() },
        };
        let audit = Audit::new(seed, &published);
        Recomputation {
            evidence: audit.evidence.map(|word| word_proof(seed, &self.parameters, material, word)),
            model: plain(&audit.weights).ok(),
            deviations: audit.deviations,
            unreadable: None,
        }
    }

    fn secrecy(&self, uploads: u32) -> Secrecy {
        let noise = Zcdp::per_upload(&self.parameters).times(u64::from(uploads));
        Secrecy {
            encryption: Some(UpdateEncryption {
                solvable_from: self.shape.inputs / (2 * self.shape.outputs) + 1,
                ciphertext_epsilon: noise.epsilon(DELTA),
                ciphertext_delta: DELTA,
            }),
            security: self.security(),
            parties: &PARTIES,
        }
    }

    fn metadata(&self) -> Result<BTreeMap<String, String>, serde_json::Error> {
        let mut metadata = BTreeMap::from([("sonar.features".into(), serde_json::to_string(&self.features)?)]);
        if let Some(backbone) = &self.backbone {
            metadata.insert("sonar.format".into(), FORM_WITH_BACKBONE.into());
            metadata.insert("sonar.backbone".into(), serde_json::to_string(backbone)?);
        }
        Ok(metadata)
    }

    fn describe(&self, model: &[u8], metadata: &BTreeMap<String, String>) -> Result<Vec<u8>, FamilyError> {
        let metadata = metadata.clone().into_iter().collect();
        self.weights_of(model)?.to_safetensors(metadata).map_err(FamilyError::new)
    }

    fn export(&self, model: &[u8], format: Format, export: &Export<'_>) -> Result<Vec<u8>, DeliveryError> {
        let weights = self.weights_of(model)?;
        if self.backbone.is_none() {
            let linear = self.exported(&weights, export.columns, export)?;
            return Ok(match format {
                Format::Safetensors => self.describe(model, export.metadata)?,
                Format::Onnx => linear.onnx()?,
                Format::Npz => linear.npz()?,
            });
        }
        // One file that computes answers from raw columns, through the backbone.
        let backbone = export.embedding.backbone().ok_or(DeliveryError::NoBackbone)?;
        let activations: Vec<String> =
            (0..self.features.columns.len()).map(|index| format!("activation_{index}")).collect();
        let linear = self.exported(&weights, &activations, export)?;
        Ok(match format {
            Format::Safetensors => self.describe(model, export.metadata)?,
            Format::Onnx => {
                let (graph, from) = backbone.activations_onnx();
                linear.onnx_after(graph, &from)?
            }
            Format::Npz => {
                let mut archive = Archive::default();
                backbone.add_to(&mut archive, "backbone.", export.columns)?;
                linear.npz_after(archive)?
            }
        })
    }
}

/// A published encrypted model, with its public key.
#[derive(Debug)]
struct EncryptedModel {
    linear: Linear,
    material: Material,
}

impl OpenedModel for EncryptedModel {
    fn train(&self, task: TrainingTask<'_>) -> Result<Vec<u8>, TrainError> {
        let Linear { features, rule, labels, parameters, .. } = &self.linear;
        let features = features.apply(task.examples.features()).map_err(FamilyError::new)?;
        let mut coins = task.coins;
        let update = match task.cost {
            Some(cost) => train_private(&features, task.targets, rule, labels, parameters, cost, &mut coins),
            None => train(&features, task.targets, rule, labels, parameters, &mut coins),
        };
        let update = update.map_err(FamilyError::new)?;
        task.watch.trained();
        // Its coins always come from the operating system: anyone who can derive them breaks the encryption.
        Ok(encrypt_update(&self.material, &update).map_err(FamilyError::new)?.encode())
    }
}

impl Draft for Linear {
    const NAME: &'static str = "linear";
    const REGIME: Regime = Regime::Encrypted;
    const ALGORITHMS: &'static [Algorithm] = &[LOCAL_STEPS, PROXIMAL];

    fn check_file(file: &CampaignFile) -> Result<(), CampaignFileError> {
        if let Some(network) = &file.model.network {
            return Err(CampaignFileError::model(
                "model.network",
                format!(
                    "`{network}` cannot be trained on ciphertexts: set regime = \"clear\", in which the model is public, or leave it out; a trained network that may be public can be a backbone"
                ),
            ));
        }
        let no_image = match (file.image(), &file.model.backbone) {
            (None, _) => Some("needs an image, and the inputs are columns: use random-relu:N, for example"),
            (_, Some(_)) => {
                Some("reads an image, but the backbone has no image as its output: use identity, or leave it out")
            }
            (Some(_), None) => None,
        };
        if let (Some(features @ FeatureKind::RandomConv(_)), Some(reason)) = (file.model.features, no_image) {
            return Err(CampaignFileError::model("model.features", format!("`{features}` {reason}")));
        }
        if file.training.as_ref().is_some_and(|training| !training.contains_key("rule")) {
            return Err(CampaignFileError::model(
                "training",
                "the encrypted regime needs a rule: \"proximal\" or \"local-steps\"",
            ));
        }
        file.training::<Rule>().map(drop)
    }

    fn draft(brief: Brief<'_>) -> Result<(Self, String), DraftError> {
        let Brief { file, data, examples, backbone, seed, parent } = brief;
        let (kind, why) = choose_features(file, data);
        let ranges = backbone.as_ref().map_or_else(|| data.ranges(), |_| spans(examples.features()));
        let fitted = FeatureMap::fit(examples.features(), &ranges, kind, file.image(), seed)?;
        let (features, what) = match parent {
            Some(parent) => (inherit(parent, file, &fitted, backbone.as_ref())?, inherited(parent)),
            None => (fitted, explain(&kind, why)),
        };
        let shape = Shape { inputs: features.inputs(), outputs: data.task.outputs() };
        let is_embedded = backbone.is_some() && matches!(data.task, Task::Classification { .. });
        let (usual, labels) = if is_embedded {
            (Rule::close(&features), Labels::small(shape.outputs))
        } else {
            (Rule::default_for(&data.task, &features), Labels::default_for(&features, shape.outputs))
        };
        let wanted = file.training().map_err(|error| DraftError::Model(FamilyError::new(error)))?;
        let rule = wanted.unwrap_or(usual);
        let what = what + &backbone.as_ref().map_or_else(String::new, reading);
        let parameters = Parameters::linear(shape).map_err(|error| DraftError::Model(FamilyError::new(error)))?;
        Ok((Self { backbone, rule, labels, shape, parameters, features }, what))
    }
}

/// The feature map of the parent, under which the weights of its model have their meaning. What the campaign file says
/// about the map must agree with it.
fn inherit(
    parent: &Parent,
    file: &CampaignFile,
    fitted: &FeatureMap,
    backbone: Option<&Backbone>,
) -> Result<FeatureMap, ParentMismatch> {
    let linear = parent.manifest.method.linear().ok_or_else(|| parent.other_family())?;
    // The parent's numbers were read from its manifest, which may change their last bits.
    let as_read = |backbone: &Backbone| serde_json::from_slice(&serde_json::to_vec(backbone).ok()?).ok();
    if backbone.and_then(as_read) != linear.backbone {
        return Err(parent.other_backbone(linear.backbone.is_none()));
    }
    let kind = |map: &FeatureMap| (mem::discriminant(&map.expansion), map.inputs());
    if file.model.features.is_some() && kind(fitted) != kind(&linear.features) {
        return Err(parent.other_setting("features"));
    }
    if file.model.seed.is_some() && kind(fitted) == kind(&linear.features) && seed(fitted) != seed(&linear.features) {
        return Err(parent.other_setting("seed"));
    }
    Ok(linear.features.clone())
}

/// Seed of the random weights, if there are any.
const fn seed(map: &FeatureMap) -> Option<u32> {
    match map.expansion {
        Expansion::RandomRelu { seed, .. } | Expansion::RandomConv { seed, .. } => Some(seed),
        Expansion::Identity | Expansion::Polynomial => None,
    }
}

/// The feature map that the campaign file names, or a default for the data with the reason.
fn choose_features(file: &CampaignFile, data: &Schema) -> (FeatureKind, Option<&'static str>) {
    if let Some(kind) = file.model.features {
        return (kind, None);
    }
    if file.model.backbone.is_some() {
        return (FeatureKind::Identity, Some("the activations of the backbone already separate the targets"));
    }
    let (kind, why) = match (file.image(), &data.task) {
        (Some(image), _) if image.height.min(image.width) >= 16 => (
            FeatureKind::RandomConv(1_008),
            "random convolutions recognise strokes and edges wherever they are in an image",
        ),
        (Some(_), _) => {
            (FeatureKind::RandomRelu(512), "random combinations capture more of a small image than single pixels")
        }
        (None, Task::Regression) => (
            FeatureKind::RandomRelu(300),
            "random combinations capture what is not linear, and make the model large enough to stay secret",
        ),
        (None, Task::Classification { .. }) => (
            FeatureKind::Identity,
            "the columns are named quantities, which separate the classes without a feature map",
        ),
    };
    (kind, Some(why))
}

/// Range of all activations. Unlike columns, the activations of a layer have one scale.
fn spans(activations: &Matrix) -> Vec<(f64, f64)> {
    let values = activations.values().iter();
    let span = values.fold((0.0_f64, 0.0_f64), |(least, greatest), &x| (least.min(x), greatest.max(x)));
    vec![span; activations.columns()]
}

fn reading(backbone: &Backbone) -> String {
    let Backbone { network, .. } = backbone;
    format!(" (on {} activations of a public network of {} weights)", network.activations(), network.parameters())
}

/// A linear model as safetensors without metadata.
///
/// # Errors
/// Never in practice.
pub fn plain(model: &Weights) -> Result<ModelFile, ModelError> {
    model.to_safetensors(HashMap::new()).map(Zeroizing::new)
}

fn write(model: &Weights) -> Result<ModelFile, FamilyError> {
    plain(model).map_err(FamilyError::new)
}

/// The proof of a published word for the contract: the pieces of the material that it needs, with their Merkle paths.
#[must_use]
pub fn word_proof(seed: &VersionSeed, params: &Parameters, material: &[u8], word: u32) -> WordProof {
    let place = 1 + word as usize * Material::WORD / sonar_contracts::CHUNK;
    let tree = Tree::of_material(material);
    let chunk = |place: usize| chunks(material).nth(place).expect("the word is in this material").to_vec().into();
    WordProof {
        seed: seed.expose().into(),
        params: params.constants().into(),
        header: chunk(0),
        headerBranch: tree.branch(0),
        chunk: chunk(place),
        chunkBranch: tree.branch(place),
        word,
    }
}

const PARTIES: [PartyStatement; 6] = [
    PartyStatement {
        party: "Mine",
        learns: "the public transcript: which submissions were accepted, at which step of the accuracy grid",
        never_learns: "the model, beyond the bits above; other Mines' data or updates",
        rests_on: "module-LWE, and the limit on the transcript",
    },
    PartyStatement {
        party: "anybody",
        learns: "the same, and the manifest",
        never_learns: "the model, any update, any data",
        rests_on: "the same, and OpenPGP",
    },
    PartyStatement {
        party: "Capsule",
        learns: "model, validation set, and every update it decrypts: exactly, unless the Mine's owner has set a privacy budget",
        never_learns: "raw data; anything of a Mine beyond its updates, through the noise of ciphertexts",
        rests_on: "re-randomisation and flood (module-LWE); differential privacy for the updates themselves",
    },
    PartyStatement {
        party: "data scientist",
        learns: "the public transcript, and after the delivery the model of every version: the difference of two is the sum of a window's accepted updates, often one Mine's update",
        never_learns: "any Mine's data; an update that was not accepted",
        rests_on: "the Capsule, and OpenPGP",
    },
    PartyStatement {
        party: "a cheating Capsule",
        learns: "a Mine's matrix, if it publishes a wrong model or key and no privacy budget is set",
        never_learns: "rows of data of a Mine with a privacy budget, beyond that budget",
        rests_on: "its stake, and audits after the campaign; differential privacy",
    },
    PartyStatement {
        party: "data scientist and Capsule together",
        learns: "a single row, if backbone or free constants were built to respond only to that row, no privacy budget is set, and the Mine's owner allows it",
        never_learns: "rows of data of a Mine with a privacy budget, beyond that budget",
        rests_on: "differential privacy; a Mine's policy, which requires a budget or consent for a backbone and for constants that do not follow the published ranges",
    },
];
