//! Lifecycle events: each moment at least once, after it is true, and never with a secret.

use std::time::Duration;

use modbox_local::aws_json::AwsError;
use modbox_tests::{Fault, Script, World};
use serde_json::{Value, json};

use super::{create, create_with, running};

fn moments(world: &World, id: &str) -> Vec<(String, u64)> {
    let of_sandbox = |event: &&Value| event["detail"]["id"] == id;
    let events = world.events();
    let mut moments: Vec<_> = events
        .iter()
        .filter(of_sandbox)
        .map(|event| {
            assert_eq!(event["source"], "modbox");
            let kind = event["detail-type"].as_str().unwrap().to_owned();
            (kind, event["detail"]["version"].as_u64().unwrap())
        })
        .collect();
    moments.dedup();
    moments
}

fn whole_life() -> Vec<(String, u64)> {
    ["Sandbox Accepted", "Sandbox Running", "Sandbox Ended"]
        .map(ToOwned::to_owned)
        .into_iter()
        .zip(1..)
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_life_is_told_in_three_events() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let id = running(&world, &ann, "web").await;
    ann.delete(&format!("/sandboxes/{id}")).await.expect(200);
    world.settle().await;
    assert_eq!(moments(&world, &id), whole_life());
    let ended = world.events().into_iter().rfind(|event| event["detail"]["id"] == *id).unwrap();
    let sandbox = world.row(&id).await.sandbox;
    let detail = json!({
        "id": id,
        "incarnation": 1,
        "version": 3,
        "name": "web",
        "owner": "ann",
        "image": sandbox.spec.image,
        "created_at_ms": sandbox.created_at.millis(),
        "expires_at_ms": null,
        "ended_at_ms": sandbox.end(world.now()).unwrap().at.millis(),
        "reason": "requested",
    });
    assert_eq!(ended["detail"], detail);
}

/// The `ready` sidecar says first that it runs, and its owner may have ended it before ECS says so.
#[tokio::test(start_paused = true)]
async fn a_sandbox_that_ran_for_a_moment_is_told_of_as_one_that_ran() {
    let world = World::build().script(|_| Script::default()).start().await;
    let ann = world.user("ann").await;
    let id = create(&ann, "web").await;
    world.settle().await;
    world.sidecar(&id).post(&format!("/sandboxes/{id}/ready"), json!({})).await.expect(200);
    ann.delete(&format!("/sandboxes/{id}")).await.expect(200);
    world.settle().await;
    assert_eq!(moments(&world, &id), whole_life());
}

#[tokio::test(start_paused = true)]
async fn an_end_that_nobody_asked_for_is_told() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let id = running(&world, &ann, "web").await;
    world.engine.end(&world.engine.running()[0], "main", 3);
    world.settle().await;
    let ended = world.events().into_iter().rfind(|event| event["detail"]["id"] == *id).unwrap();
    assert_eq!(
        (&ended["detail-type"], &ended["detail"]["reason"]),
        (&json!("Sandbox Ended"), &json!("exited"))
    );
}

#[tokio::test(start_paused = true)]
async fn a_bus_that_is_down_holds_no_launch_and_no_stop_up_and_loses_no_event() {
    without_a_bus(Fault::down()).await;
}

#[tokio::test(start_paused = true)]
async fn neither_does_a_bus_that_hangs() {
    without_a_bus(Fault::Hangs).await;
}

async fn without_a_bus(fault: Fault) {
    let world = World::start().await;
    let ann = world.user("ann").await;
    world.faults.set(move |call| if call.operation == "PutEvents" { fault.clone() } else { Fault::None });
    // More than there are shards, so that some stand behind others.
    let mut ids = Vec::new();
    for _ in 0..20 {
        ids.push(create_with(&ann, json!({})).await);
    }
    world.pass(Duration::from_secs(3)).await;
    assert_eq!(world.engine.running().len(), 20, "a launch waits for the bus");
    for id in &ids {
        ann.delete(&format!("/sandboxes/{id}")).await.expect(200);
    }
    world.pass(Duration::from_secs(5)).await;
    assert!(world.engine.running().is_empty(), "a stop waits for the bus");
    world.pass(Duration::from_secs(5)).await;
    assert!(world.events().is_empty());
    let kept: Vec<String> = world.dead_letters().into_iter().map(|letter| letter.body).collect();
    for id in &ids {
        for moment in ["Sandbox Accepted", "Sandbox Running", "Sandbox Ended"] {
            assert!(
                kept.iter().any(|body| body.contains(id) && body.contains(moment)),
                "{moment} of {id} is lost"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_that_the_bus_refuses_for_good_is_kept() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let no = AwsError::client("ResourceNotFoundException", "Event bus modbox does not exist.");
    world.faults.set(move |call| match call.operation {
        "PutEvents" => Fault::Refused(no.clone()),
        _ => Fault::None,
    });
    let id = running(&world, &ann, "web").await;
    let kept: Vec<String> = world.dead_letters().into_iter().map(|letter| letter.body).collect();
    for moment in ["Sandbox Accepted", "Sandbox Running"] {
        assert!(kept.iter().any(|body| body.contains(&id) && body.contains(moment)), "{moment}: {kept:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn no_event_and_no_item_shows_a_value_or_a_token() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let accepted =
        ann.post("/sandboxes", json!({"env_vars": {"PASSWORD": "hunter2-marker"}})).await.expect(201);
    let token = accepted["endpoint"]["access_token"].as_str().unwrap();
    let readable =
        |world: &World| format!("{:?}{:?}{:?}", world.items(), world.events(), world.dead_letters());
    let mut texts = vec![readable(&world)];
    world.settle().await;
    texts.push(readable(&world));
    ann.delete(&format!("/sandboxes/{}", accepted["sandbox_id"].as_str().unwrap())).await.expect(200);
    world.settle().await;
    texts.push(readable(&world));
    for text in texts {
        assert!(!text.contains("hunter2-marker"), "{text}");
        assert!(!text.contains(token), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_sealed_environment_leaves_the_row_with_the_launch_and_with_every_end() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let request = || json!({"env_vars": {"A": "b"}});
    let launched = create_with(&ann, request()).await;
    assert!(world.row(&launched).await.env.is_some());
    world.settle().await;
    assert!(world.row(&launched).await.env.is_none());
    world.faults.set(|call| if call.operation == "RunTask" { Fault::throttled() } else { Fault::None });
    let ended = create_with(&ann, request()).await;
    ann.delete(&format!("/sandboxes/{ended}")).await.expect(200);
    assert!(world.row(&ended).await.env.is_none());
}
