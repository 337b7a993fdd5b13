use std::time::Duration;

use modbox_local::ecs::{
    StartError,
    simulated::{OnStop, Script, Start},
};
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::world::{World, container, each};

const STATES: [&str; 8] = [
    "PROVISIONING",
    "PENDING",
    "ACTIVATING",
    "RUNNING",
    "DEACTIVATING",
    "STOPPING",
    "DEPROVISIONING",
    "STOPPED",
];

#[tokio::test(start_paused = true)]
async fn a_task_passes_the_eight_states_and_each_takes_time() {
    let mut world = World::new().await;
    let arn = world.run().await;
    world.until(&arn, "RUNNING").await;
    world.stop(&arn).await;
    let stopped = world.until(&arn, "STOPPED").await;

    let events = world.events();
    let mut statuses = each(&events, "lastStatus");
    statuses.dedup();
    assert_eq!(statuses, STATES);
    let mut times = each(&events, "updatedAt");
    times.dedup();
    assert!(times.len() >= STATES.len(), "{times:?}");
    let moments =
        ["createdAt", "pullStartedAt", "pullStoppedAt", "stoppingAt", "executionStoppedAt", "stoppedAt"];
    let moments = moments.map(|moment| stopped[moment].as_f64().unwrap());
    assert!(moments.is_sorted(), "{moments:?}");
    assert_eq!(stopped["startedAt"], stopped["pullStoppedAt"]);
}

#[tokio::test(start_paused = true)]
async fn the_version_rises_by_one_with_each_event() {
    let script = Script::default().exit("ready", Duration::from_millis(200), 0);
    let mut world = World::of(move |_| script.clone()).await;
    let arn = world.run().await;
    sleep(Duration::from_secs(1)).await;
    world.stop(&arn).await;
    let stopped = world.until(&arn, "STOPPED").await;

    let versions = each(&world.events(), "version");
    let expected: Vec<String> = (1..=versions.len()).map(|version| version.to_string()).collect();
    assert_eq!(versions, expected);
    assert_eq!(stopped["version"].to_string(), *versions.last().unwrap());
}

#[tokio::test(start_paused = true)]
async fn an_event_is_an_eventbridge_event_with_the_task_as_detail() {
    let mut world = World::new().await;
    let arn = world.run_with(json!({ "startedBy": "modbox/local/1" })).await;
    let task = world.until(&arn, "RUNNING").await;
    let event = world.events().pop().unwrap();

    assert_eq!(event["detail-type"], "ECS Task State Change");
    assert_eq!(event["source"], "aws.ecs");
    assert_eq!(event["account"], "000000000000");
    assert_eq!(event["region"], "us-east-1");
    assert_eq!(event["resources"], json!([arn]));
    assert_eq!(event["id"].as_str().unwrap().len(), 36);
    assert_eq!(event["detail"]["startedBy"], "modbox/local/1");
    assert_eq!(event["detail"]["startedAt"], "2027-01-15T08:00:00.045Z");
    assert_eq!(task["startedAt"], json!(1_800_000_000.045));
    let address = &container(&event["detail"], "main")["networkInterfaces"][0]["privateIpv4Address"];
    let details = event["detail"]["attachments"][0]["details"].as_array().unwrap();
    assert!(details.contains(&json!({ "name": "privateIPv4Address", "value": address })));
}

#[tokio::test(start_paused = true)]
async fn a_stop_before_running_never_starts_the_containers() {
    for (index, state) in ["PROVISIONING", "PENDING", "ACTIVATING"].into_iter().enumerate() {
        let mut world = World::new().await;
        let arn = world.run().await;
        world.until(&arn, state).await;
        let answer = world.stop(&arn).await;
        assert_eq!(answer["lastStatus"], state);
        assert_eq!(answer["desiredStatus"], "STOPPED");
        let stopped = world.until(&arn, "STOPPED").await;

        assert_eq!(world.engine.started(), 0, "{state}");
        assert_eq!(stopped["stopCode"], "UserInitiated");
        assert_eq!(stopped["stoppedReason"], "not wanted");
        assert!(stopped.get("startedAt").is_none());
        let statuses = each(&world.events(), "lastStatus");
        assert_eq!(statuses[index + 1..], [state, "DEPROVISIONING", "STOPPED"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_while_the_engine_starts_gives_the_start_up() {
    let script = Script::default().start(Start::Never);
    let world = World::of(move |_| script.clone()).await;
    let arn = world.run().await;
    sleep(Duration::from_secs(60)).await;
    assert_eq!(world.describe(&arn).await["lastStatus"], "ACTIVATING");
    world.stop(&arn).await;
    let stopped = world.until(&arn, "STOPPED").await;
    assert_eq!(stopped["stopCode"], "UserInitiated");
    assert_eq!(world.engine.started(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_stop_is_legal_in_each_state_and_stopping_twice_changes_nothing() {
    for state in STATES {
        let world = World::new().await;
        let arn = world.run().await;
        if STATES.iter().position(|each| *each == state).unwrap() > 3 {
            world.until(&arn, "RUNNING").await;
            world.stop(&arn).await;
        }
        world.until(&arn, state).await;
        let first = world.stop(&arn).await;
        let second = world.stop(&arn).await;
        assert_eq!(first, second, "{state}");
        assert_eq!(world.until(&arn, "STOPPED").await["desiredStatus"], "STOPPED");
        assert!(world.engine.running().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn an_essential_container_that_exits_stops_the_whole_task() {
    let script = Script::default().exit("deadline", Duration::from_secs(60), 124);
    let world = World::of(move |_| script.clone()).await;
    let arn = world.run().await;
    sleep(Duration::from_secs(59)).await;
    assert_eq!(world.describe(&arn).await["desiredStatus"], "RUNNING");
    let stopped = world.until(&arn, "STOPPED").await;
    assert_eq!(stopped["stopCode"], "EssentialContainerExited");
    assert_eq!(stopped["stoppedReason"], "Essential container in task exited");
    assert_eq!(container(&stopped, "deadline")["exitCode"], 124);
    assert_eq!(container(&stopped, "main")["exitCode"], 143);
    assert!(world.engine.running().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_container_that_is_not_essential_exits_without_the_task() {
    let script = Script::default().exit("ready", Duration::from_secs(1), 0);
    let mut world = World::of(move |_| script.clone()).await;
    let arn = world.run().await;
    let running = world.until(&arn, "RUNNING").await;
    world.events();
    sleep(Duration::from_secs(2)).await;

    let events = world.events();
    assert_eq!(each(&events, "lastStatus"), ["RUNNING"]);
    let ready = container(&events[0]["detail"], "ready");
    assert_eq!((&ready["lastStatus"], &ready["exitCode"]), (&json!("STOPPED"), &json!(0)));
    assert_eq!(events[0]["detail"]["desiredStatus"], "RUNNING");
    assert_eq!(events[0]["detail"]["version"], running["version"].as_u64().unwrap() + 1);
}

#[tokio::test(start_paused = true)]
async fn what_ignores_sigterm_is_killed_after_its_stop_timeout() {
    let script = Script::default().on_stop(OnStop::Ignores);
    let world = World::of(move |_| script.clone()).await;
    let arn = world.run().await;
    world.until(&arn, "RUNNING").await;
    let asked = Instant::now();
    world.stop(&arn).await;
    let stopped = world.until(&arn, "STOPPED").await;
    assert!((2000..2200).contains(&asked.elapsed().as_millis()), "{:?}", asked.elapsed());
    assert_eq!(container(&stopped, "main")["exitCode"], 137);
    assert_eq!(stopped["stopCode"], "UserInitiated");
}

#[tokio::test(start_paused = true)]
async fn a_task_that_does_not_start_says_why() {
    let reason = "CannotPullContainerError: no such image";
    let world = World::of(move |launch| {
        let main = launch.container("main").unwrap();
        Script::default().start(Start::Fails(StartError::of(main, reason)))
    })
    .await;
    let arn = world.run().await;
    let stopped = world.until(&arn, "STOPPED").await;
    assert_eq!(stopped["stopCode"], "TaskFailedToStart");
    assert_eq!(stopped["stoppedReason"], reason);
    assert_eq!(container(&stopped, "main")["reason"], reason);
    assert!(container(&stopped, "ready").get("reason").is_none());
}

#[tokio::test(start_paused = true)]
async fn the_first_reason_to_stop_is_kept() {
    let script = Script::default().exit("main", Duration::from_secs(1), 3);
    let world = World::of(move |_| script.clone()).await;
    let arn = world.run().await;
    world.until(&arn, "DEACTIVATING").await;
    world.stop(&arn).await;
    let stopped = world.until(&arn, "STOPPED").await;
    assert_eq!(stopped["stopCode"], "EssentialContainerExited");
    assert_eq!(container(&stopped, "main")["exitCode"], 3);
}
