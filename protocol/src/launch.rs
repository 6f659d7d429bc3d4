//! From a campaign file to what goes on IPFS and on the chain: decisions only, no I/O.

use alloy::primitives::{Address, B256};
use serde::{Deserialize, Serialize};
use sonar_contracts::{AuditTerms, MAX_SUBMISSION_STAKE, STAKE_UNIT, Terms, payout};
use syft::{Grid, LadderError, Ppm, budget};
use syft_nets::{Model, NetworkError};
use zeroize::Zeroizing;

use crate::{
    backbone::{self, Backbone, Embedding},
    bundle::{self, Bundle, validation_limits},
    campaign::{AccuracyTable, CampaignFile},
    data::{self, FitReport, Header, TableError},
    families::{self, Brief, DraftError, Method, TooManyRows, TrialError},
    handover::{AuditSecret, keys_root},
    ids::Digest,
    manifest::{Accuracy, CampaignLimits, Manifest, ManifestError},
    pgp::Certificate,
    regime::Regime,
    units::{Amount, TokenUnit, percent, time},
};

/// Submissions that fill a window, if the file does not say.
const WINDOW: u16 = 8;
/// Seconds until a window closes that is not full.
const WINDOW_SECONDS: u32 = 600;
/// Submissions of one miner to one version.
const CAP_PER_VERSION: u16 = 1;
/// Seconds for activation and for each evaluation.
const CAPSULE_SECONDS: u32 = 3_600;
/// Seconds for delivery.
const DELIVERY_SECONDS: u32 = 86_400;
/// Seconds for the audit: a week.
const AUDIT_SECONDS: u32 = 604_800;
/// No audit is over sooner than an hour, and no stake may be kept for more than thirty days.
const AUDIT_BOUNDS: std::ops::RangeInclusive<u32> = 3_600..=2_592_000;

/// A campaign that does not say asks for this part of what one grid step pays as the stake of a submission …
const STAKE_PART: u128 = 10;
/// … but for no more wei than this …
const MOST_USUAL_STAKE: u128 = 1_000 * STAKE_UNIT;
/// … and for so many when the bounty is not in ETH.
const TOKEN_STAKE: u128 = 500 * STAKE_UNIT;

/// All that a launch depends on, besides the campaign file.
#[derive(Clone, Debug)]
pub struct Inputs {
    /// The validation set as CSV.
    pub validation: Zeroizing<Vec<u8>>,
    /// The starting model as safetensors.
    pub initial: Option<Zeroizing<Vec<u8>>>,
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
        "the starting model has an accuracy of {}, but accuracy.start claims {}; leave accuracy.start out to claim what is measured, or raise accuracy.tolerance",
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
    /// There is no such model of the validation set.
    #[error(transparent)]
    Draft(#[from] DraftError),
    /// The grid does not fit the validation set.
    #[error("accuracy.grid: {0}")]
    Grid(#[from] syft::UnitError),
    /// A target between two grid values, which no model could be attested to have reached.
    #[error(
        "accuracy.target of {} is between two steps of the grid of {}: choose {}, or leave accuracy.grid out",
        percent(target.get()), percent(*grid), neighbours(*target, *grid)
    )]
    TargetOffGrid {
        /// The target.
        target: Ppm,
        /// The grid in parts per million.
        grid: u32,
    },
    /// A target that is lower than every grid that the validation set allows.
    #[error(
        "accuracy.target of {} is less than the finest grid for this validation set, {}: choose a higher target, or add rows to the \
         validation set",
        percent(target.get()), percent(*finest)
    )]
    TargetBelowGrid {
        /// The target.
        target: Ppm,
        /// The finest grid in parts per million.
        finest: u32,
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
    let columns = data.inputs.iter().map(|input| &input.name).chain([&data.target]).cloned().collect();
    let table = data::read_csv_with(&inputs.validation, &Header::Expected(columns), &validation_limits())?;
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
    let (method, model) = families::draft(Brief { file, data: &data, examples: &examples, backbone, seed })?;
    method.check_rows(examples.len())?;
    let initial = inputs.initial.as_ref().map(|bytes| bytes.as_slice());
    let targets = data.targets(&examples).map_err(TrialError::from)?;
    let measured = method.trial(&examples, targets, file.metric(), initial)?.accuracy();
    let accuracy = accuracy(file, measured, examples.len())?;
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
    check_accuracy(&accuracy, measured)?;
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
            start_ppm: measured.get(),
            leak_bits: limits.budget().bits(&ladder),
            regime: manifest.method.regime(),
            model,
            warnings: warnings(&manifest.method)
                .into_iter()
                .chain(coarse_grid(file, &accuracy, examples.len()))
                .collect(),
        },
        manifest,
        bundle,
        terms,
    })
}

/// A backbone with its weights.
fn with_weights((model, weights): (Model, Digest)) -> (Backbone, Embedding) {
    (Backbone { network: model.network().clone(), weights }, Embedding::of(model))
}

fn limits(file: &CampaignFile, usual: budget::Limits) -> Result<CampaignLimits, LaunchError> {
    let wanted = &file.limits;
    let submissions = u32::try_from(usual.submissions).unwrap_or(u32::MAX).min(65_535);
    let accepts = u16::try_from(usual.accepts).unwrap_or(u16::MAX).min(255);
    let limits = CampaignLimits {
        submissions: wanted.submissions.unwrap_or(submissions),
        accepts: wanted.accepts.unwrap_or(accepts),
        window: wanted.window.unwrap_or_else(|| WINDOW.min(u16::try_from(submissions).unwrap_or(WINDOW))),
        window_seconds: wanted.window_seconds.unwrap_or(WINDOW_SECONDS),
        cap_per_version: wanted.cap_per_version.unwrap_or(CAP_PER_VERSION),
    };
    let bounds: [(&'static str, u32, u32, &'static str); 5] = [
        ("submissions", limits.submissions, 65_535, "between 1 and 65535"),
        ("accepts", limits.accepts.into(), 255, "between 1 and 255"),
        ("window", limits.window.into(), 64, "between 1 and 64"),
        ("window_seconds", limits.window_seconds, (1 << 24) - 1, "between 1 and 16777215"),
        ("cap_per_version", limits.cap_per_version.into(), 255, "between 1 and 255"),
    ];
    if let Some((field, value, _, must)) = bounds.into_iter().find(|(_, value, most, _)| !(1..=*most).contains(value)) {
        return Err(LaunchError::Limit { field, value: value.into(), must });
    }
    // No window would ever be full, and all would wait for its time to pass.
    if u32::from(limits.window) > limits.submissions {
        let (window, submissions) = (limits.window, limits.submissions);
        return Err(LaunchError::Window { window, submissions });
    }
    Ok(limits)
}

/// How long the Capsule's stake stays locked after its delivery.
fn audit_seconds(file: &CampaignFile) -> Result<u32, LaunchError> {
    let seconds = file.limits.audit_seconds.unwrap_or(AUDIT_SECONDS);
    let must = "between 3600 and 2592000, an hour and thirty days";
    let limit = LaunchError::Limit { field: "audit_seconds", value: seconds.into(), must };
    AUDIT_BOUNDS.contains(&seconds).then_some(seconds).ok_or(limit)
}

/// The stake of a submission: what the file says, or a part of what one grid step pays.
fn submission_stake(
    file: &CampaignFile,
    token: Address,
    bounty: u128,
    accuracy: &Accuracy,
) -> Result<u128, LaunchError> {
    let step = payout(bounty, accuracy.target.get(), 0, accuracy.grid.ppm());
    let Some(wanted) = file.limits.submission_stake else {
        let usual = if token.is_zero() { (step / STAKE_PART).min(MOST_USUAL_STAKE) } else { TOKEN_STAKE };
        return Ok(usual - usual % STAKE_UNIT);
    };
    let fits = |stake: &u128| *stake <= MAX_SUBMISSION_STAKE && stake.is_multiple_of(STAKE_UNIT);
    let stake = u128::try_from(wanted.0).ok().filter(fits).ok_or(LaunchError::Stake(wanted))?;
    if token.is_zero() && stake > step {
        return Err(LaunchError::StakeAboveStep { stake: wanted, step: step.into() });
    }
    Ok(stake)
}

fn eth(amount: Amount) -> String {
    TokenUnit::eth().format(amount)
}

/// How accuracy is measured and paid: as the file says, or as the measured start, the target and the number of rows allow.
fn accuracy(file: &CampaignFile, measured: Ppm, rows: usize) -> Result<Accuracy, LaunchError> {
    let AccuracyTable { start, target, grid, tolerance } = file.accuracy;
    let grid = match grid {
        Some(grid) => Grid::for_rows(grid.get(), rows)?,
        None => Grid::finest_for_target(target, rows)
            .ok_or(LaunchError::TargetBelowGrid { target, finest: Grid::finest_for_rows(rows).ppm() })?,
    };
    // The claim is public: it says no more about the validation set than the Capsule will.
    let start = start.unwrap_or_else(|| measured.floor_to_grid(grid));
    Ok(Accuracy { start, target, grid, tolerance })
}

/// Compares what the Capsule will measure with the claim as the contract will.
fn check_accuracy(accuracy: &Accuracy, measured: Ppm) -> Result<(), LaunchError> {
    let (grid, claimed) = (accuracy.grid, accuracy.start);
    let apart = measured.floor_to_grid(grid).get().abs_diff(claimed.floor_to_grid(grid).get());
    if apart > accuracy.tolerance.get() + grid.ppm() {
        return Err(LaunchError::Start { measured: measured.get(), claimed: claimed.get() });
    }
    if !accuracy.target.is_on(grid) {
        return Err(LaunchError::TargetOffGrid { target: accuracy.target, grid: grid.ppm() });
    }
    // The target must be above what the Capsule will attest, too.
    accuracy.ladder_from(measured.floor_to_grid(grid))?;
    Ok(())
}

/// The grid values around a target that is none of them.
fn neighbours(target: Ppm, grid: u32) -> String {
    let below = target.get() / grid * grid;
    let around = [below, below + grid].into_iter().filter(|ppm| (1..=Ppm::ONE.get()).contains(ppm));
    around.map(percent).collect::<Vec<_>>().join(" or ")
}

/// Warns if few divisors of the target made the grid much coarser than the validation set allows.
fn coarse_grid(file: &CampaignFile, accuracy: &Accuracy, rows: usize) -> Option<String> {
    let (grid, finest) = (accuracy.grid.ppm(), Grid::finest_for_rows(rows).ppm());
    (file.accuracy.grid.is_none() && grid >= 2 * finest).then(|| {
        format!(
            "accuracy is published and paid in steps of {}, although the validation set allows {}: no finer step divides the target of \
             {}; choose a rounder accuracy.target",
            percent(grid),
            percent(finest),
            percent(accuracy.target.get())
        )
    })
}

fn warnings(method: &Method) -> Vec<String> {
    let weights = method.weights();
    let clear = method.regime().is_public().then(|| {
        "clear regime: every Mine, and anyone who fetches it from IPFS, sees the model and each version of it; only the updates and \
         your validation set are sealed"
            .into()
    });
    let small = (clear.is_none() && budget::not_secret(weights)).then(|| {
        format!(
            "the model has {weights} weights; below {} it cannot be called secret: what is said in public about accepted updates may \
             be enough to rebuild it",
            budget::LEAST_SECRET_WEIGHTS
        )
    });
    let backbone = method.backbone().map(|_| {
        "the backbone becomes public, for good: whatever it has learnt by heart of the data that it was trained on, everybody can read".into()
    });
    clear.into_iter().chain(small).chain(backbone).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::bundle::BundleError;
    pub(crate) use crate::campaign::tests::TEXT;
    use alloy::signers::local::PrivateKeySigner;
    use proptest::prelude::*;
    use std::sync::LazyLock;
    use syft_nets::{Input, NetworkKind};

    pub(crate) fn inputs() -> Inputs {
        let rows: String = (0..20)
            .map(|row| format!("{},{},{}\n", row % 10, f64::from(row) / 20.0, ["no", "yes"][usize::from(row % 10 > 0)]))
            .collect();
        Inputs {
            validation: Zeroizing::new(format!("a,b,y\n{rows}").into_bytes()),
            initial: None,
            backbone: None,
            owner: Address::repeat_byte(1),
            scientist: Recipient { certificate: b"certificate".to_vec(), fingerprint: "AB".repeat(20), expires: None },
            token: Address::ZERO,
            bounty: Amount::from(1_000_u128),
            capsule: CapsuleTerms {
                operator: Address::repeat_byte(2),
                attester: Address::repeat_byte(3),
                fee_ppm: 10_000,
                stake: Amount::ZERO,
                fingerprint: "CD".repeat(20),
            },
            now: 1_800_000_000,
            bundle_salt: Zeroizing::new([5; 32]),
            salt: B256::repeat_byte(6),
            audit: AuditSecret::of(&PrivateKeySigner::from_bytes(&B256::repeat_byte(7)).unwrap(), B256::repeat_byte(6)),
        }
    }

    pub(crate) fn planned(from: &str, to: &str) -> Result<Plan, LaunchError> {
        let text = TEXT.replace(from, to);
        assert!(from.is_empty() || text != TEXT);
        plan(&CampaignFile::parse(&text).unwrap(), inputs())
    }

    #[test]
    fn manifest_bundle_and_terms_agree() {
        let plan = planned("", "").unwrap();
        let manifest = plan.manifest(Digest([9; 32]));
        let bytes = manifest.encode().unwrap();
        assert_eq!(Manifest::decode(&bytes).unwrap(), manifest);
        manifest.matches(&plan.terms(Digest([8; 32]))).unwrap();
        let bundle = Bundle::decode(&plan.bundle.encode()).unwrap();
        let checked = bundle.check(&manifest, &Embedding::none()).unwrap();
        assert_eq!(checked.start.rows(), 20);
        assert_eq!(checked.certificate, b"certificate");
        assert_eq!(manifest.accuracy.grid.ppm(), 50_000, "one row of twenty");
        assert_eq!(plan.outlook.start_ppm, 100_000);
    }

    #[test]
    fn a_network_is_planned_as_the_file_says() {
        let text = "[model]\nregime = \"clear\"\nseed = 3\n[training]\nepochs = 2\nbits = 6\n";
        let file = CampaignFile::parse(&format!("{TEXT}{text}")).unwrap();
        let plan = plan(&file, inputs()).unwrap();
        assert_eq!(plan.outlook.regime, Regime::Clear);
        assert!(
            plan.outlook.model.starts_with("mlp:64,32: the columns are named quantities"),
            "{}",
            plan.outlook.model
        );
        assert!(plan.outlook.warnings[0].contains("every Mine"), "{:?}", plan.outlook.warnings);
        assert_eq!(plan.outlook.start_ppm, 100_000, "it says the same about everything");
        let manifest = plan.manifest(Digest([9; 32]));
        let bytes = manifest.encode().unwrap();
        assert_eq!(Manifest::decode(&bytes).unwrap(), manifest);
        let clear = manifest.method.clear().unwrap();
        assert_eq!((clear.seed, clear.schedule.epochs, clear.release.bits), (3, 2, 6));
        let checked = Bundle::decode(&plan.bundle.encode()).unwrap().check(&manifest, &Embedding::none()).unwrap();
        assert_eq!(checked.start.accuracy().get(), 100_000);
        // What the Capsule publishes is always the same file.
        assert_eq!(checked.start.file().unwrap(), crate::families::plain_network(&clear.initial()).unwrap());
    }

    /// A public network of two columns, that a campaign of this text reads through.
    fn through(text: &str, layers: &[usize], columns: usize) -> Result<Plan, LaunchError> {
        let input = Input::Columns(vec![syft::Column { center: 5.0, spread: 5.0 }; columns]);
        let network = NetworkKind::Mlp(layers.to_vec()).network(input, 4).unwrap();
        let backbone = Some((Model::initial(&network, &[1; 32]), Digest([4; 32])));
        let file = format!("{TEXT}[model]\nbackbone = \"b.safetensors\"\n{text}");
        plan(&CampaignFile::parse(&file).unwrap(), Inputs { backbone, ..inputs() })
    }

    #[test]
    fn a_backbone_becomes_a_part_of_the_manifest() {
        let plan = through("", &[30], 2).unwrap();
        let Outlook { model, warnings, .. } = &plan.outlook;
        assert!(model.contains("identity") && model.contains("30 activations"), "{model}");
        assert!(warnings.iter().any(|warning| warning.contains("becomes public")), "{warnings:?}");
        let manifest = plan.manifest(Digest([9; 32]));
        let manifest = Manifest::decode(&manifest.encode().unwrap()).unwrap();
        assert_eq!(manifest.method.backbone().unwrap().weights, Digest([4; 32]));
        let statement =
            crate::statement::PrivacyStatement::new(&manifest, crate::statement::Progress::default()).unwrap();
        assert!(statement.to_string().contains("a public network: its 214 weights"), "{statement}");
        assert_eq!(manifest.method.weights(), 31 * 2, "the backbone is not among what is trained");

        let bundle = Bundle::decode(&plan.bundle.encode()).unwrap();
        let model = Model::initial(&manifest.method.backbone().unwrap().network, &[1; 32]);
        let checked = bundle.check(&manifest, &Embedding::of(model)).unwrap();
        assert_eq!(checked.start.accuracy().get(), plan.outlook.start_ppm);
        let forgotten = bundle.check(&manifest, &Embedding::none()).unwrap_err();
        assert!(forgotten.to_string().contains("the data has 2 columns, the model expects 30"), "{forgotten}");
        let without = planned("", "").unwrap().manifest(Digest([9; 32])).encode().unwrap();
        assert!(!String::from_utf8(without).unwrap().contains("backbone"), "nothing is said of what is not there");
    }

    #[test]
    fn a_validation_set_may_not_be_too_long() {
        let method = through("features = \"random-relu:4000\"", &[30], 2).unwrap().manifest(Digest([9; 32])).method;
        let most = method.most_rows();
        assert!((10_000..20_000).contains(&most), "half a gigabyte: {most}");
        assert_eq!(method.check_rows(most), Ok(()));
        assert_eq!(method.check_rows(most + 1), Err(TooManyRows { rows: most + 1, most }));
        let small = planned("", "").unwrap().manifest(Digest([9; 32])).method;
        assert!(small.most_rows() > 5_000_000);
        // Whoever has launched it all the same is refused before any work is done.
        let file = CampaignFile::parse(&format!("{TEXT}[model]\nfeatures = \"random-relu:4000\"")).unwrap();
        let plan = plan(&file, inputs()).unwrap();
        let validation = format!("a,b,y\n{}", "1,0.5,no\n".repeat(most + 1)).into_bytes().into();
        let bundle = Bundle { validation, ..plan.bundle.clone() };
        let manifest = Manifest { commitments: bundle.commitments(), ..plan.manifest(Digest([9; 32])) };
        let long = bundle.check(&manifest, &Embedding::none()).unwrap_err().to_string();
        assert!(long.contains("rows; with this model at most"), "{long}");
    }

    #[test]
    fn a_backbone_that_does_not_fit_is_refused() {
        let refusal = |text: &str, layers: &[usize], columns| through(text, layers, columns).unwrap_err().to_string();
        let columns = refusal("", &[30], 3);
        assert_eq!(columns, "model.backbone: the data has 2 columns, the model expects 3");
        assert!(refusal("", &[5_000], 2).contains("5000 activations before its output"));
        assert!(refusal("features = \"random-relu:5000\"", &[30], 2).contains("5000 features"));
    }

    #[test]
    fn a_starting_model_of_another_kind_is_refused() {
        let sealed = format!("{TEXT}[model]\nregime = \"clear\"\n");
        let with = |text: &str, initial: &[u8]| {
            let inputs = Inputs { initial: Some(Zeroizing::new(initial.to_vec())), ..inputs() };
            plan(&CampaignFile::parse(text).unwrap(), inputs)
        };
        let network = plan(&CampaignFile::parse(&sealed).unwrap(), inputs()).unwrap().manifest(Digest([9; 32]));
        let network = crate::families::plain_network(&network.method.clear().unwrap().initial()).unwrap();
        let linear = planned("", "").unwrap().manifest(Digest([9; 32])).method;
        let linear = crate::families::plain(&syft::Weights::zeros(linear.linear().unwrap().shape)).unwrap();
        with(&sealed, &network).unwrap();
        with(TEXT, &linear).unwrap();
        assert!(matches!(with(&sealed, &linear), Err(LaunchError::Trial(TrialError::File(_)))));
        assert!(matches!(with(TEXT, &network), Err(LaunchError::Trial(TrialError::File(_)))));
        let wider = sealed.replace("[model]", "[model]\nnetwork = \"mlp:8\"");
        assert!(with(&wider, &network).unwrap_err().to_string().contains("the model: "));
    }

    #[test]
    fn a_bundle_of_another_campaign_is_refused() {
        let plan = planned("", "").unwrap();
        let manifest = plan.manifest(Digest([9; 32]));
        let mut bundle = plan.bundle.clone();
        bundle.salt[0] ^= 1;
        assert!(matches!(bundle.check(&manifest, &Embedding::none()), Err(BundleError::Commitment("validation set"))));
    }

    #[test]
    fn terms_of_another_campaign_are_named() {
        let plan = planned("", "").unwrap();
        let mut terms = plan.terms(Digest([8; 32]));
        terms.gridPpm += 1;
        let error = plan.manifest(Digest([9; 32])).matches(&terms).unwrap_err();
        assert_eq!(error.field, "grid");
        let mut terms = plan.terms(Digest([8; 32]));
        terms.audit.keys = B256::ZERO;
        let error = plan.manifest(Digest([9; 32])).matches(&terms).unwrap_err();
        assert_eq!(error.field, "audit");
    }

    #[test]
    fn what_would_be_refused_later_is_refused_now() {
        let refusal = |from, to| planned(from, to).unwrap_err().to_string();
        assert!(refusal("target = 0.9", "target = 0.1").contains("must be above"));
        assert!(refusal("target = 0.9", "target = 0.93\ngrid = 0.05").contains("choose 90 % or 95 %, or leave"));
        assert!(refusal("target = 0.9", "target = 0.99\ngrid = 0.3").contains("choose 90 %, or leave"));
        assert!(refusal("start = 0.1\ntarget = 0.9", "target = 0.04").contains("4 % is less than the finest grid"));
        assert!(refusal("start = 0.1\ntarget = 0.9", "target = 0.1").contains("must be above"));
        assert!(refusal("start = 0.1", "start = 0.5").contains("accuracy.start claims 50 %"));
        assert!(refusal("\"2d\"", "\"2020-01-01T00:00:00Z\"").contains("deadline"));
        assert!(refusal("name = \"b\"", "name = \"c\"").contains("column `c` is missing"));
        assert!(refusal("target = 0.9", "target = 0.9\ngrid = 0.001").contains("grid"));
        assert!(refusal("target = 0.9", "target = 0.9\n[limits]\nwindow = 65").contains("limits.window"));
        let large = refusal("[reward]", "[model]\nfeatures = \"random-relu:8191\"\n[reward]");
        assert!(
            large.contains("8191 features") && large.contains("4096 inputs") && large.contains("4.0 times"),
            "{large}"
        );
        assert!(refusal("target = 0.9", "target = 0.9\n[limits]\naudit_seconds = 60").contains("thirty days"));
        let mut poor = inputs();
        poor.bounty = Amount::ZERO;
        let file = CampaignFile::parse(TEXT).unwrap();
        assert!(matches!(plan(&file, poor), Err(LaunchError::Bounty)));
    }

    #[test]
    fn a_start_that_is_not_claimed_is_measured() {
        let plan = planned("start = 0.1\n", "").unwrap();
        let manifest = plan.manifest(Digest([9; 32]));
        manifest.matches(&plan.terms(Digest([8; 32]))).unwrap();
        assert_eq!((plan.outlook.start_ppm, manifest.accuracy.start.get()), (100_000, 100_000));
    }

    #[test]
    fn what_is_claimed_without_being_asked_for_is_on_the_grid() {
        let plan = planned("start = 0.1\ntarget = 0.9", "target = 0.93").unwrap();
        let accuracy = plan.manifest(Digest([9; 32])).accuracy;
        assert_eq!((plan.outlook.start_ppm, accuracy.start.get()), (100_000, 58_125));
    }

    #[test]
    fn every_target_that_a_row_can_reach_has_a_grid() {
        let grid = |target: &str| {
            let plan = planned("target = 0.9", &format!("target = {target}")).unwrap();
            let terms = plan.terms(Digest([8; 32]));
            assert!(terms.targetPpm.is_multiple_of(terms.gridPpm), "{target}");
            let coarse =
                plan.outlook.warnings.iter().any(|warning| warning.contains("choose a rounder accuracy.target"));
            (terms.gridPpm, coarse)
        };
        assert_eq!(grid("0.9"), (50_000, false));
        assert_eq!(grid("0.93"), (58_125, false));
        assert_eq!(grid("0.933352"), (66_668, false));
        assert_eq!(grid("0.999983"), (999_983, true), "a prime number of parts per million");
        assert_eq!(grid("1.0"), (50_000, false));
    }

    #[test]
    fn a_certificate_that_expires_before_the_delivery_is_refused() {
        let expiring = |expires: u64| {
            let file =
                CampaignFile::parse(&format!("{TEXT}[limits]\nevaluation_seconds = 600\ndelivery_seconds = 900"))
                    .unwrap();
            let scientist = Recipient { expires: Some(expires), ..inputs().scientist };
            plan(&file, Inputs { scientist, ..inputs() })
        };
        // The deadline is two days after the launch; evaluation, delivery and a day of margin follow.
        let needed = inputs().now + 2 * 86_400 + 600 + 900 + 86_400;
        expiring(needed).unwrap();
        let refusal = expiring(needed - 1).unwrap_err();
        let LaunchError::CertificateExpires { expires, needed: until, .. } = &refusal else { panic!("{refusal}") };
        assert_eq!((*expires, *until), (needed - 1, needed));
        let text = refusal.to_string();
        assert!(text.contains(&"AB".repeat(20)) && text.contains("2027-01-18T08:24:59Z"), "{text}");
    }

    #[test]
    fn the_stake_is_a_part_of_what_a_grid_step_pays() {
        let stake = |bounty: u128, token: Address, limits: &str| {
            let file = CampaignFile::parse(&format!("{TEXT}[limits]\n{limits}")).unwrap();
            let inputs = Inputs { bounty: bounty.into(), token, ..inputs() };
            plan(&file, inputs).map(|plan| plan.terms(Digest([8; 32])).submissionStake)
        };
        const ETH: u128 = 1_000_000_000_000_000_000;
        let data = Address::repeat_byte(0xDA);
        // A tenth of 0.1 ETH × 5 % / 90 %, in whole millionths.
        assert_eq!(stake(ETH / 100, Address::ZERO, "").unwrap(), 55 * STAKE_UNIT);
        assert_eq!(stake(ETH, Address::ZERO, "").unwrap(), ETH / 1_000);
        assert_eq!(stake(1_000, Address::ZERO, "").unwrap(), 0);
        assert_eq!(stake(1_000, data, "").unwrap(), ETH / 2_000);
        assert_eq!(stake(1_000, data, "submission_stake = \"0.25\"").unwrap(), ETH / 4);
        assert_eq!(stake(ETH, Address::ZERO, "submission_stake = \"0 ETH\"").unwrap(), 0);

        let refusal = |limits: &str| stake(ETH, Address::ZERO, limits).unwrap_err().to_string();
        let bounds = "between 0 ETH and 16.777215 ETH, in steps of 0.000001 ETH";
        assert!(refusal("submission_stake = \"16.777216\"").contains(bounds));
        assert!(refusal("submission_stake = \"0.0000001\"").contains(bounds));
        assert!(refusal("submission_stake = \"0.06\"").contains("0.055555555555555555 ETH that one grid step pays"));
    }

    #[test]
    fn limits_that_would_say_too_much_are_refused() {
        let wide = planned("target = 0.9", "target = 0.9\n[limits]\nsubmissions = 60000\naccepts = 200");
        assert!(matches!(wide, Err(LaunchError::Manifest(ManifestError::Budget(_)))));
    }

    #[test]
    fn small_models_come_with_a_warning() {
        assert!(planned("", "").unwrap().outlook.warnings[0].contains("6 weights"));
    }

    #[test]
    fn the_campaigns_of_this_project_can_be_launched() {
        /// A file of `data/`, unpacked.
        fn read(name: &str) -> Vec<u8> {
            let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../data").join(name);
            let Ok(packed) = std::fs::File::open(path.with_extension("csv.gz")) else {
                return std::fs::read(path).unwrap();
            };
            let mut bytes = Vec::new();
            std::io::copy(&mut flate2::read::GzDecoder::new(packed), &mut bytes).unwrap();
            bytes
        }

        for (name, warned) in [("digits", false), ("breast-cancer", true), ("diabetes", false), ("mnist", false)] {
            let file = String::from_utf8(read(&format!("{name}.toml"))).unwrap();
            let file = CampaignFile::parse(&file).unwrap();
            let validation = Zeroizing::new(read(&format!("{name}-validation.csv")));
            let inputs = Inputs { validation, ..inputs() };
            let plan = plan(&file, inputs).unwrap();
            assert_eq!(!plan.outlook.warnings.is_empty(), warned, "{name}: {:?}", plan.outlook.warnings);
            let manifest = plan.manifest(Digest([9; 32]));
            let bundle = Bundle::decode(&plan.bundle.encode()).unwrap();
            bundle.check(&manifest, &Embedding::none()).unwrap();
            let train = read(&format!("{name}-train.csv"));
            let train = data::read_csv(train.as_slice(), &data::Limits::default()).unwrap();
            assert_eq!(manifest.data.fit(&train).unwrap().len(), train.rows(), "{name}");
        }
    }

    static MANIFEST: LazyLock<Vec<u8>> = LazyLock::new(|| {
        let plan = planned("", "").unwrap();
        plan.manifest(Digest([9; 32])).encode().unwrap()
    });

    proptest! {
        #[test]
        fn no_bytes_make_reading_a_manifest_panic(at in any::<prop::sample::Index>(), put in "[0-9e.\"\\[\\]{}:,-]{1,6}") {
            let at = at.index(MANIFEST.len());
            prop_assert!(Manifest::decode(&MANIFEST[..at]).is_err());
            let mut changed = MANIFEST.clone();
            changed.splice(at..(at + put.len()).min(MANIFEST.len()), put.bytes());
            // Whatever is taken for a manifest can be written and read again.
            if let Ok(manifest) = Manifest::decode(&changed) {
                prop_assert_eq!(Manifest::decode(&manifest.encode().unwrap()).unwrap(), manifest);
            }
        }
    }
}
