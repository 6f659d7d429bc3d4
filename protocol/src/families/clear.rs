//! Networks that Mines train in the clear: the model is public, and only updates are sealed.

use std::collections::{BTreeMap, HashMap};

use rand::{SeedableRng as _, rngs::StdRng};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use syft::{Binding, Examples, Metric, Targets, Validation, VersionSeed, privacy::Zcdp};
use syft_nets::{
    Delta, Fall, Input, Model, ModelError, Network, NetworkKind, Optimiser, Release, Schedule, Training, Update,
};
use zeroize::Zeroizing;

use super::{
    draft::{Brief, Draft, DraftError, explain},
    export::{DeliveryError, Export, Format},
    family::{
        Algorithm, Evaluated, Family, FamilyError, Measured, MethodError, ModelFile, OpenedModel, Published,
        Recomputed, RowCost, TrainError, TrainingTask, TrainingWatch, Trial, TrialError, Window,
    },
    secrecy::{PartyStatement, Secrecy},
};
use crate::{
    backbone::network_file_limit,
    campaign::{CampaignFile, FileError},
    data::Schema,
    regime::Regime,
};

const NETWORK: Algorithm = Algorithm {
    name: "network",
    description: "Epochs of gradient descent on a network, in the clear: the clear regime",
};

/// A network, trained in the clear.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Clear {
    /// What it is made of, with the public constants that standardise raw columns.
    pub network: Network,
    /// From which the starting model follows, unless the data scientist brings one.
    pub seed: u32,
    /// How to train.
    pub schedule: Schedule,
    /// What of the training leaves a Mine.
    pub release: Release,
}

/// `[training]` of a network: all optional.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NetworkTraining {
    /// What becomes of a gradient: `"adam"` or `{ sgd = { momentum = 0.9 } }`.
    pub optimiser: Option<Optimiser>,
    /// Step size at the start.
    pub rate: Option<f64>,
    /// How it falls: `"constant"`, `"linear"` or `"cosine"`.
    pub fall: Option<Fall>,
    /// Examples of one step.
    pub batch: Option<usize>,
    /// How often each example is used.
    pub epochs: Option<u32>,
    /// In each step the parameters shrink by this share of the rate.
    pub weight_decay: Option<f64>,
    /// Euclidean norm to which an update is shortened.
    pub clip: Option<f64>,
    /// Share of an update's coordinates that is sent.
    pub keep: Option<f64>,
    /// Bits of a coordinate.
    pub bits: Option<u32>,
}

impl NetworkTraining {
    /// The usual schedule, with what the file says instead.
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

    /// The usual release, with what the file says instead.
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
    /// Where training starts without a model of the data scientist's: a network that says the same about everything, because its output
    /// layer is all zeros. So its accuracy can be foretold, and is that of a linear model of zeros.
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

    /// A file of a model has at most this number of bytes.
    #[must_use]
    pub fn file_limit(&self) -> usize {
        network_file_limit(&self.network)
    }

    /// Reads a model of the campaign's network, untrusted.
    ///
    /// # Errors
    /// When it is none.
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
            return Err(MethodError::Contradiction(
                "the network's inputs and outputs are not those of schema and task",
            ));
        }
        Ok(())
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
        Ok(Measured::new(model, validation, write))
    }

    /// It is published as it is; the seed protects nothing.
    fn publish(&self, model: &[u8], _: &VersionSeed, _: &Binding) -> Result<Published, FamilyError> {
        Ok(Published { material: model.to_vec(), hash: Sha256::digest(model).into() })
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

    fn evaluate(&self, window: &Window<'_>) -> Result<Evaluated, FamilyError> {
        let decoded = |bytes: &&[u8]| Update::decode(bytes, &self.network, &self.release, window.material).ok();
        let deltas = window.updates.iter().map(|bytes| decoded(bytes).map(|update| update.delta()));
        Measured::evaluate(window, &self.model(window.best)?, deltas)
    }

    fn recompute(&self, material: &[u8], _: Option<&VersionSeed>, _: &Binding) -> Recomputed {
        Recomputed { model: Some(Zeroizing::new(material.to_vec())), ..Recomputed::default() }
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

/// A published network, with the hash of its file, from which the order of the examples follows.
#[derive(Debug)]
struct PublicModel {
    clear: Clear,
    model: Model,
    hash: [u8; 32],
}

impl PublicModel {
    /// Trains, or resumes. What it leads to has the same bits, however often it was stopped.
    fn delta(
        &self,
        examples: &Examples,
        targets: &Targets,
        watch: &mut dyn TrainingWatch,
    ) -> Result<Delta, TrainError> {
        let (raw, schedule) = (examples.features(), &self.clear.schedule);
        // A checkpoint of other data is of no use, and neither is one of another version of this program.
        let resume = |checkpoint: ModelFile| {
            Training::resume(&checkpoint, &self.model, schedule, raw, targets, self.hash).ok()
        };
        let mut training = match watch.checkpoint()?.and_then(resume) {
            Some(training) => {
                watch.resumed(training.progress());
                training
            }
            None => {
                Training::start(&self.model, schedule, raw, targets, self.hash).map_err(FamilyError::new)?
            }
        };
        while training.step().map_err(FamilyError::new)?.is_some() {
            watch.step(training.progress(), &|| Zeroizing::new(training.checkpoint()))?;
        }
        Ok(training.finish())
    }
}

impl OpenedModel for PublicModel {
    /// The change of the network, shortened and with a budget noised.
    fn train(&self, task: TrainingTask<'_>) -> Result<Vec<u8>, TrainError> {
        let TrainingTask { examples, targets, cost, mut coins, watch } = task;
        if let Some(cost) = cost {
            // Nobody trains for hours to find that nothing can be told.
            self.clear.bears(cost, examples.len())?;
        }
        let delta = self.delta(examples, targets, watch)?;
        watch.trained();
        let (release, rows) = (&self.clear.release, examples.len());
        let update = match cost {
            Some(cost) => Update::new(&delta, release, self.hash, Some(cost), rows, &mut coins),
            // These coins only round, and hide nothing: what is made again after a crash is the same.
            None => Update::new(&delta, release, self.hash, None, rows, &mut StdRng::from_seed(self.hash)),
        };
        Ok(update.map_err(FamilyError::new)?.encode())
    }
}

impl Draft for Clear {
    const NAME: &'static str = "network";
    const REGIME: Regime = Regime::Clear;
    const ALGORITHMS: &'static [Algorithm] = &[NETWORK];

    fn check_file(file: &CampaignFile) -> Result<(), FileError> {
        let model = &file.model;
        if let Some(features) = model.features {
            return Err(FileError::model(
                "model.features",
                format!(
                    "`{features}` is for linear models; a network of the clear regime finds its own features: leave it out, or take regime = "encrypted""
                ),
            ));
        }
        if model.backbone.is_some() {
            return Err(FileError::model(
                "model.backbone",
                "a network of the clear regime is trained whole: give the one to start with as model.initial, or take regime = "encrypted"",
            ));
        }
        if let (Some(network @ NetworkKind::Cnn(_)), None) = (&model.network, file.image()) {
            return Err(FileError::model(
                "model.network",
                format!("`{network}` needs an image, and the inputs are columns: take mlp:64,32, for example"),
            ));
        }
        if file.training.as_ref().is_some_and(|training| training.contains_key("rule")) {
            return Err(FileError::model(
                "training.rule",
                "rules are for linear models; a network has optimiser, rate, batch and epochs",
            ));
        }
        file.training::<NetworkTraining>().map(drop)
    }

    fn draft(brief: Brief<'_>) -> Result<(Self, String), DraftError> {
        let Brief { file, data, examples, seed, .. } = brief;
        let (kind, why) = choose_network(file);
        let input = Input::fit(examples.features(), &data.ranges(), file.image())?;
        let network = kind.network(input, data.task.outputs());
        let network =
            network.map_err(|error| DraftError::Model(FamilyError::new(format!("model.network: {error}"))))?;
        let training = file.training::<NetworkTraining>();
        let training = training.map_err(|error| DraftError::Model(FamilyError::new(error)))?.unwrap_or_default();
        let schedule = training.schedule(Schedule::default_for(&network, &data.task));
        let what = format!("{} ({} weights)", explain(&kind, why), network.parameters());
        Ok((Self { network, seed, schedule, release: training.release() }, what))
    }
}

/// The network that the campaign file names as backbone, and where its weights are on IPFS.
    pub backbone: Option<(Model, Digest)>,
    /// The data scientist's account.
    pub owner: Address,
    /// To whom the model is delivered.
    pub scientist: Recipient,
    /// Contract of the token; zero for ETH.
    pub token: Address,
    /// The bounty in the token's smallest unit.
    pub bounty: Amount,
    /// The Capsule.
    pub capsule: CapsuleTerms,
    /// Unix time.
    pub now: u64,
    /// 32 fresh random bytes, kept from everybody but the Capsule.
    pub bundle_salt: Zeroizing<[u8; 32]>,
    /// 32 random bytes that make the campaign unlike any other.
    pub salt: B256,
    /// The keys to which seeds are handed over.
    pub audit: AuditSecret,
}

/// The data scientist's OpenPGP certificate, as the manifest and the bundle carry it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recipient {
    /// In binary form.
    pub certificate: Vec<u8>,
    /// In upper-case hexadecimal.
    pub fingerprint: String,
    /// Unix time; nothing if it does not expire.
    pub expires: Option<u64>,
}

impl From<&Certificate> for Recipient {
    fn from(certificate: &Certificate) -> Self {
        Self {
            certificate: certificate.encode(),
            fingerprint: certificate.fingerprint(),
            expires: certificate.expires(),
        }
    }
}

/// What the terms say about the Capsule.
#[derive(Clone, Debug)]
pub struct CapsuleTerms {
    /// Its operator.
    pub operator: Address,
    /// Its attestation key.
    pub attester: Address,
    /// Its fee.
    pub fee_ppm: u32,
    /// Wei of its stake that the campaign locks.
    pub stake: Amount,
    /// Its OpenPGP fingerprint.
    pub fingerprint: String,
}

/// Why a campaign is not launched.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// The bounty is nothing, or more than the contract can hold.
    #[error("the bounty must be more than nothing, and fit into 128 bits")]
    Bounty,
    /// The deadline has passed.
    #[error("the deadline has passed")]
    PastDeadline,
    /// The Capsule might have to deliver to a certificate that has expired.
    #[error(
        "the OpenPGP certificate {fingerprint} expires at {}, but the model may be delivered as late as {}: extend the \
         certificate and its subkeys (with GnuPG: `gpg --quick-set-expire`), use a key that does not expire, or choose an \
         earlier deadline",
        time(*.expires), time(*.needed)
    )]
    CertificateExpires {
        /// The certificate.
        fingerprint: String,
        /// When it expires, as unix time.
        expires: u64,
        /// How long it is needed, as unix time.
        needed: u64,
    },
    /// The target is not above the start.
    #[error("{0}")]
    Ladder(#[from] LadderError),
    /// The claimed start is not what the starting model does.
    #[error(
        "the starting model has an accuracy of {}, but accuracy.start claims {}; write what it has, or raise accuracy.tolerance",
        percent(*.measured),
        percent(*.claimed)
    )]
    Start {
        /// As measured.
        measured: u32,
        /// As claimed.
        claimed: u32,
    },
    /// The validation set is no table.
    #[error("the validation set: {0}")]
    Table(#[from] TableError),
    /// The validation set does not fit the file's inputs and task.
    #[error("the validation set does not fit inputs and task:\n{0}")]
    Misfit(#[from] FitReport),
    /// The validation set is too long.
    #[error("the validation set: {0}")]
    Rows(#[from] TooManyRows),
    /// Nothing can be measured: of the starting model, or on the validation set.
    #[error("{0}")]
    Trial(#[from] TrialError),
    /// The backbone reads other data.
    #[error("model.backbone: {0}")]
    Backbone(syft::DataError),
    /// The backbone is too large.
    #[error("model.backbone: {0}")]
    BackboneSize(NetworkError),
    /// The features cannot be made.
    #[error("the features of the validation set: {0}")]
    Features(#[from] syft::DataError),
    /// The model is too large.
    #[error("{0}")]
    Parameters(#[from] ParametersError),
    /// The network is none for these data, or too large.
    #[error("model.network: {0}")]
    Network(#[from] NetworkError),
    /// The grid does not fit the validation set.
    #[error("accuracy.grid: {0}")]
    Grid(#[from] syft::UnitError),
    /// A target between two grid values, which no model could be attested to have reached.
    #[error(
        "accuracy.target of {} is between two steps of the grid of {}: take {} or {}, or another accuracy.grid",
        percent(target.get()), percent(*grid), percent(target.get() / grid * grid), percent(target.get() / grid * grid + grid)
    )]
    TargetOffGrid {
        /// The target.
        target: syft::Ppm,
        /// The grid in parts per million.
        grid: u32,
    },
    /// A limit that the contract would not take.
    #[error("limits.{field} = {value} must be {must}")]
    Limit {
        /// Which limit.
        field: &'static str,
        /// Its value.
        value: u64,
        /// What is allowed.
        must: &'static str,
    },
    /// A window that cannot become full.
    #[error(
        "limits.window = {window} is more than the {submissions} submissions that the campaign takes in all: take fewer, or a larger model, \
         about which more may be said"
    )]
    Window {
        /// Submissions that fill a window.
        window: u16,
        /// Submissions in all.
        submissions: u32,
    },
    /// A stake that the contract would not take.
    #[error(
        "limits.submission_stake of {} must be between 0 ETH and {}, in steps of {}",
        eth(*.0), eth(MAX_SUBMISSION_STAKE.into()), eth(STAKE_UNIT.into())
    )]
    Stake(Amount),
    /// A stake that is worth more than what it can bring.
    #[error("limits.submission_stake of {} is more than the {} that one grid step pays", eth(*.stake), eth(*.step))]
    StakeAboveStep {
        /// The stake.
        stake: Amount,
        /// What a grid step pays.
        step: Amount,
    },
    /// The manifest makes no sense.
    #[error("{0}")]
    Manifest(#[from] ManifestError),
}

/// What a launch will do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The manifest, without the digest of the sealed bundle.
    manifest: Manifest,
    /// To be sealed to the Capsule.
    pub bundle: Bundle,
    /// The terms, without the digest of the manifest.
    terms: Terms,
    /// What the data scientist should know before she pays.
    pub outlook: Outlook,
}

/// What the data scientist should know before she pays.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outlook {
    /// Accuracy of the starting model, as measured here.
    pub start_ppm: u32,
    /// Bits that public verdicts can say about the model at most.
    pub leak_bits: f64,
    /// Who may see the model.
    pub regime: Regime,
    /// What the model reads, or what network it is, and why if the campaign file does not say.
    pub model: String,
    /// What speaks against it.
    pub warnings: Vec<String>,
}

impl Plan {
    /// The manifest, now that the sealed bundle is on IPFS.
    #[must_use]
    pub fn manifest(&self, bundle: Digest) -> Manifest {
        Manifest { bundle, ..self.manifest.clone() }
    }

    /// The terms, now that the manifest is on IPFS.
    #[must_use]
    pub fn terms(&self, manifest: Digest) -> Terms {
        Terms { manifest: manifest.into(), ..self.terms.clone() }
    }
}

/// Plans a launch.
///
/// # Errors
/// Everything that the contract or the Capsule would refuse later is refused here, by name.
pub fn plan(file: &CampaignFile, inputs: Inputs) -> Result<Plan, LaunchError> {
    let bounty = u128::try_from(inputs.bounty.0).ok().filter(|bounty| *bounty > 0);
    let bounty = bounty.ok_or(LaunchError::Bounty)?;
    let deadline = file.deadline.from(inputs.now);
    if deadline <= inputs.now {
        return Err(LaunchError::PastDeadline);
    }
    let data = file.schema();
    let table = data::read_csv(inputs.validation.as_slice(), &data::Limits::default())?;
    let raw = data.fit(&table)?;
    let (backbone, embedding) = inputs.backbone.map(with_weights).unzip();
    if let Some(backbone) = &backbone {
        backbone::check_size(&backbone.network).map_err(LaunchError::BackboneSize)?;
        let (rows, most) = (raw.len(), backbone.most_rows());
        (rows <= most).then_some(()).ok_or(TooManyRows { rows, most })?;
    }
    let examples = embedding.unwrap_or_default().apply(raw).map_err(LaunchError::Backbone)?;
    let usual = || inputs.salt.0.first_chunk().copied().map(u32::from_be_bytes);
    let seed = file.model.seed.or_else(usual).unwrap_or_default();
    let (method, model) = choose_method(file, &data, &examples, backbone, seed)?;
    method.check_rows(examples.len())?;
    let accuracy = Accuracy {
        start: file.accuracy.start,
        target: file.accuracy.target,
        grid: grid_for(file.accuracy.grid.map(syft::Ppm::get), examples.len())?,
        tolerance: file.accuracy.tolerance,
    };
    let ladder = accuracy.ladder()?;
    let limits = limits(file, budget::default_limits(method.weights(), &ladder))?;
    let bundle = Bundle {
        salt: inputs.bundle_salt,
        validation: inputs.validation,
        initial: inputs.initial,
        certificate: inputs.scientist.certificate,
    };
    let manifest = Manifest {
        schema: Manifest::form(),
        name: file.name.clone(),
        description: file.description.clone(),
        mode: file.mode,
        metric: file.metric(),
        data,
        method,
        accuracy,
        limits,
        scientist: inputs.scientist.fingerprint.clone(),
        capsule: inputs.capsule.fingerprint.clone(),
        audit: inputs.audit.keys(limits.accepts),
        bundle: Digest([0; 32]),
        commitments: bundle.commitments(),
    };
    manifest.encode()?;
    let start = AnyTrial::new(&manifest, &examples, bundle.initial.as_ref().map(|bytes| bytes.as_slice()))?;
    let measured = measure(&accuracy, start.accuracy())?;
    let terms = Terms {
        owner: inputs.owner,
        token: inputs.token,
        bounty,
        startPpm: accuracy.start.get(),
        tolerancePpm: accuracy.tolerance.get(),
        targetPpm: accuracy.target.get(),
        gridPpm: accuracy.grid.ppm(),
        maxSubmissions: limits.submissions,
        maxAccepts: limits.accepts,
        windowSize: limits.window,
        windowSeconds: limits.window_seconds,
        capPerVersion: limits.cap_per_version,
        deadline,
        activationSeconds: file.limits.activation_seconds.unwrap_or(CAPSULE_SECONDS),
        evaluationSeconds: file.limits.evaluation_seconds.unwrap_or(CAPSULE_SECONDS),
        deliverySeconds: file.limits.delivery_seconds.unwrap_or(DELIVERY_SECONDS),
        audit: AuditTerms { period: audit_seconds(file)?, keys: keys_root(&manifest.audit) },
        capsule: inputs.capsule.operator,
        attester: inputs.capsule.attester,
        feePpm: inputs.capsule.fee_ppm,
        stake: u128::try_from(inputs.capsule.stake.0).unwrap_or(u128::MAX),
        submissionStake: submission_stake(file, inputs.token, bounty, &accuracy)?,
        manifest: B256::ZERO,
        salt: inputs.salt,
    };
    let needed = bundle::certificate_needed_until(&terms);
    if let Some(expires) = inputs.scientist.expires.filter(|expires| *expires < needed) {
        return Err(LaunchError::CertificateExpires { fingerprint: inputs.scientist.fingerprint, expires, needed });
    }
    Ok(Plan {
        outlook: Outlook {
            start_ppm: measured,
            leak_bits: limits.budget().bits(&ladder),
            regime: manifest.method.regime(),
            model,
            warnings: warnings(&manifest.method),
        },
        manifest,
        bundle,
        terms,
    })
}

/// What is trained, and what the data scientist should know about the choice.
fn choose_method(
    file: &CampaignFile,
    data: &Schema,
    examples: &Examples,
    backbone: Option<Backbone>,
    seed: u32,
) -> Result<(Method, String), LaunchError> {
    Ok(match file.model.regime {
        Regime::Encrypted => {
            let (kind, why) = choose_features(file, data);
            let ranges = backbone.as_ref().map_or_else(|| data.ranges(), |_| spans(examples.features()));
            let features = FeatureMap::fit(examples.features(), &ranges, kind, file.image(), seed)?;
            let shape = Shape { inputs: features.inputs(), outputs: data.task.outputs() };
            let is_embedded = backbone.is_some() && matches!(data.task, Task::Classification { .. });
            let (usual, labels) = if is_embedded {
                (Rule::close(&features), Labels::small(shape.outputs))
            } else {
                (Rule::default_for(&data.task, &features), Labels::default_for(&features, shape.outputs))
            };
            let rule = match file.training {
                Some(TrainingTable::Rule(rule)) => rule,
                _ => usual,
            };
            let what = backbone.as_ref().map_or_else(String::new, reading);
            let parameters = Parameters::linear(shape)?;
            let linear = Linear { backbone, rule, labels, shape, parameters, features };
            (Method::Encrypted(linear), said(&kind, why) + &what)
        }
        Regime::Clear => {
            let (kind, why) = choose_network(file);
            let input = Input::fit(examples.features(), &data.ranges(), file.image())?;
            let network = kind.network(input, data.task.outputs())?;
            let training = match file.training {
                Some(TrainingTable::Network(training)) => training,
                _ => NetworkTraining::default(),
            };
            let schedule = training.schedule(Schedule::default_for(&network, &data.task));
            let what = format!("{} ({} weights)", said(&kind, why), network.parameters());
            (Method::Clear(Clear { network, seed, schedule, release: training.release() }), what)
        }
    })
}

/// A backbone with its weights.
fn with_weights((model, weights): (Model, Digest)) -> (Backbone, Embedding) {
    (Backbone { network: model.network().clone(), weights }, Embedding::of(model))
}

/// Between which numbers all activations are. Those of a layer have one scale, unlike columns.
fn spans(activations: &Matrix) -> Vec<(f64, f64)> {
    let values = activations.values().iter();
    let span = values.fold((0.0_f64, 0.0_f64), |(least, greatest), &x| (least.min(x), greatest.max(x)));
    vec![span; activations.columns()]
}

fn reading(backbone: &Backbone) -> String {
    let Backbone { network, .. } = backbone;
    format!(" (on {} activations of a public network of {} weights)", network.activations(), network.parameters())
}

fn said(kind: &dyn std::fmt::Display, why: Option<&str>) -> String {
    why.map_or_else(|| kind.to_string(), |why| format!("{kind}: {why}"))
}

/// The network that the campaign file names, or one that goes with the data and the reason.
fn choose_network(file: &CampaignFile) -> (NetworkKind, Option<&'static str>) {
    match (&file.model.network, file.image()) {
        (Some(kind), _) => (kind.clone(), None),
        (None, Some(_)) => (
            NetworkKind::Cnn(vec![16, 32]),
            Some("convolutions recognise strokes and edges wherever they are in an image"),
        ),
        (None, None) => (
            NetworkKind::Mlp(vec![64, 32]),
            Some("the columns are named quantities, of which layers find combinations"),
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
        learns: "the same: versions are public, so the sum of what a window's accepted updates changed is, too",
        never_learns: "the validation set, updates that were not accepted, any data",
        rests_on: "the same",
    },
    PartyStatement {
        party: "Capsule",
        learns: "model, validation set, and every update: exactly, unless the Mine's owner set a privacy budget",
        never_learns: "raw data, but for what a network has learnt of it by heart",
        rests_on: "the Mine, which sends nothing else; differential privacy for the updates themselves",
    },
    PartyStatement {
        party: "data scientist",
        learns: "the finished model, and what anybody does",
        never_learns: "any Mine's data; an update that was not accepted",
        rests_on: "the Capsule, and OpenPGP",
    },
];
