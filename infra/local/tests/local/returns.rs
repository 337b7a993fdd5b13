//! What is there again after `modbox-local`, or the engine, was away.

use std::time::Duration;

use serde_json::json;

use crate::{
    aws::running_tasks,
    client::PATIENCE,
    machine::{Machine, Sandbox},
    podman::{Service, of_data, of_sandbox, podman},
    processes::{self, until},
};

fn said(sandbox: &Sandbox, command: &str) -> String {
    sandbox.exec(command).unwrap()["stdout"].as_str().unwrap().to_owned()
}

pub(crate) fn a_sandbox_lives_on_with_its_address_and_its_token() {
    let mut machine = Machine::start();
    let sandbox = machine.create_running(&json!({"task_id": "kept", "ttl_seconds": 600}));
    said(&sandbox, "echo before > file");
    let (before, tasks) = (machine.detail(&sandbox.id), running_tasks(&machine));
    for _ in 0..2 {
        machine.kill();
        assert_eq!(said(&sandbox, "cat file"), "before\n", "it needs no control plane");
        machine.run(|_| {});
        assert_eq!(machine.detail(&sandbox.id), before, "the first answer of all");
        assert_eq!(machine.wait(&sandbox.id)["ready"], true);
        assert_eq!(running_tasks(&machine), tasks);
        // The schedule has come round: what it repairs it must not end.
        std::thread::sleep(Duration::from_millis(1_500));
        assert_eq!(machine.detail(&sandbox.id), before);
        assert_eq!(said(&sandbox, "cat file"), "before\n");
    }
    machine.destroy(&sandbox.id);
    until(PATIENCE, "nothing is left", || {
        of_data(&machine.data()).is_empty() && running_tasks(&machine).is_empty()
    });
    assert!(sandbox.refuses());
}

pub(crate) fn what_ended_meanwhile_is_said_to_be_over() {
    let mut machine = Machine::start();
    let [kept, killed, removed] = [0, 1, 2].map(|_| machine.create_running(&json!({"ttl_seconds": 600})));
    machine.kill();
    podman(&["kill", "--signal", "KILL", &of_sandbox(&killed.id, "main")]);
    for name in ["main", "ready", "deadline"] {
        podman(&["rm", "--force", "--time", "0", &of_sandbox(&removed.id, name)]);
    }
    machine.run(|_| {});

    for (sandbox, reason) in [(&killed, "exited with code 137"), (&removed, "modbox-local was restarted")] {
        until(PATIENCE, "its row says that it is over", || {
            machine.detail(&sandbox.id)["status"] == "destroyed"
        });
        let detail = machine.detail(&sandbox.id);
        assert!(detail["reason"].as_str().unwrap().contains(reason), "{detail}");
    }
    assert_eq!(machine.detail(&kept.id)["status"], "running");
    assert_eq!(said(&kept, "echo alive"), "alive\n");
    until(PATIENCE, "of the others nothing is left", || of_data(&machine.data()).len() == 3);
}

pub(crate) fn what_nobody_knows_is_swept() {
    let mut machine = Machine::start();
    machine.kill();
    let data = format!("modbox.data={}", machine.data().display());
    let unknown = ["--label", &data, "--label", "modbox.task=00ff", "--network", "none"];
    podman(&[&["run", "--detach"][..], &unknown, &["modbox/sidecar", "deadline"]].concat());
    assert_eq!(of_data(&machine.data()).len(), 1);
    machine.run(|_| {});
    assert!(of_data(&machine.data()).is_empty());
    assert!(machine.stderr().contains("what was left of tasks of an earlier run was ended"));
}

pub(crate) fn what_runs_is_not_given_up_for_another_engine() {
    let mut machine = Machine::new();
    for engine in ["process", "container"] {
        machine.run(|command| {
            command.env("MODBOX_ENGINE", engine);
        });
        let sandbox = machine.create_running(&json!({"ttl_seconds": 600}));
        machine.kill();
        machine.run(|command| {
            command.env("MODBOX_ENGINE", "auto");
        });
        let welcome =
            format!("Sandboxes run as {}", if engine == "process" { "processes" } else { "containers" });
        assert!(machine.stdout().contains(&welcome), "{}", machine.stdout());
        assert_eq!(machine.detail(&sandbox.id)["status"], "running");
        assert_eq!(said(&sandbox, "echo alive"), "alive\n");
        if engine == "process" {
            machine.terminate();
        }
    }
    machine.kill();
    let refused =
        machine.refused_with(["--listen", "127.0.0.1:0", "--aws-listen", "127.0.0.1:0"], |command| {
            command.env("MODBOX_ENGINE", "auto").env("DOCKER_HOST", "unix:///nowhere/docker.sock");
        });
    assert!(refused.said.contains("failed to run containers"), "{refused:?}");
}

pub(crate) fn what_the_other_engine_has_left_is_ended() {
    let mut machine = Machine::new();
    let mut before = Vec::new();
    for engine in ["process", "container", "process"] {
        machine.run(|command| {
            command.env("MODBOX_ENGINE", engine);
        });
        for sandbox in &before as &Vec<Sandbox> {
            let over = || machine.detail(&sandbox.id)["status"] == "destroyed";
            until(PATIENCE, "the one before is over", over);
            until(PATIENCE, "and gone", || sandbox.processes() == 0);
        }
        before.push(machine.create_running(&json!({"ttl_seconds": 600})));
        assert_eq!(of_data(&machine.data()).is_empty(), engine == "process");
        machine.kill();
    }
}

pub(crate) fn an_engine_that_is_gone_fails_a_create_in_words_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut service = Service::start(folder.path());
    let mut machine = Machine::new();
    machine.run(|command| {
        command.env("DOCKER_HOST", service.host());
    });
    let kept = machine.create_running(&json!({"ttl_seconds": 600}));
    service.stop();

    let refused = machine.create(&json!({"ttl_seconds": 600}));
    let waited = machine.wait(&refused.id);
    let reason = waited["reason"].as_str().unwrap_or_default();
    assert!(reason.contains("the container engine does not answer"), "{waited}");
    assert_eq!(said(&kept, "echo alive"), "alive\n");

    machine.destroy(&kept.id);
    service.start_again();
    until(PATIENCE, "it is gone in the end", || of_data(&machine.data()).is_empty());
    assert_eq!(processes::of_sandbox(&kept.id, "").len(), 0);
}
