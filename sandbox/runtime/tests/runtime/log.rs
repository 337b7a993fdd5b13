use serde_json::json;

use crate::world::{World, eventually};

#[test]
fn the_owner_is_told_what_happened_and_nothing_of_what_was_run() {
    let world = World::start();
    world.exec(&json!({"command": "echo hush-out; echo hush-err >&2; exit $CODE", "env": {"CODE": "7", "KEY": "hush-env"}}));
    world.exec(&json!({"command": "sleep 60", "timeout_seconds": 1}));
    world.exec(&json!({"command": 7}));
    eventually("three lines", || world.said().len() == 3);
    let said = world.said();
    assert_eq!(said[0], format!("listening on {}", world.address()));
    assert!(said[1].starts_with("a command finished: exit code 7, ") && said[1].ends_with(" ms"), "{said:?}");
    assert!(said[2].starts_with("a command timed out: exit code 124, "), "{said:?}");
    assert!(!said.concat().contains("hush"), "{said:?}");
}
