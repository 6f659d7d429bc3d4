//! What a launch has decided, kept before any money moves: a launch that was interrupted goes on with the same campaign.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use sonar_node::{
    chain::Client,
    cli::Failure,
    files::{self, Access},
};
use sonar_protocol::{
    ids::{CampaignId, Digest},
    launch::Outlook,
    limits,
    terms::CampaignTerms,
};

/// A draft is a page of JSON; what it refers to lies beside it.
const SIZE_LIMIT: u64 = 1 << 20;

/// What a launch has decided.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Draft {
    /// The campaign.
    pub id: CampaignId,
    /// Its name.
    pub name: String,
    /// Its terms on chain.
    pub terms: CampaignTerms,
    /// The sealed bundle on IPFS.
    pub bundle: Digest,
    /// Whose OpenPGP key opens the result.
    pub account: String,
    /// The validation set, wherever it was.
    pub validation: PathBuf,
    /// What the data scientist was told.
    pub outlook: Outlook,
    /// What makes the commitments say nothing to others.
    pub salt: Digest,
}

/// The drafts of one home.
#[derive(Clone, Debug)]
pub struct Drafts {
    directory: PathBuf,
}

/// What a draft belongs to: the same command on the same files finds it again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key(String);

impl Key {
    /// The key of a launch of these files by this account on this contract.
    pub fn new(client: &Client, owner: impl AsRef<[u8]>, files: &[&[u8]]) -> Self {
        let deployment = client.deployment();
        let mut hash = Sha256::new();
        hash.update(deployment.chain_id.to_be_bytes());
        hash.update(deployment.campaigns);
        hash.update(owner);
        for file in files {
            hash.update((file.len() as u64).to_be_bytes());
            hash.update(file);
        }
        Self(alloy::primitives::hex::encode(&hash.finalize()[..16]))
    }
}

/// A draft with sealed bundle and manifest.
type Saved = (Draft, Vec<u8>, Vec<u8>);

impl Drafts {
    pub fn new(home: &Path) -> Self {
        Self { directory: home.join("launches") }
    }

    /// Where a launch keeps its files.
    pub fn directory(&self, key: &Key) -> PathBuf {
        self.directory.join(&key.0)
    }

    /// The draft of a launch, with sealed bundle and manifest.
    pub fn load(&self, key: &Key) -> Result<Option<Saved>, Failure> {
        let directory = self.directory(key);
        let path = directory.join("draft.json");
        if !path.exists() {
            return Ok(None);
        }
        let draft = read(&path)?;
        let bundle = files::read_limited(&directory.join("bundle.pgp"), limits::BUNDLE as u64)?;
        let manifest = files::read_limited(&directory.join("manifest.json"), limits::MANIFEST as u64)?;
        Ok(Some((draft, bundle, manifest)))
    }

    /// Keeps a draft; the last file that is written makes it count.
    pub fn save(&self, key: &Key, draft: &Draft, bundle: &[u8], manifest: &[u8]) -> Result<(), Failure> {
        let directory = self.directory(key);
        files::private_directory(&directory)?;
        files::write_atomic(&directory.join("bundle.pgp"), bundle, Access::Private)?;
        files::write_atomic(&directory.join("manifest.json"), manifest, Access::Private)?;
        let text = serde_json::to_vec_pretty(draft).map_err(Failure::internal)?;
        files::write_atomic(&directory.join("draft.json"), &text, Access::Private)?;
        Ok(())
    }

    /// Makes room for another launch of the same files; the campaign's draft stays findable by its id.
    pub fn retire(&self, key: &Key, id: CampaignId) -> Result<(), Failure> {
        let from = self.directory(key);
        let to = self.directory.join(id.to_string());
        std::fs::rename(&from, &to).map_err(files::FileError::new("rename", &from))?;
        Ok(())
    }

    /// The draft of a campaign that was launched from this home.
    pub fn find(&self, id: CampaignId) -> Option<Draft> {
        let entries = std::fs::read_dir(&self.directory).ok()?;
        entries
            .filter_map(Result::ok)
            .filter_map(|entry| read(&entry.path().join("draft.json")).ok())
            .find(|draft| draft.id == id)
    }
}

fn read(path: &Path) -> Result<Draft, Failure> {
    let bytes = files::read_limited(path, SIZE_LIMIT)?;
    serde_json::from_slice(&bytes).map_err(|error| Failure::internal(format!("{}: {error}", path.display())))
}
