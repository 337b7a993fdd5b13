//! What tasks have said, kept for a while after their end: `<data>/logs/<task id>/<container>.log`.

use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use modbox_sidecar::LogLine;
use tokio::task::spawn_blocking;

use crate::ecs::Said;

/// The logs of so many tasks are kept; the oldest give way.
const KEPT: usize = 100;

/// The folder that holds the logs of all tasks that have ended.
pub(crate) fn folder(data: &Path) -> PathBuf {
    data.join("logs")
}

/// What a container of an ended task has said, oldest first; none where that is not known any more.
pub(crate) async fn read(data: &Path, task_id: &str, container: &str) -> io::Result<Option<Vec<Said>>> {
    if !is_plain(task_id) || !is_plain(container) {
        return Ok(None);
    }
    let folder = folder(data).join(task_id);
    let container = container.to_owned();
    spawn_blocking(move || read_in(&folder, &container)).await.map_err(io::Error::other)?
}

/// What the container whose log is in the folder has said; none where it has said nothing.
pub(crate) fn read_in(folder: &Path, container: &str) -> io::Result<Option<Vec<Said>>> {
    let lines = LogLine::read_all(&folder.join(format!("{container}.log")))?;
    Ok((!lines.is_empty()).then(|| lines.into_iter().map(said).collect()))
}

/// Whether it is a name that leads nowhere else.
pub(crate) fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

pub(crate) fn said(line: LogLine) -> Said {
    let mut text = line.log;
    if text.ends_with('\n') {
        text.pop();
    }
    Said { at: line.time, text }
}

/// Keeps what the containers of a task have said.
pub(crate) async fn write(data: &Path, task_id: &str, logs: Vec<(String, Vec<LogLine>)>) -> io::Result<()> {
    if !is_plain(task_id) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the task's id is no folder's name"));
    }
    let (all, task_id) = (folder(data), task_id.to_owned());
    let written = spawn_blocking(move || write_now(&all, &task_id, &logs));
    written.await.map_err(io::Error::other)?
}

fn write_now(all: &Path, task_id: &str, logs: &[(String, Vec<LogLine>)]) -> io::Result<()> {
    let folder = all.join(task_id);
    DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
    for (container, lines) in logs.iter().filter(|(container, _)| is_plain(container)) {
        let mut text = Vec::new();
        for line in lines {
            serde_json::to_writer(&mut text, line)?;
            text.push(b'\n');
        }
        let path = folder.join(format!("{container}.log"));
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
        file.write_all(&text)?;
    }
    give_way(all);
    Ok(())
}

/// Removes the oldest where there are more than are kept.
pub(crate) fn give_way(all: &Path) {
    let Ok(entries) = fs::read_dir(all) else { return };
    let aged = |entry: fs::DirEntry| Some((entry.metadata().ok()?.modified().ok()?, entry.path()));
    let mut folders: Vec<_> = entries.flatten().filter_map(aged).collect();
    folders.sort();
    let surplus = folders.len().saturating_sub(KEPT);
    for (_, folder) in folders.into_iter().take(surplus) {
        // Another end may have removed it.
        let _ = fs::remove_dir_all(folder);
    }
}

#[cfg(test)]
mod tests {
    use modbox_sandbox::Timestamp;
    use modbox_sidecar::Stream;

    use super::*;

    fn hello() -> Vec<(String, Vec<LogLine>)> {
        let (time, stream) = (Timestamp::from_millis(5), Stream::Stdout);
        vec![("main".to_owned(), vec![LogLine { log: "hello\n".to_owned(), stream, time }])]
    }

    #[tokio::test]
    async fn what_is_kept_is_read_back() {
        let data = tempfile::tempdir().unwrap();
        write(data.path(), "a1", hello()).await.unwrap();
        let said = read(data.path(), "a1", "main").await.unwrap().unwrap();
        assert_eq!((said[0].text.as_str(), said[0].at.millis()), ("hello", 5));
        for (task_id, container) in
            [("a1", "ready"), ("a2", "main"), ("../logs/a1", "main"), ("a1", "./main")]
        {
            assert_eq!(read(data.path(), task_id, container).await.unwrap(), None);
        }
        assert!(write(data.path(), "../a1", hello()).await.is_err());
    }

    #[test]
    fn the_logs_of_the_hundred_that_ended_last_are_kept() {
        let data = tempfile::tempdir().unwrap();
        for number in 0..=KEPT {
            write_now(data.path(), &format!("task{number}"), &hello()).unwrap();
        }
        assert_eq!(fs::read_dir(data.path()).unwrap().count(), KEPT);
        assert!(!data.path().join("task0").exists());
    }
}
