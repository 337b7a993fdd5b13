//! What a request costs: calls of AWS, authentication included.

use std::future::Future;

use modbox_tests::{Answer, World};
use serde_json::json;

use super::routes::{ALL, Guard};

/// The calls that the API makes for a request, which must succeed; all of DynamoDB.
async fn cost(world: &World, request: impl Future<Output = Answer>) -> u64 {
    let (answer, calls) = world.counting("api", request).await;
    assert!(answer.status.is_success(), "{}", answer.text());
    calls.values().sum()
}

#[tokio::test(start_paused = true)]
async fn create_costs_two_calls() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    assert_eq!(cost(&world, ann.post("/sandboxes", json!({}))).await, 2);
    assert_eq!(cost(&world, ann.post("/sandboxes/provision", json!({"task_id": "one"}))).await, 2);
    let keyed = ann.with_header("idempotency-key", "k");
    assert_eq!(cost(&world, keyed.post("/sandboxes", json!({}))).await, 2);
    assert_eq!(cost(&world, keyed.post("/sandboxes", json!({}))).await, 3);
}

#[tokio::test(start_paused = true)]
async fn get_costs_two_calls_by_id_and_three_by_name() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let id = ann.create(json!({"task_id": "one"})).await;
    assert_eq!(cost(&world, ann.get(&format!("/sandboxes/{id}"))).await, 2);
    assert_eq!(cost(&world, ann.get(&format!("/sandboxes/detail/{id}"))).await, 2);
    assert_eq!(cost(&world, ann.get("/sandboxes/one")).await, 3);
    assert_eq!(cost(&world, ann.get("/sandboxes/status/one")).await, 3);
}

#[tokio::test(start_paused = true)]
async fn destroy_costs_three_calls_by_id_and_four_by_name() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let ids = [ann.create(json!({"task_id": "one"})).await, ann.create(json!({"task_id": "two"})).await];
    world.settle().await;
    assert_eq!(cost(&world, ann.delete(&format!("/sandboxes/{}", ids[0]))).await, 3);
    assert_eq!(cost(&world, ann.post("/sandboxes/destroy", json!({"task_id": "two"}))).await, 4);
    let waiting = ann.create(json!({"task_id": "three"})).await;
    assert_eq!(cost(&world, ann.delete(&format!("/sandboxes/{waiting}"))).await, 3);
}

#[tokio::test(start_paused = true)]
async fn monitoring_costs_a_call_more_for_each_of_logs_and_metrics_and_one_to_know_that_it_is_all() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let id = ann.create(json!({"task_id": "one"})).await;
    world.settle().await;
    world.say(&id, "main", "hello").await;
    world.say(&id, "deadline", r#"{"cpu_seconds":1.0,"memory_bytes":1}"#).await;
    let path = format!("/sandboxes/{id}/monitoring");
    assert_eq!(cost(&world, ann.get(&format!("{path}?limit=1"))).await, 4);
    assert_eq!(cost(&world, ann.get(&format!("{path}?limit=1&include=metrics"))).await, 3);
    // Only the same token again tells that a page was not just short.
    assert_eq!(cost(&world, ann.get(&path)).await, 6);
    assert_eq!(cost(&world, ann.get(&format!("{path}?include=logs&stream=stderr"))).await, 2);
}

#[tokio::test(start_paused = true)]
async fn list_costs_three_calls_for_a_hundred() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    for _ in 0..100 {
        ann.create(json!({})).await;
    }
    assert_eq!(cost(&world, ann.get("/sandboxes")).await, 3);
}

#[tokio::test(start_paused = true)]
async fn the_api_calls_nothing_but_dynamodb_and_for_monitoring_cloudwatch_logs() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    for (name, route) in ALL.iter().enumerate() {
        let name = name.to_string();
        let id = ann.create(json!({"task_id": name})).await;
        world.settle().await;
        let client = if route.guard == Guard::Task { world.sidecar(&id) } else { ann.clone() };
        let (_, calls) = world.counting("api", route.call(&client, &id, &name)).await;
        assert_eq!(calls.contains_key("GetLogEvents"), route.path.contains("monitoring"), "{route:?}");
    }
    let known = ["BatchGetItem", "GetItem", "GetLogEvents", "PutItem", "Query", "TransactWriteItems"];
    let calls = world.calls();
    let others = calls.keys().filter(|(by, operation)| by == "api" && !known.contains(&operation.as_str()));
    assert_eq!(others.count(), 0, "{calls:?}");
}
