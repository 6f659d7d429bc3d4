//! Why a Capsule declines a campaign.

/// Why a Capsule declines a campaign. The codes are on chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
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
    /// The bundle cannot be decrypted or decoded.
    #[error("the bundle cannot be opened")]
    Bundle = 4,
    /// The bundle does not match the manifest's commitments.
    #[error("the bundle does not match the manifest's commitments")]
    Commitment = 5,
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
    /// The deadline has passed.
    #[error("the deadline has passed")]
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
    /// The reason of a number on the chain, if it is one that is known here.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        use Refusal::*;
        let all = [
            Unavailable,
            Manifest,
            Terms,
            Bundle,
            Commitment,
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
        ];
        all.into_iter().find(|refusal| *refusal as u8 == code)
    }

    /// The meaning of a code on chain; a Capsule of another version may use codes that are unknown here.
    #[must_use]
    pub fn words(code: u8) -> String {
        let unknown = || format!("unknown reason {code}");
        Self::from_code(code).map_or_else(unknown, |refusal| refusal.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_words() {
        for code in 1..=16 {
            let refusal = Refusal::from_code(code).unwrap();
            assert_eq!(refusal as u8, code);
            assert_eq!(Refusal::words(code), refusal.to_string());
        }
        assert_eq!(Refusal::words(200), "unknown reason 200");
    }
}
