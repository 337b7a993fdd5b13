//! How a sandbox ends without anybody asking, and how it ends whenever somebody asks.

use std::time::Duration;

use modbox_local::ecs::StartError;
use modbox_tests::{Fault, Script, Start, World};
use serde_json::json;

use super::{create, reason, running, status, stored_state};

#[tokio::test(start_paused = true)]
async fn a_task_that_exits_ends_its_sandbox_with_the_code() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let id = running(&world, &ann, "web").await;
    let arn = world.engine.running().pop().unwrap();
    assert!(world.engine.end(&arn, "main", 3));
    world.settle().await;
    assert_eq!(reason(&ann, &id).await, "exited with code 3");
    create(&ann, "web").await;
}

#[tokio::test(start_paused = true)]
async fn a_task_that_cannot_start_ends_its_sandbox_and_its_wait_with_the_reason() {
    let why = "CannotPullContainerError: no such image";
    let world = World::build()
        .script(move |_| Script::default().start(Start::Fails(StartError::new(why))))
        .start()
        .await;
    let ann = world.user("ann").await;
    let id = create(&ann, "web").await;
    let waited = ann.post("/sandboxes/wait", json!({"task_id": "web", "timeout": 600})).await.expect(200);
    assert!(waited["reason"].as_str().unwrap().contains(why), "{waited}");
    assert!(waited["elapsed_seconds"].as_f64().unwrap() < 3.0, "{waited}");
    assert!(reason(&ann, &id).await.contains(why));
}

#[tokio::test(start_paused = true)]
async fn a_task_that_is_never_ready_fails_at_the_time_limit_and_is_stopped() {
    let world = World::build().script(|_| Script::default()).tick_every(Duration::from_secs(1)).start().await;
    let ann = world.user("ann").await;
    let id = create(&ann, "web").await;
    world.pass(Duration::from_secs(299)).await;
    assert_eq!(status(&ann, &id).await, "provisioning");
    world.pass(Duration::from_secs(5)).await;
    assert_eq!(reason(&ann, &id).await, "failed: the task was not ready within 300 seconds");
    assert!(world.engine.running().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_task_that_vanishes_is_found_missing() {
    let world = World::build().tick_every(Duration::from_secs(60)).start().await;
    let ann = world.user("ann").await;
    let id = running(&world, &ann, "web").await;
    // Its end was never told, and nobody asked until ECS had forgotten it, an hour later.
    world.faults.set(|call| match (call.caller, call.operation) {
        ("observer", "GetItem") | ("reaper", "DescribeTasks") => Fault::down(),
        _ => Fault::None,
    });
    let arn = world.engine.running().pop().unwrap();
    world.engine.end(&arn, "main", 0);
    world.pass(Duration::from_secs(2 * 60 * 60)).await;
    assert_eq!(status(&ann, &id).await, "running");
    world.faults.set(|call| match (call.caller, call.operation) {
        ("observer", "GetItem") => Fault::down(),
        _ => Fault::None,
    });
    world.pass(Duration::from_secs(2 * 60 * 60)).await;
    assert_eq!(reason(&ann, &id).await, "lost: ECS does not know its task any more");
}

#[tokio::test(start_paused = true)]
async fn a_destroy_is_accepted_at_any_moment_and_nothing_runs_after_it() {
    let world = World::build().tick_every(Duration::from_secs(1)).start().await;
    let ann = world.user("ann").await;
    for millis in (0..220).step_by(5) {
        let id = create(&ann, "web").await;
        world.pass(Duration::from_millis(millis)).await;
        let destroyed = ann.delete(&format!("/sandboxes/{id}")).await.expect(200);
        assert_eq!(destroyed, json!({"success": true, "error": null}));
        for _ in 0..30 {
            assert_eq!(status(&ann, &id).await, "destroyed", "after {millis} ms");
            world.pass(Duration::from_millis(10)).await;
        }
        world.pass(Duration::from_secs(1)).await;
        assert!(world.engine.running().is_empty(), "destroyed after {millis} ms, and its task runs");
    }
    world.pass(Duration::from_secs(10 * 60)).await;
    let states: Vec<_> = world
        .items()
        .into_values()
        .filter_map(|item| item["state"]["S"].as_str().map(ToOwned::to_owned))
        .collect();
    assert!(states.iter().all(|state| state == "destroyed"), "{states:?}");
}

#[tokio::test(start_paused = true)]
async fn two_destroys_at_once_both_succeed() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let id = running(&world, &ann, "web").await;
    let path = format!("/sandboxes/{id}");
    let answers = futures::future::join_all((0..8).map(|_| ann.delete(&path))).await;
    assert!(answers.iter().all(|answer| answer.status == 200));
    world.settle().await;
    assert_eq!(stored_state(&world, &id).await, "destroyed");
}

#[tokio::test(start_paused = true)]
async fn a_killed_sandbox_says_so() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let id = running(&world, &ann, "web").await;
    ann.post(&format!("/sandboxes/{id}/kill"), json!({})).await.expect(200);
    ann.delete(&format!("/sandboxes/{id}")).await.expect(200);
    world.settle().await;
    assert_eq!(reason(&ann, &id).await, "killed");
    assert!(world.engine.running().is_empty());
}
