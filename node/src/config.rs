//! Where a program keeps its things, and how it reaches the rest: `<home>/config.toml`.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::{
    files::{self, FileError},
    ipfs::{IpfsError, KuboConfig},
};

/// A configuration file is a page of text.
const SIZE_LIMIT: u64 = 64 << 10;

/// anvil's and Hardhat's chain: a block there is final at once.
pub const LOCAL_CHAIN_ID: u64 = 31_337;

/// What every program needs to reach the others.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// JSON-RPC of the chain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rpc: Option<String>,
    /// Sonar's API, which tells where the contracts and the IPFS hub are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sonar: Option<String>,
    /// A deployment file that `sonar deploy` wrote; wins over what Sonar tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contracts: Option<PathBuf>,
    /// Milliseconds between looks at the chain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub poll_ms: Option<u64>,
    /// Blocks that must follow before an event is believed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confirmations: Option<u64>,
    /// RPC of a Kubo to be used instead of the embedded IPFS node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ipfs: Option<String>,
    /// File with the value of the `Authorization` header for that RPC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ipfs_authorization_file: Option<PathBuf>,
}

/// Flags that choose an external IPFS node.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct IpfsArgs {
    /// RPC of a Kubo to use instead of the embedded IPFS node, such as http://127.0.0.1:5001
    #[arg(long, global = true, value_name = "URL")]
    pub ipfs: Option<String>,
    /// File with the value of the `Authorization` header for that RPC; without one, SONAR_IPFS_AUTHORIZATION is used
    #[arg(long, global = true, value_name = "FILE")]
    pub ipfs_authorization_file: Option<PathBuf>,
}

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file says something that this program does not understand.
    #[error("{}: {message}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong and where.
        message: String,
    },
    /// There is no place for the program's files.
    #[error("no home directory is known: give --home or set {variable}")]
    NoHome {
        /// The environment variable that would help.
        variable: &'static str,
    },
}

impl Config {
    /// Reads `<home>/config.toml`; a missing file is an empty one.
    ///
    /// # Errors
    /// Unreadable, too large, not TOML, or with an unknown key.
    pub fn load(home: &Path) -> Result<Self, ConfigError> {
        let path = home.join("config.toml");
        let bytes = match files::read_limited(&path, SIZE_LIMIT) {
            Err(error) if error.source.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self::default());
            }
            other => other?,
        };
        let content = |message: String| ConfigError::Content { path: path.clone(), message };
        let text = std::str::from_utf8(&bytes).map_err(|error| content(error.to_string()))?;
        // Not the library's whole text: it repeats the line, which may hold a provider's key.
        toml::from_str(text).map_err(|error| {
            let line = error.span().map_or(1, |span| text[..span.start].matches('\n').count() + 1);
            content(format!("line {line}: {}", error.message()))
        })
    }

    /// The same, but for what is given here: flags and environment win over the file.
    #[must_use]
    pub fn with(self, rpc: Option<String>, sonar: Option<String>, contracts: Option<PathBuf>) -> Self {
        Self { rpc: rpc.or(self.rpc), sonar: sonar.or(self.sonar), contracts: contracts.or(self.contracts), ..self }
    }

    /// The same with this Kubo, if one is given.
    #[must_use]
    pub fn with_ipfs(self, ipfs: IpfsArgs) -> Self {
        Self {
            ipfs: ipfs.ipfs.or(self.ipfs),
            ipfs_authorization_file: ipfs.ipfs_authorization_file.or(self.ipfs_authorization_file),
            ..self
        }
    }

    /// The Kubo to be used instead of the embedded IPFS node, if one is configured.
    ///
    /// # Errors
    /// When its address or its authorization cannot be used.
    pub fn kubo(&self) -> Result<Option<KuboConfig>, IpfsError> {
        let new = |url: &String| KuboConfig::new(url, self.ipfs_authorization_file.as_deref());
        self.ipfs.as_ref().map(new).transpose()
    }

    /// Writes `<home>/config.toml`.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self, home: &Path) -> Result<(), ConfigError> {
        let path = home.join("config.toml");
        let text = toml::to_string_pretty(self)
            .map_err(|error| ConfigError::Content { path: path.clone(), message: error.to_string() })?;
        Ok(files::write_atomic(&path, text.as_bytes(), files::Access::Private)?)
    }

    /// Blocks that must follow before an event is believed: none on a local chain, else 12 unless configured.
    #[must_use]
    pub fn confirmations(&self, chain_id: u64) -> u64 {
        self.confirmations.unwrap_or(if chain_id == LOCAL_CHAIN_ID { 0 } else { 12 })
    }

    /// Time between looks at the chain: 250 ms on a local chain, else 4 s unless configured.
    #[must_use]
    pub fn poll(&self, chain_id: u64) -> std::time::Duration {
        let default = if chain_id == LOCAL_CHAIN_ID { 250 } else { 4000 };
        std::time::Duration::from_millis(self.poll_ms.unwrap_or(default).max(10))
    }
}

/// The directory of a program's files: as given, else from the environment variable, else the platform's data
/// directory with the program's name.
///
/// # Errors
/// When the environment names no directory at all.
pub fn home(given: Option<&Path>, variable: &'static str, program: &str) -> Result<PathBuf, ConfigError> {
    let from = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    given
        .map(Path::to_owned)
        .or_else(|| from(variable))
        .or_else(|| from("XDG_DATA_HOME").map(|data| data.join(program)))
        .or_else(|| from("HOME").map(|user| user.join(".local/share").join(program)))
        .ok_or(ConfigError::NoHome { variable })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_survives_its_file_and_unknown_keys_are_named() {
        let home = tempfile::tempdir().unwrap();
        assert_eq!(Config::load(home.path()).unwrap(), Config::default());
        let config = Config { rpc: Some("http://127.0.0.1:8545".into()), confirmations: Some(3), ..Config::default() };
        config.save(home.path()).unwrap();
        assert_eq!(Config::load(home.path()).unwrap(), config);
        assert_eq!(config.confirmations(LOCAL_CHAIN_ID), 3);

        assert!(config.kubo().unwrap().is_none());
        let flags = IpfsArgs { ipfs: Some("http://127.0.0.1:5001".into()), ipfs_authorization_file: None };
        assert!(config.clone().with_ipfs(flags.clone()).kubo().unwrap().is_some());
        config.with_ipfs(flags).with_ipfs(IpfsArgs::default()).save(home.path()).unwrap();
        assert_eq!(Config::load(home.path()).unwrap().ipfs.as_deref(), Some("http://127.0.0.1:5001"));

        std::fs::write(home.path().join("config.toml"), "prc = 1").unwrap();
        let message = Config::load(home.path()).unwrap_err().to_string();
        assert!(message.contains("prc") && message.contains("line 1"), "{message}");
        std::fs::write(home.path().join("config.toml"), "poll_ms = 10\nprc = \"https://rpc.org/s3cret\"").unwrap();
        let message = Config::load(home.path()).unwrap_err().to_string();
        assert!(message.contains("line 2") && !message.contains("s3cret"), "{message}");
    }
}
