//! Atomic file operations: a file has either its old or its new content, whatever happens.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, FileTypeExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

/// A failed file operation.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {}: {source}", path.display())]
pub struct FileError {
    /// The attempted operation.
    pub action: &'static str,
    /// Path of the file.
    pub path: PathBuf,
    /// The system's error.
    #[source]
    pub source: io::Error,
}

impl FileError {
    /// Creates the error, for `map_err`.
    pub fn new(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self { action, path, source }
    }
}

/// An output file exists already.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} exists already and is not overwritten", .0.display())]
pub struct FileExists(pub PathBuf);

/// Checks that writing an output file loses nothing: the file does not exist, or already has this content.
///
/// # Errors
/// When the file has other content.
pub fn check_overwrite(path: &Path, content: &[u8]) -> Result<(), FileExists> {
    let is_same = || {
        let is_as_long = fs::metadata(path).is_ok_and(|found| found.is_file() && found.len() == content.len() as u64);
        is_as_long && fs::read(path).is_ok_and(|found| found == content)
    };
    if !path.exists() || is_same() { Ok(()) } else { Err(FileExists(path.to_owned())) }
}

/// Read permission of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Only the owner.
    Private,
    /// Everybody.
    Public,
}

/// Replaces a file in one step, and syncs it to disk before returning.
///
/// # Errors
/// Names the file and the failed operation.
pub fn write_atomic(path: &Path, bytes: &[u8], access: Access) -> Result<(), FileError> {
    write_atomic_with(path, access, |file| file.write_all(bytes))
}

/// The same for content that is too large for memory: `write` gets the file that will replace the one at `path`.
///
/// # Errors
/// As [`write_atomic`], and the errors of `write`.
pub fn write_atomic_with(
    path: &Path,
    access: Access,
    write: impl FnOnce(&mut File) -> io::Result<()>,
) -> Result<(), FileError> {
    // Threads of one process may also write the same file at the same time.
    static WRITES: AtomicU64 = AtomicU64::new(0);
    let Some(name) = path.file_name() else {
        let source = io::Error::new(io::ErrorKind::IsADirectory, "it is a directory; choose a file");
        return Err(FileError::new("write", path)(source));
    };
    let mut name = name.to_owned();
    name.push(format!(".{}.{}{TEMPORARY}", std::process::id(), WRITES.fetch_add(1, Ordering::Relaxed)));
    let temporary = path.with_file_name(name);
    let mode = match access {
        Access::Private => 0o600,
        Access::Public => 0o644,
    };
    let written = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(mode)
        .open(&temporary)
        .and_then(|mut file| {
            write(&mut file)?;
            file.sync_all()
        })
        .and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        // Removal of the half-written file is best effort; the first error matters more.
        let _ = fs::remove_file(&temporary);
    }
    written.map_err(FileError::new("write", path))?;
    sync_directory(path)
}

/// Ending of the files that [`write_atomic`] writes before it renames them.
pub const TEMPORARY: &str = ".tmp";

/// Removes what killed processes were writing in a directory. Where `/proc` does not list the living processes, no other
/// process may be writing there.
///
/// # Errors
/// Names the directory or file. A directory that does not exist is empty.
pub fn remove_temporaries(directory: &Path) -> Result<(), FileError> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(FileError::new("list", directory))?,
    };
    for entry in entries {
        let path = entry.map_err(FileError::new("list", directory))?.path();
        if writer(&path).is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            fs::remove_file(&path).map_err(FileError::new("remove", &path))?;
        }
    }
    Ok(())
}

/// The process that was or is writing a temporary file.
fn writer(path: &Path) -> Option<&str> {
    path.file_name()?.to_str()?.strip_suffix(TEMPORARY)?.rsplit('.').nth(1)
}

/// A rename is durable only after the directory is synced.
fn sync_directory(path: &Path) -> Result<(), FileError> {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => {
            File::open(parent).and_then(|directory| directory.sync_all()).map_err(FileError::new("sync", parent))
        }
        _ => Ok(()),
    }
}

/// Creates a directory, with its parents, that only its owner may enter.
///
/// # Errors
/// Names the directory.
pub fn private_directory(path: &Path) -> Result<(), FileError> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(FileError::new("create", path))
}

/// Checks that a path is a plain file.
fn check_plain(path: &Path) -> io::Result<()> {
    let kind = fs::metadata(path)?.file_type();
    if kind.is_file() {
        return Ok(());
    }
    let (error, what) = if kind.is_dir() {
        (io::ErrorKind::IsADirectory, "a directory")
    } else if kind.is_fifo() {
        (io::ErrorKind::Unsupported, "a pipe")
    } else if kind.is_socket() {
        (io::ErrorKind::Unsupported, "a socket")
    } else {
        (io::ErrorKind::Unsupported, "a device")
    };
    Err(io::Error::new(error, format!("it is {what}; choose a file")))
}

/// Reads a file that must not be larger than `limit` bytes. Pipes and devices are refused, because opening one may
/// block forever.
///
/// # Errors
/// Names the file.
pub fn read_limited(path: &Path, limit: u64) -> Result<Vec<u8>, FileError> {
    check_plain(path).map_err(FileError::new("read", path))?;
    read_stream(path, limit)
}

/// Reads a file or a pipe, such as `<(pass show mine)` or `/dev/stdin`, to its end, which must come before `limit` bytes.
///
/// # Errors
/// Names the file.
pub fn read_stream(path: &Path, limit: u64) -> Result<Vec<u8>, FileError> {
    use io::Read;
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(limit.saturating_add(1)).read_to_end(&mut bytes))
        .and_then(|_| {
            if bytes.len() as u64 > limit {
                Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it is larger than {limit} bytes")))
            } else {
                Ok(())
            }
        })
        .map_err(FileError::new("read", path))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Code, Failure};
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_file_is_replaced_whole_and_kept_private() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secret");
        write_atomic(&path, b"one", Access::Private).unwrap();
        write_atomic(&path, b"two", Access::Private).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn only_files_are_read() {
        let directory = tempfile::tempdir().unwrap();
        let pipe = directory.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let socket = directory.path().join("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let link = directory.path().join("link");
        std::os::unix::fs::symlink(&pipe, &link).unwrap();
        let others = [
            (directory.path(), "a directory"),
            (&pipe, "a pipe"),
            (&link, "a pipe"),
            (&socket, "a socket"),
            (Path::new("/dev/zero"), "a device"),
        ];
        for (path, what) in others {
            let error = read_limited(path, 10).unwrap_err();
            assert_eq!(error.to_string(), format!("cannot read {}: it is {what}; choose a file", path.display()));
            assert_eq!(Failure::from(error).code, Code::FileRefused, "{what}");
        }
        let link = directory.path().join("good");
        fs::write(directory.path().join("file"), "content").unwrap();
        std::os::unix::fs::symlink("file", &link).unwrap();
        assert_eq!(read_limited(&link, 10).unwrap(), b"content");
    }

    #[test]
    fn a_pipe_is_read_where_one_is_expected() {
        let directory = tempfile::tempdir().unwrap();
        let pipe = directory.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let writer = std::thread::spawn({
            let pipe = pipe.clone();
            move || fs::write(pipe, "a phrase\n").unwrap()
        });
        assert_eq!(read_stream(&pipe, 9).unwrap(), b"a phrase\n");
        writer.join().unwrap();
        let error = read_stream(Path::new("/dev/zero"), 9).unwrap_err();
        assert_eq!(Failure::from(error).code, Code::FileRefused);
    }

    #[test]
    fn a_directory_is_not_written_over() {
        let directory = tempfile::tempdir().unwrap();
        for path in [directory.path(), &directory.path().join(".."), Path::new("/")] {
            let error = write_atomic(path, b"one", Access::Public).unwrap_err();
            assert_eq!(Failure::from(error).code, Code::FileRefused, "{}", path.display());
        }
        assert!(directory.path().is_dir());
    }

    #[test]
    fn only_the_same_content_may_be_written_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("model");
        check_overwrite(&path, b"one").unwrap();
        fs::write(&path, "one").unwrap();
        check_overwrite(&path, b"one").unwrap();
        for other in [&b"two"[..], b"on", b"one more", b""] {
            assert_eq!(check_overwrite(&path, other), Err(FileExists(path.clone())));
        }
        assert!(check_overwrite(directory.path(), b"one").is_err());
    }

    #[test]
    fn failures_name_the_file() {
        let error = write_atomic(Path::new("/nowhere/at/all"), b"", Access::Public).unwrap_err();
        assert!(error.to_string().contains("/nowhere/at/all"));
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("large");
        fs::write(&path, [0; 11]).unwrap();
        assert!(read_limited(&path, 10).is_err());
        assert_eq!(read_limited(&path, 11).unwrap().len(), 11);
    }
}
