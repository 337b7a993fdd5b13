//! The domain of Modbox: what a sandbox is, and the one function by which it changes.
//!
//! Nothing here reads a clock, draws a random number or performs I/O: time is an argument, and what is to be done
//! comes back as values. `aws` stores what this crate says, `control` performs it.

pub mod contract;
mod event;
mod id;
mod labels;
mod lifecycle;
mod source;
mod spec;
mod state;
mod time;

pub use event::{Change, Deadline, Effect, Event, LaunchRefusal, Refusal, TaskPhase, TaskSeen};
pub use id::{InvalidName, Name, SandboxId, TaskArn, UserId, WorkspaceId};
pub use labels::{InvalidLabels, Labels};
pub use lifecycle::{CLOSING, LAUNCH_TIMEOUT, MAX_ATTEMPTS, RECHECK, SETTLE, apply, create};
pub use source::{Clock, Ids};
pub use spec::Spec;
pub use state::{
    End, EndReason, Ending, Incarnation, Launch, Provisioning, Running, Sandbox, State, Status, Stop, Task,
    Wants,
};
pub use time::Timestamp;
