//! Real processes: each test starts a tree of its own and ends it.
#![expect(clippy::unwrap_used, reason = "a test that cannot start its processes has failed")]

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use modbox_tree::{Identity, Pid, Signal, descendants, kill_tree, marked, read, snapshot, usage_below};

fn bash(script: &str, mark: &str) -> Child {
    Command::new("bash").args(["-c", script]).env("TREE_TEST", mark).stdin(Stdio::null()).spawn().unwrap()
}

fn pid(child: &Child) -> Pid {
    Pid::from_child(child)
}

fn identity(child: &Child) -> Identity {
    Identity::of(pid(child)).unwrap().unwrap()
}

fn carrying(mark: &str) -> usize {
    let mark = format!("TREE_TEST={mark}");
    snapshot()
        .iter()
        .filter(|process| !process.ended && marked(process.pid, |entry| entry == mark.as_bytes()))
        .count()
}

fn within(limit: Duration, what: &str, mut holds: impl FnMut() -> bool) {
    let until = Instant::now() + limit;
    while !holds() {
        assert!(Instant::now() < until, "{what} did not happen in {limit:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_tree_is_seen_whole_and_ended_whole() {
    let mark = format!("whole-{}", std::process::id());
    let mut child = bash("sleep 60 & setsid sleep 60 & (sleep 60; true) & wait", &mark);
    within(Duration::from_secs(5), "the tree", || descendants(pid(&child)).len() >= 4);
    assert!(kill_tree(&identity(&child)));
    assert_eq!(carrying(&mark), 0);
    child.wait().unwrap();
}

#[test]
fn a_stopped_root_that_ignores_signals_is_ended_with_its_children() {
    let mark = format!("stopped-{}", std::process::id());
    let mut child = bash("trap '' TERM; sleep 60 & wait", &mark);
    within(Duration::from_secs(5), "the child", || descendants(pid(&child)).len() == 1);
    rustix::process::kill_process(pid(&child), Signal::STOP).unwrap();
    assert!(kill_tree(&identity(&child)));
    assert_eq!(carrying(&mark), 0);
    child.wait().unwrap();
}

#[test]
fn a_tree_that_forks_all_the_time_is_ended() {
    let mark = format!("forks-{}", std::process::id());
    let mut child = bash("while :; do sleep 0.01 & sleep 0.002; done", &mark);
    within(Duration::from_secs(5), "forking", || !descendants(pid(&child)).is_empty());
    assert!(kill_tree(&identity(&child)));
    within(Duration::from_secs(1), "the end of it", || carrying(&mark) == 0);
    child.wait().unwrap();
}

#[test]
fn ending_what_is_gone_changes_nothing() {
    let mut child = bash("exit 0", "gone");
    within(Duration::from_secs(5), "the end", || read(pid(&child)).is_some_and(|process| process.ended));
    let identity = identity(&child);
    assert!(kill_tree(&identity));
    child.wait().unwrap();
    assert!(kill_tree(&identity));
}

#[test]
fn a_process_that_was_given_the_id_of_another_is_not_touched_nor_what_is_below_it() {
    let mut child = bash("sleep 60 & wait", "given");
    within(Duration::from_secs(5), "the child", || descendants(pid(&child)).len() == 1);
    let real = identity(&child);
    let earlier = Identity { started: real.started - 1, ..real.clone() };
    let of_another_boot = Identity { boot: "another".to_owned(), ..real.clone() };
    for gone in [earlier, of_another_boot] {
        assert!(kill_tree(&gone));
        assert!(real.is_alive());
        assert_eq!(descendants(pid(&child)).len(), 1);
    }
    assert!(kill_tree(&real));
    child.wait().unwrap();
}

#[test]
fn what_ended_children_and_living_ones_have_used_is_counted_and_only_living_ones_hold_memory() {
    let burn = "for ((i = 0; i < 300000; i++)); do :; done";
    let mut child = bash(&format!("bash -c '{burn}'; bash -c '{burn}; sleep 60; :' & wait"), "usage");
    let mut last = usage_below(pid(&child)).unwrap();
    // Either takes a few tenths of a second.
    within(Duration::from_secs(30), "the work of both", || {
        let usage = usage_below(pid(&child)).unwrap();
        last = if usage.cpu > last.cpu { usage } else { last };
        descendants(pid(&child)).len() == 2 && usage.memory_bytes > 1_000_000
    });
    let both = usage_below(pid(&child)).unwrap().cpu;
    assert!(both >= last.cpu && both > Duration::from_millis(50), "{both:?} {last:?}");
    assert!(kill_tree(&identity(&child)));
    child.wait().unwrap();
}
