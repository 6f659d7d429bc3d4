//! Which artefacts are live, and which of them to fetch next. Pure.

use std::collections::{BTreeMap, HashMap};

use sonar_protocol::{ids::Digest, limits};

/// Maximum number of concurrent fetches.
pub const SLOTS: usize = 8;
/// Slots of these for artefacts that failed before, so that artefacts that never appear do not block new ones.
pub const RETRY_SLOTS: usize = 4;

/// Kind of artefact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The public OpenPGP certificate of a Capsule or of a campaign.
    Certificate,
    /// The public description of a campaign.
    Manifest,
    /// The bundle that a data scientist sealed to the Capsule.
    Bundle,
    /// The weights of the public network whose activations a campaign's model reads.
    Backbone,
    /// Key material and encrypted model of the current version.
    Material,
    /// A sealed update of the current window.
    Update,
    /// The delivered model, sealed to the data scientist.
    Result,
}

impl Kind {
    /// Size limit in bytes of an artefact of this kind.
    #[must_use]
    pub fn max_bytes(self) -> usize {
        match self {
            Self::Certificate => limits::CERTIFICATE,
            Self::Manifest => limits::MANIFEST,
            Self::Bundle => limits::BUNDLE,
            Self::Backbone => limits::BACKBONE,
            Self::Material => limits::MATERIAL,
            Self::Update => limits::UPDATE,
            Self::Result => limits::RESULT,
        }
    }
}

/// A wanted artefact that the hub does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MissingArtefact {
    /// Which.
    pub digest: Digest,
    /// Kind of artefact.
    pub kind: Kind,
    /// Number of failed attempts.
    pub failures: u32,
    /// State of its fetch.
    pub attempt: Attempt,
}

/// State of the fetch of a missing artefact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// It is being fetched.
    Running,
    /// It may be fetched now.
    Due,
    /// It failed recently and waits for a retry.
    Resting,
}

/// The artefacts to fetch now, new ones first.
pub fn choose(missing: &[MissingArtefact]) -> Vec<MissingArtefact> {
    let running = || missing.iter().filter(|one| one.attempt == Attempt::Running);
    let mut slots = SLOTS.saturating_sub(running().count());
    let mut retries = RETRY_SLOTS.saturating_sub(running().filter(|one| one.failures > 0).count());
    let mut due: Vec<_> = missing.iter().filter(|one| one.attempt == Attempt::Due).copied().collect();
    due.sort_unstable_by_key(|one| (one.failures, one.kind, one.digest));
    due.retain(|one| {
        let pool = if one.failures > 0 { retries.min(slots) } else { slots };
        if pool == 0 {
            return false;
        }
        slots -= 1;
        retries -= usize::from(one.failures > 0);
        true
    });
    due
}

/// The wanted artefacts, and which of them the hub has.
#[derive(Debug, Default)]
pub struct Pins {
    /// Total size in bytes of the artefacts that the hub has.
    entries: HashMap<Digest, (Kind, Option<u64>)>,
}

impl Pins {
    /// Replaces the set of wanted artefacts; drops those that are no longer wanted.
    pub fn want(&mut self, live: &BTreeMap<Digest, Kind>) {
        self.entries.retain(|digest, _| live.contains_key(digest));
        for (&digest, &kind) in live {
            self.entries.entry(digest).or_insert((kind, None));
        }
    }

    /// The missing artefacts.
    pub fn missing(&self) -> impl Iterator<Item = (Digest, Kind)> {
        self.entries.iter().filter(|(_, (_, size))| size.is_none()).map(|(&digest, &(kind, _))| (digest, kind))
    }

    /// Whether this artefact is missing.
    #[must_use]
    pub fn is_missing(&self, digest: Digest) -> bool {
        self.entries.get(&digest).is_some_and(|(_, size)| size.is_none())
    }

    /// Records that the hub has an artefact of this size. Returns whether it is still wanted.
    pub fn add(&mut self, digest: Digest, bytes: u64) -> bool {
        let entry = self.entries.get_mut(&digest);
        let is_wanted = entry.is_some();
        if let Some((_, size)) = entry {
            *size = Some(bytes);
        }
        is_wanted
    }

    /// The kind of a live artefact, and its size in bytes if the hub has it.
    #[must_use]
    pub fn get(&self, digest: Digest) -> Option<(Kind, Option<u64>)> {
        self.entries.get(&digest).copied()
    }

    /// Number and size in bytes of the artefacts that the hub has, and number of the missing ones.
    #[must_use]
    pub fn totals(&self) -> (usize, u64, usize) {
        let here = || self.entries.values().filter_map(|(_, size)| *size);
        let count = here().count();
        (count, here().sum(), self.entries.len() - count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn live(range: std::ops::Range<u8>) -> BTreeMap<Digest, Kind> {
        range.map(|n| (Digest([n; 32]), Kind::Update)).collect()
    }

    fn missing(n: u8, failures: u32, attempt: Attempt) -> MissingArtefact {
        MissingArtefact { digest: Digest([n; 32]), kind: Kind::Update, failures, attempt }
    }

    #[test]
    fn what_never_appears_does_not_block_what_is_new() {
        let mut all: Vec<_> = (0..100).map(|n| missing(n, 0, Attempt::Due)).collect();
        assert_eq!(choose(&all).len(), SLOTS);
        // None of them ever appears.
        all.iter_mut().for_each(|one| one.failures = 50);
        let stuck = choose(&all);
        assert_eq!(stuck.len(), RETRY_SLOTS);
        for one in &mut all {
            if stuck.contains(one) {
                one.attempt = Attempt::Running;
            }
        }
        assert_eq!(choose(&all), [], "all slots for what failed before are taken");
        let new = missing(100, 0, Attempt::Due);
        all.push(new);
        assert_eq!(choose(&all), [new]);
    }

    #[test]
    fn what_rests_is_left_alone_and_what_failed_least_goes_first() {
        let [rare, often] = [missing(2, 1, Attempt::Due), missing(1, 7, Attempt::Due)];
        assert_eq!(choose(&[often, missing(3, 0, Attempt::Resting), rare]), [rare, often]);
    }

    #[test]
    fn only_what_is_live_counts() {
        let mut pins = Pins::default();
        pins.want(&live(0..3));
        let digest = Digest([0; 32]);
        assert!(pins.is_missing(digest));
        assert!(pins.add(digest, 10));
        assert!(!pins.is_missing(digest));
        assert_eq!((pins.totals(), pins.missing().count()), ((1, 10, 2), 2));
        assert_eq!(pins.get(digest), Some((Kind::Update, Some(10))));
        pins.want(&BTreeMap::new());
        assert!(!pins.add(Digest([1; 32]), 10));
        assert_eq!(pins.totals(), (0, 0, 0));
    }
}
