use std::{process::ExitStatus, time::Duration};

use serde_json::json;

use crate::{
    machine::{Machine, Sandbox},
    processes,
};

const ENDS_WITHIN: Duration = Duration::from_secs(5);

pub(crate) fn sigterm_ends_every_task() {
    ends_every_task(Machine::terminate);
}

pub(crate) fn an_interrupt_ends_every_task() {
    ends_every_task(Machine::interrupt);
}

fn ends_every_task(end: impl FnOnce(&mut Machine) -> (ExitStatus, Duration)) {
    let mut machine = Machine::start();
    let mut sandboxes: Vec<Sandbox> = (0..4).map(|_| machine.create_running(&json!({}))).collect();
    let word = sandboxes[0].leave_stubborn_processes();
    // One whose task does not run yet.
    sandboxes.push(machine.create(&json!({})));

    let (status, took) = end(&mut machine);

    assert_eq!(processes::with_word(&word), 0);
    assert!(processes::of(&machine.data()).is_empty());
    assert_eq!(status.code(), Some(0), "{}", machine.stderr());
    assert!(took < ENDS_WITHIN, "{took:?}");

    machine.run(|_| {});
    let (new, old) = sandboxes.split_last().unwrap();
    for sandbox in old {
        let detail = machine.detail(&sandbox.id);
        assert_eq!(detail["status"], "destroyed", "{detail}");
        let reason = detail["reason"].as_str().unwrap();
        assert!(reason.contains("modbox-local was stopped"), "{reason}");
    }
    // It was stopped too, or is launched now: in no case is it forgotten.
    let waited = machine.wait(&new.id);
    assert!(waited["status"] == "destroyed" || waited["ready"] == true, "{waited}");
}
