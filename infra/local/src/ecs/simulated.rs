//! Tasks of a simulated world: no process is behind them, only what a script says that one would do.
//!
//! Time is tokio's, so a runtime with paused time runs a day of tasks in a moment.

use std::{
    collections::BTreeMap,
    fmt,
    net::{IpAddr, Ipv4Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::mpsc,
    time::{Instant, sleep, sleep_until},
};

use super::{Cancelled, Engine, Exit, Handle, Launch, Reading, Said, StartError, Starting, Stop};

const SIGKILLED: i32 = 137;
const SIGTERMED: i32 = 143;

/// What a simulated task does.
#[derive(Clone, Debug)]
pub struct Script {
    pub start: Start,
    /// Containers that end by themselves: name, time since the start, exit code.
    pub exits: Vec<(String, Duration, i32)>,
    pub on_stop: OnStop,
}

#[derive(Clone, Debug)]
pub enum Start {
    /// The containers run after this time.
    After(Duration),
    /// They never will; this is why.
    Fails(StartError),
    /// Nothing comes of it until somebody gives up.
    Never,
}

#[derive(Clone, Copy, Debug)]
pub enum OnStop {
    /// Every container ends this long after SIGTERM, with 143.
    Ends(Duration),
    /// Every container waits for SIGKILL.
    Ignores,
}

impl Default for Script {
    /// Starts at once, runs until it is stopped, and then ends at once.
    fn default() -> Self {
        Self { start: Start::After(Duration::ZERO), exits: Vec::new(), on_stop: OnStop::Ends(Duration::ZERO) }
    }
}

impl Script {
    /// Adds a container that ends by itself.
    pub fn exit(mut self, container: &str, after: Duration, code: i32) -> Self {
        self.exits.push((container.to_owned(), after, code));
        self
    }

    pub fn start(mut self, start: Start) -> Self {
        self.start = start;
        self
    }

    pub fn on_stop(mut self, on_stop: OnStop) -> Self {
        self.on_stop = on_stop;
        self
    }
}

type Playwright = dyn Fn(&Launch) -> Script + Send + Sync;
type Heritage = dyn Fn(&Launch) -> Option<Script> + Send + Sync;

/// An engine whose tasks follow scripts. Clones are the same one.
#[derive(Clone)]
pub struct Simulated {
    script: Arc<Playwright>,
    left: Arc<Heritage>,
    tasks: Arc<Mutex<Tasks>>,
}

/// The running tasks by ARN: where to send exits that a test brings about.
#[derive(Default)]
struct Tasks {
    started: u32,
    running: BTreeMap<String, mpsc::UnboundedSender<Exit>>,
    /// What containers have said, by task id and name.
    logs: BTreeMap<(String, String), Vec<Said>>,
}

impl Simulated {
    /// An engine that asks `script` what each task will do.
    pub fn new(script: impl Fn(&Launch) -> Script + Send + Sync + 'static) -> Self {
        Self { script: Arc::new(script), left: Arc::new(|_| None), tasks: Arc::default() }
    }

    /// Has it find what an earlier run left: tasks that do from now on as this says, or nothing of a task.
    pub fn leaving(mut self, left: impl Fn(&Launch) -> Option<Script> + Send + Sync + 'static) -> Self {
        self.left = Arc::new(left);
        self
    }

    /// ARNs of the tasks of which anything runs.
    pub fn running(&self) -> Vec<String> {
        self.tasks().running.keys().cloned().collect()
    }

    /// How many tasks were ever started.
    pub fn started(&self) -> u32 {
        self.tasks().started
    }

    /// Ends a container from outside; says whether its task runs.
    pub fn end(&self, task_arn: &str, container: &str, code: i32) -> bool {
        let exit = Exit { container: container.to_owned(), code, reason: None };
        let tasks = self.tasks();
        tasks.running.get(task_arn).is_some_and(|task| task.send(exit).is_ok())
    }

    /// Has a container say a line, whether its task runs or not.
    pub fn say(&self, task_id: &str, container: &str, line: Said) {
        let stream = (task_id.to_owned(), container.to_owned());
        self.tasks().logs.entry(stream).or_default().push(line);
    }

    fn tasks(&self) -> MutexGuard<'_, Tasks> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self, launch: &Launch, script: Script) -> Handle {
        let (stop, stops) = mpsc::unbounded_channel();
        let (exits, exited) = mpsc::unbounded_channel();
        let (end, ends) = mpsc::unbounded_channel();
        let address = {
            let mut tasks = self.tasks();
            tasks.started += 1;
            tasks.running.insert(launch.task_arn.clone(), end);
            let [_, b, c, d] = tasks.started.to_be_bytes();
            IpAddr::V4(Ipv4Addr::new(10, b, c, d))
        };
        let mut actor = Actor::new(launch, script, exits);
        let (engine, arn) = (self.clone(), launch.task_arn.clone());
        tokio::spawn(async move {
            actor.run(stops, ends).await;
            // Before the channel of the exits ends: whoever sees that finds the task gone.
            engine.tasks().running.remove(&arn);
        });
        Handle { address, stop, exits: exited }
    }
}

impl fmt::Debug for Simulated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Simulated").field("running", &self.running()).finish_non_exhaustive()
    }
}

impl Engine for Simulated {
    fn start(&self, launch: Launch, mut cancelled: Cancelled) -> Starting {
        let engine = self.clone();
        let script = (self.script)(&launch);
        Box::pin(async move {
            let ready = async {
                match &script.start {
                    Start::After(time) => sleep(*time).await,
                    Start::Fails(error) => return Err(error.clone()),
                    Start::Never => std::future::pending().await,
                }
                Ok(())
            };
            tokio::select! {
                biased;
                () = cancelled.cancelled() => Err(StartError::new("the start was given up")),
                started = ready => started.map(|()| engine.run(&launch, script)),
            }
        })
    }

    fn adopt(&self, launch: Launch, _: Option<IpAddr>) -> Starting {
        let engine = self.clone();
        Box::pin(async move {
            let script = (engine.left)(&launch).ok_or_else(|| StartError::new("nothing was left of it"))?;
            Ok(engine.run(&launch, script))
        })
    }

    fn log(&self, task_id: &str, container: &str) -> Reading {
        let said = self.tasks().logs.get(&(task_id.to_owned(), container.to_owned())).cloned();
        Box::pin(std::future::ready(Ok(said)))
    }
}

struct Actor {
    /// Names of those that run.
    containers: Vec<String>,
    /// Latest first.
    due: Vec<(Instant, Exit)>,
    on_stop: OnStop,
    stop_timeout: Duration,
    exits: mpsc::UnboundedSender<Exit>,
}

impl Actor {
    fn new(launch: &Launch, script: Script, exits: mpsc::UnboundedSender<Exit>) -> Self {
        let now = Instant::now();
        let exit = |(container, after, code)| {
            let reason = None;
            (now + after, Exit { container, code, reason })
        };
        let mut due: Vec<_> = script.exits.into_iter().map(exit).collect();
        due.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
        Self {
            containers: launch.containers.iter().map(|container| container.name.clone()).collect(),
            due,
            on_stop: script.on_stop,
            stop_timeout: launch.stop_timeout(),
            exits,
        }
    }

    async fn run(
        &mut self,
        mut stops: mpsc::UnboundedReceiver<Stop>,
        mut ends: mpsc::UnboundedReceiver<Exit>,
    ) {
        // Set by the first order to stop: when whatever still runs ends, and with which code.
        let mut last = None;
        while !self.containers.is_empty() {
            let next = self.due.last().map(|(at, _)| *at);
            tokio::select! {
                biased;
                stop = stops.recv() => match stop {
                    Some(Stop::Gracefully) => last = last.or_else(|| Some(self.on_sigterm())),
                    Some(Stop::ByForce) | None => self.end_all(SIGKILLED),
                },
                Some(exit) = ends.recv() => self.report(exit),
                () = at(last.map(|(at, _)| at)), if last.is_some() => {
                    self.end_all(last.map_or(SIGKILLED, |(_, code)| code));
                }
                () = at(next), if next.is_some() => {
                    if let Some((_, exit)) = self.due.pop() {
                        self.report(exit);
                    }
                }
            }
        }
    }

    fn on_sigterm(&self) -> (Instant, i32) {
        match self.on_stop {
            OnStop::Ends(after) if after < self.stop_timeout => (Instant::now() + after, SIGTERMED),
            OnStop::Ends(_) | OnStop::Ignores => (Instant::now() + self.stop_timeout, SIGKILLED),
        }
    }

    fn report(&mut self, exit: Exit) {
        let running = self.containers.iter().position(|name| *name == exit.container);
        if let Some(index) = running {
            self.containers.remove(index);
            // An ECS that no longer listens has dropped the task.
            let _ = self.exits.send(exit);
        }
    }

    fn end_all(&mut self, code: i32) {
        for container in std::mem::take(&mut self.containers) {
            let reason = None;
            let _ = self.exits.send(Exit { container, code, reason });
        }
    }
}

/// Sleeps until then; the caller looks first whether there is a then.
async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}
