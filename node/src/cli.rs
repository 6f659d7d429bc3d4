//! The common part of all command lines: results on stdout, everything else on stderr, one JSON document with `--json`,
//! the same exit codes, and passphrases that are never arguments.

use std::{
    fmt::Display,
    io::{self, IsTerminal, Write},
    net::SocketAddr,
    path::{Path, PathBuf},
    process,
    sync::{Arc, Mutex},
    time::Duration,
};

use serde::Serialize;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::{
    config::ConfigError,
    files::{self, Access, FileError, FileExists},
    ipfs::IpfsError,
    logging::{BestEffort, EscapedJson, fields},
};
use sonar_protocol::{campaign, families::DraftError, launch::LaunchError, pgp::PgpError, text, units};

mod code;
mod limit;
mod program;
mod stop;

pub use code::Code;
pub use limit::run;
pub use program::{CommandLine, Completions, main, parse, version};
pub use stop::stop_signal;

/// Size limit of a passphrase file in bytes.
const PASSPHRASE_LIMIT: u64 = 4096;

/// The exit codes, for the end of every `--help`.
pub const EXIT_CODES: &str = "\
Exit codes:
  0  success
  1  internal failure
  2  invalid command line
  3  declined: a confirmation was not given
  4  locked: the passphrase is wrong or missing
  5  refused by a rule (validation, policy, contract); nothing was changed
  6  not found
  7  chain, IPFS or Sonar is unreachable, after retries
  8  the wait took longer than --timeout
  9  ended without success (for example: the campaign was refunded)";

/// Exit code of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitCode {
    /// Success.
    Success = 0,
    /// A bug, or a failure of the machine.
    Internal = 1,
    /// The command line is invalid.
    Usage = 2,
    /// A confirmation was not given.
    Declined = 3,
    /// The passphrase is wrong or missing.
    Locked = 4,
    /// Refused by a rule; nothing was changed.
    Refused = 5,
    /// Not found.
    NotFound = 6,
    /// A service that is needed does not answer, after retries.
    Unreachable = 7,
    /// The time limit has passed.
    TimedOut = 8,
    /// It ended without success.
    Unsuccessful = 9,
}

impl From<ExitCode> for process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code as u8)
    }
}

/// Options of every command.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct Globals {
    /// Print one JSON document on standard output; streams print one a line
    #[arg(long, global = true, help_heading = "Global options")]
    pub json: bool,
    /// No progress on standard error
    #[arg(short, long, global = true, help_heading = "Global options")]
    pub quiet: bool,
    /// More detail on standard error; -vv for everything, including libraries
    #[arg(short, long, global = true, action = clap::ArgAction::Count, help_heading = "Global options")]
    pub verbose: u8,
    /// Answer every confirmation with yes
    #[arg(long, global = true, help_heading = "Global options")]
    pub yes: bool,
    /// Never ask anything: a missing passphrase or confirmation is a failure
    #[arg(long, global = true, help_heading = "Global options")]
    pub no_input: bool,
    /// Stop after this time, for example 90s or 5m
    #[arg(long, global = true, value_name = "TIME", value_parser = units::duration, help_heading = "Global options")]
    pub timeout: Option<Duration>,
    /// Read the passphrase from the first line of this file or pipe
    #[arg(long, global = true, value_name = "FILE", help_heading = "Global options")]
    pub passphrase_file: Option<PathBuf>,
}

/// Why a command failed, for people and for programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Failure code. It determines the exit code.
    pub code: Code,
    /// What was wrong.
    pub message: String,
    /// Where: a file with line and column, or an address.
    pub place: Option<String>,
    /// The next action.
    pub help: Option<String>,
    /// Whether the same command may succeed later.
    pub retryable: bool,
}

impl Failure {
    /// Creates a failure without `place` and `help`.
    pub fn new(code: Code, message: impl Display) -> Self {
        Self {
            code,
            message: message.to_string(),
            place: None,
            help: None,
            retryable: matches!(code.exit(), ExitCode::Unreachable | ExitCode::TimedOut),
        }
    }

    /// Sets the place.
    #[must_use]
    pub fn at(mut self, place: impl Display) -> Self {
        self.place = Some(place.to_string());
        self
    }

    /// Sets the advice.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// A bug, or a failure of the machine.
    pub fn internal(message: impl Display) -> Self {
        Self::new(Code::Internal, message)
    }

    fn envelope(&self, schema: &str, data: Option<&Value>, warnings: &[String]) -> Value {
        let mut envelope = json!({
            "schema": schema,
            "ok": false,
            "error": {
                "code": self.code,
                "message": self.message,
                "where": self.place,
                "help": self.help,
                "retryable": self.retryable,
            },
            "warnings": warnings,
        });
        if let Some(data) = data {
            envelope["data"] = data.clone();
        }
        envelope
    }
}

impl Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)?;
        if let Some(place) = &self.place {
            write!(f, "\n  where: {place}")?;
        }
        if let Some(help) = &self.help {
            write!(f, "\n  help:  {help}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}

impl From<FileError> for Failure {
    fn from(error: FileError) -> Self {
        let code = match error.source.kind() {
            io::ErrorKind::NotFound => Code::FileNotFound,
            io::ErrorKind::FileTooLarge
            | io::ErrorKind::IsADirectory
            | io::ErrorKind::NotADirectory
            | io::ErrorKind::Unsupported => Code::FileRefused,
            _ => Code::File,
        };
        Self::new(code, &error)
    }
}

impl From<FileExists> for Failure {
    fn from(error: FileExists) -> Self {
        Self::new(Code::FileExists, error).help("choose another file, or pass --force to overwrite it")
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        match error {
            ConfigError::File(error) => error.into(),
            error => Self::new(Code::Config, error),
        }
    }
}

impl From<IpfsError> for Failure {
    fn from(error: IpfsError) -> Self {
        let code = match error {
            IpfsError::File(error) => return error.into(),
            IpfsError::NotFound { .. } => Code::ArtefactNotFound,
            IpfsError::TooLarge { .. } | IpfsError::Malformed { .. } => Code::Artefact,
            IpfsError::Address(_) => Code::IpfsAddress,
            IpfsError::Url { .. } => Code::IpfsUrl,
            IpfsError::Unreachable { .. } => Code::IpfsUnreachable,
            IpfsError::Start { .. } | IpfsError::Node { .. } => Code::Ipfs,
        };
        Self::new(code, error)
    }
}

impl From<PgpError> for Failure {
    fn from(error: PgpError) -> Self {
        let code = match error {
            PgpError::WrongPassphrase(_) => Code::WrongPassphrase,
            PgpError::NotSigned(_) => Code::NotSigned,
            PgpError::Make(_) => Code::OpenpgpFailed,
            _ => Code::Openpgp,
        };
        Self::new(code, error)
    }
}

impl From<campaign::CampaignFileError> for Failure {
    fn from(error: campaign::CampaignFileError) -> Self {
        let place = match &error {
            campaign::CampaignFileError::Toml { line, column, .. } => format!("line {line}, column {column}"),
            campaign::CampaignFileError::Text(_) => "name and description".into(),
            campaign::CampaignFileError::Organisation(_) => "organisation".into(),
            campaign::CampaignFileError::Schema(_) => "inputs and task".into(),
            campaign::CampaignFileError::Model { field, .. } => (*field).into(),
        };
        let message = match error {
            campaign::CampaignFileError::Toml { message, .. } | campaign::CampaignFileError::Model { message, .. } => {
                message
            }
            error => error.to_string(),
        };
        Self::new(Code::CampaignFile, message).at(place)
    }
}

impl From<LaunchError> for Failure {
    fn from(error: LaunchError) -> Self {
        let code = match &error {
            LaunchError::Bounty => Code::Bounty,
            LaunchError::PastDeadline => Code::PastDeadline,
            LaunchError::CertificateExpires { .. } => Code::CertificateExpires,
            LaunchError::Ladder(_) => Code::TargetNotAboveStart,
            LaunchError::TargetOffGrid { .. } | LaunchError::TargetBelowGrid { .. } => Code::TargetOffGrid,
            LaunchError::Start { .. } => Code::StartNotAsClaimed,
            LaunchError::Table(_)
            | LaunchError::Misfit(_)
            | LaunchError::Rows(_)
            | LaunchError::Trial(_)
            | LaunchError::Draft(DraftError::Examples(_)) => Code::ValidationData,
            LaunchError::Draft(DraftError::Model(_) | DraftError::Parent(_))
            | LaunchError::Parent(_)
            | LaunchError::NoParent(_)
            | LaunchError::Backbone(_)
            | LaunchError::BackboneSize(_) => Code::Model,
            LaunchError::Grid(_) => Code::Grid,
            LaunchError::Limit { .. }
            | LaunchError::Window { .. }
            | LaunchError::Stake(_)
            | LaunchError::StakeTooHigh { .. } => Code::Limits,
            LaunchError::Manifest(_) => Code::Manifest,
            // Cannot fail: they come from checked shares.
            LaunchError::Terms(_) => Code::Internal,
        };
        Self::new(code, error)
    }
}

/// The JSON document that a successful command prints.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Envelope<T> {
    /// Name and version of the shape of `data`, such as `sonar.campaign.show/1`.
    pub schema: String,
    /// Always true; failures have an `error` instead of `data`.
    pub ok: bool,
    /// The result.
    pub data: T,
    /// Warnings.
    pub warnings: Vec<String>,
}

/// The result of a command in both forms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    // `None` for a stream whose items were printed already.
    data: Option<Value>,
    human: String,
    // What the result means for the exit code.
    failure: Option<Failure>,
}

impl Report {
    /// Creates a result with its JSON form `data` and its text form `human`.
    ///
    /// # Errors
    /// When `data` has no JSON form, which is a bug.
    pub fn new(data: &impl Serialize, human: impl Into<String>) -> Result<Self, Failure> {
        let data = Some(serde_json::to_value(data).map_err(Failure::internal)?);
        Ok(Self { data, human: human.into(), failure: None })
    }

    /// The same result of a command that fails: the result is printed first, then the failure.
    #[must_use]
    pub fn failing(self, failure: Failure) -> Self {
        Self { failure: Some(failure), ..self }
    }

    /// Creates the result of a stream, whose items have been printed already.
    #[must_use]
    pub fn streamed() -> Self {
        Self { data: None, human: String::new(), failure: None }
    }
}

/// Output of a command.
#[derive(Clone, Debug)]
pub struct Output {
    schema: String,
    json: bool,
    quiet: bool,
    warnings: Arc<Mutex<Vec<String>>>,
}

impl Output {
    /// Creates the output of the command whose results have this schema, such as `sonar.campaign.show/1`.
    #[must_use]
    pub fn new(globals: &Globals, schema: impl Into<String>) -> Self {
        Self { schema: schema.into(), json: globals.json, quiet: globals.quiet, warnings: Arc::default() }
    }

    /// Prints progress on standard error.
    pub fn progress(&self, text: impl Display) {
        if !self.quiet {
            say(io::stderr(), &text);
        }
    }

    /// Adds a warning, which is also printed on standard error.
    pub fn warn(&self, text: impl Display) {
        say(io::stderr(), &format_args!("warning: {text}"));
        if let Ok(mut warnings) = self.warnings.lock() {
            warnings.push(text.to_string());
        }
    }

    /// Prints one item of a stream: a line of JSON or of text on stdout.
    ///
    /// # Errors
    /// When `data` has no JSON form, which is a bug.
    pub fn item(&self, data: &impl Serialize, human: impl Display) -> Result<(), Failure> {
        if self.json {
            let data = serde_json::to_value(data).map_err(Failure::internal)?;
            say_json(io::stdout(), &json!({"schema": self.schema, "ok": true, "data": data}));
        } else {
            say(io::stdout(), &human);
        }
        Ok(())
    }

    fn is_read_by_programs(&self, is_terminal: bool) -> bool {
        self.json || !is_terminal
    }

    /// Prints the result and returns the exit code.
    pub fn finish(self, result: Result<Report, Failure>) -> process::ExitCode {
        let warnings = self.warnings.lock().map(|warnings| warnings.clone()).unwrap_or_default();
        match result {
            Ok(Report { data, human, failure: Some(failure) }) => {
                if !self.json && !human.is_empty() {
                    say(io::stdout(), &human.trim_end());
                }
                self.fail(&failure, data.as_ref(), &warnings)
            }
            Ok(report) => {
                if self.json {
                    let envelope = report.data.map(|data| Envelope { schema: self.schema, ok: true, data, warnings });
                    if let Some(envelope) = envelope {
                        say_json(io::stdout(), &json!(envelope));
                    }
                } else if !report.human.is_empty() {
                    say(io::stdout(), &report.human.trim_end());
                }
                ExitCode::Success.into()
            }
            Err(failure) => self.fail(&failure, None, &warnings),
        }
    }

    fn fail(&self, failure: &Failure, data: Option<&Value>, warnings: &[String]) -> process::ExitCode {
        say(io::stderr(), &format_args!("error: {failure}"));
        if self.json {
            say_json(io::stdout(), &failure.envelope(&self.schema, data, warnings));
        }
        failure.code.exit().into()
    }

    /// As `finish`, for streams, whose items have been printed already.
    pub fn finish_stream(self, result: Result<(), Failure>) -> process::ExitCode {
        self.finish(result.map(|()| Report::streamed()))
    }
}

/// Prints a text for people. Parts of it are untrusted, so control characters are escaped.
fn say(mut stream: impl Write, text: &impl Display) {
    // A reader that went away (`| head`) is not a failure.
    let _ = writeln!(stream, "{}", text::escape(&text.to_string()));
}

/// Prints a document for programs. Control characters are escaped here too, because people look at it.
fn say_json(mut stream: impl Write, document: &Value) {
    let _ = writeln!(stream, "{}", text::escape_json(&document.to_string()));
}

/// A table without borders.
#[must_use]
pub fn table<const N: usize>(header: [&str; N]) -> comfy_table::Table {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_header(header);
    table
}

/// Kind of a passphrase prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// An existing passphrase.
    Existing,
    /// A new passphrase, typed twice.
    New,
}

/// Reads the passphrase from `--passphrase-file`, or else from the file named by `<PROGRAM>_PASSPHRASE_FILE`, or else
/// from a prompt.
///
/// # Errors
/// Exit code 4 if there is no passphrase, or an empty one.
pub fn passphrase(globals: &Globals, program: &str, what: &str, ask: Ask) -> Result<Zeroizing<String>, Failure> {
    let variable = format!("{}_PASSPHRASE_FILE", program.to_uppercase());
    let file = globals
        .passphrase_file
        .clone()
        .or_else(|| std::env::var_os(&variable).filter(|value| !value.is_empty()).map(PathBuf::from));
    let passphrase = match file {
        Some(path) => passphrase_from(&path)?,
        None if globals.no_input || !io::stdin().is_terminal() => {
            return Err(locked(format!("the passphrase of {what} is needed"))
                .help(format!("pass --passphrase-file or set {variable}")));
        }
        None => ask_passphrase(what, ask)?,
    };
    if passphrase.is_empty() {
        return Err(locked(format!("the passphrase of {what} is empty")));
    }
    Ok(passphrase)
}

fn locked(message: String) -> Failure {
    Failure::new(Code::PassphraseMissing, message)
}

fn passphrase_from(path: &Path) -> Result<Zeroizing<String>, Failure> {
    let bytes =
        files::read_stream(path, PASSPHRASE_LIMIT).map(Zeroizing::new).map_err(|error| locked(error.to_string()))?;
    let text = std::str::from_utf8(&bytes).map_err(|_| locked(format!("{} is not UTF-8 text", path.display())))?;
    Ok(Zeroizing::new(text.lines().next().unwrap_or_default().to_owned()))
}

fn ask_passphrase(what: &str, ask: Ask) -> Result<Zeroizing<String>, Failure> {
    let prompt = |text: String| {
        let _typing = limit::uninterrupted();
        rpassword::prompt_password(text)
            .map(Zeroizing::new)
            .map_err(|error| locked(format!("cannot ask for the passphrase: {error}")))
    };
    let first = prompt(format!("Passphrase of {what}: "))?;
    if ask == Ask::New && *prompt("Again: ".into())? != *first {
        return Err(locked("the two passphrases differ".into()));
    }
    Ok(first)
}

/// Asks for confirmation of an action that costs money or cannot be undone. `consequence` is one sentence that names
/// the amount.
///
/// # Errors
/// Exit code 3 unless the answer is yes.
pub fn confirm(globals: &Globals, consequence: &str) -> Result<(), Failure> {
    if globals.yes {
        return Ok(());
    }
    let declined = |message: &str| Failure::new(Code::Declined, message);
    if globals.no_input || !io::stdin().is_terminal() {
        return Err(declined(&format!("not confirmed: {consequence}")).help("pass --yes to confirm without a prompt"));
    }
    let mut stderr = io::stderr();
    let _ = write!(stderr, "{}\nContinue? [y/N] ", text::escape(consequence));
    let _ = stderr.flush();
    let mut answer = String::new();
    io::stdin().read_line(&mut answer).map_err(|error| declined(&format!("cannot ask: {error}")))?;
    if matches!(answer.trim().to_lowercase().as_str(), "y" | "yes") {
        Ok(())
    } else {
        Err(declined("declined; nothing was changed"))
    }
}

/// Asks for one of several choices, each a name with a sentence; returns its index. Without a terminal, and for an empty
/// answer, the usual one is chosen.
///
/// # Errors
/// When the answer cannot be read.
pub fn choose(globals: &Globals, question: &str, choices: &[(String, String)], usual: usize) -> Result<usize, Failure> {
    if globals.yes || globals.no_input || !io::stdin().is_terminal() {
        return Ok(usual);
    }
    let mut stderr = io::stderr();
    let _ = writeln!(stderr, "{question}");
    for (name, text) in choices {
        let _ = writeln!(stderr, "  {name:<10} {}", text::escape(text));
    }
    let name = choices.get(usual).map(|(name, _)| name.as_str()).unwrap_or_default();
    loop {
        let _ = write!(stderr, "Your choice [{name}]: ");
        let _ = stderr.flush();
        let mut answer = String::new();
        let read = io::stdin().read_line(&mut answer);
        let count = read.map_err(|error| Failure::new(Code::Declined, format!("cannot ask: {error}")))?;
        if let Some(choice) = chosen(choices, answer.trim(), usual) {
            return Ok(choice);
        }
        // The end of the input: nobody will answer.
        if count == 0 {
            return Ok(usual);
        }
    }
}

/// The choice that an answer names, by its first letters.
fn chosen(choices: &[(String, String)], answer: &str, usual: usize) -> Option<usize> {
    if answer.is_empty() {
        return Some(usual);
    }
    let answer = answer.to_lowercase();
    choices.iter().position(|(name, _)| name.starts_with(&answer))
}

/// Default log level of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Logging {
    /// A command: only problems.
    Command,
    /// A daemon: its activity.
    Daemon,
}

/// Sends logs to stderr, as JSON lines with `--json`. `RUST_LOG` overrides `--quiet` and `--verbose`.
pub fn init_tracing(globals: &Globals, logging: Logging) {
    use tracing_subscriber::EnvFilter;
    let level = match (globals.quiet, globals.verbose, logging) {
        (true, ..) => "error",
        // Shown also for commands, so that users see what a command waits for.
        (_, 0, Logging::Command) => "error,sonar_node::retry=warn",
        (_, 0, Logging::Daemon) => "warn,sonar=info,capsule=info,mine=info",
        (_, 1, _) => "warn,sonar=debug,capsule=debug,mine=debug",
        (..) => "debug",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    // Its spans contain whole URLs, which may contain a provider's key.
    let filter = match "alloy_transport_http=warn".parse() {
        Ok(directive) => filter.add_directive(directive),
        Err(_) => filter,
    };
    let stderr = || BestEffort(io::stderr());
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(stderr)
        .log_internal_errors(false)
        .with_ansi(io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none());
    // Only the first subscriber of a process counts, which is right for tests with several.
    let _ = match (globals.json, globals.verbose, logging) {
        (true, ..) => builder.json().with_writer(move || EscapedJson(stderr())).try_init(),
        (_, 0, Logging::Command) => builder.fmt_fields(fields()).without_time().with_target(false).try_init(),
        _ => builder.fmt_fields(fields()).try_init(),
    };
}

/// Readiness report of a daemon: `<home>/ready.json`, and the same as one JSON line on stdout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct Ready {
    /// Always true.
    pub ready: bool,
    /// Base URL of its HTTP API.
    pub http: Option<String>,
    /// Addresses of its IPFS node.
    pub ipfs: Vec<String>,
}

impl Ready {
    /// Creates the report of a daemon with these addresses.
    #[must_use]
    pub fn new(http: Option<SocketAddr>, ipfs: Vec<String>) -> Self {
        Self { ready: true, http: http.map(|address| format!("http://{address}")), ipfs }
    }

    /// Where a daemon with this home writes the report.
    #[must_use]
    pub fn path(home: &Path) -> PathBuf {
        home.join("ready.json")
    }

    /// Removes the file of an earlier run; call this first.
    pub fn clear(home: &Path) {
        // On the first start there is no file.
        let _ = std::fs::remove_file(Self::path(home));
    }

    /// Writes the file, and prints the line with `--json` or if standard output is not a terminal.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn announce(&self, home: &Path, output: &Output) -> Result<(), Failure> {
        let line = serde_json::to_string(self).map_err(Failure::internal)?;
        files::write_atomic(&Self::path(home), line.as_bytes(), Access::Public)?;
        if output.is_read_by_programs(io::stdout().is_terminal()) {
            say(io::stdout(), &line);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_is_named_by_its_first_letters() {
        let choices = ["careful", "balanced", "open"].map(|name| (name.to_owned(), String::new()));
        let answers = ["", "c", "Open", "balanced", "x", "careful!"];
        let chosen = answers.map(|answer| chosen(&choices, answer, 1));
        assert_eq!(chosen, [Some(1), Some(0), Some(2), Some(1), None, None]);
    }

    fn with_file(content: &[u8]) -> (tempfile::TempDir, Globals) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("passphrase");
        std::fs::write(&path, content).unwrap();
        let globals = Globals { passphrase_file: Some(path), no_input: true, ..Globals::default() };
        (directory, globals)
    }

    #[test]
    fn a_passphrase_is_the_first_line_of_its_file() {
        let (_directory, globals) = with_file(b"correct horse\nignored\n");
        let passphrase = passphrase(&globals, "sonar", "a key", Ask::Existing).unwrap();
        assert_eq!(*passphrase, "correct horse");
    }

    #[test]
    fn without_a_passphrase_the_program_is_locked() {
        let missing = Globals { no_input: true, ..Globals::default() };
        let (_directory, empty) = with_file(b"\n");
        let (_other, binary) = with_file(&[0xFF, 0xFE]);
        for globals in [missing, empty, binary] {
            let failure = passphrase(&globals, "no_such_program", "a key", Ask::New).unwrap_err();
            assert_eq!(failure.code.exit(), ExitCode::Locked);
        }
    }

    #[test]
    fn a_terminal_gets_json_only_with_json() {
        let output = |json| Output::new(&Globals { json, ..Globals::default() }, "sonar.test/1");
        let cases = [(false, true, false), (false, false, true), (true, true, true), (true, false, true)];
        for (json, is_terminal, expected) in cases {
            assert_eq!(
                output(json).is_read_by_programs(is_terminal),
                expected,
                "--json {json}, terminal {is_terminal}"
            );
        }
    }

    #[test]
    fn what_is_not_confirmed_is_declined() {
        let silent = Globals { no_input: true, ..Globals::default() };
        let failure = confirm(&silent, "This pays 1 ETH.").unwrap_err();
        assert_eq!(failure.code.exit(), ExitCode::Declined);
        assert!(failure.message.contains("1 ETH"));
        let willing = Globals { yes: true, ..silent };
        assert!(confirm(&willing, "This pays 1 ETH.").is_ok());
    }

    #[test]
    fn strangers_texts_do_not_reach_the_terminal_as_they_are() {
        let mut printed = Vec::new();
        say(&mut printed, &"column `b\u{1b}]0;owned\u{7}`\nis \u{202e}missing");
        say_json(&mut printed, &json!({"name": "b\u{9b}31m\u{202e}"}));
        let expected = "column `b\\u{1b}]0;owned\\u{7}`\nis \\u{202e}missing\n{\"name\":\"b\\u009b31m\\u202e\"}\n";
        assert_eq!(String::from_utf8(printed).unwrap(), expected);
    }

    #[test]
    fn a_failure_says_what_where_and_what_to_do() {
        let failure = Failure::new(Code::Manifest, "wrong").at("file:1:2").help("do this");
        assert_eq!(failure.to_string(), "wrong\n  where: file:1:2\n  help:  do this");
        let envelope = failure.envelope("sonar.test/1", None, &[]);
        assert_eq!((&envelope["ok"], envelope.get("data")), (&json!(false), None));
        assert_eq!(failure.envelope("sonar.test/1", Some(&json!(1)), &[])["data"], 1);
        assert_eq!(envelope["error"]["where"], "file:1:2");
    }
}
