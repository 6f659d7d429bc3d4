//! Sessions, and delays after wrong passphrases: pure functions of the time.

use std::time::{Duration, Instant};

use super::{Session, secret::Secret};

/// A session ends after this time without a request.
const IDLE: Duration = Duration::from_secs(12 * 3_600);
/// How long actions that spend are possible after the passphrase was entered.
pub const UNLOCKED: Duration = Duration::from_secs(15 * 60);
/// Maximum number of sessions; the one that was used least recently makes room.
const MAX_SESSIONS: usize = 64;
/// Delay after the first wrong passphrase; doubles up to the limit.
const FIRST_DELAY: Duration = Duration::from_secs(1);
const LONGEST_DELAY: Duration = Duration::from_secs(300);

#[derive(Debug)]
struct OpenSession {
    id: Secret,
    used: Instant,
    unlocked_until: Option<Instant>,
}

/// The open sessions, least recently opened first.
#[derive(Debug, Default)]
pub struct Sessions(Vec<OpenSession>);

impl Sessions {
    /// Opens a session with an id that nobody has seen before.
    pub fn open(&mut self, now: Instant) -> Secret {
        self.expire(now);
        if self.0.len() >= MAX_SESSIONS
            && let Some(oldest) = self.0.iter().enumerate().min_by_key(|(_, session)| session.used)
        {
            self.0.swap_remove(oldest.0);
        }
        let id = Secret::random();
        self.0.push(OpenSession { id: id.clone(), used: now, unlocked_until: None });
        id
    }

    /// Ends the sessions with these ids.
    pub fn end(&mut self, ids: &[&str]) {
        self.0.retain(|session| !ids.iter().any(|id| session.id.matches(id)));
    }

    /// The session with one of these ids.
    pub fn find(&mut self, ids: &[&str], now: Instant) -> Option<Session> {
        self.expire(now);
        let session = self.find_mut(ids)?;
        session.used = now;
        Some(Session { unlocked_until: session.unlocked_until })
    }

    /// Permits actions that spend, for a limited time. Returns its end, or `None` if the session has ended.
    pub fn unlock(&mut self, ids: &[&str], now: Instant) -> Option<Instant> {
        let session = self.find_mut(ids)?;
        session.unlocked_until = Some(now + UNLOCKED);
        session.unlocked_until
    }

    fn find_mut(&mut self, ids: &[&str]) -> Option<&mut OpenSession> {
        self.0.iter_mut().find(|session| ids.iter().any(|id| session.id.matches(id)))
    }

    fn expire(&mut self, now: Instant) {
        self.0.retain(|session| now.saturating_duration_since(session.used) < IDLE);
    }
}

/// The delay between attempts to enter the passphrase.
#[derive(Debug, Default)]
pub struct Attempts {
    failed: u32,
    blocked_until: Option<Instant>,
}

impl Attempts {
    /// Starts an attempt. It counts as failed until [`Attempts::succeed`], so that a client that hangs up gains nothing.
    ///
    /// # Errors
    /// How long to wait.
    pub fn start(&mut self, now: Instant) -> Result<(), Duration> {
        let wait = self.blocked_until.map(|until| until.saturating_duration_since(now)).filter(|wait| !wait.is_zero());
        if let Some(wait) = wait {
            return Err(wait);
        }
        let delay = FIRST_DELAY.saturating_mul(1 << self.failed.min(16)).min(LONGEST_DELAY);
        self.failed = self.failed.saturating_add(1);
        self.blocked_until = Some(now + delay);
        Ok(())
    }

    /// Forgets the failed attempts.
    pub fn succeed(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_ends_when_it_is_not_used() {
        let (mut sessions, start) = (Sessions::default(), Instant::now());
        let id = sessions.open(start).reveal();
        let ids = [id.as_str()];
        assert!(sessions.find(&ids, start + IDLE - Duration::from_secs(1)).is_some());
        assert!(sessions.find(&ids, start + IDLE).is_some(), "a request prolongs it");
        assert!(sessions.find(&ids, start + IDLE * 2).is_none());
        assert!(sessions.unlock(&ids, start + IDLE * 2).is_none());
    }

    #[test]
    fn sessions_are_limited() {
        let (mut sessions, start) = (Sessions::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        let first = sessions.open(at(0)).reveal();
        let second = sessions.open(at(1)).reveal();
        for seconds in 2..MAX_SESSIONS as u64 {
            sessions.open(at(seconds));
        }
        assert!(sessions.find(&[&first], at(100)).is_some());
        let last = sessions.open(at(101)).reveal();
        assert!(sessions.find(&[&second], at(102)).is_none(), "the least recently used one made room");
        assert!(sessions.find(&[&first], at(102)).is_some() && sessions.find(&[&last], at(102)).is_some());
    }

    #[test]
    fn a_session_is_unlocked_for_a_limited_time_and_alone() {
        let (mut sessions, start) = (Sessions::default(), Instant::now());
        let [one, other] = [sessions.open(start).reveal(), sessions.open(start).reveal()];
        assert_eq!(sessions.unlock(&[&one], start), Some(start + UNLOCKED));
        let unlocked = |sessions: &mut Sessions, id: &str| sessions.find(&[id], start).unwrap().unlocked_until;
        assert_eq!(unlocked(&mut sessions, &one), Some(start + UNLOCKED));
        assert_eq!(unlocked(&mut sessions, &other), None);
    }

    #[test]
    fn wrong_passphrases_wait_longer_each_time() {
        let (mut attempts, mut now) = (Attempts::default(), Instant::now());
        let mut delays = Vec::new();
        for _ in 0..12 {
            attempts.start(now).unwrap();
            let wait = attempts.start(now).unwrap_err();
            assert!(attempts.start(now + wait - Duration::from_millis(1)).is_err());
            delays.push(wait.as_secs());
            now += wait;
        }
        assert_eq!(delays, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]);
        attempts.start(now).unwrap();
        attempts.succeed();
        attempts.start(now).unwrap();
        assert_eq!(attempts.start(now), Err(FIRST_DELAY), "the right one forgives the wrong ones");
    }
}
