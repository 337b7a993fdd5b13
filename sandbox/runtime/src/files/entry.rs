use std::path::Path;

use rustix::fs::{FileType, Stat};
use serde::Serialize;
use time::OffsetDateTime;
use time::macros::format_description;

use super::workspace::Relative;

/// What is said of a file. What is not UTF-8 in a name is replaced, and cannot be asked for then.
#[derive(Debug, Serialize)]
pub(crate) struct Entry {
    name: String,
    /// Relative to the workspace.
    path: String,
    r#type: &'static str,
    /// In bytes.
    size: u64,
    /// ISO 8601 in UTC, as everywhere in the API; null where the year has more than four digits.
    modified_at: Option<String>,
}

impl Entry {
    pub(super) fn new(path: &Relative, stat: &Stat) -> Self {
        let path = path.as_path();
        Self {
            name: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            path: text(path),
            r#type: match FileType::from_raw_mode(stat.st_mode) {
                FileType::RegularFile => "file",
                FileType::Directory => "directory",
                FileType::Symlink => "symlink",
                _ => "other",
            },
            size: u64::try_from(stat.st_size).unwrap_or_default(),
            modified_at: iso(stat),
        }
    }
}

pub(super) fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

fn iso(stat: &Stat) -> Option<String> {
    let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    let nanos = i128::from(stat.st_mtime) * 1_000_000_000 + i128::from(stat.st_mtime_nsec);
    OffsetDateTime::from_unix_timestamp_nanos(nanos).ok()?.format(format).ok()
}
