//! The programs of the demo and the tests: the real ones, found next to the running program.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::{Output, Stdio},
    time::Duration,
};

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use tokio::{process::Command, time};

/// Time limit of a command. Long enough for a loaded machine.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(120);

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The program is missing.
    #[error(
        "the program {} is missing: run `make build` (or `cargo build --release --workspace`) first",
        .0.display()
    )]
    Missing(PathBuf),
    /// The program could not be started.
    #[error("cannot run `{command}`: {source}")]
    Start {
        /// The command.
        command: String,
        /// The cause.
        source: std::io::Error,
    },
    /// The command exceeded its time limit.
    #[error("`{command}` did not end within {} s", COMMAND_TIMEOUT.as_secs())]
    TimedOut {
        /// The command.
        command: String,
    },
    /// The command failed.
    #[error("`{command}` ended with {code}: {message}")]
    Failed {
        /// The command.
        command: String,
        /// The exit code.
        code: i32,
        /// Failure code.
        name: String,
        /// Whether the same command may succeed later.
        retryable: bool,
        /// Error message.
        message: String,
    },
    /// The output is not the expected JSON.
    #[error("`{command}` printed unexpected output ({reason}): {output}")]
    Answer {
        /// The command.
        command: String,
        /// What is wrong with the output.
        reason: String,
        /// The output.
        output: String,
    },
}

impl CommandError {
    /// The failure code that the program reported, if any.
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

/// One of the project's programs, with fixed arguments and environment.
#[derive(Clone, Debug)]
pub struct Program {
    /// The executable.
    pub path: PathBuf,
    /// Environment variables: paths of its home and its passphrase.
    pub environment: Vec<(&'static str, OsString)>,
}

impl Program {
    /// Finds the program `name` next to the running program, which may also be a test in `deps/`.
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

    /// Runs a command to its end and returns the `data` of its JSON output.
    ///
    /// # Errors
    /// When it fails, takes too long, or prints something else.
    pub async fn call<T: DeserializeOwned>(&self, arguments: &[impl AsRef<str>]) -> Result<T, CommandError> {
        Ok(self.call_with_warnings(arguments).await?.0)
    }

    /// The same, with the command's warnings.
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

    /// The command line as a user would type it.
    fn describe(&self, arguments: &[&str]) -> String {
        let name = self.path.file_stem().unwrap_or_default().to_string_lossy();
        format!("{name} {}", arguments.join(" "))
    }
}
