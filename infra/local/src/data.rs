//! The data folder: one program at a time, in one format.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

/// What the folder's files are written as; another number is another program's.
const FORMAT: &str = "1";

/// How long a program that was killed may seem to hold its lock.
const LOCKED_AT_MOST: Duration = Duration::from_secs(1);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Why a data folder cannot be used; each says what to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("failed to use the data folder {folder}: {source}; choose another with --data")]
    Unusable { folder: String, source: io::Error },
    #[error("another modbox-local uses the data folder {0}; stop it, or choose another folder with --data")]
    Locked(String),
    #[error(
        "the data folder {folder} is of format {found:?}, and this modbox-local knows only {FORMAT}; \
         run the version that wrote it, or choose another folder with --data"
    )]
    Format { folder: String, found: String },
}

impl Error {
    pub(crate) fn of(folder: &Path, source: io::Error) -> Self {
        Self::Unusable { folder: folder.display().to_string(), source }
    }
}

/// A data folder that is ours until this is dropped, however the program ends.
pub(crate) struct Data {
    folder: PathBuf,
    _lock: File,
}

impl Data {
    /// Absolute, so that it stays the same wherever a task is started.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }
}

/// Writes a file that only its owner may read. What was there is replaced as a whole, so that nobody ever reads half of
/// it, not even after the program was killed meanwhile.
pub(crate) fn write_whole(path: &Path, text: &str) -> io::Result<()> {
    let unfinished = path.with_added_extension("new");
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(unfinished, path)
}

/// Opens the folder, or makes it, readable by its owner alone.
pub(crate) fn open(path: &Path) -> Result<Data, Error> {
    let unusable = |source| Error::of(path, source);
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(unusable)?;
    let folder = path.canonicalize().map_err(unusable)?;
    let lock = File::create(folder.join("lock")).map_err(unusable)?;
    if !hold(&lock).map_err(unusable)? {
        return Err(Error::Locked(folder.display().to_string()));
    }
    check_format(&folder)?;
    Ok(Data { folder, _lock: lock })
}

/// Waits for the lock for a moment: a process that a program was starting when it was killed holds the lock too, until it
/// has become another program. Once the lock is held here, each such process has, and is found by its environment.
fn hold(lock: &File) -> io::Result<bool> {
    let until = Instant::now() + LOCKED_AT_MOST;
    loop {
        match lock.try_lock() {
            Ok(()) => return Ok(true),
            Err(TryLockError::WouldBlock) if Instant::now() < until => thread::sleep(LOOK_AGAIN),
            Err(TryLockError::WouldBlock) => return Ok(false),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
}

/// Marks a folder that says nothing: a new one, or one from before formats were marked, which is the first.
fn check_format(folder: &Path) -> Result<(), Error> {
    let unusable = |source| Error::of(folder, source);
    let mark = folder.join("format");
    match fs::read_to_string(&mark) {
        Ok(text) if text.trim() == FORMAT => Ok(()),
        Ok(text) => {
            let found = text.trim().chars().take(32).collect();
            Err(Error::Format { folder: folder.display().to_string(), found })
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            tracing::info!(folder = %folder.display(), "preparing the data folder: keys, token and table");
            write_whole(&mark, &format!("{FORMAT}\n")).map_err(unusable)
        }
        Err(error) => Err(unusable(error)),
    }
}
