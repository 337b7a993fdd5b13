use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::json;

use crate::{
    client::{Request, send},
    machine::{Machine, Sandbox},
};

/// Part of every secret that this test makes up.
const MARK: &str = "hunter2";

pub(crate) fn no_secret_is_in_a_log_or_rests_readable() {
    let mut machine = Machine::new();
    machine.run(|command| {
        command.env("RUST_LOG", "debug");
    });
    let sandbox = use_secrets(&machine);
    let keys = fs::read_to_string(machine.data().join("keys")).unwrap();
    let token = machine.token.clone();
    let mut secrets = vec![MARK, &sandbox.access_token, &token];
    secrets.extend(keys.trim().split([':', ',']).filter(|part| part.len() > 8));

    for file in files_below(&machine.data()) {
        let is_for_it =
            ["token", "keys", "functions.env"].map(|name| machine.data().join(name)).contains(&file);
        if !is_for_it {
            assert_no_secret(&file.display().to_string(), &fs::read(&file).unwrap_or_default(), &secrets);
        }
    }
    machine.destroy(&sandbox.id);
    machine.terminate();
    let said = machine.stderr();
    assert!(said.contains(&sandbox.id), "the log is read");
    assert_no_secret("stderr", said.as_bytes(), &secrets);
    let welcome = machine.stdout();
    let with_token = welcome.lines().filter(|line| line.contains(&token));
    assert_eq!(with_token.count(), 3, "where it is told, created and waited: {welcome}");
    assert_no_secret("stdout", welcome.replace(&token, "").as_bytes(), &secrets);
}

/// Sends secrets to wherever they may go, rightly and wrongly.
fn use_secrets(machine: &Machine) -> Sandbox {
    let env = json!({"SECRET": format!("env-{MARK}")});
    let sandbox = machine.create_running(&json!({"env_vars": env}));
    assert_eq!(sandbox.exec("echo $SECRET").unwrap()["stdout"], format!("env-{MARK}\n"));
    sandbox.exec(&format!("echo output-{MARK}; echo error-{MARK} >&2; exit 3")).unwrap();

    let own = json!({"SANDBOX_API_KEY": format!("own-{MARK}")});
    let with_own = machine.create_running(&json!({"env_vars": own}));
    assert_eq!(with_own.access_token, format!("own-{MARK}"));
    assert_eq!(with_own.exec("true").unwrap()["exitCode"], 0);
    machine.destroy(&with_own.id);

    let failing = machine.create(&json!({"image": "python:3.12", "env_vars": env}));
    assert_eq!(machine.wait(&failing.id)["ready"], false);
    let wrong_type = json!({"ttl_seconds": format!("body-{MARK}"), "env_vars": format!("body-{MARK}")});
    assert_eq!(machine.post("/sandboxes", &wrong_type).status, 422);
    let nul = json!({"env_vars": {"A": format!("nul-{MARK}\0")}});
    assert_eq!(machine.post("/sandboxes", &nul).status, 422);
    for bearer in [format!("mbx_{MARK}{MARK}"), format!("sbx_{MARK}")] {
        let bearer = Some(bearer.as_str());
        let request = Request { method: "GET", path: "/sandboxes", bearer, ..Request::default() };
        assert_eq!(send(machine.api(), &request).unwrap().status, 401);
    }
    sandbox
}

fn assert_no_secret(place: &str, text: &[u8], secrets: &[&str]) {
    for (number, secret) in secrets.iter().enumerate() {
        let at = text.windows(secret.len()).position(|part| part == secret.as_bytes());
        let Some(at) = at else { continue };
        let before = String::from_utf8_lossy(&text[at.saturating_sub(300)..at]);
        panic!("secret {number} is in {place}, after: {before}");
    }
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let (mut files, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        // A task's folder may go meanwhile.
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                _ => files.push(entry.path()),
            }
        }
    }
    files
}
