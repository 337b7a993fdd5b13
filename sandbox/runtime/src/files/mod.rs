//! `/modbox/api/files`: uploads, lists, downloads and deletes files of the workspace, and nothing beyond it.

mod delete;
mod download;
mod entry;
mod list;
mod name;
mod partial;
mod query;
mod upload;
mod workspace;

use rustix::io::Errno;
use tokio::task::spawn_blocking;

use crate::failure::Failure;
pub(crate) use delete::delete;
pub(crate) use download::download;
pub(crate) use list::list;
pub(crate) use upload::upload;
pub(crate) use workspace::Workspace;

/// Does on another thread what may wait for a disk, since this one has everybody to serve. It goes on to its end when
/// the client goes.
async fn on_disk<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let lost = |_| Failure::FileSystem("what was begun is lost".to_owned());
    spawn_blocking(work).await.map_err(lost)?
}

/// What the system's no to a path means. Where it says that the path leads out, nothing was opened.
fn refused(errno: Errno) -> Failure {
    let path = |issue: &str| Failure::invalid("query.path", issue);
    match errno {
        Errno::NOENT | Errno::NOTDIR => Failure::NotFound,
        Errno::XDEV => path("leads out of the workspace"),
        Errno::LOOP => path("goes through too many links, or through one that is not followed"),
        Errno::NAMETOOLONG => path("is too long"),
        Errno::NXIO => path("is not a file that can be read"),
        Errno::ACCESS | Errno::PERM | Errno::ROFS => Failure::Forbidden("the file system does not allow it"),
        Errno::AGAIN | Errno::NOTEMPTY | Errno::BUSY => {
            Failure::Conflict("what is at this path is in use or changes all the time")
        }
        errno => failed(errno),
    }
}

/// What the system's no to a write means.
fn failed(errno: Errno) -> Failure {
    match errno {
        Errno::NOSPC | Errno::DQUOT | Errno::FBIG => Failure::NoRoom,
        errno => Failure::FileSystem(std::io::Error::from(errno).kind().to_string()),
    }
}
