use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    machine::{Machine, Sandbox},
    podman::{inspect, of_sandbox, podman, with_label},
    processes::until,
};

const GONE_WITHIN: Duration = Duration::from_secs(5);

fn said(sandbox: &Sandbox, command: &str) -> String {
    let answer = sandbox.exec(command).unwrap();
    answer["stdout"].as_str().unwrap().trim().to_owned()
}

pub(crate) fn a_sandbox_has_no_privileges_and_limits_of_its_size() {
    let machine = Machine::start();
    let sandbox = machine.create_running(&json!({}));
    let status = said(&sandbox, "grep -E '^(Cap|NoNewPrivs)' /proc/self/status | tr -s '\\t' ' '");
    let none = "0000000000000000";
    let expected = ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"].map(|set| format!("{set}: {none}"));
    assert_eq!(status, format!("{}\nNoNewPrivs: 1", expected.join("\n")));
    assert_eq!(said(&sandbox, "id -u; pwd"), "10001\n/workspace");
    let refused = said(&sandbox, "touch /etc/x 2>&1; touch /workspace/x /tmp/x /var/tmp/x && echo written");
    assert_eq!(refused, "touch: cannot touch '/etc/x': Read-only file system\nwritten");

    let main = inspect(&of_sandbox(&sandbox.id, "main"));
    let limit = |name: &str| main["HostConfig"][name].as_i64();
    assert_eq!(limit("Memory"), Some(1024 * 1024 * 1024));
    assert_eq!(limit("NanoCpus"), Some(250_000_000));
    assert_eq!(limit("PidsLimit"), Some(1024));
    for sidecar in ["deadline", "ready"] {
        let found = inspect(&of_sandbox(&sandbox.id, sidecar));
        assert_eq!(found["HostConfig"]["ReadonlyRootfs"], true, "{sidecar}");
        assert_eq!(found["EffectiveCaps"].as_array().map_or(0, Vec::len), 0, "{sidecar}");
        assert_eq!(found["HostConfig"]["Memory"], 64 * 1024 * 1024, "{sidecar}");
    }
    machine.destroy(&sandbox.id);
}

pub(crate) fn a_sandbox_cannot_touch_what_ends_it() {
    let machine = Machine::start();
    let sandbox = machine.create_running(&json!({"ttl_seconds": 600}));
    let first = said(&sandbox, "tr '\\0' ' ' </proc/1/cmdline");
    assert_eq!(first, "/modbox-sidecar deadline", "they share their processes");
    let tried = "for s in KILL TERM STOP INT USR1; do kill -$s 1 2>/dev/null && echo $s; done; \
                 cat /proc/1/environ >/dev/null 2>&1 && echo read; echo tried";
    assert_eq!(said(&sandbox, tried), "tried");
    assert_eq!(said(&sandbox, "echo alive"), "alive");
    machine.destroy(&sandbox.id);
}

pub(crate) fn the_containers_of_a_task_are_labelled_and_share_a_network() {
    let machine = Machine::start();
    let sandbox = machine.create_running(&json!({"ttl_seconds": 600}));
    let containers = with_label("modbox.sandbox", &sandbox.id);
    assert_eq!(containers.len(), 3, "{containers:?}");
    let owner = inspect(&of_sandbox(&sandbox.id, "deadline"));
    for name in ["main", "ready"] {
        let found = inspect(&of_sandbox(&sandbox.id, name));
        let labels = &found["Config"]["Labels"];
        assert_eq!(labels["modbox.container"], name);
        assert_eq!(labels["modbox.group"], "incarnation:1");
        assert_eq!(labels["modbox.data"], machine.data().to_str().unwrap());
        let joined = format!("container:{}", owner["Id"].as_str().unwrap());
        assert_eq!(found["HostConfig"]["NetworkMode"], Value::String(joined), "{name}");
    }
    assert_eq!(said(&sandbox, "curl -s -o /dev/null -w '%{http_code}' localhost:8080/"), "200");
    machine.destroy(&sandbox.id);
    until(GONE_WITHIN, "they are gone", || with_label("modbox.sandbox", &sandbox.id).is_empty());
}

pub(crate) fn a_command_that_takes_more_memory_than_there_is_is_killed_alone() {
    let machine = Machine::start();
    let sandbox = machine.create_running(&json!({"ttl_seconds": 600}));
    let greedy = sandbox.exec("python3 -c 'print(len(bytes(1) * (1300 << 20)))'").unwrap();
    assert_eq!((&greedy["exitCode"], &greedy["stdout"]), (&json!(137), &json!("")), "{greedy}");
    assert_eq!(said(&sandbox, "echo alive"), "alive");
    machine.destroy(&sandbox.id);
}

pub(crate) fn sandboxes_have_addresses_of_their_own() {
    let machine = Machine::start();
    let all = [0, 1].map(|_| machine.create_running(&json!({"ttl_seconds": 600})));
    assert_ne!(all[0].address, all[1].address);
    for sandbox in &all {
        assert!(sandbox.address.ip().is_loopback());
        assert_eq!(said(sandbox, "echo $MODBOX_EXEC_ID | cut -d. -f1"), sandbox.id);
    }
    // Nothing that listens on this machine's own loopback network can be reached from inside.
    let own = format!("curl -s -m 2 http://{}/health; echo $?", machine.api());
    assert_eq!(said(&all[0], &own), "7");
}

pub(crate) fn a_main_container_that_is_killed_ends_its_sandbox_with_a_reason() {
    let machine = Machine::start();
    let sandbox = machine.create_running(&json!({"ttl_seconds": 600}));
    let word = sandbox.leave_stubborn_processes();
    podman(&["kill", "--signal", "KILL", &of_sandbox(&sandbox.id, "main")]);
    until(GONE_WITHIN * 2, "it is over", || machine.detail(&sandbox.id)["status"] == "destroyed");
    assert_eq!(machine.detail(&sandbox.id)["reason"], "exited with code 137");
    until(GONE_WITHIN, "nothing is left", || {
        crate::processes::with_word(&word) == 0 && with_label("modbox.sandbox", &sandbox.id).is_empty()
    });
}
