//! Tasks of an earlier run, taken over by the engine of the next.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::process::CommandExt,
    process::{Child, Command},
    sync::Arc,
    time::Duration,
};

use modbox_local::ecs::{Ecs, Engine, Handle, Launch, Memory, Settings, StartError, Stop};
use modbox_sandbox::{Clock, contract};
use modbox_sidecar::{
    ReportLine,
    tree::{self, Identity, Pid, Signal},
};
use serde_json::{Value, json};
use tokio::{runtime::Builder, sync::mpsc, task::spawn_blocking, time::timeout};

use crate::{
    ends::WallClock,
    world::{PATIENCE, Unique, World, alive, exits, launch, mark, next, pairs, set, until, until_alive},
};

/// What the next run knows of it.
fn forgotten(launch: &Launch) -> Launch {
    let mut launch = launch.clone();
    for container in &mut launch.containers {
        container.environment.clear();
    }
    launch
}

async fn adopt(world: &World, launch: &Launch) -> Result<Handle, StartError> {
    world.later_engine().adopt(forgotten(launch), None).await
}

fn identity(world: &World, launch: &Launch) -> Identity {
    let report = fs::read_to_string(world.folder(launch).join("report")).unwrap();
    match report.lines().next().unwrap().parse().unwrap() {
        ReportLine::Sidecar(identity) => identity,
        line => panic!("{line}"),
    }
}

/// Starts a task in an earlier run and lets its `ready` exit, as it does soon.
async fn start_and_settle(world: &World, launch: &Launch) -> Identity {
    world.start_in_an_earlier_run(launch).await;
    let report = world.folder(launch).join("report");
    until(|| fs::read_to_string(&report).unwrap().contains("exited ready 0\n")).await;
    identity(world, launch)
}

/// Writes another sidecar into the report.
fn forge(world: &World, launch: &Launch, forged: &Identity) {
    let path = world.folder(launch).join("report");
    let report = fs::read_to_string(&path).unwrap();
    let (_, rest) = report.split_once('\n').unwrap();
    fs::write(path, format!("sidecar {forged}\n{rest}")).unwrap();
}

/// A process that has nothing to do with any task.
struct Foreign(Child);

impl Foreign {
    fn start() -> Self {
        let child = Command::new("sleep").arg("86400").current_dir("/").env_clear().process_group(0).spawn();
        Self(child.unwrap())
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.0)
    }

    fn lives(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

pub(crate) async fn a_task_that_lives_is_adopted_and_obeys() {
    let world = World::new();
    let mark = mark();
    let launch =
        launch(&format!("trap 'exit 5' TERM; sleep {mark} & while :; do sleep 0.05; done"), "exit 0");
    let before = start_and_settle(&world, &launch).await;
    until_alive(&mark, 1).await;

    let engine = world.later_engine();
    let mut handle = engine.adopt(forgotten(&launch), None).await.unwrap();
    let exit = next(&mut handle).await.unwrap();
    assert_eq!((exit.container.as_str(), exit.code), ("ready", 0), "told from the beginning");
    assert!(before.is_alive() && alive(&mark) == 1, "it is the same");
    let again = engine.adopt(forgotten(&launch), None).await.unwrap_err();
    assert!(again.reason.contains("is another task's"), "its address is its own: {again}");

    handle.stop.send(Stop::Gracefully).unwrap();
    assert_eq!(exits(&mut handle).await, pairs(&[("main", 5), ("deadline", 143)]));
    assert_eq!((alive(&mark), world.folders()), (0, 0));
}

pub(crate) async fn a_task_whose_files_were_taken_away_is_ended_all_the_same() {
    for address_known in [true, false] {
        let world = World::new();
        let mark = mark();
        let launch = launch(&format!("trap '' TERM; sleep {mark} & sleep {mark}"), "exit 0");
        let sidecar = start_and_settle(&world, &launch).await;
        until_alive(&mark, 2).await;
        let folder = world.folder(&launch);
        let address = fs::read_to_string(folder.join("address")).unwrap().parse().unwrap();
        fs::remove_dir_all(&folder).unwrap();

        let engine = world.later_engine();
        let refused = engine.adopt(forgotten(&launch), address_known.then_some(address)).await.unwrap_err();

        assert!(refused.reason.contains("nothing of the task was left"), "{refused}");
        assert!(!sidecar.is_alive() && alive(&mark) == 0, "with its address known: {address_known}");
    }
}

pub(crate) async fn a_dropped_handle_ends_an_adopted_task() {
    let world = World::new();
    let mark = mark();
    let launch = launch(&format!("trap '' TERM; sleep {mark}; sleep 60"), "exit 0");
    world.start_in_an_earlier_run(&launch).await;
    drop(adopt(&world, &launch).await.unwrap());
    until(|| alive(&mark) == 0 && world.folders() == 0).await;
}

pub(crate) async fn what_exited_meanwhile_is_told() {
    let world = World::new();
    let go = world.data.path().join("go");
    let main = format!("while [ ! -e {} ]; do sleep 0.01; done; exit 3", go.display());
    let launch = launch(&main, "exit 0");
    let sidecar = start_and_settle(&world, &launch).await;
    fs::write(go, "").unwrap();
    until(|| !sidecar.is_alive()).await;

    let mut handle = adopt(&world, &launch).await.unwrap();
    assert_eq!(exits(&mut handle).await, pairs(&[("ready", 0), ("main", 3), ("deadline", 0)]));
    assert_eq!(world.folders(), 0);
}

pub(crate) async fn a_deadline_that_came_meanwhile_is_told_with_124() {
    let world = World::new();
    let mut launch = launch("exec sleep 86400", "exit 0");
    let deadline = WallClock.now() + Duration::from_millis(1500);
    set(&mut launch, contract::DEADLINE, contract::EXPIRES_AT_MS, &deadline.millis().to_string());
    let sidecar = start_and_settle(&world, &launch).await;
    until(|| !sidecar.is_alive()).await;

    let mut handle = adopt(&world, &launch).await.unwrap();
    assert_eq!(exits(&mut handle).await, pairs(&[("ready", 0), ("main", 143), ("deadline", 124)]));
    assert_eq!(world.folders(), 0);
}

pub(crate) async fn an_adopted_task_that_ends_tells_it_at_once() {
    let world = World::new();
    let go = world.data.path().join("go");
    let main = format!("while [ ! -e {} ]; do sleep 0.01; done; exit 3", go.display());
    let launch = launch(&main, "exec sleep 86400");
    world.start_in_an_earlier_run(&launch).await;
    let mut handle = adopt(&world, &launch).await.unwrap();
    assert!(handle.exits.try_recv().is_err(), "nothing has ended yet");
    fs::write(go, "").unwrap();
    assert_eq!(exits(&mut handle).await, pairs(&[("main", 3), ("ready", 143), ("deadline", 0)]));
}

pub(crate) async fn a_sidecar_that_was_killed_meanwhile_leaves_nothing() {
    let world = World::new();
    let mark = mark();
    let launch = launch(
        &format!("setsid sleep {mark} & (cd / && setsid sleep {mark} &); exec sleep {mark}"),
        "exit 0",
    );
    let sidecar = start_and_settle(&world, &launch).await;
    until_alive(&mark, 3).await;
    tree::signal(&tree::read(sidecar.pid).unwrap(), Signal::KILL);
    until(|| !sidecar.is_alive()).await;

    let mut handle = adopt(&world, &launch).await.unwrap();
    assert_eq!(exits(&mut handle).await, pairs(&[("ready", 0), ("main", 137), ("deadline", 137)]));
    assert_eq!((alive(&mark), world.folders()), (0, 0));
}

pub(crate) async fn an_adopted_sidecar_that_hangs_is_killed_with_all_below_it() {
    let world = World::new();
    let mark = mark();
    let launch = launch(&format!("exec sleep {mark}"), "exit 0");
    let sidecar = start_and_settle(&world, &launch).await;
    tree::signal(&tree::read(sidecar.pid).unwrap(), Signal::STOP);

    let mut handle = adopt(&world, &launch).await.unwrap();
    handle.stop.send(Stop::Gracefully).unwrap();
    assert_eq!(exits(&mut handle).await, pairs(&[("ready", 0), ("main", 137), ("deadline", 137)]));
    assert_eq!((alive(&mark), sidecar.is_alive()), (0, false));
}

pub(crate) async fn a_process_with_the_id_of_the_sidecar_is_not_the_sidecar() {
    let world = World::new();
    let mut foreign = Foreign::start();
    let started = tree::read(foreign.pid()).unwrap().started;
    let changes: [fn(&mut Identity); 2] = [
        |forged| forged.started -= 1,
        |forged| forged.boot = "00000000-0000-4000-8000-000000000000".to_owned(),
    ];
    for change in changes {
        let mark = mark();
        let launch = launch(&format!("exec sleep {mark}"), "exit 0");
        world.start_in_an_earlier_run(&launch).await;
        let real = identity(&world, &launch);
        let mut forged = Identity { pid: foreign.pid(), started, boot: real.boot.clone() };
        change(&mut forged);
        forge(&world, &launch, &forged);

        let mut handle = adopt(&world, &launch).await.unwrap();
        handle.stop.send(Stop::Gracefully).unwrap();
        assert_eq!(exits(&mut handle).await.last().unwrap(), &("deadline".to_owned(), 137));
        assert!(foreign.lives());
        assert_eq!(
            (alive(&mark), real.is_alive(), world.folders()),
            (0, false, 0),
            "what cannot be told is stopped"
        );
    }
}

pub(crate) async fn a_process_with_the_number_of_the_group_is_not_touched() {
    let world = World::new();
    let mut foreign = Foreign::start();
    let launch = launch("exec sleep 86400", "exit 0");
    world.start_in_an_earlier_run(&launch).await;
    let sidecar = identity(&world, &launch);
    tree::signal(&tree::read(sidecar.pid).unwrap(), Signal::KILL);
    until(|| !sidecar.is_alive()).await;
    // The foreign process leads a group whose number is that of the first container, as if the system had used it again.
    let pid = foreign.pid().as_raw_nonzero();
    let report = format!("sidecar {sidecar}\nstarted main {pid}\nstarted ready {pid}\nexited ready 0\n");
    fs::write(world.folder(&launch).join("report"), report).unwrap();

    let mut handle = adopt(&world, &launch).await.unwrap();
    assert_eq!(exits(&mut handle).await, pairs(&[("ready", 0), ("main", 137), ("deadline", 137)]));
    assert!(foreign.lives());
}

pub(crate) async fn a_task_that_was_never_started_is_nothing_to_adopt() {
    let world = World::new();
    let launch = launch("exec sleep 86400", "exit 0");
    let error = adopt(&world, &launch).await.unwrap_err();
    assert!(error.reason.contains("restarted, and nothing of the task was left"), "{error}");
    // A folder without an address: the program was killed while it made it.
    fs::create_dir_all(world.folder(&launch).join("workspace")).unwrap();
    adopt(&world, &launch).await.unwrap_err();
    assert_eq!(world.folders(), 0);
    // A folder without a report: it was killed before the sidecar ran.
    fs::create_dir_all(world.folder(&launch)).unwrap();
    fs::write(world.folder(&launch).join("address"), "127.9.9.9").unwrap();
    adopt(&world, &launch).await.unwrap_err();
    assert_eq!(world.folders(), 0);
}

pub(crate) async fn a_sidecar_that_does_not_get_on_is_ended_and_said_to_have_been_there() {
    let world = World::new();
    let launch = launch("exec sleep 86400", "exit 0");
    let sidecar = start_and_settle(&world, &launch).await;
    tree::signal(&tree::read(sidecar.pid).unwrap(), Signal::STOP);
    // As if it had not come to its containers.
    fs::write(world.folder(&launch).join("report"), format!("sidecar {sidecar}\n")).unwrap();

    let error = adopt(&world, &launch).await.unwrap_err();
    assert!(error.reason.contains("the task's sidecar did not answer"), "{error}");
    assert_eq!((sidecar.is_alive(), world.folders()), (false, 0));
}

pub(crate) async fn what_is_to_be_adopted_is_not_swept() {
    let world = World::new();
    let marks = [mark(), mark()];
    let [kept, swept] = marks.each_ref().map(|mark| launch(&format!("exec sleep {mark}"), "exit 0"));
    world.start_in_an_earlier_run(&kept).await;
    world.start_in_an_earlier_run(&swept).await;
    let engine = world.later_engine();
    let keep = BTreeSet::from([kept.task_id().to_owned()]);
    assert_eq!(engine.sweep(keep).await.unwrap(), [swept.task_id()]);
    assert_eq!(marks.each_ref().map(|mark| alive(mark)), [1, 0]);
    drop(engine.adopt(forgotten(&kept), None).await.unwrap());
    until(|| alive(&marks[0]) == 0 && world.folders() == 0).await;
}

type Events = mpsc::UnboundedReceiver<Value>;

/// An ECS over the world's processes that remembers.
fn ecs(world: &World) -> (Ecs, Events) {
    let (events, seen) = mpsc::unbounded_channel();
    let sources = (Arc::new(WallClock) as Arc<dyn Clock>, Arc::new(Unique) as _);
    let ecs = Ecs::new(Settings::default(), Arc::new(world.later_engine()), sources, events);
    ecs.resume(Memory::open(&world.data.path().join("ecs.db")).unwrap()).unwrap();
    (ecs, seen)
}

async fn until_status(events: &mut Events, status: &str) -> Value {
    loop {
        let event = timeout(PATIENCE, events.recv()).await.unwrap().unwrap();
        if event.pointer("/detail/lastStatus").is_some_and(|last| last == status) {
            return event;
        }
    }
}

pub(crate) async fn the_ecs_adopts_processes() {
    let world = Arc::new(World::new());
    let mark = mark();
    let (earlier, script) = (Arc::clone(&world), format!("exec sleep {mark}"));
    let life = spawn_blocking(move || {
        // On one thread, where what it drove is dropped without another step.
        Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            let (ecs, mut events) = ecs(&earlier);
            let env = |script: &str| json!([{ "name": "SCRIPT", "value": script }]);
            let containers = json!([
                { "name": "main", "image": "modbox/sandbox", "stopTimeout": 2 },
                { "name": "deadline", "image": "modbox/sidecar", "stopTimeout": 2 },
                { "name": "ready", "image": "modbox/sidecar", "essential": false, "environment": env("exit 0") },
            ]);
            let body = json!({ "family": "sandbox", "containerDefinitions": containers });
            ecs.call("RegisterTaskDefinition", body).await.unwrap();
            let overrides = json!({ "containerOverrides": [{ "name": "main", "environment": env(&script) }] });
            let body = json!({ "taskDefinition": "sandbox", "overrides": overrides });
            ecs.call("RunTask", body).await.unwrap();
            let running = until_status(&mut events, "RUNNING").await;
            std::mem::forget(ecs);
            running
        })
    });
    let before = life.await.unwrap();
    until_alive(&mark, 1).await;

    let (ecs, mut events) = ecs(&world);
    let after = until_status(&mut events, "RUNNING").await;
    for same in ["/detail/taskArn", "/detail/startedAt", "/detail/containers/0/networkInterfaces"] {
        assert_eq!(after.pointer(same), before.pointer(same), "{same}");
    }
    ecs.stop_all("over", Duration::from_secs(3)).await;
    let stopped = until_status(&mut events, "STOPPED").await;
    assert_eq!(stopped.pointer("/detail/containers/0/exitCode").unwrap(), 143);
    assert_eq!((alive(&mark), world.folders()), (0, 0));
}
