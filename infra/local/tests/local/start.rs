use std::{
    fs,
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::{
    client::{Request, send},
    machine::Machine,
};

pub(crate) fn is_there(program: &str) -> bool {
    let mut command = Command::new(program);
    command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}

pub(crate) fn the_lines_to_paste_create_wait_for_and_use_a_sandbox() {
    let machine = Machine::start();
    let welcome = machine.stdout();
    let lines: Vec<&str> = welcome.lines().filter(|line| line.contains("curl -s")).collect();
    assert_eq!(lines.len(), 3, "{welcome}");
    assert!(welcome.contains("NO isolation"), "{welcome}");

    let pasted = Command::new("bash").arg("-c").arg(lines.join("\n")).output().unwrap();

    let said = String::from_utf8(pasted.stdout).unwrap();
    let answers: Vec<Value> =
        serde_json::Deserializer::from_str(&said).into_iter().map(Result::unwrap).collect();
    assert_eq!(answers.len(), 2, "{said}");
    assert_eq!(answers[0]["ready"], true, "{said}");
    assert_eq!((&answers[1]["exitCode"], &answers[1]["stdout"]), (&0.into(), &"hello\n".into()), "{said}");
    assert!(pasted.status.success() && pasted.stderr.is_empty());
}

fn status_with(machine: &Machine, token: Option<&str>) -> u16 {
    let request = Request { method: "GET", path: "/sandboxes", bearer: token, ..Request::default() };
    send(machine.api(), &request).unwrap().status
}

pub(crate) fn the_token_is_generated_once_and_kept_for_its_owner() {
    let mut machine = Machine::start();
    let health = Request { method: "GET", path: "/health", ..Request::default() };
    assert_eq!(send(machine.api(), &health).unwrap().expect(200)["status"], "ok");

    let file = machine.data().join("token");
    let first = machine.token.clone();
    assert!(first.starts_with("mbx_") && first.len() == 36);
    assert_eq!(fs::read_to_string(&file).unwrap().trim(), first);
    for kept in ["token", "keys", "functions.env"].map(|name| machine.data().join(name)) {
        assert_eq!(fs::metadata(kept).unwrap().permissions().mode() & 0o777, 0o600);
    }
    assert_eq!(fs::metadata(machine.data()).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(machine.terminate().0.code(), Some(0));

    machine.run(|_| {});
    assert_eq!(machine.token, first);
    assert_eq!(status_with(&machine, Some(&first)), 200);
    assert_eq!(status_with(&machine, None), 401);
}

pub(crate) fn a_token_may_be_given() {
    let mut machine = Machine::new();
    machine.run(|command| {
        command.args(["--token", "mbx_given-by-the-test"]);
    });
    assert_eq!(machine.token, "mbx_given-by-the-test");
    assert_eq!(status_with(&machine, Some("mbx_given-by-the-test")), 200);
    assert_eq!(status_with(&machine, Some("mbx_given-by-the-best")), 401);
    assert!(!machine.data().join("token").exists());
}

pub(crate) fn a_token_that_is_given_replaces_the_one_before() {
    let mut machine = Machine::start();
    let generated = machine.token.clone();
    assert_eq!(machine.terminate().0.code(), Some(0));
    for (given, refused) in [("mbx_given-first", generated.as_str()), ("mbx_given-second", "mbx_given-first")]
    {
        machine.run(|command| {
            command.args(["--token", given]);
        });
        assert_eq!((status_with(&machine, Some(given)), status_with(&machine, Some(refused))), (200, 401));
        assert_eq!(machine.terminate().0.code(), Some(0));
    }
    machine.run(|_| {});
    let another = machine.token.clone();
    assert_eq!(fs::read_to_string(machine.data().join("token")).unwrap().trim(), another);
    let [kept, given, another] =
        [&generated, "mbx_given-second", &another].map(|token| status_with(&machine, Some(token)));
    assert_eq!((kept, given, another), (401, 401, 200), "what was revoked stays revoked");
}

pub(crate) fn a_token_of_another_form_is_a_usage_error_that_does_not_repeat_it() {
    for wrong in ["sbx_hunter2hunter2", "mbx_hunter2 hunter2", "hunter2", "mbx_"] {
        let refused = Machine::new().refused(["--listen", "127.0.0.1:0", "--token", wrong]);
        assert_eq!(refused.code, Some(2), "{refused:?}");
        assert!(refused.said.contains("--token"), "{refused:?}");
        assert!(!refused.said.contains("hunter2"), "{refused:?}");
    }
}

pub(crate) fn an_address_that_is_taken_names_its_flag() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for (flag, other) in [("--listen", "--aws-listen"), ("--aws-listen", "--listen")] {
        let refused = Machine::new().refused([flag, &address, other, "127.0.0.1:0"]);
        assert_eq!(refused.code, Some(1), "{refused:?}");
        assert!(refused.said.contains(&format!("choose another address with {flag}")), "{refused:?}");
    }
}

pub(crate) fn a_data_folder_is_used_by_one_at_a_time() {
    let mut machine = Machine::start();
    let sandbox = machine.create_running(&serde_json::json!({}));
    let refused = machine.refused(["--listen", "127.0.0.1:0", "--aws-listen", "127.0.0.1:0"]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.said.contains("another modbox-local uses the data folder"), "{refused:?}");
    assert!(refused.said.contains("--data"), "{refused:?}");
    assert_eq!(sandbox.exec("echo alive").unwrap()["stdout"], "alive\n");
}

pub(crate) fn a_data_folder_of_another_format_is_refused_and_left_as_it_is() {
    let mut machine = Machine::start();
    machine.terminate();
    let mark = machine.data().join("format");
    assert_eq!(fs::read_to_string(&mark).unwrap(), "1\n");
    fs::write(&mark, "2\n").unwrap();
    let table = fs::read(machine.data().join("modbox.db")).unwrap();

    let refused = machine.refused(["--listen", "127.0.0.1:0", "--aws-listen", "127.0.0.1:0"]);

    assert_eq!(refused.code, Some(1), "{refused:?}");
    for part in ["is of format \"2\"", "knows only 1", "--data", &machine.data().display().to_string()] {
        assert!(refused.said.contains(part), "{part}: {refused:?}");
    }
    assert_eq!(fs::read(machine.data().join("modbox.db")).unwrap(), table);
}

pub(crate) fn each_step_of_a_life_is_a_line_with_the_name() {
    let mut machine = Machine::start();
    let sandbox = machine.create_running(&serde_json::json!({"task_id": "hello"}));
    machine.destroy(&sandbox.id);
    machine.terminate();
    let said = machine.stderr();
    assert!(!said.contains('\x1b'), "no colours where there is no terminal: {said}");
    for step in ["sandbox was accepted", "sandbox is running", "sandbox ended", "task is stopped"] {
        let line = format!(" INFO hello: {step} ");
        assert_eq!(said.lines().filter(|said| said.contains(&line)).count(), 1, "{step}: {said}");
    }
    assert!(said.contains("reason=destroyed"), "{said}");
    assert!(said.contains("preparing the data folder"), "{said}");
}

pub(crate) fn the_help_shows_examples() {
    let shown = Command::new(env!("CARGO_BIN_EXE_modbox-local")).arg("--help").output().unwrap();
    let text = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.status.success());
    for part in ["Examples:", "--retention 7d", "RUST_LOG"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains('\x1b') && text.lines().all(|line| line.len() <= 120), "{text}");
}

const NO_ENGINE: &str = "unix:///nowhere/docker.sock";

pub(crate) fn without_an_engine_sandboxes_are_processes() {
    let mut machine = Machine::new();
    machine.run(|command| {
        command.env_remove("MODBOX_ENGINE").env("DOCKER_HOST", NO_ENGINE);
    });
    assert!(machine.stdout().contains("Sandboxes run as processes of this user"), "{}", machine.stdout());
    let said = machine.stderr();
    assert!(said.contains("sandboxes run as processes: no socket of Docker or Podman is there"), "{said}");
}

pub(crate) fn containers_that_cannot_be_had_are_an_error_that_says_what_to_do() {
    let mut machine = Machine::new();
    for (host, what_to_do) in [(NO_ENGINE, "start one"), ("tcp://127.0.0.1:1", "change DOCKER_HOST")] {
        let refused =
            machine.refused_with(["--listen", "127.0.0.1:0", "--aws-listen", "127.0.0.1:0"], |command| {
                command.env("MODBOX_ENGINE", "container").env("DOCKER_HOST", host);
            });
        assert_eq!(refused.code, Some(1), "{refused:?}");
        assert!(refused.said.contains(what_to_do), "{refused:?}");
        assert!(refused.said.contains("choose --engine process"), "{refused:?}");
    }
}
