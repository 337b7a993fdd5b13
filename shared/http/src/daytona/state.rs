//! Where a sandbox is in its life.

use axum::http::StatusCode;
use modbox_control::Error;
use modbox_sandbox::{EndReason, Ending, Sandbox, State, Task, Timestamp};
use serde::Serialize;

use crate::error::ApiError;

/// Those of the vendor's states that a sandbox here can be in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum SandboxState {
    Creating,
    Started,
    /// It failed, and nobody has deleted it since.
    Error,
    Destroying,
    /// Shown in answers to a delete and in lists that ask for it; not found otherwise.
    Destroyed,
}

impl SandboxState {
    pub(super) fn new(sandbox: &Sandbox, now: Timestamp) -> Self {
        let written = Self::of(&sandbox.state);
        // A deadline that has passed is an end before any write says so.
        match written.is_live() && sandbox.is_over(now) {
            true => Self::over(sandbox.task()),
            false => written,
        }
    }

    /// As far as it was written.
    fn of(state: &State) -> Self {
        match state {
            State::Provisioning(_) => Self::Creating,
            State::Running(_) => Self::Started,
            State::Destroying(ending) | State::Destroyed(ending) if is_shown(ending) => Self::Error,
            State::Destroying(ending) => Self::over(ending.task.as_ref()),
            State::Destroyed(_) => Self::Destroyed,
        }
    }

    /// It is being destroyed for as long as a task is known to end. A task that is found later turns it back.
    fn over(task: Option<&Task>) -> Self {
        if task.is_some() { Self::Destroying } else { Self::Destroyed }
    }

    pub(super) fn is_live(self) -> bool {
        matches!(self, Self::Creating | Self::Started)
    }

    /// What its owner wants of it.
    pub(super) fn desired(self) -> &'static str {
        match self {
            Self::Creating | Self::Started | Self::Error => "started",
            Self::Destroying | Self::Destroyed => "destroyed",
        }
    }

    /// Whether there is something to be deleted; if not, the refusal.
    pub(super) fn must_be_there(self) -> Result<(), ApiError> {
        if self == Self::Error { Ok(()) } else { self.must_live() }
    }

    /// Whether something can still be done with it but to delete it; if not, the refusal.
    pub(super) fn must_live(self) -> Result<(), ApiError> {
        let conflict = |message| Err(ApiError::new(StatusCode::CONFLICT, "conflict", message));
        match self {
            Self::Creating | Self::Started => Ok(()),
            Self::Error => conflict("Sandbox is in an errored state; it can only be deleted"),
            Self::Destroying => conflict("Sandbox state change in progress"),
            Self::Destroyed => Err(ApiError::not_found()),
        }
    }
}

/// Whether the end is a failure that is told of until somebody deletes the sandbox.
fn is_shown(ending: &Ending) -> bool {
    has_failed(&ending.end.reason) && !ending.dismissed
}

fn has_failed(reason: &EndReason) -> bool {
    match reason {
        EndReason::Failed { .. } | EndReason::Lost => true,
        EndReason::Requested
        | EndReason::Killed
        | EndReason::Stopped
        | EndReason::Expired
        | EndReason::Exited { .. } => false,
    }
}

/// Why a change was refused: of a sandbox that is over, by how it reads.
pub(super) fn refusal(error: Error) -> ApiError {
    match &error {
        Error::Refused(refusal) => match SandboxState::of(&refusal.state).must_live() {
            Err(over) => over,
            Ok(()) => error.into(),
        },
        _ => error.into(),
    }
}
