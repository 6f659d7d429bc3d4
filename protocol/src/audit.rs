//! The audit (rule R9): with the seeds that the Capsule hands over, a data scientist checks each version of their
//! campaign, and finds what misconduct the contract can punish.

use std::fmt;

use serde::Serialize;
use sonar_contracts::{KeyProof, WordProof};
use syft::{Binding, Deviation, Examples, Ppm};

use crate::{
    families::Trial,
    handover::{AuditSecret, Handover},
    ids::Version,
    manifest::Manifest,
    units::percent,
    view::{CampaignView, VersionView},
};

/// Input of the audit of a campaign.
#[derive(Debug)]
pub struct Auditor<'a> {
    /// The delivered campaign.
    pub campaign: &'a CampaignView,
    /// Manifest of the campaign.
    pub manifest: &'a Manifest,
    /// Keys that decrypt the hand-overs.
    pub secret: &'a AuditSecret,
    /// The validation set.
    pub examples: &'a Examples,
    /// The starting model, if available.
    pub start: Option<&'a dyn Trial>,
    /// Chain id.
    pub chain_id: u64,
    /// Address of the contract Campaigns.
    pub contract: [u8; 20],
}

/// The result for one version.
#[derive(Debug)]
pub struct VersionAudit {
    /// The version.
    pub version: Version,
    /// Its accuracy on the grid, as attested on chain.
    pub attested_ppm: Option<Ppm>,
    /// Its accuracy on the grid, as measured.
    pub measured_ppm: Option<Ppm>,
    /// Findings; empty if the version is honest.
    pub findings: Vec<Finding>,
    /// Proof for a conviction on chain, if there is one.
    pub conviction: Option<Conviction>,
}

/// A difference from what an honest Capsule publishes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The hand-over does not contain the seed that the Capsule committed to.
    Handover,
    /// The published material is unavailable, for this reason.
    Unavailable(String),
    /// The material on IPFS is not what the Capsule committed to.
    Unsealed,
    /// The published material is malformed, for this reason.
    Unreadable(String),
    /// A part of the material does not follow from seed and model.
    Deviation(Deviation),
    /// The accuracy differs from the attested one.
    Accuracy {
        /// As attested on chain.
        attested: Ppm,
        /// As measured.
        measured: Ppm,
    },
    /// The first version is not the model that the campaign was launched with.
    Start,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Handover => f.write_str("the hand-over does not contain the seed that the Capsule committed to"),
            Self::Unavailable(why) => write!(f, "the published material is unavailable: {why}"),
            Self::Unsealed => f.write_str("the material on IPFS is not what the Capsule committed to"),
            Self::Unreadable(why) => {
                write!(f, "the published material is malformed, so that no Mine can have used it: {why}")
            }
            Self::Deviation(deviation) => deviation.fmt(f),
            Self::Accuracy { attested, measured } => {
                write!(f, "its accuracy is {}, but {} was attested", percent(*measured), percent(*attested))
            }
            Self::Start => f.write_str("it is not the model that the campaign was launched with"),
        }
    }
}

impl Serialize for Finding {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A proof that convicts a Capsule, and what it publishes.
#[derive(Clone, Debug)]
pub enum Conviction {
    /// The hand-over does not decrypt: the audit key of the version becomes public.
    Handover(KeyProof),
    /// A word is not honest: the seed of the version becomes public, and with it that version of the model.
    Material(WordProof),
}

/// The context that a version's keys are bound to.
#[must_use]
pub fn binding(campaign: &CampaignView, version: &VersionView, chain_id: u64, contract: [u8; 20]) -> Binding {
    Binding {
        chain_id,
        contract,
        campaign: *campaign.id.as_bytes(),
        version: version.version.0,
        beacon: version.beacon.0,
    }
}

impl Auditor<'_> {
    /// The context that a version's keys are bound to.
    #[must_use]
    pub fn binding(&self, version: &VersionView) -> Binding {
        binding(self.campaign, version, self.chain_id, self.contract)
    }

    /// Audits a version. `fetched` is its material, or why it could not be fetched.
    #[must_use]
    pub fn version(
        &self,
        version: &VersionView,
        handover: &Handover,
        material: Result<Vec<u8>, String>,
    ) -> VersionAudit {
        let mut audited = VersionAudit {
            version: version.version,
            attested_ppm: attested(self.campaign, version),
            measured_ppm: None,
            findings: Vec::new(),
            conviction: None,
        };
        let seed = self.secret.open(&self.campaign.id, version.version, handover);
        if seed.is_none() {
            audited.findings.push(Finding::Handover);
            let versions = self.manifest.limits.versions();
            audited.conviction = self.secret.proof(version.version, versions).map(Conviction::Handover);
        }
        let bytes = match material {
            Ok(bytes) if version.published.is_of(&bytes) => bytes,
            Ok(_) => {
                audited.findings.push(Finding::Unsealed);
                return audited;
            }
            Err(why) => {
                audited.findings.push(Finding::Unavailable(why));
                return audited;
            }
        };
        let recomputed = self.manifest.method.recompute(&bytes, seed.as_ref(), &self.binding(version));
        audited.findings.extend(recomputed.unreadable.map(|why| Finding::Unreadable(why.to_string())));
        audited.findings.extend(recomputed.deviations.into_iter().map(Finding::Deviation));
        audited.conviction = audited.conviction.or_else(|| recomputed.evidence.map(Conviction::Material));
        if let Some(model) = recomputed.model {
            self.measure(&mut audited, &model);
        }
        audited
    }

    /// Compares the model of a version with the attested accuracy, and version 1 with the starting model.
    fn measure(&self, audited: &mut VersionAudit, model: &[u8]) {
        let trial = match self.manifest.trial(self.examples, Some(model)) {
            Ok(trial) => trial,
            Err(why) => return audited.findings.push(Finding::Unreadable(why.to_string())),
        };
        let measured = trial.accuracy().floor_to_grid(self.manifest.accuracy.grid);
        audited.measured_ppm = Some(measured);
        if let Some(attested) = audited.attested_ppm.filter(|attested| *attested != measured) {
            audited.findings.push(Finding::Accuracy { attested, measured });
        }
        if audited.version == Version(1) && self.start.is_some_and(|start| !start.is_same_model(&*trial)) {
            audited.findings.push(Finding::Start);
        }
    }
}

/// The attested accuracy of a version: of the activation, or of the settlement that led to the version.
fn attested(campaign: &CampaignView, version: &VersionView) -> Option<Ppm> {
    if version.version == Version(1) {
        return campaign.start_ppm;
    }
    campaign.settled.iter().find(|window| window.at == version.at).map(|window| window.best_ppm)
}

#[cfg(test)]
mod tests;
