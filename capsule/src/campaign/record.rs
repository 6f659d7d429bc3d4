//! The record: what the Capsule stores about a campaign in addition to the chain. It contains no secret: seeds and
//! models are separate entries in the vault, so that each can be destroyed on its own. Nothing here depends on the
//! content of an update that did not improve the model.

use std::collections::BTreeMap;

use alloy::primitives::{B256, keccak256};
use serde::{Deserialize, Serialize};
use sonar_contracts::{CloseReason, Outcome, Submission, window_hash};
use sonar_protocol::{
    envelope::ProtocolReject,
    handover::{Handover, Published},
    ids::{CampaignId, Digest, Version, WindowIndex},
    refusal::Refusal,
    view::{CampaignView, SettledWindow},
    wire,
};
use syft::{Ppm, budget::LeakMeter};

/// Version of the record format.
const SCHEMA: u32 = 4;
/// Number of settlements that are kept, so that they can be sent again after a rollback of the chain.
const SETTLEMENTS_KEPT: usize = 256;

/// What the Capsule stores about a campaign.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CampaignRecord {
    schema: u32,
    /// The campaign.
    pub campaign: CampaignId,
    /// The decision whether to run it.
    pub proposal: Option<Proposal>,
    /// Leak meter of its public verdicts.
    pub meter: Option<LeakMeter>,
    /// Number of evaluated windows, including windows that were rolled back.
    pub evaluations: u64,
    /// The window under evaluation.
    pub evaluation: Option<Evaluation>,
    /// Settlements of windows, the latest last.
    pub settlements: Vec<Settlement>,
    /// Hashes of windows that another copy of this home settled; the leak meter has counted them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub foreign: Vec<B256>,
    /// Slots of models and seeds in the vault.
    pub slots: Vec<Slot>,
    /// Whether the vault still has the key that updates are sealed to.
    pub campaign_key: bool,
    /// Whether the vault still has the opened bundle.
    pub bundle: bool,
    /// Whether the vault still has the certificate that the model is delivered to.
    pub recipient: bool,
    /// For each published key material the seed of its version, sealed to the data scientist. Of an old version's seed
    /// only this is kept, and no key here decrypts it.
    pub handovers: BTreeMap<Digest, Handover>,
    /// The delivered model.
    pub delivery: Option<Delivery>,
}

/// Decision about a proposed campaign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proposal {
    /// Hash of the campaign's first window while it is empty, which changes if the launch is rolled back.
    pub beacon: B256,
    /// What was decided.
    pub decision: ProposalDecision,
}

/// The outcome of the examination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ProposalDecision {
    /// The campaign runs.
    Activate {
        /// Measured starting accuracy on the grid.
        start_ppm: Ppm,
        /// Slot of version 1.
        first: Published,
        /// The certificate to which updates are encrypted.
        certificate: Digest,
    },
    /// The campaign is declined.
    Decline {
        /// The reason; stored as its code on chain.
        reason: Refusal,
    },
}

/// A model in the vault, with the seed of the keys under which it is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SlotId(pub B256);

impl SlotId {
    /// Id of the slot for the version after a window. The same window always gives the same id.
    #[must_use]
    pub fn new(version: Version, window_hash: B256) -> Self {
        let parts: [&[u8]; 2] = [&version.0.to_be_bytes(), window_hash.as_slice()];
        Self(keccak256(parts.concat()))
    }
}

/// A model of the campaign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slot {
    /// Name of its entries in the vault.
    pub id: SlotId,
    /// Version under which it is published.
    pub version: Version,
    /// Beacon that its keys are bound to.
    pub beacon: B256,
    /// The published artefact; `None` if not published yet.
    pub published: Option<Published>,
    /// SHA-256 of the published artefact, which updates name.
    pub material_hash: B256,
    /// Whether the vault still has the seed.
    pub seed: bool,
    /// Whether the vault still has the model.
    pub model: bool,
}

impl Slot {
    /// Digest of the published artefact on IPFS.
    #[must_use]
    pub fn material(&self) -> Option<Digest> {
        self.published.map(|published| published.material)
    }

    /// Whether the slot has everything that an evaluation needs.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.seed && self.model
    }
}

/// A window whose submissions have passed or failed the protocol's checks. Recorded before anything is decrypted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evaluation {
    /// Number of the evaluation in the leak meter.
    pub number: u64,
    /// The window.
    pub window: WindowIndex,
    /// Hash of the window.
    pub window_hash: B256,
    /// For each submission the reason for its rejection by protocol, `None` if it passed; stored as the code on chain.
    pub refused: Vec<Option<ProtocolReject>>,
    /// Number of accepts that the leak meter allows; `None` if it allows no evaluation.
    pub allowance: Option<u32>,
}

/// The settlement of a window. Its signature is deterministic, so the same window is always settled by the same bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settlement {
    /// The window.
    pub window: WindowIndex,
    /// Version of the model that the window's updates are for.
    pub version: Version,
    /// Hash of the window.
    pub window_hash: B256,
    /// Outcome of each submission; stored as the code on chain.
    #[serde(with = "wire::outcomes")]
    pub outcomes: Vec<Outcome>,
    /// Slot of the next version, if there is one.
    pub next: Option<Published>,
    /// Why the Capsule closes the campaign, if it does; stored as the code on chain.
    #[serde(with = "wire::close_reason")]
    pub close: CloseReason,
    /// Slot of the best model after the window.
    pub model: SlotId,
}

/// The delivered model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delivery {
    /// Slot of the model.
    pub model: SlotId,
    /// Digest of the sealed file on IPFS.
    pub result: Digest,
}

/// Why a record cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// It is not a valid record.
    #[error("the record of a campaign cannot be read: {0}")]
    Content(#[from] serde_json::Error),
    /// Another version of this program wrote it.
    #[error("the record has format {0}; this program reads format {SCHEMA}")]
    Form(u32),
    /// It belongs to another campaign.
    #[error("the record belongs to campaign {0}")]
    Campaign(CampaignId),
}

impl CampaignRecord {
    /// An empty record of a new campaign.
    #[must_use]
    pub fn new(campaign: CampaignId) -> Self {
        Self {
            schema: SCHEMA,
            campaign,
            proposal: None,
            meter: None,
            evaluations: 0,
            evaluation: None,
            settlements: Vec::new(),
            foreign: Vec::new(),
            slots: Vec::new(),
            campaign_key: false,
            bundle: false,
            recipient: false,
            handovers: BTreeMap::new(),
            delivery: None,
        }
    }

    /// Decodes the output of [`Self::encode`].
    ///
    /// # Errors
    /// Not a record, of another format, or of another campaign.
    pub fn decode(bytes: &[u8], campaign: CampaignId) -> Result<Self, RecordError> {
        #[derive(Deserialize)]
        struct Form {
            schema: u32,
        }
        let Form { schema } = serde_json::from_slice(bytes)?;
        if schema != SCHEMA {
            return Err(RecordError::Form(schema));
        }
        let record: Self = serde_json::from_slice(bytes)?;
        if record.campaign != campaign {
            return Err(RecordError::Campaign(record.campaign));
        }
        Ok(record)
    }

    /// Encodes the record for the vault.
    ///
    /// # Errors
    /// When an outcome has no code on chain.
    pub fn encode(&self) -> Result<Vec<u8>, RecordError> {
        Ok(serde_json::to_vec(self)?)
    }

    /// The decision about the proposal with this beacon, if any.
    #[must_use]
    pub fn decision(&self, beacon: B256) -> Option<ProposalDecision> {
        self.proposal.as_ref().filter(|proposal| proposal.beacon == beacon).map(|proposal| proposal.decision)
    }

    /// Finds a slot by id.
    #[must_use]
    pub fn slot(&self, id: SlotId) -> Option<&Slot> {
        self.slots.iter().find(|slot| slot.id == id)
    }

    /// Finds the slot of a published artefact.
    #[must_use]
    pub fn published(&self, material: Digest) -> Option<&Slot> {
        self.slots.iter().find(|slot| slot.material() == Some(material))
    }

    /// Adds a slot, or replaces the one with the same id.
    pub fn set_slot(&mut self, slot: Slot) {
        self.slots.retain(|known| known.id != slot.id);
        self.slots.push(slot);
    }

    /// Finds the settlement of a window.
    #[must_use]
    pub fn settlement(&self, window: WindowIndex, hash: B256) -> Option<&Settlement> {
        self.settlements.iter().find(|settlement| settlement.window == window && settlement.window_hash == hash)
    }

    /// Adds a settlement, or replaces the one of the same window.
    pub fn set_settlement(&mut self, settlement: Settlement) {
        self.settlements
            .retain(|known| (known.window, known.window_hash) != (settlement.window, settlement.window_hash));
        self.settlements.push(settlement);
        let surplus = self.settlements.len().saturating_sub(SETTLEMENTS_KEPT);
        self.settlements.drain(..surplus);
    }

    /// Windows on the chain that this record did not settle and has not counted, with their hashes. A settlement is
    /// recorded before it is sent, so another copy of this home settled them with the same key, or this home is an older
    /// backup.
    pub fn uncounted<'a>(&'a self, campaign: &'a CampaignView) -> impl Iterator<Item = (B256, &'a SettledWindow)> {
        let forgotten = self.settlements.first().filter(|_| self.settlements.len() == SETTLEMENTS_KEPT);
        let oldest = forgotten.map_or(WindowIndex(0), |settlement| settlement.window);
        let later = campaign.settled.iter().filter(move |window| window.index >= oldest);
        later.map(move |window| (settled_hash(window), window)).filter(move |(hash, window)| {
            self.settlement(window.index, *hash).is_none() && !self.foreign.contains(hash)
        })
    }

    /// Whether a version on the chain was published with this Capsule's key, but not by this record.
    #[must_use]
    pub fn has_foreign_version(&self, campaign: &CampaignView) -> bool {
        campaign.versions.iter().any(|version| !self.handovers.contains_key(&version.published.material))
    }

    /// The slot of the campaign's current version on the chain.
    #[must_use]
    pub fn current(&self, campaign: &CampaignView) -> Option<&Slot> {
        self.published(campaign.material()?)
    }
}

fn settled_hash(window: &SettledWindow) -> B256 {
    let submissions: Vec<_> = window
        .submissions
        .iter()
        .map(|submission| Submission { miner: submission.miner, content: submission.content.into() })
        .collect();
    window_hash(window.start, &submissions)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_survives_storage_and_no_other_is_taken_for_it() {
        let id = CampaignId::from([1; 32]);
        let mut record = CampaignRecord::new(id);
        let decision = ProposalDecision::Decline { reason: Refusal::Terms };
        record.proposal = Some(Proposal { beacon: B256::repeat_byte(2), decision });
        record.settlements.push(Settlement {
            window: WindowIndex(0),
            version: Version(1),
            window_hash: B256::ZERO,
            outcomes: vec![Outcome::NotImproved, Outcome::Accepted(7), Outcome::Rejected(9)],
            next: None,
            close: CloseReason::LeakBudget,
            model: SlotId(B256::ZERO),
        });
        let bytes = record.encode().unwrap();
        let stored: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(stored["proposal"]["decision"]["decline"]["reason"], 3, "codes of the chain");
        assert_eq!(stored["settlements"][0]["outcomes"], serde_json::json!([0, 7, 0xF009]));
        assert_eq!(stored["settlements"][0]["close"], 3);
        assert_eq!(CampaignRecord::decode(&bytes, id).unwrap(), record);
        let other = CampaignRecord::decode(&bytes, CampaignId::from([2; 32]));
        assert!(matches!(other, Err(RecordError::Campaign(_))));
        let newer = String::from_utf8(bytes).unwrap();
        let newer = newer.replace("\"schema\":4", "\"schema\":5");
        let newer = CampaignRecord::decode(newer.as_bytes(), id);
        assert!(matches!(newer, Err(RecordError::Form(5))));
    }
}
