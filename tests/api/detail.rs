//! GET /sandboxes/detail/{sandbox_id} and GET /sandboxes/{sandbox_id}.

use std::time::Duration;

use insta::assert_json_snapshot;
use modbox_tests::{Client, World};
use serde_json::{Value, json};

/// The one answer of both generations, by id and by name.
async fn detail(client: &Client, id: &str, name: &str) -> Value {
    let paths = ["/sandboxes/detail/", "/sandboxes/"];
    let first = client.detail(id).await;
    for sandbox in [id, name] {
        for path in paths {
            assert_eq!(client.get(&format!("{path}{sandbox}")).await.expect(200), first);
        }
    }
    first
}

#[tokio::test(start_paused = true)]
async fn a_provisioning_sandbox_has_no_address_yet() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let id = ann.create(json!({"task_id": "one"})).await;
    let answer = detail(&ann, &id, "one").await;
    assert_eq!(answer["id"], id);
    assert_json_snapshot!(answer, {".id" => "[id]"}, @r#"
    {
      "capabilities": null,
      "created_at": "2027-01-15T08:00:00.200Z",
      "created_by": "ann",
      "destroyed_at": null,
      "expires_at": null,
      "id": "[id]",
      "image": "modbox/sandbox-lite",
      "name": "one",
      "reason": null,
      "sandbox_url": null,
      "status": "provisioning",
      "updated_at": "2027-01-15T08:00:00.200Z"
    }
    "#);
}

#[tokio::test(start_paused = true)]
async fn a_running_sandbox_has_the_address_that_its_creator_was_told() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let created = ann.post("/sandboxes", json!({"task_id": "one", "ttl_seconds": 60})).await.expect(201);
    let id = created["sandbox_id"].as_str().unwrap();
    world.settle().await;
    let answer = detail(&ann, id, "one").await;
    assert_eq!(answer["sandbox_url"], created["endpoint"]["base_url"]);
    assert_eq!(answer["capabilities"], created["capabilities"]);
    assert_eq!(answer["expires_at"], created["expires_at"]);
    assert_json_snapshot!(answer, {
        ".id" => "[id]",
        ".sandbox_url" => "[url]",
        ".capabilities.exec" => "[url]",
        ".capabilities.files" => "[url]",
        ".updated_at" => "[time]",
    }, @r#"
    {
      "capabilities": {
        "exec": "[url]",
        "files": "[url]"
      },
      "created_at": "2027-01-15T08:00:00.200Z",
      "created_by": "ann",
      "destroyed_at": null,
      "expires_at": "2027-01-15T08:01:00.200Z",
      "id": "[id]",
      "image": "modbox/sandbox-lite",
      "name": "one",
      "reason": null,
      "sandbox_url": "[url]",
      "status": "running",
      "updated_at": "[time]"
    }
    "#);
    assert!(answer["updated_at"].as_str() > answer["created_at"].as_str());
}

#[tokio::test(start_paused = true)]
async fn the_access_token_is_told_at_creation_only() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let created = ann.post("/sandboxes", json!({"task_id": "one"})).await.expect(201);
    world.settle().await;
    let token = created["endpoint"]["access_token"].as_str().unwrap();
    for path in ["/sandboxes/one", "/sandboxes", "/sandboxes/one/status"] {
        assert!(!ann.get(path).await.text().contains(token), "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_destroyed_sandbox_says_when_and_why_it_ended() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let id = ann.create(json!({"task_id": "one"})).await;
    world.settle().await;
    world.pass(Duration::from_millis(1_234)).await;
    ann.delete(&format!("/sandboxes/{id}")).await.expect(200);
    let at_once = detail(&ann, &id, "one").await;
    assert_eq!(at_once["destroyed_at"], at_once["updated_at"]);
    world.settle().await;
    let later = detail(&ann, &id, "one").await;
    assert_eq!(at_once["destroyed_at"], later["destroyed_at"]);
    assert_json_snapshot!(later, {".id" => "[id]", ".updated_at" => "[time]", ".destroyed_at" => "[time]"}, @r#"
    {
      "capabilities": null,
      "created_at": "2027-01-15T08:00:00.200Z",
      "created_by": "ann",
      "destroyed_at": "[time]",
      "expires_at": null,
      "id": "[id]",
      "image": "modbox/sandbox-lite",
      "name": "one",
      "reason": "destroyed",
      "sandbox_url": null,
      "status": "destroyed",
      "updated_at": "[time]"
    }
    "#);
}

#[tokio::test(start_paused = true)]
async fn past_its_deadline_it_reads_destroyed_though_nobody_swept() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let id = ann.create(json!({"task_id": "one", "ttl_seconds": 60})).await;
    world.settle().await;
    let last = world.row(&id).await.sandbox.expires_at.unwrap().since(world.now());
    world.pass(last - Duration::from_millis(1)).await;
    assert_eq!(detail(&ann, &id, "one").await["status"], "running");
    world.pass(Duration::from_millis(1)).await;
    let answer = detail(&ann, &id, "one").await;
    assert_eq!(answer["status"], "destroyed");
    assert_eq!(answer["reason"], "expired");
    assert_eq!(answer["destroyed_at"], answer["expires_at"]);
    assert_eq!((&answer["sandbox_url"], &answer["capabilities"]), (&Value::Null, &Value::Null));
}

#[tokio::test(start_paused = true)]
async fn a_name_in_a_path_may_be_percent_encoded() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let id = ann.create(json!({"task_id": "pr 17 – ü%20?#"})).await;
    let answer = ann.detail("pr%2017%20%E2%80%93%20%C3%BC%2520%3F%23").await;
    assert_eq!(answer["id"], id);
}

#[tokio::test(start_paused = true)]
async fn the_longest_name_is_found_again() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let name = "🦀".repeat(255);
    let id = ann.create(json!({"task_id": name})).await;
    let encoded = "%F0%9F%A6%80".repeat(255);
    assert_eq!(detail(&ann, &id, &encoded).await["name"], name);
}

#[tokio::test(start_paused = true)]
async fn what_was_never_there_is_not_found() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    for sandbox in ["nobody", "7e9b5a8e-1f6c-4d2a-9b3e-000000000000", "a%2Fb", "%00", "%FF", &"x".repeat(256)]
    {
        for path in ["/sandboxes/detail/", "/sandboxes/"] {
            let answer = ann.get(&format!("{path}{sandbox}")).await;
            answer.expect(404);
            assert_eq!(answer.code(), "sandbox_not_found", "{sandbox}");
        }
    }
}
