//! When launch keys are made, registered and destroyed. Bundles are sealed to the newest registered launch key; an old
//! one is destroyed when the last campaign that may have used it is decided.
//!
//! ```text
//!  made ──▶ registered ──▶ replaced: a newer key is registered ──▶ destroyed
//!                          … a day or a period later, if no earlier campaign is undecided
//! ```

use std::time::Duration;

use serde::{Deserialize, Serialize};
use sonar_node::{
    cli::{Code, Failure},
    vault::{SecretStore, VaultError},
};
use sonar_protocol::{
    fingerprint::Fingerprint,
    pgp::{Certificate, Identity, LaunchKey, PgpError, SecretKeys},
    units::Timestamp,
};

mod keeper;

pub use keeper::Keeper;

/// Default time after which a launch key is replaced: a week.
pub const PERIOD: Duration = Duration::from_secs(604_800);
/// Shortest time after which a launch key may be replaced: each replacement is a transaction.
pub const LEAST_PERIOD: Duration = Duration::from_secs(60);
/// Time that a launch may take from the look at the registered certificate until the campaign is opened, unless the
/// period is shorter. The bundle of a later campaign may be sealed to a key that no longer exists; that campaign is
/// declined.
const GRACE: Duration = Duration::from_secs(86_400);

/// Start of the names of launch keys in the vault. No backup contains them.
pub(crate) const LAUNCH_KEYS: &str = "launch-key/";
/// Name of the list of launch keys in the vault.
const LIST: &str = "launch-keys";

/// A launch key in the vault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LaunchKeyEntry {
    /// Fingerprint of the subkey, which is its name in the vault.
    pub key: Fingerprint,
    /// When it was made.
    pub made_at: Timestamp,
    /// When it expires.
    pub expires_at: Timestamp,
    /// When the chain showed the certificate that contains it.
    pub registered_at: Option<Timestamp>,
}

impl LaunchKeyEntry {
    /// When it is replaced: long before it expires, also if the period was another when it was made.
    fn due(&self, period: Duration) -> Timestamp {
        let half = self.expires_at.unix().saturating_sub(self.made_at.unix()) / 2;
        self.made_at.plus(period.as_secs().min(half))
    }
}

/// The next action for the launch keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LaunchKeyAction {
    /// Make a new one.
    Make,
    /// Register the certificate that contains this one.
    Register(Fingerprint),
    /// Destroy these.
    Destroy(Vec<Fingerprint>),
    /// Nothing until this time, or until a campaign is decided.
    Wait(Timestamp),
}

/// The next action. `keys` are in the order in which they were made; `undecided` are the times at which campaigns were
/// opened that this Capsule has neither activated nor declined.
#[must_use]
pub fn next(keys: &[LaunchKeyEntry], undecided: &[Timestamp], now: Timestamp, period: Duration) -> LaunchKeyAction {
    let Some(newest) = keys.last() else { return LaunchKeyAction::Make };
    let due = newest.due(period);
    if now >= due {
        return LaunchKeyAction::Make;
    }
    // Keys that no undecided campaign and no launch in progress can use.
    let is_dead = |end: &Timestamp| now >= *end && undecided.iter().all(|opened| opened >= end);
    let dead: Vec<_> = ends(keys, period).filter(|(_, end)| is_dead(end)).map(|(key, _)| key).collect();
    if !dead.is_empty() {
        return LaunchKeyAction::Destroy(dead);
    }
    if newest.registered_at.is_none() {
        return LaunchKeyAction::Register(newest.key);
    }
    let ends = ends(keys, period).map(|(_, end)| end).filter(|end| *end > now);
    LaunchKeyAction::Wait(ends.fold(due, Timestamp::min))
}

/// Each replaced key, with the time after which campaigns that use it are declined.
fn ends(keys: &[LaunchKeyEntry], period: Duration) -> impl Iterator<Item = (Fingerprint, Timestamp)> {
    keys.iter().enumerate().filter_map(move |(index, entry)| {
        let replaced_at = keys[index + 1..].iter().filter_map(|newer| newer.registered_at).min()?;
        Some((entry.key, replaced_at.plus(GRACE.min(period).as_secs())))
    })
}

/// Why launch keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LaunchKeyError {
    /// The store.
    #[error(transparent)]
    Store(#[from] VaultError),
    /// OpenPGP.
    #[error(transparent)]
    Pgp(#[from] PgpError),
    /// The list cannot be written.
    #[error("the list of launch keys cannot be written: {0}")]
    List(#[from] serde_json::Error),
}

impl From<LaunchKeyError> for Failure {
    fn from(error: LaunchKeyError) -> Self {
        let code = match error {
            LaunchKeyError::Pgp(_) => Code::Openpgp,
            LaunchKeyError::Store(_) | LaunchKeyError::List(_) => Code::Vault,
        };
        Self::new(code, error)
    }
}

/// The launch keys in the vault. A key is in the list before its secret is written, and until the secret is destroyed, so
/// that no secret is left behind.
#[derive(Debug)]
pub struct LaunchKeyRing<S> {
    store: S,
    entries: Vec<LaunchKeyEntry>,
}

impl<S: SecretStore> LaunchKeyRing<S> {
    /// Reads the list. Keys whose secret is missing or damaged are dropped: they were not written or destroyed completely,
    /// or a backup was restored. Secrets without an entry are keys of unknown age, which still open bundles until they are
    /// replaced.
    ///
    /// # Errors
    /// When the vault cannot be read.
    pub fn load(store: S) -> Result<Self, LaunchKeyError> {
        let listed: Vec<LaunchKeyEntry> = match store.find(LIST) {
            Ok(Some(bytes)) => serde_json::from_slice(&bytes).unwrap_or_default(),
            Ok(None) | Err(VaultError::Damaged(_)) => Vec::new(),
            Err(error) => return Err(error.into()),
        };
        let names = store.list(LAUNCH_KEYS)?;
        let secrets = names.iter().filter_map(|name| name.strip_prefix(LAUNCH_KEYS)?.parse().ok());
        let unlisted = secrets.filter(|key| listed.iter().all(|entry| entry.key != *key)).map(|key| {
            let [made_at, expires_at] = [Timestamp::EPOCH; 2];
            LaunchKeyEntry { key, made_at, expires_at, registered_at: None }
        });
        let mut ring = Self { entries: Vec::new(), store };
        for entry in unlisted.collect::<Vec<_>>().into_iter().chain(listed) {
            match ring.store.find(&vault_name(entry.key)) {
                Ok(Some(secret)) if LaunchKey::decode(&secret).is_ok() => ring.entries.push(entry),
                Ok(_) | Err(VaultError::Damaged(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(ring)
    }

    /// The keys, in the order in which they were made.
    #[must_use]
    pub fn entries(&self) -> &[LaunchKeyEntry] {
        &self.entries
    }

    /// Makes a new key. It is valid for two periods, so that launches succeed even if its successor is late.
    ///
    /// # Errors
    /// When it cannot be made or written.
    pub fn make(
        &mut self,
        capsule: &Identity,
        now: Timestamp,
        period: Duration,
    ) -> Result<Fingerprint, LaunchKeyError> {
        let valid = period.saturating_mul(2);
        let key = LaunchKey::generate(capsule, now, valid)?;
        let expires_at = now.plus(valid.as_secs());
        self.entries.push(LaunchKeyEntry { key: key.subkey(), made_at: now, expires_at, registered_at: None });
        self.persist()?;
        self.store.put(&vault_name(key.subkey()), &key.encode()?)?;
        Ok(key.subkey())
    }

    /// Records that the chain shows the certificate with this key.
    ///
    /// # Errors
    /// When the list cannot be written.
    pub fn set_registered(&mut self, key: Fingerprint, now: Timestamp) -> Result<(), LaunchKeyError> {
        let mut entries = self.entries.iter_mut();
        if let Some(entry) = entries.find(|entry| entry.key == key && entry.registered_at.is_none()) {
            entry.registered_at = Some(now);
        }
        self.persist()
    }

    /// Destroys keys.
    ///
    /// # Errors
    /// When one cannot be destroyed.
    pub fn destroy(&mut self, keys: &[Fingerprint]) -> Result<(), LaunchKeyError> {
        for key in keys {
            self.store.remove(&vault_name(*key))?;
        }
        self.entries.retain(|entry| !keys.contains(&entry.key));
        self.persist()
    }

    /// The secrets that open bundles.
    ///
    /// # Errors
    /// When one cannot be read.
    pub fn secrets(&self, capsule: &Certificate) -> Result<SecretKeys, LaunchKeyError> {
        Ok(SecretKeys::of_launch_keys(capsule, &self.keys(&self.entries)?))
    }

    /// The Capsule's certificate to register: with the newest key only, so that launches use it.
    ///
    /// # Errors
    /// When there is no key, or it cannot be read.
    pub fn certificate(&self, capsule: &Certificate, now: Timestamp) -> Result<Certificate, LaunchKeyError> {
        let newest = self.entries.len().saturating_sub(1);
        Ok(capsule.with_launch_keys(&self.keys(&self.entries[newest..])?, now)?)
    }

    fn keys(&self, entries: &[LaunchKeyEntry]) -> Result<Vec<LaunchKey>, LaunchKeyError> {
        entries.iter().map(|entry| Ok(LaunchKey::decode(&self.store.get(&vault_name(entry.key))?)?)).collect()
    }

    fn persist(&self) -> Result<(), LaunchKeyError> {
        Ok(self.store.put(LIST, &serde_json::to_vec(&self.entries)?)?)
    }
}

/// Name of a launch key in the vault.
fn vault_name(key: Fingerprint) -> String {
    format!("{LAUNCH_KEYS}{key}")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;
    use sonar_protocol::pgp;

    use super::*;
    use crate::tests::doubles::Disk;

    const DAY: u64 = 86_400;
    const WEEK: u64 = 7 * DAY;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_unix(1_800_000_000 + seconds)
    }

    fn name(byte: u8) -> Fingerprint {
        Fingerprint::V4([byte; 20])
    }

    fn key(byte: u8, made: u64, registered: Option<u64>) -> LaunchKeyEntry {
        let expires_at = at(made + 2 * WEEK);
        LaunchKeyEntry { key: name(byte), made_at: at(made), expires_at, registered_at: registered.map(at) }
    }

    fn action(keys: &[LaunchKeyEntry], undecided: &[u64], now: u64) -> LaunchKeyAction {
        let undecided: Vec<_> = undecided.iter().copied().map(at).collect();
        next(keys, &undecided, at(now), PERIOD)
    }

    #[test]
    fn a_key_is_made_registered_and_replaced_after_a_week() {
        use LaunchKeyAction::{Make, Register, Wait};
        assert_eq!(action(&[], &[], 0), Make);
        assert_eq!(action(&[key(1, 0, None)], &[], 1), Register(name(1)));
        let first = key(1, 0, Some(5));
        assert_eq!(action(&[first], &[], 6), Wait(at(WEEK)));
        assert_eq!(action(&[first], &[], WEEK - 1), Wait(at(WEEK)));
        assert_eq!(action(&[first], &[], WEEK), Make);
        // As long as the new one is not registered, everybody seals to the old one.
        assert_eq!(action(&[first, key(2, WEEK, None)], &[], WEEK + 3 * DAY), Register(name(2)));
    }

    #[test]
    fn a_key_is_replaced_before_it_expires_whatever_the_period_is_now() {
        let first = key(1, 0, Some(5));
        let action = |now, period| next(&[first], &[], at(now), Duration::from_secs(period));
        assert_eq!(action(WEEK, 30 * DAY), LaunchKeyAction::Make);
        assert_eq!(action(WEEK - 1, 30 * DAY), LaunchKeyAction::Wait(at(WEEK)));
        assert_eq!(action(DAY, DAY), LaunchKeyAction::Make);
    }

    #[test]
    fn a_replaced_key_is_destroyed_after_the_last_campaign_that_may_use_it_is_decided() {
        use LaunchKeyAction::{Destroy, Wait};
        let keys = [key(1, 0, Some(5)), key(2, WEEK, Some(WEEK + 10))];
        let end = WEEK + 10 + DAY;
        assert_eq!(action(&keys, &[], end - 1), Wait(at(end)), "a launch may be about to open its campaign");
        assert_eq!(action(&keys, &[], end), Destroy(vec![name(1)]));
        assert_eq!(action(&keys, &[end - 1], end + DAY), Wait(at(2 * WEEK)), "that one may be sealed to it");
        assert_eq!(action(&keys, &[end], end + DAY), Destroy(vec![name(1)]), "that one is not, or is declined");
    }

    #[test]
    fn keys_that_were_made_but_never_registered_are_destroyed_too() {
        let keys = [key(1, 0, Some(5)), key(2, WEEK, None), key(3, 2 * WEEK, Some(2 * WEEK))];
        let destroyed = LaunchKeyAction::Destroy(vec![name(1), name(2)]);
        assert_eq!(action(&keys, &[], 2 * WEEK + DAY), destroyed);
    }

    /// Whoever has recorded a bundle, and takes the Capsule's keys and disk later, does not open it.
    #[test]
    fn a_destroyed_launch_key_opens_no_recorded_bundle() {
        let capsule = Identity::generate_signer("capsule", "c").unwrap();
        let disk = Arc::<Disk>::default();
        let mut ring = LaunchKeyRing::load(disk.clone()).unwrap();
        // After the creation of the Capsule's key.
        let start = Timestamp::from_unix(4_000_000_000);
        let first = ring.make(&capsule, start, PERIOD).unwrap();
        ring.set_registered(first, start.plus(9_u64)).unwrap();
        let certificate = ring.certificate(capsule.certificate(), start).unwrap();
        let recorded = pgp::seal(b"bundle", &[&certificate]).unwrap();

        let second = ring.make(&capsule, start.plus(WEEK), PERIOD).unwrap();
        let ring = LaunchKeyRing::load(disk.clone()).unwrap();
        assert_eq!(ring.entries()[0].registered_at, Some(start.plus(9_u64)));
        let secrets = ring.secrets(capsule.certificate()).unwrap();
        assert_eq!(&**pgp::open(&recorded, &secrets, 100).unwrap(), b"bundle");

        let mut ring = ring;
        ring.destroy(&[first]).unwrap();
        assert_eq!(disk.names(LAUNCH_KEYS), [vault_name(second)]);
        let secrets = LaunchKeyRing::load(disk).unwrap().secrets(capsule.certificate()).unwrap();
        assert!(pgp::open(&recorded, &secrets, 100).is_err());
    }

    #[test]
    fn a_damaged_key_is_replaced_and_one_without_an_entry_opens_bundles_until_it_is() {
        let capsule = Identity::generate_signer("capsule", "c").unwrap();
        let disk = Arc::<Disk>::default();
        let mut ring = LaunchKeyRing::load(disk.clone()).unwrap();
        let [older, newer] = [at(0), at(1)].map(|made_at| ring.make(&capsule, made_at, PERIOD).unwrap());
        let certificate = ring.certificate(capsule.certificate(), at(1)).unwrap();
        let bundle = pgp::seal(b"bundle", &[&certificate]).unwrap();
        disk.put(&vault_name(older), &[0; 7]).unwrap();
        for list in [&b"no list"[..], b"[]"] {
            disk.put(LIST, list).unwrap();
            let mut ring = LaunchKeyRing::load(disk.clone()).unwrap();
            assert_eq!(ring.entries().iter().map(|entry| entry.key).collect::<Vec<_>>(), [newer]);
            let secrets = ring.secrets(capsule.certificate()).unwrap();
            assert_eq!(&**pgp::open(&bundle, &secrets, 100).unwrap(), b"bundle");
            assert_eq!(next(ring.entries(), &[], at(2), PERIOD), LaunchKeyAction::Make);
            let next_key = ring.make(&capsule, at(2), PERIOD).unwrap();
            ring.set_registered(next_key, at(2)).unwrap();
            assert_eq!(next(ring.entries(), &[], at(2 + DAY), PERIOD), LaunchKeyAction::Destroy(vec![newer]));
            ring.destroy(&[next_key]).unwrap();
        }
    }

    #[test]
    fn keys_that_a_restored_backup_lacks_are_forgotten() {
        let capsule = Identity::generate_signer("capsule", "c").unwrap();
        let disk = Arc::<Disk>::default();
        let key = LaunchKeyRing::load(disk.clone()).unwrap().make(&capsule, at(0), PERIOD).unwrap();
        disk.remove(&vault_name(key)).unwrap();
        let ring = LaunchKeyRing::load(disk).unwrap();
        assert_eq!(next(ring.entries(), &[], at(1), PERIOD), LaunchKeyAction::Make);
    }

    proptest! {
        /// Over any history of a Capsule that does what is due: the newest registered key exists, no key is destroyed that
        /// an undecided campaign may use, and no key outlives its last campaign by more than a step.
        #[test]
        fn bundles_are_opened_and_keys_do_not_pile_up(
            steps in prop::collection::vec((1_u64..3 * DAY, any::<bool>(), any::<bool>()), 1..200),
        ) {
            let (mut keys, mut now) = (Vec::<LaunchKeyEntry>::new(), 0);
            // Undecided campaigns, each with the key that its bundle is sealed to.
            let mut campaigns: Vec<(u64, Fingerprint)> = Vec::new();
            let mut made = 0;
            for (pause, opens, decides) in steps {
                now += pause;
                if decides {
                    campaigns.clear();
                }
                loop {
                    let undecided: Vec<_> = campaigns.iter().map(|(opened, _)| at(*opened)).collect();
                    match next(&keys, &undecided, at(now), PERIOD) {
                        LaunchKeyAction::Make => {
                            made += 1;
                            keys.push(key(made, now, None));
                        }
                        LaunchKeyAction::Register(key) => {
                            let newest = keys.last_mut().unwrap();
                            prop_assert_eq!(newest.key, key);
                            newest.registered_at = Some(at(now));
                        }
                        LaunchKeyAction::Destroy(dead) => {
                            prop_assert!(campaigns.iter().all(|(_, key)| !dead.contains(key)));
                            keys.retain(|entry| !dead.contains(&entry.key));
                        }
                        LaunchKeyAction::Wait(until) => {
                            prop_assert!(until > at(now));
                            break;
                        }
                    }
                }
                let newest = keys.last().unwrap();
                prop_assert!(newest.registered_at.is_some() && at(now) < newest.made_at.plus(WEEK));
                prop_assert!(!campaigns.is_empty() || keys.len() <= 2);
                if opens {
                    // The launch may have begun with the oldest key that is still accepted.
                    let accepted = |entry: &&LaunchKeyEntry| {
                        entry.registered_at.is_some()
                            && ends(&keys, PERIOD).all(|(key, end)| key != entry.key || at(now) < end)
                    };
                    campaigns.push((now, keys.iter().find(accepted).unwrap().key));
                }
            }
        }
    }
}
