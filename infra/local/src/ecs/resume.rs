//! The start after another run: what that run knew is known again, and what it started is adopted.

use std::sync::Arc;

use super::{
    Ecs, lifecycle,
    memory::{Memory, MemoryError, Remembered},
    run_task,
    world::World,
};

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
        // What is old is likely to be known, and waits for what is not. What is too old is told of all the same, and
        // forgotten next.
        for key in unfinished.iter().copied().chain(world.tasks.stopped()) {
            world.emit(shared, key, now);
        }
        shared.live.send_modify(|live| *live += unfinished.len());
        for (key, task) in world.tasks.unfinished() {
            let adopting = shared.engine.adopt(run_task::as_it_was(task), task.address);
            tokio::spawn(lifecycle::resume(Arc::clone(shared), key, adopting, task.orders.subscribe()));
        }
        Ok(())
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
