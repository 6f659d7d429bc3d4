//! The vault: secrets at rest, in files under one passphrase.
//!
//! A random master key encrypts every file (XChaCha20-Poly1305, with the file's name as associated data). The
//! passphrase encrypts the master key (Argon2id, RFC 9106), so that the slow derivation runs only once, when a vault is
//! unlocked.

use crate::files::{self, Access, FileError};
use argon2::{Algorithm, Argon2, Params, Version};
use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use rand::{TryRng, rngs::SysRng};
use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
};
use zeroize::Zeroizing;

const KEY_FILE: &str = "vault.key";
const KEY_MAGIC: &[u8; 8] = b"SNRvkey1";
const FILE_MAGIC: &[u8; 8] = b"SNRvfil1";
const NONCE: usize = 24;
const SALT: usize = 16;
/// Replaces `/` in file names, and so must not occur in names.
const SEPARATOR: char = '~';
const ENDING: &str = ".sealed";
/// Size limit of a file in bytes.
const LIMIT: u64 = 2 << 30;

/// Cost parameters of Argon2id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Memory in KiB, at most 1 GiB.
    pub memory_kib: u32,
    /// Passes over the memory, at most 16.
    pub passes: u32,
}

impl Default for Cost {
    /// 64 MiB and three passes: the second recommended option of RFC 9106.
    fn default() -> Self {
        Self { memory_kib: 64 * 1024, passes: 3 }
    }
}

/// Why a vault or a file in it cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The passphrase is wrong.
    #[error("wrong passphrase")]
    WrongPassphrase,
    /// There is no vault, or no secret with this name.
    #[error("there is nothing at {}", .0.display())]
    Missing(PathBuf),
    /// The directory has a vault already.
    #[error("there is already a vault at {}; nothing was changed", .0.display())]
    Exists(PathBuf),
    /// The file was changed, truncated, or moved from another name.
    #[error("{} is damaged or was not written by this vault; restore it from a backup", .0.display())]
    Damaged(PathBuf),
    /// The name is invalid.
    #[error("`{0}` cannot be the name of a secret: use letters, digits, `.`, `_`, `-` and `/`")]
    Name(String),
    /// The operating system provided no randomness.
    #[error("the operating system provided no randomness: {0}")]
    Randomness(String),
    /// Reading or writing failed.
    #[error(transparent)]
    File(#[from] FileError),
}

/// A persistent store of named secrets: a [`Vault`], or a stand-in for tests.
pub trait SecretStore: Send + Sync {
    /// Keeps bytes under a name; when this returns they survive a crash.
    ///
    /// # Errors
    /// When they cannot be written.
    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), VaultError>;

    /// The bytes under a name.
    ///
    /// # Errors
    /// When there is no such secret, or it cannot be read.
    fn get(&self, name: &str) -> Result<Zeroizing<Vec<u8>>, VaultError>;

    /// Destroys the bytes under a name; succeeds if the name is not in use.
    ///
    /// # Errors
    /// When it cannot be destroyed.
    fn remove(&self, name: &str) -> Result<(), VaultError>;

    /// Names with this prefix, sorted.
    ///
    /// # Errors
    /// When they cannot be listed.
    fn list(&self, prefix: &str) -> Result<Vec<String>, VaultError>;

    /// The bytes under a name; `None` if the name is not in use.
    ///
    /// # Errors
    /// When they cannot be read.
    fn find(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, VaultError> {
        match self.get(name) {
            Err(VaultError::Missing(_)) => Ok(None),
            found => found.map(Some),
        }
    }
}

macro_rules! store_behind {
    ($($pointer:ty),*) => {$(
        impl<S: SecretStore + ?Sized> SecretStore for $pointer {
            fn put(&self, name: &str, bytes: &[u8]) -> Result<(), VaultError> {
                (**self).put(name, bytes)
            }

            fn get(&self, name: &str) -> Result<Zeroizing<Vec<u8>>, VaultError> {
                (**self).get(name)
            }

            fn remove(&self, name: &str) -> Result<(), VaultError> {
                (**self).remove(name)
            }

            fn list(&self, prefix: &str) -> Result<Vec<String>, VaultError> {
                (**self).list(prefix)
            }
        }
    )*};
}

store_behind!(Arc<S>, &S);

/// An unlocked vault.
pub struct Vault {
    directory: PathBuf,
    cipher: XChaCha20Poly1305,
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vault").field("directory", &self.directory).finish_non_exhaustive()
    }
}

impl Vault {
    /// Creates a vault in a directory.
    ///
    /// # Errors
    /// If there is one already, or the directory cannot be written.
    pub fn create(directory: &Path, passphrase: &str) -> Result<Self, VaultError> {
        Self::create_with(directory, passphrase, Cost::default())
    }

    /// Creates a vault with these cost parameters.
    ///
    /// # Errors
    /// As [`Vault::create`].
    pub fn create_with(directory: &Path, passphrase: &str, cost: Cost) -> Result<Self, VaultError> {
        let path = directory.join(KEY_FILE);
        if path.exists() {
            return Err(VaultError::Exists(directory.to_owned()));
        }
        files::private_directory(directory)?;
        let mut master = Zeroizing::new([0; 32]);
        let (mut salt, mut nonce) = ([0; SALT], [0; NONCE]);
        random(&mut *master)?;
        random(&mut salt)?;
        random(&mut nonce)?;
        let mut head = KEY_MAGIC.to_vec();
        head.extend(cost.memory_kib.to_le_bytes());
        head.extend(cost.passes.to_le_bytes());
        head.extend(salt);
        let wrapping = derive(passphrase, &salt, cost).ok_or_else(|| VaultError::Damaged(path.clone()))?;
        let wrapped = seal(&wrapping, &nonce, &head, &*master).ok_or_else(|| VaultError::Damaged(path.clone()))?;
        let bytes = [head.as_slice(), &nonce, &wrapped].concat();
        files::write_atomic(&path, &bytes, Access::Private)?;
        Ok(Self { directory: directory.to_owned(), cipher: XChaCha20Poly1305::new((&*master).into()) })
    }

    /// Unlocks a vault.
    ///
    /// # Errors
    /// If there is none, or the passphrase is wrong.
    pub fn unlock(directory: &Path, passphrase: &str) -> Result<Self, VaultError> {
        let path = directory.join(KEY_FILE);
        if !path.exists() {
            return Err(VaultError::Missing(path));
        }
        let bytes = files::read_limited(&path, 4096)?;
        let damaged = || VaultError::Damaged(path.clone());
        let head_len = KEY_MAGIC.len() + 8 + SALT;
        if bytes.len() != head_len + NONCE + 32 + 16 || !bytes.starts_with(KEY_MAGIC) {
            return Err(damaged());
        }
        let (head, rest) = bytes.split_at(head_len);
        let (nonce, wrapped) = rest.split_at(NONCE);
        let number = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let cost = Cost { memory_kib: number(8), passes: number(12) };
        let wrapping = derive(passphrase, &head[16..], cost).ok_or_else(damaged)?;
        let payload = Payload { msg: wrapped, aad: head };
        let master = wrapping.decrypt(XNonce::from_slice(nonce), payload).map_err(|_| VaultError::WrongPassphrase)?;
        let master = Zeroizing::new(master);
        let cipher = XChaCha20Poly1305::new_from_slice(&master).map_err(|_| damaged())?;
        Ok(Self { directory: directory.to_owned(), cipher })
    }

    /// The name of the secret in a file of a vault; `None` if it is another file.
    #[must_use]
    pub fn secret_of(file: &str) -> Option<String> {
        file.strip_suffix(ENDING).map(|file| file.replace(SEPARATOR, "/"))
    }

    fn path(&self, name: &str) -> Result<PathBuf, VaultError> {
        let fine = |c: char| c.is_ascii_alphanumeric() || "._-/".contains(c);
        if name.is_empty() || name.len() > 200 || !name.chars().all(fine) {
            return Err(VaultError::Name(name.chars().take(80).collect()));
        }
        Ok(self.directory.join(name.replace('/', "~") + ENDING))
    }
}

impl SecretStore for Vault {
    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), VaultError> {
        let path = self.path(name)?;
        let mut nonce = [0; NONCE];
        random(&mut nonce)?;
        let sealed =
            seal(&self.cipher, &nonce, name.as_bytes(), bytes).ok_or_else(|| VaultError::Damaged(path.clone()))?;
        files::write_atomic(&path, &[FILE_MAGIC.as_slice(), &nonce, &sealed].concat(), Access::Private)?;
        Ok(())
    }

    fn get(&self, name: &str) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let path = self.path(name)?;
        if !path.exists() {
            return Err(VaultError::Missing(path));
        }
        let bytes = files::read_limited(&path, LIMIT)?;
        let body = bytes.strip_prefix(FILE_MAGIC.as_slice()).filter(|body| body.len() >= NONCE);
        let (nonce, sealed) = body.ok_or_else(|| VaultError::Damaged(path.clone()))?.split_at(NONCE);
        let payload = Payload { msg: sealed, aad: name.as_bytes() };
        let secret = self.cipher.decrypt(XNonce::from_slice(nonce), payload);
        secret.map(Zeroizing::new).map_err(|_| VaultError::Damaged(path))
    }

    /// Overwrites the file, then removes it. Overwriting is best effort: file systems and disks may keep old copies.
    fn remove(&self, name: &str) -> Result<(), VaultError> {
        let path = self.path(name)?;
        match overwrite(&path).and_then(|()| fs::remove_file(&path)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            done => Ok(done.map_err(FileError::new("destroy", &path))?),
        }
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>, VaultError> {
        let failed = || FileError::new("list", &self.directory);
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.directory).map_err(failed())? {
            let file = entry.map_err(failed())?.file_name();
            let name = file.to_str().and_then(Self::secret_of);
            names.extend(name.filter(|name| name.starts_with(prefix)));
        }
        names.sort();
        Ok(names)
    }
}

fn random(bytes: &mut [u8]) -> Result<(), VaultError> {
    SysRng.try_fill_bytes(bytes).map_err(|error| VaultError::Randomness(error.to_string()))
}

/// `None` if the cost parameters are out of range.
fn derive(passphrase: &str, salt: &[u8], cost: Cost) -> Option<XChaCha20Poly1305> {
    if cost.memory_kib > 1 << 20 || cost.passes > 16 {
        return None;
    }
    let params = Params::new(cost.memory_kib, cost.passes, 1, Some(32)).ok()?;
    let mut key = Zeroizing::new([0; 32]);
    let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    argon.hash_password_into(passphrase.as_bytes(), salt, &mut *key).ok()?;
    Some(XChaCha20Poly1305::new((&*key).into()))
}

fn seal(cipher: &XChaCha20Poly1305, nonce: &[u8; NONCE], bound: &[u8], secret: &[u8]) -> Option<Vec<u8>> {
    cipher.encrypt(XNonce::from_slice(nonce), Payload { msg: secret, aad: bound }).ok()
}

fn overwrite(path: &Path) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).open(path)?;
    let zeros = vec![0; usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX)];
    file.write_all(&zeros)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CHEAP: Cost = Cost { memory_kib: 64, passes: 1 };

    #[test]
    fn secrets_come_back_only_with_the_passphrase() {
        let directory = tempfile::tempdir().unwrap();
        let vault = Vault::create_with(directory.path(), "right", CHEAP).unwrap();
        vault.put("campaign/0x01", b"seed").unwrap();
        assert!(matches!(Vault::unlock(directory.path(), "wrong"), Err(VaultError::WrongPassphrase)));
        let again = Vault::unlock(directory.path(), "right").unwrap();
        assert_eq!(&**again.get("campaign/0x01").unwrap(), b"seed");
        assert_eq!(again.list("campaign/").unwrap(), ["campaign/0x01"]);
        assert!(matches!(Vault::create_with(directory.path(), "other", CHEAP), Err(VaultError::Exists(_))));
        let raw = fs::read(directory.path().join("campaign~0x01.sealed")).unwrap();
        assert!(!raw.windows(4).any(|window| window == b"seed"));
    }

    #[test]
    fn a_destroyed_secret_is_gone() {
        let directory = tempfile::tempdir().unwrap();
        let vault = Vault::create_with(directory.path(), "p", CHEAP).unwrap();
        vault.put("a", b"1").unwrap();
        vault.remove("a").unwrap();
        vault.remove("a").unwrap();
        assert!(vault.find("a").unwrap().is_none());
        assert_eq!(vault.list("").unwrap(), Vec::<String>::new());
    }

    #[test]
    fn moved_or_changed_files_are_noticed() {
        let directory = tempfile::tempdir().unwrap();
        let vault = Vault::create_with(directory.path(), "p", CHEAP).unwrap();
        vault.put("a", b"1").unwrap();
        vault.put("b", b"2").unwrap();
        fs::rename(directory.path().join("a.sealed"), directory.path().join("b.sealed")).unwrap();
        assert!(matches!(vault.get("b"), Err(VaultError::Damaged(_))));
        fs::write(directory.path().join("b.sealed"), b"short").unwrap();
        assert!(matches!(vault.get("b"), Err(VaultError::Damaged(_))));
        for name in ["", "../x~", "a b", "ü"] {
            assert!(matches!(vault.put(name, b""), Err(VaultError::Name(_))), "{name}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn no_bytes_make_unlocking_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..200), magic: bool) {
            let directory = tempfile::tempdir().unwrap();
            if magic {
                // Costs above the limit, so that the test stays quick.
                bytes.splice(0..0, [KEY_MAGIC.as_slice(), &[255; 8]].concat());
            }
            fs::write(directory.path().join(KEY_FILE), &bytes).unwrap();
            prop_assert!(Vault::unlock(directory.path(), "p").is_err());
        }
    }
}
