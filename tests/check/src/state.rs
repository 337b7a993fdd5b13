use crate::rows::{Happening, Phase, RowId, Second};

/// All that the check knows of the world at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct World {
    pub(super) now: Second,
    pub(super) row: RowId,
    pub(super) name: NameItem,
    /// How many sandboxes were created under the name since; none of them ever ends.
    pub(super) rivals: u8,
    pub(super) task: Option<Task>,
    /// How many tasks were started, ever.
    pub(super) tasks: u8,
    /// Undelivered stream records that wake the launcher. Each is its image only where the launcher trusts images.
    pub(super) launches: [Option<RowId>; 2],
    /// Whether an undelivered stream record wakes the reaper.
    pub(super) reaps: bool,
    /// Undelivered events of ECS, by phase.
    pub(super) events: [u8; 3],
    pub(super) actors: [Actor; 7],
    /// What whoever read the sandbox last was told; the ranks are those of `invariants`.
    pub(super) told: u8,
    pub(super) left: Left,
}

/// The item that says who holds the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct NameItem {
    /// 0 is the sandbox that is checked, others came later.
    pub(super) holder: u8,
    pub(super) taken: bool,
    pub(super) live_until: Option<Second>,
}

/// The task as ECS has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Task {
    /// The attempt in its `clientToken`.
    pub(super) attempt: u32,
    pub(super) phase: Phase,
    pub(super) started_at: Second,
    /// ListTasks, DescribeTasks and StopTask have heard of it.
    pub(super) known: bool,
    /// StopTask was accepted for it.
    pub(super) stopping: bool,
}

impl Task {
    pub(super) fn is_live(self) -> bool {
        self.phase != Phase::Stopped
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Who {
    Launcher,
    /// The reaper, woken by the stream.
    Reaper,
    /// The reaper, woken by the schedule.
    Schedule,
    Observer,
    /// A client that destroys.
    Ann,
    /// Another, who kills or extends.
    Ben,
    /// Whoever reads.
    Reader,
}

impl Who {
    pub(super) const ALL: [Self; 7] =
        [Self::Launcher, Self::Reaper, Self::Schedule, Self::Observer, Self::Ann, Self::Ben, Self::Reader];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Launcher => "launcher",
            Self::Reaper => "reaper",
            Self::Schedule => "schedule",
            Self::Observer => "observer",
            Self::Ann => "client 1",
            Self::Ben => "client 2",
            Self::Reader => "reader",
        }
    }
}

/// One invocation of a function, or none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Actor {
    pub(super) next: Next,
    pub(super) started_at: Second,
    /// What is delivered again should it fail.
    pub(super) holds: Held,
}

/// The next call to AWS that an invocation makes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) enum Next {
    /// There is no invocation.
    #[default]
    Idle,
    RunTask {
        row: RowId,
        attempt: u32,
    },
    /// A conditional write of `after`, which is what `happening` made of `row`.
    Write {
        row: RowId,
        after: RowId,
        /// Whether the task is to be stopped once it is written.
        stop: bool,
        happening: Happening,
        then: Then,
    },
    StopTask {
        row: RowId,
    },
    DescribeTasks {
        row: RowId,
        then: Then,
    },
    ListTasks {
        row: RowId,
    },
    /// The schedule reads the row once more before its tick.
    Read,
}

/// What an invocation does after a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Then {
    Finish,
    /// StopTask, if the row says that the task is to be stopped.
    StopUnwanted,
    /// The row's tick.
    Tick,
    /// The answer, which tells what the row says.
    Tell,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) enum Held {
    #[default]
    Nothing,
    Launch(RowId),
    Reap,
    Event(Phase),
}

/// How much of what is bounded may still happen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Left {
    /// Crashes, lost answers and lost events.
    pub(super) faults: u8,
    pub(super) duplicates: u8,
    pub(super) refusals: u8,
    /// What each of the two clients asks of the sandbox.
    pub(super) commands: [u8; 2],
    pub(super) creates: u8,
    pub(super) reads: u8,
}

impl World {
    pub(super) fn actor(&self, who: Who) -> &Actor {
        &self.actors[who as usize]
    }

    pub(super) fn actor_mut(&mut self, who: Who) -> &mut Actor {
        &mut self.actors[who as usize]
    }

    pub(super) fn is_idle(&self, who: Who) -> bool {
        self.actor(who).next == Next::Idle
    }

    /// Whether no function runs and no client waits.
    pub(super) fn is_quiet(&self) -> bool {
        self.busy() == 0
    }

    /// How many invocations there are.
    pub(super) fn busy(&self) -> usize {
        self.actors.iter().filter(|actor| actor.next != Next::Idle).count()
    }

    pub(super) fn begin(&mut self, who: Who, next: Next, holds: Held) {
        *self.actor_mut(who) = Actor { next, started_at: self.now, holds };
    }

    pub(super) fn go_on(&mut self, who: Who, next: Next) {
        self.actor_mut(who).next = next;
    }

    /// Ends an invocation that did what it was called for.
    pub(super) fn finish(&mut self, who: Who) {
        *self.actor_mut(who) = Actor::default();
    }

    /// Ends an invocation that did not: what woke it is delivered again.
    pub(super) fn fail(&mut self, who: Who) {
        let holds = self.actor(who).holds;
        self.finish(who);
        match holds {
            Held::Nothing => {}
            Held::Launch(image) => self.wake_launcher(image),
            Held::Reap => self.reaps = true,
            Held::Event(phase) => self.events[phase as usize] += 1,
        }
    }

    /// Forgets what writes that can only fail by now would have written: a version never comes back.
    pub(super) fn outdate_writes(&mut self) {
        for actor in &mut self.actors {
            if let Next::Write { row, after, stop, .. } = &mut actor.next
                && *row != self.row
            {
                (*row, *after, *stop) = (RowId::NONE, RowId::NONE, false);
            }
        }
    }

    /// Puts a record among the undelivered, in an order that is the same for the same records. Two that are equal are
    /// one: the handler reads the row, and that it may do so twice is what duplicates are for.
    pub(super) fn wake_launcher(&mut self, image: RowId) {
        if self.launches.contains(&Some(image)) {
            return;
        }
        if let Some(free) = self.launches.iter_mut().find(|record| record.is_none()) {
            *free = Some(image);
            self.launches.sort_unstable();
        }
    }
}
