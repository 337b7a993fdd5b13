use std::collections::HashSet;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::identity::Identity;
use crate::process::{Process, descendants_in, read, snapshot};

/// The longest that [`kill_tree`] takes.
const KILL_TREE_BOUND: Duration = Duration::from_secs(3);

/// After so many rounds a tree that still grows is killed as far as it was seen; the next pass finds the rest.
const FREEZE_ROUNDS: usize = 32;

/// Sends a signal to exactly this process: not to a later one that was given its id.
pub fn signal(process: &Process, signal: Signal) {
    if read(process.pid).is_some_and(|now| now.started == process.started) {
        // It may have ended meanwhile, or belong to another user: both are seen by whoever looks again.
        let _ = kill_process(process.pid, signal);
    }
}

/// Stops what `select` picks, and looks again until it picks nothing new: a stopped process neither forks nor hands
/// its children to another parent. Answers everything it stopped.
fn freeze(select: impl Fn(&[Process]) -> Vec<Process>) -> Vec<Process> {
    let mut frozen = Vec::new();
    let mut seen: HashSet<(Pid, u64)> = HashSet::new();
    for _ in 0..FREEZE_ROUNDS {
        let before = frozen.len();
        for process in select(&snapshot()) {
            if seen.insert((process.pid, process.started)) {
                signal(&process, Signal::STOP);
                frozen.push(process);
            }
        }
        if frozen.len() == before {
            break;
        }
    }
    frozen
}

/// Freezes what `select` picks and then kills it; answers how many it found. To be repeated until that is zero, since
/// a killed process takes a moment to go. Never touches the calling process.
pub fn kill_pass(select: impl Fn(&[Process]) -> Vec<Process>) -> usize {
    let own = rustix::process::getpid();
    let others = |all: &[Process]| {
        let mut picked = select(all);
        picked.retain(|process| process.pid != own && !process.ended);
        picked
    };
    let frozen = freeze(others);
    for process in &frozen {
        signal(process, Signal::KILL);
    }
    frozen.len()
}

/// Ends `root` and everything below it, without asking any of it, within three seconds; answers whether all of it is
/// gone (an ended process that its parent has not reaped is). For a root that hangs or is stopped: it is frozen first,
/// so that it starts nothing more. Where its id is another process's by now, nothing is touched.
pub fn kill_tree(root: &Identity) -> bool {
    // Looked for each time: once it is gone, its id may be given away at any moment.
    let find = |all: &[Process]| root.find_in(all).filter(|process| !process.ended);
    let until = Instant::now() + KILL_TREE_BOUND;
    if let Some(process) = find(&snapshot()) {
        signal(&process, Signal::STOP);
    }
    let below = |all: &[Process]| find(all).map_or_else(Vec::new, |process| descendants_in(all, process.pid));
    let mut gone = settle(until, below);
    // The root goes last: as long as it lives, orphans come to it if it is a subreaper.
    gone &= settle(until, |all| find(all).into_iter().collect());
    gone
}

fn settle(until: Instant, select: impl Fn(&[Process]) -> Vec<Process>) -> bool {
    while kill_pass(&select) > 0 {
        if Instant::now() >= until {
            return false;
        }
        thread::sleep(Duration::from_millis(5));
    }
    true
}
