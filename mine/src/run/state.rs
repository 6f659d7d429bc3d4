//! The Mine's state of one campaign in addition to the chain, and how the result of a step changes it.

use std::sync::Arc;

use sonar_protocol::{
    backbone::{Backbone, Embedding},
    ids::{CampaignId, Version},
    manifest::Manifest,
    units::Amount,
};

use super::jobs::StepResult;
use crate::{
    planner::{Offer, Supply},
    privacy::{Budget, DisclosureLedger},
    reasons::{ManifestProblem, PrivacyProblem, Trouble},
    repository::Fit,
    training::TrainingGuard,
    work::Kit,
};

/// The Mine's state of one campaign in addition to the chain.
#[derive(Debug)]
pub(super) struct CampaignState {
    pub offer: Offer,
    pub manifest: Option<Arc<Manifest>>,
    pub fits: Vec<Fit>,
    pub supply: Supply,
    pub embedding: Option<Arc<Embedding>>,
    pub kit: Option<Arc<Kit>>,
    pub version: Version,
    pub training: TrainingGuard,
    pub at_stake: Amount,
    pub trouble: Option<Trouble>,
}

impl Default for CampaignState {
    fn default() -> Self {
        Self {
            offer: Offer::Unknown,
            manifest: None,
            fits: Vec::new(),
            supply: Supply::Missing,
            embedding: None,
            kit: None,
            version: Version::default(),
            training: TrainingGuard::default(),
            at_stake: Amount::ZERO,
            trouble: None,
        }
    }
}

impl CampaignState {
    /// Material of another version is useless.
    pub fn turn_to(&mut self, version: Version) {
        if self.version != version {
            self.version = version;
            self.supply = Supply::Missing;
            self.kit = None;
            self.training = TrainingGuard::default();
        }
    }

    /// Why the privacy budget allows no further update of the data that fits.
    pub fn exhausted(&self, budget: Option<&Budget>, ledger: &DisclosureLedger) -> Option<PrivacyProblem> {
        let (budget, manifest) = (budget?, self.manifest.as_ref()?);
        let fitting = || self.fits.iter().filter(|fit| fit.rows > 0);
        if let Err(error) = ledger.allow(budget, fitting().map(|fit| &fit.data)) {
            return Some(error.into());
        }
        let rows = fitting().map(|fit| fit.rows).sum();
        let cost = budget.per_upload();
        let bears = manifest.method.bears(cost, rows);
        bears.err().map(|error| PrivacyProblem::Noise { detail: error.to_string() })
    }

    /// Cancels a training whose update is no longer needed.
    pub fn cancel_training(&mut self) {
        self.training = TrainingGuard::default();
    }

    pub fn apply(&mut self, id: CampaignId, result: StepResult) {
        match result {
            StepResult::Manifest(Ok(manifest), fits) => {
                self.offer = offer(&manifest, fits.iter().map(|fit| fit.rows).sum());
                tracing::info!(campaign = %id, name = %manifest.name, regime = %manifest.method.regime(), "found a campaign");
                self.manifest = Some(manifest);
                self.fits = fits;
            }
            StepResult::Manifest(Err(why), _) => {
                tracing::warn!(campaign = %id, "unusable manifest: {why}");
                self.offer = Offer::Unusable(why);
            }
            StepResult::Material(version, result) if version == self.version => match result {
                Ok(kit) => {
                    // All versions have the same backbone.
                    self.embedding = Some(kit.embedding.clone());
                    self.kit = Some(kit);
                    self.supply = Supply::Ready;
                }
                Err(why) => {
                    tracing::warn!(campaign = %id, %version, "unusable model: {why}");
                    self.supply = Supply::Refused(why);
                }
            },
            StepResult::Update(version) => {
                tracing::info!(campaign = %id, %version, "made an update");
                // The next version has new material.
                self.kit = None;
                self.cancel_training();
            }
            StepResult::Material(..) | StepResult::Outdated | StepResult::Submission => {}
        }
    }
}

/// The planner's view of a valid manifest, with this number of rows that fit.
fn offer(manifest: &Manifest, rows: usize) -> Offer {
    match manifest.method.backbone().map(Backbone::most_rows) {
        Some(most) if rows > most => Offer::Unusable(ManifestProblem::TooManyRows { most, rows }),
        _ => {
            let transformation = manifest.check_constants().into();
            Offer::Known { algorithm: manifest.method.algorithm(), transformation, rows }
        }
    }
}
