//! Why a Capsule declines a campaign.
//!
//! Reasons that depend on the content of a bundle are given only to the owner of the bundle: the Capsule opens a bundle
//! for no other campaign than the one that it was made for. Code 5 is no longer used.

use std::fmt;

use serde::{Deserialize, Serialize};
use sonar_contracts::UnknownCode;

/// Why a Capsule declines a campaign. The codes are on chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(try_from = "u8", into = "u8")]
#[repr(u8)]
pub enum Refusal {
    /// Manifest, bundle or backbone are unavailable.
    #[error("manifest, bundle or backbone could not be fetched")]
    Unavailable = 1,
    /// The manifest is invalid.
    #[error("the manifest cannot be used")]
    Manifest = 2,
    /// The manifest does not match the terms.
    #[error("the manifest does not match the terms on chain")]
    Terms = 3,
    /// The bundle cannot be decrypted or decoded, was made for another campaign, or does not match the manifest's
    /// commitments. One reason for all of it: anybody can name anybody's bundle, and must not learn anything about it.
    #[error(
        "the bundle cannot be opened or was not made for this campaign; launch again with the current version of `sonar`"
    )]
    Bundle = 4,
    /// The validation set or the starting model does not fit.
    #[error("the validation set or the starting model does not fit the manifest")]
    Content = 6,
    /// The certificate of the data scientist cannot be used.
    #[error("the data scientist's certificate cannot be used")]
    Certificate = 7,
    /// The measured starting accuracy differs from the claim.
    #[error("the measured starting accuracy differs from the claim")]
    Start = 8,
    /// The target is reached already, or off the grid.
    #[error("the target is not above the measured starting accuracy")]
    Target = 9,
    /// The limits would disclose too much.
    #[error("the limits do not fit the leak budget")]
    LeakBudget = 10,
    /// The terms have other keys, times or another fee than this Capsule's.
    #[error("the terms do not match what this Capsule offers")]
    Offer = 11,
    /// The free stake is too small.
    #[error("the Capsule has less free stake than the terms lock")]
    Stake = 12,
    /// The deadline, or the time for the activation, has passed.
    #[error("the deadline or the time for the activation has passed")]
    TooLate = 13,
    /// The backbone's weights do not fit its network.
    #[error("the backbone cannot be used")]
    Backbone = 14,
    /// Evaluating a window would take too long.
    #[error("a full window cannot be evaluated in the time that the terms give")]
    TooSlow = 15,
    /// The data scientist's certificate might expire before the delivery.
    #[error("the data scientist's certificate expires before the model is certain to be delivered")]
    CertificateExpires = 16,
}

impl Refusal {
    /// All reasons, by code.
    const ALL: [Self; 15] = {
        use Refusal::*;
        [
            Unavailable,
            Manifest,
            Terms,
            Bundle,
            Content,
            Certificate,
            Start,
            Target,
            LeakBudget,
            Offer,
            Stake,
            TooLate,
            Backbone,
            TooSlow,
            CertificateExpires,
        ]
    };

    /// The number on the chain.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }
}

impl TryFrom<u8> for Refusal {
    type Error = UnknownCode;

    fn try_from(code: u8) -> Result<Self, UnknownCode> {
        let unknown = UnknownCode { kind: "reason for a refusal", code };
        Self::ALL.into_iter().find(|refusal| refusal.code() == code).ok_or(unknown)
    }
}

impl From<Refusal> for u8 {
    fn from(refusal: Refusal) -> Self {
        refusal.code()
    }
}

/// The reason that a Capsule gave on chain. The contract accepts any number, and a Capsule of another version may use
/// unknown codes, which must not stop a reader of the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "u8", into = "u8")]
pub struct DeclineReason(u8);

impl DeclineReason {
    /// The reason, if the code is known.
    #[must_use]
    pub fn refusal(self) -> Option<Refusal> {
        Refusal::try_from(self.0).ok()
    }
}

impl From<Refusal> for DeclineReason {
    fn from(refusal: Refusal) -> Self {
        Self(refusal.code())
    }
}

impl From<u8> for DeclineReason {
    fn from(code: u8) -> Self {
        Self(code)
    }
}

impl From<DeclineReason> for u8 {
    fn from(reason: DeclineReason) -> Self {
        reason.0
    }
}

impl fmt::Display for DeclineReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.refusal() {
            Some(refusal) => refusal.fmt(f),
            None => write!(f, "unknown reason {}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_words() {
        assert!(Refusal::try_from(5).is_err(), "no longer used");
        for code in (1..=16).filter(|code| *code != 5) {
            let refusal = Refusal::try_from(code).unwrap();
            assert_eq!(refusal.code(), code);
            assert_eq!(DeclineReason::from(code).to_string(), refusal.to_string());
        }
        let unknown = DeclineReason::from(200);
        assert_eq!(unknown.to_string(), "unknown reason 200");
        assert_eq!(serde_json::to_string(&unknown).unwrap(), "200");
        assert!(serde_json::from_str::<Refusal>("200").is_err(), "no Capsule of this version gives such a reason");
    }
}
