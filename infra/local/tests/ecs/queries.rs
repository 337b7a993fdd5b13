use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::sleep;

use crate::world::{World, run_body};

async fn list(world: &World, body: Value) -> Vec<String> {
    let arns = world.ok("ListTasks", body).await["taskArns"].take();
    serde_json::from_value(arns).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_task_is_found_by_id_and_arn_and_the_unknown_are_failures() {
    let world = World::new().await;
    let arn = world.run().await;
    let id = arn.rsplit('/').next().unwrap();
    let other = "0".repeat(31) + "x";
    let elsewhere = arn.replace("modbox", "elsewhere");
    let body = json!({ "cluster": "modbox", "tasks": [other, id, arn, elsewhere] });
    let answer = world.ok("DescribeTasks", body).await;
    let found = answer["tasks"].as_array().unwrap();
    assert_eq!((found.len(), &found[0], &found[0]["taskArn"]), (2, &found[1], &json!(arn)));
    let missing = format!("arn:aws:ecs:us-east-1:000000000000:task/modbox/{other}");
    let failure = |arn: &str| json!({ "arn": arn, "reason": "MISSING" });
    assert_eq!(answer["failures"], json!([failure(&missing), failure(&elsewhere)]));
}

#[tokio::test(start_paused = true)]
async fn at_most_100_tasks_are_described_at_once() {
    let world = World::new().await;
    for count in [0, 101] {
        let error = world.refused("DescribeTasks", json!({ "tasks": vec!["x"; count] })).await;
        assert_eq!(error.code, "InvalidParameterException");
    }
    let answer = world.ok("DescribeTasks", json!({ "tasks": vec!["x"; 100] })).await;
    assert_eq!(answer["failures"].as_array().unwrap().len(), 100);
}

#[tokio::test(start_paused = true)]
async fn a_stopped_task_is_describable_for_an_hour_and_then_unknown() {
    let world = World::new().await;
    let arn = world.run().await;
    world.stop(&arn).await;
    world.until(&arn, "STOPPED").await;
    sleep(Duration::from_secs(3599)).await;
    assert_eq!(world.describe(&arn).await["lastStatus"], "STOPPED");
    sleep(Duration::from_secs(1)).await;
    let answer = world.ok("DescribeTasks", json!({ "tasks": [arn] })).await;
    assert_eq!(answer["failures"][0]["reason"], "MISSING");
    let error = world.refused("StopTask", json!({ "task": arn })).await;
    assert_eq!(error.code, "InvalidParameterException");
    assert_eq!(error.message, "The referenced task was not found.");
}

#[tokio::test(start_paused = true)]
async fn tags_are_told_when_asked_and_go_with_the_stop() {
    let world = World::new().await;
    let tags = json!([{ "key": "a", "value": "b" }]);
    let arn = world.run_with(json!({ "tags": tags })).await;
    let body = || json!({ "tasks": [arn], "include": ["TAGS"] });
    assert_eq!(world.ok("DescribeTasks", body()).await["tasks"][0]["tags"], tags);
    assert!(world.describe(&arn).await.get("tags").is_none());
    world.stop(&arn).await;
    assert_eq!(world.ok("DescribeTasks", body()).await["tasks"][0]["tags"], json!([]));
}

#[tokio::test(start_paused = true)]
async fn a_list_has_what_is_wished_to_run_from_the_first_moment() {
    let world = World::new().await;
    let (one, two) = (world.run().await, world.run().await);
    assert_eq!(list(&world, json!({})).await, [one.clone(), two.clone()]);
    world.stop(&one).await;
    assert_eq!(list(&world, json!({})).await, [two]);
    assert_eq!(list(&world, json!({ "desiredStatus": "STOPPED" })).await, [one]);
    assert!(list(&world, json!({ "desiredStatus": "PENDING" })).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn started_by_is_the_only_filter_that_is_used() {
    let world = World::new().await;
    let arn = world.run_with(json!({ "startedBy": "modbox/a/1" })).await;
    world.run_with(json!({ "startedBy": "modbox/a/12" })).await;
    assert_eq!(list(&world, json!({ "startedBy": "modbox/a/1" })).await, [arn]);
    assert!(list(&world, json!({ "startedBy": "modbox/a/2" })).await.is_empty());
    assert_eq!(list(&world, json!({ "family": "sandbox" })).await.len(), 2);
    assert!(list(&world, json!({ "family": "other" })).await.is_empty());
    for other in ["family", "launchType", "serviceName", "containerInstance"] {
        let body = json!({ "startedBy": "modbox/a/1", other: "FARGATE" });
        assert_eq!(world.refused("ListTasks", body).await.code, "InvalidParameterException");
    }
}

#[tokio::test(start_paused = true)]
async fn a_list_comes_in_pages_that_miss_and_repeat_nothing() {
    let world = World::new().await;
    let mut all = Vec::new();
    for _ in 0..25 {
        let answer = world.ok("RunTask", run_body(json!({ "count": 10 }))).await;
        let tasks = answer["tasks"].as_array().unwrap().iter();
        all.extend(tasks.map(|task| task["taskArn"].as_str().unwrap().to_owned()));
        sleep(Duration::from_millis(500)).await;
    }
    let (mut pages, mut token) = (Vec::new(), Value::Null);
    loop {
        let page = world.ok("ListTasks", json!({ "nextToken": token })).await;
        pages.push(serde_json::from_value::<Vec<String>>(page["taskArns"].clone()).unwrap());
        token = page["nextToken"].clone();
        if token.is_null() {
            break;
        }
    }
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [100, 100, 50]);
    assert_eq!(pages.concat(), all);
    assert_eq!(list(&world, json!({ "maxResults": 7 })).await, all[..7]);
    for bad in [json!({ "maxResults": 101 }), json!({ "maxResults": 0 }), json!({ "nextToken": "x" })] {
        assert_eq!(world.refused("ListTasks", bad).await.code, "InvalidParameterException");
    }
}

#[tokio::test]
async fn an_operation_that_is_not_there_is_unknown() {
    let world = World::new().await;
    let error = world.refused("CreateService", json!({})).await;
    assert_eq!(error.code, "UnknownOperationException");
}
