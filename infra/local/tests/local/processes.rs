//! The processes of a machine's sandboxes, as the system shows them.

use std::{
    fs,
    os::unix::ffi::OsStrExt,
    path::Path,
    thread::sleep,
    time::{Duration, Instant},
};

use modbox_sidecar::tree::{Process, kill_pass, marked, snapshot};

const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// Every process that works in the folder or has something of it in its environment.
pub(crate) fn of(folder: &Path) -> Vec<Process> {
    select(&snapshot(), folder)
}

/// Every process of one sandbox: those of its task, and what its commands left.
pub(crate) fn of_sandbox(id: &str, host: &str) -> Vec<Process> {
    let task = format!("MODBOX_TASK_ADDRESS={host}");
    let command = format!("MODBOX_EXEC_ID={id}.");
    let is_mark = |entry: &[u8]| entry == task.as_bytes() || entry.starts_with(command.as_bytes());
    snapshot().into_iter().filter(|process| !process.ended && marked(process.pid, is_mark)).collect()
}

/// How many processes have this word in their command line.
pub(crate) fn with_word(word: &str) -> usize {
    let has = |process: &&Process| command_line(process).iter().any(|part| part == word);
    snapshot().iter().filter(has).count()
}

pub(crate) fn command_line(process: &Process) -> Vec<String> {
    let text = fs::read(format!("/proc/{}/cmdline", process.pid.as_raw_nonzero())).unwrap_or_default();
    let words = text.split(|byte| *byte == 0).filter(|word| !word.is_empty());
    words.map(|word| String::from_utf8_lossy(word).into_owned()).collect()
}

/// Kills what is left, so that a test that failed leaves nothing.
pub(crate) fn kill_all_of(folder: &Path) {
    let until = Instant::now() + Duration::from_secs(3);
    while kill_pass(|all| select(all, folder)) > 0 && Instant::now() < until {
        sleep(LOOK_AGAIN);
    }
}

/// Waits until it holds, and says how long that took; panics after `limit`.
pub(crate) fn until(limit: Duration, what: &str, mut holds: impl FnMut() -> bool) -> Duration {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < limit, "not within {limit:?}: {what}");
        sleep(LOOK_AGAIN);
    }
    start.elapsed()
}

fn select(all: &[Process], folder: &Path) -> Vec<Process> {
    let folder = folder.as_os_str().as_bytes();
    let names = |text: &[u8]| text.windows(folder.len()).any(|part| part == folder);
    let own = std::process::id();
    let is_of = |process: &&Process| {
        let cwd = fs::read_link(format!("/proc/{}/cwd", process.pid.as_raw_nonzero()));
        !process.ended
            && u32::try_from(process.pid.as_raw_nonzero().get()).is_ok_and(|pid| pid != own)
            && (cwd.is_ok_and(|cwd| names(cwd.as_os_str().as_bytes())) || marked(process.pid, names))
    };
    all.iter().filter(is_of).copied().collect()
}
