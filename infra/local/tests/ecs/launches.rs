use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::future::join_all;
use serde_json::{Value, json};
use tokio::{sync::Barrier, time::sleep};

use crate::world::{FAMILY, World, definition, run_body};

fn arns(answer: &Value) -> Vec<String> {
    let tasks = answer["tasks"].as_array().unwrap();
    tasks.iter().map(|task| task["taskArn"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_launch_answers_with_the_task_as_asked() {
    let world = World::new().await;
    let overrides = json!({
        "cpu": "1024",
        "containerOverrides": [{ "name": "main", "environment": [{ "name": "B", "value": "2" }] }],
    });
    let members = json!({ "count": 2, "startedBy": "modbox/local/7", "overrides": overrides });
    let answer = world.ok("RunTask", run_body(members)).await;
    assert_eq!(answer["failures"], json!([]));
    let tasks = answer["tasks"].as_array().unwrap();
    assert_eq!(tasks.len(), 2);
    let arn = tasks[0]["taskArn"].as_str().unwrap();
    let id = arn.strip_prefix("arn:aws:ecs:us-east-1:000000000000:task/modbox/").unwrap();
    assert!(id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
    let definition = "arn:aws:ecs:us-east-1:000000000000:task-definition/sandbox:1";
    assert_eq!(tasks[0]["taskDefinitionArn"], definition);
    assert_eq!(tasks[0]["clusterArn"], "arn:aws:ecs:us-east-1:000000000000:cluster/modbox");
    assert_eq!(tasks[0]["group"], format!("family:{FAMILY}"));
    assert_eq!((&tasks[0]["cpu"], &tasks[0]["memory"]), (&json!("1024"), &json!("512")));
    assert_eq!((&tasks[0]["version"], &tasks[0]["startedBy"]), (&json!(1), &json!("modbox/local/7")));
    assert_eq!(tasks[0]["overrides"]["containerOverrides"][0]["environment"][0]["value"], "2");
}

#[tokio::test(start_paused = true)]
async fn overrides_reach_the_engine_over_the_definition() {
    let seen = Arc::new(Mutex::new(None));
    let sink = Arc::clone(&seen);
    let world = World::of(move |launch| {
        *sink.lock().unwrap() = Some(launch.clone());
        Default::default()
    })
    .await;
    let own = json!([{ "name": "main", "command": ["x"], "environment": [{ "name": "B", "value": "2" }] }]);
    let arn = world.run_with(json!({ "overrides": { "containerOverrides": own } })).await;
    world.until(&arn, "RUNNING").await;
    let launch = seen.lock().unwrap().clone().unwrap();
    let main = launch.container("main").unwrap();
    assert_eq!(main.command, ["x"]);
    assert_eq!((main.environment["A"].as_str(), main.environment["B"].as_str()), ("1", "2"));
    let ready = launch.container("ready").unwrap();
    assert!(!ready.essential && ready.environment.is_empty());
    assert_eq!(launch.container("deadline").unwrap().command, ["deadline"]);
    assert_eq!(launch.task_arn, arn);
    assert!(!format!("{launch:?}").contains("\"2\""), "values are in no debug text");
}

#[tokio::test(start_paused = true)]
async fn the_same_call_with_the_same_token_gives_the_same_task_as_it_is_now() {
    let world = World::new().await;
    let body = || run_body(json!({ "clientToken": "t-1", "startedBy": "a" }));
    let first = world.ok("RunTask", body()).await;
    let arn = arns(&first).remove(0);
    world.until(&arn, "RUNNING").await;
    let again = world.ok("RunTask", body()).await;
    assert_eq!(arns(&again), arns(&first));
    assert_eq!(again["tasks"][0]["lastStatus"], "RUNNING");
    world.stop(&arn).await;
    world.until(&arn, "STOPPED").await;
    let after = world.ok("RunTask", body()).await;
    assert_eq!(after["tasks"][0]["lastStatus"], "STOPPED");
    assert_eq!(world.engine.started(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_token_with_other_parameters_conflicts_and_names_the_task() {
    let world = World::new().await;
    let arn = world.run_with(json!({ "clientToken": "t-1", "startedBy": "a" })).await;
    for other in [
        json!({ "clientToken": "t-1", "startedBy": "b" }),
        json!({ "clientToken": "t-1" }),
        json!({ "clientToken": "t-1", "startedBy": "a", "count": 2 }),
    ] {
        let error = world.refused("RunTask", run_body(other)).await;
        assert_eq!(error.code, "ConflictException");
        assert_eq!(error.body()["resourceIds"], json!([arn]));
    }
    assert_ne!(world.run_with(json!({ "clientToken": "T-1", "startedBy": "a" })).await, arn);
}

#[tokio::test(start_paused = true)]
async fn a_token_lives_as_long_as_its_task_and_an_hour_and_at_most_a_day() {
    let world = World::new().await;
    let token = || json!({ "clientToken": "t-1" });
    let first = world.run_with(token()).await;
    world.stop(&first).await;
    world.until(&first, "STOPPED").await;
    sleep(Duration::from_secs(3590)).await;
    assert_eq!(world.run_with(token()).await, first);
    sleep(Duration::from_secs(20)).await;
    let second = world.run_with(token()).await;
    assert_ne!(second, first);
    sleep(Duration::from_secs(24 * 3600 - 1)).await;
    assert_eq!(world.run_with(token()).await, second);
    sleep(Duration::from_secs(1)).await;
    assert_ne!(world.run_with(token()).await, second);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_calls_with_one_token_give_one_task() {
    let world = World::new().await;
    let barrier = Arc::new(Barrier::new(4));
    let callers = (0..4).map(|_| {
        let (ecs, barrier) = (world.ecs.clone(), Arc::clone(&barrier));
        tokio::spawn(async move {
            let mut seen = Vec::new();
            for round in 0..100 {
                barrier.wait().await;
                let body = run_body(json!({ "clientToken": format!("t-{}", round % 20) }));
                seen.extend(arns(&ecs.call("RunTask", body).await.unwrap()));
            }
            seen
        })
    });
    let seen = join_all(callers).await.into_iter().map(Result::unwrap);
    let seen: Vec<Vec<String>> = seen.collect();
    assert!(seen.iter().all(|each| *each == seen[0]));
    let distinct: BTreeSet<&String> = seen[0].iter().collect();
    assert_eq!((seen[0].len(), distinct.len()), (100, 20));
}

#[tokio::test(start_paused = true)]
async fn a_burst_of_100_launches_passes_and_then_20_a_second() {
    let world = World::new().await;
    for _ in 0..100 {
        world.run().await;
    }
    let error = world.refused("RunTask", run_body(json!({}))).await;
    assert_eq!((error.code.as_str(), error.message.as_str()), ("ThrottlingException", "Rate exceeded."));
    sleep(Duration::from_millis(500)).await;
    world.run_with(json!({ "count": 10 })).await;
    assert_eq!(world.refused("RunTask", run_body(json!({}))).await.code, "ThrottlingException");
}

#[tokio::test(start_paused = true)]
async fn a_throttled_call_holds_no_token() {
    let world = World::new().await;
    for _ in 0..10 {
        world.run_with(json!({ "count": 10 })).await;
    }
    world.refused("RunTask", run_body(json!({ "clientToken": "t", "startedBy": "a" }))).await;
    sleep(Duration::from_secs(1)).await;
    world.run_with(json!({ "clientToken": "t", "startedBy": "b" })).await;
}

async fn assert_refused(world: &World, members: Value, code: &str, words: &str) {
    let error = world.refused("RunTask", run_body(members.clone())).await;
    assert_eq!((error.status, error.code.as_str()), (400, code), "{members}");
    assert!(error.message.contains(words), "{members}: {}", error.message);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_there_cannot_be_run() {
    let mut world = World::new().await;
    world.ok("RegisterTaskDefinition", definition("old")).await;
    world.ok("DeregisterTaskDefinition", json!({ "taskDefinition": "old:1" })).await;
    let cases = [
        (json!({ "cluster": "other" }), "ClusterNotFoundException", "Cluster not found."),
        (json!({ "taskDefinition": "none" }), "ClientException", "TaskDefinition not found."),
        (json!({ "taskDefinition": "sandbox:2" }), "ClientException", "TaskDefinition not found."),
        (json!({ "taskDefinition": "old:1" }), "ClientException", "TaskDefinition is inactive"),
        (json!({ "taskDefinition": "old" }), "ClientException", "TaskDefinition not found."),
    ];
    for (members, code, words) in cases {
        assert_refused(&world, members, code, words).await;
    }
    assert!(world.events().is_empty(), "a refused call starts nothing");
}

#[tokio::test(start_paused = true)]
async fn parameters_that_ecs_refuses_are_refused() {
    let mut world = World::new().await;
    let big = json!([{ "name": "main", "command": ["x".repeat(8192)] }]);
    let cases = [
        (json!({ "taskDefinition": "" }), "Task definition"),
        (json!({ "count": 0 }), "count"),
        (json!({ "count": 11 }), "count"),
        (json!({ "startedBy": "a.b" }), "startedBy"),
        (json!({ "startedBy": "x".repeat(129) }), "startedBy"),
        (json!({ "clientToken": "a b" }), "clientToken"),
        (json!({ "clientToken": "x".repeat(65) }), "clientToken"),
        (json!({ "networkConfiguration": null }), "Network Configuration"),
        (json!({ "overrides": { "containerOverrides": big } }), "8192"),
        (json!({ "overrides": { "containerOverrides": [{ "name": "other" }] } }), "other"),
    ];
    for (members, words) in cases {
        assert_refused(&world, members, "InvalidParameterException", words).await;
    }
    assert_refused(&world, json!({ "count": "1" }), "SerializationException", "u32").await;
    assert!(world.events().is_empty(), "a refused call starts nothing");
}

#[tokio::test(start_paused = true)]
async fn overrides_of_8192_characters_pass() {
    let world = World::new().await;
    let overrides =
        |fill: usize| json!({ "containerOverrides": [{ "name": "main", "command": ["ü".repeat(fill)] }] });
    let syntax = overrides(0).to_string().len();
    world.run_with(json!({ "overrides": overrides(8192 - syntax) })).await;
    let over = run_body(json!({ "overrides": overrides(8193 - syntax) }));
    assert_eq!(world.refused("RunTask", over).await.code, "InvalidParameterException");
}
