use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use modbox_sidecar::tree::Signal;
use rustix::process::kill_process;
use serde_json::{Value, json};

use crate::{
    aws::running_tasks,
    client::PATIENCE,
    machine::{Machine, Sandbox},
    processes::{self, until},
};

/// How long processes may be there after the end of their sandbox.
const GONE_WITHIN: Duration = Duration::from_secs(5);
/// Most sandboxes that are created one by one are still starting after less than that.
const STARTS_WITHIN: Duration = Duration::from_millis(150);

pub(crate) fn a_destroyed_sandbox_is_gone_whatever_its_processes_do() {
    let machine = Machine::start();
    let sandbox = machine.create_running(&json!({}));
    let word = sandbox.leave_stubborn_processes();

    machine.destroy(&sandbox.id);
    let destroyed = Instant::now();
    let detail = machine.detail(&sandbox.id);
    assert_eq!((&detail["status"], &detail["reason"]), (&"destroyed".into(), &"destroyed".into()));
    assert_eq!(detail["sandbox_url"], Value::Null);
    until(Duration::from_secs(1), "its URL refuses", || sandbox.refuses());
    let left = GONE_WITHIN.saturating_sub(destroyed.elapsed());
    until(left, "its processes are gone", || processes::with_word(&word) + sandbox.processes() == 0);
    until(GONE_WITHIN, "its folder is gone", || processes::of(&machine.data()).is_empty());
}

pub(crate) fn a_killed_sandbox_is_gone_at_once_whatever_its_processes_do() {
    let machine = Machine::start();
    let sandbox = machine.create_running(&json!({}));
    let word = sandbox.leave_stubborn_processes();

    machine.post(&format!("/sandboxes/{}/kill", sandbox.id), &json!({})).expect(200);
    // Asked to end, they would have two seconds, and take them.
    until(Duration::from_millis(1_500), "its processes are gone", || {
        processes::with_word(&word) + sandbox.processes() == 0
    });
    assert_eq!(machine.detail(&sandbox.id)["reason"], "killed");
}

pub(crate) fn a_runtime_that_is_killed_ends_its_sandbox_with_a_reason() {
    let machine = Machine::start();
    let sandbox = machine.create_running(&json!({"task_id": "killed"}));
    let word = sandbox.leave_stubborn_processes();
    let all = processes::of_sandbox(&sandbox.id, &sandbox.address.ip().to_string());
    let is_runtime = |line: Vec<String>| line.last().is_some_and(|word| word == "runtime");
    let runtime = all.iter().find(|process| is_runtime(processes::command_line(process))).unwrap();

    kill_process(runtime.pid, Signal::KILL).unwrap();
    until(GONE_WITHIN, "it is over", || machine.detail(&sandbox.id)["status"] == "destroyed");
    assert_eq!(machine.detail(&sandbox.id)["reason"], "exited with code 137");
    let waited = machine.post("/sandboxes/wait", &json!({"task_id": "killed"})).expect(200);
    assert_eq!(waited["reason"], "exited with code 137", "{waited}");
    until(GONE_WITHIN, "its processes are gone", || processes::with_word(&word) + sandbox.processes() == 0);
    machine.create(&json!({"task_id": "killed"}));
}

pub(crate) fn a_wait_ends_with_the_sandbox_that_it_waits_for() {
    let machine = Machine::start();
    let asked = Instant::now();
    let sandbox = machine.create(&json!({"image": "python:3.12"}));
    let waited =
        machine.post(&format!("/sandboxes/{}/wait", sandbox.id), &json!({"timeout": 60})).expect(200);
    assert!(asked.elapsed() < GONE_WITHIN, "{:?}", asked.elapsed());
    assert_eq!((&waited["ready"], &waited["status"]), (&false.into(), &"destroyed".into()), "{waited}");
    let reason = waited["reason"].as_str().unwrap();
    assert!(reason.starts_with("failed: CannotPullContainerError"), "{reason}");
    assert!(reason.contains("create the sandbox with"), "what to do instead: {reason}");
    assert_eq!(machine.detail(&sandbox.id)["reason"], reason);
}

pub(crate) fn a_sandbox_destroyed_while_it_starts_never_runs() {
    let machine = Machine::start();
    let mut draws = Draws(0x5eed);
    let sandboxes: Vec<Sandbox> = (0..50)
        .map(|_| {
            let sandbox = machine.create(&json!({"ttl_seconds": 600}));
            sleep(draws.up_to(STARTS_WITHIN));
            machine.destroy(&sandbox.id);
            sandbox
        })
        .collect();

    // A first observation of each, and then until nothing can come any more.
    let settled = || running_tasks(&machine).is_empty() && processes::of(&machine.data()).is_empty();
    until(PATIENCE, "nothing is left", || {
        for status in ["running", "provisioning"] {
            let listed = machine.get(&format!("/sandboxes?status={status}")).expect(200);
            assert_eq!(listed["total"], 0, "{listed}");
        }
        settled()
    });
    for sandbox in &sandboxes {
        let detail = machine.detail(&sandbox.id);
        assert_eq!((&detail["status"], &detail["reason"]), (&"destroyed".into(), &"destroyed".into()));
    }
    // The schedule has come round since then: what it repairs it must not bring back.
    sleep(Duration::from_millis(1_500));
    assert!(settled());
}

/// The same numbers for the same seed.
pub(crate) struct Draws(pub(crate) u64);

impl Draws {
    pub(crate) fn up_to(&mut self, limit: Duration) -> Duration {
        limit.mul_f64(f64::from(self.draw()) / f64::from(1u32 << 31))
    }

    /// Less than `limit`.
    pub(crate) fn below(&mut self, limit: u32) -> u32 {
        self.draw() % limit
    }

    /// 31 bits.
    fn draw(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as u32
    }
}
