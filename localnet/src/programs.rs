//! The programs under test and in the demo: the real ones, found beside our own.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::{Output, Stdio},
    time::Duration,
};

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use tokio::{process::Command, time};

/// No command of a demo takes longer on a loaded machine.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(120);

/// Why a command did not do what it should.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The program is not there.
    #[error(
        "the program {} is missing: run `make build` (or `cargo build --release --workspace`) first",
        .0.display()
    )]
    Missing(PathBuf),
    /// It could not be run.
    #[error("cannot run `{command}`: {source}")]
    Start {
        /// What was run.
        command: String,
        /// Why not.
        source: std::io::Error,
    },
    /// It took too long.
    #[error("`{command}` did not end within {} s", COMMAND_TIMEOUT.as_secs())]
    TimedOut {
        /// What was run.
        command: String,
    },
    /// It failed.
    #[error("`{command}` ended with {code}: {message}")]
    Failed {
        /// What was run.
        command: String,
        /// The exit code.
        code: i32,
        /// The failure's stable name.
        name: String,
        /// Whether the same command may succeed later.
        retryable: bool,
        /// What it said on stderr.
        message: String,
    },
    /// It said something else than the expected JSON.
    #[error("`{command}` answered with something unexpected ({reason}): {output}")]
    Answer {
        /// What was run.
        command: String,
        /// What is wrong with the answer.
        reason: String,
        /// The answer.
        output: String,
    },
}

impl CommandError {
    /// The stable name of the failure that the program reported, if it did.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Failed { name, .. } => Some(name),
            _ => None,
        }
    }

    /// Whether the same command may succeed later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Failed { retryable: true, .. })
    }
}

/// One of the project's programs with the arguments and environment that it always gets here.
#[derive(Clone, Debug)]
pub struct Program {
    /// The executable.
    pub path: PathBuf,
    /// Environment variables: where its home and its passphrase are.
    pub environment: Vec<(&'static str, OsString)>,
}

impl Program {
    /// The program `name` beside the running one, which may also be a test in `deps/`.
    ///
    /// # Errors
    /// When it was not built.
    pub fn find(name: &str) -> Result<Self, CommandError> {
        let own = std::env::current_exe().map_err(|_| CommandError::Missing(name.into()))?;
        let mut directory = own.parent().unwrap_or(Path::new("."));
        if directory.ends_with("deps") {
            directory = directory.parent().unwrap_or(directory);
        }
        let path = directory.join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
        if !path.is_file() {
            return Err(CommandError::Missing(path));
        }
        Ok(Self { path, environment: Vec::new() })
    }

    /// The same program with a variable in its environment.
    #[must_use]
    pub fn with(mut self, variable: &'static str, value: impl Into<OsString>) -> Self {
        self.environment.push((variable, value.into()));
        self
    }

    /// Runs a command to its end and returns the `data` of its JSON answer.
    ///
    /// # Errors
    /// When it fails, takes too long, or answers with something else.
    pub async fn call<T: DeserializeOwned>(&self, arguments: &[impl AsRef<str>]) -> Result<T, CommandError> {
        Ok(self.call_with_warnings(arguments).await?.0)
    }

    /// The same, with what the command warned of.
    ///
    /// # Errors
    /// As [`Program::call`].
    pub async fn call_with_warnings<T: DeserializeOwned>(
        &self,
        arguments: &[impl AsRef<str>],
    ) -> Result<(T, Vec<String>), CommandError> {
        let arguments: Vec<&str> = arguments.iter().map(AsRef::as_ref).collect();
        let command = self.describe(&arguments);
        let output = self.output(&command, &arguments).await?;
        let text = String::from_utf8_lossy(&output.stdout);
        let answer: Value = serde_json::from_str(&text).unwrap_or_default();
        if !output.status.success() {
            return Err(CommandError::Failed {
                command,
                code: output.status.code().unwrap_or(-1),
                name: answer["error"]["code"].as_str().unwrap_or_default().into(),
                retryable: answer["error"]["retryable"].as_bool().unwrap_or_default(),
                message: String::from_utf8_lossy(&output.stderr).trim().into(),
            });
        }
        let understand = || -> serde_json::Result<_> {
            Ok((T::deserialize(&answer["data"])?, Vec::deserialize(&answer["warnings"])?))
        };
        understand().map_err(|error| CommandError::Answer {
            command,
            reason: error.to_string(),
            output: text.chars().take(2_000).collect(),
        })
    }

    async fn output(&self, command: &str, arguments: &[&str]) -> Result<Output, CommandError> {
        let run = Command::new(&self.path)
            .args(arguments)
            .args(["--json", "--no-input", "--yes"])
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        match time::timeout(COMMAND_TIMEOUT, run).await {
            Ok(Ok(output)) => Ok(output),
            Ok(Err(source)) => Err(CommandError::Start { command: command.into(), source }),
            Err(_) => Err(CommandError::TimedOut { command: command.into() }),
        }
    }

    /// The command as a person would type it.
    fn describe(&self, arguments: &[&str]) -> String {
        let name = self.path.file_stem().unwrap_or_default().to_string_lossy();
        format!("{name} {}", arguments.join(" "))
    }
}
