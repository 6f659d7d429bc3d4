//! `mine doctor`: checks everything that a Mine needs, and says how to repair it. It changes nothing, and needs no
//! passphrase.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use alloy::primitives::Address;
use nix::sys::statvfs::statvfs;
use serde::Serialize;
use sonar_contracts::{Deployment, State};
use sonar_node::{
    chain::{Client, Options, RpcNode, WorldReader},
    cli::Failure,
    config::{Config, LOCAL_CHAIN_ID},
    discovery::{self, SonarInfo},
    files, http,
    ipfs::{Node, NodeConfig},
};
use sonar_protocol::{
    limits,
    pgp::{CampaignCertificate, Certificate},
    units::{Amount, Timestamp, TokenUnit},
    view::{CampaignView, World},
};
use utoipa::ToSchema;

use crate::{
    home::{self, MineHome},
    pause::Pause,
    planner,
    policy::{Decision, Policy},
};

/// How long the chain is asked.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long to wait for a connection to the IPFS hub, and for an artefact.
const IPFS_PATIENCE: Duration = Duration::from_secs(15);
/// A newest block that is older than this many seconds means that the chain node does not follow the chain.
const HEAD_AGE: u64 = 300;
/// Seconds that the newest block may be ahead of the clock. Ethereum's blocks are at most some seconds ahead.
const SKEW: u64 = 60;
/// Least free space in bytes: updates, models and the chain's snapshot need some, and a full disk stops the Mine.
const FREE_SPACE: u64 = 1 << 30;
/// Maximum number of campaigns whose certificates are fetched.
const CAMPAIGNS: usize = 16;

/// The result of all checks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Diagnosis {
    /// One for each thing. Checks that need a thing that does not work are left out.
    pub checks: Vec<Check>,
}

/// The result of one check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Check {
    /// Stable name: `keys`, `vault`, `config`, `disk`, `sonar`, `chain`, `contracts`, `head`, `clock`, `balance`, `events`,
    /// `ipfs`, `capsules` or `version`.
    pub name: &'static str,
    /// Whether all is well.
    pub ok: bool,
    /// What was found.
    pub detail: String,
    /// What to do; `null` if all is well.
    #[schema(required = true)]
    pub fix: Option<String>,
}

impl Check {
    fn good(name: &'static str, detail: impl Into<String>) -> Self {
        Self { name, ok: true, detail: detail.into(), fix: None }
    }

    fn bad(name: &'static str, detail: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { name, ok: false, detail: detail.into(), fix: Some(fix.into()) }
    }

    /// A failure with its own advice, or with this one.
    fn failed(name: &'static str, failure: Failure, fix: &str) -> Self {
        Self::bad(name, failure.message, failure.help.unwrap_or_else(|| fix.into()))
    }
}

impl Diagnosis {
    /// Whether all is well.
    #[must_use]
    pub fn is_well(&self) -> bool {
        self.checks.iter().all(|check| check.ok)
    }
}

/// Checks everything. `node` is the IPFS node of a running Mine; without one, a node is started for the check.
pub async fn diagnose(home: &MineHome, config: &Config, node: Option<Arc<Node>>) -> Diagnosis {
    let mut checks = vec![keys(home), vault(home), files_of(home), disk(home.path())];
    let info = match &config.sonar {
        Some(url) => {
            let info = discovery::info(url).await.map_err(Failure::from);
            let shown = http::shown(url);
            checks.push(match &info {
                Ok(_) => Check::good("sonar", format!("Sonar at {shown} answers")),
                Err(failure) => {
                    Check::failed("sonar", failure.clone(), "check the URL with `--sonar`, or wait until it answers")
                }
            });
            info.ok()
        }
        None => None,
    };
    let world = chain(home, config, info.as_ref(), &mut checks).await;
    let campaigns =
        world.as_ref().map(|world| Campaigns { world, policy: home::read_policy(&home.policy()).unwrap_or_default() });
    ipfs(config, (node, info.as_ref()), campaigns.as_ref(), &mut checks).await;
    checks.push(version(info.as_ref().map(|info| info.version.as_str())));
    Diagnosis { checks }
}

fn keys(home: &MineHome) -> Check {
    let address = match home.account_address() {
        Ok(address) => address,
        Err(failure) => return Check::failed("keys", failure, "restore the keystore file from a backup"),
    };
    let Ok(file) = home.key_file() else { return Check::good("keys", address.to_string()) };
    let directory = file.parent().map(Path::to_owned);
    match exposed(directory.into_iter().chain([file])) {
        Ok(None) => Check::good("keys", format!("the account {address} is readable by its owner only")),
        Ok(Some(path)) => readable_by_others("keys", &path),
        Err(failure) => Check::failed("keys", failure, "make the file readable for its owner"),
    }
}

fn vault(home: &MineHome) -> Check {
    let vault = home.vault();
    let content = fs::read_dir(&vault).map_err(files::FileError::new("list", &vault));
    let content = match content {
        Ok(content) => content.filter_map(|entry| Some(entry.ok()?.path())),
        Err(error) => {
            return Check::failed("vault", error.into(), "create it with `mine init`, or restore it from a backup");
        }
    };
    match exposed([vault.clone()].into_iter().chain(content)) {
        Ok(None) => Check::good("vault", format!("{} is readable by its owner only", vault.display())),
        Ok(Some(path)) => readable_by_others("vault", &path),
        Err(failure) => Check::failed("vault", failure, "make the files readable for their owner"),
    }
}

/// The first path that others than its owner can read, write or enter. A file that was removed meanwhile is skipped.
fn exposed(paths: impl Iterator<Item = PathBuf>) -> Result<Option<PathBuf>, Failure> {
    for path in paths {
        match fs::metadata(&path) {
            Ok(found) if found.permissions().mode() & 0o077 != 0 => return Ok(Some(path)),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(files::FileError::new("examine", &path)(error).into()),
        }
    }
    Ok(None)
}

fn readable_by_others(name: &'static str, path: &Path) -> Check {
    let detail = format!("other users of this machine may read {}", path.display());
    Check::bad(name, detail, format!("run `chmod go-rwx {}`", path.display()))
}

/// `policy.toml` and `pause.json`; `config.toml` was read before.
fn files_of(home: &MineHome) -> Check {
    let pause = Pause::read(&home.pause(), clock()).map(drop);
    match home::read_policy(&home.policy()).map(drop).and(pause) {
        Ok(()) => Check::good("config", "config.toml, policy.toml and pause.json are valid"),
        Err(error) => {
            let fix = "correct the file; `mine policy set` and `mine resume` write valid ones";
            Check::failed("config", error.into(), fix)
        }
    }
}

fn disk(path: &Path) -> Check {
    match statvfs(path) {
        Ok(found) => free_space(path, found.blocks_available().saturating_mul(found.fragment_size())),
        Err(error) => {
            let detail = format!("cannot read the free space of {}: {error}", path.display());
            Check::bad("disk", detail, "check that the directory exists")
        }
    }
}

fn free_space(path: &Path, bytes: u64) -> Check {
    let free = format!("{} MiB are free at {}", bytes >> 20, path.display());
    if bytes >= FREE_SPACE {
        return Check::good("disk", free);
    }
    Check::bad("disk", free, format!("free at least {} MiB, or move the home to a larger disk", FREE_SPACE >> 20))
}

/// The chain, its contracts and its newest block; returns the campaigns if all can be read.
async fn chain(home: &MineHome, config: &Config, info: Option<&SonarInfo>, checks: &mut Vec<Check>) -> Option<World> {
    let client = match connect(config, info, checks).await {
        Ok(client) => client,
        Err(check) => {
            checks.push(check);
            return None;
        }
    };
    let read = async {
        let head = client.head().await?;
        let block = client.block(head.number).await?.map_or(head.now, |(_, time)| time);
        Ok::<_, Failure>((head.number, block))
    };
    let failed = |name, failure| Check::failed(name, failure, "check the chain node");
    match read.await {
        Ok((number, block)) => {
            let is_local = client.deployment().chain_id == LOCAL_CHAIN_ID;
            checks.push(head_age(number, block, clock(), is_local));
            checks.push(clock_skew(block, clock(), is_local));
        }
        Err(failure) => checks.push(failed("head", failure)),
    }
    let me = home.account_address().ok()?;
    match client.balance(me).await {
        Ok(wei) => checks.push(balance(me, wei)),
        Err(error) => checks.push(failed("balance", error.into())),
    }
    let confirmations = config.confirmations(client.deployment().chain_id);
    let reader = WorldReader::of(me, client, Duration::ZERO, confirmations).with_snapshot(home.path());
    reader.read().await.inspect_err(|error| checks.push(failed("events", error.clone().into()))).ok()
}

/// Connects step by step, so that the check that failed names the thing.
async fn connect(config: &Config, info: Option<&SonarInfo>, checks: &mut Vec<Check>) -> Result<Client, Check> {
    let Some(rpc) = config.rpc.as_deref() else {
        return Err(Check::bad("chain", "no chain is configured", "pass `--rpc URL`, or set `rpc` in config.toml"));
    };
    let unreachable = |error: sonar_node::chain::Error| {
        Check::failed("chain", error.into(), "start the chain node, or choose another with `--rpc URL`")
    };
    let node = RpcNode::new(rpc, PATIENCE).map_err(unreachable)?;
    let found = node.chain_id().await.map_err(unreachable)?;
    let reached = Check::good("chain", format!("{} answers; it is chain {found}", node.url()));
    let deployment = deployment(config, info).inspect_err(|_| checks.push(reached.clone()))?;
    if deployment.chain_id != found {
        let expected = deployment.chain_id;
        let detail = format!("{} is chain {found}, but the contracts are on chain {expected}", node.url());
        return Err(Check::bad("chain", detail, format!("choose a node of chain {expected} with `--rpc URL`")));
    }
    checks.push(reached);
    let options = Options { patience: PATIENCE, ..Options::default() };
    let client = Client::connect_with(rpc, deployment, None, options).await;
    let client = client.map_err(|error| {
        let fix = "check the deployment file (`--contracts`) or Sonar (`--sonar`): they may be of another network";
        Check::failed("contracts", error.into(), fix)
    })?;
    checks.push(Check::good("contracts", format!("the contract Campaigns is at {}", deployment.campaigns)));
    Ok(client)
}

fn deployment(config: &Config, info: Option<&SonarInfo>) -> Result<Deployment, Check> {
    let fix = "pass `--contracts FILE` with the file that `sonar deploy` wrote, or `--sonar URL`";
    match (&config.contracts, info) {
        (Some(path), _) => discovery::deployment(path).map_err(|error| Check::failed("contracts", error.into(), fix)),
        (None, Some(info)) => Ok(info.contracts),
        (None, None) => Err(Check::bad("contracts", "the addresses of the contracts are unknown", fix)),
    }
}

fn head_age(number: u64, block: Timestamp, now: Timestamp, is_local: bool) -> Check {
    let age = now.since(block);
    let detail = format!("the newest block is {number}, {age} s old");
    // A chain for development makes a block only for a transaction.
    if is_local || age <= HEAD_AGE {
        return Check::good("head", detail);
    }
    let fix = "wait until the chain node has caught up, or choose another with `--rpc URL`; if the clock of this machine \
               is ahead, correct it";
    Check::bad("head", detail, fix)
}

fn clock_skew(block: Timestamp, now: Timestamp, is_local: bool) -> Check {
    let behind = block.since(now);
    if is_local {
        return Check::good("clock", "not compared: tests set the time of a local network");
    }
    if behind <= SKEW {
        return Check::good("clock", "the clock of this machine is not behind the chain");
    }
    let detail = format!("the clock of this machine is {behind} s behind the newest block");
    Check::bad("clock", detail, "synchronise the clock, for example with `timedatectl set-ntp true`")
}

fn balance(account: Address, wei: Amount) -> Check {
    let detail = format!("{account} has {}", TokenUnit::eth().format(wei));
    if wei == Amount::ZERO {
        return Check::bad("balance", detail, "send some ETH to this account: submissions cost gas and a stake");
    }
    Check::good("balance", detail)
}

/// The connection to IPFS, and the certificates of open campaigns.
async fn ipfs(
    config: &Config,
    (running, info): (Option<Arc<Node>>, Option<&SonarInfo>),
    campaigns: Option<&Campaigns<'_>>,
    checks: &mut Vec<Check>,
) {
    if let Some(node) = running {
        examine_ipfs(&node, campaigns, checks).await;
        return;
    }
    if info.is_none() && config.sonar.is_some() {
        // Sonar's check failed, which knows the addresses.
        return;
    }
    // The repository of a Mine that runs is in use. The name cannot be guessed by other users.
    let repo = std::env::temp_dir().join(format!("mine-doctor-{:032x}", rand::random::<u128>()));
    match start(&repo, config, info).await {
        Ok(node) => {
            examine_ipfs(&node, campaigns, checks).await;
            node.shutdown().await;
        }
        Err(check) => checks.push(check),
    }
    // Fails only if it was never created.
    let _ = fs::remove_dir_all(&repo);
}

async fn start(repo: &Path, config: &Config, info: Option<&SonarInfo>) -> Result<Node, Check> {
    let failed = |failure| {
        Check::failed("ipfs", failure, "check `--ipfs` and its authorization, or the addresses of Sonar's hub")
    };
    let info = info.ok_or_else(|| {
        Check::bad(
            "ipfs",
            "the addresses of Sonar's hub are unknown",
            "pass `--sonar URL`, or wait until Sonar answers",
        )
    })?;
    let peers = info.peers().map_err(failed)?;
    let kubo = config.kubo().map_err(|error| failed(error.into()))?;
    let node = Node::start(NodeConfig::client(repo.to_owned(), peers).through(kubo)).await;
    node.map_err(|error| failed(error.into()))
}

async fn examine_ipfs(node: &Node, campaigns: Option<&Campaigns<'_>>, checks: &mut Vec<Check>) {
    let connected = async {
        let mut peers = node.peers().await;
        while peers == 0 {
            tokio::time::sleep(Duration::from_millis(100)).await;
            peers = node.peers().await;
        }
        peers
    };
    let fix = "check that Sonar's hub can be reached from this machine";
    let check = match (node.health().await, tokio::time::timeout(IPFS_PATIENCE, connected).await) {
        (Err(error), _) => Check::failed("ipfs", error.into(), fix),
        (Ok(()), Ok(peers)) => Check::good("ipfs", format!("connected to {peers} peers")),
        (Ok(()), Err(_)) => Check::bad("ipfs", format!("no peer answered within {} s", IPFS_PATIENCE.as_secs()), fix),
    };
    let is_connected = check.ok;
    checks.push(check);
    if let Some(campaigns) = campaigns.filter(|_| is_connected) {
        checks.push(capsules(node, campaigns).await);
    }
}

/// The campaigns, and the policy that chooses among them.
struct Campaigns<'a> {
    world: &'a World,
    policy: Policy,
}

impl Campaigns<'_> {
    /// The newest open campaigns that the policy does not refuse. The Capsules of all others do not affect this Mine.
    fn relevant(&self) -> impl Iterator<Item = &CampaignView> {
        let now = self.world.head.now;
        let is_relevant = move |campaign: &&CampaignView| {
            let decision = self.policy.decide(&planner::facts_of(&campaign.terms, now));
            campaign.state == State::Open && !matches!(decision, Decision::Refused(_))
        };
        self.world.in_order().rev().filter(is_relevant).take(CAMPAIGNS)
    }
}

/// Whether the certificates of campaigns can be fetched and used.
async fn capsules(node: &Node, campaigns: &Campaigns<'_>) -> Check {
    let (mut usable, mut problems) = (0, Vec::new());
    for campaign in campaigns.relevant() {
        match certificates(node, campaigns.world, campaign).await {
            Ok(()) => usable += 1,
            Err(problem) => problems.push(format!("campaign {}: {problem}", campaign.id.short())),
        }
    }
    if problems.is_empty() {
        return Check::good("capsules", format!("the certificates of {usable} open campaigns are usable"));
    }
    let fix =
        "nothing on this machine: the Mine skips these campaigns until their Capsule publishes its certificate again";
    Check::bad("capsules", problems.join("; "), fix)
}

async fn certificates(node: &Node, world: &World, campaign: &CampaignView) -> Result<(), String> {
    let capsule = world.capsules.get(&campaign.terms.capsule).ok_or("its Capsule is not registered")?;
    let digests = capsule.certificate.zip(campaign.certificate).ok_or("its Capsule has published no certificate")?;
    let get = |digest| node.get(digest, limits::CERTIFICATE, IPFS_PATIENCE);
    let (of_capsule, of_campaign) =
        tokio::try_join!(get(digests.0), get(digests.1)).map_err(|error| error.to_string())?;
    let opened_at = campaign.opened.timestamp;
    let signer = Certificate::decode_signer(&of_capsule, opened_at).map_err(|error| error.to_string())?;
    if signer.fingerprint().word() != capsule.fingerprint {
        return Err("the published certificate is not the registered one".into());
    }
    let certificate = CampaignCertificate::decode(&of_campaign, campaign.id, &signer, opened_at);
    certificate.map(drop).map_err(|error| error.to_string())
}

fn version(of_sonar: Option<&str>) -> Check {
    let own = env!("CARGO_PKG_VERSION");
    let detail = format!("mine {own}, contracts {}", sonar_contracts::abi_hash());
    match of_sonar {
        Some(other) if other != own => Check::bad(
            "version",
            format!("{detail}; Sonar has version {other}"),
            format!("install version {other} of mine, unless Sonar's operator says otherwise"),
        ),
        _ => Check::good("version", detail),
    }
}

fn clock() -> Timestamp {
    SystemTime::now().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_unix(seconds)
    }

    fn home() -> (tempfile::TempDir, MineHome) {
        let directory = tempfile::tempdir().unwrap();
        let home = MineHome::new(directory.path().join("home"));
        home.complete(None, "secret").unwrap();
        (directory, home)
    }

    #[test]
    fn files_that_others_can_read_are_named_with_the_command_that_repairs_them() {
        let (_directory, home) = home();
        assert!(keys(&home).ok && vault(&home).ok && files_of(&home).ok && disk(home.path()).fix.is_none());
        let open = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        let key = home.key_file().unwrap();
        open(&key, 0o644);
        let check = keys(&home);
        assert!(!check.ok && check.detail.contains("may read"), "{check:?}");
        assert_eq!(check.fix.unwrap(), format!("run `chmod go-rwx {}`", key.display()));
        let secret = home.vault().join("vault.key");
        open(&secret, 0o640);
        assert!(vault(&home).detail.contains("vault.key"));
        open(&secret, 0o600);
        open(&home.vault(), 0o755);
        assert!(!vault(&home).ok);
    }

    #[test]
    fn a_home_without_keys_or_with_an_invalid_file_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let none = MineHome::new(directory.path().join("none"));
        assert!(keys(&none).fix.unwrap().contains("mine init"));
        assert!(!vault(&none).ok && !disk(none.path()).ok);
        let (_directory, home) = home();
        fs::write(home.policy(), "min_bonty = 1").unwrap();
        assert!(files_of(&home).detail.contains("policy.toml"));
    }

    #[test]
    fn a_full_disk_is_named() {
        assert!(free_space(Path::new("/home"), FREE_SPACE).ok);
        let check = free_space(Path::new("/home"), FREE_SPACE - 1);
        assert_eq!((check.ok, check.detail.as_str()), (false, "1023 MiB are free at /home"));
        assert!(check.fix.unwrap().contains("1024 MiB"));
    }

    #[test]
    fn an_old_block_and_a_slow_clock_are_named_except_on_a_local_network() {
        assert!(head_age(7, at(1_000), at(1_000 + HEAD_AGE), false).ok);
        let old = head_age(7, at(1_000), at(1_001 + HEAD_AGE), false);
        assert_eq!((old.ok, old.detail.as_str()), (false, "the newest block is 7, 301 s old"));
        assert!(head_age(7, at(0), at(1_000_000), true).ok);
        assert!(clock_skew(at(1_000 + SKEW), at(1_000), false).ok);
        let slow = clock_skew(at(1_061), at(1_000), false);
        assert_eq!(slow.detail, "the clock of this machine is 61 s behind the newest block");
        assert!(clock_skew(at(1_000_000), at(0), true).ok);
    }

    #[test]
    fn a_version_that_differs_from_sonars_is_named() {
        assert!(version(None).ok && version(Some(env!("CARGO_PKG_VERSION"))).ok);
        assert!(version(Some("9.9.9")).fix.unwrap().contains("9.9.9"));
        assert!(!balance(Address::ZERO, Amount::ZERO).ok && balance(Address::ZERO, 1_u128.into()).ok);
    }

    #[test]
    fn only_campaigns_that_the_policy_serves_are_examined() {
        use crate::testing::Story;
        let mut story = Story::opened();
        let count = |story: &Story, policy: Policy| Campaigns { world: &story.world, policy }.relevant().count();
        let any = || Policy {
            terms: crate::policy::Safeguards { least_stake_share: syft::Ppm::ZERO, ..Default::default() },
            ..Policy::default()
        };
        assert_eq!(count(&story, any()), 0, "not open yet");
        story.activate();
        assert_eq!(count(&story, any()), 1);
        let nobody = Policy { data_scientists: [Address::repeat_byte(9)].into(), ..any() };
        assert_eq!(count(&story, nobody), 0);
        story.close();
        assert_eq!(count(&story, any()), 0);
    }
}
