//! GET /sandboxes/status/{task_id} and GET /sandboxes/{sandbox_id}/status.

use modbox_tests::{Client, World};
use serde_json::{Value, json};

/// The one answer of both generations.
async fn status(client: &Client, id: &str) -> Value {
    let by_name = client.get("/sandboxes/status/one").await.expect(200);
    assert_eq!(client.get(&format!("/sandboxes/{id}/status")).await.expect(200), by_name);
    by_name
}

#[tokio::test(start_paused = true)]
async fn it_follows_the_sandbox_through_its_life() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let id = ann.create(json!({"task_id": "one"})).await;
    assert_eq!(status(&ann, &id).await, json!({"ready": false, "name": "one", "error": null}));
    world.settle().await;
    assert_eq!(status(&ann, &id).await, json!({"ready": true, "name": "one", "error": null}));
    ann.delete(&format!("/sandboxes/{id}")).await.expect(200);
    let over = json!({"ready": false, "name": "one", "error": "destroyed"});
    assert_eq!(status(&ann, &id).await, over);
    world.settle().await;
    assert_eq!(status(&ann, &id).await, over);
}

#[tokio::test(start_paused = true)]
async fn a_name_that_was_used_again_means_the_newest() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let old = ann.create(json!({"task_id": "one"})).await;
    ann.delete(&format!("/sandboxes/{old}")).await.expect(200);
    let new = ann.create(json!({"task_id": "one"})).await;
    world.settle().await;
    assert_eq!(status(&ann, &new).await["ready"], true);
    assert_eq!(ann.get(&format!("/sandboxes/{old}/status")).await.expect(200)["ready"], false);
}

#[tokio::test(start_paused = true)]
async fn what_was_never_there_is_not_found() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    for path in ["/sandboxes/status/nobody", "/sandboxes/nobody/status"] {
        let answer = ann.get(path).await;
        answer.expect(404);
        assert_eq!(answer.code(), "sandbox_not_found");
    }
}
