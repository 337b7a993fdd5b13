//! POST /sandboxes/{sandbox_id}/kill.

use std::time::Duration;

use modbox_tests::{OnStop, Script, World};
use serde_json::json;

#[tokio::test(start_paused = true)]
async fn a_killed_sandbox_says_so() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let id = ann.create(json!({"task_id": "one"})).await;
    world.settle().await;
    let answer = ann.post("/sandboxes/one/kill", json!({})).await;
    assert_eq!(answer.expect(200), json!({"success": true, "error": null}));
    let detail = ann.detail(&id).await;
    assert_eq!((&detail["status"], &detail["reason"]), (&json!("destroyed"), &json!("killed")));
    world.settle().await;
    assert!(world.engine.running().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_killed_task_is_given_no_time_and_a_destroyed_one_is() {
    let script =
        |_: &_| Script::default().exit("ready", Duration::from_millis(5), 0).on_stop(OnStop::Ignores);
    let world = World::build().script(script).start().await;
    let ann = world.user("ann").await;
    let (killed, destroyed) = (ann.create(json!({})).await, ann.create(json!({})).await);
    world.settle().await;
    ann.delete(&format!("/sandboxes/{destroyed}")).await.expect(200);
    ann.post(&format!("/sandboxes/{killed}/kill"), json!({})).await.expect(200);
    world.pass(Duration::from_millis(500)).await;
    assert_eq!(world.engine.running().len(), 1);
    let stopped = world.task(&killed).await;
    assert!(stopped["stoppedReason"].as_str().unwrap().starts_with("modbox: at once: "), "{stopped}");
    world.pass(Duration::from_secs(2)).await;
    assert!(world.engine.running().is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_first_end_counts() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let destroyed = ann.create(json!({})).await;
    ann.delete(&format!("/sandboxes/{destroyed}")).await.expect(200);
    ann.post(&format!("/sandboxes/{destroyed}/kill"), json!({})).await.expect(200);
    assert_eq!(ann.detail(&destroyed).await["reason"], "destroyed");

    let killed = ann.create(json!({})).await;
    ann.post(&format!("/sandboxes/{killed}/kill"), json!({})).await.expect(200);
    ann.delete(&format!("/sandboxes/{killed}")).await.expect(200);
    assert_eq!(ann.detail(&killed).await["reason"], "killed");
}

#[tokio::test(start_paused = true)]
async fn what_was_never_there_is_not_found() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let answer = ann.post("/sandboxes/nobody/kill", json!({})).await;
    answer.expect(404);
    assert_eq!(answer.code(), "sandbox_not_found");
}
