//! A chain, an IPFS and a disk in memory.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use alloy::primitives::{B256, keccak256};
use sonar_contracts::Terms;
use sonar_node::{
    chain,
    files::FileError,
    ipfs::IpfsError,
    vault::{SecretStore, VaultError},
};
use sonar_protocol::{
    handover::{Handover, Published},
    ids::{CampaignId, Digest},
    refusal::Refusal,
    view::CampaignView,
};
use syft::Ppm;
use zeroize::Zeroizing;

use crate::{
    campaign::{
        record::{CampaignRecord, Settlement},
        worker::record_name,
    },
    ports::{Artefacts, Chain},
};

/// A disk whose writes may stop arriving at any moment.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    pub(crate) files: Mutex<BTreeMap<String, Vec<u8>>>,
    pub(crate) writes: AtomicUsize,
    /// Writes after which nothing is written any more; 0 for never.
    pub(crate) last: AtomicUsize,
    /// A campaign, and the submissions that the leak meter in its stored record must have counted before a seed is read.
    pub(crate) counted: Mutex<Option<(CampaignId, u64)>>,
    /// Number of seeds that were read.
    pub(crate) seeds_read: AtomicUsize,
}

impl Disk {
    pub(crate) fn write(&self) -> Result<(), VaultError> {
        let count = self.writes.fetch_add(1, Ordering::SeqCst) + 1;
        let last = self.last.load(Ordering::SeqCst);
        if last == 0 || count <= last {
            return Ok(());
        }
        let gone = std::io::Error::other("the process was killed");
        Err(VaultError::File(FileError::new("write", "disk".as_ref())(gone)))
    }

    /// Without the seed nothing can be decrypted, so every decryption comes after this call.
    fn seed_is_read(&self) {
        self.seeds_read.fetch_add(1, Ordering::SeqCst);
        let Some((id, submissions)) = *self.counted.lock().unwrap() else { return };
        let stored = self.files.lock().unwrap().get(&record_name(id)).cloned();
        let record = stored.map(|bytes| CampaignRecord::decode(&bytes, id).unwrap());
        let counted = record.and_then(|record| record.meter).map_or(0, |meter| meter.submissions());
        assert!(counted >= submissions, "an update is decrypted before the leak meter on the disk has counted it");
    }

    pub(crate) fn names(&self, kind: &str) -> Vec<String> {
        self.files.lock().unwrap().keys().filter(|name| name.starts_with(kind)).cloned().collect()
    }
}

impl SecretStore for Disk {
    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), VaultError> {
        self.write()?;
        self.files.lock().unwrap().insert(name.into(), bytes.into());
        Ok(())
    }

    fn get(&self, name: &str) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let bytes = self.files.lock().unwrap().get(name).cloned();
        if bytes.is_some() && name.starts_with("seed/") {
            self.seed_is_read();
        }
        bytes.map(Zeroizing::new).ok_or_else(|| VaultError::Missing(name.into()))
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>, VaultError> {
        Ok(self.names(prefix))
    }

    fn remove(&self, name: &str) -> Result<(), VaultError> {
        self.write()?;
        self.files.lock().unwrap().remove(name);
        Ok(())
    }
}

/// All artefacts of everybody.
#[derive(Debug, Default)]
pub(super) struct Shelf(pub(super) Mutex<HashMap<Digest, Vec<u8>>>, Mutex<HashMap<Digest, Damage>>);

/// Why an artefact cannot be fetched.
#[derive(Clone, Copy, Debug)]
pub(super) enum Damage {
    /// The miner published blocks that do not form a file.
    Malformed,
    /// The Capsule's own node fails, for example because its disk is full.
    Node,
    /// The Capsule's own program panics.
    Bug,
    /// The Capsule's own node does not answer.
    Unreachable,
}

impl Shelf {
    pub(super) fn put(&self, bytes: Vec<u8>) -> Digest {
        let digest = Digest(keccak256(&bytes).0);
        self.0.lock().unwrap().insert(digest, bytes);
        digest
    }

    pub(super) fn damage(&self, digest: Digest, damage: Option<Damage>) {
        let mut damaged = self.1.lock().unwrap();
        match damage {
            Some(damage) => damaged.insert(digest, damage),
            None => damaged.remove(&digest),
        };
    }

    pub(super) fn take(&self, digest: Digest) -> Option<Vec<u8>> {
        self.0.lock().unwrap().get(&digest).cloned()
    }
}

impl Artefacts for Arc<Shelf> {
    async fn add(&self, bytes: Vec<u8>) -> Result<Digest, IpfsError> {
        Ok(self.put(bytes))
    }

    async fn get(&self, digest: Digest, limit: usize, timeout: Duration) -> Result<Vec<u8>, IpfsError> {
        let reason = "a test".to_string();
        let damage = self.1.lock().unwrap().get(&digest).copied();
        match damage {
            None => {}
            Some(Damage::Bug) => panic!("a test"),
            Some(Damage::Malformed) => return Err(IpfsError::Malformed { digest, reason }),
            Some(Damage::Node) => return Err(IpfsError::Node { action: "fetch an artefact", reason }),
            Some(Damage::Unreachable) => return Err(IpfsError::Unreachable { url: "http://kubo".into(), reason }),
        }
        match self.take(digest) {
            None => Err(IpfsError::NotFound { digest, waited: timeout, peers: 0 }),
            Some(bytes) if bytes.len() > limit => Err(IpfsError::TooLarge { digest, limit }),
            Some(bytes) => Ok(bytes),
        }
    }
}

/// What was sent to the contract.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Sent {
    Activated { start_ppm: Ppm, first: Published, certificate: Digest },
    Declined(Refusal),
    Settled(Settlement, Vec<u8>),
    Closed,
    Finalized(Digest, Vec<Handover>),
    Released,
    Registered(Digest),
}

#[derive(Debug, Default)]
pub(super) struct Wire {
    pub(super) window_hash: Mutex<B256>,
    pub(super) sent: Mutex<Vec<Sent>>,
    /// Whether nothing arrives.
    refuses: AtomicBool,
}

impl Wire {
    pub(super) fn refuse(&self, refuses: bool) {
        self.refuses.store(refuses, Ordering::SeqCst);
    }

    pub(super) fn send(&self, sent: Sent) -> Result<(), chain::Error> {
        if self.refuses.load(Ordering::SeqCst) {
            return Err(chain::Error::NoSigner { what: "test" });
        }
        self.sent.lock().unwrap().push(sent);
        Ok(())
    }
}

impl Chain for Arc<Wire> {
    async fn window_hash(&self, _: CampaignId) -> Result<B256, chain::Error> {
        Ok(*self.window_hash.lock().unwrap())
    }

    async fn activate(
        &self,
        _: &Terms,
        start_ppm: Ppm,
        first: Published,
        certificate: Digest,
        _: &[u8],
    ) -> Result<(), chain::Error> {
        self.send(Sent::Activated { start_ppm, first, certificate })
    }

    async fn decline(&self, _: &Terms, reason: Refusal, _: &[u8]) -> Result<(), chain::Error> {
        self.send(Sent::Declined(reason))
    }

    async fn settle(&self, _: &CampaignView, settlement: &Settlement, signature: &[u8]) -> Result<(), chain::Error> {
        self.send(Sent::Settled(settlement.clone(), signature.into()))
    }

    async fn close(&self, _: &Terms) -> Result<(), chain::Error> {
        self.send(Sent::Closed)
    }

    async fn finalize(&self, _: &Terms, result: Digest, handovers: &[Handover], _: &[u8]) -> Result<(), chain::Error> {
        self.send(Sent::Finalized(result, handovers.to_vec()))
    }

    async fn release(&self, _: &Terms) -> Result<(), chain::Error> {
        self.send(Sent::Released)
    }

    async fn register_certificate(&self, certificate: Digest) -> Result<(), chain::Error> {
        self.send(Sent::Registered(certificate))
    }
}
