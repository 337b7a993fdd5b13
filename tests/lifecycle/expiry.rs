//! The layers of expiry, each with the others out of action.

use std::time::Duration;

use modbox_tests::{OnStop, Script, World};
use serde_json::json;

use super::{create, create_with, detail, reason, running, status, stored_state};

const TTL: u64 = 60;

async fn short_lived(world: &World, ann: &modbox_tests::Client) -> String {
    let id = create_with(ann, json!({"task_id": "web", "ttl_seconds": TTL})).await;
    world.settle().await;
    assert_eq!(status(ann, &id).await, "running");
    id
}

#[tokio::test(start_paused = true)]
async fn layer_1_the_sidecar_ends_the_task_and_the_row_says_expired() {
    let at_deadline = Duration::from_secs(TTL);
    let script = move |_: &_| {
        Script::default().exit("ready", Duration::from_millis(5), 0).exit("deadline", at_deadline, 124)
    };
    let world = World::build().script(script).start().await;
    let ann = world.user("ann").await;
    let id = short_lived(&world, &ann).await;
    world.pass(at_deadline).await;
    world.settle().await;
    assert!(world.engine.running().is_empty());
    assert_eq!(reason(&ann, &id).await, "expired");
    assert_eq!(stored_state(&world, &id).await, "destroyed");
    assert_eq!(detail(&ann, &id).await["destroyed_at"], detail(&ann, &id).await["expires_at"]);
}

#[tokio::test(start_paused = true)]
async fn layer_2_the_schedule_ends_what_its_sidecar_did_not() {
    let world = World::build().tick_every(Duration::from_secs(1)).start().await;
    let ann = world.user("ann").await;
    let id = short_lived(&world, &ann).await;
    world.pass(Duration::from_secs(TTL + 2)).await;
    assert!(world.engine.running().is_empty(), "nobody called anything, and it still runs");
    assert_eq!(reason(&ann, &id).await, "expired");
}

#[tokio::test(start_paused = true)]
async fn layer_2_ends_a_task_that_ignores_sigterm() {
    let script =
        |_: &_| Script::default().exit("ready", Duration::from_millis(5), 0).on_stop(OnStop::Ignores);
    let world = World::build().script(script).tick_every(Duration::from_secs(1)).start().await;
    let ann = world.user("ann").await;
    short_lived(&world, &ann).await;
    world.pass(Duration::from_secs(TTL + 5)).await;
    assert!(world.engine.running().is_empty());
}

#[tokio::test(start_paused = true)]
async fn layer_3_the_removal_of_a_live_row_stops_its_task() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let id = short_lived(&world, &ann).await;
    world.pass(Duration::from_secs(TTL + 60 * 60 + 2)).await;
    assert_eq!(world.engine.running().len(), 1, "another layer was at work");
    assert!(world.sweep_ttl().await > 0);
    assert!(world.engine.running().is_empty());
    assert_eq!(reason(&ann, &id).await, "expired");
    let told = world.events().into_iter().any(|event| {
        event["detail"]["id"] == *id
            && event["detail-type"] == "Sandbox Ended"
            && event["detail"]["reason"] == "expired"
    });
    assert!(told, "its end was not told");
}

#[tokio::test(start_paused = true)]
async fn layer_4_reads_look_at_the_clock() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let id = short_lived(&world, &ann).await;
    world.pass(Duration::from_secs(TTL)).await;
    assert_eq!(stored_state(&world, &id).await, "running", "something wrote the end");
    let detail = detail(&ann, &id).await;
    assert_eq!((&detail["status"], &detail["reason"]), (&json!("destroyed"), &json!("expired")));
    assert_eq!(detail["sandbox_url"], json!(null));
    assert_eq!(detail["destroyed_at"], detail["expires_at"]);
    assert_eq!(ann.get("/sandboxes?status=running").await.expect(200)["total"], 0);
    assert_eq!(ann.get("/sandboxes?status=destroyed").await.expect(200)["total"], 1);
    assert_eq!(ann.get("/sandboxes/status/web").await.expect(200)["ready"], false);
    let waited = ann.post("/sandboxes/wait", json!({"task_id": "web"})).await.expect(200);
    assert_eq!((&waited["ready"], &waited["reason"]), (&json!(false), &json!("expired")));
    create(&ann, "web").await;
}

#[tokio::test(start_paused = true)]
async fn a_sandbox_without_a_ttl_does_not_expire() {
    let world = World::build().tick_every(Duration::from_secs(10 * 60)).start().await;
    let ann = world.user("ann").await;
    let id = running(&world, &ann, "web").await;
    world.pass(Duration::from_secs(3 * 24 * 60 * 60)).await;
    assert_eq!(status(&ann, &id).await, "running");
    assert_eq!(world.sweep_ttl().await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_shortened_deadline_is_kept_by_the_schedule() {
    let world = World::build().tick_every(Duration::from_secs(1)).start().await;
    let ann = world.user("ann").await;
    let id = running(&world, &ann, "web").await;
    ann.post(&format!("/sandboxes/{id}/extend"), json!({"ttl_seconds": 60})).await.expect(200);
    world.pass(Duration::from_secs(62)).await;
    assert!(world.engine.running().is_empty());
    assert_eq!(reason(&ann, &id).await, "expired");
}
