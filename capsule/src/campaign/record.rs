//! What the Capsule remembers of a campaign besides the chain. The record holds no secret: seeds and models are entries of
//! their own in the vault, so that each can be destroyed by itself. Nothing here depends on the content of an update that
//! did not improve the model.

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

/// The form of records that this program reads and writes.
const SCHEMA: u32 = 2;
/// Settlements that are kept, so that a chain that forgets some can be told again.
const SETTLEMENTS_KEPT: usize = 256;

/// What the Capsule remembers of a campaign.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    schema: u32,
    /// The campaign.
    pub campaign: CampaignId,
    /// Whether it is activated or declined.
    pub proposal: Option<Proposal>,
    /// What its public verdicts may still say.
    pub meter: Option<LeakMeter>,
    /// Windows that were evaluated, counting those that the chain forgot.
    pub evaluations: u64,
    /// The window under evaluation.
    pub evaluation: Option<Evaluation>,
    /// What windows led to, the latest last.
    pub settlements: Vec<Settlement>,
    /// Where models and seeds are.
    pub slots: Vec<Slot>,
    /// For each material that was published the seed of its version, sealed to the data scientist. All that is kept of the
    /// seed of a dead version, and nothing that is here opens it.
    pub handovers: BTreeMap<Digest, Handover>,
    /// The delivered model.
    pub delivery: Option<Delivery>,
}

/// What becomes of a proposed campaign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proposal {
    /// Hash of the block that opened the campaign.
    pub beacon: B256,
    /// What was decided.
    pub decision: Decision,
}

/// Whether a campaign is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Decision {
    /// It is, from this start.
    Activate {
        /// Measured starting accuracy on the grid.
        start_ppm: Ppm,
        /// What was published for version 1.
        first: Published,
    },
    /// It is not, for this reason.
    Decline {
        /// The reason; its code on chain when stored.
        reason: Refusal,
    },
}

/// Where a model is kept, with the seed of the keys under which it is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SlotId(pub B256);

impl SlotId {
    /// The slot of the version that a window leads to. Made anew for another window or beacon, found again for the same.
    #[must_use]
    pub fn new(version: Version, window_hash: B256, beacon: B256) -> Self {
        let parts: [&[u8]; 3] = [&version.0.to_be_bytes(), window_hash.as_slice(), beacon.as_slice()];
        Self(keccak256(parts.concat()))
    }
}

/// A model of the campaign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slot {
    /// Names its entries in the vault.
    pub id: SlotId,
    /// The version as which it is published.
    pub version: Version,
    /// The block hash that its keys are bound to.
    pub beacon: B256,
    /// What was published; nothing yet, or nothing ever if the campaign ended with this model.
    pub published: Option<Published>,
    /// SHA-256 of what was published, which updates name.
    pub material_hash: B256,
    /// Whether the seed still exists.
    pub seed: bool,
    /// Whether the model still exists.
    pub model: bool,
}

impl Slot {
    /// What was published, on IPFS.
    #[must_use]
    pub fn material(&self) -> Option<Digest> {
        self.published.map(|published| published.material)
    }

    /// Whether all is there that an evaluation needs.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.seed && self.model
    }
}

/// A window whose submissions passed or failed the protocol's checks, written before anything is decrypted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evaluation {
    /// Its number for the leak meter.
    pub number: u64,
    /// The window.
    pub window: WindowIndex,
    /// Its hash.
    pub window_hash: B256,
    /// For each submission the reason why it was refused by protocol, if it was; the code on chain when stored.
    pub refused: Vec<Option<ProtocolReject>>,
    /// Accepts that the leak meter allows; nothing when it allows no evaluation.
    pub allowance: Option<u32>,
}

/// What a window led to. Its signature follows from it, so the same window is always settled by the same bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settlement {
    /// The window.
    pub window: WindowIndex,
    /// The version that it was for.
    pub version: Version,
    /// The window's hash.
    pub window_hash: B256,
    /// What became of each submission; codes as on chain when stored.
    #[serde(with = "wire::outcomes")]
    pub outcomes: Vec<Outcome>,
    /// What was published for the next version.
    pub next: Option<Published>,
    /// Why the Capsule closes the campaign, if it does; the code on chain when stored.
    #[serde(with = "wire::close_reason")]
    pub close: CloseReason,
    /// The best model after the window.
    pub model: SlotId,
}

/// The delivered model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delivery {
    /// Which model.
    pub model: SlotId,
    /// The sealed file on IPFS.
    pub result: Digest,
}

/// A record that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// Not a record.
    #[error("the record of a campaign cannot be read: {0}")]
    Content(#[from] serde_json::Error),
    /// Written by another version of this program.
    #[error("the record is of form {0}; this program knows {SCHEMA}")]
    Form(u32),
    /// Of another campaign.
    #[error("the record is of campaign {0}")]
    Campaign(CampaignId),
}

impl Record {
    /// Of a campaign about which nothing is known yet.
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
            slots: Vec::new(),
            handovers: BTreeMap::new(),
            delivery: None,
        }
    }

    /// Reads what [`Self::encode`] wrote.
    ///
    /// # Errors
    /// Not a record, of another form, or of another campaign.
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

    /// The bytes to keep.
    ///
    /// # Errors
    /// When an outcome has no code on chain.
    pub fn encode(&self) -> Result<Vec<u8>, RecordError> {
        Ok(serde_json::to_vec(self)?)
    }

    /// What was decided about the proposal that this block opened.
    #[must_use]
    pub fn decision(&self, beacon: B256) -> Option<Decision> {
        self.proposal.as_ref().filter(|proposal| proposal.beacon == beacon).map(|proposal| proposal.decision)
    }

    /// A slot by its id.
    #[must_use]
    pub fn slot(&self, id: SlotId) -> Option<&Slot> {
        self.slots.iter().find(|slot| slot.id == id)
    }

    /// The slot that published this material.
    #[must_use]
    pub fn published(&self, material: Digest) -> Option<&Slot> {
        self.slots.iter().find(|slot| slot.material() == Some(material))
    }

    /// Puts a slot in the place of the one with the same id.
    pub fn set_slot(&mut self, slot: Slot) {
        self.slots.retain(|known| known.id != slot.id);
        self.slots.push(slot);
    }

    /// What a window led to.
    #[must_use]
    pub fn settlement(&self, window: WindowIndex, hash: B256) -> Option<&Settlement> {
        self.settlements.iter().find(|settlement| settlement.window == window && settlement.window_hash == hash)
    }

    /// Puts a settlement in the place of the one of the same window.
    pub fn set_settlement(&mut self, settlement: Settlement) {
        self.settlements
            .retain(|known| (known.window, known.window_hash) != (settlement.window, settlement.window_hash));
        self.settlements.push(settlement);
        let surplus = self.settlements.len().saturating_sub(SETTLEMENTS_KEPT);
        self.settlements.drain(..surplus);
    }

    /// The slot of the version that the chain has.
    #[must_use]
    pub fn current(&self, campaign: &CampaignView) -> Option<&Slot> {
        self.published(campaign.material()?)
    }

    /// The slot of the best model of a campaign whose windows are all settled.
    #[must_use]
    pub fn final_model(&self, campaign: &CampaignView) -> Option<&Slot> {
        let last = campaign
            .settled
            .last()
            .and_then(|window| self.settlement(window.index, settled_hash(campaign, window)))
            // With a next version, the chain says which of the slots it is.
            .filter(|settlement| settlement.next.is_none());
        match last {
            Some(settlement) => self.slot(settlement.model),
            // A record from before the last settlement does not have the model that this led to.
            None if improved_last(campaign) => None,
            None => self.current(campaign),
        }
    }
}

/// Whether the last window improved the model that was published last, and ended the campaign.
fn improved_last(campaign: &CampaignView) -> bool {
    campaign.settled.last().is_some_and(|window| {
        let accepted = |outcome: &Outcome| matches!(outcome, Outcome::Accepted(_));
        window.version == campaign.version()
            && window.submissions.iter().any(|submission| accepted(&submission.outcome))
    })
}

fn settled_hash(campaign: &CampaignView, window: &SettledWindow) -> B256 {
    let submissions: Vec<_> = window
        .submissions
        .iter()
        .map(|submission| Submission { miner: submission.miner, content: submission.content.into() })
        .collect();
    window_hash(campaign.id.into(), window.version.0, window.index.0, &submissions)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_survives_storage_and_no_other_is_taken_for_it() {
        let id = CampaignId::from([1; 32]);
        let mut record = Record::new(id);
        let decision = Decision::Decline { reason: Refusal::Terms };
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
        assert_eq!(Record::decode(&bytes, id).unwrap(), record);
        let other = Record::decode(&bytes, CampaignId::from([2; 32]));
        assert!(matches!(other, Err(RecordError::Campaign(_))));
        let newer = String::from_utf8(bytes).unwrap();
        let newer = newer.replace("\"schema\":2", "\"schema\":3");
        let newer = Record::decode(newer.as_bytes(), id);
        assert!(matches!(newer, Err(RecordError::Form(3))));
    }
}
