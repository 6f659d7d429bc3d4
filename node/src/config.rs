//! Home directory and configuration of a program: `<home>/config.toml`.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::{
    files::{self, FileError},
    ipfs::{IpfsError, KuboConfig},
};

/// Size limit of a configuration file in bytes.
const SIZE_LIMIT: u64 = 64 << 10;

/// Chain id of anvil and Hardhat, where each block is final at once.
pub const LOCAL_CHAIN_ID: u64 = 31_337;

/// The configuration of a program.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// JSON-RPC of the chain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rpc: Option<String>,
    /// Sonar's API, which returns the addresses of the contracts and the IPFS hub.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sonar: Option<String>,
    /// Deployment file that `sonar deploy` wrote; overrides what Sonar returns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contracts: Option<PathBuf>,
    /// Milliseconds between two queries of the chain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub poll_ms: Option<u64>,
    /// Confirmations: blocks that must follow before an event counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confirmations: Option<u64>,
    /// RPC of a Kubo that is used instead of the embedded IPFS node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ipfs: Option<String>,
    /// File with the value of the `Authorization` header for that RPC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ipfs_authorization_file: Option<PathBuf>,
}

/// Options that choose an external IPFS node.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct IpfsArgs {
    /// RPC of a Kubo to use instead of the embedded IPFS node, such as http://127.0.0.1:5001
    #[arg(long, global = true, value_name = "URL")]
    pub ipfs: Option<String>,
    /// File with the value of the `Authorization` header for that RPC (default: the variable SONAR_IPFS_AUTHORIZATION)
    #[arg(long, global = true, value_name = "FILE")]
    pub ipfs_authorization_file: Option<PathBuf>,
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file has invalid content.
    #[error("{}: {message}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        message: String,
    },
    /// No home directory is known.
    #[error("no home directory is known: pass --home or set {variable}")]
    NoHome {
        /// Environment variable of the home directory.
        variable: &'static str,
    },
}

impl Config {
    /// Reads `<home>/config.toml`; a missing file is an empty one.
    ///
    /// # Errors
    /// When the file is unreadable, too large, not TOML, or has an unknown key.
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
        // Not the library's whole message: it repeats the line, which may contain a provider's key.
        toml::from_str(text).map_err(|error| {
            let line = error.span().map_or(1, |span| text[..span.start].matches('\n').count() + 1);
            content(format!("line {line}: {}", error.message()))
        })
    }

    /// Overrides values of the file by options and environment.
    #[must_use]
    pub fn with(self, rpc: Option<String>, sonar: Option<String>, contracts: Option<PathBuf>) -> Self {
        Self { rpc: rpc.or(self.rpc), sonar: sonar.or(self.sonar), contracts: contracts.or(self.contracts), ..self }
    }

    /// Overrides the external IPFS node, if one is given.
    #[must_use]
    pub fn with_ipfs(self, ipfs: IpfsArgs) -> Self {
        Self {
            ipfs: ipfs.ipfs.or(self.ipfs),
            ipfs_authorization_file: ipfs.ipfs_authorization_file.or(self.ipfs_authorization_file),
            ..self
        }
    }

    /// The external IPFS node, if one is configured.
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

    /// Blocks that must follow before an event counts (default: 0 on a local chain, otherwise 12).
    #[must_use]
    pub fn confirmations(&self, chain_id: u64) -> u64 {
        self.confirmations.unwrap_or(if chain_id == LOCAL_CHAIN_ID { 0 } else { 12 })
    }

    /// Time between two queries of the chain (default: 250 ms on a local chain, otherwise 4 s).
    #[must_use]
    pub fn poll(&self, chain_id: u64) -> std::time::Duration {
        let default = if chain_id == LOCAL_CHAIN_ID { 250 } else { 4000 };
        std::time::Duration::from_millis(self.poll_ms.unwrap_or(default).max(10))
    }
}

/// The home directory of a program: as given, or else from the environment variable, or else the program's directory in
/// the platform's data directory.
///
/// # Errors
/// When no home directory is known.
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
