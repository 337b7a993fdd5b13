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
mod sidecar;

use std::{
    collections::BTreeSet,
    fs::File,
    io,
    net::{IpAddr, Ipv4Addr},
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
};

use modbox_sandbox::{Ids, contract};
use modbox_sidecar::{ReportLine, TaskSpec};
use tokio::{
    io::AsyncWriteExt,
    process::{Child, Command},
    sync::mpsc,
};

use self::{
    address::{Addresses, Claim},
    keeper::Keeper,
    leftovers::Traces,
    report::Reader,
    scratch::Scratch,
    sidecar::Sidecar,
};
use crate::{
    ecs::{Cancelled, Engine, Exit, Handle, Launch, Reading, StartError, Starting},
    sandbox_task,
};

/// Runs each task as processes: a folder of its own, exactly the environment it was given, an address of its own.
///
/// **It is not isolation.** The processes run as the user who runs this program: they see that user's files, network
/// and other processes, and nothing limits their CPU or memory. It is for trusted work on one's own machine.
///
/// It runs the built-in images only, by what their containers are called (`main`, `deadline`, `ready`); entry points
/// and commands are not looked at. What it started outlives it, until its deadline, and is adopted by the next engine on
/// the same folder.
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

    /// Ends what earlier runs on the same `data` have left, folders included, but for the tasks with these ids; gives
    /// the ids of those that it ended.
    ///
    /// To be called before the first start. No two programs may use one `data` at a time.
    pub async fn sweep(&self, keep: BTreeSet<String>) -> io::Result<Vec<String>> {
        let tasks = self.shared.tasks.clone();
        let swept = tokio::task::spawn_blocking(move || leftovers::sweep(&tasks, &keep));
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

    fn adopt(&self, launch: Launch, address: Option<IpAddr>) -> Starting {
        let shared = Arc::clone(&self.shared);
        // Before this returns, so that the address is given to no task that starts meanwhile.
        let found = shared.find(&launch, address);
        Box::pin(async move {
            let (scratch, claim) = found?;
            match claim {
                Some(claim) => adopt(launch, scratch, claim).await,
                None => Err(end_what_cannot_be_told(scratch).await),
            }
        })
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
        let wanted = sandbox_task::loopback_address(&launch).map(|address| *address.ip());
        let address = self.addresses.claim(wanted, &*self.ids)?;
        let sandbox = sandbox_task::sandbox_id(&launch);
        let scratch = Scratch::create(&self.tasks, launch.task_id(), address.ip(), sandbox)
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
        let mut keeper = Keeper::new(launch, Sidecar::Child(child), scratch, address, exits);
        if let Err(error) = keeper.wait_unless(cancelled).await {
            keeper.abandon().await;
            return Err(error);
        }
        Ok(keep(keeper, ip, exited))
    }

    /// The folder of a task that an earlier run started, and its address, which is its own again. Whoever can reach the
    /// folder may have taken the file with the address away: what ECS knows is as good.
    fn find(&self, launch: &Launch, known: Option<IpAddr>) -> Result<(Scratch, Option<Claim>), StartError> {
        let scratch = Scratch::of(&self.tasks, launch.task_id())
            .map_err(|error| cannot_start("find the task's folder", &error))?;
        let known = known.and_then(|address| match address {
            IpAddr::V4(address) => Some(address),
            IpAddr::V6(_) => None,
        });
        let address = scratch.address().or(known);
        let claim = address.map(|address| self.addresses.claim(Some(address), &*self.ids));
        Ok((scratch, claim.transpose()?))
    }
}

async fn adopt(launch: Launch, scratch: Scratch, address: Claim) -> Result<Handle, StartError> {
    let identity = Reader::new(scratch.report()).news().into_iter().next().and_then(|line| match line {
        ReportLine::Sidecar(identity) => Some(identity),
        _ => None,
    });
    let (exits, exited) = mpsc::unbounded_channel();
    let ip = address.ip();
    let mut keeper = Keeper::new(launch, Sidecar::find(identity), scratch, address, exits);
    if let Err(error) = keeper.wait_until_started().await {
        let error = match &error.container {
            Some(_) => error,
            None if keeper.is_over() => nothing_left(),
            None => no_answer(),
        };
        keeper.abandon().await;
        return Err(error);
    }
    Ok(keep(keeper, ip, exited))
}

/// Ends a task of which only the folder is known.
async fn end_what_cannot_be_told(scratch: Scratch) -> StartError {
    let traces = Traces { address: None, group: None, scratch: scratch.clone() };
    let gone = tokio::task::spawn_blocking(move || leftovers::kill(&traces)).await;
    if !gone.unwrap_or(false) {
        tracing::warn!(folder = %scratch.folder().display(), "failed to end a task of an earlier run");
    }
    scratch.remove().await;
    nothing_left()
}

fn keep(keeper: Keeper, address: Ipv4Addr, exits: mpsc::UnboundedReceiver<Exit>) -> Handle {
    let (stop, stops) = mpsc::unbounded_channel();
    tokio::spawn(keeper.run(stops));
    Handle { address: address.into(), stop, exits }
}

/// Of a task that was never started, or of which neither sidecar nor report was found.
fn nothing_left() -> StartError {
    StartError::new(
        "ResourceInitializationError: modbox-local was restarted, and nothing of the task was left to adopt",
    )
}

/// Of a task whose sidecar lives and does not get on with its containers.
fn no_answer() -> StartError {
    StartError::new(
        "ResourceInitializationError: modbox-local was restarted, and the task's sidecar did not answer: it was ended",
    )
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
