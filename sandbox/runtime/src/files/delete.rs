//! `DELETE /modbox/api/files`: takes a file away, or a folder with all that is in it.

use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use rustix::fs::{AtFlags, Dir, Mode, OFlags, openat, unlinkat};
use rustix::io::Errno;

use super::query::Parameters;
use super::workspace::{Relative, Workspace};
use super::{on_disk, refused};
use crate::Runtime;
use crate::failure::Failure;

/// The most folders in each other; each is open while the next is emptied.
const DEEPEST: usize = 256;

/// A link is deleted itself, not what it leads to.
pub(crate) async fn delete(
    State(runtime): State<Arc<Runtime>>,
    parameters: Parameters,
) -> Result<StatusCode, Failure> {
    let workspace = runtime.workspace.clone();
    let path = parameters.path(&workspace)?;
    let recursive = parameters.flag("recursive")?;
    on_disk(move || remove(&workspace, &path, recursive)).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn remove(workspace: &Workspace, path: &Relative, recursive: bool) -> Result<(), Failure> {
    let nameless = || Failure::invalid("query.path", "does not end in a name");
    let (place, name) = path.split().ok_or_else(nameless)?;
    let place = workspace.place(&place).map_err(refused)?;
    match unlinkat(&place, name, AtFlags::empty()) {
        Ok(()) => Ok(()),
        Err(Errno::ISDIR) if recursive => remove_folder(place.as_fd(), name, DEEPEST),
        Err(Errno::ISDIR) => Err(Failure::invalid("query.recursive", "must be true to delete a folder")),
        Err(errno) => Err(refused(errno)),
    }
}

/// Follows no link at any step, whoever swaps in one meanwhile.
fn remove_folder(place: BorrowedFd<'_>, name: &OsStr, deeper: usize) -> Result<(), Failure> {
    if deeper == 0 {
        return Err(Failure::Conflict("the folder has too many folders in each other"));
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let folder = openat(place, name, flags, Mode::empty()).map_err(refused)?;
    let mut folder = Dir::new(folder).map_err(refused)?;
    while let Some(entry) = folder.read() {
        let entry = entry.map_err(refused)?;
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        if name == "." || name == ".." {
            continue;
        }
        let folder = folder.fd().map_err(refused)?;
        match unlinkat(folder, name, AtFlags::empty()) {
            Err(Errno::ISDIR) => remove_folder(folder, name, deeper - 1)?,
            // Somebody else was quicker.
            Ok(()) | Err(Errno::NOENT) => {}
            Err(errno) => return Err(refused(errno)),
        }
    }
    unlinkat(place, name, AtFlags::REMOVEDIR).map_err(refused)
}
