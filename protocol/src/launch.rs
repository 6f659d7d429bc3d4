//! Launch: from a campaign file to the artefacts on IPFS and the terms on chain. Decisions only, no I/O.
//!
//! [`plan`] goes through the steps in order: the validation set is read, the family drafts a model for it, the starting model is measured,
//! accuracy and limits follow from that, and then manifest, bundle and terms.

mod accuracy;
mod error;
mod limits;
mod terms;
#[cfg(test)]
pub(crate) mod tests;

use alloy::primitives::{Address, B256};
use serde::{Deserialize, Serialize};
use sonar_contracts::Terms;
use syft::{Examples, Ppm, SeedIndex, budget};
use syft_nets::Model;
use zeroize::Zeroizing;

pub use error::LaunchError;

use crate::{
    backbone::{self, Backbone, Embedding},
    bundle::{self, Bundle, BundleContext, validation_limits},
    campaign::CampaignFile,
    data::{self, Header, Schema},
    families::{self, Brief, Method, TooManyRows, TrialError},
    fingerprint::Fingerprint,
    handover::AuditSecret,
    ids::Digest,
    lineage::Parent,
    manifest::Manifest,
    pgp::Certificate,
    regime::Regime,
    terms::{CampaignTerms, usual_stake},
    units::{Amount, Timestamp, TokenUnit},
};
use terms::Deal;

/// Input of a launch, in addition to the campaign file.
#[derive(Clone, Debug)]
pub struct Inputs {
    /// Id of the chain of the campaign.
    pub chain_id: u64,
    /// Address of the contract Campaigns.
    pub contract: Address,
    /// The validation set as CSV.
    pub validation: Zeroizing<Vec<u8>>,
    /// The starting model as safetensors.
    pub initial: Option<Zeroizing<Vec<u8>>>,
    /// The backbone that the campaign file names, with the digest of its weights on IPFS.
    pub backbone: Option<(Model, Digest)>,
    /// The data scientist's account.
    pub owner: Address,
    /// The certificate to which the model is delivered.
    pub scientist: Recipient,
    /// Contract of the token; zero for ETH.
    pub token: Address,
    /// The bounty in the token's smallest unit.
    pub bounty: Amount,
    /// The Capsule of the campaign.
    pub capsule: CapsuleTerms,
    /// The time of the launch.
    pub now: Timestamp,
    /// 32 random bytes that only the Capsule learns: the salt of the commitments.
    pub bundle_salt: Zeroizing<[u8; 32]>,
    /// 32 random bytes that make the campaign unique.
    pub salt: B256,
    /// Public audit keys, to which seeds are handed over.
    pub audit: AuditSecret,
}

/// The data scientist's OpenPGP certificate, as the manifest and the bundle carry it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    /// In binary form.
    pub certificate: Vec<u8>,
    /// Its fingerprint.
    pub fingerprint: Fingerprint,
    /// Time of its expiry; `None` if it does not expire.
    pub expires: Option<Timestamp>,
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

/// The Capsule's part of the terms.
#[derive(Clone, Debug)]
pub struct CapsuleTerms {
    /// Its operator.
    pub operator: Address,
    /// Its fee in parts per million of the bounty.
    pub fee_ppm: Ppm,
    /// Part of its stake that the campaign locks, in wei.
    pub stake: Amount,
    /// Its OpenPGP fingerprint.
    pub fingerprint: Fingerprint,
}

/// The plan of a launch.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The manifest, without the digest of the sealed bundle.
    manifest: Manifest,
    /// The bundle.
    pub bundle: Bundle,
    /// The campaign that the bundle is bound to.
    pub context: BundleContext,
    /// The terms, without the digest of the manifest.
    terms: CampaignTerms,
    /// What the data scientist should know before they pay.
    pub outlook: Outlook,
}

/// What the data scientist should know before they pay.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outlook {
    /// Measured accuracy of the starting model.
    pub start_ppm: Ppm,
    /// Maximum number of bits that public verdicts can disclose.
    pub leak_bits: f64,
    /// Regime.
    pub regime: Regime,
    /// Description of the feature map or network, with the reason if it was chosen by default.
    pub model: String,
    /// Warnings.
    pub warnings: Vec<String>,
}

impl Plan {
    /// The bytes of the bundle, to be sealed to the Capsule.
    #[must_use]
    pub fn encode_bundle(&self) -> Zeroizing<Vec<u8>> {
        self.bundle.encode(&self.context)
    }

    /// Completes the manifest with the digest of the sealed bundle.
    #[must_use]
    pub fn manifest(&self, bundle: Digest) -> Manifest {
        Manifest { bundle, ..self.manifest.clone() }
    }

    /// Completes the terms with the digest of the manifest.
    #[must_use]
    pub fn terms(&self, manifest: Digest) -> CampaignTerms {
        self.terms.with_manifest(manifest)
    }
}

/// Plans a launch, and refuses one that could not succeed, before any money moves.
///
/// # Errors
/// The first reason for which the launch is refused.
pub fn plan(file: &CampaignFile, inputs: Inputs) -> Result<Plan, LaunchError> {
    plan_from(file, inputs, None)
}

/// The same for a campaign that may start from the result of an earlier one, which is [`Inputs::initial`].
///
/// # Errors
/// As [`plan`], and when the model would not be of the parent's kind.
pub fn plan_from(file: &CampaignFile, inputs: Inputs, parent: Option<&Parent>) -> Result<Plan, LaunchError> {
    if let Some(named) = file.model.initial_campaign() {
        let parent = parent.filter(|parent| parent.id == named && inputs.initial.is_some());
        parent.ok_or(LaunchError::NoParent(named))?.check(file)?;
    }
    let bounty = u128::try_from(inputs.bounty.0).ok().filter(|bounty| *bounty > 0);
    let bounty = bounty.ok_or(LaunchError::Bounty)?;
    let deadline = file.deadline.from(inputs.now);
    if deadline <= inputs.now {
        return Err(LaunchError::PastDeadline);
    }
    // The numbers as the parent's programs read them, so that its constants fit exactly.
    let data = parent.map_or_else(|| file.schema(), |parent| parent.manifest.data.clone());
    let (examples, backbone) = read(&data, &inputs.validation, inputs.backbone)?;
    let seed = file.model.seed.unwrap_or_else(|| SeedIndex::from_bits(inputs.salt.0[0]));
    let (method, model) = families::draft(Brief { file, data: &data, examples: &examples, backbone, seed, parent })?;
    let initial = inputs.initial.as_ref().map(|bytes| bytes.as_slice());
    let measured = measure(file, &data, &method, &examples, initial)?;
    let accuracy = accuracy::accuracy(file, measured, examples.len())?;
    let ladder = accuracy.ladder()?;
    let limits = limits::limits(file, budget::default_limits(method.weights(), &ladder))?;
    let bundle = Bundle {
        salt: inputs.bundle_salt,
        validation: inputs.validation,
        initial: inputs.initial,
        certificate: inputs.scientist.certificate,
    };
    let manifest = Manifest {
        schema: Manifest::form(file.organisation.as_ref(), parent.map(|parent| parent.id)),
        name: file.name.clone(),
        description: file.description.clone(),
        organisation: file.organisation.clone(),
        parent: parent.map(|parent| parent.id),
        mode: file.mode,
        metric: file.metric(),
        data,
        method,
        accuracy,
        limits,
        scientist: inputs.scientist.fingerprint,
        capsule: inputs.capsule.fingerprint,
        audit: inputs.audit.keys(limits.versions()),
        bundle: Digest([0; 32]),
        commitments: bundle.commitments(),
    };
    // Reading may change the last bit of a number, and the Capsule hashes what it has read.
    let as_read = Manifest::decode(&manifest.encode()?)?;
    accuracy::check_accuracy(&accuracy, measured)?;
    let Inputs { chain_id, contract, owner, token, capsule, salt, .. } = inputs;
    let terms = terms::terms(file, &manifest, Deal { owner, token, bounty, capsule, deadline, salt })?;
    let context = BundleContext::new(chain_id, contract, &terms, &as_read)?;
    let needed = bundle::certificate_needed_until(&terms);
    if let Some(expires) = inputs.scientist.expires.filter(|expires| *expires < needed) {
        return Err(LaunchError::CertificateExpires { fingerprint: inputs.scientist.fingerprint, expires, needed });
    }
    let coarse = accuracy::coarse_grid(file, &accuracy, examples.len());
    let free = manifest.check_constants().err().map(|constant| {
        format!("{constant}: only Mines with a privacy budget, or whose owner allows everything, serve this campaign")
    });
    let outlook = Outlook {
        start_ppm: measured,
        leak_bits: limits.budget().bits(&ladder),
        regime: manifest.method.regime(),
        model,
        warnings: warnings(&manifest.method)
            .into_iter()
            .chain(free)
            .chain(stake_warning(&terms))
            .chain(coarse)
            .collect(),
    };
    Ok(Plan { manifest, bundle, context, terms, outlook })
}

/// The validation set, transformed by the backbone if there is one.
fn read(
    data: &Schema,
    validation: &[u8],
    backbone: Option<(Model, Digest)>,
) -> Result<(Examples, Option<Backbone>), LaunchError> {
    let columns = data.inputs.iter().map(|input| &input.name).chain([&data.target]).cloned().collect();
    let table = data::read_csv_with(validation, &Header::Expected(columns), &validation_limits())?;
    let raw = data.fit(&table)?;
    let (backbone, embedding) = backbone.map(with_weights).unzip();
    if let Some(backbone) = &backbone {
        backbone::check_size(&backbone.network).map_err(LaunchError::BackboneSize)?;
        let (rows, most) = (raw.len(), backbone.most_rows());
        (rows <= most).then_some(()).ok_or(TooManyRows { rows, most })?;
    }
    let examples = embedding.unwrap_or_default().apply(raw).map_err(LaunchError::Backbone)?;
    Ok((examples, backbone))
}

/// The accuracy of the starting model, measured in the way of the Capsule.
fn measure(
    file: &CampaignFile,
    data: &Schema,
    method: &Method,
    examples: &Examples,
    initial: Option<&[u8]>,
) -> Result<Ppm, LaunchError> {
    method.check_rows(examples.len())?;
    let targets = data.targets(examples).map_err(TrialError::from)?;
    Ok(method.trial(examples, targets, file.metric(), initial)?.accuracy())
}

/// A backbone with its weights.
fn with_weights((model, weights): (Model, Digest)) -> (Backbone, Embedding) {
    (Backbone { network: model.network().clone(), weights }, Embedding::of(model))
}

/// Mines do not work for a Capsule that has nothing to lose.
fn stake_warning(terms: &Terms) -> Option<String> {
    let (stake, usual) = (Amount::from(terms.stake), usual_stake(terms.token, terms.bounty.into()));
    (stake < usual).then(|| {
        let eth = |amount| TokenUnit::eth().format(amount);
        let (stake, usual) = (eth(stake), eth(usual));
        format!(
            "the Capsule locks {stake} for this campaign; Mines expect {usual} by default, and skip campaigns with less"
        )
    })
}

fn warnings(method: &Method) -> Vec<String> {
    let weights = method.weights();
    let clear = method.regime().is_public().then(|| {
        "clear regime: every version of the model is public: each Mine, and anyone who fetches it from IPFS, can read \
         it; only the updates and your validation set are sealed"
            .into()
    });
    let small = (clear.is_none() && budget::not_secret(weights)).then(|| {
        format!(
            "the model has {weights} weights; a model with fewer than {} cannot be called secret, because the public \
             verdicts may be enough to reconstruct it",
            budget::LEAST_SECRET_WEIGHTS
        )
    });
    let backbone = method.backbone().map(|_| {
        "the backbone becomes public for good, with everything that it has memorised of its training data".into()
    });
    clear.into_iter().chain(small).chain(backbone).collect()
}
