//! Snapshots: the fold of the contracts' events up to a block, in a file, so that a program does not read everything
//! from the first block at each start.
//!
//! A snapshot is only a cache: it is used only if it is complete, of the right contracts, written by this version of
//! the program, and if its block is still on the chain. Otherwise it is renamed, and everything is read again.
//!
//! ```text
//! magic | header: form, program version, subject, block and its hash | world | keccak256 of all before
//! ```

use std::{
    fs::{self, File},
    io::{self, BufReader, BufWriter, Read, Write},
    path::PathBuf,
};

use alloy::primitives::{B256, Keccak256};
use bincode::Options;
use serde::{Deserialize, Serialize};
use sonar_protocol::view::World;

use crate::files::{self, Access, FileError};

const MAGIC: &[u8; 8] = b"sonarsnp";
/// Version of the format of [`World`] and of the header. A test fails if the format changes and this does not.
const FORM: u32 = 4;
/// Length in bytes of the hash at the end.
const CHECKSUM: u64 = 32;

/// The world at a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Number of the last block in it.
    pub block: u64,
    /// Its hash.
    pub hash: B256,
    /// State of all campaigns at that block.
    pub world: World,
}

/// The file of a program's snapshot.
#[derive(Clone, Debug)]
pub struct SnapshotFile {
    path: PathBuf,
    identity: SnapshotIdentity,
}

/// Header of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct SnapshotIdentity {
    form: u32,
    version: String,
    subject: String,
}

/// Why a snapshot cannot be used.
#[derive(Debug, thiserror::Error)]
enum Unusable {
    #[error("it is damaged: {0}")]
    Damaged(&'static str),
    #[error("it is damaged: {0}")]
    Form(#[from] bincode::Error),
    #[error("it cannot be read: {0}")]
    File(#[from] io::Error),
    #[error("it belongs to other contracts, another account, or another version of this program")]
    Foreign,
}

impl From<&'static str> for Unusable {
    fn from(reason: &'static str) -> Self {
        Self::Damaged(reason)
    }
}

impl SnapshotFile {
    /// `subject` identifies the content of the world completely: a snapshot with another subject is not used.
    #[must_use]
    pub fn new(path: PathBuf, subject: String) -> Self {
        let identity = SnapshotIdentity { form: FORM, version: env!("CARGO_PKG_VERSION").into(), subject };
        Self { path, identity }
    }

    /// Reads the snapshot, if it is usable. An unusable file is renamed with a warning.
    pub fn load(&self) -> Option<Snapshot> {
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                tracing::warn!("cannot read {}: {error}; reading everything from the first block", self.path.display());
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

    /// Renames an unusable file and logs the reason.
    pub fn set_aside(&self, reason: impl std::fmt::Display) {
        let aside = self.path.with_extension("snapshot.unusable");
        let moved = match fs::rename(&self.path, &aside) {
            Ok(()) => format!("it was renamed to {}", aside.display()),
            Err(error) => format!("it cannot be renamed: {error}"),
        };
        tracing::warn!(
            "the snapshot {} is not used: {reason}; {moved}; reading everything from the first block",
            self.path.display()
        );
    }

    /// Replaces the snapshot.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, snapshot: &Snapshot) -> Result<(), FileError> {
        files::write_atomic_with(&self.path, Access::Private, |file| {
            let mut out = BufWriter::new(HashingStream::new(file));
            out.write_all(MAGIC)?;
            let head = (&self.identity, snapshot.block, snapshot.hash);
            form().serialize_into(&mut out, &head).map_err(|error| io_error(*error))?;
            form().serialize_into(&mut out, &snapshot.world).map_err(|error| io_error(*error))?;
            let HashingStream { inner, hash } = out.into_inner()?;
            inner.write_all(hash.finalize().as_slice())
        })
    }

    fn read(&self, file: File) -> Result<Snapshot, Unusable> {
        let length = file.metadata()?.len();
        let content = length.checked_sub(CHECKSUM).ok_or("it is too short")?;
        // No list in the file is longer than the file, even if a damaged length claims so.
        let form = || form().with_limit(length);
        let mut input = BufReader::new(HashingStream::new(file.take(content)));
        let mut magic = [0; MAGIC.len()];
        input.read_exact(&mut magic)?;
        if magic != *MAGIC {
            return Err("it is not a snapshot".into());
        }
        let (identity, block, hash): (SnapshotIdentity, u64, B256) = form().deserialize_from(&mut input)?;
        if identity != self.identity {
            return Err(Unusable::Foreign);
        }
        let world = form().deserialize_from(&mut input)?;
        if input.read(&mut [0])? != 0 {
            return Err("there are extra bytes after the campaigns".into());
        }
        let HashingStream { inner, hash: computed } = input.into_inner();
        let mut checksum = [0; CHECKSUM as usize];
        inner.into_inner().read_exact(&mut checksum)?;
        if computed.finalize() != checksum {
            return Err("its checksum is wrong".into());
        }
        Ok(Snapshot { block, hash, world })
    }
}

/// Small numbers take one byte. The rest is read by the next call.
fn form() -> impl Options {
    bincode::DefaultOptions::new().allow_trailing_bytes()
}

fn io_error(error: bincode::ErrorKind) -> io::Error {
    match error {
        bincode::ErrorKind::Io(error) => error,
        error => io::Error::other(error),
    }
}

/// Hashes everything that is written or read through it.
struct HashingStream<T> {
    inner: T,
    hash: Keccak256,
}

impl<T> HashingStream<T> {
    fn new(inner: T) -> Self {
        Self { inner, hash: Keccak256::new() }
    }
}

impl<W: Write> Write for HashingStream<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hash.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<R: Read> Read for HashingStream<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(bytes)?;
        self.hash.update(&bytes[..read]);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use std::{path::Path, sync::Barrier, thread};

    use alloy::primitives::Address;
    use sonar_contracts::{CloseReason, Outcome, Terms};
    use sonar_protocol::{
        event::{CapsuleChange, CapsuleLimits, Event, Head, LogPosition, Record},
        handover::{Handover, Published},
        ids::{CampaignId, Digest, Version, WindowIndex},
        terms::CampaignTerms,
        units::{Amount, Timestamp},
    };
    use syft::Ppm;

    use super::*;

    fn file(home: &Path) -> SnapshotFile {
        SnapshotFile::new(home.join("chain.snapshot"), "chain 7".into())
    }

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
            window_start: B256::repeat_byte(33),
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
            Event::Capsule { operator, change: CapsuleChange::Limited(CapsuleLimits::default()) },
            Event::Capsule {
                operator,
                change: CapsuleChange::TokenChosen {
                    token: Address::ZERO,
                    accepted: true,
                    least_fee: Amount::from(6_u128),
                },
            },
            Event::Opened { id, terms: Box::new(terms.clone()), window_start: B256::repeat_byte(32) },
            Event::Opened { id: CampaignId::from([4; 32]), terms: Box::new(terms), window_start: B256::ZERO },
            Event::Activated { id, start_ppm: Ppm::of(1, 10), first, certificate: Digest([34; 32]) },
            submitted(1, 0, 0, 20),
            submitted(1, 0, 1, 21),
            awarded,
            Event::Charged {
                id,
                window: WindowIndex(0),
                to_capsule: Amount::from(2_u128),
                burned: Amount::from(3_u128),
            },
            settled,
            submitted(2, 1, 0, 22),
            Event::Closed { id, reason: CloseReason::Owner, refunded: Amount::from(7_u128) },
            Event::Finalized { id, result: Digest([23; 32]), handovers: vec![handover] },
            Event::Convicted {
                id,
                version: Version(2),
                refunded: Amount::from(1_u128),
                compensation: Amount::from(1_u128),
            },
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
        let file = file(home.path());
        assert_eq!(file.load(), None);
        file.write(&snapshot()).unwrap();
        assert_eq!(file.load(), Some(snapshot()));
        assert_eq!(names(home.path()), ["chain.snapshot"]);
    }

    /// When the format of the world or of its parts changes, increase `FORM`, so that a program does not misread the
    /// file of another version.
    #[test]
    fn the_form_is_the_one_that_its_number_names() {
        let bytes = form().serialize(&snapshot().world).unwrap();
        let hash = alloy::primitives::keccak256(&bytes).to_string();
        assert_eq!((FORM, hash.as_str()), (4, "0x5f66a91b64fc8bc5a863244fdb8dea944b835f555aacceee521da7d850b26ff6"));
    }

    #[test]
    fn damage_of_any_byte_is_noticed_and_the_file_is_set_aside() {
        let home = tempfile::tempdir().unwrap();
        let file = file(home.path());
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
    fn a_snapshot_of_something_else_is_not_used() {
        let home = tempfile::tempdir().unwrap();
        let ours = file(home.path());
        let mut others = [ours.clone(), ours.clone(), ours.clone()];
        others[0].identity.subject = "chain 8".into();
        others[1].identity.version = "another".into();
        others[2].identity.form += 1;
        for other in others {
            ours.write(&snapshot()).unwrap();
            assert_eq!(other.load(), None, "{other:?}");
            assert_eq!(names(home.path()), ["chain.snapshot.unusable"]);
        }
    }

    #[test]
    fn writers_at_the_same_time_leave_a_whole_snapshot() {
        let home = tempfile::tempdir().unwrap();
        let file = file(home.path());
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
