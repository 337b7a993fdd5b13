use std::fmt;
use std::fs;
use std::io;
use std::str::FromStr;

use rustix::process::{Pid, getpid};

use crate::process::{Process, read};

const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// What tells one process from every other that this machine ever runs: its id, when it started, and in which boot.
///
/// As text it is three words: `<pid> <start time> <boot id>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub pid: Pid,
    /// Clock ticks between boot and its start.
    pub started: u64,
    /// The kernel's random id of the boot.
    pub boot: String,
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the identity of a process")]
pub struct NoIdentity;

impl Identity {
    /// The calling process.
    pub fn own() -> io::Result<Self> {
        Self::of(getpid())?.ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// The process that has this id now, if one has.
    pub fn of(pid: Pid) -> io::Result<Option<Self>> {
        let boot = boot()?;
        Ok(read(pid).map(|process| Self { pid, started: process.started, boot }))
    }

    /// Whether this very process runs: not a later one with its id, not one that has ended and waits to be reaped.
    pub fn is_alive(&self) -> bool {
        let process = read(self.pid).and_then(|process| self.find_in(&[process]));
        process.is_some_and(|process| !process.ended)
    }

    /// This very process in a snapshot, ended or not.
    pub(crate) fn find_in(&self, all: &[Process]) -> Option<Process> {
        let is_it = |process: &&Process| process.pid == self.pid && process.started == self.started;
        let found = all.iter().find(is_it)?;
        boot().is_ok_and(|boot| boot == self.boot).then_some(*found)
    }
}

fn boot() -> io::Result<String> {
    let boot = fs::read_to_string(BOOT_ID)?.trim().to_owned();
    if boot.is_empty() { Err(io::ErrorKind::InvalidData.into()) } else { Ok(boot) }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.pid.as_raw_nonzero(), self.started, self.boot)
    }
}

impl FromStr for Identity {
    type Err = NoIdentity;

    fn from_str(text: &str) -> Result<Self, NoIdentity> {
        let words: Vec<&str> = text.split_ascii_whitespace().collect();
        let [pid, started, boot] = words.as_slice() else {
            return Err(NoIdentity);
        };
        Ok(Self {
            pid: pid.parse().ok().and_then(Pid::from_raw).ok_or(NoIdentity)?,
            started: started.parse().map_err(|_| NoIdentity)?,
            boot: (*boot).to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_not_a_later_one_with_its_id_nor_one_of_another_boot() {
        let own = Identity::own().unwrap();
        assert!(own.is_alive());
        assert!(!Identity { started: own.started + 1, ..own.clone() }.is_alive());
        assert!(!Identity { boot: "another".to_owned(), ..own.clone() }.is_alive());
        assert!(!Identity { pid: Pid::from_raw(i32::MAX).unwrap(), ..own }.is_alive());
    }

    #[test]
    fn what_is_written_is_read_back_and_nothing_else() {
        let own = Identity::own().unwrap();
        assert_eq!(own.to_string().parse(), Ok(own));
        for text in ["", "1 2", "0 2 boot", "x 2 boot", "1 x boot", "1 2 boot more"] {
            assert_eq!(text.parse::<Identity>(), Err(NoIdentity), "{text:?}");
        }
    }
}
