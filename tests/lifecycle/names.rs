//! Rules 7 and 9: names are never deleted, only freed; transactions that meet are tried again.

use std::time::Duration;

use modbox_tests::{Fault, World};
use serde_json::json;

use super::{create, create_with, detail, running, status};

#[tokio::test(start_paused = true)]
async fn an_end_frees_only_a_name_that_it_still_holds() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let first = create_with(&ann, json!({"task_id": "web", "ttl_seconds": 60})).await;
    world.settle().await;
    world.pass(Duration::from_secs(61)).await;
    // The first one's end is not written yet, but its time is over.
    let second = running(&world, &ann, "web").await;
    world.tick().await;
    assert_eq!(status(&ann, &first).await, "destroyed");
    assert_eq!(detail(&ann, "web").await["id"], second);
    assert_eq!(ann.post("/sandboxes", json!({"task_id": "web"})).await.code(), "sandbox_name_conflict");
    assert_eq!(world.engine.running().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_freed_name_still_finds_the_one_that_ended() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let id = running(&world, &ann, "web").await;
    for _ in 0..2 {
        ann.post("/sandboxes/destroy", json!({"task_id": "web"})).await.expect(200);
        world.settle().await;
    }
    assert_eq!(detail(&ann, "web").await["id"], id);
    let status = ann.get("/sandboxes/status/web").await.expect(200);
    assert_eq!(status, json!({"ready": false, "name": "web", "error": "destroyed"}));
}

#[tokio::test(start_paused = true)]
async fn an_extension_keeps_the_name_as_long_as_the_sandbox() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let id = create_with(&ann, json!({"task_id": "web", "ttl_seconds": 60})).await;
    world.settle().await;
    ann.post(&format!("/sandboxes/{id}/extend"), json!({"ttl_seconds": 600})).await.expect(200);
    world.pass(Duration::from_secs(300)).await;
    assert_eq!(status(&ann, &id).await, "running");
    assert_eq!(ann.post("/sandboxes", json!({"task_id": "web"})).await.code(), "sandbox_name_conflict");
    world.pass(Duration::from_secs(301)).await;
    create(&ann, "web").await;
}

#[tokio::test(start_paused = true)]
async fn an_extension_cannot_undo_an_expiry() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let id = create_with(&ann, json!({"task_id": "web", "ttl_seconds": 60})).await;
    world.settle().await;
    world.pass(Duration::from_secs(60)).await;
    let late = ann.post(&format!("/sandboxes/{id}/extend"), json!({"ttl_seconds": 600})).await;
    assert_eq!(late.code(), "conflict");
    assert_eq!(status(&ann, &id).await, "destroyed");
    world.tick().await;
    assert!(world.engine.running().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_transaction_that_meets_another_is_tried_again() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let key = json!({"S": "NAME#ann#web"});
    let held = world.stack.dynamo.hold("modbox", &[json!({"pk": key, "sk": key})]);
    let creating = tokio::spawn({
        let ann = ann.clone();
        async move { create(&ann, "web").await }
    });
    world.pass(Duration::from_millis(30)).await;
    assert!(!creating.is_finished());
    drop(held);
    let id = creating.await.unwrap();
    world.settle().await;
    assert_eq!(status(&ann, &id).await, "running");
}

#[tokio::test(start_paused = true)]
async fn a_plain_write_that_meets_a_transaction_is_tried_again() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    world.faults.set(|call| if call.operation == "RunTask" { Fault::throttled() } else { Fault::None });
    let id = create(&ann, "web").await;
    let key = json!({"S": format!("SANDBOX#{id}")});
    let held = world.stack.dynamo.hold("modbox", &[json!({"pk": key, "sk": key})]);
    world.faults.clear();
    world.pass(Duration::from_millis(300)).await;
    drop(held);
    world.settle().await;
    assert_eq!(status(&ann, &id).await, "running");
    assert_eq!(world.engine.started(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_retry_that_meets_its_own_write_has_succeeded() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    for (caller, operation) in
        [("api", "TransactWriteItems"), ("launcher", "PutItem"), ("observer", "PutItem")]
    {
        world.faults.next((caller, operation), 1, Fault::lost());
        let id = running(&world, &ann, &format!("{caller}-{operation}")).await;
        ann.delete(&format!("/sandboxes/{id}")).await.expect(200);
        world.settle().await;
    }
    world.faults.clear();
    let id = running(&world, &ann, "destroyed").await;
    world.faults.next(("api", "TransactWriteItems"), 1, Fault::lost());
    ann.delete(&format!("/sandboxes/{id}")).await.expect(200);
    assert_eq!(status(&ann, &id).await, "destroyed");
    assert_eq!(world.engine.started(), 4);
}
