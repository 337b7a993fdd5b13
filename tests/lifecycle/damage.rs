//! An item that cannot be decoded: it alone is set aside, and its dead letter is enough to repair it.

use std::time::Duration;

use modbox_tests::{Client, Fault, World};
use serde_json::{Value, json};

use super::{create, create_with, status};

/// Creates that many sandboxes, of which the launcher can launch none yet: all wait in one batch of their shard.
async fn waiting(world: &World, user: &Client, count: usize) -> Vec<String> {
    world.faults.set(|call| match (call.caller, call.operation) {
        ("launcher", "RunTask") => Fault::throttled(),
        _ => Fault::None,
    });
    let mut ids = Vec::new();
    for number in 0..count {
        let request = json!({"task_id": format!("web-{number}"), "env_vars": {"PASSWORD": "hunter2"}});
        ids.push(create_with(user, request).await);
    }
    world.pass(Duration::from_secs(1)).await;
    assert_eq!(world.engine.started(), 0);
    ids
}

/// Writes attributes of a row as somebody with the AWS CLI does.
fn write(world: &World, id: &str, attributes: &[(&str, &Value)]) {
    let key = json!({"S": format!("SANDBOX#{id}")});
    let set: Vec<String> = (0..attributes.len()).map(|at| format!("#n{at} = :v{at}")).collect();
    let names = attributes.iter().enumerate().map(|(at, (name, _))| (format!("#n{at}"), json!(name)));
    let values = attributes.iter().enumerate().map(|(at, (_, value))| (format!(":v{at}"), (*value).clone()));
    let update = json!({
        "TableName": "modbox",
        "Key": {"pk": key, "sk": key},
        "UpdateExpression": format!("SET {}", set.join(", ")),
        "ExpressionAttributeNames": names.collect::<serde_json::Map<_, _>>(),
        "ExpressionAttributeValues": values.collect::<serde_json::Map<_, _>>(),
    });
    world.stack.dynamo.call("UpdateItem", update).expect("a row can be written");
}

fn letters(world: &World) -> Vec<Value> {
    let read = |letter: &str| serde_json::from_str(letter).expect("a dead letter is JSON");
    world.dead_letters().iter().map(|letter| read(&letter.body)).collect()
}

#[tokio::test(start_paused = true)]
async fn of_a_batch_it_alone_is_a_dead_letter_and_nothing_waits_behind_it() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    // So many that each of the four shards has some before and behind it.
    let ids = waiting(&world, &ann, 40).await;
    let damaged = &ids[20];
    write(&world, damaged, &[("memory_mb", &json!({"S": "much"}))]);
    world.faults.clear();
    world.settle().await;
    world.pass(Duration::from_secs(10)).await;
    assert_eq!(world.engine.started(), 39);
    for id in ids.iter().filter(|id| *id != damaged) {
        assert_eq!(status(&ann, id).await, "running");
    }

    let key = format!("SANDBOX#{damaged}");
    let letters = letters(&world);
    assert!(!letters.is_empty());
    for letter in letters {
        assert_eq!((&letter["function"], &letter["key"]), (&json!("launcher"), &json!(key)));
        assert!(letter["sequence_number"].is_string(), "{letter}");
        let reason = letter["reason"].as_str().expect("a reason");
        assert!(reason.contains(&key) && reason.contains("memory_mb"), "{reason}");
        let item = &letter["item"];
        assert_eq!((&item["state"]["S"], &item["wants"]["S"]), (&json!("provisioning"), &json!("task")));
        assert_eq!(item.get("env"), None, "the environment is nobody's to read");
        assert!(!letter.to_string().contains("hunter2"));
    }
}

#[tokio::test(start_paused = true)]
async fn the_letter_of_a_row_that_the_schedule_set_aside_is_enough_to_repair_it() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let ids = waiting(&world, &ann, 1).await;
    let id = ids[0].as_str();
    let before = world.items()[&format!("SANDBOX#{id}")].clone();
    write(&world, id, &[("memory_mb", &json!({"S": "much"}))]);
    world.pass(Duration::from_secs(31)).await;
    world.tick().await;
    let damaged = world.items()[&format!("SANDBOX#{id}")].clone();
    assert_eq!((damaged.get("wants"), damaged.get("attention")), (None, None), "it wakes nobody any more");
    world.faults.clear();

    let letter = letters(&world).pop().expect("a dead letter");
    assert_eq!((&letter["function"], &letter["sequence_number"]), (&json!("reaper"), &Value::Null));
    let item = &letter["item"];
    assert_eq!(item["memory_mb"], json!({"S": "much"}), "it shows what is wrong");
    let repaired =
        [("memory_mb", &before["memory_mb"]), ("wants", &item["wants"]), ("attention", &item["attention"])];
    write(&world, id, &repaired);
    world.settle().await;
    assert_eq!(status(&ann, id).await, "running");
    assert_eq!(world.engine.started(), 1);
    create(&ann, "another").await;
}

#[tokio::test(start_paused = true)]
async fn the_letter_of_a_removed_row_names_the_task_that_may_still_run() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let id = super::running(&world, &ann, "web").await;
    let arn = world.engine.running().remove(0);
    write(&world, &id, &[("state", &json!({"S": "dancing"}))]);
    let key = json!({"S": format!("SANDBOX#{id}")});
    let delete = json!({"TableName": "modbox", "Key": {"pk": key, "sk": key}});
    world.stack.dynamo.call("DeleteItem", delete).expect("a row can be removed");
    world.settle().await;
    let letter = letters(&world).pop().expect("a dead letter");
    assert_eq!((&letter["function"], &letter["item"]["task_arn"]["S"]), (&json!("reaper"), &json!(arn)));
    // And should nobody read it, the task is an orphan.
    world.pass(Duration::from_secs(10 * 60)).await;
    world.tick().await;
    world.pass(Duration::from_secs(10 * 60)).await;
    world.tick().await;
    assert!(world.engine.running().is_empty());
}
