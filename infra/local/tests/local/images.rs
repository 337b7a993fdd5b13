use std::time::{Duration, Instant};

use serde_json::json;

use crate::{
    client::PATIENCE,
    machine::Machine,
    podman::{inspect, of_data, podman},
    processes::until,
};

/// The reason of a sandbox whose image cannot run, and that it leaves nothing.
fn reason_of(image: &str) -> String {
    let machine = Machine::start();
    let sandbox = machine.create(&json!({"image": image}));
    let waited = machine.wait(&sandbox.id);
    assert_eq!((&waited["ready"], &waited["status"]), (&false.into(), &"destroyed".into()), "{waited}");
    until(PATIENCE, "nothing is left", || of_data(&machine.data()).is_empty());
    machine.detail(&sandbox.id)["reason"].as_str().unwrap().to_owned()
}

pub(crate) fn an_image_that_cannot_be_pulled_ends_the_sandbox_in_words() {
    // Nobody listens there.
    let reason = reason_of("127.0.0.1:1/nothing:1");
    let expected = "failed: CannotPullContainerError: failed to pull 127.0.0.1:1/nothing:1: Error response from daemon: ";
    assert!(reason.starts_with(expected), "{reason}");
    assert!(reason.contains("connection refused"), "{reason}");
}

pub(crate) fn an_image_that_cannot_be_started_ends_the_sandbox_in_words() {
    // It has tools, and names none of them as what to run.
    let reason = reason_of("localhost/modbox/base:bookworm");
    assert!(reason.starts_with("failed: Cannot"), "{reason}");
    assert!(reason.contains("ContainerError: Error response from daemon: "), "{reason}");
}

pub(crate) fn the_sandbox_image_has_its_tools() {
    let machine = Machine::start();
    let sandbox = machine.create_running(&json!({"ttl_seconds": 600}));
    for tool in ["bash --version", "git --version", "curl --version", "python3 --version", "node --version"] {
        let ran = sandbox.exec(tool).unwrap();
        assert_eq!(ran["exitCode"], 0, "{tool}: {ran}");
    }
    machine.destroy(&sandbox.id);
}

pub(crate) fn the_sidecar_obeys_sigterm_as_process_1() {
    let id = podman(&["run", "--detach", "--network", "none", "modbox/sidecar", "deadline"]);
    // It hears signals from the moment on at which it has threads of its own.
    until(PATIENCE, "it listens", || {
        let pid = inspect(&id)["State"]["Pid"].to_string();
        std::fs::read_dir(format!("/proc/{pid}/task")).is_ok_and(|threads| threads.count() > 1)
    });
    let told = Instant::now();
    podman(&["stop", "--time", "20", &id]);
    assert!(told.elapsed() < Duration::from_secs(10), "{:?}", told.elapsed());
    assert_eq!(inspect(&id)["State"]["ExitCode"], 143);
    podman(&["rm", &id]);
}

pub(crate) fn auto_means_containers_here() {
    let mut machine = Machine::new();
    machine.run(|command| {
        command.env("MODBOX_ENGINE", "auto");
    });
    assert!(machine.stdout().contains("Sandboxes run as containers of Podman"), "{}", machine.stdout());
}
