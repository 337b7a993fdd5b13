//! What is there again after `modbox-local` was killed and started anew.

use std::{
    fs,
    time::{Duration, Instant},
};

use modbox_sidecar::{
    ReportLine,
    tree::{self, Identity, Signal},
};
use serde_json::{Value, json};

use crate::{
    aws::running_tasks,
    client::PATIENCE,
    machine::{Machine, now, sleep_until},
    processes::{self, until},
};

/// How often the schedule calls.
const TICK: Duration = Duration::from_secs(1);

/// The sidecars of all tasks.
fn sidecars(machine: &Machine) -> Vec<Identity> {
    let folders = fs::read_dir(machine.data().join("tasks")).unwrap();
    let reports = folders.map(|folder| fs::read_to_string(folder.unwrap().path().join("report")).unwrap());
    let first = |report: String| match report.lines().next().unwrap().parse().unwrap() {
        ReportLine::Sidecar(identity) => identity,
        line => panic!("{line}"),
    };
    reports.map(first).collect()
}

pub(crate) fn a_sandbox_lives_on_with_its_address_and_its_token() {
    let mut machine = Machine::start();
    let sandbox = machine.create_running(&json!({"task_id": "kept", "ttl_seconds": 600}));
    let word = sandbox.leave_stubborn_processes();
    sandbox.exec("echo before > file").unwrap();
    let (before, tasks) = (machine.detail(&sandbox.id), running_tasks(&machine));
    let inside = sidecars(&machine);

    for _ in 0..2 {
        machine.kill();
        assert_eq!(sandbox.exec("cat file").unwrap()["stdout"], "before\n", "it needs no control plane");
        machine.run(|_| {});

        assert_eq!(machine.detail(&sandbox.id), before, "the first answer of all");
        let status = machine.get("/sandboxes/status/kept").expect(200);
        assert_eq!(status["ready"], true, "{status}");
        let asked = Instant::now();
        assert_eq!(machine.wait(&sandbox.id)["ready"], true);
        assert!(asked.elapsed() < TICK);
        assert_eq!(sandbox.exec("cat file").unwrap()["stdout"], "before\n");
        assert_eq!(running_tasks(&machine), tasks);
        // The schedule has come round: what it repairs it must not end.
        std::thread::sleep(TICK + TICK / 2);
        assert_eq!(machine.detail(&sandbox.id), before);
        assert_eq!(sidecars(&machine), inside);
        assert_eq!(processes::with_word(&word), 6);
    }
    let other = machine.create_running(&json!({"task_id": "other"}));
    assert_ne!(other.address, sandbox.address);

    machine.destroy(&sandbox.id);
    until(PATIENCE, "it is gone", || processes::with_word(&word) + sandbox.processes() == 0);
    assert!(sandbox.refuses());
    machine.destroy(&other.id);
    until(PATIENCE, "nothing is left", || {
        machine.folders() == 0
            && processes::of(&machine.data()).is_empty()
            && running_tasks(&machine).is_empty()
    });
}

pub(crate) fn what_was_killed_meanwhile_is_said_to_be_over_within_a_tick() {
    let mut machine = Machine::start();
    let kept = machine.create_running(&json!({}));
    let kept_by = sidecars(&machine);
    let killed = machine.create_running(&json!({"task_id": "killed"}));
    let word = killed.leave_stubborn_processes();
    let swept = machine.create_running(&json!({}));
    let swept_task = running_tasks(&machine).pop().unwrap();
    machine.kill();
    for sidecar in sidecars(&machine).into_iter().filter(|sidecar| !kept_by.contains(sidecar)) {
        tree::signal(&tree::read(sidecar.pid).unwrap(), Signal::KILL);
        until(PATIENCE, "it is killed", || !sidecar.is_alive());
    }
    // Of one not even the folder is left.
    fs::remove_dir_all(machine.data().join("tasks").join(swept_task.rsplit('/').next().unwrap())).unwrap();
    machine.run(|_| {});

    for (sandbox, reason) in [(&killed, "exited with code 137"), (&swept, "modbox-local was restarted")] {
        until(TICK, "its row says that it is over", || machine.detail(&sandbox.id)["status"] == "destroyed");
        let detail = machine.detail(&sandbox.id);
        assert!(detail["reason"].as_str().unwrap().contains(reason), "{detail}");
    }
    assert_eq!(processes::with_word(&word) + killed.processes(), 0);
    assert_eq!(machine.detail(&kept.id)["status"], "running");
    assert_eq!(kept.exec("echo alive").unwrap()["stdout"], "alive\n");
    machine.create_running(&json!({"task_id": "killed"}));
    until(PATIENCE, "its folder is gone", || machine.folders() == 2);
}

pub(crate) fn a_shutdown_ends_what_was_adopted() {
    let mut machine = Machine::start();
    let sandbox = machine.create_running(&json!({}));
    let word = sandbox.leave_stubborn_processes();
    machine.kill();
    machine.run(|_| {});
    assert_eq!(machine.terminate().0.code(), Some(0), "{}", machine.stderr());
    assert_eq!((processes::with_word(&word), machine.folders()), (0, 0));
    machine.run(|_| {});
    let detail = machine.detail(&sandbox.id);
    assert!(detail["reason"].as_str().unwrap().contains("modbox-local was stopped"), "{detail}");
}

pub(crate) fn a_first_start_that_was_killed_is_made_up_for() {
    let mut machine = Machine::new();
    let half_made = ["format.new", "token.new", "keys.new", "modbox.db.new", "modbox.db.new-wal"];
    fs::create_dir(machine.data()).unwrap();
    for name in half_made {
        fs::write(machine.data().join(name), "half of what it was to be").unwrap();
    }
    machine.run(|_| {});
    assert_eq!(machine.token.len(), "mbx_".len() + 32);
    let sandbox = machine.create_running(&json!({}));
    assert_eq!(sandbox.exec("echo alive").unwrap()["stdout"], "alive\n");
    for name in half_made {
        assert!(!machine.data().join(name).exists(), "{name}");
    }
}

pub(crate) fn an_extension_after_a_restart_holds() {
    const TTL: i64 = 60;
    let mut machine = Machine::start();
    let sandbox = machine.create_running(&json!({"ttl_seconds": TTL}));
    let first = sandbox.expires_at.unwrap();
    // The sidecar has begun to ask for its deadline by then, and gets no answer for a while.
    sleep_until(first - Duration::from_secs(19));
    machine.kill();
    std::thread::sleep(Duration::from_secs(3));
    machine.run(|_| {});
    machine.post(&format!("/sandboxes/{}/extend", sandbox.id), &json!({"ttl_seconds": TTL})).expect(200);

    sleep_until(first + Duration::from_secs(5));
    assert!(now() > first);
    let detail: Value = machine.detail(&sandbox.id);
    assert_eq!(detail["status"], "running", "{detail}");
    assert_eq!(sandbox.exec("echo alive").unwrap()["stdout"], "alive\n");
}

pub(crate) fn tasks_that_cannot_be_known_again_are_an_error_that_says_what_to_do() {
    let mut machine = Machine::start();
    machine.kill();
    let memory = machine.data().join("ecs.db");
    for name in ["ecs.db-wal", "ecs.db-shm"] {
        // Where the last one closed the file they are gone already.
        let _ = fs::remove_file(machine.data().join(name));
    }
    fs::write(&memory, "no database, however long one looks at it").unwrap();
    let unreadable = machine.refused(["--listen", "127.0.0.1:0", "--aws-listen", "127.0.0.1:0"]);
    fs::remove_file(&memory).unwrap();
    let missing = machine.refused(["--listen", "127.0.0.1:0", "--aws-listen", "127.0.0.1:0"]);
    for refused in [unreadable, missing] {
        assert_eq!(refused.code, Some(1), "{refused:?}");
        assert!(refused.said.contains(&machine.data().display().to_string()), "{refused:?}");
        assert!(refused.said.contains("choose another folder with --data"), "{refused:?}");
    }
}
