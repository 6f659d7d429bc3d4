//! The frame of a program: parses the command line, sets up logging, runs the command within its time limit, and
//! returns the exit code.

use std::{future::Future, io, process};

use clap::{CommandFactory, Parser};
use clap_complete::Shell;
use serde_json::json;

use super::{Code, ExitCode, Failure, Globals, Logging, Output, Report, init_tracing, run, say_json};

/// The command line of a program.
pub trait CommandLine: Parser {
    /// The global options.
    fn globals(&self) -> &Globals;

    /// Name and version of the shape of the command's result, such as `sonar.campaign.show/1`.
    fn schema(&self) -> &'static str;

    /// Default log level of the command.
    fn logging(&self) -> Logging;

    /// Runs the command.
    fn execute(self, output: &Output) -> impl Future<Output = Result<Report, Failure>>;
}

/// Runs a program: parses the command line, runs the command, and returns the exit code.
#[must_use]
pub fn main<C: CommandLine>() -> process::ExitCode {
    let program = match parse::<C>() {
        Ok(program) => program,
        Err(code) => return code,
    };
    init_tracing(program.globals(), program.logging());
    let output = Output::new(program.globals(), program.schema());
    run(program.globals().timeout, output, async |output| program.execute(output).await)
}

/// Parses the command line. Misunderstandings end with exit code 2, in JSON too when `--json` was given; help and
/// version with 0.
///
/// # Errors
/// The code with which to end at once.
pub fn parse<C: Parser>() -> Result<C, process::ExitCode> {
    C::try_parse().map_err(|error| {
        let json = std::env::args_os().any(|argument| argument == "--json");
        if !error.use_stderr() {
            // Help and version are results.
            let _ = error.print();
            return ExitCode::Success.into();
        }
        let _ = error.print();
        if json {
            let text = error.render().to_string();
            let message = text.trim().trim_start_matches("error: ");
            let failure = Failure::new(Code::Usage, message);
            let schema = format!("{}.usage/1", C::command().get_name());
            say_json(io::stdout(), &failure.envelope(&schema, None, &[]));
        }
        ExitCode::Usage.into()
    })
}

/// Print a script that completes commands in your shell
#[derive(Debug, clap::Args)]
pub struct Completions {
    /// Which shell
    shell: Shell,
}

impl Completions {
    /// The completion script for the commands of `C`.
    ///
    /// # Errors
    /// When the script is not text.
    pub fn run<C: CommandFactory>(&self) -> Result<Report, Failure> {
        let mut command = C::command();
        let program = command.get_name().to_owned();
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut command, program, &mut script);
        let script = String::from_utf8(script).map_err(Failure::internal)?;
        let data = json!({"shell": self.shell.to_string(), "script": script});
        Report::new(&data, script)
    }
}

/// What `version` answers: the program's version, and the contracts that it speaks to.
///
/// # Errors
/// None.
pub fn version<C: CommandFactory>() -> Result<Report, Failure> {
    let command = C::command();
    let (program, version) = (command.get_name(), command.get_version().unwrap_or_default());
    let abi = sonar_contracts::abi_hash();
    let human = format!("{program} {version}\ncontracts {abi}");
    Report::new(&json!({"version": version, "contracts": abi}), human)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A program for a test.
    #[derive(Debug, Parser)]
    #[command(name = "tester", version = "1.2.3")]
    struct Tester;

    #[test]
    fn version_and_completions_are_of_the_program() {
        let output = |report: Result<Report, Failure>| report.unwrap().data.unwrap();
        assert_eq!(output(version::<Tester>())["version"], "1.2.3");
        let script = output(Completions { shell: Shell::Bash }.run::<Tester>());
        assert_eq!(script["shell"], "bash");
        assert!(script["script"].as_str().unwrap().contains("_tester()"));
    }
}
