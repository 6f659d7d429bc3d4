//! The directory that a local network writes to. Only one process at a time may use it, and only a directory that an earlier
//! network made is ever cleared.

use std::{
    fs::{self, File, TryLockError},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

/// File that marks a directory as ours. The process that uses the directory locks it and writes its process id into the
/// first line.
const MARKER: &str = ".sonar-localnet";

/// Why a directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// The directory has other files.
    #[error("{} is not empty and was not made by localnet: choose another --out", .0.display())]
    NotOurs(PathBuf),
    /// A local network is running there.
    #[error(
        "{} is in use by the local network of process {pid}: stop it (Ctrl-C, or `kill {pid}`), or choose another --out",
        .path.display()
    )]
    InUse {
        /// The directory.
        path: PathBuf,
        /// The process; a question mark if it has not written it yet.
        pid: String,
    },
    /// A file could not be read or written.
    #[error("cannot write {}: {source}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
}

/// A directory that is locked for this process until this is dropped.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    // The operating system frees the lock when the file is closed, however the process ends.
    _lock: File,
}

impl Directory {
    /// Locks a directory, and clears it. It must be missing, empty, or made by a local network.
    ///
    /// # Errors
    /// When it has other files, or a local network uses it; then nothing in it was changed.
    pub fn claim(path: &Path) -> Result<Self, DirectoryError> {
        let path = std::path::absolute(path).map_err(file(path))?;
        let marker = path.join(MARKER);
        fs::create_dir_all(&path).map_err(file(&path))?;
        if !marker.exists() && entries(&path)?.next().is_some() {
            return Err(DirectoryError::NotOurs(path));
        }
        // Not truncated before it is locked, because it may belong to another process.
        let open = File::options().create(true).truncate(false).write(true).open(&marker);
        let mut lock = open.map_err(file(&marker))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(DirectoryError::InUse { pid: user(&marker), path }),
            Err(TryLockError::Error(error)) => return Err(file(&marker)(error)),
        }
        let text = format!("{}\nMade by localnet, which clears this directory when it starts.\n", std::process::id());
        lock.set_len(0).and_then(|()| lock.write_all(text.as_bytes())).map_err(file(&marker))?;
        for entry in entries(&path)?.filter(|entry| *entry != marker) {
            let removed = if entry.is_dir() && !entry.is_symlink() {
                fs::remove_dir_all(&entry)
            } else {
                fs::remove_file(&entry)
            };
            removed.map_err(file(&entry))?;
        }
        Ok(Self { path, _lock: lock })
    }

    /// Its absolute path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Kind of content of a directory.
fn entries(path: &Path) -> Result<impl Iterator<Item = PathBuf>, DirectoryError> {
    let read = || fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>();
    Ok(read().map_err(file(path))?.into_iter())
}

/// Id of the process that uses a directory.
fn user(marker: &Path) -> String {
    let text = fs::read_to_string(marker).unwrap_or_default();
    let pid = text.lines().next().filter(|line| line.parse::<u32>().is_ok());
    pid.unwrap_or("?").to_owned()
}

fn file(path: &Path) -> impl FnOnce(io::Error) -> DirectoryError {
    let path = path.to_owned();
    move |source| DirectoryError::File { path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_in_use_is_not_cleared() {
        let out = tempfile::tempdir().unwrap();
        let path = out.path().join("localnet");
        let running = Directory::claim(&path).unwrap();
        fs::create_dir(path.join("homes")).unwrap();
        fs::write(path.join("homes/key"), "secret").unwrap();

        let refused = Directory::claim(&path).unwrap_err().to_string();
        assert!(refused.contains(&path.display().to_string()), "{refused}");
        assert!(refused.contains(&format!("kill {}", std::process::id())), "{refused}");
        assert_eq!(fs::read_to_string(path.join("homes/key")).unwrap(), "secret");

        drop(running);
        let _again = Directory::claim(&path).unwrap();
        assert!(!path.join("homes").exists(), "cleared for the next network");
    }

    #[test]
    fn what_no_local_network_made_is_not_cleared() {
        let out = tempfile::tempdir().unwrap();
        fs::write(out.path().join("thesis.tex"), "years of work").unwrap();
        assert!(matches!(Directory::claim(out.path()), Err(DirectoryError::NotOurs(_))));
        assert_eq!(entries(out.path()).unwrap().count(), 1);
    }
}
