use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat, openat2};
use rustix::io::Errno;

use crate::failure::Failure;

/// How often a path is resolved again that something else changes at the same time.
const TRIES: usize = 32;

/// The folder that the runtime was started in. Whatever is opened is opened through it, and the kernel itself sees to
/// it that neither `..` nor a link leads out while it resolves a path (`RESOLVE_BENEATH` of openat2(2)), whoever changes
/// folders and links at the same time.
#[derive(Debug)]
pub(crate) struct Workspace {
    root: OwnedFd,
    location: PathBuf,
}

/// A path below the workspace as somebody wrote it. It may still lead out; opening it finds that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Relative(PathBuf);

impl Workspace {
    pub(crate) fn open(location: PathBuf) -> std::io::Result<Self> {
        let folder = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self { root: openat(CWD, &location, folder, Mode::empty())?, location })
    }

    /// Reads a path as clients give it: relative to the workspace, or absolute and below it.
    pub(super) fn path(&self, given: &str) -> Result<Relative, Failure> {
        if given.contains('\0') {
            return Err(Failure::invalid("query.path", "contains a NUL"));
        }
        let given = Path::new(given);
        let relative = if given.is_absolute() {
            given.strip_prefix(&self.location).map_err(|_| super::refused(Errno::XDEV))?
        } else {
            given
        };
        Ok(Relative(relative.components().filter(|it| !matches!(it, Component::CurDir)).collect()))
    }

    /// Opens what is there, through links that stay in the workspace. It neither makes anything nor waits for anybody at
    /// the other end of a pipe.
    pub(super) fn file(&self, path: &Relative) -> Result<OwnedFd, Errno> {
        self.resolve(path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY)
    }

    /// Opens a folder to look into it.
    pub(super) fn folder(&self, path: &Relative) -> Result<OwnedFd, Errno> {
        self.resolve(path, OFlags::RDONLY | OFlags::DIRECTORY)
    }

    /// Opens a folder to reach what is in it.
    pub(super) fn place(&self, path: &Relative) -> Result<OwnedFd, Errno> {
        self.resolve(path, OFlags::PATH | OFlags::DIRECTORY)
    }

    fn resolve(&self, path: &Relative, flags: OFlags) -> Result<OwnedFd, Errno> {
        let inside = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        let open = || openat2(&self.root, path.as_path(), flags | OFlags::CLOEXEC, Mode::empty(), inside);
        // The kernel gives up where a `..` meets a rename at the same time, anywhere in the system.
        let settled = |opened: &Result<_, Errno>| !matches!(opened, Err(Errno::AGAIN | Errno::INTR));
        std::iter::repeat_with(open).take(TRIES).find(settled).unwrap_or(Err(Errno::AGAIN))
    }
}

impl Relative {
    /// The workspace itself.
    pub(super) fn root() -> Self {
        Self(PathBuf::new())
    }

    /// The folder `uploads`.
    pub(super) fn uploads() -> Self {
        Self(PathBuf::from("uploads"))
    }

    /// `.` for the workspace itself.
    pub(super) fn as_path(&self) -> &Path {
        if self.0.as_os_str().is_empty() { Path::new(".") } else { &self.0 }
    }

    pub(super) fn below(&self, name: impl AsRef<Path>) -> Self {
        Self(self.0.join(name))
    }

    /// Where it is and what it is called there; a path that ends in `..`, and the workspace, have no name.
    pub(super) fn split(&self) -> Option<(Self, &std::ffi::OsStr)> {
        Some((Self(self.0.parent()?.to_owned()), self.0.file_name()?))
    }
}
