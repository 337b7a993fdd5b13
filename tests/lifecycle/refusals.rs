//! What ECS refuses or cannot start: the sandbox fails in ECS's own words, after as many tries as may help.

use std::time::Duration;

use modbox_local::{aws_json::AwsError, ecs::StartError};
use modbox_tests::{Fault, Script, Start, World};
use serde_json::{Value, json};

use super::{create, reason};

/// The most attempts of one launch.
const ATTEMPTS: u64 = 5;

const QUOTA: &str = "You've reached the limit on the number of vCPUs you can run concurrently";
const CAPACITY: &str =
    "Capacity is unavailable at this time. Please try again later or in a different availability zone";
const AT_ONCE: &str = "Too many concurrent attempts to create a new revision of the specified family.";
const SUBNET: &str = "The subnet ID 'subnet-0f3c' does not exist";
const IMAGE: &str = "CannotPullContainerError: pull image manifest has been retried 1 time(s): no such image";

fn refused(code: &str, message: &str) -> Fault {
    Fault::Refused(AwsError::client(code, message))
}

/// A world whose schedule calls often enough that no retry waits for it.
async fn world(script: impl Fn() -> Script + Send + Sync + 'static) -> World {
    World::build().script(move |_| script()).tick_every(Duration::from_secs(5)).start().await
}

/// What `wait` and `detail` say of a sandbox that fails, and how often RunTask was called for it.
async fn failure(world: &World) -> (String, u64) {
    let ann = world.user("ann").await;
    let (waited, calls) = world
        .counting("launcher", async {
            let id = create(&ann, "web").await;
            let waited =
                ann.post("/sandboxes/wait", json!({"task_id": "web", "timeout": 600})).await.expect(200);
            assert_eq!(reason(&ann, &id).await, waited["reason"]);
            waited
        })
        .await;
    assert_eq!((&waited["ready"], &waited["status"]), (&json!(false), &json!("destroyed")), "{waited}");
    let why = waited["reason"].as_str().expect("a reason").to_owned();
    assert!(why.starts_with("failed: "), "{why}");
    // Whatever ECS lets start from now on, this sandbox is not among it.
    world.faults.clear();
    world.pass(Duration::from_secs(10 * 60)).await;
    assert!(world.engine.running().is_empty());
    create(&ann, "web").await;
    (why, calls["RunTask"])
}

#[tokio::test(start_paused = true)]
async fn a_quota_that_stays_exhausted_is_told_after_five_attempts() {
    let world = world(Script::default).await;
    world.faults.set(|call| match call.operation {
        "RunTask" => refused("ClientException", QUOTA),
        _ => Fault::None,
    });
    let (why, calls) = failure(&world).await;
    assert!(why.contains(QUOTA), "{why}");
    assert_eq!(calls, ATTEMPTS);
}

#[tokio::test(start_paused = true)]
async fn capacity_that_stays_out_is_told_after_five_attempts() {
    let world = world(Script::default).await;
    world.faults.set(|call| match call.operation {
        "RunTask" => Fault::Answered(json!({"tasks": [], "failures": [{"reason": CAPACITY}]})),
        _ => Fault::None,
    });
    let (why, calls) = failure(&world).await;
    assert!(why.contains(CAPACITY), "{why}");
    assert_eq!(calls, ATTEMPTS);
}

#[tokio::test(start_paused = true)]
async fn capacity_that_comes_back_is_used() {
    let world = World::build().tick_every(Duration::from_secs(5)).start().await;
    let ann = world.user("ann").await;
    let out = json!({"tasks": [], "failures": [{"reason": CAPACITY}]});
    world.faults.next(("launcher", "RunTask"), 3, Fault::Answered(out));
    let id = create(&ann, "web").await;
    let waited: Value = ann.post(&format!("/sandboxes/{id}/wait"), json!({"timeout": 600})).await.expect(200);
    assert_eq!((&waited["ready"], &waited["status"]), (&json!(true), &json!("running")), "{waited}");
    assert_eq!(world.engine.started(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_task_definition_that_others_register_at_once_is_waited_for() {
    let world = World::build().tick_every(Duration::from_secs(5)).start().await;
    let ann = world.user("ann").await;
    let at_once = refused("ClientException", AT_ONCE);
    world.faults.next(("launcher", "RegisterTaskDefinition"), 3, at_once);
    let id = create(&ann, "web").await;
    let waited: Value = ann.post(&format!("/sandboxes/{id}/wait"), json!({"timeout": 600})).await.expect(200);
    assert_eq!((&waited["ready"], &waited["status"]), (&json!(true), &json!("running")), "{waited}");
    assert_eq!(world.engine.started(), 1);
}

#[tokio::test(start_paused = true)]
async fn capacity_that_runs_out_after_the_task_was_taken_is_told() {
    let world = world(|| Script::default().start(Start::Fails(StartError::new(CAPACITY)))).await;
    let (why, calls) = failure(&world).await;
    assert!(why.contains(CAPACITY), "{why}");
    assert_eq!(calls, 1);
}

#[tokio::test(start_paused = true)]
async fn a_subnet_that_is_not_there_is_told_at_once() {
    let world = world(Script::default).await;
    world.faults.set(|call| match call.operation {
        "RunTask" => refused("InvalidParameterException", SUBNET),
        _ => Fault::None,
    });
    let (why, calls) = failure(&world).await;
    assert!(why.contains(SUBNET), "{why}");
    assert_eq!(calls, 1);
}

#[tokio::test(start_paused = true)]
async fn an_image_that_cannot_be_pulled_is_told_at_once() {
    let world = world(|| Script::default().start(Start::Fails(StartError::new(IMAGE)))).await;
    let (why, calls) = failure(&world).await;
    assert!(why.contains(IMAGE), "{why}");
    assert_eq!(calls, 1);
}
