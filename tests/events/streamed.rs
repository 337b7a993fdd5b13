//! The table's stream and the schedule, to `launcher` and `reaper`.

use std::time::Duration;

use modbox_tests::{Client, Fault, World};
use serde_json::{Value, json};

use super::{
    ARN, ID, OTHER, event, event_about, files_of,
    functions::{CALLER, Functions},
};

fn nothing_again() -> Value {
    json!({"batchItemFailures": []})
}

fn sequence_number(event: &Value, record: usize) -> &Value {
    &event["Records"][record]["dynamodb"]["SequenceNumber"]
}

/// The same records, the last one first.
fn reversed(mut event: Value) -> Value {
    event["Records"].as_array_mut().expect("a batch").reverse();
    event
}

/// The same records, each of them twice.
fn doubled(mut event: Value) -> Value {
    let records = event["Records"].as_array_mut().expect("a batch");
    let again = records.clone();
    records.extend(again);
    event
}

/// A running sandbox and its task.
async fn running(world: &World, ann: &Client) -> (String, String) {
    let id = ann.create(json!({})).await;
    world.settle().await;
    let arn = world.row(&id).await.sandbox.task().expect("it has a task").arn.as_str().to_owned();
    (id, arn)
}

/// Sandboxes whose launch the world's own launcher cannot do.
async fn unlaunched(world: &World, ann: &Client) -> [String; 2] {
    world.faults.set(|call| match (call.caller, call.operation) {
        ("launcher", "RunTask") => Fault::throttled(),
        _ => Fault::None,
    });
    let ids = [ann.create(json!({})).await, ann.create(json!({})).await];
    world.pass(Duration::from_secs(1)).await;
    assert_eq!(world.engine.started(), 0);
    ids
}

#[tokio::test(start_paused = true)]
async fn a_sandbox_that_is_not_there_is_acknowledged() {
    let world = World::start().await;
    let functions = Functions::of(&world);
    for file in files_of("launcher") {
        assert_eq!(functions.launcher(event(&file)).await, nothing_again(), "{file}");
    }
    for file in files_of("reaper").into_iter().filter(|file| file != "reaper/schedule") {
        assert_eq!(functions.reaper(event(&file)).await, nothing_again(), "{file}");
    }
    assert_eq!(functions.reaper(event("reaper/schedule")).await, json!({"due": 0, "orphans": 0}));
    assert_eq!(world.engine.started(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_rows_want_is_launched_once_whatever_the_order_and_however_often() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let ids = unlaunched(&world, &ann).await;
    let wanted = event_about("launcher/wanted", &[(ID, &ids[0]), (OTHER, &ids[1])]);
    let functions = Functions::of(&world);
    for event in [reversed(doubled(wanted.clone())), doubled(wanted.clone()), wanted] {
        assert_eq!(functions.launcher(event).await, nothing_again());
    }
    world.faults.clear();
    world.settle().await;
    assert_eq!(world.engine.started(), 2);
    for id in &ids {
        assert_eq!(ann.detail(id).await["status"], "running");
    }
}

#[tokio::test(start_paused = true)]
async fn a_record_that_is_throttled_is_named_and_the_others_are_done() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let ids = unlaunched(&world, &ann).await;
    let throttled = ids[1].clone();
    world.faults.set(move |call| match (call.caller, call.operation) {
        ("launcher", "RunTask") => Fault::throttled(),
        (CALLER, "RunTask") if call.body.to_string().contains(&throttled) => Fault::throttled(),
        _ => Fault::None,
    });
    let wanted = event_about("launcher/wanted", &[(ID, &ids[0]), (OTHER, &ids[1])]);
    let named = json!({"batchItemFailures": [{"itemIdentifier": sequence_number(&wanted, 1)}]});
    assert_eq!(Functions::of(&world).launcher(wanted).await, named);
    world.pass(Duration::from_secs(1)).await;
    assert_eq!(world.engine.started(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_row_that_does_not_want_its_task_stopped_keeps_it() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let (id, arn) = running(&world, &ann).await;
    let stop = event_about("reaper/stop", &[(ID, &id), (ARN, &arn)]);
    assert_eq!(Functions::of(&world).reaper(stop).await, nothing_again());
    world.settle().await;
    assert_eq!(world.engine.running(), [arn]);
}

#[tokio::test(start_paused = true)]
async fn what_a_row_wants_stopped_is_stopped_once() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let (id, arn) = running(&world, &ann).await;
    world.faults.set(|call| match (call.caller, call.operation) {
        ("reaper", "StopTask") => Fault::throttled(),
        _ => Fault::None,
    });
    ann.delete(&format!("/sandboxes/{id}")).await.expect(200);
    world.pass(Duration::from_secs(1)).await;
    assert_eq!(world.engine.running().len(), 1, "somebody else stopped it");
    let stop = event_about("reaper/stop", &[(ID, &id), (ARN, &arn)]);
    let functions = Functions::of(&world);
    let (answers, calls) = world
        .counting(CALLER, async { [functions.reaper(stop.clone()).await, functions.reaper(stop).await] })
        .await;
    assert_eq!(answers, [nothing_again(), nothing_again()]);
    assert_eq!(calls["StopTask"], 1);
    world.faults.clear();
    world.settle().await;
    assert!(world.engine.running().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_live_row_that_was_removed_is_written_back_as_ended_once() {
    let world = World::start().await;
    let functions = Functions::of(&world);
    let removed = event("reaper/removed-by-ttl");
    assert_eq!(functions.reaper(doubled(removed.clone())).await, nothing_again());
    let item = world.items()[&format!("SANDBOX#{ID}")].clone();
    // That its task is gone is for ECS to say.
    assert_eq!((&item["state"]["S"], &item["end_reason"]["S"]), (&json!("destroying"), &json!("expired")));
    assert_eq!(functions.reaper(removed).await, nothing_again());
    assert_eq!(world.items()[&format!("SANDBOX#{ID}")], item);
    let ended = |event: &&Value| event["detail"]["id"] == ID && event["detail-type"] == "Sandbox Ended";
    assert!(world.events().iter().any(|event| ended(&event)), "its end was not told");
}

#[tokio::test(start_paused = true)]
async fn that_a_sandbox_began_is_told_by_its_record_alone() {
    let world = World::start().await;
    let began = event("reaper/running");
    assert_eq!(Functions::of(&world).reaper(doubled(began)).await, nothing_again());
    assert!(world.items().is_empty());
    let told: Vec<_> =
        world.events().iter().map(|event| (event["detail-type"].clone(), event["detail"].clone())).collect();
    assert_eq!(told.len(), 2, "each delivery tells it");
    for (kind, detail) in told {
        assert_eq!(
            (&kind, &detail["id"], &detail["version"]),
            (&json!("Sandbox Running"), &json!(ID), &json!(2))
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_beginning_that_cannot_be_read_goes_to_the_dead_letters() {
    let world = World::start().await;
    let mut began = event("reaper/running");
    began["Records"][0]["dynamodb"]["NewImage"].as_object_mut().unwrap().remove("version");
    assert_eq!(Functions::of(&world).reaper(began).await, nothing_again());
    let letters = world.dead_letters();
    let letter: Value = serde_json::from_str(&letters[0].body).unwrap();
    assert_eq!((letters.len(), &letter["key"]), (1, &json!(format!("SANDBOX#{ID}"))));
}

#[tokio::test(start_paused = true)]
async fn a_removed_row_that_cannot_be_read_goes_to_the_dead_letters_and_holds_nobody_up() {
    let world = World::start().await;
    let mut batch = event("reaper/removed-damaged");
    let good = event("reaper/removed-by-ttl");
    batch["Records"].as_array_mut().unwrap().extend(good["Records"].as_array().unwrap().clone());
    let sequence = sequence_number(&batch, 0).clone();
    assert_eq!(Functions::of(&world).reaper(batch).await, nothing_again());
    let letters = world.dead_letters();
    assert_eq!(letters.len(), 1);
    let letter: Value = serde_json::from_str(&letters[0].body).unwrap();
    assert_eq!(letter["key"], format!("SANDBOX#{OTHER}"));
    assert_eq!(letter["sequence_number"], sequence);
    assert_eq!(world.items()[&format!("SANDBOX#{ID}")]["state"]["S"], "destroying");
}

#[tokio::test(start_paused = true)]
async fn the_schedule_ends_what_is_past_its_deadline() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let id = ann.create(json!({"ttl_seconds": 60})).await;
    world.settle().await;
    world.pass(Duration::from_secs(61)).await;
    assert_eq!(world.engine.running().len(), 1, "somebody else ended it");
    let answer = Functions::of(&world).reaper(event("reaper/schedule")).await;
    assert_eq!(answer, json!({"due": 1, "orphans": 0}));
    world.settle().await;
    assert!(world.engine.running().is_empty());
    assert_eq!(ann.detail(&id).await["reason"], "expired");
}
