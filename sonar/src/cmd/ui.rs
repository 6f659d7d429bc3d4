//! `sonar ui`.

use std::net::SocketAddr;

use serde_json::json;
use sonar_node::cli::{self, Failure, Output, Report};
use sonar_web::guard::{open_browser, show_link};

use super::Context;
use crate::desk::{DeskLock, DeskServer};

/// Open the desk in the browser: plan, launch and follow campaigns, fetch results, audit, and take money back.
///
/// The pages are served to this machine only, until the command is stopped. A second `sonar ui` with the same home opens the pages of
/// the first one.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  sonar ui --rpc http://127.0.0.1:8545 --sonar http://127.0.0.1:8080")]
pub struct Ui {
    /// Address of the pages on this machine (default: 127.0.0.1:8081, or a free port if that is in use)
    #[arg(long, value_name = "ADDR:PORT", env = "SONAR_UI_LISTEN")]
    listen: Option<SocketAddr>,
    /// Print the link, and do not open a browser
    #[arg(long)]
    no_open: bool,
}

impl Ui {
    pub async fn run(self, context: &Context, output: &Output) -> Result<Report, Failure> {
        let Some(lock) = DeskLock::take(&context.home)? else {
            return open_browser(&context.home, "sonar ui", self.no_open, output).await;
        };
        let mut stop = Box::pin(cli::stop_signal());
        let desk = DeskServer::start(context.workspace(), self.listen, lock).await?;
        let link = desk.link();
        output.item(&json!({ "link": link }), &link)?;
        show_link(&link, self.no_open, output);
        output.progress("Stop with Ctrl-C");
        (&mut stop).await;
        output.progress("Stopping…");
        desk.stop().await;
        Ok(Report::streamed())
    }
}
