use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{AtFlags, Mode, OFlags, Stat, fchmod, fstat, mkdirat, openat, renameat, unlinkat};
use rustix::io::Errno;
use tokio::fs::File;
use tokio::io::AsyncWriteExt;

use super::workspace::{Relative, Workspace};
use super::{failed, refused};
use crate::failure::Failure;

const PREFIX: &str = ".modbox-upload-";
const EVERYBODY_READS: Mode = Mode::from_raw_mode(0o644);

/// A file of `uploads` that is not whole yet, under a name of its own. It is gone when this is dropped before it was put
/// in its place.
#[derive(Debug)]
pub(super) struct Partial {
    uploads: OwnedFd,
    /// None: it is in its place.
    name: Option<String>,
    file: File,
}

/// Whether a name is one that files have while they are uploaded.
pub(super) fn is_partial(name: &OsStr) -> bool {
    name.as_bytes().starts_with(PREFIX.as_bytes())
}

impl Partial {
    /// Makes `uploads` too where it is missing.
    pub(super) fn create(workspace: &Workspace) -> Result<Self, Failure> {
        let uploads = uploads(workspace)?;
        let (name, file) = create_in(&uploads).map_err(failed)?;
        let partial = Self { uploads, name: Some(name), file: File::from_std(std::fs::File::from(file)) };
        // Whatever the umask is.
        fchmod(&partial.file, EVERYBODY_READS).map_err(failed)?;
        Ok(partial)
    }

    pub(super) async fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.file.write_all(bytes).await.map_err(|error| not_written(&error))
    }

    /// Waits until all is written.
    pub(super) async fn finish(&mut self) -> Result<(), Failure> {
        self.file.flush().await.map_err(|error| not_written(&error))
    }

    /// Gives it its name, in one step: whoever looks sees what was there before or all of this.
    pub(super) fn place(mut self, name: &str) -> Result<Stat, Failure> {
        let stat = fstat(&self.file).map_err(failed)?;
        if let Some(partial) = self.name.as_deref() {
            renameat(&self.uploads, partial, &self.uploads, name).map_err(|errno| match errno {
                Errno::ISDIR | Errno::NOTEMPTY | Errno::EXIST => {
                    Failure::Conflict("a folder in `uploads` has this name")
                }
                Errno::NOENT => Failure::Conflict("`uploads` was deleted meanwhile"),
                errno => failed(errno),
            })?;
        }
        self.name = None;
        Ok(stat)
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if let Some(name) = self.name.take() {
            // Where it fails, its folder is gone, or we may not; there is nobody to tell.
            let _ = unlinkat(&self.uploads, name, AtFlags::empty());
        }
    }
}

fn uploads(workspace: &Workspace) -> Result<OwnedFd, Failure> {
    let path = Relative::uploads();
    let root = workspace.place(&Relative::root()).map_err(refused)?;
    match mkdirat(&root, path.as_path(), Mode::from_raw_mode(0o755)) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(Errno::ACCESS | Errno::PERM | Errno::ROFS) => {
            return Err(Failure::Forbidden("the workspace may not be written to"));
        }
        Err(errno) => return Err(failed(errno)),
    }
    workspace.place(&path).map_err(|errno| match errno {
        Errno::XDEV | Errno::LOOP | Errno::NOTDIR | Errno::NOENT => {
            Failure::Conflict("`uploads` is not a folder of the workspace")
        }
        errno => refused(errno),
    })
}

/// Under a name that is free.
fn create_in(uploads: &OwnedFd) -> Result<(String, OwnedFd), Errno> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    loop {
        let name = format!("{PREFIX}{}", NEXT.fetch_add(1, Ordering::Relaxed));
        match openat(uploads, &name, flags, EVERYBODY_READS) {
            Err(Errno::EXIST) => {}
            opened => return opened.map(|file| (name, file)),
        }
    }
}

fn not_written(error: &std::io::Error) -> Failure {
    failed(Errno::from_io_error(error).unwrap_or(Errno::IO))
}
