//! Accounts: keys in encrypted keystore files of the standard format (Web3 Secret Storage version 3), which `cast
//! wallet` reads too.

mod form;

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    str::FromStr,
};

use alloy::{
    primitives::{Address, B256, hex},
    signers::{
        k256::elliptic_curve::rand_core::OsRng,
        local::{LocalSignerError, PrivateKeySigner},
    },
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use zeroize::Zeroizing;

use self::form::{FormError, check_form};
use crate::{
    cli::{Code, Failure},
    files::{self, Access, FileError},
};

/// Size limit of a keystore file in bytes.
const SIZE_LIMIT: u64 = 64 << 10;

/// The name of an account. It is also a file name, so it has no characters with a meaning to a file system.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AccountName(String);

impl FromStr for AccountName {
    type Err = AccountError;

    fn from_str(text: &str) -> Result<Self, AccountError> {
        let fits = (1..=64).contains(&text.len())
            && text.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_'));
        if fits { Ok(Self(text.into())) } else { Err(AccountError::Name(text.chars().take(80).collect())) }
    }
}

impl TryFrom<String> for AccountName {
    type Error = AccountError;

    fn try_from(text: String) -> Result<Self, AccountError> {
        text.parse()
    }
}

impl From<AccountName> for String {
    fn from(name: AccountName) -> Self {
        name.0
    }
}

impl fmt::Display for AccountName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why an operation on accounts failed.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// The name is invalid.
    #[error("`{0}` is not a valid account name: use 1 to 64 letters, digits, - and _")]
    Name(String),
    /// The name is taken.
    #[error("the account `{0}` exists already; it is not overwritten")]
    Exists(AccountName),
    /// No account has this name.
    #[error("there is no account `{name}` in {}", directory.display())]
    Unknown {
        /// The name.
        name: AccountName,
        /// Directory of the keystore.
        directory: PathBuf,
    },
    /// The passphrase is wrong.
    #[error("the passphrase of {} is wrong", .0.display())]
    WrongPassphrase(PathBuf),
    /// The file is neither a keystore file nor a key.
    #[error("{} is neither a keystore file (version 3) nor a private key in hexadecimal: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A field of the keystore file has an invalid value.
    #[error("the keystore file {} is damaged: {source}; restore it from a backup", path.display())]
    Form {
        /// The file.
        path: PathBuf,
        /// The field, and its valid values.
        #[source]
        source: FormError,
    },
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
}

impl From<AccountError> for Failure {
    fn from(error: AccountError) -> Self {
        let code = match error {
            AccountError::File(error) => return error.into(),
            AccountError::Name(_) => Code::AccountName,
            AccountError::Exists(_) => Code::AccountExists,
            AccountError::Unknown { .. } => Code::UnknownAccount,
            AccountError::WrongPassphrase(_) => Code::WrongPassphrase,
            AccountError::Damaged { .. } | AccountError::Form { .. } => Code::Keystore,
        };
        Self::new(code, error)
    }
}

/// The public part of an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AccountInfo {
    /// Its name.
    pub name: AccountName,
    /// Its address.
    pub address: Address,
}

/// A directory of keystore files, one per account.
#[derive(Clone, Debug)]
pub struct Keystore {
    directory: PathBuf,
}

impl Keystore {
    /// The accounts of a program: `<home>/keystore`.
    #[must_use]
    pub fn new(home: &Path) -> Self {
        Self { directory: home.join("keystore") }
    }

    /// Path of an account's file.
    #[must_use]
    pub fn path(&self, name: &AccountName) -> PathBuf {
        self.directory.join(&name.0)
    }

    /// Creates an account with a new key.
    ///
    /// # Errors
    /// When the name is taken, or the file cannot be written.
    pub fn create(&self, name: &AccountName, passphrase: &str) -> Result<PrivateKeySigner, AccountError> {
        let signer = PrivateKeySigner::random();
        self.store(name, &signer, passphrase)?;
        Ok(signer)
    }

    /// Imports an existing key.
    ///
    /// # Errors
    /// When the name is taken, or the file cannot be written.
    pub fn store(&self, name: &AccountName, signer: &PrivateKeySigner, passphrase: &str) -> Result<(), AccountError> {
        let path = self.path(name);
        if path.exists() {
            return Err(AccountError::Exists(name.clone()));
        }
        files::private_directory(&self.directory)?;
        let sealed = seal(&self.directory, signer, passphrase)?;
        files::write_atomic(&path, &sealed, Access::Private)?;
        Ok(())
    }

    /// Decrypts an account.
    ///
    /// # Errors
    /// When the account is unknown or damaged, or the passphrase is wrong.
    pub fn unlock(&self, name: &AccountName, passphrase: &str) -> Result<PrivateKeySigner, AccountError> {
        let path = self.path(name);
        if !path.exists() {
            return Err(self.unknown(name));
        }
        open_file(&path, passphrase)
    }

    /// The error for an unknown account.
    #[must_use]
    pub fn unknown(&self, name: &AccountName) -> AccountError {
        AccountError::Unknown { name: name.clone(), directory: self.directory.clone() }
    }

    /// All accounts, by name. Other files are ignored.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn list(&self) -> Result<Vec<AccountInfo>, AccountError> {
        let entries = match fs::read_dir(&self.directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.map_err(FileError::new("list", &self.directory))?,
        };
        let mut accounts: Vec<_> = entries
            .filter_map(Result::ok)
            .filter_map(|entry| {
                let name = entry.file_name().to_str()?.parse().ok()?;
                let address = address_of(&entry.path())?;
                Some(AccountInfo { name, address })
            })
            .collect();
        accounts.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(accounts)
    }
}

/// Reads a key from a keystore file, or from a file with a private key in hexadecimal.
///
/// # Errors
/// When the file is neither, or the passphrase is wrong.
pub fn read_key(path: &Path, passphrase: &str) -> Result<PrivateKeySigner, AccountError> {
    let bytes = Zeroizing::new(files::read_limited(path, SIZE_LIMIT)?);
    if bytes.first() == Some(&b'{') {
        return open_file(path, passphrase);
    }
    let damaged = |reason: String| AccountError::Damaged { path: path.to_owned(), reason };
    let text = std::str::from_utf8(&bytes).map_err(|error| damaged(error.to_string()))?;
    let mut key = Zeroizing::new([0; 32]);
    let digits = text.trim();
    hex::decode_to_slice(digits.strip_prefix("0x").unwrap_or(digits), &mut *key)
        .map_err(|error| damaged(error.to_string()))?;
    PrivateKeySigner::from_bytes(&B256::new(*key)).map_err(|error| damaged(error.to_string()))
}

fn open_file(path: &Path, passphrase: &str) -> Result<PrivateKeySigner, AccountError> {
    let damaged = |reason: String| AccountError::Damaged { path: path.to_owned(), reason };
    let bytes = files::read_limited(path, SIZE_LIMIT)?;
    let content: Value = serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
    check_form(&content).map_err(|source| AccountError::Form { path: path.to_owned(), source })?;
    PrivateKeySigner::decrypt_keystore(path, passphrase).map_err(|error| match error {
        LocalSignerError::EthKeystoreError(error) if error.to_string().contains("Mac") => {
            AccountError::WrongPassphrase(path.to_owned())
        }
        error => damaged(error.to_string()),
    })
}

/// The content of a keystore file, with the address in the clear, so that accounts can be listed while locked.
fn seal(directory: &Path, signer: &PrivateKeySigner, passphrase: &str) -> Result<Vec<u8>, AccountError> {
    let scratch = directory.join(format!(".{:016x}", rand::random::<u64>()));
    let failed = |error: String| {
        AccountError::File(FileError { action: "write", path: scratch.clone(), source: io::Error::other(error) })
    };
    files::private_directory(&scratch)?;
    let key = Zeroizing::new(signer.to_bytes().0);
    let written = PrivateKeySigner::encrypt_keystore(&scratch, &mut OsRng, key.as_slice(), passphrase, Some("key"))
        .map_err(|error| failed(error.to_string()))
        .and_then(|_| Ok(files::read_limited(&scratch.join("key"), SIZE_LIMIT)?));
    // A leftover file is encrypted, and the first error matters more.
    let _ = fs::remove_dir_all(&scratch);
    let mut content: Value = serde_json::from_slice(&written?).map_err(|error| failed(error.to_string()))?;
    content["address"] = hex::encode(signer.address()).into();
    serde_json::to_vec(&content).map_err(|error| failed(error.to_string()))
}

fn address_of(path: &Path) -> Option<Address> {
    let bytes = files::read_limited(path, SIZE_LIMIT).ok()?;
    let content: Value = serde_json::from_slice(&bytes).ok()?;
    content["address"].as_str()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> AccountName {
        text.parse().unwrap()
    }

    #[test]
    fn an_account_opens_with_its_passphrase_only_and_is_listed_without() {
        let home = tempfile::tempdir().unwrap();
        let keystore = Keystore::new(home.path());
        assert_eq!(keystore.list().unwrap(), []);
        let signer = keystore.create(&name("alice"), "right").unwrap();
        let opened = keystore.unlock(&name("alice"), "right").unwrap();
        assert_eq!(opened.to_bytes(), signer.to_bytes());
        assert!(matches!(keystore.unlock(&name("alice"), "wrong"), Err(AccountError::WrongPassphrase(_))));
        assert!(matches!(keystore.unlock(&name("bob"), "right"), Err(AccountError::Unknown { .. })));
        assert!(matches!(keystore.create(&name("alice"), "other"), Err(AccountError::Exists(_))));
        let listed = keystore.list().unwrap();
        assert_eq!(listed.len(), 1);
        assert_eq!(listed[0].address, signer.address());
        let secret = hex::encode(signer.to_bytes());
        let file = fs::read_to_string(keystore.path(&name("alice"))).unwrap();
        assert!(!file.contains(&secret));
    }

    #[test]
    fn keys_are_read_from_both_kinds_of_file_and_nothing_else() {
        let home = tempfile::tempdir().unwrap();
        let keystore = Keystore::new(home.path());
        let signer = keystore.create(&name("alice"), "right").unwrap();
        let sealed = read_key(&keystore.path(&name("alice")), "right").unwrap();
        assert_eq!(sealed.address(), signer.address());

        let path = home.path().join("key");
        fs::write(&path, format!("0x{}\n", hex::encode(signer.to_bytes()))).unwrap();
        assert_eq!(read_key(&path, "").unwrap().address(), signer.address());
        for content in ["", "0x12", "{", &"0".repeat(64)] {
            fs::write(&path, content).unwrap();
            assert!(matches!(read_key(&path, ""), Err(AccountError::Damaged { .. })), "{content}");
        }
        for content in ["{}", "{\"version\":2}"] {
            fs::write(&path, content).unwrap();
            assert!(matches!(read_key(&path, ""), Err(AccountError::Form { .. })), "{content}");
        }
    }

    #[test]
    fn a_damaged_keystore_file_is_named_with_its_field() {
        let home = tempfile::tempdir().unwrap();
        let keystore = Keystore::new(home.path());
        keystore.create(&name("alice"), "right").unwrap();
        let path = keystore.path(&name("alice"));
        let good: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        for (field, value) in [("/crypto/kdfparams/dklen", Value::from(8)), ("/crypto/cipherparams/iv", "00".into())] {
            let mut content = good.clone();
            *content.pointer_mut(field).unwrap() = value;
            fs::write(&path, content.to_string()).unwrap();
            let name_of_field = field[1..].replace('/', ".");
            for failure in [keystore.unlock(&name("alice"), "right"), read_key(&path, "right")] {
                let failure = Failure::from(failure.unwrap_err());
                assert_eq!(failure.code, Code::Keystore);
                assert!(failure.message.contains(&format!("is damaged: `{name_of_field}` must be")), "{failure}");
            }
            assert_eq!(keystore.list().unwrap().len(), 1, "it is still there to be seen");
        }
    }

    #[test]
    fn names_cannot_leave_the_directory() {
        for text in ["", "..", "a/b", "a b", ".hidden", &"a".repeat(65)] {
            assert!(text.parse::<AccountName>().is_err(), "{text}");
        }
    }
}
