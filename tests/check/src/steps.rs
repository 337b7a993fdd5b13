//! What can happen next: the steps of each actor, of ECS and of time.

use modbox_sandbox::{Launch, Provisioning, Sandbox, State, Wants};

use crate::{
    Limits,
    invariants::rank,
    rows::{Applied, Happening, Phase, RowId, Rows, Second, at, second},
    rules::{Rule, Rules},
    state::{Held, Next, Task, Then, Who, World},
};

/// One step of one actor.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub(super) who: &'static str,
    pub(super) what: &'static str,
}

/// A step and the world after it.
pub(super) struct Edge {
    pub(super) step: Step,
    /// Whether it happens, sooner or later, where nothing goes wrong and nobody asks for anything.
    pub(super) is_fair: bool,
    pub(super) world: World,
}

/// The longest that an invocation lives: the functions' timeout.
const TIMEOUT: Second = 60;
/// How long ECS may take until its queries know a task.
const KNOWN_AFTER: Second = 60;
/// How old a task is before the comparison of tasks with rows looks at it (`shared/control/src/orphans.rs`).
const ORPHAN_AGE: Second = 120;
/// How far an extension moves the deadline from now.
const EXTENSION: Second = 240;

/// Lists the steps from one world.
pub(super) struct Steps<'a> {
    pub(super) rows: &'a mut Rows,
    pub(super) rules: Rules,

    from: &'a World,
    edges: Vec<Edge>,
}

impl<'a> Steps<'a> {
    pub(super) fn of(rows: &'a mut Rows, rules: Rules, limits: &'a Limits, from: &'a World) -> Vec<Edge> {
        let mut steps = Self { rows, rules, from, edges: Vec::new() };
        for who in Who::ALL {
            steps.go_on(who);
        }
        if from.busy() < limits.at_once {
            steps.wake_launcher();
            steps.wake_reaper();
            steps.wake_observer();
            steps.clients();
            steps.read();
            steps.orphans();
            steps.schedule();
        }
        steps.lose_events();
        steps.ecs();
        if let Some(to) = limits.instants.iter().find(|instant| **instant > from.now) {
            steps.push("time", "passes", later(from, *to));
        }
        steps.edges
    }

    fn fair(&mut self, who: &'static str, what: &'static str, mut world: World) {
        self.forget(&mut world);
        self.edges.push(Edge { step: Step { who, what }, is_fair: true, world });
    }

    fn push(&mut self, who: &'static str, what: &'static str, mut world: World) {
        self.forget(&mut world);
        self.edges.push(Edge { step: Step { who, what }, is_fair: false, world });
    }

    /// Forgets deliveries that change nothing now and never will: without it there are a hundred times as many states.
    fn forget(&mut self, world: &mut World) {
        let row = self.rows.get(world.row);
        // Whatever is wanted anew comes with a record of its own.
        if self.rules.hold(Rule::ReadBeforeRunTask) && wanted(row, world.now).is_none() {
            world.launches = [None; 2];
        }
        if row.wants() != Some(Wants::Stop) || row.task().is_none() {
            world.reaps = false;
        }
        for phase in Phase::ALL {
            let row = self.rows.get(world.row);
            let is_old = row.task().is_some_and(|task| task.version >= phase.version());
            if world.events[phase as usize] > 0 && is_old {
                let applied = self.rows.apply(world.row, Happening::Seen(phase), world.now);
                if matches!(applied, Applied::Row(after, _) if after == world.row) {
                    world.events[phase as usize] = 0;
                }
            }
        }
    }

    /// A step that uses up one of the faults.
    fn fault(&mut self, who: &'static str, what: &'static str, mut world: World) {
        if self.from.left.faults > 0 {
            world.left.faults -= 1;
            self.push(who, what, world);
        }
    }

    /// The call was done, its answer lost, or the invocation killed before it saw it.
    fn lost(&mut self, who: Who, what: &'static str, done: &World) {
        let mut world = done.clone();
        world.fail(who);
        self.fault(who.name(), what, world);
    }

    fn row(&self) -> &Sandbox {
        self.rows.get(self.from.row)
    }

    fn go_on(&mut self, who: Who) {
        let next = self.from.actor(who).next;
        match next {
            Next::Idle => return,
            Next::RunTask { row, attempt } => self.run_task(row, attempt),
            Next::Write { .. } => self.write(who, next),
            Next::StopTask { row } => self.stop_task(who, row),
            Next::DescribeTasks { row, then } => self.describe_tasks(who, row, then),
            Next::ListTasks { row } => self.list_tasks(who, row),
            Next::Read => {
                let mut world = self.from.clone();
                self.decide(&mut world, who, (self.from.row, Happening::Tick, Then::Finish));
                self.fair(who.name(), "reads the row again", world);
            }
        }
        let mut killed = self.from.clone();
        killed.fail(who);
        self.fault(who.name(), "is killed", killed);
    }

    fn run_task(&mut self, row: RowId, attempt: u32) {
        let replayed =
            self.from.task.filter(|task| self.rules.hold(Rule::ClientToken) && task.attempt == attempt);
        let mut world = self.from.clone();
        let task = replayed.unwrap_or(Task {
            attempt,
            phase: Phase::Starting,
            started_at: world.now,
            known: false,
            stopping: false,
        });
        if replayed.is_none() {
            world.task = Some(task);
            world.tasks += 1;
            world.events[Phase::Starting as usize] += 1;
        }
        self.answer(&world, "RunTask answers with the task", (row, Happening::Seen(task.phase)));
        if self.rules.hold(Rule::AttemptRisesAfterNo) {
            self.lost(Who::Launcher, "RunTask is done, its answer lost", &world);
        } else {
            let no = Happening::Refused { attempt, retryable: true };
            self.answer(&world, "RunTask is done, its answer lost and taken for a no", (row, no));
        }
        if replayed.is_some() {
            self.answer(&world, "RunTask answers with ConflictException", (row, Happening::Adopted));
        } else if self.from.left.refusals > 0 {
            let mut world = self.from.clone();
            world.left.refusals -= 1;
            for (retryable, what) in [(true, "RunTask answers no capacity"), (false, "RunTask is refused")] {
                self.answer(&world, what, (row, Happening::Refused { attempt, retryable }));
            }
        }
    }

    /// RunTask's answer. Only that it worked is what happens if nothing goes wrong.
    fn answer(&mut self, done: &World, what: &'static str, (row, happening): (RowId, Happening)) {
        let mut world = done.clone();
        self.decide(&mut world, Who::Launcher, (row, happening, Then::StopUnwanted));
        let is_fair = matches!(happening, Happening::Seen(_));
        self.forget(&mut world);
        self.edges.push(Edge { step: Step { who: "launcher", what }, is_fair, world });
    }

    /// Applies what happened, as `shared/control/src/change.rs` does; what changes nothing needs no write.
    fn decide(&mut self, world: &mut World, who: Who, (row, happening, then): (RowId, Happening, Then)) {
        let (after, stop) = match self.rows.apply(row, happening, world.now) {
            Applied::Refused => (row, false),
            Applied::Row(after, stop) => (after, stop),
        };
        if after == row {
            self.follow(world, who, then, (row, stop));
        } else {
            world.go_on(who, Next::Write { row, after, stop, happening, then });
        }
    }

    /// Commits what was decided; a stale write decides again by what it met.
    fn write(&mut self, who: Who, next: Next) {
        let Next::Write { row, after, stop, happening, then } = next else {
            return;
        };
        let mut world = self.from.clone();
        if world.row != row {
            let met = world.row;
            self.decide(&mut world, who, (met, happening, then));
            return self.fair(who.name(), "writes, and finds a newer row", world);
        }
        if !self.commit(&mut world, after) {
            self.follow(&mut world, who, then, (row, false));
            return self.fair(who.name(), "writes, and finds that the name was lost", world);
        }
        self.lost(who, "writes, and is killed", &world);
        self.follow(&mut world, who, then, (after, stop));
        self.fair(who.name(), "writes the row", world);
    }

    /// What an invocation does once a write was answered; `stop` is whether the task is to be stopped now.
    fn follow(&self, world: &mut World, who: Who, then: Then, (row, stop): (RowId, bool)) {
        match then {
            Then::StopUnwanted if stop => world.go_on(who, Next::StopTask { row }),
            Then::Tick => world.go_on(who, Next::Read),
            Then::Tell => {
                world.told = rank(self.rows.get(row).status(at(world.now)));
                world.finish(who);
            }
            Then::Finish | Then::StopUnwanted => world.finish(who),
        }
    }

    /// The transaction over row and name, as `shared/aws/src/table/commit.rs` has it, and its stream records.
    fn commit(&self, world: &mut World, after: RowId) -> bool {
        let (before, row) = (self.rows.get(world.row), self.rows.get(after));
        let is_own = world.name.holder == 0;
        match (before.is_live(), row.is_live()) {
            (true, false) if !self.rules.hold(Rule::FreeName) => {}
            (true, false) if is_own || !self.rules.hold(Rule::FreeOnlyOwnName) => {
                world.name.taken = false;
                world.name.live_until = None;
            }
            (true, true) if before.expires_at == row.expires_at => {}
            (true, true) if !self.rules.hold(Rule::ExtendRowAndName) => {}
            (true, true) if is_own => world.name.live_until = row.expires_at.map(second),
            (true, true) => return false,
            _ => {}
        }
        if row.wants() == Some(Wants::Task) {
            world.wake_launcher(self.image(after));
        }
        let stops = row.wants() == Some(Wants::Stop) && row.task().is_some();
        if stops || (before.is_live() && !row.is_live()) {
            world.reaps = true;
        }
        world.row = after;
        world.outdate_writes();
        true
    }

    /// What a record says of the row; one that nobody believes is the same as any other.
    fn image(&self, row: RowId) -> RowId {
        if self.rules.hold(Rule::ReadBeforeRunTask) { RowId::FIRST } else { row }
    }

    fn stop_task(&mut self, who: Who, row: RowId) {
        let mut world = self.from.clone();
        if let Some(task) = world.task.as_mut().filter(|task| task.known) {
            task.stopping = task.is_live();
            self.lost(who, "StopTask is done, its answer lost", &world);
            match who {
                Who::Schedule => world.finish(who),
                _ => self.decide(&mut world, who, (row, Happening::StopSent, Then::Finish)),
            }
            let unheard = World { task: self.from.task, ..world.clone() };
            self.fault(who.name(), "StopTask is accepted, and comes to nothing", unheard);
            return self.fair(who.name(), "StopTask is accepted", world);
        }
        match who {
            Who::Reaper if !self.rules.hold(Rule::NotFoundIsNotGone) => {
                self.decide(&mut world, who, (row, Happening::Missing, Then::Finish));
            }
            Who::Reaper => world.go_on(who, Next::DescribeTasks { row, then: Then::Finish }),
            _ => world.finish(who),
        }
        self.fair(who.name(), "StopTask answers: task not found", world);
    }

    fn describe_tasks(&mut self, who: Who, row: RowId, then: Then) {
        let mut world = self.from.clone();
        let (happening, what) = match world.task.filter(|task| task.known) {
            Some(task) => (Happening::Seen(task.phase), "DescribeTasks shows the task"),
            None => (Happening::Missing, "DescribeTasks does not know the task"),
        };
        self.decide(&mut world, who, (row, happening, then));
        self.fair(who.name(), what, world);
    }

    fn list_tasks(&mut self, who: Who, row: RowId) {
        let mut world = self.from.clone();
        if world.task.is_some_and(|task| task.known && task.is_live()) {
            world.go_on(who, Next::DescribeTasks { row, then: Then::Tick });
            return self.fair(who.name(), "ListTasks shows a task", world);
        }
        self.decide(&mut world, who, (row, Happening::NoTask, Then::Tick));
        self.fair(who.name(), "ListTasks shows none", world);
    }

    fn wake_launcher(&mut self) {
        if !self.from.is_idle(Who::Launcher) {
            return;
        }
        for place in 0..self.from.launches.len() {
            let Some(image) = self.from.launches[place] else { continue };
            if self.from.launches[..place].contains(&Some(image)) {
                continue;
            }
            let mut world = self.from.clone();
            world.launches[place] = None;
            world.launches.sort_unstable();
            let row = if self.rules.hold(Rule::ReadBeforeRunTask) { world.row } else { image };
            let Some(attempt) = wanted(self.rows.get(row), world.now) else {
                self.fair("launcher", "is woken, and nothing is wanted", world);
                continue;
            };
            world.begin(Who::Launcher, Next::RunTask { row, attempt }, Held::Launch(image));
            self.fair("launcher", "is woken, and reads that a task is wanted", world.clone());
            self.duplicate("launcher", world, |world| world.wake_launcher(image));
        }
    }

    /// The same delivery, with another to come.
    fn duplicate(&mut self, who: &'static str, mut world: World, again: impl FnOnce(&mut World)) {
        if world.left.duplicates > 0 {
            world.left.duplicates -= 1;
            again(&mut world);
            self.push(who, "is woken, as it will be again", world);
        }
    }

    fn wake_reaper(&mut self) {
        if !self.from.reaps || !self.from.is_idle(Who::Reaper) {
            return;
        }
        let mut world = self.from.clone();
        world.reaps = false;
        let row = self.row();
        if row.wants() != Some(Wants::Stop) || row.task().is_none() {
            return self.fair("reaper", "is woken, and nothing is to be stopped", world);
        }
        world.begin(Who::Reaper, Next::StopTask { row: world.row }, Held::Reap);
        self.fair("reaper", "is woken, and reads what is to be stopped", world.clone());
        self.duplicate("reaper", world, |world| world.reaps = true);
    }

    fn wake_observer(&mut self) {
        for phase in Phase::ALL {
            if self.from.events[phase as usize] == 0 || !self.from.is_idle(Who::Observer) {
                continue;
            }
            let mut world = self.from.clone();
            world.events[phase as usize] -= 1;
            world.begin(Who::Observer, Next::Read, Held::Event(phase));
            self.decide(&mut world, Who::Observer, (self.from.row, Happening::Seen(phase), Then::Finish));
            self.fair("observer", told(phase), world.clone());
            self.duplicate("observer", world, |world| world.events[phase as usize] += 1);
        }
    }

    fn lose_events(&mut self) {
        for phase in Phase::ALL {
            let mut world = self.from.clone();
            if world.events[phase as usize] > 0 {
                world.events[phase as usize] -= 1;
                self.fault("ECS", lost_event(phase), world);
            }
        }
    }

    fn ecs(&mut self) {
        let Some(task) = self.from.task.filter(|task| task.is_live()) else {
            return;
        };
        let becomes = |task| World { task: Some(task), ..self.from.clone() };
        let mut runs = becomes(Task { phase: Phase::Running, ..task });
        runs.events[Phase::Running as usize] += 1;
        let mut stops = becomes(Task { phase: Phase::Stopped, ..task });
        stops.events[Phase::Stopped as usize] += 1;
        if !task.known {
            let known = becomes(Task { known: true, ..task });
            self.fair("ECS", "knows the task", known);
        }
        if task.stopping {
            return self.fair("ECS", "the task stops as it was told", stops);
        }
        if task.phase == Phase::Starting {
            self.fair("ECS", "the task runs", runs);
        }
        self.push("ECS", "the task stops by itself", stops);
    }

    fn clients(&mut self) {
        let extend = Happening::Extend(self.from.now + EXTENSION);
        self.client(Who::Ann, "destroys", Happening::Destroy);
        self.client(Who::Ben, "kills", Happening::Kill);
        self.client(Who::Ben, "extends", extend);
        self.create();
    }

    fn client(&mut self, who: Who, what: &'static str, happening: Happening) {
        let place = usize::from(who == Who::Ben);
        if self.from.left.commands[place] == 0 || !self.from.is_idle(who) {
            return;
        }
        let mut world = self.from.clone();
        world.left.commands[place] -= 1;
        world.begin(who, Next::Read, Held::Nothing);
        self.decide(&mut world, who, (self.from.row, happening, Then::Finish));
        self.push(who.name(), what, world);
    }

    /// A read, as `shared/control/src/get.rs` has it.
    fn read(&mut self) {
        if self.from.left.reads == 0 || !self.from.is_idle(Who::Reader) {
            return;
        }
        let (id, mut world) = (self.from.row, self.from.clone());
        world.left.reads -= 1;
        world.begin(Who::Reader, Next::Read, Held::Nothing);
        let is_over = self.row().is_live() && self.row().is_over(at(self.from.now));
        if is_over && self.rules.hold(Rule::WriteEndBeforeTelling) {
            self.decide(&mut world, Who::Reader, (id, Happening::Tick, Then::Tell));
        } else {
            self.follow(&mut world, Who::Reader, Then::Tell, (id, false));
        }
        self.push(Who::Reader.name(), "reads the row", world);
    }

    /// A create that wants the name, as `shared/aws/src/table/create.rs` has it.
    fn create(&mut self) {
        let name = self.from.name;
        let is_free = !name.taken || name.live_until.is_some_and(|until| until <= self.from.now);
        if self.from.left.creates > 0 && is_free {
            let mut world = self.from.clone();
            world.left.creates -= 1;
            world.rivals += 1;
            world.name.holder = world.rivals;
            world.name.taken = true;
            world.name.live_until = None;
            self.push("client 2", "creates another of that name", world);
        }
    }

    /// The schedule's look at a row that is due, as `shared/control/src/sweep.rs` has it.
    fn schedule(&mut self) {
        let (row, now) = (self.row(), at(self.from.now));
        if !self.from.is_idle(Who::Schedule) || row.look_at.is_none_or(|look_at| look_at > now) {
            return;
        }
        let id = self.from.row;
        let is_over = row.is_live() && row.is_over(now);
        let next = match (&row.state, row.task()) {
            _ if is_over => Next::Read,
            (_, Some(_)) => Next::DescribeTasks { row: id, then: Then::Tick },
            (State::Destroying(_) | State::Destroyed(_), None) => Next::ListTasks { row: id },
            (State::Provisioning(_) | State::Running(_), None) => Next::Read,
        };
        let mut world = self.from.clone();
        world.begin(Who::Schedule, next, Held::Nothing);
        self.push("schedule", SWEEP, world);
    }

    /// The comparison of tasks with rows, as `shared/control/src/orphans.rs` has it.
    fn orphans(&mut self) {
        let is_old = |task: &Task| self.from.now >= task.started_at + ORPHAN_AGE;
        let Some(task) = self.from.task.filter(|task| task.known && task.is_live() && is_old(task)) else {
            return;
        };
        if self.from.is_idle(Who::Schedule) {
            let mut world = self.from.clone();
            world.begin(Who::Schedule, Next::Read, Held::Nothing);
            let seen = Happening::Seen(task.phase);
            self.decide(&mut world, Who::Schedule, (self.from.row, seen, Then::StopUnwanted));
            self.push("schedule", "compares the task with its row", world);
        }
    }
}

/// How the trace calls the schedule's look at a row that is due.
pub(super) const SWEEP: &str = "looks at the row, which is due";

fn told(phase: Phase) -> &'static str {
    match phase {
        Phase::Starting => "is told that the task starts",
        Phase::Running => "is told that the task runs",
        Phase::Stopped => "is told that the task stopped",
    }
}

fn lost_event(phase: Phase) -> &'static str {
    match phase {
        Phase::Starting => "the event that the task starts is lost",
        Phase::Running => "the event that the task runs is lost",
        Phase::Stopped => "the event that the task stopped is lost",
    }
}

/// The attempt that the launcher is to start, if it is to start one.
fn wanted(sandbox: &Sandbox, now: Second) -> Option<u32> {
    match &sandbox.state {
        State::Provisioning(Provisioning { launch: Launch::Wanted { attempt }, launch_by })
            if at(now) < *launch_by && !sandbox.is_over(at(now)) =>
        {
            Some(*attempt)
        }
        _ => None,
    }
}

/// The world at a later time: what ran longer than a function may is killed, and ECS knows what it started.
pub(super) fn later(world: &World, to: Second) -> World {
    let mut world = world.clone();
    world.now = to;
    for who in Who::ALL {
        if !world.is_idle(who) && world.now - world.actor(who).started_at > TIMEOUT {
            world.fail(who);
        }
    }
    if let Some(task) = world.task.as_mut() {
        task.known |= to - task.started_at >= KNOWN_AFTER;
    }
    world
}
