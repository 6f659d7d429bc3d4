//! The outbox: updates that are sent or to be sent. There is at most one for each version of a campaign. It is stored
//! before it is first sent, and sent again byte for byte after a crash, because a second ciphertext of the same update
//! would weaken the protection of the data.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sonar_node::vault::{SecretStore, VaultError};
use sonar_protocol::{
    ids::{CampaignId, Version},
    units::Timestamp,
};
use syft::privacy::Zcdp;

use crate::{
    planner::OutboxStage,
    privacy::{Budget, DisclosureLedger, ExhaustedBudget},
    repository::DataName,
};

const SEALED: &str = "outbox-";
const SPENT: &str = "spent-";
const MAGIC: &[u8; 8] = b"mine/ob1";

/// The record of an update.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UpdateRecord {
    /// The campaign.
    pub campaign: CampaignId,
    /// The version of the model that it is for.
    pub version: Version,
    /// Names of the data sets that it was trained on.
    pub data: Vec<DataName>,
    /// Number of rows that it was trained on.
    pub rows: usize,
    /// Privacy cost for each of these data sets; `None` for an exact update, which no budget covers.
    #[serde(default)]
    pub cost: Option<Zcdp>,
    /// Time at which it was made.
    pub made_at: Timestamp,
    /// Duration of the training in milliseconds.
    pub train_ms: u64,
    /// Duration in milliseconds of the encryption, or of the compression of a network's update.
    pub encrypt_ms: u64,
    /// Size in bytes of the model and its key material.
    pub bytes_down: usize,
    /// Size of the sealed update in bytes.
    pub bytes_up: usize,
}

/// Why the outbox failed.
#[derive(Debug, thiserror::Error)]
pub enum OutboxError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] VaultError),
    /// The stored data is damaged.
    #[error("the outbox's entry `{0}` is damaged")]
    Damaged(String),
    /// The record of an update cannot be encoded, so the update must not leave the process.
    #[error(
        "the record of the update for version {version} of campaign {campaign} cannot be encoded ({reason}); the update was discarded"
    )]
    Record {
        /// The campaign.
        campaign: CampaignId,
        /// The version.
        version: Version,
        /// What is wrong with it.
        reason: String,
    },
    /// An update for this version exists.
    #[error("an update for version {1} of campaign {0} exists already; a Mine makes only one per version")]
    Exists(CampaignId, Version),
    /// The privacy budget of a data set is spent.
    #[error(transparent)]
    Exhausted(#[from] ExhaustedBudget),
}

/// The outbox of this Mine.
#[derive(Debug, Default)]
pub struct Outbox {
    stages: BTreeMap<(CampaignId, Version), OutboxStage>,
    ledger: DisclosureLedger,
}

impl Outbox {
    /// Opens the outbox with the updates of earlier runs.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn load(store: &dyn SecretStore) -> Result<Self, OutboxError> {
        let mut stages = BTreeMap::new();
        // An update that is in both places (after a crash while it was dropped) can still be sent.
        for (prefix, stage) in [(SPENT, OutboxStage::Spent), (SEALED, OutboxStage::Sealed)] {
            for name in store.list(prefix)? {
                let key = parse(&name[prefix.len()..]).ok_or(OutboxError::Damaged(name))?;
                stages.insert(key, stage);
            }
        }
        let mut ledger = DisclosureLedger::default();
        records(store)?.iter().for_each(|record| ledger.charge(&record.data, record.cost));
        Ok(Self { stages, ledger })
    }

    /// The update for a version, if any.
    #[must_use]
    pub fn stage(&self, campaign: CampaignId, version: Version) -> Option<OutboxStage> {
        self.stages.get(&(campaign, version)).copied()
    }

    /// All versions that have an update to send.
    pub fn sealed(&self) -> impl Iterator<Item = (CampaignId, Version)> {
        self.stages.iter().filter(|(_, stage)| **stage == OutboxStage::Sealed).map(|(key, _)| *key)
    }

    /// Privacy accounts of the data sets.
    #[must_use]
    pub const fn ledger(&self) -> &DisclosureLedger {
        &self.ledger
    }

    /// Stores a new update together with its privacy cost. It must not leave the process before.
    ///
    /// # Errors
    /// When there is already an update for this version, the budget of a data set is spent, or it cannot be stored.
    pub fn keep(
        &mut self,
        store: &dyn SecretStore,
        record: &UpdateRecord,
        envelope: &[u8],
        budget: Option<&Budget>,
    ) -> Result<(), OutboxError> {
        let key = (record.campaign, record.version);
        if self.stages.contains_key(&key) {
            return Err(OutboxError::Exists(key.0, key.1));
        }
        if let Some(budget) = budget {
            self.ledger.allow(budget, &record.data)?;
        }
        store.put(&name(SEALED, key), &encode(record, envelope)?)?;
        self.ledger.charge(&record.data, record.cost);
        self.stages.insert(key, OutboxStage::Sealed);
        Ok(())
    }

    /// Drops an update, but keeps the record that it was made.
    ///
    /// # Errors
    /// When the store fails.
    pub fn give_up(
        &mut self,
        store: &dyn SecretStore,
        campaign: CampaignId,
        version: Version,
    ) -> Result<(), OutboxError> {
        let key = (campaign, version);
        let (record, _) = open(store, campaign, version)?;
        store.put(&name(SPENT, key), &encode(&record, &[])?)?;
        store.remove(&name(SEALED, key))?;
        self.stages.insert(key, OutboxStage::Spent);
        Ok(())
    }
}

/// The stored envelope for a version, byte for byte.
///
/// # Errors
/// When there is no envelope, or it is damaged.
pub fn open(
    store: &dyn SecretStore,
    campaign: CampaignId,
    version: Version,
) -> Result<(UpdateRecord, Vec<u8>), OutboxError> {
    let name = name(SEALED, (campaign, version));
    let bytes = store.get(&name)?;
    decode(&bytes)
        .filter(|(record, _)| (record.campaign, record.version) == (campaign, version))
        .map(|(record, envelope)| (record, envelope.to_vec()))
        .ok_or(OutboxError::Damaged(name))
}

/// The records of all updates, including dropped ones.
///
/// # Errors
/// When the store fails.
pub fn records(store: &dyn SecretStore) -> Result<Vec<UpdateRecord>, OutboxError> {
    let mut records = BTreeMap::new();
    for prefix in [SEALED, SPENT] {
        for name in store.list(prefix)? {
            let bytes = store.get(&name)?;
            let (record, _) = decode(&bytes).ok_or(OutboxError::Damaged(name))?;
            records.insert((record.campaign, record.version), record);
        }
    }
    Ok(records.into_values().collect())
}

fn name(prefix: &str, (campaign, version): (CampaignId, Version)) -> String {
    format!("{prefix}{campaign}-{version}")
}

fn parse(text: &str) -> Option<(CampaignId, Version)> {
    let (campaign, version) = text.split_once('-')?;
    Some((campaign.parse().ok()?, Version(version.parse().ok()?)))
}

/// Magic, length of the record, record, envelope.
fn encode(record: &UpdateRecord, envelope: &[u8]) -> Result<Vec<u8>, OutboxError> {
    let UpdateRecord { campaign, version, .. } = *record;
    let fail = |reason: String| OutboxError::Record { campaign, version, reason };
    let record = serde_json::to_vec(record).map_err(|error| fail(error.to_string()))?;
    let length = u32::try_from(record.len()).map_err(|_| fail(format!("it has {} bytes", record.len())))?;
    Ok([MAGIC.as_slice(), &length.to_le_bytes(), &record, envelope].concat())
}

fn decode(bytes: &[u8]) -> Option<(UpdateRecord, &[u8])> {
    let rest = bytes.strip_prefix(MAGIC.as_slice())?;
    let (length, rest) = rest.split_first_chunk()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    let (record, envelope) = rest.split_at_checked(length)?;
    Some((serde_json::from_slice(record).ok()?, envelope))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self, Memory};
    use proptest::prelude::*;

    fn record(campaign: u8, version: u32) -> UpdateRecord {
        testing::update(campaign, version, &["own"], Zcdp::gaussian(5.0).ok())
    }

    #[test]
    fn what_was_kept_is_sent_again_byte_for_byte() {
        let store = Memory::default();
        let mut outbox = Outbox::load(&store).unwrap();
        let update = record(1, 3);
        outbox.keep(&store, &update, b"sealed", None).unwrap();
        // As after kill -9.
        let outbox = Outbox::load(&store).unwrap();
        assert_eq!(outbox.stage(update.campaign, Version(3)), Some(OutboxStage::Sealed));
        assert_eq!(outbox.stage(update.campaign, Version(4)), None);
        let (found, envelope) = open(&store, update.campaign, Version(3)).unwrap();
        assert_eq!((found, envelope.as_slice()), (update, b"sealed".as_slice()));
    }

    #[test]
    fn there_is_one_update_a_version_even_after_it_was_given_up() {
        let store = Memory::default();
        let mut outbox = Outbox::default();
        let update = record(1, 1);
        outbox.keep(&store, &update, b"one", None).unwrap();
        assert!(matches!(outbox.keep(&store, &update, b"two", None), Err(OutboxError::Exists(..))));
        outbox.give_up(&store, update.campaign, Version(1)).unwrap();
        let mut outbox = Outbox::load(&store).unwrap();
        assert_eq!(outbox.stage(update.campaign, Version(1)), Some(OutboxStage::Spent));
        assert!(matches!(outbox.keep(&store, &update, b"two", None), Err(OutboxError::Exists(..))));
        assert!(open(&store, update.campaign, Version(1)).is_err());
        assert_eq!(records(&store).unwrap(), [update]);
    }

    #[test]
    fn a_crash_while_giving_up_loses_nothing() {
        let store = Memory::default();
        let update = record(1, 1);
        Outbox::default().keep(&store, &update, b"one", None).unwrap();
        store.put(&name(SPENT, (update.campaign, update.version)), &encode(&update, &[]).unwrap()).unwrap();
        let outbox = Outbox::load(&store).unwrap();
        assert_eq!(outbox.stage(update.campaign, Version(1)), Some(OutboxStage::Sealed));
        assert_eq!(records(&store).unwrap().len(), 1);
    }

    #[test]
    fn nothing_is_kept_uncharged_or_charged_twice() {
        let store = Memory::default();
        let budget = Budget::new(1.0, 1e-6, 2).unwrap();
        let cost = Some(budget.per_upload());
        let (mut outbox, own) = (Outbox::default(), "own".parse().unwrap());
        for version in 1..=2 {
            let update = testing::update(1, version, &["own"], cost);
            outbox.keep(&store, &update, b"sealed", Some(&budget)).unwrap();
            // As after kill -9: what is on disk is all that was charged.
            outbox = Outbox::load(&store).unwrap();
            assert_eq!(outbox.ledger().spent(&own).private, version);
        }
        // Trained at the same time for another campaign: only one of the two finds room.
        let late = testing::update(2, 1, &["other", "own"], cost);
        assert!(matches!(outbox.keep(&store, &late, b"sealed", Some(&budget)), Err(OutboxError::Exhausted(_))));
        assert!(open(&store, late.campaign, late.version).is_err(), "what was refused is nowhere");
        assert_eq!(outbox.ledger(), Outbox::load(&store).unwrap().ledger());
        // Giving up what may have been sent brings nothing back.
        let first = testing::update(1, 1, &["own"], cost);
        outbox.give_up(&store, first.campaign, first.version).unwrap();
        assert_eq!(Outbox::load(&store).unwrap().ledger().spent(&own).private, 2);
    }

    #[test]
    fn records_from_before_there_were_budgets_are_exact() {
        let text = serde_json::to_string(&testing::update(1, 1, &["own"], None)).unwrap().replace("\"cost\":null,", "");
        assert!(!text.contains("cost"));
        assert_eq!(serde_json::from_str::<UpdateRecord>(&text).unwrap().cost, None);
    }

    proptest! {
        #[test]
        fn damage_is_noticed_or_harmless(cut in 0usize..400, envelope in prop::collection::vec(any::<u8>(), 0..64)) {
            let bytes = encode(&record(1, 1), &envelope).unwrap();
            let (found, whole) = decode(&bytes).unwrap();
            prop_assert_eq!(found, record(1, 1));
            prop_assert_eq!(whole, envelope.as_slice());
            // Never a panic; the vault authenticates, so shorter envelopes cannot come from it.
            let _ = decode(&bytes[..cut.min(bytes.len())]);
        }
    }
}
