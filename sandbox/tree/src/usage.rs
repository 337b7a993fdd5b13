use std::collections::HashSet;
use std::fs;
use std::time::Duration;

use rustix::param::{clock_ticks_per_second, page_size};
use rustix::process::Pid;

use crate::process::{field, fields, snapshot};

/// What processes have used so far, and what they hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// User and system time together.
    pub cpu: Duration,
    /// Resident memory; a page that several processes share counts for each.
    pub memory_bytes: u64,
}

/// What everything below `root` has used, ended processes included as far as somebody of the tree waited for them, and
/// what is alive of it holds. `root` itself is left out. None where the kernel does not list children
/// (`/proc/<pid>/task/<tid>/children`), which is what is read since it costs no look at the processes of others.
///
/// It never says more than was used: parents are read before their children, so that a process that ends meanwhile is
/// missed rather than counted twice. So the most that was ever said is a sum that never falls.
pub fn usage_below(root: Pid) -> Option<Usage> {
    let raw = root.as_raw_nonzero().get();
    let mut total = Usage { cpu: Times::of(raw)?.children, memory_bytes: 0 };
    let mut level = children_of(raw)?;
    let mut seen = HashSet::from([raw]);
    while !level.is_empty() {
        let mut next = Vec::new();
        for pid in level {
            if !seen.insert(pid) {
                continue;
            }
            // It may be gone by now, or gone before its children are asked for: then they are with another parent.
            let Some(times) = Times::of(pid) else { continue };
            total.cpu += times.own + times.children;
            total.memory_bytes += memory_of(pid).unwrap_or_default();
            next.extend(children_of(pid).unwrap_or_default());
        }
        level = next;
    }
    Some(total)
}

/// What everything in `own`'s PID namespace has used but `own` itself, which is the first process of it: what is below it,
/// and below whatever entered the namespace from outside. For each of those it is as for [`usage_below`].
pub fn usage_beside(own: Pid) -> Option<Usage> {
    let mut total = usage_below(own)?;
    let entered = snapshot().into_iter().filter(|process| process.parent == 0 && process.pid != own);
    for root in entered {
        let raw = root.pid.as_raw_nonzero().get();
        let Some(times) = Times::of(raw) else { continue };
        let below = usage_below(root.pid).unwrap_or(Usage { cpu: times.children, memory_bytes: 0 });
        total.cpu += times.own + below.cpu;
        total.memory_bytes += memory_of(raw).unwrap_or_default() + below.memory_bytes;
    }
    Some(total)
}

/// What a process has used itself, and what its children had used for which it has waited.
struct Times {
    own: Duration,
    children: Duration,
}

impl Times {
    fn of(pid: i32) -> Option<Self> {
        let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
        let fields = fields(&stat)?;
        let time = |number| Some(ticks(field(&fields, number)?.parse().ok()?));
        Some(Self { own: time(14)? + time(15)?, children: time(16)? + time(17)? })
    }
}

fn ticks(ticks: u64) -> Duration {
    let millis = ticks.saturating_mul(1_000).checked_div(clock_ticks_per_second());
    Duration::from_millis(millis.unwrap_or_default())
}

fn memory_of(pid: i32) -> Option<u64> {
    let statm = fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
    let pages: u64 = statm.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some(pages.saturating_mul(u64::try_from(page_size()).ok()?))
}

/// The children of all of its threads; none where no thread has a list.
fn children_of(pid: i32) -> Option<Vec<i32>> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).ok()?.flatten();
    let lists = threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    let numbers = |list: String| list.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()).collect();
    lists.map(numbers).reduce(|all: Vec<i32>, more| [all, more].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_a_hundredth_of_a_second_or_as_the_system_says() {
        assert_eq!(ticks(clock_ticks_per_second() * 3), Duration::from_secs(3));
    }

    #[test]
    fn this_process_holds_memory() {
        let own = rustix::process::getpid().as_raw_nonzero().get();
        assert!(memory_of(own).is_some_and(|bytes| bytes > 100_000));
    }

    #[test]
    fn there_is_no_usage_without_a_process() {
        assert_eq!(usage_below(Pid::from_raw(i32::MAX).unwrap()), None);
    }
}
