//! Drafts: what a launch has decided, stored before any money moves, so that an interrupted launch resumes with the
//! same campaign.

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

/// Size limit of a draft in bytes; bundle and manifest are files next to it.
const SIZE_LIMIT: u64 = 1 << 20;

/// What a launch has decided.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LaunchDraft {
    /// Id of the campaign.
    pub id: CampaignId,
    /// Name from the campaign file.
    pub name: String,
    /// Terms that the launch sends to the contract.
    pub terms: CampaignTerms,
    /// CID of the sealed bundle.
    pub bundle: Digest,
    /// CID of the Capsule's certificate that the bundle is sealed to; absent in drafts of earlier versions.
    #[serde(default)]
    pub sealed_to: Option<Digest>,
    /// Account whose OpenPGP key decrypts the result.
    pub account: String,
    /// Path of the validation set at the launch.
    pub validation: PathBuf,
    /// What the launch showed to the data scientist.
    pub outlook: Outlook,
    /// Secret salt that keeps the commitments from disclosing what they commit to.
    pub salt: Digest,
}

/// Directory of the drafts in one home.
#[derive(Clone, Debug)]
pub struct LaunchDrafts {
    directory: PathBuf,
}

/// Key of a draft: the same command on the same files gives the same key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key(String);

impl Key {
    /// Derives the key from the files, the account and the contract.
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

/// A draft with its sealed bundle and manifest.
type SavedDraft = (LaunchDraft, Vec<u8>, Vec<u8>);

impl LaunchDrafts {
    pub fn new(home: &Path) -> Self {
        Self { directory: home.join("launches") }
    }

    /// Directory of one launch.
    pub fn directory(&self, key: &Key) -> PathBuf {
        self.directory.join(&key.0)
    }

    /// Reads the draft of a launch, with its sealed bundle and manifest.
    pub fn load(&self, key: &Key) -> Result<Option<SavedDraft>, Failure> {
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

    /// Stores a draft. The draft exists once the last of its files is written.
    pub fn save(&self, key: &Key, draft: &LaunchDraft, bundle: &[u8], manifest: &[u8]) -> Result<(), Failure> {
        let directory = self.directory(key);
        files::private_directory(&directory)?;
        files::write_atomic(&directory.join("bundle.pgp"), bundle, Access::Private)?;
        files::write_atomic(&directory.join("manifest.json"), manifest, Access::Private)?;
        let text = serde_json::to_vec_pretty(draft).map_err(Failure::internal)?;
        files::write_atomic(&directory.join("draft.json"), &text, Access::Private)?;
        Ok(())
    }

    /// Makes room for another launch of the same files. The old draft can still be found by campaign id.
    pub fn retire(&self, key: &Key, id: CampaignId) -> Result<(), Failure> {
        let from = self.directory(key);
        let to = self.directory.join(id.to_string());
        std::fs::rename(&from, &to).map_err(files::FileError::new("rename", &from))?;
        Ok(())
    }

    /// Finds the draft of a campaign that was launched from this home.
    pub fn find(&self, id: CampaignId) -> Option<LaunchDraft> {
        let entries = std::fs::read_dir(&self.directory).ok()?;
        entries
            .filter_map(Result::ok)
            .filter_map(|entry| read(&entry.path().join("draft.json")).ok())
            .find(|draft| draft.id == id)
    }
}

fn read(path: &Path) -> Result<LaunchDraft, Failure> {
    let bytes = files::read_limited(path, SIZE_LIMIT)?;
    serde_json::from_slice(&bytes).map_err(|error| Failure::internal(format!("{}: {error}", path.display())))
}
