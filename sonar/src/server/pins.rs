//! Which artefacts are live, and which of them to fetch next. Pure.

use std::{
    collections::{BTreeMap, HashMap},
    time::{Duration, Instant},
};

use sonar_protocol::{ids::Digest, limits};

/// Fetches at the same time.
const SLOTS: usize = 8;
/// Of these, slots for what could not be fetched before: what never appears must not block what is new.
const RETRY_SLOTS: usize = 4;
const FIRST_TIMEOUT: Duration = Duration::from_secs(5);
const RETRY_TIMEOUT: Duration = Duration::from_secs(20);
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// What an artefact is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A Capsule's public OpenPGP certificate.
    Certificate,
    /// The public description of a campaign.
    Manifest,
    /// What a data scientist sealed to the Capsule.
    Bundle,
    /// The weights of a public network that a campaign's model reads through.
    Backbone,
    /// Public keys and encrypted model of the present version.
    Material,
    /// A sealed update of the present window.
    Update,
    /// The delivered model, sealed to the data scientist.
    Result,
}

impl Kind {
    /// The largest artefact of this kind that is fetched.
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

/// An artefact to fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fetch {
    /// Which.
    pub digest: Digest,
    /// What it is for.
    pub kind: Kind,
    /// How long to wait for it.
    pub timeout: Duration,
}

#[derive(Clone, Copy, Debug)]
enum Progress {
    Missing { attempts: u32, not_before: Instant },
    Fetching { attempts: u32 },
    Here { bytes: u64 },
}

/// What is wanted, what is here, what is being fetched.
#[derive(Debug, Default)]
pub struct Pins {
    entries: HashMap<Digest, (Kind, Progress)>,
}

impl Pins {
    /// Replaces what is wanted; what is not wanted any more is forgotten.
    pub fn want(&mut self, live: &BTreeMap<Digest, Kind>, now: Instant) {
        self.entries.retain(|digest, _| live.contains_key(digest));
        for (&digest, &kind) in live {
            self.entries.entry(digest).or_insert((kind, Progress::Missing { attempts: 0, not_before: now }));
        }
    }

    /// Marks the fetches that should start now as started, what is new first.
    pub fn start(&mut self, now: Instant) -> Vec<Fetch> {
        let (mut running, mut retrying) = (0, 0);
        let mut due = Vec::new();
        for (&digest, &(kind, progress)) in &self.entries {
            match progress {
                Progress::Fetching { attempts } => {
                    running += 1;
                    retrying += usize::from(attempts > 0);
                }
                Progress::Missing { attempts, not_before } if not_before <= now => due.push((attempts, kind, digest)),
                _ => {}
            }
        }
        due.sort_unstable();
        let mut started = Vec::new();
        for (attempts, kind, digest) in due {
            if running == SLOTS || (attempts > 0 && retrying == RETRY_SLOTS) {
                break;
            }
            running += 1;
            retrying += usize::from(attempts > 0);
            self.entries.insert(digest, (kind, Progress::Fetching { attempts }));
            let timeout = if attempts == 0 { FIRST_TIMEOUT } else { RETRY_TIMEOUT };
            started.push(Fetch { digest, kind, timeout });
        }
        started
    }

    /// Notes how a fetch ended: with so many bytes, or not. Says whether the artefact is still wanted.
    pub fn finish(&mut self, digest: Digest, bytes: Option<u64>, now: Instant) -> bool {
        let Some((_, progress)) = self.entries.get_mut(&digest) else {
            return false;
        };
        let attempts = match *progress {
            Progress::Fetching { attempts } | Progress::Missing { attempts, .. } => attempts,
            Progress::Here { .. } => 0,
        };
        *progress = match bytes {
            Some(bytes) => Progress::Here { bytes },
            None => Progress::Missing { attempts: attempts + 1, not_before: now + pause(attempts) },
        };
        true
    }

    /// When `start` has something new to start by itself.
    #[must_use]
    pub fn next_due(&self) -> Option<Instant> {
        self.entries
            .values()
            .filter_map(|(_, progress)| match progress {
                Progress::Missing { not_before, .. } => Some(*not_before),
                _ => None,
            })
            .min()
    }

    /// The kind of a live artefact, and its size if it is here.
    #[must_use]
    pub fn get(&self, digest: Digest) -> Option<(Kind, Option<u64>)> {
        self.entries.get(&digest).map(|&(kind, progress)| match progress {
            Progress::Here { bytes } => (kind, Some(bytes)),
            _ => (kind, None),
        })
    }

    /// How many artefacts are here, their size, and how many are missing.
    #[must_use]
    pub fn totals(&self) -> (usize, u64, usize) {
        let here = || {
            self.entries.values().filter_map(|(_, progress)| match progress {
                Progress::Here { bytes } => Some(*bytes),
                _ => None,
            })
        };
        let count = here().count();
        (count, here().sum(), self.entries.len() - count)
    }
}

fn pause(attempts: u32) -> Duration {
    FIRST_PAUSE.saturating_mul(1 << attempts.min(10)).min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn live(range: std::ops::Range<u8>) -> BTreeMap<Digest, Kind> {
        range.map(|n| (Digest([n; 32]), Kind::Update)).collect()
    }

    #[test]
    fn what_never_appears_does_not_block_what_is_new() {
        let mut pins = Pins::default();
        let mut now = Instant::now();
        pins.want(&live(0..100), now);
        for _ in 0..50 {
            let started = pins.start(now);
            assert!(started.len() <= SLOTS);
            for fetch in started {
                pins.finish(fetch.digest, None, now);
            }
            now += LONGEST_PAUSE;
        }
        let stuck = pins.start(now);
        assert_eq!(stuck.len(), RETRY_SLOTS);
        // All retry slots are taken by what never appears; something new starts at once all the same.
        pins.want(&live(0..101), now);
        assert_eq!(pins.start(now).iter().map(|f| f.digest).collect::<Vec<_>>(), [Digest([100; 32])]);
    }

    #[test]
    fn pauses_grow_and_are_bounded() {
        let mut pins = Pins::default();
        let mut now = Instant::now();
        pins.want(&live(0..1), now);
        let mut last = Duration::ZERO;
        for _ in 0..20 {
            let fetch = pins.start(now)[0];
            pins.finish(fetch.digest, None, now);
            let next = pins.next_due().unwrap();
            assert!(pins.start(now).is_empty());
            assert!(next - now >= last && next - now <= LONGEST_PAUSE);
            last = next - now;
            now = next;
        }
        assert_eq!(last, LONGEST_PAUSE);
    }

    #[test]
    fn only_what_is_live_counts() {
        let mut pins = Pins::default();
        let now = Instant::now();
        pins.want(&live(0..3), now);
        let started = pins.start(now);
        assert!(pins.finish(started[0].digest, Some(10), now));
        assert_eq!(pins.totals(), (1, 10, 2));
        assert_eq!(pins.get(started[0].digest), Some((Kind::Update, Some(10))));
        pins.want(&BTreeMap::new(), now);
        assert!(!pins.finish(started[1].digest, Some(10), now));
        assert_eq!(pins.totals(), (0, 0, 0));
    }
}
