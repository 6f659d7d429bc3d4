//! Blocks and pins in a directory.
//!
//! ```text
//! lock                  locked by the process that uses the directory
//! blocks/<xx>/<id>      one file per block; `xx` are the last two digits of its SHA-256, `id` is all of it
//! pins/<id>             one file per pinned root: the SHA-256 of every block of its tree
//! tmp/                  files being written; emptied at the start
//! ```
//!
//! Every file gets its name by a rename, so it is complete or absent. Pinned blocks are synced before, so they survive
//! a power failure. Other blocks may then be lost or damaged. So a block is checked whenever it is read, and a damaged
//! one is removed. The index of blocks is in memory.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    fs::{self, File, TryLockError},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use cid::Cid;

use crate::{
    block::{Block, BlockId},
    proto::Malformed,
    unixfs,
};

/// Maximum number of blocks of a pinned tree: a million leaves of 256 KiB.
const TREE_LIMIT: usize = 1 << 20;

/// A failure of the block store.
#[derive(Debug, thiserror::Error)]
pub enum BlockStoreError {
    /// Another process uses the directory.
    #[error("another process uses {}", .0.display())]
    InUse(PathBuf),
    /// A file operation failed.
    #[error("cannot {action} {}: {source}", path.display())]
    File {
        /// The attempted operation.
        action: &'static str,
        /// Path of the file.
        path: PathBuf,
        /// The system's error.
        #[source]
        source: io::Error,
    },
    /// A block of the tree is missing.
    #[error("block {0} is missing")]
    Missing(BlockId),
    /// The tree is not that of a file.
    #[error("block {id} does not belong to a file: {reason}")]
    Malformed {
        /// The block.
        id: BlockId,
        /// What is wrong.
        reason: Malformed,
    },
}

fn failed<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> BlockStoreError + use<'a> {
    move |source| BlockStoreError::File { action, path: path.to_owned(), source }
}

/// An open directory of blocks and pins. Its methods block on the disk unless documented otherwise.
#[derive(Debug)]
pub struct BlockStore {
    directory: PathBuf,
    index: Mutex<Index>,
    temporary: AtomicU64,
    /// Closed with the store, which releases the lock.
    _lock: File,
}

/// Index of the directory.
#[derive(Debug, Default)]
struct Index {
    blocks: HashMap<BlockId, Entry>,
    bytes: u64,
    pins: BTreeMap<BlockId, Arc<[BlockId]>>,
    /// For each block of a pinned tree, the number of trees that contain it.
    pinned: HashMap<BlockId, u32>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    size: u32,
    /// When the block was last stored.
    since: SystemTime,
}

impl Index {
    fn insert(&mut self, id: BlockId, entry: Entry) {
        if let Some(before) = self.blocks.insert(id, entry) {
            self.bytes -= u64::from(before.size);
        }
        self.bytes += u64::from(entry.size);
    }

    fn remove(&mut self, id: BlockId) {
        if let Some(entry) = self.blocks.remove(&id) {
            self.bytes -= u64::from(entry.size);
        }
    }

    fn pin(&mut self, root: BlockId, tree: Arc<[BlockId]>) {
        self.unpin(root);
        tree.iter().for_each(|id| *self.pinned.entry(*id).or_default() += 1);
        self.pins.insert(root, tree);
    }

    fn unpin(&mut self, root: BlockId) {
        for id in self.pins.remove(&root).iter().flat_map(|tree| tree.iter()) {
            let count = self.pinned.get_mut(id).expect("a block of a pinned tree is counted");
            *count -= 1;
            if *count == 0 {
                self.pinned.remove(id);
            }
        }
    }

    fn is_garbage(&self, id: BlockId, age: Duration, now: SystemTime) -> bool {
        let is_old = |entry: &Entry| now.duration_since(entry.since).is_ok_and(|since| since >= age);
        !self.pinned.contains_key(&id) && self.blocks.get(&id).is_some_and(is_old)
    }
}

/// Statistics of a store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Number of blocks, pinned or not.
    pub blocks: u64,
    /// Total size of the blocks in bytes.
    pub bytes: u64,
}

impl BlockStore {
    /// Opens a directory exclusively; creates it if it is missing.
    ///
    /// # Errors
    /// If another process uses it, or it cannot be read or written.
    pub fn open(directory: &Path) -> Result<Self, BlockStoreError> {
        for part in ["blocks", "pins", "tmp"] {
            let path = directory.join(part);
            fs::create_dir_all(&path).map_err(failed("create", &path))?;
        }
        let path = directory.join("lock");
        let lock = File::create(&path).map_err(failed("create", &path))?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => BlockStoreError::InUse(directory.to_owned()),
            TryLockError::Error(source) => failed("lock", &path)(source),
        })?;
        remove_all(&directory.join("tmp"))?;
        let mut index = Index::default();
        for shard in entries(&directory.join("blocks"))? {
            for file in entries(&shard)? {
                // Other files are ignored.
                let Some(id) = id_of(&file) else { continue };
                let metadata = fs::metadata(&file).map_err(failed("read", &file))?;
                let size = u32::try_from(metadata.len()).unwrap_or(u32::MAX);
                index.insert(id, Entry { size, since: metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH) });
            }
        }
        for file in entries(&directory.join("pins"))? {
            let Some(id) = id_of(&file) else { continue };
            let bytes = fs::read(&file).map_err(failed("read", &file))?;
            let (tree, rest) = bytes.as_chunks::<32>();
            if tree.is_empty() || !rest.is_empty() {
                tracing::warn!(file = %file.display(), "a pin is damaged and ignored; pin the artefact again");
                continue;
            }
            index.pin(id, tree.iter().copied().map(BlockId).collect());
        }
        Ok(Self {
            directory: directory.to_owned(),
            index: Mutex::new(index),
            temporary: AtomicU64::new(0),
            _lock: lock,
        })
    }

    fn index(&self) -> MutexGuard<'_, Index> {
        // A panic cannot leave a partial change of the index.
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn block_path(&self, id: BlockId) -> PathBuf {
        let name = id.to_string();
        self.directory.join("blocks").join(&name[62..]).join(name)
    }

    fn pin_path(&self, root: BlockId) -> PathBuf {
        self.directory.join("pins").join(root.to_string())
    }

    /// The size of a stored block in bytes. Does not block.
    pub fn size(&self, id: BlockId) -> Option<u32> {
        self.index().blocks.get(&id).map(|entry| entry.size)
    }

    /// Statistics of the store. Does not block.
    pub fn totals(&self) -> Totals {
        let index = self.index();
        Totals { blocks: index.blocks.len() as u64, bytes: index.bytes }
    }

    /// Reads a block, if it is stored and undamaged.
    pub fn get(&self, id: BlockId) -> Result<Option<Block>, BlockStoreError> {
        if self.size(id).is_none() {
            return Ok(None);
        }
        let path = self.block_path(id);
        let block = match fs::read(&path) {
            Ok(bytes) => Some(Block::new(bytes)).filter(|block| block.id() == id),
            // Removed meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(failed("read", &path)(error)),
        };
        if block.is_none() {
            let mut index = self.index();
            index.remove(id);
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed("remove", &path)(error)),
                _ => tracing::warn!(%id, "removed a damaged block"),
            }
        }
        Ok(block)
    }

    /// Stores a block, at least until the next [`BlockStore::collect`].
    pub fn put(&self, block: &Block) -> Result<(), BlockStoreError> {
        let entry = Entry { size: u32::try_from(block.bytes().len()).unwrap_or(u32::MAX), since: SystemTime::now() };
        if let Some(known) = self.index().blocks.get_mut(&block.id()) {
            known.since = entry.since;
            return Ok(());
        }
        let temporary = self.write_temporary(block.bytes())?;
        let path = self.block_path(block.id());
        let shard = path.parent().expect("a block is in a shard");
        fs::create_dir_all(shard).map_err(failed("create", shard))?;
        // Under the lock, so that a concurrent collection removes only the old file, or nothing.
        let mut index = self.index();
        fs::rename(&temporary, &path).map_err(failed("write", &path))?;
        index.insert(block.id(), entry);
        Ok(())
    }

    fn write_temporary(&self, bytes: &[u8]) -> Result<PathBuf, BlockStoreError> {
        let number = self.temporary.fetch_add(1, Ordering::Relaxed);
        let path = self.directory.join("tmp").join(number.to_string());
        let written = File::create(&path).and_then(|mut file| file.write_all(bytes));
        if let Err(error) = written {
            // A full disk is the likely reason, so remove the file. The first error matters more than another.
            let _ = fs::remove_file(&path);
            return Err(failed("write", &path)(error));
        }
        Ok(path)
    }

    /// Pins a tree whose blocks are all stored, durably. Idempotent.
    pub fn pin(&self, root: &Cid) -> Result<(), BlockStoreError> {
        let id = BlockId::from_cid(root).ok_or(BlockStoreError::Malformed {
            id: BlockId([0; 32]),
            reason: Malformed("its name is not a SHA-256"),
        })?;
        if self.is_pinned(id) {
            return Ok(());
        }
        self.keep(id, self.tree(root)?)
    }

    /// Pins a tree of these blocks.
    pub fn keep(&self, root: BlockId, tree: Vec<BlockId>) -> Result<(), BlockStoreError> {
        let mut shards = BTreeSet::new();
        for &id in &tree {
            let path = self.block_path(id);
            sync(&path)?;
            shards.extend(path.parent().map(Path::to_owned));
        }
        shards.insert(self.directory.join("blocks"));
        shards.iter().try_for_each(|shard| sync(shard))?;

        let temporary = self.write_temporary(&tree.iter().flat_map(|id| id.0).collect::<Vec<u8>>())?;
        sync(&temporary)?;
        let path = self.pin_path(root);
        let mut index = self.index();
        // A collection may have run since the tree was read.
        if let Some(&missing) = tree.iter().find(|id| !index.blocks.contains_key(id)) {
            return Err(BlockStoreError::Missing(missing));
        }
        fs::rename(&temporary, &path).map_err(failed("write", &path))?;
        index.pin(root, tree.into());
        drop(index);
        sync(&self.directory.join("pins"))
    }

    /// All blocks of a file, each once.
    fn tree(&self, root: &Cid) -> Result<Vec<BlockId>, BlockStoreError> {
        let mut tree = Vec::new();
        let mut seen = HashSet::new();
        let mut next = vec![*root];
        while let Some(cid) = next.pop() {
            let malformed = |reason| BlockStoreError::Malformed { id: BlockId::of(&cid.to_bytes()), reason };
            let id = BlockId::from_cid(&cid).ok_or(malformed(Malformed("a link is not a SHA-256")))?;
            if !seen.insert(id) {
                continue;
            }
            if tree.len() == TREE_LIMIT {
                return Err(malformed(Malformed("the tree has more than 2^20 blocks")));
            }
            tree.push(id);
            let block = self.get(id)?.ok_or(BlockStoreError::Missing(id))?;
            let node = unixfs::decode(cid.codec(), block.bytes());
            next.extend(node.map_err(|reason| BlockStoreError::Malformed { id, reason })?.links);
        }
        Ok(tree)
    }

    /// Unpins a tree; succeeds if it is not pinned.
    pub fn unpin(&self, root: BlockId) -> Result<(), BlockStoreError> {
        let path = self.pin_path(root);
        let mut index = self.index();
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("remove", &path)(error)),
            _ => {
                index.unpin(root);
                Ok(())
            }
        }
    }

    /// Whether a tree is pinned by its root. Does not block.
    pub fn is_pinned(&self, root: BlockId) -> bool {
        self.index().pins.contains_key(&root)
    }

    /// The roots of all pinned trees. Does not block.
    pub fn pins(&self) -> Vec<BlockId> {
        self.index().pins.keys().copied().collect()
    }

    /// Removes blocks that belong to no pinned tree and were stored more than `age` ago: younger blocks may be parts of
    /// a file that is still being fetched. Returns their number.
    pub fn collect(&self, age: Duration, now: SystemTime) -> Result<usize, BlockStoreError> {
        let garbage: Vec<BlockId> = {
            let index = self.index();
            index.blocks.keys().copied().filter(|id| index.is_garbage(*id, age, now)).collect()
        };
        let mut removed = 0;
        for id in garbage {
            let path = self.block_path(id);
            // One block at a time, so that no other caller waits for long. It may have been stored again or pinned
            // since.
            let mut index = self.index();
            if !index.is_garbage(id, age, now) {
                continue;
            }
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed("remove", &path)(error)),
                _ => index.remove(id),
            }
            removed += 1;
        }
        Ok(removed)
    }
}

/// Syncs a file or a directory to disk.
fn sync(path: &Path) -> Result<(), BlockStoreError> {
    File::open(path).and_then(|file| file.sync_all()).map_err(failed("sync", path))
}

fn entries(directory: &Path) -> Result<Vec<PathBuf>, BlockStoreError> {
    let entries = fs::read_dir(directory).map_err(failed("list", directory))?;
    entries.map(|entry| entry.map(|entry| entry.path()).map_err(failed("list", directory))).collect()
}

fn remove_all(directory: &Path) -> Result<(), BlockStoreError> {
    entries(directory)?.iter().try_for_each(|file| fs::remove_file(file).map_err(failed("remove", file)))
}

/// The id of a block or root in a file name.
fn id_of(file: &Path) -> Option<BlockId> {
    let name = file.file_name()?.to_str()?;
    let (digits, rest) = name.as_bytes().as_chunks::<2>();
    let digits: &[[u8; 2]; 32] = digits.try_into().ok()?;
    let mut id = [0; 32];
    for (byte, digits) in id.iter_mut().zip(digits) {
        *byte = u8::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()?;
    }
    rest.is_empty().then_some(BlockId(id))
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::{block::DAG_PB, unixfs::CHUNK};

    fn store() -> (TempDir, BlockStore) {
        let directory = tempfile::tempdir().unwrap();
        let store = BlockStore::open(directory.path()).unwrap();
        (directory, store)
    }

    fn reopened(directory: &TempDir, store: BlockStore) -> BlockStore {
        drop(store);
        BlockStore::open(directory.path()).unwrap()
    }

    /// Stores a file of several blocks.
    fn file(store: &BlockStore, seed: u8) -> (Cid, BlockId) {
        let content: Vec<u8> = (0..CHUNK * 2 + 9).map(|i| (i / CHUNK) as u8 ^ seed).collect();
        let root = unixfs::encode(&content, |block| store.put(&block)).unwrap();
        (root.to_cid(DAG_PB), root)
    }

    const NO_AGE: Duration = Duration::ZERO;

    fn later() -> SystemTime {
        SystemTime::now() + Duration::from_secs(1)
    }

    #[test]
    fn blocks_and_pins_outlive_the_process() {
        let (directory, store) = store();
        let (cid, root) = file(&store, 1);
        store.pin(&cid).unwrap();
        store.pin(&cid).unwrap();
        let totals = store.totals();
        assert_eq!(totals.blocks, 4, "three leaves and a root");
        let store = reopened(&directory, store);
        assert_eq!((store.totals(), store.pins()), (totals, vec![root]));
        assert_eq!(store.get(root).unwrap().unwrap().id(), root);
        store.unpin(root).unwrap();
        store.unpin(root).unwrap();
        let store = reopened(&directory, store);
        assert!(!store.is_pinned(root));
    }

    #[test]
    fn a_collection_keeps_what_is_pinned_or_young() {
        let (_directory, store) = store();
        let ((kept, _), (shared, root)) = (file(&store, 1), file(&store, 2));
        let loose = Block::new(&b"loose"[..]);
        store.put(&loose).unwrap();
        store.pin(&kept).unwrap();
        store.pin(&shared).unwrap();
        let before = store.totals();
        assert_eq!(store.collect(Duration::from_secs(3600), later()).unwrap(), 0, "it is young");
        assert_eq!(store.collect(NO_AGE, later()).unwrap(), 1);
        assert!(store.get(loose.id()).unwrap().is_none());
        assert_eq!(store.totals().blocks, before.blocks - 1);
        // The first leaf of one file is the second of the other: it stays as long as either is pinned.
        store.unpin(root).unwrap();
        let removed = store.collect(NO_AGE, later()).unwrap();
        assert!(removed > 0);
        assert!(store.tree(&kept).is_ok());
        assert!(matches!(store.tree(&shared), Err(BlockStoreError::Missing(_))));
    }

    #[test]
    fn a_tree_that_is_not_all_here_is_not_pinned() {
        let (_directory, store) = store();
        let (cid, root) = file(&store, 1);
        let leaf = store.tree(&cid).unwrap().pop().unwrap();
        fs::remove_file(store.block_path(leaf)).unwrap();
        assert!(matches!(store.pin(&cid), Err(BlockStoreError::Missing(missing)) if missing == leaf));
        assert!(!store.is_pinned(root));
    }

    #[test]
    fn a_damaged_block_is_as_if_it_had_never_been_here() {
        let (directory, store) = store();
        let block = Block::new(&b"some bytes"[..]);
        store.put(&block).unwrap();
        fs::write(store.block_path(block.id()), b"other bytes").unwrap();
        let store = reopened(&directory, store);
        assert!(store.get(block.id()).unwrap().is_none());
        assert_eq!((store.size(block.id()), store.totals()), (None, Totals::default()));
        store.put(&block).unwrap();
        assert_eq!(store.get(block.id()).unwrap().unwrap(), block);
    }

    #[test]
    fn leftovers_and_foreign_files_do_not_matter() {
        let (directory, store) = store();
        let (cid, root) = file(&store, 1);
        store.pin(&cid).unwrap();
        fs::write(directory.path().join("tmp/17"), b"half a bl").unwrap();
        fs::write(directory.path().join("pins/README"), b"hello").unwrap();
        fs::write(directory.path().join("pins").join(BlockId([1; 32]).to_string()), b"not 32 bytes").unwrap();
        let store = reopened(&directory, store);
        assert_eq!(store.pins(), [root]);
        assert_eq!(fs::read_dir(directory.path().join("tmp")).unwrap().count(), 0);
    }

    #[test]
    fn a_directory_has_one_user() {
        let (directory, store) = store();
        let error = BlockStore::open(directory.path()).unwrap_err();
        assert!(matches!(&error, BlockStoreError::InUse(path) if path == directory.path()), "{error}");
        reopened(&directory, store);
    }
}
