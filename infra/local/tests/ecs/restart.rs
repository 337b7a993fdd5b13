//! What ECS knows from one run to the next. A run is a runtime: when it ends, all that it drove is gone at once.

use std::{
    fs,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use modbox_local::ecs::{
    Launch, Memory, MemoryError,
    simulated::{Script, Simulated},
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{runtime::Builder, time::sleep};

use crate::world::{World, container, definition, each, run_body};

const FIXTURE: &str = include_str!("fixtures/memory_1.sql");

/// Enough for what was remembered to be told, with tasks of a moment.
const SHORT: Duration = Duration::from_secs(1);

struct Disk(TempDir);

impl Disk {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("ecs.db")
    }

    /// One run of the program, which ends as by SIGKILL. Its clock begins that much later than the first one's.
    fn run<T>(&self, (engine, later): (Simulated, Duration), life: impl AsyncFnOnce(World) -> T) -> T {
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let world = World::later(engine, later);
            world.ecs.resume(Memory::open(&self.path()).unwrap()).unwrap();
            life(world).await
        })
    }

    fn first<T>(&self, life: impl AsyncFnOnce(World) -> T) -> T {
        self.run((obedient(), Duration::ZERO), async |world: World| {
            world.ok("RegisterTaskDefinition", definition("sandbox")).await;
            life(world).await
        })
    }

    /// A run that finds what the first one started.
    fn next<T>(&self, life: impl AsyncFnOnce(World) -> T) -> T {
        self.run((obedient().leaving(|_| Some(Script::default())), Duration::from_secs(60)), life)
    }
}

fn obedient() -> Simulated {
    Simulated::new(|_| Script::default())
}

fn of(events: &[Value], arn: &str) -> Vec<Value> {
    events.iter().filter(|event| event["resources"] == json!([arn])).cloned().collect()
}

#[test]
fn a_running_task_is_known_again_adopted_and_stopped() {
    let disk = Disk::new();
    let before = disk.first(async |world| {
        let arn = world.run_with(json!({ "startedBy": "modbox/local/7", "group": "incarnation:1" })).await;
        world.until(&arn, "RUNNING").await
    });
    let arn = before["taskArn"].as_str().unwrap();
    disk.next(async |mut world| {
        let events = world.events();
        assert_eq!((events.len(), &events[0]["detail"]["lastStatus"]), (1, &json!("RUNNING")));
        assert_eq!(world.describe(arn).await, before, "nothing about it has changed");
        sleep(Duration::from_secs(5)).await;
        assert_eq!(world.describe(arn).await, before);
        assert_eq!(world.engine.running(), [arn]);
        assert_eq!(
            world.ok("ListTasks", json!({ "startedBy": "modbox/local/7" })).await["taskArns"],
            json!([arn])
        );
        world.stop(arn).await;
        assert_eq!(world.until(arn, "STOPPED").await["stopCode"], "UserInitiated");
        assert!(world.engine.running().is_empty());
        let versions: Vec<String> = (5..=12).map(|version: u32| version.to_string()).collect();
        assert_eq!(each(&world.events(), "version"), versions, "counted on");
    });
}

#[test]
fn a_task_that_ended_meanwhile_says_how() {
    let disk = Disk::new();
    let arn = disk.first(async |world| {
        let arn = world.run().await;
        world.until(&arn, "RUNNING").await;
        arn
    });
    let ended = |_: &Launch| {
        let script =
            Script::default().exit("main", Duration::ZERO, 143).exit("deadline", Duration::ZERO, 124);
        Some(script.exit("ready", Duration::ZERO, 0))
    };
    disk.run((obedient().leaving(ended), Duration::from_secs(60)), async |world| {
        let stopped = world.until(&arn, "STOPPED").await;
        assert_eq!(stopped["stopCode"], "EssentialContainerExited");
        assert_eq!(container(&stopped, "deadline")["exitCode"], 124);
        assert_eq!(container(&stopped, "ready")["exitCode"], 0);
    });
}

#[test]
fn a_task_of_which_nothing_is_left_is_stopped_and_says_so() {
    let disk = Disk::new();
    let [running, starting] = disk.first(async |world| {
        let running = world.run().await;
        world.until(&running, "RUNNING").await;
        [running, world.run().await]
    });
    let started = disk.run((obedient(), Duration::from_secs(60)), async |mut world| {
        let lost = world.until(&running, "STOPPED").await;
        assert_eq!(lost["stopCode"], "ServiceSchedulerInitiated");
        assert_eq!(lost["stoppedReason"], "nothing was left of it");
        let never = world.until(&starting, "STOPPED").await;
        assert_eq!(never["stopCode"], "TaskFailedToStart");
        assert_eq!(never["stoppedReason"], "nothing was left of it");
        let events = world.events();
        for arn in [&running, &starting] {
            assert_eq!(each(&of(&events, arn), "lastStatus").last().unwrap(), "STOPPED");
        }
        world.engine.started()
    });
    assert_eq!(started, 0, "what has lost its environment is not started without it");
}

#[test]
fn the_ends_that_were_known_are_told_after_what_became_of_the_others() {
    let disk = Disk::new();
    let [kept, lost, ended] = disk.first(async |world| {
        let tasks = [world.run().await, world.run().await, world.run().await];
        for arn in &tasks {
            world.until(arn, "RUNNING").await;
        }
        world.stop(&tasks[2]).await;
        world.until(&tasks[2], "STOPPED").await;
        tasks
    });
    let living = kept.clone();
    let engine = obedient().leaving(move |launch| (launch.task_arn == living).then(Script::default));
    disk.run((engine, Duration::ZERO), async |mut world| {
        sleep(SHORT).await;
        let events = world.events();
        let last =
            |arn: &String| events.iter().rposition(|event| event["resources"] == json!([arn])).unwrap();
        assert_eq!(events[last(&kept)]["detail"]["lastStatus"], "RUNNING");
        assert_eq!(events[last(&lost)]["detail"]["lastStatus"], "STOPPED");
        assert_eq!((last(&ended), of(&events, &ended).len()), (events.len() - 1, 1), "it is the last of all");
    });
}

#[test]
fn a_task_goes_on_from_each_state_and_a_stop_is_not_forgotten() {
    for state in
        ["PROVISIONING", "PENDING", "ACTIVATING", "RUNNING", "DEACTIVATING", "STOPPING", "DEPROVISIONING"]
    {
        let disk = Disk::new();
        let is_late = ["DEACTIVATING", "STOPPING", "DEPROVISIONING"].contains(&state);
        let arn = disk.first(async |world| {
            let arn = world.run().await;
            world.until(&arn, if is_late { "RUNNING" } else { state }).await;
            world.stop(&arn).await;
            world.until(&arn, state).await;
            arn
        });
        disk.next(async |world| {
            assert_eq!(world.describe(&arn).await["lastStatus"], state);
            let stopped = world.until(&arn, "STOPPED").await;
            assert_eq!(
                (&stopped["stopCode"], &stopped["stoppedReason"]),
                (&json!("UserInitiated"), &json!("not wanted"))
            );
            assert!(world.engine.running().is_empty(), "{state}");
        });
    }
}

#[test]
fn a_task_that_was_found_started_goes_on_to_running() {
    let disk = Disk::new();
    let arn = disk.first(async |world| {
        let arn = world.run().await;
        world.until(&arn, "ACTIVATING").await;
        arn
    });
    disk.next(async |world| {
        let running = world.until(&arn, "RUNNING").await;
        assert!(running["startedAt"].as_f64() > running["createdAt"].as_f64());
        assert_eq!(world.engine.running(), [arn.as_str()]);
    });
}

#[test]
fn a_client_token_means_the_same_tasks_as_before() {
    let disk = Disk::new();
    let body = |value: &str| {
        let environment = json!([{ "name": "SECRET", "value": value }]);
        let overrides = json!({ "containerOverrides": [{ "name": "main", "environment": environment }] });
        run_body(json!({ "clientToken": "once", "count": 2, "overrides": overrides }))
    };
    let arns =
        |answer: &Value| answer["tasks"].as_array().unwrap().iter().map(|t| t["taskArn"].clone()).collect();
    let before: Vec<Value> = disk.first(async |world| arns(&world.ok("RunTask", body("hunter2")).await));
    assert_eq!(before.len(), 2);
    disk.next(async |world| {
        let again: Vec<Value> = arns(&world.ok("RunTask", body("hunter2")).await);
        assert_eq!(again, before);
        let error = world.refused("RunTask", body("another")).await;
        assert_eq!(
            (error.code.as_str(), &error.members["resourceIds"]),
            ("ConflictException", &json!(before))
        );
    });
}

#[test]
fn no_value_of_an_environment_rests() {
    let disk = Disk::new();
    let environment = json!([{ "name": "SECRET", "value": "hunter2" }]);
    let overrides = json!({ "containerOverrides": [{ "name": "main", "environment": environment }] });
    let arn = disk.first(async |world| {
        let members = json!({ "overrides": overrides, "clientToken": "once" });
        let arn = world.run_with(members).await;
        let shown = world.until(&arn, "RUNNING").await;
        assert_eq!(shown["overrides"]["containerOverrides"], overrides["containerOverrides"]);
        arn
    });
    for file in fs::read_dir(disk.0.path()).unwrap() {
        let bytes = fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows(7).any(|part| part == b"hunter2"));
    }
    let seen = Arc::new(Mutex::new(None));
    let sink = Arc::clone(&seen);
    let engine = obedient().leaving(move |launch| {
        *sink.lock().unwrap() = Some(launch.clone());
        Some(Script::default())
    });
    disk.run((engine, Duration::ZERO), async |world| {
        sleep(Duration::from_secs(1)).await;
        let shown = &world.describe(&arn).await["overrides"]["containerOverrides"][0];
        assert_eq!(shown, &json!({ "name": "main", "environment": [{ "name": "SECRET" }] }));
    });
    let launch = seen.lock().unwrap().take().unwrap();
    let containers: Vec<_> =
        launch.containers.iter().map(|each| (each.name.as_str(), each.essential)).collect();
    assert_eq!(containers, [("main", true), ("deadline", true), ("ready", false)]);
    assert_eq!(launch.stop_timeout(), Duration::from_secs(2));
}

#[test]
fn task_definitions_keep_their_numbers_and_their_end() {
    let disk = Disk::new();
    disk.first(async |world| {
        world.ok("RegisterTaskDefinition", definition("sandbox")).await;
        world.ok("DeregisterTaskDefinition", json!({ "taskDefinition": "sandbox:1" })).await;
    });
    disk.next(async |world| {
        let status = async |name: &str| {
            let answer = world.ok("DescribeTaskDefinition", json!({ "taskDefinition": name })).await;
            answer["taskDefinition"]["status"].clone()
        };
        assert_eq!(status("sandbox:1").await, "INACTIVE");
        assert_eq!(status("sandbox:2").await, "ACTIVE");
        let next = world.ok("RegisterTaskDefinition", definition("sandbox")).await;
        assert_eq!(next["taskDefinition"]["revision"], 3);
        let error = world.refused("RunTask", run_body(json!({ "taskDefinition": "sandbox:1" }))).await;
        assert_eq!(error.message, "TaskDefinition is inactive");
    });
}

#[test]
fn a_stopped_task_is_described_for_an_hour_and_then_forgotten_for_good() {
    let disk = Disk::new();
    let stopped = disk.first(async |world| {
        let arn = world.run().await;
        world.until(&arn, "RUNNING").await;
        world.stop(&arn).await;
        world.until(&arn, "STOPPED").await
    });
    let arn = stopped["taskArn"].as_str().unwrap();
    let at = |later| (obedient(), Duration::from_secs(later));
    let is_known = async |world: &World| {
        let answer = world.ok("DescribeTasks", json!({ "tasks": [arn] })).await;
        !answer["tasks"].as_array().unwrap().is_empty()
    };
    disk.run(at(3_590), async |mut world| {
        sleep(SHORT).await;
        assert_eq!(each(&world.events(), "lastStatus"), ["STOPPED"], "its end may not have been heard");
        assert_eq!(world.describe(arn).await, stopped);
    });
    disk.run(at(3_700), async |mut world| {
        sleep(SHORT).await;
        assert_eq!(each(&world.events(), "lastStatus"), ["STOPPED"], "for the last time");
        assert!(!is_known(&world).await);
    });
    disk.run(at(0), async |mut world| {
        sleep(SHORT).await;
        assert!(world.events().is_empty());
        assert!(!is_known(&world).await, "whatever the clock says");
    });
}

#[test]
fn the_format_that_was_first_written_is_read() {
    let disk = Disk::new();
    rusqlite::Connection::open(disk.path()).unwrap().execute_batch(FIXTURE).unwrap();
    let engine = obedient().leaving(|_| Some(Script::default()));
    disk.run((engine, Duration::ZERO), async |mut world| {
        sleep(SHORT).await;
        let events = world.events();
        assert_eq!(each(&events, "lastStatus"), ["RUNNING", "STOPPED"]);
        assert_eq!(each(&events, "version"), ["4", "12"]);
        assert_eq!(each(&events, "startedBy"), ["modbox/local/7", "modbox/local/7"]);
        assert_eq!(container(&events[1]["detail"], "main")["exitCode"], 143);
    });
}

#[test]
fn another_format_and_what_is_no_memory_are_refused() {
    let disk = Disk::new();
    drop(Memory::open(&disk.path()).unwrap());
    rusqlite::Connection::open(disk.path()).unwrap().execute_batch("PRAGMA user_version = 2").unwrap();
    let error = Memory::open(&disk.path()).unwrap_err();
    assert!(matches!(error, MemoryError::Format { found: 2 }), "{error}");

    fs::write(disk.path(), "this is no database, however one looks at it").unwrap();
    assert!(matches!(Memory::open(&disk.path()).unwrap_err(), MemoryError::Sqlite(_)));

    let damaged = Disk::new();
    drop(Memory::open(&damaged.path()).unwrap());
    let connection = rusqlite::Connection::open(damaged.path()).unwrap();
    connection.execute_batch("INSERT INTO tasks VALUES (7, '{\"id\":\"hush\"}')").unwrap();
    let error = Memory::open(&damaged.path()).unwrap_err();
    assert!(matches!(&error, MemoryError::Unreadable { what, .. } if what == "task 7"), "{error}");
}
