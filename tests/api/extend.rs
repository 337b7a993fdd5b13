//! POST /sandboxes/{sandbox_id}/extend.

use std::time::Duration;

use modbox_tests::{Fault, World};
use serde_json::json;

#[tokio::test(start_paused = true)]
async fn a_deadline_moves_to_so_many_seconds_from_now() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let id = ann.create(json!({"task_id": "one", "ttl_seconds": 600})).await;
    world.settle().await;
    for (sandbox, seconds) in [(id.as_str(), 3_600), ("one", 120), (&id, 60), (&id, 86_400)] {
        world.pass(Duration::from_secs(1)).await;
        let answer = ann.post(&format!("/sandboxes/{sandbox}/extend"), json!({"ttl_seconds": seconds})).await;
        assert_eq!(answer.expect(200), ann.detail(&id).await);
        let expected = world.now() + Duration::from_secs(seconds);
        assert_eq!(world.row(&id).await.sandbox.expires_at, Some(expected));
    }
}

#[tokio::test(start_paused = true)]
async fn an_extended_sandbox_outlives_its_first_deadline_and_keeps_its_name() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    ann.create(json!({"task_id": "one", "ttl_seconds": 60})).await;
    world.settle().await;
    ann.post("/sandboxes/one/extend", json!({"ttl_seconds": 600})).await.expect(200);
    world.pass(Duration::from_secs(120)).await;
    world.tick().await;
    assert_eq!(ann.detail("one").await["status"], "running");
    ann.post("/sandboxes", json!({"task_id": "one"})).await.expect(409);
}

#[tokio::test(start_paused = true)]
async fn a_shortened_sandbox_ends_earlier_and_frees_its_name() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let id = ann.create(json!({"task_id": "one", "ttl_seconds": 600})).await;
    world.settle().await;
    ann.post("/sandboxes/one/extend", json!({"ttl_seconds": 60})).await.expect(200);
    world.pass(Duration::from_secs(60)).await;
    assert_eq!(ann.detail(&id).await["reason"], "expired");
    ann.create(json!({"task_id": "one"})).await;
}

#[tokio::test(start_paused = true)]
async fn a_sandbox_without_a_deadline_can_be_given_one() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let id = ann.create(json!({})).await;
    let answer = ann.post(&format!("/sandboxes/{id}/extend"), json!({"ttl_seconds": 60})).await.expect(200);
    assert_eq!(answer["status"], "provisioning");
    assert!(answer["expires_at"].is_string());
    world.pass(Duration::from_secs(60)).await;
    assert_eq!(ann.detail(&id).await["status"], "destroyed");
}

#[tokio::test(start_paused = true)]
async fn what_is_over_stays_over() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let destroyed = ann.create(json!({})).await;
    let expired = ann.create(json!({"ttl_seconds": 60})).await;
    ann.delete(&format!("/sandboxes/{destroyed}")).await.expect(200);
    world.settle().await;
    world.pass(Duration::from_secs(60)).await;
    for id in [destroyed, expired] {
        // Whoever first finds that a deadline has passed writes the end.
        assert_eq!(ann.detail(&id).await["status"], "destroyed");
        let before = world.items();
        let answer = ann.post(&format!("/sandboxes/{id}/extend"), json!({"ttl_seconds": 600})).await;
        answer.expect(409);
        assert_eq!(answer.code(), "conflict");
        assert_eq!(ann.detail(&id).await["status"], "destroyed");
        assert_eq!(world.items(), before);
    }
}

#[tokio::test(start_paused = true)]
async fn the_seconds_are_required_and_bounded() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let id = ann.create(json!({})).await;
    world.settle().await;
    let before = world.items();
    for body in [
        json!({}),
        json!({"ttl_seconds": null}),
        json!({"ttl_seconds": 59}),
        json!({"ttl_seconds": 86_401}),
        json!({"ttl_seconds": "60"}),
        json!({"ttl_seconds": 60.5}),
    ] {
        let answer = ann.post(&format!("/sandboxes/{id}/extend"), body).await;
        answer.expect(422);
        assert_eq!(answer.fields(), ["body.ttl_seconds"]);
    }
    assert_eq!(world.items(), before);
}

#[tokio::test(start_paused = true)]
async fn what_was_never_there_is_not_found() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let answer = ann.post("/sandboxes/nobody/extend", json!({"ttl_seconds": 60})).await;
    answer.expect(404);
    assert_eq!(answer.code(), "sandbox_not_found");
}

#[tokio::test(start_paused = true)]
async fn in_the_last_five_seconds_a_deadline_is_not_moved_away() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let id = ann.create(json!({"task_id": "one", "ttl_seconds": 60})).await;
    world.settle().await;
    let left = world.row(&id).await.sandbox.expires_at.unwrap().since(world.now());
    world.pass(left - Duration::from_millis(4_900)).await;
    let before = world.items();
    let answer = ann.post("/sandboxes/one/extend", json!({"ttl_seconds": 600})).await;
    answer.expect(409);
    assert_eq!(answer.code(), "conflict");
    assert_eq!(world.items(), before);
    assert_eq!(ann.detail(&id).await["status"], "running");
}

#[tokio::test(start_paused = true)]
async fn an_extension_that_cannot_be_written_in_time_is_given_up() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let id = ann.create(json!({"task_id": "one", "ttl_seconds": 60})).await;
    world.settle().await;
    let left = world.row(&id).await.sandbox.expires_at.unwrap().since(world.now());
    world.pass(left - Duration::from_millis(5_500)).await;
    world.faults.next(("api", "TransactWriteItems"), 10, Fault::Hangs);
    let asked = world.now();
    let answer = ann.post("/sandboxes/one/extend", json!({"ttl_seconds": 600})).await;
    answer.expect(503);
    assert!(world.now().since(asked) <= Duration::from_millis(600), "{:?}", world.now().since(asked));
    world.faults.clear();
    world.pass(Duration::from_secs(6)).await;
    assert_eq!(ann.detail(&id).await["reason"], "expired");
}

#[tokio::test(start_paused = true)]
async fn whoever_is_told_of_an_end_by_the_clock_has_it_written() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let reads = [
        "/sandboxes/{id}",
        "/sandboxes/one",
        "/sandboxes",
        "/sandboxes?status=running",
        "/sandboxes/status/one",
    ];
    for path in reads {
        let id = ann.create(json!({"task_id": "one", "ttl_seconds": 60})).await;
        world.settle().await;
        world.pass(Duration::from_secs(60)).await;
        assert!(world.row(&id).await.sandbox.is_live(), "something wrote the end");
        ann.get(&path.replace("{id}", &id)).await.expect(200);
        assert!(!world.row(&id).await.sandbox.is_live(), "{path}");
        let (answer, calls) = world.counting("api", ann.get(&path.replace("{id}", &id))).await;
        answer.expect(200);
        assert!(!calls.contains_key("TransactWriteItems"), "{path}: it is written once");
    }
    let id = ann.create(json!({"task_id": "two", "ttl_seconds": 60})).await;
    world.settle().await;
    world.pass(Duration::from_secs(60)).await;
    world.sidecar(&id).get(&format!("/sandboxes/{id}/deadline")).await.expect(200);
    assert!(!world.row(&id).await.sandbox.is_live(), "its sidecar ends the task");
}
