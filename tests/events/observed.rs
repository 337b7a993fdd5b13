//! ECS's task state changes, to `observer`.

use modbox_local::aws_json::AwsError;
use modbox_tests::{Client, Fault, World};
use serde_json::{Value, json};

use super::{ARN, ID, event, event_about, files_of, functions::Functions};

/// A sandbox with a task of which the world's own observer hears nothing, and nobody else asks.
async fn unobserved(world: &World, ann: &Client) -> (String, String) {
    world.faults.set(|call| match call.caller {
        "observer" => Fault::Refused(AwsError::client("ThrottlingException", "Rate exceeded")),
        _ => Fault::None,
    });
    let id = ann.create(json!({})).await;
    world.pass(std::time::Duration::from_secs(1)).await;
    let row = world.row(&id).await;
    (id, row.sandbox.task().expect("it was launched").arn.as_str().to_owned())
}

/// The events in which the file's task runs, is ready and has stopped, about a task that is there.
fn life(id: &str, arn: &str) -> [Value; 3] {
    ["running", "ready", "stopped"]
        .map(|moment| event_about(&format!("observer/{moment}"), &[(ID, id), (ARN, arn)]))
}

#[tokio::test(start_paused = true)]
async fn a_task_of_no_sandbox_changes_nothing() {
    let world = World::start().await;
    let before = world.items();
    for file in files_of("observer") {
        assert_eq!(Functions::of(&world).observer(event(&file)).await, json!({}), "{file}");
    }
    assert_eq!(world.items(), before);
}

#[tokio::test(start_paused = true)]
async fn a_task_is_followed_from_its_start_to_its_end_however_often_it_is_told() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let (id, arn) = unobserved(&world, &ann).await;
    let functions = Functions::of(&world);
    let expected = ["provisioning", "running", "destroyed"];
    for (event, expected) in life(&id, &arn).into_iter().zip(expected) {
        for _ in 0..2 {
            functions.observer(event.clone()).await;
            assert_eq!(ann.detail(&id).await["status"], expected);
        }
    }
    assert!(ann.detail(&id).await["reason"].as_str().unwrap().contains('3'), "its exit code is not told");
}

#[tokio::test(start_paused = true)]
async fn an_event_that_comes_late_brings_nothing_back() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let (id, arn) = unobserved(&world, &ann).await;
    let functions = Functions::of(&world);
    let [running, ready, stopped] = life(&id, &arn);
    for event in [ready.clone(), running.clone()] {
        functions.observer(event).await;
        assert_eq!(ann.detail(&id).await["status"], "running");
    }
    for event in [stopped, ready, running] {
        functions.observer(event).await;
        assert_eq!(ann.detail(&id).await["status"], "destroyed");
    }
}
