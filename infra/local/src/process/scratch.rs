use std::{
    fs::{self, DirBuilder, Permissions},
    io,
    net::Ipv4Addr,
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
};

use tokio::task::spawn_blocking;

use super::logs;

/// The folder of one task, which nobody else may enter.
///
/// It holds `workspace`, `logs`, `report`, and `address` and `sandbox`, by which what a task left is found after a crash.
#[derive(Clone, Debug)]
pub(super) struct Scratch {
    folder: PathBuf,
}

impl Scratch {
    /// Makes the folder; fails if it is there.
    pub(super) async fn create(
        tasks: &Path,
        id: &str,
        address: Ipv4Addr,
        sandbox: Option<&str>,
    ) -> io::Result<Self> {
        let scratch = Self::of(tasks, id)?;
        let (made, sandbox) = (scratch.clone(), sandbox.map(ToOwned::to_owned));
        let made = spawn_blocking(move || made.make(address, sandbox.as_deref())).await;
        made.map_err(io::Error::other)?.map(|()| scratch)
    }

    /// The one of a task, whether it is there or not.
    pub(super) fn of(tasks: &Path, id: &str) -> io::Result<Self> {
        // ECS makes the id; whoever else does must not reach beyond the folder.
        if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the task's id is no folder's name"));
        }
        Ok(Self::at(tasks.join(id)))
    }

    /// One that is there already.
    pub(super) fn at(folder: PathBuf) -> Self {
        Self { folder }
    }

    fn make(&self, address: Ipv4Addr, sandbox: Option<&str>) -> io::Result<()> {
        let mut private = DirBuilder::new();
        private.mode(0o700);
        if let Some(tasks) = self.folder.parent() {
            private.recursive(true).create(tasks)?;
        }
        private.recursive(false).create(&self.folder)?;
        private.create(self.workspace())?;
        private.create(self.logs())?;
        if let Some(sandbox) = sandbox {
            fs::write(self.sandbox_file(), sandbox)?;
        }
        fs::write(self.address_file(), address.to_string())
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn workspace(&self) -> PathBuf {
        self.folder.join("workspace")
    }

    pub(super) fn report(&self) -> PathBuf {
        self.folder.join("report")
    }

    pub(super) fn logs(&self) -> PathBuf {
        self.folder.join("logs")
    }

    /// What a container says, as [`LogLine`](modbox_sidecar::LogLine)s.
    pub(super) fn log(&self, container: &str) -> PathBuf {
        self.logs().join(format!("{container}.log"))
    }

    pub(super) const SIDECAR_LOG: &str = "sidecar";

    /// Why the sidecar did not start, as it said it.
    pub(super) fn sidecar_log(&self) -> PathBuf {
        self.logs().join(Self::SIDECAR_LOG)
    }

    /// The address of the task whose folder this is, if it came so far that it had one.
    pub(super) fn address(&self) -> Option<Ipv4Addr> {
        fs::read_to_string(self.address_file()).ok()?.parse().ok()
    }

    /// The id of the sandbox whose task it is, if it was told one.
    pub(super) fn sandbox(&self) -> Option<String> {
        fs::read_to_string(self.sandbox_file()).ok().filter(|id| !id.is_empty())
    }

    fn sandbox_file(&self) -> PathBuf {
        self.folder.join("sandbox")
    }

    fn address_file(&self) -> PathBuf {
        self.folder.join("address")
    }

    /// Removes the folder with all in it but the logs; a failure is logged, since the task's end must not wait for it.
    pub(super) async fn remove(&self) {
        let scratch = self.clone();
        let removed = spawn_blocking(move || scratch.remove_now()).await;
        if let Err(error) = removed.map_err(io::Error::other).flatten() {
            tracing::warn!(folder = %self.folder.display(), %error, "failed to remove a task's folder");
        }
    }

    pub(super) fn remove_now(&self) -> io::Result<()> {
        logs::keep(self);
        match fs::remove_dir_all(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                // The task may have closed folders of its own, which still are its owner's to open.
                open_folders(&self.folder)?;
                fs::remove_dir_all(&self.folder)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }
}

fn open_folders(root: &Path) -> io::Result<()> {
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        fs::set_permissions(&folder, Permissions::from_mode(0o700))?;
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            }
        }
    }
    Ok(())
}
