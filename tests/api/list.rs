//! GET /sandboxes.

use std::time::Duration;

use insta::assert_json_snapshot;
use modbox_tests::{Client, World};
use serde_json::json;

/// The names that a list shows, in its order.
async fn names(client: &Client, query: &str) -> Vec<String> {
    let answer = client.get(&format!("/sandboxes{query}")).await.expect(200);
    let sandboxes = answer["sandboxes"].as_array().unwrap();
    assert_eq!(answer["total"], sandboxes.len());
    sandboxes.iter().map(|sandbox| sandbox["name"].as_str().unwrap().to_owned()).collect()
}

/// A destroyed, a running and a provisioning sandbox, in the order of their creation.
async fn one_of_each(world: &World, client: &Client) {
    client.create(json!({"task_id": "gone"})).await;
    world.pass(Duration::from_secs(1)).await;
    client.create(json!({"task_id": "up"})).await;
    world.settle().await;
    client.delete("/sandboxes/gone").await.expect(200);
    world.settle().await;
    client.create(json!({"task_id": "coming"})).await;
}

#[tokio::test(start_paused = true)]
async fn it_begins_empty() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    assert_eq!(
        ann.get("/sandboxes").await.expect(200),
        json!({"sandboxes": [], "total": 0, "next_cursor": null})
    );
}

#[tokio::test(start_paused = true)]
async fn the_newest_is_first_and_the_destroyed_stay() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    one_of_each(&world, &ann).await;
    assert_eq!(names(&ann, "").await, ["coming", "up", "gone"]);
    let answer = ann.get("/sandboxes").await.expect(200);
    assert_json_snapshot!(answer, {
        ".sandboxes[].id" => "[id]",
        ".sandboxes[].created_at" => "[time]",
        ".sandboxes[1].sandbox_url" => "[url]",
        ".sandboxes[2].destroyed_at" => "[time]",
    }, @r#"
    {
      "next_cursor": null,
      "sandboxes": [
        {
          "created_at": "[time]",
          "destroyed_at": null,
          "id": "[id]",
          "image": "modbox/sandbox-lite",
          "name": "coming",
          "sandbox_url": null,
          "status": "provisioning"
        },
        {
          "created_at": "[time]",
          "destroyed_at": null,
          "id": "[id]",
          "image": "modbox/sandbox-lite",
          "name": "up",
          "sandbox_url": "[url]",
          "status": "running"
        },
        {
          "created_at": "[time]",
          "destroyed_at": "[time]",
          "id": "[id]",
          "image": "modbox/sandbox-lite",
          "name": "gone",
          "sandbox_url": null,
          "status": "destroyed"
        }
      ],
      "total": 3
    }
    "#);
}

#[tokio::test(start_paused = true)]
async fn a_status_narrows_it() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    one_of_each(&world, &ann).await;
    assert_eq!(names(&ann, "?status=provisioning").await, ["coming"]);
    assert_eq!(names(&ann, "?status=running").await, ["up"]);
    assert_eq!(names(&ann, "?status=destroyed").await, ["gone"]);
}

#[tokio::test(start_paused = true)]
async fn a_sandbox_past_its_deadline_is_listed_as_destroyed_though_nobody_swept() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    ann.create(json!({"task_id": "short", "ttl_seconds": 60})).await;
    world.settle().await;
    assert_eq!(names(&ann, "?status=running").await, ["short"]);
    world.pass(Duration::from_secs(60)).await;
    assert!(names(&ann, "?status=running").await.is_empty());
    assert_eq!(names(&ann, "?status=destroyed").await, ["short"]);
}

#[tokio::test(start_paused = true)]
async fn a_sandbox_that_is_being_destroyed_is_listed_as_destroyed() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    ann.create(json!({"task_id": "one"})).await;
    world.settle().await;
    ann.delete("/sandboxes/one").await.expect(200);
    assert_eq!(world.engine.running().len(), 1);
    assert!(names(&ann, "?status=running").await.is_empty());
    assert_eq!(names(&ann, "?status=destroyed").await, ["one"]);
}

#[tokio::test(start_paused = true)]
async fn users_see_their_own_only() {
    let world = World::start().await;
    let (ann, bob) = (world.user("ann").await, world.user("bob").await);
    ann.create(json!({"task_id": "hers"})).await;
    bob.create(json!({"task_id": "his"})).await;
    assert_eq!(names(&ann, "").await, ["hers"]);
    assert_eq!(names(&bob, "").await, ["his"]);
    assert_eq!(names(&bob, "?status=provisioning").await, ["his"]);
}

#[tokio::test(start_paused = true)]
async fn two_tokens_of_one_user_see_the_same() {
    let world = World::start().await;
    let (one, other) = (world.user("ann").await, world.user("ann").await);
    one.create(json!({"task_id": "hers"})).await;
    assert_eq!(names(&other, "").await, ["hers"]);
}

#[tokio::test(start_paused = true)]
async fn more_than_one_read_takes_are_listed_whole_and_in_order() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    for n in 0..101 {
        ann.create(json!({"task_id": n.to_string()})).await;
        world.pass(Duration::from_millis(1)).await;
    }
    let expected: Vec<String> = (0..101).rev().map(|n| n.to_string()).collect();
    assert_eq!(names(&ann, "").await, expected);
}

#[tokio::test(start_paused = true)]
async fn a_status_that_is_none_is_refused() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    for query in
        ["status=stopped", "status=", "status=RUNNING", "status=running&status=running", "status=%FF"]
    {
        let answer = ann.get(&format!("/sandboxes?{query}")).await;
        answer.expect(422);
        assert_eq!(answer.code(), "validation_error");
        assert_eq!(answer.fields(), ["query.status"], "{query}");
    }
}

#[tokio::test(start_paused = true)]
async fn other_parameters_are_ignored() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    ann.create(json!({"task_id": "one"})).await;
    assert_eq!(names(&ann, "?colour=red&offset=1").await, ["one"]);
}
