//! Updates on their way. There is at most one for each version of a campaign: it is kept before it is first sent, and sent
//! again byte for byte after a crash, because a second ciphertext of the same update would wear down what hides the data.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sonar_protocol::{
    ids::{CampaignId, Version},
    units::Timestamp,
};
use syft::privacy::Zcdp;

use crate::{
    planner::Stage,
    privacy::{Budget, Exhausted, Ledger},
    repository::DataName,
    store::{SecretStore, SecretStoreError},
};

const SEALED: &str = "outbox-";
const SPENT: &str = "spent-";
const MAGIC: &[u8; 8] = b"mine/ob1";

/// What is remembered about an update.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The campaign.
    pub campaign: CampaignId,
    /// The version that it is for.
    pub version: Version,
    /// Data sets that it was trained on.
    pub data: Vec<DataName>,
    /// Rows that it was trained on.
    pub rows: usize,
    /// What it tells about the records of each of these data sets; `None` for an exact update, which no budget covers.
    #[serde(default)]
    pub cost: Option<Zcdp>,
    /// When it was made.
    pub made_at: Timestamp,
    /// Milliseconds that training took.
    pub train_ms: u64,
    /// Milliseconds that encryption took, or what a network's update is put through instead.
    pub encrypt_ms: u64,
    /// Bytes of the model, and of its keys if it is encrypted, that it was made from.
    pub bytes_down: usize,
    /// Bytes of the sealed update.
    pub bytes_up: usize,
}

/// Why the outbox is of no use.
#[derive(Debug, thiserror::Error)]
pub enum OutboxError {
    /// The store does not work.
    #[error(transparent)]
    Store(#[from] SecretStoreError),
    /// What the vault gave back was never put there.
    #[error("the outbox's entry `{0}` is damaged")]
    Damaged(String),
    /// The record of an update cannot be written down, so the update must not leave the process.
    #[error(
        "the record of the update for version {version} of campaign {campaign} cannot be encoded ({reason}); the update was not kept"
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
    #[error("an update for version {1} of campaign {0} was made before; there is only one a version")]
    Exists(CampaignId, Version),
    /// Enough was told about a data set.
    #[error(transparent)]
    Exhausted(#[from] Exhausted),
}

/// The updates of this Mine.
#[derive(Debug, Default)]
pub struct Outbox {
    stages: BTreeMap<(CampaignId, Version), Stage>,
    ledger: Ledger,
}

impl Outbox {
    /// Finds what an earlier run kept.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn load(store: &dyn SecretStore) -> Result<Self, OutboxError> {
        let mut stages = BTreeMap::new();
        // What is both (a crash while it was given up) can still be sent.
        for (prefix, stage) in [(SPENT, Stage::Spent), (SEALED, Stage::Sealed)] {
            for name in store.list(prefix)? {
                let key = parse(&name[prefix.len()..]).ok_or_else(|| OutboxError::Damaged(name))?;
                stages.insert(key, stage);
            }
        }
        let mut ledger = Ledger::default();
        records(store)?.iter().for_each(|record| ledger.charge(&record.data, record.cost));
        Ok(Self { stages, ledger })
    }

    /// What there is for a version.
    #[must_use]
    pub fn stage(&self, campaign: CampaignId, version: Version) -> Option<Stage> {
        self.stages.get(&(campaign, version)).copied()
    }

    /// All versions with an update that can be sent.
    pub fn sealed(&self) -> impl Iterator<Item = (CampaignId, Version)> {
        self.stages.iter().filter(|(_, stage)| **stage == Stage::Sealed).map(|(key, _)| *key)
    }

    /// What was told about each data set.
    #[must_use]
    pub const fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Keeps a new update, and with it what it costs. Only then may it leave the process.
    ///
    /// # Errors
    /// When there is one for this version already, the budget of a data set is spent, or it cannot be kept.
    pub fn keep(
        &mut self,
        store: &dyn SecretStore,
        record: &Record,
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
        self.stages.insert(key, Stage::Sealed);
        Ok(())
    }

    /// Gives up an update but remembers that it was made.
    ///
    /// # Errors
    /// When the store does not work.
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
        self.stages.insert(key, Stage::Spent);
        Ok(())
    }
}

/// The envelope that was kept for a version, exactly as it was.
///
/// # Errors
/// When there is none, or it is damaged.
pub fn open(store: &dyn SecretStore, campaign: CampaignId, version: Version) -> Result<(Record, Vec<u8>), OutboxError> {
    let name = name(SEALED, (campaign, version));
    let bytes = store.get(&name)?;
    decode(&bytes)
        .filter(|(record, _)| (record.campaign, record.version) == (campaign, version))
        .map(|(record, envelope)| (record, envelope.to_vec()))
        .ok_or(OutboxError::Damaged(name))
}

/// What is remembered about all updates, sent or given up.
///
/// # Errors
/// When the store does not work.
pub fn records(store: &dyn SecretStore) -> Result<Vec<Record>, OutboxError> {
    let mut records = BTreeMap::new();
    for prefix in [SEALED, SPENT] {
        for name in store.list(prefix)? {
            let bytes = store.get(&name)?;
            let (record, _) = decode(&bytes).ok_or_else(|| OutboxError::Damaged(name))?;
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
fn encode(record: &Record, envelope: &[u8]) -> Result<Vec<u8>, OutboxError> {
    let Record { campaign, version, .. } = *record;
    let fail = |reason: String| OutboxError::Record { campaign, version, reason };
    let record = serde_json::to_vec(record).map_err(|error| fail(error.to_string()))?;
    let length = u32::try_from(record.len()).map_err(|_| fail(format!("it has {} bytes", record.len())))?;
    Ok([MAGIC.as_slice(), &length.to_le_bytes(), &record, envelope].concat())
}

fn decode(bytes: &[u8]) -> Option<(Record, &[u8])> {
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

    fn record(campaign: u8, version: u32) -> Record {
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
        assert_eq!(outbox.stage(update.campaign, Version(3)), Some(Stage::Sealed));
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
        assert_eq!(outbox.stage(update.campaign, Version(1)), Some(Stage::Spent));
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
        assert_eq!(outbox.stage(update.campaign, Version(1)), Some(Stage::Sealed));
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
        assert_eq!(serde_json::from_str::<Record>(&text).unwrap().cost, None);
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
