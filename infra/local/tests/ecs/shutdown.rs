use std::time::Duration;

use modbox_local::ecs::simulated::{OnStop, Script};
use serde_json::json;
use tokio::time::Instant;

use crate::world::{World, container, each, run_body};

#[tokio::test(start_paused = true)]
async fn stopping_all_ends_each_task_in_whatever_state_and_tells_of_it() {
    let mut world = World::new().await;
    let running = world.run().await;
    world.until(&running, "RUNNING").await;
    let starting = world.run().await;
    world.ecs.stop_all("shutting down", Duration::from_secs(3)).await;

    let events = world.events();
    for arn in [&running, &starting] {
        let last = events.iter().rfind(|event| event["resources"] == json!([arn])).unwrap();
        assert_eq!(last["detail"]["lastStatus"], "STOPPED");
        assert_eq!(last["detail"]["stopCode"], "ServiceSchedulerInitiated");
        assert_eq!(last["detail"]["stoppedReason"], "shutting down");
    }
    assert!(world.engine.running().is_empty());
    let error = world.refused("RunTask", run_body(json!({}))).await;
    assert_eq!((error.status, error.code.as_str()), (500, "ServerException"));
}

#[tokio::test(start_paused = true)]
async fn what_is_not_gone_in_time_is_ended_by_force() {
    let script = Script::default().on_stop(OnStop::Ignores);
    let mut world = World::of(move |_| script.clone()).await;
    let arn = world.run().await;
    world.until(&arn, "RUNNING").await;
    let asked = Instant::now();
    world.ecs.stop_all("shutting down", Duration::from_secs(1)).await;
    assert!((1000..1200).contains(&asked.elapsed().as_millis()), "{:?}", asked.elapsed());
    let events = world.events();
    assert_eq!(each(&events, "lastStatus").last().unwrap(), "STOPPED");
    assert_eq!(container(&events.last().unwrap()["detail"], "main")["exitCode"], 137);
}

#[tokio::test(start_paused = true)]
async fn stopping_all_again_or_without_tasks_resolves_at_once() {
    let world = World::new().await;
    let before = Instant::now();
    world.ecs.stop_all("shutting down", Duration::from_secs(3)).await;
    world.ecs.stop_all("shutting down", Duration::from_secs(3)).await;
    assert_eq!(before.elapsed(), Duration::ZERO);
}
