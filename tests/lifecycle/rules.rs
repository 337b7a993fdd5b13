//! Rules 1, 3, 4, 5 and 8 of the spine: each test fails without its rule.

use std::time::Duration;

use modbox_local::aws_json::AwsError;
use modbox_tests::{Fault, World};
use serde_json::json;

use super::{SETTLED, create, detail, reason, running, status, stored_state};

const RUN: (&str, &str) = ("launcher", "RunTask");

#[tokio::test(start_paused = true)]
async fn a_change_that_wants_nothing_wakes_nobody() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let id = running(&world, &ann, "web").await;
    let before = world.calls();
    ann.post(&format!("/sandboxes/{id}/extend"), json!({"ttl_seconds": 600})).await.expect(200);
    world.settle().await;
    let others = |calls: &modbox_local::cloud::Calls| {
        calls
            .iter()
            .filter(|((by, _), _)| by == "launcher" || by == "reaper")
            .map(|(_, count)| count)
            .sum::<u64>()
    };
    assert_eq!(others(&world.calls()), others(&before));
}

#[tokio::test(start_paused = true)]
async fn a_live_row_removed_by_hand_has_its_task_stopped_and_reads_destroyed() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let id = running(&world, &ann, "web").await;
    let key = json!({"S": format!("SANDBOX#{id}")});
    let delete = json!({"TableName": "modbox", "Key": {"pk": key, "sk": key}});
    world.stack.dynamo.call("DeleteItem", delete).unwrap();
    world.settle().await;
    assert!(world.engine.running().is_empty(), "its task still runs");
    assert_eq!(detail(&ann, &id).await["status"], "destroyed");
    assert!(reason(&ann, &id).await.contains("removed"));
    running(&world, &ann, "web").await;
}

#[tokio::test(start_paused = true)]
async fn a_launch_whose_answer_is_lost_starts_one_task() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    // More than the SDK tries within one invocation, so that the record is delivered again.
    world.faults.next(RUN, 7, Fault::lost());
    let id = running(&world, &ann, "web").await;
    assert_eq!(world.engine.started(), 1);
    assert_eq!(world.engine.running().len(), 1);
    assert_eq!(world.row(&id).await.sandbox.task().unwrap().arn.as_str(), world.engine.running()[0]);
}

#[tokio::test(start_paused = true)]
async fn a_launcher_that_dies_between_runtask_and_its_write_starts_one_task() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let mut ran = false;
    let mut died = false;
    world.faults.set(move |call| {
        if call.caller == "launcher" && call.operation == "RunTask" {
            ran = true;
        } else if ran && !died && call.caller == "launcher" && call.operation == "PutItem" {
            died = true;
            return Fault::Hangs;
        }
        Fault::None
    });
    running(&world, &ann, "web").await;
    world.pass(Duration::from_secs(120)).await;
    assert_eq!(world.engine.started(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_destroyed_before_its_launch_never_starts() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    world.faults.next(RUN, 6, Fault::throttled());
    let id = create(&ann, "web").await;
    ann.delete(&format!("/sandboxes/{id}")).await.expect(200);
    world.settle().await;
    world.pass(Duration::from_secs(60)).await;
    assert_eq!(world.engine.started(), 0);
    assert_eq!(status(&ann, &id).await, "destroyed");
}

#[tokio::test(start_paused = true)]
async fn a_definite_no_that_may_pass_raises_the_attempt_and_tries_again_later() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let no = AwsError::client(
        "ClientException",
        "You've reached the limit on the number of vCPUs you can run concurrently",
    );
    world.faults.next(RUN, 1, Fault::Refused(no));
    let id = create(&ann, "web").await;
    world.settle().await;
    assert_eq!(world.items()[&format!("SANDBOX#{id}")]["attempt"]["N"], "2");
    world.tick().await;
    assert_eq!(world.engine.started(), 0, "it was tried again at once");
    world.pass(Duration::from_secs(10)).await;
    world.tick().await;
    assert_eq!(status(&ann, &id).await, "running");
    assert_eq!(world.engine.started(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_definite_no_that_does_not_pass_ends_the_sandbox_with_ecs_own_words() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let no = AwsError::client("InvalidParameterException", "The subnet ID 'subnet-1' does not exist");
    world.faults.next(RUN, 1, Fault::Refused(no));
    let id = create(&ann, "web").await;
    let waited = ann.post("/sandboxes/wait", json!({"task_id": "web", "timeout": 600})).await.expect(200);
    assert_eq!(waited["ready"], false);
    assert_eq!(waited["status"], "destroyed");
    assert!(waited["reason"].as_str().unwrap().contains("The subnet ID 'subnet-1' does not exist"));
    assert!(waited["elapsed_seconds"].as_f64().unwrap() < 5.0);
    assert!(reason(&ann, &id).await.starts_with("failed: "));
}

#[tokio::test(start_paused = true)]
async fn a_conflict_adopts_the_task_that_it_names() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    // The first invocation starts a task and learns nothing of it; nor does the observer.
    world.faults.set(|call| match (call.caller, call.operation) {
        ("launcher", "RunTask") => Fault::lost(),
        ("observer", "GetItem") => Fault::down(),
        _ => Fault::None,
    });
    let id = create(&ann, "web").await;
    world.pass(Duration::from_secs(1)).await;
    let arn = world.engine.running().pop().expect("a task was started");
    let mut conflict = AwsError::client("ConflictException", "the token was used with other parameters");
    conflict.members.insert("resourceIds".to_owned(), json!([arn]));
    world.faults.set(move |call| match (call.caller, call.operation) {
        ("launcher", "RunTask") => Fault::Refused(conflict.clone()),
        ("observer", "GetItem") => Fault::down(),
        _ => Fault::None,
    });
    world.pass(Duration::from_secs(30)).await;
    assert_eq!(world.row(&id).await.sandbox.task().unwrap().arn.as_str(), arn);
    world.faults.clear();
    world.settle().await;
    assert_eq!(status(&ann, &id).await, "running");
    assert_eq!(world.engine.started(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_returned_task_that_has_stopped_is_an_end() {
    let world = World::build()
        .script(|_| modbox_tests::Script::default().exit("main", Duration::from_millis(20), 7))
        .start()
        .await;
    let ann = world.user("ann").await;
    // Nobody hears of the task until it has stopped, but for the launcher's second call.
    world.faults.set({
        let mut calls = 0;
        move |call| match (call.caller, call.operation) {
            ("launcher", "RunTask") => {
                calls += 1;
                if calls <= 6 { Fault::lost() } else { Fault::None }
            }
            ("observer", "GetItem") => Fault::down(),
            _ => Fault::None,
        }
    });
    let id = create(&ann, "web").await;
    world.pass(Duration::from_secs(60)).await;
    assert_eq!(reason(&ann, &id).await, "exited with code 7");
    assert_eq!(world.engine.started(), 1);
    assert_eq!(stored_state(&world, &id).await, "destroyed");
}

#[tokio::test(start_paused = true)]
async fn the_observer_records_a_task_that_the_launcher_could_not() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    world.faults.set(|call| match (call.caller, call.operation) {
        ("launcher", "RunTask") => Fault::lost(),
        _ => Fault::None,
    });
    let id = create(&ann, "web").await;
    world.pass(Duration::from_secs(2)).await;
    assert_eq!(status(&ann, &id).await, "running");
    assert_eq!(world.engine.started(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_task_first_heard_of_in_a_row_that_is_ending_is_stopped() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    world.faults.set(|call| match (call.caller, call.operation) {
        ("launcher", "RunTask") => Fault::lost(),
        ("observer", "GetItem") => Fault::down(),
        _ => Fault::None,
    });
    let id = create(&ann, "web").await;
    world.pass(Duration::from_millis(200)).await;
    assert_eq!(world.engine.running().len(), 1);
    ann.delete(&format!("/sandboxes/{id}")).await.expect(200);
    assert!(world.row(&id).await.sandbox.task().is_none());
    world.faults.clear();
    world.pass(Duration::from_secs(30)).await;
    world.settle().await;
    assert!(world.engine.running().is_empty());
    assert_eq!(stored_state(&world, &id).await, "destroyed");
}

#[tokio::test(start_paused = true)]
async fn a_destroyed_sandbox_stops_a_task_that_shows_up_late_and_stays_destroyed() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    world.faults.set(|call| match (call.caller, call.operation) {
        ("launcher", "RunTask") => Fault::throttled(),
        _ => Fault::None,
    });
    let id = create(&ann, "web").await;
    ann.delete(&format!("/sandboxes/{id}")).await.expect(200);
    world.pass(SETTLED).await;
    world.tick().await;
    assert_eq!(stored_state(&world, &id).await, "destroyed");
    // A launcher that was frozen since before the destroy comes to life.
    let other = running_elsewhere(&world, &ann).await;
    let late = json!({
        "cluster": "modbox",
        "taskDefinition": other["taskDefinitionArn"],
        "startedBy": format!("modbox/local/{id}"),
        "group": "incarnation:1",
        "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-local"]}},
    });
    world.stack.ecs.call("RunTask", late).await.unwrap();
    world.settle().await;
    assert_eq!(world.engine.running().len(), 1, "the late task still runs");
    assert_eq!(stored_state(&world, &id).await, "destroyed");
    assert_eq!(reason(&ann, &id).await, "destroyed");
}

async fn running_elsewhere(world: &World, ann: &modbox_tests::Client) -> serde_json::Value {
    world.faults.clear();
    let id = running(world, ann, "other").await;
    world.task(&id).await
}

#[tokio::test(start_paused = true)]
async fn an_end_without_a_task_is_settled_only_once_no_launcher_can_be_at_work() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    world.faults.set(|call| match (call.caller, call.operation) {
        ("launcher", "RunTask") => Fault::throttled(),
        _ => Fault::None,
    });
    let id = create(&ann, "web").await;
    ann.delete(&format!("/sandboxes/{id}")).await.expect(200);
    for _ in 0..2 {
        world.pass(Duration::from_secs(60)).await;
        world.tick().await;
        assert_eq!(stored_state(&world, &id).await, "destroying");
        assert_eq!(status(&ann, &id).await, "destroyed");
    }
    world.pass(SETTLED).await;
    world.tick().await;
    assert_eq!(stored_state(&world, &id).await, "destroyed");
}

#[tokio::test(start_paused = true)]
async fn a_task_that_ecs_does_not_know_yet_is_not_given_up() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let id = running(&world, &ann, "web").await;
    let unknown = AwsError::client("InvalidParameterException", "The referenced task was not found.");
    world.faults.set(move |call| match (call.caller, call.operation) {
        ("reaper", "StopTask") => Fault::Refused(unknown.clone()),
        ("reaper", "DescribeTasks") => Fault::down(),
        _ => Fault::None,
    });
    ann.delete(&format!("/sandboxes/{id}")).await.expect(200);
    world.pass(Duration::from_secs(20)).await;
    assert_eq!(stored_state(&world, &id).await, "destroying");
    assert_eq!(world.engine.running().len(), 1);
    world.faults.clear();
    world.pass(Duration::from_secs(30)).await;
    world.tick().await;
    assert!(world.engine.running().is_empty());
    assert_eq!(stored_state(&world, &id).await, "destroyed");
}

#[tokio::test(start_paused = true)]
async fn a_task_that_the_launcher_cannot_stop_yet_is_stopped_all_the_same() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let unknown = AwsError::client("InvalidParameterException", "The referenced task was not found.");
    // The destroy comes while RunTask is under way; ECS knows the task a little later than it says so.
    world.faults.set({
        let mut refused = 0;
        move |call| match (call.caller, call.operation) {
            ("launcher", "RunTask") => Fault::Late(Duration::from_millis(300)),
            ("launcher" | "reaper", "StopTask") if refused < 3 => {
                refused += 1;
                Fault::Refused(unknown.clone())
            }
            ("observer", "GetItem") => Fault::down(),
            _ => Fault::None,
        }
    });
    let id = create(&ann, "web").await;
    world.pass(Duration::from_millis(100)).await;
    ann.delete(&format!("/sandboxes/{id}")).await.expect(200);
    world.pass(Duration::from_secs(2)).await;
    assert_eq!(world.engine.running().len(), 1);
    assert_eq!(world.items()[&format!("SANDBOX#{id}")]["wants"]["S"], "stop", "the row has given it up");
    world.faults.clear();
    world.pass(Duration::from_secs(31)).await;
    world.tick().await;
    assert!(world.engine.running().is_empty());
    assert_eq!(stored_state(&world, &id).await, "destroyed");
}

#[tokio::test(start_paused = true)]
async fn every_read_for_a_caller_is_consistent() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let id = running(&world, &ann, "web").await;
    let stale = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let seen = std::sync::Arc::clone(&stale);
    world.faults.set(move |call| {
        let consistent = match call.operation {
            "GetItem" => call.body["ConsistentRead"] == true,
            "BatchGetItem" => call.body["RequestItems"]["modbox"]["ConsistentRead"] == true,
            _ => true,
        };
        if call.caller == "api" && !consistent {
            seen.lock().unwrap().push(call.operation.to_owned());
        }
        Fault::None
    });
    for path in ["/sandboxes", "/sandboxes?status=running", "/sandboxes/status/web", "/sandboxes/detail/web"]
    {
        ann.get(path).await.expect(200);
    }
    detail(&ann, &id).await;
    assert!(stale.lock().unwrap().is_empty(), "{:?}", stale.lock().unwrap());
}
