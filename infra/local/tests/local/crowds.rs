use std::{fs, sync::Barrier, thread::scope, time::Instant};

use modbox_sidecar::tree::Signal;
use rustix::process::kill_process;
use serde_json::{Value, json};

use crate::{
    client::{PATIENCE, Request, send},
    machine::{Machine, Sandbox},
    processes, report,
};

const CROWD: usize = 200;
const WAITS: usize = 50;

/// Runs `work` once for each place, all at the same instant, and gives the answers in the order of the places.
fn at_once<T: Send>(count: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let together = Barrier::new(count);
    let one = |place| {
        together.wait();
        work(place)
    };
    scope(|threads| {
        let one = &one;
        let started: Vec<_> = (0..count).map(|place| threads.spawn(move || one(place))).collect();
        started.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

pub(crate) fn two_hundred_at_once_come_to_run_and_leave_nothing() {
    let machine = Machine::start();
    let begun = Instant::now();
    let sandboxes = at_once(CROWD, |_| machine.create(&json!({})));
    let accepted = begun.elapsed();
    let ends = at_once(CROWD, |place| machine.wait(&sandboxes[place].id));
    let settled = begun.elapsed();

    let running = sandboxes.iter().zip(&ends).filter(|(sandbox, end)| came_to_run(&machine, sandbox, end));
    let running = running.count();
    report(&format!(
        "{CROWD} sandboxes at once: accepted in {accepted:?}, {running} run and the rest are recorded failures after {settled:?}",
    ));
    assert!(running >= CROWD / 2, "{running}");
    at_once(CROWD, |place| machine.destroy(&sandboxes[place].id));
    let gone = processes::until(PATIENCE, "nothing is left of them", || {
        processes::of(&machine.data().join("tasks")).is_empty()
    });
    report(&format!("{CROWD} sandboxes destroyed at once are gone after {gone:?}"));
    assert_eq!(machine.get("/sandboxes?status=running").expect(200)["total"], 0);
    processes::until(PATIENCE, "no folder is left", || {
        fs::read_dir(machine.data().join("tasks")).unwrap().next().is_none()
    });
}

/// Whether it runs; it has a recorded failure otherwise.
fn came_to_run(machine: &Machine, sandbox: &Sandbox, end: &Value) -> bool {
    if end["ready"] == true {
        assert_eq!(sandbox.exec("echo $((6 * 7))").unwrap()["stdout"], "42\n");
        return true;
    }
    let detail = machine.detail(&sandbox.id);
    assert_eq!(detail["status"], "destroyed", "{end} {detail}");
    assert!(detail["reason"].as_str().is_some_and(|reason| reason.starts_with("failed: ")), "{detail}");
    false
}

pub(crate) fn fifty_waits_at_once_cost_no_thread_each() {
    let machine = Machine::start();
    let sandbox = create_one_that_never_becomes_ready(&machine);
    let before = machine.threads();
    let together = Barrier::new(WAITS + 1);
    let wait = || {
        together.wait();
        let (bearer, body) = (Some(machine.token.as_str()), json!({"timeout": 3}).to_string());
        let path = format!("/sandboxes/{}/wait", sandbox.id);
        let request = Request { method: "POST", path: &path, bearer, body: &body, ..Request::default() };
        send(machine.api(), &request).unwrap().expect(200)
    };
    let meanwhile = scope(|threads| {
        let waits: Vec<_> = (0..WAITS).map(|_| threads.spawn(wait)).collect();
        together.wait();
        // The waits hold connections, so that many are there when all of them wait.
        processes::until(PATIENCE, "all of them wait", || machine.connections() >= WAITS);
        let meanwhile = machine.threads();
        for wait in waits {
            let answer = wait.join().unwrap();
            assert_eq!((&answer["ready"], &answer["reason"]), (&json!(false), &json!("timeout")), "{answer}");
        }
        meanwhile
    });
    report(&format!("threads of modbox-local: {before} before {WAITS} waits, {meanwhile} while they wait"));
    assert!(meanwhile <= before + 4, "{before} and {meanwhile}");
}

/// One whose processes are held still before it was seen to be ready.
fn create_one_that_never_becomes_ready(machine: &Machine) -> Sandbox {
    loop {
        let sandbox = machine.create(&json!({}));
        processes::until(PATIENCE, "a process of it is held", || {
            let host = sandbox.address.ip().to_string();
            let all = processes::of_sandbox(&sandbox.id, &host);
            all.iter().filter(|each| kill_process(each.pid, Signal::STOP).is_ok()).count() > 0
        });
        // It may have been ready the moment before.
        let path = format!("/sandboxes/{}/wait", sandbox.id);
        if machine.post(&path, &json!({"timeout": 1})).expect(200)["ready"] == false {
            return sandbox;
        }
    }
}
