//! What tasks have said: in their folders as long as they have one, and kept for a while after that.

use std::{
    fs::{self, DirBuilder},
    io,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use super::scratch::Scratch;
use crate::{ecs::Said, kept_logs};

/// What the container has said, oldest first; none where there is no log of it.
pub(super) fn read(tasks: &Path, task_id: &str, container: &str) -> io::Result<Option<Vec<Said>>> {
    if !kept_logs::is_plain(task_id) || !kept_logs::is_plain(container) {
        return Ok(None);
    }
    let scratch = Scratch::at(tasks.join(task_id));
    // In this order: a log that is kept meanwhile is found in the second place.
    let places = [Some(scratch.logs()), kept(&scratch)];
    for place in places.into_iter().flatten() {
        if let Some(said) = kept_logs::read_in(&place, container)? {
            return Ok(Some(said));
        }
    }
    Ok(None)
}

/// Moves the logs out of a task's folder, which is about to be removed. What cannot be moved goes with it.
pub(super) fn keep(scratch: &Scratch) {
    let Some(kept) = kept(scratch) else { return };
    let Some(all) = kept.parent() else { return };
    // That it is there already is no fault, and where it cannot be the next step fails.
    let _ = DirBuilder::new().mode(0o700).create(all);
    if fs::rename(scratch.logs(), &kept).is_ok() {
        // Of no use to anybody any more; and the folder's time becomes that of the end, by which the oldest is told.
        let _ = fs::remove_file(kept.join(Scratch::SIDECAR_LOG));
        kept_logs::give_way(all);
    }
}

/// `<data>/logs/<task id>`, where the task's folder is `<data>/tasks/<task id>`.
fn kept(scratch: &Scratch) -> Option<PathBuf> {
    let folder = scratch.folder();
    Some(kept_logs::folder(folder.parent()?.parent()?).join(folder.file_name()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = r#"{"log":"hello\n","stream":"stdout","time":"2027-01-15T08:00:00.123Z"}"#;

    /// The folder of a task that has said hello.
    fn scratch(data: &Path, task_id: &str) -> Scratch {
        let scratch = Scratch::at(data.join("tasks").join(task_id));
        fs::create_dir_all(scratch.logs()).unwrap();
        fs::write(scratch.log("main"), format!("{LINE}\n")).unwrap();
        fs::write(scratch.sidecar_log(), "").unwrap();
        scratch
    }

    fn lines(data: &Path, task_id: &str) -> usize {
        read(&data.join("tasks"), task_id, "main").unwrap().map_or(0, |said| said.len())
    }

    #[test]
    fn a_log_outlives_its_task() {
        let data = tempfile::tempdir().unwrap();
        let scratch = scratch(data.path(), "a1");
        assert_eq!(lines(data.path(), "a1"), 1);
        keep(&scratch);
        assert!(!scratch.logs().exists());
        let said = read(&data.path().join("tasks"), "a1", "main").unwrap().unwrap();
        assert_eq!((said[0].text.as_str(), said[0].at.millis()), ("hello", 1_800_000_000_123));
    }

    #[test]
    fn no_name_leads_out_of_the_folder() {
        let data = tempfile::tempdir().unwrap();
        scratch(data.path(), "a1");
        for (task_id, container) in
            [("..", "main"), ("a1/../a1", "main"), ("", "main"), ("a1", "../logs/main"), ("a1", "")]
        {
            assert_eq!(read(&data.path().join("tasks"), task_id, container).unwrap(), None);
        }
    }
}
