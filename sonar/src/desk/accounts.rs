//! Accounts: which keys are in memory, and until when.
//!
//! Unlocking decrypts both keys of an account and forgets the passphrase. The keys are dropped, and overwritten, when the time is over, when
//! the account is locked, or when the desk ends; work that has begun keeps its copy until it ends. For 15 minutes after the passphrase was
//! entered the account may spend.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use axum::http::StatusCode;
use sonar_node::{
    account::{AccountName, Keystore},
    chain::Client,
    cli::{Code, Failure},
};
use sonar_protocol::pgp::Identity;
use sonar_web::problem::Problem;

use crate::scientist::{account::UnlockedAccount, identity};

/// How long an account may spend after its passphrase was entered.
const SPENDS: Duration = Duration::from_secs(15 * 60);

/// The keys of an unlocked account.
pub struct AccountKeys {
    pub account: UnlockedAccount,
    pub identity: Identity,
    /// The client that sends its transactions. There is one, so that its transactions do not take each other's nonce.
    sender: Mutex<Option<Client>>,
}

impl fmt::Debug for AccountKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AccountKeys({})", self.account.name())
    }
}

impl AccountKeys {
    fn unlock(home: &Path, name: &AccountName, passphrase: &str) -> Result<Self, Failure> {
        let account = UnlockedAccount::unlock(home, name, passphrase)?;
        let identity = identity::open(home, name, passphrase)?;
        Ok(Self { account, identity, sender: Mutex::default() })
    }

    /// A client that signs with the account, on the chain and contracts of `reader`.
    pub fn client(&self, reader: &Client) -> Client {
        let mut sender = self.sender.lock().unwrap_or_else(PoisonError::into_inner);
        let same = |client: &&Client| client.deployment() == reader.deployment() && client.url() == reader.url();
        if let Some(client) = sender.as_ref().filter(same) {
            return client.clone();
        }
        sender.insert(reader.with_signer(self.account.signer().clone())).clone()
    }
}

/// An account whose keys are in memory.
#[derive(Debug)]
struct OpenAccount {
    keys: Arc<AccountKeys>,
    /// When the keys are dropped.
    until: Instant,
    /// Until when it may spend.
    spends_until: Instant,
}

/// The accounts of a home.
#[derive(Debug)]
pub struct Accounts {
    home: PathBuf,
    open: Mutex<BTreeMap<AccountName, OpenAccount>>,
}

/// Until when an account is unlocked, and until when it may spend, in Unix time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LockState {
    pub unlocked_until: Option<u64>,
    pub spends_until: Option<u64>,
}

impl Accounts {
    pub fn new(home: PathBuf) -> Self {
        Self { home, open: Mutex::default() }
    }

    /// Decrypts the keys of an account, and keeps them for a limited time. Blocks for about a second.
    pub fn unlock(&self, name: &AccountName, passphrase: &str, time: Duration) -> Result<Instant, Failure> {
        let keys = Arc::new(AccountKeys::unlock(&self.home, name, passphrase)?);
        let now = Instant::now();
        let until = now + time;
        self.open().insert(name.clone(), OpenAccount { keys, until, spends_until: now + SPENDS });
        Ok(until)
    }

    /// Lets the unlocked accounts with this passphrase spend again. Blocks for about a second for each unlocked account.
    pub fn reenter(&self, passphrase: &str) -> Result<(), Failure> {
        let names: Vec<AccountName> = self.open().keys().cloned().collect();
        let keystore = Keystore::new(&self.home);
        let wrong = || Failure::new(Code::WrongPassphrase, "this is not the passphrase of an unlocked account");
        let mut entered = Err(wrong());
        for name in names {
            match keystore.unlock(&name, passphrase).map_err(Failure::from) {
                Ok(_) => {
                    if let Some(open) = self.open().get_mut(&name) {
                        open.spends_until = Instant::now() + SPENDS;
                    }
                    entered = Ok(());
                }
                Err(failure) if failure.code == Code::WrongPassphrase => {}
                Err(failure) => return Err(failure),
            }
        }
        entered
    }

    /// Drops the keys of an account.
    pub fn lock(&self, name: &AccountName) {
        self.open().remove(name);
    }

    /// Drops the keys of an account if its time is over, and returns whether they are gone.
    pub fn expire(&self, name: &AccountName, now: Instant) -> bool {
        let mut open = self.open();
        if open.get(name).is_some_and(|account| account.until <= now) {
            open.remove(name);
        }
        !open.contains_key(name)
    }

    /// The keys of an unlocked account.
    pub fn keys(&self, name: &AccountName) -> Result<Arc<AccountKeys>, Problem> {
        self.find(name, |_| Ok(()))
    }

    /// The keys of an unlocked account that may spend.
    pub fn spending_keys(&self, name: &AccountName) -> Result<Arc<AccountKeys>, Problem> {
        self.find(name, |account| {
            let recent = Instant::now() < account.spends_until;
            recent.then_some(()).ok_or_else(|| {
                let detail = format!("this spends money: enter the passphrase of `{name}` again");
                Problem::new(StatusCode::FORBIDDEN, "REAUTHENTICATE", detail)
            })
        })
    }

    fn find(
        &self,
        name: &AccountName,
        check: impl FnOnce(&OpenAccount) -> Result<(), Problem>,
    ) -> Result<Arc<AccountKeys>, Problem> {
        let open = self.open();
        let account = open.get(name).filter(|account| Instant::now() < account.until).ok_or_else(|| {
            Problem::new(StatusCode::FORBIDDEN, "ACCOUNT_LOCKED", format!("the account `{name}` is locked; unlock it"))
        })?;
        check(account)?;
        Ok(account.keys.clone())
    }

    /// Whether an account is unlocked and may spend.
    pub fn state(&self, name: &AccountName) -> LockState {
        self.open().get(name).map_or_else(LockState::default, |account| LockState {
            unlocked_until: unix(account.until),
            spends_until: unix(account.spends_until.min(account.until)),
        })
    }

    fn open(&self) -> MutexGuard<'_, BTreeMap<AccountName, OpenAccount>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The Unix time of a moment in the future; `None` if it has passed.
fn unix(moment: Instant) -> Option<u64> {
    let left = moment.checked_duration_since(Instant::now())?;
    Some(SystemTime::now().checked_add(left)?.duration_since(UNIX_EPOCH).ok()?.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);

    fn accounts() -> (tempfile::TempDir, Accounts, AccountName) {
        let home = tempfile::tempdir().unwrap();
        let name: AccountName = "alice".parse().unwrap();
        Keystore::new(home.path()).create(&name, "right").unwrap();
        let accounts = Accounts::new(home.path().to_owned());
        (home, accounts, name)
    }

    #[test]
    fn keys_are_in_memory_for_a_limited_time_only() {
        let (_home, accounts, name) = accounts();
        assert_eq!(accounts.keys(&name).unwrap_err().code, "ACCOUNT_LOCKED");
        let wrong = accounts.unlock(&name, "wrong", HOUR).unwrap_err();
        assert_eq!(wrong.code, Code::WrongPassphrase);
        let until = accounts.unlock(&name, "right", HOUR).unwrap();
        let kept = Arc::downgrade(&accounts.spending_keys(&name).unwrap());
        assert!(kept.upgrade().is_some());
        assert!(!accounts.expire(&name, until - Duration::from_secs(1)));
        assert!(accounts.expire(&name, until));
        assert!(kept.upgrade().is_none(), "nobody has the keys any more");
        assert_eq!(accounts.state(&name), LockState::default());
    }

    #[test]
    fn an_unlocked_account_spends_only_soon_after_its_passphrase() {
        let (_home, accounts, name) = accounts();
        accounts.unlock(&name, "right", HOUR).unwrap();
        accounts.open().get_mut(&name).unwrap().spends_until = Instant::now();
        assert!(accounts.keys(&name).is_ok());
        assert_eq!(accounts.spending_keys(&name).unwrap_err().code, "REAUTHENTICATE");
        assert_eq!(accounts.reenter("wrong").unwrap_err().code, Code::WrongPassphrase);
        assert!(accounts.spending_keys(&name).is_err());
        accounts.reenter("right").unwrap();
        assert!(accounts.spending_keys(&name).is_ok());
    }
}
