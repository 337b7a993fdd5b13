use std::{fmt, time::Duration};

use crate::{Labels, Name, SandboxId, Spec, TaskArn, Timestamp, UserId};

/// Which run of the sandbox a task belongs to. Pins `clientToken` and the task's token.
pub type Incarnation = u32;

/// A sandbox, as its row says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sandbox {
    pub id: SandboxId,
    pub owner: UserId,
    pub name: Name,
    pub spec: Spec,
    pub labels: Labels,
    pub incarnation: Incarnation,
    /// Rises by one with each change; every write is conditional on the one it read.
    pub version: u64,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// When it expires; never, if absent.
    pub expires_at: Option<Timestamp>,
    /// When its deadline was last moved; never, if absent.
    pub extended_at: Option<Timestamp>,
    /// When the schedule is to look at it again; absent once nothing remains to be done.
    pub look_at: Option<Timestamp>,
    pub state: State,
}

/// The four states; each carries just the facts that are true in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    Provisioning(Provisioning),
    Running(Running),
    /// Over for every reader, its task not yet known to be stopped.
    Destroying(Ending),
    /// Over, and no task of it is known to run. Absorbing.
    Destroyed(Ending),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provisioning {
    /// Past it the launch has failed.
    pub launch_by: Timestamp,
    pub launch: Launch,
}

/// How far the launch has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Launch {
    /// The launcher is to call RunTask with this attempt's token.
    Wanted { attempt: u32 },
    /// ECS definitely said no; the next attempt waits.
    Refused { attempt: u32, retry_at: Timestamp, message: String },
    /// A task exists.
    Started(Task),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Running {
    pub task: Task,
    pub ready_at: Timestamp,
}

/// A task of ECS, as far as it was observed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    pub arn: TaskArn,
    /// ECS's version of the newest observation; orders them.
    pub version: u64,
    pub recorded_at: Timestamp,
}

/// A sandbox that is over: why, and what remains to be done about its task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    pub end: End,
    /// When the end was committed. Rule 5's wait counts from here, since `end.at` may lie before.
    pub since: Timestamp,
    pub task: Option<Task>,
    pub stop: Stop,
    /// Whether somebody has asked for its end who did not bring it about: it had stopped, expired or ended by itself.
    pub dismissed: bool,
}

/// Why and when a sandbox ended, and who asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    pub reason: EndReason,
    /// The user who asked; absent when nobody did.
    pub by: Option<UserId>,
    /// The moment the client's view changed: the commit of the destroy, or `expires_at`.
    pub at: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndReason {
    Requested,
    Killed,
    /// Somebody asked that it run no longer, and not that it be gone.
    Stopped,
    Expired,
    /// It never ran, or ECS ended it; the message is ECS's, or says what was waited for.
    Failed {
        message: String,
    },
    /// The main container exited by itself.
    Exited {
        code: Option<i32>,
    },
    /// ECS does not know its task any more.
    Lost,
}

impl fmt::Display for EndReason {
    /// In words, as users are told.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Requested => f.write_str("destroyed"),
            Self::Killed => f.write_str("killed"),
            Self::Stopped => f.write_str("stopped"),
            Self::Expired => f.write_str("expired"),
            Self::Failed { message } => write!(f, "failed: {message}"),
            Self::Exited { code: Some(code) } => write!(f, "exited with code {code}"),
            Self::Exited { code: None } => f.write_str("exited"),
            Self::Lost => f.write_str("lost: ECS does not know its task any more"),
        }
    }
}

/// What is to be done about the task of a sandbox that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The reaper is to call StopTask.
    Wanted,
    /// StopTask was accepted; the stopped event is awaited.
    Sent,
    /// Seen stopped, or never existed.
    Done,
}

/// The sparse attribute by which the stream wakes launcher and reaper (rule 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wants {
    Task,
    Stop,
}

/// What a reader is told. Over is over: Destroying and expired read as destroyed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Provisioning,
    Running,
    Destroyed,
}

impl State {
    /// Whether it is not over, as far as it was written.
    pub fn is_live(&self) -> bool {
        matches!(self, Self::Provisioning(_) | Self::Running(_))
    }
}

impl Ending {
    /// Whether it is all that anybody asked for ([`Sandbox::is_dismissed`]).
    pub fn is_dismissed(&self) -> bool {
        self.dismissed || matches!(self.end.reason, EndReason::Requested | EndReason::Killed)
    }
}

impl Sandbox {
    /// What a reader is told at `now`.
    pub fn status(&self, now: Timestamp) -> Status {
        match &self.state {
            _ if self.is_over(now) => Status::Destroyed,
            State::Provisioning(_) => Status::Provisioning,
            State::Running(_) => Status::Running,
            State::Destroying(_) | State::Destroyed(_) => Status::Destroyed,
        }
    }

    /// Whether it has ended for every reader: destroyed, being destroyed, or past its deadline.
    pub fn is_over(&self, now: Timestamp) -> bool {
        !self.is_live() || self.expires_at.is_some_and(|at| at <= now)
    }

    /// Whether its row still holds a live sandbox, whatever the clock says: the sparse attribute `live`.
    pub fn is_live(&self) -> bool {
        self.state.is_live()
    }

    /// Whether nothing remains to be done about it.
    pub fn is_final(&self) -> bool {
        matches!(&self.state, State::Destroyed(ending) if ending.stop == Stop::Done)
    }

    /// How it ended, if it has at `now`. A deadline that has passed is an end before any write says so.
    pub fn end(&self, now: Timestamp) -> Option<End> {
        match &self.state {
            State::Destroying(ending) | State::Destroyed(ending) => Some(ending.end.clone()),
            State::Provisioning(_) | State::Running(_) => self
                .expires_at
                .filter(|at| *at <= now)
                .map(|at| End { reason: EndReason::Expired, by: None, at }),
        }
    }

    /// Whether its end is all that anybody asked for: it was destroyed or killed, or was over and then asked to go.
    pub fn is_dismissed(&self) -> bool {
        match &self.state {
            State::Provisioning(_) | State::Running(_) => false,
            State::Destroying(ending) | State::Destroyed(ending) => ending.is_dismissed(),
        }
    }

    /// How long after its creation, or after its deadline was last moved, it was to end.
    pub fn timeout(&self) -> Option<Duration> {
        Some(self.expires_at?.since(self.extended_at.unwrap_or(self.created_at)))
    }

    /// What the stream is to have done: the attribute `wants`.
    pub fn wants(&self) -> Option<Wants> {
        match &self.state {
            State::Provisioning(Provisioning { launch: Launch::Wanted { .. }, .. }) => Some(Wants::Task),
            State::Provisioning(_) | State::Running(_) => None,
            State::Destroying(ending) | State::Destroyed(ending) => {
                (ending.stop == Stop::Wanted).then_some(Wants::Stop)
            }
        }
    }

    pub fn task(&self) -> Option<&Task> {
        match &self.state {
            State::Provisioning(Provisioning { launch: Launch::Started(task), .. }) => Some(task),
            State::Provisioning(_) => None,
            State::Running(running) => Some(&running.task),
            State::Destroying(ending) | State::Destroyed(ending) => ending.task.as_ref(),
        }
    }
}
