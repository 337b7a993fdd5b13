use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, getpid, getppid, set_parent_process_death_signal};

use super::output::Ends;
use super::spec::ContainerSpec;

/// Starts a container in this process group, or in one of its own. Should the sidecar be killed, the container is
/// killed with it.
pub(crate) fn start(container: &ContainerSpec, output: Ends, group: Option<Pid>) -> io::Result<Pid> {
    let mut command = Command::new(&container.program);
    command
        .args(&container.args)
        .env_clear()
        .envs(&container.env.0)
        .current_dir(&container.cwd)
        .stdin(Stdio::null())
        .stdout(output.stdout)
        .stderr(output.stderr)
        .process_group(group.map_or(0, |group| group.as_raw_nonzero().get()));
    end_with_parent(&mut command);
    // The handle is not needed: whatever ends below the sidecar is reaped by its pid.
    command.spawn().map(|child| Pid::from_child(&child))
}

/// What a shell would say of a program that could not be started.
pub(crate) fn code_for(error: &io::Error) -> i32 {
    if error.kind() == io::ErrorKind::NotFound { 127 } else { 126 }
}

#[expect(
    unsafe_code,
    reason = "there is no safe way to run code between fork and exec, and only there is no gap"
)]
fn end_with_parent(command: &mut Command) {
    let parent = getpid();
    // SAFETY: the closure runs in the forked child and makes two system calls; it neither allocates nor locks.
    unsafe {
        command.pre_exec(move || {
            set_parent_process_death_signal(Some(Signal::KILL))?;
            // The parent may have been killed before there was a signal to send.
            if getppid() == Some(parent) { Ok(()) } else { Err(rustix::io::Errno::SRCH.into()) }
        });
    }
}
