//! Tasks that no row wants.

use std::time::Duration;

use modbox_tests::{Client, Fault, World};
use serde_json::{Value, json};

use super::running;

async fn start_task(world: &World, ann: &Client, started_by: &str) {
    let id = running(world, ann, "web").await;
    let definition = world.task(&id).await["taskDefinitionArn"].clone();
    let task = json!({
        "cluster": "modbox", "taskDefinition": definition, "startedBy": started_by, "group": "incarnation:1",
        "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-local"]}},
    });
    world.stack.ecs.call("RunTask", task).await.unwrap();
    world.settle().await;
    assert_eq!(world.engine.running().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_task_of_a_sandbox_that_never_was_is_stopped() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    start_task(&world, &ann, "modbox/local/00000000-0000-4000-8000-000000000009").await;
    world.pass(Duration::from_secs(6 * 60)).await;
    world.tick().await;
    assert_eq!(world.engine.running().len(), 1, "the orphan runs, or another was stopped");
}

#[tokio::test(start_paused = true)]
async fn a_second_task_of_a_sandbox_is_stopped() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let id = running(&world, &ann, "one").await;
    let own = world.engine.running();
    let task = json!({
        "cluster": "modbox", "taskDefinition": world.task(&id).await["taskDefinitionArn"],
        "startedBy": format!("modbox/local/{id}"), "group": "incarnation:1",
        "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-local"]}},
    });
    world.stack.ecs.call("RunTask", task).await.unwrap();
    world.settle().await;
    world.pass(Duration::from_secs(6 * 60)).await;
    world.tick().await;
    assert_eq!(world.engine.running(), own);
}

#[tokio::test(start_paused = true)]
async fn a_task_of_somebody_else_is_left_alone() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    start_task(&world, &ann, "modbox/another/00000000-0000-4000-8000-000000000009").await;
    world.pass(Duration::from_secs(6 * 60)).await;
    world.tick().await;
    assert_eq!(world.engine.running().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_orphan_that_cannot_be_stopped_keeps_nobody_from_the_next() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let nobody = |last: u8| format!("modbox/local/00000000-0000-4000-8000-00000000000{last}");
    start_task(&world, &ann, &nobody(1)).await;
    let wanted = |task: &Value| task["startedBy"] != nobody(1).as_str();
    let started = world.stack.ecs.call("ListTasks", json!({"cluster": "modbox"})).await.unwrap();
    let described =
        world.stack.ecs.call("DescribeTasks", json!({"tasks": started["taskArns"]})).await.unwrap();
    let tasks = described["tasks"].as_array().unwrap();
    let definition = tasks[0]["taskDefinitionArn"].clone();
    let stuck = tasks.iter().find(|task| !wanted(task)).unwrap()["taskArn"].clone();
    for last in 2..=4 {
        let task = json!({
            "cluster": "modbox", "taskDefinition": definition, "startedBy": nobody(last), "group": "incarnation:1",
            "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-local"]}},
        });
        world.stack.ecs.call("RunTask", task).await.unwrap();
    }
    world.settle().await;
    world.faults.set(move |call| {
        let is_stuck = call.operation == "StopTask" && call.body["task"] == stuck;
        if is_stuck { Fault::down() } else { Fault::None }
    });
    world.pass(Duration::from_secs(6 * 60)).await;
    // It says so, once it has tried all.
    assert!(world.stack.tick().await.is_err());
    world.settle().await;
    assert_eq!(world.engine.running().len(), 2, "the sandbox's own task and the one that cannot be stopped");
}
