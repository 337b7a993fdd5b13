use std::time::Duration;

use crate::{EndReason, Incarnation, Labels, Sandbox, State, TaskArn, UserId};

/// What can happen to a sandbox: commands, observations, and time passing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Somebody asks for its end.
    Destroy { by: UserId },
    /// Somebody asks for its end, at once and by force.
    Kill { by: UserId },
    /// Somebody asks that it run no longer; it may still be shown afterwards, until somebody destroys it.
    Stop { by: UserId },
    /// Somebody moves its deadline, later or earlier.
    Extend { to: Deadline },
    /// Somebody gives it other labels in place of those that it has.
    Label { labels: Labels },
    /// ECS, or the launcher that called it, saw a task of this sandbox.
    TaskSeen(TaskSeen),
    /// The task's `ready` sidecar says that the readiness port answers.
    Ready { incarnation: Incarnation },
    /// ECS definitely refused this attempt to start a task.
    LaunchRefused(LaunchRefusal),
    /// StopTask was accepted for this task.
    StopSent { arn: TaskArn },
    /// DescribeTasks does not know this task.
    TaskMissing { arn: TaskArn },
    /// ListTasks knows no task that this sandbox started.
    NoTask,
    /// Its row was removed while it lived: DynamoDB's TTL, or somebody's hand.
    RowRemoved,
    /// The schedule looks at it.
    Tick,
}

/// A new deadline, as somebody asks for it. None lies before the moment of the change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deadline {
    /// So long from now.
    In(Duration),
    /// So long after the one there is; where there is none, none.
    Later(Duration),
    /// So long after the creation, unless it runs and that is later: a plan that is made again shortens what runs, and never
    /// lengthens it.
    Planned(Duration),
    /// None any more.
    Never,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskSeen {
    pub incarnation: Incarnation,
    pub arn: TaskArn,
    /// ECS's version of what was seen: the same for a duplicate, higher for anything newer.
    pub version: u64,
    pub phase: TaskPhase,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TaskPhase {
    /// Before RUNNING.
    Starting,
    Running,
    /// Running, and the `ready` sidecar has exited 0.
    Ready,
    /// On its way to STOPPED.
    Stopping,
    /// STOPPED; the reason is why it would have ended had nobody asked.
    Stopped(EndReason),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaunchRefusal {
    pub attempt: u32,
    pub message: String,
    /// Whether a later attempt may succeed: capacity comes back, a bad image does not get better.
    pub retryable: bool,
}

/// The outcome of an event: the sandbox as it is now, and what follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The sandbox after the event; equal to the one before if nothing changed ("already done" is not an error).
    pub sandbox: Sandbox,
    pub effects: Vec<Effect>,
}

/// What the change asks of the world. The stream performs it, so a crash after the commit loses nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Start a task.
    Launch,
    /// Stop this task.
    Stop(TaskArn),
    /// Tell the event bus that it runs.
    PublishRunning,
    /// Tell the event bus that it ended.
    PublishEnded,
}

/// An event that does not fit the state it met.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{event:?} does not fit {state:?}")]
pub struct Refusal {
    pub state: State,
    pub event: Event,
}
