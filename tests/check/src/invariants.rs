//! What must hold at every step, and once all is at rest.

use modbox_sandbox::{State, Status};

use crate::{
    rows::{Rows, at},
    state::{Task, World},
};

/// The invariant that this step breaks.
pub(super) fn broken(rows: &Rows, before: &World, after: &World) -> Option<&'static str> {
    let (was, is) = (rows.get(before.row), rows.get(after.row));
    let view = is.status(at(after.now));
    let was_destroyed = matches!(was.state, State::Destroyed(_));
    if after.tasks > 1 {
        return Some("at most one task per sandbox and incarnation");
    }
    if (is.is_live() && !was.is_live()) || (was_destroyed && !matches!(is.state, State::Destroyed(_))) {
        return Some("a destroyed row never comes back");
    }
    if place(&is.state) < place(&was.state) {
        return Some("a row never goes backwards");
    }
    if after.told < before.told {
        return Some("what a client reads never goes backwards");
    }
    if after.rivals + u8::from(view != Status::Destroyed) > 1 {
        return Some("a name belongs to at most one live sandbox");
    }
    if is.is_final() && after.task.is_some_and(Task::is_live) {
        return Some("no task lives once nothing remains to be done about its row");
    }
    None
}

/// How far the row has come, whatever the clock says.
fn place(state: &State) -> u8 {
    match state {
        State::Provisioning(_) => 0,
        State::Running(_) => 1,
        State::Destroying(_) => 2,
        State::Destroyed(_) => 3,
    }
}

/// How far the sandbox has come for whoever reads it.
pub(super) fn rank(status: Status) -> u8 {
    match status {
        Status::Provisioning => 0,
        Status::Running => 1,
        Status::Destroyed => 2,
    }
}

/// The invariant that a world at rest breaks.
pub(super) fn broken_at_rest(rows: &Rows, world: &World) -> Option<&'static str> {
    let row = rows.get(world.row);
    let is_live = world.task.is_some_and(Task::is_live);
    match row.state {
        State::Running(_) if !is_live => Some("a sandbox that is said to run has a task"),
        State::Destroying(_) | State::Destroyed(_) if is_live => Some("no task lives without a live row"),
        State::Provisioning(_) | State::Destroying(_) => {
            Some("every sandbox ends as running or with a recorded end")
        }
        State::Destroyed(_) if world.name.holder == 0 && world.name.taken => {
            Some("the name is free once its sandbox is destroyed")
        }
        State::Running(_) | State::Destroyed(_) => None,
    }
}
