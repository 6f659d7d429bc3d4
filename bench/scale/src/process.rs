//! The programs under test: started, watched and stopped as an operator would.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::{Duration, Instant},
};

use nix::{
    sys::{
        resource::{Resource, getrlimit, setrlimit},
        signal::{Signal, kill},
    },
    unistd::Pid,
};
use tokio::{
    process::{Child, Command},
    time::timeout,
};

/// How long a program may take to stop.
const STOP_TIMEOUT: Duration = Duration::from_secs(60);

/// Why a program could not be run.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// It was not built.
    #[error("the program {0} is missing: run `make build` first")]
    Missing(String),
    /// It could not be started, or its files could not be written.
    #[error("cannot run `{program}`: {source}")]
    Start {
        /// Its name.
        program: String,
        /// Why not.
        source: io::Error,
    },
    /// It ended by itself.
    #[error("`{program}` ended with {status}:\n{log}")]
    Ended {
        /// Its name.
        program: String,
        /// How.
        status: ExitStatus,
        /// The end of what it logged.
        log: String,
    },
    /// It did not stop.
    #[error("`{program}` did not stop within {} s", STOP_TIMEOUT.as_secs())]
    Stuck {
        /// Its name.
        program: String,
    },
}

/// The folder with the programs.
#[derive(Clone, Debug)]
pub struct Programs(pub PathBuf);

impl Programs {
    /// A program of the folder, to be given arguments.
    ///
    /// # Errors
    /// When it was not built.
    pub fn command(&self, name: &str) -> Result<Command, ProcessError> {
        let path = self.0.join(name);
        if !path.is_file() {
            return Err(ProcessError::Missing(name.into()));
        }
        Ok(Command::new(path))
    }
}

/// A running program.
#[derive(Debug)]
pub struct Daemon {
    program: String,
    child: Child,
    log: PathBuf,
    /// When it was started.
    pub started: Instant,
}

impl Daemon {
    /// Starts it; its log goes to this file.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(program: &str, mut command: Command, log: &Path) -> Result<Self, ProcessError> {
        let failed = |source| ProcessError::Start { program: program.into(), source };
        let file = fs::File::create(log).map_err(failed)?;
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(file).kill_on_drop(true);
        let started = Instant::now();
        let child = command.spawn().map_err(failed)?;
        Ok(Self { program: program.into(), child, log: log.to_owned(), started })
    }

    /// Fails if it has ended.
    ///
    /// # Errors
    /// With the end of its log.
    pub fn check(&mut self) -> Result<(), ProcessError> {
        match self.child.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => Err(ProcessError::Ended {
                program: self.program.clone(),
                status,
                log: last_lines(&fs::read_to_string(&self.log).unwrap_or_default(), 20),
            }),
            Err(source) => Err(ProcessError::Start { program: self.program.clone(), source }),
        }
    }

    /// The most memory that it ever had, in bytes; 0 where the system does not say.
    #[must_use]
    pub fn peak_memory(&self) -> u64 {
        let status = self.child.id().map(|id| fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default());
        status.as_deref().and_then(peak_of).unwrap_or_default()
    }

    /// Asks it to stop, and waits.
    ///
    /// # Errors
    /// When it does not.
    pub async fn stop(mut self) -> Result<Duration, ProcessError> {
        let begin = Instant::now();
        if let Some(id) = self.child.id().and_then(|id| i32::try_from(id).ok()) {
            // It may have ended by itself at this moment.
            let _ = kill(Pid::from_raw(id), Signal::SIGTERM);
        }
        match timeout(STOP_TIMEOUT, self.child.wait()).await {
            Ok(_) => Ok(begin.elapsed()),
            Err(_) => Err(ProcessError::Stuck { program: self.program.clone() }),
        }
    }
}

/// Runs a command to its end.
///
/// # Errors
/// When it fails.
pub async fn complete(program: &str, mut command: Command) -> Result<(), ProcessError> {
    let output = command.stdin(Stdio::null()).output().await;
    let output = output.map_err(|source| ProcessError::Start { program: program.into(), source })?;
    if output.status.success() {
        return Ok(());
    }
    let log = last_lines(&String::from_utf8_lossy(&output.stderr), 20);
    Err(ProcessError::Ended { program: program.into(), status: output.status, log })
}

/// Allows this process and its children as many open files as the system lets them have: a thousand streams need two
/// thousand.
pub fn raise_file_limit() {
    if let Ok((_, hard)) = getrlimit(Resource::RLIMIT_NOFILE) {
        // Streams that do not fit are counted as missing.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}

/// Bytes of all files under a folder.
#[must_use]
pub fn disk_usage(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => disk_usage(&entry.path()),
            Ok(metadata) => metadata.len(),
            Err(_) => 0,
        })
        .sum()
}

fn peak_of(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}

fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peak_memory_is_read_in_bytes() {
        assert_eq!(peak_of("Name:\tsonar\nVmHWM:\t  123456 kB\nVmRSS:\t 1 kB\n"), Some(123_456 * 1024));
        assert_eq!(peak_of("Name:\tsonar\n"), None);
    }
}
