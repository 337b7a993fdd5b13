use std::collections::BTreeMap;

use serde_json::json;

use crate::{machine::Machine, processes};

pub(crate) fn a_command_sees_the_environment_that_was_given_and_no_other() {
    let mut machine = Machine::new();
    machine.run(|command| {
        command.env("OF_MODBOX_LOCAL", "seen-nowhere").env("MODBOX_DATA", "/nowhere");
    });
    let sandbox =
        machine.create_running(&json!({"env_vars": {"GIVEN": "a b\n=c", "EMPTY": "", "NULL": null}}));

    let answer = sandbox.exec("env --null").unwrap();
    let said = answer["stdout"].as_str().unwrap();
    let seen: BTreeMap<&str, &str> =
        said.split_terminator('\0').map(|entry| entry.split_once('=').unwrap()).collect();

    // Beside what was given: PWD, SHLVL and _ of bash; the token of this very sandbox; and what tells the processes
    // of one command from another's.
    let names: Vec<&str> = seen.keys().copied().collect();
    assert_eq!(
        names,
        ["EMPTY", "GIVEN", "HOME", "LANG", "MODBOX_EXEC_ID", "PATH", "PWD", "SANDBOX_API_KEY", "SHLVL", "_"],
        "{said}"
    );
    assert_eq!((seen["GIVEN"], seen["EMPTY"]), ("a b\n=c", ""));
    assert_eq!(seen["SANDBOX_API_KEY"], sandbox.access_token);
    assert_eq!(seen["HOME"], seen["PWD"]);
    assert!(seen["HOME"].starts_with(machine.data().to_str().unwrap()), "{said}");
    assert!(seen["MODBOX_EXEC_ID"].starts_with(&format!("{}.", sandbox.id)), "{said}");

    let of_task = processes::of(&machine.data());
    assert!(of_task.len() >= 2, "the sidecar and the runtime");
    for process in of_task {
        let foreign = |entry: &[u8]| entry.starts_with(b"OF_MODBOX_LOCAL=");
        let inherited = modbox_sidecar::tree::marked(process.pid, foreign);
        // `modbox-local` itself has it, and names the folder in its arguments only.
        assert!(!inherited, "{:?}", processes::command_line(&process));
    }
}
