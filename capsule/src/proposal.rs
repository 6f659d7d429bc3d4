//! Whether a proposed campaign is run: decided from the artefacts alone.

use sonar::{
    backbone::Embedding,
    bundle::{Bundle, BundleError, CheckedBundle},
    manifest::Manifest,
    view::{CampaignView, CapsuleView},
};
use syft::{Ladder, Ppm, budget::LeakMeter};

/// Why a campaign is not run. The codes are on chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[repr(u8)]
pub enum Refusal {
    /// Manifest, bundle or backbone were not to be had.
    #[error("manifest, bundle or backbone could not be fetched")]
    Unavailable = 1,
    /// The manifest is no manifest, or makes no sense.
    #[error("the manifest cannot be used")]
    Manifest = 2,
    /// The manifest is of another campaign.
    #[error("the manifest does not match the terms on chain")]
    Terms = 3,
    /// The bundle does not open.
    #[error("the bundle cannot be opened")]
    Bundle = 4,
    /// The bundle is not what the manifest committed to.
    #[error("the bundle does not match the manifest's commitments")]
    Commitment = 5,
    /// Validation data or starting model do not fit.
    #[error("validation data or starting model do not fit the manifest")]
    Content = 6,
    /// The certificate of the data scientist cannot be used.
    #[error("the data scientist's certificate cannot be used")]
    Certificate = 7,
    /// The starting accuracy is not as claimed.
    #[error("the measured starting accuracy is not what was claimed")]
    Start = 8,
    /// The target is reached already, or off the grid.
    #[error("the target is not above the measured starting accuracy")]
    Target = 9,
    /// The limits would say too much about the model.
    #[error("the limits do not fit the leak budget")]
    LeakBudget = 10,
    /// The terms name keys or a fee that are not this Capsule's.
    #[error("the terms are not what this Capsule offers")]
    Offer = 11,
    /// The stake is not there.
    #[error("the Capsule has less free stake than the terms lock")]
    Stake = 12,
    /// The deadline has passed.
    #[error("the deadline has passed")]
    TooLate = 13,
    /// The backbone's weights are none of its network.
    #[error("the backbone cannot be used")]
    Backbone = 14,
}

/// Seconds that a campaign must give for each thing that the Capsule loses its stake for when it is late.
pub const LEAST_SECONDS: u32 = 600;

/// A campaign that will be run.
#[derive(Debug)]
pub struct Start {
    /// The measured accuracy on the grid.
    pub accuracy: Ppm,
    /// A meter of which nothing is spent.
    pub meter: LeakMeter,
}

/// Whether the terms are what this Capsule offers.
///
/// # Errors
/// What they lack.
pub fn check_terms(campaign: &CampaignView, capsule: Option<&CapsuleView>) -> Result<(), Refusal> {
    let capsule = capsule.ok_or(Refusal::Offer)?;
    let terms = &campaign.terms;
    if terms.attester != capsule.attester || terms.feePpm != capsule.fee_ppm {
        return Err(Refusal::Offer);
    }
    // Shorter times would let an owner close, or a miner submit, and take the stake before anybody could answer.
    let times = [terms.activationSeconds, terms.evaluationSeconds, terms.deliverySeconds];
    if times.into_iter().any(|time| time < LEAST_SECONDS) {
        return Err(Refusal::Offer);
    }
    let stake = alloy::primitives::U256::from(terms.stake);
    if stake > capsule.free_stake().0 {
        return Err(Refusal::Stake);
    }
    Ok(())
}

/// Reads the manifest and compares it with the terms.
///
/// # Errors
/// What is wrong with it.
pub fn check_manifest(bytes: &[u8], campaign: &CampaignView) -> Result<Manifest, Refusal> {
    let manifest = Manifest::decode(bytes).map_err(|_| Refusal::Manifest)?;
    manifest.matches(&campaign.terms).map_err(|_| Refusal::Terms)?;
    Ok(manifest)
}

/// Reads the weights of the backbone, if the manifest names one.
///
/// # Errors
/// When they are none of its network.
pub fn check_backbone(bytes: Option<&[u8]>, manifest: &Manifest) -> Result<Embedding, Refusal> {
    match (manifest.method.backbone(), bytes) {
        (None, _) => Ok(Embedding::none()),
        (Some(backbone), Some(bytes)) => backbone.read(bytes).map_err(|_| Refusal::Backbone),
        (Some(_), None) => Err(Refusal::Unavailable),
    }
}

/// Reads the opened bundle and compares it with the manifest.
///
/// # Errors
/// What is wrong with it.
pub fn check_bundle(bytes: &[u8], manifest: &Manifest, embedding: &Embedding) -> Result<CheckedBundle, Refusal> {
    let bundle = Bundle::decode(bytes).map_err(|_| Refusal::Bundle)?;
    bundle.check(manifest, embedding).map_err(|error| match error {
        BundleError::Commitment(_) => Refusal::Commitment,
        BundleError::Form(_) => Refusal::Bundle,
        _ => Refusal::Content,
    })
}

/// The ladder of a campaign that starts here.
///
/// # Errors
/// When there is nothing to reach.
pub fn ladder(manifest: &Manifest, start: Ppm) -> Result<Ladder, Refusal> {
    manifest.accuracy.ladder_from(start).map_err(|_| Refusal::Target)
}

/// Measures the start, as the contract will check it, and sets up the leak meter.
///
/// # Errors
/// When the claim is wrong, nothing is left to reach, or the limits would say too much.
pub fn start(manifest: &Manifest, bundle: &CheckedBundle) -> Result<Start, Refusal> {
    let rules = &manifest.accuracy;
    let accuracy = bundle.start.accuracy().floor_to_grid(rules.grid);
    let claimed = rules.start.floor_to_grid(rules.grid).get();
    if accuracy.get().abs_diff(claimed) > rules.tolerance.get() + rules.grid.ppm() {
        return Err(Refusal::Start);
    }
    let ladder = ladder(manifest, accuracy)?;
    let meter = manifest.meter(&ladder).map_err(|_| Refusal::LeakBudget)?;
    Ok(Start { accuracy, meter })
}
