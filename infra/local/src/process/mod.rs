//! The process engine: a task as a tree of processes on this machine.
//!
//! `sidecar deadline --supervise` is the parent of a task's processes and its `deadline` container in one, so the
//! deadline holds while this program is dead. `main` is the runtime and `ready` the sidecar of that name below it, all
//! of them this program executed again.

mod address;
mod keeper;
mod leftovers;
mod logs;
mod plan;
mod report;
mod scratch;

use std::{
    fs::File,
    io,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
};

use modbox_sandbox::{Ids, contract};
use modbox_sidecar::TaskSpec;
use tokio::{
    io::AsyncWriteExt,
    process::{Child, Command},
    sync::mpsc,
};

use self::{address::Addresses, keeper::Keeper, scratch::Scratch};
use crate::ecs::{Cancelled, Engine, Handle, Launch, Reading, StartError, Starting};

/// Runs each task as processes: a folder of its own, exactly the environment it was given, an address of its own.
///
/// **It is not isolation.** The processes run as the user who runs this program: they see that user's files, network
/// and other processes, and nothing limits their CPU or memory. It is for trusted work on one's own machine.
///
/// It runs the built-in images only, by what their containers are called (`main`, `deadline`, `ready`); entry points
/// and commands are not looked at. What it started outlives it, until its deadline.
#[derive(Clone, Debug)]
pub struct ProcessEngine {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    program: PathBuf,
    tasks: PathBuf,
    ids: Arc<dyn Ids>,
    addresses: Addresses,
}

impl ProcessEngine {
    /// An engine that starts tasks as `program` (`runtime`, `sidecar …`), in folders below `data`.
    pub fn new(program: PathBuf, data: &Path, ids: Arc<dyn Ids>) -> Self {
        let shared = Shared { program, tasks: data.join("tasks"), ids, addresses: Addresses::default() };
        Self { shared: Arc::new(shared) }
    }

    /// The program that this engine needs and this machine lacks, if there is one.
    pub fn missing() -> Option<&'static str> {
        missing_in(plan::PATH)
    }

    /// Ends what earlier runs on the same `data` have left, folders included; gives the ids of those tasks.
    ///
    /// To be called before the first start. No two programs may use one `data` at a time.
    pub async fn sweep(&self) -> io::Result<Vec<String>> {
        let tasks = self.shared.tasks.clone();
        let swept = tokio::task::spawn_blocking(move || leftovers::sweep(&tasks));
        swept.await.map_err(io::Error::other)?
    }
}

/// What the runtime runs commands with, if it is in none of the folders.
fn missing_in(path: &str) -> Option<&'static str> {
    const SHELL: &str = "bash";
    let is_there = path.split(':').any(|folder| Path::new(folder).join(SHELL).is_file());
    (!is_there).then_some(SHELL)
}

impl Engine for ProcessEngine {
    fn start(&self, launch: Launch, cancelled: Cancelled) -> Starting {
        let shared = Arc::clone(&self.shared);
        Box::pin(async move { shared.start(launch, cancelled).await })
    }

    fn log(&self, task_id: &str, container: &str) -> Reading {
        let (tasks, task_id, container) =
            (self.shared.tasks.clone(), task_id.to_owned(), container.to_owned());
        let read = tokio::task::spawn_blocking(move || logs::read(&tasks, &task_id, &container));
        Box::pin(async move { read.await.map_err(io::Error::other)? })
    }
}

impl Shared {
    async fn start(&self, launch: Launch, cancelled: Cancelled) -> Result<Handle, StartError> {
        plan::check(&launch)?;
        let address = self.addresses.claim(plan::wanted_address(&launch), &*self.ids)?;
        let scratch = Scratch::create(&self.tasks, launch.task_id(), address.ip(), plan::sandbox_id(&launch))
            .await
            .map_err(|error| cannot_start("make the task's folder", &error))?;
        let spec = plan::task_spec(&launch, &self.program, &scratch, address.ip());
        let child = match spawn(&self.program, &spec, &scratch, address.ip()).await {
            Ok(child) => child,
            Err(error) => {
                scratch.remove().await;
                return Err(cannot_start("start the task's sidecar", &error));
            }
        };
        let (exits, exited) = mpsc::unbounded_channel();
        let ip = address.ip();
        let mut keeper = Keeper::new(launch, child, scratch, address, exits);
        if let Err(error) = keeper.wait_until_started(cancelled).await {
            keeper.abandon().await;
            return Err(error);
        }
        let (stop, stops) = mpsc::unbounded_channel();
        tokio::spawn(keeper.run(stops));
        Ok(Handle { address: ip.into(), stop, exits: exited })
    }
}

/// Starts the sidecar, which leaves this program's terminal by itself (`setsid`), and gives it its task.
async fn spawn(program: &Path, spec: &TaskSpec, scratch: &Scratch, address: Ipv4Addr) -> io::Result<Child> {
    let document = serde_json::to_vec(spec)?;
    let log = File::create(scratch.sidecar_log())?;
    let mut child = Command::new(program)
        .args(["sidecar", "deadline", "--supervise"])
        .env_clear()
        .env(contract::TASK_ADDRESS, address.to_string())
        .current_dir(scratch.workspace())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // A sidecar that ended before it read all says why in its log, which is looked at next.
        let _ = stdin.write_all(&document).await;
    }
    Ok(child)
}

fn cannot_start(what: &str, error: &io::Error) -> StartError {
    StartError::new(format!("CannotStartContainerError: failed to {what}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_without_bash_lacks_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = format!("/nowhere:{}", folder.path().display());
        assert_eq!(missing_in(&path), Some("bash"));
        std::fs::write(folder.path().join("bash"), "").unwrap();
        assert_eq!(missing_in(&path), None);
    }
}
