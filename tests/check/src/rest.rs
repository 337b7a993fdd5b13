//! The way to rest: from any state, what happens where nothing goes wrong any more and nobody asks for anything.

use std::collections::HashSet;

use modbox_sandbox::State;

use crate::{
    Limits, NOTHING,
    invariants::{broken, broken_at_rest},
    rows::{Phase, Rows, Second, at, second},
    rules::Rules,
    state::{Left, Task, World},
    steps::{Edge, SWEEP, Step, Steps, later},
};

/// By then everything is at rest, or never will be: a running sandbox is compared with its task each hour.
const HORIZON: Second = 4 * 60 * 60;

const COMES_TO_REST: &str = "after faults stop, all comes to rest";
/// No way to rest has so many steps.
const LONGEST: usize = 5_000;
/// How long the schedule may leave a task alone whose sandbox is over: SETTLE.
const OVERDUE: Second = 3 * 60;

/// What was found on the way: the invariant, and the way.
pub(super) type Broken = (&'static str, Vec<(Step, World)>);

/// The ways to rest that were followed so far. From one state there is one way, so each is followed once.
#[derive(Default)]
pub(super) struct Rest {
    seen: HashSet<(World, bool)>,
}

impl Rest {
    /// How many states were met on the ways.
    pub(super) fn states(&self) -> usize {
        self.seen.len()
    }

    /// What is broken on the way from `world` to rest, or there; both with tasks that start and with ones that never do.
    pub(super) fn broken(&mut self, rows: &mut Rows, rules: Rules, world: &World) -> Option<Broken> {
        let start = World { left: Left::default(), ..world.clone() };
        [true, false].into_iter().find_map(|starts| self.follow(rows, rules, (&start, starts)))
    }

    fn follow(&mut self, rows: &mut Rows, rules: Rules, (start, starts): (&World, bool)) -> Option<Broken> {
        let mut way: Vec<(Step, World)> = Vec::new();
        loop {
            let world = way.last().map_or(start, |(_, world)| world);
            if way.len() > LONGEST {
                return Some((COMES_TO_REST, way));
            }
            if !self.seen.insert((world.clone(), starts)) {
                let is_circle = way.iter().rev().skip(1).any(|(_, earlier)| earlier == world);
                return is_circle.then_some((COMES_TO_REST, way));
            }
            let Some((step, next)) = next(rows, rules, world, starts) else {
                return broken_at_rest(rows, world).map(|invariant| (invariant, way));
            };
            let invariant = broken(rows, world, &next).or_else(|| overdue(rows, world, &next));
            way.push((step, next));
            if let Some(invariant) = invariant {
                return Some((invariant, way));
            }
        }
    }
}

/// The next step to rest: what is to be done is done first, then the schedule looks, then time passes.
fn next(rows: &mut Rows, rules: Rules, world: &World, starts: bool) -> Option<(Step, World)> {
    let limits = Limits { instants: &[], ..NOTHING };
    let mut edges = Steps::of(rows, rules, &limits, world);
    edges.retain(|edge| edge.is_fair || edge.step.what == SWEEP);
    edges.retain(|edge| starts || !runs(world, &edge.world));
    // The sweep comes last: it is not fair by itself.
    edges.sort_by_key(|edge| !edge.is_fair);
    if let Some(Edge { step, world, .. }) = edges.into_iter().next() {
        return Some((step, world));
    }
    let row = rows.get(world.row);
    let is_settled = matches!(row.state, State::Running(_)) && row.expires_at.is_none();
    if is_settled && world.task.is_some_and(Task::is_live) {
        return None;
    }
    let look_at = row.look_at.filter(|look_at| at(world.now) < *look_at && *look_at < at(HORIZON))?;
    Some((Step { who: "time", what: "passes" }, later(world, second(look_at))))
}

/// The schedule comes soon enough to a task whose sandbox is over.
fn overdue(rows: &Rows, before: &World, after: &World) -> Option<&'static str> {
    let row = rows.get(after.row);
    if !after.task.is_some_and(Task::is_live) || !row.is_over(at(after.now)) {
        return None;
    }
    let over_at = if row.is_live() { row.expires_at.map_or(before.now, second) } else { before.now };
    let waited = after.now - before.now.max(over_at);
    (waited > OVERDUE).then_some("a task whose sandbox is over is not left alone for long")
}

/// Whether the task came to run by this step.
fn runs(before: &World, after: &World) -> bool {
    let phase = |world: &World| world.task.map(|task| task.phase);
    phase(before) == Some(Phase::Starting) && phase(after) == Some(Phase::Running)
}
