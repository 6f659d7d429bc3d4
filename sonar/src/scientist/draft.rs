//! Drafts: what a launch has decided, stored before any money moves, so that an interrupted launch resumes with the
//! same campaign.

use std::{
    fs::File,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use sonar_node::{
    chain::Client,
    cli::{Code, Failure},
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
    /// Path of the validation set at the launch; relative to the draft's directory if the desk stored it there.
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

impl Key {
    /// The key as text, which is also the name of the draft's directory.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The key in this text, if it is one.
    pub fn parse(text: &str) -> Option<Self> {
        let is_key = text.len() == 32 && text.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'));
        is_key.then(|| Self(text.into()))
    }
}

/// A draft with its sealed bundle and manifest.
#[derive(Clone, Debug)]
pub struct SavedDraft {
    pub draft: LaunchDraft,
    pub bundle: Vec<u8>,
    pub manifest: Vec<u8>,
}

/// Excludes other launches of the same files, in this and other processes, until it is dropped.
#[derive(Debug)]
#[must_use = "the files can be launched again when the claim is dropped"]
pub struct LaunchClaim {
    _lock: File,
}

impl LaunchDrafts {
    pub fn new(home: &Path) -> Self {
        Self { directory: home.join("launches") }
    }

    /// The directory of all launches.
    pub fn root(&self) -> &Path {
        &self.directory
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
        Ok(Some(SavedDraft { draft, bundle, manifest }))
    }

    /// Claims the launch of these files. Two launches at once would both find no draft, decide two campaigns, and pay for both.
    pub fn claim(&self, key: &Key) -> Result<LaunchClaim, Failure> {
        files::private_directory(&self.directory)?;
        // Beside the directory, which is renamed when the draft retires.
        let path = self.directory.join(format!("{}.lock", key.0));
        let lock = File::create(&path).map_err(files::FileError::new("create", &path))?;
        lock.try_lock().map_err(|_| {
            let failure = Failure::new(
                Code::LaunchRunning,
                "the same files are being launched by another command or by `sonar ui`",
            );
            Failure {
                retryable: true,
                ..failure.help("wait until that launch has ended; then this one shows its campaign")
            }
        })?;
        Ok(LaunchClaim { _lock: lock })
    }

    /// Stores a draft. The draft exists once the last of its files is written.
    pub fn save(&self, key: &Key, saved: &SavedDraft) -> Result<(), Failure> {
        let directory = self.directory(key);
        files::private_directory(&directory)?;
        files::write_atomic(&directory.join("bundle.pgp"), &saved.bundle, Access::Private)?;
        files::write_atomic(&directory.join("manifest.json"), &saved.manifest, Access::Private)?;
        let text = serde_json::to_vec_pretty(&saved.draft).map_err(Failure::internal)?;
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

    /// Finds the draft of a campaign that was launched from this home, and its directory.
    pub fn find(&self, id: CampaignId) -> Option<FoundDraft> {
        let entries = std::fs::read_dir(&self.directory).ok()?;
        entries
            .filter_map(Result::ok)
            .filter_map(|entry| {
                let directory = entry.path();
                let draft = read(&directory.join("draft.json")).ok()?;
                Some(FoundDraft { draft, directory })
            })
            .find(|found| found.draft.id == id)
    }
}

/// The draft of a campaign that was launched before.
#[derive(Clone, Debug)]
pub struct FoundDraft {
    pub draft: LaunchDraft,
    /// Where it lies.
    pub directory: PathBuf,
}

impl FoundDraft {
    /// Path of the validation set at the launch.
    pub fn validation(&self) -> PathBuf {
        self.directory.join(&self.draft.validation)
    }
}

fn read(path: &Path) -> Result<LaunchDraft, Failure> {
    let bytes = files::read_limited(path, SIZE_LIMIT)?;
    serde_json::from_slice(&bytes).map_err(|error| Failure::internal(format!("{}: {error}", path.display())))
}
