//! `mine pause` and `mine resume`

use std::time::{Duration, SystemTime};

use serde_json::json;
use sonar_node::cli::{Failure, Report};
use sonar_protocol::units;

use super::Context;
use crate::pause::Pause as State;

/// Start no new work. A running Mine follows at once, and a stopped one when it is started. Updates that were made are
/// still sent, and stakes are followed to their settlement.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  mine pause --for 1h\n  mine pause --after-job")]
pub struct Pause {
    /// Length of the pause, for example 30m or 4h (default: until `mine resume`)
    #[arg(long = "for", value_name = "TIME", value_parser = units::duration)]
    length: Option<Duration>,
    /// Finish the steps that are running first
    #[arg(long)]
    after_job: bool,
}

impl Pause {
    pub fn run(self, context: &Context) -> Result<Report, Failure> {
        // Before `mine init` there is nothing to pause.
        context.home.account_address()?;
        let pause = State::new(SystemTime::now().into(), self.length, self.after_job);
        pause.write(&context.home.pause())?;
        let first = if self.after_job { "after the steps that are running: " } else { "" };
        Report::new(&pause, format!("{first}{pause}"))
    }
}

pub fn resume(context: &Context) -> Result<Report, Failure> {
    context.home.account_address()?;
    let path = context.home.pause();
    // A damaged file is ended too.
    let was_paused = State::read(&path, SystemTime::now().into()).map_or(true, |pause| pause.is_some());
    State::end(&path)?;
    let human = if was_paused { "the pause has ended" } else { "the Mine was not paused" };
    Report::new(&json!({ "was_paused": was_paused }), human)
}
