//! `sonar serve`.

use std::{net::SocketAddr, time::Duration};

use alloy::signers::local::PrivateKeySigner;
use sonar::{
    index::{DatabaseUrl, IndexError, StoreError},
    server::{ServeError, Server, ServerConfig},
};
use sonar_node::{
    account::Keystore,
    cli::{self, Ask, Code, Failure, Output, Ready, Report},
    discovery,
};
use sonar_protocol::units;
use sonar_web::pages::PublicRpc;

use super::Context;

/// Run the coordinator: index of public facts, IPFS hub, relay of settlements, HTTP API.
///
/// Everything that it stores can be rebuilt from the chain, except pending settlements. With an account, it sends the
/// settlements that a Capsule does not send itself in time; the account pays the gas and needs no other rights.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  sonar serve --rpc http://127.0.0.1:8545 --account sonar --passphrase-file pass")]
pub struct Serve {
    /// Address of the HTTP API
    #[arg(long, default_value = "127.0.0.1:8080", value_name = "ADDR:PORT", env = "SONAR_LISTEN")]
    listen: SocketAddr,
    /// Address of the embedded IPFS node
    #[arg(long, default_value = "/ip4/127.0.0.1/tcp/0", value_name = "MULTIADDR", env = "SONAR_IPFS_LISTEN")]
    ipfs_listen: sonar_node::ipfs::Multiaddr,
    /// PostgreSQL database that several servers share (default: SQLite files in the home)
    ///
    /// Each contract has its own schema there. One of the servers follows the chain at a time; all of them answer
    /// requests. Put the password into `PGPASSWORD` or `~/.pgpass`, because other users of this machine can read
    /// command lines.
    #[arg(long, value_name = "URL", env = "SONAR_DATABASE", hide_env_values = true)]
    // Parsed later, because clap's message about an invalid argument repeats it, with the password.
    database: Option<String>,
    /// How long to wait for the Capsule's own settlement before the relay sends it
    #[arg(long, default_value = "60s", value_name = "TIME", value_parser = units::duration)]
    relay_after: Duration,
    /// JSON-RPC of the chain at which browsers that show this server's pages read and verify for themselves (default: they
    /// show this server's numbers, or ask the visitor's wallet). It is public: do not use a URL with a secret key
    #[arg(long, value_name = "URL", env = "SONAR_PUBLIC_RPC")]
    public_rpc: Option<PublicRpc>,
}

impl Serve {
    pub async fn run(self, context: &Context, output: &Output) -> Result<Report, Failure> {
        Ready::clear(&context.home);
        let done = Report::new(&serde_json::json!({ "stopped": true }), "")?;
        let database = self.database_url()?;
        let signer = signer(context, output)?;
        let mut stop = Box::pin(cli::stop_signal());
        let start = || async {
            let chain = discovery::client(&context.config, signer.clone()).await?;
            let chain_id = chain.deployment().chain_id;
            let config = ServerConfig {
                home: context.home.join("serve"),
                database: database.clone(),
                listen: self.listen,
                ipfs_listen: self.ipfs_listen.clone(),
                kubo: context.config.kubo()?,
                poll: context.config.poll(chain_id),
                confirmations: context.config.confirmations(chain_id),
                relay_after: self.relay_after,
                public_rpc: self.public_rpc.clone(),
            };
            Server::start(config, chain).await.map_err(failure)
        };
        let Some(server) = discovery::persist(&mut stop, start).await? else {
            return Ok(done);
        };
        output.progress(format_args!("Listening on http://{}; reading the chain…", server.address()));
        let announced = async {
            server.caught_up().await;
            Ready::new(Some(server.address()), server.ipfs_addresses()).announce(&context.home, output)?;
            output.progress("Ready");
            std::future::pending::<Result<(), Failure>>().await
        };
        let ended = tokio::select! {
            failed = announced => failed,
            reason = server.failed() => Err(task_ended(reason)),
            () = stop => Ok(()),
        };
        output.progress("Stopping…");
        Ready::clear(&context.home);
        server.stop().await;
        ended.map(|()| done)
    }

    fn database_url(&self) -> Result<Option<DatabaseUrl>, Failure> {
        let url = self.database.as_deref().map(str::parse).transpose();
        url.map_err(|error| Failure::new(Code::Usage, format!("--database: {error}")))
    }
}

/// The relay's account; `None` if the home has no account.
fn signer(context: &Context, output: &Output) -> Result<Option<PrivateKeySigner>, Failure> {
    let keystore = Keystore::new(&context.home);
    if context.place.account.is_none() && keystore.list()?.is_empty() {
        output.warn("there is no account to pay for transactions; settlements are not relayed");
        return Ok(None);
    }
    let name = context.account()?;
    let passphrase = context.passphrase(&name, Ask::Existing)?;
    Ok(Some(keystore.unlock(&name, &passphrase)?))
}

fn task_ended(reason: String) -> Failure {
    Failure::new(Code::TaskEnded, reason).help("start `sonar serve` again; nothing is lost")
}

fn failure(error: ServeError) -> Failure {
    let code = match error {
        ServeError::File(error) => return error.into(),
        ServeError::Ipfs(error) => return error.into(),
        ServeError::Busy(_) => Code::Busy,
        ServeError::Listen { .. } => Code::Listen,
        ServeError::Index(IndexError::Store(StoreError::Unreachable { .. })) => Code::DatabaseUnreachable,
        ServeError::Index(_) => Code::Index,
        ServeError::Settlements(_) => Code::File,
    };
    Failure::new(code, error)
}
