//! The terms of a campaign with checked units, as the rest of the protocol uses them.

use std::ops::Deref;

use alloy::primitives::{Address, U256};
use serde::{Deserialize, Serialize};
use sonar_contracts::Terms;
use syft::{Ppm, UnitError};

use crate::{
    ids::Digest,
    units::{Amount, Timestamp},
    wire::{TermsJson, TooLarge},
};

/// Part of a bounty in ETH that a Capsule should lock, in parts per million: a tenth. With less, refusing everybody and
/// keeping the model costs it nothing. Mines expect it by default.
pub const USUAL_STAKE_PPM: u32 = 100_000;
/// Stake that a Capsule should lock for a bounty in tokens, whose worth is unknown, in wei: 0.1 ETH.
pub const USUAL_TOKEN_STAKE: u128 = 100_000_000_000_000_000;

/// The stake that Mines by default expect a Capsule to lock for a bounty in this token (zero for ETH), in wei.
#[must_use]
pub fn usual_stake(token: Address, bounty: Amount) -> Amount {
    // A bounty has at most 128 bits, so the product does not overflow.
    let share = bounty.0.saturating_mul(U256::from(USUAL_STAKE_PPM)).div_ceil(U256::from(1_000_000));
    if token.is_zero() { Amount(share) } else { Amount::from(USUAL_TOKEN_STAKE) }
}

/// The terms of a campaign. The contract accepts only such terms: others are forged, or come from an inconsistent chain
/// node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "TermsJson", into = "TermsJson")]
pub struct CampaignTerms {
    terms: Terms,
    start: Ppm,
    tolerance: Ppm,
    target: Ppm,
    grid: Ppm,
    fee: Ppm,
}

/// Terms with a share of more than 100 %.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the terms' {field}: {error}")]
pub struct TermsError {
    field: &'static str,
    error: UnitError,
}

impl CampaignTerms {
    /// Claimed starting accuracy.
    #[must_use]
    pub const fn start(&self) -> Ppm {
        self.start
    }

    /// How far the measured starting accuracy may be from the claim.
    #[must_use]
    pub const fn tolerance(&self) -> Ppm {
        self.tolerance
    }

    /// Target accuracy that pays the full bounty.
    #[must_use]
    pub const fn target(&self) -> Ppm {
        self.target
    }

    /// Step of attested accuracies.
    #[must_use]
    pub const fn grid(&self) -> Ppm {
        self.grid
    }

    /// The Capsule's fee as a share of the bounty.
    #[must_use]
    pub const fn fee(&self) -> Ppm {
        self.fee
    }

    /// Deadline of submissions.
    #[must_use]
    pub const fn deadline(&self) -> Timestamp {
        Timestamp::from_unix(self.terms.deadline)
    }

    /// The same terms with this manifest.
    #[must_use]
    pub fn with_manifest(&self, manifest: Digest) -> Self {
        let terms = Terms { manifest: manifest.into(), ..self.terms.clone() };
        Self { terms, ..*self }
    }
}

/// Converts to the contract's type, for calls and hashes.
impl Deref for CampaignTerms {
    type Target = Terms;

    fn deref(&self) -> &Terms {
        &self.terms
    }
}

impl TryFrom<Terms> for CampaignTerms {
    type Error = TermsError;

    fn try_from(terms: Terms) -> Result<Self, TermsError> {
        let share = |field, ppm| Ppm::new(ppm).map_err(|error| TermsError { field, error });
        Ok(Self {
            start: share("start", terms.startPpm)?,
            tolerance: share("tolerance", terms.tolerancePpm)?,
            target: share("target", terms.targetPpm)?,
            grid: share("grid", terms.gridPpm)?,
            fee: share("fee", terms.feePpm)?,
            terms,
        })
    }
}

impl TryFrom<TermsJson> for CampaignTerms {
    type Error = TooLarge;

    fn try_from(json: TermsJson) -> Result<Self, TooLarge> {
        let terms = Terms::try_from(&json)?;
        let TermsJson { start_ppm, tolerance_ppm, target_ppm, grid_ppm, fee_ppm, .. } = json;
        Ok(Self { terms, start: start_ppm, tolerance: tolerance_ppm, target: target_ppm, grid: grid_ppm, fee: fee_ppm })
    }
}

impl From<CampaignTerms> for TermsJson {
    fn from(terms: CampaignTerms) -> Self {
        Self::from(&terms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_above_the_whole_are_refused_by_name() {
        let terms = Terms { targetPpm: 1_000_001, ..Terms::default() };
        let error = CampaignTerms::try_from(terms).unwrap_err().to_string();
        assert_eq!(error, "the terms' target: 1000001 ppm is more than 1,000,000 ppm (100 %)");
    }
}
