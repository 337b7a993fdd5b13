use std::collections::HashSet;
use std::fs;

use rustix::process::Pid;

/// One process, as it was at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Process {
    pub pid: Pid,
    /// Zero when the parent is outside of what this process can see.
    pub parent: i32,
    pub group: i32,
    /// Clock ticks between boot and its start; tells a process from a later one with the same id.
    pub started: u64,
    /// Whether it has ended and only waits to be reaped.
    pub ended: bool,
}

/// Every process that can be seen, in no order.
pub fn snapshot() -> Vec<Process> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok().and_then(Pid::from_raw))
        .filter_map(read)
        .collect()
}

/// What `/proc/<pid>/stat` says; none when there is no such process.
pub fn read(pid: Pid) -> Option<Process> {
    let stat = fs::read(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    parse(pid, &stat)
}

/// Every process below `root`, ended ones left out, parents before their children.
pub fn descendants(root: Pid) -> Vec<Pid> {
    descendants_in(&snapshot(), root).iter().map(|process| process.pid).collect()
}

/// What [`descendants`] finds in a snapshot taken before.
pub fn descendants_in(all: &[Process], root: Pid) -> Vec<Process> {
    let mut found: Vec<Process> = Vec::new();
    let mut seen = HashSet::from([root.as_raw_nonzero().get()]);
    let mut level = seen.clone();
    while !level.is_empty() {
        let next: Vec<&Process> = all.iter().filter(|process| level.contains(&process.parent)).collect();
        level.clear();
        for process in next {
            let raw = process.pid.as_raw_nonzero().get();
            if seen.insert(raw) {
                level.insert(raw);
                found.push(*process);
            }
        }
    }
    found.retain(|process| !process.ended);
    found
}

/// The children of `parent`, ended ones included.
pub fn children(all: &[Process], parent: Pid) -> impl Iterator<Item = &Process> {
    all.iter().filter(move |process| process.parent == parent.as_raw_nonzero().get())
}

/// Whether the environment that the process was started with holds an entry (`NAME=value`) that is the mark. What
/// another user runs cannot be read and counts as not marked.
pub fn marked(pid: Pid, is_mark: impl Fn(&[u8]) -> bool) -> bool {
    fs::read(format!("/proc/{}/environ", pid.as_raw_nonzero()))
        .is_ok_and(|environ| environ.split(|byte| *byte == 0).any(is_mark))
}

/// The fields of a `stat`, from the third on.
pub(crate) fn fields(stat: &[u8]) -> Option<Vec<&str>> {
    // The second field is the program's name in parentheses, and may itself hold spaces and parentheses.
    let end_of_name = stat.iter().rposition(|byte| *byte == b')')?;
    let rest = std::str::from_utf8(stat.get(end_of_name + 1..)?).ok()?;
    Some(rest.split_ascii_whitespace().collect())
}

/// One of [`fields`], numbered as in proc(5).
pub(crate) fn field<'a>(fields: &[&'a str], number: usize) -> Option<&'a str> {
    fields.get(number.checked_sub(3)?).copied()
}

fn parse(pid: Pid, stat: &[u8]) -> Option<Process> {
    let fields = fields(stat)?;
    let field = |number| field(&fields, number);
    let state = field(3)?;
    let threads: u64 = field(20)?.parse().ok()?;
    Some(Process {
        pid,
        parent: field(4)?.parse().ok()?,
        group: field(5)?.parse().ok()?,
        started: field(22)?.parse().ok()?,
        // A first thread that ended while others run reads as a zombie too.
        ended: state == "X" || (state == "Z" && threads <= 1),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pid(raw: i32) -> Pid {
        Pid::from_raw(raw).unwrap()
    }

    fn process(raw: i32, parent: i32) -> Process {
        Process { pid: pid(raw), parent, group: raw, started: 1, ended: false }
    }

    #[test]
    fn a_name_with_parentheses_and_spaces_is_no_field() {
        let stat = b"7 (a) R 9 (b) S 3 4 5 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4242 100 1 2";
        let read = parse(pid(7), stat).unwrap();
        assert_eq!((read.parent, read.group, read.started, read.ended), (3, 4, 4242, false));
    }

    #[test]
    fn a_first_thread_that_ended_before_others_has_not_ended() {
        let stat = |threads| format!("7 (a) Z 3 4 5 0 -1 0 1 2 3 4 5 6 7 8 20 0 {threads} 0 4242 100 1 2");
        assert!(parse(pid(7), stat(1).as_bytes()).unwrap().ended);
        assert!(!parse(pid(7), stat(2).as_bytes()).unwrap().ended);
    }

    #[test]
    fn cut_or_strange_text_is_no_process() {
        for stat in [&b""[..], b"7 (a", b"7 (a)", b"7 (a) S 3", b"7 (a) S x 4 5 0 -1"] {
            assert_eq!(parse(pid(7), stat), None);
        }
    }

    #[test]
    fn children_of_an_ended_process_are_descendants_and_it_is_not() {
        let mut ended = process(11, 10);
        ended.ended = true;
        let all = [process(12, 11), ended, process(10, 1), process(20, 1)];
        let found: Vec<_> = descendants_in(&all, pid(10)).iter().map(|found| found.pid).collect();
        assert_eq!(found, [pid(12)]);
    }

    #[test]
    fn a_loop_of_parents_ends() {
        let all = [process(10, 11), process(11, 10)];
        assert_eq!(descendants_in(&all, pid(10)).len(), 1);
    }

    #[test]
    fn this_process_is_read_with_its_start_time() {
        let own = rustix::process::getpid();
        assert!(read(own).is_some_and(|process| process.started > 0));
        assert!(snapshot().iter().any(|process| process.pid == own));
    }

    #[test]
    fn nothing_is_read_where_there_is_no_process() {
        assert_eq!(read(pid(i32::MAX)), None);
    }
}
