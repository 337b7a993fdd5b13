//! The start after another run: what that run knew is known again, and what it started is adopted.

use std::{convert::Infallible, sync::Arc, time::Duration};

use serde_json::Value;
use tokio::{sync::mpsc, time::sleep};

use super::{
    Ecs, lifecycle,
    memory::{Memory, MemoryError, Remembered},
    run_task,
    world::{Shared, World},
};

/// Longer than it takes to handle the event of an end that was heard before.
const BETWEEN_ENDS: Duration = Duration::from_millis(5);

impl Ecs {
    /// Knows what the memory holds, adopts the tasks that have not stopped, and remembers every change from now on.
    ///
    /// For each task the event of its present state goes out again, since nobody can tell whether it was delivered:
    /// first those of tasks that have not stopped, then what adopting them showed, then the ends that are known. To be
    /// called before the first operation.
    pub fn resume(&self, mut memory: Memory) -> Result<(), MemoryError> {
        let remembered = memory.take();
        let shared = &self.shared;
        let mut world = shared.world();
        world.restore(remembered)?;
        world.memory = Some(memory);
        let now = shared.clock.now();
        let unfinished: Vec<u64> = world.tasks.unfinished().map(|(key, _)| key).collect();
        for key in &unfinished {
            world.emit(shared, *key, now);
        }
        shared.live.send_modify(|live| *live += unfinished.len());
        let (telling, told) = mpsc::channel(1);
        for (key, task) in world.tasks.unfinished() {
            let adoption = lifecycle::Adoption {
                starting: shared.engine.adopt(run_task::as_it_was(task), task.address),
                telling: telling.clone(),
            };
            tokio::spawn(lifecycle::resume(Arc::clone(shared), key, adoption, task.orders.subscribe()));
        }
        // Written now: what is too old is told of all the same, and forgotten next.
        let ends = world.tasks.stopped().filter_map(|key| world.event(shared, key, now)).collect();
        tokio::spawn(tell_ends(Arc::clone(shared), told, ends));
        Ok(())
    }
}

/// Tells of the ends that were known before, once every adoption has told what came of it, and so slowly that what
/// happens meanwhile does not wait: they are likely to have been heard, and there may be a thousand of them.
async fn tell_ends(shared: Arc<Shared>, mut told: mpsc::Receiver<Infallible>, ends: Vec<Value>) {
    // Nothing is ever sent: it resolves when the last sender is gone.
    let _ = told.recv().await;
    for end in ends {
        shared.world().send(end);
        sleep(BETWEEN_ENDS).await;
    }
}

impl World {
    fn restore(&mut self, remembered: Remembered) -> Result<(), MemoryError> {
        for definition in remembered.definitions {
            self.definitions.put(definition);
        }
        let mut tasks = Vec::with_capacity(remembered.tasks.len());
        for (key, stored) in remembered.tasks {
            let definition = self.definitions.find(&stored.definition).ok_or_else(|| {
                let what = format!("the task definition of task {key}");
                MemoryError::Unreadable { what, column: 0 }
            })?;
            let task = stored.read(definition);
            if let Some(token) = &task.token {
                self.tokens.hold(token, key);
            }
            tasks.push((key, task));
        }
        self.tasks.restore(tasks.into_iter());
        Ok(())
    }
}
