//! What a data scientist finds out about each version of her campaign once the seeds are handed over (rule R9), and which of it the
//! contract can punish.

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

/// What the audit of a campaign works with.
#[derive(Debug)]
pub struct Auditor<'a> {
    /// The campaign, delivered.
    pub campaign: &'a CampaignView,
    /// Its manifest.
    pub manifest: &'a Manifest,
    /// Opens the hand-overs.
    pub secret: &'a AuditSecret,
    /// Her validation set.
    pub examples: &'a Examples,
    /// The model that she started from, if it is at hand.
    pub start: Option<&'a dyn Trial>,
    /// The chain.
    pub chain_id: u64,
    /// The contract on it.
    pub contract: [u8; 20],
}

/// What was found out about a version.
#[derive(Debug)]
pub struct Audited {
    /// The version.
    pub version: Version,
    /// Its accuracy on the grid, as attested on chain.
    pub attested_ppm: Option<Ppm>,
    /// Its accuracy on the grid, as measured.
    pub measured_ppm: Option<Ppm>,
    /// What is not as it should be; nothing if all is.
    pub findings: Vec<Finding>,
    /// What convicts the Capsule on chain.
    pub conviction: Option<Conviction>,
}

/// Something that an honest Capsule does not do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The hand-over does not hold the seed that the Capsule committed to.
    Handover,
    /// What was published is not to be had any more, for this reason.
    Unavailable(String),
    /// What is on IPFS is not what the Capsule bound itself to.
    Unsealed,
    /// What was published has not the form that Mines take, for this reason.
    Unreadable(String),
    /// Something does not follow from seed and model.
    Deviation(Deviation),
    /// The model is not as good, or as bad, as attested.
    Accuracy {
        /// On chain.
        attested: Ppm,
        /// Here.
        measured: Ppm,
    },
    /// The first version is not the model that the campaign was launched with.
    Start,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Handover => f.write_str("the hand-over does not hold the seed that the Capsule committed to"),
            Self::Unavailable(why) => write!(f, "what was published cannot be fetched any more: {why}"),
            Self::Unsealed => f.write_str("what is on IPFS is not what the Capsule bound itself to"),
            Self::Unreadable(why) => write!(f, "no Mine can have used what was published: {why}"),
            Self::Deviation(deviation) => deviation.fmt(f),
            Self::Accuracy { attested, measured } => {
                write!(f, "its accuracy is {}, attested were {}", percent(*measured), percent(*attested))
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

/// What convicts a Capsule, and what everybody learns by it.
#[derive(Clone, Debug)]
pub enum Conviction {
    /// The hand-over does not open: the key of the version becomes public.
    Handover(KeyProof),
    /// A word cannot be honest: the seed of the version becomes public, and with it that version of the model.
    Material(WordProof),
}

impl Auditor<'_> {
    /// What a version is bound to.
    #[must_use]
    pub fn binding(&self, version: &VersionView) -> Binding {
        Binding {
            chain_id: self.chain_id,
            contract: self.contract,
            campaign: *self.campaign.id.as_bytes(),
            version: version.version.0,
            beacon: version.beacon.0,
        }
    }

    /// Audits a version, of which this was fetched, or could not be for this reason.
    #[must_use]
    pub fn version(&self, version: &VersionView, handover: &Handover, material: Result<Vec<u8>, String>) -> Audited {
        let mut audited = Audited {
            version: version.version,
            attested_ppm: attested(self.campaign, version),
            measured_ppm: None,
            findings: Vec::new(),
            conviction: None,
        };
        let seed = self.secret.open(&self.campaign.id, version.version, handover);
        if seed.is_none() {
            audited.findings.push(Finding::Handover);
            let versions = self.manifest.limits.accepts;
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

    /// Compares the model of a version with what was attested and launched.
    fn measure(&self, audited: &mut Audited, model: &[u8]) {
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

/// The accuracy that was attested for a version: of the start, or of the settlement that led to it.
fn attested(campaign: &CampaignView, version: &VersionView) -> Option<Ppm> {
    if version.version == Version(1) {
        return campaign.start_ppm;
    }
    campaign.settled.iter().find(|window| window.at == version.at).map(|window| window.best_ppm)
}

#[cfg(test)]
mod tests;
