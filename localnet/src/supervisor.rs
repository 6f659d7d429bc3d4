//! The supervisor: starts processes, kills and restarts them, and makes sure that none outlives this program.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{self, Signal},
    unistd::Pid,
};
use serde::Deserialize;
use tokio::time;

use crate::programs::Program;

/// Time limit for a program to become ready.
const START_TIMEOUT: Duration = Duration::from_secs(60);
/// Time limit for a program to stop after SIGTERM.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);
/// Time between two checks.
const LOOK: Duration = Duration::from_millis(10);
/// Size of the end of a log that an error shows.
const TAIL: usize = 4_000;

/// Why a process does not run.
#[derive(Debug, thiserror::Error)]
pub enum SupervisorError {
    /// It could not be started.
    #[error("cannot start {name} ({}): {source}", .path.display())]
    Start {
        /// Name of the process.
        name: String,
        /// Path of its program or log.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// It ended instead of becoming ready.
    #[error("{name} ended with {status} instead of becoming ready; its log ends with\n{log}")]
    Ended {
        /// Name of the process.
        name: String,
        /// Exit status.
        status: ExitStatus,
        /// Last lines of its log.
        log: String,
    },
    /// It did not become ready in time.
    #[error("{name} was not ready within {} s; its log ends with\n{log}", START_TIMEOUT.as_secs())]
    NotReady {
        /// Name of the process.
        name: String,
        /// Last lines of its log.
        log: String,
    },
    /// It ended too often.
    #[error("{name} ended {restarts} times by itself; its log ends with\n{log}")]
    Hopeless {
        /// Name of the process.
        name: String,
        /// Number of restarts.
        restarts: u32,
        /// Last lines of its log.
        log: String,
    },
    /// There is no such process.
    #[error("there is no process {0}")]
    Unknown(String),
}

type Result<T> = std::result::Result<T, SupervisorError>;

/// A process to run.
#[derive(Clone, Debug)]
pub struct Service {
    /// Name in messages and of the log file.
    pub name: String,
    /// Program.
    pub program: Program,
    /// Arguments.
    pub arguments: Vec<OsString>,
    /// Home of the program, in which it writes `ready.json`.
    pub home: PathBuf,
}

/// Content of `ready.json`.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct ReadyService {
    /// URL of its HTTP API, if any.
    pub http: Option<String>,
    /// Addresses of its IPFS node, if any.
    #[serde(default)]
    pub ipfs: Vec<String>,
}

/// A supervised process.
#[derive(Debug)]
struct Daemon {
    service: Service,
    child: Child,
    log: PathBuf,
    restarts: u32,
    is_paused: bool,
}

/// Runs processes, each in its own process group and with its own log file. Dropping it ends all of them.
#[derive(Debug)]
pub struct Supervisor {
    logs: PathBuf,
    daemons: Vec<Daemon>,
}

impl Supervisor {
    /// How often a process that ends by itself is restarted.
    pub const MOST_RESTARTS: u32 = 20;

    /// Creates a supervisor that writes logs into this directory.
    ///
    /// # Errors
    /// When the directory cannot be created.
    pub fn new(logs: &Path) -> io::Result<Self> {
        fs::create_dir_all(logs)?;
        Ok(Self { logs: logs.to_owned(), daemons: Vec::new() })
    }

    /// Starts processes concurrently, and waits until all are ready.
    ///
    /// # Errors
    /// When one cannot be started, ends, or is not ready in time.
    pub async fn start(&mut self, services: Vec<Service>) -> Result<Vec<ReadyService>> {
        let first = self.daemons.len();
        for service in services {
            let log = self.logs.join(format!("{}.log", service.name));
            let child = spawn(&service, &log)?;
            self.daemons.push(Daemon { service, child, log, restarts: 0, is_paused: false });
        }
        let mut ready = Vec::new();
        for daemon in &mut self.daemons[first..] {
            ready.push(daemon.wait_until_ready().await?);
        }
        Ok(ready)
    }

    /// Kills a process without warning, as a power cut would.
    ///
    /// # Errors
    /// When there is no such process.
    pub fn kill9(&mut self, name: &str) -> Result<()> {
        self.find(name)?.kill();
        Ok(())
    }

    /// Pauses a process until it is resumed, even if it is restarted meanwhile.
    ///
    /// # Errors
    /// When there is no such process.
    pub fn pause(&mut self, name: &str) -> Result<()> {
        let daemon = self.find(name)?;
        daemon.is_paused = true;
        daemon.signal(Signal::SIGSTOP);
        Ok(())
    }

    /// Resumes a paused process.
    ///
    /// # Errors
    /// When there is no such process.
    pub fn resume(&mut self, name: &str) -> Result<()> {
        let daemon = self.find(name)?;
        daemon.is_paused = false;
        daemon.signal(Signal::SIGCONT);
        Ok(())
    }

    /// Restarts a process that has ended.
    ///
    /// # Errors
    /// When there is no such process, or it does not become ready.
    pub async fn restart(&mut self, name: &str) -> Result<ReadyService> {
        let daemon = self.find(name)?;
        daemon.kill();
        daemon.child = spawn(&daemon.service, &daemon.log)?;
        let ready = daemon.wait_until_ready().await?;
        if daemon.is_paused {
            daemon.signal(Signal::SIGSTOP);
        }
        Ok(ready)
    }

    /// Restarts every process that has ended, and returns their names.
    ///
    /// # Errors
    /// When one does not become ready, or has ended too often.
    pub async fn revive(&mut self) -> Result<Vec<String>> {
        let ended: Vec<String> = self
            .daemons
            .iter_mut()
            .filter_map(|daemon| daemon.has_ended().then(|| daemon.service.name.clone()))
            .collect();
        for name in &ended {
            let daemon = self.find(name)?;
            daemon.restarts += 1;
            if daemon.restarts > Self::MOST_RESTARTS {
                return Err(SupervisorError::Hopeless {
                    name: name.clone(),
                    restarts: Self::MOST_RESTARTS,
                    log: tail(&daemon.log),
                });
            }
            self.restart(name).await?;
        }
        Ok(ended)
    }

    /// The last lines of all logs, for errors that concern all processes.
    #[must_use]
    pub fn tails(&self) -> String {
        let tail = |daemon: &Daemon| format!("== {}\n{}\n", daemon.service.name, tail(&daemon.log));
        self.daemons.iter().map(tail).collect()
    }

    /// Sends SIGTERM to all processes, and kills those that do not stop. Blocks for at most a few seconds, so that
    /// `drop` can call it too.
    pub fn stop(&mut self) {
        for daemon in &self.daemons {
            daemon.signal(Signal::SIGTERM);
            // A paused process would not react.
            daemon.signal(Signal::SIGCONT);
        }
        let end = Instant::now() + STOP_TIMEOUT;
        // In reverse order of their start, so that a process ends before those that it needs.
        while let Some(mut daemon) = self.daemons.pop() {
            while !daemon.has_ended() && Instant::now() < end {
                std::thread::sleep(LOOK);
            }
            daemon.kill();
        }
    }

    fn find(&mut self, name: &str) -> Result<&mut Daemon> {
        self.daemons
            .iter_mut()
            .find(|daemon| daemon.service.name == name)
            .ok_or_else(|| SupervisorError::Unknown(name.into()))
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Daemon {
    fn ready_file(&self) -> PathBuf {
        ready_file(&self.service.home)
    }

    async fn wait_until_ready(&mut self) -> Result<ReadyService> {
        let end = Instant::now() + START_TIMEOUT;
        loop {
            // The file is renamed into place, so it is complete as soon as it exists.
            let ready = fs::read(self.ready_file()).ok();
            if let Some(ready) = ready.and_then(|text| serde_json::from_slice(&text).ok()) {
                return Ok(ready);
            }
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(SupervisorError::Ended { name: self.service.name.clone(), status, log: tail(&self.log) });
            }
            if Instant::now() > end {
                return Err(SupervisorError::NotReady { name: self.service.name.clone(), log: tail(&self.log) });
            }
            time::sleep(LOOK).await;
        }
    }

    fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// The id of its process group is its own process id.
    fn signal(&self, signal: Signal) {
        if let Ok(pid) = i32::try_from(self.child.id()) {
            // Fails only if all of them have already ended.
            let _ = signal::killpg(Pid::from_raw(pid), signal);
        }
    }

    fn kill(&mut self) {
        if !self.has_ended() {
            self.signal(Signal::SIGKILL);
            let _ = self.child.wait();
        }
    }
}

fn ready_file(home: &Path) -> PathBuf {
    home.join("ready.json")
}

fn spawn(service: &Service, log: &Path) -> Result<Child> {
    let fail = |path: &Path| {
        let (name, path) = (service.name.clone(), path.to_owned());
        move |source| SupervisorError::Start { name, path, source }
    };
    // A file left by a killed process would be out of date.
    match fs::remove_file(ready_file(&service.home)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(fail(&service.home)(error));
        }
        _ => {}
    }
    let output = append(log).map_err(fail(log))?;
    let errors = output.try_clone().map_err(fail(log))?;
    let mut command = Command::new(&service.program.path);
    command
        .args(&service.arguments)
        .envs(service.program.environment.iter().cloned())
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(errors)
        .process_group(0);
    die_with_us(&mut command);
    command.spawn().map_err(fail(&service.program.path))
}

fn append(log: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(log)
}

/// The kernel kills the child when this program ends in any way. (More exactly: when the thread that started the child
/// ends. All children are started from the main thread, or from the thread of a test.)
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "there is no other way to do something between fork and exec")]
fn die_with_us(command: &mut Command) {
    let kill = || nix::sys::prctl::set_pdeathsig(Signal::SIGKILL).map_err(io::Error::from);
    // SAFETY: the closure makes one system call, which is async-signal-safe, and allocates nothing.
    unsafe { command.pre_exec(kill) };
}

/// On other systems than Linux, a `kill -9` of this process leaves the children alive.
#[cfg(not(target_os = "linux"))]
fn die_with_us(_: &mut Command) {}

/// Reads the last lines of a log.
#[must_use]
pub fn tail(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let start = text.len().saturating_sub(TAIL);
    String::from_utf8_lossy(&text[start..]).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A shell script in place of a program.
    fn service(home: &Path, name: &str, script: &str) -> Service {
        Service {
            name: name.into(),
            program: Program { path: "/bin/sh".into(), environment: vec![("HOME_DIR", home.into())] },
            arguments: vec!["-c".into(), script.into()],
            home: home.to_owned(),
        }
    }

    const READY: &str = r#"echo started; echo '{"ready":true,"http":"http://here"}' > "$HOME_DIR/.r";
        mv "$HOME_DIR/.r" "$HOME_DIR/ready.json"; exec sleep 60"#;

    #[tokio::test]
    async fn a_killed_process_comes_back_with_a_new_ready_file() {
        let home = tempfile::tempdir().unwrap();
        let mut supervisor = Supervisor::new(&home.path().join("logs")).unwrap();
        let ready = supervisor.start(vec![service(home.path(), "one", READY)]).await.unwrap();
        assert_eq!(ready[0].http.as_deref(), Some("http://here"));
        assert!(supervisor.revive().await.unwrap().is_empty());

        supervisor.kill9("one").unwrap();
        assert_eq!(supervisor.revive().await.unwrap(), ["one"]);
        supervisor.stop();
        let log = tail(&home.path().join("logs/one.log"));
        assert_eq!(log.matches("started").count(), 2);
    }

    /// A signal, a timeout and an error all drop the supervisor.
    #[tokio::test]
    async fn a_dropped_supervisor_lets_its_processes_end_cleanly() {
        let home = tempfile::tempdir().unwrap();
        let mut supervisor = Supervisor::new(&home.path().join("logs")).unwrap();
        // `wait` returns at once when the signal comes.
        let script =
            format!("trap 'echo cleaned up; exit 0' TERM; {}", READY.replace("exec sleep 60", "sleep 60 & wait"));
        supervisor.start(vec![service(home.path(), "polite", &script)]).await.unwrap();
        supervisor.pause("polite").unwrap();
        drop(supervisor);
        let log = tail(&home.path().join("logs/polite.log"));
        assert!(log.ends_with("cleaned up"), "{log}");
    }

    #[tokio::test]
    async fn a_process_that_ends_instead_of_becoming_ready_shows_its_log() {
        let home = tempfile::tempdir().unwrap();
        let mut supervisor = Supervisor::new(&home.path().join("logs")).unwrap();
        let broken = service(home.path(), "broken", "echo no such key >&2; exit 4");
        let error = supervisor.start(vec![broken]).await.unwrap_err().to_string();
        assert!(error.contains("broken") && error.contains("no such key"), "{error}");
    }
}
