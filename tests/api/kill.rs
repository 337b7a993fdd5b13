//! POST /sandboxes/{sandbox_id}/kill.

use modbox_tests::World;
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
