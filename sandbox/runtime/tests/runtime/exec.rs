use std::fs;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::world::{World, eventually};

const LIMIT: usize = 1024 * 1024;

#[test]
fn a_command_answers_with_what_it_said_and_how_it_ended() {
    let world = World::start();
    let answer = world.run("echo hello; echo oops >&2; exit 3");
    assert_eq!(answer["exitCode"], 3);
    assert_eq!(answer["stdout"], "hello\n");
    assert_eq!(answer["stderr"], "oops\n");
    assert!(answer["durationMs"].is_u64());
    for flag in ["timedOut", "truncated", "stdoutTruncated", "stderrTruncated"] {
        assert_eq!(answer[flag], false, "{flag}");
    }
}

#[test]
fn a_signalled_command_says_128_and_the_signal() {
    let world = World::start();
    assert_eq!(world.run("kill -KILL $$")["exitCode"], 137);
    assert_eq!(world.run("kill -TERM $$")["exitCode"], 143);
}

#[test]
fn it_is_bash_whatever_the_command_begins_with() {
    let world = World::start();
    assert_eq!(world.run("a=(x y); echo ${a[1]}")["stdout"], "y\n");
    assert_eq!(world.run("-c true")["exitCode"], 127);
    assert_eq!(world.run("")["exitCode"], 0);
}

#[test]
fn stdin_is_empty() {
    let world = World::start();
    assert_eq!(world.run("cat; echo end")["stdout"], "end\n");
}

#[test]
fn a_command_gets_the_environment_without_ours_and_what_is_asked_for() {
    let world = World::with(&[
        ("MODBOX_ACCESS_TOKEN", crate::world::TOKEN),
        ("KEPT", "before"),
        ("CHANGED", "before"),
    ]);
    let request = json!({"command": "env", "env": {"CHANGED": "after", "_NEW1": "a\nb=c", "PATH": "/nowhere:/usr/bin:/bin"}});
    let answer = world.exec(&request).body;
    let text = answer["stdout"].as_str().unwrap();
    for line in ["KEPT=before", "CHANGED=after", "_NEW1=a", "b=c", "PATH=/nowhere:/usr/bin:/bin"] {
        assert!(text.lines().any(|it| it == line), "{line} in {text}");
    }
    let ours: Vec<&str> = text.lines().filter(|line| line.starts_with("MODBOX_")).collect();
    assert_eq!(ours.len(), 1, "{ours:?}");
    assert!(ours[0].starts_with("MODBOX_EXEC_ID=box."), "{ours:?}");
    assert_eq!(world.run("echo ${CHANGED}")["stdout"], "before\n");
}

#[test]
fn it_starts_in_the_workspace_or_where_it_is_told() {
    let world = World::start();
    let workspace = fs::canonicalize(world.workspace()).unwrap();
    assert_eq!(world.run("pwd -P")["stdout"], format!("{}\n", workspace.display()));
    fs::create_dir(world.path("sub")).unwrap();
    let below = json!({"command": "pwd -P", "cwd": "sub"});
    assert_eq!(world.exec(&below).body["stdout"], format!("{}/sub\n", workspace.display()));
    let root = json!({"command": "pwd", "cwd": "/"});
    assert_eq!(world.exec(&root).body["stdout"], "/\n");
}

#[test]
fn files_persist_from_one_command_to_the_next() {
    let world = World::start();
    world.run("echo kept > file");
    assert_eq!(world.run("cat file")["stdout"], "kept\n");
}

#[test]
fn output_beyond_the_limit_is_cut_and_said_to_be() {
    let world = World::start();
    let answer = world.run("head -c 5000000 /dev/zero | tr '\\0' a; echo short >&2; echo done > done");
    assert_eq!(answer["exitCode"], 0);
    assert_eq!(answer["stdout"].as_str().unwrap().len(), LIMIT);
    assert_eq!(answer["stderr"], "short\n");
    assert_eq!((&answer["truncated"], &answer["stdoutTruncated"]), (&json!(true), &json!(true)));
    assert_eq!(answer["stderrTruncated"], false);
    assert_eq!(world.read("done"), "done\n");
}

#[test]
fn exactly_the_limit_is_whole() {
    let world = World::start();
    let answer = world.run("head -c 1048576 /dev/zero | tr '\\0' a >&2");
    assert_eq!(answer["stderr"].as_str().unwrap().len(), LIMIT);
    assert_eq!(answer["truncated"], false);
}

#[test]
fn what_is_not_utf8_is_replaced() {
    let world = World::start();
    assert_eq!(world.run("printf 'a\\xffb'")["stdout"], "a\u{fffd}b");
}

#[test]
fn a_process_in_the_background_neither_holds_the_answer_nor_ends_with_it() {
    let world = World::start();
    let begun = Instant::now();
    let script = "(while [ ! -e go ]; do sleep 0.02; done; echo late; echo later; touch said; exec sleep 60) & echo now";
    assert_eq!(world.run(script)["stdout"], "now\n");
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    // It speaks into a pipe that nobody asks for any more, and lives.
    fs::write(world.path("go"), "").unwrap();
    world.made("said");
    assert!(world.alive() > 0);
}

#[test]
fn what_a_command_left_behind_is_reaped_when_it_ends() {
    let world = World::start();
    world.run("for n in 1 2 3 4 5; do (setsid sleep 0.2 >/dev/null 2>&1 &); done");
    eventually("the end of the orphans", || world.alive() == 0 && world.unreaped() == 0);
}

#[test]
fn orphans_that_end_take_no_exit_code_from_commands() {
    let world = World::start();
    std::thread::scope(|scope| {
        for worker in 0..4 {
            let world = &world;
            scope.spawn(move || {
                for code in 0..10 {
                    let code = worker * 10 + code;
                    let answer = world.run(&format!("(sleep 0.01 &) ; (true &) ; exit {code}"));
                    assert_eq!(answer["exitCode"], code);
                }
            });
        }
    });
    eventually("the end of the orphans", || world.unreaped() == 0);
}

#[test]
fn commands_run_beside_each_other() {
    let world = World::start();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| world.run("while [ ! -e go ]; do sleep 0.01; done; echo went"));
        world.run("touch go");
        assert_eq!(waiting.join().unwrap()["stdout"], "went\n");
    });
}
