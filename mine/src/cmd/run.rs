//! `mine run`

use std::sync::Arc;

use crate::run::{MineLoop, RunError, Setup};
use serde_json::json;
use sonar_node::{
    cli::{Ask, Code, Failure, Output, Ready, Report, stop_signal},
    discovery,
};

use super::{Context, repository_failure, store_failure};

/// Serve campaigns until stopped. A Mine opens only outgoing connections.
#[derive(Debug, clap::Args)]
pub struct Run {
    /// End when nothing is left to do for the campaigns that are open now
    #[arg(long)]
    once: bool,
}

impl Run {
    pub async fn run(self, context: &Context, output: &Output) -> Result<Report, Failure> {
        let home = &context.home;
        let opened = home.open(&context.passphrase(Ask::Existing)?)?;
        let _lock = home.lock().await?;
        Ready::clear(home.path());
        let me = opened.signer.address();
        let done = Report::new(&json!({"address": me, "once": self.once}), "")?;
        let mut stop = Box::pin(stop_signal());
        let connect = || async {
            let client = context.client(Some(opened.signer.clone())).await?;
            Ok((client, Arc::new(discovery::ipfs_node(&context.config, home, output).await?)))
        };
        let (client, node) = if self.once {
            connect().await?
        } else if let Some(connected) = discovery::persist(&mut stop, connect).await? {
            connected
        } else {
            return Ok(done);
        };
        let chain_id = client.deployment().chain_id;
        let setup = Setup {
            client,
            me,
            node: node.clone(),
            home: home.path().to_owned(),
            policy: home.policy(),
            poll: context.config.poll(chain_id),
            confirmations: context.config.confirmations(chain_id),
            once: self.once,
        };
        let mut miner = MineLoop::new(setup, opened.store).map_err(failure)?;
        if !self.once {
            Ready::new(None, Vec::new()).announce(home.path(), output)?;
        }
        output.progress(format!("Mine {me} is running"));
        miner.run(stop).await.map_err(failure)?;
        Ready::clear(home.path());
        Ok(done)
    }
}

fn failure(error: RunError) -> Failure {
    match error {
        RunError::Store(error) => store_failure(error),
        RunError::Outbox(error) => store_failure(error),
        RunError::Repository(error) => repository_failure(error),
        RunError::Policy(error) => error.into(),
        error @ RunError::Trouble { .. } => {
            Failure::new(Code::Trouble, error).help("run it again, or without --once to retry until it works")
        }
    }
}
