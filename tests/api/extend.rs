//! POST /sandboxes/{sandbox_id}/extend.

use std::time::Duration;

use modbox_tests::World;
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
