//! Everything that the stand-in remembers, behind one lock, so that what belongs together happens at once.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use modbox_sandbox::{Clock, Ids, Timestamp};
use serde_json::Value;
use tokio::sync::{mpsc, watch};

use super::{
    Settings,
    definitions::{Definition, Definitions},
    engine::Engine,
    events,
    memory::{Memory, MemoryError},
    rates::Bucket,
    task::{Status, Task},
    tokens::Tokens,
    wire,
};
use crate::aws_json::AwsError;

/// How long a stopped task can still be described.
pub(super) const RETENTION: Duration = Duration::from_secs(60 * 60);
/// The most stopped tasks that are kept, so that a busy hour costs no more memory than a quiet one.
pub(super) const MOST_STOPPED: usize = 1000;

/// What the operations and the tasks' actors share.
pub(super) struct Shared {
    pub(super) settings: Settings,
    pub(super) engine: Arc<dyn Engine>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) ids: Arc<dyn Ids>,
    /// How many tasks are not STOPPED.
    pub(super) live: watch::Sender<usize>,
    world: Mutex<World>,
}

pub(super) struct World {
    pub(super) definitions: Definitions,
    pub(super) tasks: Tasks,
    pub(super) tokens: Tokens,
    pub(super) launches: Bucket,
    /// Set at shutdown: no task is accepted any more.
    pub(super) closed: bool,
    /// Where every change goes before anybody hears of it; none in a world that ends with the program.
    pub(super) memory: Option<Memory>,
    events: mpsc::UnboundedSender<Value>,
}

impl Shared {
    pub(super) fn new(
        settings: Settings,
        engine: Arc<dyn Engine>,
        (clock, ids): (Arc<dyn Clock>, Arc<dyn Ids>),
        events: mpsc::UnboundedSender<Value>,
    ) -> Self {
        let world = World {
            definitions: Definitions::default(),
            tasks: Tasks::default(),
            tokens: Tokens::default(),
            launches: Bucket::full(settings.launch_burst, settings.launches_per_second),
            closed: false,
            memory: None,
            events,
        };
        Self { settings, engine, clock, ids, live: watch::Sender::new(0), world: Mutex::new(world) }
    }

    /// The world as it is now, with what has aged out forgotten.
    pub(super) fn world(&self) -> MutexGuard<'_, World> {
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        world.forget(self.clock.now());
        world
    }

    /// Changes a task; if `change` says that it did, the version rises and the event goes out, in that order for all.
    pub(super) fn change(&self, key: u64, change: impl FnOnce(&mut Task, Timestamp) -> bool) {
        self.world().change(self, key, change);
    }
}

impl World {
    pub(super) fn change(
        &mut self,
        shared: &Shared,
        key: u64,
        change: impl FnOnce(&mut Task, Timestamp) -> bool,
    ) {
        let now = shared.clock.now();
        let Some(task) = self.tasks.get_mut(key) else {
            return;
        };
        if !change(task, now) {
            return;
        }
        task.version += 1;
        let stopped = task.status == Status::Stopped;
        if let Some(memory) = &mut self.memory {
            // The world goes on; the next change of the task brings this one with it.
            heed(memory.put([(key, &*task)].into_iter()));
        }
        self.emit(shared, key, now);
        if stopped {
            self.tasks.stopped.push_back((now, key));
            shared.live.send_modify(|live| *live = live.saturating_sub(1));
        }
    }

    /// Adds tasks and tells of them: of all, or of none when they cannot be remembered.
    pub(super) fn add(
        &mut self,
        shared: &Shared,
        tasks: Vec<Task>,
        now: Timestamp,
    ) -> Result<Vec<u64>, AwsError> {
        let keys: Vec<u64> = (self.tasks.last_key + 1..).take(tasks.len()).collect();
        if let Some(memory) = &mut self.memory {
            memory.put(keys.iter().copied().zip(&tasks)).map_err(forgetful)?;
        }
        for (key, task) in keys.iter().zip(tasks) {
            if let Some(token) = &task.token {
                self.tokens.hold(token, *key);
            }
            self.tasks.insert(*key, task);
            shared.live.send_modify(|live| *live += 1);
            self.emit(shared, *key, now);
        }
        Ok(keys)
    }

    /// Adds or changes a task definition, unless it cannot be remembered.
    pub(super) fn define(&mut self, definition: Definition) -> Result<Arc<Definition>, AwsError> {
        if let Some(memory) = &self.memory {
            memory.define(&definition).map_err(forgetful)?;
        }
        Ok(self.definitions.put(definition))
    }

    /// Sends the event of a task's present state.
    pub(super) fn emit(&self, shared: &Shared, key: u64, now: Timestamp) {
        if let Some(event) = self.event(shared, key, now) {
            self.send(event);
        }
    }

    /// The event of a task's present state.
    pub(super) fn event(&self, shared: &Shared, key: u64, now: Timestamp) -> Option<Value> {
        let task = self.tasks.get(key)?;
        Some(events::task_state_change(task, shared.ids.random(), now))
    }

    pub(super) fn send(&self, event: Value) {
        // Nobody listening any more is the listener's choice.
        let _ = self.events.send(event);
    }

    fn forget(&mut self, now: Timestamp) {
        while let Some((stopped_at, key)) = self.tasks.stopped.front().copied() {
            if now.since(stopped_at) < RETENTION && self.tasks.stopped.len() <= MOST_STOPPED {
                return;
            }
            self.tasks.stopped.pop_front();
            if let Some(token) = self.tasks.remove(key).and_then(|task| task.token) {
                self.tokens.forget(&token.key, key);
            }
            if let Some(memory) = &self.memory {
                heed(memory.forget(key));
            }
        }
    }
}

fn heed(written: Result<(), MemoryError>) {
    if let Err(error) = written {
        tracing::error!(%error, "the local ECS failed to remember a change of a task");
    }
}

fn forgetful(error: MemoryError) -> AwsError {
    wire::unavailable(format!("The local ECS failed to remember: {error}"))
}

/// The tasks in the order of their creation, also found by id.
///
/// Memory is bounded: a stopped task is kept for [`RETENTION`], but no more than [`MOST_STOPPED`] of them.
#[derive(Default)]
pub(super) struct Tasks {
    last_key: u64,
    by_key: BTreeMap<u64, Task>,
    by_id: BTreeMap<String, u64>,
    /// Oldest end first.
    stopped: VecDeque<(Timestamp, u64)>,
}

impl Tasks {
    fn insert(&mut self, key: u64, task: Task) {
        self.last_key = self.last_key.max(key);
        self.by_id.insert(task.id.clone(), key);
        self.by_key.insert(key, task);
    }

    /// Inserts tasks of an earlier run, in any order.
    pub(super) fn restore(&mut self, tasks: impl Iterator<Item = (u64, Task)>) {
        tasks.for_each(|(key, task)| self.insert(key, task));
        let ends = self.by_key.iter().filter(|(_, task)| task.status == Status::Stopped);
        let mut ends: Vec<(Timestamp, u64)> =
            ends.filter_map(|(key, task)| Some((task.times.stopped_at?, *key))).collect();
        ends.sort_unstable();
        self.stopped = ends.into();
    }

    fn remove(&mut self, key: u64) -> Option<Task> {
        let task = self.by_key.remove(&key)?;
        self.by_id.remove(&task.id);
        Some(task)
    }

    fn get_mut(&mut self, key: u64) -> Option<&mut Task> {
        self.by_key.get_mut(&key)
    }

    pub(super) fn get(&self, key: u64) -> Option<&Task> {
        self.by_key.get(&key)
    }

    /// Finds a task of a cluster by id or ARN.
    pub(super) fn find(&self, cluster: &str, reference: &str) -> Option<(u64, &Task)> {
        let id = reference.rsplit('/').next()?;
        let key = *self.by_id.get(id)?;
        let task = self.by_key.get(&key)?;
        let named = !reference.starts_with("arn:") || reference == task.arn();
        (named && task.cluster == cluster).then_some((key, task))
    }

    /// Those that are not STOPPED.
    pub(super) fn unfinished(&self) -> impl Iterator<Item = (u64, &Task)> {
        self.after(0).filter(|(_, task)| task.status != Status::Stopped)
    }

    /// The keys of those that are STOPPED, newest end first.
    pub(super) fn stopped(&self) -> impl Iterator<Item = u64> {
        self.stopped.iter().rev().map(|(_, key)| *key)
    }

    /// Those created after `key`.
    pub(super) fn after(&self, key: u64) -> impl Iterator<Item = (u64, &Task)> {
        let later = self.by_key.range(key.saturating_add(1)..);
        later.map(|(key, task)| (*key, task))
    }
}
