//! POST /sandboxes/wait and POST /sandboxes/{sandbox_id}/wait.

use std::time::Duration;

use futures::join;
use modbox_local::ecs::Launch;
use modbox_tests::{Client, Script, Start, World};
use serde_json::{Value, json};

/// Tasks that never run.
fn never(_: &Launch) -> Script {
    Script::default().start(Start::Never)
}

/// The bodies of a wait by name and by id.
async fn both(client: &Client, id: &str, body: Value) -> [Value; 2] {
    let mut named = body.clone();
    named["task_id"] = json!("one");
    [
        client.post("/sandboxes/wait", named).await.expect(200),
        client.post(&format!("/sandboxes/{id}/wait"), body).await.expect(200),
    ]
}

#[tokio::test(start_paused = true)]
async fn it_answers_as_soon_as_the_sandbox_is_ready() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let id = ann.create(json!({"task_id": "one"})).await;
    let answer = ann.post("/sandboxes/wait", json!({"task_id": "one"})).await.expect(200);
    assert_eq!(answer["ready"], true);
    assert_eq!(answer["status"], "running");
    assert_eq!(answer["reason"], Value::Null);
    let elapsed = answer["elapsed_seconds"].as_f64().unwrap();
    assert!(elapsed > 0.0 && elapsed < 2.0, "{elapsed}");
    for again in both(&ann, &id, json!({})).await {
        let at_once = json!({"ready": true, "elapsed_seconds": 0.0, "status": "running", "reason": null});
        assert_eq!(again, at_once);
    }
}

#[tokio::test(start_paused = true)]
async fn a_timeout_is_an_answer_and_comes_on_time() {
    let world = World::build().script(never).start().await;
    let ann = world.user("ann").await;
    let id = ann.create(json!({"task_id": "one"})).await;
    let before = world.now();
    for answer in both(&ann, &id, json!({"timeout": 7, "poll_interval": 5})).await {
        let late =
            json!({"ready": false, "elapsed_seconds": 7.0, "status": "provisioning", "reason": "timeout"});
        assert_eq!(answer, late);
    }
    assert_eq!(world.now().since(before), Duration::from_secs(14));
}

#[tokio::test(start_paused = true)]
async fn it_waits_120_seconds_if_nothing_is_said() {
    let world = World::build().script(never).start().await;
    let ann = world.user("ann").await;
    let id = ann.create(json!({"task_id": "one"})).await;
    for answer in both(&ann, &id, json!({"timeout": null, "poll_interval": null})).await {
        assert_eq!(answer["elapsed_seconds"], 120.0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_destroyed_sandbox_is_told_at_once() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let id = ann.create(json!({"task_id": "one"})).await;
    ann.delete(&format!("/sandboxes/{id}")).await.expect(200);
    for answer in both(&ann, &id, json!({"timeout": 600})).await {
        let over =
            json!({"ready": false, "elapsed_seconds": 0.0, "status": "destroyed", "reason": "destroyed"});
        assert_eq!(answer, over);
    }
}

#[tokio::test(start_paused = true)]
async fn a_destroy_ends_the_waits_under_way() {
    let world = World::build().script(never).start().await;
    let ann = world.user("ann").await;
    let id = ann.create(json!({"task_id": "one"})).await;
    let destroy = async {
        world.pass(Duration::from_secs(10)).await;
        ann.post("/sandboxes/destroy", json!({"task_id": "one"})).await.expect(200);
    };
    let (path, patient) = (format!("/sandboxes/{id}/wait"), json!({"timeout": 600, "poll_interval": 60}));
    let (answer, ()) = join!(ann.post(&path, patient), destroy);
    let answer = answer.expect(200);
    assert_eq!((&answer["ready"], &answer["reason"]), (&json!(false), &json!("destroyed")));
    let elapsed = answer["elapsed_seconds"].as_f64().unwrap();
    assert!((10.0..=11.0).contains(&elapsed), "{elapsed}");
}

#[tokio::test(start_paused = true)]
async fn a_deadline_ends_the_waits_under_way_though_nobody_swept() {
    let world = World::build().script(never).start().await;
    let ann = world.user("ann").await;
    let id = ann.create(json!({"ttl_seconds": 60})).await;
    let answer = ann.post(&format!("/sandboxes/{id}/wait"), json!({"timeout": 600})).await.expect(200);
    assert_eq!((&answer["status"], &answer["reason"]), (&json!("destroyed"), &json!("expired")));
    assert!(answer["elapsed_seconds"].as_f64().unwrap() <= 61.0);
}

#[tokio::test(start_paused = true)]
async fn a_task_that_fails_to_start_ends_the_wait_with_its_reason() {
    let fails = |_: &Launch| {
        Script::default().start(Start::Fails(modbox_local::ecs::StartError::new("no such image")))
    };
    let world = World::build().script(fails).start().await;
    let ann = world.user("ann").await;
    let id = ann.create(json!({})).await;
    let answer = ann.post(&format!("/sandboxes/{id}/wait"), json!({})).await.expect(200);
    assert_eq!((&answer["ready"], &answer["status"]), (&json!(false), &json!("destroyed")));
    let reason = answer["reason"].as_str().unwrap();
    assert!(reason.starts_with("failed: ") && reason.contains("no such image"), "{reason}");
    assert_eq!(ann.detail(&id).await["reason"], reason);
}

#[tokio::test(start_paused = true)]
async fn what_was_never_there_is_not_found() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    for (path, body) in [
        ("/sandboxes/wait", json!({"task_id": "nobody"})),
        ("/sandboxes/nobody/wait", json!({})),
        ("/sandboxes/7e9b5a8e-1f6c-4d2a-9b3e-000000000000/wait", json!({})),
    ] {
        let answer = ann.post(path, body).await;
        answer.expect(404);
        assert_eq!(answer.code(), "sandbox_not_found");
    }
}

#[tokio::test(start_paused = true)]
async fn times_are_bounded() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let id = ann.create(json!({"task_id": "one"})).await;
    world.settle().await;
    for (field, bad) in [("timeout", [0, 601, -1]), ("poll_interval", [0, 61, -1])] {
        for value in bad {
            let by_id = ann.post(&format!("/sandboxes/{id}/wait"), json!({field: value})).await;
            let by_name = ann.post("/sandboxes/wait", json!({"task_id": "one", field: value})).await;
            for answer in [by_id, by_name] {
                answer.expect(422);
                assert_eq!(answer.fields(), [format!("body.{field}")]);
            }
        }
    }
    for good in [json!({"timeout": 1, "poll_interval": 1}), json!({"timeout": 600, "poll_interval": 60})] {
        both(&ann, &id, good).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_wait_by_name_needs_the_name() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    for body in [json!({}), json!({"task_id": null})] {
        let answer = ann.post("/sandboxes/wait", body).await;
        answer.expect(422);
        assert_eq!(answer.fields(), ["body.task_id"]);
    }
}
