//! From a campaign file to what goes on IPFS and on the chain: decisions only, no I/O.
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
use syft::{Examples, Ppm, budget};
use syft_nets::Model;
use zeroize::Zeroizing;

pub use error::LaunchError;

use crate::{
    backbone::{self, Backbone, Embedding},
    bundle::{self, Bundle, validation_limits},
    campaign::CampaignFile,
    data::{self, Header, Schema},
    families::{self, Brief, Method, TooManyRows, TrialError},
    fingerprint::Fingerprint,
    handover::AuditSecret,
    ids::Digest,
    manifest::Manifest,
    pgp::Certificate,
    regime::Regime,
    terms::CampaignTerms,
    units::{Amount, Timestamp},
};
use terms::Deal;

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
    /// The time of the launch.
    pub now: Timestamp,
    /// 32 fresh random bytes, kept from everybody but the Capsule.
    pub bundle_salt: Zeroizing<[u8; 32]>,
    /// 32 random bytes that make the campaign unlike any other.
    pub salt: B256,
    /// The keys to which seeds are handed over.
    pub audit: AuditSecret,
}

/// The data scientist's OpenPGP certificate, as the manifest and the bundle carry it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    /// In binary form.
    pub certificate: Vec<u8>,
    /// Its fingerprint.
    pub fingerprint: Fingerprint,
    /// When it expires; nothing if it does not.
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

/// What the terms say about the Capsule.
#[derive(Clone, Debug)]
pub struct CapsuleTerms {
    /// Its operator.
    pub operator: Address,
    /// Its attestation key.
    pub attester: Address,
    /// Its fee.
    pub fee_ppm: Ppm,
    /// Wei of its stake that the campaign locks.
    pub stake: Amount,
    /// Its OpenPGP fingerprint.
    pub fingerprint: Fingerprint,
}

/// What a launch will do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The manifest, without the digest of the sealed bundle.
    manifest: Manifest,
    /// To be sealed to the Capsule.
    pub bundle: Bundle,
    /// The terms, without the digest of the manifest.
    terms: CampaignTerms,
    /// What the data scientist should know before she pays.
    pub outlook: Outlook,
}

/// What the data scientist should know before she pays.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outlook {
    /// Accuracy of the starting model, as measured here.
    pub start_ppm: Ppm,
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
    pub fn terms(&self, manifest: Digest) -> CampaignTerms {
        self.terms.with_manifest(manifest)
    }
}

/// Plans a launch, and refuses one that could not succeed, before any money moves.
///
/// # Errors
/// The first reason that speaks against it.
pub fn plan(file: &CampaignFile, inputs: Inputs) -> Result<Plan, LaunchError> {
    let bounty = u128::try_from(inputs.bounty.0).ok().filter(|bounty| *bounty > 0);
    let bounty = bounty.ok_or(LaunchError::Bounty)?;
    let deadline = file.deadline.from(inputs.now);
    if deadline <= inputs.now {
        return Err(LaunchError::PastDeadline);
    }
    let data = file.schema();
    let (examples, backbone) = read(&data, &inputs.validation, inputs.backbone)?;
    let usual = || inputs.salt.0.first_chunk().copied().map(u32::from_be_bytes);
    let seed = file.model.seed.or_else(usual).unwrap_or_default();
    let (method, model) = families::draft(Brief { file, data: &data, examples: &examples, backbone, seed })?;
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
        schema: Manifest::form(),
        name: file.name.clone(),
        description: file.description.clone(),
        mode: file.mode,
        metric: file.metric(),
        data,
        method,
        accuracy,
        limits,
        scientist: inputs.scientist.fingerprint,
        capsule: inputs.capsule.fingerprint,
        audit: inputs.audit.keys(limits.accepts),
        bundle: Digest([0; 32]),
        commitments: bundle.commitments(),
    };
    manifest.encode()?;
    accuracy::check_accuracy(&accuracy, measured)?;
    let Inputs { owner, token, capsule, salt, .. } = inputs;
    let terms = terms::terms(file, &manifest, Deal { owner, token, bounty, capsule, deadline, salt })?;
    let needed = bundle::certificate_needed_until(&terms);
    if let Some(expires) = inputs.scientist.expires.filter(|expires| *expires < needed) {
        return Err(LaunchError::CertificateExpires { fingerprint: inputs.scientist.fingerprint, expires, needed });
    }
    let coarse = accuracy::coarse_grid(file, &accuracy, examples.len());
    let outlook = Outlook {
        start_ppm: measured,
        leak_bits: limits.budget().bits(&ladder),
        regime: manifest.method.regime(),
        model,
        warnings: warnings(&manifest.method).into_iter().chain(coarse).collect(),
    };
    Ok(Plan { manifest, bundle, terms, outlook })
}

/// The validation set as the backbone leaves it, if there is one.
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

/// The accuracy of the starting model, as the Capsule will measure it.
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
