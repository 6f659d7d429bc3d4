//! The pause: while it lasts, the Mine starts no new work. It is a file in the home, so it survives a restart, and a
//! running Mine follows it without one.
//!
//! A pause abandons nothing: a submitted stake is followed to its settlement, and an update that was made is sent, because
//! its privacy cost is charged already. See [`crate::planner::next`].

use std::{fmt, io::ErrorKind, path::Path, time::Duration};

use serde::{Deserialize, Serialize};
use sonar_node::{
    config::ConfigError,
    files::{self, Access, FileError},
};
use sonar_protocol::units::Timestamp;

/// Size limit of the file in bytes.
const LIMIT: u64 = 4 << 10;

/// A pause. Its times are those of this machine's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pause {
    /// When it was asked for.
    pub since: Timestamp,
    /// When it ends; `None` until `mine resume`.
    pub until: Option<Timestamp>,
    /// Whether steps that are running or queued are finished first.
    pub after_job: bool,
}

impl Pause {
    /// A pause from now on, for this time or until it is ended.
    #[must_use]
    pub fn new(now: Timestamp, length: Option<Duration>, after_job: bool) -> Self {
        Self { since: now, until: length.map(|length| now.plus(length.as_secs())), after_job }
    }

    /// Whether it applies to a campaign, one of whose steps is running or not.
    #[must_use]
    pub const fn holds(&self, is_running: bool) -> bool {
        !(self.after_job && is_running)
    }

    /// Reads the pause of this home; `None` if there is none, or it has ended.
    ///
    /// # Errors
    /// When the file is unreadable, or its content is invalid.
    pub fn read(path: &Path, now: Timestamp) -> Result<Option<Self>, ConfigError> {
        let bytes = match files::read_limited(path, LIMIT) {
            Err(error) if error.source.kind() == ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        let pause: Self = serde_json::from_slice(&bytes)
            .map_err(|error| ConfigError::Content { path: path.to_owned(), message: error.to_string() })?;
        Ok(Some(pause).filter(|pause| pause.until.is_none_or(|until| now < until)))
    }

    /// Writes the pause.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), ConfigError> {
        let text = serde_json::to_vec(self)
            .map_err(|error| ConfigError::Content { path: path.to_owned(), message: error.to_string() })?;
        Ok(files::write_atomic(path, &text, Access::Private)?)
    }

    /// Ends the pause of this home.
    ///
    /// # Errors
    /// When the file cannot be removed.
    pub fn end(path: &Path) -> Result<(), FileError> {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            other => other.map_err(FileError::new("remove", path)),
        }
    }
}

impl fmt::Display for Pause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        describe(self.until, f)
    }
}

/// The reason, and what ends it.
pub(crate) fn describe(until: Option<Timestamp>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match until {
        Some(until) => write!(f, "paused until {until}; `mine resume` ends the pause earlier"),
        None => f.write_str("paused; `mine resume` ends the pause"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_unix(1_000);

    #[test]
    fn a_pause_survives_its_file_and_ends_by_itself() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("pause.json");
        assert_eq!(Pause::read(&path, NOW).unwrap(), None);
        let hour = Pause::new(NOW, Some(Duration::from_secs(3_600)), false);
        hour.write(&path).unwrap();
        assert_eq!(Pause::read(&path, NOW.plus(3_599_u32)).unwrap(), Some(hour));
        assert_eq!(Pause::read(&path, NOW.plus(3_600_u32)).unwrap(), None);
        assert_eq!(hour.to_string(), "paused until 1970-01-01T01:16:40Z; `mine resume` ends the pause earlier");

        let open = Pause::new(NOW, None, true);
        open.write(&path).unwrap();
        assert_eq!(Pause::read(&path, Timestamp::from_unix(u64::MAX)).unwrap(), Some(open));
        Pause::end(&path).unwrap();
        Pause::end(&path).unwrap();
        assert_eq!(Pause::read(&path, NOW).unwrap(), None);
    }

    #[test]
    fn a_damaged_file_is_named_and_not_taken_for_no_pause() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("pause.json");
        std::fs::write(&path, "{\"since\":1}").unwrap();
        let error = Pause::read(&path, NOW).unwrap_err();
        assert!(error.to_string().contains("pause.json"), "{error}");
    }

    #[test]
    fn a_pause_after_the_job_lets_it_end() {
        let (now, later) = (Pause::new(NOW, None, false), Pause::new(NOW, None, true));
        assert!(now.holds(true) && now.holds(false));
        assert!(!later.holds(true) && later.holds(false));
    }
}
