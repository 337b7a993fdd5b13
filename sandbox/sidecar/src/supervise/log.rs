use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use modbox_sandbox::Timestamp;
use serde::{Deserialize, Serialize};

use super::report::append;

/// A log that would grow beyond this many bytes is set aside, in place of the one set aside before.
pub const LOG_LIMIT: u64 = 5_000_000;

/// One line of a container's log file, in the form of Docker's json-file driver.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// With its line's end, unless it was cut for its length or never ended.
    pub log: String,
    pub stream: Stream,
    /// When it was read.
    #[serde(with = "moment")]
    pub time: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    Stdout,
    Stderr,
}

impl LogLine {
    /// The lines of a container's log, oldest first: of the file and of the one set aside before it. What cannot be
    /// read, such as a line that is being written, is left out; no file is no lines.
    pub fn read_all(path: &Path) -> io::Result<Vec<Self>> {
        let mut lines = Vec::new();
        for path in [set_aside(path), path.to_owned()] {
            let text = match fs::read(path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                text => text?,
            };
            let each = text.split(|byte| *byte == b'\n');
            lines.extend(each.filter_map(|line| serde_json::from_slice::<Self>(line).ok()));
        }
        Ok(lines)
    }
}

fn set_aside(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".1");
    name.into()
}

/// A log file being written. What goes wrong with it is no error: a full disk must not keep a task alive, nor end it.
#[derive(Debug)]
pub(crate) struct LogFile {
    path: PathBuf,
    limit: u64,
    open: Option<(File, u64)>,
}

impl LogFile {
    pub(crate) fn new(path: &Path) -> Self {
        Self::limited(path, LOG_LIMIT)
    }

    fn limited(path: &Path, limit: u64) -> Self {
        Self { path: path.to_owned(), limit, open: None }
    }

    /// Appends the lines with one write.
    pub(crate) fn append(&mut self, lines: &[LogLine]) {
        let mut text = Vec::new();
        for line in lines {
            // Text and numbers can always be written as JSON.
            let _ = serde_json::to_writer(&mut text, line);
            text.push(b'\n');
        }
        if !text.is_empty() && self.write(&text).is_err() {
            self.open = None;
        }
    }

    fn write(&mut self, text: &[u8]) -> io::Result<()> {
        let more = u64::try_from(text.len()).unwrap_or(u64::MAX);
        let (mut file, size) = match self.open.take() {
            Some(open) => open,
            None => self.reopen()?,
        };
        let mut size = size.saturating_add(more);
        if size > self.limit && size > more {
            fs::rename(&self.path, set_aside(&self.path))?;
            file = append(&self.path)?;
            size = more;
        }
        file.write_all(text)?;
        self.open = Some((file, size));
        Ok(())
    }

    fn reopen(&self) -> io::Result<(File, u64)> {
        let file = append(&self.path)?;
        let size = file.metadata()?.len();
        Ok((file, size))
    }
}

/// RFC 3339 in UTC with milliseconds.
mod moment {
    use modbox_sandbox::Timestamp;
    use serde::{Deserialize, Deserializer, Serializer, de, ser};
    use time::{OffsetDateTime, format_description::well_known::Rfc3339};

    pub(super) fn serialize<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(at.millis()) * 1_000_000);
        let text = at.map_err(ser::Error::custom)?.format(&Rfc3339).map_err(ser::Error::custom)?;
        serializer.serialize_str(&text)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        let text = String::deserialize(deserializer)?;
        let at = OffsetDateTime::parse(&text, &Rfc3339).map_err(de::Error::custom)?;
        let millis = at.unix_timestamp_nanos().div_euclid(1_000_000);
        i64::try_from(millis).map(Timestamp::from_millis).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(log: &str) -> LogLine {
        LogLine {
            log: log.to_owned(),
            stream: Stream::Stderr,
            time: Timestamp::from_millis(1_800_000_000_123),
        }
    }

    #[test]
    fn a_line_is_written_as_docker_writes_it() {
        let text = serde_json::to_string(&line("a \"b\"\n")).unwrap();
        assert_eq!(text, r#"{"log":"a \"b\"\n","stream":"stderr","time":"2027-01-15T08:00:00.123Z"}"#);
    }

    #[test]
    fn what_was_appended_is_read_back_and_what_is_damaged_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("main.log");
        assert_eq!(LogLine::read_all(&path).unwrap(), []);
        LogFile::new(&path).append(&[line("one\n"), line("two\n")]);
        append(&path).unwrap().write_all(b"{\"log\":\"ha\n\xff\n").unwrap();
        LogFile::new(&path).append(&[line("three")]);
        assert_eq!(LogLine::read_all(&path).unwrap(), [line("one\n"), line("two\n"), line("three")]);
    }

    #[test]
    fn a_full_log_is_set_aside_once_and_its_newest_lines_stay() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("main.log");
        let mut log = LogFile::limited(&path, 1_000);
        for number in 0..100 {
            log.append(&[line(&format!("{number}\n"))]);
        }
        let sizes: u64 =
            fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().metadata().unwrap().len()).sum();
        assert!(sizes <= 2_000, "{sizes}");
        let kept = LogLine::read_all(&path).unwrap();
        let newest: Vec<_> = (100 - kept.len()..100).map(|number| line(&format!("{number}\n"))).collect();
        assert_eq!(kept, newest);
        assert!(kept.len() > 10, "{}", kept.len());
    }

    #[test]
    fn a_log_that_cannot_be_written_is_written_again_once_it_can() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("logs/main.log");
        let mut log = LogFile::new(&path);
        log.append(&[line("lost\n")]);
        fs::create_dir(folder.path().join("logs")).unwrap();
        log.append(&[line("kept\n")]);
        assert_eq!(LogLine::read_all(&path).unwrap(), [line("kept\n")]);
    }
}
