use std::{
    collections::BTreeMap,
    fs,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use modbox_local::{
    ecs::{Cancelled, Container, Engine, Exit, Handle, Launch, StartError},
    process::ProcessEngine,
};
use modbox_sandbox::{Ids, contract};
use tempfile::TempDir;
use tokio::{
    runtime::Builder,
    task::spawn_blocking,
    time::{Instant, sleep},
};

/// The variable that holds a container's script.
pub(crate) const SCRIPT: &str = "SCRIPT";

/// How long a test waits for what must come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Numbers that no other test of this run, and of another one at the same time, draws.
#[derive(Debug)]
pub(crate) struct Unique;

static DRAWN: AtomicU32 = AtomicU32::new(1);

impl Ids for Unique {
    fn random(&self) -> u128 {
        let drawn = u128::from(DRAWN.fetch_add(1, Ordering::Relaxed));
        let process = u128::from(std::process::id());
        // The lowest three bytes become an address.
        (process << 32) | ((process & 0xff) << 16) | drawn
    }
}

pub(crate) struct World {
    pub(crate) engine: ProcessEngine,
    pub(crate) data: TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        let data = tempfile::tempdir().unwrap();
        let program = std::env::current_exe().unwrap();
        let engine = ProcessEngine::new(program, data.path(), Arc::new(Unique));
        Self { engine, data }
    }

    pub(crate) async fn start(&self, launch: Launch) -> Result<Handle, StartError> {
        let (_keep, cancelled) = Cancelled::pair();
        self.engine.start(launch, cancelled).await
    }

    /// Starts a task and ends what looks after it, as a program does that is killed.
    pub(crate) async fn start_in_an_earlier_run(&self, launch: &Launch) {
        let (engine, launch) = (self.engine.clone(), launch.clone());
        // A runtime that ends takes with it what looked after the task; one thread takes no further step.
        let earlier = spawn_blocking(move || {
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            let handle = runtime.block_on(async {
                let (_keep, cancelled) = Cancelled::pair();
                engine.start(launch, cancelled).await.unwrap()
            });
            std::mem::forget(handle.stop);
        });
        earlier.await.unwrap();
    }

    /// The engine of the next run on the same folder.
    pub(crate) fn later_engine(&self) -> ProcessEngine {
        ProcessEngine::new(std::env::current_exe().unwrap(), self.data.path(), Arc::new(Unique))
    }

    pub(crate) fn folder(&self, launch: &Launch) -> PathBuf {
        self.data.path().join("tasks").join(launch.task_id())
    }

    /// The folders of tasks.
    pub(crate) fn folders(&self) -> usize {
        fs::read_dir(self.data.path().join("tasks")).map_or(0, Iterator::count)
    }
}

/// A task with these scripts for `main` and `ready`.
pub(crate) fn launch(main: &str, ready: &str) -> Launch {
    Launch {
        task_arn: format!("arn:aws:ecs:us-east-1:000000000000:task/modbox/{:032x}", Unique.random()),
        group: "incarnation:1".to_owned(),
        containers: vec![
            container(contract::MAIN, main),
            container(contract::DEADLINE, ""),
            container(contract::READY, ready),
        ],
        cpu: None,
        memory: None,
    }
}

fn container(name: &str, script: &str) -> Container {
    Container {
        name: name.to_owned(),
        image: "modbox/sandbox:1".to_owned(),
        entry_point: Vec::new(),
        command: Vec::new(),
        environment: BTreeMap::from([(SCRIPT.to_owned(), script.to_owned())]),
        essential: name != contract::READY,
        stop_timeout: Duration::from_millis(500),
    }
}

pub(crate) fn set(launch: &mut Launch, container: &str, name: &str, value: &str) {
    let found = launch.containers.iter_mut().find(|each| each.name == container);
    found.unwrap().environment.insert(name.to_owned(), value.to_owned());
}

/// A number for `sleep` by which its processes are found.
pub(crate) fn mark() -> String {
    format!("86400.{}", Unique.random())
}

/// How many processes have this word in their command line.
pub(crate) fn alive(mark: &str) -> usize {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let commands = entries.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
    let has = |command: &Vec<u8>| command.split(|byte| *byte == 0).any(|word| word == mark.as_bytes());
    commands.filter(has).count()
}

/// Waits until so many processes have this word in their command line.
pub(crate) async fn until_alive(mark: &str, count: usize) {
    until(|| alive(mark) == count).await;
}

pub(crate) async fn until(mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "it never came to that");
        sleep(Duration::from_millis(10)).await;
    }
}

/// The exits up to the end of the task, in order.
pub(crate) async fn exits(handle: &mut Handle) -> Vec<(String, i32)> {
    let mut all = Vec::new();
    while let Some(exit) = next(handle).await {
        all.push((exit.container, exit.code));
    }
    all
}

pub(crate) async fn next(handle: &mut Handle) -> Option<Exit> {
    tokio::time::timeout(PATIENCE, handle.exits.recv()).await.unwrap()
}

pub(crate) fn pairs(exits: &[(&str, i32)]) -> Vec<(String, i32)> {
    exits.iter().map(|(name, code)| ((*name).to_owned(), *code)).collect()
}
