//! What the table costs, and what it is never asked.

use std::collections::BTreeSet;

use modbox_tests::World;
use serde_json::json;

use super::running;

#[tokio::test(start_paused = true)]
async fn no_function_ever_scans() {
    let world = World::build().tick_every(std::time::Duration::from_secs(60)).start().await;
    let ann = world.user("ann").await;
    let id = running(&world, &ann, "web").await;
    ann.get("/sandboxes").await.expect(200);
    ann.post(&format!("/sandboxes/{id}/extend"), json!({"ttl_seconds": 60})).await.expect(200);
    world.pass(std::time::Duration::from_secs(20 * 60)).await;
    let operations: BTreeSet<String> = world.calls().into_keys().map(|(_, operation)| operation).collect();
    assert!(!operations.contains("Scan"), "{operations:?}");
}

#[tokio::test(start_paused = true)]
async fn the_api_speaks_to_dynamodb_alone() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let id = running(&world, &ann, "web").await;
    for path in ["/sandboxes", "/sandboxes/web", "/sandboxes/status/web"] {
        ann.get(path).await.expect(200);
    }
    ann.post("/sandboxes/wait", json!({"task_id": "web"})).await.expect(200);
    ann.post(&format!("/sandboxes/{id}/extend"), json!({"ttl_seconds": 60})).await.expect(200);
    ann.post(&format!("/sandboxes/{id}/kill"), json!({})).await.expect(200);
    let of_api: BTreeSet<String> =
        world.calls().into_keys().filter(|(by, _)| by == "api").map(|(_, operation)| operation).collect();
    let expected = ["BatchGetItem", "GetItem", "Query", "TransactWriteItems"].map(ToOwned::to_owned);
    assert!(of_api.is_subset(&expected.into()), "{of_api:?}");
}
