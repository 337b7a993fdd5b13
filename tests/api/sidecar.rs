//! GET /sandboxes/{sandbox_id}/deadline and POST /sandboxes/{sandbox_id}/ready: what the sidecars of a task ask and tell.

use std::time::Duration;

use modbox_local::ecs::Launch;
use modbox_tests::{Script, World};
use serde_json::json;

/// Tasks whose `ready` sidecar says nothing by exiting.
fn silent(_: &Launch) -> Script {
    Script::default()
}

#[tokio::test(start_paused = true)]
async fn the_deadline_is_told_as_it_is_now() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let id = ann.create(json!({"ttl_seconds": 600})).await;
    let (sidecar, path) = (world.sidecar(&id), format!("/sandboxes/{id}/deadline"));
    for _ in 0..2 {
        let expected = world.row(&id).await.sandbox.expires_at.unwrap();
        let answer = sidecar.get(&path).await.expect(200);
        assert_eq!(answer["expires_at_unix_ms"], expected.millis());
        assert_eq!(answer["expires_at"], ann.detail(&id).await["expires_at"]);
        ann.post(&format!("/sandboxes/{id}/extend"), json!({"ttl_seconds": 3_600})).await.expect(200);
    }
}

#[tokio::test(start_paused = true)]
async fn a_sandbox_without_a_deadline_has_none() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let id = ann.create(json!({})).await;
    let answer = world.sidecar(&id).get(&format!("/sandboxes/{id}/deadline")).await.expect(200);
    assert_eq!(answer, json!({"expires_at": null, "expires_at_unix_ms": null}));
}

#[tokio::test(start_paused = true)]
async fn the_deadline_of_what_has_ended_is_its_end() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let id = ann.create(json!({"ttl_seconds": 600})).await;
    world.settle().await;
    let ended = world.now();
    ann.delete(&format!("/sandboxes/{id}")).await.expect(200);
    world.pass(Duration::from_secs(1)).await;
    let answer = world.sidecar(&id).get(&format!("/sandboxes/{id}/deadline")).await.expect(200);
    assert_eq!(answer["expires_at_unix_ms"], ended.millis());
}

#[tokio::test(start_paused = true)]
async fn the_word_of_the_ready_sidecar_makes_it_run() {
    let world = World::build().script(silent).start().await;
    let ann = world.user("ann").await;
    let id = ann.create(json!({})).await;
    world.settle().await;
    assert_eq!(ann.detail(&id).await["status"], "provisioning");
    let (sidecar, path) = (world.sidecar(&id), format!("/sandboxes/{id}/ready"));
    assert_eq!(sidecar.post(&path, json!({})).await.expect(200), json!({"ready": true}));
    assert_eq!(ann.detail(&id).await["status"], "running");
    world.settle().await;
    let before = world.items();
    sidecar.post(&path, json!({})).await.expect(200);
    assert_eq!(world.items(), before);
}

#[tokio::test(start_paused = true)]
async fn it_is_not_ready_before_its_task_is_recorded_nor_after_its_end() {
    let world = World::build().script(silent).start().await;
    let ann = world.user("ann").await;
    let id = ann.create(json!({})).await;
    let (sidecar, path) = (world.sidecar(&id), format!("/sandboxes/{id}/ready"));
    let early = sidecar.post(&path, json!({})).await;
    early.expect(409);
    assert_eq!(early.code(), "sandbox_not_ready");
    world.settle().await;
    ann.delete(&format!("/sandboxes/{id}")).await.expect(200);
    sidecar.post(&path, json!({})).await.expect(409);
    assert_eq!(ann.detail(&id).await["status"], "destroyed");
}

#[tokio::test(start_paused = true)]
async fn only_the_tasks_own_token_will_do() {
    let world = World::build().script(silent).start().await;
    let ann = world.user("ann").await;
    let id = ann.create(json!({})).await;
    let other = ann.create(json!({})).await;
    world.settle().await;
    let id_of_run_2 = world.keys.task_token("k1", id.parse().unwrap(), 2).unwrap();
    let access = world.keys.access_token("k1", id.parse().unwrap()).unwrap();
    let strangers = [
        ann.clone(),
        world.sidecar(&other),
        world.guest().with_token(&id_of_run_2),
        world.guest().with_token(&access),
        world.guest().with_token("tsk_"),
    ];
    let before = world.items();
    for stranger in strangers {
        for answer in [
            stranger.get(&format!("/sandboxes/{id}/deadline")).await,
            stranger.post(&format!("/sandboxes/{id}/ready"), json!({})).await,
        ] {
            answer.expect(401);
            assert_eq!(answer.code(), "invalid_token");
        }
    }
    assert_eq!(world.items(), before);
}

#[tokio::test(start_paused = true)]
async fn a_task_cannot_speak_for_its_user() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let id = ann.create(json!({})).await;
    let answer = world.sidecar(&id).get(&format!("/sandboxes/{id}")).await;
    answer.expect(401);
    assert_eq!(answer.code(), "invalid_token");
}

/// Whether there is one of that id is nobody else's business.
#[tokio::test(start_paused = true)]
async fn what_is_no_id_or_nobodys_is_refused_as_somebody_elses() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let id = ann.create(json!({"task_id": "one"})).await;
    let other = ann.create(json!({})).await;
    let sidecar = world.sidecar(&id);
    for sandbox in [other.as_str(), "one", "%00", "7e9b5a8e-1f6c-4d2a-9b3e-000000000000"] {
        for answer in [
            sidecar.get(&format!("/sandboxes/{sandbox}/deadline")).await,
            sidecar.post(&format!("/sandboxes/{sandbox}/ready"), json!({})).await,
        ] {
            let error = answer.expect(401)["error"].clone();
            assert_eq!((&error["code"], &error["retryable"]), (&json!("invalid_token"), &json!(false)));
        }
    }
}
