//! POST /sandboxes/destroy and DELETE /sandboxes/{sandbox_id}.

use std::time::Duration;

use modbox_local::ecs::Launch;
use modbox_tests::{Answer, Client, Script, Start, World};
use serde_json::json;

/// The ways to destroy a sandbox named `one`.
#[derive(Clone, Copy, Debug)]
enum Way {
    Name,
    PathId,
    PathName,
}

const WAYS: [Way; 3] = [Way::Name, Way::PathId, Way::PathName];

async fn destroy(client: &Client, way: Way, id: &str) -> Answer {
    match way {
        Way::Name => client.post("/sandboxes/destroy", json!({"task_id": "one"})).await,
        Way::PathId => client.delete(&format!("/sandboxes/{id}")).await,
        Way::PathName => client.delete("/sandboxes/one").await,
    }
}

#[tokio::test(start_paused = true)]
async fn it_is_over_at_once_for_every_reader_and_soon_for_its_task() {
    for way in WAYS {
        let world = World::start().await;
        let ann = world.user("ann").await;
        let id = ann.create(json!({"task_id": "one"})).await;
        world.settle().await;
        assert_eq!(destroy(&ann, way, &id).await.expect(200), json!({"success": true, "error": null}));
        let detail = ann.detail(&id).await;
        assert_eq!((&detail["status"], &detail["reason"]), (&json!("destroyed"), &json!("destroyed")));
        world.pass(Duration::from_secs(1)).await;
        assert!(world.engine.running().is_empty(), "{way:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn destroying_twice_changes_nothing() {
    for way in WAYS {
        let world = World::start().await;
        let ann = world.user("ann").await;
        let id = ann.create(json!({"task_id": "one"})).await;
        destroy(&ann, way, &id).await.expect(200);
        world.settle().await;
        let before = world.items();
        world.pass(Duration::from_secs(5)).await;
        assert_eq!(destroy(&ann, way, &id).await.expect(200), json!({"success": true, "error": null}));
        assert_eq!(world.items(), before, "{way:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_sandbox_without_a_task_is_destroyed_too_and_never_gets_one() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let id = ann.create(json!({"task_id": "one"})).await;
    destroy(&ann, Way::Name, &id).await.expect(200);
    world.settle().await;
    assert_eq!(ann.detail(&id).await["status"], "destroyed");
    assert!(world.engine.running().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_sandbox_whose_task_is_starting_is_destroyed_with_it() {
    let slow = |_: &Launch| Script::default().start(Start::After(Duration::from_secs(10)));
    let world = World::build().script(slow).start().await;
    let ann = world.user("ann").await;
    let id = ann.create(json!({"task_id": "one"})).await;
    world.pass(Duration::from_secs(5)).await;
    assert_ne!(world.task(&id).await["lastStatus"], "RUNNING");
    destroy(&ann, Way::PathId, &id).await.expect(200);
    world.pass(Duration::from_secs(20)).await;
    assert_eq!(world.task(&id).await["lastStatus"], "STOPPED");
    assert!(world.engine.running().is_empty());
}

#[tokio::test(start_paused = true)]
async fn one_past_its_deadline_stays_expired() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let id = ann.create(json!({"task_id": "one", "ttl_seconds": 60})).await;
    world.settle().await;
    world.pass(Duration::from_secs(61)).await;
    let before = ann.detail(&id).await;
    destroy(&ann, Way::Name, &id).await.expect(200);
    let after = ann.detail(&id).await;
    assert_eq!(after["reason"], "expired");
    assert_eq!(after["destroyed_at"], before["destroyed_at"]);
}

#[tokio::test(start_paused = true)]
async fn by_name_it_is_the_newest_that_ends() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let old = ann.create(json!({"task_id": "one"})).await;
    destroy(&ann, Way::Name, &old).await.expect(200);
    let new = ann.create(json!({"task_id": "one"})).await;
    destroy(&ann, Way::PathId, &old).await.expect(200);
    assert_eq!(ann.detail(&new).await["status"], "provisioning");
    destroy(&ann, Way::Name, &new).await.expect(200);
    assert_eq!(ann.detail(&new).await["status"], "destroyed");
}

#[tokio::test(start_paused = true)]
async fn what_was_never_there_is_not_found() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    for way in WAYS {
        let answer = destroy(&ann, way, "7e9b5a8e-1f6c-4d2a-9b3e-000000000000").await;
        answer.expect(404);
        assert_eq!(answer.code(), "sandbox_not_found");
    }
}

#[tokio::test(start_paused = true)]
async fn the_name_is_required() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    for body in [json!({}), json!({"task_id": null}), json!({"sandbox_id": "one"})] {
        let answer = ann.post("/sandboxes/destroy", body).await;
        answer.expect(422);
        assert_eq!(answer.code(), "validation_error");
        assert_eq!(answer.fields(), ["body.task_id"]);
    }
}
