//! What the contracts said until a final block, folded and kept in a file, so that a program that starts does not read the chain from
//! its first block.
//!
//! A snapshot is a shortcut and never a source: it is used only if it is whole, of this deployment, written by this version of the
//! program, and if the chain still has its block. Otherwise it is set aside, and the chain is read anew.
//!
//! ```text
//! magic | header: form, program version, chain, contracts, block and its hash | world | keccak256 of all before
//! ```

use std::{
    fs::{self, File},
    io::{self, BufReader, BufWriter, Read, Write},
    path::{Path, PathBuf},
};

use alloy::primitives::{Address, B256, Keccak256};
use bincode::Options;
use serde::{Deserialize, Serialize};
use sonar_contracts::Deployment;
use sonar_protocol::view::World;

use crate::files::{self, Access, FileError};

const MAGIC: &[u8; 8] = b"sonarsnp";
/// Counts changes of the form of [`World`] or of the header. A test fails when the form changes and this does not.
const FORM: u32 = 1;
/// Bytes of the hash at the end.
const CHECKSUM: u64 = 32;

/// The world at a final block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Snapshot {
    /// The last block that is in it.
    pub(super) block: u64,
    /// Its hash.
    pub(super) hash: B256,
    /// All that the contracts said until then.
    pub(super) world: World,
}

/// Where a program keeps its snapshot of one deployment.
#[derive(Clone, Debug)]
pub(super) struct SnapshotFile {
    path: PathBuf,
    identity: Identity,
}

/// What a snapshot is of, and who wrote it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Identity {
    form: u32,
    version: String,
    chain_id: u64,
    campaigns: Address,
    registry: Address,
    first_block: u64,
}

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
enum Unusable {
    #[error("it is damaged: {0}")]
    Damaged(&'static str),
    #[error("it is damaged: {0}")]
    Form(#[from] bincode::Error),
    #[error("it cannot be read: {0}")]
    File(#[from] io::Error),
    #[error("it is of another deployment, or of another version of this program")]
    Foreign,
}

impl From<&'static str> for Unusable {
    fn from(reason: &'static str) -> Self {
        Self::Damaged(reason)
    }
}

impl SnapshotFile {
    pub(super) fn new(home: &Path, deployment: &Deployment) -> Self {
        let identity = Identity {
            form: FORM,
            version: env!("CARGO_PKG_VERSION").into(),
            chain_id: deployment.chain_id,
            campaigns: deployment.campaigns,
            registry: deployment.registry,
            first_block: deployment.block,
        };
        Self { path: home.join("chain.snapshot"), identity }
    }

    /// The snapshot, if there is one that can be used. Another file is set aside with a warning.
    pub(super) fn load(&self) -> Option<Snapshot> {
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                tracing::warn!("cannot read {}: {error}; the chain is read from its first block", self.path.display());
                return None;
            }
        };
        match self.read(file) {
            Ok(snapshot) => Some(snapshot),
            Err(unusable) => {
                self.set_aside(&unusable);
                None
            }
        }
    }

    /// Moves the file away from its place, for the reason.
    pub(super) fn set_aside(&self, reason: impl std::fmt::Display) {
        let aside = self.path.with_extension("snapshot.unusable");
        let moved = match fs::rename(&self.path, &aside) {
            Ok(()) => format!("it is now {}", aside.display()),
            Err(error) => format!("it cannot be moved: {error}"),
        };
        tracing::warn!(
            "the snapshot of the chain {} is not used: {reason}; {moved}; the chain is read from its first block",
            self.path.display()
        );
    }

    /// Replaces the snapshot.
    pub(super) fn write(&self, snapshot: &Snapshot) -> Result<(), FileError> {
        files::write_atomic_with(&self.path, Access::Private, |file| {
            let mut out = BufWriter::new(Hashed::new(file));
            out.write_all(MAGIC)?;
            let head = (&self.identity, snapshot.block, snapshot.hash);
            form().serialize_into(&mut out, &head).map_err(|error| io_error(*error))?;
            form().serialize_into(&mut out, &snapshot.world).map_err(|error| io_error(*error))?;
            let Hashed { inner, hash } = out.into_inner()?;
            inner.write_all(hash.finalize().as_slice())
        })
    }

    fn read(&self, file: File) -> Result<Snapshot, Unusable> {
        let length = file.metadata()?.len();
        let content = length.checked_sub(CHECKSUM).ok_or("it is too short")?;
        // No list in the file is longer than the file, whatever damage says.
        let form = || form().with_limit(length);
        let mut input = BufReader::new(Hashed::new(file.take(content)));
        let mut magic = [0; MAGIC.len()];
        input.read_exact(&mut magic)?;
        if magic != *MAGIC {
            return Err("it is not a snapshot".into());
        }
        let (identity, block, hash): (Identity, u64, B256) = form().deserialize_from(&mut input)?;
        if identity != self.identity {
            return Err(Unusable::Foreign);
        }
        let world = form().deserialize_from(&mut input)?;
        if input.read(&mut [0])? != 0 {
            return Err("something follows the campaigns".into());
        }
        let Hashed { inner, hash: computed } = input.into_inner();
        let mut checksum = [0; CHECKSUM as usize];
        inner.into_inner().read_exact(&mut checksum)?;
        if computed.finalize() != checksum {
            return Err("its checksum is wrong".into());
        }
        Ok(Snapshot { block, hash, world })
    }
}

/// Small numbers take one byte. What follows is read by the next call.
fn form() -> impl Options {
    bincode::DefaultOptions::new().allow_trailing_bytes()
}

fn io_error(error: bincode::ErrorKind) -> io::Error {
    match error {
        bincode::ErrorKind::Io(error) => error,
        error => io::Error::other(error),
    }
}

/// Hashes what passes.
struct Hashed<T> {
    inner: T,
    hash: Keccak256,
}

impl<T> Hashed<T> {
    fn new(inner: T) -> Self {
        Self { inner, hash: Keccak256::new() }
    }
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hash.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(bytes)?;
        self.hash.update(&bytes[..read]);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Barrier, thread};

    use sonar_contracts::{CloseReason, Outcome, Terms};
    use sonar_protocol::{
        event::{CapsuleChange, Event, Head, LogPosition, Record},
        handover::{Handover, Published},
        ids::{CampaignId, Digest, Version, WindowIndex},
        terms::CampaignTerms,
        units::{Amount, Timestamp},
    };
    use syft::Ppm;

    use super::*;

    const DEPLOYMENT: Deployment = Deployment {
        chain_id: 7,
        campaigns: Address::repeat_byte(1),
        registry: Address::repeat_byte(2),
        datacoin: Address::repeat_byte(3),
        block: 10,
    };

    /// A world in which every part of the fold has something.
    fn snapshot() -> Snapshot {
        let (id, miner) = (CampaignId::from([1; 32]), Address::repeat_byte(5));
        let [first, second] = [2, 3].map(|byte| Published {
            material: Digest([byte; 32]),
            root: B256::repeat_byte(byte),
            handover: B256::repeat_byte(byte),
        });
        let handover = Handover {
            root: B256::repeat_byte(2),
            commitment: B256::repeat_byte(6),
            point: B256::repeat_byte(7),
            ciphertext: B256::repeat_byte(8),
        };
        let terms = Terms {
            owner: Address::repeat_byte(9),
            bounty: u128::MAX,
            submissionStake: 1_000,
            targetPpm: 950_000,
            gridPpm: 5_000,
            windowSize: 2,
            maxSubmissions: 10,
            maxAccepts: 4,
            windowSeconds: 60,
            deadline: 1_900_000_000,
            ..Terms::default()
        };
        let terms = CampaignTerms::try_from(terms).unwrap();
        let submitted = |version, window, index, byte| Event::Submitted {
            id,
            miner,
            version: Version(version),
            window: WindowIndex(window),
            index,
            content: Digest([byte; 32]),
        };
        let awarded = Event::Awarded {
            id,
            miner,
            window: WindowIndex(0),
            index: 0,
            delta_ppm: Ppm::of(45, 100),
            amount: Amount::from(1_000_000_000_000_000_000_u128),
        };
        let settled = Event::Settled {
            id,
            window: WindowIndex(0),
            version: Version(1),
            outcomes: vec![Outcome::Accepted(110), Outcome::Rejected(4)],
            best_ppm: Ppm::of(55, 100),
            next: Some(second),
        };
        let described = CapsuleChange::Described {
            attester: Address::repeat_byte(11),
            fingerprint: B256::repeat_byte(12),
            certificate: Digest([13; 32]),
            endpoint: "http://capsule.example".into(),
            fee_ppm: Ppm::of(1, 100),
        };
        let operator = Address::repeat_byte(10);
        let events = [
            Event::Capsule { operator, change: described },
            Event::Capsule { operator, change: CapsuleChange::Deposited(Amount::from(5_u128)) },
            Event::Opened { id, terms: Box::new(terms.clone()) },
            Event::Opened { id: CampaignId::from([4; 32]), terms: Box::new(terms) },
            Event::Activated { id, start_ppm: Ppm::of(1, 10), first },
            submitted(1, 0, 0, 20),
            submitted(1, 0, 1, 21),
            awarded,
            settled,
            submitted(2, 1, 0, 22),
            Event::Closed { id, reason: CloseReason::Owner, refunded: Amount::from(7_u128) },
            Event::Finalized { id, result: Digest([23; 32]), handovers: vec![handover] },
            Event::Convicted { id, version: Version(2), amount: Amount::from(1_u128) },
        ];
        let (mut world, began) = (World::default(), Timestamp::from_unix(1_800_000_000));
        for (index, event) in (0..).zip(events) {
            let at = LogPosition {
                block: 20 + index,
                block_hash: B256::repeat_byte(30),
                timestamp: began.plus(index),
                transaction: B256::repeat_byte(31),
                index,
            };
            world.apply(&Record { at, event }).unwrap();
        }
        world.head = Head { number: 100, hash: B256::repeat_byte(32), now: began.plus(100_u64) };
        Snapshot { block: 40, hash: B256::repeat_byte(33), world }
    }

    fn names(home: &Path) -> Vec<String> {
        let entries = fs::read_dir(home).unwrap();
        let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_world_survives_its_file() {
        let home = tempfile::tempdir().unwrap();
        let file = SnapshotFile::new(home.path(), &DEPLOYMENT);
        assert_eq!(file.load(), None);
        file.write(&snapshot()).unwrap();
        assert_eq!(file.load(), Some(snapshot()));
        assert_eq!(names(home.path()), ["chain.snapshot"]);
    }

    /// Whoever changes the form of the world, or of what is in it, must count `FORM` up: a program must not misread what another
    /// wrote.
    #[test]
    fn the_form_is_the_one_that_its_number_names() {
        let bytes = form().serialize(&snapshot().world).unwrap();
        let hash = alloy::primitives::keccak256(&bytes).to_string();
        assert_eq!((FORM, hash.as_str()), (1, "0x28425bd822997d6a5d9df62dbe2351fb7ec88ebe5e1d3508a780f091b70dbc4f"));
    }

    #[test]
    fn damage_of_any_byte_is_noticed_and_the_file_is_set_aside() {
        let home = tempfile::tempdir().unwrap();
        let file = SnapshotFile::new(home.path(), &DEPLOYMENT);
        file.write(&snapshot()).unwrap();
        let good = fs::read(&file.path).unwrap();
        let flipped = (0..good.len()).map(|at| {
            let mut bytes = good.clone();
            bytes[at] ^= 0x55;
            bytes
        });
        let cut = (0..good.len()).step_by(7).map(|length| good[..length].to_vec());
        let longer = [[&good[..], &[0]].concat()];
        for (case, bytes) in flipped.chain(cut).chain(longer).enumerate() {
            fs::write(&file.path, &bytes).unwrap();
            assert_eq!(file.load(), None, "case {case}");
            assert_eq!(names(home.path()), ["chain.snapshot.unusable"], "case {case}");
        }
    }

    #[test]
    fn a_snapshot_of_another_deployment_is_not_used() {
        let home = tempfile::tempdir().unwrap();
        let others = [
            Deployment { chain_id: 8, ..DEPLOYMENT },
            Deployment { campaigns: Address::repeat_byte(4), ..DEPLOYMENT },
            Deployment { registry: Address::repeat_byte(4), ..DEPLOYMENT },
            Deployment { block: 11, ..DEPLOYMENT },
        ];
        for other in others {
            SnapshotFile::new(home.path(), &DEPLOYMENT).write(&snapshot()).unwrap();
            assert_eq!(SnapshotFile::new(home.path(), &other).load(), None, "{other:?}");
            assert_eq!(names(home.path()), ["chain.snapshot.unusable"]);
        }
        let mut newer = SnapshotFile::new(home.path(), &DEPLOYMENT);
        newer.write(&snapshot()).unwrap();
        newer.identity.version = "another".into();
        assert_eq!(newer.load(), None);
    }

    #[test]
    fn writers_at_the_same_time_leave_a_whole_snapshot() {
        let home = tempfile::tempdir().unwrap();
        let file = SnapshotFile::new(home.path(), &DEPLOYMENT);
        let start = Barrier::new(4);
        thread::scope(|scope| {
            for block in 1..=4 {
                let (file, start) = (&file, &start);
                scope.spawn(move || {
                    let snapshot = Snapshot { block, ..snapshot() };
                    start.wait();
                    for _ in 0..20 {
                        file.write(&snapshot).unwrap();
                        let read = file.load().unwrap();
                        assert_eq!(Snapshot { block, ..read }, snapshot);
                    }
                });
            }
        });
        assert_eq!(names(home.path()), ["chain.snapshot"]);
    }
}
