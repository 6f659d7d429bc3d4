//! Backups: one file with everything that cannot be recreated, that is configuration, keys and vault. All of it is
//! already encrypted, except the configuration, which is public.
//!
//! Opened bundles, and the keys that bundles and updates are sealed to, are in no backup, so that an old backup and its
//! passphrase open none of them. A Capsule that is restored cannot evaluate the windows of campaigns that run; it can
//! deliver models of closed ones.

use std::{fs, path::Path};

use serde::{Deserialize, Serialize};
use sonar_node::{
    cli::{Code, Failure},
    files::{self, Access, FileError, FileExists},
    vault::Vault,
};

use crate::{
    campaign::secrets::{BUNDLES, CAMPAIGN_KEYS},
    home::CapsuleHome,
    launch_keys::LAUNCH_KEYS,
};

/// Version of the backup format.
const SCHEMA: &str = "capsule.backup/1";
/// Size limit of a backup in bytes.
const LIMIT: u64 = 4 << 30;
/// Size limit of a file in a backup in bytes.
const FILE_LIMIT: u64 = 2 << 30;
/// Directories whose files are in a backup.
const DIRECTORIES: [&str; 2] = ["keystore", "vault"];
/// The other files in a backup. The OpenPGP key is last: a home with it counts as complete.
const FILES: [&str; 2] = ["config.toml", "openpgp.asc"];

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Archive {
    schema: String,
    files: Vec<Entry>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    /// In hexadecimal.
    content: String,
}

/// Writes a backup of a home that is not in use. Returns the number of files.
///
/// # Errors
/// When a file cannot be read or written, or `to` exists and may not be overwritten: it may be the only backup of another Capsule.
pub fn write(home: &CapsuleHome, to: &Path, overwrite: bool) -> Result<usize, Failure> {
    if to.exists() && !overwrite {
        return Err(FileExists(to.to_owned()).into());
    }
    let mut names = Vec::new();
    for directory in DIRECTORIES {
        let path = home.path().join(directory);
        let failed = || FileError::new("list", &path);
        for entry in fs::read_dir(&path).map_err(failed())? {
            let name = entry.map_err(failed())?.file_name();
            let name = name.to_str().filter(|name| !stays_here(name));
            names.extend(name.map(|name| format!("{directory}/{name}")));
        }
    }
    names.sort();
    names.extend(FILES.map(str::to_owned));
    let mut entries = Vec::new();
    for name in names {
        let content = files::read_limited(&home.path().join(&name), FILE_LIMIT)?;
        entries.push(Entry { name, content: alloy::hex::encode(content) });
    }
    let archive = Archive { schema: SCHEMA.into(), files: entries };
    let bytes = serde_json::to_vec(&archive).map_err(Failure::internal)?;
    files::write_atomic(to, &bytes, Access::Private)?;
    Ok(archive.files.len())
}

/// Restores a backup. Returns the number of files.
///
/// # Errors
/// When it is not a valid backup, or a file cannot be written.
pub fn read(home: &CapsuleHome, from: &Path) -> Result<usize, Failure> {
    let bytes = files::read_limited(from, LIMIT)?;
    let bad = |reason: &str| {
        let message = format!("{} is not a backup of a Capsule: {reason}", from.display());
        Failure::new(Code::Backup, message)
    };
    let archive: Archive = serde_json::from_slice(&bytes).map_err(|error| bad(&error.to_string()))?;
    if archive.schema != SCHEMA {
        return Err(bad("another version of the program wrote it"));
    }
    let mut contents = Vec::new();
    for entry in &archive.files {
        if !is_ours(&entry.name) {
            return Err(bad("it contains a file that is not part of a Capsule"));
        }
        let content = alloy::hex::decode(&entry.content);
        contents.push((&entry.name, content.map_err(|error| bad(&error.to_string()))?));
    }
    for directory in DIRECTORIES {
        files::private_directory(&home.path().join(directory))?;
    }
    for (name, content) in contents {
        files::write_atomic(&home.path().join(name), &content, Access::Private)?;
    }
    Ok(archive.files.len())
}

/// Whether a file of the vault is an opened bundle, a key that bundles or updates are sealed to, or what a killed process
/// was writing.
fn stays_here(file: &str) -> bool {
    let kinds = [BUNDLES, CAMPAIGN_KEYS, LAUNCH_KEYS];
    file.ends_with(files::TEMPORARY)
        || Vault::secret_of(file).is_some_and(|secret| kinds.iter().any(|kind| secret.starts_with(kind)))
}

/// Restoring must not write outside the home.
fn is_ours(name: &str) -> bool {
    let plain = |file: &str| !file.is_empty() && !file.starts_with('.') && !file.contains(['/', '\\']);
    FILES.contains(&name)
        || name.split_once('/').is_some_and(|(directory, file)| DIRECTORIES.contains(&directory) && plain(file))
}

#[cfg(test)]
mod tests {
    use sonar_node::vault::{Cost, SecretStore};

    use super::*;

    #[test]
    fn a_backup_is_not_written_over_a_file() {
        let directory = tempfile::tempdir().unwrap();
        let home = CapsuleHome::new(directory.path().join("home"));
        for name in DIRECTORIES {
            files::private_directory(&home.path().join(name)).unwrap();
        }
        for name in FILES.into_iter().chain(["keystore/operator.json", "vault/a.sealed"]) {
            fs::write(home.path().join(name), name).unwrap();
        }
        let to = directory.path().join("capsule.backup");
        fs::write(&to, "another Capsule's").unwrap();
        let refused = write(&home, &to, false).unwrap_err();
        assert_eq!(refused.code, Code::FileExists);
        assert!(refused.to_string().contains("--force"), "{refused}");
        assert_eq!(fs::read(&to).unwrap(), b"another Capsule's");

        assert_eq!(write(&home, &to, true).unwrap(), 4);
        let restored = CapsuleHome::new(directory.path().join("restored"));
        assert_eq!(read(&restored, &to).unwrap(), 4);
        assert_eq!(fs::read(restored.path().join("vault/a.sealed")).unwrap(), b"vault/a.sealed");
    }

    /// Whoever finds an old backup and learns the passphrase opens none of the updates of its time.
    #[test]
    fn a_backup_contains_no_bundle_and_no_key_that_bundles_or_updates_are_sealed_to() {
        let directory = tempfile::tempdir().unwrap();
        let home = CapsuleHome::new(directory.path().join("home"));
        let vault = home.path().join("vault");
        let cost = Cost { memory_kib: 8, passes: 1 };
        let store = Vault::create_with(&vault, "passphrase", cost).unwrap();
        let left = [BUNDLES, CAMPAIGN_KEYS, LAUNCH_KEYS].map(|kind| format!("{kind}01"));
        for name in left.iter().map(String::as_str).chain(["campaign/01", "model/01/02"]) {
            store.put(name, b"secret").unwrap();
        }
        fs::write(vault.join("bundle~01.sealed.1.2.tmp"), b"a killed process was writing it").unwrap();
        files::private_directory(&home.path().join("keystore")).unwrap();
        for name in FILES {
            fs::write(home.path().join(name), name).unwrap();
        }
        let to = directory.path().join("capsule.backup");
        write(&home, &to, false).unwrap();
        let restored = CapsuleHome::new(directory.path().join("restored"));
        read(&restored, &to).unwrap();
        let store = Vault::unlock(&restored.path().join("vault"), "passphrase").unwrap();
        assert_eq!(store.list("").unwrap(), ["campaign/01", "model/01/02"]);
        assert_eq!(fs::read_dir(restored.path().join("vault")).unwrap().count(), 3);
    }

    #[test]
    fn a_backup_writes_nowhere_else() {
        for name in ["config.toml", "openpgp.asc", "vault/a.sealed", "keystore/operator"] {
            assert!(is_ours(name), "{name}");
        }
        for name in ["../x", "vault/../x", "vault/", "/etc/passwd", "vault/.x", "ipfs/x", "x"] {
            assert!(!is_ours(name), "{name}");
        }
    }
}
