//! Whether a proposed campaign is run: decided from the artefacts alone.

use std::time::Duration;

use sonar_contracts::Terms;
use sonar_protocol::{
    backbone::Embedding,
    bundle::{Bundle, BundleError, CheckedBundle, certificate_needed_until},
    manifest::Manifest,
    pgp::Certificate,
    refusal::Refusal,
    view::{CampaignView, CapsuleView},
};
use syft::{Ladder, Ppm, STEP_SIZES, budget::LeakMeter};

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

/// Whether a full window can be evaluated in half of the time that the terms give, if measuring a model once takes so long.
///
/// # Errors
/// When it cannot: whoever is late loses its stake.
pub fn check_time(once: Duration, terms: &Terms) -> Result<(), Refusal> {
    let trials = u32::from(terms.windowSize).saturating_mul(STEP_SIZES.len() as u32);
    let given = Duration::from_secs(terms.evaluationSeconds.into());
    if once.saturating_mul(trials) > given / 2 { Err(Refusal::TooSlow) } else { Ok(()) }
}

/// Whether the model can be delivered to this certificate, however long the campaign takes.
///
/// # Errors
/// When it may have expired by then.
pub fn check_certificate(certificate: &Certificate, terms: &Terms) -> Result<(), Refusal> {
    let needed = certificate_needed_until(terms);
    if certificate.expires().is_some_and(|expires| expires < needed) {
        Err(Refusal::CertificateExpires)
    } else {
        Ok(())
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_too_long_is_not_begun() {
        let terms = Terms { windowSize: 10, evaluationSeconds: 1_400, ..Terms::default() };
        assert_eq!(check_time(Duration::from_secs(10), &terms), Ok(()));
        assert_eq!(check_time(Duration::from_millis(10_001), &terms), Err(Refusal::TooSlow));
        assert_eq!(check_time(Duration::MAX, &terms), Err(Refusal::TooSlow));
    }
}
