use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, SystemTime},
};

use modbox_local::ecs::{Ecs, Handle, Settings, Stop};
use modbox_sandbox::{Clock, Timestamp, contract};
use modbox_sidecar::tree;
use serde_json::json;
use tokio::{sync::mpsc, time::Instant};

use crate::world::{Unique, World, alive, exits, launch, mark, next, pairs, set, until, until_alive};

#[derive(Debug)]
pub(crate) struct WallClock;

impl Clock for WallClock {
    #[expect(clippy::disallowed_methods, reason = "the sidecar under test reads the wall clock")]
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        Timestamp::from_millis(since.as_millis().try_into().unwrap())
    }
}

/// The task's process that is a child of this program.
fn sidecar(handle: &Handle) -> tree::Process {
    let own = i32::try_from(std::process::id()).unwrap();
    let mark = format!("{}={}", contract::TASK_ADDRESS, handle.address);
    let is_sidecar = |process: &tree::Process| {
        process.parent == own && tree::marked(process.pid, |entry| entry == mark.as_bytes())
    };
    tree::snapshot().into_iter().find(is_sidecar).unwrap()
}

pub(crate) async fn a_container_that_is_not_essential_exits_alone() {
    let world = World::new();
    let mut handle = world.start(launch("sleep 86400", "exit 0")).await.unwrap();
    let exit = next(&mut handle).await.unwrap();
    assert_eq!((exit.container.as_str(), exit.code), ("ready", 0));
    handle.stop.send(Stop::Gracefully).unwrap();
    assert_eq!(exits(&mut handle).await, pairs(&[("main", 143), ("deadline", 143)]));
}

pub(crate) async fn the_exit_of_main_ends_the_task_with_its_code() {
    let world = World::new();
    let mark = mark();
    let main = format!("sleep {mark} & exit 3");
    let mut handle = world.start(launch(&main, "sleep 86400")).await.unwrap();
    let exits = exits(&mut handle).await;
    assert_eq!(exits, pairs(&[("main", 3), ("ready", 143), ("deadline", 0)]));
    assert_eq!((alive(&mark), world.folders()), (0, 0));
}

pub(crate) async fn a_task_ends_at_its_deadline_with_124() {
    let world = World::new();
    let mark = mark();
    let mut launch = launch(&format!("exec sleep {mark}"), "exit 0");
    let deadline = WallClock.now() + Duration::from_millis(1500);
    set(&mut launch, contract::DEADLINE, contract::EXPIRES_AT_MS, &deadline.millis().to_string());
    let mut handle = world.start(launch).await.unwrap();
    let exits = exits(&mut handle).await;
    assert_eq!(exits, pairs(&[("ready", 0), ("main", 143), ("deadline", 124)]));
    assert!(WallClock.now() >= deadline);
    assert_eq!(alive(&mark), 0);
}

pub(crate) async fn a_deadline_that_has_passed_starts_nothing() {
    let world = World::new();
    let mut launch = launch("sleep 86400", "sleep 86400");
    set(&mut launch, contract::DEADLINE, contract::EXPIRES_AT_MS, "1");
    let mut handle = world.start(launch).await.unwrap();
    assert_eq!(exits(&mut handle).await, pairs(&[("deadline", 124)]));
}

pub(crate) async fn a_stop_ends_what_left_the_process_group() {
    let world = World::new();
    let mark = mark();
    let main = format!(
        "trap 'exit 0' TERM; setsid sleep {mark} & (setsid nohup sleep {mark} &) ; \
         env -i setsid sleep {mark} & cd /; env -i setsid bash -c 'sleep {mark} & disown' & \
         while :; do sleep 0.05; done"
    );
    let mut handle = world.start(launch(&main, "exit 0")).await.unwrap();
    until_alive(&mark, 4).await;
    handle.stop.send(Stop::Gracefully).unwrap();
    exits(&mut handle).await;
    assert_eq!((alive(&mark), world.folders()), (0, 0));
}

pub(crate) async fn what_ignores_sigterm_is_killed_after_the_stop_timeout() {
    let world = World::new();
    let mark = mark();
    let main = format!("trap '' TERM; sleep {mark} & sleep 0.01; while :; do sleep 1; done");
    let mut handle = world.start(launch(&main, "exit 0")).await.unwrap();
    until_alive(&mark, 1).await;
    let asked = Instant::now();
    handle.stop.send(Stop::Gracefully).unwrap();
    let exits = exits(&mut handle).await;
    assert!(asked.elapsed() >= Duration::from_millis(500), "{:?}", asked.elapsed());
    assert!(exits.contains(&("main".to_owned(), 137)), "{exits:?}");
    assert_eq!(alive(&mark), 0);
}

pub(crate) async fn force_does_not_wait() {
    let world = World::new();
    let mark = mark();
    let mut launch = launch(&format!("trap '' TERM; sleep {mark}; sleep 1"), "exit 0");
    for container in &mut launch.containers {
        container.stop_timeout = Duration::from_secs(60);
    }
    let mut handle = world.start(launch).await.unwrap();
    until_alive(&mark, 1).await;
    let asked = Instant::now();
    handle.stop.send(Stop::Gracefully).unwrap();
    handle.stop.send(Stop::ByForce).unwrap();
    let exits = exits(&mut handle).await;
    assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
    assert!(exits.contains(&("main".to_owned(), 137)), "{exits:?}");
    assert_eq!(alive(&mark), 0);
}

pub(crate) async fn a_dropped_handle_ends_the_task() {
    let world = World::new();
    let mark = mark();
    let handle = world.start(launch(&format!("exec sleep {mark}"), "exit 0")).await.unwrap();
    until_alive(&mark, 1).await;
    drop(handle);
    until(|| alive(&mark) == 0 && world.folders() == 0).await;
}

pub(crate) async fn a_hung_sidecar_is_killed_with_all_below_it() {
    let world = World::new();
    let mark = mark();
    let mut handle = world.start(launch(&format!("exec sleep {mark}"), "exec sleep 86400")).await.unwrap();
    until_alive(&mark, 1).await;
    let sidecar = sidecar(&handle);
    tree::signal(&sidecar, tree::Signal::STOP);
    handle.stop.send(Stop::Gracefully).unwrap();
    let exits = exits(&mut handle).await;
    assert_eq!(exits, pairs(&[("main", 137), ("ready", 137), ("deadline", 137)]));
    assert_eq!((alive(&mark), tree::read(sidecar.pid)), (0, None));
}

pub(crate) async fn a_killed_sidecar_leaves_nothing() {
    let world = World::new();
    let mark = mark();
    // The last is as the runtime starts a command: elsewhere, by itself, with only the mark of its sandbox.
    let command = format!("(cd / && env -i MODBOX_EXEC_ID=$MODBOX_SANDBOX_ID.1.1 setsid sleep {mark} &)");
    let main = format!("setsid sleep {mark} & (env -i setsid sleep {mark} &); {command}; exec sleep {mark}");
    let mut launch = launch(&main, "exec sleep 86400");
    set(&mut launch, contract::MAIN, contract::SANDBOX_ID, "6eb3e809-8b94-45e6-b0d8-2a85a73e012c");
    let mut handle = world.start(launch).await.unwrap();
    until_alive(&mark, 4).await;
    tree::signal(&sidecar(&handle), tree::Signal::KILL);
    let exits = exits(&mut handle).await;
    assert_eq!(exits, pairs(&[("main", 137), ("ready", 137), ("deadline", 137)]));
    assert_eq!((alive(&mark), world.folders()), (0, 0));
}

pub(crate) async fn a_folder_that_the_task_closed_is_removed() {
    let world = World::new();
    let mut handle = world.start(launch("mkdir -p a/b; chmod 0 a/b a; exit 0", "exit 0")).await.unwrap();
    exits(&mut handle).await;
    assert_eq!(world.folders(), 0);
}

pub(crate) async fn what_an_earlier_run_left_is_swept() {
    let world = World::new();
    let mark = mark();
    let launch = launch(&format!("exec sleep {mark}"), "exit 0");
    world.start_in_an_earlier_run(&launch).await;
    until_alive(&mark, 1).await;
    let engine = world.later_engine();
    assert_eq!(engine.sweep(BTreeSet::new()).await.unwrap(), [launch.task_id()]);
    assert_eq!((alive(&mark), world.folders()), (0, 0));
    assert!(engine.sweep(BTreeSet::new()).await.unwrap().is_empty());
}

pub(crate) async fn the_ecs_runs_and_stops_processes() {
    let world = World::new();
    let mark = mark();
    let (events, mut seen) = mpsc::unbounded_channel();
    let sources = (Arc::new(WallClock) as Arc<dyn Clock>, Arc::new(Unique) as _);
    let ecs = Ecs::new(Settings::default(), Arc::new(world.engine.clone()), sources, events);
    let script = |script: &str| json!([{ "name": "SCRIPT", "value": script }]);
    let containers = json!([
        { "name": "main", "image": "modbox/sandbox", "environment": script(&format!("exec sleep {mark}")),
          "stopTimeout": 2 },
        { "name": "deadline", "image": "modbox/sidecar", "stopTimeout": 2 },
        { "name": "ready", "image": "modbox/sidecar", "essential": false, "environment": script("exit 0") },
    ]);
    let body = json!({ "family": "sandbox", "containerDefinitions": containers });
    ecs.call("RegisterTaskDefinition", body).await.unwrap();
    ecs.call("RunTask", json!({ "taskDefinition": "sandbox" })).await.unwrap();
    let mut until = async |status: &str| {
        loop {
            let event = seen.recv().await.unwrap();
            if event.pointer("/detail/lastStatus").is_some_and(|last| last == status) {
                return event;
            }
        }
    };
    let running = until("RUNNING").await;
    until_alive(&mark, 1).await;
    let address = running.pointer("/detail/containers/0/networkInterfaces/0/privateIpv4Address");
    assert!(address.unwrap().as_str().unwrap().starts_with("127."));
    ecs.stop_all("over", Duration::from_secs(3)).await;
    let stopped = until("STOPPED").await;
    assert_eq!(stopped.pointer("/detail/containers/0/exitCode").unwrap(), 143);
    assert_eq!((alive(&mark), world.folders()), (0, 0));
}
