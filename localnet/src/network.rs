//! A chain, Sonar, a Capsule, a data scientist and Mines on this machine.

use std::{
    ffi::OsString,
    fs, io,
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    sync::{
        OnceLock,
        atomic::{AtomicU16, Ordering},
    },
    time::Duration,
};

use alloy::{primitives::Address, signers::local::PrivateKeySigner};
use serde::Deserialize;
use sonar_anvil::{Anvil, AnvilConfig, AnvilError};
use sonar_contracts::Deployment;
use sonar_node::{
    chain::{self, Client},
    config::{Config, ConfigError},
};
use sonar_protocol::{ids::CampaignId, manifest::Manifest};

use crate::{
    directory::{Directory, DirectoryError},
    faucet::{self, Faucet, FaucetError, whole},
    programs::{CommandError, Program},
    supervisor::{Service, Supervisor, SupervisorError},
};

/// Passphrase of all accounts. It protects nothing: chain and money exist only on this machine.
const PASSPHRASE: &str = "local network";
/// Time limit of a request to Sonar's API.
const API_TIMEOUT: Duration = Duration::from_secs(30);
/// Name of the chain among the processes.
pub const ANVIL: &str = "anvil";
/// Name of Sonar's server among the processes.
pub const SONAR: &str = "sonar";
/// Name of the Capsule among the processes.
pub const CAPSULE: &str = "capsule";
/// Milliseconds between two queries of the chain. Short, because each transaction makes a block at once.
const POLL_MS: u64 = 100;

/// Why the local network failed.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// The directory cannot be used.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// A file could not be read or written.
    #[error("cannot write {}: {source}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The chain failed.
    #[error(transparent)]
    Anvil(#[from] AnvilError),
    /// A process failed.
    #[error(transparent)]
    Supervisor(#[from] SupervisorError),
    /// A command failed.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// The chain refused a request.
    #[error(transparent)]
    Chain(#[from] chain::Error),
    /// A configuration could not be written.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A request to Sonar's API failed.
    #[error("{url}: {source}")]
    Api {
        /// The URL.
        url: String,
        /// What went wrong.
        source: reqwest::Error,
    },
    /// An account could not be funded.
    #[error(transparent)]
    Faucet(#[from] FaucetError),
}

type Result<T> = std::result::Result<T, NetworkError>;

/// Settings of a local network.
#[derive(Clone, Debug)]
pub struct NetworkConfig {
    /// Directory for all files. Cleared first.
    pub directory: PathBuf,
    /// The data of each Mine, as CSV.
    pub data: Vec<String>,
    /// Port of the chain; 0 takes a free one.
    pub rpc_port: u16,
    /// Port of Sonar's API; 0 takes a free one.
    pub http_port: u16,
}

/// A Mine of the network.
#[derive(Clone, Debug)]
pub struct MineNode {
    /// Name of its process.
    pub name: String,
    /// Its account.
    pub address: Address,
    /// Its program with its home.
    pub program: Program,
    /// Number of rows of its data.
    pub rows: usize,
    /// Port of its pages.
    port: u16,
}

/// A running network. Dropping it ends all processes.
#[derive(Debug)]
pub struct Network {
    // Dropped in this order: first the processes that need the chain, then the chain, then the lock of the directory.
    supervisor: Supervisor,
    chain: AnvilConfig,
    anvil: Anvil,
    directory: Directory,
    client: Client,
    sonar_url: String,
    scientist: Program,
    owner: Address,
    capsule: Address,
    capsule_program: Program,
    mines: Vec<MineNode>,
}

/// Output of `account new` and `init`.
#[derive(Debug, Deserialize)]
struct CreatedAccount {
    address: Address,
}

impl Network {
    /// Starts everything and waits until it is ready: the contracts are deployed, the Capsule is registered, and the
    /// Mines have their data and wait for a campaign.
    ///
    /// # Errors
    /// Names the part that failed, with the end of its log.
    pub async fn start(config: &NetworkConfig, tell: impl Fn(&str)) -> Result<Self> {
        let claimed = Directory::claim(&config.directory)?;
        let directory = claimed.path().to_owned();
        fs::create_dir_all(directory.join("homes")).map_err(file(&directory))?;
        let passphrase = directory.join("passphrase");
        fs::write(&passphrase, PASSPHRASE).map_err(file(&passphrase))?;
        let mut supervisor = Supervisor::new(&directory.join("logs")).map_err(file(&directory.join("logs")))?;
        let chain = AnvilConfig {
            port: pick(config.rpc_port, &directory)?,
            state_dir: Some(directory.join("chain")),
            log: Some(directory.join("logs/anvil.log")),
            ..AnvilConfig::default()
        };
        let anvil = Anvil::spawn(chain.clone()).await?;
        let rpc = directory.join(faucet::RPC);
        fs::write(&rpc, anvil.endpoint()).map_err(file(&rpc))?;
        tell(&format!("The chain runs at {}", anvil.endpoint()));

        let setup = Setup {
            directory: &directory,
            anvil: &anvil,
            http_port: pick(config.http_port, &directory)?,
            ipfs_port: pick(0, &directory)?,
            capsule_port: pick(0, &directory)?,
        };
        let scientist = setup.program("sonar", "SONAR", "scientist")?;
        let deployment = setup.deploy().await?;
        let client = Client::connect(&anvil.endpoint(), deployment, None).await?;
        tell(&format!("The contracts are deployed: Campaigns at {}", deployment.campaigns));

        let server = setup.sonar_server().await?;
        supervisor.start(vec![server]).await?;
        tell(&format!("Sonar runs at {}", setup.sonar_url()));

        let (capsule_program, capsule) = setup.capsule().await?;
        let serve = Service {
            name: CAPSULE.into(),
            // Nobody watches this network's times.
            arguments: words(&["serve", "--listen", &setup.capsule_address(), "--settlement-slot", "0s"]),
            home: setup.home(CAPSULE),
            program: capsule_program.clone(),
        };
        supervisor.start(vec![serve]).await?;
        tell(&format!("A Capsule is registered: {capsule}"));

        let owner = setup.scientist(&scientist, &deployment).await?;
        let mut mines = Vec::new();
        for (index, csv) in config.data.iter().enumerate() {
            mines.push(setup.mine(index, csv).await?);
        }
        let sonar_url = setup.sonar_url();
        supervisor.start(mines.iter().map(MineNode::service).collect()).await?;
        if !mines.is_empty() {
            tell(&format!("{} Mines have their data and wait", mines.len()));
        }
        Ok(Self {
            supervisor,
            chain,
            anvil,
            directory: claimed,
            client,
            sonar_url,
            scientist,
            owner,
            capsule,
            capsule_program,
            mines,
        })
    }

    /// Kills a process without warning.
    ///
    /// # Errors
    /// When there is no such process.
    pub fn kill9(&mut self, name: &str) -> Result<()> {
        if name == ANVIL {
            // Fails only if it has already ended.
            let _ = self.anvil.kill9();
            return Ok(());
        }
        Ok(self.supervisor.kill9(name)?)
    }

    /// Halts a program until it is resumed, so that others are sure to act before it.
    ///
    /// # Errors
    /// When there is no such process.
    pub fn pause(&mut self, name: &str) -> Result<()> {
        Ok(self.supervisor.pause(name)?)
    }

    /// Lets a paused program continue.
    ///
    /// # Errors
    /// When there is no such process.
    pub fn resume(&mut self, name: &str) -> Result<()> {
        Ok(self.supervisor.resume(name)?)
    }

    /// Restarts every process that has ended, and returns their names.
    ///
    /// # Errors
    /// When one cannot be restarted.
    pub async fn revive(&mut self) -> Result<Vec<String>> {
        let mut revived = Vec::new();
        if self.anvil.try_wait().is_some() {
            self.anvil = Anvil::spawn(self.chain.clone()).await?;
            revived.push(ANVIL.into());
        }
        revived.extend(self.supervisor.revive().await?);
        Ok(revived)
    }

    /// Ends all processes, like dropping, but without blocking the caller's thread.
    pub async fn stop(self) {
        // Fails only if a destructor panics, which has been reported.
        let _ = tokio::task::spawn_blocking(move || drop(self)).await;
    }

    /// The last lines of all logs.
    #[must_use]
    pub fn tails(&self) -> String {
        self.supervisor.tails()
    }

    /// A client of the chain without an account.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The chain.
    #[must_use]
    pub fn anvil(&self) -> &Anvil {
        &self.anvil
    }

    /// Sonar's API.
    #[must_use]
    pub fn sonar_url(&self) -> &str {
        &self.sonar_url
    }

    /// The data scientist's command line.
    #[must_use]
    pub fn scientist(&self) -> &Program {
        &self.scientist
    }

    /// The data scientist's account.
    #[must_use]
    pub fn owner(&self) -> Address {
        self.owner
    }

    /// The Capsule's operator account.
    #[must_use]
    pub fn capsule(&self) -> Address {
        self.capsule
    }

    /// The Capsule's OpenPGP certificate as text.
    ///
    /// # Errors
    /// When the command of the Capsule fails.
    pub async fn capsule_certificate(&self) -> Result<String> {
        #[derive(Deserialize)]
        struct CertificateReply {
            certificate: String,
        }
        let exported: CertificateReply = self.capsule_program.call(&["export-cert"]).await?;
        Ok(exported.certificate)
    }

    /// The Capsule's command line.
    #[must_use]
    pub fn capsule_program(&self) -> &Program {
        &self.capsule_program
    }

    /// The Mines.
    #[must_use]
    pub fn mines(&self) -> &[MineNode] {
        &self.mines
    }

    /// A campaign's manifest, from Sonar's API.
    ///
    /// # Errors
    /// When Sonar does not have it.
    pub async fn manifest(&self, id: CampaignId) -> Result<Manifest> {
        #[derive(Deserialize)]
        struct Campaign {
            manifest: Manifest,
        }
        let url = format!("{}/api/v1/campaigns/{id}", self.sonar_url);
        let failed = |source| NetworkError::Api { url: url.clone(), source };
        let http = sonar_node::http::client(&url, API_TIMEOUT).map_err(failed)?;
        let answer = http.get(&url).send().await.map_err(failed)?;
        let answer = answer.error_for_status().map_err(failed)?;
        Ok(answer.json::<Campaign>().await.map_err(failed)?.manifest)
    }

    /// Directory of all files.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The home of a program or person of this network.
    #[must_use]
    pub fn home(&self, name: &str) -> PathBuf {
        self.directory().join("homes").join(name)
    }

    /// File with the passphrase of all accounts.
    #[must_use]
    pub fn passphrase_file(&self) -> PathBuf {
        self.directory().join("passphrase")
    }
}

/// State shared by the steps of the start.
struct Setup<'a> {
    directory: &'a Path,
    anvil: &'a Anvil,
    http_port: u16,
    ipfs_port: u16,
    capsule_port: u16,
}

impl Setup<'_> {
    fn home(&self, name: &str) -> PathBuf {
        self.directory.join("homes").join(name)
    }

    fn deployment_file(&self) -> PathBuf {
        self.directory.join(faucet::DEPLOYMENT)
    }

    fn sonar_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.http_port)
    }

    fn capsule_address(&self) -> String {
        format!("127.0.0.1:{}", self.capsule_port)
    }

    fn capsule_url(&self) -> String {
        format!("http://{}", self.capsule_address())
    }

    /// A program with its own configured home.
    fn program(&self, program: &str, variable: &'static str, owner: &str) -> Result<Program> {
        let home = self.home(owner);
        fs::create_dir_all(&home).map_err(file(&home))?;
        let config = Config {
            rpc: Some(self.anvil.endpoint()),
            sonar: Some(self.sonar_url()),
            contracts: Some(self.deployment_file()),
            poll_ms: Some(POLL_MS),
            confirmations: None,
            ..Config::default()
        };
        config.save(&home)?;
        let (home_variable, passphrase_variable) = match variable {
            "SONAR" => ("SONAR_HOME", "SONAR_PASSPHRASE_FILE"),
            "CAPSULE" => ("CAPSULE_HOME", "CAPSULE_PASSPHRASE_FILE"),
            _ => ("MINE_HOME", "MINE_PASSPHRASE_FILE"),
        };
        Ok(Program::find(program)?
            .with(home_variable, home)
            .with(passphrase_variable, self.directory.join("passphrase")))
    }

    /// Deploys from the first account of the local chain, whose key is public.
    async fn deploy(&self) -> Result<Deployment> {
        let sonar = self.program("sonar", "SONAR", "deployer")?;
        let key = self.key_file(faucet::KEY, &self.anvil.signers()[0])?;
        let _: CreatedAccount = sonar.call(&["account", "import", "faucet", "--key-file", &key]).await?;
        let out = self.deployment_file().display().to_string();
        Ok(sonar.call(&["deploy", "--out", &out, "--times", "local"]).await?)
    }

    /// Sonar's server, with an account that pays for settlements which the Capsule does not send itself.
    async fn sonar_server(&self) -> Result<Service> {
        let program = self.program("sonar", "SONAR", SONAR)?;
        let created: CreatedAccount = program.call(&["account", "new", "relay"]).await?;
        self.give_eth(created.address).await?;
        let arguments = [
            "serve".to_owned(),
            "--listen".to_owned(),
            format!("127.0.0.1:{}", self.http_port),
            "--ipfs-listen".to_owned(),
            format!("/ip4/127.0.0.1/tcp/{}", self.ipfs_port),
        ];
        Ok(Service {
            name: SONAR.into(),
            program,
            arguments: arguments.into_iter().map(OsString::from).collect(),
            home: self.home(SONAR),
        })
    }

    /// The Capsule's operator is a funded account of the local chain, because registering costs gas and stake.
    async fn capsule(&self) -> Result<(Program, Address)> {
        let program = self.program("capsule", "CAPSULE", CAPSULE)?;
        let key = self.key_file("capsule.key", &self.anvil.signers()[1])?;
        let endpoint = self.capsule_url();
        let init =
            ["init", "--operator-key-file", &key, "--stake", "1ETH", "--fee-ppm", "10000", "--endpoint", &endpoint];
        let _: serde_json::Value = program.call(&init).await?;
        Ok((program, self.anvil.signers()[1].address()))
    }

    /// Writes the key of one of the local chain's accounts, which are public, to a file.
    fn key_file(&self, name: &str, signer: &PrivateKeySigner) -> Result<String> {
        let path = self.directory.join(name);
        let key = alloy::hex::encode_prefixed(signer.to_bytes());
        fs::write(&path, key).map_err(file(&path))?;
        Ok(path.display().to_string())
    }

    /// Gives the data scientist an account, gas and the money for bounties.
    async fn scientist(&self, sonar: &Program, deployment: &Deployment) -> Result<Address> {
        let created: CreatedAccount = sonar.call(&["account", "new", "scientist"]).await?;
        self.give_eth(created.address).await?;
        self.faucet()?.give_token(deployment.datacoin, created.address, whole(100_000)).await?;
        Ok(created.address)
    }

    async fn mine(&self, index: usize, csv: &str) -> Result<MineNode> {
        let name = format!("mine-{}", index + 1);
        let data = self.directory.join(format!("{name}.csv"));
        fs::write(&data, csv).map_err(file(&data))?;
        let program = self.program("mine", "MINE", &name)?;
        // Nothing here is secret, and nothing of worth.
        let created: CreatedAccount = program.call(&["init", "--policy", "open"]).await?;
        let _: serde_json::Value = program.call(&LOCAL_POLICY).await?;
        let path = data.display().to_string();
        let _: serde_json::Value = program.call(&["data", "add", "own", &path]).await?;
        self.give_eth(created.address).await?;
        let rows = csv.lines().count().saturating_sub(1);
        Ok(MineNode { name, address: created.address, program, rows, port: pick(0, self.directory)? })
    }

    fn faucet(&self) -> Result<Faucet> {
        Ok(Faucet::new(&self.anvil.endpoint(), self.anvil.signers()[0].clone())?)
    }

    async fn give_eth(&self, account: Address) -> Result<()> {
        Ok(self.faucet()?.give_eth(account, whole(100)).await?)
    }
}

/// Times of a local campaign are seconds, stakes are small, and bounties are in DataCoin.
const LOCAL_POLICY: [&str; 18] = [
    "policy",
    "set",
    "--token",
    "DATA",
    "--least-stake-share",
    "0",
    "--least-token-stake",
    "0",
    "--shortest-evaluation",
    "0s",
    "--shortest-delivery",
    "0s",
    "--shortest-audit",
    "0s",
    "--max-stake",
    "1 ETH",
    "--max-at-stake",
    "50 ETH",
];

impl MineNode {
    fn service(&self) -> Service {
        Service {
            name: self.name.clone(),
            arguments: words(&["run", "--listen", &format!("127.0.0.1:{}", self.port)]),
            home: self.home().to_owned(),
            program: self.program.clone(),
        }
    }

    /// Its home.
    fn home(&self) -> &Path {
        let home = self.program.environment.iter().find(|(name, _)| *name == "MINE_HOME");
        Path::new(home.map_or_else(|| ".".as_ref(), |(_, value)| value.as_os_str()))
    }
}

fn words(words: &[&str]) -> Vec<OsString> {
    words.iter().map(OsString::from).collect()
}

/// Ports from which operating systems never take one for a connection, so that a program finds its port free again when
/// it is restarted.
const PORTS: std::ops::Range<u16> = 12_000..32_000;

/// The given port, or one that is free and that no other network of this process has.
fn pick(port: u16, directory: &Path) -> Result<u16> {
    static NEXT: OnceLock<AtomicU16> = OnceLock::new();
    if port != 0 {
        return Ok(port);
    }
    let next = NEXT.get_or_init(|| AtomicU16::new(rand::random()));
    let is_free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    let candidate = |_| PORTS.start + next.fetch_add(1, Ordering::Relaxed) % (PORTS.end - PORTS.start);
    let none = || io::Error::new(io::ErrorKind::AddrInUse, "no port between 12000 and 32000 is free");
    PORTS.map(candidate).find(is_free).ok_or_else(none).map_err(file(directory))
}

fn file(path: &Path) -> impl FnOnce(io::Error) -> NetworkError {
    let path = path.to_owned();
    move |source| NetworkError::File { path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A port of the range for connections may be taken by anybody's connection before the program listens.
    #[test]
    fn each_program_gets_a_port_of_its_own_that_no_connection_takes() {
        let here = Path::new(".");
        let ports: Vec<u16> = (0..50).map(|_| pick(0, here).unwrap()).collect();
        assert!(ports.iter().all(|port| PORTS.contains(port)), "{ports:?}");
        assert!((1..ports.len()).all(|i| !ports[..i].contains(&ports[i])), "{ports:?}");
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, ports[49].wrapping_add(1))).ok();
        let next = pick(0, here).unwrap();
        assert!(taken.is_none_or(|taken| taken.local_addr().unwrap().port() != next), "it is in use");
        assert_eq!(pick(7, here).unwrap(), 7, "a given port is taken as it is");
    }
}
