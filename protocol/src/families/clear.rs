//! The family of the clear regime: public networks, of which only updates are sealed.

use std::collections::{BTreeMap, HashMap};

use rand::{SeedableRng as _, rngs::StdRng};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use syft::{Binding, Examples, Metric, SeedIndex, Targets, UncheckedMap, Validation, VersionSeed, privacy::Zcdp};
use syft_nets::{
    Delta, Input, Model, ModelError, Network, NetworkKind, Optimiser, RateDecay, Release, Schedule, Training, Update,
};
use zeroize::Zeroizing;

use super::{
    draft::{Brief, Draft, DraftError, explain, inherited},
    export::{DeliveryError, Export, Format},
    family::{
        Algorithm, EvaluationWindow, Family, FamilyError, FreeConstant, MeasuredTrial, MethodError, ModelFile,
        OpenedModel, PublishedMaterial, Recomputation, RowCost, TrainError, TrainingTask, TrainingWatch, Trial,
        TrialError, WindowEvaluation,
    },
    secrecy::{PartyStatement, Secrecy},
};
use crate::{
    backbone::network_file_limit,
    campaign::{CampaignFile, CampaignFileError},
    data::Schema,
    lineage::{Parent, ParentMismatch},
    regime::Regime,
};

const NETWORK: Algorithm = Algorithm {
    name: "network",
    description: "Epochs of gradient descent on a public network (clear regime)",
    regime: Regime::Clear,
};

/// Kind of the seeds of starting models.
const SEED_KIND: &str = "network";

/// A public network, with its training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Clear {
    /// What it is made of, with the public constants that standardise raw columns.
    pub network: Network,
    /// Seed of the starting model, unless the data scientist provides one.
    pub seed: u32,
    /// Training schedule.
    pub schedule: Schedule,
    /// How an update is compressed for its release.
    pub release: Release,
}

/// `[training]` of a network; all keys are optional.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NetworkTraining {
    /// Optimiser: `"adam"` or `{ sgd = { momentum = 0.9 } }`.
    pub optimiser: Option<Optimiser>,
    /// Initial learning rate.
    pub rate: Option<f64>,
    /// Decay of the learning rate: `"constant"`, `"linear"` or `"cosine"`.
    pub fall: Option<RateDecay>,
    /// Batch size.
    pub batch: Option<usize>,
    /// Number of epochs.
    pub epochs: Option<u32>,
    /// Weight decay: in each step the parameters shrink by this share of the learning rate.
    pub weight_decay: Option<f64>,
    /// Euclidean norm to which an update is clipped.
    pub clip: Option<f64>,
    /// Share of an update's coordinates that are sent.
    pub keep: Option<f64>,
    /// Bits per coordinate.
    pub bits: Option<u32>,
}

impl NetworkTraining {
    /// The default schedule, with the values of the file.
    fn schedule(&self, usual: Schedule) -> Schedule {
        Schedule {
            optimiser: self.optimiser.unwrap_or(usual.optimiser),
            rate: self.rate.unwrap_or(usual.rate),
            fall: self.fall.unwrap_or(usual.fall),
            batch: self.batch.unwrap_or(usual.batch),
            epochs: self.epochs.unwrap_or(usual.epochs),
            weight_decay: self.weight_decay.unwrap_or(usual.weight_decay),
        }
    }

    /// The default release, with the values of the file.
    fn release(&self) -> Release {
        let usual = Release::default();
        Release {
            clip: self.clip.unwrap_or(usual.clip),
            keep: self.keep.unwrap_or(usual.keep),
            bits: self.bits.unwrap_or(usual.bits),
        }
    }
}

impl Clear {
    /// The default starting model: a network whose output layer is all zeros, so that it gives the same output for
    /// every row. Its accuracy is that of a linear model of zeros.
    #[must_use]
    pub fn initial(&self) -> Model {
        let mut seed = [0; 32];
        seed[..4].copy_from_slice(&self.seed.to_be_bytes());
        let model = Model::initial(&self.network, &seed);
        let mut values = model.values().to_vec();
        let output = self.network.outputs() * (self.network.activations() + 1);
        let hidden = values.len().saturating_sub(output);
        values[hidden..].fill(0.0);
        Model::new(self.network.clone(), values).unwrap_or(model)
    }

    /// Size limit of a model file in bytes.
    #[must_use]
    pub fn file_limit(&self) -> usize {
        network_file_limit(&self.network)
    }

    /// Parses a model of the campaign's network, which is untrusted.
    ///
    /// # Errors
    /// When it is not such a model.
    pub fn read(&self, file: &[u8]) -> Result<Model, ModelError> {
        Model::from_safetensors(file, &self.network)
    }

    fn model(&self, file: &[u8]) -> Result<Model, FamilyError> {
        self.read(file).map_err(FamilyError::new)
    }
}

impl Family for Clear {
    fn regime(&self) -> Regime {
        Self::REGIME
    }

    fn algorithm(&self) -> Algorithm {
        NETWORK
    }

    fn check(&self, data: &Schema) -> Result<(), MethodError> {
        self.schedule.check()?;
        self.release.check()?;
        let shape = (self.network.input().columns(), self.network.outputs());
        if shape != (data.inputs.len(), data.task.outputs()) {
            return Err(MethodError::Contradiction("the network's inputs and outputs do not match schema and task"));
        }
        Ok(())
    }

    fn check_constants(&self, data: &Schema) -> Result<(), FreeConstant> {
        self.network.input().check_ranges(&data.ranges())?;
        let seed = self.seed;
        if SeedIndex::is_seed(seed, SEED_KIND, &seed_shape(&self.network)) {
            Ok(())
        } else {
            Err(UncheckedMap::Seed { seed }.into())
        }
    }

    fn default_start(&self) -> Option<ModelFile> {
        write(&self.initial()).ok()
    }

    fn weights(&self) -> usize {
        self.network.parameters()
    }

    fn row_cost(&self) -> RowCost {
        RowCost { numbers: self.network.input().columns(), work: self.network.work() }
    }

    fn material_limit(&self) -> usize {
        self.file_limit()
    }

    fn update_len(&self) -> usize {
        Update::encoded_len(&self.network, &self.release)
    }

    fn trial(
        &self,
        examples: &Examples,
        targets: Targets,
        metric: Metric,
        file: Option<&[u8]>,
    ) -> Result<Box<dyn Trial>, TrialError> {
        let validation = Validation::new(examples.features().clone(), targets, metric)?;
        let model = file.map_or_else(|| Ok(self.initial()), |file| self.model(file))?;
        Ok(MeasuredTrial::trial(model, validation, write))
    }

    /// The model is published in the clear; the seed protects nothing.
    fn publish(&self, model: &[u8], _: &VersionSeed, _: &Binding) -> Result<PublishedMaterial, FamilyError> {
        Ok(PublishedMaterial { material: model.to_vec(), hash: Sha256::digest(model).into() })
    }

    fn open(&self, material: &[u8], _: &Binding) -> Result<Box<dyn OpenedModel>, FamilyError> {
        let (model, hash) = (self.model(material)?, Sha256::digest(material).into());
        Ok(Box::new(PublicModel { clear: self.clone(), model, hash }))
    }

    fn bears(&self, cost: Zcdp, rows: usize) -> Result<(), FamilyError> {
        self.release.bears(&self.network, cost, rows).map_err(FamilyError::new)
    }

    fn conforms(&self, update: &[u8], material: &[u8; 32]) -> bool {
        Update::decode(update, &self.network, &self.release, material).is_ok()
    }

    fn evaluate(&self, window: &EvaluationWindow<'_>) -> Result<WindowEvaluation, FamilyError> {
        let decoded = |bytes: &&[u8]| Update::decode(bytes, &self.network, &self.release, window.material).ok();
        let deltas = window.updates.iter().map(|bytes| decoded(bytes).map(|update| update.delta()));
        MeasuredTrial::evaluate(window, &self.model(window.best)?, deltas)
    }

    fn recompute(&self, material: &[u8], _: Option<&VersionSeed>, _: &Binding) -> Recomputation {
        Recomputation { model: Some(Zeroizing::new(material.to_vec())), ..Recomputation::default() }
    }

    fn secrecy(&self, _: u32) -> Secrecy {
        Secrecy { encryption: None, security: Vec::new(), parties: &PARTIES }
    }

    fn metadata(&self) -> Result<BTreeMap<String, String>, serde_json::Error> {
        Ok(BTreeMap::new())
    }

    fn describe(&self, model: &[u8], metadata: &BTreeMap<String, String>) -> Result<Vec<u8>, FamilyError> {
        let metadata = metadata.clone().into_iter().collect();
        self.model(model)?.to_safetensors(metadata).map_err(FamilyError::new)
    }

    fn export(&self, model: &[u8], format: Format, export: &Export<'_>) -> Result<Vec<u8>, DeliveryError> {
        let network = self.model(model)?;
        Ok(match format {
            Format::Safetensors => self.describe(model, export.metadata)?,
            Format::Onnx => network.onnx(export.answer, export.metadata)?,
            Format::Npz => network.npz(export.columns, export.answer, export.metadata)?,
        })
    }
}

/// A published network, with the hash of its file, which seeds the order of the examples.
#[derive(Debug)]
struct PublicModel {
    clear: Clear,
    model: Model,
    hash: [u8; 32],
}

impl PublicModel {
    /// Trains, or resumes. The result has the same bits, however often the training was interrupted.
    fn delta(
        &self,
        examples: &Examples,
        targets: &Targets,
        watch: &mut dyn TrainingWatch,
    ) -> Result<Delta, TrainError> {
        let (raw, schedule) = (examples.features(), &self.clear.schedule);
        // A checkpoint of other data or of another version of this program is ignored.
        let resume =
            |checkpoint: ModelFile| Training::resume(&checkpoint, &self.model, schedule, raw, targets, self.hash).ok();
        let mut training = match watch.checkpoint()?.and_then(resume) {
            Some(training) => {
                watch.resumed(training.progress());
                training
            }
            None => Training::start(&self.model, schedule, raw, targets, self.hash).map_err(FamilyError::new)?,
        };
        while training.step().map_err(FamilyError::new)?.is_some() {
            watch.step(training.progress(), &|| Zeroizing::new(training.checkpoint()))?;
        }
        Ok(training.finish())
    }
}

impl OpenedModel for PublicModel {
    /// The change of the network, clipped, and with noise if there is a privacy budget.
    fn train(&self, task: TrainingTask<'_>) -> Result<Vec<u8>, TrainError> {
        let TrainingTask { examples, targets, cost, mut coins, watch } = task;
        if let Some(cost) = cost {
            // Checked before a training of hours.
            self.clear.bears(cost, examples.len())?;
        }
        let delta = self.delta(examples, targets, watch)?;
        watch.trained();
        let (release, rows) = (&self.clear.release, examples.len());
        let update = match cost {
            Some(cost) => Update::new(&delta, release, self.hash, Some(cost), rows, &mut coins),
            // These coins only round and hide nothing, so that a repeated run after a crash gives the same bytes.
            None => Update::new(&delta, release, self.hash, None, rows, &mut StdRng::from_seed(self.hash)),
        };
        Ok(update.map_err(FamilyError::new)?.encode())
    }
}

impl Draft for Clear {
    const NAME: &'static str = "network";
    const REGIME: Regime = Regime::Clear;
    const ALGORITHMS: &'static [Algorithm] = &[NETWORK];

    fn check_file(file: &CampaignFile) -> Result<(), CampaignFileError> {
        let model = &file.model;
        if let Some(features) = model.features {
            return Err(CampaignFileError::model(
                "model.features",
                format!(
                    "`{features}` is for linear models, and a network of the clear regime learns its own features: leave it out, or set regime = \"encrypted\""
                ),
            ));
        }
        if model.backbone.is_some() {
            return Err(CampaignFileError::model(
                "model.backbone",
                "a backbone is for linear models: to start from this network, set it as model.initial, or set regime = \"encrypted\"",
            ));
        }
        if let (Some(network @ NetworkKind::Cnn(_)), None) = (&model.network, file.image()) {
            return Err(CampaignFileError::model(
                "model.network",
                format!("`{network}` needs an image, and the inputs are columns: use mlp:64,32, for example"),
            ));
        }
        if file.training.as_ref().is_some_and(|training| training.contains_key("rule")) {
            return Err(CampaignFileError::model(
                "training.rule",
                "a rule is for linear models; set optimiser, rate, batch and epochs for a network",
            ));
        }
        file.training::<NetworkTraining>().map(drop)
    }

    fn draft(brief: Brief<'_>) -> Result<(Self, String), DraftError> {
        let Brief { file, data, examples, seed, parent, .. } = brief;
        let (kind, why) = choose_network(file);
        let input = Input::fit(examples.features(), &data.ranges(), file.image())?;
        let network = kind.network(input, data.task.outputs());
        let network =
            network.map_err(|error| DraftError::Model(FamilyError::new(format!("model.network: {error}"))))?;
        let fitted = seed.seed(SEED_KIND, &seed_shape(&network));
        let (network, seed, what) = match parent {
            Some(parent) => {
                let Self { network, seed, .. } = inherit(parent, file, &network, fitted)?;
                (network.clone(), *seed, inherited(parent))
            }
            None => (network, fitted, explain(&kind, why)),
        };
        let training = file.training::<NetworkTraining>();
        let training = training.map_err(|error| DraftError::Model(FamilyError::new(error)))?.unwrap_or_default();
        let schedule = training.schedule(Schedule::default_for(&network, &data.task));
        let what = format!("{what} ({} weights)", network.parameters());
        Ok((Self { network, seed, schedule, release: training.release() }, what))
    }
}

/// The method of the parent, under whose constants the weights of its model have their meaning. What the campaign file
/// says about the network must agree with it.
fn inherit<'p>(
    parent: &'p Parent,
    file: &CampaignFile,
    fitted: &Network,
    seed: u32,
) -> Result<&'p Clear, ParentMismatch> {
    let clear = parent.manifest.method.clear().ok_or_else(|| parent.other_family())?;
    let same_layers = seed_shape(fitted) == seed_shape(&clear.network);
    if file.model.network.is_some() && !same_layers {
        return Err(parent.other_setting("network"));
    }
    if file.model.seed.is_some() && same_layers && seed != clear.seed {
        return Err(parent.other_setting("seed"));
    }
    Ok(clear)
}

/// The shapes of a network's tensors, from which the seeds of its starting model follow.
fn seed_shape(network: &Network) -> Vec<usize> {
    network.layout().into_iter().flat_map(|tensor| [vec![tensor.shape.len()], tensor.shape].concat()).collect()
}

/// The network that the campaign file names, or a default for the data with the reason.
fn choose_network(file: &CampaignFile) -> (NetworkKind, Option<&'static str>) {
    match (&file.model.network, file.image()) {
        (Some(kind), _) => (kind.clone(), None),
        (None, Some(_)) => (
            NetworkKind::Cnn(vec![16, 32]),
            Some("convolutions recognise strokes and edges wherever they are in an image"),
        ),
        (None, None) => (
            NetworkKind::Mlp(vec![64, 32]),
            Some("the columns are named quantities, and layers find combinations of them"),
        ),
    }
}

/// A network as safetensors without metadata of a campaign.
///
/// # Errors
/// Never in practice.
pub fn plain_network(model: &Model) -> Result<ModelFile, ModelError> {
    model.to_safetensors(HashMap::new()).map(Zeroizing::new)
}

fn write(model: &Model) -> Result<ModelFile, FamilyError> {
    plain_network(model).map_err(FamilyError::new)
}

const PARTIES: [PartyStatement; 4] = [
    PartyStatement {
        party: "Mine",
        learns: "the model and each version of it, and the public transcript",
        never_learns: "the validation set, beyond the bits above; other Mines' data; their updates until they are accepted",
        rests_on: "OpenPGP, and the limit on the transcript",
    },
    PartyStatement {
        party: "anybody",
        learns: "the same: versions are public, and with them the sum of a window's accepted updates",
        never_learns: "the validation set, updates that were not accepted, any data",
        rests_on: "the same",
    },
    PartyStatement {
        party: "Capsule",
        learns: "model, validation set, and every update: exactly, unless the Mine's owner has set a privacy budget",
        never_learns: "raw data, except what a network has memorised",
        rests_on: "the Mine, which sends nothing else; differential privacy for the updates themselves",
    },
    PartyStatement {
        party: "data scientist",
        learns: "the finished model, and what everybody learns",
        never_learns: "any Mine's data; an update that was not accepted",
        rests_on: "the Capsule, and OpenPGP",
    },
];
