//! The terms of a campaign on chain.

use alloy::primitives::{Address, B256};
use sonar_contracts::{AuditTerms, MAX_SUBMISSION_STAKE, STAKE_UNIT, Terms, max_submission_stake};

use super::{CapsuleTerms, LaunchError};
use crate::{
    campaign::CampaignFile,
    handover::keys_root,
    manifest::{Accuracy, Manifest},
    terms::CampaignTerms,
    units::Timestamp,
};

/// Default time limits in seconds for activation and for each evaluation.
const CAPSULE_SECONDS: u32 = 3_600;
/// Default time limit in seconds for delivery.
const DELIVERY_SECONDS: u32 = 86_400;
/// Default audit period in seconds: a week.
const AUDIT_SECONDS: u32 = 604_800;
/// The default stake of a submission is this part of the payout of one grid step …
const STAKE_PART: u128 = 10;
/// … but at most this number of wei …
const MOST_USUAL_STAKE: u128 = 1_000 * STAKE_UNIT;
/// … and this number of wei if the bounty is not in ETH.
const TOKEN_STAKE: u128 = 500 * STAKE_UNIT;

/// Parameters of the terms that are not in the manifest.
pub(super) struct Deal {
    pub(super) owner: Address,
    pub(super) token: Address,
    pub(super) bounty: u128,
    pub(super) capsule: CapsuleTerms,
    pub(super) deadline: Timestamp,
    pub(super) salt: B256,
}

/// The terms, without the digest of the manifest.
pub(super) fn terms(file: &CampaignFile, manifest: &Manifest, deal: Deal) -> Result<CampaignTerms, LaunchError> {
    let Manifest { accuracy, limits, audit, .. } = manifest;
    let Deal { owner, token, bounty, capsule, deadline, salt } = deal;
    let terms = Terms {
        owner,
        token,
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
        deadline: deadline.unix(),
        activationSeconds: file.limits.activation_seconds.unwrap_or(CAPSULE_SECONDS),
        evaluationSeconds: file.limits.evaluation_seconds.unwrap_or(CAPSULE_SECONDS),
        deliverySeconds: file.limits.delivery_seconds.unwrap_or(DELIVERY_SECONDS),
        audit: AuditTerms {
            period: file.limits.audit_seconds.unwrap_or(AUDIT_SECONDS),
            keys: keys_root(audit),
            ..AuditTerms::default()
        },
        capsule: capsule.operator,
        feePpm: capsule.fee_ppm.get(),
        stake: u128::try_from(capsule.stake.0).unwrap_or(u128::MAX),
        submissionStake: submission_stake(file, token, bounty, accuracy)?,
        manifest: B256::ZERO,
        salt,
    };
    Ok(terms.try_into()?)
}

/// The stake of a submission: as in the file, or a part of the payout of one grid step.
fn submission_stake(
    file: &CampaignFile,
    token: Address,
    bounty: u128,
    accuracy: &Accuracy,
) -> Result<u128, LaunchError> {
    let most = max_submission_stake(token.is_zero(), bounty, accuracy.grid.ppm(), accuracy.target.get());
    let Some(wanted) = file.limits.submission_stake else {
        let usual = if token.is_zero() { (most / STAKE_PART).min(MOST_USUAL_STAKE) } else { TOKEN_STAKE };
        return Ok(usual - usual % STAKE_UNIT);
    };
    let fits = |stake: &u128| *stake <= MAX_SUBMISSION_STAKE && stake.is_multiple_of(STAKE_UNIT);
    let stake = u128::try_from(wanted.0).ok().filter(fits).ok_or(LaunchError::Stake(wanted))?;
    if stake > most {
        return Err(LaunchError::StakeTooHigh { stake: wanted, most: most.into() });
    }
    Ok(stake)
}
