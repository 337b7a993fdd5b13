use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::str::FromStr;

use modbox_sandbox::contract::EXPIRED_EXIT_CODE;
use modbox_tree::Identity;

use crate::{KILLED_EXIT_CODE, STOPPED_EXIT_CODE};

/// One line of the file in which a supervised task tells what happened, for a reader that may come later than the
/// end of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReportLine {
    /// The first line, written before anything is started: the sidecar itself, for whoever is to find it again.
    Sidecar(Identity),
    Started {
        name: String,
        pid: i32,
    },
    /// `code` is 128 and the signal's number where a signal ended it, 127 or 126 where it could not be started.
    Exited {
        name: String,
        code: i32,
    },
    /// The last line. Everything below the sidecar is gone when it is written.
    Ended(Ending),
}

/// Why a supervised task ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Its deadline came.
    Expired,
    /// It was told to, by SIGTERM or SIGINT.
    Stopped,
    /// It was told to end without grace, by SIGUSR1.
    Killed,
    /// An essential container exited.
    Exited,
}

impl Ending {
    /// The code that the sidecar exits with, for a reader that is not its parent.
    pub fn exit_code(self) -> i32 {
        match self {
            Self::Expired => EXPIRED_EXIT_CODE,
            Self::Stopped => STOPPED_EXIT_CODE.into(),
            Self::Killed => KILLED_EXIT_CODE.into(),
            Self::Exited => 0,
        }
    }
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a line of a task's report")]
pub struct UnreadableLine;

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Expired => "expired",
            Self::Stopped => "stopped",
            Self::Killed => "killed",
            Self::Exited => "exited",
        })
    }
}

impl fmt::Display for ReportLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sidecar(identity) => write!(f, "sidecar {identity}"),
            Self::Started { name, pid } => write!(f, "started {name} {pid}"),
            Self::Exited { name, code } => write!(f, "exited {name} {code}"),
            Self::Ended(ending) => write!(f, "ended {ending}"),
        }
    }
}

impl FromStr for ReportLine {
    type Err = UnreadableLine;

    fn from_str(line: &str) -> Result<Self, UnreadableLine> {
        if let Some(identity) = line.strip_prefix("sidecar ") {
            return identity.parse().map(Self::Sidecar).map_err(|_| UnreadableLine);
        }
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let number = |word: &str| word.parse().map_err(|_| UnreadableLine);
        match words.as_slice() {
            ["started", name, pid] => Ok(Self::Started { name: (*name).to_owned(), pid: number(pid)? }),
            ["exited", name, code] => Ok(Self::Exited { name: (*name).to_owned(), code: number(code)? }),
            ["ended", "expired"] => Ok(Self::Ended(Ending::Expired)),
            ["ended", "killed"] => Ok(Self::Ended(Ending::Killed)),
            ["ended", "stopped"] => Ok(Self::Ended(Ending::Stopped)),
            ["ended", "exited"] => Ok(Self::Ended(Ending::Exited)),
            _ => Err(UnreadableLine),
        }
    }
}

/// The file being written.
pub(crate) struct Report(File);

impl Report {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        append(path).map(Self)
    }

    /// Appends the line with one write. A full disk must not keep a task alive, so it is not an error.
    pub(crate) fn tell(&mut self, line: &ReportLine) {
        let _ = self.0.write_all(format!("{line}\n").as_bytes());
    }
}

/// Opens a file of the task's owner for appending.
pub(crate) fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_is_read_back() {
        let lines = [
            ReportLine::Sidecar(Identity::own().unwrap()),
            ReportLine::Started { name: "main".to_owned(), pid: 42 },
            ReportLine::Exited { name: "ready".to_owned(), code: 137 },
            ReportLine::Ended(Ending::Expired),
            ReportLine::Ended(Ending::Stopped),
            ReportLine::Ended(Ending::Killed),
            ReportLine::Ended(Ending::Exited),
        ];
        for line in lines {
            assert_eq!(line.to_string().parse(), Ok(line));
        }
    }

    #[test]
    fn half_a_line_is_unreadable() {
        for line in [
            "",
            "sidecar",
            "sidecar 1 2",
            "started",
            "started main",
            "exited main x",
            "ended",
            "ended so",
            "ended expired now",
        ] {
            assert_eq!(line.parse::<ReportLine>(), Err(UnreadableLine), "{line}");
        }
    }
}
