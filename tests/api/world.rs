//! The world itself, before anything is believed that happens in it.

use std::time::Duration;

use modbox_tests::{Fault, World};
use serde_json::json;

#[tokio::test(start_paused = true)]
async fn a_sandbox_becomes_ready_and_is_gone_when_destroyed() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let id = ann.post("/sandboxes", json!({"task_id": "one"})).await.expect(201)["sandbox_id"].clone();
    let id = id.as_str().unwrap();
    world.settle().await;
    assert_eq!(ann.get(&format!("/sandboxes/{id}")).await.expect(200)["status"], "running");
    assert_eq!(world.engine.running().len(), 1);
    ann.delete(&format!("/sandboxes/{id}")).await.expect(200);
    world.settle().await;
    assert_eq!(world.engine.running().len(), 0);
    assert_eq!(world.task(id).await["lastStatus"], "STOPPED");
    assert!(world.dead_letters().is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_clock_and_whatever_sleeps_go_together() {
    let world = World::start().await;
    let before = world.now();
    world.pass(Duration::from_secs(24 * 60 * 60)).await;
    assert_eq!(world.clock.now().since(before), Duration::from_secs(24 * 60 * 60));
}

#[tokio::test(start_paused = true)]
async fn one_seed_gives_one_run() {
    let run = async |seed| {
        let world = World::build().seed(seed).start().await;
        let ann = world.user("ann").await;
        ann.post("/sandboxes", json!({})).await.expect(201);
        world.settle().await;
        (world.items(), world.calls(), world.events(), world.now())
    };
    assert_eq!(run(7).await, run(7).await);
    assert_ne!(run(7).await.0, run(8).await.0);
}

#[tokio::test(start_paused = true)]
async fn a_fault_strikes_as_often_as_it_was_told_to() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    world.faults.next(("launcher", "RunTask"), 3, Fault::down());
    ann.post("/sandboxes", json!({})).await.expect(201);
    world.settle().await;
    assert_eq!(world.engine.started(), 1);
    assert_eq!(world.calls()[&("launcher".to_owned(), "RunTask".to_owned())], 4);
}
