//! Ends what is left of a task whose sidecar did not end it.

use std::{
    collections::BTreeSet,
    fs, io,
    net::Ipv4Addr,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use modbox_sandbox::contract;
use modbox_sidecar::tree::{Process, kill_pass, marked};

use super::scratch::Scratch;

/// How long killed processes have to go.
const BOUND: Duration = Duration::from_secs(2);
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// By what a task's processes are known when their sidecar is gone.
#[derive(Debug)]
pub(super) struct Traces {
    pub(super) address: Option<Ipv4Addr>,
    /// The process group that the containers were started in.
    pub(super) group: Option<i32>,
    pub(super) scratch: Scratch,
}

/// How the runtime marks the commands of a sandbox, which have groups and folders of their own.
fn mark_of_commands(sandbox: &str) -> String {
    format!("{}={sandbox}.", contract::EXEC_ID)
}

impl Traces {
    fn select(&self, all: &[Process]) -> Vec<Process> {
        let mark = self.address.map(|address| format!("{}={address}", contract::TASK_ADDRESS));
        let commands = self.scratch.sandbox().map(|sandbox| mark_of_commands(&sandbox));
        let is_marked = |entry: &[u8]| {
            mark.as_ref().is_some_and(|mark| entry == mark.as_bytes())
                || commands.as_ref().is_some_and(|mark| entry.starts_with(mark.as_bytes()))
        };
        let is_ours = |process: &&Process| {
            self.group == Some(process.group)
                || marked(process.pid, is_marked)
                || works_in(process, self.scratch.folder())
        };
        all.iter().filter(is_ours).copied().collect()
    }
}

fn works_in(process: &Process, folder: &Path) -> bool {
    let cwd = fs::read_link(format!("/proc/{}/cwd", process.pid.as_raw_nonzero()));
    cwd.is_ok_and(|cwd| cwd.starts_with(folder))
}

/// Kills all that the traces lead to; says whether it is gone. Blocks for two seconds at most.
pub(super) fn kill(traces: &Traces) -> bool {
    let until = Instant::now() + BOUND;
    while kill_pass(|all| traces.select(all)) > 0 {
        if Instant::now() >= until {
            return false;
        }
        thread::sleep(LOOK_AGAIN);
    }
    true
}

/// Ends each task that has a folder below `tasks`, but for those to keep; gives their ids.
pub(super) fn sweep(tasks: &Path, keep: &BTreeSet<String>) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(tasks) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut swept = Vec::new();
    for entry in entries {
        let entry = entry?;
        let id = entry.file_name().to_string_lossy().into_owned();
        if keep.contains(&id) {
            continue;
        }
        let scratch = Scratch::at(entry.path());
        let traces = Traces { address: scratch.address(), group: None, scratch: scratch.clone() };
        if !kill(&traces) {
            tracing::warn!(task.id = id, "failed to end a task of an earlier run");
        }
        // One that stays must not keep the others, nor the program.
        if let Err(error) = scratch.remove_now() {
            let folder = scratch.folder().display();
            tracing::warn!(%folder, %error, "failed to remove the folder of a task of an earlier run");
        }
        swept.push(id);
    }
    Ok(swept)
}
