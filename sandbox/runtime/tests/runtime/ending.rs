use std::io::ErrorKind;
use std::net::Shutdown;
use std::time::{Duration, Instant};

use rustix::process::{Signal, kill_process};
use serde_json::json;

use crate::world::{TOKEN, World, eventually};

/// Runs a command that will not end by itself.
fn runs_out(world: &World, command: &str) -> serde_json::Value {
    let begun = Instant::now();
    let answer = world.exec(&json!({"command": command, "timeout_seconds": 1}));
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!((&answer.body["timedOut"], &answer.body["exitCode"]), (&json!(true), &json!(124)));
    let took = begun.elapsed();
    assert!((Duration::from_millis(990)..Duration::from_secs(4)).contains(&took), "{took:?}");
    answer.body
}

#[test]
fn a_command_that_outlives_its_time_ends_and_what_it_said_is_kept() {
    let world = World::start();
    let answer = runs_out(&world, "echo before; echo why >&2; exec sleep 60");
    assert_eq!((&answer["stdout"], &answer["stderr"]), (&json!("before\n"), &json!("why\n")));
    assert!(answer["durationMs"].as_u64().unwrap() >= 1000);
    assert_eq!(world.alive(), 0);
}

#[test]
fn all_that_it_started_ends_with_it() {
    let world = World::start();
    runs_out(
        &world,
        "trap '' TERM HUP; sleep 60 & setsid sleep 60 & (setsid bash -c 'sleep 60 & sleep 60 & exit' &)
         setsid bash -c 'trap \"\" TERM; while :; do sleep 0.1; done' & env -i sleep 60 & wait",
    );
    assert_eq!(world.alive(), 0);
    eventually("reaping", || world.unreaped() == 0);
}

#[test]
fn what_forks_all_the_time_ends_with_it() {
    let world = World::start();
    runs_out(&world, "while :; do (setsid sleep 30 &); sleep 0.005; done");
    assert_eq!(world.alive(), 0);
}

#[test]
fn what_speaks_all_the_time_ends_on_time() {
    let world = World::start();
    let answer = runs_out(&world, "yes");
    assert_eq!(answer["truncated"], true);
    assert_eq!(world.alive(), 0);
}

#[test]
fn other_commands_and_what_they_left_behind_live_on() {
    let world = World::start();
    world.run("(setsid sleep 60 >/dev/null 2>&1 &)");
    std::thread::scope(|scope| {
        let other = scope.spawn(|| world.run("touch up; while [ ! -e go ]; do sleep 0.01; done; echo whole"));
        world.made("up");
        runs_out(&world, "(setsid sleep 60 &); sleep 60");
        std::fs::write(world.path("go"), "").unwrap();
        let answer = other.join().unwrap();
        assert_eq!((&answer["stdout"], &answer["exitCode"]), (&json!("whole\n"), &json!(0)));
    });
    assert_eq!(world.alive(), 1);
}

#[test]
fn a_client_that_goes_ends_its_command_and_no_other() {
    let world = World::start();
    world.run("(setsid sleep 60 >/dev/null 2>&1 &)");
    let request = json!({"command": "(setsid sleep 60 &); touch up; sleep 60; touch never"}).to_string();
    let connection =
        world.send("POST /modbox/api/exec", Some(&format!("Bearer {TOKEN}")), request.as_bytes());
    world.made("up");
    connection.shutdown(Shutdown::Both).unwrap();
    drop(connection);
    eventually("the end of the command", || world.alive() == 1);
    eventually("reaping", || world.unreaped() == 0);
    assert_eq!(world.run("echo still here")["stdout"], "still here\n");
}

#[test]
fn sigterm_ends_it_at_once_while_a_command_runs() {
    let mut world = World::start();
    let request = json!({"command": "touch up; sleep 60"}).to_string();
    let _busy = world.send("POST /modbox/api/exec", Some(&format!("Bearer {TOKEN}")), request.as_bytes());
    world.made("up");
    let asked = Instant::now();
    kill_process(world.pid(), Signal::TERM).unwrap();
    let mut status = None;
    eventually("the end of the runtime", || {
        status = world.child().try_wait().unwrap();
        status.is_some()
    });
    assert_eq!(status.unwrap().code(), Some(143));
    assert!(asked.elapsed() < Duration::from_millis(800), "{:?}", asked.elapsed());
    let refused = std::net::TcpStream::connect(world.address()).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
}
