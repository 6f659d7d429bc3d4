//! What the Mine knows about one campaign beyond the chain, and how the result of a step changes it.

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
    privacy::{Budget, Ledger},
    reasons::{ManifestProblem, PrivacyProblem, Trouble},
    repository::Fit,
    training::Leash,
    work::Kit,
};

/// What the Mine knows about one campaign beyond the chain.
#[derive(Debug)]
pub(super) struct CampaignState {
    pub offer: Offer,
    pub manifest: Option<Arc<Manifest>>,
    pub fits: Vec<Fit>,
    pub supply: Supply,
    pub embedding: Option<Arc<Embedding>>,
    pub kit: Option<Arc<Kit>>,
    pub version: Version,
    pub leash: Leash,
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
            leash: Leash::default(),
            at_stake: Amount::ZERO,
            trouble: None,
        }
    }
}

impl CampaignState {
    /// What was published for another version is of no use.
    pub fn turn_to(&mut self, version: Version) {
        if self.version != version {
            self.version = version;
            self.supply = Supply::Missing;
            self.kit = None;
            self.leash = Leash::default();
        }
    }

    /// Why the owner's budget allows no further update of the data that fit.
    pub fn exhausted(&self, budget: Option<&Budget>, ledger: &Ledger) -> Option<PrivacyProblem> {
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

    /// Ends a training that nobody wants any more.
    pub fn drop_leash(&mut self) {
        self.leash = Leash::default();
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
                tracing::warn!(campaign = %id, "the manifest cannot be used: {why}");
                self.offer = Offer::Unusable(why);
            }
            StepResult::Material(version, result) if version == self.version => match result {
                Ok(kit) => {
                    // All versions have the same.
                    self.embedding = Some(kit.embedding.clone());
                    self.kit = Some(kit);
                    self.supply = Supply::Ready;
                }
                Err(why) => {
                    tracing::warn!(campaign = %id, %version, "the published model is refused: {why}");
                    self.supply = Supply::Refused(why);
                }
            },
            StepResult::Update(version) => {
                tracing::info!(campaign = %id, %version, "made an update");
                // The next version brings its own.
                self.kit = None;
                self.drop_leash();
            }
            StepResult::Material(..) | StepResult::Outdated | StepResult::Submission => {}
        }
    }
}

/// What a campaign with a good manifest is to a Mine with so many rows that fit.
fn offer(manifest: &Manifest, rows: usize) -> Offer {
    let backbone = manifest.method.backbone();
    match backbone.map(Backbone::most_rows) {
        Some(most) if rows > most => Offer::Unusable(ManifestProblem::TooManyRows { most, rows }),
        _ => Offer::Known { algorithm: manifest.method.algorithm(), backbone: backbone.is_some(), rows },
    }
}
