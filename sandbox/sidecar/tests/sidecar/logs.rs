//! What a supervised task's containers say.

use std::fs;
use std::time::Instant;

use modbox_sidecar::tree::Signal;
use modbox_sidecar::{Ending, LOG_LIMIT, Stream};

use crate::scene::Scene;
use crate::world::{eventually, millis};

fn out(line: &str) -> (Stream, String) {
    (Stream::Stdout, line.to_owned())
}

fn err(line: &str) -> (Stream, String) {
    (Stream::Stderr, line.to_owned())
}

#[test]
fn each_line_is_kept_with_its_stream_up_to_the_last_word() {
    let script = "echo one; sleep 0.2; echo two >&2; sleep 0.2; printf '\\377 three'";
    let scene = Scene::new(500).runs("main", true, script);
    assert_eq!(scene.start().code(), 0);
    assert_eq!(scene.said("main"), [out("one\n"), err("two\n"), out("\u{fffd} three")]);
    scene.over(Ending::Exited);
}

#[test]
fn what_is_said_can_be_read_while_it_runs() {
    let scene = Scene::new(500).runs("main", true, "echo up; exec sleep 60");
    let mut sidecar = scene.start();
    eventually("the line", || scene.said("main") == [out("up\n")]);
    sidecar.signal(Signal::TERM);
    assert_eq!(sidecar.code(), 143);
}

#[test]
fn containers_have_logs_of_their_own() {
    let scene =
        Scene::new(500).runs("ready", false, "echo small").runs("main", true, "echo large; sleep 0.3");
    assert_eq!(scene.start().code(), 0);
    assert_eq!((scene.said("ready"), scene.said("main")), (vec![out("small\n")], vec![out("large\n")]));
}

#[test]
fn a_flood_fills_no_disk_and_delays_no_deadline() {
    let flood = "yes 'a line of many' & yes >&2";
    let scene = Scene::new(500).expires_in(3_000).runs("main", true, flood);
    let mut sidecar = scene.start();
    assert_eq!(sidecar.code(), 124);
    assert!(sidecar.age() < millis(6_000), "{:?}", sidecar.age());
    let log = |name: &str| fs::metadata(scene.path(name)).unwrap().len();
    // Set aside at least once, and no third file.
    assert!((1..=LOG_LIMIT).contains(&log("main.log.1")) && log("main.log") <= LOG_LIMIT);
    assert!(!scene.path("main.log.2").exists());
    scene.over(Ending::Expired);
}

#[test]
fn a_process_that_closes_its_output_is_not_waited_for() {
    let scene =
        Scene::new(500).expires_in(1_500).runs("main", true, "echo bye; exec >&- 2>&-; exec sleep 60");
    let mut sidecar = scene.start();
    eventually("the last word", || scene.said("main") == [out("bye\n")]);
    eventually("most of its life", || sidecar.age() > millis(1_200));
    assert!(sidecar.cpu_ticks() < 30, "{} ticks of 10 ms", sidecar.cpu_ticks());
    assert_eq!(sidecar.code(), 124);
}

#[test]
fn what_holds_the_output_open_does_not_keep_the_sidecar() {
    let scene = Scene::new(200).runs("main", true, "setsid sleep 60 & echo done; exit 3");
    let mut sidecar = scene.start();
    let begun = Instant::now();
    assert_eq!(sidecar.code(), 0);
    assert!(begun.elapsed() < millis(3_000), "{:?}", begun.elapsed());
    assert_eq!(scene.said("main"), [out("done\n")]);
    scene.over(Ending::Exited);
}

#[test]
fn a_log_that_cannot_be_written_ends_nothing() {
    let mut scene = Scene::new(500).runs(
        "main",
        true,
        "for i in {1..50000}; do echo $i; done; touch over; exec sleep 60",
    );
    scene.task.containers[0].log = "/nowhere/main.log".into();
    let mut sidecar = scene.start();
    scene.made(&["over"]);
    sidecar.signal(Signal::TERM);
    assert_eq!(sidecar.code(), 143);
    scene.over(Ending::Stopped);
}
