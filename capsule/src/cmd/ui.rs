//! `capsule ui`

use sonar_node::cli::{Failure, Output, Report};
use sonar_web::guard;

use super::Context;

/// Open the operator's page of the running `capsule serve` in the browser.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  capsule ui\n  capsule ui --no-open")]
pub struct Ui {
    /// Print the link only. It works once, so keep it to yourself
    #[arg(long)]
    no_open: bool,
}

impl Ui {
    pub async fn run(self, context: &Context, output: &Output) -> Result<Report, Failure> {
        guard::open_browser(context.home.path(), "capsule serve", self.no_open, output).await
    }
}
