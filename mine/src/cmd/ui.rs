//! `mine ui`

use sonar_node::cli::{Failure, Output, Report};
use sonar_web::guard;

use super::Context;

/// Open the pages of the running Mine in the browser, and print the link. A link works once.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  mine ui --no-open")]
pub struct Ui {
    /// Only print the link
    #[arg(long)]
    no_open: bool,
}

impl Ui {
    pub async fn run(self, context: &Context, output: &Output) -> Result<Report, Failure> {
        guard::open_browser(context.home.path(), "mine run", self.no_open, output).await
    }
}
