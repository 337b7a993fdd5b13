use std::{
    sync::Barrier,
    thread::scope,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::{machine::Machine, report};

const AT_ONCE: usize = 49;

pub(crate) fn forty_nine_sandboxes_at_once_are_each_ready_within_two_seconds() {
    let machine = Machine::start();
    let together = Barrier::new(AT_ONCE);
    let create = |_| {
        together.wait();
        let created = Instant::now();
        let sandbox = machine.create_running(&json!({}));
        let ready = created.elapsed();
        (sandbox, ready)
    };
    let mut all: Vec<_> = scope(|threads| {
        let started: Vec<_> = (0..AT_ONCE).map(|place| threads.spawn(move || create(place))).collect();
        started.into_iter().map(|thread| thread.join().unwrap()).collect()
    });

    all.sort_by_key(|(_, ready)| *ready);
    let (median, longest) = (all[AT_ONCE / 2].1, all[AT_ONCE - 1].1);
    report(&format!("{AT_ONCE} sandboxes at once are ready: median {median:?}, longest {longest:?}"));
    assert!(longest < Duration::from_secs(2), "{longest:?}");
    for (sandbox, _) in all {
        assert_eq!(sandbox.exec("echo $((6 * 7))").unwrap()["stdout"], "42\n");
    }
}
