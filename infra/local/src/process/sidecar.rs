use std::{
    os::{fd::OwnedFd, unix::process::ExitStatusExt},
    process::ExitStatus,
};

use modbox_sidecar::tree::{Identity, Pid, Signal};
use rustix::process::{PidfdFlags, kill_process, pidfd_open, pidfd_send_signal};
use tokio::{
    io::{Interest, unix::AsyncFd},
    process::Child,
};

/// The parent of a task's processes, as this program has it.
#[derive(Debug)]
pub(super) enum Sidecar {
    /// Started by this run of the program, which is its parent.
    Child(Child),
    /// Started by an earlier run. The descriptor means this process whatever becomes of its id.
    Adopted { identity: Identity, process: AsyncFd<OwnedFd> },
    /// Started by an earlier run, and gone, or not to be told from others.
    Gone,
}

impl Sidecar {
    /// Finds the sidecar of an earlier run. Must be called on a runtime.
    pub(super) fn find(identity: Option<Identity>) -> Self {
        identity.and_then(adopt).unwrap_or(Self::Gone)
    }

    pub(super) fn has_ended(&mut self) -> bool {
        match self {
            Self::Child(child) => child.try_wait().is_ok_and(|status| status.is_some()),
            Self::Adopted { identity, .. } => !identity.is_alive(),
            Self::Gone => true,
        }
    }

    /// Resolves when it has ended, with the exit code where the system tells it: to the parent.
    pub(super) async fn ended(&mut self) -> Option<i32> {
        match self {
            Self::Child(child) => child.wait().await.ok().and_then(exit_code),
            Self::Adopted { process, .. } => {
                // An error means that the runtime ends, and this with it.
                let _ = process.readable().await;
                None
            }
            Self::Gone => None,
        }
    }

    /// Sends a signal; one that has ended hears nothing, which whoever follows it notices next.
    pub(super) fn signal(&self, signal: Signal) {
        let _ = match self {
            Self::Child(child) => id(child).map_or(Ok(()), |pid| kill_process(pid, signal)),
            Self::Adopted { process, .. } => pidfd_send_signal(process, signal),
            Self::Gone => Ok(()),
        };
    }

    /// What tells it from every other process; none once it was seen to have ended.
    pub(super) fn identity(&self) -> Option<Identity> {
        match self {
            Self::Child(child) => Identity::of(id(child)?).ok()?,
            Self::Adopted { identity, .. } => Some(identity.clone()),
            Self::Gone => None,
        }
    }
}

/// The id of a child is its own until it was waited for, and then there is none.
fn id(child: &Child) -> Option<Pid> {
    Pid::from_raw(i32::try_from(child.id()?).ok()?)
}

fn adopt(identity: Identity) -> Option<Sidecar> {
    let process = pidfd_open(identity.pid, PidfdFlags::empty()).ok()?;
    // Looked at after it was opened: if it is the one that is meant now, it was when it was opened.
    if !identity.is_alive() {
        return None;
    }
    Some(Sidecar::Adopted { identity, process: watch(process)? })
}

#[expect(unsafe_code, reason = "there is no safe way to have tokio wait for a descriptor that is no socket")]
fn watch(process: OwnedFd) -> Option<AsyncFd<OwnedFd>> {
    // SAFETY: an `OwnedFd` is open until it is dropped, and means the same file all the time.
    unsafe { AsyncFd::register_with_interest(process, Interest::READABLE) }.ok()
}

fn exit_code(status: ExitStatus) -> Option<i32> {
    let by_signal = || status.signal().map(|signal| 128 + signal);
    status.code().or_else(by_signal)
}
