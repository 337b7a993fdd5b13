use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::PathBuf,
};

use modbox_sidecar::ReportLine;

/// Reads the file in which a sidecar tells what happens, from where it stopped before.
///
/// The file is short and in the page cache, so that reading it does not block.
#[derive(Debug)]
pub(super) struct Reader {
    path: PathBuf,
    read_to: u64,
}

impl Reader {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, read_to: 0 }
    }

    /// The lines that were completed since the last call; none as long as there is no file.
    pub(super) fn news(&mut self) -> Vec<ReportLine> {
        let text = self.rest().unwrap_or_default();
        let Some(end) = text.rfind('\n') else {
            return Vec::new();
        };
        let complete = text.get(..=end).unwrap_or_default();
        self.read_to += u64::try_from(complete.len()).unwrap_or_default();
        complete.lines().filter_map(|line| line.parse().ok()).collect()
    }

    fn rest(&self) -> Option<String> {
        let mut file = File::open(&self.path).ok()?;
        file.seek(SeekFrom::Start(self.read_to)).ok()?;
        let mut text = String::new();
        file.read_to_string(&mut text).ok()?;
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use std::{fs::OpenOptions, io::Write};

    use super::*;

    #[test]
    fn each_line_is_read_once_and_only_when_it_is_complete() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report");
        let mut reader = Reader::new(path.clone());
        assert_eq!(reader.news(), []);
        let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
        file.write_all(b"started main 7\nexited ma").unwrap();
        let name = "main".to_owned();
        assert_eq!(reader.news(), [ReportLine::Started { name, pid: 7 }]);
        assert_eq!(reader.news(), []);
        file.write_all(b"in 3\n").unwrap();
        let name = "main".to_owned();
        assert_eq!(reader.news(), [ReportLine::Exited { name, code: 3 }]);
    }
}
