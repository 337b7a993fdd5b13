use serde_json::{Value, json};

use crate::{
    client::PATIENCE,
    machine::{Machine, Sandbox},
    processes,
};

pub(crate) fn a_sandbox_shows_what_happens_in_it_and_what_it_uses() {
    let machine = Machine::start();
    let sandbox = machine.create_running(&json!({"task_id": "watched"}));
    sandbox.exec("exit 7").unwrap();
    processes::until(PATIENCE, "a first sample", || cpu(&machine, &sandbox).is_some());
    let before = cpu(&machine, &sandbox).unwrap();
    // It ends when it has had the processor for two seconds by the kernel's ticks, however long that takes. What is
    // shown is time that was measured: beside others that want the processor it may be a good deal less.
    sandbox.exec("bash -c 'ulimit -t 2; while :; do :; done'; true").unwrap();
    processes::until(PATIENCE, "a second of it", || cpu(&machine, &sandbox).unwrap() >= before + 0.9);
    assert!(look(&machine, &sandbox)["metrics"][0]["memory_usage"].as_u64().unwrap() > 1_000_000);
    let lines = lines(&look(&machine, &sandbox));
    let listening = format!("listening on {}", sandbox.listens_on());
    assert!(lines.len() == 3 && lines[0] == listening, "{lines:?}");
    assert!(lines[1].starts_with("a command finished: exit code 7, "), "{lines:?}");
    assert!(lines[2].starts_with("a command finished: exit code 0, "), "{lines:?}");

    machine.destroy(&sandbox.id);
    processes::until(PATIENCE, "its folder is gone", || machine.folders() == 0 && sandbox.processes() == 0);
    let after = look(&machine, &sandbox);
    assert_eq!(self::lines(&after), lines);
    assert!(after["metrics"].as_array().unwrap().len() >= 2, "{after}");
}

fn look(machine: &Machine, sandbox: &Sandbox) -> Value {
    let answer = machine.get(&format!("/sandboxes/{}/monitoring", sandbox.id)).expect(200);
    assert_eq!(answer["sandbox_name"], "watched");
    answer
}

/// What the newest sample says.
fn cpu(machine: &Machine, sandbox: &Sandbox) -> Option<f64> {
    look(machine, sandbox)["metrics"].as_array().unwrap().last()?["cpu_usage"].as_f64()
}

fn lines(answer: &Value) -> Vec<String> {
    let entries = answer["logs"].as_array().unwrap().iter();
    entries.map(|entry| entry["log"].as_str().unwrap().to_owned()).collect()
}
