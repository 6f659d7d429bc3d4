//! JSON forms of the types of the contracts' bindings: amounts and ids as strings, names in snake case.

use alloy::primitives::{Address, B256, Bytes};
use serde::{Deserialize, Serialize};
use sonar_contracts::{AuditTerms, CloseReason, Outcome, Submission, Terms};
use syft::Ppm;
use utoipa::ToSchema;

use crate::{
    handover::Published,
    ids::Digest,
    terms::CampaignTerms,
    units::{Amount, Timestamp},
};

/// The terms of a campaign, which never change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TermsJson {
    /// The data scientist.
    #[schema(value_type = String)]
    pub owner: Address,
    /// ERC-20 of the bounty; the zero address stands for ETH.
    #[schema(value_type = String)]
    pub token: Address,
    /// The bounty in the token's smallest unit.
    #[schema(value_type = String)]
    pub bounty: Amount,
    /// Claimed starting accuracy.
    #[schema(value_type = u32)]
    pub start_ppm: Ppm,
    /// Tolerance: maximum difference of the measured starting accuracy from the claim.
    #[schema(value_type = u32)]
    pub tolerance_ppm: Ppm,
    /// Target accuracy that pays the full bounty.
    #[schema(value_type = u32)]
    pub target_ppm: Ppm,
    /// Accuracy grid: attested accuracies are multiples of this.
    #[schema(value_type = u32)]
    pub grid_ppm: Ppm,
    /// Maximum number of submissions.
    pub max_submissions: u32,
    /// Maximum number of accepted submissions.
    pub max_accepts: u16,
    /// Number of submissions that fill a window.
    pub window_size: u16,
    /// Time in seconds from the first submission of a window until it closes.
    pub window_seconds: u32,
    /// Maximum number of submissions of one miner per version.
    pub cap_per_version: u16,
    /// Deadline: unix time after which no update can be submitted.
    #[schema(value_type = u64)]
    pub deadline: Timestamp,
    /// Time limit in seconds for the Capsule to activate the campaign.
    pub activation_seconds: u32,
    /// Time limit in seconds for the Capsule to settle a closed window.
    pub evaluation_seconds: u32,
    /// Time limit in seconds for the Capsule to deliver after the campaign has closed.
    pub delivery_seconds: u32,
    /// Who verifies the Capsule; 0, the only mode yet, is the owner's audit alone.
    #[serde(default)]
    pub mode: u8,
    /// The operator who verifies the Capsule; the zero address in mode 0.
    #[serde(default)]
    #[schema(value_type = String)]
    pub auditor: Address,
    /// Audit period in seconds: how long the Capsule's fee and stake stay locked after the delivery.
    pub audit_seconds: u32,
    /// The Capsule's operator.
    #[schema(value_type = String)]
    pub capsule: Address,
    /// The Capsule's fee in parts per million of the bounty.
    #[schema(value_type = u32)]
    pub fee_ppm: Ppm,
    /// Part of the Capsule's stake that the campaign locks, in wei.
    #[schema(value_type = String)]
    pub stake: Amount,
    /// Stake that a miner deposits with a submission, in wei.
    #[schema(value_type = String)]
    pub submission_stake: Amount,
    /// Digest of the manifest on IPFS.
    #[schema(value_type = String)]
    pub manifest: Digest,
    /// Merkle root over the audit keys; zero without audit keys.
    #[schema(value_type = String)]
    pub audit_keys: B256,
    /// Salt that distinguishes campaigns with otherwise equal terms.
    #[schema(value_type = String)]
    pub salt: B256,
}

impl From<&CampaignTerms> for TermsJson {
    fn from(t: &CampaignTerms) -> Self {
        Self {
            owner: t.owner,
            token: t.token,
            bounty: amount(t.bounty),
            start_ppm: t.start(),
            tolerance_ppm: t.tolerance(),
            target_ppm: t.target(),
            grid_ppm: t.grid(),
            max_submissions: t.maxSubmissions,
            max_accepts: t.maxAccepts,
            window_size: t.windowSize,
            window_seconds: t.windowSeconds,
            cap_per_version: t.capPerVersion,
            deadline: t.deadline(),
            activation_seconds: t.activationSeconds,
            evaluation_seconds: t.evaluationSeconds,
            delivery_seconds: t.deliverySeconds,
            mode: t.audit.mode,
            auditor: t.audit.auditor,
            audit_seconds: t.audit.period,
            capsule: t.capsule,
            fee_ppm: t.fee(),
            stake: amount(t.stake),
            submission_stake: amount(t.submissionStake),
            manifest: Digest(t.manifest.0),
            audit_keys: t.audit.keys,
            salt: t.salt,
        }
    }
}

/// An amount that is larger than the contract supports.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} is {amount}, more than 2^128 - 1")]
pub struct TooLarge {
    field: &'static str,
    amount: Amount,
}

impl TryFrom<&TermsJson> for Terms {
    type Error = TooLarge;

    fn try_from(t: &TermsJson) -> Result<Self, TooLarge> {
        Ok(Self {
            owner: t.owner,
            token: t.token,
            bounty: word("bounty", t.bounty)?,
            startPpm: t.start_ppm.get(),
            tolerancePpm: t.tolerance_ppm.get(),
            targetPpm: t.target_ppm.get(),
            gridPpm: t.grid_ppm.get(),
            maxSubmissions: t.max_submissions,
            maxAccepts: t.max_accepts,
            windowSize: t.window_size,
            windowSeconds: t.window_seconds,
            capPerVersion: t.cap_per_version,
            deadline: t.deadline.unix(),
            activationSeconds: t.activation_seconds,
            evaluationSeconds: t.evaluation_seconds,
            deliverySeconds: t.delivery_seconds,
            audit: AuditTerms { mode: t.mode, auditor: t.auditor, period: t.audit_seconds, keys: t.audit_keys },
            capsule: t.capsule,
            feePpm: t.fee_ppm.get(),
            stake: word("stake", t.stake)?,
            submissionStake: word("submission_stake", t.submission_stake)?,
            manifest: B256::new(t.manifest.0),
            salt: t.salt,
        })
    }
}

fn amount(value: u128) -> Amount {
    Amount(alloy::primitives::U256::from(value))
}

fn word(field: &'static str, amount: Amount) -> Result<u128, TooLarge> {
    amount.0.try_into().map_err(|_| TooLarge { field, amount })
}

/// A Capsule's signed settlement of a window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SettlementRequest {
    /// The campaign's terms.
    pub terms: TermsJson,
    /// The window's hash while it was empty.
    #[schema(value_type = String)]
    pub window_start: B256,
    /// The window's submissions in chain order.
    pub submissions: Vec<SubmissionJson>,
    /// Outcome codes, as on chain.
    #[serde(with = "outcomes")]
    #[schema(value_type = Vec<u16>)]
    pub outcomes: Vec<Outcome>,
    /// The published next version, if there is one.
    pub next: Option<Published>,
    /// 0, or the reason to close.
    #[serde(default, with = "close_reason")]
    #[schema(value_type = u8)]
    pub close: CloseReason,
    /// The attester's EIP-712 signature.
    #[schema(value_type = String)]
    pub signature: Bytes,
}

/// A submission in the form of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SubmissionJson {
    /// Address of the miner.
    #[schema(value_type = String)]
    pub miner: Address,
    /// Digest of the sealed update on IPFS.
    #[schema(value_type = String)]
    pub content: Digest,
}

impl From<SubmissionJson> for Submission {
    fn from(submission: SubmissionJson) -> Self {
        Self { miner: submission.miner, content: submission.content.into() }
    }
}

impl From<&Submission> for SubmissionJson {
    fn from(submission: &Submission) -> Self {
        Self { miner: submission.miner, content: submission.content.into() }
    }
}

/// `#[serde(with)]` for a [`CloseReason`], as its number on chain.
pub mod close_reason {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use super::CloseReason;

    /// Writes the number.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(reason: &CloseReason, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(*reason as u8)
    }

    /// Reads the number.
    ///
    /// # Errors
    /// Those of the deserializer, and an unknown number.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<CloseReason, D::Error> {
        CloseReason::try_from(u8::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// `#[serde(with)]` for lists of [`Outcome`], as their codes on chain.
pub mod outcomes {
    use serde::{Deserialize, Deserializer, Serializer, de::Error, ser::Error as _};

    use super::Outcome;

    /// Writes the codes.
    ///
    /// # Errors
    /// Those of the serializer, and outcomes that have no code.
    pub fn serialize<S: Serializer>(outcomes: &[Outcome], serializer: S) -> Result<S::Ok, S::Error> {
        let codes: Result<Vec<u16>, _> = outcomes.iter().map(|outcome| outcome.encode()).collect();
        serializer.collect_seq(codes.map_err(S::Error::custom)?)
    }

    /// Reads the codes.
    ///
    /// # Errors
    /// Those of the deserializer, and unknown codes.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Outcome>, D::Error> {
        let codes = Vec::<u16>::deserialize(deserializer)?;
        codes.into_iter().map(Outcome::decode).collect::<Result<_, _>>().map_err(D::Error::custom)
    }
}

/// `#[serde(with)]` for one [`Outcome`], as its code on chain.
pub mod outcome {
    use serde::{Deserialize, Deserializer, Serializer, de::Error, ser::Error as _};

    use super::Outcome;

    /// Writes the code.
    ///
    /// # Errors
    /// Those of the serializer, and an outcome that has no code.
    pub fn serialize<S: Serializer>(outcome: &Outcome, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u16(outcome.encode().map_err(S::Error::custom)?)
    }

    /// Reads the code.
    ///
    /// # Errors
    /// Those of the deserializer, and an unknown code.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Outcome, D::Error> {
        Outcome::decode(u16::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// `#[serde(with)]` for lists of [`Submission`].
pub mod submissions {
    use serde::{Deserialize, Deserializer, Serializer};

    use super::{Submission, SubmissionJson};

    /// Writes each as a [`SubmissionJson`].
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(submissions: &[Submission], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(submissions.iter().map(SubmissionJson::from))
    }

    /// Reads each from a [`SubmissionJson`].
    ///
    /// # Errors
    /// Those of the deserializer.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Submission>, D::Error> {
        Ok(Vec::<SubmissionJson>::deserialize(deserializer)?.into_iter().map(Submission::from).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_survive_json_and_amounts_are_strings() {
        let terms = Terms { bounty: u128::MAX, startPpm: 100_000, salt: B256::repeat_byte(3), ..Terms::default() };
        let terms = CampaignTerms::try_from(terms).unwrap();
        let json = serde_json::to_value(TermsJson::from(&terms)).unwrap();
        assert_eq!(json["bounty"], u128::MAX.to_string());
        assert_eq!(json["start_ppm"], 100_000);
        assert_eq!(json["deadline"], 0);
        let back: CampaignTerms = serde_json::from_value(json.clone()).unwrap();
        assert_eq!(back, terms);

        let mut large = json;
        large["stake"] = serde_json::json!("340282366920938463463374607431768211456");
        let large: TermsJson = serde_json::from_value(large).unwrap();
        assert!(Terms::try_from(&large).unwrap_err().to_string().contains("stake"));
    }

    #[test]
    fn settlements_have_the_chains_codes_and_no_others() {
        let settlement = SettlementRequest {
            terms: TermsJson::from(&CampaignTerms::try_from(Terms::default()).unwrap()),
            window_start: B256::ZERO,
            submissions: Vec::new(),
            outcomes: vec![Outcome::NotImproved, Outcome::Accepted(3), Outcome::Rejected(4)],
            next: None,
            close: CloseReason::LeakBudget,
            signature: Bytes::new(),
        };
        let json = serde_json::to_value(&settlement).unwrap();
        assert_eq!(json["outcomes"], serde_json::json!([0, 3, 0xF004]));
        assert_eq!(json["close"], 3);
        assert_eq!(serde_json::from_value::<SettlementRequest>(json.clone()).unwrap(), settlement);
        for (field, unknown) in [("outcomes", serde_json::json!([0xF100])), ("close", serde_json::json!(7))] {
            let mut json = json.clone();
            json[field] = unknown;
            assert!(serde_json::from_value::<SettlementRequest>(json).is_err(), "{field}");
        }
        let mut open = json;
        open.as_object_mut().unwrap().remove("close");
        assert_eq!(serde_json::from_value::<SettlementRequest>(open).unwrap().close, CloseReason::None);
    }
}
